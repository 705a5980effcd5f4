"""Immich's database schema, version by version, as far as a change of owner meets it.

`BASE` is the oldest version; each entry of `STEPS` says in SQL what the next one changed. The steps are meant for
empty tables: they change the shape and move no data. Tables and columns, keys with their actions, unique indexes,
checks, enums and triggers are Immich's. Left out: geodata, plugins and migrations, and indexes that need an extension.
`vector` columns are real[], and uuid_generate_v4() and immich_uuid_v7() are stand-ins.
"""

from collections.abc import Iterable

from psycopg2.extensions import connection as Connection

VERSIONS = ("2.0", "2.3", "2.5", "2.7", "3.1", "3.2", "3.3")


def build(connection: Connection, version: str) -> None:
    """Create the schema of that version in an empty database. Raises ValueError for a version not in VERSIONS."""
    if version not in VERSIONS:
        raise ValueError(f"no schema for Immich {version}")
    with connection.cursor() as cursor:
        cursor.execute(BASE)
        for step in VERSIONS[1 : VERSIONS.index(version) + 1]:
            cursor.execute(STEPS[step])
    connection.commit()


def foreign_keys(connection: Connection) -> list[tuple[str, str, tuple[str, ...], str]]:
    """Every foreign key of schema public, sorted: (target, table, columns, action).

    The action is that of ON DELETE: "cascade", "set null" or "no action"; with "only" where ON UPDATE has none.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select target.relname, source.relname,
                   (select array_agg(a.attname::text order by k.place)
                      from unnest(c.conkey) with ordinality k(number, place)
                      join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.number),
                   case c.confdeltype when 'c' then 'cascade' when 'n' then 'set null' when 'a' then 'no action'
                                      else c.confdeltype::text end
                   || case c.confupdtype when 'c' then '' else ' only' end
              from pg_constraint c
              join pg_class source on source.oid = c.conrelid
              join pg_class target on target.oid = c.confrelid
             where c.contype = 'f' and c.connamespace = 'public'::regnamespace
            """
        )
        return sorted((target, table, tuple(columns), word) for target, table, columns, word in cursor.fetchall())


# ---------------------------------------------------------------------------------------------------------------------
# Shorthand for what repeats. Each gives SQL.


def quoted(names: str) -> str:
    """'albumId, assetId' with each name in quotes."""
    return ", ".join(f'"{name.strip()}"' for name in names.split(","))


def indexes(text: str) -> str:
    """Plain indexes under their usual names (table_column_column_idx), from lines 'table: column, column column, ...'.

    Commas part indexes; blanks part the columns of one index.
    """
    found = []
    for line in text.strip().splitlines():
        table, wanted = line.split(":")
        found += [f'create index on "{table.strip()}" ({quoted(",".join(i.split()))});' for i in wanted.split(",")]
    return "\n".join(found)


def updated_at(*tables: str, name: str = "updatedAt") -> str:
    """The trigger that stamps every updated row, on each of these tables."""
    return "\n".join(
        f'create trigger "{table}_{name}" before update on "{table}" for each row execute function updated_at();'
        for table in tables
    )


def audit_table(name: str, columns: str, *, without_index: str = "") -> str:
    """A table that records deletions for the phones: an id in order of time, the uuid columns, the moment.

    Each has an index, but for those that are named.
    """
    facts = ", ".join(f"{column} uuid not null" for column in quoted(columns).split(", "))
    found = ", ".join(c for c in (*columns.split(", "), "deletedAt") if c not in without_index.split(", "))
    return (
        f'create table "{name}" (id uuid primary key default immich_uuid_v7(), {facts},'
        ' "deletedAt" timestamptz not null default clock_timestamp());\n' + indexes(f"{name}: {found}")
    )


def function(name: str, body: str) -> str:
    """A trigger function that does that and returns null."""
    return (
        f"create or replace function {name}() returns trigger language plpgsql as "
        f"$body$ begin {body.strip().rstrip(';')}; return null; end $body$;"
    )


def after_delete(table: str, name: str, condition: str, body: str) -> str:
    """A trigger after each DELETE statement, and its function of the same name; the rows deleted are called gone."""
    return (
        function(name, body)
        + f'\ncreate trigger {name} after delete on "{table}" referencing old table as gone'
        + f" for each statement {f'when ({condition})' if condition else ''} execute function {name}();"
    )


def after_insert(table: str, name: str, body: str) -> str:
    """A trigger after each INSERT statement, and its function of the same name; the rows are called new_rows."""
    return (
        function(name, body)
        + f'\ncreate trigger {name} after insert on "{table}" referencing new table as new_rows'
        + f" for each statement execute function {name}();"
    )


def renamed(table: str, changes: Iterable[tuple[str, str]]) -> str:
    """Columns (before, after) that are foreign keys renamed, with their constraint and index."""
    return "\n".join(
        f'alter table "{table}" rename column "{old}" to "{new}";'
        f' alter table "{table}" rename constraint "{table}_{old}_fkey" to "{table}_{new}_fkey";'
        f' alter index "{table}_{old}_idx" rename to "{table}_{new}_idx";'
        for old, new in changes
    )


# Conditions of the deletion triggers. A statement of a client's runs at depth 0, a foreign key's action at depth 1.
TOP_LEVEL = "pg_trigger_depth() = 0"
ALSO_CASCADES = "pg_trigger_depth() <= 1"


