"""What a container holds, read through libav's demuxers: path -> streams, tags, packets."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamvideo.errors import MediaError
from dreamvideo.media import ffmpeg
from dreamvideo.media.mp4 import display_matrix
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pixel_formats import Color, color_of
from dreamvideo.media.timeline import Timeline

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet

# Seconds that opening, or reading one packet of, a local file may take.
_PATIENCE = 30
# How far streams are looked into for the picture and its rate.
_MOST_PACKETS = 2000
_MOST_BYTES = 1 << 26
# As far as several streams are compared.
_COMPARED = 300
# Of a container without an index so much is read whole, for its true length.
_SMALL = 1 << 24
_STILL_FORMATS = re.compile(r"(image2|\w+_pipe)$")
_NO_PICTURE = ("attached_pic", "timed_thumbnails", "still_image", "dependent", "metadata")
# Brands of still pictures, which MP4's demuxer reads too.
_STILL_BRANDS = ("avif", "mif1", "mif2", "heic", "heix", "heim", "heis", "jpeg", "j2ki")
# AVFMT_TS_DISCONT: a format whose clock may begin anew.
_CLOCK_MAY_LEAP = 0x0200
# A code point that no list of colours holds.
_UNSPECIFIED = -1
# Rates above this are more often a container's clock than a camera's.
_FASTEST = 240


@dataclass(frozen=True)
class Chapter:
    """A chapter: from ``start`` to ``end``, seconds on the container's clock, with its tags."""

    start: Fraction
    end: Fraction
    tags: dict[str, str]


@dataclass(frozen=True)
class Track:
    """A stream of sound or subtitles: its number among all streams, codec and language.

    ``rate`` is samples a second and ``bits`` what one has as it is decoded. The codec is "unknown"
    where libav has no name for it.
    """

    index: int
    codec: str
    language: str | None
    rate: int = 0
    bits: int = 16


@dataclass(frozen=True)
class Picture:
    """The stream that is the film, as declared, and as far as its first packets tell.

    ``average`` is the rate that the container claims and ``nominal`` the one that it keeps to;
    ``tick`` is the unit of its time stamps, seconds. ``frames`` and ``duration`` are
    None where the container does not know them. It is shown turned by ``rotation`` degrees
    clockwise, then ``mirrored`` left to right. ``measured`` are the time stamps of the first
    packets, in order, if they were needed; ``whole`` says that its ``packets`` are all, ``leaps``
    that the clock was seen to leap.
    """

    index: int
    codec: str
    language: str | None
    width: int
    height: int
    average: Fraction | None
    nominal: Fraction | None
    tick: Fraction
    frames: int | None
    duration: Fraction | None
    tags: dict[str, str]
    pixel_format: str = ""
    color: Color = field(default_factory=Color)
    interlaced: bool = False
    rotation: int = 0
    mirrored: bool = False
    measured: tuple[Fraction, ...] = ()
    packets: int = 0
    whole: bool = False
    leaps: bool = False


@dataclass(frozen=True)
class Contents:
    """What a file holds. ``start`` and ``duration`` are seconds, 0 where nothing is claimed.

    ``is_still`` says that it is a file of one picture, whatever its container.
    ``clock_may_leap`` says that time stamps of this format may begin anew within a file, ``others``
    are the kinds of streams besides film, sound and subtitles.
    """

    format: str
    is_still: bool
    clock_may_leap: bool
    start: Fraction
    duration: Fraction
    tags: dict[str, str]
    chapters: tuple[Chapter, ...]
    picture: Picture | None
    audio: tuple[Track, ...]
    subtitles: tuple[Track, ...]
    others: tuple[str, ...]


