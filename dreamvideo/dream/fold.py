"""Run a Keras graph as plain TensorFlow with batch norms folded into constant weights.

TensorFlow then fuses a convolution with the bias and ReLU that follow it. Also, a Keras model
computes in its own precision, whereas this one computes in that of the image it is given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.convolution import conv
from dreamvideo.dream.deterministic_ops import stem_conv
from dreamvideo.dream.keras_graph import Node, Slot, find_node, flatten
from dreamvideo.dream.nn import bias_add, conv2d
from dreamvideo.dream.runtime import tensorflow

Array = NDArray[np.float32]

PIXEL = 3
# Batch, height, width, channels.
PICTURE_AXES = 4


@dataclass(frozen=True)
class Affine:
    """``x * scale + shift`` per channel: what a trained batch norm computes."""

    scale: Array
    shift: Array


def run(model: Any, image: Any, wanted: Sequence[Any]) -> list[Any]:
    """Compute the outputs of the operations ``wanted`` of a Keras model: see ``run_nodes``.

    Args:
        model: The Keras model.
        image: Its input.
        wanted: Operations of the model.

    Returns:
        The outputs in the order of ``wanted``.
    """
    nodes = flatten(model)
    return run_nodes(nodes, image, [find_node(nodes, operation) for operation in wanted])


def run_nodes(
    nodes: Sequence[Node], image: Any, wanted: Sequence[Node], *, folded: bool = True
) -> list[Any]:
    """Compute the first outputs of the nodes ``wanted``.

    Only what they depend on is computed. A batch norm that is the only reader of a convolution is
    folded into its weights, unless the convolution itself is wanted. An average pooling that is
    read only by a 1 x 1 convolution to fewer channels is computed after it.

    Args:
        nodes: The calls of a Keras model, in order.
        image: Its input.
        wanted: Some of the nodes.
        folded: Whether to fold; False: each layer is computed as Keras does.

    Returns:
        The outputs in the order of ``wanted``.
    """
    needed = find_needed(nodes, wanted)
    merged, averaged = _find_folds(needed, wanted) if folded else ({}, {})
    done = {*merged.values(), *averaged.values()}
    values: dict[Slot, Any] = {(None, 0): image}
    for node in needed:
        args, kwargs = node.arguments(values)
        if node in done:
            value = args[0]
        elif not folded:
            value = call(node.operation, *args, **kwargs)
        else:
            norm = affine(merged[node].operation) if node in merged else None
            value = _apply(node.operation, norm, *args, **kwargs)
            if node in averaged:
                value = averaged[node].operation.call(value)
        values |= list_slots(node, value)
    return [values[node, 0] for node in wanted]


def find_needed(nodes: Sequence[Node], wanted: Sequence[Node]) -> list[Node]:
    """Return the wanted nodes and everything they depend on, in order of computation."""
    needed = set(wanted)
    for node in reversed(nodes):
        if node in needed:
            needed |= set(node.parents)
    return [node for node in nodes if node in needed]


def list_slots(node: Node, value: Any) -> dict[Slot, Any]:
    """Return what a call has computed by its slots."""
    several = isinstance(value, list | tuple)
    return {(node, number): each for number, each in enumerate(value if several else [value])}


def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a layer as it infers, in the precision of its input."""
    kind: Any = type(operation)
    if _knows_training(kind):
        kwargs["training"] = False
    # Not __call__, which would first cast its input to the layer's own precision.
    value = operation.call(*args, **kwargs)
    first = next(iter(args or kwargs.values()))
    while isinstance(first, list | tuple):
        first = first[0]
    cast = tensorflow().cast
    if isinstance(value, list | tuple):
        return [cast(each, first.dtype) for each in value]
    return cast(value, first.dtype)


@cache
def _knows_training(kind: type) -> bool:
    return "training" in signature(kind.call).parameters  # type: ignore[attr-defined]


def _find_folds(
    needed: Sequence[Node], wanted: Sequence[Node]
) -> tuple[dict[Node, Node], dict[Node, Node]]:
    """Return convolution -> the norm that it takes, and convolution -> pooling to follow it."""
    readers = defaultdict(list)
    for node in needed:
        for parent in node.parents:
            readers[parent].append(node)
    merged: dict[Node, Node] = {}
    averaged: dict[Node, Node] = {}
    for node in needed:
        followers = readers[node]
        if len(followers) != 1 or node in wanted:
            continue
        if takes(node, followers[0]):
            merged[node] = followers[0]
        if _can_follow(node.operation, followers[0].operation):
            averaged[followers[0]] = node
    return merged, averaged


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


def takes(node: Node, norm: Node) -> bool:
    """Return whether ``norm`` can be folded into the weights of ``node``."""
    return (
        _is_affine(norm.operation, node.call.outputs[0].shape)
        and type(node.operation).__name__ in WEIGHTED
        and _is_linear(node.operation)
    )


def _is_affine(norm: Any, shape: Sequence[int | None]) -> bool:
    """Return whether a layer scales and shifts the last axis of its input."""
    name = type(norm).__name__
    return name == "LayerScale" or (
        name == "BatchNormalization" and norm.axis in (-1, len(shape) - 1)
    )


def _is_linear(layer: Any) -> bool:
    return getattr(layer.activation, "__name__", "") == "linear"