# ---------------------------------------------------------------------------------------------------------------------
# 2.0 to 2.2

FUNCTIONS = """
create function uuid_generate_v4() returns uuid language sql volatile as 'select gen_random_uuid()';

-- 48 bits of milliseconds, the version, 12 bits of the millisecond's parts, then chance (and the variant, from v4).
create function immich_uuid_v7(moment timestamptz default clock_timestamp()) returns uuid language plpgsql volatile
as $body$
declare
    micros bigint := floor(extract(epoch from moment) * 1000000);
begin
    return (lpad(to_hex(micros / 1000), 12, '0') || '7' || lpad(to_hex((micros % 1000) * 4096 / 1000), 3, '0')
            || right(replace(gen_random_uuid()::text, '-', ''), 16))::uuid;
end
$body$;

create function updated_at() returns trigger language plpgsql as $body$
begin
    new."updatedAt" := clock_timestamp();
    new."updateId" := immich_uuid_v7(new."updatedAt");
    return new;
end
$body$;
"""

TABLES = """
create type asset_visibility_enum as enum ('archive', 'timeline', 'hidden', 'locked');
create type assets_status_enum as enum ('active', 'trashed', 'deleted');
create type sourcetype as enum ('machine-learning', 'exif', 'manual');

create table "user" (
    id uuid primary key default uuid_generate_v4(),
    email varchar not null constraint user_email_uq unique,
    password varchar not null default '',
    "createdAt" timestamptz not null default now(),
    "profileImagePath" varchar not null default '',
    "isAdmin" boolean not null default false,
    "shouldChangePassword" boolean not null default true,
    "deletedAt" timestamptz,
    "oauthId" varchar not null default '',
    "updatedAt" timestamptz not null default now(),
    "storageLabel" varchar constraint "user_storageLabel_uq" unique,
    name varchar not null default '',
    "quotaSizeInBytes" bigint,
    "quotaUsageInBytes" bigint not null default 0,
    status varchar not null default 'active',
    "profileChangedAt" timestamptz not null default now(),
    "updateId" uuid not null default immich_uuid_v7(),
    "avatarColor" varchar,
    "pinCode" varchar
);

create table user_metadata (
    "userId" uuid not null references "user" on delete cascade on update cascade,
    key varchar not null,
    value jsonb not null,
    "updateId" uuid not null default immich_uuid_v7(),
    "updatedAt" timestamptz not null default now(),
    primary key ("userId", key)
);
create table user_metadata_audit (
    id uuid primary key default immich_uuid_v7(),
    "userId" uuid not null,
    key varchar not null,
    "deletedAt" timestamptz not null default clock_timestamp()
);

create table session (
    id uuid primary key default uuid_generate_v4(),
    token varchar not null,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now(),
    "userId" uuid not null references "user" on delete cascade on update cascade,
    "deviceType" varchar not null default '',
    "deviceOS" varchar not null default '',
    "updateId" uuid not null default immich_uuid_v7(),
    "pinExpiresAt" timestamptz,
    "expiresAt" timestamptz,
    "parentId" uuid references session on delete cascade on update cascade,
    "isPendingSyncReset" boolean not null default false
);
create table session_sync_checkpoint (
    "sessionId" uuid not null references session on delete cascade on update cascade,
    type varchar not null,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now(),
    ack varchar not null,
    "updateId" uuid not null default immich_uuid_v7(),
    primary key ("sessionId", type)
);
create table api_key (
    id uuid primary key default uuid_generate_v4(),
    name varchar not null,
    key varchar not null,
    "userId" uuid not null references "user" on delete cascade on update cascade,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now(),
    permissions varchar[] not null,
    "updateId" uuid not null default immich_uuid_v7()
);
create table notification (
    id uuid primary key default uuid_generate_v4(),
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now(),
    "deletedAt" timestamptz,
    "updateId" uuid not null default immich_uuid_v7(),
    "userId" uuid references "user" on delete cascade on update cascade,
    level varchar not null default 'info',
    type varchar not null default 'info',
    data jsonb,
    title varchar not null,
    description text,
    "readAt" timestamptz
);
create table partner (
    "sharedById" uuid not null references "user" on delete cascade,
    "sharedWithId" uuid not null references "user" on delete cascade,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now(),
    "inTimeline" boolean not null default false,
    "updateId" uuid not null default immich_uuid_v7(),
    "createId" uuid not null default immich_uuid_v7(),
    primary key ("sharedById", "sharedWithId")
);
create table library (
    id uuid primary key default uuid_generate_v4(),
    name varchar not null,
    "ownerId" uuid not null references "user" on delete cascade on update cascade,
    "importPaths" text[] not null,
    "exclusionPatterns" text[] not null,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now(),
    "deletedAt" timestamptz,
    "refreshedAt" timestamptz,
    "updateId" uuid not null default immich_uuid_v7()
);

create table asset (
    id uuid primary key default uuid_generate_v4(),
    "deviceAssetId" varchar not null,
    "ownerId" uuid not null references "user" on delete cascade on update cascade,
    "deviceId" varchar not null,
    type varchar not null,
    "originalPath" varchar not null,
    "fileCreatedAt" timestamptz not null,
    "fileModifiedAt" timestamptz not null,
    "isFavorite" boolean not null default false,
    duration varchar,
    "encodedVideoPath" varchar default '',
    checksum bytea not null,
    "livePhotoVideoId" uuid references asset on delete set null on update cascade,
    "updatedAt" timestamptz not null default now(),
    "createdAt" timestamptz not null default now(),
    "originalFileName" varchar not null,
    "sidecarPath" varchar,
    thumbhash bytea,
    "isOffline" boolean not null default false,
    "libraryId" uuid references library on delete cascade on update cascade,
    "isExternal" boolean not null default false,
    "deletedAt" timestamptz,
    "localDateTime" timestamptz not null,
    "stackId" uuid,
    "duplicateId" uuid,
    status assets_status_enum not null default 'active',
    "updateId" uuid not null default immich_uuid_v7(),
    visibility asset_visibility_enum not null default 'timeline'
);
create unique index "UQ_assets_owner_checksum" on asset ("ownerId", checksum) where "libraryId" is null;
create unique index "asset_ownerId_libraryId_checksum_idx" on asset ("ownerId", "libraryId", checksum)
    where "libraryId" is not null;
create index "asset_localDateTime_idx" on asset ((("localDateTime" at time zone 'UTC')::date));
create index "asset_localDateTime_month_idx" on asset
    ((date_trunc('MONTH', "localDateTime" at time zone 'UTC') at time zone 'UTC'));

create table stack (
    id uuid primary key default uuid_generate_v4(),
    "primaryAssetId" uuid not null references asset,
    "ownerId" uuid not null references "user" on delete cascade on update cascade,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now(),
    "updateId" uuid not null default immich_uuid_v7()
);
create unique index "stack_primaryAssetId_uq" on stack ("primaryAssetId");
alter table asset add foreign key ("stackId") references stack on delete set null on update cascade;

create table asset_exif (
    "assetId" uuid primary key references asset on delete cascade,
    make varchar,
    model varchar,
    "exifImageWidth" integer,
    "exifImageHeight" integer,
    "fileSizeInByte" bigint,
    orientation varchar,
    "dateTimeOriginal" timestamptz,
    "modifyDate" timestamptz,
    "lensModel" varchar,
    "fNumber" double precision,
    "focalLength" double precision,
    iso integer,
    latitude double precision,
    longitude double precision,
    city varchar,
    state varchar,
    country varchar,
    description text not null default '',
    fps double precision,
    "exposureTime" varchar,
    "livePhotoCID" varchar,
    "timeZone" varchar,
    "projectionType" varchar,
    "profileDescription" varchar,
    colorspace varchar,
    "bitsPerSample" integer,
    "autoStackId" varchar,
    rating integer,
    "updatedAt" timestamptz not null default clock_timestamp(),
    "updateId" uuid not null default immich_uuid_v7()
);
create table asset_file (
    id uuid primary key default uuid_generate_v4(),
    "assetId" uuid not null references asset on delete cascade on update cascade,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now(),
    type varchar not null,
    path varchar not null,
    "updateId" uuid not null default immich_uuid_v7()
);
create unique index "asset_file_assetId_type_uq" on asset_file ("assetId", type);
create table asset_job_status (
    "assetId" uuid primary key references asset on delete cascade on update cascade,
    "facesRecognizedAt" timestamptz,
    "metadataExtractedAt" timestamptz,
    "duplicatesDetectedAt" timestamptz,
    "previewAt" timestamptz,
    "thumbnailAt" timestamptz
);
create table asset_metadata (
    "assetId" uuid not null references asset on delete cascade on update cascade,
    key varchar not null,
    value jsonb not null,
    "updateId" uuid not null default immich_uuid_v7(),
    "updatedAt" timestamptz not null default now(),
    primary key ("assetId", key)
);
create table asset_metadata_audit (
    id uuid primary key default immich_uuid_v7(),
    "assetId" uuid not null,
    key varchar not null,
    "deletedAt" timestamptz not null default clock_timestamp()
);
create table smart_search (
    "assetId" uuid primary key references asset on delete cascade,
    embedding real[] not null
);

create table person (
    id uuid primary key default uuid_generate_v4(),
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now(),
    "ownerId" uuid not null references "user" on delete cascade on update cascade,
    name varchar not null default '',
    "thumbnailPath" varchar not null default '',
    "isHidden" boolean not null default false,
    "birthDate" date constraint "person_birthDate_chk" check ("birthDate" <= current_date),
    "faceAssetId" uuid,
    "isFavorite" boolean not null default false,
    color varchar,
    "updateId" uuid not null default immich_uuid_v7()
);
create table asset_face (
    "assetId" uuid not null references asset on delete cascade on update cascade,
    "personId" uuid references person on delete set null on update cascade,
    "imageWidth" integer not null default 0,
    "imageHeight" integer not null default 0,
    "boundingBoxX1" integer not null default 0,
    "boundingBoxY1" integer not null default 0,
    "boundingBoxX2" integer not null default 0,
    "boundingBoxY2" integer not null default 0,
    id uuid primary key default uuid_generate_v4(),
    "sourceType" sourcetype not null default 'machine-learning',
    "deletedAt" timestamptz,
    "updatedAt" timestamptz not null default now(),
    "updateId" uuid not null default immich_uuid_v7()
);
alter table person add foreign key ("faceAssetId") references asset_face on delete set null;
create table face_search (
    "faceId" uuid primary key references asset_face on delete cascade,
    embedding real[] not null
);

create table album (
    id uuid primary key default uuid_generate_v4(),
    "ownerId" uuid not null references "user" on delete cascade on update cascade,
    "albumName" varchar not null default 'Untitled Album',
    "createdAt" timestamptz not null default now(),
    "albumThumbnailAssetId" uuid references asset on delete set null on update cascade,
    "updatedAt" timestamptz not null default now(),
    description text not null default '',
    "deletedAt" timestamptz,
    "isActivityEnabled" boolean not null default true,
    "order" varchar not null default 'desc',
    "updateId" uuid not null default immich_uuid_v7()
);
create table album_asset (
    "albumsId" uuid not null references album on delete cascade on update cascade,
    "assetsId" uuid not null references asset on delete cascade on update cascade,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now(),
    "updateId" uuid not null default immich_uuid_v7(),
    primary key ("albumsId", "assetsId")
);
create table album_user (
    "albumsId" uuid not null references album on delete cascade on update cascade,
    "usersId" uuid not null references "user" on delete cascade on update cascade,
    role varchar not null default 'editor',
    "updateId" uuid not null default immich_uuid_v7(),
    "updatedAt" timestamptz not null default now(),
    "createId" uuid not null default immich_uuid_v7(),
    "createdAt" timestamptz not null default now(),
    primary key ("albumsId", "usersId")
);
create table activity (
    id uuid primary key default uuid_generate_v4(),
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now(),
    "albumId" uuid not null references album on delete cascade on update cascade,
    "userId" uuid not null references "user" on delete cascade on update cascade,
    "assetId" uuid references asset on delete cascade on update cascade,
    comment text,
    "isLiked" boolean not null default false,
    "updateId" uuid not null default immich_uuid_v7(),
    foreign key ("albumId", "assetId") references album_asset on delete cascade,
    check ((comment is null and "isLiked" = true) or (comment is not null and "isLiked" = false))
);
create unique index activity_like_idx on activity ("assetId", "userId", "albumId") where "isLiked" = true;

create table shared_link (
    id uuid primary key default uuid_generate_v4(),
    description varchar,
    "userId" uuid not null references "user" on delete cascade on update cascade,
    key bytea not null,
    type varchar not null,
    "createdAt" timestamptz not null default now(),
    "expiresAt" timestamptz,
    "allowUpload" boolean not null default false,
    "albumId" uuid references album on delete cascade on update cascade,
    "allowDownload" boolean not null default true,
    "showExif" boolean not null default true,
    password varchar,
    slug varchar
);
create unique index shared_link_key_uq on shared_link (key);
create unique index shared_link_slug_uq on shared_link (slug);
create table shared_link_asset (
    "assetsId" uuid not null references asset on delete cascade on update cascade,
    "sharedLinksId" uuid not null references shared_link on delete cascade on update cascade,
    primary key ("assetsId", "sharedLinksId")
);

create table tag (
    id uuid primary key default uuid_generate_v4(),
    "userId" uuid not null references "user" on delete cascade on update cascade,
    value varchar not null,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now(),
    color varchar,
    "parentId" uuid references tag on delete cascade,
    "updateId" uuid not null default immich_uuid_v7()
);
create unique index "tag_userId_value_uq" on tag ("userId", value);
create table tag_asset (
    "assetsId" uuid not null references asset on delete cascade on update cascade,
    "tagsId" uuid not null references tag on delete cascade on update cascade,
    primary key ("assetsId", "tagsId")
);
create table tag_closure (
    id_ancestor uuid not null references tag on delete cascade,
    id_descendant uuid not null references tag on delete cascade,
    primary key (id_ancestor, id_descendant)
);

create table memory (
    id uuid primary key default uuid_generate_v4(),
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now(),
    "deletedAt" timestamptz,
    "ownerId" uuid not null references "user" on delete cascade on update cascade,
    type varchar not null,
    data jsonb not null,
    "isSaved" boolean not null default false,
    "memoryAt" timestamptz not null,
    "seenAt" timestamptz,
    "showAt" timestamptz,
    "hideAt" timestamptz,
    "updateId" uuid not null default immich_uuid_v7()
);
create table memory_asset (
    "memoriesId" uuid not null references memory on delete cascade on update cascade,
    "assetsId" uuid not null references asset on delete cascade on update cascade,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now(),
    "updateId" uuid not null default immich_uuid_v7(),
    primary key ("memoriesId", "assetsId")
);

create table move_history (
    id uuid primary key default uuid_generate_v4(),
    "entityId" uuid not null,
    "pathType" varchar not null,
    "oldPath" varchar not null,
    "newPath" varchar not null
);
create unique index "UQ_entityId_pathType" on move_history ("entityId", "pathType");
create unique index "UQ_newPath" on move_history ("newPath");
create table audit (
    id serial primary key,
    "entityType" varchar not null,
    "entityId" uuid not null,
    action varchar not null,
    "ownerId" uuid not null,
    "createdAt" timestamptz not null default now()
);
create table system_metadata (
    key varchar primary key,
    value jsonb not null
);
create table version_history (
    id uuid primary key default uuid_generate_v4(),
    "createdAt" timestamptz not null default now(),
    version varchar not null
);
"""

