"""torchvision's networks from their states: GoogLeNet, Inception v3, VGG, ResNet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dreamvideo.dream.classes import KNOWN_COUNTS
from dreamvideo.dream.readers.builder import START, Builder, fold_norm, take
from dreamvideo.dream.readers.googlenet import build_torch_googlenet
from dreamvideo.dream.readers.graph import Graph

EPSILON, INCEPTION_EPSILON = 1e-5, 1e-3
MOST_BLOCKS = 256


def build_torch_network(arrays: Mapping[str, Any], title: str) -> Graph:
    """Build the network whose state these arrays are. Raises ValueError if it is not known."""
    # What training on several processors, and torch.compile, put before names.
    arrays = {
        name.removeprefix("module.").removeprefix("_orig_mod."): array
        for name, array in arrays.items()
    }
    if "inception3a.branch1.conv.weight" in arrays:
        return build_torch_googlenet(arrays, f"{title} (GoogLeNet of torchvision)")
    if "Conv2d_1a_3x3.conv.weight" in arrays:
        return _build_inception(arrays, f"{title} (Inception v3 of torchvision)")
    if "layer1.0.conv1.weight" in arrays:
        return _build_resnet(arrays, f"{title} (ResNet of torchvision)")
    if "features.0.weight" in arrays:
        return _build_vgg(arrays, f"{title} (VGG of torchvision)")
    raise ValueError(
        "arrays of an unknown network: known are torchvision's GoogLeNet, Inception v3, VGG and "
        "ResNet"
    )


def _classifier(arrays: Mapping[str, Any], layer: str) -> tuple[str, Any] | None:
    kernel = arrays.get("fc.weight")
    # Other classes than those of ImageNet and Places are not known here.
    if kernel is None or kernel.ndim != 2 or len(kernel) not in KNOWN_COUNTS:
        return None
    return layer, kernel.T


def _build_vgg(arrays: Mapping[str, Any], title: str) -> Graph:
    build, x = Builder(), START
    places = sorted(
        int(found[1])
        for name, array in arrays.items()
        if (found := re.fullmatch(r"features\.([0-9]{1,4})\.weight", name)) and array.ndim == 4
    )
    block = number = 1
    free = 0
    for place in places:
        if place > free:
            # A place that has no weights and no ReLU is a pool.
            x = build.pool(f"pool{block}", x, 2, 2)
            block, number = block + 1, 1
        own = f"features.{place}"
        has_norm = f"features.{place + 1}.running_mean" in arrays
        if has_norm:
            kernel, bias = fold_norm(arrays, own, f"features.{place + 1}", EPSILON)
        else:
            kernel, bias = take(arrays, f"{own}.weight"), take(arrays, f"{own}.bias")
        x = build.conv(f"conv{block}_{number}", x, kernel, bias)
        number += 1
        free = place + (3 if has_norm else 2)
    return Graph(title, build.operations, START, "torch", tuple(build.shown))


def _build_resnet(arrays: Mapping[str, Any], title: str) -> Graph:
    build = Builder()

    def conv(name: str, x: str, norm: str, stride: int = 1, *, relu: bool = True) -> str:
        kernel, bias = fold_norm(arrays, name, norm, EPSILON)
        return build.conv(name, x, kernel, bias, stride, relu=relu)

    x = conv("conv1", START, "bn1", 2)
    x = build.pool("maxpool", x, 3, 2, border=1)
    last: dict[int, list[str]] = {}
    for stage in range(1, 5):
        for index in range(MOST_BLOCKS):
            own = f"layer{stage}.{index}"
            if f"{own}.conv1.weight" not in arrays:
                break
            stride = 2 if stage > 1 and index == 0 else 1
            is_deep = f"{own}.conv3.weight" in arrays
            y = conv(f"{own}.conv1", x, f"{own}.bn1", 1 if is_deep else stride)
            if is_deep:
                y = conv(f"{own}.conv2", y, f"{own}.bn2", stride)
            end = "3" if is_deep else "2"
            y = conv(f"{own}.conv{end}", y, f"{own}.bn{end}", relu=False)
            if f"{own}.downsample.0.weight" in arrays:
                x = conv(f"{own}.downsample.0", x, f"{own}.downsample.1", stride, relu=False)
            x = build.add_relu(own, y, x)
            last.setdefault(stage, []).append(own)
    if len(last) < 4:
        raise ValueError("a ResNet with a stage missing")
    middle = last[3][(2 * len(last[3]) - 1) // 3]
    return Graph(
        title,
        build.operations,
        START,
        "torch",
        tuple(build.shown),
        (last[2][-1], middle),
        _classifier(arrays, last[4][-1]),
    )


def _build_inception(arrays: Mapping[str, Any], title: str) -> Graph:
    build = Builder()

    def conv(name: str, x: str, stride: int = 1, padding: tuple[int, int] | None = None) -> str:
        kernel, bias = fold_norm(arrays, f"{name}.conv", f"{name}.bn", INCEPTION_EPSILON)
        return build.conv(name, x, kernel, bias, stride, padding=padding)

    def chain(block: str, x: str, *names: str, stride: int = 1) -> str:
        """Convolutions one after another; a stride other than 1 is the last one's, unpadded."""
        for at, name in enumerate(names, 1):
            strided = stride > 1 and at == len(names)
            x = conv(f"{block}.{name}", x, stride if strided else 1, (0, 0) if strided else None)
        return x

    def pooled(block: str, x: str) -> str:
        average = build.pool(f"{block}.pool", x, 3, 1, around=1, kind="Avg")
        return conv(f"{block}.branch_pool", average)

    x = conv("Conv2d_1a_3x3", START, 2, (0, 0))
    x = conv("Conv2d_2a_3x3", x, 1, (0, 0))
    x = build.pool("maxpool1", conv("Conv2d_2b_3x3", x), 3, 2)
    x = conv("Conv2d_4a_3x3", conv("Conv2d_3b_1x1", x), 1, (0, 0))
    x = build.pool("maxpool2", x, 3, 2)
    for block in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
        parts = [
            chain(block, x, "branch1x1"),
            chain(block, x, "branch5x5_1", "branch5x5_2"),
            chain(block, x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
            pooled(block, x),
        ]
        x = build.concat(block, parts)
    block = "Mixed_6a"
    parts = [
        chain(block, x, "branch3x3", stride=2),
        chain(block, x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3", stride=2),
        build.pool(f"{block}.pool", x, 3, 2),
    ]
    x = build.concat(block, parts)
    for block in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
        parts = [
            chain(block, x, "branch1x1"),
            chain(block, x, *_numbered("branch7x7", 3)),
            chain(block, x, *_numbered("branch7x7dbl", 5)),
            pooled(block, x),
        ]
        x = build.concat(block, parts)
    block = "Mixed_7a"
    parts = [
        chain(block, x, "branch3x3_1", "branch3x3_2", stride=2),
        chain(block, x, *_numbered("branch7x7x3", 4), stride=2),
        build.pool(f"{block}.pool", x, 3, 2),
    ]
    x = build.concat(block, parts)
    for block in ("Mixed_7b", "Mixed_7c"):
        near = chain(block, x, "branch3x3_1")
        far = chain(block, x, "branch3x3dbl_1", "branch3x3dbl_2")
        parts = [
            chain(block, x, "branch1x1"),
            chain(block, near, "branch3x3_2a"),
            chain(block, near, "branch3x3_2b"),
            chain(block, far, "branch3x3dbl_3a"),
            chain(block, far, "branch3x3dbl_3b"),
            pooled(block, x),
        ]
        x = build.concat(block, parts)
    return Graph(
        title,
        build.operations,
        START,
        # torchvision undoes the normalisation of its own pictures for these weights.
        "signed",
        tuple(build.shown),
        ("Mixed_6a", "Mixed_6c"),
        _classifier(arrays, x),
    )


def _numbered(name: str, count: int) -> Sequence[str]:
    return [f"{name}_{number}" for number in range(1, count + 1)]
