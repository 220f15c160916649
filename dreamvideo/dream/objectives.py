"""What is climbed: activations by layer name -> scalar. Objectives add and scale.

After the composable objectives of Olah et al., "Feature Visualization", Distill 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

Activations = Mapping[str, Any]


@dataclass(frozen=True)
class Objective:
    """A scalar to raise, and the layers whose activations (1, h, w, channels) it needs."""

    layers: frozenset[str]
    value: Callable[[Activations], Any]

    def __add__(self, other: Objective) -> Objective:
        return Objective(self.layers | other.layers, lambda a: self.value(a) + other.value(a))

    def __mul__(self, weight: float) -> Objective:
        return Objective(self.layers, lambda a: weight * self.value(a))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return self * -1.0

    def __sub__(self, other: Objective) -> Objective:
        return self + -other


def layer_mean(layer: str) -> Objective:
    """The mean of all activations of a layer: the loss of Mordvintsev et al., "Inceptionism"."""

    def value(activations: Activations) -> Any:
        from dreamvideo.dream.runtime import tensorflow

        return tensorflow().reduce_mean(activations[layer])

    return Objective(frozenset([layer]), value)


def weighted_layers(weights: Iterable[tuple[str, float]]) -> Objective:
    """Sum over (layer, weight) of weight times the layer's mean activation."""
    return reduce(add, (layer_mean(layer) * weight for layer, weight in weights))
