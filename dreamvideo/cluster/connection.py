"""Connecting to a Dask scheduler, and running what is asynchronous from what is not."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future, TimeoutError, wait
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar, cast

from distributed import Client

from dreamvideo import cancel
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.media.paths import escape_text

T = TypeVar("T")
# Seconds in which a scheduler has to answer.
ANSWER = 10
# And a thread has to start.
STARTING = 2
# What Dask logs of workers that come and go, the user is told by the coordinator.
_LOGGERS = ("distributed", "distributed.client", "tornado", "tornado.application")


@asynccontextmanager
async def connected(cluster: str) -> AsyncIterator[Any]:
    """A client of the scheduler at an address, or that a scheduler file names.

    Raises UsageError for anything else, DreamVideoError if no scheduler answers.
    """
    where: dict[str, Any] = {"address": cluster}
    if "://" not in cluster and not _is_address(cluster):
        if not Path(cluster).is_file():
            raise UsageError(
                f"--cluster {escape_text(cluster)}: give a scheduler's address, as "
                "tcp://scheduler:8786, or its scheduler file"
            )
        where = {"scheduler_file": cluster}
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
    started: Future[asyncio.Task[T]] = Future()
    ended: Future[T] = Future()

    async def main() -> T:
        started.set_result(cast("asyncio.Task[T]", asyncio.current_task()))
        return await work

    def run() -> None:
        try:
            ended.set_result(asyncio.run(main()))
        except BaseException as error:
            ended.set_exception(error)

    thread = Thread(target=run, daemon=True)
    try:
        thread.start()
        while not ended.done():
            cancel.check()
            wait([ended], timeout=cancel.TICK)
    except BaseException:
        # There is no thread yet if it was the first instruction that was interrupted; and no loop
        # any more if it was the last one.
        with suppress(TimeoutError, RuntimeError):
            task = started.result(timeout=STARTING)
            task.get_loop().call_soon_threadsafe(task.cancel)
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


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal() and "/" not in text