def read_contents(path: Path) -> Contents:
    """Look into a file's header and, where it says too little, its first packets.

    Raises MediaError if it cannot be opened as a film.
    """
    with opened(path) as container:
        may_leap = bool(container.format.flags & _CLOCK_MAY_LEAP)
        streams = [s for s in container.streams if s.type in ("video", "audio", "subtitle")]
        pictures = [s for s in streams if s.type == "video" and not _is_still(s)]
        sound = [s for s in streams if s.type == "audio" and not _is_empty(s)]
        # What is not dreamt as a film need not be decoded.
        of_pictures = bool(_STILL_FORMATS.match(container.format.name))
        picture = None
        if pictures and not of_pictures:
            picture = _picture(path, container, pictures, may_leap)
        brand = container.metadata.get("major_brand", "")
        lasts = picture is not None and picture.duration is not None
        return Contents(
            format=container.format.name,
            is_still=of_pictures or (brand in _STILL_BRANDS and not lasts),
            clock_may_leap=may_leap,
            start=Fraction(container.start_time or 0, 1_000_000),
            duration=Fraction(max(0, container.duration or 0), 1_000_000),
            tags=dict(container.metadata),
            chapters=tuple(_chapter(entry) for entry in container.chapters()),
            picture=picture,
            audio=tuple(_track(stream) for stream in sound),
            subtitles=tuple(_track(s) for s in streams if s.type == "subtitle"),
            others=tuple(dict.fromkeys(s.type for s in container.streams if s not in streams)),
        )


def count_packets(path: Path) -> int:
    """How many packets the picture of a finished film holds. Raises MediaError."""
    with opened(path) as container:
        video = container.streams.video[:1]
        return sum(packet.size > 0 for packet in container.demux(video)) if video else 0


def last_packet_end(path: Path, index: int, since: Fraction) -> tuple[Fraction, Fraction] | None:
    """Time stamp and end of the packet of stream ``index`` that is shown last, seconds.

    ``since`` is a time stamp before it, from which a file that has an index is read. None if no
    packet says when it ends.
    """
    import av

    with opened(path) as container:
        stream = container.streams[index]
        tick = stream.time_base or Fraction(1)
        if since > 1:
            try:
                container.seek(int((since - 1) / tick), stream=stream)
            except av.FFmpegError:
                container.seek(0)
        last = None
        try:
            for packet in container.demux(stream):
                if packet.pts is not None and packet.duration:
                    now = packet.pts * tick, (packet.pts + packet.duration) * tick
                    last = now if last is None else max(last, now)
        except av.FFmpegError:
            # What can be read of a damaged file is what counts.
            pass
        return last


def content_end(path: Path) -> Fraction:
    """The latest end of any picture or sound in a file, seconds after its start, read whole."""
    import av

    end = Fraction(0)
    with opened(path) as container:
        start = Fraction(container.start_time or 0, 1_000_000)
        streams = [*container.streams.video, *container.streams.audio]
        try:
            for packet in container.demux(streams):
                if packet.pts is not None and packet.time_base:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        except av.FFmpegError:
            pass
    return end - start


def is_plausible(rate: Fraction, tick: Fraction) -> bool:
    """Whether a claimed rate is more likely a camera's than the pace of the container's clock."""
    return rate <= _FASTEST and rate * tick <= Fraction(1, 4)


def pixel_format_by_ffmpeg(path: Path, index: int) -> str:
    """The format of a picture that libav here has no decoder for, "" if there is none."""
    import av

    arguments = [*ffmpeg.input_file(path), "-map", f"0:{index}", "-frames:v", "1"]
    arguments += ["-c:v", "rawvideo", "-bsf:v", "noise=drop=1", "-f", "nut", "pipe:1"]
    _, written = ffmpeg.run(arguments, subject=escape_text(path))
    with av.open(io.BytesIO(written), format="nut") as container:
        return str(container.streams.video[0].codec_context.pix_fmt or "")


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """A local film file, opened with the limits that ffmpeg's processes have too.

    Raises MediaError, one line, also for what goes wrong while it is read.
    """
    import av

    limits = {
        "protocol_whitelist": "file",
        "format_whitelist": ffmpeg.DEMUXERS,
        "max_pixels": str(ffmpeg.MAX_PIXELS),
    }
    try:
        container = av.open(
            ffmpeg.local_url(path),
            # They go to every stream's decoder too; before 17.1, PyAV crashed where streams of a
            # file are found only as it is read.
            options=limits,
            metadata_errors="replace",
            timeout=(_PATIENCE, _PATIENCE),
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"{escape_text(path)}: not a video that can be read ({_why(path)})"
        ) from error
    try:
        with container:
            yield container
    except (av.FFmpegError, OSError) as error:
        raise MediaError(
            f"{escape_text(path)}: cannot be read ({escape_text(str(error))})"
        ) from error


