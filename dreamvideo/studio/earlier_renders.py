"""What a folder of films holds: finished files, job folders that can be resumed, the last list.

The list of renders is a hidden file of the folder, so that a restart finds the queue as it was.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from dreamvideo.errors import DreamVideoError, MediaError
from dreamvideo.formatting import format_bytes, format_seconds
from dreamvideo.media.paths import replace_atomically
from dreamvideo.parsing import parse_time
from dreamvideo.render.job.job import Job, job_folder
from dreamvideo.render.job.unfinished import SOURCES, describe_unfinished, find_size, is_request
from dreamvideo.render.progress import Progress
from dreamvideo.render.source import ClipRequest
from dreamvideo.render.zoom.render import ZOOM_FPS
from dreamvideo.settings import look_values
from dreamvideo.studio.form_state import ENDINGS, FILM, WORDS, Choice
from dreamvideo.studio.render_job import JobState, RenderJob
from dreamvideo.studio.render_worker import Order

_OUTPUT = re.compile(rf".+-(?:{'|'.join(sorted(set(WORDS.values())))})(?:-\d+)?")
NAME = ".dreamvideo-studio.json"


@dataclass(frozen=True)
class KeptRender:
    """One render: its order, the command line that does the same, and how it stood."""

    order: Order
    command: str
    state: JobState
    line: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeptRenders:
    """All renders, the queue first, and the files that were taken off the list."""

    renders: tuple[KeptRender, ...] = ()
    hidden: tuple[str, ...] = ()


_FORM = TypeAdapter(KeptRenders)


def read_renders(folder: Path) -> KeptRenders:
    """Read the list of a folder; empty if there is none that can be read."""
    try:
        kept = _FORM.validate_json((folder / NAME).read_bytes())
    except (OSError, ValidationError):
        return KeptRenders()
    # Whatever the file says, nothing outside the folder is written or deleted.
    renders = [
        replace(each, order=replace(each.order, output=folder / each.order.output.name))
        for each in kept.renders
        if each.order.output.name
    ]
    return replace(kept, renders=tuple(renders))


def write_renders(folder: Path, kept: KeptRenders) -> None:
    """Write the list, or delete it if it is empty; what cannot be written stays as it was."""
    path = folder / NAME
    with suppress(MediaError, OSError):
        if kept == KeptRenders():
            path.unlink(missing_ok=True)
            return
        with replace_atomically(path, sync=False) as part:
            part.write_bytes(_FORM.dump_json(kept, indent=1))


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
            job.line = describe_unfinished(found)
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
    choice = Choice(kind, start=start, end=end, size=find_size(manifest), fps=request.get("fps"))
    source = Path(request.get(SOURCES[kind][0]) or "")
    output = folder.with_name(folder.name.removesuffix(".dreamjob"))
    values = look_values(manifest.decoded_look)
    order = Order(choice, source, output, values, manifest.wanted, request)
    progress = Progress("dreaming", "frame", found.done, manifest.frames)
    return RenderJob(number, order, None, "", "paused", progress, describe_unfinished(found))


def _seconds_of(text: str | None, name: str) -> float | None:
    """Return a time in seconds; None for one in frames, which the request keeps."""
    if text is None or text.strip().lower().endswith("f"):
        return None
    return float(parse_time(text, f"--{name}"))


def is_same(output: Path, choice: Choice, source: Path) -> bool:
    """Return whether the unfinished render of an output is the one of this choice and source."""
    with suppress(DreamVideoError):
        look = choice.look
        heard = (choice.sound.get(name) if look.sounds else None for name in ("sound", "bpm"))
        return is_request(output, choice.kind, look, _request_of(choice), source, *heard)
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


def describe_output(job: RenderJob, frames: int) -> str:
    """Describe a finished render: ``Done: 40 frames, 2 MB``."""
    much = format_bytes(job.order.output.stat().st_size if job.order.output.is_file() else 0)
    return f"Done: {frames} frames, {much}" if frames > 1 else f"Done: {much}"
