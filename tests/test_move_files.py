"""Files go into their owners' folders: real files in a real folder tree, and the rows that name them."""

import errno
import hashlib
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import transfer
from tests import forks
from tests.conftest import EVERYTHING
from tests.library import Library, new_id
from tests.media import ROOT, Media

pytestmark = pytest.mark.long

FOLDERS = ("upload", "library", "thumbs", "encoded-video", "profile")


@dataclass(frozen=True)
class Disk(Media):
    """Immich's media folder, and what moves files in it."""

    params: dict[str, Any]
    journals: Path

    def run(self, **how: Any) -> transfer.MoveReport:
        """A run, or a dry run."""
        return transfer.move_files(self.params, self.folder, self.journals, **({"dry_run": False} | how))

    def move(self, **how: Any) -> transfer.MoveReport:
        """A dry run, then the run, which does what the dry run said."""
        before, files = self.library.snapshot(), self.files()
        shown = self.run(dry_run=True, **how)
        assert (self.library.snapshot(), self.files()) == (before, files)
        done = self.run(**how)
        assert replace(done, copied=0) == shown
        return done

    def reported(self, *paths: str) -> list[str]:
        """Immich's report of untracked files: what is on it, after these paths came to it (3.0 on)."""
        for path in paths:
            self.library.rows(
                "insert into integrity_report (type, path) values ('untracked_file', %s) on conflict do nothing", path
            )
        return [path for (path,) in self.library.rows("select path from integrity_report order by path")]

    def is_open(self) -> bool:
        """Whether the list of moves has a batch that is not done."""
        return bool(transfer._read_list(self.journals / transfer.MOVES)[1])


@pytest.fixture
def disk(library, params, tmp_path) -> Disk:
    return known_media(library, params, tmp_path)


def known_media(library: Library, params: dict[str, Any], tmp_path: Path) -> Disk:
    """An Immich whose media folder is known."""
    (tmp_path / "media").mkdir()
    disk = Disk(library, tmp_path / "media", params, tmp_path / "transfers")
    disk.known()
    return disk


@dataclass(frozen=True)
class Things:
    """Photos that were handed from Anna to Ben, one with each shape of path, and what stays with Anna."""

    disk: Disk
    assets: dict[str, str]
    person: str


def give(library: Library, asset: str, owner: str) -> None:
    """A transfer by hand."""
    library.rows('update asset set "ownerId" = %s where id = %s', owner, asset)


def handed_over(disk: Disk, anna: str, ben: str) -> Things:
    """Anna's photos of every kind become Ben's; their files stay."""
    library = disk.library
    library.rows("""update "user" set "storageLabel" = 'anna' where id = %s""", anna)
    library.rows("""update "user" set "storageLabel" = 'ben' where id = %s""", ben)
    assets = {
        "plain": library.asset(anna, "plain.jpg", sidecar=True),
        "templated": library.asset(anna, "t.jpg", path=f"{ROOT}/library/anna/2024/05/t.jpg", sidecar=True),
        "by id": library.asset(anna, "i.jpg", path=f"{ROOT}/library/{anna}/2024/i.jpg"),
        "video": library.asset(anna, "film.mp4", kind="VIDEO", encoded=True),
        "trashed": library.asset(anna, "trashed.jpg", trashed=True),
        "locked": library.asset(anna, "locked.jpg", visibility="locked"),
        "motion": library.asset(
            anna,
            "m.mp4",
            kind="VIDEO",
            visibility="hidden",
            path=f"{ROOT}/encoded-video/{anna}/ab/cd/{new_id()}-MP.mp4",
        ),
        "odd name": library.asset(anna, "Ä ☃ 'q' \"%s\".jpg", path=f"{ROOT}/library/anna/Ä ☃ 'q' \"%s\" \\1.jpg"),
    }
    library.asset(anna, "annas.jpg", sidecar=True)
    library.asset(ben, "bens.jpg", path=f"{ROOT}/library/ben/2024/bens.jpg")
    files = [(assets["plain"], "fullsize", f"{ROOT}/thumbs/{anna}/aa/bb/{assets['plain']}_fullsize.jpeg")]
    for photo, kind, path in files:
        library.rows('insert into asset_file ("assetId", type, path) values (%s, %s, %s)', photo, kind, path)
    if library.has("asset_file", "isEdited"):
        library.rows(
            'insert into asset_file ("assetId", type, path, "isEdited") values (%s, %s, %s, true)',
            assets["plain"],
            "preview",
            f"{ROOT}/thumbs/{anna}/aa/bb/{assets['plain']}_preview_edited.jpeg",
        )
    person = library.person(ben, "Lea", thumbnail=f"{ROOT}/thumbs/{anna}/xx/yy/{new_id()}.jpeg")
    library.person(anna, "Max")
    disk.make()
    for asset in assets.values():
        give(library, asset, ben)
    return Things(disk, assets, person)


@pytest.fixture
def things(disk, anna, ben) -> Things:
    return handed_over(disk, anna, ben)


def away(disk: Disk, anna: str) -> list[str]:
    """Files of others in Anna's folders."""
    hers = [f"{ROOT}/{folder}/{name}/" for folder in FOLDERS for name in (anna, "anna")]
    return [path for (_, owner), path in disk.paths().items() if owner != anna and path.startswith(tuple(hers))]


def delete_account(disk: Disk, user: str) -> None:
    """As Immich does: the five folders, then the rows, by cascade."""
    label = disk.library.value('select coalesce("storageLabel", id::text) from "user" where id = %s', user)
    for folder, name in [("library", label), *((f, user) for f in FOLDERS if f != "library")]:
        shutil.rmtree(disk.folder / folder / name, ignore_errors=True)
    disk.library.rows('delete from "user" where id = %s', user)


def stays(report: transfer.MoveReport) -> dict[str, int]:
    """How many files stay, by reason."""
    return {reason: len(names) for reason, names in report.reasons}


# ---- what moves -----------------------------------------------------------------------------------------------------


@pytest.mark.every_version
def test_every_kind_of_file_goes_to_its_owner(library, disk, things, anna, ben) -> None:
    before, contents, snapshot = disk.paths(), disk.contents(), library.snapshot()
    moving = len(away(disk, anna))
    report = disk.move()
    assert (report.files, stays(report), report.stopped, report.renamed) == (moving, {}, "", [])
    assert report.size == sum(size for _, _, size in report.kinds)
    kinds = {kind: files for kind, files, _ in report.kinds}
    edited = {"edited": 1} if library.has("asset_file", "isEdited") else {}
    assert kinds == {
        **{"original": 7, "motion": 1, "sidecar": 2, "thumbnail": 8, "preview": 8, "fullsize": 1},
        **{"encoded_video": 1, "person": 1} | edited,
    }
    assert away(disk, anna) == []
    assert disk.contents() == contents
    for (row, owner), path in disk.paths().items():
        old = before[row, owner].split("/")
        own = {"library": "ben"}.get(old[2], ben) if owner == ben else old[3]
        assert path.split("/") == [*old[:3], own, *old[4:]]
    assert sorted(disk.files()) == sorted(path.removeprefix(f"{ROOT}/") for path in disk.paths().values())
    after = library.snapshot()
    assert {t: len(after[t]) for t in after} == {t: len(snapshot[t]) for t in snapshot}
    assert disk.run() == transfer.MoveReport()  # there is nothing more to do


