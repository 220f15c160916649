"""What is in a file: path -> MediaInfo, from ffmpeg's banner and its first decoded frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Literal

from dreamvideo.errors import MediaError
from dreamvideo.media import banner, ffmpeg, webp
from dreamvideo.media.banner import Color
from dreamvideo.media.heif import is_still_heif
from dreamvideo.media.paths import readable, shown
from dreamvideo.media.sequence import STRICT, SeriesOptions, is_sequence, numbered_files
from dreamvideo.media.stills import open_still, still_size

__all__ = ["AudioStream", "Color", "MediaInfo", "probe", "read_tags"]

SEQUENCE_RATE = Fraction(25)
# A frame a day; containers cannot hold the times of slower films.
_SLOWEST = Fraction(1, 86_400)
_ANIMATIONS = ("gif", "apng", "webp_anim", "jpegxl_anim")
_STILLS = re.compile(r"^(image2|\w+_pipe)$")


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
    choice would lose something; ``stream_index`` is the picture's number among all streams. Of a
    sequence, ``ticks`` are the times of its ``files`` in frames, and ``odd_sizes`` how many of them
    have another size than the first and are made to ``fit``.
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
    color: Color = field(default_factory=Color)
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
    ticks: tuple[int, ...] = ()
    fit: str | None = None
    odd_sizes: int = 0

    @property
    def held(self) -> int:
        """How many pictures a sequence lacks, for whose time the one before is shown."""
        return self.ticks[-1] + 1 - len(self.ticks) if self.ticks else 0

    def at_rate(self, rate: Fraction) -> MediaInfo:
        """A sequence shown at another rate."""
        return replace(self, rate=rate, duration=(self.ticks[-1] + 1) / rate)

    @property
    def subtitles(self) -> int:
        """How many subtitle tracks there are."""
        return len(self.subtitle_codecs)


def probe(path: Path | str, options: SeriesOptions = STRICT) -> MediaInfo:
    """Look into a video, an animation, a folder of pictures or a pattern of them.

    Decodes one frame and reads no further than that; ``options`` are for pictures alone. Raises
    MediaError, one line, if the file is missing, empty, not media, or holds no moving picture.
    """
    path = Path(path)
    if is_sequence(path):
        return _probe_sequence(path, options)
    path = readable(path)
    now = path.stat()
    return _known(path, (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns))


def read_tags(path: Path | str) -> dict[str, str]:
    """The film's own tags (title, comment ...) as the container holds them. Raises MediaError."""
    path = readable(Path(path))
    arguments = [*ffmpeg.input_file(path), "-map_chapters", "-1", "-f", "ffmetadata", "pipe:1"]
    _, written = ffmpeg.run(arguments, subject=shown(path))
    tags: dict[str, str] = {}
    # A backslash guards the character after it, a line end too.
    for entry in re.split(r"(?<!\\)\n", written.decode("utf-8", "replace")):
        if entry and entry[0] not in ";#[":
            key, _, value = entry.partition("=")
            tags[key] = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
    return tags


def _probe_sequence(path: Path, options: SeriesOptions) -> MediaInfo:
    ticks, files = zip(*numbered_files(path, options), strict=True)
    # Its depth and transparency are wanted, not all of its pixels.
    first = open_still(files[0], least=(1, 1))
    odd_sizes = _odd_sizes(files, options)
    width, height = first.size
    return MediaInfo(
        path=path,
        kind="sequence",
        container=files[0].suffix.lower().lstrip("."),
        codec=files[0].suffix.lower().lstrip("."),
        width=width,
        height=height,
        rate=SEQUENCE_RATE,
        duration=(ticks[-1] + 1) / SEQUENCE_RATE,
        frames=len(files),
        pixel_format="rgb24" if first.pixels.dtype == "uint8" else "rgb48",
        depth=8 * first.pixels.dtype.itemsize,
        has_alpha=first.alpha is not None,
        files=files,
        ticks=ticks,
        fit=options.fit,
        odd_sizes=odd_sizes,
    )


def _odd_sizes(files: Sequence[Path], options: SeriesOptions) -> int:
    """How many pictures have another size than the first; MediaError, by name, if none may."""
    wide, high = still_size(files[0])
    odd = 0
    for file in files:
        width, height = still_size(file)
        if (width, height) == (wide, high):
            continue
        odd += 1
        if options.fit is None:
            raise MediaError(
                f"{shown(file)}: is {width} x {height}, but {shown(files[0].name)} is "
                f"{wide} x {high}; make them one size, or dream them with --fit crop, pad or "
                "stretch"
            )
    return odd


@lru_cache(maxsize=16)
def _known(path: Path, _state: tuple[int, ...]) -> MediaInfo:
    """A render asks for the same file at every turn: it is looked into once."""
    return _probe_file(path)


