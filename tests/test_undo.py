"""A run and its undo: everything is as it was, whatever kind of run and on every version; or nothing is changed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

import transfer
from tests import family
from tests.conftest import Scene, few, model_versions, problems, usage, usage_by_immich, with_dry_run
from tests.library import Library
from tests.random_library import World
from tests.test_undo_random import KINDS, NOT_PUT_BACK, Kind, difference


@pytest.fixture(params=model_versions())
def library(request, pool) -> Iterator[Library]:
    """One version of each way to keep people; what is for all of them asks for `version` itself."""
    with pool.library(request.param) as library:
        yield library


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where the files go."""
    return tmp_path / "transfers"


def there_and_back(
    world: World, folder: Path, do: Callable[..., transfer.Report], *, dry_run: bool = False
) -> transfer.Report:
    """Do it, undo it, and compare the whole database. `dry_run`: in any case with a dry run before the undo."""
    library = world.library
    library.settle_usage()
    before, wrong = library.snapshot(ignore=NOT_PUT_BACK), problems(library)
    done = do(world, dry_run=False, undo_folder=folder)
    assert done.wrong_after is not None
    past = transfer.list_past(world.params, folder)[0]
    if past.state == "undone":
        return transfer.Report()  # an earlier one: there was nothing to repair
    path, planned = past.path, None
    if dry_run or with_dry_run(library):
        full = library.snapshot()
        planned = transfer.undo(world.params, path, transfer.How(dry_run=True))
        assert library.snapshot() == full
    undone = transfer.undo(
        world.params, path, transfer.How(dry_run=False, expected_digest=planned.digest if planned else None)
    )
    assert planned is None or replace(undone, wrong_after=None) == planned
    left = difference(before, library.snapshot(ignore=NOT_PUT_BACK))
    assert not left, "\n".join(left)
    # a path without a photo is not put back, as no path is
    assert {what.split(":")[0] for what in problems(library) ^ wrong} <= {"picture of nothing"}
    assert problems(library) <= wrong
    return undone


# ---- every kind, every version --------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_run_on_the_sample_family(version, pool, folder, kind) -> None:
    """With what a transfer by hand has left; to somebody with namesakes, who are merged, and in a cluster group."""
    with pool.library(version) as library:
        on_the_sample_family(library, folder, KINDS[kind])


def on_the_sample_family(library: Library, folder: Path, kind: Kind) -> None:
    people = family.build(library, older_transfer=True)
    tag = library.value("""select id from tag where "userId" = %s and value = 'Travel'""", people.alice)
    everybody = frozenset(
        row[0] for row in library.rows(f'select "{library.name("person", "personGroupId")}" from person')
    )
    for destination, merge in ((people.bob, everybody), (people.carol, frozenset())):
        other = people.carol if destination == people.bob else people.bob
        world = World(library, [people.alice, destination, other], album=people.summer, tag=tag, merge=merge)
        undone = there_and_back(world, folder, kind.do, dry_run=destination == people.bob)
        assert (undone.stays, undone.listed("people_kept"), undone.of("tags_kept"), undone.of("faces_changed")) == (
            (),
            (),
            0,
            0,
        )
        assert bool(undone.assets) == kind.transfers


@pytest.mark.cases
@pytest.mark.parametrize("album", ["favourites", "christmas", "hiking", "garden"])
def test_the_other_albums_of_the_sample_family(library, folder, album) -> None:
    """One of somebody else's, one with photos of others, and one with none of the source's."""
    people = family.build(library)
    world = World(library, [people.alice, people.bob, people.carol], album=getattr(people, album))
    there_and_back(world, folder, KINDS["album"].do)


# ---- what was wrong before ------------------------------------------------------------------------------------------


@pytest.fixture
def world(library, anna, ben, carla) -> World:
    """Three users, and nothing else yet."""
    return World(library, [anna, ben, carla])


def test_a_repair_undone_restores_what_was_wrong(world, folder) -> None:
    library, photo = world.library, world.library.asset(world.destination)
    library.face(photo, library.person(world.source, "Max"), featured_of=world.source)
    library.face(photo, library.person(world.carla, "Pia"), featured_of=world.carla)
    assert problems(library)
    there_and_back(world, folder, KINDS["repair"].do)


