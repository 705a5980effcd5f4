"""Immich shows a stack by its primary photo alone: a stack with members of two owners hides photos."""

from datetime import UTC, datetime

import pytest


def stack_of(library, asset: str) -> str | None:
    return library.value('select "stackId" from asset where id = %s', asset)


def stack_row(library, stack: str) -> tuple[str, str] | None:
    """(owner, primary) of a stack, None if there is none."""
    found = library.rows('select "ownerId", "primaryAssetId" from stack where id = %s', stack)
    return found[0] if found else None


def photos(library, owner: str, count: int, **how) -> list[str]:
    return [library.asset(owner, f"{number}.jpg", **how) for number in range(count)]


@pytest.mark.parametrize("primary", [0, 2])
def test_a_stack_moves_whole_and_stays_one(library, anna, ben, primary, move) -> None:
    members = photos(library, anna, 3)
    stack = library.stack(anna, members, primary=members[primary])
    report = move(library.album(anna, "Trip", members))
    assert stack_row(library, stack) == (ben, members[primary])
    assert [stack_of(library, member) for member in members] == [stack] * 3
    assert (report.of("stacks_moved"), report.of("stacks_split"), report.along) == (1, 0, ())


@pytest.mark.parametrize("chosen", [0, 1], ids=["primary chosen", "primary outside"])
def test_members_from_outside_come_along_and_are_named(library, anna, ben, chosen, move) -> None:
    members = photos(library, anna, 3)
    stack = library.stack(anna, members)
    report = move(library.album(anna, "Trip", [members[chosen]]))
    assert [library.owner_of(member) for member in members] == [ben] * 3
    assert stack_row(library, stack) == (ben, members[0])
    assert report.along == tuple(("stack", f"{number}.jpg") for number in range(3) if number != chosen)
    assert (report.assets, report.of("items"), report.of("stacks_moved")) == (3, 1, 1)


@pytest.mark.cases
@pytest.mark.parametrize("top", ["moving", "staying"])
@pytest.mark.parametrize("stay", [1, 2, 3])
@pytest.mark.parametrize("go", [1, 2, 3])
def test_a_stack_with_a_blocked_member_is_split_into_two_valid_ones(library, anna, ben, go, stay, top, move) -> None:
    """Nobody from outside comes along then. One photo alone is no stack."""
    going, free = photos(library, anna, go), photos(library, anna, stay - 1)
    blocked = library.asset(anna, "blocked.jpg", visibility="locked")
    remaining = [*free, blocked]
    primary = going[-1] if top == "moving" else remaining[-1]
    stack = library.stack(anna, [*going, *remaining], primary=primary)
    report = move(library.album(anna, "Trip", going))

    assert {library.owner_of(a) for a in going} == {ben}
    assert {library.owner_of(a) for a in remaining} == {anna}
    assert (report.of("stacks_split"), report.of("stacks_moved"), report.along) == (1, 0, ())

    if go == 1:
        assert stack_of(library, going[0]) is None
    else:
        (new,) = {stack_of(library, a) for a in going}
        owner, new_primary = stack_row(library, new)
        assert new != stack
        assert owner == ben
        assert new_primary == primary if top == "moving" else new_primary in going
    if stay == 1:
        assert stack_of(library, blocked) is None
        assert stack_row(library, stack) is None
        assert library.rows('select "stackId", "userId" from stack_audit') == [(stack, anna)]
    else:
        assert {stack_of(library, a) for a in remaining} == {stack}
        owner, old_primary = stack_row(library, stack)
        assert owner == anna
        assert old_primary == primary if top == "staying" else old_primary in remaining
        assert library.rows("select * from stack_audit") == []


# Members of a stack: chosen for the album or not (free), and what keeps one from moving. Then whose each is, and which
# stack's: the old one's (whole), none's, or a new one's.
MEMBERS = {
    "whatever_blocks: locked": ("chosen > ben none", "free > anna whole", "locked > anna whole"),
    "whatever_blocks: trashed": ("chosen > ben none", "free > anna whole", "trashed > anna whole"),
    "whatever_blocks: unfinished": ("chosen > ben none", "free > anna whole", "unfinished > anna whole"),
    "whatever_blocks: external": ("chosen > ben none", "free > anna whole", "external > anna whole"),
    "whatever_blocks: duplicate": ("chosen > ben none", "free > anna whole", "duplicate > anna whole"),
    "whatever_blocks: deleting": ("chosen > ben none", "free > anna whole", "deleting > anna whole"),
    "a blocked one that was chosen": ("chosen > ben none", "free > anna whole", "chosen trashed > anna whole"),
    "none may move": ("chosen locked > anna whole", "chosen locked > anna whole"),
    "a live photo brings its video": ("chosen > ben whole", "live > ben whole"),
    "a live photo whose video may not move": (
        *("chosen > ben none", "live unfinished-video > anna whole", "free > anna whole"),
    ),
    # neither the still nor its video comes along when the stack is split
    "a live photo outside": ("chosen > ben none", "live > anna whole", "locked > anna whole"),
    "a chosen live photo": ("chosen live > ben none", "locked > anna none"),
    "one member only": ("chosen > ben whole",),  # Immich up to 3.0 could leave such
    "one that an older transfer tore": ("bens > ben whole", "chosen > ben whole"),
    "a third user's photo": ("chosen > ben new", "chosen > ben new", "carlas > carla none"),
}