AUDIT_TABLES = "\n".join(
    audit_table(name, columns, without_index=columns if name in ("user_audit", "stack_audit") else "")
    for name, columns in (
        ("user_audit", "userId"),
        ("partner_audit", "sharedById, sharedWithId"),
        ("asset_audit", "assetId, ownerId"),
        ("asset_face_audit", "assetFaceId, assetId"),
        ("person_audit", "personId, ownerId"),
        ("stack_audit", "stackId, userId"),
        ("album_audit", "albumId, userId"),
        ("album_user_audit", "albumId, userId"),
        ("album_asset_audit", "albumId, assetId"),
        ("memory_audit", "memoryId, userId"),
        ("memory_asset_audit", "memoryId, assetId"),
    )
)
AUDIT_KEYS = """
alter table album_asset_audit add foreign key ("albumId") references album on delete cascade on update cascade;
alter table memory_asset_audit add foreign key ("memoryId") references memory on delete cascade on update cascade;
"""

INDEXES = indexes(
    """
    user: updateId, updatedAt id
    user_metadata: updateId, updatedAt
    user_metadata_audit: userId, key, deletedAt
    session: userId, parentId, updateId
    session_sync_checkpoint: sessionId, updateId
    api_key: userId, updateId
    notification: userId, updateId
    partner: sharedWithId, createId, updateId
    library: ownerId, updateId
    asset: ownerId, libraryId, stackId, id stackId, livePhotoVideoId, duplicateId, checksum, updateId
    asset: fileCreatedAt, originalFileName, originalPath libraryId
    stack: ownerId, primaryAssetId
    asset_exif: city, livePhotoCID, autoStackId, updateId
    asset_file: assetId, updateId
    asset_metadata: updateId, updatedAt
    asset_metadata_audit: assetId, key, deletedAt
    person: ownerId, faceAssetId, updateId
    asset_face: assetId personId, personId assetId
    album: ownerId, albumThumbnailAssetId, updateId
    album_asset: albumsId, assetsId, updateId
    album_user: albumsId, usersId, createId, updateId
    activity: albumId assetId, albumId, assetId, userId, updateId
    shared_link: userId, albumId, key
    shared_link_asset: assetsId, sharedLinksId
    tag: parentId, updateId
    tag_asset: assetsId, tagsId, assetsId tagsId
    tag_closure: id_ancestor, id_descendant
    memory: ownerId, updateId
    memory_asset: memoriesId, assetsId, updateId
    audit: ownerId createdAt
    """
)


