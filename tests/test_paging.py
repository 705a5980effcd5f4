"""Results longer than the window, in the person's pager; windows of all widths; the text that is kept."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import transfer
from tests.terminal import EXACTLY, Installation, Terminal, installation, plain

pytestmark = [pytest.mark.screens, pytest.mark.long]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Alice's "Trip" with people of long names."""
    with installation(tmp_path_factory.mktemp("paging")) as made:
        photo = made.library.asset(made.alice, "lake.jpg")
        for number in range(15):
            made.library.face(photo, made.library.person(made.alice, f"Person {number:02} with a name"))
        made.library.album(made.alice, "Trip", [photo])
        made.library.settle_usage()
        made.save()
        yield made


def everybody(screen: str) -> list[str]:
    return re.findall(r"Person \d\d with a name", screen)


def everything(terminal: Terminal) -> None:
    """Up to the question after a dry run of Alice's "Trip", and `d` typed there."""
    terminal.choose("3")
    terminal.answer("Number (1-4", "")
    terminal.answer(EXACTLY, "d")


@pytest.mark.parametrize("pager", ["", "/nonexistent/pager", "false", "'", "sh -c 'exit 3'"])
def test_without_a_pager_it_is_all_shown(shared: Installation, pager: str) -> None:
    with Terminal(shared.path, size=(24, 80), PAGER=pager) as terminal:
        everything(terminal)
        assert len(set(everybody(terminal.until(EXACTLY)))) == 15
        assert "Traceback" not in terminal.said


def test_a_pager_gets_all_of_it(shared: Installation, tmp_path: Path) -> None:
    got = tmp_path / "got"
    with Terminal(shared.path, size=(24, 80), PAGER=f"tee {got}") as terminal:
        everything(terminal)
        terminal.until(EXACTLY)
    assert len(everybody(plain(got.read_text()))) == 15


def test_ctrl_c_in_a_pager_changes_nothing(shared: Installation) -> None:
    with Terminal(shared.path, size=(24, 80), PAGER="sh -c 'stty -echo; cat; echo there; sleep 900'") as terminal:
        everything(terminal)
        terminal.until("there")
        terminal.interrupt()
        terminal.menu("0")
        assert terminal.child.getecho()
        assert terminal.end()[0] == 0


def test_the_text_of_a_dry_run_is_kept(shared: Installation) -> None:
    with Terminal(shared.path) as terminal:
        terminal.choose("3")
        terminal.answer("Number (1-4", "")
        terminal.answer(EXACTLY, "no")
        screen = terminal.menu("0")
    path = Path("".join(re.findall(r"Saved to:\s+(\S+)", screen)))
    assert re.fullmatch(r"[\d-]+_\d{6}_dry-run_transfer_alice@example.com_bob@example.com(_2)?\.txt", path.name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "ALBUM TRANSFER ANALYSIS" in text and len(everybody(text)) == 15 and "\x1b" not in text
    assert transfer.list_past(shared.params, path.parent) == ()


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_line_is_wider_than_the_window(shared: Installation, columns: int) -> None:
    """But for a word that is wider itself; and no word is broken."""
    with Terminal(shared.path, size=(400, columns)) as terminal:
        terminal.menu("1")
        terminal.menu("2")
        for entry, answers in (("3", ("alice@", "Trip", "bob@", "", "")), ("11", ("alice@",))):
            terminal.menu(entry)
            for answer in answers:
                terminal.question()
                terminal.type(answer)
        terminal.menu("0")
        said = terminal.said
    for line in said.splitlines():
        assert len(line) <= columns or " " not in line.strip(), line
    assert "Transfer photos between users safely" in " ".join(said.split())