def test_a_pair_is_moved_and_others_are_not(library, disk, things, anna, ben, carla) -> None:
    hers = library.asset(carla, path=f"{ROOT}/upload/{anna}/aa/bb/c.jpg")
    disk.make()
    report = disk.move(only=(anna, ben))
    assert f"{ROOT}/upload/{anna}/aa/bb/c.jpg" in disk.paths().values()
    assert report.files and away(disk, anna) == [f"{ROOT}/upload/{anna}/aa/bb/c.jpg"]
    assert disk.move(only=(ben, carla)).files == 0
    assert disk.move(only=(anna, carla)).files == 1
    assert library.value('select "originalPath" from asset where id = %s', hers).startswith(f"{ROOT}/upload/{carla}/")


@pytest.mark.every_version
def test_after_everything_and_the_move_the_old_account_can_be_deleted(library, disk, params, anna, ben) -> None:
    """The proof: the account deleted as Immich deletes it, every file and row of the destination is there."""
    for number in range(3):
        photo = library.asset(anna, f"{number}.jpg", sidecar=True)
        library.face(photo, library.person(anna, f"Person {number}"), featured=True)
    library.asset(anna, "film.mp4", kind="VIDEO", encoded=True)
    library.live(anna)
    library.asset(anna, "trashed.jpg", trashed=True)
    library.asset(ben, "bens.jpg")
    disk.make()
    request = transfer.Request(anna, ben, everything=True, trashed=True, locked=True)
    transfer.transfer(params, request, transfer.How(dry_run=False))
    disk.move()
    contents, owned = disk.contents(), library.rows('select id from asset where "ownerId" = %s order by id', ben)
    assert len(owned) == 8
    delete_account(disk, anna)
    assert disk.contents() == contents
    assert library.rows("select id from asset order by id") == owned
    for path, checksum in library.rows('select "originalPath", checksum from asset'):
        assert hashlib.sha1(disk.at(path).read_bytes()).digest() == bytes(checksum)


def test_without_the_move_they_would_be_lost(library, disk, things, anna) -> None:
    """The proof above proves something."""
    delete_account(disk, anna)
    with pytest.raises(FileNotFoundError):
        disk.contents()


def test_mode_owner_and_times_stay_and_folders_look_alike(library, disk, things, anna, ben) -> None:
    old = disk.at(library.value('select "originalPath" from asset where id = %s', things.assets["plain"]))
    os.chmod(old, 0o640)
    os.utime(old, ns=(10**18, 10**18 + 7))
    os.chmod(old.parent, 0o2750)
    if os.geteuid() == 0:
        os.chown(old, 1234, 2345)
        os.chown(old.parent, 1234, 2345)
    looks = [
        (s.st_mode, s.st_uid, s.st_gid, s.st_ino if path is old else 0, s.st_mtime_ns if path is old else 0)
        for path in (old, old.parent)
        for s in [path.stat()]
    ]
    disk.move()
    new = disk.at(library.value('select "originalPath" from asset where id = %s', things.assets["plain"]))
    assert ben in str(new)
    assert looks == [
        (s.st_mode, s.st_uid, s.st_gid, s.st_ino if path is new else 0, s.st_mtime_ns if path is new else 0)
        for path in (new, new.parent)
        for s in [path.stat()]
    ]


def test_many_batches_are_as_one_and_progress_counts_files(disk, things, anna, monkeypatch) -> None:
    contents, told = disk.contents(), []
    monkeypatch.setattr(transfer, "BATCH_FILES", 3)
    report = disk.run(progress=lambda *numbers: told.append(numbers))
    assert away(disk, anna) == [] and disk.contents() == contents
    assert told[-report.files :] == [("", done, report.files) for done in range(1, report.files + 1)]


# ---- names that are taken -------------------------------------------------------------------------------------------


def test_a_taken_name_gets_a_free_one_and_the_sidecar_follows(library, disk, anna, ben) -> None:
    photo = library.asset(anna, "t.jpg", path=f"{ROOT}/upload/{anna}/aa/t.jpg", sidecar=True)
    library.asset(ben, "t.jpg", path=f"{ROOT}/upload/{ben}/aa/t.jpg", sidecar=True)
    library.asset(ben, "u.jpg", path=f"{ROOT}/upload/{ben}/aa/t+1.jpg")
    disk.make()
    give(library, photo, ben)
    kept = disk.files()[f"upload/{ben}/aa/t.jpg"]
    report = disk.move()
    paths = sorted(path for path in disk.paths().values() if "/upload/" in path)
    assert paths == [f"{ROOT}/upload/{ben}/aa/t{end}" for end in ("+1.jpg", "+2.jpg", "+2.jpg.xmp", ".jpg", ".jpg.xmp")]
    assert disk.files()[f"upload/{ben}/aa/t.jpg"] == kept
    assert len(report.renamed) == 2


def test_the_name_of_a_row_whose_file_has_gone_is_taken(library, disk, anna, ben) -> None:
    photo = library.asset(anna, "t.jpg", path=f"{ROOT}/upload/{anna}/aa/t.jpg")
    library.asset(ben, "gone.jpg", path=f"{ROOT}/upload/{ben}/aa/t.jpg")
    disk.make(but=(f"{ROOT}/upload/{ben}/aa/t.jpg",))
    give(library, photo, ben)
    disk.run()
    assert os.listdir(disk.folder / f"upload/{ben}/aa") == ["t+1.jpg"]


def test_a_taken_sidecar_name_gives_both_another_one(library, disk, anna, ben) -> None:
    photo = library.asset(anna, "t.jpg", path=f"{ROOT}/upload/{anna}/aa/t.jpg", sidecar=True)
    disk.make()
    give(library, photo, ben)
    in_the_way = disk.folder / f"upload/{ben}/aa/t.jpg.xmp"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.symlink_to("/nowhere")
    disk.move()
    assert sorted(os.listdir(in_the_way.parent)) == ["t+1.jpg", "t+1.jpg.xmp", "t.jpg.xmp"]
    assert os.readlink(in_the_way) == "/nowhere"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("a/b.c/d.jpg", "a/b.c/d+2.jpg"),
        ("a/b.c/d", "a/b.c/d+2"),
        ("a/.jpg", "a/.jpg+2"),
        ("a/x-MP.mp4", "a/x+2-MP.mp4"),
        ("a/x.tar.gz", "a/x.tar+2.gz"),
        ("a/x\ny.jpg", "a/x\ny+2.jpg"),
    ],
)
def test_a_number_in_a_name(path: str, wanted: str) -> None:
    group = [transfer.Move("", new, "", "", "", ()) for new in (path, f"{path}.xmp")]
    assert transfer._names(group, 2) == [wanted, f"{wanted}.xmp" if wanted != "a/.jpg+2" else "a/.jpg+2.xmp"]
    assert transfer._names(group, 0) == [path, f"{path}.xmp"]