def membership_triggers(album: str, asset: str, user: str) -> str:
    """Functions of the triggers on the joining tables, for the columns of that name in them.

    What goes along with its album or memory needs no row of its own, and could not have one: the key is gone.
    """
    return "\n".join(
        (
            function(
                "album_asset_delete_audit",
                f"""insert into album_asset_audit ("albumId", "assetId")
                    select "{album}", "{asset}" from gone where "{album}" in (select id from album)""",
            ),
            function(
                "memory_asset_delete_audit",
                f"""insert into memory_asset_audit ("memoryId", "assetId")
                    select "memoriesId", "{asset}" from gone where "memoriesId" in (select id from memory)""",
            ),
            # Depth 1 in here: a statement of a client's, not a cascade.
            function(
                "album_user_delete_audit",
                f"""insert into album_audit ("albumId", "userId") select "{album}", "{user}" from gone;
                    if pg_trigger_depth() = 1 then
                        insert into album_user_audit ("albumId", "userId") select "{album}", "{user}" from gone;
                    end if""",
            ),
            function(
                "album_user_after_insert",
                f"""update album set "updatedAt" = clock_timestamp()
                     where id in (select "{album}" from new_rows)""",
            ),
        )
    )


TRIGGERS = "\n".join(
    (
        updated_at(
            "user",
            "session",
            "session_sync_checkpoint",
            "api_key",
            "notification",
            "partner",
            "library",
            "asset",
            "asset_exif",
            "asset_face",
            "asset_file",
            "stack",
            "person",
            "album",
            "album_asset",
            "album_user",
            "activity",
            "tag",
            "memory",
            "memory_asset",
        ),
        updated_at("user_metadata", "asset_metadata", name="updated_at"),
        after_delete("user", "user_delete_audit", TOP_LEVEL, 'insert into user_audit ("userId") select id from gone'),
        after_delete(
            "user_metadata",
            "user_metadata_audit",
            TOP_LEVEL,
            'insert into user_metadata_audit ("userId", key) select "userId", key from gone',
        ),
        after_delete(
            "partner",
            "partner_delete_audit",
            TOP_LEVEL,
            """insert into partner_audit ("sharedById", "sharedWithId")
               select "sharedById", "sharedWithId" from gone""",
        ),
        after_delete(
            "asset",
            "asset_delete_audit",
            TOP_LEVEL,
            'insert into asset_audit ("assetId", "ownerId") select id, "ownerId" from gone',
        ),
        after_delete(
            "asset_face",
            "asset_face_audit",
            TOP_LEVEL,
            'insert into asset_face_audit ("assetFaceId", "assetId") select id, "assetId" from gone',
        ),
        after_delete(
            "asset_metadata",
            "asset_metadata_audit",
            TOP_LEVEL,
            'insert into asset_metadata_audit ("assetId", key) select "assetId", key from gone',
        ),
        after_delete(
            "stack",
            "stack_delete_audit",
            TOP_LEVEL,
            'insert into stack_audit ("stackId", "userId") select id, "ownerId" from gone',
        ),
        after_delete(
            "person",
            "person_delete_audit",
            TOP_LEVEL,
            'insert into person_audit ("personId", "ownerId") select id, "ownerId" from gone',
        ),
        after_delete(
            "album",
            "album_delete_audit",
            TOP_LEVEL,
            'insert into album_audit ("albumId", "userId") select id, "ownerId" from gone',
        ),
        after_delete(
            "memory",
            "memory_delete_audit",
            TOP_LEVEL,
            'insert into memory_audit ("memoryId", "userId") select id, "ownerId" from gone',
        ),
        # The bodies of these come with membership_triggers(), since their columns were renamed once.
        after_delete("album_asset", "album_asset_delete_audit", ALSO_CASCADES, "null"),
        after_delete("memory_asset", "memory_asset_delete_audit", ALSO_CASCADES, "null"),
        after_delete("album_user", "album_user_delete_audit", ALSO_CASCADES, "null"),
        after_insert("album_user", "album_user_after_insert", "null"),
        membership_triggers("albumsId", "assetsId", "usersId"),
    )
)

