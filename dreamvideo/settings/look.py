"""Everything that makes a picture: the dream, its coherence, the zoom and its journey."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dreamvideo.parsing import parse_layers
from dreamvideo.schedules import OverTime, parse_moment
from dreamvideo.settings.base import Settings, checked

Layers = Annotated[str | None, AfterValidator(lambda text: checked(parse_layers, text))]
Moment = Annotated[str | None, AfterValidator(lambda text: checked(parse_moment, text))]


class DreamSettings(Settings):
    """What is dreamt, and how hard."""

    model: str = Field(
        default="efficientnet-lite0", description="Network; `dreamvideo models` lists them."
    )
    weights: Path | None = Field(
        default=None,
        description="Local weights file instead of Keras's download.",
        json_schema_extra={"none": "download"},
    )
    layers: Layers = Field(
        default=None,
        description="Layers to excite, each with an optional weight: `mixed3,mixed5:0.5`. "
        "Early layers draw strokes and textures, deep ones eyes, animals, buildings.",
        json_schema_extra={"none": "the network's own"},
    )
    octaves: int | None = Field(
        default=None,
        ge=1,
        le=16,
        description="Sizes the picture is dreamt at, coarse to fine. More: larger creatures.",
        json_schema_extra={"none": "from the size"},
    )
    octave_scale: float = Field(
        default=1.4,
        gt=1,
        le=4,
        description="Size ratio of neighbouring octaves. Less: smoother mixture.",
    )
    steps: int = Field(
        default=12,
        ge=1,
        le=100_000,
        description="Gradient steps an octave. More: stronger, slower.",
    )
    step_size: float = Field(
        default=0.025,
        gt=0,
        le=2,
        description="Length of a step; the pixel range is [-1, 1]. More: stronger, coarser.",
    )
    jitter: int = Field(
        default=32,
        ge=0,
        le=4096,
        description="Largest random roll before a step, px. 0: none, tiles show.",
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="Start of all random numbers.")

    def weighted_layers(self, default: Sequence[str]) -> tuple[tuple[str, float], ...]:
        """(layer, weight) of every layer to excite; the network's own where none is named."""
        if self.layers is None:
            return tuple((name, 1.0) for name in default)
        return parse_layers(self.layers)


class CoherenceSettings(Settings):
    """How a dream is carried from frame to frame of a clip."""

    coherence: float = Field(
        default=0.8,
        ge=0,
        le=1,
        description="How firmly the dream sticks to what moves. 0: each frame anew, boiling; "
        "1: as still as it gets.",
    )
    gain: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Share of the carried detail that is kept each frame. Less: livelier.",
        json_schema_extra={"none": "from --coherence"},
    )
    blend: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Share of the carried picture blended back after dreaming. More: calmer.",
        json_schema_extra={"none": "from --coherence"},
    )
    carried_steps: int | None = Field(
        default=None,
        ge=1,
        description="Gradient steps an octave where a dream was carried. More: livelier, slower.",
        json_schema_extra={"none": "from --coherence"},
    )
    passes: int = Field(
        default=1,
        ge=1,
        le=2,
        description="2: a second pass, back in time, steadies the film further; "
        "needs half as long again and twice the disk.",
    )
    leak: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Share of the carried low frequencies dropped each frame.",
    )
    cut_threshold: float = Field(
        default=0.52,
        gt=0,
        le=2,
        description="Change of structure that counts as a scene cut. 2: none.",
    )


class ZoomSettings(Settings):
    """The camera and the length of a zoom; its rates may change over time."""

    seconds: float = Field(default=8.0, gt=0, le=86_400, description="Length of the film.")
    rate: Annotated[float | str, OverTime(0.02, 100)] = Field(
        default=1.5,
        description="Magnification per second; below 1 zooms out. Like the next three it may "
        "change: `0:1.2, 4s:2 ease, 100%:1.1`.",
    )
    rotate: Annotated[float | str, OverTime(-3600, 3600)] = Field(
        default=3.0,
        description="Degrees per second, clockwise. 0: lines through the centre stay for good.",
    )
    pan: Annotated[str, OverTime(-10, 10, parts=2)] = Field(
        default="0x0",
        description="Travel per second: frame widths to the right x frame heights down.",
    )
    centre: Annotated[str, OverTime(-10, 10, parts=2)] = Field(
        default="0.5x0.5",
        description="Point that zoom and rotation leave in place, as shares of width x height.",
    )
    border: Literal["mirror", "wrap"] = Field(
        default="mirror",
        description="What new ground at the edges begins as, before it is dreamt: the picture "
        "mirrored, or its other side.",
    )
    growth: float = Field(
        default=1.2,
        gt=0,
        le=100,
        description="How much is dreamt while the picture grows by one octave, in fresh dreams. "
        "More: livelier, harsher, slower.",
    )
    anchor: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="How firmly colours, contrast and fineness are held to the first frame's. "
        "0: they drift and burn.",
    )


class Stage(Settings):
    """A part of a zoom's journey: a ``[[journey]]`` table of a preset."""

    look: str | None = Field(default=None, description="A preset whose dream is dreamt here.")
    layers: Layers = Field(default=None, description="Layers to excite instead.")
    at: Moment = Field(default=None, description="When it begins: `4s` or `50%`.")
    fade: float = Field(
        default=1.5, ge=0, le=86_400, description="Seconds in which it takes over, about `at`."
    )


class Look(Settings):
    """Everything that makes a picture; what a preset is a part of."""

    description: str = Field(default="", description="One line about the look.")
    dream: DreamSettings = DreamSettings()
    coherence: CoherenceSettings = CoherenceSettings()
    zoom: ZoomSettings = ZoomSettings()
    journey: tuple[Stage, ...] = Field(
        default=(), description="What a zoom dreams one after another; empty: `[dream]` alone."
    )
