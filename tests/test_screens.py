"""What is shown: boxes to the column, lists, colours, and what is left of it where a terminal can do less."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

import transfer
from tests.library import Library
from tests.terminal import PROGRAM, Installation, Terminal, environment, installation, lines, piped

pytestmark = pytest.mark.screens

BANNER = """\
╔══════════════════════════════════════════════════════════╗
║                   IMMICH TRANSFER TOOL                   ║
║          Transfer photos between users safely            ║
╚══════════════════════════════════════════════════════════╝
"""
MENU = """\
┌─────────────────────────────────────┐
│             MAIN MENU               │
├─────────────────────────────────────┤
│  1.  List users                     │
│  2.  List albums                    │
│  3.  Transfer album (dry run)       │
│  4.  Transfer album (EXECUTE)       │
├─────────────────────────────────────┤
│  5.  Repair faces & more (dry run)  │
│  6.  Repair faces & more (EXECUTE)  │
├─────────────────────────────────────┤
│  7.  Reconfigure                    │
│  8.  Clear config                   │
"""
MENU_END = """\
│  0.  Exit                           │
└─────────────────────────────────────┘
"""
ANALYSIS = """\
┌────────────────────────────────────────────────────┐
│              ALBUM TRANSFER ANALYSIS               │
└────────────────────────────────────────────────────┘
  ⚠ Alice → Bob, album “Trip”, 2024-05-17

  Assets to transfer: 4         4 of the album's 4
  Persons detected: 3

  Person analysis:
    → John Doe (3 faces) [TRANSFER]
    → Jane Smith (1 in album, 2 outside) [DUPLICATE]
    → Unknown (2 faces) [TRANSFER]
"""
COMPLETED = """\
┌────────────────────────────────────────────────────┐
│              TRANSFER COMPLETED                    │
└────────────────────────────────────────────────────┘
  Summary:
    • Assets transferred:  4
    • Persons transferred: 2
    • Persons duplicated:  1
"""


def fill(library: Library, alice: str) -> str:
    """Alice's album "Trip" with three people; the album's id."""
    photos = [library.asset(alice, f"IMG_{number}.jpg") for number in range(4)]
    outside = [library.asset(alice, f"home{number}.jpg") for number in range(2)]
    john, jane, unknown = (library.person(alice, name) for name in ("John Doe", "Jane Smith", ""))
    for photo in photos[:3]:
        library.face(photo, john)
    for photo in (photos[0], *outside):
        library.face(photo, jane)
    for photo in photos[2:]:
        library.face(photo, unknown)
    library.settle_usage()
    return library.album(alice, "Trip", photos)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Nothing here is changed by a test."""
    with installation(tmp_path_factory.mktemp("screens")) as made:
        fill(made.library, made.alice)
        made.save()
        yield made


def listed(there: Installation, entry: str = "1") -> str:
    """The screen of a menu entry, without its heading."""
    result = piped(there.path, f"{entry}\n0\n")
    assert (result.returncode, result.stderr) == (0, b"")
    return result.stdout.decode().split("Select option: ")[1]


def line_with(screen: str, text: str) -> str:
    found = [line.strip() for line in screen.splitlines() if text in line]
    assert len(found) == 1, screen
    return found[0]


# Boxes


def test_the_banner_comes_first(shared: Installation) -> None:
    assert piped(shared.path, "0\n").stdout.decode().lstrip("\n").startswith(BANNER)


def test_the_menu(shared: Installation) -> None:
    """Later entries stand in blocks of their own before 0."""
    menu = piped(shared.path, "0\n").stdout.decode().split("Select option")[0]
    assert MENU in menu
    assert MENU_END in menu
    between = menu.split(MENU)[1].split(MENU_END)[0]
    for line in between.splitlines():
        assert re.fullmatch(r"├─{37}┤|│  \d+\. {1,2}.*│", line), line
        assert len(line) == 39


def test_every_box_is_closed(shared: Installation) -> None:
    """Each line of a box ends in the same column."""
    screen = piped(shared.path, "1\n2\n0\n").stdout.decode()
    boxes = [line for line in screen.splitlines() if line[:1] in "╔║╚┌│├└" and line]
    for line in boxes:
        assert line[-1] in "╗║╝┐│┤┘", line
        assert len(line) in (39, 54, 60), line
    assert len(boxes) > 25


