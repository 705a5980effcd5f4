"""An undo, days later: what people did meanwhile stays, is counted and listed, and everything hangs together.

Each test lets something happen after the transfer of the scene's album and undoes it. What must hold whatever happened
is looked at by `Past.undo`. One version stands for each way to keep people.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import transfer
from tests.conftest import (
    NOT_PUT_BACK,
    STAMPS,
    Runner,
    Scene,
    Snapshot,
    fixed_part,
    model_versions,
    problems,
    repair_one,
    usage,
    usage_by_immich,
    with_dry_run,
)
from tests.immich import Immich
from tests.library import Library
from tests.random_library import (
    ask,
    delete_person,
    delete_photo,
    draw_people,
    edit_person,
    file_photos,
    find_duplicates,
    ids,
    leave_cluster,
    link_face,
    merge_people,
    move_files,
    trash_photo,
    unstack,
    upload_again,
)

pytestmark = pytest.mark.long

# What Immich's jobs maintain.
KEPT_BY_JOBS = ("person.thumbnailPath", "asset_file.path", "asset.originalPath", "asset.encodedVideoPath")


@pytest.fixture(params=model_versions())
def library(request, pool) -> Iterator[Library]:
    """An empty database of one of the versions."""
    with pool.library(request.param) as library:
        yield library


@dataclass
class Past:
    """The scene, some time after its transfer."""

    library: Library
    scene: Scene
    runner: Runner
    path: Path
    before: Snapshot
    wrong_before: set[str]

    @property
    def bens_max(self) -> str:
        """The person that the run made: Max is also on a photo that stayed with Anna."""
        return self.library.person_of(self.scene.faces["max"])

    def undo(self) -> transfer.Report:
        """The analysis, then the undo, and what holds for each."""
        library, params = self.library, self.runner.params
        library.settle_usage()
        changed, wrong = library.snapshot(), problems(library)
        planned = None
        if with_dry_run(library):
            planned = transfer.undo(params, self.path, transfer.How(dry_run=True))
            assert library.snapshot() == changed
        digest = planned.digest if planned else None
        done = transfer.undo(params, self.path, transfer.How(dry_run=False, expected_digest=digest))
        assert planned is None or replace(done, wrong_after=None) == planned
        assert problems(library) - wrong - self.wrong_before == set()
        assert fixed_part(library.snapshot()) == fixed_part(changed)
        for user in (self.scene.anna, self.scene.ben):
            assert usage(library, user) == usage_by_immich(library, user)
        return done

    def is_as_before(self, *ignored: str) -> bool:
        """Whether the undo has put back everything, apart from what is ignored."""
        return plain(self.library.snapshot(), *ignored) == plain(self.before, *ignored)

    def owner(self, *photos: str) -> set[str]:
        """Who owns these photos."""
        return {self.library.owner_of(photo) for photo in photos}

    def name_of(self, face: str, user: str) -> str | None:
        """What the user calls the person of a face; None: nobody, or nobody that the user knows."""
        person = self.library.person_of(face)
        row = person and self.library.person_row(user, person)
        return row["name"] if row else None


def plain(snapshot: Snapshot, *ignored: str) -> dict[str, list[str]]:
    """A snapshot less what no undo puts back, and less these columns ("table.column")."""
    found = {}
    for table, texts in snapshot.items():
        if not table.endswith("_audit"):
            aside = {name.removeprefix(f"{table}.") for name in (*ignored, *NOT_PUT_BACK)}
            rows = ({k: v for k, v in json.loads(text).items() if k not in aside} for text in texts)
            found[table] = sorted(json.dumps(row, sort_keys=True) for row in rows)
    return found


@pytest.fixture
def past(library, scene, runner, tmp_path) -> Past:
    """The transfer of the scene's album has happened."""
    before, wrong = library.snapshot(), problems(library)
    request = runner.request(scene.album, merge=[scene.oma])
    transfer.transfer(runner.params, request, transfer.How(dry_run=False, undo_folder=tmp_path / "transfers"))
    (path,) = (tmp_path / "transfers").iterdir()
    return Past(library, scene, runner, path, before, wrong)


def test_nothing_happened(past) -> None:
    done = past.undo()
    assert past.is_as_before()
    assert (done.assets, done.stays, done.listed("people_kept"), done.of("tags_kept")) == (past.scene.moving, (), (), 0)


# ---- people ---------------------------------------------------------------------------------------------------------


PERSONAL = {"name": "Maximilian", "isHidden": True, "birthDate": "2001-02-03", "isFavorite": True, "color": "#123456"}


