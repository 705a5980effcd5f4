"""The model that judges sequences sees what is wrong: each of these is planted into the rows after a right run."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

import transfer
from tests.conftest import Scene
from tests.library import Library
from tests.model import Key, Row, Run, Since, State, judge
from tests.random_library import edit_person

Tables = dict[str, dict[Key, Row]]
Plant = Callable[[Tables, Scene], Any]


def planted(state: State, plant: Plant, scene: Scene) -> State:
    """A state with something done to its rows."""
    tables = deepcopy(state.tables)
    plant(tables, scene)
    changed = State({})
    changed.__dict__["tables"] = tables
    return changed


def face_of(tables: Tables, scene: Scene, name: str) -> Row:
    return tables["asset_face"][(scene.faces[name],)]


def person_of(tables: Tables, owner: str, name: str) -> Row:
    return next(row for (who, _), row in tables["person"].items() if who == owner and row["name"] == name)


def drop(tables: Tables, table: str, **columns: Any) -> None:
    """Take rows away; there must be some."""
    gone = [k for k, row in tables[table].items() if all(row[c] == value for c, value in columns.items())]
    assert gone
    for key in gone:
        del tables[table][key]


def tag_of(tables: Tables, owner: str, path: str) -> str:
    return next(key[0] for key, row in tables["tag"].items() if (row["userId"], row["value"]) == (owner, path))


def put_into(tables: Tables, table: str, asset: str, owned: str) -> None:
    """Put a photo into somebody's memory, or onto a link, where another photo of the same is."""
    column, key = ("memoriesId", (owned, asset)) if table == "memory_asset" else ("sharedLinkId", (asset, owned))
    like = next(row for row in tables[table].values() if row[column] == owned)
    tables[table][key] = like | {"assetId": asset}


def set_(table: str, key: Callable[[Scene], str], **columns: Any) -> Plant:
    return lambda tables, scene: tables[table][(key(scene),)].update(columns)


# What is planted after a transfer of the scene's album, with the rule that it breaks.
AFTER_TRANSFER: dict[str, tuple[str, Plant]] = {
    "still Anna's person": (
        "newly wrong: face of a person",
        lambda t, s: face_of(t, s, "max").update(personGroupId=s.max),
    ),
    "no person any more": ("a face lost its person", lambda t, s: face_of(t, s, "lea").update(personGroupId=None)),
    "no name any more": ("a face lost its name", lambda t, s: person_of(t, s.ben, "Max").update(name="")),
    "hidden by chance": ("says something else", lambda t, s: person_of(t, s.ben, "Max").update(isHidden=True)),
    "merged unasked": (
        "two people became one",
        lambda t, s: face_of(t, s, "max").update(personGroupId=s.bens_oma),
    ),
    "featured photo gone over": (
        "newly wrong: featured photo of another's",
        lambda t, s: person_of(t, s.anna, "Max").update(faceAssetId=s.faces["max"]),
    ),
    "live photo torn": ("newly wrong: live photo torn", set_("asset", lambda s: s.live[1], ownerId=None)),
    "stack left behind": ("newly wrong: photo in another's stack", set_("stack", lambda s: s.stack, ownerId="?")),
    "stack taken apart": ("a stack came apart", set_("asset", lambda s: s.stacked[1], stackId=None)),
    "tag lost": ("a tag was lost", lambda t, s: drop(t, "tag_asset", assetId=s.lake)),
    "tag of Anna's": (
        "newly wrong: another's tag",
        lambda t, s: t["tag_asset"].update({(s.lake, s.tag): {"assetId": s.lake, "tagId": s.tag}}),
    ),
    "tag not to be found": (
        "newly wrong: tag not found by search",
        lambda t, s: drop(t, "tag_closure", id_descendant=tag_of(t, s.ben, "Trips/Rome")),
    ),
    "Anna's tag recoloured": ("tag.color changed", set_("tag", lambda s: s.tag, color="#00ff00")),
    "in Anna's memory": (
        "newly wrong: photo in another's memory",
        lambda t, s: put_into(t, "memory_asset", s.lake, s.memory),
    ),
    "on Anna's link": (
        "newly wrong: photo in another's link",
        lambda t, s: put_into(t, "shared_link_asset", s.lake, s.link),
    ),
    "another photo off the link": (
        "shared_link_asset row went",
        lambda t, s: drop(t, "shared_link_asset", assetId=s.home),
    ),
    "a photo that stays": ("a photo moved that nobody chose", lambda t, s: t["asset"][(s.home,)].update(ownerId=s.ben)),
    "a photo that should have moved": (
        "a photo stayed without a reason",
        lambda t, s: t["asset"][(s.hill,)].update(ownerId=s.anna),
    ),
    "favourite": ("asset.isFavorite changed", set_("asset", lambda s: s.lake, isFavorite=True)),
    "comment gone": ("activity", lambda t, s: drop(t, "activity", id=s.comment)),
    "member gone": ("album_user row went", lambda t, s: drop(t, "album_user", userId=s.carla)),
    "photo out of the album": ("album_asset row went", lambda t, s: drop(t, "album_asset", assetId=s.lake)),
    "cover that is not there": (
        "newly wrong: cover",
        lambda t, s: t["album"][(s.album,)].update(albumThumbnailAssetId=s.home),
    ),
    "storage figure": ("a storage figure is wrong", set_("user", lambda s: s.ben, quotaUsageInBytes=1)),
    "third user's figure": ("user.quotaUsageInBytes", set_("user", lambda s: s.carla, quotaUsageInBytes=1)),
    "exif": ("asset_exif", lambda t, s: drop(t, "asset_exif", assetId=s.home)),
}


