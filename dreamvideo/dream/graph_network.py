"""A network that a reader read from a file, ready for gradient ascent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamvideo.dream.input_range import preprocess
from dreamvideo.dream.layer_choice import (
    LIST_SIDE,
    can_be_named,
    choose_default_layers,
    find_smallest,
    find_stride,
)
from dreamvideo.dream.readers.graph import Graph, compute, list_shapes
from dreamvideo.dream.readers.operations import PICTURE_AXES
from dreamvideo.errors import WeightsError

if TYPE_CHECKING:
    from dreamvideo.dream.models import Classifier, Layer

Reader = Callable[[Path], Graph]
# What is no feature of a picture, and what only repeats another operation.
NOT_DREAMT = frozenset(
    {
        *("Placeholder", "Const", "Identity", "CheckNumerics", "Pad", "PadV2", "Cast"),
        *("StopGradient", "ReadVariableOp", "SpaceToBatchND"),
    }
)
# Keras writes an activation with a gradient of its own, such as SiLU, as IdentityN.
ACTIVATIONS = frozenset({"Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Softplus", "IdentityN"})
WEIGHTED = frozenset({"Conv2D", "DepthwiseConv2dNative"})


class GraphNetwork:
    """A network of a ``Graph``.

    Attributes:
        title: What to show as its name.
        layers: Every layer that can be dreamt, shallow to deep.
        smallest: Shortest side in pixels that it takes.
    """

    def __init__(self, graph: Graph) -> None:
        """Prepare a graph to be dreamt. Raises ValueError if it has no layer that can be."""
        self.title = graph.title
        self._graph = graph
        self._kind = graph.input_range
        self.layers = tuple(self._list_layers())
        if not self.layers:
            why = f" ({graph.notes[-1]})" if graph.notes else ""
            raise ValueError(f"none of its layers makes a picture of features{why}")
        self.smallest = find_smallest(self.layers, partial(list_shapes, graph))

    @cached_property
    def default_layers(self) -> tuple[str, ...]:
        """The layers that are dreamt unless others are named."""
        if self._graph.default_layers:
            return self._graph.default_layers
        kinds = {name: each.kind for name, each in self._graph.operations.items()}
        active = {layer.name for layer in self.layers if kinds[layer.name] in ACTIVATIONS}
        return choose_default_layers(self.layers, active)

    @property
    def notes(self) -> tuple[str, ...]:
        """What users should know of it."""
        return self._graph.notes

    @property
    def classifier(self) -> Classifier | None:
        """Its linear classifier, if it has one."""
        from dreamvideo.dream.models import Classifier

        found = self._graph.classifier
        return None if found is None else Classifier(*found)

    def with_range(self, kind: str) -> GraphNetwork:
        """Return this network with another input range (kinds of ``input_range.preprocess``)."""
        other = copy(self)
        other._kind = kind
        return other

    def forward(self, image: Any, wanted: Sequence[str]) -> dict[str, Any]:
        """Return activations of the wanted layers for pixels (1, H, W, 3) in [-1, 1]."""
        return compute(self._graph, preprocess(image, self._kind), wanted)

    def _list_layers(self) -> Iterator[Layer]:
        from dreamvideo.dream.models import Layer

        shapes = list_shapes(self._graph, LIST_SIDE)
        seen: set[str] = set()
        for name, operation in self._graph.operations.items():
            taken = {each.partition(":")[0] for each in operation.inputs}
            if operation.kind in WEIGHTED or seen & taken:
                seen.add(name)
            if self._graph.shown is not None:
                if name not in self._graph.shown:
                    continue
            elif name not in seen or operation.kind in NOT_DREAMT or not can_be_named(name):
                continue
            shape = shapes.get(name, ())
            if len(shape) == PICTURE_AXES and min(shape[1:3]) > 1:
                yield Layer(name, shape[3], find_stride(shape[1], LIST_SIDE))


def load_graph(path: Path, read: Reader) -> GraphNetwork:
    """Read a file with one of the readers. Raises WeightsError, in one line, if it is damaged."""
    try:
        return GraphNetwork(read(path))
    except (ValueError, OSError) as error:
        line = str(error).partition("\n")[0]
        raise WeightsError(f"{str(path)!r} cannot be read as a network: {line}") from error
