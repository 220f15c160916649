"""The operations that networks in files are made of, in TensorFlow's vocabulary.

Only those of this file's table are computed: they map numbers to numbers, and none reads a file,
runs a program or calls home.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dreamvideo.dream.convolution import conv, dense_conv
from dreamvideo.dream.deterministic_ops import stem_conv
from dreamvideo.dream.nn import avg_pool2d, bias_add, conv2d, max_pool2d
from dreamvideo.dream.runtime import tensorflow

PIXEL = 3
PICTURE_AXES = 4
# Values of the largest kernel that is kept twice, as it is and turned for its gradient. GoogLeNet
# has no larger one.
MOST_KEPT_TWICE = 1 << 20
# No network pads more.
MOST_PADDING = 64
# The neighbours of a normalisation are a table of channels by channels.
MOST_CHANNELS = 4096


def convolve(x: Any, kernel: Any, options: Mapping[str, Any]) -> Any:
    """Convolve with a constant kernel (h, w, channels, channels)."""
    strides, dilations = _window(options, "strides"), _window(options, "dilations")
    x, padding = _pad(x, options)
    depth = x.shape[-1]
    plain = strides[1] == strides[2] and max(dilations) == 1 and depth == kernel.shape[2]
    if plain and depth == PIXEL and kernel.shape[0] == kernel.shape[1]:
        return stem_conv(x, kernel, strides[1], padding)
    # With its gradient's a graph has each kernel twice.
    if plain and strides[1] == 1 and (kernel.shape[:2] == (1, 1) or kernel.size <= MOST_KEPT_TWICE):
        return dense_conv(x, kernel, padding)
    if plain:
        return conv(x, kernel, strides[1], padding, outside=True)
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
        return conv2d(x, kernel, strides, padding, dilations)
    # TensorFlow has no gradient of grouped convolutions on processors.
    pairs = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
    parts = [conv2d(a, b, strides, padding, dilations) for a, b in pairs]
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
        padding = "VALID" if around is not None else options["padding"]
        if name == "max" and around is not None and strides == [1, 1, 1, 1]:
            # Every pixel is the middle of a window, and no border has to be written.
            whole = sides == [1, 2 * around + 1, 2 * around + 1, 1]
            around, padding = (None, "SAME") if whole else (around, padding)
        if around is not None:
            # As Caffe and PyTorch pool: the last window may reach beyond the border.
            rows = _reach_over(tf.shape(x), sides, strides, around)
        elif border:
            rows = [[0, 0], [border, border], [border, border], [0, 0]]
        if rows is not None:
            x = tf.pad(x, rows, constant_values=x.dtype.min if name == "max" else 0.0)
        function = max_pool2d if name == "max" else avg_pool2d
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
    """Divide by ``(bias + alpha * squares of neighbouring channels) ** beta``.

    TensorFlow's own operation raises each number to a power by itself, and its gradient does so
    again: here both are sums over channels, as convolutions, and roots.
    """
    tf = tensorflow()
    radius, beta = int(options.get("depth_radius", 5)), float(options.get("beta", 0.5))
    bias, alpha = float(options.get("bias", 1.0)), float(options.get("alpha", 1.0))
    if int(x.shape[-1]) > MOST_CHANNELS:
        raise ValueError("a normalisation over too many channels")
    places = np.arange(int(x.shape[-1]))
    near = np.abs(places[:, None] - places) <= radius
    band = tf.constant(near[None, None].astype(np.float32), x.dtype)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def divide(value: Any) -> tuple[Any, Any]:
        # Scaled before it is squared, so that squares have room in half precision.
        squares = tf.square(value * alpha**0.5)
        total = conv2d(squares, band, 1, "SAME") + bias
        shrink = _power(total, -beta)
        result = value * shrink

        def back(upstream: Any) -> Any:
            inner = conv2d(upstream * result / total, band, 1, "SAME")
            return upstream * shrink - value * inner * (2 * alpha * beta)

        return result, back

    return divide(x)


def _power(x: Any, exponent: float) -> Any:
    """Raise positive numbers to a power, by roots where that is possible."""
    tf = tensorflow()
    if exponent == -0.5:
        return tf.math.rsqrt(x)
    if exponent == -0.75:
        root = tf.math.rsqrt(x)
        return root * tf.sqrt(root)
    return tf.pow(x, exponent)


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


def _cast(options: Mapping[str, Any], x: Any) -> Any:
    """Convert to whole numbers or logical values, or to the precision of the whole network."""
    tf = tensorflow()
    wanted = tf.dtypes.as_dtype(int(options["DstT"]))
    if not wanted.is_floating:
        return tf.cast(x, wanted)
    # A network may mix precisions: pixels are computed in the one that they are given in.
    return x if x.dtype.is_floating else tf.cast(x, tf.float32)


def _strided_slice(options: Mapping[str, Any], x: Any, begin: Any, end: Any, step: Any) -> Any:
    masks = {
        name: int(options.get(name) or 0)
        for name in ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    }
    return tensorflow().strided_slice(x, begin, end, step, **masks)


def _reduce(name: str) -> Callable[..., Any]:
    def reduce(options: Mapping[str, Any], x: Any, axes: Any) -> Any:
        function = getattr(tensorflow(), f"reduce_{name}")
        return function(x, _fixed(axes), bool(options.get("keep_dims")))

    return reduce


def _split_by(_: Mapping[str, Any], x: Any, sizes: Any, axis: Any) -> Any:
    return tensorflow().split(x, _fixed(sizes), _fixed(axis))


def _unpack(options: Mapping[str, Any], x: Any) -> Any:
    return tensorflow().unstack(x, int(options["num"]), int(options.get("axis") or 0))


def _pack(options: Mapping[str, Any], *parts: Any) -> Any:
    return tensorflow().stack(list(parts), int(options.get("axis") or 0))


def _gather(options: Mapping[str, Any], x: Any, places: Any, axis: Any) -> Any:
    batch = int(options.get("batch_dims") or 0)
    return tensorflow().gather(x, places, axis=_fixed(axis), batch_dims=batch)


def _transposed_conv(options: Mapping[str, Any], size: Any, kernel: Any, x: Any) -> Any:
    strides, dilations = _window(options, "strides"), _window(options, "dilations")
    padding = options.get("padding", "VALID")
    if padding not in ("SAME", "VALID"):
        raise ValueError(f"a transposed convolution padded {padding}")
    return tensorflow().nn.conv2d_transpose(x, kernel, size, strides, padding, "NHWC", dilations)


def _resize(method: str) -> Callable[..., Any]:
    """Resize as TensorFlow does for the two conventions that it has had for pixels' centres."""

    def resize(options: Mapping[str, Any], x: Any, size: Any) -> Any:
        function = getattr(tensorflow().raw_ops, f"Resize{method}")
        return function(
            images=x,
            size=size,
            align_corners=bool(options.get("align_corners")),
            half_pixel_centers=bool(options.get("half_pixel_centers")),
        )

    return resize


