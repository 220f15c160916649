"""Import TensorFlow once, on first use, with the settings that dreaming needs."""

from __future__ import annotations

import gc
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from dreamvideo.cancel import check
from dreamvideo.dream.on_demand import finding, load_on_demand
from dreamvideo.memory import share_heap

# What TensorFlow prints at its start: absl's log lines, and the line that announces them.
_CHATTER = re.compile(rb"^(?:[IWE]\d{4} |WARNING: All log messages before absl).*\n?", re.MULTILINE)
_LEGACY_KERAS = "TF_USE_LEGACY_KERAS"
# Passes of TensorFlow's graph optimizer that find nothing to do in a step, but copy it: without
# them a still at 1080p takes 20 MB less.
_IDLE_PASSES = (
    "layout_optimizer",
    "shape_optimization",
    "loop_optimization",
    "function_optimization",
    "implementation_selector",
    "pin_to_host_optimization",
    "scoped_allocator_optimization",
    "debug_stripper",
)
_XLA_CACHE = "--tf_xla_persistent_cache_directory="

_lock = threading.Lock()
_started: list[Any] = []
_threads: list[int] = []
_owned: list[bool] = []


def tensorflow() -> Any:
    """Return the TensorFlow module.

    oneDNN is switched on before the import, since TensorFlow leaves it off on many processors (a
    value set by the user is kept), and start-up messages are suppressed. One operation runs at a
    time on all cores (or ``use_threads``), which is best for a chain of convolutions. Raises
    Interrupted.
    """
    if not _started:
        with _lock:
            if not _started:
                _started.append(_start())
    return _started[0]


def use_threads(count: int) -> None:
    """Run operations of this process on ``count`` threads, for one worker among several.

    Must be called before TensorFlow is first used; RuntimeError after that.
    """
    with _lock:
        if _started:
            raise RuntimeError("TensorFlow has already started; its threads cannot be changed")
        _threads[:] = [count]


def settle_threads(count: int) -> None:
    """Call ``use_threads``, unless the number of threads is fixed already."""
    with _lock:
        if not _started and not _threads:
            _threads[:] = [count]


def own_process() -> None:
    """Exclude TensorFlow's objects from garbage collection (gc.freeze), and share one heap.

    Only for programs of our own, which end with TensorFlow. In a host program, everything alive at
    that time would never be collected.
    """
    _owned[:] = [True]
    share_heap()


def _start() -> Any:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _quiet_stderr():
        # In a host program TensorFlow is imported as it is everywhere else.
        partly = load_on_demand() if _owned else nullcontext()
        with _uncollected(), _interruptible(), _without_keras(os.environ), partly:
            import tensorflow as tf
        if _owned:
            gc.freeze()
            tf.config.optimizer.set_experimental_options(dict.fromkeys(_IDLE_PASSES, False))

        # A process with many dreamers compiles a step for each, which is intended: hide the
        # warning.
        tf.get_logger().setLevel("ERROR")
        try:
            if not tf.config.threading.get_inter_op_parallelism_threads():
                tf.config.threading.set_inter_op_parallelism_threads(1)
            for count in _threads:
                tf.config.threading.set_intra_op_parallelism_threads(count)
            gpus = tf.config.list_physical_devices("GPU")
            for gpu in gpus:
                tf.config.experimental.set_memory_growth(gpu, True)
            if gpus:
                _keep_compiled(os.environ)
            tf.zeros(())
        except RuntimeError:
            # A host program has already started TensorFlow: its own settings stand.
            pass
    return tf


@contextmanager
def _uncollected() -> Iterator[None]:
    """Pause garbage collection: an import creates no garbage, but a million objects to scan."""
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wanted:
            gc.enable()


@contextmanager
def _without_keras(environment: MutableMapping[str, str]) -> Iterator[None]:
    """Keep TensorFlow from importing Keras 3 with itself, which takes 0.3 s and 40 MB.

    Few networks need it, and for them ``tf.keras`` still imports it. In a host program, whoever
    loads a SavedModel may expect that its optimizers are known.
    """
    if not _owned or _LEGACY_KERAS in environment:
        yield
        return
    # With this TensorFlow looks for Keras 2 instead, and goes on if it is not there. Which of them
    # ``tf.keras`` is, is decided when it is first used.
    environment[_LEGACY_KERAS] = "1"
    try:
        yield
    finally:
        del environment[_LEGACY_KERAS]


class _CheckingFinder:
    """Finds no module, but raises Interrupted if this process was asked to stop."""

    @staticmethod
    def find_spec(*_: Any) -> None:
        check()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the import of a thousand modules, which takes seconds, be stopped at each of them."""
    with finding(_CheckingFinder):
        yield


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return this package's cache folder. Raises RuntimeError if there is no home folder."""
    base = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "dreamvideo"


def _keep_compiled(environment: Any) -> None:
    """Let XLA cache what it compiles for the next run, unless the user has set flags for it."""
    if "TF_XLA_FLAGS" in environment:
        return
    with suppress(RuntimeError, OSError):
        folder = cache_folder(environment) / "xla"
        folder.mkdir(parents=True, exist_ok=True)
        environment["TF_XLA_FLAGS"] = f"{_XLA_CACHE}{folder}"


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Hold back what C++ code writes to stderr; drop start-up messages unless the block fails.

    TensorFlow writes there before its own log level takes effect. What Python writes meanwhile, in
    another thread, appears at once; everything else that was held back appears at the end.
    """
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    before, aside = sys.stderr, None
    with tempfile.TemporaryFile() as held:
        before.flush()
        if _is_descriptor(before, 2):
            # Never closed: a display may have kept a reference to it.
            aside = os.fdopen(os.dup(kept), "w", 1, before.encoding, before.errors, closefd=False)
            sys.stderr = aside
        os.dup2(held.fileno(), 2)
        drop = _CHATTER
        try:
            yield
        except Exception:
            drop = re.compile(rb"(?!)")
            raise
        finally:
            os.dup2(kept, 2)
            if sys.stderr is aside:
                sys.stderr = before
            held.seek(0)
            os.write(kept, drop.sub(b"", held.read()))
            os.close(kept)


def _is_descriptor(stream: Any, number: int) -> bool:
    try:
        return bool(stream.fileno() == number)
    except (AttributeError, OSError, ValueError):
        return False
