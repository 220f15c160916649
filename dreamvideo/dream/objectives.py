"""Objectives: activations by layer name -> scalar. They can be added and scaled.

After the composable objectives of Olah et al., "Feature Visualization", Distill 2017. In addition
to layers, an objective can ask for "image", the pixels, and "source", the undreamt picture (both 1,
h, w, 3 in [-1, 1]); and for extras, tensors that can change without recompilation.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from dreamvideo.dream.nn import avg_pool2d, conv2d
from dreamvideo.dream.runtime import tensorflow

Activations = Mapping[str, Any]
Extra = tuple[str, tuple[int | None, ...]]

OVER_PICTURE = (None, None)
# Names of extras; those that end in a colon are followed by what they belong to.
WEIGHTS, SOURCE, PLACE, CHOSEN, GUIDE = "weights", "source", "place:", "chosen:", "guide:"
CREATURES = "creatures:"
GATE = "gate"
# Share of a layer's channels that one seed of creatures dreams.
CREATURES_SHARE = 0.25
# Mean squares below these count as silence: the root or logarithm of a silent channel is too steep.
RMS_SILENCE, LOG_SILENCE = 1e-3, 1e-2
# With these scales a class, a photograph's variation and a strong dream's distance to it pull about
# as hard as the means of the bundled network's own layers (deviations of gradients, measured).
LOGIT_SCALE = 0.03
VARIATION_SCALE = 40.0
DISTANCE_SCALE = 100.0
# Sigma of a place, as a share of the shorter side: at a single point most channels are silent and
# have no gradient.
PLACE_SIGMA = 0.06


@dataclass(frozen=True)
class Objective:
    """A scalar to maximise, and its inputs.

    Attributes:
        layers: Names of the activations (1, h, w, channels) that ``value`` is called with.
        value: Computes the scalar.
        extras: Further tensors by name and shape; (None, None, channels) for maps over the picture.
    """

    layers: frozenset[str]
    value: Callable[[Activations], Any]
    extras: frozenset[Extra] = frozenset()

    def __add__(self, other: Objective) -> Objective:
        return Objective(
            self.layers | other.layers,
            lambda a: self.value(a) + other.value(a),
            self.extras | other.extras,
        )

    def __mul__(self, weight: float) -> Objective:
        return Objective(self.layers, lambda a: weight * self.value(a), self.extras)

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return self * -1.0

    def __sub__(self, other: Objective) -> Objective:
        return self + -other


def layer_mean(layer: str) -> Objective:
    """The mean of all activations of a layer: the loss of Mordvintsev et al., "Inceptionism"."""
    return Objective(frozenset([layer]), lambda a: tensorflow().reduce_mean(a[layer]))


def weighted_layers(weights: Iterable[tuple[str, float]]) -> Objective:
    """Sum over (layer, weight) of weight times the layer's mean activation."""
    return reduce(add, (layer_mean(layer) * weight for layer, weight in weights))


def layer_l2(layer: str) -> Objective:
    """The mean of a layer's squares: what is strong is raised most (google/deepdream)."""
    return Objective(frozenset([layer]), lambda a: tensorflow().reduce_mean(a[layer] ** 2))


def layer_channels(layer: str, mode: str, count: int) -> Objective:
    """A weighted mean over a layer's channels of one statistic of each.

    With ``rms`` or ``log`` a channel's pull falls as it is raised, so that many kinds of creatures
    emerge instead of the few that a mean of squares favours. The weights are the extra
    ``creatures_name(layer)``, which sums to 1 (``creature_shares``).

    Args:
        layer: Name of the layer.
        mode: ``mean``, ``l2`` (mean of squares), ``rms`` (its root) or ``log`` (its logarithm).
        count: Number of channels of the layer.
    """
    name = creatures_name(layer)
    return Objective(
        frozenset([layer]),
        lambda a: tensorflow().reduce_sum(_statistic(a[layer], mode) * a[name]),
        frozenset([(name, (count,))]),
    )


def creatures_name(layer: str) -> str:
    """Return the name of the extra that holds the weights of a layer's channels."""
    return f"{CREATURES}{layer}"


def creature_shares(layer: str, count: int, seed: int) -> np.ndarray[Any, Any]:
    """Return the weights of a layer's channels that a seed selects: (count,), summing to 1.

    All channels are equal for seed 0; any other seed picks a random quarter of them.

    Args:
        layer: Name of the layer.
        count: Number of its channels.
        seed: The seed.
    """
    if seed == 0:
        return np.full(count, 1 / count, np.float32)
    words = np.random.SeedSequence((seed, zlib.crc32(layer.encode())))
    few = max(1, round(count * CREATURES_SHARE))
    return _shares(np.random.default_rng(words).permutation(count)[:few].tolist(), count)


