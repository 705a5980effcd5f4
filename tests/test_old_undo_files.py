"""Undo files that an older transfer.py wrote stay good; a header that nobody wrote is told from theirs.

In tests/old_undo_files are runs on the sample family, with what a transfer by hand may have left behind.
<version>-<run>.jsonl.gz is the undo file of format 1, byte for byte as transfer.py 1.0.0 wrote it.
<version>-<run>.json.gz is the database around the run, row by row: what was the same before and after it
(`unchanged`), what was otherwise (`before`, `after`), and how many photos changed hands.
"""

import copy
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import transfer
from tests import postgres
from tests.library import Library
from tests.test_undo_random import NOT_PUT_BACK, difference

FILES = Path(__file__).with_name("old_undo_files")
VERSIONS = ("2.7", "3.3")  # one of each way to keep people

# What each run is called in the list of the past.
RUNS = {
    "hand-over": "alice@example.com → bob@example.com: Summer 2024, 32 photos",
    "everything": "alice@example.com → carol@example.com: everything, 43 photos",
    "repair": "bob@example.com: repair of 5 faces",
}


def stored(name: str) -> dict[str, Any]:
    """The database around a run."""
    return json.loads(gzip.decompress((FILES / f"{name}.json.gz").read_bytes()))


def fill(library: Library, *parts: dict[str, list[dict[str, Any]]]) -> None:
    """Put rows into an empty database to the letter: no trigger fires, and no foreign key looks."""
    library.rows("set session_replication_role = replica")
    for part in parts:
        for table, rows in part.items():
            records = f'select * from jsonb_populate_recordset(null::"{table}", %s)'
            library.rows(f'insert into "{table}" {records}', json.dumps(rows))
    library.rows("reset session_replication_role")
    wanted = [json.dumps([table, row]) for part in parts for table, rows in part.items() for row in rows]
    found = library.snapshot().items()
    there = [json.dumps([table, json.loads(text)]) for table, texts in found for text in texts]
    assert sorted(there) == sorted(wanted)


def undo_file(library: Library, name: str, path: Path, change: Callable[..., Any] = dict) -> Path:
    """A stored undo file, as if its run had been on this database. `change` makes its header another."""
    content = gzip.decompress((FILES / f"{name}.jsonl.gz").read_bytes())
    first, *lines, _checksum = content.removesuffix(b"\n").split(b"\n")
    system, database, xid = library.row(
        """
        select system_identifier::text,
            (select oid from pg_database where datname = current_database())::text, pg_current_xact_id()::text
        from pg_control_system()
        """
    )
    header = change(json.loads(first) | {"system": system, "database": database, "xid": xid})
    content = b"".join(line + b"\n" for line in (json.dumps(header).encode(), *lines))
    checksum = json.dumps({"sha256": hashlib.sha256(content).hexdigest()}).encode()
    path.write_bytes(gzip.compress(content + checksum + b"\n"))
    return path


def params_of(library: Library) -> dict[str, Any]:
    """What psycopg2.connect takes to reach the library."""
    return postgres.server().params(library.connection.info.dbname)


# ---- they are undone ---------------------------------------------------------------------------------------


