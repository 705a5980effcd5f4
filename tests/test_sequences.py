"""Sequences of transfers, repairs and undos among three users, with what people and Immich do in between.

tests/model.py judges every run by the whole database before and after it. A few fixed sequences run on each schema
version. For a long run with new ones each time, say how many:

    IMMICH_TRANSFER_TEST_EXAMPLES=1000 IMMICH_TRANSFER_TEST_VERSIONS=2.7 pytest tests/test_sequences.py

A failure shows the shortest sequence that was found, action by action, and what is wrong in words. To look for all
that is wrong instead of stopping at the first, and count it (with --shrink, the shortest sequence for each):

    IMMICH_TRANSFER_TEST_VERSIONS=3.3 python -m tests.test_sequences 1000 --shrink
"""

import argparse
import random
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import psycopg2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

import transfer
from tests import conftest
from tests.conftest import repair_one
from tests.library import Library
from tests.model import Complaint, Run, Since, State, changes, judge, together, told
from tests.random_library import HAPPENINGS, NUMBER, USERS, Plan, World, active, build, pick, plans
from tests.test_undo_random import LONG

pytestmark = pytest.mark.long

FEW, BATCH = 3, 12  # sequences on each schema; sequences at a time
SHORT = 3  # actions: hypothesis begins each batch with the simplest there are

ALBUM_WORDS = {
    "album": transfer.ALBUM_STAYS,
    "album shared": transfer.ALBUM_SHARED,
    "album handed over": transfer.ALBUM_HANDED_OVER,
    "album given up": transfer.ALBUM_GIVEN_UP,
}
EVERYTHING = ("everything", "everything with all", "everything with libraries", "everything with libraries and all")
EVERYTHING += ("everything of one person, with all",)


# ---- the tool: each of its functions is called here, and nowhere else -----------------------------------------------


def run_transfer(world: World, request: transfer.Request, folder: Path, **how: Any) -> transfer.Report:
    return transfer.transfer(world.params, request, transfer.How(undo_folder=folder, **how))


def run_repair(world: World, user: str, merge: frozenset[str], folder: Path, **how: Any) -> transfer.Report:
    return repair_one(world.params, user, transfer.How(undo_folder=folder, **how), merge=merge)


def run_undo(world: World, path: Path, **how: Any) -> transfer.Report:
    return transfer.undo(world.params, path, transfer.How(**how))


def committed_runs(world: World, folder: Path) -> set[Path]:
    """The files of the runs that can be undone."""
    return {past.path for past in transfer.list_past(world.params, folder) if past.state == "committed"}


# ---- what is done ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Transfer:
    """One user hands something to another (`to` counts from the giver on)."""

    what: str
    giver: int
    to: int
    number: int
    merge: bool


@dataclass(frozen=True)
class Repair:
    """A user's faces are repaired."""

    user: int
    merge: bool


@dataclass(frozen=True)
class Undo:
    """One of the runs that were not undone is."""

    number: int


@dataclass(frozen=True)
class Happening:
    """A user, or a job of Immich's, does something."""

    what: str
    user: int  # from LATEST on: who got, who gave in the latest run
    number: int


LATEST, TRIES = len(USERS), 4
Action = Transfer | Repair | Undo | Happening


def often(*choice: tuple[int, st.SearchStrategy]) -> st.SearchStrategy:
    """One of these, each as often as the number beside it says."""
    return st.sampled_from([one for times, one in choice for _ in range(times)]).flatmap(lambda one: one)


def sequences() -> st.SearchStrategy[list[Action]]:
    """A transfer, several things in any order, undos."""
    user = st.sampled_from([0, 0, 0, 1, 1, 2])
    given_over = st.builds(
        Transfer,
        st.sampled_from(["album", *EVERYTHING, "tag", "conditions", "conditions", *list(ALBUM_WORDS)[1:]]),
        user,
        st.integers(1, 2),
        NUMBER,
        st.booleans(),
    )
    undone = st.builds(Undo, NUMBER)
    repaired = st.builds(Repair, user, st.booleans())
    happens = st.builds(
        Happening,
        st.sampled_from(sorted(HAPPENINGS)),
        st.sampled_from([0, 1, 2, LATEST, LATEST, LATEST, LATEST + 1]),
        st.integers(0, 160),
    )
    between = st.lists(often((8, happens), (2, given_over), (1, undone), (1, repaired)), min_size=1, max_size=6)
    undos = st.lists(undone, min_size=1, max_size=3)
    return st.builds(lambda first, rest, last: [first, *rest, *last], given_over, between, undos)


