"""What a gallery can vary; a separate module, so that the command line need not load more."""

from __future__ import annotations

from typing import Literal

Across = Literal["layers", "channels", "creatures", "strengths", "presets"]
