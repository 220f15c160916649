"""TensorFlow's SavedModel folders: functions written out as one graph, variables as constants.

``saved_model.pb`` holds nodes and a library of functions that they call; a checkpoint next to it
holds the variables. Which variable has which name there, the operations that would restore them
say. None is run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from dreamvideo.dream.input_range import name_range, range_of_name
from dreamvideo.dream.readers.graph import Graph, Operation
from dreamvideo.dream.readers.graphdef import find_range, read_node, sort_operations
from dreamvideo.dream.readers.operations import TABLE
from dreamvideo.dream.readers.wire import Value, read_bytes, read_fields, read_int, read_text
from dreamvideo.dream.runtime import tensorflow

SAVED_MODEL = "saved_model.pb"
SERVE, SERVING = "serve", "serving_default"
# Numbers of TensorFlow's types with a point.
FLOATING = frozenset({1, 2, 14, 19})
# Whole numbers of one byte, as pictures have them.
PIXELS = FLOATING | {4}
HANDLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})
ASSIGNMENTS = frozenset({"AssignVariableOp", "Assign"})
CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
RESTORE = "RestoreV2"
# Operations that pass on what they take.
PASSING = frozenset({"Identity", "ReadVariableOp", "Cast"})
# A function that calls itself has no end, and one that is called often takes memory each time:
# a node on disk has at least so many bytes.
MOST_DEPTH, PART_BYTES, MOST_SMALL = 24, 8, 2000
# The results of operations that have more than one, in order.
RESULTS = {
    **{
        f"FusedBatchNorm{version}": ("y", "batch_mean", "batch_variance")
        for version in ("", "V2", "V3")
    },
    "TopKV2": ("values", "indices"),
    "MaxPoolWithArgmax": ("output", "argmax"),
}


@dataclass(frozen=True)
class _Function:
    """A function: names of its arguments, its nodes, and its results in order."""

    arguments: tuple[str, ...]
    nodes: tuple[Operation, ...]
    results: tuple[str, ...]


@dataclass
class _Model:
    """What is read of a ``saved_model.pb``.

    Attributes:
        nodes: Nodes outside functions.
        functions: The bytes of functions by name.
        inputs: (name, type) of the signature's inputs.
        outputs: Names of its results.
    """

    nodes: list[Operation] = field(default_factory=list)
    functions: dict[str, memoryview] = field(default_factory=dict)
    inputs: list[tuple[str, int]] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


def is_saved_model(path: Path) -> bool:
    """Return whether a folder is a SavedModel."""
    return (path / SAVED_MODEL).is_file()


def list_files(folder: Path) -> list[Path]:
    """Return the files of a SavedModel that are read."""
    variables = folder / "variables"
    found = sorted(variables.iterdir()) if variables.is_dir() else []
    return [folder / SAVED_MODEL, *(path for path in found if path.is_file())]


def read_saved_model(folder: Path) -> Graph:
    """Read what a SavedModel serves. Raises ValueError if it cannot be read."""
    data = memoryview((folder / SAVED_MODEL).read_bytes())
    model = _read_model(_choose_graph(data), len(data))
    if not model.outputs:
        raise ValueError("it serves nothing: export the model with model.export(FOLDER)")
    written, outputs = _Inliner(model, len(data)).write_out()
    needed = _find_needed(written, outputs)
    start = _find_start(written, needed, model.inputs)
    held = _read_variables(folder, written, needed)
    resolved = _resolve_passing({**needed, **held})
    operations = sort_operations(_find_needed(resolved, outputs))
    unknown = sorted({each.kind for each in operations.values()} - {*TABLE, "Const"})
    notes = [f"operations that are not computed: {', '.join(unknown)[:200]}"] if unknown else []
    kind, range_notes = _find_range(operations, start)
    return Graph(
        f"{folder.name} (SavedModel)", operations, start, kind, notes=(*range_notes, *notes)
    )


def _choose_graph(data: memoryview) -> memoryview:
    """Return the graph that is meant for use, where there is another for training."""
    graphs = [read_bytes(value) for number, value in read_fields(data) if number == 2]
    if not graphs:
        raise ValueError("it holds no graph")
    return next((each for each in graphs if SERVE in _read_tags(each)), graphs[0])


def _read_tags(graph: memoryview) -> list[str]:
    about = [read_bytes(value) for number, value in read_fields(graph) if number == 1]
    return [read_text(v) for each in about for n, v in read_fields(each) if n == 4]


def _read_model(graph: memoryview, size: int) -> _Model:
    model, signatures = _Model(), {}
    for number, value in read_fields(graph):
        if number == 2:
            _read_graph(read_bytes(value), model, size)
        elif number == 5:
            key, entry = _read_pair(read_bytes(value))
            signatures[key] = entry
    # A name with underscores is the model's own, such as that of its initialization.
    usual = [name for name in signatures if not name.startswith("__")]
    chosen = SERVING if SERVING in signatures else next(iter(usual), None)
    if chosen is not None:
        for number, value in read_fields(signatures[chosen]):
            if number in (1, 2):
                _, about = _read_pair(read_bytes(value))
                name, kind = _read_tensor_info(about)
                if number == 1:
                    model.inputs.append((name, kind))
                else:
                    model.outputs.append(name)
    return model


def _read_pair(data: memoryview) -> tuple[str, memoryview]:
    """Return key and value of an entry of a map."""
    key, found = "", memoryview(b"")
    for number, value in read_fields(data):
        if number == 1:
            key = read_text(value)
        elif number == 2:
            found = read_bytes(value)
    return key, found


def _read_tensor_info(data: memoryview) -> tuple[str, int]:
    name, kind = "", 0
    for number, value in read_fields(data):
        if number == 1:
            name = read_text(value).removesuffix(":0")
        elif number == 2:
            kind = read_int(value)
    return name, kind


def _read_graph(data: memoryview, model: _Model, size: int) -> None:
    seen = set()
    for number, value in read_fields(data):
        if number == 1:
            node = read_node(read_bytes(value), size)
            if node.name in seen:
                raise ValueError(f"two nodes are named {node.name[:40]!r}")
            seen.add(node.name)
            model.nodes.append(node)
        elif number == 2:
            for inner, function in read_fields(read_bytes(value)):
                if inner == 1:
                    body = read_bytes(function)
                    model.functions[_read_function_name(body)] = body


def _list_signature(data: memoryview) -> Iterator[tuple[int, Value]]:
    for number, value in read_fields(data):
        if number == 1:
            yield from read_fields(read_bytes(value))


def _read_function_name(data: memoryview) -> str:
    return next((read_text(v) for n, v in _list_signature(data) if n == 1), "")


def _read_function(data: memoryview, size: int) -> _Function:
    names: dict[int, list[str]] = {2: [], 3: []}
    for number, value in _list_signature(data):
        if number in names:
            names[number].append(
                next((read_text(v) for n, v in read_fields(read_bytes(value)) if n == 1), "")
            )
    nodes, results = [], {}
    for number, value in read_fields(data):
        if number == 3:
            nodes.append(read_node(read_bytes(value), size))
        elif number == 4:
            key, name = _read_pair(read_bytes(value))
            results[key] = read_text(name)
    missing = [name for name in names[3] if name not in results]
    if missing:
        raise ValueError(f"a function without its result {missing[0][:40]!r}")
    return _Function(tuple(names[2]), tuple(nodes), tuple(results[name] for name in names[3]))


class _Inliner:
    """Writes the nodes of functions where they are called."""

    def __init__(self, model: _Model, size: int) -> None:
        self._model, self._size = model, size
        self._room = size // PART_BYTES + MOST_SMALL
        self._known: dict[str, _Function] = {}
        self._written: dict[str, Operation] = {}
        self._taken: set[str] = set()
        # Result of a call -> what the function computed for it.
        self._results: dict[str, str] = {}

    def write_out(self) -> tuple[dict[str, Operation], list[str]]:
        """Return all operations by name, those of functions among them, and what is served."""
        nodes = self._model.nodes
        self._written = {node.name: node for node in nodes}
        self._taken = set(self._written)
        served = _find_needed(self._written, self._model.outputs)
        for node in nodes:
            name = self._called_by(node)
            if name is not None and (node.name in served or self._restores(name)):
                self._call(node, name, 0)
        operations = {
            name: replace(each, inputs=tuple(self._resolve(text) for text in each.inputs))
            for name, each in self._written.items()
        }
        return operations, [self._resolve(name) for name in self._model.outputs]

    def _restores(self, function: str) -> bool:
        return any(each.kind == RESTORE for each in self._function(function).nodes)

    def _called_by(self, node: Operation) -> str | None:
        if node.kind in CALLS:
            name = str(node.options.get("f", ""))
            if name not in self._model.functions:
                raise ValueError(f"it calls the unknown function {name[:60]!r}")
            return name
        return node.kind if node.kind in self._model.functions else None

    def _function(self, name: str) -> _Function:
        if name not in self._known:
            self._known[name] = _read_function(self._model.functions[name], self._size)
        return self._known[name]

    def _call(self, node: Operation, function: str, depth: int) -> None:
        """Write the nodes of a call; its name is that of an operation already written."""
        found = self._function(function)
        self._room -= 1 + len(found.results) + sum(1 + len(each.inputs) for each in found.nodes)
        if depth > MOST_DEPTH or self._room < 0:
            raise ValueError("its functions call one another without end")
        del self._written[node.name]
        names = dict(zip(found.arguments, node.inputs, strict=False))
        kinds = {each.name: each.kind for each in found.nodes}
        own = {each.name: self._name(each.name, node.name) for each in found.nodes}
        for each in found.nodes:
            self._written[own[each.name]] = each

        def refer(text: str) -> str:
            name, _, result = text.partition(":")
            if name not in own:
                return names.get(name, text)
            number = _number_result(kinds[name], result)
            return f"{own[name]}:{number}" if number else own[name]

        for each in found.nodes:
            name = own[each.name]
            inputs = tuple(refer(text) for text in each.inputs)
            self._written[name] = moved = replace(each, name=name, inputs=inputs)
            inner = self._called_by(each)
            if inner is not None:
                self._call(moved, inner, depth + 1)
        for number, text in enumerate(found.results):
            self._results[f"{node.name}:{number}" if number else node.name] = refer(text)

    def _name(self, name: str, call: str) -> str:
        """Return a node's own name, or another if that was given before, also to a call."""
        found = name if name not in self._taken else f"{call}/{name}"[-200:]
        number = len(self._taken)
        while found in self._taken:
            found = f"{name[-180:]}#{number}"
            number += 1
        self._taken.add(found)
        return found

    def _resolve(self, text: str) -> str:
        for _ in range(2 * MOST_DEPTH):
            if text not in self._results:
                break
            text = self._results[text]
        return text


