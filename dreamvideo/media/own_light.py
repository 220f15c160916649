"""Frames in a source's own light: HDR code values, or scene-linear light, in 16 bits.

A dream is made of what a screen shows, a tone-mapped copy of such a frame. What it adds is an
offset in the copy's code values, which are even steps for the eye on a screen. So it is added to
the frame in code values that are even steps for the eye as well: those of PQ or HLG themselves, and
for linear light its logarithm, where an offset is a change of exposure.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.media.light import (
    HLG,
    LINEAR,
    PQ,
    PRIMARIES,
    SRGB_PRIMARIES,
    Chromaticities,
    decode_hlg,
    decode_pq,
    decode_srgb,
    encode_hlg,
    encode_pq,
    mix_channels,
    primaries_matrix,
)
from dreamvideo.media.pixel_formats import Color

Codes = NDArray[np.uint16]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]
Values = NDArray[np.float32]

# Colour tags of scene-linear light in the primaries of sRGB.
LINEAR_LIGHT = Color(range="pc", matrix="gbr", primaries="bt709", transfer="linear")

_POINTS = {"smpte2084": PQ, "arib-std-b67": HLG, "linear": LINEAR}
_PRIMARIES = {"bt709": 1, "bt2020": 9, "smpte431": 11, "smpte432": 12}
# Linear light is stored as its inverse hyperbolic sine, as even about zero and logarithmic above:
# the codes reach beyond the largest half float, 65504, of both signs, and are nowhere more than
# the last bit of a half float apart.
_LINEAR_BELOW, _CODES_PER_E = np.float32(2.0**-13), np.float32(1570)
_ZERO = np.float32(32768)
# The curve of a screen that shows films, by ITU-R BT.1886.
_SCREEN_GAMMA = 2.4
# Detail may be at most this much stronger than on a screen, in code values.
_MOST_GAIN = 2.0
# Codes below which what a screen shows says nothing about how it was tone-mapped.
_DARKEST = 2048
_ROWS = 128


def encode_linear(values: Values) -> Codes:
    """Store scene-linear light of any shape as 16-bit codes; NaN becomes 0, Inf the largest."""
    finite = np.nan_to_num(values, nan=0, posinf=65504, neginf=-65504)
    codes = np.rint(np.arcsinh(finite / _LINEAR_BELOW) * _CODES_PER_E + _ZERO)
    return np.asarray(np.clip(codes, 0, 65535), np.uint16)


def decode_linear(codes: Codes) -> Values:
    """Return the light that ``encode_linear`` stored, to within the last bit of a half float."""
    return np.asarray(_linear_table()[codes])


def to_scene_light(codes: Codes, color: Color) -> Values:
    """Decode codes, H x W x 3, to linear light with diffuse white 1 and the primaries of sRGB.

    Colours outside sRGB have negative values. Without a transfer of HDR the codes are a screen's.

    Args:
        codes: H x W x 3.
        color: The colour tags of the codes.
    """
    point = _POINTS.get(color.transfer)
    if point == LINEAR:
        return decode_linear(codes)
    values = codes.astype(np.float32) / np.float32(65535)
    if point is None:
        return decode_srgb(values)
    light = decode_pq(values) if point == PQ else decode_hlg(values)
    return mix_channels(light, primaries_matrix(_chromaticities(color)))


def add_detail(dreamt: Pixels, proxy: Pixels, own: Codes, color: Color) -> Codes:
    """Add what was dreamt on a screen's copy of a frame to the frame in its own light.

    Where nothing was dreamt the frame is returned as it is. Elsewhere each channel is moved by as
    much as the dream moved it, as the eye sees it. In HDR that is more in parts that the tone
    mapping darkened, in proportion, so that a black stroke on a highlight stays black.

    Args:
        dreamt: H x W x 3, the dream of ``proxy``, of the same type.
        proxy: H x W x 3, the frame as a screen shows it.
        own: H x W x 3, the frame in its own light.
        color: The colour tags of ``own``: PQ, HLG or linear.

    Returns:
        The dreamt frame in its own light, H x W x 3.
    """
    result = np.empty_like(own)
    for row in range(0, len(own), _ROWS):
        part = slice(row, row + _ROWS)
        result[part] = _add(dreamt[part], proxy[part], own[part], color)
    return result


def screen_codes(level: tuple[int, int, int], color: Color) -> Codes:
    """Return the codes, of shape (3,), of a colour that a screen shows, 0 .. 255."""
    pixels = np.asarray(level, np.uint8).reshape(1, 1, 3)
    return np.asarray(np.rint(_to_codes(pixels, color)), np.uint16).reshape(3)


def _add(dreamt: Pixels, proxy: Pixels, own: Codes, color: Color) -> Codes:
    before = _to_codes(proxy, color)
    moved = _to_codes(dreamt, color) - before
    if color.transfer != "linear":
        shown = np.maximum(_brightest(before), np.float32(_DARKEST))
        gain = np.clip(_brightest(own) / shown, 1, _MOST_GAIN)
        moved *= np.asarray(gain, np.float32)[..., None]
    moved += own
    # Rounded; truncation is the same for what is not negative.
    np.clip(moved + np.float32(0.5), 0, 65535, out=moved)
    result = moved.astype(np.uint16)
    same = _brightest(cv2.absdiff(dreamt, proxy)) == 0
    result[same] = own[same]
    return result


def _brightest(layers: NDArray[Any]) -> NDArray[Any]:
    """Return the largest of the three channels: faster than ``max`` over so short an axis."""
    return np.asarray(np.maximum(np.maximum(layers[..., 0], layers[..., 1]), layers[..., 2]))


def _to_codes(pixels: Pixels, color: Color) -> Values:
    """Return what a screen shows, H x W x 3 in sRGB's primaries, in the codes of ``color``."""
    light = _screen_table(color.transfer, 1 << 8 * pixels.itemsize)[pixels]
    if color.transfer != "linear":
        # The primaries of HDR hold those of sRGB, so nothing is negative but by rounding.
        matrix = np.asarray(np.linalg.inv(primaries_matrix(_chromaticities(color))), np.float64)
        light = np.asarray(cv2.transform(light, matrix.astype(np.float32)), np.float32)
        np.clip(light, 0, 1, out=light)
    # The table is finer where the eye is.
    np.sqrt(light, out=light)
    light *= 65535
    light += 0.5
    return np.asarray(_codes_table(color.transfer)[light.astype(np.uint16)])


