"""The zoom as one call: from a photo, a clip's frame or noise to a film.

The film can be endless, a loop, or a zoom that arrives at a picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamvideo.arguments import check_arguments
from dreamvideo.cancel import check
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.errors import UsageError
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.proxy import proxy_path
from dreamvideo.media.stills import load_frame, read_still
from dreamvideo.media.write import check_frames, check_max_size, check_output
from dreamvideo.parsing import parse_rate
from dreamvideo.render import output_paths
from dreamvideo.render.encode import StoredFilm, make_encode_options
from dreamvideo.render.frames.pipeline import DreamedFrame
from dreamvideo.render.job.disk_space import (
    FreeSpaceMonitor,
    check_memory,
    check_room,
    estimate_disk_bytes,
    estimate_reserve,
)
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.manifest import make_manifest
from dreamvideo.render.job.segment_store import keeping_state
from dreamvideo.render.look_notes import collect_look_notes
from dreamvideo.render.music import check_sound_files, collect_music_notes, listen
from dreamvideo.render.options import DEFAULT_OPTIONS, RenderOptions
from dreamvideo.render.photo import collect_picture_notes
from dreamvideo.render.precision import settle_precision
from dreamvideo.render.progress import OnProgress, Progress, say, silent
from dreamvideo.render.result import DEFAULT_LOOK, DEFAULT_MACHINE, DEFAULT_OUTPUT, RenderResult
from dreamvideo.render.run import JobRequest, encode_partial, run_job
from dreamvideo.render.zoom.loop_quality import LoopMeter
from dreamvideo.render.zoom.loop_rate import choose_rate, is_zooming_out
from dreamvideo.render.zoom.plan import ZoomPlan
from dreamvideo.render.zoom.prepare import prepare_zoom
from dreamvideo.render.zoom.stages import make_stage_dreamers
from dreamvideo.render.zoom.start_image import fit_to_size, make_start_image, read_picture
from dreamvideo.render.zoom.step import iterate_frames, start_zoom
from dreamvideo.settings import Look, MachineSettings, OutputSettings
from dreamvideo.settings.derive import derive_look

ZOOM_FPS = "25"


def zoom(  # noqa: PLR0913  (public: one keyword per choice)
    photo: Path | str | None,
    output: Path | str | None = None,
    look: Look = DEFAULT_LOOK,
    wanted: OutputSettings = DEFAULT_OUTPUT,
    *,
    to: Path | str | None = None,
    loop: bool = False,
    at: str | None = None,
    fps: str = ZOOM_FPS,
    size: str | None = None,
    overwrite: bool = False,
    machine: MachineSettings = DEFAULT_MACHINE,
    options: RenderOptions = DEFAULT_OPTIONS,
    on_progress: OnProgress = silent,
) -> RenderResult:
    """Zoom endlessly into the dream of a picture or of noise.

    A render that was interrupted is resumed, as with ``dream_video``.

    Args:
        photo: A picture; of a clip, a GIF or a folder, the frame ``at`` a time; None: noise.
        output: The film; None: named after ``photo``.
        look: The look.
        wanted: Output settings.
        to: A picture that the zoom arrives at in its last frame.
        loop: Whether the film leads back into its first frame. Its notes then tell how well, and
            the rate where the look leaves that open.
        at: Time of a clip's frame, as in ``parse_time``; None: its last frame.
        fps: Frames per second.
        size: Size of the film, as in ``parse_size``; pictures are cropped about their centre to its
            shape.
        overwrite: Whether to replace an existing output.
        machine: Device, threads and limits.
        options: Whether to restart, and whether to keep the job folder.
        on_progress: Called with each step of progress.

    Returns:
        The film, its objectives and notes.

    Raises:
        UsageError: The arguments make no sense.
        MediaError: A file cannot be read or written.
        WeightsError: The weights cannot be loaded.

    Example:
        >>> from dreamvideo import make_look, zoom
        >>> look = make_look(["towers"], {"zoom": {"seconds": 0.5}})
        >>> zoom("samples/coffee.jpg", "zoom.mp4", look, fps="10", size="160x90").frames
        5
    """
    check_arguments(zoom, locals())
    photo = Path(photo) if photo is not None else None
    output = _name_output(photo, output)
    output_paths.check_apart(output, photo, to)
    check_output(output, make_encode_options(wanted, overwrite=overwrite))
    output_paths.check_apart(proxy_path(output), photo, to)
    for path in (output, proxy_path(output)):
        output_paths.check_apart(path, wanted.sound, *wanted.stems.values())
    if loop and to is not None:
        raise UsageError("a loop returns to its own beginning: give --loop or --to, not both")
    if at is not None and photo is None:
        raise UsageError("--at names a clip's frame: give the clip")
    look, machine, line = settle_precision(look, machine, "zoom")
    say(on_progress, line)
    rate = parse_rate(fps)
    check_sound_files(look, wanted, None)
    start: Image | None = None
    chosen: list[str] = []
    if loop and look.zoom.rate is None:
        start = _read_start(photo, at, size, wanted, look)
        look = choose_loop_rate(look, rate, start)
        chosen.append(
            f"loop: magnified by {look.zoom.rate:g} a second, the slowest --rate that closes it"
        )
    if wanted.max_size is not None:
        start = _read_start(photo, at, size, wanted, look) if start is None else start
        check_max_size(output, to_bytes(start), make_encode_options(wanted, overwrite=True))
    files = {"the picture": photo, "the picture of --to": None if to is None else Path(to)}
    asked = make_manifest(
        "zoom",
        look,
        wanted,
        {
            "loop": "yes" if loop else None,
            "at": at,
            "to": None if to is None else str(Path(to).absolute()),
            "fps": fps,
            "photo": None if photo is None else str(photo.absolute()),
        },
        {name: path for name, path in files.items() if path is not None},
        machine,
        loop=loop,
        fps=fps,
        size=size,
        **({} if at is None else {"at": at}),
    )

    # Otherwise the last frame of a loop would be coded worse than the first: a seam that the dream
    # did not make.
    encoding = make_encode_options(wanted, look, overwrite=overwrite, alone=loop)

    def dream(job: Job) -> StoredFilm:
        if job.segment_stores()[0].ending is None:
            still = _read_start(photo, at, size, wanted, look) if start is None else start
            height, width = still.shape[:2]
            check_frames(output, encoding, (width, height), rate)
            goal = _read_goal(to, wanted, width, height)
            machine = job.manifest.machine
            parts = make_stage_dreamers(look, height, width, machine, listens=True)
            plan = prepare_zoom(
                *(still, parts, look.zoom, rate),
                closed=loop,
                goal=goal,
                look=look,
                sound=listen(look, wanted),
            )
            job.save_manifest(job.manifest.model_copy(update={"frames": plan.count}))
            _dream(job, plan, output, on_progress)
        ending = job.segment_stores()[0].ending
        chosen.extend(ending.notes if ending else ())
        read = [*collect_picture_notes(*files.values()), *collect_look_notes(look)]
        read += collect_music_notes(look, wanted)
        return replace(_collect(job), notes=read)

    made = run_job(JobRequest(output, asked, encoding, options), dream, on_progress)
    return replace(made, notes=(*made.notes, *chosen))


def choose_loop_rate(look: Look, rate: Fraction, start: Image) -> Look:
    """Return the look of a loop with the slowest magnification that closes it, if it has none.

    Args:
        look: The look.
        rate: Frames per second.
        start: H x W x 3, the picture that the zoom starts from.

    Raises:
        UsageError: No magnification closes it.
    """
    if look.zoom.rate is not None:
        return look
    speed = choose_rate(look.zoom, rate, start.shape[1], start.shape[0])
    return derive_look(look, {"zoom": {"rate": speed}})


def partial_zoom(
    photo: Path | str | None, output: Path | str | None = None, on_progress: OnProgress = silent
) -> RenderResult:
    """Make a film of the frames that a zoom has so far, next to its output (``partial_film``).

    Args:
        photo: The picture that the zoom starts from; None: noise.
        output: The output of that render; None: named after ``photo``.
        on_progress: Called after each encoded frame.

    Raises:
        UsageError: There is no job, or no frame of it is finished.
        MediaError: The film cannot be written.
    """
    output = _name_output(None if photo is None else Path(photo), output)
    return encode_partial(output, _collect, on_progress)


def _name_output(photo: Path | None, output: Path | str | None) -> Path:
    if output:
        return Path(output)
    return output_paths.default_output(photo or Path("noise.png"), "zoom", ".mp4")


def _read_start(
    photo: Path | None, at: str | None, size: str | None, wanted: OutputSettings, look: Look
) -> Image:
    picture = read_picture(photo, wanted.background_color, at) if photo else None
    return make_start_image(picture, size, look.dream.seed)


def _read_goal(
    to: Path | str | None, wanted: OutputSettings, width: int, height: int
) -> Image | None:
    return (
        None if to is None else fit_to_size(read_still(to, wanted.background_color), width, height)
    )


def _dream(job: Job, plan: ZoomPlan, output: Path, on_progress: OnProgress) -> None:
    """Dream the frames that are not stored yet."""
    (part,) = job.segment_stores()
    kept, arrays = part.resume()
    job.report_resumed(output, on_progress)
    # A loop starts when its opening is over.
    late = len(plan.opening)
    meter = LoopMeter([*plan.moves[late:], *plan.moves[:late]])
    if plan.closed:
        for frame in part.frames:
            meter.watch(load_frame(frame.path))
    height, width = plan.still.shape[:2]
    check_memory((width, height))
    check_room(job.folder, estimate_disk_bytes(plan.count - kept, width, height))
    room = FreeSpaceMonitor(job.folder, estimate_reserve(width, height))
    duration = 1 / plan.rate
    with keeping_state(part) as keep:
        for dreamt in dream_zoom(plan, kept, None if arrays is None else arrays["pixels"]):
            room.look()
            pixels, loss = dreamt.pixels, dreamt.loss
            part.add(pixels, dreamt.time, duration, loss=loss, starts=dreamt.starts_shot)
            keep({"pixels": pixels})
            if plan.closed:
                meter.watch(pixels)
            on_progress(Progress("dreaming", "frame", part.count, plan.count, loss))
    part.finish((str(meter.seam()),) if plan.closed else ())


def _collect(job: Job) -> StoredFilm:
    """Return the frames of a zoom so far; one that zooms out may be dreamt from its end."""
    frames, records = job.frames_and_records()
    frames.sort(key=lambda frame: frame.time)
    return StoredFilm(frames, records, parse_rate(job.manifest.request["fps"] or ZOOM_FPS))


def dream_zoom(
    plan: ZoomPlan, kept: int = 0, pixels: NDArray[np.uint8] | None = None
) -> Iterator[DreamedFrame]:
    """Yield the frames of a zoom in the order they are dreamt, with the times they are shown at.

    For a loop that zooms out that order is from its end to its beginning.

    Args:
        plan: The zoom.
        kept: Frames that are already there.
        pixels: uint8 H x W x 3, the last of these.
    """
    backwards = plan.closed and is_zooming_out(plan.settings, plan.rate)
    for number in range(kept, plan.count):
        check()
        if pixels is None:
            image, loss = start_zoom(plan)
        else:
            image, loss = iterate_frames(plan, number - 1, to_float(pixels))
        pixels = to_bytes(image)
        shown = Fraction(plan.count - 1 - number if backwards else number) / plan.rate
        yield DreamedFrame(number, shown, partial(np.asarray, pixels), loss, number == 0)
