"""Check the arguments of public functions against their type hints, naming what is wrong."""

from __future__ import annotations

import types
from collections import abc
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from dreamvideo.errors import UsageError

_WORDS: dict[Any, str] = {
    str: "text",
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    type(None): "None",
    Path: "a path",
    abc.Sequence: "a list",
    abc.Callable: "a function",
    abc.Mapping: "a dict",
    abc.Iterable: "an iterable",
}
# As exact types, since these accept more than their own instances.
_NUMBERS: dict[Any, type] = {int: Integral, float: Real}

# NumPy's arrays by name: importing it takes longer than most calls. Tensors of other libraries that
# NumPy can read count as such.
_ARRAY = "ndarray"


def check_arguments(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Check arguments against a function's type hints.

    Hints that cannot be checked by looking at a value, such as protocols, accept anything.

    Args:
        function: The public function.
        given: Its arguments by name, as ``locals()`` has them at its beginning.

    Raises:
        UsageError: One has the wrong type; the message names it and says what it should be.

    Example:
        >>> def blur(size: str | None = None) -> None:
        ...     check_arguments(blur, locals())
        >>> blur(100)
        Traceback (most recent call last):
        ...
        dreamvideo.errors.UsageError: blur: size must be text or None, not 100 (int): write '100'
    """
    for name, hint in _read_hints(function).items():
        if name in given and not _matches(given[name], hint):
            value = given[name]
            raise UsageError(
                f"{function.__name__}: {name} must be {_describe(hint)}, not {_show(value)} "
                f"({type(value).__name__}){_suggest(value, hint)}"
            )


def suggest(name: str, known: abc.Iterable[str]) -> str:
    """Return a hint at the known names that are nearest to a name, or at all of them if none is."""
    names = sorted(known)
    near = get_close_matches(name, names, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"choose {', '.join(names)}"


@lru_cache(maxsize=64)
def _read_hints(function: Callable[..., Any]) -> dict[str, Any]:
    hints = get_type_hints(function)
    hints.pop("return", None)
    return hints


def _kinds(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _matches(value: Any, hint: Any) -> bool:
    return any(_is_a(value, kind) for kind in _kinds(hint))


def _is_a(value: Any, kind: Any) -> bool:
    origin = get_origin(kind) or kind
    if origin is Any or not isinstance(origin, type) or getattr(origin, "_is_protocol", False):
        return True
    if isinstance(value, bool) and origin is not bool:
        return False
    if origin in (abc.Sequence, abc.Iterable) and isinstance(value, str | bytes):
        return False
    if origin.__name__ == _ARRAY:
        return hasattr(value, "__array__")
    return isinstance(value, _NUMBERS.get(origin, origin))


def _describe(hint: Any) -> str:
    words = [_word(kind) for kind in _kinds(hint)]
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _word(kind: Any) -> str:
    origin = get_origin(kind) or kind
    name = str(getattr(origin, "__name__", origin))
    if origin is abc.Sequence and get_args(kind):
        return f"a list of {_describe(get_args(kind)[0])}"
    found = "an array" if name == _ARRAY else _WORDS.get(origin)
    return found or f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _suggest(value: Any, hint: Any) -> str:
    kinds = _kinds(hint)
    if isinstance(value, str) and any(get_origin(kind) is abc.Sequence for kind in kinds):
        return f": write [{value!r}]"
    number = isinstance(value, Real) and not isinstance(value, bool)
    return f": write '{value}'" if number and str in kinds else ""


def _show(value: Any) -> str:
    text = repr(value)
    if len(text) > 40 or "\n" in text:
        return "this"
    return text
