"""Decode a film with ffmpeg: raw frames with exact times, and a report of damage."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.cancel import Interrupted
from dreamvideo.errors import MediaError
from dreamvideo.formatting import format_count
from dreamvideo.media import demux, ffmpeg
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pixel_formats import is_yuv
from dreamvideo.media.probe import MediaInfo
from dreamvideo.media.timeline import Timeline

Size = tuple[int, int]
Timed = Generator[tuple[Fraction, NDArray[Any]], None, None]

# Containers whose index lets ffmpeg seek to before the wanted time; others are read from the start.
_INDEXED = ("mov", "matroska")
_SEEK_MARGIN = Fraction(1)
# A last frame may be shown longer than the rate says; a file that ends this much earlier than it
# claims was cut off, even if the demuxer does not complain.
_CUT_SHORT = Fraction(1, 2)
_TIME = re.compile(r"frame-time (\d+) (-?\d+) (\d+)/(\d+)$")
_READ = re.compile(
    r"Input stream #0:\d+ \(video\): (\d+) packets read \(\d+ bytes\);"
    r"(?: (\d+) frames decoded; (\d+) decode errors;)?"
)
# What the filter showinfo prints for a frame that consists of fields.
_FIELDS = re.compile(r" i:[TB] ")
_FRAME_TIMES = ["-stats_enc_pre:v", "pipe:2", "-stats_enc_pre_fmt:v", "frame-time {n} {pts} {tb}"]


@dataclass(frozen=True)
class Feed:
    """A film that arrives through a pipe and can be read once.

    Attributes:
        arguments: ffmpeg's arguments that open it on its standard input.
        chunks: Yields its bytes; given a function that tells when nobody wants more of them.
    """

    arguments: Sequence[str]
    chunks: Callable[[Callable[[], bool]], Iterator[bytes]]


@contextmanager
def _fed(process: ffmpeg.Process, feed: Feed | None) -> Iterator[None]:
    """Pass a film on to ffmpeg, in a thread of its own, for the duration of the block."""
    if feed is None:
        yield
        return
    ended = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            process.feed(feed.chunks(ended.is_set))
        except Interrupted:
            # The thread that waits for the frames is told the same.
            pass
        except BaseException as error:
            failed.append(error)
            process.kill()

    thread = threading.Thread(target=run, name="standard input", daemon=True)
    thread.start()
    try:
        yield
    except MediaError:
        if failed:
            raise failed[0] from None
        raise
    finally:
        ended.set()
        # Killed first, so that the thread does not wait for it to take more.
        process.kill()
        thread.join()


@dataclass
class DecodeReport:
    """The result of decoding; complete when the last frame was read.

    Attributes:
        missing: Number of missing frames.
        complaints: Errors reported by the decoder so far.
        repeated: Frames so far that had the time of another.
        last_duration: How long the last frame is shown, in seconds, if the file says so.
        notes: Notes for the user.
    """

    missing: int = 0
    complaints: int = 0
    repeated: int = 0
    last_duration: Fraction | None = None
    notes: list[str] = field(default_factory=list)


def decode_frames(
    info: MediaInfo,
    size: Size,
    begin: Fraction,
    depth: int,
    report: DecodeReport,
    checked: bool = False,
    own_light: bool = False,
    feed: Feed | None = None,
) -> Timed:
    """Yield (time, pixels) of all frames, from slightly before ``begin`` on.

    Pixels are H x W x 3 RGB, or x 4 with straight alpha if the source has it.

    Args:
        info: The film.
        size: (width, height) of the frames.
        begin: Seconds.
        depth: 8 for uint8, 16 for uint16.
        report: Filled in while decoding.
        checked: Whether the caller verifies the first frame; then a seek is tried that may be
            wrong.
        own_light: Whether to put each frame in its own light, which the film must have, above that
            of a screen: 2 H x W.
        feed: Where the film comes from, if it is not a file.

    Raises:
        MediaError: Nothing can be decoded, or ffmpeg dies.
    """
    log = _DecodeLog()
    shape = (size[1] * (2 if own_light else 1), size[0], 4 if info.has_alpha else 3)
    seeks = feed is None and (begin > _SEEK_MARGIN if checked else has_index(info))
    chain = _both_lights(info, size) if own_light else _filters(info, size)
    source = _input(info, begin if seeks else Fraction(0)) if feed is None else feed.arguments
    arguments = _arguments(info, source, chain, depth, own_light)
    timeline = Timeline(info.first_time, 1 / info.rate, leaps=info.clock_may_leap)
    last = Fraction(0)
    count = 0
    with (
        ffmpeg.Process(
            arguments, feed=feed is not None, on_line=log.read, on_end=log.end
        ) as process,
        _fed(process, feed),
    ):
        try:
            while True:
                pixels = np.empty(shape, np.uint16 if depth == 16 else np.uint8)
                if not _fill(process, pixels):
                    break
                moment = log.times.get()
                if moment is None:
                    raise MediaError(
                        f"{escape_text(info.path)}: ffmpeg gave a frame without a time"
                    )
                last = info.on_grid(timeline.place(moment))
                if count + 1 < len(info.frame_times):
                    last = info.frame_times[count]
                count += 1
                yield last, pixels
        finally:
            report.complaints = process.complaint_count
        code = process.wait()
        report.complaints = process.complaint_count
        if code < 0 or (code != 0 and count == 0):
            raise MediaError(f"{escape_text(info.path)}: decoding stopped: {process.reason()}")
        if log.fields and not info.interlaced:
            report.notes.append("deinterlaced where it consists of fields")
        if timeline.is_broken:
            report.notes.append("its time stamps restart or jump: its parts are joined")
        if feed is not None:
            # Wherever a pipe ends is its end.
            return
        if not timeline.is_broken and count and count + 1 == len(info.frame_times):
            report.last_duration = info.frame_times[-1] - last
        elif not timeline.is_broken and count:
            report.last_duration = _last_duration(info, last, process.complaint_count > 0)
        _judge(info, log.counts, last, process, report, joined=timeline.is_broken)


class _DecodeLog:
    """What ffmpeg's log tells of the frames.

    Attributes:
        times: Their time stamps in seconds as they are decoded; None at the end.
        counts: Packets read, frames decoded and errors.
        fields: Whether a frame consists of fields.
    """

    def __init__(self) -> None:
        self.times: queue.SimpleQueue[Fraction | None] = queue.SimpleQueue()
        self.counts = (0, 0, 0)
        self.fields = False

    def read(self, line: str) -> None:
        """Read a line of the log."""
        match = _TIME.search(line)
        if match:
            self.times.put(int(match[2]) * Fraction(int(match[3]), int(match[4])))
        elif found := _READ.search(line):
            self.counts = int(found[1]), int(found[2] or 0), int(found[3] or 0)
        elif _FIELDS.search(line):
            self.fields = True

    def end(self) -> None:
        """Note that there are no more lines."""
        self.times.put(None)


def has_index(info: MediaInfo) -> bool:
    """Return whether a film can be read from any time without reading what precedes it."""
    return info.container.split(",")[0] in _INDEXED


def _judge(
    info: MediaInfo,
    counts: tuple[int, int, int],
    last: Fraction,
    process: ffmpeg.Process,
    report: DecodeReport,
    *,
    joined: bool,
) -> None:
    packets, frames, errors = counts
    # Without errors there may be more packets than frames: edit lists, VP8's hidden frames.
    undecodable = max(packets - frames, errors) if errors else 0
    if info.container == "webp_anim":
        # Here the file's own count is exact, and ffmpeg stops at damage without a message.
        cut = max(0, (info.frames or 0) - frames - undecodable)
    else:
        until = last + (report.last_duration or 1 / info.rate)
        cut = 0 if joined else _cut_short(info, until, process.complaint_count > 0)
    report.missing = undecodable + cut
    if report.missing:
        report.notes.append(
            f"{escape_text(info.path)} is damaged: {format_count(report.missing, 'frame')} missing"
            + (f", {undecodable} cannot be decoded" if undecodable else "")
            + (f", it ends {float(cut / info.rate):.2g} s early" if cut else "")
        )
    elif process.complaint_count and not joined:
        # Where recordings were joined, packet counters are discontinuous too.
        report.notes.append(
            f"{escape_text(info.path)} is damaged: no frame is missing, but some may show damage "
            f"({process.reason()})"
        )


def _last_duration(info: MediaInfo, last: Fraction, complained: bool) -> Fraction | None:
    """Return how long the last frame, shown from ``last`` on, stays, if its packet knows."""
    lacking = info.duration - info.start - last - 1 / info.rate
    if info.container == "webp_anim" or not (
        info.variable_rate or info.kind == "animation" or lacking > _enough(info, complained)
    ):
        return None
    found = demux.last_packet_end(info.path, info.stream_index, last + info.first_time)
    if found is None or abs(info.on_grid(found[0] - info.first_time) - last) > info.tick:
        return None
    return found[1] - info.first_time - last if found[1] - info.first_time > last else None


def _enough(info: MediaInfo, complained: bool) -> Fraction:
    """Return how many seconds too early a file must end to count as cut off."""
    return max(3 / info.rate, Fraction(1, 10)) if complained else _CUT_SHORT


def _cut_short(info: MediaInfo, until: Fraction, complained: bool) -> int:
    """Return how many frames the container claims after ``until``, the end of the last one."""
    lacking = info.duration - info.start - until
    enough = _enough(info, complained)
    if not info.duration or lacking < enough or (info.variable_rate and not complained):
        return 0
    # The sound may simply be longer than the picture; then the file is complete.
    if info.audio and demux.content_end(info.path) > info.duration - enough:
        return 0
    return round(lacking * info.rate)


def _input(info: MediaInfo, begin: Fraction) -> list[str]:
    """Return ffmpeg's arguments that open a file at a time."""
    options = ["-copyts"]
    if begin:
        # Relative to the start of the earliest stream.
        options += ["-ss", f"{float(max(Fraction(0), info.start + begin - _SEEK_MARGIN)):.6f}"]
    if info.decoder:
        options += [f"-c:{info.stream_index}", info.decoder]
    return ffmpeg.input_file(info.path, *options)


