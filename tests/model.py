"""What a transfer, a repair or an undo may do, judged by the whole database before and after it.

An independent model: it knows what Immich keeps (and nothing of how transfer.py works), and looks only at rows.
`State` is a whole database in the newest version's names. `Run` is what was asked for, with the states around it.
`judge()` gives the complaints. A change is wrong unless the model knows a reason for it; beyond that, some things
must be so: nothing newly wrong, no name or tag lost, nothing undone that people did, right storage figures.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

from tests.library import OLDER_NAMES, Snapshot

Key = tuple[Any, ...]
Row = dict[str, Any]

KEYS: dict[str, tuple[str, ...]] = {
    "album_asset": ("albumId", "assetId"),
    "album_user": ("albumId", "userId"),
    "asset_audio": ("assetId",),
    "asset_exif": ("assetId",),
    "asset_job_status": ("assetId",),
    "asset_keyframe": ("assetId",),
    "asset_metadata": ("assetId", "key"),
    "asset_video": ("assetId",),
    "face_search": ("faceId",),
    "memory_asset": ("memoriesId", "assetId"),
    "ocr_search": ("assetId",),
    "partner": ("sharedById", "sharedWithId"),
    "person": ("ownerId", "personGroupId"),
    "person_user": ("personGroupId", "sharedById", "sharedWithId"),
    "session_sync_checkpoint": ("sessionId", "type"),
    "shared_link_asset": ("assetId", "sharedLinkId"),
    "smart_search": ("assetId",),
    "system_metadata": ("key",),
    "tag_asset": ("assetId", "tagId"),
    "tag_closure": ("id_ancestor", "id_descendant"),
    "user_metadata": ("userId", "key"),
}
NEWER_NAMES: dict[str, dict[str, str]] = defaultdict(dict)
for (_table, _new), _old in OLDER_NAMES.items():
    NEWER_NAMES[_table][_old] = _new

# What holds photos and has an owner: its photos' table, itself, which column of the former names it, whose it is.
OWNED = (
    ("memory_asset", "memory", "memoriesId", "ownerId"),
    ("shared_link_asset", "shared_link", "sharedLinkId", "userId"),
)
STAMPS = {"updatedAt", "updateId"}
FLAGS = ("name", "birthDate", "isHidden", "isFavorite", "color")  # of a person, set by people
PICTURE = {"faceAssetId", "thumbnailPath"}
MEMBER = ("", "role", "createId", "createdAt")  # of a row that comes, goes, or is made anew for another role
SHARED, HANDED_OVER, GIVEN_UP = "shared", "handed over", "given up"  # what becomes of an album


# ---- a database -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class State:
    """A whole database at one moment."""

    snapshot: Snapshot = field(repr=False)

    @cached_property
    def tables(self) -> dict[str, dict[Key, Row]]:
        """The rows by table and primary key, in the newest names; what Immich notes about deletions left out."""
        found: dict[str, dict[Key, Row]] = {}
        for table, texts in self.snapshot.items():
            if table.endswith("_audit"):
                continue
            newer, key, rows = NEWER_NAMES.get(table, {}), KEYS.get(table, ("id",)), {}
            for text in texts:
                row = json.loads(text)
                row = {
                    newer[name] if name in newer and newer[name] not in row else name: value
                    for name, value in row.items()
                    if name not in STAMPS
                }
                rows[tuple(row[column] for column in key)] = row
            found[table] = rows
        return found

    def rows(self, table: str) -> dict[Key, Row]:
        """The rows of a table; none if this version lacks it."""
        return self.tables.get(table, {})

    def get(self, table: str, *key: Any) -> Row | None:
        """One row."""
        return self.rows(table).get(key)

    @cached_property
    def owners(self) -> dict[str, str]:
        """Whose each photo is."""
        return {key[0]: row["ownerId"] for key, row in self.rows("asset").items()}

    @cached_property
    def faces(self) -> dict[str, list[Row]]:
        """The faces on each photo."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows("asset_face").values():
            found[row["assetId"]].append(row)
        return found

    @cached_property
    def faces_of(self) -> dict[str, list[Row]]:
        """The faces of each person (group)."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows("asset_face").values():
            if row["personGroupId"]:
                found[row["personGroupId"]].append(row)
        return found

    @cached_property
    def knowing(self) -> dict[str, list[str]]:
        """Who has a row of each person."""
        found: dict[str, list[str]] = defaultdict(list)
        for owner, group in self.rows("person"):
            found[group].append(owner)
        return found

    @cached_property
    def paths(self) -> dict[str, set[str]]:
        """The paths of the tags on each photo, whoever's."""
        found: dict[str, set[str]] = defaultdict(set)
        for asset, tag in self.rows("tag_asset"):
            found[asset].add(self.rows("tag")[(tag,)]["value"])
        return found

    @cached_property
    def stacks(self) -> dict[str, set[str]]:
        """The members of each stack."""
        found: dict[str, set[str]] = defaultdict(set)
        for row in self.rows("asset").values():
            if row["stackId"]:
                found[row["stackId"]].add(row["id"])
        return found

    def stack_of(self, asset: str) -> str | None:
        """The stack that a photo is in."""
        row = self.get("asset", asset)
        return row["stackId"] if row else None

    def photo_of(self, face: str | None) -> str | None:
        """The photo that a face is on."""
        row = self.get("asset_face", face)
        return row["assetId"] if row else None

    def named(self, owner: str, group: str | None) -> str:
        """The name that the user sees on a face of that person."""
        row = self.get("person", owner, group)
        return row["name"] if row else ""

    def faces_left(self, owner: str, group: str) -> list[Row]:
        """The undeleted faces of a person on that user's photos."""
        return [
            face
            for face in self.faces_of.get(group, ())
            if face["deletedAt"] is None and self.owners[face["assetId"]] == owner
        ]

    def cluster_of(self, user: str) -> str | None:
        """The cluster group of a user; up to 3.1 every user is one."""
        row = self.get("user", user)
        return row.get("clusterGroupId", user) if row else None

    def cluster_of_group(self, group: str) -> str | None:
        """The cluster group in which a person lies; up to 3.1 its only owner."""
        if "person_group" in self.tables:
            row = self.get("person_group", group)
            return row["clusterGroupId"] if row else None
        return next(iter(self.knowing.get(group, ())), None)

    def album_owners(self, album: str) -> list[str]:
        """Who owns an album."""
        row = self.get("album", album)
        if row and "ownerId" in row:
            return [row["ownerId"]]
        return [user for (found, user), row in self.rows("album_user").items() if found == album and is_owner(row)]

    def is_active(self, user: str) -> bool:
        """Whether the account is there."""
        row = self.get("user", user)
        return row is not None and row["deletedAt"] is None and row["status"] == "active"

    def usage(self, user: str) -> int:
        """The storage figure that Immich would compute."""
        sizes = self.rows("asset_exif")
        return sum(
            (sizes.get(key) or {}).get("fileSizeInByte") or 0
            for key, row in self.rows("asset").items()
            if row["ownerId"] == user and row["libraryId"] is None
        )

    @cached_property
    def troubles(self) -> set["Trouble"]:
        """All that ties a photo to what another user has, or that Immich cannot show."""
        return set(find_troubles(self))


def is_owner(row: Row) -> bool:
    """Whether a row of album_user is the owner's."""
    return row["role"] == "owner"


class Trouble(NamedTuple):
    """Something wrong: what, and the ids of all that has part in it."""

    kind: str
    ids: tuple[str, ...]


