"""Whatever goes wrong with the database becomes one sentence with a way out; the session looks after Immich's rows."""

import re
import signal
import socket
import struct
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import certifi
import psycopg2
import psycopg2.extensions
import pytest
from psycopg2 import sql

import transfer
from tests import postgres
from tests.terminal import Installation, Terminal, installation
from transfer import TransferError

CERTIFICATES = Path(certifi.where())
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("database")) as made:
        made.library.album(made.alice, "Trip", [made.library.asset(made.alice, f"{n}.jpg") for n in range(3)])
        made.save()
        yield made


@pytest.fixture(autouse=True)
def no_wait_callback() -> Iterator[None]:
    """transfer.connect sets a callback for the whole process: take it away from the tests that follow."""
    yield
    psycopg2.extensions.set_wait_callback(None)


@pytest.fixture
def empty() -> Iterator[str]:
    server = postgres.server()
    name = server.unique("empty")
    server.create(name)
    yield name
    server.drop(name)


def words(error: TransferError) -> str:
    return " ".join((error.what, error.why, error.todo))


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Fails, instead of hanging, when the block takes longer."""

    def late(*_: object) -> None:
        raise AssertionError(f"still waiting after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def opening(database: dict[str, Any], secret: str = "the-password", seconds: int = 90) -> TransferError:
    """The error that opening this database ends with. The password is in nothing that can be printed of it."""
    with (
        at_most(seconds),
        pytest.raises(TransferError) as caught,
    ):
        transfer.list_albums(None, {"password": secret, **database}, NOBODY)
    printed = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + words(caught.value)
    assert (database.get("password") or secret) not in printed
    assert "\n" not in words(caught.value)
    assert caught.value.what.endswith(".")
    return caught.value


def request(there: Installation) -> transfer.Request:
    album = there.library.value("select id from album where \"albumName\" = 'Trip'")
    return transfer.Request(there.alice, there.bob, album)


# Reaching the server


def password_is_asked(params: dict[str, Any]) -> bool:
    try:
        psycopg2.connect(**{**params, "password": "surely wrong"}).close()
    except psycopg2.Error:
        return True
    return False


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"port": None}, "Connection refused"),
        ({"host": "no-such-host.invalid"}, 'could not translate host name "no-such-host.invalid"'),
        ({"dbname": "no_such_database"}, 'database "no_such_database" does not exist'),
        ({"dbname": "roles"}, 'database "roles" does not exist'),
        ({"password": "wrong-secret"}, "password authentication failed for user"),
        ({"user": "nobody_of_that_name"}, 'password authentication failed for user "nobody_of_that_name"'),
        ({"password": ""}, "no password supplied"),
    ],
    ids=str,
)
def test_what_was_tried_and_what_the_library_said(shared: Installation, changed: dict[str, Any], said: str) -> None:
    database = {**shared.params, **changed, "port": changed.get("port", shared.params["port"]) or postgres.free_port()}
    if "password" in said and not password_is_asked(shared.params):
        pytest.skip("this server asks for no password")
    error = opening(database, "wrong-secret")
    assert error.what == (
        f"The database {database['dbname']} at {database['host']}, port {database['port']}, cannot be opened as "
        f"{database['user']}."
    )
    assert said in error.why
    assert "Immich's .env" in error.todo and "does not publish port 5432" in error.todo


@contextmanager
def speaking_server(reply: bytes | None) -> Iterator[int]:
    """The port of a server that refuses encryption, and answers the rest with these bytes; never, if None."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    while (packet := connection.recv(4096))[4:8] in (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"):
                        connection.sendall(b"N")
                    if packet and reply is not None:
                        connection.sendall(reply)
                    elif reply is None:
                        over.wait()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        over.set()
        listener.shutdown(socket.SHUT_RDWR)


def fatal(message: str, code: str) -> bytes:
    """An ErrorResponse of PostgreSQL's protocol."""
    fields = b"".join(
        name + text.encode() + b"\0" for name, text in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", code), (b"M", message))
    )
    return b"E" + struct.pack(">i", len(fields) + 5) + fields + b"\0"


