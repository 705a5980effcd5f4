"""Repair of all that careless transfers leave: nothing is wrong afterwards, for whoever it was done; and its undo."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

import transfer
from tests import family, postgres
from tests.conftest import EVERYTHING, repair_one, usage, usage_by_immich
from tests.library import TAKEN, Library
from tests.model import State, Trouble
from tests.random_library import WRONG, Plan, World, adapted, build, ids, leave_cluster, plans
from tests.test_account import lost_with, put_together
from tests.test_faults import PLANTS, give
from tests.test_undo_random import NOT_PUT_BACK, difference, examples

# What a repair leaves and names: halves of live photos, libraries, albums without an owner; what Immich makes itself.
LEFT = {
    "live photo torn",
    "photo in another's library",
    "album with other than one owner",
    "person in another cluster group than its owner",
    *("lone duplicate", "tag not found by search", "memory without photos", "link without photos", "stack of one"),
    *("picture of nothing", "person that nobody has"),
}


def wrong(library: Library) -> set[Trouble]:
    """What the model finds wrong in the whole database, that is not legal in Immich and that a repair mends."""
    state = State(library.snapshot())
    partners = set(state.rows("partner"))

    shared = {(to, group) for group, _by, to in state.rows("person_user")}

    def is_legal(trouble: Trouble) -> bool:
        if trouble.kind == "person in another cluster group than its owner":
            return trouble.ids in shared
        if trouble.kind == "featured photo of another's":
            # of one who knows the same person (3.2): Immich's thumbnail job takes any face of the group
            _owner, group, face = trouble.ids
            return state.owners[state.rows("asset_face")[(face,)]["assetId"]] in state.knowing[group]
        if trouble.kind not in ("photo in another's memory", "photo in another's link"):
            return False
        owned, column = ("memory", "ownerId") if "memory" in trouble.kind else ("shared_link", "userId")
        holder = state.rows(owned)[(trouble.ids[1],)][column]
        return (state.owners[trouble.ids[0]], holder) in partners

    return {trouble for trouble in state.troubles if trouble.kind not in LEFT and not is_legal(trouble)}


def mend_all(
    library: Library, params: dict[str, Any], users: list[str], folder: Path | None = None, **more: Any
) -> Any:
    """A repair for several users, after its dry run, which changes nothing and says the same."""
    merges = dict.fromkeys(users, frozenset())
    before = library.snapshot()
    shown = transfer.repair_all(params, merges, transfer.How(dry_run=True), **more)
    assert library.snapshot() == before
    done = transfer.repair_all(
        params, merges, transfer.How(dry_run=False, expected_digest=shown.digest, undo_folder=folder), **more
    )
    assert done.wrong_after == 0
    assert [user for user, _part in done.parts] == [user for user, _part in shown.parts]
    return done


def undo_all(library: Library, params: dict[str, Any], folder: Path) -> None:
    """Take back the runs that were made, the last one first."""
    for past in transfer.list_past(params, folder):
        assert " 0 " not in transfer.past_line(past)
        shown = transfer.undo(params, past.path, transfer.How(dry_run=True))
        transfer.undo(params, past.path, transfer.How(dry_run=False, expected_digest=shown.digest))


# ---- each kind by itself --------------------------------------------------------------------------------------------


@pytest.mark.cases
@pytest.mark.every_version
@pytest.mark.parametrize(
    "plant",
    [plant for plant in PLANTS if plant.__name__ not in ("plant_library", "plant_twice", "plant_live")],
    ids=lambda plant: plant.__name__.removeprefix("plant_"),
)
def test_what_is_wrong_is_mended_once_and_can_be_taken_back(
    library, anna, ben, params, tmp_path, plant: Callable[[Library, str, str], set]
) -> None:
    owners = {owner for _kind, owner in plant(library, anna, ben)}
    if plant.__name__ != "plant_storage":
        library.settle_usage()
    for user in sorted(owners):
        before, folder = library.snapshot(ignore=(*NOT_PUT_BACK, "user.quotaUsageInBytes")), tmp_path / user
        mend_all(library, params, [user], folder)
        assert transfer.find_faults(params) == ()
        assert wrong(library) == set()
        assert usage(library, user) == usage_by_immich(library, user)
        again = library.snapshot()
        assert repair_one(params, user, transfer.How(dry_run=False)).parts == ()
        assert library.snapshot() == again
        undo_all(library, params, folder)
        left = difference(before, library.snapshot(ignore=(*NOT_PUT_BACK, "user.quotaUsageInBytes")))
        left = [
            line for line in left if not line.endswith("role was editor, is owner")
        ]  # without one nobody could end it
        assert not left, "\n".join(left)


@pytest.mark.every_version
@pytest.mark.parametrize("name", ["library", "live", "twice"])
def test_what_a_repair_does_not_mend_by_itself_ends_as_it_is_said(library, anna, ben, params, name) -> None:
    """It is asked who is to have both; or one of two is deleted in Immich."""
    {plant.__name__: plant for plant in PLANTS}[f"plant_{name}"](library, anna, ben)
    library.settle_usage()
    (trouble, *_) = transfer.find_faults(params)
    assert trouble.kind not in transfer.mended_kinds()
    if name == "twice":
        library.rows("delete from asset where id = (select min(id::text)::uuid from asset)")
        library.settle_usage()
    put_together(params, 1)
    assert transfer.find_faults(params) == ()


# ---- careless transfers ---------------------------------------------------------------------------------------------


def by_hand(library: Library, source: str, destination: str) -> None:
    """A bare UPDATE of half of the photos."""
    photos = ids(library, 'select id from asset where "ownerId" = %s and "libraryId" is null order by id', source)
    allowed = ids(
        library,
        """select a.id from asset a where a."ownerId" = %s and not exists (
               select from asset b where b."ownerId" = %s and b.checksum = a.checksum)""",
        *(source, destination),
    )
    give(library, destination, *[photo for photo in photos[::2] if photo in allowed])


def by_the_faq(library: Library, source: str, destination: str) -> None:
    """What Immich's FAQ once told: albums, people and photos get another owner, and nothing else does."""
    if library.has_album_owner_rows:
        library.rows('delete from album_user where role <> $$owner$$ and "userId" = %s', destination)
        library.rows(
            'update album_user set "userId" = %s where role = $$owner$$ and "userId" = %s', destination, source
        )
    else:
        library.rows(adapted(library, "delete from album_user where <album_user.userId> = %s"), destination)
        library.rows('update album set "ownerId" = %s where "ownerId" = %s', destination, source)
    known = ""
    if library.has_people_groups:  # it is older than these: whoever did it then had to go round the keys
        if library.has_person_sharing:
            library.rows("delete from person_user")
        known = """and not exists (
            select from person o where o."personGroupId" = p."personGroupId" and o."ownerId" = %s)"""
    values = (destination, source) + (destination,) * bool(known)
    library.rows(f'update person p set "ownerId" = %s where "ownerId" = %s {known}', *values)
    library.rows(
        """update asset set "ownerId" = %s where "ownerId" = %s and "libraryId" is null
           and checksum not in (select checksum from asset where "ownerId" = %s)""",
        *(destination, source, destination),
    )


