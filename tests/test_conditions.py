"""Choosing by more than one condition: all of them hold for a photo that goes, and an undo takes the whole back."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import transfer
from tests.conftest import Runner
from tests.library import Library, new_id
from tests.model import State, changes

pytestmark = pytest.mark.long

NOON = datetime(2024, 7, 12, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Chooser(Runner):
    """The same runs, and the same closer look, of what some conditions choose."""

    def request(self, album: Any, **wanted: Any) -> transfer.Request:
        return transfer.Request(self.anna, self.ben, **album, **wanted)


@pytest.fixture
def chooser(library: Library, params: dict[str, Any], anna: str, ben: str) -> Chooser:
    return Chooser(library, params, anna, ben)


def his(library: Library, ben: str, photos: dict[str, str]) -> set[str]:
    return {name for name, photo in photos.items() if library.owner_of(photo) == ben}


def test_several_albums_go_at_once_with_one_answer_for_them(library, anna, ben, carla, chooser) -> None:
    one, two, both, other = (library.asset(anna, name) for name in ("1.jpg", "2.jpg", "both.jpg", "other.jpg"))
    guest = library.asset(carla)
    albums = (library.album(anna, "One", [one, both, guest]), library.album(anna, "Two", [two, both, guest]))
    request = transfer.Request(anna, ben, albums=albums, album_itself=transfer.ALBUM_GIVEN_UP)
    shown = transfer.transfer(chooser.params, request)
    report = transfer.transfer(chooser.params, request, transfer.How(False, shown.digest))
    assert [library.owner_of(photo) for photo in (one, two, both, other, guest)] == [ben, ben, ben, anna, carla]
    assert [library.album_owner(album) for album in albums] == [ben, ben]
    assert (report.assets, report.of("items"), report.listed("albums_changed")) == (3, 4, ("One", "Two"))


def test_one_album_of_several_that_is_not_the_sources_stops_all(library, anna, carla, chooser) -> None:
    photo = library.asset(anna)
    albums = (library.album(anna, "Hers", [photo]), library.album(carla, "Guest", [photo], members={anna: "editor"}))
    chooser.refused({"albums": albums, "album_itself": transfer.ALBUM_HANDED_OVER})
    assert chooser.move({"albums": albums}).assets == 1


@pytest.mark.parametrize("kind", ["albums", "people"])
def test_what_is_gone_meanwhile_stops_all(library, anna, chooser, kind) -> None:
    photo = library.asset(anna)
    there = {"albums": library.album(anna, "Trip", [photo]), "people": library.person(anna, "Lea")}
    chooser.refused({kind: (there[kind], new_id())})


def test_faces_count_as_immich_counts_them(library, anna, ben, carla, chooser) -> None:
    lea, max_ = library.person(anna, "Lea"), library.person(anna, "Max")
    photos = {name: library.asset(anna, name) for name in ("lea", "max", "both", "removed", "hidden", "nobody")}
    library.face(photos["lea"], lea, featured=True)
    library.face(photos["max"], max_, featured=True)
    for person in (lea, max_):
        library.face(photos["both"], person, box=(100, 100, 150, 150) if person == max_ else (10, 10, 60, 60))
    library.face(photos["removed"], lea, deleted=True)
    if library.has_face_visibility:
        library.face(photos["hidden"], lea, visible=False)
    report = chooser.move({"people": (lea,)})
    assert his(library, ben, photos) == {"lea", "both"}
    assert report.of("items") == 2


def test_several_people_are_any_of_them(library, anna, ben, chooser) -> None:
    people = [library.person(anna, name) for name in ("Lea", "", "Tom")]
    photos = {str(number): library.asset(anna, f"{number}.jpg") for number in range(3)}
    for photo, person in zip(photos.values(), people, strict=True):
        library.face(photo, person, featured=True)
    chooser.move({"people": tuple(people[:2])})
    assert his(library, ben, photos) == {"0", "1"}


def test_a_range_is_of_local_days_both_included(library, anna, ben, chooser) -> None:
    """The database keeps local time as if it were UTC; the server's or the session's time zone says nothing."""
    days = {day: datetime(2024, 7, day, hour, 59, tzinfo=UTC) for day, hour in ((11, 23), (12, 0), (13, 23), (14, 0))}
    photos = {str(day): library.asset(anna, f"{day}.jpg", taken=taken) for day, taken in days.items()}
    chooser.move({"since": "2024-07-12", "until": "2024-07-13"})
    assert his(library, ben, photos) == {"12", "13"}


def test_a_live_photo_goes_by_its_still(library, anna, ben, chooser) -> None:
    still, video = library.live(anna, taken=NOON, favorite=True)
    report = chooser.move({"since": "2024-07-12", "favorites": True})
    assert (library.owner_of(still), library.owner_of(video)) == (ben, ben)
    assert (report.of("items"), len(report.along)) == (1, 1)


def test_photos_left_out_stay_with_their_reason(library, anna, ben, chooser) -> None:
    """Also one of a stack, which is split then, and a live photo with its video."""
    still, video = library.live(anna, "live.heic")
    photos = {name: library.asset(anna, f"{name}.jpg") for name in ("goes", "stays", "top", "below", "third")}
    library.stack(anna, [photos["top"], photos["below"], photos["third"]])
    album = library.album(anna, "Trip", [*photos.values(), still])
    out = frozenset([photos["stays"], photos["below"], still])
    report = chooser.move({"album": album}, left_out=out)
    assert his(library, ben, photos) == {"goes", "top", "third"}
    assert (library.owner_of(still), library.owner_of(video)) == (anna, anna)
    assert report.stays == (("left_out", ("below.jpg", "live.heic", "stays.jpg")),)
    assert report.of("stacks_split") == 1


def test_what_is_left_out_is_part_of_what_was_shown(library, anna, chooser) -> None:
    photos = [library.asset(anna) for _ in range(2)]
    request = transfer.Request(anna, chooser.ben, library.album(anna, "Trip", photos))
    shown = transfer.transfer(chooser.params, request)
    changed = transfer.replace(request, left_out=frozenset(photos[:1]))
    with pytest.raises(transfer.Changed):
        transfer.transfer(chooser.params, changed, transfer.How(False, shown.digest))


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"everything": True, "favorites": True},
        {"album": "a", "albums": ("b",)},
        {"tag": "t", "album_itself": transfer.ALBUM_GIVEN_UP},
        {"since": "12.7.2024"},
        {"until": "2024-02-30"},
    ],
)
def test_a_request_says_what_it_wants(asked) -> None:
    with pytest.raises(ValueError):
        transfer.Request("a", "b", **asked)


def test_it_is_said_in_words(library, anna, ben, params) -> None:
    trip, rome = library.album(anna, "Trip"), library.album(anna, "rome")
    lea, unnamed = library.person(anna, "Lea"), library.person(anna)
    tag = library.tag(anna, "Trip/Rome")

    def words(**asked: Any) -> str:
        return transfer.describe(params, transfer.Request(anna, ben, **asked))

    assert words(album=trip) == "album Trip"
    assert words(tag=tag) == "tag Trip/Rome"
    assert words(everything=True) == "everything"
    assert words(albums=(trip, rome)) == "albums rome and Trip"
    asked = {"albums": (trip,), "people": (unnamed, lea), "since": "2024-07-01", "until": "2024-07-31"}
    said = words(**asked, favorites=True, tag=tag)
    assert said == (
        "album Trip, tag Trip/Rome, photos of Lea or Unknown, from 2024-07-01, until 2024-07-31, favourites"
    )
    many = words(albums=tuple(library.album(anna, f"A{number}{'x' * 50 * (number == 2)}") for number in range(8)))
    assert many == f"albums A0, A1, A2{'x' * 37}… and 5 more"


def test_people_are_listed_with_the_users_own_photos(library, anna, carla, params) -> None:
    lea, nobody, faceless = library.person(anna, "Lea"), library.person(anna), library.person(anna, "Gone")
    for number in range(2):
        library.face(library.asset(anna), nobody, featured=not number)
    photo = library.asset(anna)
    library.face(photo, lea, featured=True)
    library.face(photo, lea, box=(100, 100, 150, 150))
    library.face(library.asset(anna), faceless, deleted=True)
    listed = transfer.list_people(params, anna)
    assert [(p.id, p.name, p.photos) for p in listed] == [(lea, "Lea", 1), (nobody, "", 2)]


@pytest.mark.cases
@pytest.mark.parametrize("seed", range(12))
def test_any_combination_chooses_what_an_independent_look_finds(
    library, anna, ben, carla, chooser, tmp_path: Path, seed
) -> None:
    """Random photos, and random conditions judged by what was made; then all of it is taken back."""
    chance = random.Random(seed)
    people = [library.person(anna, name) for name in ("Lea", "Max", "")]
    tags = ["Trip", "Trip/Rome", "Tripod"]
    photos: dict[str, dict[str, Any]] = {}
    for number in range(24):
        day = NOON + timedelta(days=chance.randrange(4), hours=chance.randrange(-12, 12))
        fact = {
            "owner": carla if chance.random() < 0.15 else anna,
            "day": f"{day:%Y-%m-%d}",
            "favorite": chance.random() < 0.5,
            "people": [person for person in people if chance.random() < 0.4],
            "tags": [tag for tag in tags if chance.random() < 0.3],
            "albums": [album for album in (0, 1, 2) if chance.random() < 0.4],
        }
        photo = library.asset(fact["owner"], f"{number}.jpg", taken=day, favorite=fact["favorite"])
        photos[photo] = fact
        for place, person in enumerate(fact["people"] if fact["owner"] == anna else ()):
            library.face(photo, person, box=(place * 100, 10, place * 100 + 50, 60))
        for tag in fact["tags"]:
            library.tag_assets(library.tag(anna, tag), photo)
    albums = [
        library.album(anna, f"Album {number}", [photo for photo, fact in photos.items() if number in fact["albums"]])
        for number in range(3)
    ]
    library.settle_usage()
    asked: dict[str, Any] = {}
    expected = {photo for photo, fact in photos.items() if fact["owner"] == anna}

    def keep(condition: Any) -> None:
        expected.intersection_update({photo for photo, fact in photos.items() if condition(fact)})

    kinds = chance.sample(["albums", "tag", "people", "since", "until", "favorites"], chance.randint(1, 3))
    if "albums" in kinds:
        numbers = chance.sample(range(3), chance.randint(1, 3))
        asked["albums"] = tuple(albums[number] for number in numbers)
        keep(lambda fact: set(fact["albums"]) & set(numbers))
    if "tag" in kinds:
        asked["tag"] = library.tag(anna, "Trip")
        keep(lambda fact: {"Trip", "Trip/Rome"} & set(fact["tags"]))
    if "people" in kinds:
        asked["people"] = tuple(chance.sample(people, chance.randint(1, 2)))
        keep(lambda fact: set(asked["people"]) & set(fact["people"]))
    if "since" in kinds:
        asked["since"] = "2024-07-13"
        keep(lambda fact: fact["day"] >= "2024-07-13")
    if "until" in kinds:
        asked["until"] = "2024-07-14"
        keep(lambda fact: fact["day"] <= "2024-07-14")
    if "favorites" in kinds:
        asked["favorites"] = True
        keep(lambda fact: fact["favorite"])
    left_out = frozenset(chance.sample(sorted(expected), len(expected) // 4))
    before = State(library.snapshot())
    request = transfer.Request(anna, ben, **asked, left_out=left_out)
    report = transfer.transfer(chooser.params, request, transfer.How(False, undo_folder=tmp_path))
    assert {photo for photo in photos if library.owner_of(photo) == ben} == expected - left_out
    assert (report.of("items"), report.assets) == (len(expected), len(expected - left_out))
    (past,) = transfer.list_past(chooser.params, tmp_path)
    assert past.header["selection"]["name"]
    transfer.undo(chooser.params, past.path, transfer.How(False))
    apart = {"session", "user"}  # what an app has to fetch anew, and the storage figures' stamps
    assert [change for change in changes(before, State(library.snapshot())) if change.table not in apart] == []
