"""Convert linear light and other colour spaces to sRGB: curves, primaries, highlight roll-off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Curve = Callable[[Values], Values]
# White and the three primaries in CIE x, y: (white, red, green, blue).
Chromaticities = tuple[tuple[float, float], ...]

_D65, _D50 = (0.3127, 0.3290), (0.3457, 0.3585)
SRGB_PRIMARIES: Chromaticities = (_D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE_PRIMARIES: Chromaticities = (_D65, (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
ADOBE_GAMMA = 563 / 256
# By their code points in ITU-T H.273.
PRIMARIES: dict[int, tuple[str, Chromaticities]] = {
    1: ("sRGB", SRGB_PRIMARIES),
    9: ("BT.2020", (_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
    11: ("DCI-P3", ((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
    12: ("Display P3", (_D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
}
NAMED_PRIMARIES: dict[str, Chromaticities] = {
    "Adobe RGB": ADOBE_PRIMARIES,
    "ProPhoto RGB": ((0.3457, 0.3585), (0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)),
    **{name: primaries for name, primaries in PRIMARIES.values() if name != "sRGB"},
}
LINEAR, PQ, HLG = 8, 16, 18
# Diffuse white in nits, by ITU-R BT.2408.
_WHITE_NITS = 203
_HLG_PEAK_NITS = 1000
# Light up to here is unchanged; only brighter light is compressed for the highlights.
_KNEE = 0.5
# A picture's exposure is changed only if its scale is clearly not a screen's.
_DARKEST, _BRIGHTEST, _MIDDLE_GREY = 0.02, 10.0, 0.18
_ROWS = 256
# Constants of PQ (SMPTE ST 2084).
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
# Constants of HLG (ITU-R BT.2100).
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Light:
    """H x W x 3 in sRGB, [0, 1], and what was done to bright light to get it there.

    ``peak`` is the brightest value before, where diffuse white is 1; ``stops`` is the change of
    exposure.
    """

    values: Values
    peak: float
    stops: float = 0.0

    @property
    def words(self) -> str:
        """Description for a note; empty if only a screen's curve was applied."""
        done = f"exposed by {self.stops:+.1f} stops" if self.stops else ""
        mapped = f"highlights up to {self.peak:.3g} times white rolled off"
        return ", ".join(filter(None, [done, mapped if self.peak > 1 else ""]))


def develop_light(linear: Values, *, expose: bool = True) -> Light:
    """Convert linear light in sRGB's primaries, diffuse white 1, to what a screen shows.

    Args:
        linear: H x W x 3; NaN, Inf and values below 0 count as no light.
        expose: Whether light of a very different scale is adapted to a screen's.

    Returns:
        Values in sRGB; light up to half of white is kept exactly.
    """
    linear = np.nan_to_num(np.maximum(linear, 0), nan=0, posinf=0, neginf=0)
    stops = _stops(linear) if expose else 0.0
    if stops:
        linear = linear * np.float32(2**stops)
    brightest = linear.max(axis=2)
    peak = float(brightest.max(initial=0))
    if peak > 1:
        rolled = _roll_off(brightest, peak)
        linear = linear * (rolled / np.maximum(brightest, 1e-9))[..., None]
    return Light(encode_srgb(linear), peak, stops)


def encode_srgb(linear: Values) -> Values:
    """Encode linear light in [0, 1] with the curve of sRGB, clipped."""
    linear = np.clip(linear, 0, 1)
    bright = 1.055 * np.power(linear, 1 / 2.4, dtype=np.float32) - 0.055
    return np.asarray(np.where(linear <= 0.0031308, linear * 12.92, bright), np.float32)


def decode_srgb(values: Values) -> Values:
    """Decode sRGB values in [0, 1] to linear light."""
    bright = np.power((values + 0.055) / 1.055, 2.4, dtype=np.float32)
    return np.asarray(np.where(values <= 0.04045, values / 12.92, bright), np.float32)


def decode_pq(values: Values) -> Values:
    """Decode PQ values in [0, 1] to light where diffuse white is 1."""
    powered = np.power(np.clip(values, 0, 1), 1 / _M2, dtype=np.float32)
    share = np.maximum(powered - _C1, 0) / (_C2 - _C3 * powered)
    return np.asarray(np.power(share, 1 / _M1) * (10_000 / _WHITE_NITS), np.float32)


def decode_hlg(values: Values) -> Values:
    """Decode HLG values in [0, 1], H x W x 3, to display light where diffuse white is 1."""
    values = np.clip(values, 0, 1)
    scene = np.where(values <= 0.5, values**2 / 3, (np.exp((values - _C) / _A) + _B) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593], np.float32)
    system = np.power(np.maximum(luminance, 1e-9), 0.2)[..., None]
    return np.asarray(scene * system * (_HLG_PEAK_NITS / _WHITE_NITS), np.float32)