def _probe_file(path: Path) -> MediaInfo:
    words = _banner(path)
    if _STILLS.match(banner.container(words)) or is_still_heif(path):
        raise MediaError(f"{shown(path)}: is a still picture; dream it with 'dreamvideo image'")
    streams = banner.streams(words)
    picture = next((s for s in streams if s.kind == "Video"), None)
    if picture is None:
        held = ", ".join(dict.fromkeys(s.kind.lower() for s in streams)) or "nothing"
        raise MediaError(f"{shown(path)}: holds no moving picture, only {held}")
    width, height = banner.declared_size(picture)
    if width * height > ffmpeg.MAX_PIXELS:
        raise MediaError(
            f"{shown(path)}: declares {width} x {height} pixels, more than can be rendered"
        )
    decoder = _decoder(picture)
    return _described(path, words, picture, decoder, _first_frame(path, picture, decoder))


def _banner(path: Path) -> list[str]:
    lines: list[str] = []
    with ffmpeg.Process(["-copyts", *ffmpeg.input_file(path)], on_line=lines.append) as process:
        process.stdout.read()
        process.wait()
        words = banner.described(lines)
        if not words:
            hint = "; rename it, % stands for numbers" if "%" in path.name else ""
            raise MediaError(
                f"{shown(path)}: not a video that can be read ({process.reason()}{hint})"
            )
        return words


def _decoder(picture: banner.Stream) -> str | None:
    """A decoder to ask for by name: ffmpeg's own for VP8 and VP9 lose transparency."""
    if re.search(r"^ +alpha_mode +: 1", picture.tags, re.MULTILINE | re.IGNORECASE):
        return {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(picture.codec)
    return None


def _first_frame(path: Path, picture: banner.Stream, decoder: str | None) -> banner.FirstFrame:
    choice = [f"-c:{picture.index}", decoder] if decoder else []
    arguments = ["-copyts", *ffmpeg.input_file(path, *choice), "-map", f"0:{picture.index}"]
    look = [
        "-vf",
        "showinfo=checksum=0",
        "-frames:v",
        "1",
        "-map_metadata",
        "-1",
        "-f",
        "null",
        "-",
    ]
    subject = f"{shown(path)}: its {picture.codec} picture cannot be decoded"
    # More detail would let other threads speak in the middle of the filter's lines.
    lines, _ = ffmpeg.run([*arguments, *look], subject=subject, detail="info")
    frame = banner.first_frame(lines)
    if frame is None:
        raise MediaError(subject)
    return frame


def _described(
    path: Path,
    words: list[str],
    picture: banner.Stream,
    decoder: str | None,
    first: banner.FirstFrame,
) -> MediaInfo:
    container = banner.container(words)
    streams = banner.streams(words)
    rate, variable = _rate(banner.average_rate(picture), first.rate)
    if rate < _SLOWEST:
        raise MediaError(
            f"{shown(path)}: declares a frame every {float(1 / rate):.3g} seconds; its times are "
            "broken"
        )
    duration, start = banner.claims(words)
    frames = round((banner.declared_length(picture) or duration) * rate) or None
    if container == "webp_anim":
        frames, duration = webp.count_and_length(path)
    return MediaInfo(
        path=path,
        kind="animation" if container in _ANIMATIONS else "video",
        container=container,
        codec=picture.codec,
        width=first.width,
        height=first.height,
        rate=rate,
        duration=duration,
        frames=frames,
        start=max(Fraction(0), first.time - start),
        rotation=banner.rotation(picture),
        sample_aspect=first.sample_aspect,
        pixel_format=first.pixel_format,
        depth=banner.depth(first.pixel_format),
        color=first.color,
        has_alpha=banner.has_alpha(first.pixel_format) or container == "gif",
        interlaced=first.interlaced,
        variable_rate=variable,
        audio=tuple(
            AudioStream(s.codec, *banner.sound(s), s.language) for s in streams if s.kind == "Audio"
        ),
        subtitle_codecs=tuple(s.codec for s in streams if s.kind == "Subtitle"),
        chapters=banner.chapters(words),
        language=picture.language,
        stream_index=picture.index,
        decoder=decoder,
        first_time=first.time,
    )


def _rate(average: Fraction | None, nominal: Fraction) -> tuple[Fraction, bool]:
    """The rate to speak of, and whether it varies: then the average, else the exact nominal one."""
    variable = bool(average and nominal and abs(average / nominal - 1) > Fraction(1, 100))
    rate = average if variable and average else nominal
    return _snapped(rate or average or SEQUENCE_RATE), variable


def _snapped(rate: Fraction) -> Fraction:
    """The NTSC or whole rate that a container with rounded times can only come close to."""
    whole = round(rate)
    candidates = (Fraction(whole), Fraction(whole * 1000, 1001))
    return next((c for c in candidates if c and abs(rate / c - 1) < Fraction(1, 50_000)), rate)
