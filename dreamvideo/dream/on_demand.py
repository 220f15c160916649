"""Import TensorFlow without the parts of its public interface that nobody has asked for yet."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from typing import Any

# The modules that the public interface consists of: ``tf.image`` is ``tensorflow._api.v2.image``.
_INTERFACE = "tensorflow._api.v2."
# What imports a package of the part's own name, by attributes: it has to come before the part.
_LOADED_AT_ONCE = ("distribute",)
# Parts that every dream needs. They are loaded before there are threads: up to Python 3.12, two
# threads may not be the first to use the same part.
_NEEDED = ("config", "image", "math", "random", "raw_ops")


@contextmanager
def load_on_demand() -> Iterator[None]:
    """Let TensorFlow, imported meanwhile, load each part of its interface when it is first used.

    The parts that dreams do not use import Keras 2, TensorFlow Lite, support for TPUs and all of
    TensorFlow 1: a quarter of the time of the import and 90 MB. A TensorFlow whose modules have
    other names is imported as a whole.
    """
    with finding(_LazyFinder):
        yield
    for part in _NEEDED:
        dir(getattr(sys.modules["tensorflow"], part))


@contextmanager
def finding(finder: Any) -> Iterator[None]:
    """Let a finder be asked first for every module that is imported meanwhile."""
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _LazyFinder:
    """Finds the parts of TensorFlow's interface, to be loaded later."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, _: Any = None) -> ModuleSpec | None:
        part = name.removeprefix(_INTERFACE)
        if part in (name, *_LOADED_AT_ONCE) or "." in part:
            return None
        found = PathFinder.find_spec(name, path)
        if found is None or found.loader is None:
            return None
        # ``tf.lite`` is a part, and ``tensorflow.lite`` a package whose modules it imports. The
        # package is only found while the interface is not yet on TensorFlow's path.
        namesake = f"tensorflow.{part}"
        if PathFinder.find_spec(namesake, sys.modules["tensorflow"].__path__):
            import_module(namesake)
        found.loader = LazyLoader(found.loader)
        return found
