"""The schemas that the other tests stand on: their keys, what their triggers do, and the builder of rows."""

import json
import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg2
import pytest

from tests import postgres, schemas
from tests.library import Library

# Every foreign key: target <- table (columns) action, and the versions that have it if not all do. The action is that
# of ON DELETE; "only": nothing follows ON UPDATE.
FOREIGN_KEYS = """
album <- activity (albumId) cascade
album <- album_asset (albumsId) cascade: -2.0
album <- album_asset (albumId) cascade: 2.3-
album <- album_asset_audit (albumId) cascade
album <- album_user (albumsId) cascade: -2.0
album <- album_user (albumId) cascade: 2.3-
album <- shared_link (albumId) cascade
album_asset <- activity (albumId, assetId) cascade only
asset <- activity (assetId) cascade
asset <- album (albumThumbnailAssetId) set null
asset <- album_asset (assetsId) cascade: -2.0
asset <- album_asset (assetId) cascade: 2.3-
asset <- asset (livePhotoVideoId) set null
asset <- asset_audio (assetId) cascade only: 3.1-
asset <- asset_edit (assetId) cascade: 2.5-
asset <- asset_exif (assetId) cascade only
asset <- asset_face (assetId) cascade
asset <- asset_file (assetId) cascade
asset <- asset_job_status (assetId) cascade
asset <- asset_keyframe (assetId) cascade only: 3.1-
asset <- asset_metadata (assetId) cascade
asset <- asset_ocr (assetId) cascade: 2.3-
asset <- asset_video (assetId) cascade only: 3.1-
asset <- integrity_report (assetId) cascade: 3.1-
asset <- memory_asset (assetsId) cascade: -2.0
asset <- memory_asset (assetId) cascade: 2.3-
asset <- ocr_search (assetId) cascade: 2.3-
asset <- shared_link_asset (assetsId) cascade: -2.0
asset <- shared_link_asset (assetId) cascade: 2.3-
asset <- smart_search (assetId) cascade only
asset <- stack (primaryAssetId) no action only
asset <- tag_asset (assetsId) cascade: -2.0
asset <- tag_asset (assetId) cascade: 2.3-
asset <- video_stream_session (assetId) cascade only: 3.1-
asset_face <- face_search (faceId) cascade only
asset_face <- person (faceAssetId) set null only
asset_file <- integrity_report (fileAssetId) cascade: 3.1-
cluster_group <- cluster_group_request (clusterGroupId) cascade: 3.2-
cluster_group <- person_group (clusterGroupId) cascade: 3.2-
cluster_group <- user (clusterGroupId) no action: 3.2-
library <- asset (libraryId) cascade
memory <- memory_asset (memoriesId) cascade
memory <- memory_asset_audit (memoryId) cascade
person <- asset_face (personId) set null: -3.1
person <- person_user (sharedById, personGroupId) cascade: 3.3-
person_group <- asset_face (personGroupId) set null: 3.2-
person_group <- person (personGroupId) cascade: 3.2-
session <- session (parentId) cascade
session <- session_sync_checkpoint (sessionId) cascade
shared_link <- shared_link_asset (sharedLinksId) cascade: -2.0
shared_link <- shared_link_asset (sharedLinkId) cascade: 2.3-
stack <- asset (stackId) set null
tag <- tag (parentId) cascade only
tag <- tag_asset (tagsId) cascade: -2.0
tag <- tag_asset (tagId) cascade: 2.3-
tag <- tag_closure (id_ancestor) cascade only
tag <- tag_closure (id_descendant) cascade only
user <- activity (userId) cascade
user <- album (ownerId) cascade: -2.7
user <- album_user (usersId) cascade: -2.0
user <- album_user (userId) cascade: 2.3-
user <- api_key (userId) cascade
user <- asset (ownerId) cascade
user <- cluster_group_request (userId) cascade: 3.2-
user <- library (ownerId) cascade
user <- memory (ownerId) cascade
user <- notification (userId) cascade
user <- partner (sharedById) cascade only
user <- partner (sharedWithId) cascade only
user <- person (ownerId) cascade
user <- person_user (sharedWithId) cascade: 3.3-
user <- session (userId) cascade
user <- shared_link (userId) cascade
user <- stack (ownerId) cascade
user <- tag (userId) cascade
user <- user_metadata (userId) cascade
user <- workflow (ownerId) cascade: 2.3-
video_stream_session <- video_stream_variant (sessionId) cascade only: 3.1-
"""


