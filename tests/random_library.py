"""Libraries of chance for hypothesis: what to make is drawn first, as plain data, and then made.

`plans()` draws a Plan. `build()` makes it in an empty database: numbers that name something count through what there is
to choose from, so every plan can be made on every version. With `Plan.wrong` things may also lie where Immich would
not put them, as an older transfer by hand leaves them. `alter()` does to a library what people and Immich's jobs do.

Ids are the same each time a plan is made, so that hypothesis meets again what it has found.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

import psycopg2
from hypothesis import strategies as st

import transfer
from tests import postgres
from tests.library import TAKEN, Library

USERS = ("Anna", "Ben", "Carla")
NAMES = ("", "Lea", " lea", "Max", "MAX ", "Ina")
BIRTHS = (None, None, "2015-03-09", "1979-08-01")
PATHS = ("Trips", "Trips/Rome", "Trips/Rome/Forum", "To print", "A/B", "A/B/C")
WRONG = ("faces", "pictures", "rows", "tags", "memories", "links", "stacks", "live", "duplicates")
STATES = (*("timeline",) * 9, "archive", "hidden", "trashed", "locked", "deleting", "external", "unfinished")


# ---- what to make ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Photo:
    """A photo; live: no, own video, one shared with an earlier photo, or (wrong) somebody else's."""

    owner: int
    in_album: bool
    state: str
    live: str
    checksum: int | None
    duplicate: int | None
    favorite: bool


@dataclass(frozen=True)
class Person:
    """A person; from 3.2 perhaps one that another user knows already (group)."""

    owner: int
    name: str
    birth: str | None
    hidden: bool
    favorite: bool
    group: int | None
    featured: int | None
    drawn: bool
    unfinished: bool
    row_gone: bool


@dataclass(frozen=True)
class Face:
    """A face on a photo, of a person or nobody."""

    photo: int
    person: int | None
    deleted: bool
    visible: bool
    width: int


@dataclass(frozen=True)
class Pile:
    """Some photos of somebody's: a stack, a tag, a memory, a link, an album. `which` is about the rest."""

    owner: int
    photos: tuple[int, ...]
    which: int
    flag: bool


@dataclass(frozen=True)
class Plan:
    """A library to be made, and what is to be transferred in it."""

    wrong: frozenset[str]  # what of WRONG there may be
    clusters: tuple[int, ...]
    photos: tuple[Photo, ...]
    people: tuple[Person, ...]
    faces: tuple[Face, ...]
    stacks: tuple[Pile, ...]
    tags: tuple[Pile, ...]
    memories: tuple[Pile, ...]
    links: tuple[Pile, ...]
    albums: tuple[Pile, ...]
    shares: tuple[tuple[int, int], ...]
    merge: str


def maybe(strategy: st.SearchStrategy, *, seldom: int = 1) -> st.SearchStrategy:
    """None, more often with a higher `seldom`, or something of the strategy."""
    return st.one_of(*[st.none()] * seldom, strategy)


def seldom(times: int = 4) -> st.SearchStrategy[bool]:
    """True once in that many times."""
    return st.sampled_from([False] * (times - 1) + [True])


NUMBER = st.integers(0, 40)
OWNER = st.sampled_from([0, 0, 0, 1, 1, 2])


def several(strategy: st.SearchStrategy, least: int, most: int) -> st.SearchStrategy[tuple]:
    """A tuple of so many."""
    return st.lists(strategy, min_size=least, max_size=most).map(tuple)


def piles(most: int, photos: int = 4) -> st.SearchStrategy[tuple[Pile, ...]]:
    """Some piles of photos."""
    return several(st.builds(Pile, OWNER, several(NUMBER, 1, photos), NUMBER, seldom(3)), 0, most)


def plans() -> st.SearchStrategy[Plan]:
    """Plans of a size that shows most of what can meet in a transfer."""
    photo = st.builds(
        Photo,
        owner=OWNER,
        in_album=st.sampled_from([True, True, True, False]),
        state=st.sampled_from(STATES),
        live=st.sampled_from(["no", "no", "no", "own", "shared", "torn"]),
        checksum=maybe(st.integers(0, 2), seldom=3),
        duplicate=maybe(st.integers(0, 1), seldom=3),
        favorite=seldom(),
    )
    person = st.builds(
        Person,
        owner=OWNER,
        name=st.sampled_from(NAMES),
        birth=st.sampled_from(BIRTHS),
        hidden=seldom(),
        favorite=seldom(),
        group=maybe(NUMBER, seldom=2),
        featured=maybe(NUMBER),
        drawn=seldom(2),
        unfinished=seldom(6),
        row_gone=seldom(6),
    )
    face = st.builds(
        Face,
        photo=NUMBER,
        person=st.one_of(NUMBER, NUMBER, NUMBER, st.none()),
        deleted=seldom(5),
        visible=seldom(5).map(lambda hidden: not hidden),
        width=st.integers(1, 5),
    )
    return st.builds(
        Plan,
        wrong=st.one_of(st.just(()), st.lists(st.sampled_from(WRONG), max_size=3)).map(frozenset),
        clusters=st.sampled_from([(), (), (0, 1), (0, 2), (1, 2), (0, 1, 2)]),
        photos=several(photo, 3, 12),
        people=several(person, 1, 8),
        faces=several(face, 2, 16),
        stacks=piles(4),
        tags=piles(5),
        memories=piles(3),
        links=piles(4),
        albums=piles(2, photos=6),
        shares=several(st.tuples(NUMBER, st.integers(0, 2)), 0, 3),
        merge=st.sampled_from(["none", "all", "all", "half"]),
    )


# ---- making it ------------------------------------------------------------------------------------------------------