def libraries() -> st.SearchStrategy[Plan]:
    """Plans, mostly healthy ones."""
    healthy = plans().map(lambda plan: replace(plan, wrong=frozenset()))
    return st.one_of(healthy, healthy, plans())


# ---- doing it -------------------------------------------------------------------------------------------------------


@dataclass
class Done:
    """A run that was carried out."""

    run: Run
    path: Path
    number: int  # of the action
    since: Since = field(default_factory=Since)


@dataclass
class Story:
    """A sequence being told: what happened in words, and what was wrong with it."""

    world: World
    folder: Path
    state: State
    lines: list[str] = field(default_factory=list)
    wrong: list[Complaint] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)  # files of runs, also of those that were undone as far as can be

    def look(self) -> State:
        """What is there now."""
        return State(self.world.library.snapshot())

    def complain(self, rule: str, what: str = "") -> None:
        self.wrong.append(Complaint(rule, what))

    @property
    def actions(self) -> int:
        """How many there were."""
        return sum(not line.startswith(" ") for line in self.lines)

    def tell(self, what: str, before: State) -> None:
        """Note what was done, and what it changed."""
        self.lines.append(f"{self.actions + 1}. {what}")
        self.lines += [f"     {line}" for line in told(before, self.state)]

    def attempt(self, what: str, do: Callable[..., Any], dry_too: bool, may_refuse: bool) -> Any:
        """Do it, with its dry run before it. None if it was refused: that must have a reason, and change nothing."""
        before = self.state
        try:
            shown = do(dry_run=True) if dry_too else None
            if dry_too and self.world.library.snapshot() != before.snapshot:
                self.complain("a dry run changed something", what)
            report = do(dry_run=False, expected_digest=shown.digest if shown else None)
        except (transfer.TransferError, psycopg2.Error) as error:
            why = f"{error.what} {error.why}" if isinstance(error, transfer.TransferError) else repr(error)
            self.state = self.look()
            if self.state.snapshot != before.snapshot:
                self.complain("a run that was refused changed something", why)
            if not may_refuse or not isinstance(error, transfer.TransferError):
                kind = why.split(":")[0] if "safety check" in why else why[:60]
                self.complain(f"{what.split()[0]} refused: {kind}", why)
            self.lines.append(f"{self.actions + 1}. {what}: refused: {why}")
            return None
        self.state = self.look()
        if shown is not None and told_by(report) != told_by(shown):
            self.complain("the dry run said something else", f"{told_by(shown)} then {told_by(report)}")
        if report.wrong_after:
            self.complain("wrong after the commit", str(report.wrong_after))
        return report

    def act(self, action: Action) -> None:
        """Let one thing happen, and judge it."""
        match action:
            case Transfer():
                self.hand_over(action)
            case Repair():
                self.repair(action)
            case Undo():
                self.undo(action)
            case Happening():
                self.happen(action)

    def happen(self, action: Happening) -> None:
        user, before = self.actor(action.user), self.state
        if not active(self.world.library, user):
            return
        # mostly with what changed hands
        focus = {asset for done in self.done for asset in done.run.moved}
        self.world.library.focus = focus if action.number % 4 else set()
        # what there is nothing of cannot be done: then the next thing is
        names = sorted(HAPPENINGS)
        first = names.index(action.what)
        for what in (names[first:] + names[:first])[:TRIES]:
            HAPPENINGS[what](self.world, user, action.number // 4)
            self.world.library.settle_usage()
            self.state = self.look()
            if next(changes(before, self.state), None):
                self.tell(f"{USERS[self.world.users.index(user)]}: {what}", before)
                for done in self.done:
                    done.since.note(before, self.state)
                break

    def actor(self, user: int) -> str:
        """Who does something."""
        if user < LATEST:
            return self.world.users[user]
        latest = self.done[-1].run if self.done else None
        found = latest and (latest.getter if user == LATEST else latest.giver)
        return found or self.world.users[user - LATEST]

    def wanted(self, action: Transfer, giver: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """What the request says, and what the model is told; None if there is nothing of that kind."""
        state = self.state
        mine = {asset for asset, owner in state.owners.items() if owner == giver}
        if action.what.startswith("everything"):
            with_all, one = action.what.endswith("all"), "of one person" in action.what
            albums = {a for (a,), row in state.rows("album").items() if row["deletedAt"] is None}
            libraries = frozenset(
                key[0]
                for key, row in state.rows("library").items()
                if "libraries" in action.what and row["ownerId"] == giver and row["deletedAt"] is None
            )
            asked = {"trashed": with_all, "locked": with_all, "libraries": libraries, "same_person": one}
            return {"everything": True, **asked}, {
                "libraries": libraries,
                "same_person": one,
                "chosen": frozenset(mine),
                "trashed": with_all,
                "locked": with_all,
                "albums": frozenset(a for a in albums if giver in state.album_owners(a)),
                "itself": transfer.ALBUM_GIVEN_UP,
            }
        if action.what == "tag":
            tags = sorted((row["value"], key[0]) for key, row in state.rows("tag").items() if row["userId"] == giver)
            if not tags:
                return None
            path, tag = pick(tags, action.number)
            chosen = {a for a in mine if any(p == path or p.startswith(f"{path}/") for p in self.own_paths(a, giver))}
            return {"tag": tag}, {"chosen": frozenset(chosen)}
        if action.what == "conditions":
            return self.by_conditions(action.number, giver, mine)
        itself = ALBUM_WORDS[action.what]
        choice = sorted(
            (row["albumName"], row["createdAt"], key[0])
            for key, row in state.rows("album").items()
            if row["deletedAt"] is None
            and (
                giver in state.album_owners(key[0])
                if itself != transfer.ALBUM_STAYS
                else any(album == key[0] and asset in mine for album, asset in state.rows("album_asset"))
            )
        )
        if not choice:
            return None
        album = pick(choice, action.number)[2]
        chosen = {asset for found, asset in state.rows("album_asset") if found == album and asset in mine}
        return {"album": album, "album_itself": itself}, {
            "chosen": frozenset(chosen),
            "albums": frozenset([album] if itself != transfer.ALBUM_STAYS else []),
            "itself": itself,
        }

    def by_conditions(self, number: int, giver: str, mine: set[str]) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Some conditions at once, each read from the rows as a person would say it; one photo may be left out."""
        state, chance = self.state, random.Random(number)
        photos = state.rows("asset")
        albums = sorted(key[0] for key, row in state.rows("album").items() if row["deletedAt"] is None)
        people = sorted(group for owner, group in state.rows("person") if owner == giver)
        days = sorted({photos[(asset,)]["localDateTime"][:10] for asset in mine})
        shown = {asset for asset in mine if photos[(asset,)]["visibility"] != "hidden"}
        asked: dict[str, Any] = {}
        chosen = set(mine)
        if albums and chance.random() < 0.6:
            asked["albums"] = tuple(chance.sample(albums, min(2, len(albums))))
            chosen &= {asset for album, asset in state.rows("album_asset") if album in asked["albums"]}
        if people and chance.random() < 0.4:
            asked["people"] = tuple(chance.sample(people, min(2, len(people))))
            chosen &= {
                face["assetId"]
                for face in state.rows("asset_face").values()
                if face["personGroupId"] in asked["people"] and not face["deletedAt"] and face.get("isVisible", True)
            }
        for end in ("since", "until"):
            if days and chance.random() < 0.3:
                day = asked[end] = chance.choice(days)
                chosen &= {
                    asset
                    for asset in shown
                    if (found := photos[(asset,)]["localDateTime"][:10]) == day or (found > day) is (end == "since")
                }
        if chance.random() < 0.2:
            asked["favorites"] = True
            chosen &= {asset for asset in shown if photos[(asset,)]["isFavorite"]}
        if not asked:
            return None
        left_out = frozenset(chance.sample(sorted(chosen), min(len(chosen), chance.choice([0, 0, 1]))))
        return {**asked, "left_out": left_out}, {"chosen": frozenset(chosen), "left_out": left_out}

    def own_paths(self, asset: str, user: str) -> set[str]:
        """The paths of the user's own tags on a photo."""
        tags = self.state.rows("tag")
        found = (tags[(tag,)] for photo, tag in self.state.rows("tag_asset") if photo == asset)
        return {row["value"] for row in found if row["userId"] == user}

    def merges(self, wanted: bool) -> frozenset[str]:
        """All people there are, or nobody."""
        return frozenset(self.state.knowing) if wanted else frozenset()

    def hand_over(self, action: Transfer) -> None:
        to = (action.giver + action.to) % 3
        giver, getter = self.world.users[action.giver], self.world.users[to]
        asked = self.wanted(action, giver)
        if asked is None:
            return
        request = transfer.Request(giver, getter, merge=self.merges(action.merge), **asked[0])
        before = self.state
        what = f"transfer {USERS[action.giver]} to {USERS[to]}: {action.what}{', merging' if action.merge else ''}"
        report = self.attempt(
            what,
            lambda **how: run_transfer(self.world, request, self.folder, **how),
            dry_too=action.number % 5 == 0,
            may_refuse=not (before.is_active(giver) and before.is_active(getter))
            or not all(may_go_whole(before, library, giver) for library in request.libraries),
        )
        if report is not None:
            run = Run("transfer", giver, getter, before, self.state, counted=report.assets, **asked[1])
            self.finish(what, run)

    def repair(self, action: Repair) -> None:
        user, before = self.world.users[action.user], self.state
        merge = self.merges(action.merge)
        what = f"repair of {USERS[action.user]}'s faces{', merging' if action.merge else ''}"
        report = self.attempt(
            what,
            lambda **how: run_repair(self.world, user, merge, self.folder, **how),
            dry_too=action.merge,
            may_refuse=not before.is_active(user),
        )
        if report is not None:
            self.finish(what, Run("repair", None, user, before, self.state))

    def finish(self, what: str, run: Run) -> None:
        """Note a run that can be undone, and judge it."""
        new = committed_runs(self.world, self.folder) - self.seen
        if run.kind == "repair" and not new:
            return self.wrong.extend(judge(run))  # there was nothing to repair
        (path,) = new
        self.seen.add(path)
        self.tell(what, run.before)
        self.done.append(Done(run, path, self.actions))
        self.wrong += judge(run)

    def undo(self, action: Undo) -> None:
        done = pick(self.done, action.number)
        if done is None:
            return
        past, before = done.run, self.state
        giver, getter = (None, past.getter) if past.kind == "repair" else (past.getter, past.giver)
        assert getter is not None
        number = done.number
        report = self.attempt(
            f"undo of {number}",
            lambda **how: run_undo(self.world, done.path, **how),
            dry_too=action.number % 3 == 0,
            # also where nothing is as the run left it
            may_refuse=not all(before.is_active(user) for user in (giver, getter) if user)
            or not any(before.owners.get(photo) == past.getter for photo in past.moved),
        )
        if report is None:
            return
        self.done.remove(done)
        run = Run(
            "undo",
            giver,
            getter,
            before,
            self.state,
            undone=past,
            since=done.since,
            counted=report.assets,
        )
        self.tell(f"undo of {number}", before)
        self.wrong += judge(run)
        if done.path in committed_runs(self.world, self.folder) and not transfer.something_stayed(report):
            self.complain("what was undone is still listed", done.path.name)


def may_go_whole(state: State, library: str, giver: str) -> bool:
    """Whether a library and all that is tied to its photos can go: it is the giver's, and nothing has to stay."""
    inside = {key[0] for key, row in state.rows("asset").items() if row["libraryId"] == library}
    moving = {move["entityId"] for move in state.rows("move_history").values()}
    return (
        all(
            state.owners[asset] == giver
            and asset not in moving
            and (asset in inside or state.rows("asset")[(asset,)]["libraryId"] is None)
            for asset in together(state, inside, stacks=False)
        )
        and together(state, inside, stacks=False) <= inside
    )


def told_by(report: Any) -> Any:
    """A report less what only a run can know."""
    if isinstance(report, transfer.Report):
        people = (p if p.action == transfer.MERGE else replace(p, target=None) for p in report.people)
        report = replace(report, people=tuple(people))
    return replace(report, wrong_after=None)


def tell(library: Library, plan: Plan, actions: list[Action]) -> Story:
    """Let it all happen in an empty database, as far as the first action that something is wrong with."""
    chance = random.Random(11)
    ids = iter(lambda: str(UUID(int=chance.getrandbits(128), version=4)), None)
    with (
        tempfile.TemporaryDirectory() as place,
        patch("tests.library.new_id", ids.__next__),
        patch("tests.library.secrets.token_bytes", chance.randbytes),
    ):
        world = build(library, plan)
        story = Story(world, Path(place, "transfers"), State(library.snapshot()))
        for action in actions:
            story.act(action)
            if story.wrong:
                break
    return story


def report(story: Story) -> str:
    """The story and its end, to be read."""
    wrong = [f"  {rule}: {what}" if what else f"  {rule}" for rule, what in story.wrong]
    return "\n".join(["", "What happened:", *story.lines, "What is wrong:", *wrong])


# ---- many of them ---------------------------------------------------------------------------------------------------


@dataclass
class Example:
    """A plan and what happened, which the rule is broken by."""

    plan: Plan
    actions: list[Action]
    story: Story

    @property
    def size(self) -> int:
        """Shorter ones are easier to understand."""
        return len(self.story.lines)

    @property
    def rules(self) -> set[str]:
        """What it breaks."""
        return {complaint.rule for complaint in self.story.wrong}

    def part(self, name: str) -> Sequence[Any]:
        """The actions, or the things of one kind in the plan."""
        return self.actions if name == "actions" else getattr(self.plan, name)

    def less(self, name: str, cut: slice) -> tuple[Plan, list[Action]] | None:
        """The same without some things; None if nothing would be left out, or nothing be left."""
        things = list(self.part(name))
        if not things[cut]:
            return None
        del things[cut]
        if name == "actions":
            return self.plan, things
        if not things and name in ("photos", "people"):
            return None
        return replace(self.plan, **{name: tuple(things)}), self.actions

    def text(self) -> str:
        """To be read, and to be told again."""
        return f"{report(self.story)}\nAgain:\n  plan = {self.plan!r}\n  actions = {self.actions!r}"


@dataclass
class Search:
    """Many sequences on one version: how often which rule was broken, and the shortest example of each."""

    version: str
    pool: conftest.Pool = field(default_factory=conftest.Pool)
    told: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Example] = field(default_factory=dict)

    def tell(self, plan: Plan, actions: list[Action]) -> Example:
        """Tell one, and remember it for the rules that it breaks, unless there is a shorter one."""
        with self.pool.library(self.version) as library:
            example = Example(plan, actions, tell(library, plan, actions))
        for rule in example.rules:
            if rule not in self.examples or example.size < self.examples[rule].size:
                self.examples[rule] = example
        return example

    def look(self, count: int, seed: int, *, first: bool = False) -> None:
        """Tell so many, or as far as the first that breaks a rule.

        In batches: in a longer run hypothesis would spend most of it on varying what it has tried already.
        """
        profile = settings(
            max_examples=BATCH,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )

        def check(plan: Plan, actions: list[Action]) -> None:
            if self.told < enough and len(actions) > SHORT and not (first and self.broken):
                self.told += 1
                self.broken.update(self.tell(plan, actions).rules)

        enough, batch = self.told + count, 0
        while self.told < enough and not (first and self.broken):
            batch += 1
            seeded(seed + batch)(profile(given(libraries(), sequences())(check)))()

    def shorten(self, rule: str, seconds: float = 120) -> Example:
        """Leave out what the rule is broken without: things of one kind all at once, or one by one from the end."""
        end, found = time.monotonic() + seconds, self.examples[rule]
        for part in ("actions", "links", "memories", "stacks", "albums", "tags", "shares", "faces", "people", "photos"):
            count = len(found.part(part))
            cuts = [slice(0, count), *(slice(number, number + 1) for number in reversed(range(count)))]
            for cut in cuts if count else ():
                if time.monotonic() < end and (fewer := found.less(part, cut)):
                    example = self.tell(*fewer)
                    if rule in example.rules:
                        found = example
        return found


@pytest.mark.every_version
def test_sequences(version: str, pool: conftest.Pool, capsys: pytest.CaptureFixture[str]) -> None:
    search = Search(version, pool)
    seed = random.randrange(10**9) if LONG else zlib.crc32(version.encode())
    search.look(LONG or FEW, seed, first=True)
    if LONG:
        with capsys.disabled():
            print(f" {search.told} sequences on {version}, seed {seed}", flush=True)
    if search.broken:
        rule = next(iter(search.broken))
        pytest.fail(search.shorten(rule).text() if LONG else search.examples[rule].text(), pytrace=False)


def main() -> None:
    """Count what is wrong, version by version."""
    parser = argparse.ArgumentParser(description="Tell many sequences on each version, and count what is wrong.")
    parser.add_argument("count", type=int, help="how many on each version")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--shrink", action="store_true", help="look for the shortest sequence of each kind")
    arguments = parser.parse_args()
    for version in conftest.chosen_versions():
        began, search = time.time(), Search(version)
        search.look(arguments.count, arguments.seed)
        seconds = time.time() - began
        print(f"== {version}: {search.told} sequences, seed {arguments.seed}, {seconds:.0f} s", flush=True)
        for rule, times in search.broken.most_common():
            example = search.shorten(rule) if arguments.shrink else search.examples[rule]
            print(f"\n-- {times} x {rule}{example.text()}", flush=True)


if __name__ == "__main__":
    main()
