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
    assert (report.assets, report.of("chosen"), report.of("stacks_moved")) == (3, 1, 1)


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


@pytest.mark.cases
@pytest.mark.parametrize("how", ["locked", "trashed", "unfinished", "external", "duplicate", "deleting"])
def test_whatever_blocks_a_member_splits_the_stack(library, anna, ben, how, move) -> None:
    same = b"\x05" * 20
    kinds = {
        "locked": {"visibility": "locked"},
        "trashed": {"trashed": True},
        "deleting": {"deleted": True},
        "duplicate": {"checksum": same},
        "external": {"library": library.library(anna)},
    }
    blocked = library.asset(anna, "blocked.jpg", **kinds.get(how, {}))
    if how == "duplicate":
        library.asset(ben, checksum=same)
    if how == "unfinished":
        library.move_history(blocked)
    chosen, free = photos(library, anna, 2)
    stack = library.stack(anna, [chosen, free, blocked])
    report = move(library.album(anna, "Trip", [chosen]))
    assert [library.owner_of(a) for a in (chosen, free, blocked)] == [ben, anna, anna]
    assert [stack_of(library, a) for a in (chosen, free, blocked)] == [None, stack, stack]
    assert report.stays == ()  # nobody chose the blocked one
    assert report.of("stacks_split") == 1


def test_a_blocked_member_that_was_chosen_is_named(library, anna, ben, move) -> None:
    chosen, free = photos(library, anna, 2)
    blocked = library.asset(anna, "blocked.jpg", trashed=True)
    library.stack(anna, [chosen, free, blocked])
    report = move(library.album(anna, "Trip", [chosen, blocked]))
    assert [library.owner_of(a) for a in (chosen, free, blocked)] == [ben, anna, anna]
    assert report.stays == (("trashed", ("blocked.jpg",)),)


def test_a_stack_none_of_whose_members_may_move_is_left_alone(library, anna, move) -> None:
    members = photos(library, anna, 2, visibility="locked")
    stack = library.stack(anna, members)
    report = move(library.album(anna, "Trip", members))
    assert stack_row(library, stack) == (anna, members[0])
    assert (report.assets, report.of("stacks_moved"), report.of("stacks_split")) == (0, 0, 0)


def test_a_live_photo_in_the_stack_brings_its_video(library, anna, ben, move) -> None:
    chosen, (still, video) = library.asset(anna, "go.jpg"), library.live(anna, "jump.HEIC")
    stack = library.stack(anna, [still, chosen])
    report = move(library.album(anna, "Trip", [chosen]))
    assert [library.owner_of(a) for a in (chosen, still, video)] == [ben] * 3
    assert stack_row(library, stack) == (ben, still)
    assert report.along == (("stack", "jump.HEIC"), ("stack live", "jump.MOV"))


def test_a_live_photo_in_the_stack_whose_video_may_not_move_splits_it(library, anna, ben, move) -> None:
    chosen, (still, video) = library.asset(anna, "go.jpg"), library.live(anna, "jump.HEIC")
    free = library.asset(anna, "free.jpg")
    library.move_history(video)
    stack = library.stack(anna, [chosen, still, free])
    report = move(library.album(anna, "Trip", [chosen]))
    assert [library.owner_of(a) for a in (chosen, still, video, free)] == [ben, anna, anna, anna]
    assert stack_row(library, stack)[0] == anna
    assert (report.along, report.of("stacks_split")) == ((), 1)


def test_a_live_photo_outside_stays_whole_when_its_stack_is_split(library, anna, ben, move) -> None:
    """Neither the still nor its video comes along then."""
    chosen, (still, video) = library.asset(anna, "go.jpg"), library.live(anna, "jump.HEIC")
    blocked = library.asset(anna, "blocked.jpg", visibility="locked")
    library.stack(anna, [chosen, still, blocked])
    report = move(library.album(anna, "Trip", [chosen]))
    assert [library.owner_of(a) for a in (chosen, still, video)] == [ben, anna, anna]
    assert report.assets == 1


def test_a_chosen_live_photo_moves_when_its_stack_is_split(library, anna, ben, move) -> None:
    (still, video), blocked = library.live(anna, "jump.HEIC"), library.asset(anna, "no.jpg", visibility="locked")
    library.stack(anna, [blocked, still])
    move(library.album(anna, "Trip", [still]))
    assert [library.owner_of(a) for a in (still, video, blocked)] == [ben, ben, anna]
    assert stack_of(library, still) is None


def test_another_stack_is_left_alone(library, anna, move) -> None:
    moving, staying = photos(library, anna, 2), photos(library, anna, 2)
    library.stack(anna, moving)
    stack = library.stack(anna, staying)
    move(library.album(anna, "Trip", moving))
    assert stack_row(library, stack) == (anna, staying[0])


def test_a_stack_that_has_one_member_only_moves(library, anna, ben, move) -> None:
    """Immich up to 3.0 could leave such."""
    (photo,) = photos(library, anna, 1)
    stack = library.stack(anna, [photo])
    assert move(library.album(anna, "Trip", [photo])).of("stacks_moved") == 1
    assert stack_row(library, stack) == (ben, photo)


def test_a_stack_that_an_older_transfer_tore_is_joined_again(library, anna, ben, move) -> None:
    """One member is the destination's already; with the rest it becomes a whole stack of the destination's."""
    mine, his = library.asset(anna, "a.jpg"), library.asset(ben, "b.jpg")
    stack = library.stack(anna, [his, mine])
    report = move(library.album(anna, "Trip", [mine]))
    assert stack_row(library, stack)[0] == ben
    assert {stack_of(library, mine), stack_of(library, his)} == {stack}
    assert report.of("stacks_moved") == 1


def test_a_third_users_photo_in_the_stack_is_not_taken_along(library, anna, ben, carla, move) -> None:
    mine, hers = photos(library, anna, 2), library.asset(carla, "guest.jpg")
    library.stack(anna, [*mine, hers])
    report = move(library.album(anna, "Trip", mine))
    assert [library.owner_of(a) for a in (*mine, hers)] == [ben, ben, carla]
    assert len({stack_of(library, a) for a in mine}) == 1
    assert stack_of(library, hers) is None
    assert report.of("stacks_split") == 1


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
