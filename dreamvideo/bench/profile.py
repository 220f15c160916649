"""Where a step's time goes: milliseconds by kind of operation, as TensorFlow's profiler tells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dreamvideo.bench.step_api import Climb, picture

STEPS = 8
# The first that an operation's type matches is its kind.
KINDS = {
    "convolutions and what is fused into them": r"Conv",
    "gradients of ReLUs": r"Relu6?Grad",
    "pooling": r"Pool",
    "arithmetic, norms included": r"Add|Mul|Sub|Div|Difference|Rsqrt|Relu|Maximum|Minimum|Sum|Mean",
    "the rest": r"",
}
# What the profiler calls an operation: "name:Type".
OPERATION = re.compile(r"[^:]+:(\w+)")
Rows = tuple[tuple[str, ...], ...]


def profiled(climb: Climb, height: int, width: int) -> dict[str, float]:
    """Milliseconds a step of each kind of operation, of all threads together."""
    profiler = import_module("tensorflow").profiler.experimental
    image = picture(height, width)
    climb(image, 1)
    with TemporaryDirectory(prefix="dreamvideo-bench-") as folder:
        with profiler.Profile(folder):
            climb(image, STEPS)
        seconds = dict.fromkeys(KINDS, 0.0)
        for kind, duration in _operations(folder):
            seconds[kind] += duration
    return {kind: round(seconds[kind] / STEPS * 1000, 3) for kind in KINDS}


def _operations(folder: str) -> Iterator[tuple[str, float]]:
    """Kind and seconds of every operation that a profile has seen."""
    layout = import_module("tensorflow.tsl.profiler.protobuf.xplane_pb2")
    for path in Path(folder).rglob("*.xplane.pb"):
        space = layout.XSpace()
        space.ParseFromString(path.read_bytes())
        for plane in space.planes:
            names = {key: value.name for key, value in plane.event_metadata.items()}
            for event in (event for line in plane.lines for event in line.events):
                found = OPERATION.fullmatch(names[event.metadata_id])
                if found is not None:
                    yield kind_of(found[1]), event.duration_ps / 1e12


def kind_of(operation: str) -> str:
    """The kind of a type of operation, as ``_MklNativeFusedConv2D``."""
    return next(kind for kind, pattern in KINDS.items() if re.search(pattern, operation))


def profiles(found: Sequence[dict[str, Any]], labels: dict[str, str]) -> list[tuple[Any, ...]]:
    """(title, heads, rows) of a table for each network of a report's ``profile``."""
    made = []
    for network, group in groupby(found, key=lambda each: each["network"]):
        forms = list(group)
        size = f"{forms[0]['width']} x {forms[0]['height']}"
        rows: Rows = tuple(
            (kind, *(f"{each['milliseconds'][kind]:.4g}" for each in forms)) for kind in KINDS
        )
        heads = ("milliseconds a step", *(labels[each["form"]] for each in forms))
        made.append((f"{network}, where a step of {size} goes, one thread", heads, rows))
    return made