BASE = "\n".join((FUNCTIONS, TABLES, AUDIT_TABLES, AUDIT_KEYS, INDEXES, TRIGGERS))


# ---------------------------------------------------------------------------------------------------------------------
# 2.3: text recognition (2.2), the joining tables' columns renamed

TO_2_3 = "\n".join(
    (
        """
        create table asset_ocr (
            id uuid primary key default uuid_generate_v4(),
            "assetId" uuid not null references asset on delete cascade on update cascade,
            x1 real not null, y1 real not null, x2 real not null, y2 real not null,
            x3 real not null, y3 real not null, x4 real not null, y4 real not null,
            "boxScore" real not null,
            "textScore" real not null,
            text text not null
        );
        create table ocr_search (
            "assetId" uuid primary key references asset on delete cascade on update cascade,
            text text not null
        );
        create table workflow (
            id uuid primary key default uuid_generate_v4(),
            "ownerId" uuid not null references "user" on delete cascade on update cascade,
            name varchar,
            description varchar,
            enabled boolean not null default true,
            "createdAt" timestamptz not null default now()
        );
        alter table asset_job_status add "ocrAt" timestamptz;
        alter table session add "appVersion" varchar;
        """,
        renamed("album_asset", (("albumsId", "albumId"), ("assetsId", "assetId"))),
        renamed("album_user", (("albumsId", "albumId"), ("usersId", "userId"))),
        renamed("memory_asset", (("assetsId", "assetId"),)),
        renamed("shared_link_asset", (("assetsId", "assetId"), ("sharedLinksId", "sharedLinkId"))),
        renamed("tag_asset", (("assetsId", "assetId"), ("tagsId", "tagId"))),
        'alter index "tag_asset_assetsId_tagsId_idx" rename to "tag_asset_assetId_tagId_idx";',
        membership_triggers("albumId", "assetId", "userId"),
        indexes(
            """
            asset_ocr: assetId
            workflow: ownerId
            """
        ),
    )
)

