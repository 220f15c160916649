"""The compiled step: image -> image a little further up the objective's gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.objectives import Objective
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.dream.step import Forward, Step

Image = NDArray[np.float32]
OnStep = Callable[[int, float, Image], None]


class Ascent:
    """Gradient ascent on one objective of one network, compiled once for every image size.

    In each step (``Step``) the gradient is taken at the image rolled by the step's jitter and
    rolled back. ``traces`` counts compilations.
    """

    def __init__(
        self,
        forward: Forward,
        objective: Objective,
        *,
        step: Callable[[Forward, Objective], Step] = Step,
    ) -> None:
        """``step`` makes the arithmetic, where it is not the plain one."""
        tf = tensorflow()
        self.traces = 0
        arithmetic = step(forward, objective)
        self._extras_spec = arithmetic.extras_spec

        def whole_step(
            image: Any, size: Any, shift: Any, even: Any, extras: Mapping[str, Any]
        ) -> tuple[Any, Any]:
            self.traces += 1
            laid = {
                name: tf.roll(value, shift, (0, 1)) if _lies_over_picture(value) else value
                for name, value in extras.items()
            }
            gradient, loss = arithmetic.gradient(tf.roll(image, shift, (0, 1)), laid)
            gradient = tf.roll(gradient, -shift, (0, 1))
            return arithmetic.update(image, gradient, size, even, extras), loss

        self._step = tf.function(
            whole_step,
            autograph=False,
            input_signature=[
                tf.TensorSpec([None, None, 3], tf.float32),
                tf.TensorSpec([None, None, 1], tf.float32),
                tf.TensorSpec([2], tf.int32),
                tf.TensorSpec([], tf.float32),
                self._extras_spec,
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
        extras: Mapping[str, NDArray[Any]] | None = None,
    ) -> tuple[Image, list[float]]:
        """Take one step for each (dy, dx) of ``shifts`` (n x 2, pixels).

        ``image`` is H x W x 3 in [-1, 1]; ``step_size`` a number or an H x W map, in the same
        units; ``extras`` is what the step's ``extras_spec`` asks for. Returns the image and the
        objective before each step. The steps run without waiting for one another unless
        ``on_step(step, loss, image)`` looks at each.
        """
        tf = tensorflow()
        current = tf.constant(image, tf.float32)
        size = tf.constant(np.atleast_2d(np.asarray(step_size, np.float32))[..., None])
        evenness = tf.constant(float(even))
        given = {
            name: tf.constant((extras or {})[name], spec.dtype)
            for name, spec in self._extras_spec.items()
        }
        losses = []
        for index, shift in enumerate(shifts):
            current, loss = self._step(current, size, tf.constant(shift, tf.int32), evenness, given)
            losses.append(loss)
            if on_step is not None:
                on_step(index, float(loss), current.numpy())
        return current.numpy(), [float(loss) for loss in losses]


def _lies_over_picture(extra: Any) -> bool:
    return extra.shape.rank == 3 and extra.shape[0] is None and extra.shape[1] is None