def _number_result(kind: str, result: str) -> int:
    """Return which of an operation's results ``y:0`` is."""
    name, _, number = result.partition(":")
    several = RESULTS.get(kind, ())
    if name in several:
        return several.index(name)
    return int(number) if number.isdecimal() and len(number) < 6 else 0


def _find_needed(operations: Mapping[str, Operation], results: list[str]) -> dict[str, Operation]:
    """Return what results depend on."""
    waiting = [name.partition(":")[0] for name in results]
    found: dict[str, Operation] = {}
    while waiting:
        name = waiting.pop()
        if name in found or name not in operations:
            continue
        found[name] = operations[name]
        waiting += [text.partition(":")[0] for text in operations[name].inputs]
    return found


def _find_start(
    written: Mapping[str, Operation],
    needed: dict[str, Operation],
    inputs: list[tuple[str, int]],
) -> str:
    """Return the input that takes a picture."""
    taken = [(name, kind) for name, kind in inputs if name in needed]
    for name, kind in taken:
        if kind in PIXELS and written[name].kind == "Placeholder":
            return name
    if taken:
        raise ValueError("its input takes no pictures of numbers")
    raise ValueError("a graph without an input")


def _read_variables(
    folder: Path, written: Mapping[str, Operation], needed: Mapping[str, Operation]
) -> dict[str, Operation]:
    """Return the variables that are needed as constants."""
    handles = [name for name, each in needed.items() if each.kind in HANDLES]
    if not handles:
        return {}
    keys = _find_keys(written)
    files = [path for path in list_files(folder)[1:] if ".data-" in path.name]
    room = sum(path.stat().st_size for path in files)
    tf = tensorflow()
    try:
        reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
        shapes = reader.get_variable_to_shape_map()
        kinds = reader.get_variable_to_dtype_map()
        found = {}
        for name in handles:
            key = keys.get(name, str(needed[name].options.get("shared_name") or name))
            if key not in shapes:
                raise ValueError(f"the variable {name[:60]!r} has no value")
            if not (kinds[key].is_floating or kinds[key].is_integer or kinds[key].is_bool):
                continue
            room -= math.prod(shapes[key]) * kinds[key].size
            if room < 0:
                raise ValueError("variables that are larger than their files")
            array = np.asarray(reader.get_tensor(key))
            if kinds[key].is_floating:
                array = array.astype(np.float32)
            found[name] = Operation(name, "Const", array=array)
    except (tf.errors.OpError, RuntimeError, LookupError, TypeError, ValueError, OSError) as error:
        line = str(error).partition("\n")[0][:200]
        raise ValueError(f"its variables cannot be read ({line})") from None
    return found


