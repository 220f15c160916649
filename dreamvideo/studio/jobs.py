"""The renders of a session: each runs in its own process and can be paused, resumed and stopped.

A paused render has shut down cleanly and left its job folder, like one stopped with Ctrl-C on the
command line; it is resumed by rendering the same again.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dreamvideo.errors import UsageError
from dreamvideo.formatting import format_bytes, format_clock
from dreamvideo.render.job.job import job_folder
from dreamvideo.render.processes import describe_exit
from dreamvideo.render.progress import Progress
from dreamvideo.settings import look_values
from dreamvideo.studio import render_worker
from dreamvideo.studio.child_process import ChildProcess
from dreamvideo.studio.form_state import FILM, Choice, choose_output_name, format_command
from dreamvideo.studio.render_worker import Broken, Done, Left, Message, Order
from dreamvideo.studio.uploads import SourceFile

JobState = Literal["running", "pausing", "paused", "stopping", "stopped", "done", "failed"]
BUSY: tuple[JobState, ...] = ("running", "pausing", "stopping")


@dataclass
class RenderJob:
    """One render of the session and its progress.

    ``pace_from`` is (time, frames done) when the first frames of this run arrived; it is used to
    estimate the time left.
    """

    number: int
    order: Order
    material: SourceFile
    command: str
    state: JobState = "running"
    progress: Progress | None = None
    line: str = ""
    notes: tuple[str, ...] = ()
    pace_from: tuple[float, int] | None = None
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
    def share(self) -> float:
        """Progress of the current stage, 0 .. 1."""
        if self.state == "done":
            return 1.0
        p = self.progress
        return p.done / p.total if p is not None and p.total else 0.0

    def words(self, now: float) -> str:
        """Describe the progress in one line: ``dreaming: frame 12 of 132, 1:26 left``."""
        if self.state not in BUSY:
            return self.line
        if self.progress is None:
            return "Preparing: the network is being loaded"
        p = self.progress
        made = f"{p.stage.capitalize()}: {p.unit} {p.done}" + (f" of {p.total}" if p.total else "")
        left = seconds_left(self, now)
        return made + (f", {format_clock(left)} left" if left is not None else "")


def seconds_left(job: RenderJob, now: float) -> float | None:
    """Estimate the time left of the current stage; None if unknown."""
    p = job.progress
    if p is None or not p.total or job.pace_from is None or p.done <= job.pace_from[1]:
        return None
    began, before = job.pace_from
    return (p.total - p.done) * (now - began) / (p.done - before)


class Jobs:
    """All renders of a session, newest first; only one runs at a time.

    ``folder`` is where they are written; ``on_change`` is called, on any thread, whenever one of
    them changes.
    """

    def __init__(self, folder: Path, on_change: Callable[[], None]) -> None:
        self.folder = folder
        self.all: list[RenderJob] = []
        self._changed = on_change
        self._lock = threading.RLock()

    @property
    def running(self) -> RenderJob | None:
        """The render that is running."""
        return next((job for job in self.all if job.state in BUSY), None)

    def get(self, number: int) -> RenderJob | None:
        """Return a render by its number."""
        return next((job for job in self.all if job.number == number), None)

    def free_output(self, choice: Choice, material: SourceFile) -> Path:
        """Return a name in the folder that neither a file nor an unfinished render has."""
        for number in range(1, 100_000):
            name = choose_output_name(material.path, choice.kind, choice.ending, number)
            path = self.folder / name
            if not path.exists() and not job_folder(path).exists():
                return path
        raise UsageError(f"{self.folder}: too many films of the same name")

    def render(self, choice: Choice, material: SourceFile) -> RenderJob:
        """Start a render. Raises UsageError while another one runs, or for an invalid look."""
        with self._lock:
            self._check_free()
            output = self.free_output(choice, material)
            order = Order(choice, material.path, output, look_values(choice.look))
            command = format_command(choice, material.name, output.name)
            job = RenderJob(len(self.all) + 1, order, material, command)
            self.all.insert(0, job)
            self._start(job)
        return job

    def pause(self, job: RenderJob) -> None:
        """Stop a render cleanly and keep what is finished."""
        self._end(job, "pausing")

    def resume(self, job: RenderJob) -> None:
        """Resume a render. Raises UsageError while another one runs."""
        with self._lock:
            if job.state in ("paused", "failed", "stopped"):
                self._check_free()
                self._start(job)

    def stop(self, job: RenderJob) -> None:
        """Stop a render for good and delete what is finished."""
        if job.state in ("paused", "failed"):
            self._forget(job)
            self._settle(job, "stopped", "Stopped; its frames are deleted")
        else:
            self._end(job, "stopping")

    def close(self) -> list[str]:
        """End everything; return the command lines that resume unfinished renders.

        A render of a private copy of an upload cannot be resumed once that copy is deleted.
        """
        with self._lock:
            running = self.running
            child = running.child if running else None
        if running and child:
            self.pause(running)
            child.close()
        left = []
        for job in self.all:
            if job.state not in ("paused", "failed") or not job_folder(job.order.output).exists():
                continue
            if job.material.is_private:
                self._forget(job)
            else:
                output = str(job.order.output)
                left.append(format_command(job.order.choice, str(job.material.path), output))
        return left

    def _check_free(self) -> None:
        if self.running is not None:
            raise UsageError(f"{self.running.name} is being rendered: pause or stop it first")

    def _start(self, job: RenderJob) -> None:
        job.state, job.progress, job.pace_from, job.line = "running", None, None, ""
        job.child = ChildProcess(
            render_worker.run_render_worker,
            (job.order,),
            lambda message: self._hear(job, message),
            lambda code: self._on_exit(job, code),
        )
        self._changed()

    def _end(self, job: RenderJob, state: JobState) -> None:
        with self._lock:
            if job.state not in BUSY or job.child is None:
                return
            job.state = state
            child = job.child
        child.ask_to_end()
        self._changed()

    def _hear(self, job: RenderJob, message: Message) -> None:
        with self._lock:
            if isinstance(message, Progress):
                before = job.progress
                if before is None or before.stage != message.stage or message.note:
                    job.pace_from = (time.monotonic(), message.done)
                job.progress = message
            elif isinstance(message, Done):
                job.notes = message.notes
                job.state, job.line = "done", _describe_output(job, message.frames)
            elif isinstance(message, Broken):
                job.state = "failed"
                job.line = f"{message.line}; {message.kept}" if message.kept else message.line
            else:
                self._on_left(job, message)
        self._changed()

    def _on_left(self, job: RenderJob, message: Left) -> None:
        if job.state == "stopping":
            self._forget(job)
            job.state, job.line = "stopped", "Stopped; its frames are deleted"
        else:
            job.state = "paused"
            job.line = (
                f"Paused: {message.kept}" if message.kept else "Paused before the first frame"
            )

    def _on_exit(self, job: RenderJob, code: int) -> None:
        with self._lock:
            job.child = None
            if job.state in ("pausing", "stopping"):
                self._on_left(job, Left(""))
            elif job.state in BUSY:
                job.state = "failed"
                how = describe_exit(code)
                job.line = f"the process that rendered it ended ({how}); resume to try again"
        self._changed()

    def _settle(self, job: RenderJob, state: JobState, line: str) -> None:
        with self._lock:
            job.state, job.line = state, line
        self._changed()

    def _forget(self, job: RenderJob) -> None:
        shutil.rmtree(job_folder(job.order.output), ignore_errors=True)


def _describe_output(job: RenderJob, frames: int) -> str:
    much = format_bytes(job.order.output.stat().st_size if job.order.output.is_file() else 0)
    return f"Done: {frames} frames, {much}" if frames > 1 else f"Done: {much}"
