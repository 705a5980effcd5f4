"""The album itself: it stays, is shared with the destination, or is handed over with its links; then taken back."""

import contextlib
import threading
import time
from contextlib import closing
from typing import Any

import psycopg2
import pytest

import transfer
from tests.conftest import NOT_PUT_BACK, model_versions
from tests.library import Library
from tests.random_library import adapted
from transfer import ALBUM_GIVEN_UP, ALBUM_HANDED_OVER, ALBUM_SHARED, ALBUM_STAYS

pytestmark = pytest.mark.long


@pytest.fixture
def hand(journey, anna, ben):
    """hand(album, itself): from Anna to Ben."""
    return lambda album, itself: journey.go(transfer.Request(anna, ben, album=album, album_itself=itself))


def roles(library: Library, album: str) -> dict[str, str]:
    """Everybody's role in an album, the owner's included, in either model."""
    user, key = library.name("album_user", "userId"), library.name("album_user", "albumId")
    members = dict(library.rows(f'select "{user}", role::text from album_user where "{key}" = %s', album))
    if not library.has_album_owner_rows:
        owner = library.album_owner(album)
        assert owner not in members, "an owner is no member besides"
        members[owner] = "owner"
    return members


def link_users(library: Library, *links: str) -> list[str]:
    return [library.value('select "userId" from shared_link where id = %s', link) for link in links]


def cover(library: Library, album: str) -> str | None:
    return library.value('select "albumThumbnailAssetId" from album where id = %s', album)


# ---- roles, members, links, comments; and back ----------------------------------------------------------------------


@pytest.mark.cases
@pytest.mark.parametrize(
    ("itself", "was", "then"),
    [
        (ALBUM_STAYS, "viewer", {"anna": "owner", "ben": "viewer"}),
        (ALBUM_SHARED, None, {"anna": "owner", "ben": "editor"}),
        (ALBUM_SHARED, "viewer", {"anna": "owner", "ben": "editor"}),
        (ALBUM_SHARED, "editor", {"anna": "owner", "ben": "editor"}),
        (ALBUM_HANDED_OVER, None, {"anna": "editor", "ben": "owner"}),
        (ALBUM_HANDED_OVER, "viewer", {"anna": "editor", "ben": "owner"}),
        (ALBUM_GIVEN_UP, "editor", {"ben": "owner"}),
    ],
)
def test_the_four_choices(library, anna, ben, carla, hand, journey, itself, was, then) -> None:
    dora = library.user("Dora")
    photos = [library.asset(anna, "lake.jpg"), library.asset(anna, "hill.jpg")]
    guest = library.asset(carla, "guest.jpg")
    members = {carla: "viewer", dora: "editor"} | ({ben: was} if was else {})
    album = library.album(anna, "Trip", [*photos, guest], members=members, cover=photos[1])
    other = library.album(anna, "Other", [library.asset(anna)], members={ben: "viewer"})
    links = [library.link(anna, album=album), library.link(dora, album=album), library.link(anna, album=other)]
    for user in (anna, ben, carla):
        library.comment(album, user, "Nice", asset=photos[0])
        library.like(album, user)
    library.settle_usage()
    before, said = library.snapshot(ignore=NOT_PUT_BACK), library.snapshot()["activity"]
    others, roles_before = roles(library, other), roles(library, album)

    report = hand(album, itself)
    handed = itself in (ALBUM_HANDED_OVER, ALBUM_GIVEN_UP)
    users = {"anna": anna, "ben": ben}
    assert roles(library, album) == {users[name]: role for name, role in then.items()} | {
        carla: "viewer",
        dora: "editor",
    }
    assert roles(library, other) == others
    assert link_users(library, *links) == [ben if handed else anna, dora, anna]
    assert library.snapshot()["activity"] == said
    assert (cover(library, album), library.photos_in(album)) == (photos[1], {*photos, guest})
    assert report.listed("albums_changed") == (() if roles_before == roles(library, album) else ("Trip",))
    assert (report.assets, report.of("items"), report.of("album_copies")) == (2, 3, 0)
    assert report.listed("albums_unseen") == ()

    undone = journey.back()
    assert undone.of("albums_back") == (1 if handed else 0)
    assert library.snapshot(ignore=NOT_PUT_BACK) == before


