"""The schemas that the other tests stand on: their keys, what their triggers do, and the builder of rows."""

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

# Tables that Library makes no rows in; partner is emptied by the test of snapshots.
NOT_FILLED = {
    *("asset_audio", "asset_edit", "asset_keyframe", "asset_video", "audit", "cluster_group_request"),
    *("integrity_report", "notification", "partner", "session_sync_checkpoint", "system_metadata", "user_metadata"),
    *("version_history", "video_stream_session", "video_stream_variant", "workflow"),
}


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


@pytest.fixture
def library(connect):
    """A function that makes an empty library of a version."""
    return lambda version: Library(connect(version), version)


def test_an_unknown_version_is_refused(connect) -> None:
    with pytest.raises(ValueError, match=r"1\.99"):
        schemas.build(connect("2.0"), "1.99")


def test_foreign_keys_are_immichs(lib: Library) -> None:
    assert schemas.foreign_keys(lib.connection) == expected_keys(lib.version)


def test_a_wrong_password_is_refused() -> None:
    server = postgres.server()
    if not server.password:
        pytest.skip("this server asks for none")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(**server.params(server.maintenance) | {"password": "wrong"})


def test_version_ids_follow_time(lib: Library) -> None:
    ids = [row[0] for row in lib.rows("select immich_uuid_v7() from generate_series(1, 50)")]
    first, last = lib.row("select immich_uuid_v7('2024-01-01'), immich_uuid_v7('2024-01-01 00:00:00.001')")
    assert len(set(ids)) == 50
    assert {uuid.UUID(i).version for i in ids} == {7}
    assert {uuid.UUID(i).variant for i in ids} == {uuid.RFC_4122}
    assert first < last < min(ids)
    assert uuid.UUID(first).int >> 80 == 1704067200000


def test_an_update_stamps_the_row(lib: Library) -> None:
    asset = lib.asset(lib.user("Anna"))
    before = lib.row('select "updateId", "updatedAt" from asset where id = %s', asset)
    lib.rows("update asset set \"updatedAt\" = '2000-01-01' where id = %s", asset)
    after = lib.row('select "updateId", "updatedAt" from asset where id = %s', asset)
    assert after[0] > before[0]
    assert after[1] > before[1]


def test_one_owner_has_a_file_once(lib: Library) -> None:
    anna, ben = lib.user("Anna"), lib.user("Ben")
    lib.asset(anna, checksum=b"same")
    lib.asset(ben, checksum=b"same")
    lib.asset(anna, checksum=b"same", library=lib.library(anna))
    with pytest.raises(psycopg2.errors.UniqueViolation, match="UQ_assets_owner_checksum"):
        lib.asset(anna, checksum=b"same", trashed=True)


def test_a_deleted_person_is_recorded_and_leaves_the_faces(lib: Library) -> None:
    anna = lib.user("Anna")
    person = lib.person(anna, "Mia")
    face = lib.face(lib.asset(anna), person, featured=True)
    lib.rows('delete from person where "ownerId" = %s', anna)
    key = "personGroupId" if lib.has_people_groups else "personId"
    assert lib.rows(f'select "{key}", "ownerId" from person_audit') == [(person, anna)]
    # From 3.2 the face stays in the group, which others may know.
    assert lib.person_of(face) == (person if lib.has_people_groups else None)


def test_people_gone_with_their_owner_are_recorded_from_3_2(lib: Library) -> None:
    anna = lib.user("Anna")
    lib.person(anna, "Mia")
    lib.rows('delete from "user" where id = %s', anna)
    assert lib.value("select count(*) from person_audit") == (1 if lib.has_people_groups else 0)
    assert lib.rows('select "userId" from user_audit') == [(anna,)]


def test_a_change_of_owner_writes_no_record(lib: Library) -> None:
    anna, ben = lib.user("Anna"), lib.user("Ben")
    lib.face(lib.asset(anna), lib.person(anna))
    lib.rows('update asset set "ownerId" = %s', ben)
    lib.rows('update person set "ownerId" = %s', ben)
    assert lib.value("select (select count(*) from asset_audit) + (select count(*) from person_audit)") == 0


