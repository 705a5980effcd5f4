"""Which photos of an album change hands, which stay, and what the report says of those."""

import pytest

pytestmark = pytest.mark.long


def test_the_photos_of_the_album_become_the_destinations(library, anna, ben, move) -> None:
    photos = [library.asset(anna, f"{number}.jpg") for number in range(3)]
    elsewhere = library.asset(anna, "elsewhere.jpg")
    report = move(library.album(anna, "Trip", photos))
    assert [library.owner_of(photo) for photo in photos] == [ben] * 3
    assert library.owner_of(elsewhere) == anna
    assert (report.assets, report.of("chosen"), report.of("others"), report.stays, report.along) == (3, 3, 0, (), ())


def test_what_others_put_into_the_album_stays_theirs_and_is_counted(library, anna, ben, carla, move) -> None:
    hers, his, guests = library.asset(anna), library.asset(ben), library.asset(carla)
    album = library.album(anna, "Party", [hers, his, guests], members={ben: "editor", carla: "editor"})
    report = move(album)
    assert [library.owner_of(photo) for photo in (hers, his, guests)] == [ben, ben, carla]
    assert (report.assets, report.of("others")) == (1, 2)


@pytest.mark.parametrize("owner", ["anna", "ben", "carla"])
def test_it_does_not_matter_whose_album_it_is(library, anna, ben, carla, owner, move) -> None:
    """People also want back what they put into somebody else's album."""
    owner_id = {"anna": anna, "ben": ben, "carla": carla}[owner]
    photo = library.asset(anna)
    album = library.album(owner_id, "Shared", [photo], members={anna: "editor"})
    assert move(album).assets == 1
    assert library.owner_of(photo) == ben
    assert library.album_owner(album) == owner_id


@pytest.mark.parametrize("visibility", ["timeline", "archive"])
@pytest.mark.parametrize("favorite", [True, False])
def test_archived_and_favourite_photos_move_as_they_are(library, anna, ben, visibility, favorite, move) -> None:
    photo = library.asset(anna, visibility=visibility, favorite=favorite)
    move(library.album(anna, "Trip", [photo]))
    found = library.row('select "ownerId", visibility, "isFavorite" from asset where id = %s', photo)
    assert found == (ben, visibility, favorite)


def staying(library, anna, reason: str) -> str:
    """A photo that has to stay for that reason."""
    if reason == "unfinished":
        photo = library.asset(anna, "stay.jpg")
        library.move_history(photo)
        return photo
    how = {
        "external": {"library": library.library(anna)},
        "trashed": {"trashed": True},
        "locked": {"visibility": "locked"},
        "deleting": {"deleted": True},
    }
    return library.asset(anna, "stay.jpg", **how[reason])


@pytest.mark.parametrize("reason", ["external", "trashed", "locked", "deleting", "unfinished"])
def test_a_photo_that_may_not_move_stays_and_is_named(library, anna, ben, reason, move) -> None:
    photo, other = staying(library, anna, reason), library.asset(anna, "go.jpg")
    report = move(library.album(anna, "Trip", [photo, other]))
    assert library.owner_of(photo) == anna
    assert library.owner_of(other) == ben
    assert report.stays == ((reason, ("stay.jpg",)),)
    assert (report.assets, report.of("chosen")) == (1, 2)


def test_a_photo_marked_external_without_a_library_stays(library, anna, move) -> None:
    """Its file belongs to a folder that the server only reads."""
    photo = library.asset(anna, "stay.jpg")
    library.rows('update asset set "isExternal" = true where id = %s', photo)
    assert move(library.album(anna, "Trip", [photo])).stays == (("external", ("stay.jpg",)),)


@pytest.mark.parametrize("trashed", [False, True])
def test_a_copy_in_a_library_of_the_destinations_stops_nothing_and_is_named(library, anna, ben, trashed, move) -> None:
    """Tools that mirror Immich into folders leave one; in the trash it is no second photo."""
    photo, same = library.asset(anna, "twin.jpg", checksum=b"\x07" * 20), library.library(ben)
    library.asset(ben, "mirrored.jpg", checksum=b"\x07" * 20, library=same, trashed=trashed)
    report = move(library.album(anna, "Trip", [photo]))
    assert library.owner_of(photo) == ben
    assert (report.listed("doubled"), report.stays) == (() if trashed else ("twin.jpg",), ())


