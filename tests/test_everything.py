"""Everything that an account owns: what goes, what stays and why, and that the account can be deleted afterwards."""

from collections.abc import Callable, Iterator

import pytest

import transfer
from tests.conftest import NOT_PUT_BACK, problems
from tests.terminal import Installation, Terminal, installation
from tests.test_account import lost_with
from tests.test_hand_over import doubles

pytestmark = pytest.mark.long

Go = Callable[..., transfer.Report]


@pytest.fixture
def go(journey, anna, ben) -> Go:
    """go(trashed=..., locked=...): everything of Anna's to Ben."""
    return lambda **options: journey.go(transfer.Request(anna, ben, everything=True, **options))


# ---- what goes, and what stays --------------------------------------------------------------------------------------


@pytest.fixture
def account(library, anna, ben, carla) -> dict[str, str]:
    """Some of everything that Anna may own."""
    nas = library.library(anna, "NAS")
    photos = {
        "plain": library.asset(anna, "plain.jpg", size=1),
        "archived": library.asset(anna, "archived.jpg", size=20, visibility="archive"),
        "trashed": library.asset(anna, "trashed.jpg", size=300, trashed=True),
        "locked": library.asset(anna, "locked.jpg", size=4000, visibility="locked"),
        "external": library.asset(anna, "external.jpg", size=50000, library=nas),
        "guest": library.asset(carla, "guest.jpg"),
        "bens": library.asset(ben, "bens.jpg", size=7),
    }
    photos["still"], photos["video"] = library.live(anna, "live.HEIC", size=5)
    stacked = [library.asset(anna, f"stack{number}.jpg", size=None) for number in (1, 2)]
    library.stack(anna, stacked)
    album = library.album(
        anna, "Trip", [photos[name] for name in ("plain", "external", "guest")], members={carla: "viewer"}
    )
    empty = library.album(anna, "Empty")
    carlas = library.album(carla, "Hers", [photos["archived"]], members={anna: "editor"})
    library.link(anna, album=album)
    library.link(anna, assets=[photos["plain"]])
    library.memory(anna, [photos["plain"], photos["external"]])
    library.tag_assets(library.tag(anna, "Trip/Rome"), photos["plain"])
    lea, max_, ina = library.person(anna, "Lea"), library.person(anna, "Max"), library.person(ben, "Ina")
    library.face(photos["plain"], lea, featured=True)
    for name in ("plain", "external"):
        library.face(photos[name], max_)
    library.face(photos["bens"], ina, featured=True)
    library.settle_usage()
    return photos | {"album": album, "empty": empty, "carlas": carlas, "stacked": stacked[0]}


def test_all_that_may_go_goes_and_the_rest_is_named(library, anna, ben, carla, account, go, tmp_path, params) -> None:
    before = library.snapshot(ignore=NOT_PUT_BACK)
    report = go()
    owner = {name: library.owner_of(account[name]) for name in ("plain", "archived", "still", "video", "stacked")}
    assert set(owner.values()) == {ben}
    staying = {name: library.owner_of(account[name]) for name in ("trashed", "locked", "external", "guest")}
    assert staying == {"trashed": anna, "locked": anna, "external": anna, "guest": carla}
    assert report.stays == (
        ("external", ("external.jpg",)),
        ("trashed", ("trashed.jpg",)),
        ("locked", ("locked.jpg",)),
    )
    assert library.value("select visibility::text from asset where id = %s", account["archived"]) == "archive"
    assert report.listed("albums_changed") == ("Empty", "Trip")
    assert [library.album_owner(account[name]) for name in ("album", "empty", "carlas")] == [ben, ben, carla]
    assert (report.assets, report.of("items")) == (6, 9)

    (past,) = transfer.list_past(params, tmp_path / "transfers")
    assert past.header["selection"] == {"kind": "everything", "name": "everything"}
    assert transfer.undo(params, past.path, transfer.How(dry_run=False)).of("albums_back") == 2
    assert library.snapshot(ignore=NOT_PUT_BACK) == before


