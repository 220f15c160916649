"""The arithmetic of one step, in TensorFlow: image -> gradient of the objective -> image.

Nothing here is compiled: ``GradientAscent`` compiles a whole step, or its parts for tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dreamvideo.dream.objectives import Objective
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.dream.shaping import PLAIN, Shaping

Forward = Callable[[Any, Sequence[str]], Mapping[str, Any]]

# The reference's own guard against a flat gradient.
STD_EPSILON = 1e-8
# Inputs of an objective that are not layers.
NOT_LAYERS = {"image", "source"}


class Step:
    """``x <- clip(x + size * g / scale(g), -1, 1)``, g the objective's gradient at x.

    As in TensorFlow's DeepDream tutorial, where scale is the deviation of g, unless ``shaping``
    says otherwise.
    """

    def __init__(self, forward: Forward, objective: Objective, shaping: Shaping = PLAIN) -> None:
        """Combine a network, an objective and a shaping.

        Args:
            forward: The network.
            objective: The objective to raise.
            shaping: How the gradient is shaped.
        """
        self._forward = forward
        self._objective = objective
        self._layers = sorted(objective.layers - NOT_LAYERS)
        self._shaping = shaping

    @property
    def shaping(self) -> Shaping:
        """How the gradient is shaped."""
        return self._shaping

    @property
    def parts(self) -> tuple[Step, ...]:
        """The steps whose gradients are taken one after another, side by side in ``gradient``."""
        return (self,)

    @property
    def extras_spec(self) -> dict[str, Any]:
        """What each step needs besides the image: name -> TensorSpec.

        Extras of [None, None, channels] are maps over the picture: they are rolled, and cut into
        tiles, along with it. All others are passed as they are.
        """
        tf = tensorflow()
        wanted = sorted(self._objective.extras | self._shaping.extras)
        return {name: tf.TensorSpec(shape, tf.float32) for name, shape in wanted}

    def gradient(self, image: Any, extras: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return gradient (H x W x 3) and objective (scalar) of an image H x W x 3 in [-1, 1].

        ``extras`` are tensors of ``extras_spec``. Image and extras may be a tile of the picture.
        """
        tf = tensorflow()
        # An extra over the picture gets the batch axis that activations have.
        values = {
            name: value[None] if value.shape.rank == 3 else value for name, value in extras.items()
        }
        with tf.GradientTape() as tape:
            tape.watch(image)
            values["image"] = tf.expand_dims(image, 0)
            if self._layers:
                values.update(self._forward(values["image"], self._layers))
            loss = self._objective.value(values)
        return tape.gradient(loss, image), loss

    def merge(self, gradient: Any, extras: Mapping[str, Any]) -> Any:
        """Return the gradient to follow, H x W x 3, from that of the whole picture."""
        return gradient

    def update(
        self, image: Any, gradient: Any, size: Any, even: Any, extras: Mapping[str, Any]
    ) -> Any:
        """Move the whole image along ``gradient``.

        Args:
            image: H x W x 3 in [-1, 1].
            gradient: Of the whole picture, as ``gradient`` gives it.
            size: Step size, a number or H x W x 1.
            even: 1 to divide by the larger of the deviation of the whole and that of the
                neighbourhood, else 0. Where most of a picture is dreamt already its gradient is
                small, so steps would overshoot in what is new.
            extras: Tensors of ``extras_spec``.
        """
        tf = tensorflow()
        gradient = self._shaping.shape(self.merge(gradient, extras), extras)

        def move_image(scale: Any) -> Any:
            return image + gradient * (size / (scale + STD_EPSILON))

        # The branches return pictures: XLA requires branches of one shape, and dividing a picture
        # by a map of one channel would take longer than everything else here.
        whole = self._shaping.scale(gradient)
        further = tf.cond(
            even > 0,
            lambda: move_image(tf.maximum(whole, self._shaping.scale_about(gradient))),
            lambda: move_image(whole),
        )
        return tf.clip_by_value(further, -1.0, 1.0)
