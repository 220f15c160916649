"""GoogLeNet, the network of the first dreams, from Caffe's weights or torchvision's.

Szegedy et al., "Going Deeper with Convolutions", CVPR 2015. Layers have the names that Caffe's
model gave them: ``inception_4c/output``, ``inception_3b/5x5_reduce``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dreamvideo.dream.classes import KNOWN_COUNTS
from dreamvideo.dream.readers.builder import START, Builder, fold_norm
from dreamvideo.dream.readers.graph import Graph

Weights = Callable[[str], tuple[Any, Any]]
"""Caffe's name of a convolution -> kernel (out, in, h, w) and bias."""

BLOCKS = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
DEFAULT_LAYERS = ("inception_3b/output", "inception_4c/output")
FEATURES = "inception_5b/output"
TOP_CHANNELS = 1024
# Networks of places were trained with a mean of their own.
PLACES = {365: "places365", 205: "places205"}
# torchvision's names of a block's convolutions.
BRANCHES = {
    "1x1": "branch1",
    "3x3_reduce": "branch2.0",
    "3x3": "branch2.1",
    "5x5_reduce": "branch3.0",
    "5x5": "branch3.1",
    "pool_proj": "branch4.1",
}
STEM = {"conv1/7x7_s2": "conv1", "conv2/3x3_reduce": "conv2", "conv2/3x3": "conv3"}


def build_caffe_googlenet(blobs: Mapping[str, list[Any]], title: str) -> Graph:
    """Build the network from the arrays of a .caffemodel, by layer. Raises ValueError."""

    def weights(name: str) -> tuple[Any, Any]:
        found = blobs.get(name, [])
        if len(found) != 2:
            raise ValueError(f"it has no layer {name}: only networks of GoogLeNet's shape are read")
        return found[0], found[1].reshape(-1)

    tops = [name for name in blobs if name.startswith("loss3/") and blobs[name]]
    kernel = blobs[tops[0]][0] if tops else None
    classes = 0 if kernel is None else kernel.size // TOP_CHANNELS
    kind = PLACES.get(classes, "caffe")
    graph = _build(weights, title, kind, kernel, with_norms=True)
    if classes not in PLACES:
        return graph
    note = f"it knows the classes of Places{classes} and takes pixels minus their mean"
    return replace(graph, notes=(note,))


def build_torch_googlenet(arrays: Mapping[str, Any], title: str) -> Graph:
    """Build the network from torchvision's state. Raises ValueError."""

    def weights(name: str) -> tuple[Any, Any]:
        block, _, part = name.removeprefix("inception_").partition("/")
        own = STEM[name] if name in STEM else f"inception{block}.{BRANCHES[part]}"
        return fold_norm(arrays, f"{own}.conv", f"{own}.bn", 1e-3)

    # torchvision undoes the normalisation of its own pictures for these weights: -1..1 is left.
    return _build(weights, title, "signed", arrays.get("fc.weight"), with_norms=False)


def _build(weights: Weights, title: str, input_range: str, top: Any, *, with_norms: bool) -> Graph:
    build = Builder()
    x = build.conv("conv1/7x7_s2", START, *weights("conv1/7x7_s2"), 2)
    x = build.pool("pool1/3x3_s2", x, 3, 2, around=0)
    if with_norms:
        x = build.lrn("pool1/norm1", x)
    x = build.conv("conv2/3x3_reduce", x, *weights("conv2/3x3_reduce"))
    x = build.conv("conv2/3x3", x, *weights("conv2/3x3"))
    if with_norms:
        x = build.lrn("conv2/norm2", x)
    x = build.pool("pool2/3x3_s2", x, 3, 2, around=0)
    for block in BLOCKS:
        x = _inception(build, f"inception_{block}", x, weights)
        if block == "3b":
            x = build.pool("pool3/3x3_s2", x, 3, 2, around=0)
        if block == "4e":
            # torchvision's last pool has a window of 2.
            x = build.pool("pool4/3x3_s2", x, 3 if with_norms else 2, 2, around=0)
    classifier = None
    # Other classes than those of ImageNet and Places are not known here.
    if top is not None and top.size in {TOP_CHANNELS * count for count in KNOWN_COUNTS}:
        classifier = (FEATURES, top.reshape(-1, TOP_CHANNELS).T)
    return Graph(
        title,
        build.operations,
        START,
        input_range,
        tuple(build.shown),
        DEFAULT_LAYERS,
        classifier,
    )


def _inception(build: Builder, name: str, x: str, weights: Weights) -> str:
    def conv(part: str, source: str) -> str:
        return build.conv(f"{name}/{part}", source, *weights(f"{name}/{part}"))

    parts = [
        conv("1x1", x),
        conv("3x3", conv("3x3_reduce", x)),
        conv("5x5", conv("5x5_reduce", x)),
        conv("pool_proj", build.pool(f"{name}/pool", x, 3, 1, around=1)),
    ]
    return build.concat(f"{name}/output", parts)