@pytest.mark.cases
@pytest.mark.parametrize("column", PERSONAL)
def test_a_person_that_the_run_made_and_somebody_changed_stays(past, scene, library, column) -> None:
    """Without a photo, since the photo goes back; the former owner's person is as it was."""
    person, hers = past.bens_max, library.person_row(scene.anna, scene.max)
    edit_person(library, scene.ben, person, **{column: PERSONAL[column]})
    done = past.undo()
    row = library.person_row(scene.ben, person)
    assert str(row[column]) == str(PERSONAL[column])
    assert row["faceAssetId"] is None
    assert [why for _name, why in done.listed("people_kept")] == ["changed since"]
    assert library.person_of(scene.faces["max"]) == scene.max
    assert {k: v for k, v in library.person_row(scene.anna, scene.max).items() if k not in STAMPS} | {
        "faceAssetId": None,
        "thumbnailPath": "",
    } == {k: v for k, v in hers.items() if k not in STAMPS} | {"faceAssetId": None, "thumbnailPath": ""}


@pytest.mark.cases
@pytest.mark.parametrize("column", PERSONAL)
def test_what_was_set_on_a_transferred_person_is_not_lost(past, scene, library, column) -> None:
    person = library.person_of(scene.faces["lea"])
    edit_person(library, scene.ben, person, **{column: PERSONAL[column]})
    past.undo()
    rows = [library.person_row(user, person) for user in (scene.anna, scene.ben)]
    assert str(PERSONAL[column]) in {str(row[column]) for row in rows if row}
    assert past.name_of(scene.faces["lea"], scene.anna) is not None


def test_a_person_that_was_merged_into_had_a_change_since(past, scene, library) -> None:
    edit_person(library, scene.ben, scene.bens_oma, name="Grandma", isFavorite=True)
    past.undo()
    assert library.person_row(scene.ben, scene.bens_oma)["name"] == "Grandma"
    assert past.name_of(scene.faces["oma"], scene.anna) == "Oma"


def test_a_birth_date_that_a_merge_filled_is_emptied_again(library, anna, ben, runner, tmp_path) -> None:
    photo, album_photo = library.asset(ben), library.asset(anna)
    his, hers = library.person(ben, "Ina"), library.person(anna, "Ina", birth="1999-01-02")
    library.face(photo, his, featured=True)
    library.face(album_photo, hers, featured=True)
    library.settle_usage()
    album = library.album(anna, "Trip", [album_photo])
    for changed in (False, True):
        transfer.transfer(
            runner.params,
            runner.request(album, merge=[hers]),
            transfer.How(dry_run=False, undo_folder=tmp_path / "transfers"),
        )
        assert str(library.person_row(ben, his)["birthDate"]) == "1999-01-02"
        if changed:
            edit_person(library, ben, his, birthDate="1999-01-03")
        past = transfer.list_past(runner.params, tmp_path / "transfers")[0]
        transfer.undo(runner.params, past.path, transfer.How(dry_run=False))
        assert str(library.person_row(ben, his)["birthDate"]) == ("1999-01-03" if changed else "None")


@pytest.mark.parametrize("which", ["made", "transferred"])
def test_a_person_that_was_merged_into_another_since(past, scene, library, which) -> None:
    """The face was given to somebody else: the former owner gets that person too, or the face is of nobody."""
    face = scene.faces["max" if which == "made" else "lea"]
    merge_people(library, scene.ben, scene.bens_oma, library.person_of(face))
    done = past.undo()
    assert done.of("faces_changed") >= 1
    assert past.name_of(face, scene.anna).strip().lower() == "oma"
    assert past.name_of(scene.faces["bens_oma"], scene.ben) == "oma "


@pytest.mark.parametrize("which", ["made", "transferred"])
def test_a_person_that_was_deleted_since(past, scene, library, which) -> None:
    face = scene.faces["max" if which == "made" else "lea"]
    delete_person(library, scene.ben, library.person_of(face))
    done = past.undo()
    assert library.person_of(face) is None
    assert done.of("faces_changed") == 1
    assert past.name_of(scene.faces["max_home"], scene.anna) == "Max"


def test_a_face_that_was_given_to_another_person_since(past, scene, library) -> None:
    ina = library.person(scene.ben, "Ina")
    library.face(library.asset(scene.ben), ina, featured=True)
    link_face(library, scene.faces["lea"], ina)
    done = past.undo()
    assert done.of("faces_changed") == 1
    assert past.name_of(scene.faces["lea"], scene.anna) == "Ina"
    assert library.person_row(scene.ben, ina)["name"] == "Ina"


FACE_LOST: dict[str, Callable[[Library, str], object]] = {
    "taken from its person": lambda library, face: link_face(library, face, None),
    "removed": lambda library, face: library.rows('update asset_face set "deletedAt" = now() where id = %s', face),
    "gone": lambda library, face: library.rows("delete from asset_face where id = %s", face),
}