@pytest.mark.parametrize("deleted", [True, False], ids=["a deleted face", "somebody else's face"])
def test_a_featured_photo_that_moves_and_was_wrong(world, folder, deleted) -> None:
    """It cannot come along, so the transfer takes it from the person; the undo gives it back as it was."""
    library, photo = world.library, world.library.asset(world.source)
    max_, lea = (library.person(world.source, name) for name in ("Max", "Lea"))
    library.face(library.asset(world.source), max_)
    library.feature(max_, library.face(photo, max_ if deleted else lea, deleted=deleted))
    world.album = library.album(world.source, "Trip", [photo])
    there_and_back(world, folder, KINDS["album"].do)


@pytest.mark.parametrize("kind", ["album", "repair"])
def test_a_featured_photo_of_another_users(world, folder, kind) -> None:
    library, photo = world.library, world.library.asset(world.source)
    person = library.person(world.source, "Max")
    library.face(photo, person)
    library.face(library.asset(world.destination), person, featured_of=world.source)
    world.album = library.album(world.source, "Trip", [photo])
    there_and_back(world, folder, KINDS[kind].do)


@pytest.mark.parametrize("kind", ["album", "repair"])
def test_a_featured_photo_of_another_users_and_of_nobody(world, folder, kind) -> None:
    library, photo = world.library, world.library.asset(world.source)
    person = library.person(world.source, "Max")
    library.face(photo, person)
    library.feature(person, library.face(library.asset(world.destination)), owner=world.source)
    world.album = library.album(world.source, "Trip", [photo])
    there_and_back(world, folder, KINDS[kind].do)


def test_a_picture_whose_move_is_unfinished(world, folder) -> None:
    """The transfer has it drawn anew; the undo knows the path again."""
    library, photo = world.library, world.library.asset(world.source)
    person = library.person(world.source, "Max")
    library.face(photo, person, featured=True)
    library.move_history(person, "face")
    world.album = library.album(world.source, "Trip", [photo])
    there_and_back(world, folder, KINDS["album"].do)


def test_a_repair_undone_leaves_duplicates_alone(world, folder) -> None:
    """A repair has nothing to do with them."""
    library, group = world.library, "00000000-0000-0000-0000-000000000009"
    photo, _other = (library.asset(world.destination, duplicate=group) for _ in range(2))
    library.face(photo, library.person(world.source, "Max"))
    there_and_back(world, folder, KINDS["repair"].do)


def test_faces_with_a_third_users_person(world, folder) -> None:
    library, photo = world.library, world.library.asset(world.source)
    library.face(photo, library.person(world.carla, "Pia"), featured_of=world.carla)
    world.album = library.album(world.source, "Trip", [photo])
    there_and_back(world, folder, KINDS["album"].do)


def test_faces_with_the_destinations_person(world, folder) -> None:
    library, photo = world.library, world.library.asset(world.source)
    library.face(photo, library.person(world.destination, "Ina"), featured_of=world.destination)
    world.album = library.album(world.source, "Trip", [photo])
    there_and_back(world, folder, KINDS["album"].do)


@pytest.mark.parametrize("user", [1, 2])
def test_another_users_tag_memory_and_link_on_a_photo(world, folder, user) -> None:
    library, photo = world.library, world.library.asset(world.source)
    library.tag_assets(library.tag(world.users[user], "Trips/Rome"), photo)
    library.memory(world.users[user], [photo])
    library.link(world.users[user], assets=[photo])
    world.album = library.album(world.source, "Trip", [photo])
    there_and_back(world, folder, KINDS["album"].do)


# Whose photo is in the source's stack, or in whose stack the source's photos are.
STACKS = {
    "the destination's photo": (1, 0),
    "the destination's photo, in the destination's stack": (1, 1),
    "a third user's photo": (2, 0),
    "a third user's photo, in that user's stack": (2, 2),
    "a third user's photo, in the destination's stack": (2, 1),
}


@pytest.mark.cases
@pytest.mark.parametrize(("user", "owner"), STACKS.values(), ids=STACKS.keys())
def test_a_stack_with_another_users_photo(world, folder, user, owner) -> None:
    library = world.library
    members = [library.asset(world.source), library.asset(world.users[user])]
    library.stack(world.users[owner], members, primary=members[owner != 0])
    world.album = library.album(world.source, "Trip", members)
    assert there_and_back(world, folder, KINDS["album"].do).assets == 1


@pytest.mark.cases
@pytest.mark.parametrize(("user", "owner"), STACKS.values(), ids=STACKS.keys())
def test_a_larger_stack_with_another_users_photo(world, folder, user, owner) -> None:
    library = world.library
    members = [*(library.asset(world.source, f"{n}.jpg") for n in range(3)), library.asset(world.users[user])]
    library.stack(world.users[owner], members)
    world.album = library.album(world.source, "Trip", members[:1])
    there_and_back(world, folder, KINDS["album"].do)


