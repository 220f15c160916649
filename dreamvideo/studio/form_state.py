"""What somebody has chosen in the page -> a look, a command line, a preset: plain values.

The page knows a look by its preset and what was changed of it, which is what a command line says
as well: so both come from the same value and cannot differ.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from dreamvideo.settings import Look, Settings, look_to_toml, make_look, preset_paths
from dreamvideo.settings.base import option_name
from dreamvideo.settings.derive import format_option

Kind = Literal["image", "video", "zoom"]
KINDS: tuple[Kind, ...] = ("image", "video", "zoom")
# What each kind of render can write, the usual one first.
ENDINGS: Mapping[Kind, tuple[str, ...]] = {
    "image": (".png", ".jpg"),
    "video": (".mp4", ".webm", ".gif"),
    "zoom": (".mp4", ".webm", ".gif"),
}
WORDS: Mapping[Kind, str] = {"image": "dream", "video": "dream", "zoom": "zoom"}
FILM: tuple[Kind, ...] = ("video", "zoom")


@dataclass(frozen=True)
class Slider:
    """A number of a look that the page can change: where it is, its range, who has it.

    A seed is no quantity: nobody slides to the better one, so it is typed, or rolled by a die.
    """

    group: str
    name: str
    label: str
    low: float
    high: float
    step: float
    kinds: tuple[Kind, ...] = KINDS
    is_seed: bool = False

    @property
    def key(self) -> str:
        """Its name among the changes."""
        return f"{self.group}.{self.name}"

    @property
    def help(self) -> str:
        """What turning it does, as the command line's help says it."""
        return _field(self.group, self.name).description or ""

    def value_in(self, look: Look, unset: float) -> float:
        """Where it stands in a look; ``unset`` where that leaves it to be derived."""
        found = getattr(getattr(look, self.group), self.name)
        return unset if found is None else float(found)

    def taken(self, value: float) -> float | int:
        """A value as the setting holds it: within the range, whole numbers whole."""
        held = min(max(value, self.low), self.high)
        whole = float(self.step).is_integer() and float(self.low).is_integer()
        return round(held) if whole else round(held, 6)


SLIDERS = (
    Slider("dream", "strength", "Strength", 0, 2, 0.05),
    Slider("dream", "creatures", "Creatures", 0, 2**31 - 1, 1, is_seed=True),
    Slider("dream", "creature_size", "Size of creatures", 0, 1, 0.05),
    Slider("dream", "detail", "Fine detail", 0, 1, 0.05),
    Slider("dream", "colour", "Colour", 0, 4, 0.1),
    Slider("dream", "steps", "Steps", 2, 40, 1),
    Slider("dream", "octaves", "Octaves", 1, 8, 1),
    Slider("colour", "keep_colour", "Own colours", 0, 1, 0.05, kinds=("image", "video")),
    Slider("coherence", "coherence", "Coherence", 0, 1, 0.05, kinds=("video",)),
    Slider("zoom", "rate", "Zoom speed", 0.5, 3, 0.05, kinds=("zoom",)),
    Slider("zoom", "rotate", "Turning", -45, 45, 1, kinds=("zoom",)),
    Slider("zoom", "seconds", "Seconds", 1, 30, 0.5, kinds=("zoom",)),
)


@dataclass(frozen=True)
class Choice:
    """What is to be made: a kind of render, a look, a part of the clip, a size, an ending.

    ``changes`` are numbers laid over the preset, by ``group.name``; those that a kind does not
    know stay there for the others. ``start`` and ``end`` are seconds of the clip, ``size`` and
    ``fps`` as on the command line; None is the source's own.
    """

    kind: Kind = "image"
    preset: str | None = None
    changes: Mapping[str, float | int] = field(default_factory=dict)
    start: float | None = None
    end: float | None = None
    size: str | None = None
    fps: str | None = None
    endings: Mapping[Kind, str] = field(default_factory=dict)

    @property
    def ending(self) -> str:
        """What the output's name ends in."""
        return self.endings.get(self.kind, ENDINGS[self.kind][0])

    @property
    def look(self) -> Look:
        """The look itself. Raises UsageError."""
        overrides: dict[str, dict[str, Any]] = {}
        for slider, value in self.own_changes:
            overrides.setdefault(slider.group, {})[slider.name] = value
        return make_look([self.preset] if self.preset else [], overrides)

    @property
    def own_changes(self) -> list[tuple[Slider, float | int]]:
        """The changes that this kind of render knows, in the order of the page."""
        known = [slider for slider in SLIDERS if self.kind in slider.kinds]
        return [(each, self.changes[each.key]) for each in known if each.key in self.changes]

    def changed(self, slider: Slider, value: float | None) -> Choice:
        """This with a slider moved; None puts it back to what the preset says."""
        changes = {key: each for key, each in self.changes.items() if key != slider.key}
        if value is not None:
            changes[slider.key] = slider.taken(value)
        return replace(self, changes=changes)

    def with_preset(self, name: str | None) -> Choice:
        """This with another look to begin from; what was changed of the last one's is forgotten.

        What is no part of the picture itself, as a zoom's speed, is kept.
        """
        kept = {k: v for k, v in self.changes.items() if k.split(".")[0] in ("coherence", "zoom")}
        return replace(self, preset=name, changes=kept)


def list_arguments(choice: Choice, source: str, output: str) -> list[str]:
    """The command line's arguments that render this choice."""
    made = [choice.kind, source]
    if choice.preset:
        made += ["--preset", choice.preset]
    for slider, value in choice.own_changes:
        option = option_name(slider.name, _field(slider.group, slider.name))
        # A value below 0 must not be taken for an option.
        text = format_option(value)
        made += [f"{option}={text}"] if value < 0 else [option, text]
    if choice.kind == "video":
        made += _part(choice)
    if choice.size:
        made += ["--size", choice.size]
    if choice.fps and choice.kind in FILM:
        made += ["--fps", choice.fps]
    return [*made, "-o", output]


def format_command(choice: Choice, source: str, output: str) -> str:
    """The command line that renders this choice, ready to paste into a shell."""
    guarded = f"./{source}" if source.startswith("-") else source
    return shlex.join(["dreamvideo", *list_arguments(choice, guarded, output)])


def format_toml(choice: Choice) -> str:
    """A preset file of the choice's look. Raises UsageError."""
    return look_to_toml(choice.look)


def list_descriptions() -> dict[str, str]:
    """Every bundled look's name and what it shows."""
    return {name: make_look([name]).description for name in preset_paths()}


def choose_output_name(source: Path | str, kind: Kind, ending: str, number: int = 1) -> str:
    """``cat.jpg`` -> ``cat-dream.png``; the second of that name is ``cat-dream-2.png``."""
    counted = "" if number < 2 else f"-{number}"
    return f"{Path(source).stem}-{WORDS[kind]}{counted}{ending}"


def _part(choice: Choice) -> list[str]:
    ends = (("--start", choice.start), ("--end", choice.end))
    return [part for name, at in ends if at is not None for part in (name, format_seconds(at))]


def format_seconds(seconds: float) -> str:
    """Seconds as the command line takes them."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _field(group: str, name: str) -> Any:
    settings = cast("type[Settings]", Look.model_fields[group].annotation)
    return settings.model_fields[name]
