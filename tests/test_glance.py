"""At a glance: verdict, warnings and keys stand together with the question, in 24 rows, whatever the library holds."""

from collections.abc import Iterator

import pytest

from tests.terminal import Installation, Terminal, installation

pytestmark = [pytest.mark.screens, pytest.mark.long]

ROWS = 24


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """2,000 people are on Alice's photos, which are in 500 albums with public links; a quarter of them is Bob's."""
    with installation(tmp_path_factory.mktemp("glance")) as made:
        library, alice = made.library, made.alice
        photos = [library.asset(alice, f"{number}.jpg") for number in range(20)]
        for number in range(2000):
            person = library.person(alice, f"Person {number:04} of a large family")
            library.face(photos[number % 20], person)
        for number in range(500):
            library.link(alice, album=library.album(alice, f"Album {number:03}", photos))
        wrong = library.asset(made.bob, "wrong.jpg")
        library.face(wrong, library.person(alice, "Somebody"))
        library.settle_usage()
        made.save()
        yield made


def visible(terminal: Terminal, columns: int) -> str:
    """What stands in the window, in lines of its width."""
    rows = [
        line[start : start + columns]
        for line in terminal.said.split("\n")
        for start in range(0, max(len(line), 1), columns)
    ]
    return " ".join(" ".join(rows[-ROWS:]).split())


ANALYSIS = ("TRANSFER ANALYSIS", "Alice → Bob", "Assets to transfer: 20", "Persons detected: 2000", "⚠ Bob does not")
REPAIR = ("REPAIR ANALYSIS", "1 problem can be fixed", "Fixed:", "linked to another user's person")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_transfer_and_a_repair_of_a_big_library(big: Installation, columns: int) -> None:
    before = big.library.snapshot()
    with Terminal(big.path, size=(ROWS, columns)) as terminal:
        for entry, answers, words in (("4", ("alice", "1", "bob", ""), ANALYSIS), ("6", ("bob",), REPAIR)):
            terminal.menu(entry)
            for answer in answers:
                terminal.question()
                terminal.type(answer)
            terminal.until("Type yes")
            terminal.question()
            shown = visible(terminal, columns)
            for word in (*words, "yes does it · d details", "It can be undone (9)", "Immich made a backup"):
                assert word in shown or (columns == 40 and word == words[0]), shown
            terminal.type()
            assert "Nothing was changed." in terminal.until("Select option: ")
            terminal.type()
    assert big.library.snapshot() == before


# What stands in the window with the question: after a transfer, before it is taken back, and after that.
DONE = ("TRANSFER COMPLETED", "Assets transferred: 20", "Persons transferred: 2000", "Type yes to do that now")
BACK = ("UNDO ANALYSIS", "20 photos", "yes does it · d details", "Type yes")
UNDONE = ("UNDO COMPLETED", "Photos given back: 20", "To finish: three of Immich's jobs")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_results_and_an_undo_of_a_big_library(big: Installation, columns: int) -> None:
    owned = 'select count(*) from asset where "ownerId" = %s'
    with Terminal(big.path, size=(ROWS, columns)) as terminal:

        def sees(words: tuple[str, ...], prompt: str) -> None:
            terminal.until(prompt)
            terminal.until(": ")
            shown = visible(terminal, columns)
            assert [word for word in words[columns == 40 :] if word not in shown] == [], shown

        terminal.menu("4")
        for answer in ("alice", "1", "bob", ""):
            terminal.question()
            terminal.type(answer)
        sees(ANALYSIS, "Type yes")
        terminal.type("yes")
        sees(DONE, "[later]")
        assert big.library.value(owned, big.alice) == 0
        terminal.type()
        terminal.menu("9")
        terminal.question()
        terminal.type("1")
        sees(BACK, "Type yes")
        terminal.type("yes")
        sees(UNDONE, "[later]")
        terminal.type()
        terminal.menu("0")
    assert big.library.value(owned, big.alice) == 20