def test_an_album_without_a_photo_of_the_sources(library, anna, ben, carla, hand, journey) -> None:
    album = library.album(anna, "Guests", [library.asset(carla)])
    with journey.returning():
        report = hand(album, ALBUM_HANDED_OVER)
        assert (report.assets, report.listed("albums_changed")) == (0, ("Guests",))
        assert roles(library, album) == {ben: "owner", anna: "editor"}


def test_an_album_that_is_not_the_sources_any_more_is_refused(library, anna, ben, carla, params, runner) -> None:
    """Anna is an editor of Carla's album: her photos can go, the album cannot."""
    album = library.album(carla, "Hers", [library.asset(anna)], members={anna: "editor"})
    before = library.snapshot()
    for itself in (ALBUM_SHARED, ALBUM_HANDED_OVER, ALBUM_GIVEN_UP):
        for dry_run in (True, False):
            request = transfer.Request(anna, ben, album=album, album_itself=itself)
            with pytest.raises(transfer.TransferError, match="somebody else"):
                transfer.transfer(params, request, transfer.How(dry_run=dry_run))
    assert library.snapshot() == before
    assert runner.dry(album).assets == 1


# ---- the check of the two users' roles ------------------------------------------------------------------------------

# After the run's own writes to the album: what it does last is an INSERT into this table, of rows or of none.
SPOIL = """
create function spoil() returns trigger language plpgsql as $body$ begin {sql}; return null; end $body$;
create trigger spoil after insert on {table} for each statement
    when (pg_trigger_depth() = 0) execute function spoil();
"""

THE_ROW = "where <album_user.albumId> = :album and <album_user.userId> = :user"
VIEWS = f"update album_user set role = 'viewer' {THE_ROW}"
LEAVES = f"delete from album_user {THE_ROW}"
JOINS = """
    insert into album_user (<album_user.albumId>, <album_user.userId>, role)
    values (:album, :user, 'editor')"""
# up to 2.7, and from 3.0 on, where the owner's row must be the user's only one
OWNS = {
    False: 'update album set "ownerId" = :user where id = :album',
    True: f"""
        delete from album_user {THE_ROW} and role <> 'owner';
        update album_user set <album_user.userId> = :user
        where <album_user.albumId> = :album and role = 'owner'""",
}

SPOILT = {
    "shared, but given to the destination": (ALBUM_SHARED, OWNS, "ben"),
    "shared, but given to a third": (ALBUM_SHARED, OWNS, "carla"),
    "shared to be seen only": (ALBUM_SHARED, VIEWS, "ben"),
    "not shared": (ALBUM_SHARED, LEAVES, "ben"),
    "handed over and back": (ALBUM_HANDED_OVER, OWNS, "anna"),
    "handed over to a third": (ALBUM_HANDED_OVER, OWNS, "carla"),
    "handed over, the source may only look": (ALBUM_HANDED_OVER, VIEWS, "anna"),
    "handed over, the source is out": (ALBUM_HANDED_OVER, LEAVES, "anna"),
    "handed over, the owner a member besides": (ALBUM_HANDED_OVER, JOINS, "ben"),
    "given up and back": (ALBUM_GIVEN_UP, OWNS, "anna"),
    "given up to a third": (ALBUM_GIVEN_UP, OWNS, "carla"),
    "given up, the source is still in": (ALBUM_GIVEN_UP, JOINS, "anna"),
    "given up, the owner a member besides": (ALBUM_GIVEN_UP, JOINS, "ben"),
}


@pytest.mark.cases
@pytest.mark.parametrize("version", model_versions())
@pytest.mark.parametrize(("itself", "sql", "who"), SPOILT.values(), ids=SPOILT.keys())
def test_wrong_roles_roll_everything_back(library, params, anna, ben, carla, itself, sql, who) -> None:
    if library.has_album_owner_rows and (sql, who) == (JOINS, "ben"):
        pytest.skip("the key of album_user makes that impossible")
    album = library.album(anna, "Trip", [library.asset(anna)], members={ben: "viewer"})
    user = {"anna": anna, "ben": ben, "carla": carla}[who]
    statement = sql[library.has_album_owner_rows] if sql is OWNS else sql
    statement = adapted(library, statement).replace(":album", f"'{album}'").replace(":user", f"'{user}'")
    table = "album_user" if itself == ALBUM_SHARED else "album_asset"
    library.rows(SPOIL.format(sql=statement, table=table))
    before, request = library.snapshot(), transfer.Request(anna, ben, album=album, album_itself=itself)
    for dry_run in (True, False):
        with pytest.raises(transfer.InvariantBroken) as caught:
            transfer.transfer(params, request, transfer.How(dry_run=dry_run))
        assert "changing album" in caught.value.why
        assert library.snapshot() == before


