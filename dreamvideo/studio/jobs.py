"""The renders of a session: each runs in its own process and can be paused, resumed and stopped.

A paused render has shut down cleanly and left its job folder, like one stopped with Ctrl-C on the
command line; it is resumed by rendering the same again.
"""

from __future__ import annotations

import re
import shlex
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Literal

from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.formatting import format_bytes, format_clock, format_seconds
from dreamvideo.media.paths import replace_atomically
from dreamvideo.parsing import parse_time
from dreamvideo.render.job.job import Job, job_folder
from dreamvideo.render.job.lock import LockedError, lock_job
from dreamvideo.render.job.manifest import Manifest, compute_fingerprint
from dreamvideo.render.processes import describe_exit
from dreamvideo.render.progress import Progress
from dreamvideo.render.source import ClipRequest
from dreamvideo.render.zoom.render import ZOOM_FPS
from dreamvideo.settings import look_values
from dreamvideo.studio import render_worker
from dreamvideo.studio.child_process import ChildProcess
from dreamvideo.studio.form_state import (
    ENDINGS,
    FILM,
    WORDS,
    Choice,
    Kind,
    choose_output_name,
    format_command,
)
from dreamvideo.studio.render_worker import Broken, Done, Left, Message, Order
from dreamvideo.studio.uploads import SourceFile

JobState = Literal["running", "pausing", "paused", "stopping", "stopped", "done", "failed"]
BUSY: tuple[JobState, ...] = ("running", "pausing", "stopping")
# As many finished renders of earlier sessions are listed.
MOST_EARLIER = 12
_OUTPUT = re.compile(rf".+-(?:{'|'.join(sorted(set(WORDS.values())))})(?:-\d+)?")
# What each kind of render calls its source in a manifest: its path, and its fingerprint.
_SOURCES = {"video": ("clip", "the input"), "zoom": ("photo", "the picture")}