def find_troubles(state: State) -> Iterator[Trouble]:
    """See State.troubles."""
    yield from _people_troubles(state)
    yield from _photo_troubles(state)
    yield from _tag_troubles(state)
    for table, owned, parent, column in OWNED:
        word = owned.replace("shared_", "")
        filled = set()
        for row in state.rows(table).values():
            filled.add(row[parent])
            if state.rows(owned)[(row[parent],)][column] != state.owners[row["assetId"]]:
                yield Trouble(f"photo in another's {word}", (row["assetId"], row[parent]))
        for (key,), row in state.rows(owned).items():
            if key not in filled and row.get("type") != "ALBUM":
                yield Trouble(f"{word} without photos", (key,))
    for (asset,), row in state.rows("asset").items():
        if row["libraryId"] and state.rows("library")[(row["libraryId"],)]["ownerId"] != row["ownerId"]:
            yield Trouble("photo in another's library", (asset, row["libraryId"]))
    for (album,), row in state.rows("album").items():
        if len(state.album_owners(album)) != 1:
            yield Trouble("album with other than one owner", (album,))
        cover = row["albumThumbnailAssetId"]
        if cover and (album, cover) not in state.rows("album_asset"):
            yield Trouble("cover that is not in the album", (album, cover))


def _people_troubles(state: State) -> Iterator[Trouble]:
    for face in state.rows("asset_face").values():
        group, owner = face["personGroupId"], state.owners[face["assetId"]]
        if not group:
            continue
        if state.get("person", owner, group) is None:
            yield Trouble("face of a person that its photo's owner does not have", (face["id"], group, owner))
        elif state.cluster_of_group(group) != state.cluster_of(owner):
            yield Trouble("face of a person in another cluster group", (face["id"], group, owner))
    for (owner, group), row in state.rows("person").items():
        if state.cluster_of_group(group) != state.cluster_of(owner):
            yield Trouble("person in another cluster group than its owner", (owner, group))
        if not row["faceAssetId"]:
            if row["thumbnailPath"]:
                # up to 3.1 a person stays the same one in other hands
                yield Trouble("picture of nothing", (owner, group) if "person_group" in state.tables else (group,))
            continue
        face = state.rows("asset_face")[(row["faceAssetId"],)]
        ids = (owner, group, face["id"])
        if state.owners[face["assetId"]] != owner:
            yield Trouble("featured photo of another's", ids)
        if face["personGroupId"] != group:
            yield Trouble("featured face of another person", ids)
        if face["deletedAt"] is not None:
            yield Trouble("featured face that is deleted", ids)
        if not face.get("isVisible", True):
            yield Trouble("featured face that is hidden", ids)
    for (group,) in state.rows("person_group"):
        if group not in state.knowing:
            yield Trouble("person that nobody has", (group,))
    for group, by, to in state.rows("person_user"):
        if state.get("person", to, group) is None:
            yield Trouble("share of a person with somebody who does not have it", (group, by, to))


def _photo_troubles(state: State) -> Iterator[Trouble]:
    duplicates: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (asset,), row in state.rows("asset").items():
        video = row["livePhotoVideoId"]
        if video and state.owners[video] != row["ownerId"]:
            yield Trouble("live photo torn", (asset, video))
        if row["stackId"] and state.rows("stack")[(row["stackId"],)]["ownerId"] != row["ownerId"]:
            yield Trouble("photo in another's stack", (asset, row["stackId"]))
        if row["duplicateId"] and row["deletedAt"] is None:
            duplicates[row["duplicateId"], row["ownerId"]].append(asset)
    for (group, _owner), assets in duplicates.items():
        if len(assets) == 1:
            yield Trouble("lone duplicate", (assets[0], group))
    for (stack,), row in state.rows("stack").items():
        primary = row["primaryAssetId"]
        if primary not in state.stacks.get(stack, ()):
            yield Trouble("stack without its primary", (stack, primary))
        elif state.owners[primary] != row["ownerId"]:
            yield Trouble("stack whose primary is another's", (stack, primary))
        if len(state.stacks.get(stack, ())) < 2:
            yield Trouble("stack of one", (stack,))


def _tag_troubles(state: State) -> Iterator[Trouble]:
    tags, closure = state.rows("tag"), state.rows("tag_closure")
    for asset, tag in state.rows("tag_asset"):
        if tags[(tag,)]["userId"] != state.owners[asset]:
            yield Trouble("another's tag on a photo", (asset, tag))
    above: dict[str, set[str]] = {}

    def ancestors(tag: str) -> set[str]:
        if tag not in above:
            parent = tags[(tag,)]["parentId"]
            above[tag] = {tag} | (ancestors(parent) if parent else set())
        return above[tag]

    for (tag,), row in tags.items():
        parent = tags.get((row["parentId"],))
        prefix = f"{parent['value']}/" if parent else ""
        if parent and parent["userId"] != row["userId"]:
            yield Trouble("tag below another's", (tag, parent["id"]))
        if row["value"] != prefix + row["value"].rsplit("/", 1)[-1]:
            yield Trouble("tag away from its path", (tag,))
        for ancestor in ancestors(tag):
            if (ancestor, tag) not in closure:
                yield Trouble("tag not found by search", (ancestor, tag))
    for ancestor, tag in closure:
        if ancestor not in ancestors(tag):
            yield Trouble("tag found by search where it is not", (ancestor, tag))


# ---- a run ----------------------------------------------------------------------------------------------------------


@dataclass
class Since:
    """What people, and Immich's jobs, did since a run: rows that they removed, columns that they set."""

    removed: set[tuple[str, Key]] = field(default_factory=set)
    written: dict[tuple[str, Key, str], Any] = field(default_factory=dict)

    def note(self, before: State, after: State) -> None:
        """One more thing that they did."""
        for change in changes(before, after):
            if change.new is None:
                self.removed.add((change.table, change.key))
                continue
            self.removed.discard((change.table, change.key))
            for column in change.columns:
                self.written[change.table, change.key, column] = change.new[column]


@dataclass
class Run:
    """A transfer, repair or undo. In a repair giver is None; an undo has the run that it takes back, and `since`."""

    kind: str  # transfer, repair, undo
    giver: str | None
    getter: str
    before: State
    after: State
    chosen: frozenset[str] = frozenset()  # the photos that were selected
    left_out: frozenset[str] = frozenset()  # those that were asked to stay
    trashed: bool = False
    locked: bool = False
    albums: frozenset[str] = frozenset()  # that may change hands or members
    itself: str = "stays"
    libraries: frozenset[str] = frozenset()  # external libraries that were asked for
    same_person: bool = False  # giver and getter are two accounts of one person
    undone: "Run | None" = None
    since: Since = field(default_factory=Since)
    counted: int | None = None  # how many photos the report says

    @property
    def is_undo_of_repair(self) -> bool:
        """Then no photo changes hands either."""
        return self.undone is not None and self.undone.kind == "repair"

    @property
    def joins(self) -> bool:
        """A transfer between two accounts of one person, or an undo of it."""
        return (self.undone or self).same_person

    @cached_property
    def moved(self) -> set[str]:
        """The photos that changed hands."""
        old, new = self.before.owners, self.after.owners
        return {asset for asset in old if asset in new and old[asset] != new[asset]}

    @cached_property
    def moved_libraries(self) -> set[str]:
        """The external libraries that changed hands."""
        old, new = self.before.rows("library"), self.after.rows("library")
        return {key[0] for key in old if key in new and old[key]["ownerId"] != new[key]["ownerId"]}

    @cached_property
    def concerned(self) -> set[str]:
        """The photos whose faces are looked at: those that moved, or in a repair the user's with something wrong."""
        if self.kind == "transfer" or (self.undone and not self.is_undo_of_repair):
            return self.moved
        found = {
            face["assetId"]
            for key, face in self.before.rows("asset_face").items()
            if face != self.after.get("asset_face", *key)
        }
        for state in (self.before, self.after):
            wrong = {trouble.ids[0] for trouble in state.troubles if trouble.kind.startswith("face of")}
            found |= {
                face["assetId"]
                for (key,), face in state.rows("asset_face").items()
                if key in wrong and state.owners[face["assetId"]] == self.getter
            }
        for state in (self.before, self.after):
            for (owner, _), row in state.rows("person").items():
                photo = state.photo_of(row["faceAssetId"])
                if photo and self.getter in (owner, state.owners[photo]) and state.owners[photo] != owner:
                    found.add(photo)
        return found

    @cached_property
    def groups(self) -> set[str]:
        """The people concerned."""
        return {
            face["personGroupId"]
            for state in (self.before, self.after)
            for asset in self.concerned
            for face in state.faces.get(asset, ())
            if face["personGroupId"]
        }