def _can_follow(pool: Any, conv: Any) -> bool:
    """Return whether an average pooling can as well be computed after the convolution."""
    return (
        type(pool).__name__ == "AveragePooling2D"
        and type(conv).__name__ == "Conv2D"
        and (pool.strides, pool.padding) == ((1, 1), "same")
        and (conv.kernel_size, conv.strides, conv.groups) == ((1, 1), (1, 1), 1)
        and _is_linear(conv)
        and conv.filters < pool.output.shape[-1]
    )


def _apply(operation: Any, norm: Affine | None, *args: Any, **kwargs: Any) -> Any:
    name = type(operation).__name__
    if name in WEIGHTED and len(args[0].shape) == PICTURE_AXES:
        return operation.activation(WEIGHTED[name](operation, norm, args[0]))
    if norm is not None:
        value, dtype = call(operation, *args, **kwargs), args[0].dtype
        return value * _constant(norm.scale, dtype) + _constant(norm.shift, dtype)
    if args and hasattr(args[0], "shape") and _is_affine(operation, args[0].shape):
        own, dtype = affine(operation), args[0].dtype
        return args[0] * _constant(own.scale, dtype) + _constant(own.shift, dtype)
    return call(operation, *args, **kwargs)


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
    return bias_add(value, _constant(bias, value.dtype))


def _scale(kernel: Array, norm: Affine | None) -> Array:
    return kernel if norm is None else kernel * norm.scale


def _conv(layer: Any, norm: Affine | None, x: Any) -> Any:
    kernel = _scale(_array(layer.kernel), norm)
    padding = layer.padding.upper()
    (down, right), dilated = layer.strides, max(layer.dilation_rate) > 1
    if down != right or dilated:
        return _finish(_grouped(layer, kernel, x), layer, norm)
    if x.shape[-1] == PIXEL and layer.groups == 1 and kernel.shape[0] == kernel.shape[1]:
        return stem_conv(x, kernel, down, padding, _bias(layer, norm))
    if layer.groups == 1:
        return _finish(conv(x, kernel, down, padding, outside=True), layer, norm)
    if layer.groups == kernel.shape[-1] == x.shape[-1]:
        return _finish(_depthwise(layer, kernel.transpose(0, 1, 3, 2), x), layer, norm)
    return _finish(_grouped(layer, kernel, x), layer, norm)


def _grouped(layer: Any, kernel: Array, x: Any) -> Any:
    """Convolve with any strides and dilations, one group of channels after another."""
    tf = tensorflow()
    strides, dilations = list(layer.strides), list(layer.dilation_rate)
    padding = layer.padding.upper()
    parts = tf.split(x, layer.groups, axis=-1) if layer.groups > 1 else [x]
    kernels = np.split(kernel, layer.groups, axis=-1)
    found = [
        conv2d(part, _constant(each, x.dtype), strides, padding, dilations)
        for part, each in zip(parts, kernels, strict=True)
    ]
    return found[0] if len(found) == 1 else tf.concat(found, axis=-1)


def _depthwise(layer: Any, kernel: Array, x: Any) -> Any:
    """Convolve depthwise with a kernel (h, w, channels, multiplier)."""
    tf = tensorflow()
    down, right = layer.strides
    padding, dilations = layer.padding.upper(), list(layer.dilation_rate)
    weights = _constant(kernel, x.dtype)
    if down == right:
        return tf.nn.depthwise_conv2d(x, weights, (1, down, right, 1), padding, None, dilations)
    # TensorFlow has no depthwise convolution with two strides: every place is computed, and those
    # of the strides are kept.
    if padding == "SAME":
        x, padding = _pad_same(x, kernel.shape[:2], (down, right)), "VALID"
    dense = tf.nn.depthwise_conv2d(x, weights, (1, 1, 1, 1), padding, None, dilations)
    return dense[:, ::down, ::right]


def _pad_same(x: Any, sides: Sequence[int], strides: Sequence[int]) -> Any:
    """Pad as SAME does for a kernel and strides of these two sides."""
    tf = tensorflow()
    shape, around = tf.shape(x), [[0, 0]]
    for axis, (side, stride) in enumerate(zip(sides, strides, strict=True), 1):
        places = -(-shape[axis] // stride)
        missing = tf.maximum((places - 1) * stride + side - shape[axis], 0)
        around.append([missing // 2, missing - missing // 2])
    return tf.pad(x, [*around, [0, 0]])


def _depthwise_conv(layer: Any, norm: Affine | None, x: Any) -> Any:
    kernel = _array(layer.kernel)
    if norm is not None:
        kernel = kernel * np.broadcast_to(norm.scale, kernel[0, 0].size).reshape(kernel.shape[2:])
    return _finish(_depthwise(layer, kernel, x), layer, norm)


def _separable(layer: Any, norm: Affine | None, x: Any) -> Any:
    spread = _depthwise(layer, _array(layer.depthwise_kernel), x)
    kernel = _scale(_array(layer.pointwise_kernel), norm)
    return _finish(conv(spread, kernel, 1, "VALID", outside=True), layer, norm)


def _dense(layer: Any, norm: Affine | None, x: Any) -> Any:
    """Apply a dense layer over the channels of a picture, as a 1 x 1 convolution."""
    kernel = _scale(_array(layer.kernel), norm)
    return _finish(conv(x, kernel[None, None], 1, "VALID", outside=True), layer, norm)


WEIGHTED: dict[str, Callable[[Any, Affine | None, Any], Any]] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise_conv,
    "SeparableConv2D": _separable,
    "Dense": _dense,
}
