"""One person with two accounts: with everything goes what the given-up account was to other users."""

import pytest

import transfer
from tests.conftest import Journey
from tests.library import Library
from tests.random_library import ids
from tests.terminal import Installation, Terminal

pytestmark = pytest.mark.long


@pytest.fixture
def both(library: Library, anna: str, ben: str, carla: str) -> dict[str, str]:
    """Anna and Ben are one; what Anna is to Carla and Dora, and what Ben is already."""
    dora = library.user("Dora")
    photo, twin, carlas = (
        library.asset(anna, "anna.jpg"),
        library.asset(anna, "twin.jpg"),
        library.asset(carla, "c.jpg"),
    )
    library.asset(ben, "twin.jpg", checksum=library.value("select checksum from asset where id = %s", twin))
    rows = {
        "dora": dora,
        "photo": photo,
        "twin": twin,
        "carlas": carlas,
        "hers": library.album(carla, "Hers", [carlas, photo], members={anna: "editor"}),
        "both": library.album(carla, "Both", [carlas], members={anna: "editor", ben: "viewer"}),
        "weaker": library.album(carla, "Weaker", [carlas], members={anna: "viewer", ben: "editor"}),
        "his": library.album(ben, "His", [photo], members={anna: "viewer"}),
        "own": library.album(anna, "Own", [photo, twin], members={carla: "viewer"}),
        "memory": library.memory(anna, [photo]),
        "mixed": library.memory(anna, [photo, twin]),
    }
    for by, to in ((anna, carla), (dora, anna), (dora, ben), (anna, ben)):
        library.partner(by, to)
    rows["comment"] = library.comment(rows["hers"], anna, "Lovely", asset=carlas)
    rows["album comment"] = library.comment(rows["hers"], anna, "The album")
    rows["like"] = library.like(rows["hers"], anna, asset=carlas)
    library.comment(rows["both"], anna, "Liked by Ben", asset=carlas)
    for user in (anna, ben):
        library.like(rows["both"], user, asset=carlas)
        library.like(rows["both"], user)
    library.comment(rows["hers"], carla, "Hers")
    library.settle_usage()
    return rows


def request(anna: str, ben: str, **options: bool) -> transfer.Request:
    return transfer.Request(anna, ben, everything=True, **options)


def members(library: Library, album: str) -> dict[str, str]:
    """Who is in an album besides its owner, and as what."""
    user, key = library.name("album_user", "userId"), library.name("album_user", "albumId")
    return dict(
        library.rows(f'select "{user}", role::text from album_user where "{key}" = %s and role <> %s', album, "owner")
    )


def partners(library: Library) -> set[tuple[str, str]]:
    """Who shares everything with whom."""
    return set(library.rows('select "sharedById", "sharedWithId" from partner'))


def test_what_one_account_was_to_others_the_other_is(library, anna, ben, carla, both, journey: Journey) -> None:
    with journey.returning():
        report = journey.go(request(anna, ben, same_person=True))
        assert members(library, both["hers"]) == {ben: "editor"}
        assert members(library, both["both"]) == {ben: "editor"}
        assert members(library, both["weaker"]) == {ben: "editor"}
        assert members(library, both["his"]) == {}
        assert members(library, both["own"]) == {carla: "viewer"}
        assert partners(library) == {(ben, carla), (both["dora"], ben), (anna, ben)}
        said = library.rows('select "userId", comment, "isLiked" from activity where "userId" <> %s', carla)
        assert {user for user, *_ in said} == {ben}
        assert sorted(text for _, text, _ in said if text) == ["Liked by Ben", "Lovely", "The album"]
        assert sum(liked for *_, liked in said) == 3
        assert library.value('select "ownerId" from memory where id = %s', both["memory"]) == ben
        assert library.value('select "ownerId" from memory where id = %s', both["mixed"]) == anna
        assert [report.of(what) for what in ("memberships", "partners", "said", "memories_moved")] == [4, 2, 6, 1]
        check = transfer.account_ties(journey.params, anna)
        assert {tie.kind for tie in check.tied} <= {"copied", "file"}


def test_two_people_keep_what_they_are_to_others(library, anna, ben, both, journey: Journey) -> None:
    rows = (partners(library), members(library, both["hers"]), members(library, both["both"]))
    with journey.returning():
        journey.go(request(anna, ben))
        assert (partners(library), members(library, both["hers"]), members(library, both["both"])) == rows
        assert library.value('select "userId" from activity where id = %s', both["comment"]) == anna


@pytest.mark.parametrize("what", ["member", "partner", "like"])
def test_an_undo_leaves_what_the_other_account_gave_up_since(library, anna, ben, carla, both, journey, what) -> None:
    journey.go(request(anna, ben, same_person=True))
    key, user = library.name("album_user", "albumId"), library.name("album_user", "userId")
    query, row = {
        "member": (f'delete from album_user where "{key}" = %s and "{user}" = %s', (both["hers"], ben)),
        "partner": ('delete from partner where "sharedById" = %s and "sharedWithId" = %s', (ben, carla)),
        "like": ('delete from activity where "albumId" = %s and "userId" = %s and "isLiked"', (both["both"], ben)),
    }[what]
    library.rows(query, *row)
    journey.back()
    left = {
        "member": members(library, both["hers"]),
        "partner": {pair for pair in partners(library) if carla in pair},
        "like": set(ids(library, 'select id from activity where "albumId" = %s and "isLiked"', both["both"])),
    }
    assert {name for name, found in left.items() if not found} == {what}
    assert members(library, both["both"]) == {anna: "editor", ben: "viewer"}


def test_an_undo_leaves_a_memory_with_whom_its_photos_stay(library, anna, ben, both, journey) -> None:
    journey.go(request(anna, ben, same_person=True))
    library.asset(anna, "again.jpg", checksum=library.value("select checksum from asset where id = %s", both["photo"]))
    assert dict(journey.back().stays) == {"again": ("anna.jpg",)}
    assert library.value('select "ownerId" from memory where id = %s', both["memory"]) == ben


@pytest.mark.since("3.3")
@pytest.mark.parametrize("clustered", [True, False])
def test_whom_others_share_with_one_account_the_other_sees(library, anna, ben, carla, both, journey, clustered) -> None:
    """Inside one cluster group; else it is said that it stays apart."""
    library.cluster(anna, carla, *[ben] * clustered)
    emma = library.person(carla, "Emma")
    library.face(both["carlas"], emma, featured=True)
    library.share_person(emma, carla, anna)
    with journey.returning():
        report = journey.go(request(anna, ben, same_person=True))
        assert (library.person_row(ben, emma) is not None) is clustered
        assert report.of("shares_joined") == clustered
        assert report.listed("shares_apart") == (() if clustered else (("Emma", "Carla"),))


@pytest.mark.screens
def test_whether_both_accounts_are_one_person_is_asked_without_a_default(there: Installation) -> None:
    carla = there.library.user("Carla", email="carla@example.com")
    album = there.library.album(carla, "Hers", members={there.alice: "editor"})
    with Terminal(there.path) as terminal:
        terminal.choose("4", "Everything")
        terminal.answer("Is Bob the same person as Alice? (y/n, < back, 0 menu): ", "")
        assert "Please answer y or n." in terminal.answer("Is Bob the same person as Alice?", "y")
        assert "1 membership in albums of others is Bob's" in terminal.answer("Type yes [menu]: ", "yes")
        terminal.answer("Type the account's e-mail address", "alice@example.com")
        terminal.afterwards()
    assert members(there.library, album) == {there.bob: "editor"}