def test_a_photo_that_goes_takes_its_rows_and_is_recorded_once(lib: Library) -> None:
    anna = lib.user("Anna")
    asset = lib.asset(anna)
    lib.face(asset)
    album = lib.album(anna, assets=[asset], cover=asset)
    memory = lib.memory(anna, [asset])
    lib.rows("delete from asset where id = %s", asset)
    assert lib.rows('select "assetId", "ownerId" from asset_audit') == [(asset, anna)]
    assert lib.rows('select "albumId", "assetId" from album_asset_audit') == [(album, asset)]
    assert lib.rows('select "memoryId", "assetId" from memory_asset_audit') == [(memory, asset)]
    assert lib.rows("select from asset_face_audit") == []
    assert lib.value('select "albumThumbnailAssetId" from album') is None


def test_an_album_that_goes_is_recorded_for_all_who_saw_it(lib: Library) -> None:
    anna, ben = lib.user("Anna"), lib.user("Ben")
    album = lib.album(anna, assets=[lib.asset(anna)], members={ben: "viewer"})
    lib.rows("delete from album")
    assert set(lib.rows('select "albumId", "userId" from album_audit')) == {(album, anna), (album, ben)}
    assert lib.rows("select from album_user_audit") == []
    assert lib.rows("select from album_asset_audit") == []


def test_a_member_who_leaves_is_recorded_twice(lib: Library) -> None:
    anna, ben = lib.user("Anna"), lib.user("Ben")
    album = lib.album(anna, members={ben: "editor"})
    lib.rows(f'delete from album_user where "{lib.name("album_user", "userId")}" = %s', ben)
    assert lib.rows('select "albumId", "userId" from album_audit') == [(album, ben)]
    assert lib.rows('select "albumId", "userId" from album_user_audit') == [(album, ben)]
    assert lib.album_owner(album) == anna


def test_a_new_member_touches_the_album(lib: Library) -> None:
    anna, ben = lib.user("Anna"), lib.user("Ben")
    album = lib.album(anna)
    before = lib.value('select "updateId" from album')
    columns = ", ".join(f'"{lib.name("album_user", column)}"' for column in ("albumId", "userId"))
    lib.rows(f"insert into album_user ({columns}) values (%s, %s)", album, ben)
    assert lib.value('select "updateId" from album') > before


@pytest.mark.parametrize("version", ["3.1", "3.2", "3.3"])
def test_an_album_has_one_owner(library, version: str) -> None:
    lib = library(version)
    anna, ben = lib.user("Anna"), lib.user("Ben")
    lib.album(anna, members={ben: "editor"})
    with pytest.raises(psycopg2.errors.UniqueViolation, match="album_user_unique_owner"):
        lib.rows("update album_user set role = 'owner' where \"userId\" = %s", ben)


@pytest.mark.parametrize(("version", "left"), [("3.1", 1), ("3.2", 0), ("3.3", 0)])
def test_an_album_goes_with_its_owners_row_from_3_2(library, version: str, left: int) -> None:
    lib = library(version)
    anna, ben = lib.user("Anna"), lib.user("Ben")
    album = lib.album(anna, members={ben: "editor"})
    lib.rows('delete from album_user where "userId" = %s', anna)
    assert lib.value("select count(*) from album where id = %s", album) == left


@pytest.mark.parametrize("version", ["2.5", "2.7", "3.1", "3.2", "3.3"])
def test_edits_mark_the_photo(library, version: str) -> None:
    lib = library(version)
    asset = lib.asset(lib.user("Anna"))
    edit = """insert into asset_edit ("assetId", action, parameters, sequence) values (%s, 'crop', '{}', %s)"""
    marks = [lib.value('select "isEdited" from asset')]
    for statement, values in (
        (edit, (asset, 0)),
        (edit, (asset, 1)),
        ("delete from asset_edit where sequence = 0", ()),
        ("delete from asset_edit", ()),
    ):
        lib.rows(statement, *values)
        marks.append(lib.value('select "isEdited" from asset'))
    assert marks == [False, True, True, True, False]


