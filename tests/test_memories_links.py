"""Immich shows whatever lies in a user's memory or on a public link: photos that are another's by now must leave it."""

import pytest

import transfer
from tests.conftest import NOT_PUT_BACK
from transfer import DUPLICATE, MERGE, TRANSFER

HOLDING = {
    "memory": ("memory", "ownerId", "memory_asset", "memoriesId"),
    "link": ("shared_link", "userId", "shared_link_asset", "sharedLinkId"),
}


def held(library, kind: str, thing: str) -> tuple[str, set[str]] | None:
    """(owner, photos) of a memory or link; None if there is no such."""
    table, owner, join, to = HOLDING[kind]
    found = library.rows(f'select "{owner}" from {table} where id = %s', thing)
    if not found:
        return None
    asset, to = library.name(join, "assetId"), library.name(join, to)
    photos = library.rows(f'select "{asset}" from {join} where "{to}" = %s', thing)
    return found[0][0], {row[0] for row in photos}


def content(library, memory: str) -> set[str] | None:
    """The photos of a memory; None if there is no such memory."""
    found = held(library, "memory", memory)
    return None if found is None else found[1]


# Whose it is and what is in it; then what of a memory, and of a link: gone, or whose it is and what is in it then.
HELD = {
    "hers_with_this_alone": ("anna", "photo", None, "ben photo"),
    "hers_with_photos_that_stay": ("anna", "photo hers", "anna hers", "anna hers"),
    "hers_with_the_destinations": ("anna", "photo his", "anna his", "ben photo his"),
    "hers_with_a_third_users": ("anna", "photo carlas", "anna carlas", "anna carlas"),
    "the_destinations_own": ("ben", "photo", "ben photo", "ben photo"),  # as her partner he may have it there
    "a_third_users": ("carla", "photo carlas", "carla carlas", "carla carlas"),
    "a_third_users_with_this_alone": ("carla", "photo", None, None),
    "another_one": ("anna", "hers", "anna hers", "anna hers"),
    "an_empty_one": ("anna", "", "anna", "anna"),
}


@pytest.mark.parametrize("kind", HOLDING)
@pytest.mark.parametrize("name", HELD)
def test_what_the_photo_lies_in(library, anna, ben, carla, photo, album, kind, name, move) -> None:
    """A link all of whose photos move goes along with its address; all else loses the photo, or goes if it is empty."""
    users = {"anna": anna, "ben": ben, "carla": carla}
    there = {"photo": photo, "hers": library.asset(anna), "his": library.asset(ben), "carlas": library.asset(carla)}
    owner, inside, *after = HELD[name]
    photos = [there[word] for word in inside.split()]
    if kind == "memory":
        thing = library.memory(users[owner], photos, saved=len(photos) == 1)
    else:
        thing = library.link(users[owner], assets=photos, slug="lake")
    table, column, *_ = HOLDING[kind]
    before = library.rows(f"""select to_jsonb(t) - '{column}' - 'updatedAt' - 'updateId' from {table} t""")
    report = move(album)
    then = after[kind == "link"]
    if then is None:
        assert held(library, kind, thing) is None
        if kind == "memory":
            assert library.rows('select "memoryId", "userId" from memory_audit') == [(thing, users[owner])]
    else:
        whose, *rest = then.split()
        assert held(library, kind, thing) == (users[whose], {there[word] for word in rest})
        assert library.rows(f"""select to_jsonb(t) - '{column}' - 'updatedAt' - 'updateId' from {table} t""") == before
    moved = kind == "link" and owner != "ben" and (then or "").startswith("ben")
    losing = "photo" in inside and owner != "ben" and not moved
    assert (report.of("memories"), report.of("links_moved"), report.of("links_losing")) == (
        losing and kind == "memory",
        moved,
        losing and kind == "link",
    )


# ---- links to albums ------------------------------------------------------------------------------------------------


def test_links_to_albums_follow_their_album(library, anna, carla, photo, album, move) -> None:
    links = [library.link(anna, album=album), library.link(carla, album=album)]
    before = [library.rows("select * from shared_link where id = %s", link) for link in links]
    report = move(album)
    assert [library.rows("select * from shared_link where id = %s", link) for link in links] == before
    assert (report.of("links_moved"), report.of("links_losing")) == (0, 0)


def test_a_stray_photo_on_a_link_to_an_album_leaves_it(library, anna, photo, album, move) -> None:
    """Immich up to 2.6 could leave such rows; 2.7 deletes them."""
    link = library.link(anna, album=album, assets=[photo])
    move(album)
    assert held(library, "link", link) == (anna, set())


# ---- memories of birthdays ------------------------------------------------------------------------------------------


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
    assert report.of("memories") == (1 if stays is None else 2)
    if stays:
        assert content(library, stays) == {left}
    named = library.rows("""select "ownerId", (data ->> 'personId')::uuid from memory""")
    assert set(named) <= set(library.rows('select "ownerId", "personGroupId" from person'))

    (past,) = transfer.list_past(params, tmp_path / "transfers")
    transfer.undo(params, past.path, transfer.How(dry_run=False))
    assert library.snapshot(ignore=NOT_PUT_BACK) == before