def test_a_name_taken_after_the_plan_is_not_overwritten(disk, things, anna, ben, monkeypatch) -> None:
    plan = transfer.plan_moves

    def planned(*args: Any) -> transfer.MoveReport:
        found = plan(*args)
        for move in found.moves:
            (disk.folder / move.new).parent.mkdir(parents=True, exist_ok=True)
            (disk.folder / move.new).write_bytes(b"another")
        return found

    monkeypatch.setattr(transfer, "plan_moves", planned)
    contents, count = disk.contents(), len(away(disk, anna))
    report = disk.run()
    assert stays(report) == {"taken": count} and report.files == 0
    assert disk.contents() == contents
    assert list(disk.files().values()).count(b"another") == count
    assert not disk.is_open()


# ---- what stays -----------------------------------------------------------------------------------------------------


def one_photo(disk: Disk, anna: str, ben: str, **photo: Any) -> str:
    """A photo of Ben's whose original alone lies in Anna's folder."""
    path = photo.pop("path", f"{ROOT}/upload/{anna}/aa/one.jpg")
    asset = disk.library.asset(ben, "one.jpg", path=path, **photo)
    disk.library.asset(ben, "home.jpg")
    disk.library.asset(ben, "home2.jpg")
    disk.make()
    return asset


def assert_stays(disk: Disk, reason: str = "", files: int = 1) -> None:
    """Nothing happens, and that is why."""
    paths, found = disk.paths(), disk.files()
    report = disk.move()
    assert (report.files, stays(report)) == (0, {reason: files} if reason else {})
    assert (disk.paths(), disk.files()) == (paths, found) and not disk.is_open()


def test_a_file_that_one_owner_has_twice_moves_once(library, disk, anna, ben) -> None:
    first = one_photo(disk, anna, ben)
    second = library.asset(ben, "again.jpg", path=f"{ROOT}/upload/{anna}/aa/one.jpg", checksum=b"2" * 20)
    disk.make(but=(f"{ROOT}/upload/{anna}/aa/one.jpg",))
    report = disk.move()
    assert report.files == 1
    found = library.rows('select "originalPath" from asset where id in (%s, %s)', first, second)
    assert found == [(f"{ROOT}/upload/{ben}/aa/one.jpg",)] * 2


def test_external_files_stay_and_their_thumbnails_move(library, disk, anna, ben) -> None:
    photos = library.library(ben)
    path = f"{ROOT}/upload/{anna}/aa/outside.jpg"
    asset = library.asset(anna, "outside.jpg", library=photos, path=path, sidecar=True)
    disk.make()
    disk.at(path).parent.mkdir(parents=True, exist_ok=True)
    disk.at(path).write_bytes(b"outside")
    give(library, asset, ben)
    report = disk.move()
    assert {kind for kind, _, _ in report.kinds} == {"thumbnail", "preview"}
    assert library.value('select "originalPath" from asset where id = %s', asset) == path


def test_a_video_that_immich_took_out_of_an_external_photo_moves(library, disk, anna, ben) -> None:
    """It belongs to the library, but it is not marked external and lies in Immich's own folder (metadata.service)."""
    one_photo(disk, anna, ben)
    path = f"{ROOT}/encoded-video/{anna}/ab/cd/video-MP.mp4"
    video = library.asset(anna, "PXL.mp4", library=library.library(ben), path=path, visibility="hidden")
    library.rows('update asset set "isExternal" = false where id = %s', video)
    if library.has("asset", "checksumAlgorithm"):
        library.rows("""update asset set "checksumAlgorithm" = 'sha1' where id = %s""", video)
    disk.make()
    give(library, video, ben)
    disk.move()
    moved = f"{ROOT}/encoded-video/{ben}/ab/cd/video-MP.mp4"
    assert library.value('select "originalPath" from asset where id = %s', video) == moved
    assert disk.at(moved).exists()


# How a path in the database begins, by mount: (the path, where the file lies below the media folder, whose folder
# that is: '' if it cannot be told, None if nobody's).
LIES = {
    "now": ("/data/upload/ANNA/one.jpg", "upload/ANNA/one.jpg", "anna"),
    "before 1.136": ("upload/upload/ANNA/aa/one.jpg", "upload/ANNA/aa/one.jpg", "anna"),
    "with a label": ("upload/library/anna/2019/one.jpg", "library/anna/2019/one.jpg", "anna"),
    "older mount": ("/usr/src/app/upload/upload/ANNA/aa/one.jpg", "upload/ANNA/aa/one.jpg", "anna"),
    "older mount of one folder": ("/photos/library/anna/2019/one.jpg", "library/anna/2019/one.jpg", "anna"),
    "older mount below today's": ("/data/upload/upload/ANNA/aa/one.jpg", "upload/ANNA/aa/one.jpg", "anna"),
    "a label in the mount": ("/library/anna/upload/BEN/one.jpg", "library/anna/upload/BEN/one.jpg", "anna"),
    "his own": ("/photos/upload/BEN/one.jpg", "upload/BEN/one.jpg", None),
    "an older label": ("/data/library/older/2019/one.jpg", "library/older/2019/one.jpg", None),
    "not an account's": ("/data/backups/one.jpg", "backups/one.jpg", None),
    "elsewhere": ("/photos/one.jpg", "", ""),
    "leads out": ("/data/upload/BEN/../ANNA/one.jpg", "upload/ANNA/one.jpg", ""),
}


@pytest.mark.parametrize("lies", LIES)
def test_where_a_file_lies_is_told_as_immich_deletes(library, disk, params, anna, ben, lies) -> None:
    """List users, Move files and the account check say the same; what can be moved, moves."""
    library.rows("""update "user" set "storageLabel" = 'anna' where id = %s""", anna)
    path, below, told = (word and word.replace("ANNA", anna).replace("BEN", ben) for word in LIES[lies])
    holder = {"anna": anna}.get(told, told)
    photo = one_photo(disk, anna, ben, path=path)
    if below:
        (disk.folder / below).parent.mkdir(parents=True, exist_ok=True)
        (disk.folder / below).write_bytes(b"the photo")
        checksum = hashlib.sha1(b"the photo").digest()
        library.rows("update asset set checksum = %s where id = %s", checksum, photo)
    assert transfer.list_lying(params) == ({} if holder is None else {(holder, ben): {"original": 1}})
    ties = {tie.kind for tie in transfer.account_ties(params, anna).tied if tie.count and "file" in tie.kind}
    assert ties == ({"file"} if holder else set() if holder is None else {"file_odd"})
    if holder:
        assert disk.move().files == 1
        new = library.value('select "originalPath" from asset where id = %s', photo)
        folder, _, rest = below.split("/", 2)
        assert new == f"{ROOT}/{folder}/{ben}/{rest}"
        assert disk.at(new).read_bytes() == b"the photo" and not (disk.folder / below).exists()
        assert transfer.list_lying(params) == {}
    else:
        assert_stays(disk, *(["odd" if lies == "leads out" else "elsewhere"] if holder == "" else []))