class Change(NamedTuple):
    """A row that came (old is None), went (new is None) or changed."""

    table: str
    key: Key
    old: Row | None
    new: Row | None

    @property
    def columns(self) -> list[str]:
        """The columns that changed."""
        if self.old is None or self.new is None:
            return []
        return [column for column in self.old if self.old[column] != self.new[column]]


def changes(before: State, after: State) -> Iterator[Change]:
    """What differs, stamps and audits apart."""
    for table in sorted(before.tables.keys() | after.tables.keys()):
        old, new = before.rows(table), after.rows(table)
        if old == new:
            continue
        for key in sorted(old.keys() | new.keys(), key=str):
            if old.get(key) != new.get(key):
                yield Change(table, key, old.get(key), new.get(key))


class Complaint(NamedTuple):
    """What is wrong with a run: the rule in a few words, and what exactly."""

    rule: str
    what: str


def judge(run: Run) -> list[Complaint]:
    """Everything that is wrong with a run, each once."""
    found: dict[Complaint, None] = {}
    words = Words(run.before, run.after, *([run.undone.before, run.undone.after] if run.undone else []))
    for complaint in (
        *judge_troubles(run, words),
        *judge_changes(run, words),
        *judge_choice(run, words),
        *judge_names(run, words),
        *judge_grouping(run, words),
        *judge_new_people(run, words),
        *judge_tags(run, words),
        *judge_people_kept(run, words),
        *judge_shares(run, words),
        *judge_joined(run, words),
        *judge_stacks_kept(run, words),
        *judge_given_back(run, words),
        *judge_storage(run, words),
        *judge_identity(run, words),
    ):
        found[complaint] = None
    return list(found)


# ---- nothing newly wrong --------------------------------------------------------------------------------------------


def judge_troubles(run: Run, words: "Words") -> Iterator[Complaint]:
    """Nothing is wrong that was not wrong before; after an undo, neither before the run that it takes back."""
    then = run.undone.before.troubles if run.undone else set()
    known = run.before.troubles | then
    # a face may go back to the person that it had, of another cluster group, whom its owner got to know since
    for kind, ids in then:
        if kind == "face of a person that its photo's owner does not have" and run.before.get("person", *ids[:0:-1]):
            known.add(Trouble("face of a person in another cluster group", ids))
    for trouble in sorted(run.after.troubles - known):
        yield Complaint(f"newly wrong: {trouble.kind}", ", ".join(map(words.name, trouble.ids)))


# ---- every change has a reason --------------------------------------------------------------------------------------


def judge_changes(run: Run, words: "Words") -> Iterator[Complaint]:
    """Every row that came, went or changed did so for a reason that the model knows."""
    for change in changes(run.before, run.after):
        allows = REASONS.get(change.table)
        if allows is None:
            yield Complaint(f"{change.table} changed", words.change(change))
        elif change.old is None or change.new is None:
            if not (allows(run, change, "") or mended(run, change, "")):
                kind = "came" if change.old is None else "went"
                yield Complaint(f"{change.table} row {kind} without a reason", words.change(change))
        else:
            for column in change.columns:
                if not (allows(run, change, column) or mended(run, change, column)):
                    yield Complaint(f"{change.table}.{column} changed without a reason", words.change(change))


Reason = Callable[[Run, Change, str], bool]


# What a repair may write besides people and faces.
MENDED = {"album", "asset", "asset_job_status", "memory", "memory_asset", "shared_link", "shared_link_asset"}
MENDED |= {"stack", "tag", "tag_asset", "tag_closure", "user"}


def mended(run: Run, change: Change, column: str) -> bool:
    """A repair: what hangs on the getter's photos and is another's becomes the getter's, or leaves them; an undo of it
    brings that back.
    """
    table, key, state = change.table, change.key, run.before
    if table not in MENDED:
        return False
    if run.is_undo_of_repair:
        if change.old is None:
            return taken_by_run(run, change)
        return made_by_run(run, change) if change.new is None else put_back(run, change, column)
    if run.kind != "repair":
        return False
    foreign = {(asset, tag) for asset, tag in state.rows("tag_asset") if is_foreign(run, "tag", "userId", tag, asset)}
    values = {state.rows("tag")[(tag,)]["value"] for _asset, tag in foreign}
    for _table, owned, parent, owner in (row for row in OWNED if table in row[:2]):
        held = {row["assetId"] for row in state.rows(_table).values() if row[parent] == key[0]}
        if table == _table and change.old is not None and change.new is None:
            return is_foreign(run, owned, owner, change.old[parent], change.old["assetId"])
        if table == owned and change.old is not None and held:
            gone = change.new is None and all(is_foreign(run, owned, owner, key[0], asset) for asset in held)
            handed = column == "userId" and {state.owners[asset] for asset in held} == {run.getter}
            return gone or (handed and change.new is not None and change.new[column] == run.getter)
    if table in ("tag", "tag_closure"):
        row = run.after.get("tag", key[-1])
        paths = {value[: len(row["value"])] for value in values} if row else set()
        return change.old is None and row is not None and row["userId"] == run.getter and row["value"] in paths
    if table == "tag_asset":
        if change.new is None:
            return key in foreign
        tag = run.after.rows("tag")[(key[1],)]
        mates = {state.rows("tag")[(other,)]["value"] for asset, other in foreign if asset == key[0]}
        return tag["userId"] == run.getter and tag["value"] in mates
    if column == "stackId" or table == "stack":
        stacks = (
            {change.old[column], change.new[column]} if change.old and change.new and column == "stackId" else {key[0]}
        )
        members = {m for stack in stacks for now in (state, run.after) for m in now.stacks.get(stack, ())}
        return bool(
            ({state.stack_of(member) for member in members} | stacks) & {t.ids[-1] for t in state.troubles}
            | (stacks & {t.ids[0] for t in state.troubles})
        )
    if column in ("duplicateId", "duplicatesDetectedAt"):
        row = state.rows("asset")[key]
        mates = {m["ownerId"] for m in state.rows("asset").values() if m["duplicateId"] == row["duplicateId"]}
        assert change.new is not None
        return change.new[column] is None and len(mates) > 1 and run.getter in mates
    if column == "albumThumbnailAssetId":
        assert change.old is not None
        assert change.new is not None
        cover = change.new[column]
        return (key[0], change.old[column]) not in state.rows("album_asset") and (
            cover is None or (key[0], cover) in state.rows("album_asset")
        )
    return column == "quotaUsageInBytes" and key[0] == run.getter


def is_foreign(run: Run, owned: str, owner: str, thing: str, asset: str) -> bool:
    """Whether a photo of the getter's is in a thing of another user's, and Immich does not allow that to a partner."""
    whose = run.before.rows(owned)[(thing,)][owner]
    if run.before.owners[asset] != run.getter or whose == run.getter:
        return False
    return owned == "tag" or (run.getter, whose) not in run.before.rows("partner")


def taken_by_run(run: Run, change: Change) -> bool:
    """An undo: a row that the run took away comes back, and nobody has removed it since."""
    past = run.undone
    return (
        past is not None
        and change.old is None
        and change.key in past.before.rows(change.table)
        and change.key not in past.after.rows(change.table)
        and (change.table, change.key) not in run.since.removed
    )


