"""Read films: frames with exact times, one after another, in constant memory."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo import timers
from dreamvideo.cancel import check
from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.decode import DecodeReport, Feed, Size, Timed, decode_frames
from dreamvideo.media.demux import count_packets
from dreamvideo.media.own_light import screen_codes
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pixel_formats import Color as Tags
from dreamvideo.media.probe import MediaInfo, probe
from dreamvideo.media.sequence import STRICT, SeriesOptions
from dreamvideo.media.series import read_series
from dreamvideo.media.stills import Color, cover_hidden, flatten, is_still, read_still, to_depth

__all__ = [
    "Frame",
    "SeekPoint",
    "Source",
    "compute_checksum",
    "count_packets",
    "open_source",
    "read_frame_at",
]


@dataclass(frozen=True)
class Frame:
    """One picture of a film.

    Attributes:
        index: Counts the delivered frames from 0.
        time: Seconds on the source's own clock, on which its first video frame is 0, even if
            delivery starts later.
        duration: How long it is shown, in seconds.
        pixels: uint8, H x W x 3, RGB.
        deep: The same as uint16, if more than 8 bits were requested; or the frame in its own light.
        alpha: uint8, H x W, if it was requested and is not fully opaque.
    """

    index: int
    time: Fraction
    duration: Fraction
    pixels: NDArray[np.uint8]
    deep: NDArray[np.uint16] | None = None
    alpha: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class SeekPoint:
    """A frame seen in an earlier pass, by ``index``, ``time`` and ``compute_checksum``."""

    index: int
    time: Fraction
    check: int


def compute_checksum(frame: Frame) -> int:
    """Return a checksum that identifies a frame: of its time, its duration and all its values."""
    check = zlib.crc32(f"{frame.time} {frame.duration}".encode())
    for values in (frame.pixels, frame.deep, frame.alpha):
        if values is not None:
            check = zlib.crc32(np.ascontiguousarray(values).data, check)
    return check


class Source:
    """The frames of one film: a context manager, iterable once.

    ``notes`` are lines for the user and ``missing`` is the number of frames that the file should
    have but does not deliver; both are complete when the last frame has been read.
    """

    def __init__(
        self,
        info: MediaInfo,
        size: Size,
        frames: Generator[Frame, None, None],
        report: DecodeReport,
    ) -> None:
        """Wrap a stream of frames.

        Args:
            info: The film.
            size: (width, height) of the frames.
            frames: The frames.
            report: Filled in while they are decoded.
        """
        self.info = info
        self.size = size
        self._frames = frames
        self._report = report

    @property
    def notes(self) -> list[str]:
        """Lines for the user."""
        return self._report.notes

    @property
    def missing(self) -> int:
        """Frames lost to damage."""
        return self._report.missing

    @property
    def sound(self) -> bool:
        """Whether no damage was found so far."""
        report = self._report
        return not (report.complaints or report.missing or report.repeated)

    def peek(self) -> Frame | None:
        """Return the next frame, which is still delivered; None at the end."""
        first = next(self._frames, None)
        if first is not None:
            self._frames = _prepend(first, self._frames)
        return first

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._frames.close()

    def __iter__(self) -> Iterator[Frame]:
        return timers.each("decode", self._frames)


def _prepend(first: Frame, rest: Generator[Frame, None, None]) -> Generator[Frame, None, None]:
    with closing(rest):
        yield first
        yield from rest


@dataclass(frozen=True)
class ReadOptions:
    """Which frames of a film to read, and how.

    Attributes:
        start: Seconds; None: the beginning.
        end: Seconds; None: the end.
        size: (width, height) of the delivered frames; None: the film's own.
        fps: Resample to a constant rate, each tick showing what the source shows at that time; the
            rate of a sequence of pictures.
        background: Colour that transparent areas are composited over, unless ``keep_alpha``.
        deep: Whether to deliver 16 bits as well.
        keep_alpha: Whether to deliver straight colours and their alpha.
        series: What a folder of pictures may lack.
        own_light: Colour tags of the source's own light, to deliver that in ``deep``.
    """

    start: Fraction | None = None
    end: Fraction | None = None
    size: Size | None = None
    fps: Fraction | None = None
    background: Color = (0, 0, 0)
    deep: bool = False
    keep_alpha: bool = False
    series: SeriesOptions = STRICT
    own_light: Tags | None = None


WHOLE_FILM = ReadOptions()


def open_source(
    path: Path | str, options: ReadOptions = WHOLE_FILM, *, opening: SeekPoint | None = None
) -> Source:
    """Open a film for one pass over its frames with ``start <= time < end``.

    With an ``opening``, which was found with the same options, the frames from there on are
    delivered exactly as if read from the start; what precedes it is read only if it cannot be
    reached otherwise.

    Args:
        path: The film, a folder of pictures or a pattern of them.
        options: The range, size, rate and form of the frames.
        opening: The frame to start at.

    Raises:
        MediaError: The file cannot be read.
        UsageError: The range is empty.
    """
    info = probe(path, options.series)
    if info.kind == "sequence" and options.fps is not None:
        info = info.at_rate(options.fps)
    return open_probed(info, options, opening=opening)


def open_probed(
    info: MediaInfo,
    options: ReadOptions = WHOLE_FILM,
    *,
    opening: SeekPoint | None = None,
    feed: Feed | None = None,
) -> Source:
    """``open_source`` for a film that was probed already, or that arrives through a pipe.

    Args:
        info: The film.
        options: The range, size, rate and form of the frames.
        opening: The frame to start at.
        feed: Where the film comes from, if it is not a file.

    Raises:
        MediaError: It cannot be read.
        UsageError: The range is empty.
    """
    start, end, fps = options.start, options.end, options.fps
    begin = start if start is not None and start > 0 else Fraction(0)
    _check_range(info, begin, end)
    size = options.size or (info.width, info.height)
    own = options.own_light is not None
    report = DecodeReport(notes=_notes(info, own))
    resampled = fps if info.kind != "sequence" else None

    def frames_from(opening: SeekPoint | None) -> Generator[Frame, None, None]:
        since, index = (begin, 0) if opening is None else (opening.time, opening.index)
        if info.kind == "sequence":
            timed = read_series(info, size, since, options.background, report, own_light=own)
        else:
            bits = 16 if options.deep or own else 8
            timed = decode_frames(info, size, since, bits, report, opening is not None, own, feed)
        frames = _add_durations(timed, info, report)
        if resampled is not None:
            # What is displayed at an opening may have started before it.
            frames = _resample(_clip_range(frames, begin, end, 0), resampled, begin, index)
        else:
            frames = _clip_range(frames, since, end, index)
        return _finished(frames, options)

    if opening is None:
        return Source(info, size, frames_from(None), report)
    return Source(info, size, _opened(frames_from, opening, report), report)


def read_frame_at(path: Path, at: float | Fraction) -> NDArray[np.uint8]:
    """Read a picture, or a film's frame at ``at`` seconds: H x W x 3 RGB. Raises MediaError."""
    if is_still(path):
        # It may be a film with a picture's extension.
        with suppress(MediaError):
            return read_still(path)
    # The last frame may start a moment before the reported end of the film.
    exact = at if isinstance(at, Fraction) else Fraction(at).limit_denominator(10_000)
    for start in (exact, exact * Fraction(9, 10), Fraction(0)):
        with suppress(UsageError), open_source(path, ReadOptions(start=start)) as source:
            for frame in source:
                return frame.pixels
    raise MediaError(f"{escape_text(path)}: no frame could be decoded")


