"""What Immich is asked to do itself: a backup first, the jobs after, its look at its own files, the notices."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import transfer
from tests.terminal import LATER, Installation, Terminal
from transfer import Api, Queue, TransferError

pytestmark = [pytest.mark.screens, pytest.mark.long]

BACKUP = "immich-db-backup-1-v{}-pg14.sql.gz"


@pytest.fixture
def api(there: Installation) -> Api:
    return transfer.open_api(there.immich.url, there.key)


def may(there: Installation, *permissions: str) -> Api:
    """A key of the administrator's with these permissions."""
    return transfer.open_api(there.immich.url, there.immich.key(there.root, list(permissions)))


def quiet(_step: str) -> None:
    pass


def soon(work: Callable[[], Any], seconds: float = 0.5) -> None:
    """Do it a little later, in another thread."""
    threading.Timer(seconds, work).start()


# ---- backup ---------------------------------------------------------------------------------------------------------


# Immich's version, the key's permissions: from 2.5 on a list proves it, before, or without it, that the job has ended.
PROOFS = {
    **{version: (version, ("all",), True) for version in ("2.5", "2.7", "3.1", "3.3")},
    "before 2.5": ("2.3", ("all",), False),
    "without the permission for the list": ("2.7", ("job.create", "job.read"), False),
}


@pytest.mark.parametrize("case", PROOFS)
def test_a_backup_is_proven(there: Installation, case: str) -> None:
    there.immich.version, permissions, is_listed = PROOFS[case]
    there.immich.backups["of yesterday.sql.gz"] = 5
    api = may(there, *permissions)
    backup = transfer.back_up_database(api, quiet)
    name = f"immich-db-backup-2-v{there.immich.version}-pg14.sql.gz"
    assert (backup.name, backup.size) == ((name, 1_234_567) if is_listed else ("", 0))
    assert there.immich.started == ["backup-database"]
    if not is_listed:
        there.immich.backs_up = False
        with pytest.raises(TransferError, match="made no backup"):
            transfer.back_up_database(api, quiet)


def test_a_backup_is_waited_for(there: Installation, api: Api) -> None:
    """Its name comes when it is whole; until then its queue has work."""
    made = there.immich.backups

    def begin(name: str) -> None:
        made.clear()
        there.immich.busy("backupDatabase", waiting=0, active=1)
        soon(lambda: (made.update({"late.sql.gz": 7}), there.immich.idle()))

    there.immich.on_job = begin
    told: list[str] = []
    assert transfer.back_up_database(api, told.append).name == "late.sql.gz"
    assert any("backupDatabase (1)" in step for step in told)


