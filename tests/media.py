"""Immich's media folder with real files: one for each row that names a file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tests.library import Library

ROOT = "/data"


@dataclass(frozen=True)
class Media:
    """A folder that stands for Immich's media folder; rows call it /data."""

    library: Library
    folder: Path

    def known(self) -> None:
        """Immich has written down where its folder is, as it does when it starts."""
        self.library.rows(
            """insert into system_metadata values ('MediaLocation', '{"location": "/data"}')
               on conflict (key) do update set value = excluded.value"""
        )

    def paths(self) -> dict[tuple[str, str], str]:
        """(place and row, owner): path, of every row that names a file."""
        queries = [
            """select 'original ' || id, "ownerId"::text, "originalPath" from asset where not "isExternal" """,
            """select f.type || ' ' || f.id, a."ownerId"::text, f.path from asset_file f
               join asset a on a.id = f."assetId" where not (a."isExternal" and f.type = 'sidecar')""",
            f"""select 'person ' || "{self.library.name("person", "personGroupId")}", "ownerId"::text, "thumbnailPath"
                from person where "thumbnailPath" <> ''""",
        ]
        for column in ("sidecarPath", "encodedVideoPath"):
            if self.library.has("asset", column):
                queries.append(
                    f"""select '{column} ' || id, "ownerId"::text, "{column}" from asset
                        where "{column}" <> '' and not "isExternal" """
                )
        return {(row, owner): path for query in queries for row, owner, path in self.library.rows(query)}

    def at(self, path: str) -> Path:
        """Where a path of the database lies here."""
        assert path.startswith(f"{ROOT}/")
        return self.folder / path.removeprefix(f"{ROOT}/")

    def make(self, *, but: tuple[str, ...] = ()) -> None:
        """Make a file for each row that has none, and give originals its checksum."""
        for (row, _), path in self.paths().items():
            if path in but or not path.startswith(f"{ROOT}/"):
                continue
            file = self.at(path)
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(path.encode() * 3)
            if row.startswith("original"):
                digest = hashlib.sha1(file.read_bytes()).digest()
                self.library.rows("update asset set checksum = %s where id = %s", digest, row.split()[1])

    def files(self) -> dict[str, bytes]:
        """Every file below the folder: its path and what is in it."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }

    def contents(self) -> dict[tuple[str, str], bytes]:
        """What each row's file holds. Every row must have its file."""
        return {row: self.at(path).read_bytes() for row, path in self.paths().items()}
