"""The tests' own server leaves the machine as it is: no account is added, and no folder is opened to others."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import postgres

pytestmark = pytest.mark.screens

PROJECT = Path(__file__).resolve().parent.parent

# Starts a server, says where its data is, and ends.
START = """
from tests import postgres
with postgres.server().connect("postgres").cursor() as cursor:
    cursor.execute("show data_directory")
    print(cursor.fetchone()[0])
"""


def modes(folder: Path) -> dict[Path, int]:
    """The modes of a folder, of all in it, and of all above it."""
    return {path: path.lstat().st_mode for path in (folder, *folder.rglob("*"), *folder.parents)}


def test_a_private_folder_around_the_virtual_environment_stays_private(tmp_path: Path) -> None:
    """Run by root the server needs an account that may not look into it."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    package = postgres.installed()
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, private / part.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
    before, accounts = modes(private), pwd.getpwall()
    environment = {name: value for name, value in os.environ.items() if name != postgres.DSN_VARIABLE}
    environment |= {"PYTHONPATH": str(private), "PYTHONDONTWRITEBYTECODE": "1"}
    started = subprocess.run(
        [sys.executable, "-c", START], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert started.returncode == 0, started.stderr
    assert modes(private) == before
    assert pwd.getpwall() == accounts
    assert not Path(started.stdout.strip()).exists()
