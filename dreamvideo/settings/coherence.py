"""How a dream is carried from frame to frame of a clip."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dreamvideo.settings.base import Settings


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
    refresh: int = Field(
        default=1,
        ge=1,
        le=12,
        description="Frames from one refreshing of the carried dream to the next; what comes into "
        "view is dreamt at once. More: faster, duller on what moves.",
        json_schema_extra={"constant": True},
    )
    cadence: int = Field(
        default=1,
        ge=1,
        le=8,
        description="Dream every so many-th frame; those between are carried from both sides. "
        "Pays for large frames and many steps.",
        json_schema_extra={"constant": True},
    )
    passes: int = Field(
        default=1,
        ge=1,
        le=2,
        description="2: a second pass, back in time, steadies the film further; "
        "needs half as long again and twice the disk.",
        json_schema_extra={"constant": True},
    )
    hold: Literal["bands", "contrast"] = Field(
        default="bands",
        description="What keeps carried detail what it was: `bands`: light and colour of every "
        "size; `contrast`: that of fine detail alone, which lets colour drain.",
        json_schema_extra={"constant": True},
    )
    leak: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the carried low frequencies dropped each frame.",
    )
    cut_threshold: float = Field(
        default=0.52,
        gt=0,
        le=2,
        description="Change of structure that counts as a scene cut. 2: none.",
        json_schema_extra={"constant": True},
    )
