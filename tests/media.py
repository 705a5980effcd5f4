"""Immich's media folder with real files: one for each row that names a file."""

import colorsys
import functools
import hashlib
import math
import re
import struct
import zlib
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

    def make(self, *, but: tuple[str, ...] = (), drawn: bool = False) -> None:
        """Make a file for each row that has none, and give originals its checksum. `drawn`: to look at, and photos
        of one checksum are one file; else each says where it lies.
        """
        looks = self.looks() if drawn else {}
        for (row, _), path in self.paths().items():
            if path in but or not path.startswith(f"{ROOT}/"):
                continue
            file = self.at(path)
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(contents(path, looks[path]) if drawn else path.encode() * 3)
            if row.startswith("original"):
                digest = hashlib.sha1(file.read_bytes()).digest()
                self.library.rows("update asset set checksum = %s where id = %s", digest, row.split()[1])

    def looks(self) -> dict[str, str]:
        """path: what is to be seen in that file. All files of a photo show the same, namesakes look alike."""
        queries = [
            """select "originalPath", encode(checksum, 'hex') from asset""",
            """select f.path, encode(a.checksum, 'hex') from asset_file f join asset a on a.id = f."assetId" """,
            """select "thumbnailPath", coalesce(nullif(lower(trim(name)), ''), "thumbnailPath") from person""",
        ]
        for column in ("sidecarPath", "encodedVideoPath"):
            if self.library.has("asset", column):
                queries.append(f"""select "{column}", encode(checksum, 'hex') from asset where "{column}" <> '' """)
        return {path: look for query in queries for path, look in self.library.rows(query)}

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


# ---- files to look at ------------------------------------------------------------------------------------------------


def contents(path: str, look: str) -> bytes:
    """A file of that name: a video that plays, a sidecar, or a picture, of a person where people's pictures lie."""
    if path.endswith(".xmp"):
        return b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>\n'
    if path.endswith((".mp4", ".MOV")):
        return film(look)
    return picture(look, portrait=path.endswith(".jpeg"))


@functools.cache
def picture(look: str, *, portrait: bool = False, side: int = 96) -> bytes:
    """A small picture as PNG: hills under a sun, or somebody's head and shoulders, in colours of their own."""
    chance = [byte / 255 for byte in hashlib.sha1(look.encode()).digest()]

    def colour(hue: float, strength: float, light: float) -> bytes:
        return bytes(round(255 * part) for part in colorsys.hsv_to_rgb(hue % 1, strength, light))

    near, far = colour(0.22 + chance[0] / 4, 0.6, 0.4), colour(0.25 + chance[7] / 2, 0.35, 0.65)
    hair, skin = colour(0.02 + chance[1] / 9, 0.6, 0.2 + chance[2] / 2), colour(0.06, 0.4, 0.5 + chance[3] / 2)

    def person(x: float, y: float) -> bytes:
        if math.hypot(x - 0.5, y - 0.36) < 0.24 and y < 0.3 + 0.5 * chance[4] * abs(2 * x - 1):
            return hair
        if math.hypot(x - 0.5, (y - 0.42) * 0.85) < 0.2:
            return skin
        return far if math.hypot((x - 0.5) * 0.8, y - 1.05) < 0.36 else colour(chance[5], 0.25, 0.95 - y / 5)

    def hills(x: float, y: float) -> bytes:
        if y > 0.7 + 0.1 * math.sin(9 * x + 6 * chance[3]):
            return near
        if y > 0.5 + 0.15 * math.sin(5 * x + 6 * chance[4]):
            return far
        is_sun = math.hypot(x - 0.2 - 0.6 * chance[5], y - 0.15 - 0.2 * chance[6]) < 0.09
        return b"\xff\xf3\xc4" if is_sun else colour(0.5 + chance[8] * 0.6, 0.65 - 0.5 * y, 0.95)

    at = person if portrait else hills  # the colour of a place; the upper left corner is 0, 0, the other 1, 1
    return png([[at(x / side, y / side) for x in range(side)] for y in range(side)])


