"""Can an account be deleted? What Immich's deletion takes from others was named, and what was not named stays."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

import transfer
from tests.conftest import EVERYTHING, NOT_PUT_BACK
from tests.library import Library, new_id
from tests.model import Row, State
from tests.random_library import Plan, adapted, albums_of, build, clean_people, plans
from tests.terminal import PAUSE, Installation, Terminal, installation
from tests.test_move_files import FOLDERS, ROOT, Disk, known_media
from tests.test_undo_random import examples

pytestmark = pytest.mark.long

SAME = b"\x07" * 20

# ---- the deletion, and what it took ---------------------------------------------------------------------------------


def delete_as_immich(library: Library, user: str, folder: Path | None = None) -> bool:
    """As Immich does: the five folders, the albums, the account. Whether it got to the end; the folders go anyway."""
    label = library.value("""select coalesce(nullif("storageLabel", ''), id::text) from "user" where id = %s""", user)
    if folder:
        for name, whose in [("library", label), *((f, user) for f in FOLDERS if f != "library")]:
            shutil.rmtree(folder / name / whose, ignore_errors=True)
    library.rows("delete from album where id = any(%s::uuid[])", albums_of(library, user, "owner"))
    try:
        library.rows('delete from "user" where id = %s', user)
    except psycopg2.errors.ForeignKeyViolation:
        return False
    return True


# Which code names the loss of a row of others. A table that is not here belongs to a photo, and goes with it.
NAMES = {
    "asset": {"library_others", "live", "stack"},
    "album_asset": {"album_others", "album_photo", "library_others"},
    "album_user": {"album_others"},
    "activity": {"album_others", "comment"},
    "shared_link": {"album_others"},
    "shared_link_asset": {"in_link", "link_of_partner", "album_others", "library_others"},
    "memory_asset": {"in_memory", "memory_of_partner", "library_others"},
    "tag": {"tag_below"},
    "tag_closure": {"tag_below"},
    "tag_asset": {"in_tag", "tag_others", "tag_below", "library_others"},
    "asset_face": {"face", "library_others"},
    "person": {"face", "person_faces", "person_share"},
    "person_user": {"person_share"},
}
# What Immich chooses anew: the cover of an album, the picture of a person.
CHOSEN_BY_IMMICH = {"albumThumbnailAssetId", "faceAssetId"}


# Whose a row is that names no owner itself: whose those things are that it hangs on.
HANGS_ON = {
    "album_asset": (("album", "albumId"), ("asset", "assetId")),
    "memory_asset": (("memory", "memoriesId"),),
    "shared_link_asset": (("shared_link", "sharedLinkId"),),
    "tag_asset": (("tag", "tagId"), ("asset", "assetId")),
    "tag_closure": (("tag", "id_descendant"),),
}


def owners(state: State, table: str, row: Row) -> set[str]:
    """Who misses this row."""
    if table in HANGS_ON:
        return {one for of, column in HANGS_ON[table] for one in owners(state, of, state.get(of, row[column]))}
    if table == "album":
        return set(state.album_owners(row["id"]))
    column = "sharedWithId" if table == "person_user" else next((c for c in ("ownerId", "userId") if c in row), None)
    if column:
        return {row[column]}
    return {state.owners[row["assetId"]]} if row.get("assetId") else set()


def is_shown(photo: Row) -> bool:
    """Whether an album shows it."""
    return photo["deletedAt"] is None and photo["status"] == "active" and photo["visibility"] in ("timeline", "archive")


def losses(gone: str, before: State, after: State) -> set[str]:
    """Tables in which others than `gone` miss a row, or find one changed, although nothing stands in for it."""
    found = set()

    def stands_in(table: str, row: Row) -> bool:
        """Whether the album still shows the same file; and the same like on it."""
        photos = before.rows("asset")
        checksum = photos[row["assetId"],]["checksum"]
        return any(
            other["assetId"] and (photos[other["assetId"],]["checksum"], is_shown(photos[other["assetId"],]))
            == (checksum, True)
            and all(row.get(name) == other.get(name) for name in ("albumId", "userId", "isLiked"))
            for other in after.rows(table).values()
        )  # fmt: skip

    for table, rows in before.tables.items():
        for key, row in rows.items():
            now = after.get(table, *key)
            if now is not None and all(now[name] == row[name] for name in row.keys() - CHOSEN_BY_IMMICH):
                continue
            if owners(before, table, row) <= {gone}:
                continue
            if table == "album_asset" and before.owners[row["assetId"]] == gone and (
                not is_shown(before.get("asset", row["assetId"])) or stands_in(table, row)
            ):  # fmt: skip
                continue
            if table == "activity" and row["assetId"] and row["isLiked"] and stands_in(table, row):
                continue
            found.add(table)
    return found


def lost_with(library: Library, gone: str) -> set[str]:
    """Delete the account, with the nights before and after; the tables in which others lose something."""
    clean_people(library)
    before = State(library.snapshot())
    assert delete_as_immich(library, gone)
    clean_people(library)
    return losses(gone, before, State(library.snapshot()))


def breaking(check: transfer.AccountCheck) -> set[str]:
    """What is named as going or breaking for others."""
    return {entry.kind for entry in check.tied if transfer.TIES[entry.kind].weight == transfer.BREAKS}


def judge(library: Library, params: dict[str, Any], user: str, disk: Disk | None = None) -> transfer.AccountCheck:
    """Look at the account, delete it as Immich does, with the night's clean-up, and compare."""
    clean_people(library)
    full = library.snapshot()
    check = transfer.account_ties(params, user)
    assert library.snapshot() == full
    files = {row: path for row, path in disk.paths().items() if row[1] != user} if disk else {}
    done = delete_as_immich(library, user, disk.folder if disk else None)
    lost_files = [path for path in files.values() if disk and not disk.at(path).exists()]
    assert bool(lost_files) <= bool(breaking(check) & {"file", "file_odd"}), lost_files
    if not done:
        assert "stack" in breaking(check)
        return check
    clean_people(library)
    lost = losses(user, State(full), State(library.snapshot()))
    for table in lost:
        assert breaking(check) & NAMES.get(table, {"library_others"}), f"{table} of others went unnamed"
    keeps_people = set() if library.has_people_groups else {"person_faces"}  # before, the night left them
    # a stack of others that only gets smaller is told too, an album that only this account can see into is not lost
    for code in breaking(check) - {"file", "file_odd", "stack", "album_others", *keeps_people}:
        assert any(code in NAMES.get(table, {"library_others"}) for table in lost), f"{code} was named in vain"
    assert not (check.can_go and (lost or lost_files))
    return check