@dataclass(frozen=True)
class _Raw:
    """A frame as decoded: 3 or 4 channels, uint8 or uint16."""

    index: int
    time: Fraction
    duration: Fraction
    pixels: NDArray[Any]


_Raws = Generator[_Raw, None, None]


def _check_range(info: MediaInfo, begin: Fraction, end: Fraction | None) -> None:
    if end is not None and end <= begin:
        raise UsageError(
            f"the range ends at {float(end):g} s, before it starts ({float(begin):g} s)"
        )
    if info.duration and begin >= info.duration and not info.clock_may_leap:
        raise UsageError(
            f"{escape_text(info.path)}: lasts {float(info.duration):g} s, so nothing starts at "
            f"{float(begin):g} s"
        )


def _notes(info: MediaInfo, own_light: bool) -> list[str]:
    """Return notes on what is done to the picture before it is dreamt."""
    notes = []
    turned = [f"rotated by {info.rotation} degrees"] if info.rotation else []
    turned += ["mirrored"] if info.mirrored else []
    if turned:
        notes.append(f"{' and '.join(turned)}, as the file asks")
    if info.interlaced:
        notes.append("deinterlaced")
    if info.color.is_hdr:
        name = "PQ" if info.color.transfer == "smpte2084" else "HLG"
        notes.append(
            f"HDR is kept: dreamt on a copy tone-mapped from HDR ({name}) to BT.709"
            if own_light
            else f"tone-mapped from HDR ({name}) to BT.709"
        )
    elif info.color.is_wide:
        notes.append(f"colours converted from {info.color.primaries} to BT.709")
    if info.dolby_vision is not None:
        notes.append(
            f"declares Dolby Vision profile {info.dolby_vision}, which only its own players show "
            "correctly: the colours may be wrong here; convert it to HDR10, HLG or SDR first"
        )
    return notes


