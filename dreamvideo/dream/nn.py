"""The operations of ``tf.nn`` that networks consist of, from ``tf.raw_ops``.

They are the same operations, on images (batch, height, width, channels). ``tf.nn`` itself also
loads Keras 2, which takes 0.4 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dreamvideo.dream.runtime import tensorflow

Sides = int | Sequence[int]


def conv2d(x: Any, kernel: Any, strides: Sides, padding: Any, dilations: Sides = 1) -> Any:
    """Convolve (batch, H, W, C) with a kernel (k, l, C, channels).

    Args:
        x: The input.
        kernel: The kernel.
        strides: One number, two (down and right) or four.
        padding: SAME, VALID or the rows of padding at each end of all four axes.
        dilations: As ``strides``.
    """
    explicit = not isinstance(padding, str)
    return tensorflow().raw_ops.Conv2D(
        input=x,
        filter=kernel,
        strides=_four(strides),
        padding="EXPLICIT" if explicit else padding,
        explicit_paddings=[rows for axis in padding for rows in axis] if explicit else [],
        dilations=_four(dilations),
    )


def depthwise_conv2d(x: Any, kernel: Any, stride: int, padding: str) -> Any:
    """Convolve each channel of (batch, H, W, C) with its own kernels (k, l, C, multiplier)."""
    return tensorflow().raw_ops.DepthwiseConv2dNative(
        input=x, filter=kernel, strides=_four(stride), padding=padding
    )


def avg_pool2d(x: Any, sides: Sides, strides: Sides, padding: str) -> Any:
    """Return the means of windows of (batch, H, W, C)."""
    return tensorflow().raw_ops.AvgPool(
        value=x, ksize=_four(sides), strides=_four(strides), padding=padding
    )


def max_pool2d(x: Any, sides: Sides, strides: Sides, padding: str) -> Any:
    """Return the maxima of windows of (batch, H, W, C)."""
    return tensorflow().raw_ops.MaxPool(
        input=x, ksize=_four(sides), strides=_four(strides), padding=padding
    )


def bias_add(x: Any, bias: Any) -> Any:
    """Add a number to each channel."""
    return tensorflow().raw_ops.BiasAdd(value=x, bias=bias)


def relu6(x: Any) -> Any:
    """Clip to [0, 6]."""
    return tensorflow().raw_ops.Relu6(features=x)


def _four(sides: Sides) -> list[int]:
    if isinstance(sides, int):
        return [1, sides, sides, 1]
    return list(sides) if len(sides) == 4 else [1, *sides, 1]
