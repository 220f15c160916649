"""A look: everything that determines a picture, from dream and coherence to zoom and journey."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from dreamvideo.schedules import ScheduleError, TimePoint, parse_schedule, parse_time_point
from dreamvideo.settings.base import Settings, validate
from dreamvideo.settings.camera import CameraSettings, ZoomSettings
from dreamvideo.settings.coherence import CoherenceSettings
from dreamvideo.settings.colour import ColourSettings
from dreamvideo.settings.dream import DreamSettings, Layers
from dreamvideo.settings.machine import Precision
from dreamvideo.settings.masks import MaskSettings, Region
from dreamvideo.settings.over_time import (
    Place,
    field_at,
    find_path,
    number_at,
    parse_checked_schedule,
)

# What a value over time calls the end of the film, a share of it, and how much of it is over.
# A share of the film is followed by its key's colon, perhaps after an offset; elsewhere % is a
# remainder.
_OF_LENGTH = re.compile(r"[\d.]\s*%\s*(?:$|:|[+-][^,]*:)|\b(?:end|p)\b")
# In lists of layers and classes only times are meant: a layer may be named like one of these.
_AT_SHARE = re.compile(r"(?:^|->)\s*(?:end\b|[\d.]+\s*%)")
StageTime = Annotated[str | None, AfterValidator(lambda text: validate(parse_time_point, text))]


class Stage(Settings):
    """A stage of a zoom's journey: a ``[[journey]]`` table of a preset."""

    look: str | None = Field(default=None, description="A preset whose dream is used here.")
    layers: Layers = Field(default=None, description="Layers to excite instead.")
    at: StageTime = Field(default=None, description="When it starts: `4s` or `50%`.")
    fade: float = Field(
        default=1.5,
        ge=0,
        le=86_400,
        description="Seconds of the cross-fade, centred on `at`.",
        json_schema_extra={"constant": True},
    )


class Look(Settings):
    """Everything that determines a picture; a preset sets a part of it."""

    description: str = Field(default="", description="One line about the look.")
    dream: DreamSettings = DreamSettings()
    coherence: CoherenceSettings = CoherenceSettings()
    camera: CameraSettings = CameraSettings()
    mask: MaskSettings = MaskSettings()
    colour: ColourSettings = ColourSettings()
    zoom: ZoomSettings = ZoomSettings()
    journey: tuple[Stage, ...] = Field(
        default=(), description="The sequence of dreams of a zoom; empty: only `[dream]`."
    )
    regions: tuple[Region, ...] = Field(
        default=(),
        description="Parts of the picture with their own dreams; the first is on top.",
    )
    precision: Precision | None = Field(
        default=None,
        description="Precision of the gradient where `--precision` leaves it open: what the dream "
        "was made in, unless that was float32; or `auto`, which `--fast` sets.",
    )
    over_time: dict[str, str] = Field(
        default={},
        description="Schedules of the numbers that change over time, by name: `dream.step_size`.",
    )

    @model_validator(mode="after")
    def _schedules_are_some(self) -> Look:
        for name, text in self.over_time.items():
            place = find_path(name)
            found = field_at(place, type(self))
            if found is None:
                raise ValueError(f"no number {name!r} can change over time")
            parse_checked_schedule(place, text, *found)
        return self

    @property
    def sounds(self) -> frozenset[str]:
        """What it follows of the sound: ``low``, ``low~0.3``, ``drums.low``, ``beat``."""
        texts = self.over_time.values()
        return frozenset(name for text in texts for name in parse_schedule(text).sounds)

    @property
    def length_terms(self) -> dict[str, str]:
        """The settings, by name, that depend on the film's length: ``end``, shares and ``p``."""
        texts = dict(self.over_time)
        texts |= {f"camera.{name}": value for name, value in self.camera if isinstance(value, str)}
        found = {name: text for name, text in texts.items() if _OF_LENGTH.search(text.lower())}
        lists = {f"dream.{name}": getattr(self.dream, name) for name in ("layers", "classes")}
        if "->" in self.dream.model:
            lists["dream.model"] = self.dream.model
        lists |= {f"regions.{n}.layers": region.layers for n, region in enumerate(self.regions)}
        return found | {
            name: text for name, text in lists.items() if text and _AT_SHARE.search(text.lower())
        }

    def check(self, moments: Iterable[TimePoint]) -> None:
        """Raise ScheduleError, before any work, if a formula has no value at one of these times."""
        if any(parse_schedule(text).formulas for text in self.over_time.values()):
            for moment in moments:
                for _ in self._numbers(moment):
                    pass

    def at(self, moment: TimePoint) -> Look:
        """Return the look with constant values for a time point; itself if nothing changes.

        Raises ScheduleError, which names the setting, if a formula has no value.
        """
        if not self.over_time:
            return self
        look: Any = self
        for place, number in self._numbers(moment):
            look = _with(look, place, number)
        fixed: Look = look.model_copy(update={"over_time": {}})
        return fixed

    def _numbers(self, moment: TimePoint) -> Iterator[tuple[Place, float]]:
        for name, text in self.over_time.items():
            place = find_path(name)
            found = field_at(place, type(self))
            assert found is not None
            try:
                number = number_at(str(place[-1]), text, *found, moment)
            except ScheduleError as error:
                raise ScheduleError(f"{name}: {error}") from None
            yield place, number


def _with(settings: Any, place: Place, number: float) -> Any:
    """Return settings, or a list of them, with one number replaced; unchanged if it is equal."""
    if not place:
        return number
    first, rest = place[0], place[1:]
    if isinstance(first, int):
        changed = _with(settings[first], rest, number)
        return tuple(changed if n == first else row for n, row in enumerate(settings))
    before = getattr(settings, first)
    changed = _with(before, rest, number)
    return settings if changed is before else settings.model_copy(update={first: changed})


def find_group(name: str) -> type[Settings]:
    """Return the class of a group of a ``Look``: ``DreamSettings`` for ``dream``."""
    group = Look.model_fields[name].annotation
    assert isinstance(group, type) and issubclass(group, Settings)
    return group
