"""The file that an undo needs: what is in it, when it is written, and what is refused."""

import contextlib
import gzip
import hashlib
import json
import os
import random
import re
import resource
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

import transfer
from tests import postgres, schemas
from tests.conftest import NOT_PUT_BACK, chosen_versions, problems
from tests.library import Library


@pytest.fixture
def library(pool) -> Iterator[Library]:
    """The file is the same for all versions, so one is enough here."""
    with pool.library(chosen_versions()[-1]) as library:
        yield library


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where the files go; it is not there yet."""
    return tmp_path / "transfers"


@pytest.fixture
def run(runner, scene, folder):
    """Runs the transfer of the scene's album, or of another."""

    def run(album: str | None = None, **how) -> transfer.Report:
        request = runner.request(album or scene.album, merge=[scene.oma])
        return transfer.transfer(
            runner.params, request, transfer.How(**{"dry_run": False, "undo_folder": folder} | how)
        )

    return run


@pytest.fixture
def journal(run, folder) -> Path:
    """The file of a committed transfer of the scene's album."""
    run()
    (path,) = folder.iterdir()
    return path


def lines(path: Path) -> list[str]:
    """What is in a file, unpacked."""
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def repack(path: Path, texts: list[str]) -> None:
    """Write other lines into a file, without a new checksum."""
    path.write_bytes(gzip.compress("\n".join(texts).encode() + b"\n"))


def refused(library, params, path: Path, error: type[transfer.TransferError] = transfer.TransferError):
    """The undo must be refused, analysis and all, and nothing changed."""
    before = library.snapshot()
    for dry_run in (True, False):
        with pytest.raises(error) as caught:
            transfer.undo(params, path, transfer.How(dry_run=dry_run))
        assert library.snapshot() == before
    assert caught.value.what
    return caught.value


# ---- the file -------------------------------------------------------------------------------------------------------


def test_only_its_owner_may_read_it(run, folder) -> None:
    before = os.umask(0)
    try:
        run()
    finally:
        os.umask(before)
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_its_name_says_when_who_and_what(journal) -> None:
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d_\d{6}_anna@example\.com_ben@example\.com_Trip-.*26-s-?\.jsonl\.gz", journal.name
    )


@pytest.mark.cases
@pytest.mark.parametrize(
    "name",
    [
        *("a/b/../../c", "..", ".", "", " ", "-rf", "~", "NUL", "con.txt", "a\nb\tc\x1b[2J", "\u202egpj.exe"),
        *("🎂🏖️" * 80, "漢字" * 200, "é" * 300, "x" * 1000, "Mädchen & Söhne (2024): «Été»?*|<>\"'`$;"),
    ],
)
def test_an_odd_name_of_an_album_is_no_obstacle(library, anna, run, folder, params, name) -> None:
    photo = library.asset(anna)
    before = library.snapshot(ignore=NOT_PUT_BACK)
    library.settle_usage()
    album = library.album(anna, name, [photo])
    before = library.snapshot(ignore=NOT_PUT_BACK)
    run(album)
    (path,) = folder.iterdir()
    assert path.parent == folder
    assert len(path.name.encode()) <= 255
    assert not re.search(r"[\s/\\:*?\"<>|$;`'\x00-\x1f]", path.name)
    (past,) = transfer.list_past(params, folder)
    assert past.header["selection"] == {"kind": "album", "name": name}
    transfer.undo(params, past.path, transfer.How(dry_run=False))
    assert library.snapshot(ignore=NOT_PUT_BACK) == before


def test_long_addresses_are_no_obstacle(library, run, folder, runner, params) -> None:
    """An e-mail address may have 254 characters."""
    source, destination = (library.user(name, email=f"{name * 200}@example.com") for name in ("ä", "ö"))
    album = library.album(source, "漢字" * 50, [library.asset(source)])
    request = runner.request(album, source=source, destination=destination)
    transfer.transfer(params, request, transfer.How(dry_run=False, undo_folder=folder))
    assert [past.state for past in transfer.list_past(params, folder)] == ["committed"]


