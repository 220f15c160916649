"""What is in a file: path -> MediaInfo, from ffmpeg's banner and its first decoded frame."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from dreamvideo.errors import MediaError
from dreamvideo.media import ffmpeg
from dreamvideo.media.paths import readable, shown
from dreamvideo.media.sequence import is_sequence, sequence_files
from dreamvideo.media.stills import read_deep

SEQUENCE_RATE = Fraction(25)
_ANIMATIONS = ("gif", "apng", "webp_anim", "jpegxl_anim")
_STILLS = re.compile(r"^(image2|\w+_pipe)$")


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


@dataclass(frozen=True)
class AudioStream:
    """One sound track: codec by ffmpeg's name, samples a second, channel layout, ISO language."""

    codec: str
    rate: int
    channels: str
    language: str | None = None


@dataclass(frozen=True)
class MediaInfo:
    """What a film file holds.

    ``width`` and ``height`` are as displayed, after rotation, in storage pixels (``sample_aspect``
    is not applied). ``rate`` is frames a second, exact for NTSC. Times are seconds: ``duration``
    (like ``frames``) is the container's claim; ``start`` how much later than the earliest stream
    the picture begins; ``first_time`` the first frame's time stamp in the file. ``rotation`` is
    degrees clockwise, already applied. ``decoder`` names one to ask ffmpeg for, where its own
    choice would lose something; ``stream_index`` is the picture's number among all streams.
    """

    path: Path
    kind: Literal["video", "animation", "sequence"]
    container: str
    codec: str
    width: int
    height: int
    rate: Fraction
    duration: Fraction
    frames: int | None
    start: Fraction = Fraction(0)
    rotation: int = 0
    sample_aspect: Fraction = Fraction(1)
    pixel_format: str = "rgb24"
    depth: int = 8
    color: Color = Color()
    has_alpha: bool = False
    interlaced: bool = False
    variable_rate: bool = False
    audio: tuple[AudioStream, ...] = ()
    subtitle_codecs: tuple[str, ...] = ()
    chapters: int = 0
    language: str | None = None
    stream_index: int = 0
    decoder: str | None = None
    first_time: Fraction = Fraction(0)
    files: tuple[Path, ...] = ()

    @property
    def subtitles(self) -> int:
        """How many subtitle tracks there are."""
        return len(self.subtitle_codecs)


def probe(path: Path | str) -> MediaInfo:
    """Look into a video, an animation, a folder of pictures or a pattern of them.

    Decodes one frame and reads no further than that. Raises MediaError, one line, if the file is
    missing, empty, not media, or holds no moving picture.
    """
    path = Path(path)
    return _probe_sequence(path) if is_sequence(path) else _probe_file(readable(path))


def _probe_sequence(path: Path) -> MediaInfo:
    files = sequence_files(path)
    pixels, alpha = read_deep(files[0])
    return MediaInfo(
        path=path,
        kind="sequence",
        container=files[0].suffix.lower().lstrip("."),
        codec=files[0].suffix.lower().lstrip("."),
        width=pixels.shape[1],
        height=pixels.shape[0],
        rate=SEQUENCE_RATE,
        duration=len(files) / SEQUENCE_RATE,
        frames=len(files),
        pixel_format="rgb24" if pixels.dtype == "uint8" else "rgb48",
        depth=8 * pixels.dtype.itemsize,
        has_alpha=alpha is not None,
        files=tuple(files),
    )


def _probe_file(path: Path) -> MediaInfo:
    banner = _banner(path)
    container = re.match(r"Input #0, (.+), from ", banner[0])
    assert container is not None
    if _STILLS.match(container[1]):
        raise MediaError(f"{shown(path)}: is a still picture; dream it with 'dreamvideo image'")
    streams = [s for line in banner if (s := _STREAM.match(line))]
    pictures = [s for s in streams if s["kind"] == "Video" and "(attached pic)" not in s["rest"]]
    if not pictures:
        held = ", ".join(dict.fromkeys(s["kind"].lower() for s in streams)) or "nothing"
        raise MediaError(f"{shown(path)}: holds no moving picture, only {held}")
    return _described(path, container[1], banner, streams, pictures[0])


_STREAM = re.compile(
    r"^  Stream #0:(?P<index>\d+)(?:\[\w+\])?(?:\((?P<language>\w+)\))?: "
    r"(?P<kind>Video|Audio|Subtitle|Data|Attachment): (?P<codec>\w+)(?P<rest>.*)$"
)
_SHOWN = re.compile(
    r"showinfo_\d+ @ \w+\] \[info\] n: *(\d+) pts: *(-?\d+) .*fmt:(\w+) .*sar:(\d+)/(\d+) "
    r"s:(\d+)x(\d+) i:(\w)"
)
_CONFIG = re.compile(r"config in time_base: (\d+)/(\d+), frame_rate: (\d+)/(\d+)")
_COLORS = re.compile(r"color_range:(\S+) color_space:(\S+) color_primaries:(\S+) color_trc:(\S+)")


def _banner(path: Path) -> list[str]:
    """ffmpeg's description of the opened file, first line "Input #0 ..."."""
    lines: list[str] = []
    with ffmpeg.Process(["-copyts", *ffmpeg.input_file(path)], on_line=lines.append) as process:
        process.stdout.read()
        process.wait()
        plain = [line.removeprefix("[info] ") for line in lines]
        begin = next((i for i, line in enumerate(plain) if line.startswith("Input #0, ")), None)
        if begin is None:
            raise MediaError(f"{shown(path)}: not a video that can be read ({process.reason()})")
        return plain[begin:]