def _chromaticities(color: Color) -> Chromaticities:
    known = PRIMARIES.get(_PRIMARIES.get(color.hdr_primaries, 9))
    return SRGB_PRIMARIES if known is None else known[1]


@lru_cache(maxsize=1)
def _linear_table() -> Values:
    codes = np.arange(65536, dtype=np.float64)
    spread = np.sinh((codes - float(_ZERO)) / float(_CODES_PER_E)) * float(_LINEAR_BELOW)
    return np.asarray(np.clip(spread, -65504, 65504), np.float32)


@lru_cache(maxsize=6)
def _screen_table(transfer: str, count: int) -> Values:
    """Return the light of a screen's levels, in the curve of ``develop_light`` for linear."""
    levels = np.asarray(np.arange(count) / (count - 1), np.float32)
    return decode_srgb(levels) if transfer == "linear" else levels**_SCREEN_GAMMA


@lru_cache(maxsize=3)
def _codes_table(transfer: str) -> Values:
    """Return the codes, 0 .. 65535, of light from 0 to a screen's white, by its square root."""
    light = np.asarray((np.arange(65536) / 65535) ** 2, np.float32)
    if transfer == "linear":
        return np.asarray(encode_linear(light), np.float32)
    curve: Callable[[Values], Values] = encode_pq if transfer == "smpte2084" else encode_hlg
    return np.asarray(curve(light) * np.float32(65535), np.float32)