@pytest.fixture
def disk(library, params, tmp_path) -> Disk:
    return known_media(library, params, tmp_path)


def test_every_kind_is_in_words() -> None:
    """None is without a way to go that the screen knows, unless it is no reason against the deletion."""
    for code, tie in transfer.TIES.items():
        assert all(tie.words) and transfer.WAYS[tie.way], code
        assert bool(tie.way) == (tie.weight in (transfer.BREAKS, transfer.LOST_WITH_IT)), code


# ---- what hangs on an account, and the way to its end ---------------------------------------------------------------


@dataclass
class World:
    """A library with Anna, whose account is to go, Ben and Carla."""

    lib: Library
    params: dict[str, Any]
    anna: str
    ben: str
    carla: str

    def hers(self, **how: Any) -> str:
        return self.lib.asset(self.anna, **how)

    def his(self) -> str:
        return self.lib.asset(self.ben)

    def codes(self) -> dict[str, int]:
        """What hangs on Anna's account now, by code."""
        return {entry.kind: entry.count for entry in transfer.account_ties(self.params, self.anna).tied}

    def copy(self, owner: str = "", **how: Any) -> str:
        """The same file, of Ben's unless another is named."""
        return self.lib.asset(owner or self.ben, "same.jpg", checksum=SAME, **how)

    def external(self, owner: str, nas: str, name: str = "ext.jpg") -> str:
        return self.lib.asset(owner, name, library=nas, path=f"/mnt/{name}")

    def run(self, source: str, to: str, **chosen: Any) -> None:
        transfer.transfer(self.params, transfer.Request(source, to, **chosen), transfer.How(dry_run=False))


