"""Probe a file: its contents, from the container and the first decoded frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Literal

from dreamvideo.errors import MediaError
from dreamvideo.media import apng, demux, ffmpeg, webp
from dreamvideo.media.demux import Chapter, Contents, Picture, Track
from dreamvideo.media.dolby_vision import dolby_vision_only
from dreamvideo.media.frame_rate import (
    find_constant_rate,
    is_mostly_at,
    keeps_to_rate,
    snap_rate,
)
from dreamvideo.media.heif import is_still_heif
from dreamvideo.media.own_light import LINEAR_LIGHT
from dreamvideo.media.paths import escape_text, readable
from dreamvideo.media.pixel_formats import Color, depth, has_alpha
from dreamvideo.media.sequence import STRICT, SeriesOptions, is_sequence, numbered_files
from dreamvideo.media.stills import open_still, still_size

__all__ = [
    "AudioStream",
    "Chapter",
    "Color",
    "MediaInfo",
    "SubtitleStream",
    "is_film",
    "probe",
    "read_tags",
]

SEQUENCE_RATE = Fraction(25)
# One frame per day; containers cannot store the times of slower films.
_SLOWEST = Fraction(1, 86_400)
_ANIMATIONS = ("gif", "apng", "webp_anim", "jpegxl_anim")
# Decoders of these may output fields; the others' pictures are always progressive.
_MAY_HAVE_FIELDS = frozenset(
    (
        *("mpeg1video", "mpeg2video", "mpeg4", "h264", "hevc", "vvc", "vc1", "wmv3", "dvvideo"),
        *("prores", "dnxhd", "mjpeg", "rawvideo", "v210", "v410", "ffv1", "huffyuv", "ffvhuff"),
        *("utvideo", "magicyuv", "cavs", "avs2", "jpeg2000", "cfhd"),
    )
)


@dataclass(frozen=True)
class AudioStream:
    """One sound track.

    Attributes:
        codec: ffmpeg's name of the codec.
        rate: Samples per second.
        channels: Channel layout.
        language: Its language.
        index: Its number among all streams of the file.
        bits: Bits per sample, if it is uncompressed.
    """

    codec: str
    rate: int
    channels: str
    language: str | None = None
    index: int = 0
    bits: int = 16


@dataclass(frozen=True)
class SubtitleStream:
    """One subtitle track: codec, language, and its number among all streams of the file."""

    codec: str
    language: str | None = None
    index: int = 0


@dataclass(frozen=True)
class MediaInfo:
    """The contents of a film file. Times are in seconds.

    Attributes:
        path: The file.
        kind: Video, animation or sequence of pictures.
        container: Name of the container.
        codec: Name of the codec.
        width: Width as displayed, after rotation, in storage pixels (``sample_aspect`` is not
            applied).
        height: Height, likewise.
        rate: Frames per second, exact for NTSC.
        duration: Length that the container claims.
        frames: Number of frames that the container claims.
        start: How much later than the earliest stream the picture starts.
        rotation: Degrees clockwise, already applied.
        mirrored: Whether it is mirrored left to right, already applied.
        sample_aspect: Shape of a pixel.
        pixel_format: ffmpeg's pixel format.
        depth: Bits per channel.
        color: Colour tags.
        has_alpha: Whether it has alpha.
        interlaced: Whether the first frame is interlaced.
        may_have_fields: Whether later frames may be interlaced.
        variable_rate: Whether the frame rate varies.
        audio: Sound tracks.
        subtitle_tracks: Subtitle tracks.
        chapter_list: Chapters.
        language: Language of the picture.
        stream_index: The picture's number among all streams.
        decoder: A decoder to request from ffmpeg, if its default would lose something.
        first_time: The first frame's time stamp in the file.
        tick: Unit of time stamps; 0 if they are exact.
        clock_may_leap: Whether time stamps may restart within the file.
        picture_length: The picture's own length, if noted.
        dolby_vision: Profile of a film whose colours only Dolby Vision players show.
        frame_times: Exact times of all frames, and of the end, if time stamps are not exact.
        files: Files of a sequence.
        ticks: Times of these files in frames.
        fit: How files of a sequence are made one size.
        odd_sizes: How many of them have another size than the first.
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
    mirrored: bool = False
    sample_aspect: Fraction = Fraction(1)
    pixel_format: str = "rgb24"
    depth: int = 8
    color: Color = field(default_factory=Color)
    has_alpha: bool = False
    interlaced: bool = False
    may_have_fields: bool = False
    variable_rate: bool = False
    audio: tuple[AudioStream, ...] = ()
    subtitle_tracks: tuple[SubtitleStream, ...] = ()
    chapter_list: tuple[Chapter, ...] = ()
    language: str | None = None
    stream_index: int = 0
    decoder: str | None = None
    first_time: Fraction = Fraction(0)
    tick: Fraction = Fraction(0)
    clock_may_leap: bool = False
    picture_length: Fraction | None = None
    dolby_vision: int | None = None
    frame_times: tuple[Fraction, ...] = ()
    files: tuple[Path, ...] = ()
    ticks: tuple[int, ...] = ()
    fit: str | None = None
    odd_sizes: int = 0

    @property
    def own_light(self) -> Color | None:
        """Colour tags of a source with more light than a screen's, which can be kept; else None."""
        kept = self.color.is_own_light and (self.color.is_hdr or self.kind == "sequence")
        return self.color if kept and self.dolby_vision is None else None

    @property
    def held(self) -> int:
        """Number of pictures that a sequence lacks; the one before is shown for their time."""
        return self.ticks[-1] + 1 - len(self.ticks) if self.ticks else 0

    def at_rate(self, rate: Fraction) -> MediaInfo:
        """Return a sequence at another rate."""
        return replace(self, rate=rate, duration=(self.ticks[-1] + 1) / rate)

    @property
    def subtitles(self) -> int:
        """Number of subtitle tracks."""
        return len(self.subtitle_tracks)

    @property
    def subtitle_codecs(self) -> tuple[str, ...]:
        """Codecs of the subtitle tracks."""
        return tuple(track.codec for track in self.subtitle_tracks)

    @property
    def chapters(self) -> int:
        """Number of chapters."""
        return len(self.chapter_list)

    def on_grid(self, time: Fraction) -> Fraction:
        """Return the exact time of a constant-rate frame from its rounded time stamp."""
        if self.variable_rate or not self.tick or self.tick * self.rate > Fraction(1, 8):
            return time
        exact = round(time * self.rate) / self.rate
        return exact if abs(exact - time) <= self.tick else time


