"""What all tests of the transfer share: a database per test, two or three users, and runs that are looked at closely.

IMMICH_TRANSFER_TEST_VERSIONS="2.0,3.1" runs the suite on those schema versions, "all" on all seven, "2.7/3.3" each test
on one of the two, in turn ("3.3/2.7" on the other one). Without it the tests of single behaviours run on 3.3 (those of
undo on 2.7 or 3.3, in turn). A test that is about several versions runs on one of them, in turn: because it is marked
`@pytest.mark.every_version`, or bounded by `@pytest.mark.since("3.1")` or `@pytest.mark.until("3.1")`, or because it
names them itself. Marked `@pytest.mark.always` it runs on all of them.

Tests marked `@pytest.mark.long` are left out by `-m "not long"`, as in the README's command.

Tests marked `@pytest.mark.cases` have every third of their cases, the first of them by IMMICH_TRANSFER_TEST_THIRD (0, 1
or 2): the gate takes another third on each PostgreSQL. With 1 or 2, of the tests that are neither `long` nor `cases`
nor in the smoke file a third runs, too: all of them have run with 0.

IMMICH_TRANSFER_TEST_EVERYTHING=1 leaves nothing out: tests run on all their versions, each run of the tool has its dry
run before it, tests have all their cases, and runs are broken off at each of their steps and not at a few of them.
"""

import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

import transfer
from tests import postgres, schemas
from tests.library import Library, Snapshot
from tests.model import State
from tests.pool import POOL, Pool
from tests.terminal import Installation, installation

# The schema versions that transfer.py knows.
VERSIONS = ("2.0", "2.3", "2.5", "2.7", "3.1", "3.2", "3.3")
NEWEST = VERSIONS[-1]
VERSIONS_VARIABLE = "IMMICH_TRANSFER_TEST_VERSIONS"
EVERYTHING = os.environ.get("IMMICH_TRANSFER_TEST_EVERYTHING", "") not in ("", "0")
THIRD = int(os.environ.get("IMMICH_TRANSFER_TEST_THIRD", "0"))

STAMPS = {"updatedAt", "updateId"}  # set by Immich's own triggers whenever a row is written

# What no undo puts back: the stamps, the mark that makes apps sync anew, Immich's record of deletions, and where
# people's pictures are: what was there may have been deleted since, as a file that no row names.
NOT_PUT_BACK = (*sorted(STAMPS), "session.isPendingSyncReset", "person.thumbnailPath", "*_audit")

# All that a transfer may write, apart from the stamps. None: rows may come and go.
MAY_CHANGE: dict[str, set[str] | None] = {
    "asset": {"ownerId", "stackId", "duplicateId"},
    "asset_face": {"personId", "personGroupId"},
    "asset_job_status": {"duplicatesDetectedAt"},
    "library": {"ownerId"},
    "session": {"isPendingSyncReset"},
    "user": {"quotaUsageInBytes"},
} | dict.fromkeys(
    (
        *("person", "person_audit", "person_group", "person_group_audit", "person_user"),
        *("stack", "stack_audit", "tag", "tag_asset", "tag_closure"),
        *("memory", "memory_asset", "memory_audit", "memory_asset_audit", "shared_link", "shared_link_asset"),
    )
)


def repair_one(
    params: Mapping[str, Any],
    user: str,
    how: transfer.How = transfer.HOW,
    merge: frozenset[str] = frozenset(),
    leave: frozenset[str] = frozenset(),
) -> transfer.Report:
    """A repair for one user alone: its part of the report, or an empty one."""
    done = transfer.repair_all(params, {user: merge}, how, leave)
    return replace(dict(done.parts).get(user, done), digest=done.digest, wrong_after=done.wrong_after)


# ---- versions -------------------------------------------------------------------------------------------------------


def chosen_versions() -> tuple[str, ...]:
    """The versions of this run."""
    text = os.environ.get(VERSIONS_VARIABLE, "")
    if text in ("", "all"):
        return VERSIONS
    wanted = tuple(word.strip() for word in text.replace("/", ",").split(",") if word.strip())
    if unknown := set(wanted) - set(schemas.VERSIONS):
        raise pytest.UsageError(f"{VERSIONS_VARIABLE}: no schema for {', '.join(sorted(unknown))}")
    return wanted


