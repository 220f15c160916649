"""What was measured of a film in segments, and what is foreseen -> tables as plain texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dreamvideo.bench.farm import SIZE

Texts = tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]
STAGES = {
    "scan": "cuts found",
    "dream": "dreamt",
    "ship": "shipped meanwhile",
    "join": "joined",
    "encode": "encoded",
}


def farms(found: dict[str, Any]) -> Iterator[Texts]:
    """(title, heads, rows) of the tables; none where nothing was measured."""
    if not found:
        return
    heads = ("workers", "frames a second", "first frame", "reading", "encoding", "predicted")
    cores = found["pays from"]
    pays = f"a minute's film pays from {cores} cores on" if cores else "it does not pay here"
    yield (
        f"A film in segments, {found['width']} x {found['height']}; {pays}",
        (*heads, "predicted / measured"),
        tuple(_film(each) for each in found["films"]),
    )
    yield (
        f"Two hours at {SIZE[0]} x {SIZE[1]}, hours by the model; a worker is a core",
        ("film", "workers", "in all", *STAGES.values(), "dreamt twice", "bottleneck"),
        tuple(_hours(each) for each in found["farm"]),
    )


def _film(each: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(each["workers"]),
        f"{each['frames'] / each['seconds']:.2f}",
        f"{each['first frame']:.1f} s",
        f"{each['share of reading']:.1%}",
        f"{each['share of encoding']:.1%}",
        f"{each['predicted']:.1f} s of {each['seconds']:.1f} s",
        f"{each['ratio']:.2f}",
    )


def _hours(each: dict[str, Any]) -> tuple[str, ...]:
    return (
        each["film"],
        str(each["workers"]),
        f"{each['hours']:.3g}",
        *(f"{each[stage]:.3g}" for stage in STAGES),
        f"{each['again']:.1%}",
        each["bottleneck"],
    )