def test_sharing_a_person_makes_a_row_and_fills_gaps(library) -> None:
    lib = library("3.3")
    anna, ben, cleo = lib.user("Anna"), lib.user("Ben"), lib.user("Cleo")
    mia = lib.person(anna, "Mia", birth="2015-03-02")
    lib.person(cleo, "Mimi", group=mia)
    lib.share_person(mia, anna, ben)
    lib.share_person(mia, anna, cleo, "write")
    assert lib.person_row(ben, mia)["name"] == "Mia"
    assert lib.person_row(ben, mia)["thumbnailPath"] == ""
    assert lib.person_row(cleo, mia)["name"] == "Mimi"
    assert str(lib.person_row(cleo, mia)["birthDate"]) == "2015-03-02"
    with pytest.raises(psycopg2.errors.CheckViolation):
        lib.share_person(mia, anna, anna)


def test_a_person_that_goes_takes_the_shares_along(library) -> None:
    lib = library("3.3")
    anna, ben, cleo = lib.user("Anna"), lib.user("Ben"), lib.user("Cleo")
    mia = lib.person(anna, "Mia")
    lib.share_person(mia, anna, ben)
    lib.share_person(mia, anna, cleo)
    lib.rows('delete from person where "ownerId" = %s', ben)
    assert lib.rows('select "sharedWithId" from person_user') == [(cleo,)]
    lib.rows('delete from person where "ownerId" = %s', anna)
    assert lib.rows("select from person_user") == []
    assert lib.person_row(cleo, mia)["name"] == "Mia"


def test_library_makes_every_kind_of_row(lib: Library) -> None:
    anna = lib.user("Anna", label="anna", quota=10_000, admin=True)
    ben = lib.user("Ben B", email="b@example.org", deleted=True)
    assert lib.value('select email from "user" where id = %s', anna) == "anna@example.com"

    still, video = lib.live(anna, size=3000, favorite=True)
    photo = lib.asset(anna, "Rome.jpg", sidecar=True, encoded=True, description="Rome", size=500)
    outside = lib.asset(anna, library=lib.library(anna), size=7)
    trashed = lib.asset(anna, trashed=True, visibility="archive", size=None)
    gone = lib.asset(ben, deleted=True)
    assert lib.value('select "livePhotoVideoId" from asset where id = %s', still) == video
    assert lib.row("select visibility, type from asset where id = %s", video) == ("hidden", "VIDEO")
    assert lib.row('select "libraryId" is null, "isExternal" from asset where id = %s', outside) == (False, True)
    assert lib.row('select status, "deletedAt" is null from asset where id = %s', trashed) == ("trashed", False)
    assert lib.value("select status from asset where id = %s", gone) == "deleted"
    assert lib.owner_of(photo) == anna
    assert file_paths(lib, photo) == {
        f"/data/upload/{anna}/aa/bb/{photo}.jpg",
        f"/data/upload/{anna}/aa/bb/{photo}.jpg.xmp",
        f"/data/encoded-video/{anna}/aa/bb/{photo}.mp4",
        f"/data/thumbs/{anna}/aa/bb/{photo}_thumbnail.webp",
        f"/data/thumbs/{anna}/aa/bb/{photo}_preview.webp",
    }
    lib.settle_usage()
    assert lib.rows('select "quotaUsageInBytes" from "user" order by name') == [(4500,), (1000,)]

    stack = lib.stack(anna, [still, photo], primary=photo)
    assert lib.value('select count(*) from asset where "stackId" = %s', stack) == 2
    assert lib.value('select "primaryAssetId" from stack') == photo
    lib.move_history(photo)
    assert lib.value('select "pathType" from move_history where "entityId" = %s', photo) == "original"

    album = lib.album(anna, "Trip", [still], members={ben: "viewer", anna: "editor"}, cover=still)
    lib.album(anna, deleted=True)
    lib.add_to_album(album, photo, trashed)
    assert lib.album_owner(album) == anna
    assert lib.value("select count(*) from album_asset") == 3
    lib.comment(album, ben, "Fine", asset=photo)
    lib.like(album, ben)
    lib.link(anna, assets=[still, photo], slug="rome")
    lib.link(anna, album=album)
    assert lib.rows("select type from shared_link order by 1") == [("ALBUM",), ("INDIVIDUAL",)]

    rome = lib.tag(anna, "Trips/Italy/Rome", color="#ff0000")
    milan = lib.tag(anna, "Trips/Italy/Milan")
    lib.tag_assets(rome, still, photo)
    assert lib.tag(anna, "Trips/Italy/Rome") == rome != milan
    assert lib.rows("select value, color from tag order by 1") == [
        ("Trips", None),
        ("Trips/Italy", None),
        ("Trips/Italy/Milan", None),
        ("Trips/Italy/Rome", "#ff0000"),
    ]
    assert lib.value("select count(*) from tag_closure") == 1 + 2 + 3 + 3
    lib.memory(anna, [still, photo], saved=True)
    lib.partner(anna, ben)
    lib.session(anna)
    lib.api_key(anna)

    mia = lib.person(anna, "Mia", birth="2015-03-02", hidden=True, favorite=True, color="#00ff00")
    nobody = lib.person(anna, thumbnail="")
    face = lib.face(still, mia, featured=True, box=(1, 2, 3, 4))
    lib.face(still)
    lib.face(photo, nobody, deleted=True, source="manual")
    other = lib.face(photo, mia)
    assert lib.person_of(face) == mia
    assert lib.person_row(anna, mia)["faceAssetId"] == face
    assert lib.person_row(anna, mia)["personGroupId"] == mia
    assert lib.person_row(anna, nobody)["thumbnailPath"] == ""
    assert lib.person_row(ben, mia) is None
    lib.feature(mia, other)
    assert lib.person_row(anna, mia)["faceAssetId"] == other
    assert lib.value("select count(*) from face_search") == 4
    assert_version_specific(lib, anna, ben, mia, photo)

    assert_snapshot_sees_changes(lib, anna)
    empty = {table for table, rows in lib.snapshot(ignore=["*_audit"]).items() if not rows}
    assert empty <= NOT_FILLED


