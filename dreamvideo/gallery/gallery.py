"""Write a gallery: a labelled contact sheet and a page with the commands."""

from __future__ import annotations

import math
from pathlib import Path

from dreamvideo.errors import UsageError
from dreamvideo.gallery import Across
from dreamvideo.gallery.clip_stills import ClipStill, extract_clip_stills
from dreamvideo.gallery.contact_sheet import make_contact_sheet
from dreamvideo.gallery.page import make_gallery_page
from dreamvideo.gallery.variations import (
    Tile,
    Variation,
    choose_layer,
    draw_creature_seeds,
    dream_tiles,
    find_strongest_channels,
    list_variations,
)
from dreamvideo.media.paths import replace_atomically
from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.stills import is_still, write_still
from dreamvideo.render import output_paths
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.settings import Look


def show_gallery(  # noqa: PLR0913  (public: one keyword per choice)
    picture: Path,
    output: Path | None,
    look: Look,
    *,
    across: Across = "layers",
    layer: str | None = None,
    count: int = 20,
    moments: int = 1,
    columns: int | None = None,
    size: str | None = None,
    widest: int = 320,
    overwrite: bool = False,
    on_progress: OnProgress = silent,
) -> tuple[Path, Path]:
    """Dream a picture, or stills of a clip, in many variations.

    Args:
        picture: The picture or clip.
        output: The sheet (.png); None: named after ``picture``. The page is written next to it.
        look: The look.
        across: What to vary.
        layer: The layer whose channels are shown.
        count: Number of channels or seeds of creatures.
        moments: Number of stills of a clip.
        columns: Columns of the sheet; None: automatic.
        size: As in ``parse_size``; None: at most ``widest``.
        widest: Largest width of a picture in pixels.
        overwrite: Whether to replace existing files.
        on_progress: Called after each picture.

    Returns:
        The sheet (PNG) and the page (HTML).

    Raises:
        UsageError: The arguments make no sense.
        MediaError: A file cannot be read or written.
        WeightsError: The weights cannot be loaded.
    """
    sheet = output or output_paths.default_output(picture, f"gallery-{across}", ".png")
    if sheet.suffix.lower() != ".png":
        raise UsageError(f"{sheet}: a gallery ends in .png; its page is written next to it")
    page = sheet.with_suffix(".html")
    for path in (sheet, page):
        output_paths.check_apart(path, picture)
        output_paths.check_picture(path, overwrite)
    if layer is not None and across != "channels":
        raise UsageError("--layer is for --across channels")
    seen = extract_clip_stills(picture, moments, size, widest)
    ways = _list_variations(seen[0], look, across, layer, count)
    command = ["dreamvideo", "image" if is_still(picture) else "video", str(picture)]
    made: list[Tile] = []
    for moment in seen:
        for tile in dream_tiles(moment.image, ways, look, command):
            made.append(_add_time(tile, moment, len(seen)))
            on_progress(Progress("dreaming", "picture", len(made), len(ways) * len(seen)))
    across_page = columns or _count_columns(len(ways), len(seen))
    pixels = make_contact_sheet([(tile.label, to_bytes(tile.image)) for tile in made], across_page)
    write_still(sheet, pixels)
    with replace_atomically(page) as part:
        part.write_text(make_gallery_page(f"{picture.name}: {across}", made), encoding="utf-8")
    return sheet, page


def _list_variations(
    moment: ClipStill, look: Look, across: Across, layer: str | None, count: int
) -> list[Variation]:
    if across == "creatures":
        return list_variations(across, look.dream.model, numbers=draw_creature_seeds(look, count))
    if across != "channels":
        return list_variations(across, look.dream.model)
    chosen = choose_layer(look, layer)
    channels = find_strongest_channels(moment.image, look, chosen, count)
    return list_variations(across, look.dream.model, chosen, channels)


def _add_time(tile: Tile, moment: ClipStill, moments: int) -> Tile:
    if moment.time is None or moments == 1:
        return tile
    return Tile(f"{tile.label}, at {float(moment.time):.1f} s", tile.command, tile.image)


def _count_columns(ways: int, moments: int) -> int:
    """Choose columns for a nearly square sheet; with several stills, one row each if possible."""
    if moments > 1 and ways <= 8:
        return ways
    return max(1, round(math.sqrt(ways * moments)))