def expected_keys(version: str) -> list[tuple[str, str, tuple[str, ...], str]]:
    """The lines above that hold for a version."""
    found = []
    for line in FOREIGN_KEYS.strip().splitlines():
        match = re.fullmatch(r"(\w+) <- (\w+) \((.+)\) ([a-z ]+?)(?:: ([\d.]*)-([\d.]*))?", line)
        assert match, line
        target, table, columns, action, since, until = match.groups()
        if (since or "0") <= version <= (until or "9"):
            found.append((target, table, tuple(columns.split(", ")), action))
    return sorted(found)


@pytest.fixture
def connect(pool) -> Iterator:
    """A function that gives a connection to an empty database of a version."""
    with ExitStack() as databases:
        yield lambda version: databases.enter_context(pool.library(version)).connection


@pytest.fixture(params=schemas.VERSIONS)
def lib(request: pytest.FixtureRequest, connect) -> Library:
    """An empty library of each version in turn."""
    return Library(connect(request.param), request.param)


def test_an_unknown_version_is_refused(connect) -> None:
    with pytest.raises(ValueError, match=r"1\.99"):
        schemas.build(connect("2.0"), "1.99")


@pytest.mark.always
def test_foreign_keys_are_immichs(lib: Library) -> None:
    assert schemas.foreign_keys(lib.connection) == expected_keys(lib.version)


def test_a_wrong_password_is_refused() -> None:
    server = postgres.server()
    if not server.password:
        pytest.skip("this server asks for none")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(**server.params(server.maintenance) | {"password": "wrong"})


# What Immich's triggers write when a statement is run on a small library: an album of Anna's with one photo, its cover,
# with Ben as a member, a memory of it, and a person on it. From 3.2 a face stays in its group, which others may know.
WRITTEN: dict[str, dict[str, list[tuple[str, ...]]]] = {
    "delete from asset": {
        "asset_audit": [("photo", "anna")],
        "album_asset_audit": [("album", "photo")],
        "memory_asset_audit": [("memory", "photo")],
    },
    "delete from album": {"album_audit": [("album", "anna"), ("album", "ben")], "album_user_audit": [("album", "ben")]},
    "delete from album_user where {album_user.userId} = :ben": {
        "album_audit": [("album", "ben")],
        "album_user_audit": [("album", "ben")],
    },
    "delete from person": {"person_audit": [("person", "anna")]},
    """update asset set "ownerId" = :ben; update person set "ownerId" = :ben""": {},
}


def ids_of(row: dict[str, str]) -> list[str]:
    """What such a record names."""
    return [column for column in row if column not in ("id", "deletedAt")]


@pytest.mark.parametrize("statement", WRITTEN)
def test_what_goes_is_recorded_for_whom_it_is_to_be_told(lib: Library, statement: str) -> None:
    ids = {"anna": lib.user("Anna"), "ben": lib.user("Ben")}
    ids["photo"] = lib.asset(ids["anna"])
    ids["album"] = lib.album(ids["anna"], assets=[ids["photo"]], members={ids["ben"]: "editor"}, cover=ids["photo"])
    ids["memory"] = lib.memory(ids["anna"], [ids["photo"]])
    ids["person"] = lib.person(ids["anna"], "Mia")
    face = lib.face(ids["photo"], ids["person"], featured=True)
    text = statement.replace("{album_user.userId}", f'"{lib.name("album_user", "userId")}"')
    lib.rows(text.replace(":ben", f"'{ids['ben']}'"))
    found = {}
    for table, rows in lib.snapshot().items():
        if table.endswith("_audit") and rows:
            found[table] = {frozenset(map(json.loads(row).get, ids_of(json.loads(row)))) for row in rows}
    expected = {table: {frozenset(map(ids.get, row)) for row in rows} for table, rows in WRITTEN[statement].items()}
    if "album_user_audit" in expected and "where" not in statement and lib.has_album_owner_rows:
        expected["album_user_audit"].add(frozenset({ids["album"], ids["anna"]}))  # the owner is a member, too
    assert found == expected
    if statement == "delete from person":
        assert lib.person_of(face) == (ids["person"] if lib.has_people_groups else None)
    if statement == "delete from asset":
        assert lib.value('select "albumThumbnailAssetId" from album') is None


