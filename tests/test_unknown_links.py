"""Something of a newer Immich, or an addition, links to photos or people or has rules for them: it is named.

Nothing is done unasked then.
"""

from collections.abc import Iterator

import pytest

import transfer
from tests import schemas
from tests.library import Library
from tests.terminal import Installation, Terminal, installation
from transfer import KNOWN_LINKS, UnknownAdditions

pytestmark = pytest.mark.long

PHOTO_LINK = """create table frame ("photoId" uuid references asset on delete cascade)"""
TAG_LINK = """alter table asset_metadata add column "tagId" uuid references tag"""
NAMED = "frame (photoId) -> asset"
OTHER = "asset_metadata (tagId) -> tag"
UNIQUE = "alter table person add constraint one unique (name, color)"
RULE = "unique index one on person (color, name)"

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
            return transfer.recognise(cursor).unknown_additions
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


# ---- rules: unique indexes, checks, triggers ------------------------------------------------------------------------

STOCK_RULES = transfer.KNOWN_RULES  # without what the tests plant
WRITTEN_HERE = sorted({*transfer.UPDATED, *transfer.WRITTEN})

# Everything on these tables, as the catalogue has it: (table, kind, columns or function, whether some rows are exempt).
RULES_THERE = """
    select t.relname, 'key', string_agg(a.attname, ' ' order by a.attname), i.indpred is not null
      from pg_index i join pg_class t on t.oid = i.indrelid
      join pg_attribute a on a.attrelid = t.oid and a.attnum = any(i.indkey::int[])
     where i.indisunique and t.relnamespace = 'public'::regnamespace and t.relname = any(%(tables)s)
     group by i.indexrelid, t.relname, i.indpred is not null
    union all
    select t.relname, 'check', string_agg(a.attname, ' ' order by a.attname), false
      from pg_constraint c join pg_class t on t.oid = c.conrelid
      join pg_attribute a on a.attrelid = t.oid and a.attnum = any(c.conkey)
     where c.contype in ('c', 'x') and t.relnamespace = 'public'::regnamespace and t.relname = any(%(tables)s)
     group by c.oid, t.relname
    union all
    select event_object_table, 'trigger', substring(action_statement from 'FUNCTION (?:public[.])?([^(]+)'), false
      from information_schema.triggers where event_object_table = any(%(tables)s)
"""


@pytest.mark.always
def test_no_rule_of_a_stock_immich_was_forgotten(library) -> None:
    with library.connection.cursor() as cursor:
        cursor.execute(RULES_THERE, {"tables": WRITTEN_HERE})
        there = cursor.fetchall()
    assert {kind for _table, kind, _what, _some in there} == {"key", "check", "trigger"}
    for table, kind, what, some in there:
        words = {transfer.RENAMED_COLUMNS.get((table, column), column) for column in what.split()}
        words |= {"?"} if some else {"="} if kind == "check" else set()
        if kind == "trigger":
            words = {what + "()"}
        if what != "id":
            assert words in [set(word.split(".")) for word in transfer.KNOWN_RULES[table]], (table, kind, what)


def test_the_tables_of_rules_are_those_that_are_written() -> None:
    assert sorted(transfer.KNOWN_RULES) == WRITTEN_HERE


def test_only_stock_rules_are_known(pool) -> None:
    """Each word is on some version's table: a slip would let a fork's rule pass."""
    seen = set()
    for version in schemas.VERSIONS:
        with pool.library(version) as library, library.connection.cursor() as cursor:
            cursor.execute(RULES_THERE, {"tables": WRITTEN_HERE})
            for table, kind, what, some in cursor.fetchall():
                words = {transfer.RENAMED_COLUMNS.get((table, column), column) for column in what.split()}
                words |= {"?"} if some else {"="} if kind == "check" else set()
                seen.add((table, frozenset([what + "()"] if kind == "trigger" else words)))
    known = {(table, frozenset(word.split("."))) for table, words in STOCK_RULES.items() for word in words}
    assert known <= seen


