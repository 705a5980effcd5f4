"""External libraries, handed over with everything: a library and all its photos have one owner at all times."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest

import transfer
from tests.conftest import NOT_PUT_BACK, problems, told, usage, usage_by_immich
from tests.library import Library
from tests.terminal import Installation, Terminal, installation
from tests.test_account import lost_with, put_together
from tests.test_meanwhile import WAITING, background, wait_until

pytestmark = pytest.mark.long

Go = Callable[..., transfer.Report]


@pytest.fixture
def go(library, params, anna, ben, tmp_path) -> Go:
    """go(nas, trashed=..., locked=...): dry run and run of everything of Anna's, with these libraries, to Ben."""

    def run(*libraries: str, **options: Any) -> transfer.Report:
        request = transfer.Request(anna, ben, everything=True, libraries=frozenset(libraries), **options)
        before, wrong = library.snapshot(), problems(library)
        shown = transfer.transfer(params, request, transfer.How(dry_run=True))
        assert library.snapshot() == before
        done = transfer.transfer(
            params,
            request,
            transfer.How(dry_run=False, expected_digest=shown.digest, undo_folder=tmp_path),
        )
        assert told(done) == told(shown)
        assert done.wrong_after == 0
        assert problems(library) - wrong == set()
        for user in (anna, ben):
            assert usage(library, user) == usage_by_immich(library, user)
        return done

    return run


@pytest.fixture
def back(library, params, anna, ben, tmp_path) -> Callable[[], transfer.Report]:
    """back(): dry run and run of the undo of the newest run."""

    def run() -> transfer.Report:
        (past,) = transfer.list_past(params, tmp_path)
        before, wrong = library.snapshot(), problems(library)
        shown = transfer.undo(params, past.path, transfer.How(dry_run=True))
        assert library.snapshot() == before
        done = transfer.undo(params, past.path, transfer.How(dry_run=False, expected_digest=shown.digest))
        assert problems(library) - wrong == set()
        for user in (anna, ben):
            assert usage(library, user) == usage_by_immich(library, user)
        return done

    return run


@pytest.fixture
def refused(library, params, anna, ben) -> Callable[..., transfer.TransferError]:
    """refused(nas, ...): both runs are refused, and so is the question for namesakes; nothing is changed."""

    def run(*libraries: str, **options: Any) -> transfer.TransferError:
        request = transfer.Request(anna, ben, everything=True, libraries=frozenset(libraries), **options)
        before = library.snapshot()
        for attempt in (
            lambda: transfer.merge_pairs(params, request),
            lambda: transfer.transfer(params, request, transfer.How(dry_run=True)),
            lambda: transfer.transfer(params, request, transfer.How(dry_run=False)),
        ):
            with pytest.raises(transfer.TransferError) as caught:
                attempt()
            assert library.snapshot() == before
        assert not isinstance(caught.value, transfer.InvariantBroken)
        assert caught.value.what and caught.value.why and caught.value.todo
        return caught.value

    return run


def external(library: Library, owner: str, nas: str, name: str, **how: Any) -> str:
    """A photo that a scan has found, with what Immich makes of its path."""
    return library.asset(owner, name, library=nas, path=f"/mnt/photos/{name}", **how)


def library_owner(library: Library, nas: str) -> str:
    return library.value('select "ownerId" from library where id = %s', nas)


def owners(library: Library, nas: str) -> set[str]:
    """Whose the library is, and whose the photos in it are."""
    found = library.rows('select "ownerId" from library where id = %s', nas)
    found += library.rows('select distinct "ownerId" from asset where "libraryId" = %s', nas)
    return {row[0] for row in found}


def found_by_scan(library: Library) -> list[tuple]:
    """By what a scan knows a photo (library.service: by library and path), and what it would walk through."""
    photos = library.rows(
        'select "libraryId", "originalPath", id, "isExternal", "isOffline" from asset order by 1, 2, 3'
    )
    return photos + library.rows(
        'select id, name, "importPaths", "exclusionPatterns", "deletedAt" from library order by 1'
    )


def undo_snapshot(library: Library) -> dict[str, list[str]]:
    return library.snapshot(ignore=NOT_PUT_BACK)


@pytest.fixture
def nas(library, anna) -> str:
    return library.library(anna, "NAS")