def test_it_tells_what_the_run_was(library, scene, run, folder, params) -> None:
    report = run()
    (past,) = transfer.list_past(params, folder)
    assert past.state == "committed"
    header = past.header
    assert (header["kind"], header["source"]["id"], header["destination"]["id"]) == ("transfer", scene.anna, scene.ben)
    assert (header["source"]["email"], header["destination"]["email"]) == ("anna@example.com", "ben@example.com")
    assert header["transfer.py"] == transfer.__version__
    assert header["report"]["assets"] == report.assets == scene.moving
    assert header["report"]["digest"] == report.digest


def test_there_are_no_secrets_in_it(library, scene, params, journal) -> None:
    text = "\n".join(lines(journal))
    secrets = [params["password"]]
    for column in ("password", "pinCode"):
        secrets += [value for (value,) in library.rows(f'select "{column}" from "user"') if value]
    for token, key in library.rows("select encode(s.token::text::bytea, 'hex'), s.token::text from session s"):
        secrets += [token, key]
    assert len(secrets) > 6
    assert [secret for secret in secrets if secret in text] == []


def test_a_dry_run_writes_none(run, folder) -> None:
    run(dry_run=True)
    assert not folder.exists()


def test_without_a_folder_none_is_written(run, folder) -> None:
    run(undo_folder=None)
    assert not folder.exists()


def test_an_undo_and_its_analysis_leave_one_file(params, journal) -> None:
    transfer.undo(params, journal, transfer.How(dry_run=True))
    assert list(journal.parent.iterdir()) == [journal]
    transfer.undo(params, journal, transfer.How(dry_run=False))
    assert [path.name for path in journal.parent.iterdir()] == [
        journal.name.removesuffix(".jsonl.gz") + ".undone.jsonl.gz"
    ]


def test_it_is_complete_on_disk_before_commit(run, folder, monkeypatch) -> None:
    commit, synced, seen = transfer.commit, [], []
    fsync = os.fsync

    def note(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}") if os.path.exists("/proc/self/fd") else handle)
        fsync(handle)

    def look(*args):
        (path,) = folder.iterdir()
        assert path.name.endswith(".pending.jsonl.gz")
        assert len(list(transfer.read_journal(path))) > 20
        seen.append(path)
        assert len(synced) >= 2
        if os.path.exists("/proc/self/fd"):
            assert {str(path), str(folder)} <= set(synced)
        commit(*args)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(transfer, "commit", look)
    run()
    assert len(seen) == 1
    assert [path.name for path in folder.iterdir()] == [seen[0].name.replace(".pending", "")]


def test_a_run_that_fails_leaves_none(library, run, folder) -> None:
    library.rows(
        """create function planted() returns trigger language plpgsql as $body$
           begin raise exception 'planted'; end $body$;
           create constraint trigger planted after update on asset deferrable initially deferred
           for each row execute function planted()"""
    )
    before = library.snapshot()
    with pytest.raises(transfer.TransferError):
        run()
    assert library.snapshot() == before
    assert list(folder.iterdir()) == []


def test_ctrl_c_while_it_is_written_leaves_none(library, run, folder, monkeypatch) -> None:
    before = library.snapshot()

    def interrupted(*_args):
        yield "half a line"
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer, "_journal_lines", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert library.snapshot() == before
    assert list(folder.iterdir()) == []