def by_another_tool(library: Library, source: str, destination: str) -> None:
    """Photos, and people of the destination's own for their faces, as tools did it that know of nothing else. The
    featured photos stay where they were.
    """
    person, face_person = library.name("person", "personGroupId"), library.name("asset_face", "personGroupId")
    by_hand(library, source, destination)
    for group in ids(
        library,
        f"""select distinct f."{face_person}" from asset_face f join asset a on a.id = f."assetId"
            join person p on p."{person}" = f."{face_person}" and p."ownerId" = %s where a."ownerId" = %s order by 1""",
        *(source, destination),
    ):
        made = library.person(destination, "Somebody", thumbnail="")
        library.rows(
            f"""update asset_face f set "{face_person}" = %s from asset a
                where a.id = f."assetId" and a."ownerId" = %s and f."{face_person}" = %s""",
            *(made, destination, group),
        )


CARELESS = {"by hand": by_hand, "by the FAQ": by_the_faq, "by another tool": by_another_tool}


@pytest.mark.long
@pytest.mark.every_version
@pytest.mark.parametrize("careless", CARELESS)
def test_after_a_careless_transfer_all_is_mended_for_all(library, params, tmp_path, careless) -> None:
    people = family.build(library, older_transfer=True)
    CARELESS[careless](library, people.alice, people.bob)
    users = [people.alice, people.bob, people.carol]
    before, was_wrong = library.snapshot(ignore=(*NOT_PUT_BACK, "user.quotaUsageInBytes")), wrong(library)
    assert was_wrong
    mend_all(library, params, users, tmp_path)
    assert wrong(library) == set()
    assert transfer.repair_all(params, dict.fromkeys(users, frozenset()), transfer.How(dry_run=False)).parts == ()
    undo_all(library, params, tmp_path)
    left = difference(before, library.snapshot(ignore=(*NOT_PUT_BACK, "user.quotaUsageInBytes")))
    if careless == "by the FAQ" and library.has_people_groups:  # people of a foreign cluster group stay mended
        assert {trouble.ids for trouble in wrong(library)} <= {trouble.ids for trouble in was_wrong}
    else:
        assert not left, "\n".join(left)