@pytest.mark.cases
@pytest.mark.parametrize("name", MEMBERS)
def test_what_becomes_of_the_members(library, anna, ben, carla, name, move) -> None:
    users, same = {"anna": anna, "ben": ben, "carla": carla}, b"\x05" * 20
    kinds = {
        **{"locked": {"visibility": "locked"}, "trashed": {"trashed": True}, "deleting": {"deleted": True}},
        **{"duplicate": {"checksum": same}, "external": {"library": library.library(anna)}},
    }
    library.asset(ben, checksum=same)
    members, chosen, videos, his = {}, [], {}, []
    for case in MEMBERS[name]:
        words, then = (part.split() for part in case.split(">"))
        owner = {"bens": ben, "carlas": carla}.get(words[0], anna)
        if "live" in words:
            photo, video = library.live(anna)
            videos[photo] = video
        else:
            photo = library.asset(owner, **next((kinds[word] for word in words if word in kinds), {}))
        if "unfinished" in words or "unfinished-video" in words:
            library.move_history(videos.get(photo, photo))
        chosen += [photo] * ("chosen" in words)
        his += [photo] * (owner == ben)
        members[photo] = then
    stack = library.stack(anna, list(members))
    report = move(library.album(anna, "Trip", chosen))
    for photo, (owner, _) in members.items():
        assert {library.owner_of(each) for each in (photo, videos.get(photo, photo))} == {users[owner]}
    found = {photo: stack_of(library, photo) for photo in members}
    new = set(found.values()) - {None, stack}
    for photo, (_, where) in members.items():
        assert found[photo] in {"whole": {stack}, "none": {None}, "new": new}[where]
    assert len(new) == any("new" in then for then in members.values())
    split = len({(owner, where) for owner, where in members.values()}) > 1
    moved = any(then == ["ben", "whole"] for then in members.values())
    assert (report.of("stacks_split"), report.of("stacks_moved")) == (split, moved)
    along = [photo for photo, then in members.items() if then[0] == "ben" and photo not in chosen and photo not in his]
    assert sorted(why for why, _ in report.along) == sorted(
        ["stack"] * len(along)
        + ["stack live" if photo in along else "live" for photo in videos if members[photo][0] == "ben"]
    )
    assert len(report.stays) == any("chosen" in case and "anna" in case for case in MEMBERS[name])


def test_another_stack_is_left_alone(library, anna, move) -> None:
    moving, staying = photos(library, anna, 2), photos(library, anna, 2)
    library.stack(anna, moving)
    stack = library.stack(anna, staying)
    move(library.album(anna, "Trip", moving))
    assert stack_row(library, stack) == (anna, staying[0])


def test_the_best_remaining_photo_becomes_the_top_of_what_stays(library, anna, move) -> None:
    """Not one that lies in the trash, if another is there."""
    top = library.asset(anna, "top.jpg")
    binned = library.asset(anna, "binned.jpg", trashed=True, taken=datetime(2001, 1, 1, tzinfo=UTC))
    kept = library.asset(anna, "kept.jpg")
    stack = library.stack(anna, [top, binned, kept])
    move(library.album(anna, "Trip", [top]))
    assert stack_row(library, stack) == (anna, kept)


def test_a_stack_that_shows_what_is_in_another_one(library, anna, ben, move) -> None:
    """Each stays valid or as wrong as it was: no photo can be on top of two (stack_primaryAssetId_uq)."""
    photos = [library.asset(anna) for _ in range(4)]
    outside = library.asset(anna)
    shows_the_other = library.stack(anna, photos[:2], primary=photos[2])
    alone = library.stack(anna, photos[2:], primary=outside)
    move(library.album(anna, "Trip", [*photos, outside]))
    owner, primary = stack_row(library, shows_the_other)
    assert (owner, primary in photos[:2]) == (ben, True)
    owner, primary = stack_row(library, alone)
    assert owner == ben
    assert primary in (photos[3], outside)


def test_a_stack_whose_only_member_another_one_shows(library, anna, ben, move) -> None:
    photos = [library.asset(anna) for _ in range(3)]
    outside = library.asset(anna)
    lonely = library.stack(anna, photos[:1], primary=outside)
    other = library.stack(anna, photos[1:], primary=photos[0])
    move(library.album(anna, "Trip", [*photos, outside]))
    assert stack_row(library, lonely) == (ben, outside)
    assert stack_row(library, other)[0] == ben
