"""Settings of colour grading."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from dreamvideo.settings.base import Settings

_UNBOUND: dict[str, Any] = {"none": "no bound"}


class ColourSettings(Settings):
    """The colours of the finished picture, computed in the perceptual space OKLab."""

    keep_colour: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Fraction of the source's own colours that is kept. 1: only light and shade "
        "are dreamt.",
    )
    match_colour: str = Field(
        default="none",
        description="Palette to match: `source`, each source frame's own; `first`, the first "
        "dreamt frame's; a picture's, given by its file; or `none`.",
    )
    match_strength: float = Field(
        default=1.0, ge=0, le=1, description="How closely that palette is matched."
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
        description="Upper limit of the dream's mean saturation, as a multiple of the source's.",
        json_schema_extra=_UNBOUND,
    )
    max_contrast: float | None = Field(
        default=None,
        ge=0.1,
        le=100,
        description="Upper limit of the dream's contrast, as a multiple of the source's.",
        json_schema_extra=_UNBOUND,
    )
    max_change: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Upper limit of the dream's mean difference from the source; 1 is black "
        "against white, 0.1 a strong dream.",
        json_schema_extra=_UNBOUND,
    )
