"""Named arrays of PyTorch's files (.pth, .pt): tensors only, and nothing is unpickled.

A pickle is a program. Here its steps are listed by ``pickletools``, which runs none of them, and
the few that build a dictionary of tensors are followed; whatever else it names is refused.
"""

from __future__ import annotations

import io
import lzma
import math
import pickletools  # lists a pickle's steps; it executes none
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dreamvideo.dream.readers.graphdef import MOST_AXES, check_shape

# The start of files that PyTorch wrote before 1.6: a pickled magic number.
OLD_MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
BFLOAT16 = "bfloat16"
TYPES = {
    "Float": "<f4",
    "Half": "<f2",
    "BFloat16": BFLOAT16,
    "Double": "<f8",
    "Long": "<i8",
    "Int": "<i4",
    "Short": "<i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "?",
}
# Names of types of numbers, those of graphics cards among them: nothing is called.
STORAGES = {
    f"{module} {name}Storage": kind
    for module in ("torch", "torch.cuda")
    for name, kind in TYPES.items()
}
# Calls that are followed: numbers with a shape, the second as PyTorch wrote them before 0.4, and
# what marks a tensor as one that is trained (``state_dict(keep_vars=True)``).
TENSORS = {"torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor"}
PARAMETER = "torch._utils _rebuild_parameter"
KNOWN = {"collections OrderedDict", PARAMETER, *TENSORS, *STORAGES}
# What checkpoints call the state that they hold.
WRAPPERS = ("state_dict", "model_state_dict", "model")
MOST_STEPS = 2_000_000
# A zip's entries may not unpack to more than the file itself, and some text.
MOST_TEXT = 1 << 20
# Steps that only number or frame what others do.
IGNORED = {"PROTO", "FRAME", "STOP"}
EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "MARK": None}
PUT = {"BINPUT", "LONG_BINPUT", "PUT"}
GET = {"BINGET", "LONG_BINGET", "GET"}
PLAIN = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG", "BINFLOAT", "FLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "UNICODE", "BINSTRING", "SHORT_BINSTRING"),
}
FIXED = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


@dataclass(frozen=True)
class _Name:
    """Something that a pickle refers to by its name."""

    name: str


@dataclass(frozen=True)
class _Storage:
    """A storage: its type, and the key of its numbers."""

    kind: str
    key: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


