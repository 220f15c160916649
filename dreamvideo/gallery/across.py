"""What a gallery can vary; apart, so that the command line need not load more."""

from __future__ import annotations

from typing import Literal

Across = Literal["layers", "channels", "creatures", "strengths", "presets"]