def test_a_stack_whose_primary_is_no_member(world, folder) -> None:
    library = world.library
    one, two, three = (library.asset(world.source, f"{n}.jpg") for n in range(3))
    library.stack(world.source, [one, two], primary=three)
    world.album = library.album(world.source, "Trip", [one, two])
    there_and_back(world, folder, KINDS["album"].do)


def test_a_stack_of_one(world, folder) -> None:
    library, photo = world.library, world.library.asset(world.source)
    library.stack(world.source, [photo])
    world.album = library.album(world.source, "Trip", [photo])
    there_and_back(world, folder, KINDS["album"].do)


@pytest.mark.cases
@pytest.mark.parametrize("half", ["video", "still"])
@pytest.mark.parametrize("user", [1, 2])
def test_a_live_photo_torn_between_two_users(world, folder, half, user) -> None:
    library = world.library
    owners = (world.source, world.users[user]) if half == "video" else (world.users[user], world.source)
    video = library.asset(owners[0], "1.MOV", kind="VIDEO", visibility="hidden")
    still = library.asset(owners[1], "1.HEIC", live_video=video)
    world.album = library.album(world.source, "Trip", [video, still])
    assert there_and_back(world, folder, KINDS["album"].do).assets == 1


@pytest.mark.parametrize("user", [1, 2])
def test_duplicates_of_two_users(world, folder, user) -> None:
    library, group = world.library, "00000000-0000-0000-0000-000000000009"
    photos = [library.asset(owner, duplicate=group) for owner in (world.source, world.users[user], world.source)]
    world.album = library.album(world.source, "Trip", photos[:1])
    there_and_back(world, folder, KINDS["album"].do)


def test_a_link_with_other_users_photos(world, folder) -> None:
    library = world.library
    photos = [library.asset(user) for user in world.users]
    library.link(world.source, assets=photos)
    library.link(world.source, assets=photos[:2])
    world.album = library.album(world.source, "Trip", photos)
    there_and_back(world, folder, KINDS["album"].do)


@pytest.mark.since("3.2")
def test_faces_of_a_person_that_nobody_has(world, folder) -> None:
    """Its group is there, and no row of a user."""
    library, photo = world.library, world.library.asset(world.source)
    person = library.person(world.source, "Max")
    library.face(photo, person)
    library.rows("delete from person")
    world.album = library.album(world.source, "Trip", [photo])
    there_and_back(world, folder, KINDS["album"].do)


# ---- what is told ---------------------------------------------------------------------------------------------------


def transferred(runner, scene, folder) -> transfer.Past:
    """The scene's transfer, done."""
    request = runner.request(scene.album, merge=[scene.oma])
    transfer.transfer(runner.params, request, transfer.How(dry_run=False, undo_folder=folder))
    return transfer.list_past(runner.params, folder)[0]


def test_the_numbers_are_right(library, scene, runner, folder) -> None:
    past = transferred(runner, scene, folder)
    undone = transfer.undo(runner.params, past.path, transfer.How(dry_run=False))
    assert undone.assets == scene.moving
    assert undone.faces == 2  # Max's, Oma's; Lea's stays with Lea
    # Lea, who was transferred; Max, who was duplicated; Oma, who was merged
    assert (undone.of("people_given"), undone.of("people_removed"), undone.of("people_parted")) == (1, 1, 1)
    assert {entry.email: entry.after for entry in undone.storage} == {
        "anna@example.com": usage_by_immich(library, scene.anna),
        "ben@example.com": usage_by_immich(library, scene.ben),
    }
    assert undone.wrong_after is not None


def test_the_storage_figures_go_back(library, scene, runner, folder) -> None:
    past = transferred(runner, scene, folder)
    library.asset(scene.anna, "later.jpg", size=777)
    library.settle_usage()
    transfer.undo(runner.params, past.path, transfer.How(dry_run=False))
    for user in (scene.anna, scene.ben):
        assert usage(library, user) == usage_by_immich(library, user)


def test_apps_fetch_everything_anew(library, scene, runner, folder) -> None:
    past = transferred(runner, scene, folder)
    library.rows('update session set "isPendingSyncReset" = false')
    transfer.undo(runner.params, past.path, transfer.How(dry_run=False))
    told = dict(library.rows('select "userId", "isPendingSyncReset" from session'))
    assert told == {scene.anna: True, scene.ben: True, scene.carla: True}  # Carla is a member of the album


