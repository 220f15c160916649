"""The arithmetic of one step, in TensorFlow: image -> gradient of the objective -> image.

Nothing here is compiled: ``Ascent`` compiles a whole step, ``tiles`` its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dreamvideo.dream.objectives import Objective
from dreamvideo.dream.runtime import tensorflow

Forward = Callable[[Any, Sequence[str]], Mapping[str, Any]]

# The reference's own guard against a flat gradient.
STD_EPSILON = 1e-8
# Side of the neighbourhood of an even step and the stride at which it is looked at, px.
NEIGHBOURHOOD, STRIDE = 32, 8


class Step:
    """``x <- clip(x + size * g / scale(g), -1, 1)``, g the objective's gradient at x.

    TensorFlow's DeepDream tutorial, with scale the deviation of g.
    """

    def __init__(self, forward: Forward, objective: Objective) -> None:
        self._forward = forward
        self._objective = objective
        self._layers = sorted(objective.layers)

    @property
    def extras_spec(self) -> dict[str, Any]:
        """What a climb must give besides the image: name -> TensorSpec.

        Extras of [None, None, channels] lie over the picture: they are rolled, and cut into
        tiles, along with it. All others are passed as they are.
        """
        return {}

    def gradient(self, image: Any, extras: Mapping[str, Any]) -> tuple[Any, Any]:
        """Gradient (H x W x 3) and objective (scalar) of an image H x W x 3 in [-1, 1].

        ``extras`` are tensors of ``extras_spec``. Image and extras may be a tile of the picture.
        """
        tf = tensorflow()
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = self._objective.value(self._forward(image[None], self._layers))
        return tape.gradient(loss, image), loss

    def update(
        self, image: Any, gradient: Any, size: Any, even: Any, extras: Mapping[str, Any]
    ) -> Any:
        """The image, ``size`` (a number or H x W x 1) further up ``gradient``; always whole.

        Where asked, ``even`` (0 or 1), the divisor is the larger of the deviation of the whole
        and that round about: where most of a picture is dreamt already its gradient is small, and
        what is new in it would be overshot.
        """
        tf = tensorflow()
        deviation = tf.reshape(tf.math.reduce_std(gradient), (1, 1, 1))
        scale = tf.cond(
            even > 0, lambda: tf.maximum(deviation, local_std(gradient)), lambda: deviation
        )
        return tf.clip_by_value(image + gradient / (scale + STD_EPSILON) * size, -1.0, 1.0)


def local_std(gradient: Any) -> Any:
    """Deviation of H x W x 3 round every pixel, H x W x 1."""
    tf = tensorflow()
    energy = tf.reduce_mean(gradient**2, -1, keepdims=True)[None]
    pooled = tf.nn.avg_pool2d(energy, NEIGHBOURHOOD, STRIDE, "SAME")
    return tf.sqrt(tf.image.resize(pooled, tf.shape(gradient)[:2]))[0]
