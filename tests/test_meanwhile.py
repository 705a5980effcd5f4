"""Immich, its users and a second run of the tool go on working meanwhile."""

import threading
import time
from contextlib import closing, contextmanager

import psycopg2
import psycopg2.errors
import pytest

import transfer
from tests.conftest import EVERYTHING, problems, repair_one
from tests.library import Library

pytestmark = pytest.mark.long

PATIENCE = 90  # seconds that a busy machine may take for anything


@pytest.fixture
def second(library, params):
    """Another connection, outside any transaction."""
    with closing(psycopg2.connect(**params)) as connection:
        connection.autocommit = True
        yield Library(connection, library.version)


@contextmanager
def background(task):
    """Run something in a thread; what it raised is in the list."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            task()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    yield errors, thread
    thread.join(PATIENCE)
    assert not thread.is_alive()


def wait_until(library, query: str, *values) -> None:
    """Wait until a query has a row."""
    end = time.monotonic() + PATIENCE
    while not library.rows(query, *values):
        assert time.monotonic() < end, query
        time.sleep(0.01)


WAITING = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


# ---- a second run ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first_dry", [True, False] if EVERYTHING else [False])
def test_a_second_run_is_refused_and_the_first_goes_on(library, scene, runner, params, first_dry) -> None:
    """At every step of the first one, whatever the second wants."""
    other = library.album(scene.carla, "Elsewhere", [library.asset(scene.carla)])
    request, elsewhere = runner.request(scene.album), runner.request(other, source=scene.carla)
    refused = 0

    def progress(_step: str) -> None:
        nonlocal refused
        for attempt in (
            lambda: transfer.transfer(params, request, transfer.How(dry_run=True)),
            lambda: transfer.transfer(params, elsewhere, transfer.How(dry_run=False)),
            lambda: transfer.merge_pairs(params, elsewhere),
            lambda: repair_one(params, scene.carla, transfer.How(dry_run=False)),
        ):
            with pytest.raises(transfer.AnotherRun):
                attempt()
            refused += 1

    report = transfer.transfer(params, request, transfer.How(dry_run=first_dry, progress=progress))
    assert refused >= 4 * len(transfer.STEPS)
    assert library.owner_of(scene.lake) == (scene.anna if first_dry else scene.ben)
    assert transfer.transfer(params, elsewhere, transfer.How(dry_run=False)).assets == 1
    assert report.assets == scene.moving


# ---- between the dry run and the run --------------------------------------------------------------------------------


# What changes what the run would do.
CONCERNS = {
    "a photo more": lambda lib, s: lib.add_to_album(s.album, lib.asset(s.anna, "late.jpg")),
    "one in the trash": lambda lib, s: lib.rows(
        """update asset set status = 'trashed', "deletedAt" = now() where id = %s""", s.lake
    ),
    # before, it stayed as well
    "another reason to stay": lambda lib, s: lib.rows(
        "update asset set visibility = 'locked' where \"originalFileName\" = 'twin.jpg' and \"ownerId\" = %s", s.anna
    ),
    "who goes is elsewhere too": lambda lib, s: lib.face(s.home, s.lea),
    "another namesake": lambda lib, s: (
        lib.rows("""update person set name = 'Anni' where "ownerId" = %s""", s.ben) or lib.person(s.ben, "Oma")
    ),
}
CONCERNS_NOT = {
    "an upload elsewhere": lambda lib, s: (
        lib.asset(s.anna, "new.jpg") and lib.asset(s.ben, "new.jpg") and lib.settle_usage()
    ),
    "a comment": lambda lib, s: lib.comment(s.album, s.carla, "And another", asset=s.lake),
    "a guest's photo": lambda lib, s: lib.add_to_album(s.album, lib.asset(s.carla, "late.jpg")),
    "a new device": lambda lib, s: lib.session(s.anna),
}


@pytest.mark.cases
@pytest.mark.parametrize("event", CONCERNS)
def test_what_was_shown_is_what_is_done_or_nothing_is(library, scene, runner, event) -> None:
    shown = runner.dry(scene.album, merge=[scene.oma])
    CONCERNS[event](library, scene)
    before = library.snapshot()
    with pytest.raises(transfer.Changed) as caught:
        run_again(runner, scene, shown)
    assert caught.value.todo
    assert library.snapshot() == before


def run_again(runner, scene, shown: transfer.Report) -> transfer.Report:
    """The run whose dry run said that."""
    request = runner.request(scene.album, merge=[scene.oma])
    return transfer.transfer(runner.params, request, transfer.How(dry_run=False, expected_digest=shown.digest))


def test_what_does_not_concern_the_photos_does_not_stop_the_run(library, scene, runner) -> None:
    shown = runner.dry(scene.album, merge=[scene.oma])
    for event in CONCERNS_NOT.values():
        event(library, scene)
    assert run_again(runner, scene, shown).assets == scene.moving


def test_an_album_that_came_since_is_not_handed_over_unshown(library, scene, params) -> None:
    """It has no photo, so nothing else is concerned by it."""
    request = transfer.Request(scene.anna, scene.ben, everything=True)
    shown = transfer.transfer(params, request, transfer.How(dry_run=True))
    late = library.album(scene.anna, "Plans")
    with pytest.raises(transfer.Changed):
        transfer.transfer(params, request, transfer.How(dry_run=False, expected_digest=shown.digest))
    assert library.album_owner(late) == scene.anna


# ---- during the run -------------------------------------------------------------------------------------------------


# What the former owner's browser, or a job, had begun with the photos and could do as soon as they were let go.
DONE_TOO_LATE = {
    "a face of somebody": lambda other, scene: other.face(scene.lake, scene.max),
    "a face linked anew": lambda other, scene: other.rows(
        f'update asset_face set "{other.name("asset_face", "personGroupId")}" = %s where id = %s',
        scene.max,
        scene.faces["lea"],
    ),
    "a stack": lambda other, scene: other.stack(scene.anna, [scene.lake, scene.hill]),
    "a photo more in a stack": lambda other, scene: other.rows(
        'update asset set "stackId" = %s where id = %s', scene.other_stack, scene.lake
    ),
    "a stack shown by one": lambda other, scene: other.rows(
        'update stack set "primaryAssetId" = %s where id = %s', scene.lake, scene.other_stack
    ),
    "a picture of a new person": lambda other, scene: other.rows(
        f"""update person set "faceAssetId" = %s where "{other.name("person", "personGroupId")}" = %s""",
        other.face(scene.lake),
        other.person(scene.anna, "Newcomer"),
    ),
}


@pytest.mark.cases
@pytest.mark.parametrize("what", DONE_TOO_LATE)
def test_what_the_former_owner_did_with_the_photos_meanwhile_is_reported_and_repaired(
    library, scene, second, runner, params, monkeypatch, mend, what
) -> None:
    """Nothing of it was there when the run looked what the photos hang on."""
    look = transfer.look_again

    def after_commit(*args):
        DONE_TOO_LATE[what](second, scene)
        return look(*args)

    monkeypatch.setattr(transfer, "look_again", after_commit)
    assert transfer.transfer(params, runner.request(scene.album), transfer.How(dry_run=False)).wrong_after
    for user in (scene.anna, scene.ben):
        mend(user)
    assert problems(library) == set()


@pytest.mark.parametrize("what", ["a face of somebody", "a picture of a new person"])
def test_what_recognition_writes_meanwhile_stops_nothing(library, scene, second, runner, params, mend, what) -> None:
    """It had read the old owner's people; the run is not blamed for it."""

    def progress(step: str) -> None:
        if step == "Checking":
            DONE_TOO_LATE[what](second, scene)

    report = transfer.transfer(params, runner.request(scene.album), transfer.How(dry_run=False, progress=progress))
    assert report.wrong_after == 1
    for user in (scene.anna, scene.ben):
        mend(user)
    assert problems(library) == set()


