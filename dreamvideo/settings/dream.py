"""Settings of the dream: what to dream, and how strongly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dreamvideo.schedules import TimePoint
from dreamvideo.settings.base import Settings, validate
from dreamvideo.settings.terms import (
    Timeline,
    check_dream_size,
    class_timeline,
    layer_timeline,
)

Layers = Annotated[str | None, AfterValidator(lambda text: validate(layer_timeline, text))]
Classes = Annotated[str | None, AfterValidator(lambda text: validate(class_timeline, text))]
DreamSize = Annotated[str, AfterValidator(lambda text: validate(check_dream_size, text))]


class DreamSettings(Settings):
    """What to dream, and how strongly."""

    model: str = Field(
        default="efficientnet-lite0",
        description="Network; `dreamvideo models` lists them. Or a file of your own, or several "
        "networks, weighted: `lite0,lite2:0.5`. See `dreamvideo guide networks`.",
    )
    weights: Path | None = Field(
        default=None,
        description="Local weights file, instead of Keras's download.",
        json_schema_extra={"none": "download"},
    )
    input_range: Literal["0..1", "-1..1", "0..255", "caffe", "torch", "-117..138"] | None = Field(
        default=None,
        description="What black and white are to a network from a file: `caffe` is BGR bytes minus "
        "ImageNet's mean, `torch` is 0..1 normalised.",
        json_schema_extra={"none": "found in the file"},
    )
    layers: Layers = Field(
        default=None,
        description="Layers to excite, weighted: `mixed3,mixed5#42:0.5`. Early layers draw "
        "textures, deep ones eyes and animals. Channels, places, modes and times: `dreamvideo "
        "guide objectives`.",
        json_schema_extra={"none": "the network's own"},
    )
    classes: Classes = Field(
        default=None,
        description="ImageNet classes to dream, by name: `tabby cat`, `goldfish,volcano:0.5`; "
        "added to --layers if both are given. `dreamvideo models --classes cat` finds names.",
        json_schema_extra={"none": "none", "option": "--class"},
    )
    guide: Path | None = Field(
        default=None,
        description="A picture to dream of: each place follows the guide's best matching feature.",
        json_schema_extra={"none": "none"},
    )
    creatures: int = Field(
        default=0,
        ge=0,
        lt=2**31,
        description="Seed of the creatures: each number selects a different quarter of the layers' "
        "channels, and so a different fauna. 0: all of them.",
        json_schema_extra={"constant": True},
    )
    creature_size: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="Height of the largest forms as a fraction of the picture, the same at every "
        "resolution. 0.2: a crowd of small ones; 0: whatever a coarsest octave of 130 px gives.",
        json_schema_extra={"constant": True},
    )
    detail: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="Amount of fine texture: the steps of each fine octave as a fraction of the "
        "octave before. 0: hardly any; 1: as much as possible, but takes three times as long.",
        json_schema_extra={"constant": True},
    )
    colour: float = Field(
        default=1.0,
        ge=0,
        le=4,
        description="How much the dream may change colours. 0: light and shade only; 2: loud.",
    )
    certainty: float = Field(
        default=1.0,
        ge=0,
        le=8,
        description="How recognisable the creatures are: how strongly the last four steps at each "
        "size pull towards what the network can name. For the own layers of an EfficientNet-Lite, "
        "in stills and where a shot or a zoom begins. 0: not at all.",
        json_schema_extra={"constant": True},
    )
    balance: Literal["opponent", "none"] = Field(
        default="opponent",
        description="How the gradient is balanced. `opponent`: light and colour separately, in "
        "frequency bands, for clean forms; `none`: as the network gives it, with its grain.",
        json_schema_extra={"constant": True},
    )
    headroom: float = Field(
        default=0.2,
        ge=0,
        le=0.5,
        description="How far the source's white and black are pulled in, so that blown-out skies "
        "and deep shadows can show a dream. 0: not at all.",
        json_schema_extra={"constant": True},
    )
    dream_size: DreamSize = Field(
        default="auto",
        description="Size at which the dream is made, then laid over the full-size source: "
        "`640x360`, `640`, `50%`. `auto`: at most about 768x432 for films and 1024x576 for "
        "pictures, which takes a fraction of the time; `small`: about 480x270; `full`: the "
        "output's. Zooms are always dreamt at theirs.",
        json_schema_extra={"constant": True},
    )
    octaves: int | None = Field(
        default=None,
        ge=1,
        le=16,
        description="Number of sizes the picture is dreamt at, coarse to fine. More: larger "
        "creatures.",
        json_schema_extra={"none": "from --creature-size"},
    )
    octave_scale: float = Field(
        default=1.3,
        gt=1,
        le=4,
        description="Size ratio of neighbouring octaves. Less: smoother mixture, slower.",
    )
    steps: int = Field(
        default=14,
        ge=1,
        le=100_000,
        description="Gradient steps in each coarse octave. More: stronger, slower.",
    )
    step_size: float = Field(
        default=0.018,
        gt=0,
        le=2,
        description="Length of a step; pixels range from -1 to 1. More: stronger, coarser.",
    )
    jitter: int = Field(
        default=32,
        ge=0,
        le=4096,
        description="Largest random shift before a step, px. 0: none; a grid becomes visible.",
    )
    smooth: float = Field(
        default=0.0,
        ge=0,
        le=32,
        description="Smoothing of the gradient, px. 1: less grain, richer colour; 4: broad, soft "
        "forms in bright colours.",
    )
    laplacian: int = Field(
        default=0,
        ge=0,
        le=8,
        description="Levels of a Laplacian pyramid that gives fine and coarse bands of the "
        "gradient equal weight, in place of --balance. 4: large forms, bright colours and fine "
        "lines.",
        json_schema_extra={"constant": True},
    )
    norm: Literal["std", "mean-abs", "none"] = Field(
        default="std",
        description="What the gradient is divided by: its standard deviation; its mean absolute "
        "value (1.5 times as strong); nothing (pictures that excite little are dreamt little).",
        json_schema_extra={"constant": True},
    )
    tv: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="Total variation: pull towards smooth surfaces. 0.3: cleaner; 1: flat.",
    )
    fidelity: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="Pull back towards the source. 0.5: the dream stays close to it; 2: only a "
        "hint.",
    )
    strength: float = Field(
        default=1.0,
        ge=0,
        le=3,
        description="How strongly each frame is dreamt. 0: the source itself; 2: twice the work.",
    )
    seed: int = Field(
        default=0,
        ge=0,
        lt=2**63,
        description="Seed of all random numbers.",
        json_schema_extra={"constant": True},
    )

    def list_weighted_layers(
        self, default: Sequence[str], moment: TimePoint | None = None
    ) -> tuple[tuple[str, float], ...]:
        """Return (term, weight) of every layer to excite at a time point, or at the start.

        Terms are as in ``parse_layers``. Uses the network's ``default`` if none is named; empty if
        only classes are dreamt.
        """
        timeline = self.layer_timeline(default)
        return timeline.at(moment or TimePoint()) if timeline else ()

    def layer_timeline(self, default: Sequence[str]) -> Timeline | None:
        """Return the layers over time; None if only classes are dreamt."""
        if self.layers is None and self.classes is not None and self.guide is None:
            return None
        return layer_timeline(self.layers or ",".join(default))

    @property
    def class_timeline(self) -> Timeline | None:
        """The classes over time, as they were written; None if there are none."""
        return None if self.classes is None else class_timeline(self.classes)
