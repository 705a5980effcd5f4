"""What becomes of the people whose faces are on the photos: handed over, given a second one, or left alone."""

from datetime import date

import pytest

FACTS = ("name", "birthDate", "isHidden", "isFavorite", "color")


def facts(row: dict) -> tuple:
    return tuple(row[name] for name in FACTS)


def hidden(library) -> dict:
    """Arguments for a hidden face; a plain one where Immich cannot hide faces."""
    return {"visible": False} if library.has_face_visibility else {}


def people_of(library, owner: str) -> set[str]:
    key = library.name("person", "personGroupId")
    return {row[0] for row in library.rows(f'select "{key}" from person where "ownerId" = %s', owner)}


def kinds(report) -> dict[str, str]:
    return {person.name: person.action for person in report.people}


# ---- TRANSFER -------------------------------------------------------------------------------------------------------


def test_a_person_on_moved_photos_only_becomes_the_destinations(library, anna, ben, move) -> None:
    """Name, birthday, flags and the featured photo stay; anna has no such person any more."""
    photos = [library.asset(anna), library.asset(anna)]
    lea = library.person(anna, "Lea", birth="2015-04-01", hidden=True, favorite=True, color="#00ff00")
    boxes = ((10, 10, 20, 20), (10, 10, 90, 90))  # the featured one is not the largest
    faces = [
        library.face(photo, lea, box=box, featured=box is boxes[0]) for photo, box in zip(photos, boxes, strict=True)
    ]
    before = library.person_row(anna, lea)
    report = move(library.album(anna, "Trip", photos))

    after = library.person_row(ben, lea)
    assert library.person_row(anna, lea) is None
    assert facts(after) == facts(before) == ("Lea", date(2015, 4, 1), True, True, "#00ff00")
    assert after["faceAssetId"] == faces[0]
    assert [library.person_of(face) for face in faces] == [lea, lea]
    assert report.faces == 0  # no link had to change
    (person,) = report.people
    assert (person.id, person.action, person.inside, person.outside) == (lea, "TRANSFER", 2, 0)
    # the picture's path carries the owner from 3.2 on: there it is drawn anew
    assert after["thumbnailPath"] == ("" if library.has_people_groups else before["thumbnailPath"])


def test_an_unnamed_person_is_handed_over_too(library, anna, ben, move) -> None:
    """Otherwise all of Immich's grouping of faces would be lost."""
    photo, somebody = library.asset(anna), library.person(anna, "")
    face = library.face(photo, somebody)
    report = move(library.album(anna, "Trip", [photo]))
    assert library.person_row(ben, library.person_of(face))["name"] == ""
    assert kinds(report) == {"": "TRANSFER"}


def test_a_deleted_face_goes_with_the_person_who_is_handed_over(library, anna, ben, move) -> None:
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    face, deleted = library.face(photo, lea), library.face(photo, lea, deleted=True)
    report = move(library.album(anna, "Trip", [photo]))
    assert library.person_of(face) == library.person_of(deleted) == lea
    assert library.person_row(ben, lea)
    assert report.people[0].inside == 1


def test_a_deleted_face_does_not_keep_a_person_and_loses_its_link(library, anna, ben, move) -> None:
    """It lies on a photo that stays; its person is the destination's now."""
    photo, stays = library.asset(anna), library.asset(anna)
    lea = library.person(anna, "Lea")
    library.face(photo, lea)
    deleted = library.face(stays, lea, deleted=True)
    report = move(library.album(anna, "Trip", [photo]))
    assert kinds(report) == {"Lea": "TRANSFER"}
    assert library.person_row(ben, lea)
    assert library.person_of(deleted) is None


def test_a_deleted_face_of_a_third_users_loses_its_link_with_the_person(library, anna, ben, carla, move) -> None:
    """An older transfer by hand left it: nobody but the person's owner knew her, and she is the destination's now."""
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    library.face(photo, lea)
    deleted = library.face(library.asset(carla), lea, deleted=True)
    move(library.album(anna, "Trip", [photo]))
    assert library.person_row(ben, lea)
    assert library.person_of(deleted) is None


def test_a_hidden_face_is_enough_to_bring_its_person(library, anna, ben, move) -> None:
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    face = library.face(photo, lea, **hidden(library))
    report = move(library.album(anna, "Trip", [photo]))
    assert library.person_row(ben, library.person_of(face))["name"] == "Lea"
    assert kinds(report) == {"Lea": "TRANSFER"}


