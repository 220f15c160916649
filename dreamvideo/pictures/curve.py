"""Draw the curve of time against quality from the benchmark's report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from statistics import median
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dreamvideo.cli.entry import run
from dreamvideo.errors import DreamVideoError
from dreamvideo.gallery.contact_sheet import Pixels
from dreamvideo.pictures.clone import Clone

SIZE = WIDTH, HEIGHT = 1260, 640
# Of the panels' axes.
TOP, BOTTOM, LEFT, RIGHT = 70, 400, 50, 24
PAPER, INK, FAINT, LINE = "#ffffff", "#1f2933", "#d5dbe1", "#2563a8"
TEXT, SMALL = 19, 16
DOT = 13
QUALITY = 88
TICKS = 5

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Panel:
    """One quality over time: its title, and how a point of the report gives it."""

    title: str
    read: Callable[[Point], float]


PANELS = (
    Panel("Sharpness of the film", lambda point: point["sharpness"]),
    Panel("Contrast of the dream", lambda point: point["contrast"] or 0.0),
    Panel("Flicker X (lower is better)", lambda point: point["x"] or 0.0),
)


def make_curve(clone: Clone) -> None:
    """Measure the curve with the sample clip and draw it; takes some minutes."""
    clip = str(clone.sample("bunny.mp4"))
    with redirect_stdout(StringIO()) as said:
        code = run(["bench", "--only", "curve", "--clip", clip, "--json", "--no-config"])
    report: dict[str, Any] = {"notes": ["the benchmark failed"]}
    if code == 0:
        report = json.loads(said.getvalue())
    if "curve" not in report:
        raise DreamVideoError("; ".join(report["notes"]))
    clone.save("samples/showcase/curve.jpg", draw_curve(report["curve"]), QUALITY)


def draw_curve(curve: Mapping[str, Any]) -> Pixels:
    """Draw what ``dreamvideo bench --only curve --json`` has under ``curve``.

    Returns:
        uint8 H x W x 3 RGB: a panel for each quality, with a numbered dot for each point, and
        below them what the numbers mean.
    """
    points = curve["points"]
    times = [median(point["seconds per frame"]) for point in points]
    sheet = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(sheet)
    step = WIDTH // len(PANELS)
    for number, panel in enumerate(PANELS):
        area = (number * step + LEFT, TOP, (number + 1) * step - RIGHT, BOTTOM)
        _draw_panel(draw, area, panel.title, times, [panel.read(point) for point in points])
    size = f"{curve['frames']} frames of {curve['width']} x {curve['height']}"
    _write(draw, (WIDTH / 2, BOTTOM + 50), f"seconds a frame, {size}", SMALL, "mm")
    for number, (point, time) in enumerate(zip(points, times, strict=True), 1):
        y = BOTTOM + 94 + (number - 1) * 27
        _draw_dot(draw, (LEFT + 10, y), number)
        _write(draw, (LEFT + 34, y), point["options"], SMALL, "lm")
        dreamt = "x".join(map(str, point["dream size"]))
        facts = f"{time:.2g} s a frame, dreamt at {dreamt} in {point['precision']}"
        _write(draw, (LEFT + 400, y), facts, SMALL, "lm")
    return np.asarray(sheet, np.uint8)


def _draw_panel(
    draw: ImageDraw.ImageDraw,
    area: tuple[int, int, int, int],
    title: str,
    xs: Sequence[float],
    ys: Sequence[float],
) -> None:
    """Draw axes from 0, a line through the points and a numbered dot at each.

    Args:
        draw: What to draw with.
        area: Left, top, right and bottom of the axes in pixels.
        title: What is above them.
        xs: The points' places to the right.
        ys: Their places upwards.
    """
    left, top, right, bottom = area
    across, up = list_ticks(max(xs)), list_ticks(max(ys))
    _write(draw, (left, top - 38), title, TEXT, "lm")
    places = [
        (left + (right - left) * x / across[-1], bottom - (bottom - top) * y / up[-1])
        for x, y in zip(xs, ys, strict=True)
    ]
    for value in up:
        y = bottom - (bottom - top) * value / up[-1]
        draw.line((left, y, right, y), FAINT)
        _write(draw, (left - 8, y), f"{value:g}", SMALL, "rm")
    for value in across:
        x = left + (right - left) * value / across[-1]
        draw.line((x, bottom, x, bottom + 5), INK)
        _write(draw, (x, bottom + 16), f"{value:g}", SMALL, "mm")
    draw.line((left, bottom, right, bottom), INK)
    draw.line(places, LINE, 2)
    for number, place in enumerate(places, 1):
        _draw_dot(draw, place, number)


def list_ticks(most: float) -> list[float]:
    """Return round numbers from 0 to ``most`` or just above it, at most about ``TICKS``."""
    if most <= 0:
        return [0.0, 1.0]
    rough = most / TICKS
    unit = 10.0 ** np.floor(np.log10(rough))
    step = next(unit * each for each in (1, 2, 2.5, 5, 10) if unit * each >= rough * (1 - 1e-9))
    count = int(np.ceil(most / step - 1e-9))
    return [round(float(step * number), 10) for number in range(count + 1)]


def _draw_dot(draw: ImageDraw.ImageDraw, place: tuple[float, float], number: int) -> None:
    x, y = place
    draw.ellipse((x - DOT, y - DOT, x + DOT, y + DOT), LINE, PAPER, 2)
    _write(draw, place, str(number), SMALL, "mm", PAPER)


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int,
    anchor: str,
    color: str = INK,
) -> None:
    draw.text(place, text, color, ImageFont.load_default(size), anchor)
