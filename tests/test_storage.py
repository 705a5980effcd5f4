"""Both users' storage figures are what Immich's own nightly job would make of them."""

import pytest

from tests.conftest import usage


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
    move(library.album(anna, "Trip", photos))
    assert (usage(library, anna), usage(library, ben)) == (3210, 3217)


def test_a_figure_that_was_wrong_before_is_right_afterwards(library, anna, ben, carla, move) -> None:
    photo = library.asset(anna, size=50)
    library.rows('update "user" set "quotaUsageInBytes" = 999')
    report = move(library.album(anna, "Trip", [photo]))
    assert [usage(library, user) for user in (anna, ben, carla)] == [0, 50, 999]
    assert [(s.before, s.after) for s in report.storage] == [(999, 0), (999, 50)]


def test_more_bytes_than_fit_an_integer(library, anna, ben, move) -> None:
    photos = [library.asset(anna, size=4_000_000_000_000) for _ in range(3)]
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
    assert [s.over_quota for s in dry(album, destination=dora).storage] == [False, over]
    report = move(album, destination=dora)
    assert (report.storage[1].quota, report.storage[1].over_quota) == (quota, over)
