"""A toy Immich to try transfer.py on: `python -m tests.sandbox`, from the project's folder.

It starts PostgreSQL and the stand-in for Immich's REST API with the sample family and a media folder with a file for
each path, opens transfer.py on them in the same terminal, and deletes everything when that ends. Its exit code is
transfer.py's.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import transfer
from tests import family, postgres, schemas
from tests.immich import Immich
from tests.library import Library
from tests.media import Media

DEFAULT = "3.3"

INTRODUCTION = """
This is a sandbox: a toy Immich {version} with a sample family. Nothing in it is real, and all of it is deleted when
transfer.py ends.

  Immich address     {url}
  API key            {key}
                     (of Alice, the administrator)
  Database           host {host}, port {port}, name {dbname},
                     user {user}, password {password}
  Media folder       {media}
  Configuration      {path}{empty}

Try 1 and 2 to look around. Then 3: Alice's album "Summer 2024" to Bob shows nearly every rule, to Carol also a quota.
4 does it and offers to move the files, 9 takes it back. 5 for Bob finds what an older transfer by hand left behind,
and 10 whose files it left in whose folders.
"""


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
            tempfile.TemporaryDirectory(prefix="immich-transfer-sandbox-") as home,
            toy(options.immich, Path(home) / "immich") as config,
        ):
            path = Path(home) / "config.py"
            if not options.empty_config:
                transfer.save_config(path, config)
            introduce(options.immich, config, path)
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
            files.make()
        finally:
            connection.close()
        yield transfer.Config(immich.url, immich.key(alice), server.params(database), str(media))


def introduce(version: str, config: transfer.Config, path: Path) -> None:
    """Say what this is, how it is reached, and what to try."""
    empty = (
        ""
        if path.exists()
        else "\n                     (not there yet: answer y, and give the set-up the values above)"
    )
    print(
        INTRODUCTION.format(
            version=version,
            url=config.api_url,
            key=config.api_key,
            media=config.media,
            path=path,
            empty=empty,
            **config.database,
        ),
        flush=True,
    )


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
