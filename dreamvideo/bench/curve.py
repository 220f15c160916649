"""The curve of time against quality: one clip dreamt in five ways, down to ``--fast``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from typing import Any

from dreamvideo.bench.film import find_pace, open_renderer
from dreamvideo.bench.plan import Log, Plan
from dreamvideo.bench.steps import interleave

# By the options that make them. Each gives up something that the one before it keeps.
POINTS: Mapping[str, Mapping[str, Any]] = {
    "--dream-size full": {"overrides": {"dream": {"dream_size": "full"}}},
    "(defaults)": {},
    "--carried-steps 1": {"overrides": {"coherence": {"carried_steps": 1}}},
    "--carried-steps 1 --flow-width 320": {
        "overrides": {"coherence": {"carried_steps": 1, "flow_width": 320}}
    },
    "--fast": {"fast": True},
}
BEST, DEFAULTS = "--dream-size full", "(defaults)"
# Pairs of neighbouring frames that are dreamt alone, at the best point's settings.
PAIRS = 2
JUDGED = {"op": "render_and_judge", "pairs": PAIRS, "alone": POINTS[BEST]["overrides"]}


def measure_curve(plan: Plan, log: Log) -> dict[str, Any]:
    """Render a clip at every point, in rounds that alternate between them.

    Args:
        plan: The clip, its size, the number of frames and of rounds.
        log: Called with a line about what is measured next.

    Returns:
        The film's ``height``, ``width`` and ``frames``, and ``points``. Each point has its
        ``options``, ``dream size`` (width, height) and ``precision``; ``seconds per frame`` after
        the first, by round; and ``measure_quality``'s figures, the ``sharpness`` relative to the
        first point's.
    """
    height, width = plan.curve_size
    log(f"curve: {plan.curve_frames} frames of {width} x {height}, {len(POINTS)} points")
    paces: dict[str, list[float]] = {name: [] for name in POINTS}
    points: dict[str, dict[str, Any]] = {}
    films = replace(plan, film_size=plan.curve_size)
    with open_renderer(films, frames=plan.curve_frames) as render:
        for name in interleave(list(POINTS), max(1, plan.rounds // 2)):
            # The films of all rounds are the same.
            judged = {} if name in points else JUDGED
            made = render(plan.curve_frames, precision="auto", **POINTS[name], **judged)
            paces[name].append(round(find_pace(made["times"]), 4))
            if judged:
                points[name] = {"options": name, **made["settled"], **made["quality"]}
            log(f"curve: {name}: {median(paces[name]):.3g} s a frame")
    sharpest = points[BEST]["sharpness"] or 1.0
    return {
        "height": height,
        "width": width,
        "frames": points[BEST].pop("frames"),
        "points": [
            {
                **{key: value for key, value in points[name].items() if key != "frames"},
                "sharpness": round(points[name]["sharpness"] / sharpest, 4),
                "seconds per frame": paces[name],
            }
            for name in POINTS
        ],
    }