@pytest.mark.parametrize("source", ["exif", "manual"])
def test_faces_that_a_person_drew_follow_as_well(library, anna, ben, source, move) -> None:
    """Immich never assigns those again."""
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    face = library.face(photo, lea, source=source)
    move(library.album(anna, "Trip", [photo]))
    assert library.person_row(ben, library.person_of(face))["name"] == "Lea"


# ---- DUPLICATE ------------------------------------------------------------------------------------------------------


def test_a_person_on_photos_that_stay_is_given_a_second_time(library, anna, ben, move) -> None:
    moves, stays = library.asset(anna), library.asset(anna)
    max_ = library.person(anna, "Max", birth="1950-01-31", hidden=True, favorite=True, color="#0000ff")
    there, here = library.face(moves, max_), library.face(stays, max_, featured=True)
    before = library.person_row(anna, max_)
    report = move(library.album(anna, "Trip", [moves]))

    new = library.person_of(there)
    assert new != max_
    assert library.person_of(here) == max_
    assert library.person_row(anna, max_) == before
    his = library.person_row(ben, new)
    assert facts(his) == facts(before) == ("Max", date(1950, 1, 31), True, True, "#0000ff")
    assert (his["faceAssetId"], his["thumbnailPath"]) == (there, "")
    assert library.person_row(ben, max_) is None
    assert library.person_row(anna, new) is None
    assert report.faces == 1
    (person,) = report.people
    assert (person.id, person.action, person.inside, person.outside) == (max_, "DUPLICATE", 1, 1)


def test_all_moved_faces_of_a_person_get_the_same_second_one(library, anna, ben, move) -> None:
    photos, stays = [library.asset(anna) for _ in range(3)], library.asset(anna)
    max_ = library.person(anna, "Max")
    faces = [library.face(photo, max_) for photo in photos]
    library.face(stays, max_)
    report = move(library.album(anna, "Trip", photos))
    assert people_of(library, ben) == {library.person_of(face) for face in faces}
    assert len(people_of(library, ben)) == 1
    assert report.faces == 3


def test_two_people_get_two(library, anna, ben, move) -> None:
    """Namesakes too: they are two to Anna."""
    moves, stays = library.asset(anna), library.asset(anna)
    twins = [library.person(anna, "Kim"), library.person(anna, "Kim")]
    faces = [library.face(moves, twin) for twin in twins]
    for twin in twins:
        library.face(stays, twin)
    move(library.album(anna, "Trip", [moves]))
    assert len({library.person_of(face) for face in faces}) == 2
    assert {library.person_row(ben, library.person_of(face))["name"] for face in faces} == {"Kim"}


def test_a_hidden_face_on_a_photo_that_stays_counts(library, anna, move) -> None:
    """Immich can show it again: the person is still Anna's."""
    moves, stays = library.asset(anna), library.asset(anna)
    max_ = library.person(anna, "Max")
    library.face(moves, max_)
    face = library.face(stays, max_, **hidden(library))
    report = move(library.album(anna, "Trip", [moves]))
    assert kinds(report) == {"Max": "DUPLICATE"}
    assert library.person_of(face) == max_
    assert library.person_row(anna, max_)


@pytest.mark.parametrize("how", ["trashed", "locked", "archived"])
def test_faces_on_photos_out_of_sight_count(library, anna, how, move) -> None:
    kinds_ = {"trashed": {"trashed": True}, "locked": {"visibility": "locked"}, "archived": {"visibility": "archive"}}
    moves, stays = library.asset(anna), library.asset(anna, **kinds_[how])
    max_ = library.person(anna, "Max")
    library.face(moves, max_)
    library.face(stays, max_)
    assert kinds(move(library.album(anna, "Trip", [moves]))) == {"Max": "DUPLICATE"}


def test_a_face_on_a_photo_that_had_to_stay_counts(library, anna, ben, move) -> None:
    moves, blocked = library.asset(anna), library.asset(anna, visibility="locked")
    max_ = library.person(anna, "Max")
    library.face(moves, max_)
    library.face(blocked, max_)
    assert kinds(move(library.album(anna, "Trip", [moves, blocked]))) == {"Max": "DUPLICATE"}


def test_a_deleted_face_follows_its_photo_to_the_second_person(library, anna, ben, move) -> None:
    moves, stays = library.asset(anna), library.asset(anna)
    max_ = library.person(anna, "Max")
    face, deleted = library.face(moves, max_), library.face(moves, max_, deleted=True)
    kept = library.face(stays, max_)
    kept_deleted = library.face(stays, max_, deleted=True)
    move(library.album(anna, "Trip", [moves]))
    assert library.person_of(deleted) == library.person_of(face) != max_
    assert library.person_of(kept) == library.person_of(kept_deleted) == max_


