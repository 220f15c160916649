"""One network of a dream: what it is to raise, and what its objective needs besides the picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream import models
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.dream.guide import ActivationProbe, channel_shares, guide_features
from dreamvideo.dream.objective_builder import WeightedObjective
from dreamvideo.dream.objectives import (
    CHOSEN,
    CREATURES,
    GUIDE,
    WEIGHTS,
    creature_shares,
    layer_of,
)
from dreamvideo.errors import UsageError
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import DreamSettings

Extras = Mapping[str, NDArray[np.float32]]


class DreamtNetwork:
    """A network and its goal, with the values of the goal's extras that are its own."""

    def __init__(
        self,
        settings: DreamSettings,
        network: models.Network,
        goal: WeightedObjective,
        guide: Image | None,
    ) -> None:
        """Look at the guide.

        Args:
            settings: The settings, which name this network alone.
            network: The network.
            goal: What it is to raise.
            guide: Pixels of ``settings.guide``, H x W x 3 in [-1, 1].

        Raises:
            UsageError: The guide is too small.
        """
        self.forward = network.forward
        self.goal = goal
        shapes = dict(goal.objective.extras)
        self._wanted = sorted(shapes)
        self._constant: dict[str, Image] = {
            name: creature_shares(layer_of(name), int(shape[0] or 0), settings.creatures)
            for name, shape in shapes.items()
            if name.startswith(CREATURES)
        }
        self._sight = ActivationProbe(
            network.forward, [layer_of(name) for name in self._of(CHOSEN)]
        )
        self._constant.update(self._features(settings, guide))

    def choose(self, source: Image) -> Extras:
        """Resolve ``strong``, ``average`` and ``weak`` for a source frame."""
        names = self._of(CHOSEN)
        seen = self._sight(source) if names else {}
        return {n: channel_shares(seen[layer_of(n)], n.rpartition(":")[2]) for n in names}

    def at(self, settings: DreamSettings, moment: TimePoint) -> Extras:
        """Return the extras that do not depend on the picture.

        Args:
            settings: The settings at that time, which name this network alone.
            moment: The time point.
        """
        if WEIGHTS not in self._wanted:
            return self._constant
        return {**self._constant, WEIGHTS: self.goal.weights(settings, moment)}

    def _features(self, settings: DreamSettings, guide: Image | None) -> dict[str, Image]:
        names = self._of(GUIDE)
        if not names:
            return {}
        if guide is None:
            raise ValueError("a dreamer that follows a guide needs its pixels")
        if min(guide.shape[:2]) < models.find_entry(settings.model).smallest:
            raise UsageError(f"--guide {settings.guide}: the picture is too small")
        seen = ActivationProbe(self.forward, [layer_of(name) for name in names])(guide)
        return {name: guide_features(seen[layer_of(name)]) for name in names}

    def _of(self, kind: str) -> list[str]:
        return [name for name in self._wanted if name.startswith(kind)]
