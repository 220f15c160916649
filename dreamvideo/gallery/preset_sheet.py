"""Contact sheet of a photo in several looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.gallery.clip_stills import extract_clip_stills
from dreamvideo.gallery.contact_sheet import Pixels, make_contact_sheet
from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.stills import STILL_ENDINGS, write_still
from dreamvideo.render import output_paths
from dreamvideo.render.frames.planner import FilmSpan, freeze_look, make_planner
from dreamvideo.render.image import dream_still
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.render.zoom.start_image import make_noise
from dreamvideo.schedules import SOUNDS, TimePoint
from dreamvideo.settings import Look, make_look

NOISE_SIZE = (240, 320)
AUDIBLE = TimePoint(sound=dict.fromkeys(SOUNDS, 0.5))


def write_preset_sheet(
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
    """Dream a photo, a frame of a clip, or noise in each look and write one labelled sheet.

    Args:
        names: The looks.
        photo: The photo or clip; None: noise.
        output: The sheet.
        size: Size of each picture, as in ``parse_size``; None: at most ``widest``.
        widest: Largest width of a picture in pixels.
        columns: Columns of the sheet; None: automatic.
        overwrite: Whether to replace an existing sheet.
        on_progress: Called after each look.

    Returns:
        A line for each look that could not be dreamt, for example because its network is missing.

    Raises:
        UsageError: The arguments make no sense.
        MediaError: A file cannot be read or written.
    """
    output_paths.check_apart(output, photo)
    if not output_paths.is_picture(output):
        raise UsageError(f"{output}: a sheet ends in {', '.join(STILL_ENDINGS)}")
    output_paths.check_picture(output, overwrite)
    image = make_noise(*NOISE_SIZE, seed=0) if photo is None else _read_picture(photo, size, widest)
    tiles: list[tuple[str, Pixels]] = [("as it is", to_bytes(image))]
    missing: list[str] = []
    for done, (name, made) in enumerate(dream_in_looks(image, names), 1):
        if isinstance(made, str):
            missing.append(f"{name}: {made}")
        else:
            tiles.append((name, made))
        on_progress(Progress("dreaming", "look", done, len(names)))
    write_still(output, make_contact_sheet(tiles, columns))
    return tuple(missing)


def dream_in_looks(image: Image, names: Sequence[str]) -> Iterator[tuple[str, Pixels | str]]:
    """Yield each look's name and its picture (uint8) of ``image``, or why there is none."""
    for name in names:
        try:
            yield name, dream_in_look(image, make_look([name]))
        except DreamVideoError as error:
            yield name, str(error)


def dream_in_look(image: Image, look: Look) -> Pixels:
    """Dream ``image`` in a look, as it starts; returns uint8. Raises DreamVideoError.

    A look that follows a sound is shown as if at a fairly loud time.
    """
    height, width = image.shape[:2]
    planner = make_planner(freeze_look(look.at(AUDIBLE)), FilmSpan((width, height)))
    return to_bytes(dream_still(planner, image).image)


def _read_picture(photo: Path, size: str | None, widest: int) -> Image:
    return extract_clip_stills(photo, 1, size, widest)[0].image