@pytest.fixture
def archive(library, anna, ben, carla, nas) -> dict[str, str]:
    """Anna's library with a photo in every state, and some of everything that hangs on photos."""
    same = b"\x07" * 20
    photos = {
        "plain": external(library, anna, nas, "plain.jpg", size=1),
        "archived": external(library, anna, nas, "archived.jpg", visibility="archive"),
        "locked": external(library, anna, nas, "locked.jpg", visibility="locked"),
        "trashed": external(library, anna, nas, "trashed.jpg", trashed=True),
        "offline": external(library, anna, nas, "offline.jpg", trashed=True),
        "deleting": external(library, anna, nas, "deleting.jpg", deleted=True),
        "same": external(library, anna, nas, "same.jpg", checksum=same),
        "one": external(library, anna, nas, "one.jpg"),
        "two": external(library, anna, nas, "two.jpg"),
        "upload": library.asset(anna, "upload.jpg", size=50),
        "away": library.asset(anna, "away.jpg", size=60, trashed=True),
    }
    library.rows('update asset set "isOffline" = true where id = %s', photos["offline"])
    photos["still"], photos["video"] = library.live(anna, "live.HEIC", library=nas)
    # taken out of an Android photo by Immich: in its own folder, and not marked external (metadata.service)
    photos["android"], photos["motion"] = library.live(anna, "PXL.MP.jpg", library=nas)
    library.rows('update asset set "isExternal" = false where id = %s', photos["motion"])
    # the same file as an upload of Ben's, and by its path in a library of his
    library.asset(ben, "same.jpg", checksum=same)
    library.asset(ben, "same.jpg", checksum=same, library=library.library(ben, "His"))
    library.stack(anna, [photos["one"], photos["two"]])
    library.stack(anna, [photos["plain"], photos["upload"]])
    lea, oma = library.person(anna, "Lea"), library.person(anna, "Oma")
    library.face(photos["plain"], lea, featured=True)
    library.face(photos["plain"], oma)
    library.face(photos["away"], oma, featured=True)
    library.tag_assets(library.tag(anna, "Trips/Rome"), photos["plain"], photos["upload"])
    library.memory(anna, [photos["plain"], photos["archived"]])
    library.link(anna, assets=[photos["plain"]])
    album = library.album(anna, "Trip", [photos["plain"], photos["upload"]], members={carla: "viewer"})
    library.comment(album, carla, "Nice", asset=photos["plain"])
    library.settle_usage()
    return photos


# ---- a library goes whole -------------------------------------------------------------------------------------------


@pytest.mark.every_version
def test_a_library_goes_with_all_that_is_in_it(library, anna, ben, nas, archive, go, back) -> None:
    """The trash, what is offline, the locked folder and what is being deleted too, although nobody asked for those."""
    before, scanned = undo_snapshot(library), found_by_scan(library)
    usage_before = {user: usage(library, user) for user in (anna, ben)}
    report = go(nas)
    assert owners(library, nas) == {ben}
    assert {name: library.owner_of(photo) for name, photo in archive.items() if library.owner_of(photo) != ben} == {
        "away": anna
    }
    assert found_by_scan(library) == scanned
    assert report.libraries == (transfer.ExternalLibrary(nas, "NAS", 11, trashed=3, locked=1, others=0),)
    assert report.stays == (("trashed", ("away.jpg",)),)
    assert report.assets == len(archive) - 1
    # no external photo counts
    assert {user: usage(library, user) for user in (anna, ben)} == {anna: 60, ben: usage_before[ben] + 50}
    states = 'select visibility::text, status::text, "deletedAt" is not null from asset where id = %s'
    assert library.row(states, archive["locked"]) == ("locked", "active", False)
    assert library.row(states, archive["offline"]) == ("timeline", "trashed", True)
    assert library.row(states, archive["deleting"]) == ("timeline", "deleted", True)
    done = back()
    assert (done.listed("libraries_back"), done.listed("libraries_kept"), done.stays, done.lost) == (
        ("NAS",),
        (),
        (),
        (),
    )
    assert undo_snapshot(library) == before


@pytest.mark.every_version
def test_the_old_account_can_be_deleted(library, anna, ben, carla, nas, archive, go) -> None:
    """As Immich does it: no photo of Ben's goes with Anna's account, nor does the library."""
    go(nas, trashed=True, locked=True)
    photos = 'select to_jsonb(a)::text from asset a where "ownerId" = %s order by 1'
    his = library.rows(photos, ben)
    assert lost_with(library, anna) == set()
    assert library.rows(photos, ben) == his
    assert len(library.rows('select 1 from asset where "libraryId" = %s', nas)) == 13
    assert library_owner(library, nas) == ben
    assert problems(library) == set()


