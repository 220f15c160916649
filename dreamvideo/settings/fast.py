"""``--fast``: a named point between time and quality, as settings of a look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo

from dreamvideo.settings.terms import AUTO, SMALL

# Under what is given beside it, over presets and over what is set further from the command.
FAST: Mapping[str, Mapping[str, Any]] = {
    "dream": {"dream_size": SMALL},
    "coherence": {"cadence": 2, "carried_steps": 1, "flow_width": 320},
}
FAST_PRECISION = AUTO
IMPLIED = frozenset(name for fields in FAST.values() for name in fields)
"""Names of the settings that it implies."""

OPTION = "fast"
FIELD = FieldInfo(
    default=False,
    description="Faster and softer: cadence 2, a small dream size, one carried step, a coarser "
    "flow, and bfloat16 where it is known to be faster, as far as they apply; an option given "
    "beside it wins.",
)