@dataclass
class World:
    """A library made by a plan. Assets and people are in the order in which they were made."""

    library: Library
    users: list[str]
    album: str = ""
    tag: str = ""
    assets: list[tuple[str, str]] = field(default_factory=list)  # (id, owner)
    people: list[tuple[str, str]] = field(default_factory=list)  # (id, owner): rows of people
    faces: list[tuple[str, str, str | None]] = field(default_factory=list)  # (id, asset, person)
    tags: list[str] = field(default_factory=list)
    merge: frozenset[str] = frozenset()

    @property
    def params(self) -> dict[str, Any]:
        """What psycopg2.connect takes to reach the library."""
        return postgres.server().params(self.library.connection.info.dbname)

    @property
    def source(self) -> str:
        """Who gives."""
        return self.users[0]

    @property
    def destination(self) -> str:
        """Who gets, and whose faces are repaired."""
        return self.users[1]

    @property
    def carla(self) -> str:
        """Who has no part in it."""
        return self.users[2]


def pick(choice: Sequence[Any], number: int) -> Any:
    """The one of that number, counted in a circle; None if there is nothing."""
    return choice[number % len(choice)] if choice else None


def build(library: Library, plan: Plan) -> World:
    """Make the plan in an empty database."""
    chance = random.Random(7)
    ids = iter(lambda: str(UUID(int=chance.getrandbits(128), version=4)), None)
    with patch("tests.library.new_id", ids.__next__), patch("tests.library.secrets.token_bytes", chance.randbytes):
        world = World(library, [library.user(name) for name in USERS])
        for user in world.users:
            library.session(user)
        if library.has_people_groups and plan.clusters:
            library.cluster(*(world.users[number] for number in plan.clusters))
        _photos(world, plan, ids)
        _stacks(world, plan)
        _people(world, plan)
        _piles(world, plan)
        library.settle_usage()
    return world


def _photos(world: World, plan: Plan, ids: Any) -> None:
    library, libraries, checksums, videos = world.library, {}, set(), {}
    groups = [next(ids) for _ in range(6)]
    for number, photo in enumerate(plan.photos):
        owner = world.users[photo.owner]
        external = photo.state == "external"
        if external and owner not in libraries:
            libraries[owner] = library.library(owner)
        place = {
            "library": libraries[owner] if external else None,
            "trashed": photo.state == "trashed",
            "deleted": photo.state == "deleting",
        }
        video = None
        if photo.live == "shared" or (photo.live == "torn" and "live" not in plan.wrong):
            video = videos.get((photo.owner, external))
        elif photo.live == "torn":
            video = next((found for (other, _), found in videos.items() if other != photo.owner), None)
        if photo.live == "own" or (photo.live != "no" and video is None):
            video = library.asset(owner, f"{number}.MOV", kind="VIDEO", visibility="hidden", size=number * 100, **place)
            videos[photo.owner, external] = video
            world.assets.append((video, owner))
        checksum = None
        if photo.checksum is not None and not external and (owner, photo.checksum) not in checksums:
            checksums.add((owner, photo.checksum))
            checksum = bytes([photo.checksum]) * 20
        duplicate = None
        if photo.duplicate is not None:
            duplicate = groups[photo.duplicate * 3 + (0 if "duplicates" in plan.wrong else photo.owner)]
        asset = library.asset(
            owner,
            f"{number}.jpg",
            checksum=checksum,
            size=None if number % 5 == 4 else number * 1000,
            visibility=photo.state if photo.state in ("archive", "hidden", "locked") else "timeline",
            live_video=video,
            duplicate=duplicate,
            favorite=photo.favorite,
            taken=TAKEN + timedelta(days=number % 3),
            sidecar=number % 3 == 0,
            encoded=number % 4 == 0,
            **place,
        )
        if photo.state == "unfinished":
            library.move_history(asset)
        world.assets.append((asset, owner))


def some(world: World, owner: str, numbers: Sequence[int], anybody: bool) -> list[str]:
    """Photos of the owner's, or of anybody's, by number, each once."""
    choice = [asset for asset, whose in world.assets if anybody or whose == owner]
    return list(dict.fromkeys(pick(choice, number) for number in numbers)) if choice else []


def _stacks(world: World, plan: Plan) -> None:
    stacked: set[str] = set()
    primaries: set[str] = set()
    wrong = "stacks" in plan.wrong
    for pile in plan.stacks:
        owner = world.users[pile.owner]
        members = [asset for asset in some(world, owner, pile.photos, wrong) if asset not in stacked]
        if len(members) < (1 if wrong and pile.flag else 2):
            continue
        primary = pick(members, pile.which)
        if wrong and pile.flag:
            primary = pick([asset for asset, _ in world.assets], pile.which)
        if primary in primaries:
            continue
        primaries.add(primary)
        stacked.update(members)
        world.library.stack(owner, members, primary=primary)


def _people(world: World, plan: Plan) -> None:
    library, merge = world.library, []
    library.person(world.carla, "Nobody")
    for number, person in enumerate(plan.people):
        owner, group = world.users[person.owner], None
        if library.has_people_groups and person.group is not None:
            groups = [
                found for found in dict.fromkeys(g for g, _ in world.people) if (found, owner) not in world.people
            ]
            if "rows" not in plan.wrong:
                groups = [found for found in groups if _cluster_of_group(library, found) == library.cluster_of(owner)]
            group = pick(groups, person.group)
        made = library.person(
            owner,
            person.name,
            birth=person.birth,
            hidden=person.hidden,
            favorite=person.favorite,
            color="#aabbcc" if person.favorite else None,
            group=group,
            thumbnail=None if person.drawn and (person.featured is not None or "pictures" in plan.wrong) else "",
        )
        if person.unfinished:
            library.move_history(made, "face") if group is None else None
        world.people.append((made, owner))
        if plan.merge == "all" or (plan.merge == "half" and number % 2):
            merge.append(made)
    world.merge = frozenset(merge)
    owners = dict(world.assets)
    for face in plan.faces:
        asset, whose = pick(world.assets, face.photo)
        known = [
            group
            for group, owner in world.people
            if "faces" in plan.wrong or (owner == whose and may_know(library, group, owner))
        ]
        group = None if face.person is None else pick(known, face.person)
        made = library.face(
            asset,
            group,
            box=(10, 10, 10 + 20 * face.width, 60),
            deleted=face.deleted,
            visible=face.visible or not library.has_face_visibility,
        )
        world.faces.append((made, asset, group))
    usable = {
        face[0]
        for face, plan_ in zip(world.faces, plan.faces, strict=True)
        if not plan_.deleted and (plan_.visible or not library.has_face_visibility)
    }
    for (group, owner), person in zip(world.people, plan.people, strict=True):
        right = [f for f, asset, shows in world.faces if shows == group and owners[asset] == owner and f in usable]
        face = None
        if person.featured is not None:
            face = pick(
                [f for f, *_ in world.faces] if "pictures" in plan.wrong and person.hidden else right, person.featured
            )
        if face:
            library.feature(group, face, owner=owner)
        elif "pictures" not in plan.wrong:
            library.rows(
                f"""update person set "thumbnailPath" = '' where "{library.name("person", "personGroupId")}" = %s
                    and "ownerId" = %s""",
                group,
                owner,
            )
    if library.has_person_sharing:
        shared = set()
        for number, to in plan.shares:
            group, by = pick(world.people, number)
            receiver = world.users[to]
            if receiver != by and (group, by, receiver) not in shared:
                shared.add((group, by, receiver))
                library.share_person(group, by, receiver)
    if library.has_people_groups and "rows" in plan.wrong:
        for (group, owner), person in zip(world.people, plan.people, strict=True):
            if person.row_gone:
                library.rows('delete from person where "personGroupId" = %s and "ownerId" = %s', group, owner)