def test_only_the_libraries_that_were_asked_for_go(library, anna, ben, nas, go) -> None:
    other = library.library(anna, "Old disk")
    goes, stays = external(library, anna, nas, "goes.jpg"), external(library, anna, other, "stays.jpg")
    report = go(nas)
    assert [library.owner_of(photo) for photo in (goes, stays)] == [ben, anna]
    assert [library_owner(library, which) for which in (nas, other)] == [ben, anna]
    assert report.stays == (("external", ("stays.jpg",)),)


def test_none_goes_unasked(library, anna, nas, go) -> None:
    photo = external(library, anna, nas, "stays.jpg")
    library.asset(anna)
    library.settle_usage()
    assert go().libraries == ()
    assert (library.owner_of(photo), library_owner(library, nas)) == (anna, anna)


@pytest.mark.every_version
def test_a_library_without_photos_goes_and_comes_back(library, ben, anna, nas, go, back) -> None:
    before = undo_snapshot(library)
    report = go(nas)
    assert (report.assets, [each.name for each in report.libraries]) == (0, ["NAS"])
    assert library_owner(library, nas) == ben
    assert back().listed("libraries_back") == ("NAS",)
    assert undo_snapshot(library) == before


def test_a_library_may_go_by_itself(library, params, anna, ben, nas) -> None:
    photo, stays = external(library, anna, nas, "goes.jpg", trashed=True), library.asset(anna)
    request = transfer.Request(anna, ben, libraries=frozenset([nas]))
    assert transfer.describe(params, request) == "external library NAS"
    assert transfer.transfer(params, request, transfer.How(dry_run=False)).assets == 1
    assert (owners(library, nas), library.owner_of(photo), library.owner_of(stays)) == ({ben}, ben, anna)


def test_people_tags_and_the_rest_follow_as_for_other_photos(library, anna, ben, nas, archive, go) -> None:
    face = library.value(
        f"""select id from asset_face where "assetId" = %s order by "{library.name("asset_face", "personGroupId")}" = %s
            limit 1""",
        archive["plain"],
        library.person(anna, "Nobody"),
    )
    report = go(nas)
    assert {person.name: person.action for person in report.people} == {"Lea": "TRANSFER", "Oma": "DUPLICATE"}
    assert library.person_row(ben, library.person_of(face)) is not None
    assert (report.of("tags"), report.of("memories"), report.of("links_moved"), report.of("stacks_moved")) == (
        1,
        1,
        1,
        2,
    )


# ---- live photos and stacks across the border -----------------------------------------------------------------------


def test_a_half_outside_goes_along_from_trash_and_locked_folder(library, anna, ben, nas, go, back) -> None:
    """Immich links files of one folder, so rows were moved by hand; but the still goes, and not without its video."""
    videos = [
        library.asset(anna, "trashed.MOV", kind="VIDEO", visibility="hidden", trashed=True),
        library.asset(anna, "locked.MOV", kind="VIDEO", visibility="locked"),
    ]
    stills = [external(library, anna, nas, f"{number}.HEIC", live_video=video) for number, video in enumerate(videos)]
    library.settle_usage()
    before = undo_snapshot(library)
    go(nas)
    assert {library.owner_of(photo) for photo in (*stills, *videos)} == {ben}
    back()
    assert undo_snapshot(library) == before


def test_a_library_whose_live_photo_cannot_go_is_refused(library, anna, ben, nas, refused) -> None:
    """Ben has the video already, so it stays, and so would the still in the library."""
    same = b"\x07" * 20
    video = library.asset(anna, "twin.MOV", kind="VIDEO", visibility="hidden", checksum=same)
    library.asset(ben, "twin.MOV", checksum=same)
    external(library, anna, nas, "twin.HEIC", live_video=video)
    error = refused(nas)
    assert "“NAS” cannot be handed over" in error.what
    assert "1 must stay, such as twin.HEIC: Ben has the same file already" in error.why