def people_of(library: Library) -> set[tuple[str, ...]]:
    """Whose people there are, each with the photo of their picture and the photos that they are seen on."""
    return {
        row
        for row in library.rows(
            """select u.name, p.name, coalesce(shown."originalFileName", '-'), p."thumbnailPath" <> '', (
                   select string_agg(a."originalFileName", ' ' order by 1) from asset_face f
                   join asset a on a.id = f."assetId" and a."ownerId" = u.id
                   where f."personGroupId" = p."personGroupId")
               from person p join "user" u on u.id = p."ownerId" left join asset_face s on s.id = p."faceAssetId"
               left join asset shown on shown.id = s."assetId" """
        )
    }


@pytest.mark.since("3.2")
def test_in_one_cluster_group_a_repair_leaves_the_people_that_a_transfer_leaves(version, pool) -> None:
    """Nobody is left without photos at the former owner's, and no picture is emptied for another's photo."""
    worlds = []
    for by_tool in (True, False):
        with pool.library(version) as library:
            anna, ben, carla = (library.user(name) for name in ("Anna", "Ben", "Carla"))
            library.cluster(anna, ben, carla)
            moves, stays = library.asset(anna, "moves.jpg"), library.asset(anna, "stays.jpg")
            lea, max_ = library.person(anna, "Lea"), library.person(anna, "Max")
            library.person(carla, "Lea", group=lea)  # who has photos of her own
            library.face(library.asset(carla, "carlas.jpg"), lea)
            library.face(moves, lea, featured=True), library.face(moves, max_, featured=True)
            library.face(stays, max_)
            album = library.album(anna, "Trip", [moves])
            library.settle_usage()
            params = postgres.server().params(library.connection.info.dbname)
            if by_tool:
                transfer.transfer(params, transfer.Request(anna, ben, album=album), transfer.How(dry_run=False))
            else:
                give(library, ben, moves)
                mend_all(library, params, [anna, ben])
            worlds.append(people_of(library))
            assert transfer.find_faults(params) == ()
    assert worlds[0] == worlds[1]


# ---- libraries of chance --------------------------------------------------------------------------------------------


def mend_and_judge(world: World, order: Sequence[int], at_once: bool, folder: Path) -> None:
    """Repair for one user after the other, or for all at once: nothing is wrong; and taken back, all is as before."""
    library, users = world.library, [world.users[number] for number in order]
    before, was_wrong = library.snapshot(ignore=(*NOT_PUT_BACK, "user.quotaUsageInBytes")), wrong(library)
    was_so = State(library.snapshot())
    for part in [users] if at_once else [[user] for user in users]:
        mend_all(library, world.params, part, folder)
        assert transfer.repair_all(world.params, dict.fromkeys(part, frozenset())).parts == ()
    assert [trouble for trouble in transfer.find_faults(world.params) if trouble.kind in transfer.mended_kinds()] == []
    assert wrong(library) == set()
    undo_all(library, world.params, folder)
    left = difference(before, library.snapshot(ignore=(*NOT_PUT_BACK, "user.quotaUsageInBytes")))
    # a row that search lacked stays; so does a stack of one, whose photo was on top of another stack, dissolved
    broken = {trouble.ids[0] for trouble in was_so.troubles if trouble.kind == "stack of one"}
    left = [
        line for line in left if not line.startswith("+ tag_closure") and not any(stack in line for stack in broken)
    ]
    assert not left, "\n".join(left)
    assert wrong(library) <= was_wrong


