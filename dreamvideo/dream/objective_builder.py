"""Build the objective from settings and a network, and its weights at a time point."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream import models
from dreamvideo.dream.classes import find_class_number
from dreamvideo.dream.dream_objective import (
    DreamObjective,
    LayersPart,
    ValuePart,
    resolve_value,
)
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
from dreamvideo.parsing import PER_CHANNEL, THIRDS, Term, parse_classes, parse_layers, parse_term
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import DreamSettings

# Name of the term that a user's own objective is.
OWN = "objective"


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
            OWN: 1.0,
            "tv": -settings.tv,
            "fidelity": -settings.fidelity,
        }
        return np.asarray([found[term] for term in self.terms], np.float32)


def build_objective(
    settings: DreamSettings,
    network: models.Network,
    varying: Collection[str] = (),
    own: DreamObjective | None = None,
) -> WeightedObjective:
    """Build the objective of some settings.

    Args:
        settings: The settings.
        network: Their network.
        varying: Fields that change over time.
        own: What to dream instead of the settings' layers, classes and guide.

    Raises:
        UsageError: A layer, channel or class does not exist.
    """
    default = models.find_entry(settings.model).default_layers
    parts: dict[str, Objective] = {}
    if own is not None:
        parts[OWN] = resolve_objective(own, settings, network)
    else:
        layers, classes = settings.layer_timeline(default), settings.class_timeline
        for text in layers.terms if layers else ():
            parts[text] = _find_layer_objective(text, settings, network)
        for name in classes.terms if classes else ():
            parts[f"class {name}"] = _find_class_objective(name, settings, network)
    if settings.tv or "tv" in varying:
        parts["tv"] = total_variation()
    if settings.fidelity or "fidelity" in varying:
        parts["fidelity"] = distance()
    return WeightedObjective(weigh_terms(list(parts.values())), tuple(parts), default)


def resolve_objective(
    own: DreamObjective, settings: DreamSettings, network: models.Network
) -> Objective:
    """Return an objective that a user has composed as one of a network.

    Args:
        own: The user's objective.
        settings: Settings of the dream; of these only ``creatures`` matters.
        network: Their network.

    Raises:
        UsageError: A layer, channel or class does not exist, or a callable returns no scalar.
    """
    # What is written as layers is dreamt as such, even if the look has a guide.
    plain = settings.model_copy(update={"guide": None})
    found: list[Objective] = []
    for weight, part in own.parts:
        if isinstance(part, ValuePart):
            found.append(resolve_value(part.value, network, settings.model) * weight)
        elif isinstance(part, LayersPart):
            for text, share in parse_layers(part.text):
                layer = _find_layer_objective(text, plain, network)
                found.append(layer * (weight * share))
        else:
            for name, share in parse_classes(part.text):
                found.append(_find_class_objective(name, settings, network) * (weight * share))
    return reduce(add, found)


def _find_layer_objective(text: str, settings: DreamSettings, network: models.Network) -> Objective:
    term = parse_term(text)
    layer = models.find_layer(network, settings.model, term.layer)
    return _objective(term, layer, settings)


def _find_class_objective(name: str, settings: DreamSettings, network: models.Network) -> Objective:
    classifier = models.find_classifier(network, settings.model)
    count = classifier.kernel.shape[1] - len(classifier.own)
    direction = _direction(classifier, find_class_number(name, count, classifier.own))
    return dream_class(classifier.layer, direction)


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
