"""The picture by which a person is shown is cut from one photo: it must be a photo of the same user."""

import pytest

SMALL, MIDDLE, LARGE = (0, 0, 10, 10), (0, 0, 50, 50), (0, 0, 90, 90)


@pytest.fixture
def moves(library, anna) -> str:
    return library.asset(anna, "moves.jpg")


@pytest.fixture
def album(library, anna, moves) -> str:
    return library.album(anna, "Trip", [moves])


def picture(library, owner: str, person: str) -> tuple:
    row = library.person_row(owner, person)
    return row["faceAssetId"], row["thumbnailPath"]


def unusable(library) -> dict:
    """A face that is there and cannot be shown: hidden, or deleted where Immich cannot hide faces."""
    return {"visible": False} if library.has_face_visibility else {"deleted": True}


# ---- the source's side ----------------------------------------------------------------------------------------------


def test_the_source_gets_the_largest_face_that_stays(library, anna, moves, album, move) -> None:
    max_ = library.person(anna, "Max")
    library.face(moves, max_, featured=True, box=(0, 0, 99, 99))
    _, best, _ = (library.face(library.asset(anna), max_, box=box) for box in (SMALL, LARGE, MIDDLE))
    library.face(library.asset(anna), max_, box=(0, 0, 95, 95), **unusable(library))
    report = move(album)
    assert picture(library, anna, max_) == (best, "")
    assert report.featured >= 1  # Anna's; from 3.2 on Ben's new one is made with its picture


def test_a_wide_face_and_a_high_one_are_compared_by_area(library, anna, moves, album, move) -> None:
    max_ = library.person(anna, "Max")
    library.face(moves, max_, featured=True)
    library.face(library.asset(anna), max_, box=(100, 100, 400, 110))
    best = library.face(library.asset(anna), max_, box=(900, 900, 960, 960))
    move(album)
    assert picture(library, anna, max_)[0] == best


def test_boxes_of_huge_pictures_are_no_trouble(library, anna, moves, album, move) -> None:
    max_ = library.person(anna, "Max")
    library.face(moves, max_, featured=True)
    best = library.face(library.asset(anna), max_, box=(0, 0, 100_000, 100_000))
    library.face(library.asset(anna), max_, box=MIDDLE)
    move(album)
    assert picture(library, anna, max_)[0] == best


def test_of_equal_faces_the_choice_does_not_depend_on_chance(library, anna, ben, moves, album, move) -> None:
    max_ = library.person(anna, "Max")
    library.face(moves, max_, featured=True)
    faces = [library.face(library.asset(anna), max_, box=MIDDLE) for _ in range(6)]
    move(album)
    assert picture(library, anna, max_)[0] == min(faces)


def test_where_no_face_can_be_shown_there_is_no_picture(library, anna, moves, album, move) -> None:
    """Not a portrait cut from what is Ben's photo now."""
    max_ = library.person(anna, "Max")
    library.face(moves, max_, featured=True)
    library.face(library.asset(anna), max_, **unusable(library))
    if not library.has_face_visibility:  # a visible one would be shown; on another's photo it is not
        other = library.person(anna, "Other")
        library.face(library.asset(anna), other)
    move(album)
    if library.person_row(anna, max_):
        assert picture(library, anna, max_) == (None, "")
    else:
        assert not library.has_face_visibility


def test_a_deleted_face_is_not_featured_however_large(library, anna, moves, album, move) -> None:
    max_ = library.person(anna, "Max")
    library.face(moves, max_, featured=True)
    small = library.face(library.asset(anna), max_, box=(10, 10, 20, 20))
    library.face(library.asset(anna), max_, box=(0, 0, 900, 700), deleted=True)
    move(album)
    assert picture(library, anna, max_)[0] == small


def test_a_picture_from_a_photo_that_stays_is_not_touched(library, anna, moves, album, move) -> None:
    max_ = library.person(anna, "Max")
    library.face(moves, max_, box=LARGE)
    library.face(library.asset(anna), max_, box=SMALL, featured=True)
    before = library.person_row(anna, max_)
    move(album)
    assert library.person_row(anna, max_) == before


@pytest.mark.parametrize("where", [{"trashed": True}, {"visibility": "locked"}], ids=["trash", "locked folder"])
def test_a_photo_out_of_sight_is_the_last_choice(library, anna, moves, album, where, move) -> None:
    max_, lea = library.person(anna, "Max"), library.person(anna, "Lea")
    away = library.asset(anna, **where)
    for person in (max_, lea):
        library.face(moves, person, featured=True)
        hidden = library.face(away, person, box=LARGE)
    best = library.face(library.asset(anna), max_, box=SMALL)
    move(album)
    assert picture(library, anna, max_) == (best, "")
    assert picture(library, anna, lea) == (hidden, "")


def test_a_photo_that_is_seen_is_found_among_many_in_the_trash(library, anna, moves, album, move) -> None:
    """Only a few faces are looked at first; none of them will do."""
    max_ = library.person(anna, "Max")
    library.face(moves, max_, featured=True)
    *trashed, seen = sorted(library.asset(anna) for _ in range(25))
    library.rows('UPDATE asset SET "deletedAt" = now(), status = %s WHERE id = ANY (%s::uuid[])', "trashed", trashed)
    faces = [library.face(photo, max_) for photo in (*trashed, seen)]
    move(album)
    assert picture(library, anna, max_) == (faces[-1], "")


