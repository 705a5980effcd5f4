"""The checks before COMMIT: whatever goes wrong in between, by a fault of ours or a foreign trigger, rolls back all.

Each violation is planted by a trigger that fires when a person's featured photo is set, which is written last.
"""

import functools

import pytest

import transfer
from tests.library import Library

HOOK = """
create function plant() returns trigger language plpgsql as $body$ begin {sql}; return null; end $body$;
create trigger plant after update of "faceAssetId" on person for each statement
    when (pg_trigger_depth() = 0) execute function plant();
"""


def filled(library: Library, sql: str, **values) -> str:
    """That SQL with these values, and this version's names."""
    for table, column in (
        *(
            ("asset_face", "personGroupId"),
            ("person", "personGroupId"),
            ("tag_asset", "assetId"),
            ("tag_asset", "tagId"),
        ),
        *(("memory_asset", "assetId"), ("shared_link_asset", "assetId"), ("shared_link_asset", "sharedLinkId")),
        *(("album_asset", "albumId"), ("album_asset", "assetId"), ("album_user", "albumId"), ("album_user", "userId")),
    ):
        sql = sql.replace(f"<{table}.{column}>", f'"{library.name(table, column)}"')
    for name, value in values.items():
        sql = sql.replace(f":{name}:", f"'{value}'")
    assert ":" not in sql.replace("::", ""), sql
    return sql


def plant(library: Library, sql: str, **values) -> None:
    """Have that SQL run once in the middle of the next transfer."""
    library.rows(HOOK.replace("{sql}", filled(library, sql, **values)))


def plant_late(monkeypatch: pytest.MonkeyPatch, library: Library, sql: str, **values) -> None:
    """Have it run after the last step, and before the checks: a step in between would have put it right."""
    sql, checks = filled(library, sql, **values), transfer.run_checks
    monkeypatch.setattr(transfer, "run_checks", lambda tx: (tx.cursor.execute(sql), checks(tx)))


def violate(library, scene, runner, sql: str, planting=plant) -> transfer.InvariantBroken:
    """Plant a violation: the run must end in InvariantBroken and leave every table as it was."""
    photo = library.asset(scene.ben, "his own.jpg")
    his_person = library.person(scene.ben, "Ina")
    her_tag, her_link = library.tag(scene.anna, "Other"), library.link(scene.anna, assets=[scene.home])
    third = library.person(scene.carla, "Pia")
    hers = library.asset(scene.carla, "her own.jpg")
    memory = library.memory(scene.anna, [scene.home])
    bare = library.face(scene.lake, source="exif")
    library.rows('delete from face_search where "faceId" = %s', bare)
    values = {
        **{name: getattr(scene, name) for name in ("anna", "ben", "carla", "album", "lake", "hill", "home", "max")},
        **{"stack": scene.stack, "other_stack": scene.other_stack, "other_album": scene.other_album},
        **{"stacked": scene.stacked[0], "stays": scene.stays[0], "video": scene.live[1], "guest": scene.others[0]},
        **{"comment": scene.comment, "lea": scene.lea, "oma": scene.oma, "bens_oma": scene.bens_oma},
        **{f"face_{name}": face for name, face in scene.faces.items()},
        **{"photo": photo, "his_person": his_person, "her_tag": her_tag, "her_link": her_link, "third": third},
        **{"hers": hers, "her_memory": memory, "bare": bare, "torn": scene.torn[1]},
    }
    planting(library, sql, **values)
    before = library.snapshot()
    error = None
    for dry_run in (True, False):
        with pytest.raises(transfer.InvariantBroken) as caught:
            transfer.transfer(
                runner.params, runner.request(scene.album, merge=[scene.oma]), transfer.How(dry_run=dry_run)
            )
        error = caught.value
        assert library.snapshot() == before
    assert error.why
    return error


