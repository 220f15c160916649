"""The interface between a render and its networks: a dreamer, loaded and compiled from settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from copy import copy
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.convolution import spare_memory
from dreamvideo.dream.dream_objective import DreamObjective
from dreamvideo.dream.dreamt_network import DreamtNetwork, Extras
from dreamvideo.dream.gradient_ascent import SHUT, ClosingAscent, GradientAscent, Image, OnTile
from dreamvideo.dream.mixed_step import NETWORKS, own_name
from dreamvideo.dream.mixture import (
    divide_settings,
    find_largest_minimum,
    list_labels,
    load_networks,
    read_mixture,
)
from dreamvideo.dream.models import Lite, find_entry
from dreamvideo.dream.objective_builder import WeightedObjective, build_objective
from dreamvideo.dream.objectives import (
    GATE,
    PLACE,
    SOURCE,
    Objective,
    gate,
    place_map,
    place_of,
    recognise_classes,
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
from dreamvideo.dream.step import Forward, Step
from dreamvideo.errors import UsageError
from dreamvideo.imaging import resize
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import DreamSettings, MachineSettings
from dreamvideo.settings.terms import layer_timeline

DEFAULT_MACHINE = MachineSettings()
# Weight of what a network recognises at a certainty of 1: its gradient is then about as large as
# that of the layers of the network's own look (measured on photographs).
RECOGNITION = 0.1
# The steps at each size that pull towards it. All of them would take twice as long for pictures
# that are no better.
CLOSING_STEPS = 4


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
    largest = find_largest_minimum(settings.model)
    smallest = largest.smallest
    if min(height, width) < smallest:
        raise UsageError(
            f"{width} x {height} is too small for {largest.name}: "
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
    """Networks and their objectives, loaded and compiled once for all frames of a render.

    Attributes:
        settings: What to dream.
        closes: Whether a whole dream ends with closing steps at each size.
    """

    def __init__(
        self,
        settings: DreamSettings,
        *,
        machine: MachineSettings = DEFAULT_MACHINE,
        guide: Image | None = None,
        varying: Collection[str] = (),
        objective: Objective | DreamObjective | None = None,
    ) -> None:
        """Load the networks and compile the step.

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
        self._mixture = read_mixture(settings.model)
        self._has_own = objective is not None
        if self._has_own and len(self._mixture.names) > 1:
            raise UsageError(
                f"an objective of your own is for one network, and --model {settings.model!r} "
                f"names {len(self._mixture.names)}"
            )
        own = objective if isinstance(objective, DreamObjective) else None
        self._loaded = load_networks(
            settings, classify=None if own is None else own.needs_classifier
        )
        self._networks = [
            DreamtNetwork(
                each,
                network,
                WeightedObjective(objective)
                if isinstance(objective, Objective)
                else build_objective(each, network, varying, own),
                guide,
            )
            for each, network in zip(self._divide(settings), self._loaded, strict=True)
        ]
        shaping = Shaping(
            smooth=settings.smooth > 0 or "smooth" in varying,
            levels=settings.laplacian,
            norm=settings.norm,
            opponent=settings.balance == "opponent",
        )
        goals: list[tuple[Forward, Objective]] = [
            (each.forward, each.goal.objective) for each in self._networks
        ]
        first, *others = goals
        self.closes = self._has_closing_steps(guide)
        if self.closes:
            # Only here: rounding would change what other looks have always made.
            first = spare_memory(first[0]), first[1] + self._make_closing_objective()
        extras = shaping.extras.union(*(goal.extras for _, goal in (first, *others)))
        self._wanted = sorted(dict(extras))
        step = partial(Step, shaping=shaping)
        self._ascent = GradientAscent(*first, step=step, others=others, machine=machine)

    @property
    def traces(self) -> int:
        """How often the step was compiled."""
        return self._ascent.traces

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms of the objective as written: layers, ``class NAME``, ``tv``, ``fidelity``.

        With several networks each begins with the name of its own.
        """
        if len(self._networks) == 1:
            return self._networks[0].goal.terms
        named = zip(list_labels(self.settings.model), self._networks, strict=True)
        return tuple(f"{name}/{term}" for name, each in named for term in each.goal.terms)

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
        return self._name_own([each.choose(source) for each in self._networks])

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
        schedule = replace(self.schedule(height, width, steps), coarse_bias=coarse_bias)
        # So short a dream has hardly begun: it has nothing to be sure of.
        closes = self.closes and schedule.is_full and schedule.steps > CLOSING_STEPS
        return dream(
            ClosingAscent(self._ascent, CLOSING_STEPS) if closes else self._ascent,
            image,
            schedule,
            # The whole gradient of a place objective lies near it; divided by the deviation of the
            # whole picture, a few steps would burn it.
            where=StepMap(step_scale, within, even or bool(self._of(PLACE))),
            frame=frame,
            extras=self._extras(image),
            on_step=on_step,
            on_tile=self._on_tile,
        )

    def _has_closing_steps(self, guide: Image | None) -> bool:
        """Return whether the last steps at each size also raise what a classifier recognises."""
        settings = self.settings
        chosen = settings.classes is not None or guide is not None or self._has_own
        if chosen or not settings.certainty or len(self._loaded) > 1:
            return False
        if not isinstance(self._loaded[0], Lite):
            return False
        if settings.layers is not None:
            # Written out, with weights that change, they are still the network's own layers.
            own = layer_timeline(",".join(find_entry(settings.model).default_layers)).terms
            if {*layer_timeline(settings.layers).terms} != {*own}:
                return False
        return True

    def _make_closing_objective(self) -> Objective:
        """Return what closing steps add to the objective of the network's own look."""
        network = self._loaded[0]
        assert isinstance(network, Lite)
        classifier = network.classifier
        sure = recognise_classes(classifier.layer, classifier.kernel)
        entered = network.find_finished_layer(sorted(self._networks[0].goal.objective.layers))
        weighted = self.settings.certainty * RECOGNITION * sure
        return gate(weighted, entered, spare_memory(partial(network.forward_from, entered)))

    def _extras(self, image: Image) -> ExtrasAt:
        """Return what the step needs besides the image, as a function of an octave's size."""
        source = image if self._source is None else self._source
        divided = zip(self._networks, self._divide(self.settings), strict=True)
        constant = self._name_own([each.at(settings, self._moment) for each, settings in divided])
        constant.update(self.choose(source) if self._picked is None else self._picked)
        if len(self._networks) > 1:
            constant[NETWORKS] = read_mixture(self.settings.model).weights(self._moment)
        if SIGMA in self._wanted:
            constant[SIGMA] = np.float32(self.settings.smooth)
        if GATE in self._wanted:
            constant[GATE] = SHUT
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

    def _divide(self, settings: DreamSettings) -> tuple[DreamSettings, ...]:
        """Return the settings of each network."""
        if self._has_own:
            # Layers that are not dreamt need not exist.
            return (settings.model_copy(update={"model": self._mixture.names[0]}),)
        return divide_settings(settings, self._loaded)

    def _name_own(self, extras: Sequence[Extras]) -> dict[str, NDArray[np.float32]]:
        """Return the extras of all networks under the names that the step knows them by."""
        if len(self._networks) == 1:
            return dict(extras[0])
        return {
            own_name(number, name): value
            for number, each in enumerate(extras)
            for name, value in each.items()
        }
