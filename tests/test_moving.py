"""Moving files as a person does it: the menu entry, the offers after a transfer and its undo, the media folder."""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import transfer
from tests.media import Media
from tests.terminal import Installation, Terminal, installation

pytestmark = [pytest.mark.screens, pytest.mark.long]


@dataclass(frozen=True)
class House:
    """An Immich with its media folder."""

    there: Installation
    media: Media

    def lying(self) -> int:
        """Files that lie in other users' folders."""
        found = transfer.list_lying(self.there.params)
        return sum(sum(kinds.values()) for kinds in (found or {}).values())

    def give(self) -> None:
        """A transfer by hand: Alice's photos become Bob's."""
        self.there.library.rows(
            'update asset set "ownerId" = %s where "ownerId" = %s', self.there.bob, self.there.alice
        )


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Alice has three photos in an album, one with a sidecar; all files are there."""
    with installation(tmp_path_factory.mktemp("moving")) as there:
        folder = there.path.parent / "immich"
        folder.mkdir()
        media = Media(there.library, folder)
        media.known()
        photos = [there.library.asset(there.alice, f"{n}.jpg", sidecar=n == 0) for n in range(3)]
        there.library.album(there.alice, "Trip", photos)
        media.make()
        there.save(media=str(folder))
        yield House(there, media)


FILES = 3 * 3 + 1  # each photo's original, preview and thumbnail; a sidecar


def moved(terminal: Terminal) -> str:
    """Menu entry 10, gone through with; no jobs. What was shown after the yes."""
    terminal.menu("10")
    terminal.answer("Type yes", "yes")
    return terminal.answer("[later]: ", "n")


def after(terminal: Terminal, answer: str) -> str:
    """What is said once it is answered what is to be done besides, up to the menu, which is left."""
    screen = terminal.answer("[later]: ", answer)
    return " ".join((screen + terminal.menu("0")).split())


# ---- the menu entry -------------------------------------------------------------------------------------------------


def test_nothing_to_move(house: House) -> None:
    with Terminal(house.there.path) as terminal:
        terminal.menu("10")
        assert "Every file lies in its owner's folders." in terminal.menu("0")


def test_a_look_then_the_move(house: House) -> None:
    house.give()
    before, rows = house.media.files(), house.media.paths()
    with Terminal(house.there.path) as terminal:
        terminal.menu("10")
        screen = terminal.answer("Type yes", "no")
        words = " ".join(screen.split())
        assert "3 originals, 1 sidecar, 3 thumbnails, 3 previews" in words
        assert "in the folders of Alice <alice@example.com>" in words
        assert f"{FILES} files to move" in words
        terminal.until("Nothing was changed.")
        assert (house.media.files(), house.media.paths()) == (before, rows)
        screen = moved(terminal)
        assert f"✓ {FILES} files moved" in screen
        assert house.lying() == 0
        assert sorted(house.media.contents().values()) == sorted(before.values())
        assert sorted(house.media.files().values()) == sorted(before.values())
        terminal.menu("0")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_whatever_lies_where_the_verdict_and_the_keys_are_on_one_screen(house: House, columns: int) -> None:
    """Hundreds of users' files, some of which stay for each reason; `d` names them all."""
    library, alice = house.there.library, house.there.alice
    house.give()
    for number in range(60):
        user = library.user(f"Somebody {number}")
        for folder in (f"/data/upload/{alice}/a", f"/photos/{number}"):
            library.asset(user, f"{number}.jpg", path=f"{folder}/{number}.jpg")
    house.media.make()
    with Terminal(house.there.path, size=(24, columns)) as terminal:
        terminal.menu("10")
        question, screen = terminal.question()
        screen = screen.rpartition("FILE ANALYSIS")[2]  # once more, with the backup
        words = " ".join(screen.split())
        assert screen[screen.index("✓") :].count("\n") < 24, screen
        assert f"{FILES + 60} files to move" in words and "Stay where they are: 60 files: its path" in words
        assert "d details" in words and question.endswith("[menu]:")
        terminal.type("d")
        assert "58.jpg" in terminal.question()[1]


def test_without_the_folder_it_says_what_the_jobs_leave(house: House) -> None:
    house.there.save()
    house.give()
    with Terminal(house.there.path) as terminal:
        terminal.menu("10")
        screen = terminal.answer("Media folder (Enter to skip): ")
        terminal.answer("[later]: ", "yes")
        rest = " ".join(terminal.menu("0").split())
    assert "storage template is off, so they leave where they are: originals, sidecars" in " ".join(screen.split())
    assert "there remain: • Of Bob <bob@example.com>, in the folders of Alice <alice@example.com>: 3 originals" in rest
    assert {"thumbnailGeneration", "migration"} <= set(house.there.immich.started)
    assert house.lying() == FILES


def test_the_folder_can_be_given_when_it_is_needed(house: House) -> None:
    house.there.save()
    house.give()
    with Terminal(house.there.path) as terminal:
        terminal.menu("10")
        terminal.answer("Media folder (Enter to skip): ", "/nonexistent/immich")
        screen = terminal.answer("Media folder (Enter to skip): ", str(house.media.folder))
        assert "is not a folder on this computer" in screen
        terminal.answer("Type yes", "no")
        terminal.menu("0")
    assert transfer.load_config(house.there.path).media == str(house.media.folder)


