"""Settings of ``dreamvideo train``: how long and how strongly a network is taught."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError

from dreamvideo.errors import UsageError
from dreamvideo.settings.base import Settings, join_lines


class TrainingSettings(Settings):
    """How long and how strongly a network is taught."""

    # Measured on twenty pictures of coins: one epoch dreams them clearly; after six the network
    # tells them apart better, but dreams them faintly and in grain.
    epochs: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Epochs: in each the network dreams, and learns to tell its dreams from your "
        "pictures. More make it pickier, and what it dreams finer and fainter. It ends earlier "
        "once it does no better on pictures kept aside.",
    )
    minutes: float = Field(
        default=10.0,
        gt=0,
        le=10000,
        description="Minutes that it may take in all; the epoch under way is finished.",
    )
    strength: float = Field(
        default=1.0,
        ge=0.05,
        le=10,
        description="How much each epoch changes the network; low values keep more of its own "
        "creatures.",
    )
    # By eye: from some 0.3 on a fine coloured grain covers all, below 0.15 coins are but hinted at.
    blend: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="How much of what was learnt is blended into the bundled network: low values "
        "leave its own creatures among yours, 1 dreams nothing but yours, in grain.",
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=2**32 - 1,
        description="Seed of the crops, of the pictures kept aside and of what it dreams.",
    )


def make_training(**given: Any) -> TrainingSettings:
    """Return the defaults, overridden by what is not None. Raises UsageError, naming the option."""
    try:
        return TrainingSettings.model_validate({k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        raise UsageError(join_lines(error, TrainingSettings, "--")) from None