def _why(path: Path) -> str:
    """ffmpeg's own words for why a file cannot be opened; libav gives a number alone."""
    with ffmpeg.Process(["-copyts", *ffmpeg.input_file(path)]) as process:
        process.stdout.read()
        process.wait()
        hint = "; rename it, % stands for numbers" if "%" in path.name else ""
        return f"{process.reason()}{hint}"


def _is_still(stream: Any) -> bool:
    """Whether a stream of pictures is a cover, a thumbnail or a part of another one."""
    kinds = type(stream.disposition)
    return any(flag in stream.disposition for flag in kinds if flag.name in _NO_PICTURE)


def _is_empty(stream: Any) -> bool:
    """Whether a known sound has no properties: it is announced, but never comes."""
    context = stream.codec_context
    return context is not None and context.sample_rate == 0


def _codec(stream: Any) -> str:
    context = stream.codec_context
    return str(context.codec.canonical_name) if context is not None else "unknown"


def _language(stream: Any) -> str | None:
    language = stream.metadata.get("language")
    return None if language in (None, "", "und") else str(language)


def _track(stream: Any) -> Track:
    context = stream.codec_context
    if stream.type != "audio" or context is None:
        return Track(stream.index, _codec(stream), _language(stream))
    bits = 8 * context.format.bytes if context.format is not None else 16
    return Track(stream.index, _codec(stream), _language(stream), context.sample_rate, bits)


def _chapter(entry: Any) -> Chapter:
    base = entry["time_base"] or Fraction(1)
    return Chapter(entry["start"] * base, entry["end"] * base, dict(entry["metadata"]))


@dataclass
class _Head:
    """The first packets of some streams, read as far as they are asked for."""

    packets: Iterator[Packet[Any]]
    read: list[Packet[Any]] = field(default_factory=list)
    size: int = 0
    ended: bool = False

    def more(self) -> Packet[Any] | None:
        """The next packet; None at the end."""
        import av

        try:
            packet = None if self.ended else next(self.packets, None)
        except av.FFmpegError:
            packet = None
        if packet is None:
            self.ended = True
            return None
        self.read.append(packet)
        self.size += packet.size
        return packet

    def read_more(self, packets: int) -> bool:
        """Read until there are so many packets, or enough bytes. Whether there may be more."""
        while len(self.read) < packets and self.size < _MOST_BYTES:
            if self.more() is None:
                return False
        return True

    def of_so_far(self, stream: Any) -> list[Packet[Any]]:
        """The packets of a stream among those that were read."""
        return [packet for packet in self.read if packet.stream is stream and packet.size]

    def of(self, stream: Any) -> Iterator[Packet[Any]]:
        """All packets of a stream, those that were read first."""
        at = 0
        while at < len(self.read) or (self.read_more(at + 1) and at < len(self.read)):
            if self.read[at].stream.index == stream.index:
                yield self.read[at]
            at += 1