@pytest.mark.long
def test_whatever_is_wrong_is_mended(version, pool, tmp_path) -> None:
    number = iter(range(10**9))

    @examples(
        *(f"mending {version}", 12 if EVERYTHING else 2, plans(), st.sampled_from(sorted(CARELESS))),
        *(st.permutations([0, 1, 2]), st.booleans()),
    )
    def look(plan: Plan, careless: str, order: Sequence[int], at_once: bool) -> None:
        with pool.library(version) as library:
            world = build(library, replace(plan, wrong=frozenset(WRONG)))
            CARELESS[careless](library, world.source, world.destination)
            library.settle_usage()
            mend_and_judge(world, order, at_once, tmp_path / str(next(number)))

    look()


# ---- what may be left out, and who gets which file ------------------------------------------------------------------


@pytest.fixture
def torn(library: Library, anna: str, ben: str) -> str:
    """A photo of Ben's with all that a bare UPDATE leaves on it."""
    photo, beside = library.asset(anna), library.asset(anna)
    library.stack(anna, [photo, beside, library.asset(anna)])
    library.face(photo, library.person(anna, "Lea"), featured_of=anna)
    library.feature(library.person(anna, "Max"), library.face(photo, None), owner=anna)
    library.tag_assets(library.tag(anna, "Trips/Rome"), photo)
    library.memory(anna, [photo, beside])
    library.link(anna, assets=[photo, beside])
    give(library, ben, photo)
    library.rows('update "user" set "quotaUsageInBytes" = 7 where id = %s', ben)
    return photo


@pytest.mark.cases
@pytest.mark.parametrize("kind", sorted({*transfer.mended_kinds()} - {"duplicate", "cover", "album owner"}))
def test_a_kind_that_is_left_out_stays_as_it_is(library, params, ben, torn, kind) -> None:
    def kinds() -> set[str]:
        return {trouble.kind for trouble in transfer.find_faults(params)}

    assert kinds() == set(transfer.mended_kinds()) - {"duplicate", "cover", "album owner"}
    done = repair_one(params, ben, transfer.How(dry_run=False), leave=frozenset([kind]))
    assert done.wrong_after == 0
    assert kinds() == {kind}
    repair_one(params, ben, transfer.How(dry_run=False))
    assert kinds() == set()


def test_what_a_partner_may_is_left_where_it_is(library, params, anna, ben, torn) -> None:
    """Ben shares with Anna: his photo may be in her memory and her link, whatever else is wrong with it."""
    library.partner(ben, anna)
    held = [library.snapshot()[table] for table in ("memory_asset", "shared_link_asset")]
    mend_all(library, params, [ben])
    assert [library.snapshot()[table] for table in ("memory_asset", "shared_link_asset")] == held
    assert transfer.find_faults(params) == ()


def test_each_users_part_can_be_taken_back_by_itself(library, params, anna, ben, carla, torn, tmp_path) -> None:
    other = library.asset(carla)
    library.tag_assets(library.tag(anna, "Trips"), other)
    mend_all(library, params, [anna, ben, carla], tmp_path)
    runs = {past.header["destination"]["id"]: past for past in transfer.list_past(params, tmp_path)}
    assert {user: past.state for user, past in runs.items()} == dict.fromkeys((anna, ben, carla), "committed")
    transfer.undo(params, runs[carla].path, transfer.How(dry_run=False))
    assert {(trouble.kind, trouble.user) for trouble in transfer.find_faults(params)} == {("tag", carla)}
    transfer.undo(params, runs[ben].path, transfer.How(dry_run=False))
    assert {trouble.kind for trouble in transfer.find_faults(params)} >= {"tag", "link", "memory", "face"}


