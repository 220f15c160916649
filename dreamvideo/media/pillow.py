"""Pillow as the stills use it: a fixed list of formats, no limits and no words of its own."""

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

# Formats of pictures only: no documents (EPS, PDF, WMF), for which it would run other programs.
FORMATS = (
    *("PNG", "JPEG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "AVIF", "JPEG2000", "PPM"),
    *("PSD", "TGA", "QOI", "ICO", "ICNS", "PCX", "SGI", "DDS", "SUN", "XBM", "XPM", "MSP", "IM"),
)
_lock = threading.RLock()


@contextmanager
def pillow(*, lenient: bool = False) -> Iterator[None]:
    """Use Pillow within: it refuses no size and says nothing, on the terminal or in a log.

    ``lenient`` lets it give what it has of a file that breaks off. Its switches are global, so one
    thread at a time is within, and they are put back.
    """
    silent = logging.NullHandler()
    logger = logging.getLogger("PIL")
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        # The check of memory that we make knows the size asked for, and what is free.
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = None, lenient
        logger.addHandler(silent)
        try:
            yield
        finally:
            logger.removeHandler(silent)
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = kept


def load(image: Image.Image) -> None:
    """Decode a picture; within ``pillow``. Raises what Pillow raises."""
    if image.format != "TIFF":
        image.load()
        return
    with silent_stderr():
        image.load()


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Keep a C library off the terminal: libtiff and libpng write what they find straight to it."""
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
    """A picture with its header read; within ``pillow``. Raises what Pillow raises."""
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]
    return Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=known)