Step = Callable[[World], Any]


def everything(w: World) -> None:
    """Hand over everything, with trash, locked folder and libraries."""
    libraries = frozenset(each.id for each in transfer.list_libraries(w.params, w.anna))
    w.run(w.anna, w.ben, everything=True, trashed=True, locked=True, libraries=libraries)


def that_album(w: World) -> None:
    for album in albums_of(w.lib, w.anna, "owner"):
        w.run(w.anna, w.ben, album=album, album_itself=transfer.ALBUM_HANDED_OVER)


def repair(w: World) -> None:
    users = dict.fromkeys((w.anna, w.ben, w.carla), frozenset[str]())
    transfer.repair_all(w.params, users, transfer.How(dry_run=False))
    assert {trouble.kind for trouble in transfer.find_faults(w.params)} <= {"live", "library", "storage"}


def put_together(params: dict[str, Any], which: int, **options: Any) -> None:
    """What a repair asks at its end: the first or the second of two gets both parts."""
    for torn in transfer.find_torn(params):
        request = replace(torn.requests[which], **options)
        transfer.transfer(params, request, transfer.How(dry_run=False))


def repair_and_choose(which: int) -> Step:
    def step(w: World) -> None:
        repair(w)
        put_together(w.params, which)
        assert transfer.find_torn(w.params) == ()

    return step


def files_move(w: World) -> None:
    """As Move files does it; it has tests of its own."""
    for table, column in (("asset", "originalPath"), ("asset_file", "path"), ("person", "thumbnailPath")):
        w.lib.rows(f'update {table} set "{column}" = replace("{column}", %s, %s)', f"/{w.anna}/", f"/{w.ben}/")


def in_immich(query: str) -> Step:
    """What somebody does in Immich, or Immich itself."""
    return lambda w: w.lib.rows(adapted(w.lib, query))


def copy_beside_album(w: World) -> None:
    """An album that was handed over, in which one photo of both was left."""
    w.copy()
    w.lib.album(w.ben, "His", [w.copy(w.anna)], members={w.anna: "editor"})


def copy_that_goes_too(w: World) -> None:
    """The other one with that file is marked for deletion."""
    w.copy(w.anna)
    w.copy(w.carla)
    w.lib.rows("""update "user" set "deletedAt" = now(), status = 'deleted' where id = %s""", w.carla)


def comment_on_hers(w: World) -> None:
    photo = w.hers()
    w.lib.comment(w.lib.album(w.carla, "Hers", [photo]), w.carla, "Nice", asset=photo)


def comment_beside_a_copy(w: World) -> None:
    """Ben's photo of the same file is in the album, too; there the comment goes, and of two likes one stays."""
    old, new = w.copy(w.anna), w.copy()
    album = w.lib.album(w.carla, "Hers", [old, new], members={w.ben: "editor"})
    w.lib.comment(album, w.carla, "Nice", asset=old)
    for photo in (old, new):
        w.lib.like(album, w.carla, asset=photo)


def partners_things(w: World) -> None:
    photo = w.hers()
    w.lib.partner(w.anna, w.carla)
    w.lib.memory(w.carla, [photo, w.lib.asset(w.carla)])
    w.lib.link(w.carla, assets=[photo])


def partners_in_her_link(w: World) -> None:
    w.lib.partner(w.ben, w.anna)
    w.lib.link(w.anna, assets=[w.his()])


def tag_below(w: World) -> None:
    below = w.lib.tag(w.ben, "Rome")
    w.lib.rows('update tag set "parentId" = %s where id = %s', w.lib.tag(w.anna, "Trips"), below)


