"""The operations of networks are those of ``tf.nn``, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dreamvideo.dream import nn
from dreamvideo.dream.runtime import tensorflow

ROWS = [[0, 0], [2, 1], [0, 3], [0, 0]]


def arrays(*shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.normal(0, 4, shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("strides", [1, 2, (1, 2), [1, 2, 1, 1]])
@pytest.mark.parametrize("padding", ["SAME", "VALID", ROWS])
@pytest.mark.parametrize("dilations", [(1, 1, 1, 1), (1, 1), (2, 3)])
def test_convolutions_are_tensorflows(strides: Any, padding: Any, dilations: Any) -> None:
    tf = tensorflow()
    x, kernel = arrays((2, 17, 23, 3), (3, 2, 3, 5))
    expected = tf.nn.conv2d(x, kernel, strides, padding, "NHWC", dilations)
    np.testing.assert_array_equal(nn.conv2d(x, kernel, strides, padding, dilations), expected)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_depthwise_convolutions_are_tensorflows(stride: int, padding: str) -> None:
    tf = tensorflow()
    x, kernel = arrays((1, 16, 19, 4), (3, 3, 4, 2))
    expected = tf.nn.depthwise_conv2d(x, kernel, (1, stride, stride, 1), padding)
    np.testing.assert_array_equal(nn.depthwise_conv2d(x, kernel, stride, padding), expected)


@pytest.mark.parametrize("sides", [2, (3, 2), [1, 3, 3, 1]])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("name", ["avg_pool2d", "max_pool2d"])
def test_pools_are_tensorflows(name: str, sides: Any, padding: str) -> None:
    (x,) = arrays((2, 15, 22, 3))
    expected = getattr(tensorflow().nn, name)(x, sides, 2, padding)
    np.testing.assert_array_equal(getattr(nn, name)(x, sides, 2, padding), expected)


def test_biases_and_relus_are_tensorflows() -> None:
    tf = tensorflow()
    x, bias = arrays((1, 5, 6, 7), (7,))
    found = nn.bias_add(x, bias)
    np.testing.assert_array_equal(found, x + bias)
    np.testing.assert_array_equal(nn.relu6(found), tf.nn.relu6(x + bias))
    assert float(np.min(found)) < 0 and float(np.max(found)) > 6
