"""ffmpeg's words about a file -> facts: streams, tags, claims, the first frame's properties."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

_STREAM = re.compile(
    r"^  Stream #0:(?P<index>\d+)(?:\[\w+\])?(?:\((?P<language>\w+)\))?: "
    r"(?P<kind>Video|Audio|Subtitle|Data|Attachment): (?P<codec>\w+)(?P<rest>.*)$"
)
_SHOWN = re.compile(r"n: *0 pts: *(-?\d+) .*fmt:(\w+) .*sar:(\d+)/(\d+) s:(\d+)x(\d+) i:(\w)")
_CONFIG = re.compile(r"config in time_base: (\d+)/(\d+), frame_rate: (\d+)/(\d+)")
_COLORS = ("color_range", "color_space", "color_primaries", "color_trc")
_READ = re.compile(
    r"Input stream #0:\d+ \(video\): (\d+) packets read \(\d+ bytes\);"
    r"(?: (\d+) frames decoded; (\d+) decode errors;)?"
)


@dataclass(frozen=True)
class Color:
    """How YUV is meant, in ffmpeg's words ("bt709", "smpte170m", "tv" ...); "unknown" untagged."""

    range: str = "unknown"
    matrix: str = "unknown"
    primaries: str = "unknown"
    transfer: str = "unknown"

    @property
    def is_hdr(self) -> bool:
        """Whether the transfer is PQ or HLG."""
        return self.transfer in ("smpte2084", "arib-std-b67")

    @property
    def is_wide(self) -> bool:
        """Whether the primaries are those of BT.2020 or P3, far outside BT.709."""
        return self.primaries in ("bt2020", "smpte431", "smpte432")


@dataclass(frozen=True)
class Stream:
    """One stream as the banner shows it; ``rest`` is what follows the codec's name."""

    index: int
    kind: str
    codec: str
    language: str | None
    rest: str
    tags: str


@dataclass(frozen=True)
class FirstFrame:
    """The first decoded frame: time stamp and rate in exact rationals, size after rotation."""

    time: Fraction
    rate: Fraction
    pixel_format: str
    sample_aspect: Fraction
    width: int
    height: int
    interlaced: bool
    color: Color


def described(lines: Iterable[str]) -> list[str]:
    """The banner alone, first line "Input #0 ..."; empty if the file was not opened."""
    plain = [line.removeprefix("[info] ") for line in lines]
    begin = next((i for i, line in enumerate(plain) if line.startswith("Input #0, ")), len(plain))
    return plain[begin:]


def container(banner: list[str]) -> str:
    """The demuxer's name, such as "mov,mp4,m4a,3gp,3g2,mj2"."""
    return banner[0].removeprefix("Input #0, ").partition(", from ")[0]


def streams(banner: list[str]) -> list[Stream]:
    """All streams in their order; attached cover pictures are left out."""
    found = [(i, m) for i, line in enumerate(banner) if (m := _STREAM.match(line))]
    ends = [i for i, _ in found[1:]] + [len(banner)]
    return [
        Stream(
            index=int(m["index"]),
            kind=m["kind"],
            codec=m["codec"],
            language=None if m["language"] == "und" else m["language"],
            rest=m["rest"],
            tags="\n".join(banner[i + 1 : end]),
        )
        for (i, m), end in zip(found, ends, strict=False)
        if "(attached pic)" not in m["rest"]
    ]


def chapters(banner: list[str]) -> int:
    """How many chapters there are."""
    return sum(bool(re.match(r"    Chapter #0:\d+: start ", line)) for line in banner)


def claims(banner: list[str]) -> tuple[Fraction, Fraction]:
    """Duration and start of the whole container, seconds; 0 where it claims nothing."""
    line = next((line for line in banner if line.startswith("  Duration: ")), "")
    length = re.search(r"Duration: (\d+):(\d+):([\d.]+)", line)
    start = re.search(r"start: (-?[\d.]+)", line)
    seconds = int(length[1]) * 3600 + int(length[2]) * 60 + Fraction(length[3]) if length else 0
    return Fraction(seconds), Fraction(start[1]) if start else Fraction(0)


