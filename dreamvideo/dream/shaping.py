"""Shape a gradient before the step: smoothing, balancing of bands, normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dreamvideo.dream.deterministic_ops import deviation, mean
from dreamvideo.dream.nn import avg_pool2d, conv2d, depthwise_conv2d
from dreamvideo.dream.runtime import tensorflow

# Side of the neighbourhood of an even step and the stride at which it is sampled, in pixels.
NEIGHBOURHOOD, STRIDE = 32, 8
# Blurs of a smoothed gradient, as multiples of the requested sigma.
SCALES = (0.5, 1.0, 2.0)
BINOMIAL = np.asarray([1, 4, 6, 4, 1], np.float32) / 16
# The guard of genekogan's recipe against an empty band.
BAND_EPSILON = 1e-10
# Weights of the bands of an opponent-colour pyramid, fine to coarse; each band is first divided by
# its own RMS. Fine chroma is seen as rainbow grain, hence next to none of it.
LIGHT_BANDS = (0.6, 0.9, 1.0, 0.7, 0.3)
COLOUR_BANDS = (0.08, 0.25, 0.5, 0.6, 0.4)
# Orthonormal opponent basis, one per row: light, red against green, yellow against blue.
OPPONENT = np.asarray([[1, 1, 1], [1, -1, 0], [1, 1, -2]], np.float32)
OPPONENT /= np.linalg.norm(OPPONENT, axis=1, keepdims=True)
# Halves a picture about the centres of its 2 x 2 cells, which is where bilinear doubling puts them.
HALVING = np.asarray([1, 3, 3, 1], np.float32) / 8
# A gradient that is not normalised is taken per pixel and multiplied by this: it is then about 1
# for the bundled network's own layers on a photograph.
TYPICAL = 40.0
# Names of the extras of a shaping.
SIGMA, COLOUR = "smooth", "colour"


@dataclass(frozen=True)
class Shaping:
    """How a gradient is shaped; what is not requested is not compiled.

    Attributes:
        smooth: Whether to blur, by the extra ``SIGMA`` in pixels.
        levels: Levels of a Laplacian pyramid to normalise; 0: none.
        norm: What the gradient is divided by: its deviation (``std``), its mean size (``mean-abs``)
            or a constant (``none``).
        opponent: Whether to balance light and colour in bands, colour times the extra ``COLOUR``;
            ignored if there are ``levels``.
    """

    smooth: bool = False
    levels: int = 0
    norm: str = "std"
    opponent: bool = False

    @property
    def extras(self) -> frozenset[tuple[str, tuple[int | None, ...]]]:
        """The extras that it needs, by name and shape."""
        names = [SIGMA] * self.smooth + [COLOUR] * self._balances
        return frozenset((name, ()) for name in names)

    @property
    def _balances(self) -> bool:
        return self.opponent and not self.levels

    def shape(self, gradient: Any, extras: Mapping[str, Any]) -> Any:
        """Return the gradient smoothed and with its bands balanced, as requested."""
        if self.smooth:
            gradient = smooth(gradient, extras[SIGMA])
        if self._balances:
            return balance_bands(gradient, extras[COLOUR])
        return normalise_bands(gradient, self.levels) if self.levels else gradient

    def scale(self, gradient: Any) -> Any:
        """Return the divisor of the gradient, a scalar."""
        tf = tensorflow()
        if self.norm == "none":
            # The gradient of a mean over n values is of order 1 / n.
            return TYPICAL / tf.cast(tf.size(gradient), tf.float32)
        return mean(tf.abs(gradient)) if self.norm == "mean-abs" else deviation(gradient)

    def scale_about(self, gradient: Any) -> Any:
        """Return the divisor in the neighbourhood of each pixel, H x W x 1; 0 if it is constant."""
        tf = tensorflow()
        if self.norm == "none":
            return tf.zeros_like(gradient[..., :1])
        if self.norm == "mean-abs":
            return _round_about(tf.abs(gradient))
        return tf.sqrt(_round_about(gradient**2))


PLAIN = Shaping()


def smooth(gradient: Any, sigma: Any) -> Any:
    """Return the mean of Gaussian blurs of H x W x 3 by half, one and two ``sigma`` (px, a scalar).

    After the gradient smoothing of gordicaleksa/pytorch-deepdream. Nothing is assumed beyond the
    border: a blur is the weighted mean of the pixels that exist. Sigma 0 changes nothing.
    """
    tf = tensorflow()
    # The fourth channel accumulates the weight of each blur.
    counted = tf.concat([gradient, tf.ones_like(gradient[..., :1])], -1)[None]
    blurs = [_blur(counted, tf.maximum(sigma, 1e-3) * scale)[0] for scale in SCALES]
    return tf.add_n([blur[..., :3] / blur[..., 3:] for blur in blurs]) / len(SCALES)


def normalise_bands(gradient: Any, levels: int) -> Any:
    """Divide every band of a Laplacian pyramid of H x W x 3 by its RMS.

    Burt and Adelson's pyramid with the kernel 1 4 6 4 1, after genekogan/deepdream: fine and coarse
    forms get equal weight.
    """
    tf = tensorflow()
    bands, rest = [], gradient[None]
    for _ in range(levels):
        smaller = _downsample(rest)
        bands.append(rest - _upsample(smaller, tf.shape(rest)))
        rest = smaller
    merged = _divide_by_rms(rest)
    for band in reversed(bands):
        merged = _upsample(merged, tf.shape(band)) + _divide_by_rms(band)
    return merged[0]


def balance_bands(gradient: Any, colour: Any) -> Any:
    """Balance light and colour of a gradient across spatial frequency bands.

    The gradient of a network is nearly white: most of it is too fine to be seen as anything but
    grain. It is converted to an orthonormal opponent basis and to a Laplacian pyramid; each band of
    light, and of both colour channels together, is divided by its RMS and weighted by
    ``LIGHT_BANDS`` and ``COLOUR_BANDS``, which fall towards the finest like the spectrum of
    photographs. After genekogan/deepdream's pyramid and the colour decorrelation of Olah et al.,
    "Feature Visualization", Distill 2017, but with separate bands for colour in place of one
    matrix.

    Args:
        gradient: H x W x 3, RGB.
        colour: A scalar >= 0 that multiplies the weights of colour.

    Returns:
        H x W x 3, RGB.
    """
    rest = conv2d(gradient[None], OPPONENT.T[None, None], 1, "SAME")
    bands = []
    for _ in LIGHT_BANDS[1:]:
        smaller = _reduce(rest)
        bands.append(rest - _enlarge(smaller, rest))
        rest = smaller
    bands.append(rest)
    merged = None
    for band, light, tint in reversed(list(zip(bands, LIGHT_BANDS, COLOUR_BANDS, strict=True))):
        weighted = _weight_band(band, light, tint * colour)
        merged = weighted if merged is None else _enlarge(merged, band) + weighted
    return conv2d(merged, OPPONENT[None, None], 1, "SAME")[0]


def _weight_band(band: Any, light: float, colour: Any) -> Any:
    """Scale a band (1, h, w, 3) in opponent colours to a given RMS of light and of colour."""
    tf = tensorflow()
    pixels = tf.cast(tf.size(band) // 3, band.dtype)
    energy = tf.reduce_sum(tf.reduce_sum(tf.square(band), 1), (0, 1)) / pixels
    luma, *chroma = tf.unstack(energy)
    rms = tf.sqrt(tf.stack([luma, tf.add_n(chroma)]) / 3 + BAND_EPSILON**2)
    return band * tf.gather(tf.stack([light, colour]) / rms, [0, 1, 1])


def _reduce(image: Any) -> Any:
    kernel = np.outer(HALVING, HALVING)[:, :, None, None] * np.ones((1, 1, 3, 1), np.float32)
    return depthwise_conv2d(image, kernel, 2, "SAME")


def _enlarge(image: Any, like: Any) -> Any:
    # Doubled and then cropped: stretching to an odd side would move coarse forms. Each operation
    # here is traced for every band, and ``tf.image.resize`` would add two dozen.
    tf = tensorflow()
    doubled = tf.raw_ops.ResizeBilinear(
        images=image, size=2 * tf.shape(image)[1:3], half_pixel_centers=True
    )
    return tf.slice(doubled, [0, 0, 0, 0], tf.shape(like))


def _round_about(values: Any) -> Any:
    """Return the mean of H x W x 3 around every pixel, H x W x 1."""
    tf = tensorflow()
    mean = tf.reduce_mean(values, -1, keepdims=True)[None]
    pooled = avg_pool2d(mean, NEIGHBOURHOOD, STRIDE, "SAME")
    return tf.image.resize(pooled, tf.shape(values)[:2])[0]


def _blur(image: Any, sigma: Any) -> Any:
    tf = tensorflow()
    radius = tf.math.ceil(3 * sigma)
    kernel = tf.exp(-0.5 * (tf.range(-radius, radius + 1) / sigma) ** 2)
    kernel = (kernel / tf.reduce_sum(kernel))[:, None, None, None] * tf.ones((1, 1, 4, 1))
    down = depthwise_conv2d(image, kernel, 1, "SAME")
    return depthwise_conv2d(down, tf.transpose(kernel, (1, 0, 2, 3)), 1, "SAME")


def _pyramid_kernel() -> Any:
    return np.outer(BINOMIAL, BINOMIAL)[:, :, None, None] * np.eye(3, dtype=np.float32)


def _downsample(image: Any) -> Any:
    return conv2d(image, _pyramid_kernel(), 2, "SAME")


def _upsample(image: Any, shape: Any) -> Any:
    return tensorflow().nn.conv2d_transpose(image, 4 * _pyramid_kernel(), shape, 2, "SAME")


def _divide_by_rms(band: Any) -> Any:
    tf = tensorflow()
    return band / tf.maximum(tf.sqrt(tf.reduce_mean(band**2)), BAND_EPSILON)