def test_an_empty_backup_is_none(there: Installation, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    there.immich.on_job = lambda _name: there.immich.backups.update(dict.fromkeys(there.immich.backups, 0))
    with pytest.raises(TransferError, match="made no backup"):
        transfer.back_up_database(api, quiet)


@pytest.mark.parametrize("permissions", [(), ("job.create",)])
def test_a_backup_that_cannot_be_seen_is_none(there: Installation, permissions: tuple[str, ...]) -> None:
    with pytest.raises(TransferError, match="could not be seen"):
        transfer.back_up_database(may(there, *permissions), quiet)
    assert there.immich.started == []


def confirm(there: Installation, terminal: Terminal) -> str:
    """Go as far as the last question of a repair, and back."""
    terminal.menu("6")
    terminal.pick("Whose photos should be repaired?", "bob@example.com")
    screen = terminal.answer("Type yes [menu]: ", "no")
    terminal.until("Nothing was changed.")
    return " ".join(screen.split())


def something_to_repair(there: Installation, name: str = "Max") -> None:
    photo = there.library.asset(there.bob)
    there.library.face(photo, there.library.person(there.alice, name))


def test_a_backup_is_enough_until_the_next_change(there: Installation) -> None:
    something_to_repair(there)
    with Terminal(there.path) as terminal:
        for _ in range(2):
            assert "just now (1.2 MiB)" in confirm(there, terminal)
        assert there.immich.started == ["backup-database"]
        terminal.menu("6")
        terminal.pick("Whose photos should be repaired?", "bob@example.com")
        terminal.answer("Type yes [menu]: ", "yes")
        terminal.until("COMPLETED")
        something_to_repair(there, "Lea")
        terminal.interrupt()
        confirm(there, terminal)
    assert there.immich.started.count("backup-database") == 2


@pytest.mark.parametrize("fails", [True, False])
def test_what_was_agreed_to_in_a_dry_run_is_asked_again_only_without_a_backup(there: Installation, fails) -> None:
    something_to_repair(there)
    if fails:
        there.immich.answer("POST /api/jobs", 500, {"message": "pg_dump was not found"})
    with Terminal(there.path) as terminal:
        terminal.menu("5")
        terminal.pick("Whose photos should be repaired?", "bob@example.com")
        terminal.answer("Do exactly this now? (type yes) [menu]: ", "yes")
        if fails:
            assert "No backup was made" in terminal.answer("Type yes [menu]: ", "no")
            terminal.until("Nothing was changed.")
        else:
            terminal.until("REPAIR COMPLETED")


@pytest.mark.parametrize("why", ["it fails", "Ctrl-C", "an ordinary user's key"])
def test_without_a_backup_the_line_to_run_is_shown(there: Installation, why: str) -> None:
    something_to_repair(there)
    if why == "it fails":
        there.immich.answer("POST /api/jobs", 500, {"message": "pg_dump was not found"})
    elif why == "Ctrl-C":
        there.immich.on_job = lambda _name: there.immich.busy("backupDatabase", waiting=0, active=1)
    else:
        there.save(api_key=there.immich.key(there.bob))
    with Terminal(there.path) as terminal:
        if why == "Ctrl-C":
            terminal.menu("6")
            terminal.pick("Whose photos should be repaired?", "bob@example.com")
            terminal.until("Immich is at work: backupDatabase (1)")
            terminal.interrupt()
            screen = " ".join(terminal.until("Type yes").split())
        else:
            screen = confirm(there, terminal)
    assert "Make one before you go on (README, 'Backup and restore'):" in screen
    assert ("pg_dump was not found" in screen, "(not waited for)" in screen) == (why == "it fails", why == "Ctrl-C")
    assert why != "an ordinary user's key" or ("is to back up" not in screen and "permission" not in screen)
    line = " ".join(" ".join(transfer.BACKUP_COMMAND).split())
    assert line in screen
    page = Path(transfer.__file__).parent.joinpath(".github/docs/restoring.md").read_text(encoding="utf-8")
    assert line in " ".join(page.split())


# ---- jobs -----------------------------------------------------------------------------------------------------------


def test_queues_are_waited_for_until_they_are_idle_twice(there: Installation, api: Api) -> None:
    """A job that only makes others leaves its queue empty for a moment."""
    answers = [{"active": 1}, {}, {"waiting": 3}, {}, {}]
    for counts in reversed(answers):
        body = {"migration": {"jobCounts": counts, "queueStatus": {"isPaused": False}}}
        there.immich.answer("GET /api/jobs", 200, body, times=1)
    told: list[str] = []
    assert transfer.wait_for_queues(api, ["migration"], told.append) == ""
    assert told == ["Immich is at work: migration (1)", "Immich is at work: migration (3)"]
    assert sum(path == "/api/jobs" for _, path, _ in there.immich.calls) == len(answers)


def test_what_is_not_waited_for(there: Installation, api: Api) -> None:
    assert "job.read" in transfer.wait_for_queues(may(there, "job.create"), ["migration"], quiet)
    there.immich.busy("smartSearch")
    assert transfer.wait_for_queues(api, ["migration"], quiet) == ""
    paused = {"migration": {"jobCounts": {"paused": 4}, "queueStatus": {"isPaused": True}}}
    there.immich.answer("GET /api/jobs", 200, paused)
    assert "migration is paused" in transfer.wait_for_queues(api, ["migration"], quiet)


@pytest.mark.parametrize("answer", [[], "x", {"migration": 5}, {"migration": {"jobCounts": {"active": "many"}}}])
def test_strange_queues(there: Installation, api: Api, answer: Any) -> None:
    there.immich.answer("GET /api/jobs", 200, json.dumps(answer))
    try:
        found = transfer.job_queues(api)
    except TransferError as error:
        assert "not understood" in error.what
    else:
        assert found in ({}, {"migration": Queue()})


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("permissions", [("all",), ("user.read",)])
def test_whether_the_storage_template_is_on(there: Installation, enabled: bool, permissions: tuple[str, ...]) -> None:
    """Immich says so to a key that may ask, else its table does."""
    api = may(there, *permissions)
    assert transfer.template_is_on(api, there.params) is False
    if permissions == ("all",):
        there.immich.config["storageTemplate"]["enabled"] = enabled
    else:
        there.library.rows(
            "insert into system_metadata values ('system-config', %s)",
            json.dumps({"storageTemplate": {"enabled": enabled}}),
        )
    assert transfer.template_is_on(api, there.params) is enabled


@pytest.mark.parametrize(
    ("version", "template", "words"),
    [
        ("2.7", True, "not of people while facial recognition is off"),
        ("3.1", False, None),
    ],
)
def test_the_question_says_what_is_true_of_this_immich(
    there: Installation, api: Api, capsys: Any, monkeypatch: Any, version: str, template: bool, words: str | None
) -> None:
    there.immich.version = version
    there.immich.config["storageTemplate"]["enabled"] = template
    state = transfer.State(there.path, there.config, transfer.check_server(api, there.params))
    monkeypatch.setattr("builtins.input", lambda: "n")
    [chore] = transfer.job_chores(state, api, tuple(transfer.JOBS))
    said = " ".join([*chore.told, *transfer.finish_up([chore])])
    assert ("facial recognition" in said) == bool(words)
    assert words is None or words in said
    assert ("Storage Template Migration: moves originals" in said) == template
    assert f"{'four' if template else 'three'} of Immich's jobs" in capsys.readouterr().out
    assert "Administration > Job Queues: Generate Thumbnails > Missing" in said
    assert there.immich.started == []


def test_a_job_that_was_at_work_already_is_started_once_more(there: Installation, api: Api, monkeypatch: Any) -> None:
    """What it does now has not seen the people who are new: their pictures would be missing until the night."""
    there.immich.busy("thumbnailGeneration")
    state = transfer.State(there.path, there.config, transfer.check_server(api, there.params))
    soon(there.immich.idle)
    monkeypatch.setattr("builtins.input", lambda: "yes")
    transfer.finish_up(transfer.job_chores(state, api, ["migration", "thumbnailGeneration"]))
    assert there.immich.started == ["migration", "thumbnailGeneration"]


@pytest.mark.parametrize("gone", ["/api/jobs", "/api"])
def test_the_next_steps_are_told_whatever_fails(there: Installation, gone: str) -> None:
    """Immich is stopped once the photos have changed hands; when it is there again, who has no picture is told."""
    photo, max_ = there.library.asset(there.alice), there.library.person(there.alice, "Max")
    for one in (photo, there.library.asset(there.alice)):
        there.library.face(one, max_)
    there.library.album(there.alice, "Trip", [photo])
    with Terminal(there.path) as terminal:
        terminal.choose("4")
        terminal.answer("Number (1-4", "")
        terminal.until("Type yes")
        there.immich.hang_up(gone)
        terminal.type("yes")
        terminal.answer(LATER, "yes")
        terminal.menu("0")
        assert terminal.end()[0] == 1
        done = " ".join(terminal.said.split())
        assert "“Generate Thumbnails” could not be started from here" in done
        steps = done.split("You:")[1]
        assert "Do not delete Alice's account" in steps and "is given (7)" in steps
    there.immich.forget()
    words = "person has no picture yet, of Bob <bob@example.com>"
    with Terminal(there.path) as terminal:
        terminal.menu("1")
        assert f"1 {words}" in " ".join(terminal.menu("10").split())
        assert f"1 {words}" in " ".join(terminal.until("Media folder (Enter to skip): ").split())


# ---- its own look at its files, and notices --------------------------------------------------------------------------


def test_immichs_own_check_of_its_files(there: Installation, api: Api) -> None:
    there.immich.version = "3.1"
    there.immich.integrity["missing_file"] = 2
    assert transfer.count_missing(api, quiet) == 2
    assert there.immich.started == ["integrity-missing-files"]  # the other would offer files in use for deletion


def test_where_immich_has_no_such_check(there: Installation, api: Api) -> None:
    assert transfer.count_missing(api, quiet) is None
    there.immich.version = "3.1"
    assert transfer.count_missing(may(there, "job.create", "job.read"), quiet) is None
    assert there.immich.started == []


def test_a_notice_needs_a_key_with_all(there: Installation) -> None:
    transfer.notify(may(there, "all"), there.bob, "Photos", "3 photos")
    assert there.immich.notices == [(there.bob, "Photos", "3 photos")]
    with pytest.raises(transfer.NotAllowed):
        transfer.notify(may(there, "user.read"), there.bob, "Photos", "3 photos")


FEW = ["user.read", "album.read", "adminUser.read", "job.create", "job.read"]
# What is answered, what fails, the key's permissions: the exit code, whether jobs are started, how many notices there
# are. Enter alone does nothing.
AFTER = {
    "Enter": ("", "", ["all"], 0, False, 0),
    "no": ("no", "", ["all"], 0, False, 0),
    "all": ("yes", "", ["all"], 0, True, 2),
    "jobs by name": ("jobs", "", ["all"], 0, True, 0),
    "notices by number": ("2", "", ["all"], 0, False, 2),
    "a job fails": ("yes", "PUT /api/jobs/thumb", ["all"], 1, True, 2),
    "notices fail": ("1,2", "POST /api/admin/notifications", ["all"], 1, True, 0),
    "a key that may give no notices": ("yes", "", FEW, 0, True, 0),
}


@pytest.mark.parametrize("case", AFTER)
def test_jobs_and_notices_are_asked_about_once(there: Installation, case: str) -> None:
    """The exit code says whether all that was asked for was done."""
    answer, failing, permissions, code, is_started, given = AFTER[case]
    there.save(api_key=there.immich.key(there.root, permissions))
    there.library.album(there.alice, "Trip", [there.library.asset(there.alice)])
    with Terminal(there.path) as terminal:
        terminal.hand_over_trip()
        if failing:
            there.immich.hang_up(failing)
        terminal.answer(LATER, answer)
        screen = terminal.menu("0")
        assert terminal.end()[0] == code
    assert "Nothing was changed" not in screen and "3 photos → Bob · 9 takes it back" not in screen
    assert "1 photo → Bob · 9 takes it back" in screen
    assert len(there.immich.notices) == given
    started = {"thumbnailGeneration", "migration", "duplicateDetection"} if is_started else set()
    assert set(there.immich.started) == {"backup-database"} | {job for job in started if job[:5] not in failing}