def png(rows: list[list[bytes]]) -> bytes:
    """A picture of these colours, each of three bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 2, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + b"".join(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def film(look: str, frames: int = 12) -> bytes:
    """A second of video in changing colours, as MP4 that any player plays: H.264 with its blocks of 16 by 16 stored
    as they are (I_PCM). No byte of a colour is 0, since zeros mark where something begins.
    """
    blocks, seed = 3, hashlib.sha1(look.encode()).digest()  # across, and down

    def box(name: str, *parts: bytes) -> bytes:
        return struct.pack(">I", 8 + sum(map(len, parts))) + name.encode() + b"".join(parts)

    def words(*numbers: int) -> bytes:
        return struct.pack(f">{len(numbers)}I", *numbers)

    def frame(number: int) -> bytes:
        # an IDR slice: its number in turn, then the first block's type, up to the next byte
        head = bits("1 0001000 1 0000", ue(number % 2), "00 1", ue(25))
        parts = []
        for block in range(blocks * blocks):
            light = bytes(
                60 + (11 * number + 9 * (x + y) + seed[block] // 3) % 150 for y in range(16) for x in range(16)
            )
            hues = (bytes([40 + (seed[block + of] + 9 * number) % 180]) * 64 for of in (3, 9))
            parts.append((head if block == 0 else bits(ue(25))) + light + b"".join(hues))
        return b"\x65" + b"".join(parts) + b"\x80"

    # the baseline profile; frames are shown in the order in which they are stored
    sps = b"\x67\x42\xc0\x0a" + bits("1 1 011 1 0", ue(blocks - 1), ue(blocks - 1), "1 0 0 0 1")
    pps = b"\x68" + bits("1 1 0 0 1 1 1 0 00 1 1 1 0 0 0 1")
    samples = [words(len(one)) + one for one in map(frame, range(frames))]
    unity = words(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    side = 16 * blocks
    entry = box(
        "avc1", bytes(6), struct.pack(">H", 1), bytes(16), struct.pack(">HHIIIH", side, side, 72 << 16, 72 << 16, 0, 1),
        bytes(32), struct.pack(">Hh", 24, -1),
        box("avcC", b"\x01\x42\xc0\x0a\xff\xe1\0", bytes([len(sps)]), sps, b"\1\0", bytes([len(pps)]), pps),
    )  # fmt: skip
    start = box("ftyp", b"isom", words(512), b"isomavc1")
    table = box(
        "stbl", box("stsd", words(0, 1), entry), box("stts", words(0, 1, frames, 1)),
        box("stsc", words(0, 1, 1, frames, 1)), box("stsz", words(0, 0, frames, *map(len, samples))),
        box("stco", words(0, 1, len(start) + 8)),
    )  # fmt: skip
    media = box(
        "mdia", box("mdhd", words(0, 0, 0, frames, frames), b"\x55\xc4\0\0"),
        box("hdlr", words(0, 0), b"vide", bytes(13)),
        box("minf", box("vmhd", words(1, 0, 0)), box("dinf", box("dref", words(0, 1), box("url ", words(1)))), table),
    )  # fmt: skip
    track = box("tkhd", words(3, 0, 0, 1, 0, frames, 0, 0, 0, 0), unity, words(side << 16, side << 16))
    movie = box("mvhd", words(0, 0, 0, frames, frames, 0x10000, 0x1000000, 0, 0), unity, bytes(24), words(2))
    return start + box("mdat", *samples) + box("moov", movie, box("trak", track, media))


def ue(number: int) -> str:
    """A number as H.264 writes it: as many zeros as it has digits behind the first, then it, plus one."""
    digits = f"{number + 1:b}"
    return "0" * (len(digits) - 1) + digits


def bits(*text: str) -> bytes:
    """Zeros and ones as bytes, filled up with zeros; and no three bytes that read as a start."""
    joined = re.sub(r"\s", "", "".join(text))
    joined += "0" * (-len(joined) % 8)
    data = int(joined, 2).to_bytes(len(joined) // 8, "big")
    return re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", data)
