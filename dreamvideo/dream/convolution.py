"""Convolutions with constant kernels, and the precision in which their gradients are computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.runtime import tensorflow
from dreamvideo.dream.step import Forward

Array = NDArray[np.float32]

_brief: ContextVar[bool] = ContextVar("brief", default=False)


def bfloat16_gradient(forward: Forward) -> Forward:
    """Wrap ``forward`` so that gradients of its convolutions are computed in bfloat16.

    bfloat16 has float32's range, so no gradient needs scaling, and eight bits of precision; sums
    are in float32. The activations, and with them what each ReLU passes, stay exact: they cause
    most of the error of a network that runs entirely in bfloat16. This pays off on processors with
    instructions for it (AVX512_BF16, AMX).
    """

    def brief(image: Any, wanted: Sequence[str]) -> Any:
        with _briefly():
            return forward(image, wanted)

    return brief


@contextmanager
def _briefly() -> Iterator[None]:
    token = _brief.set(True)
    try:
        yield
    finally:
        _brief.reset(token)


def conv(x: Any, kernel: Array, stride: int, padding: str) -> Any:
    """Convolve (1, H, W, C) with a kernel (k, l, C, channels).

    Args:
        x: The input.
        kernel: The constant kernel.
        stride: Stride in both directions.
        padding: SAME or VALID.
    """
    tf = tensorflow()
    if _brief.get() and stride == 1:
        return _both_ways(x, kernel, padding, tf.bfloat16)
    weights = tf.constant(kernel, x.dtype)
    if not _brief.get():
        return tf.nn.conv2d(x, weights, stride, padding)
    brief = tf.constant(kernel, tf.bfloat16)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def forth(value: Any) -> tuple[Any, Any]:
        def back(upstream: Any) -> Any:
            found = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(value),
                filter=brief,
                out_backprop=tf.cast(upstream, tf.bfloat16),
                strides=[1, stride, stride, 1],
                padding=padding,
            )
            return tf.cast(found, value.dtype)

        return tf.nn.conv2d(value, weights, stride, padding), back

    return forth(x)


def pointwise_conv(x: Any, kernel: Array) -> Any:
    """Convolve activations (1, H, W, C) with a kernel (1, 1, C, channels).

    Its gradient is computed as the convolution that it is: TensorFlow's own gradient operation
    prepares its kernel again at each step.
    """
    return _both_ways(x, kernel, "SAME", tensorflow().bfloat16 if _brief.get() else x.dtype)


def _both_ways(x: Any, kernel: Array, padding: str, precision: Any) -> Any:
    """Convolve with stride 1; its gradient is a convolution too, computed in ``precision``."""
    tf = tensorflow()
    weights, turned = tf.constant(kernel, x.dtype), tf.constant(_turn_kernel(kernel), precision)
    rows, columns = kernel.shape[0] - 1, kernel.shape[1] - 1
    around = [[0, 0], [rows, rows], [columns, columns], [0, 0]] if padding == "VALID" else "SAME"

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def forth(value: Any) -> tuple[Any, Any]:
        def back(upstream: Any) -> Any:
            found = tf.nn.conv2d(tf.cast(upstream, precision), turned, 1, around)
            return tf.cast(found, value.dtype)

        return tf.nn.conv2d(value, weights, 1, padding), back

    return forth(x)


def _turn_kernel(kernel: Array) -> Array:
    """Return the kernel for the gradient of a convolution of stride 1."""
    return np.ascontiguousarray(kernel[::-1, ::-1].transpose(0, 1, 3, 2))