def test_a_stack_with_an_upload_that_stays_is_split(library, anna, ben, nas, go, back) -> None:
    inside = [external(library, anna, nas, f"{number}.jpg") for number in (1, 2)]
    upload = library.asset(anna, "upload.jpg", trashed=True)
    library.stack(anna, [upload, *inside])
    library.settle_usage()
    before = undo_snapshot(library)
    report = go(nas)
    assert report.of("stacks_split") == 1
    assert [library.owner_of(photo) for photo in (*inside, upload)] == [ben, ben, anna]
    back()
    assert undo_snapshot(library) == before


# ---- what cannot be handed over -------------------------------------------------------------------------------------


def test_a_library_with_photos_of_others_is_refused_by_name(
    library, params, nas, anna, ben, carla, refused, go
) -> None:
    """By hand. Left out, it stops nothing; and when the photos are back with its owner, as is said, it goes."""
    mine, theirs = external(library, anna, nas, "mine.jpg"), external(library, carla, nas, "theirs.jpg", trashed=True)
    error = refused(nas)
    assert "“NAS” cannot be handed over: 1 of its photos belongs to other users" in error.what
    assert "must have one owner" in error.why
    assert "Leave that library out, or run Repair (6) first" in error.todo
    library.asset(anna)
    library.settle_usage()
    go()
    assert [library.owner_of(photo) for photo in (mine, theirs)] == [anna, carla]
    put_together(params, 0, trashed=True)
    go(nas)
    assert owners(library, nas) == {ben}


@pytest.mark.every_version
@pytest.mark.parametrize("all_of_them", [True, False])
def test_photos_of_the_destinations_are_no_reason_against_it(library, anna, ben, nas, go, all_of_them) -> None:
    """They were given to Ben by hand; his they stay, and the library comes to them."""
    external(library, ben, nas, "his.jpg")
    if not all_of_them:
        external(library, anna, nas, "hers.jpg")
    go(nas)
    assert owners(library, nas) == {ben}


def test_a_photo_comes_back_to_its_library_unless_the_owner_has_it_there(library, params, anna, ben, nas, go) -> None:
    """Ben's library holds two photos that are Anna's by hand; of one a scan made another."""
    library.rows('update library set "ownerId" = %s', ben)
    back = external(library, anna, nas, "back.jpg")
    twice = [external(library, owner, nas, "twice.jpg", checksum=b"\x09" * 20) for owner in (anna, ben)]
    report = go()
    assert report.stays == (("duplicate", ("twice.jpg",)),)
    assert [library.owner_of(photo) for photo in (back, *twice)] == [ben, anna, ben]


@pytest.mark.parametrize("what", ["carlas", "ben's", "deleting", "gone"])
def test_a_library_that_is_not_the_sources_is_refused(library, anna, ben, carla, nas, what, refused) -> None:
    change = {
        "carlas": f"update library set \"ownerId\" = '{carla}'",
        "ben's": f"update library set \"ownerId\" = '{ben}'",
        "deleting": 'update library set "deletedAt" = now()',
        "gone": "delete from library",
    }
    external(library, anna, nas, "photo.jpg")
    library.rows(change[what])
    assert "cannot be handed over any more" in refused(nas).what


def test_photos_of_a_library_that_immich_is_deleting_stay(library, anna, nas, go, params) -> None:
    """library.service: softDelete, then one job for each photo. It is not asked for."""
    external(library, anna, nas, "photo.jpg")
    library.rows('update library set "deletedAt" = now()')
    assert transfer.list_libraries(params, anna) == ()
    assert go().stays == (("deleting", ("photo.jpg",)),)


def test_an_unfinished_file_move_in_the_library_is_named(library, anna, nas, refused) -> None:
    """Of a thumbnail: Immich's migration moves those of external photos too."""
    photo = external(library, anna, nas, "half.jpg")
    library.move_history(photo, "thumbnail")
    error = refused(nas)
    assert "such as half.jpg: a file move of Immich's is unfinished" in error.why


def test_a_users_libraries_are_listed(library, anna, carla, nas, params) -> None:
    for name, how in {"a": {}, "b": {"trashed": True}, "c": {"visibility": "locked"}}.items():
        external(library, anna, nas, f"{name}.jpg", **how)
    library.live(anna, library=nas)
    external(library, carla, nas, "hers.jpg")
    empty = library.library(anna, "Empty")
    library.library(carla, "Hers")
    assert transfer.list_libraries(params, anna) == (
        transfer.ExternalLibrary(empty, "Empty", 0),
        transfer.ExternalLibrary(nas, "NAS", 5, trashed=1, locked=1, others=1),
    )