PLANTED = {
    # 1: every moved photo has the new owner, nothing else changed owner
    "a photo that stays changes owner": """update asset set "ownerId" = :ben: where id = :home:""",
    "a moved photo goes back": """update asset set "ownerId" = :anna: where id = :lake:""",
    "a moved photo that nothing hangs on goes back": """
        update asset set "ownerId" = :anna: where "originalFileName" = 'double1.jpg'""",
    "a moved photo goes to a third": """update asset set "ownerId" = :carla: where id = :hill:""",
    "a third user's photo is taken": """update asset set "ownerId" = :ben: where id = :hers:""",
    "a guest's photo in the album is taken": """update asset set "ownerId" = :ben: where id = :guest:""",
    "one of the destination's own is given away": """update asset set "ownerId" = :anna: where id = :photo:""",
    "a member of a stack that stays changes owner": """update asset set "ownerId" = :ben: where id = :stays:""",
    "what stays of a torn stack changes owner": """update asset set "ownerId" = :ben: where id = :torn:""",
    "what stays of a group of duplicates changes owner": """
        update asset set "ownerId" = :ben: where "originalFileName" = 'double2.jpg'""",
    # 2: no face on a moved photo links to another owner's person
    "a moved face goes back to the source's person": """
        update asset_face set <asset_face.personGroupId> = :max: where id = :face_max:""",
    "a moved face goes to a third user's person": """
        update asset_face set <asset_face.personGroupId> = :third: where id = :face_lea:""",
    "a face that stays goes to the destination's person": """
        update asset_face set <asset_face.personGroupId> = :bens_oma: where id = :face_max_home:""",
    # 3: no featured photo on another owner's asset
    "the source's person shows a moved photo": """
        update person set "faceAssetId" = :face_lea: where "ownerId" = :anna: and <person.personGroupId> = :max:""",
    "the destination's person shows a photo that stays": """
        update person set "faceAssetId" = :face_max_home:
        where "ownerId" = :ben: and <person.personGroupId> = :bens_oma:""",
    # 4: live photos and stacks have one owner; the primary is a member
    "a moved photo gets a video of the source's": """
        update asset set "livePhotoVideoId" = :home: where id = :lake:""",
    "a still of the source's gets a moved video": """
        update asset set "livePhotoVideoId" = :video: where id = :home:""",
    "a moved photo gets into the source's stack": """update asset set "stackId" = :other_stack: where id = :lake:""",
    "a moved stack goes back": """update stack set "ownerId" = :anna: where id = :stack:""",
    "a moved stack shows a photo that is no member": """
        update stack set "primaryAssetId" = :photo: where id = :stack:""",
    "a moved stack loses its primary": """update asset set "stackId" = null where id = :stacked:""",
    "a moved stack is left with one": """
        update asset set "stackId" = null where "stackId" = :stack: and id <> :stacked:""",
    # 5: no tag, memory or individual link of another user
    "the source's tag is put back": """
        insert into tag_asset (<tag_asset.tagId>, <tag_asset.assetId>) values (:her_tag:, :lake:)""",
    "the source's memory gets a moved photo": """
        insert into memory_asset ("memoriesId", <memory_asset.assetId>) values (:her_memory:, :lake:)""",
    "the source's link gets a moved photo": """
        insert into shared_link_asset (<shared_link_asset.sharedLinkId>, <shared_link_asset.assetId>)
        values (:her_link:, :lake:)""",
    # 6: album, members, comments, likes
    "an album is renamed": """update album set "albumName" = 'x' where id = :album:""",
    "an album loses its cover": """update album set "albumThumbnailAssetId" = null where id = :album:""",
    "an album shows what is not in it": """
        update album set "albumThumbnailAssetId" = :home: where id = :album:""",
    "another album of a moved photo is renamed": """update album set "albumName" = 'x' where id = :other_album:""",
    "an album goes": """delete from album where id = :other_album:""",
    "a member goes": """
        delete from album_user where <album_user.albumId> = :album: and <album_user.userId> = :carla:""",
    "a member gets another role": """
        update album_user set role = 'viewer' where <album_user.albumId> = :album: and <album_user.userId> = :carla:""",
    "a member is added": """
        insert into album_user (<album_user.albumId>, <album_user.userId>, role) values (:album:, :ben:, 'editor')""",
    "a membership begins anew": """
        update album_user set "createdAt" = now()
        where <album_user.albumId> = :album: and <album_user.userId> = :carla:""",
    "a comment goes": """delete from activity where id = :comment:""",
    "a comment is changed": """update activity set comment = 'x' where id = :comment:""",
    "a comment is added": """
        insert into activity ("albumId", "assetId", "userId", comment) values (:album:, :lake:, :ben:, 'x')""",
    "a like goes": """delete from activity where "isLiked" and "albumId" = :album:""",
    # 7: rows of asset, asset_face, face_search, album_asset
    "a moved photo goes": """delete from asset where id = :video:""",
    "a face goes": """delete from asset_face where id = :face_lea:""",
    "a face without a vector goes": """delete from asset_face where id = :bare:""",
    "a face is added": """insert into asset_face ("assetId") values (:lake:)""",
    "a face vector goes": """delete from face_search where "faceId" = :face_lea:""",
    "a moved photo leaves the album": """
        delete from album_asset where <album_asset.albumId> = :album: and <album_asset.assetId> = :hill:""",
    "a photo that stays leaves the album": """
        delete from album_asset where <album_asset.albumId> = :other_album: and <album_asset.assetId> = :home:""",
    "a photo is put into the album": """
        insert into album_asset (<album_asset.albumId>, <album_asset.assetId>) values (:album:, :home:)""",
}


