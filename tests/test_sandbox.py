"""The sample family shows every rule, and the sandbox opens transfer.py on it and leaves nothing behind."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pexpect
import psycopg2
import pytest
import requests

import transfer
from tests import postgres, sandbox, schemas
from tests.conftest import problems, repair_one
from tests.family import Family, build
from tests.library import Library
from tests.media import Media
from tests.pool import Pool

pytestmark = [pytest.mark.screens, pytest.mark.long]

ROOT = Path(__file__).resolve().parent.parent

# ---- the family -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=schemas.VERSIONS)
def every(request: pytest.FixtureRequest, pool: Pool) -> Iterator[Library]:
    """An empty database of each version, of those too that a run of the other tests may leave out."""
    with pool.library(request.param) as library:
        yield library


def dry_run(library: Library, family: Family, album: str, destination: str) -> transfer.Report:
    """What Alice's album would do to that user, with everybody merged who can be."""
    params = postgres.server().params(library.connection.info.dbname)
    request = transfer.Request(family.alice, destination, album)
    pairs = transfer.merge_pairs(params, request)
    request = replace(request, merge=frozenset(person.id for person in pairs))
    return transfer.transfer(params, request, transfer.How(dry_run=True))


def wrong(library: Library) -> set[str]:
    """What is wrong in it, by kind; not that from 3.3 Bob knows Noah of another cluster group, whom Alice shares."""
    return {problem.split(":")[0] for problem in problems(library)} - {"person in another cluster group than its owner"}


def test_nothing_is_wrong_in_the_family_before_a_transfer(every: Library) -> None:
    build(every)
    assert wrong(every) == set()


def test_an_older_transfer_leaves_faces_and_a_picture_to_repair(every: Library) -> None:
    family = build(every, older_transfer=True)
    assert wrong(every) == {
        "face of a person that its photo's owner does not have",
        "featured photo of another's",
    }
    report = repair_one(postgres.server().params(every.connection.info.dbname), family.bob, transfer.How(dry_run=True))
    assert (report.assets, report.faces, report.of("featured")) != (0, 0, 0)


def test_summer_for_bob_shows_every_rule_for_people(every: Library) -> None:
    family = build(every)
    report = dry_run(every, family, family.summer, family.bob)
    assert {person.id: person.action for person in report.people} == {
        family.emma: "TRANSFER",
        family.noah: "TRANSFER",
        family.rose: "DUPLICATE",
        family.tom: "MERGE",
        family.anna: "TRANSFER",
        family.joe: "TRANSFER",
        family.leas[0]: "TRANSFER",
        family.leas[1]: "TRANSFER",
        family.passer_by: "TRANSFER",
        family.neighbour: "DUPLICATE",
    }
    assert [person.merge_id for person in report.people if person.action == "MERGE"] == [family.bobs_tom]
    assert {person.id for person in report.people if person.note} == {family.anna, family.joe, *family.leas}


def test_summer_for_bob_shows_every_rule_for_photos(every: Library) -> None:
    family = build(every)
    report = dry_run(every, family, family.summer, family.bob)
    assert [reason for reason, _ in report.stays] == [reason for reason in transfer.REASONS if reason != "left_out"]
    assert {why for why, _ in report.along} == {"live", "stack", "stack live"}
    assert (report.of("stacks_moved"), report.of("stacks_split")) == (2, 1)
    assert (report.of("links_moved"), report.of("links_losing")) == (1, 1)
    assert (report.of("tags"), report.of("memories"), report.of("duplicates")) == (3, 2, 1)
    assert 0 < report.of("tags_made") < 5  # Bob has some of the paths
    assert report.listed("albums_unseen") == report.listed("albums_public") == ("Family favourites",)


def test_summer_for_carol_exceeds_her_quota(every: Library) -> None:
    family = build(every)
    report = dry_run(every, family, family.summer, family.carol)
    assert [figure.over_quota for figure in report.storage] == [False, True]
    rose = {person.id: (person.action, person.merge_id) for person in report.people}.get(family.rose)
    # Where both recognise faces together she is Carol's already, and no decision.
    assert rose == (None if every.has_people_groups else ("MERGE", family.carols_rose))


def test_its_files_can_be_looked_at_and_copies_are_the_same_file(every: Library, tmp_path: Path) -> None:
    family = build(every)
    media = Media(every, tmp_path)
    media.make(drawn=True)
    contents = {row: content for (row, _owner), content in media.contents().items()}
    kinds = {transfer.picture_type(content) or content[4:8].decode() for content in contents.values()}
    assert kinds == {"image/png", "ftyp", "mpme"}
    assert b"avc1" in contents[f"original {family.live[1]}"]
    staying = dict(dry_run(every, family, family.summer, family.bob).stays)
    assert (staying["duplicate"], staying["duplicate_in_trash"]) == (
        ("IMG-20240720-WA0011.jpg",), ("IMG-20240720-WA0012.jpg",),
    )  # fmt: skip


