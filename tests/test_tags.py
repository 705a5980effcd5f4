"""Tags are a user's own: the destination gets the same paths, and Immich's search must find them."""

import pytest


def tags_on(library, asset: str) -> set[tuple[str, str]]:
    """(owner, path) of the tags of a photo."""
    return set(
        library.rows(
            f"""select t."userId", t.value from tag_asset ta
                join tag t on t.id = ta."{library.name("tag_asset", "tagId")}"
                where ta."{library.name("tag_asset", "assetId")}" = %s""",
            asset,
        )
    )


def tree(library, user: str) -> dict[str, str | None]:
    """Path -> path of the parent, of all tags of a user."""
    return dict(
        library.rows(
            'select t.value, p.value from tag t left join tag p on p.id = t."parentId" where t."userId" = %s', user
        )
    )


def closure(library, user: str) -> set[tuple[str, str]]:
    """(ancestor, descendant) by path, as Immich's search joins them."""
    return set(
        library.rows(
            """select above.value, below.value from tag_closure c join tag above on above.id = c.id_ancestor
               join tag below on below.id = c.id_descendant where above."userId" = %s or below."userId" = %s""",
            user,
            user,
        )
    )


def test_a_nested_tag_is_made_for_the_destination(library, anna, ben, photo, album, move) -> None:
    library.tag_assets(library.tag(anna, "Trips/Italy/Rome", color="#ff0000"), photo)
    library.rows("update tag set color = '#00ff00' where value = 'Trips'")
    report = move(album)
    assert tags_on(library, photo) == {(ben, "Trips/Italy/Rome")}
    assert tree(library, ben) == tree(library, anna)
    assert tree(library, ben) == {"Trips": None, "Trips/Italy": "Trips", "Trips/Italy/Rome": "Trips/Italy"}
    assert closure(library, ben) == closure(library, anna)
    assert len(closure(library, ben)) == 6
    colors = dict(library.rows('select value, color from tag where "userId" = %s', ben))
    assert colors == {"Trips": "#00ff00", "Trips/Italy": None, "Trips/Italy/Rome": "#ff0000"}
    assert (report.of("tags"), report.of("tags_made")) == (1, 3)


def test_a_tag_that_the_destination_has_is_used_as_it_is(library, anna, ben, photo, album, move) -> None:
    library.tag_assets(library.tag(anna, "Trips/Rome", color="#ff0000"), photo)
    library.tag(ben, "Trips/Rome", color="#0000ff")
    before = library.rows("select * from tag order by id"), closure(library, ben)
    report = move(album)
    assert tags_on(library, photo) == {(ben, "Trips/Rome")}
    assert (library.rows("select * from tag order by id"), closure(library, ben)) == before
    assert (report.of("tags"), report.of("tags_made")) == (1, 0)


def test_a_branch_grows_on_a_tag_that_the_destination_has(library, anna, ben, photo, album, move) -> None:
    library.tag_assets(library.tag(anna, "Trips/Italy/Rome"), photo)
    root = library.tag(ben, "Trips")
    library.tag(ben, "Trips/Spain")
    report = move(album)
    assert library.value('select "parentId" from tag where "userId" = %s and value = %s', ben, "Trips/Italy") == root
    assert {pair for pair in closure(library, ben) if pair[1].startswith("Trips/Italy")} == {
        pair for pair in closure(library, anna) if pair[1].startswith("Trips/Italy")
    }
    assert report.of("tags_made") == 2


def test_a_tag_made_over_rest_lacks_its_closure_row_and_gets_it(library, anna, ben, photo, album, move) -> None:
    """POST /tags writes none, and Immich's search by tag goes through them."""
    library.tag_assets(library.tag(anna, "Rome"), photo)
    library.rows("delete from tag_closure where id_ancestor = %s", library.tag(ben, "Rome"))
    move(album)
    assert closure(library, ben) == {("Rome", "Rome")}


def test_a_path_that_begins_alike_is_no_ancestor(library, anna, ben, photo, album, move) -> None:
    for path in ("Trip", "Trips/Rome", "Trips/Rome2", "Trips_/x", "Trip%/y"):
        library.tag_assets(library.tag(anna, path), photo)
    move(album)
    assert closure(library, ben) == closure(library, anna)
    assert tree(library, ben) == tree(library, anna)


# Whose tags are on the photo that moves and on one of hers that stays; the tags that are then kept, and made.
WHOSE = {
    "hers": ("anna", "anna", 1, 1),
    "hers, on none that stays": ("anna", "", 1, 1),
    "hers, on none that moves": ("", "anna", 0, 0),
    "a third user's": ("carla", "carla", 1, 1),
    "everybody's": ("anna ben carla", "anna", 1, 0),  # one for the destination
    "the destinations_own": ("ben", "", 0, 0),
}


@pytest.mark.parametrize("name", WHOSE)
def test_the_photo_has_the_destinations_tag_and_no_other(library, anna, ben, carla, photo, album, name, move) -> None:
    """Nobody loses a tag, nor what else it is on."""
    users = {"anna": anna, "ben": ben, "carla": carla}
    there, here, kept, made = WHOSE[name]
    tags = {user: library.tag(users[user], "Guests/2026") for user in {*there.split(), *here.split()}}
    stays, second = library.asset(anna), library.asset(anna)
    library.add_to_album(album, second)
    for user, tag in tags.items():
        library.tag_assets(tag, *[photo, second] * (user in there), *[stays] * (user in here))
    before = {user: (tree(library, users[user]), closure(library, users[user])) for user in tags}
    report = move(album)
    expected = {(ben, "Guests/2026")} if there else set()
    assert tags_on(library, photo) == tags_on(library, second) == expected
    assert tags_on(library, stays) == {(users[user], "Guests/2026") for user in here.split()}
    assert {user: (tree(library, users[user]), closure(library, users[user])) for user in tags} == before
    assert (report.of("tags"), report.of("tags_made")) == (kept, 2 * made)
    assert bool(tree(library, ben)) == bool(there)


@pytest.mark.cases
@pytest.mark.parametrize("path", ["100%/a_b", 'it\'s/"so"', "back\\slash/x", "🏔/Ä", "a b / c"])
def test_tags_may_hold_any_character(library, anna, ben, photo, album, path, move) -> None:
    library.tag_assets(library.tag(anna, path), photo)
    move(album)
    assert tags_on(library, photo) == {(ben, path)}
    assert closure(library, ben) == closure(library, anna)
