"""An undo after people went on: a test for each way in which one once lost, broke or published something.

A story makes a small library, hands photos over, lets something happen, and undoes the run. What must hold
after every undo, whatever the story, is in `Story.undo`. Each is told on the older and the newer person model
and, where there are cluster groups, with both users each in their own and in one together.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

import transfer
from tests.conftest import NOT_PUT_BACK, chosen_versions, problems, repair_one, usage, usage_by_immich
from tests.library import Library
from tests.random_library import (
    ask,
    edit_person,
    ids,
    link_face,
    merge_people,
    unstack,
    upload_again,
)
from transfer import ALBUM_GIVEN_UP, ALBUM_HANDED_OVER, ALBUM_SHARED

pytestmark = pytest.mark.long

OWNED = ("person", "memory", "shared_link", "tag", "stack", "asset")

# Schema versions; from 3.2 Anna and Ben may be in one cluster group, together.
SHAPES = {version: (version, False) for version in ("2.3", "2.7", "3.1", "3.2", "3.3")}
SHAPES |= {"3.2-together": ("3.2", True), "3.3-together": ("3.3", True)}


def told(*shapes: str) -> pytest.MarkDecorator:
    """On which of the shapes a story is told, as far as this run takes their versions."""
    chosen = [shape for shape in shapes if SHAPES[shape][0] in chosen_versions()]
    values = [pytest.param(*SHAPES[shape], id=shape) for shape in chosen]
    return pytest.mark.parametrize(("version", "together"), values)


everywhere = told(*SHAPES)
on_each_model = told("2.7", "3.3", "3.3-together")


@dataclass
class Story:
    """Anna's photos become Ben's, and Carla is there too; things happen; runs are undone."""

    library: Library
    params: dict[str, Any]
    folder: Path
    anna: str
    ben: str
    carla: str
    wrong: set[str] = field(default_factory=set)  # before one of the runs: an undo may bring it back
    pairs: dict[Path, set[str]] = field(default_factory=dict)  # the two users of each run

    # Runs

    def move(
        self,
        album: str | None = None,
        *,
        source: str | None = None,
        destination: str | None = None,
        **wanted: Any,
    ) -> Path:
        """Hand photos over, from Anna to Ben unless told otherwise. Gives the file for the undo."""
        request = transfer.Request(source or self.anna, destination or self.ben, album=album, **wanted)
        return self._run(
            {request.source, request.destination},
            lambda how: transfer.transfer(self.params, request, transfer.How(**how)),
        )

    def repair(self) -> Path:
        """Give Ben his own people. Gives the file for the undo."""
        return self._run({self.anna, self.ben}, lambda how: repair_one(self.params, self.ben, transfer.How(**how)))

    def _run(self, pair: set[str], do: Callable[[dict[str, Any]], transfer.Report]) -> Path:
        self.library.settle_usage()
        self.wrong |= problems(self.library)
        self.folder.mkdir(exist_ok=True)
        before = set(self.folder.iterdir())
        do({"dry_run": False, "undo_folder": self.folder})
        (path,) = set(self.folder.iterdir()) - before
        self.pairs[path] = pair
        return path

    def undo(self, path: Path, *, lost: Collection[str] = ()) -> transfer.Report:
        """The analysis, the undo, and what holds after each. `lost`: names and tags given up since."""
        library = self.library
        library.settle_usage()
        rows, wrong = library.snapshot(), problems(library)
        covers, thirds = covers_in_albums(library), owned_by_others(library, self.pairs[path])
        owners, shown = owners_of_photos(library), shown_on_photos(library)

        planned = transfer.undo(self.params, path, transfer.How(dry_run=True))
        assert library.snapshot() == rows, "the analysis changed something"
        done = transfer.undo(self.params, path, transfer.How(dry_run=False, expected_digest=planned.digest))
        assert replace(done, wrong_after=None) == planned, "the analysis said something else"

        assert problems(library) - wrong - self.wrong == set()
        assert covers <= covers_in_albums(library), "an album's cover is not in it"
        assert owned_by_others(library, self.pairs[path]) == thirds, "a third user's rows were changed"
        for user in ids(library, 'select id from "user"'):
            assert usage(library, user) == usage_by_immich(library, user)
        now, shown_now = owners_of_photos(library), shown_on_photos(library)
        given_up = {folded(word) for word in lost}
        for photo in (photo for photo in owners if owners[photo] != now.get(photo)):
            missing = {word for _where, word in shown[photo] - shown_now[photo]}
            assert missing <= given_up, "a returned photo lost a name or a tag"
        return done

    # What to look at

    def state(self) -> dict[str, list[str]]:
        """All that an undo puts back."""
        self.library.settle_usage()
        return self.library.snapshot(ignore=NOT_PUT_BACK)

    def owners(self, *photos: str) -> list[str]:
        """Who owns these photos."""
        return [self.library.owner_of(photo) for photo in photos]

    def name(self, face: str) -> str | None:
        """The name of a face as the photo's owner sees it; None: nobody, or nobody that the owner has."""
        person = self.library.person_of(face)
        photo = self.library.value('select "assetId" from asset_face where id = %s', face)
        owner = self.library.owner_of(photo)
        row = person and self.library.person_row(owner, person)
        return row["name"] if row else None


