"""How it ends: by a signal, by a stream that is closed or full, by a `yes` that nobody meant; and its exit code."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import transfer
from tests.terminal import PATIENCE, PROGRAM, Installation, Terminal, environment, installation, piped

pytestmark = [pytest.mark.screens, pytest.mark.long]

FOR_EVER = "-c lock_timeout=900s"  # so that only a signal can have ended what waits for a row
UP_TO_YES = "1\n1\n1\n\n"  # Alice, her one album, Bob, and the album stays
CODES = {"SIGTERM": 143, "SIGHUP": 129, "SIGQUIT": 131}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("endings")) as made:
        made.library.album(made.alice, "Trip", [made.library.asset(made.alice, "lake.jpg")])
        made.library.settle_usage()
        yield made


@pytest.fixture
def unchanged(shared: Installation) -> Iterator[Installation]:
    """The shared Immich; its database may not have changed afterwards, and no undo file may be there."""
    shared.save()
    before = shared.library.snapshot()
    yield shared
    shared.immich.forget()
    assert shared.library.snapshot() == before
    assert shared.wait_for_no_session() == []
    assert undo_files(shared) == []


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Installation]:
    with installation(tmp_path) as made:
        made.library.album(made.alice, "Trip", [made.library.asset(made.alice, "lake.jpg")])
        made.library.settle_usage()
        made.save()
        yield made


def undo_files(there: Installation) -> list[str]:
    return sorted(path.name for path in there.path.parent.glob("transfers/*.gz"))


def to_the_last_question(terminal: Terminal) -> None:
    terminal.menu("4")
    for answer in UP_TO_YES.splitlines():
        terminal.question()
        terminal.type(answer)
    terminal.until("Type yes [menu]: ")


def owner(there: Installation) -> str:
    return there.library.value("""select "ownerId" from asset where "originalFileName" = 'lake.jpg'""")


# A yes that nobody meant


def test_what_was_pasted_does_not_answer_the_last_question(unchanged: Installation) -> None:
    with Terminal(unchanged.path) as terminal:
        terminal.until("Select option: ")
        terminal.child.send("4\n" + UP_TO_YES + "yes\n")
        terminal.answer("Type yes [menu]: ", "no")
        assert "Nothing was changed." in terminal.menu("0")
        assert terminal.end()[0] == 0


@pytest.mark.parametrize("entry", ["4", "6"])
def test_answers_from_a_pipe_change_nothing(unchanged: Installation, entry: str) -> None:
    """And it says so before it asks for anything."""
    result = piped(unchanged.path, f"{entry}\n0\n")
    said = " ".join(result.stdout.decode().split())
    assert "come from a pipe or a file" in said
    assert "Source user" not in said and "Whose photos should be repaired?" not in said
    assert result.returncode == 1


def test_answers_from_a_pipe_that_are_meant(there: Installation) -> None:
    result = piped(there.path, f"4\n{UP_TO_YES}yes\n", **{transfer.ANSWERS_FROM_PIPE: "yes"})
    assert "TRANSFER COMPLETED" in result.stdout.decode()
    assert owner(there) == there.bob


def test_a_folder_for_undo_files_that_cannot_be_written(there: Installation) -> None:
    """It is said before anything is asked. A file has its name: not even root can write into that."""
    there.path.with_name("transfers").write_text("in the way")
    with Terminal(there.path) as terminal:
        for entry in ("4", "6", "9"):
            terminal.menu(entry)
            question, screen = terminal.question()
            assert "Select option" in question, screen
            assert "No undo file could be written" in screen
            terminal.type()
        terminal.menu("0")
        assert terminal.end()[0] == 1
    assert there.path.with_name("transfers").read_text() == "in the way"


# Signals


@pytest.mark.parametrize("name", CODES)
def test_a_signal_rolls_back_and_says_so(unchanged: Installation, name: str) -> None:
    unchanged.save(database={**unchanged.params, "options": FOR_EVER})
    with Terminal(unchanged.path) as terminal:
        to_the_last_question(terminal)
        with unchanged.locked():
            terminal.type("yes")
            assert unchanged.wait_for_lock_wait()
            os.kill(terminal.child.pid, getattr(signal, name))
            code, rest = terminal.end()
            assert unchanged.wait_for_no_session() == []
    assert code == CODES[name], rest
    assert f"Ended by {name}. Nothing further was changed." in rest
    assert "Traceback" not in rest


@pytest.mark.parametrize("name", [*CODES, "Ctrl-\\"])
def test_a_signal_at_a_secret_gives_the_terminal_its_echo_back(unchanged: Installation, name: str) -> None:
    with Terminal(unchanged.path) as terminal:
        terminal.menu("7")
        terminal.answer("Path of Immich's .env file")
        terminal.answer("Immich address")
        terminal.until("API key (not shown): ")
        assert terminal.child.waitnoecho(PATIENCE)
        if name in CODES:
            os.kill(terminal.child.pid, getattr(signal, name))
        else:
            terminal.child.sendcontrol("\\")
        terminal.until("Nothing further was changed.")
        assert terminal.child.getecho()
        assert terminal.end()[0] == CODES.get(name, CODES["SIGQUIT"])


def test_a_signal_while_it_asks_immich(unchanged: Installation) -> None:
    with Terminal(unchanged.path) as terminal:
        terminal.until("Select option: ")
        unchanged.immich.delay(900)
        terminal.type("1")
        terminal.until("1")  # the echo
        os.kill(terminal.child.pid, signal.SIGTERM)
        assert terminal.end()[0] == CODES["SIGTERM"]
        unchanged.immich.forget()


def test_a_signal_that_is_ignored_stays_so(unchanged: Installation) -> None:
    """As nohup does it."""
    command = f'trap "" HUP; exec {sys.executable} {PROGRAM} --config {unchanged.path}'
    process = subprocess.Popen(
        ["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment({}), text=True
    )
    while "Select option" not in (line := process.stdout.readline()) and "MAIN MENU" not in line:
        assert process.poll() is None
    process.send_signal(signal.SIGHUP)
    process.communicate("0\n", timeout=PATIENCE)
    assert process.returncode == 0


@pytest.mark.parametrize("name", CODES)
def test_a_signal_during_commit_waits_for_its_answer(
    there: Installation, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What is committed is said to be, and its undo file has the name that says so."""
    number, commit = getattr(signal, name), transfer.commit
    monkeypatch.setattr(transfer, "TERMINAL", transfer.Terminal())
    before = signal.signal(number, transfer.end_by_signal)

    def committing(*arguments: object) -> None:
        os.kill(os.getpid(), number)
        commit(*arguments)

    monkeypatch.setattr(transfer, "commit", committing)
    folder = there.path.parent / "transfers"
    album = there.library.value("select id from album")
    try:
        done = transfer.transfer(
            there.params,
            transfer.Request(there.alice, there.bob, album),
            transfer.How(dry_run=False, undo_folder=folder),
        )
    finally:
        signal.signal(number, before)
    assert (done.assets, transfer.TERMINAL.ended) == (1, number)
    with pytest.raises(transfer.Ended):  # the result is shown, and nothing asked
        transfer.ask("Another one? ")
    assert owner(there) == there.bob
    [file] = undo_files(there)
    assert file.endswith(transfer.COMMITTED) and not file.endswith(transfer.PENDING)


