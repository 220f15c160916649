"""Several networks in one dream: how they are named and weighed, and what each of them dreams.

``--model`` names one network, or several with weights over time. Each of a mixture dreams as it
would alone: ``divide_settings`` turns the settings of all into those of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream import models
from dreamvideo.dream.model_files import KEPT
from dreamvideo.errors import UsageError
from dreamvideo.parsing import parse_term
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import DreamSettings
from dreamvideo.settings.terms import (
    ARROW,
    Timeline,
    network_timeline,
    rewrite_classes,
    rewrite_layers,
    rewrite_networks,
)


@dataclass(frozen=True)
class Mixture:
    """The networks that ``--model`` names.

    Attributes:
        names: Their names, as written.
        timeline: Their weights over time, in the same order; None for one network.
    """

    names: tuple[str, ...]
    timeline: Timeline | None = None

    def weights(self, moment: TimePoint) -> NDArray[np.float32]:
        """Return the networks' weights at a time point."""
        if self.timeline is None:
            return np.ones(1, np.float32)
        return np.asarray([weight for _, weight in self.timeline.at(moment)], np.float32)


def read_mixture(model: str) -> Mixture:
    """Return the networks that a setting of ``model`` names.

    A text that is the name of a network, or of a file that exists, as a whole means that alone.

    Raises UsageError if the text does not parse, or names too many.
    """
    if models.names_network(model):
        return Mixture((model,))
    try:
        timeline = network_timeline(model)
    except ValueError as error:
        raise UsageError(f"--model {model!r}: {error}") from None
    if len(timeline.terms) > KEPT:
        raise UsageError(f"--model names {len(timeline.terms)} networks: at most {KEPT} can dream")
    if len(timeline.terms) > 1:
        return Mixture(timeline.terms, timeline)
    # The gradient of one network is normalised, so that a weight would change nothing.
    if any(weight <= 0 for weight in timeline.schedule.numbers):
        raise UsageError(
            f"--model {model!r}: one network has nothing to be weighed against: set --strength"
        )
    return Mixture(timeline.terms)


def list_entries(model: str) -> tuple[models.ModelEntry, ...]:
    """Return the entries of the networks that a setting of ``model`` names.

    Raises:
        UsageError: A name is unknown or means the same network as another.
        WeightsError: A file cannot be read.
    """
    entries = tuple(map(models.find_entry, read_mixture(model).names))
    names = [entry.name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"--model {model!r} names {name} twice")
    return entries


def find_largest_minimum(model: str) -> models.ModelEntry:
    """Return the entry of the network that needs the largest pictures."""
    return max(list_entries(model), key=lambda entry: entry.smallest)


def list_model_files(model: str) -> dict[str, Path]:
    """Return the files among the networks that a setting of ``model`` names, by name."""
    found = {name: models.find_model_file(name) for name in read_mixture(model).names}
    return {name: path for name, path in found.items() if path is not None}


def weigh_equally(settings: DreamSettings) -> DreamSettings:
    """Return settings whose networks have equal weights at all times, so that all of them run."""
    names = read_mixture(settings.model).names
    # With a weight each, since a file's name may end like one.
    equal = names[0] if len(names) == 1 else ",".join(f"{name}:1" for name in names)
    return settings.model_copy(update={"model": equal})


