"""Immich's address and REST API: whatever answers, or doesn't, becomes one sentence that holds no secret."""

import gzip
import os
import re
import socket
import struct
import threading
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import transfer
from tests import postgres
from tests.immich import Immich
from tests.terminal import Installation, installation
from transfer import Api, NotAllowed, NotThere, TransferError

pytestmark = pytest.mark.screens

NOT_AN_IMMICH = r"not an Immich|Is it an Immich|not understood"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("rest")) as made:
        yield made


@pytest.fixture
def there(shared: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """The shared Immich, with nothing planted before or after, and no settings of the developer's."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    shared.immich.calls.clear()
    yield shared
    shared.immich.forget()
    shared.immich.idle()


@pytest.fixture
def api(there: Installation) -> Api:
    return transfer.open_api(there.immich.url, there.key)


def words(error: TransferError) -> str:
    """All that a person gets to read."""
    return " ".join((error.what, error.why, error.todo))


def refused(
    secret: str, call: Callable[..., Any], *arguments: Any, kind: type[TransferError] = TransferError
) -> TransferError:
    """The error that a call must end with. The secret is in nothing that can be printed of it."""
    with pytest.raises(kind) as caught:
        call(*arguments)
    printed = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + words(caught.value)
    assert secret not in printed
    assert caught.value.what.endswith((".", ")")), caught.value.what
    assert "\n" not in words(caught.value)
    return caught.value


# Addresses


# What somebody may give, and what is meant.
ADDRESSES = """
host -> http://host
192.168.1.10:2283 -> http://192.168.1.10:2283
  http://host:2283  -> http://host:2283
http://host:2283/// -> http://host:2283
http://host:2283/api -> http://host:2283
https://photos.example.org/api/ -> https://photos.example.org
photos.example.org/api -> http://photos.example.org
https://example.org/immich/api/ -> https://example.org/immich
https://example.org/apis -> https://example.org/apis
HTTPS://photos.example.org/ -> https://photos.example.org
http://host:2283/?x=1#y -> http://host:2283
[::1]:2283 -> http://[::1]:2283
[fe80::1] -> http://[fe80::1]
::1 -> http://[::1]
http://host:65535 -> http://host:65535
https://bücher.example -> https://bücher.example
"""
NO_ADDRESSES = [
    *("", "   ", "/", "http://", "https:///api", "http://:2283", ":2283", "ftp://host", "file:///etc/passwd"),
    *("javascript:alert(1)", "http://host:port", "http://host:0", "http://host:65536", "http://host:-1"),
    *(
        "http://host:2 283",
        "http://host: 2283",
        "http://ho st",
        "http://host\n:2283",
        "http://[::1",
        "http://::1]:2283",
    ),
    *("http://host:２２８３", "http://user:hunter2", "user:hunter2", "http://user%3Ahunter2%40host"),
    *("user%3ahunter2%40host:2283/api", "http://user:hunter2@", "http://user:hunter2@[::1]", "hunter2@host/api"),
]


@pytest.mark.parametrize("line", ADDRESSES.strip("\n").splitlines())
def test_an_address_is_understood(line: str) -> None:
    text, base = line.split("->")
    assert transfer.base_url(text) == base.strip() == transfer.base_url(base)


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_no_address_is_refused(text: str) -> None:
    error = refused("hunter2", transfer.base_url, text)
    assert "is not an address" in error.what
    assert "http://192.168.1.10:2283" in error.todo
    assert ("user name or a password" in error.why) == ("@" in text or "%40" in text)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_no_text_crashes_the_reading_of_addresses(text: str) -> None:
    try:
        base = transfer.base_url(text)
    except TransferError:
        return
    assert transfer.base_url(base) == base
    assert base.startswith(("http://", "https://"))


# Keys


@pytest.mark.parametrize(
    "key", ["k e y", "key\n", "key\r\nX-Evil: 1", "kéy", "ключ", "\ud800", "k\0ey", "\x1bkey", "😀"]
)
def test_a_key_that_no_header_can_carry_is_refused(there: Installation, key: str) -> None:
    error = refused(key, transfer.open_api, there.immich.url, key)
    assert "API key" in error.what
    assert there.immich.calls == []


@pytest.mark.parametrize("key", ["wrong", "x" * 5000, "".join(map(chr, range(0x21, 0x7F)))])
def test_a_wrong_key(there: Installation, key: str) -> None:
    error = refused(key, transfer.own_key, transfer.open_api(there.immich.url, key), kind=NotAllowed)
    assert error.what == "Immich does not accept the API key."
    assert "API Keys" in error.todo


@pytest.mark.parametrize("claimed", ["2.3", "2.7", "3.1"])
@pytest.mark.parametrize(
    ("permissions", "call", "missing"),
    [
        (["album.read"], transfer.own_user, "user.read"),
        (["user.read"], transfer.api_albums, "album.read"),
        (["user.read"], lambda api: transfer.api_users(api, True), "adminUser.read"),
        (["user.read"], lambda api: transfer.call(api, "GET", "/jobs"), "job.read"),
        (["job.read"], lambda api: transfer.call(api, "PUT", "/jobs/search", {"command": "start"}), "job.create"),
    ],
    ids=["user.read", "album.read", "adminUser.read", "job.read", "job.create"],
)
def test_a_missing_permission_is_named(
    there: Installation,
    monkeypatch: pytest.MonkeyPatch,
    claimed: str,
    permissions: list[str],
    call: Callable[[Api], Any],
    missing: str,
) -> None:
    monkeypatch.setattr(there.immich, "version", claimed)
    key = there.immich.key(there.root, permissions)
    error = refused(key, call, transfer.open_api(there.immich.url, key), kind=NotAllowed)
    assert error.what == f"The API key lacks the permission {missing}."
    assert "API Keys" in error.todo


def test_a_call_for_administrators_only(there: Installation) -> None:
    key = there.immich.key(there.alice)
    api = transfer.open_api(there.immich.url, key)
    error = refused(key, transfer.api_users, api, True, kind=NotAllowed)
    assert "administrator" in error.todo
    assert transfer.busy_queues(api) is None


# No answer: what was tried, what the system said, what to check


@contextmanager
def raw_server(
    reply: bytes, *, reset: bool = False, stall: float = 0, asked: list[bytes] | None = None
) -> Iterator[str]:
    """The address of a server that reads a request, sends these bytes, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    request = connection.recv(65536)
                    if asked is not None:
                        asked.append(request)
                    connection.sendall(reply)
                    time.sleep(stall)
                    if reset:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


RAW = {
    "nothing": (b"", "closed connection without response"),
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH-2.0"),
    "TLS": (b"\x15\x03\x01\x00\x02\x02\x46", ""),
    "half a line": (b"HTTP/1.1 200", ""),
    "an odd status": (b"HTTP/1.1 999 Odd\r\n\r\n", ""),
    "headers without an end": (HEAD, ""),
    "a length that is none": (HEAD + b"Content-Length: x\r\n\r\n{}", ""),
    "less than was announced": (HEAD + b"Content-Length: 100\r\n\r\n{}", "IncompleteRead"),
    "half a chunk": (HEAD + b'Transfer-Encoding: chunked\r\n\r\n4\r\n{"re', ""),
    "chunks that are none": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzzz\r\n", ""),
    "gzip that is none": (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8bxx", "decompressing"),
    "a long header": (HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n", ""),
    "many headers": (HEAD + b"X: y\r\n" * 200 + b"\r\n", ""),
    "an odd charset": (HEAD.replace(b"json", b"json; charset=no") + b"Content-Length: 2\r\n\r\n\xff\xfe", ""),
    "a reset": (None, "reset by peer|closed"),
    "a silence": (HEAD + b"Content-Length: 100\r\n\r\n{}", "timed out"),
    "not a byte": (b" ", "timed out"),
}


@pytest.mark.parametrize(("reply", "said"), RAW.values(), ids=RAW)
def test_bytes_that_are_no_answer(
    there: Installation, monkeypatch: pytest.MonkeyPatch, reply: bytes | None, said: str
) -> None:
    stall = 0
    if said == "timed out":
        stall = 90
        monkeypatch.setattr(transfer, "TIMEOUT", (0.2, 0.2))
    with raw_server(reply or b"", reset=reply is None, stall=stall) as url:
        error = refused("the-key", transfer.immich_version, transfer.open_api(url, "the-key"))
    assert re.search(said, error.why)
    assert error.todo or error.why


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (None, "Connection refused"),
        (OSError(113, "No route to host"), "No route to host"),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
        (OSError(5, "Input/output error"), "Input/output error"),
        ("no-such-host.invalid", "Name or service not known|nodename|Temporary failure|No address"),
    ],
    ids=str,
)
def test_what_the_system_says_is_told_without_the_layers_around_it(
    there: Installation, monkeypatch: pytest.MonkeyPatch, raised: OSError | str | None, said: str
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise raised

    host = raised if isinstance(raised, str) else "127.0.0.1"
    url = f"http://{host}:{postgres.free_port()}"
    if isinstance(raised, OSError):
        monkeypatch.setattr(socket.socket, "connect", fails)
    error = refused("the-key", transfer.immich_version, transfer.open_api(url, "the-key"))
    assert re.search(said, error.why)
    assert not re.search("Max retries|Pool|object at", words(error))
    assert error.what == f"Immich at {url} did not answer."
    assert "2283" in error.todo


PROXIES = {
    "malformed": "::::",
    "no proxy's scheme": "nonsense://me:proxy-secret@host",
    "SOCKS": "socks5://me:proxy-secret@127.0.0.1:9",
    "nobody there": "http://me:proxy-secret@127.0.0.1:1",
    "wants a password": None,
}


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("kind", PROXIES)
def test_the_variable_that_names_a_proxy_is_named(
    there: Installation, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    """A proxy that stands in the way is not Immich's fault."""
    for each in ("all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    scheme = "https" if name == "https_proxy" else "http"
    with raw_server(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno") as url:
        monkeypatch.setenv(name, PROXIES[kind] or url.replace("http://", "http://me:proxy-secret@"))
        api = transfer.open_api(f"{scheme}://immich.invalid", "the-key")
        error = refused("proxy-secret", transfer.immich_version, api)
    assert f"The environment variable {name} names a proxy on the way: mend it, or set NO_PROXY=immich" in error.todo
    assert kind != "wants a password" or "Proxy Authentication Required" in error.why
    monkeypatch.setenv("NO_PROXY", "immich.invalid")
    monkeypatch.setenv("no_proxy", "immich.invalid")
    assert "proxy" not in refused("proxy-secret", transfer.immich_version, api).todo


def test_a_netrc_is_left_alone(there: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is for other programs: its password must not go to Immich unasked."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password netrc-secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    asked: list[bytes] = []
    with raw_server(HEAD + b"Content-Length: 2\r\n\r\n{}", asked=asked) as url:
        refused("the-key", transfer.immich_version, transfer.open_api(url, "the-key"))
    assert b"x-api-key: the-key" in asked[0]
    assert b"authorization" not in asked[0].lower()


# TLS


@pytest.fixture(scope="module")
def secure(shared: Installation) -> Iterator[Immich]:
    with Immich(shared.params, "2.7", tls=True) as immich:
        yield immich


def test_a_certificate_that_is_not_trusted(
    there: Installation, secure: Immich, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way out is never plain http: a key must not be sent in the open."""
    address = socket.getaddrinfo("127.0.0.1", secure.port, type=socket.SOCK_STREAM)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: address)
    for url, trusted, said in (
        (secure.url, "", "certificate verify failed"),
        (secure.url.replace("127.0.0.1", "photos.invalid"), str(secure.ca_file), "certificate verify failed"),
        (there.immich.url.replace("http:", "https:"), "", "."),
    ):
        address[0] = (*address[0][:4], ("127.0.0.1", int(url.rpartition(":")[2])))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", trusted)
        error = refused(there.key, transfer.immich_version, transfer.open_api(url, there.key))
        assert said in error.why
        assert "REQUESTS_CA_BUNDLE" in error.todo
        assert "http://" not in words(error)


def test_a_certificate_of_ones_own_that_is_trusted(
    there: Installation, secure: Immich, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secure.ca_file))
    api = transfer.open_api(secure.url, there.key)
    assert transfer.immich_version(api) == (2, 7, 5)
    assert transfer.own_user(api)["id"] == there.root


def test_plain_http_to_a_port_that_speaks_tls(there: Installation, secure: Immich) -> None:
    url = secure.url.replace("https", "http")
    assert "did not answer" in refused(there.key, transfer.immich_version, transfer.open_api(url, there.key)).what


# Not an Immich, or one in trouble


NO_IMMICH: list[tuple[int, Any]] = [
    (200, "<!doctype html><title>Router</title>"),
    (404, "<html><h1>404 Not Found</h1></html>"),
    (404, {"detail": "Not Found"}),  # Immich's own machine learning, one port further
    (404, {"message": "no such page"}),
    (400, "<html>The plain HTTP request was sent to HTTPS port</html>"),
    *((status, b"") for status in (101, 200, 204, 304, 404)),
    *((200, body) for body in ('{"res": "po', "pong", '"pong"', "null", "NaN", "[" * 100_000, "1" * 10_000)),
    *((200, body) for body in ({"res": "pang"}, {"res": None}, {"hello": "world"}, [], None, 7, b"\xff\xfe\xfd\xfc")),
    (418, {"message": {"odd": ["teapot"]}}),
]


@pytest.mark.parametrize(("status", "body"), NO_IMMICH, ids=lambda value: repr(value)[:40])
def test_what_is_not_an_immich_is_said_to_be_none(there: Installation, api: Api, status: int, body: Any) -> None:
    there.immich.answer("/api/server/ping", status, body, headers={"Content-Length": str(0)} if status == 101 else None)
    error = refused(there.key, transfer.immich_version, api)
    assert len(words(error)) < 500
    if status in (200, 204, 404):
        assert re.search(NOT_AN_IMMICH, words(error)), words(error)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize(
    "body", ["<html>Bad Gateway</html>", b"", {"message": "Internal server error"}], ids=["html", "empty", "json"]
)
def test_a_server_in_trouble(there: Installation, api: Api, status: int, body: Any) -> None:
    there.immich.answer("/api/server/version", status, body)
    error = refused(there.key, transfer.immich_version, api)
    assert f"({status})" in error.what
    assert "starting" in error.todo


@pytest.mark.parametrize(
    "odd",
    [
        *({"major": major, "minor": 0, "patch": 0} for major in ("x", None, [], float("nan"), float("inf"))),
        *('{"major": 1e999, "minor": 0, "patch": 0}', {"major": 2}, {}, [], [2, 7, 5], "2.7.5"),
    ],
    ids=str,
)
def test_a_version_that_is_none(there: Installation, api: Api, odd: Any) -> None:
    there.immich.answer("/api/server/version", 200, odd)
    error = refused(there.key, transfer.immich_version, api)
    assert re.search(NOT_AN_IMMICH, words(error)), words(error)


ODD = [
    *(None, [], {}, "x", 7, [None], [[]], ["x"], [{}], {"id": None}),
    [{"id": None, "name": None, "email": None, "albumName": None, "assetCount": None}],
    [{"id": [], "name": {}, "email": 1, "albumName": [], "assetCount": "many", "deletedAt": 1}],
    {"id": [], "permissions": "all", "name": 1, "email": [], "isAdmin": "yes"},
    {"id": {}, "permissions": [None, {}, []], "name": None, "email": None, "isAdmin": None},
    {"id": 1, "permissions": None, "name": 1, "email": 1, "isAdmin": 1},
    {"search": None, "x": {"jobCounts": []}, "y": {"jobCounts": {"active": "x", "waiting": None}}},
]


@pytest.mark.cases
@pytest.mark.parametrize("path", ["/api/api-keys/me", "/api/users/me", "/api/users", "/api/admin/users"])
@pytest.mark.parametrize("body", ODD, ids=str)
def test_odd_types_at_the_start(there: Installation, api: Api, path: str, body: Any) -> None:
    """Another program, or an Immich of the future: an error or an answer, never a crash."""
    there.immich.answer(path, 200, body, exact=True)
    try:
        transfer.check_server(api, there.params)
    except TransferError as error:
        assert there.key not in words(error)


@pytest.mark.cases
@pytest.mark.parametrize("path", ["/api/users", "/api/admin/users", "/api/albums", "/api/jobs"])
@pytest.mark.parametrize("body", ODD, ids=str)
def test_odd_types_later(there: Installation, api: Api, server: transfer.Server, path: str, body: Any) -> None:
    there.immich.answer(path, 200, body, exact=True)
    server = replace(server, is_admin=path.startswith("/api/admin"))
    for call in (
        lambda: transfer.list_users(api, server, there.params),
        lambda: transfer.list_albums(api, there.params),
        lambda: transfer.busy_queues(api),
    ):
        try:
            call()
        except TransferError as error:
            assert there.key not in words(error)


@pytest.fixture(scope="module")
def server(shared: Installation) -> transfer.Server:
    """What the start-up check found, before anything is planted."""
    return transfer.check_server(transfer.open_api(shared.immich.url, shared.key), shared.params)


def test_an_album_with_odd_figures(there: Installation, api: Api) -> None:
    """REST is asked for what the key's owner sees; what it says cannot break the list."""
    album = there.library.album(there.root, "Mine")
    there.immich.answer("/api/albums", 200, [{"id": album, "albumName": "Mine", "assetCount": "many"}])
    try:
        shown = transfer.list_albums(api, there.params)
    except TransferError:
        return
    assert [each.name for each in shown if each.id == album] == ["Mine"]


def test_a_call_that_this_immich_does_not_know(there: Installation, api: Api) -> None:
    error = refused(there.key, transfer.call, api, "GET", "/nonsense", kind=NotThere)
    assert "/nonsense" in error.what


def test_a_message_with_control_characters(there: Installation, api: Api) -> None:
    there.immich.answer("/api/users/me", 400, {"message": "a\x1b[31m\n\u202eb\x07"})
    error = refused(there.key, transfer.own_user, api)
    assert not any(character in words(error) for character in "\x1b\n\u202e\x07")


def test_a_compressed_answer_is_read(there: Installation, api: Api) -> None:
    body = gzip.compress(b'{"res": "pong"}')
    there.immich.answer("/api/server/ping", 200, body, headers={"Content-Encoding": "gzip"})
    assert transfer.immich_version(api) == (2, 7, 5)


# No end of it


@contextmanager
def endless_server(head: bytes, piece: bytes, pause: float) -> Iterator[str]:
    """The address of a server whose answer never ends: a piece again and again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.recv(65536)
                        connection.sendall(head)
                        while not over.wait(pause):
                            connection.sendall(piece)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", HEAD + b"\r\n"], ids=["headers", "body"])
def test_an_answer_that_comes_a_byte_at_a_time(
    there: Installation, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    """It never times out between two bytes; what is waited for is told meanwhile."""
    monkeypatch.setattr(transfer, "ANSWER_SECONDS", 2.5)
    told: list[str] = []
    monkeypatch.setattr(transfer.TERMINAL, "tell_wait", told.append)
    with endless_server(head, b"x", 0.05) as url:
        error = refused("the-key", transfer.immich_version, transfer.open_api(url, "the-key"))
        assert told[:1] == [f"Waiting for Immich at {url}, 2 s"]
        assert told[-1] == ""
    assert "Time-out" in error.why


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_an_end(there: Installation, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    """Packed, some kilobytes are a gigabyte."""
    monkeypatch.setattr(transfer, "ANSWER_SIZE", 2**22)
    head, piece = HEAD + b"\r\n", b" " * 65536
    if packed:
        packer = zlib.compressobj(wbits=31)
        head = HEAD + b"Content-Encoding: gzip\r\n\r\n" + packer.compress(b" " * 2**25)
        piece = packer.flush()
    with endless_server(head, piece, 0) as url:
        error = refused("the-key", transfer.immich_version, transfer.open_api(url, "the-key"))
    assert "without an end" in error.what
    assert "4 MiB" in error.why


def test_an_answer_that_is_packed_twice(there: Installation, api: Api) -> None:
    body = gzip.compress(gzip.compress(b'{"res": "pong"}'))
    there.immich.answer("/api/server/ping", 200, body, headers={"Content-Encoding": "gzip, gzip"})
    assert "encoding" in refused(there.key, transfer.immich_version, api).what


# True reasons


@pytest.mark.parametrize("content", [None, "", "no certificate\n", "pipe"])
@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_variable_that_names_no_certificates_is_named(
    there: Installation, secure: Immich, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, content: str | None
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content == "pipe":
        os.mkfifo(bundle)  # whoever opens it to read waits until somebody writes
    elif content is not None:
        bundle.write_text(content)
    monkeypatch.setenv(name, str(bundle))
    error = refused(there.key, transfer.immich_version, transfer.open_api(secure.url, there.key))
    assert name in error.why
    assert str(bundle) in error.why
    assert "http://" not in words(error)


def test_what_stands_before_immich_may_answer(there: Installation, api: Api) -> None:
    there.immich.answer("/api/server/ping", 429, "<html>slow down</html>")
    error = refused(there.key, transfer.immich_version, api)
    assert (error.what, error.why) == (f"{there.immich.url} answered with an error (429).", "Too Many Requests.")


# Redirections


@pytest.fixture(scope="module")
def other(shared: Installation) -> Iterator[Immich]:
    with Immich(shared.params, "2.7") as immich:
        yield immich


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_not_followed(there: Installation, api: Api, other: Immich, status: int) -> None:
    there.immich.redirect(other.url, status)
    error = refused(there.key, transfer.immich_version, api)
    assert other.url in error.what
    assert other.calls == []
    assert len(there.immich.calls) == 1


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_later_redirection_is_not_followed_either(there: Installation, api: Api, other: Immich, method: str) -> None:
    there.immich.redirect(other.url)
    refused(there.key, transfer.call, api, method, "/jobs")
    assert transfer.start_job(api, "thumbnailGeneration").startswith(there.immich.url)
    assert other.calls == []


@pytest.mark.parametrize(
    ("location", "base"),
    [
        ("https://photos.example.org/api/server/ping", "https://photos.example.org"),
        ("https://photos.example.org/immich/api/server/ping", "https://photos.example.org/immich"),
        ("//photos.example.org/api/server/ping", "http://photos.example.org"),
        ("HTTPS://photos.example.org:8443/api/server/ping?x=y", "https://photos.example.org:8443"),
        *[
            (nowhere, None)
            for nowhere in (
                *("ftp://elsewhere/", "file:///etc/passwd", "javascript:alert(1)", "http://[", "http://host:port/"),
                *("http://host:99999/api/", "http://", "http://a b/", "http://x\x1b[31m/api/"),
                *("http://me:secret@host/api/server/ping", "/api/server/ping"),
            )
        ],
    ],
)
def test_where_a_redirection_leads(there: Installation, api: Api, location: str, base: str | None) -> None:
    there.immich.answer("/api/server/ping", 302, b"", headers={"Location": location})
    error = refused("secret", transfer.immich_version, api)
    assert error.what.endswith(f"sends us on to {base}." if base else ("to itself.", "to an address that is none."))
    assert "\x1b" not in words(error)


# A login, of what stands before Immich, is named as one: nobody is asked to give it the key

PAGE = {"Content-Type": "text/html; charset=utf-8"}
LOGINS = {
    "Cloudflare Access": (302, {"Location": "https://me.cloudflareaccess.com/cdn-cgi/access/login/x?kid=1"}),
    "Authelia": (302, {"Location": "https://auth.example.org/?rd=https%3A%2F%2Fphotos.example.org%2Fapi%2F"}),
    "a page of its own": (302, {"Location": "/outpost.goauthentik.io/start"}),
    "a password": (401, PAGE),
    "nobody passes": (403, PAGE),
    "an empty no": (401, {}),
}


@pytest.mark.parametrize(("status", "headers"), LOGINS.values(), ids=LOGINS)
def test_a_login_is_named_as_one(there: Installation, api: Api, status: int, headers: dict[str, str]) -> None:
    there.immich.answer("/api/server/ping", status, "<html>Log in</html>" if headers == PAGE else b"", headers)
    error = refused(there.key, transfer.immich_version, api)
    assert "login" in error.what and "Never give it the API key" in error.todo and "API_HEADERS" in error.todo
    assert not isinstance(error, NotAllowed)


def test_a_login_page_that_says_all_is_well(there: Installation, api: Api) -> None:
    there.immich.answer("/api/server/ping", 200, "<html>Log in</html>", PAGE)
    assert "a web page, such as a login" in refused(there.key, transfer.immich_version, api).why


def test_headers_for_a_proxy_go_with_every_call_and_nowhere_else(there: Installation) -> None:
    headers = {"CF-Access-Client-Secret": "the-secret", "x-api-key": "another", "Accept": "text/html"}
    asked: list[bytes] = []
    with raw_server(HEAD + b"Content-Length: 2\r\n\r\n{}", asked=asked) as url:
        api = transfer.open_api(url, "the-key", headers)
        refused("the-secret", transfer.immich_version, api)
    assert b"CF-Access-Client-Secret: the-secret" in asked[0]
    assert b"x-api-key: the-key" in asked[0] and b"Accept: application/json" in asked[0]
    assert "the-secret" not in repr(api) + repr(transfer.Config("", "", {}, "", headers))


# Queues and jobs


def test_a_job_is_started_and_never_forced(there: Installation, api: Api) -> None:
    assert transfer.busy_queues(api) == {}
    there.immich.calls.clear()
    assert transfer.start_job(api, "thumbnailGeneration") == "started"
    assert there.immich.calls == [("PUT", "/api/jobs/thumbnailGeneration", {"command": "start", "force": False})]
    there.immich.busy("thumbnailGeneration", waiting=5, active=2)
    assert transfer.start_job(api, "thumbnailGeneration") == "running"
    assert transfer.busy_queues(api) == {"thumbnailGeneration": 7}
    for status in (403, 404, 500):
        there.immich.answer("PUT /api/jobs", status, {"message": "no"})
        outcome = transfer.start_job(api, "thumbnailGeneration")
        assert outcome not in ("started", "running") and there.key not in outcome


def test_the_key_is_not_in_the_repr_of_what_is_passed_around(there: Installation, api: Api) -> None:
    """A repr ends up in debuggers and logs."""
    assert there.key not in repr(api)