def test_the_same_transfer_can_be_done_again(library, scene, runner, folder) -> None:
    request = runner.request(scene.album, merge=[scene.oma])
    shown = transfer.transfer(runner.params, request, transfer.How(dry_run=True))
    past = transferred(runner, scene, folder)
    transfer.undo(runner.params, past.path, transfer.How(dry_run=False))
    again = transfer.transfer(runner.params, request, transfer.How(dry_run=True))
    assert again.digest == shown.digest


# ---- refused, or failed: nothing is changed -------------------------------------------------------------------------


def refused(library: Library, past: transfer.Past, params: dict[str, Any], **how: Any) -> BaseException:
    """The undo must fail, and leave the database and the files as they are."""
    before, files = library.snapshot(), sorted(past.path.parent.iterdir())
    with pytest.raises((transfer.TransferError, KeyboardInterrupt, RuntimeError)) as caught:
        transfer.undo(params, past.path, transfer.How(dry_run=False, **how))
    assert library.snapshot() == before
    assert sorted(past.path.parent.iterdir()) == files
    (found,) = [entry for entry in transfer.list_past(params, past.path.parent) if entry.path == past.path]
    assert found.state == "committed"
    return caught.value


def test_what_is_no_longer_what_was_shown_is_refused(library, scene, runner, folder) -> None:
    past = transferred(runner, scene, folder)
    shown = transfer.undo(runner.params, past.path, transfer.How(dry_run=True))
    library.rows("update asset set visibility = 'locked' where id = %s", scene.hill)
    assert isinstance(refused(library, past, runner.params, expected_digest=shown.digest), transfer.Changed)


def out_of_sight(library: Library, scene: Scene) -> None:
    """Another photo can go back no more."""
    library.rows("update asset set visibility = 'locked' where id = %s", scene.lake)


def into_a_library(library: Library, scene: Scene) -> None:
    """What is in the locked folder stays in any case: now for another reason."""
    library.rows('update asset set "isExternal" = true where id = %s', scene.hill)


def delete_link(library: Library, scene: Scene) -> None:
    """Those that went along cannot go back."""
    assert library.rows('delete from shared_link where "userId" = %s returning id', scene.ben)


def recognise_again(library: Library, scene: Scene) -> None:
    """Who went along whole is now on a photo of the destination's own, too."""
    library.face(scene.others[1], scene.lea)


@pytest.mark.cases
@pytest.mark.parametrize("event", [out_of_sight, into_a_library, delete_link, recognise_again])
def test_what_was_shown_is_what_is_taken_back_or_nothing_is(library, scene, runner, folder, event) -> None:
    past = transferred(runner, scene, folder)
    library.rows("update asset set visibility = 'locked' where id = %s", scene.hill)
    shown = transfer.undo(runner.params, past.path, transfer.How(dry_run=True))
    event(library, scene)
    assert isinstance(refused(library, past, runner.params, expected_digest=shown.digest), transfer.Changed)


def test_who_would_go_back_and_is_on_a_photo_that_stays_since_it_was_shown(library, scene, runner, folder) -> None:
    """Recognition has made that person since the run: no record of it says so."""
    past, new = transferred(runner, scene, folder), library.person(scene.ben)
    library.face(scene.hill, new)
    shown = transfer.undo(runner.params, past.path, transfer.How(dry_run=True))
    library.face(scene.others[1], new)
    assert isinstance(refused(library, past, runner.params, expected_digest=shown.digest), transfer.Changed)


def test_an_album_that_became_somebody_elses_since_it_was_shown(library, scene, runner, folder) -> None:
    """It was shared: nothing of the photos, people and rows of the run has changed."""
    request = transfer.Request(scene.anna, scene.ben, scene.album, album_itself=transfer.ALBUM_SHARED)
    transfer.transfer(runner.params, request, transfer.How(dry_run=False, undo_folder=folder))
    (past,) = transfer.list_past(runner.params, folder)
    shown = transfer.undo(runner.params, past.path, transfer.How(dry_run=True))
    if library.has_album_owner_rows:
        library.rows("""delete from album_user where "albumId" = %s and "userId" = %s""", scene.album, scene.carla)
        library.rows(
            """update album_user set "userId" = %s where "albumId" = %s and role = 'owner'""", scene.carla, scene.album
        )
    else:
        library.rows('update album set "ownerId" = %s where id = %s', scene.carla, scene.album)
    assert isinstance(refused(library, past, runner.params, expected_digest=shown.digest), transfer.Changed)


