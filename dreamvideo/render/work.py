"""(job, segment) -> the segment's frames on disk: what a process does, here or elsewhere.

Everything comes from the job's manifest and everything goes into its folder, so a segment may be
dreamt by any process that sees both; and again, after whatever ended it, with the same result.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import DreamVideoError, MediaError
from dreamvideo.media.paths import shown
from dreamvideo.media.read import Frame
from dreamvideo.media.stills import png_bytes
from dreamvideo.render.ahead import begun
from dreamvideo.render.carry import State
from dreamvideo.render.checkpoint import Arrays
from dreamvideo.render.clip import Dreamt
from dreamvideo.render.deliver import deepened
from dreamvideo.render.footage import Footage, footage
from dreamvideo.render.job import PATIENCE, Job
from dreamvideo.render.job_lock import LockedError, locked
from dreamvideo.render.joint import ahead_png
from dreamvideo.render.part import Shelf
from dreamvideo.render.resources import Watch, reserve_for
from dreamvideo.render.scene import Scene
from dreamvideo.render.segments import Segment
from dreamvideo.settings import Look, make_output

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
# Told how many frames of a segment are stored, and the last one's objective.
OnFrame = Callable[[int, float], None]


# Frames that are decoded, and whose motion is estimated, while another is dreamt.
AHEAD = 1
AGAIN = "its dream held what is no number, and was begun again from the source"


class Renderer:
    """Everything that all segments of a job need, loaded once."""

    def __init__(self, job: Job, on_tile: Callable[[int, int], None] | None = None) -> None:
        """``on_tile`` is told of the tiles of large frames: (done, total).

        Raises MediaError, UsageError, WeightsError.
        """
        self.job = job
        self._on_tile = on_tile
        self.look: Look = job.manifest.decoded_look
        self.footage = footage_of(job)
        self._scene: Scene | None = None
        width, height = self.footage.size
        depth, alpha = self.footage.wanted.depth, self.footage.info.has_alpha
        self._room = Watch(job.folder, reserve_for(width, height, depth=depth, alpha=alpha))

    def dream(self, frames: Iterator[Frame], state: State | None) -> Generator[Dreamt, None, None]:
        """The dreams of source frames, gone on with from ``state``."""
        if self._scene is None:
            self._scene = Scene(self.look, self.footage, self.job.manifest.machine, self._on_tile)
        # One thread is better off without another beside it.
        ahead = AHEAD if self.job.manifest.threads > 1 else 0
        return self._scene.dream(frames, state, ahead)

    def render(self, segment: Segment, on_frame: OnFrame) -> None:
        """Dream what is not there yet of a segment. Raises MediaError.

        Stopped at any point by anything, it can be called again.
        """
        with closing(self.render_frames(segment)) as frames:
            for done, loss in frames:
                on_frame(done, loss)

    def render_frames(self, segment: Segment) -> Generator[tuple[int, float], None, None]:
        """``render`` as (frames of the segment that are stored, the last one's objective)."""
        lock = self.job.folder / "parts" / f"{segment.index:04d}.lock"
        try:
            with locked(lock, PATIENCE):
                part = self.job.part(segment)
                _, arrays = part.resume()
                if part.ending is None:
                    yield from self.go_on(segment, part, arrays)
        except LockedError as error:
            raise DreamVideoError(
                f"{shown(lock.parent)}: process {error.holder} is at it already"
            ) from None

    def go_on(
        self, segment: Segment, part: Shelf, arrays: Arrays | None
    ) -> Generator[tuple[int, float], None, None]:
        """Dream the frames of a segment that ``part`` has not got, the first from ``arrays``.

        None where it starts anew. Yields after each frame how many ``part`` has, and its objective;
        closed before the end, it leaves a checkpoint. Raises MediaError.
        """
        kept = part.count
        state = None if arrays is None else State(**arrays)
        wanted = segment.first + kept
        begin = wanted if kept else segment.first - segment.warm_up
        end = None if segment.count is None else segment.first + segment.count
        left: tuple[Arrays, int] | None = None
        again: list[str] = []
        # The first frame is decoded while the network is loaded.
        passage = range(begin, sys.maxsize if end is None else end)
        with self.footage.open(segment.opening) as source, begun(among(source, passage)) as frames:
            try:
                with closing(self.dream(frames, state)) as film:
                    for dreamt in film:
                        if dreamt.index < wanted:
                            part.put_ahead(dreamt.index, ahead_png(*_stored(dreamt)))
                            continue
                        self._room.look()
                        self._store(part, dreamt)
                        if dreamt.again:
                            again.append(f"frame {dreamt.index}: {AGAIN}")
                        if dreamt.state is not None:
                            left = _arrays(dreamt.state), part.count
                            part.checkpoint(*left)
                        yield part.count, dreamt.loss
            except BaseException:
                if left is not None:
                    with suppress(DreamVideoError):
                        part.checkpoint(*left, now=True)
                raise
            name = shown(self.footage.info.path)
            if not part.count:
                raise MediaError(f"{name}: no frame could be decoded in that range")
            if segment.count is not None and part.count != segment.count:
                raise MediaError(f"{name}: has changed since the render began")
            part.finish((*source.notes, *again), source.missing)

    def _store(self, part: Shelf, dreamt: Dreamt) -> None:
        """Keep a frame, as deep and as transparent as the source frame it was made from."""
        frame = dreamt.frame
        assert frame is not None
        pixels, source = _stored(dreamt)
        if self.look.coherence.passes > 1:
            part.put_source(dreamt.index, png_bytes(source, None))
        part.add(
            pixels,
            dreamt.time,
            frame.duration,
            alpha=frame.alpha,
            loss=dreamt.loss,
            starts=dreamt.starts_shot,
        )


def among(frames: Iterable[Frame], numbers: range) -> Iterator[Frame]:
    """The frames of these numbers; no more is asked for than the last of them."""
    for frame in frames:
        if frame.index in numbers:
            yield frame
        if frame.index + 1 >= numbers.stop:
            return


def footage_of(job: Job) -> Footage:
    """What a clip's job reads. Raises MediaError, UsageError."""
    request = job.manifest.request
    return footage(Path(request["clip"] or ""), request, make_output(**job.manifest.wanted))


def render_segment(folder: Path, segment: Segment, on_frame: OnFrame) -> None:
    """``Renderer.render`` of a job's folder, for a process that does a single segment."""
    Renderer(Job.at(folder)).render(segment, on_frame)


def _arrays(state: State) -> Arrays:
    return {field.name: getattr(state, field.name) for field in fields(state)}


def _stored(dreamt: Dreamt) -> tuple[Pixels, Pixels]:
    """A frame's colours and its source's, H x W x 3, both as deep as the source was read."""
    frame = dreamt.frame
    assert frame is not None
    if frame.deep is None:
        return dreamt.pixels, frame.pixels
    return deepened(dreamt.pixels, frame.pixels, frame.deep), frame.deep