def test_a_photo_that_was_given_to_somebody_else_while_it_was_waited_for_is_theirs(
    library, scene, second, runner, params
) -> None:
    """It was the source's when it was chosen. Whose it is counts once it is locked."""
    with held(params, 'update asset set "ownerId" = %s where id = %s', scene.carla, scene.home) as connection:
        album = library.album(scene.anna, "Late", [scene.home, scene.stays[0]])

        def let_go() -> None:
            wait_until(second, WAITING)
            connection.commit()

        with background(let_go) as (errors, _):
            report = transfer.transfer(params, runner.request(album), transfer.How(dry_run=False))
    assert errors == []
    assert library.owner_of(scene.home) == scene.carla
    assert library.owner_of(scene.stays[0]) == scene.ben
    assert report.assets == 2  # the other one of the stack came along


# ---- locks ----------------------------------------------------------------------------------------------------------


@contextmanager
def held(params, statement: str, *values):
    """Another connection in a transaction that has run a statement."""
    with closing(psycopg2.connect(**params)) as connection:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
        yield connection


# What is locked: rows, how somebody else would lock them, and how many steps are told before it is.
LOCKED = {
    "photo": ("asset where id = '{s.lake}'", "no key update", 1),
    "face": ("asset_face where id = '{s.faces[max]}'", "no key update", 1),
    "person": ("person where name = 'Max'", "no key update", 1),
    "album": ("album where id = '{s.album}'", "no key update", 1),
    "member": ("album_user where {album} = '{s.album}'", "no key update", 1),
    # photos that do not change hands, and that a run may write all the same: who deletes one meanwhile waits, else a
    # stack would be left with a primary that has gone
    "photo of a torn stack": ("asset where id = '{s.torn[1]}'", "update", 2),
    "photo of a group of duplicates": ("""asset where "originalFileName" = 'double2.jpg'""", "update", 2),
    "photo with a deleted face": ("asset where id = '{s.home}'", "update", 2),
    "user": ("""\"user\" where id = '{s.ben}'""", "update", 99),  # at the end only: Immich writes it all the time
}