def _matmul_many(options: Mapping[str, Any], a: Any, b: Any) -> Any:
    turned = (bool(options.get("adj_x")), bool(options.get("adj_y")))
    return tensorflow().linalg.matmul(a, b, adjoint_a=turned[0], adjoint_b=turned[1])


def _einsum(options: Mapping[str, Any], *parts: Any) -> Any:
    return tensorflow().einsum(str(options["equation"]), *parts)


def _blocks(name: str) -> Callable[..., Any]:
    def move(options: Mapping[str, Any], x: Any) -> Any:
        return getattr(tensorflow().nn, name)(x, int(options["block_size"]))

    return move


def _call(name: str) -> Callable[..., Any]:
    """Return TensorFlow's function of that name, which takes its inputs in the same order."""

    def function(_: Mapping[str, Any], *given: Any) -> Any:
        return getattr(tensorflow(), name)(*given)

    return function


NEURAL = ("Relu", "Relu6", "Elu", "Selu", "Softplus", "Sigmoid", "Tanh", "Softmax", "Softsign")
MATHS = (
    *("Rsqrt", "Sqrt", "Square", "Exp", "Abs", "Erf", "Erfc", "Expm1", "Log", "Log1p", "Sign"),
    *("Sin", "Cos", "Reciprocal", "Ceil", "Floor"),
)
LOGIC = {
    "Greater": "greater",
    "GreaterEqual": "greater_equal",
    "Less": "less",
    "LessEqual": "less_equal",
    "Equal": "equal",
    "NotEqual": "not_equal",
    "LogicalAnd": "logical_and",
    "LogicalOr": "logical_or",
}
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
    "BiasAdd": lambda _, x, bias: bias_add(x, bias),
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
    # What saved models have besides: shapes that are computed, and functions of new networks.
    "IdentityN": lambda _, *given: list(given),
    **{kind: _unary("identity") for kind in ("PreventGradient", "ReadVariableOp")},
    **{kind: _binary(name) for kind, name in LOGIC.items()},
    "LogicalNot": _unary("math.logical_not"),
    "FloorDiv": _binary("floordiv"),
    "FloorMod": _binary("floormod"),
    "DivNoNan": _binary("divide_no_nan"),
    "AddN": lambda _, *given: tensorflow().add_n(list(given)),
    "Sum": _reduce("sum"),
    "Max": _reduce("max"),
    "Min": _reduce("min"),
    "Prod": _reduce("prod"),
    "Cast": _cast,
    "Shape": _call("shape"),
    "Rank": _call("rank"),
    "Size": _call("size"),
    "StridedSlice": _strided_slice,
    "Slice": _call("slice"),
    "SplitV": _split_by,
    "Pack": _pack,
    "Unpack": _unpack,
    "GatherV2": _gather,
    "ExpandDims": lambda _, x, axis: tensorflow().expand_dims(x, _fixed(axis)),
    "Transpose": _call("transpose"),
    "Tile": _call("tile"),
    "Fill": _call("fill"),
    "Range": _call("range"),
    "BroadcastTo": _call("broadcast_to"),
    "BroadcastArgs": _call("broadcast_dynamic_shape"),
    "ZerosLike": _call("zeros_like"),
    "OnesLike": _call("ones_like"),
    "Select": _call("where"),
    "SelectV2": _call("where"),
    "ClipByValue": _call("clip_by_value"),
    "Einsum": _einsum,
    "BatchMatMul": _matmul_many,
    "BatchMatMulV2": _matmul_many,
    "LogSoftmax": _unary("nn.log_softmax"),
    "Conv2DBackpropInput": _transposed_conv,
    "SpaceToBatchND": _call("space_to_batch_nd"),
    "BatchToSpaceND": _call("batch_to_space"),
    "DepthToSpace": _blocks("depth_to_space"),
    "SpaceToDepth": _blocks("space_to_depth"),
    "ResizeBilinear": _resize("Bilinear"),
    "ResizeNearestNeighbor": _resize("NearestNeighbor"),
    "ResizeBicubic": _resize("Bicubic"),
}


def _refuse(what: str) -> Any:
    raise ValueError(what)
