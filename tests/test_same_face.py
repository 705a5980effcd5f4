"""One person under two names: faces are compared by Immich's own vectors, where pgvector is there."""

from datetime import date

import pytest

import transfer
from tests.conftest import NOT_PUT_BACK, Runner
from tests.library import Library
from tests.terminal import Terminal, installation

NEAR = 0.5


@pytest.fixture
def runner(runner: Runner) -> Runner:
    """The tool, on a database with real vectors."""
    with_vectors(runner.library)
    return runner


def with_vectors(library: Library) -> None:
    """Give the database vectors as Immich has them; Debian's PostgreSQL 15 and that of npm have no pgvector."""
    if not library.value("select count(*) from pg_available_extensions where name = 'vector'"):
        pytest.skip("this PostgreSQL has no pgvector")
    library.rows("create extension vector")
    library.rows("alter table face_search alter embedding type vector using embedding::vector")


def shows(library: Library, photo: str, person: str, *angles: float, size: int = 100, **facts) -> None:
    """Faces of a person; how two people look is how far their angles are apart, in degrees."""
    for angle in angles:
        face = library.face(photo, person, box=(0, 0, size, size), **facts)
        library.rows(
            'update face_search set embedding = array[cosd(%s), sind(%s)]::vector where "faceId" = %s',
            *(angle, angle, face),
        )


def asked(runner, album: str, near: float = NEAR) -> dict[str, tuple[str, str]]:
    """About whom is asked: the person's name, and the other's, by what they may be one."""
    found = transfer.merge_pairs(runner.params, runner.request(album), near)
    return {person.name: (person.merge_name, person.alike) for person in found}


# Anna's person at 0 degrees: name and facts; Ben's: name, angle, facts; whether they are asked about.
CASES = {
    "another name": (("Emma", {}), ("Emmi", 20, {}), transfer.FACE),
    "no name there": (("Emma", {}), ("", 20, {}), transfer.FACE),
    "no name here": (("", {}), ("Emma", 20, {}), transfer.FACE),
    "somebody else": (("Emma", {}), ("Emmi", 80, {}), None),
    "hidden there": (("Emma", {}), ("Emmi", 20, {"hidden": True}), None),
    "hidden here": (("Emma", {"hidden": True}), ("Emmi", 20, {}), None),
    "another birthday": (
        ("Emma", {"birth": date(2000, 1, 1)}),
        ("Emmi", 20, {"birth": date(2000, 1, 2)}),
        None,
    ),
    "a birthday here": (("Emma", {"birth": date(2000, 1, 1)}), ("Emmi", 20, {}), transfer.FACE),
    "a namesake": (("Emma", {}), ("Emma", 20, {}), transfer.NAME),
    "a namesake of other looks": (("Emma", {}), ("Emma", 80, {}), transfer.NAME),
}


@pytest.mark.parametrize("case", CASES)
def test_who_looks_alike_is_asked_about(library, photo, album, anna, ben, runner, case: str) -> None:
    (name, facts), (other, angle, other_facts), alike = CASES[case]
    shows(library, photo, library.person(anna, name, **facts), 0)
    shows(library, library.asset(ben), library.person(ben, other, **other_facts), angle)
    before = library.snapshot()
    assert asked(runner, album) == ({name: (other, alike)} if alike else {})
    assert library.snapshot() == before
    (person,) = transfer.merge_pairs(runner.params, runner.request(album), NEAR) or (None,)
    if person:
        assert person.distance == pytest.approx(1 - library.value("select cosd(%s)", angle))
        assert (
            transfer.likeness(person)
            == {
                transfer.FACE: f", looks alike ({person.distance:.2f})",
                transfer.NAME: f", does not look alike ({person.distance:.2f})" if angle == 80 else "",
            }[alike]
        )


def test_only_each_others_nearest_are_asked_about(library, photo, album, anna, ben, runner) -> None:
    """Of two who look like Ben's person it is the one who looks more like it; and of two of Ben's likewise."""
    for name, angle in (("near", 10), ("nearer", 5), ("alone", 90)):
        shows(library, photo, library.person(anna, name), angle)
    for name, angle in (("third", 115), ("second", 100), ("fourth", 110), ("first", 0)):
        shows(library, library.asset(ben), library.person(ben, name), angle)
    assert asked(runner, album) == {"nearer": ("first", "face"), "alone": ("second", "face")}


def test_the_largest_faces_that_are_seen_say_what_somebody_looks_like(library, photo, album, anna, ben, runner) -> None:
    hers, his = library.person(anna, "Emma"), library.person(ben, "Emmi")
    shows(library, photo, hers, *[0] * transfer.LARGEST_FACES)
    shows(library, photo, hers, 90, 90, 90, 90, size=50)
    shows(library, photo, hers, 90, 90, 90, 90, size=200, deleted=True)
    if library.has_face_visibility:
        shows(library, photo, hers, 90, 90, 90, 90, size=200, visible=False)
    shows(library, library.asset(ben), his, 0)
    (person,) = transfer.merge_pairs(runner.params, runner.request(album), NEAR)
    assert person.distance == pytest.approx(0, abs=1e-6)


