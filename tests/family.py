"""A sample family: three people who share an Immich, with something of everything that a transfer meets.

Alice's album "Summer 2024", handed to Bob, shows nearly every rule; "Christmas 2023" what happens to people who stay
behind; the same album handed to Carol, what a quota and (from 3.2) a common cluster group change.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.library import Library, new_id

MIB = 1024 * 1024


@dataclass(frozen=True)
class Family:
    """The ids that tests ask for. People and things are Alice's, unless they are named after somebody else."""

    alice: str
    bob: str
    carol: str
    summer: str  # the album, shared with Bob, who has contributed to it
    favourites: str  # with a public link
    christmas: str  # private
    hiking: str  # Bob's, shared with Alice, who has contributed to it
    garden: str  # Carol's
    live: tuple[str, str]  # the still is in the album, the video is not

    # people in "Summer 2024", and what a transfer to Bob does to them
    emma: str  # TRANSFER
    noah: str  # TRANSFER; from 3.3 shared with Bob
    rose: str  # DUPLICATE; Carol knows her too
    tom: str  # MERGE
    anna: str  # TRANSFER: Bob's Anna was born in another year
    joe: str  # TRANSFER: hidden, and Bob's Joe is not
    leas: tuple[str, str]  # TRANSFER both: two of one name
    passer_by: str  # TRANSFER, without a name
    neighbour: str  # DUPLICATE, without a name
    bobs_tom: str
    carols_rose: str  # from 3.2 the same as rose