def mean_of_channels(
    layer: str, chosen: Sequence[int], count: int, *, mode: str = "mean"
) -> Objective:
    """The mean over some channels of a layer of one statistic of each (``layer_channels``).

    Args:
        layer: Name of the layer.
        chosen: The channels.
        count: Number of channels of the layer.
        mode: The statistic.
    """
    share = _shares(chosen, count)
    return Objective(
        frozenset([layer]), lambda a: _along_channels(_statistic(a[layer], mode), share)
    )


def weigh_place(
    layer: str,
    chosen: Sequence[int],
    count: int,
    place: tuple[float, float],
    *,
    squares: bool = False,
) -> Objective:
    """Some channels of a layer at one place of the picture: neurons.

    Its extra is a map over the picture (``place_map``) that is rolled with it, so that the neuron
    stays in place.

    Args:
        layer: Name of the layer.
        chosen: The channels.
        count: Number of channels of the layer.
        place: (x, y) as shares of the sides.
        squares: Whether to average squares.
    """
    share, name = _shares(chosen, count), place_name(place)

    def value(activations: Activations) -> Any:
        tf = tensorflow()
        seen = activations[layer]
        where = tf.image.resize(activations[name], tf.shape(seen)[1:3])
        return _along_channels(_mean_of_places((seen**2 if squares else seen) * where), share)

    return Objective(frozenset([layer]), value, frozenset([(name, (*OVER_PICTURE, 1))]))


def place_name(place: tuple[float, float]) -> str:
    """Return the name of the extra for a place."""
    return f"{PLACE}{place[0]:g}x{place[1]:g}"


def place_of(name: str) -> tuple[float, float]:
    """Return the place (x, y) of such an extra."""
    x, y = name.removeprefix(PLACE).split("x")
    return float(x), float(y)


def place_map(place: tuple[float, float], height: int, width: int) -> np.ndarray[Any, Any]:
    """Return H x W x 1: a soft spot around the place (x, y), with mean 1.

    Args:
        place: (x, y) as shares of the sides.
        height: Height in pixels.
        width: Width in pixels.
    """
    sigma = PLACE_SIGMA * min(height, width)
    down, right = (
        np.exp(-0.5 * ((np.arange(side) - share * (side - 1)) / sigma) ** 2)
        for side, share in ((height, place[1]), (width, place[0]))
    )
    spot = np.outer(down, right)[..., None]
    return np.asarray(spot / spot.mean(), np.float32)


def pick_strongest(layer: str, third: str, count: int) -> Objective:
    """The mean of the channels that the extra ``chosen_name(layer, third)`` selects.

    Its shares sum to 1. If it selects the channels that the source excites, the dream amplifies
    what is there (google/deepdream's followers).

    Args:
        layer: Name of the layer.
        third: Which third of the channels: ``strong``, ``average`` or ``weak``.
        count: Number of channels of the layer.
    """
    name = chosen_name(layer, third)
    return Objective(
        frozenset([layer]),
        lambda a: tensorflow().reduce_sum(_mean_of_places(a[layer]) * a[name]),
        frozenset([(name, (count,))]),
    )


def chosen_name(layer: str, third: str) -> str:
    """Return the name of the extra that selects the channels."""
    return f"{CHOSEN}{layer}:{third}"


def dream_class(layer: str, direction: np.ndarray[Any, Any]) -> Objective:
    """A class's logit without its bias: the mean of ``layer`` along ``direction`` (channels).

    The classifier follows a spatial average, so this is also the mean of the logits of all places:
    the class is dreamt everywhere.
    """
    share = np.asarray(direction * LOGIT_SCALE, np.float32)
    return Objective(
        frozenset([layer]), lambda a: _along_channels(_mean_of_places(a[layer]), share)
    )


def recognise_classes(layer: str, kernel: np.ndarray[Any, Any]) -> Objective:
    """How sure a classifier is of what it sees at each place, in nats, whatever that is.

    The mean over places of ``log n - H``, with H the entropy of the n classes' probabilities: 0
    where nothing is recognised, log n where one class is certain. A place is 3 x 3 activations;
    every second one is looked at in both directions, which is enough for pictures that are rolled.

    Args:
        layer: Name of the layer whose average the classifier takes.
        kernel: (channels, classes), its weights; its biases are left out.
    """
    lifted = np.asarray(kernel, np.float32)[None, None]

    def value(activations: Activations) -> Any:
        tf = tensorflow()
        around = avg_pool2d(activations[layer], 3, 2, "SAME")
        logs = tf.raw_ops.LogSoftmax(logits=conv2d(around, lifted, 1, "SAME"))
        return math.log(kernel.shape[1]) + tf.reduce_mean(tf.reduce_sum(tf.exp(logs) * logs, -1))

    return Objective(frozenset([layer]), value)


