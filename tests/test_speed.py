"""Work grows with what is transferred, whatever PostgreSQL's statistics say. tests/benchmark.py says how fast it is."""

import argparse
import time
from pathlib import Path

import pytest

import transfer
from tests import benchmark
from tests.conftest import repair_one
from tests.library import Library

pytestmark = pytest.mark.long

PHOTOS, PATIENCE = 2000, 30


def rows_read(library: Library, column: str = "coalesce(idx_tup_fetch, 0) + seq_tup_read") -> int:
    """How many rows of photos and faces were read so far, by sessions that have ended."""
    return int(
        library.value(f"select sum({column}) from pg_stat_user_tables where relname in ('asset', 'asset_face')") or 0
    )


def settled(library: Library, written: int) -> int:
    """What was read, as soon as the statistics have so many writes more."""
    end = time.monotonic() + PATIENCE
    while rows_read(library, "n_tup_upd") < written and time.monotonic() < end:
        time.sleep(0.1)
    return rows_read(library)


@pytest.mark.parametrize("version", ["2.7", "3.3"])
@pytest.mark.parametrize("by_hand", [False, True], ids=["transfer", "repair"])
def test_an_account_that_was_made_for_the_photos_is_no_slower(
    library: Library, params: dict, tmp_path: Path, by_hand: bool
) -> None:
    """It owned nothing when statistics were gathered: each photo by itself must not be sought among all of them."""
    options = argparse.Namespace(source=10 * PHOTOS, faces=1, people=50, users=3, albums=10)
    scene = benchmark.build(library, options)
    if by_hand:
        benchmark.by_hand(params, scene)
    for work in ("run", "undo"):
        read, written = rows_read(library), rows_read(library, "n_tup_upd")
        if work == "undo":
            benchmark.undo(params, tmp_path)
        elif by_hand:
            repair_one(params, scene.bob, transfer.How(dry_run=False, undo_folder=tmp_path))
        else:
            benchmark.execute(params, scene, tmp_path)
        # some dozen times all that there is, ten times what moves; not, be it once, what moves for each that moves
        rows = settled(library, written + PHOTOS) - read
        assert rows < PHOTOS * PHOTOS / 2, work