def test_what_else_triggers_and_keys_do(lib: Library) -> None:
    """Rows are stamped, people who go with their owner are recorded from 3.2, a member touches the album."""
    anna, ben = lib.user("Anna"), lib.user("Ben")
    asset, album = lib.asset(anna, checksum=b"same"), lib.album(anna)
    before = lib.row('select "updateId", "updatedAt" from asset where id = %s', asset)
    lib.rows("update asset set \"updatedAt\" = '2000-01-01' where id = %s", asset)
    after = lib.row('select "updateId", "updatedAt" from asset where id = %s', asset)
    assert after[0] > before[0] and after[1] > before[1]
    ids = [row[0] for row in lib.rows("select immich_uuid_v7() from generate_series(1, 50)")]
    assert len(set(ids)) == 50 and {uuid.UUID(i).version for i in ids} == {7} and before[0] < min(ids)
    lib.asset(ben, checksum=b"same")
    lib.asset(anna, checksum=b"same", library=lib.library(anna))
    with pytest.raises(psycopg2.errors.UniqueViolation, match="UQ_assets_owner_checksum"):
        lib.asset(anna, checksum=b"same", trashed=True)
    before = lib.value('select "updateId" from album')
    columns = ", ".join(f'"{lib.name("album_user", column)}"' for column in ("albumId", "userId"))
    lib.rows(f"insert into album_user ({columns}) values (%s, %s)", album, ben)
    assert lib.value('select "updateId" from album') > before
    if lib.has_album_owner_rows:
        with pytest.raises(psycopg2.errors.UniqueViolation, match="album_user_unique_owner"):
            lib.rows("update album_user set role = 'owner' where \"userId\" = %s", ben)
        lib.rows('delete from album_user where "userId" = %s', anna)
        assert lib.value("select count(*) from album where id = %s", album) == (0 if lib.has_people_groups else 1)
    if lib.has("asset", "isEdited"):
        edit = """insert into asset_edit ("assetId", action, parameters, sequence) values (%s, 'crop', '{}', 0)"""
        for statement, values, mark in ((edit, (asset,), True), ("delete from asset_edit", (), False)):
            lib.rows(statement, *values)
            assert lib.value('select "isEdited" from asset where id = %s', asset) is mark
    lib.person(anna, "Mia")
    lib.rows('delete from "user" where id = %s', anna)
    assert lib.value("select count(*) from person_audit") == (1 if lib.has_people_groups else 0)
    assert lib.rows('select "userId" from user_audit') == [(anna,)]


def test_a_shared_person_gets_a_row_and_fills_gaps_and_goes_with_its_shares(connect) -> None:
    lib = Library(connect("3.3"), "3.3")
    anna, ben, cleo = lib.user("Anna"), lib.user("Ben"), lib.user("Cleo")
    mia = lib.person(anna, "Mia", birth="2015-03-02")
    lib.person(cleo, "Mimi", group=mia)
    lib.share_person(mia, anna, ben)
    lib.share_person(mia, anna, cleo, "write")
    said = {user: lib.person_row(user, mia) for user in (ben, cleo)}
    assert {user: (row["name"], str(row["birthDate"])) for user, row in said.items()} == {
        ben: ("Mia", "2015-03-02"),
        cleo: ("Mimi", "2015-03-02"),
    }
    assert said[ben]["thumbnailPath"] == ""
    with pytest.raises(psycopg2.errors.CheckViolation):
        lib.share_person(mia, anna, anna)
    lib.rows('delete from person where "ownerId" = %s', ben)
    assert lib.rows('select "sharedWithId" from person_user') == [(cleo,)]
    lib.rows('delete from person where "ownerId" = %s', anna)
    assert lib.value("select count(*) from person_user") == 0
    assert lib.person_row(cleo, mia)["name"] == "Mimi"


def test_a_snapshot_sees_changes(lib: Library) -> None:
    """Equal without a change, different after one, and equal again where the change is left out."""
    anna, ben = lib.user("Anna"), lib.user("Ben")
    lib.partner(anna, ben)
    lib.session(anna)
    assert lib.snapshot() == lib.snapshot()
    stamps, session = ("updatedAt", "updateId"), "session.isPendingSyncReset"
    before, narrow = lib.snapshot(), lib.snapshot(ignore=(*stamps, session, "*_audit"))
    lib.rows('update session set "isPendingSyncReset" = true')
    lib.rows('delete from partner where "sharedById" = %s', anna)
    assert lib.snapshot()["session"] != before["session"]
    assert lib.snapshot(ignore=stamps)["session"] != lib.snapshot(ignore=(*stamps, session))["session"]
    after = lib.snapshot(ignore=(*stamps, session, "*_audit"))
    assert {table for table in narrow if narrow[table] != after[table]} == {"partner"}
    assert "partner_audit" in lib.snapshot() and "partner_audit" not in after