def build(library: Library, *, older_transfer: bool = False) -> Family:
    """Make the family.

    older_transfer adds what a transfer by hand leaves behind: a photo of Bob's in Alice's folder with Alice's people
    on it. Without it nothing crosses owners that should not.
    """
    alice = library.user("Alice", admin=True, label="admin")
    bob = library.user("Bob")
    carol = library.user("Carol", quota=100 * MIB)
    if library.has_people_groups:
        library.cluster(alice, carol)  # their faces are recognised together

    def at(day: str) -> datetime:
        return datetime.fromisoformat(day).replace(hour=10, minute=30, tzinfo=UTC)

    def photo(owner: str, name: str, day: str = "2024-07-12", size: float = 3.2, **rest: Any) -> str:
        """A photo of that name, taken on that day; size in MiB."""
        rest.setdefault("checksum", hashlib.sha1(name.encode()).digest())  # so that it looks the same in each sandbox
        return library.asset(owner, name, taken=at(day), size=int(size * MIB), **rest)

    def shows(person: str, *photos: str, left: int = 100, width: int = 120) -> str:
        """The person's faces on photos; the first becomes the person's picture."""
        box = (left, 80, left + width, 80 + width)
        for each in photos:
            library.face(each, person, box=box, featured=each is photos[0])
        return person

    # Photos. The first few have been filed by Immich's storage template, the others lie where they were uploaded.

    filed = "/data/library/admin/2024/07"
    beach = [photo(alice, f"IMG_{n}.HEIC", path=f"{filed}/IMG_{n}.HEIC", favorite=n == 4002) for n in range(4001, 4005)]
    beach += [photo(alice, f"IMG_{n}.HEIC", "2024-07-14", description="Ostia") for n in range(4005, 4011)]
    sunset = photo(alice, "VID_20240714_205512.mp4", "2024-07-14", 38, kind="VIDEO", encoded=True)
    live = library.live(alice, "IMG_4012.HEIC", taken=at("2024-07-14"), size=3 * MIB)
    sidecar = photo(alice, "DSC_0832.NEF", "2024-07-15", 24, sidecar=True)
    archived = photo(alice, "Screenshot_20240715-081207.png", "2024-07-15", 0.4, visibility="archive")
    forwarded = photo(alice, "IMG-20240716-WA0007.jpg", "2024-07-16", 0.3, duplicate=(pair := new_id()))
    original = photo(alice, "IMG_4020.HEIC", "2024-07-16", duplicate=pair)

    burst = [photo(alice, f"IMG_{n}.JPG", "2024-07-17") for n in (4031, 4032, 4033)]
    portrait = photo(alice, "PXL_20240718_171203554.jpg", "2024-07-18")
    other_portrait = photo(alice, "PXL_20240718_171204018.jpg", "2024-07-18")
    moving_portrait, _ = library.live(alice, "PXL_20240718_171205631.jpg", taken=at("2024-07-18"), size=3 * MIB)
    pier = [photo(alice, f"DSC_{n:04}.JPG", "2024-07-19") for n in (841, 842)]
    trashed = photo(alice, "DSC_0843.JPG", "2024-07-19", trashed=True)

    ice_cream, fountain = (hashlib.sha1(name.encode()).digest() for name in ("ice cream", "fountain"))
    copied = photo(alice, "IMG-20240720-WA0011.jpg", "2024-07-20", 0.5, checksum=ice_cream)
    copied_in_trash = photo(alice, "IMG-20240720-WA0012.jpg", "2024-07-20", 0.5, checksum=fountain)
    photo(bob, "20240720_150311.jpg", "2024-07-20", 0.5, checksum=ice_cream)
    photo(bob, "20240720_161855.jpg", "2024-07-20", 0.5, checksum=fountain, trashed=True)

    nas = library.library(alice, "NAS")
    external = photo(alice, "P7210044.JPG", "2024-07-21", library=nas, path="/mnt/photos/2024/P7210044.JPG")
    # Immich takes a photo out of its albums when it goes to the locked folder; older rows can still be there.
    locked = photo(alice, "IMG_4044.HEIC", "2024-07-21", visibility="locked")
    unfinished = photo(alice, "IMG_4045.HEIC", "2024-07-21")
    library.move_history(unfinished)
    deleting = photo(alice, "IMG_4046.HEIC", "2024-07-21", deleted=True)

    tree = [photo(alice, f"IMG_{n}.HEIC", "2023-12-24") for n in range(3301, 3306)]
    by_bob = tuple(photo(bob, f"2024071{day}_183022.jpg", f"2024-07-1{day}") for day in (2, 3, 4))
    summit = [photo(bob, f"20240504_1{n}4510.jpg", "2024-05-04") for n in range(1, 6)]
    hut = photo(alice, "IMG_3801.HEIC", "2024-05-04")
    roses = [photo(carol, f"DSCF{n}.JPG", "2024-06-02", 5) for n in range(2101, 2105)]

    # Stacks and albums

    library.stack(alice, burst, primary=burst[1])
    library.stack(alice, [portrait, other_portrait, moving_portrait])
    library.stack(alice, [*pier, trashed], primary=trashed)  # which stays, so this one is split

    inside = [*beach, sunset, live[0], sidecar, archived, forwarded, *burst, portrait, *pier]
    staying = [trashed, copied, copied_in_trash, external, locked, unfinished, deleting]
    summer = library.album(alice, "Summer 2024", [*inside, *staying, *by_bob], members={bob: "editor"}, cover=beach[1])
    favourites = library.album(alice, "Family favourites", [beach[1], tree[0], hut], cover=tree[0])
    christmas = library.album(alice, "Christmas 2023", tree, cover=tree[0])
    hiking = library.album(bob, "Hiking", [*summit, hut], members={alice: "editor"}, cover=summit[0])
    garden = library.album(carol, "Garden", roses)
    library.link(alice, album=favourites, slug="family-favourites")

    library.comment(summer, bob, "What a week!")
    library.comment(summer, bob, "This one for grandma's wall, please.", asset=beach[1])
    library.comment(summer, alice, "You look cold.", asset=by_bob[0])
    library.like(summer, bob, asset=beach[2])
    library.like(hiking, alice)

    # People

    emma = shows(library.person(alice, "Emma", birth="2015-03-09", favorite=True), *beach[:6], live[0], burst[1])
    noah = shows(library.person(alice, "Noah", birth="2018-11-23"), *beach[4:9], left=400)
    rose = shows(library.person(alice, "Grandma Rose", birth="1944-02-10"), *beach[1:4], *tree[:4], left=600, width=200)
    tom = shows(library.person(alice, "Tom Becker", birth="1979-08-01"), beach[7], sunset, tree[2], left=300)
    anna = shows(library.person(alice, "Anna", birth="1988-05-30"), pier[0], portrait, left=500)
    joe = shows(library.person(alice, "Uncle Joe", hidden=True), beach[9], left=700)
    leas = (
        shows(library.person(alice, "Lea"), burst[0], burst[2], left=250),
        shows(library.person(alice, "Lea"), beach[8], left=650),
    )
    passer_by = shows(library.person(alice), beach[5], left=800, width=40)
    neighbour = shows(library.person(alice), beach[3], hut, tree[4], left=850, width=50)
    statue = shows(library.person(alice), original, left=20)
    library.face(forwarded, statue, deleted=True)
    library.face(beach[0])  # found, and nobody yet
    library.face(trashed, rose)
    library.face(external, tom)
    if library.has_face_visibility:
        library.face(beach[2], tom, visible=False)

    bobs_tom = shows(library.person(bob, " tom becker"), *summit[:3], by_bob[0])
    shows(library.person(bob, "Anna", birth="2011-01-17"), *summit[2:4], left=300)
    shows(library.person(bob, "Uncle Joe"), by_bob[1], left=500)
    shows(library.person(bob, "Lea"), by_bob[2], summit[4], left=700)
    known = rose if library.has_people_groups else None
    carols_rose = shows(library.person(carol, "Grandma Rose", group=known), *roses[:3])
    if library.has_person_sharing:
        library.share_person(noah, by=alice, to=bob)

    # Tags, memories, links to single photos

    library.tag_assets(library.tag(alice, "Travel/Italy/Rome", color="#c0392b"), *beach[:4])
    library.tag_assets(library.tag(alice, "Travel/Italy"), *beach[4:6], copied)
    library.tag_assets(library.tag(alice, "To print"), beach[1], tree[0])
    library.tag_assets(library.tag(bob, "Travel/Italy"), by_bob[0])
    library.tag_assets(library.tag(bob, "Travel/Alps"), *summit)

    library.memory(alice, beach[:3])
    library.memory(alice, [beach[3], original, external], saved=True)
    library.memory(bob, by_bob)

    library.link(alice, assets=beach[6:8])
    library.link(alice, assets=[beach[8], tree[1]])  # one of the two stays
    library.link(bob, assets=summit[:2])

    # Who sees what else, and on which devices

    library.partner(by=alice, to=carol)
    library.partner(by=bob, to=alice)
    for user in (alice, alice, bob, carol):
        library.session(user)
    if older_transfer:
        _older_transfer(library, alice, bob, rose)
    library.settle_usage()

    return Family(
        *(alice, bob, carol, summer, favourites, christmas, hiking, garden, live),
        *(emma, noah, rose, tom, anna, joe, leas, passer_by, neighbour, bobs_tom, carols_rose),
    )


def _older_transfer(library: Library, alice: str, bob: str, rose: str) -> None:
    """Two photos whose owner was changed by hand: files, people and a person's picture were forgotten."""
    karl = library.person(alice, "Grandpa Karl")
    for number in (2201, 2202):
        name = f"IMG_{number}.HEIC"
        photo = library.asset(bob, name, size=3 * MIB, path=f"/data/library/admin/2022/08/{name}")
        library.face(photo, rose)
        library.face(photo, karl, box=(300, 80, 420, 200), featured_of=alice)
