"""Transfer and undo over random libraries: what must hold for every library, whatever is in it.

A few fixed examples for each schema version. For a long run with new examples each time, say how many for each:
IMMICH_TRANSFER_TEST_EXAMPLES=1000 pytest tests/test_undo_random.py
"""

import json
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import transfer
from tests.conftest import (
    EVERYTHING,
    NOT_PUT_BACK,
    Snapshot,
    assert_adds_up,
    assert_only_this_changed,
    decoded,
    fixed_part,
    people_told,
    problems,
    repair_one,
    usage,
    usage_by_immich,
)
from tests.library import Library
from tests.random_library import Plan, World, build, happenings, ids, later, plans

pytestmark = pytest.mark.long

EXAMPLES_VARIABLE = "IMMICH_TRANSFER_TEST_EXAMPLES"
LONG = int(os.environ.get(EXAMPLES_VARIABLE) or 0)
FEW, FEWER = (14, 9) if EVERYTHING else (6, 4)  # examples on each schema: without, and with later changes

STAMPS = ("updatedAt", "updateId")

Run = Callable[..., transfer.Report]


@dataclass(frozen=True)
class Kind:
    """A kind of run. `do` takes the world and transfer()'s keywords; `also` are tables that only this kind writes."""

    do: Run
    transfers: bool = True
    also: frozenset[str] = frozenset()


def selection(**wanted: Any) -> Run:
    """A transfer of what is wanted; a callable is asked of the world."""

    def do(world: World, **how: Any) -> transfer.Report:
        asked = {name: value(world) if callable(value) else value for name, value in wanted.items()}
        request = transfer.Request(world.source, world.destination, merge=world.merge, **asked)
        return transfer.transfer(world.params, request, transfer.How(**how))

    return do


def repair(world: World, **how: Any) -> transfer.Report:
    return repair_one(world.params, world.destination, transfer.How(**how), merge=world.merge)


ALBUM, TAG = (lambda world: world.album), (lambda world: world.tag)
ALBUM_TABLES = frozenset(
    {"activity", "album", "album_user", "album_asset", "album_audit", "album_user_audit", "album_asset_audit"}
)

# Further kinds join by a line here.
KINDS: dict[str, Kind] = {
    "album": Kind(selection(album=ALBUM)),
    "repair": Kind(repair, transfers=False, also=frozenset({"album"})),
    "tag": Kind(selection(tag=TAG)),
    "everything": Kind(selection(everything=True, trashed=True, locked=True), also=ALBUM_TABLES),
    "album shared": Kind(selection(album=ALBUM, album_itself=transfer.ALBUM_SHARED), also=ALBUM_TABLES),
    "album handed over": Kind(selection(album=ALBUM, album_itself=transfer.ALBUM_HANDED_OVER), also=ALBUM_TABLES),
    "album given up": Kind(selection(album=ALBUM, album_itself=transfer.ALBUM_GIVEN_UP), also=ALBUM_TABLES),
}


# A short run draws from all kinds in one test, a long one has a test for each.
PARTS: dict[str, list[str]] = {kind: [kind] for kind in KINDS} if LONG else {"any": list(KINDS)}


def examples(name: str, count: int, *strategies: Any) -> Callable:
    """given() with this run's profile: `count` fixed examples, others for each name, or a long run with new ones."""

    def decorate(test: Callable) -> Callable:
        few = [Phase.generate] + ([Phase.shrink] if LONG else [])
        profile = settings(
            max_examples=LONG or count,
            deadline=None,
            database=None,
            phases=few,
            suppress_health_check=list(HealthCheck),
        )
        wrapped = profile(given(*strategies)(test))
        return wrapped if LONG else seed(zlib.crc32(name.encode()))(wrapped)

    return decorate


# ---- what must hold -------------------------------------------------------------------------------------------------


def named(table: str, row: dict[str, Any]) -> tuple[Any, ...]:
    """What tells a row from the others of its table."""
    if "id" in row:
        return (row["id"],)
    if table in ("asset_exif", "asset_job_status", "smart_search", "ocr_search"):
        return (row["assetId"],)
    return tuple(row[column] for column in sorted(row) if column.endswith(("Id", "_ancestor", "_descendant", "key")))


def difference(before: Snapshot, after: Snapshot) -> list[str]:
    """Rows that came (+), went (-) or changed, in words."""
    found = []
    for table in sorted(before):
        came, went = set(after[table]) - set(before[table]), set(before[table]) - set(after[table])
        old, new = ({named(table, row): row for row in map(json.loads, rows)} for rows in (went, came))
        for key in sorted(old.keys() | new.keys(), key=str):
            if key in old and key in new:
                columns = [c for c in old[key] if old[key][c] != new[key][c]]
                found += [f"{table} {key[0]}: {c} was {old[key][c]}, is {new[key][c]}" for c in columns]
            else:
                found.append(f"{'+' if key in new else '-'} {table} {new.get(key) or old[key]}")
    return found


