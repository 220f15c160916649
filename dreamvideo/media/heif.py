"""Read what a HEIF or AVIF file says about its main picture: item, colours, EXIF, alpha."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

# Brands of files that contain a picture coded with HEVC or AV1.
HEVC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
AV1_BRANDS = (b"avif", b"avis")
_ALPHA = b":auxid:1\0"
# The code point for unspecified.
UNSPECIFIED = 2
_HEAD = 256


class Cicp(NamedTuple):
    """Colour by the code points of ITU-T H.273: primaries and transfer curve."""

    primaries: int
    transfer: int


@dataclass(frozen=True)
class MainPicture:
    """The picture that a viewer shows.

    Attributes:
        item: Number of its item.
        tiled: Whether it is assembled from other items.
        size: (width, height) as stored.
        alpha: Number of the item with its alpha.
        alpha_tiled: Whether that one is assembled from other items.
        profile: ICC profile.
        cicp: Colours as code points.
        exif: EXIF block as TIFF.
        bits: Bits per channel, if declared.
        turned: Whether it is rotated by a quarter turn.
    """

    item: int
    tiled: bool
    size: tuple[int, int] | None = None
    alpha: int | None = None
    alpha_tiled: bool = False
    profile: bytes | None = None
    cicp: Cicp | None = None
    exif: bytes | None = None
    bits: int = 8
    turned: bool = False


def is_heif(data: bytes) -> bool:
    """Return whether a file contains pictures coded with HEVC."""
    return not is_avif(data) and _of_brand(data, HEVC_BRANDS)


def is_avif(data: bytes) -> bool:
    """Return whether a file contains pictures coded with AV1."""
    return _of_brand(data, AV1_BRANDS)


def is_still_heif(path: Path) -> bool:
    """Return whether a file has an HEVC picture and no film, which ffmpeg cannot tell apart."""
    with path.open("rb") as file:
        if not is_heif(file.read(_HEAD)):
            return False
        file.seek(0)
        return all(kind != b"moov" for kind, _ in boxes(file.read()))


def main_picture(data: bytes) -> MainPicture | None:
    """Return what the file says about its main picture; None if it is damaged or has none."""
    with suppress(struct.error, IndexError, KeyError, ValueError):
        return _main_picture(data)
    return None


def _of_brand(data: bytes, brands: tuple[bytes, ...]) -> bool:
    found = _brands(data)
    # The first brand is the file's own; a general one is resolved by the compatible brands.
    named = [brand for brand in found if brand not in (b"mif1", b"msf1", b"miaf")] or found
    return bool(named) and any(brand in brands for brand in named)


def _brands(data: bytes) -> list[bytes]:
    if data[4:8] != b"ftyp":
        return []
    length = min(int.from_bytes(data[:4], "big"), 256, len(data))
    return [data[8:12], *(data[at : at + 4] for at in range(16, length - 3, 4))]


def _main_picture(data: bytes) -> MainPicture:
    meta = next(content for kind, content in boxes(data) if kind == b"meta")[4:]
    held = dict(boxes(meta))
    wide = held[b"pitm"][0] > 0
    item = int.from_bytes(held[b"pitm"][4 : 8 if wide else 6], "big")
    kinds = _kinds(held[b"iinf"])
    links = _links(held.get(b"iref", bytes(4)))
    all_properties, owners = _properties(held[b"iprp"])

    def properties(number: int) -> Iterator[tuple[bytes, bytes]]:
        return (all_properties[n - 1] for n in owners.get(number, []) if n)

    profile, cicp, bits, size, turned = None, None, 8, None, False
    tiles = [to for kind, source, to in links if kind == b"dimg" and source == item]
    parts = tiles[0][:1] if tiles else []
    for number in (*parts, item):
        for kind, content in properties(number):
            if kind == b"colr" and content[:4] in (b"prof", b"rICC"):
                profile = content[4:]
            elif kind == b"colr" and content[:4] == b"nclx":
                cicp = Cicp(*struct.unpack(">HH", content[4:8]))
            elif kind == b"hvcC":
                bits = max(bits, 8 + (content[17] & 7))
            elif kind == b"av1C":
                bits = max(bits, 8 if not content[2] & 0x40 else 12 if content[2] & 0x20 else 10)
            elif kind == b"ispe" and number == item:
                size = struct.unpack(">II", content[4:12])
            elif kind == b"irot" and number == item:
                turned = content[0] % 2 == 1
    alphas = [source for kind, source, to in links if kind == b"auxl" and item in to]
    alpha = next((n for n in alphas if any(_is_alpha(*p) for p in properties(n))), None)
    described = [source for kind, source, to in links if kind == b"cdsc" and item in to]
    exif = next((n for n in described if kinds.get(n) == b"Exif"), None)
    return MainPicture(
        item=item,
        tiled=kinds.get(item) == b"grid",
        size=size,
        alpha=alpha,
        alpha_tiled=alpha is not None and kinds.get(alpha) == b"grid",
        profile=profile,
        cicp=cicp,
        exif=None if exif is None else exif_of(_content(data, held, exif)),
        bits=bits,
        turned=turned,
    )


def exif_of(block: bytes) -> bytes | None:
    """Return the TIFF structure in an ``Exif`` item or box, behind a prefix of given length."""
    start = 4 + int.from_bytes(block[:4], "big")
    found = block[start:]
    return found if found[:2] in (b"II", b"MM") else None


def _is_alpha(kind: bytes, content: bytes) -> bool:
    return kind == b"auxC" and (_ALPHA in content or b"auxiliary:alpha" in content)


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, content) of the boxes of an ISO base media file, until damage or the end."""
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        begin = at + 8
        if length == 1:
            length, begin = struct.unpack_from(">Q", data, begin)[0], begin + 8
        end = at + length if length else len(data)
        if end < begin:
            return
        yield kind, data[begin:end]
        at = end


