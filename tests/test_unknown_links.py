"""Something of a newer Immich, or an addition, links to photos or people: it is named, and nothing is done unasked."""

from collections.abc import Iterator

import pytest

import transfer
from tests import schemas
from tests.conftest import repair_one
from tests.library import Library
from tests.terminal import Installation, Terminal, installation
from transfer import KNOWN_LINKS, UnknownLinks

pytestmark = pytest.mark.long

PHOTO_LINK = """create table frame ("photoId" uuid references asset on delete cascade)"""
TAG_LINK = """alter table asset_metadata add column "tagId" uuid references tag"""
NAMED = "frame (photoId) -> asset"
OTHER = "asset_metadata (tagId) -> tag"

# What is handed over, or hangs on what is.
TARGETS = (
    *("album", "asset", "asset_face", "memory", "person", "person_group"),
    *("shared_link", "stack", "tag", "user"),
)


def links_of(library: Library, *statements: str) -> tuple[str, ...]:
    """What is found after these statements, which are taken back."""
    library.rows("begin")
    try:
        for statement in statements:
            library.rows(statement)
        with library.connection.cursor() as cursor:
            return transfer.recognise(cursor).unknown_links
    finally:
        library.rows("rollback")


# ---- what is named --------------------------------------------------------------------------------------------------


def test_nothing_of_a_stock_immich_is_named(library) -> None:
    assert links_of(library) == ()
    assert schemas.foreign_keys(library.connection)


def test_no_table_of_a_stock_immich_was_forgotten(library) -> None:
    """Every key that points at what is handed over is in the list, and by its newest name."""
    for target, table, columns, _action in schemas.foreign_keys(library.connection):
        newest = sorted(transfer.RENAMED_COLUMNS.get((table, column), column) for column in columns)
        if target in TARGETS:
            assert ".".join([table, *newest]) in KNOWN_LINKS[target]


def test_a_new_tables_key_is_named_whatever_it_points_at(library) -> None:
    for target in filter(library.has, TARGETS):
        if target == "person" and library.has_people_groups:
            columns, key = '"a" uuid, "b" uuid', 'foreign key ("a", "b") references person ("ownerId", "personGroupId")'
            wanted = "addition (a, b) -> person"
        else:
            columns, key = '"thatId" uuid', f'foreign key ("thatId") references "{target}" (id)'
            wanted = f"addition (thatId) -> {target}"
        assert links_of(library, f"create table addition ({columns}, {key})") == (wanted,), target


def test_a_new_column_of_a_known_table_is_named(library) -> None:
    """stack.primaryAssetId is known, a second one would not be."""
    assert links_of(library, 'alter table stack add "secondAssetId" uuid references asset') == (
        "stack (secondAssetId) -> asset",
    )
    assert links_of(library, 'alter table asset_face add "assetFaceId" uuid references asset_face') == (
        "asset_face (assetFaceId) -> asset_face",
    )


def test_several_are_named_in_order(library) -> None:
    assert links_of(library, PHOTO_LINK, TAG_LINK) == (OTHER, NAMED)


def test_a_known_name_in_another_schema_is_not_known(library) -> None:
    """A copy of Immich's tables, say, with keys of its own."""
    found = links_of(
        library, "create schema copy", 'create table copy.asset_exif ("assetId" uuid references public.asset)'
    )
    assert found == ("copy.asset_exif (assetId) -> asset",)


def test_links_to_other_things_do_not_matter(library) -> None:
    assert links_of(library, "create table addition (session uuid references session)") == ()
    assert links_of(library, "create schema copy", "create table copy.asset (id uuid primary key)",
                    "create table addition (asset uuid references copy.asset)") == ()  # fmt: skip


# ---- dry run and execution ------------------------------------------------------------------------------------------


