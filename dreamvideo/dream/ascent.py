"""The compiled step: image -> image a little further up the objective's gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.objectives import Objective
from dreamvideo.dream.runtime import tensorflow

Image = NDArray[np.float32]
Forward = Callable[[Any, Sequence[str]], Mapping[str, Any]]
OnStep = Callable[[int, float, Image], None]

# The reference's own guard against a flat gradient.
STD_EPSILON = 1e-8
# Side of the neighbourhood of an even step and the stride at which it is looked at, px.
NEIGHBOURHOOD, STRIDE = 32, 8


class Ascent:
    """Gradient ascent on one objective of one network, compiled once for every image size.

    A step is ``x <- clip(x + step * g / std(g), -1, 1)``, g the objective's gradient at x, x
    rolled by the step's jitter first and back afterwards (TensorFlow's DeepDream tutorial).
    Where asked, ``even``, the divisor is the larger of that and the deviation round about: where
    most of a picture is dreamt already its gradient is small, and what is new in it would be
    overshot. ``traces`` counts compilations.
    """

    def __init__(self, forward: Forward, objective: Objective) -> None:
        tf = tensorflow()
        layers = sorted(objective.layers)
        self.traces = 0

        def step(image: Any, size: Any, shift: Any, even: Any) -> tuple[Any, Any]:
            self.traces += 1
            rolled = tf.roll(image, shift, (0, 1))
            with tf.GradientTape() as tape:
                tape.watch(rolled)
                loss = objective.value(forward(rolled[None], layers))
            gradient = tape.gradient(loss, rolled)
            gradient = tf.roll(gradient, -shift, (0, 1))
            scale = tf.maximum(tf.math.reduce_std(gradient), even * _local_std(gradient))
            gradient = gradient / (scale + STD_EPSILON)
            return tf.clip_by_value(image + gradient * size, -1.0, 1.0), loss

        self._step = tf.function(
            step,
            autograph=False,
            input_signature=[
                tf.TensorSpec([None, None, 3], tf.float32),
                tf.TensorSpec([None, None, 1], tf.float32),
                tf.TensorSpec([2], tf.int32),
                tf.TensorSpec([], tf.float32),
            ],
        )

    def climb(
        self,
        image: Image,
        step_size: float | Image,
        shifts: NDArray[np.int32],
        on_step: OnStep | None = None,
        *,
        even: bool = False,
    ) -> tuple[Image, list[float]]:
        """Take one step for each (dy, dx) of ``shifts`` (n x 2, pixels).

        ``image`` is H x W x 3 in [-1, 1]; ``step_size`` a number or an H x W map, in the same
        units. Returns the image and the objective before each step. The steps run without
        waiting for one another unless ``on_step(step, loss, image)`` looks at each.
        """
        tf = tensorflow()
        current = tf.constant(image, tf.float32)
        size = tf.constant(np.atleast_2d(np.asarray(step_size, np.float32))[..., None])
        evenness = tf.constant(float(even))
        losses = []
        for index, shift in enumerate(shifts):
            current, loss = self._step(current, size, tf.constant(shift, tf.int32), evenness)
            losses.append(loss)
            if on_step is not None:
                on_step(index, float(loss), current.numpy())
        return current.numpy(), [float(loss) for loss in losses]


def _local_std(gradient: Any) -> Any:
    """Deviation of H x W x 3 round every pixel, H x W x 1."""
    tf = tensorflow()
    energy = tf.reduce_mean(gradient**2, -1, keepdims=True)[None]
    pooled = tf.nn.avg_pool2d(energy, NEIGHBOURHOOD, STRIDE, "SAME")
    return tf.sqrt(tf.image.resize(pooled, tf.shape(gradient)[:2]))[0]
