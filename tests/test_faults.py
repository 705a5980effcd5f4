"""What is wrong in a whole database: each kind is found with whose it is, and what Immich allows is none of them."""

from collections.abc import Callable

import pytest

import transfer
from tests.library import Library


def found(library: Library, params: dict) -> dict[tuple[str, str | None], int]:
    """How many of what are wrong with whose things; looking changes nothing."""
    before = library.snapshot()
    troubles = transfer.find_faults(params)
    assert library.snapshot() == before
    return {(trouble.kind, trouble.user): trouble.count for trouble in troubles}


def give(library: Library, to: str, *assets: str) -> None:
    """What careless scripts do."""
    library.rows('update asset set "ownerId" = %s where id = any(%s::uuid[])', to, list(assets))
    library.settle_usage()


def plant_library(library: Library, anna: str, ben: str) -> set:
    give(library, ben, library.asset(anna, library=library.library(anna)))
    return {("library", ben)}


def plant_twice(library: Library, anna: str, ben: str) -> set:
    library.rows('drop index "UQ_assets_owner_checksum"')
    for _ in range(2):
        library.asset(ben, checksum=b"x" * 20)
    return {("checksum", ben)}


def plant_live(library: Library, anna: str, ben: str) -> set:
    video = library.asset(anna, kind="VIDEO", visibility="hidden")
    give(library, ben, library.asset(anna, live_video=video))
    return {("live", anna), ("live", ben)}


def plant_stack(library: Library, anna: str, ben: str) -> set:
    photos = [library.asset(anna) for _ in range(3)]
    library.stack(anna, photos)
    give(library, ben, photos[1])
    return {("stack", anna), ("stack", ben)}


def plant_top(library: Library, anna: str, ben: str) -> set:
    photos = [library.asset(anna) for _ in range(2)]
    library.stack(anna, photos, primary=library.asset(ben))
    return {("stack", anna)}


def plant_link(library: Library, anna: str, ben: str) -> set:
    library.link(anna, assets=[library.asset(ben)])
    return {("link", ben)}


def plant_face(library: Library, anna: str, ben: str) -> set:
    library.face(library.asset(ben), library.person(anna, "Lea", thumbnail=""))
    return {("face", ben)}


def plant_picture(library: Library, anna: str, ben: str) -> set:
    library.feature(library.person(anna, "Lea"), library.face(library.asset(ben), None), owner=anna)
    return {("featured", anna), ("featured", ben)}


def plant_deleted_picture(library: Library, anna: str, ben: str) -> set:
    lea = library.person(anna, "Lea")
    library.feature(lea, library.face(library.asset(anna), lea, deleted=True), owner=anna)
    return {("featured", anna)}


def plant_tag(library: Library, anna: str, ben: str) -> set:
    library.tag_assets(library.tag(anna, "Trips/Rome"), library.asset(ben))
    return {("tag", ben)}


def plant_memory(library: Library, anna: str, ben: str) -> set:
    library.memory(anna, [library.asset(ben)])
    return {("memory", ben)}


def plant_duplicates(library: Library, anna: str, ben: str) -> set:
    group = "00000000-0000-0000-0000-00000000000d"
    photos = [library.asset(anna, duplicate=group) for _ in range(2)]
    give(library, ben, photos[0])
    return {("duplicate", anna), ("duplicate", ben)}


def plant_empty_stack(library: Library, anna: str, ben: str) -> set:
    photos = [library.asset(anna) for _ in range(2)]
    library.stack(anna, photos)
    library.rows('update asset set "stackId" = null')
    return {("stack", anna)}


def plant_cover(library: Library, anna: str, ben: str) -> set:
    library.album(anna, assets=[library.asset(anna)], cover=library.asset(ben))
    return {("cover", anna)}


def plant_album(library: Library, anna: str, ben: str) -> set:
    """Nobody's: the first who may edit it becomes its owner."""
    if not library.has_album_owner_rows:
        pytest.skip("an album has its owner in its row")
    album = library.album(anna, "Trip", members={ben: "viewer"})
    library.rows('update album_user set role = \'editor\' where "albumId" = %s and "userId" = %s', album, anna)
    return {("album owner", anna)}


def plant_storage(library: Library, anna: str, ben: str) -> set:
    library.rows('update "user" set "quotaUsageInBytes" = 77 where id = %s', ben)
    return {("storage", ben)}


PLANTS = (
    *(plant_library, plant_twice, plant_live, plant_stack, plant_top, plant_link, plant_face, plant_picture),
    *(plant_deleted_picture, plant_tag, plant_memory, plant_duplicates, plant_empty_stack, plant_cover),
    *(plant_album, plant_storage),
)


@pytest.mark.every_version
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__.removeprefix("plant_"))
def test_what_is_wrong_is_found_with_whose_it_is(
    library, anna, ben, params, plant: Callable[[Library, str, str], set]
) -> None:
    wanted = plant(library, anna, ben)
    if plant is not plant_storage:
        library.settle_usage()
    assert found(library, params) == dict.fromkeys(wanted, 1)


@pytest.mark.always
def test_a_library_as_immich_keeps_it_has_nothing_wrong(library, scene, params) -> None:
    assert found(library, params) == {}


def test_a_partners_photos_may_be_in_memories_and_links(library, anna, ben, params) -> None:
    photo = library.asset(ben)
    library.partner(ben, anna)
    library.memory(anna, [photo])
    library.link(anna, assets=[photo])
    library.settle_usage()
    assert found(library, params) == {}
    hers = library.asset(anna)  # who does not share with him
    library.memory(ben, [hers])
    library.link(ben, assets=[hers])
    library.settle_usage()
    assert found(library, params) == {("memory", anna): 1, ("link", anna): 1}


@pytest.mark.since("3.2")
def test_people_whom_two_users_know_are_right(library, anna, ben, params) -> None:
    """In a common cluster group a face on Ben's photo is Anna's person's too, and may be her picture."""
    library.cluster(anna, ben)
    lea = library.person(anna, "Lea")
    library.person(ben, "Lea", group=lea, thumbnail="")
    library.feature(lea, library.face(library.asset(ben), lea), owner=anna)
    library.settle_usage()
    assert found(library, params) == {}


@pytest.mark.every_version
def test_a_bare_change_of_owners_leaves_all_that_it_leaves(library, scene, params) -> None:
    give(library, scene.ben, scene.lake, scene.hill, scene.live[0], scene.stacked[0])
    kinds = {kind for kind, _user in found(library, params)}
    assert kinds == {"live", "stack", "link", "face", "featured", "tag", "memory"}