def face_by_hand(w: World) -> None:
    w.lib.face(w.his(), w.lib.person(w.anna, "Lea"))


def known_from_hers(w: World) -> None:
    """Ben knows her person, and has no photo of it; from 3.2 in a common group."""
    if w.lib.has_people_groups:
        w.lib.cluster(w.anna, w.ben)
    w.lib.face(w.hers(), w.lib.person(w.ben, "Lea"))


def shared_person(w: World) -> None:
    lea = w.lib.person(w.anna, "Lea")
    w.lib.face(w.hers(), lea)
    w.lib.share_person(lea, by=w.anna, to=w.ben)


def in_her_library(w: World) -> None:
    w.external(w.ben, w.lib.library(w.anna, "NAS"))


EMPTY_TRASH = in_immich("""delete from asset where "deletedAt" is not null""")
END_LINKS = in_immich("delete from shared_link")

EITHER = (repair_and_choose(0), repair_and_choose(1))
PUT_ALL_INTO_ALBUM = in_immich(
    """insert into album_asset (<album_asset.albumId>, <album_asset.assetId>)
       select al.id, a.id from album al, asset a on conflict do nothing"""
)

# How the plant is named, what hangs on the account then, and each way that the sentence of the first tells.
TIES: dict[str, tuple[Step, dict[str, int], tuple[Step, ...]]] = {
    "her library": (in_her_library, {"library_others": 1}, EITHER),
    "his library": (lambda w: w.external(w.anna, w.lib.library(w.ben, "NAS")), {"astray": 1}, EITHER),
    "library being deleted": (
        lambda w: (in_her_library(w), w.lib.rows('update library set "deletedAt" = now()')),
        {"library_others": 1},
        (in_immich("delete from library"),),
    ),
    "album members": (
        lambda w: w.lib.album(w.anna, "Trip", [], members={w.ben: "editor", w.carla: "viewer"}),
        {"album_others": 1},
        (everything, that_album),
    ),
    "album comment": (
        lambda w: w.lib.comment(w.lib.album(w.anna), w.carla, "Nice"), {"album_others": 1}, (everything, that_album)
    ),
    "album filled": (
        lambda w: w.lib.album(w.anna, "Trip", [w.lib.asset(w.carla)]),
        {"album_others": 1, "album": 1},
        (everything, that_album),
    ),
    "album link of another": (
        lambda w: w.lib.link(w.ben, album=w.lib.album(w.anna)), {"album_others": 1}, (everything, that_album)
    ),
    "photo in his album": (
        lambda w: w.lib.album(w.ben, "His", [w.hers()], members={w.anna: "editor"}),
        {"album_photo": 1, "photo": 1},
        (everything,),
    ),
    "copy not in his album": (
        copy_beside_album, {"album_photo": 1, "copied": 1}, (everything, PUT_ALL_INTO_ALBUM)
    ),
    "comment": (comment_on_hers, {"comment": 1, "album_photo": 1, "photo": 1}, (everything,)),
    "comment beside a copy": (comment_beside_a_copy, {"comment": 1, "copied": 1}, (everything,)),
    "partner's memory and link": (
        partners_things,
        {"link_of_partner": 1, "memory_of_partner": 1, "photo": 1},
        (everything, in_immich("delete from memory; delete from shared_link")),
    ),
    "memory by hand": (lambda w: w.lib.memory(w.carla, [w.hers()]), {"in_memory": 1, "photo": 1}, (repair,)),
    "link by hand": (lambda w: w.lib.link(w.carla, assets=[w.hers()]), {"in_link": 1, "photo": 1}, (repair,)),
    "comment of hers": (lambda w: w.lib.comment(w.lib.album(w.ben), w.anna, "Nice"), {"own_comment": 1}, ()),
    "tag by hand": (
        lambda w: w.lib.tag_assets(w.lib.tag(w.carla, "Hers"), w.hers()), {"in_tag": 1, "photo": 1}, (repair,)
    ),
    "tag of hers": (lambda w: w.lib.tag_assets(w.lib.tag(w.anna, "Hers"), w.his()), {"tag_others": 1}, (repair,)),
    "tag below": (tag_below, {"tag_below": 1}, (in_immich("delete from tag where value = 'Rome'"),)),
    "live photo": (
        lambda w: w.lib.asset(w.ben, live_video=w.hers(kind="VIDEO", visibility="hidden")),
        {"live": 1, "photo": 1},
        EITHER,
    ),
    "her photo on top": (lambda w: w.lib.stack(w.ben, [w.hers(), w.his()]), {"stack": 1, "photo": 1}, (repair,)),
    "stack that shows hers": (
        lambda w: w.lib.stack(w.ben, [w.his(), w.his()], primary=w.hers()), {"stack": 1, "photo": 1}, (repair,)
    ),
    "face": (face_by_hand, {"face": 1}, (repair,)),
    "face in a common group": (
        lambda w: (w.lib.cluster(w.anna, w.ben), face_by_hand(w)), {"face": 1}, (repair,)
    ),
    "known from hers": (known_from_hers, {"person_faces": 1, "photo": 1}, (everything,)),
    "shared person": (
        shared_person, {"person_share": 1, "photo": 1}, (in_immich("delete from person_user"),)
    ),
    "photo": (lambda w: w.hers(), {"photo": 1}, (everything,)),
    "live photo of hers": (lambda w: w.lib.live(w.anna), {"photo": 2}, (everything,)),
    "copy of an account that goes too": (copy_that_goes_too, {"photo": 1}, (everything,)),
    "half": (
        lambda w: (w.copy(), w.hers(live_video=w.copy(w.anna, visibility="hidden"))),
        {"half": 1, "copied": 1},
        (lambda w: (w.lib.rows('delete from asset where "ownerId" = %s', w.ben), everything(w)),),
    ),
    "in his trash": (
        lambda w: (w.copy(trashed=True), w.copy(w.anna)),
        {"in_trash": 1},
        (
            in_immich("""update asset set "deletedAt" = null, status = 'active'"""),
            lambda w: (EMPTY_TRASH(w), everything(w)),
        ),
    ),
    "trashed": (lambda w: w.hers(trashed=True), {"trashed": 1}, (everything, EMPTY_TRASH)),
    "locked": (lambda w: w.hers(visibility="locked"), {"locked": 1}, (everything,)),
    "unfinished": (
        lambda w: w.lib.move_history(w.hers()),
        {"unfinished": 1},
        (lambda w: (w.lib.rows("delete from move_history"), everything(w)),),
    ),
    "external": (lambda w: w.external(w.anna, w.lib.library(w.anna)), {"external": 1}, (everything,)),
    "album": (
        # what is in it stays, since Ben has it
        lambda w: (w.copy(), w.lib.album(w.anna, "Alone", [w.copy(w.anna)])), {"album": 1, "copied": 1}, (everything,)
    ),
    "link": (lambda w: w.lib.link(w.anna, assets=[w.hers()]), {"link": 1, "photo": 1}, (everything,)),
    "link to her album": (
        lambda w: w.lib.link(w.anna, album=w.lib.album(w.anna)), {"link": 1}, (everything, END_LINKS)
    ),
    "link to his album": (
        lambda w: w.lib.link(w.anna, album=w.lib.album(w.ben, "His", [w.his()])), {"link": 1}, (everything, END_LINKS)
    ),
    "link to his photo": (partners_in_her_link, {"link_others": 1}, (END_LINKS,)),
}  # fmt: skip
NEEDS = {"shared person": "has_person_sharing", "face in a common group": "has_people_groups"}

