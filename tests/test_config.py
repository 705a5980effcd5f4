"""config.py: what is saved is what is read, nobody else can read it, and nothing in it is ever run."""

import gzip
import os
import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import transfer
from tests.terminal import Terminal
from transfer import Config, ConfigBroken, ConfigMissing, TransferError

pytestmark = pytest.mark.screens

URL = "http://192.168.1.10:2283"
DATABASE = {"host": "localhost", "port": 5432, "dbname": "immich", "user": "postgres", "password": "postgres"}
CONFIG = Config(URL, "key", DATABASE)

# Whatever Python's str can hold: quotes, NUL, line ends, lone surrogates.
ANYTHING = st.text(st.characters(exclude_categories=()))
NASTY = [
    '\'"\\"""',
    "\\",
    "two\nlines\r\n",
    "\u2028\x85\x1c\0\x1b[31m",
    "\udfff\ud800",
    "{x}%s%(y)s$z",
    '"\nimport os\n"',
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.py"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Saved and read again


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=ANYTHING.filter(bool) | st.sampled_from(NASTY),
    database=st.dictionaries(ANYTHING, st.one_of(ANYTHING, st.integers(), st.booleans(), st.none()), min_size=1),
)
def test_every_character_and_every_type_survives(path: Path, key: str, database: dict[str, Any]) -> None:
    config = Config(URL, key, database)
    transfer.save_config(path, config)
    assert transfer.load_config(path) == config
    assert list(transfer.load_config(path).database) == list(database)


def test_the_permissions_of_a_key_are_named_alike_everywhere() -> None:
    needed = {*transfer.KEY_PERMISSIONS, *transfer.ADMIN_KEY_PERMISSIONS, *transfer.ADMIN_KEY_WISHES}
    for name in (".github/docs/database.md", "config.example.py"):
        text = Path(transfer.__file__).parent.joinpath(name).read_text()
        text = text[text.index("Account Settings > API Keys") :][:400]
        assert set(re.findall(r"\b[a-zA-Z]+\.(?:read|create)\b|\bmaintenance\b", text)) == needed, name


def test_the_example_is_a_configuration() -> None:
    config = transfer.load_config(Path(transfer.__file__).with_name("config.example.py"))
    assert config.api_url == URL
    assert config.database.keys() == DATABASE.keys()


# Who may read it, and what is left when writing fails


@pytest.mark.parametrize("before", [None, 0o644, 0o666], ids=["new", "0644", "0666"])
def test_only_its_owner_may_ever_read_it(path: Path, monkeypatch: pytest.MonkeyPatch, before: int | None) -> None:
    """The new file is 0600 before its first byte, not only at the end."""
    if before is not None:
        path.write_text("x")
        path.chmod(before)
    seen = []
    original = os.replace

    def replace(new: str, old: Path) -> None:
        seen.append(mode(Path(new)))
        original(new, old)

    monkeypatch.setattr(transfer.os, "replace", replace)
    old = os.umask(0)
    try:
        transfer.save_config(path, CONFIG)
    finally:
        os.umask(old)
    assert (seen, mode(path), os.listdir(path.parent)) == ([0o600], 0o600, ["config.py"])


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "Ctrl-C"])
def test_a_failing_write_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    transfer.save_config(path, CONFIG)
    before = path.read_bytes()

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(transfer.os, step, fail)
    with pytest.raises((TransferError, KeyboardInterrupt)) as caught:
        transfer.save_config(path, Config(URL, "other", DATABASE))
    if isinstance(error, OSError):
        assert (caught.value.what, caught.value.why) == (f"{path} could not be written.", "No space left on device")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["config.py"]


def test_a_link_stays_a_link(tmp_path: Path, path: Path) -> None:
    target = tmp_path / "elsewhere" / "secrets.py"
    target.parent.mkdir()
    target.write_text("x")
    target.chmod(0o644)
    path.symlink_to(target)
    transfer.save_config(path, CONFIG)
    assert path.is_symlink()
    assert not target.is_symlink()
    assert mode(target) == 0o600
    assert transfer.load_config(target) == CONFIG
    assert os.listdir(target.parent) == ["secrets.py"]


@pytest.mark.parametrize("place", ["missing/config.py", "."])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    with pytest.raises(TransferError, match="could not be written"):
        transfer.save_config(tmp_path / place, CONFIG)
    assert os.listdir(tmp_path) == []


def test_a_link_to_itself_is_no_crash(path: Path) -> None:
    path.symlink_to(path)
    for each in (path, path.parent):
        with pytest.raises(ConfigBroken, match="cannot be read"):
            transfer.load_config(each)
    with pytest.raises(TransferError, match="could not be written"):
        transfer.save_config(path, CONFIG)


