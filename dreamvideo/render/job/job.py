"""The job folder ``OUT.dreamjob/``: everything a render needs to resume after any interruption.

``manifest.json`` records the request and the versions used; ``frames/`` holds the finished frames
losslessly, ``parts/`` their records and checkpoints, ``lock`` the id of the process that works on
it. The folder is removed when the film is complete.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dreamvideo.errors import MediaError, UsageError, leave
from dreamvideo.media.folder import place_of
from dreamvideo.media.paths import describe_os_error, escape_text, partial_path
from dreamvideo.media.stored import StoredFrame, name_stored_frame
from dreamvideo.render.job import manifest as manifests
from dreamvideo.render.job.lock import LockedError, lock_job
from dreamvideo.render.job.manifest import Manifest
from dreamvideo.render.job.segment_store import FrameRecord, SegmentStore, source_path
from dreamvideo.render.job.segments import Segment
from dreamvideo.render.progress import OnProgress, Progress

_FOLDERS = ("frames", "parts", "source", "ahead", "joined", "second")
# How long the processes of a killed render may take to notice, in seconds.
PATIENCE = 15.0


@dataclass
class Job:
    """One render's folder and manifest. The process that renders holds the lock."""

    folder: Path
    manifest: Manifest

    @classmethod
    def at(cls, folder: Path) -> Job:
        """Open a job's folder for reading only. Raises DreamVideoError if it is damaged."""
        return cls(folder, manifests.read_manifest(folder))

    def segment_store(self, segment: Segment) -> SegmentStore:
        """Return what is stored of a segment."""
        return SegmentStore(self.folder, segment.index, segment.first, segment.warm_up)

    def segment_stores(self) -> list[SegmentStore]:
        """Return the stores of all segments, in film order."""
        return [self.segment_store(segment) for segment in self.manifest.segments]

    def save_manifest(self, manifest: Manifest) -> None:
        """Save an updated manifest. Raises MediaError."""
        manifests.write_manifest(self.folder, manifest)
        self.manifest = manifest

    def source_path(self, number: int) -> Path:
        """Return where a source frame is kept for a pass that needs it again."""
        return source_path(self.folder, number)

    def second_path(self, number: int) -> Path:
        """Return where a frame of the backward pass is stored."""
        return self.folder / "second" / name_stored_frame(number)

    @property
    def frames(self) -> list[StoredFrame]:
        """All stored frames, in film order."""
        return self.frames_and_records()[0]

    @property
    def records(self) -> list[FrameRecord]:
        """The records of all stored frames, in film order."""
        return self.frames_and_records()[1]

    def frames_and_records(self) -> tuple[list[StoredFrame], list[FrameRecord]]:
        """Read both at once: they belong together even while another process adds to them."""
        parts = self.segment_stores()
        frames = [frame for part in parts for frame in part.frames]
        return frames, [record for part in parts for record in part.records]

    @property
    def done(self) -> int:
        """Number of stored frames."""
        return len(self.records)

    def report_resumed(self, output: Path, on_progress: OnProgress) -> None:
        """Report that an earlier run is resumed, if there is one."""
        done, total = self.done, self.manifest.frames
        if done:
            of = f" of {total}" if total else ""
            note = f"resuming {escape_text(output)}: {done}{of} frames are done"
            on_progress(Progress("dreaming", "frame", done, total, note=note))


def job_folder(output: Path) -> Path:
    """Return the job folder of an output, absolute: ``film.mp4`` -> ``film.mp4.dreamjob``.

    The same holds for a folder of frames.
    """
    place = place_of(output)
    return place.with_name(f"{place.name}.dreamjob")


def read_job(output: Path) -> Job:
    """Open a job for reading only. Raises DreamVideoError if there is none."""
    folder = job_folder(output)
    if not (folder / manifests.NAME).exists():
        raise UsageError(
            f"{escape_text(output)}: there is no {escape_text(folder)} with frames of it"
        )
    return Job.at(folder)


@contextmanager
def open_job(
    output: Path,
    asked: Manifest,
    *,
    restart: bool = False,
    keep: bool = False,
    resumable: bool = True,
) -> Iterator[Job]:
    """Create or resume an output's job for the duration of the block.

    If the block succeeds the folder is removed (unless ``keep``). If it fails the folder stays and
    the error says so (``errors.left``), unless no frame was finished or the job is not
    ``resumable``.

    Args:
        output: The output file or folder of frames.
        asked: The manifest of this request.
        restart: Discard an existing job and start over.
        keep: Keep the folder after success.
        resumable: Whether frames of a failed run are kept.

    Raises:
        UsageError: The job was started with other settings, or another process works on it.
        DreamVideoError: The job is damaged.
        MediaError: The folder cannot be written.
    """
    folder = job_folder(output)
    with _hold_lock(output, folder):
        job = _start_job(output, folder, asked, restart or not resumable)
        try:
            yield job
        except BaseException as error:
            done = job.done if resumable else 0
            if done:
                of = f" of {job.manifest.frames}" if job.manifest.frames else ""
                leave(error, f"{done}{of} frames are kept")
            else:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _hold_lock(output: Path, folder: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_job(folder / "lock"))
        except LockedError as error:
            raise UsageError(
                f"{escape_text(output)}: is being rendered already, by process {error.holder}"
            ) from None
        except OSError as error:
            raise MediaError(
                f"cannot write next to {escape_text(output)}: {describe_os_error(error)}"
            ) from error
        yield
    if sys.platform == "win32" and [path.name for path in folder.glob("*")] == ["lock"]:
        # On Windows an open file cannot be removed.
        shutil.rmtree(folder, ignore_errors=True)


def _start_job(output: Path, folder: Path, asked: Manifest, restart: bool) -> Job:
    known = {"lock", manifests.NAME, partial_path(Path(manifests.NAME)).name, *_FOLDERS}
    foreign = sorted({path.name for path in folder.iterdir()} - known)
    if foreign:
        raise UsageError(
            f"{escape_text(folder)}: holds other files ({escape_text(foreign[0])}); move it away"
        )
    job = Job(folder, asked)
    old = folder / manifests.NAME
    if old.exists() and not restart:
        job = Job.at(folder)
        changed = manifests.find_differences(job.manifest, asked)
        if changed:
            raise UsageError(
                f"{escape_text(output)}: cannot be resumed: {changed[0]}; --restart discards it "
                "and starts over"
            )
    else:
        # The manifest goes first, so that a kill in between never leaves one whose frames are gone.
        old.unlink(missing_ok=True)
        for name in _FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)
    for name in _FOLDERS:
        (folder / name).mkdir(exist_ok=True)
    if not old.exists():
        job.save_manifest(asked)
    return job
