"""The tool as a person meets it: set-up, transfer and repair from the menu; Ctrl-C and end of input everywhere."""

import os
import re
import socket
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import transfer
from tests.immich import Immich
from tests.terminal import PATIENCE, Installation, Terminal, installation, lines, number_of, piped

pytestmark = pytest.mark.screens

ENV_ASKED = "Path of Immich's .env file, if it is on this computer (Enter to skip): "
PASSWORD_NOT_ECHOED = "Database password (not shown): "


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Whatever is asked is asked here; nothing is changed by a test, which `unchanged` sees to."""
    with installation(tmp_path_factory.mktemp("terminal")) as made:
        fill(made)
        made.library.rows("create table extra (asset uuid references asset (id))")
        yield made


def fill(there: Installation) -> None:
    """Alice's "Trip" for Bob, who has a namesake of one of 22 people; Carol's photo with Dave's people, to repair."""
    library = there.library
    photos = [library.asset(there.alice, f"IMG_{number}.jpg") for number in range(3)]
    for number in range(21):
        library.face(photos[0], library.person(there.alice, f"Person {number:02}"))
    library.face(photos[1], library.person(there.alice, "Oma"))
    library.face(library.asset(there.bob), library.person(there.bob, "oma"))
    library.album(there.alice, "Trip", photos)
    carol, dave = library.user("Carol"), library.user("Dave")
    wrong = library.asset(carol, "wrong.jpg")
    for number in range(21):
        library.face(wrong, library.person(dave, f"Person {number:02}"))
    library.face(wrong, library.person(dave, "Opa"))
    library.face(library.asset(carol), library.person(carol, "Opa"))
    library.settle_usage()


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("terminal")) as made:
        fill(made)
        made.save()
        yield made


@pytest.fixture
def unchanged(shared: Installation) -> Iterator[Installation]:
    """The shared Immich; neither its database nor config.py may have changed afterwards."""
    shared.save()
    before, config = shared.library.snapshot(), shared.path.read_bytes()
    yield shared
    shared.immich.forget()
    shared.immich.idle()
    assert shared.library.snapshot() == before
    assert shared.path.read_bytes() == config
    assert shared.wait_for_no_session() == []


WANTED = {
    "Source user": "alice@example.com",
    "Albums of": "Trip",
    "Destination user": "bob@example.com",
    "Whose photos should be repaired?": "carol@example.com",
}


def reply(question: str, screen: str) -> str:
    """What a person who goes through with it would type, all but the word yes."""
    if "There is nothing to" in screen:
        return "0"
    for title, wanted in WANTED.items():
        if title in screen and "[back]" in question:
            return number_of(screen.split(title)[1], wanted)
    if question.startswith("Number (1-4"):
        return "1"
    if question.startswith("Do exactly this now?"):
        return "no"
    if "[later]" in question:
        return "yes"
    if "Type accept" in question:
        return "accept"
    if "(y/n" in question or "y merges" in question:
        return "y"
    raise AssertionError(f"nobody knows an answer to {question!r}:\n{screen}")


def go_on(terminal: Terminal, until: str) -> str:
    """Answer everything up to that question; all that was shown on the way."""
    shown = ""
    while True:
        question, screen = terminal.question()
        shown += screen
        if until in question:
            return shown
        terminal.type(reply(question, screen))


def settings(there: Installation, **changed: Any) -> list[tuple[str, str]]:
    """The questions of the set-up with the answers that fit."""
    database = {**there.params, **changed}
    return [
        (ENV_ASKED, ""),
        ("Immich address", changed.get("url", there.immich.url)),
        ("API key (not shown): ", changed.get("key", there.key)),
        ("Database host [", database["host"]),
        ("Database port [", str(database["port"])),
        ("Database name [", database["dbname"]),
        ("Database user [", database["user"]),
        (PASSWORD_NOT_ECHOED, database["password"]),
        ("Media folder", changed.get("media", "")),
    ]


def give(terminal: Terminal, answers: list[tuple[str, str]]) -> str:
    """Type these answers at these questions; all that was shown on the way."""
    shown = ""
    for start, answer in answers:
        question, screen = terminal.question()
        assert question.startswith(start.strip()), screen
        shown += screen
        terminal.type(answer)
    return shown


# Set-up


@pytest.fixture
def blank(unchanged: Installation, tmp_path: Path) -> Iterator[Path]:
    """Where there is no configuration yet."""
    yield tmp_path / "config.py"
    assert [name for name in os.listdir(tmp_path) if name.startswith(".config")] == []