def locking(library, scene, what: str, how: str = "") -> str:
    """A statement that locks such rows."""
    rows, usual, _steps = LOCKED[what]
    return f"select 1 from {rows} for {how or usual}".format(
        s=scene, album=f'"{library.name("album_user", "albumId")}"'
    )


def test_what_was_looked_at_cannot_change_before_commit(library, scene, second, params) -> None:
    """Immich must wait: the decisions are about the rows as they were read, and who owns an album too."""
    library.face(scene.home, scene.lea, deleted=True)
    steps: list[str] = []

    def is_free(what: str) -> bool:
        try:
            assert second.rows(f"{locking(library, scene, what)} nowait"), what
        except psycopg2.errors.LockNotAvailable:
            return False
        return True

    def progress(step: str) -> None:
        steps.append(step)
        free = [what for what, (*_, before) in LOCKED.items() if len(steps) > before and is_free(what)]
        assert free == [], step

    request = transfer.Request(scene.anna, scene.ben, scene.album, album_itself=transfer.ALBUM_HANDED_OVER)
    transfer.transfer(params, request, transfer.How(dry_run=True, progress=progress))
    assert len(steps) > len(transfer.STEPS)
    assert all(map(is_free, LOCKED))  # there are such rows


# What Immich's jobs and other people do with the photos and the album meanwhile, by a connection of theirs.
DONE_BY_OTHERS = {
    "a comment": lambda other, scene: other.comment(scene.album, scene.carla, "Late", asset=scene.lake),
    "a like": lambda other, scene: other.like(scene.album, scene.carla, asset=scene.live[0]),
    "a comment taken back": lambda other, scene: other.rows("delete from activity where id = %s", scene.comment),
    "a guest's photo put in": lambda other, scene: other.add_to_album(
        scene.album, other.asset(scene.carla, "late.jpg")
    ),
    "a guest's photo taken out": lambda other, scene: other.rows(
        f'delete from album_asset where "{other.name("album_asset", "assetId")}" = %s', scene.others[0]
    ),
    "a member who leaves": lambda other, scene: other.rows(
        f'delete from album_user where "{other.name("album_user", "userId")}" = %s', scene.carla
    ),
    "a file": lambda other, scene: other.rows(
        """insert into asset_file (id, "assetId", type, path) values (gen_random_uuid(), %s, 'fullsize', '/x')""",
        scene.lake,
    ),
    "a face of nobody": lambda other, scene: other.face(scene.lake),
    "a face of somebody": lambda other, scene: other.face(scene.lake, scene.max),
    "a tag of the former owner": lambda other, scene: other.tag_assets(other.tag(scene.anna, "Late"), scene.lake),
    "a memory of the former owner": lambda other, scene: other.memory(scene.anna, [scene.lake]),
    "a link of the former owner": lambda other, scene: other.link(scene.anna, assets=[scene.lake]),
}