# What the group says under which the first is told; a library being deleted is waited for.
FOLLOWED = {everything: transfer.EVERYTHING, repair: transfer.REPAIR, EITHER[0]: transfer.REPAIR}
WAYS = [(name, number) for name, (_plant, _codes, ways) in TIES.items() for number in range(-1, len(ways))]


@pytest.fixture
def world(library, params, anna, ben, carla) -> World:
    return World(library, params, anna, ben, carla)


@pytest.mark.cases
@pytest.mark.every_version
@pytest.mark.parametrize(("name", "number"), WAYS, ids=lambda value: str(value).replace(" ", "-"))
def test_each_tie_is_told_and_its_way_leads_to_the_end(world: World, name: str, number: int) -> None:
    """At once (-1) others lose what was told. After what the group says, the deletion takes nothing from anybody."""
    plant, wanted, ways = TIES[name]
    if not getattr(world.lib, NEEDS.get(name, "rows")):
        pytest.skip("there is none in this version")
    plant(world)
    world.lib.settle_usage()
    assert world.codes() == wanted
    stops = any(transfer.TIES[code].way for code in wanted)
    assert transfer.account_ties(world.params, world.anna).can_go != stops
    first = next(iter(wanted))
    if number == 0 and name != "library being deleted":
        assert transfer.TIES[first].way == FOLLOWED.get(ways[0], transfer.IN_IMMICH)
    if number >= 0:
        ways[number](world)
        assert first not in world.codes()
        everything(world)
        files_move(world)
        left = transfer.account_ties(world.params, world.anna)
        assert left.can_go, left.tied
    judge(world.lib, world.params, world.anna)