def test_an_original_by_an_older_path_must_be_the_right_one(library, disk, anna, ben) -> None:
    photo = one_photo(disk, anna, ben, path=f"upload/upload/{anna}/one.jpg")
    old = disk.folder / f"upload/{anna}/one.jpg"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"another")
    assert stays(disk.run()) == {"checksum": 1} and old.read_bytes() == b"another"
    assert library.value('select "originalPath" from asset where id = %s', photo) == f"upload/upload/{anna}/one.jpg"


def test_a_label_that_is_another_users_id(library, disk, params, anna, ben) -> None:
    """Immich deletes library/<label or id>: the folder is both users'."""
    library.rows("""update "user" set "storageLabel" = %s where id = %s""", ben, anna)
    library.asset(ben, path=f"{ROOT}/library/{ben}/2019/one.jpg")
    library.asset(anna, path=f"{ROOT}/library/{ben}/2019/two.jpg")
    disk.make()
    assert transfer.list_lying(params) == {(anna, ben): {"original": 1}, (ben, anna): {"original": 1}}
    for user in (anna, ben):
        assert "file" in {tie.kind for tie in transfer.account_ties(params, user).tied if tie.count}
    assert_stays(disk, "label", 2)


@pytest.mark.parametrize("label", ["..", ".", "../../x", "a/b"])
def test_a_label_that_leads_out_is_refused(library, disk, params, things, anna, ben, label) -> None:
    library.rows("""update "user" set "storageLabel" = %s where id = %s""", label, ben)
    paths, files = disk.paths(), disk.files()
    with pytest.raises(transfer.LabelOdd) as caught:
        disk.run()
    assert label in caught.value.what and "another storage label" in caught.value.todo
    assert (disk.paths(), disk.files()) == (paths, files)
    with pytest.raises(transfer.LabelOdd):
        transfer.account_ties(params, anna)


def test_labels_changed_since(library, disk, anna, ben) -> None:
    """What was Anna's label is Carla's now; Ben has a new one, and files under his id are his."""
    one_photo(disk, anna, ben, path=f"{ROOT}/library/family/2024/one.jpg")
    library.asset(ben, "own.jpg", path=f"{ROOT}/library/{ben}/2024/own.jpg")
    library.user("Carla", label="family")
    library.rows("""update "user" set "storageLabel" = 'new' where id = %s""", ben)
    disk.make()
    report = disk.move()
    assert report.files == 1
    assert {f"{ROOT}/library/new/2024/one.jpg", f"{ROOT}/library/{ben}/2024/own.jpg"} <= set(disk.paths().values())


def test_a_link_directly_below_the_media_folder_is_followed(disk, things, anna, tmp_path) -> None:
    """The thumbnails on another disk, or a folder of links to several."""
    (disk.folder / "thumbs").rename(tmp_path / "ssd")
    (disk.folder / "thumbs").symlink_to(tmp_path / "ssd")
    (disk.folder / "library").rename(tmp_path / "dataset")
    (disk.folder / "library").symlink_to("../dataset")
    contents = disk.contents()
    report = disk.move()
    assert stays(report) == {} and away(disk, anna) == [] and disk.contents() == contents
    assert (disk.folder / "thumbs").is_symlink()


@dataclass(frozen=True)
class Scene:
    """Ben's photo in Anna's folder."""

    disk: Disk
    asset: str
    anna: str
    ben: str
    patch: pytest.MonkeyPatch

    def folder(self, user: str) -> Path:
        return self.disk.folder / "upload" / user / "aa"

    def sql(self, statement: str) -> None:
        with self.disk.library.connection.cursor() as cursor:
            cursor.execute(statement, {"asset": self.asset, "anna": self.anna, "ben": self.ben})

    def path(self, path: str) -> None:
        """The row says that."""
        path = path.replace("ANNA", self.anna).replace("BEN", self.ben)
        self.disk.library.rows('update asset set "originalPath" = %s where id = %s', path, self.asset)

    def also(self, owner: str, path: str = "/data/upload/ANNA/aa/one.jpg", **photo: Any) -> None:
        """Another photo of that file."""
        self.disk.library.asset(owner, "same.jpg", path=path.replace("ANNA", self.anna), **photo)

    def link(self, place: Path) -> None:
        """That lies elsewhere, and a link leads to it."""
        outside = self.disk.folder.parent / "outside"
        place.rename(outside)
        place.symlink_to(outside)

    def file_for_a_folder(self) -> None:
        here, kept = self.folder(self.ben), f"{self.ben}/kept"
        here.rename(here.with_name("kept"))
        here.write_bytes(b"")
        self.disk.library.rows(
            'update asset set "originalPath" = replace("originalPath", %s, %s)', f"{self.ben}/aa", kept
        )

    def shut(self, folder: Path) -> None:
        access = os.access
        self.patch.setattr(os, "access", lambda path, mode: Path(path) != folder and access(path, mode))


UNFINISHED = """insert into move_history ("entityId", "pathType", "oldPath", "newPath")
                values (%(asset)s, 'original', 'a', 'b')"""
STAYS: dict[str, tuple[str, Callable[[Scene], Any]]] = {
    "it has gone": ("missing", lambda s: (s.folder(s.anna) / "one.jpg").unlink()),
    "thousands of folders": ("missing", lambda s: s.path("/data/upload/ANNA/" + "a/" * 1900 + "one.jpg")),
    "a photo of two owners": ("shared", lambda s: s.also(s.anna)),
    "an external library's, too": ("external", lambda s: s.also(s.ben, library=s.disk.library.library(s.ben))),
    "by two paths": ("paths", lambda s: s.also(s.ben, "upload/upload/ANNA/aa/one.jpg")),
    "round about": ("odd", lambda s: s.path("/data/upload/ANNA/../ANNA/aa/one.jpg")),
    "out of another's": ("odd", lambda s: s.path("/data/upload/BEN/../ANNA/aa/one.jpg")),
    "a dot": ("odd", lambda s: s.path("/data/upload/ANNA/./aa/one.jpg")),
    "two strokes": ("odd", lambda s: s.path("/data/upload/ANNA//aa/one.jpg")),
    "outside": ("elsewhere", lambda s: s.path("/etc/passwd")),
    "a link": ("link", lambda s: s.link(s.folder(s.anna) / "one.jpg")),
    "a linked folder": ("link", lambda s: s.link(s.folder(s.anna))),
    "a linked user's folder": ("link", lambda s: s.link(s.folder(s.anna).parent)),
    "a linked new folder": ("link", lambda s: s.link(s.folder(s.ben).parent)),
    "a file for a folder": ("not_a_file", Scene.file_for_a_folder),
    "being deleted": ("deleting", lambda s: s.sql("update asset set status = 'deleted' where id = %(asset)s")),
    "an account on its way": (
        "leaving",
        lambda s: s.sql("""update "user" set "deletedAt" = now() where id = %(ben)s"""),
    ),
    "an unfinished move": ("unfinished", lambda s: s.sql(UNFINISHED)),
    "a shut folder": ("read_only", lambda s: s.shut(s.folder(s.anna))),
    "a shut new folder": ("read_only", lambda s: s.shut(s.folder(s.ben))),
}


