"""A network as a list of operations in TensorFlow's vocabulary, and its arithmetic.

Only operations of this file's table are computed: they map numbers to numbers, and none reads a
file, runs a program or calls home.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dreamvideo.dream.convolution import conv
from dreamvideo.dream.deterministic_ops import stem_conv
from dreamvideo.dream.runtime import tensorflow

PIXEL = 3
PICTURE_AXES = 4
# No network pads more, and no layer of a picture of 256 pixels has more values.
MOST_PADDING, MOST_VALUES = 64, 1 << 26
# An array of more values than this is a weight, whose numbers no shape depends on.
SMALL = 1024


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        name: Its unique name.
        kind: What it computes, as TensorFlow calls it.
        inputs: Names of the operations whose results it takes; ``name:1`` is a second result.
        options: Its attributes.
        array: Its value, if it is a constant.
    """

    name: str
    kind: str
    inputs: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    array: Any = None


@dataclass(frozen=True)
class Graph:
    """A network that was read from a file.

    Attributes:
        title: What to show as its name.
        operations: Its operations by name, each after what it takes.
        start: Name of its input.
        input_range: What the input takes (a kind of ``input_range.preprocess``).
        shown: Names of the layers that can be dreamt; None: every operation.
        default_layers: The layers that are dreamt unless others are named; empty: they are chosen.
        classifier: The layer whose average a linear classifier of ImageNet's classes takes, and its
            kernel (channels, classes).
        notes: What users should know of it.
    """

    title: str
    operations: Mapping[str, Operation]
    start: str
    input_range: str
    shown: tuple[str, ...] | None = None
    default_layers: tuple[str, ...] = ()
    classifier: tuple[str, Any] | None = None
    notes: tuple[str, ...] = ()


def compute(graph: Graph, value: Any, wanted: Sequence[str]) -> dict[str, Any]:
    """Return the results of the operations ``wanted`` for a network's input (1, H, W, 3)."""
    values = {graph.start: value}

    def constant(array: Any) -> Any:
        floats = np.issubdtype(array.dtype, np.floating)
        return tensorflow().constant(array, value.dtype if floats else None)

    for operation in _find_needed(graph, wanted):
        if operation.name != graph.start:
            _store(values, operation, _compute_one(operation, values, constant, fast=True))
    return {name: values[name] for name in wanted}