def rotation(stream: Stream) -> int:
    """Degrees clockwise by which the stored picture is turned for display."""
    turn = re.search(r"[Dd]isplay ?[Mm]atrix: rotation of (-?[\d.]+) degrees", stream.tags)
    return round(-float(turn[1])) % 360 if turn else 0


def average_rate(stream: Stream) -> Fraction | None:
    """Frames a second as printed, to two decimals."""
    printed = re.search(r", ([\d.]+)(k?) fps", stream.rest)
    return Fraction(printed[1]) * (1000 if printed[2] else 1) if printed else None


def declared_size(stream: Stream) -> tuple[int, int]:
    """(width, height) that the header declares; 0 where it says nothing."""
    size = re.search(r", (\d+)x(\d+)(?:[ ,]|$)", stream.rest)
    return (int(size[1]), int(size[2])) if size else (0, 0)


def declared_length(stream: Stream) -> Fraction | None:
    """The stream's own duration, which Matroska files mostly note, seconds."""
    tag = re.search(r"^ +DURATION +: (\d+):(\d+):([\d.]+)", stream.tags, re.MULTILINE)
    return int(tag[1]) * 3600 + int(tag[2]) * 60 + Fraction(tag[3]) if tag else None


def sound(stream: Stream) -> tuple[int, str]:
    """Samples a second and channel layout."""
    rate = re.search(r", (\d+) Hz(?:, ([^,]+))?", stream.rest)
    return (int(rate[1]), rate[2] or "unknown") if rate else (0, "unknown")


def first_frame(lines: Iterable[str]) -> FirstFrame | None:
    """What the showinfo filter said about the first frame; None if there was none."""
    # Before it, tags could say anything; within it, threads interrupt each other between words.
    text = "\n".join(lines).partition("Stream mapping:")[2]
    frame, config = _SHOWN.search(text), _CONFIG.search(text)
    colors = [re.search(rf"\b{name}:([a-z0-9-]+)", text) for name in _COLORS]
    if frame is None or config is None:
        return None
    return FirstFrame(
        time=int(frame[1]) * Fraction(int(config[1]), int(config[2])),
        rate=Fraction(int(config[3]), int(config[4]) or 1),
        pixel_format=frame[2],
        sample_aspect=Fraction(int(frame[3]), int(frame[4]) or 1) or Fraction(1),
        width=int(frame[5]),
        height=int(frame[6]),
        interlaced=frame[7] in "TB",
        color=Color(*(found[1] if found else "unknown" for found in colors)),
    )


def packets_read(lines: Iterable[str]) -> tuple[int, int, int]:
    """Video packets read, frames decoded, decode errors, from ffmpeg's last words."""
    counts = next((m for line in lines if (m := _READ.search(line))), None)
    if counts is None:
        return 0, 0, 0
    return int(counts[1]), int(counts[2] or 0), int(counts[3] or 0)


def frames_encoded(lines: Iterable[str]) -> int:
    """Frames that reached the encoder of the first output stream, from ffmpeg's last words."""
    pattern = re.compile(r"Output stream #0:0 \(video\): (\d+) frames encoded")
    return next((int(m[1]) for line in lines if (m := pattern.search(line))), 0)


def depth(pixel_format: str) -> int:
    """Bits a channel of a pixel format by its name."""
    deep = re.search(
        r"(?:p|gray|gbrap?|rgba?|bgra?|ya|p0|p2|p4)(9|10|12|14|16|48|64|f32|f16)(?:le|be|$)",
        pixel_format,
    )
    if deep is None:
        return 8
    return {"48": 16, "64": 16, "f32": 16, "f16": 16}.get(deep[1]) or int(deep[1])


def has_alpha(pixel_format: str) -> bool:
    """Whether a pixel format carries transparency."""
    return bool(re.match(r"(yuva|ya\d|rgba|bgra|argb|abgr|gbrap|pal8)", pixel_format))