# ---- photos that the destination has already ------------------------------------------------------------------------


def doubles(library: Library, anna: str, ben: str) -> tuple[dict[str, str], dict[str, str]]:
    """Photos that both have, by what Ben's copy is: Anna's, and Ben's."""
    kinds: dict[str, dict[str, Any]] = {
        "plain": {},
        "archived": {"visibility": "archive"},
        "trashed": {"trashed": True},
        "locked": {"visibility": "locked"},
    }
    hers, his = {}, {}
    for number, kind in enumerate(kinds, 1):
        hers[kind] = library.asset(anna, f"{kind}.jpg", checksum=bytes([number]) * 20)
        his[kind] = library.asset(ben, f"{kind}.jpg", checksum=bytes([number]) * 20, **kinds[kind])
    return hers, his


@pytest.mark.parametrize("itself", [ALBUM_SHARED, ALBUM_HANDED_OVER])
def test_the_destinations_copy_joins_an_album_that_is_handed_over(library, anna, ben, hand, journey, itself) -> None:
    """Beside the source's, which stays; not what is out of sight at the destination. A cover that stays is replaced."""
    hers, his = doubles(library, anna, ben)
    goes = library.asset(anna, "goes.jpg")
    album = library.album(anna, "Trip", [goes, *hers.values()], members={ben: "viewer"}, cover=hers["plain"])
    library.comment(album, ben, "Mine too", asset=hers["plain"])
    with journey.returning():
        report = hand(album, itself)
        handed = itself in (ALBUM_HANDED_OVER, ALBUM_GIVEN_UP)
        joined = {his["plain"], his["archived"]} if handed else set()
        assert library.photos_in(album) == {goes, *hers.values()} | joined
        assert report.of("album_copies") == len(joined)
        assert report.of("comments_moved") == (1 if handed else 0)
        assert cover(library, album) == (his["plain"] if handed else hers["plain"])
        assert [library.owner_of(photo) for photo in hers.values()] == [anna] * 4
        assert said_of(library, album) == [("Mine too", his["plain"] if handed else hers["plain"])]


def said_of(library: Library, album: str) -> list[tuple]:
    """What was written or liked in an album, each with the photo that it hangs on."""
    return library.rows(
        """select coalesce(comment, 'like'), "assetId" from activity where "albumId" = %s
            order by 1, "createdAt" """,
        album,
    )


def test_what_others_said_of_a_photo_that_stays_moves_to_the_copy(library, anna, ben, carla, hand, journey) -> None:
    """Not the former owner's own, not what hangs on photos that move or on the album, no second like."""
    hers, his = doubles(library, anna, ben)
    goes = library.asset(anna, "goes.jpg")
    members = {ben: "editor", carla: "editor"}
    album = library.album(anna, "Trip", [goes, *hers.values(), his["plain"]], members=members)
    other = library.album(anna, "Other", [hers["plain"]], members=members)
    for user, text in ((ben, "His"), (carla, "Hers"), (anna, "My own")):
        library.comment(album, user, text, asset=hers["plain"])
    library.comment(album, carla, "Along", asset=goes)
    library.comment(album, carla, "Of the album")
    library.comment(other, carla, "Elsewhere", asset=hers["plain"])
    library.comment(album, carla, "Of none to see", asset=hers["locked"])
    library.like(album, carla, asset=hers["plain"])
    library.like(album, carla, asset=his["plain"])
    library.like(album, ben, asset=hers["plain"])
    with journey.returning():
        report = hand(album, ALBUM_GIVEN_UP)
        assert report.of("comments_moved") == 3
        moved = {"His": his["plain"], "Hers": his["plain"], "My own": hers["plain"]}
        rest = {"Along": goes, "Of the album": None, "Of none to see": hers["locked"]}
        assert sorted(entry for entry in said_of(library, album) if entry[0] != "like") == sorted(
            (moved | rest).items()
        )
        assert sorted(photo for text, photo in said_of(library, album) if text == "like") == sorted(
            [hers["plain"], his["plain"], his["plain"]]
        )
        assert said_of(library, other) == [("Elsewhere", hers["plain"])]


