"""The stand-in for Immich's REST API has the shapes and errors of the real servers, as far as the tool's tests rely on
them. What answers are planted, and what jobs do, the tests of screens and jobs show.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests import postgres, schemas
from tests.immich import Immich
from tests.library import Library
from tests.pool import POOL

pytestmark = pytest.mark.screens

SHORT_USER = "id email name profileImagePath avatarColor profileChangedAt"
FULL_USER = (
    f"{SHORT_USER} storageLabel shouldChangePassword isAdmin createdAt deletedAt updatedAt oauthId quotaSizeInBytes"
    " quotaUsageInBytes status license"
)
NEW_ALBUM = (
    "albumName description albumThumbnailAssetId createdAt updatedAt id albumUsers shared hasSharedLink startDate"
    " endDate assetCount isActivityEnabled order lastModifiedAssetTimestamp"
)
OLD_ALBUM = NEW_ALBUM.replace(" id ", " id ownerId owner ").replace(" assetCount", " assets assetCount")
QUEUES = (
    "thumbnailGeneration metadataExtraction videoConversion faceDetection facialRecognition smartSearch"
    " duplicateDetection backgroundTask storageTemplateMigration migration search sidecar library notifications"
    " backupDatabase"
)
ADDED = {"2.0": "", "2.3": " ocr workflow", "2.5": " ocr workflow editor", "3.1": " ocr workflow integrityCheck editor"}


@dataclass(frozen=True)
class Scene:
    """An Immich with three users: root (administrator), alice and bob."""

    immich: Immich
    library: Library
    root: str
    alice: str
    bob: str

    @property
    def is_new(self) -> bool:
        return self.immich.numbers >= (3, 0, 0)

    def call(
        self, method: str, path: str, user: str | None = None, permissions: Any = ("all",), body: Any = None
    ) -> Any:
        key = {"x-api-key": self.immich.key(user, permissions)} if user else {}
        return requests.request(method, self.immich.url + path, headers=key, json=body, timeout=90)

    def get(self, path: str, user: str | None = None, permissions: Any = ("all",)) -> Any:
        answer = self.call("GET", path, user, permissions)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def expect(self, answer: requests.Response, status: int, error: str, message: Any) -> None:
        """2.x repeats the status in the body, 3.x says the message alone."""
        assert answer.status_code == status
        content = answer.json()
        assert self.is_new or content.pop("correlationId")
        assert content == {"message": message} | ({} if self.is_new else {"error": error, "statusCode": status})


@pytest.fixture(params=schemas.VERSIONS)
def every(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """Such an Immich of each version."""
    with POOL.library(request.param) as library:
        params = postgres.server().params(library.connection.info.dbname)
        with Immich(params, request.param) as immich:
            root = library.user("Root", admin=True)
            yield Scene(immich, library, root, library.user("Alice", label="alice"), library.user("Bob"))


def names(row: dict[str, Any]) -> str:
    return " ".join(row)


def test_what_needs_neither_key_nor_database() -> None:
    for version, answer in {
        "2.7.4": {"major": 2, "minor": 7, "patch": 4},
        "3.3": {"major": 3, "minor": 3, "patch": 1, "prerelease": None},
    }.items():
        with Immich({}, version) as immich:
            assert requests.get(f"{immich.url}/api/server/ping", timeout=90).json() == {"res": "pong"}
            assert requests.get(f"{immich.url}/api/server/version", timeout=90).json() == answer


def test_users_and_keys(every: Scene) -> None:
    gone = every.library.user("Gone", deleted=True)
    full = FULL_USER + (" clusterGroupId" if every.immich.numbers >= (3, 2, 0) else "")
    me = every.get("/api/users/me", every.alice)
    assert names(me) == full
    assert (me["id"], me["email"], me["storageLabel"]) == (every.alice, "alice@example.com", "alice")
    assert (me["isAdmin"], me["oauthId"], me["license"], me["deletedAt"]) == (False, "", None, None)
    assert me["createdAt"].endswith("Z")
    for path, user, shape in (("/api/users", every.alice, SHORT_USER), ("/api/admin/users", every.root, full)):
        rows = every.get(path, user)
        assert {row["name"]: names(row) for row in rows} == dict.fromkeys(("Root", "Alice", "Bob"), shape)
    everybody = every.get("/api/admin/users?withDeleted=true", every.root)
    assert [row["id"] for row in everybody if row["deletedAt"]] == [gone]
    key = every.get("/api/api-keys/me", every.bob, ("album.read", "user.read"))
    assert names(key) == "id name createdAt updatedAt permissions"
    assert key["permissions"] == ["album.read", "user.read"]


def test_albums(every: Scene) -> None:
    """One with everything, and which ones are listed to whom."""
    photos = [every.library.asset(every.alice), every.library.asset(every.alice, trashed=True)]
    given = every.library.album(every.alice, "given", photos, members={every.bob: "editor"}, cover=photos[0])
    every.library.link(every.alice, album=every.library.album(every.alice, "public"))
    every.library.album(every.alice, "own")
    every.library.album(every.alice, "deleted", deleted=True)
    every.library.album(every.bob, "strange")

    albums = {album["albumName"]: album for album in every.get("/api/albums", every.alice)}
    album = albums["given"]
    assert names(album) == (NEW_ALBUM if every.is_new else OLD_ALBUM)
    assert not {"startDate", "endDate", "lastModifiedAssetTimestamp"} & set(albums["own"])
    assert (album["id"], album["description"], albums["own"]["assetCount"]) == (given, "", 0)
    assert (album["albumThumbnailAssetId"], album["assetCount"], album["order"]) == (photos[0], 1, "desc")
    assert (album["shared"], album["hasSharedLink"], album["startDate"]) == (True, False, "2024-05-17T12:30:00.000Z")
    members = [(each["user"]["id"], each["role"]) for each in album["albumUsers"]]
    assert members == [(every.alice, "owner")] * every.is_new + [(every.bob, "editor")]
    assert every.is_new or album["ownerId"] == album["owner"]["id"] == every.alice
    assert all(names(each["user"]) == SHORT_USER for each in album["albumUsers"])
    assert album["albumUsers"][0]["user"]["profileChangedAt"].endswith("+00:00")

    alice, bob = every.alice, every.bob
    listed = {  # from 3.0 with other words
        True: [
            *((alice, "", "given own public"), (bob, "", "given strange"), (bob, "?isOwned=true", "strange")),
            *((bob, "?isOwned=false", "given"), (alice, "?isShared=true", "given public")),
            (alice, "?isOwned=true&isShared=false", "own"),
        ],
        False: [
            *((alice, "", "given own public"), (bob, "", "strange"), (alice, "?shared=true", "given public")),
            *((bob, "?shared=true", "given"), (alice, "?shared=false", "own")),
        ],
    }
    for user, query, expected in listed[every.is_new]:
        found = sorted(album["albumName"] for album in every.get(f"/api/albums{query}", user))
        assert " ".join(found) == expected, query


def test_refusals(every: Scene) -> None:
    """In Immich's order: key, administrator, permission."""
    every.expect(every.call("GET", "/api/users/me"), 401, "Unauthorized", "Authentication required")
    gone = every.library.user("Gone", deleted=True)
    every.expect(every.call("GET", "/api/users/me", gone), 401, "Unauthorized", "Invalid API key")
    every.expect(every.call("POST", "/api/users/me"), 404, "Not Found", "Cannot POST /api/users/me")
    for method, path, permission, admin, body in (
        ("GET", "/api/users/me", "user.read", False, None),
        ("GET", "/api/users", "user.read", False, None),
        ("GET", "/api/albums", "album.read", False, None),
        ("GET", "/api/admin/users", "adminUser.read", True, None),
        ("GET", "/api/jobs", "job.read", True, None),
        ("PUT", "/api/jobs/migration", "job.create", True, {"command": "start"}),
        ("POST", "/api/jobs", "job.create", True, {"name": "person-cleanup"}),
        ("GET", "/api/system-config", "systemConfig.read", True, None),
    ):
        user = every.root if admin else every.bob
        assert every.call(method, path, user, (permission,), body).ok, path
        lacking = every.call(method, path, user, ("person.read",), body)
        every.expect(lacking, 403, "Forbidden", f"Missing required permission: {permission}")
        if admin:
            every.expect(every.call(method, path, every.bob, ("all",), body), 403, "Forbidden", "Forbidden")


