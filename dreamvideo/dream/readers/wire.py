"""Read Protocol Buffers' wire format: bytes -> (field number, value), copying nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_SIGN, _WRAP = 1 << 63, 1 << 64
MOST_PIECES = 1 << 16
# Seven bits a byte.
_LONGEST_VARINT = 10

Value = int | memoryview
"""A number, or the bytes of a text, a message, packed numbers or a fixed-size number."""


def read_fields(data: memoryview) -> Iterator[tuple[int, Value]]:
    """Yield every field of a message. Raises ValueError if the bytes are none."""
    place, end = 0, len(data)
    while place < end:
        key, place = _read_varint(data, place)
        kind = key & 7
        if kind == VARINT:
            number, place = _read_varint(data, place)
            yield key >> 3, number - _WRAP if number >= _SIGN else number
            continue
        if kind == LENGTH:
            length, place = _read_varint(data, place)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        if length > end - place:
            raise ValueError("a field that is longer than the file")
        yield key >> 3, data[place : place + length]
        place += length


def read_text(value: Value) -> str:
    """Return a field's text. Raises ValueError."""
    return bytes(read_bytes(value)).decode("utf-8")


def read_bytes(value: Value) -> memoryview:
    """Return a field's bytes. Raises ValueError for a number."""
    if isinstance(value, int):
        raise ValueError("a number in place of bytes")
    return value


def read_int(value: Value) -> int:
    """Return a field's number. Raises ValueError for bytes."""
    if not isinstance(value, int):
        raise ValueError("bytes in place of a number")
    return value


def append_piece(pieces: list[Value], value: Value) -> None:
    """Append to the pieces of a repeated field. Raises ValueError for more than any writer makes.

    A piece takes far more memory than the file has bytes for it.
    """
    if len(pieces) >= MOST_PIECES:
        raise ValueError("numbers in too many pieces")
    pieces.append(value)


def read_ints(value: Value) -> list[int]:
    """Return the numbers of a repeated field, packed or one of them. Raises ValueError."""
    if isinstance(value, int):
        return [value]
    if len(value) > MOST_PIECES:
        raise ValueError("more whole numbers than a network has")
    found, place = [], 0
    while place < len(value):
        number, place = _read_varint(value, place)
        found.append(number - _WRAP if number >= _SIGN else number)
    return found


def read_floats(values: list[Value], kind: str = "<f4") -> NDArray[np.float32]:
    """Return the numbers of a repeated field of fixed size, packed or not."""
    pieces = [np.frombuffer(read_bytes(value), kind) for value in values]
    if len(pieces) == 1:
        return np.asarray(pieces[0], np.float32)
    return np.concatenate(pieces).astype(np.float32) if pieces else np.zeros(0, np.float32)


def _read_varint(data: memoryview, place: int) -> tuple[int, int]:
    number = 0
    for turn in range(_LONGEST_VARINT):
        if place >= len(data):
            raise ValueError("it ends within a number")
        byte = data[place]
        place += 1
        number |= (byte & 127) << (7 * turn)
        if byte < 128:
            return number & (_WRAP - 1), place
    raise ValueError("a number that does not end")