@pytest.mark.cases
@pytest.mark.parametrize("how", FACE_LOST)
@pytest.mark.parametrize("face", ["lea", "max", "oma"])
def test_a_face_that_shows_nobody_since(past, scene, library, face, how) -> None:
    FACE_LOST[how](library, scene.faces[face])
    done = past.undo()
    shown = 'select 1 from asset_face where id = %s and "deletedAt" is null and <asset_face.personGroupId> is not null'
    assert ask(library, shown, scene.faces[face]) == []
    kept = library.rows('select "deletedAt" is not null from asset_face where id = %s', scene.faces[face])
    assert kept == {"taken from its person": [(False,)], "removed": [(True,)], "gone": []}[how]
    assert how != "taken from its person" or done.of("faces_changed") == 1
    assert past.owner(scene.lake, scene.hill) == {scene.anna}
    assert library.person_row(scene.ben, scene.bens_oma)["name"] == "oma "


@pytest.mark.cases
@pytest.mark.parametrize("face", ["lea", "max", "oma"])
def test_a_face_that_was_added_on_a_transferred_photo_goes_back_with_it(past, scene, library, face) -> None:
    new = library.face(scene.live[0], library.person_of(scene.faces[face]))
    name = past.name_of(scene.faces[face], scene.ben).strip().lower()
    past.undo()
    assert past.name_of(new, scene.anna).strip().lower() == name
    assert past.name_of(scene.faces[face], scene.anna).strip().lower() == name


@pytest.mark.cases
@pytest.mark.parametrize("face", ["lea", "max", "oma"])
def test_a_new_photo_of_a_person_stays_with_the_person(past, scene, library, face) -> None:
    """And the photos that go back show a person of their owner's."""
    person = library.person_of(scene.faces[face])
    new = library.face(library.asset(scene.ben, "new.jpg"), person)
    name = past.name_of(new, scene.ben).strip().lower()
    done = past.undo()
    assert past.name_of(new, scene.ben).strip().lower() == name
    assert past.name_of(scene.faces[face], scene.anna).strip().lower() == name
    if face == "max":
        assert done.listed("people_kept") == (("Max", "still on photos"),)


@pytest.mark.parametrize("which", ["max", "lea"])
def test_a_picture_that_was_chosen_since_is_one_of_the_owners_afterwards(past, scene, library, which) -> None:
    person = library.person_of(scene.faces[which])
    new = library.face(library.asset(scene.ben, "new.jpg"), person)
    library.feature(person, new, owner=scene.ben)
    past.undo()
    assert library.person_row(scene.ben, library.person_of(new))["faceAssetId"] == new


def test_the_former_owners_person_changed_since(past, scene, library) -> None:
    edit_person(library, scene.anna, scene.max, name="Moritz", isHidden=True)
    past.undo()
    assert past.name_of(scene.faces["max"], scene.anna) == "Moritz"
    assert library.person_row(scene.anna, scene.max)["isHidden"]


def test_the_former_owners_person_was_deleted_since(past, scene, library) -> None:
    delete_person(library, scene.anna, scene.max)
    past.undo()
    assert past.owner(scene.hill) == {scene.anna}
    assert library.person_row(scene.anna, scene.max) is None or past.name_of(scene.faces["max"], scene.anna) == "Max"


def test_the_former_owner_has_a_person_of_that_name_again(past, scene, library) -> None:
    new = library.person(scene.anna, "Oma")
    face = library.face(scene.home, new, featured=True)
    past.undo()
    assert past.name_of(face, scene.anna) == past.name_of(scene.faces["oma"], scene.anna) == "Oma"
    assert library.person_of(face) == new


@pytest.mark.parametrize("who", ["lea", "max"])
def test_a_person_that_was_shared_since(past, scene, library, who) -> None:
    if not library.has_person_sharing:
        pytest.skip("people can be shared from 3.3")
    person = library.person_of(scene.faces[who])
    library.share_person(person, scene.ben, scene.carla)
    done = past.undo()
    for name, _why in done.listed("people_kept"):
        assert library.rows('select 1 from person where "ownerId" = %s and name = %s', scene.ben, name)
    assert library.rows('select 1 from person_user where "personGroupId" = %s', person)
    assert past.name_of(scene.faces[who], scene.anna) is not None


CLUSTERS: dict[str, Callable[[Library, Scene], None]] = {
    "the two share one now": lambda library, scene: library.cluster(scene.anna, scene.ben),
    "the two share one now, the other way": lambda library, scene: library.cluster(scene.ben, scene.anna),
    "the destination shares one": lambda library, scene: library.cluster(scene.carla, scene.ben),
    "the source shares one": lambda library, scene: library.cluster(scene.carla, scene.anna),
    "the destination is alone in a new one": lambda library, scene: leave_cluster(library, scene.ben),
    "the source is alone in a new one": lambda library, scene: leave_cluster(library, scene.anna),
}