def _find_keys(written: Mapping[str, Operation]) -> dict[str, str]:
    """Return variable -> its name in the checkpoint, from the operations that would restore it."""
    keys: dict[str, str] = {}
    copied: list[tuple[str, str]] = []
    for each in written.values():
        if each.kind not in ASSIGNMENTS or len(each.inputs) < 2:
            continue
        target, value = (_trace(written, text) for text in each.inputs[:2])
        name, _, number = value.partition(":")
        source = written.get(name)
        if source is None:
            continue
        if source.kind == RESTORE and len(source.inputs) > 1:
            listed = written.get(_trace(written, source.inputs[1]))
            texts = listed.options.get("value") if listed else None
            at = int(number or 0)
            if isinstance(texts, tuple) and 0 <= at < len(texts):
                keys[target] = texts[at]
        elif source.kind in HANDLES:
            copied.append((target, name))
    # Keras saves one variable as two: the second begins with the first one's value, and only the
    # second may be in the checkpoint.
    for target, source_name in copied:
        if target in keys:
            keys.setdefault(source_name, keys[target])
    return keys


def _trace(operations: Mapping[str, Operation], text: str) -> str:
    """Return what a result is, past operations that only pass it on."""
    for _ in range(2 * MOST_DEPTH):
        each = operations.get(text)
        if each is None or each.kind not in PASSING or not each.inputs:
            break
        text = each.inputs[0]
    return text


