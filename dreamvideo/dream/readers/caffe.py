"""Weights of Caffe (.caffemodel): layers' names and their arrays. The architecture is ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dreamvideo.dream.readers.googlenet import build_caffe_googlenet
from dreamvideo.dream.readers.graph import Graph
from dreamvideo.dream.readers.graphdef import check_shape
from dreamvideo.dream.readers.wire import (
    Value,
    append_piece,
    read_bytes,
    read_fields,
    read_floats,
    read_int,
    read_ints,
    read_text,
)

# Numbers of the fields of a network: layers as Caffe writes them now, and as it once did.
LAYER, OLD_LAYER = 100, 2
# Of a layer: (name, arrays).
FIELDS = {LAYER: (1, 7), OLD_LAYER: (4, 6)}
DATA, SHAPE, DOUBLES = 5, 7, 8
OLD_SHAPE = (1, 2, 3, 4)


def read_caffemodel(path: Path) -> Graph:
    """Read a network of GoogLeNet's shape. Raises ValueError for any other file."""
    data = memoryview(path.read_bytes())
    title, blobs = path.stem, {}
    for number, value in read_fields(data):
        if number == 1:
            title = read_text(value)[:60] or title
        elif number in FIELDS:
            name, arrays = _read_layer(read_bytes(value), *FIELDS[number], len(data))
            if arrays:
                blobs[name] = arrays
    return build_caffe_googlenet(blobs, f"{title} (Caffe)")


def _read_layer(data: memoryview, name_at: int, blob_at: int, size: int) -> tuple[str, list[Any]]:
    name, arrays = "", []
    for number, value in read_fields(data):
        if number == name_at:
            name = read_text(value)
        elif number == blob_at:
            arrays.append(_read_blob(read_bytes(value), size))
    return name, arrays


def _read_blob(data: memoryview, size: int) -> Any:
    sides: list[int] = []
    old: dict[int, int] = {}
    numbers: dict[int, list[Value]] = {DATA: [], DOUBLES: []}
    for number, value in read_fields(data):
        if number in OLD_SHAPE:
            old[number] = read_int(value)
        elif number == SHAPE:
            sides = [
                side for n, v in read_fields(read_bytes(value)) if n == 1 for side in read_ints(v)
            ]
        elif number in numbers:
            append_piece(numbers[number], value)
    shape = sides or [old.get(number, 1) for number in OLD_SHAPE]
    kind = DATA if numbers[DATA] else DOUBLES
    found = read_floats(numbers[kind], "<f4" if kind == DATA else "<f8")
    if check_shape(shape, size) != found.size:
        raise ValueError(f"an array of {found.size} numbers, and a shape for another count")
    return found.reshape(shape)
