"""Join the segments of one shot by cross-fading over the frames that both of them dreamt.

Dreams started at different frames never converge, however long the later one warms up: the same
scene has many possible dreams. So a segment's warm-up frames are kept, and over their course the
film cross-fades from the earlier segment's dream to the later one's, over the same source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.cancel import check
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.imaging import blur_widely
from dreamvideo.media.paths import replace_atomically
from dreamvideo.media.pixels import to_bytes, to_deep, to_float
from dreamvideo.media.stills import load_deep, stored_bytes, to_depth
from dreamvideo.media.write import StoredFrame
from dreamvideo.render.job.segment_store import ahead_path, joined_path
from dreamvideo.render.job.segments import Segment
from dreamvideo.render.progress import OnProgress, Progress

# Fine detail and its neighbourhood, in pixels of a frame ``REFERENCE_WIDTH`` wide.
DETAIL_SIGMA, AREA_SIGMA = 4.0, 8.0
# Blending two dreams loses contrast. Restoring all of it (1) makes the change more visible;
# restoring none (0) makes the dream fade on the way. As measured, the best is in between.
GIVEN_BACK = 0.5
# Progress of the cross-fade for a frame in which nothing moves, as a deviation in [-1, 1].
STILL = 1e-6


def encode_ahead(dream: NDArray[Any], source: NDArray[Any]) -> bytes:
    """Encode a warm-up frame stacked above its source frame: both H x W x 3 integers."""
    return stored_bytes(np.concatenate([dream, to_depth(source, 8 * dream.itemsize)]), None)


def join_segments(
    folder: Path,
    segments: Sequence[Segment],
    frames: Sequence[StoredFrame],
    threads: int,
    on_progress: OnProgress,
) -> list[StoredFrame]:
    """Cross-fade the frames around the joints between segments.

    Args:
        folder: The job's folder.
        segments: All segments of the film.
        frames: All stored frames of all segments.
        threads: Number of threads that do the work.
        on_progress: Called after each joined frame.

    Returns:
        The film's stored frames.

    Raises:
        MediaError: A frame cannot be read or written.
    """
    later = [segment for segment in segments if segment.warm_up]
    if not later:
        return list(frames)
    made = list(frames)
    with _make_pool(threads) as pool:
        ways: dict[int, list[tuple[Segment, float]]] = {}
        for segment, gone in zip(
            later, pool.map(partial(fade_weights, frames), later), strict=True
        ):
            for number, share in zip(_ahead(segment), gone, strict=True):
                ways.setdefault(number, []).append((segment, share))
        work = [(number, folder, frames[number], ways[number]) for number in sorted(ways)]
        for done, path in enumerate(pool.map(_join, *zip(*work, strict=True)), 1):
            check()
            number = work[done - 1][0]
            made[number] = replace(made[number], path=path)
            on_progress(Progress("joining", "frame", done, len(work)))
    return made


def fade_weights(frames: Sequence[StoredFrame], segment: Segment) -> list[float]:
    """Return the share of the later dream (0 to 1) in each warm-up frame of a segment.

    It advances as the picture itself changes: while the picture is still, a cross-fade would be the
    most visible.
    """
    before = max(0, segment.first - segment.warm_up - 1)
    passing = (to_float(load_deep(f.path)[0]) for f in frames[before : segment.first + 1])
    changes = np.array(list(_measure_changes(passing))[-segment.warm_up - 1 :]) + STILL
    return [float(share) for share in (changes.cumsum() / changes.sum())[: segment.warm_up]]


def crossfade(before: Image, after: Image, source: Image, share: float) -> Image:
    """Blend two dreams of one source frame and restore part of the contrast that blending loses.

    With ``a`` and ``b`` the two dreams, ``s`` the share and E the local mean of squares, the blend
    lacks s (1 - s) E(a - b) of the energy that the two have on average.

    Args:
        before: H x W x 3 in [-1, 1], the earlier segment's dream.
        after: H x W x 3 in [-1, 1], the later segment's dream.
        source: H x W x 3 in [-1, 1], the source frame.
        share: Share of the later dream, in [0, 1].

    Returns:
        The blend, H x W x 3 in [-1, 1].
    """
    difference = after - before
    mixed = before + np.float32(share) * difference
    detail = mixed - source
    fine = detail - blur_widely(detail, DETAIL_SIGMA)
    other = difference - blur_widely(difference, DETAIL_SIGMA)
    lost = share * (1 - share) * blur_widely((other**2).mean(-1), AREA_SIGMA)
    there = np.maximum(blur_widely((fine**2).mean(-1), AREA_SIGMA), 1e-8)
    gain = np.minimum(1 + lost / there, 2) ** (GIVEN_BACK / 2) - 1
    return np.asarray(np.clip(mixed + gain[..., None] * fine, -1, 1), np.float32)


@contextmanager
def _make_pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads, which run in parallel because the work releases the GIL."""
    pool = ThreadPoolExecutor(threads, "join")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _join(
    number: int, folder: Path, frame: StoredFrame, ways: Sequence[tuple[Segment, float]]
) -> Path:
    """Cross-fade a stored frame with what each of the segments dreamt of it, one after another."""
    pixels, alpha = load_deep(frame.path)
    picture = to_float(pixels)
    for segment, share in ways:
        both, _ = load_deep(ahead_path(folder, segment.index, number))
        dream, source = np.split(both, 2)
        picture = crossfade(picture, to_float(dream), to_float(source), share)
    path = joined_path(folder, number)
    held = to_deep if pixels.dtype == np.uint16 else to_bytes
    # It is recomputed whenever it is needed, so it need not survive a power cut.
    with replace_atomically(path, sync=False) as part:
        part.write_bytes(stored_bytes(held(picture), alpha))
    return path


def _measure_changes(frames: Iterator[Image]) -> Iterator[float]:
    before: Image | None = None
    for frame in frames:
        yield 0.0 if before is None else float(np.sqrt(np.mean((frame - before) ** 2)))
        before = frame


def _ahead(segment: Segment) -> range:
    return range(segment.first - segment.warm_up, segment.first)