def test_a_copy_that_is_in_the_album_already_is_the_cover_and_stays(library, anna, ben, hand, journey) -> None:
    """Ben had put his own there himself: no undo may take it out."""
    hers, his = doubles(library, anna, ben)
    album = library.album(anna, "Trip", [hers["plain"], his["plain"]], members={ben: "editor"}, cover=hers["plain"])
    with journey.returning():
        report = hand(album, ALBUM_GIVEN_UP)
        assert (report.of("album_copies"), cover(library, album)) == (0, his["plain"])


def test_a_copy_that_nobody_sees_is_no_cover(library, anna, ben, hand) -> None:
    """Ben had put his own there himself, and into the trash since."""
    hers, his = doubles(library, anna, ben)
    album = library.album(anna, "Trip", [hers["plain"], his["plain"]], members={ben: "editor"}, cover=hers["plain"])
    library.rows("""update asset set "deletedAt" = now(), status = 'trashed' where id = %s""", his["plain"])
    hand(album, ALBUM_GIVEN_UP)
    assert cover(library, album) == hers["plain"]


def test_a_copy_that_was_commented_on_since_stays_when_the_album_goes_back(library, anna, ben, hand, journey) -> None:
    hers, his = doubles(library, anna, ben)
    album = library.album(anna, "Trip", list(hers.values()), cover=hers["plain"])
    hand(album, ALBUM_HANDED_OVER)
    said = library.comment(album, ben, "This one", asset=his["plain"])
    journey.back()
    assert library.album_owner(album) == anna
    assert library.photos_in(album) == {*hers.values(), his["plain"]}
    assert library.rows("select 1 from activity where id = %s", said)


def test_a_cover_that_is_not_the_sources_is_left_alone(library, anna, ben, carla, hand) -> None:
    """Nor one that moves, nor none at all."""
    hers, _his = doubles(library, anna, ben)
    guest, goes = library.asset(carla), library.asset(anna)
    for chosen in (guest, goes, None):
        owner = ben if goes and library.owner_of(goes) == ben else anna
        mine = goes if owner == anna else library.asset(anna)
        album = library.album(anna, "Trip", [hers["plain"], guest, mine], cover=mine if chosen == goes else chosen)
        hand(album, ALBUM_GIVEN_UP)
        assert cover(library, album) == (mine if chosen == goes else chosen)


# ---- what happened since, before it is taken back -------------------------------------------------------------------


def test_an_album_that_was_handed_on_since_stays_there(library, anna, ben, carla, params, hand, journey) -> None:
    photo = library.asset(anna)
    album = library.album(anna, "Trip", [photo])
    hand(album, ALBUM_HANDED_OVER)
    request = transfer.Request(ben, carla, album=album, album_itself=ALBUM_HANDED_OVER)
    transfer.transfer(params, request, transfer.How(dry_run=False))
    undone = journey.back()
    assert (undone.of("albums_back"), undone.assets) == (0, 0)
    assert roles(library, album) == {carla: "owner", ben: "editor", anna: "editor"}


def test_members_who_came_and_went_since_are_respected(library, anna, ben, carla, hand, journey) -> None:
    dora = library.user("Dora")
    album = library.album(anna, "Trip", [library.asset(anna)], members={ben: "viewer", carla: "editor"})
    hand(album, ALBUM_GIVEN_UP)
    user, key = library.name("album_user", "userId"), library.name("album_user", "albumId")
    library.rows(f'delete from album_user where "{key}" = %s and "{user}" = %s', album, carla)
    library.rows(f'insert into album_user ("{key}", "{user}", role) values (%s, %s, \'viewer\')', album, dora)
    journey.back()
    assert roles(library, album) == {anna: "owner", ben: "viewer", dora: "viewer"}


# ---- others who work on the same album meanwhile --------------------------------------------------------------------

EVENTS = {
    "the destination leaves": 'delete from album_user where "albumId" = %(album)s and "userId" = %(ben)s',
    "the destination joins": """
        insert into album_user ("albumId", "userId", role) values (%(album)s, %(ben)s, 'editor')
        on conflict ("albumId", "userId") do update set role = 'editor' where album_user.role <> 'owner'""",
    "the former owner's row is deleted": ('delete from album_user where "albumId" = %(album)s and "userId" = %(anna)s'),
}
STEPS = ("Choosing photos", "Counting what is there", "Albums", "Checking")