def test_what_changes_meanwhile_stops_all_of_it(library, params, anna, ben, torn, tmp_path) -> None:
    merges = {user: frozenset() for user in (anna, ben)}
    shown = transfer.repair_all(params, merges)
    library.tag_assets(library.tag(anna, "Zoo"), torn)
    before = library.snapshot()
    with pytest.raises(transfer.Changed):
        transfer.repair_all(
            params, merges, transfer.How(dry_run=False, expected_digest=shown.digest, undo_folder=tmp_path)
        )
    assert library.snapshot() == before
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_changed_and_no_file(
    library, params, anna, ben, carla, torn, tmp_path, monkeypatch
) -> None:
    library.tag_assets(library.tag(anna, "Trips"), library.asset(carla))
    before, write, written = library.snapshot(), transfer.write_journal, []

    def full(*args: Any) -> Path:
        if written:
            raise transfer.TransferError("The disk is full.")
        written.append(write(*args))
        return written[0]

    monkeypatch.setattr(transfer, "write_journal", full)
    with pytest.raises(transfer.TransferError, match="full"):
        transfer.repair_all(
            params, dict.fromkeys([ben, carla], frozenset()), transfer.How(dry_run=False, undo_folder=tmp_path)
        )
    assert library.snapshot() == before
    assert written
    assert list(tmp_path.iterdir()) == []


def test_phones_of_whose_memory_it_was_start_over(library, params, anna, ben, carla) -> None:
    library.memory(anna, [library.asset(ben), library.asset(anna)])
    for user in (anna, ben, carla):
        library.session(user)
    mend_all(library, params, [ben])
    assert set(library.rows('select "userId" from session where "isPendingSyncReset"')) == {(anna,), (ben,)}


def test_the_newest_photo_that_is_shown_becomes_the_cover(library, params, anna) -> None:
    old, new, gone = (library.asset(anna, taken=TAKEN + timedelta(days=day), trashed=day == 2) for day in range(3))
    album = library.album(anna, assets=[old, new, gone], cover=library.asset(anna))
    mend_all(library, params, [anna])
    assert library.value('select "albumThumbnailAssetId" from album where id = %s', album) == new


# ---- afterwards -----------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.every_version
@pytest.mark.parametrize("gone", [0, 1], ids=["the old owner", "the new owner"])
def test_afterwards_the_deletion_of_either_takes_nothing_from_the_other(library, params, gone) -> None:
    people = family.build(library, older_transfer=True)
    users = [people.alice, people.bob, people.carol]
    library.rows("delete from partner")  # whose photos may be in others' memories
    by_hand(library, people.alice, people.bob)
    library.settle_usage()
    for album in ids(library, "select id from album"):
        library.rows(
            "delete from album where id = %s", album
        )  # an album goes with its owner, whoever's photos are in it
    library.rows(adapted(library, "delete from person_user")) if library.has_person_sharing else None
    mend_all(library, params, users)
    put_together(params, 0)
    assert transfer.find_faults(params) == ()
    assert lost_with(library, users[gone]) <= {"person", "person_group"}


@pytest.mark.long
def test_in_whatever_library_no_account_holds_up_or_takes_photos_of_others(version, pool) -> None:
    """Once all is mended, and live photos have one owner: each account goes, and no photo, face or tag of others."""

    @examples(f"gone {version}", 8 if EVERYTHING else 3, plans(), st.sampled_from(sorted(CARELESS)), st.integers(0, 2))
    def look(plan: Plan, careless: str, number: int) -> None:
        with pool.library(version) as library:
            world = build(library, replace(plan, wrong=frozenset(WRONG)))
            CARELESS[careless](library, world.source, world.destination)
            library.settle_usage()
            mend_all(library, world.params, world.users)
            put_together(world.params, 0, trashed=True, locked=True)
            torn = transfer.find_torn(world.params)  # those that may not move, such as external ones
            lost = lost_with(library, world.users[number])
            assert not lost & ({"asset_face", "tag_asset"} if torn else {"asset", "asset_face", "tag_asset"})

    look()


@pytest.mark.until("2.7")
def test_the_upgrade_to_3_0_loses_no_face(library, params, anna, ben, torn) -> None:
    """It deletes faces whose person has another owner than the photo (DeleteMismatchedAssetFaces)."""
    upgrade = """delete from asset_face f using person p, asset a
        where p.id = f."personId" and a.id = f."assetId" and p."ownerId" <> a."ownerId" """
    faces = library.value("select count(*) from asset_face")
    mend_all(library, params, [ben])
    library.rows(upgrade)
    assert library.value("select count(*) from asset_face") == faces


# ---- taken back after people went on --------------------------------------------------------------------------------


