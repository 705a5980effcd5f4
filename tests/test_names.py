"""Names are whatever people type. None of it may be read as SQL, as a format, or as a pattern."""

import pytest

NAMES = [
    'it\'s "quoted" ``x``',
    "'; drop table asset; --",
    "100% %s %(source)s %%",
    "back\\slash \\' \\n {0} {name} $1 $$",
    "👨\u200d👩\u200d👧 family 🏔",
    "tab\tnewline\nbell\x07escape\x1b[31m",
    "\u202eright to left\u202c",
    "Ünïcödé ß ẞ İ ı ﬁ",
    " leading and trailing ",
    "a_b%c",
]


@pytest.mark.cases
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_goes_through_unchanged(library, carla, name, move) -> None:
    """Of users, albums, photos, people, tags, and in comments."""
    giver, taker = library.user(name, email="giver@example.com"), library.user(name, email="taker@example.com")
    photo, stays = library.asset(giver, name), library.asset(giver, f"{name}2")
    blocked = library.asset(giver, name, visibility="locked")
    album = library.album(giver, name, [photo, blocked], members={carla: "editor"})
    library.comment(album, carla, name, asset=photo)
    library.link(giver, assets=[photo], slug=name)
    leaves, remains = library.person(giver, name), library.person(giver, f"{name} 2")
    namesake = library.person(taker, name.upper() if name.upper().lower() == name.lower() else name)
    library.face(library.asset(taker), namesake, featured=True)
    faces = [library.face(photo, leaves), library.face(photo, remains)]
    library.face(stays, remains)
    library.tag_assets(library.tag(giver, name), photo)

    report = move(album, source=giver, destination=taker, merge=[leaves])
    assert library.owner_of(photo) == taker
    assert report.stays == (("locked", (name,)),)
    assert report.listed("albums_unseen") == (name,)
    assert {(person.name, person.action) for person in report.people} == {(name, "MERGE"), (f"{name} 2", "DUPLICATE")}
    assert library.person_of(faces[0]) == namesake
    assert library.person_row(taker, library.person_of(faces[1]))["name"] == f"{name} 2"
    assert library.rows('select value from tag where "userId" = %s', taker) == library.rows(
        'select value from tag where "userId" = %s', giver
    )


def test_two_users_of_one_name_are_told_apart(library, move) -> None:
    first, second, third = (library.user("Kim", email=f"kim{number}@example.com") for number in range(3))
    photo, others = library.asset(first), library.asset(third)
    report = move(library.album(first, "Trip", [photo, others]), source=first, destination=second)
    assert [library.owner_of(a) for a in (photo, others)] == [second, third]
    assert [s.email for s in report.storage] == ["kim0@example.com", "kim1@example.com"]