def probe(path: Path | str, options: SeriesOptions = STRICT) -> MediaInfo:
    """Probe a video, an animation, a folder of pictures or a pattern of them.

    Decodes only one frame; ``options`` are for sequences of pictures. Raises MediaError, in one
    line, if the file is missing, empty, not media, or has no moving picture.
    """
    path = Path(path)
    if is_sequence(path):
        return _probe_sequence(path, options)
    path = readable(path)
    now = path.stat()
    state = _FileState(path, now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)
    return replace(_probe_cached(state), path=path)


def is_film(path: Path | str) -> bool:
    """Return whether a file is a film or an animation that ``probe`` can read."""
    try:
        return probe(path).kind in ("video", "animation")
    except MediaError:
        return False


def read_tags(path: Path | str) -> dict[str, str]:
    """Return the film's own tags (title, comment ...) from its container. Raises MediaError."""
    path = readable(Path(path))
    if webp.is_animation(path):
        return {}
    with demux.opened(path) as container:
        return dict(container.metadata)


def _probe_sequence(path: Path, options: SeriesOptions) -> MediaInfo:
    ticks, files = zip(*numbered_files(path, options), strict=True)
    # Only its depth and alpha are needed, not all of its pixels.
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
        color=LINEAR_LIGHT if first.is_light else Color(),
        has_alpha=first.alpha is not None,
        files=files,
        ticks=ticks,
        fit=options.fit,
        odd_sizes=odd_sizes,
    )