@pytest.fixture
def story(library, together, params, anna, ben, carla, tmp_path) -> Story:
    """Three users, nothing else."""
    if together:
        library.cluster(anna, ben)
    return Story(library, params, tmp_path / "transfers", anna, ben, carla)


# ---- looking at rows ---------------------------------------------------------------------------------------


def folded(text: str) -> str:
    """A name as the tool compares it."""
    return text.strip().casefold()


def owners_of_photos(library: Library) -> dict[str, str]:
    return dict(library.rows('select id, "ownerId" from asset'))


def shown_on_photos(library: Library) -> dict[str, set[tuple[str, str]]]:
    """By photo, what its owner sees on it: (face, name) where there is a name, and the tags' paths."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for photo, face, name in ask(
        library,
        """select a.id, f.id, p.name from asset a join asset_face f on f."assetId" = a.id
           join person p on p.<person.personGroupId> = f.<asset_face.personGroupId>
                        and p."ownerId" = a."ownerId"
           where p.name <> '' and f."deletedAt" is null""",
    ):
        found[photo].add((face, folded(name)))
    for photo, path in ask(
        library,
        """select a.id, t.value from asset a join tag_asset ta on ta.<tag_asset.assetId> = a.id
           join tag t on t.id = ta.<tag_asset.tagId> and t."userId" = a."ownerId" """,
    ):
        found[photo].add(("tag", folded(path)))
    return found


def owned_by_others(library: Library, pair: Collection[str]) -> set[str]:
    """Every row of what third users own, to the last stamp."""
    snapshot = library.snapshot()
    return {
        text
        for table in OWNED
        for text in snapshot[table]
        for row in [json.loads(text)]
        if (row.get("ownerId") or row.get("userId")) not in pair
    }


def covers_in_albums(library: Library) -> set[str]:
    """Albums with a cover that is in them, or without one."""
    return set(
        ids(
            library,
            """select id from album al
               where "albumThumbnailAssetId" is null or "albumThumbnailAssetId" in (
                   select <album_asset.assetId> from album_asset where <album_asset.albumId> = al.id)""",
        )
    )


def tags_on(library: Library, photo: str) -> set[tuple[str, str]]:
    """(user, path) of the tags on a photo."""
    return set(
        ask(
            library,
            """select t."userId", t.value from tag_asset ta join tag t on t.id = ta.<tag_asset.tagId>
               where ta.<tag_asset.assetId> = %s""",
            photo,
        )
    )


def closure(library: Library, user: str) -> set[tuple[str, str]]:
    """(tag, tag below it or itself) by paths, as Immich's search has it."""
    return set(
        library.rows(
            """select above.value, below.value from tag_closure c
               join tag above on above.id = c.id_ancestor join tag below on below.id = c.id_descendant
               where below."userId" = %s""",
            user,
        )
    )


def in_link(library: Library, link: str) -> list[str]:
    photos = "select <shared_link_asset.assetId> from shared_link_asset"
    return ids(library, f"{photos} where <shared_link_asset.sharedLinkId> = %s", link)


def in_album(library: Library, album: str) -> list[str]:
    return ids(
        library,
        "select <album_asset.assetId> from album_asset where <album_asset.albumId> = %s",
        album,
    )


def in_memory(library: Library, memory: str) -> list[str]:
    return ids(library, 'select <memory_asset.assetId> from memory_asset where "memoriesId" = %s', memory)


def in_stack_with(library: Library, photo: str) -> set[str]:
    """The members of a photo's stack; empty if it is in none."""
    return set(
        ids(
            library,
            'select id from asset where "stackId" = (select "stackId" from asset where id = %s)',
            photo,
        )
    )


def members(library: Library, album: str) -> dict[str, str]:
    """The roles of an album's members, its owner not among them."""
    return dict(
        ask(
            library,
            """select <album_user.userId>, role::text from album_user
               where <album_user.albumId> = %s and role::text <> 'owner'""",
            album,
        )
    )


# ---- what happens ------------------------------------------------------------------------------------------


def take_from_link(library: Library, link: str, photo: str) -> None:
    ask(
        library,
        """delete from shared_link_asset
           where <shared_link_asset.sharedLinkId> = %s and <shared_link_asset.assetId> = %s""",
        link,
        photo,
    )


def take_from_memory(library: Library, memory: str, photo: str) -> None:
    ask(
        library,
        'delete from memory_asset where "memoriesId" = %s and <memory_asset.assetId> = %s',
        memory,
        photo,
    )


def untag(library: Library, tag: str, photo: str) -> None:
    ask(
        library,
        "delete from tag_asset where <tag_asset.tagId> = %s and <tag_asset.assetId> = %s",
        tag,
        photo,
    )


def leave_album(library: Library, album: str, user: str) -> None:
    ask(
        library,
        "delete from album_user where <album_user.albumId> = %s and <album_user.userId> = %s",
        album,
        user,
    )


def delete_empty_tags(library: Library) -> None:
    """Immich's job for tags: those without a photo, and without one below them, go."""
    ask(
        library,
        """delete from tag t where not exists (
               select from tag_closure c join tag_asset ta on ta.<tag_asset.tagId> = c.id_descendant
               where c.id_ancestor = t.id)""",
    )


