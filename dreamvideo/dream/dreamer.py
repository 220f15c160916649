"""The interface between a render and a network: a dreamer, loaded and compiled from settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream import models
from dreamvideo.dream.dream_objective import DreamObjective
from dreamvideo.dream.gradient_ascent import GradientAscent, Image, OnTile
from dreamvideo.dream.guide import ActivationProbe, channel_shares, guide_features
from dreamvideo.dream.objective_builder import WeightedObjective, build_objective
from dreamvideo.dream.objectives import (
    CHOSEN,
    CREATURES,
    GUIDE,
    PLACE,
    SOURCE,
    WEIGHTS,
    Objective,
    creature_shares,
    layer_of,
    place_map,
    place_of,
)
from dreamvideo.dream.octaves import (
    Dream,
    ExtrasAt,
    OctaveSchedule,
    StepMap,
    StepProgress,
    count_octaves,
    count_octaves_for_size,
    dream,
    list_octave_sizes,
)
from dreamvideo.dream.patches import Box
from dreamvideo.dream.shaping import COLOUR, SIGMA, Shaping
from dreamvideo.dream.step import Step
from dreamvideo.errors import UsageError
from dreamvideo.imaging import resize
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import DreamSettings, MachineSettings

Extras = Mapping[str, NDArray[np.float32]]
DEFAULT_MACHINE = MachineSettings()


def make_octave_schedule(
    settings: DreamSettings, height: int, width: int, steps: int | None = None
) -> OctaveSchedule:
    """Return the octaves of a picture of that size, in pixels.

    Needs no network, so a picture that is too small is rejected before weights are downloaded.

    Args:
        settings: Octaves, steps and sizes.
        height: Height in pixels.
        width: Width in pixels.
        steps: Steps per octave; None: the settings' own.

    Raises:
        UsageError: The picture is too small for the network.
    """
    smallest = models.find_entry(settings.model).smallest
    if min(height, width) < smallest:
        raise UsageError(
            f"{width} x {height} is too small for {settings.model}: "
            f"the shorter side must be {smallest} pixels or more (--size)"
        )
    octaves, scale = settings.octaves, settings.octave_scale
    if octaves is None and settings.creature_size:
        octaves, scale = count_octaves_for_size(height, width, scale, settings.creature_size)
    elif octaves is None:
        octaves = count_octaves(height, width, scale)
    sizes = list_octave_sizes(height, width, octaves, scale, smallest)
    return OctaveSchedule(
        sizes,
        settings.steps if steps is None else steps,
        settings.step_size,
        settings.jitter,
        settings.seed,
        detail=settings.detail,
        full=settings.steps,
    )


class Dreamer:
    """A network and an objective, loaded and compiled once for all frames of a render."""

    def __init__(
        self,
        settings: DreamSettings,
        *,
        machine: MachineSettings = DEFAULT_MACHINE,
        guide: Image | None = None,
        varying: Collection[str] = (),
        objective: Objective | DreamObjective | None = None,
    ) -> None:
        """Load the network and compile the step.

        Args:
            settings: What to dream.
            machine: Device, precision and memory limit.
            guide: Pixels of ``settings.guide``, H x W x 3 in [-1, 1].
            varying: Names of settings that change over time (``at``): what they need is compiled
                even if they are 0 at first.
            objective: Replaces the layers, classes and terms of the settings; a user's own, which
                is a ``DreamObjective``, leaves ``tv`` and ``fidelity`` as they are.

        Raises:
            UsageError: A name is unknown.
            WeightsError: The weights cannot be loaded.
        """
        self.settings = settings
        self._moment = TimePoint()
        self._source: Image | None = None
        self._picked: Extras | None = None
        self._on_tile: OnTile | None = None
        own = objective if isinstance(objective, DreamObjective) else None
        network = models.load(
            settings.model,
            settings.weights,
            classify=settings.classes is not None if own is None else own.needs_classifier,
            input_range=settings.input_range,
        )
        self._goal = (
            WeightedObjective(objective)
            if isinstance(objective, Objective)
            else build_objective(settings, network, varying, own)
        )
        shaping = Shaping(
            smooth=settings.smooth > 0 or "smooth" in varying,
            levels=settings.laplacian,
            norm=settings.norm,
            opponent=settings.balance == "opponent",
        )
        shapes = dict(self._goal.objective.extras | shaping.extras)
        self._wanted = sorted(shapes)
        self._creatures = {
            name: creature_shares(layer_of(name), int(shape[0] or 0), settings.creatures)
            for name, shape in shapes.items()
            if name.startswith(CREATURES)
        }
        step = partial(Step, shaping=shaping)
        self._ascent = GradientAscent(
            network.forward, self._goal.objective, step=step, machine=machine
        )
        self._sight = ActivationProbe(
            network.forward, [layer_of(name) for name in self._of(CHOSEN)]
        )
        self._guide = self._features(network, guide)

    @property
    def traces(self) -> int:
        """How often the step was compiled."""
        return self._ascent.traces

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms of the objective as written: layers, ``class NAME``, ``tv``, ``fidelity``."""
        return self._goal.terms

    def schedule(self, height: int, width: int, steps: int | None = None) -> OctaveSchedule:
        """Return the octaves of a picture of that size.

        Args:
            height: Height in pixels.
            width: Width in pixels.
            steps: Steps per octave; None: the settings' own.

        Raises:
            UsageError: The picture is too small for the network.
        """
        return make_octave_schedule(self.settings, height, width, steps)

    def choose(self, source: Image) -> Extras:
        """Resolve ``strong``, ``average`` and ``weak`` for a source frame; done once per shot."""
        names = self._of(CHOSEN)
        seen = self._sight(source) if names else {}
        return {n: channel_shares(seen[layer_of(n)], n.rpartition(":")[2]) for n in names}

    def at(
        self,
        settings: DreamSettings | None = None,
        moment: TimePoint | None = None,
        *,
        source: Image | None = None,
        chosen: Extras | None = None,
    ) -> Dreamer:
        """Return this dreamer at a time point of a film; everything compiled and loaded is shared.

        Args:
            settings: Settings at that time (None: its own). They may differ in everything that is
                not compiled into the step: octaves, steps, jitter, seed, weights, ``smooth``.
            moment: The time point.
            source: The undreamt picture that ``fidelity`` pulls towards and in which channels are
                chosen, if it is not the one to be dreamt.
            chosen: Result of ``choose``.
        """
        there = copy(self)
        there.settings = settings or self.settings
        there._moment = moment or self._moment
        there._source, there._picked = source, chosen
        return there

    def with_progress(self, on_tile: OnTile) -> Dreamer:
        """Return this dreamer with a callback (done, total) for tiles of large pictures."""
        there = copy(self)
        there._on_tile = on_tile
        return there

    def dream(
        self,
        image: Image,
        *,
        steps: int | None = None,
        step_scale: Image | None = None,
        within: Sequence[Box] = (),
        even: bool = False,
        frame: int = 0,
        coarse_bias: float = 0.0,
        on_step: Callable[[StepProgress], None] | None = None,
    ) -> Dream:
        """Dream a picture.

        Args:
            image: H x W x 3 in [-1, 1].
            steps: Steps per octave; None: the settings' own.
            step_scale: H x W, multiplies the steps.
            within: Boxes outside of which ``step_scale`` is 0; empty means the whole picture.
            even: Whether to avoid overshooting in areas that are new (``Step.update``).
            frame: Selects the random numbers of the jitter.
            coarse_bias: Moves work from fine octaves to coarse ones (``OctaveSchedule``).
            on_step: Called after each step.
        """
        height, width = image.shape[:2]
        return dream(
            self._ascent,
            image,
            replace(self.schedule(height, width, steps), coarse_bias=coarse_bias),
            # The whole gradient of a place objective lies near it; divided by the deviation of the
            # whole picture, a few steps would burn it.
            where=StepMap(step_scale, within, even or bool(self._of(PLACE))),
            frame=frame,
            extras=self._extras(image),
            on_step=on_step,
            on_tile=self._on_tile,
        )

    def _extras(self, image: Image) -> ExtrasAt:
        """Return what the step needs besides the image, as a function of an octave's size."""
        source = image if self._source is None else self._source
        constant: dict[str, NDArray[np.float32]] = {**self._guide, **self._creatures}
        constant.update(self.choose(source) if self._picked is None else self._picked)
        if WEIGHTS in self._wanted:
            constant[WEIGHTS] = self._goal.weights(self.settings, self._moment)
        if SIGMA in self._wanted:
            constant[SIGMA] = np.float32(self.settings.smooth)
        if COLOUR in self._wanted:
            constant[COLOUR] = np.float32(self.settings.colour)
        places = self._of(PLACE)

        def make_extras(size: tuple[int, int]) -> Extras:
            laid = {name: place_map(place_of(name), *size) for name in places}
            if SOURCE in self._wanted:
                laid[SOURCE] = resize(source, size)
            return {**constant, **laid}

        return make_extras

    def _of(self, kind: str) -> list[str]:
        return [name for name in self._wanted if name.startswith(kind)]

    def _features(self, network: models.Network, guide: Image | None) -> dict[str, Image]:
        names = self._of(GUIDE)
        if not names:
            return {}
        if guide is None:
            raise ValueError("a dreamer that follows a guide needs its pixels")
        if min(guide.shape[:2]) < models.find_entry(self.settings.model).smallest:
            raise UsageError(f"--guide {self.settings.guide}: the picture is too small")
        seen = ActivationProbe(network.forward, [layer_of(name) for name in names])(guide)
        return {name: guide_features(seen[layer_of(name)]) for name in names}