@pytest.mark.cases
@pytest.mark.parametrize("change", CLUSTERS.values(), ids=CLUSTERS.keys())
def test_cluster_groups_changed_since(past, scene, library, change) -> None:
    if not library.has_people_groups:
        pytest.skip("cluster groups came with 3.2")
    change(library, scene)
    past.undo()
    for face, name in (("lea", "Lea O'Neil"), ("max", "Max"), ("max_home", "Max"), ("oma", "oma")):
        assert past.name_of(scene.faces[face], scene.anna).strip().lower() == name.lower()
    assert past.name_of(scene.faces["bens_oma"], scene.ben) == "oma "


# ---- photos ---------------------------------------------------------------------------------------------------------


def left(done: transfer.Report) -> dict[str, tuple[str, ...]]:
    """What is left, by reason."""
    return dict(done.stays)


def test_a_photo_that_was_deleted_since(past, scene, library) -> None:
    delete_photo(library, scene.lake)
    done = past.undo()
    assert {reason: len(names) for reason, names in done.stays} == {"gone": 1}
    assert done.assets == scene.moving - 1
    assert past.owner(scene.hill, *scene.stacked, *scene.live) == {scene.anna}


def test_a_photo_in_the_trash_goes_back_into_the_trash(past, scene, library) -> None:
    trash_photo(library, scene.lake)
    done = past.undo()
    assert (done.assets, done.stays) == (scene.moving, ())
    assert past.owner(scene.lake) == {scene.anna}
    assert library.value("select status::text from asset where id = %s", scene.lake) == "trashed"


STAYING = {
    "locked": "update asset set visibility = 'locked' where id = %s",
    "deleting": """update asset set status = 'deleted', "deletedAt" = now() where id = %s""",
    "external": 'update asset set "isExternal" = true where id = %s',
    "unfinished": """insert into move_history ("entityId", "pathType", "oldPath", "newPath")
                     values (%s, 'original', '/a', '/b')""",
}


@pytest.mark.cases
@pytest.mark.parametrize("reason", STAYING)
def test_a_photo_that_may_not_go_back_stays_with_its_people_and_tags(past, scene, library, reason) -> None:
    library.rows(STAYING[reason], scene.lake)
    done = past.undo()
    assert left(done) == {reason: ("lake.jpg",)}
    assert done.assets == scene.moving - 1
    assert past.owner(scene.lake) == {scene.ben}
    assert past.owner(scene.hill, *scene.stacked, *scene.live) == {scene.anna}
    assert past.name_of(scene.faces["lea"], scene.ben) == "Lea O'Neil"
    assert tags_on(library, scene.lake) == {(scene.ben, "Trips/Rome")}


def test_what_was_set_on_a_photo_goes_back_with_it(past, scene, library) -> None:
    library.rows(
        """update asset set "isFavorite" = true, visibility = 'archive', "originalFileName" = 'x' where id = %s""",
        scene.lake,
    )
    past.undo()
    assert library.row('select "isFavorite", visibility::text, "ownerId" from asset where id = %s', scene.lake) == (
        True,
        "archive",
        scene.anna,
    )


def test_a_photo_that_was_handed_on_stays_where_it_is(past, scene, library, runner) -> None:
    """With its people, and whoever gives it back later: in the right order everything is as it was."""
    album = library.album(scene.ben, "For Carla", [scene.lake, scene.hill])
    before = plain(library.snapshot())
    folder = past.path.parent
    request = runner.request(album, source=scene.ben, destination=scene.carla)
    transfer.transfer(runner.params, request, transfer.How(dry_run=False, undo_folder=folder))
    done = past.undo()
    assert left(done) == {"handed_on": ("hill.jpg", "lake.jpg")}
    assert past.owner(scene.lake, scene.hill) == {scene.carla}
    assert past.name_of(scene.faces["lea"], scene.carla) == "Lea O'Neil"
    assert past.owner(*scene.stacked, *scene.live) == {scene.anna}
    assert before != plain(library.snapshot())


def test_what_hung_on_a_photo_that_came_home_in_another_way_stays_away(past, scene, library, runner) -> None:
    """It was given back by a transfer: this undo does not give it back, nor publish it again on the old link."""
    album = library.album(scene.ben, "Back", [scene.lake])
    request = runner.request(album, source=scene.ben, destination=scene.anna)
    transfer.transfer(runner.params, request, transfer.How(dry_run=False))
    photos = "select <shared_link_asset.assetId> from shared_link_asset where <shared_link_asset.sharedLinkId> = %s"
    assert scene.lake not in ids(library, photos, scene.link)
    assert left(past.undo()) == {}
    assert past.owner(scene.lake) == {scene.anna}
    assert scene.lake not in ids(library, photos, scene.link)


