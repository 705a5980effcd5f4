"""Whatever breaks in the middle, nothing is changed: the connection, a statement, the COMMIT, Ctrl-C."""

import psycopg2
import pytest

import transfer
from tests.conftest import MAY_CHANGE, few

FAIL = """
create function planted() returns trigger language plpgsql as $body$
begin raise exception 'planted'; end $body$;
"""

TABLES = (
    *("asset", "asset_face", "asset_job_status", "memory", "memory_asset", "person", "session", "shared_link"),
    *("shared_link_asset", "stack", "tag", "tag_asset", "tag_closure", "user"),
)


def run(runner, scene, progress=transfer.quiet) -> transfer.Report:
    request = runner.request(scene.album, merge=[scene.oma])
    return transfer.transfer(runner.params, request, transfer.How(dry_run=False, progress=progress))


def steps_of(runner, scene) -> list[str]:
    """What progress is told in a whole run."""
    steps: list[str] = []
    request = runner.request(scene.album, merge=[scene.oma])
    transfer.transfer(runner.params, request, transfer.How(dry_run=True, progress=steps.append))
    return steps


def kill_transfer(params) -> None:
    """End the tool's connection from another one."""
    connection = psycopg2.connect(**params)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                """select pg_terminate_backend(pid, 5000) from pg_stat_activity
                   where datname = current_database() and application_name = 'transfer.py'"""
            )
            assert cursor.fetchall() == [(True,)]
    finally:
        connection.close()


def test_the_connection_lost_at_any_step_changes_nothing(library, scene, runner, params) -> None:
    before = library.snapshot()
    for fatal in few(steps_of(runner, scene)):

        def progress(step: str, fatal: str = fatal) -> None:
            if step == fatal:
                kill_transfer(params)

        with pytest.raises(transfer.TransferError) as caught:
            run(runner, scene, progress)
        assert "lost" in caught.value.what, fatal
        assert library.snapshot() == before, fatal
    assert run(runner, scene).wrong_after == 0  # and nothing is left that would stop the next run


def test_ctrl_c_at_any_step_changes_nothing(library, scene, runner) -> None:
    before = library.snapshot()
    for fatal in few(steps_of(runner, scene)):

        def progress(step: str, fatal: str = fatal) -> None:
            if step == fatal:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(runner, scene, progress)
        assert library.snapshot() == before, fatal
    assert run(runner, scene).wrong_after == 0


@pytest.mark.cases
@pytest.mark.parametrize("table", TABLES)
def test_a_statement_refused_on_any_table_changes_nothing(library, scene, runner, table) -> None:
    library.rows(
        FAIL + f'create trigger planted before insert or update or delete on "{table}"'
        " for each statement execute function planted()"
    )
    before = library.snapshot()
    for dry_run in (True, False):
        with pytest.raises(transfer.TransferError) as caught:
            request = runner.request(scene.album, merge=[scene.oma])
            transfer.transfer(runner.params, request, transfer.How(dry_run=dry_run))
        assert "planted" in caught.value.why
        assert library.snapshot() == before


@pytest.mark.since("3.2")
def test_a_statement_refused_on_groups_of_people_changes_nothing(library, scene, runner) -> None:
    library.rows(
        FAIL + "create trigger planted before insert or update or delete on person_group"
        " for each statement execute function planted()"
    )
    before = library.snapshot()
    with pytest.raises(transfer.TransferError):
        run(runner, scene)
    assert library.snapshot() == before


def test_those_are_all_the_tables_that_a_transfer_writes(library, scene, runner) -> None:
    before = library.snapshot()
    run(runner, scene)
    after = library.snapshot()
    written = {table for table in before if before[table] != after[table] and not table.endswith("_audit")}
    assert written - {"person_group"} == set(TABLES)
    assert written <= set(MAY_CHANGE)


def test_a_refusal_at_commit_changes_nothing(library, scene, runner) -> None:
    library.rows(
        FAIL + "create constraint trigger planted after update on asset deferrable initially deferred"
        " for each row execute function planted()"
    )
    before = library.snapshot()
    with pytest.raises(transfer.TransferError) as caught:
        run(runner, scene)
    assert "planted" in caught.value.why
    assert library.snapshot() == before


@pytest.mark.cases
@pytest.mark.parametrize("code", ["57P01", "57P02", "57P03", "08006", "08007"])
def test_a_server_that_goes_while_it_commits_is_asked(library, scene, runner, code) -> None:
    """It may say so after the COMMIT has been written."""
    library.rows(
        FAIL.replace("exception 'planted'", f"exception 'planted' using errcode = '{code}'")
        + "create constraint trigger planted after update on asset deferrable initially deferred"
        " for each row execute function planted()"
    )
    before = library.snapshot()
    with pytest.raises(transfer.TransferError) as caught:
        run(runner, scene)
    assert "rolled it back" in caught.value.why
    assert library.snapshot() == before


def test_a_connection_lost_before_commit_is_asked_about(library, scene, runner, params, monkeypatch) -> None:
    """The rows say that the server had not heard it."""
    commit = transfer.commit

    def lost(*args):
        kill_transfer(params)
        return commit(*args)

    monkeypatch.setattr(transfer, "commit", lost)
    before = library.snapshot()
    with pytest.raises(transfer.TransferError) as caught:
        run(runner, scene)
    assert "rolled it back" in caught.value.why
    assert library.snapshot() == before


def test_a_connection_lost_after_commit_is_no_failure(library, scene, runner, params, monkeypatch) -> None:
    """All is done; only nobody has looked again."""
    look = transfer.look_again

    def lost(*args):
        kill_transfer(params)
        return look(*args)

    monkeypatch.setattr(transfer, "look_again", lost)
    report = run(runner, scene)
    assert report.wrong_after is None
    assert library.owner_of(scene.lake) == scene.ben