# What a scan does when it has found a file.
FOUND = """
    insert into asset select (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(),
        'checksum', '\\x01'))).* from asset a where id = %s
"""
HOOK = """
create function plant() returns trigger language plpgsql as $body$ begin {sql}; return null; end $body$;
create trigger plant after update of "ownerId" on library for each statement
    when (pg_trigger_depth() = 0) execute function plant();
"""


# ---- at work at the same time ---------------------------------------------------------------------------------------


def test_what_a_scan_adds_since_the_dry_run_stops_the_run(library, params, anna, ben, nas) -> None:
    external(library, anna, nas, "first.jpg")
    request = transfer.Request(anna, ben, everything=True, libraries=frozenset([nas]))
    shown = transfer.transfer(params, request, transfer.How(dry_run=True))
    external(library, anna, nas, "second.jpg")
    with pytest.raises(transfer.Changed):
        transfer.transfer(params, request, transfer.How(dry_run=False, expected_digest=shown.digest))
    assert owners(library, nas) == {anna}


def test_a_library_that_was_not_shown_is_not_handed_over(params, library, anna, ben, nas) -> None:
    """It has no photo that could tell."""
    request = transfer.Request(anna, ben, everything=True)
    shown = transfer.transfer(params, request, transfer.How(dry_run=True))
    request = transfer.Request(anna, ben, everything=True, libraries=frozenset([nas]))
    with pytest.raises(transfer.Changed):
        transfer.transfer(params, request, transfer.How(dry_run=False, expected_digest=shown.digest))
    assert library_owner(library, nas) == anna


def test_a_scan_under_way_is_waited_for_and_its_photos_go_too(library, params, anna, ben, nas) -> None:
    photo = external(library, anna, nas, "first.jpg")
    request = transfer.Request(anna, ben, everything=True, libraries=frozenset([nas]))
    with closing(psycopg2.connect(**params)) as scan:
        with scan.cursor() as cursor:
            cursor.execute(FOUND, (photo,))
        with background(lambda: transfer.transfer(params, request, transfer.How(dry_run=False))) as (errors, _thread):
            wait_until(library, WAITING)
            scan.commit()
    assert errors == []
    assert library.value('select count(*) from asset where "libraryId" = %s', nas) == 2
    assert owners(library, nas) == {ben}


def test_a_scan_waits_until_the_library_has_changed_hands(library, params, anna, ben, nas) -> None:
    """So that the photos of a library are those that were looked at."""
    photo, blocked = external(library, anna, nas, "first.jpg"), []
    request = transfer.Request(anna, ben, everything=True, libraries=frozenset([nas]))

    def progress(step: str) -> None:
        if step != "Counting what is there" or blocked:
            return
        with closing(psycopg2.connect(**params)) as scan, scan.cursor() as cursor:
            cursor.execute("set lock_timeout = '100ms'")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                cursor.execute(FOUND, (photo,))
            blocked.append(step)

    transfer.transfer(params, request, transfer.How(dry_run=True, progress=progress))
    assert blocked