def test_a_face_on_somebody_elses_photo_is_no_picture(library, anna, carla, moves, album, move) -> None:
    max_ = library.person(anna, "Max")
    library.face(moves, max_, featured=True)
    home = library.face(library.asset(anna), max_, box=SMALL)
    library.face(library.asset(carla), max_, box=LARGE)
    move(album)
    assert picture(library, anna, max_) == (home, "")


def test_a_person_of_the_sources_without_a_picture_is_not_given_one(library, anna, moves, album, move) -> None:
    """Immich draws it when it likes; nothing about what stays is changed without need."""
    max_ = library.person(anna, "Max", thumbnail="")
    library.face(moves, max_)
    library.face(library.asset(anna), max_)
    before = library.person_row(anna, max_)
    move(album)
    assert library.person_row(anna, max_) == before


def test_a_person_whose_deleted_face_was_featured_on_the_moved_photo(library, anna, ben, moves, album, move) -> None:
    """Anna keeps the person, and the picture must go: it shows Ben's photo."""
    max_ = library.person(anna, "Max")
    library.face(moves, max_, deleted=True, featured=True)
    home = library.face(library.asset(anna), max_)
    move(album)
    assert picture(library, anna, max_) == (home, "")


# ---- the destination's side -----------------------------------------------------------------------------------------


def test_the_destinations_new_person_gets_the_largest_moved_face(library, anna, ben, move) -> None:
    photos = [library.asset(anna) for _ in range(3)]
    max_ = library.person(anna, "Max")
    faces = [library.face(photo, max_, box=box) for photo, box in zip(photos, (SMALL, LARGE, MIDDLE), strict=True)]
    library.face(photos[0], max_, box=(0, 0, 95, 95), **unusable(library))
    library.face(library.asset(anna), max_, featured=True, box=(0, 0, 99, 99))
    move(library.album(anna, "Trip", photos))
    assert picture(library, ben, library.person_of(faces[0])) == (faces[1], "")


def test_a_person_handed_over_whose_picture_showed_a_deleted_face_at_home(
    library, anna, ben, moves, album, move
) -> None:
    lea = library.person(anna, "Lea")
    face = library.face(moves, lea)
    library.face(library.asset(anna), lea, deleted=True, featured=True)
    move(album)
    assert picture(library, ben, lea) == (face, "")


def test_a_person_handed_over_without_a_picture_gets_one(library, anna, ben, moves, album, move) -> None:
    lea = library.person(anna, "Lea", thumbnail="")
    face = library.face(moves, lea)
    move(album)
    assert picture(library, ben, lea) == (face, "")


def test_a_picture_that_immich_was_about_to_move_is_drawn_anew(library, anna, ben, moves, album, move) -> None:
    """Its unfinished move would put the file into Anna's folder again."""
    lea = library.person(anna, "Lea")
    face = library.face(moves, lea, featured=True)
    library.move_history(lea, "face")
    move(album)
    assert picture(library, ben, lea) == (face, "")


def test_a_namesake_without_a_picture_gets_one(library, anna, ben, moves, album, move) -> None:
    hers, his = library.person(anna, "Oma"), library.person(ben, "Oma", thumbnail="")
    face = library.face(moves, hers)
    move(album, merge=[hers])
    assert picture(library, ben, his) == (face, "")


def test_a_namesakes_own_picture_stays(library, anna, ben, moves, album, move) -> None:
    hers, his = library.person(anna, "Oma"), library.person(ben, "Oma")
    library.face(library.asset(ben), his, box=SMALL, featured=True)
    library.face(moves, hers, box=LARGE)
    before = library.person_row(ben, his)
    move(album, merge=[hers])
    assert library.person_row(ben, his) == before


def test_the_destinations_picture_on_a_photo_that_arrives_becomes_right(library, anna, ben, moves, album, move) -> None:
    ina = library.person(ben, "Ina")
    face = library.face(moves, ina, featured_of=ben)
    before = library.person_row(ben, ina)
    report = move(album)
    assert library.person_row(ben, ina) == before
    assert before["faceAssetId"] == face
    assert report.already_wrong == 2  # the face and the picture


# ---- third parties --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [True, False], ids=["has another photo", "has none"])
def test_a_third_users_picture_on_a_moved_photo_is_mended(library, carla, moves, album, other, move) -> None:
    pia = library.person(carla, "Pia")
    library.face(moves, pia, featured_of=carla)
    own = library.face(library.asset(carla), pia) if other else None
    move(album)
    assert picture(library, carla, pia) == (own, "")


def test_a_third_users_person_without_a_picture_is_not_given_one(library, carla, moves, album, move) -> None:
    pia = library.person(carla, "Pia", thumbnail="")
    library.face(moves, pia)
    library.face(library.asset(carla), pia)
    before = library.person_row(carla, pia)
    move(album)
    assert library.person_row(carla, pia) == before


def test_a_third_users_picture_of_her_own_photo_is_not_touched(library, carla, moves, album, move) -> None:
    pia = library.person(carla, "Pia")
    library.face(moves, pia)
    library.face(library.asset(carla), pia, featured=True)
    before = library.person_row(carla, pia)
    move(album)
    assert library.person_row(carla, pia) == before
