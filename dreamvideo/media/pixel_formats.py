"""How pixels are stored and interpreted: colour tags, bits per channel, alpha."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Code points of ITU-T H.273 under ffmpeg's names.
_RANGES = {1: "tv", 2: "pc"}
_MATRICES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    11: "smpte2085",
    12: "chroma-derived-nc",
    13: "chroma-derived-c",
    14: "ictcp",
    15: "ipt-c2",
}
_PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
_TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}


@dataclass(frozen=True)
class Color:
    """Colour tags of YUV, in ffmpeg's names ("bt709", "smpte170m", "tv" ...), or "unknown"."""

    range: str = "unknown"
    matrix: str = "unknown"
    primaries: str = "unknown"
    transfer: str = "unknown"

    @property
    def is_hdr(self) -> bool:
        """Whether the transfer is PQ or HLG."""
        return self.transfer in ("smpte2084", "arib-std-b67")

    @property
    def hdr_primaries(self) -> str:
        """The primaries of HDR; those of BT.2020 if untagged."""
        return "bt2020" if self.primaries == "unknown" else self.primaries

    @property
    def is_own_light(self) -> bool:
        """Whether it is PQ, HLG or linear light, in a matrix that can be undone exactly."""
        exact = self.matrix in ("unknown", "gbr", "bt709", "bt2020nc")
        return exact and (self.is_hdr or (self.transfer == "linear" and self.matrix == "gbr"))

    @property
    def is_wide(self) -> bool:
        """Whether the primaries are those of BT.2020 or P3, far outside BT.709."""
        return self.primaries in ("bt2020", "smpte431", "smpte432")


def color_of(levels: int, matrix: int, primaries: int, transfer: int) -> Color:
    """Return colour tags for their code points; unspecified or reserved ones are "unknown".

    Args:
        levels: Code point of the range.
        matrix: Code point of the matrix.
        primaries: Code point of the primaries.
        transfer: Code point of the transfer curve.
    """
    return Color(
        range=_RANGES.get(levels, "unknown"),
        matrix=_MATRICES.get(matrix, "unknown"),
        primaries=_PRIMARIES.get(primaries, "unknown"),
        transfer=_TRANSFERS.get(transfer, "unknown"),
    )


def is_yuv(pixel_format: str) -> bool:
    """Return whether a pixel format stores luma and chroma."""
    return pixel_format.startswith(("yuv", "nv", "p0", "p2", "p4", "uyvy", "yvyu", "y2", "v30"))


def depth(pixel_format: str) -> int:
    """Return the bits per channel of a pixel format, by its name."""
    deep = re.search(
        r"(?:p|gray|gbrap?|rgba?|bgra?|ya|p0|p2|p4)(9|10|12|14|16|48|64|f32|f16)(?:le|be|$)",
        pixel_format,
    )
    if deep is None:
        return 8
    return {"48": 16, "64": 16, "f32": 16, "f16": 16}.get(deep[1]) or int(deep[1])


def has_alpha(pixel_format: str) -> bool:
    """Return whether a pixel format has alpha."""
    return bool(re.match(r"(yuva|ya\d|rgba|bgra|argb|abgr|gbrap|pal8)", pixel_format))
