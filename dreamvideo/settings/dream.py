"""What is dreamt, and how hard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from dreamvideo.parsing import parse_layers
from dreamvideo.settings.base import Settings, checked

Layers = Annotated[str | None, AfterValidator(lambda text: checked(parse_layers, text))]


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
    strength: float = Field(
        default=1.0,
        ge=0,
        le=3,
        description="How much of a dream each frame has. 0: the source itself; 2: twice the work.",
    )
    seed: int = Field(
        default=0,
        ge=0,
        lt=2**63,
        description="Start of all random numbers.",
        json_schema_extra={"constant": True},
    )

    def weighted_layers(self, default: Sequence[str]) -> tuple[tuple[str, float], ...]:
        """(layer, weight) of every layer to excite; the network's own where none is named."""
        if self.layers is None:
            return tuple((name, 1.0) for name in default)
        return parse_layers(self.layers)