# ---- it cannot be written -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def no_file_longer_than(size: int):
    """As if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.cases
@pytest.mark.parametrize("size", [0, 1, 700])
def test_a_full_disk_lets_nothing_be_committed(library, run, folder, size) -> None:
    before = library.snapshot()
    with no_file_longer_than(size), pytest.raises(transfer.TransferError) as caught:
        run()
    assert "nothing was committed" in caught.value.what
    assert library.snapshot() == before
    assert list(folder.iterdir()) == []
    assert run().wrong_after == 0


def test_a_folder_that_cannot_be_made_lets_nothing_be_committed(library, run, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    before = library.snapshot()
    for place in (tmp_path / "file", tmp_path / "file" / "transfers", tmp_path / "missing" / "transfers"):
        with pytest.raises(transfer.TransferError) as caught:
            run(undo_folder=place)
        assert "nothing was committed" in caught.value.what
        assert library.snapshot() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_only_reads_lets_nothing_be_committed(library, run, folder) -> None:
    folder.mkdir(mode=0o500)
    before = library.snapshot()
    with pytest.raises(transfer.TransferError):
        run()
    assert library.snapshot() == before


@pytest.mark.parametrize("broken", ["file", "folder"])
def test_a_disk_that_does_not_confirm_lets_nothing_be_committed(library, run, folder, monkeypatch, broken) -> None:
    before, fsync = library.snapshot(), os.fsync

    def fail(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode) == (broken == "folder"):
            raise OSError(5, "Input/output error")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(transfer.TransferError):
        run()
    assert library.snapshot() == before
    assert list(folder.iterdir()) == []


def test_a_name_that_cannot_be_changed_is_no_failure(library, scene, run, folder, params, monkeypatch) -> None:
    """The commit has happened, as the rows say."""

    def fail(*_args):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        assert run().wrong_after == 0
        assert [past.state for past in transfer.list_past(params, folder)] == ["committed"]
    assert [past.state for past in transfer.list_past(params, folder)] == ["committed"]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        transfer.undo(params, transfer.list_past(params, folder)[0].path, transfer.How(dry_run=False))
        assert library.owner_of(scene.lake) == scene.anna
    assert [past.state for past in transfer.list_past(params, folder)] == [transfer.NOT_THERE]


# ---- it is damaged --------------------------------------------------------------------------------------------------


def test_a_flipped_bit_anywhere_is_seen(journal) -> None:
    """Or makes no difference: in gzip's header, or in bits that only fill up a byte, what is read is the same."""
    data, right, chance = journal.read_bytes(), list(transfer.read_journal(journal)), random.Random(1)
    header, unharmed = data.index(b"\0", 10) if data[3] & 8 else 10, 0  # it may hold a file name
    for place in (*range(header), *range(header, len(data), 3), *range(len(data) - 12, len(data))):
        damaged = bytearray(data)
        damaged[place] ^= 1 << chance.randrange(8)
        journal.write_bytes(damaged)
        try:
            found = list(transfer.read_journal(journal))
        except transfer.JournalBroken:
            continue
        assert found == right
        unharmed += place >= header
    assert unharmed < 10


def test_a_file_cut_off_anywhere_is_seen(journal) -> None:
    data = journal.read_bytes()
    for length in range(0, len(data), 7):
        journal.write_bytes(data[:length])
        with pytest.raises(transfer.JournalBroken):
            list(transfer.read_journal(journal))


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "not gzip": lambda path: path.write_text("\n".join(lines(path))),
    "gzip of nothing": lambda path: repack(path, []),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "cut in the middle": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "something after it": lambda path: path.write_bytes(path.read_bytes() + gzip.compress(b"[]\n")),
    "rubbish after it": lambda path: path.write_bytes(path.read_bytes() + b"rubbish"),
    "no checksum": lambda path: repack(path, lines(path)[:-1]),
    "another checksum": lambda path: repack(path, [*lines(path)[:-1], json.dumps({"sha256": "0" * 64})]),
    "a line missing": lambda path: repack(path, lines(path)[:5] + lines(path)[6:]),
    "a line twice": lambda path: repack(path, lines(path)[:5] + lines(path)[4:]),
    "lines in another order": lambda path: repack(path, [lines(path)[0], *lines(path)[1:-1][::-1], lines(path)[-1]]),
    "no header": lambda path: repack(path, lines(path)[1:]),
    "header only": lambda path: repack(path, lines(path)[:1]),
    "another user": lambda path: repack(path, [lines(path)[0].replace("ben@", "bob@"), *lines(path)[1:]]),
    "no destination": lambda path: repack(path, [lines(path)[0].replace('"dest', '"best'), *lines(path)[1:]]),
    "no source": lambda path: repack(path, [lines(path)[0].replace('"source"', '"sauce"'), *lines(path)[1:]]),
    "no kind": lambda path: repack(path, [lines(path)[0].replace('"kind"', '"kine"'), *lines(path)[1:]]),
    "a list for a header": lambda path: repack(path, ["[]", *lines(path)[1:]]),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "gone": lambda path: path.unlink(),
}


