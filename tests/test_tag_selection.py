"""Photos with a tag: the source's own, by the tag's path, with the tags below it, and nothing that only looks alike."""

from dataclasses import dataclass
from typing import Any

import pytest

import transfer
from tests.conftest import Runner
from tests.library import Library, new_id
from tests.terminal import Installation, Terminal


@dataclass(frozen=True)
class ByTag(Runner):
    """The same runs, and the same closer look, with a tag in place of an album."""

    def request(self, album: str, **wanted: Any) -> transfer.Request:
        return transfer.Request(self.anna, self.ben, tag=album, merge=frozenset(wanted.get("merge", ())))


@pytest.fixture
def by_tag(library: Library, params: dict[str, Any], anna: str, ben: str) -> ByTag:
    return ByTag(library, params, anna, ben)


def tagged(library: Library, owner: str, *paths: str) -> dict[str, str]:
    """A photo of the owner's for each path, which carries that tag of the owner's and no other."""
    photos = {path: library.asset(owner, f"{number}.jpg") for number, path in enumerate(paths)}
    for path, photo in photos.items():
        library.tag_assets(library.tag(owner, path), photo)
    return photos


def owned(library: Library, user: str, photos: dict[str, str]) -> set[str]:
    """Which of the photos are that user's."""
    return {path for path, photo in photos.items() if library.owner_of(photo) == user}


def counts(params: dict[str, Any], user: str) -> list[tuple[str, int]]:
    return [(tag.path, tag.photos) for tag in transfer.list_tags(params, user)]


# ---- which photos ---------------------------------------------------------------------------------------------------


def test_the_tags_below_are_included_and_the_one_above_is_not(library, anna, ben, by_tag) -> None:
    photos = tagged(library, anna, "Trip", "Trip/Rome", "Trip/Rome/Forum", "Trip/Oslo")
    report = by_tag.move(library.tag(anna, "Trip/Rome"))
    assert owned(library, ben, photos) == {"Trip/Rome", "Trip/Rome/Forum"}
    assert (report.assets, report.of("items")) == (2, 2)
    paths = {tag.path for tag in transfer.list_tags(by_tag.params, ben)}
    assert paths == {"Trip", "Trip/Rome", "Trip/Rome/Forum"}


def test_tag_closure_is_not_needed(library, anna, ben, by_tag) -> None:
    """POST /tags writes no row of it; the photos are there all the same, as they are in the tag list."""
    photos = tagged(library, anna, "Trip", "Trip/Rome")
    tag = library.tag(anna, "Trip")
    library.rows("delete from tag_closure")
    assert counts(by_tag.params, anna) == [("Trip", 2), ("Trip/Rome", 1)]
    by_tag.move(tag)
    assert owned(library, ben, photos) == {"Trip", "Trip/Rome"}


@pytest.mark.parametrize("path", ["Trip", "Tri_"])
def test_a_path_that_begins_alike_is_another_tag(library, anna, ben, by_tag, path) -> None:
    others = ["Trips", "Trip2/Rome", "Trip_/x", "Tri", "trip", "Old/Trip", "1000", "100 years/x", "Trip Rome", "backs"]
    photos = tagged(library, anna, path, f"{path}/x", *others)
    by_tag.move(library.tag(anna, path))
    assert owned(library, ben, photos) == {path, f"{path}/x"}


def test_a_photo_with_several_tags_is_chosen_once(library, anna, by_tag) -> None:
    photo = library.asset(anna)
    for path in ("Trip", "Trip/Rome", "Trip/Oslo", "Other"):
        library.tag_assets(library.tag(anna, path), photo)
    report = by_tag.move(library.tag(anna, "Trip"))
    assert (report.assets, report.of("items"), report.of("tags")) == (1, 1, 4)


def test_only_the_sources_tag_counts_and_only_the_sources_photos_go(library, anna, ben, carla, by_tag) -> None:
    """The same path of Carla's or Ben's says nothing; Anna's tag on Carla's photo gives nobody Carla's photo."""
    hers = tagged(library, anna, "Trip")["Trip"]
    untagged, guest = library.asset(anna), library.asset(carla)
    for user in (carla, ben):
        library.tag_assets(library.tag(user, "Trip"), untagged)
        library.tag_assets(library.tag(user, "Trip/Rome"), untagged)
    library.tag_assets(library.tag(anna, "Trip"), guest)
    assert counts(by_tag.params, anna) == [("Trip", 1)]
    report = by_tag.move(library.tag(anna, "Trip"))
    assert [library.owner_of(photo) for photo in (hers, untagged, guest)] == [ben, anna, carla]
    assert (report.assets, report.of("items")) == (1, 1)