def clean_people(library: Library) -> None:
    """Immich's job for people: those without a face go, and from 3.2 groups that nobody is in."""
    ask(
        library,
        """delete from person p where not exists (
               select from asset_face f where f.<asset_face.personGroupId> = p.<person.personGroupId>)""",
    )
    if library.has_people_groups:
        library.rows(
            """delete from person_group where id not in (select "personGroupId" from person);
               delete from cluster_group where id not in (select "clusterGroupId" from "user")"""
        )


def delete_account(library: Library, user: str) -> None:
    """As Immich does for good: the albums, the stacks, and the user's row, with which all else goes."""
    if library.has_album_owner_rows:
        library.rows(
            """delete from album
               where id in (select "albumId" from album_user where "userId" = %s and role = 'owner')""",
            user,
        )
    else:
        library.rows('delete from album where "ownerId" = %s', user)
    library.rows('delete from stack where "ownerId" = %s', user)
    library.rows('delete from "user" where id = %s', user)


def lock(story: Story, photo: str) -> None:
    story.library.rows("update asset set visibility = 'locked' where id = %s", photo)


def upload_from_the_phone(story: Story, photo: str) -> None:
    upload_again(story.library, story.anna, photo)


def hand_on(story: Story, photo: str) -> None:
    album = story.library.album(story.ben, "For Carla", [photo])
    story.move(album, source=story.ben, destination=story.carla)


# What keeps a photo from going back.
KEPT = {"locked": lock, "uploaded again": upload_from_the_phone, "handed on": hand_on}


# ---- tags, links, memories ---------------------------------------------------------------------------------


def delete_tag(story: Story, path: str) -> None:
    story.library.rows('delete from tag where "userId" = %s and value = %s', story.anna, path)


def make_tag_again(story: Story) -> None:
    delete_tag(story, "Trips")
    story.library.tag(story.anna, "Trips/Rome")


TAG_GONE: dict[str, Callable[[Story], None]] = {
    "deleted by its owner": lambda story: delete_tag(story, "Trips/Rome"),
    "deleted with the one above it": lambda story: delete_tag(story, "Trips"),
    "deleted as it was empty": lambda story: delete_empty_tags(story.library),
    "made again": make_tag_again,
}


@everywhere
@pytest.mark.parametrize("happens", TAG_GONE.values(), ids=TAG_GONE.keys())
def test_a_tag_that_the_run_emptied_and_that_is_gone_since(story, library, anna, happens) -> None:
    photo, tag = library.asset(anna), library.tag(anna, "Trips/Rome")
    library.tag_assets(tag, photo)
    path = story.move(library.album(anna, "Trip", [photo]))
    happens(story)
    story.undo(path)
    assert tags_on(library, photo) == {(anna, "Trips/Rome")}
    assert closure(library, anna) == {
        ("Trips", "Trips"),
        ("Trips", "Trips/Rome"),
        ("Trips/Rome", "Trips/Rome"),
    }


@dataclass(frozen=True)
class Seen:
    """Something of Ben's that Anna's photo hangs on before the run, so that the run only sees it."""

    make: Callable[[Library, str, str, str], str]  # (library, ben, photo, Ben's own photo) -> its id
    take: Callable[[Library, str, str], None]  # (library, id, photo): Ben takes the photo away
    there: Callable[[Library, str, str], bool]


SEEN = {
    "link": Seen(
        lambda library, ben, photo, own: library.link(ben, assets=[photo, own]),
        take_from_link,
        lambda library, link, photo: photo in in_link(library, link),
    ),
    "memory": Seen(
        lambda library, ben, photo, own: library.memory(ben, [photo, own]),
        take_from_memory,
        lambda library, memory, photo: photo in in_memory(library, memory),
    ),
}


def make_foreign_tag(library: Library, ben: str, photo: str, own: str) -> str:
    tag = library.tag(ben, "His")
    library.tag_assets(tag, photo, own)
    return tag


def make_foreign_face(library: Library, ben: str, photo: str, own: str) -> str:
    person = library.person(ben, "Ina")
    library.face(own, person, featured=True)
    return library.face(photo, person)


def make_foreign_picture(library: Library, ben: str, photo: str, own: str) -> str:
    person = library.person(ben, "Ina")
    library.face(own, person)
    library.face(photo, person, featured_of=ben)
    return person


def choose_another_picture(library: Library, person: str, photo: str) -> None:
    faces = 'select id from asset_face where <asset_face.personGroupId> = %s and "assetId" <> %s'
    library.feature(person, ids(library, faces, person, photo)[0])


def is_picture(library: Library, person: str, photo: str) -> bool:
    pictures = """select f."assetId" from person p join asset_face f on f.id = p."faceAssetId"
                  where p.<person.personGroupId> = %s"""
    return photo in ids(library, pictures, person)


SEEN_WRONG = {
    "tag": Seen(make_foreign_tag, untag, lambda library, _tag, photo: tags_on(library, photo) != set()),
    "face": Seen(
        make_foreign_face,
        lambda library, face, _photo: link_face(library, face, None),
        lambda library, face, _photo: library.person_of(face) is not None,
    ),
    "picture": Seen(make_foreign_picture, choose_another_picture, is_picture),
}