@pytest.mark.parametrize("why", STAYS)
def test_a_file_that_cannot_move_is_left_and_named(disk, anna, ben, monkeypatch, why) -> None:
    reason, prepare = STAYS[why]
    scene = Scene(disk, one_photo(disk, anna, ben), anna, ben, monkeypatch)
    prepare(scene)
    disk.make(but=(f"{ROOT}/upload/{anna}/aa/one.jpg",)) if reason in ("shared", "external") else None
    outside = sorted((disk.folder.parent / "outside").rglob("*"))
    assert_stays(disk, reason)
    assert "one.jpg" in disk.run(dry_run=True).stays[0][1]
    assert sorted((disk.folder.parent / "outside").rglob("*")) == outside


def test_a_folder_that_the_system_says_is_read_only(disk, anna, ben) -> None:
    if os.geteuid() != 0 or shutil.which("chattr") is None:
        pytest.skip("needs root and chattr")
    one_photo(disk, anna, ben)
    folder = disk.folder / f"upload/{anna}/aa"
    if subprocess.run(["chattr", "+i", folder], capture_output=True).returncode:
        pytest.skip("this file system has no such attribute")
    try:
        assert_stays(disk, "read_only")
    finally:
        subprocess.run(["chattr", "-i", folder], check=True)


# ---- where links are impossible -------------------------------------------------------------------------------------


def no_links(monkeypatch: pytest.MonkeyPatch, code: int = errno.EPERM) -> None:
    """Hard links are refused."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.parametrize("code", [errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP])
def test_without_links_files_are_copied(disk, things, anna, ben, monkeypatch, code) -> None:
    no_links(monkeypatch, code)
    old = min(disk.folder.glob(f"upload/{anna}/*/*/*.jpg"))
    for file in disk.folder.rglob("*.jpg"):
        os.chmod(file, 0o604)
        os.utime(file, ns=(10**18, 10**18 + 7))
    contents, names = disk.contents(), len(disk.files())
    report = disk.run()
    assert report.copied == report.files > 0 and away(disk, anna) == []
    assert disk.contents() == contents and len(disk.files()) == names
    assert old.exists() != (disk.folder / f"upload/{ben}" / old.relative_to(disk.folder / f"upload/{anna}")).exists()
    for file in disk.folder.rglob("*.jpg"):
        assert (stat.S_IMODE(file.stat().st_mode), file.stat().st_mtime_ns) == (0o604, 10**18 + 7)


def test_a_copy_of_an_original_that_has_changed_is_not_trusted(disk, anna, ben, monkeypatch) -> None:
    one_photo(disk, anna, ben)
    (disk.folder / f"upload/{anna}/aa/one.jpg").write_bytes(b"rotten")
    no_links(monkeypatch)
    before = disk.files()
    report = disk.run()
    assert (stays(report), disk.files()) == ({"checksum": 1}, before)


def test_a_copy_that_reads_otherwise_is_not_trusted(disk, anna, ben, monkeypatch) -> None:
    one_photo(disk, anna, ben)
    no_links(monkeypatch)
    monkeypatch.setattr(transfer, "_digest", lambda path: "0" * 40)
    before, paths = disk.files(), disk.paths()
    report = disk.run()
    assert report.stopped and stays(report) == {"failed": 1}
    assert (disk.files(), disk.paths()) == (before, paths)


# ---- the disk fails -------------------------------------------------------------------------------------------------


def test_a_full_disk_stops_the_run_and_the_next_one_goes_on(disk, things, anna, monkeypatch) -> None:
    contents = disk.contents()
    full = {"left": 5}
    link = os.link

    def filling(old: Any, new: Any) -> None:
        full["left"] -= 1
        if full["left"] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        link(old, new)

    monkeypatch.setattr(os, "link", filling)
    report = disk.run()
    assert "No space left" in report.stopped and report.files == 5
    assert disk.contents() == contents and not disk.is_open()
    monkeypatch.setattr(os, "link", link)
    disk.run()
    assert away(disk, anna) == [] and disk.contents() == contents
    assert len(disk.files()) == len(disk.paths())


def test_a_really_full_disk(library, params, anna, ben, tmp_path) -> None:
    """A small tmpfs, copies: the second big file does not fit."""
    mount = tmp_path / "small"
    mount.mkdir()
    made = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount], capture_output=True
        ).returncode
    )
    if not made:
        pytest.skip("needs root and mount")
    try:
        disk = Disk(library, mount, params, tmp_path / "transfers")
        disk.known()
        photos = [library.asset(anna, f"{n}.jpg", path=f"{ROOT}/upload/{anna}/{n}.jpg") for n in range(2)]
        for number in range(2):
            path = mount / f"upload/{anna}/{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes([number]) * 380_000)
        disk.make()
        for photo in photos:
            give(library, photo, ben)
        contents = disk.contents()
        with pytest.MonkeyPatch.context() as patch:
            no_links(patch)
            report = disk.run()
        assert report.stopped
        assert disk.contents() == contents and len(disk.files()) == len(disk.paths())
        disk.run()
        assert away(disk, anna) == [] and disk.contents() == contents and len(disk.files()) == len(disk.paths())
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


def test_a_journal_that_cannot_be_written_lets_nothing_begin(disk, things, monkeypatch) -> None:
    before, paths = disk.files(), disk.paths()
    disk.journals.write_bytes(b"")  # a file where the folder should be
    assert disk.run().stopped
    disk.journals.unlink()
    add = transfer._add_to_list

    def full(path: Path, record: dict[str, Any]) -> None:
        if "batch" in record:
            path.parent.mkdir()
            with path.open("ab") as file:
                file.write(b'\n{"batch": "0", "fi')  # as far as it went
            raise OSError(errno.ENOSPC, "No space left on device")
        add(path, record)

    monkeypatch.setattr(transfer, "_add_to_list", full)
    report = disk.run()
    assert report.stopped and report.files == 0
    assert (disk.files(), disk.paths()) == (before, paths) and not disk.is_open()
    monkeypatch.setattr(transfer, "_add_to_list", add)
    assert disk.run().files


def test_an_old_name_that_cannot_be_removed_is_named_and_tried_again(disk, anna, ben, monkeypatch) -> None:
    one_photo(disk, anna, ben)
    contents = disk.contents()
    unlink = os.unlink

    def refuse(path: Any, **how: Any) -> None:
        if str(path).endswith("one.jpg"):
            raise OSError(errno.EACCES, "Permission denied")
        unlink(path, **how)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        report = disk.run()
        assert report.files == 1 and len(report.old_names) == 1
        assert disk.contents() == contents
        assert disk.is_open()
    disk.run()
    assert disk.contents() == contents and len(disk.files()) == len(disk.paths())
    assert not disk.is_open()


# ---- Immich works meanwhile -----------------------------------------------------------------------------------------


def during(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Something happens after the new names were made and before the rows are changed."""
    change, once = transfer._change_paths, [happens]

    def changing(*args: Any) -> tuple[list[int], int]:
        while once:
            once.pop()()
        return change(*args)

    monkeypatch.setattr(transfer, "_change_paths", changing)


