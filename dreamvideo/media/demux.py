"""Read the contents of a container with libav's demuxers: streams, tags, packets."""

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

from dreamvideo import cancel
from dreamvideo.errors import MediaError
from dreamvideo.media import ffmpeg
from dreamvideo.media.mp4 import display_matrix
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pixel_formats import Color, color_of
from dreamvideo.media.timeline import Timeline

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet

# Seconds that opening a local file, or reading one packet of it, may take.
_PATIENCE = 30
# How many packets and bytes are read to find the picture and its rate.
_MOST_PACKETS = 2000
_MOST_BYTES = 1 << 26
# How many packets are read to compare several streams.
_COMPARED = 300
# A container without an index is read completely up to this size, for its true length.
_SMALL = 1 << 24
_STILL_FORMATS = re.compile(r"(image2|\w+_pipe)$")
_NO_PICTURE = ("attached_pic", "timed_thumbnails", "still_image", "dependent", "metadata")
# Brands of still pictures, which MP4's demuxer reads too.
_STILL_BRANDS = ("avif", "mif1", "mif2", "heic", "heix", "heim", "heis", "jpeg", "j2ki")
# AVFMT_TS_DISCONT: a format whose clock may restart.
_CLOCK_MAY_LEAP = 0x0200
# A code point that is in no list of colours.
_UNSPECIFIED = -1
# Higher rates are more often a container's clock than a camera's rate.
_FASTEST = 240


@dataclass(frozen=True)
class Chapter:
    """A chapter from ``start`` to ``end``, in seconds on the container's clock, with its tags."""

    start: Fraction
    end: Fraction
    tags: dict[str, str]


@dataclass(frozen=True)
class Track:
    """A stream of sound or subtitles.

    Attributes:
        index: Its number among all streams.
        codec: Name of the codec; "unknown" if libav has no name for it.
        language: Its language.
        rate: Samples per second.
        bits: Bits per sample as decoded.
    """

    index: int
    codec: str
    language: str | None
    rate: int = 0
    bits: int = 16


@dataclass(frozen=True)
class Picture:
    """The film's video stream, as declared, and as its first packets show.

    Attributes:
        index: Its number among all streams.
        codec: Name of the codec.
        language: Its language.
        width: Width in pixels.
        height: Height in pixels.
        average: Frame rate that the container claims.
        nominal: Frame rate that it keeps to.
        tick: Unit of its time stamps, in seconds.
        frames: Number of frames; None if the container does not know.
        duration: Length in seconds; None if the container does not know.
        tags: Its tags.
        pixel_format: Pixel format of the decoder.
        color: Colour tags.
        interlaced: Whether the first frame is interlaced.
        rotation: Degrees clockwise to display it.
        mirrored: Whether it is then mirrored left to right.
        measured: Sorted time stamps of the first packets, if they were needed.
        packets: Number of packets read.
        whole: Whether these are all packets.
        leaps: Whether the clock was seen to leap.
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
    """The contents of a file.

    Attributes:
        format: Name of the format.
        is_still: Whether it is a still picture, whatever its container.
        clock_may_leap: Whether time stamps of this format may restart within a file.
        start: Start in seconds; 0 if not claimed.
        duration: Length in seconds; 0 if not claimed.
        tags: The file's tags.
        chapters: Its chapters.
        picture: The video stream.
        audio: Sound tracks.
        subtitles: Subtitle tracks.
        others: Kinds of the other streams.
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
    """Read a file's header and, where it says too little, its first packets.

    Raises MediaError if it cannot be opened as a film.
    """
    with opened(path) as container:
        may_leap = bool(container.format.flags & _CLOCK_MAY_LEAP)
        streams = [s for s in container.streams if s.type in ("video", "audio", "subtitle")]
        pictures = [s for s in streams if s.type == "video" and not _is_still(s)]
        sound = [s for s in streams if s.type == "audio" and not _is_empty(s)]
        # There is no need to decode what is not dreamt as a film.
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
    """Count the picture's packets in a finished film. Raises MediaError."""
    with opened(path) as container:
        video = container.streams.video[:1]
        return sum(packet.size > 0 for packet in _packets(container, video)) if video else 0