def test_the_trash_and_the_locked_folder_go_when_asked(library, anna, ben, account, go, journey) -> None:
    """And stay what they are. What is left are the external library's photos."""
    library.asset(anna, "going.jpg", deleted=True)
    assert transfer.list_put_away(journey.params, anna) == {"trashed": 1, "locked": 1}
    with journey.returning():
        report = go(trashed=True, locked=True)
        assert dict(report.stays) == {"external": ("external.jpg",), "deleting": ("going.jpg",)}
        assert [library.owner_of(account[name]) for name in ("trashed", "locked", "external")] == [ben, ben, anna]
        query = 'select status::text, "deletedAt" is not null, visibility::text from asset where id = %s'
        assert library.row(query, account["trashed"]) == ("trashed", True, "timeline")
        assert library.row(query, account["locked"]) == ("active", False, "locked")
        put_away = [transfer.list_put_away(journey.params, user) for user in (anna, ben)]
        assert put_away == [{}, {"trashed": 1, "locked": 1}]


@pytest.mark.parametrize("option", ["trashed", "locked"])
def test_each_of_the_two_is_asked_for_on_its_own(library, anna, ben, account, go, option) -> None:
    go(**{option: True})
    other = {"trashed": "locked", "locked": "trashed"}[option]
    assert [library.owner_of(account[name]) for name in (option, other)] == [ben, anna]


# ---- photos that the destination has already ------------------------------------------------------------------------


def test_copies_join_every_album_that_the_destination_sees(library, anna, ben, carla, go, journey) -> None:
    """Anna's photos will go from there with her account. Not where Ben is no member, and nothing out of his sight."""
    hers, his = doubles(library, anna, ben)
    rows = {
        "Hers": library.album(anna, "Hers", hers.values(), cover=hers["plain"]),
        "Late": library.album(anna, "Late", hers.values(), cover=hers["archived"]),
        "His": library.album(ben, "His", hers.values(), members={anna: "editor"}),
        "Shared": library.album(carla, "Shared", hers.values(), members={anna: "editor", ben: "viewer"}),
        "Unseen": library.album(carla, "Unseen", hers.values(), members={anna: "editor"}),
    }
    with journey.returning():
        report = go(trashed=True, locked=True)
        assert report.assets == 0
        seen = {his["plain"], his["archived"]}
        joined = {name: library.photos_in(album) - set(hers.values()) for name, album in rows.items()}
        assert joined == {"Hers": seen, "Late": seen, "His": seen, "Shared": seen, "Unseen": set()}
        assert report.of("album_copies") == 8
        for name, kind in (("Hers", "plain"), ("Late", "archived")):
            assert library.value('select "albumThumbnailAssetId" from album where id = %s', rows[name]) == his[kind]


def test_a_copy_does_not_bring_back_what_the_source_had_thrown_away(library, anna, ben, go) -> None:
    """Anna's photo is in her trash, so the album does not show it. Ben's copy must not appear there instead."""
    same = b"\x07" * 20
    thrown = library.asset(anna, "thrown.jpg", checksum=same, trashed=True)
    library.asset(ben, "kept.jpg", checksum=same)
    album = library.album(anna, "Trip", [thrown, library.asset(anna)])
    report = go(trashed=True)
    assert report.of("album_copies") == 0
    assert len(library.photos_in(album)) == 2


