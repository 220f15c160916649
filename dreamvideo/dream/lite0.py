"""EfficientNet-Lite0 as plain TensorFlow: pixels in [-1, 1] -> named activations.

Architecture: Tan and Le, "EfficientNet", ICML 2019, in the Lite variant of the TensorFlow TPU
models (no squeeze-excitation, ReLU6 everywhere instead of swish). Batch norms are folded into the
convolutions when the archive is read, and the weights enter the graph as constants: TensorFlow then
fuses convolution, bias and ReLU6 and prepares each kernel only once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.convolution import pointwise_conv
from dreamvideo.dream.deterministic_ops import stem_conv

Array = NDArray[np.float32]

NORM_EPSILON = 1e-3
# repeats, kernel, stride of the first, expansion, channels in, channels out
STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)


@dataclass(frozen=True)
class Block:
    """One inverted residual block."""

    index: int
    stride: int
    expansion: int
    channels_in: int
    channels_out: int

    @property
    def has_skip(self) -> bool:
        """Whether the input is added to the output: only where the shapes agree."""
        return self.stride == 1 and self.channels_in == self.channels_out


def blocks() -> Iterator[Block]:
    """Yield the 16 blocks in order."""
    index = 0
    for repeats, _, stride, expansion, channels_in, channels_out in STAGES:
        for repeat in range(repeats):
            first = repeat == 0
            yield Block(
                index,
                stride if first else 1,
                expansion,
                channels_in if first else channels_out,
                channels_out,
            )
            index += 1


def layer_table() -> list[tuple[str, int, int]]:
    """Return (name, channels, stride in px) of each layer that can be dreamt, in order of depth."""
    rows = [("stem", 32, 2)]
    stride = 2
    for block in blocks():
        wide = block.channels_in * block.expansion
        if block.expansion > 1:
            rows.append((f"block{block.index}_expand", wide, stride))
        stride *= block.stride
        rows.append((f"block{block.index}_depthwise", wide, stride))
        rows.append((f"block{block.index}", block.channels_out, stride))
    return [*rows, ("head", 1280, stride)]


@lru_cache(maxsize=1)
def fold_weights() -> dict[str, tuple[Array, Array]]:
    """Return layer -> (kernel, bias) with batch norm folded in: k * gamma / sqrt(var + eps) etc."""
    archive = resources.files("dreamvideo.dream.weights") / "efficientnet-lite0.npz"
    with resources.as_file(archive) as path, np.load(path, allow_pickle=False) as data:
        arrays = {name: data[name].astype(np.float32) for name in data.files}
    folded = {}
    for layer in sorted({name.split("/")[0] for name in arrays}):
        kernel = arrays[f"{layer}/kernel"]
        if layer == "top":
            folded[layer] = kernel, arrays["top/bias"]
            continue
        scale = arrays[f"{layer}/gamma"] / np.sqrt(arrays[f"{layer}/variance"] + NORM_EPSILON)
        bias = arrays[f"{layer}/beta"] - arrays[f"{layer}/mean"] * scale
        is_depthwise = layer.endswith("_depthwise")
        folded[layer] = kernel * (scale[:, None] if is_depthwise else scale), bias
    return folded


def activations(image: Any, wanted: Sequence[str]) -> dict[str, Any]:
    """Return activations (1, h, w, channels) of the wanted layers.

    ``image`` is (1, H, W, 3) in [-1, 1]. The graph ends at the deepest layer requested.
    """
    missing = set(wanted)
    found = {}
    for name, value in _walk(image):
        if name in missing:
            found[name] = value
            missing.remove(name)
        if not missing:
            break
    return found


def class_logits(image: Any) -> Any:
    """Return the 1,000 ImageNet logits (1, 1000) of an image (1, H, W, 3) in [-1, 1]."""
    import tensorflow as tf

    kernel, bias = fold_weights()["top"]
    features = tf.reduce_mean(activations(image, ["head"])["head"], axis=(1, 2))
    return features @ kernel + bias


def _walk(image: Any) -> Iterator[tuple[str, Any]]:
    import tensorflow as tf

    weights, dtype = fold_weights(), image.dtype

    def conv(x: Any, layer: str) -> Any:
        kernel, bias = weights[layer]
        return tf.nn.bias_add(pointwise_conv(x, kernel), tf.constant(bias, dtype))

    def depthwise(x: Any, layer: str, stride: int) -> Any:
        kernel, bias = weights[layer]
        strides = (1, stride, stride, 1)
        value = tf.nn.depthwise_conv2d(x, tf.constant(kernel, dtype), strides, "SAME")
        return tf.nn.bias_add(value, tf.constant(bias, dtype))

    # The network was trained on (byte - 127) / 128.
    kernel, bias = weights["stem"]
    x = tf.nn.relu6(stem_conv(image * (127.5 / 128) + 0.5 / 128, kernel, 2, "SAME", bias))
    yield "stem", x
    for block in blocks():
        name, skip = f"block{block.index}", x
        if block.expansion > 1:
            x = tf.nn.relu6(conv(x, f"{name}_expand"))
            yield f"{name}_expand", x
        x = tf.nn.relu6(depthwise(x, f"{name}_depthwise", block.stride))
        yield f"{name}_depthwise", x
        x = conv(x, f"{name}_project")
        if block.has_skip:
            x = x + skip
        yield name, x
    yield "head", tf.nn.relu6(conv(x, "head"))
