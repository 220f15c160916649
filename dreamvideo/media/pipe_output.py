"""A film on standard output, frame by frame as it is made: YUV4MPEG2 or NUT."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media import ffmpeg
from dreamvideo.media.decode import assumed_matrix
from dreamvideo.media.ivf import PNG_CODEC, RGBA_CODEC, ivf_frame, ivf_header
from dreamvideo.media.stills import Color, flatten, png_bytes, to_depth

Form = Literal["y4m", "nut"]
NAME = "standard output"
STDOUT, STDERR = 1, 2
# What YUV4MPEG2 holds without ffmpeg's extensions, and what it holds with them.
_PLAIN = ("yuv420p", "yuv422p", "yuv444p")
_DEEP = {8: "", 10: "10le", 16: "16le"}


@dataclass(frozen=True)
class PipeFrame:
    """A frame to write.

    Attributes:
        time: Seconds since the film's first frame.
        pixels: H x W x 3 RGB, uint8 or uint16.
        alpha: H x W, uint8; None: opaque.
    """

    time: Fraction
    pixels: NDArray[Any]
    alpha: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class PipeFormat:
    """How frames are written.

    Attributes:
        form: YUV4MPEG2 has a constant rate and no alpha; NUT has both, and every frame's time.
        size: (width, height).
        rate: Frames per second.
        clock: Seconds of which every frame's time is a multiple, for NUT.
        depth: Bits per channel.
        alpha: Whether the source has alpha.
        background: Colour that transparent areas are composited over in YUV4MPEG2.
        pixel_format: The source's, whose chroma subsampling YUV4MPEG2 keeps.
    """

    form: Form
    size: tuple[int, int]
    rate: Fraction
    clock: Fraction
    depth: int = 8
    alpha: bool = False
    background: Color = (0, 0, 0)
    pixel_format: str = "rgb24"


class ReaderGoneError(MediaError):
    """Whoever read standard output has ended before the film did."""


@contextmanager
def standard_output() -> Iterator[int]:
    """Give the file descriptor of standard output; meanwhile all that is printed goes to stderr.

    Raises UsageError if it is a terminal.
    """
    if os.isatty(STDOUT):
        raise UsageError(
            "standard output is a terminal: pipe it into a program, for example ffplay -, or name "
            "a file with -o"
        )
    sys.stdout.flush()
    kept = os.dup(STDOUT)
    try:
        os.dup2(STDERR, STDOUT)
        yield kept
    finally:
        sys.stdout.flush()
        os.dup2(kept, STDOUT)
        os.close(kept)


def write_pipe(frames: Iterable[PipeFrame], form: PipeFormat, descriptor: int) -> None:
    """Write a film as its frames come.

    Args:
        frames: The frames, at a constant rate for YUV4MPEG2.
        form: How they are written.
        descriptor: The file descriptor to write to.

    Raises:
        ReaderGoneError: Nobody reads any more.
        MediaError: It cannot be written.
        Interrupted: This process was asked to stop.
    """
    chunks = _y4m_frames(frames, form) if form.form == "y4m" else _nut_frames(frames, form)
    arguments = _y4m_arguments(form) if form.form == "y4m" else _nut_arguments(form)
    with ffmpeg.Process(arguments, feed=True, output=descriptor) as process:
        process.feed(chunks)
        code = process.wait()
        if code != 0:
            reason = process.reason()
            if "Broken pipe" in reason or "signal 13" in reason:
                raise ReaderGoneError(f"{NAME}: its reader has ended before the film did")
            raise MediaError(f"{NAME}: cannot be written ({reason})")


def _y4m_arguments(form: PipeFormat) -> list[str]:
    # It does not say by which matrix it was made, so it must be the one that readers assume.
    matrix = {"bt709": "bt709", "bt601": "smpte170m"}[assumed_matrix(*form.size)]
    family = next((f for f in _PLAIN if form.pixel_format.startswith(f)), "yuv444p")
    family = "yuv420p" if form.pixel_format.startswith(("yuvj420", "nv")) else family
    pixels = family + _DEEP[form.depth]
    convert = f"scale=out_color_matrix={matrix}:out_range=tv:flags={ffmpeg.ACCURATE}+bicubic"
    given = "rgb24" if form.depth == 8 else "rgb48le"
    return [
        *("-f", "rawvideo", "-pixel_format", given, "-video_size", "{}x{}".format(*form.size)),
        *("-framerate", str(form.rate), "-i", "pipe:0", "-vf", f"{convert},format={pixels}"),
        *("-fps_mode", "passthrough", "-strict", "-1", "-flush_packets", "1"),
        *("-f", "yuv4mpegpipe", "pipe:1"),
    ]


def _y4m_frames(frames: Iterable[PipeFrame], form: PipeFormat) -> Iterator[bytes]:
    for frame in frames:
        pixels = frame.pixels
        if frame.alpha is not None:
            pixels = flatten(pixels, to_depth(frame.alpha, 8 * pixels.itemsize), form.background)
        yield np.ascontiguousarray(to_depth(pixels, 8 if form.depth == 8 else 16)).tobytes()


def _nut_arguments(form: PipeFormat) -> list[str]:
    deep = form.depth > 8
    pixels = ("rgba64le" if deep else "rgba") if form.alpha else ("rgb48le" if deep else "rgb24")
    return [
        # Otherwise it would wait for several frames to measure their rate.
        *("-fpsprobesize", "0", "-analyzeduration", "0", "-f", "ivf", "-i", "pipe:0"),
        *("-map", "0:v:0", "-fps_mode", "passthrough", "-enc_time_base", "demux"),
        *("-c:v", "rawvideo", "-pix_fmt", pixels, "-flush_packets", "1", "-f", "nut", "pipe:1"),
    ]


def _nut_frames(frames: Iterable[PipeFrame], form: PipeFormat) -> Iterator[bytes]:
    deep = form.depth > 8
    opaque: NDArray[np.uint8] = np.full(form.size[::-1], 255, np.uint8)
    yield ivf_header(form.clock, codec=PNG_CODEC if deep else RGBA_CODEC, size=form.size)
    for frame in frames:
        alpha = opaque if frame.alpha is None else frame.alpha
        if deep:
            opacity = to_depth(alpha, 16) if form.alpha else None
            data = png_bytes(to_depth(frame.pixels, 16), opacity)
        else:
            data = np.dstack([frame.pixels, alpha]).tobytes()
        yield ivf_frame(round(frame.time / form.clock), data)
