"""What becomes of the people whose faces are on the photos: handed over, given a second one, or left alone."""

from datetime import date

import pytest

from tests.conftest import kinds

FACTS = ("name", "birthDate", "isHidden", "isFavorite", "color")
PORTRAIT = ("faceAssetId", "thumbnailPath", "updatedAt", "updateId")


def facts(row: dict) -> tuple:
    return tuple(row[name] for name in FACTS)


def without_picture(row: dict) -> dict:
    return {key: row[key] for key in row if key not in PORTRAIT}


# Anna's person by its faces, each by the kind of its photo and what is said of it, and whose it is then: still that
# person's, a second one's of the destination, or nobody's.
BECOMES = {
    "on moved photos only": ("TRANSFER", "moves > still", "moves > still"),
    "a deleted face there": ("TRANSFER", "moves > still", "moves deleted > still"),
    "a hidden face is enough": ("TRANSFER", "moves hidden > still"),
    "read from a file": ("TRANSFER", "moves exif > still"),
    "drawn by hand": ("TRANSFER", "moves manual > still"),  # Immich never assigns those again
    "a deleted face stays behind": ("TRANSFER", "moves > still", "stays deleted > nobody"),
    # an older transfer by hand left it: nobody but the person's owner knew her
    "a deleted face at a third user's": ("TRANSFER", "moves > still", "carlas deleted > nobody"),
    "on a photo that stays, too": ("DUPLICATE", "moves > second", "moves > second", "moves > second", "stays > still"),
    "on a third user's photo, too": ("DUPLICATE", "moves > second", "carlas > still"),
    "hidden on a photo that stays": ("DUPLICATE", "moves > second", "stays hidden > still"),  # it can be shown again
    "in the trash, too": ("DUPLICATE", "moves > second", "trashed > still"),
    "in the locked folder, too": ("DUPLICATE", "moves > second", "locked > still"),
    "in the archive, too": ("DUPLICATE", "moves > second", "archived > still"),
    "on a photo that had to stay": ("DUPLICATE", "moves > second", "blocked > still"),
    "deleted on both": (
        "DUPLICATE",
        "moves > second",
        "moves deleted > second",
        "stays > still",
        "stays deleted > still",
    ),
    # somebody said that it is no face, or not that person
    "a deleted face makes no person": ("", "moves deleted > nobody"),
    "a deleted face makes none beside others": ("", "moves deleted > nobody", "stays > still"),
}
PHOTOS = {
    **{"trashed": {"trashed": True}, "locked": {"visibility": "locked"}, "archived": {"visibility": "archive"}},
    **{"blocked": {"visibility": "locked"}},
}


@pytest.mark.parametrize("name", BECOMES)
def test_what_becomes_of_a_person(library, anna, ben, carla, name, move) -> None:
    """Name, birthday and flags are the same for both; nobody has a person too many or too few."""
    action, *cases = BECOMES[name]
    said = {"deleted": {"deleted": True}, "exif": {"source": "exif"}, "manual": {"source": "manual"}}
    said["hidden"] = {"visible": False} if library.has_face_visibility else {}
    person = library.person(anna, "Max", birth="1950-01-31", hidden=True, favorite=True, color="#0000ff")
    chosen, faces = [], {}
    for case in cases:
        (where, *how), then = (part.split() for part in case.split(">"))
        photo = library.asset(carla if where == "carlas" else anna, **PHOTOS.get(where, {}))
        if where in ("moves", "blocked"):
            chosen.append(photo)
        faces[library.face(photo, person, **said.get("".join(how), {}))] = (where, "deleted" in how, then[0])
    before = library.person_row(anna, person)
    report = move(library.album(anna, "Trip", chosen))

    seconds = {library.person_of(face) for face, (*_, then) in faces.items() if then == "second"}
    assert len(seconds) == (action == "DUPLICATE")
    for face, (*_, then) in faces.items():
        assert library.person_of(face) in {"still": {person}, "second": seconds - {person}, "nobody": {None}}[then]
    his = {"TRANSFER": {person}, "DUPLICATE": seconds, "": set()}[action]
    assert library.people_of(ben) == his
    assert all(facts(library.person_row(ben, each)) == facts(before) for each in his)
    if action == "TRANSFER":
        assert library.person_row(anna, person) is None
    else:
        assert without_picture(library.person_row(anna, person)) == without_picture(before)
    there = [where == "moves" for where, deleted, _ in faces.values() if not deleted]
    expected = [(person, action, there.count(True), there.count(False))] if action else []
    assert [(p.id, p.action, p.inside, p.outside) for p in report.people] == expected
    assert report.faces == sum(where == "moves" and then != "still" for where, _, then in faces.values())