# 2.5: sidecars become files (2.4), edits, hidden faces, tags in the EXIF row

TO_2_5 = "\n".join(
    (
        """
        alter table asset drop "sidecarPath",
            add width integer, add height integer, add "isEdited" boolean not null default false;
        alter table asset_exif add "lockedProperties" varchar[], add tags varchar[];
        alter table asset_face add "isVisible" boolean not null default true;
        alter table asset_ocr add "isVisible" boolean not null default true;
        alter table asset_file add "isEdited" boolean not null default false,
            add "isProgressive" boolean not null default false;
        drop index "asset_file_assetId_type_uq";
        create unique index "asset_file_assetId_type_isEdited_uq" on asset_file ("assetId", type, "isEdited");
        create index "asset_face_personId_assetId_notDeleted_isVisible_idx" on asset_face ("personId", "assetId")
            where "deletedAt" is null and "isVisible" is true;
        create table asset_edit (
            id uuid primary key default uuid_generate_v4(),
            "assetId" uuid not null references asset on delete cascade on update cascade,
            action varchar not null,
            parameters jsonb not null,
            sequence integer not null
        );
        create unique index "asset_edit_assetId_sequence_uq" on asset_edit ("assetId", sequence);
        """,
        indexes("asset_edit: assetId"),
        after_insert(
            "asset_edit",
            "asset_edit_insert",
            """update asset set "isEdited" = true
                where not "isEdited" and id in (select "assetId" from new_rows)""",
        ),
        after_delete(
            "asset_edit",
            "asset_edit_delete",
            TOP_LEVEL,
            """update asset set "isEdited" = false
                where "isEdited" and id in (select "assetId" from gone)
                  and id not in (select "assetId" from asset_edit)""",
        ),
    )
)

# 2.7: encoded videos become files (2.6), edits are synchronised (2.6), the kind of checksum

