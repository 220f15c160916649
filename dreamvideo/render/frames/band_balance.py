"""Keep the contrast of carried detail balanced across spatial frequency bands.

Detail that is carried from frame to frame and topped up with a few steps changes its character:
resampling wears away the finest band, the steps that replace it also add to the middle bands, and
the coarsest drifts. So luma and chroma are held separately, in each band of a Laplacian pyramid
(Burt and Adelson, 1983), near the RMS they had where and when the detail was freshly dreamt. What
is coarser than all bands is held to its value. The luma of the finest band is left to the governor
of the steps (``carry``), since only new steps can restore what resampling takes from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.imaging import average_channels, resize, spread_channels

Image = NDArray[np.float32]

# Lengths are in pixels of a frame this wide; they scale with the frame.
GRID_WIDTH = 480
# Size in pixels of the forms in the coarsest band.
COARSEST = 64
# RMS values are kept for cells of this many pixels.
CELL = 16
# Sigma of the neighbourhood over which an RMS is taken, in cells or in forms of the band.
NEIGHBOURHOOD = 1.5
# Share of the way back per frame, the largest change of a band per frame, and the widest ratio that
# is taken for an imbalance rather than a different picture.
RATE = 0.4
STEP = 0.08
WIDEST = 2.0
SILENCE = 1e-4
# Carried colour adds less saturation than as much new colour, which follows the colours of the
# scene, and encoding takes some of it: so from forms of this many pixels on, more of it is wanted.
COLOUR_AIM, COLOURED_FORMS = 1.07, 3.0
# How fast the wanted bands of new areas approach the shot's usual amount, as a share per frame.
RENEWAL = 0.1
# A cell with less than the first share of a full dream says nothing about one; from the second
# share on it says everything.
FAINT, PLAIN = 0.2, 0.5
# At white and black half of a dream is clipped, which leaves this share of its RMS; from ``ROOM``
# away from them all of it is there.
CLIPPED, ROOM = 0.58, 0.5
# Rows: luma, and two axes of chroma whose squares add up to the variance of the three channels.
_OPPONENT = np.array(
    [[1 / 3] * 3, np.array([1, -1, 0]) / 6**0.5, np.array([1, 1, -2]) / 18**0.5], np.float32
)


@dataclass(frozen=True)
class Pyramid:
    """Detail (H x W x 3) as bands from fine to coarse, each half as large, and the residual."""

    bands: tuple[Image, ...]
    rest: Image

    @classmethod
    def of(cls, detail: Image) -> Pyramid:
        """Build the pyramid of ``detail`` down to ``COARSEST``."""
        bands = []
        for _ in range(count_bands(detail.shape[1])):
            if min(detail.shape[:2]) < 4:
                break
            smaller = cv2.pyrDown(detail)
            bands.append(detail - _upsample(smaller, detail))
            detail = np.asarray(smaller, np.float32)
        return cls(tuple(bands), detail)

    def merge(self) -> Image:
        """Reconstruct the detail."""
        detail = self.rest
        for band in reversed(self.bands):
            detail = _upsample(detail, band) + band
        return detail


def count_bands(width: int) -> int:
    """Return the number of bands for a picture of that width, the coarsest about ``COARSEST``."""
    return max(2, round(math.log2(COARSEST * width / GRID_WIDTH)) + 1)


def measure_bands(pyramid: Pyramid) -> Image:
    """Measure a pyramid on a grid of cells: rows x columns x (2 x bands + 3).

    The planes are the RMS of luma and of chroma of each band, fine to coarse, then the three
    channels of the residual.
    """
    height, width = pyramid.bands[0].shape[:2]
    columns = max(2, round(GRID_WIDTH / CELL))
    rows = max(2, round(columns * height / width))
    planes = []
    for index, band in enumerate(pyramid.bands):
        form = 2**index * GRID_WIDTH / width / CELL
        opponent = cv2.transform(band, _OPPONENT)
        squares = resize(np.multiply(opponent, opponent, out=opponent), (rows, columns), "linear")
        cells = np.stack([squares[..., 0], squares[..., 1] + squares[..., 2]], -1)
        sigma = NEIGHBOURHOOD * max(1.0, form)
        near = cv2.GaussianBlur(cells, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        planes.append(np.sqrt(np.maximum(near, SILENCE**2)))
    rest = resize(pyramid.rest, (rows, columns), "linear")
    return np.concatenate([*planes, rest], -1).astype(np.float32)


def restore_bands(pyramid: Pyramid, found: Image, wanted: Image, weight: Image) -> Pyramid:
    """Move a pyramid part of the way towards the wanted bands.

    Args:
        pyramid: Pyramid of the carried detail.
        found: ``measure_bands`` of it.
        wanted: The same of the detail when it was freshly dreamt.
        weight: rows x columns in [0, 1], how strongly each cell is held.

    Returns:
        The pyramid with every band scaled, except for the finest luma, and the residual shifted.
    """
    count = len(pyramid.bands)
    ratio = np.clip(wanted[..., : 2 * count] / found[..., : 2 * count], 1 / WIDEST, WIDEST)
    gains = np.clip(ratio**RATE, 1 - STEP, 1 + STEP)
    gains = 1 + (gains - 1) * weight[..., None]
    # Only new steps can restore the finest luma.
    gains[..., 0] = 1
    bands = []
    for index, band in enumerate(pyramid.bands):
        luma, chroma = cv2.split(
            resize(gains[..., 2 * index : 2 * index + 2], band.shape[:2], "linear")
        )
        light = (luma - chroma) * average_channels(band)
        bands.append(spread_channels(chroma) * band + spread_channels(light))
    move = RATE * weight[..., None] * (wanted[..., 2 * count :] - found[..., 2 * count :])
    rest = pyramid.rest + resize(move.astype(np.float32), pyramid.rest.shape[:2], "linear")
    return Pyramid(tuple(bands), rest)


def raise_colour(wanted: Image, width: int) -> Image:
    """Return wanted bands with ``COLOUR_AIM`` times the colour from ``COLOURED_FORMS`` on.

    Args:
        wanted: rows x columns x (2 x bands + 3), as in ``measure_bands``.
        width: Width of the picture in pixels.
    """
    raised = np.array(wanted, np.float32)
    for index in range((wanted.shape[-1] - 3) // 2):
        if 2**index * GRID_WIDTH >= COLOURED_FORMS * width:
            raised[..., 2 * index + 1] *= COLOUR_AIM
    return raised


def renew_bands(wanted: Image, found: Image, aged: Image, usual: Image) -> Image:
    """Update the wanted bands after a frame.

    Where a dream is young, its bands are taken as they are. But a dream that grows on uncovered
    areas, box by box, lacks coarse forms, and a picture that is uncovered bit by bit would lose
    them all. A fresh dream of any frame has about the same RMS in each band, because its gradient
    is normalised: so the total is brought back to what the shot started with.

    Args:
        wanted: rows x columns x (2 x bands + 3), the wanted bands so far.
        found: The same shape, the bands as measured in this frame.
        aged: rows x columns in [0, 1], where the dream is mature.
        usual: (2 x bands + 3,), the bands the shot started with (``sum_up_bands``).

    Returns:
        The wanted bands from the next frame on.
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
    """Average cells by weight: the RMS of each band and the mean residual, (2 x bands + 3,).

    0 where no cell has any weight.
    """
    count = cells.shape[-1] - 3
    share = weight[..., None] / np.maximum(weight.sum(), 1e-6)
    energy = np.sqrt((share * cells[..., :count] ** 2).sum((0, 1)))
    return np.concatenate([energy, (share * cells[..., count:]).sum((0, 1))]).astype(np.float32)