def made_by_run(run: Run, change: Change) -> bool:
    """An undo: a row that the run made."""
    past = run.undone
    return (
        past is not None
        and change.key not in past.before.rows(change.table)
        and change.key in past.after.rows(change.table)
    )


def put_back(run: Run, change: Change, column: str) -> bool:
    """An undo: a column that the run wrote, and that still says so, says again what it did before."""
    past = run.undone
    if past is None or change.old is None or change.new is None:
        return False
    was, ran = past.before.get(change.table, *change.key), past.after.get(change.table, *change.key)
    return (
        was is not None
        and ran is not None
        and was[column] != ran[column]
        and change.old[column] == ran[column]
        and change.new[column] == was[column]
    )


def only_from(run: Run, owner: str) -> bool:
    """Whose tags, memories and links lose a photo: all but the new owner's; in an undo the giver's."""
    return owner == run.giver if run.undone else owner != run.getter


def of_a_third(run: Run, owner: str | None) -> bool:
    """Whether something belongs to nobody who has a part in the run: an undo changes nothing about it."""
    return run.undone is not None and owner not in (run.giver, run.getter)


def went_to_a_third(run: Run, album: str) -> bool:
    """Whether an album belongs by now to somebody who has no part in the run, and did not when the run was made."""
    then = run.undone.before.album_owners(album) if run.undone else ()
    return any(of_a_third(run, owner) for owner in run.before.album_owners(album) if owner not in then)


def asset_reason(run: Run, change: Change, column: str) -> bool:
    """Owners change from giver to getter; an undo gives back only what the run took. Stacks and duplicates follow."""
    if change.old is None or change.new is None:
        return False
    asset = change.key[0]
    if column == "ownerId":
        if run.kind == "repair" or run.is_undo_of_repair:
            return False
        if (change.old[column], change.new[column]) != (run.giver, run.getter):
            return False
        past = run.undone
        return past is None or asset in past.moved or change.old["libraryId"] in run.moved_libraries
    if run.kind == "repair" or run.is_undo_of_repair:
        return False
    if column == "stackId":
        stacks = {change.old[column], change.new[column]} - {None}
        members = {m for s in stacks for state in (run.before, run.after) for m in state.stacks.get(s, ())}
        return bool(members & run.moved) or put_back(run, change, column)
    if column == "duplicateId":
        group = change.old[column]
        if put_back(run, change, column):
            return True
        mates = {key[0] for key, row in run.before.rows("asset").items() if row["duplicateId"] == group}
        return change.new[column] is None and bool(mates & run.moved)
    return False


def face_reason(run: Run, change: Change, column: str) -> bool:
    """Faces on photos that move get the getter's person; deleted ones elsewhere may lose a person that goes."""
    if change.old is None or change.new is None or column != "personGroupId":
        return False
    if put_back(run, change, column):
        return True
    photo, gone = change.new["assetId"], change.new[column] is None
    if change.old["deletedAt"] is not None and gone:
        return photo in run.moved or change.old[column] in run.groups
    if run.kind == "repair":
        wrong = any(t.ids[0] == change.key[0] and t.kind.startswith("face of") for t in run.before.troubles)
        return run.before.owners[photo] == run.getter and wrong and not gone
    # nobody is there to see a face of no one: its person is gone
    return photo in run.moved and (not gone or run.before.get("person", run.giver, change.old[column]) is None)


def person_reason(run: Run, change: Change, column: str) -> bool:
    """People: the getter's are made for faces that arrived, the giver's go with their last face, gaps are filled."""
    owner, group = change.key
    if change.old is None:
        if taken_by_run(run, change):
            return True
        shared = any((found, to) == (group, owner) for found, _by, to in run.after.rows("person_user"))
        return (
            owner == run.getter
            and (run.joins and shared)
            or owner == run.getter
            and any(
                face["personGroupId"] == group for asset in run.concerned for face in run.after.faces.get(asset, ())
            )
        )
    if change.new is None:
        left = run.after.faces_left(owner, group)
        if left and not (made_by_run(run, change) and were_so(run, left)):
            return False
        if made_by_run(run, change):
            return True
        had = [
            face
            for asset in run.concerned
            for face in run.before.faces.get(asset, ())
            if face["personGroupId"] == group and face["deletedAt"] is None
        ]
        if run.kind == "repair":
            return bool(had)
        # the getter's own row in a foreign cluster group ends when its person is in another group now
        return bool(had) and (
            owner == run.giver
            or (owner == run.getter and run.before.cluster_of_group(group) != run.before.cluster_of(owner))
        )
    if put_back(run, change, column) and not of_a_third(run, owner):
        return True
    if column in PICTURE:
        photos = {
            run.before.photo_of(change.old["faceAssetId"]),
            run.after.photo_of(change.new["faceAssetId"]),
        }
        if owner in (run.giver, run.getter) or not run.undone:
            return group in run.groups or bool(photos & run.concerned)
        return bool(photos & run.concerned)
    if column in ("name", "birthDate"):
        return not change.old[column] and owner == run.getter and group in run.groups
    return False


def were_so(run: Run, faces: Iterable[Row]) -> bool:
    """An undo: whether these faces had that person before the run, too."""
    past = run.undone
    return past is not None and all(
        (was := past.before.get("asset_face", face["id"])) is not None
        and was["personGroupId"] == face["personGroupId"]
        and past.before.owners[face["assetId"]] == run.after.owners[face["assetId"]]
        for face in faces
    )


def group_reason(run: Run, change: Change, column: str) -> bool:
    """Groups of people: made for the getter's people, gone with their last row, or moved to the getter's cluster."""
    group = change.key[0]
    if change.old is None:
        return taken_by_run(run, change) or run.getter in run.after.knowing.get(group, ())
    if change.new is None:
        return made_by_run(run, change) or group in run.groups or put_back_elsewhere(run, group)
    return column == "clusterGroupId" and (
        put_back(run, change, column)
        or (change.new[column] == run.after.cluster_of(run.getter) and run.getter in run.after.knowing.get(group, ()))
    )


def put_back_elsewhere(run: Run, group: str) -> bool:
    """An undo: a group all of whose rows the run made."""
    past = run.undone
    return past is not None and all((who, group) not in past.before.rows("person") for who in run.before.knowing[group])


def share_reason(run: Run, change: Change, _column: str) -> bool:
    """Shares of people go with the row of who shares or who sees, and become the getter's; an undo brings them back."""
    group, by, to = change.key
    if change.old is None:
        was = run.before.rows("person_user")
        return (
            taken_by_run(run, change)
            or (by == run.getter and passes_on(run, group, to))
            or (run.joins and to == run.getter and (group, by, run.giver) in was)
        )
    return change.new is None and (
        made_by_run(run, change) or any((who, group) not in run.after.rows("person") for who in (by, to))
    )


def passes_on(run: Run, group: str, to: str) -> bool:
    """Whether a share of a person with `to` ended with the row of who gave it, and the getter may have that person."""
    before, after = run.before.rows("person"), run.after.rows("person")
    shared = {by for (found, by, who) in run.before.rows("person_user") if (found, who) == (group, to)}
    found = run.after.get("person_group", group)
    return (
        (run.getter, group) in after
        and found is not None
        and found["clusterGroupId"] == run.after.cluster_of(run.getter)
        and any((by, group) in before.keys() - after.keys() for by in shared)
    )


def judge_shares(run: Run, words: "Words") -> Iterator[Complaint]:
    """Whom a share showed a person of the giver's sees it by a share of the getter's, who has that very person now."""
    mine = run.getter
    for group, by, to in run.before.rows("person_user"):
        if by != run.giver or to == mine or run.kind == "repair" or not passes_on(run, group, to):
            continue
        now, row = run.after.get("person", mine, group), run.before.get("person", to, group)
        fills = row is None or any(now[column] and not row[column] for column in ("name", "birthDate"))
        if not fills and (group, mine, to) not in run.after.rows("person_user"):
            yield Complaint("a share of a person ended", words.person(to, group))