# What finds them, besides PostgreSQL's count of the rows that were written, which finds nearly all that a trigger does.
FOUND_BY = {
    "a moved photo that nothing hangs on goes back": "not moved: 1",
    "a moved face goes back to the source's person": "cross-owner face: 1",
    "a moved face goes to a third user's person": "cross-owner face: 1",
    "the source's person shows a moved photo": "cross-owner featured: 1",
    "the destination's person shows a photo that stays": "cross-owner featured: 1",
    "a moved photo gets a video of the source's": "cross-owner live: 1",
    "a still of the source's gets a moved video": "cross-owner live: 1",
    "a moved stack goes back": "cross-owner stack: ",
    "a moved stack shows a photo that is no member": "cross-owner primary: 1",
    "a moved stack loses its primary": "cross-owner primary: 1",
    "a moved stack is left with one": "cross-owner small: 1",
    "the source's tag is put back": "cross-owner tag: 1",
    "the source's memory gets a moved photo": "cross-owner memory: 1",
    "the source's link gets a moved photo": "cross-owner link: 1",
    "an album is renamed": "album: 1",
    "an album loses its cover": "album: 1",
    "another album of a moved photo is renamed": "album: 1",
    "an album shows what is not in it": "cross-owner cover: 1",
}


@pytest.mark.cases
@pytest.mark.parametrize("name", PLANTED)
def test_a_violation_rolls_everything_back(library, scene, runner, name, monkeypatch) -> None:
    late = FOUND_BY.get(name) in ("cross-owner tag: 1", "cross-owner memory: 1")
    planting = functools.partial(plant_late, monkeypatch) if late else plant
    assert FOUND_BY.get(name, "by this run:") in violate(library, scene, runner, PLANTED[name], planting).why


# What a step of the program's own may not write, and what finds it: the journal tells of it, so the count is right.
# A neighbour is written in any case, but keeps its owner.
WRONG_STEPS = {
    "a photo that stays": ("owner: 1", "asset", ["ownerId"], 'select {home} as id, {ben} as "ownerId"'),
    "a neighbour's owner": ("owner: 1", "asset", ["ownerId"], 'select {torn} as id, {ben} as "ownerId"'),
    "a comment": ("comment or like: 1", "activity", ["comment"], "select {comment} as id, 'x' as comment"),
    "a new face": ("row: 1", "asset_face", ["id", "assetId"], "select gen_random_uuid(), {lake}"),
    "a new member": (
        "album member: 1",
        "album_user",
        ["albumId", "userId", "role"],
        "select {album}, {ben}, 'editor'",
    ),
    "a photo in an album": ("album photo: 1", "album_asset", ["albumId", "assetId"], "select {album}, {home}"),
}