FUNCTION = "create function addition() returns trigger language plpgsql as $$ begin return new; end $$"
PLANTED = {
    "a unique constraint": (
        ["alter table album add constraint once unique (description)"],
        ["unique index once on album (description)"],
    ),
    "a unique index that spares some rows": (
        ["create unique index once on tag (color) where color <> ''"],
        ["unique index once on tag (color)"],
    ),
    "a known one that spares none": (
        ['create unique index once on asset ("ownerId", checksum)'],
        ["unique index once on asset (checksum, ownerId)"],
    ),
    "one of an expression": (
        ["create unique index once on tag (lower(value))"],
        ["unique index once on tag"],
    ),
    "one with a column that is only carried along": (
        ['create unique index once on tag ("userId") include (value, id)'],
        ["unique index once on tag (userId)"],
    ),
    "a check": (
        ['alter table stack add constraint "Full" check ("ownerId" <> id)'],
        ['check "Full" on stack (id, ownerId)'],
    ),
    "a check of a known table": (
        ["alter table person add constraint named check (name <> 'x')"],
        ["check named on person (name)"],
    ),
    "an exclusion": (
        ["alter table tag add constraint once exclude (value with =)"],
        ["exclusion once on tag (value)"],
    ),
    "triggers": (
        [
            FUNCTION,
            "create trigger stamp before update on asset for each row execute function addition()",
            "create constraint trigger late after insert on shared_link deferrable for each row"
            " execute function addition()",
        ],
        ["trigger late on shared_link", "trigger stamp on asset"],
    ),
    "Immich's function on a table where it is not": (
        ["create trigger stamp before update on tag_asset for each row execute function updated_at()"],
        ["trigger stamp on tag_asset"],
    ),
}


@pytest.mark.parametrize(("statements", "named"), PLANTED.values(), ids=PLANTED)
def test_a_rule_that_stock_immich_lacks_is_named(library, statements, named) -> None:
    assert links_of(library, *statements) == tuple(named)


@pytest.mark.since("3.2")
def test_one_row_for_each_group_of_people_is_named(library) -> None:
    """As the fork Gallery has it; up to 3.1 it is Immich's own primary key."""
    assert links_of(library, 'alter table person add constraint one unique ("personGroupId")') == (
        "unique index one on person (personGroupId)",
    )
    assert links_of(
        library,
        "alter table person drop constraint person_pkey cascade",
        'alter table person add constraint one primary key ("personGroupId")',
    ) == ("unique index one on person (personGroupId)",)


HARMLESS = {
    "no unique index": ["create index on asset (checksum)", "create index on tag (lower(value))"],
    "a table that is not written": ["create unique index on asset_exif (make)"],
    "a unique index over the id": [
        "create unique index on asset (id)",
        'create unique index on album (id, "albumName")',
    ],
    "one that covers a stock one": ['create unique index on tag ("userId", value, color)'],
    "other names": [
        "alter index user_email_uq rename to a",
        "alter index activity_like_idx rename to b",
        'alter trigger "asset_updatedAt" on asset rename to c',
    ],
    "a trigger that is off": [
        FUNCTION,
        "create trigger stamp before update on asset for each row execute function addition()",
        "alter table asset disable trigger stamp",
    ],
    "another schema's": ["create schema copy", "create table copy.asset (a integer unique check (a > 0))"],
}


@pytest.mark.parametrize("statements", HARMLESS.values(), ids=HARMLESS)
def test_what_forbids_nothing_more_does_not_matter(library, statements) -> None:
    assert links_of(library, *statements) == ()


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
        with pytest.raises(UnknownAdditions) as caught:
            transfer.transfer(params, request, transfer.How(dry_run=False, accepted_additions=frozenset(accepted)))
        assert caught.value.why == "; ".join(refused)
        assert library.snapshot() == before
    accepted = transfer.How(dry_run=False, accepted_additions=frozenset([NAMED, OTHER]))
    report = transfer.transfer(params, request, accepted)
    assert (report.assets, library.owner_of(photo)) == (1, ben)
    assert library.rows('select "photoId" from frame') == [(photo,)]


