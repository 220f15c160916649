"""A look: everything that makes a picture, the dream, its coherence, the zoom and its journey."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from dreamvideo.schedules import parse_moment
from dreamvideo.settings.base import Settings, checked
from dreamvideo.settings.camera import CameraSettings, ZoomSettings
from dreamvideo.settings.coherence import CoherenceSettings
from dreamvideo.settings.colour import ColourSettings
from dreamvideo.settings.dream import DreamSettings, Layers
from dreamvideo.settings.where import MaskSettings, Region

Moment = Annotated[str | None, AfterValidator(lambda text: checked(parse_moment, text))]


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
    camera: CameraSettings = CameraSettings()
    mask: MaskSettings = MaskSettings()
    colour: ColourSettings = ColourSettings()
    zoom: ZoomSettings = ZoomSettings()
    journey: tuple[Stage, ...] = Field(
        default=(), description="What a zoom dreams one after another; empty: `[dream]` alone."
    )
    regions: tuple[Region, ...] = Field(
        default=(),
        description="Parts of the picture with dreams of their own; the first lies on top.",
    )