@pytest.mark.parametrize("what", WRONG_STEPS)
def test_what_a_step_may_not_write_rolls_everything_back(library, scene, runner, monkeypatch, what) -> None:
    found, table, columns, query = WRONG_STEPS[what]
    ids = {name: getattr(scene, name) for name in ("home", "ben", "comment", "lake", "album")}
    query = query.format(**{name: f"'{id_}'::uuid" for name, id_ in {**ids, "torn": scene.torn[1]}.items()})

    def wrong(tx: transfer.Transaction, report: transfer.Report) -> transfer.Report:
        write = transfer.change if " as " in query else transfer.add
        assert write(tx, table, columns, query) == 1
        return report

    monkeypatch.setattr(transfer, "STEPS", (*transfer.STEPS, ("Wrong", wrong)))
    assert found in runner.refused(scene.album, transfer.InvariantBroken).why


@pytest.mark.until("2.7")
def test_an_album_that_changes_hands_rolls_everything_back(library, scene, runner) -> None:
    violate(library, scene, runner, 'update album set "ownerId" = :carla: where id = :album:')


# Of versions that have it: what finds it.
NOT_RIGHT = {
    "an album loses its owner": (
        "cross-owner album owner: 1",
        "update album_user set role = 'viewer' where <album_user.albumId> = :album: and <album_user.userId> = :anna:",
    ),
    "the destination gets a row in the source's cluster group": (
        "cross-owner person: 1",
        'insert into person ("ownerId", <person.personGroupId>) values (:ben:, :max:)',
    ),
}


@pytest.mark.since("3.2")
@pytest.mark.parametrize("what", NOT_RIGHT)
def test_what_is_not_right_in_newer_versions_rolls_everything_back(library, scene, runner, what) -> None:
    found, sql = NOT_RIGHT[what]
    assert found in violate(library, scene, runner, sql).why


def test_a_moved_photo_that_is_put_into_another_album_rolls_everything_back(library, scene, runner) -> None:
    """Invariant 7: album_asset has the same rows for the photos that move, whichever albums they are in."""
    library.album(scene.carla, "Unconcerned")
    violate(
        library,
        scene,
        runner,
        """insert into album_asset (<album_asset.albumId>, <album_asset.assetId>)
           select id, :lake: from album where "albumName" = 'Unconcerned'""",
    )


def test_a_neighbour_that_goes_rolls_everything_back(library, scene, runner) -> None:
    """Invariant 7: of asset, too. The rest of a split stack is written by the run."""
    violate(library, scene, runner, f"delete from asset where id = '{scene.torn[1]}'")


def test_a_new_photo_rolls_everything_back(library, scene, runner) -> None:
    """A copy of a row, as a careless trigger could make it."""
    columns = [
        row[0]
        for row in library.rows(
            """select column_name from information_schema.columns where table_schema = 'public'
               and table_name = 'asset' and column_name not in ('id', 'checksum')"""
        )
    ]
    names = ", ".join(f'"{column}"' for column in columns)
    violate(
        library,
        scene,
        runner,
        f"""insert into asset (id, checksum, {names})
            select gen_random_uuid(), '\\x01', {names} from asset where id = :home:""",
    )


def test_the_same_library_passes_without_a_violation(library, scene, runner) -> None:
    """So that the tests above fail for what they planted."""
    plant(library, "perform 1")
    assert runner.move(scene.album, merge=[scene.oma]).wrong_after == 0


# ---- what was wrong before stops nothing ----------------------------------------------------------------------------