def test_a_damaged_file_is_refused_and_does_not_hide_the_others(library, scene, params, run, journal, subtests) -> None:
    photo = library.asset(scene.anna)
    run(library.album(scene.anna, "Second", [photo]))
    whole, before = journal.read_bytes(), library.snapshot()
    for name, damage in DAMAGES.items():
        with subtests.test(name):
            damage(journal)
            try:
                with pytest.raises(transfer.JournalBroken):
                    transfer.undo(params, journal, transfer.How(dry_run=False))
                good = [past for past in transfer.list_past(params, journal.parent) if past.path != journal]
                assert [(past.state, past.header["selection"]["name"]) for past in good] == [("committed", "Second")]
            finally:
                if journal.is_dir():
                    journal.rmdir()
                journal.write_bytes(whole)
        assert library.snapshot() == before


def test_one_that_a_newer_version_wrote_is_refused(library, params, journal, monkeypatch) -> None:
    monkeypatch.setattr(transfer, "JOURNAL_FORMAT", transfer.JOURNAL_FORMAT - 1)
    refused(library, params, journal)


def sealed(path: Path, texts: list[str]) -> None:
    """Write other lines into a file, with the checksum that they have."""
    content = "".join(text + "\n" for text in texts).encode()
    path.write_bytes(gzip.compress(content + json.dumps({"sha256": hashlib.sha256(content).hexdigest()}).encode()))


# What stands for a part of the header, or of the first line of a kind; the file's checksum is right.
STRANGE: dict[str, tuple[Any, ...]] = {
    "": ([], 5),
    "format": (True, "1"),
    "kind": ("party", None),
    "when": ("\x1b[2J", "2026-11-30", 5, None),
    "immich": (5, None),
    "source": ({}, "alice"),
    "source.name": (5, None),
    "destination": ({}, None),
    "destination.id": ("bob", 5),
    "destination.cluster": (5, ""),
    "selection.name": (5, None),
    "models": ([], {}),
    "report.assets": (None, "many"),
    "report.faces": (True, "many"),
    "report.people": (None, [5], [{}]),
    "changed.3": ({}, None, [], {"x": 1}, {"ownerId": "x"}),
    "changed.2": ("x", None, {"id": ["x"]}, {"id": "\0"}),
    "changed.0": ("taken", None, []),
    "removed.3": ([], "x", ["x"]),
}


@pytest.mark.parametrize(("part", "value"), [(part, value) for part in STRANGE for value in STRANGE[part]])
def test_what_no_run_writes_is_a_damaged_file(library, params, journal, part, value) -> None:
    texts, (first, *way) = lines(journal)[:-1], part.split(".")
    number = next((n for n, text in enumerate(texts) if text.startswith(f'["{first}"')), 0)
    line = json.loads(texts[number])
    if number:
        line[int(way[0])] = value
    elif way:
        line[first][way[0]] = value
    else:
        line = line | {first: value} if first else value
    texts[number] = json.dumps(line)
    sealed(journal, texts)
    [past] = transfer.list_past(params, journal.parent)
    assert (past.state == "damaged") == (not number)
    assert transfer.past_line(past).isprintable()
    refused(library, params, journal, transfer.JournalBroken)


