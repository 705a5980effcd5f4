"""A small stand-in for Immich's REST API: a real HTTP server on loopback.

It answers from the database it is given, so what REST says and what the database holds agree. The claimed version
decides the shape of answers and errors; the columns found decide the SQL, so a server may also be made to claim a
version that its database does not have. Only committed rows are seen: every request has a connection of its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import socket
import socketserver
import ssl
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg2
from psycopg2.extras import RealDictCursor

# A schema is named by its minor release; these are the releases that stand for each.
NUMBERS: dict[str, tuple[int, int, int]] = {
    "2.0": (2, 0, 1),
    "2.2": (2, 2, 3),
    "2.3": (2, 3, 1),
    "2.5": (2, 5, 5),
    "2.7": (2, 7, 5),
    "3.0": (3, 0, 0),
    "3.1": (3, 1, 0),
    "3.2": (3, 2, 4),
    "3.3": (3, 3, 1),
}

# Queue names with the first release that has them, in the order of Immich's validation errors.
FIRST_QUEUES = (
    "thumbnailGeneration metadataExtraction videoConversion faceDetection facialRecognition smartSearch"
    " duplicateDetection backgroundTask storageTemplateMigration migration search sidecar library notifications"
    " backupDatabase"
)
QUEUES: dict[str, tuple[int, int]] = dict.fromkeys(FIRST_QUEUES.split(), (2, 0)) | {
    "ocr": (2, 2),
    "workflow": (2, 3),
    "integrityCheck": (3, 0),
    "editor": (2, 5),
}
COMMANDS = ("start", "pause", "resume", "empty", "clear-failed")
INTEGRITY_JOBS = ("integrity-missing-files", "integrity-untracked-files", "integrity-checksum-mismatch")
MANUAL_JOBS = ("person-cleanup", "tag-cleanup", "user-cleanup", "memory-cleanup", "memory-create", "backup-database")
AVATAR_COLORS = ("primary", "pink", "red", "yellow", "blue", "green", "purple", "orange", "gray", "amber")
REASONS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}

Row = dict[str, Any]
Cursor = Any


@dataclass(frozen=True)
class Answer:
    """What goes back to the caller: a status, the bytes of the body, and the headers."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """An error answer of Immich's. `errors` is the detail that 3.x adds to a failed validation."""

    def __init__(self, status: int, message: str | list[str], errors: list[Row] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.errors = status, message, errors


@dataclass
class Planted:
    """An answer (None: hang up) given in place of the real one, for all calls or the next `times`."""

    method: str | None
    path: str
    exact: bool
    answer: Answer | None
    times: int | None

    def fits(self, method: str, path: str) -> bool:
        if self.times == 0 or (self.method and self.method != method):
            return False
        return path == self.path if self.exact else path.startswith(self.path)


@dataclass(frozen=True)
class Call:
    """One authorised request, as a route sees it."""

    cursor: Cursor
    columns: dict[tuple[str, str], str]
    user: Row | None
    key: Row | None
    query: dict[str, str]
    body: Any
    name: str

    def has(self, table: str, column: str) -> bool:
        return (table, column) in self.columns

    def pick(self, table: str, *names: str) -> str:
        """The first of these column names that the table has, quoted."""
        found = next(name for name in names if self.has(table, name))
        return f'"{found}"'


@dataclass(frozen=True)
class Route:
    """What a call needs (`permission` None: any key; `open`: no key at all) and what answers it."""

    answer: Callable[[Immich, Call], Any]
    permission: str | None = None
    admin: bool = False
    open: bool = False
    status: int = 200


class Immich:
    """A running stand-in. Use it as a context manager or call stop().

    params      keyword arguments of psycopg2.connect for the database it answers from; may be replaced while it runs
    version     "2.7", "3.3" ... or in full, "2.7.4"; may be replaced while it runs
    calls       every request that came in: (method, path with query, body), the body as parsed JSON,
                as text if it was none, or None
    started     names of the queues and jobs started, in order
    config      what GET /system-config answers; may be changed
    backups     file name and bytes of the backups that were made; `backs_up` False: the job fails
    integrity   what GET /admin/integrity/summary answers
    notices     (user, title, text) of the notices that were given
    on_job      called with the name of each queue and job that is started
    """

    def __init__(
        self,
        params: dict[str, Any],
        version: str = "2.7",
        *,
        tls: bool = False,
        port: int = 0,
    ) -> None:
        self.params = params
        self.version = version
        self.calls: list[tuple[str, str, Any]] = []
        self.started: list[str] = []
        self.config: Row = {
            "machineLearning": {"enabled": True, "facialRecognition": {"enabled": True, "minFaces": 3}},
            "storageTemplate": {
                "enabled": False,
                "hashVerificationEnabled": True,
                "template": "{{y}}/{{y}}-{{MM}}-{{dd}}/{{filename}}",
            },
            "user": {"deleteDelay": 7},
        }
        self.ca_file: Path | None = None
        self.backups: dict[str, int] = {}
        self.backs_up = True
        self.integrity = {"untracked_file": 0, "missing_file": 0, "checksum_mismatch": 0}
        self.notices: list[tuple[str, str, str]] = []
        self.on_job: Callable[[str], None] = lambda name: None
        self._failed: dict[str, int] = {}
        self._busy: dict[str, dict[str, int]] = {}
        self._planted: list[Planted] = []
        self._redirect: tuple[str, int] | None = None
        self._delay = 0.0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._directory: tempfile.TemporaryDirectory[str] | None = None

        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.immich = self
        if tls:
            self._server.socket = self._tls().wrap_socket(
                # The handshake belongs in the request's own thread: a silent client must not block the others.
                self._server.socket,
                server_side=True,
                do_handshake_on_connect=False,
            )
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="immich", daemon=True)
        self._thread.start()

    def __enter__(self) -> Immich:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def numbers(self) -> tuple[int, int, int]:
        """The version in full, for example (2, 7, 5)."""
        known = NUMBERS.get(self.version)
        if known:
            return known
        major, minor, patch = ([int(part) for part in self.version.split(".")] + [0, 0])[:3]
        return major, minor, patch

    @property
    def queues(self) -> list[str]:
        """The queue names of this version."""
        return [name for name, since in QUEUES.items() if since <= self.numbers]

    # What a test arranges

    def key(self, user_id: str, permissions: tuple[str, ...] | list[str] = ("all",)) -> str:
        """Make an API key for a user (whose row must be committed) and return the secret for x-api-key."""
        secret = secrets.token_urlsafe(32)
        with self._cursor() as cursor:
            kind = _columns(cursor)["api_key", "key"]
            cursor.execute(
                'INSERT INTO api_key (name, key, "userId", permissions) VALUES (%s, %s, %s, %s)',
                ("test key", _hashed(secret, kind), user_id, list(permissions)),
            )
        return secret

    def busy(self, queue: str, waiting: int = 3, active: int = 1) -> None:
        """Let a queue report jobs; while `active` is not 0, starting it is refused."""
        if queue not in self.queues:
            raise ValueError(f"no queue of Immich {self.version}: {queue}")
        with self._lock:
            self._busy[queue] = {"waiting": waiting, "active": active}

    def idle(self) -> None:
        """Let all queues be empty again."""
        with self._lock:
            self._busy.clear()

    def answer(
        self,
        path_prefix: str,
        status: int,
        body: Any = b"",
        headers: dict[str, str] | None = None,
        times: int | None = None,
        *,
        exact: bool = False,
    ) -> None:
        """Plant an answer for paths that begin with `path_prefix` ("/api/users"), or with `exact` for that path alone.

        "PUT /api/jobs" limits it to one method. bytes and str go out as they are, anything else as JSON. Among the
        headers a Content-Length is sent as given, and the connection closed after the body: larger than the body, it
        cuts the answer short. The one planted last comes first; after `times` calls it is used up.
        """
        raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else _json(body)
        kind = "text/html" if raw.lstrip().startswith(b"<") else "application/json"
        sent = {"Content-Type": f"{kind}; charset=utf-8"} | (headers or {})
        self._plant(path_prefix, exact, Answer(status, raw, sent), times)

    def hang_up(self, path_prefix: str, times: int | None = None, *, exact: bool = False) -> None:
        """Close the connection without an answer; arguments as in answer()."""
        self._plant(path_prefix, exact, None, times)

    def forget(self) -> None:
        """Drop planted answers, redirection and delay."""
        with self._lock:
            self._planted.clear()
            self._redirect = None
            self._delay = 0.0

    def redirect(self, to_base: str | None, status: int = 308) -> None:
        """Send every call to the same path of another base address ("https://photos.example"); None ends it."""
        self._redirect = (to_base.rstrip("/"), status) if to_base else None

    def delay(self, seconds: float) -> None:
        """Wait this long before each answer."""
        self._delay = seconds

    def stop(self) -> None:
        """Close the port and every open connection; a second call does nothing."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up_all()
        self._thread.join()
        if self._directory:
            self._directory.cleanup()

    # One request

    def _respond(self, method: str, target: str, secret: str | None, raw: bytes) -> Answer | None:
        """The answer to one request; None: hang up."""
        body, valid = _parsed(raw)
        path = urlsplit(target).path
        with self._lock:
            self.calls.append((method, target, body))
        if self._delay and self._stopping.wait(self._delay):
            return None
        if self._redirect:
            base, status = self._redirect
            return Answer(status, b"", {"Location": base + target})
        planted = self._take(method, path)
        if planted:
            return planted.answer
        try:
            return self._route(method, target, secret, body if valid else None)
        except Refusal as refusal:
            return self._refused(refusal)
        except Exception:
            # Shown in the test's captured output: otherwise a mistake in here passes for a failing Immich.
            traceback.print_exc(file=sys.stderr)
            return _answer(500, {"message": "Internal server error"} | ({} if self._new else {"statusCode": 500}))

    def _route(self, method: str, target: str, secret: str | None, body: Any) -> Answer:
        parts = urlsplit(target)
        path = parts.path.rstrip("/")
        name = ""
        route = ROUTES.get((method, path))
        if not route and path.startswith("/api/jobs/"):
            path, _, name = path.rpartition("/")
            route = ROUTES.get((method, f"{path}/*"))
        if not route:
            raise Refusal(404, f"Cannot {method} {target}")
        if route.open:
            return _answer(route.status, route.answer(self, Call(None, {}, None, None, {}, body, name)))
        with self._cursor() as cursor:
            columns = _columns(cursor)
            key = _authorised(cursor, columns, route, secret)
            cursor.execute('SELECT * FROM "user" WHERE id = %s', (key["userId"],))
            query = {word: values[-1] for word, values in parse_qs(parts.query).items()}
            call = Call(cursor, columns, cursor.fetchone(), key, query, body, name)
            return _answer(route.status, route.answer(self, call))

    def _refused(self, refusal: Refusal) -> Answer:
        content: Row = {"message": refusal.message}
        if not self._new:
            content |= {"error": REASONS[refusal.status], "statusCode": refusal.status}
            content |= {"correlationId": secrets.token_hex(4)}
        elif refusal.errors:
            content |= {"errors": refusal.errors}
        return _answer(refusal.status, content)

    @property
    def _new(self) -> bool:
        return self.numbers >= (3, 0, 0)

    def _plant(self, path: str, exact: bool, answer: Answer | None, times: int | None) -> None:
        method, _, rest = path.rpartition(" ")
        with self._lock:
            self._planted.insert(0, Planted(method or None, rest, exact, answer, times))

    def _take(self, method: str, path: str) -> Planted | None:
        with self._lock:
            planted = next((each for each in self._planted if each.fits(method, path)), None)
            if planted and planted.times is not None:
                planted.times -= 1
            return planted

    @contextmanager
    def _cursor(self) -> Iterator[Cursor]:
        # A connection per request: none is left open that would keep a test from dropping its database.
        connection = psycopg2.connect(**self.params)
        try:
            with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
                cursor.execute("SET LOCAL lock_timeout = '10s'")
                yield cursor
        finally:
            connection.close()

    def _tls(self) -> ssl.SSLContext:
        import trustme  # only the tests of TLS need it

        authority = trustme.CA()
        self._directory = tempfile.TemporaryDirectory()
        self.ca_file = Path(self._directory.name) / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        return context

    # The calls

    def _version(self, _: Call) -> Row:
        answer: Row = dict(zip(("major", "minor", "patch"), self.numbers, strict=True))
        return answer | {"prerelease": None} if self._new else answer

    def _api_key(self, call: Call) -> Row:
        key = call.key
        times = {name: _time(key[name]) for name in ("createdAt", "updatedAt")}
        return {"id": key["id"], "name": key["name"], **times, "permissions": key["permissions"]}

    def _users(self, call: Call) -> list[Row]:
        call.cursor.execute('SELECT * FROM "user" WHERE "deletedAt" IS NULL ORDER BY "createdAt" DESC, id')
        return [_user(row) for row in call.cursor]

    def _all_users(self, call: Call) -> list[Row]:
        call.cursor.execute(
            'SELECT * FROM "user" WHERE %s OR "deletedAt" IS NULL ORDER BY "createdAt" DESC, id',
            (call.query.get("withDeleted") == "true",),
        )
        return [_full_user(row) for row in call.cursor]

    def _albums(self, call: Call) -> list[Row]:
        albums = _read_albums(call)
        me = call.user["id"]
        if self._new:
            owned, shared = call.query.get("isOwned"), call.query.get("isShared")
            chosen = [
                album
                for album in albums
                if (album["owner"] == me or me in album["members"])
                and owned in (None, "true" if album["owner"] == me else "false")
                and shared in (None, "true" if album["members"] or album["links"] else "false")
            ]
        else:
            shared = call.query.get("shared")
            if shared == "true":
                chosen = [
                    album
                    for album in albums
                    if (album["owner"] == me and album["members"]) or me in album["members"] or me in album["links"]
                ]
            else:
                chosen = [album for album in albums if album["owner"] == me]
                if shared == "false":
                    chosen = [album for album in chosen if not album["members"] and not album["links"]]
        return [self._album(album) for album in chosen]

    def _album(self, album: Row) -> Row:
        people = {user: _user(row, embedded=True) for user, row in album["users"].items()}
        answer: Row = {
            "albumName": album["albumName"],
            "description": album["description"] or "",
            "albumThumbnailAssetId": album["albumThumbnailAssetId"],
            "createdAt": _time(album["createdAt"]),
            "updatedAt": _time(album["updatedAt"]),
            "id": album["id"],
        }
        members = [{"user": people[user], "role": role} for user, role in album["members"].items()]
        if self._new:
            members.insert(0, {"user": people[album["owner"]], "role": "owner"})
        else:
            answer |= {"ownerId": album["owner"], "owner": people[album["owner"]]}
        answer |= {
            "albumUsers": members,
            "shared": bool(album["members"] or album["links"]),
            "hasSharedLink": bool(album["links"]),
        }
        figures = album["figures"]
        if figures:  # an album without photos has no dates: the keys are missing, not null
            answer |= {"startDate": _time(figures["first"]), "endDate": _time(figures["last"])}
        answer |= {} if self._new else {"assets": []}
        answer |= {
            "assetCount": figures["count"] if figures else 0,
            "isActivityEnabled": album["isActivityEnabled"],
            "order": album["order"],
        }
        return answer | ({"lastModifiedAssetTimestamp": _time(figures["changed"])} if figures else {})

    def _jobs(self, _: Call) -> Row:
        return {name: self._queue(name) for name in self.queues}

    def _queue(self, name: str, started: bool = False) -> Row:
        with self._lock:
            busy = dict(self._busy.get(name, {}))
        counts = dict.fromkeys(("active", "completed", "failed", "delayed", "waiting", "paused"), 0) | busy
        counts["failed"] = self._failed.get(name, 0)
        if started:
            counts["active"] += 1
        return {"queueStatus": {"isPaused": False, "isActive": counts["active"] > 0}, "jobCounts": counts}

    def _command(self, call: Call) -> Row:
        # Up to 2.2 the parameter of this route was called id.
        self._one_of("name" if self.numbers >= (2, 3, 0) else "id", call.name, self.queues)
        body = call.body if isinstance(call.body, dict) else {}
        self._one_of("command", body.get("command"), COMMANDS)
        if body["command"] != "start":
            return self._queue(call.name)
        if self._queue(call.name)["queueStatus"]["isActive"]:
            raise Refusal(400, "Job is already running")
        with self._lock:
            self.started.append(call.name)
        self.on_job(call.name)
        return self._queue(call.name, started=True)

    def _manual_job(self, call: Call) -> None:
        name = call.body.get("name") if isinstance(call.body, dict) else None
        self._one_of("name", name, MANUAL_JOBS + (INTEGRITY_JOBS if self._new else ()))
        with self._lock:
            self.started.append(name)
        if name == "backup-database":
            if self.backs_up:
                self.backups[f"immich-db-backup-{len(self.backups) + 1}-v{self.version}-pg14.sql.gz"] = 1_234_567
            else:
                self._failed["backupDatabase"] = self._failed.get("backupDatabase", 0) + 1
        self.on_job(name)

    def _backups(self, _: Call) -> Row:
        if self.numbers < (2, 5, 0):
            raise Refusal(404, "Cannot GET /api/admin/database-backups")
        return {"backups": [{"filename": n, "filesize": b, "timezone": "UTC"} for n, b in self.backups.items()]}

    def _integrity(self, _: Call) -> Row:
        if not self._new:
            raise Refusal(404, "Cannot GET /api/admin/integrity/summary")
        return self.integrity

    def _notice(self, call: Call) -> Row:
        self.notices.append((call.body["userId"], call.body["title"], call.body["description"]))
        return {"id": call.body["userId"], "level": call.body["level"], "type": call.body["type"]}

    def _one_of(self, name: str, value: Any, allowed: tuple[str, ...] | list[str]) -> None:
        if value in allowed:
            return
        if not self._new:
            raise Refusal(400, [f"{name} must be one of the following values: {', '.join(allowed)}"])
        options = "|".join(f'"{each}"' for each in allowed)
        message = f"Invalid option: expected one of {options}"
        error = {"code": "invalid_value", "values": list(allowed), "path": [name], "message": message}
        raise Refusal(400, "Validation failed", [error])


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/api/server/ping"): Route(lambda immich, call: {"res": "pong"}, open=True),
    ("GET", "/api/server/version"): Route(Immich._version, open=True),
    ("GET", "/api/users/me"): Route(lambda immich, call: _full_user(call.user), "user.read"),
    ("GET", "/api/api-keys/me"): Route(Immich._api_key),
    ("GET", "/api/users"): Route(Immich._users, "user.read"),
    ("GET", "/api/admin/users"): Route(Immich._all_users, "adminUser.read", admin=True),
    ("GET", "/api/albums"): Route(Immich._albums, "album.read"),
    ("GET", "/api/jobs"): Route(Immich._jobs, "job.read", admin=True),
    ("PUT", "/api/jobs/*"): Route(Immich._command, "job.create", admin=True),
    ("POST", "/api/jobs"): Route(Immich._manual_job, "job.create", admin=True, status=204),
    ("GET", "/api/admin/database-backups"): Route(Immich._backups, "maintenance", admin=True),
    ("GET", "/api/admin/integrity/summary"): Route(Immich._integrity, "maintenance", admin=True),
    ("POST", "/api/admin/notifications"): Route(Immich._notice, "all", admin=True, status=201),
    ("GET", "/api/system-config"): Route(lambda immich, call: immich.config, "systemConfig.read", admin=True),
}


# Database


def _columns(cursor: Cursor) -> dict[tuple[str, str], str]:
    """Every (table, column) of schema public with its type."""
    cursor.execute("""
        SELECT c.relname, a.attname, format_type(a.atttypid, NULL) AS kind
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped""")
    return {(row["relname"], row["attname"]): row["kind"] for row in cursor}


def _hashed(secret: str, kind: str) -> str | bytes:
    """The form in which the database keeps a key: SHA-256, in base64 as long as the column was text (up to 2.5)."""
    digest = hashlib.sha256(secret.encode()).digest()
    return digest if kind == "bytea" else base64.b64encode(digest).decode()


def _authorised(cursor: Cursor, columns: dict[tuple[str, str], str], route: Route, secret: str | None) -> Row:
    """The key's row, or Immich's refusal, in Immich's order: key, administrator, permission."""
    if not secret:
        raise Refusal(401, "Authentication required")
    cursor.execute(
        """SELECT k.id, k.name, k."userId", k."createdAt", k."updatedAt", u."isAdmin",
                  k.permissions::text[] AS permissions
             FROM api_key k JOIN "user" u ON u.id = k."userId" AND u."deletedAt" IS NULL
            WHERE k.key = %s""",
        (_hashed(secret, columns["api_key", "key"]),),
    )
    key = cursor.fetchone()
    if not key:
        raise Refusal(401, "Invalid API key")
    if route.admin and not key["isAdmin"]:
        raise Refusal(403, "Forbidden")
    if route.permission and not {"all", route.permission} & set(key["permissions"]):
        raise Refusal(403, f"Missing required permission: {route.permission}")
    return key