# What is planted, and what finds it besides PostgreSQL's count of the rows that were written.
PLANTED = {
    "goes back": ('update library set "ownerId" = :anna: where id = :nas:', "external library: 1"),
    "goes to a third": ('update library set "ownerId" = :carla: where id = :nas:', "external library: 1"),
    "empty one goes back": ('update library set "ownerId" = :anna: where id = :empty:', "external library: 1"),
    "another goes": ('update library set "ownerId" = :ben: where id = :other:', "external library: 1"),
    "another is written": ("update library set name = 'x' where id = :bens:", "external library: 1"),
    "photo elsewhere": ('update asset set "libraryId" = :other: where id = :photo:', "cross-owner library: 1"),
    "upload": ('update asset set "libraryId" = :bens_old: where id = :upload:', "cross-owner library: 1"),
    "stale": ('update asset set "libraryId" = :nas: where id = :stale:', "cross-owner library: 1"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_library_and_its_photos_have_one_owner_or_all_is_rolled_back(
    library, params, anna, ben, carla, nas, name
) -> None:
    sql, found_by = PLANTED[name]
    photo, upload = external(library, anna, nas, "photo.jpg"), library.asset(anna, "upload.jpg")
    names = {
        **{"anna": anna, "ben": ben, "carla": carla, "nas": nas, "photo": photo, "upload": upload},
        "empty": library.library(anna, "Empty"),
        "other": library.library(anna, "Other"),
        "bens": library.library(ben, "His"),
        "bens_old": library.library(carla, "Hers"),
        "stale": library.asset(carla, "stale.jpg"),
    }
    for word, value in names.items():
        sql = sql.replace(f":{word}:", f"'{value}'")
    library.rows(HOOK.replace("{sql}", sql))
    before = library.snapshot()
    request = transfer.Request(anna, ben, everything=True, libraries=frozenset([nas, names["empty"]]))
    with pytest.raises(transfer.InvariantBroken, match=found_by):
        transfer.transfer(params, request, transfer.How(dry_run=False))
    assert library.snapshot() == before


def test_a_photo_that_a_scan_writes_for_the_old_owner_after_the_commit_is_told(
    library, params, anna, ben, nas, monkeypatch
) -> None:
    """Its job had read the library's owner before."""
    external(library, anna, nas, "first.jpg")
    honest = transfer.look_again

    def late(tx: transfer.Transaction) -> int:
        external(library, anna, nas, "late.jpg")
        return honest(tx)

    monkeypatch.setattr(transfer, "look_again", late)
    request = transfer.Request(anna, ben, everything=True, libraries=frozenset([nas]))
    assert transfer.transfer(params, request, transfer.How(dry_run=False)).wrong_after == 1


# ---- undo -----------------------------------------------------------------------------------------------------------


@pytest.mark.every_version
def test_what_a_scan_found_since_goes_back_with_the_library(library, anna, ben, nas, archive, go, back) -> None:
    """Ben has named and tagged it: Anna gets the tag and a person of that name."""
    go(nas)
    ours = library.value(
        f"""select "{library.name("person", "personGroupId")}" from person where "ownerId" = %s and name = 'Lea'""", ben
    )
    late = external(library, ben, nas, "late.jpg")
    stacked = external(library, ben, nas, "stacked.jpg", trashed=True)
    library.stack(ben, [late, stacked])
    face = library.face(late, ours)
    pia = library.face(late, library.person(ben, "Pia"), featured=True)
    library.tag_assets(library.tag(ben, "Late"), late)
    library.memory(ben, [late])
    done = back()
    assert (done.listed("libraries_back"), done.listed("libraries_kept"), done.stays) == (("NAS",), (), ())
    assert owners(library, nas) == {anna}
    assert library.person_row(anna, library.person_of(face))["name"] == "Lea"
    assert library.person_row(anna, library.person_of(pia))["name"] == "Pia"
    tag, asset = library.name("tag_asset", "tagId"), library.name("tag_asset", "assetId")
    assert library.rows(
        f"""select value, "userId" from tag join tag_asset on "{tag}" = id where "{asset}" = %s""", late
    ) == [("Late", anna)]
    assert problems(library) == set()


def test_photos_that_are_gone_do_not_keep_a_library(library, anna, nas, archive, go, back) -> None:
    go(nas)
    library.rows("delete from asset where id = %s", archive["archived"])
    done = back()
    assert (done.listed("libraries_back"), done.stays) == (("NAS",), (("gone", ("",)),))
    assert owners(library, nas) == {anna}


def test_a_scan_that_wrote_for_the_old_owner_is_right_again(library, anna, ben, nas, archive, go, back) -> None:
    go(nas)
    external(library, anna, nas, "stale.jpg")
    assert owners(library, nas) == {anna, ben}
    assert back().listed("libraries_back") == ("NAS",)
    assert owners(library, nas) == {anna}


SINCE = {
    "locked": ("update asset set visibility = 'locked' where id = :archived:", "locked"),
    "new and locked": ("update asset set visibility = 'locked' where id = :late:", "locked"),
    "unfinished": (
        """insert into move_history ("entityId", "pathType", "oldPath", "newPath")
           values (:archived:, 'thumbnail', '/a', '/b')""",
        "unfinished",
    ),
    "stacked": ('update asset set "stackId" = :stack: where id = :archived:', "stacked"),
    "one handed on": ('update asset set "ownerId" = :carla: where id = :archived:', "handed_on"),
    "a new one handed on": ('update asset set "ownerId" = :carla: where id = :late:', "library_mixed"),
    "library handed on": ('update library set "ownerId" = :carla:', "library_changed"),
    "being deleted": ('update library set "deletedAt" = now()', "library_deleting"),
}


@pytest.mark.cases
@pytest.mark.parametrize("what", SINCE)
def test_a_library_that_cannot_go_back_whole_stays_whole(
    library, params, anna, ben, carla, nas, archive, go, back, what, tmp_path
) -> None:
    """Nothing of it goes back, not even a part; all else does."""
    go(nas)
    late = external(library, ben, nas, "late.jpg")
    mine = [library.asset(ben, f"{number}.jpg") for number in (1, 2)]
    names = {"carla": carla, "nas": nas, "late": late, "stack": library.stack(ben, mine)} | archive
    sql, reason = SINCE[what]
    for name, value in names.items():
        sql = sql.replace(f":{name}:", f"'{value}'")
    library.rows(sql)
    library.settle_usage()
    before = {row[0]: row[1] for row in library.rows('select id, "ownerId" from asset where "libraryId" = %s', nas)}
    whose = library_owner(library, nas)
    done = back()
    assert done.listed("libraries_back") == ()
    assert done.listed("libraries_kept") == (("NAS", reason),)
    after = {row[0]: row[1] for row in library.rows('select id, "ownerId" from asset where "libraryId" = %s', nas)}
    assert (after, library_owner(library, nas)) == (before, whose)
    stays = {reason: len(names) for reason, names in done.stays}
    assert stays.get("library", 0) >= 11 or what == "being deleted"
    assert sum(stays.values()) == 13, "what was not of the run is not listed"
    assert library.owner_of(archive["upload"]) == anna
    (past,) = transfer.list_past(params, tmp_path)
    text = [line for part in transfer.undo_sheet(done, past).blocks for line in part.everything()]
    shown = " ".join(" ".join(text).split())
    assert "1 external library, whole: NAS: " in shown
    assert ("in an external library that stays whole, see below" in shown) == (what != "being deleted")


def test_a_library_that_is_gone_is_named(library, nas, archive, go, back) -> None:
    """Its photos went with it."""
    go(nas)
    library.rows("delete from stack")
    library.rows("delete from library where id = %s", nas)
    done = back()
    assert (done.listed("libraries_back"), done.listed("libraries_kept")) == ((), ())
    assert done.lost[-1] == ("library", ("NAS",))


def test_two_libraries_tied_by_a_live_photo_stay_together(library, anna, ben, nas, go, back) -> None:
    """One cannot go back whole, so half of a live photo stays, and so does the library of the other half."""
    other, third = library.library(anna, "Old disk"), library.library(anna, "Third")
    video = external(library, anna, other, "tied.MOV", kind="VIDEO", visibility="hidden")
    external(library, anna, nas, "tied.HEIC", live_video=video)
    kept, free = external(library, anna, nas, "kept.jpg"), external(library, anna, third, "free.jpg")
    library.settle_usage()
    go(nas, other, third)
    library.rows("update asset set visibility = 'locked' where id = %s", kept)
    done = back()
    assert (done.listed("libraries_back"), done.listed("libraries_kept")) == (
        ("Third",),
        (("NAS", "locked"), ("Old disk", "together")),
    )
    assert [owners(library, which) for which in (nas, other, third)] == [{ben}, {ben}, {anna}]
    assert library.owner_of(free) == anna


def test_what_is_stacked_with_a_photo_that_stays_keeps_its_library(library, anna, ben, nas, go, back) -> None:
    """The photo came since, and stays with its own library, which has another that is locked by now."""
    other = library.library(anna, "Old disk")
    inside, kept = external(library, anna, other, "inside.jpg"), external(library, anna, nas, "kept.jpg")
    library.settle_usage()
    go(nas, other)
    library.stack(ben, [external(library, ben, nas, "late.jpg"), inside])
    library.rows("update asset set visibility = 'locked' where id = %s", kept)
    assert back().listed("libraries_kept") == (("NAS", "locked"), ("Old disk", "stacked"))
    assert owners(library, nas) == owners(library, other) == {ben}


def test_a_scan_since_the_dry_run_stops_the_undo(library, params, ben, nas, archive, go, tmp_path) -> None:
    go(nas)
    (past,) = transfer.list_past(params, tmp_path)
    shown = transfer.undo(params, past.path, transfer.How(dry_run=True))
    external(library, ben, nas, "late.jpg")
    with pytest.raises(transfer.Changed):
        transfer.undo(params, past.path, transfer.How(dry_run=False, expected_digest=shown.digest))
    assert owners(library, nas) == {ben}


def test_a_library_that_came_to_nothing_else_is_part_of_the_digest_of_an_undo(
    library, params, nas, go, tmp_path
) -> None:
    """It is empty: no photo could tell that it does not go back any more."""
    go(nas)
    (past,) = transfer.list_past(params, tmp_path)
    shown = transfer.undo(params, past.path, transfer.How(dry_run=True))
    library.rows('update library set "deletedAt" = now()')
    with pytest.raises(transfer.Changed):
        transfer.undo(params, past.path, transfer.How(dry_run=False, expected_digest=shown.digest))


# ---- on screen ------------------------------------------------------------------------------------------------------


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("libraries")) as made:
        made.library.asset(made.alice, "upload.jpg")
        made.library.settle_usage()
        made.save()
        yield made


def ask_for_everything(terminal: Terminal, entry: str) -> None:
    terminal.choose(entry, "Everything")
    terminal.answer("Is Bob the same person as Alice? (y/n, ", "n")


def to_the_menu(terminal: Terminal) -> str:
    """Say no to all that is asked until the menu is there; what was on the screen."""
    screens = []
    while True:
        asked, screen = terminal.question()
        screens.append(screen)
        if asked.startswith("Select option"):
            return "\n".join(screens)
        terminal.type("n")


def test_libraries_are_asked_for_by_name_and_not_by_default(there: Installation) -> None:
    library, alice, bob = there.library, there.alice, there.bob
    nas, old = library.library(alice, "NAS"), library.library(alice, "Old disk")
    photos = [external(library, alice, nas, f"{number}.jpg") for number in range(2)]
    photos.append(external(library, alice, nas, "offline.jpg", trashed=True))
    external(library, alice, nas, "locked.jpg", visibility="locked")
    library.settle_usage()
    nas_question = "external library “NAS” (4 photos, 1 of them in the trash, 1 of them in the locked folder)"
    with Terminal(there.path) as terminal:
        ask_for_everything(terminal, "3")
        terminal.answer(f"Also the {nas_question}, with all that is in it? (y/n, ", "")
        terminal.answer("Also the external library “Old disk” (0 photos), with all that is in it? (y/n, ", "")
        screen = terminal.until("MAIN MENU")
        assert "4 external" in screen
        assert "handed over, whole" not in screen
        assert "in external libraries: 4, external libraries: 2" not in screen, "it is a dry run"

        ask_for_everything(terminal, "4")
        terminal.answer(f"Also the {nas_question}", "y")
        terminal.answer("Also the external library “Old disk”", "")
        screen = terminal.answer("Type yes [menu]: ", "d") + terminal.answer("Type yes [menu]: ", "yes")
        handed_over = screen.split("1 external library is handed over, whole")[2]
        assert "“NAS” (4 photos, 1 of them in the trash, 1 of them in the locked folder)" in handed_over
        terminal.answer("Type the account's e-mail address", "alice@example.com")
        screen = to_the_menu(terminal)
        assert "External libraries:  1" in screen
        assert owners(library, nas) == {bob}
        assert library_owner(library, old) == alice

        terminal.type("9")
        terminal.pick("Transfers and repairs that were made", "everything")
        screen = terminal.answer("Type yes [menu]: ", "yes")
        back = "External libraries given back, with all that is in them now: 1"
        assert back in screen
        assert back in to_the_menu(terminal)
        assert owners(library, nas) == {alice}


def test_a_library_of_several_owners_is_named_and_not_asked_for(there: Installation) -> None:
    library, alice = there.library, there.alice
    nas = library.library(alice, "NAS")
    external(library, alice, nas, "hers.jpg")
    external(library, library.user("Carol"), nas, "carols.jpg")
    with Terminal(there.path) as terminal:
        ask_for_everything(terminal, "3")
        screen = " ".join(terminal.until("MAIN MENU").split())
        assert "“NAS” cannot be handed over: 1 of its photos belongs to other users" in screen
        assert "It stays, with its photos." in screen
        assert "Also the external library" not in screen
        assert "1 external" in screen


def test_an_account_without_libraries_is_asked_for_none(there: Installation) -> None:
    library = there.library
    library.library(there.bob, "His")
    with Terminal(there.path) as terminal:
        ask_for_everything(terminal, "3")
        assert "Also the external library" not in terminal.until("MAIN MENU")
