"""Holds the sizes of carried detail in balance: (detail, what it was when new) -> detail.

Detail that is carried from frame to frame and topped up with a few steps changes its character:
resampling wears the finest of it away, what replaces that also adds to the middle, and the
coarsest wanders. So light and colour are held apart, band by band of a Laplacian pyramid (Burt and
Adelson, 1983), near the RMS that they had where and when the detail was dreamt afresh; what is
coarser than all bands is held to its value. The light of the finest band is left to the governor
of the steps (``carry``): what resampling takes from it only new steps can give back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

# Lengths are in pixels of a frame this wide, and scale with the frame.
REFERENCE_WIDTH = 480
# The coarsest band holds forms of about this many pixels.
COARSEST = 64
# RMS are kept for cells of this many pixels.
CELL = 16
# Deviation of the neighbourhood of which an RMS is taken, in cells, or in forms of the band.
NEIGHBOURHOOD = 1.5
# Share of the way back in a frame, the most that a band changes in one, and the widest ratio that
# is believed to be an imbalance rather than another picture.
RATE = 0.4
STEP = 0.08
WIDEST = 2.0
SILENCE = 1e-4
# How fast what is wanted of new ground is brought to the shot's usual amount, a share a frame.
RENEWAL = 0.1
# A cell with less than the first share of a full dream tells nothing of one; from the second on it
# tells all.
FAINT, PLAIN = 0.2, 0.5
# At white and black half of a dream is cut off, and this share of its RMS is left; all of it is
# there from ``ROOM`` away from them on.
CLIPPED, ROOM = 0.58, 0.5


@dataclass(frozen=True)
class Pyramid:
    """Detail (H x W x 3) in bands, fine to coarse, and the rest, each half as large."""

    bands: tuple[Image, ...]
    rest: Image

    @classmethod
    def of(cls, detail: Image) -> Pyramid:
        """The pyramid of detail down to ``COARSEST``."""
        bands = []
        for _ in range(count_bands(detail.shape[1])):
            if min(detail.shape[:2]) < 4:
                break
            smaller = cv2.pyrDown(detail)
            bands.append(detail - _upsample(smaller, detail))
            detail = np.asarray(smaller, np.float32)
        return cls(tuple(bands), detail)

    def merge(self) -> Image:
        """The detail again."""
        detail = self.rest
        for band in reversed(self.bands):
            detail = _upsample(detail, band) + band
        return detail


def count_bands(width: int) -> int:
    """Bands of a picture of that width, the coarsest about ``COARSEST``."""
    return max(2, round(math.log2(COARSEST * width / REFERENCE_WIDTH)) + 1)


def measure_bands(pyramid: Pyramid) -> Image:
    """What is held of a pyramid, on a grid of cells: rows x columns x (2 x bands + 3).

    The RMS of light and of colour of each band, fine to coarse, then the rest's three channels.
    """
    height, width = pyramid.bands[0].shape[:2]
    columns = max(2, round(REFERENCE_WIDTH / CELL))
    rows = max(2, round(columns * height / width))
    planes = []
    for index, band in enumerate(pyramid.bands):
        form = 2**index * REFERENCE_WIDTH / width / CELL
        light = band.mean(-1)
        energy = np.stack([light**2, ((band - light[..., None]) ** 2).mean(-1)], -1)
        cells = _resize(energy, rows, columns)
        sigma = NEIGHBOURHOOD * max(1.0, form)
        near = cv2.GaussianBlur(cells, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        planes.append(np.sqrt(np.maximum(near, SILENCE**2)))
    return np.concatenate([*planes, _resize(pyramid.rest, rows, columns)], -1).astype(np.float32)


def restore_bands(pyramid: Pyramid, found: Image, wanted: Image, weight: Image) -> Pyramid:
    """A pyramid a little nearer to what is wanted of it.

    Args:
        pyramid: The carried detail's.
        found: ``measure_bands`` of it.
        wanted: The same of the detail when it was new.
        weight: rows x columns in [0, 1], how much each cell is held.

    Returns:
        The pyramid with each band scaled, but for the finest light, and the rest moved.
    """
    count = len(pyramid.bands)
    ratio = np.clip(wanted[..., : 2 * count] / found[..., : 2 * count], 1 / WIDEST, WIDEST)
    gains = np.clip(ratio**RATE, 1 - STEP, 1 + STEP)
    gains = 1 + (gains - 1) * weight[..., None]
    # The finest light is what only new steps can give back.
    gains[..., 0] = 1
    bands = []
    for index, band in enumerate(pyramid.bands):
        light = band.mean(-1, keepdims=True)
        gain = _resize(gains[..., 2 * index : 2 * index + 2], *band.shape[:2])
        bands.append(gain[..., :1] * light + gain[..., 1:] * (band - light))
    move = RATE * weight[..., None] * (wanted[..., 2 * count :] - found[..., 2 * count :])
    rest = pyramid.rest + _resize(move.astype(np.float32), *pyramid.rest.shape[:2])
    return Pyramid(tuple(np.asarray(band, np.float32) for band in bands), rest)


def renew_bands(wanted: Image, found: Image, aged: Image, usual: Image) -> Image:
    """What is wanted of the bands from now on.

    Where a dream is young it is what it is; but what grows on uncovered ground, box by box, lacks
    coarse forms, and a picture that is uncovered bit by bit would lose them all. A fresh dream of
    any frame has about the same RMS in each band, since its gradient is normalised: so all
    together is brought back to what the shot began with.

    Args:
        wanted: rows x columns x (2 x bands + 3), what was wanted.
        found: The same, as it is.
        aged: rows x columns in [0, 1], where the dream has come of age.
        usual: What the shot began with (``sum_up_bands``).
    """
    count = wanted.shape[-1] - 3
    young = found.copy()
    young[..., count:] = usual[count:]
    renewed = aged[..., None] * wanted + (1 - aged[..., None]) * young
    everywhere = np.ones_like(aged)
    now = sum_up_bands(renewed, everywhere)[:count]
    known = (usual[:count] > 0) & (now > 0)
    ratio = np.divide(usual[:count], now, out=np.ones_like(now), where=known)
    renewed[..., :count] *= np.clip(ratio, 1 / WIDEST, WIDEST) ** RENEWAL
    return np.asarray(renewed, np.float32)


def sum_up_bands(cells: Image, weight: Image) -> Image:
    """RMS of each band, and the mean of the rest, over cells by weight: (2 x bands + 3,).

    0 where no cell has a weight.
    """
    count = cells.shape[-1] - 3
    share = weight[..., None] / np.maximum(weight.sum(), 1e-6)
    energy = np.sqrt((share * cells[..., :count] ** 2).sum((0, 1)))
    return np.concatenate([energy, (share * cells[..., count:]).sum((0, 1))]).astype(np.float32)


def scale_bands_to_full(measured: Image, share: Image, usual: Image) -> Image:
    """Measured bands as a full dream's; the ``usual`` where too little is dreamt to tell.

    ``share`` is ``find_expected_share``.
    """
    telling = find_known_share(share)[..., None]
    full = measured / np.maximum(share, FAINT * CLIPPED)
    return np.asarray(telling * full + (1 - telling) * usual, np.float32)


def find_known_share(share: Image) -> Image:
    """How much a cell tells of a full dream, rows x columns in [0, 1] (``find_expected_share``)."""
    return np.asarray(np.clip((share[..., -1] - FAINT) / (PLAIN - FAINT), 0, 1), np.float32)


def find_expected_share(base: Image, maturity: Image, like: Image) -> Image:
    """What a picture can be expected to have of a full dream's bands, rows x columns x planes.

    Args:
        base: H x W x 3 in [-1, 1], what is dreamt on.
        maturity: H x W, share of a full dream's contrast.
        like: A grid of ``measure_bands``.
    """
    room = np.clip((1 - np.abs(to_cells(base.mean(-1), like))) / ROOM, 0, 1)
    share = np.broadcast_to(to_cells(maturity, like)[..., None], like.shape).copy()
    share[..., :-3] *= (CLIPPED + (1 - CLIPPED) * room)[..., None]
    return np.asarray(np.maximum(share, 1e-3), np.float32)


def to_cells(picture: Image, like: Image) -> Image:
    """H x W as a mean for each cell of a grid like ``like``."""
    return _resize(picture, *like.shape[:2])


def _upsample(image: Image, like: Image) -> Image:
    return np.asarray(cv2.pyrUp(image, dstsize=(like.shape[1], like.shape[0])), np.float32)


def _resize(image: Image, rows: int, columns: int) -> Image:
    shrinks = rows * columns < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (columns, rows), interpolation=method), np.float32)