@pytest.mark.cases
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_of_format_1_is_undone(version, run, pool, tmp_path) -> None:
    """The whole database is as it was before the run."""
    name, data = f"{version}-{run}", stored(f"{version}-{run}")
    with pool.library(version) as library:
        fill(library, data["unchanged"], data["before"])
        before = library.snapshot(ignore=NOT_PUT_BACK)
    with pool.library(version) as library:
        fill(library, data["unchanged"], data["after"])
        params, full = params_of(library), library.snapshot()
        path = undo_file(library, name, tmp_path / "old.jsonl.gz")
        (past,) = transfer.list_past(params, tmp_path)
        assert (past.path, past.state) == (path, "committed")
        assert transfer.past_line(past).endswith(f"  {RUNS[run]}")
        planned = transfer.undo(params, path, transfer.How(dry_run=True))
        assert library.snapshot() == full
        undone = transfer.undo(params, path, transfer.How(dry_run=False, expected_digest=planned.digest))
        left = difference(before, library.snapshot(ignore=NOT_PUT_BACK))
        assert not left, "\n".join(left)
        assert replace(undone, wrong_after=None) == planned
        assert (undone.assets, undone.wrong_after) == (data["photos"], 0)
        assert (undone.stays, undone.listed("people_kept"), undone.of("tags_kept"), undone.of("faces_changed")) == (
            (),
            (),
            0,
            0,
        )
        assert [past.state for past in transfer.list_past(params, tmp_path)] == ["undone"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_people_of_a_file_of_format_1_are_remembered(version, pool, tmp_path) -> None:
    """Whoever stayed, with the destination's person of the same name."""
    data = stored(f"{version}-hand-over")
    with pool.library(version) as library:
        fill(library, data["unchanged"], data["after"])
        undo_file(library, f"{version}-hand-over", tmp_path / "old.jsonl.gz")
        alice, bob, carol = (user for (user,) in library.rows('select id from "user" order by name'))
        names = {}
        pairs = transfer.remembered_people(params_of(library), tmp_path, bob)
        for theirs, his in pairs:
            query = f'select distinct name from person where "{library.name("person", "personGroupId")}" = %s'
            names[library.value(query, theirs)] = library.person_row(bob, his)["name"]
        assert names == {"": "", "Grandma Rose": "Grandma Rose", "Pia": "Pia", "Tom Becker": " tom becker"}
        assert {pair[::-1] for pair in transfer.remembered_people(params_of(library), tmp_path, alice)} == set(pairs)
        assert transfer.remembered_people(params_of(library), tmp_path, carol) == ()


# ---- a header that nobody wrote ----------------------------------------------------------------------------

MISSING = object()

# Values that a part of a header cannot have; "" is all of it.
STRANGE: dict[str, tuple[Any, ...]] = {
    "": ([], ["format"], {}, "header", 5, None),
    "format": (None, "1"),
    "kind": (MISSING, None, 5, [], "party"),
    "when": (MISSING, None, 5),
    "source": (MISSING, None, [], {}, "alice", 5),
    "source.id": (MISSING, None, 5, "alice"),
    "source.email": (MISSING, None, 5),
    "source.cluster": (MISSING, 5),
    "destination": (MISSING, None, [], {}, "bob", 5),
    "destination.id": (MISSING, None, 5, "bob"),
    "destination.email": (MISSING, None, 5),
    "destination.cluster": (MISSING, 5),
    "selection": (MISSING, None, [], {}, "Summer"),
    "selection.name": (MISSING, None, 5),
    "models": (MISSING, None, [], {}, 5),
    "report": (MISSING, None, [], {}, 5),
    "report.assets": (MISSING, None, "many"),
    "report.people": (MISSING, None, 5, [5], [{}]),
    "system": (MISSING, None, 5),
    "database": (MISSING, None, 5),
    "xid": (MISSING, None, 5, "", "abc", "-1", "٣٤", "9" * 30, []),
}
CASES = {
    f"{part or 'header'}: {'missing' if value is MISSING else json.dumps(value)}": (part, value)
    for part, values in STRANGE.items()
    for value in values
}


def changed(header: dict[str, Any], part: str, value: Any) -> Any:
    """A header with another value for that part of it."""
    if not part:
        return value
    header = copy.deepcopy(header)
    *way, last = part.split(".")
    place = header[way[0]] if way else header
    place.pop(last)
    if value is not MISSING:
        place[last] = value
    return header


@pytest.fixture(scope="module")
def handed_over(pool) -> Iterator[Library]:
    """A library after a run, which the tests leave as it is."""
    data = stored("3.3-hand-over")
    with pool.library("3.3") as library:
        fill(library, data["unchanged"], data["after"])
        before = library.snapshot()
        yield library
        assert library.snapshot() == before


@pytest.mark.cases
@pytest.mark.parametrize(("part", "value"), CASES.values(), ids=CASES.keys())
def test_a_strange_header_is_a_damaged_file(handed_over, tmp_path, part, value) -> None:
    """It is listed as that, hides no other, and cannot be undone. The file's checksum is right."""
    params, good, strange = params_of(handed_over), tmp_path / "good.jsonl.gz", tmp_path / "strange.jsonl.gz"
    undo_file(handed_over, "3.3-hand-over", good)
    undo_file(handed_over, "3.3-hand-over", strange, lambda header: changed(header, part, value))
    past = {entry.path: entry for entry in transfer.list_past(params, tmp_path)}
    assert {path: entry.state for path, entry in past.items()} == {good: "committed", strange: "damaged"}
    assert transfer.past_line(past[strange]) == "strange.jsonl.gz [damaged]"
    bob = past[good].header["destination"]["id"]
    assert len(transfer.remembered_people(params, tmp_path, bob)) == 4
    for dry_run in (True, False):
        with pytest.raises(transfer.TransferError):
            transfer.undo(params, strange, transfer.How(dry_run=dry_run))


@pytest.mark.parametrize("xid", ["", "abc", "9" * 30])
def test_a_strange_transaction_hides_no_other_file(handed_over, tmp_path, xid) -> None:
    """PostgreSQL is asked about a file, or an undo's mark, whose COMMIT was not heard of."""
    library = handed_over
    good, marked = (undo_file(library, "3.3-hand-over", tmp_path / f"{name}.jsonl.gz") for name in "ab")
    pending = tmp_path / "c.pending.jsonl.gz"
    undo_file(library, "3.3-hand-over", pending, lambda header: header | {"xid": xid})
    mark = {name: transfer.read_header(good)[name] for name in ("system", "database")} | {"xid": xid}
    (tmp_path / "b.undoing.json").write_text(json.dumps(mark))
    states = {entry.path: entry.state for entry in transfer.list_past(params_of(library), tmp_path)}
    assert (states[good], states[marked]) == ("committed", "not known whether undone")
    assert states[pending] != "committed"
