"""Immich's list of duplicates is per user: a group must not be torn between two."""

from tests.library import new_id


def group_of(library, asset: str) -> str | None:
    return library.value('select "duplicateId" from asset where id = %s', asset)


def detected(library, asset: str):
    return library.value('select "duplicatesDetectedAt" from asset_job_status where "assetId" = %s', asset)


def test_moved_photos_leave_their_group_and_are_looked_at_again(library, anna, move) -> None:
    group = new_id()
    photos = [library.asset(anna, duplicate=group) for _ in range(2)]
    plain = library.asset(anna)
    report = move(library.album(anna, "Trip", [*photos, plain]))
    assert [group_of(library, photo) for photo in photos] == [None, None]
    assert [detected(library, photo) for photo in (*photos, plain)] == [None] * 3
    assert report.of("duplicates") == 2


def test_one_that_is_left_alone_leaves_its_group_too(library, anna, move) -> None:
    group = new_id()
    moves, alone = library.asset(anna, duplicate=group), library.asset(anna, duplicate=group)
    report = move(library.album(anna, "Trip", [moves]))
    assert group_of(library, alone) is None
    assert detected(library, alone) is not None
    assert report.of("duplicates") == 1


def test_two_that_stay_are_still_a_group(library, anna, move) -> None:
    group = new_id()
    moves, *stay = [library.asset(anna, duplicate=group) for _ in range(3)]
    move(library.album(anna, "Trip", [moves]))
    assert [group_of(library, photo) for photo in stay] == [group] * 2


def test_one_in_the_trash_is_no_company(library, anna, move) -> None:
    group = new_id()
    moves, alone = library.asset(anna, duplicate=group), library.asset(anna, duplicate=group)
    library.asset(anna, duplicate=group, trashed=True)
    move(library.album(anna, "Trip", [moves]))
    assert group_of(library, alone) is None


def test_other_groups_are_left_alone(library, anna, ben, move) -> None:
    hers, his = new_id(), new_id()
    photos = [library.asset(anna, duplicate=hers) for _ in range(2)]
    photos += [library.asset(ben, duplicate=his) for _ in range(2)]
    lone = library.asset(anna, duplicate=new_id())
    before = [library.row("select * from asset where id = %s", photo) for photo in (*photos, lone)]
    report = move(library.album(anna, "Trip", [library.asset(anna)]))
    assert [library.row("select * from asset where id = %s", photo) for photo in (*photos, lone)] == before
    assert report.of("duplicates") == 0