def _read_albums(call: Call) -> list[Row]:
    """Every album with owner, members (user to role), makers of links, the users named, and figures of its photos."""
    cursor = call.cursor
    album, user = call.pick("album_user", "albumId", "albumsId"), call.pick("album_user", "userId", "usersId")
    cursor.execute('SELECT * FROM album WHERE "deletedAt" IS NULL ORDER BY "createdAt" DESC, id')
    albums = {row["id"]: dict(row, owner=row.get("ownerId"), members={}, links=[], users={}) for row in cursor}

    def add(album_id: str, user_id: str, row: Row) -> None:
        albums[album_id]["users"][user_id] = row

    if call.has("album", "ownerId"):
        cursor.execute('SELECT al.id AS "inAlbum", u.* FROM album al JOIN "user" u ON u.id = al."ownerId"')
        for row in cursor:
            if row["inAlbum"] in albums:
                add(row["inAlbum"], row["id"], row)
    cursor.execute(
        f"""SELECT au.{album} AS "inAlbum", au.role::text AS "inRole", u.*
              FROM album_user au JOIN "user" u ON u.id = au.{user} ORDER BY u.name, u.id"""
    )
    for row in cursor:
        entry = albums.get(row["inAlbum"])
        if not entry:
            continue
        add(entry["id"], row["id"], row)
        if row["inRole"] == "owner":
            entry["owner"] = row["id"]
        else:
            entry["members"][row["id"]] = row["inRole"]
    cursor.execute('SELECT "albumId", "userId" FROM shared_link WHERE "albumId" IS NOT NULL')
    for row in cursor:
        if row["albumId"] in albums:
            albums[row["albumId"]]["links"].append(row["userId"])
    cursor.execute(
        f"""SELECT aa.{call.pick("album_asset", "albumId", "albumsId")} AS album, count(*) AS count,
                   min(a."localDateTime") AS first, max(a."localDateTime") AS last, max(a."updatedAt") AS changed
              FROM album_asset aa JOIN asset a ON a.id = aa.{call.pick("album_asset", "assetId", "assetsId")}
             WHERE a."deletedAt" IS NULL AND a.visibility::text IN ('timeline', 'archive')
             GROUP BY 1"""
    )
    figures = {row["album"]: row for row in cursor}
    # From 3.0 an album without an owner row shows up nowhere.
    return [dict(row, figures=figures.get(row["id"])) for row in albums.values() if row["owner"]]