def stack_reason(run: Run, change: Change, column: str) -> bool:
    """Stacks that photos which moved were in, or are in."""
    if run.kind == "repair" or run.is_undo_of_repair:
        return False
    stack = change.key[0]
    here, there = run.before.stacks.get(stack, set()), run.after.stacks.get(stack, set())
    if change.old is None:
        return taken_by_run(run, change) or bool(there & run.moved)
    if change.new is None:
        return made_by_run(run, change) or bool(here & run.moved)
    return column in ("ownerId", "primaryAssetId") and (
        put_back(run, change, column) or bool((here | there) & run.moved)
    )


def arriving_paths(run: Run) -> set[str]:
    """The tag paths on photos that moved, and those above them."""
    paths = {path for asset in run.moved for path in run.before.paths.get(asset, ())}
    return {"/".join(path.split("/")[:depth]) for path in paths for depth in range(1, path.count("/") + 2)}


def tag_reason(run: Run, change: Change, _column: str) -> bool:
    """Tags are made for the getter. An undo takes away what the run made, if nobody uses or has changed it."""
    if change.old is None:
        return (
            change.new is not None
            and change.new["userId"] == run.getter
            and (change.new["value"] in arriving_paths(run))
        )
    if change.new is not None or not made_by_run(run, change):
        return False
    past = run.undone
    assert past is not None
    ran = past.after.rows("tag")[change.key]
    used = any(tag == change.key[0] and asset not in run.moved for asset, tag in run.before.rows("tag_asset"))
    below = any(row["parentId"] == change.key[0] for row in run.after.rows("tag").values())
    return not used and not below and ran["color"] == change.old["color"]


def closure_reason(run: Run, change: Change, _column: str) -> bool:
    """The rows by which search finds a tag come and go with the tag; one that lacks its own gets it."""
    above, below = change.key
    if change.old is None:
        return all(
            tag is not None and tag["userId"] == run.getter and tag["value"] in arriving_paths(run)
            for tag in (run.after.get("tag", above), run.after.get("tag", below))
        )
    return change.new is None and (
        made_by_run(run, change) or any(run.after.get("tag", tag) is None for tag in (above, below))
    )


def tagging_reason(run: Run, change: Change, _column: str) -> bool:
    """Photos that moved have the getter's tags now; that they are the same by path, judge_tags() looks at."""
    asset, tag = change.key
    if asset not in run.moved:
        return False
    if change.old is None:
        return taken_by_run(run, change) or run.after.rows("tag")[(tag,)]["userId"] == run.getter
    return change.new is None and (made_by_run(run, change) or only_from(run, run.before.rows("tag")[(tag,)]["userId"]))


def contained_reason(owned: str, parent: str, column: str) -> Reason:
    """Photos leave memories and links that are not the new owner's. An undo brings back what the run took out."""

    def allows(run: Run, change: Change, _column: str) -> bool:
        row = change.old or change.new
        assert row is not None
        if row["assetId"] not in run.moved:
            return False
        if change.old is None:
            return taken_by_run(run, change)
        owner, here = run.before.rows(owned)[(row[parent],)][column], run.after.get(owned, row[parent])
        if change.new is not None or not only_from(run, owner):
            return False
        if run.undone is None or change.key not in run.undone.before.rows(change.table):
            return True
        # it was there before the run: it goes only with, or from, a link that is in other hands than it was
        was = run.undone.before.get(owned, row[parent])
        return here is None or was is None or here[column] != was[column]

    return allows


def emptied_reason(run: Run, change: Change, column: str) -> bool:
    """A memory goes when the last of its photos leaves it, or along with all of them to the same person."""
    if change.old is None:
        return taken_by_run(run, change)
    if column == "ownerId" and run.undone:
        return put_back(run, change, column)
    if column == "ownerId":
        return run.same_person and change.new is not None and change.new[column] == run.getter
    had = {asset for memory, asset in run.before.rows("memory_asset") if memory == change.key[0]}
    return change.new is None and bool(had) and had <= run.moved


def link_reason(run: Run, change: Change, column: str) -> bool:
    """A link all of whose photos are the getter's goes along; an empty one goes; one of an album follows it."""
    link = change.key[0]
    had = {asset for asset, found in run.before.rows("shared_link_asset") if found == link}
    if change.old is None:
        return taken_by_run(run, change)
    if change.new is None:
        return (
            change.old["type"] == "INDIVIDUAL"
            and bool(had)
            and had <= run.moved
            and only_from(run, change.old["userId"])
        )
    if column != "userId" or of_a_third(run, change.old[column]):
        return False
    if put_back(run, change, column):
        return True
    if (change.old[column], change.new[column]) != (run.giver, run.getter):
        return False
    if change.old["type"] == "ALBUM":
        if run.undone is not None or run.itself not in (HANDED_OVER, GIVEN_UP):
            return False
        # with everything also what an album of the getter's had left behind
        whole = run.itself == GIVEN_UP and run.chosen >= {a for a, who in run.before.owners.items() if who == run.giver}
        album = change.old["albumId"]
        return album in run.albums or (whole and run.before.album_owners(album) == [run.getter])
    return bool(had & run.moved) and all(run.after.owners[asset] == run.getter for asset in had)


def album_reason(run: Run, change: Change, column: str) -> bool:
    """The owner of an album that is handed over, and a cover of which the getter has the same photo."""
    if change.old is None or change.new is None:
        return False
    if run.undone:
        return put_back(run, change, column) and not went_to_a_third(run, change.key[0])
    if run.itself not in (HANDED_OVER, GIVEN_UP):
        return False
    if column == "ownerId":
        return change.key[0] in run.albums and (change.old[column], change.new[column]) == (
            run.giver,
            run.getter,
        )
    return column == "albumThumbnailAssetId" and is_twin(run, change.new[column], change.old[column])


def is_twin(run: Run, copy: str | None, asset: str | None) -> bool:
    """Whether the first is the getter's copy of the second, the giver's."""
    mine, other = run.before.get("asset", copy), run.before.get("asset", asset)
    return (
        mine is not None
        and other is not None
        and (mine["ownerId"], other["ownerId"]) == (run.getter, run.giver)
        and mine["checksum"] == other["checksum"]
    )


def member_reason(run: Run, change: Change, column: str) -> bool:
    """Members of an album: the two users', where the album itself was asked for."""
    album, user = change.key
    if user not in (run.giver, run.getter):
        return False
    owns = any(row and is_owner(row) for row in (change.old, change.new))
    if run.joins and not owns and joined(run, change, column):
        return True
    if run.undone is None:
        return album in run.albums and run.itself != "stays" and column in MEMBER
    past = run.undone
    if any(of_a_third(run, owner) for owner in run.before.album_owners(album)):
        return False
    if album not in past.albums or past.itself == "stays" or column not in MEMBER:
        return False
    if change.new is not None and is_owner(change.new):
        return user == past.giver and past.giver in past.before.album_owners(album)
    if change.old is None:
        return taken_by_run(run, change)
    if change.new is None:  # who owned it since, or was made a member by the run and is what the run left
        ran = past.after.get("album_user", *change.key)
        return (
            is_owner(change.old)
            or (ran is not None and made_by_run(run, change))
            or (user in run.after.album_owners(album))
        )
    was = past.before.get("album_user", *change.key)
    return put_back(run, change, column) or (
        is_owner(change.old) and was is not None and was["role"] == change.new["role"]
    )


def joined(run: Run, change: Change, column: str) -> bool:
    """What the giver was to others the getter is, of two accounts of one person; an undo brings that back."""
    if run.undone:
        return taken_by_run(run, change) or made_by_run(run, change) or put_back(run, change, column)
    album, user = change.key[0], change.key[1]
    if change.table != "album_user":
        return change.new is None and run.giver in change.key or change.old is None and run.getter in change.key
    was = run.before.get("album_user", album, run.giver)
    if user == run.giver:
        return change.new is None
    return was is not None and change.new is not None and change.new["role"] == was["role"]


