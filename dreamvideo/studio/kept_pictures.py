"""Pictures from the page that a render needs, kept next to the user's presets: masks, arrivals.

There a saved preset, an unfinished render and a copied command line find them by path.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import cv2

from dreamvideo.errors import DreamVideoError, MediaError, UsageError
from dreamvideo.media.identify import SourceFile, make_safe_name
from dreamvideo.media.paths import keep_by_content, read_bytes
from dreamvideo.media.stills import png_bytes, read_still
from dreamvideo.settings import make_look
from dreamvideo.settings.presets import user_preset_folder, user_preset_paths

_PNG = b"\x89PNG\r\n\x1a\n"
# The longest side of the canvas that masks are painted on; they are enlarged smoothly.
MOST_CANVAS = 1280


def canvas_size(frame: SourceFile) -> tuple[int, int]:
    """Return (width, height) of the canvas for a frame: the frame's own, or smaller."""
    scale = min(1.0, MOST_CANVAS / max(frame.width, frame.height))
    return max(1, round(frame.width * scale)), max(1, round(frame.height * scale))


def keep_mask(upload: SourceFile, frame: SourceFile, kept: set[Path]) -> Path:
    """Keep a painted mask as an 8-bit grey PNG, named after the frame's file and its own content.

    Args:
        upload: The mask, a private file, which is deleted.
        frame: The picture or clip that it was painted over.
        kept: Gets its path, unless it was there before.

    Raises:
        UsageError: It is larger than the frame.
        MediaError: It is no PNG picture, or cannot be written.
    """
    try:
        with upload.path.open("rb") as file:
            head = file.read(len(_PNG))
        if upload.kind != "still" or head != _PNG:
            raise MediaError(f"{upload.name}: a painted mask is a PNG picture")
        if upload.width > frame.width or upload.height > frame.height:
            raise UsageError(
                f"{upload.name}: {upload.width} x {upload.height} is larger than the frame, "
                f"{frame.width} x {frame.height}"
            )
        grey = cv2.cvtColor(read_still(upload.path), cv2.COLOR_RGB2GRAY)
    finally:
        shutil.rmtree(upload.path.parent, ignore_errors=True)
    name = f"{frame.path.absolute().stem}.png"
    return _keep(png_bytes(grey[..., None], None), "masks", name, kept)


def keep_arrival(upload: SourceFile, kept: set[Path]) -> Path:
    """Keep the picture that a zoom ends on, a private file, which is deleted.

    ``kept`` gets its path, unless it was there before. Raises MediaError if it is no picture, or
    cannot be written.
    """
    try:
        if upload.kind != "still":
            raise MediaError(f"{upload.name}: a zoom ends on a picture, not on a film")
        return _keep(read_bytes(upload.path), "arrivals", upload.path.name, kept)
    finally:
        shutil.rmtree(upload.path.parent, ignore_errors=True)


def _keep(data: bytes, folder: str, name: str, kept: set[Path]) -> Path:
    path = user_preset_folder() / folder / make_safe_name(name).replace(" ", "-")
    path, is_new = keep_by_content(path, data)
    if is_new:
        kept.add(path)
    return path


def drop_unused(kept: Iterable[Path], used: Iterable[object]) -> None:
    """Delete the pictures of a session that neither it nor a preset of the user's still uses."""
    needed: set[object] = set(used)
    for name in user_preset_paths():
        with suppress(DreamVideoError):
            needed.add(make_look([name]).mask.mask)
    for path in kept:
        if str(path) not in needed:
            with suppress(OSError):
                path.unlink(missing_ok=True)
