"""Choose the layers to dream in a network that nobody has tuned by eye."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dreamvideo.dream.models import Layer

# Textures and parts: what the networks that were tuned by eye dream best.
FINE, COARSE = 8, 16
# Side in pixels at which a network's layers are listed, and those tried as the shortest.
LIST_SIDE = 256
SIDES = (16, 32, 48, 75, 96, 128, 224)


def choose_default_layers(layers: Sequence[Layer], activations: Collection[str]) -> tuple[str, ...]:
    """Return one layer of stride 8 and one of stride 16, or those nearest to it.

    Of stride 8 it is the last wide activation; of stride 16 the one two thirds of the way, since
    the last ones tell classes apart and hardly draw.

    Args:
        layers: The layers, shallow to deep.
        activations: Names of those that are the result of an activation function like ReLU, which
            are preferred.
    """
    known = [layer for layer in layers if layer.name in activations] or list(layers)
    strides = sorted({layer.stride for layer in known})
    fine = min(strides, key=lambda stride: (abs(math.log2(stride / FINE)), stride))
    further = [stride for stride in strides if stride > fine]
    wide = _widest(known, fine)
    if not further:
        return tuple(dict.fromkeys((wide[len(wide) // 2].name, wide[-1].name)))
    coarse = _widest(known, min(further, key=lambda s: abs(math.log2(s / COARSE))))
    return wide[-1].name, coarse[(2 * len(coarse) - 1) // 3].name


def find_stride(side: int, probe: int) -> int:
    """Return the stride of a layer that is ``side`` wide for a picture of ``probe`` pixels.

    Convolutions without padding lose border pixels, so it is the nearest power of two.
    """
    return int(2 ** round(math.log2(probe / side)))


def find_smallest(
    layers: Sequence[Layer], list_shapes: Callable[[int], Mapping[str, tuple[int, ...]]]
) -> int:
    """Return the shortest side in pixels at which every layer has activations.

    Args:
        layers: The layers.
        list_shapes: Returns the shapes of all activations for a picture of a side.
    """
    for side in SIDES:
        shapes = list_shapes(side)
        if all(min(shapes.get(layer.name, (0,))) > 0 for layer in layers):
            return side
    return SIDES[-1]


def _widest(layers: Sequence[Layer], stride: int) -> list[Layer]:
    """Return the layers of a stride that have at least as many channels as half of them have."""
    there = [layer for layer in layers if layer.stride == stride]
    middle = float(np.median([layer.channels for layer in there]))
    return [layer for layer in there if layer.channels >= middle]


def can_be_named(layer: str) -> bool:
    """Return whether the terms of ``--layers`` can name a layer of a file, and a terminal show it.

    Example:
        >>> can_be_named("mixed4c"), can_be_named("a:b")
        (True, False)
    """
    return layer.isprintable() and not set(layer) & set(",:#@")
