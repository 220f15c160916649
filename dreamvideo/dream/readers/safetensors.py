"""Named arrays of .safetensors files: a header of JSON, then the numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.readers.graphdef import check_shape

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}
DTYPES |= {"I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"}
BFLOAT16 = "BF16"
MOST_HEADER = 16 << 20


def read_safetensors(path: Path) -> dict[str, Any]:
    """Return arrays by name; floats as float32. Raises ValueError if the file is damaged."""
    data = memoryview(path.read_bytes())
    header, length = _read_header(data[: 8 + MOST_HEADER], len(data))
    body = data[8 + length :]
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    ranges = [_read_range(entry, len(body)) for entry in entries.values()]
    # Arrays that shared their numbers would take more memory than the file has.
    if sum(end - begin for begin, end in ranges) > len(body):
        raise ValueError("arrays that overlap")
    pairs = zip(entries.items(), ranges, strict=True)
    return {name: _read_array(entry, body[begin:end]) for (name, entry), (begin, end) in pairs}


def read_metadata(path: Path) -> dict[str, str]:
    """Return the texts by name that a file holds besides its arrays; none of a damaged one."""
    try:
        with path.open("rb") as file:
            header, _ = _read_header(memoryview(file.read(8 + MOST_HEADER)), path.stat().st_size)
    except (ValueError, OSError):
        return {}
    texts = header.get("__metadata__")
    if not isinstance(texts, dict):
        return {}
    return {name: text for name, text in texts.items() if isinstance(text, str)}


def encode_safetensors(
    arrays: Mapping[str, NDArray[np.float32]], texts: Mapping[str, str]
) -> bytes:
    """Return the bytes of a file of these arrays and texts; the same for the same content."""
    header: dict[str, Any] = {"__metadata__": dict(texts)}
    place = 0
    for name, array in arrays.items():
        end = place + 4 * array.size
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [place, end]}
        place = end
    head = json.dumps(header).encode()
    # The numbers begin at a multiple of eight bytes.
    head += b" " * (-len(head) % 8)
    body = [np.ascontiguousarray(array, "<f4").tobytes() for array in arrays.values()]
    return b"".join([len(head).to_bytes(8, "little"), head, *body])


def _read_header(start: memoryview, size: int) -> tuple[dict[str, Any], int]:
    """Return the header and its length in bytes. Raises ValueError.

    Args:
        start: The beginning of the file.
        size: Length of the file in bytes.
    """
    length = int.from_bytes(start[:8], "little")
    if size < 8 or length > min(size - 8, MOST_HEADER):
        raise ValueError("its header is longer than the file")
    try:
        header = json.loads(bytes(start[8 : 8 + length]))
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    if not isinstance(header, dict):
        raise ValueError("its header lists no arrays")
    return header, length


def _read_range(entry: Any, size: int) -> tuple[int, int]:
    try:
        begin, end = (int(place) for place in entry["data_offsets"])
    except (TypeError, KeyError, OverflowError):
        raise ValueError("its header is damaged") from None
    if not 0 <= begin <= end <= size:
        raise ValueError("an array beyond the end of the file")
    return begin, end


def _read_array(entry: Any, numbers: memoryview) -> Any:
    try:
        kind, shape = str(entry["dtype"]), [int(side) for side in entry["shape"]]
    except (TypeError, KeyError, OverflowError):
        raise ValueError("its header is damaged") from None
    count = check_shape(shape, len(numbers) + 1)
    if kind == BFLOAT16:
        halves = np.frombuffer(numbers, "<u2").astype(np.uint32)
        found: Any = (halves << 16).view(np.float32)
    elif kind in DTYPES:
        found = np.frombuffer(numbers, DTYPES[kind])
    else:
        raise ValueError(f"arrays of the unknown type {kind[:20]!r}")
    if found.size != count:
        raise ValueError("an array with more or fewer numbers than its shape")
    return (found.astype(np.float32) if found.dtype.kind == "f" else found).reshape(shape)
