"""Repair as a person meets it: what is wrong with whom, one user or all, kinds left out, halves of live photos."""

import re
from collections.abc import Iterator

import pytest

import transfer
from tests.terminal import CHOOSE, EXACTLY, MENU, Installation, Terminal, installation, number_of

pytestmark = pytest.mark.screens

YES = "Type yes [menu]: "
USERS = "Whose photos should be repaired?"


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Bob and Carol have photos that were Alice's, with her tags; one of Bob's has her person, too."""
    with installation(tmp_path_factory.mktemp("repair")) as made:
        library, alice = made.library, made.alice
        carol = library.user("Carol")
        photo = library.asset(made.bob, "IMG_1.jpg")
        library.tag_assets(library.tag(alice, "Trips/Rome"), photo, library.asset(carol, "IMG_2.jpg"))
        library.face(photo, library.person(alice, "Lea"))
        library.memory(alice, [photo])
        library.settle_usage()
        made.save()
        yield made


def wrong(there: Installation) -> set[str]:
    """The kinds of what is wrong."""
    return {trouble.kind for trouble in transfer.find_faults(there.params)}


def words(screen: str) -> str:
    """A screen without its line ends."""
    return " ".join(screen.split())


def test_all_users_at_once(there: Installation) -> None:
    before = there.library.snapshot()
    with Terminal(there.path) as terminal:
        terminal.menu("5")
        terminal.pick(USERS, "All of them: 4 problems")
        shown = words(terminal.answer(EXACTLY, "d") + terminal.until(EXACTLY))
        for text in (
            "4 problems can be fixed: Alice, Bob, Carol and 1 more",
            "• Bob: 1 face that is linked to another user's person (IMG_1.jpg)",
            "→ A tag of this user's with the same path, made if it is missing.",
            "• Carol: 1 photo with another user's tag",
            "Lea (1 face) [TRANSFER]",
        ):
            assert text in shown
        assert there.library.snapshot() == before
        terminal.type("yes")
        done = words(terminal.afterwards())
        assert "REPAIR COMPLETED" in done
        assert "• Persons transferred: 1" in done
        assert "• Tags: 2" in done and "• Memories: 1" in done
        assert wrong(there) == set()
        terminal.menu("5")
        assert "problem" not in terminal.pick(USERS, "All of them").split(USERS)[1]
        assert "There is nothing to repair." in terminal.answer(CHOOSE, "0")
        terminal.menu("9")
        assert words(terminal.until(CHOOSE)).count(": repair") == 2


def test_a_kind_that_is_left_out(there: Installation) -> None:
    with Terminal(there.path) as terminal:
        terminal.menu("6")
        terminal.pick(USERS, "bob@example.com")
        assert "l leave kinds of problems out" in words(terminal.answer(YES, "l"))
        terminal.pick("What is to stay as it is", "photos with other users' tags")
        shown = words(terminal.answer(YES, "yes"))
        assert "Not fixed by this (d says what to do): • 1 photo with another user's tag" in shown
        assert "Tags to give" not in shown
        terminal.afterwards()
    found = {(trouble.kind, trouble.user) for trouble in transfer.find_faults(there.params)}
    assert wrong(there) == {"tag"}
    assert ("tag", there.bob) in found


def test_enter_leaves_nothing_out(there: Installation) -> None:
    with Terminal(there.path) as terminal:
        terminal.menu("6")
        terminal.pick(USERS, "bob@example.com")
        terminal.answer(YES, "l")
        terminal.answer(CHOOSE, "")
        terminal.answer(YES, "yes")
        terminal.afterwards()
    assert wrong(there) == {"tag"}  # Carol's


def tear(there: Installation) -> tuple[str, str]:
    """A live photo of Bob's whose video stayed Alice's."""
    video = there.library.asset(there.alice, kind="VIDEO", visibility="hidden")
    still = there.library.asset(there.bob, "IMG_9.HEIC", live_video=video)
    there.library.settle_usage()
    return still, video


def tear_library(there: Installation) -> tuple[str, str]:
    """Two photos of Bob's and Alice's in an external library of Alice's."""
    nas = there.library.library(there.alice, "NAS")
    return tuple(there.library.asset(user, library=nas, path=f"/mnt/{user}.jpg") for user in (there.bob, there.alice))


