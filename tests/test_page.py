"""The page of a transfer: one file, whole in itself, in which a name is text whatever it is called."""

import base64
import csv
import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import transfer
from tests.library import Library
from tests.media import Media, png
from tests.terminal import EXACTLY, Installation, Terminal, installation

pytestmark = pytest.mark.long

VOID = {"meta", "img", "br", "link", "input", "hr"}
NASTY = "<script>alert('x')</script>\"&.jpg"
ALICE = transfer.User("a", "alice@example.com", "Alice")
BOB = transfer.User("b", "bob@example.com", "<b>Bob")


def colour(red: int) -> bytes:
    """A picture of one colour."""
    return png([[bytes((red, 90, 160))] * 32] * 32)


class Strict(HTMLParser):
    """Reads a page, and fails where a browser would have to guess."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), self.get_starttag_text()
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, (tag, self.open, self.getpos())

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "title"):
            self.text.append(data)

    def said(self) -> str:
        return " ".join(" ".join(self.text).split())


def read(text: str) -> Strict:
    """The page, which must be well-formed, have no script, and load nothing from anywhere."""
    page = Strict()
    page.feed(text)
    page.close()
    assert page.open == [] and text.startswith("<!DOCTYPE html>")
    for tag, attributes in page.tags:
        assert tag not in ("script", "iframe", "object", "embed", "link", "base", "form"), tag
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("src") or "data:image/").startswith("data:image/")
        if tag == "a":
            assert (attributes["href"] or "").startswith("http://immich")
    assert "url(" not in text and "@import" not in text
    return page


def shown(photos: list[transfer.Photo] | tuple[transfer.Photo, ...], **changed: Any) -> transfer.Page:
    inventory = transfer.Inventory(tuple(photos))
    page = transfer.Page(inventory, transfer.Report(), ALICE, BOB, "album Trip", "http://immich:2283")
    return replace(page, **changed)


def photo(number: int, name: str = "", day: str = "2024-07-12", **changed: Any) -> transfer.Photo:
    given = transfer.Photo(f"id{number}", name or f"IMG_{number}.jpg", day, moves=True, why="chosen")
    return replace(given, **changed)


# ---- what is written ------------------------------------------------------------------------------------------------


def test_a_name_is_text_whatever_it_is_called() -> None:
    person = transfer.Person("p1", NASTY, transfer.MERGE, 2, 0, "m1", NASTY, 4)
    inventory = transfer.Inventory(
        (photo(1, NASTY), photo(2, NASTY, moves=False, why="trashed"), photo(3, NASTY, why="live"))
    )
    report = transfer.Report(
        assets=2, people=(person, replace(person, id="p2", action=transfer.TRANSFER, merge_id=None, note=NASTY)),
        storage=(transfer.Storage(NASTY, 1, 2, 1),), along=(("live", NASTY),),
    )  # fmt: skip
    page = shown((), inventory=inventory, report=report, what=f"album {NASTY}")
    read_page = read(transfer.page_html(page))
    assert "<script>" not in transfer.page_html(page)
    assert read_page.said().count(NASTY) >= 12
    assert "become one person" in read_page.said()


def test_the_answer_and_the_warnings_come_first_and_the_numbers_last() -> None:
    report = transfer.Report(
        assets=1, people=(transfer.Person("p1", "Emma", transfer.TRANSFER, 2, 0),),
        lists={"albums_public": ("Trip",)}, storage=(transfer.Storage("bob@example.com", 1, 9, 5),),
    )  # fmt: skip
    said = read(transfer.page_html(shown([photo(1), photo(2, moves=False, why="trashed")], report=report))).said()
    places = [said.index(words) for words in (
        "Nothing is changed yet", "1 photo goes from Alice <alice@example.com> to <b>Bob <bob@example.com>; 1 photo",
        "A public link shows these photos, in album “Trip”", "over the quota", "Emma", "Photos that move",
        "Photos that stay", "In numbers", "Storage of bob@example.com",
    )]  # fmt: skip
    assert places == sorted(places)


@pytest.mark.parametrize(("a_day", "titles"), [(4, ["2024-07-01", "2024-07-02"]), (3, ["2024-07"])])
def test_days_with_few_photos_are_shown_by_month(a_day: int, titles: list[str]) -> None:
    photos = [photo(n, day=f"2024-07-{1 + n // a_day:02}") for n in range(2 * a_day)]
    assert re.findall(r"<h3>(\S+)", transfer.page_html(shown(photos))) == titles


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_cell_is_a_formula(start: str) -> None:
    """Not after blanks either, nor in the wide letters that spreadsheets take for the same."""
    wide = chr(ord(start) + 0xFEE0)
    for text in (f"{start}1+1", f"\t{start}1", f"  {start}1", f"\u3000{start}1", f"{wide}1", f" {wide}1"):
        assert transfer.csv_cell(text) == f"'{transfer.clean(text)}"
    assert transfer.csv_cell("IMG-1.jpg") == "IMG-1.jpg"


def test_direction_marks_and_line_ends_are_not_in_it() -> None:
    page = transfer.page_html(shown([photo(1, "a\u202egpj.exe\nb\x07.jpg")]))
    assert "agpj.exe b.jpg" in page


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (colour(1), "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"GIF89a", "image/gif"),
        (b"<svg onload='x'>", ""),
        (b"<html>", ""),
        (b"", ""),
    ],
)
def test_only_pictures_are_embedded(data: bytes, kind: str) -> None:
    assert transfer.picture_type(data) == kind
    found = transfer.gather_pictures([("assets", "id1", "x")], [lambda *_: b"", lambda *_: data])
    assert set(found) == ({"id1"} if kind else set())


def test_pictures_have_their_room(monkeypatch) -> None:
    data = colour(1)
    wanted = [("assets", f"id{number}", "") for number in range(9)]
    monkeypatch.setattr(transfer, "PAGE_BYTES", 3 * len(data) + 5)
    assert len(transfer.gather_pictures(wanted, [lambda *_: data])) == 3
    monkeypatch.setattr(transfer, "PICTURE_BYTES", len(data) - 1)
    assert transfer.gather_pictures(wanted, [lambda *_: data]) == {}


def test_ten_thousand_photos_are_the_first_of_each_day_and_names() -> None:
    first = datetime(2020, 1, 1, tzinfo=UTC)
    photos = [photo(n, day=(first + timedelta(days=n // 20)).strftime("%Y-%m-%d")) for n in range(10_000)]
    page = shown(photos)
    wanted = transfer.pictures_wanted(page.inventory, page.report)
    assert [whose for _kind, whose, _path in wanted] == [f"id{number}" for number in range(0, 10_000, 20)]
    text = transfer.page_html(page)
    parsed = read(text)
    assert sum(tag == "figure" for tag, _ in parsed.tags) == 500
    assert "IMG_20.jpg" in text and "IMG_21.jpg" not in text and "and 19 more" in text
    assert len(text) < 3_000_000


def test_the_csv_has_all_photos(tmp_path: Path) -> None:
    page = transfer.write_page(tmp_path, shown([photo(number) for number in range(999)]))
    with page.path.with_suffix(".csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))
    assert [line[2] for line in lines if line[0] == "moves"] == [f"IMG_{number}.jpg" for number in range(999)]


def test_the_files_are_their_owners_and_overwrite_nothing(tmp_path: Path) -> None:
    page = shown([photo(1)], what="album ../../etc/passwd " + "x" * 400)
    paths = {transfer.write_page(tmp_path / "transfers", page).path for _ in range(3)}
    assert len(paths) == 3
    for path in paths:
        assert path.parent == tmp_path / "transfers"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.with_suffix(".csv").stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(transfer.TransferError, match="could not be written"):
        transfer.write_page(tmp_path / "file", shown([photo(1)]))


# ---- what is collected ----------------------------------------------------------------------------------------------


def family(library: Library, anna: str, ben: str) -> tuple[str, dict[str, str]]:
    """An album with a live photo, a photo that Lea is on, and one in the trash; Ben has a Lea, too."""
    day = datetime(2024, 7, 12, 23, 30, tzinfo=UTC)
    still, video = library.live(anna, "live.heic", taken=day)
    names = {"still": still, "video": video, "plain": library.asset(anna, "plain.jpg", taken=day + timedelta(days=1))}
    names["trashed"] = library.asset(anna, "gone.jpg", trashed=True)
    lea, theirs = library.person(anna, "Lea"), library.person(ben, "lea")
    library.face(names["plain"], lea, featured=True)
    library.face(library.asset(ben, "his.jpg"), theirs, featured=True)
    return library.album(anna, "Trip", [still, names["plain"], names["trashed"]]), names | {"lea": lea, "his": theirs}


def test_what_moves_and_stays_is_listed_with_its_pictures(library, anna, ben, params) -> None:
    """On all schemas, in the transaction of the analysis, which a list changes nothing of."""
    album, names = family(library, anna, ben)
    lists: list[transfer.Inventory] = []
    request = transfer.Request(anna, ben, album)
    plain = transfer.transfer(params, request)
    report = transfer.transfer(params, request, transfer.How(listed=lists.append))
    assert report == plain
    (found,) = lists
    listed = {p.id: (p.name, p.day, p.moves, p.why) for p in found.photos}
    assert listed.pop(names["video"])[2:] == (True, "live")
    assert listed.pop(names["trashed"])[2:] == (False, "trashed")
    assert listed == {
        names["still"]: ("live.heic", "2024-07-12", True, "chosen"),
        names["plain"]: ("plain.jpg", "2024-07-13", True, "chosen"),
    }
    days = [p.day for p in found.photos]
    assert days == sorted(days)
    file = next(p.file for p in found.photos if p.id == names["plain"])
    assert file.endswith(f"{names['plain']}_thumbnail.webp")
    assert set(found.portraits) == {names["lea"], names["his"]}
    assert all(path.startswith("/data/thumbs/") for path in found.portraits.values())


def test_a_photo_without_a_thumbnail_is_listed_too(library, anna, ben, params) -> None:
    bare = library.asset(anna, "bare.jpg")
    library.rows('delete from asset_file where "assetId" = %s', bare)
    lists: list[transfer.Inventory] = []
    request = transfer.Request(anna, ben, library.album(anna, "Trip", [bare]))
    transfer.transfer(params, request, transfer.How(listed=lists.append))
    assert [(p.id, p.file) for p in lists[0].photos] == [(bare, "")]


# ---- in the menu ----------------------------------------------------------------------------------------------------


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("page")) as made:
        yield made


LAST = "Type yes [menu]: "


def up_to_the_end(terminal: Terminal, entry: str, end: str) -> str:
    terminal.choose(entry)
    terminal.answer("Number (1-4", "")
    terminal.answer("y merges", "n")
    return terminal.until(end)


def written(screen: str) -> Path:
    found = re.search(r"The page: (\S+\.html)", screen)
    assert found, screen
    return Path(found[1])


def pictures_in(page: Path) -> set[bytes]:
    return {base64.b64decode(found) for found in re.findall(r"base64,([A-Za-z0-9+/=]+)", page.read_text())}


@pytest.mark.screens
def test_one_key_writes_it_and_afterwards_it_says_what_was_done(there: Installation, tmp_path: Path) -> None:
    """The pictures come from the media folder; a symbolic link in it is not followed."""
    album, names = family(there.library, there.alice, there.bob)
    there.library.settle_usage()
    media = Media(there.library, tmp_path / "media")
    media.folder.mkdir()
    media.known()
    media.make()
    thumbs = {
        key: next((tmp_path / "media/thumbs").rglob(f"{names[key]}_thumbnail.webp")) for key in ("plain", "still")
    }
    thumbs["plain"].write_bytes(colour(200))
    secret = tmp_path / "secret.png"
    secret.write_bytes(colour(7))
    thumbs["still"].unlink()
    thumbs["still"].symlink_to(secret)
    there.save(media=str(media.folder))
    with Terminal(there.path) as terminal:
        assert "p page with pictures" in up_to_the_end(terminal, "4", LAST)
        terminal.type("p")
        path = written(terminal.until(LAST))
        before = path.read_text()
        assert "Nothing is changed yet" in before and "1 · " in before
        assert pictures_in(path) == {colour(200)}
        terminal.type("yes")
        assert "The page now shows what was done" in terminal.answer("[later]: ", "")
        terminal.afterwards()
    after = path.read_text()
    assert "Done:" in after and pictures_in(path) == {colour(200)}
    assert path.parent == there.path.parent / "transfers"
    assert re.search(r"^moves,\d,plain\.jpg,", path.with_suffix(".csv").read_text(encoding="utf-8-sig"), re.M)
    assert there.library.owner_of(names["plain"]) == there.bob


@pytest.mark.screens
@pytest.mark.parametrize("whose", ["alice", "bob", "root"])
def test_pictures_come_from_immich_where_the_key_is_their_owners(there: Installation, whose: str) -> None:
    _album, names = family(there.library, there.alice, there.bob)
    for path, number in (
        (f"/api/assets/{names['plain']}/thumbnail", 1),
        (f"/api/people/{names['lea']}/thumbnail", 2),
        (f"/api/people/{names['his']}/thumbnail", 3),
    ):
        there.immich.answer(path, 200, colour(number), {"Content-Type": "image/png"})
    user = {"alice": there.alice, "bob": there.bob, "root": there.root}[whose]
    there.library.rows('update "user" set "isAdmin" = true where id = %s', user)
    there.save(api_key=there.immich.key(user))
    with Terminal(there.path) as terminal:
        assert "p page with pictures" in up_to_the_end(terminal, "3", EXACTLY)
        terminal.type("p")
        screen = terminal.until(EXACTLY)
        path = written(screen)
    wanted = {"alice": {colour(1), colour(2)}, "bob": {colour(3)}, "root": set()}[whose]
    assert pictures_in(path) == wanted
    assert ("No pictures: this key is not of" in screen) is (whose == "root")
    assert there.library.owner_of(names["plain"]) == there.alice


def test_immich_is_left_in_peace_after_three_refusals() -> None:
    asked: list[str] = []

    class Refusing:
        def request(self, _method: str, url: str, **_: Any) -> Any:
            asked.append(url)
            raise OSError("no")

    immich = transfer.from_immich(transfer.Api("http://immich", Refusing()), frozenset("abcdef"))  # type: ignore[arg-type]
    assert transfer.gather_pictures([("assets", whose, "") for whose in "gabcdef"], [immich]) == {}
    assert len(asked) == 3
