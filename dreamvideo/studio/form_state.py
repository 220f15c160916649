"""The choices made in the page, as plain values: look, command line and preset.

The page represents a look by its preset and the changes to it, like a command line does. So both
are derived from the same value and cannot differ.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any, Literal

from dreamvideo.errors import DreamVideoError
from dreamvideo.formatting import format_seconds
from dreamvideo.media.identify import Song
from dreamvideo.schedules import TimePoint, parse_number, parse_schedule
from dreamvideo.settings import Look, make_look
from dreamvideo.settings.curves import LAYERS
from dreamvideo.settings.derive import format_option, format_setting
from dreamvideo.settings.look import find_group

Kind = Literal["image", "video", "zoom"]
KINDS: tuple[Kind, ...] = ("image", "video", "zoom")
# What each kind of render can write, the default first.
ENDINGS: Mapping[Kind, tuple[str, ...]] = {
    "image": (".png", ".jpg"),
    "video": (".mp4", ".webm", ".gif"),
    "zoom": (".mp4", ".webm", ".gif"),
}
WORDS: Mapping[Kind, str] = {"image": "dream", "video": "dream", "zoom": "zoom"}
FILM: tuple[Kind, ...] = ("video", "zoom")
# The groups of a look that each kind of render uses.
GROUPS: Mapping[Kind, tuple[str, ...]] = {
    "image": ("dream", "mask", "colour"),
    "video": ("dream", "coherence", "camera", "mask", "colour"),
    "zoom": ("dream", "zoom"),
}
# A mask's file, and its other settings: they belong to the source, not to the look.
MASK = "mask.mask"
Value = bool | float | int | str
Changes = Mapping[str, Value]


@dataclass(frozen=True)
class Slider:
    """A number of a look that the page can change, its range, and the kinds of render it is for.

    A seed is not a quantity, so it is typed, or chosen by a dice button, instead of slid.
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
        """What it does, as in the command line's help."""
        return _field(self.group, self.name).description or ""

    def value_in(self, look: Look, unset: float) -> float:
        """Return its value in a look, at the start; ``unset`` if the look derives it."""
        found = getattr(getattr(look, self.group), self.name)
        if isinstance(found, str):
            return parse_schedule(found).at(TimePoint())[0]
        return unset if found is None else float(found)

    def convert(self, value: float, most: float = -inf) -> float | int:
        """Convert a value for the setting: clamped, and rounded if it is a whole number.

        ``most`` is a number of the look beyond the usual range, which it may reach.
        """
        held = min(max(value, self.low), max(self.high, most))
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
    """What to render.

    Attributes:
        kind: Kind of render.
        preset: The look to start from.
        changes: Settings that override the preset, by ``group.name``: numbers, schedules as text, a
            mask's file; those that a kind does not use are kept for the others.
        set_aside: The changes to other presets, by preset, until it is chosen again.
        start: Start in seconds of the clip; None: its own.
        end: End in seconds of the clip; None: its own.
        size: As on the command line; None: the source's own.
        fps: As on the command line; None: the source's own.
        endings: File extension for each kind.
        name: Name of the output, without its extension; empty: after the source.
        song: What is heard in place of the clip's own sound.
        click: Whether its beats are marked by clicks.
        bpm: Its tempo in beats a minute; None: found by listening.
        loop: Whether a zoom leads back to its beginning.
        journey: The presets that a zoom passes through, separated by commas.
        to: The picture that a zoom ends on.
        at: Time of the clip's frame that a zoom starts from; None: the last one.
    """

    kind: Kind = "image"
    preset: str | None = None
    changes: Changes = field(default_factory=dict)
    set_aside: Mapping[str | None, Changes] = field(default_factory=dict)
    start: float | None = None
    end: float | None = None
    size: str | None = None
    fps: str | None = None
    endings: Mapping[Kind, str] = field(default_factory=dict)
    name: str = ""
    song: Song | None = None
    click: bool = False
    bpm: float | None = None
    loop: bool = False
    journey: str = ""
    to: str | None = None
    at: float | None = None

    @property
    def sound(self) -> dict[str, Any]:
        """The output settings that its song means."""
        if self.song is None or self.kind not in FILM:
            return {}
        timing: dict[str, Any] = {"click": self.click, "bpm": self.bpm}
        return {"sound": self.song.path, **{key: value for key, value in timing.items() if value}}

    @property
    def stages(self) -> list[str]:
        """The presets of a zoom's journey."""
        names = self.journey.split(",") if self.kind == "zoom" else []
        return [name.strip() for name in names if name.strip()]

    @property
    def ending(self) -> str:
        """File extension of the output."""
        return self.endings.get(self.kind, ENDINGS[self.kind][0])

    @property
    def look(self) -> Look:
        """The look. Raises UsageError."""
        overrides: dict[str, dict[str, Any]] = {}
        for key, value in self.own_changes.items():
            group, _, name = key.partition(".")
            overrides.setdefault(group, {})[name] = value
        journey: Any = {"journey": [{"look": name} for name in self.stages]} if self.stages else {}
        return make_look([self.preset] if self.preset else [], {**overrides, **journey})

    @property
    def own_changes(self) -> Changes:
        """The changes that this kind of render uses, in the order of the page.

        A still does not change over time.
        """
        keys = [*(slider.key for slider in SLIDERS), *self.changes]
        return {
            key: self.changes[key]
            for key in dict.fromkeys(keys)
            if key in self.changes
            and key.partition(".")[0] in GROUPS[self.kind]
            and (self.kind != "image" or key == MASK or not isinstance(self.changes[key], str))
        }

    def change(self, slider: Slider, value: float | None) -> Choice:
        """Return a copy with a slider moved; None resets it to the preset's value."""
        moved = None if value is None else slider.convert(value, self.most(slider))
        return self.with_change(slider.key, moved)

    def with_change(self, key: str, value: Value | None) -> Choice:
        """Return a copy with a setting changed; None resets it to the preset's value."""
        changes = {each: kept for each, kept in self.changes.items() if each != key}
        if value is not None:
            changes[key] = value
        return replace(self, changes=changes)

    def with_text(self, key: str, text: str) -> Choice:
        """Return a copy with the text of a number; emptied, it is the preset's again.

        Raises UsageError, naming what is wrong with it.
        """
        number = parse_number(text) if key != LAYERS else None
        value: Value | None = text.strip() or None
        if number is not None:
            value = int(number) if number.is_integer() else number
        changed = self.with_change(key, value)
        _ = changed.look
        return changed

    def most(self, slider: Slider) -> float:
        """Return how far a slider reaches: to the preset's own number, if that is beyond it."""
        try:
            own = make_look([self.preset] if self.preset else [])
        except DreamVideoError:
            return slider.high
        return max(slider.high, slider.value_in(own, slider.high))

    def with_preset(self, name: str | None) -> Choice:
        """Return a copy with another preset and the changes that were made to it before.

        The changes to the present preset are set aside. Those that are not part of the picture
        itself, such as a zoom's speed, stay.
        """
        lasting = ("coherence", "zoom", "camera", "mask")
        kept = {k: v for k, v in self.changes.items() if k.split(".")[0] in lasting}
        own = {k: v for k, v in self.changes.items() if k not in kept}
        aside = {**self.set_aside, self.preset: own}
        again = aside.pop(name, {})
        aside = {preset: changes for preset, changes in aside.items() if changes}
        return replace(self, preset=name, changes={**kept, **again}, set_aside=aside)

    def arguments(self, source: str, output: str) -> list[str]:
        """Return the command line's arguments that render it, by the names of source and output."""
        made = [self.kind, source]
        if self.preset:
            made += ["--preset", self.preset]
        for key, value in self.own_changes.items():
            made += format_setting(key, value)
        if self.kind == "video":
            for name, at in (("--start", self.start), ("--end", self.end)):
                made += [name, format_seconds(at)] if at is not None else []
        if self.kind == "zoom":
            made += ["--at", format_seconds(self.at)] if self.at is not None else []
            made += ["--loop"] if self.loop else []
            made += ["--journey", ",".join(self.stages)] if self.stages else []
            made += ["--to", self.to] if self.to and not self.loop else []
        if self.size:
            made += ["--size", self.size]
        if self.fps and self.kind in FILM:
            made += ["--fps", self.fps]
        if self.song is not None and self.sound:
            made += ["--sound", self.song.name, *(["--click"] if self.click else [])]
            made += ["--bpm", format_option(self.bpm)] if self.bpm else []
        return [*made, "-o", output]

    def command(self, source: str, output: str) -> str:
        """Return the command line that renders it, ready to paste into a shell."""
        guarded = f"./{source}" if source.startswith("-") else source
        return shlex.join(["dreamvideo", *self.arguments(guarded, output)])

    def output_name(self, source: Path | str, number: int = 1) -> str:
        """Name an output: ``cat.jpg`` -> ``cat-dream.png``; the second one ``cat-dream-2.png``."""
        counted = "" if number < 2 else f"-{number}"
        return f"{self.name or f'{Path(source).stem}-{WORDS[self.kind]}'}{counted}{self.ending}"


def list_changes(choice: Choice) -> list[str]:
    """Return the changes that a choice makes to its preset, as the page calls them."""
    labels = {slider.key: slider.label for slider in SLIDERS}
    return [
        f"{labels.get(key, key.partition('.')[2].replace('_', ' '))} "
        f"{Path(str(value)).name if key == MASK else format_option(value)}"
        for key, value in choice.own_changes.items()
    ]


def _field(group: str, name: str) -> Any:
    return find_group(group).model_fields[name]
