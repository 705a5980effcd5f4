"""Which databases the tool takes for an Immich: by tables and columns, whatever version number is claimed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import transfer
from tests.library import OLDER_NAMES, Library
from tests.terminal import Installation, Terminal, installation
from transfer import NEEDED_COLUMNS, NEEDED_IN_NEWER, SchemaUnknown, TransferError


@contextmanager
def altered(library: Library, *statements: str) -> Iterator[None]:
    """The library after these statements, for the length of a with block."""
    library.rows("begin")
    try:
        for statement in statements:
            library.rows(statement)
        yield
    finally:
        library.rows("rollback")


def recognise(library: Library) -> transfer.Schema:
    with library.connection.cursor() as cursor:
        return transfer.recognise(cursor)


def refused(library: Library, *statements: str) -> SchemaUnknown:
    """The refusal of the library after these statements."""
    with altered(library, *statements), pytest.raises(SchemaUnknown) as caught:
        recognise(library)
    return caught.value


RELEASES = {"2.0": "2.1 or older"}


def test_each_version_is_recognised_with_its_two_models(library, version) -> None:
    schema = recognise(library)
    assert schema.release == RELEASES.get(version, version)
    assert schema.album_owner_rows == (version >= "3")
    assert schema.person_groups == (version >= "3.2")
    assert schema.unknown_links == ()
    for table, columns in NEEDED_COLUMNS.items():
        found = schema.tables[table]
        assert set(columns) <= {new for _old, new in found.columns}
        assert found.key, table


# ---- what is missing is named ---------------------------------------------------------------------------------------


def test_each_needed_column_that_is_missing_is_named(library) -> None:
    """All of them, one after the other; also what only newer versions have."""
    needed = [NEEDED_COLUMNS, *(tables for mark, tables in NEEDED_IN_NEWER.items() if library.has(mark))]
    for table, column in ((t, column) for tables in needed for t, columns in tables.items() for column in columns):
        real = library.name(table, column)
        refusal = refused(library, f'alter table "{table}" rename column "{real}" to "elsewhere"')
        assert (refusal.why, bool(refusal.todo)) == (f"Missing: {table}.{column}.", True)


@pytest.mark.until("3.2")
def test_where_a_table_is_missing_its_rule_finds_nothing(library) -> None:
    """A chapter of a table that only a newer Immich has asks its rules of every version."""
    with library.connection.cursor() as cursor:
        transfer.create_views(cursor, transfer.recognise(cursor))
        cursor.execute("""
            SELECT 1 FROM v_person_user s JOIN v_user u ON u.id = s."sharedById"
            WHERE s."writtenBy" = pg_current_xact_id()::xid
        """)
        assert cursor.fetchall() == []
    library.connection.rollback()


# What is done to the newest schema, and what the refusal says.
OTHERS = {
    "much is missing": (
        ["alter table asset rename to photo", "create table asset (other int)"],
        f"and {len(NEEDED_COLUMNS['asset']) - 5} more",
    ),
    "a table of the old name": (["alter table asset rename to assets"], "too old"),
    "no photos": (["alter table asset rename to other"], "not Immich's database"),
    "no users": (['alter table "user" rename to other'], "not Immich's database"),
    "in another schema": (["create schema other", "alter table asset set schema other"], "not Immich's database"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_database_is_not_taken_for_immichs(library, name) -> None:
    statements, said = OTHERS[name]
    refusal = refused(library, *statements)
    assert said in refusal.what + refusal.why
    assert refusal.why.count("asset.") <= 5
    with altered(library, "create table assets (id uuid)"):
        assert recognise(library)  # an addition's: Immich's own is there


def test_columns_and_tables_that_nobody_knows_are_no_obstacle(library) -> None:
    with altered(library, "alter table asset add shiny text", "create table shiny (id uuid primary key)"):
        assert recognise(library).release == recognise(library).release
        assert ("shiny", "shiny") in recognise(library).tables["asset"].columns


def test_names_go_by_the_column_and_not_by_the_version(library) -> None:
    """Some join tables renamed and others not yet: each is read by what it has."""
    if not library.has("tag_asset", "tagsId"):
        with altered(library, 'alter table tag_asset rename column "tagId" to "tagsId"'):
            assert ("tagsId", "tagId") in recognise(library).tables["tag_asset"].columns
    else:
        with altered(library, 'alter table tag_asset rename column "tagsId" to "tagId"'):
            found = recognise(library).tables
        assert ("tagId", "tagId") in found["tag_asset"].columns
        assert ("albumsId", "albumId") in found["album_asset"].columns
    assert set(transfer.RENAMED_COLUMNS) >= {(table, old) for (table, _new), old in OLDER_NAMES.items()}


# ---- mixed shapes ---------------------------------------------------------------------------------------------------


@pytest.mark.since("2.5")
@pytest.mark.until("2.5")
def test_the_mixed_shape_of_2_5(library, anna, ben, params, move) -> None:
    """Sidecars are in asset_file already, encoded videos still in asset; faces can be hidden."""
    assert library.has("asset", "encodedVideoPath") and not library.has("asset", "sidecarPath")
    assert library.has("asset_face", "isVisible")
    photo = library.asset(anna, "clip.mp4", kind="VIDEO", sidecar=True, encoded=True)
    max_ = library.person(anna, "Max")
    library.face(photo, max_, visible=False)
    shown = library.face(photo, max_, box=(0, 0, 5, 5))
    library.face(library.asset(anna), max_)
    move(library.album(anna, "Trip", [photo]))
    assert library.person_row(ben, library.person_of(shown))["faceAssetId"] == shown
    # the original, the encoded video, the sidecar and two previews still lie in Anna's folders
    assert sum(transfer.list_lying(params)[anna, ben].values()) == 5


@pytest.mark.until("2.5")
def test_the_mixed_shapes_of_2_4_and_2_6(library, anna, ben, params, pool) -> None:
    """2.4 has no asset.sidecarPath any more, 2.6 no asset.encodedVideoPath; the rest is as before."""
    for column in ("sidecarPath", "encodedVideoPath"):
        if library.has("asset", column):
            library.rows(f'alter table asset drop column "{column}"')
    mixed = Library(library.connection, library.version)
    photo = mixed.asset(anna, "clip.mp4", kind="VIDEO", sidecar=True, encoded=True)
    album = mixed.album(anna, "Trip", [photo])
    report = transfer.transfer(params, transfer.Request(anna, ben, album=album), transfer.How(dry_run=False))
    assert (report.assets, mixed.owner_of(photo)) == (1, ben)


# ---- what REST claims -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("versions")) as made:
        made.save()
        yield made


@pytest.fixture
def there(shared: Installation) -> Iterator[Installation]:
    claimed = shared.immich.version
    yield shared
    shared.immich.version = claimed


@pytest.mark.parametrize(("claimed", "warned"), [("3.3", False), ("3.4", True), ("4.0", True)])
def test_a_version_that_is_too_new_is_warned_about(there: Installation, claimed: str, warned: bool) -> None:
    there.immich.version = claimed
    with Terminal(there.path) as terminal:
        screen = terminal.menu("0")
    assert "Connected." in screen
    assert ("newer than 3.3" in screen) == warned


@pytest.mark.parametrize("claimed", ["1.143.1", "1.999"])
def test_a_version_below_2_is_refused(there: Installation, claimed: str) -> None:
    there.immich.version = claimed
    api = transfer.open_api(there.immich.url, there.key)
    with pytest.raises(TransferError, match="too old"):
        transfer.check_server(api, there.params)
    with Terminal(there.path) as terminal:
        assert "is too old" in terminal.menu("0")


def test_a_schema_that_is_not_known_is_refused_with_the_version_that_is_claimed(there: Installation) -> None:
    there.library.rows('alter table stack rename column "primaryAssetId" to "elsewhere"')
    try:
        with pytest.raises(SchemaUnknown, match="Immich 2.7.5: .* looks most like Immich 2.7") as caught:
            transfer.check_server(transfer.open_api(there.immich.url, there.key), there.params)
        assert caught.value.why == "Missing: stack.primaryAssetId."
    finally:
        there.library.rows('alter table stack rename column "elsewhere" to "primaryAssetId"')