def test_a_release_in_the_header_is_shown_without_control_characters(library, params, journal) -> None:
    header, *texts = lines(journal)[:-1]
    changes = {"immich": "\x1b[31m9.9", "models": [None, None]}
    sealed(journal, [json.dumps(json.loads(header) | changes | {"models": [False, False]}), *texts])
    told = refused(library, params, journal)
    assert "9.9" in told.why and told.why.isprintable()


# ---- somebody else may have written it ------------------------------------------------------------------------------

OTHERS = {
    "others may write the file": (lambda path: path.chmod(0o602), "chmod go-w"),
    "its group may write the file": (lambda path: path.chmod(0o620), "chmod go-w"),
    "others may write the folder": (lambda path: path.parent.chmod(0o703), "chmod go-w"),
    "the file is another's": (lambda path: os.chown(path, 12345, -1), "chown"),
    "the folder is another's": (lambda path: os.chown(path.parent, 12345, -1), "chown"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_others_may_have_written_is_not_used(library, scene, params, run, journal, name) -> None:
    """And what is said to do about it helps."""
    change, advice = OTHERS[name]
    if advice == "chown" and os.geteuid():
        pytest.skip("only root gives files away")
    change(journal)
    told = refused(library, params, journal, transfer.NotOurs)
    folder = "folder" in name
    if folder:
        with pytest.raises(transfer.NotOurs):
            transfer.list_past(params, journal.parent)
        with pytest.raises(transfer.NotOurs):
            transfer.require_writable(journal.parent)
    else:
        [past] = transfer.list_past(params, journal.parent)
        assert past.error.todo == told.todo
        assert transfer.past_line(past).endswith("[may be somebody else's]")
    command = re.search(rf"{advice} .*?(?= \()", told.todo)[0]
    subprocess.run(["sh", "-c", command], check=True)
    assert transfer.undo(params, journal, transfer.How(dry_run=False)).assets == scene.moving


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_files_of_the_owner_of_the_settings_are_used_by_root(params, journal) -> None:
    """With sudo for the files of Immich, and without for the rest."""
    settings = journal.parent.parent / "config.py"
    settings.write_text("")
    for path in (settings, journal.parent, journal):
        os.chown(path, 12345, -1)
    assert [past.state for past in transfer.list_past(params, journal.parent)] == ["committed"]


# ---- it is not for this database ------------------------------------------------------------------------------------


def test_a_copy_of_the_database_has_the_run_too(library, params, journal) -> None:
    """As one has that a dump was restored into."""
    server, name = postgres.server(), params["dbname"]
    copy = server.unique("copy")
    library.connection.close()
    server.create(copy, name)
    try:
        assert [past.state for past in transfer.list_past(server.params(copy), journal.parent)] == ["committed"]
        assert transfer.undo(server.params(copy), journal, transfer.How()).assets
    finally:
        server.drop(copy)
        library.connection = server.connect(name)
    assert [past.state for past in transfer.list_past(params, journal.parent)] == ["committed"]


@contextmanager
def restored_in_place(library: Library) -> Iterator[None]:
    """At the end of the with block all tables are made anew as they were at its beginning, as a dump is restored."""
    tables = library.rows("select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace")
    kept = {name: [row[0] for row in library.rows(f'select t::text from public."{name}" t')] for (name,) in tables}
    yield
    # the run's session, which may still be dropping its temporary views of these tables
    library.rows(
        """select pg_terminate_backend(pid, 5000) from pg_stat_activity
           where datname = current_database() and pid <> pg_backend_pid()"""
    )
    library.rows("drop schema public cascade; create schema public")
    schemas.build(library.connection, library.version)
    library.rows("set session_replication_role = replica")
    for name, texts in kept.items():
        library.rows(f'delete from public."{name}"')
        library.rows(f'insert into public."{name}" select (r::public."{name}").* from unnest(%s::text[]) r', texts)
    library.rows("reset session_replication_role")


def test_what_a_restored_dump_does_not_have_is_not_there_to_be_undone(library, scene, params, run, folder) -> None:
    """It was committed, and is not in the state that was restored."""
    with restored_in_place(library):
        before = library.snapshot()
        run()
    assert library.snapshot() == before
    (past,) = transfer.list_past(params, folder)
    assert past.state == transfer.NOT_THERE
    assert "restored" in refused(library, params, past.path).why


def test_what_a_restored_dump_has_can_be_undone(library, params, run, folder) -> None:
    before = library.snapshot(ignore=NOT_PUT_BACK)
    run()
    with restored_in_place(library):
        pass
    (past,) = transfer.list_past(params, folder)
    assert past.state == "committed"
    transfer.undo(params, past.path, transfer.How(dry_run=False))
    assert library.snapshot(ignore=NOT_PUT_BACK) == before


def test_one_of_another_immich_is_refused(library, params, journal) -> None:
    """None of its rows is here, nor a photo that lacks any of them."""

    def strange(text: str) -> str:
        return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}-)", r"00000000\1", text)

    header, *records, _checksum = lines(journal)
    sample = json.loads(strange(json.dumps(json.loads(header)["sample"])))
    texts = [json.dumps(json.loads(header) | {"sample": sample}), *map(strange, records)]
    digest = hashlib.sha256("".join(f"{text}\n" for text in texts).encode()).hexdigest()
    repack(journal, [*texts, json.dumps({"sha256": digest})])
    assert [past.state for past in transfer.list_past(params, journal.parent)] == [transfer.NOT_THERE]
    assert "another Immich" in refused(library, params, journal).why


