"""A second album of the same source: whoever the first run made is not made once more."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

import transfer
from tests.conftest import NOT_PUT_BACK, Journey
from tests.library import Library
from tests.terminal import EXACTLY, Installation, Terminal

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Albums:
    """Two albums of Anna's with one person on both, who is on a photo at home too."""

    library: Library
    journey: Journey
    anna: str
    ben: str
    person: str
    faces: tuple[str, str]
    albums: tuple[str, str]

    def run(self, number: int, *, merge: frozenset[str] = frozenset(), to: str | None = None) -> transfer.Report:
        """What the menu does with the first or second album when these merges are agreed to."""
        to = to or self.ben
        remembered = transfer.remembered_people(self.journey.params, self.journey.folder, to)
        request = transfer.Request(self.anna, to, album=self.albums[number - 1], merge=merge, remembered=remembered)
        return self.journey.go(request)

    def undo(self) -> None:
        """Take the newest run back."""
        self.journey.back()

    def his(self) -> set[str]:
        """Ben's people."""
        return self.library.people_of(self.ben)

    def remembered(self, to: str | None = None) -> dict[str, str]:
        return dict(transfer.remembered_people(self.journey.params, self.journey.folder, to or self.ben))

    def actions(self, report: transfer.Report) -> list[tuple[str, bool]]:
        return [(person.action, person.remembered) for person in report.people if person.id == self.person]


@pytest.fixture
def of(library, journey, anna, ben) -> Callable[[str], Albums]:
    """of(name): the albums with a person of that name."""

    def make(name: str, home: bool = True) -> Albums:
        photos = [library.asset(anna, f"{number}.jpg") for number in (1, 2)]
        person = library.person(anna, name)
        faces = [library.face(photo, person, featured=photo == photos[0]) for photo in photos]
        if home:
            library.face(library.asset(anna, "home.jpg"), person)
        albums = [library.album(anna, f"Album {number}", [photo]) for number, photo in enumerate(photos, 1)]
        library.settle_usage()
        return Albums(library, journey, anna, ben, person, tuple(faces), tuple(albums))

    return make


@pytest.mark.parametrize("name", ["Max", ""], ids=["named, and n answered", "unnamed"])
def test_the_person_whom_the_first_run_made_is_used_again(library, of, anna, name) -> None:
    albums = of(name)
    assert albums.remembered() == {}
    assert albums.actions(albums.run(1)) == [("DUPLICATE", False)]
    made = library.person_of(albums.faces[0])
    assert albums.remembered() == {albums.person: made}
    between = library.snapshot(ignore=NOT_PUT_BACK)
    request = transfer.Request(anna, albums.ben, album=albums.albums[1], remembered=tuple(albums.remembered().items()))
    assert [person.remembered for person in transfer.merge_pairs(albums.journey.params, request)] == [True]  # decided
    report = albums.run(2)
    assert albums.actions(report) == [("MERGE", True)]
    assert "known to be one person" in transfer.person_line(report.people[0])
    assert library.person_of(albums.faces[1]) == made
    assert albums.his() == {made}
    assert library.person_row(anna, albums.person)  # still at home
    albums.undo()
    assert library.snapshot(ignore=NOT_PUT_BACK) == between
    assert library.person_of(albums.faces[1]) == albums.person


def test_it_is_the_same_person_though_renamed_and_hidden_since(library, of, ben) -> None:
    albums = of("Max")
    albums.run(1)
    made = library.person_of(albums.faces[0])
    library.rows("""update person set name = 'Maximilian', "isHidden" = true where "ownerId" = %s""", ben)
    albums.run(2)
    assert library.person_of(albums.faces[1]) == made
    assert library.person_row(ben, made)["name"] == "Maximilian"


def test_a_merge_that_was_agreed_to_once_is_remembered(library, of, ben) -> None:
    albums, his = of("Max"), library.person(ben, "Max")
    library.face(library.asset(ben), his, featured=True)
    albums.run(1, merge=frozenset([albums.person]))
    assert albums.remembered() == {albums.person: his}
    library.rows("""update person set name = 'Opa' where "ownerId" = %s""", ben)
    assert albums.actions(albums.run(2)) == [("MERGE", True)]
    assert library.person_of(albums.faces[1]) == his


def test_not_after_the_first_run_was_undone(library, of) -> None:
    albums = of("Max")
    albums.run(1)
    made = library.person_of(albums.faces[0])
    albums.undo()
    assert (albums.his(), albums.remembered()) == (set(), {})
    assert albums.actions(albums.run(2)) == [("DUPLICATE", False)]
    assert library.person_of(albums.faces[1]) not in (made, albums.person)


