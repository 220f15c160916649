"""A film on standard input: what it is, found from its first bytes, and the feed of its frames."""

from __future__ import annotations

import os
import re
import selectors
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from dreamvideo import cancel
from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media import demux, ffmpeg
from dreamvideo.media.decode import Feed
from dreamvideo.media.pixel_formats import depth, has_alpha
from dreamvideo.media.probe import MediaInfo, probe
from dreamvideo.parsing import parse_rate, parse_size

STDIN = 0
NAME = Path("standard input")
_PIECE = 1 << 16
# (what such a stream begins with, ffmpeg's name of the format, its usual extension)
_FORMATS = (
    (b"YUV4MPEG2 ", "yuv4mpegpipe", "y4m"),
    (b"nut/multimedia container\0", "nut", "nut"),
)
_RAW = re.compile(r"(\d+x\d+)@([\d./]+):(\w+)")


@dataclass(frozen=True)
class RawVideo:
    """Frames without any header: (width, height), frames per second, ffmpeg's pixel format."""

    size: tuple[int, int]
    rate: Fraction
    pixel_format: str

    @classmethod
    def parse(cls, text: str) -> RawVideo:
        """Parse ``640x360@25:rgb24``. Raises UsageError."""
        match = _RAW.fullmatch(text.strip().lower())
        if match is None:
            raise UsageError(f"--raw {text!r}: write size, rate and format as 640x360@25:rgb24")
        if not demux.is_pixel_format(match[3]):
            raise UsageError(
                f"--raw {text!r}: ffmpeg has no pixel format {match[3]!r}; usual ones are rgb24, "
                "rgba, bgr24, gray, yuv420p, yuv444p, rgb48le"
            )
        size = parse_size(match[1], 0, 0, option="--raw")
        return cls(size, parse_rate(match[2]), match[3])


@dataclass(frozen=True)
class PipedFilm:
    """A film on standard input, of unknown length.

    Attributes:
        info: What it is.
        feed: Its bytes, once.
        form: y4m, nut or raw.
    """

    info: MediaInfo
    feed: Feed
    form: str


def open_pipe(raw: RawVideo | None = None, descriptor: int = STDIN) -> PipedFilm:
    """Wait for the first frames of a film on standard input, and find out what it is.

    Args:
        raw: What it is, if it has no header.
        descriptor: The file descriptor to read.

    Raises:
        UsageError: There is only a terminal.
        MediaError: Nothing comes, or it is neither YUV4MPEG2 nor NUT.
        Interrupted: This process was asked to stop.
    """
    if os.isatty(descriptor):
        raise UsageError(
            "standard input is a terminal: pipe a film into it, for example from ffmpeg -i IN.mp4 "
            "-f yuv4mpegpipe -"
        )
    if raw is not None:
        return PipedFilm(_describe_raw(raw), _feed_raw(raw, descriptor), "raw")
    head = _Head(descriptor)
    begin = head.peek(max(len(magic) for magic, *_ in _FORMATS))
    if not begin:
        raise MediaError("standard input: nothing came through the pipe")
    for magic, form, ending in _FORMATS:
        if begin.startswith(magic):
            demux.read_head(head, form)
            info = _probe_head(bytes(head.seen), ending)
            limits = ["-protocol_whitelist", "pipe", "-format_whitelist", form]
            limits += ["-max_pixels", str(ffmpeg.MAX_PIXELS)]
            arguments = ["-copyts", *limits, "-f", form, "-i", "pipe:0"]
            feed = Feed(arguments, lambda ended: _read(bytes(head.seen), descriptor, ended))
            return PipedFilm(info, feed, ending)
    raise MediaError(
        "standard input: is neither YUV4MPEG2 nor NUT; let ffmpeg write -f yuv4mpegpipe or -f nut, "
        "or describe raw frames with --raw 640x360@25:rgb24"
    )


class _Head:
    """The beginning of a stream, kept for a second look."""

    def __init__(self, descriptor: int) -> None:
        self.seen = bytearray()
        self._descriptor = descriptor
        self._given = 0

    def peek(self, size: int) -> bytes:
        """Return that many of the first bytes, or fewer if the stream ends before."""
        while len(self.seen) < size and (more := _read_some(self._descriptor, size)):
            self.seen += more
        return bytes(self.seen[:size])

    def read(self, size: int) -> bytes:
        """Return the next bytes, as libav asks for them."""
        if self._given == len(self.seen):
            self.seen += _read_some(self._descriptor, size) or b""
        piece = bytes(self.seen[self._given : self._given + size])
        self._given += len(piece)
        return piece


def _read_some(
    descriptor: int, size: int, ended: Callable[[], bool] = lambda: False
) -> bytes | None:
    """Return what is there of a pipe, b"" at its end; None if it has ``ended`` for us before."""
    if sys.platform != "win32":
        with selectors.PollSelector() as waiting:
            waiting.register(descriptor, selectors.EVENT_READ)
            while not waiting.select(cancel.TICK):
                cancel.check()
                if ended():
                    return None
    return os.read(descriptor, size)


def _read(head: bytes, descriptor: int, ended: Callable[[], bool]) -> Iterator[bytes]:
    yield head
    while piece := _read_some(descriptor, _PIECE, ended):
        yield piece


def _probe_head(head: bytes, ending: str) -> MediaInfo:
    """Probe the first bytes of a stream as the beginning of a file."""
    with TemporaryDirectory(prefix="dreamvideo-") as folder:
        path = Path(folder) / f"{NAME}.{ending}"
        path.write_bytes(head)
        try:
            found = probe(path)
        except MediaError as error:
            raise MediaError(str(error).replace(str(path), str(NAME))) from None
    # Nobody knows how long it is, and in NUT whether its frames keep to a rate: each has its time.
    return replace(
        found,
        path=NAME,
        duration=Fraction(0),
        frames=None,
        picture_length=None,
        variable_rate=ending == "nut",
        subtitle_tracks=(),
        chapter_list=(),
    )


def _describe_raw(raw: RawVideo) -> MediaInfo:
    return MediaInfo(
        path=NAME,
        kind="video",
        container="rawvideo",
        codec="rawvideo",
        width=raw.size[0],
        height=raw.size[1],
        rate=raw.rate,
        duration=Fraction(0),
        frames=None,
        pixel_format=raw.pixel_format,
        depth=depth(raw.pixel_format),
        has_alpha=has_alpha(raw.pixel_format),
    )


def _feed_raw(raw: RawVideo, descriptor: int) -> Feed:
    size = "{}x{}".format(*raw.size)
    form = ["-f", "rawvideo", "-pixel_format", raw.pixel_format, "-video_size", size]
    arguments = [*form, "-framerate", str(raw.rate), "-i", "pipe:0"]
    return Feed(arguments, lambda ended: _read(b"", descriptor, ended))
