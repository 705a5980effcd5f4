"""Both users' storage figures move as far as Immich's own nightly job would move them."""

import pytest

import transfer
from tests.conftest import usage, usage_by_immich


def test_the_figures_are_moved_with_the_photos(library, anna, ben, move) -> None:
    photos = [library.asset(anna, size=size) for size in (100, 20)]
    library.asset(anna, size=3)
    library.asset(ben, size=4000)
    library.settle_usage()
    report = move(library.album(anna, "Trip", photos))
    assert (usage(library, anna), usage(library, ben)) == (3, 4120)
    assert [(s.email, s.before, s.after) for s in report.storage] == [
        ("anna@example.com", 123, 3),
        ("ben@example.com", 4000, 4120),
    ]


def test_trash_hidden_videos_and_files_without_a_size_count_as_immich_counts_them(library, anna, ben, move) -> None:
    photos = [library.asset(anna, size=None), library.asset(anna, size=7)]
    for user in (anna, ben):
        library.asset(user, size=10, trashed=True)
        library.asset(user, size=200, visibility="hidden")
        library.asset(user, size=3000, visibility="locked")
        library.asset(user, size=40000, library=library.library(user))
        bare = library.asset(user, size=500000)
        library.rows('delete from asset_exif where "assetId" = %s', bare)
    library.settle_usage()
    move(library.album(anna, "Trip", photos))
    assert (usage(library, anna), usage(library, ben)) == (3210, 3217)


def test_an_upload_that_immich_adds_to_the_figure_later_is_counted_once(library, anna, ben, params) -> None:
    """It makes the photo, then adds its size: in between the run ends, in both directions."""
    album = library.album(anna, "Trip", [library.asset(anna, size=50)])
    library.settle_usage()
    late = {anna: 7, ben: 9}

    def upload(step: str) -> None:
        if step == "Checking":
            for user, size in late.items():
                library.asset(user, size=size)

    transfer.transfer(params, transfer.Request(anna, ben, album), transfer.How(dry_run=False, progress=upload))
    for user, size in late.items():
        library.rows('update "user" set "quotaUsageInBytes" = "quotaUsageInBytes" + %s where id = %s', size, user)
        assert usage(library, user) == usage_by_immich(library, user)


def test_a_figure_that_was_too_small_to_be_right_is_counted_anew(library, anna, ben, move) -> None:
    album = library.album(anna, "Trip", [library.asset(anna, size=50)])
    library.asset(anna, size=8)
    library.settle_usage()
    library.rows('update "user" set "quotaUsageInBytes" = 0 where id = %s', anna)
    move(album)
    assert (usage(library, anna), usage(library, ben)) == (8, 50)


def test_more_bytes_than_fit_an_integer(library, anna, ben, move) -> None:
    photos = [library.asset(anna, size=4_000_000_000_000) for _ in range(3)]
    library.settle_usage()
    move(library.album(anna, "Trip", photos))
    assert usage(library, ben) == 12_000_000_000_000


@pytest.mark.cases
@pytest.mark.parametrize(
    ("quota", "over"), [(None, False), (149, True), (150, False), (0, True)], ids=["no quota", "over", "just", "zero"]
)
def test_a_destination_over_its_quota_is_told(library, anna, quota, over, dry, move) -> None:
    """Immich then refuses its uploads."""
    dora = library.user("Dora", quota=quota)
    library.asset(dora, size=50)
    album = library.album(anna, "Trip", [library.asset(anna, size=100)])
    library.settle_usage()
    assert [s.over_quota for s in dry(album, destination=dora).storage] == [False, over]
    report = move(album, destination=dora)
    assert (report.storage[1].quota, report.storage[1].over_quota) == (quota, over)