class Other(threading.Thread):
    """Another connection's transaction: one statement at a step of the tool's.

    With `hold` it commits only when the tool waits for a lock, or is done. `progress` goes to the tool.
    """

    def __init__(self, params: dict[str, Any], step: str, statement: str, values: dict[str, str], hold: bool) -> None:
        super().__init__(daemon=True)
        self.working = psycopg2.connect(**params, options="-c deadlock_timeout=100ms")
        self.looking = psycopg2.connect(**params)
        self.looking.autocommit = True
        self.step, self.statement, self.values, self.hold = step, statement, values, hold
        self.executed, self.done = threading.Event(), threading.Event()
        self.error: psycopg2.Error | None = None

    def __enter__(self) -> "Other":
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join(90)
        assert not self.is_alive()
        self.looking.close()

    def run(self) -> None:
        with closing(self.working):
            try:
                with self.working.cursor() as cursor:
                    cursor.execute(self.statement, self.values)
                self.executed.set()
                while self.hold and not self.done.is_set() and not self.waits("application_name = 'transfer.py'"):
                    time.sleep(0.005)
                self.working.commit()
            except psycopg2.Error as error:
                self.error = error
            finally:
                self.executed.set()

    def waits(self, who: str) -> bool:
        with self.looking.cursor() as cursor:
            cursor.execute(
                f"""select 1 from pg_stat_activity
                    where datname = current_database() and wait_event_type = 'Lock' and {who}"""
            )
            return cursor.fetchone() is not None

    def progress(self, at: str) -> None:
        """At the step: begin, and go on once the statement is done or waits."""
        if at == self.step and not self.ident:
            pid = self.working.info.backend_pid
            self.start()
            while not (self.executed.is_set() or self.waits(f"pid = {pid}")):
                time.sleep(0.005)


@pytest.mark.cases
@pytest.mark.since("3.1")
@pytest.mark.parametrize("event", EVENTS)
def test_whoever_joins_or_leaves_meanwhile_the_album_keeps_one_owner(library, anna, ben, params, event) -> None:
    quick = {**params, "options": "-c deadlock_timeout=200ms"}
    for step in STEPS:
        for hold in (False, True):
            photo = library.asset(anna)
            members = {} if event == "the destination joins" else {ben: "editor"}
            album = library.album(anna, "Trip", [photo], members=members)
            request = transfer.Request(anna, ben, album=album, album_itself=ALBUM_HANDED_OVER)
            report = None
            with (
                Other(params, step, EVENTS[event], {"album": album, "anna": anna, "ben": ben}, hold) as other,
                contextlib.suppress(transfer.TransferError),
            ):
                report = transfer.transfer(quick, request, transfer.How(dry_run=False, progress=other.progress))
            owners = [user for user, role in roles(library, album).items() if role == "owner"]
            there = bool(library.rows("select 1 from album where id = %s", album))
            where = (step, hold, report and report.assets, str(other.error))
            assert library.owner_of(photo) == (ben if report else anna), where
            if report is None:
                # nobody is kept from handing over by a member; but an owner's row can be taken away before
                assert event == "the former owner's row is deleted", where
                if other.error is None:
                    continue  # that was not the tool
            assert (there, owners) == (True, [ben if report else anna]), where


@pytest.mark.since("3.1")
def test_a_former_owner_who_leaves_during_an_undo_does_not_take_the_album_along(
    library, anna, ben, params, tmp_path
) -> None:
    """The editor's row that is being deleted must not become the owner's."""
    folder, statement = tmp_path / "transfers", EVENTS["the former owner's row is deleted"]
    for step in ("Looking what has changed since", "Albums", "Checking"):
        for hold in (False, True):
            photo = library.asset(anna)
            album = library.album(anna, "Trip", [photo], members={ben: "viewer"})
            request = transfer.Request(anna, ben, album=album, album_itself=ALBUM_HANDED_OVER)
            transfer.transfer(params, request, transfer.How(dry_run=False, undo_folder=folder))
            past = transfer.list_past(params, folder)[0]
            with Other(params, step, statement, {"album": album, "anna": anna, "ben": ben}, hold) as other:
                transfer.undo(params, past.path, transfer.How(dry_run=False, progress=other.progress))
            assert roles(library, album) == {anna: "owner", ben: "viewer"}, (step, hold, other.error)
            assert library.owner_of(photo) == anna
