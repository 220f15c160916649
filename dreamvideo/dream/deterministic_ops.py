"""Operations whose results are bit-identical on any number of threads, unlike TensorFlow's own.

Frames dreamt by workers with one thread each must equal those of one process with many.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.nn import bias_add, conv2d
from dreamvideo.dream.runtime import tensorflow

Array = NDArray[np.float32]


def mean(values: Any) -> Any:
    """Return the mean of all values, a scalar.

    TensorFlow splits a sum over all axes among its threads, but not a sum along one axis.
    """
    tf = tensorflow()
    total = tf.reduce_sum(tf.reduce_sum(values, 0))
    return total / tf.cast(tf.size(values), values.dtype)


def deviation(values: Any) -> Any:
    """Return the standard deviation of all values, a scalar."""
    tf = tensorflow()
    return tf.sqrt(mean((values - mean(values)) ** 2))


def stem_conv(
    image: Any, kernel: Array, stride: int, padding: str, bias: Array | None = None
) -> Any:
    """Convolve pictures (1, H, W, C) of few channels, C known, and add a bias.

    The gradient with respect to the image is computed as a convolution with one output channel for
    each phase of the stride. This is also up to twice as fast: a plain one fills only C lanes of a
    vector.

    Args:
        image: The pictures.
        kernel: (k, k, C, channels).
        stride: Stride in both directions.
        padding: SAME or VALID.
        bias: (channels,), optional.
    """
    tf = tensorflow()
    size, channels = kernel.shape[0], kernel.shape[2]
    phases, reach = _phases(kernel, stride)
    weights, phase_weights = (tf.constant(array, image.dtype) for array in (kernel, phases))

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def conv(x: Any) -> tuple[Any, Any]:
        value = conv2d(x, weights, stride, padding)
        if bias is not None:
            value = bias_add(value, tf.constant(bias, image.dtype))
        shape, places = tf.shape(x)[1:3], tf.shape(value)[1:3]

        def gradient(upstream: Any) -> Any:
            around = [[0, 0], [reach, reach], [reach, reach], [0, 0]]
            spread = conv2d(upstream, phase_weights, 1, around)
            if stride > 1:
                spread = tf.raw_ops.DepthToSpace(input=spread, block_size=stride)
            if size - 1 > stride * reach:
                # Rows that the stride leaves over, which no output position has seen.
                spread = tf.pad(spread, [[0, 0], [0, stride], [0, stride], [0, 0]])
            before = tf.zeros_like(shape)
            if padding == "SAME":
                before = tf.maximum((places - 1) * stride + size - shape, 0) // 2
            begin = tf.concat([[0], before, [0]], 0)
            return tf.slice(spread, begin, tf.concat([[1], shape, [channels]], 0))

        return value, gradient

    return conv(image)


def _phases(kernel: Array, stride: int) -> tuple[Array, int]:
    """Return the kernel of the gradient, (taps, taps, channels, stride * stride * C), and taps - 1.

    Pixel ``stride * m + p`` of the padded image is seen by the output positions o with kernel row
    ``p + stride * (m - o)``; tap t is position ``m - reach + t``.
    """
    taps = -(-kernel.shape[0] // stride)
    side = taps * stride
    missing = side - kernel.shape[0]
    full = np.pad(kernel, ((0, missing), (0, missing), (0, 0), (0, 0)))
    _, _, inputs, outputs = kernel.shape
    parts = full.reshape(taps, stride, taps, stride, inputs, outputs)[::-1, :, ::-1]
    ordered = parts.transpose(0, 2, 5, 1, 3, 4)
    return ordered.reshape(taps, taps, outputs, stride * stride * inputs), taps - 1