def test_a_tag_of_somebody_elses_chooses_nothing(library, anna, carla, by_tag) -> None:
    photo, tag = library.asset(anna), library.tag(carla, "Trip")
    library.tag_assets(tag, photo)
    report = by_tag.dry(tag)
    assert (report.assets, report.of("items")) == (0, 0)


def test_photos_that_may_not_go_stay_with_their_reason(library, anna, ben, by_tag) -> None:
    goes, locked, trashed = (library.asset(anna, n, **how) for n, how in (
        ("goes.jpg", {"visibility": "archive"}), ("shut.jpg", {"visibility": "locked"}), ("bin.jpg", {"trashed": True}),
    ))  # fmt: skip
    library.tag_assets(library.tag(anna, "Trip/Rome"), goes, locked, trashed)
    report = by_tag.move(library.tag(anna, "Trip"))
    assert report.stays == (("trashed", ("bin.jpg",)), ("locked", ("shut.jpg",)))
    assert library.owner_of(goes) == ben


def test_albums_of_tagged_photos_stay_whose_they_are(library, anna, ben, by_tag) -> None:
    photo = tagged(library, anna, "Trip")["Trip"]
    album = library.album(anna, "Album", [photo])
    report = by_tag.move(library.tag(anna, "Trip"))
    assert library.album_owner(album) == anna
    assert (report.listed("albums_changed"), report.listed("albums_unseen")) == ((), ("Album",))


def test_a_tag_that_was_deleted_meanwhile_moves_nothing(library, anna, by_tag, tmp_path) -> None:
    before = library.snapshot()
    request = by_tag.request(new_id())
    assert transfer.transfer(by_tag.params, request, transfer.How(dry_run=True)).assets == 0
    try:
        report = transfer.transfer(
            by_tag.params, request, transfer.How(dry_run=False, undo_folder=tmp_path / "transfers")
        )
        assert report.assets == 0
    except transfer.TransferError as error:
        assert error.todo
    for table in ("asset", "tag", "person", "album"):
        assert library.snapshot()[table] == before[table]


# ---- undo -----------------------------------------------------------------------------------------------------------


def test_it_can_be_taken_back(library, anna, ben, by_tag, journey) -> None:
    photos = tagged(library, anna, "Trip", "Trip/Rome")
    with journey.returning():
        journey.go(by_tag.request(library.tag(anna, "Trip")))
        assert owned(library, ben, photos) == set(photos)
        (past,) = transfer.list_past(journey.params, journey.folder)
        assert past.header["selection"] == {"kind": "tag", "name": "Trip"}


# ---- the list of tags -----------------------------------------------------------------------------------------------


def test_the_list_counts_the_owners_photos_once_each(library, anna, ben, carla, params) -> None:
    both, one, guest = library.asset(anna), library.asset(anna), library.asset(carla)
    library.tag_assets(library.tag(anna, "Trip"), both, guest)
    library.tag_assets(library.tag(anna, "Trip/Rome"), both, one, guest)
    library.tag_assets(library.tag(anna, "trips"), one)
    library.tag(anna, "empty/deep")
    library.tag_assets(library.tag(ben, "Trip"), both)
    assert counts(params, anna) == [("empty", 0), ("empty/deep", 0), ("Trip", 2), ("Trip/Rome", 2), ("trips", 1)]
    assert counts(params, ben) == [("Trip", 0)]
    assert counts(params, carla) == []


# ---- on screen ------------------------------------------------------------------------------------------------------


def test_the_tag_is_picked_from_a_list_of_paths(there: Installation) -> None:
    tagged(there.library, there.alice, "Trip", "Trip/Rome", "Trips")
    with Terminal(there.path) as terminal:
        terminal.menu("3")
        terminal.pick("Source user", "alice@")
        terminal.pick("Albums of", "Photos with a tag")
        screen = terminal.pick("Tags of Alice <alice@example.com>", "Trip (2 photos)")
        assert "Trip/Rome (1 photo)" in screen
        terminal.pick("Destination user", "bob@")
        screen = terminal.until("Do exactly this now?")
        assert "Alice → Bob, tag Trip" in screen
        assert "TAG TRANSFER ANALYSIS" in screen
        assert "Assets to transfer: 2" in screen
        assert "The album itself" not in screen