# Shapes


def _user(row: Row, embedded: bool = False) -> Row:
    """The short form of a user; inside an album PostgreSQL has written the time, and with an offset."""
    changed = row["profileChangedAt"]
    return {
        "id": row["id"],
        "email": row["email"],
        "name": row["name"],
        "profileImagePath": row["profileImagePath"],
        # Without a choice of the user's, the e-mail address decides.
        "avatarColor": row["avatarColor"] or AVATAR_COLORS[sum(map(ord, row["email"])) % len(AVATAR_COLORS)],
        "profileChangedAt": changed.astimezone(UTC).isoformat() if embedded else _time(changed),
    }


def _full_user(row: Row) -> Row:
    """The long form; "license" is always null here."""
    answer = _user(row) | {
        "storageLabel": row["storageLabel"],
        "shouldChangePassword": row["shouldChangePassword"],
        "isAdmin": row["isAdmin"],
        "createdAt": _time(row["createdAt"]),
        "deletedAt": _time(row["deletedAt"]),
        "updatedAt": _time(row["updatedAt"]),
        "oauthId": row["oauthId"] or "",
        "quotaSizeInBytes": row["quotaSizeInBytes"],
        "quotaUsageInBytes": row["quotaUsageInBytes"],
        "status": row["status"],
        "license": None,
    }
    return answer | ({"clusterGroupId": row["clusterGroupId"]} if "clusterGroupId" in row else {})