def test_clearing_deletes_it_and_may_be_repeated(tmp_path: Path, path: Path) -> None:
    transfer.save_config(path, CONFIG)
    transfer.clear_config(path)
    transfer.clear_config(path)
    assert not path.exists()
    with pytest.raises(TransferError, match="could not be deleted"):
        transfer.clear_config(tmp_path)


# Only files of a sane size


ENDLESS = {
    "pipe": os.mkfifo,
    "zeros": lambda path: path.symlink_to("/dev/zero"),
    "large": lambda path: (path.touch(), os.truncate(path, 200 * 2**20)),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_has_no_end_is_not_read(path: Path, kind: str) -> None:
    """Neither is a pipe waited for that nobody writes to."""
    ENDLESS[kind](path)
    why = "more than 1 MiB" if kind == "large" else "no regular file"
    with pytest.raises(ConfigBroken) as caught:
        transfer.load_config(path)
    assert why in caught.value.why
    with pytest.raises(TransferError) as caught:
        transfer.read_env_file(path)
    assert why in caught.value.why


@pytest.mark.parametrize("kind", ["pipe", "zeros"])
def test_an_undo_file_that_is_none_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x{transfer.COMMITTED}"
    ENDLESS[kind](path)
    with pytest.raises(transfer.JournalBroken, match="regular file"):
        transfer.read_header(path)
    with pytest.raises(transfer.JournalBroken, match="regular file"):
        list(transfer.read_journal(path))


def test_an_undo_file_that_is_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "JOURNAL_LINE", 2**20)
    path = tmp_path / f"x{transfer.COMMITTED}"
    with gzip.open(path, "wb") as file:
        file.write(b" " * 2**24)
    with pytest.raises(transfer.JournalBroken, match="larger than any"):
        list(transfer.read_journal(path))
    monkeypatch.setattr(transfer, "JOURNAL_SIZE", 2**20)
    with gzip.open(path, "wb") as file:
        file.write(b"[]\n" * 2**20)
    with pytest.raises(transfer.JournalBroken, match="larger than any"):
        list(transfer.read_journal(path))
    monkeypatch.undo()
    monkeypatch.setattr(transfer, "JOURNAL_LINES", 2**16)
    with pytest.raises(transfer.JournalBroken, match="larger than any"):
        list(transfer.read_journal(path))