def rename_labels(model: str, renamed: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the layers and classes among settings that name a network, with its new name.

    Args:
        model: A setting of ``model``.
        renamed: The same with files renamed (``replace_files``).
        values: Settings of a dream by name.
    """
    labels = _list_all_labels(model)
    names = (renamed,) if len(labels) == 1 else read_mixture(renamed).names

    def rename(term: str) -> str:
        for own, name in zip(labels, names, strict=True):
            rest = _cut_label(term, own)
            if rest is not None:
                return f"{name}/{rest}"
        return term

    ways = {"layers": rewrite_layers, "classes": rewrite_classes}
    return {
        name: rewrite(values[name], rename) or values[name]
        for name, rewrite in ways.items()
        if values.get(name)
    }


def replace_files(model: str, rename: Callable[[Path], str]) -> str:
    """Return a setting of ``model`` with its files renamed.

    Raises UsageError if a new name cannot stand in a list.
    """
    files = list_model_files(model)
    if files and len(read_mixture(model).names) == 1:
        return rename(next(iter(files.values())))

    def find_name(name: str) -> str:
        if name not in files:
            return name
        renamed = rename(files[name])
        if "," in renamed or ARROW in renamed:
            raise UsageError(
                f"--model: {renamed!r} cannot stand in a list: keep it under a name with "
                "`dreamvideo models add`"
            )
        return renamed

    return rewrite_networks(model, find_name) or model if files else model


def divide_settings(
    settings: DreamSettings, networks: Sequence[models.Network]
) -> tuple[DreamSettings, ...]:
    """Return what each network of a mixture dreams, as settings of one network.

    A layer belongs to the network that it names, ``lite2/b11``, or to the only one that has it. A
    class belongs to the network that it names, ``lite2/goldfish``, or to all that have a
    classifier. A network that is given neither dreams its own default layers.

    Args:
        settings: The settings of all.
        networks: The networks, in the order that ``settings.model`` names them.

    Raises:
        UsageError: No network has a layer, or several have it.
    """
    members = _list_members(settings)
    if settings.layers is None:
        return members
    if len(members) == 1 and "/" not in settings.layers:
        return members
    finder = _LayerFinder(settings.model, networks)
    divided = []
    for number, member in enumerate(members):

        def choose(term: str, number: int = number) -> str | None:
            parsed = parse_term(term)
            owner, layer = finder.find(parsed.layer)
            return str(replace(parsed, layer=layer)) if owner == number else None

        layers = rewrite_layers(settings.layers, choose)
        divided.append(member.model_copy(update={"layers": layers}))
    return tuple(divided)


def load_networks(
    settings: DreamSettings, *, classify: bool | None = None
) -> tuple[models.Network, ...]:
    """Load the networks that settings name.

    Args:
        settings: The settings.
        classify: Whether to load their classifiers; None: where classes are dreamt.

    Raises:
        UsageError: A name is unknown, or a setting is of no use to any of them.
        WeightsError: The weights cannot be loaded.
    """
    return tuple(
        models.load(
            member.model,
            member.weights,
            classify=member.classes is not None if classify is None else classify,
            input_range=member.input_range,
        )
        for member in _list_members(settings)
    )


def load_layer(settings: DreamSettings, layer: str) -> tuple[models.Network, str]:
    """Load the networks that settings name; return the one that has a layer, and its name there.

    Args:
        settings: The settings.
        layer: A layer's name, as in ``divide_settings``.

    Raises:
        UsageError: No network has the layer, or several have it.
        WeightsError: The weights cannot be loaded.
    """
    networks = load_networks(settings)
    names = read_mixture(settings.model).names
    number, name = _LayerFinder(settings.model, networks).find(layer)
    return networks[number], models.find_layer(networks[number], names[number], name).name


def list_layer_names(model: str) -> list[str]:
    """List the layers of the networks that a setting of ``model`` names; needs no weights.

    With several networks each begins with the name of its own, as ``--layers`` takes it.
    """
    names = read_mixture(model).names
    if len(names) == 1:
        return [layer.name for layer in models.list_layers(names[0])]
    named = zip(list_labels(model), names, strict=True)
    return [f"{label}/{layer.name}" for label, name in named for layer in models.list_layers(name)]


def list_labels(model: str) -> tuple[str, ...]:
    """Return what to write before a slash to name each network that a setting of ``model`` names.

    That is its name, or a file's without its folder and ending, if that names no other.
    """
    names, entries = read_mixture(model).names, list_entries(model)
    short = [
        name if entry.file is None else entry.file.stem
        for name, entry in zip(names, entries, strict=True)
    ]
    return tuple(
        brief if short.count(brief) == 1 else name for brief, name in zip(short, names, strict=True)
    )


def _list_members(settings: DreamSettings) -> tuple[DreamSettings, ...]:
    """Return the settings of each network, which still have all layers."""
    names, entries = read_mixture(settings.model).names, list_entries(settings.model)
    if len(names) == 1:
        own = {"model": names[0]}
        if settings.classes is not None and "/" in settings.classes:
            own["classes"] = _choose_classes(settings, entries, 0) or settings.classes
        return (settings.model_copy(update=own),)
    takes_weights = [bool(entry.keras_name) for entry in entries]
    if settings.weights is not None and sum(takes_weights) != 1:
        listed = ", ".join(n for n, takes in zip(names, takes_weights, strict=True) if takes)
        raise UsageError(f"--weights is one network's, and of these take one: {listed or 'none'}")
    is_file = [entry.file is not None and not models.knows_range(entry.file) for entry in entries]
    if settings.input_range is not None and not any(is_file):
        raise UsageError(f"--input-range is for files, and {settings.model} names none")
    return tuple(
        settings.model_copy(
            update={
                "model": name,
                "weights": settings.weights if takes_weights[number] else None,
                "input_range": settings.input_range if is_file[number] else None,
                "classes": _choose_classes(settings, entries, number),
            }
        )
        for number, name in enumerate(names)
    )


def _choose_classes(
    settings: DreamSettings, entries: Sequence[models.ModelEntry], number: int
) -> str | None:
    if settings.classes is None:
        return None
    names = read_mixture(settings.model).names
    labels = _list_all_labels(settings.model)
    if not any(entry.features for entry in entries):
        raise UsageError(f"none of {', '.join(names)} has a classifier, which --class needs")

    def choose(term: str) -> str | None:
        named = [n for n, own in enumerate(labels) if _cut_label(term, own) is not None]
        if named and not _cut_label(term, labels[named[0]]):
            raise UsageError(f"--class {term!r}: write the name of a class after the slash")
        if named:
            return _cut_label(term, labels[number]) if named[0] == number else None
        return term if entries[number].features else None

    return rewrite_classes(settings.classes, choose)


def _list_all_labels(model: str) -> list[tuple[str, ...]]:
    """Return all that may stand before a slash to name each network."""
    pairs = zip(read_mixture(model).names, list_entries(model), strict=True)
    return [
        (name, entry.name, *models.list_short_names(entry.name))
        if entry.file is None
        else (name, entry.file.name, entry.file.stem)
        for name, entry in pairs
    ]


def _cut_label(text: str, labels: Sequence[str]) -> str | None:
    """Return what follows one of the labels and a slash; None if none of them begins the text."""
    return next((text[len(own) + 1 :] for own in labels if text.startswith(f"{own}/")), None)


@dataclass(frozen=True)
class _LayerFinder:
    """Finds the network that a layer belongs to, and its name there."""

    model: str
    networks: Sequence[models.Network]

    def find(self, text: str) -> tuple[int, str]:
        """Return the number of the network and the layer's name in it."""
        labels = _list_all_labels(self.model)
        named = [(n, rest) for n, own in enumerate(labels) if (rest := _cut_label(text, own))]
        plain = [(n, text) for n in range(len(labels))]
        for choices in (named, plain):
            found = [each for each in choices if self._has(*each)]
            if len(found) > 1:
                short = list_labels(self.model)
                written = " or ".join(f"{short[n]}/{layer}" for n, layer in found)
                raise UsageError(f"--layers {text}: several networks have it: write {written}")
            if found:
                return found[0]
        names = read_mixture(self.model).names
        if named or len(names) == 1:
            number, layer = (*named, *plain)[0]
            models.find_layer(self.networks[number], names[number], layer)
        known = {layer.name: None for network in self.networks for layer in network.layers}
        near = models.suggest_name(text, list(known))
        raise UsageError(f"none of {', '.join(names)} has a layer {text!r}: {near}")

    def _has(self, number: int, layer: str) -> bool:
        with suppress(UsageError):
            models.find_layer(self.networks[number], self.model, layer)
            return True
        return False