def test_while_another_run_is_at_work_it_is_refused(library, scene, runner, folder) -> None:
    past = transferred(runner, scene, folder)
    library.rows("select pg_advisory_lock(%s)", transfer.ADVISORY_LOCK)
    assert isinstance(refused(library, past, runner.params), transfer.AnotherRun)
    library.rows("select pg_advisory_unlock(%s)", transfer.ADVISORY_LOCK)


def test_after_an_upgrade_to_another_way_of_keeping_people_it_is_refused(
    library, scene, runner, folder, monkeypatch
) -> None:
    past = transferred(runner, scene, folder)
    read = transfer.read_header
    monkeypatch.setattr(transfer, "read_header", lambda path: read(path) | {"models": [None, None]})
    assert "upgraded" in refused(library, past, runner.params).what


def test_unknown_links_must_be_accepted(library, scene, runner, folder) -> None:
    past = transferred(runner, scene, folder)
    library.rows("create table extra (id uuid references asset)")
    error = refused(library, past, runner.params)
    assert isinstance(error, transfer.UnknownLinks)
    transfer.undo(
        runner.params, past.path, transfer.How(dry_run=False, accepted_links=frozenset(["extra (id) -> asset"]))
    )


def steps_of(past: transfer.Past, params: dict[str, Any]) -> list[str]:
    """What progress is told in a whole undo."""
    told: list[str] = []
    transfer.undo(params, past.path, transfer.How(dry_run=True, progress=told.append))
    assert len(told) > 8
    return told


def lose_connection(params: dict[str, Any]) -> None:
    """End the tool's connection from another one."""
    connection = psycopg2.connect(**params)
    with connection.cursor() as cursor:
        cursor.execute(
            """select pg_terminate_backend(pid, 5000) from pg_stat_activity
               where datname = current_database() and application_name = 'transfer.py'"""
        )
    connection.close()


@pytest.mark.long
@pytest.mark.parametrize("failure", ["Ctrl-C", "a fault", "the connection is lost"])
def test_a_failure_at_any_step_changes_nothing(library, scene, runner, folder, failure) -> None:
    past = transferred(runner, scene, folder)
    for fatal in few(steps_of(past, runner.params)):

        def progress(step: str, fatal: str = fatal) -> None:
            if step == fatal and failure == "Ctrl-C":
                raise KeyboardInterrupt
            if step == fatal and failure == "a fault":
                raise RuntimeError
            if step == fatal:
                lose_connection(runner.params)

        refused(library, past, runner.params, progress=progress)
    assert transfer.undo(runner.params, past.path, transfer.How(dry_run=False)).assets == scene.moving


PLANTED = {
    "a photo changes owner": """update asset set "ownerId" = '{carla}' where id = '{home}'""",
    "a photo that goes back does not": """update asset set "ownerId" = '{ben}' where id = '{lake}'""",
    "a face goes": """delete from asset_face where id = '{lea}'""",
    "an album is renamed": """update album set "albumName" = 'x' where id = '{album}'""",
    "a comment goes": """delete from activity where id = '{comment}'""",
}


PLANT = """
create function plant() returns trigger language plpgsql as $body$ begin {}; return null; end $body$;
create trigger plant after delete on tag for each statement execute function plant();
"""


@pytest.mark.cases
@pytest.mark.parametrize("planted", PLANTED)
def test_a_violation_rolls_everything_back(library, scene, runner, folder, planted) -> None:
    """Planted by a trigger when the tags that the run made are removed, which comes late."""
    past = transferred(runner, scene, folder)
    names = {name: getattr(scene, name) for name in ("carla", "ben", "home", "lake", "album", "comment")}
    library.rows(PLANT.format(PLANTED[planted].format(**names, lea=scene.faces["lea"])))
    assert isinstance(refused(library, past, runner.params), transfer.InvariantBroken)


def test_the_same_library_passes_without_a_violation(library, scene, runner, folder) -> None:
    """So that the tests above fail for what they planted."""
    past = transferred(runner, scene, folder)
    library.rows("create table fired (at timestamptz)")
    library.rows(PLANT.format("insert into fired values (now())"))
    assert transfer.undo(runner.params, past.path, transfer.How(dry_run=False)).assets == scene.moving
    assert library.rows("select 1 from fired")
