"""Run a Keras graph as plain TensorFlow with batch norms folded into constant weights.

TensorFlow fuses a convolution with the bias and ReLU that follow it, and prepares constant kernels
only once. It does neither for the variables of a Keras model. Also, a Keras model computes in its
own precision, whereas this one computes in that of the image it is given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.convolution import conv
from dreamvideo.dream.deterministic_ops import stem_conv
from dreamvideo.dream.runtime import tensorflow

Array = NDArray[np.float32]

PIXEL = 3


@dataclass(frozen=True)
class Affine:
    """``x * scale + shift`` per channel: what a trained batch norm computes."""

    scale: Array
    shift: Array


def run(model: Any, image: Any, wanted: Sequence[Any]) -> list[Any]:
    """Compute the outputs of the operations ``wanted`` of a functional Keras model.

    Only what they depend on is computed. A batch norm that is the only reader of a convolution is
    folded into its weights, unless the convolution itself is wanted. An average pooling that is
    read only by a 1 x 1 convolution to fewer channels is computed after it.

    Args:
        model: The Keras model.
        image: Its input.
        wanted: Operations of the model.

    Returns:
        The outputs in the order of ``wanted``.
    """
    needed = _find_needed(model, wanted)
    readers = defaultdict(list)
    for operation in needed:
        for parent in _parents(operation):
            readers[parent].append(operation)
    merged: dict[Any, Any] = {}
    averaged: dict[Any, Any] = {}
    for operation in needed:
        followers = readers[operation]
        if len(followers) != 1 or operation in wanted:
            continue
        if _takes(operation, followers[0]):
            merged[operation] = followers[0]
        if _can_follow(operation, followers[0]):
            averaged[followers[0]] = operation
    done = {*merged.values(), *averaged.values()}
    values: dict[int, Any] = {id(model.inputs[0]): image}
    for operation in needed:
        if not _parents(operation):
            continue
        args, kwargs = operation._inbound_nodes[0].arguments.fill_in(values)
        if operation in done:
            value = args[0]
        else:
            norm = affine(merged[operation]) if operation in merged else None
            value = _apply(operation, norm, *args, **kwargs)
            if operation in averaged:
                value = averaged[operation].call(value)
        values[id(operation.output)] = value
    return [values[id(operation.output)] for operation in wanted]


def affine(norm: Any) -> Affine:
    """Return a Keras layer that scales and shifts each channel as constants."""
    if type(norm).__name__ == "LayerScale":
        gamma = _array(norm.gamma)
        return Affine(gamma, np.zeros_like(gamma))
    gamma = _array(norm.gamma) if norm.scale else np.float32(1)
    beta = _array(norm.beta) if norm.center else np.float32(0)
    mean, variance = _array(norm.moving_mean), _array(norm.moving_variance)
    scale = gamma / np.sqrt(variance + np.float32(norm.epsilon))
    return Affine(scale, beta - mean * scale)


def _find_needed(model: Any, wanted: Sequence[Any]) -> list[Any]:
    """Return the wanted operations and everything they depend on, in order of computation."""
    needed = set(wanted)
    for operation in reversed(model.operations):
        if operation in needed:
            needed |= set(_parents(operation))
    return [operation for operation in model.operations if operation in needed]


def _parents(operation: Any) -> list[Any]:
    return [node.operation for node in operation._inbound_nodes[0].parent_nodes]


def _takes(operation: Any, norm: Any) -> bool:
    """Return whether ``norm`` can be folded into the weights of ``operation``."""
    return (
        type(norm).__name__ in AFFINE
        and type(operation).__name__ in WEIGHTED
        and operation.activation.__name__ == "linear"
    )


def _can_follow(pool: Any, conv: Any) -> bool:
    """Return whether an average pooling can as well be computed after the convolution."""
    return (
        type(pool).__name__ == "AveragePooling2D"
        and type(conv).__name__ == "Conv2D"
        and (pool.strides, pool.padding) == ((1, 1), "same")
        and (conv.kernel_size, conv.strides, conv.groups) == ((1, 1), (1, 1), 1)
        and conv.activation.__name__ == "linear"
        and conv.filters < pool.output.shape[-1]
    )


def _apply(operation: Any, norm: Affine | None, *args: Any, **kwargs: Any) -> Any:
    name = type(operation).__name__
    if name in WEIGHTED:
        return operation.activation(WEIGHTED[name](operation, norm, args[0]))
    if name in AFFINE:
        own, dtype = affine(operation), args[0].dtype
        return args[0] * _constant(own.scale, dtype) + _constant(own.shift, dtype)
    if name == "Sequential":
        (value,) = args
        for layer in operation.layers:
            value = _apply(layer, None, value)
        return value
    # Not __call__, which would first cast its input to the layer's own precision.
    value = operation.call(*args, **kwargs)
    first = args[0][0] if isinstance(args[0], (list, tuple)) else args[0]
    return tensorflow().cast(value, first.dtype)


def _array(variable: Any) -> Array:
    """Return the value of a Keras variable, also while a graph is being traced."""
    with tensorflow().init_scope():
        return np.asarray(variable.numpy())


def _constant(array: Array, dtype: Any) -> Any:
    return tensorflow().constant(array, dtype)


def _bias(layer: Any, norm: Affine | None) -> Array | None:
    """Return the bias of a layer, including the shift of its norm."""
    bias = _array(layer.bias) if layer.use_bias else None
    if norm is None:
        return bias
    return norm.shift if bias is None else bias * norm.scale + norm.shift


def _finish(value: Any, layer: Any, norm: Affine | None) -> Any:
    bias = _bias(layer, norm)
    if bias is None:
        return value
    return tensorflow().nn.bias_add(value, _constant(bias, value.dtype))


def _scale(kernel: Array, norm: Affine | None) -> Array:
    return kernel if norm is None else kernel * norm.scale


def _conv(layer: Any, norm: Affine | None, x: Any) -> Any:
    kernel = _scale(_array(layer.kernel), norm)
    if x.shape[-1] == PIXEL:
        bias = _bias(layer, norm)
        return stem_conv(x, kernel, layer.strides[0], layer.padding.upper(), bias)
    if layer.groups == 1:
        value = conv(x, kernel, layer.strides[0], layer.padding.upper())
        return _finish(value, layer, norm)
    # One group per channel, the only other kind in these networks.
    assert layer.groups == kernel.shape[-1] == x.shape[-1]
    return _finish(_depthwise(layer, kernel.transpose(0, 1, 3, 2), x), layer, norm)


def _depthwise(layer: Any, kernel: Array, x: Any) -> Any:
    """Convolve depthwise with a kernel (h, w, channels, 1)."""
    strides = (1, *layer.strides, 1)
    weights = _constant(kernel, x.dtype)
    return tensorflow().nn.depthwise_conv2d(x, weights, strides, layer.padding.upper())


def _depthwise_conv(layer: Any, norm: Affine | None, x: Any) -> Any:
    kernel = _array(layer.kernel)
    if norm is not None:
        kernel = kernel * norm.scale[:, None]
    return _finish(_depthwise(layer, kernel, x), layer, norm)


def _separable(layer: Any, norm: Affine | None, x: Any) -> Any:
    spread = _depthwise(layer, _array(layer.depthwise_kernel), x)
    kernel = _scale(_array(layer.pointwise_kernel), norm)
    return _finish(conv(spread, kernel, 1, "VALID"), layer, norm)


def _dense(layer: Any, norm: Affine | None, x: Any) -> Any:
    """Apply a dense layer over the channels of a picture, as a 1 x 1 convolution."""
    kernel = _scale(_array(layer.kernel), norm)
    return _finish(conv(x, kernel[None, None], 1, "VALID"), layer, norm)


AFFINE = frozenset({"BatchNormalization", "LayerScale"})
WEIGHTED: dict[str, Callable[[Any, Affine | None, Any], Any]] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise_conv,
    "SeparableConv2D": _separable,
    "Dense": _dense,
}