@everywhere
@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN.keys())
def test_a_photo_that_was_taken_out_since_is_not_published_again(story, library, anna, ben, seen) -> None:
    """It was there before the run already, since Anna shares her photos with him."""
    library.partner(anna, ben)
    photo, own = library.asset(anna), library.asset(ben)
    thing = seen.make(library, ben, photo, own)
    path = story.move(library.album(anna, "Trip", [photo]))
    assert seen.there(library, thing, photo)
    seen.take(library, thing, photo)
    story.undo(path)
    assert story.owners(photo) == [anna]
    assert not seen.there(library, thing, photo)


@pytest.mark.cases
@on_each_model
@pytest.mark.parametrize("seen", SEEN_WRONG.values(), ids=SEEN_WRONG.keys())
def test_what_a_run_only_saw_and_its_owner_took_away_is_not_put_back(story, library, anna, ben, seen) -> None:
    """A tag or a person of Ben's on Anna's photo: an older transfer by hand leaves such."""
    photo, own = library.asset(anna), library.asset(ben)
    thing = seen.make(library, ben, photo, own)
    path = story.move(library.album(anna, "Trip", [photo]))
    seen.take(library, thing, photo)
    story.undo(path, lost=["His", "Ina"])
    assert story.owners(photo) == [anna]
    assert not seen.there(library, thing, photo)


@everywhere
@pytest.mark.parametrize("kind", ["memory", "link"])
def test_photos_that_were_in_the_two_users_own_memories_or_links(story, library, anna, ben, kind) -> None:
    """One photo leaves the source's, another is in the destination's already."""
    hers, his = library.asset(anna, "hers.jpg"), library.asset(anna, "his.jpg")
    stays, own = library.asset(anna), library.asset(ben)
    if kind == "memory":
        library.memory(anna, [hers, stays])
        library.memory(ben, [his, own])
    else:
        library.link(anna, assets=[hers, stays])
        library.link(ben, assets=[his, own])
    album = library.album(anna, "Trip", [hers, his])
    before = story.state()
    story.undo(story.move(album))
    assert story.state() == before


@on_each_model
def test_a_tag_that_was_taken_off_since_stays_off(story, library, anna, ben) -> None:
    photos = [library.asset(anna), library.asset(anna)]
    library.tag_assets(library.tag(anna, "Trips/Rome"), *photos)
    path = story.move(library.album(anna, "Trip", photos))
    untag(library, library.tag(ben, "Trips/Rome"), photos[0])
    story.undo(path)
    assert [tags_on(library, photo) for photo in photos] == [set(), {(anna, "Trips/Rome")}]


# ---- featured photos ---------------------------------------------------------------------------------------


def assert_featured(library: Library, user: str, person: str, *faces: str) -> None:
    """The person's picture is one of these faces, or there is none."""
    row = library.person_row(user, person)
    assert row["faceAssetId"] in (*faces, None)
    assert row["faceAssetId"] or row["thumbnailPath"] == ""


@everywhere
@pytest.mark.parametrize("stays", [False, True], ids=["all moved", "one stayed"])
@pytest.mark.parametrize("happens", KEPT.values(), ids=KEPT.keys())
def test_a_merged_person_whose_featured_photo_stays(story, library, anna, ben, happens, stays) -> None:
    featured, other, home, own = (library.asset(user) for user in (anna, anna, anna, ben))
    oma, bens_oma = library.person(anna, "Oma"), library.person(ben, "Oma")
    library.face(featured, oma, featured=True)
    faces = [library.face(other, oma)] + ([library.face(home, oma)] if stays else [])
    library.face(own, bens_oma, featured=True)
    path = story.move(library.album(anna, "Trip", [featured, other]), merge=frozenset({oma}))
    happens(story, featured)
    kept_by = story.owners(featured)
    story.undo(path)
    assert story.owners(featured, other) == [*kept_by, anna]
    assert {story.name(face) for face in faces} == {"Oma"}
    assert_featured(library, anna, library.person_of(faces[0]), *faces)


@everywhere
@pytest.mark.parametrize("happens", KEPT.values(), ids=KEPT.keys())
def test_a_transferred_person_whose_featured_photo_stays(story, library, anna, happens) -> None:
    featured, other = library.asset(anna), library.asset(anna)
    lea = library.person(anna, "Lea")
    library.face(featured, lea, featured=True)
    face = library.face(other, lea)
    path = story.move(library.album(anna, "Trip", [featured, other]))
    happens(story, featured)
    kept_by = story.owners(featured)
    story.undo(path)
    assert story.owners(featured, other) == [*kept_by, anna]
    assert story.name(face) == "Lea"
    assert_featured(library, anna, library.person_of(face), face)


@on_each_model
def test_a_picture_whose_face_was_removed_since_is_left_as_it_is(story, library, anna) -> None:
    """The run chose it. The former one does not come back, for its photo stays."""
    photo, home, lea = library.asset(anna), library.asset(anna), library.person(anna, "Lea")
    library.face(photo, lea, featured=True)
    face = library.face(home, lea)
    path = story.move(library.album(anna, "Trip", [photo]))
    assert library.person_row(anna, lea)["faceAssetId"] == face
    lock(story, photo)
    library.rows('update asset_face set "deletedAt" = now() where id = %s', face)
    story.undo(path)
    assert library.person_row(anna, lea)["faceAssetId"] == face