def last_packet_end(path: Path, index: int, since: Fraction) -> tuple[Fraction, Fraction] | None:
    """Return time stamp and end, in seconds, of the packet that is shown last; None if unknown.

    Args:
        path: The film.
        index: Number of the stream.
        since: A time stamp before that packet, from which a file that has an index is read.
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
            for packet in _packets(container, stream):
                if packet.pts is not None and packet.duration:
                    now = packet.pts * tick, (packet.pts + packet.duration) * tick
                    last = now if last is None else max(last, now)
        except av.FFmpegError:
            # Of a damaged file, what can be read is what counts.
            pass
        return last


def sound_ends(path: Path, indexes: Sequence[int] | None = None) -> list[Fraction | None]:
    """Return the last packet's end of each sound track, on the file's clock; None: it has none.

    Reads the whole file.

    Args:
        path: The film.
        indexes: Numbers of the streams; None: all its sound.
    """
    import av

    with opened(path) as container:
        streams = container.streams.audio
        wanted = [s.index for s in streams] if indexes is None else list(indexes)
        chosen = [stream for stream in streams if stream.index in wanted]
        ends: dict[int, Fraction] = {}
        try:
            for packet in _packets(container, chosen) if chosen else ():
                if packet.pts is not None and packet.time_base:
                    end = (packet.pts + (packet.duration or 0)) * packet.time_base
                    ends[packet.stream.index] = max(end, ends.get(packet.stream.index, end))
        except av.FFmpegError:
            # Of a damaged file, what can be read is what counts.
            pass
        return [ends.get(index) for index in wanted]


def count_channels(path: Path, index: int) -> int:
    """Return how many channels a sound track has, by its stream's number. Raises MediaError."""
    with opened(path) as container:
        stream: Any = container.streams[index]
        return int(stream.codec_context.channels) or 1


def content_end(path: Path) -> Fraction:
    """Return the latest end of picture or sound, in seconds after its start.

    Reads the whole file.
    """
    import av

    end = Fraction(0)
    with opened(path) as container:
        start = Fraction(container.start_time or 0, 1_000_000)
        streams = [*container.streams.video, *container.streams.audio]
        try:
            for packet in _packets(container, streams):
                if packet.pts is not None and packet.time_base:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        except av.FFmpegError:
            pass
    return end - start


def _packets(container: InputContainer, streams: Any) -> Iterator[Any]:
    """Yield all packets of some streams. Raises Interrupted."""
    for packet in container.demux(streams):
        cancel.check()
        yield packet


def is_plausible(rate: Fraction, tick: Fraction) -> bool:
    """Return whether a claimed rate is more likely a camera's than the container's clock."""
    return rate <= _FASTEST and rate * tick <= Fraction(1, 4)


def pixel_format_by_ffmpeg(path: Path, index: int) -> str:
    """Return the pixel format of a stream that libav cannot decode here; "" if there is none."""
    import av

    arguments = [*ffmpeg.input_file(path), "-map", f"0:{index}", "-frames:v", "1"]
    arguments += ["-c:v", "rawvideo", "-bsf:v", "noise=drop=1", "-f", "nut", "pipe:1"]
    _, written = ffmpeg.run(arguments, subject=escape_text(path))
    with av.open(io.BytesIO(written), format="nut") as container:
        return str(container.streams.video[0].codec_context.pix_fmt or "")


def read_head(stream: Any, form: str) -> None:
    """Read from a stream what tells all about its picture: its header and two of its frames.

    Args:
        stream: Has ``read(size)``, which is called no more often than that takes.
        form: ffmpeg's name of its format.

    Raises:
        MediaError: It is not of that format, or holds no picture.
    """
    import av

    # Otherwise libav would read megabytes to measure the rate, and a slow pipe would wait for them.
    quick = {"fpsprobesize": "0", "analyzeduration": "1", "max_pixels": str(ffmpeg.MAX_PIXELS)}
    try:
        with av.open(stream, format=form, options=quick, metadata_errors="replace") as container:
            seen = 0
            for packet in container.demux():
                seen += packet.stream.type == "video" and packet.size > 0
                if seen == 2:
                    return
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"standard input: cannot be read as {form} ({error})") from error
    if not seen:
        raise MediaError("standard input: holds no moving picture")


