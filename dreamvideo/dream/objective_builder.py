"""Build the objective from settings and a network, and its weights at a time point."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream import models
from dreamvideo.dream.classes import find_class_number
from dreamvideo.dream.objectives import (
    Objective,
    distance,
    dream_class,
    layer_channels,
    layer_l2,
    layer_mean,
    match_guide,
    mean_of_channels,
    pick_strongest,
    total_variation,
    weigh_place,
    weigh_terms,
)
from dreamvideo.errors import UsageError
from dreamvideo.parsing import PER_CHANNEL, THIRDS, Term, parse_term
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import DreamSettings


@dataclass(frozen=True)
class WeightedObjective:
    """An objective of weighted terms: layers, then classes, then regularisers."""

    objective: Objective
    terms: tuple[str, ...] = ()
    default_layers: tuple[str, ...] = ()

    def weights(self, settings: DreamSettings, moment: TimePoint) -> NDArray[np.float32]:
        """Return the terms' weights at a time point.

        ``settings`` may differ from those the objective was built from, if they have the same
        terms.
        """
        classes = settings.class_timeline
        found = {
            **dict(settings.list_weighted_layers(self.default_layers, moment)),
            **({f"class {name}": w for name, w in classes.at(moment)} if classes else {}),
            "tv": -settings.tv,
            "fidelity": -settings.fidelity,
        }
        return np.asarray([found[term] for term in self.terms], np.float32)


def build_objective(
    settings: DreamSettings, network: models.Network, varying: Collection[str] = ()
) -> WeightedObjective:
    """Build the objective of some settings.

    Args:
        settings: The settings.
        network: Their network.
        varying: Fields that change over time.

    Raises:
        UsageError: A layer, channel or class does not exist.
    """
    default = models.find_entry(settings.model).default_layers
    parts: dict[str, Objective] = {}
    layers, classes = settings.layer_timeline(default), settings.class_timeline
    for text in layers.terms if layers else ():
        term = parse_term(text)
        layer = models.find_layer(network, settings.model, term.layer)
        parts[text] = _objective(term, layer, settings)
    if classes:
        classifier = models.find_classifier(network, settings.model)
        for name in classes.terms:
            direction = _direction(classifier, find_class_number(name))
            parts[f"class {name}"] = dream_class(classifier.layer, direction)
    if settings.tv or "tv" in varying:
        parts["tv"] = total_variation()
    if settings.fidelity or "fidelity" in varying:
        parts["fidelity"] = distance()
    return WeightedObjective(weigh_terms(list(parts.values())), tuple(parts), default)


def _direction(classifier: models.Classifier, number: int) -> NDArray[np.float32]:
    count = classifier.kernel.shape[1]
    if number >= count:
        raise UsageError(f"--class {number}: these weights know only classes 0 to {count - 1}")
    return classifier.kernel[:, number]


def _objective(term: Term, layer: models.Layer, settings: DreamSettings) -> Objective:
    name, count = layer.name, layer.channels
    chosen = [channel for first, last in term.channels for channel in range(first, last + 1)]
    if chosen and max(chosen) >= count:
        raise UsageError(
            f"layer {name} has no channel {max(chosen)}: they are numbered 0 to {count - 1}"
        )
    if term.mode in THIRDS:
        if chosen or term.place:
            raise UsageError(
                f"--layers {term}: {term.mode} finds its channels itself, everywhere: "
                f"write {term.layer}:{term.mode}"
            )
        return pick_strongest(name, term.mode, count)
    squares = term.mode == "l2"
    if term.place:
        if term.mode in PER_CHANNEL:
            raise UsageError(
                f"--layers {term}: {term.mode} compares the channels of a whole layer: "
                f"write {term.layer}:{term.mode}, or l2 at a place"
            )
        return weigh_place(name, chosen or range(count), count, term.place, squares=squares)
    if chosen:
        return mean_of_channels(name, chosen, count, mode=term.mode)
    if settings.guide is not None and not term.mode:
        return match_guide(name, count)
    # A plain mean stays the reference's own sum, whose last bits depend on its order.
    if settings.creatures or term.mode in PER_CHANNEL:
        return layer_channels(name, term.mode, count)
    return layer_l2(name) if squares else layer_mean(name)
