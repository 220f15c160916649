"""The cancel token: who sets it, who is stopped by it, and what stays as it was."""

from __future__ import annotations

import os
import selectors
import signal
import threading
import time
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest

from dreamvideo.cancel import (
    TICK,
    TOKEN,
    CancelToken,
    Interrupted,
    handle_signals,
    wait_for_message,
    wait_for_pipe,
)
from dreamvideo.media.stills import load_deep, store_frame


def test_a_token_stops_work_with_the_exit_code_of_its_first_signal() -> None:
    token = CancelToken()
    token.check()
    assert (token.cancelled, token.exit_code) == (False, 0)
    token.cancel(signal.SIGINT)
    token.cancel(signal.SIGTERM)
    assert (token.cancelled, token.exit_code) == (True, 130)
    for _ in range(2):
        with pytest.raises(Interrupted) as stopped:
            token.check()
        assert stopped.value.code == 130
    token.reset()
    token.check()


def test_signals_are_handled_for_the_duration_of_a_block() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    with handle_signals() as token:
        assert token is TOKEN
        os.kill(os.getpid(), signal.SIGTERM)
        assert token.exit_code == 143
    assert not TOKEN.cancelled
    assert [signal.getsignal(number) for number in numbers] == before
    assert "signals" not in [thread.name for thread in threading.enumerate()]


def test_a_server_s_own_token_cancels_no_other_work() -> None:
    own = CancelToken()
    with handle_signals(), handle_signals(own, (signal.SIGINT, signal.SIGUSR1)):
        os.kill(os.getpid(), signal.SIGUSR1)
        assert own.cancelled
        TOKEN.check()
        os.kill(os.getpid(), signal.SIGTERM)
        assert TOKEN.cancelled


def test_waits_are_stopped_where_nothing_comes() -> None:
    mine, other = Pipe()
    reading, writing = os.pipe()
    later = threading.Timer(TICK, TOKEN.cancel)
    later.start()
    try:
        with pytest.raises(Interrupted):
            wait_for_message(mine)
        later.join()
        with os.fdopen(reading, "rb") as pipe, pytest.raises(Interrupted):
            wait_for_pipe(pipe, selectors.EVENT_READ)
    finally:
        TOKEN.reset()
        os.close(writing)
    other.send("something")
    assert wait_for_message(mine) == "something"


def test_a_wait_ends_as_soon_as_something_comes() -> None:
    reading, writing = os.pipe()
    began = time.monotonic()
    with os.fdopen(reading, "rb") as pipe:
        os.write(writing, b"x")
        for _ in range(100):
            wait_for_pipe(pipe, selectors.EVENT_READ)
    os.close(writing)
    assert time.monotonic() - began < 100 * TICK


def test_a_signal_while_the_studio_is_loaded_keeps_it_from_starting(tmp_path: Path) -> None:
    from dreamvideo.studio.server import serve

    with handle_signals():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted):
            serve(folder=tmp_path, opens=False)


def test_reading_stored_frames_stops(tmp_path: Path) -> None:
    store_frame(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    with handle_signals():
        load_deep(tmp_path / "a.png")
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted):
            load_deep(tmp_path / "a.png")