# Exit codes


@pytest.mark.parametrize(
    ("typed", "code"), [("0", 0), ("1\n0", 0), ("4\n0", 1), ("4\n1\n0", 0), ("4\nnonsense\n0", 1), ("4", 1), ("1", 0)]
)
def test_the_exit_code_is_of_the_last_thing_asked_for(unchanged: Installation, typed: str, code: int) -> None:
    """Menu entry 4 is refused here: nobody sits before a pipe."""
    assert piped(unchanged.path, typed + "\n").returncode == code


def test_an_immich_that_is_not_reached_is_a_failure(unchanged: Installation) -> None:
    unchanged.save(api_url="http://127.0.0.1:1")
    assert piped(unchanged.path, "0\n").returncode == 1
    assert piped(unchanged.path, "1\n").returncode == 1


# Streams


@pytest.mark.parametrize(
    ("redirection", "code", "said", "complained"),
    [
        ("<&-", 1, "", "its streams must not be closed"),
        ("0>/dev/null", 0, "End of input.", ""),
        ("2>&-", 1, "", ""),
        ("2>/dev/full", 0, "Bye.", ""),
        (">&-", 1, "", "its streams must not be closed"),
        (">/dev/full", 1, "", "The output could not be written (No space left on device)."),
        (">&- 2>&-", 1, "", ""),
        ("<&- >/dev/full 2>&-", 1, "", ""),
    ],
)
def test_streams_that_are_closed_or_full(
    unchanged: Installation, redirection: str, code: int, said: str, complained: str
) -> None:
    result = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} {PROGRAM} --config {unchanged.path} {redirection}"],
        input=b"1\n0\n",
        capture_output=True,
        env=environment({}),
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode == code
    assert said in result.stdout.decode()
    assert complained in result.stderr.decode()
    assert bool(complained) == bool(result.stderr)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_that_cannot_be_written_is_a_failure(option: str, unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        command, changed = [sys.executable, str(PROGRAM), option], {"PYTHONUNBUFFERED": unbuffered}
        assert subprocess.run(command, stdout=full, env=environment(changed), check=False).returncode == 1


def test_a_reader_that_goes_before_the_commit(unchanged: Installation) -> None:
    """Whoever cannot see what is done does not get it done."""
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), "--config", str(unchanged.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment({transfer.ANSWERS_FROM_PIPE: "yes"}),
    )
    process.stdin.write(f"4\n{UP_TO_YES}".encode())
    process.stdin.flush()
    shown = b""
    while not shown.endswith(b"Type yes [menu]: "):
        shown += process.stdout.read1()
        assert process.poll() is None
    process.stdout.close()
    _, complained = process.communicate(b"yes\n", timeout=PATIENCE)
    assert process.returncode == 1
    assert complained.decode().strip() == "The output could not be written (Broken pipe)."


