"""Immich shows whatever lies in a user's memory: photos of other users must leave it."""

import pytest

import transfer
from transfer import DUPLICATE, MERGE, TRANSFER


@pytest.fixture
def photo(library, anna) -> str:
    return library.asset(anna)


@pytest.fixture
def album(library, anna, photo) -> str:
    return library.album(anna, "Trip", [photo])


def content(library, memory: str) -> set[str] | None:
    """The photos of a memory; None if there is no such memory."""
    if not library.rows("select 1 from memory where id = %s", memory):
        return None
    column = library.name("memory_asset", "assetId")
    return {row[0] for row in library.rows(f'select "{column}" from memory_asset where "memoriesId" = %s', memory)}


def test_the_photo_leaves_the_memory_and_the_others_stay(library, anna, photo, album, move) -> None:
    stays = library.asset(anna)
    memory = library.memory(anna, [photo, stays], saved=True)
    report = move(album)
    assert content(library, memory) == {stays}
    assert report.memories == 1


@pytest.mark.parametrize("saved", [True, False])
def test_a_memory_left_empty_is_deleted(library, anna, photo, album, saved, move) -> None:
    memory = library.memory(anna, [photo], saved=saved)
    report = move(album)
    assert content(library, memory) is None
    assert library.rows('select "memoryId", "userId" from memory_audit') == [(memory, anna)]
    assert report.memories == 1


def test_a_memory_that_was_empty_before_is_left_alone(library, anna, photo, album, move) -> None:
    memory = library.memory(anna, [])
    report = move(album)
    assert content(library, memory) == set()
    assert report.memories == 0


def test_the_destinations_memory_keeps_the_photo(library, ben, photo, album, move) -> None:
    """He could have it there as her partner; now it is his own."""
    memory = library.memory(ben, [photo])
    report = move(album)
    assert content(library, memory) == {photo}
    assert report.memories == 0


def test_a_third_users_memory_loses_the_photo(library, carla, photo, album, move) -> None:
    own = library.asset(carla)
    memory, alone = library.memory(carla, [photo, own]), library.memory(carla, [photo])
    report = move(album)
    assert content(library, memory) == {own}
    assert content(library, alone) is None
    assert report.memories == 2


def test_a_memory_of_photos_that_stay_is_not_touched(library, anna, album, move) -> None:
    memory = library.memory(anna, [library.asset(anna)])
    before = library.rows("select * from memory where id = %s", memory)
    assert move(album).memories == 0
    assert library.rows("select * from memory where id = %s", memory) == before


# ---- memories of birthdays ------------------------------------------------------------------------------------------

NOT_PUT_BACK = ("updatedAt", "updateId", "session.isPendingSyncReset", "*_audit")


@pytest.mark.since("3.3")
@pytest.mark.parametrize("together", [False, True], ids=["apart", "one cluster group"])
@pytest.mark.parametrize("action", [TRANSFER, DUPLICATE, MERGE])
def test_a_memory_of_a_birthday_loses_the_photo_like_any_other(
    library, anna, ben, photo, album, params, tmp_path, action, together
) -> None:
    """It names its person, by id and name, whom its owner keeps as long as there is a photo for it."""
    if together:
        library.cluster(anna, ben)
    lea = library.person(anna, "Lea", birth="2019-07-14")
    library.face(photo, lea, featured=True)
    emptied = library.memory(anna, [photo], birthday_of=lea)
    stays = None
    if action == DUPLICATE:
        left = library.asset(anna)
        library.face(left, lea)
        stays = library.memory(anna, [photo, left], birthday_of=lea)
    his = library.asset(ben)
    his_lea = library.person(ben, "Lea", birth="2019-07-14") if action == MERGE else library.person(ben, "Kim")
    library.face(his, his_lea, featured=True)
    bens = library.memory(ben, [his], birthday_of=his_lea)
    library.settle_usage()
    before = library.snapshot(ignore=NOT_PUT_BACK)

    merge = frozenset([lea] if action == MERGE else [])
    request = transfer.Request(anna, ben, album=album, merge=merge)
    report = transfer.transfer(params, request, transfer.How(dry_run=False, undo_folder=tmp_path / "transfers"))
    assert [(person.name, person.action) for person in report.people] == [("Lea", action)]
    assert content(library, emptied) is None
    assert content(library, bens) == {his}
    assert report.memories == (1 if stays is None else 2)
    if stays:
        assert content(library, stays) == {left}
    named = library.rows("""select "ownerId", (data ->> 'personId')::uuid from memory""")
    assert set(named) <= set(library.rows('select "ownerId", "personGroupId" from person'))

    (past,) = transfer.list_past(params, tmp_path / "transfers")
    transfer.undo(params, past.path, transfer.How(dry_run=False))
    assert library.snapshot(ignore=NOT_PUT_BACK) == before
