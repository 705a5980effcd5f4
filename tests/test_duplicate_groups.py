"""Immich's list of duplicates is per user: a group must not be torn between two."""

import pytest

from tests.library import new_id

# The members of a group: on the photos that move, or what stays of it; and which of the latter stay in their group.
GROUPS = {
    "all leave_their_group": ("moves", "moves"),
    "one that is left_alone_leaves": ("moves", "stays > leaves"),
    "two that stay": ("moves", "stays > is in it", "stays > is in it"),
    "one in the trash is no company": ("moves", "stays > leaves", "trashed"),
    "another group": ("stays > is in it", "stays > is in it"),
    "a lone one elsewhere": ("stays > is in it",),
    "his": ("bens > is in it", "bens > is in it"),
}


@pytest.mark.parametrize("name", GROUPS)
def test_what_becomes_of_a_group(library, anna, ben, name, move) -> None:
    """Who left it is looked at again."""
    group, plain = new_id(), library.asset(anna)
    members = {
        library.asset(ben if how == "bens" else anna, duplicate=group, trashed=how == "trashed"): (how, then)
        for how, _, then in (member.partition(" > ") for member in GROUPS[name])
    }
    chosen = [photo for photo, (how, _) in members.items() if how == "moves"]
    before = {photo: library.row("select * from asset where id = %s", photo) for photo in members}
    report = move(library.album(anna, "Trip", [*chosen, plain]))
    for photo, (how, then) in members.items():
        detected = library.value('select "duplicatesDetectedAt" from asset_job_status where "assetId" = %s', photo)
        in_it = library.value('select "duplicateId" from asset where id = %s', photo)
        assert how != "moves" or (in_it, detected) == (None, None)
        assert then != "leaves" or (in_it is None and detected is not None)
        assert then != "is in it" or library.row("select * from asset where id = %s", photo) == before[photo]
    assert report.of("duplicates") == len(chosen)
