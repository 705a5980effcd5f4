"""A dry run does all the work and leaves nothing of it; what it says is what the run then does."""

import pytest

import transfer
from tests import conftest
from tests.conftest import told


@pytest.fixture(autouse=True)
def before_each_run(monkeypatch) -> None:
    """Here each run has its dry run before it, on whatever the tests run."""
    monkeypatch.setattr(conftest, "with_dry_run", lambda _library: True)


def test_a_dry_run_changes_no_table_and_says_what_the_run_does(scene, move) -> None:
    """In the gate every run is looked at that way; here with some of everything (see conftest.Runner.move)."""
    report = move(scene.album, merge=[scene.oma])
    assert {person.name: person.action for person in report.people} == {
        "Lea O'Neil": "TRANSFER",
        "Max": "DUPLICATE",
        "Oma": "MERGE",
    }
    # nothing in the scene is there for nothing
    seen = ("assets", "items", "items_moving", "people", "faces", "along", "stays", "tags", "tags_made", "memories")
    seen += ("duplicates", "albums_unseen", "albums_public", "storage", "featured", "digest")
    assert [name for name in seen if not (getattr(report, name, ()) or report.of(name))] == []
    assert (
        report.of("stacks_moved"),
        report.of("stacks_split"),
        report.of("links_moved"),
        report.of("links_losing"),
    ) == (1, 1, 2, 1)
    assert dict(report.stays) == {"duplicate": ("twin.jpg",)}


def test_two_dry_runs_say_the_same(scene, dry) -> None:
    first, second = (dry(scene.album, merge=[scene.oma]) for _ in range(2))
    assert told(first) == told(second)


def test_a_dry_run_without_the_merge_says_something_else(scene, dry) -> None:
    assert dry(scene.album).digest != dry(scene.album, merge=[scene.oma]).digest


def test_asking_for_merge_pairs_changes_nothing(library, scene, runner, params) -> None:
    before = library.snapshot()
    pairs = transfer.merge_pairs(params, runner.request(scene.album))
    assert [(person.id, person.merge_id) for person in pairs] == [(scene.oma, scene.bens_oma)]
    assert library.snapshot() == before


ADVISORY = """
    select 1 from pg_locks l join pg_database d on d.oid = l.database
    where l.locktype = 'advisory' and d.datname = current_database()
"""


def test_after_a_dry_run_nothing_is_locked(library, scene, dry) -> None:
    dry(scene.album)
    library.rows("set lock_timeout = '60s'")
    library.rows('update asset set "ownerId" = "ownerId"')
    assert library.rows(ADVISORY) == []


def test_progress_is_told_step_by_step(scene, runner, params) -> None:
    steps: list[str] = []
    transfer.transfer(params, runner.request(scene.album), transfer.How(dry_run=True, progress=steps.append))
    assert len(steps) == len(set(steps)) >= len(transfer.STEPS) + 2
