"""Small files that declare enormous pictures, lengths or counts."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from corpus import Case


def giants(films: dict[str, Path], pictures: dict[str, Path], folder: Path) -> Iterator[Case]:
    """Headers rewritten with the largest numbers that they can hold, and true bombs."""
    folder.mkdir()

    def case(name: str, data: bytes, *, still: bool = False) -> Case:
        path = folder / name
        path.write_bytes(data)
        return Case(f"giant {name}", path, still=still)

    gif = films["a.gif"].read_bytes()
    yield case("screen.gif", gif[:6] + b"\xff\xff\xff\xff" + gif[10:])
    frame = gif.index(b"\x2c\0\0\0\0")
    yield case("frame.gif", gif[: frame + 5] + b"\xff\xff\xff\xff" + gif[frame + 9 :])
    yield case("both.gif", _wide_gif(gif, frame))
    yield case("endless.gif", gif[:-1] + gif[frame - 8 : -1] * 100 + b";")
    yield case("no-delay.gif", _delayed(gif, b"\0\0"))
    yield case("slow.gif", _delayed(gif, b"\xff\xff"))
    for name in ("h264.mp4", "still-coded.mov", "pieces.mp4"):
        yield case(f"coded-{name}", _stretched_mp4(films[name].read_bytes()))
        yield case(f"long-{name}", _long_mp4(films[name].read_bytes()))
        yield case(f"boxes-{name}", _boxes(films[name].read_bytes()))
    avi = bytearray(films["raw.avi"].read_bytes())
    place = avi.index(b"strf") + 12
    avi[place : place + 8] = struct.pack("<ii", 2**31 - 1, -(2**31))
    yield case("picture.avi", bytes(avi))
    avi = bytearray(films["a.avi"].read_bytes())
    place = avi.index(b"avih") + 8
    avi[place + 16 : place + 20] = b"\xff\xff\xff\x7f"
    avi[place + 32 : place + 40] = b"\xff\xff\0\0" * 2
    yield case("header.avi", bytes(avi))
    y4m = films["a.y4m"].read_bytes()
    for size in (b"W99999999 H99999999", b"W16384 H16384", b"W-1 H-1", b"W0 H0", b"W48 H2"):
        name = size.decode().replace(" ", "")
        yield case(f"{name}.y4m", y4m.replace(b"W48 H32", size, 1))
    yield case("fast.y4m", y4m.replace(b"F10:1", b"F2147483647:1", 1))
    yield case("slow.y4m", y4m.replace(b"F10:1", b"F1:2147483647", 1))
    mkv = films["lossless.mkv"].read_bytes()
    yield case("width.mkv", mkv.replace(b"\xb0\x81\x30", b"\xb0\x81\xff", 1))
    length = mkv.index(b"\x44\x89\x88") + 3
    yield case("duration.mkv", mkv[:length] + b"\x7e" * 8 + mkv[length + 8 :])
    webp = films["a.webp"].read_bytes()
    canvas = webp.index(b"VP8X") + 12
    yield case("canvas.webp", webp[:canvas] + b"\xff" * 6 + webp[canvas + 6 :])
    yield case("declared.apng", _declared_png(films["a.apng"].read_bytes(), 100_000, 100_000))
    yield case(
        "twice.apng",
        films["a.apng"].read_bytes().replace(b"acTL\0\0\0\x08", b"acTL\xff\xff\xff\xff"),
    )
    yield from _stills(pictures, folder)


def _stills(pictures: dict[str, Path], folder: Path) -> Iterator[Case]:
    png = pictures["a.png"].read_bytes()
    stills = {
        "declared.png": _declared_png(png, 100_000, 100_000),
        "widest.png": _declared_png(png, 2**31 - 1, 1),
        "nothing.png": _declared_png(png, 0, 0),
        "bomb.png": _bomb(20_000, 20_000),
        "smaller-bomb.png": _bomb(12_000, 12_000),
        "thin.png": _bomb(200_000, 1),
        "declared.bmp": _at(pictures["a.bmp"], 18, struct.pack("<ii", 2**31 - 1, 2**31 - 1)),
        "negative.bmp": _at(pictures["a.bmp"], 18, struct.pack("<ii", -5, -(2**31))),
        "declared.ppm": b"P6\n999999 999999\n255\n" + bytes(3000),
        "no-number.ppm": b"P6\n-1 abc\n255\n" + bytes(3000),
        "declared.tif": re.sub(
            rb"(\0\x01\x04\0\x01\0\0\0|\0\x01\x03\0\x01\0\0\0)....",
            lambda m: m[1] + b"\xff\xff\xff\x7f",
            pictures["a.tif"].read_bytes(),
            count=2,
            flags=re.S,
        ),
        "declared.jpg": re.sub(
            rb"(\xff\xc0\0\x11\x08)....",
            lambda m: m[1] + b"\xff\xdc\xff\xdc",
            pictures["a.jpg"].read_bytes(),
            count=1,
            flags=re.S,
        ),
        "comment.png": png[:33] + _chunk(b"tEXt", b"k\0" + b"x" * 3_000_000) + png[33:],
        "zipped-comment.png": png[:33]
        + _chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(200_000_000), 1))
        + png[33:],
    }
    for name, data in stills.items():
        (folder / name).write_bytes(data)
        yield Case(f"giant {name}", folder / name, still=True)
    for name in ("bomb.png", "declared.png", "declared.jpg", "thin.png"):
        place = folder / f"folder-{name[:-4]}-{name[-3:]}"
        place.mkdir()
        (place / f"1{name[-4:]}").write_bytes(stills[name])
        yield Case(f"giant {name} in a folder", place)


def _at(path: Path, offset: int, value: bytes) -> bytes:
    data = path.read_bytes()
    return data[:offset] + value + data[offset + len(value) :]


def _delayed(gif: bytes, delay: bytes) -> bytes:
    return re.sub(rb"(\x21\xf9\x04.)..", lambda m: m[1] + delay, gif, flags=re.DOTALL)


def _wide_gif(gif: bytes, frame: int) -> bytes:
    wide = gif[:6] + b"\xff\xff\xff\xff" + gif[10:]
    return wide[: frame + 5] + b"\xff\xff\xff\xff" + wide[frame + 9 :]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _declared_png(png: bytes, width: int, height: int) -> bytes:
    header = struct.pack(">II", width, height) + png[24:29]
    return png[:8] + _chunk(b"IHDR", header) + png[33:]


def _bomb(width: int, height: int) -> bytes:
    """A PNG of grey nothing, a thousand times smaller than its pixels."""
    packer = zlib.compressobj(1)
    packed = [packer.compress(bytes(width + 1)) for _ in range(height)] + [packer.flush()]
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", b"".join(packed))
        + _chunk(b"IEND", b"")
    )


def _stretched_mp4(data: bytes) -> bytes:
    """The largest picture in the sample description and the track header."""
    broken = bytearray(data)
    for fourcc in (b"avc1", b"mp4v", b"jpeg"):
        for match in re.finditer(fourcc, data):
            at = match.start() + 4 + 24
            if data[match.start() + 4 : match.start() + 10] == bytes(6):
                broken[at : at + 4] = b"\xff\xff\xff\xff"
    at = data.index(b"tkhd") + 4 + 76
    broken[at : at + 8] = b"\xff\xff\0\0\xff\xff\0\0"
    return bytes(broken)


def _long_mp4(data: bytes) -> bytes:
    """Every duration the longest there is, every sample lasting for years."""
    broken = bytearray(data)
    for box, offset in ((b"mvhd", 20), (b"mdhd", 20), (b"tkhd", 24)):
        at = data.index(box) + offset
        broken[at : at + 4] = b"\x7f\xff\xff\xff"
    at = data.index(b"stts")
    if data[at + 8 : at + 12] != bytes(4):
        broken[at + 12 : at + 20] = b"\x7f\xff\xff\xff" * 2
    return bytes(broken)


def _boxes(data: bytes) -> bytes:
    """Counts of the tables: billions."""
    broken = bytearray(data)
    for box in (b"stsz", b"stco", b"stsc", b"ctts", b"trun"):
        at = data.find(box)
        if at > 0:
            broken[at + 8 : at + 16] = b"\xff\xff\xff\xf0" * 2
    return bytes(broken)