def test_queues(every: Scene) -> None:
    queues = (QUEUES + ADDED[max(version for version in ADDED if version <= every.immich.version)]).split()
    every.immich.busy("faceDetection", waiting=7)
    found = every.get("/api/jobs", every.root)
    assert sorted(found) == sorted(queues)
    counts = {"active": 0, "completed": 0, "failed": 0, "delayed": 0, "waiting": 0, "paused": 0}
    idle = {"queueStatus": {"isPaused": False, "isActive": False}, "jobCounts": counts}
    assert found["thumbnailGeneration"] == idle
    assert found["faceDetection"]["jobCounts"] == counts | {"active": 1, "waiting": 7}
    assert found["faceDetection"]["queueStatus"]["isActive"]

    start = {"command": "start", "force": False}
    answer = every.call("PUT", "/api/jobs/thumbnailGeneration", every.root, body=start)
    assert (answer.status_code, answer.json()["queueStatus"]["isActive"]) == (200, True)
    busy = every.call("PUT", "/api/jobs/faceDetection", every.root, body=start)
    every.expect(busy, 400, "Bad Request", "Job is already running")
    unknown = every.call("PUT", "/api/jobs/nonsense", every.root, body=start)
    if every.is_new:
        (error,) = unknown.json()["errors"]
        assert (unknown.status_code, unknown.json()["message"]) == (400, "Validation failed")
        assert (error["code"], error["path"], error["values"]) == ("invalid_value", ["name"], queues)
        assert error["message"].startswith('Invalid option: expected one of "thumbnailGeneration"|')
    else:
        name = "id" if every.immich.numbers < (2, 3, 0) else "name"
        message = f"{name} must be one of the following values: {', '.join(queues)}"
        every.expect(unknown, 400, "Bad Request", [message])
