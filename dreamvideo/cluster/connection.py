"""A conversation with a Dask scheduler in this thread, which a signal ends politely."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from distributed import Client

from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.media.paths import escape_text

T = TypeVar("T")
# Seconds in which a scheduler has to answer.
ANSWER = 10
# What it logs of workers that come and go is told in our own words.
_TALKATIVE = ("distributed", "distributed.client", "tornado", "tornado.application")


@asynccontextmanager
async def connected(cluster: str) -> AsyncIterator[Any]:
    """A client of the scheduler at an address, or that a scheduler file names.

    Raises UsageError for what is neither, DreamVideoError if it does not answer.
    """
    where: dict[str, Any] = {"address": cluster}
    if "://" not in cluster and not _is_address(cluster):
        if not Path(cluster).is_file():
            raise UsageError(
                f"--cluster {escape_text(cluster)}: give a scheduler's address, as "
                "tcp://scheduler:8786, or its scheduler file"
            )
        where = {"scheduler_file": cluster}
    with warnings.catch_warnings(), _silent():
        # Versions are compared, and told, one by one.
        warnings.simplefilter("ignore")
        try:
            client = await Client(**where, asynchronous=True, timeout=ANSWER, set_as_default=False)
        # Dask raises all kinds of things on what is no scheduler.
        except Exception as error:
            why = " ".join(str(error).split())[:200] or type(error).__name__
            raise DreamVideoError(
                f"--cluster {escape_text(cluster)}: no scheduler answers there ({why})"
            ) from error
        try:
            yield client
        finally:
            await client.close()


def converse(talk: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of a conversation. Within a program that has a loop of its own, beside it.

    SIGINT and SIGTERM cancel it; what they would have done is done when it has ended.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _converse(talk, [])
    cancels: list[Callable[[], object]] = []
    with ThreadPoolExecutor(1) as pool:
        talking = pool.submit(_converse, talk, cancels)
        try:
            return talking.result()
        except BaseException:
            for cancel in cancels:
                # Its loop may be closed, where it failed by itself.
                with suppress(RuntimeError):
                    cancel()
            raise


def _converse(talk: Callable[[], Coroutine[Any, Any, T]], cancels: list[Callable[[], object]]) -> T:
    caught: list[int] = []

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()

        def cancel() -> None:
            loop.call_soon_threadsafe(task.cancel)

        def stop(number: int, _frame: FrameType | None) -> None:
            caught.append(number)
            cancel()

        cancels.append(cancel)
        with _signals_go_to(stop):
            return await talk()

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        if not caught:
            raise
    signal.raise_signal(caught[0])
    raise KeyboardInterrupt


@contextmanager
def _signals_go_to(stop: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """For a while; only the main thread may, and what is ignored stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {n: how for n, how in before.items() if how is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, how in before.items():
            signal.signal(number, how)


@contextmanager
def _silent() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal() and "/" not in text
