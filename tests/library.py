"""Fills an Immich database with users, photos, people and albums, and looks at the rows.

It speaks the newest version's names and adapts them, and the few things kept elsewhere before, to the version at hand.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any
from uuid import uuid4

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

TAKEN = datetime(2024, 5, 17, 12, 30, tzinfo=UTC)
EMBEDDING = [0.25, 0.5, 0.75]

# What columns were called before; a name is used if the table at hand has it.
OLDER_NAMES = {
    ("album_asset", "albumId"): "albumsId",
    ("album_asset", "assetId"): "assetsId",
    ("album_user", "albumId"): "albumsId",
    ("album_user", "userId"): "usersId",
    ("memory_asset", "assetId"): "assetsId",
    ("shared_link_asset", "assetId"): "assetsId",
    ("shared_link_asset", "sharedLinkId"): "sharedLinksId",
    ("tag_asset", "assetId"): "assetsId",
    ("tag_asset", "tagId"): "tagsId",
    ("asset_face", "personGroupId"): "personId",
    ("person", "personGroupId"): "id",
}

Row = tuple[str, dict[str, Any]]
Snapshot = dict[str, list[str]]  # rows as text by table


class Library:
    """An Immich database of one version, through one connection in autocommit mode. Every id is a str."""

    def __init__(self, connection: Connection, version: str) -> None:
        self.connection = connection
        self.version = version
        self.rows("set timezone to 'UTC'")  # so that snapshots of two connections read alike
        self.focus: set[str] = set()  # photos that people turn to, in libraries of chance
        self._columns: dict[str, set[str]] = {}
        self._bytes: set[tuple[str, str]] = set()  # the columns of type bytea
        for table, column, is_bytes in self.rows(  # not from information_schema, which takes ten times as long
            """
            select c.relname, a.attname, a.atttypid = 'bytea'::regtype
            from pg_class c join pg_attribute a on a.attrelid = c.oid
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'p', 'f')
            and a.attnum > 0 and not a.attisdropped
            """
        ):
            self._columns.setdefault(table, set()).add(column)
            if is_bytes:
                self._bytes.add((table, column))

    # What this version has

    def has(self, table: str, column: str | None = None) -> bool:
        """Whether there is that table, and that column in it."""
        return table in self._columns and (column is None or column in self._columns[table])

    @property
    def has_people_groups(self) -> bool:
        """From 3.2: person_group, cluster_group, and a person row for each user who knows the group."""
        return self.has("person_group")

    @property
    def has_album_owner_rows(self) -> bool:
        """From 3.0: an album's owner is its member with the role owner."""
        return not self.has("album", "ownerId")

    @property
    def has_face_visibility(self) -> bool:
        """From 2.5: faces can be hidden."""
        return self.has("asset_face", "isVisible")

    @property
    def has_person_sharing(self) -> bool:
        """From 3.3: people can be shared."""
        return self.has("person_user")

    def name(self, table: str, column: str) -> str:
        """What this version calls a column of the newest one."""
        older = OLDER_NAMES.get((table, column))
        return older if older and self.has(table, older) and not self.has(table, column) else column

    # Users and what is theirs

    def user(
        self,
        name: str,
        *,
        email: str | None = None,
        admin: bool = False,
        label: str | None = None,
        quota: int | None = None,
        deleted: bool = False,
    ) -> str:
        """A user; quota in bytes. Without an e-mail address it is made of the name, so give one to namesakes."""
        user = new_id()
        row = {
            "id": user,
            "name": name,
            "email": email or f"{name.strip().lower().replace(' ', '.')}@example.com",
            "password": "$2b$10$not.a.real.hash",
            "isAdmin": admin,
            "storageLabel": label,
            "quotaSizeInBytes": quota,
            "status": "deleted" if deleted else "active",
            "deletedAt": now() if deleted else None,
            "shouldChangePassword": False,
        }
        rows: list[Row] = []
        if self.has_people_groups:
            row["clusterGroupId"] = new_id()
            rows.append(("cluster_group", {"id": row["clusterGroupId"]}))
        self._insert(*rows, ("user", row))
        return user

    def library(self, owner: str, name: str = "External") -> str:
        """An external library."""
        library = new_id()
        row = {"id": library, "name": name, "ownerId": owner, "importPaths": ["/mnt/photos"], "exclusionPatterns": []}
        self._insert(("library", row))
        return library

    def partner(self, by: str, to: str) -> None:
        """Everything of the first user is shown to the second."""
        self._insert(("partner", {"sharedById": by, "sharedWithId": to, "inTimeline": True}))

    def session(self, user: str) -> str:
        """A device that is logged in."""
        session = new_id()
        token = self._secret("session", "token")
        row = {"id": session, "userId": user, "token": token, "deviceType": "Android", "deviceOS": "16"}
        self._insert(("session", row))
        return session

    def api_key(self, user: str, permissions: Iterable[str] = ("all",), name: str = "test") -> str:
        """An API key's row. Its key is of chance: nobody can use it."""
        key = new_id()
        secret = self._secret("api_key", "key")
        row = {"id": key, "userId": user, "name": name, "key": secret, "permissions": list(permissions)}
        self._insert(("api_key", row))
        return key

    def settle_usage(self) -> None:
        """Set every user's quotaUsageInBytes as Immich does: all files of the user's, but external libraries."""
        self.rows(
            """
            update "user" u set "quotaUsageInBytes" = coalesce(
                (select sum(e."fileSizeInByte") from asset a join asset_exif e on e."assetId" = a.id
                  where a."ownerId" = u.id and a."libraryId" is null), 0)
            """
        )

    # Photos

    def asset(
        self,
        owner: str,
        name: str = "IMG_1.jpg",
        *,
        checksum: bytes | None = None,
        size: int | None = 1000,
        visibility: str = "timeline",
        trashed: bool = False,
        deleted: bool = False,
        library: str | None = None,
        live_video: str | None = None,
        duplicate: str | None = None,
        favorite: bool = False,
        taken: datetime | None = None,
        path: str | None = None,
        kind: str = "IMAGE",
        sidecar: bool = False,
        encoded: bool = False,
        description: str = "",
    ) -> str:
        """A photo or video with all the rows that Immich's jobs make for it.

        size is in bytes; library is an external library's id; deleted means that Immich's deletion is under way.
        """
        asset = new_id()
        taken = taken or TAKEN
        path = path or f"/data/upload/{owner}/aa/bb/{asset}{PurePosixPath(name).suffix or '.jpg'}"
        row = {
            "id": asset,
            "ownerId": owner,
            "type": kind,
            "originalPath": path,
            "originalFileName": name,
            "fileCreatedAt": taken,
            "fileModifiedAt": taken,
            "localDateTime": taken,
            "isFavorite": favorite,
            "checksum": checksum if checksum is not None else hashlib.sha1(secrets.token_bytes(20)).digest(),
            "livePhotoVideoId": live_video,
            "libraryId": library,
            "isExternal": library is not None,
            "status": "deleted" if deleted else "trashed" if trashed else "active",
            "deletedAt": now() if trashed or deleted else None,
            "duplicateId": duplicate,
            "visibility": visibility,
            "thumbhash": b"\x01\x02\x03",
        }
        if self.has("asset", "deviceAssetId"):
            row |= {"deviceAssetId": f"{name}-{size}", "deviceId": "Library Import"}
        if self.has("asset", "checksumAlgorithm"):
            row["checksumAlgorithm"] = "sha1-path" if library else "sha1"
        if self.has("asset", "width"):
            row |= {"width": 4000, "height": 3000}

        files = {kind: f"/data/thumbs/{owner}/aa/bb/{asset}_{kind}.webp" for kind in ("thumbnail", "preview")}
        if sidecar and self.has("asset", "sidecarPath"):
            row["sidecarPath"] = f"{path}.xmp"
        elif sidecar:
            files["sidecar"] = f"{path}.xmp"
        video = f"/data/encoded-video/{owner}/aa/bb/{asset}.mp4"
        if encoded and self.has("asset", "encodedVideoPath"):
            row["encodedVideoPath"] = video
        elif encoded:
            files["encoded_video"] = video

        exif = {"assetId": asset, "fileSizeInByte": size, "dateTimeOriginal": taken, "description": description}
        jobs = [c for c in self._columns["asset_job_status"] if c.endswith("At")]
        rows: list[Row] = [
            ("asset", row),
            ("asset_exif", exif),
            ("asset_job_status", {"assetId": asset} | dict.fromkeys(jobs, now())),
            ("asset_metadata", {"assetId": asset, "key": "mobile-app", "value": json.dumps({"iCloudId": asset})}),
            ("smart_search", {"assetId": asset, "embedding": EMBEDDING}),
        ]
        rows += [("asset_file", {"assetId": asset, "type": file, "path": files[file]}) for file in files]
        if self.has("asset_ocr"):
            corners = {f"{axis}{number}": 0.25 for axis in "xy" for number in (1, 2, 3, 4)}
            read = {"assetId": asset, "text": name, "boxScore": 0.5, "textScore": 0.5}
            rows += [("asset_ocr", corners | read), ("ocr_search", {"assetId": asset, "text": name})]
        self._insert(*rows)
        return asset

    def live(self, owner: str, name: str = "IMG_1.HEIC", **still: Any) -> tuple[str, str]:
        """A live photo: (still, video). The arguments of `asset` describe the still; where it lies the video lies."""
        place = {key: still[key] for key in ("trashed", "deleted", "library", "taken") if key in still}
        video = self.asset(owner, f"{PurePosixPath(name).stem}.MOV", kind="VIDEO", visibility="hidden", **place)
        return self.asset(owner, name, live_video=video, **still), video

    def stack(self, owner: str, assets: Iterable[str], primary: str | None = None) -> str:
        """A stack of these photos; the first is on top unless another is named."""
        stack, assets = new_id(), list(assets)
        self._insert(("stack", {"id": stack, "ownerId": owner, "primaryAssetId": primary or assets[0]}))
        self.rows('update asset set "stackId" = %s where id = any(%s::uuid[])', stack, assets)
        return stack

    def move_history(self, entity: str, path_type: str = "original") -> str:
        """A file move of a photo (or person) that did not finish."""
        move = new_id()
        row = {
            "id": move,
            "entityId": entity,
            "pathType": path_type,
            "oldPath": f"/data/upload/old/{move}.jpg",
            "newPath": f"/data/library/new/{move}.jpg",
        }
        self._insert(("move_history", row))
        return move

    # Albums

    def album(
        self,
        owner: str,
        name: str = "Album",
        assets: Iterable[str] = (),
        *,
        members: Mapping[str, str] | None = None,
        cover: str | None = None,
        deleted: bool = False,
    ) -> str:
        """An album; members maps users to "editor" or "viewer". Without a cover it has none."""
        album = new_id()
        row = {
            "id": album,
            "albumName": name,
            "albumThumbnailAssetId": cover,
            "deletedAt": now() if deleted else None,
        }
        people = {user: role for user, role in (members or {}).items() if user != owner}
        if self.has_album_owner_rows:
            people = {owner: "owner"} | people
        else:
            row["ownerId"] = owner
        rows: list[Row] = [("album", row)]
        rows += [("album_user", {"albumId": album, "userId": user, "role": people[user]}) for user in people]
        self._insert(*rows)
        self.add_to_album(album, *assets)
        return album

    def add_to_album(self, album: str, *assets: str) -> None:
        """Put photos into an album."""
        self._insert(*(("album_asset", {"albumId": album, "assetId": asset}) for asset in assets))

    def comment(self, album: str, user: str, text: str, *, asset: str | None = None) -> str:
        """A comment on an album, or on a photo in it."""
        activity = new_id()
        row = {"id": activity, "albumId": album, "userId": user, "assetId": asset, "comment": text}
        self._insert(("activity", row))
        return activity

    def like(self, album: str, user: str, *, asset: str | None = None) -> str:
        """A like of an album, or of a photo in it."""
        activity = new_id()
        row = {"id": activity, "albumId": album, "userId": user, "assetId": asset, "isLiked": True}
        self._insert(("activity", row))
        return activity

    def link(self, user: str, *, assets: Iterable[str] = (), album: str | None = None, slug: str | None = None) -> str:
        """A public link: to an album if one is given, otherwise to these photos."""
        link = new_id()
        row = {
            "id": link,
            "userId": user,
            "key": secrets.token_bytes(50),
            "type": "ALBUM" if album else "INDIVIDUAL",
            "albumId": album,
            "slug": slug,
        }
        photos = (("shared_link_asset", {"sharedLinkId": link, "assetId": asset}) for asset in assets)
        self._insert(("shared_link", row), *photos)
        return link

    # Tags and memories

    def tag(self, user: str, path: str, *, color: str | None = None) -> str:
        """The user's tag of that path ("Trips/Rome"), made if it is missing as are the tags above it. Gives its id."""
        parent, parts = None, path.split("/")
        for depth in range(1, len(parts) + 1):
            value = "/".join(parts[:depth])
            found = self.rows('select id::text from tag where "userId" = %s and value = %s', user, value)
            if found:
                parent = found[0][0]
                continue
            tag = new_id()
            row = {"id": tag, "userId": user, "value": value, "parentId": parent}
            if depth == len(parts):
                row["color"] = color
            self._insert(("tag", row), ("tag_closure", {"id_ancestor": tag, "id_descendant": tag}))
            self.rows(
                "insert into tag_closure (id_ancestor, id_descendant)"
                " select id_ancestor, %s from tag_closure where id_descendant = %s",
                tag,
                parent,
            )
            parent = tag
        assert parent is not None
        return parent

    def tag_assets(self, tag: str, *assets: str) -> None:
        """Tag photos."""
        self._insert(*(("tag_asset", {"tagId": tag, "assetId": asset}) for asset in assets))

    def memory(self, owner: str, assets: Iterable[str], *, saved: bool = False, birthday_of: str = "") -> str:
        """A memory of these photos: of a day, or since 3.3 of a person's birthdays, which names that person."""
        memory, data = new_id(), {"year": TAKEN.year}
        if birthday_of:
            data |= {"personId": birthday_of, "personName": "Lea"}
        row = {
            "id": memory,
            "ownerId": owner,
            "type": "birthday" if birthday_of else "on_this_day",
            "data": json.dumps(data),
            "isSaved": saved,
            "memoryAt": TAKEN,
        }
        photos = (("memory_asset", {"memoriesId": memory, "assetId": asset}) for asset in assets)
        self._insert(("memory", row), *photos)
        return memory

    # People

    def person(
        self,
        owner: str,
        name: str = "",
        *,
        birth: date | str | None = None,
        hidden: bool = False,
        favorite: bool = False,
        color: str | None = None,
        group: str | None = None,
        thumbnail: str | None = None,
    ) -> str:
        """A person of the owner's. From 3.2 it is a group's id: a new one in the owner's cluster group, or that given.

        Raises ValueError for a group on a version without groups.
        """
        if group and not self.has_people_groups:
            raise ValueError(f"Immich {self.version} has no person groups")
        person = group or new_id()
        row = {
            "personGroupId": person,
            "ownerId": owner,
            "name": name,
            "birthDate": birth,
            "isHidden": hidden,
            "isFavorite": favorite,
            "color": color,
            "thumbnailPath": f"/data/thumbs/{owner}/aa/bb/{person}.jpeg" if thumbnail is None else thumbnail,
        }
        rows: list[Row] = []
        if self.has_people_groups and not group:
            rows.append(("person_group", {"id": person, "clusterGroupId": self.cluster_of(owner)}))
        self._insert(*rows, ("person", row))
        return person

    def face(
        self,
        asset: str,
        person: str | None = None,
        *,
        box: tuple[int, int, int, int] = (10, 10, 60, 60),
        deleted: bool = False,
        visible: bool = True,
        source: str = "machine-learning",
        featured: bool = False,
        featured_of: str | None = None,
    ) -> str:
        """A face on a photo; box is left, top, right, bottom.

        featured makes it the person's picture: from 3.2 in the row of the photo's owner, or of the user featured_of.
        Raises ValueError for a hidden face on a version that cannot hide faces.
        """
        if not visible and not self.has_face_visibility:
            raise ValueError(f"Immich {self.version} cannot hide faces")
        face = new_id()
        row = {
            "id": face,
            "assetId": asset,
            "personGroupId": person,
            "imageWidth": 1000,
            "imageHeight": 750,
            "sourceType": source,
            "deletedAt": now() if deleted else None,
        }
        row |= dict(zip(("boundingBoxX1", "boundingBoxY1", "boundingBoxX2", "boundingBoxY2"), box, strict=True))
        if self.has_face_visibility:
            row["isVisible"] = visible
        self._insert(("asset_face", row), ("face_search", {"faceId": face, "embedding": EMBEDDING}))
        if featured or featured_of:
            if person is None:
                raise ValueError("a face of nobody cannot be featured")
            self.feature(person, face, owner=featured_of)
        return face

    def feature(self, person: str, face: str, *, owner: str | None = None) -> None:
        """Make a face the person's picture: from 3.2 in the row of that user, or else of the face's photo's owner.

        Up to 3.1 a person has one row, whoever owns the photo. Raises ValueError if there is no such row.
        """
        key = self.name("person", "personGroupId")
        query = f'update person set "faceAssetId" = %s where "{key}" = %s'
        values = [face, person]
        if self.has_people_groups:
            query += ' and "ownerId" = %s'
            values.append(owner or self.owner_of(self.value('select "assetId" from asset_face where id = %s', face)))
        if not self.rows(f"{query} returning 1", *values):
            raise ValueError("that user has no row of that person")

    def cluster_of(self, user: str) -> str:
        """The user's cluster group (3.2 on)."""
        return self.value('select "clusterGroupId" from "user" where id = %s', user)

    def cluster(self, *users: str) -> None:
        """Put users, with the groups of people they know, into the first one's cluster group (3.2 on)."""
        group = self.cluster_of(users[0])
        self.rows(
            """
            update person_group set "clusterGroupId" = %s
             where id in (select "personGroupId" from person where "ownerId" = any(%s::uuid[]))
            """,
            group,
            list(users),
        )
        self.rows('update "user" set "clusterGroupId" = %s where id = any(%s::uuid[])', group, list(users))

    def share_person(self, person: str, by: str, to: str, role: str = "read") -> None:
        """Share a person with another user (3.3 on); a trigger gives the other a row of that person."""
        self._insert(("person_user", {"personGroupId": person, "sharedById": by, "sharedWithId": to, "role": role}))

    # Looking

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement and give its rows, none if it has no result. uuids come as str."""
        with self.connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def row(self, query: str, *values: Any) -> tuple[Any, ...]:
        """The one row of a query. Raises LookupError if there is none, or more."""
        found = self.rows(query, *values)
        if len(found) != 1:
            raise LookupError(f"{len(found)} rows: {query}")
        return found[0]

    def value(self, query: str, *values: Any) -> Any:
        """The one column of the one row of a query. Raises LookupError if there is none, or more."""
        found = self.row(query, *values)
        if len(found) != 1:
            raise LookupError(f"{len(found)} columns: {query}")
        return found[0]

    def owner_of(self, asset: str) -> str:
        """The user who owns a photo."""
        return self.value('select "ownerId" from asset where id = %s', asset)

    def person_of(self, face: str) -> str | None:
        """The person a face is linked to (from 3.2 the person's group)."""
        return self.value(f'select "{self.name("asset_face", "personGroupId")}" from asset_face where id = %s', face)

    def person_row(self, owner: str, person: str) -> dict[str, Any] | None:
        """That user's row of that person, by the newest names; None if there is none."""
        key = self.name("person", "personGroupId")
        with self.connection.cursor() as cursor:
            cursor.execute(f'select * from person where "ownerId" = %s and "{key}" = %s', (owner, person))
            found = cursor.fetchone()
            names = ["personGroupId" if column.name == key else column.name for column in cursor.description]
        return dict(zip(names, found, strict=True)) if found else None

    def album_owner(self, album: str) -> str:
        """The user who owns an album. Raises LookupError if nobody does."""
        if self.has_album_owner_rows:
            return self.value('select "userId" from album_user where "albumId" = %s and role = %s', album, "owner")
        return self.value('select "ownerId" from album where id = %s', album)

    def photos_in(self, album: str) -> set[str]:
        """The photos of an album."""
        asset, key = self.name("album_asset", "assetId"), self.name("album_asset", "albumId")
        return {row[0] for row in self.rows(f'select "{asset}" from album_asset where "{key}" = %s', album)}

    def people_of(self, owner: str) -> set[str]:
        """The people of a user."""
        key = self.name("person", "personGroupId")
        return {row[0] for row in self.rows(f'select "{key}" from person where "ownerId" = %s', owner)}

    def snapshot(self, *, ignore: Iterable[str] = ()) -> Snapshot:
        """Every row of every table in schema public as text, sorted: two snapshots are equal if the databases are.

        ignore names what to leave out: a column ("updatedAt"), one table's column ("session.isPendingSyncReset"), or
        whole tables by a pattern with a star ("*_audit").
        """
        ignore = set(ignore)
        patterns = {entry for entry in ignore if "*" in entry}
        tables = [t for t in sorted(self._columns) if not any(fnmatchcase(t, pattern) for pattern in patterns)]
        parts, values = [], []
        for table in tables:
            parts.append(
                sql.SQL("select {}, (to_jsonb(t) - %s::text[])::text from public.{} t").format(
                    sql.Literal(table), sql.Identifier(table)
                )
            )
            values.append([c for c in self._columns[table] if c in ignore or f"{table}.{c}" in ignore])
        found: dict[str, list[str]] = {table: [] for table in tables}
        for table, text in self.rows(sql.SQL(" union all ").join(parts), *values):
            found[table].append(text)
        return {table: sorted(found[table]) for table in tables}

    # Making rows

    def _insert(self, *rows: Row) -> None:
        """Insert rows, given by newest names, in one round trip and one transaction."""
        statements, values = [], []
        for table, row in rows:
            columns = [sql.Identifier(self.name(table, column)) for column in row]
            statements.append(
                sql.SQL("insert into {} ({}) values ({})").format(
                    sql.Identifier(table),
                    sql.SQL(", ").join(columns),
                    sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
                )
            )
            values += row.values()
        if statements:
            self.rows(sql.SQL("; ").join(statements), *values)

    def _secret(self, table: str, column: str) -> str | bytes:
        """A random value for a column that was text once and is bytea now."""
        secret = secrets.token_bytes(32)
        return secret if (table, column) in self._bytes else secret.hex()


def new_id() -> str:
    """A random uuid."""
    return str(uuid4())


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)
