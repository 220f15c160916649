"""The step of several networks: their gradients are normalised, weighed and added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dreamvideo.dream.deterministic_ops import deviation
from dreamvideo.dream.objectives import PLACE, SOURCE
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.dream.shaping import COLOUR, SIGMA
from dreamvideo.dream.step import Step

# Name of the extra that holds the networks' weights.
NETWORKS = "networks"
# Below this the sum of the weights is nothing: no network dreams.
LEAST_WEIGHT = 1e-6
# A guard against flat gradients. The recipe's own is as large as the gradients of some networks for
# large pictures, which would then count for less.
LEAST_SCALE = 1e-16


def own_name(number: int, name: str) -> str:
    """Return the name, in a mixture, of an extra of its network of that number.

    What lies over the picture and what shapes the sum is the same for all.
    """
    shared = name in (SOURCE, SIGMA, COLOUR) or name.startswith(PLACE)
    return name if shared else f"{number}:{name}"


class MixedStep(Step):
    """``Step`` along the sum of ``w[k] * g[k] / std(g[k])``, g[k] the gradient of one network.

    Each gradient is that of the network's own objective, taken through its own preprocessing; its
    deviation is that over the whole picture. The extra ``NETWORKS`` holds the weights w; a network
    of weight 0 is not run. The objective is the sum of ``w[k]`` times that of each network.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        """Combine the steps of networks, which have the same shaping."""
        self._steps = tuple(steps)
        self._shaping = steps[0].shaping

    @property
    def parts(self) -> tuple[Step, ...]:
        """The steps whose gradients are taken one after another."""
        return self._steps

    @property
    def extras_spec(self) -> dict[str, Any]:
        """What each step needs besides the image, as ``Step`` does."""
        tf = tensorflow()
        own = {
            own_name(number, name): spec
            for number, step in enumerate(self._steps)
            for name, spec in step.extras_spec.items()
        }
        return {**own, NETWORKS: tf.TensorSpec([len(self._steps)], tf.float32)}

    def gradient(self, image: Any, extras: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return the networks' gradients side by side, H x W x 3 n, and the objective (scalar)."""
        tf = tensorflow()
        gradients: list[Any] = []
        losses = []
        for number, step in enumerate(self._steps):
            # One after another: together they would take the memory of all.
            with tf.control_dependencies(gradients[-1:]):
                seen = tf.identity(image)
            weight = extras[NETWORKS][number]
            found, loss = _run_unless_silent(step, seen, weight, self._select(number, extras))
            gradients.append(found)
            losses.append(weight * loss)
        return tf.concat(gradients, -1), tf.add_n(losses)

    def merge(self, gradient: Any, extras: Mapping[str, Any]) -> Any:
        """Return the weighted sum, H x W x 3, of normalised gradients side by side.

        It is as large as the gradients are on average, so that one network alone is unchanged, to
        the bit, and what follows knows how much the picture excites them.
        """
        tf = tensorflow()
        weights = extras[NETWORKS]
        shares = weights / tf.maximum(tf.reduce_sum(tf.abs(weights)), LEAST_WEIGHT)
        gradients = tf.split(gradient, len(self._steps), -1)
        scales = [deviation(each) + LEAST_SCALE for each in gradients]
        size = tf.add_n([tf.abs(shares[n]) * scale for n, scale in enumerate(scales)])
        return tf.add_n(
            [
                each * (shares[n] * (size / scale))
                for n, (each, scale) in enumerate(zip(gradients, scales, strict=True))
            ]
        )

    def _select(self, number: int, extras: Mapping[str, Any]) -> dict[str, Any]:
        names = self._steps[number].extras_spec
        return {name: extras[own_name(number, name)] for name in names}


def _run_unless_silent(step: Step, image: Any, weight: Any, extras: Mapping[str, Any]) -> Any:
    tf = tensorflow()
    return tf.cond(
        tf.not_equal(weight, 0.0),
        lambda: step.gradient(image, extras),
        lambda: (tf.zeros_like(image), tf.zeros([])),
    )