def found_by_search(library: Library) -> set[str]:
    """Tags that Immich's search did not find, in words of problems() and difference(): the run made their row in
    tag_closure. An undo leaves it if photos have the tag, for nobody knows since when, and without it the tag goes.
    """
    tags = ids(library, "select <tag_asset.tagId> from tag_asset")
    rows = {f"+ tag_closure {dict.fromkeys(('id_ancestor', 'id_descendant'), tag)}" for tag in tags}
    return rows | {f"tag not found by search: {tag}" for tag in tags}


def moved_photos(before: Snapshot, after: Snapshot) -> set[str]:
    """The photos that changed hands."""
    old, new = decoded(before, "asset", "id"), decoded(after, "asset", "id")
    return {key[0] for key in old if old[key]["ownerId"] != new[key]["ownerId"]}


def assert_invariants(world: World, before: Snapshot, after: Snapshot, wrong_before: set[str], kind: Kind) -> None:
    """Section by section: owners; what was right is right; nothing of anybody else's on a moved photo; counts."""
    moved = moved_photos(before, after)
    old = decoded(before, "asset", "id")
    new = decoded(after, "asset", "id")
    assert {old[(key,)]["ownerId"] for key in moved} <= {world.source}
    assert {new[(key,)]["ownerId"] for key in moved} <= {world.destination}
    wrong = problems(world.library)
    assert not wrong - wrong_before, wrong - wrong_before
    faces = {row["id"] for row in decoded(after, "asset_face", "id").values() if row["assetId"] in moved}
    for kind_of_problem, things in (
        ("face of another's person", faces),
        ("tag of another's", moved),
        ("memory of another's", moved),
        ("link of another's", moved),
    ):
        assert not {f"{kind_of_problem}: {thing}" for thing in things} & wrong
    counted = {"asset", "asset_face", "face_search", "album_asset", "album", "album_user", "activity"}
    for table in counted - (kind.also - {"album", "activity"}):
        assert len(before[table]) == len(after[table]), table
    if kind.transfers:
        for user in (world.source, world.destination):
            assert usage(world.library, user) == usage_by_immich(world.library, user)


def person_key(snapshot: Snapshot) -> tuple[str, ...]:
    """The primary key of person."""
    return ("ownerId", "personGroupId") if "person_group" in snapshot else ("id",)


def group_of(row: dict[str, Any]) -> str | None:
    """The person of a face, or of a person's row, in either model."""
    return row["personGroupId"] if "personGroupId" in row else row.get("personId", row["id"])


def assert_the_rest_is_untouched(before: Snapshot, after: Snapshot, moved: set[str], kind: Kind) -> None:
    """Rows that have nothing to do with the photos moved are byte by byte the same, stamps included."""

    def changed(table: str, *key: str) -> list[dict[str, Any]]:
        old, new = decoded(before, table, *key), decoded(after, table, *key)
        return [old.get(k) or new[k] for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k)]

    assets = decoded(before, "asset", "id")
    stacks = {assets[(key,)]["stackId"] for key in moved} - {None}
    groups = {assets[(key,)]["duplicateId"] for key in moved} - {None}
    if kind.transfers:  # a repair moves nothing: what it may write is in tests/model.py (mended)
        for row in changed("asset", "id"):
            assert row["id"] in moved or row["stackId"] in stacks or row["duplicateId"] in groups, row
        concerned = {
            group_of(row)
            for text in (before, after)
            for row in decoded(text, "asset_face", "id").values()
            if row["assetId"] in moved
        } - {None}
        faces = {key[0] for key, row in decoded(before, "asset_face", "id").items() if row["assetId"] in moved}
        for row in changed("asset_face", "id"):
            assert row["assetId"] in moved or group_of(row) in concerned, row
        for row in changed("person", *person_key(before)):
            assert group_of(row) in concerned or row["faceAssetId"] in faces, row
        for row in changed("asset_job_status", "assetId"):
            assert row["assetId"] in moved, row
        old_stacks = decoded(before, "stack", "id")
        for row in changed("stack", "id"):
            assert row["id"] in stacks or (row["id"],) not in old_stacks, row


# ---- the tests ------------------------------------------------------------------------------------------------------


def less(snapshot: Snapshot, kind: Kind) -> Snapshot:
    """A snapshot without the tables that only this kind of run writes."""
    return {table: rows for table, rows in snapshot.items() if table not in kind.also}


@contextmanager
def said() -> Iterator[None]:
    """So that a failure shows why, too."""
    try:
        yield
    except transfer.TransferError as error:
        raise AssertionError(f"{error.what} {error.why}") from error