# ---- more than one --------------------------------------------------------------------------------------------------


def test_a_second_undo_is_refused(library, params, journal) -> None:
    transfer.undo(params, journal, transfer.How(dry_run=False))
    (past,) = transfer.list_past(params, journal.parent)
    assert past.state == "undone"
    refused(library, params, journal)
    refused(library, params, past.path)


def test_the_same_photos_again_and_again(library, scene, run, folder, params, monkeypatch) -> None:
    """Each run has a file of its own, also within one second."""
    header = transfer.journal_header
    when = {"when": "2026-11-22T20:00:00+01:00"}
    monkeypatch.setattr(transfer, "journal_header", lambda *args: header(*args) | when)
    before = library.snapshot(ignore=NOT_PUT_BACK)
    for number in range(1, 4):
        run()
        past = transfer.list_past(params, folder)
        assert [entry.state for entry in past] == ["committed"] + ["undone"] * (number - 1)
        transfer.undo(params, past[0].path, transfer.How(dry_run=False))
        assert library.snapshot(ignore=NOT_PUT_BACK) == before
    assert [entry.state for entry in transfer.list_past(params, folder)] == ["undone"] * 3


def test_a_second_transfer_while_the_first_stands(library, scene, run, folder, params) -> None:
    """It moves nothing more; its undo gives nothing back."""
    run()
    between = library.snapshot(ignore=NOT_PUT_BACK)
    assert run().assets == 0
    second, first = transfer.list_past(params, folder)
    assert transfer.undo(params, second.path, transfer.How(dry_run=False)).assets == 0
    assert library.snapshot(ignore=NOT_PUT_BACK) == between
    assert transfer.undo(params, first.path, transfer.How(dry_run=False)).assets == scene.moving


def test_the_list_is_newest_first(library, anna, run, folder, params) -> None:
    names = [f"Album {number}" for number in range(4)]
    for name in names:
        run(library.album(anna, name, [library.asset(anna)]))
    past = transfer.list_past(params, folder)
    assert [entry.header["selection"]["name"] for entry in past] == names[::-1]
    transfer.undo(params, past[2].path, transfer.How(dry_run=False))
    past = transfer.list_past(params, folder)
    assert [entry.header["selection"]["name"] for entry in past] == names[::-1]
    assert [entry.state for entry in past] == ["committed", "committed", "undone", "committed"]


def test_an_empty_list(params, folder) -> None:
    assert transfer.list_past(params, folder) == ()
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    assert transfer.list_past(params, folder) == ()
    assert (folder / "notes.txt").exists()


