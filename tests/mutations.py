"""Would a test notice? One-line changes of transfer.py that would hurt somebody, and the tests that must fail for each.

    python -m tests.mutations                 all of them, one after the other, and who survived
    python -m tests.mutations lock digest     those with one of these words in their name
    python -m tests.mutations --list          only their names
    python -m tests.mutations --why           and, of each, the first test that failed
    python -m tests.mutations --check         before that, the named tests on transfer.py as it is

A change that no test notices is a test that is missing. The changes are made to a copy of the project in a temporary
folder. All runs share one database server: the one of IMMICH_TRANSFER_TEST_DSN, else one that is started for them.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import make_dsn

from tests import postgres

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE = 600  # seconds for the tests of one change

# What is not copied: nothing of it is needed, and some of it is private.
LEFT_OUT = (".git", ".venv", ".*_cache", "__pycache__", ".hypothesis", ".config-*", "config.py", "transfers")

# Signs that a change is no change of behaviour but nonsense, which every test would notice.
NONSENSE = re.compile(
    r"psycopg2\.errors\.(SyntaxError|Undefined\w+|Ambiguous\w+|DatatypeMismatch|GroupingError)"
    r"|\b(NameError|SyntaxError|IndentationError|UnboundLocalError)\b"
)


@dataclass(frozen=True)
class Mutation:
    """One change: `old`, which is in transfer.py once, becomes `new`. `tests` are arguments of pytest."""

    name: str
    old: str
    new: str
    tests: str


# ---- the table ------------------------------------------------------------------------------------------------------

MUTATIONS = (
    # -- what is chosen
    Mutation(
        "photos of others in the album are chosen too",
        """WHERE aa."albumId" = %(album)s AND a."ownerId" = %(giver)s\n""",
        """WHERE aa."albumId" = %(album)s\n""",
        "tests/test_choosing.py -k others_put_into",
    ),
    Mutation(
        "photos of others with the tag are chosen too",
        """JOIN v_asset a ON a.id = ta."assetId" AND a."ownerId" = %(giver)s\n""",
        """JOIN v_asset a ON a.id = ta."assetId"\n""",
        "tests/test_tag_selection.py -k only_the_sources_photos",
    ),
    Mutation(
        "a tag of somebody else's chooses photos",
        """WHERE t.id = %(tag)s AND t."userId" = %(giver)s""",
        """WHERE t.id = %(tag)s""",
        "tests/test_tag_selection.py -k somebody_elses",
    ),
    Mutation(
        "everything is the photos of everybody",
        """AS SELECT id FROM v_asset WHERE "ownerId" = %(giver)s;""",
        """AS SELECT id FROM v_asset;""",
        "tests/test_everything.py -k all_that_may_go",
    ),
    Mutation(
        "everything is the albums of everybody",
        """AND al."deletedAt" IS NULL\n        WHERE o."userId" = %(giver)s""",
        """AND al."deletedAt" IS NULL""",
        "tests/test_everything.py -k all_that_may_go",
    ),
    Mutation(
        "a photo that is being deleted moves",
        "WHEN a.status = 'deleted' THEN 'deleting'",
        "WHEN false THEN 'deleting'",
        "tests/test_choosing.py -k may_not_move",
    ),
    Mutation(
        "a photo of an external library moves",
        """WHEN a."libraryId" IS NOT NULL OR a."isExternal" THEN 'external'""",
        """WHEN false THEN 'external'""",
        "tests/test_choosing.py -k may_not_move",
    ),
    Mutation(
        "a photo in the trash moves",
        "OR a.status = 'trashed') AND NOT c.trashed THEN",
        "OR a.status = 'trashed') AND false THEN",
        "tests/test_choosing.py -k may_not_move",
    ),
    Mutation(
        "a photo in the locked folder moves",
        "WHEN a.visibility = 'locked' AND NOT c.locked THEN",
        "WHEN false THEN",
        "tests/test_choosing.py -k may_not_move",
    ),
    Mutation(
        "a photo whose file is being moved changes hands",
        """h."entityId" = a.id) THEN 'unfinished'""",
        """false) THEN 'unfinished'""",
        "tests/test_choosing.py -k may_not_move",
    ),
    Mutation(
        "a photo of an external library stops its copy",
        """LEFT JOIN v_asset b
            ON b."ownerId" = %(taker)s AND b.checksum = a.checksum AND b."libraryId" IS NULL""",
        """LEFT JOIN v_asset b
            ON b."ownerId" = %(taker)s AND b.checksum = a.checksum""",
        "tests/test_choosing.py -k copies_elsewhere",
    ),
    Mutation(
        "half of a live photo stays",
        "WHERE verdict.unit = stopped.unit AND verdict.reason IS NULL",
        "WHERE false AND verdict.unit = stopped.unit",
        "tests/test_live_photos.py -k blocked",
    ),
    Mutation(
        "photos nobody chose come along from a split stack",
        """WHERE unit IN (SELECT unit FROM verdict JOIN torn USING ("stackId") WHERE origin = 'stack')""",
        """WHERE false""",
        "tests/test_stacks.py -k whatever_blocks",
    ),
)


# ---- the command ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What became of one change. `word` is "noticed", "SURVIVED", or what is wrong with the entry itself."""

    word: str
    seconds: float
    why: str = ""