def test_a_duplicate_that_stayed_and_was_handed_on_since_is_left_alone(past, scene, library, runner) -> None:
    """The run took it out of the group, since it would have been alone there. By now it is somebody else's."""
    (double,) = ids(library, """select id from asset where "originalFileName" = 'double2.jpg'""")
    request = runner.request(library.album(scene.anna, "For Carla", [double]), destination=scene.carla)
    transfer.transfer(runner.params, request, transfer.How(dry_run=False))
    past.undo()
    assert past.owner(double) == {scene.carla}
    assert library.rows('select 1 from asset where "duplicateId" is not null') == []


def test_two_runs_undone_in_the_right_order(past, scene, library, runner) -> None:
    album = library.album(scene.ben, "For Carla", [scene.lake, scene.hill])
    folder = past.path.parent
    request = runner.request(album, source=scene.ben, destination=scene.carla)
    transfer.transfer(runner.params, request, transfer.How(dry_run=False, undo_folder=folder))
    for _ in range(2):
        newest = next(p for p in transfer.list_past(runner.params, folder) if p.state == "committed")
        transfer.undo(runner.params, newest.path, transfer.How(dry_run=False))
    ask(library, "delete from album where id = %s", album)
    assert past.is_as_before()


def test_a_photo_that_was_uploaded_again_stays(past, scene, library) -> None:
    again = upload_again(library, scene.anna, scene.lake)
    done = past.undo()
    assert left(done) == {"again": ("lake.jpg",)}
    assert past.owner(scene.lake) == {scene.ben}
    assert past.owner(again, scene.hill) == {scene.anna}


def test_half_of_a_live_photo_was_uploaded_again(past, scene, library) -> None:
    upload_again(library, scene.anna, scene.live[0])
    done = past.undo()
    assert {reason: len(names) for reason, names in done.stays} == {"again": 1, "together": 1}
    assert past.owner(*scene.live) == {scene.ben}


def test_an_account_has_left_since_with_the_photos(past, scene, library) -> None:
    """All of the photos are gone: nothing is left to do, and that is no error."""
    for photo in (scene.lake, scene.hill, *scene.stacked, *scene.live, scene.torn[0]):
        delete_photo(library, photo)
    done = past.undo()
    assert done.assets == scene.moving - 7


# ---- stacks and live photos -----------------------------------------------------------------------------------------


def test_a_stack_that_was_taken_apart_since_stays_apart(past, scene, library) -> None:
    unstack(library, scene.stack)
    done = past.undo()
    assert done.assets == scene.moving
    assert (
        library.rows('select 1 from asset where "stackId" is not null and id = any(%s::uuid[])', list(scene.stacked))
        == []
    )


def test_a_stack_with_another_photo_since_stays_whole(past, scene, library) -> None:
    other = library.asset(scene.ben, "other.jpg")
    library.rows('update asset set "stackId" = %s where id = %s', scene.stack, other)
    done = past.undo()
    assert left(done) == {"stacked": ("back.jpg", "front.jpg")}
    assert past.owner(*scene.stacked, other) == {scene.ben}
    assert library.value('select "ownerId" from stack where id = %s', scene.stack) == scene.ben


def test_a_stack_with_another_transferred_photo_since_goes_back_whole(past, scene, library) -> None:
    library.rows('update asset set "stackId" = %s where id = %s', scene.stack, scene.lake)
    done = past.undo()
    assert (done.assets, done.stays) == (scene.moving, ())
    members = {row[0] for row in library.rows('select id from asset where "stackId" = %s', scene.stack)}
    assert members == {*scene.stacked, scene.lake}
    assert library.value('select "ownerId" from stack where id = %s', scene.stack) == scene.anna


def test_another_photo_on_top_of_a_stack_stays_on_top(past, scene, library) -> None:
    library.rows('update stack set "primaryAssetId" = %s where id = %s', scene.stacked[1], scene.stack)
    past.undo()
    assert library.row('select "primaryAssetId", "ownerId" from stack where id = %s', scene.stack) == (
        scene.stacked[1],
        scene.anna,
    )


def test_a_stack_of_which_one_photo_stays_is_split(past, scene, library) -> None:
    library.rows("update asset set visibility = 'locked' where id = %s", scene.stacked[0])
    done = past.undo()
    assert left(done) == {"locked": ("front.jpg",)}
    assert [library.owner_of(photo) for photo in scene.stacked] == [scene.ben, scene.anna]
    assert library.rows('select 1 from asset where "stackId" = %s', scene.stack) == []


@pytest.mark.parametrize(("half", "beside"), [(0, "hill"), (1, "home")], ids=["what moved", "what stayed"])
def test_a_stack_that_the_run_split_and_that_was_stacked_otherwise_since(past, scene, library, half, beside) -> None:
    photos = {scene.torn[half], getattr(scene, beside)}
    new = library.stack(scene.anna if half else scene.ben, sorted(photos))
    done = past.undo()
    assert (done.assets, done.stays) == (scene.moving, ())
    assert {row[0] for row in library.rows('select id from asset where "stackId" = %s', new)} == photos
    assert library.value('select "ownerId" from stack where id = %s', new) == scene.anna
    assert past.owner(*scene.torn) == {scene.anna}


