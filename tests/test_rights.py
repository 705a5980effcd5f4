"""A database user who may do what the tool does and no more; what that user lacks is said before anything is asked."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import transfer
from tests import postgres, rights
from tests.conftest import Runner, Scene, problems
from tests.library import Library
from tests.terminal import Installation, Terminal, installation
from tests.test_move_files import handed_over, known_media


@pytest.fixture
def role(library: Library) -> Iterator[dict[str, Any]]:
    """The settings of a user who has the README's rights; nobody else has any."""
    name = postgres.server().unique("least")
    library.rows(f"revoke temporary on database {library.connection.info.dbname} from public")
    for statement in rights.statements(library, name):
        library.rows(statement)
    yield {**postgres.server().params(library.connection.info.dbname), "user": name, "password": rights.PASSWORD}
    library.rows(f"drop owned by {name}")
    library.rows(f"drop role {name}")
    library.rows(f"grant temporary on database {library.connection.info.dbname} to public")


@pytest.mark.every_version
def test_the_rights_of_the_readme_suffice(
    library: Library, scene: Scene, runner: Runner, role: dict[str, Any], tmp_path: Path
) -> None:
    """For a transfer, its undo, a repair, and a move of files."""
    folder = tmp_path / "transfers"
    transfer.require_changeable(role, folder)
    replace(runner, params=role).move(scene.album, merge=[scene.oma])
    how = transfer.How(dry_run=False, undo_folder=folder)
    request = runner.request(scene.other_album)
    transfer.transfer(role, replace(request, album_itself=transfer.ALBUM_HANDED_OVER), how)
    [past] = transfer.list_past(role, folder)
    transfer.undo(role, past.path, transfer.How(dry_run=False))
    library.rows('update asset set "ownerId" = %s where id = %s', scene.anna, scene.lake)
    transfer.repair(role, scene.anna, how)
    assert not {problem for problem in problems(library) if problem.startswith("face")}
    disk = known_media(library, role, tmp_path)
    handed_over(disk, scene.anna, scene.ben)
    assert disk.run().files
    assert disk.undo().files


@pytest.mark.parametrize(
    ("taken", "missing"),
    [
        (["update on asset"], ['UPDATE ON "asset"']),
        (["delete on stack, tag"], ['DELETE ON "stack", "tag"']),
        (["insert, update on person"], ['INSERT, UPDATE ON "person"']),
        (["insert on person_audit"], ['INSERT ON "person_audit"']),
        (
            ["update on asset_face, library", "delete on stack"],
            ['UPDATE ON "asset_face", "library"', 'DELETE ON "stack"'],
        ),
    ],
    ids=str,
)
def test_each_missing_right_is_named(
    library: Library, role: dict[str, Any], tmp_path: Path, taken: list[str], missing: list[str]
) -> None:
    for each in taken:
        library.rows(f"revoke {each} from {role['user']}")
    with pytest.raises(transfer.RightsMissing) as caught:
        transfer.require_changeable(role, tmp_path / "transfers")
    for each in missing:
        assert f"GRANT {each} TO {role['user']}" in caught.value.why
    assert caught.value.why.count("GRANT") == len(missing)


def test_the_right_to_make_temporary_tables_is_named(library: Library, role: dict[str, Any], tmp_path: Path) -> None:
    library.rows(f"revoke temporary on database {role['dbname']} from {role['user']}")
    with pytest.raises(transfer.RightsMissing, match=f"GRANT TEMPORARY ON DATABASE {role['dbname']} TO"):
        transfer.require_changeable(role, tmp_path / "transfers")


# On the screen


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Installation]:
    with installation(tmp_path) as made:
        made.library.album(made.alice, "Trip", [made.library.asset(made.alice, "lake.jpg")])
        yield made


def test_a_user_who_may_only_look_is_told_before_anything_is_asked(there: Installation) -> None:
    name = postgres.server().unique("looker")
    there.library.rows(f"create role {name} login password 'x'")
    there.save(database={**there.params, "user": name, "password": "x"})
    try:
        with Terminal(there.path) as terminal:
            screen = " ".join(terminal.menu("0").split())
            assert "Not connected." in screen
            assert 'GRANT SELECT ON "activity", "album", ' in screen
            assert terminal.end()[0] == 1
        there.library.rows(f"grant select on all tables in schema public to {name}")
        with Terminal(there.path) as terminal:
            for entry in ("4", "6", "9"):
                terminal.menu(entry)
                question, screen = terminal.question()
                assert "Select option" in question, screen
                assert "may not do all that is needed" in screen
                assert 'GRANT UPDATE ON "activity", "album", "asset", ' in " ".join(screen.split())
                terminal.type()
            terminal.menu("3")
            terminal.until("Source user")  # a dry run is possible as far as it goes
    finally:
        there.library.rows(f"drop owned by {name}")
        there.library.rows(f"drop role {name}")


def test_a_folder_for_undo_files_that_cannot_be_written(there: Installation) -> None:
    """A file has its name: not even root can write into that."""
    there.save()
    there.path.with_name("transfers").write_text("in the way")
    with Terminal(there.path) as terminal:
        for entry in ("4", "6", "9"):
            terminal.menu(entry)
            question, screen = terminal.question()
            assert "Select option" in question, screen
            assert "No undo file could be written" in screen
            terminal.type()
        terminal.menu("0")
        assert terminal.end()[0] == 1
    assert there.path.with_name("transfers").read_text() == "in the way"


# What is set for the user or the database


LIMITS = ("statement_timeout", "transaction_timeout", "idle_session_timeout", "idle_in_transaction_session_timeout")


def test_time_limits_of_the_user_are_set_aside(library: Library, params: dict[str, Any]) -> None:
    """A whole library takes its time. What stands in DB_CONFIG is meant for this tool, and counts."""
    name = postgres.server().unique("hurried")
    library.rows(f"create role {name} login password 'x'")
    known = {name for (name,) in library.rows("select name from pg_settings")}
    limits = [limit for limit in (*LIMITS, "lock_timeout") if limit in known]
    try:
        for limit in limits:
            library.rows(f"alter role {name} set {limit} = '1234s'")
        connection = transfer.connect({**params, "user": name, "password": "x"})
        found = {}
        with connection.cursor() as cursor:
            for limit in limits:
                cursor.execute(f"show {limit}")
                found[limit] = cursor.fetchone()[0]
        connection.close()
        ours = {"idle_in_transaction_session_timeout": "1min", "lock_timeout": "10s"}
        assert found == dict.fromkeys(limits, "0") | ours
        connection = transfer.connect({**params, "options": "-c statement_timeout=7s"})
        with connection.cursor() as cursor:
            cursor.execute("show statement_timeout")
            assert cursor.fetchone()[0] == "7s"
        connection.close()
    finally:
        library.rows(f"drop role {name}")
