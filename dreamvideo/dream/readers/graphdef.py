"""Frozen TensorFlow graphs (.pb), such as inception5h: any of their nodes can be dreamt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dreamvideo.dream.input_range import range_of_scaling
from dreamvideo.dream.readers.graph import Graph, Operation
from dreamvideo.dream.readers.operations import TABLE
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

# Numbers of TensorFlow's types: those of numbers, and that of texts.
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 10: "?", 19: "<f2"}
TEXT = 7
# Fields of a tensor that list its numbers, or texts, one by one.
FLOATS, DOUBLES, INTS, TEXTS, INT64S, LOGICAL = 5, 6, 7, 8, 10, 11
MOST_AXES = 8
# The first node of the GoogLeNet of the first dreams, which takes bytes minus 117.
INCEPTION_5H = "conv2d0_w"
FIRST_DREAMS = ("mixed3b", "mixed4c")


def read_graphdef(path: Path) -> Graph:
    """Read a frozen graph. Raises ValueError if the file is none."""
    data = memoryview(path.read_bytes())
    nodes: dict[str, Operation] = {}
    for number, value in read_fields(data):
        if number == 1:
            node = read_node(read_bytes(value), len(data))
            if node.name in nodes:
                raise ValueError(f"two nodes are named {node.name[:40]!r}")
            nodes[node.name] = node
    starts = [node.name for node in nodes.values() if node.kind == "Placeholder"]
    if not starts:
        raise ValueError("a graph without an input")
    unknown = sorted({node.kind for node in nodes.values()} - {*TABLE, "Const"})
    notes = (f"operations that are not computed: {', '.join(unknown)[:200]}",) if unknown else ()
    ordered = sort_operations(nodes)
    return Graph(
        f"{path.stem} (TensorFlow graph)",
        ordered,
        starts[0],
        find_range(ordered, starts[0]) or "signed",
        default_layers=FIRST_DREAMS if set(FIRST_DREAMS) <= ordered.keys() else (),
        notes=notes,
    )


def find_range(nodes: Mapping[str, Operation], start: str) -> str | None:
    """Return what a graph takes: by its name, or by the arithmetic that its first nodes do.

    None if it does no such arithmetic.
    """
    if INCEPTION_5H in nodes:
        return "inception5h"
    scale, offset, name = 1.0, 0.0, start
    for node in nodes.values():
        if name not in node.inputs:
            continue
        others = [nodes[each] for each in node.inputs if each != name and each in nodes]
        constant = bool(others) and others[0].kind == "Const" and others[0].array.size > 0
        level = float(np.mean(others[0].array)) if constant else 0.0
        if node.kind in ("Add", "AddV2"):
            offset += level
        elif node.kind == "Sub" and node.inputs[0] == name:
            offset -= level
        elif node.kind == "Mul":
            scale, offset = scale * level, offset * level
        elif node.kind == "RealDiv" and level:
            scale, offset = scale / level, offset / level
        elif node.kind not in ("Identity", "CheckNumerics", "Pad", "Cast"):
            break
        name = node.name
    return range_of_scaling(scale, offset)


def sort_operations(nodes: Mapping[str, Operation]) -> dict[str, Operation]:
    """Return nodes in an order in which each comes after what it takes; those in circles are not
    returned."""
    ordered: dict[str, Operation] = {}
    for first in nodes:
        waiting: list[tuple[str, bool]] = [(first, False)]
        open_names: set[str] = set()
        while waiting:
            name, is_ready = waiting.pop()
            if name in ordered or name not in nodes or (name in open_names and not is_ready):
                continue
            if is_ready:
                taken = {each.partition(":")[0] for each in nodes[name].inputs}
                if taken <= ordered.keys():
                    ordered[name] = nodes[name]
                continue
            open_names.add(name)
            waiting.append((name, True))
            waiting += [(each.partition(":")[0], False) for each in nodes[name].inputs[::-1]]
    return ordered


def read_node(data: memoryview, size: int) -> Operation:
    """Return a node of a graph in a file of ``size`` bytes. Raises ValueError."""
    name, kind, inputs, options, array = "", "", [], {}, None
    for number, value in read_fields(data):
        if number == 1:
            name = read_text(value)
        elif number == 2:
            kind = read_text(value)
        elif number == 3:
            text = read_text(value)
            # A caret marks an order of execution, not data.
            if not text.startswith("^"):
                inputs.append(text.removesuffix(":0"))
        elif number == 5:
            key, found = _read_entry(read_bytes(value), size)
            options[key] = found
            if key == "value":
                array = found
    if isinstance(array, tuple):
        # Texts: nothing that is computed takes them.
        array = np.zeros(0, np.float32)
    if kind == "Const" and not isinstance(array, np.ndarray):
        raise ValueError(f"the constant {name[:40]!r} has no value")
    return Operation(name, kind, tuple(inputs), options, array)


def _read_entry(data: memoryview, size: int) -> tuple[str, Any]:
    key, found = "", None
    for number, value in read_fields(data):
        if number == 1:
            key = read_text(value)
        elif number == 2:
            found = _read_attribute(read_bytes(value), size)
    return key, found


def _read_attribute(data: memoryview, size: int) -> Any:
    found: Any = None
    for number, value in read_fields(data):
        if number == 1:
            found = _read_list(read_bytes(value))
        elif number == 2:
            found = bytes(read_bytes(value)).decode("utf-8", "replace")
        elif number in (3, 5, 6):
            found = read_int(value)
        elif number == 4:
            found = float(read_floats([value]).sum())
        elif number == 8:
            found = _read_tensor(read_bytes(value), size)
        elif number == 10:
            # The name of a function.
            found = next((read_text(v) for n, v in read_fields(read_bytes(value)) if n == 1), "")
    return found


def _read_list(data: memoryview) -> list[int]:
    return [each for number, value in read_fields(data) if number == 3 for each in read_ints(value)]


def _read_tensor(data: memoryview, size: int) -> Any:
    kind, shape, content = 0, [], None
    listed: dict[int, list[Value]] = {}
    for number, value in read_fields(data):
        if number == 1:
            kind = read_int(value)
        elif number == 2:
            shape = _read_shape(read_bytes(value))
        elif number == 4:
            content = read_bytes(value)
        elif number in (FLOATS, DOUBLES, INTS, TEXTS, INT64S, LOGICAL):
            append_piece(listed.setdefault(number, []), value)
    if kind == TEXT:
        texts = listed.get(TEXTS, [])
        return tuple(bytes(read_bytes(value)).decode("utf-8", "replace") for value in texts)
    if kind not in DTYPES:
        # Nothing that is computed takes others.
        return np.zeros(0, np.float32)
    count = check_shape(shape, size)
    dtype = np.dtype(DTYPES[kind])
    found = np.frombuffer(content, dtype) if content else _read_listed(listed, dtype)
    if found.dtype in (np.float16, np.float64):
        found = found.astype(np.float32)
    if found.size == 1:
        # One number fills the tensor, and takes the room of one.
        return np.broadcast_to(found[0], shape)
    if found.size != count:
        raise ValueError(f"a tensor of {found.size} numbers with room for {count}")
    return found.reshape(shape)


def _read_listed(listed: Mapping[int, list[Value]], dtype: Any) -> Any:
    for number, values in listed.items():
        if number in (FLOATS, DOUBLES):
            return read_floats(values, "<f4" if number == FLOATS else "<f8").astype(dtype)
        numbers = [each for value in values for each in read_ints(value)]
        return np.asarray(numbers, np.int64).astype(dtype)
    return np.zeros(0, dtype)


def _read_shape(data: memoryview) -> list[int]:
    sides = []
    for number, value in read_fields(data):
        if number == 2:
            sides.append(
                next((read_int(v) for n, v in read_fields(read_bytes(value)) if n == 1), 0)
            )
    return sides


def check_shape(shape: Iterable[int], size: int) -> int:
    """Return how many values a shape has.

    Raises ValueError if they are more than a file of ``size`` bytes can fill.
    """
    sides = list(shape)
    count = 1
    for side in sides:
        count *= side
        if side < 0 or len(sides) > MOST_AXES or count > size:
            raise ValueError("a tensor that is larger than the file")
    return count
