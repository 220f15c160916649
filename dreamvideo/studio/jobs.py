"""The queue of renders: one at a time, each in its own process; they can be paused and resumed.

A paused render has shut down cleanly and left its job folder, like one stopped with Ctrl-C on the
command line; it is resumed by rendering the same again. The list is kept in the folder, so that a
restart finds it as it was.
"""

from __future__ import annotations

import shlex
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.media.identify import SourceFile
from dreamvideo.media.paths import describe_os_error
from dreamvideo.render.child_process import ChildProcess
from dreamvideo.render.job.job import job_folder
from dreamvideo.render.job.unfinished import check_unlocked, copy_into, record_moved
from dreamvideo.render.processes import describe_exit
from dreamvideo.render.progress import Progress
from dreamvideo.settings import look_values
from dreamvideo.studio import earlier_renders as earlier
from dreamvideo.studio import render_worker
from dreamvideo.studio.form_state import ENDINGS, Choice, Kind
from dreamvideo.studio.render_job import BUSY, RESTING, JobState, RenderJob
from dreamvideo.studio.render_worker import Broken, Done, Grown, Left, Message, Order

# As many finished renders of earlier sessions are listed.
MOST_EARLIER = 12


class Jobs:
    """All renders of a session and of its folder; only one runs at a time, the others wait.

    ``folder`` is where they are written; ``on_change`` is called, on any thread, whenever one of
    them changes. While the queue is ``held`` no render begins by itself.
    """

    def __init__(self, folder: Path, on_change: Callable[[], None]) -> None:
        self.folder = folder
        # Newest first; those that wait for their turn are also in the queue, the next one first.
        self.all: list[RenderJob] = []
        self.queue: list[RenderJob] = []
        self.held = False
        self._hidden: tuple[str, ...] = ()
        self._tell = on_change
        self._lock = threading.RLock()
        self._numbers = count(1)

    @property
    def running(self) -> RenderJob | None:
        """The render that is running."""
        return next((job for job in self.all if job.state in BUSY), None)

    @property
    def _is_free(self) -> bool:
        """Whether no process is left: one whose render has ended may still be about to exit."""
        return all(job.child is None and job.state not in BUSY for job in self.all)

    @property
    def listed(self) -> list[RenderJob]:
        """All renders: the running one, the queue, then the others, newest first."""
        with self._lock:
            busy = [job for job in self.all if job.state in BUSY]
            queue = [job for job in self.queue if job not in busy]
            return busy + queue + [job for job in self.all if job not in busy + queue]

    def get(self, number: int) -> RenderJob | None:
        """Return a render by its number."""
        return next((job for job in self.all if job.number == number), None)

    def find_earlier(self) -> None:
        """List what earlier sessions, and the command line, have left in the folder.

        What waited still waits, until the queue is released.
        """
        kept = earlier.read_renders(self.folder)
        self._hidden = kept.hidden
        # One that waited may have been rendered by the command line since.
        there = [r for r in kept.renders if r.order.output.is_file() == (r.state == "done")]
        known = {each.order.output.name for each in there} | set(kept.hidden)
        with suppress(OSError):
            unfinished = [p for p in self.folder.glob("*.dreamjob") if p.is_dir()]
            finished = [
                p for p in self.folder.iterdir() if earlier.is_output(p) and p.name not in known
            ]
            room = max(0, MOST_EARLIER - sum(each.state == "done" for each in there))
            newest = sorted(finished, key=lambda p: p.stat().st_mtime, reverse=True)[:room]
            for path in reversed(newest):
                kind: Kind = "image" if path.suffix in ENDINGS["image"] else "video"
                job = RenderJob(next(self._numbers), Order(Choice(kind), path, path, {}), None, "")
                job.state, job.line = "done", earlier.describe_output(job, 1)
                self.all.insert(0, job)
            for folder in sorted(unfinished, key=lambda p: p.stat().st_mtime):
                if folder.name.removesuffix(".dreamjob") not in known:
                    with suppress(DreamVideoError, ValueError):
                        self.all.insert(0, earlier.read_unfinished(next(self._numbers), folder))
        old = [each for each in there if each.state == "done"][MOST_EARLIER:]
        self.all[:0] = [
            earlier.restore(next(self._numbers), each) for each in there if each not in old
        ]
        self.queue = [job for job in self.all if job.state == "waiting"]
        self.held = bool(self.queue)
        self._tell()

    def choose_output(self, choice: Choice, material: SourceFile) -> Path:
        """Return the output of the same render if it is unfinished, else a name that is free.

        A free name in the folder is one that neither a file nor an unfinished render has.
        """
        outputs = {job.order.output for job in self.queue}
        promised = {output for output in outputs if not job_folder(output).exists()}
        promised |= {job.order.output for job in self.all if job.state in BUSY}
        # One that was paused before its first frame has no folder yet that tells it apart.
        promised |= {
            job.order.output
            for job in self.all
            if job.state == "paused"
            and not job_folder(job.order.output).exists()
            and (job.order.source, job.order.choice)
            != (material.path, replace(choice, set_aside={}))
        }
        for number in range(1, 100_000):
            path = self.folder / choice.output_name(material.path, number)
            if path.exists() or path in promised:
                continue
            if not job_folder(path).exists() or earlier.is_same(path, choice, material.path):
                return path
        raise UsageError(f"{self.folder}: too many films of the same name")

    def render(self, choice: Choice, material: SourceFile) -> RenderJob:
        """Render a choice, now or after what is in the queue.

        The same render is resumed where it was left unfinished. Raises UsageError for an invalid
        look.
        """
        with self._lock:
            output = self.choose_output(choice, material)
            # What another preset's sliders were is no part of a render.
            order = Order(
                replace(choice, set_aside={}), material.path, output, look_values(choice.look)
            )
            command = choice.command(material.name, output.name)
            unfinished = (
                job
                for job in self.all
                if job.order.output == output and job.state in ("paused", "failed", "waiting")
            )
            job = next(unfinished, None)
            if job is None:
                job = RenderJob(next(self._numbers), order, material, command)
                self.all.insert(0, job)
            job.order, job.material, job.command = order, material, command
            self._leave_queue(job)
            self._enqueue(job)
        return job

    def pause(self, job: RenderJob) -> None:
        """Stop a render cleanly and keep what is finished; the next one in the queue begins."""
        with self._lock:
            if job in self.queue:
                self.queue.remove(job)
                job.state, job.line = "paused", job.line or "Paused before the first frame"
                self._changed()
                return
        self._end(job, "pausing")

    def resume(self, job: RenderJob) -> None:
        """Resume or retry a render, in its turn. Raises UsageError if its source is gone."""
        with self._lock:
            if job.state in RESTING:
                output = job.order.output
                others = (each for each in self.all if each is not job)
                if any(o.order.output == output and o.state != "stopped" for o in others):
                    raise UsageError(
                        f"{job.name} is another render's by now: render it again with its settings"
                    )
                if not job.order.source.exists():
                    raise UsageError(
                        f"the source of {job.name} is gone: drop it in again, and render it with "
                        "the same settings"
                    )
                self._enqueue(job)

    def move(self, job: RenderJob, by: int) -> None:
        """Move a render in the queue: -1 to be rendered earlier, 1 later."""
        with self._lock:
            if job in self.queue:
                at = self.queue.index(job)
                self.queue.insert(max(0, at + by), self.queue.pop(at))
        self._changed()

    def hold(self, *, yes: bool = True) -> None:
        """Hold the queue, or go on with it.

        A film that is under way is paused and the first to go on; a still is finished.
        """
        with self._lock:
            self.held, running = yes, self.running
            if yes and running and running.state == "running" and running.can_pause:
                self.queue.insert(0, running)
                self._end(running, "pausing")
            self._start_next()
        self._changed()

    def stop(self, job: RenderJob) -> None:
        """Stop a render for good and delete what is finished.

        Raises UsageError if another process works on it.
        """
        with self._lock:
            if job.state in (*RESTING, "waiting"):
                check_unlocked(job.order.output)
                self._give_up(job)
            else:
                self._end(job, "stopping")
        self._changed()

    def remove(self, job: RenderJob, *, delete: bool = False) -> None:
        """Take a render off the list if it ``can_be_removed``; its file stays, unless ``delete``.

        Raises UsageError if the file cannot be deleted.
        """
        output = job.order.output
        with self._lock:
            if not job.can_be_removed:
                return
            if delete:
                try:
                    output.unlink(missing_ok=True)
                except OSError as error:
                    why = describe_os_error(error)
                    raise UsageError(f"{output}: cannot be deleted ({why})") from error
            self.all.remove(job)
            if not delete:
                self._hidden = (*self._hidden, output.name)
        self._changed()

    def close(self) -> list[str]:
        """End everything; return the command lines that resume unfinished renders.

        A private copy of an upload that is needed for that is kept in the folder. Raises MediaError
        if it cannot be written there.
        """
        with self._lock:
            running, self.held = self.running, True
            child = running.child if running else None
            if running and running.state != "stopping" and running not in self.queue:
                self.queue.insert(0, running)
        if running and child:
            if running.state != "stopping":
                self._end(running, "pausing")
            child.close()
        left = []
        for job in self.listed:
            waits = job.state == "waiting"
            if not (waits or (job.has_begun and job.state in ("paused", "failed"))):
                continue
            if not waits and not job_folder(job.order.output).exists():
                continue
            source = self._keep_source(job)
            job.order = replace(job.order, source=source)
            if job.command:
                job.order = replace(job.order, choice=self._keep_song(job))
                output = str(job.order.output)
                job.command = job.order.choice.command(str(source), output)
                left.append(job.command)
            else:
                left.append(shlex.join(["dreamvideo", "studio", "--folder", str(self.folder)]))
        self._changed()
        return left

    def _keep_source(self, job: RenderJob) -> Path:
        """Return a source that outlives the session, copying a private one to the folder."""
        source = job.order.source
        if job.material is None or not job.material.is_private or not source.is_file():
            return source
        # A copy: another unfinished render may have the same source.
        kept = copy_into(self.folder, source)
        record_moved(job.order.output, source=kept)
        return kept

    def _keep_song(self, job: RenderJob) -> Choice:
        """Return the choice with a song that outlives the session."""
        choice = job.order.choice
        if choice.song is None or not choice.sound or not choice.song.path.is_file():
            return choice
        kept = copy_into(self.folder, choice.song.path).absolute()
        record_moved(job.order.output, sound=kept)
        return replace(choice, song=replace(choice.song, path=kept, name=str(kept)))

    def _changed(self) -> None:
        """Tell of a change of the list, and keep it for a restart."""
        with self._lock:
            # A queue that has ended is not held any more.
            self.held = self.held and bool(self.queue)
            renders = [
                earlier.KeptRender(
                    # A restart may come from another folder.
                    replace(job.order, source=job.order.source.absolute()),
                    *(job.command, job.state, job.line, job.notes),
                )
                for job in self.listed
                if job.state != "stopped"
            ]
            hidden = [name for name in self._hidden if (self.folder / name).is_file()]
            earlier.write_renders(self.folder, earlier.KeptRenders(tuple(renders), tuple(hidden)))
        self._tell()

    def _enqueue(self, job: RenderJob) -> None:
        job.has_begun, job.state = True, "waiting"
        if self.held and self._is_free:
            # Asked for by hand: it does not wait for the queue.
            self._start(job)
        else:
            self.queue.append(job)
            self._start_next()
        self._changed()

    def _start_next(self) -> None:
        while self.queue and not self.held and self._is_free:
            job = self.queue.pop(0)
            if job.order.source.exists():
                self._start(job)
            else:
                job.state, job.line = "failed", f"its source is gone: {job.order.source}"

    def _start(self, job: RenderJob) -> None:
        job.state, job.progress, job.pace_from, job.line = "running", None, None, ""
        job.has_begun, job.picture = True, b""
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
                self._tell()
                return
            if isinstance(message, Grown):
                job.picture = message.picture
                self._tell()
                return
            if not isinstance(message, Left):
                self._leave_queue(job)
            if isinstance(message, Done):
                job.notes = message.notes
                job.state, job.line = "done", earlier.describe_output(job, message.frames)
            elif isinstance(message, Broken):
                job.state = "failed"
                job.line = f"{message.line}; {message.kept}" if message.kept else message.line
            else:
                self._on_left(job, message)
        self._changed()

    def _on_left(self, job: RenderJob, message: Left) -> None:
        if job.state == "stopping":
            self._give_up(job)
        elif job in self.queue:
            job.state, job.line = "waiting", message.kept.capitalize()
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
                job.line = f"the process that rendered it ended ({how}); retry to go on"
            self._start_next()
        self._changed()

    def _give_up(self, job: RenderJob) -> None:
        shutil.rmtree(job_folder(job.order.output), ignore_errors=True)
        self._leave_queue(job)
        job.state, job.line = "stopped", "Stopped; its frames are deleted"

    def _leave_queue(self, job: RenderJob) -> None:
        self.queue = [each for each in self.queue if each is not job]