def list_shapes(graph: Graph, side: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each result for a picture of that side, computing nothing.

    What cannot be computed, and all that depends on it, is left out.
    """
    tf = tensorflow()
    found: dict[str, tuple[int, ...]] = {}

    def stand_in(array: Any) -> Any:
        if np.size(array) <= SMALL:
            return tf.constant(array)
        return tf.compat.v1.placeholder(array.dtype, np.shape(array))

    with tf.Graph().as_default():
        values = {graph.start: tf.compat.v1.placeholder(tf.float32, (1, side, side, PIXEL))}
        for operation in graph.operations.values():
            # TensorFlow has many errors for shapes that do not fit.
            with suppress(Exception):
                if operation.name != graph.start:
                    result = _compute_one(operation, values, stand_in)
                    if not all(_is_bounded(each) for each in _as_list(result)):
                        continue
                    _store(values, operation, result)
                shape = values[operation.name].shape
                if shape.is_fully_defined():
                    found[operation.name] = tuple(shape.as_list())
    return found


def _as_list(result: Any) -> list[Any]:
    return list(result) if isinstance(result, list | tuple) else [result]


def _is_bounded(result: Any) -> bool:
    count = result.shape.num_elements() if result.shape.rank is not None else None
    return count is None or count <= MOST_VALUES


def _store(values: dict[str, Any], operation: Operation, result: Any) -> None:
    several = _as_list(result)
    values[operation.name] = several[0]
    for number, each in enumerate(several[1:], 1):
        values[f"{operation.name}:{number}"] = each


def _find_needed(graph: Graph, wanted: Sequence[str]) -> Iterator[Operation]:
    needed = {name.partition(":")[0] for name in wanted}
    for name in reversed(list(graph.operations)):
        if name in needed:
            needed |= {each.partition(":")[0] for each in graph.operations[name].inputs}
    return (each for name, each in graph.operations.items() if name in needed)


def _compute_one(
    operation: Operation,
    values: Mapping[str, Any],
    constant: Callable[[Any], Any],
    *,
    fast: bool = False,
) -> Any:
    if operation.kind == "Const":
        # A kernel is not made a tensor before it is known what takes it.
        if np.size(operation.array) > SMALL:
            return _Weight(operation.array, constant)
        return constant(operation.array)
    given = [values[name] for name in operation.inputs]
    kernel = given[1] if len(given) > 1 else None
    if fast and operation.kind == "Conv2D" and isinstance(kernel, _Weight):
        return _convolve(given[0], kernel.array, operation.options)
    plain = [each.tensor if isinstance(each, _Weight) else each for each in given]
    return TABLE[operation.kind](operation.options, *plain)


@dataclass(frozen=True)
class _Weight:
    """A large constant."""

    array: Any
    constant: Callable[..., Any]

    @property
    def tensor(self) -> Any:
        return self.constant(self.array)

    @property
    def shape(self) -> Any:
        return tensorflow().TensorShape(self.array.shape)


def _convolve(x: Any, kernel: Any, options: Mapping[str, Any]) -> Any:
    """Convolve with a constant kernel (h, w, channels, channels)."""
    strides, dilations = _window(options, "strides"), _window(options, "dilations")
    x, padding = _pad(x, options)
    depth = x.shape[-1]
    plain = strides[1] == strides[2] and max(dilations) == 1 and depth == kernel.shape[2]
    if plain and depth == PIXEL and kernel.shape[0] == kernel.shape[1]:
        return stem_conv(x, kernel, strides[1], padding)
    if plain:
        return conv(x, kernel, strides[1], padding)
    return _conv2d(options, x, tensorflow().constant(kernel, x.dtype))


def _window(options: Mapping[str, Any], name: str) -> list[int]:
    found = [int(each) for each in options.get(name) or (1, 1, 1, 1)]
    if len(found) != PICTURE_AXES or min(found) < 1 or options.get("data_format", "NHWC") != "NHWC":
        raise ValueError(f"{name} of {found}")
    return found


def _pad(x: Any, options: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the input with its explicit padding, and TensorFlow's name for what is left to do."""
    padding = options.get("padding", "VALID")
    if padding != "EXPLICIT":
        return x, padding
    rows = np.reshape(options["explicit_paddings"], (PICTURE_AXES, 2)).tolist()
    return _pad_by(x, rows), "VALID"


def _pad_by(x: Any, rows: Any, value: float = 0.0) -> Any:
    _check_padding(rows)
    return tensorflow().pad(x, rows, constant_values=value)


def _check_padding(rows: Any) -> None:
    from_graph = tensorflow().get_static_value(rows)
    known = np.asarray(rows if from_graph is None else from_graph)
    if known.dtype == object or known.min() < 0 or known.max() > MOST_PADDING:
        raise ValueError("a padding that is not small and fixed")


def _conv2d(options: Mapping[str, Any], x: Any, kernel: Any) -> Any:
    x, padding = _pad(x, options)
    strides, dilations = _window(options, "strides"), _window(options, "dilations")
    tf = tensorflow()
    groups = int(x.shape[-1]) // int(kernel.shape[2])
    if groups == 1:
        return tf.nn.conv2d(x, kernel, strides, padding, "NHWC", dilations)
    # TensorFlow has no gradient of grouped convolutions on processors.
    pairs = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
    parts = [tf.nn.conv2d(a, b, strides, padding, "NHWC", dilations) for a, b in pairs]
    return tf.concat(parts, -1)


def _depthwise(options: Mapping[str, Any], x: Any, kernel: Any) -> Any:
    x, padding = _pad(x, options)
    strides, dilations = _window(options, "strides"), _window(options, "dilations")
    return tensorflow().nn.depthwise_conv2d(x, kernel, strides, padding, None, dilations[1:3])


def _pool(name: str) -> Callable[..., Any]:
    def pool(options: Mapping[str, Any], x: Any) -> Any:
        tf = tensorflow()
        sides, strides = _window(options, "ksize"), _window(options, "strides")
        around, border = options.get("around"), options.get("border", 0)
        rows: Any = None
        if around is not None:
            # As Caffe and PyTorch pool: the last window may reach beyond the border.
            rows = _reach_over(tf.shape(x), sides, strides, around)
        elif border:
            rows = [[0, 0], [border, border], [border, border], [0, 0]]
        if rows is not None:
            x = tf.pad(x, rows, constant_values=x.dtype.min if name == "max" else 0.0)
        padding = "VALID" if around is not None else options["padding"]
        function = tf.nn.max_pool2d if name == "max" else tf.nn.avg_pool2d
        return function(x, sides, strides, padding)

    return pool


def _reach_over(shape: Any, sides: list[int], strides: list[int], around: int) -> Any:
    """Return the padding of both sides such that every pixel lies in a window."""
    tf = tensorflow()
    static = tf.get_static_value(shape)
    rows: list[Any] = [[0, 0]]
    for axis in (1, 2):
        length = (shape if static is None else static)[axis] + 2 * around - sides[axis]
        rows.append([around, around + (-length) % strides[axis]])
    return [*rows, [0, 0]]


def _lrn(options: Mapping[str, Any], x: Any) -> Any:
    return tensorflow().nn.local_response_normalization(
        x,
        int(options.get("depth_radius", 5)),
        float(options.get("bias", 1.0)),
        float(options.get("alpha", 1.0)),
        float(options.get("beta", 0.5)),
    )


def _batch_norm(options: Mapping[str, Any], x: Any, *given: Any) -> Any:
    scale, shift, mean, variance = given[:4]
    tf = tensorflow()
    inverse = scale * tf.math.rsqrt(variance + float(options.get("epsilon", 1e-4)))
    return x * inverse + (shift - mean * inverse)


def _old_batch_norm(options: Mapping[str, Any], x: Any, *given: Any) -> Any:
    mean, variance, shift, scale = given
    inverse = tensorflow().math.rsqrt(variance + float(options.get("variance_epsilon", 1e-3)))
    if options.get("scale_after_normalization"):
        inverse = inverse * scale
    return x * inverse + (shift - mean * inverse)


def _first_axis_concat(_: Mapping[str, Any], axis: Any, *parts: Any) -> Any:
    return tensorflow().concat(list(parts), _fixed(axis))


def _last_axis_concat(_: Mapping[str, Any], *parts: Any) -> Any:
    return tensorflow().concat(list(parts[:-1]), _fixed(parts[-1]))


def _fixed(value: Any) -> Any:
    static = tensorflow().get_static_value(value)
    if static is None:
        raise ValueError("an axis that is not fixed")
    return static


def _padded(_: Mapping[str, Any], x: Any, rows: Any, value: Any = None) -> Any:
    return _pad_by(x, _fixed(rows), 0.0 if value is None else value)


def _mirrored(options: Mapping[str, Any], x: Any, rows: Any) -> Any:
    _check_padding(rows)
    return tensorflow().pad(x, rows, mode=options.get("mode", "REFLECT"))


def _mean(options: Mapping[str, Any], x: Any, axes: Any) -> Any:
    return tensorflow().reduce_mean(x, _fixed(axes), bool(options.get("keep_dims")))


def _matmul(options: Mapping[str, Any], a: Any, b: Any) -> Any:
    turned = (bool(options.get("transpose_a")), bool(options.get("transpose_b")))
    return tensorflow().matmul(a, b, *turned)


def _split(options: Mapping[str, Any], axis: Any, x: Any) -> Any:
    return tensorflow().split(x, int(options["num_split"]), _fixed(axis))


def _squeeze(options: Mapping[str, Any], x: Any) -> Any:
    return tensorflow().squeeze(x, options.get("squeeze_dims") or None)


def _unary(name: str) -> Callable[..., Any]:
    def function(_: Mapping[str, Any], x: Any) -> Any:
        place = tensorflow()
        for part in name.split("."):
            place = getattr(place, part)
        return place(x)

    return function


def _binary(name: str) -> Callable[..., Any]:
    def function(_: Mapping[str, Any], a: Any, b: Any) -> Any:
        return getattr(tensorflow().math, name)(a, b)

    return function


NEURAL = ("Relu", "Relu6", "Elu", "Selu", "Softplus", "Sigmoid", "Tanh", "Softmax", "Softsign")
MATHS = ("Rsqrt", "Sqrt", "Square", "Exp", "Abs")
TABLE: dict[str, Callable[..., Any]] = {
    "Conv2D": _conv2d,
    "DepthwiseConv2dNative": _depthwise,
    "MaxPool": _pool("max"),
    "AvgPool": _pool("avg"),
    "LRN": _lrn,
    "FusedBatchNorm": _batch_norm,
    "FusedBatchNormV2": _batch_norm,
    "FusedBatchNormV3": _batch_norm,
    "BatchNormWithGlobalNormalization": _old_batch_norm,
    "Concat": _first_axis_concat,
    "ConcatV2": _last_axis_concat,
    "Pad": _padded,
    "PadV2": _padded,
    "MirrorPad": _mirrored,
    "Mean": _mean,
    "MatMul": _matmul,
    "Split": _split,
    "Squeeze": _squeeze,
    "Reshape": lambda _, x, shape: tensorflow().reshape(x, shape),
    "LeakyRelu": lambda options, x: tensorflow().nn.leaky_relu(x, options.get("alpha", 0.2)),
    "BiasAdd": lambda _, x, bias: tensorflow().nn.bias_add(x, bias),
    "Placeholder": lambda *_: _refuse("a second input"),
    **{kind: _unary("identity") for kind in ("Identity", "CheckNumerics", "StopGradient")},
    **{kind: _unary(f"nn.{kind.lower()}") for kind in NEURAL},
    **{kind: _unary(f"math.{kind.lower()}") for kind in MATHS},
    "Neg": _unary("math.negative"),
    **{kind: _binary("add") for kind in ("Add", "AddV2")},
    **{kind: _binary(kind.lower()) for kind in ("Maximum", "Minimum", "Pow")},
    "Sub": _binary("subtract"),
    "Mul": _binary("multiply"),
    "RealDiv": _binary("divide"),
    "SquaredDifference": _binary("squared_difference"),
}


def _refuse(what: str) -> Any:
    raise ValueError(what)
