"""Drives transfer.py as a person would: in a pseudo-terminal, waiting for a prompt, reading the screen, typing.

`installation()` is an Immich to point it at, `Terminal` the person's terminal, `piped()` a shell script's way.
"""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pexpect

import transfer
from tests import postgres
from tests.immich import Immich
from tests.library import Library
from tests.pool import POOL

VERSION = "2.7"
PATIENCE = 90.0  # seconds that a busy machine may take for anything; what is waited for comes at once on an idle one
PROGRAM = Path(transfer.__file__).resolve()
SESSION = "transfer.py"  # the tool's application_name

# What would make the screens depend on who runs the tests.
UNWANTED = {
    "NO_COLOR",
    "PAGER",
    "LESS",
    "COLUMNS",
    "LINES",
    "LANG",
    "LANGUAGE",
    "PYTHONIOENCODING",
    "PYTHONUTF8",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
}


# The end of every question: nothing follows until somebody answers.
QUESTION = re.compile(r"(?:\)|\]|option|menu|file): \Z")
MENU, PAUSE, CHOOSE = "Select option: ", "Enter for the menu: ", "[back]: "
EXACTLY, LATER = "Do exactly this now? (type yes) [menu]: ", "[later]: "
# What is asked on the way there.
PASSED = dict.fromkeys((MENU, "MAIN MENU"), (PAUSE, EXACTLY, LATER))


@dataclass(frozen=True)
class Installation:
    """A running Immich: its database, its REST API, three users, an administrator's key, and a config.py for it."""

    immich: Immich
    library: Library
    params: dict[str, Any]
    root: str
    alice: str
    bob: str
    key: str
    path: Path

    @property
    def config(self) -> transfer.Config:
        """The settings that fit."""
        return transfer.Config(self.immich.url, self.key, self.params)

    def save(self, **changed: Any) -> transfer.Config:
        """Write config.py, with these settings changed."""
        config = replace(self.config, **changed)
        transfer.save_config(self.path, config)
        return config

    def sessions(self) -> list[tuple[str, str]]:
        """The tool's sessions in the database: (state, what it waits for)."""
        return self.library.rows(
            """
            select coalesce(state, ''), coalesce(wait_event_type, '') from pg_stat_activity
            where application_name = %s and datname = current_database()
            """,
            SESSION,
        )

    def wait_for_no_session(self, seconds: float = PATIENCE) -> list[tuple[str, str]]:
        """The tool's sessions once there are none; a server takes a moment to end one that was closed."""
        return self._wait(lambda found: not found, seconds)

    def wait_for_lock_wait(self, seconds: float = PATIENCE) -> list[tuple[str, str]]:
        """The tool's sessions once one of them waits for a lock."""
        return self._wait(lambda found: any(event == "Lock" for _state, event in found), seconds)

    def _wait(self, enough: Any, seconds: float) -> list[tuple[str, str]]:
        end = time.monotonic() + seconds
        while not enough(found := self.sessions()) and time.monotonic() < end:
            time.sleep(0.01)
        return found

    @contextmanager
    def locked(self, table: str = "asset") -> Iterator[None]:
        """Another program's transaction that holds every row of a table."""
        other = postgres.server().connect(self.params["dbname"])
        try:
            other.autocommit = False
            with other.cursor() as cursor:
                cursor.execute(f'select 1 from "{table}" for update')
            yield
        finally:
            other.close()


@contextmanager
def installation(directory: Path, **options: Any) -> Iterator[Installation]:
    """An Immich with Root (administrator), Alice and Bob; config.py is not written yet. Options go to the stand-in."""
    with POOL.library(VERSION) as library:
        params = postgres.server().params(library.connection.info.dbname)
        with Immich(params, VERSION, **options) as immich:
            root = library.user("Root", admin=True)
            alice, bob = library.user("Alice", label="alice"), library.user("Bob")
            yield Installation(immich, library, params, root, alice, bob, immich.key(root), directory / "config.py")


def environment(changed: Mapping[str, str]) -> dict[str, str]:
    """The environment of a plain terminal, less what a developer may have set."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in UNWANTED and not name.startswith(("LC_", "PG")) and not name.casefold().endswith("_proxy")
    }
    return {**kept, "LANG": "C.UTF-8", "TERM": "xterm-256color", "HOME": "/nonexistent", **changed}


def plain(text: str) -> str:
    """What is left on a terminal: no escape sequences, and only the last of what was written over one line."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r\n", "\n")
    return re.sub(r"[^\n]*\r", "", text)


def piped(path: Path, typed: str, *arguments: str, **changed: str) -> subprocess.CompletedProcess[bytes]:
    """Run the tool with its input and output in pipes."""
    return subprocess.run(
        [sys.executable, str(PROGRAM), "--config", str(path), *arguments],
        input=typed.encode(),
        capture_output=True,
        env=environment(changed),
        timeout=PATIENCE,
        check=False,
    )


