"""TensorFlow, imported once, late and with the settings that a dream wants."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def tensorflow() -> Any:
    """The TensorFlow module.

    oneDNN is switched on before the import, as TensorFlow leaves it off on many processors (a
    value that the user has set is kept); its start-up chatter is switched off. One operation
    runs at a time on all cores, which is best for a chain of convolutions.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _quiet_stderr():
        import tensorflow as tf

        # A process that makes many dreamers compiles a step for each, which is meant.
        tf.get_logger().setLevel("ERROR")
        try:
            if not tf.config.threading.get_inter_op_parallelism_threads():
                tf.config.threading.set_inter_op_parallelism_threads(1)
            for gpu in tf.config.list_physical_devices("GPU"):
                tf.config.experimental.set_memory_growth(gpu, True)
            tf.zeros(())
        except RuntimeError:
            # A host program has started TensorFlow already: its own settings stand.
            pass
    return tf


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Hold back what C++ code writes to stderr; shown after all if the block fails.

    TensorFlow writes there before its own log level takes effect.
    """
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