def _time(value: datetime | None) -> str | None:
    return value and value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _answer(status: int, content: Any) -> Answer:
    if status == 204:
        return Answer(status)
    return Answer(status, _json(content), {"Content-Type": "application/json; charset=utf-8"})


def _parsed(raw: bytes) -> tuple[Any, bool]:
    """A request's body as parsed JSON, or as text, and whether it was JSON."""
    if not raw:
        return None, True
    try:
        return json.loads(raw), True
    except ValueError:
        return raw.decode(errors="replace"), False


# HTTP


class _Server(ThreadingHTTPServer):
    """Knows its open connections, since those kept alive outlive the listening socket."""

    daemon_threads = True
    request_queue_size = 64
    immich: Immich

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(*args)

    def server_bind(self) -> None:
        # HTTPServer would ask the name service for the name of 127.0.0.1, which can take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A caller that goes away, or does not trust the certificate, is part of the tests.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def hang_up_all(self) -> None:
        """Close all connections and wait until their threads have let go of the database."""
        with self._changed:
            for each in self._open:
                # The plain shutdown: TLS would first want a word with the other side.
                with suppress(OSError):
                    socket.socket.shutdown(each, socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._open, timeout=90)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.immich._respond(self.command, self.path, self.headers.get("x-api-key"), raw)
        if answer is None:
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if "content-length" in headers:
            headers["connection"] = "close"
        elif answer.status != 204:
            headers["content-length"] = str(len(answer.body))
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name.title(), value)
        self.end_headers()
        if answer.status != 204 and self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _handle

    def version_string(self) -> str:
        return "Immich"

    def log_message(self, *_: Any) -> None:
        pass
