"""The zoom as one call: a photo, a clip's end or noise -> an endless film, a loop, an arrival."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from dreamvideo.errors import UsageError
from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.stills import read_still
from dreamvideo.parsing import parse_rate
from dreamvideo.render import naming
from dreamvideo.render.api import DEFAULT_LOOK, DEFAULT_OUTPUT, Rendered
from dreamvideo.render.clip import Dreamt
from dreamvideo.render.deliver import check_wanted, deliver
from dreamvideo.render.job import open_job
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.render.zoom.embark import embark, zooms_out
from dreamvideo.render.zoom.frame import begin, following
from dreamvideo.render.zoom.ground import fitted, ground, picture_of
from dreamvideo.render.zoom.seam import SeamMeter
from dreamvideo.render.zoom.stages import parts_of
from dreamvideo.render.zoom.voyage import Voyage
from dreamvideo.settings import Look, OutputSettings

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
    on_progress: OnProgress = silent,
) -> Rendered:
    """Zoom endlessly into the dream of a photo, or of noise where ``photo`` is None.

    Of a clip, a GIF or a folder, its last frame. ``to`` is a picture that the zoom arrives at in
    its last frame; a ``loop`` leads back into its first frame, and its notes tell how well.
    ``size`` is the film's; pictures are cropped about their middle to that shape. Raises
    UsageError for what makes no sense, MediaError for files that cannot be read or written,
    WeightsError.
    """
    photo = Path(photo) if photo is not None else None
    output = Path(output) if output else naming.beside(photo or Path("noise.png"), "zoom", ".mp4")
    naming.check_apart(output, photo, to)
    check_wanted(output, wanted, overwrite=overwrite)
    if loop and to is not None:
        raise UsageError("a loop returns to its own beginning: give --loop or --to, not both")
    rate = parse_rate(fps)
    still = ground(
        picture_of(photo, wanted.background_color) if photo else None, size, look.dream.seed
    )
    height, width = still.shape[:2]
    goal = None if to is None else fitted(read_still(to, wanted.background_color), width, height)
    parts = parts_of(look, height, width)
    voyage = embark(still, parts, look.zoom, rate, closed=loop, goal=goal)
    losses: list[float] = []
    # A loop begins when its opening is over.
    late = len(voyage.opening)
    meter = SeamMeter([*voyage.moves[late:], *voyage.moves[:late]])
    with open_job(output) as job:
        for dreamt in dream_zoom(voyage):
            job.add(dreamt.pixels, dreamt.time)
            losses.append(dreamt.loss)
            if loop:
                meter.watch(dreamt.pixels)
            on_progress(Progress("dreaming", "frame", len(losses), voyage.count, dreamt.loss))
        notes = deliver(
            sorted(job.frames, key=lambda frame: frame.time),
            output,
            look,
            wanted,
            rate=rate,
            duration_of_last=1 / rate,
            overwrite=overwrite,
            on_progress=on_progress,
            # Else the last frame is coded worse than the first: a seam that no dream has made.
            alone=loop,
        )
    if loop:
        notes = [*notes, str(meter.seam())]
    return Rendered(output, len(losses), tuple(losses), tuple(notes))


def dream_zoom(voyage: Voyage) -> Iterator[Dreamt]:
    """The frames of a zoom in the order in which they are dreamt, at the times they are shown.

    Of a loop that zooms out that order is from its end to its beginning.
    """
    backwards = voyage.closed and zooms_out(voyage.settings)
    image, loss = begin(voyage)
    for number in range(voyage.count):
        if number:
            image, loss = following(voyage, number - 1, image)
        shown = Fraction(voyage.count - 1 - number if backwards else number) / voyage.rate
        yield Dreamt(number, shown, to_bytes(image), loss, number == 0)
