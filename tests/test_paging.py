"""Results longer than the window, in the person's pager; windows of all widths; the text that is kept."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import transfer
from tests.terminal import EXACTLY, PAUSE, Installation, Terminal, installation, plain

pytestmark = [pytest.mark.screens, pytest.mark.long]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """40 users, and Alice's "Trip" with people of long names."""
    with installation(tmp_path_factory.mktemp("paging")) as made:
        for number in range(40):
            made.library.user(f"User {number:02}")
        photo = made.library.asset(made.alice, "lake.jpg")
        for number in range(15):
            made.library.face(photo, made.library.person(made.alice, f"Person {number:02} with a name"))
        made.library.album(made.alice, "Trip", [photo])
        made.library.settle_usage()
        made.save()
        yield made


def everybody(screen: str) -> list[str]:
    return re.findall(r"User \d\d <", screen)


@pytest.mark.parametrize("pager", ["", "/nonexistent/pager", "false", "'", "sh -c 'exit 3'"])
def test_without_a_pager_it_is_all_shown(shared: Installation, pager: str) -> None:
    with Terminal(shared.path, size=(24, 80), PAGER=pager) as terminal:
        terminal.menu("1")
        assert len(set(everybody(terminal.until(PAUSE)))) == 40
        assert "Traceback" not in terminal.said


def test_a_pager_gets_all_of_it(shared: Installation, tmp_path: Path) -> None:
    got = tmp_path / "got"
    with Terminal(shared.path, size=(24, 80), PAGER=f"tee {got}") as terminal:
        terminal.menu("1")
        terminal.until(PAUSE)
    assert len(everybody(plain(got.read_text()))) == 40


def test_ctrl_c_in_a_pager_goes_back_to_the_menu(shared: Installation) -> None:
    with Terminal(shared.path, size=(24, 80), PAGER="sh -c 'stty -echo; cat; echo there; sleep 900'") as terminal:
        terminal.menu("1")
        terminal.until("there")
        terminal.interrupt()
        terminal.until("Stopped. Nothing was changed.")
        terminal.menu("0")
        assert terminal.child.getecho()
        assert terminal.end()[0] == 0


def test_the_text_of_a_dry_run_is_kept(shared: Installation) -> None:
    with Terminal(shared.path) as terminal:
        terminal.choose("3")
        terminal.answer("Number (1-4", "")
        screen = terminal.answer(EXACTLY, "no")
    path = Path("".join(re.findall(r"Saved to:\s+(\S+)", screen)))
    assert re.fullmatch(r"[\d-]+_\d{6}_dry-run_transfer_alice@example.com_bob@example.com\.txt", path.name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "ALBUM TRANSFER ANALYSIS" in text and "No changes were made." in text and "\x1b" not in text
    assert transfer.list_past(shared.params, path.parent) == ()


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_line_is_wider_than_the_window(shared: Installation, columns: int) -> None:
    """But for a word that is wider itself; and no word is broken."""
    with Terminal(shared.path, size=(400, columns)) as terminal:
        terminal.menu("1")
        terminal.menu("2")
        for entry in ("3", "11"):
            terminal.menu(entry)
            for wanted in ("alice@", "Trip", "bob@") if entry == "3" else ("alice@",):
                screen = terminal.until("menu): ")
                number = re.findall(rf"^ +(\d+)\. [^\n]*{wanted}", plain(screen), re.M | re.S)[-1]
                terminal.type(number)
            if entry == "3":
                terminal.until("Enter for")
                terminal.type("1")
        terminal.menu("0")
        said = terminal.said
    for line in said.splitlines():
        assert len(line) <= columns or " " not in line.strip(), line
    assert "Transfer photos between users safely" in " ".join(said.split())