# ---- the sandbox ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Opened:
    """A sandbox in a pseudo-terminal, and what it has said about itself."""

    terminal: pexpect.spawn
    url: str
    database: dict[str, Any]
    config: Path
    data: Path

    def says(self, *patterns: str) -> None:
        for pattern in patterns:
            self.terminal.expect(pattern)

    def answer(self, question: str, text: str) -> None:
        while self.terminal.expect([question, "Enter for the menu: ", "Do exactly this now"]):
            self.terminal.sendline()
        self.terminal.sendline(text)

    def pick(self, label: str) -> None:
        """Choose from a numbered list."""
        self.terminal.expect(rf"(\d+)\. {re.escape(label)}")
        self.answer(r"\[back\]: ", self.terminal.match[1])

    def ends(self) -> int:
        """Wait for the end, see that nothing is left, and give the exit code."""
        self.terminal.expect(pexpect.EOF)
        code = self.terminal.wait()
        assert not self.config.parent.exists()
        assert not self.data.exists() or postgres.DSN_VARIABLE in os.environ
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(**self.database)
        with pytest.raises(requests.ConnectionError):
            requests.get(self.url, timeout=90)
        return code


@contextmanager
def opened(*arguments: str) -> Iterator[Opened]:
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "tests.sandbox", *arguments],
        cwd=str(ROOT),
        encoding="utf-8",
        timeout=90,
        dimensions=(200, 120),
    )
    try:
        terminal.expect(r"a toy Immich (\S+) ")
        assert terminal.match[1] == (arguments[1] if "--immich" in arguments else sandbox.DEFAULT)
        terminal.expect(r"Address +(\S+)")
        url = terminal.match[1]
        terminal.expect(r"\.env file +(\S+)")
        home = Path(terminal.match[1]).parent
        terminal.expect("Enter opens the tool: ")
        lines = (home / ".env").read_text().splitlines()
        env = {name.removeprefix("DB_"): value for name, _, value in (line.partition("=") for line in lines)}
        database = {
            "host": env["HOSTNAME"], "port": env["PORT"], "dbname": env["DATABASE_NAME"],
            "user": env["USERNAME"], "password": env["PASSWORD"],
        }  # fmt: skip
        connection = psycopg2.connect(**database)
        with connection.cursor() as cursor:
            cursor.execute("show data_directory")
            data = Path(cursor.fetchone()[0])
        connection.close()
        terminal.sendline()
        yield Opened(terminal, url, database, home / "config.py", data)
    finally:
        terminal.close(force=True)  # hangs up, should it still be there


def test_the_sandbox_opens_the_tool_on_the_family_and_cleans_up() -> None:
    with opened() as toy:
        toy.answer("Select option:", "1")
        assert toy.config.stat().st_mode & 0o777 == 0o600
        toy.says(
            "alice@example.com", "bob@example.com", r"carol@example.com[^\n]*quota 100", "lie in the folders of Alice"
        )
        toy.answer("Select option:", "2")
        toy.says(r"Summer 2024: \d+ items, shared with bob@example.com", "Hiking", "Garden")

        toy.answer("Select option:", "3")
        toy.says(r"\[back\]: ")
        toy.terminal.sendintr()  # for the tool, not for the sandbox
        toy.says("Nothing was changed")

        toy.answer("Select option:", "3")
        toy.pick("Alice <alice@example.com>")
        toy.pick("Summer 2024")
        toy.pick("Bob <bob@example.com>")
        toy.answer("4. is handed over to Bob, and Alice leaves it[^?]*1]: ", "")
        toy.answer("the same p", "y")
        toy.says(
            "ALBUM TRANSFER ANALYSIS",
            "Assets to transfer: 25",
            r"Emma \([^\n]*TRANSFER",
            r"Rose \([^\n]*DUPLICATE",
            r"Tom [^\n]*MERGE",
        )
        toy.says("No changes were made")

        toy.answer("Select option:", "0")
        assert toy.ends() == 0


def test_the_sandbox_without_a_configuration_begins_with_the_set_up_and_has_the_exit_code_of_the_tool() -> None:
    with opened("--immich", "2.7", "--empty-config") as toy:
        toy.says("Run setup now")
        assert toy.config.parent.is_dir()
        assert {path.name for path in toy.config.parent.iterdir()} == {"immich", ".env"}
        toy.terminal.sendintr()
        assert toy.ends() == 130


def test_a_terminated_sandbox_cleans_up_too() -> None:
    with opened() as toy:
        toy.says("Select option:")
        toy.terminal.kill(signal.SIGTERM)
        assert toy.ends() == 128 + signal.SIGTERM
