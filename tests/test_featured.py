"""The picture by which a person is shown is cut from one photo: it must be a photo of the same user."""

import pytest

SMALL, MIDDLE, LARGE = (0, 0, 10, 10), (0, 0, 50, 50), (0, 0, 90, 90)
BOXES = {"small": SMALL, "middle": MIDDLE, "large": LARGE, "larger": (0, 0, 95, 95)}
BOXES |= {"wide": (100, 100, 400, 110), "square": (900, 900, 960, 960), "huge": (0, 0, 100_000, 100_000)}


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

# The faces that stay of a person whose picture moves: on what photo, the box, what is said of it; * marks who is shown.
STAYING = {
    "the_largest_face": ("home small", "home large *", "home middle", "home larger unusable"),
    "the larger area": ("home wide", "home square *"),
    "boxes of huge pictures": ("home huge *", "home middle"),
    "a_deleted_face_is_not_featured": ("home small *", "home larger deleted"),
    "the trash is the last choice": ("trashed large", "home small *"),
    "nothing but the trash": ("trashed small", "trashed large *"),
    "the locked folder is the last choice": ("locked large", "home small *"),
    "nothing but the locked folder": ("locked large *",),
    "not on somebody_elses_photo": ("home small *", "carlas large"),
    "no_face_can_be_shown": ("home small unusable",),
}


@pytest.mark.parametrize("name", STAYING)
def test_the_source_gets_the_best_face_that_stays(library, anna, carla, moves, album, name, move) -> None:
    """Not a portrait cut from what is Ben's photo now; where there is none, none."""
    max_, best = library.person(anna, "Max"), None
    library.face(moves, max_, featured=True, box=(0, 0, 99, 99))
    library.face(library.asset(carla), max_, box=SMALL)  # Anna keeps the person in any case
    owners, places = {"carlas": carla}, {"trashed": {"trashed": True}, "locked": {"visibility": "locked"}}
    for case in STAYING[name]:
        where, box, *rest = case.split()
        how = unusable(library) if "unusable" in rest else {"deleted": "deleted" in rest}
        photo = library.asset(owners.get(where, anna), **places.get(where, {}))
        face = library.face(photo, max_, box=BOXES[box], **how)
        best = face if "*" in rest else best
    report = move(album)
    assert picture(library, anna, max_) == (best, "")
    assert report.of("featured") >= 1  # Anna's; from 3.2 on Ben's new one is made with its picture


def test_of_equal_faces_the_choice_does_not_depend_on_chance(library, anna, ben, moves, album, move) -> None:
    max_ = library.person(anna, "Max")
    library.face(moves, max_, featured=True)
    faces = [library.face(library.asset(anna), max_, box=MIDDLE) for _ in range(6)]
    move(album)
    assert picture(library, anna, max_)[0] == min(faces)


def test_a_photo_that_is_seen_is_found_among_many_in_the_trash(library, anna, moves, album, move) -> None:
    """Only a few faces are looked at first; none of them will do."""
    max_ = library.person(anna, "Max")
    library.face(moves, max_, featured=True)
    *trashed, seen = sorted(library.asset(anna) for _ in range(25))
    library.rows('UPDATE asset SET "deletedAt" = now(), status = %s WHERE id = ANY (%s::uuid[])', "trashed", trashed)
    faces = [library.face(photo, max_) for photo in (*trashed, seen)]
    move(album)
    assert picture(library, anna, max_) == (faces[-1], "")


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
    assert report.of("already_wrong") == 2  # the face and the picture


# ---- third parties --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [True, False], ids=["has another photo", "has none"])
def test_a_third_users_picture_on_a_moved_photo_is_mended(library, carla, moves, album, other, move) -> None:
    pia = library.person(carla, "Pia")
    library.face(moves, pia, featured_of=carla)
    own = library.face(library.asset(carla), pia) if other else None
    move(album)
    assert picture(library, carla, pia) == (own, "")


@pytest.mark.parametrize("featured", [True, False], ids=["a picture of a photo that stays", "no picture"])
@pytest.mark.parametrize("whose", ["the source's", "a third user's"])
def test_what_is_right_stays_as_it_is(library, anna, carla, moves, album, whose, featured, move) -> None:
    """Where there is no picture, Immich draws it when it likes."""
    owner = anna if whose == "the source's" else carla
    person = library.person(owner, "Pia", **({} if featured else {"thumbnail": ""}))
    library.face(moves, person, box=LARGE)
    library.face(library.asset(owner), person, box=SMALL, featured=featured)
    before = library.person_row(owner, person)
    move(album)
    assert library.person_row(owner, person) == before