# ---- names -------------------------------------------------------------------------------------------------


@on_each_model
def test_a_person_that_was_renamed_since_keeps_the_new_name(story, library, anna, ben) -> None:
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    face = library.face(photo, lea, featured=True)
    path = story.move(library.album(anna, "Trip", [photo]))
    edit_person(library, ben, library.person_of(face), name="Lea Maria")
    story.undo(path)
    assert story.owners(photo) == [anna]
    assert story.name(face) == "Lea Maria"


@on_each_model
@pytest.mark.parametrize("stays", [False, True], ids=["all moved", "one stayed"])
def test_a_nameless_person_that_got_a_name_since_keeps_it(story, library, anna, ben, stays) -> None:
    """Whether the person itself went along, or Ben got one of his own."""
    photo, home, nobody = library.asset(anna), library.asset(anna), library.person(anna)
    face = library.face(photo, nobody, featured=True)
    if stays:
        library.face(home, nobody)
    path = story.move(library.album(anna, "Trip", [photo]))
    edit_person(library, ben, library.person_of(face), name="Lea")
    story.undo(path)
    assert story.owners(photo) == [anna]
    assert story.name(face) == "Lea"


# ---- stacks ------------------------------------------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("top", [0, 2], ids=["top moved", "top stayed"])
@pytest.mark.parametrize("half", ["that stayed", "that moved"])
def test_a_half_of_a_split_stack_that_was_taken_apart_since(story, library, anna, top, half) -> None:
    """The other half is still a stack, and whole."""
    moved = [library.asset(anna), library.asset(anna)]
    stayed = [library.asset(anna, visibility="locked"), library.asset(anna, visibility="locked")]
    library.stack(anna, moved + stayed, primary=(moved + stayed)[top])
    path = story.move(library.album(anna, "Trip", moved))
    apart, whole = (stayed, moved) if half == "that stayed" else (moved, stayed)
    assert in_stack_with(library, apart[0]) == set(apart)
    unstack(library, library.value('select "stackId" from asset where id = %s', apart[0]))
    story.undo(path)
    assert story.owners(*moved, *stayed) == [anna] * 4
    assert in_stack_with(library, whole[0]) == set(whole)
    assert [in_stack_with(library, photo) for photo in apart] == [set(), set()]
    assert library.value('select "ownerId" from stack') == anna


@everywhere
def test_a_former_top_of_a_split_stack_that_does_not_come_back(story, library, anna, ben) -> None:
    """What stayed keeps the top that it got: the former one is not among them."""
    top = library.asset(anna)
    stayed = [library.asset(anna, visibility="locked"), library.asset(anna, visibility="locked")]
    stack = library.stack(anna, [top, *stayed], primary=top)
    path = story.move(library.album(anna, "Trip", [top]))
    library.rows("update asset set visibility = 'locked' where id = %s", top)
    story.undo(path)
    assert story.owners(top, *stayed) == [ben, anna, anna]
    assert in_stack_with(library, stayed[0]) == set(stayed)
    assert library.value('select "primaryAssetId" from stack where id = %s', stack) in stayed


@everywhere
@pytest.mark.parametrize("whose", ["anna", "ben"], ids=["hers", "his"])
@pytest.mark.parametrize("top", [0, 1, 2], ids=["top moves", "top is his", "top stays"])
@pytest.mark.parametrize("stay", [1, 2])
def test_a_stack_that_was_torn_before_the_run(story, library, anna, ben, carla, whose, top, stay) -> None:
    """His photo in it is put into one stack with hers by the run: nobody stacked these since."""
    photos = [library.asset(anna), library.asset(ben), *(library.asset(carla) for _ in range(stay))]
    library.stack(getattr(story, whose), photos, primary=photos[top])
    album, before = library.album(anna, "Trip", [photos[0]]), story.state()
    path = story.move(album)
    assert in_stack_with(library, photos[0]) == set(photos[:2])
    story.pairs[path] |= {carla}  # it wrote hers, too
    assert story.undo(path).stays == ()
    assert story.state() == before


@everywhere
@pytest.mark.parametrize("when", ["before", "since"])
def test_a_duplicate_in_the_trash_that_stayed(story, library, anna, when) -> None:
    """The run cleared it, as it was the only one left; one that was thrown away before is in the group again."""
    group = "00000000-0000-0000-0000-000000000009"
    photo, other = library.asset(anna, duplicate=group), library.asset(anna, duplicate=group, trashed=when == "before")
    album, before = library.album(anna, "Trip", [photo]), story.state()
    path = story.move(album)
    if when == "since":
        library.rows("""update asset set status = 'trashed', "deletedAt" = now() where id = %s""", other)
    story.undo(path)
    if when == "before":
        assert story.state() == before
    assert library.rows('select 1 from asset where "duplicateId" is not null') == [(1,), (1,)] * (when == "before")


# ---- several runs, several users ---------------------------------------------------------------------------


