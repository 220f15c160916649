"""GoogLeNet, the network of the first dreams, with random weights for all programs that compare it.

Weights take as long as trained ones. Imports nothing but NumPy, like the workers that read it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

GOOGLENET = "googlenet"
# Channels of each block: 1x1, 3x3_reduce, 3x3, 5x5_reduce, 5x5, pool_proj (table 1 of the paper).
BLOCKS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
# Caffe's messages: a network's layers; a layer's name and arrays; an array's numbers and shape.
LAYER, NAME, BLOB, DATA, SHAPE, SIDES = 100, 1, 7, 5, 7, 1


def export_googlenet(folder: Path) -> None:
    """Write googlenet.caffemodel for this package, and googlenet.npz for others.

    The arrays are NAME/0, (out, in, h, w), and NAME/1, (out,), under Caffe's names.
    """
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    message = b""
    for name, shape in _list_kernels():
        spread = math.sqrt(2 / math.prod(shape[1:]))
        kernel = random.normal(0, spread, shape).astype(np.float32)
        bias = random.normal(0, 0.1, shape[0]).astype(np.float32)
        arrays |= {f"{name}/0": kernel, f"{name}/1": bias}
        blobs = _field(BLOB, _write_blob(kernel)) + _field(BLOB, _write_blob(bias))
        message += _field(LAYER, _field(NAME, name.encode()) + blobs)
    (folder / f"{GOOGLENET}.caffemodel").write_bytes(message)
    np.savez(folder / f"{GOOGLENET}.npz", **arrays)


def _list_kernels() -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    """Yield names of convolutions and the shapes of their kernels (out, in, h, w)."""
    yield "conv1/7x7_s2", (64, 3, 7, 7)
    yield "conv2/3x3_reduce", (64, 64, 1, 1)
    yield "conv2/3x3", (192, 64, 3, 3)
    depth = 192
    for block, (one, reduce3, three, reduce5, five, project) in BLOCKS.items():
        own = f"inception_{block}"
        yield f"{own}/1x1", (one, depth, 1, 1)
        yield f"{own}/3x3_reduce", (reduce3, depth, 1, 1)
        yield f"{own}/3x3", (three, reduce3, 3, 3)
        yield f"{own}/5x5_reduce", (reduce5, depth, 1, 1)
        yield f"{own}/5x5", (five, reduce5, 5, 5)
        yield f"{own}/pool_proj", (project, depth, 1, 1)
        depth = one + three + five + project


def _write_blob(array: Any) -> bytes:
    sides = b"".join(map(_varint, array.shape))
    return _field(DATA, array.tobytes()) + _field(SHAPE, _field(SIDES, sides))


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])
