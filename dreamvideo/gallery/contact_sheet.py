"""Arrange labelled pictures on one contact sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

FONT = cv2.FONT_HERSHEY_SIMPLEX
PAPER, INK = 18, (225, 225, 225)
# Height of a label and gap between pictures, as shares of a picture's width.
LABEL, GAP = 0.085, 0.025
SMALLEST_LABEL = 14


def make_contact_sheet(tiles: Sequence[tuple[str, Pixels]], columns: int | None = None) -> Pixels:
    """Arrange pictures (H x W x 3 RGB) in rows, each above its label, without scaling them.

    Pictures of different sizes are centred in the space of the largest one. The default of
    ``columns`` makes the sheet about square.
    """
    if not tiles:
        raise ValueError("a sheet needs a picture")
    height = max(pixels.shape[0] for _, pixels in tiles)
    width = max(pixels.shape[1] for _, pixels in tiles)
    across = min(columns or math.ceil((len(tiles) * height / width) ** 0.5), len(tiles))
    rows = -(-len(tiles) // across)
    gap, strip = max(2, round(GAP * width)), max(SMALLEST_LABEL, round(LABEL * width))
    step_y, step_x = height + strip + gap, width + gap
    sheet = np.full((rows * step_y + gap, across * step_x + gap, 3), PAPER, np.uint8)
    for number, (label, pixels) in enumerate(tiles):
        row, column = divmod(number, across)
        top, left = gap + row * step_y, gap + column * step_x
        down, right = (height - pixels.shape[0]) // 2, (width - pixels.shape[1]) // 2
        place = sheet[top + down :, left + right :]
        place[: pixels.shape[0], : pixels.shape[1]] = pixels
        _write(sheet[top + height : top + height + strip, left : left + width], label)
    return sheet


def _write(strip: Pixels, label: str) -> None:
    """Write a label into its strip, scaled down, then shortened, until it fits."""
    height, width = strip.shape[:2]
    text = "".join(letter if letter.isprintable() else " " for letter in label).strip()
    if not text:
        return
    tall = _measure_extent("Ag", 1)[1]
    scale = 0.55 * height / tall
    scale = max(scale * 0.6, min(scale, scale * width / max(_measure_extent(text, scale)[0], 1)))
    while len(text) > 4 and _measure_extent(text, scale)[0] > width:
        text = text[:-4] + "..."
    down = round((height + 0.8 * tall * scale) / 2)
    # OpenCV draws only into contiguous memory.
    drawn = strip.copy()
    cv2.putText(drawn, text, (0, down), FONT, scale, INK, 1, cv2.LINE_AA)
    strip[:] = drawn


def _measure_extent(text: str, scale: float) -> tuple[int, int]:
    (wide, high), _ = cv2.getTextSize(text, FONT, scale, 1)
    return wide, high
