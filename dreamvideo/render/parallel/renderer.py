"""Render one segment of a job: what a process does, on this machine or another.

Everything is read from the job's manifest and written to its folder. So a segment can be dreamt by
any process that sees both, and again after any interruption, with the same result.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import DreamVideoError, MediaError
from dreamvideo.media.own_light import add_detail
from dreamvideo.media.paths import escape_text
from dreamvideo.media.probe import Color
from dreamvideo.media.read import Frame
from dreamvideo.media.stills import stored_bytes
from dreamvideo.render.encode import deepen
from dreamvideo.render.frames.carry import State
from dreamvideo.render.frames.pipeline import (
    AHEAD,
    DreamedFrame,
    dream_film,
    make_virtual_camera,
    open_planner,
)
from dreamvideo.render.frames.planner import FramePlanner
from dreamvideo.render.frames.tracking import start_first, work_behind
from dreamvideo.render.job.checkpoint import Arrays
from dreamvideo.render.job.disk_space import FreeSpaceMonitor, estimate_reserve
from dreamvideo.render.job.job import PATIENCE, Job
from dreamvideo.render.job.lock import LockedError, lock_job
from dreamvideo.render.job.segment_store import SegmentSink, keeping_state
from dreamvideo.render.job.segments import Segment
from dreamvideo.render.parallel.crossfade import encode_ahead
from dreamvideo.render.source import ClipRange, ClipRequest, open_clip_range
from dreamvideo.settings import Look, make_output

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
# Called with the number of frames of a segment that are stored, and the last one's objective.
OnFrame = Callable[[int, float], None]


RETRIED_NON_FINITE = "its dream contained NaN or Inf and was retried from the source frame"


class Renderer:
    """Everything that all segments of a job share, loaded once."""

    def __init__(self, job: Job, on_tile: Callable[[int, int], None] | None = None) -> None:
        """Open the job's source.

        ``on_tile`` is called with (done, total) for tiles of large frames. Raises MediaError,
        UsageError, WeightsError.
        """
        self.job = job
        self._on_tile = on_tile
        self.look: Look = job.manifest.decoded_look
        self.footage = open_job_source(job)
        self._camera = make_virtual_camera(self.look, self.footage)
        width, height = self.footage.size
        depth, alpha = self.footage.stored_bits, self.footage.info.has_alpha
        self._room = FreeSpaceMonitor(
            job.folder, estimate_reserve(width, height, depth=depth, alpha=alpha)
        )

    @cached_property
    def _planner(self) -> FramePlanner:
        return open_planner(
            self.look, self.footage, self._camera, self.job.manifest.machine, self._on_tile
        )

    def _dream(
        self, frames: Iterator[Frame], state: State | None
    ) -> Generator[DreamedFrame, None, None]:
        return dream_film(
            frames,
            self._planner,
            self._camera,
            state=state,
            ahead=AHEAD if self._threaded else 0,
        )

    @property
    def _threaded(self) -> bool:
        """Whether there is more than one thread: with a single one a second gains nothing."""
        return self.job.manifest.threads > 1

    def _overlaps(self, part: SegmentSink) -> bool:
        """Whether a frame is finished and stored while the next one is dreamt."""
        return self._threaded and part.takes_any_thread

    def render(self, segment: Segment, on_frame: OnFrame) -> None:
        """Dream the missing frames of a segment. Raises MediaError.

        After any interruption it can be called again.
        """
        with closing(self.render_frames(segment)) as frames:
            for done, loss in frames:
                on_frame(done, loss)

    def render_frames(self, segment: Segment) -> Generator[tuple[int, float], None, None]:
        """``render`` as (frames of the segment that are stored, the last one's objective)."""
        lock = self.job.folder / "parts" / f"{segment.index:04d}.lock"
        try:
            with lock_job(lock, PATIENCE):
                part = self.job.segment_store(segment)
                _, arrays = part.resume()
                if part.ending is None:
                    yield from self.continue_segment(segment, part, arrays)
        except LockedError as error:
            raise DreamVideoError(
                f"{escape_text(lock.parent)}: process {error.holder} is already working on it"
            ) from None

    def continue_segment(
        self, segment: Segment, part: SegmentSink, arrays: Arrays | None
    ) -> Generator[tuple[int, float], None, None]:
        """Dream the frames of a segment that ``part`` does not have yet.

        Closed before the end, it leaves a checkpoint.

        Args:
            segment: The segment.
            part: Where its frames go.
            arrays: State for its next frame; None to start fresh.

        Yields:
            After each frame, how many ``part`` has and the objective of the last one.

        Raises:
            MediaError: The source cannot be read or has changed, or a frame cannot be written.
            DreamVideoError: A dream contains NaN or Inf even when retried from the source frame.
        """
        kept = part.count
        state = None if arrays is None else State(**arrays)
        wanted = segment.first + kept
        begin = wanted if kept else segment.first - segment.warm_up
        end = None if segment.count is None else segment.first + segment.count
        again: list[str] = []

        def store(dreamt: DreamedFrame) -> tuple[int, float] | None:
            """Store a frame, then its state: what a checkpoint counts must be there."""
            if dreamt.index < wanted:
                both = to_stored_pixels(dreamt, self.footage.own_light)
                part.put_ahead(dreamt.index, encode_ahead(*both))
                return None
            self._room.look()
            self._store(part, dreamt)
            if dreamt.again:
                again.append(f"frame {dreamt.index}: {RETRIED_NON_FINITE}")
            if dreamt.state is not None:
                keep(_to_arrays(dreamt.state))
            return part.count, dreamt.loss

        # Decode the first frame while the network is loading.
        passage = range(begin, sys.maxsize if end is None else end)
        with (
            self.footage.open(segment.opening) as source,
            start_first(select_frames(source, passage)) as frames,
        ):
            with (
                keeping_state(part) as keep,
                closing(self._dream(frames, state)) as film,
                closing(work_behind(store, film, threaded=self._overlaps(part))) as stored,
            ):
                for progress in stored:
                    if progress is not None:
                        yield progress
            name = escape_text(self.footage.info.path)
            if not part.count:
                raise MediaError(f"{name}: no frame could be decoded in that range")
            if segment.count is not None and part.count != segment.count:
                raise MediaError(f"{name}: has changed since the render began")
            part.finish((*source.notes, *again), source.missing)

    def _store(self, part: SegmentSink, dreamt: DreamedFrame) -> None:
        """Keep a frame at its source frame's bit depth, and with its alpha."""
        frame = dreamt.frame
        assert frame is not None
        pixels, source = to_stored_pixels(dreamt, self.footage.own_light)
        if self.look.coherence.passes > 1:
            part.put_source(dreamt.index, stored_bytes(source, None))
        part.add(
            pixels,
            dreamt.time,
            frame.duration,
            alpha=frame.alpha,
            loss=dreamt.loss,
            starts=dreamt.starts_shot,
        )


def select_frames(frames: Iterable[Frame], numbers: range) -> Iterator[Frame]:
    """Yield the frames with these numbers; never reads beyond the last of them."""
    for frame in frames:
        if frame.index in numbers:
            yield frame
        if frame.index + 1 >= numbers.stop:
            return


def open_job_source(job: Job) -> ClipRange:
    """Open the source of a clip's job. Raises MediaError, UsageError."""
    request = ClipRequest.from_json(job.manifest.request)
    return open_clip_range(request, make_output(**job.manifest.wanted))


def _to_arrays(state: State) -> Arrays:
    return {field.name: getattr(state, field.name) for field in fields(state)}


def to_stored_pixels(dreamt: DreamedFrame, own_light: Color | None) -> tuple[Pixels, Pixels]:
    """Return a frame's pixels and its source's, H x W x 3, both at the source's bit depth.

    With the colour tags of the source's own light, both are in that.
    """
    frame = dreamt.frame
    assert frame is not None
    if frame.deep is None:
        return dreamt.pixels, frame.pixels
    if own_light is not None:
        return add_detail(dreamt.pixels, frame.pixels, frame.deep, own_light), frame.deep
    return deepen(dreamt.pixels, frame.pixels, frame.deep), frame.deep