def test_a_live_photo_torn_before_moves_as_far_as_it_is_the_sources(library, anna, ben, carla, move) -> None:
    video = library.asset(carla, "jump.MOV", kind="VIDEO", visibility="hidden")
    still = library.asset(anna, "jump.HEIC", live_video=video)
    report = move(library.album(anna, "Trip", [still]))
    assert [library.owner_of(a) for a in (still, video)] == [ben, carla]
    assert (report.of("already_wrong"), report.wrong_after) == (1, 0)


def test_a_third_users_photo_in_a_stack_that_stays_in_part_stops_nothing(library, anna, ben, carla, move) -> None:
    moves, stays, hers = library.asset(anna), library.asset(anna, visibility="locked"), library.asset(carla)
    library.stack(anna, [stays, moves, hers])
    report = move(library.album(anna, "Trip", [moves]))
    assert [library.owner_of(a) for a in (moves, stays, hers)] == [ben, anna, carla]
    assert (report.of("already_wrong"), report.wrong_after) == (1, 0)


def test_a_face_of_the_same_person_on_another_users_photo_stops_nothing(library, anna, ben, carla, move) -> None:
    """That photo is not part of the transfer, and Max stays Anna's; Repair is for it."""
    moves, home, other = library.asset(anna), library.asset(anna), library.asset(carla)
    max_ = library.person(anna, "Max")
    for photo in (moves, home):
        library.face(photo, max_)
    face = library.face(other, max_)
    report = move(library.album(anna, "Trip", [moves]))
    assert library.person_of(face) == max_
    assert (report.of("already_wrong"), report.wrong_after) == (0, 0)


def test_what_the_transfer_itself_puts_right_is_counted_and_right_afterwards(library, anna, ben, carla, move) -> None:
    """Faces with a third user's person, her picture on such a photo, a stack torn between the two users."""
    photo, mine, his = library.asset(anna), library.asset(anna), library.asset(ben)
    pia = library.person(carla, "Pia")
    library.face(photo, pia, featured_of=carla)
    library.stack(anna, [mine, his])
    report = move(library.album(anna, "Trip", [photo, mine]))
    assert (report.of("already_wrong"), report.wrong_after) == (3, 0)


def test_wrong_things_elsewhere_are_not_counted(library, anna, ben, carla, move) -> None:
    library.face(library.asset(carla), library.person(ben, "Ina"))
    report = move(library.album(anna, "Trip", [library.asset(anna)]))
    assert (report.of("already_wrong"), report.wrong_after) == (0, 0)


@pytest.mark.since("3.1")
def test_an_album_that_had_no_owner_before_stops_nothing(library, anna, ben, move) -> None:
    photo = library.asset(anna)
    orphan = library.album(anna, "Orphan", [photo])
    library.rows("set session_replication_role = replica")
    library.rows('delete from album_user where "albumId" = %s', orphan)
    library.rows("reset session_replication_role")
    assert move(library.album(anna, "Trip", [photo])).assets == 1
    assert library.owner_of(photo) == ben


SWALLOW = """
create function swallow() returns trigger language plpgsql as $body$ begin return null; end $body$;
create trigger swallow before {} for each row execute function swallow();
"""


@pytest.mark.parametrize("event", ["update on asset_job_status", "delete on tag_asset"])
def test_rows_that_were_not_written_roll_everything_back(library, scene, runner, event) -> None:
    """A trigger that is not Immich's swallows them: the journal would tell an undo what never happened."""
    library.rows(SWALLOW.format(event))
    error = runner.refused(scene.album, transfer.InvariantBroken)
    assert "rows to be written: " in error.why and error.why.endswith(", written: 0")


def test_a_server_that_does_not_count_is_refused(library, scene, runner, params) -> None:
    """The checks would find each run to have written nothing."""
    before = library.snapshot()
    with pytest.raises(transfer.TransferError, match="does not count the rows") as refusal:
        transfer.transfer({**params, "options": "-c track_counts=off"}, runner.request(scene.album))
    assert "track_counts" in refusal.value.todo
    assert library.snapshot() == before