def run_of(scene: Scene, before: State, after: State, **more: Any) -> Run:
    chosen = {asset for album, asset in before.rows("album_asset") if album == scene.album}
    mine = frozenset(asset for asset in chosen if before.owners[asset] == scene.anna)
    return Run("transfer", scene.anna, scene.ben, before, after, chosen=mine, **more)


@pytest.fixture
def moved(library: Library, params, scene: Scene, tmp_path) -> Run:
    """The album's photos handed over, with its undo file; Oma is merged."""
    before = State(library.snapshot())
    request = transfer.Request(scene.anna, scene.ben, scene.album, frozenset([scene.oma]))
    transfer.transfer(params, request, transfer.How(dry_run=False, undo_folder=tmp_path / "transfers"))
    return run_of(scene, before, State(library.snapshot()))


def undone(library: Library, params, scene: Scene, run: Run, tmp_path, since: Since | None = None) -> Run:
    before = State(library.snapshot())
    (past,) = transfer.list_past(params, tmp_path / "transfers")
    transfer.undo(params, past.path, transfer.How(dry_run=False))
    after = State(library.snapshot())
    return Run("undo", scene.ben, scene.anna, before, after, undone=run, since=since or Since())


def test_nothing_is_wrong_with_a_right_run(library, params, scene, moved, tmp_path) -> None:
    assert judge(moved) == []
    assert judge(undone(library, params, scene, moved, tmp_path)) == []


def test_what_is_planted_after_a_transfer_is_seen(scene, moved) -> None:
    for name, (rule, plant) in AFTER_TRANSFER.items():
        run = replace(moved, after=planted(moved.after, plant, scene))
        rules = [complaint.rule for complaint in judge(run)]
        assert any(rule in found for found in rules), (name, rules)