def _described(
    path: Path,
    container: str,
    banner: list[str],
    streams: list[re.Match[str]],
    picture: re.Match[str],
) -> MediaInfo:
    index = int(picture["index"])
    decoder = _decoder(picture["codec"], _tags(banner, index))
    lines = _first_frames(path, index, decoder)
    text = "\n".join(lines)
    frame, config, colors = _SHOWN.search(text), _CONFIG.search(text), _COLORS.search(text)
    if frame is None or config is None:
        raise MediaError(f"{shown(path)}: its {picture['codec']} picture cannot be decoded")
    time_base = Fraction(int(config[1]), int(config[2]))
    rate = Fraction(int(config[3]), int(config[4]) or 1)
    average = _average_rate(picture["rest"])
    duration, start = _claims(banner)
    aspect = Fraction(int(frame[4]), int(frame[5]) or 1)
    variable = bool(average and rate and abs(average / rate - 1) > Fraction(1, 100))
    rate = _snapped((average if variable and average else rate) or SEQUENCE_RATE)
    animation = container in _ANIMATIONS
    return MediaInfo(
        path=path,
        kind="animation" if animation else "video",
        container=container,
        codec=picture["codec"],
        width=int(frame[6]),
        height=int(frame[7]),
        rate=rate,
        duration=duration,
        frames=round(duration * rate) if duration else None,
        start=max(Fraction(0), int(frame[2]) * time_base - start),
        rotation=_rotation(banner, index),
        sample_aspect=aspect or Fraction(1),
        pixel_format=frame[3],
        depth=_depth(frame[3]),
        color=Color(*colors.groups()) if colors else Color(),
        has_alpha=_has_alpha(frame[3]) or (container == "gif"),
        interlaced=frame[8] in "TB" or "top first)" in picture["rest"],
        variable_rate=variable,
        audio=tuple(_audio(s) for s in streams if s["kind"] == "Audio"),
        subtitle_codecs=tuple(s["codec"] for s in streams if s["kind"] == "Subtitle"),
        chapters=sum(bool(re.match(r"    Chapter #0:\d+: start ", line)) for line in banner),
        language=_language(picture),
        stream_index=index,
        decoder=decoder,
        first_time=int(frame[2]) * time_base,
    )


def _decoder(codec: str, tags: str) -> str | None:
    """A decoder to ask for by name: ffmpeg's own VP8 and VP9 decoders lose transparency."""
    if re.search(r"^ +alpha_mode +: 1", tags, re.MULTILINE | re.IGNORECASE):
        return {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(codec)
    return None


def _first_frames(path: Path, index: int, decoder: str | None) -> list[str]:
    choice = [f"-c:{index}", decoder] if decoder else []
    arguments = ["-copyts", *ffmpeg.input_file(path, *choice), "-map", f"0:{index}"]
    look = ["-vf", "showinfo=checksum=0", "-frames:v", "1", "-f", "null", "-"]
    return ffmpeg.run([*arguments, *look], subject=shown(path))[0]


def _tags(banner: list[str], index: int) -> str:
    """The lines that belong to one stream of the banner."""
    begin = next(i for i, line in enumerate(banner) if line.startswith(f"  Stream #0:{index}"))
    rest = banner[begin + 1 :]
    end = next((i for i, line in enumerate(rest) if line.startswith("  Stream #")), len(rest))
    return "\n".join(rest[:end])


def _rotation(banner: list[str], index: int) -> int:
    turn = re.search(r"displaymatrix: rotation of (-?[\d.]+) degrees", _tags(banner, index))
    return round(-float(turn[1])) % 360 if turn else 0


def _claims(banner: list[str]) -> tuple[Fraction, Fraction]:
    """Duration and start of the whole container, seconds; 0 where it claims nothing."""
    line = next((line for line in banner if line.startswith("  Duration: ")), "")
    length = re.search(r"Duration: (\d+):(\d+):([\d.]+)", line)
    start = re.search(r"start: (-?[\d.]+)", line)
    seconds = int(length[1]) * 3600 + int(length[2]) * 60 + Fraction(length[3]) if length else 0
    return Fraction(seconds), Fraction(start[1]) if start else Fraction(0)


def _snapped(rate: Fraction) -> Fraction:
    """The NTSC or whole rate that a container with rounded times can only come close to."""
    whole = round(rate)
    candidates = (Fraction(whole), Fraction(whole * 1000, 1001))
    return next((c for c in candidates if c and abs(rate / c - 1) < Fraction(1, 50_000)), rate)


def _average_rate(rest: str) -> Fraction | None:
    printed = re.search(r", ([\d.]+)(k?) fps", rest)
    return Fraction(printed[1]) * (1000 if printed[2] else 1) if printed else None


def _audio(stream: re.Match[str]) -> AudioStream:
    rate = re.search(r", (\d+) Hz(?:, ([^,]+))?", stream["rest"])
    channels = rate[2] if rate and rate[2] else "unknown"
    language = _language(stream)
    return AudioStream(stream["codec"], int(rate[1]) if rate else 0, channels, language)


def _language(stream: re.Match[str]) -> str | None:
    return None if stream["language"] == "und" else stream["language"]


def _depth(pixel_format: str) -> int:
    deep = re.search(
        r"(?:p|gray|gbrap?|rgba?|bgra?)(9|10|12|14|16|48|64|f)(?:le|be|$)", pixel_format
    )
    if deep is None:
        return 8
    return {"48": 16, "64": 16, "f": 32}.get(deep[1]) or int(deep[1])


def _has_alpha(pixel_format: str) -> bool:
    return bool(re.match(r"(yuva|ya\d|rgba|bgra|argb|abgr|gbrap|pal8)", pixel_format))
