"""Connecting to a Dask scheduler, and running what is asynchronous from what is not."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future, wait
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar

from distributed import Client

from dreamvideo import cancel
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.media.paths import escape_text

T = TypeVar("T")
# Seconds in which a scheduler has to answer.
ANSWER = 10
# And a thread has to start.
STARTING = 5
# What Dask logs of workers that come and go, the user is told by the coordinator.
_LOGGERS = ("distributed", "distributed.client", "tornado", "tornado.application")


@asynccontextmanager
async def connected(cluster: str) -> AsyncIterator[Any]:
    """A client of the scheduler at an address, or that a scheduler file names.

    Raises UsageError for anything else, DreamVideoError if no scheduler answers.
    """
    if Path(cluster).is_file():
        where = {"scheduler_file": cluster}
    elif ":" in cluster:
        where = {"address": cluster}
    else:
        raise UsageError(
            f"--cluster {escape_text(cluster)}: give a scheduler's address, as "
            "tcp://scheduler:8786, or its scheduler file"
        )
    with warnings.catch_warnings(), _quiet_loggers():
        # Dask warns of different versions; the workers' are compared one by one instead.
        warnings.simplefilter("ignore")
        try:
            client = await Client(**where, asynchronous=True, timeout=ANSWER, set_as_default=False)
        # Where no scheduler answers Dask may raise anything.
        except Exception as error:
            why = " ".join(str(error).split())[:200] or type(error).__name__
            raise DreamVideoError(
                f"--cluster {escape_text(cluster)}: no scheduler answers there ({why})"
            ) from error
        try:
            yield client
        finally:
            await client.close()


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, which runs in another thread: this one may have a loop already.

    Whatever stops this thread meanwhile, such as Ctrl-C, cancels it, and is raised when it has
    ended.
    """
    started, stop = Event(), Event()
    ended: Future[T] = Future()

    async def main() -> T:
        task = asyncio.ensure_future(work)
        while not task.done() and not stop.is_set():
            await asyncio.wait({task}, timeout=cancel.TICK)
        if stop.is_set():
            task.cancel()
        return await task

    def run() -> None:
        started.set()
        try:
            ended.set_result(asyncio.run(main()))
        except BaseException as error:
            ended.set_exception(error)

    try:
        Thread(target=run, daemon=True).start()
        while not ended.done():
            cancel.check()
            wait([ended], timeout=cancel.TICK)
    except BaseException:
        stop.set()
        # A signal may have come before there was a thread.
        if started.wait(STARTING):
            wait([ended])
        raise
    return ended.result()


@contextmanager
def _quiet_loggers() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