@everywhere
def test_a_deleted_face_on_a_photo_of_a_later_run(story, library, anna, ben) -> None:
    """It lost its link when its person went; its photo is Ben's by now and shows none of Anna's people."""
    first, second = library.asset(anna), library.asset(anna)
    lea = library.person(anna, "Lea")
    face = library.face(first, lea, featured=True)
    deleted = library.face(second, lea, deleted=True)
    older = story.move(library.album(anna, "First", [first]))
    newer = story.move(library.album(anna, "Second", [second]))
    story.undo(older)
    assert story.owners(first, second) == [anna, ben]
    assert story.name(face) == "Lea"
    assert library.person_of(deleted) is None
    story.undo(newer)
    assert story.owners(first, second) == [anna, anna]
    assert problems(library) == set()


@everywhere
@pytest.mark.parametrize("how", ["row", "mark"])
def test_a_person_whose_only_face_was_deleted_since_leaves_nothing(story, library, anna, ben, how) -> None:
    """Nobody's photo shows it any more: it goes to nobody, and no face keeps a link to it."""
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    face = library.face(photo, lea, featured=True)
    path = story.move(library.album(anna, "Trip", [photo]))
    library.rows(
        "delete from asset_face where id = %s"
        if how == "row"
        else """update asset_face set "deletedAt" = now() where id = %s""",
        face,
    )
    story.undo(path, lost={"Lea"})
    assert story.owners(photo) == [anna]
    if library.has_people_groups:
        assert ids(library, 'select id from person_group except select "personGroupId" from person') == []


@everywhere
def test_people_who_are_a_third_users_by_now_stay_as_they_are(story, library, anna, ben, carla) -> None:
    """A merge gave Ben's person a birth date and a picture; then all that was Ben's became Carla's."""
    photo = library.asset(anna)
    his, hers = library.person(ben, "Ina", thumbnail=""), library.person(anna, "Ina", birth="1999-01-02")
    face = library.face(photo, hers, featured=True)
    library.face(library.asset(ben), his)
    path = story.move(library.album(anna, "Trip", [photo]), merge=frozenset({hers}))
    story.move(source=ben, destination=carla, everything=True)
    assert str(library.person_row(carla, library.person_of(face))["birthDate"]) == "1999-01-02"
    story.undo(path)  # looks at every row of Carla's
    assert story.owners(photo) == [carla]


@everywhere
def test_a_face_with_a_third_users_person_who_is_somebody_elses_by_now(story, library, anna, ben, carla) -> None:
    """It was wrong before the run. Whoever has that person now had no part in it."""
    photo, dora = library.asset(anna), library.user("Dora")
    pia = library.person(carla, "Pia")
    face = library.face(photo, pia)
    library.face(library.asset(carla), pia, featured=True)
    path = story.move(library.album(anna, "Trip", [photo]))
    story.move(source=carla, destination=dora, everything=True)
    story.undo(path)
    assert story.owners(photo) == [anna]
    assert story.name(face) == "Pia"
    assert library.person_row(dora, library.person_of(face)) is None


@everywhere
def test_a_photo_in_a_third_users_link_that_is_somebody_elses_by_now(story, library, anna, carla) -> None:
    """Carla had published it. Dora, who has the link now, never did."""
    photo, guest, dora = library.asset(anna), library.asset(carla), library.user("Dora")
    link = library.link(carla, assets=[guest, photo])
    path = story.move(library.album(anna, "Trip", [photo]))
    story.move(source=carla, destination=dora, everything=True)
    assert library.value('select "userId" from shared_link where id = %s', link) == dora
    story.undo(path)
    assert story.owners(photo) == [anna]
    assert in_link(library, link) == [guest]


@told("3.2-together", "3.3-together")
def test_a_person_whom_both_knew_is_not_told_as_one_who_goes_back(story, library, anna, ben) -> None:
    """The run did not tell her as transferred: he knew her already, and only Anna's row went."""
    photo, lea = library.asset(anna), library.person(anna, "Lea")
    library.person(ben, "Lea", group=lea, thumbnail="")
    library.face(photo, lea, featured=True)
    album, before = library.album(anna, "Trip", [photo]), story.state()
    path = story.move(album)
    assert library.person_row(anna, lea) is None
    done = story.undo(path)
    assert (done.of("people_given"), done.of("people_removed"), done.of("people_parted")) == (0, 0, 0)
    assert story.state() == before


@told("3.2-together", "3.3-together")
def test_a_person_of_both_whom_the_former_owner_merged_into_another_since(story, library, anna, ben) -> None:
    moved, home = library.asset(anna), library.asset(anna)
    lea, lena = library.person(anna, "Lea"), library.person(anna, "Lena")
    face = library.face(moved, lea)
    library.face(home, lea, featured=True)
    library.face(library.asset(anna), lena, featured=True)
    path = story.move(library.album(anna, "Trip", [moved]))
    merge_people(library, anna, lena, lea)
    story.undo(path, lost=["Lea"])
    clean_people(library)
    assert story.name(face) in ("Lea", "Lena")