def _arguments(
    info: MediaInfo, source: Sequence[str], chain: str, depth: int, stacked: bool
) -> list[str]:
    letters = "rgba" if info.has_alpha else "rgb"
    bits = {"rgba": ("rgba", "rgba64le"), "rgb": ("rgb24", "rgb48le")}[letters][depth == 16]
    return [
        *source,
        *("-map", f"0:{info.stream_index}", "-vf", chain),
        # Stacked frames have lost the demuxer's unit of time, but keep to that of the filters.
        *("-fps_mode", "passthrough", "-enc_time_base", "filter" if stacked else "demux"),
        *_FRAME_TIMES,
        *("-f", "rawvideo", "-pix_fmt", bits, "pipe:1"),
    ]


def _filters(info: MediaInfo, size: Size) -> str:
    shrinks = size[0] * size[1] < info.width * info.height
    kernel = "area" if shrinks else "lanczos"
    # Otherwise the output would change its size wherever the source does.
    scale = f"scale={size[0]}:{size[1]}:flags={kernel}+{ffmpeg.ACCURATE}"
    color = info.color
    chain = _deinterlace(info)
    if color.matrix == "gbr" and is_yuv(info.pixel_format):
        # An impossible tag, with which no conversion can be set up.
        matrix = {"bt709": "bt709", "bt601": "smpte170m"}[assumed_matrix(info.width, info.height)]
        chain.append(f"setparams=colorspace={matrix}")
    if color.is_hdr or color.is_wide:
        # The conversion does not support odd sizes with subsampled chroma.
        odd = size[0] % 2 or size[1] % 2
        chain += [scale, *(["format=yuv444p16le|gbrp16le"] if odd else []), _sdr(info)]
    elif color.matrix == "unknown" and info.pixel_format.startswith("yuv"):
        chain.append(f"{scale}:in_color_matrix={assumed_matrix(info.width, info.height)}")
    else:
        chain.append(scale)
    return ",".join(chain)


