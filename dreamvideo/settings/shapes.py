"""Parse drawn masks, ``circle 0.5x0.5 0.3 - rect 0.4x0.4 0.6x0.6``, and ranges.

Coordinates are fractions of the frame's width x height, from its top left corner.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Sign = Literal["+", "-", "&"]
Point = tuple[float, float]

_NUMBER = r"[-+]?(?:[0-9]{1,4}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"
_ALONE = re.compile(_NUMBER)
_PAIR = re.compile(rf"({_NUMBER})x({_NUMBER})")
_RANGE = re.compile(r"([0-9]{1,4}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})\s*-\s*([0-9]{1,4}(?:\.[0-9]*)?)")
_SIGNS: dict[str, Sign] = {"+": "+", "-": "-", "&": "&"}
_SIDES: dict[str, Point] = {"left": (0, 0), "right": (1, 0), "top": (0, 0), "bottom": (0, 1)}
MOST_CORNERS = 64


@dataclass(frozen=True)
class Shape:
    """One term of a drawn mask.

    Attributes:
        kind: Kind of shape.
        points: An ellipse's centre and radii, a circle's centre, the corners of a rectangle or
            polygon, or the ends of a gradient (from 0 to 1).
        radius: Radius of a circle, as a fraction of the frame's shorter side.
        sign: Whether the shape is added (``+``), subtracted (``-``) or intersected (``&``).
    """

    kind: Literal["circle", "ellipse", "rect", "polygon", "gradient", "all"]
    points: tuple[Point, ...] = ()
    radius: float = 0.0
    sign: Sign = "+"


def parse_shapes(text: str) -> tuple[Shape, ...] | None:
    """Parse the terms of a drawn mask; None if the text does not start with a shape's name: a file.

    Raises ValueError, naming what does not parse.
    """
    words = text.split()
    if not words or words[0].lower() not in _FORMS:
        return None
    terms: list[tuple[Sign, list[str]]] = [("+", [])]
    for word in words:
        if word in _SIGNS:
            terms.append((_SIGNS[word], []))
        else:
            terms[-1][1].append(word.lower())
    return tuple(_shape(sign, words) for sign, words in terms)


def parse_range(text: str, highest: float, *, wraps: bool = False) -> tuple[float, float]:
    """Parse a range: ``0.6-1`` -> (0.6, 1.0).

    Args:
        text: The range.
        highest: Largest number; the smallest is 0.
        wraps: Whether the first number may be the larger one: 330-30 goes through 0.

    Raises:
        ValueError: It is not a range within these numbers.
    """
    match = _RANGE.fullmatch(text.strip())
    low, high = (float(match[1]), float(match[2])) if match else (-1.0, -1.0)
    if not (0 <= low <= highest and 0 <= high <= highest and (wraps or low <= high)):
        raise ValueError(
            f"write a range within 0-{highest:g}, for example {highest * 0.2:g}-{highest:g}"
        )
    return low, high


def _shape(sign: Sign, words: list[str]) -> Shape:
    name, values = (words[0], words[1:]) if words else ("", [])
    if name not in _FORMS:
        known = ", ".join(_FORMS)
        raise ValueError(f"{name!r} is not a shape: choose {known}")
    form, read = _FORMS[name]
    try:
        shape = read(name, values)
    except (ValueError, IndexError):
        raise ValueError(f"{' '.join(words)!r} is not a valid {name}: write {form}") from None
    return Shape(shape.kind, shape.points, shape.radius, sign)


def _number(text: str) -> float:
    if not _ALONE.fullmatch(text):
        raise ValueError(text)
    return float(text)


def _pair(text: str) -> Point:
    match = _PAIR.fullmatch(text)
    if not match:
        raise ValueError(text)
    return float(match[1]), float(match[2])


def _circle(_: str, values: list[str]) -> Shape:
    centre, radius = values
    return Shape("circle", (_pair(centre),), _number(radius))


def _ellipse(_: str, values: list[str]) -> Shape:
    centre, radii = values
    return Shape("ellipse", (_pair(centre), _pair(radii)))


def _rect(_: str, values: list[str]) -> Shape:
    one, other = values
    return Shape("rect", (_pair(one), _pair(other)))


def _polygon(_: str, values: list[str]) -> Shape:
    if not 3 <= len(values) <= MOST_CORNERS:
        raise ValueError
    return Shape("polygon", tuple(_pair(value) for value in values))


def _side(name: str, values: list[str]) -> Shape:
    (share,) = values
    depth = _number(share)
    # Far beyond the frame's other edges, so that moving the mask does not reveal them.
    corners: dict[str, tuple[Point, Point]] = {
        "left": ((-99, -99), (depth, 99)),
        "right": ((1 - depth, -99), (99, 99)),
        "top": ((-99, -99), (99, depth)),
        "bottom": ((-99, 1 - depth), (99, 99)),
    }
    return Shape("rect", corners[name])


def _gradient(_: str, values: list[str]) -> Shape:
    begin, end = values
    if begin in _SIDES and end in _SIDES:
        pairs = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
        if pairs[begin] != end:
            raise ValueError
        return Shape("gradient", (_edge(begin), _edge(end)))
    ends = (_pair(begin), _pair(end))
    if ends[0] == ends[1]:
        raise ValueError
    return Shape("gradient", ends)


def _edge(side: str) -> Point:
    return _SIDES[side]


def _all(_: str, values: list[str]) -> Shape:
    if values:
        raise ValueError
    return Shape("all")


_FORMS: dict[str, tuple[str, Callable[[str, list[str]], Shape]]] = {
    "circle": ("circle 0.5x0.5 0.3", _circle),
    "ellipse": ("ellipse 0.5x0.5 0.4x0.2", _ellipse),
    "rect": ("rect 0.1x0.2 0.5x0.6", _rect),
    "polygon": ("polygon 0.5x0.1 0.9x0.9 0.1x0.9", _polygon),
    "left": ("left 0.5", _side),
    "right": ("right 0.5", _side),
    "top": ("top 0.5", _side),
    "bottom": ("bottom 0.5", _side),
    "gradient": ("gradient top bottom, or gradient 0x0 1x1", _gradient),
    "all": ("all", _all),
}