@pytest.mark.parametrize("bits", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_closed_to_them(path: Path, bits: int) -> None:
    transfer.save_config(path, replace(CONFIG, api_url="http://127.0.0.1:1"))
    path.chmod(bits)
    for words in ("Others on this computer could read", "Not connected."):
        with Terminal(path) as terminal:
            screen = terminal.menu("0")
        assert words in screen
        assert mode(path) == 0o600
    assert "Others on this computer" not in screen


# Data, not code

GOOD = "API_URL = 'http://localhost:2283'\nAPI_KEY = 'key'\nDB_CONFIG = {'host': 'localhost'}\n"


def test_a_missing_file_is_not_a_broken_one(path: Path) -> None:
    with pytest.raises(ConfigMissing, match="no configuration"):
        transfer.load_config(path)


@pytest.mark.parametrize(
    "code",
    [
        "import os",
        "{run}",
        "API_KEY = {run}",
        "API_KEY = 'x' + str({run})",
        "API_KEY = f'{{{run}}}'",
        "API_KEY = [{run} for x in (1,)]",
        "API_KEY = (lambda: {run})()",
        "DB_CONFIG = {{'host': {run}}}",
        "DB_CONFIG = {{{run}: 'host'}}",
        "DB_CONFIG = dict(host={run})",
        "DB_CONFIG = {{**{run}}}",
        "if True:\n    {run}",
        "class A:\n    {run}",
        "@{run}\ndef f(): pass",
        "def f(x={run}): pass",
        "with {run}: pass",
        "assert {run}",
        "x: {run} = 1",
        "x.y = {run}",
        "(x := {run})",
        "x = y = 1",
        "x, y = 1, 2",
        "x += 1",
        "del x",
    ],
)
def test_code_is_refused_and_not_run(path: Path, tmp_path: Path, code: str) -> None:
    marker = tmp_path / "marker"
    code = code.format(run=f"__import__('pathlib').Path({str(marker)!r}).touch()")
    path.write_text(GOOD + code + "\n")
    with pytest.raises(ConfigBroken, match="line [4-6]") as caught:
        transfer.load_config(path)
    assert caught.value.todo
    assert not marker.exists()


NOT_CLOSED = "(" * 300 + ")" * 300
# What is no configuration: its text or its bytes, and what is said of it.
REFUSED: list[tuple[str | bytes, str]] = [
    ("API_URL = 'http://x'\nAPI_KEY = 'it's'\n", "line 2,"),
    ("API_URL = 'http://x'\nAPI_KEY = 'never closed\n", "line 2,"),
    ("API_URL = 'http://x'\n\n\nDB_CONFIG = {\n", "line 4,"),
    ("API_URL = 'http://x'\n  API_KEY = 'x'\n", "line 2,"),
    ("# comment\nAPI_KEY = secret-of-mine\n", "line 2,"),
    ("API_KEY = 'x'\nDB_CONFIG = {[]: 1}\n", "line 2,"),
    (f"API_KEY = 'x'\nDB_CONFIG = {NOT_CLOSED}", "line 2,"),
    ("<<<<<<< HEAD\n", "line 1,"),
    ("API_URL = " + "(" * 10_000, r"cannot be read: \w"),  # Python's parser gives up without a word
    *((each, "cannot be read") for each in (b"API_KEY = '\xff'", b"API_KEY = '\0'", b"\xff\xfeA\0", b"-" * 100_000)),
    *(
        (f"{GOOD}{name} = {value}\n", name)
        for name, values in {
            "API_URL": ("8", "None", "b'http://x'", "['http://x']", "''"),
            "API_KEY": ("12", "True", "b'key'", "''"),
            "DB_CONFIG": ("'host=x'", "[('host', 'x')]", "{'host', 'x'}", "{}", "{1: 'x'}", "{None: 'x'}"),
            "UPLOAD_LOCATION": ("5",),
            "API_HEADERS": ("'CF-Access-Client-Id: x'", "{'CF-Access-Client-Id': 5}", "{'a name': 'x\\n'}"),
        }.items()
        for value in values
    ),
    *(
        ("".join(line + "\n" for line in GOOD.splitlines() if not line.startswith(name)), f"{name} is missing")
        for name in ("API_URL", "API_KEY", "DB_CONFIG")
    ),
    (GOOD.replace("http://localhost:2283", "ftp://localhost"), "not an address"),
]


@pytest.mark.parametrize(("content", "said"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_configuration_is_refused_by_line_or_name(path: Path, content: str | bytes, said: str) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TransferError, match=said) as caught:
        transfer.load_config(path)
    assert str(path) in caught.value.what or said == "not an address"
    assert "secret-of-mine" not in caught.value.what


def test_comments_a_docstring_and_other_names_do_no_harm(path: Path) -> None:
    path.write_text('"""Mine."""\n# comment\nOTHER = [1, (2, None)]\n' + GOOD)
    assert transfer.load_config(path) == Config("http://localhost:2283", "key", {"host": "localhost"})


def test_a_file_from_a_windows_editor_is_read(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert transfer.load_config(path).api_key == "key"


# What goes to the database driver


def test_psycopg2_gets_the_settings_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    given_: dict[str, Any] = {}

    def connect(**settings_: Any) -> None:
        given_.update(settings_)
        raise transfer.psycopg2.OperationalError("Connection refused")

    monkeypatch.setattr(transfer.psycopg2, "connect", connect)
    database = {
        **{"host": "a,b", "port": "1,2", "database": "x", "password": "p\\'\n\0", "sslmode": "verify-full"},
        **{"sslrootcert": "/ca.pem", "options": "-c lock_timeout=1s", "application_name": "mine", "connect_timeout": 3},
    }
    with pytest.raises(TransferError, match="cannot be opened"):
        transfer.connect(database)
    assert {name: given_[name] for name in database} == database
    assert given_.keys() - database.keys() <= {*transfer.CONNECT_DEFAULTS, "client_encoding"}


# Immich's .env


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("postgres", "postgres"),
        ("'single quoted'", "single quoted"),
        ('"double quoted"', "double quoted"),
        (r"'back\slash'", r"back\slash"),
        (r"back\slash", r"back\slash"),
        (r'"quote \" and backslash \\"', 'quote " and backslash \\'),
        ('"it\'s"', "it's"),
        ("'say \"x\"'", 'say "x"'),
        ("plain # comment", "plain"),
        ("'quoted # no comment' # comment", "quoted # no comment"),
        ("hash#inside", "hash#inside"),
        ("#only a comment", ""),
        ("a=b=c", "a=b=c"),
        ("  spaced  ", "spaced"),
        ("'  spaced  '", "  spaced  "),
        ("", ""),
        ("''", ""),
        ("${A}$A-${NONE}", "11-"),
        ("${NONE:-default}${A:-x}${EMPTY:-empty}${EMPTY-y}", "default1empty"),
        ("${A:+set}${NONE:+set}${A:?message}", "set1"),
        ('"${A} $$5 \\$A"', "1 $5 $A"),
        (r"\$A", "$A"),
        ("'${A}'", "${A}"),
        ("$$A", "$A"),
        ("a$", "a$"),
        ("pässwörd😀", "pässwörd😀"),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_quotes_and_comments_in_an_env_file(tmp_path: Path, written: str, password: str, ending: str) -> None:
    path = tmp_path / ".env"
    path.write_bytes(f"A=1{ending}EMPTY={ending}DB_PASSWORD={written}{ending}B=2{ending}".encode())
    assert transfer.read_env_file(path) == {"password": password}


def test_a_whole_env_file(tmp_path: Path) -> None:
    """Immich's own, as its installation page gives it."""
    path = tmp_path / ".env"
    path.write_text(
        "# You can find documentation for all the supported env variables at https://docs.immich.app/\n"
        "UPLOAD_LOCATION=./library\n"
        "DB_DATA_LOCATION=./postgres\n\n"
        "# TZ=Etc/UTC\n"
        "IMMICH_VERSION=v2\n"
        "# DB_PASSWORD=old\n"
        "DB_PASSWORD=postgres\n\n"
        "# The values below this line do not need to be changed\n"
        "export DB_USERNAME = postgres\n"
        "DB_DATABASE_NAME=immich\n"
    )
    database = {"password": "postgres", "user": "postgres", "dbname": "immich"}
    assert transfer.read_env_file(path) == {**database, "media": str(tmp_path.resolve() / "library")}


def test_what_is_optional_is_kept(path: Path) -> None:
    transfer.save_config(path, CONFIG)
    assert "UPLOAD_LOCATION" not in path.read_text() and "API_HEADERS" not in path.read_text()
    config = replace(CONFIG, media="/srv/im'mich \\ ä", headers={"CF-Access-Client-Secret": "it's"})
    transfer.save_config(path, config)
    assert transfer.load_config(path) == config


# Lines of an .env: what is read of them.
LINES = {
    "DB_HOSTNAME=pg\nDB_PORT=5433": {"host": "pg", "port": "5433"},
    "DB_PASSWORD=old\nDB_URL=postgresql://me:p%40ss@[::1]:5433/photos?sslmode=require": {
        **{"user": "me", "password": "p@ss", "host": "::1", "port": "5433", "dbname": "photos", "sslmode": "require"}
    },
    "P=secret\nDB_URL=postgres://me:${P}@pg/immich": {
        **{"user": "me", "password": "secret", "host": "pg", "dbname": "immich"}
    },
    "DB_PASSWORD=old\nDB_PASSWORD_FILE=secret.txt": {"password": "of the file"},
    "DB_PASSWORD_FILE=/run/secrets/none\nDB_USERNAME=me": {"user": "me"},
    "\ufeffDB_PASSWORD=x\r\nDB_USERNAME=me\r\n": {"password": "x", "user": "me"},  # of a Windows editor
    "DB_PASSWORD=older\nDB_PASSWORD=new\nXDB_PASSWORD=no\n": {"password": "new"},
}


@pytest.mark.parametrize("lines", LINES)
def test_what_an_env_file_may_have_instead(path: Path, lines: str) -> None:
    path.with_name("secret.txt").write_text("of the file\n")
    path.write_text(lines)
    found = transfer.read_env_file(path)
    assert found == {"password": "old", **LINES[lines]} if "DB_PASSWORD=old" in lines else found == LINES[lines]


def test_an_address_of_the_database_that_is_none_is_not_shown(path: Path) -> None:
    path.write_text("DB_URL=postgresql://me:hunter2@host:port/x?nonsense=1\n")
    with pytest.raises(TransferError, match="not understood") as caught:
        transfer.read_env_file(path)
    assert "hunter2" not in str(vars(caught.value))


def test_a_folder_is_meant_from_the_env_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the path of that file from the home directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for written, meant in (
        ("UPLOAD_LOCATION=./library", str(tmp_path.resolve() / "library")),
        ('UPLOAD_LOCATION="/mnt/my photos" # there', "/mnt/my photos"),
        ("UPLOAD_LOCATION=${HOME}/library", str(tmp_path.resolve() / "library")),
    ):
        (tmp_path / ".env").write_text(written + "\n")
        assert transfer.read_env_file(Path("~/.env")) == {"media": meant}


@pytest.mark.parametrize("content", [b"", b"A=1\n", b"# DB_PASSWORD=x\n", b"DB_PASSWORD\n", b"\xff\xfe", b"\0" * 10])
def test_an_env_file_with_nothing_in_it_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / ".env"
    path.write_bytes(content)
    with pytest.raises(TransferError, match="has none of|cannot be read") as caught:
        transfer.read_env_file(path)
    assert caught.value.todo


@pytest.mark.parametrize("name", ["missing/.env", ".", "nul\0.env", "~nobody-of-that-name/.env", "x" * 5000])
def test_an_env_file_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TransferError, match="cannot be read") as caught:
        transfer.read_env_file(Path(name))
    assert caught.value.todo
