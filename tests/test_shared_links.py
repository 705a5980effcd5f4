"""A public link opens whatever lies on it, whoever owns that: the former owner's link must not show the photo."""

import pytest


@pytest.fixture
def photo(library, anna) -> str:
    return library.asset(anna)


@pytest.fixture
def album(library, anna, photo) -> str:
    return library.album(anna, "Trip", [photo])


def link_row(library, link: str) -> tuple[str, set[str]] | None:
    """(owner, photos) of a link, None if there is none."""
    found = library.rows('select "userId" from shared_link where id = %s', link)
    if not found:
        return None
    asset, to = library.name("shared_link_asset", "assetId"), library.name("shared_link_asset", "sharedLinkId")
    photos = library.rows(f'select "{asset}" from shared_link_asset where "{to}" = %s', link)
    return found[0][0], {row[0] for row in photos}


def test_a_link_all_of_whose_photos_move_goes_along(library, anna, ben, photo, album, move) -> None:
    """The address that was handed out goes on working."""
    link = library.link(anna, assets=[photo], slug="lake")
    before = library.row("select key, slug, password from shared_link where id = %s", link)
    report = move(album)
    assert link_row(library, link) == (ben, {photo})
    assert library.row("select key, slug, password from shared_link where id = %s", link) == before
    assert (report.links_moved, report.links_losing) == (1, 0)


def test_a_link_whose_other_photos_are_the_destinations_already_goes_along(
    library, anna, ben, photo, album, move
) -> None:
    his = library.asset(ben)
    link = library.link(anna, assets=[photo, his])
    assert move(album).links_moved == 1
    assert link_row(library, link) == (ben, {photo, his})


def test_the_photo_leaves_a_link_with_photos_that_stay(library, anna, photo, album, move) -> None:
    stays = library.asset(anna)
    link = library.link(anna, assets=[photo, stays])
    report = move(album)
    assert link_row(library, link) == (anna, {stays})
    assert (report.links_moved, report.links_losing) == (0, 1)


def test_a_link_with_a_third_users_photo_does_not_go_along(library, anna, carla, photo, album, move) -> None:
    hers = library.asset(carla)
    link = library.link(anna, assets=[photo, hers])
    move(album)
    assert link_row(library, link) == (anna, {hers})


def test_a_third_users_link_loses_the_photo_and_goes_when_empty(library, carla, photo, album, move) -> None:
    own = library.asset(carla)
    link, alone = library.link(carla, assets=[photo, own]), library.link(carla, assets=[photo])
    report = move(album)
    assert link_row(library, link) == (carla, {own})
    assert link_row(library, alone) is None
    assert (report.links_moved, report.links_losing) == (0, 2)


def test_the_destinations_link_keeps_the_photo(library, ben, photo, album, move) -> None:
    link = library.link(ben, assets=[photo])
    report = move(album)
    assert link_row(library, link) == (ben, {photo})
    assert (report.links_moved, report.links_losing) == (0, 0)


def test_links_that_were_empty_or_show_other_photos_are_left_alone(library, anna, album, move) -> None:
    stays = library.asset(anna)
    links = [library.link(anna), library.link(anna, assets=[stays])]
    before = [library.rows("select * from shared_link where id = %s", link) for link in links]
    move(album)
    assert [library.rows("select * from shared_link where id = %s", link) for link in links] == before
    assert link_row(library, links[1]) == (anna, {stays})


def test_links_to_albums_follow_their_album(library, anna, carla, photo, album, move) -> None:
    links = [library.link(anna, album=album), library.link(carla, album=album)]
    before = [library.rows("select * from shared_link where id = %s", link) for link in links]
    report = move(album)
    assert [library.rows("select * from shared_link where id = %s", link) for link in links] == before
    assert (report.links_moved, report.links_losing) == (0, 0)


def test_a_stray_photo_on_a_link_to_an_album_leaves_it(library, anna, photo, album, move) -> None:
    """Immich up to 2.6 could leave such rows; 2.7 deletes them."""
    link = library.link(anna, album=album, assets=[photo])
    move(album)
    assert link_row(library, link) == (anna, set())