_MARK = object()
# What Python's own reader of archives raises for damaged ones.
DAMAGE = (
    *(KeyError, EOFError, OSError, NotImplementedError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)


def read_pth(path: Path) -> dict[str, Any]:
    """Return arrays by name; floats as float32.

    Raises ValueError for files that hold anything but tensors, or are damaged.
    """
    if is_zip(path):
        return _read_zip(path)
    data = path.read_bytes()
    if not data.startswith(OLD_MAGIC):
        raise ValueError("neither of PyTorch's formats")
    return _read_old(data)


def is_zip(path: Path) -> bool:
    """Return whether a file is an archive."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        return False


def _read_zip(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {each.filename: each for each in archive.infolist()}
            sizes = [max(each.file_size, each.compress_size) for each in entries.values()]
            if sum(sizes) > size + MOST_TEXT:
                raise ValueError("it unpacks to more than its size")
            # PyTorch compresses nothing, and what unpacks may take much memory for it.
            if any(each.compress_type != zipfile.ZIP_STORED for each in entries.values()):
                raise ValueError("its archive is compressed")
            root = next(
                (n.removesuffix("data.pkl") for n in entries if n.endswith("/data.pkl")), None
            )
            if root is None:
                raise ValueError("it has no data.pkl")
            tensors = _tensors(_follow(archive.read(f"{root}data.pkl")))
            keys = {tensor.storage.key for tensor in tensors.values()}
            stored = {key: archive.read(f"{root}data/{key}") for key in keys}
    except DAMAGE as error:
        raise ValueError(f"its archive is damaged ({error})") from None
    except RuntimeError:
        raise ValueError("its archive is encrypted") from None
    return _read_arrays(tensors, stored)


def _read_old(data: bytes) -> dict[str, Any]:
    """Read magic number, version, system, tensors and keys, all pickled; then the storages."""
    file = io.BytesIO(data)
    for _ in range(3):
        _follow_file(file)
    tensors = _tensors(_follow_file(file))
    kinds = {t.storage.key: t.storage.kind for t in tensors.values()}
    keys = _follow_file(file)
    if not isinstance(keys, list):
        raise ValueError("it lists no storages")
    stored = {}
    for key in keys:
        count = int.from_bytes(file.read(8), "little", signed=True)
        length = count * _item_size(kinds[key]) if key in kinds else -1
        if not 0 <= length <= len(data) - file.tell():
            raise ValueError("a storage beyond the end of the file")
        stored[key] = file.read(length)
    return _read_arrays(tensors, stored)


def _tensors(found: Any) -> dict[str, _Tensor]:
    """Return the tensors of a state, also of one that a checkpoint holds."""
    if isinstance(found, Mapping):
        found = next((found[k] for k in WRAPPERS if isinstance(found.get(k), Mapping)), found)
    if not isinstance(found, Mapping):
        raise ValueError("it is no dictionary of tensors: save model.state_dict()")
    kept = {str(k): v for k, v in found.items() if isinstance(v, _Tensor)}
    if not kept:
        raise ValueError("it holds no tensors: save model.state_dict()")
    return kept


def _read_arrays(tensors: Mapping[str, _Tensor], stored: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the arrays; none may take more memory than their numbers do, twice at most."""
    taken = sum(math.prod(each.shape) * _item_size(each.storage.kind) for each in tensors.values())
    if taken > 2 * sum(map(len, stored.values())):
        raise ValueError("its tensors share their numbers more often than those of any network")
    return {name: _array(tensor, stored) for name, tensor in tensors.items()}


def _array(tensor: _Tensor, stored: Mapping[str, bytes]) -> Any:
    data = stored.get(tensor.storage.key)
    if data is None or len(data) % _item_size(tensor.storage.kind):
        raise ValueError("a tensor without its numbers")
    kind = STORAGES[tensor.storage.kind]
    numbers = np.frombuffer(data, "<u2" if kind == BFLOAT16 else kind)
    count = check_shape(tensor.shape, numbers.size)
    is_float = kind == BFLOAT16 or np.issubdtype(numbers.dtype, np.floating)
    if count == 0:
        return np.zeros(tensor.shape, np.float32 if is_float else numbers.dtype)
    last = tensor.offset + sum(
        (side - 1) * stride for side, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if tensor.offset < 0 or min(tensor.strides, default=0) < 0 or last >= numbers.size:
        raise ValueError("a tensor beyond the end of its numbers")
    steps = tuple(stride * numbers.itemsize for stride in tensor.strides)
    # Its bounds have been checked; a tensor may be a transposed view of its numbers.
    view = np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, steps)
    if kind == BFLOAT16:
        # The upper half of a float32.
        return (view.astype(np.uint32) << 16).view(np.float32)
    return np.ascontiguousarray(view, np.float32 if is_float else None)


def _item_size(storage: str) -> int:
    kind = STORAGES[storage]
    return 2 if kind == BFLOAT16 else np.dtype(kind).itemsize


def _follow(data: bytes) -> Any:
    return _follow_file(io.BytesIO(data))


def _follow_file(file: io.BytesIO) -> Any:
    """Return what one pickle builds, out of plain values and the names in ``KNOWN``."""
    machine = _Machine()
    try:
        for steps, (step, argument, _) in enumerate(pickletools.genops(file)):
            if steps > MOST_STEPS:
                raise ValueError("a pickle of too many steps")
            machine.take(step.name, argument)
    except (IndexError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"its pickle is damaged ({type(error).__name__})") from None
    return machine.stack[-1] if machine.stack else None


def _pair_up(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """Return a dictionary; the hash of a key of nested tuples would overflow Python's stack."""
    found = {}
    for key, value in pairs:
        if not isinstance(key, str | int):
            raise ValueError("a dictionary with keys that are no names")
        found[key] = value
    return found


class _Machine:
    """The stack of a pickle, and what it has numbered."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.copied = 0

    def take(self, step: str, argument: Any) -> None:
        """Follow one step. Raises ValueError for any that builds no dictionary of tensors."""
        stack = self.stack
        if step in PLAIN:
            stack.append(argument)
        elif step in FIXED:
            stack.append(FIXED[step])
        elif step == "MARK":
            stack.append(_MARK)
        elif step in EMPTY:
            stack.append(EMPTY[step]())  # type: ignore[misc]
        elif step in PUT:
            self.memo[int(argument)] = stack[-1]
        elif step == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif step in GET:
            stack.append(self.memo[int(argument)])
        elif step not in IGNORED:
            getattr(self, f"_{step.lower()}", self._unknown)(argument if argument else step)

    def _unknown(self, step: Any) -> None:
        raise ValueError(f"it holds more than tensors ({str(step)[:60]}): save model.state_dict()")

    def _global(self, name: str) -> None:
        if name not in KNOWN:
            self._unknown(name.replace(" ", "."))
        self.stack.append(_Name(name))

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._global(f"{module} {name}")

    def _binpersid(self, _: Any) -> None:
        _, kind, key, _, count, *_ = self.stack.pop()
        if not isinstance(kind, _Name) or kind.name not in STORAGES or not isinstance(key, str):
            raise ValueError("numbers of an unknown type")
        self.stack.append(_Storage(kind.name, str(key), int(count)))

    def _reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if function == _Name("collections OrderedDict"):
            pairs = arguments[0] if arguments else ()
            found = _pair_up(pairs.items() if isinstance(pairs, dict) else pairs)
            self.copied += len(found)
            if self.copied > MOST_STEPS:
                raise ValueError("a pickle of too many copies")
            self.stack.append(found)
            return
        if function == _Name(PARAMETER):
            if not isinstance(arguments[0], _Tensor):
                raise ValueError("a parameter without a tensor")
            self.stack.append(arguments[0])
            return
        if not isinstance(function, _Name) or function.name not in TENSORS:
            self._unknown(getattr(function, "name", "a call"))
        storage, offset, shape, strides = arguments[:4]
        if (
            not isinstance(storage, _Storage)
            or len(shape) != len(strides)
            or len(shape) > MOST_AXES
        ):
            raise ValueError("a tensor without numbers")
        sizes = tuple(map(int, shape)), tuple(map(int, strides))
        self.stack.append(_Tensor(storage, int(offset), *sizes))

    def _build(self, _: Any) -> None:
        # What an OrderedDict of PyTorch has besides its tensors: versions.
        self.stack.pop()

    def _to_mark(self) -> list[Any]:
        taken = []
        while (each := self.stack.pop()) is not _MARK:
            taken.append(each)
        return taken[::-1]

    def _tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._to_mark()))

    def _tuple1(self, _: Any) -> None:
        self.stack[-1:] = [tuple(self.stack[-1:])]

    def _tuple2(self, _: Any) -> None:
        self.stack[-2:] = [tuple(self.stack[-2:])]

    def _tuple3(self, _: Any) -> None:
        self.stack[-3:] = [tuple(self.stack[-3:])]

    def _setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1].update(_pair_up([(key, value)]))

    def _setitems(self, _: Any) -> None:
        taken = self._to_mark()
        self.stack[-1].update(_pair_up(zip(taken[::2], taken[1::2], strict=True)))

    def _append(self, _: Any) -> None:
        value = self.stack.pop()
        self.stack[-1].append(value)

    def _appends(self, _: Any) -> None:
        taken = self._to_mark()
        self.stack[-1].extend(taken)