def test_set_up_from_nothing(unchanged: Installation, blank: Path) -> None:
    with Terminal(blank) as terminal:
        terminal.answer("Run setup now? (y/n) [n]: ", "y")
        shown = give(terminal, settings(unchanged))
        screen = terminal.menu("1")
        assert "Alice <alice@example.com>" in terminal.menu("0")
        assert terminal.end()[0] == 0
        assert unchanged.key not in terminal.raw
        assert unchanged.params["password"] not in terminal.raw
    for default in ("Database host [localhost]", "Database port [5432]", "name [immich]", "user [postgres]"):
        assert default in shown
    assert f"Saved to {blank}" in " ".join(screen.split())
    assert "Immich 2.7.5 · 127.0.0.1 · root@example.com" in screen
    assert transfer.load_config(blank) == unchanged.config
    assert stat.S_IMODE(blank.stat().st_mode) == 0o600


def test_set_up_with_immichs_env_file(unchanged: Installation, blank: Path) -> None:
    env = blank.with_name("immich.env")
    env.write_text(
        f"DB_USERNAME={unchanged.params['user']}\nDB_DATABASE_NAME={unchanged.params['dbname']}\n"
        f"DB_PASSWORD='{unchanged.params['password']}'\n"
    )
    with Terminal(blank) as terminal:
        terminal.answer("Run setup now? (y/n) [n]: ", "y")
        for missing in ("/nonexistent/.env", str(blank.parent), "~nobody-of-that-name/.env"):
            terminal.answer(ENV_ASKED, missing)
            assert "cannot be read" in terminal.question()[1]
            terminal.type("other.env")
        terminal.answer(ENV_ASKED, str(env))
        screen = give(terminal, [*settings(unchanged)[1:5], settings(unchanged)[8]])
        terminal.menu("0")
        assert "Read from it: database name, database user, database password." in " ".join(screen.split())
        assert terminal.end()[0] == 0
        assert unchanged.params["password"] not in terminal.raw
    assert transfer.load_config(blank).database == unchanged.params


def test_an_env_file_without_a_password_leaves_the_rest_to_ask(unchanged: Installation, blank: Path) -> None:
    env = blank.with_name(".env")
    env.write_text(f"DB_DATABASE_NAME={unchanged.params['dbname']}\n")
    with Terminal(blank) as terminal:
        terminal.answer("Run setup now? (y/n) [n]: ", "y")
        terminal.answer(ENV_ASKED, str(env))
        give(terminal, settings(unchanged)[1:])
        terminal.menu("0")
    assert transfer.load_config(blank).database == unchanged.params


