"""Scan a clip once to find its shots and the points at which its segments can be opened."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import pairwise, zip_longest
from threading import Event

from dreamvideo.cancel import check
from dreamvideo.errors import MediaError
from dreamvideo.media.decode import has_index
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pixels import to_float
from dreamvideo.media.read import SeekPoint, compute_checksum
from dreamvideo.motion.cuts import is_cut
from dreamvideo.render.dream_size import choose_dream_size, shrink_frame
from dreamvideo.render.frames.pipeline import make_virtual_camera
from dreamvideo.render.job.segments import Segment, add_seek_points, divide_shots
from dreamvideo.render.options import RenderOptions
from dreamvideo.render.progress import OnProgress, Progress
from dreamvideo.render.source import ClipRange
from dreamvideo.settings import Look

# Frames that are independent are divided into this many segments per process, so that no process
# waits long for the last one; but no segment is so short that its start-up would matter.
SEGMENTS_PER_WORKER = 4
MIN_SEGMENT = 16
# Seconds of a clip that justify a decoder of their own, and seconds between progress reports.
MIN_CHUNK_SECONDS = 30
TICK = 0.2


@dataclass(frozen=True)
class ClipScan:
    """The result of a scan.

    Attributes:
        frames: A seek point for every frame.
        cuts: Indices of the frames that start a shot, other than the first.
        missing: Frames lost to damage.
        notes: Notes for the user.
        sound: Whether a frame decodes to the same pixels wherever decoding starts.
    """

    frames: tuple[SeekPoint, ...]
    cuts: tuple[int, ...]
    missing: int
    notes: tuple[str, ...]
    sound: bool


def scan_clip(read: ClipRange, look: Look, threads: int, on_progress: OnProgress) -> ClipScan:
    """Scan a whole clip.

    Args:
        read: The clip and its range.
        look: The look, which decides whether and how cuts are found.
        threads: Largest number of chunks of a long clip that are scanned in parallel.
        on_progress: Called during the scan.

    Raises:
        MediaError: The clip cannot be read.
    """
    total = read.expected

    def on_scanned(done: int) -> bool:
        on_progress(Progress("looking for cuts", "frame", done, total))
        return True

    found = None
    bounds = _find_chunk_starts(read, threads)
    if len(bounds) > 1:
        with suppress(MediaError):
            found = _join_chunks(scan_in_parallel(read, look, bounds, on_scanned))
    if found is None:
        found = _join_chunks([_scan_chunk(read, look, read.begin, None, on_scanned)])
    if found is None or not found.frames:
        raise MediaError(f"{escape_text(read.info.path)}: no frame could be decoded in that range")
    return found


@dataclass(frozen=True)
class _ScanChunk:
    """What a scan found in a chunk; ``following`` is the checksum of the frame after it."""

    frames: list[SeekPoint]
    cuts: list[int]
    following: int | None
    missing: int
    notes: tuple[str, ...]
    sound: bool


def scan_in_parallel(
    read: ClipRange, look: Look, bounds: list[Fraction], on_scanned: Callable[[int], bool]
) -> list[_ScanChunk]:
    """Scan the parts of a clip between these times at once.

    Args:
        read: The clip.
        look: The look.
        bounds: Where each part starts, in seconds.
        on_scanned: Called with the number of frames scanned; whether to continue.
    """
    stop = Event()
    counts = [0] * len(bounds)

    def count(place: int, done: int) -> bool:
        counts[place] = done
        return not stop.is_set()

    with ThreadPoolExecutor(len(bounds), "scan") as pool:
        try:
            work = [
                pool.submit(_scan_chunk, read, look, begin, end, partial(count, place))
                for place, (begin, end) in enumerate(zip_longest(bounds, bounds[1:]))
            ]
            while wait(work, TICK).not_done:
                check()
                on_scanned(sum(counts))
        finally:
            stop.set()
    on_scanned(sum(counts))
    return [each.result() for each in work]


def _find_chunk_starts(read: ClipRange, most: int) -> list[Fraction]:
    """Return the times at which chunks of a clip start that can be read independently."""
    info = read.info
    apart = info.kind == "sequence" or has_index(info)
    end = info.duration if read.end is None else min(read.end, info.duration)
    length = end - read.begin
    if not apart or (read.resampled and info.kind != "sequence"):
        return [read.begin]
    count = max(1, min(most, int(length / MIN_CHUNK_SECONDS)))
    return [read.begin + length * n / count for n in range(count)]


def _scan_chunk(
    read: ClipRange,
    look: Look,
    begin: Fraction,
    end: Fraction | None,
    on_scanned: Callable[[int], bool],
) -> _ScanChunk:
    """Scan the frames between two times; ``on_scanned`` returns whether to continue."""
    camera = make_virtual_camera(look, read)
    follow = not is_independent(look)
    size = choose_dream_size(look.dream.dream_size, read.size)
    frames: list[SeekPoint] = []
    cuts: list[int] = []
    following = before = None
    with replace(read, begin=begin).open() as source:
        for frame in source:
            if follow:
                now = to_float(shrink_frame(camera.apply(frame), size).pixels)
                if before is not None and is_cut(now, before, look.coherence.cut_threshold):
                    cuts.append(len(frames))
                before = now
            checksum = compute_checksum(frame)
            if end is not None and frame.time >= end:
                following = checksum
                break
            frames.append(SeekPoint(len(frames), frame.time, checksum))
            if not on_scanned(len(frames)):
                break
    return _ScanChunk(frames, cuts, following, source.missing, tuple(source.notes), source.sound)


def _join_chunks(stretches: list[_ScanChunk]) -> ClipScan | None:
    """Join the chunks of a scan; None if they may differ from what one pass would find."""
    if len(stretches) > 1 and not all(each.sound and each.frames for each in stretches):
        return None
    for one, other in pairwise(stretches):
        if one.following != other.frames[0].check:
            return None
    frames: list[SeekPoint] = []
    cuts: list[int] = []
    for each in stretches:
        cuts += [len(frames) + cut for cut in each.cuts]
        frames += [replace(found, index=len(frames) + found.index) for found in each.frames]
    last = stretches[-1]
    return ClipScan(tuple(frames), tuple(cuts), last.missing, last.notes, last.sound)


def plan_segments(
    read: ClipRange,
    look: Look,
    options: RenderOptions,
    most: int,
    threads: int,
    on_progress: OnProgress,
) -> tuple[tuple[Segment, ...], ClipScan]:
    """Divide a clip into segments that ``most`` processes can dream.

    Args:
        read: The clip and its range.
        look: The look.
        options: Segment length and warm-up.
        most: Most processes at a time.
        threads: Threads that scan the clip.
        on_progress: Called during the scan.

    Returns:
        The segments and the scan.

    Raises:
        MediaError: The clip cannot be read.
    """
    found = scan_clip(read, look, threads, on_progress)
    count = len(found.frames)
    longest, warm_up = options.segment_length, options.warm_up
    if is_independent(look):
        longest, warm_up = longest or find_even_length(count, most), 0
    parts = divide_shots(found.cuts, count, longest, warm_up)
    return add_seek_points(parts, found.frames) if found.sound else parts, found


def is_independent(look: Look) -> bool:
    """Return whether no frame of a look needs any other: such a film may be divided anywhere."""
    coherence = look.coherence
    follows = any(where.motion != "any" for where in (look.mask, *look.regions))
    varies = any(name.startswith("coherence.") for name in look.over_time)
    return coherence.coherence == 0 and coherence.passes == 1 and not varies and not follows


def find_even_length(frames: int, most: int) -> int | None:
    """Return the segment length for a film that may be divided anywhere; None: do not divide."""
    if most < 2:
        return None
    return max(MIN_SEGMENT, -(-frames // (SEGMENTS_PER_WORKER * most)))