def test_a_person_who_is_handed_over_keeps_the_picture_that_was_chosen(library, anna, ben, move) -> None:
    photos, lea = [library.asset(anna), library.asset(anna)], library.person(anna, "Lea")
    chosen = library.face(photos[0], lea, box=(10, 10, 20, 20), featured=True)
    library.face(photos[1], lea, box=(10, 10, 90, 90))
    before = library.person_row(anna, lea)
    move(library.album(anna, "Trip", photos))
    after = library.person_row(ben, lea)
    assert after["faceAssetId"] == chosen
    # the picture's path carries the owner from 3.2 on: there it is drawn anew
    assert after["thumbnailPath"] == ("" if library.has_people_groups else before["thumbnailPath"])


def test_a_person_who_is_given_a_second_time_keeps_the_picture_at_home(library, anna, ben, move) -> None:
    moves, max_ = library.asset(anna), library.person(anna, "Max")
    there = library.face(moves, max_)
    library.face(library.asset(anna), max_, featured=True)
    before = library.person_row(anna, max_)
    move(library.album(anna, "Trip", [moves]))
    his = library.person_row(ben, library.person_of(there))
    assert (his["faceAssetId"], his["thumbnailPath"]) == (there, "")
    assert library.person_row(anna, max_) == before


def test_an_unnamed_person_is_handed_over_too(library, anna, ben, move) -> None:
    """Otherwise all of Immich's grouping of faces would be lost."""
    photo, somebody = library.asset(anna), library.person(anna, "")
    face = library.face(photo, somebody)
    report = move(library.album(anna, "Trip", [photo]))
    assert library.person_row(ben, library.person_of(face))["name"] == ""
    assert kinds(report) == {"": "TRANSFER"}


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


def test_faces_of_nobody_stay_of_nobody_and_people_elsewhere_are_left_alone(library, anna, ben, move) -> None:
    photo, max_, bens = library.asset(anna), library.person(anna, "Max"), library.person(ben, "Ina")
    face = library.face(photo)
    library.face(library.asset(anna), max_, featured=True)
    before = library.person_row(anna, max_), library.person_row(ben, bens)
    report = move(library.album(anna, "Trip", [photo]))
    assert library.person_of(face) is None
    assert (library.person_row(anna, max_), library.person_row(ben, bens)) == before
    assert (report.people, report.faces) == ((), 0)


# ---- whose people ---------------------------------------------------------------------------------------------------


def test_faces_of_the_destinations_own_people_stay_so(library, anna, ben, move) -> None:
    photo, bens = library.asset(anna), library.person(ben, "Ina")
    face = library.face(photo, bens)
    report = move(library.album(anna, "Trip", [photo]))
    assert library.person_of(face) == bens
    assert (report.people, report.listed("kept_people"), report.faces) == ((), ("Ina",), 0)
    assert report.of("already_wrong") == 1  # the link was wrong while the photo was Anna's


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
    assert report.of("already_wrong") == 1
    if kept:
        assert library.person_of(kept) == pia
        assert library.person_row(carla, pia) == before


def test_people_are_listed_named_ones_first_then_by_faces(library, anna, move) -> None:
    photos = [library.asset(anna) for _ in range(3)]
    for name, count in (("", 3), ("Zoe", 1), ("Lea", 2), ("Ada", 1)):
        person = library.person(anna, name)
        for photo in photos[:count]:
            library.face(photo, person)
    report = move(library.album(anna, "Trip", photos))
    assert [(person.name, person.inside) for person in report.people] == [("Lea", 2), ("Ada", 1), ("Zoe", 1), ("", 3)]
