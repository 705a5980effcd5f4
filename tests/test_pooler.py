"""Behind PgBouncer in transaction mode each transaction gets any connection of the pool, which others use as well."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg2
import pytest

import transfer
from tests import family, postgres
from tests.conftest import NOT_PUT_BACK, repair_one
from tests.library import Library

PGBOUNCER = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"

pytestmark = [
    pytest.mark.skipif(not os.access(PGBOUNCER, os.X_OK), reason="pgbouncer is not installed"),
    pytest.mark.every_version,
]


@pytest.fixture
def pooled(params: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The settings that lead to the library through a pool of a single connection."""
    home, port = tmp_path_factory.mktemp("pgbouncer"), postgres.free_port()
    target = " ".join(f"{name}='{params[name]}'" for name in ("host", "port", "user", "password"))
    (home / "settings.ini").write_text(
        f"[databases]\n* = {target}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = 1\nunix_socket_dir =\nlogfile = {home}/log\n"
        "max_packet_size = 2147483647\n"
    )
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:  # as whom it refuses to run
        account = postgres.unprivileged_account()
        identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": ()}
        for path in (home, home / "settings.ini"):
            os.chown(path, account.pw_uid, account.pw_gid)
        for folder in home.parents:  # one more of them with several processes
            if folder == Path(tempfile.gettempdir()):
                break
            folder.chmod(0o711)
    pooler = subprocess.Popen([PGBOUNCER, "-q", str(home / "settings.ini")], **identity)
    try:
        found = {**params, "host": "127.0.0.1", "port": port}
        until = time.monotonic() + 90
        while pooler.poll() is None and time.monotonic() < until:
            with suppress(psycopg2.OperationalError):
                psycopg2.connect(**found).close()
                break
            time.sleep(0.05)
        assert pooler.poll() is None, "pgbouncer has ended"
        yield found
    finally:
        pooler.kill()
        pooler.wait()


def left_behind(pooled: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What another program would meet that gets the connection next."""
    connection = psycopg2.connect(**pooled)
    try:
        with connection.cursor() as cursor:
            cursor.execute("""
                SELECT name, setting FROM pg_settings WHERE source = 'session'
                    AND name NOT IN ('application_name', 'client_encoding', 'DateStyle', 'TimeZone',
                                     'standard_conforming_strings', 'transaction_isolation')
                UNION ALL SELECT 'temporary', relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()
                UNION ALL SELECT 'lock', objid::text FROM pg_locks WHERE locktype = 'advisory'
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """)
            return cursor.fetchall()
    finally:
        connection.close()


def test_all_that_is_one_transaction_works(library: Library, pooled: dict[str, Any], tmp_path: Path) -> None:
    people = family.build(library, older_transfer=True)
    library.settle_usage()
    folder = tmp_path / "transfers"
    before = library.snapshot(ignore=NOT_PUT_BACK)
    request = transfer.Request(people.alice, people.bob, everything=True)
    shown = transfer.transfer(pooled, request, transfer.How())
    assert left_behind(pooled) == []
    how = transfer.How(dry_run=False, expected_digest=shown.digest, undo_folder=folder)
    done = transfer.transfer(pooled, request, how)
    assert (done.assets, done.wrong_after) == (shown.assets, 0)
    assert left_behind(pooled) == []
    assert transfer.find_faults(pooled)
    (past,) = transfer.list_past(pooled, folder)
    assert transfer.undo(pooled, past.path, transfer.How(dry_run=False)).wrong_after == 0
    assert library.snapshot(ignore=NOT_PUT_BACK) == before
    mended = repair_one(pooled, people.bob, transfer.How(dry_run=False, undo_folder=folder))
    assert mended.wrong_after == 0
    transfer.list_albums(None, pooled, people.alice)
    transfer.list_lying(pooled)
    assert left_behind(pooled) == []


def test_what_was_added_meanwhile_is_seen_afterwards(
    library: Library, pooled: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look after the commit knows what the transaction was about, although nothing of that is left."""
    anna, ben = library.user("Anna"), library.user("Ben")
    photo = library.asset(anna)
    album = library.album(anna, "Trip", [photo])
    commit = transfer.commit

    def tagged(*arguments: Any) -> None:
        commit(*arguments)
        library.tag_assets(library.tag(anna, "late"), photo)

    monkeypatch.setattr(transfer, "commit", tagged)
    assert transfer.transfer(pooled, transfer.Request(anna, ben, album), transfer.How(dry_run=False)).wrong_after == 1


def test_files_are_not_moved_through_it(library: Library, pooled: dict[str, Any], tmp_path: Path) -> None:
    for dry_run in (True, False):
        with pytest.raises(transfer.TransferError, match="pooler such as PgBouncer") as caught:
            transfer.move_files(pooled, tmp_path, tmp_path, dry_run=dry_run)
        assert "menu entry 7" in caught.value.todo