@pytest.mark.cases
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"url": "http://127.0.0.1:1"}, "Connection refused"),
        ({"key": "wrong-key-of-mine"}, "does not accept the API key"),
        ({"password": "wrong-secret"}, "password authentication failed"),
        ({"dbname": "no_such_database"}, 'database "no_such_database" does not exist'),
        ({"dbname": "postgres"}, "not Immich's database"),
        ({"media": "/tmp"}, "is not the media folder of this Immich"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_said_at_once_and_asked_again(
    unchanged: Installation, blank: Path, changed: dict[str, Any], sentence: str
) -> None:
    """Nobody answers nine questions to be told then that the first answer was wrong."""
    wrong, right = settings(unchanged, **changed), settings(unchanged)
    tried = {"url": 1, "key": 2, "media": 8}.get(next(iter(changed)), 7)
    with Terminal(blank) as terminal:
        terminal.answer("Run setup now? (y/n) [n]: ", "y")
        give(terminal, wrong[: tried + 1])
        question, screen = terminal.question()
        assert sentence in " ".join(screen.split())
        assert question.startswith(wrong[tried][0].partition(" (")[0].strip())
        assert not blank.exists()
        terminal.type("<" if "dbname" in changed else right[tried][1])
        if "dbname" in changed:
            give(terminal, [("Database user", "<"), *right[5:8]])
        give(terminal, right[tried + 1 :])
        terminal.menu("0")
        for secret in (unchanged.key, unchanged.params["password"], changed.get("key"), changed.get("password")):
            assert not secret or secret not in terminal.raw
    assert transfer.load_config(blank) == unchanged.config


def test_one_question_back(unchanged: Installation, blank: Path) -> None:
    right = settings(unchanged)
    with Terminal(blank) as terminal:
        terminal.answer("Run setup now? (y/n) [n]: ", "y")
        give(terminal, [(ENV_ASKED, "<"), *right[:2], ("API key", "<")])
        give(terminal, [*right[1:4], ("Database port", "<"), ("Database host", ""), *right[4:7]])
        give(terminal, [(PASSWORD_NOT_ECHOED, "<"), ("Database user", ""), right[7]])
        give(terminal, [("Media folder", "<"), *right[7:]])
        assert "Immich 2.7.5" in terminal.menu("0")
    assert transfer.load_config(blank) == unchanged.config


WRONG = {
    "Immich address": (
        "is not an address",
        ("ftp://host", "http://host:port", "http://ho st", "http://me:hunter2@host"),
    ),
    "API key": ("API key", ("", " ", "http://127.0.0.1:2283", "two words")),
    "Database host": ("without http://", ("http://127.0.0.1",)),
    "Database port": ("A port is a number from 1 to 65535.", ("x", "0", "65536", "-1", "5432.0", "5 432", "²", "٣")),
}


def test_what_cannot_be_right_is_asked_again_at_once(unchanged: Installation, blank: Path) -> None:
    """And what was typed is not shown again: it may be a secret at the wrong question."""
    with Terminal(blank) as terminal:
        terminal.answer("Run setup now? (y/n) [n]: ", "y")
        for start, right in settings(unchanged):
            words, wrong = next((found for asked, found in WRONG.items() if start.startswith(asked)), ("", ()))
            for text in wrong:
                give(terminal, [(start, text)])
                question, screen = terminal.question()
                assert words in screen
                assert question.startswith(start.split(" (")[0].strip())
                assert "hunter2" not in screen.partition("\n")[2]
                terminal.type(text)
            give(terminal, [(start, right)])
        assert "Immich 2.7.5" in terminal.menu("0")
    assert transfer.load_config(blank) == unchanged.config


@pytest.mark.cases
@pytest.mark.parametrize("text", ["it's", 'a"b\\n', "{x}%s", "pässwörd😀", " blanks "])
def test_odd_characters_of_a_password_are_saved_as_typed(unchanged: Installation, blank: Path, text: str) -> None:
    with Terminal(blank) as terminal:
        terminal.answer("Run setup now? (y/n) [n]: ", "y")
        give(terminal, [*settings(unchanged)[:7], (PASSWORD_NOT_ECHOED, text)])
        question, screen = terminal.question()
        if "password authentication failed" in screen:  # typed as it is, asked for anew as it is
            assert text.strip() not in screen
            terminal.interrupt()
            assert terminal.end()[0] == 130
            assert not blank.exists()
        else:  # a server that asks for no password
            terminal.type()
            terminal.menu("0")
            assert transfer.load_config(blank).database["password"] == text


# Reconfigure and clear


def test_reconfigure_keeps_on_enter(there: Installation) -> None:
    """All of DB_CONFIG, also what is never asked for."""
    config = there.save(database={**there.params, "sslmode": "prefer", "options": "-c lock_timeout=3s"})
    with Terminal(there.path) as terminal:
        terminal.menu("7")
        shown = give(terminal, [(start, "") for start, _ in settings(there)])
        assert "Saved to" in terminal.menu("0")
        assert there.key not in terminal.raw
        assert there.params["password"] not in terminal.raw
    assert f"[{there.immich.url}]" in shown
    assert transfer.load_config(there.path) == config


def test_reconfigure_keeps_the_other_name_of_the_database(there: Installation) -> None:
    """psycopg2 takes `database` for `dbname`, but not both."""
    params = {("database" if name == "dbname" else name): value for name, value in there.params.items()}
    there.save(database=params)
    with Terminal(there.path) as terminal:
        terminal.menu("7")
        give(terminal, [(start, "") for start, _ in settings(there)])
        question, screen = terminal.question()
        assert "Select option" in question, screen
        terminal.type("0")
    assert transfer.connect(transfer.load_config(there.path).database).info.dbname == there.params["dbname"]


def test_reconfigure_takes_effect_at_once(there: Installation, shared: Installation) -> None:
    with Terminal(there.path) as terminal:
        terminal.menu("7")
        give(terminal, settings(shared))
        there.immich.calls.clear()
        screen = terminal.menu("1")
        assert "Immich 2.7.5 · 127.0.0.1 · root@example.com" in screen
        terminal.menu("0")
    assert there.immich.calls == []
    assert transfer.load_config(there.path) == shared.config


def test_a_reconfiguration_that_fails_changes_nothing(unchanged: Installation) -> None:
    with Terminal(unchanged.path) as terminal:
        terminal.menu("7")
        give(terminal, settings(unchanged, dbname="postgres")[:8])
        terminal.until(PASSWORD_NOT_ECHOED)
        terminal.interrupt()
        screen = terminal.menu("1")
        assert "Nothing was changed." in screen
        assert "Alice" in terminal.menu("0")


def test_clear_config_takes_effect_at_once(there: Installation) -> None:
    with Terminal(there.path) as terminal:
        terminal.menu("8")
        terminal.answer("(y/n) [n]: ")  # Enter is no
        assert there.path.exists()
        terminal.menu("8")
        terminal.answer("(y/n) [n]: ", "y")
        screen = terminal.answer("Run setup now? (y/n) [n]: ", "n")
        assert f"Configuration not found or incomplete: {there.path}." in " ".join(screen.split())
        assert not there.path.exists()
        code, rest = terminal.end()
    assert code == 0
    assert "Immich 2.7.5" not in rest


def test_ctrl_c_after_the_configuration_was_cleared(there: Installation) -> None:
    """It is gone: neither may it be said that nothing was changed, nor may the tool go on with its key."""
    with Terminal(there.path) as terminal:
        terminal.menu("8")
        terminal.answer("(y/n) [n]: ", "y")
        terminal.until("Run setup now? (y/n) [n]: ")
        terminal.interrupt()
        index = terminal.child.expect(["Select option: ", "Bye", "There is no configuration"])
        screen = terminal.said.split("Run setup now?")[-1]
    assert not there.path.exists()
    assert "Nothing was changed" not in screen
    assert index != 0 or there.immich.url not in screen


# Redirections


@pytest.fixture
def other(unchanged: Installation) -> Iterator[Immich]:
    """The same Immich at another address."""
    with Immich(unchanged.params, "2.7") as immich:
        yield immich


def test_a_redirection_is_not_followed_but_its_address_can_be_given(
    unchanged: Installation, other: Immich, blank: Path
) -> None:
    unchanged.immich.redirect(other.url)
    with Terminal(blank) as terminal:
        terminal.answer("Run setup now? (y/n) [n]: ", "y")
        give(terminal, settings(unchanged)[:2])
        _question, screen = terminal.question()
        assert f"sends us on to {other.url}." in screen
        terminal.type(other.url)
        assert (blank.exists(), other.calls) == (False, [])
        give(terminal, settings(unchanged)[2:])
        assert "Immich 2.7.5 · 127.0.0.1" in terminal.menu("0")
    assert transfer.load_config(blank) == replace(unchanged.config, api_url=other.url)
    assert unchanged.key not in str(unchanged.immich.calls)


def test_a_login_page_gets_no_key(unchanged: Installation, blank: Path) -> None:
    """Of what stands before Immich; a key would travel to whoever runs it."""
    unchanged.immich.answer("/api", 302, b"", headers={"Location": "https://me.cloudflareaccess.com/login?kid=1"})
    with Terminal(blank) as terminal:
        terminal.answer("Run setup now? (y/n) [n]: ", "y")
        give(terminal, settings(unchanged)[:2])
        question, screen = terminal.question()
    words = " ".join(screen.split())
    assert "asks for a login first, at me.cloudflareaccess.com" in words and "API_HEADERS" in words
    assert question.startswith("Immich address")


def test_an_address_of_the_database_answers_all_its_questions(unchanged: Installation, blank: Path) -> None:
    """Wherever it is given."""
    p = unchanged.params
    url = f"postgresql://{p['user']}:{p['password']}@{p['host']}:{p['port']}/{p['dbname']}"
    for number in (3, 7):
        with Terminal(blank) as terminal:
            terminal.answer("Run setup now? (y/n) [n]: ", "y")
            give(terminal, [*settings(unchanged)[:number], (settings(unchanged)[number][0], url)])
            give(terminal, settings(unchanged)[8:])
            terminal.menu("0")
        assert {name: str(text) for name, text in transfer.load_config(blank).database.items()} == {
            name: str(text) for name, text in p.items()
        }
        blank.unlink()


# Transfer and repair, from the menu


def snapshot(there: Installation) -> dict[str, list[str]]:
    return there.library.snapshot()


def test_a_dry_run_changes_nothing(there: Installation) -> None:
    before = snapshot(there)
    with Terminal(there.path) as terminal:
        terminal.menu("3")
        shown = go_on(terminal, "Select option")
    assert "No changes were made. Before any, Immich makes a backup." in shown
    assert "oma (1 face)" in shown.casefold()
    assert "[MERGE]" in shown
    assert snapshot(there) == before
    assert [path for method, path, _ in there.immich.calls if method != "GET"] == []
    assert sorted(os.listdir(there.path.parent)) == ["config.py", "transfers"]
    assert [path.suffix for path in there.path.with_name("transfers").iterdir()] == [".txt"]


@pytest.mark.cases
@pytest.mark.parametrize(("merge", "merged", "transferred"), [("y", 1, 21), ("n", 0, 22)])
def test_an_execution(there: Installation, merge: str, merged: int, transferred: int) -> None:
    with Terminal(there.path) as terminal:
        terminal.menu("4")
        shown = go_on(terminal, "the same p")
        assert "Oma (1 face)  =  oma (1 face)" in shown
        terminal.type(merge)
        shown = go_on(terminal, "Type yes")
        assert "ALBUM TRANSFER ANALYSIS" in shown
        assert ("[MERGE] into oma" in shown) == bool(merged)
        assert re.search(r"Immich made a backup at \d\d:\d\d, just now \(1.2 MiB\).", shown)
        assert there.library.rows('select 1 from asset where "ownerId" = %s', there.alice)
        terminal.type("yes")
        done = go_on(terminal, "Select option")
        terminal.type("0")
        assert terminal.end()[0] == 0
    assert f"    • Assets transferred:  3\n    • Persons transferred: {transferred}\n" in done
    assert f"    • Persons merged:      {merged}\n" in done
    owners = dict(there.library.rows('select "originalFileName", "ownerId" from asset'))
    assert {owners[f"IMG_{number}.jpg"] for number in range(3)} == {there.bob}
    steps = " ".join(done.split("You:")[1].split())
    for words in (
        "Do not delete Alice's account yet: 9 files of Bob's lie in its folders",
        "on Alice's phone",
        "fetch everything again",
        "If Bob should see “Trip”, share it in Immich.",
    ):
        assert words in steps
    assert "✓ Jobs finished. ✓ Alice and Bob were told." in done
    assert "immich-db-backup-1-v2.7-pg14.sql.gz" in next(there.path.parent.glob("transfers/*.txt")).read_text()
    assert [(user, title) for user, title, _ in there.immich.notices] == [
        (there.alice, "Photos for Bob"),
        (there.bob, "Photos from Alice"),
    ]
    puts = {path: body for method, path, body in there.immich.calls if method == "PUT"}
    assert puts["/api/jobs/thumbnailGeneration"] == {"command": "start", "force": False}
    assert all(body == {"command": "start", "force": False} for body in puts.values())


@pytest.mark.long
@pytest.mark.cases
@pytest.mark.parametrize("answer", ["y", "YES", " yes ", "no", "yess", "yes please", "0", "'yes'"])
def test_anything_but_yes_changes_nothing(unchanged: Installation, answer: str) -> None:
    with Terminal(unchanged.path) as terminal:
        for entry in ("4", "6"):
            terminal.menu(entry)
            go_on(terminal, "Type yes")
            terminal.type(answer)
            assert "Nothing was changed." in terminal.until("Select option: ")
            terminal.type()
    assert not any(method == "PUT" for method, _, _ in unchanged.immich.calls)


def test_one_step_back_and_the_menu(unchanged: Installation) -> None:
    """Enter goes back to the question before where the brackets say so, < everywhere; 0 goes to the menu at once."""
    asked = ["Source user", "Albums of", "Destination user", "The album itself", "the same p", "Type yes"]
    with Terminal(unchanged.path) as terminal:
        for last in range(len(asked)):
            terminal.menu("4")
            for title in asked[:last]:
                question, screen = terminal.question()
                assert title in screen
                terminal.type(reply(question, screen))
            if asked[last] == "Type yes":
                terminal.answer("Type accept [menu]: ", "accept")
            for title in reversed(asked[:last]):
                question, screen = terminal.question()
                assert asked[asked.index(title) + 1] in screen
                terminal.type("" if "[back]" in question else "<")
            question, screen = terminal.question()
            assert asked[0] in screen
            terminal.type("" if last % 2 else "0")
            assert "Nothing was changed." in terminal.until("Select option: ")
            terminal.type()


def test_a_dry_run_is_done_exactly_as_shown(there: Installation) -> None:
    with Terminal(there.path) as terminal:
        terminal.menu("3")
        assert "No changes were made." in go_on(terminal, "Do exactly this now?")
        terminal.type("yes")
        done = go_on(terminal, "Select option")
        assert done.index("Immich made a backup at") < done.index("TRANSFER COMPLETED")
    assert there.library.value('select count(*) from asset where "ownerId" = %s', there.bob) == 4


def test_what_changed_after_a_dry_run_is_not_done(there: Installation) -> None:
    with Terminal(there.path) as terminal:
        terminal.menu("3")
        go_on(terminal, "Do exactly this now?")
        album = there.library.value("""select id from album where "albumName" = 'Trip'""")
        there.library.add_to_album(album, there.library.asset(there.alice, "late.jpg"))
        before = snapshot(there)
        terminal.type("yes")
        assert "Nothing was changed." in terminal.menu("0")
        assert terminal.end()[0] == 1
    assert snapshot(there) == before


def test_a_result_stays_until_enter(unchanged: Installation) -> None:
    """Also an error, and not what was typed before it was there."""
    with Terminal(unchanged.path, size=(24, 80)) as terminal:
        terminal.until("Select option: ")
        terminal.child.send("1\n\n\n0\n")
        assert "Alice <alice@example.com>" in terminal.until("Enter for the menu: ")
        terminal.type()
        terminal.until("Select option: ")
        unchanged.immich.hang_up("GET /api/albums")
        terminal.type("2")
        terminal.until("Enter for the menu: ")
        terminal.type()
        terminal.menu("0")


def test_a_repair(there: Installation) -> None:
    before = snapshot(there)
    with Terminal(there.path) as terminal:
        terminal.menu("5")
        shown = go_on(terminal, "Select option")
        assert "REPAIR ANALYSIS" in shown
        assert "No changes were made. Before any, Immich makes a backup." in shown
        assert snapshot(there) == before
        terminal.type("6")
        go_on(terminal, "Type yes")
        terminal.type("yes")
        done = go_on(terminal, "Select option")
        terminal.type("6")
        assert re.search(r"Persons transferred: 21\n +• Persons merged:      1\n", done)
        assert "✓ Jobs finished." in done
        assert "There is nothing to repair." in go_on(terminal, "Select option")


def test_the_list_of_users_says_where_something_is_wrong(unchanged: Installation) -> None:
    with Terminal(unchanged.path) as terminal:
        terminal.menu("1")
        shown = " ".join(go_on(terminal, "Select option").split())
    assert shown.index("2.0 KiB, no quota Dave") < shown.index("1 problem, see Repair (5)")


def test_what_takes_long_after_the_list_of_users_is_left_out_by_ctrl_c(
    unchanged: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the users, with their figures, stand there meanwhile."""
    seen: list[str] = []

    def interrupted(_config: object) -> None:
        seen.append(capsys.readouterr().out)
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer, "find_faults", interrupted)
    transfer.users_screen(transfer.first_state(unchanged.path))
    assert "2.0 KiB, no quota" in seen[0]
    assert "Not looked for." in capsys.readouterr().out


def test_busy_queues_are_named_before_the_question(unchanged: Installation) -> None:
    unchanged.immich.busy("facialRecognition", waiting=12, active=1)
    unchanged.immich.busy("search", waiting=1, active=0)
    with Terminal(unchanged.path) as terminal:
        terminal.menu("4")
        shown = " ".join(go_on(terminal, "Type yes").split())
        assert "Immich is busy: facialRecognition (13), search (1)." in shown
        assert shown.index("Immich is busy") < shown.index("Transfer 3 photos to Bob <bob@example.com>?")
        terminal.type("no")
        terminal.until("Select option: ")


@pytest.mark.long
@pytest.mark.parametrize("owner", ["root", "alice"])
def test_a_key_that_may_not_start_jobs(there: Installation, owner: str) -> None:
    """It says what to click, and the transfer is none the worse."""
    permissions = ["user.read", "album.read", "adminUser.read"]
    there.save(api_key=there.immich.key(getattr(there, owner), permissions))
    with Terminal(there.path) as terminal:
        terminal.menu("4")
        shown = " ".join(go_on(terminal, "Type yes").split())
        assert "may not see Immich's job queues" in shown
        terminal.type("yes")
        done = " ".join(go_on(terminal, "Select option").split())
    assert "Assets transferred: 3" in done
    assert "Generate Thumbnails > Missing" in done
    assert there.immich.started == []


def test_jobs_that_run_already(there: Installation) -> None:
    there.immich.busy("thumbnailGeneration")
    with Terminal(there.path) as terminal:
        terminal.menu("6")
        go_on(terminal, "Type yes")
        terminal.type("yes")
        go_on(terminal, "[later]")
        terminal.type("yes")
        terminal.until("(Ctrl-C: go on without waiting)")
        terminal.until("Immich is at work: thumbnailGeneration (4)")
        terminal.interrupt()
        terminal.until("Immich goes on with them")
        terminal.menu("0")


def test_immich_goes_away_after_the_commit(there: Installation) -> None:
    there.immich.hang_up("PUT /api/jobs")
    with Terminal(there.path) as terminal:
        terminal.menu("6")
        go_on(terminal, "Type yes")
        terminal.type("yes")
        done = " ".join(go_on(terminal, "Select option").split())
        terminal.type("0")
        assert terminal.end()[0] == 1  # they were asked for
    assert "REPAIR COMPLETED" in done
    assert "could not be started from here" in done
    assert "Nothing was changed" not in done


def test_wrong_numbers_are_asked_again(unchanged: Installation) -> None:
    with Terminal(unchanged.path) as terminal:
        for wrong in ("x", "99", "-1", "1.5", "²", "٣", "1 2", "10", ""):
            terminal.menu(wrong)
        terminal.menu("3")
        for wrong in ("x", "99", "-1", "²", "٣", "1e0"):
            terminal.answer("[back]: ", wrong)
        terminal.answer("[back]: ", "0")
        assert "Nothing was changed." in terminal.menu("0")
        assert (terminal.said.count("fits no line of 1-5."), terminal.said.count("“x” fits 5 lines")) == (5, 1)
        assert terminal.end()[0] == 0


# Ctrl-C and end of input at every question


def at_set_up(there: Installation) -> Callable[[str, str], str]:
    answers = dict(settings(there))

    def answer(question: str, screen: str) -> str:
        for start, text in answers.items():
            if question.startswith(start.strip()):
                return text
        return reply(question, screen)

    return answer


def leave(terminal: Terminal, how: str) -> None:
    if how == "Ctrl-C":
        terminal.interrupt()
    else:
        terminal.end_input()


def one_line(text: str, wanted: str) -> None:
    """One line and no more, less the line on which the person typed and the one that names the kept analysis."""
    named = ("Saved to:", "/transfers/")
    assert len([line for line in lines(text.partition("\n")[2]) if not any(word in line for word in named)]) == 1, text
    assert wanted in text
    assert "Traceback" not in text


LAST = ("Type yes", "Delete ", "Media folder")
FEWEST = {"3": 5, "4": 7, "5": 3, "6": 4, "7": 8, "8": 1}  # questions at least


@pytest.mark.long
@pytest.mark.cases
@pytest.mark.parametrize("entry", FEWEST)
def test_ctrl_c_at_every_question_goes_back_to_the_menu(unchanged: Installation, entry: str) -> None:
    """And while a question waits, the tool has no session in the database: nothing is held."""
    answer = at_set_up(unchanged)
    seen = 0
    with Terminal(unchanged.path) as terminal:
        terminal.until("Select option: ")
        at_last = False
        while not at_last:
            terminal.type(entry)
            for _ in range(seen):
                question, screen = terminal.question()
                terminal.type(answer(question, screen))
            question, _ = terminal.question()
            if "Select option" in question:
                break
            assert unchanged.wait_for_no_session() == [], question
            at_last = any(word in question for word in LAST)
            terminal.interrupt()
            back = terminal.until("Select option: ")
            assert "Stopped. Nothing was changed." in back and "Traceback" not in back
            seen += 1
        terminal.type("0")
        assert terminal.end()[0] == 0
    assert seen >= FEWEST[entry]


@pytest.mark.long
@pytest.mark.cases
@pytest.mark.parametrize("entry", ["4", "6", "7", "8"])
def test_end_of_input_at_every_question_ends_it(unchanged: Installation, entry: str) -> None:
    """The questions of 3 and 5 are among those of 4 and 6."""
    answer = at_set_up(unchanged)
    seen, at_last = 0, False
    while not at_last:
        with Terminal(unchanged.path) as terminal:
            terminal.menu(entry)
            for _ in range(seen):
                question, screen = terminal.question()
                terminal.type(answer(question, screen))
            question, _ = terminal.question()
            if "Select option" in question:
                break
            at_last = any(word in question for word in LAST)
            terminal.end_input()
            code, rest = terminal.end()
        assert code == 0, question
        one_line(rest, "End of input.")
        seen += 1
    assert seen >= FEWEST[entry]


@pytest.mark.parametrize(("how", "code", "words"), [("Ctrl-C", 130, "Stopped."), ("Ctrl-D", 0, "End of input.")])
def test_leaving_at_the_menu(unchanged: Installation, how: str, code: int, words: str) -> None:
    with Terminal(unchanged.path) as terminal:
        terminal.until("Select option: ")
        leave(terminal, how)
        found, rest = terminal.end()
    assert found == code
    one_line(rest, words)


@pytest.mark.long
@pytest.mark.parametrize(("how", "code", "words"), [("Ctrl-C", 130, "Stopped."), ("Ctrl-D", 0, "End of input.")])
def test_leaving_at_every_question_of_the_first_set_up(
    unchanged: Installation, blank: Path, how: str, code: int, words: str
) -> None:
    answers = [("Run setup now?", "y"), *settings(unchanged)]
    for number in range(len(answers)):
        with Terminal(blank) as terminal:
            give(terminal, answers[:number])
            question, _ = terminal.question()
            assert question.startswith(answers[number][0].strip())
            assert unchanged.wait_for_no_session() == []
            leave(terminal, how)
            found, rest = terminal.end()
            assert unchanged.params["password"] not in terminal.raw
        assert found == code
        one_line(rest, words)
        assert not blank.exists()


@pytest.mark.cases
@pytest.mark.parametrize("typed", ["", "1\n", "3\n", "7\n", "8\n", "nonsense\n", "\n\n\n"])
def test_the_end_of_a_pipe(unchanged: Installation, typed: str) -> None:
    result = piped(unchanged.path, typed)
    assert result.returncode == 0
    assert result.stderr == b""
    assert "End of input." in lines(result.stdout.decode())[-1]


# Ctrl-C during work


FOR_EVER = 900  # seconds: longer than any test waits, so that only Ctrl-C can have ended what takes so long


@pytest.fixture
def waiting(unchanged: Installation) -> Installation:
    """With settings by which the tool waits for rows of others for ever; else it would give up by itself."""
    there = replace(unchanged, path=unchanged.path.with_name("waiting.py"))
    there.save(database={**unchanged.params, "options": f"-c lock_timeout={FOR_EVER}s"})
    return there


def test_ctrl_c_while_a_dry_run_waits_for_a_row(waiting: Installation) -> None:
    with Terminal(waiting.path) as terminal:
        terminal.menu("3")
        go_on(terminal, "the same p")
        with waiting.locked():
            terminal.type("y")
            assert waiting.wait_for_lock_wait()
            terminal.interrupt()
            assert "Stopped." in terminal.until("Nothing was changed.")
            assert waiting.wait_for_no_session() == []
        terminal.menu("1")
        assert "Alice" in terminal.menu("0")


@pytest.mark.parametrize("entry", ["4", "6"])
def test_ctrl_c_while_an_execution_waits_for_a_row(waiting: Installation, entry: str) -> None:
    with Terminal(waiting.path) as terminal:
        terminal.menu(entry)
        go_on(terminal, "Type yes")
        with waiting.locked():
            terminal.type("yes")
            assert waiting.wait_for_lock_wait()
            terminal.interrupt()
            terminal.until("Nothing was changed.")
            assert waiting.wait_for_no_session() == []
        assert terminal.menu("0")
        assert terminal.end()[0] == 0


def test_ctrl_c_again_and_again(waiting: Installation) -> None:
    """An impatient person gets no traceback either."""
    with Terminal(waiting.path) as terminal:
        terminal.menu("3")
        go_on(terminal, "the same p")
        with waiting.locked():
            terminal.type("y")
            assert waiting.wait_for_lock_wait()
            for _ in range(3):
                terminal.interrupt()
            terminal.until("Stopped")
        assert "Stopped" in terminal.said
        assert "Traceback" not in terminal.said
        assert waiting.wait_for_no_session() == []


def test_ctrl_c_while_immich_does_not_answer(unchanged: Installation) -> None:
    with Terminal(unchanged.path) as terminal:
        terminal.until("Select option: ")
        unchanged.immich.delay(FOR_EVER)
        unchanged.immich.calls.clear()
        terminal.type("1")
        deadline = time.monotonic() + PATIENCE
        while not unchanged.immich.calls and time.monotonic() < deadline:
            time.sleep(0.01)
        terminal.interrupt()
        assert "Stopped." in terminal.until("Nothing was changed.")
        unchanged.immich.forget()
        terminal.menu("0")


def test_ctrl_c_while_the_database_does_not_answer(unchanged: Installation, tmp_path: Path) -> None:
    """A port that accepts and is silent, such as a firewall's."""
    path = tmp_path / "config.py"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = {**unchanged.params, "port": silent.getsockname()[1], "connect_timeout": FOR_EVER}
        transfer.save_config(path, replace(unchanged.config, database=database))
        with Terminal(path) as terminal:
            silent.settimeout(PATIENCE)
            connection, _ = silent.accept()
            with connection:
                terminal.interrupt()
                screen = terminal.until("Bye.")
                one_line(screen[screen.index("the database …") :], "Stopped.")
                assert terminal.end()[0] == 130
                assert "Traceback" not in terminal.said
