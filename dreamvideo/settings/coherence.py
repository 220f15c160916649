"""Settings of coherence: how a dream is carried from frame to frame of a clip."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dreamvideo.settings.base import Settings

FLOW_WIDTH = 576


class CoherenceSettings(Settings):
    """How a dream is carried from frame to frame of a clip."""

    coherence: float = Field(
        default=0.8,
        ge=0,
        le=1,
        description="How firmly the dream sticks to what moves. 0: each frame is dreamt "
        "independently and boils; 1: as still as it gets.",
    )
    gain: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Fraction of the carried detail that is kept each frame. Less: livelier.",
        json_schema_extra={"none": "from --coherence"},
    )
    blend: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Fraction of the carried picture blended back after dreaming. More: calmer.",
        json_schema_extra={"none": "from --coherence"},
    )
    carried_steps: int | None = Field(
        default=None,
        ge=1,
        description="Gradient steps per octave where a dream was carried. More: livelier, slower.",
        json_schema_extra={"none": "from --coherence"},
    )
    refresh: int = Field(
        default=2,
        ge=1,
        le=12,
        description="Re-dream the whole frame only every N frames; in between, only newly "
        "uncovered or changed areas. More: faster, but fast motion smears.",
        json_schema_extra={"constant": True},
    )
    cadence: int = Field(
        default=1,
        ge=1,
        le=8,
        description="Dream every Nth frame; interpolate the frames in between from both sides. "
        "Pays off for large frames and many steps.",
        json_schema_extra={"constant": True},
    )
    passes: int = Field(
        default=1,
        ge=1,
        le=2,
        description="2: a second pass, from the last frame to the first, steadies the film "
        "further; takes half as long again and twice the disk.",
        json_schema_extra={"constant": True},
    )
    hold: Literal["bands", "contrast"] = Field(
        default="bands",
        description="What is restored in carried detail. `bands`: light and colour in every "
        "frequency band; `contrast`: only the contrast of fine detail, which lets colour drain.",
        json_schema_extra={"constant": True},
    )
    flow: Literal["filled", "raw"] = Field(
        default="filled",
        description="Optical flow of what has no texture, such as skies and blurred backgrounds. "
        "`filled`: that of the textured surroundings; `raw`: as estimated, which often stands "
        "still there while the camera moves.",
        json_schema_extra={"constant": True},
    )
    flow_width: int = Field(
        default=FLOW_WIDTH,
        ge=64,
        le=4096,
        description="Width in pixels that larger frames are reduced to for their optical flow. "
        "Less: faster, and small things are followed less closely.",
        json_schema_extra={"constant": True},
    )
    leak: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Fraction of the carried low frequencies dropped each frame.",
    )
    cut_threshold: float = Field(
        default=0.52,
        gt=0,
        le=2,
        description="Change of structure that counts as a scene cut. 2: none.",
        json_schema_extra={"constant": True},
    )
