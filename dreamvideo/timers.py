"""Time the stages of a render: ``with timers.stage("flow")`` costs nothing unless recorded."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

T = TypeVar("T")

_recorders: list[Counter[str]] = []
_lock = threading.Lock()
_thread = threading.local()


@contextmanager
def record() -> Iterator[Counter[str]]:
    """Record the seconds of each stage of this process for the duration of the block.

    A stage's time excludes that of stages inside it. Stages of all threads count, so the sum can
    exceed the duration where they overlap.
    """
    seconds: Counter[str] = Counter()
    _recorders.append(seconds)
    try:
        yield seconds
    finally:
        _recorders.remove(seconds)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time a block, or as a decorator each call of a function, as part of a stage."""
    if not _recorders:
        yield
        return
    outer = getattr(_thread, "inner", 0.0)
    _thread.inner = 0.0
    start = time.perf_counter()
    try:
        yield
    finally:
        whole = time.perf_counter() - start
        with _lock:
            for seconds in _recorders:
                seconds[name] += whole - _thread.inner
        _thread.inner = outer + whole


def each(name: str, items: Iterator[T]) -> Iterator[T]:
    """Yield the items, with the production of each timed as part of a stage."""
    return _time_each(name, items) if _recorders else items


def _time_each(name: str, items: Iterator[T]) -> Iterator[T]:
    end = object()
    while True:
        with stage(name):
            item = next(items, end)
        if item is end:
            return
        yield cast(T, item)
