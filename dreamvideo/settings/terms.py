"""Weighted terms over time: ``block5 -> 4s: block8,block11:0.5 ease``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from dreamvideo.errors import UsageError
from dreamvideo.parsing import parse_classes, parse_layers, parse_networks, parse_size
from dreamvideo.schedules import Schedule, ScheduleError, TimePoint, parse_time_spec
from dreamvideo.schedules.easing import KNOWN
from dreamvideo.schedules.editing import format_way
from dreamvideo.schedules.keys import Key
from dreamvideo.schedules.moment import TimeSpec, format_time_spec

Weighted = tuple[tuple[str, float], ...]
ARROW = "->"


@dataclass(frozen=True)
class Timeline:
    """Terms (layers, classes or networks as written) and their weights over time.

    The schedule's values are the terms' weights and, last, the sum of their absolute values.
    """

    terms: tuple[str, ...]
    schedule: Schedule

    def at(self, moment: TimePoint) -> Weighted:
        """Return (term, weight) of every term at a time point.

        Between keyframes weights cross-fade such that the sum of their absolute values is linear
        too: a weight that changes its sign does not weaken the whole.
        """
        *weights, total = self.schedule.at(moment)
        found = sum(map(abs, weights))
        scale = total / found if found > 1e-9 else 1.0
        if math.isclose(scale, 1.0, rel_tol=1e-9):
            scale = 1.0
        return tuple((t, w * scale) for t, w in zip(self.terms, weights, strict=True))


def format_timeline(timeline: Timeline) -> str:
    """Format layers over time as ``layer_timeline`` reads them: ``0s: a -> 4s: a:0,b ease``."""
    keys = timeline.schedule.keys
    texts = []
    for key in keys:
        weighted = zip(timeline.terms, key.value, strict=False)
        texts.append(",".join(t if w == 1 else f"{t}:{w:.10g}" for t, w in weighted))
    if len(keys) == 1:
        return texts[0]
    return f" {ARROW} ".join(
        f"{format_time_spec(key.when)}: {text}{format_way(key)}"
        for key, text in zip(keys, texts, strict=True)
    )


def layer_timeline(text: str) -> Timeline:
    """Parse layers over time: ``0: block5 -> 50%: block8,block11:2 ease``.

    Keyframes are separated by arrows. Each is a time (``parse_time_spec``; the first one may be
    omitted: the start of the film), layers as ``parse_layers`` reads them, and the easing towards
    the next one. A text without arrows holds for all times. Raises ValueError, naming what does not
    parse.
    """
    return _timeline(text, parse_layers)


def class_timeline(text: str) -> Timeline:
    """Parse classes over time in the same way: ``tabby -> 4s: goldfish,1:0.5``."""
    return _timeline(text, parse_classes)


def network_timeline(text: str) -> Timeline:
    """Parse networks over time in the same way: ``lite0 -> 4s: lite0,lite2:0.5``."""
    return _timeline(text, parse_networks)


# How to read the settings of a dream that name weighted terms over time.
TIMELINES = {"layers": layer_timeline, "classes": class_timeline, "model": network_timeline}


def rewrite_layers(text: str, rename: Callable[[str], str | None]) -> str | None:
    """Return layers over time with other names, and without those that ``rename`` gives None for.

    A keyframe that is left without layers holds one of the others with weight 0.

    Args:
        text: What ``layer_timeline`` reads.
        rename: Term -> term.

    Returns:
        The text, or None if nothing is left.
    """
    return _rewrite(text, parse_layers, rename)


def rewrite_classes(text: str, rename: Callable[[str], str | None]) -> str | None:
    """Do the same with classes over time."""
    return _rewrite(text, parse_classes, rename)


def rewrite_networks(text: str, rename: Callable[[str], str | None]) -> str | None:
    """Do the same with networks over time."""
    return _rewrite(text, parse_networks, rename)


def _rewrite(
    text: str, parse: Callable[[str], Weighted], rename: Callable[[str], str | None]
) -> str | None:
    keys = [
        (
            time,
            [(new, weight) for term, weight in parse(body) if (new := rename(term)) is not None],
            way,
        )
        for time, body, way in _split_keys(text)
    ]
    left = [term for _, weighted, _ in keys for term, _ in weighted]
    if not left:
        return None
    return f" {ARROW} ".join(
        (f"{time}: " if time else "")
        + ",".join(f"{term}:{weight!r}" for term, weight in weighted or [(left[0], 0.0)])
        + (f" {way}" if way else "")
        for time, weighted, way in keys
    )


@lru_cache(maxsize=256)
def _timeline(text: str, parse: Callable[[str], Weighted]) -> Timeline:
    read = [
        (parse_time_spec(time) if time else TimeSpec(), parse(body), way.lower() or "linear")
        for time, body, way in _split_keys(text)
    ]
    if len({when for when, _, _ in read}) < len(read):
        raise ScheduleError(f"two keys of {text!r} are at the same time")
    terms = tuple(dict.fromkeys(term for _, weighted, _ in read for term, _ in weighted))
    keys = tuple(Key(when, _weights(terms, weighted), way) for when, weighted, way in read)
    return Timeline(terms, Schedule(keys))


def _split_keys(text: str) -> list[tuple[str, str, str]]:
    """Return (time, terms, easing) of each keyframe; the first time and easings may be empty."""
    pieces = [piece.strip() for piece in text.split(ARROW)]
    if len(pieces) == 1:
        return [("", text, "")]
    return [_split_key(piece, is_first=index == 0) for index, piece in enumerate(pieces)]


def _split_key(piece: str, *, is_first: bool) -> tuple[str, str, str]:
    time, rest = "", piece
    # A clock's own colons belong to the time, those of weights to what follows it.
    for place in (place for place, sign in enumerate(piece) if sign == ":"):
        if _is_time(piece[:place]):
            time, rest = piece[:place], piece[place + 1 :].strip()
    if not time and not is_first:
        raise ScheduleError(
            f"{piece!r} has no time: write keys as 0: block5 {ARROW} 4s: block8,block11:0.5"
        )
    words = rest.rsplit(maxsplit=1)
    way = words[1] if len(words) == 2 and words[1].lower() in KNOWN else ""
    return time, rest.removesuffix(way).strip(), way


def _is_time(text: str) -> bool:
    try:
        parse_time_spec(text)
    except ScheduleError:
        return False
    return True


def _weights(terms: tuple[str, ...], weighted: Weighted) -> tuple[float, ...]:
    # The weights of a term that is named twice add up.
    found = dict.fromkeys(terms, 0.0)
    for term, weight in weighted:
        found[term] += weight
    return (*found.values(), sum(map(abs, found.values())))


AUTO, SMALL, FULL = "auto", "small", "full"
"""Settings of the dream's size that are no sizes."""


def check_dream_size(text: str) -> None:
    """Raise ValueError unless ``text`` is ``auto``, ``small``, ``full`` or a size."""
    if text in (AUTO, SMALL, FULL):
        return
    try:
        parse_size(text, 1920, 1080)
    except UsageError:
        raise ValueError(
            "write auto, small, full, 640x360, 640, x360 or 50%, with sides of 16 to 16384 pixels"
        ) from None
