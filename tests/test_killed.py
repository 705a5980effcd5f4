"""The tool is killed, or the answer to COMMIT is lost: nothing is half done, and what is said about it is true.

A killed run is a real process that kills itself with SIGKILL at a step of its own.
"""

import contextlib
import json
import re
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import transfer
from tests import forks
from tests.conftest import NOT_PUT_BACK, few, model_versions, repair_one
from tests.forks import PATIENCE
from tests.library import Library

pytestmark = pytest.mark.long

VERSIONS = model_versions()

# A job: a run that is broken off.
WORK = r"""
import json, os, signal, sys
from pathlib import Path
import psycopg2.extensions
import transfer

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def work(job):
    def progress(step):
        if step == job["at"]:
            die()

    if job["at"] == "the journal half written":
        lines = transfer._journal_lines
        def half(tx, header):
            single = (line for some in lines(tx, header) for line in some.splitlines(keepends=True))
            for number, line in enumerate(single):
                if number == 2:
                    die()
                yield line
        transfer._journal_lines = half
    elif job["at"] == "before COMMIT":
        transfer.commit = die
    elif job["at"] == "COMMIT sent":
        commit = transfer.commit
        def sent(connection, *rest):
            psycopg2.extensions.set_wait_callback(die)  # is called when the statement has been sent
            commit(connection, *rest)
        transfer.commit = sent
    elif job["at"] == "after COMMIT":
        transfer.name_file = transfer.something_stayed = die
    elif job["at"] == "after the rename":
        transfer.look_again = die
    how = {"dry_run": False, "progress": progress}
    if job["undo"]:
        transfer.undo(job["params"], Path(job["undo"]), transfer.How(**how))
    elif job["request"] is None:
        how["undo_folder"] = Path(job["folder"])
        transfer.repair_all(job["params"], {job["user"]: frozenset()}, transfer.How(**how))
    else:
        request = transfer.Request(**job["request"] | {"merge": frozenset(job["request"]["merge"])})
        transfer.transfer(job["params"], request, transfer.How(undo_folder=Path(job["folder"]), **how))
"""


@pytest.fixture(scope="module")
def starter() -> Iterator[subprocess.Popen]:
    """The process that forks."""
    with forks.starter(WORK) as process:
        yield process


@pytest.fixture(params=VERSIONS)
def library(request, pool) -> Iterator[Library]:
    """One version of each way to keep people: it is the same transaction for all."""
    with pool.library(request.param) as library:
        yield library


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where the files go."""
    return tmp_path / "transfers"


@pytest.fixture
def killed(library, scene, runner, starter, folder):
    """killed(at, undo): do the scene's transfer, or undo that file, and be killed at that step."""

    def killed(at: str, undo: Path | None = None, *, repair: bool = False) -> None:
        request = {"source": scene.anna, "destination": scene.ben, "album": scene.album, "merge": [scene.oma]}
        job = {"at": at, "undo": undo and str(undo), "folder": str(folder), "params": runner.params}
        job |= {"request": None if repair else request, "user": scene.ben}
        starter.stdin.write(json.dumps(job) + "\n")
        starter.stdin.flush()
        assert json.loads(starter.stdout.readline()) == -signal.SIGKILL, f"not killed at: {at}"
        wait_for_nobody(library)

    return killed


def wait_for_nobody(library: Library) -> None:
    """Until the server has noticed that the tool is gone."""
    end = time.monotonic() + PATIENCE
    while library.rows(
        "select 1 from pg_stat_activity where datname = current_database() and application_name = 'transfer.py'"
    ):
        assert time.monotonic() < end
        time.sleep(0.005)


def steps(run) -> list[str]:
    """What progress is told in a whole run."""
    told: list[str] = []
    run(told.append)
    return told


def transferred(runner, scene, folder, **how) -> transfer.Report:
    """The scene's transfer, done."""
    request = runner.request(scene.album, merge=[scene.oma])
    return transfer.transfer(runner.params, request, transfer.How(**{"dry_run": False, "undo_folder": folder} | how))


AFTER_COMMIT = ("COMMIT sent", "after COMMIT", "after the rename")


def states(params: dict[str, Any], folder: Path) -> list[str]:
    """What the list says of the runs that are there, twice the same."""
    found = [past.state for past in transfer.list_past(params, folder)]
    assert [past.state for past in transfer.list_past(params, folder)] == found
    return [state for state in found if state not in (transfer.NOT_THERE, "undone")]


# ---- killed ---------------------------------------------------------------------------------------------------------


def test_a_transfer_killed_before_commit_has_not_happened(library, scene, runner, killed, folder) -> None:
    before = library.snapshot()
    told = steps(lambda progress: transferred(runner, scene, folder, dry_run=True, progress=progress))
    assert len(told) > 10
    for at in (*few(told), "before COMMIT"):
        killed(at)
        assert library.snapshot() == before, at
        assert states(runner.params, folder) == [], at
    assert transferred(runner, scene, folder).assets == scene.moving  # nothing is in the way
    assert states(runner.params, folder) == ["committed"]  # not what was broken off and did the same