def _odd_sizes(files: Sequence[Path], options: SeriesOptions) -> int:
    """Count pictures of another size than the first; MediaError, by name, if not allowed."""
    wide, high = still_size(files[0])
    odd = 0
    for file in files:
        width, height = still_size(file)
        if (width, height) == (wide, high):
            continue
        odd += 1
        if options.fit is None:
            raise MediaError(
                f"{escape_text(file)}: is {width} x {height}, but {escape_text(files[0].name)} is "
                f"{wide} x {high}; make them one size, or dream them with --fit crop, pad or "
                "stretch"
            )
    return odd


@dataclass(frozen=True)
class _FileState:
    """A file as it is now: the same for every path that leads to it."""

    path: Path = field(compare=False)
    device: int
    inode: int
    size: int
    changed: int


@lru_cache(maxsize=16)
def _probe_cached(state: _FileState) -> MediaInfo:
    """Probe a file, cached: a render asks for the same one repeatedly, by several paths."""
    return _probe_file(state.path)


def _probe_file(path: Path) -> MediaInfo:
    if webp.is_animation(path):
        return _probe_webp(path)
    contents = demux.read_contents(path)
    if contents.is_still or is_still_heif(path):
        raise MediaError(
            f"{escape_text(path)}: is a still picture; dream it with 'dreamvideo image'"
        )
    picture = contents.picture
    if picture is None:
        held = [*(["audio"] if contents.audio else []), *contents.others]
        raise MediaError(
            f"{escape_text(path)}: holds no moving picture, only {', '.join(held) or 'nothing'}"
        )
    if picture.width * picture.height > ffmpeg.MAX_PIXELS:
        raise MediaError(
            f"{escape_text(path)}: declares {picture.width} x {picture.height} pixels, more than "
            "can be rendered"
        )
    decoder = _decoder(picture)
    displayed, audio = _as_ffmpeg_gives_it(
        path, picture.index, picture.codec, decoder, contents.audio
    )
    return _describe(path, contents, picture, decoder, displayed, audio)


