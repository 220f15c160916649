"""Objectives as a user composes them: callables of one's own next to layers and classes.

They name layers by text, so they exist before any network is loaded; ``resolve_objective`` turns
them into an ``Objective`` of a certain network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from dreamvideo.dream import models
from dreamvideo.dream.objectives import Activations, Objective
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.errors import UsageError
from dreamvideo.parsing import parse_classes, parse_layers

Value = Callable[[Mapping[str, Any]], Any]

IMAGE = "image"
# Side in pixels of the noise that tells which layers a callable looks at.
_PROBE_SIDE = 64


@dataclass(frozen=True)
class LayersPart:
    """Layers, as ``--layers`` takes them."""

    text: str


@dataclass(frozen=True)
class ClassesPart:
    """ImageNet classes, as ``--class`` takes them."""

    text: str


@dataclass(frozen=True)
class ValuePart:
    """A callable from activations to a scalar."""

    value: Value


Part = LayersPart | ClassesPart | ValuePart


class DreamObjective:
    """What to dream, as a callable of your own; can be added to others and multiplied by numbers.

    The callable gets the activations of the layers that it asks for, by name, as TensorFlow tensors
    of 1 x h x w x channels, and under ``image`` the pixels, 1 x H x W x 3 in [-1, 1]. It returns a
    scalar tensor, which the dream raises. It is compiled once: make a new objective if what the
    callable refers to has changed. ``layers`` and ``classes`` give the built-in objectives
    to combine it with.

    Example:
        >>> import tensorflow as tf
        >>> from dreamvideo import DreamObjective
        >>> def loudest(activations):
        ...     return tf.reduce_mean(tf.reduce_max(activations["b9"], axis=-1))
        >>> both = DreamObjective(loudest) + 0.5 * DreamObjective.layers("b11:rms")
        >>> [weight for weight, part in both.parts]
        [1.0, 0.5]
    """

    def __init__(self, value: Value | DreamObjective) -> None:
        """Make an objective of a callable. Raises UsageError if it is something else."""
        self._parts: tuple[tuple[float, Part], ...]
        if isinstance(value, DreamObjective):
            self._parts = value.parts
            return
        if not callable(value):
            raise UsageError(
                "objective: a function from activations to a scalar tensor, "
                f"not {value!r} ({type(value).__name__})"
            )
        self._parts = ((1.0, ValuePart(value)),)

    @classmethod
    def layers(cls, text: str) -> DreamObjective:
        """Return the objective of weighted layers, as ``--layers`` takes them.

        Raises UsageError if they cannot be read; that a layer exists is checked when a network is
        loaded.
        """
        return cls._of_text(text, "layers", parse_layers, LayersPart)

    @classmethod
    def classes(cls, text: str) -> DreamObjective:
        """Return the objective of weighted ImageNet classes, as ``--class`` takes them.

        Raises UsageError if they cannot be read.
        """
        return cls._of_text(text, "classes", parse_classes, ClassesPart)

    @property
    def parts(self) -> tuple[tuple[float, Part], ...]:
        """(weight, part) of every part of the sum."""
        return self._parts

    @property
    def needs_classifier(self) -> bool:
        """Whether a network must be loaded with its classifier."""
        return any(isinstance(part, ClassesPart) for _, part in self._parts)

    def __add__(self, other: DreamObjective | Value) -> DreamObjective:
        if not callable(other) and not isinstance(other, DreamObjective):
            return NotImplemented
        return self._of_parts((*self._parts, *DreamObjective(other).parts))

    def __radd__(self, other: Value | int) -> DreamObjective:
        # The built-in sum begins with 0.
        if isinstance(other, int) and other == 0:
            return self
        return DreamObjective(other) + self if callable(other) else NotImplemented

    def __mul__(self, weight: float) -> DreamObjective:
        if isinstance(weight, bool) or not isinstance(weight, Real):
            return NotImplemented
        if not math.isfinite(weight):
            raise UsageError(f"objective: its weight must be a finite number, not {weight}")
        return self._of_parts(tuple((float(weight) * before, part) for before, part in self._parts))

    __rmul__ = __mul__

    def __neg__(self) -> DreamObjective:
        return self * -1.0

    def __sub__(self, other: DreamObjective | Value) -> DreamObjective:
        if not callable(other) and not isinstance(other, DreamObjective):
            return NotImplemented
        return self + -DreamObjective(other)

    @staticmethod
    def _of_text(
        text: str, name: str, parse: Callable[[str], Any], part: Callable[[str], Part]
    ) -> DreamObjective:
        try:
            parse(text)
        except (ValueError, AttributeError) as error:
            why = error if isinstance(text, str) else f"text, not {text!r} ({type(text).__name__})"
            raise UsageError(f"{name}: {why}") from None
        return DreamObjective._of_parts(((1.0, part(text)),))

    @staticmethod
    def _of_parts(parts: tuple[tuple[float, Part], ...]) -> DreamObjective:
        made = DreamObjective.__new__(DreamObjective)
        made._parts = parts
        return made


def resolve_value(value: Value, network: models.Network, model: str) -> Objective:
    """Return a callable as an objective of a network, with the layers that it looks at.

    It is called once with the activations of a small picture of noise.

    Args:
        value: The callable.
        network: The network.
        model: Its name, for errors.

    Raises:
        UsageError: A layer does not exist, or what is returned is no scalar that depends on the
            picture.
    """
    tf = tensorflow()
    side = max(_PROBE_SIDE, models.find_entry(model).smallest)
    noise = tf.random.stateless_uniform((1, side, side, 3), (0, 0), -0.9, 0.9)
    with tf.GradientTape() as tape:
        tape.watch(noise)
        found = network.forward(noise, [layer.name for layer in network.layers])
        seen = _NamedActivations({**found, IMAGE: noise}, network, model)
        scalar = _to_scalar(value(seen))
    if tape.gradient(scalar, noise) is None:
        raise UsageError(
            "objective: what it returns does not depend on the picture: compute it with TensorFlow "
            "from the activations"
        )
    layers = frozenset(seen.read)

    def measure(activations: Activations) -> Any:
        held = {name: activations[name] for name in layers}
        return _to_scalar(value(_NamedActivations(held, network, model)))

    return Objective(layers, measure)


def _to_scalar(returned: Any) -> Any:
    tf = tensorflow()
    try:
        scalar = tf.convert_to_tensor(returned)
    except (TypeError, ValueError):
        scalar = None
    if scalar is None or not (scalar.dtype.is_floating or scalar.dtype.is_integer):
        kind = type(returned).__name__
        raise UsageError(f"objective: it must return a scalar tensor, not a {kind}")
    scalar = tf.cast(scalar, tf.float32)
    if scalar.shape.rank != 0:
        shape = " x ".join(map(str, scalar.shape))
        raise UsageError(
            f"objective: it must return a scalar tensor, not one of {shape}: take its mean"
        )
    return scalar


class _NamedActivations(Mapping[str, Any]):
    """Activations by any name that ``find_layer`` knows; ``read`` are those that were looked at."""

    def __init__(self, held: Mapping[str, Any], network: models.Network, model: str) -> None:
        self._held, self._network, self._model = held, network, model
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        if name not in self._held:
            name = models.find_layer(self._network, self._model, name).name
        self.read.add(name)
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)