def test_a_stack_of_the_former_owners_that_has_gone_since(past, scene, library) -> None:
    delete_photo(library, scene.torn[1])
    past.undo()
    assert library.row('select "ownerId", "stackId" from asset where id = %s', scene.torn[0]) == (scene.anna, None)


def test_a_live_photo_taken_apart_since_goes_back_apart(past, scene, library) -> None:
    library.rows('update asset set "livePhotoVideoId" = null where id = %s', scene.live[0])
    done = past.undo()
    assert done.assets == scene.moving
    assert past.owner(*scene.live) == {scene.anna}
    assert library.value('select "livePhotoVideoId" from asset where id = %s', scene.live[0]) is None


def test_a_live_photo_whose_video_was_deleted_since(past, scene, library) -> None:
    delete_photo(library, scene.live[1])
    done = past.undo()
    assert {reason: len(names) for reason, names in done.stays} == {"gone": 1}
    assert past.owner(scene.live[0]) == {scene.anna}


@pytest.mark.parametrize("half", [0, 1])
def test_a_live_photo_of_which_a_half_stays_stays_whole(past, scene, library, half) -> None:
    library.rows("update asset set visibility = 'locked' where id = %s", scene.live[half])
    done = past.undo()
    assert {reason: len(names) for reason, names in done.stays} == {"locked": 1, "together": 1}
    assert past.owner(*scene.live) == {scene.ben}


def test_a_video_that_another_photo_has_since_stays_with_all(past, scene, library) -> None:
    other = library.asset(scene.ben, "other.HEIC", live_video=scene.live[1])
    past.undo()
    assert past.owner(*scene.live, other) == {scene.ben}


# ---- tags, memories, links, albums ----------------------------------------------------------------------------------


def tags_on(library: Library, photo: str) -> set[tuple[str, str]]:
    """(user, path) of the tags on a photo."""
    return set(
        ask(
            library,
            """select t."userId", t.value from tag_asset ta join tag t on t.id = ta.<tag_asset.tagId>
               where ta.<tag_asset.assetId> = %s""",
            photo,
        )
    )


def tags_of(library: Library, user: str) -> dict[str, str]:
    """The user's tags by path."""
    return dict(library.rows('select value, id from tag where "userId" = %s', user))


def test_a_tag_that_was_added_since_goes_back_with_the_photo(past, scene, library) -> None:
    work = library.tag(scene.ben, "Work/2026")
    library.tag_assets(work, scene.lake)
    past.undo()
    assert tags_on(library, scene.lake) == {(scene.anna, "Trips/Rome"), (scene.anna, "Work/2026")}
    assert "Work/2026" in tags_of(library, scene.ben)


def test_a_tag_that_the_run_made_and_that_is_used_elsewhere_stays(past, scene, library) -> None:
    other = library.asset(scene.ben)
    library.tag_assets(tags_of(library, scene.ben)["Trips/Rome"], other)
    done = past.undo()
    assert done.of("tags_kept") == 2
    assert tags_on(library, other) == {(scene.ben, "Trips/Rome")}
    assert tags_on(library, scene.lake) == {(scene.anna, "Trips/Rome")}


@pytest.mark.parametrize("path", ["Trips/Rome", "Trips"])
def test_a_tag_that_the_run_made_and_that_was_recoloured_stays(past, scene, library, path) -> None:
    library.rows("update tag set color = '#123456' where id = %s", tags_of(library, scene.ben)[path])
    done = past.undo()
    assert done.of("tags_kept") == (2 if path == "Trips/Rome" else 1)
    assert library.value("select color from tag where id = %s", tags_of(library, scene.ben)[path]) == "#123456"


def test_a_tag_that_the_run_made_and_that_has_another_below_it_stays(past, scene, library) -> None:
    library.tag(scene.ben, "Trips/Rome/Forum")
    assert past.undo().of("tags_kept") == 2
    assert set(tags_of(library, scene.ben)) == {"Trips", "Trips/Rome", "Trips/Rome/Forum"}


@pytest.mark.parametrize("what", ["tag", "memory"])
def test_what_is_gone_since_stops_nothing(past, scene, library, what) -> None:
    library.rows(f"delete from {what}")
    past.undo()
    assert past.owner(scene.lake) == {scene.anna}


def test_a_memory_made_since_keeps_its_owners_photos(past, scene, library) -> None:
    mine = library.asset(scene.ben)
    both, alone = library.memory(scene.ben, [scene.lake, mine]), library.memory(scene.ben, [scene.lake])
    past.undo()
    photos = 'select <memory_asset.assetId> from memory_asset where "memoriesId" = %s'
    assert ids(library, photos, both) == [mine]
    assert ids(library, photos, alone) == []
    assert scene.lake in ids(library, photos, scene.memory)


