"""What an undo tells: what could not be given back, and what a person should look at next."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import transfer
from tests.conftest import model_versions
from tests.library import Library
from tests.random_library import ask, delete_person, file_photos

SERVER = transfer.Server("3.3.0", "id", "admin@example.com", True, False, ())


@pytest.fixture(params=model_versions())
def library(request, pool) -> Iterator[Library]:
    """One version of each way to keep people."""
    with pool.library(request.param) as library:
        yield library


@pytest.fixture
def past(runner, scene, tmp_path) -> transfer.Past:
    """The scene's album was handed over."""
    request = replace(runner.request(scene.album, merge=[scene.oma]), album_itself=transfer.ALBUM_HANDED_OVER)
    transfer.transfer(runner.params, request, transfer.How(dry_run=False, undo_folder=tmp_path))
    return transfer.list_past(runner.params, tmp_path)[0]


def told(runner, past: transfer.Past, report: transfer.Report, capsys, monkeypatch) -> str:
    """The analysis and the end of an undo, as shown."""
    monkeypatch.setattr(transfer, "job_chores", lambda *_: [])
    state = transfer.State(past.path.parent / "config.py", transfer.Config("", "", runner.params))
    transfer.show_result("UNDO", transfer.undo_sheet(report, past).blocks)
    transfer.show_done(transfer.undo_done(state, None, report, past))
    return " ".join(capsys.readouterr().out.split())


def test_an_undo_of_what_nobody_touched_has_lost_nothing(runner, past, capsys, monkeypatch) -> None:
    report = transfer.undo(runner.params, past.path, transfer.How(dry_run=True))
    assert report.lost == ()
    shown = told(runner, past, report, capsys, monkeypatch)
    assert "cannot be given back" not in shown
    assert "lie in its folders" not in shown


def test_what_cannot_be_given_back_is_named(library, runner, scene, past, capsys, monkeypatch) -> None:
    """A memory and a link that are gone, an album that was handed on, a stack of which the rest was taken apart."""
    library.rows("delete from memory where id = %s", scene.memory)
    library.rows("delete from shared_link where id = %s", scene.link)
    if library.has_album_owner_rows:
        ask(library, "delete from album_user where <album_user.userId> = %s", scene.carla)
        ask(
            library,
            "update album_user set <album_user.userId> = %s where <album_user.albumId> = %s and role = 'owner'",
            scene.carla,
            scene.album,
        )
    else:
        library.rows('update album set "ownerId" = %s where id = %s', scene.carla, scene.album)
    report = transfer.undo(runner.params, past.path, transfer.How(dry_run=True))
    album = library.value('select "albumName" from album where id = %s', scene.album)
    assert {what: len(names) for what, names in report.lost} == {"album": 1, "memory": 1, "link": 1}
    assert dict(report.lost)["album"] == (album,)
    shown = told(runner, past, report, capsys, monkeypatch)
    for words in ("1 album stays as it is", album, "1 memory does not get all", "1 public link does not get"):
        assert words in shown
    assert shown.count("cannot be given back") == 2, "before it, and after it"


def test_what_comes_back_and_what_stays_of_albums_and_links_is_named(
    library, runner, scene, tmp_path, capsys, monkeypatch
) -> None:
    """A copy that somebody liked since, a link to the album that became somebody else's."""
    library.rows('update shared_link set description = %s where "albumId" = %s', "For all of you", scene.album)
    library.rows("update shared_link set slug = %s where id = %s", "lake", scene.link)
    request = replace(runner.request(scene.album, merge=[scene.oma]), album_itself=transfer.ALBUM_HANDED_OVER)
    transfer.transfer(runner.params, request, transfer.How(dry_run=False, undo_folder=tmp_path))
    past = transfer.list_past(runner.params, tmp_path)[0]
    copy = library.value('select id from asset where "ownerId" = %s and "originalFileName" = \'twin.jpg\'', scene.ben)
    library.like(scene.album, scene.carla, asset=copy)
    shown = told(runner, past, transfer.undo(runner.params, past.path, transfer.How(dry_run=True)), capsys, monkeypatch)
    for words in (
        "links that show their photos again: 4 without a name",
        "For all of you lake •",
        "• Albums given back: 1",
        "1 photo put into an album by the run: twin.jpg: Trip '26",
        "• Public links that show their photos again: 4 without a name",
    ):
        assert words in shown
    library.rows('update shared_link set "userId" = %s where "albumId" = %s', scene.carla, scene.album)
    report = transfer.undo(runner.params, past.path, transfer.How(dry_run=True))
    assert dict(report.lost)["link"] == ("",)


def test_a_person_of_the_run_whose_photo_stays_is_not_lost(library, runner, scene, past) -> None:
    """Nobody misses a person without a photo."""
    delete_person(library, scene.ben, library.person_of(scene.faces["lea"]))
    report = transfer.undo(runner.params, past.path, transfer.How(dry_run=True))
    assert "person" not in dict(report.lost)


def test_files_that_a_job_moved_are_counted(library, runner, scene, past, capsys, monkeypatch) -> None:
    """The storage template has put the originals into Ben's folder: deleting his account would take them."""
    file_photos(library)
    report = transfer.undo(runner.params, past.path, transfer.How(dry_run=True))
    assert report.assets == scene.moving
    done = transfer.undo(runner.params, past.path, transfer.How(dry_run=False, expected_digest=report.digest))
    shown = told(runner, past, done, capsys, monkeypatch)
    assert re.search("Do not delete Ben's account yet: [0-9]+ files of Anna's lie in its folders", shown)


@pytest.mark.parametrize(
    ("version", "words"),
    [("2.7.5", "until Immich is upgraded to 3.0."), ("3.1.0", "until Immich is upgraded to 3.2."), ("3.3.0", "")],
)
@pytest.mark.screens
def test_with_which_upgrade_an_undo_ends(version, words) -> None:
    config = transfer.Config("http://localhost", "key", {})
    shown = transfer.undoable(transfer.State(Path("config.py"), config, replace(SERVER, version=version)))
    assert words in shown
    assert ("upgrade" in shown) == bool(words)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("undone", "It was taken back already, or never finished. There is nothing left to do."),
        ("under way", "It has not ended yet. Look again in a minute."),
        ("damaged", "Its undo file is damaged. Restore that file"),
    ],
)
@pytest.mark.screens
def test_why_a_run_cannot_be_taken_back(state, words, tmp_path, capsys) -> None:
    config = transfer.Config("http://localhost", "key", {})
    with pytest.raises(transfer.TransferError) as caught:
        transfer.undo_action(transfer.Past(tmp_path / "x", {}, state), transfer.State(tmp_path, config), None)
    transfer.show_error(caught.value)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith("✗ That run cannot be taken back.")
    assert all(part in shown for part in words.split(" … "))