def test_the_first_start(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("first") / "config.py"
    with Terminal(path) as terminal:
        screen = terminal.answer("(y/n) [n]: ", "n")
        where = f"⚠ Configuration not found or incomplete: {path}."  # a path that was asked for
        assert " ".join(screen.split()) == " ".join(f"{BANNER} {where} Run setup now? (y/n) [n]:".split())
        code, rest = terminal.end()
    assert code == 0
    assert len(lines(rest)) <= 3
    assert not path.exists()


def test_analysis_and_summary(there: Installation) -> None:
    fill(there.library, there.alice)
    with Terminal(there.path) as terminal:
        for entry in ("3", "4"):
            terminal.choose(entry, "Trip (4 items)")
            question, screen = terminal.question()
            if question.startswith("Number (1-4"):
                terminal.type()
                question, screen = terminal.question()
            assert ANALYSIS in screen
            if entry == "3":
                assert "No changes were made" in screen
                terminal.type()
        assert "Type yes" in question
        terminal.type("yes")
        assert COMPLETED in terminal.until("[later]: ")


def test_every_line_reads_what_a_report_has() -> None:
    """And what a report has is told somewhere, or read by name."""
    source = PROGRAM.read_text(encoding="utf-8")
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    given = {word.arg for call in calls if getattr(call.func, "attr", "") == "plus" for word in call.keywords}
    read = {what for _telling, what, _words in transfer.LINES}
    own = {what for what in read if what.startswith(("stays", "lost_"))} | {
        *("assets", "along", "faces", "libraries", "TRANSFER", "DUPLICATE", "MERGE"),
    }
    assert read - own <= given
    assert {what for what in given - read if f'("{what}")' not in source and f'"{what}",' not in source} <= {
        "tags_made",
    }
    for telling, _what, _words in transfer.LINES:
        assert {*telling.split(",")} <= transfer.TELLINGS.keys()


# Users


def test_users_with_figures(there: Installation) -> None:
    gib = 1024**3
    there.library.user("Quota", quota=5 * gib)
    there.library.user("Alice", email="other@example.com")
    there.library.asset(there.alice, "big.jpg", size=gib)
    there.library.asset(there.alice, "clip.MOV", visibility="hidden", size=1)
    there.library.asset(there.alice, "gone.jpg", trashed=True, size=1)
    there.library.settle_usage()
    screen = listed(there)
    assert line_with(screen, "alice@") == "Alice <alice@example.com>: 1 photo, 1.0 GiB, no quota"
    assert line_with(screen, "quota@") == "Quota <quota@example.com>: 0 photos, 0 B, quota 5.0 GiB"
    assert line_with(screen, "other@") == "Alice <other@example.com>: 0 photos, 0 B, no quota"
    assert "files of other users" not in screen


ODD_NAME = "Eve\x1b[31m\x07\r\n\tx\u202etxt.exe\x9b2J\u2066"


def test_control_characters_are_taken_out_of_names(there: Installation) -> None:
    eve = there.library.user(ODD_NAME, email="e\x1bve@example.com")
    photo = there.library.asset(eve, ODD_NAME)
    there.library.face(photo, there.library.person(eve, ODD_NAME))
    there.library.album(eve, ODD_NAME, [photo], members={there.bob: "viewer"})
    bobs = there.library.asset(there.bob)
    there.library.face(bobs, there.library.person(there.bob, ODD_NAME))
    with Terminal(there.path, NO_COLOR="1") as terminal:
        users = terminal.menu("1") + terminal.menu("2") + terminal.menu("3")
        terminal.pick("Source user", "eve@example.com")
        terminal.pick("Albums of", "(1 item)")
        terminal.pick("Destination user", "bob@example.com")
        while "Select option" not in (asked := terminal.question()[0]):
            terminal.type("n" if "y/n" in asked or "y merges" in asked else "")
        raw = terminal.raw
    assert "Eve[31m xtxt.exe2J <eve@example.com>" in users
    assert "Eve[31m xtxt.exe2J (1 face)" in raw
    progress = raw.replace("\r\x1b[K", "")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", progress)
    assert "\r" not in progress.replace("\r\n", "")


def test_a_user_marked_for_deletion_is_listed_as_such_and_cannot_be_chosen(there: Installation) -> None:
    there.library.user("Gone", deleted=True)
    assert "Gone <gone@example.com>: 0 photos, 0 B, no quota  [marked for deletion]" in listed(there)
    with Terminal(there.path) as terminal:
        terminal.menu("3")
        screen = " ".join(terminal.until("[back]: ").split())
        assert "Not listed: Gone <gone@example.com>, who is marked for deletion." in screen
        assert ". Gone" not in screen


MOVE = 'update asset set "ownerId" = %s where id = %s'


def test_files_of_others_are_counted(there: Installation) -> None:
    """As after a transfer by hand: the files lie where they were."""
    photo = there.library.asset(there.alice, "a.jpg", sidecar=True)
    there.library.rows(MOVE, there.bob, photo)
    screen = listed(there)
    assert "4 files of other users lie in the folders of Alice <alice@example.com>" in " ".join(screen.split())
    assert "do not delete this account" in " ".join(screen.split())
    assert "folders of Bob" not in screen


def test_a_deleted_user_with_files_of_others_is_listed(there: Installation) -> None:
    """Immich is about to delete those files."""
    photo = there.library.asset(there.alice)
    there.library.rows(MOVE, there.bob, photo)
    there.library.rows("""update "user" set "deletedAt" = now(), status = 'deleted' where id = %s""", there.alice)
    screen = " ".join(listed(there).split())
    assert "Alice <alice@example.com>: 0 photos, 0 B, no quota [marked for deletion]" in screen
    assert "3 files of other users" in screen
    assert "restore it" in screen


# Albums


def test_albums_of_everybody(there: Installation) -> None:
    library = there.library
    assert "There are no albums." in listed(there, "2")
    photos = [library.asset(there.alice), library.asset(there.alice), library.asset(there.bob)]
    gone = library.asset(there.alice, trashed=True)
    library.album(there.alice, "Trip", [*photos, gone], members={there.bob: "editor", there.root: "viewer"})
    library.album(there.alice, "alone", [photos[0]])
    library.album(there.bob, "Empty")
    library.album(there.bob, "In the bin", deleted=True)
    screen = listed(there, "2")
    assert [line for line in lines(screen.split("ALBUMS")[1]) if "<" in line or ": " in line][:5] == [
        "Alice <alice@example.com>",
        "alone: 1 item",
        "Trip: 3 items, shared with bob@example.com, root@example.com",
        "Bob <bob@example.com>",
        "Empty: 0 items",
    ]
    assert "In the bin" not in screen


def test_albums_of_two_users_of_one_name_stay_apart(there: Installation) -> None:
    other = there.library.user("Alice", email="other@example.com")
    for owner, name in ((there.alice, "a1"), (other, "b1"), (there.alice, "a2"), (other, "b2")):
        there.library.album(owner, name)
    screen = listed(there, "2")
    blocks = {block.split(">")[0]: block for block in screen.split("Alice <")[1:]}
    assert "a1" in blocks["alice@example.com"] and "a2" in blocks["alice@example.com"]
    assert "b1" in blocks["other@example.com"] and "b2" in blocks["other@example.com"]


# Colours, pipes, poor terminals


@pytest.mark.parametrize("changed", [{}, {"NO_COLOR": "1"}])
def test_colour_on_a_terminal_unless_it_is_unwanted(shared: Installation, changed: dict[str, str]) -> None:
    with Terminal(shared.path, **changed) as terminal:
        terminal.menu("1")
        terminal.menu("0")
        assert bool(re.search(r"\x1b\[[0-9;]+m", terminal.raw)) is not bool(changed)


def test_a_pipe_gets_plain_text(shared: Installation) -> None:
    """Neither colours nor a line that is written over, even while there is something to wait for."""
    typed = "3\n{}\n1\n{}\n"
    users = listed(shared)
    assert "Alice" in users
    everybody = ["alice@example.com", "bob@example.com", "root@example.com"]
    alice, bob = everybody.index("alice@example.com") + 1, 1
    result = piped(shared.path, typed.format(alice, bob) + "\n0\n0\n")
    assert result.returncode == 0
    assert ANALYSIS in result.stdout.decode()
    assert b"\x1b" not in result.stdout
    assert b"\r" not in result.stdout
    assert result.stderr == b""


@pytest.mark.cases
@pytest.mark.parametrize(
    "changed",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "cp437"},
        {"LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0"},
    ],
    ids=str,
)
def test_output_survives_a_poor_terminal(there: Installation, changed: dict[str, str]) -> None:
    there.library.user("Zoë 👩‍👧 ☃", email="zoë@example.com")
    fill(there.library, there.alice)
    result = piped(there.path, "1\n2\n3\n1\n1\n1\n\n0\n0\n", **changed)
    assert result.returncode == 0, result.stderr.decode(errors="replace")
    assert result.stderr == b""
    if changed.get("PYTHONIOENCODING") == "ascii":
        text = result.stdout.decode("ascii")
        assert f"+{'=' * 58}+\n|{' ' * 19}IMMICH TRANSFER TOOL{' ' * 19}|" in text
        assert "|             MAIN MENU               |" in text
        assert "> John Doe (3 faces) [TRANSFER]" in text
        widths = {len(line) for line in text.splitlines() if re.match(r"[+|].*[+|]$", line)}
        assert widths <= {39, 54, 60}


