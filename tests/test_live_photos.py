"""A live photo is two rows: the still, and its video, hidden, which only its owner can play. They go together."""

import pytest


@pytest.mark.parametrize("chosen", [0, 1], ids=["the still", "the video"])
def test_either_part_brings_the_other(library, anna, ben, chosen, move) -> None:
    live = library.live(anna, "jump.HEIC")
    report = move(library.album(anna, "Trip", [live[chosen]]))
    assert [library.owner_of(part) for part in live] == [ben, ben]
    assert report.along == (("live", ("jump.MOV", "jump.HEIC")[chosen]),)
    assert report.assets == 2


def test_both_parts_in_the_album_are_two_chosen_photos(library, anna, move) -> None:
    report = move(library.album(anna, "Trip", library.live(anna)))
    assert (report.assets, report.along) == (2, ())


def test_stills_that_share_a_video_go_together(library, anna, ben, move) -> None:
    """Immich makes a second still for an edited copy; one video cannot have two owners."""
    still, video = library.live(anna, "a.HEIC")
    other = library.asset(anna, "b.HEIC", live_video=video)
    report = move(library.album(anna, "Trip", [still]))
    assert [library.owner_of(part) for part in (still, other, video)] == [ben] * 3
    assert report.along == (("live", "a.MOV"), ("live", "b.HEIC"))


def block(library, ben, asset: str, how: str) -> None:
    """Make it impossible for a photo to move."""
    if how == "unfinished":
        library.move_history(asset)
    elif how == "duplicate":
        checksum = library.value("select checksum from asset where id = %s", asset)
        library.asset(ben, "copy", checksum=bytes(checksum), visibility="hidden")
    elif how == "locked":
        library.rows("update asset set visibility = 'locked' where id = %s", asset)
    elif how == "trashed":
        library.rows("""update asset set status = 'trashed', "deletedAt" = now() where id = %s""", asset)


@pytest.mark.cases
@pytest.mark.parametrize("how", ["unfinished", "duplicate", "locked", "trashed"])
@pytest.mark.parametrize("part", [0, 1], ids=["still", "video"])
def test_a_blocked_part_keeps_the_other(library, anna, ben, part, how, move) -> None:
    live, other = library.live(anna, "jump.HEIC"), library.asset(anna, "go.jpg")
    block(library, ben, live[part], how)
    report = move(library.album(anna, "Trip", [live[0], other]))
    assert [library.owner_of(a) for a in (*live, other)] == [anna, anna, ben]
    assert report.stays == ((how, ("jump.HEIC",)),)
    assert report.along == ()


def test_a_blocked_second_still_keeps_all_three(library, anna, ben, move) -> None:
    still, video = library.live(anna, "a.HEIC")
    other = library.asset(anna, "b.HEIC", live_video=video, visibility="locked")
    report = move(library.album(anna, "Trip", [still]))
    assert [library.owner_of(part) for part in (still, other, video)] == [anna] * 3
    assert report.stays == (("locked", ("a.HEIC",)),)


def test_only_the_video_chosen_and_the_still_blocked(library, anna, move) -> None:
    still, video = library.live(anna, "jump.HEIC")
    library.move_history(still)
    report = move(library.album(anna, "Trip", [video]))
    assert [library.owner_of(part) for part in (still, video)] == [anna] * 2
    assert report.stays == (("unfinished", ("jump.MOV",)),)