def test_where_it_cannot_be_told_no_account_is_called_safe(house: House) -> None:
    library = house.there.library
    library.asset(house.there.bob, "old.jpg", path="/photos/old.jpg")
    with Terminal(house.there.path) as terminal:
        terminal.menu("1")
        screen = " ".join(terminal.menu("10").split())
        assert "Of 1 file it cannot be told in whose folders" in screen
        screen = " ".join(terminal.menu("1").split())
        assert "Of Bob <bob@example.com>, and it cannot be told in whose folders: 1 original" in screen
        assert "every file lies" not in screen.lower()
        library.rows("""update "user" set "storageLabel" = '..' where id = %s""", house.there.alice)
        terminal.menu("1")
        screen = " ".join(terminal.menu("10").split())
        assert "Whose files lie in whose folders cannot be told: a storage label" in screen
        assert "another storage label" in " ".join(terminal.menu("0").split())


# ---- after a transfer -----------------------------------------------------------------------------------------------


def test_a_transfer_offers_to_move_the_files_and_its_undo_to_move_them_back(house: House) -> None:
    before, rows = house.media.files(), house.media.paths()
    with Terminal(house.there.path) as terminal:
        terminal.hand_over_trip()
        said = after(terminal, "files")
        assert f"To finish: move {FILES} files into Bob's folder · two of Immich's jobs · tell both" in said
        assert f"✓ {FILES} files moved, each checked." in said
        assert "Do not delete" not in terminal.said and "Migration" not in terminal.said
    assert house.lying() == 0
    assert sorted(house.media.contents().values()) == sorted(before.values())
    with Terminal(house.there.path) as terminal:
        terminal.menu("9")
        terminal.pick("Transfers and repairs", "Trip")
        terminal.answer("Type yes", "yes")
        assert f"move {FILES} files into Alice's folder · two of Immich's jobs" in after(terminal, "1")
    assert (house.media.files(), house.media.paths()) == (before, rows)


def test_files_that_were_not_moved_are_a_reason_to_keep_the_account(house: House) -> None:
    with Terminal(house.there.path) as terminal:
        terminal.hand_over_trip()
        screen = after(terminal, "")
    assert f"Do not delete Alice's account yet: {FILES} files of Bob's lie in its folders" in screen
    assert house.lying() == FILES


def test_a_folder_that_has_gone_does_not_hide_that_the_transfer_is_made(house: House) -> None:
    house.media.folder.rename(house.media.folder.with_name("elsewhere"))
    with Terminal(house.there.path) as terminal:
        terminal.hand_over_trip()
        screen = terminal.until("[later]: ")
    assert "Assets transferred:  3" in screen
    assert "cannot be opened" in screen


# ---- what goes wrong ------------------------------------------------------------------------------------------------


def answer(monkeypatch: Any) -> None:
    """The move is made, and no job is started."""
    monkeypatch.setattr("builtins.input", iter(["yes", "n"]).__next__)


@pytest.fixture
def state(house: House, monkeypatch: Any) -> transfer.State:
    """The menu's state in this process, with the answers that go through with it."""
    answer(monkeypatch)
    monkeypatch.setenv(transfer.ANSWERS_FROM_PIPE, "yes")
    house.give()
    api = transfer.open_api(house.there.immich.url, house.there.key)
    config = transfer.load_config(house.there.path)
    return transfer.State(house.there.path, config, transfer.check_server(api, config.database))


def test_ctrl_c_in_a_move_does_not_say_that_nothing_was_changed(
    house: House, state: transfer.State, monkeypatch: Any
) -> None:
    link, made = os.link, []

    def stops(*names: Any) -> None:
        if len(made) == 4:
            raise KeyboardInterrupt
        made.append(names)
        link(*names)

    before = house.media.contents()
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", stops)
        patch.setattr(transfer, "BATCH_FILES", 2)
        with pytest.raises(transfer.MoveStopped) as caught:
            transfer.files_screen(state)
    assert "What has moved is complete" in caught.value.todo
    assert house.media.contents().keys() == {(row, owner) for row, owner in before}
    assert 0 < house.lying() < FILES
    answer(monkeypatch)
    transfer.files_screen(state)
    assert house.lying() == 0
    assert sorted(house.media.files().values()) == sorted(before.values())


def test_a_move_that_breaks_off_in_the_menu(house: House) -> None:
    """A journal that cannot be written is noticed before anything moves, a row that is locked on the way."""
    house.give()
    with Terminal(house.there.path) as terminal:
        terminal.menu("10")
        with house.there.locked():
            terminal.answer("Type yes", "yes")
            assert house.there.wait_for_lock_wait()
            terminal.interrupt()
            screen = terminal.until("Select option: ")
        assert "The move of files was stopped. " in " ".join(screen.split())
        assert "Nothing was changed" not in screen
        assert house.there.wait_for_no_session() == []
        terminal.type("10")
        terminal.answer("Type yes", "yes")
        assert f"✓ {FILES} files moved" in terminal.answer("[later]: ", "n")
        terminal.menu("0")
    assert (house.lying(), len(house.media.files())) == (0, FILES)


