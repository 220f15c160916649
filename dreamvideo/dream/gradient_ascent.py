"""The compiled gradient step: moves an image a little further up the objective's gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.cancel import check
from dreamvideo.dream.convolution import bfloat16_gradient
from dreamvideo.dream.device import choose_device
from dreamvideo.dream.float16 import run_in_float16
from dreamvideo.dream.memory_estimate import MemoryEstimate
from dreamvideo.dream.mixed_step import MixedStep
from dreamvideo.dream.objectives import GATE, Objective
from dreamvideo.dream.patches import Box, list_shifts
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.dream.step import Forward, Step
from dreamvideo.dream.tiles import tile_shape, tiles
from dreamvideo.memory import release_memory
from dreamvideo.settings.machine import MachineSettings

Image = NDArray[np.float32]
OnStep = Callable[[int, float, Image], None]
OnTile = Callable[[int, int], None]
Tensors = Mapping[str, Any]
MACHINE = MachineSettings()
# Values of the extra ``GATE``.
SHUT, OPEN = np.zeros((), np.float32), np.ones((), np.float32)
IN_PRECISION: dict[str, Callable[[Forward], Forward]] = {
    # Whoever may choose another one has done so before.
    "auto": lambda forward: forward,
    "float32": lambda forward: forward,
    "bfloat16": bfloat16_gradient,
    "float16": run_in_float16,
}


class GradientAscent:
    """Gradient ascent on the objective of one network, compiled once for all image sizes.

    Several networks are climbed together, each on its own objective (``MixedStep``).

    In each step (``Step``) the gradient is taken at the image rolled by the step's jitter and
    rolled back: of the whole image, or of overlapping tiles one after another if it would exceed
    the memory limit. ``traces`` counts compilations of the gradient.
    """

    def __init__(
        self,
        forward: Forward,
        objective: Objective,
        *,
        step: Callable[[Forward, Objective], Step] = Step,
        others: Sequence[tuple[Forward, Objective]] = (),
        machine: MachineSettings = MACHINE,
        xla: bool | None = None,
    ) -> None:
        """Compile the step.

        Args:
            forward: The network.
            objective: The objective to raise.
            step: Makes the arithmetic of a step.
            others: Further networks, each with its own objective.
            machine: Device, precision and memory limit.
            xla: Compile separately for each image size, which pays off on a GPU only; None: on a
                GPU.

        Raises:
            UsageError: The device does not exist.
        """
        tf = tensorflow()
        self.traces = 0
        self._device = choose_device(machine.device)
        convert = IN_PRECISION[machine.precision]
        steps = [step(convert(each), goal) for each, goal in ((forward, objective), *others)]
        self._step = MixedStep(steps) if others else steps[0]
        self._extras_spec = self._step.extras_spec
        self._footprint = MemoryEstimate(self._step, machine)
        compiled = self._device.is_gpu if xla is None else xla
        self.takes_any_size = not compiled
        image = tf.TensorSpec([None, None, 3], tf.float32)
        size = tf.TensorSpec([None, None, 1], tf.float32)
        even = tf.TensorSpec([], tf.float32)
        shift = tf.TensorSpec([2], tf.int32)

        def function(body: Callable[..., Any], *signature: Any) -> Any:
            return tf.function(
                body,
                autograph=False,
                jit_compile=compiled or None,
                input_signature=[*signature, self._extras_spec],
            )

        self._whole = function(self._whole_step, image, size, even, shift)
        self._gradient = function(self._counted_gradient, image)
        self._channels = 3 * len(self._step.parts)
        gradient = tf.TensorSpec([None, None, self._channels], tf.float32)
        self._update = function(self._step.update, image, gradient, size, even)

    def climb(
        self,
        image: Image,
        step_size: float | Image,
        shifts: NDArray[np.int32],
        on_step: OnStep | None = None,
        *,
        even: bool = False,
        within: Box | None = None,
        extras: Mapping[str, NDArray[Any]] | None = None,
        on_tile: OnTile | None = None,
    ) -> tuple[Image, list[float]]:
        """Take one step for each (dy, dx) of ``shifts``.

        The steps run without waiting for one another, unless ``on_step`` looks at each or the image
        is processed in tiles.

        Args:
            image: H x W x 3 in [-1, 1].
            step_size: A number or an H x W map, in the same units.
            shifts: n x 2, pixels to roll by.
            on_step: Called as ``on_step(step, loss, image)`` after each step.
            even: Whether to avoid overshooting in areas that are new (``Step.update``).
            within: Only this box changes, and of it only where ``step_size`` is not 0.
            extras: Values of the step's ``extras_spec``.
            on_tile: Called as ``on_tile(done, total)`` for each tile of a step.

        Returns:
            The image and the objective before each step.

        Raises:
            Interrupted: This process was asked to stop.
        """
        tf = tensorflow()
        height, width = image.shape[:2]
        if within is not None and within != Box(0, 0, height, width):
            return self._climb_in(within, image, step_size, shifts, even, extras or {})
        tile = tile_shape(height, width, self._footprint.most_pixels(height, width))
        losses, traces = [], self.traces
        with tf.device(self._device.name):
            current = tf.constant(image, tf.float32)
            size = tf.constant(np.atleast_2d(np.asarray(step_size, np.float32))[..., None])
            evenness = tf.constant(float(even))
            given = self._tensors(extras or {})
            for index, shift in enumerate(shifts):
                check()
                if tile == (height, width):
                    current, loss = self._whole(current, size, evenness, tf.constant(shift), given)
                else:
                    turned = (tile, shift, index)
                    gradient, loss = self._tiled_gradient(current, turned, extras or {}, on_tile)
                    current = self._update(current, gradient, size, evenness, given)
                    del gradient
                losses.append(loss)
                if on_step is not None:
                    on_step(index, float(loss), current.numpy())
            climbed = current.numpy(), [float(loss) for loss in losses]
        if self.traces > traces:
            # Compiling leaves behind several copies of the network.
            release_memory()
        return climbed

    def _climb_in(
        self,
        window: Box,
        image: Image,
        step_size: float | Image,
        shifts: NDArray[np.int32],
        even: bool,
        extras: Mapping[str, NDArray[Any]],
    ) -> tuple[Image, list[float]]:
        """Run ``climb`` on a window as a picture of its own."""
        step = np.broadcast_to(np.float32(step_size), image.shape[:2])[window.place]
        given = {
            name: extras[name][window.place] if _lies_over_picture(spec) else extras[name]
            for name, spec in self._extras_spec.items()
        }
        part = image[window.place]
        climbed, losses = self.climb(
            part, step, list_shifts(window, shifts), even=even, extras=given
        )
        whole = image.copy()
        whole[window.place] = np.where(step[..., None] > 0, climbed, part)
        return whole, losses

    def _tensors(self, extras: Mapping[str, NDArray[Any]]) -> Tensors:
        convert = tensorflow().convert_to_tensor
        return {n: convert(extras[n], spec.dtype) for n, spec in self._extras_spec.items()}

    def _whole_step(
        self, image: Any, size: Any, even: Any, shift: Any, extras: Tensors
    ) -> tuple[Any, Any]:
        roll = tensorflow().roll
        laid = {
            name: roll(value, shift, (0, 1)) if _lies_over_picture(value) else value
            for name, value in extras.items()
        }
        gradient, loss = self._counted_gradient(roll(image, shift, (0, 1)), laid)
        gradient = roll(gradient, -shift, (0, 1))
        return self._step.update(image, gradient, size, even, extras), loss

    def _counted_gradient(self, image: Any, extras: Tensors) -> tuple[Any, Any]:
        self.traces += 1
        return self._step.gradient(image, extras)

    def _tiled_gradient(
        self,
        image: Any,
        turned: tuple[tuple[int, int], NDArray[np.int32], int],
        extras: Mapping[str, NDArray[Any]],
        on_tile: OnTile | None,
    ) -> tuple[Any, float]:
        """Return gradient and objective, from tiles of the image rolled by the step's shift.

        Objectives are means, so a tile's gradient is larger than the whole picture's, by the
        inverse of the share of the picture it covers.
        """
        shape, shift, turn = turned
        pixels: Image = image.numpy()
        height, width = pixels.shape[:2]
        total = np.zeros((height, width, self._channels), np.float32)
        cut = list(tiles((height, width), shape, turn))
        losses = []
        for done, tile in enumerate(cut, 1):
            check()
            place = np.ix_(
                (tile.rows.places - shift[0]) % height, (tile.columns.places - shift[1]) % width
            )
            given = {
                name: extras[name][place] if _lies_over_picture(spec) else extras[name]
                for name, spec in self._extras_spec.items()
            }
            gradient, loss = self._gradient(
                tensorflow().constant(pixels[place]), self._tensors(given)
            )
            total[place] += gradient.numpy() * tile.weights
            losses.append(float(loss))
            if on_tile is not None:
                on_tile(done, len(cut))
        total *= shape[0] * shape[1] / (height * width)
        return tensorflow().convert_to_tensor(total), float(np.mean(losses))


class ClosingAscent:
    """Gradient ascent whose gate (``objectives.gate``) is open in the last steps at each size."""

    def __init__(self, ascent: GradientAscent, steps: int) -> None:
        """Wrap an ascent.

        Args:
            ascent: The ascent, of an objective with a gate.
            steps: How many steps of each size the gate is open.
        """
        self._ascent, self._steps = ascent, steps

    @property
    def takes_any_size(self) -> bool:
        """Whether pictures of any size are climbed without compiling again."""
        return self._ascent.takes_any_size

    def climb(
        self,
        image: Image,
        step_size: float | Image,
        shifts: NDArray[np.int32],
        on_step: OnStep | None = None,
        *,
        extras: Mapping[str, NDArray[Any]] | None = None,
        **how: Any,
    ) -> tuple[Image, list[float]]:
        """Take the steps, as ``GradientAscent.climb`` does with the same arguments."""
        first = max(0, len(shifts) - self._steps)

        def report(step: int, loss: float, image: Image) -> None:
            if on_step is not None:
                on_step(first + step, loss, image)

        climbed, losses = image, list[float]()
        if first:
            how["extras"] = {**(extras or {}), GATE: SHUT}
            climbed, losses = self._ascent.climb(image, step_size, shifts[:first], on_step, **how)
        later = report if on_step is not None else None
        how["extras"] = {**(extras or {}), GATE: OPEN}
        climbed, last = self._ascent.climb(climbed, step_size, shifts[first:], later, **how)
        return climbed, losses + last


def _lies_over_picture(extra: Any) -> bool:
    shape = extra.shape
    return shape.rank == 3 and shape[0] is None and shape[1] is None
