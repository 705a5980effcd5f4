"""Which photos of an album change hands, which stay, and what the report says of those."""

import pytest

pytestmark = pytest.mark.long


def test_the_photos_of_the_album_become_the_destinations(library, anna, ben, move) -> None:
    photos = [library.asset(anna, f"{number}.jpg") for number in range(3)]
    elsewhere = library.asset(anna, "elsewhere.jpg")
    report = move(library.album(anna, "Trip", photos))
    assert [library.owner_of(photo) for photo in photos] == [ben] * 3
    assert library.owner_of(elsewhere) == anna
    assert (report.assets, report.of("items"), report.stays, report.along) == (3, 3, (), ())


def test_what_others_put_into_the_album_stays_theirs_and_is_counted(library, anna, ben, carla, move) -> None:
    hers, his, guests = library.asset(anna), library.asset(ben), library.asset(carla)
    album = library.album(anna, "Party", [hers, his, guests], members={ben: "editor", carla: "editor"})
    report = move(album)
    assert [library.owner_of(photo) for photo in (hers, his, guests)] == [ben, ben, carla]
    assert (report.assets, report.of("items"), report.of("items_staying")) == (1, 3, 0)


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


SAME = b"\x05" * 20
STAY = {  # what the photo is like, what others have of it: the reason, or None where it goes
    "external": ({"library": "anna"}, (), "external"),
    "marked external, without a library": ({"sql": '"isExternal" = true'}, (), "external"),
    "trashed": ({"trashed": True}, (), "trashed"),
    "trashed by status only": ({"sql": "status = 'trashed'"}, (), "trashed"),
    "trashed by date only": ({"sql": '"deletedAt" = now()'}, (), "trashed"),
    "locked": ({"visibility": "locked"}, (), "locked"),
    "deleting": ({"deleted": True}, (), "deleting"),
    "unfinished": ({"unfinished": True}, (), "unfinished"),
    "two reasons are one": ({"trashed": True, "library": "anna", "unfinished": True}, (), "external"),
    # Immich allows one copy per user, wherever it lies; copies in the trash are listed apart, since one can act
    "he has it": ({}, ("ben", {}), "duplicate"),
    "he has it archived": ({}, ("ben", {"visibility": "archive"}), "duplicate"),
    "he has it hidden": ({}, ("ben", {"visibility": "hidden"}), "duplicate"),
    "he has it locked": ({}, ("ben", {"visibility": "locked"}), "duplicate"),
    "he has it in the trash": ({}, ("ben", {"trashed": True}), "duplicate_in_trash"),
    "he deletes it": ({}, ("ben", {"deleted": True}), "duplicate_in_trash"),
    "somebody else has it": ({}, ("carla", {}), None),
    # Tools that mirror Immich into folders leave one; in the trash it is no second photo
    "in a library of his": ({}, ("ben", {"library": "ben"}), None),
    "in the trash of a library of his": ({}, ("ben", {"library": "ben", "trashed": True}), None),
}


@pytest.mark.cases
@pytest.mark.parametrize("case", STAY)
def test_what_may_not_move_stays_and_is_named(library, anna, ben, carla, case, move) -> None:
    photo_is, theirs, reason = STAY[case]
    users = {"anna": anna, "ben": ben, "carla": carla}

    def made(owner: str, name: str, *, sql: str = "", unfinished: bool = False, **how: object) -> str:
        if "library" in how:
            how["library"] = library.library(users[how["library"]])
        photo = library.asset(users[owner], name, checksum=SAME, **how)
        if sql:
            library.rows(f"update asset set {sql} where id = %s", photo)
        if unfinished:
            library.move_history(photo)
        return photo

    photo, other = made("anna", "same.jpg", **photo_is), library.asset(anna, "go.jpg")
    copy = made(theirs[0], "copy.jpg", **theirs[1]) if theirs else None
    report = move(library.album(anna, "Trip", [photo, other]))
    assert [library.owner_of(one) for one in (photo, other)] == [anna if reason else ben, ben]
    assert copy is None or library.owner_of(copy) == users[theirs[0]]
    assert report.stays == (((reason, ("same.jpg",)),) if reason else ())
    assert report.assets == (1 if reason else 2)


def test_each_reason_has_its_list(library, anna, move) -> None:
    photos = [library.asset(anna, name, visibility="locked") for name in ("b.jpg", "a.jpg")]
    photos.append(library.asset(anna, "c.jpg", trashed=True))
    report = move(library.album(anna, "Trip", photos))
    assert dict(report.stays) == {"trashed": ("c.jpg",), "locked": ("a.jpg", "b.jpg")}
    assert report.assets == 0


def test_a_second_run_finds_nothing_left(library, anna, move) -> None:
    album = library.album(anna, "Trip", [library.asset(anna), library.asset(anna)])
    assert move(album).assets == 2
    report = move(album)
    assert (report.assets, report.of("items"), report.of("items_staying"), report.people) == (0, 2, 0, ())


def test_there_and_back_again(library, anna, ben, move) -> None:
    photo = library.asset(anna)
    person = library.person(anna, "Lea")
    face = library.face(photo, person, featured=True)
    album = library.album(anna, "Trip", [photo])
    move(album)
    move(album, source=ben, destination=anna)
    assert library.owner_of(photo) == anna
    assert library.person_row(anna, library.person_of(face))["name"] == "Lea"