def test_a_dry_run_is_allowed_and_the_run_only_with_every_link_accepted(library, anna, ben, params) -> None:
    photo = library.asset(anna)
    request = transfer.Request(anna, ben, album=library.album(anna, "Trip", [photo]))
    library.rows(PHOTO_LINK)
    library.rows(TAG_LINK)
    library.rows("insert into frame values (%s)", photo)
    before = library.snapshot()
    assert transfer.transfer(params, request, transfer.How(dry_run=True)).assets == 1
    for accepted, refused in ((set(), (OTHER, NAMED)), ({NAMED}, (OTHER,)), ({OTHER, "x"}, (NAMED,))):
        with pytest.raises(UnknownLinks) as caught:
            transfer.transfer(params, request, transfer.How(dry_run=False, accepted_links=frozenset(accepted)))
        assert caught.value.why == "; ".join(refused)
        assert library.snapshot() == before
    accepted = transfer.How(dry_run=False, accepted_links=frozenset([NAMED, OTHER]))
    report = transfer.transfer(params, request, accepted)
    assert (report.assets, library.owner_of(photo)) == (1, ben)
    assert library.rows('select "photoId" from frame') == [(photo,)]


@pytest.mark.since("3.3")
def test_a_repair_and_an_undo_ask_for_the_same(library, anna, ben, params, tmp_path) -> None:
    photo, folder = library.asset(anna), tmp_path / "transfers"
    request = transfer.Request(anna, ben, album=library.album(anna, "Trip", [photo]))
    transfer.transfer(params, request, transfer.How(dry_run=False, undo_folder=folder))
    (past,) = transfer.list_past(params, folder)
    library.face(photo, library.person(anna, "Max"))
    library.rows(PHOTO_LINK)
    accepted = frozenset([NAMED])
    for run in (
        lambda **how: repair_one(params, ben, transfer.How(**how)),
        lambda **how: transfer.undo(params, past.path, transfer.How(**how)),
    ):
        before = library.snapshot()
        run(dry_run=True)
        with pytest.raises(UnknownLinks):
            run(dry_run=False)
        assert library.snapshot() == before
        run(dry_run=False, accepted_links=accepted)
        assert library.snapshot() != before
    assert library.owner_of(photo) == anna


# ---- in the menu ----------------------------------------------------------------------------------------------------


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("links")) as made:
        made.library.album(made.alice, "Trip", [made.library.asset(made.alice, "one.jpg")])
        made.library.settle_usage()
        made.library.rows(PHOTO_LINK)
        made.save()
        yield made


def ask_for_trip(terminal: Terminal, entry: str) -> None:
    terminal.choose(entry)
    terminal.answer("Number (1-4")


def test_the_menu_names_it_and_asks_for_the_word(there: Installation) -> None:
    before = there.library.snapshot()
    photo = there.library.value("select id from asset")
    prompt = "Type accept [menu]: "
    with Terminal(there.path) as terminal:
        screen = terminal.until("MAIN MENU")
        assert "links to photos or people that this tool does not know" in screen
        assert NAMED in screen
        ask_for_trip(terminal, "3")
        assert "Assets to transfer: 1" in terminal.until("No changes were made.")
        for wrong in ("0", "y", "yes", "accepted"):
            ask_for_trip(terminal, "4")
            assert NAMED in terminal.answer(prompt, wrong)
            terminal.until("Nothing was changed.")
        assert there.library.snapshot() == before
        ask_for_trip(terminal, "4")
        terminal.answer(prompt, "accept")
        terminal.answer("Type yes [menu]: ", "yes")
        terminal.until("TRANSFER COMPLETED")
        terminal.afterwards()
    assert there.library.owner_of(photo) == there.bob


def test_a_link_that_came_later_is_not_among_those_accepted(there: Installation) -> None:
    """Immich was upgraded while the menu waited."""
    prompt = "Type accept [menu]: "
    photo = there.library.value("select id from asset")
    with Terminal(there.path) as terminal:
        terminal.until("MAIN MENU")
        there.library.rows(TAG_LINK)
        ask_for_trip(terminal, "4")
        terminal.answer(prompt, "accept")
        terminal.answer("Type yes [menu]: ", "yes")
        screen = terminal.until("MAIN MENU")
        assert OTHER in screen
        assert "Nothing was changed." in screen
    assert there.library.owner_of(photo) == there.alice