# ---- the account is deleted -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [False, True])
def test_the_account_can_be_deleted_and_no_row_of_the_destination_is_touched(
    library, anna, ben, carla, account, go, together
) -> None:
    """With photos that stay because Ben has them: in an album that becomes his, on its cover, and with people."""
    if together:  # people are recognised together
        if not library.has_people_groups:
            pytest.skip("from 3.2 on")
        library.cluster(anna, ben)
    for user in (anna, ben, carla):
        library.session(user)
    same = b"\x07" * 20
    twin, copy = library.asset(anna, "twin.jpg", checksum=same), library.asset(ben, "twin.jpg", checksum=same)
    goes = library.asset(anna, "goes.jpg")
    library.stack(anna, [twin, goes, library.asset(anna)])
    album = library.album(anna, "Twins", [twin, goes], members={ben: "viewer", carla: "editor"}, cover=twin)
    his = library.album(ben, "His", [twin, goes], members={anna: "editor"}, cover=goes)
    for where in (album, his):
        for user in (anna, carla):
            library.comment(where, user, "Nice", asset=goes)
    pia, oma, bens_oma = library.person(anna, "Pia"), library.person(anna, "Oma"), library.person(ben, "Oma")
    for photo in (twin, goes):
        library.face(photo, pia, featured=photo == twin)
        library.tag_assets(library.tag(anna, "Twins/Two"), photo)
    library.face(goes, oma)
    library.face(copy, bens_oma, featured=True)
    library.memory(ben, [copy])
    library.link(anna, album=album)
    library.link(anna, assets=[twin, goes])
    library.settle_usage()

    report = go(trashed=True, locked=True, merge=frozenset([oma]))
    assert dict(report.stays)["duplicate"] == ("twin.jpg",)
    library.rows('delete from asset where "libraryId" is not null')  # that goes with her, from the album too
    assert lost_with(library, anna) == set()
    assert not library.rows('select 1 from "user" where id = %s', anna)
    assert library.photos_in(album) == library.photos_in(his) == {copy, goes}
    assert library.value('select "albumThumbnailAssetId" from album where id = %s', album) == copy
    assert library.album_owner(album) == ben
    assert problems(library) == set()


@pytest.mark.parametrize("there_already", [False, True], ids=["copy joins", "copy was there"])
def test_the_cover_of_the_destinations_own_album_survives_the_account(
    library, anna, ben, go, journey, there_already
) -> None:
    """Anna had contributed the cover of Ben's album, a photo that he has as well."""
    same = b"\x07" * 20
    twin, copy = library.asset(anna, "twin.jpg", checksum=same), library.asset(ben, "twin.jpg", checksum=same)
    photos = [twin, copy] if there_already else [twin]
    his = library.album(ben, "His", photos, members={anna: "editor"}, cover=twin)
    with journey.returning():
        go()
    go()
    assert lost_with(library, anna) == set()
    assert library.value('select "albumThumbnailAssetId" from album where id = %s', his) == copy


# ---- on screen ------------------------------------------------------------------------------------------------------


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("everything")) as made:
        library, alice = made.library, made.alice
        for number in range(3):
            library.asset(alice, f"{number}.jpg")
        library.asset(alice, "bin.jpg", trashed=True)
        library.asset(alice, "shut.jpg", visibility="locked")
        library.album(alice, "Trip")
        library.settle_usage()
        made.save()
        yield made


def ask_for_everything(terminal: Terminal, entry: str, trashed: str, locked: str) -> None:
    terminal.choose(entry, "Everything")
    terminal.answer("Is Bob the same person as Alice? (y/n, ", "n")
    terminal.answer("Also the photo in the trash? (y/n, ", trashed)
    terminal.answer("Also the photo in the locked folder? (y/n, ", locked)


def test_the_address_of_the_account_must_be_typed(there: Installation) -> None:
    before = there.library.snapshot()
    prompt = "Type the account's e-mail address (alice@example.com) [menu]: "
    with Terminal(there.path) as terminal:
        for wrong in ("0", "yes", "bob@example.com", "alice", ""):
            ask_for_everything(terminal, "4", "", "")
            assert "ACCOUNT TRANSFER ANALYSIS" in terminal.answer("Type yes [menu]: ", "yes")
            terminal.answer(prompt, wrong)
            terminal.until("Nothing was changed.")
            assert there.library.snapshot() == before
        ask_for_everything(terminal, "4", "n", "y")
        terminal.answer("Type yes [menu]: ", "yes")
        terminal.answer(prompt, "Alice@Example.com")
        screen = terminal.afterwards()
        assert "TRANSFER COMPLETED" in screen
        assert "Assets transferred:  4" in screen
        assert "Albums:              1" in screen