def partner_reason(run: Run, change: Change, column: str) -> bool:
    """The giver's partners are the getter's, of two accounts of one person."""
    return run.joins and bool({run.giver, run.getter} & set(change.key)) and joined(run, change, column)


def judge_joined(run: Run, words: "Words") -> Iterator[Complaint]:
    """Of two accounts of one person the one given up is nothing to others afterwards that the other is not."""
    if run.undone or not run.same_person:
        return
    for table, column in (("album_user", "userId"), ("activity", "userId")):
        for key, row in run.after.rows(table).items():
            if row[column] == run.giver and not is_owner({"role": "", **row}):
                yield Complaint(f"{table} of the account that is given up", words.name(key[0]))
    for key in run.before.rows("partner"):
        now = tuple(run.getter if user == run.giver else user for user in key)
        if len(set(now)) == 2 and now not in run.after.rows("partner"):
            yield Complaint("a partner was lost", ", ".join(map(words.name, key)))
    for (album, user), row in run.before.rows("album_user").items():
        if (
            user == run.giver
            and not is_owner(row)
            and run.getter
            not in (
                *run.after.album_owners(album),
                *(who for found, who in run.after.rows("album_user") if found == album),
            )
        ):
            yield Complaint("a membership was lost", words.name(album))


def album_photo_reason(run: Run, change: Change, column: str) -> bool:
    """Copies of the getter's are put beside the giver's photos that stay; an undo takes them out."""
    album, asset = change.key
    if run.undone:
        return change.new is None and made_by_run(run, change) and not went_to_a_third(run, album)
    if change.old is not None or run.itself not in (HANDED_OVER, GIVEN_UP):
        return False
    return any(is_twin(run, asset, mate) for found, mate in run.before.rows("album_asset") if found == album)


def comment_reason(run: Run, change: Change, column: str) -> bool:
    """What others said of a photo that stays moves to the getter's own, in an album that is handed over, and back."""
    if run.joins and (change.old is None or change.new is None):
        row = change.old or change.new
        assert row is not None
        if run.undone:
            return taken_by_run(run, change)
        return change.new is None and row["isLiked"] and row["userId"] == run.giver
    if change.old is None or change.new is None:
        return False
    if run.undone:
        return put_back(run, change, column)
    if column == "userId":
        return run.joins and (change.old[column], change.new[column]) == (run.giver, run.getter)
    if column != "assetId":
        return False
    beside = (change.old["albumId"], change.new[column]) in run.after.rows("album_asset")
    others = (run.joins or change.old["userId"] != run.giver) and run.itself in (HANDED_OVER, GIVEN_UP)
    return beside and others and is_twin(run, change.new[column], change.old[column])


def job_reason(run: Run, change: Change, column: str) -> bool:
    """Duplicates of photos that moved are due to be looked for."""
    return column == "duplicatesDetectedAt" and (change.key[0] in run.moved or put_back(run, change, column))


def session_reason(run: Run, change: Change, column: str) -> bool:
    """Phones start over."""
    return column == "isPendingSyncReset" and change.new is not None and change.new[column]


def library_reason(run: Run, change: Change, column: str) -> bool:
    """A library that was asked for goes, as it is, to the getter; an undo gives back only what the run took."""
    if column != "ownerId" or change.old is None or change.new is None:
        return False
    asked = run.undone.moved_libraries if run.undone else run.libraries
    return change.key[0] in asked and (change.old[column], change.new[column]) == (run.giver, run.getter)


def user_reason(run: Run, change: Change, column: str) -> bool:
    """The two users' storage figures."""
    return column == "quotaUsageInBytes" and change.key[0] in (run.giver, run.getter) and run.kind != "repair"


REASONS: dict[str, Reason] = {
    "activity": comment_reason,
    "album": album_reason,
    "album_asset": album_photo_reason,
    "album_user": member_reason,
    "asset": asset_reason,
    "asset_face": face_reason,
    "asset_job_status": job_reason,
    "library": library_reason,
    "memory": emptied_reason,
    "memory_asset": contained_reason(*OWNED[0][1:]),
    "partner": partner_reason,
    "person": person_reason,
    "person_group": group_reason,
    "person_user": share_reason,
    "session": session_reason,
    "shared_link": link_reason,
    "shared_link_asset": contained_reason(*OWNED[1][1:]),
    "stack": stack_reason,
    "tag": tag_reason,
    "tag_asset": tagging_reason,
    "tag_closure": closure_reason,
    "user": user_reason,
}


# ---- which photos go ------------------------------------------------------------------------------------------------


def together(state: State, assets: Iterable[str], *, stacks: bool = True) -> set[str]:
    """The photos, and all that are tied to them as live photos or in stacks."""
    videos: dict[str, set[str]] = defaultdict(set)
    for (asset,), row in state.rows("asset").items():
        videos[row["livePhotoVideoId"] or asset].add(asset)
    found: set[str] = set()
    todo = [asset for asset in assets if (asset,) in state.rows("asset")]
    while todo:
        asset = todo.pop()
        if asset in found:
            continue
        found.add(asset)
        row = state.rows("asset")[(asset,)]
        todo += videos[row["livePhotoVideoId"] or asset] | ({row["livePhotoVideoId"]} - {None})
        if stacks and row["stackId"]:
            todo += state.stacks[row["stackId"]]
    return found


def may_stay(run: Run, asset: str) -> bool:
    """Whether there is a reason for this photo by itself not to change hands."""
    state, row = run.before, run.before.rows("asset")[(asset,)]
    if row["libraryId"] and row["libraryId"] in run.moved_libraries | run.libraries:
        return False
    if row["status"] == "deleted" or row["libraryId"] or row["isExternal"]:
        return True
    if any(move["entityId"] == asset for move in state.rows("move_history").values()):
        return True
    if any(
        other["ownerId"] == run.getter and other["checksum"] == row["checksum"] and other["libraryId"] is None
        for other in state.rows("asset").values()
    ):
        return True
    if run.undone is None:
        if asset in run.left_out:
            return True
        return (row["status"] == "trashed" and not run.trashed) or (row["visibility"] == "locked" and not run.locked)
    if asset not in run.undone.moved or row["ownerId"] != run.giver:
        return True  # tied to a photo that goes back
    was = run.undone.before.rows("asset")[(asset,)]
    return row["visibility"] == "locked" and was["visibility"] != "locked"


def library_may_go(run: Run, library: str) -> bool:
    """An undo: whether a library is the giver's whole, and nothing in it, nor tied to that, has a reason to stay."""
    state, row = run.before, run.before.get("library", library)
    inside = {key[0] for key, asset in state.rows("asset").items() if asset["libraryId"] == library}
    if row is None or row["ownerId"] != run.giver or row["deletedAt"] is not None:
        return False
    for asset in together(state, inside):
        photo = state.rows("asset")[(asset,)]
        past = run.undone.before.get("asset", asset) if run.undone else None
        if photo["ownerId"] != run.giver or photo["libraryId"] != library:
            return False
        if photo["visibility"] == "locked" and (past is None or past["visibility"] != "locked"):
            return False
        if any(move["entityId"] == asset for move in state.rows("move_history").values()):
            return False
    return True