def gate(
    objective: Objective, layer: str, advance: Callable[[Any, Sequence[str]], Activations]
) -> Objective:
    """Return an objective of value 0 that pulls like another one while ``GATE`` is positive.

    Added to a further one it pulls, but what is reached stays comparable. While that extra is 0,
    nothing deeper than ``layer`` is computed for it.

    Args:
        objective: The other one, of deeper layers and without extras.
        layer: Name of the layer that it is entered from.
        advance: (activations of ``layer``, names of deeper layers) -> their activations.
    """

    def value(activations: Activations) -> Any:
        tf = tensorflow()
        here = activations[layer]

        def differentiate() -> Any:
            # In here, since the gradient of a branch would be a branch of its own, which takes
            # every activation of this one.
            entered = tf.identity(here)
            with tf.GradientTape() as tape:
                tape.watch(entered)
                reached = objective.value(advance(entered, sorted(objective.layers)))
            return tape.gradient(reached, entered)

        slope = tf.cond(activations[GATE] > 0, differentiate, lambda: tf.zeros_like(here))
        pull = tf.reduce_sum(here * tf.stop_gradient(slope))
        return pull - tf.stop_gradient(pull)

    return Objective(frozenset([layer]), value, frozenset([(GATE, ())]))


def match_guide(layer: str, count: int) -> Objective:
    """Similarity of every place to the feature of a guide that fits it best (google/deepdream).

    The mean over places of the largest dot product with any row of the extra ``guide_name(layer)``,
    features (n, channels), divided by the number of channels.
    """
    name = guide_name(layer)

    def value(activations: Activations) -> Any:
        tf = tensorflow()
        rows, features = activations[layer][0], activations[name]
        still = tf.stop_gradient(rows)
        # Row by row: the similarities of all places at once would take much memory.
        best = tf.map_fn(
            lambda row: tf.argmax(tf.matmul(row, features, transpose_b=True), -1, tf.int32),
            still,
            fn_output_signature=tf.TensorSpec([None], tf.int32),
            parallel_iterations=1,
        )
        return tf.reduce_mean(rows * tf.gather(features, best))

    return Objective(frozenset([layer]), value, frozenset([(name, (None, count))]))


def guide_name(layer: str) -> str:
    """Return the name of the extra that holds a guide's features."""
    return f"{GUIDE}{layer}"


def layer_of(name: str) -> str:
    """Return the layer that an extra of chosen channels or of a guide belongs to."""
    return name.split(":")[1]


def total_variation() -> Objective:
    """The mean absolute difference of neighbouring pixels: high for noise and fine lines."""

    def value(activations: Activations) -> Any:
        tf = tensorflow()
        image = activations["image"]
        down, right = image[:, 1:] - image[:, :-1], image[:, :, 1:] - image[:, :, :-1]
        # Rounded at zero, where the absolute value has no gradient.
        sizes = [tf.reduce_mean(tf.sqrt(step**2 + 1e-4)) for step in (down, right)]
        return VARIATION_SCALE * (sizes[0] + sizes[1])

    return Objective(frozenset(["image"]), value)


def distance() -> Objective:
    """The mean squared difference to the source."""
    return Objective(
        frozenset(["image", SOURCE]),
        lambda a: DISTANCE_SCALE * tensorflow().reduce_mean((a["image"] - a[SOURCE]) ** 2),
        frozenset([(SOURCE, (*OVER_PICTURE, 3))]),
    )


def weigh_terms(objectives: Sequence[Objective]) -> Objective:
    """The sum of objectives, each times its entry in the extra ``WEIGHTS``."""

    def value(activations: Activations) -> Any:
        weights = activations[WEIGHTS]
        return reduce(add, (weights[n] * each.value(activations) for n, each in numbered))

    numbered = tuple(enumerate(objectives))
    return Objective(
        frozenset[str]().union(*(each.layers for each in objectives)),
        value,
        frozenset([(WEIGHTS, (len(numbered),))]).union(*(each.extras for each in objectives)),
    )


def _shares(chosen: Sequence[int], count: int) -> np.ndarray[Any, Any]:
    share = np.zeros(count, np.float32)
    share[list(chosen)] = 1 / len(set(chosen))
    return share


def _statistic(activations: Any, mode: str) -> Any:
    """Return one number per channel of (1, h, w, channels), as ``layer_channels`` says."""
    tf = tensorflow()
    if mode in ("", "mean"):
        return _mean_of_places(activations)
    squares = _mean_of_places(activations**2)
    if mode == "rms":
        return tf.sqrt(squares + RMS_SILENCE)
    return tf.math.log(squares + LOG_SILENCE) if mode == "log" else squares


def _mean_of_places(activations: Any) -> Any:
    return tensorflow().reduce_mean(activations, axis=(0, 1, 2))


def _along_channels(values: Any, share: np.ndarray[Any, Any]) -> Any:
    tf = tensorflow()
    return tf.reduce_sum(values * tf.constant(share, values.dtype))
