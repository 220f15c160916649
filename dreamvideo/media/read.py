"""Moving pictures in: path -> frames with exact times, one after the other, in constant memory."""

from __future__ import annotations

import queue
import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media import ffmpeg
from dreamvideo.media.paths import shown
from dreamvideo.media.probe import MediaInfo, probe
from dreamvideo.media.stills import Color, flatten, read_still

Size = tuple[int, int]
# Containers whose index lets ffmpeg land before the wanted time; elsewhere we read from the start.
_SEEKABLE = ("mov", "matroska")
_SEEK_MARGIN = Fraction(1)
_TIME = re.compile(r"frame-time (\d+) (-?\d+) (\d+)/(\d+)$")
_FRAME_TIMES = ["-stats_enc_pre:v", "pipe:2", "-stats_enc_pre_fmt:v", "frame-time {n} {pts} {tb}"]


@dataclass(frozen=True)
class Frame:
    """One picture of a film.

    ``index`` counts the delivered frames from 0. ``time`` is seconds on the source's own clock, on
    which its first video frame is 0, also when delivery starts later. ``duration`` is how long it
    is shown, seconds. ``pixels`` is uint8, H x W x 3, RGB.
    """

    index: int
    time: Fraction
    duration: Fraction
    pixels: NDArray[np.uint8]


class Source:
    """The frames of one film: a context manager, iterable once. ``notes`` grows while reading.

    ``notes`` are lines that the user should hear, complete when the last frame has been read.
    """

    def __init__(
        self, info: MediaInfo, size: Size, frames: Generator[Frame, None, None], notes: list[str]
    ) -> None:
        self.info = info
        self.size = size
        self.notes = notes
        self._frames = frames

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
        return self._frames


def open_source(
    path: Path | str,
    *,
    start: Fraction | None = None,
    end: Fraction | None = None,
    size: Size | None = None,
    fps: Fraction | None = None,
    background: Color = (0, 0, 0),
) -> Source:
    """Open a film for one pass over its frames with ``start <= time < end``.

    ``size`` is (width, height) of the delivered frames; ``fps`` resamples to a constant rate, each
    tick showing what the source shows at that time. For a picture sequence ``fps`` is its rate.
    Raises MediaError for unreadable files and UsageError for an empty range.
    """
    info = probe(path)
    if info.kind == "sequence" and fps is not None:
        info = replace(info, rate=fps, duration=len(info.files) / fps)
    begin = start if start is not None and start > 0 else Fraction(0)
    if end is not None and end <= begin:
        raise UsageError(
            f"the range ends at {float(end):g} s, before it starts ({float(begin):g} s)"
        )
    if info.duration and begin >= info.duration:
        raise UsageError(
            f"{shown(info.path)}: lasts {float(info.duration):g} s, so nothing starts at "
            f"{float(begin):g} s"
        )
    size = size or (info.width, info.height)
    notes: list[str] = []
    if info.kind == "sequence":
        timed = _pictures(info, size, background)
    else:
        timed = _decoded(info, size, begin, background, notes)
    frames = _clipped(_with_durations(timed, info), begin, end)
    if fps is not None and info.kind != "sequence":
        frames = _resampled(frames, fps, begin)
    return Source(info, size, frames, notes)


_Timed = Generator[tuple[Fraction, NDArray[np.uint8]], None, None]
_Frames = Generator[Frame, None, None]


def _pictures(info: MediaInfo, size: Size, background: Color) -> _Timed:
    for number, file in enumerate(info.files):
        pixels = read_still(file, background)
        if pixels.shape[:2] != (info.height, info.width):
            raise MediaError(
                f"{shown(file)}: is {pixels.shape[1]} x {pixels.shape[0]}, but "
                f"{info.files[0].name} is {info.width} x {info.height}; make them one size"
            )
        yield number / info.rate, _resized(pixels, size)


