"""People of one name on both sides: merged when agreed and when it is sure who is meant."""

from datetime import date

import pytest

import transfer


def bens(library, ben: str, name: str, **facts) -> str:
    """A person of Ben's on a photo of his own."""
    person = library.person(ben, name, **facts)
    library.face(library.asset(ben), person, featured=True)
    return person


def pairs(runner, album: str) -> dict[str, str]:
    """What could be merged: Anna's person, Ben's. Asking changes nothing."""
    before = runner.library.snapshot()
    found = transfer.merge_pairs(runner.params, runner.request(album))
    assert runner.library.snapshot() == before
    return {person.id: person.merge_id for person in found}


def test_the_question_names_both_and_how_many_faces_they_have(library, photo, album, anna, ben, runner, params) -> None:
    hers, his = library.person(anna, "Oma"), bens(library, ben, "oma")
    library.face(photo, hers)
    library.face(library.asset(anna), hers)
    library.face(library.asset(ben), his, deleted=True)
    (person,) = transfer.merge_pairs(params, runner.request(album))
    assert (person.id, person.name, person.inside, person.outside) == (hers, "Oma", 1, 1)
    assert (person.merge_id, person.merge_name, person.merge_faces) == (his, "oma", 1)


def test_when_agreed_the_faces_go_to_the_namesake_and_the_emptied_person_goes(
    library, photo, album, anna, ben, move
) -> None:
    hers, his = library.person(anna, "Oma"), bens(library, ben, "Oma")
    face = library.face(photo, hers, featured=True)
    deleted = library.face(photo, hers, deleted=True)
    before = library.person_row(ben, his)
    report = move(album, merge=[hers])
    assert library.person_of(face) == library.person_of(deleted) == his
    assert library.person_row(anna, hers) is None
    assert library.person_row(ben, his) == before
    key = library.name("person_audit", "personGroupId") if library.has("person_audit", "personGroupId") else "personId"
    assert library.rows(f'select "{key}", "ownerId" from person_audit') == [(hers, anna)]
    (person,) = report.people
    assert (person.action, person.merge_id, report.faces) == ("MERGE", his, 2)


@pytest.mark.since("3.2")
def test_a_group_that_nobody_knows_any_more_goes(library, photo, album, anna, ben, move) -> None:
    hers, his = library.person(anna, "Oma"), bens(library, ben, "Oma")
    library.face(photo, hers)
    move(album, merge=[hers])
    assert library.rows("select id from person_group") == [(his,)]


def test_when_not_agreed_they_stay_two(library, photo, album, anna, ben, move) -> None:
    hers, his = library.person(anna, "Oma"), bens(library, ben, "Oma")
    face = library.face(photo, hers)
    report = move(album)
    assert library.person_of(face) != his
    assert library.person_row(ben, library.person_of(face))["name"] == "Oma"
    assert [person.action for person in report.people] == ["TRANSFER"]


def test_a_person_who_also_stays_is_merged_and_kept(library, photo, album, anna, ben, move) -> None:
    hers, his = library.person(anna, "Oma"), bens(library, ben, "Oma")
    face, home = library.face(photo, hers, featured=True), library.face(library.asset(anna), hers)
    move(album, merge=[hers])
    assert (library.person_of(face), library.person_of(home)) == (his, hers)
    assert library.person_row(anna, hers)["faceAssetId"] == home


def test_a_deleted_face_at_home_loses_its_link_when_the_person_was_merged_away(
    library, photo, album, anna, ben, move
) -> None:
    hers = library.person(anna, "Oma")
    bens(library, ben, "Oma")
    library.face(photo, hers)
    deleted = library.face(library.asset(anna), hers, deleted=True)
    move(album, merge=[hers])
    assert library.person_of(deleted) is None
    assert library.person_row(anna, hers) is None