@pytest.mark.parametrize("half", ["status", "date"])
def test_half_trashed_counts_as_trashed(library, anna, half, move) -> None:
    photo = library.asset(anna, "stay.jpg")
    setting = "status = 'trashed'" if half == "status" else '"deletedAt" = now()'
    library.rows(f"update asset set {setting} where id = %s", photo)
    assert move(library.album(anna, "Trip", [photo])).stays == (("trashed", ("stay.jpg",)),)


def test_a_photo_with_two_reasons_is_counted_once(library, anna, move) -> None:
    photo = library.asset(anna, "stay.jpg", trashed=True, library=library.library(anna))
    library.move_history(photo)
    assert move(library.album(anna, "Trip", [photo])).stays == (("external", ("stay.jpg",)),)


def test_each_reason_has_its_list(library, anna, move) -> None:
    photos = [library.asset(anna, name, visibility="locked") for name in ("b.jpg", "a.jpg")]
    photos.append(library.asset(anna, "c.jpg", trashed=True))
    report = move(library.album(anna, "Trip", photos))
    assert dict(report.stays) == {"trashed": ("c.jpg",), "locked": ("a.jpg", "b.jpg")}
    assert (report.assets, report.of("chosen")) == (0, 3)


@pytest.mark.cases
@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        ({}, "duplicate"),
        ({"visibility": "archive"}, "duplicate"),
        ({"visibility": "hidden"}, "duplicate"),
        ({"visibility": "locked"}, "duplicate"),
        ({"trashed": True}, "duplicate_in_trash"),
        ({"deleted": True}, "duplicate_in_trash"),
    ],
    ids=["timeline", "archived", "hidden", "locked", "trashed", "deleting"],
)
def test_a_photo_that_the_destination_has_already_stays(library, anna, ben, theirs, reason, move) -> None:
    """Immich allows one copy per user, wherever it lies; copies in the trash are listed apart, since one can act."""
    same = b"\x05" * 20
    photo, other = library.asset(anna, "same.jpg", checksum=same), library.asset(anna, "go.jpg")
    copy = library.asset(ben, "copy.jpg", checksum=same, **theirs)
    report = move(library.album(anna, "Trip", [photo, other]))
    assert [library.owner_of(a) for a in (photo, copy, other)] == [anna, ben, ben]
    assert report.stays == ((reason, ("same.jpg",)),)


def test_copies_elsewhere_do_not_stop_a_photo(library, anna, ben, carla, move) -> None:
    """A third user's copy, and one in an external library of the destination's, are no collision for Immich."""
    same = b"\x05" * 20
    photo = library.asset(anna, checksum=same)
    library.asset(carla, checksum=same)
    library.asset(ben, checksum=same, library=library.library(ben))
    assert move(library.album(anna, "Trip", [photo])).assets == 1
    assert library.owner_of(photo) == ben


def test_an_album_with_nothing_of_the_sources_moves_nothing(library, anna, carla, move) -> None:
    report = move(library.album(anna, "Trip", [library.asset(carla)]))
    assert (report.assets, report.of("chosen"), report.of("others")) == (0, 0, 1)


def test_a_second_run_finds_nothing_left(library, anna, move) -> None:
    album = library.album(anna, "Trip", [library.asset(anna), library.asset(anna)])
    assert move(album).assets == 2
    report = move(album)
    assert (report.assets, report.of("chosen"), report.of("others"), report.people) == (0, 0, 2, ())


def test_there_and_back_again(library, anna, ben, move) -> None:
    photo = library.asset(anna)
    person = library.person(anna, "Lea")
    face = library.face(photo, person, featured=True)
    album = library.album(anna, "Trip", [photo])
    move(album)
    move(album, source=ben, destination=anna)
    assert library.owner_of(photo) == anna
    assert library.person_row(anna, library.person_of(face))["name"] == "Lea"