@dataclass
class RenderJob:
    """One render and its progress; that of an earlier session has no command line.

    Attributes:
        number: Its number in the session.
        order: What is rendered.
        material: Its source; None for an earlier session's.
        command: The command line that renders it.
        state: Its state.
        progress: The newest progress.
        line: How it ended.
        notes: Notes of the finished render.
        pace_from: (time, frames done) when the first frames of this run arrived; used to estimate
            the time left.
        has_begun: Whether this session has worked on it.
        child: Its process.
    """

    number: int
    order: Order
    material: SourceFile | None
    command: str
    state: JobState = "running"
    progress: Progress | None = None
    line: str = ""
    notes: tuple[str, ...] = ()
    pace_from: tuple[float, int] | None = None
    has_begun: bool = False
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
        ended = self.state not in BUSY
        return ended and (self.state == "done" or not job_folder(self.order.output).exists())

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
    """All renders of a session and of its folder, newest first; only one runs at a time.

    ``folder`` is where they are written; ``on_change`` is called, on any thread, whenever one of
    them changes.
    """

    def __init__(self, folder: Path, on_change: Callable[[], None]) -> None:
        self.folder = folder
        self.all: list[RenderJob] = []
        self._changed = on_change
        self._lock = threading.RLock()
        self._numbers = count(1)

    @property
    def running(self) -> RenderJob | None:
        """The render that is running."""
        return next((job for job in self.all if job.state in BUSY), None)

    def get(self, number: int) -> RenderJob | None:
        """Return a render by its number."""
        return next((job for job in self.all if job.number == number), None)

    def find_earlier(self) -> None:
        """List what earlier sessions, and the command line, have left in the folder."""
        with suppress(OSError):
            unfinished = [p for p in self.folder.glob("*.dreamjob") if p.is_dir()]
            finished = [p for p in self.folder.iterdir() if _is_output(p)]
            finished = sorted(finished, key=lambda p: p.stat().st_mtime)[-MOST_EARLIER:]
            for path in finished:
                kind: Kind = "image" if path.suffix in ENDINGS["image"] else "video"
                job = RenderJob(next(self._numbers), Order(Choice(kind), path, path, {}), None, "")
                job.state, job.line = "done", _describe_output(job, 1)
                self.all.insert(0, job)
            for folder in sorted(unfinished, key=lambda p: p.stat().st_mtime):
                with suppress(DreamVideoError, ValueError):
                    self.all.insert(0, _read_unfinished(next(self._numbers), folder))
        self._changed()

    def choose_output(self, choice: Choice, material: SourceFile) -> Path:
        """Return the output of the same render if it is unfinished, else a name that is free.

        A free name in the folder is one that neither a file nor an unfinished render has.
        """
        for number in range(1, 100_000):
            name = choose_output_name(material.path, choice.kind, choice.ending, number)
            path = self.folder / name
            if path.exists():
                continue
            if not job_folder(path).exists() or _is_same(path, choice, material):
                return path
        raise UsageError(f"{self.folder}: too many films of the same name")

    def render(self, choice: Choice, material: SourceFile) -> RenderJob:
        """Start a render, or resume the same one where it was left unfinished.

        Raises UsageError while another one runs, or for an invalid look.
        """
        with self._lock:
            self._check_free()
            output = self.choose_output(choice, material)
            order = Order(choice, material.path, output, look_values(choice.look))
            command = format_command(choice, material.name, output.name)
            unfinished = (
                job
                for job in self.all
                if job.order.output == output and job.state in ("paused", "failed")
            )
            job = next(unfinished, None)
            if job is None:
                job = RenderJob(next(self._numbers), order, material, command)
                self.all.insert(0, job)
            job.order, job.material, job.command = order, material, command
            self._start(job)
        return job

    def pause(self, job: RenderJob) -> None:
        """Stop a render cleanly and keep what is finished."""
        self._end(job, "pausing")

    def resume(self, job: RenderJob) -> None:
        """Resume a render. Raises UsageError while another one runs, or if its source is gone."""
        with self._lock:
            if job.state in ("paused", "failed", "stopped"):
                self._check_free()
                if not job.has_begun and not job.order.source.exists():
                    raise UsageError(
                        f"the source of {job.name} is gone: drop it in again, and render it with "
                        "the same settings"
                    )
                self._start(job)

    def stop(self, job: RenderJob) -> None:
        """Stop a render for good and delete what is finished.

        Raises UsageError if another process works on it.
        """
        if job.state in ("paused", "failed"):
            self._forget(job)
            self._settle(job, "stopped", "Stopped; its frames are deleted")
        else:
            self._end(job, "stopping")

    def remove(self, job: RenderJob) -> None:
        """Take a render off the list if it ``can_be_removed``; its file stays."""
        with self._lock:
            if job.can_be_removed:
                self.all = [each for each in self.all if each is not job]
        self._changed()

    def close(self) -> list[str]:
        """End everything; return the command lines that resume unfinished renders.

        A private copy of an upload that is needed for that is kept in the folder. Raises MediaError
        if it cannot be written there.
        """
        with self._lock:
            running = self.running
            child = running.child if running else None
        if running and child:
            self.pause(running)
            child.close()
        left = []
        for job in self.all:
            unfinished = job.has_begun and job.state in ("paused", "failed")
            if not unfinished or not job_folder(job.order.output).exists():
                continue
            source = self._keep_source(job)
            output = str(job.order.output)
            if job.command:
                left.append(format_command(self._keep_song(job), str(source), output))
            else:
                left.append(shlex.join(["dreamvideo", "studio", "--folder", str(self.folder)]))
        return left

    def _keep_source(self, job: RenderJob) -> Path:
        """Return a source that outlives the session, copying a private one to the folder."""
        source = job.order.source
        if job.material is None or not job.material.is_private or not source.is_file():
            return source
        kept = self._keep(source)
        _record(job.order.output, source=kept)
        return kept

    def _keep_song(self, job: RenderJob) -> Choice:
        """Return the choice with a song that outlives the session."""
        choice = job.order.choice
        if choice.song is None or not choice.sound or not choice.song.path.is_file():
            return choice
        kept = self._keep(choice.song.path)
        _record(job.order.output, song=kept)
        return replace(choice, song=replace(choice.song, path=kept, name=str(kept)))

    def _keep(self, source: Path) -> Path:
        """Return a copy of a private file in the folder."""
        kept = self.folder / source.name
        number = 2
        while kept.exists() and not _are_equal(kept, source):
            kept = self.folder / f"{source.stem}-{number}{source.suffix}"
            number += 1
        if not kept.exists():
            # A copy: another unfinished render may have the same source.
            with replace_atomically(kept) as part:
                shutil.copyfile(source, part)
        return kept

    def _check_free(self) -> None:
        if self.running is not None:
            raise UsageError(f"{self.running.name} is being rendered: pause or stop it first")

    def _start(self, job: RenderJob) -> None:
        job.state, job.progress, job.pace_from, job.line = "running", None, None, ""
        job.has_begun = True
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
        folder = job_folder(job.order.output)
        if not job.has_begun and folder.exists():
            # It may be at work in another process.
            try:
                with lock_job(folder / "lock"):
                    pass
            except LockedError as error:
                line = f"{job.name}: is being rendered by process {error.holder}"
                raise UsageError(line) from None
        shutil.rmtree(folder, ignore_errors=True)


