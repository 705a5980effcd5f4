"""Choosing on the screen: several at once, long lists, several conditions, and photos that are left out afterwards."""

import re
from datetime import UTC, datetime

import pytest

import transfer
from tests.terminal import CHOOSE, EXACTLY, MENU, Installation, Terminal

pytestmark = pytest.mark.long

ANY = "[any]: "


# What chooses which of nine lines; of the rest it is said that it fits none.
TYPED = {
    "3": [3],
    "1,3,5-8": [1, 3, 5, 6, 7, 8],
    " 2 ; 1,2,": [2, 1],
    "3 1": [3, 1],
    "1-9": [*range(1, 10)],
    "1,x": [1],
}
NONE = ["0", "10", "8-10", "3-1", "1-2-3", "-3", "", "9" * 5000]


@pytest.mark.parametrize(("typed", "numbers"), (TYPED | dict.fromkeys(NONE, [])).items())
def test_numbers_are_typed_as_people_write_them(typed, numbers) -> None:
    found, unfit = transfer.picked(typed, [f"line {letter}" for letter in "abcdefghj"])
    assert ([number + 1 for number in found], unfit) == (numbers, ["x"] if "x" in typed else [] if numbers else [typed])


ALIKE = {
    "Straße": "STRASSE",
    "e\u0301cole": "\u00c9COLE",
    "Anna\u00a0\u3000Lena": " anna lena",
    "\uff2c\uff45\uff41": "lea",
}


@pytest.mark.parametrize(("one", "other"), ALIKE.items())
def test_names_are_the_same_whatever_their_case_blanks_and_codes(one, other) -> None:
    assert transfer.folded(one) == transfer.folded(other)
    assert transfer.folded("Zoe") != transfer.folded("Zoë")


def choosing(monkeypatch, capsys, answers: list[str], *options: str, **how) -> tuple[list[int], str]:
    typed = iter(answers)
    monkeypatch.setattr(transfer, "ask", lambda prompt: transfer.say(prompt) or next(typed))
    chosen = transfer.choose_some("Things", options, **how)
    assert next(typed, None) is None
    return chosen, capsys.readouterr().out


def test_of_a_long_list_the_first_are_shown_and_its_last_entries_stay(monkeypatch, capsys) -> None:
    many = [f"Album {number}" for number in range(1, 46)]
    chosen, shown = choosing(monkeypatch, capsys, ["+", "47"], *many, "Tag …", "All …", always=2)
    assert chosen == [46]
    first, everything = shown.split("Choose (")[:-1]
    assert "  20. Album 20\n" in first and " 21. " not in first and "… 25 more" in first
    assert everything.count("Album") == 45 and "more" not in everything.split("+ for all")[1]
    assert shown.count("  46. Tag …") == shown.count("  47. All …") == 2


def test_letters_narrow_a_long_list_and_numbers_stay(monkeypatch, capsys) -> None:
    many = [f"Summer {year}" for year in range(1990, 2025)]
    many[7] = "Straße nach Rom"
    answers = ["winter", "SUMMER 201", "all"]
    chosen, shown = choosing(monkeypatch, capsys, answers, *many)
    assert "“winter” fits no line of 1-35." in shown and "“SUMMER 201” fits 10 lines" in shown
    assert re.findall(r"(\d+)\. Summer 201", shown) == [str(number) for number in range(21, 31)]
    assert chosen == list(range(35))
    assert choosing(monkeypatch, capsys, ["strasse"], *many)[0] == [7]


def test_a_short_list_says_what_it_takes(monkeypatch, capsys) -> None:
    chosen, shown = choosing(monkeypatch, capsys, ["x", "1,3", "1-2"], "One", "Two", "Other …", always=1)
    assert chosen == [0, 1]
    assert "“x” fits no line of 1-3." in shown
    assert "Options 3-3 can't be combined; choose one." in shown
    assert "+ for all" not in shown and "(1,2, names" in shown
    chosen, _ = choosing(monkeypatch, capsys, ["1,2", "2"], "One", "Two", several=False)
    assert chosen == [1]


NAMED = {"trip": [0], "rome": [2], "Trip 2, tour": [1, 2], "3, trip": [2, 0], "all": [0, 1, 2]}


@pytest.mark.parametrize("typed", NAMED)
def test_names_choose_as_numbers_do(monkeypatch, capsys, typed: str) -> None:
    options = "Trip (2 items)", "Trip 2 (1 item)", "Tour of Rome"
    assert choosing(monkeypatch, capsys, [typed], *options)[0] == NAMED[typed]


def test_what_fits_nothing_is_named_and_the_rest_stays(monkeypatch, capsys) -> None:
    """Enter takes what was chosen so far; more can be added."""
    for then, chosen in (("", [0]), ("2", [0, 1])):
        found, shown = choosing(monkeypatch, capsys, ["one, elevn, o", then], "One", "Orca", "Four")
        assert found == chosen
        assert "“elevn” fits no line of 1-3." in shown and "“o” fits 2 lines: type more of it." in shown
        assert "Chosen so far: One." in shown and "[these]: " in shown


def test_an_empty_list_says_what_that_means(monkeypatch, capsys) -> None:
    assert choosing(monkeypatch, capsys, [], may_be_any=True, empty="(there are no tags)")[0] == []
    with pytest.raises(transfer.StepBack):
        choosing(monkeypatch, capsys, [], empty="(there are no tags)")
    assert "(there are no tags)" in capsys.readouterr().out