def model_versions() -> list[str]:
    """One version of each way to keep people, as far as this run takes it: for tests that take long."""
    return [version for version in ("2.7", "3.3") if version in chosen_versions()]


def few(things: Iterable[Any], count: int = 3) -> list[Any]:
    """All of them if nothing is left out, otherwise so many: first and last, and between them at equal distances."""
    found = list(things)
    if EVERYTHING or len(found) <= count:
        return found
    return [found[number * (len(found) - 1) // (count - 1)] for number in range(count)]


def names_versions(test: pytest.Item) -> bool:
    """Whether a test itself says on which versions it runs."""
    return any("version" in str(mark.args[0]) for mark in test.iter_markers("parametrize"))


# Parameters that are a version, and whether they are a test's own choice: whatever else is chosen, it runs on those.
VERSION_PARAMETERS = {"version": False, "library": False, "every": True, "lib": True}


def taking_turns(names: list[str], test: str, *, always: bool, everywhere: bool, by_model: bool, own: bool) -> set[str]:
    """Which of the versions that a test can run on it does run on; always the same ones.

    `always`: it is marked so. `everywhere`: it is about several of them. `by_model`: it has its own two, one
    of each person model. `own`: it names its versions itself.
    """
    text, turn = os.environ.get(VERSIONS_VARIABLE, ""), zlib.crc32(test.encode())
    one = {names[turn % len(names)]}
    if own and (always or EVERYTHING):
        return set(names)
    if own and "/" not in text:
        return set(names) if text else one
    if "/" in text:
        return one
    if text or always:
        return set(names)
    if everywhere:
        return set(names) if EVERYTHING else one
    return one if by_model else {NEWEST}


def shapes_out_of_turn(items: list[pytest.Item]) -> list[pytest.Item]:
    """Tests that run on versions with and without a common cluster group take turns too: one shape for each."""
    text, groups = os.environ.get(VERSIONS_VARIABLE, ""), {}
    for item in items:
        values = item.callspec.params if hasattr(item, "callspec") else {}
        if "together" in values and (not text or "/" in text):
            rest = [f"{name}={values[name]!r:.60}" for name in sorted(values) if name not in ("version", "together")]
            groups.setdefault(f"{item.path.name} {item.originalname} {rest}", []).append(item)
    out = []
    for test, shapes in groups.items():
        turn = zlib.crc32(re.sub(r"0x[0-9a-f]+", "", test).encode()) % len(shapes)
        out += [item for number, item in enumerate(shapes) if number != turn]
    return out


def further_cases(items: list[pytest.Item]) -> list[pytest.Item]:
    """Of tests with many cases of one rule, two of three: they have their turn on other servers."""
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        if not EVERYTHING and item.get_closest_marker("cases"):
            groups.setdefault(item.nodeid.split("[")[0], []).append(item)
    return [item for cases in groups.values() for number, item in enumerate(cases) if (number + THIRD) % 3]


def other_third(items: list[pytest.Item]) -> list[pytest.Item]:
    """Tests that do not have their turn on an older server; all cases of a test stay together."""
    return [
        item
        for item in items
        if THIRD
        and item.path.name != "test_smoke.py"
        and not any(map(item.get_closest_marker, ("long", "cases")))
        and zlib.crc32(item.nodeid.split("[")[0].encode()) % 3 != THIRD
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the versions that it is not a test's turn for."""
    found: dict[tuple[str, str], dict[str, list[pytest.Item]]] = {}
    for item in items:
        values = item.callspec.params if hasattr(item, "callspec") else {}
        for parameter in VERSION_PARAMETERS.keys() & values.keys():
            version = values[parameter]
            if version in VERSIONS:
                test = item.nodeid.replace(version, "", 1)
                found.setdefault((test, parameter), {}).setdefault(version, []).append(item)
    left_out = set()
    for (test, parameter), versions in found.items():
        names = sorted(versions, key=lambda name: chosen_versions().index(name) if name in chosen_versions() else -1)
        first = versions[names[0]][0]
        turns = taking_turns(
            names,
            test,
            always=first.get_closest_marker("always") is not None,
            everywhere=any(first.get_closest_marker(mark) for mark in ("since", "until", "every_version")),
            by_model=parameter == "library",
            own=VERSION_PARAMETERS[parameter] or names_versions(first),
        )
        left_out |= {id(item) for name in names if name not in turns for item in versions[name]}
    left_out |= {id(item) for item in shapes_out_of_turn(items)}
    left_out |= {id(item) for item in other_third(items)}
    left_out |= {id(item) for item in further_cases([item for item in items if id(item) not in left_out])}
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
    items[:] = [item for item in items if id(item) not in left_out]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "since(version): the first schema version that the test is about")
    config.addinivalue_line("markers", "every_version: worth running on every schema version")
    config.addinivalue_line("markers", "always: on all the versions that it is about, in the usual run too")
    config.addinivalue_line("markers", "screens: about screens, files and HTTP, so the same on every PostgreSQL")
    config.addinivalue_line("markers", "long: takes long; the gate runs it, the README's command does not")
    config.addinivalue_line("markers", "cases: many cases of one rule, of which the usual run takes a third")
    config.addinivalue_line("markers", "until(version): the last schema version that the test is about")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if names_versions(metafunc.definition) or "version" not in metafunc.fixturenames:
        return
    bounds = [metafunc.definition.get_closest_marker(name) for name in ("since", "until")]
    first, last = (mark.args[0] if mark else default for mark, default in zip(bounds, ("0", "9"), strict=True))
    versions = chosen_versions()
    marks = ("always", "since", "until", "every_version")
    if (
        not EVERYTHING
        and not os.environ.get(VERSIONS_VARIABLE)
        and not any(metafunc.definition.get_closest_marker(mark) for mark in marks)
    ):
        versions = (NEWEST,)  # as taking_turns() would say: what is not made need not be left out
    metafunc.parametrize("version", [v for v in versions if first <= v <= last], scope="function")


# ---- a database and who is in it ------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pool() -> Pool:
    """The databases of this process."""
    return POOL


@pytest.fixture
def library(version: str, pool: Pool) -> Iterator[Library]:
    """An empty Immich database of the version."""
    with pool.library(version) as library:
        yield library


@pytest.fixture
def params(library: Library) -> dict[str, Any]:
    """What psycopg2.connect takes to reach the library."""
    return postgres.server().params(library.connection.info.dbname)


@pytest.fixture
def anna(library: Library) -> str:
    """The source: her photos are handed over."""
    return library.user("Anna")


@pytest.fixture
def ben(library: Library) -> str:
    """The destination: the photos become his."""
    return library.user("Ben")


@pytest.fixture
def photo(library: Library, anna: str) -> str:
    """One of hers."""
    return library.asset(anna)


@pytest.fixture
def album(library: Library, anna: str, photo: str) -> str:
    """Hers, with that photo."""
    return library.album(anna, "Trip", [photo])


@pytest.fixture
def carla(library: Library) -> str:
    """A user who has no part in it."""
    return library.user("Carla")


# ---- runs -----------------------------------------------------------------------------------------------------------


def with_dry_run(library: Library) -> bool:
    """Whether each run has its dry run before it: in the gate, on one version and one server. It costs as much."""
    return EVERYTHING and library.version == NEWEST and postgres.DSN_VARIABLE not in os.environ


@dataclass(frozen=True)
class Runner:
    """Runs the tool on the library, from Anna to Ben unless told otherwise."""

    library: Library
    params: dict[str, Any]
    anna: str
    ben: str

    def request(
        self, album: str, *, merge: Iterable[str] = (), source: str | None = None, destination: str | None = None
    ) -> transfer.Request:
        """A transfer as asked for."""
        return transfer.Request(source or self.anna, destination or self.ben, album, frozenset(merge))

    def dry(self, album: str, **wanted: Any) -> transfer.Report:
        """A dry run, which must leave every row of every table as it is."""
        before = self.library.snapshot()
        report = transfer.transfer(self.params, self.request(album, **wanted), transfer.How(dry_run=True))
        assert self.library.snapshot() == before
        assert report.wrong_after is None
        return report

    def move(self, album: str, **wanted: Any) -> transfer.Report:
        """A dry run, then the run. What holds for every transfer is looked at here, so that each test shows it."""
        shown = self.dry(album, **wanted) if with_dry_run(self.library) else None
        request = self.request(album, **wanted)
        pair = {request.source, request.destination}
        before, wrong_before = self.library.snapshot(), problems(self.library)
        uncounted = {user: usage(self.library, user) - usage_by_immich(self.library, user) for user in pair}
        done = transfer.transfer(
            self.params, request, transfer.How(dry_run=False, expected_digest=shown.digest if shown else None)
        )
        after = self.library.snapshot()
        assert shown is None or told(done) == told(shown), "the dry run said something else"
        assert done.wrong_after is not None
        assert problems(self.library) - wrong_before == set()
        assert_only_this_changed(before, after, pair)
        assert_moved(before, after, request, done)
        for user in pair:
            wrong = usage(self.library, user) - usage_by_immich(self.library, user)
            assert wrong in (uncounted[user], 0)  # counted anew where it would be below zero
        return done

    def refused(
        self, album: str, error: type[transfer.TransferError] = transfer.TransferError, **wanted: Any
    ) -> transfer.TransferError:
        """The run must be refused, and nothing changed; in the gate the dry run too."""
        before = self.library.snapshot()
        for dry_run in (True, False) if EVERYTHING else (False,):
            with pytest.raises(error) as caught:
                transfer.transfer(self.params, self.request(album, **wanted), transfer.How(dry_run=dry_run))
            assert self.library.snapshot() == before
        assert caught.value.what
        return caught.value

    def mend(self, user: str | None = None, *, merge: Iterable[str] = ()) -> transfer.Report:
        """A repair for Ben or another user: dry run, run, and what holds for every repair."""
        user, before, wrong_before = user or self.ben, self.library.snapshot(), problems(self.library)
        shown = None
        if with_dry_run(self.library):
            shown = repair_one(self.params, user, transfer.How(dry_run=True), merge=frozenset(merge))
            assert self.library.snapshot() == before
        digest = shown.digest if shown else None
        done = repair_one(
            self.params, user, transfer.How(dry_run=False, expected_digest=digest), merge=frozenset(merge)
        )
        after = self.library.snapshot()
        assert shown is None or told(done) == told(shown), "the dry run said something else"
        assert problems(self.library) - wrong_before == set()
        assert_only_this_changed(before, after, {user}, {"album": {"albumThumbnailAssetId"}})
        return done


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Installation]:
    """The tool in a folder of its own, set up for an Immich with Root, Alice and Bob."""
    with installation(tmp_path) as made:
        made.save()
        yield made


@pytest.fixture
def runner(library: Library, params: dict[str, Any], anna: str, ben: str) -> Runner:
    """The tool, with Anna and Ben."""
    return Runner(library, params, anna, ben)


@pytest.fixture
def move(runner: Runner) -> Callable[..., transfer.Report]:
    """move(album, merge=..., source=..., destination=...): dry run and run."""
    return runner.move


@pytest.fixture
def dry(runner: Runner) -> Callable[..., transfer.Report]:
    """dry(album, ...): a dry run only."""
    return runner.dry


@pytest.fixture
def refused(runner: Runner) -> Callable[..., transfer.TransferError]:
    """refused(album, error=..., ...): the run must be refused."""
    return runner.refused


@pytest.fixture
def mend(runner: Runner) -> Callable[..., transfer.Report]:
    """mend(user, merge=...): repair."""
    return runner.mend


@dataclass(frozen=True)
class Journey:
    """Runs of any kind that are taken back, each with its dry run before it."""

    library: Library
    params: dict[str, Any]
    folder: Path
    known: set[str] = field(default_factory=set)  # what was wrong before a run, and may be so after its undo

    def go(self, request: transfer.Request) -> transfer.Report:
        """What was asked for; nothing is newly wrong afterwards."""
        before, wrong = self.library.snapshot(), problems(self.library)
        shown = transfer.transfer(self.params, request)
        assert self.library.snapshot() == before
        done = transfer.transfer(self.params, request, transfer.How(False, shown.digest, undo_folder=self.folder))
        assert told(done) == told(shown)
        assert problems(self.library) - wrong == set()
        assert done.wrong_after == 0
        self.known.update(wrong)
        return done

    def back(self) -> transfer.Report:
        """Take back the newest run."""
        past, wrong = transfer.list_past(self.params, self.folder)[0], problems(self.library)
        shown = transfer.undo(self.params, past.path, transfer.How(dry_run=True))
        done = transfer.undo(self.params, past.path, transfer.How(dry_run=False, expected_digest=shown.digest))
        assert problems(self.library) - wrong - self.known == set()
        return done

    @contextmanager
    def returning(self) -> Iterator[None]:
        """The run of the with block is taken back at its end, and leaves what there was."""
        self.library.settle_usage()
        before = self.library.snapshot(ignore=NOT_PUT_BACK)
        yield
        self.back()
        assert self.library.snapshot(ignore=NOT_PUT_BACK) == before


@pytest.fixture
def journey(library: Library, params: dict[str, Any], tmp_path: Path) -> Journey:
    """Runs that are taken back."""
    return Journey(library, params, tmp_path / "transfers")


# ---- what holds for every run ---------------------------------------------------------------------------------------


def fixed_part(snapshot: Snapshot, may_too: Mapping[str, set[str]] = MappingProxyType({})) -> dict[str, list[str]]:
    """What no run may change: every row less the columns of MAY_CHANGE and of `may_too`."""
    fixed = {}
    for table, texts in snapshot.items():
        columns = (MAY_CHANGE | may_too).get(table, set())
        if columns is None:
            continue
        hidden = columns | STAMPS if columns else set()
        fixed[table] = sorted(
            json.dumps({k: v for k, v in json.loads(text).items() if k not in hidden}, sort_keys=True) for text in texts
        )
    return fixed


def decoded(snapshot: Snapshot, table: str, *key: str) -> dict[Any, dict[str, Any]]:
    """The rows of a table by their key."""
    found = [json.loads(text) for text in snapshot.get(table, ())]
    return {tuple(row[column] for column in key): row for row in found}


def without(row: dict[str, Any], *columns: str) -> dict[str, Any]:
    """A row less some columns."""
    return {name: value for name, value in row.items() if name not in columns}


def assert_only_this_changed(
    before: Snapshot, after: Snapshot, pair: set[str], may_too: Mapping[str, set[str]] = MappingProxyType({})
) -> None:
    """Nothing changed but what a transfer between these two is there for; or a repair, of one."""
    assert fixed_part(after, may_too) == fixed_part(before, may_too)
    # A row that says the same was not written: phones would fetch it anew.
    for table in ("asset", "asset_face"):
        old, new = decoded(before, table, "id"), decoded(after, table, "id")
        for key in old:
            if without(old[key], *STAMPS) == without(new[key], *STAMPS):
                assert new[key] == old[key], f"{table} row written without need"
    old, new = decoded(before, "user", "id"), decoded(after, "user", "id")
    assert [new[key] for key in new if key[0] not in pair] == [old[key] for key in old if key[0] not in pair]
    # Tags are never taken from anybody, nor changed. New ones belong to the destination.
    assert set(before["tag"]) <= set(after["tag"])
    assert set(before["tag_closure"]) <= set(after["tag_closure"])
    # People of third parties stay as they are but for their picture; of whose a repair frees the photos, go.
    if len(pair) == 2:
        key = ("id",) if "id" in json.loads((before["person"] or ['{"id": 0}'])[0]) else ("ownerId", "personGroupId")
        old, new = decoded(before, "person", *key), decoded(after, "person", *key)
        for person, row in old.items():
            if row["ownerId"] not in pair:
                portrait = ("faceAssetId", "thumbnailPath", *STAMPS)
                assert without(new[person], *portrait) == without(row, *portrait)


def assert_moved(before: Snapshot, after: Snapshot, request: transfer.Request, report: transfer.Report) -> None:
    """Photos changed hands from the source to the destination only, as many as the report says."""
    old, new = decoded(before, "asset", "id"), decoded(after, "asset", "id")
    moved = [key for key in old if old[key]["ownerId"] != new[key]["ownerId"]]
    assert len(moved) == report.assets
    assert {old[key]["ownerId"] for key in moved} <= {request.source}
    assert {new[key]["ownerId"] for key in moved} <= {request.destination}
    assert_adds_up(before, after, request.source, request.album, report)


def assert_adds_up(before: Snapshot, after: Snapshot, source: str, album: str | None, report: transfer.Report) -> None:
    """The numbers of the analysis are those of the rows: what was chosen and what comes along make what moves."""
    old, new = ({key[0]: row for key, row in decoded(rows, "asset", "id").items()} for rows in (before, after))
    moved = {photo for photo, row in old.items() if row["ownerId"] != new[photo]["ownerId"]}
    chosen = report.assets - len(report.along)
    shown = chosen + sum(len(names) for _reason, names in report.stays)
    assert report.assets == len(moved)
    if album:
        joined = [json.loads(text) for text in before["album_asset"]]
        inside = {row.get("assetId", row.get("assetsId")) for row in joined if album in row.values()}
        seen = {photo for photo in inside if old[photo]["deletedAt"] is None}
        seen = {photo for photo in seen if old[photo]["visibility"] in ("timeline", "archive")}
        hers = {photo for photo in inside if old[photo]["ownerId"] == source}
        assert (len(hers & moved), len(hers)) == (chosen, shown)
        shown = len(seen)
        assert (report.of("items_moving"), report.of("items_staying")) == (
            len(seen & moved),
            len((seen & hers) - moved),
        )
    assert report.of("items") == shown
    days = sorted(old[photo]["localDateTime"][:10] for photo in moved)
    assert report.dates == ((days[0], days[-1]) if days else ())
    covers = [row["albumName"] for row in map(json.loads, before["album"]) if row["albumThumbnailAssetId"] in moved]
    assert len(report.listed("covers")) <= len(covers)
    assert set(report.listed("covers")) <= set(covers)


def people_told(report: transfer.Report) -> tuple[int, int, int]:
    """How many people were transferred, duplicated and merged."""
    actions = [person.action for person in report.people]
    return actions.count("TRANSFER"), actions.count("DUPLICATE"), actions.count("MERGE")


def kinds(report: transfer.Report) -> dict[str, str]:
    """What becomes of each person, by name."""
    return {person.name: person.action for person in report.people}


def told(report: transfer.Report) -> transfer.Report:
    """A report less what only a run can know: the ids of people that it made, and whether anything was wrong after."""
    people = (p if p.action == transfer.MERGE else replace(p, target=None) for p in report.people)
    return replace(report, people=tuple(people), wrong_after=None)


def usage(library: Library, user: str) -> int:
    """The storage figure that Immich shows."""
    return library.value('select "quotaUsageInBytes" from "user" where id = %s', user)


def usage_by_immich(library: Library, user: str) -> int:
    """What Immich's nightly job would make of it (user.repository: syncUsage)."""
    return library.value(
        """
        select coalesce(sum(e."fileSizeInByte"), 0)::bigint from asset a left join asset_exif e on e."assetId" = a.id
        where a."ownerId" = %s and a."libraryId" is null
        """,
        user,
    )


def problems(library: Library) -> set[str]:
    """All that the model finds wrong in the whole database."""
    return {f"{trouble.kind}: {' '.join(trouble.ids)}" for trouble in State(library.snapshot()).troubles}


def cross_owner(library: Library) -> set[str]:
    """The problems but for pictures: people in small tests have one without having a featured face."""
    return {problem for problem in problems(library) if not problem.startswith("picture")}


# ---- a library with some of everything ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scene:
    """Anna's album "Trip", and around it some of everything that a transfer has to do with."""

    anna: str
    ben: str
    carla: str
    album: str
    lake: str  # moves: faces, tags, memory, link, comment
    hill: str  # moves: a face of a person who also stays
    stacked: tuple[str, str]  # move, the second from outside the album
    live: tuple[str, str]  # moves
    torn: tuple[str, str]  # the first moves, the second is locked
    home: str  # Anna's, stays: not in the album
    stays: tuple[str, str]  # Anna's, stay, a stack of their own
    others: tuple[str, str]  # Carla's and Ben's contributions to the album
    lea: str  # Anna's person, on lake only: TRANSFER
    max: str  # Anna's person, on hill and home: DUPLICATE
    oma: str  # Anna's person with a namesake of Ben's: MERGE
    bens_oma: str
    faces: dict[str, str]  # lea, max, max_home, oma
    stack: str
    other_stack: str
    other_album: str
    tag: str
    memory: str
    link: str
    comment: str
    sessions: dict[str, str]
    moving: int = 8  # photos and videos that move


@pytest.fixture
def scene(library: Library, anna: str, ben: str, carla: str) -> Scene:
    """Some of everything, with names that need quoting."""
    sessions = {user: library.session(user) for user in (anna, ben, carla)}
    lake, hill, home = (
        library.asset(anna, f"{name}.jpg", size=size)
        for name, size in zip(("lake", "hill", "home"), (1000, 2000, 4000), strict=True)
    )
    stacked = (library.asset(anna, "front.jpg"), library.asset(anna, "back.jpg"))
    stack = library.stack(anna, stacked)
    live = library.live(anna, "jump.HEIC")
    torn = (library.asset(anna, "open.jpg"), library.asset(anna, "shut.jpg", visibility="locked"))
    library.stack(anna, torn, primary=torn[1])
    stays = (library.asset(anna, "one.jpg"), library.asset(anna, "two.jpg"))
    other_stack = library.stack(anna, stays)
    others = (library.asset(carla, "guest.jpg"), library.asset(ben, "mine.jpg"))
    same = b"\x07" * 20
    twin = library.asset(anna, "twin.jpg", checksum=same)
    library.asset(ben, "twin.jpg", checksum=same)
    group = str(UUID(int=7))
    double = [library.asset(anna, f"double{number}.jpg", duplicate=group) for number in (1, 2)]
    album = library.album(
        anna,
        'Trip \'26 "%s"',
        [lake, hill, stacked[0], live[0], torn[0], twin, double[0], *others],
        members={carla: "editor"},
        cover=lake,
    )
    other_album = library.album(anna, "Other", [home, lake])
    comment = library.comment(album, carla, "Nice; isn't it?", asset=lake)
    library.like(album, carla, asset=hill)
    library.comment(album, anna, "Our trip")
    library.link(anna, album=album)
    tag = library.tag(anna, "Trips/Rome", color="#ff0000")
    library.tag_assets(tag, lake, home)
    memory = library.memory(anna, [lake, home])
    library.memory(anna, [hill])
    link = library.link(anna, assets=[lake, home])
    library.link(anna, assets=[hill])
    library.link(anna, assets=[stacked[0], stacked[1]])
    lea, max_, oma, bens_oma = (
        *(library.person(anna, name) for name in ("Lea O'Neil", "Max", "Oma")),
        library.person(ben, "oma "),
    )
    faces = {
        "lea": library.face(lake, lea, featured=True),
        "max": library.face(hill, max_, featured=True),
        "max_home": library.face(home, max_),
        "oma": library.face(hill, oma, featured=True),
        "bens_oma": library.face(others[1], bens_oma, featured=True),
    }
    library.settle_usage()
    return Scene(
        anna,
        ben,
        carla,
        album,
        lake,
        hill,
        stacked,
        live,
        torn,
        home,
        stays,
        others,
        lea,
        max_,
        oma,
        bens_oma,
        faces,
        stack,
        other_stack,
        other_album,
        tag,
        memory,
        link,
        comment,
        sessions,
    )