def _decoder(picture: Picture) -> str | None:
    """Return a decoder to request by name: ffmpeg's own for VP8 and VP9 lose alpha."""
    if picture.tags.get("alpha_mode") == "1":
        return {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(picture.codec)
    return None


@dataclass(frozen=True)
class _Displayed:
    """The first frame as ffmpeg outputs it: upright and cropped, with its time stamp."""

    width: int
    height: int
    sample_aspect: Fraction
    time: Fraction


def _first_displayed(path: Path, index: int, codec: str, decoder: str | None) -> _Displayed:
    displayed, _ = _as_ffmpeg_gives_it(path, index, codec, decoder, ())
    return displayed


def _as_ffmpeg_gives_it(
    path: Path, index: int, codec: str, decoder: str | None, tracks: Sequence[Track]
) -> tuple[_Displayed, tuple[AudioStream, ...]]:
    """Return the first frame, and the sound tracks as described by ffmpeg, which will convert them.

    PyAV frees custom channel layouts twice, so it must not be asked for them.
    """
    # More threads are no faster for a single frame.
    choice = ["-threads", "1", *([f"-c:{index}", decoder] if decoder else [])]
    arguments = [
        *("-copyts", *ffmpeg.input_file(path, *choice), "-map", f"0:{index}"),
        *("-frames:v", "1", "-c:v", "rawvideo", "-fps_mode", "passthrough"),
        *("-enc_time_base", "demux", "-map_metadata", "-1", "-f", "framecrc", "pipe:1"),
    ]
    subject = f"{escape_text(path)}: its {codec} picture cannot be decoded"
    maps = [word for track in tracks for word in ("-map", f"0:{track.index}")]
    sound = [*maps, "-c", "copy", "-frames:a", "0", "-f", "framecrc", "pipe:1"] if maps else []
    try:
        picture, heard = _framecrc([*arguments, *sound], subject)
    except MediaError:
        # Broken sound must not make the picture fail.
        picture, heard = _framecrc(arguments, subject)
    if not picture.stamps:
        raise MediaError(subject)
    width, height = map(int, picture.facts["dimensions", 0].split("x"))
    time = picture.stamps[0] * Fraction(picture.facts["tb", 0])
    ratio = _ratio(picture.facts["sar", 0]) or Fraction(1)
    return _Displayed(width, height, ratio, time), tuple(
        AudioStream(
            heard.facts.get(("codec_id", n), track.codec),
            int(heard.facts.get(("sample_rate", n), track.rate)),
            heard.facts.get(("channel_layout_name", n), "unknown"),
            track.language,
            track.index,
            track.bits,
        )
        for n, track in enumerate(tracks)
    )


@dataclass
class _Listing:
    """Output of ffmpeg's framecrc format: properties by (name, stream), and time stamps."""

    facts: dict[tuple[str, int], str] = field(default_factory=dict)
    stamps: list[int] = field(default_factory=list)


def _framecrc(arguments: list[str], subject: str) -> tuple[_Listing, _Listing]:
    """Run ffmpeg; return a listing of the picture's packets, and one of the sound's properties."""
    _, written = ffmpeg.run(arguments, subject=subject)
    picture, sound = _Listing(), _Listing()
    for text in written.decode("utf-8", "replace").split("#software")[1:]:
        listing = picture if "#media_type 0: video" in text else sound
        for line in text.splitlines():
            head, _, value = line.partition(": ")
            name, _, number = head.removeprefix("#").partition(" ")
            if line.startswith("#") and number.isdigit():
                listing.facts[name, int(number)] = value
            elif line[:1].isdigit():
                # Sound has no packets here, so all of them belong to the picture.
                picture.stamps.append(int(line.split(",")[2]))
    return picture, sound


def _ratio(text: str) -> Fraction:
    """Parse a positive ratio such as "4/3"; 0 for "0/1" or "0/0", which mean unknown."""
    above, below = map(int, text.split("/"))
    return Fraction(above, below) if above > 0 and below > 0 else Fraction(0)


def _describe(
    path: Path,
    contents: Contents,
    picture: Picture,
    decoder: str | None,
    displayed: _Displayed,
    audio: tuple[AudioStream, ...],
) -> MediaInfo:
    times = _exact_times(path, contents.format)
    rate, variable = _rate_of_times(times) if len(times) > 2 else _rate(picture)
    if rate < _SLOWEST:
        every = f"declares a frame every {float(1 / rate):.3g} seconds"
        raise MediaError(f"{escape_text(path)}: {every}; its times are broken")
    frames: int | None
    duration = contents.duration
    length = _picture_length(picture, rate, contents.clock_may_leap)
    start = max(Fraction(0), displayed.time - contents.start)
    if len(times) > 1:
        frames, duration = len(times) - 1, times[-1]
    elif picture.whole and length is not None:
        frames = picture.packets
        # If the clock leaps, the container's claim includes the leap.
        duration = start + length if picture.leaps else max(duration, start + length)
    elif variable and picture.frames:
        frames = picture.frames
    else:
        frames = round((length or duration) * rate) or None
    pixels = _pixel_format(path, picture, decoder)
    return MediaInfo(
        path=path,
        kind="animation" if contents.format in _ANIMATIONS else "video",
        container=contents.format,
        codec=picture.codec,
        width=displayed.width,
        height=displayed.height,
        rate=rate,
        duration=duration,
        frames=frames,
        start=start,
        rotation=picture.rotation,
        mirrored=picture.mirrored,
        sample_aspect=displayed.sample_aspect,
        pixel_format=pixels,
        depth=depth(pixels),
        color=picture.color,
        has_alpha=has_alpha(pixels) or contents.format == "gif",
        interlaced=picture.interlaced,
        may_have_fields=picture.codec in _MAY_HAVE_FIELDS,
        variable_rate=variable,
        audio=audio,
        subtitle_tracks=tuple(
            SubtitleStream(t.codec, t.language, t.index) for t in contents.subtitles
        ),
        chapter_list=contents.chapters,
        language=picture.language,
        stream_index=picture.index,
        decoder=decoder,
        first_time=displayed.time,
        tick=picture.tick,
        clock_may_leap=contents.clock_may_leap,
        picture_length=length,
        dolby_vision=dolby_vision_only(path),
        frame_times=times,
    )


def _exact_times(path: Path, form: str) -> tuple[Fraction, ...]:
    """Return when each frame of an APNG starts and the last one ends: libav rounds their delays."""
    return (
        tuple(accumulate(apng.frame_durations(path), initial=Fraction(0))) if form == "apng" else ()
    )


def _probe_webp(path: Path) -> MediaInfo:
    """Probe an animated WebP, which libav's demuxers read only as single pictures."""
    delays = webp.frame_durations(path)
    length = sum(delays, Fraction(0))
    displayed = _first_displayed(path, 0, "webp", None)
    rate = snap_rate(len(delays) / length, Fraction(1, 1000)) if length else SEQUENCE_RATE
    return MediaInfo(
        path=path,
        kind="animation",
        container="webp_anim",
        codec="webp_anim",
        width=displayed.width,
        height=displayed.height,
        rate=rate,
        duration=length,
        frames=len(delays),
        sample_aspect=displayed.sample_aspect,
        pixel_format="yuva420p",
        color=Color("tv", "bt470bg"),
        has_alpha=True,
        variable_rate=len(set(delays)) > 1,
        first_time=displayed.time,
        tick=Fraction(1, 1000),
        picture_length=length,
    )


def _pixel_format(path: Path, picture: Picture, decoder: str | None) -> str:
    """Return the decoder's pixel format, from ffmpeg if libav lacks the decoder."""
    if decoder:
        return picture.pixel_format.replace("yuv420p", "yuva420p")
    return picture.pixel_format or demux.pixel_format_by_ffmpeg(path, picture.index)


def _find_tagged_length(picture: Picture) -> Fraction | None:
    """Return the stream's own duration in seconds, which Matroska files usually note."""
    tag = re.match(r"(\d+):(\d+):([\d.]+)$", picture.tags.get("duration", ""))
    return int(tag[1]) * 3600 + int(tag[2]) * 60 + Fraction(tag[3]) if tag else None


def _picture_length(picture: Picture, rate: Fraction, may_leap: bool) -> Fraction | None:
    """Return the length from the first frame to the end of the last, as measured or as noted."""
    if picture.whole and len(picture.measured) == picture.packets:
        return picture.measured[-1] - picture.measured[0] + 1 / rate
    if picture.whole and may_leap:
        # Recordings without time stamps: frames follow each other at the rate.
        return picture.packets / rate
    return _find_tagged_length(picture) or picture.duration


def _rate_of_times(times: Sequence[Fraction]) -> tuple[Fraction, bool]:
    """Return the mean rate of frames with known times and end, and whether it varies."""
    rate = (len(times) - 1) / times[-1] if times[-1] else SEQUENCE_RATE
    return rate, len({later - earlier for earlier, later in pairwise(times)}) > 1


def _rate(picture: Picture) -> tuple[Fraction, bool]:
    """Return the frame rate, and whether it varies; if so it is the average, else exact."""
    times, tick = picture.measured, picture.tick
    average, nominal = picture.average, picture.nominal
    varies = bool(average and nominal and abs(average / nominal - 1) > Fraction(1, 100))
    if times and not (nominal and keeps_to_rate(times, nominal, tick)):
        constant = find_constant_rate(times, tick)
        if constant is not None:
            return constant, False
        if nominal and demux.is_plausible(nominal, tick) and is_mostly_at(times, nominal):
            return nominal, True
        if len(times) > 1 and not (picture.frames and varies):
            return (len(times) - 1) / (times[-1] - times[0]), True
    rate = average if varies and average else nominal
    return snap_rate(rate or average or SEQUENCE_RATE, tick), varies