@pytest.mark.parametrize("who", ["bob", "alice"])
@pytest.mark.parametrize(("part", "asked"), [(tear, "both halves"), (tear_library, "photos and library")])
def test_who_gets_what_has_two_owners_is_asked(there: Installation, who: str, part, asked: str) -> None:
    """With Alice's things nothing else is wrong: it is neither said that nothing is, nor to repair first."""
    both = part(there)
    with Terminal(there.path) as terminal:
        terminal.menu("6")
        terminal.pick(USERS, "alice@example.com" if part is tear else "bob@example.com")
        if part is not tear:
            terminal.answer(YES, "yes")
            terminal.answer("[later]: ", "n")
        screen = terminal.until("Number (1-2) [leave them]: ")
        assert f"Who is to have {asked}?" in words(screen)
        assert "There is nothing to repair" not in screen
        terminal.type(number_of(screen.split("Who is to have")[1], f"{who}@"))
        shown = words(terminal.answer(YES, "yes"))
        assert "Assets to transfer: 1" in shown
        assert "Repair (5)" not in shown
        terminal.afterwards()
    owner = there.bob if who == "bob" else there.alice
    assert {there.library.owner_of(half) for half in both} == {owner}
    assert not wrong(there) & {"live", "library"}


def test_live_photos_may_stay_in_two_halves(there: Installation) -> None:
    halves = tear(there)
    with Terminal(there.path) as terminal:
        terminal.menu("6")
        terminal.pick(USERS, "bob@example.com")
        terminal.answer(YES, "yes")
        terminal.answer("[later]: ", "n")
        terminal.answer("Number (1-2) [leave them]: ", "")
        terminal.until(MENU)
    assert [there.library.owner_of(half) for half in halves] == [there.bob, there.alice]


def test_the_list_of_users_and_an_analysis_point_here(there: Installation) -> None:
    tear(there)
    photo = there.library.value("""select id from asset where "originalFileName" = 'IMG_9.HEIC'""")
    there.library.face(
        photo, there.library.person(there.library.value("""select id from "user" where name = 'Carol'"""))
    )
    there.library.album(there.bob, "Trip", [photo])
    with Terminal(there.path) as terminal:
        terminal.menu("1")
        assert "4 problems, see Repair (5)" in words(terminal.menu("3"))
        terminal.pick("Source user", "bob@")
        terminal.pick("Albums of", "Trip")
        terminal.pick("Destination user", "alice@")
        terminal.answer("Number (1-4", "")
        shown = words(terminal.until(EXACTLY))
        assert re.search(r"\d things? on these photos (is|are) wrong already. Better fix that first \(5\).", shown)


def test_a_repair_without_faces_can_be_taken_back(there: Installation) -> None:
    before = there.library.snapshot(ignore=("updatedAt", "updateId", "session", "*_audit"))
    with Terminal(there.path) as terminal:
        terminal.menu("6")
        terminal.pick(USERS, "carol@example.com")
        terminal.answer(YES, "yes")
        terminal.afterwards()
        terminal.menu("9")
        terminal.pick("Transfers and repairs that were made", "carol@example.com: repair, 1 photo")
        shown = words(terminal.answer(YES, "yes"))
        assert re.search("tags, memories, links, stacks and the like put back: +[1-9]", shown)
        terminal.afterwards()
    after = there.library.snapshot(ignore=("updatedAt", "updateId", "session", "*_audit"))
    assert [table for table in before if before[table] != after[table]] in ([], ["session"])
