#!/usr/bin/env python3
"""Hand photos to another user of the same Immich server, safely.

Run it without arguments, set it up once, and pick from the menu; do the dry run first. README.md says what
happens to people, tags, files and phones, and what to do before an old account is deleted.

The file reads from top to bottom, a banner over each part:

    1  constants, errors, data     what passes between the parts
    2  configuration               config.py: load, save, check
    3  Immich REST                 plain functions on a requests.Session
    4  database                    connect, recognise the schema, one transaction, its journal and its COMMIT
    5  both ends                   are they the same Immich; lists of users, albums, tags
    6  things                      a chapter for each thing that hangs on a photo
    7  transfer                    choose photos, the plan, the steps, the checks, the report
    8  repair                      the same steps without a giver, for what is found wrong
    9  undo                        what of a past run goes back; the same steps the other way round
   10  files                       move files into their owners' folders
   11  the old account             what would go or break with it
   12  screens                     everything printed and asked
   13  the page                    a transfer to look at, as HTML and CSV
   14  menu and main(argv)
"""

from __future__ import annotations

import argparse
import ast
import base64
import collections
import contextlib
import csv
import datetime
import errno
import functools
import getpass
import gzip
import hashlib
import html
import http
import itertools
import json
import os
import re
import select
import shlex
import shutil
import signal
import ssl
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import traceback
import types
import unicodedata
import urllib.parse
import uuid
import zlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Generic, Protocol, TypeVar, cast

try:
    import psycopg2
    import psycopg2.errors
    import psycopg2.extensions
    import psycopg2.extras
    import requests
    from psycopg2 import sql
except ImportError as missing:
    sys.exit(
        f"A package is missing ({missing.name}). Install what is needed: pip install -r requirements.txt"
    )

__version__ = "1.0.0"

# ============================================================================================================
# 1  CONSTANTS, ERRORS, DATA
# ============================================================================================================

DEFAULT_CONFIG = Path(__file__).resolve().parent / "config.py"

# Stock Immich's own values (its docker-compose.yml and .env).
DEFAULT_DATABASE = {"host": "localhost", "port": 5432, "dbname": "immich", "user": "postgres"}

OLDEST_IMMICH, NEWEST_IMMICH = (2, 0), (3, 3)  # releases that were tested; recognition itself goes by columns

MAX_DISTANCE = 0.5  # Immich's default of facialRecognition.maxDistance

# What an API key needs, and what each is for. Immich's names; `all` covers each of them. Without the last
# ones the tool works, and tells what to click instead.
KEY_PERMISSIONS = {"user.read": "whose key it is", "album.read": "the key owner's albums"}
ADMIN_KEY_PERMISSIONS = {"adminUser.read": "all users"}
ADMIN_KEY_WISHES = ("job.read", "job.create", "maintenance", "systemConfig.read")

# Immich's non-forced jobs that finish what a transfer leaves due, by queue: Immich's name for it, the button
# there, and what it does. Never with force: that would destroy every assignment of faces (ownership of faces
# is kept by us, not by a new recognition).
JOBS = {
    "thumbnailGeneration": (
        *("Generate Thumbnails", "Missing"),
        "creates missing thumbnails, mostly portraits of new people",
    ),
    "migration": (
        *("Migration", "Start"),
        "moves thumbnails, encoded videos and pictures of people into the folders of their owners",
    ),
    "storageTemplateMigration": (
        *("Storage Template Migration", "Start"),
        "moves originals and sidecars into the folders of their owners",
    ),
    "duplicateDetection": (
        *("Duplicate Detection", "Missing"),
        "compares the photos with their new owner's library",
    ),
}
PERSON_PICTURES_ALWAYS = (3, 1)  # before, the job draws none while facial recognition is switched off

# What no job of Immich's moves (ownership of files; migration and storage template jobs, all versions).
LEFT_BY_JOBS = {
    False: "originals, sidecars, edited versions, and all files of photos in the trash",
    True: "edited versions, motion videos of Android photos, and all files of photos in the trash",
}  # by whether the storage template is on

# Immich's own look for files that are missing, from 3.0 on. Its look for files that no row names is never
# started: a file stays on that report when a row names it again, and "delete all" there asks nobody.
MISSING_JOB, INTEGRITY_QUEUE = "integrity-missing-files", "integrityCheck"
BACKUP_JOB, BACKUP_QUEUE = "backup-database", "backupDatabase"

# Unicode characters that turn the writing direction: a name could make a line read as something else.
DIRECTION_MARKS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

TRANSFER, DUPLICATE, MERGE = "TRANSFER", "DUPLICATE", "MERGE"

# What becomes of the album itself.
ALBUM_STAYS, ALBUM_SHARED, ALBUM_HANDED_OVER, ALBUM_GIVEN_UP = "stays", "shared", "handed over", "given up"

# Why a chosen photo stays: code -> words, in the order in which they are tried. {taker} is who would get it.
REASONS = {
    "deleting": "being deleted by Immich",
    "external": "in an external library (belongs to a folder that the server scans)",
    "trashed": "in the trash",
    "locked": "in the locked folder",
    "unfinished": "a file move of Immich's is unfinished (run its storage template or migration job)",
    "duplicate": "{taker} has the same file already",
    "duplicate_in_trash": "{taker} has the same file in the trash (restore or purge it, then run again)",
    "left_out": "left out, as you asked",
}


def reason_words(code: str, taker: str) -> str:
    """Why a photo stays, with the name of who would have got it."""
    return REASONS[code].format(taker=clean(taker))


class TransferError(Exception):
    """Something a person must know: what happened, why, and what to do about it. Nothing was changed."""

    def __init__(self, what: str, why: str = "", todo: str = "") -> None:
        super().__init__(" ".join(filter(None, (what, why))))
        self.what, self.why, self.todo = what, why, todo


class ConfigMissing(TransferError):
    """There is no configuration yet."""


class ConfigBroken(TransferError):
    """config.py cannot be read as data."""


class NotAllowed(TransferError):
    """Immich refuses the key this call."""


class NotThere(TransferError):
    """Immich does not know this call (404)."""


class SchemaUnknown(TransferError):
    """The database is not of a kind that this tool knows."""


class TwoServers(TransferError):
    """The address and the database belong to two different Immich servers."""


class UnknownLinks(TransferError):
    """Something links to photos or people that this tool does not know. A dry run is allowed, execution is
    not.
    """

    def __init__(self, links: Sequence[str]) -> None:
        super().__init__(
            "This Immich has links to photos or people that this tool does not know.",
            "; ".join(links),
            "Look for a newer version of this tool. A dry run is safe.",
        )


class AnotherRun(TransferError):
    """A second run of this tool is at work on the same database."""


class Changed(TransferError):
    """What would be transferred is no longer what was shown."""


class InvariantBroken(TransferError):
    """A check of section "the checks" failed: a bug here, or a trigger that is not Immich's. What it `names`,
    by table and id, an undo leaves out.
    """

    names: frozenset[tuple[str, str]] = frozenset()


class CommitUnknown(TransferError):
    """The connection was lost while COMMIT was under way, and the rows could not be looked at yet."""

    def __init__(self, saved: Sequence[Path], report: Any, sample: Sequence[Sequence[Any]]) -> None:
        super().__init__(
            "The connection was lost while the change was being committed.",
            "Whether it was committed is not known yet.",
            "When the database is back, look at Undo a transfer (9): its list tells what is there.",
        )
        self.saved, self.report, self.sample = saved, report, sample


def clean(text: str) -> str:
    """Text fit for a terminal: no control characters, no direction overrides; line ends become blanks."""
    blanks = re.sub(r"\s+", " ", text)
    return "".join(
        c for c in blanks if unicodedata.category(c) not in ("Cc", "Cs") and c not in DIRECTION_MARKS
    )


def shortened(text: str, width: int = 40) -> str:
    """A name from the database, cut to a width."""
    name = clean(text)
    return name if len(name) <= width else name[: width - 1] + "…"


def in_words(names: Sequence[str], last: str = "and") -> str:
    """A, B and C; of more than three how many more there are."""
    shown = [name or "Unknown" for name in names[:3]] + [f"{len(names) - 3} more"] * (len(names) > 3)
    return f" {last} ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def folded(text: str) -> str:
    """A text as people compare names: without regard to case, to the kind and number of blanks, and to which
    of several codes a letter is written in.
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


class EndOfInput(Exception):
    """Nobody answers any more."""


class OutputLost(Exception):
    """What is to be shown cannot be written: the reader has gone, or a disk is full."""

    def __init__(self, why: str, truth: str = "") -> None:
        super().__init__(" ".join(filter(None, (f"The output could not be written ({why}).", truth))))
        self.why = why


IS_MADE = "The change itself is made and saved."


class Ended(KeyboardInterrupt):
    """A signal asks the program to end. What is under way breaks off as by Ctrl-C; nothing is asked."""


ENDINGS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name))


@dataclass
class Terminal:
    """The one terminal, pipe or file that this program talks to, and how it has gone so far."""

    answers: int = 0  # given to questions
    has_news: bool = False  # something was shown since the last of them
    failed: bool = False  # something that was asked for, although the menu entry itself was done
    ended: int = 0  # by this signal
    tell_wait: Callable[[str], None] | None = None  # shows what is waited for, '' for nothing any more
    details: str = ""  # all of the result that was shown last
    kept: dict[str, str] = field(default_factory=dict)  # results by their titles: for a text file,
    kept_as: tuple[Path, tuple[str, ...]] = (Path(), ())  # its folder, and the words of its name
    last: str = ""  # what came of the last thing that was to be changed, for the menu


TERMINAL = Terminal()


class Back(Exception):
    """The person goes back to the menu."""


class StepBack(Back):
    """The person goes back to the question before."""


@dataclass(frozen=True)
class Config:
    """What config.py holds. `database` goes to psycopg2.connect as it is."""

    api_url: str
    api_key: str = field(repr=False)
    database: Mapping[str, Any] = field(repr=False)
    media: str = ""  # Immich's media folder as this computer sees it; '' where it cannot
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # for a proxy before Immich


@dataclass(frozen=True)
class User:
    """An Immich user. Sizes in bytes; quota None means unlimited."""

    id: str
    email: str
    name: str
    photos: int = 0
    usage: int = 0
    quota: int | None = None
    deleted: bool = False  # marked for deletion; Immich removes account and folders some days later


NOBODY = User("", "", "")


@dataclass(frozen=True)
class Album:
    """An album with its owner, how many items it shows, and whom it is shared with."""

    id: str
    name: str
    owner: str
    items: int
    shared_with: tuple[str, ...] = ()
    made: str = ""  # on which day: 2024-07-12


@dataclass(frozen=True)
class ExternalLibrary:
    """An external library: how many photos it shows, and how many of those are in the trash (what the scan
    does not find any more lies there) or in the locked folder; how many of its photos are other users'.
    """

    id: str
    name: str
    photos: int
    trashed: int = 0
    locked: int = 0
    others: int = 0


@dataclass(frozen=True)
class KnownPerson:
    """A person of a user's, with how many of the user's photos show it; `birth` is a date, or ''."""

    id: str
    name: str
    photos: int
    birth: str = ""


# People who are one: (the source's person, the destination's).
SamePeople = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Request:
    """One transfer as asked for: everything, or the photos for which all the conditions hold that are given.
    `merge` holds the ids of the source's people that may be merged by name.
    """

    source: str
    destination: str
    album: str | None = None  # in this album; short for `albums` of one
    merge: frozenset[str] = frozenset()
    tag: str | None = None  # with a tag, or with one below it
    everything: bool = False  # all that the source owns, its albums included,
    same_person: bool = False  # and what it was to other users: both accounts are one person's
    album_itself: str = ALBUM_STAYS  # what becomes of the albums chosen
    trashed: bool = False  # also photos in the trash,
    locked: bool = False  # or in the locked folder
    libraries: frozenset[str] = frozenset()  # external libraries, whole: with everything, or by themselves
    remembered: SamePeople = ()  # who was made from whom by earlier runs, or was found to be the same by face
    albums: tuple[str, ...] = ()  # in any of these
    people: tuple[str, ...] = ()  # of any of these people of the source's
    since: str = ""  # taken on this day (2024-07-12) or later,
    until: str = ""  # on this day or before
    favorites: bool = False  # the source's favourites
    photos: tuple[str, ...] = ()  # one of these
    left_out: frozenset[str] = frozenset()  # ids of photos that stay all the same

    def __post_init__(self) -> None:
        conditions = (
            *(self.every_album, self.tag is not None, self.people, self.since, self.until),
            *(self.favorites, self.photos, self.libraries and not self.everything),
        )
        if any(conditions) == self.everything or (self.album is not None and self.albums):
            raise ValueError("a transfer is of everything, or of what some conditions choose")
        if self.same_person and not self.everything:
            raise ValueError("two accounts become one with everything")
        if self.album_itself != ALBUM_STAYS and not (self.every_album or self.everything):
            raise ValueError("without an album there is none to be handed over")
        for day in filter(None, (self.since, self.until)):
            datetime.date.fromisoformat(day)

    @property
    def kind(self) -> str:
        """In one word what chooses the photos: everything, album, tag, or conditions."""
        filters = (self.people, self.since, self.until, self.favorites, self.photos, self.libraries)
        if self.everything:
            return "everything"
        if any(filters) or (self.every_album and self.tag is not None):
            return "conditions"
        return "album" if self.every_album else "tag"

    @property
    def every_album(self) -> tuple[str, ...]:
        """The albums that the photos are chosen from."""
        return self.albums if self.album is None else (self.album,)


# By what two people may be one: the name; the name but for accents; the face, whatever the names.
NAME, ACCENTS, FACE = "name", "accents", "face"


@dataclass(frozen=True)
class Person:
    """What happens to one person. `inside`, `outside`: undeleted faces on moved and on other photos."""

    id: str
    name: str
    action: str
    inside: int
    outside: int
    merge_id: str | None = None
    merge_name: str = ""
    merge_faces: int = 0
    note: str = ""
    target: str | None = None  # the destination's person afterwards
    remembered: bool = False  # an earlier run made the destination's person from this one
    birth: str = ""  # birth dates, where they are known
    merge_birth: str = ""
    alike: str = NAME  # by what they may be one
    distance: float | None = None  # of the two faces, by Immich's measure: 0 is the same, 2 the opposite


@dataclass(frozen=True)
class Storage:
    """A user's storage figure in bytes, before and after."""

    email: str
    before: int
    after: int
    quota: int | None

    @property
    def over_quota(self) -> bool:
        """Immich refuses uploads of a user whose usage is above the quota; it does not object to the state
        itself.
        """
        return self.quota is not None and self.after > self.quota


@dataclass(frozen=True)
class Tag:
    """A tag by its whole path, with how many photos of its owner's carry it or one below it."""

    id: str
    path: str
    photos: int


@dataclass(frozen=True)
class Report:
    """What a transfer, a repair or an undo did, or would do. What is counted or listed besides has the names
    under which LINES tells it.
    """

    assets: int = 0  # photos that changed hands; of a repair, with which something was wrong
    selection: str = ""  # album, tag, everything, or conditions; '' for a repair
    dates: tuple[str, ...] = ()  # when the first and the last of the photos that move were taken
    people: tuple[Person, ...] = ()
    faces: int = 0  # faces whose link changed
    along: tuple[tuple[str, str], ...] = ()  # (why, file name) of photos that nobody chose
    stays: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (reason code, file names)
    lost: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (what, names): an undo could not give it back
    libraries: tuple[ExternalLibrary, ...] = ()  # handed over with all their photos
    storage: tuple[Storage, ...] = ()
    wrong_after: int | None = None  # new cross-owner rows seen after the commit; None: not looked
    digest: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    lists: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    parts: tuple[tuple[str, Report], ...] = ()  # of a repair: what is done for each user (id)

    def plus(self, **found: int | tuple[Any, ...]) -> Report:
        """This, with what was counted or listed besides."""
        lists = {what: value for what, value in found.items() if isinstance(value, tuple)}
        counts = {what: int(value) for what, value in found.items() if not isinstance(value, tuple)}
        return replace(self, counts={**self.counts, **counts}, lists={**self.lists, **lists})

    def of(self, what: str) -> int:
        """How many there are of something."""
        return self.counts.get(what, 0) or len(self.listed(what))

    def listed(self, what: str) -> tuple[Any, ...]:
        """What there is of something."""
        return self.lists.get(what, ())


@dataclass(frozen=True)
class Photo:
    """A photo that a transfer concerns. `why`: how it came to move, or its reason to stay (of REASONS)."""

    id: str
    name: str
    day: str  # on which it was taken, as Immich's timeline has it: 2024-07-12
    moves: bool
    why: str
    file: str = ""  # its thumbnail's path in the database


@dataclass(frozen=True)
class Inventory:
    """The photos that a transfer concerns, and where pictures of people are: what a page of it shows."""

    photos: tuple[Photo, ...] = ()  # by day
    portraits: Mapping[str, str] = field(default_factory=dict)  # a person's id: path in the database


@dataclass(frozen=True)
class Table:
    """A table as found: (real name, newest name) of each column, and its primary key in newest names."""

    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]


@dataclass(frozen=True)
class Schema:
    """An Immich schema as recognised. The two flags choose between the person models and the album-owner
    models.
    """

    release: str
    tables: Mapping[str, Table]
    person_groups: bool
    album_owner_rows: bool
    unknown_links: tuple[str, ...] = ()  # what KNOWN_LINKS lacks


@dataclass(frozen=True)
class Server:
    """Both ends, found to be the same Immich."""

    version: str
    user_id: str
    user_email: str
    is_admin: bool
    is_newer: bool  # than what was tested
    unknown_links: tuple[str, ...]
    may_all: bool = False  # the key has the permission `all`
    face_vectors: bool = False  # faces can be compared

    @property
    def number(self) -> tuple[int, ...]:
        """The version as numbers."""
        return tuple(map(int, self.version.split(".")))


@dataclass(frozen=True)
class Queue:
    """One of Immich's job queues: how many jobs are active or waiting, and how many have failed."""

    work: int = 0
    failed: int = 0
    paused: bool = False


@dataclass(frozen=True)
class Backup:
    """A backup of the database that Immich made: when it was asked for, its name, '' where only the job's end
    could be seen, and its size in bytes.
    """

    when: datetime.datetime
    name: str = ""
    size: int = 0


Shown = TypeVar("Shown", bound="Reported")
Result = TypeVar("Result")


class Reported(Protocol):
    """What a run did, or would do; `digest` ties the run to what was shown."""

    @property
    def digest(self) -> str: ...


class Progress(Protocol):
    """Is told each step, and in a step without a name of its own how many rows are done of how many."""

    def __call__(self, step: str, done: int = 0, total: int = 0, /) -> None: ...


def quiet(_step: str, _done: int = 0, _total: int = 0) -> None:
    """Progress that nobody wants to see."""


@dataclass(frozen=True)
class How:
    """How a transfer, a repair or an undo is run; as a dry run, which does all of it and rolls back, by
    default.

    `expected_digest` is the digest of the dry run that was shown: Changed is raised when it no longer fits.
    `accepted_links` are the unknown links that the person has accepted. The file that an undo
    needs is written to `undo_folder`; without one a run cannot be undone. `listed` is given what a transfer
    concerns, as it was before the steps; not by default, since of a large library that is a long list.
    """

    dry_run: bool = True
    expected_digest: str | None = None
    accepted_links: frozenset[str] = frozenset()
    undo_folder: Path | None = None
    progress: Progress = quiet
    listed: Callable[[Inventory], None] | None = None


HOW = How()  # a dry run


# ============================================================================================================
# 2  CONFIGURATION: config.py is data. It is read with ast.literal_eval and never executed.
# ============================================================================================================


SETTINGS_SIZE = 2**20  # bytes of config.py, or of an .env: nobody writes as many


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """A regular file, to be read. Raises OSError for anything else: a pipe or a device may have no end, and a
    pipe that nobody writes to would be waited for.
    """
    flag = getattr(os, "O_NONBLOCK", 0)
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | flag)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "It is no regular file")
        yield file


def read_regular(path: Path, most: int, *, ours: bool = False) -> bytes:
    """What is in a regular file of so many bytes at most. Raises OSError; NotOurs if it must be `ours`."""
    with open_ours(path) if ours else open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"It has more than {most // 2**20} MiB")
    return content


class NotOurs(TransferError):
    """A file or folder of this tool that others may have written."""


def require_ours(path: Path, found: os.stat_result) -> None:
    """Raise NotOurs if others than root, who runs this, or the owner of config.py can write a file or folder
    of this tool's: `found` is of the undo folder beside config.py, or of a file in it.

    What an undo file says is written to the database, and what a list of moves says to the disk, so they are
    trusted only as ssh trusts its keys.
    """
    if os.name != "posix":
        return
    home = path.parent if stat.S_ISDIR(found.st_mode) else path.parent.parent
    trusted = {0, os.geteuid()}
    for place in (home, home / DEFAULT_CONFIG.name):
        with contextlib.suppress(OSError):
            trusted.add(place.stat().st_uid)
    if found.st_uid not in trusted:
        why = f"It belongs to another user of this computer (number {found.st_uid})."
        todo = f"chown {os.geteuid()} {shlex.quote(str(path))}"
    elif found.st_mode & 0o022:
        why = "Other users of this computer may write it."
        todo = f"chmod go-w {shlex.quote(str(path))}"
    else:
        return
    raise NotOurs(
        f"{path} is not used: somebody else may have written it.",
        f"{why} What it says would be written to Immich's database or disk.",
        f"If you are sure that it is yours: {todo} (on a disk without owners and permissions, as many of "
        "Windows and of the network are, move the folder of config.py to another one).",
    )


@contextlib.contextmanager
def open_ours(path: Path) -> Iterator[BinaryIO]:
    """A file in the undo folder, to be read. Raises OSError, or NotOurs."""
    with open_regular(path) as file:
        require_ours(path.parent, path.parent.stat())
        require_ours(path, os.fstat(file.fileno()))
        yield file


def load_config(path: Path) -> Config:
    """Read config.py. Raises ConfigMissing, or ConfigBroken naming the line."""
    try:
        tree = ast.parse(read_regular(path, SETTINGS_SIZE).decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigMissing(f"There is no configuration at {path} yet.", todo="Run the set-up.") from None
    except OSError as error:
        raise ConfigBroken(f"{path} cannot be read.", error.strerror or str(error)) from None
    except SyntaxError as error:
        raise _broken(path, error.lineno or 1, error.msg) from None
    except (UnicodeDecodeError, ValueError, RecursionError, MemoryError) as error:
        raise _broken(path, 1, str(error) or "it is nested too deeply") from None
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        if not (
            isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        ):
            raise _broken(path, node.lineno, "only lines like NAME = value are allowed")
        try:
            found[node.targets[0].id] = ast.literal_eval(node.value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            raise _broken(path, node.lineno, f"{node.targets[0].id} is not a plain value") from None
    todo = "Run the set-up again, or mend it."
    for name, kind, word in (
        ("API_URL", str, "text"),
        ("API_KEY", str, "text"),
        ("DB_CONFIG", dict, "a dictionary"),
    ):
        if not isinstance(found.get(name), kind) or not found[name]:
            raise ConfigBroken(f"{path}: {name} is missing or is not {word}.", todo=todo)
    media, headers = found.get("UPLOAD_LOCATION", ""), found.get("API_HEADERS", {})
    if not all(isinstance(name, str) for name in found["DB_CONFIG"]):
        raise ConfigBroken(f"{path}: the names in DB_CONFIG must be text.", todo=todo)
    if not isinstance(media, str):
        raise ConfigBroken(f"{path}: UPLOAD_LOCATION is not text.", todo=todo)
    if not isinstance(headers, dict) or not all(
        isinstance(text, str) and re.fullmatch(r"[!-~]([ -~]*[!-~])?", text)
        for text in itertools.chain.from_iterable(headers.items())
    ):
        raise ConfigBroken(f"{path}: API_HEADERS is not a dictionary of headers, names and texts.", todo=todo)
    return Config(base_url(found["API_URL"]), found["API_KEY"], found["DB_CONFIG"], media, headers)


def _broken(path: Path, line: int, why: str) -> ConfigBroken:
    return ConfigBroken(
        f"{path}, line {line}, cannot be read: {why}.", todo="Mend that line, or run the set-up again."
    )


def save_config(path: Path, config: Config) -> None:
    """Write config.py atomically with mode 0600: the old file stays whole until the new one is on disk.

    ascii() keeps every character that Python can hold, quotes, newlines and lone surrogates included.
    """
    entries = "".join(f"    {name!a}: {value!a},\n" for name, value in config.database.items())
    text = (
        "# Settings of transfer.py. Read as data, never executed; see config.example.py.\n"
        f"API_URL = {config.api_url!a}\n"
        f"API_KEY = {config.api_key!a}\n"
        f"DB_CONFIG = {{\n{entries}}}\n"
    )
    if config.media:
        text += f"UPLOAD_LOCATION = {config.media!a}\n"
    if config.headers:
        text += f"API_HEADERS = {dict(config.headers)!a}\n"
    try:
        target = path.resolve()  # a link stays a link
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".config-")  # mkstemp makes it 0600
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except (OSError, RuntimeError) as error:  # RuntimeError: a link to itself
        reason = getattr(error, "strerror", None) or str(error)
        raise TransferError(f"{path} could not be written.", reason) from None


def clear_config(path: Path) -> None:
    """Delete config.py, and what it is a link to: that holds the secrets. Fine if it has gone already."""
    try:
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TransferError(f"{path} could not be deleted.", reason) from None


# What is read from Immich's .env, and the setting that it is. <name>_FILE may name a file that has it.
ENV_NAMES = {
    "DB_PASSWORD": "password",
    "DB_USERNAME": "user",
    "DB_DATABASE_NAME": "dbname",
    "DB_HOSTNAME": "host",
    "DB_PORT": "port",
    "DB_URL": "url",  # instead of all these
    "UPLOAD_LOCATION": "media",
}
# $$, ${NAME}, ${NAME:-default} (- + ?, with a colon also where it is empty), $NAME
ENV_VARIABLE = r"\$(?:\$|\{(\w+)(?:(:?)([-+?])([^}]*))?\}|(\w+))"


def read_env_file(path: Path) -> dict[str, str]:
    """The settings in Immich's .env. Raises TransferError if there are none.

    Follows Docker Compose: NAME=value lines, # comments, quotes, variables; a folder is meant from the one
    that the .env lies in.
    """
    todo = "Give the path of Immich's .env file."
    try:
        lines = read_regular(path.expanduser(), SETTINGS_SIZE).decode("utf-8-sig").splitlines()
        home = path.expanduser().resolve().parent
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ~somebody who is not there
        reason = getattr(error, "strerror", None) or str(error)
        raise TransferError(f"{path} cannot be read.", reason, todo) from None
    found: dict[str, str] = {}
    for line in lines:
        if match := re.match(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$", line):
            found[match[1]] = _env_value(match[2], collections.ChainMap(found, dict(os.environ)))
    for name in ENV_NAMES:
        with contextlib.suppress(OSError, ValueError):  # a path in the container, of which nothing is here
            if file := found.get(f"{name}_FILE"):
                found[name] = read_regular(home / file, SETTINGS_SIZE).decode().strip()
    settings = {setting: found[name] for name, setting in ENV_NAMES.items() if name in found}
    if not settings:
        raise TransferError(f"{path} has none of {', '.join(ENV_NAMES)}.", todo=todo)
    if url := settings.pop("url", ""):
        settings |= settings_of_url(url)
    if settings.get("media"):
        settings["media"] = str((home / Path(settings["media"]).expanduser()).resolve())
    return settings


def _env_value(text: str, known: Mapping[str, str]) -> str:
    """A value of an .env: without its quotes or its comment, variables put in but between single quotes."""
    quoted = re.match(r"""'([^']*)'|"((?:[^"\\]|\\.)*)\"""", text)
    if quoted and quoted[1] is not None:
        return quoted[1]
    if quoted:
        escapes = {"n": "\n", "r": "\r", "t": "\t", "$": "$$"}
        text = re.sub(r"\\(.)", lambda found: escapes.get(found[1], found[1]), quoted[2])
    else:
        text = re.sub(r"(^|\s+)#.*", "", text).replace("\\$", "$$")

    def put_in(found: re.Match[str]) -> str:
        name, colon, sign, word, plain = found.groups("")
        value = known.get(name or plain)
        is_set = bool(value) if colon else value is not None
        if sign == "+" or (sign == "-" and not is_set):
            return word if is_set == (sign == "+") else ""
        return (value or "") if name or plain else "$"

    return re.sub(ENV_VARIABLE, put_in, text)


def is_database_url(text: str) -> bool:
    """Whether it is a database's address with everything in it, as Immich's DB_URL."""
    return re.match("postgres(ql)?://", text) is not None


def settings_of_url(text: str) -> dict[str, str]:
    """The settings in a database's address. Raises TransferError, which does not show it: it has a password.
    """
    try:
        return dict(psycopg2.extensions.parse_dsn(text))
    except (psycopg2.Error, ValueError):
        raise TransferError(
            "The address of the database is not understood.",
            todo="It looks like postgresql://user:password@host:5432/immich. Or give its parts.",
        ) from None


# ============================================================================================================
# 3  IMMICH REST: plain functions on a requests.Session. Only calls that Immich 2.0 to 3.x all answer.
# ============================================================================================================

TIMEOUT = (10, 60)  # seconds to connect, seconds between two bytes of an answer
ANSWER_SECONDS = 60.0  # for a whole answer: one that comes a byte at a time would never time out
ANSWER_SIZE = 64 * 2**20  # bytes, unpacked. The longest, a list of albums, has less than 2 KB for each
CHUNK = 8192  # bytes that are unpacked at a time: gzip makes a thousand of one


@dataclass(frozen=True)
class Api:
    """Immich's REST API at `base`, spoken to with the key that the session carries."""

    base: str
    session: requests.Session


def base_url(text: str) -> str:
    """Any of host:2283, http://host:2283/, https://photos.example.org/api/ as scheme://host[:port], without
    /api.
    """
    text = text.strip()
    if re.fullmatch(r"[\da-fA-F]*:[\da-fA-F:.]*:[\da-fA-F.]*", text):  # IPv6 without its brackets
        text = f"[{text}]"
    try:
        parts = urllib.parse.urlsplit(text if "://" in text else f"http://{text}")
        is_address = (
            parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
        )
    except ValueError:  # a port that is not a number, brackets that do not close
        is_address = False
    # in a name `%` can be another writing of `@`
    if not is_address or re.search(r"[@\s]|^https?:/[^/]|^(https?://)?[^\[/]*%", text, re.IGNORECASE):
        # not shown: it may hold a password
        raise TransferError(
            "What was given is not an address of Immich's.",
            "A user name or a password has no place in it." if re.search("@|%40", text) else "",
            "Give it like http://192.168.1.10:2283 or https://photos.example.org.",
        )
    path = re.sub(r"/api$", "", parts.path.rstrip("/"))
    return f"{parts.scheme}://{parts.netloc}{path}"


def open_api(url: str, key: str, headers: Mapping[str, str] = types.MappingProxyType({})) -> Api:
    """A session that carries the key, unless it is '', and follows no redirect. `headers` are for a proxy."""
    if not re.fullmatch(r"[\x21-\x7e]*", key):
        raise TransferError(
            "The API key has characters that no key of Immich's has.", todo="Copy it again, whole."
        )
    session = requests.Session()
    session.auth = lambda request: request  # a ~/.netrc is not asked for what to send
    ours = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": f"transfer.py/{__version__}",
    }
    session.headers.update({**headers, **ours, **({"x-api-key": key} if key else {})})
    return Api(base_url(url), session)


def call(api: Api, method: str, path: str, body: Any = None) -> Any:
    """One REST call; the parsed answer, or None where there is none. Every failure becomes one sentence.

    Raises NotAllowed (401, 403), NotThere (404), TransferError for all else.
    """
    answer, content = _asked(api, method, path, body)
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError):
        raise _refusal(api.base, path, answer.status_code, answer) from None


def call_for_bytes(api: Api, path: str) -> bytes:
    """What a GET answers, as it is: pictures. Raises as call() does."""
    return _asked(api, "GET", path, None)[1]


def _asked(api: Api, method: str, path: str, body: Any) -> tuple[requests.Response, bytes]:
    """The answer to one REST call, which is no refusal, and its content."""
    url = f"{api.base}/api{path}"
    if api.base.startswith("https:"):
        require_bundle()
    try:
        answer, content = _within(
            ANSWER_SECONDS, f"Immich at {api.base}", lambda: _ask(api, method, url, body)
        )
    except (OSError, ValueError) as error:  # ValueError: addresses that only the lower layers find wrong
        raise _no_answer(api.base, error) from None
    if answer.ok:
        return answer, content
    try:
        parsed = json.loads(content) if content else None
    except (ValueError, RecursionError):
        parsed = answer
    raise _refusal(api.base, path, answer.status_code, parsed)


def _ask(api: Api, method: str, url: str, body: Any) -> tuple[requests.Response, bytes]:
    """One answer with its content, unpacked as far as ANSWER_SIZE. Raises what requests raises, and
    TransferError.
    """

    def redirected(answer: requests.Response, *_: Any, **__: Any) -> None:
        if answer.is_redirect:  # requests would look at where to, even if it does not go there
            raise _elsewhere(api.base, url, answer.headers["Location"])

    options: dict[str, Any] = {"timeout": TIMEOUT, "allow_redirects": False, "stream": True}
    with api.session.request(method, url, json=body, hooks={"response": redirected}, **options) as answer:
        content = bytearray()
        packed = answer.headers.get("Content-Encoding", "gzip").strip().casefold()
        if packed not in ("gzip", "identity"):  # twice packed, say: a million bytes of one
            raise TransferError(f"{api.base} answers in an encoding that was not asked for.")
        for chunk in answer.iter_content(CHUNK):
            content += chunk
            if len(content) > ANSWER_SIZE:
                raise TransferError(
                    f"{api.base} answers without an end.",
                    f"More than {ANSWER_SIZE // 2**20} MiB have come.",
                    "Is it an Immich server?",
                )
        return answer, bytes(content)


def _within(seconds: float, what: str, work: Callable[[], Result]) -> Result:
    """The result of `work`, which another thread does: it may take so long in all. Raises what it raises,
    or requests' Timeout.

    requests itself counts the time between two bytes only.
    """
    outcome: list[Result] = []
    errors: list[BaseException] = []

    def run_it() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run_it, daemon=True)  # left to itself when it takes too long
    began = time.monotonic()
    thread.start()
    with waiting_for(what) as tell:
        while thread.is_alive() and time.monotonic() - began < seconds:
            thread.join(0.25)
            tell()
    if errors:
        raise errors[0]
    if not outcome:
        raise requests.exceptions.Timeout("Time-out")
    return outcome[0]


TELL_AFTER = 2.0  # seconds


@contextlib.contextmanager
def waiting_for(what: str) -> Iterator[Callable[[], None]]:
    """Something to call now and then inside the block: it tells what is waited for, and for how long."""
    began, told = time.monotonic(), 0

    def tell() -> None:
        nonlocal told
        seconds = int(time.monotonic() - began)
        if seconds >= TELL_AFTER and seconds > told:
            told = seconds
            if TERMINAL.tell_wait:
                TERMINAL.tell_wait(f"Waiting for {what}, {seconds} s")

    try:
        yield tell
    finally:
        if told and TERMINAL.tell_wait:
            TERMINAL.tell_wait("")


# What stands before Immich and wants a login first: Cloudflare Access, Authelia, a password of the proxy's.
LOGIN_FIRST = (
    "Never give it the API key. Give the address that leads to Immich itself, such as "
    "http://192.168.1.10:2283 at home; or the headers that let a program pass, as API_HEADERS in config.py."
)


def _elsewhere(base: str, url: str, location: str) -> TransferError:
    """What a redirection means. It is not followed: the key must not travel to another host unasked."""
    try:
        target = urllib.parse.urljoin(url, location)
        call = urllib.parse.urlsplit(url).path.rpartition("/api/")[2]
        there = base_url(target.partition(f"/api/{call}")[0].partition("?")[0])
    except (TransferError, ValueError):
        target = there = ""
    if there and f"/api/{call}" not in urllib.parse.urlsplit(target).path:  # who has moved keeps the path
        host = urllib.parse.urlsplit(there).netloc
        return TransferError(f"{base} asks for a login first, at {clean(host)}.", todo=LOGIN_FIRST)
    if not there or f"{there}/".startswith(f"{base}/"):
        return TransferError(
            f"{base} sends us on, to {'itself' if there else 'an address that is none'}.",
            todo="Give the address that you open Immich with, or look at the proxy that stands before it.",
        )
    return TransferError(
        f"{base} sends us on to {clean(there)}.",
        "A key must not travel to another host unasked.",
        "If you trust it, give that address instead.",
    )


def _variable(*names: str) -> str:
    """The first of these environment variables that is set, in lower case or in capitals."""
    both = (each for name in names for each in (name, name.upper()))
    return next((name for name in both if os.environ.get(name)), "")


def require_bundle() -> None:
    """Raise TransferError if an environment variable names a file of certificates that is none. It is looked
    at before requests does, which would wait for ever for what a pipe brings.
    """
    name = _variable("requests_ca_bundle", "curl_ca_bundle")
    path = Path(os.environ.get(name, ""))
    if not name or path.is_dir():
        return
    why = "it holds none (PEM)"
    try:
        with open_regular(path):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(path)
        if context.cert_store_stats()["x509"]:
            return
    except ssl.SSLError:
        pass
    except OSError as error:
        why = error.strerror or str(error)
    raise TransferError(
        "The certificates to trust cannot be read.",
        f"The environment variable {name} names {clean(str(path))}: {why[0].lower()}{why[1:]}.",
        "Mend it, or unset it.",
    )


def _by_proxy(base: str) -> str:
    """What to do besides, where a proxy stands on the way there."""
    proxy = _variable(f"{base.partition(':')[0]}_proxy", "all_proxy")
    if not proxy or requests.utils.should_bypass_proxies(base, no_proxy=None):
        return ""
    host = urllib.parse.urlsplit(base).hostname
    return f" The environment variable {proxy} names a proxy on the way: mend it, or set NO_PROXY={host}."


def _no_answer(base: str, error: Exception) -> TransferError:
    """A call without an answer: what was tried, what the system said, what to check."""
    if isinstance(error, requests.exceptions.SSLError):
        todo = (
            "Give the address that you open Immich with. If its certificate is your own, set the environment "
            "variable REQUESTS_CA_BUNDLE to the file of its authority (PEM) and start again."
        )
    else:
        todo = "Check that Immich runs, address and port (2283), and that no firewall stands between."
    return TransferError(f"Immich at {base} did not answer.", _innermost(error), todo + _by_proxy(base))


def _innermost(error: BaseException) -> str:
    """What the system said, without the layers around it."""
    while inner := getattr(error, "reason", None) or next(
        (each for each in error.args if isinstance(each, BaseException)), None
    ):
        if not isinstance(inner, BaseException):
            break
        error = inner
    told = getattr(error, "strerror", None) or str(error).rpartition("] ")[2]
    told = clean(re.sub(r"^<.*>: |^HTTPS?ConnectionPool\(.*?\): ", "", told))[:200].rstrip(".")
    # an address of a proxy may hold its password
    return f"{told}." if told and not re.search("://|@", told) else ""


def _refusal(base: str, path: str, status: int, parsed: Any) -> TransferError:
    is_immichs = isinstance(parsed, (dict, list))
    message = clean(str(parsed.get("message", ""))) if isinstance(parsed, dict) else ""
    if status in (401, 403) and not is_immichs:
        return TransferError(
            f"What stands before Immich at {base} asks for a login, or lets nobody pass ({status}).",
            todo=LOGIN_FIRST,
        )
    if status == 401:
        return NotAllowed(
            "Immich does not accept the API key.",
            message,
            "Make one under Account Settings > API Keys, copy it whole.",
        )
    if status == 403:
        if "ermission" in message:
            return NotAllowed(
                f"The API key lacks the permission {message.rpartition(': ')[2]}.",
                todo="In Immich, edit the key under Account Settings > API Keys: add it, or simply `all`.",
            )
        return NotAllowed(f"Immich refuses {path} to this key.", message, "Use an administrator's key.")
    if status == 404 and isinstance(parsed, dict):
        return NotThere(f"This Immich has no {path}.", message)
    if status < 400 or (status == 404 and not is_immichs):
        return TransferError(
            f"What answers at {base} is not an Immich ({status}).",
            "It is a web page, such as a login." if status == 200 and _is_page(parsed) else "",
            "Give the address that you open Immich with, without a path." + _by_proxy(base),
        )
    if status < 500 and status not in (407, 429) and is_immichs:
        return TransferError(f"Immich refused {path} ({status}).", message)
    with contextlib.suppress(ValueError):
        message = message or f"{http.HTTPStatus(status).phrase}."
    return TransferError(
        f"{base} answered with an error ({status}).",
        message,
        "Is Immich still starting? Look at its log, and at what stands before it." + _by_proxy(base),
    )


def _is_page(parsed: Any) -> bool:
    return isinstance(parsed, requests.Response) and "html" in parsed.headers.get("Content-Type", "")


def _shaped(answer: Any, *names: str) -> dict[str, Any]:
    """`answer` if it is an object with these entries; else one sentence instead of a KeyError later."""
    if isinstance(answer, dict) and all(name in answer for name in names):
        return answer
    raise TransferError(
        "Immich's answer is not understood.",
        f"An object with {', '.join(names)} was expected.",
        "Is it an Immich server?",
    )


def _shaped_list(answer: Any, *names: str) -> list[dict[str, Any]]:
    if isinstance(answer, list):
        return [_shaped(entry, *names) for entry in answer]
    raise TransferError(
        "Immich's answer is not understood.", "A list was expected.", "Is it an Immich server?"
    )


def immich_version(api: Api) -> tuple[int, int, int]:
    """Immich's version. Raises TransferError when what answers is not an Immich."""
    other = TransferError(f"What answers at {api.base} is not an Immich.", todo="Check the address.")
    try:
        if _shaped(call(api, "GET", "/server/ping"), "res")["res"] != "pong":
            raise other
        answer = _shaped(call(api, "GET", "/server/version"), "major", "minor", "patch")
    except NotThere:
        raise other from None
    try:
        return int(answer["major"]), int(answer["minor"]), int(answer["patch"])
    except (TypeError, ValueError, OverflowError):
        raise TransferError("Immich's version is not understood.", todo="Is it an Immich server?") from None


def own_key(api: Api) -> dict[str, Any]:
    """The key itself: id and permissions. Needs no permission (Immich 2.0 and later)."""
    return _shaped(call(api, "GET", "/api-keys/me"), "id", "permissions")


def own_user(api: Api) -> dict[str, Any]:
    """The user whose key this is. Needs user.read."""
    return _shaped(call(api, "GET", "/users/me"), "id", "email", "name", "isAdmin")


def api_users(api: Api, is_admin: bool) -> list[dict[str, Any]]:
    """The undeleted users that the key may see: all with an administrator's key (adminUser.read), else
    /users.
    """
    users = _shaped_list(call(api, "GET", "/admin/users" if is_admin else "/users"), "id", "email", "name")
    return [user for user in users if not user.get("deletedAt")]


def api_albums(api: Api) -> list[dict[str, Any]]:
    """The key owner's albums; an API key sees nobody else's. 3.x lists shared ones too."""
    return _shaped_list(call(api, "GET", "/albums"), "id", "albumName", "assetCount")


def job_queues(api: Api) -> dict[str, Queue] | None:
    """Immich's job queues by name; None when the key may not see them (job.read)."""
    try:
        answer = call(api, "GET", "/jobs")
    except (NotAllowed, NotThere):
        return None
    found: dict[str, Queue] = {}
    for name, queue in _shaped(answer).items():
        counts = queue.get("jobCounts") if isinstance(queue, dict) else None
        if isinstance(counts, dict):
            number = {kind: value for kind, value in counts.items() if isinstance(value, int)}
            status = queue.get("queueStatus")
            found[name] = Queue(
                number.get("active", 0) + number.get("waiting", 0),
                number.get("failed", 0),
                isinstance(status, dict) and status.get("isPaused") is True,
            )
    return found


def busy_queues(api: Api) -> dict[str, int] | None:
    """Those queues that have work, with how much; None when the key may not see them."""
    found = job_queues(api)
    return None if found is None else {name: queue.work for name, queue in found.items() if queue.work}


def start_job(api: Api, name: str) -> str:
    """Start one of Immich's queues, never forced: "started", "running" (already), or why it was not started.
    """
    try:
        call(api, "PUT", f"/jobs/{name}", {"command": "start", "force": False})
    except TransferError as error:
        return "running" if "already running" in error.why else error.what
    return "started"


def start_when_free(api: Api, name: str, progress: Progress) -> str:
    """Start one of the queues once it has nothing to do: what it does now has not seen what is due since.
    Like start_job(), "running" where its end cannot be waited for.
    """
    outcome = "running"
    while outcome == "running" and not wait_for_queues(api, [name], progress):
        outcome = start_job(api, name)
    return outcome


def wait_for_queues(api: Api, names: Sequence[str], progress: Progress) -> str:
    """Wait until these queues have nothing to do: '' then, or why that cannot be waited for.

    Idle is what is found idle twice: a queue is empty for a moment between a job that only makes others, and
    those. Raises TransferError if Immich stops answering.
    """
    idle, pause = 0, 0.2
    while idle < 2:
        found = job_queues(api)
        if found is None:
            return "this key may not see Immich's job queues (permission job.read)"
        if paused := [name for name in names if name in found and found[name].paused]:
            words = "is" if len(paused) == 1 else "are"
            return f"{' and '.join(map(clean, paused))} {words} paused in Immich"
        busy = {name: found[name].work for name in names if name in found and found[name].work}
        idle = 0 if busy else idle + 1
        if busy:
            progress("Immich is at work: " + ", ".join(f"{name} ({work})" for name, work in busy.items()))
        time.sleep(pause)
        pause = min(2.0, pause * 1.3)
    return ""


def list_backups(api: Api) -> dict[str, int] | None:
    """Immich's backups of its database, name and bytes; None before 2.5 and without `maintenance`."""
    try:
        answer = _shaped(call(api, "GET", "/admin/database-backups"), "backups")
    except (NotAllowed, NotThere):
        return None
    found = _shaped_list(answer["backups"], "filename", "filesize")
    return {str(entry["filename"]): int(entry["filesize"]) for entry in found}


def back_up_database(api: Api, progress: Progress) -> Backup:
    """Have Immich make a backup of its database now, and wait for it. Raises TransferError if there is none.

    The proof is a new name in Immich's own list (2.5 on), else that the job has ended and none has failed.
    """
    before, queues = list_backups(api), job_queues(api)
    if before is None and queues is None:
        raise TransferError(
            "Whether a backup was made could not be seen with this key.",
            todo="Give it the permissions job.read and maintenance (`all` is simplest).",
        )
    when = datetime.datetime.now().astimezone()
    call(api, "POST", "/jobs", {"name": BACKUP_JOB})
    progress("Immich backs up its database")
    waited = wait_for_queues(api, [BACKUP_QUEUE], progress) if queues is not None else ""
    failed = TransferError("Immich made no backup of its database.", waited, "Look at Immich's log.")
    if before is None:
        after = job_queues(api) or {}
        queue = after.get(BACKUP_QUEUE, Queue())
        if waited or queue.failed > (queues or {}).get(BACKUP_QUEUE, Queue()).failed:
            raise failed
        return Backup(when)
    for pause in (0.0, *(0.2,) * 10, *((1.0,) * 10 if queues is not None else (2.0,) * 900)):
        time.sleep(pause)
        now = list_backups(api) or {}
        made = sorted(name for name, size in now.items() if size > 0 and before.get(name) != size)
        if made:
            return Backup(when, made[-1], now[made[-1]])
    raise failed


def count_missing(api: Api, progress: Progress) -> int | None:
    """How many files Immich misses of those that rows name, looked for anew; None where it cannot be asked.

    It is there from 3.0 on, for keys with `maintenance`.
    """
    try:
        call(api, "GET", "/admin/integrity/summary")
        call(api, "POST", "/jobs", {"name": MISSING_JOB})
        if wait_for_queues(api, [INTEGRITY_QUEUE], progress):
            return None
        found = _shaped(call(api, "GET", "/admin/integrity/summary")).get("missing_file")
    except (NotAllowed, NotThere):
        return None
    return found if isinstance(found, int) else None


def notify(api: Api, user: str, title: str, text: str) -> None:
    """Show a user a notice in Immich. Needs an administrator's key with `all` (no other permission does)."""
    body = {"userId": user, "title": title, "description": text, "type": "SystemMessage", "level": "success"}
    call(api, "POST", "/admin/notifications", body)


# ============================================================================================================
# 4  DATABASE: connect, recognise the schema, one transaction
# ============================================================================================================

# One number for all runs of this tool on a database; Immich's own advisory locks are small numbers.
ADVISORY_LOCK = 0x7472616E73666572  # "transfer"

# What goes to psycopg2.connect unless DB_CONFIG says otherwise. A closed laptop must not keep Immich's rows
# locked.
CONNECT_DEFAULTS = {
    "application_name": "transfer.py",
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds that sent data may stay unanswered: a COMMIT, say
}
# What each transaction begins with unless the `options` of DB_CONFIG say otherwise. Set for the transaction
# alone: behind a pooler such as PgBouncer the connection is another program's as soon as it has ended.
TRANSACTION_DEFAULTS = {
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "client_connection_check_interval": "10s",
    # whatever is set for the database or its user: a whole library takes its time
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    # statements that run once are compiled in vain, and temporary tables make them look dear
    "jit": "off",
    # sets of a hundred thousand ids are joined by hashing
    "work_mem": "64MB",
}
TRANSACTION_SETTINGS = {
    "search_path": "pg_temp, public",
    # to_jsonb() writes times in the session's zone; a fixed one makes values comparable between sessions
    "TimeZone": "UTC",
}

SERIALIZATION_FAILURE, DEADLOCK, LOCK_TIMEOUT = "40001", "40P01", "55P03"

# Columns whose names have changed, as (table, old name): newest name.
RENAMED_COLUMNS = {
    # join tables before 2.3 (memory_asset.memoriesId has kept its name)
    ("album_asset", "albumsId"): "albumId",
    ("album_asset", "assetsId"): "assetId",
    ("album_user", "albumsId"): "albumId",
    ("album_user", "usersId"): "userId",
    ("memory_asset", "assetsId"): "assetId",
    ("shared_link_asset", "assetsId"): "assetId",
    ("shared_link_asset", "sharedLinksId"): "sharedLinkId",
    ("tag_asset", "assetsId"): "assetId",
    ("tag_asset", "tagsId"): "tagId",
    # people before 3.2
    ("person", "id"): "personGroupId",
    ("asset_face", "personId"): "personGroupId",
}


# The states of a connection that is not still being made.
ESTABLISHED = (
    psycopg2.extensions.STATUS_READY,
    psycopg2.extensions.STATUS_BEGIN,
    psycopg2.extensions.STATUS_PREPARED,
)


def wait_for_server(connection: Any, *, patience: float = 5.0) -> None:
    """psycopg2's wait callback: makes Ctrl-C, or another end, cancel the running statement at once, and
    connecting respect its time-out.

    Without it libpq waits in C and Ctrl-C is only seen when the statement has ended. `patience` is how many
    seconds the server gets to answer a cancel before the connection is dropped, which rolls back too.
    """
    with waiting_for("the database") as tell:
        _poll(connection, patience, tell)


def _poll(connection: Any, patience: float, tell: Callable[[], None]) -> None:
    started, connecting = time.monotonic(), True
    interrupted: float | None = None
    reason: BaseException = KeyboardInterrupt()
    while True:
        try:
            tell()
            connecting = connection.status not in ESTABLISHED
            state = connection.poll()
            if state == psycopg2.extensions.POLL_OK:
                break
            readable = [connection.fileno()] if state == psycopg2.extensions.POLL_READ else []
            writable = [connection.fileno()] if state == psycopg2.extensions.POLL_WRITE else []
            select.select(readable, writable, [], 0.5)
            if connecting and time.monotonic() - started > _connect_timeout(connection):
                raise psycopg2.OperationalError("timeout expired")
            if interrupted is not None and time.monotonic() - interrupted > patience:
                raise reason
        except KeyboardInterrupt as error:
            if connecting or interrupted is not None:
                raise
            interrupted, reason = time.monotonic(), error
            # in a thread of its own: it opens a second connection, which may hang like the first
            threading.Thread(target=_cancel, args=(connection,), daemon=True).start()
    if interrupted is not None:
        raise reason  # psycopg2 closes the connection, which rolls back


def _cancel(connection: Any) -> None:
    with contextlib.suppress(psycopg2.Error):  # the server has gone: the connection is dropped all the same
        connection.cancel()


def _connect_timeout(connection: Any) -> float:
    """libpq's connect_timeout in seconds, which a wait callback has to see to itself; 0 means for ever."""
    return float(psycopg2.extensions.parse_dsn(connection.dsn).get("connect_timeout") or 0) or float("inf")


def connect(database: Mapping[str, Any]) -> Any:
    """A connection. Raises TransferError where there is none."""
    psycopg2.extensions.set_wait_callback(wait_for_server)
    try:
        # the names in a library are of all languages, whatever is set
        connection = psycopg2.connect(**{**CONNECT_DEFAULTS, **database, "client_encoding": "UTF8"})
    except psycopg2.Error as error:
        raise not_opened(error, database) from error
    except (TypeError, ValueError) as error:
        raise TransferError("DB_CONFIG has a value that psycopg2 does not take.", clean(str(error))) from None
    connection.set_client_encoding("UTF8")
    connection.set_session(isolation_level="READ COMMITTED")
    return connection


def is_pooled(cursor: Any) -> bool:
    """Whether something stands between us and PostgreSQL that shares out its connections: it answers with a
    process number of its own.
    """
    cursor.execute("SELECT pg_backend_pid()")
    return bool(cursor.fetchone()[0] != cursor.connection.info.backend_pid)


def begin(cursor: Any, *, for_session: bool = False) -> None:
    """The settings of a transaction, or of all that follow in this session.

    Settings that a server does not have are left out: of a later version, or of another system. What is told
    as done must be on the disk, so COMMIT waits for that also where the server has been told not to.
    """
    options = str(cursor.connection.info.options or "")
    settings = {name: text for name, text in TRANSACTION_DEFAULTS.items() if name not in options}
    settings |= TRANSACTION_SETTINGS
    cursor.execute("""
        SELECT set_config(s.name, coalesce(wanted.setting, 'on'), NOT %s)
        FROM pg_settings s LEFT JOIN unnest(%s::text[], %s::text[]) AS wanted (name, setting) USING (name)
        WHERE CASE s.name
            WHEN 'synchronous_commit' THEN s.setting = 'off'
            WHEN 'client_connection_check_interval' THEN wanted.name IS NOT NULL AND version() ~ 'linux'
            ELSE wanted.name IS NOT NULL END
    """, (for_session, list(settings), list(settings.values())))


def shown_setting(setting: Any) -> str:
    """A setting of DB_CONFIG for the screen. What looks like a connection string may hold a password."""
    text = clean(str(setting))
    return "(not shown)" if re.search(r"://|[@=]", text) else text


def not_opened(error: psycopg2.Error, database: Mapping[str, Any]) -> TransferError:
    """Why there is no connection: what was tried, what the library said, what to check."""
    host, port, name, user = (
        shown_setting(database.get(setting, unset))
        for setting, unset in (
            *(("host", "the local socket"), ("port", 5432)),
            *(("dbname", database.get("database")), ("user", None)),
        )
    )
    said = clean(str(error)).strip()
    if "connection info string" in said or "URI" in said:  # of which it shows a part
        said = "A setting in DB_CONFIG is no plain value."
    todo = (
        "Compare DB_CONFIG with Immich's .env. A stock Immich does not publish port 5432: run this tool in "
        "its Docker network, or through an SSH tunnel (README, 'Reaching the database')."
    )
    if re.search("SSL|certificate", said) and str(database.get("sslmode")).startswith(("require", "verify")):
        todo = (
            "DB_CONFIG asks for TLS (sslmode). Turn it on at the server (ssl = on in its postgresql.conf), "
            "and set sslrootcert to the file of the authority that has signed its certificate."
        )
    what = f"The database {name} at {host}, port {port}, cannot be opened as {user}."
    return TransferError(what, said[:400], todo)


def explain(error: psycopg2.Error) -> TransferError:
    """What an error of the database means to a person, once there is a connection."""
    text = clean(str(error)).removeprefix("ERROR: ").strip()
    by_code = {
        LOCK_TIMEOUT: (
            "Immich, or another program, is working on the same rows and did not let go in time.",
            "Wait until Immich's jobs are idle (Administration > Job Queues), then run again.",
        ),
        DEADLOCK: (
            "Immich was changing the same rows at the same time.",
            "Run again when its jobs are idle.",
        ),
        SERIALIZATION_FAILURE: ("Immich was changing the same rows at the same time.", "Run again."),
        "42501": (
            f"The database user may not do that ({text}).",
            "Use Immich's own: DB_USERNAME in its .env, `postgres` by default.",
        ),
        "25006": (
            "This database only allows reading.",
            "Connect to the primary server, not to a replica; or default_transaction_read_only is set for "
            "the server, the database or its user.",
        ),
        "23505": (
            "A row was added meanwhile that collides, such as an upload of the same photo.",
            "Run again.",
        ),
        "53100": ("The database server's disk is full.", "Make room, then run again."),
        "57014": (f"The statement was cancelled at the server ({text}).", "Run again."),
    }
    if error.pgcode in by_code:
        why, todo = by_code[error.pgcode]
        return TransferError("The database could not do it.", why, todo)
    if (error.pgcode or "08").startswith(("57P", "08")) and not isinstance(error, psycopg2.ProgrammingError):
        return TransferError(
            "The connection to the database was lost.", text[:200], "Run again when it is back."
        )
    return TransferError(
        "The database refused a statement.", text[:300], "Please report this, with your Immich version."
    )


# ---- the schema --------------------------------------------------------------------------------------------


def recognise(cursor: Any) -> Schema:
    """The Immich schema in `public`, by its tables and columns, never by a version number. Refuses what it
    lacks.
    """
    cursor.execute("""
        SELECT c.relname, a.attname
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
        ORDER BY c.relname, a.attnum
    """)
    real: dict[str, list[str]] = {}
    for table, column in cursor.fetchall():
        real.setdefault(table, []).append(column)
    cursor.execute("""
        SELECT c.relname, a.attname
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int[])
        WHERE n.nspname = 'public' AND i.indisprimary
        ORDER BY c.relname, a.attnum
    """)
    keys: dict[str, list[str]] = {}
    for table, column in cursor.fetchall():
        keys.setdefault(table, []).append(column)
    return replace(_recognised(real, keys), unknown_links=_unknown_links(cursor))


def _recognised(real: Mapping[str, Sequence[str]], keys: Mapping[str, Sequence[str]]) -> Schema:
    if "assets" in real and "asset" not in real:
        raise SchemaUnknown(
            "This Immich is too old.", "It has a table `assets`, as 1.135 and older.", "Upgrade Immich first."
        )
    if "asset" not in real or "user" not in real:
        raise SchemaUnknown(
            "This is not Immich's database.",
            "It has no tables `asset` and `user`.",
            "It is usually named `immich`.",
        )
    tables = {
        table: Table(
            tuple((column, RENAMED_COLUMNS.get((table, column), column)) for column in columns),
            tuple(RENAMED_COLUMNS.get((table, column), column) for column in keys.get(table, ())),
        )
        for table, columns in real.items()
    }
    has = {(table, new) for table, found in tables.items() for _old, new in found.columns}
    needed: list[Mapping[str, Sequence[str]]] = [NEEDED_COLUMNS]
    needed += [columns for mark, columns in NEEDED_IN_NEWER.items() if mark in real]
    missing = [
        f"{table}.{column}"
        for tables_needed in needed
        for table, columns in tables_needed.items()
        for column in columns
        if (table, column) not in has
    ]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise SchemaUnknown(
            f"This database is not one that this tool knows (it looks most like Immich {_release(real)}).",
            f"Missing: {', '.join(missing[:5])}{more}.",
            "Upgrade Immich if it is older than 2.0; else look for a newer version of this tool.",
        )
    return Schema(
        release=_release(real),
        tables=tables,
        person_groups="person_group" in real,
        album_owner_rows=("album", "ownerId") not in has,
    )


def _release(real: Mapping[str, Sequence[str]]) -> str:
    """The release a schema looks like, for sentences only; nothing is decided by it."""
    marks = (
        ("3.3", "person_user" in real),
        ("3.2", "person_group" in real),
        ("3.1", "oauthBearerToken" in real.get("session", ())),
        ("3.0", "ownerId" not in real.get("album", ())),
        ("2.7", "checksumAlgorithm" in real.get("asset", ())),
        ("2.6", "asset_edit_audit" in real),
        ("2.5", "asset_edit" in real),
        ("2.4", "lockedProperties" in real.get("asset_exif", ())),
        ("2.3", "assetId" in real.get("album_asset", ())),
        ("2.2", "asset_ocr" in real),
    )
    return next((release for release, found in marks if found), "2.1 or older")


def _unknown_links(cursor: Any) -> tuple[str, ...]:
    """Foreign keys that point at what is handed over and that KNOWN_LINKS lacks: a newer Immich's, or an
    addition's.
    """
    cursor.execute("""
        SELECT target.relname, c.conrelid::regclass::text, source.relname,
            source.relnamespace = target.relnamespace,
            array_agg(a.attname::text)
        FROM pg_constraint c
        JOIN pg_class target ON target.oid = c.confrelid
        JOIN pg_class source ON source.oid = c.conrelid
        JOIN pg_namespace n ON n.oid = target.relnamespace AND n.nspname = 'public'
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
        WHERE c.contype = 'f'
        GROUP BY c.oid, target.oid, target.relname, target.relnamespace, source.relname, source.relnamespace
    """)
    unknown = []
    for target, shown, table, is_immichs, columns in cursor.fetchall():
        names = sorted(RENAMED_COLUMNS.get((table, column), column) for column in columns)
        if target in KNOWN_LINKS and not (is_immichs and ".".join([table, *names]) in KNOWN_LINKS[target]):
            unknown.append(f"{shown} ({', '.join(sorted(columns))}) -> {target}")
    return tuple(sorted(unknown))


# Views that make every supported schema look like the newest one, so that each statement is written once.
# Named v_<table>, a name that no table of Immich's has: a view named like a table would break Immich's own
# trigger functions. `writtenBy` is the row's xmin: how the checks know what this transaction wrote.
def create_views(cursor: Any, schema: Schema) -> None:
    """Make the temporary views. Simple ones are updatable: the real tables' defaults, keys and triggers all
    work.
    """
    views = []
    for table in (*NEEDED_COLUMNS, *NEEDED_IN_NEWER):
        if table not in schema.tables:
            continue
        columns = schema.tables[table].columns
        selected: list[sql.Composable] = [
            sql.SQL("{} AS {}").format(sql.Identifier(old), sql.Identifier(new)) for old, new in columns
        ]
        newest = {new for _, new in columns}
        for name, expression in OTHER_COLUMNS.items():
            if name.startswith(f"{table}.") and (name := name.partition(".")[2]) not in newest:
                selected.append(sql.SQL("{} AS {}").format(sql.SQL(expression), sql.Identifier(name)))
        selected.append(sql.SQL('xmin AS "writtenBy"'))
        views.append(
            sql.SQL("CREATE TEMP VIEW {} AS SELECT {} FROM public.{}").format(
                sql.Identifier(f"v_{table}"), sql.SQL(", ").join(selected), sql.Identifier(table)
            )
        )
    for name, statement in _model_views(schema):
        views.append(sql.SQL("CREATE TEMP VIEW {} AS ").format(sql.Identifier(name)) + sql.SQL(statement))
    cursor.execute(sql.SQL("; ").join(views))


def _model_views(schema: Schema) -> Iterator[tuple[str, str]]:
    """Read-only views over the two album-owner models and the two person models."""
    # Up to 2.7 album.ownerId; from 3.0 a row of album_user with role 'owner'.
    if schema.album_owner_rows:
        yield "v_album_owner", """SELECT "albumId", "userId" FROM v_album_user WHERE role = 'owner'"""
    else:
        yield "v_album_owner", """SELECT id AS "albumId", "ownerId" AS "userId" FROM v_album"""
    # Up to 3.1 a person belongs to one user. Read as the newer model it is a group of its own, in a cluster
    # group that is its owner's alone; so "may this user's face carry that person" is the same question in
    # both models.
    if not schema.person_groups:
        yield (
            "v_person_group",
            """SELECT "personGroupId" AS id, "ownerId" AS "clusterGroupId" FROM v_person""",
        )
    for table in NEEDED_IN_NEWER.keys() - schema.tables.keys() - {"person_group"}:  # nobody has any
        kinds = {
            column: "uuid" if column == "id" or column.endswith("Id") else "text"
            for column in NEEDED_IN_NEWER[table][table]
        } | {"writtenBy": "xid"}
        empty = ", ".join(f'NULL::{kind} AS "{column}"' for column, kind in kinds.items())
        yield f"v_{table}", f"SELECT {empty} WHERE false"


# ---- the transaction ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Transaction:
    """One transaction's cursor and schema. Every statement may name `values`: source, destination and the
    like.
    """

    cursor: Any
    schema: Schema
    values: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = quiet
    carried: Sequence[tuple[str, str, str]] = ()  # see carry_over()


MANY_ROWS = 10_000  # fewer are written in less than a second: no need to tell how many


def run(tx: Transaction, statement: str, **values: Any) -> int:
    """Run one statement; how many rows it touched."""
    tx.cursor.execute(statement, {**tx.values, **values})
    return int(tx.cursor.rowcount)


def rows(tx: Transaction, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """The rows of one query."""
    run(tx, statement, **values)
    return list(tx.cursor.fetchall())


def one_value(tx: Transaction, statement: str, **values: Any) -> Any:
    """The first column of a query's first row."""
    return rows(tx, statement, **values)[0][0]


def lock(tx: Transaction, query: str) -> None:
    """Lock the rows of a query until the end, unless this transaction only looks.

    FOR NO KEY UPDATE keeps everybody else from changing and deleting a row. What hangs on it (a face or a
    file of a photo, a comment in an album) can be added meanwhile: Immich's jobs and other people need not
    wait.
    """
    if not tx.values.get("looks_only"):
        one_value(tx, f"SELECT count(*) FROM ({query}) locked")


@contextlib.contextmanager
def database(config: Mapping[str, Any]) -> Iterator[Any]:
    """A connection for one action, closed at its end: nothing is held open during a question. Turns
    psycopg2's errors into one sentence each.
    """
    connection = connect(config)
    try:
        yield connection
    except psycopg2.Error as error:
        raise explain(error) from error
    finally:
        connection.close()


@contextlib.contextmanager
def looking(config: Mapping[str, Any]) -> Iterator[Transaction]:
    """A transaction that only reads."""
    with database(config) as connection, connection.cursor() as cursor:
        yield opened(cursor, {})
        connection.rollback()


def opened(cursor: Any, values: Mapping[str, Any], *, for_session: bool = False) -> Transaction:
    """Recognise the schema and lay the views over it."""
    begin(cursor, for_session=for_session)
    schema = recognise(cursor)
    create_views(cursor, schema)
    return Transaction(cursor, schema, values)


def require_writable(folder: Path) -> None:
    """Raise TransferError, before anything is asked, if no undo file could be written to this folder."""
    place = folder if folder.exists() or folder.is_symlink() else folder.parent
    try:
        if place is folder:
            require_ours(folder, folder.stat())
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise TransferError(
            f"No undo file could be written: {folder} is not writable.",
            error.strerror or str(error),
            "Make the folder writable. Nothing is changed without an undo file.",
        ) from None


def in_transaction(
    connection: Any,
    work: Callable[[Transaction], Report],
    values: Mapping[str, Any],
    how: How,
    save: Callable[[Transaction, Report], Iterable[Path]] | None,
    committed: list[Report],
) -> tuple[Report, Transaction]:
    """The one place that decides between COMMIT and ROLLBACK. Nothing else knows about dry runs.

    `save` writes the files that undos need; they are on disk before COMMIT, or there is no COMMIT. Nothing
    temporary is left: behind a pooler another program gets the connection next.
    `committed` gets the report as soon as it is true. Raises AnotherRun when a second run of this tool is at
    work, SchemaUnknown, UnknownLinks, and CommitUnknown when the connection is lost in COMMIT; whatever
    is raised else, the transaction is rolled back, Ctrl-C included.
    """
    saved: list[Path] = []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (ADVISORY_LOCK,))
            if not cursor.fetchone()[0]:
                raise AnotherRun(
                    "Another run of this tool is at work on this database.",
                    todo="Wait until it has ended, then run again.",
                )
            tx = replace(opened(cursor, values), progress=how.progress)
            links = sorted(set(tx.schema.unknown_links) - how.accepted_links)
            if links and not how.dry_run:
                raise UnknownLinks(links)
            report = work(tx)
            if how.dry_run:
                connection.rollback()
                return report, tx
            for path in save(tx, report) if save else ():
                saved.append(path)  # one by one: the next may fail
            sample = journal_sample(tx)
            tx = replace(tx, carried=carry_over(tx))
            drop_temporary(tx)
        with uninterrupted():
            commit(connection, saved, report, sample)
            committed.append(report)
            for path in saved:
                name_file(path, COMMITTED)
    except BaseException as error:
        with contextlib.suppress(psycopg2.Error):
            connection.rollback()
        if not committed and not isinstance(error, CommitUnknown):
            for path in saved:
                name_file(path, "")
        raise
    return report, tx


# The temporary tables that the checks read: they are looked at once more after the commit.
CHECKED_TABLES = (
    *("run_photo", "concerned_album", "stack_concerned", "link_looked_at", "changing_library"),
    *("touched_group", "suspect_group", "trouble_before", "exempt"),
)


def carry_over(tx: Transaction) -> list[tuple[str, str, str]]:
    """Of each of those that there are: name, columns and rows."""
    return [
        (table, columns, one_value(tx, f"SELECT coalesce(json_agg({table}), '[]')::text FROM {table}"))
        for table, columns in rows(tx, """
            SELECT c.relname, string_agg(
                format('%%I %%s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
            WHERE c.relnamespace = pg_my_temp_schema() AND c.relname = ANY (%(tables)s) GROUP BY c.oid
        """, tables=list(CHECKED_TABLES))
    ]


def carried_on(tx: Transaction, cursor: Any) -> Transaction:
    """Another transaction after this one, with the tables that were carried over."""
    again = replace(tx, cursor=cursor)
    begin(cursor)
    create_views(cursor, tx.schema)
    for table, columns, content in tx.carried:
        run(again, f"""
            CREATE TEMP TABLE {table} ON COMMIT DROP AS
            SELECT * FROM json_to_recordset(%(content)s) AS carried ({columns});
            ANALYZE {table}
        """, content=content)
    return again


def looked_again(connection: Any, tx: Transaction, look: Callable[[Transaction], int]) -> int | None:
    """After the commit, in a transaction of its own: has a job of Immich's that was under way written the old
    owner? How much `look` finds; None if that cannot be told, for it is committed all the same.
    """
    try:
        with connection.cursor() as cursor:
            total = look(carried_on(tx, cursor))
        connection.rollback()
    except (psycopg2.Error, KeyboardInterrupt):
        return None
    return total


def drop_temporary(tx: Transaction, kinds: str = "rv", but: str = "-") -> None:
    """Drop the tables (r) and views (v) that this transaction has made, but for names that begin so."""
    statements = one_value(tx, """
        SELECT string_agg(format('DROP %%s IF EXISTS %%I CASCADE',
            CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, relname), '; ')
        FROM pg_class
        WHERE relnamespace = pg_my_temp_schema() AND xmin = pg_current_xact_id()::xid
          AND strpos(%(kinds)s, relkind::text) > 0 AND NOT starts_with(relname, %(but)s)
    """, kinds=kinds, but=but)
    if statements:
        run(tx, statements)


def commit(connection: Any, saved: Sequence[Path], report: Report, sample: Sequence[Sequence[Any]]) -> None:
    """COMMIT. When the connection is lost here, the rows tell what became of it."""
    try:
        connection.commit()
    except BaseException as error:
        code = error.pgcode if isinstance(error, psycopg2.Error) else None
        if code is not None and not code.startswith(("57P", "08")):
            raise  # the server said no, so it is rolled back
        raise CommitUnknown(saved, report, sample) from error


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C has no effect inside the block, and another end waits for the block's: between COMMIT and its
    answer the truth would be lost.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDINGS)}
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in ENDINGS:
        if before[number] is end_by_signal:
            signal.signal(number, lambda number, _frame: setattr(TERMINAL, "ended", number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if TERMINAL.ended:
        raise Ended


def end_by_signal(number: int, _frame: Any) -> None:
    """The handler of ENDINGS."""
    TERMINAL.ended = number
    raise Ended


def once_more(attempt: Callable[[], Result]) -> Result:
    """Run `attempt`; after a serialization failure, a deadlock or a lock time-out once more."""
    try:
        return attempt()
    except psycopg2.Error as error:
        if error.pgcode not in (SERIALIZATION_FAILURE, DEADLOCK, LOCK_TIMEOUT):
            raise
    return attempt()


# ---- writing -----------------------------------------------------------------------------------------------
#
# Everything that is written to Immich's tables goes through change(), add() and remove(), in statements of
# many rows. Each leaves in the temporary table `journal` what a row was before and is after; note() and
# note_wrong() put there what an undo must know besides. A record is of one of these kinds:

MADE = "made"  # a row that was not there; `after` is the row
REMOVED = "removed"  # a row that is there no more; `before` is the row
CHANGED = "changed"  # `before` and `after` hold the columns that were written
SEEN = "seen"  # a row that was not written; `before` holds the columns that were looked at
WRONG = "wrong"  # "table" is the kind of a check that failed already, key is its [key, owner] (see Rule)
KINDS = (MADE, REMOVED, CHANGED, SEEN, WRONG)

# A person is known by its owner and its group in both person models: up to 3.1 the owner of a row can change.
RECORD_KEYS = {"person": ("ownerId", "personGroupId")}


def create_journal(tx: Transaction) -> None:
    """The journal of this transaction, in newest names.

    A key of one column is a list, since rows of one table that were changed or seen alike share a record:
    `rows` says how many. Of two million rows of a large transfer some thousand records are left.
    """
    run(tx, """
        CREATE TEMP TABLE journal (
            step bigint GENERATED ALWAYS AS IDENTITY, kind text, "table" text, key jsonb, before jsonb,
                after jsonb, rows integer DEFAULT 1
        ) ON COMMIT DROP;
        -- each row of those tables whose key is an id
        CREATE TEMP VIEW journal_id AS
        SELECT kind, "table", each::uuid AS id, before, after
        FROM journal, jsonb_array_elements_text(key -> 'id') AS each
    """)


def record_key(tx: Transaction, table: str) -> tuple[str, ...]:
    """The columns by which the journal knows a row of `table`."""
    return RECORD_KEYS.get(table, tx.schema.tables[table].key)


def _key(alias: str, key: Sequence[str]) -> str:
    """A row's key as a record has it."""
    if len(key) > 1:
        return _object(alias, key)
    return f"""jsonb_build_object('{key[0]}', jsonb_build_array({alias}."{key[0]}"))"""


def _object(alias: str, columns: Sequence[str], mark: str = "") -> str:
    pairs = ", ".join(f"""'{column}', {alias}."{mark}{column}\"""" for column in columns)
    return f"jsonb_build_object({pairs})"


def _list(alias: str, columns: Sequence[str], mark: str = "") -> str:
    return ", ".join(f'{alias}."{mark}{column}"' for column in columns)


def _marked(alias: str, columns: Sequence[str], mark: str) -> str:
    return ", ".join(f'{alias}."{column}" AS "{mark}{column}"' for column in columns)


def _same(key: Sequence[str]) -> str:
    return " AND ".join(f"""t."{column}" = target."{column}\"""" for column in key)


def _written(meant: int, written: int, table: str) -> int:
    """How many rows were written. Raises InvariantBroken when they are not those that were meant."""
    if meant != written:
        raise InvariantBroken(
            "A safety check failed, so everything was rolled back.",
            f"{table}: rows to be written: {meant}, written: {written}",
            "Run again when Immich's jobs are idle. If it fails again, please report it with this text.",
        )
    return written


def _target(tx: Transaction, key: Sequence[str], query: str, values: Mapping[str, Any]) -> int:
    """Make `target`, the rows to be written, by their key; how many there are, mostly none."""
    found = run(tx, f"CREATE TEMP TABLE target ON COMMIT DROP AS {query}", **values)
    columns = ", ".join(f'"{column}"' for column in key)
    run(tx, f"ANALYZE target ({columns})" if found else "DROP TABLE target")
    return found


def change(
    tx: Transaction, table: str, columns: Sequence[str], query: str, *, known: bool = False, **values: Any
) -> int:
    """UPDATE `columns` of the rows that `query` names, but for those that are so already; how many were
    written.

    The query yields the table's key and the new values by name. `known`: the rows are locked, and it yields
    as "old …" what they hold, too; where that is not so nothing is written, which breaks off.
    """
    if table not in tx.schema.tables:
        return 0  # a table of a newer Immich
    key, record = tx.schema.tables[table].key, record_key(tx, table)
    changes = f"""({_list("target", columns)}) IS DISTINCT FROM"""
    if known:
        query = f"""
            SELECT *, {_marked("target", record, "key ")} FROM ({query}) target
            WHERE {changes} ({_list("target", columns, "old ")})
        """
    else:
        query = f"""
            SELECT {_list("target", list(dict.fromkeys((*key, *columns))))}, {_marked("t", record, "key ")},
                {_marked("t", columns, "old ")}
            FROM v_{table} t JOIN ({query}) target ON {_same(key)}
            WHERE {changes} ({_list("t", columns)})
            ORDER BY {_list("t", key)}
            FOR NO KEY UPDATE OF t
        """
    if count := _target(tx, key, query, values):
        if count >= MANY_ROWS:
            tx.progress("", 0, count)
        settings = ", ".join(f'"{column}" = target."{column}"' for column in columns)
        written = run(tx, f"""
            UPDATE v_{table} t SET {settings} FROM target
            WHERE {_same(key)}
              AND ({_list("t", columns)}) IS NOT DISTINCT FROM ({_list("target", columns, "old ")})
        """)
        _written(count, written, table)
        _record(tx, CHANGED, table, record, columns, "target", after=_object("r", columns))
        run(tx, "DROP TABLE target")
    return count


KEYS_IN_A_RECORD = 500


def _record(
    tx: Transaction,
    kind: str,
    table: str,
    key: Sequence[str],
    columns: Sequence[str],
    source: str,
    after: str = "NULL::jsonb",
) -> None:
    """Put rows of `source` into the journal: their "key …", "old …" columns, and `after`, over the row r."""
    if len(key) > 1:
        run(tx, f"""
            INSERT INTO journal (kind, "table", key, before, after)
            SELECT '{kind}', '{table}', {_object("r", key, "key ")}, {_object("r", columns, "old ")}, {after}
            FROM {source} r
        """)
        return
    alike = _list("r", columns, "old ") + ("" if kind == SEEN else ", " + _list("r", columns))
    run(tx, f"""
        INSERT INTO journal (kind, "table", key, before, after, rows)
        SELECT '{kind}', '{table}', jsonb_build_object('{key[0]}', jsonb_agg(r."key {key[0]}")),
            {_object("r", columns, "old ")}, {after}, count(*)
        FROM (
            SELECT r.*, row_number() OVER (PARTITION BY {alike}) / {KEYS_IN_A_RECORD} AS part
            FROM {source} r) r
        GROUP BY {alike}, part
    """)


def remove(tx: Transaction, table: str, query: str, **values: Any) -> int:
    """DELETE the rows whose keys `query` yields. What hangs on them must have been removed before: no
    cascades.
    """
    if table not in tx.schema.tables:
        return 0  # a table of a newer Immich
    key = tx.schema.tables[table].key
    if count := _target(tx, key, f"""
        SELECT {_list("t", key)}, {_key("t", record_key(tx, table))} AS record,
            to_jsonb(t) - 'writtenBy' AS before
        FROM v_{table} t WHERE ({_list("t", key)}) IN (SELECT {_list("target", key)} FROM ({query}) target)
        ORDER BY {_list("t", key)}
        FOR UPDATE OF t
    """, values):
        run(tx, f"""
            INSERT INTO journal (kind, "table", key, before)
            SELECT '{REMOVED}', '{table}', record, before FROM target
        """)
        _written(count, run(tx, f"DELETE FROM v_{table} t USING target WHERE {_same(key)}"), table)
        run(tx, "DROP TABLE target")
    return count


def add(tx: Transaction, table: str, columns: Sequence[str], query: str, **values: Any) -> int:
    """INSERT the rows of `query`, whose columns are `columns` in that order; rows that are there already
    stay.
    """
    if table not in tx.schema.tables:
        return 0  # a table of a newer Immich
    names = ", ".join(f'"{column}"' for column in columns)
    return run(tx, f"""
        WITH new AS (INSERT INTO v_{table} ({names}) {query} ON CONFLICT DO NOTHING RETURNING *)
        INSERT INTO journal (kind, "table", key, after)
        SELECT '{MADE}', '{table}', {_key("new", record_key(tx, table))},
            to_jsonb(new) - 'writtenBy' FROM new
    """, **values)


def note(tx: Transaction, table: str, columns: Sequence[str], query: str) -> None:
    """Record rows that are not written, with `columns` as they are. The query yields key and columns."""
    if table not in tx.schema.tables:
        return  # a table of a newer Immich
    key = record_key(tx, table)
    _record(tx, SEEN, table, key, columns, f"""(
        SELECT {_marked("seen", key, "key ")}, {_marked("seen", columns, "old ")} FROM ({query}) seen)""")


def note_wrong(tx: Transaction, query: str) -> None:
    """Record what was wrong already: `query` yields kinds of checks, with the key and owner that each has
    found.
    """
    run(tx, f"""
        INSERT INTO journal (kind, "table", key)
        SELECT '{WRONG}', wrong.kind, jsonb_build_array(wrong.key, wrong.owner)
        FROM ({query}) AS wrong (kind, key, owner)
    """)


# ---- the journal on disk -----------------------------------------------------------------------------------
#
# What an undo needs is on disk before COMMIT, or there is no COMMIT. A journal is gzip JSON lines: a header,
# a line for each record ([kind, table, key, before, after], in newest names), and a checksum. A key of one
# column, as {"id": [...]}, is that of many rows that are alike in all else.
#
#     <name>.pending.jsonl.gz    COMMIT is under way, or its answer was lost
#     <name>.jsonl.gz            committed
#     <name>.undone.jsonl.gz     undone, and nothing stayed. For the list only: the same transfer made again
#                                would make the older file look as if it were there, too
#
# What became of a run its rows say: under our lock, which is free when the other transaction has ended,
# however it ended, they are as the run left them, or they are not (is_there). So it makes no difference in
# which database they are: one that a dump was restored into has them, an older state of the same one has not.

JOURNAL_FORMAT = 1
PENDING, COMMITTED, UNDONE = ".pending.jsonl.gz", ".jsonl.gz", ".undone.jsonl.gz"
TEXT = ".txt"  # what was shown; never read again


# What is read of one, unpacked; it is read line by line, so that no size needs memory. A million photos with
# ten records of 500 bytes each are 5 GB; the longest line is the first, which names the photos that stayed.
JOURNAL_SIZE, JOURNAL_LINE, JOURNAL_LINES = 2 * 10**10, 10**8, 2 * 10**7


class JournalBroken(TransferError):
    """A journal that cannot be trusted: damaged, cut off, or of another kind."""


@dataclass(frozen=True)
class Past:
    """A run of the past, as its journal's header tells. `state`: committed, or one of WHY_NOT_BACK."""

    path: Path
    header: Mapping[str, Any]
    state: str
    error: TransferError | None = None  # why its file cannot be read


def journal_writer(
    folder: Path | None, kind: str
) -> Callable[[Transaction, Report], Iterable[Path]] | None:
    """What in_transaction() calls before COMMIT; None when no undo is wanted."""
    return None if folder is None else lambda tx, report: [write_journal(tx, report, folder, kind)]


def write_journal(tx: Transaction, report: Any, folder: Path, kind: str) -> Path:
    """Write the journal of this transaction, flushed to disk. Raises TransferError if that fails: then no
    COMMIT.
    """
    tx.progress("Writing the undo file")
    header = journal_header(tx, report, kind)
    words = (header["source"].get("email", ""), header["destination"]["email"], header["selection"]["name"])
    try:
        path = _new_file(folder, _file_name(header["when"], words), PENDING)
        with path.open("wb") as raw:
            # ids are chance, and more effort would not make them smaller
            with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, compresslevel=1) as packed:
                digest = hashlib.sha256()
                for lines in _journal_lines(tx, header):
                    data = lines.encode()
                    digest.update(data)
                    packed.write(data)
                packed.write(json.dumps({"sha256": digest.hexdigest()}).encode() + b"\n")
            raw.flush()
            os.fsync(raw.fileno())
        _sync_folder(folder)
    except OSError as error:
        with contextlib.suppress(OSError, UnboundLocalError):
            path.unlink()
        raise TransferError(
            f"The undo file in {folder} could not be written, so nothing was committed.",
            error.strerror or str(error),
            "Make room, or make the folder writable, then run again.",
        ) from None
    except BaseException:
        with contextlib.suppress(OSError, UnboundLocalError):
            path.unlink()
        raise
    return path


def keep_text(folder: Path, words: Sequence[str], text: str, ending: str = TEXT) -> Path:
    """Write what was shown to a file beside the undo files. Raises OSError."""
    when = datetime.datetime.now().astimezone().isoformat()
    path = _new_file(folder, _file_name(when, words), ending)
    path.write_text(text, encoding="utf-8", errors="replace")
    return path


def _file_name(when: str, words: Sequence[str]) -> str:
    """A name that begins with an ISO time; names have 255 bytes at most, and this one gets endings."""
    name = "_".join([when[:19].replace("T", "_").replace(":", ""), *filter(None, words)])
    return re.sub(r"[^\w.@+-]+", "-", name).encode()[:180].decode(errors="ignore").strip("-")


def _new_file(folder: Path, name: str, suffix: str) -> Path:
    """A file that was not there, readable by its owner alone; the folder is made if need be."""
    if not folder.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)
    for number in itertools.count(1):
        path = folder / f"{name}{'' if number == 1 else f'_{number}'}{suffix}"
        taken = [
            path.with_name(path.name.removesuffix(suffix) + other)
            for other in (suffix, PENDING, COMMITTED, UNDONE)
        ]
        if not any(other.exists() for other in taken):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            return path
    raise AssertionError("unreachable")


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a crash."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def journal_header(tx: Transaction, report: Any, kind: str) -> dict[str, Any]:
    """Everything about a run that is not a row. No secrets."""
    users = {
        str(user): {"id": str(user), "email": email, "name": name, "cluster": str(cluster)}
        for user, email, name, cluster in rows(tx, """
            SELECT id, email, name, "clusterGroupId" FROM v_user WHERE id IN (%(giver)s, %(taker)s)
        """)
    }
    return {
        "transfer.py": __version__,
        "format": JOURNAL_FORMAT,
        "kind": kind,
        "when": datetime.datetime.now().astimezone().isoformat(),
        "source": users.get(tx.values["giver"], {}),
        "destination": users[tx.values["taker"]],
        "selection": selection_words(tx, kind),
        "immich": tx.schema.release,
        "models": [tx.schema.person_groups, tx.schema.album_owner_rows],
        "same_person": tx.values["same_person"],
        "sample": journal_sample(tx),
        "report": asdict(report),
    }


SAMPLE = 20  # rows of each table and kind


def journal_sample(tx: Transaction) -> list[list[Any]]:
    """Some records of what this run wrote, each of one row, by which to see later whether it is there.

    A row that was written twice may end as it began, and people's pictures are Immich's jobs' to choose:
    neither tells anything.
    """
    if one_value(tx, "SELECT to_regclass('pg_temp.journal')") is None:
        return []
    return [list(record) for record in rows(tx, """
        WITH candidate AS (
            SELECT *, row_number() OVER (PARTITION BY "table", kind ORDER BY md5(step::text)) AS place,
                (SELECT jsonb_object_agg(k.key, CASE jsonb_typeof(k.value)
                     WHEN 'array' THEN jsonb_build_array(k.value -> 0) ELSE k.value END)
                 FROM jsonb_each(key) k) AS row
            FROM journal
            WHERE kind IN ('made', 'changed', 'removed') AND "table" <> ALL (%(computed)s)
              AND NOT (kind = 'changed' AND after ? 'thumbnailPath')
        )
        SELECT kind, "table", (SELECT jsonb_object_agg(k.key, coalesce(k.value -> 0, k.value))
            FROM jsonb_each(row) k), before, after
        FROM candidate c
        WHERE place <= %(some)s AND NOT EXISTS (
            SELECT FROM journal o
            WHERE o."table" = c."table" AND o.step <> c.step AND o.kind IN ('made', 'changed', 'removed')
              AND o.key @> c.row)
    """, computed=list(COMPUTED), some=SAMPLE)]


def selection_words(tx: Transaction, kind: str) -> dict[str, str]:
    """What was transferred, in words that name a file and a line of a list."""
    if kind == "repair":
        return {"kind": "repair", "name": "repair"}
    if tx.values["everything"]:
        return {"kind": "everything", "name": "everything"}
    chosen = conditions_named(tx)
    (kind, names), *more = chosen.items()
    if kind in ("albums", "tag") and len(names) == 1 and not more:
        return {"kind": kind.removesuffix("s"), "name": names[0]}
    return {"kind": "conditions", "name": condition_words(chosen)}


def _journal_lines(tx: Transaction, header: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a journal, some hundred at a time."""
    yield json.dumps(header) + "\n"
    total, done = one_value(tx, "SELECT count(*) FROM journal"), 0
    # a cursor on the server's side: a million rows need no memory here
    with tx.cursor.connection.cursor(name="journal_lines") as cursor:
        cursor.execute(
            'SELECT json_build_array(kind, "table", key, before, after)::text FROM journal ORDER BY step'
        )
        while found := cursor.fetchmany(300):
            yield "".join(line.replace("\n", " ") + "\n" for (line,) in found)
            done += len(found)
            if total >= MANY_ROWS:
                tx.progress("", done, total)


def name_file(path: Path, ending: str) -> Path:
    """Give an undo file the name that tells what became of its run, '' for none; its name then.

    A name that cannot be changed is no reason to fail: the rows decide.
    """
    with contextlib.suppress(OSError):
        if ending:
            name = path.name.removesuffix(PENDING).removesuffix(COMMITTED)
            path = path.rename(path.with_name(name + ending))
        else:
            path.unlink()
        _sync_folder(path.parent)
    return path


# What the first line of a journal must hold: every value that is used unasked later, as a type, a pattern, or
# entries.
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
USER_SHAPE: Mapping[str, Any] = {"id": _ID, "email": str, "name": str, "cluster": _ID}
HEADER_SHAPE: Mapping[str, Any] = {
    "format": int,
    "kind": re.compile("transfer|repair"),
    "when": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.:+-]*"),
    "immich": str,
    "models": [bool, bool],
    "same_person": bool,
    "source": dict,  # of USER_SHAPE; empty after a repair
    "destination": USER_SHAPE,
    "selection": {"name": str},
    "sample": list,  # of SAMPLE_SHAPE
    "report": {"people": list, "assets": int, "faces": int},
}
SAMPLE_SHAPE = [str, str, dict, dict | None, dict | None]
PERSON_SHAPE: Mapping[str, Any] = {
    "id": str, "action": str, "target": str | None, "name": str, "merge_name": str
}


def _fits(found: Any, shape: Any) -> bool:
    """Whether a piece of JSON has the entries and types of `shape`."""
    if isinstance(shape, Mapping):
        return isinstance(found, dict) and all(
            name in found and _fits(found[name], shape[name]) for name in shape
        )
    if isinstance(shape, list):
        return isinstance(found, list) and len(found) == len(shape) and all(map(_fits, found, shape))
    if isinstance(shape, re.Pattern):
        return isinstance(found, str) and shape.fullmatch(found) is not None
    # true and false are numbers to Python
    return isinstance(found, shape) and (shape is not int or not isinstance(found, bool))


def read_header(path: Path) -> dict[str, Any]:
    """The header of a journal. Raises JournalBroken."""
    try:
        with open_ours(path) as packed, gzip.open(packed) as file:
            header = json.loads(file.readline(JOURNAL_LINE))
    except FileNotFoundError:
        raise JournalBroken(
            f"{path.name} is not there any more.", "It was undone meanwhile, or deleted."
        ) from None
    except (OSError, EOFError, ValueError, zlib.error, RecursionError) as error:
        raise JournalBroken(f"{path.name} is damaged.", clean(str(error))[:100]) from None
    whole = _fits(header, HEADER_SHAPE)
    if whole:
        whole = all(_fits(person, PERSON_SHAPE) for person in header["report"]["people"])
        whole &= all(_fits(record, SAMPLE_SHAPE) for record in header["sample"])
        has_source = header["kind"] == "transfer"
        whole &= _fits(header["source"], USER_SHAPE) if has_source else not header["source"]
    if not whole:
        raise JournalBroken(f"{path.name} is damaged.", "Its first line is not that of an undo file.")
    return dict(header)


def read_journal(path: Path) -> Iterator[str]:
    """The lines of a journal after its header, once their checksum has been found right. Raises
    JournalBroken.

    Reads the file twice, so that nothing of a damaged one is ever used.
    """
    for use in (False, True):
        digest, last, size = hashlib.sha256(), b"", 0
        try:
            with open_ours(path) as packed, gzip.open(packed) as file:
                for number, line in enumerate(iter(lambda: file.readline(JOURNAL_LINE), b"")):
                    size += len(line)
                    if len(line) == JOURNAL_LINE or size > JOURNAL_SIZE or number > JOURNAL_LINES:
                        raise ValueError("it is larger than any undo file")
                    if number > 1 and use:
                        yield last.decode()
                    digest.update(last)
                    last = line
            if json.loads(last) != {"sha256": digest.hexdigest()}:
                raise ValueError("the checksum is wrong")
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise JournalBroken(
                f"{path.name} is damaged, so it cannot be used.",
                clean(str(error))[:100],
                "Restore the file, or the database, from a backup.",
            ) from None


def is_there(tx: Transaction, sample: Sequence[Sequence[Any]]) -> bool | None:
    """Whether rows are as the run of this sample left them; None if it wrote none that could tell. Raises
    JournalBroken.

    That a row is absent says something only where its photo is there.
    """
    try:
        run(tx, "SAVEPOINT looking")
        create_past(tx)
        run(tx, """
            INSERT INTO past (kind, "table", key, before, after)
            SELECT record ->> 0, record ->> 1, record -> 2, nullif(record -> 3, 'null'),
                nullif(record -> 4, 'null')
            FROM jsonb_array_elements(%(sample)s::jsonb) AS record
        """, sample=json.dumps(sample))
        judge_records(tx)
        return something_is_there(tx)
    except psycopg2.DataError as error:
        raise JournalBroken("An undo file is damaged.", clean(str(error))[:100]) from None
    finally:
        # and nothing that follows is written in a subtransaction, whose number rows would have (xmin)
        run(tx, "ROLLBACK TO SAVEPOINT looking; RELEASE SAVEPOINT looking")


def something_is_there(tx: Transaction) -> bool | None:
    """Whether any of the judged rows is as the run left it; None if there are none."""
    told: bool | None = one_value(tx, """
        SELECT CASE WHEN EXISTS (SELECT FROM judged WHERE unchanged AND kind <> 'removed') THEN true ELSE (
            SELECT bool_or(unchanged) FROM judged j
            WHERE kind <> 'removed' OR EXISTS (SELECT FROM v_asset a WHERE a.id = j.photo)) END
    """)
    return told


def ask_commit(database_config: Mapping[str, Any], sample: Sequence[Sequence[Any]]) -> bool | None:
    """Whether the transaction of this sample was committed, as its rows say once it has ended; None when that
    cannot be told (yet).
    """
    for pause in (0, 0.2, 1, 3, 5):
        time.sleep(pause)
        with contextlib.suppress(TransferError), looking(database_config) as tx:
            if one_value(tx, "SELECT pg_try_advisory_xact_lock(%(lock)s)", lock=ADVISORY_LOCK):
                return is_there(tx, sample)
    return None


def list_past(database_config: Mapping[str, Any], folder: Path) -> tuple[Past, ...]:
    """The runs of the past, newest first. A file whose COMMIT was not known of gets its name now."""
    found: list[Past] = []
    if folder.exists():
        require_ours(folder, folder.stat())
    with looking(database_config) as tx:
        at_rest = one_value(tx, "SELECT pg_try_advisory_xact_lock(%(lock)s)", lock=ADVISORY_LOCK)
        for path in sorted(folder.glob("*" + COMMITTED)):
            header, state, error = {}, "damaged", None
            pending = path.name.endswith(PENDING)
            try:
                header = read_header(path)
                if path.name.endswith(UNDONE):
                    state = "undone"
                elif pending and not at_rest:
                    state = "under way"
                elif is_there(tx, header["sample"]) is False:
                    state = NOT_THERE
                    if pending:  # rolled back: the same run made again would make it look as if it were there
                        path, state = name_file(path, UNDONE), "undone"
                else:
                    state = "committed"
                    if pending:
                        path = name_file(path, COMMITTED)
            except NotOurs as not_ours:
                state, error = "may be somebody else's", not_ours
            except JournalBroken:
                # a file is whole on disk before its COMMIT
                header, state = {}, NOT_THERE if pending else "damaged"
            found.append(Past(path, header, state, error))
    return tuple(
        sorted(found, key=lambda past: (str(past.header.get("when", "")), past.path.name), reverse=True)
    )


NOT_THERE = "not there"
# The states of list_past() in which a run cannot be taken back: why, and what to do.
WHY_NOT_BACK = {
    "undone": ("It was taken back already, or never finished.", "There is nothing left to do."),
    "under way": ("It has not ended yet.", "Look again in a minute."),
    NOT_THERE: (
        "Nothing of what it wrote is in this database as it left it: it was rolled back or taken back, all "
        "was changed since, an older state of the database was restored, or it was made in another Immich.",
        "There is nothing to take back here. Its undo file may be deleted.",
    ),
    "damaged": ("Its undo file is damaged.", "Restore that file, or the database, from a backup."),
}


def remembered_people(
    database_config: Mapping[str, Any], folder: Path, destination: str
) -> tuple[tuple[str, str], ...]:
    """Pairs (a source's person, the destination's) that earlier transfers made, to `destination` or from it,
    and that still hold.
    """
    pairs: dict[str, str] = {}
    for past in reversed(list_past(database_config, folder)):
        if past.state != "committed" or past.header["kind"] != "transfer":
            continue
        made = {
            person["id"]: person["target"]
            for person in past.header["report"]["people"]
            if person["action"] in (DUPLICATE, MERGE) and person["target"]
        }
        if past.header["destination"]["id"] == destination:
            pairs |= made
        elif past.header["source"]["id"] == destination:
            pairs |= {target: person for person, target in made.items()}
    return tuple(sorted(pairs.items()))


def perform(
    database_config: Mapping[str, Any],
    work: Callable[[Transaction], Report],
    values: Mapping[str, Any],
    how: How,
    save: Callable[[Transaction, Report], Iterable[Path]] | None = None,
    look_again: Callable[[Transaction], int] | None = None,
) -> Report:
    """Run `work` in one transaction, once more if Immich was in the way; then `look_again` says how much is
    wrong by then.
    """
    committed: list[Report] = []
    try:
        with database(database_config) as connection:
            report, tx = once_more(lambda: in_transaction(connection, work, values, how, save, committed))
            if look_again and not how.dry_run:
                report = replace(report, wrong_after=looked_again(connection, tx, look_again))
            return report
    except (KeyboardInterrupt, OutputLost):
        if committed:
            return committed[0]
        raise
    except CommitUnknown as error:
        how.progress("Looking whether it was committed")
        if (is_committed := ask_commit(database_config, error.sample)) is None:
            raise
        for path in error.saved:
            name_file(path, COMMITTED if is_committed else "")
        if is_committed:
            return cast(Report, error.report)
        raise TransferError(
            "The connection to the database was lost before the change was committed.",
            "PostgreSQL has rolled it back.",
            "Run again.",
        ) from None


# ============================================================================================================
# 5  BOTH ENDS: are they the same Immich; lists of users, albums, tags
# ============================================================================================================


def check_server(api: Api, database_config: Mapping[str, Any]) -> Server:
    """Both ends, found to be one and the same Immich of a known kind. Raises TransferError saying what is
    wrong.
    """
    version = immich_version(api)
    shown_version = ".".join(map(str, version))
    key, permissions, user = whose_key(api)
    is_admin = user["isAdmin"] is True
    if version[:2] < OLDEST_IMMICH:
        raise TransferError(
            f"Immich {shown_version} is too old.",
            f"This tool knows {OLDEST_IMMICH[0]}.{OLDEST_IMMICH[1]} and later.",
            "Upgrade Immich first.",
        )
    shown = {str(entry["id"]) for entry in api_users(api, is_admin)} | {str(user["id"])}
    try:
        with looking(database_config) as tx:
            there = {str(row[0]) for row in rows(tx, 'SELECT id FROM v_user WHERE "deletedAt" IS NULL')}
            has_key = bool(rows(tx, "SELECT 1 FROM v_api_key WHERE id::text = %(key)s", key=str(key["id"])))
            schema, face_vectors = tx.schema, has_face_vectors(tx)
    except SchemaUnknown as error:
        raise SchemaUnknown(f"Immich {shown_version}: {error.what}", error.why, error.todo) from None
    if not (shown == there if is_admin else shown <= there) or not has_key:
        raise TwoServers(
            "The address and the database belong to two different Immich servers.",
            f"The users at {api.base} are not the users in the database."
            if has_key
            else f"{api.base} knows the API key, the database does not.",
            "Correct the one that is wrong (menu entry 7).",
        )
    return Server(
        shown_version,
        str(user["id"]),
        str(user["email"]),
        is_admin,
        is_newer=version[:2] > NEWEST_IMMICH,
        unknown_links=schema.unknown_links,
        may_all="all" in permissions,
        face_vectors=face_vectors,
    )


def immich_setting(
    api: Api, database_config: Mapping[str, Any], group: str, *names: str
) -> Any:
    """A setting of Immich's; None where it is Immich's default, or cannot be told.

    A setting that was changed on its page is in system_metadata; one in a configuration file only Immich
    knows, if it answers.
    """
    found: Any
    try:
        found = _shaped(call(api, "GET", "/system-config"), group)[group]
    except TransferError:
        with looking(database_config) as tx:
            found = one_value(tx, """
                SELECT max((value -> %(group)s)::text)::jsonb FROM public.system_metadata
                WHERE key = 'system-config'
            """, group=group)
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def template_is_on(api: Api, database_config: Mapping[str, Any]) -> bool:
    """Whether Immich's storage template is on; off is the default."""
    return immich_setting(api, database_config, "storageTemplate", "enabled") is True


def nearest_faces(api: Api, database_config: Mapping[str, Any]) -> float:
    """From which distance on Immich takes two faces for two people's."""
    found = immich_setting(api, database_config, "machineLearning", "facialRecognition", "maxDistance")
    return float(found) if isinstance(found, (int, float)) else MAX_DISTANCE


def whose_key(api: Api) -> tuple[dict[str, Any], list[str], dict[str, Any]]:
    """The key, its permissions, and whose it is. Raises NotAllowed if it lacks what is needed."""
    key = own_key(api)
    permissions = key["permissions"] if isinstance(key["permissions"], list) else []
    user = own_user(api) if "user.read" in permissions or "all" in permissions else {"isAdmin": None}
    require_permissions(permissions, user["isAdmin"])
    return key, permissions, user


def try_database(database_config: Mapping[str, Any]) -> None:
    """Raise TransferError when the database cannot be opened, or is not one of Immich's that is known."""
    with looking(database_config):
        pass


def require_permissions(permissions: Sequence[str], is_admin: bool | None) -> None:
    """Raise NotAllowed naming every permission that the key lacks, so that it is edited once. `is_admin` is
    None while user.read is lacking: nothing else tells whose key it is.
    """

    def lacking(wanted: Iterable[str]) -> list[str]:
        return [name for name in wanted if name not in permissions and "all" not in permissions]

    by_all = [f"{name} ({KEY_PERMISSIONS[name]})" for name in lacking(KEY_PERMISSIONS)]
    by_admins = [f"{name} ({ADMIN_KEY_PERMISSIONS[name]})" for name in lacking(ADMIN_KEY_PERMISSIONS)]
    if is_admin:
        by_all, by_admins = [*by_all, *by_admins], []
    if not by_all:
        return
    why = f"What is missing: {', '.join(by_all)}"
    if is_admin is None and by_admins:
        why += f"; and in an administrator's key: {', '.join(by_admins)}"
    todo = "In Immich, edit the key under Account Settings > API Keys: add what is missing, or simply `all`."
    if is_admin is not False and (wishes := lacking(ADMIN_KEY_WISHES)):
        todo += f" With {', '.join(wishes)}, too, this tool starts Immich's jobs and backups itself."
    raise NotAllowed("The API key may not see all that is needed.", f"{why}.", todo)


def list_users(
    api: Api, server: Server, database_config: Mapping[str, Any], *, figures: bool = False
) -> tuple[User, ...]:
    """The users that REST shows, on demand with figures from the database, which take their time; then those
    that REST does not show to this key, and those marked for deletion.
    """
    with looking(database_config) as tx:
        known = {user.id: user for user in (_user_figures(tx) if figures else _user_names(tx))}
    users = []
    for entry in api_users(api, server.is_admin):
        if user := known.pop(str(entry["id"]), None):
            users.append(replace(user, name=str(entry["name"]), email=str(entry["email"])))
    users += known.values()
    return tuple(sorted(users, key=lambda user: (user.deleted, user.name.casefold(), user.email)))


def _user_names(tx: Transaction) -> Iterator[User]:
    for user, email, name, deleted in rows(tx, """
        SELECT id, email, name, "deletedAt" IS NOT NULL OR status <> 'active' FROM v_user
    """):
        yield User(str(user), email, name, deleted=deleted)


def _user_figures(tx: Transaction) -> Iterator[User]:
    for user, email, name, photos, usage, quota, deleted in rows(tx, """
        SELECT u.id, u.email, u.name, coalesce(a.photos, 0), u."quotaUsageInBytes", u."quotaSizeInBytes",
            u."deletedAt" IS NOT NULL OR u.status <> 'active'
        FROM v_user u LEFT JOIN (
            SELECT "ownerId", count(*) AS photos FROM v_asset WHERE "deletedAt" IS NULL
                AND visibility <> 'hidden'
            GROUP BY "ownerId") a ON a."ownerId" = u.id
    """):
        yield User(str(user), email, name, photos, int(usage), quota, deleted)


def list_undrawn(database_config: Mapping[str, Any]) -> dict[str, int]:
    """How many people of each user (id) wait for Immich's job to draw their picture: it takes those whose
    path is empty, and draws who has a featured face.
    """
    with looking(database_config) as tx:
        return {str(owner): number for owner, number in rows(tx, """
            SELECT "ownerId", count(*) FROM v_person
            WHERE "thumbnailPath" = '' AND "faceAssetId" IS NOT NULL GROUP BY 1
        """)}


def list_albums(api: Api, database_config: Mapping[str, Any], owner: str | None = None) -> tuple[Album, ...]:
    """Everybody's albums, or those that `owner` owns: from the database, as a key sees only its owner's over
    REST.
    """
    shown = {str(entry["id"]): entry for entry in api_albums(api)} if owner is None else {}
    with looking(database_config) as tx:
        found = rows(tx, """
            SELECT al.id, al."albumName", coalesce(o."userId"::text, ''), (
                    SELECT count(*) FROM v_album_asset aa JOIN v_asset a ON a.id = aa."assetId"
                    WHERE aa."albumId" = al.id AND a."deletedAt" IS NULL
                      AND a.visibility IN ('timeline', 'archive')),  -- what Immich counts
                (SELECT array_agg(u.email ORDER BY u.email) FROM v_album_user m JOIN v_user u
                    ON u.id = m."userId"
                 WHERE m."albumId" = al.id AND m."userId" IS DISTINCT FROM o."userId"),
                al."createdAt"::date::text
            FROM v_album al LEFT JOIN v_album_owner o ON o."albumId" = al.id
            WHERE al."deletedAt" IS NULL AND (%(owner)s IS NULL OR o."userId"::text = %(owner)s)
            ORDER BY lower(al."albumName"), al."albumName", al.id
        """, owner=owner)
    albums = [
        Album(str(album), name, str(user), items, tuple(shared or ()), made)
        for album, name, user, items, shared, made in found
    ]
    return tuple(
        replace(album, name=str(shown[album.id]["albumName"]), items=shown[album.id]["assetCount"])
        if album.id in shown and isinstance(shown[album.id]["assetCount"], int)
        else album
        for album in albums
    )


def list_tags(database_config: Mapping[str, Any], owner: str) -> tuple[Tag, ...]:
    """The tags of a user, by path, each with the user's photos that carry it or one below it."""
    with looking(database_config) as tx:
        return tuple(
            Tag(str(tag), path, photos)
            for tag, path, photos in rows(tx, """
                SELECT t.id, t.value, count(DISTINCT a.id)
                FROM v_tag t
                JOIN v_tag below ON below."userId" = t."userId"
                    AND (below.value = t.value OR starts_with(below.value, t.value || '/'))
                LEFT JOIN v_tag_asset ta ON ta."tagId" = below.id
                LEFT JOIN v_asset a ON a.id = ta."assetId" AND a."ownerId" = t."userId"
                WHERE t."userId" = %(owner)s
                GROUP BY t.id, t.value ORDER BY lower(t.value), t.value
            """, owner=owner)
        )


def list_people(database_config: Mapping[str, Any], owner: str) -> tuple[KnownPerson, ...]:
    """The people on a user's photos, those with a name first, each with how many of the user's photos show
    it.
    """
    with looking(database_config) as tx:
        return tuple(KnownPerson(*row) for row in rows(tx, """
            SELECT p."personGroupId"::text, p.name, count(DISTINCT a.id), coalesce(p."birthDate"::text, '')
            FROM v_person p
            JOIN v_asset_face f ON f."personGroupId" = p."personGroupId" AND f."deletedAt" IS NULL
                AND f."isVisible"
            JOIN v_asset a ON a.id = f."assetId" AND a."ownerId" = p."ownerId"
            WHERE p."ownerId" = %(owner)s
            GROUP BY p."personGroupId", p.name, p."birthDate"
            ORDER BY p.name = '', lower(p.name), 3 DESC, p.name, 1
        """, owner=owner))


def describe(database_config: Mapping[str, Any], request: Request) -> str:
    """What a request chooses, in words."""
    with looking(database_config) as tx:
        found = selection_words(replace(tx, values=transfer_values(request)), "transfer")
    return found["name"] if found["kind"] in ("conditions", "everything") else " ".join(found.values())


def list_libraries(
    database_config: Mapping[str, Any], owner: str, taker: str = ""
) -> tuple[ExternalLibrary, ...]:
    """The external libraries of a user, by name, but for those that Immich is deleting. `taker` is who would
    get them.
    """
    with looking(database_config) as tx:
        tx = replace(tx, values={"taker": taker or owner})
        run(tx, """
            CREATE TEMP TABLE changing_library ON COMMIT DROP AS
            SELECT id FROM v_library WHERE "ownerId" = %(owner)s AND "deletedAt" IS NULL
        """, owner=owner)
        return libraries_listed(tx)


def list_put_away(database_config: Mapping[str, Any], owner: str) -> dict[str, int]:
    """How many photos of a user's lie in the trash (trashed) and in the locked folder (locked), without
    those that Immich is deleting: no transfer takes them.
    """
    with looking(database_config) as tx:
        return dict(rows(tx, """
            SELECT CASE WHEN "deletedAt" IS NOT NULL OR status <> 'active' THEN 'trashed' ELSE 'locked' END,
                count(*)
            FROM v_asset
            WHERE "ownerId" = %(owner)s AND "libraryId" IS NULL AND NOT "isExternal" AND status <> 'deleted'
              AND ("deletedAt" IS NOT NULL OR status <> 'active' OR visibility = 'locked')
            GROUP BY 1
        """, owner=owner))


# ============================================================================================================
# 6  THINGS: a chapter for each thing that hangs on a photo
#
#    What of it comes along or stays behind, the step that gives it to the new owner, the rules that must
#    hold, the faults that Find tells of, and what of it hangs on an account; at the end of a chapter as data
#    (Thing). THINGS at the end of this part lists them: the checks, Find, repair, undo and the check of an
#    old account go through them. The temporary tables that steps read are described at the head of part 7.
# ============================================================================================================


# ---- what the chapters share -------------------------------------------------------------------------------


Step = Callable[[Transaction, Report], Report]


@dataclass(frozen=True)
class Rule:
    """Something that must hold in Immich's database: rows that are looked at, and when one of them breaks it.

    The checks ask it of what a run has touched, Find of all there is. `key` names a row, and `owner` says
    whose the other side is: with another owner there the same row is another thing for an undo, and as wrong
    as before for the checks. `touched` are the rows that a run may have touched, as (JOIN, WHERE), each asked
    by itself so that each goes by its own index. `added` is the alias of rows that others can add meanwhile,
    since no lock of ours keeps them from it: who wrote them is looked at.
    """

    rows: str
    broken: str
    key: str
    owner: str = "NULL::uuid"
    touched: tuple[tuple[str, str], ...] = ()
    added: str = ""


# How it weighs that something is wrong: a repair mends it, a repair asks who is to have it, or people must do
# it.
MENDED, ASKED, BY_HAND = "mended", "asked", "by hand"
# How it weighs that something hangs on an account which is to be deleted: things of somebody else's go or
# break, and it must not be deleted; the account's own go that are nowhere else, and it must not either; what
# goes nothing can keep, or need not: told, and no reason against it.
BREAKS, LOST_WITH_IT, GOES_ALONG = "breaks", "lost", "goes"

# What to do about what hangs on an account: the groups in which it is told. Each, when followed, makes it go.
EVERYTHING, MOVE_FILES, REPAIR, IN_IMMICH, NEWER_TOOL = "everything", "files", "repair", "immich", "newer"
WAYS = {  # '' is no reason against the deletion
    EVERYTHING: "4, everything to somebody",
    MOVE_FILES: "10, move files",
    REPAIR: "6, repair, for all of them",
    IN_IMMICH: "In Immich",
    NEWER_TOOL: "A newer version of this tool",
    "": "Goes with it",
}


@dataclass(frozen=True)
class Point:
    """Something that people are told of: a way in which things are wrong, or hang on an account. How it
    weighs, words for one and for many, what to do about it (or what a repair does), and what it does to
    people.

    `query` yields a name for each; of a fault (owner, photo, thing, name), the owner being whose it is to
    have it mended. `way` is the key of WAYS that a tie goes by.
    """

    weight: str
    words: tuple[str, str]
    query: str
    todo: str = ""
    harm: str = ""
    way: str = ""


@dataclass(frozen=True)
class Thing:
    """A kind of thing that hangs on photos, as data; it stands at the end of the thing's chapter.

    `tables` has on each line a table, or several, and the columns that statements name, in newest names. `>`
    points at the tables that a foreign key of the column's leads to (`a.b>c`: of both columns). A word and a
    colon before the table: it is needed where the table of that name is, since a newer Immich has it; with ?
    it is only known, for its foreign keys. `other` are columns that not all versions have, with what stands
    for them.

    `step` gives the taker what was the giver's; without a giver, in a repair, it mends what is wrong. `words`
    name it while it is at work.

    `rules` must hold. `faults` are the ways in which they do not that people are told of, all that Find looks
    for, and `ties` what would go or break with an account that is deleted (see part 11). `written` are
    queries for what a run may not have written, by its journal, and for what it must have. An undo is told by
    `noted` of rows that are not written, (table, columns, query); `photo` is the photo that a row hangs on,
    over the record p and the row t; what is `by_jobs` Immich's jobs write, and what is `computed` is computed
    anew. `since` is what must be so besides for a row r to go back: it would break no rule, but is not what
    somebody wanted since. `holds`: a user's thing in which photos are, as (the table that says which, its
    column for the thing, the thing's table, its owner).

    `lines` are what reports tell of it: in which, a name of TELLINGS; what of the report; in which words, of
    [one|several].
    """

    name: str
    tables: str
    words: str = ""
    step: Step | None = None
    other: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    faults: Mapping[str, Point] = field(default_factory=dict)
    ties: Mapping[str, Point] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    noted: tuple[tuple[str, tuple[str, ...], str], ...] = ()
    photo: Mapping[str, str] = field(default_factory=dict)
    by_jobs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    computed: tuple[str, ...] = ()
    since: Mapping[str, str] = field(default_factory=dict)
    holds: tuple[str, str, str, str] | None = None
    lines: str = ""


def breaches(kind: str, join: str = "", where: str = "true") -> str:
    """The rows that break a rule, among those that `join` and `where` name, by key and owner, with the
    transaction that wrote a row which others can add.
    """
    rule = RULES[kind]
    written = f'{rule.added}."writtenBy"' if rule.added else "NULL::xid"
    return f"""
        SELECT {rule.key}, {rule.owner}, {written} FROM {rule.rows} {join} WHERE {rule.broken} AND ({where})
    """


def exempt(kind: str) -> str:
    """The condition that the row at hand, by the aliases of its rule, is exempt."""
    rule = RULES[kind]
    return f"""EXISTS (
        SELECT FROM exempt x WHERE x.kind = '{kind}' AND x.key = {rule.key}
          AND x.owner IS NOT DISTINCT FROM {rule.owner})"""


def faulty(rule: Rule, owner: str, photo: str, thing: str, name: str, unless: str = "false") -> str:
    """What breaks a rule, anywhere, but for what is as Immich makes it all the same."""
    return f"SELECT {owner}, {photo}, {thing}, {name} FROM {rule.rows} WHERE {rule.broken} AND NOT ({unless})"


_A_PHOTO = ('a."ownerId"', "a.id")
_ITS_NAME = 'a."originalFileName"'


# ---- the photos themselves ---------------------------------------------------------------------------------


def step_owner(tx: Transaction, report: Report) -> Report:
    """The photos themselves; in a repair they are the taker's already. All else about them (files,
    favourites, archive, edits, metadata) stays as it is.
    """
    change(tx, "asset", ("ownerId",), """
        SELECT id, %(taker)s::uuid AS "ownerId", coalesce(%(giver)s, %(taker)s)::uuid AS "old ownerId"
        FROM run_photo
    """, known=True)
    return report


def _own_photos(state: str, one: str, many: str, todo: str = "", way: str = EVERYTHING) -> Point:
    """Photos of the account that are in that state, of which nobody else has a copy."""
    of_them = f"SELECT name FROM doomed_asset WHERE owner = %(user)s AND NOT spare AND state = '{state}'"
    return Point(LOST_WITH_IT, (one, many), of_them, todo, way=way)


PHOTOS = Thing(
    "photo",
    tables="""
        asset         id ownerId>user checksum status deletedAt visibility originalFileName originalPath \
                      fileCreatedAt localDateTime isFavorite
        asset_file    id assetId>asset type path
        move_history  entityId
        ?:asset_audio,asset_edit,asset_keyframe,asset_metadata,asset_ocr,asset_video   assetId>asset
        ?:integrity_report,ocr_search,smart_search,video_stream_session  assetId>asset
    """,
    words="Photos",
    step=step_owner,
    other={"asset.sidecarPath": "NULL::text", "asset.encodedVideoPath": "NULL::text"},  # in asset_file since
    faults={
        # where somebody has dropped UQ_assets_owner_checksum to get past it
        "checksum": Point(
            BY_HAND, ("photo that this user has twice", "photos that this user has twice"),
            """
            SELECT a."ownerId", NULL, NULL, min(a."originalFileName") FROM v_asset a
            WHERE a."libraryId" IS NULL GROUP BY a."ownerId", a.checksum HAVING count(*) > 1
            """,
            todo="Nothing is deleted here. Look at both in Immich, and delete the one that lacks albums or "
                "names for good: put it into the trash, then delete it there.",
            harm="Immich forbids two photos of one file with one owner. It may take one of the two for the "
                "other, and delete both.",
        ),
    },
    ties={
        # the folders are removed whoever owns what lies in them
        "file": Point(
            BREAKS, ("file of another user lies in its folders", "files of others lie in its folders"),
            "SELECT replace(kind, '_', ' ') FROM others_file WHERE sure",
            way=MOVE_FILES,
        ),
        "file_odd": Point(
            BREAKS, ("file there that Move files leaves", "files there that Move files leaves"),
            "SELECT replace(kind, '_', ' ') FROM others_file WHERE NOT sure",
            todo="They are of another user's external library: move them elsewhere, and change its import "
                "path. Or it cannot be told where they lie: Move files (10) names those, and Immich's "
                "storage template migration gives them new paths.",
            way=IN_IMMICH,
        ),
        "unknown": Point(
            BREAKS,
            (
                "kind of row that this tool does not know may hang on it",
                "kinds of rows that this tool does not know may hang on it",
            ),
            "SELECT unnest(%(unknown)s::text[])",
            way=NEWER_TOOL,
        ),
        "photo": _own_photos(
            "photo",
            "photo",
            "photos",
        ),
        "half": _own_photos(
            "half",
            "half of a live photo of which another user has the other half",
            "halves of live photos of which another user has the other half",
            "Let that user delete theirs for good.",
            IN_IMMICH,
        ),
        "in_trash": _own_photos(
            "in_trash",
            "photo that another user has in the trash",
            "photos that another user has in the trash",
            "Let that user restore it, or delete it for good.",
            IN_IMMICH,
        ),
        "trashed": _own_photos(
            "trashed",
            "photo in the trash",
            "photos in the trash",
            "With the trash; or empty the trash.",
        ),
        "locked": _own_photos(
            "locked",
            "photo in the locked folder",
            "photos in the locked folder",
            "With the locked folder.",
        ),
        "unfinished": _own_photos(
            "unfinished",
            "photo with an unfinished file move",
            "photos with an unfinished file move",
            "Let Immich finish it: start its storage template migration, or its migration, under "
            "Administration > Job Queues.",
            IN_IMMICH,
        ),
        "astray": _own_photos(
            "astray",
            "photo in an external library of another user",
            "photos in external libraries of others",
            "It asks who is to have both.",
            REPAIR,
        ),
        "external": _own_photos(
            "external",
            "photo in an external library",
            "photos in external libraries",
            "With the library. The files themselves stay on the disk.",
        ),
        "copied": Point(
            GOES_ALONG,
            (
                "photo of which another user has the same file",
                "photos of which another user has the same file",
            ),
            "SELECT name FROM doomed_asset WHERE copied AND state <> 'deleting'",
            todo="Those copies stay; names, tags, memories and stacks that are on these alone go. Look "
                "whether the copies are with the right user.",
        ),
    },
    written={
        "owner": """
            SELECT id::text FROM (
                SELECT id FROM journal_id WHERE "table" = 'asset' AND kind = 'changed'
                EXCEPT SELECT id FROM run_photo
                EXCEPT SELECT n.id FROM neighbour n JOIN v_asset a USING (id, "ownerId")) j
        """,
        "not moved": """
            SELECT a.id::text FROM v_asset a JOIN run_photo USING (id) WHERE a."ownerId" <> %(taker)s
        """,
        "row": """
            SELECT concat_ws(' ', "table", key) FROM journal
            WHERE "table" IN ('asset', 'asset_face', 'face_search', 'activity')
              AND kind IN ('made', 'removed')
              -- of one person's two likes
              AND NOT (%(one_person)s AND "table" = 'activity'
                AND coalesce(before, after) ->> 'isLiked' = 'true'
                AND coalesce(before, after) ->> 'userId' IN (%(giver)s, %(taker)s))
        """,
    },
    # whose the photos concerned were that do not move, and which of those that do were in the locked folder
    # or in the trash
    noted=(
        ("asset", ("ownerId",), """
            SELECT id, "ownerId" FROM neighbour WHERE id NOT IN (SELECT id FROM run_photo)
        """),
        ("asset", ("deletedAt", "visibility"), """
            SELECT a.id, a.visibility, a."deletedAt" FROM v_asset a JOIN run_photo USING (id)
            WHERE a.visibility = 'locked' OR a."deletedAt" IS NOT NULL
        """),
    ),
    photo={"asset": "(p.key ->> 'id')::uuid"},
    lines="""
        done     assets  Assets transferred
        undo     assets  Photos given back
        page     assets  Photos that move
        page     along   of them not chosen, but coming along
        also     along   {n} [photo moves since it belongs|photos move since they belong] to a chosen photo
    """,
)


# ---- external libraries ------------------------------------------------------------------------------------
#
# Deleting a user deletes the user's libraries, and deleting a library deletes its photos, whoever owns them:
# library.ownerId and asset.libraryId both cascade. Immich lists and scans a library by its owner, and what a
# scan finds becomes that user's photo (library.service, all versions). So a library and all its photos have
# one owner at all times: it changes hands whole or not at all. Whole means what is in the trash too, where
# Immich puts what the scan does not find any more, what is in the locked folder, and the videos that Immich
# has taken out of its photos. The folders that it scans stay: the next scan finds its photos by library and
# path, and imports none anew. Their checksums stop nothing: UQ_assets_owner_checksum leaves libraries out,
# and asset_ownerId_libraryId_checksum_idx is met when all photos of a library change hands.


def choose_libraries(tx: Transaction) -> None:
    """changing_library: those that were asked for. Raises TransferError when one cannot change hands."""
    run(tx, "INSERT INTO changing_library SELECT unnest(%(libraries)s::uuid[]); ANALYZE changing_library")
    lock_libraries(tx)
    there = one_value(tx, """
        SELECT count(*) FROM v_library JOIN changing_library USING (id)
        WHERE "ownerId" = %(giver)s AND "deletedAt" IS NULL
    """)
    if there != len(tx.values["libraries"]):
        raise TransferError(
            "An external library of this transfer cannot be handed over any more.",
            "It was deleted, or it belongs to somebody else by now.",
            "Start again.",
        )
    for library in libraries_listed(tx):
        if library.others:
            raise mixed_library(library)


def lock_libraries(tx: Transaction) -> None:
    """No scan adds a photo to a library that changes hands until it has: its INSERT waits for this lock."""
    lock(tx, "SELECT id FROM v_library JOIN changing_library USING (id) ORDER BY id FOR UPDATE OF v_library")


def libraries_listed(tx: Transaction) -> tuple[ExternalLibrary, ...]:
    """The libraries of changing_library by name: ExternalLibrary's fields, in its order."""
    return tuple(ExternalLibrary(*row) for row in rows(tx, """
        SELECT l.id::text, l.name, count(a.id) FILTER (WHERE a.visibility <> 'hidden'),
            count(a.id) FILTER (WHERE a.visibility <> 'hidden'
                AND (a."deletedAt" IS NOT NULL OR a.status <> 'active')),
            count(a.id) FILTER (WHERE a.visibility = 'locked'),
            count(a.id) FILTER (WHERE a."ownerId" NOT IN (l."ownerId", %(taker)s))
        FROM v_library l JOIN changing_library USING (id) LEFT JOIN v_asset a ON a."libraryId" = l.id
        GROUP BY l.id, l.name ORDER BY lower(l.name), l.name, l.id
    """))


def mixed_library(library: ExternalLibrary) -> TransferError:
    """Why a library with photos of several users cannot change hands, and what to do."""
    few = library.others == 1
    return TransferError(
        f"The external library “{clean(library.name)}” cannot be handed over: {library.others} of its photos "
        f"{'belongs' if few else 'belong'} to other users (an older transfer by hand?).",
        "A library and its photos must have one owner, for they are deleted with it and with its owner's "
        "account.",
        f"Leave that library out, or run Repair (6) first: it asks who is to have "
        f"{'that photo' if few else 'those photos'} and the library.",
    )


def libraries_go_whole(tx: Transaction) -> None:
    """What a library holds goes with it, trashed and locked too, and so does what must stay together with
    that.
    """
    run(tx, """
        UPDATE candidate SET trashed = true, locked = true
        WHERE unit IN (
            SELECT c.unit FROM candidate c JOIN v_asset a USING (id)
            JOIN changing_library l ON l.id = a."libraryId")
    """)


def require_whole_libraries(tx: Transaction) -> None:
    """Raise TransferError when a photo of a library that was asked for has a reason to stay."""
    taker = one_value(tx, "SELECT name FROM v_user WHERE id = %(taker)s")
    for name, reason, count, example in rows(tx, """
        SELECT l.name, v.reason, count(*), min(v.name)
        FROM verdict v JOIN v_asset a USING (id) JOIN changing_library c ON c.id = a."libraryId"
        JOIN v_library l ON l.id = c.id
        WHERE v.reason IS NOT NULL GROUP BY l.name, v.reason ORDER BY l.name, v.reason LIMIT 1
    """):
        raise TransferError(
            f"The external library “{clean(name)}” cannot be handed over, for it goes whole or not at all.",
            f"Of its photos {count} must stay, such as {clean(example)}: {reason_words(reason, taker)}.",
            "Leave that library out, or set that right and run again.",
        )


def step_libraries(tx: Transaction, report: Report) -> Report:
    """The libraries themselves; their photos are among those of this run."""
    change(tx, "library", ("ownerId",), 'SELECT id, %(taker)s::uuid AS "ownerId" FROM changing_library')
    return report


# library.ownerId and asset.libraryId both cascade
LIBRARY_RULE = Rule(
    'v_asset a JOIN v_library l ON l.id = a."libraryId"',
    'a."ownerId" <> l."ownerId"',
    key="concat_ws(' ', a.id, l.id)",
    owner='l."ownerId"',
    touched=(("""
        JOIN (
            SELECT id FROM run_photo
            UNION SELECT a.id FROM v_asset a JOIN changing_library c ON c.id = a."libraryId"
        ) concerned ON concerned.id = a.id
    """, "true"),),
)
LIBRARIES = Thing(
    "library",
    tables="""
        library  id ownerId>user name deletedAt
        asset    libraryId>library isExternal
    """,
    words="External libraries",
    step=step_libraries,
    rules={
        "library": LIBRARY_RULE,
    },
    faults={
        "library": Point(
            ASKED,
            ("photo in an external library of another user", "photos in external libraries of other users"),
            faulty(LIBRARY_RULE, *_A_PHOTO, "l.id", _ITS_NAME, 'l."deletedAt" IS NOT NULL'),
            todo="Repair asks who is to have both: these photos, or the library with all that is in it.",
            harm="They are deleted with that library, or with that user's account, whoever owns them.",
        ),
    },
    ties={
        # asset.libraryId and library.ownerId cascade
        "library_others": Point(
            BREAKS,
            ("photo of another user is in its external libraries", "photos of others are in its libraries"),
            "SELECT name FROM doomed_asset WHERE owner <> %(user)s",
            todo="It asks who is to have both, photos and library. If Immich deletes the library, wait for "
                "the end.",
            way=REPAIR,
        ),
    },
    written={
        "external library": """
            SELECT l.id::text FROM v_library l LEFT JOIN changing_library c USING (id)
            WHERE CASE WHEN c.id IS NULL THEN l."writtenBy" = pg_current_xact_id()::xid
                ELSE l."ownerId" <> %(taker)s END
        """,
    },
    noted=(
        ("library", ("name",), "SELECT l.id, l.name FROM v_library l JOIN changing_library USING (id)"),
    ),
    lines="""
        handed   libraries       {n} external [library is|libraries are] handed over, whole (the folders stay)
        done     libraries       External libraries
        undo     libraries_back  External libraries given back, with all that is in them now
        kept     libraries_kept  {n} external [library|libraries], whole:
        lost     lost_library    {n} external [library is|libraries are] gone
    """,
)


# ---- live photos -------------------------------------------------------------------------------------------
#
# Live photos. The still's livePhotoVideoId names its video, a hidden photo of its own. Immich looks for the
# video by its owner (access.repository: checkOwnerAccess), so a still without its video does not play. `unit`
# is what must stay together: the video's id for a video and all its stills, else the photo's own.


def live_partners_come_along(tx: Transaction, origin: str) -> None:
    """The other half of every candidate, as candidates of that origin."""
    come_along(tx, origin, """
        SELECT unit AS id FROM candidate
        UNION SELECT a.id FROM candidate c JOIN v_asset a ON a."livePhotoVideoId" = c.unit
    """)


def live_partners_stay(tx: Transaction) -> None:
    """A still and its video move together or not at all."""
    run(tx, """
        UPDATE verdict SET reason = stopped.reason
        FROM (SELECT unit, min(reason) AS reason FROM verdict WHERE reason IS NOT NULL GROUP BY unit) stopped
        WHERE verdict.unit = stopped.unit AND verdict.reason IS NULL
    """)


LIVE_RULE = Rule(
    'v_asset s JOIN v_asset v ON v.id = s."livePhotoVideoId"',
    's."ownerId" <> v."ownerId"',
    key="concat_ws(' ', s.id, v.id)",
    touched=(
        ("JOIN run_photo m ON m.id = s.id", "true"),
        ("JOIN run_photo m ON m.id = v.id", "s.id NOT IN (SELECT id FROM run_photo)"),
    ),
)
LIVE_PHOTOS = Thing(
    "live",
    tables="asset livePhotoVideoId>asset",
    rules={
        "live": LIVE_RULE,
    },
    faults={
        "live": Point(
            ASKED,
            (
                "live photo whose still and video belong to two users",
                "live photos whose stills and videos belong to two users",
            ),
            " UNION ALL ".join(
                faulty(LIVE_RULE, f'{half}."ownerId"', f"{half}.id", "v.id", 's."originalFileName"')
                for half in ("s", "v")
            ),
            todo="Repair asks who is to have both, and transfers the other half.",
            harm="The video does not play, and counts for the other user's storage. It goes with that "
                "user's account.",
        ),
    },
    ties={
        # asset.livePhotoVideoId becomes NULL
        "live": Point(
            BREAKS,
            ("live photo of another user has its video here", "live photos of others have their videos here"),
            f"""SELECT s."originalFileName" FROM {LIVE_RULE.rows} JOIN doomed_asset d ON d.id = v.id
                WHERE s.id NOT IN (SELECT id FROM doomed_asset)""",
            todo="It asks who is to have both halves.",
            way=REPAIR,
        ),
    },
)


# ---- stacks ------------------------------------------------------------------------------------------------
#
# A member whose primary belongs to another user is hidden from its owner's timeline.


def stack_members_come_along(tx: Transaction) -> int:
    """Stacks move whole. How many photos come along."""
    return come_along(tx, "stack", """
        SELECT a.id FROM v_asset a WHERE a."stackId" IN (SELECT "stackId" FROM candidate)
    """)


def nobody_comes_along_from_split_stacks(tx: Transaction) -> None:
    """A stack of which a member stays is split: then nobody comes along who was not chosen."""
    run(tx, """
        WITH torn AS (
            SELECT DISTINCT v."stackId" FROM verdict v
            WHERE v.reason IS NULL AND v."stackId" IS NOT NULL AND EXISTS (
                SELECT FROM v_asset m
                WHERE m."stackId" = v."stackId" AND m."ownerId" <> %(taker)s
                  AND NOT EXISTS (SELECT FROM verdict w WHERE w.id = m.id AND w.reason IS NULL))
        )
        DELETE FROM verdict
        WHERE unit IN (SELECT unit FROM verdict JOIN torn USING ("stackId") WHERE origin = 'stack')
    """)


def sort_stacks(tx: Transaction) -> None:
    """stack_member: the members of the stacks concerned, whether each stays, and who comes first on top.
    stack_fate: what becomes of each of these stacks.
    """
    run(tx, f"""
        CREATE TEMP TABLE stack_member ON COMMIT DROP AS
        SELECT a."stackId", a.id, stays, taken, row_number() OVER (
                PARTITION BY a."stackId", stays
                ORDER BY a.id = s."primaryAssetId" DESC, taken, a."ownerId" = s."ownerId" DESC,
                    a."deletedAt" IS NOT NULL, a."fileCreatedAt", a.id) AS place
        FROM v_asset a
        JOIN v_stack s ON s.id = a."stackId"
        LEFT JOIN run_photo m ON m.id = a.id
        -- what is the destination's already, in a stack that an older transfer tore, goes with the photos
        -- that move
        CROSS JOIN LATERAL (
            SELECT m.id IS NULL AND a."ownerId" <> %(taker)s AS stays, EXISTS (
                -- a broken stack may show what is in another one
                SELECT FROM v_stack o WHERE o."primaryAssetId" = a.id AND o.id <> s.id) AS taken) fate
        WHERE a."stackId" IN (SELECT o."stackId" FROM v_asset o JOIN run_photo USING (id))
          AND NOT {exempt("primary")}
          AND NOT EXISTS (SELECT FROM v_asset a WHERE a."stackId" = s.id AND {exempt("stack")});
        CREATE INDEX ON stack_member ("stackId");
        ANALYZE stack_member;
        CREATE TEMP TABLE stack_fate ON COMMIT DROP AS
        -- a broken one that nobody can be on top of stays broken in a transfer, and goes in a repair
        SELECT "stackId" AS id, NOT bool_or(stays) AND (leads OR %(giver)s::uuid IS NOT NULL) AS whole,
            CASE WHEN leads THEN count(*) FILTER (WHERE NOT stays) ELSE 0 END AS leaving,
            count(*) FILTER (WHERE stays) AS remaining, gen_random_uuid() AS new_id
        FROM stack_member JOIN (
            -- whether one of those that go can be on top
            SELECT "stackId", bool_or(NOT stays AND NOT taken) AS leads FROM stack_member GROUP BY 1
        ) top USING ("stackId")
        GROUP BY "stackId", leads;
        ANALYZE stack_fate
    """)


def step_stacks(tx: Transaction, report: Report) -> Report:
    """A stack all of whose members will be the destination's goes along; any other is split, both parts
    valid.

    Immich's timeline shows a stack by its primary only, and stack.primaryAssetId forbids deleting that photo
    (NO ACTION): a torn stack hides photos and stops the deletion of an account half-way. A stack has two
    members or more (3.1 dissolves smaller ones), its primary among them, each primary once
    (stack_primaryAssetId_uq).
    """
    # one without members goes: its primary photo could not be deleted
    remove(tx, "stack", """
        SELECT DISTINCT thing AS id FROM to_mend
        WHERE kind = 'stack' AND NOT EXISTS (SELECT FROM v_asset a WHERE a."stackId" = thing)
    """)
    sort_stacks(tx)
    moved = change(tx, "stack", ("ownerId", "primaryAssetId"), """
        SELECT f.id, %(taker)s::uuid AS "ownerId", coalesce(
            (SELECT m.id FROM stack_member m WHERE m."stackId" = f.id AND m.id = s."primaryAssetId"),
            (SELECT m.id FROM stack_member m WHERE m."stackId" = f.id AND m.place = 1 AND NOT taken),
            s."primaryAssetId") AS "primaryAssetId"
        FROM stack_fate f JOIN v_stack s USING (id) WHERE f.whole
    """)
    change(tx, "stack", ("ownerId", "primaryAssetId"), """
        -- the owner differs only where a stack was torn already
        SELECT f.id, a."ownerId", m.id AS "primaryAssetId"
        FROM stack_fate f
        JOIN stack_member m ON m."stackId" = f.id AND m.stays AND m.place = 1 AND NOT m.taken
        JOIN v_stack s ON s.id = f.id JOIN v_asset a ON a.id = m.id
        WHERE NOT f.whole AND f.remaining > 1 AND s."primaryAssetId" <> m.id
    """)
    change(tx, "asset", ("stackId",), """
        SELECT m.id, NULL::uuid AS "stackId" FROM stack_member m JOIN stack_fate f ON f.id = m."stackId"
        WHERE NOT f.whole AND (NOT m.stays OR f.remaining < 2)
    """)
    remove(tx, "stack", "SELECT id FROM stack_fate WHERE NOT whole AND remaining < 2")
    add(tx, "stack", ("id", "primaryAssetId", "ownerId"), """
        SELECT f.new_id, m.id, %(taker)s::uuid
        FROM stack_fate f JOIN stack_member m ON m."stackId" = f.id AND NOT m.stays AND m.place = 1
        WHERE NOT f.whole AND f.leaving > 1
    """)
    change(tx, "asset", ("stackId",), """
        SELECT m.id, f.new_id AS "stackId" FROM stack_member m JOIN stack_fate f ON f.id = m."stackId"
        WHERE NOT f.whole AND NOT m.stays AND f.leaving > 1
    """)
    split = one_value(tx, "SELECT count(*) FROM stack_fate WHERE NOT whole")
    return report.plus(stacks_moved=moved, stacks_split=split)


# One that is no member is wrong in another way than one of somebody else's.
_APART = """CASE WHEN NOT EXISTS (
    SELECT FROM v_asset top WHERE top.id = s."primaryAssetId" AND top."stackId" = s.id) THEN 'apart' END"""
_CONCERNED_STACK = (("JOIN stack_concerned k ON k.id = s.id", "true"),)
STACK_RULE = Rule(
    'v_stack s JOIN v_asset a ON a."stackId" = s.id',
    'a."ownerId" <> s."ownerId"',
    key="concat_ws(' ', s.id, a.id)",
    owner='s."ownerId"',
    touched=_CONCERNED_STACK,
)
PRIMARY_RULE = Rule(
    'v_stack s JOIN v_asset a ON a.id = s."primaryAssetId"',
    '(a."ownerId" <> s."ownerId" OR a."stackId" IS DISTINCT FROM s.id)',
    key=f"""concat_ws(' ', s.id, s."primaryAssetId", {_APART})""",
    owner='s."ownerId"',
    touched=_CONCERNED_STACK,
)
STACKS = Thing(
    "stack",
    tables="""
        stack  id ownerId>user primaryAssetId>asset
        asset  stackId>stack
    """,
    words="Stacks",
    step=step_stacks,
    rules={
        "stack": STACK_RULE,
        "primary": PRIMARY_RULE,
        # 3.1 dissolves smaller ones (asset.service: handleAssetDeletion), older versions may leave them
        "small": Rule(
            "v_stack s",
            '2 > (SELECT count(*) FROM v_asset a WHERE a."stackId" = s.id)',
            key="s.id::text",
            owner='s."ownerId"',
            touched=_CONCERNED_STACK,
        ),
    },
    # its top is that of no other, or comes back from there
    since={"stack": """
        NOT EXISTS (
            SELECT FROM v_stack o WHERE o."primaryAssetId" = r."primaryAssetId" AND o.id <> r.id)
        OR EXISTS (
            SELECT FROM back k
            WHERE k."table" = 'asset' AND k.columns = 'stackId' AND k.photo = r."primaryAssetId")
    """},
    faults={
        "stack": Point(
            MENDED,
            (
                "stack that holds, or shows, another user's photos",
                "stacks that hold, or show, others' photos",
            ),
            f"""
            WITH torn AS (
                SELECT s.id FROM {STACK_RULE.rows} WHERE {STACK_RULE.broken}
                UNION SELECT s.id FROM {PRIMARY_RULE.rows} WHERE {PRIMARY_RULE.broken}
            )
            SELECT coalesce(a."ownerId", s."ownerId"), NULL, s.id, coalesce(min(a."originalFileName"), '')
            FROM torn JOIN v_stack s USING (id) LEFT JOIN v_asset a ON a."stackId" = s.id GROUP BY 1, s.id
            """,
            todo="Each user's photos of it become a stack of their own.",
            harm="Photos below another user's are hidden from their owner. While a photo of another user is "
                "on top, that account cannot be deleted: Immich removes its files, then fails.",
        ),
    },
    ties={
        # asset.stackId becomes NULL where the stack goes; where a photo goes, the stack of another user loses
        # it. stack_primaryAssetId_fkey is the one foreign key here that refuses (NO ACTION, all versions),
        # and it is asked when the folders have gone already.
        "stack": Point(
            BREAKS, ("stack holds photos of this account and of others", "stacks hold photos of both sides"),
            """
            SELECT coalesce(min(a."originalFileName"), '') FROM v_stack s
            JOIN v_asset a ON a."stackId" = s.id OR a.id = s."primaryAssetId"
            WHERE (s."ownerId" = %(user)s) <> (a.id IN (SELECT id FROM doomed_asset)) GROUP BY s.id
            """,
            todo="If another's has a photo of this account on top, Immich would remove the folders, then "
                "fail.",
            way=REPAIR,
        ),
    },
    lines="""
        also     stacks_moved  {n} [stack moves|stacks move] whole
        fixed    stacks_moved  Stacks
        also     stacks_split  {n} [stack is|stacks are] split, since a photo of [it|each] stays
        fixed    stacks_split  Stacks split
        lost     lost_stack    {n} [photo does|photos do] not find the stack again
    """,
)


# ---- what a user has and photos are in ---------------------------------------------------------------------


def held(holds: tuple[str, str, str, str], *touched: tuple[str, str]) -> Rule:
    """One rule for all that a user has and in which photos are: none is anybody's but its owner's."""
    join, column, table, owner = holds
    return Rule(
        f"""v_{join} h JOIN v_{table} o ON o.id = h."{column}" JOIN v_asset a ON a.id = h."assetId\"""",
        f'o."{owner}" <> a."ownerId"',
        key=f"""concat_ws(' ', h."assetId", h."{column}")""",
        owner=f'o."{owner}"',
        touched=(('JOIN run_photo m ON m.id = h."assetId"', "true"), *touched),
        added="h",
    )


def _shared_by_partner(owner: str) -> str:
    """Immich lets its users put the photos of a partner who shares with them into memories and links."""
    return f"""EXISTS (
        SELECT FROM v_partner p WHERE p."sharedById" = a."ownerId" AND p."sharedWithId" = {owner})"""


def held_tie(rule: Rule, owner: str, one: str, many: str, of: str = "true") -> Point:
    """Photos of the account in things of others: a transfer by hand left them there."""
    return Point(BREAKS, (f"photo {one} of another user", f"photos {many} of others"), f"""
        SELECT d.name FROM {rule.rows} JOIN doomed_asset d ON d.id = a.id
        WHERE o."{owner}" NOT IN (%(user)s, a."ownerId") AND {of}
    """, way=REPAIR)


def held_ties(kind: str, rule: Rule, owner: str, one: str, many: str) -> dict[str, Point]:
    """Those, and what a partner may have."""
    partners = _shared_by_partner(f'o."{owner}"')
    return {
        f"in_{kind}": held_tie(rule, owner, one, many, f"NOT {partners}"),
        f"{kind}_of_partner": replace(
            held_tie(rule, owner, one, many, partners),
            words=(f"photo {one} of a partner", f"photos {many} of partners"),
            todo="To that partner, and they stay there; else they leave it.",
            way=EVERYTHING,
        ),
    }


def held_by_others(kind: str) -> str:
    """FROM what a step takes the photos out of: h says which photo, o is the thing, of another user than the
    taker.
    """
    join, column, table, owner = HOLDERS[kind]
    return f"""
        FROM v_{join} h JOIN run_photo m ON m.id = h."assetId" JOIN v_{table} o ON o.id = h."{column}"
        WHERE o."{owner}" <> %(taker)s AND NOT {exempt(kind)}
    """



# ---- public links ------------------------------------------------------------------------------------------


def step_shared_links(tx: Transaction, report: Report) -> Report:
    """A public link of the source all of whose photos will be the destination's goes along; others lose the
    photos.

    Immich opens a link's photos by the link alone (checkSharedLinkAccess): the old owner's link would go on
    showing the new owner's photos. Links to albums follow their album; stray photo rows on them (up to 2.6)
    go too.
    """
    run(tx, f"""
        CREATE TEMP TABLE link_concerned ON COMMIT DROP AS
        SELECT l.id, l.type = 'INDIVIDUAL' AS individual,
            -- in a repair the giver is whoever made the link
            l."userId" = coalesce(%(giver)s::uuid, l."userId") AND l.type = 'INDIVIDUAL' AND NOT EXISTS (
                SELECT FROM v_shared_link_asset o JOIN v_asset a ON a.id = o."assetId"
                WHERE o."sharedLinkId" = l.id AND a."ownerId" <> %(taker)s
                  AND NOT EXISTS (SELECT FROM run_photo m WHERE m.id = a.id)) AS goes
        FROM v_shared_link l
        WHERE l.id IN (SELECT h."sharedLinkId" {held_by_others("link")})
    """)
    moved = change(tx, "shared_link", ("userId",),
        'SELECT id, %(taker)s::uuid AS "userId" FROM link_concerned WHERE goes')
    remove(tx, "shared_link_asset", f"""
        SELECT h."assetId", h."sharedLinkId" {held_by_others("link")}
          AND o.id IN (SELECT id FROM link_concerned WHERE NOT goes)
    """)
    remove(tx, "shared_link", """
        SELECT l.id FROM link_concerned l
        WHERE l.individual AND NOT l.goes
          AND NOT EXISTS (SELECT FROM v_shared_link_asset la WHERE la."sharedLinkId" = l.id)
    """)
    losing = one_value(tx, "SELECT count(*) FROM link_concerned WHERE NOT goes")
    return report.plus(links_moved=moved, links_losing=losing)


# The account's public links that show something yet, each with whether that is its own, or a whole album.
LINKS_THAT_SHOW = """(
    SELECT coalesce(al."albumName", l.slug, '') AS name, l."albumId" IS NOT NULL OR EXISTS (
        SELECT FROM v_shared_link_asset h JOIN doomed_asset d ON d.id = h."assetId"
        WHERE h."sharedLinkId" = l.id) AS own
    FROM v_shared_link l LEFT JOIN v_album al ON al.id = l."albumId"
    WHERE l."userId" = %(user)s AND (l."expiresAt" IS NULL OR l."expiresAt" > now())
      AND (l."albumId" IS NOT NULL OR EXISTS (
        SELECT FROM v_shared_link_asset h WHERE h."sharedLinkId" = l.id))) link"""

LINK_RULE = held(
    _links := ("shared_link_asset", "sharedLinkId", "shared_link", "userId"),
    # a link that changes hands, with all that is in it
    ("JOIN link_looked_at k ON k.id = o.id", 'h."assetId" NOT IN (SELECT id FROM run_photo)'),
)
LINKS = Thing(
    "link",
    tables="""
        shared_link        id userId>user type albumId>album expiresAt slug description
        shared_link_asset  assetId>asset sharedLinkId>shared_link
    """,
    words="Public links",
    step=step_shared_links,
    holds=_links,
    rules={"link": LINK_RULE},
    faults={
        "link": Point(
            MENDED, ("photo in a public link of another user", "photos in public links of other users"),
            faulty(LINK_RULE, *_A_PHOTO, "o.id", _ITS_NAME, _shared_by_partner('o."userId"')),
            todo="A link that shows this user's photos only becomes this user's; others lose the photos.",
            harm="Whoever has the link sees the photo, and its owner can neither see nor end that link.",
        ),
    },
    ties={
        **held_ties("link", LINK_RULE, "userId", "in a public link", "in public links"),
        "link": Point(
            LOST_WITH_IT, ("public link", "public links"),
            f"SELECT name FROM {LINKS_THAT_SHOW} WHERE own",
            todo="To whoever has the album; or share again as that user, and remove this link.",
            way=EVERYTHING,
        ),
        "link_others": Point(
            LOST_WITH_IT, ("public link to photos of others only", "public links to photos of others only"),
            f"SELECT name FROM {LINKS_THAT_SHOW} WHERE NOT own",
            todo="Remove it when whoever has the photos has shared them.",
            way=IN_IMMICH,
        ),
    },
    photo={"shared_link_asset": "(p.key ->> 'assetId')::uuid"},
    # one to an album that was handed over is its owner's
    since={"shared_link": """
        r."albumId" IS NULL OR r."albumId" NOT IN (SELECT id FROM handed_over)
        OR EXISTS (SELECT FROM changing_album c WHERE c.id = r."albumId" AND c.owner = r."userId")
    """},
    lines="""
        also     links_moved   {n} public [link goes|links go] along
        fixed    links_moved   Public links
        also     links_losing  {n} public [link loses|links lose] photos, or [goes|go] if empty
        fixed    links_losing  Links of others
        undo     links_back    Public links that show their photos again
        lost     lost_link     {n} public [link does|links do] not get all photos back
    """,
)


# ---- people: who -------------------------------------------------------------------------------------------


def lock_faces_and_people(tx: Transaction) -> None:
    """run_face: the faces on the photos of this run. They and the people they show are locked, in order, so
    that no job of Immich's writes between.
    """
    find_faces(tx, "" if tx.values.get("looks_only") else "ORDER BY f.id FOR NO KEY UPDATE OF f")
    lock(tx, """
        SELECT p."personGroupId" FROM v_person p
        WHERE p."personGroupId" IN (SELECT "personGroupId" FROM run_face)
        ORDER BY p."personGroupId", p."ownerId" FOR NO KEY UPDATE OF p
    """)


def find_faces(tx: Transaction, locking: str = "") -> None:
    """run_face: the faces on the photos of this run as they are now."""
    run(tx, f"""
        DROP TABLE IF EXISTS run_face;
        CREATE TEMP TABLE run_face ON COMMIT DROP AS
        SELECT f.id, f."personGroupId", f."deletedAt" IS NOT NULL AS deleted
        FROM v_asset_face f JOIN run_photo m ON m.id = f."assetId" {locking};
        ANALYZE run_face
    """)


# Whose person may become the destination's, or go when it is emptied.
GIVEN_PERSON = """(
    (holder = %(giver)s OR %(anybody_gives)s)
    AND NOT EXISTS (SELECT FROM spared s WHERE s."ownerId" = people.holder
        AND s."personGroupId" = people.grp))
"""


# A name as people compare names, as folded() does it: the codes of a letter, its case, and the kind and
# number of blanks say nothing. BARE is one without accents, too: that may be somebody else.
FOLDED_NAME = r"""btrim(regexp_replace(
    replace(translate(lower(normalize(p.name, NFKC)), 'ς', 'σ'), 'ß', 'ss'),
    '[\s\u0085\u00a0\u1680\u2028\u2029]+', ' ', 'g'))"""
BARE = r"""regexp_replace(normalize({}, NFKD), '[\u0300-\u036f]+', '', 'g')"""


# What becomes of a person, in this order.
PERSON_ACTION = f"""CASE
    -- the taker has this very person already
    WHEN kept THEN 'KEEP'
    -- only deleted faces: they follow their photo and make no person
    WHEN faces = 0 THEN 'UNLINK'
    -- the same person by name or face, as agreed; or made from this one by an earlier run
    WHEN merge_into IS NOT NULL AND (remembered OR grp::text = ANY (%(merge)s::text[])) THEN 'MERGE'
    -- nothing of it stays: it goes along
    WHEN staying = 0 AND {GIVEN_PERSON} THEN 'TRANSFER'
    -- the taker gets one of its own, the other stays for the rest
    ELSE 'DUPLICATE'
END"""

# The taker's person afterwards: a group's id, up to 3.1 a person's.
PERSON_TARGET = """CASE
    WHEN action = 'UNLINK' THEN NULL
    WHEN action = 'MERGE' THEN merge_into
    -- from 3.2: inside one cluster group all share the group, and one that nobody else knows moves whole
    WHEN action = 'KEEP' OR same_cluster OR (action = 'TRANSFER' AND sole) THEN grp
    ELSE new_id
END"""

# Whose row of the person ends.
PERSON_LEAVER = f"""CASE
    WHEN faces > 0 AND staying = 0 AND holder <> %(taker)s AND {GIVEN_PERSON} THEN holder
END"""


def decide_people(tx: Transaction) -> None:
    """people: one row per person with a face on a photo of this run, with the action and the target.

    A person is named by its group (`grp`, up to 3.1 person.id). `holder` is the owner of the person row that
    name and flags are taken from: the source's if it has one, else the destination's own (in a foreign
    cluster group), else anybody's. Only people of a giver, and not spared, are transferred or removed when
    emptied. `leaver` is whose person row ends, besides the destination's own with `both_leave`. What is
    decided is looked at by the checks.
    """
    create_people(tx)
    gather_people(tx)
    run(tx, """
        UPDATE people SET new_id = made.grp
        FROM unnest(%(given)s::uuid[], %(made_anew)s::uuid[]) AS made (given, grp)
        WHERE people.grp = made.given AND NOT EXISTS (SELECT FROM v_person_group g WHERE g.id = made.grp)
    """)
    _find_merges(tx)
    run(tx, f"UPDATE people SET action = {PERSON_ACTION}")
    run(tx, f"UPDATE people SET target = {PERSON_TARGET}, leaver = {PERSON_LEAVER}")
    # The destination may have a row in a group of a foreign cluster group, through the source's share or by
    # mistake. It ends when the destination has its person in another group now: two would be the same person
    # twice. Unless that row still labels photos of its own, or a third user has shared that person with it.
    run(tx, """
        UPDATE people p SET both_leave = target IS DISTINCT FROM grp AND own = 0
            AND action IN ('TRANSFER', 'DUPLICATE', 'MERGE')
            AND EXISTS (
                SELECT FROM v_person o WHERE o."personGroupId" = p.grp AND o."ownerId" = %(taker)s)
            AND NOT EXISTS (
                SELECT FROM v_person_user s
                WHERE s."personGroupId" = p.grp AND s."sharedWithId" = %(taker)s
                  AND s."sharedById" IS DISTINCT FROM p.holder)
    """)
    run(tx, """
        ANALYZE people;
        INSERT INTO touched_group
        (SELECT grp FROM people UNION SELECT target FROM people WHERE target IS NOT NULL)
        EXCEPT SELECT grp FROM touched_group
    """)


def create_people(tx: Transaction) -> None:
    """people: empty."""
    run(tx, """
        CREATE TEMP TABLE people (
            grp uuid PRIMARY KEY, holder uuid, name text, folded text, "birthDate" date, "isHidden" boolean,
            faces bigint, staying bigint,
            kept boolean,           -- the destination has this very person already
            same_cluster boolean,   -- 3.2: both users recognise faces together, the group need not move
            sole boolean,           -- nobody else has a person row in the group, nor a share of it
            own bigint,             -- undeleted faces on the destination's photos that do not move
            merge_into uuid, note text, action text, target uuid, leaver uuid,
            new_id uuid DEFAULT gen_random_uuid(),  -- of the taker's own, if one is made
            both_leave boolean,     -- the destination's own row ends too: its person is in another group then
            remembered boolean DEFAULT false, alike text DEFAULT 'name', distance float)  -- see Person
    """)


def look_at_people(tx: Transaction) -> None:
    """seen_on: for the people on the photos of this run."""
    # an undo has looked before, and may have put back something on other photos since
    run(tx, """
        DELETE FROM seen_on WHERE grp IN (
            SELECT (pair.record ->> 'personGroupId')::uuid
            FROM journal_id j CROSS JOIN LATERAL (VALUES (j.before), (j.after)) AS pair (record)
            WHERE j."table" = 'asset_face' AND j.id NOT IN (SELECT id FROM run_face))
    """)
    look_elsewhere(
        tx, 'SELECT "personGroupId" AS grp FROM run_face WHERE "personGroupId" IS NOT NULL'
    )


def gather_people(tx: Transaction) -> None:
    """people: whose faces are on the photos of this run, and where else they are."""
    look_at_people(tx)
    run(tx, f"""
        INSERT INTO people (
            grp, holder, name, folded, "birthDate", "isHidden", faces, staying, own, kept, same_cluster, sole)
        WITH here AS (
            -- who is on the photos, with how many undeleted faces
            SELECT f."personGroupId" AS grp, count(*) FILTER (WHERE NOT f.deleted) AS faces
            FROM run_face f LEFT JOIN v_person_group g ON g.id = f."personGroupId"
            WHERE f."personGroupId" IS NOT NULL AND NOT {exempt("face")}
            GROUP BY f."personGroupId"
        ), held AS (
            -- whose row names them
            SELECT DISTINCT ON (p."personGroupId") p."personGroupId" AS grp, p."ownerId" AS holder, p.name,
                {FOLDED_NAME} AS folded, p."birthDate", p."isHidden"
            FROM v_person p JOIN here ON here.grp = p."personGroupId"
            ORDER BY p."personGroupId", p."ownerId" = %(giver)s DESC, p."ownerId" = %(taker)s DESC,
                -- in a repair it was whoever has no photo of them left, but for whom they are shared with
                CASE WHEN %(giver)s::uuid IS NULL AND EXISTS (
                        SELECT FROM v_asset_face f JOIN v_asset a ON a.id = f."assetId"
                        WHERE f."personGroupId" = p."personGroupId" AND a."ownerId" = p."ownerId") THEN 1
                    WHEN %(giver)s::uuid IS NULL AND EXISTS (
                        SELECT FROM v_person_user s
                        WHERE s."personGroupId" = p."personGroupId" AND s."sharedWithId" = p."ownerId") THEN 2
                    ELSE 0 END,
                p.name = '', p."ownerId"
        ), placed AS (
            -- whether the taker may have that very person, and has a row of it
            SELECT here.grp, here.faces, held.holder, g."clusterGroupId" = u."clusterGroupId" AS same_cluster,
                EXISTS (
                    SELECT FROM v_person p WHERE p."personGroupId" = here.grp
                        AND p."ownerId" = %(taker)s) AS has_row,
                EXISTS (
                    SELECT FROM v_person p WHERE p."personGroupId" = here.grp
                        AND p."ownerId" NOT IN (held.holder, %(taker)s)) AS others_have_row
            FROM here JOIN v_person_group g ON g.id = here.grp JOIN v_user u ON u.id = %(taker)s
            LEFT JOIN held ON held.grp = here.grp
        ), by_owner AS (
            -- Their undeleted faces on other photos. Whose photos those are takes long to find out, and is
            -- asked only where it matters: whether the holder's row ends, or the taker's besides.
            SELECT placed.grp, count(*) FILTER (WHERE a."ownerId" = holder) AS of_holder,
                count(*) FILTER (WHERE a."ownerId" = %(taker)s) AS of_destination
            FROM placed JOIN v_asset_face f ON f."personGroupId" = placed.grp AND f."deletedAt" IS NULL
            JOIN v_asset a ON a.id = f."assetId"
            WHERE CASE WHEN same_cluster THEN holder <> %(taker)s ELSE has_row OR others_have_row END
              AND NOT EXISTS (SELECT FROM run_photo m WHERE m.id = a.id)
            GROUP BY placed.grp
        )
        SELECT placed.grp, placed.holder, coalesce(held.name, ''), coalesce(held.folded, ''),
            held."birthDate", held."isHidden", placed.faces,
            -- a person whom others have, too: their photos say nothing about the source's
            CASE WHEN same_cluster OR others_have_row THEN coalesce(by_owner.of_holder, 0)
                ELSE seen_on.faces END,
            coalesce(by_owner.of_destination, 0), same_cluster AND has_row, same_cluster,
            NOT EXISTS (
                SELECT FROM v_person p WHERE p."personGroupId" = placed.grp AND p."ownerId" <> placed.holder)
            AND NOT EXISTS (SELECT FROM v_person_user s WHERE s."personGroupId" = placed.grp)
        FROM placed LEFT JOIN held USING (grp) LEFT JOIN by_owner USING (grp) JOIN seen_on USING (grp)
    """)


def look_elsewhere(tx: Transaction, groups: str) -> None:
    """seen_on: how many faces these people have on other photos than those of this run.

    Reads every face of theirs, wherever it is, so it is done once for a person.
    """
    if run(tx, f"CREATE TEMP TABLE unseen AS {groups} EXCEPT SELECT grp FROM seen_on"):
        run(tx, """
            ANALYZE unseen;
            INSERT INTO seen_on
            SELECT g.grp, count(f.id) FILTER (WHERE f."deletedAt" IS NULL), count(f."deletedAt")
            FROM unseen g LEFT JOIN v_asset_face f ON f."personGroupId" = g.grp
                AND NOT EXISTS (SELECT FROM run_photo m WHERE m.id = f."assetId")
            GROUP BY g.grp;
            ANALYZE seen_on
        """)
    run(tx, "DROP TABLE unseen")


def _find_merges(tx: Transaction) -> None:
    """merge_into: the destination's only person of the same name, or of the same but for accents (alike);
    note: why there is none although the name fits.
    """
    for alike, spelled in ((NAME, "{}"), (ACCENTS, BARE)):
        ours = spelled.format("people.folded")
        run(tx, f"""
            WITH theirs AS (
                SELECT {spelled.format(FOLDED_NAME)} AS spelled, count(*) AS count,
                    (array_agg(p."personGroupId"))[1] AS grp, (array_agg(p."birthDate"))[1] AS "birthDate",
                    bool_or(p."isHidden") AS "isHidden"
                FROM v_person p
                JOIN v_person_group g ON g.id = p."personGroupId"
                JOIN v_user u ON u.id = p."ownerId" AND u."clusterGroupId" = g."clusterGroupId"
                WHERE p."ownerId" = %(taker)s
                GROUP BY 1
            ), ours AS (
                SELECT {ours} AS spelled, count(*) AS count FROM people
                WHERE NOT kept AND faces > 0 GROUP BY 1
            ), pair AS (
                SELECT people.grp, theirs.grp AS target, CASE
                    WHEN ours.count > 1 THEN 'two of that name are on these photos'
                    WHEN theirs.count > 1 THEN 'two of that name are there already'
                    WHEN people."birthDate" <> theirs."birthDate" THEN 'the birth dates differ'
                    WHEN people."isHidden" <> theirs."isHidden" THEN 'one of the two is hidden'
                END AS note
                FROM people JOIN ours ON ours.spelled = {ours} JOIN theirs ON theirs.spelled = ours.spelled
                WHERE ours.spelled <> '' AND NOT people.kept AND people.faces > 0
                  AND people.merge_into IS NULL AND people.note IS NULL
            )
            UPDATE people SET note = pair.note, alike = %(alike)s,
                merge_into = CASE WHEN pair.note IS NULL THEN pair.target END
            FROM pair WHERE people.grp = pair.grp AND (pair.note IS NULL OR %(alike)s = 'name')
        """, alike=alike)
    # An earlier run made the destination's person from this one, so that a second would be the same person
    # twice; or somebody has said that the two faces are one person's.
    run(tx, """
        UPDATE people SET merge_into = made.target, note = NULL, remembered = true, alike = 'name'
        FROM unnest(%(remembered)s::uuid[], %(remembered_as)s::uuid[]) AS made (grp, target)
        JOIN v_person p ON p."personGroupId" = made.target AND p."ownerId" = %(taker)s
        JOIN v_person_group g ON g.id = made.target
        JOIN v_user u ON u.id = p."ownerId" AND u."clusterGroupId" = g."clusterGroupId"
        WHERE people.grp = made.grp AND made.target <> made.grp AND NOT people.kept AND people.faces > 0
    """)


LARGEST_FACES = 5  # of a person, from which comes what it looks like


def has_face_vectors(tx: Transaction) -> bool:
    """Whether faces can be compared: Immich's face_search.embedding is a `vector` of pgvector, and there are
    any. There are none where recognition was never switched on.
    """
    return bool(one_value(tx, """
        SELECT EXISTS (
            SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
            WHERE a.attrelid = to_regclass('public.face_search') AND a.attname = 'embedding'
              AND t.typname = 'vector' AND t.oid = to_regtype('vector'))
    """)) and bool(rows(tx, "SELECT 1 FROM public.face_search LIMIT 1"))


def compare_faces(tx: Transaction, max_distance: float) -> None:
    """merge_into, for people who have no namesake: the destination's person whose face is nearest, and to
    whom nobody of these people is nearer. distance: of the two faces, for namesakes, too.

    Immich recognises a face by the cosine distance of vectors, too (facialRecognition.maxDistance). It
    compares faces; here the middle of a person's largest ones stands for all of them.
    """
    # vectors are not normalised: by cosine a sum is as near as the middle
    run(tx, """
        CREATE TEMP TABLE likeness ON COMMIT DROP AS
        SELECT ranked.grp, ranked.is_theirs, avg(s.embedding) AS middle
        FROM (
            SELECT who.grp, who.is_theirs, f.id, row_number() OVER (
                PARTITION BY who.grp, who.is_theirs
                ORDER BY (f."boundingBoxX2" - f."boundingBoxX1")::bigint
                    * (f."boundingBoxY2" - f."boundingBoxY1") DESC, f.id) AS place
            FROM (
                SELECT grp, false AS is_theirs FROM people WHERE NOT kept AND faces > 0 AND NOT "isHidden"
                UNION ALL
                SELECT p."personGroupId", true
                FROM v_person p JOIN v_person_group g ON g.id = p."personGroupId"
                JOIN v_user u ON u.id = p."ownerId" AND u."clusterGroupId" = g."clusterGroupId"
                WHERE p."ownerId" = %(taker)s AND NOT p."isHidden") who
            JOIN v_asset_face f ON f."personGroupId" = who.grp AND f."deletedAt" IS NULL AND f."isVisible"
            WHERE EXISTS (SELECT FROM public.face_search s WHERE s."faceId" = f.id)) ranked
        JOIN public.face_search s ON s."faceId" = ranked.id
        WHERE ranked.place <= %(largest)s
        GROUP BY ranked.grp, ranked.is_theirs
    """, largest=LARGEST_FACES)
    run(tx, """
        CREATE TEMP TABLE resemblance ON COMMIT DROP AS
        SELECT mine.grp, theirs.grp AS other, mine.middle <=> theirs.middle AS distance
        FROM likeness mine JOIN likeness theirs ON theirs.is_theirs AND theirs.grp <> mine.grp
        WHERE NOT mine.is_theirs;
        UPDATE people SET distance = r.distance FROM resemblance r
        WHERE r.grp = people.grp AND r.other = people.merge_into;
        UPDATE people SET merge_into = near.other, distance = near.distance, alike = 'face'
        FROM (
            SELECT r.*, row_number() OVER (PARTITION BY grp ORDER BY distance, other) AS place,
                row_number() OVER (PARTITION BY other ORDER BY distance, grp) AS other_place
            FROM resemblance r WHERE distance < %(max_distance)s) near
        JOIN v_person t ON t."personGroupId" = near.other AND t."ownerId" = %(taker)s
        WHERE people.grp = near.grp AND near.place = 1 AND near.other_place = 1
          AND people.merge_into IS NULL AND people.note IS NULL
          AND coalesce(people."birthDate" = t."birthDate", true)
    """, max_distance=max_distance)


# ---- people: the step --------------------------------------------------------------------------------------


def step_people(tx: Transaction, report: Report) -> Report:
    """Give the destination its people, link the moved faces to them, mend featured photos on both sides.

    Immich lists a user's people by person.ownerId and, from 3.0 on, deletes faces whose person has another
    owner than the photo (migration DeleteMismatchedAssetFaces).
    """
    # A deleted face on a photo that stays has no person to belong to once its person has gone.
    change(tx, "asset_face", ("personGroupId",), """
        SELECT f.id, NULL::uuid AS "personGroupId"
        FROM people p JOIN v_asset_face f ON f."personGroupId" = p.grp JOIN v_asset a ON a.id = f."assetId"
        WHERE (p.leaver IS NOT NULL OR p.both_leave)
          AND f."deletedAt" IS NOT NULL AND NOT EXISTS (SELECT FROM run_photo m WHERE m.id = f."assetId")
          AND (a."ownerId" = p.leaver
               OR (p.leaver IS NOT NULL AND p.sole AND NOT p.same_cluster)
               OR (p.both_leave AND a."ownerId" = %(taker)s))
    """)
    (give_people_by_group if tx.schema.person_groups else give_people_by_id)(tx)
    relinked = change(tx, "asset_face", ("personGroupId",), f"""
        SELECT f.id, p.target AS "personGroupId", f."personGroupId" AS "old personGroupId"
        FROM people p JOIN run_face f ON f."personGroupId" = p.grp
        LEFT JOIN v_person_group g ON g.id = f."personGroupId"
        WHERE p.target IS DISTINCT FROM p.grp AND NOT {exempt("face")}
    """, known=True)
    given, ended = (drop_people_by_group if tx.schema.person_groups else drop_people_by_id)(tx)
    fill_gaps(tx, "SELECT p.grp, p.target FROM people p WHERE p.action IN ('MERGE', 'KEEP')")
    featured = mend_featured(tx)
    left = one_value(tx, """
        SELECT count(DISTINCT key) FROM journal WHERE "table" = 'person' AND kind = 'changed'
          AND before ->> 'faceAssetId' <> coalesce(after ->> 'faceAssetId', '')
          AND key ->> 'ownerId' <> %(taker)s
    """)
    report = replace(report, faces=relinked)
    return report.plus(featured=featured, portraits_left=left, shares_given=given, shares_ended=ended)


def fill_gaps(tx: Transaction, pairs: str) -> None:
    """Like Immich's own merge: the person that is kept takes over a name and a birth date that it lacks.

    `pairs` yields the person (grp) that a person of the destination's (target) takes the place of. Each
    column is written for itself, so that an undo can put it back for itself.
    """
    for column, is_empty in (("name", "= ''"), ("birthDate", "IS NULL")):
        change(tx, "person", (column,), f"""
            SELECT t."ownerId", t."personGroupId", max(p."{column}") AS "{column}"
            FROM ({pairs}) pair JOIN people p USING (grp)
            JOIN v_person t ON t."personGroupId" = pair.target AND t."ownerId" = %(taker)s
            WHERE t."{column}" {is_empty} AND NOT p."{column}" {is_empty}
              AND (t."ownerId", t."personGroupId") NOT IN (SELECT "ownerId", "personGroupId" FROM spared)
            GROUP BY t."ownerId", t."personGroupId"
        """)


def give_people_by_id(tx: Transaction) -> None:
    """Up to 3.1: a person is one row with an id and one owner. TRANSFER changes the owner, DUPLICATE makes a
    row.
    """
    change(tx, "person", ("ownerId",), """
        SELECT grp AS "personGroupId", %(taker)s::uuid AS "ownerId" FROM people
            WHERE action = 'TRANSFER'
    """)
    add(
        tx,
        "person",
        ("personGroupId", "ownerId", "name", "birthDate", "isHidden", "isFavorite", "color", "thumbnailPath"),
        """
        SELECT p.target, %(taker)s::uuid, h.name, h."birthDate", h."isHidden", h."isFavorite",
            h.color, ''
        FROM people p JOIN v_person h ON h."personGroupId" = p.grp
        WHERE p.action = 'DUPLICATE'
        """,
    )


EndedShares = tuple[int, tuple[tuple[str, str], ...]]


def drop_people_by_id(tx: Transaction) -> EndedShares:
    """Up to 3.1: a person of the source that was merged and has no face left goes. Immich finds such by name
    still. There are no shares of people.
    """
    remove(
        tx,
        "person",
        """SELECT grp AS "personGroupId" FROM people WHERE leaver IS NOT NULL AND action = 'MERGE'""",
    )
    return 0, ()


def give_people_by_group(tx: Transaction) -> None:
    """From 3.2: a person is a row per user in a group of faces; groups belong to a cluster group of users.

    person.ownerId is never updated: the destination may have the row already, and person_user follows by
    cascade. A group that nobody else has a row in moves whole, as in Immich's own code for leaving a cluster
    group; otherwise the destination gets a group of its own. Inside one cluster group nothing but the
    destination's row is needed.
    """
    change(tx, "person_group", ("clusterGroupId",), """
        SELECT p.grp AS id, u."clusterGroupId" FROM people p JOIN v_user u ON u.id = %(taker)s
        WHERE p.action = 'TRANSFER' AND p.target = p.grp AND NOT p.same_cluster
    """)
    add(tx, "person_group", ("id", "clusterGroupId"), """
        SELECT p.target, u."clusterGroupId" FROM people p JOIN v_user u ON u.id = %(taker)s
        WHERE p.action IN ('TRANSFER', 'DUPLICATE') AND p.target <> p.grp
    """)
    # The picture's path carries the owner, so it is drawn anew; the featured face stays if it moves along.
    add(
        tx,
        "person",
        (
            *("ownerId", "personGroupId", "name", "birthDate", "isHidden", "isFavorite", "color"),
            *("thumbnailPath", "faceAssetId"),
        ),
        """
        SELECT %(taker)s::uuid, p.target, coalesce(nullif(o.name, ''), p.name),
            coalesce(o."birthDate", p."birthDate"), coalesce(o."isHidden", false),
            coalesce(o."isFavorite", false), o.color, '',
            (SELECT f.id FROM v_asset_face f JOIN run_photo m ON m.id = f."assetId"
             WHERE f.id = h."faceAssetId" AND f."personGroupId" = p.grp)
        FROM people p LEFT JOIN v_person h ON h."personGroupId" = p.grp AND h."ownerId" = p.holder
        -- the destination's own row that ends keeps what it says; only a name and a birth date that it lacks
        -- are filled, as Immich does it (person_user_after_insert)
        LEFT JOIN v_person o ON o."personGroupId" = p.grp
            AND o."ownerId" = CASE WHEN p.both_leave THEN %(taker)s ELSE p.holder END
        WHERE p.action IN ('TRANSFER', 'DUPLICATE')
        """,
    )


def drop_people_by_group(tx: Transaction) -> EndedShares:
    """From 3.2: the person rows that end, the shares of them by and to their owner, and groups that are left
    empty. How many shares the destination gives instead, and those that end: (person, with whom).
    """
    ended = end_shares(tx)
    remove(tx, "person", """
        SELECT leaver AS "ownerId", grp AS "personGroupId" FROM people WHERE leaver IS NOT NULL
        UNION SELECT %(taker)s::uuid, grp FROM people WHERE both_leave
    """)
    remove(tx, "person_group", """
        SELECT p.grp AS id FROM people p
        WHERE NOT EXISTS (SELECT FROM v_person o WHERE o."personGroupId" = p.grp)
          AND NOT EXISTS (SELECT FROM v_asset_face f WHERE f."personGroupId" = p.grp)
    """)
    return ended


def end_shares(tx: Transaction) -> EndedShares:
    """Shares of people (3.3) end with the row of who shares (person_user's foreign key) or of whom one shares
    with (trigger person_delete_shares); what the former saw is then the destination's to show.

    The destination gives a share instead where it has the very same person: inside the cluster group. A share
    fills an empty name or birth date of the other's (person_user_after_insert): where it would, it ends.
    """
    run(tx, """
        CREATE TEMP TABLE share_ending ON COMMIT DROP AS
        SELECT s.*, p.name, u.email,
            s."sharedById" <> coalesce(p.leaver, %(taker)s) OR s."sharedWithId" = %(taker)s AS own,
            p.target = p.grp AND NOT EXISTS (
                SELECT FROM v_person mine JOIN v_person theirs USING ("personGroupId")
                WHERE mine."personGroupId" = p.grp AND mine."ownerId" = %(taker)s
                  AND theirs."ownerId" = s."sharedWithId" AND (
                    (theirs.name = '' AND mine.name <> '')
                    OR (theirs."birthDate" IS NULL AND mine."birthDate" IS NOT NULL))) AS goes
        FROM v_person_user s JOIN v_user u ON u.id = s."sharedWithId"
        JOIN people p ON p.grp = s."personGroupId" AND (
            p.leaver IN (s."sharedById", s."sharedWithId")
            OR (p.both_leave AND %(taker)s IN (s."sharedById", s."sharedWithId")))
    """)
    remove(tx, "person_user", 'SELECT "personGroupId", "sharedById", "sharedWithId" FROM share_ending')
    given = add(tx, "person_user", ("personGroupId", "sharedById", "sharedWithId", "role"), """
        SELECT "personGroupId", %(taker)s::uuid, "sharedWithId", role FROM share_ending WHERE goes AND NOT own
    """)
    return given, tuple(rows(tx, """
        SELECT name, email FROM share_ending WHERE NOT goes AND NOT own ORDER BY name, email
    """))


def _best_face(faces: str, photos: str) -> str:
    """The largest of the person p's `faces` that SHOWS p on one of `photos`, trashed and locked ones last.

    Goes from the person to its faces, and from each to its photo, which OFFSET 0 keeps so: left to itself,
    PostgreSQL goes through all photos of the owner for each person.
    """
    return f"""
        SELECT f.id
        FROM (SELECT * FROM v_asset_face f WHERE f."personGroupId" = p."personGroupId" {faces}) f
        CROSS JOIN LATERAL (SELECT * FROM v_asset a WHERE a.id = f."assetId" OFFSET 0) a
        WHERE {SHOWS} AND {photos}
        ORDER BY a."deletedAt" IS NOT NULL, a.visibility = 'locked',
            (f."boundingBoxX2" - f."boundingBoxX1")::bigint * (f."boundingBoxY2" - f."boundingBoxY1") DESC,
            f.id
        LIMIT 1
    """


# Of a few, where one of them will do: Immich itself takes any.
BEST_OF_A_FEW = (
    'ORDER BY f."assetId", f.id LIMIT 20',
    """a."deletedAt" IS NULL AND a.visibility <> 'locked'""",
)
BEST_OF_ALL = ("OFFSET 0", "few.id IS NULL")


def mend_featured(tx: Transaction) -> int:
    """Featured photos (person.faceAssetId): one that SHOWS the person, or NULL.

    thumbnailPath '' with a faceAssetId is the state that Immich's missing-thumbnails job repairs, in every
    version; with a path kept, the picture would never be drawn anew. Returns how many were mended.
    """
    run(tx, """
        CREATE TEMP TABLE portrait ON COMMIT DROP AS
        SELECT p."ownerId", p."personGroupId" FROM v_person p JOIN touched_group t
            ON t.grp = p."personGroupId"
        UNION
        SELECT p."ownerId", p."personGroupId" FROM v_person p JOIN run_face f ON f.id = p."faceAssetId";
        ANALYZE portrait
    """)
    # who lacks one; who never had one gets one with the faces that arrive, all else is Immich's to choose
    run(tx, f"""
        CREATE TEMP TABLE faceless ON COMMIT DROP AS
        SELECT p."ownerId", p."personGroupId", p."faceAssetId"
        FROM portrait JOIN v_person p USING ("ownerId", "personGroupId")
        LEFT JOIN LATERAL (SELECT * FROM v_asset_face f WHERE f.id = p."faceAssetId" OFFSET 0) f ON true
        LEFT JOIN LATERAL (SELECT * FROM v_asset a WHERE a.id = f."assetId" OFFSET 0) a ON true
        WHERE NOT (a.id IS NOT NULL AND {exempt("featured")}) AND CASE
            WHEN p."faceAssetId" IS NULL THEN p."ownerId" = %(taker)s AND EXISTS (
                SELECT FROM people d WHERE d.target = p."personGroupId" AND d.action <> 'KEEP')
            ELSE {SHOWS} IS NOT TRUE
        END;
        ANALYZE faceless
    """)
    mended = change(tx, "person", ("faceAssetId", "thumbnailPath"), f"""
        WITH best AS MATERIALIZED (
            SELECT p."ownerId", p."personGroupId", coalesce(few.id, any_of.id) AS id
            FROM faceless p
            LEFT JOIN LATERAL ({_best_face(*BEST_OF_A_FEW)}) few ON true
            LEFT JOIN LATERAL ({_best_face(*BEST_OF_ALL)}) any_of ON true
        )
        SELECT p."ownerId", p."personGroupId", best.id AS "faceAssetId", '' AS "thumbnailPath"
        FROM faceless p JOIN best USING ("ownerId", "personGroupId")
        WHERE best.id IS NOT NULL OR (
            p."faceAssetId" IS NOT NULL
            -- From 3.2 a person may be shared with a user who has no photo of it: Immich's job then draws the
            -- picture from somebody else's, and would again.
            AND (p."ownerId" = %(giver)s::uuid OR NOT EXISTS (
                SELECT FROM v_person o WHERE o."personGroupId" = p."personGroupId"
                    AND o."ownerId" <> p."ownerId")
                OR NOT EXISTS (
                    SELECT FROM v_asset_face f WHERE f.id = p."faceAssetId"
                      AND f."personGroupId" = p."personGroupId" AND f."deletedAt" IS NULL AND f."isVisible")))
    """)
    run(tx, "DROP TABLE faceless")
    return mended


# What a featured photo (person.faceAssetId) must be: a visible face f of the person p on a photo a of their
# owner.
SHOWS = """(f."personGroupId" = p."personGroupId" AND a."ownerId" = p."ownerId" AND f."deletedAt" IS NULL
                AND f."isVisible")"""
# One whose face is deleted or hidden is wrong in another way than one of somebody else's.
_UNSEEN = """CASE WHEN f."deletedAt" IS NOT NULL OR NOT f."isVisible" THEN 'unseen' END"""

# A person whom several users know (3.2) may show a photo of another of them: Immich's thumbnail job takes any
# face of the group.
_SHARED_PORTRAIT = """(
    f."personGroupId" = p."personGroupId" AND f."deletedAt" IS NULL AND f."isVisible" AND EXISTS (
        SELECT FROM v_person k WHERE k."personGroupId" = f."personGroupId" AND k."ownerId" = a."ownerId"))"""

# of a person that the photo's owner has a row of; from 3.2 in a group of the owner's cluster group
FACE_RULE = Rule(
    """v_asset_face f JOIN v_asset a ON a.id = f."assetId" JOIN v_user u ON u.id = a."ownerId"
    LEFT JOIN v_person_group g ON g.id = f."personGroupId"
    """,
    """f."personGroupId" IS NOT NULL AND NOT EXISTS (
        SELECT FROM v_person p
        WHERE p."personGroupId" = f."personGroupId" AND p."ownerId" = a."ownerId"
          AND g."clusterGroupId" = u."clusterGroupId")
    """,
    key="""concat_ws(' ', f.id, f."personGroupId")""",
    owner='g."clusterGroupId"',  # up to 3.1 the person's owner
    # on the photos of this run; on others those of people whose row or group is not as it was
    touched=(
        ('JOIN run_photo m ON m.id = f."assetId"', "true"),
        (
            'JOIN suspect_group t ON t.grp = f."personGroupId"',
            'NOT EXISTS (SELECT FROM run_photo m WHERE m.id = f."assetId")',
        ),
    ),
    added="f",
)
# from the person to its face and that face's photo
FEATURED_RULE = Rule(
    """v_person p
    CROSS JOIN LATERAL (SELECT * FROM v_asset_face f WHERE f.id = p."faceAssetId" OFFSET 0) f
    CROSS JOIN LATERAL (SELECT * FROM v_asset a WHERE a.id = f."assetId" OFFSET 0) a
    """,
    f"{SHOWS} IS NOT TRUE",
    key=f"""concat_ws(' ', p."ownerId", p."personGroupId", p."faceAssetId", {_UNSEEN})""",
    owner='a."ownerId"',
    touched=(("""
        JOIN (
            SELECT p."ownerId", p."personGroupId"
            FROM v_person p JOIN run_face f ON f.id = p."faceAssetId"
            UNION
            SELECT p."ownerId", p."personGroupId"
            FROM v_person p JOIN touched_group t ON t.grp = p."personGroupId"
        ) concerned ON concerned."ownerId" = p."ownerId"
            AND concerned."personGroupId" = p."personGroupId"
    """, "true"),),
    added="p",
)
PEOPLE = Thing(
    "person",
    tables="""
        person      ownerId>user personGroupId>person_group name birthDate isHidden isFavorite color \
                    thumbnailPath faceAssetId>asset_face
        asset_face  id assetId>asset personGroupId>person_group>person deletedAt \
                    boundingBoxX1 boundingBoxY1 boundingBoxX2 boundingBoxY2
        face_search faceId>asset_face
        person_group:person_group  id clusterGroupId
        person_group:user          clusterGroupId
        person_user:person_user    personGroupId sharedById sharedWithId>user role \
                                   personGroupId.sharedById>person
        ?:cluster_group_request    userId>user
    """,
    words="People and faces",
    step=step_people,
    # up to 3.1 a cluster group of one's own, see v_person_group; faces can be hidden since 2.5
    other={"user.clusterGroupId": "id", "asset_face.isVisible": "true"},
    rules={
        "face": FACE_RULE,
        "featured": FEATURED_RULE,
        # a row in a group of another cluster group (3.2), as a share makes one: no run may do so
        "person": Rule(
            """v_person p JOIN v_person_group g ON g.id = p."personGroupId"
            JOIN v_user u ON u.id = p."ownerId"
            """,
            'g."clusterGroupId" <> u."clusterGroupId"',
            key="""concat_ws(' ', p."ownerId", p."personGroupId")""",
            owner='g."clusterGroupId"',
            touched=(('JOIN touched_group t ON t.grp = p."personGroupId"', "true"),),
            added="p",
        ),
    },
    faults={
        "face": Point(
            MENDED,
            ("face that is linked to another user's person", "faces that are linked to other users' people"),
            faulty(FACE_RULE, *_A_PHOTO, 'f."personGroupId"', _ITS_NAME),
            todo="The owner of the photo gets the person: whole, a second one, or the one of that name.",
            harm="The face has no name here, and the other user counts it. It loses its person with the "
                "other account, or goes itself when an older Immich is upgraded to 3.0; the sync of older "
                "phones stops.",
        ),
        "featured": Point(
            # mended for either of the two
            MENDED,
            ("person with a picture that is not of theirs", "people with pictures that are not of theirs"),
            " UNION ALL ".join(
                faulty(FEATURED_RULE, owner, photo, 'p."personGroupId"', "p.name", unless)
                for owner, photo, unless in (
                    ('p."ownerId"', "NULL::uuid", _SHARED_PORTRAIT),
                    # mended for either of the two
                    (*_A_PHOTO, f'{_SHARED_PORTRAIT} OR a."ownerId" = p."ownerId"'),
                )
            ),
            todo="The largest face of that person on a photo of theirs, if there is one.",
            harm="The picture shows somebody else, another user's photo, or a face that was deleted.",
        ),
    },
    ties={
        # Up to 3.1 asset_face.personId becomes NULL. From 3.2 the night's PersonCleanup removes groups that
        # no person row knows, and cluster groups without a user with all that is in them.
        "face": Point(
            BREAKS,
            ("face on a photo of another user shows its person", "faces on photos of others show its people"),
            """
            SELECT a."originalFileName" FROM v_asset_face f JOIN tied_group g ON g.id = f."personGroupId"
            JOIN v_asset a ON a.id = f."assetId" WHERE a.id NOT IN (SELECT id FROM doomed_asset)
            """,
            way=REPAIR,
        ),
        # PersonCleanup removes people without a face (up to 2.4, and from 3.2 on)
        "person_faces": Point(
            BREAKS,
            ("person of another user is on its photos only", "people of others are on its photos only"),
            """
            SELECT p.name FROM v_person p JOIN v_asset_face f USING ("personGroupId")
            LEFT JOIN doomed_asset d ON d.id = f."assetId" WHERE p."ownerId" <> %(user)s
            GROUP BY p."ownerId", p."personGroupId", p.name HAVING every(d.id IS NOT NULL)
            """,
            todo="To that user.",
            way=EVERYTHING,
        ),
        # person_user goes with the person (3.3)
        "person_share": Point(
            BREAKS, ("person is shared with another user", "people are shared with others"),
            """
            SELECT concat_ws(' with ', p.name, u.email) FROM v_person_user s
            JOIN v_user u ON u.id = s."sharedWithId"
            LEFT JOIN v_person p ON p."personGroupId" = s."personGroupId" AND p."ownerId" = s."sharedById"
            WHERE s."sharedById" = %(user)s
            """,
            todo="Let whoever has the photos share them again, and end this share in Immich.",
            way=IN_IMMICH,
        ),
    },
    # faces whose link stays as it is, and everybody's rows of the people concerned
    noted=(
        ("asset_face", ("personGroupId",), """
            SELECT f.id, f."personGroupId" FROM v_asset_face f JOIN run_photo m ON m.id = f."assetId"
            JOIN people p ON p.grp = f."personGroupId" WHERE p.target = p.grp
        """),
        ("person", ("name", "birthDate", "isHidden", "isFavorite", "color"), """
            SELECT p.* FROM v_person p JOIN touched_group t ON t.grp = p."personGroupId"
            UNION SELECT p.* FROM v_person p JOIN run_face f ON f.id = p."faceAssetId"
        """),
    ),
    photo={"asset_face": 't."assetId"'},
    by_jobs={"person": ("thumbnailPath",)},
    since={
        # nobody was shared it, and what was removed has a face
        "person_group": """
            EXISTS (SELECT FROM v_user u WHERE u."clusterGroupId" = r."clusterGroupId")
            AND NOT EXISTS (SELECT FROM v_person_user s WHERE s."personGroupId" = r.id)
            AND (b.kind = 'changed' OR r.id IN (SELECT grp FROM face_then))
        """,
        "person": """b.kind = 'changed' OR r."personGroupId" IN (SELECT grp FROM face_then)""",
        # both have that person
        "person_user": """
            2 = (SELECT count(*) FROM v_person p
                 WHERE p."personGroupId" = r."personGroupId"
                   AND p."ownerId" IN (r."sharedById", r."sharedWithId"))
        """,
    },
    lines="""
        fixed    faces           Faces relinked (others go with their person)
        fixed    featured        Portraits fixed or chosen
        done,fixed  TRANSFER     Persons transferred
        page     TRANSFER        People who go along
        done,fixed  DUPLICATE    Persons duplicated
        page     DUPLICATE       People who stay, and of whom the new owner gets one of their own
        done,fixed  MERGE        Persons merged
        page     MERGE           People who become the new owner's person
        undo     faces           Faces linked back
        undo     people_given    People given back
        undo     people_removed  People removed, whom the run made
        undo     people_parted   Merges undone
        kept     people_kept     {n} [person|people] made by the run:
        kept     faces_changed   {n} [face|faces]: given to another person, or to none, since
        lost     lost_person     {n} [person who was removed does|people who were removed do] not come back
        also     portraits_left  {n} [person loses|people lose] their portrait photo and [gets|get] another, \
                                 if there is one
        also     shares_given    {n} [person whom another user sees is|people whom other users see are] \
                                 shared by {taker} from now on
        warning  shares_ended    {giver} no longer shares {names}: {taker} can share them again.
    """,
)


# ---- tags --------------------------------------------------------------------------------------------------


def step_tags(tx: Transaction, report: Report) -> Report:
    """The same tag paths for the destination, made where missing; tags of anybody else leave the photo.

    Immich lists tags by tag.userId but shows all of a photo's (withTags): a foreign tag is seen and cannot be
    opened. tag_closure is filled by Immich's code, not by a trigger, and its search goes through it.
    """
    run(tx, f"""
        CREATE TEMP TABLE tag_leaving ON COMMIT DROP AS
        SELECT h."assetId", h."tagId", o.value, o."userId" {held_by_others("tag")};
        CREATE TEMP TABLE tag_wanted ON COMMIT DROP AS
        WITH path AS (SELECT DISTINCT value, string_to_array(value, '/') AS parts FROM tag_leaving), step AS (
            SELECT DISTINCT array_to_string(parts[1:n], '/') AS value, array_to_string(parts[1:n - 1],
                '/') AS parent
            FROM path, generate_series(1, cardinality(parts)) AS n
        ), named AS (
            -- a path with an empty part has no tag there; the next longer one hangs on nothing
            SELECT value, parent FROM step WHERE value IN (SELECT value FROM path) OR value !~ '(^|/)$'
        )
        SELECT named.value, named.parent, coalesce(mine.id, gen_random_uuid()) AS id,
            mine.id IS NULL AS is_new,
            (SELECT t.color FROM (SELECT DISTINCT "userId" FROM tag_leaving) whose
             JOIN v_tag t ON t."userId" = whose."userId" AND t.value = named.value
             ORDER BY t."userId" = %(giver)s DESC, t."userId" LIMIT 1) AS color
        FROM named LEFT JOIN v_tag mine ON mine."userId" = %(taker)s AND mine.value = named.value
    """)
    made = add(tx, "tag", ("id", "userId", "value", "color", "parentId"), """
        SELECT w.id, %(taker)s::uuid, w.value, w.color, parent.id
        FROM tag_wanted w LEFT JOIN tag_wanted parent ON parent.value = w.parent
        WHERE w.is_new
    """)
    add(tx, "tag_closure", ("id_ancestor", "id_descendant"), """
        SELECT above.id, w.id FROM tag_wanted w
        JOIN tag_wanted above ON above.value = w.value OR starts_with(w.value, above.value || '/')
        WHERE w.is_new OR above.id = w.id
    """)
    add(tx, "tag_asset", ("assetId", "tagId"),
        'SELECT DISTINCT l."assetId", w.id FROM tag_leaving l JOIN tag_wanted w ON w.value = l.value')
    remove(tx, "tag_asset", 'SELECT "assetId", "tagId" FROM tag_leaving')
    return report.plus(tags=one_value(tx, "SELECT count(DISTINCT value) FROM tag_leaving"), tags_made=made)


TAG_RULE = held(_tags := ("tag_asset", "tagId", "tag", "userId"))
TAGS = Thing(
    "tag",
    tables="""
        tag          id userId>user value color parentId>tag
        tag_asset    assetId>asset tagId>tag
        tag_closure  id_ancestor>tag id_descendant>tag
    """,
    words="Tags",
    step=step_tags,
    holds=_tags,
    rules={"tag": TAG_RULE},
    faults={
        "tag": Point(
            MENDED, ("photo with another user's tag", "photos with other users' tags"),
            faulty(TAG_RULE, *_A_PHOTO, "o.id", _ITS_NAME),
            todo="A tag of this user's with the same path, made if it is missing.",
            harm="The tag is seen on the photo and cannot be opened, and it goes with the other account.",
        ),
    },
    ties={
        "in_tag": held_tie(TAG_RULE, "userId", "with a tag", "with tags"),
        "tag_others": Point(
            BREAKS,
            ("tag of this account on a photo of another user", "tags of this account on photos of others"),
            f"""SELECT o.value FROM {TAG_RULE.rows}
                WHERE o."userId" = %(user)s AND a."ownerId" <> %(user)s""",
            way=REPAIR,
        ),
        # tag.parentId and tag_closure cascade
        "tag_below": Point(
            BREAKS,
            ("tag of another user is below a tag of this account", "tags of others are below its tags"),
            """
            SELECT t.value FROM v_tag t JOIN v_tag p ON p."userId" = %(user)s
            WHERE t."userId" <> %(user)s AND (
                t."parentId" = p.id OR EXISTS (
                    SELECT FROM v_tag_closure c WHERE c.id_ancestor = p.id AND c.id_descendant = t.id))
            """,
            todo="Let the owner delete that tag and make it again.",
            way=IN_IMMICH,
        ),
    },
    photo={"tag_asset": "(p.key ->> 'assetId')::uuid"},
    # the tag that took its place was not taken off
    since={"tag_asset": """
        EXISTS (
            SELECT FROM v_tag t JOIN v_tag now ON now.value = t.value AND now."userId" = %(tagger)s
            JOIN v_tag_asset ta ON ta."assetId" = r."assetId" AND ta."tagId" = now.id WHERE t.id = r."tagId")
    """},
    lines="""
        also     tags        {n} [tag is kept, as a tag|tags are kept, as tags] of {taker}'s
        fixed    tags        Tags
        kept     tags_taken  {n} [tag|tags] of photos: taken from them since
        kept     tags_kept   {n} [tag|tags] made by the run: in use or changed by now
    """,
)


# ---- groups of duplicates ----------------------------------------------------------------------------------


def step_duplicates(tx: Transaction, report: Report) -> Report:
    """Moved photos leave their duplicate groups, and so does a lone one that remains; in a repair a group
    that several users share goes whole. Detection is due again, and makes each user's own.

    duplicate.repository lists groups per owner but changes them by duplicateId alone.
    """
    run(tx, """
        CREATE TEMP TABLE duplicate_losing ON COMMIT DROP AS
        SELECT a.id, a."duplicateId" FROM v_asset a JOIN run_photo USING (id)
        WHERE a."duplicateId" IS NOT NULL AND %(giver)s::uuid IS NOT NULL
        UNION SELECT id, "duplicateId" FROM v_asset
        WHERE "duplicateId" IN (SELECT thing FROM to_mend WHERE kind = 'duplicate')
    """)
    change(tx, "asset", ("duplicateId",), """
        SELECT id, NULL::uuid AS "duplicateId" FROM duplicate_losing
        UNION ALL
        SELECT unnest(array_agg(a.id)), NULL FROM v_asset a
        WHERE a."ownerId" = %(giver)s AND NOT EXISTS (SELECT FROM run_photo m WHERE m.id = a.id)
          AND a."duplicateId" IN (SELECT "duplicateId" FROM duplicate_losing)
        GROUP BY a."duplicateId" HAVING count(*) FILTER (WHERE a."deletedAt" IS NULL) <= 1
    """)
    detect_again(tx, """
        SELECT id FROM run_photo WHERE %(giver)s::uuid IS NOT NULL OR id IN (SELECT id FROM duplicate_losing)
    """)
    return report.plus(duplicates=one_value(tx, "SELECT count(*) FROM duplicate_losing"))


def detect_again(tx: Transaction, photos: str) -> None:
    """Detection of duplicates is due for these photos."""
    change(tx, "asset_job_status", ("duplicatesDetectedAt",), f"""
        SELECT j."assetId", NULL::timestamptz AS "duplicatesDetectedAt"
        FROM v_asset_job_status j JOIN ({photos}) m ON m.id = j."assetId"
            WHERE j."duplicatesDetectedAt" IS NOT NULL
    """)


DUPLICATES = Thing(
    "duplicate",
    tables="""
        asset             duplicateId
        asset_job_status  assetId>asset duplicatesDetectedAt
    """,
    words="Duplicate groups",
    step=step_duplicates,
    faults={
        "duplicate": Point(
            MENDED,
            (
                "photo in a group of duplicates with another user's",
                "photos in groups of duplicates with others'",
            ),
            """
            SELECT "ownerId", id, "duplicateId", "originalFileName" FROM v_asset
            WHERE "duplicateId" IN (
                SELECT "duplicateId" FROM v_asset WHERE "duplicateId" IS NOT NULL
                GROUP BY "duplicateId" HAVING count(DISTINCT "ownerId") > 1)
            """,
            todo="The group goes, and Immich's next look for duplicates makes groups for each user.",
            harm="Each user sees only a part of the group, and what one decides about it changes the "
                "other's photos.",
        ),
    },
    # who else was in the groups, and who of them in the trash: those leave the group, too
    noted=(
        ("asset", ("duplicateId",), """
            SELECT a.id, a."duplicateId" FROM v_asset a JOIN neighbour USING (id)
            WHERE a."duplicateId" IS NOT NULL AND a.id NOT IN (SELECT id FROM run_photo)
        """),
        ("asset", ("deletedAt", "visibility"), """
            SELECT a.id, a.visibility, a."deletedAt" FROM v_asset a JOIN neighbour USING (id)
            WHERE a."duplicateId" IS NOT NULL AND a."deletedAt" IS NOT NULL
                AND a.id NOT IN (SELECT id FROM run_photo)
        """),
    ),
    photo={"asset_job_status": "(p.key ->> 'assetId')::uuid"},
    lines="""
        also     duplicates  {n} [photo leaves its group|photos leave their groups] of duplicates
        fixed    duplicates  Duplicates
    """,
)


# ---- memories ----------------------------------------------------------------------------------------------


def step_memories(tx: Transaction, report: Report) -> Report:
    """The photo leaves every memory that is not the destination's; a memory left empty by it is deleted.

    Immich lists memories by memory.ownerId and asks nothing about the photo's owner: the thumbnail would be
    refused. A memory of a birthday (3.3) names its person, by id and by name, in `data`. That is left as it
    is: the memory stays with its owner, who keeps the person while a photo for it stays. Of one person with
    two accounts a memory goes along whose photos all do.
    """
    moved = change(tx, "memory", ("ownerId",), f"""
        SELECT DISTINCT o.id, %(taker)s::uuid AS "ownerId" {held_by_others("memory")}
          AND o."ownerId" = %(giver)s AND %(same_person)s AND NOT EXISTS (
            SELECT FROM v_memory_asset other JOIN v_asset a ON a.id = other."assetId"
            WHERE other."memoriesId" = o.id AND a."ownerId" <> %(taker)s)
    """)
    run(tx, f"""
        CREATE TEMP TABLE memory_losing ON COMMIT DROP AS
        SELECT h."memoriesId", h."assetId" {held_by_others("memory")}
    """)
    remove(tx, "memory_asset", 'SELECT "memoriesId", "assetId" FROM memory_losing')
    remove(tx, "memory", """
        SELECT DISTINCT l."memoriesId" AS id FROM memory_losing l
        WHERE NOT EXISTS (SELECT FROM v_memory_asset ma WHERE ma."memoriesId" = l."memoriesId")
    """)
    losing = one_value(tx, 'SELECT count(DISTINCT "memoriesId") FROM memory_losing')
    return report.plus(memories=losing, memories_moved=moved)


MEMORY_RULE = held(_memories := ("memory_asset", "memoriesId", "memory", "ownerId"))
MEMORIES = Thing(
    "memory",
    tables="""
        memory        id ownerId>user
        memory_asset  memoriesId>memory assetId>asset
        ?:memory_asset_audit  memoryId>memory
    """,
    words="Memories",
    step=step_memories,
    holds=_memories,
    rules={"memory": MEMORY_RULE},
    faults={
        "memory": Point(
            MENDED, ("photo in another user's memory", "photos in other users' memories"),
            faulty(MEMORY_RULE, *_A_PHOTO, "o.id", _ITS_NAME, _shared_by_partner('o."ownerId"')),
            todo="The photo leaves that memory; a memory that is left empty goes.",
            harm="The other user's memory shows it as an empty place, and the sync of older phones stops "
                "there.",
        ),
    },
    ties={
        **held_ties("memory", MEMORY_RULE, "ownerId", "in a memory", "in memories"),
    },
    photo={"memory_asset": "(p.key ->> 'assetId')::uuid"},
    # one that went along comes back with all of its photos
    since={"memory": """
        b.kind = 'removed' OR NOT EXISTS (
            SELECT FROM v_memory_asset h JOIN v_asset a ON a.id = h."assetId"
            WHERE h."memoriesId" = r.id AND a."ownerId" <> %(taker)s)
    """},
    lines="""
        also     memories_moved  {n} [memory goes|memories go] along
        also     memories        {n} [memory loses|memories lose] photos, or [goes|go] if empty
        fixed    memories        Memories
        lost     lost_memory     {n} [memory does|memories do] not get all photos back
    """,
)


# ---- albums ------------------------------------------------------------------------------------------------


# What a photo `b` must be to stand in an album for another of the same file: whoever sees the album sees it.
STANDS_IN = """b."libraryId" IS NULL AND NOT b."isExternal"
            AND b."deletedAt" IS NULL AND b.status = 'active' AND b.visibility IN ('timeline', 'archive')"""


def liked_already(photo: str) -> str:
    """SQL: `c` is a like whose writer likes that photo in that album besides."""
    return f"""(c."isLiked" AND EXISTS (
            SELECT FROM v_activity o WHERE o."albumId" = c."albumId" AND o."assetId" = {photo}
              AND o."userId" = c."userId" AND o."isLiked"))"""


def choose_copies(tx: Transaction) -> None:
    """album_copy: of a photo that stays because the destination has it already, the destination's own in the
    album.

    Else the photo would vanish from the album with the old account. For albums that are handed over; where
    everything goes, for every album that the destination sees. Copies in the locked folder are not shown to
    others.
    """
    run(tx, """
        INSERT INTO album_copy
        SELECT DISTINCT aa."albumId", b.id
        FROM staying_photo l
        JOIN v_album_asset aa ON aa."assetId" = l.id
        JOIN v_asset a ON a.id = l.id AND a."deletedAt" IS NULL
        JOIN v_asset b ON b."ownerId" = %(taker)s AND b.checksum = a.checksum AND b."libraryId" IS NULL
        WHERE l.reason = 'duplicate' AND b."deletedAt" IS NULL AND b.visibility IN ('timeline', 'archive')
          AND NOT EXISTS (SELECT FROM v_album_asset t WHERE t."albumId" = aa."albumId" AND t."assetId" = b.id)
          AND (
            EXISTS (SELECT FROM changing_album c WHERE c.id = aa."albumId" AND c.owner = %(taker)s)
            OR (%(everything)s AND (
                EXISTS (SELECT FROM v_album_user u WHERE u."albumId" = aa."albumId"
                    AND u."userId" = %(taker)s)
                OR EXISTS (
                    SELECT FROM v_album_owner o WHERE o."albumId" = aa."albumId"
                        AND o."userId" = %(taker)s))))
    """)


def step_albums(tx: Transaction, report: Report) -> Report:
    """The albums themselves: shared with the destination, or handed over; a source that gives one up is not a
    member.

    A link to the album follows it: what is uploaded through it becomes the photos of shared_link.userId.
    """
    report = mend_albums(tx, report)
    itself = tx.values["album_itself"]
    if itself == ALBUM_STAYS:
        return report
    names = rows(tx, """
        SELECT al."albumName" FROM v_album al JOIN changing_album USING (id)
        WHERE NOT (%(shared)s AND EXISTS (
            SELECT FROM v_album_user u
            WHERE u."albumId" = al.id AND u."userId" = %(taker)s AND u.role = 'editor'))
        ORDER BY lower(al."albumName"), 1, al.id
    """, shared=itself == ALBUM_SHARED)
    if itself == ALBUM_SHARED:
        change(tx, "album_user", ("role",), """
            -- of the column's own type, which is text up to 2.7 and an enumeration from 3.0 on
            SELECT u."albumId", u."userId", CASE WHEN u.role = 'owner' THEN u.role ELSE 'editor' END AS role
            FROM v_album_user u JOIN changing_album h ON h.id = u."albumId"
            WHERE u."userId" = %(taker)s AND u.role = 'viewer'
        """)
        add(tx, "album_user", ("albumId", "userId", "role"),
            "SELECT id, %(taker)s::uuid, 'editor' FROM changing_album")
    else:
        hand_over_albums(tx, stays_member=itself == ALBUM_HANDED_OVER)
        change(tx, "shared_link", ("userId",), """
            SELECT l.id, %(taker)s::uuid AS "userId" FROM v_shared_link l
            JOIN changing_album c ON c.id = l."albumId" WHERE l."userId" = %(giver)s
        """)
        # what was left behind when Immich itself gave the album its owner (3.0)
        left = change(tx, "shared_link", ("userId",), """
            SELECT l.id, %(taker)s::uuid AS "userId" FROM v_shared_link l
            JOIN v_album_owner o ON o."albumId" = l."albumId" AND o."userId" = %(taker)s
            WHERE l."userId" = %(giver)s AND %(everything)s
        """)
        report = report.plus(links_moved=report.of("links_moved") + left)
        report = put_copies_into_albums(tx, report)
    return report.plus(albums_changed=tuple(name for (name,) in names))


def mend_albums(tx: Transaction, report: Report) -> Report:
    """In a repair: an album without an owner (3.0, where the owner is a member's row) becomes this member's.
    A cover that is not in its album becomes the newest photo of the album, as Immich chooses it when it looks
    (album.repository: updateThumbnails, all versions).
    """
    owned = change(tx, "album_user", ("role",), """
        SELECT thing AS "albumId", owner AS "userId", 'owner'::album_user_role_enum AS role FROM to_mend
        WHERE kind = 'album owner'
    """) if tx.schema.album_owner_rows else 0
    covers = change(tx, "album", ("albumThumbnailAssetId",), """
        SELECT f.thing AS id, (
            SELECT a.id FROM v_album_asset aa JOIN v_asset a ON a.id = aa."assetId"
            WHERE aa."albumId" = f.thing AND a."deletedAt" IS NULL
            ORDER BY a."fileCreatedAt" DESC, a.id LIMIT 1) AS "albumThumbnailAssetId"
        FROM to_mend f WHERE f.kind = 'cover'
    """)
    return report.plus(albums_owned=owned, covers_mended=covers)


def hand_over_albums(tx: Transaction, *, stays_member: bool) -> None:
    """From source to destination: every album in changing_album; `stays_member`: the source remains as an
    editor.

    An owner is not a member besides (2.x), or is so once (3.x). The destination's row goes before the owner
    changes: a deletion of it that is under way elsewhere, because its user leaves the album, must not hit the
    new owner's row, which would take the album along (trigger album_user_delete, 3.2).
    """
    remove(tx, "album_user", """
        SELECT u."albumId", u."userId" FROM v_album_user u JOIN changing_album c ON c.id = u."albumId"
        WHERE u."userId" = %(taker)s
    """)
    if tx.schema.album_owner_rows:
        demote_owners(tx)
        add(tx, "album_user", ("albumId", "userId", "role"),
            "SELECT id, %(taker)s::uuid, 'owner' FROM changing_album")
    else:
        change(tx, "album", ("ownerId",), 'SELECT id, %(taker)s::uuid AS "ownerId" FROM changing_album')
    if stays_member:
        add(tx, "album_user", ("albumId", "userId", "role"),
            "SELECT id, %(giver)s::uuid, 'editor' FROM changing_album")
    else:
        remove(tx, "album_user", """
            SELECT u."albumId", u."userId" FROM v_album_user u JOIN changing_album c ON c.id = u."albumId"
            WHERE u."userId" = %(giver)s
        """)


def demote_owners(tx: Transaction) -> None:
    """From 3.0: the owner of each album in changing_album, if it is that user, becomes an editor.

    Before the next owner comes: two at a time are forbidden (album_user_unique_owner). By an UPDATE: an album
    whose owner's row is deleted while there is no other goes with it (trigger album_user_delete, 3.2).
    """
    change(tx, "album_user", ("role",), """
        SELECT u."albumId", u."userId", 'editor'::album_user_role_enum AS role
        FROM v_album_user u JOIN changing_album c ON c.id = u."albumId"
        WHERE u.role = 'owner' AND u."userId" = %(giver)s
    """)


def put_copies_into_albums(tx: Transaction, report: Report) -> Report:
    """The destination's own copies join the albums (see choose_copies); a cover that stays behind becomes its
    copy, and what others wrote about a photo that stays moves to its copy.

    A comment or like goes with its photo, and so with the account of its owner (activity.assetId cascades).
    The row stays the same row, with writer and date; of two likes of one user one stays.
    """
    changed = """
        SELECT id FROM changing_album
        UNION SELECT "albumId" FROM album_copy
        UNION SELECT "albumId" FROM v_album_owner WHERE %(everything)s AND "userId" = %(taker)s
    """
    copies = add(tx, "album_asset", ("albumId", "assetId"), 'SELECT "albumId", "assetId" FROM album_copy')
    covers = change(tx, "album", ("albumThumbnailAssetId",), f"""
        SELECT al.id, b.id AS "albumThumbnailAssetId"
        FROM v_album al JOIN ({changed}) changed USING (id)
        JOIN v_asset a ON a.id = al."albumThumbnailAssetId" AND a."ownerId" = %(giver)s
        JOIN v_asset b ON b."ownerId" = %(taker)s AND b.checksum = a.checksum AND {STANDS_IN}
        JOIN v_album_asset aa ON aa."albumId" = al.id AND aa."assetId" = b.id
    """)
    comments = change(tx, "activity", ("assetId",), f"""
        SELECT c.id, b.id AS "assetId"
        FROM staying_photo s JOIN v_asset a USING (id) JOIN v_activity c ON c."assetId" = a.id
        JOIN v_asset b ON b."ownerId" = %(taker)s AND b.checksum = a.checksum AND {STANDS_IN}
        JOIN v_album_asset also ON also."albumId" = c."albumId" AND also."assetId" = b.id
        WHERE (%(everything)s OR c."albumId" IN ({changed}))
          AND s.reason = 'duplicate' AND (c."userId" <> %(giver)s OR %(same_person)s)
          AND NOT {liked_already("b.id")}
    """)
    return report.plus(album_copies=copies, covers_copied=covers, comments_moved=comments)


OWNER_RULE = Rule(
    "v_album c",
    '1 <> (SELECT count(*) FROM v_album_owner o WHERE o."albumId" = c.id)',
    key="c.id::text",
    touched=(("JOIN concerned_album k ON k.id = c.id", "true"),),
)
# an app whose user does not get the photo stops its sync there
COVER_RULE = Rule(
    "v_album al",
    """al."albumThumbnailAssetId" IS NOT NULL AND NOT EXISTS (
        SELECT FROM v_album_asset aa
        WHERE aa."albumId" = al.id AND aa."assetId" = al."albumThumbnailAssetId")
    """,
    key="""concat_ws(' ', al.id, al."albumThumbnailAssetId")""",
    touched=(("JOIN concerned_album k ON k.id = al.id", "true"),),
)
ALBUMS = Thing(
    "album",
    tables="""
        album        id albumName createdAt deletedAt albumThumbnailAssetId>asset
        album_asset  albumId>album assetId>asset
        album_user   albumId>album userId>user role
        activity     id albumId>album assetId>asset userId>user comment isLiked createdAt
        ?:album              ownerId>user
        ?:album_asset_audit  albumId>album
    """,
    words="Albums",
    step=step_albums,
    rules={
        "album owner": OWNER_RULE,
        "cover": COVER_RULE,
    },
    faults={
        "cover": Point(
            MENDED, ("album whose cover is not in it", "albums whose covers are not in them"),
            f"""
            SELECT o."userId", NULL, al.id, al."albumName"
            FROM {COVER_RULE.rows} JOIN v_album_owner o ON o."albumId" = al.id WHERE {COVER_RULE.broken}
            """,
            todo="The newest photo of the album.",
            harm="The cover is missing, and the sync of older phones stops there.",
        ),
        "album owner": Point(
            # One without members is seen by nobody. Two owners album_user_unique_owner forbids.
            MENDED, ("album without an owner", "albums without an owner"),
            f"""
            SELECT DISTINCT ON (c.id) m."userId", NULL, c.id, al."albumName"
            FROM {OWNER_RULE.rows} JOIN v_album al USING (id) JOIN v_album_user m ON m."albumId" = c.id
            WHERE {OWNER_RULE.broken} ORDER BY c.id, m.role <> 'editor', m."createId"
            """,
            todo="This member becomes its owner: the first who could edit it.",
            harm="Nobody can change it as its owner, nor end it.",
        ),
    },
    ties={
        # Immich deletes the albums that the user owns, whoever sees them, filled them or wrote in them
        "album_others": Point(
            BREAKS, ("album that others see, fill or wrote in", "albums that others see, fill or wrote in"),
            """
            SELECT al."albumName" FROM v_album al JOIN doomed_album d USING (id)
            WHERE EXISTS (SELECT FROM v_album_user m WHERE m."albumId" = al.id AND m."userId" <> %(user)s)
               OR EXISTS (SELECT FROM v_activity c WHERE c."albumId" = al.id AND c."userId" <> %(user)s)
               OR EXISTS (SELECT FROM v_shared_link l WHERE l."albumId" = al.id AND l."userId" <> %(user)s)
               OR EXISTS (
                    SELECT FROM v_album_asset aa JOIN v_asset a ON a.id = aa."assetId"
                    WHERE aa."albumId" = al.id AND a."ownerId" <> %(user)s)
            """,
            todo="Or that album alone.",
            way=EVERYTHING,
        ),
        # album_asset goes with the photo. Trashed and locked photos are not shown in an album.
        "album_photo": Point(
            BREAKS, ("photo in an album of another user", "photos in albums of others"),
            """
            SELECT d.name || ' in ' || al."albumName"
            FROM v_album_asset aa JOIN doomed_asset d ON d.id = aa."assetId"
            JOIN v_album al ON al.id = aa."albumId"
            WHERE d.shown AND al.id NOT IN (SELECT id FROM doomed_album)
              AND NOT EXISTS (SELECT FROM stand_in s WHERE s."albumId" = al.id AND s.old = d.id)
            """,
            todo="Where another user has the same file, let them put theirs into the album.",
            way=EVERYTHING,
        ),
        # activity goes with its photo, and with the photo's row in the album
        "comment": Point(
            BREAKS,
            ("comment or like of another user on its photos", "comments and likes of others on its photos"),
            f"""
            SELECT coalesce(c.comment, '') FROM v_activity c JOIN doomed_asset d ON d.id = c."assetId"
            WHERE c."userId" <> %(user)s AND c."albumId" NOT IN (SELECT id FROM doomed_album)
              AND NOT EXISTS (
                SELECT FROM stand_in s WHERE s."albumId" = c."albumId" AND s.old = d.id
                    AND {liked_already("s.new")})
            """,
            todo="If another user has the same file, to that user: they move to it with the album.",
            way=EVERYTHING,
        ),
        "album": Point(
            LOST_WITH_IT, ("album", "albums"),
            """
            SELECT al."albumName" FROM v_album al JOIN doomed_album d USING (id)
            WHERE EXISTS (SELECT FROM v_album_asset aa WHERE aa."albumId" = al.id)
            """,
            way=EVERYTHING,
        ),
        "own_comment": Point(
            GOES_ALONG,
            (
                "comment or like that it made in an album of another user",
                "comments and likes that it made in albums of others",
            ),
            """
            SELECT coalesce(c.comment, '') FROM v_activity c
            WHERE c."userId" = %(user)s AND c."albumId" NOT IN (SELECT id FROM doomed_album)
            """,
        ),
    },
    written={
        # a row of theirs that a trigger wrote for us is no write of anybody's: Immich's stamp albums that get
        # a member or a photo
        "album": """
            SELECT id::text FROM v_album
            WHERE id IN (SELECT id FROM concerned_album)
              AND id NOT IN (SELECT id FROM changing_album UNION SELECT "albumId" FROM album_copy)
              AND id::text NOT IN (SELECT key ->> 'albumId' FROM journal WHERE "table" = 'album_user')
              AND NOT EXISTS (SELECT FROM journal_id j WHERE j."table" = 'album' AND j.id = v_album.id)
              AND "writtenBy" = pg_current_xact_id()::xid
        """,
        "album member": """
            SELECT key::text FROM journal WHERE "table" = 'album_user' AND (
                (NOT %(one_person)s AND (key ->> 'albumId')::uuid NOT IN (SELECT id FROM changing_album))
                OR key ->> 'userId' NOT IN (%(giver)s, %(taker)s))
        """,
        "changing album": """
            SELECT concat_ws(' ', c.id, o."userId", s.role, d.role)
            FROM changing_album c
            LEFT JOIN v_album_owner o ON o."albumId" = c.id
            LEFT JOIN v_album_user s ON s."albumId" = c.id AND s."userId" = %(giver)s AND s.role <> 'owner'
            LEFT JOIN v_album_user d ON d."albumId" = c.id AND d."userId" = %(taker)s AND d.role <> 'owner'
            WHERE o."userId" IS DISTINCT FROM c.owner
               OR s.role::text IS DISTINCT FROM c.source_role
               OR d.role::text IS DISTINCT FROM c.destination_role
        """,
        "album photo": """
            SELECT key::text FROM journal WHERE "table" = 'album_asset' AND NOT EXISTS (
                SELECT FROM album_copy c
                WHERE c."albumId" = (key ->> 'albumId')::uuid AND c."assetId" = (key ->> 'assetId')::uuid)
        """,
        # at most to another photo of the same file, or to the other account of one person
        "comment or like": """
            SELECT j.id::text FROM journal_id j
            WHERE j."table" = 'activity' AND j.kind = 'changed' AND NOT CASE
                WHEN j.after ? 'userId' THEN %(one_person)s
                    AND (j.before ->> 'userId', j.after ->> 'userId') = (%(giver)s, %(taker)s)
                ELSE EXISTS (
                    SELECT FROM v_asset o JOIN v_asset n USING (checksum)
                    WHERE o.id = (j.before ->> 'assetId')::uuid AND n.id = (j.after ->> 'assetId')::uuid)
            END
        """,
    },
    since={
        # one that was handed over is its former owner's again
        "album": """
            r.id IN (SELECT id FROM changing_album) OR r.id NOT IN (SELECT id FROM handed_over)
        """,
        # or one of others in which the other account is by now
        "album_user": """
            r."albumId" IN (SELECT id FROM changing_album)
            OR (%(one_person)s AND r."albumId" NOT IN (SELECT id FROM handed_over) AND EXISTS (
                SELECT FROM v_album_user m WHERE m."albumId" = r."albumId" AND m."userId" = %(giver)s
                UNION ALL
                SELECT FROM v_album_owner o WHERE o."albumId" = r."albumId" AND o."userId" = %(giver)s))
        """,
        # its photo is in the album, the same user has not liked that again, and the other account has not
        # taken its own like back
        "activity": """
            (r."assetId" IS NULL OR EXISTS (
                SELECT FROM v_album_asset aa WHERE aa."albumId" = r."albumId" AND aa."assetId" = r."assetId"))
            AND (b.kind = 'changed' OR EXISTS (
                SELECT FROM v_activity o WHERE o."albumId" = r."albumId" AND o."isLiked"
                  AND o."assetId" IS NOT DISTINCT FROM r."assetId" AND o."userId" = %(giver)s))
            AND NOT (r."isLiked" AND EXISTS (
                SELECT FROM v_activity o WHERE o."albumId" = r."albumId" AND o."assetId" = r."assetId"
                  AND o."userId" = r."userId" AND o."isLiked"))
        """,
    },
    lines="""
        handed   albums_changed  {n} [album is|albums are] handed over to {taker}, or shared with {taker}
        done     albums_changed  Albums
        also     covers          The [cover of {n} album moves|covers of {n} albums move] to {taker}; the \
                                 [album keeps it|albums keep them]
        also     covers_copied   {n} [album gets|albums get] {taker}'s own copy of the cover
        also     album_copies    {n} [photo|photos] that {taker} has already [joins|join] the album beside \
                                 [the one that stays|those that stay]
        also     comments_moved  {n} [comment or like|comments and likes] of others [goes|go] from a photo \
                                 that stays to the one beside it
        fixed    albums_owned    Albums that had no owner
        fixed    covers_mended   Covers of albums
        undo     comments_back   Comments and likes moved back
        undo     albums_back     Albums given back
        undo     albums_shared   Albums shared as before
        kept     copies_kept     {n} [photo put into an album|photos put into albums] by the run:
        lost     lost_album      {n} [album stays as it is|albums stay as they are]
        lost     lost_member     {n} album [membership is|memberships are] not as before
        warning  albums_unseen   {taker} does not see [album|albums] {names}: share [it|them], or hand \
                                 [it|them] over.
        warning  albums_public   [A public link shows|Public links show] these photos, in [album|albums] \
                                 {names}.
    """,
)


# ---- one person, two accounts ------------------------------------------------------------------------------
#
# Somebody has two accounts, or two people keep one, and one of the accounts is given up. Asked for with
# everything: what the giver was to other users becomes the taker's besides. Not devices, keys, settings and
# the profile's picture. What the giver made of its photos (albums, links, favourites) goes along anyway.


def step_account(tx: Transaction, report: Report) -> Report:
    """Memberships, partners, what was said, and people that others share."""
    if not tx.values["same_person"]:
        return report
    report = report.plus(memberships=join_albums(tx), partners=join_partners(tx), said=speak_as_one(tx))
    apart = rows(tx, f"""
        SELECT h.name, u.name FROM ({SHARES_RECEIVED}) s JOIN v_user u ON u.id = s."sharedById"
        LEFT JOIN v_person h ON h."ownerId" = %(giver)s AND h."personGroupId" = s."personGroupId"
        WHERE NOT same_cluster ORDER BY h.name, u.name
    """)
    return report.plus(shares_joined=see_shared_people(tx), shares_apart=tuple(apart))


def join_albums(tx: Transaction) -> int:
    """The memberships in albums of others: the stronger role where both are members. How many."""
    change(tx, "album_user", ("role",), """
        SELECT t."albumId", t."userId", g.role FROM v_album_user t JOIN v_album_user g USING ("albumId")
        WHERE t."userId" = %(taker)s AND t.role = 'viewer' AND g."userId" = %(giver)s AND g.role = 'editor'
    """)
    add(tx, "album_user", ("albumId", "userId", "role"), """
        SELECT g."albumId", %(taker)s::uuid, g.role FROM v_album_user g
        WHERE g."userId" = %(giver)s AND g.role <> 'owner' AND NOT EXISTS (
            SELECT FROM v_album_owner o WHERE o."albumId" = g."albumId" AND o."userId" = %(taker)s)
    """)
    return remove(tx, "album_user", """
        SELECT "albumId", "userId" FROM v_album_user WHERE "userId" = %(giver)s AND role <> 'owner'
    """)


# Whom the giver shares everything with, and who shares it with the giver; not the taker.
_PARTNERS = """
    FROM v_partner p
    WHERE %(giver)s IN (p."sharedById", p."sharedWithId")
      AND %(taker)s NOT IN (p."sharedById", p."sharedWithId")
"""


def _as_the_other(user: str, one: str, other: str) -> str:
    """SQL: this user, or the second in the place of the first."""
    return f"CASE {user} WHEN %({one})s THEN %({other})s::uuid ELSE {user} END"


def join_partners(tx: Transaction) -> int:
    """The giver's partners are the taker's, each once. How many."""
    pair = [_as_the_other(f'p."{column}"', "giver", "taker") for column in ("sharedById", "sharedWithId")]
    add(tx, "partner", ("sharedById", "sharedWithId", "inTimeline"),
        f'SELECT {", ".join(pair)}, p."inTimeline" {_PARTNERS}')
    return remove(tx, "partner", f'SELECT p."sharedById", p."sharedWithId" {_PARTNERS}')


def speak_as_one(tx: Transaction) -> int:
    """Comments and likes of the giver's; of two likes of one thing one stays. How many."""
    twice = remove(tx, "activity", """
        SELECT c.id FROM v_activity c JOIN v_activity t ON t."albumId" = c."albumId" AND t."isLiked"
            AND t."assetId" IS NOT DISTINCT FROM c."assetId" AND t."userId" = %(taker)s
        WHERE c."userId" = %(giver)s AND c."isLiked"
    """)
    return twice + change(tx, "activity", ("userId",), """
        SELECT id, %(taker)s::uuid AS "userId" FROM v_activity WHERE "userId" = %(giver)s
    """)


def see_shared_people(tx: Transaction) -> int:
    """Whom others share with the giver (3.3) the taker sees as well, as the giver has named them. How many.

    Only inside one cluster group: a share and both rows of the person lie in one (person_user's keys).
    """
    # the row first: Immich's trigger would make one that no undo knows (person_user_after_insert)
    add(tx, "person", ("ownerId", "personGroupId", "name", "birthDate", "isHidden", "thumbnailPath"), f"""
        SELECT DISTINCT %(taker)s::uuid, h."personGroupId", h.name, h."birthDate", h."isHidden", ''
        FROM v_person h JOIN ({SHARES_RECEIVED}) s USING ("personGroupId")
        WHERE h."ownerId" = %(giver)s AND s.same_cluster
    """)
    return add(tx, "person_user", ("personGroupId", "sharedById", "sharedWithId", "role"), f"""
        SELECT "personGroupId", "sharedById", %(taker)s::uuid, role FROM ({SHARES_RECEIVED}) s
        WHERE same_cluster
    """)


SHARES_RECEIVED = """
    SELECT s.*, g."clusterGroupId" = u."clusterGroupId" AS same_cluster
    FROM v_person_user s JOIN v_person_group g ON g.id = s."personGroupId" JOIN v_user u ON u.id = %(taker)s
    WHERE s."sharedWithId" = %(giver)s AND s."sharedById" <> %(taker)s
"""

def is_joined(row: str, one: str, other: str) -> str:
    """SQL: the second user is the partner now that the first is by this row."""
    by, to = (_as_the_other(f'{row}."{column}"', one, other) for column in ("sharedById", "sharedWithId"))
    return f'EXISTS (SELECT FROM v_partner p WHERE p."sharedById" = {by} AND p."sharedWithId" = {to})'


ACCOUNTS = Thing(
    "account",
    tables="partner  sharedById>user sharedWithId>user inTimeline",
    words="Memberships, partners, comments",
    step=step_account,
    # the other account has that partner still
    since={"partner": is_joined("r", "taker", "giver")},
    lines="""
        also     memberships    {n} [membership|memberships] in albums of others [is|are] {taker}'s
        also     partners       {n} [partner is|partners are] {taker}'s
        also     said           {n} of {giver}'s comments and likes [is|are] {taker}'s
        also     shares_joined  {n} [person|people] shared with {giver} [is|are] shared with {taker}, too
        undo     account_back   Memberships, partners and comments given back
        warning  shares_apart   {taker} will not see {names}: they recognise people apart.
    """,
)


# ---- storage figures and phones: last, since Immich writes those rows all the time -------------------------


def write_users(tx: Transaction, report: Report) -> Report:
    """The photos' share of the storage figures, in a repair a figure that is wrong; and every app concerned
    fetches everything anew.
    """
    storage: tuple[Storage, ...] = ()
    if tx.values["giver"]:
        storage = move_storage(tx)
    elif one_value(tx, "SELECT count(*) FROM to_mend WHERE kind = 'storage'"):
        storage = count_storage(tx)
    reset_apps(tx)
    return replace(report, storage=storage)


# What Immich counts (user.repository: syncUsage): photos of all states, trash included, but of no library.
_COUNTED = """v_asset a JOIN v_asset_exif e ON e."assetId" = a.id AND a."libraryId" IS NULL"""
_FIGURE = f"""(
            SELECT coalesce(sum(e."fileSizeInByte"), 0) FROM {_COUNTED} WHERE a."ownerId" = u.id)"""


def move_storage(tx: Transaction) -> tuple[Storage, ...]:
    """The difference that the photos make. Immich adds each upload to quotaUsageInBytes some time after the
    photo is there (asset-media.service): a sum over all photos would count it twice. A figure from which more
    is taken than it says was wrong, and is counted anew.
    """
    return write_storage(tx, f"""
        SELECT u.id, CASE WHEN moved.figure >= 0 THEN moved.figure ELSE {_FIGURE} END AS "quotaUsageInBytes"
        FROM v_user u CROSS JOIN LATERAL (
            SELECT u."quotaUsageInBytes" + coalesce(sum(e."fileSizeInByte"), 0)
                * CASE WHEN u.id = %(taker)s THEN 1 ELSE -1 END AS figure
            FROM run_photo m JOIN {_COUNTED} ON a.id = m.id) moved
    """)


def count_storage(tx: Transaction) -> tuple[Storage, ...]:
    """The figure counted anew, for a user for whom it is wrong."""
    return write_storage(tx, f'SELECT u.id, {_FIGURE} AS "quotaUsageInBytes" FROM v_user u')


def write_storage(tx: Transaction, figures: str) -> tuple[Storage, ...]:
    """Set the storage figures of the two users to those of a query by user; what was and is then."""
    # before it is read: Immich adds to it at any time
    lock(tx, "SELECT id FROM v_user WHERE id IN (%(giver)s, %(taker)s) ORDER BY id FOR NO KEY UPDATE")
    pair = "SELECT * FROM v_user WHERE id IN (%(giver)s, %(taker)s) ORDER BY id IS DISTINCT FROM %(giver)s"
    before = rows(tx, f'SELECT email, "quotaUsageInBytes", "quotaSizeInBytes" FROM ({pair}) two')
    change(tx, "user", ("quotaUsageInBytes",), f"""
        SELECT id, "quotaUsageInBytes" FROM ({figures} WHERE u.id IN (%(giver)s, %(taker)s)) figure
    """)
    # asked once more, at the very end
    require_active_users(tx)
    return tuple(
        Storage(email, int(usage), int(now), quota)
        for (email, usage, quota), (now,) in zip(
            before, rows(tx, f'SELECT "quotaUsageInBytes" FROM ({pair}) two'), strict=True
        )
    )


STORAGE = Thing(
    "storage",
    tables="""
        user        id email name isAdmin deletedAt status storageLabel quotaSizeInBytes quotaUsageInBytes
        asset_exif  assetId>asset fileSizeInByte
    """,
    faults={
        "storage": Point(
            MENDED, ("storage figure that is wrong", "storage figures that are wrong"),
            f"""
            SELECT u.id, NULL, NULL, u.email FROM v_user u
            WHERE u."deletedAt" IS NULL AND u."quotaUsageInBytes" <> {_FIGURE}
            """,
            todo="Counted anew, as Immich does it.",
            harm="Uploads may be refused too early or too late. Immich counts anew every night.",
        ),
    },
    computed=("user",),
)


def reset_apps(tx: Transaction) -> None:
    """Immich's own sync reset, for both users, their partners and cluster groups, whose people changed, and
    members of albums concerned.

    The next sync of such an app starts over from nothing. Audit rows by hand would make an Android phone of
    the former owner move the local photos to its trash, and a partner's phone delete what it has just
    received.
    """
    change(tx, "session", ("isPendingSyncReset",), """
        WITH pair AS (
            SELECT unnest(ARRAY[%(giver)s, %(taker)s]::uuid[]) AS id
            UNION SELECT holder FROM people WHERE action <> 'KEEP'
            UNION SELECT (key ->> 'ownerId')::uuid FROM journal WHERE "table" = 'person'
                AND kind NOT IN ('seen', 'wrong')
            -- whose things hung on these photos: before a repair, or again after its undo
            UNION SELECT owner FROM trouble_before WHERE %(giver)s::uuid IS NULL
            UNION SELECT owner FROM exempt WHERE %(giver)s::uuid IS NULL
        ), concerned AS (
            SELECT id FROM pair
            -- from 3.2 the faces on a photo go to all who recognise people together with its owner
            UNION SELECT m.id FROM v_user m JOIN v_user u ON u."clusterGroupId" = m."clusterGroupId"
                WHERE u.id IN (SELECT id FROM pair)
            UNION SELECT "sharedById" FROM v_partner WHERE "sharedWithId" IN (SELECT id FROM pair)
            UNION SELECT "sharedWithId" FROM v_partner WHERE "sharedById" IN (SELECT id FROM pair)
            UNION SELECT "userId" FROM v_album_owner WHERE "albumId" IN (SELECT id FROM concerned_album)
            UNION SELECT "userId" FROM v_album_user WHERE "albumId" IN (SELECT id FROM concerned_album)
        )
        SELECT s.id, true AS "isPendingSyncReset" FROM v_session s
        WHERE s."userId" IN (SELECT id FROM concerned)
    """)


PHONES = Thing(
    "phone",
    tables="""
        session  id userId>user isPendingSyncReset
        api_key  id userId>user
        ?:notification,user_metadata  userId>user
        ?:workflow                    ownerId>user
    """,
    computed=("session",),
)


# ---- all of them, and what follows from their data ---------------------------------------------------------


THINGS = (
    *(PHOTOS, LIBRARIES, LIVE_PHOTOS, STACKS, LINKS, PEOPLE, TAGS, DUPLICATES, MEMORIES, ALBUMS),
    *(ACCOUNTS, STORAGE, PHONES),
)

STEPS = tuple((thing.words, thing.step) for thing in THINGS if thing.step)
RULES = {kind: rule for thing in THINGS for kind, rule in thing.rules.items()}
# What of the rules a run may have broken: each query yields the key and owner of one violation.
CHECKS = {
    kind: " UNION ALL ".join(breaches(kind, *part) for part in rule.touched)
    for kind, rule in RULES.items()
    if rule.touched
}
# In the order in which they are told: what loses photos first.
FAULTS = {kind: fault for thing in THINGS for kind, fault in thing.faults.items()}
TIES = {kind: tie for thing in THINGS for kind, tie in thing.ties.items()}
HOLDERS = {thing.name: thing.holds for thing in THINGS if thing.holds}


def tables_of(thing: Thing) -> list[str]:
    """The tables that a thing is kept in."""
    return re.findall(r"^ *(?:\w+:)?(\w+) ", thing.tables, re.MULTILINE)


def _read_tables() -> tuple[dict[str, dict[str, tuple[str, ...]]], dict[str, set[str]]]:
    """The columns that the things need, by table and by the table that marks the Immich that has them; and
    what the known foreign keys come from, by where they lead.
    """
    needed: dict[str, dict[str, tuple[str, ...]]] = {}
    links: dict[str, set[str]] = {}
    for line in "\n".join(thing.tables.replace("\\\n", "") for thing in THINGS).splitlines():
        name, *columns = line.split() or [""]
        mark, _, tables = name.rpartition(":")
        for table, (column, *targets) in itertools.product(
            tables.split(","), (word.split(">") for word in columns)
        ):
            so_far = needed.setdefault(mark, {}).get(table, ())
            if column not in so_far and "." not in column:
                needed[mark][table] = (*so_far, column)
            for target in targets:
                links.setdefault(target, set()).add(f"{table}.{column}")
    return needed, links


# Every table and column that a statement needs, in newest names; what is needed besides where a newer Immich
# has a table; and every foreign key of stock Immich 2.0 to 3.3 that points at what is handed over: for each
# table the columns, as table.column (two columns: table.column.column). What is not there links to photos or
# people in a way that this tool does not know, and is named at the start.
_NEEDED, KNOWN_LINKS = _read_tables()
NEEDED_COLUMNS = _NEEDED[""]
NEEDED_IN_NEWER = {mark: tables for mark, tables in _NEEDED.items() if mark not in ("", "?")}
OTHER_COLUMNS = {column: other for thing in THINGS for column, other in thing.other.items()}


# ============================================================================================================
# 7  TRANSFER: choose photos, the plan, the steps, the checks, the report
#
#    Request -> run_photo, staying_photo (photos) -> people (decisions) -> the steps -> the checks -> Report
#
#    All of it is SQL over temporary tables. %(giver)s and %(taker)s are the two users throughout: in a
#    transfer source and destination, in an undo the other way round; a repair has no giver.
#
#    Most of the temporary tables are made, with what they are for, by create_tables(). Others:
#      chosen            photos in the selection                                              choose_selection
#      candidate         those, and who comes along; verdict: with the reason to stay         choose_photos
#      run_photo         the photos of this run: they change hands, or their people do        follow_verdicts
#      staying_photo     photos that stay, with the reason                                    follow_verdicts
#      run_face          the faces on those photos, before the steps                          find_faces
#      people            a row for each person concerned, with what becomes of it             decide_people
#      neighbour         photos that may be written although they do not move                 find_neighbours
#      trouble_before    what is wrong before the steps; written_before: rows written by then take_stock
#      journal           what is written (part 4); target: the rows of one change() or remove()
# ============================================================================================================


def transfer(database_config: Mapping[str, Any], request: Request, how: How = HOW) -> Report:
    """Move the photos of `request`. Raises TransferError; nothing is changed then."""

    def work(tx: Transaction) -> Report:
        tx.progress("Choosing photos")
        plan_transfer(tx)
        tx.progress("Counting what is there")
        find_neighbours(tx)
        take_stock(tx)
        report = plan_report(tx)
        require_digest(report.digest, how)
        if how.listed:
            how.listed(take_inventory(tx))
        return take_steps(tx, report)

    save = journal_writer(how.undo_folder, "transfer")
    return perform(database_config, work, transfer_values(request), how, save, look_again)


def take_steps(tx: Transaction, report: Report) -> Report:
    """Record what an undo must know of rows that are not written, and what is wrong already; then the steps
    one after the other, the checks, and what Immich writes all the time.
    """
    for thing in THINGS:
        for table, columns, query in thing.noted:
            note(tx, table, columns, query)
    note_wrong(tx, "SELECT kind, key, owner FROM trouble_before")
    for words, step in STEPS:
        tx.progress(words)
        report = step(tx, report)
    tx.progress("Checking")
    run_checks(tx)
    tx.progress("Storage figures, phones")
    return write_users(tx, report)


def merge_pairs(
    database_config: Mapping[str, Any], request: Request, max_distance: float = 0
) -> tuple[Person, ...]:
    """The source's people who may be people of the destination, by name, or by face, if those are nearer than
    `max_distance`, and those whom earlier runs remember; nothing is changed.
    """
    return look_for_pairs(database_config, transfer_values(request), plan_transfer, max_distance)


def look_for_pairs(
    database_config: Mapping[str, Any],
    values: Mapping[str, Any],
    plan: Callable[[Transaction], None],
    max_distance: float,
) -> tuple[Person, ...]:
    """The people of a plan who may be people of the taker's."""

    def look(tx: Transaction) -> Report:
        plan(tx)
        if max_distance and has_face_vectors(tx):
            compare_faces(tx, max_distance)
        return Report(people=people_listed(tx))

    report = perform(database_config, look, {**values, "looks_only": True}, HOW)
    return tuple(person for person in report.people if person.merge_id is not None)


def transfer_values(request: Request) -> dict[str, Any]:
    """What the statements of a transfer may name: all of the request, besides."""
    asked = {
        name: sorted(value) if isinstance(value, frozenset | tuple) else value
        for name, value in vars(request).items()
    }
    return {
        **asked,
        **common_values(request.source, request.destination, request.remembered, request.merge),
        "selection": request.kind,
        "albums": sorted(request.every_album),
        "album_itself": ALBUM_GIVEN_UP if request.everything else request.album_itself,
        "same_person": request.same_person,
        "one_person": request.same_person,
    }


def common_values(
    giver: str | None, taker: str, remembered: SamePeople = (), merge: Iterable[str] = ()
) -> dict[str, Any]:
    """What transfer, repair and undo have in common."""
    return {
        "giver": giver,
        "taker": taker,
        "merge": sorted(merge),
        "remembered": [person for person, _theirs in remembered],
        "remembered_as": [theirs for _person, theirs in remembered],
        "anybody_gives": False,  # in a repair people may become the taker's whosever they are
        "given": [],
        "made_anew": [],
        "album_itself": ALBUM_STAYS,
        "same_person": False,  # what the giver was to others goes along
        "one_person": False,  # it does, or did in the run that is undone
    }


def plan_transfer(tx: Transaction) -> None:
    """Fill run_photo, staying_photo and people, and lock what they name."""
    create_tables(tx)
    require_active_users(tx)
    choose_selection(tx)
    choose_photos(tx)
    choose_copies(tx)
    lock_faces_and_people(tx)
    decide_people(tx)


TO_MEND = """
        CREATE TEMP TABLE IF NOT EXISTS to_mend (
            kind text, owner uuid, photo uuid, thing uuid, name text) ON COMMIT DROP"""


def create_tables(tx: Transaction) -> None:
    """The temporary tables that several parts fill, or read without any. Of these, CHECKED_TABLES names what
    look_again() reads.
    """
    create_journal(tx)
    run(tx, f"""
        -- what a repair is to mend; empty in a transfer and an undo
        {TO_MEND};
        -- albums that change hands or members, with what must hold afterwards
        CREATE TEMP TABLE changing_album (
            id uuid PRIMARY KEY, owner uuid, source_role text, destination_role text) ON COMMIT DROP;
        -- the taker's own photos that join or leave albums
        CREATE TEMP TABLE album_copy ("albumId" uuid, "assetId" uuid) ON COMMIT DROP;
        -- external libraries that change hands with all their photos
        CREATE TEMP TABLE changing_library (id uuid PRIMARY KEY) ON COMMIT DROP;
        -- people who stay their owner's whatever their faces do; in an undo only
        CREATE TEMP TABLE spared ("ownerId" uuid, "personGroupId" uuid) ON COMMIT DROP;
        -- how many faces people have on other photos
        CREATE TEMP TABLE seen_on (grp uuid, faces bigint, deleted bigint) ON COMMIT DROP;
        -- people whom the checks look at; those of them whose faces on other photos can be wrong, too
        CREATE TEMP TABLE touched_group (grp uuid) ON COMMIT DROP;
        CREATE TEMP TABLE suspect_group (grp uuid) ON COMMIT DROP;
        -- what else the steps may write or the checks look at
        CREATE TEMP TABLE concerned_album (id uuid) ON COMMIT DROP;
        CREATE TEMP TABLE stack_concerned (id uuid) ON COMMIT DROP;
        CREATE TEMP TABLE link_looked_at (id uuid) ON COMMIT DROP;
        -- what steps and checks leave as wrong as it is: what was so before the run that is undone, or what a
        -- repair leaves; empty in a transfer
        CREATE TEMP TABLE exempt (kind text, key text, owner uuid) ON COMMIT DROP;
        -- what was committed when this run began
        CREATE TEMP TABLE begun ON COMMIT DROP AS SELECT pg_current_snapshot() AS snapshot;
        ANALYZE changing_library
    """)


# ---- the two users -----------------------------------------------------------------------------------------


def require_active_users(tx: Transaction) -> None:
    """Both exist, are not deleted, and are two; in a repair the one. Asked again inside each transaction:
    accounts can go meanwhile.
    """
    if tx.values["giver"] == tx.values["taker"]:
        raise TransferError("These photos would go to the user who has them.", todo="Choose two users.")
    users = [user for user in (tx.values["giver"], tx.values["taker"]) if user]
    if len(users) != one_value(tx, """
        SELECT count(*) FROM v_user
        WHERE id = ANY (%(users)s::uuid[]) AND "deletedAt" IS NULL AND status = 'active'
    """, users=users):
        raise TransferError(
            "A user concerned is not active any more.",
            "The account was deleted.",
            "Restore it under Administration > Users, or start again.",
        )


# ---- what is chosen ----------------------------------------------------------------------------------------


def lock_albums(tx: Transaction) -> None:
    """Lock the albums that change hands or members, and their members' rows, in order."""
    lock(tx, "SELECT id FROM v_album JOIN changing_album USING (id) ORDER BY id FOR NO KEY UPDATE")
    lock(tx, """
        SELECT u."userId" FROM v_album_user u JOIN changing_album h ON h.id = u."albumId"
        ORDER BY u."albumId", u."userId" FOR NO KEY UPDATE OF u
    """)


@dataclass(frozen=True)
class Condition:
    """What a photo must be to be chosen: `photo` is SQL about a photo `a` of the source's. `names` is the
    query for the names that were asked for, of which any will do, and `words` says them.
    """

    words: str
    names: str
    photo: str


# By the value that asks for it. The video of a live photo comes along with its still, so days and favourites
# ask only for what people see.
CONDITIONS = {
    "albums": Condition(
        "album{s} {}",
        """SELECT "albumName" FROM v_album WHERE id = ANY (%(albums)s::uuid[]) AND "deletedAt" IS NULL
           ORDER BY lower("albumName"), 1, id""",
        """a.id IN (
            SELECT aa."assetId" FROM v_album_asset aa WHERE aa."albumId" = ANY (%(albums)s::uuid[]))""",
    ),
    # by the path, not by tag_closure, which lacks the tags that were made by POST /tags
    "tag": Condition(
        "tag {}",
        "SELECT coalesce(max(value), '') FROM v_tag WHERE id = %(tag)s",
        """a.id IN (
            SELECT ta."assetId" FROM v_tag t
            JOIN v_tag below ON below."userId" = t."userId"
                AND (below.value = t.value OR starts_with(below.value, t.value || '/'))
            JOIN v_tag_asset ta ON ta."tagId" = below.id
            WHERE t.id = %(tag)s AND t."userId" = %(giver)s)""",
    ),
    # as Immich shows a person's photos: not by faces that were deleted or hidden
    "people": Condition(
        "photos of {}",
        """SELECT name FROM v_person
           WHERE "ownerId" = %(giver)s AND "personGroupId" = ANY (%(people)s::uuid[])
           ORDER BY name = '', lower(name), 1""",
        """a.id IN (
            SELECT f."assetId" FROM v_asset_face f
            WHERE f."personGroupId" = ANY (%(people)s::uuid[])
                AND f."deletedAt" IS NULL AND f."isVisible")""",
    ),
    # the day of Immich's timeline: local time, kept as if it were UTC
    "since": Condition(
        "from {}",
        "SELECT %(since)s",
        """(a."localDateTime" AT TIME ZONE 'UTC')::date >= %(since)s::date AND a.visibility <> 'hidden'""",
    ),
    "until": Condition(
        "until {}",
        "SELECT %(until)s",
        """(a."localDateTime" AT TIME ZONE 'UTC')::date <= %(until)s::date AND a.visibility <> 'hidden'""",
    ),
    "favorites": Condition("{}", "SELECT 'favourites'", """a."isFavorite" AND a.visibility <> 'hidden'"""),
    # halves of live photos, above all
    "photos": Condition("{}", "SELECT 'single photos'", "a.id = ANY (%(photos)s::uuid[])"),
    "libraries": Condition(
        "external library {}",
        "SELECT name FROM v_library WHERE id = ANY (%(libraries)s::uuid[]) ORDER BY lower(name), 1, id",
        """a."libraryId" = ANY (%(libraries)s::uuid[])""",
    ),
}


def conditions_named(tx: Transaction) -> dict[str, tuple[str, ...]]:
    """The conditions that were asked for, each with the names that it has now."""
    return {
        asked: tuple(name for (name,) in rows(tx, condition.names))
        for asked, condition in CONDITIONS.items()
        if tx.values[asked] and not tx.values["everything"]
    }


def condition_words(chosen: Mapping[str, Sequence[str]]) -> str:
    """Conditions in words: albums Trip and Lake, photos of Lea or Max, from 2024-07-01, favourites."""
    return ", ".join(
        CONDITIONS[asked].words.format(
            in_words([*map(shortened, names)], "or" if asked == "people" else "and"),
            s="s" * (len(names) > 1),
        )
        for asked, names in chosen.items()
    )


def choose_selection(tx: Transaction) -> None:
    """chosen: the source's photos for which all holds that was asked for. changing_album: the albums that are
    to change hands or members. changing_library: the libraries that are. Raises TransferError.

    What others contributed to an album stays theirs.
    """
    if tx.values["libraries"]:
        choose_libraries(tx)
    named = conditions_named(tx)
    for asked, what in (("albums", "An album"), ("people", "A person")):
        if len(named.get(asked, ())) != len(tx.values[asked]):
            raise TransferError(f"{what} that was chosen is not there any more.", todo="Start again.")
    conditions = "".join(f" AND {CONDITIONS[asked].photo}" for asked in named)
    run(tx, f"""
        CREATE TEMP TABLE chosen ON COMMIT DROP AS
        SELECT a.id, a."livePhotoVideoId", a."stackId" FROM v_asset a
        WHERE a."ownerId" = %(giver)s {conditions};
        INSERT INTO changing_album
        SELECT o."albumId", CASE %(album_itself)s WHEN 'shared' THEN %(giver)s ELSE %(taker)s END::uuid,
            CASE %(album_itself)s WHEN 'handed over' THEN 'editor' END,
            CASE %(album_itself)s WHEN 'shared' THEN 'editor' END
        FROM v_album_owner o JOIN v_album al ON al.id = o."albumId" AND al."deletedAt" IS NULL
        WHERE o."userId" = %(giver)s AND %(album_itself)s <> 'stays'
          AND (%(everything)s OR al.id = ANY (%(albums)s::uuid[]))
    """)
    taken = one_value(tx, "SELECT count(*) FROM changing_album")
    if tx.values["album_itself"] != ALBUM_STAYS and not tx.values["everything"] and taken != len(
        tx.values["albums"]
    ):
        raise TransferError("An album belongs to somebody else by now.", todo="Start again.")
    # Whoever joins or leaves an album that changes hands waits until it has an owner again.
    lock_albums(tx)


# ---- which photos move -------------------------------------------------------------------------------------


def choose_photos(tx: Transaction) -> None:
    """From chosen make run_photo (id, origin) and staying_photo (id, origin, reason).

    origin: chosen; live (its partner was chosen); stack (shares a stack with those); stack live (partner of
    those).
    """
    create_candidates(tx, """
        SELECT id, coalesce("livePhotoVideoId", id) AS unit, "stackId", 'chosen' AS origin,
            %(trashed)s AS trashed, %(locked)s AS locked FROM chosen
    """)
    live_partners_come_along(tx, "live")
    if stack_members_come_along(tx):
        live_partners_come_along(tx, "stack live")
    if tx.values["libraries"]:
        libraries_go_whole(tx)
    judge_photos(tx)
    live_partners_stay(tx)
    if tx.values["libraries"]:
        require_whole_libraries(tx)
    nobody_comes_along_from_split_stacks(tx)
    follow_verdicts(tx, "origin IN ('chosen', 'live')")


def create_candidates(tx: Transaction, query: str) -> None:
    """candidate: photos that may move; `unit` is what stays together, trashed and locked say whether such may
    move.
    """
    run(tx, f"""
        CREATE TEMP TABLE candidate ON COMMIT DROP AS {query};
        ALTER TABLE candidate ADD PRIMARY KEY (id);
        ANALYZE candidate
    """)


def come_along(tx: Transaction, origin: str, photos: str) -> int:
    """The giver's of these photos that are no candidates yet become some, as of that origin; how many."""
    return run(tx, f"""
        INSERT INTO candidate
        SELECT id, coalesce("livePhotoVideoId", id), "stackId", %(origin)s, %(trashed)s, %(locked)s
        FROM v_asset JOIN ({photos} EXCEPT SELECT id FROM candidate) more USING (id)
        WHERE "ownerId" = %(giver)s
    """, origin=origin)


def judge_photos(tx: Transaction) -> None:
    """verdict: each candidate of the source's, as it is now that it is locked, with the reason to stay or
    NULL.
    """
    lock(tx, "SELECT a.id FROM v_asset a JOIN candidate USING (id) ORDER BY a.id FOR NO KEY UPDATE OF a")
    run(tx, """
        CREATE TEMP TABLE verdict ON COMMIT DROP AS
        SELECT c.id, c.unit, c.origin, a."stackId", a."originalFileName" AS name,
            CASE
                -- delete jobs are already on the way; one that goes with its library they find by its id
                WHEN a.status = 'deleted' AND l.id IS NULL THEN 'deleting'
                -- with its library, photo by photo
                WHEN e."deletedAt" IS NOT NULL THEN 'deleting'
                -- library.ownerId and asset.libraryId both cascade: the row would go with the old account's
                -- library, unless that changes hands too, or is the taker's and the photo was astray
                WHEN (a."libraryId" IS NOT NULL OR a."isExternal") AND l.id IS NULL
                    AND e."ownerId" IS DISTINCT FROM %(taker)s THEN 'external'
                -- asset_ownerId_libraryId_checksum_idx
                WHEN EXISTS (
                    SELECT FROM v_asset d WHERE d."libraryId" = e.id AND d."ownerId" = %(taker)s
                        AND d.checksum = a.checksum) THEN 'duplicate'
                WHEN (a."deletedAt" IS NOT NULL OR a.status = 'trashed') AND NOT c.trashed THEN 'trashed'
                -- the locked folder is behind its owner's PIN
                WHEN a.visibility = 'locked' AND NOT c.locked THEN 'locked'
                -- Immich would finish the move by the path it had planned for the old owner
                WHEN EXISTS (SELECT FROM v_move_history h WHERE h."entityId" = a.id) THEN 'unfinished'
                -- UQ_assets_owner_checksum, which asks neither for trash nor for visibility
                WHEN b.id IS NULL THEN CASE WHEN a.id::text = ANY (%(left_out)s) THEN 'left_out' END
                WHEN b."deletedAt" IS NOT NULL OR b.status <> 'active' THEN 'duplicate_in_trash'
                ELSE 'duplicate'
            END AS reason
        FROM candidate c
        JOIN v_asset a ON a.id = c.id AND a."ownerId" = %(giver)s
        LEFT JOIN changing_library l ON l.id = a."libraryId"
        LEFT JOIN v_library e ON e.id = a."libraryId"
        LEFT JOIN v_asset b
            ON b."ownerId" = %(taker)s AND b.checksum = a.checksum AND b."libraryId" IS NULL
                AND a."libraryId" IS NULL;
        ANALYZE verdict
    """)


def follow_verdicts(tx: Transaction, shown: str) -> None:
    """run_photo: what has no reason to stay. staying_photo: the rest, as far as it is `shown`."""
    run(tx, f"""
        CREATE TEMP TABLE run_photo ON COMMIT DROP AS SELECT id, origin FROM verdict WHERE reason IS NULL;
        ALTER TABLE run_photo ADD PRIMARY KEY (id);
        CREATE TEMP TABLE staying_photo ON COMMIT DROP AS
            SELECT id, origin, reason, name FROM verdict WHERE reason IS NOT NULL AND {shown};
        ANALYZE run_photo
    """)


# ---- the plan: its digest, its report ----------------------------------------------------------------------


def require_digest(found: str, how: How) -> None:
    """Raise Changed when this is not the digest of what was shown."""
    if how.expected_digest not in (None, found):
        raise Changed(
            "What would be changed is no longer what was shown.",
            "Photos or people concerned, or the new owner's library, changed meanwhile.",
            "Start again, and look at the new analysis.",
        )


def plan_digest(tx: Transaction) -> str:
    """What ties execution to the analysis: what moves, what stays and why, each person's decision and target,
    and what is mended.
    """
    return str(one_value(tx, """
        SELECT encode(sha256(convert_to(concat_ws(E'\\n',
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM changing_library),
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM run_photo),
            (SELECT string_agg(id::text || reason, ',' ORDER BY id) FROM staying_photo),
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM changing_album),
            (SELECT string_agg(concat_ws(' ', kind, photo, thing), ',' ORDER BY kind, photo, thing)
             FROM to_mend WHERE kind <> 'storage'),
            (SELECT string_agg(
                concat_ws(' ', grp, action, CASE WHEN action = 'MERGE' THEN target END), ',' ORDER BY grp)
             FROM people)), 'UTF8')), 'hex')
    """))


def people_listed(tx: Transaction) -> tuple[Person, ...]:
    """The people concerned, named ones first, then by number of faces: Person's fields, in its order."""
    return tuple(Person(*row) for row in rows(tx, """
        SELECT p.grp::text, p.name, p.action, p.faces, p.staying, p.merge_into::text, coalesce(t.name, ''),
            CASE WHEN p.merge_into IS NULL THEN 0 ELSE (
                SELECT count(*) FROM v_asset_face f
                WHERE f."personGroupId" = p.merge_into AND f."deletedAt" IS NULL) END,
            coalesce(p.note, ''), p.target::text, p.remembered, coalesce(p."birthDate"::text, ''),
            coalesce(t."birthDate"::text, ''), p.alike, p.distance
        FROM people p
        LEFT JOIN v_person t ON t."personGroupId" = p.merge_into AND t."ownerId" = %(taker)s
        WHERE p.action IN ('TRANSFER', 'DUPLICATE', 'MERGE')
        ORDER BY p.name = '', p.faces DESC, p.name, p.grp
    """))


def list_albums_concerned(tx: Transaction, report: Report) -> Report:
    """Albums that the taker does not see, that a public link shows, and whose covers move, by name."""
    unseen, public, covers = (tuple(names or ()) for names in rows(tx, """
        SELECT array_agg(name ORDER BY name, id) FILTER (WHERE NOT is_seen),
            array_agg(name ORDER BY name, id) FILTER (WHERE is_public),
            array_agg(name ORDER BY name, id) FILTER (WHERE is_cover)
        FROM (
            SELECT al.id, al."albumName" AS name,
                EXISTS (
                    SELECT FROM v_album_owner o WHERE o."albumId" = al.id AND o."userId" = %(taker)s)
                OR EXISTS (SELECT FROM v_album_user u WHERE u."albumId" = al.id AND u."userId" = %(taker)s)
                OR EXISTS (SELECT FROM changing_album h WHERE h.id = al.id) AS is_seen,
                EXISTS (SELECT FROM v_shared_link l WHERE l."albumId" = al.id
                    AND (l."expiresAt" IS NULL OR l."expiresAt" > now())) AS is_public,
                EXISTS (SELECT FROM run_photo m WHERE m.id = al."albumThumbnailAssetId") AS is_cover
            FROM v_album al JOIN concerned_album c USING (id) WHERE al."deletedAt" IS NULL) album
    """)[0])
    return report.plus(albums_unseen=unseen, albums_public=public, covers=covers)


def plan_report(tx: Transaction) -> Report:
    """The part of the report that is known before the steps."""
    report = Report(
        digest=plan_digest(tx),
        selection=tx.values["selection"],
        # the local time, which Immich keeps as if it were UTC
        dates=tuple(filter(None, rows(tx, """
            SELECT min(taken)::date::text, max(taken)::date::text FROM (
                SELECT a."localDateTime" AT TIME ZONE 'UTC' AS taken
                FROM v_asset a JOIN run_photo USING (id)) moving
        """)[0])),
        assets=one_value(tx, "SELECT count(*) FROM run_photo"),
        people=people_listed(tx),
        along=tuple(
            rows(tx, """
                SELECT m.origin, a."originalFileName" FROM run_photo m JOIN v_asset a USING (id)
                WHERE m.origin <> 'chosen' ORDER BY m.origin, a."originalFileName", a.id
            """)
        ),
        stays=tuple((reason, tuple(names)) for reason, names in rows(tx, """
            SELECT reason, array_agg(name ORDER BY name, id) FROM staying_photo WHERE origin = 'chosen'
            GROUP BY reason ORDER BY array_position(%(order)s, reason)
        """, order=list(REASONS))),
        libraries=libraries_listed(tx),
    ).plus(
        kept_people=tuple(name for (name,) in rows(tx, """
            SELECT coalesce(t.name, p.name) FROM people p
            LEFT JOIN v_person t ON t."personGroupId" = p.grp AND t."ownerId" = %(taker)s
            WHERE p.action = 'KEEP' AND p.faces > 0 ORDER BY nullif(coalesce(t.name, p.name), ''), p.grp
        """)),
        already_wrong=one_value(
            tx,
            """
            SELECT count(*) FROM trouble_before WHERE kind = ANY (%(kinds)s) AND NOT (
                -- the other half of a live photo comes to the one that the taker has
                kind = 'live' AND EXISTS (
                    SELECT FROM v_asset a WHERE a."ownerId" = %(taker)s
                        AND a.id = ANY (string_to_array(key, ' ')::uuid[])))
            """,
            kinds=["face", "featured", "live", "stack", "primary"],
        ),
    )
    return list_albums_concerned(tx, count_items(tx, report))


def take_inventory(tx: Transaction) -> Inventory:
    """The photos that the plan concerns, and pictures of its people, before the steps."""
    return Inventory(
        photos=tuple(Photo(*row) for row in rows(tx, """
            SELECT p.id::text, a."originalFileName",
                -- local time, kept as if it were UTC
                coalesce(to_char(a."localDateTime" AT TIME ZONE 'UTC', 'YYYY-MM-DD'), ''),
                p.moves, p.why, coalesce(f.path, '')
            FROM (
                SELECT id, true AS moves, origin AS why FROM run_photo
                UNION ALL SELECT id, false, reason FROM staying_photo WHERE origin = 'chosen') p
            JOIN v_asset a USING (id)
            -- an edited photo has two
            LEFT JOIN (
                SELECT "assetId", max(path) AS path FROM v_asset_file
                WHERE type = 'thumbnail' AND "assetId" IN (
                    SELECT id FROM run_photo UNION SELECT id FROM staying_photo)
                GROUP BY "assetId") f ON f."assetId" = p.id
            ORDER BY a."localDateTime", a."originalFileName", p.id
        """)),
        portraits=dict(rows(tx, """
            SELECT DISTINCT shown.id::text, p."thumbnailPath"
            FROM (
                SELECT grp AS id, holder AS owner FROM people
                UNION SELECT merge_into, %(taker)s::uuid FROM people WHERE merge_into IS NOT NULL) shown
            JOIN v_person p ON p."personGroupId" = shown.id AND p."ownerId" = shown.owner
            WHERE p."thumbnailPath" <> ''
        """)),
    )


def count_items(tx: Transaction, report: Report) -> Report:
    """What the selection shows, how many of that move, and how many stay the source's.

    An album shows, and counts, what is in the timeline or the archive and not in the trash, whoever's it is
    (album.repository: getMetadataForIds, all versions). All other selections are taken as they are.
    """
    items, moving, staying = rows(tx, """
        SELECT count(*), count(*) FILTER (WHERE m.id IS NOT NULL),
            count(*) FILTER (WHERE m.id IS NULL AND a."ownerId" = %(giver)s)
        FROM (
            SELECT id FROM chosen WHERE %(selection)s <> 'album'
            UNION
            SELECT "assetId" FROM v_album_asset
            WHERE %(selection)s = 'album' AND "albumId" = ANY (%(albums)s::uuid[])) shown
        JOIN v_asset a USING (id) LEFT JOIN run_photo m USING (id)
        WHERE %(selection)s <> 'album' OR a."deletedAt" IS NULL AND a.visibility IN ('timeline', 'archive')
    """)[0]
    return report.plus(items=items, items_moving=moving, items_staying=staying)


# ---- the checks --------------------------------------------------------------------------------------------
#
# Each query yields what names one violation. Those that were there before the steps stop nothing: an older
# transfer by hand may have left them. Any other rolls back.


# What Immich's own triggers write besides: the stamp of an album that gets a member, and from 3.3 the person
# of whom one is shared with.
BY_TRIGGERS = (("album", "changed"), ("person", "made"), ("person", "changed"))


# How many rows of each table this session has written, by PostgreSQL's own count: cascades and triggers
# included, whoever else writes meanwhile is not. It goes on from one transaction to the next.
ROWS_WRITTEN = """
    SELECT c.relname::text AS "table", kind, rows
    FROM pg_class c CROSS JOIN LATERAL (VALUES
        ('made', pg_stat_get_xact_tuples_inserted(c.oid)),
        ('removed', pg_stat_get_xact_tuples_deleted(c.oid)),
        ('changed', pg_stat_get_xact_tuples_updated(c.oid))) AS counted (kind, rows)
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (%(tables)s)
"""


def find_neighbours(tx: Transaction, more: str = "") -> None:
    """neighbour: photos that may be written although they do not move, locked until the end; with what else
    is concerned. `more` widens what is looked at.
    """
    look_elsewhere(tx, "SELECT grp FROM touched_group JOIN v_person_group ON id = grp")
    run(tx, """
        INSERT INTO concerned_album SELECT id FROM changing_album UNION SELECT "albumId" FROM album_copy
    """)
    look_around(tx)
    run(tx, """
        -- the rest of a stack or of a group of duplicates; or those whose deleted faces may be written
        CREATE TEMP TABLE neighbour ON COMMIT DROP AS
            SELECT a.id, a."ownerId" FROM v_asset a JOIN stack_concerned s ON s.id = a."stackId"
            UNION
            SELECT a.id, a."ownerId" FROM v_asset a
            WHERE a."duplicateId" IN (SELECT o."duplicateId" FROM v_asset o JOIN run_photo USING (id))
            UNION
            SELECT a.id, a."ownerId" FROM seen_on s JOIN v_asset_face f ON f."personGroupId" = s.grp
            JOIN v_asset a ON a.id = f."assetId"
            WHERE s.deleted > 0 AND f."deletedAt" IS NOT NULL
              AND NOT EXISTS (SELECT FROM run_photo m WHERE m.id = a.id);
    """)
    if more:
        run(tx, more)
    # Whoever deletes a photo of a torn stack meanwhile waits until the end. What else there is in an album is
    # other people's, and not waited for.
    lock(tx, "SELECT id FROM v_asset WHERE id IN (SELECT id FROM neighbour) FOR KEY SHARE")


def look_around(tx: Transaction) -> None:
    """concerned_album, stack_concerned, link_looked_at: with what the photos of this run are in by now."""
    run(tx, """
        INSERT INTO concerned_album
            SELECT aa."albumId" FROM v_album_asset aa JOIN run_photo m ON m.id = aa."assetId"
            EXCEPT SELECT id FROM concerned_album;
        INSERT INTO stack_concerned
            (SELECT a."stackId" FROM v_asset a JOIN run_photo USING (id) WHERE a."stackId" IS NOT NULL
             UNION SELECT s.id FROM v_stack s JOIN run_photo m ON m.id = s."primaryAssetId")
            EXCEPT SELECT id FROM stack_concerned;
        INSERT INTO link_looked_at
            SELECT la."sharedLinkId" FROM v_shared_link_asset la JOIN run_photo m ON m.id = la."assetId"
            EXCEPT SELECT id FROM link_looked_at
    """)


# Whose row of the person, or whose group, a transfer or repair removes or gives away.
LEAVING_GROUPS = "SELECT grp FROM people WHERE leaver IS NOT NULL OR both_leave OR action = 'TRANSFER'"


def take_stock(tx: Transaction, groups: str = LEAVING_GROUPS) -> None:
    """Before the steps: what is already wrong, and how many rows were written. `groups` are the people whose
    faces on other photos could become wrong.
    """
    if one_value(tx, "SELECT current_setting('track_counts')") != "on":
        raise TransferError(
            "This PostgreSQL does not count the rows that are written, which the safety checks need.",
            "Its setting track_counts is off. Autovacuum does not work without it, either.",
            "Set track_counts = on, as it is by default, then run again.",
        )
    run(tx, f"""
        INSERT INTO suspect_group
        SELECT DISTINCT grp
        FROM (
            SELECT DISTINCT grp, a."ownerId"
            FROM ({groups}) t JOIN v_asset_face f ON f."personGroupId" = t.grp
            JOIN v_asset a ON a.id = f."assetId"
            WHERE NOT EXISTS (SELECT FROM run_photo m WHERE m.id = a.id)) s
        JOIN v_user u ON u.id = s."ownerId" LEFT JOIN v_person_group g ON g.id = s.grp
        WHERE NOT EXISTS (
            SELECT FROM v_person p WHERE p."personGroupId" = s.grp AND p."ownerId" = s."ownerId"
              AND g."clusterGroupId" = u."clusterGroupId");
        CREATE TEMP TABLE trouble_before (kind text, key text, owner uuid) ON COMMIT DROP;
        CREATE TEMP TABLE written_before ON COMMIT DROP AS {ROWS_WRITTEN}
    """, tables=counted_tables(tx))
    for kind, query in CHECKS.items():
        run(tx, f"""
            INSERT INTO trouble_before
            SELECT '{kind}', key, owner FROM ({query}) AS breach (key, owner, written)
        """)
    run(tx, "ANALYZE trouble_before")


def counted_tables(tx: Transaction) -> list[str]:
    """The tables whose rows are counted: all that the statements name."""
    return [table for table in (*NEEDED_COLUMNS, *NEEDED_IN_NEWER) if table in tx.schema.tables]


def written_otherwise(tx: Transaction) -> list[str]:
    """Where more or less was written than the journal tells, in words: by a trigger or a cascade."""
    told = {
        (table, kind): int(count)
        for table, kind, count in rows(tx, """
            SELECT "table", kind, sum(rows) FROM journal WHERE kind IN ('made', 'removed', 'changed')
            GROUP BY "table", kind
        """)
    }
    return [
        f"{table}: rows {kind}: {count}, by this run: {told.get((table, kind), 0)}"
        for table, kind, count in rows(tx, f"""
            SELECT "table", kind, now.rows - before.rows
            FROM ({ROWS_WRITTEN}) now JOIN written_before before USING ("table", kind) ORDER BY 1, 2
        """, tables=counted_tables(tx))
        if count != told.get((table, kind), 0) and (table, kind) not in BY_TRIGGERS
    ]


def run_checks(tx: Transaction) -> None:
    """Every invariant, for everything touched. Raises InvariantBroken, so the transaction rolls back."""
    # stacks that a split made; people whose row or group changed, or who got faces on other photos
    run(tx, """
        INSERT INTO stack_concerned SELECT id FROM journal_id WHERE "table" = 'stack' AND kind = 'made';
        INSERT INTO suspect_group
        SELECT id FROM v_person_group WHERE id IN (
        SELECT (key ->> 'personGroupId')::uuid FROM journal
        WHERE "table" = 'person' AND (kind = 'removed' OR (kind = 'changed' AND after ? 'ownerId'))
        UNION
        SELECT id FROM journal_id WHERE "table" = 'person_group' AND kind IN ('removed', 'changed')
        UNION
        SELECT (after ->> 'personGroupId')::uuid FROM journal_id
        WHERE "table" = 'asset_face' AND kind = 'changed' AND after ->> 'personGroupId' IS NOT NULL
          AND id NOT IN (SELECT id FROM run_face)
        EXCEPT SELECT grp FROM suspect_group);
        ANALYZE suspect_group
    """)
    broken, names = written_otherwise(tx), set[tuple[str, str]]()
    for thing in THINGS:
        checks = {
            f"cross-owner {kind}": f"{new_trouble(kind, CHECKS[kind])} AND NOT {BY_OTHERS_SINCE}"
            for kind in thing.rules
            if kind in CHECKS
        }
        for kind, query in (*checks.items(), *thing.written.items()):
            found = sorted(key for (key,) in rows(tx, query))
            if found:
                broken.append(f"{kind}: {len(found)}, such as {found[0]}")
                names |= set(itertools.product(tables_of(thing), " ".join(found).split()))
    if broken:
        error = InvariantBroken(
            "A safety check failed, so everything was rolled back.",
            "; ".join(broken),
            "Run again when Immich's jobs are idle. If it fails again, please report it with this text.",
        )
        error.names = frozenset(names)
        raise error


# A row that somebody else's transaction wrote since this one began: what they add to the photos meanwhile is
# no fault of this run. look_again() tells of it. An xid lacks the epoch that snapshots have; age() counts
# from our own, and says the greatest number for rows that are older than anything.
BY_OTHERS_SINCE = """(
    breach.written IS NOT NULL AND breach.written <> pg_current_xact_id()::xid
    AND NOT pg_visible_in_snapshot(
        greatest(pg_current_xact_id()::text::bigint - age(breach.written), 3)::text::xid8,
        (SELECT snapshot FROM begun)))
"""


def new_trouble(kind: str, query: str) -> str:
    """What a check finds that was not so before, nor put back because it was so before the run that is
    undone.
    """
    return f"""
        SELECT breach.key FROM ({query}) AS breach (key, owner, written)
        WHERE NOT EXISTS (SELECT FROM trouble_before b WHERE b.kind = '{kind}' AND b.key = breach.key)
          AND NOT EXISTS (SELECT FROM exempt x WHERE x.kind = '{kind}' AND x.key = breach.key
                          AND x.owner IS NOT DISTINCT FROM breach.owner)
    """


def look_again(tx: Transaction) -> int:
    """After the commit: what the checks of a transfer or an undo find now, also of what came since."""
    look_around(tx)
    find_faces(tx)
    return sum(
        one_value(tx, f"SELECT count(*) FROM ({new_trouble(kind, query)}) AS breach (key)")
        for kind, query in CHECKS.items()
    )


# ============================================================================================================
# 8  REPAIR: what older transfers, by hand or by other tools, left behind
#
#    FAULTS, from the things of part 6, says what must hold in the whole database, each with what it does to
#    people. find_faults() only reads. A repair is a transfer without a giver: the photos are the user's
#    already, and what hangs on them follows by the same tables, steps and checks. to_mend says what is wrong,
#    `exempt` what stays so.
# ============================================================================================================


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a user's things, or hangs on an account: a key of FAULTS or TIES, how many, the
    first of them by name.
    """

    kind: str
    user: str
    count: int
    examples: tuple[str, ...] = ()


def find_faults(database_config: Mapping[str, Any], progress: Progress = quiet) -> tuple[Trouble, ...]:
    """All that is wrong in the whole database, in the order of FAULTS. Only reads, and locks nothing."""
    with looking(database_config) as tx:
        find_all(replace(tx, progress=progress))
        found = rows(tx, f"""
            SELECT kind, owner::text, count(*),
                (array_agg(DISTINCT name) FILTER (WHERE name <> ''))[1:{EXAMPLES_SHOWN}]
            FROM to_mend GROUP BY kind, owner ORDER BY array_position(%(kinds)s, kind), owner
        """, kinds=list(FAULTS))
    return tuple(Trouble(kind, user, number, tuple(names or ())) for kind, user, number, names in found)


def find_all(tx: Transaction, kinds: Iterable[str] = FAULTS) -> None:
    """to_mend: what is wrong with whose things, in the whole database."""
    run(tx, TO_MEND)
    for kind in kinds:
        tx.progress(f"Looking for {FAULTS[kind].words[1]}")
        run(tx, f"""
            INSERT INTO to_mend SELECT '{kind}', owner, photo::uuid, thing::uuid, name
            FROM ({FAULTS[kind].query}) AS query (owner, photo, thing, name)
        """)
    run(tx, "ANALYZE to_mend")


@dataclass(frozen=True)
class Torn:
    """What belongs together and has two owners: a key of FAULTS, whose the two sides are, how many photos it
    is about; and the transfers that give all of it to the one, or to the other.
    """

    kind: str
    owners: tuple[str, str]
    count: int
    requests: tuple[Request, Request]


def find_torn(database_config: Mapping[str, Any]) -> tuple[Torn, ...]:
    """Live photos whose halves, and external libraries that with some of their photos, have two owners."""
    with looking(database_config) as tx:
        found = rows(tx, f"""
            SELECT 'live', s."ownerId"::text, v."ownerId"::text, array_agg(v.id::text), array_agg(s.id::text),
                NULL
            FROM {RULES["live"].rows} WHERE {RULES["live"].broken} GROUP BY 2, 3
            UNION ALL
            SELECT 'library', l."ownerId"::text, a."ownerId"::text, array_agg(a.id::text), NULL, l.id::text
            FROM {RULES["library"].rows} WHERE {RULES["library"].broken} AND l."deletedAt" IS NULL
            GROUP BY 2, 3, l.id
            ORDER BY 1, 2, 3, 6
        """)
    return tuple(
        Torn(kind, (one, other), len(to_one), (
            Request(other, one, photos=tuple(to_one)),
            Request(one, other, photos=tuple(to_other or ()), libraries=frozenset(filter(None, [library]))),
        ))
        for kind, one, other, to_one, to_other, library in found
    )


def mended_kinds(leave: Iterable[str] = ()) -> list[str]:
    """What a repair mends, but for kinds that are left."""
    return [kind for kind, fault in FAULTS.items() if fault.weight == MENDED and kind not in leave]


def repair_all(
    database_config: Mapping[str, Any],
    merges: Mapping[str, frozenset[str]],
    how: How = HOW,
    leave: frozenset[str] = frozenset(),
    remembered: SamePeople = (),
) -> Report:
    """Mend what is wrong with the things of several users, one after the other, in one transaction: what
    hangs on a photo becomes its present owner's. Raises TransferError; nothing is changed then.

    `merges` has for each user the people who may be merged by name; `remembered` are people who are one,
    whichever user has the second. `leave` are kinds of FAULTS that stay as they are. Each user's part has an
    undo file of its own.
    """
    users, kinds = list(merges), mended_kinds(leave)

    def part_of(tx: Transaction, user: str) -> Transaction:
        return replace(tx, values={**tx.values, "taker": user, "merge": sorted(merges[user])})

    def work(tx: Transaction) -> Report:
        parts = list[tuple[str, Report]]()
        for user in users:
            if part := _repair(part_of(tx, user), kinds):
                # until all are written
                run(tx, f"DROP VIEW journal_id; ALTER TABLE journal RENAME TO journal_{len(parts)}")
                parts.append((user, part))
            drop_temporary(tx, "r", but="journal_")
        report = Report(digest=" ".join(part.digest for _user, part in parts), parts=tuple(parts))
        require_digest(report.digest, how)
        return report

    def save(tx: Transaction, report: Report) -> Iterator[Path]:
        assert how.undo_folder is not None
        for number, (user, part) in enumerate(report.parts):
            run(tx, f"DROP TABLE IF EXISTS journal; ALTER TABLE journal_{number} RENAME TO journal")
            yield write_journal(part_of(tx, user), part, how.undo_folder, "repair")

    def still_wrong(tx: Transaction) -> int:
        find_all(tx, kinds)
        wrong = "SELECT count(*) FROM to_mend WHERE owner = ANY (%(users)s::uuid[])"
        return int(one_value(tx, wrong, users=users))

    values = repair_values(users[0], remembered)
    return perform(database_config, work, values, how, save if how.undo_folder else None, still_wrong)


def repair_merge_pairs(
    database_config: Mapping[str, Any], user: str, max_distance: float = 0
) -> tuple[Person, ...]:
    """Other users' people on the user's photos who may be the user's own, as merge_pairs() finds them."""
    plan = functools.partial(plan_repair, kinds=["face"])
    return look_for_pairs(database_config, repair_values(user), plan, max_distance)


def repair_values(user: str, remembered: SamePeople = ()) -> dict[str, Any]:
    """What the statements of a repair may name."""
    return {**common_values(None, user, remembered), "anybody_gives": True}


def plan_repair(tx: Transaction, kinds: Sequence[str]) -> None:
    """Fill to_mend, run_photo and people, and lock what they name. run_photo: the user's photos on which
    something that a repair mends is wrong; what hangs on them follows. Nothing stays.
    """
    create_tables(tx)
    require_active_users(tx)
    find_all(tx, kinds)
    run(tx, """
        DELETE FROM to_mend WHERE owner <> %(taker)s;
        -- the user's own people whose pictures are wrong
        INSERT INTO touched_group SELECT thing FROM to_mend WHERE kind = 'featured' AND photo IS NULL;
        CREATE TEMP TABLE run_photo ON COMMIT DROP AS
        SELECT a.id, 'chosen' AS origin FROM v_asset a
        WHERE a."ownerId" = %(taker)s AND (
            a.id IN (SELECT photo FROM to_mend)
            OR a."stackId" IN (SELECT thing FROM to_mend WHERE kind = 'stack'));
        ALTER TABLE run_photo ADD PRIMARY KEY (id);
        CREATE TEMP TABLE staying_photo (id uuid, origin text, reason text) ON COMMIT DROP;
        ANALYZE run_photo
    """)
    lock(tx, "SELECT a.id FROM v_asset a JOIN run_photo USING (id) ORDER BY a.id FOR NO KEY UPDATE OF a")
    lock_faces_and_people(tx)
    look_around(tx)
    leave_alone(tx, kinds)
    decide_people(tx)


def leave_alone(tx: Transaction, kinds: Sequence[str]) -> None:
    """exempt: what is wrong on these photos and stays so: kinds of faults other than these, and a partner's
    photos in memories and links, which Immich allows.
    """
    for kind, query in CHECKS.items():
        stays = "true"
        if kind in HOLDERS:
            stays = f"key NOT IN (SELECT concat_ws(' ', photo, thing) FROM to_mend WHERE kind = '{kind}')"
        elif kind in kinds or (kind == "primary" and "stack" in kinds):
            continue
        run(tx, f"""
            INSERT INTO exempt
            SELECT '{kind}', key, owner FROM ({query}) AS broken (key, owner, written) WHERE {stays}
        """)
    run(tx, "ANALYZE exempt")


def _repair(tx: Transaction, kinds: Sequence[str]) -> Report | None:
    """One user's part of a repair; None when nothing is wrong."""
    plan_repair(tx, kinds)
    if not one_value(tx, "SELECT count(*) FROM to_mend"):
        return None
    find_neighbours(tx, """
        INSERT INTO concerned_album SELECT thing FROM to_mend WHERE kind IN ('cover', 'album owner');
        INSERT INTO changing_album
        SELECT thing, %(taker)s::uuid, NULL, NULL FROM to_mend WHERE kind = 'album owner';
        INSERT INTO stack_concerned SELECT thing FROM to_mend WHERE kind = 'stack'
    """)
    take_stock(tx)
    note(tx, "asset", ("ownerId",), 'SELECT id, "ownerId" FROM v_asset JOIN run_photo USING (id)')
    return take_steps(tx, Report(
        digest=plan_digest(tx),
        assets=one_value(tx, "SELECT count(*) FROM run_photo"),
        people=people_listed(tx),
    ))


# ============================================================================================================
# 9  UNDO: a transfer the other way round, over the photos of a run that can go back
#
#    journal -> past (what the run did, a record for each row) -> run_photo, staying_photo (photos)
#      -> judged (is each row as the run left it?) -> back (what may go back) -> put back -> steps -> checks
#
#    source and destination are swapped: source gives the photos back, destination is who had them.
#    A recorded row goes back only if all of this holds, asked in the same way of every table:
#      - it is as the run left it (judge_records)
#      - the photo that it hangs on is where it was before the run (find_home)
#      - all that it points to is there, and it is what somebody still wants (may_go_back, Thing.since)
#    Then the transfer's own steps make right what could not be put back, and the checks judge all of it.
#    Where they object, all is rolled back and done once more without the records that they name. Exempt
#    from steps and checks is only what the run recorded as wrong before it.
# ============================================================================================================

# Why a photo does not go back, besides REASONS.
UNDO_REASONS = REASONS | {
    "gone": "deleted since",
    "handed_on": "belong to somebody else by now",
    "external": "in an external library by now",
    "library": "in an external library that stays whole, see below",
    "locked": "in the locked folder by now",
    "again": "uploaded again by the former owner (delete that copy for good, and it can go back)",
    "stacked": "stacked with other photos since",
    "together": "the other half of a live photo stays",
}

# What an undo may be unable to give back, in the order in which it is told.
LOST = ("album", "member", "memory", "link", "stack", "person", "library")
# Why an external library stays with all its photos, besides UNDO_REASONS of one of them.
LIBRARY_REASONS = {
    "library_changed": "it has another owner by now",
    "library_deleting": "Immich is deleting it",
    "library_mixed": "some of its photos belong to somebody else by now",
}


def undo(database_config: Mapping[str, Any], path: Path, how: How = HOW) -> Report:
    """Take back the run whose journal is at `path`. Raises TransferError; nothing is changed then."""
    header = read_header(path)
    if header["format"] != JOURNAL_FORMAT:
        raise JournalBroken(f"{path.name} was written by a newer transfer.py.", todo="Use that version.")

    def work(tx: Transaction) -> Report:
        try:
            return _undo(tx, path, header, how)
        except psycopg2.DataError as error:  # its checksum is right, and still it names a day "x"
            raise JournalBroken(f"{path.name} is damaged.", clean(str(error))[:100]) from None

    values = {**undo_values(header), "made_by_undone": made_by_undone(path, header)}
    left_out: frozenset[tuple[str, str]] = frozenset()
    while True:
        values["left_out"] = [f"{table} {key}" for table, key in left_out]
        try:
            report = perform(database_config, work, values, how, look_again=look_again)
            break
        except InvariantBroken as error:
            # not by a savepoint: the checks ask which transaction wrote a row
            if error.names <= left_out:
                raise
            left_out |= error.names
    if not how.dry_run and not something_stayed(report):
        name_file(path, UNDONE)
    return report


def something_stayed(report: Report) -> bool:
    """Whether an undo left what a later one may take back, once people have put it right."""
    return bool(report.stays or report.lost or report.of("libraries_kept"))


def undo_values(header: Mapping[str, Any]) -> dict[str, Any]:
    """What the statements of an undo may name. After a repair nothing changes hands: the user keeps the
    photos.
    """
    is_repair = header["kind"] != "transfer"
    source, destination = header["destination"]["id"], header["source"].get("id")
    if is_repair:
        source, destination = None, source
    people = [
        person
        for person in reversed(header["report"]["people"])
        if _fits([person["id"], person["target"]], [_ID, _ID])
    ]
    made_from = {person["target"]: person["id"] for person in people}
    nameless = [person for person in people if not person["name"] + person["merge_name"]]
    anew = {} if is_repair else {now: made_anew(destination, then) for now, then in made_from.items()}
    # faces that a person of the run's has got since belong to whom the run made that person from, or to whom
    # an earlier undo has made anew in that one's place
    remembered = [pair for pair in made_from.items() if len(set(pair)) == 2] + list(anew.items())
    return {
        **common_values(source, destination),
        "remembered": [now for now, _then in remembered],
        "remembered_as": [then for _now, then in remembered],
        "given": list(anew),
        "given_from": [made_from[now] for now in anew],
        "made_anew": list(anew.values()),
        "nameless": [person["target"] for person in nameless],
        "nameless_from": [person["id"] for person in nameless],
        "is_repair": is_repair,
        "one_person": header["same_person"],
        "tagger": destination if is_repair else source,  # whose tags took the place of others
        "transferred": [person["id"] for person in people if person["action"] == TRANSFER],
        "duplicated": [person["target"] for person in people if person["action"] == DUPLICATE],
        "merged": [person["id"] for person in people if person["action"] == MERGE],
    }


def made_by_undone(path: Path, header: Mapping[str, Any]) -> list[str]:
    """The people whom runs made for the same user that have been undone already."""
    found = []
    for other in path.parent.glob("*" + UNDONE):
        with contextlib.suppress(JournalBroken, NotOurs):
            past = read_header(other)
            if past["kind"] == "transfer" and past["destination"]["id"] == header["destination"]["id"]:
                people = past["report"]["people"]
                found += [person["target"] for person in people if person["action"] == DUPLICATE]
    return found


def made_anew(owner: str, person: str) -> str:
    """The id of the person that an undo makes for `owner` in the place of one that has gone. Always the same,
    so that the undo of another run knows it, whichever comes first. Of version 4: Immich takes no other.
    """
    return str(uuid.UUID(bytes=hashlib.sha256(f"{owner} {person}".encode()).digest()[:16], version=4))


# The photos first, so that all else is judged by whose they are then; what Immich has put beside them
# meanwhile leaves them. The other steps come when that is put back which was theirs.
GIVING_BACK = (step_owner, step_libraries, step_duplicates)


def _undo(tx: Transaction, path: Path, header: Mapping[str, Any], how: How) -> Report:
    how.progress("Reading the undo file")
    require_same_place(tx, header)
    create_tables(tx)
    load_past(tx, path, header)
    how.progress("Looking what has changed since")
    choose_returning(tx)
    judge_records(tx)
    if something_is_there(tx) is False:
        raise TransferError("That run cannot be taken back.", *WHY_NOT_BACK[NOT_THERE])
    leave_out(tx)
    if tx.values["is_repair"]:
        choose_repaired(tx)
    lock_faces_and_people(tx)
    choose_albums_back(tx)
    take_stock_of_undo(tx)
    note_changes(tx)
    report = Report()
    if not tx.values["is_repair"]:
        for words, step in STEPS:
            if step in GIVING_BACK:
                how.progress(words)
                report = step(tx, report)
    find_home(tx)
    for words, back in PUT_BACK:
        how.progress(words)
        back(tx)
    how.progress("What was done since")
    spare_people(tx)
    find_faces(tx)
    decide_people(tx)
    if tx.values["is_repair"]:
        mend_featured(tx)
    else:
        for _words, step in STEPS:
            if step not in GIVING_BACK:
                report = step(tx, report)
    remove_made_tags(tx)
    remove_made_people(tx)
    how.progress("Checking")
    run_checks(tx)
    require_digest(undo_digest(tx), how)
    if header["kind"] == "repair":
        reset_apps(tx)
    elif header["kind"] == "transfer":
        report = write_users(tx, report)
    return undo_report(tx, report)


def require_same_place(tx: Transaction, header: Mapping[str, Any]) -> None:
    """The schema is of the same kind, and both users are active."""
    if list(header["models"]) != [tx.schema.person_groups, tx.schema.album_owner_rows]:
        raise TransferError(
            "Immich was upgraded since, to a version that keeps people or albums in another way.",
            f"The run was made on {clean(header['immich'])}, this is {tx.schema.release}.",
            "Transfer the photos back instead.",
        )
    require_active_users(tx)


# ---- what the run did --------------------------------------------------------------------------------------


def create_past(tx: Transaction) -> None:
    """past: empty."""
    run(tx, """
        CREATE TEMP TABLE past (
            step bigint, kind text, "table" text, key jsonb, before jsonb, after jsonb, columns text)
                ON COMMIT DROP
    """)


def load_past(tx: Transaction, path: Path, header: Mapping[str, Any]) -> None:
    """past: what the run did, one record for each row and set of columns; exempt: what was wrong before the
    run.

    Of a row that was written twice the first `before` and the last `after` count.
    """
    create_past(tx)
    run(tx, """
        -- whose each photo was before the run, also of those that it did not move
        CREATE TEMP TABLE past_owner (id uuid PRIMARY KEY, owner uuid) ON COMMIT DROP
    """)
    lines = enumerate(read_journal(path))
    while batch := list(itertools.islice(lines, 300)):
        psycopg2.extras.execute_values(
            tx.cursor,
            """
            INSERT INTO past
            SELECT step * 1000 + coalesce(number, 0), kind, "table",
                CASE WHEN number > 0 THEN jsonb_build_object(column_name, each) ELSE key END,
                before, after, columns
            FROM (
                SELECT step, record ->> 0 AS kind, record ->> 1 AS "table", record -> 2 AS key,
                    nullif(record -> 3, 'null') AS before, nullif(record -> 4, 'null') AS after,
                    CASE WHEN record ->> 0 IN ('changed', 'seen') THEN (
                        SELECT string_agg(k, ',' ORDER BY k) FROM jsonb_object_keys(record -> 3) AS k
                    ) END AS columns
                FROM (VALUES %s) AS entry (step, record)
                OFFSET 0) line
            -- one that stands for many rows
            LEFT JOIN LATERAL (
                SELECT k.key AS column_name, each, number
                FROM jsonb_each(CASE jsonb_typeof(line.key) WHEN 'object' THEN line.key END) k,
                    jsonb_array_elements(CASE jsonb_typeof(k.value) WHEN 'array' THEN k.value END)
                        WITH ORDINALITY AS list (each, number)) many ON true
            """,
            batch,
            template="(%s, %s::jsonb)",
            page_size=len(batch),
        )
    require_records(tx, path)
    take_records_together(tx)


def require_records(tx: Transaction, path: Path) -> None:
    """Raise JournalBroken if `past` holds what no run writes."""
    for kind, table, columns, shape in rows(tx, """
        SELECT DISTINCT kind, "table", columns, jsonb_typeof(key) FROM past
    """):
        there = tx.schema.tables.get(table)
        columns_there = {name for _real, name in there.columns} if there else set()
        if (kind not in KINDS or shape != ("array" if kind == WRONG else "object")
                or (kind == CHANGED and there and not set((columns or "").split(",")) <= columns_there)):
            raise JournalBroken(f"{path.name} is damaged.", "It says what no run writes.")


def take_records_together(tx: Transaction) -> None:
    """Of a row that was written twice, one record; what was wrong before the run becomes exempt."""
    run(tx, """
        CREATE INDEX ON past ("table");
        ANALYZE past (kind, "table", columns);
        INSERT INTO exempt SELECT "table", key ->> 0, (key ->> 1)::uuid FROM past WHERE kind = 'wrong';
        CREATE INDEX ON exempt (kind, key);
        ANALYZE exempt;
        DELETE FROM past WHERE kind = 'wrong';
        -- rows that were written more than once, and whether they came or went, too
        CREATE TEMP TABLE rewritten ON COMMIT DROP AS
        SELECT "table", key, bool_or(kind <> 'changed') AS came_or_went FROM past WHERE kind <> 'seen'
        GROUP BY "table", key HAVING count(*) > 1;
        ANALYZE rewritten;
        CREATE TEMP TABLE line ON COMMIT DROP AS
        SELECT p.*, r.came_or_went FROM past p JOIN rewritten r USING ("table", key) WHERE p.kind <> 'seen';
        DELETE FROM past p USING rewritten r
        WHERE p."table" = r."table" AND p.key = r.key AND p.kind <> 'seen';
        -- changed columns, each set of them by itself; the others, from their first state to their last
        INSERT INTO past
        SELECT step, CASE WHEN first = 'made' THEN 'made' WHEN last = 'removed' THEN 'removed'
            ELSE 'changed' END,
            "table", key, CASE WHEN first <> 'made' THEN before END, CASE WHEN last <> 'removed'
                THEN after END,
            (SELECT string_agg(k, ',' ORDER BY k) FROM jsonb_object_keys(before) AS k
             WHERE first <> 'made' AND last <> 'removed' AND NOT key ? k)
        FROM (
            SELECT "table", key, min(step) AS step, (array_agg(kind ORDER BY step))[1] AS first,
                (array_agg(kind ORDER BY step DESC))[1] AS last,
                (SELECT jsonb_object_agg(e.key, e.value ORDER BY b.step DESC)
                 FROM unnest(array_agg(l)) b, jsonb_each(b.before) e) AS before,
                (SELECT jsonb_object_agg(e.key, e.value ORDER BY b.step)
                 FROM unnest(array_agg(l)) b, jsonb_each(b.after) e) AS after
            FROM line l GROUP BY "table", key, CASE WHEN NOT came_or_went THEN columns END) net
        WHERE NOT (first = 'made' AND last = 'removed');
        INSERT INTO past_owner
        SELECT DISTINCT ON (id) id, (before ->> 'ownerId')::uuid FROM past, CAST(key ->> 'id' AS uuid) AS id
        WHERE "table" = 'asset' AND columns = 'ownerId' ORDER BY id, kind;
        ANALYZE past_owner
    """)


def choose_returning(tx: Transaction) -> None:
    """run_photo: the photos that go back. staying_photo: those that do not, with the reason. A repair has
    neither.
    """
    run(tx, """
        CREATE TEMP TABLE returning_photo ON COMMIT DROP AS
        SELECT (key ->> 'id')::uuid AS id FROM past WHERE "table" = 'asset' AND kind = 'changed'
            AND columns = 'ownerId';
        ALTER TABLE returning_photo ADD PRIMARY KEY (id);
        -- stacks and live photos that were torn between owners before the run; of such a stack it puts what
        -- was the taker's already into one with what it moves
        CREATE TEMP TABLE torn_before ON COMMIT DROP AS
        SELECT split_part(key, ' ', 1) AS whole, split_part(key, ' ', 2) AS part FROM exempt
            WHERE kind = 'stack'
        UNION ALL
        SELECT after ->> 'stackId', key ->> 'id' FROM past
        WHERE "table" = 'asset' AND columns = 'stackId' AND after ->> 'stackId' IS NOT NULL
          AND (key ->> 'id')::uuid NOT IN (SELECT id FROM returning_photo)
        UNION ALL
        SELECT split_part(key, ' ', 1), split_part(key, ' ', 2) FROM exempt WHERE kind = 'live'
    """)
    choose_libraries_back(tx)
    judge_returning(tx)
    while drop_torn_libraries(tx):
        run(tx, "DROP TABLE verdict, candidate")
        judge_returning(tx)
    run(tx, """
        UPDATE verdict SET reason = 'library'
        WHERE reason = 'external' AND id IN (
            SELECT a.id FROM v_asset a JOIN kept_library k ON k.id = a."libraryId")
    """)
    follow_verdicts(tx, "true")


def judge_returning(tx: Transaction) -> None:
    """verdict: each photo of the run, and each that is to go back with its library, with the reason to
    stay.
    """
    run(tx, "ANALYZE returning_photo")
    create_candidates(tx, """
        SELECT a.id, coalesce(a."livePhotoVideoId", a.id) AS unit, a."stackId", 'chosen' AS origin,
            true AS trashed, a.id IN (
                SELECT (key ->> 'id')::uuid FROM past
                WHERE "table" = 'asset' AND before ->> 'visibility' = 'locked') AS locked
        FROM v_asset a JOIN returning_photo USING (id) WHERE a."ownerId" = %(giver)s
    """)
    judge_photos(tx)
    run(tx, """
        UPDATE verdict SET reason = 'again' WHERE reason IN ('duplicate', 'duplicate_in_trash');
        INSERT INTO verdict (id, unit, origin, name, reason)
        SELECT p.id, coalesce(a."livePhotoVideoId", p.id), 'chosen', coalesce(a."originalFileName", ''),
            CASE WHEN a.id IS NULL THEN 'gone' ELSE 'handed_on' END
        FROM returning_photo p LEFT JOIN v_asset a ON a.id = p.id
        -- what an earlier undo has given back has no reason to stay
        WHERE a.id IS NULL OR a."ownerId" NOT IN (%(giver)s, %(taker)s);
        UPDATE verdict v SET reason = 'stacked'
        WHERE v.reason IS NULL AND v."stackId" IS NOT NULL AND EXISTS (
            SELECT FROM v_asset o
            WHERE o."stackId" = v."stackId" AND o."ownerId" <> %(taker)s
              AND o.id NOT IN (SELECT id FROM returning_photo)
              AND NOT EXISTS (
                SELECT FROM torn_before t
                WHERE t.whole = v."stackId"::text AND t.part IN (v.id::text, o.id::text)));
        -- a still and its video go back together or not at all
        UPDATE verdict v SET reason = 'together'
        WHERE v.reason IS NULL AND v.unit IN (
            SELECT unit FROM verdict WHERE reason IS NOT NULL
            UNION
            SELECT w.unit FROM verdict w CROSS JOIN LATERAL (
                -- by these keys, however few photos the statistics think the giver owns
                (SELECT id, "ownerId" FROM v_asset WHERE id = w.unit OFFSET 0)
                UNION ALL
                (SELECT id, "ownerId" FROM v_asset WHERE "livePhotoVideoId" = w.unit OFFSET 0)) o
            WHERE o."ownerId" = %(giver)s AND o.id NOT IN (SELECT id FROM returning_photo)
              AND NOT EXISTS (
                SELECT FROM torn_before t
                WHERE t.part = w.unit::text AND t.whole IN (w.id::text, o.id::text)))
    """)


def choose_libraries_back(tx: Transaction) -> None:
    """changing_library: external libraries that are as the run left them; kept_library: those that are not.
    returning_photo: with what is in the former now.

    What a scan has found since is the library's as all else in it: it goes back along with it.
    """
    run(tx, """
        INSERT INTO changing_library
            SELECT (key ->> 'id')::uuid FROM past WHERE "table" = 'library' AND kind = 'changed';
    """)
    lock_libraries(tx)
    run(tx, """
        CREATE TEMP TABLE kept_library ON COMMIT DROP AS
        SELECT l.id, l.name, CASE WHEN l."deletedAt" IS NOT NULL THEN 'library_deleting'
                ELSE 'library_changed' END AS reason
        FROM v_library l JOIN changing_library USING (id)
        WHERE l."deletedAt" IS NOT NULL OR l."ownerId" <> %(giver)s;
        DELETE FROM changing_library
            WHERE id IN (SELECT id FROM kept_library) OR id NOT IN (SELECT id FROM v_library);
        INSERT INTO returning_photo
            SELECT a.id FROM v_asset a JOIN changing_library l ON l.id = a."libraryId"
            WHERE a."ownerId" = %(giver)s ON CONFLICT DO NOTHING
    """)


def drop_torn_libraries(tx: Transaction) -> int:
    """From changing_library to kept_library: those of which a photo stays. With them stays what was not of
    the run.
    """
    dropped = run(tx, """
        WITH torn AS (
            SELECT a."libraryId" AS id, min(coalesce(v.reason, 'library_mixed')) AS reason
            FROM v_asset a JOIN changing_library l ON l.id = a."libraryId" LEFT JOIN verdict v ON v.id = a.id
            WHERE a."ownerId" <> %(taker)s AND (v.id IS NULL OR v.reason IS NOT NULL) GROUP BY a."libraryId"
        )
        INSERT INTO kept_library SELECT l.id, l.name, torn.reason FROM v_library l JOIN torn USING (id)
    """)
    run(tx, """
        DELETE FROM changing_library WHERE id IN (SELECT id FROM kept_library);
        DELETE FROM returning_photo r USING v_asset a
        WHERE a.id = r.id AND a."libraryId" IN (SELECT id FROM kept_library)
            AND r.id NOT IN (SELECT id FROM past_owner)
    """)
    return dropped


# What Immich's jobs write into a row of the run's: not a reason to think that somebody changed it.
KEPT_BY_JOBS = {table: columns for thing in THINGS for table, columns in thing.by_jobs.items()}
STAMPS = ("createdAt", "updatedAt", "updateId", "createId")
# The photo that a row hangs on, over the record p and the row t.
PHOTO_OF = {table: photo for thing in THINGS for table, photo in thing.photo.items()}
# Set by the run, whatever they were: they are computed anew.
COMPUTED = [table for thing in THINGS for table in thing.computed]


def judge_records(tx: Transaction) -> None:
    """judged: the records of rows that the run wrote, each with its photo and whether the row is as the run
    left it.
    """
    run(tx, """
        CREATE TEMP TABLE judged (LIKE past) ON COMMIT DROP;
        ALTER TABLE judged ADD photo uuid, ADD unchanged boolean
    """)
    for (table,) in rows(tx, """SELECT DISTINCT "table" FROM past WHERE kind <> 'seen' ORDER BY 1"""):
        if table not in tx.schema.tables or table in COMPUTED:
            continue
        key = record_key(tx, table)
        recorded = {
            name
            for (name,) in rows(tx, """
                SELECT DISTINCT jsonb_object_keys(after) FROM past WHERE "table" = %(table)s
                    AND kind <> 'seen'
            """, table=table)
        }
        there = {new for _old, new in tx.schema.tables[table].columns} - {
            *STAMPS,
            *KEPT_BY_JOBS.get(table, ()),
        }
        run(tx, f"""
            INSERT INTO judged
            SELECT p.*, {PHOTO_OF.get(table, "NULL")}, CASE
                WHEN p.kind = 'removed' THEN t."{key[0]}" IS NULL
                ELSE t."{key[0]}" IS NOT NULL
                    AND {_object("t", sorted(recorded & there))} @>
                        (p.after - %(aside)s::text[] - {_JOBS_CHOICE})
                END
            FROM past p LEFT JOIN v_{table} t ON {_recorded("p", key)}
            WHERE p."table" = '{table}' AND p.kind <> 'seen'
        """, aside=sorted(recorded - there))
    run(tx, 'CREATE INDEX ON judged ("table"); ANALYZE judged (kind, "table", columns, photo, unchanged)')


def leave_out(tx: Transaction) -> None:
    """The records whose rows the checks have objected to count as changed since: all that their keys name,
    apart from the owner.
    """
    if tx.values["left_out"]:
        run(tx, """
            UPDATE judged SET unchanged = false WHERE kind <> 'made' AND NOT EXISTS (
                SELECT FROM jsonb_each_text(key - 'ownerId') AS k
                WHERE concat_ws(' ', "table", k.value) <> ALL (%(left_out)s))
        """)


# A featured photo that the run left empty, or chose for a person that it made, Immich's thumbnail job may
# choose.
_JOBS_CHOICE = (
    """CASE WHEN p.kind = 'made' OR p.after ->> 'faceAssetId' IS NULL THEN 'faceAssetId' ELSE '' END"""
)


def _recorded(record: str, key: Sequence[str]) -> str:
    """t is the row of a record; up to 3.1 a person's owner, in the key, may be what the run changed."""
    return " AND ".join(
        f"""t."{column}" = coalesce({record}.after ->> '{column}', {record}.key ->> '{column}')::uuid"""
        for column in key
    )


def choose_repaired(tx: Transaction) -> None:
    """run_photo: the photos on which a repair wrote, as far as they are the user's still. Nothing changes
    hands.
    """
    run(tx, """
        INSERT INTO run_photo
        SELECT a.id, 'chosen' FROM past_owner o JOIN v_asset a ON a.id = o.id AND a."ownerId" = o.owner
        WHERE o.owner = %(taker)s;
        ANALYZE run_photo
    """)


def choose_albums_back(tx: Transaction) -> None:
    """changing_album: albums that go back, or are no longer shared. album_copy: the copies that may be taken
    out.

    An album goes back if nobody changed its owner since. A copy stays if somebody has commented on it or made
    it the cover since, or if its album does not go back.
    """
    run(tx, """
        CREATE TEMP TABLE handed_over ON COMMIT DROP AS
        SELECT coalesce(key ->> 'albumId', key ->> 'id')::uuid AS id, unchanged FROM judged
        -- an album to which a repair gave an owner keeps it: without one nobody could end it
        WHERE %(giver)s::uuid IS NOT NULL AND (
            ("table" = 'album_user' AND after ->> 'role' = 'owner')
            OR ("table" = 'album' AND columns = 'ownerId'));
        INSERT INTO changing_album (id, owner, source_role)
        SELECT al.id, %(taker)s, max(j.before ->> 'role') FILTER (
            WHERE j.key ->> 'userId' = %(giver)s::text AND j.before ->> 'role' <> 'owner')
        FROM judged j JOIN v_album al ON al.id = coalesce(j.key ->> 'albumId', j.key ->> 'id')::uuid
        LEFT JOIN handed_over h ON h.id = al.id
        WHERE %(giver)s::uuid IS NOT NULL
          AND (j."table" = 'album_user' OR (j."table" = 'album' AND j.columns = 'ownerId'))
          AND coalesce(h.unchanged, j.unchanged AND EXISTS (
            SELECT FROM v_album_owner o WHERE o."albumId" = al.id AND o."userId" = %(taker)s))
        GROUP BY al.id;
        INSERT INTO album_copy
        SELECT aa."albumId", aa."assetId" FROM judged j JOIN v_album_asset aa
            ON aa."albumId" = (j.key ->> 'albumId')::uuid AND aa."assetId" = (j.key ->> 'assetId')::uuid
        WHERE j."table" = 'album_asset' AND j.unchanged
          AND (aa."albumId" IN (SELECT id FROM changing_album)
               OR aa."albumId" NOT IN (SELECT id FROM handed_over))
          -- but for what goes back to its photo
          AND NOT EXISTS (
            SELECT FROM v_activity c WHERE c."albumId" = aa."albumId" AND c."assetId" = aa."assetId"
              AND c.id NOT IN (
                SELECT (key ->> 'id')::uuid FROM judged WHERE "table" = 'activity' AND unchanged))
    """)
    lock_albums(tx)


def take_stock_of_undo(tx: Transaction) -> None:
    """take_stock() for what the journal names besides the photos."""
    run(tx, """
        INSERT INTO touched_group
        SELECT (key ->> 'personGroupId')::uuid FROM past WHERE "table" = 'person'
        UNION SELECT (before ->> 'personGroupId')::uuid FROM judged WHERE "table" = 'asset_face'
        UNION SELECT (after ->> 'personGroupId')::uuid FROM judged WHERE "table" = 'asset_face'
        UNION SELECT "personGroupId" FROM run_face;
        DELETE FROM touched_group WHERE grp IS NULL
    """)
    find_neighbours(tx, """
        INSERT INTO stack_concerned
            SELECT (key ->> 'id')::uuid FROM judged WHERE "table" = 'stack'
            UNION SELECT (before ->> 'stackId')::uuid FROM judged WHERE "table" = 'asset'
                AND columns = 'stackId'
            UNION SELECT (after ->> 'stackId')::uuid FROM judged WHERE "table" = 'asset'
                AND columns = 'stackId';
        INSERT INTO link_looked_at SELECT (key ->> 'id')::uuid FROM judged WHERE "table" = 'shared_link';
        INSERT INTO neighbour
            SELECT a.id, a."ownerId" FROM judged j JOIN v_asset a ON a.id = j.photo
            WHERE j."table" = 'asset' AND a.id NOT IN (SELECT id FROM run_photo)
    """)
    take_stock(tx, "SELECT grp FROM touched_group")
    # What third users have put into their memories and links since is theirs, as wrong as it is already, and
    # so is a picture whose face somebody has removed since.
    run(tx, """
        INSERT INTO exempt
        SELECT kind, key, owner FROM trouble_before
        WHERE (kind IN ('memory', 'link') AND owner NOT IN (%(giver)s, %(taker)s)) OR kind = 'featured'
    """)


def note_changes(tx: Transaction) -> None:
    """face_changed: faces on the photos that go back whose person somebody has changed since, to be told."""
    run(tx, """
        CREATE TEMP TABLE face_changed ON COMMIT DROP AS
        SELECT DISTINCT f.id FROM past p JOIN run_face f ON f.id = (p.key ->> 'id')::uuid
        WHERE p."table" = 'asset_face' AND p.columns = 'personGroupId'
          AND f."personGroupId"::text IS DISTINCT FROM coalesce(p.after, p.before) ->> 'personGroupId'
    """)


def spare_people(tx: Transaction) -> None:
    """spared: who stays as it is: people that the taker had before the run; people of the giver's who are not
    of the run's making, or were changed or shared since.

    The giver's nameless ones that have come since are what recognition makes, and go with their faces.
    """
    run(tx, """
        INSERT INTO spared
        SELECT p."ownerId", p."personGroupId"
        FROM v_person p JOIN touched_group t ON t.grp = p."personGroupId"
        CROSS JOIN LATERAL (
            SELECT jsonb_build_object('ownerId', p."ownerId", 'personGroupId', p."personGroupId") AS key) k
        WHERE p."ownerId" = %(giver)s
          AND (p.name <> '' OR k.key IN (
            SELECT key FROM past WHERE "table" = 'person' AND kind IN ('seen', 'removed')))
          AND (EXISTS (SELECT FROM v_person_user s WHERE s."personGroupId" = t.grp
              AND s."sharedById" = p."ownerId")
            OR NOT (
              k.key IN (SELECT key FROM judged WHERE "table" = 'person' AND kind = 'made' AND unchanged)
              -- given whole: what was set since goes along
              OR t.grp IN (
                SELECT (key ->> 'personGroupId')::uuid FROM judged
                    WHERE "table" = 'person' AND columns = 'ownerId'
                UNION
                SELECT (key ->> 'id')::uuid FROM judged
                    WHERE "table" = 'person_group' AND kind = 'changed')))
        UNION SELECT owner, grp FROM past_person WHERE owner = %(taker)s
        -- in whose place one is made anew, under the id that other undos know
        UNION SELECT %(giver)s, made.grp
        FROM unnest(%(given)s::uuid[], %(given_from)s::uuid[]) AS made (grp, former)
        WHERE made.grp <> made.former AND NOT EXISTS (
            SELECT FROM v_person p WHERE p."personGroupId" = made.former AND p."ownerId" = %(taker)s)
    """)


def find_home(tx: Transaction) -> None:
    """home: photos that this undo gives back, or that are whose they were before and that the run did not
    move.

    back: the records that may go back: as the run left them, and their photo, if any, is home.
    """
    run(tx, """
        CREATE TEMP TABLE home ON COMMIT DROP AS
            SELECT a.id FROM v_asset a JOIN past_owner o ON o.id = a.id AND o.owner = a."ownerId"
            WHERE a.id IN (SELECT id FROM run_photo) OR a.id NOT IN (SELECT id FROM returning_photo);
        ALTER TABLE home ADD PRIMARY KEY (id);
        ANALYZE home;
        CREATE TEMP VIEW back AS
            SELECT * FROM judged WHERE unchanged AND (photo IS NULL OR photo IN (SELECT id FROM home));
        -- whom faces show, or will show again
        CREATE TEMP TABLE face_then ON COMMIT DROP AS
            SELECT (before ->> 'personGroupId')::uuid AS grp FROM back
            WHERE "table" = 'asset_face' AND kind = 'changed'
            UNION SELECT "personGroupId" FROM run_face;
        ANALYZE face_then
    """)


# ---- putting back ------------------------------------------------------------------------------------------

# What must be so for a row r to go back, besides that all it points to is there. Three rules are asked
# before: a face of whose person the photo's owner has no row by now stays with whom it shows, so that the
# steps find the one whom that was made from; a person whose group is of another cluster group by now is made
# anew from whom the face shows; and a cover is one column of an album that may go back all the same.
SINCE = {table: [wanted] for thing in THINGS for table, wanted in thing.since.items()}
_ASKED_BEFORE = (("asset_face", "face", "f"), ("person", "person", "p"), ("album", "cover", "al"))
for _table, _kind, _alias in _ASKED_BEFORE:
    SINCE.setdefault(_table, []).append(f"""
        -- a person that was given whole has its former owner before its group has
        ('{_kind}' = 'person' AND b.kind = 'changed') OR NOT EXISTS (
            SELECT FROM {RULES[_kind].rows.replace(f"v_{_table} {_alias}", f"(SELECT r.*) {_alias}", 1)}
            WHERE {RULES[_kind].broken} AND NOT {exempt(_kind)})""")


def may_go_back(tx: Transaction, table: str, columns: Sequence[str]) -> str:
    """Whether the row r, as it would be, may be written: what it points to is there."""
    conditions = SINCE.get(table, ["true"]).copy()
    for target, links in KNOWN_LINKS.items():
        key = tx.schema.tables[target].key if target in tx.schema.tables else ()
        conditions += [
            f"""(r."{column}" IS NULL
                OR EXISTS (SELECT FROM v_{target} o WHERE o."{key[0]}" = r."{column}"))"""
            for column in columns
            if len(key) == 1 and f"{table}.{column}" in links
        ]
    return " AND ".join(f"({condition})" for condition in conditions)


def put_back(tx: Transaction, *tables: str) -> None:
    """UPDATE the columns that the run changed to what they were, then INSERT the rows that it removed, as far
    as they may go back; a newer Immich's columns get their defaults.
    """
    for table in tables:
        if table not in tx.schema.tables:
            continue  # a table of a newer Immich
        there = [new for _old, new in tx.schema.tables[table].columns]
        # not without a photo what had some
        held = "".join(
            f"""AND EXISTS (
                SELECT FROM back k WHERE k."table" = '{join}' AND k.key ->> '{column}' = r.id::text)"""
            for join, column, thing, _owner in HOLDERS.values()
            if thing == table
        )
        # what was written last first: up to 3.1 a person's owner is in the key of what was written afterwards
        for kind, names in rows(tx, """
            SELECT kind, coalesce(columns, string_agg(DISTINCT name, ','))
            FROM back, jsonb_object_keys(before) AS name WHERE "table" = %(table)s AND kind <> 'made'
            GROUP BY kind, columns ORDER BY kind, min(step) DESC
        """, table=table):
            written = [name for name in there if name in names.split(",")]
            fits = may_go_back(tx, table, written)
            if kind == REMOVED:
                add(tx, table, written, f"""
                    SELECT {_list("r", written)}
                    FROM back b, jsonb_populate_record(NULL::v_{table}, b.before) r
                    WHERE b."table" = '{table}' AND b.kind = 'removed' AND {fits} {held}
                """)
                continue
            columns = [name for name in written if name not in STAMPS[1:3]]
            change(tx, table, columns, f"""
                SELECT {_list("t", tx.schema.tables[table].key)}, {_list("r", columns)},
                    {_marked("t", columns, "old ")}
                FROM back b JOIN v_{table} t ON {_recorded("b", record_key(tx, table))}
                CROSS JOIN LATERAL jsonb_populate_record(t, b.before) r
                WHERE b."table" = '{table}' AND b.kind = 'changed' AND b.columns = %(names)s AND {fits}
            """, known=table == "asset_face", names=names)


def take_back_made(tx: Transaction, table: str, unused: str) -> int:
    """DELETE the rows that the run made, that are as it made them, and `unused`, asked of the row t."""
    if table not in tx.schema.tables:
        return 0  # a table of a newer Immich
    return remove(tx, table, f"""
        SELECT {_list("t", tx.schema.tables[table].key)}
        FROM back b JOIN v_{table} t ON {_recorded("b", record_key(tx, table))}
        WHERE b."table" = '{table}' AND b.kind = 'made' AND ({unused})
    """)


def put_back_people(tx: Transaction) -> None:
    """People and the links of faces to them.

    Where the run took a featured photo away, its picture is to be drawn anew: the former file may be gone. No
    row has named it since, so Immich lists it as untracked (integrity report, 3.0), with a button to delete
    it; and of pictures that are missing its job draws those alone whose path is empty. mend_featured() looks
    at all of these afterwards.
    """
    run(tx, """
        -- whose the people of then are: every user's row that there was
        CREATE TEMP TABLE past_person ON COMMIT DROP AS
        SELECT DISTINCT (key ->> 'ownerId')::uuid AS owner, (key ->> 'personGroupId')::uuid AS grp FROM past
        WHERE "table" = 'person' AND kind = 'seen';
        CREATE INDEX ON past_person (grp);
        ANALYZE past_person;
        -- nothing to put back, or a picture that stays with its photo
        DELETE FROM judged
        WHERE "table" = 'person' AND kind = 'changed' AND (
            before -> 'faceAssetId' = after -> 'faceAssetId' OR EXISTS (
                SELECT FROM v_asset_face f JOIN returning_photo r ON r.id = f."assetId"
                WHERE f.id = (before ->> 'faceAssetId')::uuid AND r.id NOT IN (SELECT id FROM home)));
        UPDATE judged SET before = before || '{"thumbnailPath": ""}' || CASE WHEN kind = 'removed' THEN
            -- a featured face that has gone since would break the foreign key
            jsonb_build_object('faceAssetId', (
                SELECT f.id FROM v_asset_face f WHERE f.id = (before ->> 'faceAssetId')::uuid))
            ELSE '{}' END
        WHERE "table" = 'person' AND before ? 'faceAssetId'
    """)
    put_back(tx, "person_group", "person")
    # a face may be as wrong as before only with those who had its person then
    run(tx, """
        DELETE FROM exempt x WHERE x.kind = 'face' AND EXISTS (
            SELECT FROM past_person k
            WHERE k.grp = split_part(x.key, ' ', 2)::uuid AND NOT EXISTS (
                SELECT FROM v_person p WHERE p."personGroupId" = k.grp AND p."ownerId" = k.owner))
    """)
    put_back(tx, "asset_face")
    put_back_shares(tx)
    keep_what_was_set(tx)


def put_back_shares(tx: Transaction) -> None:
    """Shares of people (3.3). person_user_after_insert fills an empty name or birth date: both were empty
    then too.
    """
    run(tx, """
        CREATE TEMP TABLE recipient ON COMMIT DROP AS
        SELECT o."ownerId", o."personGroupId", o.name, o."birthDate" FROM v_person o
        JOIN back b ON b."table" = 'person_user' AND b.kind = 'removed'
            AND o."ownerId" = (b.before ->> 'sharedWithId')::uuid
            AND o."personGroupId" = (b.before ->> 'personGroupId')::uuid
    """)
    put_back(tx, "person_user")
    # what the giver shared since the run in the taker's place
    take_back_made(tx, "person_user", """
        EXISTS (
            SELECT FROM v_person_user s WHERE s."personGroupId" = t."personGroupId"
              AND s."sharedWithId" = t."sharedWithId" AND s."sharedById" = %(taker)s)
        OR t."sharedWithId" = %(giver)s
    """)
    change(tx, "person", ("name", "birthDate"),
        'SELECT "ownerId", "personGroupId", name, "birthDate" FROM recipient')


def keep_what_was_set(tx: Transaction) -> None:
    """What was set on people since goes back with their faces.

    From 3.2, inside one cluster group, the run made the giver's row from the one that it removed. Whom the
    undo of another run has made anew becomes one with the person who is back now, unless somebody else knows
    that person by now. A nameless person takes over the name that was given since.
    """
    run(tx, """
        CREATE TEMP TABLE anew ON COMMIT DROP AS
        SELECT DISTINCT m.grp, m.back
        FROM unnest(%(made_anew)s::uuid[], %(given_from)s::uuid[]) AS m (grp, back)
        JOIN v_person a ON a."personGroupId" = m.grp AND a."ownerId" = %(taker)s
        JOIN v_person b ON b."personGroupId" = m.back AND b."ownerId" = %(taker)s
        JOIN v_person_group g ON g.id = m.back
        JOIN v_user u ON u.id = %(taker)s AND u."clusterGroupId" = g."clusterGroupId"
        WHERE NOT EXISTS (
            SELECT FROM v_person p WHERE p."personGroupId" = m.grp AND p."ownerId" <> %(taker)s)
          AND NOT EXISTS (SELECT FROM v_person_user s WHERE s."personGroupId" = m.grp);
        INSERT INTO touched_group SELECT grp FROM anew EXCEPT SELECT grp FROM touched_group
    """)
    columns = ("name", "birthDate", "isHidden", "isFavorite", "color")
    change(tx, "person", columns, f"""
        WITH pair AS (
            SELECT back AS mine, %(taker)s::uuid AS owner, grp AS theirs FROM anew
            UNION ALL
            SELECT p.grp, %(giver)s::uuid, p.grp
            FROM judged m JOIN judged r ON r."table" = m."table" AND r.kind = 'removed'
                AND r.key = m.key || jsonb_build_object('ownerId', %(taker)s::text)
            CROSS JOIN LATERAL (SELECT (m.key ->> 'personGroupId')::uuid AS grp) p
            WHERE m."table" = 'person' AND m.kind = 'made' AND NOT m.unchanged
              AND m.key ->> 'ownerId' = %(giver)s::text
        )
        SELECT mine."ownerId", mine."personGroupId", {_list("theirs", columns)}
        FROM pair JOIN v_person mine ON mine."personGroupId" = pair.mine AND mine."ownerId" = %(taker)s
        JOIN v_person theirs ON theirs."personGroupId" = pair.theirs AND theirs."ownerId" = pair.owner
    """)
    change(tx, "asset_face", ("personGroupId",), """
        SELECT f.id, anew.back AS "personGroupId"
        FROM anew JOIN v_asset_face f ON f."personGroupId" = anew.grp
    """)
    remove(tx, "person", 'SELECT %(taker)s::uuid AS "ownerId", grp AS "personGroupId" FROM anew')
    remove(tx, "person_group", "SELECT grp AS id FROM anew")
    change(tx, "person", ("name",), """
        WITH pair AS (
            SELECT * FROM unnest(%(nameless)s::uuid[], %(nameless_from)s::uuid[]) AS made (theirs, mine)
            -- from 3.2 both may have known the same person
            UNION SELECT grp, grp FROM past, CAST(key ->> 'personGroupId' AS uuid) AS grp
            WHERE "table" = 'person' AND kind = 'seen' AND key ->> 'ownerId' = %(giver)s::text
              AND before ->> 'name' = ''
        )
        SELECT mine."ownerId", mine."personGroupId", max(theirs.name) AS name
        FROM pair
        JOIN v_person mine ON mine."personGroupId" = pair.mine AND mine."ownerId" = %(taker)s
            AND mine.name = ''
        JOIN v_person theirs ON theirs."personGroupId" = pair.theirs AND theirs."ownerId" = %(giver)s
            AND theirs.name <> ''
        GROUP BY mine."ownerId", mine."personGroupId"
    """)


def put_back_stacks(tx: Transaction) -> None:
    """Stacks that the run split: the members find together again. step_stacks() gives them to their owner."""
    columns = [new for _old, new in tx.schema.tables["stack"].columns]
    run(tx, f"""
        CREATE TEMP TABLE member_back ON COMMIT DROP AS
        SELECT a.id, s.id AS stack, a."stackId" AS made
        FROM back m JOIN v_asset a ON a.id = m.photo JOIN (
            SELECT id FROM v_stack
            UNION ALL
            SELECT r.id FROM back b CROSS JOIN LATERAL jsonb_populate_record(NULL::v_stack, b.before) r
            WHERE b."table" = 'stack' AND b.kind = 'removed' AND {may_go_back(tx, "stack", columns)}
        ) s ON s.id = (m.before ->> 'stackId')::uuid
        WHERE m."table" = 'asset' AND m.columns = 'stackId'
    """)
    change(tx, "asset", ("stackId",),
        'SELECT id, NULL::uuid AS "stackId" FROM member_back WHERE made IS NOT NULL')
    dissolve_emptied_stacks(tx)
    put_back(tx, "stack")
    change(tx, "asset", ("stackId",), 'SELECT id, stack AS "stackId" FROM member_back')


def dissolve_emptied_stacks(tx: Transaction) -> None:
    """Stacks that have lost members: with less than two they go, else they get another primary if they lost
    theirs.
    """
    run(tx, """
        CREATE TEMP TABLE emptied ON COMMIT DROP AS
        SELECT s.id, (SELECT count(*) FROM v_asset a WHERE a."stackId" = s.id) AS members
        FROM v_stack s WHERE s.id IN (SELECT made FROM member_back)
    """)
    change(tx, "asset", ("stackId",), """
        SELECT a.id, NULL::uuid AS "stackId" FROM v_asset a JOIN emptied e ON e.id = a."stackId"
        WHERE e.members < 2
    """)
    remove(tx, "stack", "SELECT id FROM emptied WHERE members < 2")
    change(tx, "stack", ("primaryAssetId",), """
        SELECT DISTINCT ON (s.id) s.id, a.id AS "primaryAssetId"
        FROM v_stack s JOIN emptied USING (id) JOIN v_asset a ON a."stackId" = s.id
        WHERE NOT EXISTS (SELECT FROM v_asset p WHERE p.id = s."primaryAssetId" AND p."stackId" = s.id)
        ORDER BY s.id, a."deletedAt" IS NOT NULL, a."fileCreatedAt", a.id
    """)


def put_back_albums(tx: Transaction) -> None:
    """Owners, members and covers of albums, then the copies that were put into them."""
    put_back(tx, "activity")  # before the copies leave
    columns = [new for _old, new in tx.schema.tables["album_user"].columns]
    run(tx, f"""
        CREATE TEMP TABLE owner_row ON COMMIT DROP AS
        SELECT {_list("u", columns)} FROM v_album_user u JOIN changing_album c ON c.id = u."albumId"
        JOIN handed_over h ON h.id = c.id WHERE u."userId" = %(taker)s
    """)
    # as hand_over_albums(), for the same reasons, and with the same row as before where there is one
    remove(tx, "album_user", 'SELECT "albumId", "userId" FROM owner_row')
    if tx.schema.album_owner_rows:
        demote_owners(tx)
        run(tx, "UPDATE owner_row SET role = 'owner'")
        add(tx, "album_user", columns, f"SELECT {_list('r', columns)} FROM owner_row r")
    put_back(tx, "album_user", "album")
    if tx.schema.album_owner_rows:
        add(tx, "album_user", ("albumId", "userId", "role"),
            "SELECT c.id, c.owner, 'owner' FROM changing_album c JOIN handed_over USING (id)")
    take_back_made(tx, "album_user", """
        t."albumId" IN (SELECT id FROM changing_album) OR (%(one_person)s AND EXISTS (
            SELECT FROM v_album_user m WHERE m."albumId" = t."albumId" AND m."userId" = %(taker)s))
    """)
    remove(tx, "album_asset", """
        SELECT c."albumId", c."assetId" FROM album_copy c JOIN v_album al ON al.id = c."albumId"
        WHERE al."albumThumbnailAssetId" IS DISTINCT FROM c."assetId" AND NOT EXISTS (
            SELECT FROM v_activity a WHERE a."albumId" = c."albumId" AND a."assetId" = c."assetId")
    """)


def put_back_partners(tx: Transaction) -> None:
    """Partners, where the other account has them still; those that it has got from the run it has no more."""
    put_back(tx, "partner")
    take_back_made(tx, "partner", is_joined("t", "giver", "taker"))


def put_back_tags(tx: Transaction) -> None:
    """The tags of the photos; the one that had taken a tag's place goes."""
    put_back(tx, "tag_asset")
    take_back_made(tx, "tag_asset", """
        (t."assetId", t."tagId") IN (
            SELECT (j.key ->> 'assetId')::uuid, mine.id
            FROM journal j JOIN v_tag o ON o.id = (j.key ->> 'tagId')::uuid
            JOIN v_tag mine ON mine.value = o.value
            WHERE j."table" = 'tag_asset' AND j.kind = 'made')
    """)


def put_back_duplicates(tx: Transaction) -> None:
    """Groups of duplicates, of Immich's job: as they were, whole, if it has not run since."""
    change(tx, "asset", ("duplicateId",), """
        WITH member AS (
            -- who was in the groups; in the trash they are only if they were
            SELECT p.before ->> 'duplicateId' AS grp, b.photo, (
                    b.photo IS NOT NULL OR a."duplicateId"::text = p.before ->> 'duplicateId')
                AND (a."deletedAt" IS NULL OR EXISTS (
                    SELECT FROM past o WHERE o."table" = 'asset' AND o.kind = 'seen' AND o.key = p.key
                      AND o.before ->> 'deletedAt' IS NOT NULL)) AS there
            FROM past p LEFT JOIN v_asset a ON a.id = (p.key ->> 'id')::uuid
            LEFT JOIN back b ON b."table" = 'asset' AND b.columns = 'duplicateId' AND b.key = p.key
            WHERE p."table" = 'asset' AND p.columns = 'duplicateId'
        )
        SELECT DISTINCT photo AS id, grp::uuid AS "duplicateId" FROM member
        WHERE photo IS NOT NULL AND grp NOT IN (SELECT grp FROM member WHERE there IS NOT TRUE)
    """)
    put_back(tx, "asset_job_status")


PUT_BACK: tuple[tuple[str, Callable[[Transaction], None]], ...] = (
    ("People and faces", put_back_people),
    ("Stacks", put_back_stacks),
    ("Memories", lambda tx: put_back(tx, "memory", "memory_asset")),
    ("Albums", put_back_albums),
    ("Public links", lambda tx: put_back(tx, "shared_link", "shared_link_asset")),  # after the albums
    ("Partners", put_back_partners),
    ("Tags", put_back_tags),
    ("Groups of duplicates", put_back_duplicates),
)


def remove_made_tags(tx: Transaction) -> None:
    """Tags that the run made go if nobody touched them since and nothing hangs on them."""
    run(tx, """
        CREATE TEMP TABLE tag_unused ON COMMIT DROP AS
        WITH made AS (
            SELECT t.* FROM judged j JOIN v_tag t ON t.id = (j.key ->> 'id')::uuid
            WHERE j."table" = 'tag' AND j.unchanged
              AND NOT EXISTS (SELECT FROM v_tag_asset ta WHERE ta."tagId" = t.id))
        SELECT m.id FROM made m WHERE NOT EXISTS (
            SELECT FROM v_tag t WHERE t."userId" = m."userId" AND starts_with(t.value, m.value || '/')
              AND t.id NOT IN (SELECT id FROM made))
    """)
    remove(tx, "tag_closure", """
        SELECT c.id_ancestor, c.id_descendant FROM v_tag_closure c
        WHERE c.id_descendant IN (SELECT id FROM tag_unused) OR c.id_ancestor IN (SELECT id FROM tag_unused)
    """)
    # of a tag that was there and that search did not find: it needs that row as long as it has photos
    take_back_made(tx, "tag_closure", """
        NOT EXISTS (SELECT FROM v_tag_asset ta WHERE ta."tagId" = t.id_descendant)
           AND t.id_descendant NOT IN (SELECT (key ->> 'id')::uuid FROM judged WHERE "table" = 'tag')
    """)
    remove(tx, "tag", "SELECT id FROM tag_unused")


def remove_made_people(tx: Transaction) -> None:
    """People that the run made go if nobody touched them since and no photo shows them."""
    run(tx, f"""
        CREATE TEMP TABLE made_person ON COMMIT DROP AS
        SELECT t."ownerId", t."personGroupId", t.name, j.told, NOT j.unchanged OR EXISTS (
                SELECT FROM v_person_user s
                WHERE s."personGroupId" = t."personGroupId"
                  AND t."ownerId" IN (s."sharedById", s."sharedWithId"))
                AS changed,
            EXISTS (
                -- all of its faces: PostgreSQL would look for the first among everybody's
                SELECT FROM (
                    SELECT * FROM v_asset_face f
                    WHERE f."personGroupId" = t."personGroupId" AND f."deletedAt" IS NULL OFFSET 0) f
                CROSS JOIN LATERAL (SELECT * FROM v_asset a WHERE a.id = f."assetId" OFFSET 0) a
                JOIN v_person_group g ON g.id = f."personGroupId"
                WHERE a."ownerId" = t."ownerId" AND NOT {exempt("face")})
                AS in_use
        FROM (
            SELECT key, after, unchanged, true AS told FROM judged WHERE "table" = 'person' AND kind = 'made'
            UNION ALL
            -- made by another run, and left by its undo since it was on the photos of this one
            SELECT s.key, s.after, true, false
            FROM past s JOIN v_person t ON {_recorded("s", RECORD_KEYS["person"])}
            WHERE s."table" = 'person' AND s.kind = 'seen' AND t."ownerId" = %(giver)s
              AND t."personGroupId" = ANY (%(made_by_undone)s::uuid[]) AND to_jsonb(t) @> s.before
        ) j JOIN v_person t ON {_recorded("j", RECORD_KEYS["person"])}
    """)
    # deleted faces would keep the link to a person that goes
    change(tx, "asset_face", ("personGroupId",), f"""
        SELECT f.id, NULL::uuid AS "personGroupId"
        FROM made_person m JOIN v_asset_face f USING ("personGroupId") JOIN v_asset a ON a.id = f."assetId"
        LEFT JOIN v_person_group g ON g.id = f."personGroupId"
        WHERE NOT m.changed AND NOT m.in_use AND f."deletedAt" IS NOT NULL AND a."ownerId" = m."ownerId"
          AND NOT {exempt("face")}
    """)
    remove(
        tx, "person", 'SELECT "ownerId", "personGroupId" FROM made_person WHERE NOT changed AND NOT in_use'
    )
    # made by the run, or of a person whose faces have gone since
    remove(tx, "person_group", """
        SELECT g.id FROM touched_group t JOIN v_person_group g ON g.id = t.grp
        WHERE NOT EXISTS (SELECT FROM v_person p WHERE p."personGroupId" = g.id)
          AND NOT EXISTS (SELECT FROM v_asset_face f WHERE f."personGroupId" = g.id)
    """)


# ---- the report --------------------------------------------------------------------------------------------


def undo_digest(tx: Transaction) -> str:
    """What ties the undo to its analysis: photos, records that go back, each person's decision."""
    return str(one_value(tx, """
        SELECT encode(sha256(convert_to(concat_ws(E'\\n',
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM run_photo),
            (SELECT string_agg(id::text || reason, ',' ORDER BY id) FROM staying_photo),
            (SELECT string_agg(step || kind, ',' ORDER BY step, kind) FROM back),
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM changing_library),
            (SELECT string_agg(id::text, ',' ORDER BY id) FROM changing_album),
            (SELECT string_agg(concat_ws(' ', grp, action), ',' ORDER BY grp) FROM people)), 'UTF8')), 'hex')
    """))


def undo_report(tx: Transaction, report: Report) -> Report:
    """What an undo did, or would do: the counts are those of the rows that it wrote."""
    stays = rows(tx,
        "SELECT reason, array_agg(name ORDER BY name, id) FROM staying_photo GROUP BY reason ORDER BY reason")
    people = rows(tx, """
        SELECT name, changed FROM made_person WHERE told AND (changed OR in_use)
        ORDER BY name, "personGroupId"
    """)
    written = """SELECT count(DISTINCT {}) FROM {} WHERE "table" = '{}' AND {}"""
    given, removed, parted = people_counted(tx)
    return Report(
        digest=undo_digest(tx),
        assets=0 if tx.values["is_repair"] else one_value(tx, "SELECT count(*) FROM run_photo"),
        stays=tuple((reason, tuple(names)) for reason, names in stays),
        faces=one_value(
            tx, written.format("id", "journal_id", "asset_face", "after ->> 'personGroupId' IS NOT NULL")
        ),
        lost=lost_things(tx),
        storage=report.storage,
    ).plus(
        faces_changed=one_value(tx, "SELECT count(*) FROM face_changed"),
        people_given=given,
        people_removed=removed,
        people_parted=parted,
        people_kept=tuple(
            (name, "changed since" if changed else "still on photos") for name, changed in people
        ),
        albums_back=one_value(tx, "SELECT count(*) FROM changing_album JOIN handed_over USING (id)"),
        albums_shared=one_value(tx,
            "SELECT count(*) FROM changing_album WHERE id NOT IN (SELECT id FROM handed_over)"),
        copies_kept=tuple(rows(tx, """
            SELECT a."originalFileName", al."albumName" FROM judged j
            JOIN v_album_asset aa ON aa."albumId" = (j.key ->> 'albumId')::uuid
                AND aa."assetId" = (j.key ->> 'assetId')::uuid
            JOIN v_asset a ON a.id = aa."assetId" JOIN v_album al ON al.id = aa."albumId"
            WHERE j."table" = 'album_asset' AND j.kind = 'made' ORDER BY 2, 1, a.id
        """)),
        links_back=links_put_back(tx),
        tags_taken=one_value(tx, """
            SELECT count(*) FROM judged j JOIN v_tag t ON t.id = (j.key ->> 'tagId')::uuid
            WHERE j."table" = 'tag_asset' AND j.kind = 'removed' AND j.photo IN (SELECT id FROM run_photo)
              AND NOT EXISTS (SELECT FROM v_tag_asset ta WHERE ta."assetId" = j.photo AND ta."tagId" = t.id)
        """),
        tags_kept=one_value(tx, """
            SELECT count(*) FROM judged JOIN v_tag ON id = (key ->> 'id')::uuid WHERE "table" = 'tag'
        """),
        libraries_back=tuple(library.name for library in libraries_listed(tx)),
        libraries_kept=tuple(
            rows(tx, "SELECT name, reason FROM kept_library ORDER BY lower(name), name, id")
        ),
        comments_back=one_value(tx, written.format("id", "journal_id", "activity", "after ? 'assetId'")),
        account_back=one_value(tx, """
            SELECT coalesce(sum(rows), 0) FROM journal WHERE %(one_person)s AND (
                (kind = 'made' AND ("table" = 'partner' OR ("table" = 'album_user'
                    AND (key ->> 'albumId')::uuid NOT IN (SELECT id FROM handed_over))))
                OR ("table" = 'activity' AND after ? 'userId'))
        """),
        besides=one_value(tx, """
            SELECT coalesce(sum(rows), 0) FROM journal
            WHERE (%(is_repair)s OR NOT EXISTS (SELECT FROM run_photo))
              AND kind IN ('made', 'removed', 'changed')
              AND "table" NOT IN ('asset_face', 'activity', 'session', 'user')
        """),
    )


def links_put_back(tx: Transaction) -> tuple[str, ...]:
    """What the public links are called that an undo gave photos or their album back."""
    return tuple(name for (name,) in rows(tx, """
        SELECT coalesce(nullif(l.slug, ''), nullif(l.description, ''), al."albumName", '')
        FROM v_shared_link l LEFT JOIN v_album al ON al.id = l."albumId"
        WHERE l.id IN (
            SELECT id FROM journal_id WHERE "table" = 'shared_link'
            UNION SELECT h."sharedLinkId" FROM journal j JOIN v_shared_link_asset h
                ON h."assetId" = (j.key ->> 'assetId')::uuid
                    AND h."sharedLinkId" = (j.key ->> 'sharedLinkId')::uuid
            WHERE j."table" = 'shared_link_asset' AND j.kind = 'made')
        ORDER BY 1, l.id
    """))


def people_counted(tx: Transaction) -> tuple[int, int, int]:
    """How many people go back, how many that the run made are removed, and how many merged ones are two
    again: the numbers that the run told of them as transferred, duplicated and merged.
    """
    return tuple(map(int, rows(tx, """
        SELECT (
            SELECT count(DISTINCT grp)
            FROM unnest(%(transferred)s::text[]) AS grp
            LEFT JOIN unnest(%(given_from)s::text[], %(made_anew)s::text[]) AS made (former, anew)
                ON former = grp
            JOIN journal j ON j."table" = 'person' AND j.key ->> 'personGroupId' IN (grp, anew)
            WHERE (j.kind = 'made' AND j.key ->> 'ownerId' IS DISTINCT FROM %(giver)s::text)
               OR (j.kind = 'changed' AND j.after ? 'ownerId')
        ), (
            SELECT count(DISTINCT key) FROM journal
            WHERE "table" = 'person' AND kind = 'removed' AND key ->> 'personGroupId' = ANY (%(duplicated)s)
        ), (
            SELECT count(DISTINCT after ->> 'personGroupId') FROM journal
            WHERE "table" = 'asset_face' AND after ->> 'personGroupId' = ANY (%(merged)s))
    """)[0]))  # type: ignore[return-value]


def lost_things(tx: Transaction) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What the undo could not give back although the photos are back: (what, names)."""
    found = rows(tx, """
        SELECT 'album', al."albumName", al.id::text FROM v_album al JOIN handed_over h USING (id)
            WHERE NOT h.unchanged
        UNION ALL
        SELECT 'member', concat(u.name, ' <', u.email, '>: ', al."albumName"), concat(al.id, u.id)
        FROM judged j JOIN v_album al ON al.id::text = j.key ->> 'albumId'
        JOIN v_user u ON u.id::text = j.key ->> 'userId'
        WHERE j."table" = 'album_user' AND j.before ->> 'role' <> 'owner' AND %(giver)s::uuid IS NOT NULL
          AND al.id NOT IN (SELECT id FROM handed_over WHERE NOT unchanged) AND NOT EXISTS (
            SELECT FROM v_album_user m
            WHERE m."albumId" = al.id AND m."userId" = u.id AND m.role::text = j.before ->> 'role')
        UNION ALL
        SELECT DISTINCT 'memory', '', j.key ->> 'memoriesId' FROM judged j
        WHERE j."table" = 'memory_asset' AND j.kind = 'removed' AND j.photo IN (SELECT id FROM home)
            AND NOT EXISTS (
            SELECT FROM v_memory_asset ma
            WHERE ma."memoriesId" = (j.key ->> 'memoriesId')::uuid AND ma."assetId" = j.photo)
        UNION ALL
        SELECT DISTINCT 'link', coalesce(l.slug, ''), j.key ->> 'sharedLinkId' FROM judged j
        LEFT JOIN v_shared_link l ON l.id = (j.key ->> 'sharedLinkId')::uuid
        WHERE j."table" = 'shared_link_asset' AND j.kind = 'removed' AND j.photo IN (SELECT id FROM home)
          AND NOT EXISTS (
            SELECT FROM v_shared_link_asset la
            WHERE la."sharedLinkId" = (j.key ->> 'sharedLinkId')::uuid AND la."assetId" = j.photo)
        UNION ALL
        SELECT 'link', coalesce(l.slug, ''), l.id::text FROM judged j
        JOIN v_shared_link l ON l.id = (j.key ->> 'id')::uuid
        WHERE j."table" = 'shared_link' AND j.kind = 'changed' AND l."userId"::text <> j.before ->> 'userId'
          AND (l."albumId" IN (SELECT id FROM changing_album) OR EXISTS (
            SELECT FROM v_shared_link_asset h JOIN home ON home.id = h."assetId"
            WHERE h."sharedLinkId" = l.id))
        UNION ALL
        SELECT 'stack', a."originalFileName", a.id::text FROM judged j JOIN v_asset a ON a.id = j.photo
        WHERE j."table" = 'asset' AND j.columns = 'stackId' AND j.before ->> 'stackId' IS NOT NULL
          AND j.photo IN (SELECT id FROM run_photo)
            AND a."stackId" IS DISTINCT FROM (j.before ->> 'stackId')::uuid
        UNION ALL
        SELECT 'person', j.before ->> 'name', j.key ->> 'personGroupId' FROM judged j
        WHERE j."table" = 'person' AND j.kind = 'removed' AND (j.key ->> 'personGroupId')::uuid IN (
                SELECT grp FROM face_then)
          AND NOT EXISTS (
            SELECT FROM v_person p WHERE p."personGroupId" = (j.key ->> 'personGroupId')::uuid
              AND p."ownerId" = (j.key ->> 'ownerId')::uuid)
        UNION ALL
        SELECT 'library', p.before ->> 'name', p.key ->> 'id' FROM past p
        WHERE p."table" = 'library' AND p.kind = 'seen'
          AND (p.key ->> 'id')::uuid NOT IN (SELECT id FROM v_library)
        ORDER BY 1, 2, 3
    """)
    return tuple(
        (what, tuple(name for kind, name, _id in found if kind == what))
        for what in LOST
        if any(kind == what for kind, *_rest in found)
    )


# ============================================================================================================
# 10  FILES: move files into their owners' folders
#
#    When an account is deleted Immich removes upload/<id>, library/<label or id>, thumbs/<id>,
#    encoded-video/<id> and profile/<id> without asking whose files lie there (user.service: handleUserDelete,
#    all versions). So a file that lies in another user's folder gets the same path in its owner's, like this:
#        its new name (a hard link; where links are impossible a copy, verified), flushed to disk
#        the path in the database, if every row still says the old one
#        the old name removed
#    At every moment the path that the database says exists. Immich may be running meanwhile.
#
#    Whatever happened, the disk follows the database. A list of moves, JSON lines that are only ever added
#    to, has the two names of each file before anything is done with it. After a kill, a full disk or the
#    restore of an older database the name that a row says is made from the other one, and what no row says
#    goes: see settle(). A move is not taken back: files belong into their owners' folders.
# ============================================================================================================

# What lies in a user's folder. library/ goes by the user's storage label where there is one, the others by
# the id (StorageCore.getFolderLocation and getLibraryFolder, all versions).
USER_FOLDERS = ("upload", "library", "thumbs", "encoded-video", "profile")

# Kinds of files: code -> words, in the order of a report. The first ones are asset_file.type, as Immich has
# them.
FILE_KINDS = {
    "original": ("original", "originals"),
    "motion": ("motion video (of an Android photo)", "motion videos (of Android photos)"),
    "sidecar": ("sidecar", "sidecars"),
    "thumbnail": ("thumbnail", "thumbnails"),
    "preview": ("preview", "previews"),
    "fullsize": ("full size", "full sizes"),
    "edited": ("edited version", "edited versions"),
    "encoded_video": ("encoded video", "encoded videos"),
    "person": ("picture of a person", "pictures of people"),
    "profile": ("profile picture", "profile pictures"),
    "other": ("other file", "other files"),
}

# Why a file stays where it is: code -> words, in the order of a report.
FILE_REASONS = {
    "missing": "not there",
    "shared": "used by photos of two owners",
    "external": "a file of an external library",
    "elsewhere": "its path is not one of Immich's media folder: it cannot be told where it lies",
    "paths": "the database has two paths for it",
    "label": "its folder is two users': the storage label of one is the other's id (change that label)",
    "odd": "its path is not a plain one",
    "link": "a symbolic link is on the way",
    "not_a_file": "not a plain file, or a file where a folder should be",
    "deleting": "being deleted by Immich",
    "leaving": "its owner's account is being deleted",
    "unfinished": "a file move of Immich's is unfinished (run its storage template or migration job)",
    "read_only": "its folder, or the new one, cannot be written",
    "taken": "another file has that name",
    "changed": "changed meanwhile, by Immich or by a person",
    "checksum": "the original is not what its checksum in the database says",
    "failed": "the system refused",
}

MOVES = "moved-files.jsonl"  # the list, in the folder of the undo files
MOVES_SIZE = 2**30  # bytes: a few hundred for each of some million files

# A batch is one line of the list and one transaction. It ends after so many files, or seconds of making
# new names: until its commit no row says them (see forget_untracked()), and copies are on the disk twice.
BATCH_FILES, BATCH_SECONDS = 1000, 2

# Hard links are not possible here, a copy may be: another file system, one without links, one with too many.
NO_LINKS = frozenset((errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK))
# What will meet the next file too: the run ends with what it has done.
NO_DISK = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENODEV, errno.ESTALE))


# Every column of Immich's that names a file in a user's folder: the table, its key, the column.
PLACES = {
    "asset.originalPath": ("v_asset", "id", "originalPath"),
    "asset.sidecarPath": ("v_asset", "id", "sidecarPath"),  # up to 2.3
    "asset.encodedVideoPath": ("v_asset", "id", "encodedVideoPath"),  # up to 2.5
    "asset_file.path": ("v_asset_file", "id", "path"),
    "person.thumbnailPath": ("v_person", "personGroupId", "thumbnailPath"),  # 3.2 on: a row for each owner
    "user.profileImagePath": ("v_user", "id", "profileImagePath"),
}

class MoveStopped(TransferError):
    """A move of files broke off; what had moved until then is complete."""


class LabelOdd(TransferError):
    """A user's storage label leads out of the folders of accounts, so nobody can tell what is in them."""


@dataclass(frozen=True)
class Media:
    """Immich's media folder: how paths in the database begin, without a slash at the end, and where it is
    here.
    """

    root: str
    folder: Path


@dataclass(frozen=True)
class Move:
    """A file that gets another path; `old` and `new` are paths below the media folder. `path` is what the
    rows say before: an older mount's name for `old`, perhaps.

    `uses` are the rows that name it: key of PLACES, id, owner. `asset` is the photo that it belongs to, if it
    is one alone. `checksum` is what the database says of an
    original, sha1 in hex, or ''. `stamp` is the file's inode, size in bytes and time of change in ns, as seen
    before anything was done with it.
    """

    old: str
    new: str
    path: str
    kind: str
    name: str
    uses: tuple[tuple[str, str, str], ...]
    asset: str = ""
    checksum: str = ""
    stamp: tuple[int, int, int] = (0, 0, 0)

    @property
    def told(self) -> str:
        """The file as it is named to people."""
        return f"{clean(self.name)}: {clean(self.path)}" if self.name else clean(self.path)


@dataclass
class MoveReport:
    """What a move of files would do, or has done; it is filled on the way. Files are named by Move.told."""

    moves: list[Move] = field(default_factory=list)
    stays: list[tuple[str, str]] = field(default_factory=list)  # (code of FILE_REASONS, file)
    renamed: list[tuple[str, str]] = field(default_factory=list)  # (file, new path): its name was taken
    copied: int = 0  # not linked: links are impossible there
    untracked: int = 0  # were on Immich's report of untracked files, and are off it
    old_names: list[str] = field(default_factory=list)  # moved, and the old name could not be removed
    stopped: str = ""  # why the run ended before its end
    missing: tuple[int | None, int | None] = (None, None)  # as Immich looked before, and after
    digest: str = ""  # a move is not tied to what was shown: each file is looked at again

    @property
    def files(self) -> int:
        """How many move."""
        return len(self.moves)

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(move.stamp[1] for move in self.moves)

    @property
    def kinds(self) -> list[tuple[str, int, int]]:
        """(code of FILE_KINDS, files, bytes)."""
        sizes = {kind: [move.stamp[1] for move in self.moves if move.kind == kind] for kind in FILE_KINDS}
        return [(kind, len(found), sum(found)) for kind, found in sizes.items() if found]

    @property
    def reasons(self) -> list[tuple[str, list[str]]]:
        """(code of FILE_REASONS, files)."""
        named = {why: sorted(told for reason, told in self.stays if reason == why) for why in FILE_REASONS}
        return [(why, files) for why, files in named.items() if files]


class FileStays(Exception):
    """This one file stays where it is; the argument is a code of FILE_REASONS."""


# ---- which files lie where ---------------------------------------------------------------------------------


def create_file_row(tx: Transaction) -> None:
    """The temporary view file_row: each row that names a file, with its owner. `external`: a library's own
    file.

    It is read whole, so nothing is in it that costs time.
    """
    # edited versions came with 2.5
    edited = 'f."isEdited"' if _has_column(tx, "asset_file", "isEdited") else "false"
    run(tx, f"""
        CREATE OR REPLACE TEMP VIEW file_row AS
        SELECT 'asset.originalPath' AS place, id AS key, id AS asset, "ownerId" AS owner,
            "originalPath" AS path, 'original' AS kind, false AS edited,
            -- what Immich took out of a library's photo lies in its own folder, and is not marked
            "isExternal" AS external
        FROM v_asset
        UNION ALL SELECT 'asset.sidecarPath', id, id, "ownerId", "sidecarPath", 'sidecar', false,
            "libraryId" IS NOT NULL OR "isExternal"
        FROM v_asset WHERE "sidecarPath" <> ''
        UNION ALL SELECT 'asset.encodedVideoPath', id, id, "ownerId", "encodedVideoPath", 'encoded_video',
            false, false
        FROM v_asset WHERE "encodedVideoPath" <> ''
        UNION ALL SELECT 'asset_file.path', f.id, a.id, a."ownerId", f.path, f.type::text, {edited},
            f.type::text = 'sidecar' AND (a."libraryId" IS NOT NULL OR a."isExternal")
        FROM v_asset_file f JOIN v_asset a ON a.id = f."assetId"
        UNION ALL SELECT 'person.thumbnailPath', "personGroupId", NULL, "ownerId", "thumbnailPath", 'person',
            false, false
        FROM v_person WHERE "thumbnailPath" <> ''
        UNION ALL SELECT 'user.profileImagePath', id, NULL, id, "profileImagePath", 'profile', false, false
        FROM v_user WHERE "profileImagePath" <> ''
    """)


def _has_column(tx: Transaction, table: str, column: str) -> bool:
    return table in tx.schema.tables and any(new == column for _old, new in tx.schema.tables[table].columns)


# Where a file lies is told as Immich deletes an account: everything in the folder <kind>/<id or label>, under
# whatever prefix a path has in the database. Besides Immich's own media folder that is an older mount
# (/usr/src/app/upload/upload/<id>/..., /photos/library/<label>/...) or none (upload/upload/<id>/..., up to
# 1.135): the path is an old one, and the file lies in the account's folder all the same. `f` is a row with
# `path` and `external`; NULL where it cannot be told, and for what is not Immich's own.
FILE_BELOW = """
    CASE WHEN strpos(f.path, '/../') + strpos(f.path, '/./') + strpos(f.path, '//') > 0 THEN NULL
        -- unless an older mount lies below the media folder by its name: /data/upload/upload/<id>/...
        WHEN starts_with(f.path, %(root)s || '/')
            AND split_part(substr(f.path, length(%(root)s) + 2), '/', 2) <> ALL (%(folders)s)
        THEN substr(f.path, length(%(root)s) + 2)
        -- a library's own file, unless the library reaches into an account's folder by another mount
        WHEN f.external AND f.path !~ %(in_account)s THEN NULL
        -- the folder alone: with all that follows a pattern takes ten times as long
        ELSE substr(f.path, strpos('/' || f.path, '/' || substring(f.path FROM %(in_folders)s))) END
"""


def file_places(tx: Transaction) -> dict[str, Any]:
    """The values that FILE_BELOW needs: how paths in the media folder begin, and what an account's folders
    look like.

    Raises LabelOdd: Immich would delete the folder that such a label leads to.
    """
    names = rows(tx, """SELECT id::text, nullif("storageLabel", '') FROM v_user""")
    for _user, label in names:
        if label and ("/" in label or not _is_plain(label)):
            raise LabelOdd(
                f"The storage label '{clean(label)}' is not the name of a folder.",
                "Immich deletes the folder of that name when it deletes the account.",
                "In Immich, under Administration > Users, give that user another storage label or none.",
            )
    ids = "|".join(user for user, _label in names)
    labels = "|".join(re.escape(label) for _user, label in names if label)
    folders = "|".join(USER_FOLDERS)
    named = f"(?:{folders})/(?:{ids})" + (f"|library/(?:{labels})" if labels else "")
    return {
        "root": media_root(tx),
        "folders": list(USER_FOLDERS),
        "in_folders": f"(?:^|/)((?:{named})/)",
        "in_account": f"/(?:{folders})/[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}/",
    }


def create_lying_file(tx: Transaction) -> None:
    """The temporary table lying_file: each file that lies in another user's folder, with `below`, as
    FILE_BELOW has it, and `holder`, whose folder it is; two rows if it is two users'.

    `holder` is NULL where it cannot be told, so that the file may be lost with anybody. What is certainly in
    no present user's folder is not in the table, nor is a file of an external library elsewhere. Raises
    LabelOdd.
    """
    create_file_row(tx)
    run(tx, f"""
        CREATE TEMP TABLE lying_file ON COMMIT DROP AS
        -- A label that is another user's id: the folder is of both.
        WITH library AS MATERIALIZED (
            SELECT u.id, word FROM v_user u
            CROSS JOIN unnest(ARRAY[u.id::text, nullif(u."storageLabel", '')]) AS word
            WHERE NOT EXISTS (SELECT FROM v_user o WHERE o.id <> u.id
                AND word IN (o.id::text, o."storageLabel"))
        ), home AS MATERIALIZED (
            -- nearly all paths are ruled out by their beginning: a big library has no time for more
            SELECT u.id, %(root)s || '/upload/' || id || '/' AS upload,
                %(root)s || '/thumbs/' || id || '/' AS thumbs,
                %(root)s || '/encoded-video/' || id || '/' AS encoded,
                %(root)s || '/profile/' || id || '/' AS profile,
                (SELECT %(root)s || '/library/' || word || '/' FROM library l
                 WHERE l.id = u.id AND word = u.id::text) AS library,
                (SELECT %(root)s || '/library/' || word || '/' FROM library l
                 WHERE l.id = u.id AND word = u."storageLabel") AS labelled
            FROM v_user u
        ), away AS MATERIALIZED (  -- else a path is looked at once for each folder
            SELECT f.place, f.key, f.path, f.owner, f.external,
                CASE WHEN f.edited THEN 'edited' ELSE f.kind END AS kind, {FILE_BELOW} AS below
            FROM file_row f JOIN home h ON h.id = f.owner
            WHERE CASE WHEN f.external THEN starts_with(f.path, %(root)s || '/') OR f.path ~ %(in_account)s
                ELSE (starts_with(f.path, h.thumbs) OR starts_with(f.path, h.upload)
                    OR starts_with(f.path, h.labelled) OR starts_with(f.path, h.encoded)
                    OR starts_with(f.path, h.library) OR starts_with(f.path, h.profile)) IS NOT TRUE END
                OR strpos(f.path, '/../') > 0
        ), folder AS (
            SELECT folder, word, id FROM v_user
            CROSS JOIN unnest(%(folders)s) AS folder
            CROSS JOIN unnest(ARRAY[id::text, nullif("storageLabel", '')]) AS word
            WHERE word = id::text OR folder = 'library'
        )
        SELECT DISTINCT a.place, a.key, a.path, a.owner, a.external, a.below, h.id AS holder,
            -- an Android photo's video is an original that Immich put there (isAndroidMotionPath)
            CASE WHEN a.kind = 'original' AND starts_with(a.below, 'encoded-video/') THEN 'motion'
                WHEN a.kind = ANY (%(kinds)s) THEN a.kind ELSE 'other' END AS kind
        FROM away a LEFT JOIN folder h
            ON h.folder = split_part(a.below, '/', 1) AND h.word = split_part(a.below, '/', 2)
                AND starts_with(a.below, h.folder || '/' || h.word || '/')
        WHERE h.id <> a.owner OR h.id IS NULL AND a.below IS NULL
            AND (NOT a.external OR strpos(a.path, '/../') > 0)
    """, **file_places(tx), kinds=list(FILE_KINDS))


def media_root(tx: Transaction) -> str | None:
    """How the paths of files in Immich's media folder begin in the database, without the slash.

    Immich writes it down when it starts, in system_metadata under MediaLocation (seen in 2.3.1, 2.7.5,
    3.1.0). None where it has not.
    """
    if "system_metadata" not in tx.schema.tables:
        return None
    told = rows(tx, "SELECT value ->> 'location' FROM public.system_metadata WHERE key = 'MediaLocation'")
    root = str(told[0][0] or "").rstrip("/") if told else ""
    return root if root.startswith("/") else None


# How many files lie away from home: (whose folder, whose file): {code of FILE_KINDS: files}. Whose folder is
# '' where it cannot be told: such a file may be lost with any account.
Lying = dict[tuple[str, str], dict[str, int]]


def lying_away(tx: Transaction) -> Lying:
    """The files that lie in another user's folders, from the rows alone. Raises LabelOdd."""
    create_lying_file(tx)
    lying: Lying = {}
    for holder, owner, kind, files in rows(tx, """
        SELECT coalesce(holder::text, ''), owner::text, kind, count(*) FROM lying_file WHERE NOT external
        GROUP BY 1, 2, 3
    """):
        lying.setdefault((holder, owner), {})[kind] = int(files)
    return lying


def list_lying(database_config: Mapping[str, Any]) -> Lying | None:
    """lying_away(), asked on its own; None if that cannot be told."""
    try:
        with looking(database_config) as tx:
            return lying_away(tx)
    except LabelOdd:
        return None


# Immich (3.0 on) reports files that no row names, and deletes what is on that report when somebody says so,
# without looking again. It takes a file off when the file has gone, never when a row names it (integrity
# service: handleUntrackedRefresh, handleDeleteIntegrityReports). A file is there before its row whenever one
# is moved, or when a person's picture is drawn anew: what is in use is taken off the report here.
# The check for missing files first reads all paths, and looks for the files later (handleMissingFiles): what
# moves meanwhile it reports by its old path, for ever, and whoever deletes that puts the photo in the trash.
def forget_untracked(tx: Transaction, paths: Sequence[str] | None = None) -> int:
    """Take files that rows name, by whatever mount, off Immich's report of untracked files: all, or those
    with these paths. With all of them go those reported as missing by a path that no row names any more.
    Raises LabelOdd.
    """
    if "integrity_report" not in tx.schema.tables:
        return 0
    reported = "FROM public.integrity_report WHERE type = 'untracked_file'"
    if paths is not None:
        return run(tx, f"DELETE {reported} AND path = ANY (%(paths)s)", paths=paths)
    found = {kind for (kind,) in rows(tx, "SELECT DISTINCT type::text FROM public.integrity_report")}
    if "missing_file" in found:
        run(tx, """
            DELETE FROM public.integrity_report r WHERE type = 'missing_file'
                AND NOT EXISTS (SELECT FROM file_row f WHERE f.path = r.path)
        """)
    if "untracked_file" not in found:
        return 0
    return run(tx, f"""
        DELETE {reported} AND path IN (
            SELECT unnest(ARRAY[f.path, %(root)s || '/' || {FILE_BELOW}]) FROM file_row f)
    """, **file_places(tx))


def clear_untracked(database_config: Mapping[str, Any]) -> int:
    """forget_untracked() on its own; how many files it was. 0 where the database may only be read."""
    with database(database_config) as connection, connection.cursor() as cursor:
        tx = opened(cursor, {})
        create_file_row(tx)
        try:
            number = forget_untracked(tx)
        except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.ReadOnlySqlTransaction, LabelOdd):
            return 0
        drop_temporary(tx)
        connection.commit()
        return number


def check_media(database_config: Mapping[str, Any], folder: Path) -> None:
    """Raise TransferError unless this folder is the media folder of that database's Immich."""
    with looking(database_config) as tx:
        create_file_row(tx)
        open_media(tx, folder)


def open_media(tx: Transaction, folder: Path, listed: Path | None = None) -> Media | None:
    """Immich's media folder as this computer sees it, tried on files; None if the database names no files at
    all.

    Tried on the newest photos and the oldest: the folder of another Immich has neither, an old copy has no
    new ones. One counts also where it has moved to, by the list of moves: an older database may have been
    restored. Raises TransferError when they are not there.
    """
    if not one_value(tx, "SELECT EXISTS (SELECT FROM file_row WHERE NOT external)"):
        return None
    places = file_places(tx)
    root = places["root"]
    if root is None:
        raise TransferError(
            "Where Immich's media folder is cannot be told from the database.",
            "It has no MediaLocation.",
            "Start Immich once, so that it writes it down, then run again.",
        )
    todo = "Set UPLOAD_LOCATION to Immich's media folder, the one that holds upload, library and thumbs."
    try:
        media = Media(root, folder.expanduser().resolve(strict=True))
        os.listdir(media.folder)
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TransferError(f"{folder} cannot be opened.", reason, todo) from None
    gone_to = _gone_to(_read_list(listed)[0]) if listed else {}
    for order in ("DESC", "ASC"):
        tried = [
            path
            for (path,) in rows(tx, f"""
                SELECT below FROM (
                    SELECT {FILE_BELOW} AS below, a."createdAt", a.id
                    FROM file_row f JOIN v_asset a ON a.id = f.key
                    WHERE f.place = 'asset.originalPath' AND NOT f.external AND a."libraryId" IS NULL
                      AND a.status <> 'deleted') original
                WHERE below IS NOT NULL ORDER BY "createdAt" {order}, id LIMIT 20
            """, **places)
        ]
        there = sum(
            any(os.path.lexists(_at(media, name)) for name in _names_since(path, gone_to))
            for path in tried
            if _is_plain(path)
        )
        if tried and there * 2 < len(tried):
            which = "newest" if order == "DESC" else "oldest"
            raise TransferError(
                f"{media.folder} is not the media folder of this Immich: of its {len(tried)} {which} photos "
                f"{there or 'none'} are there.",
                f"{clean(root)}/{clean(tried[0])} would be {media.folder}/{clean(tried[0])}.",
                todo,
            )
    return media


def see_media_folder(database_config: Mapping[str, Any], folder: Path) -> Media | None:
    """open_media(), for who only reads pictures: None where it is not that Immich's, or not to be seen."""
    try:
        with looking(database_config) as tx:
            create_file_row(tx)
            return open_media(tx, folder)
    except TransferError:
        return None


def _is_plain(path: str) -> bool:
    """Whether a path below the media folder stays below it, whatever the parts are named."""
    return all(part not in ("", ".", "..") for part in path.split("/"))


# ---- the plan ----------------------------------------------------------------------------------------------


def plan_moves(tx: Transaction, media: Media, only: tuple[str, str] | None = None) -> MoveReport:
    """Every file that lies in another user's folder: where it goes, or why it stays.

    `only`: (the user whose folders they lie in, their owner), ids. Ends the transaction before it looks at
    the disk.
    """
    labels = dict(rows(tx, """SELECT id::text, coalesce(nullif("storageLabel", ''), id::text) FROM v_user"""))
    report, targets = MoveReport(), []
    for move, holder, why in _found_away(tx):
        owners, parts = [owner for _place, _key, owner in move.uses], move.old.split("/")
        if only and (holder != only[0] or only[1] not in owners):
            continue
        owner = owners[0]
        new = "/".join((parts[0], labels[owner] if parts[0] == "library" else owner, *parts[2:]))
        if why:
            pass
        elif not holder:
            why = "odd" if re.search(r"/\.{0,2}/", move.path) else "elsewhere"
        elif not _is_plain(new):
            why = "odd"
        elif new == move.old:
            why = "label"
        if why:
            report.stays.append((why, move.told))
        else:
            targets.append(replace(move, new=new))
    # a row may say the new path already, whether that file is there or not
    used = {
        path.removeprefix(f"{media.root}/")
        for (path,) in rows(tx, "SELECT path FROM file_row WHERE path = ANY (%(paths)s)",
            paths=[f"{media.root}/{move.new}" for move in targets])
    }
    tx.cursor.connection.rollback()
    _look_at_disk(media, targets, used, report)
    return report


def _found_away(tx: Transaction) -> Iterator[tuple[Move, str, str]]:
    """The files that do not lie in their owner's folder, in the order of their paths, with all rows that name
    them, and no new path yet; whose folder it is ('' if it cannot be told); why it stays, as far as the rows
    tell.
    """
    create_lying_file(tx)
    run(tx, """
        CREATE TEMP TABLE away ON COMMIT DROP AS
        SELECT coalesce(below, path) AS spot, coalesce(min(holder::text), '') AS holder
        FROM lying_file GROUP BY 1;
        ANALYZE away
    """)
    named = rows(tx, f"""
        SELECT spot, f.path, f.place, f.key::text, f.owner::text, f.asset::text, holder,
            CASE WHEN f.edited THEN 'edited' WHEN f.kind = 'original' AND starts_with(spot, 'encoded-video/')
                THEN 'motion' WHEN f.kind = ANY (%(kinds)s) THEN f.kind ELSE 'other' END,
            coalesce(a."originalFileName", p.name, u.email, ''),
            {_sha1(tx)},
            CASE WHEN f.external THEN 'external'
                WHEN a.status = 'deleted' THEN 'deleting'
                WHEN EXISTS (SELECT FROM v_move_history m WHERE m."entityId" = coalesce(f.asset, f.key))
                    THEN 'unfinished'
                WHEN u."deletedAt" IS NOT NULL OR u.status <> 'active' THEN 'leaving'
                ELSE '' END
        FROM file_row f JOIN away ON spot = coalesce({FILE_BELOW}, f.path) JOIN v_user u ON u.id = f.owner
        LEFT JOIN v_asset a ON a.id = f.asset
        LEFT JOIN v_person p ON f.kind = 'person' AND p."personGroupId" = f.key AND p."ownerId" = f.owner
        ORDER BY spot, f.place, f.key, f.owner
    """, **file_places(tx), kinds=list(FILE_KINDS))
    for spot, group in itertools.groupby(named, key=lambda row: str(row[0])):
        using = list(group)
        _, path, _, _, _, _, holder, kind, name, _, _ = using[0]
        uses = tuple((row[2], row[3], row[4]) for row in using)
        assets = {row[5] for row in using if row[5]}
        checksum = next((row[9] for row in using if row[9]), "")
        whys = ["shared"] * (len({row[4] for row in using}) > 1)
        whys += ["paths"] * (len({row[1] for row in using}) > 1)
        whys += [row[10] for row in using if row[10]]
        asset = assets.pop() if len(assets) == 1 else ""
        yield Move(spot, "", path, kind, name, uses, asset, checksum), holder, next(iter(whys), "")


def _sha1(tx: Transaction) -> str:
    """SQL: what the database says of the original that the row `f` names, `a` being its photo; or ''."""
    # up to 2.6 all but external files have sha1
    known = (
        """a."checksumAlgorithm"::text = 'sha1'"""
        if _has_column(tx, "asset", "checksumAlgorithm")
        else "true"
    )
    return f"CASE WHEN f.kind = 'original' AND {known} THEN encode(a.checksum, 'hex') ELSE '' END"


def _with_sidecars(targets: Sequence[Move]) -> list[list[Move]]:
    """The files in groups that must keep their names alike: an original and then its sidecars; all others
    alone.
    """
    groups = {move.old: [move] for move in targets}
    originals = {move.asset: move.old for move in targets if move.kind in ("original", "motion")}
    for move in targets:
        leader = originals.get(move.asset, "") if move.kind == "sidecar" and move.asset else ""
        if leader and move.old.startswith(leader.rpartition(".")[0] or leader):
            groups[leader] += groups.pop(move.old)
    return list(groups.values())


def _look_at_disk(media: Media, targets: Sequence[Move], used: set[str], report: MoveReport) -> None:
    """Is the file there, may it move, and which name is free?"""
    known: dict[str, str] = {}
    for group in _with_sidecars(targets):
        movable = []
        for move in group:
            try:
                found = _file_at(media, move.old, known)
                _require_writable(media, move.old, move.new, known)
            except FileStays as why:
                report.stays.append((str(why), move.told))
            else:
                movable.append(replace(move, stamp=_stamp(found)))
        number, names = 0, _names(movable, 0)
        while any(name in used or os.path.lexists(_at(media, name)) for name in names):
            number += 1
            names = _names(movable, number)
        for move, name in zip(movable, names, strict=True):
            used.add(name)
            report.moves.append(replace(move, new=name))
            if number:
                report.renamed.append((move.told, name))


def _names(group: Sequence[Move], number: int) -> list[str]:
    """The new paths of a group with that number: a.jpg and a.jpg.xmp, then a+1.jpg and a+1.jpg.xmp, so that
    Immich finds a sidecar by its original's name. -MP.mp4 is an ending of Immich's.
    """
    if not number:
        return [move.new for move in group]
    stem = re.sub(r"(?s)(?<=.)(-MP)?\.[^.]*$", "", group[0].new.rpartition("/")[2])
    names = []
    for folder, _, base in (move.new.rpartition("/") for move in group):
        names.append(f"{folder}/{stem}+{number}{base.removeprefix(stem)}")
    return names


# ---- the disk: nothing outside the media folder, and no symbolic link but directly below it ----------------


def _at(media: Media, path: str) -> str:
    """Where a path below the media folder is here: text, since a hundred thousand Path objects take their
    time.
    """
    return f"{media.folder}/{path}"


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def _folder_state(media: Media, folder: str, known: dict[str, str]) -> str:
    """'' for a folder that can be used, else missing, link, not_a_file or failed. `known` is filled.

    A link directly below the media folder is followed (thumbs on another disk, a folder of links to several),
    deeper ones are not: who may write there could make them lead anywhere.
    """
    if not folder or folder in known:
        return known.get(folder, "")
    state, parts = "", folder.split("/")
    for depth in range(1, len(parts) + 1):
        here = "/".join(parts[:depth])
        if here not in known:
            try:
                mode = os.stat(_at(media, here), follow_symlinks=depth == 1).st_mode
                known[here] = "link" if stat.S_ISLNK(mode) else "" if stat.S_ISDIR(mode) else "not_a_file"
            except FileNotFoundError:
                known[here] = "missing"
            except OSError:
                known[here] = "failed"
        if state := known[here]:
            break
    return state


def _file_at(media: Media, path: str, known: dict[str, str]) -> os.stat_result:
    """The plain file at a path. Raises FileStays."""
    if not _is_plain(path):
        raise FileStays("odd")
    if state := _folder_state(media, path.rpartition("/")[0], known):
        raise FileStays(state)
    try:
        found = os.lstat(_at(media, path))
    except FileNotFoundError:
        raise FileStays("missing") from None
    except OSError:
        raise FileStays("failed") from None
    if not stat.S_ISREG(found.st_mode):
        raise FileStays("link" if stat.S_ISLNK(found.st_mode) else "not_a_file")
    return found


def _file_if_there(media: Media, path: str, known: dict[str, str]) -> os.stat_result | None:
    """The plain file at a path; None if nothing is there. Raises FileStays for anything else."""
    try:
        return _file_at(media, path, known)
    except FileStays as why:
        if str(why) == "missing":
            return None
        raise


def _stamp(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns


def _require_writable(media: Media, old: str, new: str, known: dict[str, str]) -> None:
    """The old name must be removable and the new one makeable, asked before anything is done. Raises
    FileStays.
    """
    for folder in map(_folder_of, (old, new)):
        while folder and _folder_state(media, folder, known) == "missing":
            folder = _folder_of(folder)
        if state := _folder_state(media, folder, known):
            raise FileStays(state)
        if not os.access(_at(media, folder), os.W_OK | os.X_OK):
            raise FileStays("read_only")


def _make_folders(media: Media, new: str, old: str, known: dict[str, str]) -> set[str]:
    """Make the folders of `new`, each with owner and mode of its counterpart on the way to `old`.

    Returns the folders in which a name is new. Raises FileStays, OSError.
    """
    touched = {_folder_of(_at(media, new))}
    parts, alike = new.split("/")[:-1], old.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        here = "/".join(parts[:depth])
        state = _folder_state(media, here, known)
        if state == "missing":
            path, like = _at(media, here), os.lstat(_at(media, "/".join(alike[:depth])))
            with contextlib.suppress(FileExistsError):  # Immich was faster
                os.mkdir(path, 0o700)
                with contextlib.suppress(OSError):  # not root, or a file system without owners
                    os.chown(path, like.st_uid, like.st_gid)
                with contextlib.suppress(OSError):
                    os.chmod(path, stat.S_IMODE(like.st_mode))
            touched.add(_folder_of(path))
            del known[here]
            state = _folder_state(media, here, known)
        if state:
            raise FileStays(state)
    return touched


def _give_new_name(media: Media, move: Move, known: dict[str, str]) -> tuple[bool, set[str]]:
    """Make the new name. Returns whether it is a copy, and the folders to flush. Raises FileStays, OSError.
    """
    if _stamp(_file_at(media, move.old, known)) != move.stamp:
        raise FileStays("changed")
    old, new = _at(media, move.old), _at(media, move.new)
    # By an older mount's path the original may be another one of that name.
    if move.checksum and move.path != f"{media.root}/{move.old}" and _digest(old) != move.checksum:
        raise FileStays("checksum")
    touched = _make_folders(media, move.new, move.old, known)
    try:
        os.link(old, new)
    except FileExistsError:
        raise FileStays("taken") from None
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _copy(old, new, move)
        return True, touched
    if _stamp(os.lstat(new)) != move.stamp:
        os.unlink(new)
        raise FileStays("changed")
    return False, touched


def _copy(old: str, new: str, move: Move) -> None:
    """A copy with owner, mode and times, on disk, and read again. Raises FileStays, OSError; then there is no
    copy.
    """
    try:
        target = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise FileStays("taken") from None
    try:
        digest = hashlib.sha1(usedforsecurity=False)
        with os.fdopen(target, "wb") as writing, open(old, "rb") as reading:
            look = os.fstat(reading.fileno())
            while block := reading.read(1 << 20):
                digest.update(block)
                writing.write(block)
            writing.flush()
            with contextlib.suppress(OSError):  # not root, or a file system without owners
                os.fchown(writing.fileno(), look.st_uid, look.st_gid)
            shutil.copystat(old, new)
            os.fsync(writing.fileno())
            if hasattr(os, "posix_fadvise"):  # so that it is read from the disk
                os.posix_fadvise(writing.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if move.checksum not in ("", digest.hexdigest()):
            raise FileStays("checksum")
        if _stamp(os.lstat(old)) != move.stamp:
            raise FileStays("changed")
        if _digest(new) != digest.hexdigest():
            raise OSError(errno.EIO, "the copy differs from the file", new)
    except BaseException:
        os.unlink(new)
        raise


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()


def _keep_one(media: Media, keep: str, drop: str, known: dict[str, str], *, said: bool, free: bool) -> bool:
    """Of the two names of a file `keep` stays, and is made from the other if it is not there and a row says
    it; `drop` goes if it is `free`, since no row says it, and nothing is lost with it. Returns whether
    anything was done. Raises FileStays, OSError.
    """
    other, kept = _file_if_there(media, drop, known), _file_if_there(media, keep, known)
    if other is None or kept is None and not said or kept is not None and not free:
        return False
    if kept is None:
        again = Move(drop, keep, f"{media.root}/{drop}", "", "", (), stamp=_stamp(other))
        _flush(_give_new_name(media, again, {})[1])
    elif not (
        os.path.samestat(kept, other)
        or _stamp(kept)[1:] == _stamp(other)[1:]
        or _begins_as(_at(media, keep), _at(media, drop))  # a copy that was not finished
    ):
        raise FileStays("changed")
    if free:
        os.unlink(_at(media, drop))
    return True


def _begins_as(whole: str, part: str) -> bool:
    """Whether one file is the beginning of the other."""
    with open(whole, "rb") as one, open(part, "rb") as other:
        while block := other.read(1 << 20):
            if one.read(len(block)) != block:
                return False
    return True


def _flush(folders: Iterable[str]) -> None:
    """Make the names in these folders survive a crash. Many folders: Linux flushes everything faster than
    each.
    """
    wanted = {folder for folder in folders if os.path.isdir(folder)}
    if len(wanted) > 50 and sys.platform == "linux":
        os.sync()
    else:
        for folder in wanted:
            _sync_folder(Path(folder))


# ---- the move ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def file_session(database_config: Mapping[str, Any]) -> Iterator[Transaction]:
    """A connection for many transactions, with file_row, and no other run of this tool beside it. Raises
    AnotherRun, and TransferError where each transaction may get another connection.
    """
    with database(database_config) as connection, connection.cursor() as cursor:
        if is_pooled(cursor):
            raise TransferError(
                "Files cannot be moved through a connection pooler such as PgBouncer.",
                "What has to last for many transactions may be lost there.",
                "Give the host and port of PostgreSQL itself (menu entry 7).",
            )
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (ADVISORY_LOCK,))
        if not cursor.fetchone()[0]:
            raise AnotherRun(
                "Another run of this tool is at work on this database.",
                todo="Wait until it has ended, then run again.",
            )
        tx = opened(cursor, {}, for_session=True)
        create_file_row(tx)
        run(tx, """
            CREATE TEMP TABLE move_batch (file int, place text, key uuid, owner uuid, old text, new text)
            ON COMMIT DELETE ROWS
        """)
        connection.commit()
        try:
            yield tx
        finally:
            # A connection takes a moment to end on the server's side, and the next one may be quicker.
            with contextlib.suppress(psycopg2.Error):
                connection.rollback()
                run(tx, "SELECT pg_advisory_unlock_all()")


def move_files(
    database_config: Mapping[str, Any],
    folder: Path,
    undo_folder: Path,
    *,
    dry_run: bool,
    only: tuple[str, str] | None = None,
    progress: Progress = quiet,
) -> MoveReport:
    """Move every file that lies in another user's folder into its owner's; or say what would move and what
    not.

    `folder` is Immich's media folder as seen here (UPLOAD_LOCATION), `undo_folder` has the list of moves,
    `only` is a pair of ids: (whose folders they lie in, whose files they are). What an interrupted run left
    is settled first, also before a dry run: only then can be told what is to move. Raises TransferError; a
    full disk is no error but MoveReport.stopped.
    """
    with file_session(database_config) as tx:
        listed = undo_folder / MOVES
        media = open_media(tx, folder, listed)
        if media is None:
            return MoveReport()
        settle(tx, media, listed)
        report = plan_moves(tx, media, only)
        if report.moves and not dry_run:
            _carry_out(tx, media, listed, report, progress)
        return report


def _carry_out(
    tx: Transaction, media: Media, listed: Path, report: MoveReport, progress: Progress
) -> None:
    """Move the files of a plan, batch by batch. The report then says what has moved."""
    ahead, report.moves, limit = report.moves, [], BATCH_FILES
    told, total = itertools.count(1), len(ahead)
    progress("Moving files")
    try:
        while ahead and not report.stopped:
            batch = ahead[:limit]
            name = _begin_batch(listed, [(move.old, move.new) for move in batch])
            begun, moved = _move_batch(tx, media, batch, report, lambda: progress("", next(told), total))
            if moved is not None:
                _add_to_list(listed, {"done": name, "moved": moved})
            ahead, limit = batch[begun:] + ahead[limit:], min(BATCH_FILES, 2 * begun + 1)
        report.untracked += forget_untracked(tx)
        tx.cursor.connection.commit()
    except BaseException as error:
        # settled now if that is possible, otherwise at the next start
        with contextlib.suppress(TransferError, psycopg2.Error, OSError):
            tx.cursor.connection.rollback()
            settle(tx, media, listed)
        if not isinstance(error, OSError):
            raise
        report.stopped = report.stopped or _why_stopped(error)
    names = {move.new for move in report.moves}
    report.renamed = [(told, new) for told, new in report.renamed if new in names]


def _why_stopped(error: OSError) -> str:
    return clean(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")


def _move_batch(
    tx: Transaction, media: Media, batch: Sequence[Move], report: MoveReport, tell: Callable[[], None]
) -> tuple[int, list[int] | None]:
    """New names, paths, old names. Returns how many files were begun with, and the numbers of those that
    moved, but None if there is an old name left to remove. Raises TransferError, psycopg2.Error or OSError
    with the batch half done.
    """
    made, begun = _new_names(media, batch, report, tell)
    changed, untracked = once_more(
        lambda: _change_paths(tx, media, [(index, batch[index]) for index in made])
    )
    report.moves += [batch[index] for index in changed]
    report.copied += sum(made[index] for index in changed)
    report.untracked += untracked
    known: dict[str, str] = {}
    good, is_done = set(changed), True
    for index in made:
        move = batch[index]
        try:
            if index in good:
                _keep_one(media, move.new, move.old, known, said=True, free=True)
            else:  # no row has ever said that name
                report.stays.append(("changed", move.told))
                os.unlink(_at(media, move.new))
        except FileStays:  # it is not the file that was moved, so it stays, and the database is right
            report.old_names.append(move.told)
        except OSError as error:
            report.old_names.append(f"{move.told} ({error.strerror})")
            is_done = False
    _flush({_folder_of(_at(media, name)) for index in made for name in (batch[index].old, batch[index].new)})
    return begun, changed if is_done else None


def _new_names(
    media: Media, batch: Sequence[Move], report: MoveReport, tell: Callable[[], None]
) -> tuple[dict[int, bool], int]:
    """Give the files their new names, on disk, until the time of a batch is up. Returns {number: whether
    copied}, and how many were begun with.
    """
    end = time.monotonic() + BATCH_SECONDS
    made: dict[int, bool] = {}
    known: dict[str, str] = {}
    folders: set[str] = set()
    begun = 0
    for index, move in enumerate(batch):
        if index and time.monotonic() >= end:
            break
        begun = index + 1
        try:
            _require_writable(media, move.old, move.new, known)
            made[index], touched = _give_new_name(media, move, known)
            folders |= touched
        except FileStays as why:
            report.stays.append((str(why), move.told))
        except OSError as error:
            report.stays.append(("failed", f"{move.told} ({error.strerror})"))
            if error.errno in NO_DISK:
                report.stopped = _why_stopped(error)
                break
        tell()
    _flush(folders)
    return made, begun


def _change_paths(tx: Transaction, media: Media, moves: Sequence[tuple[int, Move]]) -> tuple[list[int], int]:
    """One transaction: the rows that still say the old path say the new one. COMMIT.

    A file moves with all of its rows or not at all, and only if it is still the one that got the new name.
    Returns the numbers of those that did, and how many of them were on Immich's report of untracked files.
    """
    tx.cursor.connection.rollback()
    changes = [
        (index, *use, move.path, f"{media.root}/{move.new}") for index, move in moves for use in move.uses
    ]
    if not changes:
        return [], 0
    columns = zip(("file", "place", "key", "owner", "old", "new"), zip(*changes, strict=True), strict=True)
    run(tx, """
        INSERT INTO move_batch SELECT * FROM unnest(%(file)s::int[], %(place)s::text[], %(key)s::uuid[],
            %(owner)s::uuid[], %(old)s::text[], %(new)s::text[]);
        ANALYZE move_batch
    """, **{name: list(column) for name, column in columns})
    changed: list[int] = []
    places = {place for _index, place, *_ in changes}
    for place, (table, key, column) in PLACES.items():
        changed += [index for (index,) in rows(tx, f"""
            UPDATE {table} t SET "{column}" = m.new FROM move_batch m
            WHERE m.place = %(place)s AND t."{key}" = m.key AND t."{column}" = m.old
              {'AND t."ownerId" = m.owner' if table == "v_person" else ""}
            RETURNING m.file
        """, place=place)] if place in places else []
    said, known = collections.Counter(changed), {}  # type: collections.Counter[int], dict[str, str]
    good = [
        (index, move)
        for index, move in moves
        if said[index] == len(move.uses) and _is_unchanged(media, move, known)
    ]
    if len(good) < len(moves):
        return _change_paths(tx, media, good)
    untracked = forget_untracked(tx, [f"{media.root}/{move.new}" for _index, move in good])
    with uninterrupted():
        _commit_paths(tx)
    return [index for index, _move in good], untracked


def _is_unchanged(media: Media, move: Move, known: dict[str, str]) -> bool:
    try:
        return _stamp(_file_at(media, move.old, known)) == move.stamp
    except FileStays:
        return False


def _commit_paths(tx: Transaction) -> None:
    tx.cursor.connection.commit()


# ---- the list of moves, and what it is for -----------------------------------------------------------------


def _add_to_list(path: Path, record: Mapping[str, Any]) -> None:
    """Add one line, flushed to disk. It begins with a line end, in case the last one was cut off. Raises
    OSError.
    """
    is_new = not path.exists()
    if is_new:
        path.parent.mkdir(mode=0o700, exist_ok=True)
    with open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(b"\n" + json.dumps(record).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_folder(path.parent)


Pairs = list[tuple[str, str]]  # old and new paths below the media folder


def _begin_batch(listed: Path, files: Pairs) -> str:
    """Write down a batch before anything is done with it; its name. Raises OSError."""
    name = os.urandom(8).hex()
    _add_to_list(listed, {"batch": name, "files": files})
    return name


def _read_list(path: Path) -> tuple[Pairs, dict[str, Pairs]]:
    """The list of moves: all that has or may have moved, the oldest first; and the batches that are not done.

    A line that was cut off is of a batch that was never begun, so it says nothing. Raises TransferError.
    """
    batches: dict[str, Pairs] = {}
    done: set[str] = set()
    try:
        content = read_regular(path, MOVES_SIZE, ours=True)
    except (FileNotFoundError, NotADirectoryError):
        content = b""
    except OSError as error:
        todo = "Make it readable; or move it away, if no move of files was interrupted."
        raise TransferError(f"{path} cannot be read.", _why_stopped(error), todo) from None
    for line in content.split(b"\n"):
        with contextlib.suppress(ValueError, TypeError, AttributeError, LookupError):
            record = json.loads(line or b"{}")
            if "files" in record:
                files = [(str(old), str(new)) for old, new in record["files"]]
                if all(_is_plain(name) for names in files for name in names):
                    batches[str(record["batch"])] = files
            elif "done" in record:
                name = str(record["done"])
                batches[name] = [batches[name][int(index)] for index in record["moved"]]
                done.add(name)
    pairs = list(itertools.chain(*batches.values()))
    return pairs, {name: files for name, files in batches.items() if name not in done}


def _gone_to(pairs: Pairs) -> dict[str, list[str]]:
    """Where the files of each name have gone, the first of them first."""
    gone_to: dict[str, list[str]] = {}
    for old, new in pairs:
        gone_to.setdefault(old, []).append(new)
    return gone_to


def _names_since(old: str, gone_to: Mapping[str, Sequence[str]]) -> list[str]:
    """That name and those that a file of it may have got since."""
    names = [old]
    for name in names:  # it grows
        for new in gone_to.get(name, ()):
            if new not in names:
                names.append(new)
    return names


def _where_now(media: Media, names: Sequence[str], said: Mapping[str, str]) -> str:
    """By which of these names the file of the first is there, if no row says that name; '' if by none."""
    if os.path.lexists(_at(media, names[0])):
        return ""
    there = [name for name in names[1:] if name not in said and os.path.isfile(_at(media, name))]
    if len(there) > 1 and said[names[0]]:  # a name can be another file's by now
        there = [name for name in there if _digest(_at(media, name)) == said[names[0]]]
    return there[0] if there else ""


def settle(tx: Transaction, media: Media, listed: Path) -> int:
    """The disk follows the database, for each pair of names in the list: the one that a row says is made from
    the other if it is not there, and the other one goes if no row says it. How many files that concerned.

    What has moved in batches that are done is looked at only where a row says its old name again: an older
    database was restored. Raises TransferError.
    """
    pairs, begun = _read_list(listed)
    if not pairs:
        return 0
    said = {
        str(name): str(checksum)
        for name, checksum in rows(tx, f"""
            SELECT name, max({_sha1(tx)}) FROM file_row f JOIN unnest(%(names)s::text[]) AS name
                ON name = coalesce({FILE_BELOW}, f.path)
            LEFT JOIN v_asset a ON a.id = f.asset
            GROUP BY 1
        """, **file_places(tx), names=list(itertools.chain(*pairs)))
    }
    tx.cursor.connection.rollback()
    gone_to = _gone_to(pairs)
    there = {
        old: _where_now(media, _names_since(old, gone_to), said) for old in gone_to.keys() & said.keys()
    }
    # both ways: the newer database may come again
    restored = [pair for old, now in there.items() if now for pair in ((old, now), (now, old))]
    concerned = 0
    try:
        if restored:
            begun[_begin_batch(listed, restored)] = restored
        for name, files in reversed(begun.items()):
            settled, is_done = _settle_batch(media, said, files)
            concerned += settled
            if is_done:
                moved = [index for index, (_old, new) in enumerate(files) if new in said]
                _add_to_list(listed, {"done": name, "moved": moved})
    except OSError as error:
        raise TransferError(
            "The disk refused, so the move of files has stopped.",
            _why_stopped(error),
            "Mend that, then run again: it goes on where it stopped.",
        ) from error
    return concerned


def _settle_batch(media: Media, said: Container[str], files: Pairs) -> tuple[int, bool]:
    """How many files were put right, and whether nothing is left to do."""
    concerned, is_done, known = 0, True, {}  # type: int, bool, dict[str, str]
    for old, new in files:
        keep, drop = (new, old) if new in said else (old, new)
        try:
            concerned += _keep_one(media, keep, drop, known, said=keep in said, free=drop not in said)
        except FileStays:
            continue  # two files by now
        except OSError:
            is_done = False
    _flush({_folder_of(_at(media, name)) for names in files for name in names})
    return concerned, is_done


def settle_moves(database_config: Mapping[str, Any], folder: Path, undo_folder: Path) -> int:
    """settle() on its own."""
    listed = undo_folder / MOVES
    if not listed.exists():
        return 0
    with file_session(database_config) as tx:
        media = open_media(tx, folder, listed)
        return settle(tx, media, listed) if media else 0


# ============================================================================================================
# 11  THE OLD ACCOUNT: what goes or breaks when Immich deletes it
#
#    Immich deletes an account in this order (user.service: handleUserDelete, all versions):
#        the folders library/<label or id>, upload/<id>, profile/<id>, thumbs/<id>, encoded-video/<id>
#        the albums that the user owns
#        the user's row, and by foreign keys all that hangs on it: photos, external libraries with every photo
#        in them, people, tags, memories, links, stacks, comments, memberships, sessions, keys
#    It asks nothing about anybody else's things on the way. So each thing of part 6 has `ties`, which ask for
#    the ways in which others' hang on the account, over these temporary tables:
#      others_file     files of others in the account's folders, or where it cannot be told
#      doomed_asset    photos whose rows go: the user's, and all in the user's external libraries
#      doomed_album    the user's albums
#      leaving         the user, and who is marked for deletion: what they have is no copy that stays
#      stand_in        in an album that stays: a doomed photo, and another user's photo of the same file there
#      tied_group      people that nobody knows any more once the account has gone
#    What hangs on photos that are told of goes where they go, and so is not told by itself. What nobody
#    misses is not told either: devices, keys, settings, memberships, partner shares, what holds no photo. Nor
#    are the cover of an album, or the picture of a person, on a photo that goes: Immich chooses another.
# ============================================================================================================

EXAMPLES_SHOWN = 5


@dataclass(frozen=True)
class AccountCheck:
    """What would go or break with an account, in the order of TIES."""

    tied: tuple[Trouble, ...] = ()

    def count(self, weight: str) -> int:
        """How many things have that weight."""
        return sum(entry.count for entry in self.tied if TIES[entry.kind].weight == weight)

    @property
    def groups(self) -> list[tuple[str, int, list[Trouble]]]:
        """(of WAYS; how many things go that way; what they are), of both the greatest first."""
        entries = sorted(self.tied, key=lambda entry: -entry.count)
        found = [(way, [entry for entry in entries if TIES[entry.kind].way == way]) for way in WAYS]
        groups = [(way, sum(entry.count for entry in some), some) for way, some in found if some]
        return sorted(groups, key=lambda group: -group[1])

    @property
    def can_go(self) -> bool:
        """Whether deleting it takes nothing from anybody else, and nothing of its own that is nowhere else.

        No reason against it are photos of which another user has the same file, what hangs on those alone,
        and what its user wrote in albums of others: that goes, and the screen says so.
        """
        return not (self.count(BREAKS) or self.count(LOST_WITH_IT))


def account_ties(database_config: Mapping[str, Any], user: str, progress: Progress = quiet) -> AccountCheck:
    """Everything that goes or breaks when Immich deletes that account. Only looks, and locks nothing. Raises
    TransferError if there is no such account, or if it cannot be told what Immich would delete (LabelOdd).
    """
    tied = []
    with looking(database_config) as tx:
        tx = replace(tx, values={"user": user, "unknown": list(tx.schema.unknown_links)})
        progress("Photos and files")
        find_doomed(tx)
        for code, tie in TIES.items():
            progress(f"Looking for {tie.words[1]}")
            number, examples = rows(tx, f"""
                WITH tied (name) AS MATERIALIZED ({tie.query})
                SELECT (SELECT count(*) FROM tied), ARRAY(
                    SELECT DISTINCT name FROM tied WHERE name <> '' ORDER BY name LIMIT {EXAMPLES_SHOWN})
            """)[0]
            tied.append(Trouble(code, user, number, tuple(examples)))
    return AccountCheck(tuple(entry for entry in tied if entry.count))


def find_doomed(tx: Transaction) -> None:
    """The temporary tables of this part. Raises TransferError if there is no such user."""
    if not rows(tx, "SELECT 1 FROM v_user WHERE id = %(user)s"):
        raise TransferError("That account is not there any more.", "It was deleted.")
    create_lying_file(tx)
    run(tx, """
        -- `sure` where Move files takes it out of the folder
        CREATE TEMP TABLE others_file ON COMMIT DROP AS
        SELECT kind, holder IS NOT NULL AND NOT external AS sure FROM lying_file
        WHERE owner <> %(user)s AND (holder = %(user)s OR holder IS NULL);
        -- what others have goes, too, where their account is marked for deletion
        CREATE TEMP TABLE leaving ON COMMIT DROP AS
            SELECT id FROM v_user WHERE id = %(user)s OR "deletedAt" IS NOT NULL OR status <> 'active'
    """)
    find_doomed_photos(tx)
    run(tx, f"""
        CREATE TEMP TABLE doomed_album ON COMMIT DROP AS
            SELECT "albumId" AS id FROM v_album_owner WHERE "userId" = %(user)s;
        ALTER TABLE doomed_album ADD PRIMARY KEY (id);
        ANALYZE doomed_album;
        -- whoever sees the album sees that photo: it is not in the trash or the locked folder
        CREATE TEMP TABLE stand_in ON COMMIT DROP AS
        SELECT DISTINCT ON (aa."albumId", d.id) aa."albumId", d.id AS old, b.id AS new
        FROM doomed_asset d JOIN v_album_asset aa ON aa."assetId" = d.id
        JOIN v_asset b ON b.checksum = d.checksum AND b."ownerId" NOT IN (SELECT id FROM leaving)
            AND {STANDS_IN}
        JOIN v_album_asset also ON also."albumId" = aa."albumId" AND also."assetId" = b.id
        LEFT JOIN v_album_owner o ON o."albumId" = aa."albumId" AND o."userId" = b."ownerId"
        WHERE d.copied AND aa."albumId" NOT IN (SELECT id FROM doomed_album)
        ORDER BY aa."albumId", d.id, o."userId" IS NULL, b.id;
        CREATE TEMP TABLE tied_group ON COMMIT DROP AS
        SELECT g.id FROM v_person_group g JOIN v_user me ON me.id = %(user)s
        WHERE (g."clusterGroupId" = me."clusterGroupId" AND NOT EXISTS (
                SELECT FROM v_user u WHERE u."clusterGroupId" = me."clusterGroupId" AND u.id <> me.id))
           OR g.id IN (
            SELECT p."personGroupId" FROM v_person p WHERE p."ownerId" = %(user)s AND NOT EXISTS (
                SELECT FROM v_person o WHERE o."personGroupId" = p."personGroupId"
                    AND o."ownerId" <> %(user)s));
        ANALYZE stand_in; ANALYZE tied_group
    """)


def find_doomed_photos(tx: Transaction) -> None:
    """doomed_asset: the photos that go with the account, its libraries' included; `state` says why nobody
    else has them, and `spare` are those that nobody misses.
    """
    run(tx, """
        CREATE TEMP TABLE doomed_asset ON COMMIT DROP AS
        SELECT a.id, a."ownerId" AS owner, checksum, a."originalFileName" AS name, state, copied,
            a."livePhotoVideoId" AS video, copied OR state = 'deleting' AS spare,
            a."deletedAt" IS NULL AND a.status = 'active' AND a.visibility IN ('timeline', 'archive') AS shown
        FROM v_asset a LEFT JOIN v_library l ON l.id = a."libraryId"
        -- an external photo's checksum is of its path, so it has no copy
        LEFT JOIN (
            SELECT checksum, bool_or("deletedAt" IS NULL AND status = 'active') AS there FROM v_asset
            WHERE "ownerId" NOT IN (SELECT id FROM leaving) AND "libraryId" IS NULL AND NOT "isExternal"
            GROUP BY checksum
        ) other USING (checksum)
        CROSS JOIN LATERAL (SELECT CASE
            -- of a library that Immich is deleting (library.service: softDelete) photo by photo
            WHEN a.status = 'deleted' OR l."deletedAt" IS NOT NULL THEN 'deleting'
            WHEN l."ownerId" <> a."ownerId" THEN 'astray'
            WHEN a."libraryId" IS NOT NULL OR a."isExternal" THEN 'external'
            WHEN EXISTS (SELECT FROM v_move_history h WHERE h."entityId" = a.id) THEN 'unfinished'
            WHEN NOT other.there THEN 'in_trash'
            WHEN a."deletedAt" IS NOT NULL OR a.status <> 'active' THEN 'trashed'
            WHEN a.visibility = 'locked' THEN 'locked'
            ELSE 'photo' END AS state) s
        CROSS JOIN LATERAL (
            SELECT a."ownerId" = %(user)s AND a."libraryId" IS NULL AND NOT a."isExternal"
                AND coalesce(other.there, false) AS copied) c
        WHERE a."ownerId" = %(user)s OR l."ownerId" = %(user)s;
        ALTER TABLE doomed_asset ADD PRIMARY KEY (id);
        -- a still and its video stay together where one of them has a copy
        UPDATE doomed_asset d SET state = 'half'
        WHERE NOT spare AND state = 'photo' AND EXISTS (
            SELECT FROM doomed_asset o WHERE o.copied AND (o.id = d.video OR o.video = d.id));
        ANALYZE doomed_asset
    """)


# ============================================================================================================
# 12  SCREENS: everything printed and asked. No SQL here.
# ============================================================================================================

BANNER = """
╔══════════════════════════════════════════════════════════╗
║                   IMMICH TRANSFER TOOL                   ║
║          Transfer photos between users safely            ║
╚══════════════════════════════════════════════════════════╝
"""

MENU = """
┌─────────────────────────────────────┐
│             MAIN MENU               │
├─────────────────────────────────────┤
│  1.  List users                     │
│  2.  List albums                    │
│  3.  Transfer album (dry run)       │
│  4.  Transfer album (EXECUTE)       │
├─────────────────────────────────────┤
│  5.  Repair faces & more (dry run)  │
│  6.  Repair faces & more (EXECUTE)  │
├─────────────────────────────────────┤
│  7.  Reconfigure                    │
│  8.  Clear config                   │
├─────────────────────────────────────┤
│  9.  Undo a transfer                │
│  10. Move files                     │
│  11. Can an account be deleted?     │
├─────────────────────────────────────┤
│  0.  Exit                           │
└─────────────────────────────────────┘
"""

# Also in .github/docs/restoring.md.
BACKUP_COMMAND = (
    "docker exec immich_postgres pg_dump --clean --if-exists --username=postgres --dbname=immich",
    "  | gzip > immich-today.sql.gz",
)

# Set by who answers from a pipe and knows what comes: tests, a script of one's own. There is no other way for
# a change to be made where nobody types.
ANSWERS_FROM_PIPE = "IMMICH_TRANSFER_ANSWERS_FROM_PIPE"

LINES_SHOWN = 20  # of a long list, before the rest is summed up
FACES_DIFFER = 0.6  # the distance from which on namesakes are hardly one person

# For terminals whose encoding lacks them.
PLAIN = str.maketrans("╔╗╚╝┌┐└┘├┤═─║│⚠→•✓✗…", "++++++++++=-||!>*+x.")
FRAME = "╔╗╚╝┌┐└┘├┤═─║│"

COLOURS = {"✗": "31", "✓": "32", "⚠": "33"}  # red, green, yellow; the mark says the same without them


@dataclass
class Wish:
    """What a transfer or a repair is to do, while it is asked for."""

    source: User = NOBODY
    destination: User = NOBODY
    request: Request = Request("", "", tag="")  # nothing chosen yet
    what: str = ""  # the words for the selection
    more: Sequence[Callable[[], None]] = ()  # what has to be asked because of the selection, before the
    last: Sequence[Callable[[], None]] = ()  # destination and after it
    merge: frozenset[str] = frozenset()  # who is merged by name
    mend: Sequence[User] = ()  # of a repair: whose things,
    faces: SamePeople = ()  # who is who by face
    merges: dict[str, frozenset[str]] = field(default_factory=dict)  # with whom merged, by the user's id,
    leave: frozenset[str] = frozenset()  # and which kinds of FAULTS stay as they are
    page: Page | None = None  # what was analysed last


@dataclass(frozen=True)
class State:
    """What the menu loop holds between two choices. `server` is None while an end is not reached."""

    path: Path
    config: Config
    server: Server | None = None
    told: list[str] = field(default_factory=list)  # what is said once
    backups: list[Backup] = field(default_factory=list)  # made since this tool last changed something

    @property
    def undo_folder(self) -> Path:
        """Where undo files are kept: beside config.py."""
        return self.path.absolute().parent / "transfers"


# ---- showing -----------------------------------------------------------------------------------------------


def say(text: str = "") -> None:
    """Show a text, folded where it is wider than the window."""
    put(folded_to_fit(text) + "\n")


def put(text: str) -> None:
    """Print, whatever the terminal's encoding can show; marks in colour only on a terminal, and not with
    NO_COLOR. Raises OutputLost.
    """
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        text = re.sub(f"[{''.join(COLOURS)}]", lambda mark: f"\x1b[{COLOURS[mark[0]]}m{mark[0]}\x1b[0m", text)
    encoding = sys.stdout.encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(PLAIN).encode(encoding, "replace").decode(encoding)
    TERMINAL.has_news = True
    try:
        print(text, end="", flush=True)
    except OSError as error:
        raise OutputLost(error.strerror or str(error)) from None


def is_watched() -> bool:
    """Whether somebody sits before a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def window() -> tuple[int, int]:
    """The terminal's columns and lines."""
    size_now = shutil.get_terminal_size()
    return size_now.columns, size_now.lines


def folded_to_fit(text: str) -> str:
    """A text for the terminal, its lines broken between words where they are too wide; what follows begins
    where the first line's text does. Of a box that is too wide the words are left.
    """
    columns = window()[0]
    if not sys.stdout.isatty():
        return text

    def fold(line: str) -> list[str]:
        if len(line) < columns:
            return [line]
        if line[0] in FRAME:
            return fold(inside) if (inside := line.strip(FRAME).rstrip()) else []
        mark = re.match(r"(?: |[•→✗⚠✓…] |\d+\. |You: )*", line)
        indent = " " * min(mark.end() if mark else 0, columns // 3)
        lines = textwrap.wrap(
            *(line, columns - 1),
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return [*lines[:-1], lines[-1] + line[len(line.rstrip()) :]] if lines else []  # nothing but blanks

    return "\n".join(part for line in text.split("\n") for part in fold(line))


def rows_of(*lines: str) -> int:
    """How many rows of the window these lines take; a word that is wider goes over the edge."""
    rows = "\n".join(map(folded_to_fit, lines)).split("\n")
    return sum(max(1, -(-len(row) // window()[0])) for row in rows)


# ---- results: as much as fits into the window; all of it on request, and kept as text ----------------------


# A line of a result, and what stands below it where there is room for everything.
Row = tuple[str, Sequence[str]]


@dataclass(frozen=True)
class Block:
    """Lines of a result that stand together. A screen has room for `least` of them, and says how many more
    there are.
    """

    lines: Sequence[Row]
    title: str = ""
    least: int = 0
    gap: bool = True  # an empty line before it

    def rows(self, most: int) -> list[str]:
        """The rows of a screen that so many of its lines take."""
        if not (most and self.lines):
            return []
        rest = len(self.lines) - most
        shown = [line for line, _below in self.lines[:most]] + [f"    … {rest} more"] * (rest > 0)
        return [row for line in self.under(shown) for row in folded_to_fit(line).split("\n")]

    def everything(self) -> list[str]:
        """All of it, with what stands below its lines."""
        return self.under([text for line, below in self.lines for text in (line, *below)])

    def under(self, lines: Sequence[str]) -> list[str]:
        """These lines under the title, if there are any."""
        return [*[""] * self.gap, *[self.title] * bool(self.title), *lines] if lines else []


MUST = 99  # lines of a block: they stand before those of any other


def block(title: str, *lines: str, least: int = 0, gap: bool = True) -> Block:
    """A block of lines below which nothing stands."""
    return Block([(line, ()) for line in lines], title, least, gap)


def fitting(blocks: Sequence[Block], room: int) -> list[str]:
    """The rows of a screen: of each block what must be there, then more of the first ones."""
    most = [0] * len(blocks)

    def fits() -> bool:
        return sum(len(part.rows(number)) for part, number in zip(blocks, most, strict=True)) <= room

    for wanted in ([part.least for part in blocks], [len(part.lines) for part in blocks]):
        for place in sorted(range(len(blocks)), key=lambda place: -blocks[place].least):
            while most[place] < min(wanted[place], len(blocks[place].lines), room):
                most[place] += 1
                if not fits():
                    most[place] -= 1
                    break
    return [row for part, number in zip(blocks, most, strict=True) for row in part.rows(number)]


def show(part: Block, most: int = LINES_SHOWN) -> None:
    """So many lines of a block by itself."""
    for row in part.rows(most):
        say(row)


def show_result(title: str, blocks: Sequence[Block], *below: str) -> None:
    """Show a result, with room for these lines below it; without any, for what ends a result. All of it where
    nobody sits before a window.
    """
    rows = [row for part in blocks for row in part.everything()]
    TERMINAL.details = "\n".join([title, *rows])
    TERMINAL.kept[title] = f"{TERMINAL.details}\n"
    heading(title)
    if is_watched():
        ends = below or (saved_to(*TERMINAL.kept_as), "", keys_line(DETAILS), PAUSE)
        rows = fitting(blocks, window()[1] - rows_of(BOX, *ends))
    for row in rows:
        say(row)


def show_details() -> None:
    """All of the result that was shown last: by the person's pager, if there is one. Ctrl-C there is for the
    pager alone, which would leave the terminal without an echo if it were ended.
    """
    with contextlib.suppress(OSError, ValueError):  # ValueError: quotes that do not end
        if command := shlex.split(os.environ.get("PAGER", "")):
            before = signal.signal(signal.SIGINT, lambda *_: None)  # a pager would inherit SIG_IGN
            try:
                # less would ask by a bare colon
                changed = {"LESS": "RPspace goes on, q goes back$", **os.environ}
                shown = subprocess.run(
                    command, input=TERMINAL.details, text=True, errors="replace", check=False, env=changed
                )
            finally:
                signal.signal(signal.SIGINT, before)
            TERMINAL.has_news = True
            if shown.returncode <= 0:  # below: by a signal
                return
    say(f"\n{TERMINAL.details}")


def keep_from(state: State, *words: str) -> None:
    """From here on results are kept for a text file; `words` are its name."""
    TERMINAL.kept, TERMINAL.kept_as = {}, (state.undo_folder, words)


def write_kept() -> None:
    """Write the text file, and say where it is. That it cannot be written is no failure."""
    text, TERMINAL.kept = "\n".join(TERMINAL.kept.values()), {}
    folder, words = TERMINAL.kept_as
    if text and words:
        try:
            say(saved_to(keep_text(folder, words, text)))
        except OSError as error:
            say(f"\n  It could not be saved in {folder}: {error.strerror}.")
    TERMINAL.kept_as = (Path(), ())


PAUSE = "  Enter for the menu: "


def saved_to(path: Path, words: Sequence[str] = ()) -> str:
    """Where the text file is; before it is written, as long a line."""
    return f"\n  Saved to: {path}" + f"/{'_'.join(['YYYY-MM-DD_HHMMSS', *words])}.txt" * bool(words)


def pause() -> str:
    """On a terminal let a result stay until somebody has seen it. What is typed there may be of the menu."""
    typed = ""
    if is_watched() and TERMINAL.has_news:
        with contextlib.suppress(KeyboardInterrupt):
            say()
            typed = ask_afresh(PAUSE, DETAILS if TERMINAL.details else {}).strip()
    TERMINAL.details = ""
    return typed


# ---- boxes, warnings, words --------------------------------------------------------------------------------


BOX = f"┌{'─' * 52}┐\n│{' ' * 14}{{:<38}}│\n└{'─' * 52}┘"


def heading(title: str) -> None:
    """A box with a title. A result begins."""
    say("\n" + BOX.format(title))


def show_error(error: TransferError) -> None:
    """One sentence what happened, then why and what to do."""
    say(f"\n  ✗ {error.what}")
    for text in filter(None, (error.why, error.todo)):
        say(f"    {text}")


def show_failed(error: TransferError) -> None:
    """What was asked for after a change that is made has failed: the exit code says so, too."""
    show_error(error)
    TERMINAL.failed = True


def warn(text: str) -> None:
    """One warning."""
    say(f"  ⚠ {text}")


def shown_size(amount: int) -> str:
    """Bytes in the unit that Immich's pages use."""
    number = float(amount)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(number) < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.2f} TiB"


def number_of(number: int, word: str, plural: str = "") -> str:
    """1 photo, 2 photos."""
    return f"{number} {word if number == 1 else plural or word + 's'}"


def who(user: User) -> str:
    """A user as shown everywhere: the e-mail tells two of one name apart."""
    return f"{clean(user.name)} <{clean(user.email)}>"


# ---- asking ------------------------------------------------------------------------------------------------


def read_line(prompt: str, *, is_secret: bool = False) -> str:
    """One line that is typed now, with its echo or without. Raises EndOfInput."""
    if TERMINAL.ended:  # it came where nothing could be ended
        raise Ended
    try:
        if is_secret and sys.stdin.isatty():
            return getpass.getpass(folded_to_fit(prompt))
        put(folded_to_fit(prompt))
        return input()
    except (EOFError, OSError):  # OSError: a terminal that has gone
        put("\n")
        raise EndOfInput from None
    except UnicodeDecodeError:
        return ""
    finally:
        TERMINAL.has_news = False
        TERMINAL.answers += 1


# What a key does where it is asked whether to go ahead: in words, and itself.
Keys = Mapping[str, tuple[str, Callable[[], None]]]
DETAILS: Keys = {"d": ("details", show_details)}


def keys_line(keys: Keys, *more: str) -> str:
    """What the keys do."""
    parts = [*filter(None, more), *(f"{key} {words}" for key, (words, _does) in keys.items())]
    return f"  {' · '.join(parts)}"


def ask_afresh(prompt: str, keys: Keys = types.MappingProxyType({}), does: str = "") -> str:
    """The answer, as it was typed, to a question that begins a change: nothing that was typed before it.
    Above it stands what keys do; one of them does it, and the question is asked again.
    """
    while True:
        if does or keys:
            say(keys_line(keys, does))
        forget_typed()
        answer = read_line(prompt)
        if answer not in keys:
            return answer
        keys[answer][1]()


def ask_word(word: str, question: str, keys: Keys = types.MappingProxyType({})) -> None:
    """Go on when exactly this word is typed. Raises StepBack for <, Back for anything else."""
    answer = ask_afresh(f"  {question} Type {word} [menu]: ", keys, f"{word} does it" * bool(keys))
    if answer != word:
        raise StepBack if answer == "<" else Back


def forget_typed() -> None:
    """Throw away what was typed before a question appeared: a `yes` that was pasted cannot answer it."""
    if not sys.stdin.isatty():
        return
    with contextlib.suppress(ImportError):  # a system that has none
        import termios

        with contextlib.suppress(termios.error):
            termios.tcflush(sys.stdin, termios.TCIFLUSH)


def require_person() -> None:
    """Raise TransferError unless somebody sits there who reads an analysis before answering it."""
    if not sys.stdin.isatty() and not os.environ.get(ANSWERS_FROM_PIPE):
        raise TransferError(
            "The answers come from a pipe or a file.",
            "A change is made only where somebody reads what it will do, and then types yes.",
            "Run it in a terminal. Dry runs are possible here.",
        )


def number_typed(answer: str) -> int | None:
    """A whole number from 0 on; None if it is none, or has ten digits: Python reads no more than 4,300."""
    short = answer.isascii() and answer.isdigit() and len(answer.lstrip("0")) < 10
    return int(answer[-10:]) if short else None


# One question after another: `<` goes one step back, and so does Enter where it stands for nothing else.
GO_BACK = "< back, 0 menu"


def ask_in_turn(steps: Callable[[], Sequence[Callable[[], None]]]) -> None:
    """Take one step after another. StepBack goes back to the last one that has asked something; where there
    is none, it is raised.

    `steps` is looked at anew after each: what comes later may depend on an answer.
    """
    asked: list[int] = []
    number = 0
    while number < len(steps()):
        before = TERMINAL.answers
        try:
            steps()[number]()
            if TERMINAL.answers > before:
                asked.append(number)
            number += 1
        except StepBack:
            if not asked:
                raise
            number = asked.pop()


def ask(prompt: str) -> str:
    """One answer, trimmed. Raises StepBack for <, Back for 0."""
    answer = read_line(prompt).strip()
    if answer in ("<", "0"):
        raise Back if answer == "0" else StepBack
    return answer


def ask_yes(prompt: str, hint: str = f", {GO_BACK}", default: str = "n") -> bool:
    """A yes or no; Enter is `default`. Raises StepBack and Back."""
    prompt += f" (y/n{hint}){f' [{default}]' * bool(default)}: "
    while (answer := ask(prompt).casefold() or default) not in ("y", "yes", "n", "no"):
        say("  Please answer y or n.")
    return answer.startswith("y")


def numbers_typed(part: str, most: int) -> list[int]:
    """The numbers of 3, or of 5-8, none above `most`; empty where it is something else."""
    first, dash, last = part.partition("-")
    low = number_typed(first) or 0
    high = (number_typed(last) or 0) if dash else low
    return list(range(low, high + 1)) if 1 <= low <= high <= most else []


def named_by(words: str, options: Sequence[str]) -> list[int]:
    """The indexes of the options that these letters fit: some of the name, its beginning, or all of it."""
    words = folded(words)
    fits = [number for number, option in enumerate(options) if words in folded(option)]
    for is_closer in (str.startswith, lambda option, words: re.split(r" [(<]", option)[0] == words):
        closer = [number for number in fits if is_closer(folded(options[number]), words)]
        fits = closer if len(fits) > 1 and closer else fits
    return fits if any(c.isalpha() for c in words) else []


def picked(answer: str, options: Sequence[str], several: bool = True) -> tuple[list[int], list[str]]:
    """What an answer as 3, 1,3,5-8, all, or letters of some lines chooses, by index; and what of it does not
    fit one line.
    """
    if several and folded(answer) == "all":
        return list(range(len(options))), []
    whole = len(named_by(answer, options)) == 1  # a name with a comma in it
    found, unfit = dict[int, None](), []
    apart = "[,;]" if any(map(str.isalpha, answer)) else "[ ,;]+"
    for part in [answer] if whole else map(str.strip, re.split(apart, answer.strip(" ,;"))):
        fits = [number - 1 for number in numbers_typed(part, len(options))]
        named = named_by(part, options)
        if fits or len(named) == 1:
            found.update(dict.fromkeys(fits or named))
        else:
            unfit.append(part)
    return list(found), unfit


def choose(title: str, options: Sequence[str], empty: str = "(none)") -> int:
    """The index of one of numbered options. Raises StepBack for Enter, Back for 0."""
    return choose_some(title, options, several=False, empty=empty)[0]


def choose_some(
    title: str,
    options: Sequence[str],
    *,
    several: bool = True,
    always: int = 0,
    may_be_any: bool = False,
    empty: str = "(none)",
) -> list[int]:
    """The indexes of numbered options, by number or by name. Raises StepBack for Enter, Back for 0.

    Of many the first are shown; + shows all, and letters those that they fit. The last `always` of them are
    always shown, and are chosen by themselves. With `may_be_any` Enter chooses none. What it means that there
    is no option says `empty`.
    """
    say(f"\n  {title}{':' * (not title.endswith('?'))}")
    if not options:
        say(f"    {empty}")
        if may_be_any:
            return []
        raise StepBack
    free = len(options) - always
    size = max(5, min(LINES_SHOWN, window()[1] - always - 5)) if is_watched() else LINES_SHOWN
    is_long, kept = free > size, list[int]()
    lines = [f"    {number:>3}. {option}" for number, option in enumerate(options, 1)]

    def offer(listed: Sequence[int], most: int) -> None:
        show(block("", *(lines[number] for number in listed), gap=False), most)
        show(block("", *lines[free:], gap=False), always)

    offer(range(free), size)
    numbers = example(free) if several else f"1-{len(options)}" if len(options) > 1 else "1"
    hints = ", ".join([numbers, "names", *["+ for all"] * is_long, GO_BACK])
    while True:
        answer = ask(f"  Choose ({hints}) [{'these' if kept else 'any' if may_be_any else 'back'}]: ")
        if not answer:
            if kept or may_be_any:
                return kept
            raise StepBack
        if answer == "+" and is_long:
            offer(range(free), free)
            continue
        is_all = several and folded(answer) == "all"
        found, unfit = picked(answer, options[:free] if is_all else options, several)
        chosen = list(dict.fromkeys([*kept, *found]))
        if len(chosen) > 1 and max(chosen) >= free:
            say(f"  Options {free + 1}-{len(options)} can't be combined; choose one.")
        elif len(found) > 1 and not several:
            say("  Choose one.")
        elif not unfit:
            return chosen
        else:
            kept = chosen if several else []
            for fits in [named_by(part, options[:free]) for part in unfit * is_long]:
                if fits:
                    offer(fits, size)
            say_unfit(unfit, options, kept)


def example(number: int) -> str:
    """Numbers as they can be typed where there are so many options."""
    return "1,3,5-8" if number >= 8 else "1,3" if number >= 3 else "1,2" if number == 2 else "1"


def say_unfit(unfit: Sequence[str], options: Sequence[str], kept: Sequence[int]) -> None:
    """What of an answer chooses nothing, and what it has chosen all the same."""
    for part in unfit:
        fits = len(named_by(part, options))
        why = f"fits {fits} lines: type more of it" if fits else f"fits no line of 1-{len(options)}"
        say(f"  “{shortened(part)}” {why}.")
    if kept:
        say(f"  Chosen so far: {', '.join(options[number] for number in kept)}.")


def working(work: Callable[[Progress], Result]) -> Result:
    """Run `work` with its progress shown: on one line of a terminal, which it leaves clean; elsewhere each
    step on a line of its own.

    A terminal's line is rewritten ten times a second at most. After a second of a step it tells the time that
    has passed since the beginning, and how many rows there are.
    """
    begun, ended, is_terminal = time.monotonic(), threading.Event(), sys.stdout.isatty()
    told, since, counted = "", begun, ""

    def progress(step: str, done: int = 0, total: int = 0) -> None:
        nonlocal told, since, counted
        if step:
            told, since, counted = step, time.monotonic(), ""
            if not is_terminal:
                put(f"  {step} …\n")
        elif total:
            in_all = f", {total:,} row{'s' * (total != 1)}"
            counted = f", {done:,} of {total:,} ({100 * done // total} %)" if done else in_all

    def keep_showing() -> None:
        shown = ""
        with contextlib.suppress(OutputLost):  # the work goes on; whoever prints next finds out
            while not ended.wait(0.1):
                now = time.monotonic()
                line = f"{told}{counted}, {now - begun:.0f} s …" if now - since > 1 else f"{told} …"
                if told and line != shown:
                    put(f"\r\x1b[K  {shortened(line, window()[0] - 3)}")
                    shown = line
            put("\r\x1b[K")

    ticking, before = threading.Thread(target=keep_showing, daemon=True), TERMINAL.tell_wait
    if is_terminal:
        ticking.start()
    TERMINAL.tell_wait = None  # the step tells it
    try:
        return work(progress)
    finally:
        TERMINAL.tell_wait = before
        ended.set()
        if is_terminal:
            ticking.join()


def waiting(words: str, work: Callable[[], Result]) -> Result:
    """Run `work`, which tells no steps, with these words shown."""

    def told(progress: Progress) -> Result:
        progress(words)
        return work()

    return working(told)


def show_wait(wait: str) -> None:
    """What is being waited for, on one line of a terminal, '' for no more; elsewhere nothing stays of it."""
    if sys.stdout.isatty():
        put(f"\r\x1b[K  {shortened(wait, window()[0] - 5)} …" if wait else "\r\x1b[K")


# ---- set-up ------------------------------------------------------------------------------------------------


def set_up(path: Path, old: Config | None) -> State:
    """Ask for both ends, try them, save: nothing is saved before."""
    say("\n  Set-up. < goes one question back, Ctrl-C back to the menu. Each answer is tried at once, and")
    say("  nothing is saved until all of it works.")
    answers = old
    while True:
        if answers:
            say("  Enter keeps the value in brackets, or the secret that was given.")
        answers = ask_settings(answers)
        try:
            state = connect_both(State(path, answers))
            save_config(path, state.config)
            say(f"  ✓ Saved to {path}.")
            return state
        except TransferError as error:
            show_error(error)
            say("\n  Nothing was saved.")


def read_key(text: str) -> str:
    """An API key, as far as it can be told. Raises TransferError."""
    if not text.strip():
        raise TransferError("Without an API key it cannot be seen that both ends are the same Immich.")
    open_api("localhost", text.strip())
    return text.strip()


def read_host(text: str) -> str:
    """A database's host. Raises TransferError."""
    if "://" in text:
        raise TransferError("A host is a name or an IP address, without http:// or anything else around it.")
    return text.strip("[]")  # libpq takes IPv6 as it is


def read_port(text: str) -> int:
    """A port. Raises TransferError."""
    if (number := number_typed(text) or 0) not in range(1, 65536):
        raise TransferError("A port is a number from 1 to 65535.")
    return number


def read_folder(text: str) -> str:
    """A folder of this computer, '' for none. Raises TransferError."""
    folder = Path(text).expanduser()
    if text not in ("", "-") and not folder.is_dir():
        raise TransferError(f"{clean(text)} is not a folder on this computer.")
    return str(folder.absolute()) if text not in ("", "-") else ""


@dataclass(frozen=True)
class Question:
    """A question of the set-up: how it is asked, and what makes a setting of the answer, or a dictionary of
    several settings.
    """

    words: str
    read: Callable[[str], Any] = str
    example: str = ""  # shown where there is no value yet
    is_secret: bool = False


# In the order in which they are asked, by the setting that each is for.
QUESTIONS: Mapping[str, Question] = {
    "env": Question(
        "Path of Immich's .env file, if it is on this computer",
        lambda text: read_env_file(Path(text)) if text else {},
        " (Enter to skip)",
    ),
    "url": Question("Immich address", base_url, " (such as http://192.168.1.10:2283)"),
    "key": Question("API key", read_key, is_secret=True),
    "host": Question("Database host", read_host),
    "port": Question("Database port", read_port),
    "dbname": Question("Database name"),
    "user": Question("Database user"),
    "password": Question("Database password", is_secret=True),
    "media": Question(
        "Only for moving files (10): Immich's media folder, UPLOAD_LOCATION in its .env, as this computer\n"
        "  sees it. It can be given later. Type - to leave it empty.\n  Media folder",
        read_folder,
        " (Enter to skip)",
    ),
}

TRIED = ("url", "key", "password", "media")  # as soon as that is answered
Answers = dict[str, Any]  # of the set-up: settings by the names of QUESTIONS, and more of the database's


def database_in(answers: Answers) -> Answers:
    """What goes to psycopg2."""
    return {name: answers[name] for name in answers if name not in ("url", "key", "media", "headers")}


def try_answer(setting: str, answers: Answers) -> str:
    """Try what has been answered; what was found. Raises TransferError."""
    if setting == "url":  # whoever answers gets no key yet
        version = immich_version(open_api(answers["url"], "", answers["headers"]))
        return f"Immich {'.'.join(map(str, version))} answers there."
    if setting == "key":
        *_, user = whose_key(open_api(answers["url"], answers["key"], answers["headers"]))
        return f"The key is of {clean(str(user['email']))}."
    if setting == "password":
        try_database(database_in(answers))
        return "It is Immich's database."
    if setting == "media" and answers["media"]:
        check_media(database_in(answers), Path(answers["media"]))
    return ""


def ask_settings(old: Config | None) -> Config:
    """The settings, one question each, tried as soon as they are there. What an .env or an address of the
    database has answered is not asked for.
    """
    say()
    answers: Answers = {**DEFAULT_DATABASE, "headers": {}}
    if old:
        answers |= {**old.database, "url": old.api_url, "key": old.api_key, "media": old.media}
        answers["headers"] = old.headers
    if "database" in answers:  # psycopg2's other name for dbname; both at once it refuses
        answers["dbname"] = answers.pop("database")
    told: dict[str, set[str]] = {}  # what the answer to one question says of others

    def take(setting: str, answer: Any) -> None:
        found = answer if isinstance(answer, dict) else {setting: answer}
        answers.update(found)
        told[setting] = found.keys() - {setting, "media"} if "password" in found else set()
        if setting == "env" and found:
            read = [question.words.splitlines()[-1] for name, question in QUESTIONS.items() if name in found]
            say(f"  Read from it: {', '.join(words.strip().lower() for words in read)}.")
            told[setting] -= {"host", "port"}  # they may be Docker's
            with contextlib.suppress(TransferError):
                waiting("Trying the database", lambda: try_answer("password", answers))
                told[setting] |= {"host", "port"}

    def ask_for(setting: str) -> None:
        is_told = any(setting in others for others in told.values())
        while True:
            if not is_told:
                take(setting, ask_question(setting, answers.get(setting, "")))
            try:
                if setting in TRIED and (found := waiting("Trying it", lambda: try_answer(setting, answers))):
                    say(f"  ✓ {found}")
                return
            except TransferError as error:
                show_error(error)
                if is_told:
                    raise StepBack from None

    while True:  # at the first question there is no step back
        with contextlib.suppress(StepBack):
            ask_in_turn(lambda: [functools.partial(ask_for, setting) for setting in QUESTIONS])
            break
    return Config(
        *(answers["url"], answers["key"], database_in(answers), answers["media"], answers["headers"])
    )


def ask_question(setting: str, known: Any = "") -> Any:
    """The answer, as a setting; Enter stands for `known`, if that can be one. Raises StepBack."""
    question = QUESTIONS[setting]

    def read(text: str) -> Any:
        of_database = setting in ("host", "port", "dbname", "user", "password")
        return settings_of_url(text) if of_database and is_database_url(text) else question.read(text)

    try:
        known = str(known) and str(read(str(known)))
    except TransferError as error:
        show_error(error)
        known = ""
    shown = " (not shown)" if question.is_secret else f" [{known}]" if known else question.example
    while True:
        answer = read_line(f"  {question.words}{shown}: ", is_secret=question.is_secret)
        if answer.strip() == "<":
            raise StepBack
        try:
            return read((answer if question.is_secret else answer.strip()) or known)
        except TransferError as error:
            show_error(error)


def api_of(state: State) -> Api:
    """open_api() with its settings."""
    return open_api(state.config.api_url, state.config.api_key, state.config.headers)


def connect_both(state: State) -> State:
    """The state with both ends tried and compared."""
    say(f"\n  Connecting to {clean(state.config.api_url)} and the database …")
    server = check_server(api_of(state), state.config.database)
    state = replace(state, server=server)
    say("  ✓ Connected.")
    if server.is_newer:
        newest = ".".join(map(str, NEWEST_IMMICH))
        warn(
            f"This Immich is newer than {newest}, the newest that this tool was tested with. Look for a "
            "newer tool."
        )
    if server.unknown_links:
        show_error(UnknownLinks(server.unknown_links))
    return state


def connected_to(state: State) -> str:
    """The line below the menu."""
    if state.server is None:
        return "Not connected. Every entry tries again; 7 changes the settings."
    host = urllib.parse.urlsplit(state.config.api_url).hostname or ""
    who_asks = clean(state.server.user_email) + ", not an administrator" * (not state.server.is_admin)
    return f"Immich {state.server.version} · {clean(host)} · {who_asks}"


def need_server(state: State) -> tuple[State, Api, Server]:
    """Both ends, tried now if they were not reachable before."""
    if state.server is None:
        state = connect_both(state)
    assert state.server is not None
    return state, api_of(state), state.server


def ready_to_change(state: State) -> tuple[State, Api, Server]:
    """need_server(), and nothing in sight that would stop a change: it is said before anything is asked."""
    require_person()
    state, api, server = need_server(state)
    require_writable(state.undo_folder)
    return state, api, server


# ---- lists -------------------------------------------------------------------------------------------------


def users_screen(state: State) -> State:
    """Menu entry 1. What takes long comes after the users, and Ctrl-C leaves it out."""
    state, api, server = need_server(state)
    config = state.config.database
    users = waiting("Counting photos", lambda: list_users(api, server, config, figures=True))
    heading("USERS")
    for user in users:
        quota = "no quota" if user.quota is None else f"quota {shown_size(user.quota)}"
        gone = "  [marked for deletion]" if user.deleted else ""
        say(f"  {who(user)}: {number_of(user.photos, 'photo')}, {shown_size(user.usage)}, {quota}{gone}")
    try:
        troubles = waiting("Looking for problems; Ctrl-C leaves that out", lambda: find_faults(config))
        found = collections.Counter(trouble.user for trouble in troubles)
        show(block("", *(
            f"  {who(user)}: {number_of(found[user.id], 'problem')}, see Repair (5)"
            for user in users if found[user.id]
        )))
        untracked = untracked_words(clear_untracked(config))
        lying = waiting("Looking whose files lie where; Ctrl-C leaves that out", lambda: list_lying(config))
        for text in (
            *untracked,
            *lying_words(lying, users),
            *undrawn_words(list_undrawn(config), {user.id: who(user) for user in users}),
        ):
            warn(text)
    except KeyboardInterrupt:
        say("  Not looked for.")
    return state


def lying_words(lying: Lying | None, users: Sequence[User]) -> list[str]:
    """Whose account must not be deleted, for the files of others in its folders."""
    if lying is None:
        return [
            "Whose files lie in whose folders cannot be told: a storage label is not the name of a folder. "
            "Do not delete an account before it is another one: Move files (10)."
        ]
    held: collections.Counter[str] = collections.Counter()
    for (holder, _owner), kinds in lying.items():
        held[holder] += sum(kinds.values())
    words = [
        f"{number_of(held[user.id], 'file')} of other users lie in the folders of {who(user)}. Immich "
        "deletes those folders with the account, whoever owns the files in them: do not delete this account "
        "before they have moved (10)."
        + " It is marked for deletion: restore it under Administration > Users." * user.deleted
        for user in users
        if held[user.id]
    ]
    if held[""]:
        words.append(
            f"Of {number_of(held[''], 'file')} it cannot be told in whose folders they lie. Do not delete "
            "any account before that is known: Move files (10)."
        )
    return words


def undrawn_words(undrawn: Mapping[str, int], names: Mapping[str, str]) -> list[str]:
    """Whose people have no picture yet: a job that was started too early, or not at all, has left them."""
    label, button, _does = JOBS["thumbnailGeneration"]
    return [
        f"{number_of(number, 'person has no picture', 'people have no pictures')} yet, of "
        f"{names.get(user, user)}: in Immich, Administration > Job Queues > {label} > {button}."
        for user, number in undrawn.items()
    ]


def albums_screen(state: State) -> State:
    """Menu entry 2."""
    state, api, server = need_server(state)
    users = {user.id: user for user in list_users(api, server, state.config.database)}
    heading("ALBUMS")
    # stable: by name within one owner; those without an owner come last, Repair gives them one
    albums = sorted(list_albums(api, state.config.database), key=lambda album: (
        album.owner == "", users.get(album.owner, NOBODY).name.casefold(), album.owner))
    for owner, of_owner in itertools.groupby(albums, lambda album: album.owner):
        say(f"  {who(users[owner]) if owner in users else 'Nobody, see Repair (5)'}")
        for album in of_owner:
            shared = f", shared with {', '.join(map(clean, album.shared_with))}" if album.shared_with else ""
            say(f"    {clean(album.name)}: {number_of(album.items, 'item')}{shared}")
    if not albums:
        say("  There are no albums.")
    return state


# ---- what a report tells, line by line ---------------------------------------------------------------------


ALONG_WORDS = {
    "live": "part of a live photo",
    "stack": "in a stack with a chosen photo",
    "stack live": "live photo in it",
}

ACTION_WORDS = {
    TRANSFER: "goes along",
    DUPLICATE: "stays, and the new owner gets one of their own",
    MERGE: "becomes the new owner's person",
}


# What is told at which time: the title; the form of a line, of which the words may be a label `l` before the
# number; how many of the lines a screen has room for in any case.
TELLINGS: Mapping[str, tuple[str, str, int]] = {
    "stays": ("  Why they stay:", "    {l}", 0),
    "also": ("  Also:", "    {l}", 0),
    "handed": ("", "  {l}", 2),
    "done": ("  Summary:", "    • {l:<20} {n}", MUST),
    "fixed": ("  Summary:", "    • {l:<20} {n}", MUST),
    "undo": ("  Summary:", "    • {l:<20} {n}", 4),
    "kept": ("  Changed since, so it stays as it is now:", "    {l}", 3),
    "lost": ("  Taken away by the run, and cannot be given back:", "    {l}", 3),
    "warning": ("", "", 0),  # before a transfer
    "page": ("", "", 0),  # in the table of its page
}
LABELS = ("done", "fixed", "undo", "page")  # their words have no number in them

LINES = [
    *(("stays", f"stays_{reason}", f"{{n}} photo[|s]: {words}") for reason, words in REASONS.items()),
    *(("kept", f"stays_{reason}", f"{{n}} photo[|s]: {words}") for reason, words in UNDO_REASONS.items()),
    *(line.split(None, 2) for thing in THINGS for line in thing.lines.strip().splitlines()),
    ("undo", "besides", "Rows of pictures, tags, memories, links, stacks and the like put back"),
    ("warning", "already_wrong", "{n} thing[ on these photos is|s on these photos are] wrong already. "
        "Better fix that first (5)."),
    ("done,page", "stays", "Photos that stay"),
]

# How one of them is named where they are listed, if not simply by its name.
NAMED: Mapping[str, Callable[[Any], str]] = {
    "along": lambda photo: f"{clean(photo[1])} ({ALONG_WORDS[photo[0]]})",
    "shares_apart": lambda share: f"{clean(share[0] or '') or 'Unknown'} of {clean(share[1])}",
    "shares_ended": lambda share: f"{clean(share[0]) or 'Unknown'} with {clean(share[1])}",
    "libraries": lambda library: library_line(library),
    "libraries_kept": lambda kept: kept_library_line(*kept),
    "links_back": lambda name: clean(name) or "without a name",
    "people_kept": lambda person: f"{clean(person[0]) or 'Unknown'}: {person[1]}",
    "copies_kept": lambda copy: f"{clean(copy[0])}: {clean(copy[1])}",
    **dict.fromkeys(("albums_unseen", "albums_public"), lambda name: f"“{shortened(name)}”"),
}


def told(report: Report, telling: str, **names: str) -> Iterator[tuple[int, str, list[str]]]:
    """What a report has to tell, line by line: how many, the words, and each by its name. `names` are those
    of the users concerned.
    """
    found = all_found(report)
    for tellings, what, words in LINES:
        one_by_one = found.get(what, 0) if telling in tellings.split(",") else 0
        number = one_by_one if isinstance(one_by_one, int) else len(one_by_one)
        if number:
            listed = [] if isinstance(one_by_one, int) else list(map(NAMED.get(what, clean), one_by_one))
            text = re.sub(r"\[(.*?)\|(.*?)\]", r"\1" if number == 1 else r"\2", " ".join(words.split()))
            yield number, text.format(n=number, names=in_words(listed), **names), listed


def all_found(report: Report) -> dict[str, int | Sequence[Any]]:
    """What a report has, one by one or just how many, by the names in LINES."""
    groups = {f"stays_{reason}": names for reason, names in report.stays}
    groups |= {f"lost_{what}": names for what, names in report.lost}
    return {
        **{what: getattr(report, what) for what in ("assets", "faces", "along", "libraries")},
        "stays": [name for _reason, names in report.stays for name in names],
        **{
            action: [person.name for person in report.people if person.action == action]
            for action in (TRANSFER, DUPLICATE, MERGE)
        },
        **groups, **report.counts, **report.lists,
    }


def names_told(source: User, destination: User) -> dict[str, str]:
    """The users of a transfer, as the words of LINES name them: two of one name by their e-mail addresses."""
    shown = clean if folded(source.name) != folded(destination.name) else (lambda _name: "")
    giver, taker = (shown(user.name) or clean(user.email) for user in (source, destination))
    return {"giver": giver, "taker": taker}


def told_block(report: Report, telling: str, **names: str) -> Block:
    """What a report has to tell, as lines of a result."""
    title, form, least = TELLINGS[telling]
    below = " " * (len(form) - len(form.lstrip()) + 2)
    colon = ":" * (telling in LABELS)
    return Block(
        [
            (form.format(n=many, l=text + colon), [below + name for name in listed if name])
            for many, text, listed in told(report, telling, **names)
        ],
        title,
        least,
    )


# ---- transfer ----------------------------------------------------------------------------------------------


def active_users(api: Api, server: Server, config: Mapping[str, Any]) -> list[User]:
    """The users to choose from. Those marked for deletion are named: nothing can be done for them."""
    users = list_users(api, server, config)
    gone = [user for user in users if user.deleted]
    if gone:
        are = "is" if len(gone) == 1 else "are"
        say(
            f"  Not listed: {names_of(gone)}, who {are} marked for deletion. Immich's Administration > Users "
            "can restore an account."
        )
    return [user for user in users if not user.deleted]


def transfer_screen(state: State, *, execute: bool) -> State:
    """Menu entries 3 and 4."""
    state, api, server = (ready_to_change if execute else need_server)(state)
    config = state.config.database
    users = active_users(api, server, config)
    wish = Wish()
    ask_in_turn(lambda: [
        *transfer_questions(wish, users, api, config, state.config.api_url),
        *last_steps(wish, state, api, execute=execute),
    ])
    return state


def last_steps(wish: Wish, state: State, api: Api, *, execute: bool) -> list[Callable[[], None]]:
    """Whose people are the same; then the transfer."""
    return [
        lambda: ask_pairs(wish, state, api),
        lambda: act(transfer_action(wish, state, api), state, api, execute=execute),
    ]


def make_page(wish: Wish, state: State, api: Api) -> None:
    """Write the analysis that was shown last as a page."""
    assert wish.page
    page = wish.page
    try:
        if not page.path:
            pictures = working(lambda progress: page_pictures(page, state, api, progress))
            page = replace(page, pictures=pictures)
        wish.page = write_page(state.undo_folder, page)
    except TransferError as error:
        show_error(error)
        return
    say(f"  The page: {wish.page.path}")
    say("  Open it in a browser. The same data is in the .csv beside it.")


def finish_page(wish: Wish, report: Report) -> list[str]:
    """If there is a page, it says what was done; its pictures are those of before."""
    if not (wish.page and wish.page.path):
        return []
    try:
        write_page(wish.page.path.parent, replace(wish.page, report=report, is_done=True))
        return [f"  The page now shows what was done: {wish.page.path}"]
    except TransferError as error:
        return [f"  ⚠ {error.what} {error.why}"]


# What is analysed, in the title.
ANALYSED = {"album": "ALBUM", "tag": "TAG", "conditions": "PHOTO", "everything": "ACCOUNT"}


def page_pictures(page: Page, state: State, api: Api, progress: Progress) -> dict[str, str]:
    """The pictures of a page: from Immich's media folder where it is seen from here, else from Immich, as far
    as they are the key's owner's.
    """
    readers = []
    if state.config.media:
        media = see_media_folder(state.config.database, Path(state.config.media))
        readers += [from_media(media)] if media else []
    me = state.server.user_id if state.server else ""
    may: set[str] = set()
    if me == page.source.id:
        may = {photo.id for photo in page.inventory.photos} | {person.id for person in page.report.people}
    elif me == page.destination.id:
        may = {person.merge_id for person in page.report.people if person.merge_id}
    readers += [from_immich(api, frozenset(may))] if may else []
    if not readers:
        say("  No pictures: this key is not of the photos' owner, and Immich's media folder is not set (7).")
        return {}
    return gather_pictures(pictures_wanted(page.inventory, page.report), readers, progress)


def transfer_questions(
    wish: Wish, users: Sequence[User], api: Api, config: Mapping[str, Any], address: str
) -> list[Callable[[], None]]:
    """What is asked of a transfer, each only where it applies; whose people are the same comes last."""
    return [
        lambda: ask_source(wish, users),
        lambda: ask_selection(wish, api, config, address),
        *wish.more,
        lambda: ask_destination(wish, users),
        *[lambda: ask_album_itself(wish)] * bool(wish.request.every_album),
        *wish.last,
    ]


def ask_source(wish: Wish, users: Sequence[User]) -> None:
    """Whose photos go."""
    wish.source = users[choose("Source user (whose photos are handed over)", [who(user) for user in users])]


def album_lines(albums: Sequence[Album]) -> list[str]:
    """Albums to choose from; of two of one name it is said when they were made."""
    times = collections.Counter(folded(album.name) for album in albums)
    lines = []
    for album in albums:
        made = f", made {album.made}" if times[folded(album.name)] > 1 else ""
        lines.append(f"{clean(album.name).strip()} ({number_of(album.items, 'item')}{made})")
    return lines


def tag_lines(tags: Sequence[Tag]) -> list[str]:
    """Tags to choose from."""
    return [f"{clean(tag.path)} ({number_of(tag.photos, 'photo')})" for tag in tags]


def ask_selection(wish: Wish, api: Api, config: Mapping[str, Any], address: str) -> None:
    """What to transfer: albums, photos with a tag, photos by several conditions, or everything."""
    source = wish.source
    albums = list_albums(api, config, source.id)
    others = [
        "Photos with a tag …",
        "Photos of people, of some days, favourites, or several of these …",
        "Everything (to give up the account) …",
    ]
    chosen = choose_some(f"Albums of {who(source)}", [*album_lines(albums), *others], always=len(others))
    other = chosen[0] - len(albums)
    wish.more, wish.last = (), ()
    if other == 0:
        wish.more = [lambda: ask_tag(wish, config)]
    elif other == 1:
        wish.more = condition_questions(wish, api, config, {}, address)
    elif other == 2:
        wish.request, wish.what = Request(source.id, "", everything=True), "everything"
        found = list_libraries(config, source.id)
        wish.last = [lambda: ask_same_person(wish)]
        wish.last += [functools.partial(ask_put_away, wish, config, code) for code in ("trashed", "locked")]
        wish.last += [functools.partial(ask_library, wish, config, library.id) for library in found]
    elif len(chosen) > 1:
        choose_what(wish, config, albums=tuple(albums[number].id for number in chosen))
    elif other < 0:
        wish.request = Request(source.id, "", album=albums[chosen[0]].id)
        wish.what = f"album “{shortened(albums[chosen[0]].name).strip()}”"


def choose_what(wish: Wish, config: Mapping[str, Any], **asked: Any) -> None:
    """Photos by these conditions."""
    wish.request = Request(wish.source.id, "", **asked)
    wish.what = clean(describe(config, wish.request))


def condition_questions(
    wish: Wish, api: Api, config: Mapping[str, Any], asked: dict[str, Any], address: str
) -> list[Callable[[], None]]:
    """What the photos must be, one thing after another; Enter leaves each open."""

    def albums() -> None:
        found = list_albums(api, config, wish.source.id)
        title = f"Albums of {who(wish.source)}, in one of which the photos are"
        chosen = choose_some(title, album_lines(found), may_be_any=True, empty="(there are no albums)")
        asked["albums"] = tuple(found[number].id for number in chosen)

    def tag() -> None:
        found = list_tags(config, wish.source.id)
        title = f"Tags of {who(wish.source)}, which the photos have"
        chosen = choose_some(
            title, tag_lines(found), several=False, may_be_any=True, empty="(there are no tags)"
        )
        asked["tag"] = found[chosen[0]].id if chosen else None

    def people() -> None:
        found = list_people(config, wish.source.id)
        chosen = choose_some(
            f"People of {who(wish.source)}, of whom one is on each photo", people_lines(found, address),
            may_be_any=True, empty="(Immich has found nobody on these photos)",
        )
        asked["people"] = tuple(found[number].id for number in chosen)

    def since() -> None:
        asked["since"] = ask_day("From date")

    def until() -> None:
        while (day := ask_day("To date")) and day < asked["since"]:
            say(f"  That is before {asked['since']}.")
        asked["until"] = day

    def favorites() -> None:
        asked["favorites"] = ask_yes("  Only favourites?")
        if not any(asked.values()):
            say("  None of these was given: that would be everything.")
            raise StepBack
        choose_what(wish, config, **asked)

    return [albums, tag, people, since, until, favorites]


def people_lines(people: Sequence[KnownPerson], address: str) -> list[str]:
    """People to choose from; of those without a name, and of two of one name, where to look at them."""
    times = collections.Counter(folded(person.name) for person in people)
    lines = []
    for person in people:
        born = f", born {person.birth}" if person.birth else ""
        is_clear = person.name.strip() and times[folded(person.name)] == 1
        look = "" if is_clear else f"  {clean(address)}/people/{person.id}"
        lines.append(f"{clean(person.name) or 'Unknown'} ({number_of(person.photos, 'photo')}{born}){look}")
    return lines


def ask_day(question: str) -> str:
    """A day as 2024-07-12, or '' for none."""
    while answer := ask(f"  {question} (YYYY-MM-DD, {GO_BACK}) [any]: "):
        with contextlib.suppress(ValueError):
            return datetime.date.fromisoformat(answer).isoformat()
        say("  Please give a day as YYYY-MM-DD: year, month, day.")
    return ""


def ask_tag(wish: Wish, config: Mapping[str, Any]) -> None:
    """Which tag the photos have."""
    tags = list_tags(config, wish.source.id)
    tag = tags[choose(f"Tags of {who(wish.source)}", tag_lines(tags), "(there are no tags)")]
    wish.request, wish.what = Request(wish.source.id, "", tag=tag.id), f"tag {clean(tag.path)}"


def ask_destination(wish: Wish, users: Sequence[User]) -> None:
    """Who gets them."""
    others = [user for user in users if user.id != wish.source.id]
    lines = [who(user) for user in others]
    empty = "(there is no other active user)"
    wish.destination = others[choose("Destination user (who gets them)", lines, empty)]
    wish.request = replace(wish.request, destination=wish.destination.id)


def ask_album_itself(wish: Wish) -> None:
    """What becomes of the album."""
    giver, taker = clean(wish.source.name), clean(wish.destination.name)
    choices = {
        ALBUM_STAYS: f"stays {giver}'s as it is",
        ALBUM_SHARED: f"stays {giver}'s, and {taker} becomes an editor",
        ALBUM_HANDED_OVER: f"is handed over to {taker}, and {giver} stays as an editor",
        ALBUM_GIVEN_UP: f"is handed over to {taker}, and {giver} leaves it",
    }
    say("\n  The album itself:")
    for number, words in enumerate(choices.values(), 1):
        say(f"    {number}. {words}")
    prompt = f"  Number (1-4, {GO_BACK}) [1]: "
    while (chosen := number_typed(ask(prompt) or "1")) not in (1, 2, 3, 4):
        say("  Please give a number from 1 to 4.")
    wish.request = replace(wish.request, album_itself=list(choices)[(chosen or 1) - 1])


def ask_same_person(wish: Wish) -> None:
    """Whether both accounts are one person's. Nothing is guessed: what goes along then is not of photos."""
    giver, taker = clean(wish.source.name), clean(wish.destination.name)
    say(f"\n  If so, {taker} also takes {giver}'s place in albums of others, partners and comments.")
    same = ask_yes(f"  Is {taker} the same person as {giver}?", default="")
    wish.request = replace(wish.request, same_person=same)


def ask_put_away(wish: Wish, config: Mapping[str, Any], code: str) -> None:
    """Whether photos in the trash, or in the locked folder, go too."""
    number = list_put_away(config, wish.source.id).get(code, 0)
    words = {"trashed": "in the trash", "locked": "in the locked folder"}[code]
    which = "photo" if number == 1 else f"{number} photos"
    also = number > 0 and ask_yes(f"  Also the {which} {words}?")
    if code == "trashed":
        wish.request = replace(wish.request, trashed=also)
    else:
        wish.request = replace(wish.request, locked=also)


def ask_library(wish: Wish, config: Mapping[str, Any], asked: str) -> None:
    """Whether an external library is to be handed over; one that cannot be is told with the reason."""
    found = [each for each in list_libraries(config, wish.source.id, wish.destination.id) if each.id == asked]
    if not found:
        return
    library, libraries = found[0], wish.request.libraries - {asked}
    if library.others:
        error = mixed_library(library)
        warn(f"{error.what} {error.why} It stays, with its photos. {error.todo}")
    elif ask_yes(f"  Also the external library {library_line(library)}, with all that is in it?"):
        libraries |= {library.id}
    wish.request = replace(wish.request, libraries=libraries)


def library_line(library: ExternalLibrary) -> str:
    """An external library with its photos: it goes whole, so those that people may have put away are told."""
    places = ((library.trashed, "in the trash"), (library.locked, "in the locked folder"))
    apart = "".join(f", {number} of them {where}" for number, where in places if number)
    return f"“{clean(library.name)}” ({number_of(library.photos, 'photo')}{apart})"


def ask_pairs(wish: Wish, state: State, api: Api) -> None:
    """Who is merged. Earlier runs remember some of the namesakes."""
    config = state.config.database

    def look() -> Sequence[Person]:
        remembered = remembered_people(config, state.undo_folder, wish.destination.id)
        wish.request = replace(wish.request, remembered=remembered)
        return merge_pairs(config, wish.request, nearest_faces(api, config))

    if state.server and not state.server.face_vectors and not state.told:
        state.told.append("faces")
        say("  People are compared by name alone: this database has no vectors of faces.")
    pairs = waiting("Looking", look)
    wish.merge, faces = ask_merges(pairs, wish.destination, state.config.api_url)
    wish.request = replace(wish.request, remembered=wish.request.remembered + faces)


class Again(Exception):
    """What was asked for is another thing now, so it is looked at again."""


@dataclass(frozen=True)
class Sheet:
    """What is shown of an analysis, in this order."""

    verdict: str
    blocks: Sequence[Block]  # what changes, and what stays
    warnings: Sequence[str] = ()
    is_any: bool = True  # whether there is anything to do


@dataclass(frozen=True)
class Chore:
    """Something to finish with, once a change is made: its name, the words of the question for it, how it is
    done, which tells what came of it, and what is said to people where it is not.
    """

    name: str
    words: str
    do: Callable[[], str]
    later: str = ""
    told: Sequence[str] = ()  # what it is, line by line


@dataclass(frozen=True)
class Done:
    """What is shown of a change that is made; what the tool can do besides, and what only people can."""

    title: str
    blocks: Sequence[Block]
    warnings: Sequence[str] = ()
    chores: Sequence[Chore] = ()
    steps: Callable[[], Sequence[str]] = tuple  # told when the chores are done


@dataclass(frozen=True)
class Action(Generic[Shown]):
    """Something that can be done, as act() needs to know it."""

    title: str  # over the analysis
    kept_as: Sequence[str]  # words of the name of the file that keeps what was shown
    run: Callable[[How], Shown]  # for real, or dry
    show: Callable[[Shown], Sheet]  # the analysis
    question: Callable[[Shown], str]
    past: Callable[[Shown], str]  # the result in a few words
    done: Callable[[Shown], Done]
    ends: str = ""  # what is said below the warnings
    entry: str = ""  # the menu entry that does it, where another is the dry run
    typed: str | None = None  # a text that has to be typed besides
    keys: Callable[[], Keys] = dict
    goes_back: bool = True  # to the question before, where there is nothing to do


def act(action: Action[Shown], state: State, api: Api, *, execute: bool = True) -> None:
    """The rhythm of everything that is done: the analysis, keys that change or show it, yes, the change, its
    result, what is left to do. It begins again whenever a key has changed what is asked for.
    """
    while True:
        with contextlib.suppress(Again):
            report = working(lambda progress: action.run(How(progress=progress)))
            keep_from(state, *(() if execute else ("dry-run",)), *action.kept_as)
            sheet, keys = action.show(report), {**DETAILS, **action.keys()}
            if not sheet.is_any:
                show_result(action.title, blocks_of(sheet))
                if action.goes_back:
                    raise StepBack
                return
            if execute or goes_on(action, sheet, keys, state):
                how = confirm(action, report, sheet, keys, state, api, agreed=not execute)
                carry_out(action, how, state)
            return


def blocks_of(sheet: Sheet, ends: str = "", more: Sequence[str] = ()) -> list[Block]:
    """An analysis, block by block. `more` are warnings besides."""
    warnings = [*more, *sheet.warnings]
    mark = "⚠" if warnings or not sheet.is_any else "✓"
    return [
        block("", f"  {mark} {sheet.verdict}", least=MUST, gap=False),
        *sheet.blocks,
        warning_block(warnings),
        block("", *[f"  ✓ {ends}"] * bool(ends), least=MUST, gap=not warnings),
    ]


def warning_block(warnings: Sequence[str]) -> Block:
    """Warnings, of which the first few are always seen."""
    return block("", *(f"  ⚠ {text}" for text in warnings), least=5)


def transfer_action(wish: Wish, state: State, api: Api) -> Action[Report]:
    """A transfer as it was asked for."""
    source, destination = wish.source, wish.destination

    def run_it(how: How) -> Report:
        listed: list[Inventory] = []
        request = replace(wish.request, merge=wish.merge)
        report = transfer(state.config.database, request, replace(how, listed=listed.append))
        if how.dry_run:
            wish.page = Page(listed[-1], report, source, destination, wish.what, state.config.api_url)
        return report

    def show_it(report: Report) -> Sheet:
        # the last ones are left of earlier runs: what belongs to albums that are the destination's by now
        things = (
            *("albums_changed", "album_copies", "covers_copied", "comments_moved", "links_moved"),
            *("memberships", "partners", "said", "shares_joined"),
        )
        return transfer_sheet(
            report, wish, state.config.api_url,
            bool(report.assets or report.libraries or any(map(report.of, things))),
        )

    names = names_told(source, destination)
    return Action(
        title=f"{ANALYSED[wish.request.kind]} TRANSFER ANALYSIS",
        kept_as=("transfer", source.email, destination.email),
        run=run_it,
        show=show_it,
        question=lambda report: f"Transfer {number_of(report.assets, 'photo')} to {who(destination)}?",
        past=lambda report: f"{number_of(report.assets, 'photo')} → {names['taker']} · 9 takes it back",
        done=lambda report: transfer_done(state, api, report, wish),
        ends=undoable(state),
        entry="4",
        typed=source.email if wish.request.everything else None,
        keys=lambda: {
            "p": ("page with pictures", lambda: make_page(wish, state, api)),
            "l": ("leave photos out", lambda: ask_left_out(wish)),
        },
    )


def ask_left_out(wish: Wish) -> None:
    """Which photos are not to move after all. Raises Again if there are any."""
    assert wish.page
    moving = [photo for photo in wish.page.inventory.photos if photo.moves]
    with contextlib.suppress(StepBack):
        chosen = choose_some("Photos that stay", [f"{clean(photo.name)} ({photo.day})" for photo in moving])
        found = {moving[number].id for number in chosen}
        wish.request = replace(wish.request, left_out=wish.request.left_out | found)
        raise Again


def ask_merges(pairs: Sequence[Person], destination: User, address: str) -> tuple[frozenset[str], SamePeople]:
    """Which people may be merged by name, and who is who by face: all, none, or some of the pairs listed.
    Enter merges nobody: two people who were made one by mistake cannot be told apart again.

    `address` is Immich's: both can be looked at there.
    """
    if known := [person for person in pairs if person.remembered and person.name.strip()]:
        say("\n  Earlier transfers made these of the same people, so it is decided:")
        same = (f"    {clean(p.name).strip()}  =  {clean(p.merge_name).strip()}" for p in known)
        show(block("", *same, gap=False))
    has, agreed = f"{who(destination)} already has", dict[str, frozenset[str]]()
    for alike, title, default in (
        (NAME, f"{has} people of these names", ""),
        (ACCENTS, f"{has} people whose names differ in accents only", "n"),
        (FACE, f"{has} people who look like these", ""),
    ):
        asked = [person for person in pairs if not person.remembered and person.alike == alike]
        if alike == NAME and len(asked) == 1:
            title = f"{has} a namesake"
        agreed[alike] = ask_pairs_listed(asked, title, address, default)
    faces = [(person.id, str(person.merge_id)) for person in pairs if person.id in agreed[FACE]]
    return agreed[NAME] | agreed[ACCENTS], tuple(faces)


def ask_pairs_listed(
    pairs: Sequence[Person], title: str, address: str, default: str = ""
) -> frozenset[str]:
    """Which of these pairs are one person each; `default` is what Enter means."""
    if not pairs:
        return frozenset()
    options = [merge_line(person) for person in pairs]
    places = [
        "\n".join([option, *(f"    {clean(address)}/people/{one}" for one in (person.id, person.merge_id))])
        for option, person in zip(options, pairs, strict=True)
    ]
    TERMINAL.details = "\n".join([f"{title}:", *places])
    show(block(f"  {title}:", *(f"    {number:>3}. {option}" for number, option in enumerate(options, 1))))
    question, some = "Is that the same person? (y merges them, n keeps both", ""
    if len(pairs) > 1:
        question, some = "Are they the same people? (y merges all, n none", f", {example(len(pairs))}, names"
    prompt = f"  {question}{some}, d where to look, {GO_BACK}){f' [{default}]' * bool(default)}: "
    while True:
        answer = ask(prompt).casefold() or default
        if answer in ("y", "yes"):
            return frozenset(person.id for person in pairs)
        if answer in ("n", "no"):
            return frozenset()
        if answer == "d":
            show_details()
            continue
        chosen, unfit = picked(answer, options) if some else ([], [answer])
        if chosen and not unfit:
            return frozenset(pairs[number].id for number in chosen)
        say_unfit(unfit or [answer], options, [])
        say(f"  Please answer y or n{', or give numbers or names' * bool(some)}.")


def merge_line(person: Person) -> str:
    """A pair of namesakes: what is known of both."""
    born, theirs_born = (f", born {birth}" if birth else "" for birth in (person.birth, person.merge_birth))
    name, theirs = (clean(name).strip() or "without a name" for name in (person.name, person.merge_name))
    theirs = f"{theirs} ({number_of(person.merge_faces, 'face')}{theirs_born})"
    return f"{name} ({faces(person)}{born})  =  {theirs}{likeness(person)}"


def likeness(person: Person) -> str:
    """How near the two faces are, where that says something."""
    if person.alike == FACE:
        return f", looks alike ({person.distance:.2f})"
    if person.distance is not None and person.distance > FACES_DIFFER:
        return f", does not look alike ({person.distance:.2f})"
    return ""


def faces(person: Person, where: str = "on these photos") -> str:
    """A person's faces on photos that move, and on others."""
    if not person.outside:
        return number_of(person.inside, "face")
    return f"{person.inside} {where}, {person.outside} outside"


# The reasons to stay in one line; of as many photos each, what people can do something about comes first.
STAYS_BRIEFLY = {
    "duplicate": "{taker} has {n} already",
    "duplicate_in_trash": "{taker} has {n} in the trash",
    "trashed": "{n} in the trash",
    "locked": "{n} locked",
    "external": "{n} external",
    "unfinished": "{n} with an unfinished file move",
    "deleting": "{n} being deleted",
    "left_out": "{n} left out",
}


def transfer_sheet(report: Report, wish: Wish, address: str, is_any: bool) -> Sheet:
    """The analysis: what moves, which people, what comes along, what stays and why, what else."""
    names = names_told(wish.source, wish.destination)
    days = " to ".join(dict.fromkeys(report.dates))
    verdict = f"{names['giver']} → {names['taker']}, {', '.join(filter(None, [wish.what, days]))}"
    over = [user for user in report.storage if user.over_quota]
    return Sheet(
        verdict if is_any else f"There is nothing to transfer: {verdict}",
        [
            sums_block(report, **names),
            people_block(report, address),
            *(told_block(report, telling, **names) for telling in ("handed", "also", "stays")),
            storage_block(report),
        ],
        [
            *(text for _number, text, _listed in told(report, "warning", **names)),
            *map(over_quota, over),
        ],
        is_any,
    )


def sums_block(report: Report, giver: str, taker: str) -> Block:
    """How what is in the selection becomes what moves and what stays; how many people that concerns."""
    items, moving, in_it = report.of("items"), report.of("items_moving"), report.of("items_staying")
    others, besides = items - moving - in_it, report.assets - moving
    where = {
        "album": f"of the album's {items}",
        "tag": f"of {items} with the tag",
        "conditions": f"of {items} chosen",
        "everything": f"of {giver}'s {items}",
    }[report.selection]
    belong = f", and {besides} that belong{'s' if besides == 1 else ''} to them" if besides else ""
    rows = [(f"Assets to transfer: {report.assets}", f"{moving} {where}{belong}")]
    if stays := [(code, found) for code in STAYS_BRIEFLY for reason, found in report.stays if reason == code]:
        stays.sort(key=lambda found: -len(found[1]))
        number = sum(len(found) for _reason, found in stays)
        apart = f" ({number - in_it} not in the album)" * (report.selection == "album" and number > in_it)
        parts = [STAYS_BRIEFLY[reason].format(n=len(found), taker=taker) for reason, found in stays]
        told, shown = " · ".join(parts) + apart, len(parts)
        while rows_of(f"{'':<32}{told}") > 1 and shown > 1:
            shown -= 1
            rest = sum(len(found) for _reason, found in stays[shown:])
            told = " · ".join([*parts[:shown], f"{rest} more"]) + apart
        rows.append((f"Stay {giver}'s: {number}", told))
    if others:
        rows.append((f"Stay as they are: {others}", "photos that belong to other users"))
    rows.append((f"Persons detected: {len(report.people)}", ""))
    fits = all(rows_of(f"{'':<32}{why}") == 1 for _label, why in rows)
    return Block([
        (f"  {label:<28}  {why}".rstrip(), ()) if fits else (f"  {label}", [f"    {why}"] * bool(why))
        for label, why in rows
    ], least=MUST)


def people_block(report: Report, address: str) -> Block:
    """The people concerned, each with what happens to it; at Immich's address unnamed ones can be seen."""
    where = "in album" if report.selection == "album" else "on these photos"
    lines: list[Row] = []
    for person in report.people:
        look = [f"      {clean(address)}/people/{person.id}"] * (not person.name.strip())
        lines.append((f"    {person_line(person, where)}", look))
    if kept := [clean(name) or "Unknown" for name in report.listed("kept_people")]:
        words = number_of(len(kept), "of them belongs", "of them belong")
        lines.append((f"    {words} to the new owner already", [f"      {name}" for name in kept]))
    return Block(lines, "  Person analysis:", 3)


def person_line(person: Person, where: str = "on these photos") -> str:
    """One line of the person analysis."""
    into = f" into {clean(person.merge_name).strip() or 'Unknown'}" if person.action == MERGE else ""
    note = f"  (not merged: {person.note})" if person.note else ""
    if person.remembered:
        note = "  (known to be one person)"
    return f"→ {clean(person.name) or 'Unknown'} ({faces(person, where)}) [{person.action}]{into}{note}"


def storage_block(report: Report) -> Block:
    """Both users' storage figures."""
    return block("  Storage:", *(
        f"    {clean(user.email)}: {shown_size(user.before)} → {shown_size(user.after)}"
        + ("" if user.quota is None else f" of {shown_size(user.quota)}")
        for user in report.storage
    ))


def over_quota(user: Storage) -> str:
    """The warning."""
    return f"{clean(user.email)} will be over the quota: Immich will refuse uploads."


def confirm(
    action: Action[Shown], report: Shown, sheet: Sheet, keys: Keys, state: State, api: Api, *, agreed: bool
) -> How:
    """Show the analysis with all that there is to know before a change, then ask; how to go ahead. What was
    `agreed` to after a dry run is shown and asked again only if there is something new, or no backup. Raises
    Back without yes.
    """
    require_person()
    links = state.server.unknown_links if state.server else ()
    if links:
        show_error(UnknownLinks(links))
        ask_word("accept", "What hangs on those links would stay with its old owner. Go on all the same?")
    busy = busy_queues(api)
    warnings = ["This key may not see Immich's job queues: look in Immich whether they are idle."]
    if busy is not None:
        queues = ", ".join(f"{clean(name)} ({number})" for name, number in sorted(busy.items()))
        warnings = [f"Immich is busy: {queues}. Better wait until it is idle."] * bool(busy)
    question, backup = action.question(report), backed_up(api, state)
    is_new = not agreed or bool(warnings) or not state.backups
    if is_new:
        below = ("", keys_line(keys, "yes does it"), f"  {question} Type yes [menu]: ")
        show_result(action.title, blocks_of(sheet, action.ends, warnings), *backup, *below)
    for line in backup:
        say(line)
    if is_new:
        say()
        ask_word("yes", question, keys)
    if action.typed is not None:
        address = f"the account's e-mail address ({clean(action.typed)})"
        answer = ask_afresh(f"  Everything goes. Type {address} [menu]: ")
        if answer.strip().casefold() != action.typed.casefold():
            raise StepBack if answer == "<" else Back
    return How(False, report.digest, frozenset(links), state.undo_folder)


def backed_up(api: Api, state: State) -> list[str]:
    """Have Immich back up its database, unless it has done so since the last change; what is told of it: its
    age, or how to make one. No key of an ordinary user can have the permissions for it.
    """
    why = ""
    try:
        if not state.backups and state.server and state.server.is_admin:
            state.backups.append(working(lambda progress: back_up_database(api, progress)))
            TERMINAL.kept["backup"] = f"Immich's backup: {clean(state.backups[-1].name) or 'made'}\n"
    except TransferError as error:
        why = f" ({' '.join(filter(None, (error.what, error.why)))})"
    except KeyboardInterrupt:
        why = " (not waited for)"
    if state.backups:
        backup = state.backups[-1]
        minutes = int((datetime.datetime.now().astimezone() - backup.when).total_seconds() // 60)
        age = "just now" if minutes < 1 else f"{number_of(minutes, 'minute')} ago"
        proof = f" ({shown_size(backup.size)})" * bool(backup.size)
        return [f"  ✓ Immich made a backup at {backup.when:%H:%M}, {age}{proof}."]
    return [
        f"  ⚠ No backup was made{why}. Make one before you go on (README, 'Backup and restore'):",
        *(f"    {line}" for line in BACKUP_COMMAND),
    ]


def goes_on(action: Action[Shown], sheet: Sheet, keys: Keys, state: State) -> bool:
    """How every dry run ends; whether it is done now, which is asked where somebody sees it."""
    ends = f"Menu entry {action.entry} does it for real."
    if is_watched() and state.server and state.server.is_admin:
        ends = "Before any, Immich makes a backup."
    prompt = "  Do exactly this now? (type yes) [menu]: "
    below = (f"  No changes were made. {ends}", "", keys_line(keys, "yes does it"), prompt)
    show_result(action.title, blocks_of(sheet, action.ends), *below)
    say(below[0])
    if not is_watched():
        return False
    say()
    if ask_afresh(prompt, keys, "yes does it") != "yes":
        TERMINAL.last = "Nothing was changed."
        return False
    TERMINAL.kept_as = (state.undo_folder, tuple(action.kept_as))
    require_writable(state.undo_folder)
    return True


def carry_out(action: Action[Shown], how: How, state: State) -> None:
    """Do it, then show what was done; whatever goes wrong in the second half, the change is made."""
    report = None
    try:
        state.backups.clear()  # the next change is made on top of this one
        report = working(lambda progress: action.run(replace(how, progress=progress)))
        TERMINAL.last = f"✓ {datetime.datetime.now():%H:%M} {action.past(report)}"
        show_done(action.done(report))
    except (TransferError, KeyboardInterrupt) as error:
        if report is None:
            raise
        if isinstance(error, TransferError):
            show_failed(error)
        say("\n  Stopped here. The change itself is made and saved; only this last part is missing.")
    except OutputLost as error:
        raise error if report is None else OutputLost(error.why, IS_MADE) from None


def show_done(done: Done) -> None:
    """What was done; then what can be done besides, and what is left for people to do."""
    told = block("", *(line for chore in done.chores for line in chore.told), least=MUST)
    blocks = [replace(part, gap=part.gap and number > 0) for number, part in enumerate(done.blocks)]
    below = finish_lines(done.chores)
    show_result(done.title, [*blocks, told, warning_block(done.warnings)], *[""] * bool(below), *below)
    left = finish_up(done.chores)
    for number, step in enumerate([*left, *done.steps()]):
        say(("\n  You: " if number == 0 else "       ") + step)


def undoable(state: State) -> str:
    """That a run can be taken back, and how long."""
    version = state.server.number[:2] if state.server else NEWEST_IMMICH
    # these keep albums, and people, in another way
    upgrades = [number for number in ((3, 0), (3, 2)) if version < number]
    until = f" until Immich is upgraded to {'.'.join(map(str, upgrades[0]))}" if upgrades else ""
    return f"All checks passed. It can be undone (9){until}."


def transfer_done(state: State, api: Api, report: Report, wish: Wish) -> Done:
    """A transfer that is made."""
    source, destination = wish.source, wish.destination
    chores = chores_after(state, api, source, destination)
    chores += notice_chores(state, api, source, destination, report.assets, wish.what, "", "now")
    names = report.listed("albums_unseen")
    unseen, them = in_words([f"“{shortened(name)}”" for name in names]), "it" if len(names) == 1 else "them"
    taker = names_told(source, destination)["taker"]
    share = [f"If {taker} should see {unseen}, share {them} in Immich."] * bool(unseen)
    return Done(
        "TRANSFER COMPLETED",
        [told_block(report, "done"), block("", *finish_page(wish, report), least=MUST)],
        last_look(report),
        chores,
        lambda: [*share, *steps_after(state, source, destination)],
    )


def last_look(report: Report) -> list[str]:
    """What a look at what was changed has found, once it is committed."""
    if report.wrong_after is None:
        return ["The connection was lost before the last look. Repair (5) looks again."]
    things = number_of(report.wrong_after, "thing is", "things are")
    wrong = f"{things} wrong: a job of Immich's was under way. Repair (5, then 6) fixes that."
    return [wrong] * bool(report.wrong_after)


def chores_after(state: State, api: Api, holder: User, owner: User) -> list[Chore]:
    """What is left to do once photos in one user's folders are another's. What this tool moves Immich's
    migration job need not.
    """
    jobs = ["thumbnailGeneration", "duplicateDetection"]
    if not state.config.media:
        jobs[1:1] = ["migration", "storageTemplateMigration"]
    return [*file_chores(state, api, holder, owner), *job_chores(state, api, jobs)]


def file_chores(state: State, api: Api, holder: User, owner: User) -> list[Chore]:
    """Their files, into the owner's folders, if those can be seen."""
    if not state.config.media:
        return []
    work = moving(state, api, (holder.id, owner.id))
    try:
        planned = working(lambda progress: work(How(progress=progress)))
    except TransferError as error:
        show_failed(error)
        return []

    def move() -> str:
        sheet = moved(working(lambda progress: work(How(dry_run=False, progress=progress))))
        if sheet.warnings or any(part.lines for part in sheet.blocks):
            show_result("FILES MOVED", blocks_of(sheet))
        return sheet.verdict

    what = f"move {number_of(planned.files, 'file')} into {names_told(holder, owner)['taker']}'s folder"
    return [Chore("files", what, move)] * bool(planned.files)  # steps_after() tells what lies where


def job_chores(state: State, api: Api, queues: Sequence[str]) -> list[Chore]:
    """The jobs of Immich's that finish the work."""
    assert state.server is not None
    if "storageTemplateMigration" in queues and not template_is_on(api, state.config.database):
        queues = [queue for queue in queues if queue != "storageTemplateMigration"]
    told = ["  Immich's jobs:"]
    for queue in queues:
        label, _button, does = JOBS[queue]
        if queue == "thumbnailGeneration" and state.server.number < PERSON_PICTURES_ALWAYS:
            does += " (not of people while facial recognition is off)"
        told.append(f"    • {label}: {does}")
    where = ", ".join(f"{JOBS[queue][0]} > {JOBS[queue][1]}" for queue in queues)
    number = ("no", "one", "two", "three", "four")[len(queues)]
    words = f"{number} of Immich's jobs" if state.server.is_admin else ""
    later = f"An administrator can start in Immich, under Administration > Job Queues: {where}."
    return [Chore("jobs", words, lambda: run_jobs(api, queues), later, told)]


def notice_chores(
    state: State, api: Api, giver: User, taker: User, number: int, what: str, back: str, now: str
) -> list[Chore]:
    """A notice in Immich for each of two users about so many photos, if the key may give any."""
    photos, are = f"{number_of(number, 'photo')} ({what})", "is" if number == 1 else "are"

    def tell() -> str:
        notify(api, giver.id, f"Photos for {taker.name}", f"{photos} of yours went {back}to {taker.name}.")
        notify(api, taker.id, f"Photos from {giver.name}", f"{photos} of {giver.name} {are} yours {now}.")
        return f"{clean(giver.name)} and {clean(taker.name)} were told."

    may = state.server is not None and state.server.is_admin and state.server.may_all
    return [Chore("notices", "tell both", tell)] * (may and number > 0)


def finish_lines(chores: Sequence[Chore]) -> list[str]:
    """The question what is to be done besides, and its prompt."""
    asked = [chore for chore in chores if chore.words]
    if not asked:
        return []
    some = "".join(f" · {number} {chore.name}" for number, chore in enumerate(asked, 1))
    prompt = f"  Type yes to do that now{f', or:{some[2:]}' * (len(asked) > 1)} [later]: "
    return [f"  To finish: {' · '.join(chore.words for chore in asked)}", prompt]


def finish_up(chores: Sequence[Chore]) -> list[str]:
    """Ask once what is to be done besides, and do it; what is told of the rest. One thing that fails does not
    stop the next; Ctrl-C does.
    """
    left, done = list(chores), list[str]()
    try:
        for chore in ask_finish([chore for chore in chores if chore.words]):
            try:
                done.append(chore.do())
                left.remove(chore)
            except TransferError as error:
                show_failed(error)
    except (KeyboardInterrupt, EndOfInput):
        say("\n  Stopped here. The change itself is made and saved.")
    if any(done):
        say("  " + " ".join(f"✓ {text}" for text in done if text))
    return [chore.later for chore in left if chore.later]


def ask_finish(chores: Sequence[Chore]) -> list[Chore]:
    """Which of them; Enter is none."""
    if not chores:
        return []
    *lines, prompt = finish_lines(chores)
    for line in ["", *lines]:
        say(line)
    names = [chore.name for chore in chores]
    while answer := ask_afresh(prompt).strip():
        if answer in ("n", "no", "later", "0"):
            return []
        chosen, unfit = picked("all" if answer == "yes" else answer, names)
        if chosen and not unfit:
            return [chores[number] for number in chosen]
        say_unfit(unfit or [answer], names, [])
    return []


def steps_after(state: State, holder: User, owner: User) -> list[str]:
    """What is left for people to do once photos in one user's folders and phone are another's."""
    name, what = clean(holder.name), "files"
    with contextlib.suppress(TransferError):  # it is said all the same
        lying = list_lying(state.config.database)
        if lying is not None:
            number = sum(lying.get((holder.id, owner.id), {}).values())
            what = number_of(number, "file") if number else ""
    given = "" if state.config.media else ", once the media folder is given (7)"
    return [
        f"Do not delete {name}'s account yet: {what} of {clean(owner.name)}'s lie in its folders, and go "
        f"with them. 10 moves them{given}." if what else f"Before {name}'s account is deleted, ask 11.",
        f"If these photos are still on {name}'s phone, it will upload them again: remove them there first.",
        APPS,
    ]


APPS = "The apps of those concerned fetch everything again, once; that can take a while."


def run_jobs(api: Api, queues: Sequence[str]) -> str:
    """Start jobs, and wait for them. Those that are at work already have not seen what is new: they are
    started again when they have finished.
    """
    outcomes, waited = {queue: start_job(api, queue) for queue in queues}, ""
    say("  Waiting… (Ctrl-C: go on without waiting)")
    try:
        for queue in [queue for queue in queues if outcomes[queue] == "running"]:
            outcomes[queue] = working(functools.partial(start_when_free, api, queue))
        started = [queue for queue in queues if outcomes[queue] == "started"]
        waited = working(lambda progress: wait_for_queues(api, started, progress)) if started else ""
    except TransferError as error:
        show_failed(error)
    except KeyboardInterrupt:
        waited = "Immich goes on with them"
    for queue, outcome in outcomes.items():
        label, button, _does = JOBS[queue]
        if outcome != "started":
            TERMINAL.failed = True
            why = "it is at work, and does not know of the change" if outcome == "running" else outcome
            say(f"    • “{label}” could not be started from here ({why.rstrip('.')}): "
                f"Administration > Job Queues > {label} > {button}.")
    if waited:
        say(f"\n  Not waited for: {waited}.")
    return "Jobs finished." * ("started" in outcomes.values() and not waited)


# ---- repair ------------------------------------------------------------------------------------------------


def repair_screen(state: State, *, execute: bool) -> State:
    """Menu entries 5 and 6."""
    state, api, server = (ready_to_change if execute else need_server)(state)
    config = state.config.database
    users = active_users(api, server, config)
    troubles = waiting("Looking for problems", lambda: find_faults(config))
    wish = Wish()

    def ask_users() -> None:
        lines = [f"{who(user)}{told_wrong(troubles, [user])}" for user in users]
        everybody = [f"All of them{told_wrong(troubles, users)}"] * (len(users) > 1)
        title = "Whose photos should be repaired?"
        number = choose_some(title, [*lines, *everybody], several=False, always=len(everybody))[0]
        wish.mend = users if number == len(users) else [users[number]]

    ask_in_turn(lambda: [
        ask_users,
        lambda: ask_repair_pairs(wish, state, api, troubles),
        lambda: act(repair_action(wish, users, state, api, troubles), state, api, execute=execute),
        lambda: ask_torn(wish, users, state, api, execute=execute),
    ])
    return state


def told_wrong(troubles: Sequence[Trouble], users: Sequence[User]) -> str:
    """How many kinds of things are wrong with what they have, for a list."""
    number = sum(trouble.user in {user.id for user in users} for trouble in troubles)
    return f": {number_of(number, 'problem')}" if number else ""


def names_of(users: Sequence[User]) -> str:
    """Their names, of many a few."""
    return who(users[0]) if len(users) == 1 else in_words([shortened(user.name) for user in users])


def wrong_blocks(found: Sequence[Trouble], users: Mapping[str, User], leave: frozenset[str]) -> list[Block]:
    """What is wrong with these users' things: what a repair fixes, and what it does not."""
    fixed, left = list[Row](), list[Row]()
    for trouble in found:
        line, below = point_row(FAULTS, trouble)
        whose = f"{clean(users[trouble.user].name)}: " * (len(users) > 1)
        (fixed if trouble.kind in mended_kinds(leave) else left).append((f"    • {whose}{line}", below))
    return [Block(fixed, "  Fixed:", 6), Block(left, "  Not fixed by this (d says what to do):", 3)]


def point_row(points: Mapping[str, Point], entry: Trouble) -> Row:
    """What was found; below it which, what it does to people, and what to do."""
    point = points[entry.kind]
    more = ", …" if len(entry.examples) == EXAMPLES_SHOWN < entry.count else ""
    such = f"({', '.join(map(shortened, entry.examples))}{more})" if entry.examples else ""
    below = [such, point.harm, f"→ {point.todo}" if point.todo else ""]
    return number_of(entry.count, *point.words), [f"      {text}" for text in below if text]


def ask_repair_pairs(wish: Wish, state: State, api: Api, troubles: Sequence[Trouble]) -> None:
    """Which people are merged, user by user. Of many users only those with whom something is wrong are
    repaired: each part reads the whole library.
    """
    wish.merges, wish.faces = {}, ()
    config = state.config.database
    distance = waiting("Looking", lambda: nearest_faces(api, config))
    for user in wish.mend:
        wrong = {trouble.kind for trouble in troubles if trouble.user == user.id}
        if wrong or len(wish.mend) == 1:
            wish.merges[user.id] = frozenset()
        if "face" in wrong:
            look = functools.partial(repair_merge_pairs, config, user.id, distance)
            wish.merges[user.id], faces = ask_merges(waiting("Looking", look), user, state.config.api_url)
            wish.faces += faces


def repair_action(
    wish: Wish, everybody: Sequence[User], state: State, api: Api, troubles: Sequence[Trouble]
) -> Action[Report]:
    """A repair as it was asked for."""
    users = {user.id: user for user in wish.mend}
    torn = torn_of(wish, everybody, state)
    found = [trouble for trouble in troubles if trouble.user in users]
    names = names_of(wish.mend)

    def run_it(how: How) -> Report:
        if not wish.merges:
            return Report()
        return repair_all(state.config.database, wish.merges, how, wish.leave, wish.faces)

    def show_it(report: Report) -> Sheet:
        blocks = wrong_blocks(found, users, wish.leave)
        for user, part in report.parts:
            whose = f"  {clean(users[user].name)}: " if len(users) > 1 else "  "
            blocks += [
                replace(of_user, title=whose + of_user.title.strip())
                for of_user in (people_block(part, state.config.api_url), storage_block(part))
            ]
        verdict = f"{number_of(len(blocks[0].lines), 'problem')} can be fixed: {names}"
        if not report.parts:
            verdict = "What has two owners is asked next." if torn else "There is nothing to repair."
        return Sheet(verdict, blocks, is_any=bool(report.parts))

    def leave_out() -> None:
        wrong = {trouble.kind for trouble in found}
        ask_kinds(wish, [kind for kind in mended_kinds(wish.leave) if kind in wrong])

    return Action(
        title="REPAIR ANALYSIS",
        kept_as=("repair", *(user.email for user in wish.mend[:2]), *["and-more"] * (len(wish.mend) > 2)),
        run=run_it,
        show=show_it,
        question=lambda report: f"Fix this for {names_of([users[user] for user, _part in report.parts])}?",
        past=lambda report: f"repaired for {names} · 9 takes it back",
        done=lambda report: repair_done(state, api, report),
        ends=undoable(state),
        entry="6",
        keys=lambda: {"l": ("leave kinds of problems out", leave_out)},
        goes_back=not torn,
    )


def ask_kinds(wish: Wish, kinds: Sequence[str]) -> None:
    """Which kinds of problems are to stay. Raises Again if there are any."""
    with contextlib.suppress(StepBack):
        chosen = choose_some("What is to stay as it is", [FAULTS[kind].words[1] for kind in kinds])
        wish.leave |= {kinds[number] for number in chosen}
        raise Again


def torn_of(wish: Wish, users: Sequence[User], state: State) -> list[Torn]:
    """What these users share in halves with others that are there."""
    concerned, there = {user.id for user in wish.mend}, {user.id for user in users}
    found = find_torn(state.config.database)
    return [torn for torn in found if concerned & {*torn.owners} and {*torn.owners} <= there]


def ask_torn(wish: Wish, everybody: Sequence[User], state: State, api: Api, *, execute: bool) -> None:
    """Who gets what belongs together and has two owners; then the transfer of the other part."""
    users = {user.id: user for user in everybody}
    for torn in torn_of(wish, everybody, state):
        both = "both halves" if torn.kind == "live" else "photos and library"
        say(f"\n  {number_of(torn.count, *FAULTS[torn.kind].words)}. Who is to have {both}?")
        for number, owner in enumerate(torn.owners, 1):
            say(f"    {number:>3}. {who(users[owner])}")
        answer = number_typed(ask("  Number (1-2) [leave them]: "))
        if answer in (1, 2):
            request = torn.requests[answer - 1]
            what = clean(describe(state.config.database, request))
            part = Wish(users[request.source], users[request.destination], request, what)
            ask_in_turn(functools.partial(list, last_steps(part, state, api, execute=execute)))


def repair_done(state: State, api: Api, report: Report) -> Done:
    """A repair that is made."""
    parts = [part for _user, part in report.parts]
    whole = Report(
        faces=sum(part.faces for part in parts),
        people=tuple(person for part in parts for person in part.people),
        counts=sum((collections.Counter(part.counts) for part in parts), collections.Counter()),
    )
    jobs = ["thumbnailGeneration", *["duplicateDetection"] * bool(whole.of("duplicates"))]
    return Done(
        *("REPAIR COMPLETED", [told_block(whole, "fixed")], last_look(report)),
        *(job_chores(state, api, jobs), lambda: [APPS]),
    )


# ---- undo --------------------------------------------------------------------------------------------------


def undo_screen(state: State) -> State:
    """Menu entry 9."""
    state, api, _server = ready_to_change(state)
    config = state.config.database
    past = list_past(config, state.undo_folder)
    chosen = past[:0]

    def ask_run() -> None:
        nonlocal chosen
        number = choose("Transfers and repairs that were made", [past_line(entry) for entry in past])
        chosen = past[number : number + 1]

    ask_in_turn(lambda: [ask_run, lambda: act(undo_action(chosen[0], state, api), state, api)])
    return state


def undo_action(past: Past, state: State, api: Api) -> Action[Report]:
    """The undo of a run. Raises TransferError where that is impossible."""
    if past.error:
        raise past.error
    if past.state not in ("committed", NOT_THERE):  # of which all rows are looked at once more
        raise TransferError("That run cannot be taken back.", *WHY_NOT_BACK[past.state])

    return Action(
        title="UNDO ANALYSIS",
        kept_as=("undo", past.path.name.removesuffix(COMMITTED)),
        run=lambda how: undo(state.config.database, past.path, how),
        show=lambda report: undo_sheet(report, past),
        question=lambda _report: "Take this back?",
        past=lambda report: undone_words(report, past),
        done=lambda report: undo_done(state, api, report, past),
        ends="All checks passed. You cannot undo an undo; run the transfer again instead.",
    )


def past_line(past: Past) -> str:
    """One run of the past in the list."""
    state = "" if past.state == "committed" else f" [{past.state}]"
    if not past.header:
        return f"{clean(past.path.name)}{state}"
    header, whose = past.header, clean(past.header["destination"]["email"])
    what = "repair"
    if header["kind"] != "repair":
        whose = f"{clean(header['source']['email'])} → {whose}"
        what = shortened(header["selection"]["name"], 60)
    photos = header["report"]["assets"]
    what += f", {number_of(photos, 'photo')}" * bool(photos)
    return f"{clean(header['when'])[:16].replace('T', ' ')}  {whose}: {what}{state}"


def users_of(past: Past) -> tuple[User, User]:
    """Whose photos they were, and whose they became; of a repair one user twice."""
    former, present = (
        User(str(one["id"]), str(one["email"]), str(one["name"]))
        for one in (past.header["source"] or past.header["destination"], past.header["destination"])
    )
    return former, present


def undo_blocks(report: Report, past: Past) -> list[Block]:
    """What goes back; what stays and why; what is lost."""
    names = names_told(*users_of(past))
    return [told_block(report, telling, **names) for telling in ("undo", "kept", "lost")]


def undone_words(report: Report, past: Past) -> str:
    """An undo in a few words."""
    if past.header["kind"] == "repair":
        return f"taken back: {past_line(past).partition(': ')[2]}"
    return f"{number_of(report.assets, 'photo')} back to {names_told(*users_of(past))['giver']}"


def undo_sheet(report: Report, past: Past) -> Sheet:
    """The analysis of an undo."""
    back, *stays = undo_blocks(report, past)
    verdict = "There is nothing left that could be taken back"
    if back.lines:
        verdict = f"Can be taken back{', but for what stays below' * any(part.lines for part in stays)}"
    return Sheet(
        f"{verdict}: {' '.join(past_line(past).split())}",
        [back, *stays, storage_block(report)],
        is_any=bool(back.lines),
    )


def kept_library_line(name: str, reason: str) -> str:
    """Why an external library stays as it is: its own reason, or one of a photo in it."""
    why = LIBRARY_REASONS.get(reason) or f"a photo in it cannot go back ({UNDO_REASONS[reason]})"
    return f"{clean(name)}: {why}"


def undo_done(state: State, api: Api, report: Report, past: Past) -> Done:
    """An undo that is made."""
    done = Done("UNDO COMPLETED", undo_blocks(report, past), last_look(report), steps=lambda: [APPS])
    if past.header["kind"] == "repair":
        return replace(done, chores=job_chores(state, api, ["thumbnailGeneration"]))
    former, present = users_of(past)
    chores = chores_after(state, api, present, former)
    what = shortened(past.header["selection"]["name"])
    chores += notice_chores(state, api, present, former, report.assets, what, "back ", "again")
    return replace(done, chores=chores, steps=lambda: steps_after(state, present, former))


# ---- files -------------------------------------------------------------------------------------------------


def files_screen(state: State) -> State:
    """Menu entry 10."""
    state, api, server = need_server(state)
    config, warnings = state.config.database, list[str]()
    # what an interrupted move left, or a restored database, is put right before anybody looks
    if state.config.media and (settled := settle_moves(config, Path(state.config.media), state.undo_folder)):
        warnings.append(
            f"{number_of(settled, 'file')} had to be put where the database says: a move of files was "
            "interrupted, or an older database was restored."
        )
    warnings += untracked_words(clear_untracked(config))
    with looking(config) as tx:
        lying = lying_away(tx)
    names = {user.id: who(user) for user in list_users(api, server, config)}
    undrawn = undrawn_words(list_undrawn(config), names)
    warnings += undrawn
    if not lying:
        chores = job_chores(state, api, ["thumbnailGeneration"]) if undrawn else []
        show_done(Done("FILE ANALYSIS", blocks_of(Sheet(ALL_AT_HOME, [], warnings)), chores=chores))
        return state
    require_writable(state.undo_folder)
    if not state.config.media:
        number = sum(map(sum, (kinds.values() for kinds in lying.values())))
        words = number_of(number, "file lies", "files lie")
        show_result("FILE ANALYSIS", blocks_of(Sheet(
            f"{words} in other users' folders. To move them, Immich's media folder must be seen.",
            [lying_block(lying, names), block("", jobs_words(api, state), least=1)],
            *(warnings, False),
        )), "", f"  {QUESTIONS['media'].words}: {QUESTIONS['media'].example}")
        state = see_media(state)
    if state.config.media:
        act(move_action(state, api, lying, names, warnings), state, api)
    else:
        jobs = job_chores(state, api, ["thumbnailGeneration", "migration", "storageTemplateMigration"])
        for line in finish_up(jobs):
            say(line)
        show(left_block(config, names))
    return state


def move_action(
    state: State, api: Api, lying: Lying, names: Mapping[str, str], warnings: Sequence[str]
) -> Action[MoveReport]:
    """A move of files."""

    def show_it(report: MoveReport) -> Sheet:
        verdict = f"{number_of(report.files, 'file')} to move, {shown_size(report.size)}."
        if not report.files:
            verdict = "There is nothing to move."
        blocks = [lying_block(lying, names), *move_blocks(report)]
        return Sheet(verdict, blocks, warnings, is_any=report.files > 0)

    def done(report: MoveReport) -> Done:
        blocks = [*blocks_of(moved(report)), left_block(state.config.database, names)]
        return Done("FILES MOVED", blocks, chores=job_chores(state, api, ["thumbnailGeneration"]))

    return Action(
        title="FILE ANALYSIS",
        kept_as=("files",),
        run=moving(state, api, None),
        show=show_it,
        question=lambda report: f"Move {number_of(report.files, 'file')}, {shown_size(report.size)}?",
        past=lambda report: f"{number_of(report.files, 'file')} moved",
        done=done,
        goes_back=False,
    )


def lying_block(lying: Lying, names: Mapping[str, str], title: str = "") -> Block:
    """Whose files lie in whose folders, the most first. `names` by the users' ids."""
    lines = []
    for holder, owner in sorted(lying, key=lambda pair: -sum(lying[pair].values())):
        where = f"in the folders of {names.get(holder, holder)}" if holder else UNTOLD
        kinds = ", ".join(
            number_of(lying[holder, owner][kind], *words)
            for kind, words in FILE_KINDS.items()
            if lying[holder, owner].get(kind)
        )
        lines.append(f"    • Of {names.get(owner, owner)}, {where}: {kinds}")
    return block(title, *lines, least=1)


UNTOLD = "and it cannot be told in whose folders"


def left_block(config: Mapping[str, Any], names: Mapping[str, str]) -> Block:
    """What lies in other users' folders still."""
    left = list_lying(config)
    if left:
        return lying_block(left, names, "  In other users' folders there remain:")
    words = "What remains in other users' folders cannot be told." if left is None else ALL_AT_HOME
    return block("", f"  {words}", least=1)


ALL_AT_HOME = "Every file lies in its owner's folders."


def moving(state: State, api: Api, only: tuple[str, str] | None) -> Callable[[How], MoveReport]:
    """A move of files; `only` as in move_files(). Before and after the real one Immich looks for missing
    files, where it can be asked. If that move breaks off, it raises MoveStopped: a part may have moved.
    """
    goes_on = "What has moved is complete. Run it again: it goes on where it stopped."

    def missing(progress: Progress) -> int | None:
        try:
            return count_missing(api, progress)
        except TransferError:
            return None
        except KeyboardInterrupt:  # in a large library that takes long
            if TERMINAL.ended:
                raise
            return None

    def work(how: How) -> MoveReport:
        config = state.config.database
        move = functools.partial(
            move_files, *(config, Path(state.config.media), state.undo_folder),
            dry_run=how.dry_run, only=only, progress=how.progress,
        )
        if how.dry_run:
            return move()
        before = missing(how.progress)
        try:
            report = move()
            report.missing = before, missing(how.progress)
            report.untracked += clear_untracked(config)
            return report
        except KeyboardInterrupt:
            raise MoveStopped("The move of files was stopped.", todo=goes_on) from None
        except TransferError as error:
            raise MoveStopped(error.what, error.why, error.todo or goes_on) from error

    return work


def see_media(state: State) -> State:
    """The state with Immich's media folder: asked for if it is not known, and kept; '' for none."""
    if state.config.media:
        return state
    say()
    if media := ask_question("media"):
        check_media(state.config.database, Path(media))
        state = replace(state, config=replace(state.config, media=media))
        save_config(state.path, state.config)
        say(f"  ✓ Saved to {state.path}.")
    return state


def jobs_words(api: Api, state: State) -> str:
    """What can be done without seeing the folder."""
    is_on = template_is_on(api, state.config.database)
    return (
        "  Without it only Immich's own jobs move files. Its storage template is "
        f"{'on' if is_on else 'off'}, so they leave where they are: {LEFT_BY_JOBS[is_on]}."
    )


def move_blocks(report: MoveReport) -> list[Block]:
    """What keeps its place, and why; what gets another name, and what keeps the old one as well."""
    stays = [
        (f"    {number_of(len(names), 'file')}: {FILE_REASONS[reason]}", [f"      {name}" for name in names])
        for reason, names in report.reasons
    ]
    renamed = [f"{told} → {clean(path)}" for told, path in report.renamed]
    more = [
        (f"  {number_of(len(names), 'file')}{words}", [f"    {name}" for name in names])
        for names, words in (
            (renamed, ": the name is taken in the new folder, so it gets a number"),
            (report.old_names, " moved, but the old name is still there: the next move tries again"),
        )
        if names
    ]
    if report.copied:
        more.append((f"  Copied, as links are impossible there: {report.copied}", []))
    return [Block(stays, "  Stay where they are:", 3), Block(more, least=1)]


def moved(report: MoveReport) -> Sheet:
    """A move of files that is made."""
    words, warnings = f"{number_of(report.files, 'file')} moved, each checked.", list[str]()
    before, after = report.missing
    if report.stopped:
        TERMINAL.failed = True
        warnings.append(
            f"It stopped before its end: {report.stopped}. What has moved is complete; run it again."
        )
    if before is not None and after is not None and after > before:
        warnings.append(
            f"Immich now misses {number_of(after - before, 'file')} more than before the move. "
            "Administration > Maintenance in Immich names them."
        )
    elif after is not None:
        words += f" Immich misses {f'{after:,}, as before' if after else 'none'}."
    return Sheet(words, move_blocks(report), [*warnings, *untracked_words(report.untracked)])


def untracked_words(number: int) -> list[str]:
    """That files in use were offered for deletion."""
    are = "It is" if number == 1 else "They are"
    return [
        f"Immich's report of untracked files named {number_of(number, 'file')} in use, which 'Delete all' "
        f"there would have deleted. {are} off that report now."
    ] * bool(number)


# ---- the old account ---------------------------------------------------------------------------------------


def account_screen(state: State) -> State:
    """Menu entry 11."""
    state, api, server = need_server(state)
    config = state.config.database
    users = list_users(api, server, config)
    options = [who(user) + ("  [marked for deletion]" if user.deleted else "") for user in users]
    chosen = 0

    def ask_account() -> None:
        nonlocal chosen
        chosen = choose("Account that is to be deleted", options)

    ask_in_turn(lambda: [ask_account, lambda: check_account(users[chosen], state, api, server)])
    return state


def check_account(user: User, state: State, api: Api, server: Server) -> None:
    """What hangs on an account."""
    config = state.config.database
    warnings = untracked_words(clear_untracked(config))
    check = working(lambda progress: account_ties(config, user.id, progress))
    keep_from(state, "account", user.email)
    if user.id == server.user_id:
        warnings.append("The API key of this tool belongs to this account, and goes with it.")
    show_result("DELETING AN ACCOUNT", account_blocks(check, user, warnings))


def account_verdict(check: AccountCheck, user: User) -> str:
    """Whether an account can be deleted, and what stands against it."""
    if check.can_go:
        return "Nothing is lost: it can be deleted."
    others, own = check.count(BREAKS), check.count(LOST_WITH_IT)
    name, are = clean(user.name), "is" if own == 1 else "are"
    lost = [f"others would lose {number_of(others, 'thing')}"] * bool(others)
    lost += [f"{number_of(own, 'thing')} of {name}'s {are} nowhere else"] * bool(own)
    text = ", and ".join(lost)
    if user.deleted:
        text += ". It is marked for deletion, so Immich deletes it soon: restore it, Administration > Users"
    return f"Not yet. {text[0].upper()}{text[1:]}."


def account_blocks(check: AccountCheck, user: User, warnings: Sequence[str]) -> list[Block]:
    """Whether an account can be deleted; then what hangs on it, by what to do about it."""
    mark = "✓" if check.can_go else "✗"
    groups: list[Row] = []
    for way, number, entries in check.groups:
        found = [point_row(TIES, entry) for entry in entries]
        solves = "solves " if WAYS[way][0].isdigit() else ""
        line = f"  {WAYS[way]:<27}{solves}{number}: "
        groups.append((
            line + first_of([words for words, _below in found], window()[0] - len(line) - 3),
            [text for words, below in found for text in (f"    • {words}", *below)],
        ))
    return [
        block("", f"  {who(user)}", f"  {mark} {account_verdict(check, user)}", least=MUST, gap=False),
        Block(groups, least=4),
        warning_block(warnings),
    ]


def first_of(parts: Sequence[str], room: int) -> str:
    """As many of these, with commas, as have room in so many columns; one at least."""
    number = max(1, sum(sum(map(len, parts[:end])) + 2 * end <= room for end in range(1, len(parts) + 1)))
    return ", ".join(parts[:number]) + " …" * (number < len(parts))


# ============================================================================================================
# 13  THE PAGE: what a transfer would do, or did, to look at: one HTML file, and the same as CSV. No SQL.
#
#    The file is whole in itself: no script, nothing loaded from anywhere, pictures as data: URIs. Names in it
#    are other people's text, so all of it is escaped, and a policy in its head forbids what slipped through.
# ============================================================================================================

# How many photos get a picture each; of more than that the first of each day. What the pictures of one page
# may have together, and each of them. The CSV names all photos.
PAGE_PICTURES, PAGE_BYTES, PICTURE_BYTES = 500, 24 << 20, 400_000
PHOTOS_A_DAY = 4  # on average; with fewer than that the page goes by months

# Whose picture: "assets" or "people", as Immich's addresses have it; the id; the path in the database. What
# reads one returns b'' for what it has not.
Wanted = tuple[str, str, str]
Reader = Callable[[str, str, str], bytes]


@dataclass(frozen=True)
class Page:
    """What a page shows. `pictures` are data: URIs, by id."""

    inventory: Inventory
    report: Report
    source: User
    destination: User
    what: str
    address: str  # Immich's, for links into it
    pictures: Mapping[str, str] = field(default_factory=dict)
    is_done: bool = False
    path: Path | None = None  # of its file, once there is one

    @functools.cached_property
    def numbers(self) -> dict[str, int]:
        """The photos that move have one each: by their ids."""
        moving = [photo.id for photo in self.inventory.photos if photo.moves]
        return {photo: number for number, photo in enumerate(moving, 1)}


def picture_type(data: bytes) -> str:
    """The media type of a picture by its first bytes; '' for what is none that a browser shows."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    starts = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"))
    return next((name for start, name in starts if data.startswith(start)), "")


def from_media(media: Media) -> Reader:
    """Reads pictures from Immich's media folder. Raises OSError and FileStays."""
    known: dict[str, str] = {}

    def read(_kind: str, _whose: str, path: str) -> bytes:
        below = path.removeprefix(f"{media.root}/")
        if below == path or _file_at(media, below, known).st_size > PICTURE_BYTES:
            return b""
        return Path(_at(media, below)).read_bytes()

    return read


def from_immich(api: Api, may: frozenset[str]) -> Reader:
    """Asks Immich for pictures, of what the key's owner has (`may`, ids). Raises TransferError."""

    def read(kind: str, whose: str, _path: str) -> bytes:
        size = "?size=thumbnail" if kind == "assets" else ""
        return call_for_bytes(api, f"/{kind}/{whose}/thumbnail{size}") if whose in may else b""

    return read


def pictures_wanted(inventory: Inventory, report: Report) -> list[Wanted]:
    """Whose pictures a page shows: people's first, then those of the photos that move, then of those that
    stay.
    """
    people = [person.id for person in report.people]
    people += [person.merge_id for person in report.people if person.merge_id]
    wanted = [("people", person, inventory.portraits.get(person, "")) for person in dict.fromkeys(people)]
    for moves in (True, False):
        photos = [photo for photo in inventory.photos if photo.moves is moves]
        if len(photos) > PAGE_PICTURES:
            photos = [next(of_day) for _day, of_day in itertools.groupby(photos, lambda photo: photo.day)]
        wanted += [("assets", photo.id, photo.file) for photo in photos]
    return wanted


def gather_pictures(
    wanted: Sequence[Wanted], readers: Sequence[Reader], progress: Progress = quiet
) -> dict[str, str]:
    """The pictures that are found, as data: URIs by id, as far as they have room in one page. After three
    refusals Immich is left in peace.
    """
    found: dict[str, str] = {}
    room, refused = PAGE_BYTES, list[Reader]()
    progress("Pictures")
    for done, one in enumerate(wanted):
        progress("", done, len(wanted))
        for read in (read for read in readers if refused.count(read) < 3):
            try:
                data = read(*one)
            except (NotThere, FileStays, OSError):
                continue
            except TransferError:
                refused.append(read)
                continue
            if (kind := picture_type(data)) and len(data) <= min(PICTURE_BYTES, room):
                found[one[1]] = f"data:{kind};base64,{base64.b64encode(data).decode()}"
                room -= len(data)
                break
    return found


PAGE_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<style>
:root { color-scheme: light dark; --line: #8886; --faint: #8882; }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; } small, .why { opacity: .75; }
a { color: inherit; } li, td, figcaption { overflow-wrap: break-word; }
.warning { border-left: .3rem solid #d90; margin: .5rem 0; padding: .2rem .8rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .6rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .1rem; grid-column: span 2; }
@media (max-width: 40rem) { .grid { grid-template-columns: repeat(auto-fill, minmax(6.5rem, 1fr)); } }
figure { margin: 0; min-width: 0; } figcaption { font-size: .8rem; }
figure > a { display: grid; place-items: center; aspect-ratio: 1; background: var(--faint);
  border: 1px solid var(--line); border-radius: .4rem; overflow: hidden; text-align: center;
  overflow-wrap: anywhere; }
img { width: 100%; height: 100%; object-fit: cover; }
table { border-collapse: collapse; } td { padding: .2rem .8rem .2rem 0; vertical-align: top; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
</style>
"""


def escaped(text: str) -> str:
    """Text for a page, whatever it holds."""
    return html.escape(clean(text), quote=True)


def page_html(page: Page) -> str:
    """The page: a sentence and the warnings, people, photos, and what else there is."""
    title = escaped(f"{'Transfer' if page.is_done else 'Transfer analysis'}: {page.what}")
    moving = len(page.numbers)
    staying = len(page.inventory.photos) - moving
    warnings = [words for _number, words, _listed in told(
        page.report, "warning", **names_told(page.source, page.destination)
    )] + [over_quota(user) for user in page.report.storage if user.over_quota]
    parts = [
        f"{PAGE_HEAD}<title>{title}</title></head><body><h1>{title}</h1>",
        "<p>Done:" if page.is_done else "<p>Nothing is changed yet. This would happen:",
        f"{number_of(moving, 'photo goes', 'photos go')} from {escaped(who(page.source))}",
        f"to {escaped(who(page.destination))}; {number_of(staying, 'photo stays', 'photos stay')}.</p>",
        *(f'<p class="warning">⚠ {escaped(words)}</p>' for words in warnings),
        *_page_people(page),
        *_page_photos(page),
        *_page_counts(page),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _heading(title: str, number: int, word: str = "photo", plural: str = "", level: int = 2) -> str:
    return f"<h{level}>{escaped(title)} <small>{number_of(number, word, plural)}</small></h{level}>"


def _link(page: Page, kind: str, whose: str, shown: str) -> str:
    """What leads to something in Immich. `shown` is HTML."""
    return f'<a rel="noreferrer" href="{escaped(page.address)}/{kind}/{escaped(whose)}">{shown}</a>'


def _figure(page: Page, kind: str, whose: str, name: str, words: str = "") -> str:
    """A picture that leads into Immich, or a frame with the name where there is no picture."""
    picture = page.pictures.get(whose)
    shown = f'<img src="{picture}" alt="{escaped(name)}" loading="lazy"/>' if picture else escaped(name)
    why = f' <span class="why">{escaped(words)}</span>' if words else ""
    return f"<figure>{_link(page, kind, whose, shown)}<figcaption>{escaped(name)}{why}</figcaption></figure>"


def _page_people(page: Page) -> Iterator[str]:
    """People with what becomes of them; beside one who may be somebody of the new owner's, that person."""
    people = page.report.people
    if people:
        yield _heading("People", len(people), "person", "people") + '<div class="grid">'
    for person in sorted(people, key=lambda person: not person.merge_id):
        what = ACTION_WORDS[person.action] + (f", not merged: {person.note}" if person.note else "")
        if person.merge_id:
            what = ("become one person" if person.action == MERGE else "stay two") + likeness(person)
        shown = _figure(page, "people", person.id, person.name or "Unknown", f"({faces(person)}) {what}")
        if person.merge_id:
            theirs = f"({number_of(person.merge_faces, 'face')}, of {page.destination.name})"
            other = _figure(page, "people", person.merge_id, person.merge_name or "Unknown", theirs)
            shown = f'<div class="pair">{shown}{other}</div>'
        yield shown
    yield "</div>" if people else ""


def photo_words(page: Page, photo: Photo) -> str:
    """How a photo came along, or why it stays; nothing of one that was chosen and moves."""
    if photo.why in REASONS:
        return reason_words(photo.why, page.destination.name)
    return ALONG_WORDS.get(photo.why, "")


def _page_photos(page: Page) -> Iterator[str]:
    """What moves, by the time when it was taken; what stays, by reason."""
    moving = [photo for photo in page.inventory.photos if photo.moves]
    staying = [photo for photo in page.inventory.photos if not photo.moves]
    staying.sort(key=lambda photo: photo.why)
    of_date = 10 if len(moving) >= PHOTOS_A_DAY * len({photo.day for photo in moving}) else 7
    framed = {whose for _kind, whose, _path in pictures_wanted(page.inventory, page.report)}
    if moving:
        yield _heading("Photos that move", len(moving))
    for date, found in itertools.groupby(moving, lambda photo: photo.day[:of_date]):
        of_that = list(found)
        yield _heading(date or "No date", len(of_that), level=3)
        yield from _page_group(page, of_that, framed)
    if staying:
        yield _heading("Photos that stay", len(staying))
        yield from _page_group(page, staying, framed)


def _page_group(page: Page, photos: Sequence[Photo], framed: set[str]) -> Iterator[str]:
    """Photos: those that get a picture, then how many more there are."""
    shown = [photo for photo in photos if photo.id in framed]
    yield '<div class="grid">'
    for photo in shown:
        number = page.numbers.get(photo.id)
        name = f"{number} · {photo.name}" if number else photo.name
        yield _figure(page, "photos", photo.id, name, photo_words(page, photo))
    yield "</div>"
    if rest := len(photos) - len(shown):
        yield f"<p>and {rest} more, which the CSV file beside this page names</p>"


def _page_counts(page: Page) -> Iterator[str]:
    """The table of counts, what else is told, and the storage."""
    names = names_told(page.source, page.destination)
    yield "<h2>In numbers</h2><table>"
    for number, words, _listed in told(page.report, "page", **names):
        yield f'<tr><td>{escaped(words)}</td><td class="number">{number}</td></tr>'
    also = [
        " ".join([words, ", ".join(listed)])
        for telling in ("also", "handed")
        for _number, words, listed in told(page.report, telling, **names)
    ]
    yield "</table><ul>"
    for text in [*also, *(f"Storage of {line.strip()}" for line, _below in storage_block(page.report).lines)]:
        yield f"<li>{escaped(text)}</li>"
    yield "</ul>"


def page_rows(page: Page) -> Iterator[tuple[str, ...]]:
    """What the CSV holds: (what, number, name, day, words, id)."""
    yield ("what", "number", "name", "day", "words", "id")
    for photo in page.inventory.photos:
        what = "stays" if not photo.moves else "moves" if photo.why == "chosen" else "comes along"
        number = str(page.numbers.get(photo.id, ""))
        yield (what, number, photo.name, photo.day, photo_words(page, photo), photo.id)
    for person in page.report.people:
        words = f"{person.action}: {ACTION_WORDS[person.action]} ({faces(person)})"
        yield ("person", "", person.name, "", words, person.id)


def csv_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula; some pass over blanks, and read wide letters, too."""
    text = clean(text)
    return f"'{text}" if unicodedata.normalize("NFKC", text).lstrip()[:1] in tuple("=+-@") else text


def write_page(folder: Path, page: Page) -> Page:
    """Write the page, over what is in its file if it has one, and its CSV beside it: readable by their owner
    alone. Raises TransferError.
    """
    try:
        path = page.path or keep_text(
            folder, (page.source.email, page.destination.email, page.what), "", ".html"
        )
        path.write_text(page_html(page), encoding="utf-8")
        with open(
            path.with_suffix(".csv"), "w", encoding="utf-8-sig", newline="",
            opener=lambda path, flags: os.open(path, flags, 0o600),
        ) as file:
            csv.writer(file).writerows([csv_cell(cell) for cell in row] for row in page_rows(page))
    except OSError as error:
        why = error.strerror or str(error)
        raise TransferError(f"A page could not be written in {folder}.", why) from None
    return replace(page, path=path)


# ============================================================================================================
# 14  MENU AND main(argv)
# ============================================================================================================


def clear_screen(state: State) -> State:
    """Menu entry 8: deletes config.py, then starts over."""
    forget_typed()
    if not ask_yes(f"\n  Delete {state.path}?", ""):
        raise Back
    clear_config(state.path)
    say("  Deleted.")
    return first_state(state.path)


COMMANDS: Mapping[str, Callable[[State], State]] = {
    "1": users_screen,
    "2": albums_screen,
    "3": lambda state: transfer_screen(state, execute=False),
    "4": lambda state: transfer_screen(state, execute=True),
    "5": lambda state: repair_screen(state, execute=False),
    "6": lambda state: repair_screen(state, execute=True),
    "7": lambda state: set_up(state.path, state.config),
    "8": clear_screen,
    "9": undo_screen,
    "10": files_screen,
    "11": account_screen,
}


def make_private(path: Path) -> None:
    """Let nobody but its owner read config.py, and say so."""
    if os.name != "posix" or not path.stat().st_mode & 0o077:
        return
    try:
        path.chmod(0o600)
        say(f"\n  Others on this computer could read {path}, with its secrets. Now only you can.")
    except OSError as error:
        say(f"\n  ⚠ Others on this computer can read {path}, with its secrets: {error.strerror}.")


def first_state(path: Path) -> State:
    """The configuration, made by the set-up if there is none. Raises Back when nobody wants one."""
    try:
        state = State(path, load_config(path))
    except TransferError as error:
        where = f": {path}" * (path != DEFAULT_CONFIG)
        if not isinstance(error, ConfigMissing):
            show_error(error)
            where = ""  # it is named already
        say(f"\n  ⚠ Configuration not found or incomplete{where}.")
        if not ask_yes("  Run setup now?", ""):
            raise Back from None
        return set_up(path, None)
    make_private(path)
    try:
        return connect_both(state)
    except TransferError as error:
        show_error(error)
        return state


def ask_menu(state: State) -> str:
    """What is chosen from the menu."""
    say(MENU.rstrip("\n"))
    for line in filter(None, (connected_to(state), TERMINAL.last)):
        say(f"  {shortened(line, window()[0] - 3)}")
    while (choice := read_line("  Select option: ").strip()) not in (*COMMANDS, "0"):
        if choice:
            say("  Please give one of the numbers of the menu.")
    return choice


def menu(path: Path, debug: bool = False) -> int:
    """The loop. Returns the exit code: 1 when the last thing asked for was refused or has failed, else 0.

    `debug` shows what lies behind an error.
    """
    say(BANNER)
    TERMINAL.tell_wait = show_wait
    typed = ""
    try:
        state = first_state(path)
        TERMINAL.failed = state.server is None
        if state.server is None or state.server.is_newer or state.server.unknown_links:
            typed = pause()
        while True:
            choice, typed = typed if typed in (*COMMANDS, "0") else ask_menu(state), ""
            if choice == "0":
                say("  Bye.")
                return int(TERMINAL.failed)
            TERMINAL.failed, TERMINAL.kept, TERMINAL.details = False, {}, ""
            try:
                state = COMMANDS[choice](state)
            except Back:
                if not state.path.exists():
                    say("  There is no configuration now. Bye.")
                    return 0
                TERMINAL.last = "Nothing was changed."
                continue
            except TransferError as error:
                show_failed(error)
                if debug:
                    complain(traceback.format_exc())
                TERMINAL.last = f"✗ {error.what}"
                if not isinstance(error, (CommitUnknown, MoveStopped)):
                    say("\n  Nothing was changed.")
            except KeyboardInterrupt:
                if TERMINAL.ended or not state.path.exists():  # it was just cleared
                    raise
                TERMINAL.last = "Stopped. Nothing was changed."
                continue
            except (EndOfInput, OutputLost):
                with contextlib.suppress(OutputLost):
                    write_kept()
                raise
            write_kept()
            typed = pause()
    except Back:
        say(
            "  Nothing was set up. Run it again when you have the address, a key and the database's password."
        )
        return 0
    except EndOfInput:
        say("\n  End of input. Nothing further was changed. Bye.")
        return int(TERMINAL.failed)


HELP_ENDS = f"""\
Without options it opens its menu. To try it first on a toy Immich, with nothing of yours in reach:
  pip install -r tests/requirements.txt && python -m tests.sandbox

files
  {DEFAULT_CONFIG}  the settings; config.example.py says what each is
  transfers/  beside it: undo files, the list of moved files, pages, and what was shown

exit codes
  0    done, or nothing was asked for
  1    the last thing asked for was refused or has failed, or Immich cannot be reached
  2    an option that there is none of
  130  Ctrl-C; 128 and the signal's number for others

environment variables
  NO_COLOR             no colours
  PAGER                shows details (d), such as less
  REQUESTS_CA_BUNDLE   the file of the authority (PEM) that has signed Immich's certificate
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY   a proxy on the way to Immich
  PGSSLMODE, PGSSLROOTCERT, PGSERVICE, PGPASSFILE, ...   as libpq knows them, where DB_CONFIG is silent
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The program. The one place that turns what is raised into sentences and exit codes: those of menu(),
    130 for Ctrl-C, 128 and its number for another signal.
    """
    parser = argparse.ArgumentParser(
        prog="transfer.py", description="Hand photos to another user of the same Immich.", add_help=False,
        epilog=HELP_ENDS, formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # not argparse's own: it exits with 0 where nothing could be written
    parser.add_argument("-h", "--help", action="store_true", help="show this help and exit")
    parser.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, metavar="PATH", help="the configuration file"
    )
    parser.add_argument("--debug", action="store_true", help="show what lies behind an error")
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    options = parser.parse_args(argv)
    try:
        if options.help or options.version:
            put(parser.format_help() if options.help else f"transfer.py {__version__}\n")
            return 0
        return menu(options.config, options.debug)
    except KeyboardInterrupt:
        ignore_signals()
        name = signal.Signals(TERMINAL.ended).name if TERMINAL.ended else ""
        with contextlib.suppress(OutputLost):
            say(f"\n  Ended by {name}. Nothing further was changed." if name else "\n  Stopped. Bye.")
        return 128 + (TERMINAL.ended or signal.SIGINT)
    except TransferError as error:
        if options.debug:
            raise
        show_error(error)
        return 1
    except OutputLost as error:
        complain(str(error))
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python itself tries and complains
        return 1
    except Exception:
        if TERMINAL.ended:  # a terminal that has gone makes trouble of all kinds on the way out
            return 128 + TERMINAL.ended
        raise


def ignore_signals() -> None:
    """Nothing is left to be stopped."""
    for number in (signal.SIGINT, *ENDINGS):
        signal.signal(number, signal.SIG_IGN)


def complain(text: str) -> None:
    """To standard error, if that can be written."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    # Ctrl-C while Python tidies up an object cannot be raised, only printed: the next one counts.
    sys.unraisablehook = lambda told: (
        issubclass(told.exc_type, KeyboardInterrupt) or sys.__unraisablehook__(told)
    )
    if None in (sys.stdin, sys.stdout, sys.stderr):  # what is opened next would get their numbers
        sys.exit("transfer.py shows what it will do before it asks: its streams must not be closed.")
    for ending in ENDINGS:
        if signal.getsignal(ending) is signal.SIG_DFL:  # nohup lets SIGHUP be ignored
            signal.signal(ending, end_by_signal)
    exit_code = main()
    ignore_signals()
    sys.exit(exit_code)
