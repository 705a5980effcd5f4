"""A toy Immich to try transfer.py on: `python -m tests.sandbox`, from the project's folder.

It starts PostgreSQL and the stand-in for Immich's REST API with the sample family, a media folder with a small picture
or video for each path, and an `.env`. It opens transfer.py on them in the same terminal, and deletes everything when
that ends. Its exit code is transfer.py's.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import transfer
from tests import family, postgres, schemas
from tests.immich import Immich
from tests.library import Library
from tests.media import Media

DEFAULT = "3.3"

INTRODUCTION = """
This is a toy Immich {version} with a sample family. Nothing in it is real, and all
of it is deleted when you leave. What reaches it:

  Address    {url}
  API key    {key}
  .env file  {home}/.env

Things to try in the menu:
  3   Alice's album "Summer 2024", given to Bob: what would happen. Then do it.
  9   Take it back.
  5   All users: what an older transfer by hand left behind.
  10  Whose files lie in whose folders.
  11  Can Alice's account be deleted?
"""
NO_CONFIG = "There is no config.py yet: answer the set-up with the three values above."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the sandbox. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox", description="Try transfer.py on a toy Immich.")
    parser.add_argument(
        "--immich", choices=schemas.VERSIONS, default=DEFAULT, help="its version (default: %(default)s)"
    )
    parser.add_argument("--empty-config", action="store_true", help="open transfer.py without a configuration")
    options = parser.parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # so that these clean up too
    print("Starting PostgreSQL and a toy Immich ...", flush=True)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="toy-immich-") as home,
            toy(options.immich, Path(home) / "immich") as config,
        ):
            path = Path(home) / "config.py"
            write_env(path.with_name(".env"), config)
            print(INTRODUCTION.format(version=options.immich, home=home, url=config.api_url, key=config.api_key))
            if options.empty_config:
                print(NO_CONFIG)
            else:
                transfer.save_config(path, config)
            with suppress(EOFError):
                input("Enter opens the tool: ")
            return open_tool(path)
    except KeyboardInterrupt:
        return 130


@contextmanager
def toy(version: str, media: Path) -> Iterator[transfer.Config]:
    """A toy Immich of that version, for the length of a with block. `media` becomes its media folder.

    Gives what reaches it.
    """
    server = postgres.server()
    with server.fresh(version) as database, Immich(server.params(database), version) as immich:
        connection = server.connect(database)
        try:
            library = Library(connection, version)
            alice = family.build(library, older_transfer=True).alice
            media.mkdir()
            files = Media(library, media)
            files.known()
            files.make(drawn=True)
            immich.on_job = lambda job: draw(library, files) if job == "thumbnailGeneration" else None
            yield transfer.Config(immich.url, immich.key(alice), server.params(database), str(media))
        finally:
            connection.close()


def draw(library: Library, files: Media) -> None:
    """What Immich's job does for people without a picture."""
    person = library.name("person", "personGroupId")
    library.rows(
        f"""update person set "thumbnailPath" = '/data/thumbs/' || "ownerId" || '/aa/bb/' || "{person}" || '.jpeg'
            where "thumbnailPath" = '' and "faceAssetId" is not null"""
    )
    files.make(drawn=True)


def write_env(path: Path, config: transfer.Config) -> None:
    """The file that lies beside Immich's docker-compose.yml."""
    database = config.database
    values = {
        "UPLOAD_LOCATION": config.media,
        "DB_HOSTNAME": database["host"],
        "DB_PORT": database["port"],
        "DB_USERNAME": database["user"],
        "DB_PASSWORD": database["password"],
        "DB_DATABASE_NAME": database["dbname"],
    }
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def open_tool(path: Path) -> int:
    """Run transfer.py in this terminal and give its exit code, by a shell's rules if a signal ended it.

    From here on Ctrl-C is for transfer.py alone, also while this process cleans up afterwards. It is caught, not
    ignored: what a process ignores, its children ignore too.
    """
    signal.signal(signal.SIGINT, lambda *_: None)
    hosts = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), "127.0.0.1")
    code = subprocess.call(
        [sys.executable, transfer.__file__, "--config", str(path)],
        env=os.environ | {"no_proxy": ",".join(filter(None, hosts))},
    )
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
