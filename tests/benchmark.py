"""How long a transfer takes: `python -m tests.benchmark`, or with `--immich 2.7 --source 1000000 --rounds 1`.

An album that is a tenth of what the source owns is transferred and taken back. The people on its photos have faces on
other photos too, and featured photos here and there, so that all of what a transfer does is done. Beside it stand the
bare UPDATEs of the same rows, in which each face really gets another person: the ratio to them is what can be compared
between machines. First all goes to a new account: it owned nothing when statistics were last gathered, and autovacuum
is off. Then it goes to one that owns as much as the source. Each step of each round runs in a process of its own on a
fresh copy of the database, in turn with the others, and medians are shown. Then an album of twenty photos, and the
lists.

CPU is the server's and Python's together: unlike the seconds it does not tell what else the machine was doing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

import transfer
from tests import postgres, schemas
from tests.conftest import repair_one
from tests.library import Library
from tests.media import Media

ASSET = """
    INSERT INTO asset (id, "ownerId", type, "originalPath", "fileCreatedAt", "fileModifiedAt", "localDateTime",
        checksum, "originalFileName" {more_columns})
    SELECT gen_random_uuid(), %(owner)s, 'IMAGE', '/data/upload/' || %(owner)s || '/ab/cd/' || n || '.jpg', now(),
        now(), now(), decode(md5(%(owner)s || n) || '00000000', 'hex'), n || '.jpg' {more_values}
    FROM generate_series(1, %(count)s) n
"""


# ---- the library ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scene:
    """What is measured on: two users, an album of a tenth of the first one's photos, one of twenty of them."""

    alice: str
    bob: str
    album: str
    small: str
    person_column: str
    album_columns: tuple[str, str]