def _is_output(path: Path) -> bool:
    endings = {ending for endings in ENDINGS.values() for ending in endings}
    return path.suffix in endings and _OUTPUT.fullmatch(path.stem) is not None and path.is_file()


def _read_unfinished(number: int, folder: Path) -> RenderJob:
    """Return the render of a job folder. Raises DreamVideoError or ValueError for no film's."""
    found = Job.at(folder)
    manifest = found.manifest
    if manifest.kind not in FILM or not found.done:
        raise ValueError(manifest.kind)
    kind = manifest.kind
    request = manifest.request
    start, end = (
        _seconds_of(text, name)
        for name, text in (("start", request.get("start")), ("end", request.get("end")))
    )
    choice = Choice(kind, start=start, end=end, size=_size_of(manifest), fps=request.get("fps"))
    source = Path(request.get(_SOURCES[kind][0]) or "")
    output = folder.with_name(folder.name.removesuffix(".dreamjob"))
    values = look_values(manifest.decoded_look)
    order = Order(choice, source, output, values, manifest.wanted, request)
    of = f" of {manifest.frames}" if manifest.frames else ""
    line = f"Unfinished: {found.done}{of} frames are kept"
    progress = Progress("dreaming", "frame", found.done, manifest.frames)
    return RenderJob(number, order, None, "", "paused", progress, line)


def _seconds_of(text: str | None, name: str) -> float | None:
    """Return a time in seconds; None for one in frames, which the request keeps."""
    if text is None or text.strip().lower().endswith("f"):
        return None
    return float(parse_time(text, f"--{name}"))


def _size_of(manifest: Manifest) -> str | None:
    size = manifest.asked.get("--size")
    return None if size == "None" else size


def _is_same(output: Path, choice: Choice, material: SourceFile) -> bool:
    """Whether the unfinished render of an output is the one of this choice and source."""
    try:
        manifest = Job.at(job_folder(output)).manifest
        if manifest.kind != choice.kind or choice.kind not in FILM:
            return False
        name, role = _SOURCES[choice.kind]
        # The clip's own light follows from the clip.
        left_out = (name, "own_light")
        begun = {key: value for key, value in manifest.request.items() if key not in left_out}
        if choice.kind == "zoom":
            begun = {"at": None, "to": None, **begun}
        if {**begun, "size": _size_of(manifest)} != _request_of(choice):
            return False
        if look_values(manifest.decoded_look) != look_values(choice.look):
            return False
        song = choice.sound.get("sound") if choice.look.sounds else None
        heard = _fingerprint_of(song, song.stat().st_mtime_ns) if song else None
        if manifest.files.get("the sound") != heard:
            return False
        return manifest.files.get(role) == _fingerprint_of(
            material.path, material.path.stat().st_mtime_ns
        )
    except (DreamVideoError, OSError):
        return False


def _request_of(choice: Choice) -> dict[str, str | None]:
    """Return a choice as a manifest's request, without the source."""
    if choice.kind == "zoom":
        at = None if choice.at is None else format_seconds(choice.at)
        to = None if choice.loop or choice.to is None else str(Path(choice.to).absolute())
        asked = {"loop": "yes" if choice.loop else None, "at": at, "to": to}
        return {**asked, "fps": choice.fps or ZOOM_FPS, "size": choice.size}
    start, end = (None if at is None else format_seconds(at) for at in (choice.start, choice.end))
    request = ClipRequest(Path(), start, end, choice.size, choice.fps).to_json()
    del request["clip"]
    return request


@lru_cache(maxsize=8)
def _fingerprint_of(path: Path, modified: int) -> str:
    """Fingerprint a file as long as it is not changed: the page asks for it at every change."""
    del modified
    return compute_fingerprint(path)


def _are_equal(a: Path, b: Path) -> bool:
    return a.is_file() and compute_fingerprint(a) == compute_fingerprint(b)


def _record(output: Path, *, source: Path | None = None, song: Path | None = None) -> None:
    """Tell the job of an output where its source or its song is now."""
    with suppress(DreamVideoError):
        job = Job.at(job_folder(output))
        request, wanted = dict(job.manifest.request), dict(job.manifest.wanted)
        if source is not None:
            request[_SOURCES[job.manifest.kind][0]] = str(source.absolute())
        if song is not None:
            wanted["sound"] = str(song.absolute())
        job.save_manifest(job.manifest.model_copy(update={"request": request, "wanted": wanted}))


def _describe_output(job: RenderJob, frames: int) -> str:
    much = format_bytes(job.order.output.stat().st_size if job.order.output.is_file() else 0)
    return f"Done: {frames} frames, {much}" if frames > 1 else f"Done: {much}"
