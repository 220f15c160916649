"""Settings -> a loaded, compiled dreamer: the one door between a render and a network."""

from __future__ import annotations

from collections.abc import Callable

from dreamvideo.dream import models
from dreamvideo.dream.ascent import Ascent, Image
from dreamvideo.dream.objectives import weighted_layers
from dreamvideo.dream.octaves import (
    Climbing,
    Dream,
    Ladder,
    automatic_octaves,
    dream,
    octave_sizes,
)
from dreamvideo.errors import UsageError
from dreamvideo.settings import DreamSettings


def ladder_for(
    settings: DreamSettings, height: int, width: int, steps: int | None = None
) -> Ladder:
    """The octaves of a picture of that size; UsageError if the network cannot take it.

    Needs no network: a picture that is too small is found out before weights are fetched.
    """
    smallest = models.entry(settings.model).smallest
    if min(height, width) < smallest:
        raise UsageError(
            f"{width} x {height} is too small for {settings.model}: "
            f"the shorter side must be {smallest} pixels or more (--size)"
        )
    scale = settings.octave_scale
    octaves = settings.octaves or automatic_octaves(height, width, scale)
    sizes = octave_sizes(height, width, octaves, scale, smallest)
    steps = settings.steps if steps is None else steps
    return Ladder(sizes, steps, settings.step_size, settings.jitter, settings.seed)


class Dreamer:
    """One network and objective, loaded and compiled once for all frames of a render."""

    def __init__(self, settings: DreamSettings) -> None:
        """Raises UsageError for unknown names, WeightsError where weights are not to be had."""
        self.settings = settings
        entry = models.entry(settings.model)
        chosen = settings.weighted_layers(entry.default_layers)
        network = models.load(settings.model, settings.weights)
        models.check_layers(network, settings.model, [name for name, _ in chosen])
        self._ascent = Ascent(network.forward, weighted_layers(chosen))

    @property
    def traces(self) -> int:
        """How often the step was compiled."""
        return self._ascent.traces

    def ladder(self, height: int, width: int, steps: int | None = None) -> Ladder:
        """The octaves of a picture of that size; UsageError if the network cannot take it."""
        return ladder_for(self.settings, height, width, steps)

    def dream(
        self,
        image: Image,
        *,
        steps: int | None = None,
        step_scale: Image | None = None,
        even: bool = False,
        frame: int = 0,
        on_step: Callable[[Climbing], None] | None = None,
    ) -> Dream:
        """Dream H x W x 3 in [-1, 1]; ``steps`` an octave, the settings' own unless given."""
        height, width = image.shape[:2]
        ladder = self.ladder(height, width, steps)
        return dream(
            self._ascent,
            image,
            ladder,
            step_scale=step_scale,
            even=even,
            frame=frame,
            on_step=on_step,
        )