def take_back(library: Library, params: dict[str, Any], folder: Path, was_wrong: set[Trouble]) -> None:
    """Undo all runs, the last first: all that is wrong then was wrong before the repair, or before the undo."""
    for past in transfer.list_past(params, folder):
        now_wrong = State(library.snapshot()).troubles
        assert transfer.undo(params, past.path, transfer.How(dry_run=False)).wrong_after == 0
        newly = State(library.snapshot()).troubles - was_wrong - now_wrong
        assert not newly, newly


# What happens then: a statement, or whose photos a transfer gives to whom.
SINCE: dict[str, str | tuple[str, str]] = {
    "the tag is gone": """delete from tag where "userId" = %(anna)s""",
    "the new tag is gone": """delete from tag where "userId" = %(ben)s""",
    "the memory is gone": "delete from memory",
    "the link is gone": "delete from shared_link",
    "the link is another's": """update shared_link set "userId" = %(carla)s""",
    "the photos are a third's": ("ben", "carla"),
    "the photos went back": ("ben", "anna"),
    "what was beside is a third's": ("anna", "carla"),
    "what was beside is the new owner's": ("anna", "ben"),
    "the stack is dissolved": """
        update asset set "stackId" = null where "ownerId" = %(anna)s; delete from stack where "ownerId" = %(anna)s""",
    "what was beside is gone": """
        delete from stack where "ownerId" = %(anna)s; delete from asset where "ownerId" = %(anna)s""",
    "a photo is gone": "delete from asset where id = %(photo)s",
    "a photo is a third's": """
        delete from asset_face where "assetId" = %(photo)s; delete from tag_asset where "assetId" = %(photo)s;
        update asset set "ownerId" = %(carla)s where id = %(photo)s""",
    "the old owner is gone": """
        delete from stack where "ownerId" = %(anna)s; delete from "user" where id = %(anna)s""",
}


@pytest.mark.long
@pytest.mark.cases
@pytest.mark.parametrize("happened", SINCE)
def test_taken_back_when_it_can_be_in_part_nothing_else_is_wrong(
    library, params, anna, ben, carla, torn, tmp_path, happened
) -> None:
    pair = [library.asset(ben), library.asset(ben)]
    library.stack(anna, [library.asset(anna), *pair, library.asset(anna)], primary=pair[0])
    library.tag_assets(library.tag(anna, "Trips/Rome"), *pair)
    library.link(anna, assets=pair, slug="pair")
    library.memory(anna, pair)
    library.partner(carla, anna)
    library.settle_usage()
    was_wrong = State(library.snapshot()).troubles
    mend_all(library, params, [ben], tmp_path)
    values = {"anna": anna, "ben": ben, "carla": carla, "photo": torn}
    if isinstance(since := SINCE[happened], str):
        with library.connection.cursor() as cursor:
            cursor.execute(since, values)
    else:
        request = transfer.Request(values[since[0]], values[since[1]], everything=True)
        transfer.transfer(params, request, transfer.How(dry_run=False))
    library.settle_usage()
    take_back(library, params, tmp_path, was_wrong)


@pytest.mark.since("3.2")
def test_a_person_does_not_go_back_to_a_cluster_group_that_its_user_left(
    library, params, anna, ben, carla, tmp_path
) -> None:
    library.cluster(carla, ben)
    max_ = library.person(ben, "Max")
    library.face(library.asset(anna), max_)
    library.settle_usage()
    was_wrong = State(library.snapshot()).troubles
    mend_all(library, params, [anna], tmp_path)
    assert library.person_row(ben, max_) is None
    leave_cluster(library, ben)
    take_back(library, params, tmp_path, was_wrong)
    assert library.person_row(anna, max_)


@pytest.mark.parametrize("column", ["deletedAt", "isVisible"])
def test_a_picture_of_anothers_does_not_come_back_when_its_face_is_gone(
    library, params, anna, ben, tmp_path, column
) -> None:
    if not library.has("asset_face", column):
        pytest.skip("there no face is hidden")
    max_ = library.person(anna, "Max")
    library.feature(max_, face := library.face(library.asset(ben), None), owner=anna)
    library.settle_usage()
    was_wrong = State(library.snapshot()).troubles
    mend_all(library, params, [anna], tmp_path)
    library.rows(
        f"""update asset_face set "{column}" = {"now()" if column == "deletedAt" else "false"} where id = %s""", face
    )
    take_back(library, params, tmp_path, was_wrong)
