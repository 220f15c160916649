"""A still as one call: a picture -> its dream, or a film of the dream growing."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from dreamvideo.dream.ascent import Image
from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.endings import STILL_ENDINGS
from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.probe import is_film as shows_film
from dreamvideo.render import naming
from dreamvideo.render.deliver import check_wanted, deliver, recipe
from dreamvideo.render.director import Span, direct, still_look
from dreamvideo.render.job import open_job
from dreamvideo.render.made import DEFAULT_LOOK, DEFAULT_MACHINE, DEFAULT_OUTPUT, Rendered
from dreamvideo.render.manifest import describe, look_files
from dreamvideo.render.photo import Photo, check_still, picture_notes, read_photo
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
    output's ending is a film's, as a film of the dream growing. Transparency, 16 bits a channel
    and what the camera wrote are kept where the output can hold them. Raises UsageError for what
    makes no sense, MediaError for files that cannot be read or written, WeightsError.
    """
    photo = Path(photo)
    output = Path(output) if output else naming.beside(photo, "dream", ".png")
    naming.check_apart(output, photo)
    is_film = not naming.is_picture(output)
    if is_film and not every:
        raise UsageError(
            f"{output}: a picture ends in {', '.join(STILL_ENDINGS)}; "
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
        read = read_photo(photo, output, wanted, size, machine.most_bytes)
    except MediaError:
        if shows_film(photo):
            line = f"{photo}: not an image but a film; dream it with 'dreamvideo video'"
            raise MediaError(line) from None
        raise
    still = read.image
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

        deep = read.depth > 8
        dreamt = dream_still(director.telling(tile), still, on_step=told, deep=deep)
        return dreamt.image, dreamt.losses

    if is_film:
        return _growth(photo, read, output, look, wanted, overwrite, on_progress, climb)
    kept = [output.with_stem(f"{output.stem}-{n:06d}") for n in between]
    for path in kept:
        naming.check_picture(path, overwrite)

    def keep(step: Growing) -> None:
        read.save(kept[between.index(step.done)], step.image(), {}, wanted.quality)

    image, losses = climb(keep)
    read.save(output, image, {} if wanted.strip_metadata else recipe(look), wanted.quality)
    notes = (*read.notes, *picture_notes(*look_files(look).values()))
    return Rendered(output, 1, losses, notes, kept=tuple(kept))


def _growth(
    photo: Path,
    read: Photo,
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
            time = len(part.records) / GROWTH_RATE
            part.add(to_bytes(image), time, 1 / GROWTH_RATE, alpha=read.alpha_bytes)

        add(read.image)
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
    further = picture_notes(*look_files(look).values())
    return Rendered(output, len(part.records), losses, (*read.notes, *further, *notes))