# ---- deleted faces only ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("elsewhere", [True, False], ids=["seen elsewhere", "seen nowhere else"])
def test_a_deleted_face_makes_no_person_for_the_destination(library, anna, ben, elsewhere, move) -> None:
    """Somebody said it is no face, or not that person. Its link to Anna's person is dropped."""
    photo, stays = library.asset(anna), library.asset(anna)
    max_ = library.person(anna, "Max")
    deleted = library.face(photo, max_, deleted=True)
    if elsewhere:
        library.face(stays, max_)
    before = library.person_row(anna, max_)
    report = move(library.album(anna, "Trip", [photo]))
    assert library.person_of(deleted) is None
    assert people_of(library, ben) == set()
    assert without_picture(library.person_row(anna, max_)) == without_picture(before)
    assert report.people == ()


def without_picture(row: dict) -> dict:
    return {key: row[key] for key in row if key not in ("faceAssetId", "thumbnailPath", "updatedAt", "updateId")}


def test_faces_of_nobody_stay_of_nobody(library, anna, move) -> None:
    photo = library.asset(anna)
    face = library.face(photo)
    report = move(library.album(anna, "Trip", [photo]))
    assert library.person_of(face) is None
    assert (report.people, report.faces) == ((), 0)


def test_people_who_are_not_on_the_photos_are_left_alone(library, anna, ben, move) -> None:
    photo, stays = library.asset(anna), library.asset(anna)
    lea, max_, bens = library.person(anna, "Lea"), library.person(anna, "Max"), library.person(ben, "Ina")
    library.face(photo, lea)
    library.face(stays, max_, featured=True)
    before = library.person_row(anna, max_), library.person_row(ben, bens)
    report = move(library.album(anna, "Trip", [photo]))
    assert (library.person_row(anna, max_), library.person_row(ben, bens)) == before
    assert kinds(report) == {"Lea": "TRANSFER"}


# ---- whose people ---------------------------------------------------------------------------------------------------


def test_faces_of_the_destinations_own_people_stay_so(library, anna, ben, move) -> None:
    photo, bens = library.asset(anna), library.person(ben, "Ina")
    face = library.face(photo, bens)
    report = move(library.album(anna, "Trip", [photo]))
    assert library.person_of(face) == bens
    assert (report.people, report.kept_people, report.faces) == ((), ("Ina",), 0)
    assert report.already_wrong == 1  # the link was wrong while the photo was Anna's


@pytest.mark.parametrize("elsewhere", [True, False], ids=["on her own photo too", "on moved photos only"])
def test_a_third_users_person_is_copied_and_stays_hers(library, anna, ben, carla, elsewhere, move) -> None:
    """An older transfer by hand left that link. Nobody takes a person away from Carla, not even an empty one."""
    photo, own = library.asset(anna), library.asset(carla)
    pia = library.person(carla, "Pia", birth="2001-02-03")
    face = library.face(photo, pia)
    kept = library.face(own, pia, featured=True) if elsewhere else None
    before = library.person_row(carla, pia)
    report = move(library.album(anna, "Trip", [photo]))
    his = library.person_row(ben, library.person_of(face))
    assert library.person_of(face) != pia
    assert (his["name"], his["birthDate"]) == ("Pia", date(2001, 2, 3))
    assert without_picture(library.person_row(carla, pia)) == without_picture(before)
    assert kinds(report) == {"Pia": "DUPLICATE"}
    assert report.already_wrong == 1
    if kept:
        assert library.person_of(kept) == pia
        assert library.person_row(carla, pia) == before


def test_the_sources_person_on_a_third_users_photo_counts_as_staying(library, anna, ben, carla, move) -> None:
    photo, hers = library.asset(anna), library.asset(carla)
    max_ = library.person(anna, "Max")
    face, other = library.face(photo, max_), library.face(hers, max_)
    report = move(library.album(anna, "Trip", [photo]))
    assert kinds(report) == {"Max": "DUPLICATE"}
    assert library.person_of(other) == max_ != library.person_of(face)
    assert library.person_row(anna, max_)


def test_people_are_listed_named_ones_first_then_by_faces(library, anna, move) -> None:
    photos = [library.asset(anna) for _ in range(3)]
    for name, count in (("", 3), ("Zoe", 1), ("Lea", 2), ("Ada", 1)):
        person = library.person(anna, name)
        for photo in photos[:count]:
            library.face(photo, person)
    report = move(library.album(anna, "Trip", photos))
    assert [(person.name, person.inside) for person in report.people] == [("Lea", 2), ("Ada", 1), ("Zoe", 1), ("", 3)]
