"""Picture files that no library here writes: TIFF of every layout, PSD, CMYK profiles."""

from __future__ import annotations

import struct
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]


def smooth(width: int = 96, height: int = 64) -> NDArray[np.uint16]:
    """A picture of 16 bits whose every corner, side and channel differs: H x W x 3."""
    y, x = np.mgrid[0:height, 0:width]
    channels = (
        x * 65000 // width,
        y * 65000 // height,
        (x + 2 * y) * 65000 // (width + 2 * height),
    )
    values = np.stack(channels, axis=-1).astype(np.uint16)
    values[: height // 4, : width // 4] = (65535, 0, 0)
    return values


def eight(values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The same in 8 bits."""
    return np.asarray(np.rint(values / 257), np.uint8)


def tiff(
    values: Values,
    *,
    planar: bool = False,
    tile: int | None = None,
    photometric: int | None = None,
    extra: int | None = None,
    orientation: int | None = None,
    bits: int | None = None,
    big_endian: bool = False,
    profile: bytes | None = None,
    more: dict[int, int] | None = None,
) -> bytes:
    """A TIFF without compression.

    Args:
        values: H x W or H x W x channels, of any type.
        planar: Each channel by itself.
        tile: Side of its tiles, a multiple of 16; None: one strip.
        photometric: 0 white is 0, 1 black is 0, 2 RGB; None: by the number of channels.
        extra: What the last channel is: 0 anything, 1 premultiplied alpha, 2 alpha.
        orientation: Which way up it is, 1 to 8.
        bits: Fewer bits than the type has, packed.
        big_endian: The order of its bytes.
        profile: An ICC profile.
        more: Further tags, each one SHORT.

    Returns:
        The file.
    """
    order: Literal["<", ">"] = ">" if big_endian else "<"
    values = values if values.ndim == 3 else values[..., None]
    high, wide, channels = values.shape
    depth = bits or 8 * values.itemsize
    ordered = values.astype(values.dtype.newbyteorder(order))
    parts = [ordered[..., n : n + 1] for n in range(channels)] if planar else [ordered]
    pieces = [piece for part in parts for piece in _pieces(part, tile)]
    if bits is not None:
        pieces = [_packed(values[..., 0], bits)]
    kind = {"f": 3, "i": 2}.get(values.dtype.kind, 1)
    tags: dict[int, tuple[str, list[int]]] = {
        256: ("I", [wide]),
        257: ("I", [high]),
        258: ("H", [depth] * channels),
        259: ("H", [1]),
        262: ("H", [(2 if channels >= 3 else 1) if photometric is None else photometric]),
        277: ("H", [channels]),
        284: ("H", [2 if planar else 1]),
        339: ("H", [kind] * channels),
    }
    if tile is None:
        tags |= {273: ("I", []), 278: ("I", [high]), 279: ("I", [len(p) for p in pieces])}
    else:
        sizes = ("I", [len(p) for p in pieces])
        tags |= {322: ("I", [tile]), 323: ("I", [tile]), 324: ("I", []), 325: sizes}
    if extra is not None:
        tags[338] = ("H", [extra])
    if orientation is not None:
        tags[274] = ("H", [orientation])
    if profile is not None:
        tags[34675] = ("B", list(profile))
    tags |= {tag: ("H", [value]) for tag, value in (more or {}).items()}
    places, at = [], 8
    for piece in pieces:
        places.append(at)
        at += len(piece)
    at += at % 2
    tags[273 if tile is None else 324] = ("I", places)
    content = b"".join(pieces)
    content += bytes((8 + len(content)) % 2)
    head = (b"MM" if big_endian else b"II") + struct.pack(order + "HI", 42, at)
    return head + content + _directory(tags, at, order)


def _directory(tags: dict[int, tuple[str, list[int]]], at: int, order: str) -> bytes:
    codes = {"B": 7, "H": 3, "I": 4}
    entries, behind = b"", b""
    end = at + 2 + 12 * len(tags) + 4
    for tag, (form, numbers) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{form}", *numbers)
        entries += struct.pack(order + "HHI", tag, codes[form], len(numbers))
        if len(packed) <= 4:
            entries += packed.ljust(4, b"\0")
        else:
            entries += struct.pack(order + "I", end + len(behind))
            behind += packed + bytes(len(packed) % 2)
    return struct.pack(order + "H", len(tags)) + entries + bytes(4) + behind


def _pieces(part: Values, tile: int | None) -> list[bytes]:
    if tile is None:
        return [part.tobytes()]
    high, wide = part.shape[:2]
    padded = np.pad(part, ((0, -high % tile), (0, -wide % tile), (0, 0)))
    return [
        padded[y : y + tile, x : x + tile].tobytes()
        for y in range(0, high, tile)
        for x in range(0, wide, tile)
    ]


def _packed(values: Values, bits: int) -> bytes:
    """Rows of samples of so many bits, highest bit first."""
    shifts = np.arange(bits - 1, -1, -1)
    bit_rows = ((values[..., None].astype(np.uint32) >> shifts) & 1).reshape(len(values), -1)
    return np.packbits(bit_rows.astype(np.uint8), axis=1).tobytes()


def psd(values: Values, *, mode: int = 3, profile: bytes | None = None) -> bytes:
    """A Photoshop file with nothing but its merged picture; ``mode`` 1 grey, 3 RGB, 4 CMYK."""
    high, wide, channels = values.shape
    blocks = b""
    if profile is not None:
        blocks = b"8BIM" + struct.pack(">HHI", 1039, 0, len(profile)) + profile
        blocks += bytes(len(profile) % 2)
    planes = np.moveaxis(values, 2, 0).astype(values.dtype.newbyteorder(">")).tobytes()
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, channels, high, wide, 8 * values.itemsize, mode)
    return (
        head
        + struct.pack(">I", 0)
        + struct.pack(">I", len(blocks))
        + blocks
        + struct.pack(">IH", 0, 0)
        + planes
    )


def os2_bitmap(pixels: NDArray[np.uint8]) -> bytes:
    """A BMP with the short header of OS/2."""
    high, wide = pixels.shape[:2]
    rows = b"".join(
        row[:, ::-1].tobytes().ljust(-(-wide * 3 // 4) * 4, b"\0") for row in pixels[::-1]
    )
    head = struct.pack("<2sIHHI", b"BM", 26 + len(rows), 0, 0, 26)
    return head + struct.pack("<IHHHH", 12, wide, high, 1, 24) + rows


def v4_bitmap(pixels: NDArray[np.uint8], alpha: int) -> bytes:
    """A BMP of 32 bits, as screenshot tools write it: a mask for alpha, and one value in it."""
    high, wide = pixels.shape[:2]
    filled = np.dstack([pixels[..., ::-1], np.full((high, wide), alpha, np.uint8)])
    data = filled[::-1].tobytes()
    masks = struct.pack("<IIII4s", 0xFF0000, 0xFF00, 0xFF, 0xFF000000, b"BGRs")
    head = struct.pack("<IiiHHIIiiII", 108, wide, high, 1, 32, 3, len(data), 2835, 2835, 0, 0)
    start = struct.pack("<2sIHHI", b"BM", 122 + len(data), 0, 0, 122)
    return start + head + masks + bytes(48) + data


def cmyk_profile() -> bytes:
    """A profile of inks: CMYK to Lab by its corners, in which cyan is a dull blue."""
    from PIL import Image, ImageCms

    corners = np.array(
        [
            [
                (
                    255 * (1 - c) * (1 - k),
                    (255 - 135 * c) * (1 - m) * (1 - k),
                    255 * (1 - y) * (1 - k),
                )
            ]
            for c in (0, 1)
            for m in (0, 1)
            for y in (0, 1)
            for k in (0, 1)
        ],
        np.uint8,
    )
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    change = ImageCms.buildTransform(srgb, lab, "RGB", "LAB")
    converted = np.asarray(ImageCms.applyTransform(Image.fromarray(corners), change))
    # Pillow keeps a and b signed.
    table = converted.reshape(-1, 3).astype(np.uint8).copy()
    table[:, 1:] ^= 0x80
    ramp = bytes(range(256))
    lut = struct.pack(
        ">4s4xBBBx9i", b"mft1", 4, 3, 2, *(65536 if n % 4 == 0 else 0 for n in range(9))
    )
    lut += ramp * 4 + table.tobytes() + ramp * 3
    text = b"Inks of a test\0"
    described = struct.pack(">4s4xI", b"desc", len(text)) + text + bytes(78)
    white = struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061)
    return _icc(b"prtr", b"CMYK", b"Lab ", {b"desc": described, b"wtpt": white, b"A2B0": lut})


def matrix_profile(gamma: float, colorants: list[list[float]], name: bytes) -> bytes:
    """A profile of RGB by one gamma and the primaries' XYZ, adapted to D50."""
    curve = struct.pack(">4s4xIH", b"curv", 1, round(gamma * 256))
    text = name + b"\0"
    described = struct.pack(">4s4xI", b"desc", len(text)) + text + bytes(78)
    tags = {b"desc": described, b"wtpt": struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061)}
    for letter, xyz in zip(b"rgb", colorants, strict=True):
        numbers = [round(v * 65536) for v in xyz]
        tags[bytes([letter]) + b"XYZ"] = struct.pack(">4s4x3i", b"XYZ ", *numbers)
        tags[bytes([letter]) + b"TRC"] = curve
    return _icc(b"mntr", b"RGB ", b"XYZ ", tags)


def _icc(device: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, content = b"", b""
    at = 132 + 12 * len(tags)
    for name, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, at + len(content), len(data))
        content += padded
    header = struct.pack(
        ">I4sI4s4s4s12s4s",
        at + len(content),
        bytes(4),
        0x02400000,
        device,
        space,
        connection,
        struct.pack(">6H", 2024, 1, 1, 0, 0, 0),
        b"acsp",
    )
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return header + struct.pack(">I", len(tags)) + table + content