def judge_choice(run: Run, words: "Words") -> Iterator[Complaint]:
    """All chosen photos move that have no reason to stay, and no others; the report counts them right."""
    if run.kind == "repair" or run.is_undo_of_repair:
        chosen: set[str] = set()
    elif run.undone:
        chosen = {asset for asset in run.undone.moved if run.before.owners.get(asset) == run.giver}
        # with its library goes what a scan has found since
        chosen |= {
            asset for asset in run.moved if run.before.rows("asset")[(asset,)]["libraryId"] in run.moved_libraries
        }
    else:
        chosen = set(run.chosen)
    for asset in sorted(run.moved & run.left_out):
        yield Complaint("a photo moved that was left out", words.name(asset))
    for asset in sorted(run.moved - together(run.before, chosen)):
        yield Complaint("a photo moved that nobody chose", words.name(asset))
    for asset in sorted(chosen - run.moved):
        tied = together(run.before, [asset], stacks=run.undone is not None)
        if not any(may_stay(run, mate) for mate in tied):
            yield Complaint("a photo stayed without a reason", words.name(asset))
    for library in sorted(run.libraries - run.moved_libraries):
        yield Complaint("a library stayed that was asked for", words.name(library))
    if run.undone:
        for library in sorted(run.undone.moved_libraries - run.moved_libraries):
            if library_may_go(run, library):
                yield Complaint("a library stayed without a reason", words.name(library))
    if run.counted is not None and run.counted != len(run.moved):
        yield Complaint("the report miscounts the photos", f"{run.counted} instead of {len(run.moved)}")


# ---- nothing lost ---------------------------------------------------------------------------------------------------


def folded(name: str) -> str:
    """A name as people compare names."""
    return name.strip().casefold()


def judge_names(run: Run, words: "Words") -> Iterator[Complaint]:
    """Each undeleted face on a photo that moved keeps the name its owner saw, or has the new owner's own for it."""
    for asset in sorted(run.moved):
        for face in run.before.faces.get(asset, ()):
            now = run.after.get("asset_face", face["id"])
            if face["deletedAt"] is not None or now is None:
                continue
            link = now["personGroupId"]
            if face["personGroupId"] is None:
                if link is not None:
                    yield Complaint("a face of nobody has a person now", words.face(face["id"]))
                continue
            if run.before.get("person", run.giver, face["personGroupId"]) is None:
                continue
            if link is None:
                yield Complaint("a face lost its person", words.face(face["id"]))
                continue
            old, new = run.before.named(run.giver, face["personGroupId"]), run.after.named(run.getter, link)
            if is_as_it_was(run, now):
                continue
            if folded(old) and (not folded(new) or folded(old) != folded(new) and not is_own(run, face, link)):
                yield Complaint("a face lost its name", f"{words.face(face['id'])}: was {old!r}, is {new!r}")


def is_own(run: Run, face: Row, link: str) -> bool:
    """Whether this is the getter's own person for such a face: the very same, or the one from before the run."""
    if link == face["personGroupId"]:
        return run.before.get("person", run.getter, link) is not None
    past = run.undone
    if past is None or past.before.get("person", run.getter, link) is None:
        return False
    was = past.before.get("asset_face", face["id"])
    return (was is not None and was["personGroupId"] == link) or any(
        ran["personGroupId"] == face["personGroupId"]
        for other in past.before.faces_of.get(link, ())
        if (ran := past.after.get("asset_face", other["id"]))
    )


def judge_grouping(run: Run, words: "Words") -> Iterator[Complaint]:
    """Faces of one person stay so, faces of two do not become one's, but by a merge of the same name.

    An undo parts those whom the run had brought together.
    """
    faces = [
        (face, run.after.rows("asset_face")[(face["id"],)]["personGroupId"])
        for asset in sorted(run.moved)
        for face in run.before.faces.get(asset, ())
        if face["deletedAt"] is None
        and run.before.get("person", run.giver, face["personGroupId"])
        and (face["id"],) in run.after.rows("asset_face")
    ]
    for (one, link), (other, other_link) in combinations(faces, 2):
        was_one, is_one = one["personGroupId"] == other["personGroupId"], link == other_link
        if was_one and not is_one and not brought_together(run, one, other):
            yield Complaint("a person came apart", f"{words.face(one['id'])}, {words.face(other['id'])}")
        elif is_one and not was_one and link is not None:
            name = folded(run.after.named(run.getter, link))
            if any(
                not name or folded(run.before.named(run.giver, face["personGroupId"])) != name
                for face in (one, other)
                if face["personGroupId"] != link or not is_own(run, face, link)
            ):
                yield Complaint("two people became one", f"{words.face(one['id'])}, {words.face(other['id'])}")


def brought_together(run: Run, one: Row, other: Row) -> bool:
    """An undo: whether the run made these faces of two people one's."""
    past = run.undone
    if past is None:
        return False
    was, ran = (
        [row["personGroupId"] if (row := state.get("asset_face", face["id"])) else None for face in (one, other)]
        for state in (past.before, past.after)
    )
    return was[0] != was[1] and ran[0] == ran[1]


def judge_new_people(run: Run, words: "Words") -> Iterator[Complaint]:
    """People that are made say what those say from whom they have their faces, or what they said before the run."""
    for key in sorted(run.after.rows("person").keys() - run.before.rows("person").keys()):
        owner, group = key
        links = {
            run.before.rows("asset_face")[(face["id"],)]["personGroupId"] for face in run.after.faces_of.get(group, ())
        } | {group}
        likes = [run.before.rows("person")[who, link] for link in links for who in run.before.knowing.get(link, ())]
        # the getter's own says what it said, with a name and a birth date from another if it has none
        filled = [
            {**mine, **{gap: mine[gap] or other[gap] for gap in ("name", "birthDate")}}
            for mine in likes
            for other in likes
            if mine["ownerId"] == run.getter
        ]
        likes += filled
        if run.undone and (was := run.undone.before.get("person", *key)):
            likes.append(was)
        row = run.after.rows("person")[key]
        if likes and all(any(like[column] != row[column] for column in FLAGS) for like in likes):
            yield Complaint("a person that was made says something else", words.person(owner, group))


def is_as_it_was(run: Run, face: Row) -> bool:
    """An undo: whether a face has the person that it had before the run, and nobody did anything about that since."""
    past, link = run.undone, face["personGroupId"]
    if past is None:
        return False
    was, ran, old = (state.get("asset_face", face["id"]) for state in (past.before, past.after, run.before))
    if was is None or ran is None or old is None or was["personGroupId"] != link:
        return False
    # whoever had that very person as well before the run names it for themselves
    own = past.before.get("person", run.giver, link) is not None and ran["personGroupId"] == link
    named = past.after.named(run.giver, ran["personGroupId"]), run.before.named(run.giver, old["personGroupId"])
    return (
        ran["personGroupId"] == old["personGroupId"]
        and past.before.owners[face["assetId"]] == run.getter
        and (own or named[0] == named[1])
        and past.before.named(run.getter, link) == run.after.named(run.getter, link)
    )


def judge_tags(run: Run, words: "Words") -> Iterator[Complaint]:
    """The tags of every photo are the same by their paths."""
    for (asset,) in run.before.rows("asset"):
        old, new = run.before.paths.get(asset, set()), run.after.paths.get(asset, set())
        for path in sorted(old - new):
            yield Complaint("a tag was lost", f"{path} of {words.name(asset)}")
        for path in sorted(new - old):
            yield Complaint("a tag came", f"{path} on {words.name(asset)}")


def judge_people_kept(run: Run, words: "Words") -> Iterator[Complaint]:
    """What people set on a person since the run is still there: on that person, or on who got its faces."""
    if run.undone is None:
        return
    for (table, key, column), value in sorted(run.since.written.items(), key=str):
        row = run.before.get(table, *key)
        if table != "person" or column not in FLAGS or row is None or row[column] != value or value in (None, ""):
            continue
        links = {key[1]} | {
            run.after.rows("asset_face")[(face["id"],)]["personGroupId"]
            for face in run.before.faces_of.get(key[1], ())
            if (face["id"],) in run.after.rows("asset_face")
        }
        heirs = [run.after.get("person", who, link) for who in {key[0], run.giver, run.getter} for link in links]
        if not any(heir is not None and heir[column] == value for heir in heirs):
            yield Complaint("what was set on a person since is lost", f"{words.person(*key)}: {column} {value!r}")
    # a person that people deleted since stays away
    for owner, group in sorted(run.after.rows("person").keys() - run.before.rows("person").keys()):
        deleted = [
            who for who in run.undone.after.knowing.get(group, ()) if ("person", (who, group)) in run.since.removed
        ]
        if deleted and group not in run.before.knowing and not run.after.faces_left(owner, group):
            yield Complaint("a person that was deleted since is back", words.person(owner, group))


