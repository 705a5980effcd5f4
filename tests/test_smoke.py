"""The whole tool once over, with the sample family: what is worth running on every server and every schema."""

from pathlib import Path
from typing import Any

import pytest

import transfer
from tests import family
from tests.conftest import NOT_PUT_BACK, assert_adds_up, people_told, repair_one
from tests.library import Library

pytestmark = [pytest.mark.every_version, pytest.mark.always]


def test_a_transfer_with_everything_in_it_and_back(library: Library, params: dict[str, Any], tmp_path: Path) -> None:
    """Dry run, execution by album with its ownership, then of the whole account, then both undone: as it was."""
    people = family.build(library)
    library.settle_usage()
    before, exact = library.snapshot(ignore=NOT_PUT_BACK), library.snapshot()
    album = next(album for album, name in albums_of(library, people.alice) if name == "Summer 2024")
    requests = [
        transfer.Request(people.alice, people.bob, album, album_itself=transfer.ALBUM_HANDED_OVER),
        transfer.Request(people.alice, people.bob, everything=True, trashed=True, locked=True),
    ]
    people_of: list[tuple[int, int, int]] = []
    for request in requests:
        pairs = transfer.merge_pairs(params, request)
        request = transfer.replace(request, merge=frozenset(person.id for person in pairs))
        now = library.snapshot()
        told = [] if request.everything else [(25, 21, 4, 28, 4), ("2024-07-12", "2024-07-19")]
        shown = transfer.transfer(params, request, transfer.How(dry_run=True))
        assert library.snapshot() == now
        done = transfer.transfer(
            params,
            request,
            transfer.How(dry_run=False, expected_digest=shown.digest, undo_folder=tmp_path / "transfers"),
        )
        assert done.assets == shown.assets > 0
        assert done.wrong_after == 0
        assert_adds_up(now, library.snapshot(), people.alice, request.album, done)
        counts = (done.assets, done.of("items_moving"), len(done.along), done.of("items"), done.of("items_staying"))
        assert not told or [counts, done.dates] == told
        people_of.append(people_told(done))
    assert library.album_owner(album) == people.bob
    runs = transfer.list_past(params, tmp_path / "transfers")
    assert [run.state for run in runs] == ["committed", "committed"]
    for run, told_before in zip(runs, reversed(people_of), strict=True):
        report = transfer.undo(params, run.path, transfer.How(dry_run=False))
        assert not report.stays and not report.listed("people_kept")
        assert (report.of("people_given"), report.of("people_removed"), report.of("people_parted")) == told_before
    assert library.snapshot(ignore=NOT_PUT_BACK) == before
    assert exact["album_asset"] == library.snapshot()["album_asset"]


def test_repair_and_back(library: Library, params: dict[str, Any], tmp_path: Path) -> None:
    """What an older transfer by hand left with the wrong people is mended, and can be had back."""
    people = family.build(library, older_transfer=True)
    before = library.snapshot(ignore=NOT_PUT_BACK)
    done = repair_one(params, people.bob, transfer.How(dry_run=False, undo_folder=tmp_path))
    assert done.people
    assert not repair_one(params, people.bob, transfer.How(dry_run=True)).people
    transfer.undo(params, transfer.list_past(params, tmp_path)[0].path, transfer.How(dry_run=False))
    assert library.snapshot(ignore=NOT_PUT_BACK) == before


def albums_of(library: Library, user: str) -> list[tuple[str, str]]:
    """(id, name) of the albums that a user owns."""
    found = library.rows('SELECT id::text, "albumName" FROM album')
    return [(album, name) for album, name in found if library.album_owner(album) == user]