def test_a_transfer_killed_while_it_writes_its_file_has_not_happened(library, scene, runner, killed, folder) -> None:
    """Of that file nothing is known but that it is no good."""
    before = library.snapshot()
    killed("the journal half written")
    assert library.snapshot() == before
    assert "committed" not in states(runner.params, folder)
    for path in folder.iterdir():
        with pytest.raises(transfer.TransferError):
            transfer.undo(runner.params, path, transfer.How(dry_run=False))
    assert transferred(runner, scene, folder).assets == scene.moving
    assert states(runner.params, folder)[0] == "committed"


@pytest.mark.cases
@pytest.mark.parametrize("at", AFTER_COMMIT)
def test_a_transfer_killed_after_commit_has_happened_and_can_be_undone(
    library, scene, runner, killed, folder, at
) -> None:
    before = library.snapshot(ignore=NOT_PUT_BACK)
    killed(at)
    wait_for_owner(library, scene.lake, scene.ben)
    assert states(runner.params, folder) == ["committed"]
    (past,) = transfer.list_past(runner.params, folder)
    assert transfer.undo(runner.params, past.path, transfer.How(dry_run=False)).assets == scene.moving
    assert library.snapshot(ignore=NOT_PUT_BACK) == before
    assert states(runner.params, folder) == []


def wait_for_owner(library: Library, photo: str, user: str) -> None:
    """A COMMIT that was sent is carried out although nobody waits for the answer."""
    end = time.monotonic() + PATIENCE
    while library.owner_of(photo) != user:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_an_undo_killed_before_commit_has_not_happened(library, scene, runner, killed, folder) -> None:
    before = library.snapshot(ignore=NOT_PUT_BACK)
    transferred(runner, scene, folder)
    (past,) = transfer.list_past(runner.params, folder)
    between = library.snapshot()
    told = steps(
        lambda progress: transfer.undo(runner.params, past.path, transfer.How(dry_run=True, progress=progress))
    )
    assert len(told) > 8
    for at in (*few(told), "before COMMIT"):
        killed(at, past.path)
        assert library.snapshot() == between, at
        assert states(runner.params, folder) == ["committed"], at
        assert list(folder.iterdir()) == [past.path], at
    assert transfer.undo(runner.params, past.path, transfer.How(dry_run=False)).assets == scene.moving
    assert library.snapshot(ignore=NOT_PUT_BACK) == before


@pytest.mark.cases
@pytest.mark.parametrize("at", AFTER_COMMIT)
def test_an_undo_killed_after_commit_has_happened_and_is_not_done_twice(
    library, scene, runner, killed, folder, at
) -> None:
    before = library.snapshot(ignore=NOT_PUT_BACK)
    transferred(runner, scene, folder)
    (past,) = transfer.list_past(runner.params, folder)
    killed(at, past.path)
    wait_for_owner(library, scene.lake, scene.anna)
    assert library.snapshot(ignore=NOT_PUT_BACK) == before
    after = library.snapshot()
    assert states(runner.params, folder) == []
    with pytest.raises(transfer.TransferError):
        transfer.undo(runner.params, transfer.list_past(runner.params, folder)[0].path, transfer.How(dry_run=False))
    assert library.snapshot() == after


def test_an_undo_killed_after_commit_is_not_done_twice_even_if_nobody_has_looked_at_the_list(
    library, scene, runner, killed, folder
) -> None:
    transferred(runner, scene, folder)
    (past,) = transfer.list_past(runner.params, folder)
    killed("COMMIT sent", past.path)
    wait_for_owner(library, scene.lake, scene.anna)
    after = library.snapshot()
    with pytest.raises(transfer.TransferError):
        transfer.undo(runner.params, past.path, transfer.How(dry_run=False))
    assert library.snapshot() == after
    assert states(runner.params, folder) == []


def test_a_repair_killed_at_any_step(library, scene, runner, killed, folder) -> None:
    for number in range(3):
        library.face(library.asset(scene.ben, f"{number}.jpg"), scene.max)
    library.settle_usage()
    before = library.snapshot()

    def run(progress, dry_run: bool = True) -> transfer.Report:
        return repair_one(
            runner.params, scene.ben, transfer.How(dry_run=dry_run, undo_folder=folder, progress=progress)
        )

    for at in (*few(steps(run)), "before COMMIT", "the journal half written"):
        killed(at, repair=True)
        assert library.snapshot() == before, at
        assert "committed" not in states(runner.params, folder), at
    put_back = library.snapshot(ignore=NOT_PUT_BACK)
    killed("after COMMIT", repair=True)
    past = transfer.list_past(runner.params, folder)[0]
    assert past.state == "committed"
    transfer.undo(runner.params, past.path, transfer.How(dry_run=False))
    assert library.snapshot(ignore=NOT_PUT_BACK) == put_back


# ---- the answer to COMMIT is lost -----------------------------------------------------------------------------------