def _picture(
    path: Path, container: InputContainer, streams: Sequence[Any], may_leap: bool
) -> Picture:
    """Choose the stream that is the film, and describe it."""
    head = _Head(iter(container.demux(list(streams))))
    stream = _film(head, streams)
    context = stream.codec_context
    tick = stream.time_base or Fraction(1)
    average, nominal = stream.average_rate, stream.guessed_rate
    frame = _first_frame(head, stream)
    matrix = display_matrix(path, stream.id) if container.format.name.startswith("mov") else None
    measured: list[Fraction] = []
    packets: list[Any] = []
    leaps = False
    if may_leap and container.size <= _SMALL:
        head.read_more(_SMALL)
        clock = Timeline(Fraction(0), 1 / (nominal or Fraction(25)), leaps=True)
        packets = head.of_so_far(stream)
        stamps = (packet.dts for packet in packets)
        measured = [clock.place(stamp * tick) for stamp in stamps if stamp is not None]
        leaps = clock.is_broken
    elif not stream.frames or not nominal or not is_plausible(nominal, tick):
        # Without an index, a rate may be a guess from the first frames.
        head.read_more(_MOST_PACKETS)
        packets = head.of_so_far(stream)
        stamps = (p.dts if p.pts is None else p.pts for p in packets)
        measured = sorted(stamp * tick for stamp in stamps if stamp is not None)
    rotation, mirrored = _orientation(frame, matrix)
    return Picture(
        index=stream.index,
        codec=_codec(stream),
        language=_language(stream),
        width=0 if context is None else context.width,
        height=0 if context is None else context.height,
        average=average,
        nominal=nominal,
        tick=tick,
        frames=stream.frames or None,
        duration=None if stream.duration is None else stream.duration * tick,
        tags={key.lower(): value for key, value in stream.metadata.items()},
        pixel_format=str(frame.format.name if frame else getattr(context, "pix_fmt", None) or ""),
        color=_color(frame, context),
        interlaced=frame is not None and frame.interlaced_frame,
        rotation=rotation,
        mirrored=mirrored,
        measured=tuple(measured),
        packets=len(packets),
        whole=head.ended and bool(packets),
        leaps=leaps,
    )


def _film(head: _Head, streams: Sequence[Any]) -> Any:
    """The stream that moves; of several the one that its maker marked, or the first."""
    if len(streams) == 1:
        return streams[0]
    head.read_more(_COMPARED)
    counts = {stream.index: 0 for stream in streams}
    for packet in head.read:
        counts[packet.stream.index] += packet.size > 0

    def rank(stream: Any) -> tuple[int, bool, bool, int]:
        marked = type(stream.disposition).default in stream.disposition
        known = stream.codec_context is not None
        return min(2, counts[stream.index]), known, marked, -stream.index

    return max(streams, key=rank)


def _first_frame(head: _Head, stream: Any) -> Any | None:
    """The first decoded frame; None if libav cannot decode it, as ffmpeg perhaps can."""
    import av

    if stream.codec_context is None:
        return None
    stream.codec_context.options = {"max_pixels": str(ffmpeg.MAX_PIXELS)}
    stream.codec_context.thread_count = 1
    for packet in head.of(stream):
        try:
            frames = packet.decode()
        except (av.FFmpegError, MemoryError):
            continue
        if frames:
            return frames[0]
        if len(head.read) > _MOST_PACKETS:
            break
    return None


def _color(frame: Any | None, context: Any | None) -> Color:
    """Colour tags of the first frame; what its version of PyAV does not tell is the decoder's."""
    names = ("color_range", "colorspace", "color_primaries", "color_trc")
    values = (getattr(frame, name, getattr(context, name, None)) for name in names)
    levels, matrix, primaries, transfer = (_UNSPECIFIED if v is None else int(v) for v in values)
    return color_of(levels, matrix, primaries, transfer)


def _orientation(frame: Any | None, matrix: tuple[int, ...] | None) -> tuple[int, bool]:
    """Degrees clockwise, and whether it is mirrored left to right after that.

    PyAV frees what belongs to a frame's side data twice, so the matrix must be read elsewhere; it
    maps (x, y) to (a x + c y, b x + d y), downwards being positive.
    """
    if matrix is not None:
        a, b, _, c, d, *_ = matrix
        mirrored = a * d - b * c < 0
        turned = round(math.degrees(math.atan2(b, -a if mirrored else a))) % 360
        if turned or mirrored:
            return turned, mirrored
    return (-frame.rotation % 360 if frame is not None else 0), False
