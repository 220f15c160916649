"""Variations of a dream, each with the command that makes it.

Choosing a layer by its name is guesswork; the gallery shows them all on the user's own picture.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.dream.inspect import measure_activity
from dreamvideo.dream.mixture import list_entries, list_labels, list_layer_names, load_layer
from dreamvideo.errors import UsageError
from dreamvideo.gallery import Across
from dreamvideo.parsing import parse_term
from dreamvideo.render.frames.planner import FilmSpan, freeze_look, make_planner
from dreamvideo.render.image import dream_still
from dreamvideo.settings import Look, make_look, preset_paths
from dreamvideo.settings.derive import derive_look, format_option, list_options

STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
STEP_SIZES = (0.01, 0.02, 0.04)
# Networks have hundreds of layers; an even sample shows as much.
MOST_LAYERS = 24


@dataclass(frozen=True)
class Variation:
    """One variation: its label, its options, and the dream settings it changes.

    A ``preset`` replaces the whole look.
    """

    label: str
    options: tuple[str, ...]
    changes: Mapping[str, Any]
    preset: str | None = None

    def of(self, look: Look) -> Look:
        """Apply this variation to ``look``. Raises UsageError if it makes no sense."""
        if self.preset is not None:
            return make_look([self.preset])
        return derive_look(look, {"dream": self.changes})


@dataclass(frozen=True)
class Tile:
    """A dreamt picture (H x W x 3 in [-1, 1]), its label and the command line that makes it."""

    label: str
    command: str
    image: Image


def list_variations(
    across: Across, model: str, layer: str | None = None, numbers: Sequence[int] = ()
) -> list[Variation]:
    """List the variations that a gallery shows.

    Args:
        across: What to vary.
        model: The network, or several, whose layers or presets are shown.
        layer: The layer whose channels are shown; needed for channels only.
        numbers: Channels of that layer, or seeds of creatures.

    Returns:
        The variations, in the order of the sheet.

    Raises:
        UsageError: No preset is of the network.
    """
    if across == "presets":
        named = sorted(name for name in preset_paths() if _is_of(name, model))
        if not named:
            raise UsageError(f"no preset is of {model}: use --across layers, or another --model")
        return [Variation(name, ("--preset", name), {}, name) for name in named]
    if across == "strengths":
        return [
            _of_dream(f"step {size:g}, strength {strength:g}", step_size=size, strength=strength)
            for size in STEP_SIZES
            for strength in STRENGTHS
        ]
    if across == "channels":
        return [_of_dream(f"{layer}#{n}", layers=f"{layer}#{n}") for n in numbers]
    if across == "creatures":
        return [_of_dream(f"--creatures {n}", creatures=n) for n in numbers]
    names = [name for name in list_layer_names(model) if _is_worth_dreaming(name)]
    stride = max(1, -(-len(names) // MOST_LAYERS))
    return [_of_dream(name, layers=name) for name in names[::-1][::stride][::-1]]


def find_strongest_channels(image: Image, look: Look, layer: str, count: int) -> list[int]:
    """Return the numbers of the channels of a layer that respond most to a picture.

    Args:
        image: H x W x 3 in [-1, 1].
        look: The look, which names the networks.
        layer: Name of the layer.
        count: Number of channels.
    """
    network, name = load_layer(look.dream, layer)
    found = next(row for row in measure_activity(network, image, count) if row.layer.name == name)
    return sorted(found.strongest)


def dream_tiles(
    image: Image, ways: Sequence[Variation], look: Look, command: Sequence[str]
) -> Iterator[Tile]:
    """Yield a dream of the picture for each variation.

    Args:
        image: H x W x 3 in [-1, 1].
        ways: The variations.
        look: The look.
        command: The command line that renders with ``look``; each variation's options are added to
            it.

    Raises:
        UsageError: A look makes no sense.
    """
    height, width = image.shape[:2]
    base = [] if any(way.preset for way in ways) else list_options(look)
    for way in ways:
        planner = make_planner(freeze_look(way.of(look)), FilmSpan((width, height)))
        dreamt = dream_still(planner, image)
        replaced = set(way.options[::2])
        kept = [part for pair in base if pair[0] not in replaced for part in pair]
        yield Tile(way.label, shlex.join([*command, *kept, *way.options]), dreamt.image)


def choose_layer(look: Look, asked: str | None) -> str:
    """Return the layer whose channels are shown: the one asked for, or the look's first."""
    if asked:
        return asked
    if look.dream.layers and not set("#@:,") & set(look.dream.layers):
        return look.dream.layers
    if look.dream.layers:
        raise UsageError("--across channels needs one layer: name it with --layer")
    model = look.dream.model
    layer = parse_term(list_entries(model)[0].default_layers[0]).layer
    labels = list_labels(model)
    return layer if len(labels) == 1 else f"{labels[0]}/{layer}"


def draw_creature_seeds(look: Look, count: int) -> list[int]:
    """Return ``count`` seeds of creatures, starting at the look's own, or at 1 if it has none.

    Raises UsageError if a seed would be too large.
    """
    first = look.dream.creatures or 1
    seeds = list(range(first, first + count))
    # Validating the settings reports a seed that is too large.
    derive_look(look, {"dream": {"creatures": seeds[-1]}})
    return seeds


def _of_dream(label: str, **changes: Any) -> Variation:
    options = [
        part
        for name, value in changes.items()
        for part in ("--" + name.replace("_", "-"), format_option(value))
    ]
    return Variation(label, tuple(options), changes)


def _is_of(preset: str, model: str) -> bool:
    return list_entries(make_look([preset]).dream.model) == list_entries(model)


def _is_worth_dreaming(layer: str) -> bool:
    """Depthwise filters see one channel each: they draw what the layer before them does."""
    return not layer.endswith("_depthwise")