def _kinds(iinf: bytes) -> dict[int, bytes]:
    """Return the kind of every item by number."""
    found = {}
    for kind, content in boxes(iinf[6 if iinf[0] == 0 else 8 :]):
        if kind == b"infe" and content[0] >= 2:
            width = 2 if content[0] == 2 else 4
            number = int.from_bytes(content[4 : 4 + width], "big")
            found[number] = content[6 + width : 10 + width]
    return found


def _links(iref: bytes) -> list[tuple[bytes, int, list[int]]]:
    """Return (kind, from, to) of all references between items."""
    size = 2 if iref[0] == 0 else 4
    found = []
    for kind, content in boxes(iref[4:]):
        source = int.from_bytes(content[:size], "big")
        count = int.from_bytes(content[size : size + 2], "big")
        places = range(size + 2, size + 2 + count * size, size)
        to = [int.from_bytes(content[at : at + size], "big") for at in places]
        found.append((kind, source, to))
    return found


def _properties(iprp: bytes) -> tuple[list[tuple[bytes, bytes]], dict[int, list[int]]]:
    """Return all properties in order, and for each item the indices of its own, from 1."""
    found: list[tuple[bytes, bytes]] = []
    owners: dict[int, list[int]] = {}
    for kind, content in boxes(iprp):
        if kind == b"ipco":
            found = list(boxes(content))
        elif kind == b"ipma":
            owners |= _owners(content)
    return found, owners


def _owners(ipma: bytes) -> dict[int, list[int]]:
    width, large = (2 if ipma[0] == 0 else 4), ipma[3] & 1
    at, owners = 8, {}
    for _ in range(int.from_bytes(ipma[4:8], "big")):
        number = int.from_bytes(ipma[at : at + width], "big")
        count = ipma[at + width]
        at += width + 1
        step = 2 if large else 1
        words = [ipma[place : place + step] for place in range(at, at + count * step, step)]
        top = 0x7FFF if large else 0x7F
        owners[number] = [int.from_bytes(word, "big") & top for word in words]
        at += count * step
    return owners


def _content(data: bytes, held: dict[bytes, bytes], wanted: int) -> bytes:
    """Return the bytes of one item."""
    iloc = held[b"iloc"]
    version = iloc[0]
    offset_size, length_size = iloc[4] >> 4, iloc[4] & 15
    base_size, index_size = iloc[5] >> 4, (iloc[5] & 15 if version else 0)
    at = 6

    def number(size: int) -> int:
        nonlocal at
        value = int.from_bytes(iloc[at : at + size], "big")
        at += size
        return value

    for _ in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        within_meta = version > 0 and number(2) & 15 == 1
        number(2)
        base = number(base_size)
        pieces = []
        for _ in range(number(2)):
            number(index_size)
            place = base + number(offset_size)
            pieces.append((place, number(length_size)))
        if item == wanted:
            source = held.get(b"idat", b"") if within_meta else data
            return b"".join(source[place : place + length] for place, length in pieces)
        if at > len(iloc):
            break
    return b""
