"""A gallery as files: a labelled sheet and, beside it, a page with the commands."""

from __future__ import annotations

import math
from pathlib import Path

from dreamvideo.errors import UsageError
from dreamvideo.look.across import Across
from dreamvideo.look.gallery import (
    Tile,
    Variation,
    creature_seeds,
    layer_for_channels,
    strongest_channels,
    tiles,
    variations,
)
from dreamvideo.look.page import gallery_page
from dreamvideo.look.sheet import contact_sheet
from dreamvideo.media.paths import replacing
from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.stills import is_still, write_still
from dreamvideo.render import naming
from dreamvideo.render.moments import Moment, moments_of
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.settings import Look


def show_gallery(
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
    """Dream ``picture``, or ``moments`` of a clip, across what is asked for.

    ``layer`` is for channels: which layer's. ``count`` is how many channels or seeds of creatures.
    Returns the sheet (PNG) and the page (HTML). Raises UsageError, MediaError, WeightsError.
    """
    sheet = output or naming.beside(picture, f"gallery-{across}", ".png")
    if sheet.suffix.lower() != ".png":
        raise UsageError(f"{sheet}: a gallery ends in .png; its page is written next to it")
    page = sheet.with_suffix(".html")
    for path in (sheet, page):
        naming.check_apart(path, picture)
        naming.check_picture(path, overwrite)
    if layer is not None and across != "channels":
        raise UsageError("--layer is for --across channels")
    seen = moments_of(picture, moments, size, widest)
    ways = _ways(seen[0], look, across, layer, count)
    command = ["dreamvideo", "image" if is_still(picture) else "video", str(picture)]
    made: list[Tile] = []
    for moment in seen:
        for tile in tiles(moment.image, ways, look, command):
            made.append(_dated(tile, moment, len(seen)))
            on_progress(Progress("dreaming", "picture", len(made), len(ways) * len(seen)))
    across_page = columns or _columns(len(ways), len(seen))
    pixels = contact_sheet([(tile.label, to_bytes(tile.image)) for tile in made], across_page)
    write_still(sheet, pixels)
    with replacing(page) as part:
        part.write_text(gallery_page(f"{picture.name}: {across}", made), encoding="utf-8")
    return sheet, page


def _ways(
    moment: Moment, look: Look, across: Across, layer: str | None, count: int
) -> list[Variation]:
    if across == "creatures":
        return variations(across, look.dream.model, numbers=creature_seeds(look, count))
    if across != "channels":
        return variations(across, look.dream.model)
    chosen = layer_for_channels(look, layer)
    channels = strongest_channels(moment.image, look, chosen, count)
    return variations(across, look.dream.model, chosen, channels)


def _dated(tile: Tile, moment: Moment, moments: int) -> Tile:
    if moment.time is None or moments == 1:
        return tile
    return Tile(f"{tile.label}, at {float(moment.time):.1f} s", tile.command, tile.image)


def _columns(ways: int, moments: int) -> int:
    """Near a square; of several moments each row is one, if they are few enough."""
    if moments > 1 and ways <= 8:
        return ways
    return max(1, round(math.sqrt(ways * moments)))
