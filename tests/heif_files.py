"""HEIF pictures as phones write them, put together box by box: tiles, thumbnail, turn, profile."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from media_clips import make
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


@dataclass
class _Item:
    kind: bytes
    data: bytes
    properties: list[tuple[int, bool]] = field(default_factory=list)
    hidden: bool = False


def write_heif(
    path: Path,
    pixels: Pixels,
    *,
    tile: int | None = None,
    turns: int = 0,
    profile: bytes | None = None,
    exif: bytes | None = None,
    thumbnail: Pixels | None = None,
    alpha: Pixels | None = None,
    depth: int = 8,
) -> Path:
    """Write H x W x 3 RGB as HEIC.

    Args:
        path: The file to write; the coded parts lie beside it for a moment.
        pixels: H x W x 3 RGB.
        tile: Side of square tiles; None codes the picture as one.
        turns: Quarter turns counter-clockwise that a viewer has to make.
        profile: ICC profile of the pixels.
        exif: A block as Pillow's ``Exif.tobytes`` gives it.
        thumbnail: A small picture that comes first in the file.
        alpha: H x W transparency, as an auxiliary picture.
        depth: Bits a channel.

    Returns:
        The path.
    """
    items: list[_Item] = []
    properties: list[bytes] = []
    references: list[tuple[bytes, int, list[int]]] = []

    def have(box: bytes) -> int:
        if box not in properties:
            properties.append(box)
        return properties.index(box) + 1

    def coded(part: Pixels, *, hidden: bool = False) -> int:
        config, data = _coded(path, part, depth)
        item = _Item(b"hvc1", data, hidden=hidden)
        item.properties = [(have(config), True), (have(_extent(part)), False)]
        items.append(item)
        return len(items)

    small = coded(thumbnail) if thumbnail is not None else None
    high, wide = pixels.shape[:2]
    if tile is None:
        primary = coded(pixels)
    else:
        rows, columns = -(-high // tile), -(-wide // tile)
        padding = ((0, rows * tile - high), (0, columns * tile - wide), (0, 0))
        padded = np.pad(pixels, padding, "edge")
        numbers = [
            coded(padded[y : y + tile, x : x + tile], hidden=True)
            for y in range(0, rows * tile, tile)
            for x in range(0, columns * tile, tile)
        ]
        grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, wide, high)
        items.append(_Item(b"grid", grid, [(have(_extent(pixels)), False)]))
        primary = len(items)
        references.append((b"dimg", primary, numbers))
    of_picture = items[primary - 1].properties
    if profile is not None:
        of_picture.append((have(_box(b"colr", b"prof" + profile)), False))
    if alpha is not None:
        number = coded(np.repeat(alpha[..., None], 3, axis=2), hidden=True)
        kind = b"urn:mpeg:hevc:2015:auxid:1\0"
        items[number - 1].properties.append((have(_full(b"auxC", kind)), True))
        references.append((b"auxl", number, [primary]))
    if turns:
        of_picture.append((have(_box(b"irot", bytes([turns]))), True))
    if small is not None:
        references.append((b"thmb", small, [primary]))
    if exif is not None:
        items.append(_Item(b"Exif", struct.pack(">I", 6) + exif, hidden=True))
        references.append((b"cdsc", len(items), [primary]))
    path.write_bytes(_file(items, properties, references, primary))
    return path


def _file(
    items: list[_Item],
    properties: list[bytes],
    references: list[tuple[bytes, int, list[int]]],
    primary: int,
) -> bytes:
    start = _box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")
    entries = b"".join(
        _full(b"infe", struct.pack(">HH", n, 0) + item.kind + b"\0", version=2, flags=item.hidden)
        for n, item in enumerate(items, 1)
    )
    owners = b"".join(
        struct.pack(">HB", n, len(item.properties))
        + bytes(index | (0x80 if essential else 0) for index, essential in item.properties)
        for n, item in enumerate(items, 1)
        if item.properties
    )
    owned = sum(bool(item.properties) for item in items)
    links = b"".join(
        _box(kind, struct.pack(f">HH{len(to)}H", source, len(to), *to))
        for kind, source, to in references
    )

    def head(at: int) -> bytes:
        places = b""
        for n, item in enumerate(items, 1):
            places += struct.pack(">HHHII", n, 0, 1, at, len(item.data))
            at += len(item.data)
        return _full(
            b"meta",
            _full(b"hdlr", bytes(4) + b"pict" + bytes(13))
            + _full(b"pitm", struct.pack(">H", primary))
            + _full(b"iinf", struct.pack(">H", len(items)) + entries)
            + (_full(b"iref", links) if links else b"")
            + _box(
                b"iprp",
                _box(b"ipco", b"".join(properties))
                + _full(b"ipma", struct.pack(">I", owned) + owners),
            )
            + _full(b"iloc", struct.pack(">BBH", 0x44, 0, len(items)) + places),
        )

    at = len(start) + len(head(0)) + 8
    return start + head(at) + _box(b"mdat", b"".join(item.data for item in items))


def _coded(path: Path, pixels: Pixels, depth: int) -> tuple[bytes, bytes]:
    """Its hvcC box, and the picture behind it, lossless but for the way to YUV and back."""
    png, film = path.with_suffix(".part.png"), path.with_suffix(".part.mp4")
    Image.fromarray(pixels).save(png)
    form = "yuv444p" if depth == 8 else "yuv444p10le"
    make(
        film,
        *("-i", str(png), "-vf", "scale=out_color_matrix=bt601:out_range=pc:flags=accurate_rnd"),
        *("-pix_fmt", form, "-c:v", "libx265", "-tag:v", "hvc1", "-color_range", "pc"),
        *("-x265-params", "log-level=none:lossless=1:range=full:colormatrix=smpte170m"),
    )
    coded = film.read_bytes()
    png.unlink()
    film.unlink()
    return _box_at(coded, b"hvcC"), _box_at(coded, b"mdat")[8:]


def _box_at(data: bytes, kind: bytes) -> bytes:
    """The first box of a kind, wherever it is nested."""
    at = data.index(kind) - 4
    return data[at : at + int.from_bytes(data[at : at + 4], "big")]


def _extent(pixels: Pixels) -> bytes:
    return _full(b"ispe", struct.pack(">II", pixels.shape[1], pixels.shape[0]))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def _full(kind: bytes, content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags) + content)