def encode_pq(light: Values) -> Values:
    """Encode light, diffuse white 1, as PQ values in [0, 1]: the inverse of ``decode_pq``."""
    share = np.clip(light.astype(np.float64) * (_WHITE_NITS / 10_000), 0, 1) ** _M1
    return np.asarray(((_C1 + _C2 * share) / (1 + _C3 * share)) ** _M2, np.float32)


def encode_hlg(light: Values) -> Values:
    """Encode light, diffuse white 1, as HLG values in [0, 1], each channel as if it were grey."""
    scene = np.clip(light.astype(np.float64) * (_WHITE_NITS / _HLG_PEAK_NITS), 0, 1) ** (1 / 1.2)
    bright = _A * np.log(np.maximum(12 * scene - _B, 1e-9)) + _C
    return np.asarray(np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright), np.float32)


def decode_gamma(gamma: float) -> Curve:
    """Return the curve of a power law, for values in [0, 1]."""
    return lambda values: np.power(np.clip(values, 0, 1), gamma, dtype=np.float32)


def primaries_matrix(source: Chromaticities) -> NDArray[np.float64]:
    """Return 3 x 3 from linear RGB of these primaries to sRGB's, with white adapted by Bradford."""
    adapted = _make_adaptation(source[0], SRGB_PRIMARIES[0])
    return np.asarray(np.linalg.inv(_to_xyz(SRGB_PRIMARIES)) @ adapted @ _to_xyz(source))


def colorants(primaries: Chromaticities) -> NDArray[np.float64]:
    """Return 3 x 3: XYZ of the primaries, one per column, adapted to D50 like ICC profiles."""
    return np.asarray(_make_adaptation(primaries[0], _D50) @ _to_xyz(primaries))


def mix_channels(linear: Values, matrix: NDArray[np.float64]) -> Values:
    """Multiply H x W x 3 of linear light by a 3 x 3 matrix."""
    return np.asarray(linear @ matrix.T.astype(np.float32), np.float32)


def process_by_rows(
    pixels: NDArray[np.uint16] | NDArray[np.uint8], change: Curve
) -> NDArray[np.uint16]:
    """Apply a function of floats in [0, 1] to integer pixels, H x W x 3, returning 16 bits.

    ``change`` returns values in [0, 1]. Working on a few rows at a time keeps the floats of a large
    picture out of memory.
    """
    result = np.empty((*pixels.shape[:2], 3), np.uint16)
    top = np.float32(np.iinfo(pixels.dtype).max)
    for row in range(0, len(pixels), _ROWS):
        changed = change(pixels[row : row + _ROWS].astype(np.float32) / top)
        result[row : row + _ROWS] = np.rint(np.clip(changed, 0, 1) * 65535)
    return result


def _stops(linear: Values) -> float:
    """Return the change of exposure that a picture needs, in stops; 0 in a screen's range."""
    luminance = linear @ _LUMINANCE
    lit = luminance[luminance > 0]
    if not lit.size:
        return 0.0
    median, bright = np.percentile(lit, (50, 99))
    if median <= _BRIGHTEST and bright >= _DARKEST:
        return 0.0
    middle = float(np.exp(np.log(np.maximum(lit, 1e-12)).mean()))
    return float(np.clip(np.log2(_MIDDLE_GREY / middle), -40, 40))


def _roll_off(light: Values, peak: float) -> Values:
    """Compress light above the knee, up to ``peak``, to below 1, without a kink in the curve.

    Above the knee it is the extended operator of Reinhard et al. ("Photographic tone reproduction
    for digital images", SIGGRAPH 2002), which maps the peak to exactly 1.
    """
    room = 1 - _KNEE
    above = np.maximum(light - _KNEE, 0) / room
    most = (peak - _KNEE) / room
    shoulder = above * (1 + above / most**2) / (1 + above)
    return np.asarray(np.where(light > _KNEE, _KNEE + room * shoulder, light), np.float32)


def _to_xyz(primaries: Chromaticities) -> NDArray[np.float64]:
    white, *colors = ((x / y, 1.0, (1 - x - y) / y) for x, y in primaries)
    columns = np.array(colors).T
    return np.asarray(columns * np.linalg.solve(columns, np.array(white)))


def _make_adaptation(source: tuple[float, float], to: tuple[float, float]) -> NDArray[np.float64]:
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    before, after = (bradford @ np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in (source, to))
    return np.asarray(np.linalg.inv(bradford) @ np.diag(after / before) @ bradford)
