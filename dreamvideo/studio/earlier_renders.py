"""What the folder of films holds: finished files, and job folders that can be resumed."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.formatting import format_bytes, format_seconds
from dreamvideo.media.identify import SourceFile
from dreamvideo.parsing import parse_time
from dreamvideo.render.job.job import Job, job_folder
from dreamvideo.render.job.lock import LockedError, lock_job
from dreamvideo.render.job.manifest import Manifest, compute_fingerprint
from dreamvideo.render.progress import Progress
from dreamvideo.render.source import ClipRequest
from dreamvideo.render.zoom.render import ZOOM_FPS
from dreamvideo.settings import look_values
from dreamvideo.settings.derive import derive_look
from dreamvideo.studio.form_state import ENDINGS, FILM, WORDS, Choice
from dreamvideo.studio.kept_renders import KeptRender
from dreamvideo.studio.render_job import RenderJob
from dreamvideo.studio.render_worker import Order

_OUTPUT = re.compile(rf".+-(?:{'|'.join(sorted(set(WORDS.values())))})(?:-\d+)?")
# What each kind of render calls its source in a manifest: its path, and its fingerprint.
_SOURCES = {"video": ("clip", "the input"), "zoom": ("photo", "the picture")}


def check_free(job: RenderJob) -> None:
    """Raise UsageError if another process works on a render."""
    folder = job_folder(job.order.output)
    if folder.exists():
        try:
            with lock_job(folder / "lock"):
                pass
        except LockedError as error:
            line = f"{job.name}: is being rendered by process {error.holder}"
            raise UsageError(line) from None


def restore(number: int, kept: KeptRender) -> RenderJob:
    """Return a render as it was kept, with the frames that it has now."""
    job = RenderJob(number, kept.order, None, kept.command, kept.state)
    job.line, job.notes = kept.line, kept.notes
    if kept.state not in ("failed", "done"):
        # What was under way waits.
        job.state, job.line = "paused" if kept.state == "paused" else "waiting", ""
        with suppress(DreamVideoError):
            found = Job.at(job_folder(kept.order.output))
            job.progress = Progress("dreaming", "frame", found.done, found.manifest.frames)
            job.line = _describe_unfinished(found)
    return job


def is_output(path: Path) -> bool:
    """Return whether a file is named like a finished render."""
    endings = {ending for endings in ENDINGS.values() for ending in endings}
    return path.suffix in endings and _OUTPUT.fullmatch(path.stem) is not None and path.is_file()


def read_unfinished(number: int, folder: Path) -> RenderJob:
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
    progress = Progress("dreaming", "frame", found.done, manifest.frames)
    return RenderJob(number, order, None, "", "paused", progress, _describe_unfinished(found))


def _describe_unfinished(found: Job) -> str:
    of = f" of {found.manifest.frames}" if found.manifest.frames else ""
    return f"Unfinished: {found.done}{of} frames are kept"


def _seconds_of(text: str | None, name: str) -> float | None:
    """Return a time in seconds; None for one in frames, which the request keeps."""
    if text is None or text.strip().lower().endswith("f"):
        return None
    return float(parse_time(text, f"--{name}"))


def _size_of(manifest: Manifest) -> str | None:
    size = manifest.asked.get("--size")
    return None if size == "None" else size


def is_same(output: Path, choice: Choice, material: SourceFile) -> bool:
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
        look = choice.look
        if choice.kind == "zoom" and choice.loop and look.zoom.rate is None:
            # A loop's rate is chosen when it is rendered.
            look = derive_look(look, {"zoom": {"rate": manifest.decoded_look.zoom.rate}})
        if look_values(manifest.decoded_look) != look_values(look):
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


def are_equal(a: Path, b: Path) -> bool:
    """Return whether two files are the same clip or picture."""
    return a.is_file() and compute_fingerprint(a) == compute_fingerprint(b)


def record_kept(output: Path, *, source: Path | None = None, song: Path | None = None) -> None:
    """Tell the job of an output where its source or its song is now."""
    with suppress(DreamVideoError):
        job = Job.at(job_folder(output))
        request, wanted = dict(job.manifest.request), dict(job.manifest.wanted)
        if source is not None:
            request[_SOURCES[job.manifest.kind][0]] = str(source.absolute())
        if song is not None:
            wanted["sound"] = str(song.absolute())
        job.save_manifest(job.manifest.model_copy(update={"request": request, "wanted": wanted}))


def describe_output(job: RenderJob, frames: int) -> str:
    """Describe a finished render: ``Done: 40 frames, 2 MB``."""
    much = format_bytes(job.order.output.stat().st_size if job.order.output.is_file() else 0)
    return f"Done: {frames} frames, {much}" if frames > 1 else f"Done: {much}"