@pytest.mark.parametrize("how", [os.rename, shutil.copy], ids=["moved", "copied"])
def test_a_row_that_a_job_changed_is_left(library, disk, anna, ben, monkeypatch, how) -> None:
    asset = one_photo(disk, anna, ben)
    moved = f"{ROOT}/library/{ben}/one.jpg"

    def job() -> None:
        disk.at(moved).parent.mkdir(parents=True)
        how(disk.at(f"{ROOT}/upload/{anna}/aa/one.jpg"), disk.at(moved))
        library.rows('update asset set "originalPath" = %s where id = %s', moved, asset)

    during(monkeypatch, job)
    report = disk.run()
    assert (report.files, stays(report)) == (0, {"changed": 1})
    assert len(disk.files()) == len(disk.paths()) + (how is shutil.copy) and moved in disk.paths().values()
    disk.contents()


def test_a_photo_that_was_deleted_meanwhile_leaves_nothing(library, disk, anna, ben, monkeypatch) -> None:
    asset = one_photo(disk, anna, ben)

    def deleted() -> None:
        for (path,) in library.rows('select path from asset_file where "assetId" = %s', asset):
            disk.at(path).unlink()
        library.rows("delete from asset where id = %s", asset)
        disk.at(f"{ROOT}/upload/{anna}/aa/one.jpg").unlink()

    during(monkeypatch, deleted)
    assert stays(disk.run()) == {"changed": 1}
    assert len(disk.files()) == len(disk.paths())


def test_a_file_written_anew_before_the_commit_is_left(disk, anna, ben, monkeypatch) -> None:
    one_photo(disk, anna, ben)
    old = disk.at(f"{ROOT}/upload/{anna}/aa/one.jpg")

    def rewritten() -> None:
        old.with_suffix(".tmp").write_bytes(b"newer")
        old.with_suffix(".tmp").rename(old)

    during(monkeypatch, rewritten)
    assert stays(disk.run()) == {"changed": 1}
    assert old.read_bytes() == b"newer" and len(disk.files()) == len(disk.paths())


def test_a_file_written_anew_after_the_look_is_not_removed(disk, anna, ben, monkeypatch) -> None:
    """Between the last look and the removal of the old name: both stay, and it is said."""
    one_photo(disk, anna, ben)
    old, commit = disk.at(f"{ROOT}/upload/{anna}/aa/one.jpg"), transfer._commit_paths

    def committing(tx: transfer.Transaction) -> None:
        commit(tx)
        old.with_suffix(".tmp").write_bytes(b"newer")
        old.with_suffix(".tmp").rename(old)

    monkeypatch.setattr(transfer, "_commit_paths", committing)
    report = disk.run()
    assert report.files == len(report.old_names) == 1
    assert old.read_bytes() == b"newer" and disk.contents()


@pytest.mark.since("3.0")
def test_what_is_in_use_is_taken_off_the_report_of_untracked_files(library, disk, things, anna, monkeypatch) -> None:
    """Immich would delete from it without a look. It may look at any moment: while names are new, and just before."""
    link, here = os.link, disk.folder

    def linking(old: Any, new: Any) -> None:
        link(old, new)
        disk.reported(f"{ROOT}/{Path(new).relative_to(here)}")

    disk.reported(f"{ROOT}/upload/really/untracked.jpg", f"{ROOT}/thumbs/{anna}/before.jpeg")
    library.rows("""insert into integrity_report (type, path) values ('missing_file', '/data/upload/missing.jpg')""")
    library.asset(anna, "missing.jpg", path="/data/upload/missing.jpg")
    library.person(anna, "Max", thumbnail=f"{ROOT}/thumbs/{anna}/before.jpeg")
    disk.make(but=("/data/upload/missing.jpg",))
    monkeypatch.setattr(os, "link", linking)
    report = disk.run()
    assert report.untracked == report.files + 1  # a picture that was drawn after it was reported
    assert disk.reported() == ["/data/upload/missing.jpg", f"{ROOT}/upload/really/untracked.jpg"]
    assert transfer.clear_untracked(disk.params) == 0
    library.asset(anna, "old.jpg", path=f"upload/upload/{anna}/old.jpg")  # by an older mount's path
    disk.reported(f"{ROOT}/upload/{anna}/old.jpg")
    assert transfer.clear_untracked(disk.params) == 1
    disk.reported(*(set(disk.paths().values()) - {"/data/upload/missing.jpg"}))
    assert transfer.clear_untracked(disk.params) == len(set(disk.paths().values())) - 1
    assert disk.reported() == ["/data/upload/missing.jpg", f"{ROOT}/upload/really/untracked.jpg"]


@pytest.mark.since("3.0")
def test_what_moved_while_immich_looked_for_missing_files_is_not_reported_for_ever(library, disk, things) -> None:
    """It has read the paths before and looks for the files afterwards; who deletes what is missing trashes photos."""
    paths = disk.paths()
    report = disk.run()
    old = sorted(set(paths.values()) - set(disk.paths().values()))
    assert len(old) == report.files
    stays = min(disk.paths().values())
    for path in (*old, stays):
        library.rows("insert into integrity_report (type, path) values ('missing_file', %s)", path)
    assert transfer.clear_untracked(disk.params) == 0
    assert disk.reported() == [stays]


@pytest.mark.since("3.0")
def test_a_row_and_its_report_change_in_one_transaction(library, disk, things, monkeypatch) -> None:
    """Whoever deletes all untracked files deletes none that a row says."""
    commit = transfer._commit_paths

    def committing(tx: transfer.Transaction) -> None:
        disk.reported()
        commit(tx)
        said = set(disk.paths().values())
        assert [path for path in disk.reported() if path in said] == []

    link, here = os.link, disk.folder
    monkeypatch.setattr(transfer, "_commit_paths", committing)
    monkeypatch.setattr(
        os, "link", lambda old, new: (link(old, new), disk.reported(f"{ROOT}/{Path(new).relative_to(here)}"))
    )
    assert disk.run().files


