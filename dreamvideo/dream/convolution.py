"""Convolutions with constant kernels, and the precision in which their gradients are computed."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.nn import conv2d
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.dream.step import Forward

Array = NDArray[np.float32]

# Values of a pointwise kernel that takes no time to prepare, since few pixels are left where such
# kernels are (measured with the bundled network, at 512 x 288).
LARGE_POINTWISE = 20_000

_brief: ContextVar[bool] = ContextVar("brief", default=False)
_sparing: ContextVar[bool] = ContextVar("sparing", default=False)


def bfloat16_gradient(forward: Forward) -> Forward:
    """Wrap ``forward`` so that gradients of its convolutions are computed in bfloat16.

    bfloat16 has float32's range, so no gradient needs scaling, and eight bits of precision; sums
    are in float32. The activations, and with them what each ReLU passes, stay exact: they cause
    most of the error of a network that runs entirely in bfloat16. This pays off on processors with
    instructions for it (AVX512_BF16, AMX).
    """

    return _within(_brief, forward)


def spare_memory(forward: Forward) -> Forward:
    """Wrap ``forward`` so that its large pointwise kernels lie outside of the graph (``conv``).

    The bundled network's own look takes 150 MB less, and starts a quarter of a second sooner; its
    steps take as long (measured at 187 x 105 to 771 x 434 pixels). Results may be rounded
    otherwise, which after many steps is another picture of the same kind.
    """
    return _within(_sparing, forward)


def _within(way: ContextVar[bool], forward: Forward) -> Forward:
    def wrapped(image: Any, wanted: Sequence[str]) -> Any:
        token = way.set(True)
        try:
            return forward(image, wanted)
        finally:
            way.reset(token)

    return wrapped


def conv(x: Any, kernel: Array, stride: int, padding: str, *, outside: bool = False) -> Any:
    """Convolve (1, H, W, C) with a kernel (k, l, C, channels).

    Args:
        x: The input.
        kernel: The constant kernel.
        stride: Stride in both directions.
        padding: SAME or VALID.
        outside: Whether the kernel lies outside of a graph that is traced. TensorFlow copies a
            graph, with the constants in it, a dozen times while it optimises it; a kernel outside
            exists once for each graph, but is prepared again at each step.
    """
    tf = tensorflow()
    if _brief.get() and stride == 1:
        return _both_ways(x, kernel, padding, tf.bfloat16)
    if not _brief.get():
        weights = _hold(kernel, x.dtype) if outside else tf.constant(kernel, x.dtype)
        return conv2d(x, weights, stride, padding)
    weights = tf.constant(kernel, x.dtype)
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

        return conv2d(value, weights, stride, padding), back

    return forth(x)


def _hold(kernel: Array, dtype: Any) -> Any:
    """Return a kernel as a tensor that a graph refers to but does not hold."""
    tf = tensorflow()
    if tf.config.list_physical_devices("GPU"):
        # It might lie on another device than the one that computes.
        return tf.constant(kernel, dtype)
    with tf.init_scope():
        return tf.constant(kernel, dtype)


def pointwise_conv(x: Any, kernel: Array) -> Any:
    """Convolve activations (1, H, W, C) with a kernel (1, 1, C, channels): see ``dense_conv``.

    A large kernel may lie outside of the graph (``spare_memory``).
    """
    precision = tensorflow().bfloat16 if _brief.get() else x.dtype
    outside = _sparing.get() and kernel.size > LARGE_POINTWISE
    return _both_ways(x, kernel, "SAME", precision, outside=outside)


def dense_conv(x: Any, kernel: Array, padding: str) -> Any:
    """Convolve activations (1, H, W, C) with a kernel (k, l, C, channels) and stride 1.

    Its gradient is computed as the convolution that it is: TensorFlow's own gradient operation
    prepares its kernel again at each step.
    """
    return _both_ways(x, kernel, padding, tensorflow().bfloat16 if _brief.get() else x.dtype)


def _both_ways(
    x: Any, kernel: Array, padding: str, precision: Any, *, outside: bool = False
) -> Any:
    """Convolve with stride 1; its gradient is a convolution too, computed in ``precision``."""
    tf = tensorflow()
    make = _hold if outside else tf.constant
    weights, turned = make(kernel, x.dtype), make(_turn_kernel(kernel), precision)
    around = _pad_gradient(kernel.shape[:2], padding)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def forth(value: Any) -> tuple[Any, Any]:
        def back(upstream: Any) -> Any:
            found = conv2d(tf.cast(upstream, precision), turned, 1, around)
            return tf.cast(found, value.dtype)

        return conv2d(value, weights, 1, padding), back

    return forth(x)


def _pad_gradient(sides: Sequence[int], padding: str) -> Any:
    """Return the padding of the gradient of a convolution of stride 1."""
    if padding == "SAME":
        if all(side % 2 for side in sides):
            return "SAME"
        # An even kernel has its odd row of padding behind: in the gradient it is in front.
        rows = [[side // 2, (side - 1) // 2] for side in sides]
    else:
        rows = [[side - 1, side - 1] for side in sides]
    return [[0, 0], *rows, [0, 0]]


def _turn_kernel(kernel: Array) -> Array:
    """Return the kernel for the gradient of a convolution of stride 1."""
    return np.ascontiguousarray(kernel[::-1, ::-1].transpose(0, 1, 3, 2))