@everywhere
@pytest.mark.parametrize("remembered", [False, True], ids=["anew", "remembered"])
def test_two_albums_with_a_person_the_older_undone_first(story, library, anna, ben, remembered) -> None:
    """The person went for good only with the second."""
    photos = [library.asset(anna), library.asset(anna)]
    lea = library.person(anna, "Lea")
    faces = [library.face(photo, lea, featured=photo == photos[0]) for photo in photos]
    older = story.move(library.album(anna, "First", photos[:1]))
    known = transfer.remembered_people(story.params, story.folder, ben) if remembered else ()
    newer = story.move(library.album(anna, "Second", photos[1:]), remembered=known)
    story.undo(older)
    clean_people(library)
    assert story.owners(*photos) == [anna, ben]
    assert [story.name(face) for face in faces] == ["Lea", "Lea"]
    story.undo(newer)
    clean_people(library)
    assert story.owners(*photos) == [anna, anna]
    assert [story.name(face) for face in faces] == ["Lea", "Lea"]


@everywhere
@pytest.mark.parametrize("names", [("Lea", "Max"), ("", "")], ids=["named", "nameless"])
@pytest.mark.parametrize("second", ["remembered", "anew", "to a third"])
def test_nobody_is_there_twice_because_the_older_run_was_undone_first(
    story, library, anna, ben, carla, second, names
) -> None:
    """The second run took Anna's last photo of somebody, so the first undo finds nobody to give her photo to."""
    photos, home = [library.asset(anna) for _ in range(3)], library.asset(anna)
    lea, max_ = (library.person(anna, name) for name in names)
    for photo in photos[:2]:
        library.face(photo, lea, featured=photo == photos[0])
        library.face(photo, max_)
    library.face(photos[2], max_, featured=True)
    library.face(home, library.person(anna, "Oma"), featured=True)
    ignored = (*NOT_PUT_BACK, "person.faceAssetId", "person.createdAt")  # any of her photos, a row made anew
    clean_people(library)
    library.settle_usage()
    before = library.snapshot(ignore=ignored)
    older = story.move(library.album(anna, "First", photos[:1]))
    known = transfer.remembered_people(story.params, story.folder, ben) if second == "remembered" else ()
    newer = story.move(everything=True, destination=carla if second == "to a third" else ben, remembered=known)
    story.undo(older)
    story.undo(newer)
    clean_people(library)
    library.rows("delete from album")
    assert problems(library) == set()
    library.settle_usage()
    assert library.snapshot(ignore=ignored) == before


@told("3.3-together")
def test_nobody_is_there_twice_in_a_common_cluster_group(story, library, anna, ben, carla) -> None:
    """Ben's rows of whom the older run made are of people whom Anna has, too: Immich's night would keep them."""
    names = ("Lea", "Max")
    test_nobody_is_there_twice_because_the_older_run_was_undone_first(story, library, anna, ben, carla, "anew", names)


@dataclass(frozen=True)
class TwoTrips:
    """Two albums of Anna's with much in common, and what hangs on their photos."""

    albums: tuple[str, str]
    photos: tuple[tuple[str, str], tuple[str, str]]
    oma: str  # Ben has one too


@pytest.fixture
def trips(story, library, anna, ben) -> TwoTrips:
    """Lea is on both and nowhere else, Max stays too; tag, memory and link have photos of both."""
    first, second = ((library.asset(anna), library.asset(anna)) for _ in range(2))
    home, own = library.asset(anna), library.asset(ben)
    lea, max_, oma = (library.person(anna, name) for name in ("Lea", "Max", "Oma"))
    for number, photos in enumerate((first, second)):
        library.face(photos[0], lea, featured=number == 0)
        library.face(photos[0], max_)
        library.face(photos[1], oma, featured=number == 0)
        library.stack(anna, photos)
    library.face(home, max_, featured=True)
    library.face(own, library.person(ben, "Oma"), featured=True)
    library.tag_assets(library.tag(anna, "Trips/Rome"), first[0], second[0], home)
    library.memory(anna, [first[0], second[0], home])
    library.memory(anna, [first[1]])
    library.link(anna, assets=[first[0], second[0]])
    library.link(anna, assets=[second[1]])
    albums = (library.album(anna, "First", first), library.album(anna, "Second", second))
    return TwoTrips(albums, (first, second), oma)


@on_each_model
@pytest.mark.parametrize("newest_first", [True, False], ids=["newest first", "oldest first"])
def test_two_runs_are_undone_in_either_order(story, library, anna, ben, trips, newest_first) -> None:
    """In the right order to the letter; in the other one, all photos are back with their names and tags."""
    before, owners, shown = story.state(), owners_of_photos(library), shown_on_photos(library)
    runs = [story.move(album, merge=frozenset({trips.oma})) for album in trips.albums]
    order = [1, 0] if newest_first else [0, 1]
    story.undo(runs[order[0]])
    assert story.owners(*trips.photos[order[0]]) == [anna, anna]
    assert story.owners(*trips.photos[order[1]]) == [ben, ben]
    story.undo(runs[order[1]])
    assert problems(library) == set()
    assert (owners_of_photos(library), shown_on_photos(library)) == (owners, shown)
    if newest_first:
        assert story.state() == before


@on_each_model
def test_a_run_that_is_undone_and_done_again_and_undone(story, trips) -> None:
    before = story.state()
    for _ in range(2):
        path = story.move(trips.albums[0], merge=frozenset({trips.oma}))
        assert story.state() != before
        story.undo(path)
        assert story.state() == before