@pytest.mark.cases
@pytest.mark.parametrize(
    ("hers", "his"),
    [
        ("Oma", "Oma"),
        ("Oma", "oMA"),
        ("  Oma ", "Oma"),
        ("Oma", "\tOma\n"),
        ("ÉMILIE ÇELİK"[:6], "émilie"),
        ("Ömer", "öMER"),
        ("ΣΟΦΙΑ", "σοφια"),
        ("Жанна", "жАННА"),
        ("100%", "100%"),
        ("a_b\\c", "A_B\\C"),
        ("E\u0301milie", "\u00e9milie"),
        ("Anna\u00a0\u3000Lena", "anna lena"),
        ("\uff2c\uff45\uff41", "Lea"),
        ("Stra\u00dfer", "STRASSER"),
        ("\u039d\u03af\u03ba\u03bf\u03c2", "\u039d\u038a\u039a\u039f\u03a3"),
    ],
)
def test_names_are_compared_as_people_compare_names(library, photo, album, anna, ben, hers, his, runner, move) -> None:
    source, target = library.person(anna, hers), bens(library, ben, his)
    face = library.face(photo, source)
    assert pairs(runner, album) == {source: target}
    move(album, merge=[source])
    assert library.person_of(face) == target
    assert library.person_row(ben, target)["name"] == his


@pytest.mark.cases
@pytest.mark.parametrize(
    ("hers", "his"),
    [("Oma", "Opa"), ("Oma", "Oma Lisa"), ("", ""), ("  ", ""), (" ", " "), ("a_b", "aXb"), ("100%", "1000")],
)
def test_other_names_and_empty_ones_are_no_pair(library, photo, album, anna, ben, hers, his, runner, move) -> None:
    source, target = library.person(anna, hers), bens(library, ben, his)
    face = library.face(photo, source)
    assert pairs(runner, album) == {}
    report = move(album, merge=[source])
    assert library.person_of(face) != target
    assert [(person.action, person.note) for person in report.people] == [("TRANSFER", "")]


@pytest.mark.parametrize(("hers", "his"), [("Zoe", "Zoë"), ("\u00c9mile", "emile"), ("Soren\u0301", "Soren")])
def test_names_that_differ_in_accents_only_are_a_pair_of_their_own(
    library, photo, album, anna, ben, hers, his, runner, move
) -> None:
    source, target = library.person(anna, hers), bens(library, ben, his)
    face = library.face(photo, source)
    (pair,) = transfer.merge_pairs(runner.params, runner.request(album))
    assert (pair.merge_id, pair.alike, pair.action) == (target, transfer.ACCENTS, "TRANSFER")
    move(album, merge=[source])
    assert library.person_of(face) == target


def test_a_namesake_comes_before_one_who_is_only_alike(library, photo, album, anna, ben, runner) -> None:
    """And who could be either of two, or has another birthday, is not asked about."""
    source = library.person(anna, "Zoë")
    library.face(photo, source)
    other, namesake = bens(library, ben, "Zoe"), bens(library, ben, "zoë")
    (pair,) = transfer.merge_pairs(runner.params, runner.request(album))
    assert (pair.merge_id, pair.alike) == (namesake, transfer.NAME)
    library.rows("update person set name = %s where name = %s", "Zoé", "zoë")
    assert transfer.merge_pairs(runner.params, runner.request(album)) == ()
    library.rows("update person set name = %s where name = %s", "Max", "Zoé")
    (pair,) = transfer.merge_pairs(runner.params, runner.request(album))
    assert (pair.merge_id, pair.alike) == (other, transfer.ACCENTS)
    library.rows("""update person set "birthDate" = case name when 'Zoe' then date '2001-01-01'
                    else date '2002-02-02' end""")
    assert transfer.merge_pairs(runner.params, runner.request(album)) == ()


@pytest.mark.parametrize(("typed", "merged"), [("", set()), ("n", set()), ("y", {"z"}), ("x y", {"z"})])
def test_enter_keeps_apart_who_is_only_alike(monkeypatch, capsys, typed, merged) -> None:
    answers = iter(["y", *(typed.split() or [""])])
    monkeypatch.setattr(transfer, "ask", lambda prompt: transfer.say(prompt) or next(answers))
    pairs = [
        transfer.Person("z", "Zoe", "TRANSFER", 2, 0, "t", "Zoë", 3, alike=transfer.ACCENTS),
        transfer.Person("l", "Lea", "TRANSFER", 2, 0, "s", "lea", 3),
    ]
    ben = transfer.User("b", "ben@example.com", "Ben")
    assert transfer.ask_merges(pairs, ben, "http://immich") == ({"l"} | merged, ())
    shown = capsys.readouterr().out
    assert "a namesake:" in shown and "differ in accents only:" in shown
    assert shown.count("[n]: ") == 1 + (typed == "x y")