def _resized(pixels: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    if pixels.shape[1::-1] == size:
        return pixels
    shrinks = size[0] * size[1] < pixels.shape[0] * pixels.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


def _decoded(
    info: MediaInfo, size: Size, begin: Fraction, background: Color, notes: list[str]
) -> _Timed:
    """(time, pixels) of what ffmpeg decodes, from a little before ``begin`` on."""
    channels = 4 if info.has_alpha else 3
    first = info.first_time
    times: queue.SimpleQueue[Fraction | None] = queue.SimpleQueue()

    def listen(line: str) -> None:
        match = _TIME.search(line)
        if match:
            times.put(int(match[2]) * Fraction(int(match[3]), int(match[4])))

    arguments = _decode_arguments(info, size, first + begin if begin else None)
    with ffmpeg.Process(arguments, on_line=listen, on_end=lambda: times.put(None)) as process:
        count = 0
        while True:
            pixels = np.empty((size[1], size[0], channels), np.uint8)
            if not _fill(process, pixels):
                break
            moment = times.get()
            if moment is None:
                raise MediaError(f"{shown(info.path)}: ffmpeg gave a frame without a time")
            count += 1
            yield moment - first, _flat(pixels, background)
        code = process.wait()
        if code < 0 or (code != 0 and count == 0):
            raise MediaError(f"{shown(info.path)}: decoding stopped: {process.reason()}")
        if process.complaint_count:
            notes.append(f"{shown(info.path)}: damaged: {process.reason()}")


def _flat(pixels: NDArray[np.uint8], background: Color) -> NDArray[np.uint8]:
    if pixels.shape[2] == 3:
        return pixels
    flat = flatten(pixels[..., :3], pixels[..., 3], background)
    return np.ascontiguousarray(flat, np.uint8)


def _decode_arguments(info: MediaInfo, size: Size, seek: Fraction | None) -> list[str]:
    options = ["-copyts"]
    if seek is not None and info.container.split(",")[0] in _SEEKABLE:
        options += ["-seek_timestamp", "1", "-ss", f"{float(seek - _SEEK_MARGIN):.6f}"]
    if info.decoder:
        options += [f"-c:{info.stream_index}", info.decoder]
    shrinks = size[0] * size[1] < info.width * info.height
    kernel = "area" if shrinks else "lanczos"
    scale = f"scale={size[0]}:{size[1]}:flags={kernel}+{ffmpeg.ACCURATE}"
    if info.color.matrix == "unknown" and info.pixel_format.startswith("yuv"):
        scale += f":in_color_matrix={_assumed_matrix(info)}"
    return [
        *ffmpeg.input_file(info.path, *options),
        *("-map", f"0:{info.stream_index}", "-vf", scale),
        *("-fps_mode", "passthrough", "-enc_time_base", "demux", *_FRAME_TIMES),
        *("-f", "rawvideo", "-pix_fmt", "rgba" if info.has_alpha else "rgb24", "pipe:1"),
    ]


def _assumed_matrix(info: MediaInfo) -> str:
    """What players take untagged video for: BT.709 from HD sizes on, BT.601 below."""
    return "bt709" if info.width >= 1280 or info.height > 576 else "bt601"


def _fill(process: ffmpeg.Process, pixels: NDArray[np.uint8]) -> bool:
    """Read one whole frame; False at the end (a last partial frame is dropped)."""
    view = pixels.reshape(-1).data
    got = 0
    while got < len(view):
        more = process.stdout.readinto(view[got:])  # type: ignore[attr-defined]
        if not more:
            return False
        got += more
    return True


def _with_durations(timed: _Timed, info: MediaInfo) -> _Frames:
    """Frames that know how long they are shown: until the next one, the last as the rate says."""
    waiting: Frame | None = None
    index = 0
    try:
        for time, pixels in timed:
            if waiting is not None:
                if time <= waiting.time:
                    continue
                yield replace(waiting, duration=time - waiting.time)
            waiting = Frame(index, time, 1 / info.rate, pixels)
            index += 1
        if waiting is not None:
            yield replace(waiting, duration=_last_duration(waiting, info))
    finally:
        timed.close()


def _last_duration(last: Frame, info: MediaInfo) -> Fraction:
    rest = info.duration - last.time
    return rest if info.kind == "animation" and rest > 0 else last.duration


def _clipped(frames: _Frames, begin: Fraction, end: Fraction | None) -> _Frames:
    """Frames with begin <= time < end, counted from 0, the last one shown until ``end`` at most."""
    index = 0
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


def _resampled(frames: _Frames, fps: Fraction, begin: Fraction) -> _Frames:
    """What is on display at the times begin + k / fps."""
    index = 0
    try:
        for frame in frames:
            until = frame.time + frame.duration
            while begin + index / fps < until:
                yield Frame(index, begin + index / fps, 1 / fps, frame.pixels)
                index += 1
    finally:
        frames.close()


def count_packets(path: Path) -> int:
    """How many video packets a finished film holds, by demuxing it whole. Raises MediaError."""
    arguments = [*ffmpeg.input_file(path), "-map", "0:v:0", "-c", "copy", "-f", "null", "-"]
    lines, _ = ffmpeg.run(arguments, subject=shown(path))
    return _packets(lines)


def _packets(lines: Iterable[str]) -> int:
    pattern = re.compile(r"Input stream #0:\d+ \(video\): (\d+) packets read")
    return next((int(match[1]) for line in lines if (match := pattern.search(line))), 0)