def misfits(source: str) -> Iterator[str]:
    """The entries that no longer fit transfer.py, with the reason."""
    for mutation in MUTATIONS:
        if (count := source.count(mutation.old)) != 1:
            yield f"{mutation.name}: its text is in transfer.py {count} times"
        elif mutation.new == mutation.old:
            yield f"{mutation.name}: changes nothing"
    names = [mutation.name for mutation in MUTATIONS]
    yield from sorted({f"{name}: two have that name" for name in names if names.count(name) > 1})


def copy_project(folder: Path) -> Path:
    """A copy of the project, to be changed."""
    return Path(shutil.copytree(PROJECT, folder / "project", ignore=shutil.ignore_patterns(*LEFT_OUT)))


def run_tests(copy: Path, source: str, tests: str, dsn: str) -> tuple[int | None, str]:
    """Run tests in the copy with that transfer.py: pytest's exit code, None if it did not end, and what it printed."""
    (copy / "transfer.py").write_text(source)
    for compiled in copy.glob("__pycache__/transfer.*"):
        compiled.unlink()  # Python goes by the second and the size
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *shlex.split(tests)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IMMICH_TRANSFER_")}
    process = subprocess.Popen(
        command,
        cwd=copy,
        env=environment | {postgres.DSN_VARIABLE: dsn},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        printed, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, printed
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        process.kill()
        process.wait()


def judged(code: int | None, printed: str) -> tuple[str, str]:
    """The word for a run, and the line that explains it."""
    lines = [line for line in printed.splitlines() if line.startswith(("FAILED", "ERROR"))] or printed.splitlines()[-1:]
    why = lines[0] if lines else ""
    if code == 0:
        return "SURVIVED", ""
    if code is None:
        return "DID NOT END", f"in {PATIENCE} seconds"
    if code != 1 or "ERROR" in why[:5]:
        return "NO TEST RAN", why
    if found := NONSENSE.search(printed):
        return "NONSENSE", found.group()
    return "noticed", why


def tried(copy: Path, source: str, mutation: Mutation, dsn: str) -> Outcome:
    """Make one change and run its tests."""
    begun = time.monotonic()
    word, why = judged(*run_tests(copy, source.replace(mutation.old, mutation.new), mutation.tests, dsn))
    return Outcome(word, time.monotonic() - begun, why)


def server_dsn() -> str:
    """Where all runs find their server."""
    server = postgres.server()
    return make_dsn(
        host=server.host, port=server.port, user=server.user, password=server.password, dbname=server.maintenance
    )


def checked(copy: Path, source: str, wanted: list[Mutation], dsn: str) -> list[str]:
    """Run the named tests without any change; those that fail, or that are none."""
    failing = []
    for tests in dict.fromkeys(mutation.tests for mutation in wanted):
        code, printed = run_tests(copy, source, tests, dsn)
        if code != 0:
            failing.append(f"{tests}: {judged(code, printed)[1]}")
            print(f"fails unchanged  {failing[-1]}", flush=True)
    return failing


def main(arguments: list[str] | None = None) -> int:
    """0 if every change was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only changes with one of these words in their name")
    parser.add_argument("--list", action="store_true", help="only print the names")
    parser.add_argument("--why", action="store_true", help="print which test noticed")
    parser.add_argument("--check", action="store_true", help="first run the named tests without any change")
    options = parser.parse_args(arguments)
    wanted = [m for m in MUTATIONS if not options.words or any(word in m.name for word in options.words)]
    source = (PROJECT / "transfer.py").read_text()
    if wrong := list(misfits(source)):
        print(*wrong, sep="\n")
        return 1
    if options.list:
        print(*(mutation.name for mutation in wanted), sep="\n")
        return 0
    begun, dsn, bad = time.monotonic(), server_dsn(), []
    with tempfile.TemporaryDirectory(prefix="immich-transfer-mutations-") as folder:
        copy = copy_project(Path(folder))
        if options.check and checked(copy, source, wanted, dsn):
            return 1
        for mutation in wanted:
            outcome = tried(copy, source, mutation, dsn)
            noticed = outcome.word == "noticed"
            print(f"{outcome.word:11} {outcome.seconds:5.1f} s  {mutation.name}", flush=True)
            if outcome.why and (options.why or not noticed):
                print(f"{'':21}{outcome.why}", flush=True)
            if not noticed:
                bad.append(f"{outcome.word}: {mutation.name}")
    print(f"{len(wanted) - len(bad)} of {len(wanted)} changes noticed in {time.monotonic() - begun:.0f} s")
    print(*bad, sep="\n", end="\n" if bad else "")
    return 1 if bad or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