# What is said of hers and of his, and of a further Oma; whether the two are a pair.
WHO_MAY = {
    "two in the selection": ({}, {}, "hers on the photo", False),
    "two at the destination": ({}, {}, "his", False),
    "birth dates": ({"birth": "1950-01-01"}, {"birth": "1950-01-02"}, "", False),
    "hers hidden": ({"hidden": True}, {}, "", False),
    "his hidden": ({}, {"hidden": True}, "", False),
    "both hidden": ({"hidden": True}, {"hidden": True}, "", True),
    "a deleted face of another": ({}, {}, "hers deleted", True),
    "another one elsewhere": ({}, {}, "hers elsewhere", True),
}


@pytest.mark.cases
@pytest.mark.parametrize("stays", [False, True], ids=["TRANSFER", "DUPLICATE"])
@pytest.mark.parametrize("why", WHO_MAY)
def test_in_doubt_they_stay_two_even_if_agreed_and_the_report_says_why(
    library, photo, album, anna, ben, why, stays, runner, move
) -> None:
    hers, his, more, fits = WHO_MAY[why]
    source, target = library.person(anna, "Oma", **hers), bens(library, ben, "Oma", **his)
    face, merge = library.face(photo, source), [source]
    if stays:
        library.face(library.asset(anna), source)
    if more == "his":
        bens(library, ben, "oma ")
    elif more:
        merge.append(library.person(anna, " OMA"))
        library.face(library.asset(anna) if "elsewhere" in more else photo, merge[1], deleted="deleted" in more)
    assert pairs(runner, album) == ({source: target} if fits else {})
    report = move(album, merge=merge)
    assert (library.person_of(face) == target) == fits
    assert all(bool(person.note) != fits for person in report.people)
    expected = "MERGE" if fits else "DUPLICATE" if stays else "TRANSFER"
    assert [person.action for person in report.people if person.id == source] == [expected]


@pytest.mark.parametrize(
    ("hers", "his", "then"),
    [
        ("1950-01-01", None, date(1950, 1, 1)),
        (None, "1950-01-02", date(1950, 1, 2)),
        ("1950-01-03", "1950-01-03", date(1950, 1, 3)),
        (None, None, None),
    ],
)
def test_a_birth_date_that_is_missing_is_taken_over(
    library, photo, album, anna, ben, hers, his, then, runner, move
) -> None:
    """All else is the namesake's own."""
    source = library.person(anna, "Oma", birth=hers, favorite=True, color="#ff0000")
    target = bens(library, ben, "Oma", birth=his, color="#0000ff")
    library.face(photo, source)
    assert pairs(runner, album) == {source: target}
    move(album, merge=[source])
    row = library.person_row(ben, target)
    assert (row["birthDate"], row["isFavorite"], row["color"]) == (then, False, "#0000ff")


def test_a_third_users_person_may_be_merged_and_stays_hers(library, photo, album, carla, ben, move) -> None:
    source, target = library.person(carla, "Oma", thumbnail=""), bens(library, ben, "Oma")
    face = library.face(photo, source)
    before = library.person_row(carla, source)
    move(album, merge=[source])
    assert library.person_of(face) == target
    assert library.person_row(carla, source) == before


def test_agreeing_to_a_person_who_is_not_concerned_does_nothing(library, photo, album, anna, ben, move) -> None:
    other, his = library.person(anna, "Oma"), bens(library, ben, "Oma")
    home = library.face(library.asset(anna), other)
    report = move(album, merge=[other, his])
    assert report.people == ()
    assert library.person_of(home) == other


def test_an_agreed_merge_whose_namesake_has_gone_stops_the_run(library, photo, album, anna, ben, runner) -> None:
    """Ben renamed his Oma between the question and the run."""
    source, target = library.person(anna, "Oma"), bens(library, ben, "Oma")
    library.face(photo, source)
    shown = runner.dry(album, merge=[source])
    library.rows(f"""update person set name = 'Anni' where "{library.name("person", "personGroupId")}" = %s""", target)
    before = library.snapshot()
    with pytest.raises(transfer.Changed):
        transfer.transfer(
            runner.params,
            runner.request(album, merge=[source]),
            transfer.How(dry_run=False, expected_digest=shown.digest),
        )
    assert library.snapshot() == before