def test_a_reader_that_goes_after_the_commit(there: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result cannot be shown any more; the truth is in the file, and on standard error."""
    answers = iter([*UP_TO_YES.splitlines(), "yes"])
    monkeypatch.setattr("builtins.input", lambda: next(answers))
    monkeypatch.setenv(transfer.ANSWERS_FROM_PIPE, "yes")
    say = transfer.say

    def gone(text: str = "", **how: int) -> None:
        if undo_files(there) and there.library.value('select count(*) from asset where "ownerId" = %s', there.bob):
            raise transfer.OutputLost("Broken pipe")
        say(text, **how)

    monkeypatch.setattr(transfer, "say", gone)
    api = transfer.open_api(there.immich.url, there.key)
    state = transfer.State(there.path, there.config, transfer.check_server(api, there.params))
    with pytest.raises(transfer.OutputLost, match=transfer.IS_MADE):
        transfer.transfer_screen(state, execute=True)
    [past] = transfer.list_past(there.params, there.path.parent / "transfers")
    assert past.state == "committed"


# Numbers


@pytest.mark.parametrize("digits", [10, 4300, 4301, 100_000])
def test_numbers_that_python_does_not_read(unchanged: Installation, digits: int) -> None:
    number = "9" * digits
    result = piped(unchanged.path, f"{number}\n3\n{number}\n{'0' * digits}1\n{number}\n0\n0\n")
    said = result.stdout.decode()
    assert "Please give one of the numbers of the menu." in said
    assert said.count("fits no line of 1-") == 2
    assert result.stderr == b""
    assert result.returncode == 0
