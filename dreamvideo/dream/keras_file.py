"""Keras models from files of one's own: whole models of any shape, dreamt as they are.

No code from a file is run: layers must be Keras's own, and Lambda layers are refused.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamvideo.dream import fold
from dreamvideo.dream.input_range import (
    is_unlikely,
    name_range,
    preprocess,
    range_of_name,
    range_of_scaling,
    score_ranges,
)
from dreamvideo.dream.keras_graph import Node, Slot, flatten, name_nodes
from dreamvideo.dream.layer_choice import (
    LIST_SIDE,
    can_be_named,
    choose_default_layers,
    find_smallest,
    find_stride,
)
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.errors import WeightsError

if TYPE_CHECKING:
    from dreamvideo.dream.models import Layer

# What a file may unpack to: its own size, for weights hardly shrink, and some text.
MOST_GROWTH, MOST_TEXT = 2, 64 << 20
KERAS_MODULES = ("keras", "tensorflow.python.keras", "tensorflow.keras", "builtins")
REFUSED_PARTS = {"utils", "saving", "datasets", "export", "callbacks"}
# Layers that change the size that the user has asked for.
RESIZING = frozenset({"Resizing", "CenterCrop", "RandomCrop"})
WEIGHTED = ("Conv", "Dense", "Depthwise", "Separable")
ACTIVATIONS = frozenset(
    {
        *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Relu", "Relu6", "Silu", "Gelu"),
        *("LeakyRelu", "Elu", "Selu", "HardSilu", "Softplus", "Celu", "Mish", "Swish"),
    }
)
NOT_ACTIVE = ("linear", "softmax", "sigmoid")
# Layers that only move data: dreaming one of them means dreaming its neighbour.
NOT_DREAMT = frozenset({"ZeroPadding2D", "Dropout", "SpatialDropout2D", "Cropping2D", "Identity"})
CHECK_SIDE = 96
MOST_ERROR = 1e-4
# What a damaged file raises, before those of zip archives.
_DAMAGE = (OSError, EOFError, KeyError, ValueError, RuntimeError)


class KerasFileNetwork:
    """A Keras model from a file.

    Attributes:
        title: What it calls itself.
        layers: Every layer that can be dreamt, shallow to deep.
        smallest: Shortest side in pixels that it takes.
    """

    def __init__(self, model: Any, name: str) -> None:
        """Prepare a model to be dreamt.

        Args:
            model: The Keras model.
            name: The name of its file, for errors.

        Raises:
            WeightsError: It has no layer that can be dreamt.
        """
        self.title = f"{model.name} (Keras)"
        try:
            nodes = flatten(model)
        except ValueError as error:
            raise WeightsError(f"{name} cannot be dreamt: {error}") from None
        self._nodes = _bypass_resizing(nodes)
        self._named = name_nodes(self._nodes)
        self._scores = self._score_ranges()
        self._kind, self._range_notes = self._find_range()
        shapes = self._shapes(LIST_SIDE)
        self.layers = tuple(self._list_layers(shapes))
        if not self.layers:
            raise WeightsError(
                f"{name} cannot be dreamt: none of its layers makes a picture of features from "
                "pictures of three channels and of any size"
            )
        self.smallest = find_smallest(self.layers, self._shapes)
        self._folded = self._folds_exactly()

    @property
    def notes(self) -> tuple[str, ...]:
        """What users should know of it."""
        if self._folded:
            return self._range_notes
        return (*self._range_notes, "its norms cannot be folded exactly: it runs as Keras runs it")

    def with_range(self, kind: str) -> KerasFileNetwork:
        """Return this network with another input range (kinds of ``input_range.preprocess``)."""
        other = copy(self)
        other._kind, other._range_notes = kind, ()
        if self._scores and is_unlikely(kind, self._scores):
            other._range_notes = (
                f"--input-range {name_range(kind)} is unlikely: by its first norm the network was "
                f"trained on {name_range(self._likeliest())}",
            )
        return other

    def _likeliest(self) -> str:
        return min(self._scores, key=lambda kind: self._scores[kind])

    @cached_property
    def default_layers(self) -> tuple[str, ...]:
        """The layers that are dreamt unless others are named."""
        active = {name for name, node in self._named.items() if _is_active(node)}
        return choose_default_layers(self.layers, active)

    @property
    def input_range(self) -> str:
        """What it takes, as ``--input-range`` calls it."""
        return name_range(self._kind)

    def forward(self, image: Any, wanted: Sequence[str]) -> dict[str, Any]:
        """Return activations of the wanted layers for pixels (1, H, W, 3) in [-1, 1]."""
        return self._compute(preprocess(image, self._kind), wanted, folded=self._folded)

    def _compute(self, value: Any, wanted: Sequence[str], *, folded: bool) -> dict[str, Any]:
        nodes = [self._named[name] for name in wanted]
        found = fold.run_nodes(self._nodes, value, nodes, folded=folded)
        return dict(zip(wanted, found, strict=True))

    def _shapes(self, side: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of what can be computed for a picture of that side."""
        tf = tensorflow()
        values: dict[Slot, Any] = {(None, 0): preprocess(tf.zeros((1, side, side, 3)), self._kind)}
        left: dict[Slot, int] = {}
        for node in self._nodes:
            for slot in node.slots.values():
                left[slot] = left.get(slot, 0) + 1
        found = {}
        for name, node in self._named.items():
            # A layer that needs one size, or another input, ends its branch.
            with suppress(Exception):
                args, kwargs = node.arguments(values)
                made = fold.list_slots(node, fold.call(node.operation, *args, **kwargs))
                values |= {slot: value for slot, value in made.items() if slot in left}
                found[name] = tuple(int(length) for length in made[node, 0].shape)
            for slot in node.slots.values():
                left[slot] -= 1
                if not left[slot]:
                    values.pop(slot, None)
        return found

    def _list_layers(self, shapes: dict[str, tuple[int, ...]]) -> Iterator[Layer]:
        from dreamvideo.dream.models import Layer

        seen: set[Node] = set()
        for name, node in self._named.items():
            if _is_weighted(node) or seen & set(node.parents):
                seen.add(node)
            shape = shapes.get(name, ())
            if node not in seen or type(node.operation).__name__ in NOT_DREAMT:
                continue
            if not can_be_named(name):
                continue
            # A layer with one value for the whole picture (squeeze and excitation) is none.
            if len(shape) == fold.PICTURE_AXES and min(shape[1:3]) > 1:
                yield Layer(name, shape[-1], find_stride(shape[1], LIST_SIDE))

    def _folds_exactly(self) -> bool:
        """Compare the folded network with Keras's own on a small picture."""
        random = np.random.default_rng(0)
        side = max(CHECK_SIDE, self.smallest)
        image = tensorflow().constant(random.uniform(-1, 1, (1, side, side, 3)), "float32")
        # Convolutions that a norm follows are not wanted, so that they are folded here too.
        followed = {
            parent for node in self._nodes for parent in node.parents if fold.takes(parent, node)
        }
        wanted = [layer.name for layer in self.layers if self._named[layer.name] not in followed]
        value = preprocess(image, self._kind)
        plain = self._compute(value, wanted, folded=False)
        folded = self._compute(value, wanted, folded=True)
        return all(_are_close(plain[name], folded[name]) for name in wanted)

    def _find_range(self) -> tuple[str, tuple[str, ...]]:
        """Return the kind of preprocessing, and notes on how it was found."""
        inside = self._range_inside()
        if inside is not None:
            return inside, ()
        for node in self._nodes[:1]:
            for name in (*node.path[:-1][::-1], self.title.partition(" ")[0]):
                known = range_of_name(name)
                if known is not None and not (self._scores and is_unlikely(known, self._scores)):
                    return known, (f"its input range is {name_range(known)}, by its name {name}",)
        if self._scores:
            best = self._likeliest()
            return best, (f"its input range is {name_range(best)}, by its first norm",)
        return "unit", (
            "its input range is not known: 0..1 is assumed; set another with --input-range",
        )

    def _first_weighted(self) -> Node | None:
        return next((node for node in self._nodes if _is_weighted(node)), None)

    def _range_inside(self) -> str | None:
        """Return what it takes if its own first layers scale or shift the pixels."""
        first = self._first_weighted()
        before = None if first is None else first.parents
        if not before:
            return None
        with suppress(Exception):
            black, white = (
                np.asarray(fold.run_nodes(self._nodes, _flat(level), before[:1])[0], np.float64)
                for level in (0.0, 1.0)
            )
            # Not at the border, which may be padded.
            middle = np.s_[0, black.shape[1] // 2, black.shape[2] // 2]
            scale = float(np.mean((white - black)[middle]))
            return range_of_scaling(scale, float(np.mean(black[middle])))
        return None

    def _score_ranges(self) -> dict[str, float]:
        first = self._first_weighted()
        norm = next((n for n in self._nodes if first in n.parents and fold.takes(first, n)), None)
        if first is None or norm is None or type(norm.operation).__name__ != "BatchNormalization":
            return {}
        layer = norm.operation
        with suppress(Exception):
            return dict(
                score_ranges(
                    lambda value: fold.run_nodes(self._nodes, value, [first], folded=False)[0],
                    np.asarray(layer.moving_mean),
                    np.asarray(layer.moving_variance),
                )
            )
        return {}


def load_keras_file(path: Path) -> KerasFileNetwork:
    """Load a whole Keras model from a .keras or .h5 file, running none of its code.

    Raises WeightsError if it is no such model, or one that would run code of its own.
    """
    name = repr(str(path))
    config = _read_config(path, name)
    _check_classes(config, name)
    try:
        model = tensorflow().keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{name} is not a Keras model that can be loaded: {line}") from error
    model.trainable = False
    return KerasFileNetwork(model, name)


def _read_config(path: Path, name: str) -> Any:
    """Return the description of a model's layers. Raises WeightsError."""
    import h5py  # type: ignore[import-untyped]

    size = path.stat().st_size
    try:
        # As Keras chooses: what is checked must be what it reads.
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(each.file_size for each in archive.infolist())
                if unpacked > MOST_GROWTH * size + MOST_TEXT:
                    raise WeightsError(
                        f"{name} unpacks to {unpacked} bytes, far more than its {size}: it is "
                        "damaged or made to harm"
                    )
                return json.loads(archive.read("config.json"))
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
    except (*_DAMAGE, zipfile.BadZipFile, zlib.error) as error:
        raise WeightsError(f"{name} is not a whole Keras model: save it with model.save") from error
    if text is None:
        raise WeightsError(
            f"{name} holds weights only: name their network, as in --model vgg16 --weights FILE, "
            "or save the whole model"
        )
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise WeightsError(f"{name} is damaged: its layers cannot be read") from error


def _check_classes(config: Any, name: str) -> None:
    """Refuse whatever would run code that is not Keras's own."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        if not isinstance(part, dict):
            continue
        waiting += part.values()
        kind, module = part.get("class_name"), part.get("module")
        if kind in ("Lambda", "__lambda__"):
            raise WeightsError(
                f"{name} holds a Lambda layer, code that could do anything: it is not run; save "
                "the model with Keras's own layers instead"
            )
        if kind is not None and isinstance(module, str) and not _is_from_keras(module):
            raise WeightsError(
                f"{name} needs the code of {module}.{kind}: only Keras's own layers are run"
            )


def _is_from_keras(module: str) -> bool:
    """Return whether a module holds Keras's layers, and not its means to load and to download."""
    inside = tuple(f"{name}." for name in KERAS_MODULES)
    return (module in KERAS_MODULES or module.startswith(inside)) and not (
        REFUSED_PARTS & set(module.split("."))
    )


def _bypass_resizing(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes without those that resize; what reads one of these reads its input."""
    moved: dict[Slot, Slot] = {}
    renewed: dict[Node, Node] = {}
    for node in nodes:
        slots = {key: _find_slot(slot, moved, renewed) for key, slot in node.slots.items()}
        if type(node.operation).__name__ in RESIZING:
            moved[node, 0] = next(iter(slots.values()))
        else:
            renewed[node] = replace(node, slots=slots)
    return list(renewed.values())


def _find_slot(slot: Slot, moved: dict[Slot, Slot], renewed: dict[Node, Node]) -> Slot:
    if slot in moved:
        return moved[slot]
    node, number = slot
    return (renewed[node], number) if node in renewed else slot


def _is_weighted(node: Node) -> bool:
    return type(node.operation).__name__.startswith(WEIGHTED)


def _is_active(node: Node) -> bool:
    activation = getattr(node.operation, "activation", None)
    if getattr(activation, "__name__", "") in NOT_ACTIVE:
        return False
    kind = type(node.operation).__name__
    return kind in ACTIVATIONS or (_is_weighted(node) and activation is not None)


def _are_close(plain: Any, folded: Any) -> bool:
    expected, found = np.asarray(plain, np.float64), np.asarray(folded, np.float64)
    scale = np.abs(expected).max()
    return bool(np.abs(found - expected).max() <= MOST_ERROR * scale)


def _flat(level: float) -> Any:
    return tensorflow().fill((1, 64, 64, 3), np.float32(level))
