"""Settings of a zoom's camera and dream, and of the camera over a clip."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dreamvideo.schedules import OverTime
from dreamvideo.settings.base import Settings

# Default magnification per second of a zoom that need not close.
ZOOM_RATE = 1.5


class ZoomSettings(Settings):
    """The camera and the length of a zoom; its rates may change over time."""

    seconds: float = Field(
        default=8.0,
        gt=0,
        le=86_400,
        description="Length of the film.",
        json_schema_extra={"constant": True},
    )
    rate: Annotated[float | str | None, OverTime(0.02, 100)] = Field(
        default=None,
        description="Magnification per second; below 1 zooms out. Like the next three it may "
        "change over time: `0:1.2, 4s:2 ease, 100%:1.1`.",
        json_schema_extra={"none": f"{ZOOM_RATE:g}; for a loop, the slowest that closes"},
    )
    rotate: Annotated[float | str, OverTime(-3600, 3600)] = Field(
        default=3.0,
        description="Degrees per second, clockwise. 0: lines through the centre never go away.",
    )
    pan: Annotated[str, OverTime(-10, 10, parts=2)] = Field(
        default="0x0",
        description="Movement per second: frame widths to the right x frame heights down.",
    )
    centre: Annotated[str, OverTime(-10, 10, parts=2)] = Field(
        default="0.5x0.5",
        description="Fixed point of zoom and rotation, as fractions of width x height.",
    )
    border: Literal["mirror", "wrap", "replicate"] = Field(
        default="mirror",
        description="What fills new area at the edges before it is dreamt: the picture mirrored, "
        "its opposite side, or its edge pixels repeated.",
    )
    growth: float = Field(
        default=1.2,
        gt=0,
        le=100,
        description="How much is dreamt while the picture grows by one octave, as a multiple of a "
        "fresh dream. More: livelier, harsher, slower.",
    )
    anchor: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="How firmly colours, contrast and fine detail are held to the first frame's. "
        "0: they drift and burn.",
    )

    @property
    def magnification(self) -> float | str:
        """``rate``, or its default if none was given."""
        return ZOOM_RATE if self.rate is None else self.rate


class CameraSettings(Settings):
    """A camera over a clip; its rates may change over time."""

    zoom: Annotated[float | str, OverTime(0.02, 50)] = Field(
        default=1.0,
        description="Magnification per second of a camera over the clip; below 1 zooms out. Like "
        "the next three it may change over time: `0:1, 4s:1.3 ease, 100%:1`.",
    )
    rotate: Annotated[float | str, OverTime(-3600, 3600)] = Field(
        default=0.0, description="Degrees per second that the picture turns, clockwise."
    )
    pan: Annotated[str, OverTime(-10, 10, parts=2)] = Field(
        default="0x0",
        description="Movement per second: frame widths to the right x frame heights down.",
    )
    centre: Annotated[str, OverTime(-10, 10, parts=2)] = Field(
        default="0.5x0.5",
        description="Fixed point of zoom and rotation, as fractions of width x height.",
    )
    border: Literal["mirror", "wrap", "replicate"] = Field(
        default="mirror",
        description="What the camera sees beyond the frame: the picture mirrored, its opposite "
        "side, or its edge pixels repeated.",
    )

    @property
    def is_still(self) -> bool:
        """Whether the clip is left unchanged."""
        return (self.zoom, self.rotate, self.pan) == (1.0, 0.0, "0x0")
