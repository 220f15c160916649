"""One render of the queue: what is rendered, how far it is, and the line that says so."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from dreamvideo.errors import MediaError
from dreamvideo.formatting import format_clock
from dreamvideo.media.identify import SourceFile
from dreamvideo.media.stills import load_frame
from dreamvideo.media.stored import STORED_ENDING
from dreamvideo.render.child_process import ChildProcess
from dreamvideo.render.job.job import job_folder
from dreamvideo.render.progress import Progress
from dreamvideo.studio.form_state import FILM
from dreamvideo.studio.messages import encode_picture
from dreamvideo.studio.render_worker import Order

JobState = Literal[
    "waiting", "running", "pausing", "paused", "stopping", "stopped", "done", "failed"
]
BUSY: tuple[JobState, ...] = ("running", "pausing", "stopping")
# Nothing of these is under way.
RESTING: tuple[JobState, ...] = ("paused", "failed", "stopped")


@dataclass(eq=False)
class RenderJob:
    """One render, by its ``number`` in the session, its progress, and the ``line`` how it ended.

    One of an earlier session has no ``material``, and of the command line no ``command``. The time
    left is estimated ``pace_from`` the first frames of this run: (time, frames done). ``has_begun``
    is whether this session has worked on it, or will; ``picture`` is a still as it grows, as JPEG.
    """

    number: int
    order: Order
    material: SourceFile | None
    command: str
    state: JobState = "waiting"
    progress: Progress | None = None
    line: str = ""
    notes: tuple[str, ...] = ()
    pace_from: tuple[float, int] | None = None
    has_begun: bool = False
    picture: bytes = field(default=b"", repr=False)
    child: ChildProcess | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The output's name."""
        return self.order.output.name

    @property
    def can_pause(self) -> bool:
        """Whether it can be resumed: a still picture cannot."""
        return self.order.choice.kind in FILM

    @property
    def can_be_removed(self) -> bool:
        """Whether it is finished or given up: what can be resumed stays on the list."""
        ended = self.state not in (*BUSY, "waiting")
        return ended and (self.state == "done" or not job_folder(self.order.output).exists())

    @property
    def share(self) -> float:
        """Progress of the current stage, 0 .. 1."""
        if self.state == "done":
            return 1.0
        return self.progress.share if self.progress else 0.0

    def read_live(self) -> bytes:
        """Return its newest frame, or its still so far, as JPEG; empty if there is none yet."""
        frames = (job_folder(self.order.output) / "frames").glob(f"*{STORED_ENDING}")
        with suppress(OSError, ValueError, MediaError):
            newest = max(frames, key=lambda each: each.stat().st_mtime)
            return self.picture or encode_picture(load_frame(newest))
        return self.picture

    def words(self, now: float) -> str:
        """Describe the progress in one line: ``dreaming: frame 12 of 132, 1:26 left``."""
        if self.state == "waiting":
            return f"Waiting. {self.line}" if self.line else "Waiting for its turn"
        if self.state not in BUSY:
            return self.line
        if self.progress is None:
            return "Preparing: the network is being loaded"
        left = self.seconds_left(now)
        return f"{self.progress}" + (f", {format_clock(left)} left" if left is not None else "")

    def seconds_left(self, now: float) -> float | None:
        """Estimate the time left of the current stage; None if unknown."""
        if self.progress is None or self.pace_from is None:
            return None
        began, before = self.pace_from
        return self.progress.seconds_left(now - began, before)