CERTIFIED = {"sslrootcert": str(CERTIFICATES)}
SSL_TODO = "Turn it on at the server"  # the way out is never to do without
# What answers at the port, with which settings, what is said of it, and what to do.
ANSWERS: dict[str, tuple[bytes | None, dict[str, Any], str, str]] = {
    "not allowed": (fatal('no pg_hba.conf entry for host "10.0.0.1", user "me"', "28000"), {}, "no pg_hba.conf", ""),
    "starting": (fatal("the database system is starting up", "57P03"), {}, "is starting up", ""),
    "too many": (fatal("sorry, too many clients already", "53300"), {}, "too many clients already", ""),
    "another language": (fatal("Passwort für Benutzer »me« fehlgeschlagen", "28P01"), {}, "für Benutzer »me«", ""),
    "nothing": (b"", {}, "", ""),
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n", {}, "", ""),
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", {}, "", ""),
    "an odd login": (b"R\0\0\0\x08\0\0\0\x63", {}, "", ""),
    "zeros": (b"\0" * 50, {}, "", ""),
    "silence": (None, {}, "timeout expired", ""),
    "silence, and the time-out of the settings": (None, {"connect_timeout": 2}, "timeout expired", ""),
    "no TLS": (b"", {"sslmode": "require", **CERTIFIED}, "does not support SSL", SSL_TODO),
    "no TLS, verified": (b"", {"sslmode": "verify-full", **CERTIFIED}, "does not support SSL", SSL_TODO),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_answers_at_the_port(shared: Installation, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    reply, changed, said, todo = ANSWERS[name]
    monkeypatch.setitem(transfer.CONNECT_DEFAULTS, "connect_timeout", 900 if "connect_timeout" in changed else 1)
    with speaking_server(reply) as port:
        error = opening({**shared.params, "port": port, **changed})
    assert "cannot be opened" in error.what and said in error.why and todo in error.todo and error.todo
    assert len(words(error)) < 700


def test_immichs_own_port_instead_of_the_databases(shared: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the rest of a request."""
    monkeypatch.setitem(transfer.CONNECT_DEFAULTS, "connect_timeout", 1)
    assert "cannot be opened" in opening({**shared.params, "port": shared.immich.port}).what


@pytest.mark.parametrize("name", ["host", "dbname", "user"])
@pytest.mark.parametrize("text", ["postgres://me:the-password@db/immich", "host=db password=the-password"])
def test_a_connection_string_where_a_name_belongs_is_not_shown(shared: Installation, name: str, text: str) -> None:
    opening({**shared.params, "port": postgres.free_port(), name: text})
    config = transfer.Config("http://x", "key", {name: text})
    server = transfer.Server("3.3.0", "", "", True, False, ())
    assert "the-password" not in transfer.connected_to(transfer.State(shared.path, config, server))


ODD: list[dict[Any, Any]] = [
    *({"no_such_option": "x"}, {"port": "x"}, {"port": 99999}, {"port": []}, {"sslmode": "perhaps"}, {1: 2}),
    *({"password": "secret\0secret"}, {"password": "secret\ud800secret"}, {"host": "\0"}, {"host": "x" * 300}),
    *({"options": "-c no_such_setting=1"}, {"options": "-c lock_timeout=soon"}, {"database": "twice"}),
    {"sslmode": "verify-full", "sslrootcert": "/nonexistent/ca.pem"},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_settings_that_psycopg2_does_not_take(shared: Installation, odd: dict[Any, Any]) -> None:
    opening({**shared.params, **odd})


# Not Immich's database


def test_an_empty_database_and_an_old_one(empty: str) -> None:
    server = postgres.server()
    assert "not Immich's database" in opening(server.params(empty), server.password).what
    connection = server.connect(empty)
    with connection.cursor() as cursor:
        cursor.execute("create table assets (id uuid); create table users (id uuid)")
    connection.close()
    error = opening(server.params(empty), server.password)
    assert "too old" in error.what and "assets" in error.why and "Upgrade" in error.todo


@pytest.mark.parametrize(
    ("table", "column"), [("asset", "livePhotoVideoId"), ("session", "isPendingSyncReset"), ("tag_closure", None)]
)
def test_what_is_missing_is_named(shared: Installation, table: str, column: str | None) -> None:
    there, gone = (f'column "{column}" to gone', f'column gone to "{column}"') if column else ("to gone", f"to {table}")
    shared.library.rows(f"alter table {table} rename {there}")
    try:
        error = opening(shared.params, shared.params["password"])
    finally:
        shared.library.rows(f"alter table {table if column else 'gone'} rename {gone}")
    assert f"{table}.{column or ''}" in error.why
    assert "newer version" in error.todo


# What the server lets us do


@contextmanager
def role(there: Installation, rights: str = "") -> Iterator[dict[str, Any]]:
    """The settings of a user who is no superuser, made for the length of a with block."""
    name = postgres.server().unique("role")
    who = sql.Identifier(name)
    run = there.library.rows
    run(sql.SQL("create role {} login password 'role-secret'").format(who))
    try:
        if rights:
            run(sql.SQL("grant " + rights + " on all tables in schema public to {}").format(who))
        yield {**there.params, "user": name, "password": "role-secret"}
    finally:
        run(sql.SQL("drop owned by {}; drop role {}").format(who, who))


@pytest.mark.parametrize("rights", ["", "select"])
def test_a_role_without_rights(shared: Installation, rights: str) -> None:
    before = shared.library.snapshot()
    with role(shared, rights) as params, pytest.raises(TransferError) as caught:
        transfer.transfer(params, request(shared), transfer.How(dry_run=True))
    assert "The database user may not do that (permission denied" in caught.value.why
    assert "Use Immich's own" in caught.value.todo
    assert "role-secret" not in words(caught.value)
    assert shared.library.snapshot() == before


@pytest.mark.parametrize("place", ["database", "options"])
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_database_that_only_allows_reading(shared: Installation, place: str, dry_run: bool) -> None:
    """Somebody has set it on purpose, or it is a replica: it must not be overridden."""
    params = shared.params
    name = sql.Identifier(params["dbname"])
    if place == "options":
        params = {**params, "options": "-c default_transaction_read_only=on"}
    else:
        shared.library.rows(sql.SQL("alter database {} set default_transaction_read_only = on").format(name))
    before = shared.library.snapshot()
    try:
        with pytest.raises(TransferError) as caught:
            transfer.transfer(params, request(shared), transfer.How(dry_run=dry_run))
        assert "only allows reading" in caught.value.why
        assert shared.library.snapshot() == before
    finally:
        shared.library.rows("set default_transaction_read_only = off")
        shared.library.rows(sql.SQL("alter database {} reset default_transaction_read_only").format(name))
        for asset in shared.library.rows('select id from asset where "ownerId" = %s', shared.bob):
            shared.library.rows('update asset set "ownerId" = %s where id = %s', shared.alice, asset[0])


# The session


def settings_of(database: dict[str, Any], *names: str) -> dict[str, str]:
    """The settings during a transaction, as SHOW gives them."""
    with transfer.looking(database) as tx:
        return {name: transfer.one_value(tx, f"show {name}") for name in names}


# What DB_CONFIG has, and the settings then. PostgreSQL 14 brought that of the connection check.
ASKED = "-c lock_timeout=3s -c idle_in_transaction_session_timeout=7s"
SESSION = {"lock_timeout": "10s", "idle_in_transaction_session_timeout": "1min", "application_name": "transfer.py"}
SESSIONS: list[tuple[dict[str, str], dict[str, str]]] = [
    ({}, SESSION),
    ({}, {"client_connection_check_interval": "10s"}),
    # a table of the same name in a schema of the user's own must not be taken for Immich's
    ({}, {"search_path": "pg_temp, public"}),
    ({"options": "-c lock_timeout=3s"}, SESSION | {"lock_timeout": "3s"}),
    ({"options": ASKED}, SESSION | {"lock_timeout": "3s", "idle_in_transaction_session_timeout": "7s"}),
    ({"application_name": "mine"}, SESSION | {"application_name": "mine"}),
]


@pytest.mark.parametrize(("asked", "wanted"), SESSIONS, ids=str)
def test_the_session_looks_after_immichs_rows(
    shared: Installation, asked: dict[str, str], wanted: dict[str, str]
) -> None:
    assert settings_of({**shared.params, **asked}, *wanted) == wanted


def test_what_the_tool_relies_on_is_not_the_persons_to_choose(shared: Installation) -> None:
    """Nor is what was told as done lost, where COMMIT does not wait for the disk otherwise."""
    options = "-c default_transaction_isolation=serializable -c timezone=Asia/Tokyo -c synchronous_commit=off"
    database = {**shared.params, "options": f"{options} -c client_encoding=LATIN1", "client_encoding": "LATIN1"}
    ours = {
        "transaction_isolation": "read committed",
        "TimeZone": "UTC",
        "client_encoding": "UTF8",
        "synchronous_commit": "on",
    }
    assert settings_of(database, *ours) == ours
    with transfer.file_session(database) as tx:  # moves files in many transactions
        tx.cursor.connection.commit()
        assert {name: transfer.one_value(tx, f"show {name}") for name in ours} == ours


def test_time_limits_of_the_user_are_set_aside(shared: Installation) -> None:
    """A whole library takes its time. What stands in DB_CONFIG is meant for this tool, and counts."""
    names = ("statement_timeout", "transaction_timeout", "idle_session_timeout", "lock_timeout")
    there = [name for (name,) in shared.library.rows("select name from pg_settings where name = any(%s)", list(names))]
    with role(shared, "select") as params:
        for name in there:
            shared.library.rows(f"alter role {params['user']} set {name} = '1234s'")
        assert settings_of(params, *there) == dict.fromkeys(there, "0") | {"lock_timeout": "10s"}
        options = {"options": "-c statement_timeout=7s"}
        assert settings_of({**params, **options}, "statement_timeout") == {"statement_timeout": "7s"}


# During work


def test_rows_that_somebody_holds(shared: Installation) -> None:
    before = shared.library.snapshot()
    params = {**shared.params, "options": "-c lock_timeout=200ms"}
    with shared.locked(), pytest.raises(TransferError) as caught:
        transfer.transfer(params, request(shared), transfer.How(dry_run=True))
    assert "working on the same rows" in caught.value.why
    assert "Job Queues" in caught.value.todo
    assert shared.library.snapshot() == before


def test_another_run_of_the_tool(shared: Installation) -> None:
    other = postgres.server().connect(shared.params["dbname"])
    try:
        with other.cursor() as cursor:
            cursor.execute("select pg_advisory_lock(%s)", (transfer.ADVISORY_LOCK,))
        with pytest.raises(transfer.AnotherRun, match="Another run"):
            transfer.transfer(shared.params, request(shared), transfer.How(dry_run=True))
    finally:
        other.close()
    assert shared.wait_for_no_session() == []


def test_a_server_that_dies_half_way(shared: Installation) -> None:
    """The tool says so, changes nothing, and goes on when the server is back."""
    before = shared.library.snapshot()
    with Terminal(shared.path) as terminal:
        terminal.menu("3")
        terminal.pick("Source user", "alice@example.com")
        terminal.pick("Albums of", "Trip")
        with shared.locked():
            terminal.pick("Destination user", "bob@example.com")
            terminal.answer("Number (1-4")  # what becomes of the album itself
            assert shared.wait_for_lock_wait()
            shared.library.rows(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'transfer.py' and datname = current_database()"
            )
            screen = terminal.menu("1")
        assert "The connection to the database was lost." in screen
        assert "Nothing was changed." in screen
        assert "Traceback" not in screen
        assert "Alice <alice@example.com>" in terminal.menu("0")
        assert terminal.end()[0] == 0
    assert shared.library.snapshot() == before


def test_an_error_nobody_expected_is_still_a_sentence(shared: Installation) -> None:
    with (
        pytest.raises(TransferError) as caught,
        transfer.database(shared.params) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select 1 / 0")
    assert "division by zero" in caught.value.why
    assert re.search("report", caught.value.todo)


def test_no_session_is_left(shared: Installation) -> None:
    transfer.transfer(shared.params, request(shared), transfer.How(dry_run=True))
    with suppress(TransferError):
        transfer.transfer(
            shared.params, transfer.Request(shared.alice, shared.alice, NOBODY), transfer.How(dry_run=True)
        )
    assert shared.wait_for_no_session() == []