def build(library: Library, options: argparse.Namespace, destination: int = 0) -> Scene:
    """A source, a destination with so many photos, faces, people, and albums of other users."""
    alice, bob = library.user("Alice"), library.user("Bob")
    columns, values = "", ""
    if library.has("asset", "deviceId"):
        columns, values = ', "deviceAssetId", "deviceId"', ", n::text, 'benchmark'"
    if library.has("asset", "checksumAlgorithm"):
        columns, values = columns + ', "checksumAlgorithm"', values + ", 'sha1'"
    person_column = library.name("asset_face", "personGroupId")
    album_columns = (library.name("album_asset", "albumId"), library.name("album_asset", "assetId"))
    people = [library.person(alice, f"Person {n}" if n % 2 else "") for n in range(options.people)]
    for n in range(options.people if destination else 0):
        library.person(bob, f"Somebody {n}")
    albums = [library.album(alice, name) for name in ("Everything so far", "A few")]
    crowd = [library.user(f"User {n}") for n in range(options.users - 2)]
    more = [library.album(crowd[n % len(crowd)], f"Album {n}") for n in range(options.albums - 2)] if crowd else []
    Media(library, Path("/data")).known()
    library.rows("SET session_replication_role = replica")  # nothing wrong is built: no keys to look up
    with library.connection.cursor() as cursor:
        statement = ASSET.format(more_columns=columns, more_values=values)
        for owner, count in ((alice, options.source), (bob, destination)):
            cursor.execute(statement, {"owner": owner, "count": count})
        cursor.execute(
            """
            INSERT INTO asset_exif ("assetId", "fileSizeInByte") SELECT id, 3000000 FROM asset;
            INSERT INTO asset_job_status ("assetId", "duplicatesDetectedAt", "facesRecognizedAt")
            SELECT id, now(), now() FROM asset;
            INSERT INTO asset_file (id, "assetId", type, path)
            SELECT gen_random_uuid(), id, kind, '/data/thumbs/' || "ownerId" || '/ab/cd/' || id || kind || '.webp'
            FROM asset, unnest(ARRAY['preview', 'thumbnail']) AS kind
            """
        )
        cursor.execute(
            f"""
            INSERT INTO asset_face (id, "assetId", "{person_column}", "imageWidth", "imageHeight",
                "boundingBoxX1", "boundingBoxY1", "boundingBoxX2", "boundingBoxY2")
            SELECT gen_random_uuid(), a.id, (%s::uuid[])[1 + (a.n * 7 + f * 13) %% %s], 100, 100, 1, 1, 50, 50 + f
            FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM asset WHERE "ownerId" = %s) a,
                generate_series(1, %s) f
            """,
            (people, options.people, alice, options.faces),
        )
        cursor.execute('INSERT INTO face_search ("faceId", embedding) SELECT id, ARRAY[0.1, 0.2] FROM asset_face')
        cursor.execute(
            f"""
            UPDATE person SET "faceAssetId" = face.id FROM (
                SELECT DISTINCT ON ("{person_column}") "{person_column}" AS person, id FROM asset_face
                ORDER BY "{person_column}", id) face
            WHERE person."{library.name("person", "personGroupId")}" = face.person
            """
        )
        photos = f"""
            INSERT INTO album_asset ("{album_columns[0]}", "{album_columns[1]}")
            SELECT %s, id FROM asset WHERE "ownerId" = %s ORDER BY id OFFSET %s LIMIT %s
        """
        cursor.execute(photos, (albums[0], alice, 0, options.source // 10))
        cursor.execute(photos, (albums[1], alice, options.source // 10, 20))
        if more:
            cursor.execute(
                f"""
                INSERT INTO album_asset ("{album_columns[0]}", "{album_columns[1]}")
                SELECT DISTINCT (%s::uuid[])[1 + n %% %s], id
                FROM (SELECT id, row_number() OVER (ORDER BY id DESC) AS n FROM asset WHERE "ownerId" = %s) a
                """,
                (more, len(more), bob),
            )
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM ANALYZE")
    library.settle_usage()
    return Scene(alice, bob, albums[0], albums[1], person_column, album_columns)


# ---- measuring ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """What a piece of work took. `memory` is the most that Python held, in bytes."""

    seconds: float
    cpu: float
    memory: int


class Meter:
    """Runs pieces of work, each in a new process of Python, and tells what they took, the server's part included."""

    def __init__(self, server: postgres.Server) -> None:
        self.server = server
        with closing(server.connect(server.maintenance)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self.postmaster = self._process(cursor.fetchone()[0])[1]

    @staticmethod
    def _process(pid: int) -> tuple[float, int]:
        """Seconds of CPU of the ended children of a process, and its parent; 0 where there is no such process."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # the server is on another machine: only Python's part is known
            return 0.0, 0
        return (int(fields[13]) + int(fields[14])) / 100, int(fields[1])

    def run(self, database: str, work: Callable[..., Any], *args: Any) -> Cost:
        """`work` with the parameters of that database and `args`."""
        before = self._process(self.postmaster)[0]
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            seconds, cpu, memory = pool.submit(_measured, work, self.server.params(database), args).result()
        self._wait_for_ends(database)
        return Cost(seconds, cpu + self._process(self.postmaster)[0] - before, memory)

    def _wait_for_ends(self, database: str) -> None:
        """Until the server's processes have ended: only then is their CPU known."""
        with closing(self.server.connect(self.server.maintenance)) as connection, connection.cursor() as cursor:
            busy = True
            while busy:
                time.sleep(0.05)
                cursor.execute("SELECT 1 FROM pg_stat_activity WHERE datname = %s", (database,))
                busy = cursor.fetchone() is not None

    @contextmanager
    def copy(self, template: str) -> Iterator[str]:
        """A copy of a database, for the length of a with block. Gives its name."""
        name = self.server.unique("copy")
        strategy = " STRATEGY file_copy" if self._version() >= 15_00_00 else ""
        with closing(self.server.connect(self.server.maintenance)) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}{strategy}")
        self.server.made.add(name)
        try:
            yield name
        finally:
            self.server.drop(name)

    def _version(self) -> int:
        with closing(self.server.connect(self.server.maintenance)) as connection:
            return int(connection.server_version)


def _measured(work: Callable[..., Any], params: dict[str, Any], args: tuple[Any, ...]) -> tuple[float, float, int]:
    start, cpu = time.perf_counter(), time.process_time()
    work(params, *args)
    taken = time.perf_counter() - start, time.process_time() - cpu
    return *taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def bare_updates(params: dict[str, Any], scene: Scene) -> None:
    """What a transfer cannot do without: a new owner of each photo, and another person for each face. Rolled back."""
    person, (album, asset) = scene.person_column, scene.album_columns
    chosen = f'SELECT "{asset}" FROM album_asset WHERE "{album}" = %(album)s'
    key = "personGroupId" if person == "personGroupId" else "id"
    with closing(psycopg2.connect(**params)) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"""
            CREATE TEMP TABLE pair AS
            SELECT "{key}" AS id, coalesce(lead("{key}") OVER by_id, first_value("{key}") OVER by_id) AS other
            FROM person WHERE "ownerId" = %(alice)s WINDOW by_id AS (ORDER BY "{key}");
            ANALYZE pair;
            UPDATE asset SET "ownerId" = %(bob)s WHERE id IN ({chosen});
            UPDATE asset_face f SET "{person}" = pair.other FROM pair
            WHERE f."{person}" = pair.id AND f."assetId" IN ({chosen})
            """,
            {"alice": scene.alice, "bob": scene.bob, "album": scene.album},
        )
        connection.rollback()


def dry_run(params: dict[str, Any], scene: Scene, album: str) -> None:
    transfer.transfer(params, transfer.Request(scene.alice, scene.bob, album), transfer.How(dry_run=True))


def execute(params: dict[str, Any], scene: Scene, folder: Path) -> None:
    request = transfer.Request(scene.alice, scene.bob, scene.album)
    transfer.transfer(params, request, transfer.How(dry_run=False, undo_folder=folder))


def undo(params: dict[str, Any], folder: Path) -> None:
    transfer.undo(params, transfer.list_past(params, folder)[0].path, transfer.How(dry_run=False))


def merge_pairs(params: dict[str, Any], scene: Scene) -> None:
    transfer.merge_pairs(params, transfer.Request(scene.alice, scene.bob, scene.album))


def figures(params: dict[str, Any]) -> None:
    with transfer.looking(params) as tx:
        list(transfer._user_figures(tx))


def albums(params: dict[str, Any], owner: str | None) -> None:
    transfer.api_albums = lambda _api: []  # what is measured is the database
    transfer.list_albums(None, params, owner)


def find(params: dict[str, Any]) -> None:
    transfer.find_faults(params)


def repair(params: dict[str, Any], scene: Scene) -> None:
    repair_one(params, scene.bob, transfer.How(dry_run=True))


def by_hand(params: dict[str, Any], scene: Scene) -> None:
    """What careless scripts do with the album."""
    album, asset = scene.album_columns
    with closing(psycopg2.connect(**params)) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"""UPDATE asset SET "ownerId" = %s
                WHERE id IN (SELECT "{asset}" FROM album_asset WHERE "{album}" = %s)""",
            (scene.bob, scene.album),
        )
        connection.commit()


def tags(params: dict[str, Any], owner: str) -> None:
    transfer.list_tags(params, owner)


# ---- the table ------------------------------------------------------------------------------------------------------


def median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        statistics.median(cost.cpu for cost in costs),
        max(cost.memory for cost in costs),
    )


def show(name: str, cost: Cost, bare: Cost | None = None) -> None:
    ratios = f"{cost.seconds / bare.seconds:8.2f}{cost.cpu / bare.cpu:8.2f}" if bare else " " * 16
    print(f"{name:<34}{cost.seconds:9.2f}{cost.cpu:9.2f}{ratios}{cost.memory / 2**20:9.0f}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmark", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--immich", choices=schemas.VERSIONS, default=schemas.VERSIONS[-1])
    parser.add_argument("--source", type=int, default=100_000, help="photos of the source; the album has a tenth")
    parser.add_argument("--faces", type=int, default=3, help="faces on each of them")
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--users", type=int, default=5)
    parser.add_argument("--albums", type=int, default=1000, help="albums on the server")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def main() -> None:
    """Build, measure, print."""
    options = arguments()
    server = postgres.server()
    meter = Meter(server)
    steps: dict[str, list[Cost]] = {}
    sizes: list[int] = []

    def take(name: str, database: str, work: Callable[..., Any], *args: Any) -> None:
        steps.setdefault(name, []).append(meter.run(database, work, *args))
        print(f"  {name}: {steps[name][-1].seconds:.2f} s", file=sys.stderr, flush=True)

    print(f"Immich {options.immich}: {options.source} photos, {options.faces} faces on each, {options.people} people")
    for destination, words in ((0, " to a new account"), (options.source, "")):
        with server.fresh(options.immich) as template:
            with closing(server.connect(template)) as connection:
                scene = build(Library(connection, options.immich), options, destination)
            for _round in range(options.rounds):
                with meter.copy(template) as database:
                    take(f"bare UPDATEs{words}", database, bare_updates, scene)
                with meter.copy(template) as database:
                    take(f"dry run{words}", database, dry_run, scene, scene.album)
                with meter.copy(template) as database, tempfile.TemporaryDirectory() as folder:
                    take(f"execution{words}", database, execute, scene, Path(folder) / "transfers")
                    sizes += [path.stat().st_size for path in (Path(folder) / "transfers").iterdir()]
                    take(f"undo{words}", database, undo, Path(folder) / "transfers")
            with meter.copy(template) as database:
                by_hand(server.params(database), scene)
                take(f"repair, dry run{words}", database, repair, scene)
            if destination:
                with meter.copy(template) as database:
                    for _round in range(max(3, options.rounds)):
                        take("20 photos, dry run", database, dry_run, scene, scene.small)
                        take("pairs to merge", database, merge_pairs, scene)
                        take("users with figures", database, figures)
                        take("all albums", database, albums, None)
                        take("albums of one", database, albums, scene.alice)
                        take("tags of one", database, tags, scene.alice)
                        take("all that is wrong", database, find)
    print(f"{'':<34}{'seconds':>9}{'CPU':>9}{'times the bare':>16}{'MB':>9}")
    for name, costs in steps.items():
        work, to, account = name.partition(" to ")
        compared = work in ("dry run", "execution", "undo")
        show(name, median(costs), median(steps[f"bare UPDATEs{to}{account}"]) if compared else None)
    print(f"undo file: {statistics.median(sizes) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