@pytest.mark.every_version
@pytest.mark.parametrize("name", ["link to his album", "comment beside a copy", "copy not in his album"])
def test_what_went_along_with_everything_comes_back(world: World, name: str, tmp_path) -> None:
    TIES[name][0](world)
    world.lib.settle_usage()
    before = world.lib.snapshot(ignore=NOT_PUT_BACK)
    request = transfer.Request(world.anna, world.ben, everything=True)
    transfer.transfer(world.params, request, transfer.How(dry_run=False, undo_folder=tmp_path))
    assert world.lib.snapshot(ignore=NOT_PUT_BACK) != before
    (past,) = transfer.list_past(world.params, tmp_path)
    transfer.undo(world.params, past.path, transfer.How(dry_run=False))
    assert world.lib.snapshot(ignore=NOT_PUT_BACK) == before


# ---- stories --------------------------------------------------------------------------------------------------------


@pytest.mark.every_version
def test_files_of_others_are_counted_by_kind_and_really_go(library, params, disk, anna, ben) -> None:
    photo = library.asset(ben, "b.jpg", path=f"{ROOT}/upload/{anna}/aa/b.jpg", sidecar=True)
    library.face(photo, library.person(ben, "Lea", thumbnail=f"{ROOT}/thumbs/{anna}/aa/l.jpeg"))
    library.rows("""update "user" set "storageLabel" = 'anna' where id = %s""", anna)
    library.asset(ben, "c.jpg", path=f"{ROOT}/library/anna/2024/c.jpg")
    library.asset(ben, "d.jpg", path=f"{ROOT}/library/annabelle/2024/d.jpg")  # of nobody's account
    disk.make()
    assert disk.at(f"{ROOT}/upload/{anna}/aa/b.jpg").exists()
    check = judge(library, params, anna, disk)
    (entry,) = check.tied
    assert (entry.kind, entry.count) == ("file", 4)
    assert entry.examples == ("original", "person", "sidecar")
    assert not check.can_go


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("upload/upload/{anna}/aa/x.jpg", "file"),  # relative, from before 1.136
        ("upload/library/hers/2019/x.jpg", "file"),
        ("/usr/src/app/upload/upload/{anna}/aa/x.jpg", "file"),  # an older mount
        ("/photos/thumbs/{anna}/aa/x.webp", "file"),
        ("/data/library/{anna}/2019/x.jpg", "file"),  # Ben's storage label is her id
        ("/srv/x.jpg", "file_odd"),
        ("/data/upload/../x.jpg", "file_odd"),
        ("/data/upload/{ben}/../{anna}/aa/x.jpg", "file_odd"),
        ("/data/upload/{anna}/aa/external.jpg", "file_odd"),
        ("/mnt/immich/upload/{anna}/aa/external.jpg", "file_odd"),  # a library reaches it by another mount
    ],
)
def test_it_never_says_yes_while_a_file_of_others_may_lie_in_its_folders(
    library, params, disk, anna, ben, path, code
) -> None:
    """Immich deletes the folders by the account's id and label, however the paths in the database begin."""
    label = "hers" if "hers" in path else None
    library.rows('update "user" set "storageLabel" = %s where id = %s', label, anna)
    if "/data/library" in path:
        library.rows('update "user" set "storageLabel" = %s where id = %s', anna, ben)
    nas = library.library(ben) if "external" in path else None
    library.asset(ben, "x.jpg", path=path.format(anna=anna, ben=ben), library=nas)
    check = transfer.account_ties(params, anna)
    assert breaking(check) == {code}
    assert not check.can_go