def _resolve_passing(operations: Mapping[str, Operation]) -> dict[str, Operation]:
    """Have what takes a constant's copy take the constant, so that it is known to be one."""

    def constant(text: str) -> str:
        found = text
        for _ in range(2 * MOST_DEPTH):
            each = operations.get(found)
            if each is None or each.kind not in PASSING or not each.inputs:
                break
            if each.kind == "Cast" and not _is_one_of(each.options.get("DstT"), FLOATING):
                break
            found = each.inputs[0]
        source = operations.get(found)
        is_constant = source is not None and source.kind == "Const" and _is_floating(source.array)
        return found if is_constant else text

    return {
        name: replace(each, inputs=tuple(map(constant, each.inputs)))
        for name, each in operations.items()
    }


def _is_one_of(option: Any, known: frozenset[int]) -> bool:
    # A damaged option may be anything.
    return isinstance(option, int) and option in known


def _is_floating(array: Any) -> bool:
    return bool(np.issubdtype(array.dtype, np.floating))


def _find_range(operations: Mapping[str, Operation], start: str) -> tuple[str, tuple[str, ...]]:
    """Return the kind of preprocessing, and notes on how it was found."""
    inside = find_range(operations, start)
    if inside is not None:
        return inside, ()
    for part in dict.fromkeys(part for name in operations for part in name.split("/")[:3]):
        known = range_of_name(part)
        if known is not None:
            return known, (f"its input range is {name_range(known)}, by its name {part}",)
    return "unit", (
        "its input range is not known: 0..1 is assumed; set another with --input-range",
    )