TO_2_7 = "\n".join(
    (
        """
        create type asset_checksum_algorithm_enum as enum ('sha1', 'sha1-path');
        alter table asset drop "encodedVideoPath", add "checksumAlgorithm" asset_checksum_algorithm_enum not null;
        create index "asset_id_timeline_notDeleted_idx" on asset (id)
            where visibility = 'timeline' and "deletedAt" is null;
        alter table asset_file add "isTransparent" boolean not null default false;
        alter table asset_job_status drop "previewAt", drop "thumbnailAt";
        alter table asset_edit add "updatedAt" timestamptz not null default now(),
            add "updateId" uuid not null default immich_uuid_v7();
        alter table session alter token type bytea using decode(token, 'base64');
        alter table api_key alter key type bytea using decode(key, 'base64');
        """,
        audit_table("asset_edit_audit", "editId, assetId", without_index="editId"),
        indexes(
            """
            asset_edit: updateId
            session: token
            api_key: key
            """
        ),
        updated_at("asset_edit"),
        after_delete(
            "asset_edit",
            "asset_edit_audit",
            TOP_LEVEL,
            'insert into asset_edit_audit ("editId", "assetId") select id, "assetId" from gone',
        ),
    )
)

# 3.1: an album's owner becomes its member with the role owner (3.0), no device columns, text recognition synchronised

TO_3_1 = "\n".join(
    (
        """
        drop table audit;
        drop trigger album_delete_audit on album;
        drop function album_delete_audit();
        alter table album drop "ownerId";
        create type album_user_role_enum as enum ('owner', 'editor', 'viewer');
        alter table album_user alter role drop default;
        alter table album_user alter role type album_user_role_enum using role::album_user_role_enum;
        alter table album_user alter role set default 'editor';
        create unique index album_user_unique_owner on album_user ("albumId") where role = 'owner';

        alter table asset drop "deviceAssetId", drop "deviceId", drop duration, add duration integer;
        alter table asset_ocr add "updateId" uuid not null default immich_uuid_v7();
        alter table session add "oauthSid" varchar, add "oauthBearerToken" varchar;
        alter table workflow add "updatedAt" timestamptz not null default now(),
            add "updateId" uuid not null default immich_uuid_v7();

        create table asset_audio (
            "assetId" uuid primary key references asset on delete cascade,
            "codecName" varchar
        );
        create table asset_video (
            "assetId" uuid primary key references asset on delete cascade,
            "codecName" varchar
        );
        create table asset_keyframe (
            "assetId" uuid primary key references asset on delete cascade,
            pts integer[] not null default '{}'
        );
        create type video_stream_variant_codec_enum as enum ('av1', 'hevc', 'h264');
        create table video_stream_session (
            id uuid primary key default uuid_generate_v4(),
            "assetId" uuid not null references asset on delete cascade,
            "expiresAt" timestamptz not null
        );
        create table video_stream_variant (
            id uuid primary key default uuid_generate_v4(),
            "sessionId" uuid not null references video_stream_session on delete cascade,
            codec video_stream_variant_codec_enum not null
        );
        create table integrity_report (
            id uuid primary key default immich_uuid_v7(),
            type varchar not null,
            path varchar not null,
            "createdAt" timestamptz not null default now(),
            "assetId" uuid references asset on delete cascade on update cascade,
            "fileAssetId" uuid references asset_file on delete cascade on update cascade,
            constraint "integrity_report_type_path_uq" unique (type, path)
        );
        """,
        audit_table("asset_ocr_audit", "assetId"),
        indexes(
            """
            asset: createdAt
            asset_ocr: updateId
            session: oauthSid
            video_stream_session: assetId
            video_stream_variant: sessionId
            integrity_report: assetId, fileAssetId
            """
        ),
        updated_at("workflow"),
        after_delete(
            "asset_ocr",
            "asset_ocr_delete_audit",
            TOP_LEVEL,
            'insert into asset_ocr_audit ("assetId") select distinct "assetId" from gone',
        ),
        # A new album changes nothing for those who see it: there was nobody.
        function(
            "album_user_after_insert",
            """if not exists (select from new_rows where role = 'owner') then
                   update album set "updatedAt" = clock_timestamp() where id in (select "albumId" from new_rows);
               end if""",
        ),
    )
)

# 3.2: people become groups that several users may know, each by a row of their own; an album goes with its owner's row