def test_when_the_folder_cannot_be_told_it_never_says_yes(library, params, anna, ben) -> None:
    """Somebody's folder is everybody's."""
    library.asset(ben, path=f"/data/upload/{ben}/aa/a.jpg")
    library.rows("""update "user" set "storageLabel" = '..' where id = %s""", anna)
    with pytest.raises(transfer.LabelOdd):
        transfer.account_ties(params, anna)
    library.rows("""update "user" set "storageLabel" = null""")
    assert transfer.account_ties(params, anna).can_go


def test_an_account_that_has_gone_is_said(params) -> None:
    with pytest.raises(transfer.TransferError, match="not there any more"):
        transfer.account_ties(params, new_id())


def test_examples_are_few_and_by_name(library, params, anna) -> None:
    for number in range(9):
        library.asset(anna, f"{number}.jpg")
    (entry,) = transfer.account_ties(params, anna).tied
    assert (entry.count, entry.examples) == (9, tuple(f"{number}.jpg" for number in range(5)))


def test_it_waits_for_no_lock_and_holds_none(library, params, anna, ben) -> None:
    """Immich may be at work on every row meanwhile."""
    library.album(anna, "Trip", [library.asset(anna)], members={ben: "editor"})
    other = psycopg2.connect(**params)
    try:
        with other.cursor() as cursor:
            for table in ("asset", "album", "album_asset", '"user"'):
                cursor.execute(f"select 1 from {table} for update")
            assert not transfer.account_ties({**params, "options": "-c lock_timeout=1s"}, anna).can_go
    finally:
        other.close()


def test_rows_on_a_foreign_key_that_nobody_knows_are_named(library, params, anna) -> None:
    """Of a newer Immich, or of an addition: it cannot be told what they mean, so it never says yes."""
    library.rows('create table "Odd table" (thing uuid references "user" (id))')
    try:
        (entry,) = transfer.account_ties(params, anna).tied
        assert (entry.kind, entry.count) == ("unknown", 1) and "Odd table" in entry.examples[0]
    finally:
        library.rows('drop table "Odd table"')


def test_libraries_of_chance(version, pool) -> None:
    """What the deletion takes of others, in whatever library, was named; and nothing was named in vain."""

    @examples(f"account {version}", 10 if EVERYTHING else 3, plans())
    def look(plan: Plan) -> None:
        for number in range(3):
            with pool.library(version) as library:
                world = build(library, plan)
                judge(library, world.params, world.users[number])

    look()


# ---- the screen -----------------------------------------------------------------------------------------------------


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("account")) as made:
        library = made.library
        old = library.asset(made.alice, "lake.jpg", checksum=SAME)
        new = library.asset(made.bob, "lake.jpg", checksum=SAME)
        album = library.album(made.bob, "Trip", [old, new], members={made.alice: "editor"})
        library.comment(album, made.bob, "Nice \x1b[31m one", asset=old)
        library.session(made.alice)
        library.user("Gone", deleted=True)
        made.save()
        yield made