def test_a_batch_ends_after_two_seconds_of_making_names(disk, things, anna, monkeypatch) -> None:
    """Until its commit no row says them."""
    clock, batches, change = [0.0], [], transfer._change_paths
    link = os.link

    def slow(*names: Any) -> None:
        clock[0] += 0.9
        link(*names)

    def changing(tx: Any, media: Any, moves: Any) -> Any:
        batches.append(len(moves))
        return change(tx, media, moves)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", slow)
        patch.setattr(time, "monotonic", lambda: clock[0])
        patch.setattr(transfer, "_change_paths", changing)
        report = disk.run()
    assert away(disk, anna) == [] and report.files == sum(batches) and max(batches) == 3


def test_two_runs_do_not_collide(disk, things, params, anna) -> None:
    with transfer.file_session(params):
        before = disk.files()
        with pytest.raises(transfer.AnotherRun):
            disk.run()
        assert disk.files() == before
    disk.run()
    assert away(disk, anna) == []


# ---- the media folder -----------------------------------------------------------------------------------------------


def test_another_folder_is_refused(disk, things, tmp_path) -> None:
    before = disk.files()
    other = tmp_path / "other"
    other.mkdir()
    for folder in (other, disk.folder / "upload", tmp_path / "nothing", tmp_path / "a\0b"):
        for dry_run in (True, False):
            with pytest.raises(transfer.TransferError) as caught:
                transfer.move_files(disk.params, folder, disk.journals, dry_run=dry_run)
            assert caught.value.todo
    assert disk.files() == before


def test_an_old_copy_of_the_folder_is_refused(library, disk, things, anna, tmp_path) -> None:
    """It has the oldest photos but not the newest."""
    shutil.copytree(disk.folder, tmp_path / "copy")
    for number in range(25):
        library.asset(anna, f"new{number}.jpg")
    disk.make()
    with pytest.raises(transfer.TransferError, match="newest"):
        transfer.move_files(disk.params, tmp_path / "copy", disk.journals, dry_run=True)


def test_a_root_that_is_not_written_down_is_said(library, disk, things, anna) -> None:
    expected = transfer.list_lying(disk.params)
    library.rows("delete from system_metadata")
    with pytest.raises(transfer.TransferError) as caught:
        disk.run(dry_run=True)
    assert "Start Immich once" in caught.value.todo
    assert transfer.list_lying(disk.params) == expected  # the paths say whose folders they lie in


def test_an_empty_library_has_nothing_to_move(disk) -> None:
    assert disk.move() == transfer.MoveReport()
    assert transfer.list_lying(disk.params) == {}


# ---- how many files of others ---------------------------------------------------------------------------------------


@pytest.mark.every_version
def test_foreign_files_are_counted_by_the_folder_they_lie_in(library, disk, things, anna, ben) -> None:
    expected = {kind: files for kind, files, _ in disk.run(dry_run=True).kinds}
    assert sum(expected.values()) == len(away(disk, anna))
    assert transfer.list_lying(disk.params) == {(anna, ben): expected}
    disk.run()
    assert transfer.list_lying(disk.params) == {}


def test_originals_alone_are_counted(library, disk, anna, ben) -> None:
    """With no thumbnail in a sample, the count said 0 while all originals lay there."""
    photos = [library.asset(anna, path=f"{ROOT}/library/{anna}/{n}.jpg") for n in range(3)]
    library.rows("delete from asset_file")
    library.rows('update asset set "ownerId" = %s', ben)
    assert transfer.list_lying(disk.params) == {(anna, ben): {"original": len(photos)}}


# ---- an older database is restored ----------------------------------------------------------------------------------


def say(disk: Disk, said: dict[tuple[str, str], str]) -> None:
    """The paths in the database are those again, and the owners: a dump was restored."""
    for (row, owner), path in said.items():
        kind, key = row.split()
        if kind == "person":
            name = disk.library.name("person", "personGroupId")
            disk.library.rows(f'update person set "thumbnailPath" = %s where "{name}" = %s', path, key)
        elif kind in ("original", "sidecarPath", "encodedVideoPath"):
            column = "originalPath" if kind == "original" else kind
            disk.library.rows(f'update asset set "ownerId" = %s, "{column}" = %s where id = %s', owner, path, key)
        else:
            disk.library.rows("update asset_file set path = %s where id = %s", path, key)


@pytest.mark.every_version
def test_the_disk_follows_a_database_that_is_restored(library, disk, things, anna, ben, carla) -> None:
    """The older one's paths work again, also two moves back; and the newer one's, should it come again."""
    contents, before = disk.contents(), disk.paths()
    disk.move()
    middle = disk.paths()
    for asset in things.assets.values():
        give(library, asset, carla)
    disk.move()
    after, files = disk.paths(), len(disk.files())
    assert len(set(before.values()) | set(middle.values()) | set(after.values())) > len(before) * 2
    for said in (before, after, middle, before, middle):
        say(disk, said)
        settled = transfer.settle_moves(disk.params, disk.folder, disk.journals)
        assert settled, said
        assert {row: path for (row, _), path in disk.paths().items()} == {row: path for (row, _), path in said.items()}
        assert {row: what for (row, _), what in disk.contents().items()} == {
            row: what for (row, _), what in contents.items()
        }
        assert len(disk.files()) == files and not disk.is_open()
        assert transfer.settle_moves(disk.params, disk.folder, disk.journals) == 0


def test_files_of_others_are_never_taken_for_one_that_has_moved(library, disk, anna, ben) -> None:
    """The name that it moved to is somebody's by now, or the old one is there: nothing happens."""
    photo = one_photo(disk, anna, ben)
    old, new = f"{ROOT}/upload/{anna}/aa/one.jpg", f"{ROOT}/upload/{ben}/aa/one.jpg"
    disk.run()
    disk.at(old).write_bytes(b"new upload")
    library.rows('update asset set "originalPath" = %s where id = %s', old, photo)
    assert transfer.settle_moves(disk.params, disk.folder, disk.journals) == 0
    disk.at(old).unlink()
    library.asset(ben, "other.jpg", path=new)
    assert transfer.settle_moves(disk.params, disk.folder, disk.journals) == 0
    assert disk.at(new).exists() and not disk.at(old).exists()


@pytest.mark.every_version
@pytest.mark.parametrize("place", ["old", "new"])
def test_a_name_that_two_files_had_in_turn_gets_the_right_one_again(library, disk, anna, ben, carla, place) -> None:
    """The storage template gave the name of a photo that had moved to another one; then an older dump was restored."""
    photo, old = one_photo(disk, anna, ben), f"{ROOT}/upload/{anna}/aa/one.jpg"
    contents, older = disk.contents(), disk.paths()
    disk.run()
    if place == "new":
        give(library, photo, carla)
        disk.run()
    disk.at(name := old if place == "old" else f"{ROOT}/upload/{ben}/aa/one.jpg").write_bytes(b"another")
    another = library.asset(ben, "one.jpg", path=name)
    disk.make()
    disk.run()
    library.rows("delete from asset where id = %s", another)
    say(disk, older)
    assert transfer.settle_moves(disk.params, disk.folder, disk.journals)
    assert disk.at(old).exists() and disk.contents() == contents
    assert b"another" in disk.files().values()


