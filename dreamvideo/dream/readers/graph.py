"""A network as a list of operations in TensorFlow's vocabulary, and its evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dreamvideo.dream.readers.operations import PIXEL, TABLE, convolve
from dreamvideo.dream.runtime import tensorflow

# No layer of a picture of 256 pixels has more values.
MOST_VALUES = 1 << 26
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
            found = _compute_one(operation, values, constant, fast=True)
            if operation.kind == "Cast" and found.dtype.is_floating:
                found = tensorflow().cast(found, value.dtype)
            _store(values, operation, found)
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
        return tf.raw_ops.Placeholder(dtype=array.dtype, shape=np.shape(array))

    with tf.Graph().as_default():
        values = {
            graph.start: tf.raw_ops.Placeholder(dtype=tf.float32, shape=(1, side, side, PIXEL))
        }
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
    return count is not None and count <= MOST_VALUES


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
        return convolve(given[0], kernel.array, operation.options)
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