def test_the_prompts_of_a_poor_terminal(shared: Installation) -> None:
    """A terminal, with Ctrl-C and all, that has no box characters."""
    with Terminal(shared.path, PYTHONIOENCODING="ascii") as terminal:
        terminal.menu("3")
        terminal.answer("[back]: ", "é")
        assert "Traceback" not in terminal.said
        terminal.until("Select option: ")


def test_a_reader_that_goes_away(shared: Installation) -> None:
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), "--config", str(shared.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment({}),
    )
    process.stdout.close()
    _, errors = process.communicate(b"1\n2\n0\n", timeout=90)
    assert b"Traceback" not in errors
    assert process.returncode not in (0, None)


# The command line


def test_help(shared: Installation) -> None:
    result = piped(shared.path, "", "--help")
    text = result.stdout.decode()
    assert result.returncode == 0
    assert text.startswith("usage: transfer.py ")
    for told in ("--config PATH", "--help", str(transfer.DEFAULT_CONFIG), "tests.sandbox", "130", "NO_COLOR", "PAGER"):
        assert told in text


def test_version(shared: Installation) -> None:
    result = piped(shared.path, "", "--version")
    assert (result.returncode, result.stdout.decode()) == (0, f"transfer.py {transfer.__version__}\n")


def test_an_unknown_option(shared: Installation) -> None:
    result = piped(shared.path, "", "--delete-everything")
    assert result.returncode == 2
    assert b"usage:" in result.stderr
    assert result.stdout == b""


def test_the_configuration_beside_the_program_is_the_default() -> None:
    assert PROGRAM.parent / "config.py" == transfer.DEFAULT_CONFIG


def test_another_configuration(shared: Installation, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("with blank") / "my config.txt"
    transfer.save_config(path, shared.config)
    assert "Immich 2.7.5" in piped(path, "0\n").stdout.decode()


@pytest.mark.parametrize("content", ["API_KEY = 'x", "import os\n", ""], ids=["broken", "code", "empty"])
def test_a_broken_configuration_is_named_and_kept(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    path = tmp_path_factory.mktemp("broken") / "config.py"
    path.write_text(content)
    result = piped(path, "n\n")
    text = " ".join(result.stdout.decode().split())
    assert result.returncode == 0
    assert result.stderr == b""
    assert "config.py" in text
    assert "Configuration not found or incomplete." in text
    assert path.read_text() == content


def test_a_directory_as_configuration(tmp_path_factory: pytest.TempPathFactory) -> None:
    result = piped(tmp_path_factory.mktemp("directory"), "n\n")
    assert result.returncode == 0
    assert b"Traceback" not in result.stderr + result.stdout
