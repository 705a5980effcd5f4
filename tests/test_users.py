"""Who may give and who may receive."""

import pytest

import transfer
from tests.library import new_id


@pytest.fixture
def album(library, anna) -> str:
    return library.album(anna, "Trip", [library.asset(anna)])


def test_nobody_gives_photos_to_themselves(album, anna, refused) -> None:
    refused(album, destination=anna)


@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_deleted_account_neither_gives_nor_receives(library, album, side, refused) -> None:
    """Its folders will be removed, with whatever was handed to it."""
    gone = library.user("Gone", deleted=True)
    refused(album, **{side: gone})


@pytest.mark.parametrize("side", ["source", "destination"])
def test_an_account_that_is_being_removed_counts_as_deleted(library, album, anna, ben, side, refused) -> None:
    user = {"source": anna, "destination": ben}[side]
    library.rows("""update "user" set status = 'removing' where id = %s""", user)
    refused(album)


@pytest.mark.parametrize("side", ["source", "destination"])
def test_somebody_whom_the_database_does_not_know_is_refused(album, side, refused) -> None:
    refused(album, **{side: new_id()})


@pytest.mark.parametrize("side", ["source", "destination"])
def test_an_account_deleted_after_the_dry_run_stops_the_run(library, album, anna, ben, side, runner, params) -> None:
    shown = runner.dry(album)
    user = {"source": anna, "destination": ben}[side]
    library.rows('update "user" set "deletedAt" = now() where id = %s', user)
    before = library.snapshot()
    with pytest.raises(transfer.TransferError):
        transfer.transfer(params, runner.request(album), transfer.How(dry_run=False, expected_digest=shown.digest))
    assert library.snapshot() == before


def test_an_album_that_has_gone_is_refused(refused) -> None:
    refused(new_id())


def test_an_album_in_the_bin_is_refused(library, anna, refused) -> None:
    """Deleting an account puts its albums there."""
    refused(library.album(anna, "Old", [library.asset(anna)], deleted=True))


@pytest.mark.parametrize("mark", ['"deletedAt" = now()', "status = 'deleted'"], ids=["date", "status"])
def test_merge_pairs_of_a_deleted_account_are_refused(library, album, mark, runner, params) -> None:
    gone = library.user("Gone")
    library.rows(f'update "user" set {mark} where id = %s', gone)
    with pytest.raises(transfer.TransferError):
        transfer.merge_pairs(params, runner.request(album, destination=gone))