def check(terminal: Terminal, account: str) -> str:
    """What entry 11 says of an account, up to the question below it."""
    terminal.menu("11")
    terminal.pick("Account that is to be deleted", account)
    return terminal.until(PAUSE).partition("DELETING AN ACCOUNT")[2]


@pytest.mark.screens
def test_the_screen_says_what_hangs_on_it_and_whether_it_can_be_deleted(there: Installation) -> None:
    before = there.library.snapshot()
    with Terminal(there.path) as terminal:
        terminal.menu("11")
        assert "Gone <gone@example.com>  [marked for deletion]" in terminal.until("[back]: ")
        terminal.type()
        screen = check(terminal, "alice@")
        for text in (
            "✗ Not yet. Others would lose 1 thing.",
            "4, everything to somebody  solves 1: 1 comment or like of another user on its photos",
            "Goes with it               1: 1 photo of which another user has the same file",
        ):
            assert text in screen, screen
        terminal.type("d")
        assert "(Nice [31m one)" in terminal.until(PAUSE)
        terminal.type()
        there.library.rows("delete from activity")
        assert "✓ Nothing is lost: it can be deleted." in check(terminal, "alice@")
        terminal.type()
        there.library.asset(there.library.value("""select id from "user" where name = 'Gone'"""))
        screen = " ".join(check(terminal, "gone@").split())
        assert "Not yet. 1 thing of Gone's is nowhere else. It is marked for deletion" in screen
        terminal.type()
        assert "The API key of this tool belongs to this account" in check(terminal, "root@")
    there.library.rows("delete from asset where \"originalFileName\" <> 'lake.jpg'")
    changed = {table for table, rows in there.library.snapshot().items() if rows != before[table]}
    assert changed <= {"activity", "asset_audit"}


@pytest.mark.screens
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_whatever_hangs_on_it_the_verdict_and_the_keys_are_on_one_screen(
    there: Installation, house: World, columns: int
) -> None:
    """With all ties at once, hundreds of each; `d` has all of them."""
    for name, (plant, _codes, _ways) in TIES.items():
        if getattr(house.lib, NEEDS.get(name, "rows")):
            with suppress(psycopg2.errors.UniqueViolation):  # the same file once more
                plant(house)
    for number in range(500):
        house.lib.album(house.anna, f"Album {number} with a rather long name", [house.hers()])
    with Terminal(there.path, size=(24, columns)) as terminal:
        screen = check(terminal, "alice@")
        assert screen.count("\n") <= 22, screen
        words = " ".join(screen.split())
        assert "✗ Not yet. Others would lose" in words and "are nowhere else." in words
        assert words.index("4, everything to somebody solves") < words.index("6, repair, for all of them solves")
        assert "In Immich" in words and "d details" in words
        terminal.type("d")
        every = terminal.until(PAUSE)
    check_ = transfer.account_ties(there.params, there.alice)
    for entry in check_.tied:
        assert transfer.number_of(entry.count, *transfer.TIES[entry.kind].words) in " ".join(every.split())


@pytest.fixture
def house(there: Installation) -> World:
    return World(there.library, there.params, there.alice, there.bob, there.library.user("Carla"))


@pytest.mark.screens
@pytest.mark.parametrize(
    "lying, says",
    [
        ({}, "Before a's account is deleted, ask 11."),
        ({("a", "b"): {"original": 2}}, "Do not delete a's account yet: 2 files of b's lie in its folders"),
        (None, "Do not delete a's account yet: files of b's lie in its folders"),
    ],
)
def test_after_a_transfer_the_account_is_not_forgotten(monkeypatch, lying, says: str) -> None:
    monkeypatch.setattr(transfer, "list_lying", lambda _config: lying)
    state = transfer.State(Path("config.py"), transfer.Config("", "", {}))
    users = [transfer.User(name, f"{name}@example.com", name) for name in "ab"]
    assert transfer.steps_after(state, *users)[0].startswith(says)