def test_how_near_immich_takes_faces_for_one_decides(library, photo, album, anna, ben, runner) -> None:
    shows(library, photo, library.person(anna, "Emma"), 0)
    shows(library, library.asset(ben), library.person(ben, "Emmi"), 40)  # 0.23
    assert [bool(asked(runner, album, near)) for near in (0.2, 0.3)] == [False, True]


def test_who_is_one_becomes_one_and_two_again(runner, photo, album, anna, ben, library, params, tmp_path) -> None:
    """Agreed, it is a merge as any other: in the analysis, the journal, the undo, and the next transfer."""
    hers, his = library.person(anna, "Emma"), library.person(ben, "")
    shows(library, photo, hers, 0)
    shows(library, library.asset(ben), his, 20)
    request = transfer.Request(anna, ben, album=album, remembered=((hers, his),))
    before = library.snapshot(ignore=(*NOT_PUT_BACK, "user.quotaUsageInBytes"))
    report = transfer.transfer(params, request, transfer.How(dry_run=False, undo_folder=tmp_path))
    assert [(person.action, person.target) for person in report.people] == [("MERGE", his)]
    assert library.person_row(ben, his)["name"] == "Emma"
    assert transfer.remembered_people(params, tmp_path, ben) == ((hers, his),)
    (past,) = transfer.list_past(params, tmp_path)
    transfer.undo(params, past.path, transfer.How(dry_run=False))
    assert library.snapshot(ignore=(*NOT_PUT_BACK, "user.quotaUsageInBytes")) == before


def test_a_repair_compares_faces_too(library, anna, ben, runner, params) -> None:
    hers, his, photo = library.person(anna, "Emma"), library.person(ben, "Emmi"), library.asset(ben)
    shows(library, photo, hers, 0)  # as a bare UPDATE of the owner leaves it
    shows(library, library.asset(ben), his, 20)
    (pair,) = transfer.repair_merge_pairs(params, ben, NEAR)
    assert (pair.id, pair.merge_id, pair.alike) == (hers, his, transfer.FACE)
    transfer.repair_all(params, {ben: frozenset()}, transfer.How(dry_run=False), remembered=((hers, his),))
    assert library.rows(f'select distinct "{library.name("asset_face", "personGroupId")}" from asset_face') == [(his,)]


@pytest.mark.parametrize("why", ["no extension", "no faces with vectors"])
def test_where_faces_cannot_be_compared_names_are(library, photo, album, anna, ben, runner, why: str) -> None:
    for name, other in (("Emma", "emma"), ("Tom", "Thomas")):
        shows(library, photo, library.person(anna, name), 0)
        shows(library, library.asset(ben), library.person(ben, other), 0)
    library.rows(
        "delete from face_search"
        if why == "no faces with vectors"
        else "alter table face_search alter embedding type real[]; drop extension vector"
    )
    assert asked(runner, album) == {"Emma": ("emma", transfer.NAME)}


@pytest.mark.parametrize("has_vectors", [True, False])
def test_in_the_menu(tmp_path, has_vectors: bool) -> None:
    """By the distance that Immich is set to; agreed, it is told and done. Without vectors that is said once."""
    with installation(tmp_path) as there:
        with_vectors(there.library)
        there.save()
        there.immich.config["machineLearning"]["facialRecognition"]["maxDistance"] = 0.1
        hers, his = there.library.person(there.alice, "Emma"), there.library.person(there.bob, "Emmi")
        photo = there.library.asset(there.alice)
        shows(there.library, photo, hers, 0)
        shows(there.library, there.library.asset(there.bob), his, 20)
        there.library.album(there.alice, "Trip", [photo])
        there.library.settle_usage()
        by_name = "People are compared by name alone"
        if not has_vectors:
            there.library.rows("delete from face_search")
            with Terminal(there.path) as terminal:
                for time in (1, 2):
                    terminal.choose("3")
                    terminal.answer("Number (1-4")
                    screen = terminal.until("ALBUM TRANSFER ANALYSIS")
                    assert (by_name in screen) == (time == 1)
                    terminal.interrupt()
            return
        with Terminal(there.path) as terminal:
            terminal.choose("4")
            terminal.answer("Number (1-4")
            screen = terminal.answer("Is that the same person? ", "y")
            assert by_name not in screen
            assert "1. Emma (1 face)  =  Emmi (1 face), looks alike (0.06)" in screen
            screen = terminal.answer("Type yes [menu]: ", "yes")
            assert "→ Emma (1 face) [MERGE] into Emmi" in screen
            terminal.afterwards()
        assert there.library.value("select count(*) from person") == 1