def _deinterlace(info: MediaInfo) -> list[str]:
    if info.interlaced:
        return ["bwdif=mode=send_frame"]
    if info.may_have_fields and info.pixel_format.startswith(("yuv", "gray")):
        # Progressive frames pass unchanged.
        return ["showinfo=checksum=0", "bwdif=mode=send_frame:deint=interlaced"]
    return []


def _both_lights(info: MediaInfo, size: Size) -> str:
    """Return filters to a frame in its own light, with its alpha, above that of a screen."""
    form = "gbrap16le" if info.has_alpha else "gbrp16le"
    scale = f"scale={size[0]}:{size[1]}:flags=lanczos+{ffmpeg.ACCURATE}"
    # swscale would leave white below the highest code.
    odd = ",format=yuv444p16le|gbrp16le|gbrap16le" if size[0] % 2 or size[1] % 2 else ""
    exact = "zscale=m=gbr:r=pc:d=none:f=bicubic"
    own = f"{_tagged(info)},{scale}{odd},{exact},format={form},setsar=1"
    screen = f"{_filters(replace(info, interlaced=False, may_have_fields=False), size)}"
    both = f"split[own][screen];[own]{own}[lit];[screen]{screen},format={form},setsar=1[shown]"
    return ",".join([*_deinterlace(info), f"{both};[lit][shown]vstack"])


def _tagged(info: MediaInfo) -> str:
    """Return a filter that sets the colour tags, those that are missing as players assume them."""
    color = info.color
    matrix = "bt2020nc" if color.matrix in ("unknown", "gbr") else color.matrix
    levels = "tv" if color.range == "unknown" else color.range
    if not is_yuv(info.pixel_format):
        matrix = "gbr"
    primaries = "bt2020" if color.primaries == "unknown" else color.primaries
    transfer = "bt709" if color.transfer == "unknown" else color.transfer
    return (
        f"setparams=range={levels}:colorspace={matrix}"
        f":color_primaries={primaries}:color_trc={transfer}"
    )


def _sdr(info: MediaInfo) -> str:
    """Return filters from HDR or a wide gamut to BT.709: linear light, highlight roll-off."""
    color = info.color
    tags = _tagged(info)
    linear = "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709"
    curve = ",tonemap=hable:desat=0" if color.is_hdr else ""
    return f"{tags},{linear}{curve},zscale=t=bt709:m=gbr:r=pc,format=gbrp16le"


def assumed_matrix(width: int, height: int) -> str:
    """Return the matrix that players assume for untagged video: BT.709 from HD on, BT.601 below."""
    return "bt709" if width >= 1280 or height > 576 else "bt601"


def _fill(process: ffmpeg.Process, pixels: NDArray[Any]) -> bool:
    """Read one whole frame; False at the end (a partial last frame is dropped)."""
    view = pixels.reshape(-1).view(np.uint8).data
    got = 0
    while got < len(view):
        more = process.read_into(view[got:])
        if not more:
            return False
        got += more
    return True
