"""The photos stay in every album; nothing about the albums changes. The report says who sees what."""

from datetime import timedelta

import pytest

from tests.library import now

TABLES = ("album", "album_user", "album_asset", "activity", "album_audit", "album_asset_audit", "album_user_audit")


def album_rows(library) -> dict:
    """All that albums are made of, to the last stamp."""
    snapshot = library.snapshot()
    return {table: snapshot[table] for table in TABLES if table in snapshot}


def test_albums_comments_likes_members_and_covers_survive(library, anna, carla, move) -> None:
    photo, stays = library.asset(anna), library.asset(anna)
    album = library.album(anna, "Trip", [photo, stays], members={carla: "viewer"}, cover=photo)
    other = library.album(carla, "Hers", [photo], members={anna: "editor"}, cover=photo)
    library.comment(album, carla, "Nice", asset=photo)
    library.comment(album, anna, "Ours")
    library.like(album, carla, asset=photo)
    library.like(other, anna)
    before = album_rows(library)
    move(album)
    assert album_rows(library) == before


def test_an_album_that_the_destination_is_no_member_of_is_named(library, anna, ben, carla, move) -> None:
    photo = library.asset(anna)
    seen = library.album(anna, "Seen", [photo], members={ben: "viewer"})
    library.album(ben, "His", [photo])
    library.album(carla, "Hers", [photo])
    library.album(anna, "Elsewhere", [library.asset(anna)])
    library.album(anna, "In the bin", [photo], deleted=True)
    report = move(seen)
    assert report.listed("albums_unseen") == ("Hers",)


def test_an_album_with_a_public_link_is_named(library, anna, carla, move) -> None:
    """Its photos are Ben's now, and the world sees them."""
    photo = library.asset(anna)
    open_, closed, expired, later = (library.album(anna, name, [photo]) for name in ("Open", "Closed", "Old", "Later"))
    library.link(anna, album=open_)
    library.link(carla, album=open_)
    for album, when in ((expired, now() - timedelta(days=1)), (later, now() + timedelta(days=1))):
        library.rows('update shared_link set "expiresAt" = %s where id = %s', when, library.link(anna, album=album))
    report = move(closed)
    assert report.listed("albums_public") == ("Later", "Open")


def test_an_album_that_only_holds_a_photo_that_stays_is_no_concern(library, anna, ben, carla, move) -> None:
    """Nothing changes for who sees it: it is not named, and apps need not fetch everything anew."""
    same = b"\x07" * 20
    goes, stays = library.asset(anna), library.asset(anna, checksum=same)
    library.asset(ben, checksum=same)
    dora = library.user("Dora")
    elsewhere = library.album(anna, "Elsewhere", [stays], members={carla: "viewer"})
    library.link(anna, album=elsewhere)
    sessions = {user: library.session(user) for user in (anna, ben, carla, dora)}
    report = move(library.album(anna, "Trip", [goes, stays], members={dora: "viewer"}))
    assert (report.assets, report.stays) == (1, (("duplicate", ("IMG_1.jpg",)),))
    assert (report.listed("albums_unseen"), report.listed("albums_public")) == (("Trip",), ())
    reset = dict(library.rows('select "userId", "isPendingSyncReset" from session'))
    assert reset == {user: user != carla for user in sessions}


def test_albums_of_photos_that_come_along_are_named_too(library, anna, carla, move) -> None:
    still, video = library.live(anna)
    library.album(carla, "Hers", [video])
    report = move(library.album(anna, "Trip", [still]))
    assert report.listed("albums_unseen") == ("Hers", "Trip")


@pytest.mark.parametrize("role", ["editor", "viewer"])
def test_the_destination_stays_a_member_of_the_album_as_before(library, anna, ben, role, move) -> None:
    album = library.album(anna, "Trip", [library.asset(anna)], members={ben: role})
    before = album_rows(library)
    assert move(album).listed("albums_unseen") == ()
    assert album_rows(library) == before
    assert library.album_owner(album) == anna