# ---- what became of it its rows say ----------------------------------------------------------------------------------


def as_if(path: Path, suffix: str, **changes: Any) -> Path:
    """Give a file another state, and its header other values."""
    texts = lines(path)
    repack(path, [json.dumps(json.loads(texts[0]) | changes), *texts[1:]])
    return path.rename(path.with_name(path.name.removesuffix(".jsonl.gz") + suffix))


def test_a_file_whose_commit_was_not_heard_of_is_settled(library, params, journal) -> None:
    """As soon as the transaction has ended: until then its lock is taken."""
    path = as_if(journal, ".pending.jsonl.gz")
    connection = psycopg2.connect(**params)
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", (transfer.ADVISORY_LOCK,))
        assert [past.state for past in transfer.list_past(params, journal.parent)] == ["under way"]
        refused(library, params, path, transfer.AnotherRun)
    connection.close()
    assert [past.state for past in transfer.list_past(params, journal.parent)] == ["committed"]
    assert journal.exists()


def test_a_run_that_was_rolled_back_is_not_there(library, scene, params, run, folder, monkeypatch) -> None:
    """Killed before its COMMIT: the file is there, the rows are not."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(transfer, "commit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        patch.setattr(Path, "unlink", lambda *_args, **_more: None)
        run()
    (past,) = transfer.list_past(params, folder)
    assert past.state == "undone"
    refused(library, params, past.path)
    run()  # once more, and this time to its end: one of the two is there
    assert [past.state for past in transfer.list_past(params, folder)] == ["committed", "undone"]


def test_an_undo_goes_on_when_what_was_in_its_way_is_gone(library, scene, params, journal) -> None:
    """A photo that was uploaded again stays until that copy is deleted for good."""
    checksum = library.value("select checksum from asset where id = %s", scene.lake)
    again = library.asset(scene.anna, "again.jpg")
    library.rows("update asset set checksum = %s where id = %s", checksum, again)
    first = transfer.undo(params, journal, transfer.How(dry_run=False))
    assert [reason for reason, _names in first.stays] == ["again"]
    assert library.owner_of(scene.lake) == scene.ben
    assert [past.state for past in transfer.list_past(params, journal.parent)] == ["committed"]
    library.rows("delete from asset where id = %s", again)
    second = transfer.undo(params, journal, transfer.How(dry_run=False))
    assert not second.stays
    assert library.owner_of(scene.lake) == scene.anna
    assert problems(library) == set()


# ---- memory ---------------------------------------------------------------------------------------------------------


def peak(reset: bool = False) -> int:
    """The most memory that this process has held since the last reset, in bytes."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="only Linux tells")
def test_a_long_journal_needs_no_memory(library, scene, params, folder) -> None:
    """Neither when it is written nor when it is read: 30 MB of rows here."""
    count, values = 30_000, {"giver": scene.anna, "taker": scene.ben, "everything": True, "same_person": False}
    with transfer.database(params) as connection, connection.cursor() as cursor:
        tx = transfer.opened(cursor, values)
        transfer.create_tables(tx)
        transfer.run(
            tx,
            """INSERT INTO journal (kind, "table", key, before, after)
               SELECT 'changed', 'asset', jsonb_build_object('id', gen_random_uuid()),
                   jsonb_build_object('ownerId', gen_random_uuid(), 'checksum', repeat('x', 500)),
                   jsonb_build_object('ownerId', gen_random_uuid(), 'checksum', repeat('y', 500))
               FROM generate_series(1, %(count)s)""",
            count=count,
        )
        before = peak(reset=True)
        path = transfer.write_journal(tx, transfer.Report(), folder, "transfer")
        assert peak() - before < 12_000_000
        assert path.stat().st_size < 6_000_000
        before = peak(reset=True)
        transfer.load_past(tx, path, transfer.read_header(path))
        assert peak() - before < 12_000_000
        assert transfer.one_value(tx, "SELECT count(*) FROM past") == count
        connection.rollback()