def test_an_interrupted_move_is_named_and_finished(
    house: House, state: transfer.State, monkeypatch: Any, capsys: Any
) -> None:
    def stops(*_names: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # as if the power had gone
        patch.setattr(transfer, "settle", lambda *_: 0)
        patch.setattr(transfer, "_change_paths", stops)
        with pytest.raises(transfer.MoveStopped):
            transfer.files_screen(state)
    assert len(house.media.files()) == 2 * FILES  # the new names are made, no row says them
    capsys.readouterr()
    answer(monkeypatch)
    transfer.files_screen(state)
    said = capsys.readouterr().out
    assert f"{FILES} files had to be put where the database says: a move of files" in " ".join(said.split())
    assert "name is taken" not in said and "+1" not in said  # what it lists is what then happens
    assert (house.lying(), len(house.media.files())) == (0, FILES)


def test_a_move_that_a_full_disk_stops_has_failed(
    house: House, state: transfer.State, monkeypatch: Any, capsys: Any
) -> None:
    def full(*_names: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    transfer.TERMINAL.failed = False
    transfer.files_screen(state)
    assert "No space left" in capsys.readouterr().out
    assert transfer.TERMINAL.failed  # and so the exit code is not 0


@pytest.mark.parametrize("choice", ["1", "10", "11"])
def test_files_in_use_are_taken_off_the_report_of_untracked_files_at_every_look(house: House, choice: str) -> None:
    library = house.there.library
    library.rows("create table integrity_report (type varchar, path varchar)")  # as from 3.0 on
    for path in ("/data/upload/untracked.jpg", min(house.media.paths().values())):
        library.rows("insert into integrity_report (type, path) values ('untracked_file', %s)", path)
    with Terminal(house.there.path) as terminal:
        terminal.menu(choice)
        if choice == "11":
            terminal.pick("Account that is to be deleted", "alice@")
        said = " ".join(terminal.menu("0").split())
    assert "named 1 file in use, which 'Delete all' there would have deleted. It is off that report now." in said
    assert library.rows("select path from integrity_report") == [("/data/upload/untracked.jpg",)]


def test_new_missing_files_are_an_alarm(house: House, state: transfer.State, capsys: Any) -> None:
    looks: list[str] = []

    def look(name: str) -> None:
        looks.append(name)
        if looks.count("integrity-missing-files") == 2:
            house.there.immich.integrity["missing_file"] = 3

    house.there.immich.version = "3.1"
    house.there.immich.on_job = look
    transfer.files_screen(state)
    said = " ".join(capsys.readouterr().out.split())
    assert "Immich now misses 3 files more than before the move" in said


def test_no_new_missing_files_are_said_too(house: House, state: transfer.State, capsys: Any) -> None:
    house.there.immich.version = "3.1"
    house.there.immich.integrity["missing_file"] = 3
    transfer.files_screen(state)
    said = " ".join(capsys.readouterr().out.split())
    assert "each checked. Immich misses 3, as before." in said
    assert "Immich now misses" not in said


# ---- the set-up -----------------------------------------------------------------------------------------------------


def set_up(house: House, terminal: Terminal, env: Path) -> None:
    there = house.there
    terminal.menu("7")
    env.write_text(
        f"UPLOAD_LOCATION=./immich\nDB_USERNAME={there.params['user']}\nDB_DATABASE_NAME={there.params['dbname']}\n"
        f"DB_PASSWORD='{there.params['password']}'\n"
    )
    terminal.answer("Path of Immich's .env file", str(env))
    for question in ("Immich address", "API key"):
        terminal.answer(question, "")


def test_the_env_file_names_the_folder(house: House) -> None:
    house.there.save()
    with Terminal(house.there.path) as terminal:
        set_up(house, terminal, house.media.folder.with_name(".env"))
        terminal.answer(f"Media folder [{house.media.folder}]: ", "")
        assert "Saved to" in terminal.menu("0")
    assert transfer.load_config(house.there.path).media == str(house.media.folder)


def test_a_folder_on_another_computer_is_not_taken(house: House) -> None:
    house.there.save()
    elsewhere = house.media.folder.parent / "elsewhere"
    elsewhere.mkdir()
    with Terminal(house.there.path) as terminal:
        set_up(house, terminal, elsewhere / ".env")
        screen = terminal.answer("Media folder (Enter to skip): ", "")
        assert "is not a folder on this computer" in " ".join(screen.split())
        terminal.menu("0")
    assert transfer.load_config(house.there.path).media == ""


def test_another_folder_is_refused_at_once(house: House) -> None:
    other = house.media.folder.with_name("other")
    other.mkdir()
    with Terminal(house.there.path) as terminal:
        set_up(house, terminal, house.media.folder.with_name(".env"))
        terminal.answer("Media folder [", str(other))
        screen = " ".join(terminal.answer("Media folder [", "-").split())
        assert "is not the media folder of this Immich" in screen
        terminal.menu("0")
    assert transfer.load_config(house.there.path).media == ""