def scale_bands_to_full(measured: Image, share: Image, usual: Image) -> Image:
    """Scale measured bands to those of a full dream.

    Args:
        measured: rows x columns x (2 x bands + 3), from ``measure_bands``.
        share: The same shape, from ``find_expected_share``.
        usual: (2 x bands + 3,), used where too little is dreamt to tell.
    """
    telling = find_known_share(share)[..., None]
    full = measured / np.maximum(share, FAINT * CLIPPED)
    return np.asarray(telling * full + (1 - telling) * usual, np.float32)


def find_known_share(share: Image) -> Image:
    """Return how much a cell says about a full dream, rows x columns in [0, 1].

    ``share`` comes from ``find_expected_share``.
    """
    return np.asarray(np.clip((share[..., -1] - FAINT) / (PLAIN - FAINT), 0, 1), np.float32)


def find_expected_share(base: Image, maturity: Image, like: Image) -> Image:
    """Return the share of a full dream's bands that a picture can be expected to have.

    Args:
        base: H x W x 3 in [-1, 1], the picture that is dreamt on.
        maturity: H x W, share of a full dream's contrast.
        like: A grid of ``measure_bands``.

    Returns:
        rows x columns x planes, like the grid.
    """
    room = np.clip((1 - np.abs(to_cells(average_channels(base), like))) / ROOM, 0, 1)
    share = np.broadcast_to(to_cells(maturity, like)[..., None], like.shape).copy()
    share[..., :-3] *= (CLIPPED + (1 - CLIPPED) * room)[..., None]
    return np.asarray(np.maximum(share, 1e-3), np.float32)


def to_cells(picture: Image, like: Image) -> Image:
    """Average an H x W map over each cell of a grid like ``like``."""
    return resize(picture, like.shape[:2], "linear")


def _upsample(image: Image, like: Image) -> Image:
    return np.asarray(cv2.pyrUp(image, dstsize=(like.shape[1], like.shape[0])), np.float32)