def _opened(
    frames_from: Callable[[SeekPoint | None], Generator[Frame, None, None]],
    opening: SeekPoint,
    report: DecodeReport,
) -> Generator[Frame, None, None]:
    """Yield the frames from an opening on; read from the start if the frame found there differs."""
    notes = list(report.notes)
    with closing(frames_from(opening)) as frames:
        first = None
        with suppress(MediaError):
            first = next(frames, None)
        if first is not None and compute_checksum(first) == opening.check:
            yield first
            yield from frames
            return
    report.notes[:] = notes
    report.missing = report.complaints = report.repeated = 0
    with closing(frames_from(None)) as frames:
        for frame in frames:
            if frame.index >= opening.index:
                yield frame


def _add_durations(timed: Timed, info: MediaInfo, report: DecodeReport) -> _Raws:
    """Add durations to frames: until the next one; the last as the rate says."""
    waiting: _Raw | None = None
    index = 0
    try:
        for time, pixels in timed:
            if waiting is not None:
                if time <= waiting.time:
                    report.repeated += 1
                    continue
                yield replace(waiting, duration=time - waiting.time)
            waiting = _Raw(index, time, 1 / info.rate, pixels)
            index += 1
        if report.repeated:
            report.notes.append(f"{report.repeated} frames without a time of their own left out")
        if waiting is not None:
            yield replace(waiting, duration=_last_duration(waiting, info, report))
    finally:
        timed.close()


def _last_duration(last: _Raw, info: MediaInfo, report: DecodeReport) -> Fraction:
    if report.last_duration is not None:
        return report.last_duration
    # If no packet gives it, derive it from the total length.
    rest = (info.picture_length or info.duration) - last.time
    own = info.kind == "animation" or info.variable_rate
    return rest if own and rest > 0 else last.duration


def _clip_range(frames: _Raws, begin: Fraction, end: Fraction | None, index: int) -> _Raws:
    """Yield frames with begin <= time < end, shown at most until ``end``.

    They are counted on from ``index``.
    """
    try:
        for frame in frames:
            if end is not None and frame.time >= end:
                return
            if frame.time >= begin:
                length = frame.duration if end is None else min(frame.duration, end - frame.time)
                yield replace(frame, index=index, duration=length)
                index += 1
    finally:
        frames.close()


def _resample(frames: _Raws, fps: Fraction, begin: Fraction, index: int) -> _Raws:
    """Yield what is displayed at the times begin + k / fps, k counted on from ``index``."""
    try:
        for frame in frames:
            until = frame.time + frame.duration
            while begin + index / fps < until:
                yield _Raw(index, begin + index / fps, 1 / fps, frame.pixels)
                index += 1
    finally:
        frames.close()


def _finished(frames: _Raws, options: ReadOptions) -> Generator[Frame, None, None]:
    try:
        for raw in frames:
            check()
            pixels, own = raw.pixels, None
            if options.own_light is not None:
                own, pixels = np.split(pixels, 2)
            colors, alpha = pixels[..., :3], None
            if pixels.shape[2] == 4:
                # What the tone mapping passes on has no alpha.
                alpha = (pixels if own is None else own)[..., 3]
                clear = options.keep_alpha and bool((alpha < np.iinfo(alpha.dtype).max).any())
                if clear:
                    colors = cover_hidden(colors, alpha, options.background)
                else:
                    colors = flatten(colors, alpha, options.background)
                if own is not None and options.own_light is not None and clear:
                    own[alpha == 0, :3] = screen_codes(options.background, options.own_light)
                alpha = to_depth(alpha, 8) if clear else None
            deep = to_depth(colors, 16) if options.deep else None
            if own is not None:
                deep = own[..., :3]
            yield Frame(
                index=raw.index,
                time=raw.time,
                duration=raw.duration,
                pixels=np.ascontiguousarray(to_depth(colors, 8)),
                deep=None if deep is None else np.ascontiguousarray(deep),
                alpha=alpha,
            )
    finally:
        frames.close()
