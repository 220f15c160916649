"""Unfinished renders, by their job folders: what they are, and whether a request is theirs.

For programs that list the renders of a folder, and resume them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.media.paths import escape_text, replace_atomically
from dreamvideo.render.job.job import Job, job_folder
from dreamvideo.render.job.lock import LockedError, lock_job
from dreamvideo.render.job.manifest import Manifest, compute_fingerprint
from dreamvideo.settings import Look, look_values
from dreamvideo.settings.derive import derive_look

# What each kind of film calls its source in a manifest: in its request, and among its files.
SOURCES = {"video": ("clip", "the input"), "zoom": ("photo", "the picture")}


def check_unlocked(output: Path) -> None:
    """Raise UsageError if another process renders this output."""
    folder = job_folder(output)
    if folder.exists():
        try:
            with lock_job(folder / "lock"):
                pass
        except LockedError as error:
            line = f"{escape_text(output.name)}: is being rendered by process {error.holder}"
            raise UsageError(line) from None


def describe_unfinished(job: Job) -> str:
    """Say how much is done: ``Unfinished: 3 of 8 frames are kept``."""
    of = f" of {job.manifest.frames}" if job.manifest.frames else ""
    return f"Unfinished: {job.done}{of} frames are kept"


def find_size(manifest: Manifest) -> str | None:
    """Return the size that was asked for, as on the command line; None: the source's own."""
    size = manifest.asked.get("--size")
    return None if size == "None" else size


def is_request(
    output: Path,
    kind: str,
    look: Look,
    request: Mapping[str, str | None],
    source: Path,
    sound: Path | None,
    bpm: float | None = None,
) -> bool:
    """Return whether an output's unfinished render is that of a request.

    Args:
        output: The output.
        kind: Kind of render.
        look: The look.
        request: The other arguments, as in a manifest, and the size; without the source.
        source: The clip or picture.
        sound: A sound file that the look follows.
        bpm: The tempo that is set for the beats that it follows.
    """
    try:
        manifest = Job.at(job_folder(output)).manifest
        if manifest.kind != kind or kind not in SOURCES:
            return False
        name, role = SOURCES[kind]
        # The clip's own light follows from the clip.
        begun = {key: v for key, v in manifest.request.items() if key not in (name, "own_light")}
        if kind == "zoom":
            begun = {"at": None, "to": None, **begun}
        if {**begun, "size": find_size(manifest)} != request:
            return False
        if request.get("loop") and look.zoom.rate is None:
            # A loop's rate is chosen when it is rendered.
            look = derive_look(look, {"zoom": {"rate": manifest.decoded_look.zoom.rate}})
        files = manifest.files
        return (
            look_values(manifest.decoded_look) == look_values(look)
            and files.get("the sound") == (sound and _fingerprint_of(sound))
            and manifest.asked.get("--bpm") == (bpm and str(bpm))
            and files.get(role) == _fingerprint_of(source)
        )
    except (DreamVideoError, OSError):
        return False


def are_equal(a: Path, b: Path) -> bool:
    """Return whether two files are the same clip, picture or sound."""
    return a.is_file() and compute_fingerprint(a) == compute_fingerprint(b)


def copy_into(folder: Path, source: Path) -> Path:
    """Return a copy of a file in a folder: one that is there already, or a new one.

    Raises MediaError if it cannot be written.
    """
    copy, number = folder / source.name, 2
    while copy.exists() and not are_equal(copy, source):
        copy = folder / f"{source.stem}-{number}{source.suffix}"
        number += 1
    if not copy.exists():
        with replace_atomically(copy) as part:
            shutil.copyfile(source, part)
    return copy


def record_moved(output: Path, *, source: Path | None = None, sound: Path | None = None) -> None:
    """Record in an output's job, if there is one, where its source or its sound is now."""
    with suppress(DreamVideoError):
        job = Job.at(job_folder(output))
        request, wanted = dict(job.manifest.request), dict(job.manifest.wanted)
        if source is not None:
            request[SOURCES[job.manifest.kind][0]] = str(source.absolute())
        if sound is not None:
            wanted["sound"] = str(sound.absolute())
        job.save_manifest(job.manifest.model_copy(update={"request": request, "wanted": wanted}))


def _fingerprint_of(path: Path) -> str:
    return _fingerprint_at(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _fingerprint_at(path: Path, modified: int) -> str:
    """Fingerprint a file as long as it is not changed: it may be asked for again and again."""
    del modified
    return compute_fingerprint(path)
