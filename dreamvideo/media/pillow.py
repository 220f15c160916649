"""Pillow for stills: a fixed list of formats, without its limits and messages."""

from __future__ import annotations

import io
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageFile

# Picture formats only: no documents (EPS, PDF, WMF), for which it would run other programs.
FORMATS = (
    *("PNG", "JPEG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "AVIF", "JPEG2000", "PPM"),
    *("PSD", "TGA", "QOI", "ICO", "ICNS", "PCX", "SGI", "DDS", "SUN", "XBM", "XPM", "MSP", "IM"),
)
_lock = threading.RLock()


@contextmanager
def pillow(*, lenient: bool = False) -> Iterator[None]:
    """Use Pillow inside the block: it accepts any size and prints and logs nothing.

    ``lenient`` makes it return the decodable part of a truncated file. Its switches are global, so
    only one thread at a time can be inside, and they are restored.
    """
    silent = logging.NullHandler()
    logger = logging.getLogger("PIL")
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        # Our own memory check knows the requested size and the free memory.
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = None, lenient
        logger.addHandler(silent)
        try:
            yield
        finally:
            logger.removeHandler(silent)
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = kept


def load(image: Image.Image) -> None:
    """Decode a picture; must be inside ``pillow``. Raises what Pillow raises."""
    if image.format != "TIFF":
        image.load()
        return
    with silent_stderr():
        image.load()


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Silence C libraries: libtiff and libpng write their findings directly to the terminal."""
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def opened(file: Path | bytes) -> Image.Image:
    """Open a picture and read its header; must be inside ``pillow``. Raises what Pillow raises."""
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]
    return Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=known)
