"""How long a transfer takes: `python -m tests.benchmark --photos 10000 --faces 3 --people 500 --library 100000`.

Prints seconds for the dry run, the execution and the undo, and their ratio to the bare UPDATE of the same photos' owner
and of the same number of faces, measured in the same run on the same server: the ratio is what can be compared between
machines.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import transfer
from tests import postgres, schemas
from tests.library import Library

ASSET = """
    INSERT INTO asset (id, "ownerId", type, "originalPath", "fileCreatedAt", "fileModifiedAt", "localDateTime",
        checksum, "originalFileName" {more_columns})
    SELECT gen_random_uuid(), %(owner)s, 'IMAGE', '/data/upload/' || %(owner)s || '/' || n, now(), now(), now(),
        decode(md5(%(owner)s || n) || '00000000', 'hex'), n || '.jpg' {more_values}
    FROM generate_series(1, %(count)s) n
"""


def build(library: Library, photos: int, faces: int, people: int, others: int) -> tuple[str, str, str]:
    """A source with `photos` in an album and a tenth of that elsewhere, `faces` on each; `others` on the server."""
    alice, bob = library.user("Alice"), library.user("Bob")
    columns, values = "", ""
    if library.has("asset", "deviceId"):
        columns, values = ', "deviceAssetId", "deviceId"', ", n::text, 'benchmark'"
    if library.has("asset", "checksumAlgorithm"):
        columns, values = columns + ', "checksumAlgorithm"', values + ", 'sha1'"
    statement = ASSET.format(more_columns=columns, more_values=values)
    with library.connection.cursor() as cursor:
        cursor.execute(statement, {"owner": alice, "count": photos + photos // 10})
        cursor.execute(statement, {"owner": bob, "count": max(0, others - photos - photos // 10)})
        cursor.execute('INSERT INTO asset_exif ("assetId", "fileSizeInByte") SELECT id, 3000000 FROM asset')
        cursor.execute(
            'INSERT INTO asset_job_status ("assetId", "duplicatesDetectedAt", "facesRecognizedAt") '
            "SELECT id, now(), now() FROM asset"
        )
        persons = [library.person(alice, f"Person {n}" if n % 2 else "") for n in range(people)]
        person_column = library.name("asset_face", "personGroupId")
        cursor.execute(
            f"""
            INSERT INTO asset_face (id, "assetId", "{person_column}", "imageWidth", "imageHeight",
                "boundingBoxX1", "boundingBoxY1", "boundingBoxX2", "boundingBoxY2")
            SELECT gen_random_uuid(), a.id, (%s::uuid[])[1 + (a.n * 7 + f * 13) %% %s], 100, 100, 1, 1, 50, 50 + f
            FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM asset WHERE "ownerId" = %s) a,
                generate_series(1, %s) f
            """,
            (persons, people, alice, faces),
        )
        cursor.execute('INSERT INTO face_search ("faceId", embedding) SELECT id, ARRAY[0.1, 0.2] FROM asset_face')
        album = library.album(alice, "Everything so far")
        names = (library.name("album_asset", "albumId"), library.name("album_asset", "assetId"))
        cursor.execute(
            f"""
            INSERT INTO album_asset ("{names[0]}", "{names[1]}")
            SELECT %s, id FROM asset WHERE "ownerId" = %s ORDER BY id LIMIT %s
            """,
            (album, alice, photos),
        )
        cursor.execute("VACUUM ANALYZE")
    library.settle_usage()
    return alice, bob, album


@contextmanager
def rolled_back(params: dict[str, Any]) -> Iterator[Any]:
    """A cursor whose work is thrown away."""
    connection = transfer.connect(params)
    try:
        with connection.cursor() as cursor:
            yield cursor
        connection.rollback()
    finally:
        connection.close()


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bare_updates(params: dict[str, Any], library: Library, bob: str, album: str) -> None:
    """What a transfer cannot do without: the new owner of each photo, and a new person for each face."""
    names = (library.name("album_asset", "albumId"), library.name("album_asset", "assetId"))
    chosen = f'SELECT "{names[1]}" FROM album_asset WHERE "{names[0]}" = %s'
    person = library.name("asset_face", "personGroupId")
    with rolled_back(params) as cursor:
        cursor.execute(f'UPDATE asset SET "ownerId" = %s WHERE id IN ({chosen})', (bob, album))
        cursor.execute(f'UPDATE asset_face SET "{person}" = "{person}" WHERE "assetId" IN ({chosen})', (album,))


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument("--immich", choices=schemas.VERSIONS, default=schemas.VERSIONS[-1])
    parser.add_argument("--photos", type=int, default=10_000, help="photos in the album")
    parser.add_argument("--faces", type=int, default=3, help="faces on each photo")
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--library", type=int, default=100_000, help="photos on the server")
    options = parser.parse_args()
    server = postgres.server()
    with server.fresh(options.immich) as name, tempfile.TemporaryDirectory() as folder:
        connection = server.connect(name)
        library = Library(connection, options.immich)
        print(f"Building {options.library} photos on Immich {options.immich}'s schema …", flush=True)
        alice, bob, album = build(library, options.photos, options.faces, options.people, options.library)
        params, request = server.params(name), transfer.Request(alice, bob, album)
        bare = seconds(lambda: bare_updates(params, library, bob, album))
        undo_folder = Path(folder) / "transfers"
        steps = {
            "dry run": lambda: transfer.transfer(params, request, transfer.How(dry_run=True)),
            "execution": lambda: transfer.transfer(
                params, request, transfer.How(dry_run=False, undo_folder=undo_folder)
            ),
            "undo": lambda: transfer.undo(
                params, transfer.list_past(params, undo_folder)[0].path, transfer.How(dry_run=False)
            ),
        }
        print(f"{'bare UPDATEs':<14}{bare:8.1f} s")
        for words, work in steps.items():
            taken = seconds(work)
            print(f"{words:<14}{taken:8.1f} s   {taken / bare:5.1f} times the bare UPDATEs", flush=True)
        size = sum(path.stat().st_size for path in undo_folder.iterdir())
        print(f"undo file     {size / 1e6:8.1f} MB")
        connection.close()


if __name__ == "__main__":
    main()
