"""Settings of masks and regions: where to dream, and what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dreamvideo.settings.base import Settings, validate
from dreamvideo.settings.dream import Layers
from dreamvideo.settings.shapes import parse_range, parse_shapes

Drawn = Annotated[str | None, AfterValidator(lambda text: validate(parse_shapes, text))]
Bright = Annotated[
    str | None, AfterValidator(lambda text: validate(lambda given: parse_range(given, 1), text))
]
Hue = Annotated[
    str | None,
    AfterValidator(lambda text: validate(lambda given: parse_range(given, 360, wraps=True), text)),
]


class Mask(Settings):
    """A part of the picture: all given conditions must hold."""

    mask: Drawn = Field(
        default=None,
        description="Where to dream: a picture, film or folder (white or opaque: dream; black or "
        "clear: keep), or a drawn shape: `circle 0.5x0.5 0.3`, `ellipse 0.5x0.5 0.4x0.2`, "
        "`rect 0.1x0.2 0.5x0.6`, `polygon 0.5x0 1x1 0x1`, `left 0.5`, `gradient top bottom`, "
        "several joined by + (add), - (subtract) or & (intersect). A circle's radius is a "
        "fraction of the shorter side.",
        json_schema_extra={"none": "everywhere"},
    )
    feather: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Width of the mask's soft edge, in frame widths; the edge lies inside, so "
        "black stays untouched.",
    )
    invert: bool = Field(default=False, description="Dream everywhere else instead.")
    mask_x: float = Field(
        default=0.0, ge=-10, le=10, description="Moves the mask to the right, in frame widths."
    )
    mask_y: float = Field(
        default=0.0, ge=-10, le=10, description="Moves the mask down, in frame heights."
    )
    mask_scale: float = Field(
        default=1.0, gt=0, le=100, description="Scales the mask about the frame's centre."
    )
    mask_turn: float = Field(
        default=0.0,
        ge=-36_000,
        le=36_000,
        description="Rotates the mask about the frame's centre, degrees clockwise.",
    )
    mask_end: Literal["hold", "loop"] = Field(
        default="hold",
        description="A mask film runs along with the clip. If it is too short, it stays on its "
        "last frame (`hold`) or starts again (`loop`).",
    )
    motion: Literal["any", "moving", "still"] = Field(
        default="any",
        description="Dream only what moves by itself, or only what stays still; camera motion is "
        "compensated.",
    )
    speed: float = Field(
        default=0.05,
        gt=0,
        le=10,
        description="Speed from which something counts as moving, in frame widths per second.",
    )
    bright: Bright = Field(
        default=None,
        description="Dream only where the source is this bright: `0.6-1`; 0 is black, 1 white.",
        json_schema_extra={"none": "any"},
    )
    hue: Hue = Field(
        default=None,
        description="Dream only where the source has these hues, in degrees: `90-150` green, "
        "`330-30` red; grey has no hue.",
        json_schema_extra={"none": "any"},
    )

    @property
    def covers_all(self) -> bool:
        """Whether nothing is masked out."""
        conditions = (self.mask, self.bright, self.hue)
        return self.motion == "any" and conditions == (None, None, None) and not self.invert


class MaskSettings(Mask):
    """Where to dream."""

    rest: Literal["dream", "source"] = Field(
        default="dream",
        description="What fills the area outside a preset's regions: the look's own dream, or the "
        "source.",
    )


class Region(Mask):
    """A part of the picture with its own dream: a ``[[regions]]`` table of a preset.

    Where regions overlap, the first one is on top. A region without conditions covers whatever the
    regions before it leave.
    """

    look: str | None = Field(default=None, description="A preset whose dream is used here.")
    layers: Layers = Field(default=None, description="Layers to excite instead.")
