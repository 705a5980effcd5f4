"""The stand-in for Immich's REST API has the shapes and errors of the real servers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests import postgres, schemas
from tests.conftest import POOL
from tests.immich import Immich
from tests.library import Library

pytestmark = pytest.mark.screens

SHORT_USER = ["id", "email", "name", "profileImagePath", "avatarColor", "profileChangedAt"]
FULL_USER = SHORT_USER + [
    "storageLabel",
    "shouldChangePassword",
    "isAdmin",
    "createdAt",
    "deletedAt",
    "updatedAt",
    "oauthId",
    "quotaSizeInBytes",
    "quotaUsageInBytes",
    "status",
    "license",
]
OLD_ALBUM = [
    "albumName",
    "description",
    "albumThumbnailAssetId",
    "createdAt",
    "updatedAt",
    "id",
    "ownerId",
    "owner",
    "albumUsers",
    "shared",
    "hasSharedLink",
    "startDate",
    "endDate",
    "assets",
    "assetCount",
    "isActivityEnabled",
    "order",
    "lastModifiedAssetTimestamp",
]
NEW_ALBUM = [name for name in OLD_ALBUM if name not in ("ownerId", "owner", "assets")]

OLD_QUEUES = [
    "thumbnailGeneration",
    "metadataExtraction",
    "videoConversion",
    "faceDetection",
    "facialRecognition",
    "smartSearch",
    "duplicateDetection",
    "backgroundTask",
    "storageTemplateMigration",
    "migration",
    "search",
    "sidecar",
    "library",
    "notifications",
    "backupDatabase",
]


@dataclass(frozen=True)
class Scene:
    """An Immich with three users: root (administrator), alice and bob."""

    immich: Immich
    library: Library
    root: str
    alice: str
    bob: str

    def call(
        self, method: str, path: str, user: str | None = None, permissions: Any = ("all",), body: Any = None
    ) -> Any:
        key = {"x-api-key": self.immich.key(user, permissions)} if user else {}
        return requests.request(method, self.immich.url + path, headers=key, json=body, timeout=90)

    def get(self, path: str, user: str | None = None, permissions: Any = ("all",)) -> Any:
        answer = self.call("GET", path, user, permissions)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def scene(version: str, **options: Any) -> Iterator[Scene]:
    with POOL.library(version) as library:
        params = postgres.server().params(library.connection.info.dbname)
        with Immich(params, version, **options) as immich:
            root = library.user("Root", admin=True)
            yield Scene(immich, library, root, library.user("Alice", label="alice"), library.user("Bob"))


@pytest.fixture(params=schemas.VERSIONS)
def every(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(request.param) as made:
        yield made


@pytest.fixture(params=["2.7", "3.3"])
def both(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene(request.param) as made:
        yield made


@pytest.fixture
def one() -> Iterator[Scene]:
    with scene("2.7") as made:
        yield made


def is_new(made: Scene) -> bool:
    return made.immich.numbers >= (3, 0, 0)


def expect_error(made: Scene, answer: requests.Response, status: int, error: str, message: Any) -> None:
    """2.x repeats the status in the body, 3.x says the message alone."""
    assert answer.status_code == status
    content = answer.json()
    if is_new(made):
        assert content == {"message": message}
    else:
        assert content.pop("correlationId")
        assert content == {"message": message, "error": error, "statusCode": status}


# Shapes


@pytest.mark.parametrize(
    ("version", "answer"),
    [
        ("2.0", {"major": 2, "minor": 0, "patch": 1}),
        ("2.7", {"major": 2, "minor": 7, "patch": 5}),
        ("2.7.4", {"major": 2, "minor": 7, "patch": 4}),
        ("3.1", {"major": 3, "minor": 1, "patch": 0, "prerelease": None}),
        ("3.3", {"major": 3, "minor": 3, "patch": 1, "prerelease": None}),
    ],
)
def test_ping_and_version_need_neither_key_nor_database(version: str, answer: dict[str, Any]) -> None:
    with Immich({}, version) as immich:
        assert requests.get(f"{immich.url}/api/server/ping", timeout=90).json() == {"res": "pong"}
        assert requests.get(f"{immich.url}/api/server/version", timeout=90).json() == answer


def test_users(every: Scene) -> None:
    gone = every.library.user("Gone", deleted=True)
    groups = ["clusterGroupId"] if every.immich.numbers >= (3, 2, 0) else []

    me = every.get("/api/users/me", every.alice)
    assert list(me) == FULL_USER + groups
    assert (me["id"], me["email"], me["storageLabel"]) == (every.alice, "alice@example.com", "alice")
    assert (me["isAdmin"], me["avatarColor"], me["oauthId"], me["license"]) == (False, "orange", "", None)
    assert me["createdAt"].endswith("Z") and me["deletedAt"] is None

    short = every.get("/api/users", every.alice)
    assert {row["name"] for row in short} == {"Root", "Alice", "Bob"}
    assert all(list(row) == SHORT_USER for row in short)

    full = every.get("/api/admin/users", every.root)
    assert {row["name"] for row in full} == {"Root", "Alice", "Bob"}
    assert all(list(row) == FULL_USER + groups for row in full)
    everybody = every.get("/api/admin/users?withDeleted=true", every.root)
    assert [row["id"] for row in everybody if row["deletedAt"]] == [gone]


def test_own_key(every: Scene) -> None:
    key = every.get("/api/api-keys/me", every.bob, ("album.read", "user.read"))
    assert list(key) == ["id", "name", "createdAt", "updatedAt", "permissions"]
    assert key["permissions"] == ["album.read", "user.read"]


def test_album(every: Scene) -> None:
    photos = [every.library.asset(every.alice), every.library.asset(every.alice, trashed=True)]
    shared = every.library.album(every.alice, "Trip", photos, members={every.bob: "editor"}, cover=photos[0])

    (album,) = every.get("/api/albums", every.alice)
    assert list(album) == (NEW_ALBUM if is_new(every) else OLD_ALBUM)
    assert (album["id"], album["albumName"], album["description"]) == (shared, "Trip", "")
    assert (album["albumThumbnailAssetId"], album["assetCount"], album["order"]) == (photos[0], 1, "desc")
    assert (album["shared"], album["hasSharedLink"], album["startDate"]) == (True, False, "2024-05-17T12:30:00.000Z")
    members = [(each["user"]["id"], each["role"]) for each in album["albumUsers"]]
    if is_new(every):
        assert members == [(every.alice, "owner"), (every.bob, "editor")]
    else:
        assert members == [(every.bob, "editor")]
        assert album["ownerId"] == album["owner"]["id"] == every.alice
    assert all(list(each["user"]) == SHORT_USER for each in album["albumUsers"])
    assert album["albumUsers"][0]["user"]["profileChangedAt"].endswith("+00:00")


def test_album_without_photos_has_no_dates(both: Scene) -> None:
    both.library.album(both.alice, "Empty")
    (album,) = both.get("/api/albums", both.alice)
    assert album["assetCount"] == 0
    assert not {"startDate", "endDate", "lastModifiedAssetTimestamp"} & set(album)


@pytest.fixture
def shelf(both: Scene) -> Scene:
    """Albums of alice's: kept to herself, shared with bob, with a public link, deleted; and one that is only bob's."""
    both.library.album(both.alice, "own")
    both.library.album(both.alice, "given", members={both.bob: "viewer"})
    both.library.link(both.alice, album=both.library.album(both.alice, "public"))
    both.library.album(both.alice, "deleted", deleted=True)
    both.library.album(both.bob, "strange")
    return both


def test_which_albums_are_listed(shelf: Scene) -> None:
    def names(query: str, user: str) -> set[str]:
        return {album["albumName"] for album in shelf.get(f"/api/albums{query}", user)}

    if is_new(shelf):
        everything = {"": {"own", "given", "public"}, "?shared=true": {"own", "given", "public"}}
        assert {query: names(query, shelf.alice) for query in everything} == everything
        assert names("", shelf.bob) == {"given", "strange"}
        assert names("?isOwned=true", shelf.bob) == {"strange"}
        assert names("?isOwned=false", shelf.bob) == {"given"}
        assert names("?isShared=true", shelf.alice) == {"given", "public"}
        assert names("?isOwned=true&isShared=false", shelf.alice) == {"own"}
    else:
        assert names("", shelf.alice) == {"own", "given", "public"}
        assert names("", shelf.bob) == {"strange"}
        assert names("?shared=true", shelf.alice) == {"given", "public"}
        assert names("?shared=true", shelf.bob) == {"given"}
        assert names("?shared=false", shelf.alice) == {"own"}


def test_settings(both: Scene) -> None:
    config = both.get("/api/system-config", both.root)
    assert config["storageTemplate"]["enabled"] is False
    assert config["user"] == {"deleteDelay": 7}


# Refusals


def test_key_missing_wrong_or_of_a_deleted_user(every: Scene) -> None:
    expect_error(every, every.call("GET", "/api/users/me"), 401, "Unauthorized", "Authentication required")
    wrong = requests.get(f"{every.immich.url}/api/users/me", headers={"x-api-key": "nonsense"}, timeout=90)
    expect_error(every, wrong, 401, "Unauthorized", "Invalid API key")
    gone = every.library.user("Gone", deleted=True)
    expect_error(every, every.call("GET", "/api/users/me", gone), 401, "Unauthorized", "Invalid API key")


@pytest.mark.cases
@pytest.mark.parametrize(
    ("method", "path", "permission", "admin"),
    [
        ("GET", "/api/users/me", "user.read", False),
        ("GET", "/api/users", "user.read", False),
        ("GET", "/api/albums", "album.read", False),
        ("GET", "/api/admin/users", "adminUser.read", True),
        ("GET", "/api/jobs", "job.read", True),
        ("PUT", "/api/jobs/migration", "job.create", True),
        ("POST", "/api/jobs", "job.create", True),
        ("GET", "/api/system-config", "systemConfig.read", True),
    ],
)
def test_who_may(both: Scene, method: str, path: str, permission: str, admin: bool) -> None:
    body = {"name": "person-cleanup"} if method == "POST" else {"command": "start"} if method == "PUT" else None
    user = both.root if admin else both.bob
    assert both.call(method, path, user, (permission,), body).ok
    lacking = both.call(method, path, user, ("person.read",), body)
    expect_error(both, lacking, 403, "Forbidden", f"Missing required permission: {permission}")
    if admin:
        expect_error(both, both.call(method, path, both.bob, ("all",), body), 403, "Forbidden", "Forbidden")


def test_unknown_path(every: Scene) -> None:
    expect_error(every, every.call("GET", "/api/nonsense"), 404, "Not Found", "Cannot GET /api/nonsense")
    expect_error(every, every.call("POST", "/api/users/me"), 404, "Not Found", "Cannot POST /api/users/me")


# Jobs


@pytest.mark.parametrize(
    ("version", "added"),
    [
        ("2.0", []),
        ("2.3", ["ocr", "workflow"]),
        ("2.7", ["ocr", "workflow", "editor"]),
        ("3.1", ["ocr", "workflow", "integrityCheck", "editor"]),
    ],
)
def test_queues(version: str, added: list[str]) -> None:
    with scene(version) as made:
        made.immich.busy("faceDetection", waiting=7)
        queues = made.get("/api/jobs", made.root)
        assert sorted(queues) == sorted(OLD_QUEUES + added)
        counts = {"active": 0, "completed": 0, "failed": 0, "delayed": 0, "waiting": 0, "paused": 0}
        idle = {"queueStatus": {"isPaused": False, "isActive": False}, "jobCounts": counts}
        assert queues["thumbnailGeneration"] == idle
        assert queues["faceDetection"]["jobCounts"] == counts | {"active": 1, "waiting": 7}
        assert queues["faceDetection"]["queueStatus"]["isActive"]

        made.immich.idle()
        assert made.get("/api/jobs", made.root)["faceDetection"] == idle

        unknown = made.call("PUT", "/api/jobs/nonsense", made.root, body={"command": "start"})
        if version < "3":
            name = "id" if version == "2.0" else "name"
            message = f"{name} must be one of the following values: {', '.join(OLD_QUEUES + added)}"
            expect_error(made, unknown, 400, "Bad Request", [message])
        else:
            assert unknown.status_code == 400
            (error,) = unknown.json()["errors"]
            assert unknown.json()["message"] == "Validation failed"
            assert (error["code"], error["path"], error["values"]) == ("invalid_value", ["name"], OLD_QUEUES + added)
            assert error["message"].startswith('Invalid option: expected one of "thumbnailGeneration"|')


def test_start(every: Scene) -> None:
    start = {"command": "start", "force": False}
    answer = every.call("PUT", "/api/jobs/thumbnailGeneration", every.root, body=start)
    assert answer.status_code == 200
    assert answer.json()["queueStatus"] == {"isPaused": False, "isActive": True}
    assert answer.json()["jobCounts"]["active"] == 1

    every.immich.busy("migration")
    answer = every.call("PUT", "/api/jobs/migration", every.root, body=start)
    expect_error(every, answer, 400, "Bad Request", "Job is already running")

    answer = every.call("POST", "/api/jobs", every.root, body={"name": "backup-database"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert every.immich.started == ["thumbnailGeneration", "backup-database"]
    assert ("PUT", "/api/jobs/migration", start) in every.immich.calls


def test_start_no_longer_there() -> None:
    with scene("3.3", jobs_gone=True) as made:
        answer = made.call("PUT", "/api/jobs/migration", made.root, body={"command": "start"})
        expect_error(made, answer, 404, "Not Found", "Cannot PUT /api/jobs/migration")
        assert made.get("/api/jobs", made.root)
        made.immich.jobs_gone = False
        assert made.call("PUT", "/api/jobs/migration", made.root, body={"command": "start"}).ok


def draw(made: Scene) -> None:
    body = {"command": "start", "force": False}
    assert made.call("PUT", "/api/jobs/thumbnailGeneration", made.root, body=body).ok


def test_missing_pictures_are_drawn(every: Scene) -> None:
    library = every.library
    person = library.person(every.alice, "Mom", thumbnail="")
    photo = library.asset(every.alice)
    library.face(photo, person, deleted=True)
    face = library.face(photo, person)
    nobody = library.person(every.alice, "No face", thumbnail="")
    done = library.person(every.alice, "Drawn", thumbnail="/data/old.jpeg")
    library.face(photo, done)

    every.immich.run_jobs = False
    draw(every)
    assert library.person_row(every.alice, person)["thumbnailPath"] == ""

    every.immich.run_jobs = True
    draw(every)
    row = library.person_row(every.alice, person)
    assert row["faceAssetId"] == face
    assert row["thumbnailPath"] == f"/data/thumbs/{every.alice}/{person[:2]}/{person[2:4]}/{person}.jpeg"
    assert library.person_row(every.alice, nobody)["thumbnailPath"] == ""
    row = library.person_row(every.alice, done)
    assert (row["thumbnailPath"], row["faceAssetId"]) == ("/data/old.jpeg", None)


def test_no_pictures_while_recognition_is_off(one: Scene) -> None:
    person = one.library.person(one.alice, "Mom", thumbnail="")
    one.library.face(one.library.asset(one.alice), person)
    one.immich.config["machineLearning"]["facialRecognition"]["enabled"] = False
    draw(one)
    assert one.library.person_row(one.alice, person)["thumbnailPath"] == ""


# Trouble


def test_planted_answers(one: Scene) -> None:
    one.immich.answer("/api/users", 200, "<html>Sign in</html>", times=1)
    page = one.call("GET", "/api/users/me", one.bob)
    assert (page.text, page.headers["Content-Type"]) == ("<html>Sign in</html>", "text/html; charset=utf-8")
    assert one.get("/api/users/me", one.bob)["name"] == "Bob"

    one.immich.answer("/api/users", 502, b"\xff\x00", {"X-Proxy": "yes"}, exact=True)
    answer = one.call("GET", "/api/users", one.bob)
    assert (answer.status_code, answer.content, answer.headers["X-Proxy"]) == (502, b"\xff\x00", "yes")
    assert one.get("/api/users/me", one.bob)

    one.immich.answer("PUT /api/jobs", 500, {"message": "Internal server error"})
    assert one.call("PUT", "/api/jobs/migration", one.root, body={}).status_code == 500
    assert one.get("/api/jobs", one.root)

    one.immich.answer("/api/albums", 200, b'[{"id": "', {"Content-Length": "500"})
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        one.call("GET", "/api/albums", one.bob)

    one.immich.forget()
    assert one.get("/api/albums", one.bob) == []


def test_wrong_claims_are_possible() -> None:
    """A server that says 3.1 over a database of 2.7, as after an upgrade that did not finish."""
    with scene("2.7") as made:
        made.library.album(made.alice, "Trip")
        made.immich.version = "3.1"
        assert made.get("/api/server/version")["major"] == 3
        (album,) = made.get("/api/albums", made.alice)
        assert album["albumUsers"][0]["role"] == "owner"