def judge_stacks_kept(run: Run, words: "Words") -> Iterator[Complaint]:
    """Photos in one stack stay together if they have one owner; others do not come together but as before the run."""

    def pairs(state: State) -> set[tuple[str, str]]:
        return {(a, b) for members in state.stacks.values() for a in members for b in members if a < b}

    old, new = pairs(run.before), pairs(run.after)
    for one, other in sorted(old - new):
        if run.after.owners[one] == run.after.owners[other]:
            yield Complaint("a stack came apart", f"{words.name(one)}, {words.name(other)}")
    past = run.undone
    known = pairs(past.before) - pairs(past.after) if past else set()
    for pair in sorted(new - old - known):
        # one comes back into its stack, in which the other is again since another run was undone
        if not any(
            past
            and past.before.stack_of(back) == run.after.stack_of(back) != past.after.stack_of(back)
            and run.before.stack_of(there) == run.after.stack_of(there)
            for back, there in (pair, pair[::-1])
        ):
            yield Complaint("photos came into one stack", ", ".join(map(words.name, pair)))
    for key, row in run.before.rows("stack").items():
        now = run.after.get("stack", *key)
        if (
            now is not None
            and now["primaryAssetId"] != row["primaryAssetId"]
            and run.since.written.get(("stack", key, "primaryAssetId")) == row["primaryAssetId"]
            and row["primaryAssetId"] in run.after.stacks.get(key[0], ())
        ):
            yield Complaint("the photo on top of a stack, chosen since, is another", words.name(key[0]))


def judge_given_back(run: Run, words: "Words") -> Iterator[Complaint]:
    """Photos that are back are in their owner's memories and links again, unless somebody took those away since."""
    past = run.undone
    if past is None:
        return
    for table, owned, parent, column in OWNED:
        for key, row in past.before.rows(table).items():
            owner = past.before.rows(owned)[(row[parent],)]
            if key in past.after.rows(table) or row["assetId"] not in run.moved or owner[column] != run.getter:
                continue
            if (table, key) in run.since.removed or (owned, (row[parent],)) in run.since.removed:
                continue
            now = run.before.get(owned, row[parent])
            kept = now is not None and now[column] == run.getter
            taken = now is None and past.after.get(owned, row[parent]) is None
            if (kept or taken) and key not in run.after.rows(table):
                what = f"{words.name(row['assetId'])} in {words.name(row[parent])}"
                yield Complaint(f"a photo is not in its {owned} again", what)


def judge_storage(run: Run, words: "Words") -> Iterator[Complaint]:
    """The storage figures of the two are as far from what Immich would make of them as before; a repair's are not."""
    if run.is_undo_of_repair or (run.kind == "repair" and run.before.snapshot["user"] == run.after.snapshot["user"]):
        return
    for user in filter(None, (run.giver, run.getter)):
        before, after = (
            int(row["quotaUsageInBytes"]) - state.usage(user) if (row := state.get("user", user)) else 0
            for state in (run.before, run.after)
        )
        if after not in (0, before if run.kind != "repair" else 0):  # counted anew where it would be below zero
            yield Complaint("a storage figure is wrong", words.name(user))


# What an undo need not put back; what Immich makes itself in a healthy library.
FREE = {("session", "isPendingSyncReset"), ("person", "thumbnailPath")}
USUAL = {"lone duplicate", "tag not found by search", "memory without photos", "link without photos"}


def judge_identity(run: Run, words: "Words") -> Iterator[Complaint]:
    """An undo of a run in a healthy library since which nothing happened at all leaves what there was before it."""
    past = run.undone
    if past is None or past.after.snapshot != run.before.snapshot:
        return
    if any(trouble.kind not in USUAL for trouble in past.before.troubles):
        return
    for change in changes(past.before, run.after):
        columns = [column for column in change.columns if (change.table, column) not in FREE]
        if columns or change.old is None or change.new is None:
            yield Complaint("an undo at once does not leave what there was", words.change(change))


# ---- in words -------------------------------------------------------------------------------------------------------


class Words:
    """Names for what is in some states, for people to read."""

    def __init__(self, *states: State) -> None:
        self.states = states

    def _find(self, table: str, key: Any) -> Row | None:
        return next((row for state in self.states if (row := state.get(table, key))), None)

    def user(self, user: str) -> str:
        row = self._find("user", user)
        return row["name"] if row else short(user)

    def person(self, owner: str, group: str) -> str:
        rows = [row for state in self.states if (row := state.get("person", owner, group))]
        name = rows[0]["name"] if rows else "?"
        return f"{self.user(owner)}'s person {name!r} {short(group)}"

    def face(self, face: str) -> str:
        photo = next((photo for state in self.states if (photo := state.photo_of(face))), None)
        return f"face {short(face)} on {self.name(photo)}"

    def name(self, key: str | None) -> str:
        """Whatever it is."""
        if key is None:
            return "nothing"
        if row := self._find("asset", key):
            return f"{row['originalFileName']} {short(key)}"
        if self._find("user", key):
            return self.user(key)
        if self._find("asset_face", key):
            return self.face(key)
        if row := self._find("tag", key):
            return f"{self.user(row['userId'])}'s tag {row['value']}"
        if row := self._find("album", key):
            return f"album {row['albumName']} {short(key)}"
        for table, column in (("memory", "ownerId"), ("shared_link", "userId"), ("stack", "ownerId")):
            if row := self._find(table, key):
                return f"{self.user(row[column])}'s {table} {short(key)}"
        for state in self.states:
            if owners := state.knowing.get(key):
                names = {state.named(owner, key) for owner in owners}
                return f"person {'/'.join(sorted(map(repr, names)))} of {'+'.join(map(self.user, owners))} {short(key)}"
        return short(key)

    def value(self, value: Any) -> str:
        text = str(value)
        return self.name(text) if len(text) == 36 and text.count("-") == 4 else text

    def change(self, change: Change) -> str:
        """A row that came, went or changed."""
        key = ", ".join(map(self.value, change.key))
        if change.old is None or change.new is None:
            row = change.new or change.old or {}
            more = {c: row[c] for c in ("ownerId", "userId", "role", "name", "personGroupId", "comment") if row.get(c)}
            text = ", ".join(f"{c} {self.value(v)}" for c, v in more.items() if v not in change.key)
            return f"{'+' if change.old is None else '-'} {change.table} {key}" + (f" ({text})" if text else "")
        parts = (f"{c} {self.value(change.old[c])} -> {self.value(change.new[c])}" for c in change.columns)
        return f"{change.table} {key}: {'; '.join(parts)}"


def short(key: Any) -> str:
    """The first letters of an id."""
    return str(key)[:4]


def told(before: State, after: State) -> list[str]:
    """What happened between two states, in words, but for what follows from it."""
    words = Words(before, after)
    dull = {
        "asset_exif",
        "asset_file",
        "asset_metadata",
        "smart_search",
        "asset_ocr",
        "ocr_search",
        "face_search",
    }
    dull |= {"session", "asset_job_status", "user_metadata", "tag_closure"}
    found = []
    for change in changes(before, after):
        if change.table in dull or (change.table == "user" and change.columns == ["quotaUsageInBytes"]):
            continue
        found.append(words.change(change))
    return found