@pytest.mark.parametrize("name", ["Max", ""], ids=["named", "unnamed"])
def test_not_when_that_person_was_deleted_since(library, of, ben, name) -> None:
    albums = of(name)
    albums.run(1)
    made = library.person_of(albums.faces[0])
    library.rows('delete from person where "ownerId" = %s', ben)
    if library.has_people_groups:
        library.rows("delete from person_group where id = %s", made)
    assert albums.remembered() == {albums.person: made}  # the journal says so still
    assert albums.actions(albums.run(2)) == [("DUPLICATE", False)]
    new = library.person_of(albums.faces[1])
    assert new not in (made, albums.person)
    assert albums.his() == {new}
    assert albums.remembered() == {albums.person: new}  # the later run counts


@pytest.mark.since("3.2")
def test_not_when_the_destination_lost_the_person_but_others_have_it(library, of, ben, carla) -> None:
    """Carla, who shares Ben's cluster group, has a row of that person; Ben has deleted his."""
    albums = of("Max")
    library.cluster(ben, carla)
    albums.run(1)
    made = library.person_of(albums.faces[0])
    library.person(carla, "Max", group=made)
    library.rows('delete from person where "ownerId" = %s', ben)
    assert albums.actions(albums.run(2)) == [("DUPLICATE", False)]
    assert library.person_row(ben, library.person_of(albums.faces[1]))["name"] == "Max"


def test_what_was_given_to_somebody_else_is_not_remembered_for_the_destination(library, of, carla) -> None:
    albums = of("Max")
    albums.run(1, to=carla)
    assert list(albums.remembered(carla)) == [albums.person]
    assert albums.remembered() == {}
    assert albums.actions(albums.run(2)) == [("DUPLICATE", False)]


def test_a_person_who_went_whole_needs_no_remembering(library, of) -> None:
    albums = of("Max", home=False)
    library.rows('update asset_face set "deletedAt" = now() where id = %s', albums.faces[1])
    assert albums.actions(albums.run(1)) == [("TRANSFER", False)]
    assert albums.remembered() == {}


@pytest.mark.parametrize("name", ["Max", ""], ids=["named", "unnamed"])
def test_photos_that_come_back_by_a_second_transfer_bring_nobody_twice(library, of, anna, ben, name) -> None:
    albums = of(name)
    albums.run(1)
    made = library.person_of(albums.faces[0])
    library.face(library.asset(ben, "his.jpg"), made)
    back = library.album(ben, "Back", [library.value("select id from asset where \"originalFileName\" = '1.jpg'")])
    report = replace(albums, anna=ben, albums=(back,)).run(1, to=anna)
    assert [(person.id, person.action, person.remembered) for person in report.people] == [(made, "MERGE", True)]
    assert library.person_of(albums.faces[0]) == albums.person
    assert library.person_row(ben, made)
    key = library.name("person", "personGroupId")
    assert library.rows(f'select "{key}" from person where "ownerId" = %s', anna) == [(albums.person,)]


@pytest.mark.since("3.2")
def test_inside_one_cluster_group_the_person_is_the_same_one_anyway(library, of, anna, ben) -> None:
    albums = of("Max")
    library.cluster(anna, ben)
    assert albums.actions(albums.run(1)) == [("DUPLICATE", False)]
    report = albums.run(2)
    assert (report.people, report.listed("kept_people")) == ((), ("Max",))
    assert albums.his() == {albums.person}
    assert [library.person_of(face) for face in albums.faces] == [albums.person] * 2


# ---- in the menu ----------------------------------------------------------------------------------------------------


def test_the_menu_remembers_and_does_not_ask(there: Installation) -> None:
    library = there.library
    max_ = library.person(there.alice, "Max")
    library.face(library.asset(there.alice, "home.jpg"), max_)
    for number in (1, 2):
        photo = library.asset(there.alice, f"{number}.jpg")
        library.face(photo, max_)
        library.album(there.alice, f"Album {number}", [photo])
    library.settle_usage()
    with Terminal(there.path) as terminal:
        for number, entry in ((1, "4"), (2, "3")):
            terminal.choose(entry, f"Album {number}")
            terminal.answer("Number (1-4")
            if entry == "4":
                terminal.answer("Type yes [menu]: ", "yes")
                terminal.until("TRANSFER COMPLETED")
                terminal.afterwards()
        screen = terminal.until(EXACTLY)
    assert "→ Max (1 in album, 1 outside) [MERGE] into Max  (known to be one person)" in screen
    assert "already has people of these names" not in screen