def test_what_an_undo_leaves_is_seen(library, params, scene, moved, tmp_path) -> None:
    run = undone(library, params, scene, moved, tmp_path)
    for name, (rule, plant) in {
        "memory forgotten": (
            "a photo is not in its memory again",
            lambda t, s: drop(t, "memory_asset", memoriesId=s.memory, assetId=s.lake),
        ),
        "person forgotten": ("at once", lambda t, s: person_of(t, s.anna, "Oma").update(birthDate="2001-01-01")),
        "photo forgotten": ("a photo stayed", lambda t, s: t["asset"][(s.hill,)].update(ownerId=s.ben)),
        "third user's person": (
            "person.name changed",
            lambda t, s: (
                t["person"].update({(s.carla, s.lea): dict(person_of(t, s.anna, "Lea O'Neil"), ownerId=s.carla)})
                or t["person"][(s.carla, s.lea)].update(name="x")
            ),
        ),
    }.items():
        if name == "third user's person":  # there before, and another after
            start = planted(run.before, lambda t, s: carla_knows_lea(t, s), scene)
            judged = replace(run, before=start, after=planted(run.after, plant, scene))
        else:
            judged = replace(run, after=planted(run.after, plant, scene))
        rules = [complaint.rule for complaint in judge(judged)]
        assert any(rule in found for found in rules), (name, rules)


def carla_knows_lea(tables: Tables, scene: Scene) -> None:
    tables["person"][(scene.carla, scene.lea)] = dict(person_of(tables, scene.ben, "Lea O'Neil"), ownerId=scene.carla)


def test_what_people_did_since_is_kept(library, params, scene, moved, tmp_path) -> None:
    since, start = Since(), State(library.snapshot())
    person = next(group for (who, group), row in moved.after.rows("person").items() if row["name"] == "Lea O'Neil")
    edit_person(library, scene.ben, person, name="Lea B.")
    since.note(start, State(library.snapshot()))
    run = undone(library, params, scene, moved, tmp_path, since)
    forgotten = replace(run, after=planted(run.after, lambda t, s: forget(t, "Lea B.", "Lea O'Neil"), scene))
    assert "what was set on a person since is lost" in [complaint.rule for complaint in judge(forgotten)]


def forget(tables: Tables, name: str, former: str) -> None:
    for row in tables["person"].values():
        if row["name"] == name:
            row["name"] = former


# ---- external libraries ---------------------------------------------------------------------------------------------


def test_what_is_planted_after_a_library_was_handed_over_is_seen(library, params, anna, ben, tmp_path) -> None:
    nas, other = library.library(anna, "NAS"), library.library(anna, "Other")
    photo, left = library.asset(anna, library=nas), library.asset(anna, library=other)
    request = transfer.Request(anna, ben, everything=True, libraries=frozenset([nas]))
    before = State(library.snapshot())
    transfer.transfer(params, request, transfer.How(dry_run=False, undo_folder=tmp_path))
    more = {"chosen": frozenset([photo, left]), "libraries": frozenset([nas]), "itself": "given up"}
    run = Run("transfer", anna, ben, before, State(library.snapshot()), **more)
    assert judge(run) == []
    (past,) = transfer.list_past(params, tmp_path)
    transfer.undo(params, past.path, transfer.How(dry_run=False))
    back = Run("undo", ben, anna, run.after, State(library.snapshot()), undone=run)
    assert judge(back) == []

    def rules(run: Run, table: str, key: str, **columns: Any) -> str:
        tables = deepcopy(run.after.tables)
        tables[table][(key,)].update(columns)
        after = State({})
        after.__dict__["tables"] = tables
        return "; ".join(complaint.rule for complaint in judge(replace(run, after=after)))

    assert "newly wrong: photo in another's library" in rules(run, "asset", photo, ownerId=anna)
    assert "a photo stayed without a reason" in rules(run, "asset", photo, ownerId=anna)
    assert "a library stayed that was asked for" in rules(run, "library", nas, ownerId=anna)
    assert "library.ownerId changed without a reason" in rules(run, "library", other, ownerId=ben)
    assert "library.importPaths changed" in rules(run, "library", nas, importPaths=[])
    assert "newly wrong: photo in another's library" in rules(back, "asset", photo, ownerId=ben)
    assert "a library stayed without a reason" in rules(back, "library", nas, ownerId=ben)