def test_a_link_made_since(past, scene, library) -> None:
    """One whose photos all go back goes along; from another the photos are taken."""
    mine = library.asset(scene.ben)
    both, alone = library.link(scene.ben, assets=[scene.lake, mine]), library.link(scene.ben, assets=[scene.lake])
    past.undo()
    photos = "select <shared_link_asset.assetId> from shared_link_asset where <shared_link_asset.sharedLinkId> = %s"
    assert ids(library, photos, both) == [mine]
    assert ids(library, photos, alone) == [scene.lake]
    assert library.value('select "userId" from shared_link where id = %s', alone) == scene.anna


def test_a_link_that_went_along_and_has_another_photo_since(past, scene, library) -> None:
    mine = library.asset(scene.ben)
    link = library.value(
        """select l.id from shared_link l where l."userId" = %s and l.type = 'INDIVIDUAL' order by 1 limit 1""",
        scene.ben,
    )
    ask(
        library,
        "insert into shared_link_asset (<shared_link_asset.sharedLinkId>, <shared_link_asset.assetId>) values (%s, %s)",
        link,
        mine,
    )
    past.undo()
    assert library.value('select "userId" from shared_link where id = %s', link) == scene.ben
    photos = "select <shared_link_asset.assetId> from shared_link_asset where <shared_link_asset.sharedLinkId> = %s"
    assert ids(library, photos, link) == [mine]


def test_links_that_were_deleted_since(past, scene, library) -> None:
    library.rows("delete from shared_link")
    past.undo()
    assert library.rows("select 1 from shared_link where type = 'ALBUM'") == []


def test_an_album_made_since_keeps_the_photos(past, scene, library) -> None:
    album = library.album(
        scene.ben, "Mine", [scene.lake, scene.hill], members={scene.carla: "viewer"}, cover=scene.lake
    )
    library.comment(album, scene.carla, "Nice", asset=scene.lake)
    library.comment(scene.album, scene.ben, "Thanks", asset=scene.lake)
    past.undo()  # looks at every row of albums, members and comments
    assert past.owner(scene.lake, scene.hill) == {scene.anna}


# ---- Immich's jobs --------------------------------------------------------------------------------------------------


def test_people_that_only_jobs_touched_are_removed(past, scene, library) -> None:
    draw_people(library)
    assert library.person_row(scene.ben, past.bens_max)["thumbnailPath"] != ""
    done = past.undo()
    assert done.listed("people_kept") == ()
    assert done.of("people_removed") >= 1
    assert past.is_as_before(*KEPT_BY_JOBS)


def test_people_whose_picture_was_drawn_by_the_stand_in_are_removed(past, scene, library, runner) -> None:
    import requests

    with Immich(runner.params, library.version) as immich:
        headers = {"x-api-key": immich.key(scene.ben)}
        library.rows('update "user" set "isAdmin" = true where id = %s', scene.ben)
        body = {"command": "start", "force": False}
        answer = requests.put(f"{immich.url}/api/jobs/thumbnailGeneration", json=body, headers=headers, timeout=90)
        assert answer.ok, answer.text
        library.rows('update "user" set "isAdmin" = false where id = %s', scene.ben)
    library.rows("delete from api_key")
    assert past.undo().listed("people_kept") == ()
    assert past.is_as_before(*KEPT_BY_JOBS)


JOBS = {
    "thumbnails": draw_people,
    "migration": move_files,
    "storage template": file_photos,
    "duplicates": find_duplicates,
}


@pytest.mark.cases
@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS.keys())
def test_a_job_that_ran_since_does_not_matter(past, scene, library, job) -> None:
    job(library)
    done = past.undo()
    assert (done.assets, done.stays, done.listed("people_kept"), done.of("faces_changed")) == (scene.moving, (), (), 0)
    assert past.is_as_before(*KEPT_BY_JOBS, "asset.duplicateId", "asset_job_status.duplicatesDetectedAt")


def test_all_jobs_that_ran_since_do_not_matter(past, scene, library) -> None:
    for _ in range(2):
        for job in JOBS.values():
            job(library)
    done = past.undo()
    assert (done.assets, done.stays, done.listed("people_kept"), done.of("faces_changed")) == (scene.moving, (), (), 0)
    assert past.is_as_before(*KEPT_BY_JOBS, "asset.duplicateId", "asset_job_status.duplicatesDetectedAt")
    assert library.rows('select 1 from person where "thumbnailPath" like %s', f"%/{scene.ben}/%") != []


def test_files_that_were_moved_since_stay_where_they_are(past, scene, library) -> None:
    """The rows must go on naming the places where the files lie."""
    move_files(library)
    file_photos(library)
    places = ('select id, "originalPath" from asset order by 1', "select id, path from asset_file order by 1")
    before = [library.rows(query) for query in places]
    past.undo()
    assert [library.rows(query) for query in places] == before