TO_3_2 = "\n".join(
    (
        """
        alter table "user" alter password drop not null, alter password set default null;
        alter table album alter description drop not null, alter description set default null;
        alter table workflow add logging boolean not null default false;
        alter table asset_ocr add "updatedAt" timestamptz not null default now();

        create table cluster_group (
            id uuid primary key default uuid_generate_v4(),
            name varchar,
            "createdAt" timestamptz not null default now(),
            "updatedAt" timestamptz not null default now(),
            "updateId" uuid not null default immich_uuid_v7()
        );
        alter table "user" add "clusterGroupId" uuid not null references cluster_group on update cascade;
        create table cluster_group_request (
            id uuid primary key default uuid_generate_v4(),
            "clusterGroupId" uuid not null references cluster_group on delete cascade on update cascade,
            "userId" uuid not null references "user" on delete cascade on update cascade,
            "createdAt" timestamptz not null default now(),
            constraint "cluster_group_request_clusterGroupId_userId_uq" unique ("clusterGroupId", "userId")
        );
        create table person_group (
            id uuid primary key default uuid_generate_v4(),
            "clusterGroupId" uuid not null references cluster_group on delete cascade on update cascade,
            "createdAt" timestamptz not null default now(),
            "createId" uuid not null default immich_uuid_v7(),
            "updatedAt" timestamptz not null default now(),
            "updateId" uuid not null default immich_uuid_v7()
        );

        alter table asset_face drop constraint "asset_face_personId_fkey";
        alter table asset_face rename "personId" to "personGroupId";
        alter table asset_face
            add foreign key ("personGroupId") references person_group on delete set null on update cascade;
        alter index "asset_face_assetId_personId_idx" rename to "asset_face_assetId_personGroupId_idx";
        alter index "asset_face_personId_assetId_idx" rename to "asset_face_personGroupId_assetId_idx";
        alter index "asset_face_personId_assetId_notDeleted_isVisible_idx"
            rename to "asset_face_personGroupId_assetId_notDeleted_isVisible_idx";

        alter table person drop constraint person_pkey;
        alter table person rename id to "personGroupId";
        alter table person alter "personGroupId" drop default, add primary key ("ownerId", "personGroupId"),
            add foreign key ("personGroupId") references person_group on delete cascade on update cascade;
        drop index "person_ownerId_idx";

        alter table person_audit rename "personId" to "personGroupId";
        alter index "person_audit_personId_idx" rename to "person_audit_personGroupId_idx";
        drop trigger person_delete_audit on person;
        """,
        audit_table("person_group_audit", "personGroupId, clusterGroupId"),
        indexes(
            """
            user: clusterGroupId
            cluster_group: updateId
            cluster_group_request: clusterGroupId, userId
            person_group: clusterGroupId, createId, updateId
            person: personGroupId
            """
        ),
        updated_at("asset_ocr", "cluster_group", "person_group"),
        after_delete(
            "person_group",
            "person_group_delete_audit",
            TOP_LEVEL,
            """insert into person_group_audit ("personGroupId", "clusterGroupId")
               select id, "clusterGroupId" from gone""",
        ),
        # Since 3.2 people that go with their owner or their group are recorded too.
        after_delete(
            "person",
            "person_delete_audit",
            ALSO_CASCADES,
            'insert into person_audit ("personGroupId", "ownerId") select "personGroupId", "ownerId" from gone',
        ),
        function(
            "album_user_delete",
            """delete from album where id = old."albumId"
                and not exists (select from album_user where "albumId" = old."albumId" and role = 'owner')""",
        ),
        """create trigger album_user_delete after delete on album_user
           for each row execute function album_user_delete();""",
    )
)

# 3.3: people can be shared with other users

TO_3_3 = "\n".join(
    (
        """
        alter table "user" alter "oauthId" drop not null, alter "oauthId" set default null;
        create type person_user_role_enum as enum ('read', 'write', 'admin');
        create table person_user (
            "personGroupId" uuid not null,
            "sharedById" uuid not null,
            "sharedWithId" uuid not null references "user" on delete cascade on update cascade,
            role person_user_role_enum not null,
            "createdAt" timestamptz not null default now(),
            "updatedAt" timestamptz not null default now(),
            "updateId" uuid not null default immich_uuid_v7(),
            primary key ("personGroupId", "sharedById", "sharedWithId"),
            foreign key ("sharedById", "personGroupId") references person on delete cascade on update cascade,
            constraint "person_user_sharedBy_sharedWith_chk" check ("sharedById" <> "sharedWithId")
        );
        """,
        indexes("person_user: sharedById personGroupId, sharedWithId, updateId"),
        updated_at("person_user"),
        # The recipient gets a row of the same group. One that is there keeps what it says; gaps in it are filled.
        # Of several sharers the one who knows most counts.
        after_insert(
            "person_user",
            "person_user_after_insert",
            """insert into person as known ("ownerId", "personGroupId", name, "birthDate")
               select distinct on (share."sharedWithId", share."personGroupId")
                      share."sharedWithId", share."personGroupId", origin.name, origin."birthDate"
                 from new_rows share
                 join person origin
                   on origin."ownerId" = share."sharedById" and origin."personGroupId" = share."personGroupId"
                order by share."sharedWithId", share."personGroupId",
                         (origin.name <> '') desc, (origin."birthDate" is not null) desc
                   on conflict ("ownerId", "personGroupId") do update
                  set name = case when known.name = '' then excluded.name else known.name end,
                      "birthDate" = coalesce(known."birthDate", excluded."birthDate")
                where (known.name = '' and excluded.name <> '')
                   or (known."birthDate" is null and excluded."birthDate" is not null)""",
        ),
        # The shares made by the owner of a deleted row go with the foreign key, those made to that owner by this.
        after_delete(
            "person",
            "person_delete_shares",
            "",
            """delete from person_user share using gone
                where share."personGroupId" = gone."personGroupId" and share."sharedWithId" = gone."ownerId\"""",
        ),
    )
)

STEPS = {"2.3": TO_2_3, "2.5": TO_2_5, "2.7": TO_2_7, "3.1": TO_3_1, "3.2": TO_3_2, "3.3": TO_3_3}
