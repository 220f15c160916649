"""What colours the finished picture has."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from dreamvideo.settings.base import Settings

_UNBOUND: dict[str, Any] = {"none": "no bound"}


class ColourSettings(Settings):
    """What colours the finished picture has; all of it in the perceptual space OKLab."""

    keep_colour: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the source's own colours that is kept. 1: only light and shade "
        "are dreamt.",
    )
    match_colour: str = Field(
        default="none",
        description="Whose palette the dream takes: `source`, each frame its own; `first`, the "
        "first dreamt frame's; a picture's, given by its file; or `none`.",
    )
    match_strength: float = Field(
        default=1.0, ge=0, le=1, description="How far it takes that palette."
    )
    saturation: float = Field(
        default=1.0, ge=0, le=4, description="Factor on the dream's saturation. 0: grey."
    )
    contrast: float = Field(
        default=1.0, ge=0, le=4, description="Factor on the dream's contrast. 0: flat."
    )
    brightness: float = Field(
        default=1.0, ge=0, le=4, description="Factor on the dream's brightness. 0: black."
    )
    max_saturation: float | None = Field(
        default=None,
        ge=0.1,
        le=100,
        description="The dream's mean saturation is held below so many times the source's.",
        json_schema_extra=_UNBOUND,
    )
    max_contrast: float | None = Field(
        default=None,
        ge=0.1,
        le=100,
        description="The dream's contrast is held below so many times the source's.",
        json_schema_extra=_UNBOUND,
    )
    max_change: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="The dream's mean difference from the source is held below this; 1 is black "
        "against white, 0.1 a strong dream.",
        json_schema_extra=_UNBOUND,
    )