def _cluster_of_group(library: Library, group: str) -> str:
    return library.value('select "clusterGroupId" from person_group where id = %s', group)


def may_know(library: Library, group: str, owner: str) -> bool:
    """Whether a face on the owner's photo may be of that person."""
    return not library.has_people_groups or _cluster_of_group(library, group) == library.cluster_of(owner)


def _piles(world: World, plan: Plan) -> None:
    library = world.library
    in_album = {f"{number}.jpg" for number, photo in enumerate(plan.photos) if photo.in_album}
    names = dict(library.rows('select id, "originalFileName" from asset'))
    chosen = [asset for asset, _ in world.assets if names[asset] in in_album]
    world.album = library.album(world.source, "Trip", chosen, members={world.carla: "editor"}, cover=pick(chosen, 0))
    if chosen:
        library.comment(world.album, world.carla, "Nice", asset=chosen[0])
        library.like(world.album, world.destination, asset=chosen[-1])
    for pile in plan.albums:
        owner, member = world.users[pile.owner], world.users[pile.which % 3]
        photos = list(dict.fromkeys(pick(world.assets, number)[0] for number in pile.photos))
        album = library.album(owner, "Other", photos, members={member: "viewer"}, deleted=pile.flag)
        library.like(album, member, asset=photos[0])
    world.tag = library.tag(world.source, "Trips")
    for pile in plan.tags:
        owner = world.users[pile.owner]
        before = library.value("select count(*) from tag")
        tag = library.tag(owner, pick(PATHS, pile.which), color="#00ff00" if pile.flag else None)
        if library.value("select count(*) from tag") > before:
            world.tags.append(tag)
            if pile.flag:  # Immich's own way of making a single tag leaves these out
                library.rows("delete from tag_closure where id_descendant = %s", tag)
        for asset in some(world, owner, pile.photos, "tags" in plan.wrong):
            assets = library.name("tag_asset", "assetId")
            tags = library.name("tag_asset", "tagId")
            library.rows(
                f'insert into tag_asset ("{assets}", "{tags}") values (%s, %s) on conflict do nothing', asset, tag
            )
    for pile in plan.memories:
        owner = world.users[pile.owner]
        library.memory(owner, some(world, owner, pile.photos, "memories" in plan.wrong), saved=pile.flag)
    for number, pile in enumerate(plan.links):
        owner = world.users[pile.owner]
        photos = some(world, owner, pile.photos, "links" in plan.wrong)
        if pile.flag:  # up to 2.6 a link to an album may have photos of its own, which mean nothing
            stray = "links" in plan.wrong and library.version < "2.7"
            library.link(owner, album=world.album, assets=photos if stray else ())
        else:
            library.link(owner, assets=photos, slug=f"link-{number}")


# ---- what happens afterwards ----------------------------------------------------------------------------------------


def adapted(library: Library, query: str) -> str:
    """A query in which <table.column> stands for what this version calls the column."""
    return re.sub(r"<(\w+)\.(\w+)>", lambda found: f'"{library.name(found[1], found[2])}"', query)