def assert_version_specific(lib: Library, anna: str, ben: str, mia: str, photo: str) -> None:
    """What only some versions can do works there, and is refused elsewhere."""
    if lib.has_face_visibility:
        lib.face(photo, mia, visible=False)
    else:
        with pytest.raises(ValueError, match="hide"):
            lib.face(photo, mia, visible=False)
    if lib.has_people_groups:
        lib.person(ben, "M", group=mia)
        with pytest.raises(ValueError, match="no row"):
            lib.feature(lib.person(anna), lib.face(photo), owner=ben)
        face = lib.face(photo, mia, featured_of=ben)
        assert lib.person_row(ben, mia)["faceAssetId"] == face
        lib.cluster(anna, ben)
        groups = lib.rows('select "clusterGroupId" from person_group union select "clusterGroupId" from "user"')
        assert groups == [(lib.cluster_of(anna),)]
    else:
        with pytest.raises(ValueError, match="groups"):
            lib.person(ben, group=mia)
    if lib.has_person_sharing:
        lib.share_person(mia, anna, ben)


def assert_snapshot_sees_changes(lib: Library, anna: str) -> None:
    """Equal without a change, different after one, and equal again where the change is left out."""
    assert lib.snapshot() == lib.snapshot()
    stamps = ("updatedAt", "updateId")
    session = "session.isPendingSyncReset"
    before, narrow = lib.snapshot(), lib.snapshot(ignore=(*stamps, session, "*_audit"))
    lib.rows('update session set "isPendingSyncReset" = true')
    lib.rows('delete from partner where "sharedById" = %s', anna)
    assert lib.snapshot()["session"] != before["session"]
    assert lib.snapshot(ignore=stamps)["session"] != lib.snapshot(ignore=(*stamps, session))["session"]
    after = lib.snapshot(ignore=(*stamps, session, "*_audit"))
    assert {table for table in narrow if narrow[table] != after[table]} == {"partner"}
    assert "partner_audit" in lib.snapshot() and "partner_audit" not in after


def file_paths(lib: Library, asset: str) -> set[str]:
    """Where a photo's files lie, whatever column says so."""
    found = {path for (path,) in lib.rows('select path from asset_file where "assetId" = %s', asset)}
    for column in ("originalPath", "sidecarPath", "encodedVideoPath"):
        if lib.has("asset", column):
            found.add(lib.value(f'select "{column}" from asset where id = %s', asset))
    return found