def is_pixel_format(name: str) -> bool:
    """Return whether ffmpeg has a pixel format of that name."""
    import av

    try:
        av.VideoFormat(name, 16, 16)
    except ValueError:
        return False
    return True


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a local film file, with the same limits as ffmpeg's processes.

    Raises MediaError, in one line, also for errors while it is read.
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
            # These are passed to every stream's decoder too; before 17.1, PyAV crashed on files
            # whose streams are found only while reading.
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
    """Return ffmpeg's reason why a file cannot be opened; libav gives only a number."""
    with ffmpeg.Process(["-copyts", *ffmpeg.input_file(path)]) as process:
        process.read_all()
        process.wait()
        hint = "; rename it, % stands for numbers" if "%" in path.name else ""
        return f"{process.reason()}{hint}"


def _is_still(stream: Any) -> bool:
    """Return whether a video stream is a cover, a thumbnail or a part of another one."""
    kinds = type(stream.disposition)
    return any(flag in stream.disposition for flag in kinds if flag.name in _NO_PICTURE)


def _is_empty(stream: Any) -> bool:
    """Return whether a known sound track has no properties: it is announced, but never comes."""
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
    """The first packets of some streams, read on demand."""

    packets: Iterator[Packet[Any]]
    read: list[Packet[Any]] = field(default_factory=list)
    size: int = 0
    ended: bool = False

    def more(self) -> Packet[Any] | None:
        """Read the next packet; None at the end."""
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
        """Read until there are that many packets, or enough bytes.

        Returns whether there may be more.
        """
        while len(self.read) < packets and self.size < _MOST_BYTES:
            if self.more() is None:
                return False
        return True

    def of_so_far(self, stream: Any) -> list[Packet[Any]]:
        """Return the packets of a stream among those read so far."""
        return [packet for packet in self.read if packet.stream is stream and packet.size]

    def of(self, stream: Any) -> Iterator[Packet[Any]]:
        """Yield all packets of a stream, starting with those already read."""
        at = 0
        while at < len(self.read) or (self.read_more(at + 1) and at < len(self.read)):
            if self.read[at].stream.index == stream.index:
                yield self.read[at]
            at += 1


def _picture(
    path: Path, container: InputContainer, streams: Sequence[Any], may_leap: bool
) -> Picture:
    """Choose the film's video stream and describe it."""
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
    """Return the stream that moves; of several, the one marked as default, or the first."""
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
    """Decode the first frame; None if libav cannot, though ffmpeg perhaps can."""
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
    """Return the first frame's colour tags.

    Those that this version of PyAV lacks come from the decoder.
    """
    names = ("color_range", "colorspace", "color_primaries", "color_trc")
    values = (getattr(frame, name, getattr(context, name, None)) for name in names)
    levels, matrix, primaries, transfer = (_UNSPECIFIED if v is None else int(v) for v in values)
    return color_of(levels, matrix, primaries, transfer)


def _orientation(frame: Any | None, matrix: tuple[int, ...] | None) -> tuple[int, bool]:
    """Return degrees clockwise, and whether it is mirrored left to right after that.

    PyAV frees a frame's side data twice, so the matrix must be read elsewhere; it maps (x, y) to (a
    x + c y, b x + d y), downwards being positive.
    """
    if matrix is not None:
        a, b, _, c, d, *_ = matrix
        mirrored = a * d - b * c < 0
        turned = round(math.degrees(math.atan2(b, -a if mirrored else a))) % 360
        if turned or mirrored:
            return turned, mirrored
    return (-frame.rotation % 360 if frame is not None else 0), False
