"""The question which namesakes are the same people: all, none, or some of the pairs listed."""

from dataclasses import replace
from typing import Any

import pytest

import transfer
from tests.terminal import Installation, Terminal

pytestmark = pytest.mark.screens

BEN = transfer.User("b", "ben@example.com", "Ben")
PAIRS = tuple(
    transfer.Person(f"id{number}", name, transfer.DUPLICATE, 2, 1, merge_id=f"his{number}", merge_name=name.lower())
    for number, name in enumerate(("Oma", "Lea", "Max"), 1)
)


@pytest.fixture
def asked(monkeypatch, capsys):
    """asked(answers...): what ask_merges gives for these lines typed, and what was on the screen."""

    def run(*answers: str, pairs: tuple[transfer.Person, ...] = PAIRS) -> tuple[set[Any], str]:
        typed = iter(answers)
        monkeypatch.setattr("builtins.input", lambda *_: next(typed))
        by_name, by_face = transfer.ask_merges(pairs, BEN, "http://immich:2283")
        assert list(typed) == []
        return {*by_name, *by_face}, capsys.readouterr().out

    return run


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        *((yes, "123") for yes in ("y", "Y", "yes", "YES", "1,2,3")),
        *((no, "") for no in ("n", "N", "no", "No")),
        *(("1", "1"), ("3", "3"), ("1,3", "13"), ("3, 1", "13"), ("2 3", "23"), ("1;2", "12")),
        *(("1,1,1", "1"), ("01", "1"), (" 2 ,", "2")),
    ],
)
def test_all_none_or_some(asked, answer, chosen) -> None:
    assert asked(answer)[0] == {f"id{number}" for number in chosen}


WRONG = ["", "  ", "00", "4", "1,4", "1,0", "13", "-1", "3-1", "1-4", "1.5", "zz", "1 x", "y,1", "1,y", "²", "١"]


@pytest.mark.parametrize("wrong", [*WRONG, "yn", ",", ";,"])
def test_what_is_no_answer_is_asked_again(asked, wrong) -> None:
    chosen, screen = asked(wrong, "2")
    assert chosen == {"id2"}
    assert "Please answer y or n, or give numbers or names." in screen


@pytest.mark.parametrize(("answer", "chosen"), [("y", {"id1"}), ("n", set())])
def test_one_pair_is_not_asked_about_by_numbers(asked, answer, chosen) -> None:
    """And Enter merges nobody."""
    found, screen = asked("", "1", "9", answer, pairs=PAIRS[:1])
    assert found == chosen
    assert screen.count("Please answer y or n.") == 3
    assert "Is that the same person?" in screen


def test_the_pairs_are_numbered_with_what_is_known_of_both(asked) -> None:
    _, screen = asked("n", pairs=(replace(PAIRS[0], birth="1950-01-02"), replace(PAIRS[1], merge_birth="2001-02-03")))
    lines = [line.strip() for line in screen.splitlines() if line.startswith("  ")]
    assert lines[:3] == [
        "Ben <ben@example.com> already has people of these names:",
        "1. Oma (2 on these photos, 1 outside, born 1950-01-02)  =  oma (0 faces)",
        "2. Lea (2 on these photos, 1 outside)  =  lea (0 faces, born 2001-02-03)",
    ]


def test_who_looks_alike_is_asked_about_besides(asked) -> None:
    """And both are told then: by what they are called they would not be found again."""
    pairs = (
        replace(PAIRS[0], distance=0.71),
        replace(PAIRS[1], merge_name="", alike=transfer.FACE, distance=0.3149),
        replace(PAIRS[2], distance=0.1),
    )
    chosen, screen = asked("1", "", "y", pairs=pairs)
    assert chosen == {"id1", ("id2", "his2")}
    assert "=  oma (0 faces), does not look alike (0.71)\n" in screen and "=  max (0 faces)\n" in screen
    assert "Ben <ben@example.com> already has people who look like these:" in screen
    assert "1. Lea (2 on these photos, 1 outside)  =  without a name (0 faces), looks alike (0.31)" in screen
    assert screen.count("Please answer y or n.") == 1  # Enter is no answer


def test_without_a_pair_nothing_is_asked(asked) -> None:
    assert asked(pairs=()) == (set(), "")


def test_people_whom_an_earlier_run_made_are_shown_as_decided_and_not_asked_about(asked) -> None:
    remembered = replace(PAIRS[0], remembered=True)
    chosen, screen = asked("y", pairs=(remembered, PAIRS[1]))
    assert chosen == {"id2"}
    assert "so it is decided:\n    Oma  =  oma\n" in screen
    assert "1. Lea" in screen and "2." not in screen
    assert asked(pairs=(remembered,))[0] == set()


@pytest.mark.parametrize(("answer", "raised"), [("<", transfer.StepBack), ("0", transfer.Back)])
def test_back_from_the_pairs(asked, answer, raised) -> None:
    with pytest.raises(transfer.Back) as caught:
        asked(answer)
    assert type(caught.value) is raised


# ---- in the menu ----------------------------------------------------------------------------------------------------


def test_some_are_picked_in_the_menu(there: Installation) -> None:
    """Of three pairs the first and the third are merged; the second stays two."""
    library, photo, home = there.library, there.library.asset(there.alice), there.library.asset(there.bob)
    faces, theirs = {}, {}
    for name, number in (("Oma", 3), ("Lea", 2), ("Max", 1)):
        person = library.person(there.alice, name)
        faces[name] = [library.face(photo, person) for _ in range(number)][0]
        theirs[name] = library.person(there.bob, name)
        library.face(home, theirs[name], featured=True)
    library.album(there.alice, "Trip", [photo])
    library.settle_usage()
    with Terminal(there.path) as terminal:
        terminal.choose("4")
        terminal.answer("Number (1-4")
        screen = terminal.answer("y merges all", "1,4")
        assert [f"{number}. {name}" in screen for number, name in enumerate(faces, 1)] == [True] * 3
        assert "“1,4”" not in screen and "“4” fits no line of 1-3." in terminal.answer("y merges all", "oma, max")
        screen = terminal.answer("Type yes [menu]: ", "yes")
        assert "→ Oma (3 faces) [MERGE] into Oma" in screen
        assert "→ Lea (2 faces) [TRANSFER]" in screen
        assert "→ Max (1 face) [MERGE] into Max" in screen
        terminal.afterwards()
    merged = {name: library.person_of(faces[name]) == theirs[name] for name in faces}
    assert merged == {"Oma": True, "Lea": False, "Max": True}