class Proxy:
    """A TCP proxy to the database that cuts the connection at the first COMMIT, once.

    heard     whether the server gets to hear that COMMIT
    lingers   seconds until the server's end is closed too: so long the transaction stays open there
    closes    whether nobody can connect afterwards
    waits     whether the connection is only cut when the server has answered
    """

    def __init__(
        self, params: dict[str, Any], *, heard: bool, lingers: float = 0, closes: bool = False, waits: bool = True
    ) -> None:
        self.heard, self.lingers, self.closes, self.waits, self.cut = heard, lingers, closes, waits, False
        self.target = (params["host"], params["port"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.params = params | {"host": "127.0.0.1", "port": self.listener.getsockname()[1], "sslmode": "disable"}
        self.threads: list[threading.Thread] = []
        self._start(self._accept)

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_listening()
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _start(self, work, *args) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _stop_listening(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(self.target) as server:
            while True:
                readable, _, _ = select.select([client, server], [], [], PATIENCE)
                for end, other in ((client, server), (server, client)):
                    if end not in readable:
                        continue
                    data = end.recv(65536)
                    if not data:
                        return
                    if end is client and not self.cut and re.search(rb"Q....COMMIT\0", data, re.DOTALL):
                        self._cut(client, server, data)
                        return
                    other.sendall(data)

    def _cut(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        self.cut = True
        if self.closes:
            self._stop_listening()
        if self.heard:
            server.sendall(data)
            if self.waits:
                server.recv(65536)  # it has been carried out
        client.shutdown(socket.SHUT_RDWR)
        client.close()
        select.select([server], [], [], self.lingers)


@pytest.mark.parametrize("lingers", [0, 0.6])
def test_a_commit_that_the_server_did_not_hear_is_a_failure(library, scene, runner, folder, lingers) -> None:
    before = library.snapshot()
    with Proxy(runner.params, heard=False, lingers=lingers) as proxy:
        with pytest.raises(transfer.TransferError) as caught:
            transfer.transfer(
                proxy.params, runner.request(scene.album), transfer.How(dry_run=False, undo_folder=folder)
            )
        assert not isinstance(caught.value, transfer.CommitUnknown)
        assert proxy.cut
    wait_for_nobody(library)
    assert library.snapshot() == before
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("lingers", [0, 0.6])
def test_a_commit_whose_answer_was_lost_is_a_success(library, scene, runner, folder, lingers) -> None:
    before = library.snapshot(ignore=NOT_PUT_BACK)
    with Proxy(runner.params, heard=True, lingers=lingers) as proxy:
        report = transfer.transfer(
            proxy.params, runner.request(scene.album), transfer.How(dry_run=False, undo_folder=folder)
        )
        assert proxy.cut
    assert report.assets == scene.moving
    assert library.owner_of(scene.lake) == scene.ben
    assert states(runner.params, folder) == ["committed"]
    (past,) = transfer.list_past(runner.params, folder)
    with Proxy(runner.params, heard=True) as proxy:
        assert transfer.undo(proxy.params, past.path, transfer.How(dry_run=False)).assets == scene.moving
        assert proxy.cut
    assert library.snapshot(ignore=NOT_PUT_BACK) == before
    assert states(runner.params, folder) == []


def test_an_undo_that_the_server_did_not_hear_is_a_failure(library, scene, runner, folder) -> None:
    transferred(runner, scene, folder)
    (past,) = transfer.list_past(runner.params, folder)
    between = library.snapshot()
    with Proxy(runner.params, heard=False) as proxy:
        with pytest.raises(transfer.TransferError) as caught:
            transfer.undo(proxy.params, past.path, transfer.How(dry_run=False))
        assert not isinstance(caught.value, transfer.CommitUnknown)
    wait_for_nobody(library)
    assert library.snapshot() == between
    assert list(folder.iterdir()) == [past.path]
    assert transfer.undo(runner.params, past.path, transfer.How(dry_run=False)).assets == scene.moving


@pytest.mark.cases
@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("undo", [True, False])
def test_nothing_is_guessed_while_the_server_cannot_be_asked(
    library, scene, runner, folder, monkeypatch, heard, undo
) -> None:
    """It is said to be unknown, and the list knows it as soon as the database is back."""
    monkeypatch.setattr(transfer.time, "sleep", lambda _seconds, sleep=time.sleep: sleep(0.01))
    if undo:
        transferred(runner, scene, folder)
    before = library.snapshot()
    with Proxy(runner.params, heard=heard, closes=True) as proxy, pytest.raises(transfer.CommitUnknown) as caught:
        if undo:
            (past,) = transfer.list_past(runner.params, folder)
            transfer.undo(proxy.params, past.path, transfer.How(dry_run=False))
        else:
            transfer.transfer(
                proxy.params, runner.request(scene.album), transfer.How(dry_run=False, undo_folder=folder)
            )
    assert "(9)" in caught.value.todo
    wait_for_nobody(library)
    if not heard:
        assert library.snapshot() == before
    happened = {(False, True): ["committed"], (True, False): ["committed"]}
    assert states(runner.params, folder) == happened.get((heard, undo), [])
    owner = scene.ben if heard != undo else scene.anna
    assert library.owner_of(scene.lake) == owner