def test_albums_of_one_name_are_told_apart() -> None:
    albums = [
        transfer.Album(str(n), name, "a", n, made=f"2024-0{n}-01") for n, name in enumerate(("Trip", "trip ", "Sea"), 1)
    ]
    assert transfer.album_lines(albums) == [
        "Trip (1 item, made 2024-01-01)",
        "trip (2 items, made 2024-02-01)",
        "Sea (3 items)",
    ]


def test_people_without_a_clear_name_can_be_looked_at() -> None:
    people = [transfer.KnownPerson(str(n), name, n, birth) for n, (name, birth) in enumerate(
        (("Lea", "2001-02-03"), ("Tom", ""), ("tom", ""), ("", "")), 1
    )]  # fmt: skip
    assert transfer.people_lines(people, "http://immich") == [
        "Lea (1 photo, born 2001-02-03)",
        "Tom (2 photos)  http://immich/people/2",
        "tom (3 photos)  http://immich/people/3",
        "Unknown (4 photos)  http://immich/people/4",
    ]


# ---- in the menu ----------------------------------------------------------------------------------------------------


@pytest.mark.screens
def test_several_albums_and_two_photos_that_stay_after_all(there: Installation) -> None:
    photos = [there.library.asset(there.alice, f"IMG_{number}.jpg") for number in range(5)]
    albums = [
        there.library.album(there.alice, name, photos[n : n + 2]) for n, name in ((0, "One"), (1, "Two"), (3, "Six"))
    ]
    there.library.settle_usage()
    with Terminal(there.path) as terminal:
        terminal.menu("3")
        terminal.pick("Source user", "alice@")
        terminal.until("1. One")
        terminal.answer(CHOOSE, "1,3")
        terminal.pick("Destination user", "bob@")
        terminal.answer("Number (1-4", "4")
        screen = terminal.until("Assets to transfer: 3") + terminal.until(EXACTLY)
        assert "ALBUM TRANSFER ANALYSIS" in screen
        terminal.type("l")
        terminal.answer(CHOOSE, "nothing.jpg")
        terminal.until("“nothing.jpg” fits no line of 1-3.")
        terminal.answer(CHOOSE, "img_1.JPG")
        screen = terminal.until("Assets to transfer: 2") + terminal.answer(EXACTLY, "d") + terminal.until(EXACTLY)
        assert "1 left out" in screen and "1 photo: left out, as you asked" in screen and "IMG_1.jpg" in screen
        terminal.type("l")
        terminal.answer(CHOOSE, "2")
        terminal.until("Assets to transfer: 1")
        terminal.answer(EXACTLY, "yes")
        terminal.until("Assets transferred:  1")
        terminal.afterwards()
    assert [there.library.owner_of(photo) for photo in photos] == [there.bob] + [there.alice] * 4
    assert [there.library.album_owner(album) for album in albums] == [there.bob, there.bob, there.alice]


@pytest.mark.screens
def test_several_conditions_are_asked_one_after_another(there: Installation) -> None:
    library, alice = there.library, there.alice
    lea = library.person(alice, "Lea")
    facts = {"both": (12, True), "early": (1, True), "other": (12, False)}
    photos = {
        name: library.asset(alice, f"{name}.jpg", taken=datetime(2024, 7, day, 12, tzinfo=UTC))
        for name, (day, _) in facts.items()
    }
    for number, name in enumerate(name for name, (_, is_hers) in facts.items() if is_hers):
        library.face(photos[name], lea, featured=not number)
    library.album(alice, "Trip", photos.values())
    library.settle_usage()
    with Terminal(there.path) as terminal:
        terminal.menu("3")
        terminal.pick("Source user", "alice@")
        terminal.pick("Albums of", "Photos of people")
        terminal.answer(ANY, "")  # albums
        assert "(there are no tags)" in terminal.until("People of")
        terminal.answer(ANY, "1")
        terminal.answer("From date (", "12.7.2024")
        terminal.until("Please give a day as YYYY-MM-DD")
        terminal.answer("From date (", "2024-07-10")
        terminal.answer("To date (", "2024-07-01")
        terminal.until("That is before 2024-07-10.")
        terminal.answer("To date (", "<")
        terminal.answer("From date (", "2024-07-10")
        terminal.answer("To date (", "")
        terminal.answer("Only favourites?", "")
        terminal.pick("Destination user", "bob@")
        screen = terminal.until("Assets to transfer: 1") + terminal.until(EXACTLY)
        assert "Alice → Bob, photos of Lea, from 2024-07-10" in terminal.said
        assert "PHOTO TRANSFER ANALYSIS" in screen
        terminal.type("yes")
        terminal.until("Assets transferred:  1")
        terminal.afterwards()
        terminal.menu("9")
        assert "photos of Lea, from 2024-07-10" in terminal.until(CHOOSE)
        terminal.type("0")
        terminal.until(MENU)
    assert {name for name, photo in photos.items() if library.owner_of(photo) == there.bob} == {"both"}


@pytest.mark.screens
def test_no_condition_at_all_is_not_everything(there: Installation) -> None:
    there.library.asset(there.alice)
    with Terminal(there.path) as terminal:
        terminal.menu("3")
        terminal.pick("Source user", "alice@")
        terminal.pick("Albums of", "Photos of people")
        terminal.answer("From date (", "")
        terminal.answer("To date (", "")
        terminal.answer("Only favourites?", "")
        terminal.until("that would be everything")
        terminal.answer("To date (", "0")
        terminal.until(MENU)