class Terminal:
    """The tool in a pseudo-terminal of `size` (lines, columns). Use it as a context manager; keyword arguments are
    environment variables.

    It is so high that nothing is paged. What is asked on the way from one menu entry to the next is answered with no;
    a result that waits for Enter gets it.
    """

    def __init__(self, path: Path, *arguments: str, size: tuple[int, int] = (200, 140), **changed: str) -> None:
        self._log = io.StringIO()
        self.child = pexpect.spawn(
            sys.executable,
            [str(PROGRAM), "--config", str(path), *arguments],
            env=environment(changed),
            encoding="utf-8",
            codec_errors="replace",
            dimensions=size,
            timeout=PATIENCE,
            # whoever runs the tests in the background has it ignored, which children inherit
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.child.delaybeforesend = None
        self.child.ptyproc.delayafterclose = 0
        self.child.logfile_read = self._log

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.child.closed and self.child.isalive():
            self.child.kill(signal.SIGKILL)  # quicker than to ask it politely, with a tenth of a second for each answer
            self.child.wait()
        self.child.close()

    @property
    def raw(self) -> str:
        """Everything that came so far, as it came."""
        return self._log.getvalue()

    @property
    def said(self) -> str:
        """Everything that came so far, as it reads."""
        return plain(self.raw)

    def until(self, prompt: str, seconds: float = PATIENCE) -> str:
        """Wait for a text; what was on the screen since the last one waited for, as it reads."""
        shown = ""
        passed = PASSED.get(prompt, ())
        while number := self.child.expect_exact([prompt, *passed], timeout=seconds):
            shown += self.child.before + self.child.after
            self.child.sendline("n" if passed[number - 1] != PAUSE else "")
        return plain(shown + self.child.before + self.child.after)

    def question(self, seconds: float = PATIENCE) -> tuple[str, str]:
        """Wait for whatever is asked next: the question's line, and the screen up to there."""
        screen = ""
        while True:
            self.child.expect(QUESTION, timeout=seconds)
            screen += plain(self.child.before + self.child.after)
            if not screen.endswith(PAUSE):
                return screen.rsplit("\n", 1)[-1].strip(), screen
            self.child.sendline()

    def type(self, text: str = "") -> None:
        """Type a line."""
        self.child.sendline(text)

    def answer(self, prompt: str, text: str = "") -> str:
        """Type a line at a prompt; the screen up to there."""
        screen = self.until(prompt)
        self.child.sendline(text)
        return screen

    def pick(self, title: str, wanted: str) -> str:
        """Give the number of the option that has `wanted` in it; the screen up to there."""
        screen = self.until(title) + self.until(CHOOSE)
        self.child.sendline(number_of(screen.split(title)[1], wanted))
        return screen

    def menu(self, choice: str) -> str:
        """Choose from the menu; the screen up to there."""
        return self.answer(MENU, choice)

    def choose(self, entry: str, album: str = "Trip") -> str:
        """An album of Alice's to Bob, by a menu entry; the screen up to the choice of Bob."""
        self.menu(entry)
        self.pick("Source user", "alice@")
        self.pick("Albums of", album)
        return self.pick("Destination user", "bob@")

    def hand_over_trip(self) -> None:
        """Alice's album "Trip" goes to Bob, the album itself stays; up to what is asked afterwards."""
        self.choose("4")
        self.answer("Number (1-4", "")
        self.answer("Type yes", "yes")

    def afterwards(self) -> str:
        """Say no to all that is offered after a change, up to the menu; the screens up to there."""
        shown = ""
        while True:
            question, screen = self.question()
            shown += screen
            self.type("n" if "Select option" not in question else "")  # so that the menu asks again
            if "Select option" in question:
                return shown

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.child.sendintr()

    def end_input(self) -> None:
        """Ctrl-D on an empty line."""
        self.child.sendeof()

    def end(self) -> tuple[int | None, str]:
        """Wait until the program has ended: its exit code, and what it said since the last prompt."""
        self.child.expect(pexpect.EOF)
        rest = plain(self.child.before)
        with suppress(pexpect.ExceptionPexpect):
            self.child.wait()
        self.child.close()
        return self.child.exitstatus, rest


def lines(text: str) -> list[str]:
    """The lines that say something, less the terminal's own echo of Ctrl-C."""
    return [line.strip() for line in text.replace("^C", "").replace("^D\b\b", "").splitlines() if line.strip()]


def number_of(screen: str, wanted: str) -> str:
    """The number of the one option that has `wanted` in it."""
    options = re.findall(r"^ +(\d+)\. (.*)$", screen, re.M)
    numbers = [number for number, option in options if wanted in option]
    assert len(numbers) == 1, f"{len(numbers)} options with {wanted!r}:\n{screen}"
    return numbers[0]