def test_no_picture_is_looked_for_that_no_row_has_named_since(past, library) -> None:
    """Immich may have deleted it as untracked, and draws only those again whose path is empty."""
    query = 'select distinct "thumbnailPath" from person'
    named = set(library.rows(query))
    past.undo()
    assert set(library.rows(query)) <= named | {("",)}


def test_a_picture_that_was_moved_since_is_not_looked_for_at_the_old_place(past, scene, library) -> None:
    """A path of before the migration job would name a file that is not there."""
    draw_people(library)
    move_files(library)
    query = 'select "ownerId", <person.personGroupId>, "thumbnailPath" from person'
    paths = {path for _owner, _person, path in ask(library, query)}
    past.undo()
    assert {path for _owner, _person, path in ask(library, query)} <= paths | {""}


def test_duplicates_that_were_found_since_are_looked_for_again(past, scene, library) -> None:
    library.asset(scene.ben, "his.jpg", duplicate="00000000-0000-0000-0000-000000000009")
    library.rows(
        'update asset set "duplicateId" = %s where id = %s', "00000000-0000-0000-0000-000000000009", scene.lake
    )
    library.rows('update asset_job_status set "duplicatesDetectedAt" = now()')
    past.undo()
    assert library.value('select "duplicateId" from asset where id = %s', scene.lake) is None
    assert library.value('select "duplicatesDetectedAt" from asset_job_status where "assetId" = %s', scene.lake) is None


# ---- accounts -------------------------------------------------------------------------------------------------------


@pytest.mark.cases
@pytest.mark.parametrize("user", ["anna", "ben"])
@pytest.mark.parametrize("for_good", [True, False])
def test_without_one_of_the_two_accounts_it_is_refused(past, scene, library, runner, user, for_good) -> None:
    gone = getattr(scene, user)
    if for_good:
        library.rows("delete from album where id = any(%s::uuid[])", [scene.album, scene.other_album])
        library.rows('delete from stack where "ownerId" = %s', gone)
        library.rows('delete from "user" where id = %s', gone)
    else:
        library.rows("""update "user" set status = 'deleted', "deletedAt" = now() where id = %s""", gone)
    before = library.snapshot()
    for dry_run in (True, False):
        with pytest.raises(transfer.TransferError) as caught:
            transfer.undo(runner.params, past.path, transfer.How(dry_run=dry_run))
        assert "not active" in caught.value.what
        assert library.snapshot() == before


def test_a_third_account_that_has_gone_since_does_not_matter(past, scene, library) -> None:
    library.rows('delete from "user" where id = %s', scene.carla)
    done = past.undo()
    assert (done.assets, done.stays) == (scene.moving, ())


# ---- repair ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def repaired(library, anna, ben, carla, runner, tmp_path) -> Callable[..., Any]:
    """Ben's photo had Anna's and Carla's people on it; a repair has given him his own."""
    photo, own = library.asset(ben, "photo.jpg"), library.asset(ben, "own.jpg")
    max_, pia = library.person(anna, "Max"), library.person(carla, "Pia")
    library.face(library.asset(anna, "hers.jpg"), max_, featured=True)
    faces = {"max": library.face(photo, max_), "pia": library.face(photo, pia, featured_of=carla)}
    library.settle_usage()
    before, wrong = library.snapshot(), problems(library)
    folder = tmp_path / "transfers"
    repair_one(runner.params, ben, transfer.How(dry_run=False, undo_folder=folder))
    (path,) = folder.iterdir()
    scene = type("Small", (), {"anna": anna, "ben": ben, "carla": carla, "photo": photo, "own": own, "faces": faces})
    return Past(library, scene, runner, path, before, wrong)


def test_a_repair_undone_restores_what_was_wrong(repaired, library) -> None:
    assert repaired.undo().assets == 0
    assert repaired.is_as_before()


def test_a_repair_undone_leaves_people_that_somebody_changed(repaired, library) -> None:
    scene = repaired.scene
    person = library.person_of(scene.faces["max"])
    edit_person(library, scene.ben, person, name="Maximilian")
    new = library.face(scene.own, person)
    done = repaired.undo()
    assert done.listed("people_kept") == (("Maximilian", "changed since"),)
    assert repaired.name_of(new, scene.ben) == "Maximilian"


def test_a_repair_undone_leaves_faces_that_somebody_changed(repaired, library) -> None:
    scene = repaired.scene
    ina = library.person(scene.ben, "Ina")
    link_face(library, scene.faces["max"], ina)
    repaired.undo()
    assert library.person_of(scene.faces["max"]) == ina


def test_a_repair_undone_after_jobs_ran(repaired, library) -> None:
    draw_people(library)
    move_files(library)
    assert repaired.undo().listed("people_kept") == ()
    assert repaired.is_as_before(*KEPT_BY_JOBS)