@pytest.mark.parametrize("path", ["../../etc/passwd", "upload/a/../../b"])
def test_a_list_that_leads_outside_is_not_followed(disk, anna, ben, path) -> None:
    one_photo(disk, anna, ben)
    disk.run()
    listed = disk.journals / transfer.MOVES
    with listed.open("a") as file:
        file.write(json.dumps({"batch": 7, "files": [[path, f"upload/{ben}/aa/one.jpg"]]}) + "\n")
    before = disk.files()
    assert transfer.settle_moves(disk.params, disk.folder, disk.journals) == 0
    assert disk.files() == before


# ---- killed ---------------------------------------------------------------------------------------------------------

# A job: a move that kills itself before its `at`-th change of anything. Each call of these functions is one.
WORK = r"""
import errno, json, os, signal, sys
from pathlib import Path
import transfer

def work(job):
    count = 0
    def step():
        nonlocal count
        count += 1
        if count == job["at"]:
            os.kill(os.getpid(), signal.SIGKILL)
    def stepping(function, after=False):
        def stepped(*args, **how):
            step()
            result = function(*args, **how)
            if after:
                step()
            return result
        return stepped
    if job["copies"]:
        def refuse(*_):
            raise OSError(errno.EXDEV, "no links")
        os.link = refuse
    for name in ("link", "unlink", "mkdir", "rename", "replace", "fsync", "open", "chmod"):
        setattr(os, name, stepping(getattr(os, name)))
    for name in ("_commit_paths", "_add_to_list"):
        setattr(transfer, name, stepping(getattr(transfer, name), after=True))
    transfer.shutil.copystat = stepping(transfer.shutil.copystat)
    if job["settle"]:
        transfer.settle_moves(job["params"], Path(job["folder"]), Path(job["journals"]))
    else:
        transfer.move_files(job["params"], Path(job["folder"]), Path(job["journals"]), dry_run=False)
"""


@pytest.fixture(scope="module")
def starter() -> Iterator[subprocess.Popen]:
    """The process that forks."""
    with forks.starter(WORK) as process:
        yield process


def killed_at(starter: subprocess.Popen, disk: Disk, at: int, **job: Any) -> bool:
    """Run and be killed before that step; whether there was such a step."""
    job = {"settle": False, "copies": False} | job
    job |= {"at": at, "params": disk.params, "folder": str(disk.folder), "journals": str(disk.journals)}
    starter.stdin.write(json.dumps(job) + "\n")
    starter.stdin.flush()
    ended = json.loads(starter.stdout.readline())
    assert ended in (0, -signal.SIGKILL)
    end = time.monotonic() + 20
    while disk.library.rows(
        "select 1 from pg_stat_activity where datname = current_database() and application_name = 'transfer.py'"
    ):
        assert time.monotonic() < end
        time.sleep(0.005)
    return ended != 0


def small(disk: Disk, anna: str, ben: str) -> None:
    """Two batches' worth of nothing much: an original with its sidecar, and a person's picture."""
    library = disk.library
    photo = library.asset(anna, "t.jpg", path=f"{ROOT}/upload/{anna}/t.jpg", sidecar=True)
    library.rows("delete from asset_file where type in ('preview', 'thumbnail')")
    library.person(ben, "Lea", thumbnail=f"{ROOT}/thumbs/{anna}/lea.jpeg")
    disk.make()
    give(library, photo, ben)


def keep(disk: Disk, where: Path) -> Callable[[], None]:
    """Remember files, the list and paths; what is returned puts them back, as nothing else has to."""
    kept, said = {folder: where / folder.name for folder in (disk.folder, disk.journals)}, disk.paths()
    for folder, copy in kept.items():
        if folder.exists():
            shutil.copytree(folder, copy, copy_function=os.link)

    def put_back() -> None:
        for folder, copy in kept.items():
            shutil.rmtree(folder, ignore_errors=True)
            if copy.exists():
                shutil.copytree(copy, folder, copy_function=os.link)
        say(disk, said)

    return put_back


STRIDE = 1 if EVERYTHING else 5  # the usual run takes every fifth step


@pytest.mark.parametrize("copies", [False, True], ids=["links", "copies"])
def test_killed_at_every_step(library, disk, anna, ben, starter, copies, tmp_path) -> None:
    small(disk, anna, ben)
    contents, paths = disk.contents(), disk.paths()
    put_back = keep(disk, tmp_path / "kept")
    steps = 0
    while killed_at(starter, disk, steps + STRIDE, copies=copies):
        steps += STRIDE
        assert disk.contents() == contents, steps  # at every moment
        disk.run()  # goes on
        assert away(disk, anna) == [], steps
        assert disk.contents() == contents, steps
        assert len(disk.files()) == len(paths), (steps, sorted(disk.files()))
        assert not disk.is_open(), steps
        put_back()
    assert steps > 20
    assert disk.contents() == contents and away(disk, anna) == []


@pytest.mark.parametrize("copies", [False, True], ids=["links", "copies"])
def test_settling_killed_at_every_step(library, disk, anna, ben, starter, copies, tmp_path) -> None:
    """An older database is restored, and what puts its files back is killed as well."""
    small(disk, anna, ben)
    contents, paths = disk.contents(), disk.paths()
    disk.run()
    say(disk, paths)
    put_back = keep(disk, tmp_path / "kept")
    steps = 0
    while killed_at(starter, disk, steps + STRIDE, settle=True, copies=copies):
        steps += STRIDE
        transfer.settle_moves(disk.params, disk.folder, disk.journals)
        assert disk.paths() == paths and disk.contents() == contents, steps
        assert len(disk.files()) == len(paths), (steps, sorted(disk.files()))
        assert not disk.is_open(), steps
        put_back()
    assert steps > 10
    assert disk.contents() == contents


def test_interrupted_by_the_person(disk, things, anna, monkeypatch) -> None:
    """Ctrl-C in the middle: finished or taken back at once, nothing is left."""
    contents = disk.contents()

    def progress(_step: str, files: int = 0, _of: int = 0) -> None:
        if files == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        disk.run(progress=progress)
    assert disk.contents() == contents and len(disk.files()) == len(disk.paths())
    assert not disk.is_open()
    disk.run()
    assert away(disk, anna) == [] and disk.contents() == contents


def test_limits_of_the_process_are_respected(disk, anna, ben, monkeypatch) -> None:
    """A file size limit ends a copy as a full disk does."""
    one_photo(disk, anna, ben)
    big = disk.folder / f"upload/{anna}/aa/one.jpg"
    big.write_bytes(b"1" * 3_000_000)
    disk.make()
    no_links(monkeypatch)
    contents, limit = disk.contents(), resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limit[1]))
    try:
        report = disk.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert stays(report) == {"failed": 1}
    assert disk.contents() == contents and len(disk.files()) == len(disk.paths())