def test_a_rule_must_be_accepted_like_a_link_and_is_told_in_its_own_words(library, anna, ben, params) -> None:
    photo = library.asset(anna)
    request = transfer.Request(anna, ben, album=library.album(anna, "Trip", [photo]))
    library.rows(UNIQUE)
    before = library.snapshot()
    assert transfer.transfer(params, request, transfer.How(dry_run=True)).assets == 1
    with pytest.raises(UnknownAdditions) as caught:
        transfer.transfer(params, request, transfer.How(dry_run=False))
    assert "Immich has rules for photos or people in its database that this tool does not know" in caught.value.what
    assert caught.value.why == RULE
    assert library.snapshot() == before
    library.rows(PHOTO_LINK)
    with pytest.raises(UnknownAdditions) as caught:
        transfer.transfer(params, request, transfer.How(dry_run=False))
    assert "links to photos or people and rules for photos or people" in caught.value.what
    assert caught.value.why == f"{NAMED}; {RULE}"
    how = transfer.How(dry_run=False, accepted_additions=frozenset([NAMED, RULE]))
    assert transfer.transfer(params, request, how).assets == 1
    assert library.owner_of(photo) == ben


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
        lambda **how: transfer.repair(params, ben, transfer.How(**how)),
        lambda **how: transfer.undo(params, past.path, transfer.How(**how)),
    ):
        before = library.snapshot()
        run(dry_run=True)
        with pytest.raises(UnknownAdditions):
            run(dry_run=False)
        assert library.snapshot() == before
        run(dry_run=False, accepted_additions=accepted)
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
    terminal.answer("Number (1-4, Enter for 1, ")


def test_the_menu_names_it_and_asks_for_the_word(there: Installation) -> None:
    before = there.library.snapshot()
    photo = there.library.value("select id from asset")
    prompt = "Type accept to go on all the same, Enter to go back, anything else for the menu: "
    with Terminal(there.path) as terminal:
        screen = terminal.until("MAIN MENU")
        assert "links to photos or people that this tool does not know" in screen
        assert NAMED in screen
        ask_for_trip(terminal, "3")
        assert "Assets to transfer: 1" in terminal.until("No changes were made.")
        for wrong in ("0", "y", "yes", "accepted"):
            ask_for_trip(terminal, "4")
            assert NAMED in terminal.answer(prompt, wrong)
            assert "Nothing was changed." in terminal.until("MAIN MENU")
        assert there.library.snapshot() == before
        ask_for_trip(terminal, "4")
        terminal.answer(prompt, "accept")
        terminal.answer("Type yes to go ahead", "yes")
        terminal.until("TRANSFER COMPLETED")
        terminal.afterwards()
    assert there.library.owner_of(photo) == there.bob


def test_the_menu_says_what_a_rule_may_do(there: Installation) -> None:
    """And not what becomes of rows that hang on a link."""
    there.library.rows("drop table frame")
    there.library.rows(UNIQUE)
    with Terminal(there.path) as terminal:
        screen = terminal.until("MAIN MENU")
        assert "rules for photos or people in its database that this tool does not know" in screen
        assert RULE in screen
        ask_for_trip(terminal, "4")
        screen = terminal.until("Type accept to go on all the same")
        assert "may stop the change, and then nothing is changed" in screen
        assert "hangs on those links" not in screen


def test_a_link_that_came_later_is_not_among_those_accepted(there: Installation) -> None:
    """Immich was upgraded while the menu waited."""
    prompt = "Type accept to go on all the same, Enter to go back, anything else for the menu: "
    photo = there.library.value("select id from asset")
    with Terminal(there.path) as terminal:
        terminal.until("MAIN MENU")
        there.library.rows(TAG_LINK)
        ask_for_trip(terminal, "4")
        terminal.answer(prompt, "accept")
        terminal.answer("Type yes to go ahead", "yes")
        screen = terminal.until("MAIN MENU")
        assert OTHER in screen
        assert "Nothing was changed." in screen
    assert there.library.owner_of(photo) == there.alice