def ask(library: Library, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query with adapted names."""
    return library.rows(adapted(library, query), *values)


def ids(library: Library, query: str, *values: Any) -> list[str]:
    """The first column of a query's rows."""
    return [row[0] for row in ask(library, query, *values)]


def focused(library: Library, things: Sequence[str], query: str) -> list[str]:
    """Those among them that the photos in the focus have to do with, which `query` yields; all if there is no such."""
    near = set(ids(library, query, list(library.focus))) if library.focus else set()
    return [thing for thing in things if thing in near] or list(things)


def people_of(library: Library, user: str) -> list[str]:
    """The user's people, by name."""
    people = ids(
        library, 'select <person.personGroupId> from person where "ownerId" = %s order by name, "birthDate", 1', user
    )
    query = 'select <asset_face.personGroupId> from asset_face where "assetId" = any(%s::uuid[])'
    return focused(library, people, query)


def photos_of(library: Library, user: str) -> list[str]:
    """The user's photos."""
    photos = ids(library, 'select id from asset where "ownerId" = %s order by "originalFileName", id', user)
    return focused(library, photos, "select unnest(%s::uuid[])")


def faces_of(library: Library, user: str) -> list[str]:
    """The faces on the user's photos."""
    faces = ids(
        library,
        """select f.id from asset_face f join asset a on a.id = f."assetId" where a."ownerId" = %s
           order by a."originalFileName", f.id""",
        user,
    )
    return focused(library, faces, 'select id from asset_face where "assetId" = any(%s::uuid[])')


def edit_person(library: Library, user: str, person: str, **columns: Any) -> None:
    """Set columns of the user's row of a person."""
    for column, value in columns.items():
        ask(
            library,
            f'update person set "{column}" = %s where "ownerId" = %s and <person.personGroupId> = %s',
            value,
            user,
            person,
        )


def delete_person(library: Library, user: str, person: str) -> None:
    """As Immich does: the row goes, and with the last row the group."""
    ask(library, 'delete from person where "ownerId" = %s and <person.personGroupId> = %s', user, person)
    if library.has_people_groups:
        library.rows(
            """delete from person_group g where id = %s
               and not exists (select from person p where p."personGroupId" = g.id)""",
            person,
        )


def merge_people(library: Library, user: str, into: str, person: str) -> None:
    """As Immich does: the faces change over, gaps are filled, the other person goes."""
    ask(
        library,
        """update asset_face f set <asset_face.personGroupId> = %s from asset a
           where f.<asset_face.personGroupId> = %s and a.id = f."assetId" and a."ownerId" = %s""",
        into,
        person,
        user,
    )
    ask(
        library,
        """update person p set name = case p.name when '' then o.name else p.name end,
               "birthDate" = coalesce(p."birthDate", o."birthDate")
           from person o where p."ownerId" = %s and p.<person.personGroupId> = %s
             and o."ownerId" = p."ownerId" and o.<person.personGroupId> = %s""",
        user,
        into,
        person,
    )
    delete_person(library, user, person)


def link_face(library: Library, face: str, person: str | None) -> None:
    """Say whose face it is."""
    ask(library, "update asset_face set <asset_face.personGroupId> = %s where id = %s", person, face)


def delete_photo(library: Library, asset: str) -> None:
    """As Immich does: a stack gets another primary, or goes with its last but one member."""
    for stack, primary in library.rows(
        'select id, "primaryAssetId" from stack where "primaryAssetId" = %s'
        ' or id = (select "stackId" from asset where id = %s)',
        asset,
        asset,
    ):
        rest = ids(library, 'select id from asset where "stackId" = %s and id <> %s order by id', stack, asset)
        if len(rest) < 2:
            library.rows("delete from stack where id = %s", stack)
        elif primary == asset:
            library.rows('update stack set "primaryAssetId" = %s where id = %s', rest[0], stack)
    library.rows("delete from asset where id = %s", asset)


def trash_photo(library: Library, asset: str) -> None:
    """Put a photo into its owner's trash."""
    library.rows("""update asset set status = 'trashed', "deletedAt" = now() where id = %s""", asset)


def upload_again(library: Library, user: str, asset: str) -> str | None:
    """The user uploads the same file; Immich takes it once."""
    checksum = library.value("select checksum from asset where id = %s", asset)
    if library.rows('select 1 from asset where "ownerId" = %s and checksum = %s', user, checksum):
        return None
    return library.asset(user, "again.jpg", checksum=bytes(checksum))


def unstack(library: Library, stack: str) -> None:
    """Take a stack apart."""
    library.rows("delete from stack where id = %s", stack)


def draw_people(library: Library) -> None:
    """What Immich's job for missing thumbnails does to people; see tests/immich.py."""
    visible = 'and f."isVisible"' if library.has_face_visibility else ""
    face = f"""(select f.id from asset_face f where f.<asset_face.personGroupId> = p.<person.personGroupId>
                and f."deletedAt" is null {visible} order by f.id limit 1)"""
    ask(
        library,
        f"""update person p set "faceAssetId" = {face}
            where "thumbnailPath" = '' and "faceAssetId" is null and {face} is not null""",
    )
    ask(
        library,
        """update person p
           set "thumbnailPath" = '/data/thumbs/' || "ownerId" || '/xx/yy/' || <person.personGroupId> || '.jpeg'
           where "thumbnailPath" = '' and exists (
               select from asset_face f where f.id = p."faceAssetId" and f."deletedAt" is null)""",
    )


def move_files(library: Library) -> None:
    """What Immich's migration job does: thumbnails, videos and people's pictures go to their owner's folder."""
    library.rows(
        """update asset_file f set path = regexp_replace(path, '^/data/(thumbs|encoded-video)/[^/]+/',
                                                         '/data/\\1/' || a."ownerId" || '/')
           from asset a where a.id = f."assetId" and path ~ '^/data/(thumbs|encoded-video)/'
             and a."ownerId"::text <> split_part(path, '/', 4)"""
    )
    if library.has("asset", "encodedVideoPath"):
        library.rows(
            """update asset set "encodedVideoPath" = '/data/encoded-video/' || "ownerId" || '/aa/bb/' || id || '.mp4'
               where "encodedVideoPath" <> ''"""
        )
    ask(
        library,
        """update person
           set "thumbnailPath" = '/data/thumbs/' || "ownerId" || '/xx/yy/' || <person.personGroupId> || '.jpeg'
           where "thumbnailPath" <> ''""",
    )


def file_photos(library: Library) -> None:
    """What Immich's storage template job does: originals go to their owner's library folder."""
    library.rows(
        """update asset set "originalPath" = '/data/library/' || "ownerId" || '/2024/' || id || '.jpg'
           where not "isExternal" and "deletedAt" is null"""
    )


def find_duplicates(library: Library) -> None:
    """What Immich's job for duplicates does to photos that it has not looked at: here, all that are due look alike."""
    for user in ids(library, 'select id from "user"'):
        due = ids(
            library,
            """select a.id from asset a join asset_job_status j on j."assetId" = a.id
               where a."ownerId" = %s and j."duplicatesDetectedAt" is null and a."deletedAt" is null
                 and a.visibility in ('timeline', 'archive') order by a."originalFileName", a.id""",
            user,
        )
        if len(due) > 1:
            library.rows(
                'update asset set "duplicateId" = md5(%s)::uuid where id = any(%s::uuid[])', f"{user} {len(due)}", due
            )
    library.rows('update asset_job_status set "duplicatesDetectedAt" = now() where "duplicatesDetectedAt" is null')


# What may happen between a run and its undo, each done by a user to something of the user's: (world, user, number).

Later = Callable[[World, str, int], None]


def later(world: World, happened: Sequence[tuple[str, int, int]]) -> None:
    """Let it happen."""
    for name, user, number in happened:
        LATER[name](world, world.users[user], number)
    world.library.settle_usage()


def _with_person(do: Callable[[Library, str, str, int], None]) -> Later:
    def act(world: World, user: str, number: int) -> None:
        if person := pick(people_of(world.library, user), number):
            do(world.library, user, person, number)

    return act


def _with_face(do: Callable[[Library, str, str, int], None]) -> Later:
    def act(world: World, user: str, number: int) -> None:
        if face := pick(faces_of(world.library, user), number):
            do(world.library, user, face, number)

    return act


def _with_photo(do: Callable[[Library, str, str, int], None]) -> Later:
    def act(world: World, user: str, number: int) -> None:
        if photo := pick(photos_of(world.library, user), number):
            do(world.library, user, photo, number)

    return act


def _job(do: Callable[[Library], None]) -> Later:
    return lambda world, _user, _number: do(world.library)


def _merge(library: Library, user: str, person: str, number: int) -> None:
    if (other := pick(people_of(library, user), number + 1)) != person:
        merge_people(library, user, person, other)


def _own_people(library: Library, user: str) -> list[str]:
    """Whom the user's new faces can be of."""
    return [person for person in people_of(library, user) if may_know(library, person, user)]


def _relink(library: Library, user: str, face: str, number: int) -> None:
    link_face(library, face, pick(_own_people(library, user), number // 2))


def _new_face(library: Library, user: str, photo: str, number: int) -> None:
    library.face(photo, pick(_own_people(library, user), number // 2))


def _new_photo(library: Library, user: str, person: str, _number: int) -> None:
    if may_know(library, person, user):
        library.face(library.asset(user, "new.jpg"), person)


def _stack_with(library: Library, user: str, photo: str, number: int) -> None:
    """Put a photo into the stack of another, or make one of the two."""
    other = pick(photos_of(library, user), number // 2)
    old = library.value('select "stackId" from asset where id = %s', photo)
    if other == photo or old:
        return
    stack = library.value('select "stackId" from asset where id = %s', other)
    if stack:
        library.rows('update asset set "stackId" = %s where id = %s', stack, photo)
    elif not library.rows('select 1 from stack where "primaryAssetId" in (%s, %s)', photo, other):
        library.stack(user, [photo, other])


def _unstack(library: Library, user: str, photo: str, _number: int) -> None:
    if stack := library.value('select "stackId" from asset where id = %s', photo):
        unstack(library, stack)


def _primary(library: Library, user: str, photo: str, _number: int) -> None:
    stack = library.value('select "stackId" from asset where id = %s', photo)
    if stack and not library.rows('select 1 from stack where "primaryAssetId" = %s', photo):
        library.rows('update stack set "primaryAssetId" = %s where id = %s', photo, stack)


def _tag(library: Library, user: str, photo: str, number: int) -> None:
    ask(
        library,
        """insert into tag_asset (<tag_asset.assetId>, <tag_asset.tagId>) values (%s, %s) on conflict do nothing""",
        photo,
        library.tag(user, pick(PATHS, number // 2)),
    )


def _untag(library: Library, user: str, photo: str, _number: int) -> None:
    ask(library, "delete from tag_asset where <tag_asset.assetId> = %s", photo)


def _some_tag(do: str) -> Later:
    def act(world: World, user: str, number: int) -> None:
        tags = ids(world.library, 'select id from tag where "userId" = %s order by value', user)
        query = """select mine.id from tag mine join tag t on t.value = mine.value
                   join tag_asset ta on ta.<tag_asset.tagId> = t.id where ta.<tag_asset.assetId> = any(%s::uuid[])"""
        if tags := focused(world.library, tags, query):
            world.library.rows(do, pick(tags, number))

    return act


def _link(library: Library, user: str, photo: str, number: int) -> None:
    links = ids(
        library, """select id from shared_link where "userId" = %s and type = 'INDIVIDUAL' order by slug, id""", user
    )
    if links and number % 2:
        ask(
            library,
            """insert into shared_link_asset (<shared_link_asset.assetId>, <shared_link_asset.sharedLinkId>)
               values (%s, %s) on conflict do nothing""",
            photo,
            pick(links, number // 2),
        )
    else:
        library.link(user, assets=[photo])


def _unlive(library: Library, user: str, photo: str, _number: int) -> None:
    library.rows('update asset set "livePhotoVideoId" = null where id = %s', photo)


def _hand_on(world: World, user: str, number: int) -> None:
    """By the tool itself, the photo alone."""
    to = world.users[(world.users.index(user) + 1 + number % 2) % 3]
    if photo := pick(photos_of(world.library, user), number // 2):
        with patch("tests.library.new_id", lambda: str(UUID(int=random.getrandbits(128), version=4))):
            album = world.library.album(user, "Handed on", [photo])
        request = transfer.Request(source=user, destination=to, album=album)
        transfer.transfer(world.params, request, transfer.How(dry_run=False))
        world.library.rows("delete from album where id = %s", album)


def _cluster(world: World, user: str, number: int) -> None:
    """From 3.2: the user leaves the cluster group, alone, or joins another's."""
    library = world.library
    if not library.has_people_groups:
        return
    other = world.users[(world.users.index(user) + 1) % 3]
    if number % 2:
        library.cluster(other, user)
    else:
        leave_cluster(library, user)


def leave_cluster(library: Library, user: str) -> None:
    """As Immich does: groups that nobody else knows go along, others are split."""
    own = library.value("insert into cluster_group default values returning id")
    for group, shared in library.rows(
        """select "personGroupId", exists (select from person o where o."personGroupId" = p."personGroupId"
                                           and o."ownerId" <> p."ownerId")
           from person p where "ownerId" = %s order by 1""",
        user,
    ):
        if not shared:
            library.rows('update person_group set "clusterGroupId" = %s where id = %s', own, group)
            continue
        new = library.value('insert into person_group ("clusterGroupId") values (%s) returning id', own)
        library.rows(
            'update person set "personGroupId" = %s where "ownerId" = %s and "personGroupId" = %s', new, user, group
        )
        library.rows(
            """update asset_face f set "personGroupId" = %s from asset a
               where a.id = f."assetId" and a."ownerId" = %s and f."personGroupId" = %s""",
            new,
            user,
            group,
        )
    library.rows('update "user" set "clusterGroupId" = %s where id = %s', own, user)


LATER: dict[str, Later] = {
    "rename": _with_person(lambda lib, user, who, n: edit_person(lib, user, who, name=f"New {n % 3}")),
    "hide": _with_person(lambda lib, user, who, n: edit_person(lib, user, who, isHidden=True)),
    "birth": _with_person(lambda lib, user, who, n: edit_person(lib, user, who, birthDate="2001-02-03")),
    "favourite person": _with_person(lambda lib, user, who, n: edit_person(lib, user, who, isFavorite=True)),
    "merge": _with_person(_merge),
    "delete person": _with_person(lambda lib, user, who, n: delete_person(lib, user, who)),
    "relink face": _with_face(_relink),
    "unlink face": _with_face(lambda lib, user, face, n: link_face(lib, face, None)),
    "remove face": _with_face(
        lambda lib, user, face, n: lib.rows('update asset_face set "deletedAt" = now() where id = %s', face)
    ),
    "face gone": _with_face(lambda lib, user, face, n: lib.rows("delete from asset_face where id = %s", face)),
    "new face": _with_photo(_new_face),
    "new photo": _with_person(_new_photo),
    "delete photo": _with_photo(lambda lib, user, photo, n: delete_photo(lib, photo)),
    "trash": _with_photo(lambda lib, user, photo, n: trash_photo(lib, photo)),
    "lock": _with_photo(
        lambda lib, user, photo, n: lib.rows("update asset set visibility = 'locked' where id = %s", photo)
    ),
    "favourite": _with_photo(
        lambda lib, user, photo, n: lib.rows('update asset set "isFavorite" = true where id = %s', photo)
    ),
    "again": lambda world, user, number: _again(world, number),
    "stack": _with_photo(_stack_with),
    "unstack": _with_photo(_unstack),
    "primary": _with_photo(_primary),
    "unlive": _with_photo(_unlive),
    "tag": _with_photo(_tag),
    "untag": _with_photo(_untag),
    "recolour": _some_tag("update tag set color = '#123456' where id = %s"),
    "delete tag": _some_tag("delete from tag where id = %s"),
    "memory": _with_photo(lambda lib, user, photo, n: lib.memory(user, [photo])),
    "link": _with_photo(_link),
    "album": _with_photo(lambda lib, user, photo, n: lib.album(user, "Later", [photo])),
    "hand on": _hand_on,
    "cluster": _cluster,
    "thumbnails": _job(draw_people),
    "migration": _job(move_files),
    "storage template": _job(file_photos),
    "duplicates": _job(find_duplicates),
}


def _again(world: World, number: int) -> None:
    if photo := pick(photos_of(world.library, world.destination), number):
        upload_again(world.library, world.source, photo)


def happenings() -> st.SearchStrategy[list[tuple[str, int, int]]]:
    """What may happen, mostly to the destination's things."""
    return st.lists(
        st.tuples(st.sampled_from(sorted(LATER)), st.sampled_from([1, 1, 1, 0, 2]), NUMBER), min_size=1, max_size=5
    )


# ---- what may happen in longer sequences, besides --------------------------------------------------------------------
#
# Apart from LATER, whose fixed examples would be others with every new name in it.


def albums_of(library: Library, user: str, *roles: str) -> list[str]:
    """Albums in which the user has one of these roles: owner, editor, viewer."""
    found = []
    for album, owner, member in _memberships(library):
        role = "owner" if owner == user else member.get(user)
        if role in roles:
            found.append(album)
    return found


def _memberships(library: Library) -> list[tuple[str, str, dict[str, str]]]:
    """(album, owner, roles of the other members), in the order in which they were made."""
    members: dict[str, dict[str, str]] = {}
    for album, user, role in ask(library, "select <album_user.albumId>, <album_user.userId>, role from album_user"):
        members.setdefault(album, {})[user] = role
    owner = "null" if library.has_album_owner_rows else '"ownerId"'
    found = []
    for album, column in library.rows(f'select id, {owner} from album order by "createdAt", "albumName", id'):
        roles = members.get(album, {})
        owners = [user for user, role in roles.items() if role == "owner"]
        who = column or next(iter(owners), "")
        found.append((album, who, {user: role for user, role in roles.items() if user != who}))
    return found


def photos_in(library: Library, album: str) -> list[str]:
    """The photos of an album."""
    return ids(
        library,
        """select a.id from album_asset aa join asset a on a.id = aa.<album_asset.assetId>
           where aa.<album_asset.albumId> = %s order by a."originalFileName", a.id""",
        album,
    )


def own_rows(library: Library, table: str, user: str, more: str = "") -> list[str]:
    """The user's memories or links, in the order in which they were made."""
    owner = '"ownerId"' if table == "memory" else '"userId"'
    return ids(library, f'select id from {table} where {owner} = %s {more} order by "createdAt", id', user)


def shown_photos(library: Library, user: str) -> list[str]:
    """The photos of those who are partners of the user, and show theirs."""
    return ids(
        library,
        """select a.id from asset a join partner p on p."sharedById" = a."ownerId" where p."sharedWithId" = %s
           and a.visibility in ('timeline', 'archive') and a."deletedAt" is null order by a."originalFileName", a.id""",
        user,
    )


def delete_for_good(library: Library, asset: str) -> None:
    """As Immich does when the trash is emptied: a video goes with its last still."""
    video = library.value('select "livePhotoVideoId" from asset where id = %s', asset)
    delete_photo(library, asset)
    if video and not library.rows('select 1 from asset where "livePhotoVideoId" = %s', video):
        delete_photo(library, video)


def delete_account(library: Library, user: str) -> None:
    """As Immich does: the account's albums, then the account with all that hangs on it.

    A stack of somebody else's with one of its photos on top forbids it; then nothing happens.
    """
    owned = ids(library, 'select id from "user" where id = %s', user) and albums_of(library, user, "owner")
    with library.connection.cursor() as cursor:
        try:
            cursor.execute("begin")
            cursor.execute("delete from album where id = any(%s::uuid[])", (owned or [],))
            cursor.execute('delete from "user" where id = %s', (user,))
            cursor.execute("commit")
        except psycopg2.errors.ForeignKeyViolation:
            cursor.execute("rollback")


def clean_tags(library: Library) -> None:
    """What Immich's tag-cleanup does: tags without photos, by the rows that its search goes through."""
    ask(
        library,
        """delete from tag t where not exists (
               select from tag_closure c join tag_asset ta on ta.<tag_asset.tagId> = c.id_descendant
               where c.id_ancestor = t.id)""",
    )


def clean_people(library: Library) -> None:
    """What Immich's person-cleanup does. From 2.5 to 3.1 it finds nobody."""
    if library.has_people_groups:
        library.rows(
            """delete from person p where not exists (
                   select from asset_face f where f."personGroupId" = p."personGroupId")"""
        )
        library.rows("""delete from person_group g where not exists (
                            select from person p where p."personGroupId" = g.id)""")
        library.rows("""delete from cluster_group c where not exists (
                            select from "user" u where u."clusterGroupId" = c.id)""")
    elif not library.has_face_visibility:
        ask(
            library,
            """delete from person p where not exists (
                   select from asset_face f where f.<asset_face.personGroupId> = p.<person.personGroupId>)""",
        )


def join_cluster(library: Library, user: str, other: str) -> None:
    """As Immich does: the user leaves the own cluster group, and takes the people along into the other's."""
    leave_cluster(library, user)
    into = library.cluster_of(other)
    library.rows(
        """update person_group set "clusterGroupId" = %s
           where "clusterGroupId" = (select "clusterGroupId" from "user" where id = %s)""",
        into,
        user,
    )
    library.rows('update "user" set "clusterGroupId" = %s where id = %s', into, user)


def active(library: Library, user: str) -> bool:
    """Whether the account is there."""
    return bool(library.rows('select 1 from "user" where id = %s and "deletedAt" is null', user))


def _others(world: World, user: str, number: int) -> str | None:
    """One of the other users who are there."""
    return pick([other for other in world.users if other != user and active(world.library, other)], number)


def _with_row(table: str, do: Callable[[Library, str, str, int], None], more: str = "") -> Later:
    """Something with one of the user's memories or links."""

    def act(world: World, user: str, number: int) -> None:
        if row := pick(own_rows(world.library, table, user, more), number):
            do(world.library, user, row, number // 2)

    return act


def _with_album(*roles: str) -> Callable[[Callable[[World, str, str, int], None]], Later]:
    """Something with an album in which the user has one of these roles."""

    def decorate(do: Callable[[World, str, str, int], None]) -> Later:
        def act(world: World, user: str, number: int) -> None:
            if album := pick(albums_of(world.library, user, *roles), number):
                do(world, user, album, number // 2)

        return act

    return decorate


def _shared(do: Callable[[Library, str, str, int], None]) -> Later:
    """Something with a photo that a partner shows to the user; somebody becomes the partner if nobody is."""

    def act(world: World, user: str, number: int) -> None:
        other = _others(world, user, number)
        if other and not world.library.rows(
            'select 1 from partner where "sharedById" = %s and "sharedWithId" = %s', other, user
        ):
            world.library.partner(other, user)
        if photo := pick(shown_photos(world.library, user), number // 2):
            do(world.library, user, photo, number)

    return act


def _into_memory(library: Library, user: str, memory: str, number: int) -> None:
    if photo := pick(photos_of(library, user), number):
        ask(
            library,
            """insert into memory_asset ("memoriesId", <memory_asset.assetId>) values (%s, %s)
               on conflict do nothing""",
            memory,
            photo,
        )


def _out_of(table: str, column: str, asset: str) -> Callable[[Library, str, str, int], None]:
    """Take a photo out of a memory, or off a link."""

    def do(library: Library, user: str, row: str, number: int) -> None:
        found = ids(
            library,
            f"""select a.id from {table} x join asset a on a.id = x.<{table}.{asset}> where x.<{table}.{column}> = %s
                order by a."originalFileName", a.id""",
            row,
        )
        if photo := pick(found, number):
            ask(library, f"delete from {table} where <{table}.{column}> = %s and <{table}.{asset}> = %s", row, photo)

    return do


@_with_album("owner", "editor")
def _into_album(world: World, user: str, album: str, number: int) -> None:
    choice = photos_of(world.library, user) + shown_photos(world.library, user)
    photo = pick(choice, number)
    if photo and photo not in photos_in(world.library, album):
        world.library.add_to_album(album, photo)


@_with_album("owner")
def _off_album(world: World, user: str, album: str, number: int) -> None:
    library = world.library
    if photo := pick(photos_in(library, album), number):
        ask(
            library,
            "delete from album_asset where <album_asset.albumId> = %s and <album_asset.assetId> = %s",
            album,
            photo,
        )
        # Immich does it when the albums are looked at
        library.rows(
            'update album set "albumThumbnailAssetId" = %s where id = %s and "albumThumbnailAssetId" = %s',
            pick(photos_in(library, album), 0),
            album,
            photo,
        )


@_with_album("owner")
def _cover(world: World, user: str, album: str, number: int) -> None:
    if photo := pick(photos_in(world.library, album), number):
        world.library.rows('update album set "albumThumbnailAssetId" = %s where id = %s', photo, album)


@_with_album("owner", "editor", "viewer")
def _comment(world: World, user: str, album: str, number: int) -> None:
    world.library.comment(album, user, f"Since {number}", asset=pick(photos_in(world.library, album), number))


@_with_album("owner")
def _join_album(world: World, user: str, album: str, number: int) -> None:
    other = _others(world, user, number)
    if other and album not in albums_of(world.library, other, "owner", "editor", "viewer"):
        ask(
            world.library,
            "insert into album_user (<album_user.albumId>, <album_user.userId>, role) values (%s, %s, %s)",
            album,
            other,
            ("editor", "viewer")[number % 2],
        )


@_with_album("editor", "viewer")
def _leave_album(world: World, user: str, album: str, number: int) -> None:
    ask(
        world.library,
        "delete from album_user where <album_user.albumId> = %s and <album_user.userId> = %s",
        album,
        user,
    )


@_with_album("owner")
def _role(world: World, user: str, album: str, number: int) -> None:
    ask(
        world.library,
        "update album_user set role = %s where <album_user.albumId> = %s and role <> 'owner'",
        ("editor", "viewer")[number % 2],
        album,
    )


@_with_album("owner")
def _album_link(world: World, user: str, album: str, number: int) -> None:
    world.library.link(user, album=album)


@_with_album("owner")
def _delete_album(world: World, user: str, album: str, number: int) -> None:
    world.library.rows("delete from album where id = %s", album)


def _delete_comment(world: World, user: str, number: int) -> None:
    found = ids(world.library, 'select id from activity where "userId" = %s order by "createdAt", id', user)
    if activity := pick(found, number):
        world.library.rows("delete from activity where id = %s", activity)


def _upload(world: World, user: str, number: int) -> None:
    """A file that somebody else has."""
    other = _others(world, user, number)
    if other and (photo := pick(photos_of(world.library, other), number // 2)):
        upload_again(world.library, user, photo)


def _new_person(library: Library, user: str, face: str, number: int) -> None:
    """Recognition, or the user, makes a person of a face."""
    link_face(library, face, library.person(user, ("", "", "Uta")[number % 3], thumbnail=""))


def _share_person(world: World, user: str, number: int) -> None:
    library = world.library
    person, other = pick(people_of(library, user), number // 2), _others(world, user, number)
    if library.has_person_sharing and person and other:
        found = library.rows(
            """select 1 from person_user where "personGroupId" = %s and "sharedById" = %s and "sharedWithId" = %s""",
            person,
            user,
            other,
        )
        if not found:
            library.share_person(person, user, other)


def _unshare_person(world: World, user: str, number: int) -> None:
    if world.library.has_person_sharing:
        found = ids(
            world.library, 'select "personGroupId" from person_user where "sharedById" = %s order by "createdAt"', user
        )
        world.library.rows(
            'delete from person_user where "sharedById" = %s and "personGroupId" = %s', user, pick(found, number)
        )


def _leave_cluster(world: World, user: str, number: int) -> None:
    if world.library.has_people_groups:
        leave_cluster(world.library, user)


def _join_cluster(world: World, user: str, number: int) -> None:
    other = _others(world, user, number)
    if world.library.has_people_groups and other:
        join_cluster(world.library, user, other)


def _in_trash(do: Callable[[Library, str], None]) -> Later:
    def act(world: World, user: str, number: int) -> None:
        found = ids(
            world.library,
            """select id from asset where "ownerId" = %s and status = 'trashed' order by "originalFileName", id""",
            user,
        )
        if photo := pick(found, number):
            do(world.library, photo)

    return act


def _scan(world: World, user: str, number: int) -> None:
    """A scan finds a file in an external library of the user's, who has set one up if there was none."""
    library = world.library
    found = ids(library, 'select id from library where "ownerId" = %s and "deletedAt" is null order by id', user)
    library.asset(user, "scanned.jpg", library=pick(found, number) if found else library.library(user))


def _delete_library(world: World, user: str, number: int) -> None:
    """As library.service does: the photos one by one, then the library; or only the first step is done by now."""
    library = world.library
    found = ids(library, 'select id from library where "ownerId" = %s order by id', user)
    if not found:
        return
    gone = pick(found, number // 2)
    if number % 2:
        library.rows('update library set "deletedAt" = now() where id = %s', gone)
        return
    for asset in ids(library, 'select id from asset where "libraryId" = %s order by id', gone):
        delete_photo(library, asset)
    library.rows("delete from library where id = %s", gone)


MORE: dict[str, Later] = {
    "scan": _scan,
    "delete library": _delete_library,
    "purge": _in_trash(delete_for_good),
    "restore": _in_trash(
        lambda lib, photo: lib.rows("""update asset set status = 'active', "deletedAt" = null where id = %s""", photo)
    ),
    "unlock": lambda world, user, number: world.library.rows(
        """update asset set visibility = 'timeline' where "ownerId" = %s and visibility = 'locked'""", user
    ),
    "upload again": _upload,
    "into memory": _with_row("memory", _into_memory),
    "out of memory": _with_row("memory", _out_of("memory_asset", "memoriesId", "assetId")),
    "delete memory": _with_row(
        "memory", lambda lib, user, memory, n: lib.rows("delete from memory where id = %s", memory)
    ),
    "off link": _with_row(
        "shared_link", _out_of("shared_link_asset", "sharedLinkId", "assetId"), "and type = 'INDIVIDUAL'"
    ),
    "delete link": _with_row(
        "shared_link", lambda lib, user, link, n: lib.rows("delete from shared_link where id = %s", link)
    ),
    "partner's photo in memory": _shared(lambda lib, user, photo, n: lib.memory(user, [photo])),
    "partner's photo on link": _shared(_link),
    "end partner": lambda world, user, number: world.library.rows('delete from partner where "sharedById" = %s', user),
    "album link": _album_link,
    "into album": _into_album,
    "off album": _off_album,
    "cover": _cover,
    "comment": _comment,
    "delete comment": _delete_comment,
    "join album": _join_album,
    "leave album": _leave_album,
    "role": _role,
    "delete album": _delete_album,
    "new person": _with_face(_new_person),
    "share person": _share_person,
    "unshare person": _unshare_person,
    "leave cluster": _leave_cluster,
    "join cluster": _join_cluster,
    "tag cleanup": _job(clean_tags),
    "person cleanup": _job(clean_people),
    "delete account": lambda world, user, number: delete_account(world.library, user),
}
JOBS = ("thumbnails", "migration", "storage template", "duplicates", "tag cleanup", "person cleanup")

# Of LATER, what the sequences do in their own way: transfers, and what is more like Immich above.
HAPPENINGS = {name: act for name, act in (LATER | MORE).items() if name not in ("hand on", "again", "cluster")}