# ---- albums ------------------------------------------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("cover", ["moves", "stays", None])
def test_a_copy_that_was_made_the_cover_since(story, library, anna, ben, cover) -> None:
    """The run had put Ben's own copy into the album, beside Anna's, which stays hers."""
    same = b"\x07" * 20
    hers, his, goes = (
        library.asset(anna, checksum=same),
        library.asset(ben, checksum=same),
        library.asset(anna),
    )
    covers = {"moves": goes, "stays": hers, None: None}
    album = library.album(anna, "Trip", [hers, goes], cover=covers[cover])
    path = story.move(album, album_itself=ALBUM_HANDED_OVER)
    library.rows('update album set "albumThumbnailAssetId" = %s where id = %s', his, album)
    story.undo(path)
    assert library.album_owner(album) == anna
    now = library.value('select "albumThumbnailAssetId" from album where id = %s', album)
    assert now in in_album(library, album)


@on_each_model
def test_the_cover_of_an_album_that_is_a_third_users_by_now(story, library, anna, ben, carla) -> None:
    """The run had made Ben's copy the cover in place of Anna's photo; then he handed album and copy on."""
    same = b"\x07" * 20
    hers, his = library.asset(anna, checksum=same), library.asset(ben, checksum=same)
    album = library.album(anna, "Trip", [hers, library.asset(anna)], cover=hers)
    cover = 'select "albumThumbnailAssetId" from album where id = %s'
    path = story.move(album, album_itself=ALBUM_HANDED_OVER)
    assert library.value(cover, album) == his
    story.move(album, source=ben, destination=carla, album_itself=ALBUM_GIVEN_UP)
    story.undo(path)
    assert library.album_owner(album) == carla
    assert library.value(cover, album) == his


@on_each_model
@pytest.mark.parametrize("who", ["the destination", "a guest", "the source"])
def test_a_member_who_left_an_album_since_is_not_back(story, library, anna, ben, carla, who) -> None:
    """The destination, made an editor by the run; a guest; the source, to whom the album goes back still."""
    itself = ALBUM_SHARED if who == "the destination" else ALBUM_HANDED_OVER
    album = library.album(anna, "Trip", [library.asset(anna)], members={ben: "viewer", carla: "viewer"})
    path = story.move(album, album_itself=itself)
    leave_album(library, album, {"the destination": ben, "a guest": carla, "the source": anna}[who])
    lost = story.undo(path).lost
    named = (("member", ("Ben <ben@example.com>: Trip",)),)
    assert lost == (named if who == "the destination" else ())
    assert library.album_owner(album) == anna
    left = {"the destination": {ben}, "a guest": {carla}, "the source": set()}[who]
    assert members(library, album) == {user: "viewer" for user in (ben, carla) if user not in left}


@on_each_model
@pytest.mark.parametrize("itself", [ALBUM_HANDED_OVER, ALBUM_GIVEN_UP])
def test_an_album_that_was_handed_on_since(story, library, anna, ben, carla, itself) -> None:
    """It stays, with the photo that went along; the one that Ben had taken out before goes back to Anna."""
    goes, stays = library.asset(anna), library.asset(anna)
    album = library.album(anna, "Trip", [goes, stays], cover=goes)
    link = library.link(anna, album=album)
    lea = library.person(anna, "Lea")
    faces = [library.face(goes, lea), library.face(stays, lea, featured=True)]
    path = story.move(album, album_itself=itself)
    ask(library, "delete from album_asset where <album_asset.assetId> = %s", stays)
    story.move(album, source=ben, destination=carla, album_itself=itself)
    roles = members(library, album)
    done = story.undo(path)
    assert (done.assets, done.of("albums_back"), [why for why, _names in done.stays]) == (1, 0, ["handed_on"])
    assert story.owners(goes, stays) == [carla, anna]
    assert (library.album_owner(album), members(library, album)) == (carla, roles)
    assert library.value('select "userId" from shared_link where id = %s', link) == carla
    assert in_album(library, album) == [goes]
    assert [story.name(face) for face in faces] == ["Lea", "Lea"]


# ---- repairs -----------------------------------------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("cleaned", [False, True], ids=["at once", "after Immich's jobs"])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["on his photo only", "on hers too"])
def test_a_repair_undone_without_the_old_account(story, library, anna, ben, elsewhere, cleaned) -> None:
    """The people of Anna's that were on Ben's photo went with her account: they cannot come back."""
    photo, own = library.asset(ben), library.asset(ben)
    max_, ina = library.person(anna, "Max"), library.person(ben, "Ina")
    face = library.face(photo, max_)
    his = library.face(own, ina, featured=True)
    if elsewhere:
        hers = library.asset(anna)
        library.face(hers, max_, featured=True)
        library.feature(ina, library.face(hers, ina), owner=ben)
    path = story.repair()
    delete_account(library, anna)
    if cleaned:
        clean_people(library)
    before, wrong = library.snapshot(), problems(library)
    try:
        story.undo(path)
    except transfer.TransferError as error:
        assert not isinstance(error, transfer.InvariantBroken), error.why
        assert not isinstance(error.__cause__, psycopg2.Error), error.why
        assert library.snapshot() == before
    assert problems(library) <= wrong
    assert (story.name(face), story.name(his)) == ("Max", "Ina")
