"""A still as one call: a picture -> its dream, or a film of the dream growing."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from dreamvideo.dream.ascent import Image
from dreamvideo.dream.octaves import resize
from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.paths import shown
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.probe import is_film as shows_film
from dreamvideo.media.stills import read_still, write_still
from dreamvideo.parsing import parse_size
from dreamvideo.render import naming
from dreamvideo.render.deliver import check_still, check_wanted, deliver, recipe
from dreamvideo.render.director import Span, direct, still_look
from dreamvideo.render.job import open_job
from dreamvideo.render.made import DEFAULT_LOOK, DEFAULT_MACHINE, DEFAULT_OUTPUT, Rendered
from dreamvideo.render.manifest import describe
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.render.still import Growing, dream_still, steps_of
from dreamvideo.settings import Look, MachineSettings, OutputSettings

# A film of a dream growing shows this many pictures a second.
GROWTH_RATE = Fraction(10)

OnStep = Callable[[Growing], None]


def dream_image(
    photo: Path | str,
    output: Path | str | None = None,
    look: Look = DEFAULT_LOOK,
    wanted: OutputSettings = DEFAULT_OUTPUT,
    *,
    size: str | None = None,
    every: int | None = None,
    overwrite: bool = False,
    machine: MachineSettings = DEFAULT_MACHINE,
    on_progress: OnProgress = silent,
) -> Rendered:
    """Dream one picture.

    ``every`` keeps the picture at each so many steps: as files beside the output, or, where the
    output's ending is a film's, as a film of the dream growing. Raises UsageError for what makes
    no sense, MediaError for files that cannot be read or written, WeightsError.
    """
    photo = Path(photo)
    output = Path(output) if output else naming.beside(photo, "dream", ".png")
    naming.check_apart(output, photo)
    is_film = not naming.is_picture(output)
    if is_film and not every:
        raise UsageError(
            f"{output}: a picture ends in {', '.join(naming.PICTURE_ENDINGS)}; "
            "for a film of the dream growing add --every N"
        )
    if every is not None and every < 1:
        raise UsageError(f"--every {every}: keep the picture at every 1 or more steps")
    if is_film:
        check_wanted(output, wanted, overwrite=overwrite)
    else:
        check_still(output, wanted)
        naming.check_picture(output, overwrite)
    try:
        still = _sized(to_float(read_still(photo, wanted.background_color)), size)
    except MediaError:
        if shows_film(photo):
            raise MediaError(
                f"{shown(photo)}: not an image but a film; dream it with 'dreamvideo video'"
            ) from None
        raise
    director = direct(still_look(look), Span(still.shape[1::-1]), machine=machine)
    total = steps_of(director, still)
    between = range(every, total, every) if every else range(0)

    def climb(on_step: OnStep) -> tuple[Image, tuple[float, ...]]:
        done = 0

        def tile(number: int, tiles: int) -> None:
            said = f"tile {number}/{tiles}"
            on_progress(Progress("dreaming", "step", done, total, detail=said))

        def told(step: Growing) -> None:
            nonlocal done
            done = step.done
            on_progress(Progress("dreaming", "step", step.done, step.total, step.loss))
            if step.done in between:
                on_step(step)

        dreamt = dream_still(director.telling(tile), still, on_step=told)
        return dreamt.image, dreamt.losses

    if is_film:
        return _growth(photo, still, output, look, wanted, overwrite, on_progress, climb)
    kept = [output.with_stem(f"{output.stem}-{n:06d}") for n in between]
    for path in kept:
        naming.check_picture(path, overwrite)
    image, losses = climb(
        lambda step: write_still(kept[between.index(step.done)], to_bytes(step.image()))
    )
    quality = 95 if wanted.quality is None else wanted.quality
    write_still(output, to_bytes(image), recipe(look), quality)
    return Rendered(output, 1, losses, kept=tuple(kept))


def _growth(
    photo: Path,
    still: Image,
    output: Path,
    look: Look,
    wanted: OutputSettings,
    overwrite: bool,
    on_progress: OnProgress,
    climb: Callable[[OnStep], tuple[Image, tuple[float, ...]]],
) -> Rendered:
    """The film of a dream growing, from the picture itself to the last step."""
    asked = describe("image", look, wanted, {}, {"the picture": photo})
    with open_job(output, asked, resumable=False) as job:
        part = job.parts()[0]

        def add(image: Image) -> None:
            part.add(to_bytes(image), len(part.records) / GROWTH_RATE, 1 / GROWTH_RATE)

        add(still)
        image, losses = climb(lambda step: add(step.image()))
        add(image)
        notes = deliver(
            part.frames,
            output,
            look,
            wanted,
            rate=GROWTH_RATE,
            duration_of_last=1 / GROWTH_RATE,
            overwrite=overwrite,
            on_progress=on_progress,
        )
    return Rendered(output, len(part.records), losses, tuple(notes))


def _sized(still: Image, size: str | None) -> Image:
    if size is None:
        return still
    width, height = parse_size(size, still.shape[1], still.shape[0])
    return resize(still, (height, width))
