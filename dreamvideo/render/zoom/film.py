"""The zoom as one call: a photo, a clip's end or noise -> an endless film, a loop, an arrival."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.ascent import Image
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.stills import load_frame, read_still
from dreamvideo.parsing import parse_rate
from dreamvideo.render import naming
from dreamvideo.render.checkpoint import Arrays
from dreamvideo.render.clip import Dreamt
from dreamvideo.render.deliver import check_wanted, deliver
from dreamvideo.render.going import GOING, Going
from dreamvideo.render.job import Job, open_job, read_job
from dreamvideo.render.made import DEFAULT_LOOK, DEFAULT_MACHINE, DEFAULT_OUTPUT, Rendered
from dreamvideo.render.manifest import describe, look_files
from dreamvideo.render.photo import picture_notes
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.render.resources import Watch, check_memory, check_room, needed, reserve_for
from dreamvideo.render.zoom.closing import choose_rate, zooms_out
from dreamvideo.render.zoom.embark import embark
from dreamvideo.render.zoom.frame import begin, following
from dreamvideo.render.zoom.ground import fitted, ground, picture_of
from dreamvideo.render.zoom.seam import SeamMeter
from dreamvideo.render.zoom.stages import parts_of
from dreamvideo.render.zoom.voyage import Voyage
from dreamvideo.settings import Look, MachineSettings, OutputSettings, make_output
from dreamvideo.settings.changes import changed

ZOOM_FPS = "25"


def zoom(
    photo: Path | str | None,
    output: Path | str | None = None,
    look: Look = DEFAULT_LOOK,
    wanted: OutputSettings = DEFAULT_OUTPUT,
    *,
    to: Path | str | None = None,
    loop: bool = False,
    fps: str = ZOOM_FPS,
    size: str | None = None,
    overwrite: bool = False,
    machine: MachineSettings = DEFAULT_MACHINE,
    going: Going = GOING,
    on_progress: OnProgress = silent,
) -> Rendered:
    """Zoom endlessly into the dream of a photo, or of noise where ``photo`` is None.

    Of a clip, a GIF or a folder, its last frame. ``to`` is a picture that the zoom arrives at in
    its last frame; a ``loop`` leads back into its first frame, and its notes tell how well, and
    how fast it is where the look leaves that open.
    ``size`` is the film's; pictures are cropped about their middle to that shape. What was ended
    before the film was complete goes on where it was, as ``dream_video`` does. Raises UsageError
    for what makes no sense, MediaError for files that cannot be read or written, WeightsError.
    """
    photo = Path(photo) if photo is not None else None
    output = _named(photo, output)
    naming.check_apart(output, photo, to)
    check_wanted(output, wanted, overwrite=overwrite)
    if loop and to is not None:
        raise UsageError("a loop returns to its own beginning: give --loop or --to, not both")
    rate = parse_rate(fps)
    start: Image | None = None
    chosen: list[str] = []
    if loop and look.zoom.rate is None:
        start = _start(photo, size, wanted, look)
        speed = choose_rate(look.zoom, rate, start.shape[1], start.shape[0])
        look = changed(look, {"zoom": {"rate": speed}})
        chosen.append(f"loop: magnified by {speed:g} a second, the slowest --rate that closes it")
    files = {"the picture": photo, "the picture of --to": None if to is None else Path(to)}
    asked = describe(
        "zoom",
        look,
        wanted,
        {"loop": "yes" if loop else None, "fps": fps},
        {name: path for name, path in files.items() if path is not None},
        machine,
        loop=loop,
        fps=fps,
        size=size,
    )
    with open_job(output, asked, restart=going.restart, keep=going.keep_job) as job:
        if job.parts()[0].ending is None:
            still = _start(photo, size, wanted, look) if start is None else start
            height, width = still.shape[:2]
            goal = _goal(to, wanted, width, height)
            parts = parts_of(look, height, width, job.manifest.machine)
            voyage = embark(still, parts, look.zoom, rate, closed=loop, goal=goal, look=look)
            _dream(job, voyage, output, on_progress)
        part = job.parts()[0]
        notes = _film(job, output, wanted, overwrite, on_progress)
    said = part.ending.notes if part.ending else ()
    losses = tuple(record.loss for record in part.records)
    shown = sorted(part.records, key=lambda record: record.time)
    took = tuple(record.seconds for record in shown)
    read = picture_notes(photo, files["the picture of --to"], *look_files(look).values())
    return Rendered(output, len(losses), losses, (*read, *notes, *chosen, *said), seconds=took)


def partial_zoom(
    photo: Path | str | None, output: Path | str | None = None, on_progress: OnProgress = silent
) -> Rendered:
    """A film of the frames that a zoom has so far, beside it: see ``partial_film``."""
    output = _named(None if photo is None else Path(photo), output)
    job = read_job(output)
    losses = tuple(record.loss for record in job.parts()[0].records)
    if not losses:
        raise UsageError(f"{output}: no frame of it is finished yet")
    so_far = naming.partial(output)
    wanted = make_output(**job.manifest.wanted)
    check_wanted(so_far, wanted, overwrite=True)
    notes = _film(job, so_far, wanted, True, on_progress)
    return Rendered(so_far, len(losses), losses, tuple(notes))


def _named(photo: Path | None, output: Path | str | None) -> Path:
    if output:
        return Path(output)
    return naming.beside(photo or Path("noise.png"), "zoom", ".mp4")


def _start(photo: Path | None, size: str | None, wanted: OutputSettings, look: Look) -> Image:
    picture = picture_of(photo, wanted.background_color) if photo else None
    return ground(picture, size, look.dream.seed)


def _goal(to: Path | str | None, wanted: OutputSettings, width: int, height: int) -> Image | None:
    return None if to is None else fitted(read_still(to, wanted.background_color), width, height)


def _dream(job: Job, voyage: Voyage, output: Path, on_progress: OnProgress) -> None:
    """Dream the frames that are not there yet."""
    job.settle(job.manifest.model_copy(update={"frames": voyage.count}))
    (part,) = job.parts()
    kept, arrays = part.resume()
    job.say_how_far(output, on_progress)
    # A loop begins when its opening is over.
    late = len(voyage.opening)
    meter = SeamMeter([*voyage.moves[late:], *voyage.moves[:late]])
    if voyage.closed:
        for frame in part.frames:
            meter.watch(load_frame(frame.path))
    height, width = voyage.still.shape[:2]
    check_memory(width, height)
    check_room(job.folder, needed(voyage.count - kept, width, height))
    room = Watch(job.folder, reserve_for(width, height))
    left: tuple[Arrays, int] | None = None
    try:
        for dreamt in dream_zoom(voyage, kept, None if arrays is None else arrays["pixels"]):
            room.look()
            part.add(
                dreamt.pixels,
                dreamt.time,
                1 / voyage.rate,
                loss=dreamt.loss,
                starts=dreamt.starts_shot,
            )
            left = {"pixels": dreamt.pixels}, len(part.records)
            part.checkpoint(*left)
            if voyage.closed:
                meter.watch(dreamt.pixels)
            done = len(part.records)
            on_progress(Progress("dreaming", "frame", done, voyage.count, dreamt.loss))
    except BaseException:
        if left is not None:
            with suppress(DreamVideoError):
                part.checkpoint(*left, now=True)
        raise
    part.finish((str(meter.seam()),) if voyage.closed else ())


def _film(
    job: Job, output: Path, wanted: OutputSettings, overwrite: bool, on_progress: OnProgress
) -> list[str]:
    rate = parse_rate(job.manifest.request["fps"] or ZOOM_FPS)
    return deliver(
        sorted(job.frames, key=lambda frame: frame.time),
        output,
        job.manifest.decoded_look,
        wanted,
        rate=rate,
        duration_of_last=1 / rate,
        overwrite=overwrite,
        on_progress=on_progress,
        # Else the last frame is coded worse than the first: a seam that no dream has made.
        alone=job.manifest.request["loop"] is not None,
    )


def dream_zoom(
    voyage: Voyage, kept: int = 0, pixels: NDArray[np.uint8] | None = None
) -> Iterator[Dreamt]:
    """The frames of a zoom in the order in which they are dreamt, at the times they are shown.

    Of a loop that zooms out that order is from its end to its beginning. After ``kept`` frames it
    goes on from the last one's ``pixels``.
    """
    backwards = voyage.closed and zooms_out(voyage.settings, voyage.rate)
    for number in range(kept, voyage.count):
        if pixels is None:
            image, loss = begin(voyage)
        else:
            image, loss = following(voyage, number - 1, to_float(pixels))
        pixels = to_bytes(image)
        shown = Fraction(voyage.count - 1 - number if backwards else number) / voyage.rate
        yield Dreamt(number, shown, pixels, loss, number == 0)