@pytest.mark.parametrize(("step", "wrong"), [("Counting what is there", 1), ("Checking", 4)])
def test_nobody_waits_and_nobody_is_blamed(library, scene, second, runner, params, step, wrong) -> None:
    """In a dry run, after which it is taken back here, as in a run. What is wrong then is told: the face alone, or all
    that comes after the step that would have put it right.
    """
    before = len(problems(library))
    second.rows("set lock_timeout = '1s'")
    done: list[bool] = []

    def progress(now: str, commit: bool = True) -> None:
        if now == step:
            for do in DONE_BY_OTHERS.values():
                second.rows("begin")
                do(second, scene)
                second.rows("commit" if commit else "rollback")
            done.append(commit)

    request = runner.request(scene.album)
    transfer.transfer(params, request, transfer.How(dry_run=True, progress=lambda now: progress(now, commit=False)))
    report = transfer.transfer(params, request, transfer.How(dry_run=False, progress=progress))
    assert done == [False, True]
    assert report.assets == scene.moving
    assert report.wrong_after == wrong
    assert len(problems(library)) == before + wrong


@pytest.mark.parametrize("what", ["photo", "face", "person", "user"])
def test_a_row_that_stays_locked_ends_in_one_sentence_after_one_more_try(library, scene, runner, params, what) -> None:
    steps: list[str] = []
    before = library.snapshot()
    with held(params, locking(library, scene, what, "update")), pytest.raises(transfer.TransferError) as caught:
        transfer.transfer(
            {**params, "options": "-c lock_timeout=200ms"},
            runner.request(scene.album),
            transfer.How(dry_run=False, progress=steps.append),
        )
    assert "working on the same rows" in caught.value.why
    assert steps.count(steps[0]) == 2
    assert library.snapshot() == before


def planted_error(library, code: str, times: int) -> None:
    """The first writes of a photo fail with that error."""
    library.rows(
        f"""
        create sequence planted;
        create function planted() returns trigger language plpgsql as $body$
        begin if nextval('planted') <= {times} then raise exception using errcode = '{code}'; end if; return null; end
        $body$;
        create trigger planted before update of "ownerId" on asset for each statement execute function planted()
        """
    )


@pytest.mark.cases
@pytest.mark.parametrize(
    ("code", "times", "attempts"),
    [
        *(("40001", 1, 2), ("40P01", 1, 2), ("55P03", 1, 2)),  # the second try comes through
        *(("40001", 99, 2), ("40P01", 99, 2), ("55P03", 99, 2), ("23505", 99, 1), ("57014", 99, 1)),
    ],
)
def test_a_conflict_is_tried_again_once_and_then_one_sentence(library, scene, runner, code, times, attempts) -> None:
    planted_error(library, code, times)
    before, request = library.snapshot(), runner.request(scene.album)
    if times == 1:
        assert transfer.transfer(runner.params, request, transfer.How(dry_run=False)).assets == scene.moving
        assert problems(library) == set()
    else:
        with pytest.raises(transfer.TransferError) as caught:
            transfer.transfer(runner.params, request, transfer.How(dry_run=False))
        assert caught.value.why and caught.value.todo
        assert library.snapshot() == before
    assert library.value("select last_value from planted") == attempts
