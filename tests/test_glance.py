"""At a glance: verdict, warnings and keys stand together with the question, in 24 rows, whatever the library holds."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import transfer
from tests.sandbox import toy
from tests.terminal import QUESTION, Terminal, installation

pytestmark = [pytest.mark.screens, pytest.mark.long]

ROWS = 24


@contextmanager
def big(folder: Path) -> Iterator[Path]:
    """2,000 people are on Alice's photos, which are in 500 albums with public links; a quarter of them is Bob's."""
    with installation(folder) as made:
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
        yield made.path


@contextmanager
def family(folder: Path) -> Iterator[Path]:
    """The sandbox."""
    with toy("3.3", folder / "immich") as config:
        transfer.save_config(folder / "config.py", config)
        yield folder / "config.py"


def visible(terminal: Terminal, columns: int) -> str:
    """What stands in the window, in lines of its width."""
    rows = [
        line[start : start + columns]
        for line in terminal.said.split("\n")
        for start in range(0, max(len(line), 1), columns)
    ]
    return " ".join(" ".join(rows[-ROWS:]).split())


# What is typed one after another, `-` for Enter; what stands in the window with the question that it leads to.
KEYS, MADE = "yes does it · d details", "✓ Immich made a backup at"
UNDOABLE = "✓ All checks passed. It can be undone (9)"
TRANSFER = f"Stay Alice's: 7 / Bob does not see / A public link shows / {UNDOABLE} / {KEYS} / leave photos out"
FAMILY = (
    ("11 alice", "DELETING AN ACCOUNT / ✗ Not yet. Others would lose 8 things / ⚠ The API key / d details"),
    ("- 10", f"FILE ANALYSIS / ✓ 2 files to move / Of Bob / {MADE} / {KEYS} / Move 2 files / Type yes [menu]"),
    ("-", "MAIN MENU / Nothing was changed."),
    ("5 all", f"REPAIR ANALYSIS / ✓ 3 problems can be fixed / 4 faces / {UNDOABLE} / No changes were made / {KEYS}"),
    ("- - 6 4", f"REPAIR ANALYSIS / ✓ 3 problems can be fixed / 4 faces / {UNDOABLE} / {MADE} / {KEYS}"),
    ("yes", "REPAIR COMPLETED / Faces relinked (others go with their person): 2 / To finish: one of / [later]"),
    ("yes", "✓ Jobs finished. / You: The apps / Saved to: / d details"),
    ("- 3 alice summer bob - y", f"ALBUM TRANSFER ANALYSIS / ⚠ Alice → Bob / 25 / {TRANSFER} / No changes were made"),
    ("- - 4 alice summer bob - y", f"ALBUM TRANSFER ANALYSIS / ⚠ Alice → Bob / 25 / {TRANSFER} / {MADE} / Type yes"),
    ("yes", "TRANSFER COMPLETED / Assets transferred: 25 / To finish: move 79 files into Bob's folder / tell both"),
    ("yes", "Jobs finished. / were told. / You: / d details"),
    ("-", "MAIN MENU / 25 photos → Bob"),
    ("9 1", f"UNDO ANALYSIS / ✓ Can be taken back / Photos given back: 25 / You cannot undo an undo / {MADE} / {KEYS}"),
    ("yes", "UNDO COMPLETED / Photos given back: 25 / To finish: move 77 files into Alice's folder / tell both"),
    ("2,3", "✓ Jobs finished. / were told. / Do not delete Bob's account yet / d details"),
    ("- 10", f"FILE ANALYSIS / ✓ 77 files to move / Of Alice / {MADE} / {KEYS} / Type yes [menu]"),
    ("yes", "FILES MOVED / ✓ 77 files moved / Every file lies in its owner's folders."),
)
BIG = (
    ("11 bob", "DELETING AN ACCOUNT / ✗ Not yet. Others would lose 1 thing / 4, everything / d details"),
    ("-", "MAIN MENU / root@"),
    ("6 bob", f"REPAIR ANALYSIS / ✓ 1 problem can be fixed / another user's person / {UNDOABLE} / {MADE} / {KEYS}"),
    ("-", "MAIN MENU / Nothing was changed."),
    (
        "4 alice 1 bob -",
        f"ALBUM TRANSFER ANALYSIS / ⚠ Alice → Bob / 20 / detected: 2000 / ⚠ Bob does not see albums / "
        f"{UNDOABLE} / {MADE} / {KEYS} / leave photos out / Type yes [menu]",
    ),
    ("yes", "TRANSFER COMPLETED / Assets transferred: 20 / Persons transferred: 2000 / Type yes to do that now"),
    ("- - 9 1", f"UNDO ANALYSIS / ✓ Can be taken back / 20 photos / You cannot undo an undo / {MADE} / {KEYS}"),
    ("yes", "UNDO COMPLETED / Photos given back: 20 / To finish: three of Immich's jobs"),
    ("- -", "MAIN MENU / 20 photos back to Alice"),
)


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize(("library", "journey"), [(family, FAMILY), (big, BIG)], ids=["family", "big"])
def test_each_screen_is_seen_whole_with_its_question(
    library: Callable[[Path], AbstractContextManager[Path]], journey: tuple[tuple[str, str], ...], columns: int
) -> None:
    with (
        TemporaryDirectory() as folder,
        library(Path(folder)) as path,
        Terminal(path, size=(ROWS, columns)) as terminal,
    ):
        terminal.child.expect(QUESTION)
        for typed, words in journey:
            for answer in typed.split():
                terminal.type(answer.replace("-", ""))
                terminal.child.expect(QUESTION)
            shown = visible(terminal, columns)
            assert [word for word in words.split(" / ") if word not in shown] == [], (
                f"{typed}:\n{terminal.said[-4000:]}"
            )
