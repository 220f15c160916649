"""Checkpoints: whatever is carried comes back bit for bit, in no more bytes than it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from dreamvideo.media.pixels import to_deep, to_float
from dreamvideo.render.job.checkpoint import load_checkpoint, pack_checkpoint

DTYPES = st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_])
SHAPES = array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=70)
ANY = DTYPES.flatmap(lambda dtype: arrays(dtype, SHAPES, fill=st.nothing()))


def again(folder: Path, count: int, kept: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    path = folder / "state.npz"
    path.write_bytes(pack_checkpoint(count, kept))
    found, loaded = load_checkpoint(path)
    assert found == count and loaded is not None
    return dict(loaded)


def check_same(found: dict[str, NDArray[Any]], kept: dict[str, NDArray[Any]]) -> None:
    assert found.keys() == kept.keys()
    for name, array in kept.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes(), name


@given(st.dictionaries(st.sampled_from(["source", "dream", "a b"]), ANY), st.integers(0, 99))
def test_any_arrays_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, kept: dict[str, NDArray[Any]], count: int
) -> None:
    check_same(again(tmp_path_factory.mktemp("state"), count, kept), kept)


def of_a_file(seed: int, height: int = 130, width: int = 90) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_odd_numbers_come_back_bit_for_bit(tmp_path: Path) -> None:
    picture = to_float(of_a_file(0))
    off = picture.copy()
    # In a row that the quick look passes over.
    off[67, 3, 1] = np.nextafter(off[67, 3, 1], np.float32(2))
    zeros = np.zeros((5, 7), np.float32)
    signed = zeros.copy()
    signed[2, 2] = -0.0
    unknown = np.full((4, 4), np.nan, np.float32)
    infinite = picture.copy()
    infinite[67, 3, 1] = np.inf
    kept = {
        "picture": picture,
        "turned": picture.transpose(1, 0, 2),
        "off": off,
        "deep": to_float(to_deep(picture * 0.3)),
        "zeros": zeros,
        "signed": signed,
        "unknown": unknown,
        "infinite": infinite,
        "large": 3 * picture,
        "none": np.zeros((0, 5), np.float32),
    }
    check_same(again(tmp_path, 3, kept), kept)


def test_source_frames_take_a_byte_a_value_and_even_maps_none() -> None:
    picture = to_float(of_a_file(1))
    full = len(pack_checkpoint(1, {"dream": picture * 0.37}))
    assert len(pack_checkpoint(1, {"source": picture})) < full / 4 + 1000
    assert len(pack_checkpoint(1, {"target": np.ones_like(picture)})) < 2000


@pytest.mark.parametrize("damage", [slice(0, 4), slice(300, 304), slice(9000, 9004)])
def test_a_checkpoint_that_is_not_whole_is_none(tmp_path: Path, damage: slice) -> None:
    path = tmp_path / "state.npz"
    data = bytearray(pack_checkpoint(4, {"source": to_float(of_a_file(2)), "map": np.ones((9, 9))}))
    data[damage] = bytes(byte ^ 0xFF for byte in data[damage])
    path.write_bytes(data)
    assert load_checkpoint(path) == (0, None)
    assert load_checkpoint(tmp_path / "none.npz") == (0, None)