def run_and_undo(library: Library, plan: Plan, kind: Kind) -> None:
    """The dry run changes nothing, the run what it should, and the undo all of it back."""
    with tempfile.TemporaryDirectory() as place, said():
        world, folder = build(library, plan), Path(place, "transfers")
        full, wrong_before = library.snapshot(), problems(library)
        before = library.snapshot(ignore=NOT_PUT_BACK)
        shown = kind.do(world, dry_run=True, undo_folder=folder)
        assert library.snapshot() == full
        assert not folder.exists()

        done = kind.do(world, dry_run=False, undo_folder=folder, expected_digest=shown.digest)
        after = library.snapshot()
        assert replace(done, wrong_after=None) == replace(shown, people=done.people)
        moved = moved_photos(full, after)
        assert len(moved) == (done.assets if kind.transfers else 0)
        if kind.transfers:
            assert_adds_up(full, after, world.source, world.album if done.selection == "album" else None, done)
        other = difference(fixed_part(less(full, kind)), fixed_part(less(after, kind)))
        assert not other, "\n".join(other)
        pair = {world.source, world.destination} if kind.transfers else {world.destination}
        assert_only_this_changed(less(full, kind), less(after, kind), pair)
        assert_invariants(world, full, after, wrong_before, kind)
        assert_the_rest_is_untouched(full, after, moved, kind)
        if not kind.transfers and after == full:
            return  # there was nothing to repair

        (past,) = transfer.list_past(world.params, folder)
        assert past.state == "committed"
        planned = transfer.undo(world.params, past.path, transfer.How(dry_run=True))
        assert library.snapshot() == after
        undone = transfer.undo(world.params, past.path, transfer.How(dry_run=False, expected_digest=planned.digest))
        left = set(difference(before, library.snapshot(ignore=NOT_PUT_BACK))) - found_by_search(library)
        assert not left, "\n".join(left)
        wrong = problems(library)
        assert wrong <= wrong_before <= wrong | found_by_search(library)
        assert replace(undone, wrong_after=None) == planned
        assert undone.assets == len(moved)
        assert (undone.of("people_given"), undone.of("people_removed"), undone.of("people_parted")) == people_told(done)
        assert (undone.stays, undone.listed("people_kept"), undone.of("tags_kept"), undone.of("faces_changed")) == (
            (),
            (),
            0,
            0,
        )
        (past,) = transfer.list_past(world.params, folder)
        assert past.state == "undone"


def undo_after(library: Library, plan: Plan, happened: list[tuple[str, int, int]], kind: Kind) -> None:
    """Whatever happened since: nothing wrong that was not wrong before, and nothing lost that people did."""
    with tempfile.TemporaryDirectory() as place, said():
        world, folder = build(library, plan), Path(place, "transfers")
        before, wrong_before = library.snapshot(), problems(library)
        kind.do(world, dry_run=False, undo_folder=folder)
        ran = library.snapshot()
        if not kind.transfers and ran == before:
            return  # there was nothing to repair
        later(world, happened)
        changed, wrong = library.snapshot(), problems(library)
        (past,) = transfer.list_past(world.params, folder)
        planned = transfer.undo(world.params, past.path, transfer.How(dry_run=True))
        assert library.snapshot() == changed
        undone = transfer.undo(world.params, past.path, transfer.How(dry_run=False, expected_digest=planned.digest))
        assert replace(undone, wrong_after=None) == planned
        after = library.snapshot()
        new = problems(library) - wrong - wrong_before
        assert not new, new
        other = difference(fixed_part(less(changed, kind)), fixed_part(less(after, kind)))
        assert not other, "\n".join(other)
        assert_people_keep_what_was_set(before, ran, changed, after)
        if kind.transfers:
            for user in (world.source, world.destination):
                assert usage(library, user) == usage_by_immich(library, user)
        assert undone.assets == len(moved_photos(changed, after))


def assert_people_keep_what_was_set(before: Snapshot, ran: Snapshot, changed: Snapshot, after: Snapshot) -> None:
    """Name and flags of the people who are still there; a gap that the run filled, and nobody changed, is put back."""
    key = person_key(before)
    rows = [decoded(snapshot, "person", *key) for snapshot in (before, ran, changed, after)]
    for person in rows[2].keys() & rows[3].keys():
        was, by_run, old, new = (found.get(person, {}) for found in rows)
        for column in ("name", "birthDate", "isHidden", "isFavorite", "color"):
            if new[column] != old[column]:
                assert (old[column], new[column]) == (by_run.get(column), was.get(column)), (person, column)


@pytest.mark.parametrize("kinds", PARTS)
def test_a_run_and_its_undo(version, kinds, pool) -> None:
    @examples(f"{version} {kinds}", FEW, st.sampled_from(PARTS[kinds]), plans())
    def check(kind: str, plan: Plan) -> None:
        with pool.library(version) as library:
            run_and_undo(library, plan, KINDS[kind])

    check()


@pytest.mark.parametrize("kinds", PARTS)
def test_an_undo_after_later_changes(version, kinds, pool) -> None:
    @examples(f"later {version} {kinds}", FEWER, st.sampled_from(PARTS[kinds]), plans(), happenings())
    def check(kind: str, plan: Plan, happened: list[tuple[str, int, int]]) -> None:
        with pool.library(version) as library:
            undo_after(library, plan, happened, KINDS[kind])

    check()
