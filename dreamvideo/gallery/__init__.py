"""Sheets and pages that compare layers, channels, creatures, strengths and presets."""

from __future__ import annotations

from typing import Literal

Across = Literal["layers", "channels", "creatures", "strengths", "presets"]
