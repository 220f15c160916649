"""(a photo) -> a sheet of it in every named look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dreamvideo.dream.ascent import Image
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.look.sheet import Pixels, contact_sheet
from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.stills import STILL_ENDINGS, write_still
from dreamvideo.render import naming
from dreamvideo.render.director import Span, direct, still_look
from dreamvideo.render.moments import moments_of
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.render.still import dream_still
from dreamvideo.render.zoom.ground import noise
from dreamvideo.schedules import SOUNDS, Moment
from dreamvideo.settings import Look, make_look

NOISE_SIZE = (240, 320)
AUDIBLE = Moment(sound=dict.fromkeys(SOUNDS, 0.5))


def show_looks(
    names: Sequence[str],
    photo: Path | None,
    output: Path,
    *,
    size: str | None = None,
    widest: int = 320,
    columns: int | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = silent,
) -> tuple[str, ...]:
    """Dream a photo, a frame of a clip, or noise in each look and write one labelled picture.

    ``size`` is each picture's. Returns a line for each look that cannot be had, as one whose
    network is not here. Raises UsageError, MediaError.
    """
    naming.check_apart(output, photo)
    if not naming.is_picture(output):
        raise UsageError(f"{output}: a sheet ends in {', '.join(STILL_ENDINGS)}")
    naming.check_picture(output, overwrite)
    image = noise(*NOISE_SIZE, seed=0) if photo is None else _seen(photo, size, widest)
    tiles: list[tuple[str, Pixels]] = [("as it is", to_bytes(image))]
    missing: list[str] = []
    for done, (name, made) in enumerate(in_looks(image, names), 1):
        if isinstance(made, str):
            missing.append(f"{name}: {made}")
        else:
            tiles.append((name, made))
        on_progress(Progress("dreaming", "look", done, len(names)))
    write_still(output, contact_sheet(tiles, columns))
    return tuple(missing)


def in_looks(image: Image, names: Sequence[str]) -> Iterator[tuple[str, Pixels | str]]:
    """Each look's name and its picture (uint8) of ``image``, or why there is none."""
    for name in names:
        try:
            yield name, in_look(image, make_look([name]))
        except DreamVideoError as error:
            yield name, str(error)


def in_look(image: Image, look: Look) -> Pixels:
    """The picture (uint8) that a look makes of ``image``. Raises DreamVideoError.

    It is how the look begins; one that follows a sound is shown as at a fairly loud moment.
    """
    height, width = image.shape[:2]
    director = direct(still_look(look.at(AUDIBLE)), Span((width, height)))
    return to_bytes(dream_still(director, image).image)


def _seen(photo: Path, size: str | None, widest: int) -> Image:
    return moments_of(photo, 1, size, widest)[0].image
