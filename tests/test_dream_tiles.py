"""Tiles: exact geometry, gradients that agree with the whole's, no line, and a memory bound."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from dreaming import Image, cat, noise, still
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamvideo.dream import memory_estimate, models
from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.objectives import layer_mean, weighted_layers
from dreamvideo.dream.tiles import FADE, GRID, GUARD, SMALLEST, spans, tile_shape, tiles
from dreamvideo.errors import UsageError
from dreamvideo.settings.machine import MachineSettings, make_machine

LAYERS = ("block8_expand", "block11_expand")


@settings(deadline=None)
@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(0, 3_000_000), st.integers(0, 5))
def test_tiles_cover_every_pixel_once_and_have_one_shape(
    height: int, width: int, most: int, turn: int
) -> None:
    shape = tile_shape(height, width, most)
    for length, tile in zip((height, width), shape, strict=True):
        total = np.zeros(length)
        for span in spans(length, tile, turn):
            assert len(span.weights) == tile
            # On the whole's own grid, so that the layers of every stride fall on the same pixels.
            assert span.start % GRID == 0 and (length - tile) % GRID == 0
            total[span.places] += span.weights
            if span.start > 0:
                assert not span.weights[:GUARD].any()
            if span.start + tile < length:
                assert not span.weights[-GUARD:].any()
        np.testing.assert_allclose(total, 1, atol=1e-6)


@settings(deadline=None)
@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(0, 3_000_000))
def test_tiles_keep_to_their_size_and_no_smaller_than_need_be(
    height: int, width: int, most: int
) -> None:
    shape = tile_shape(height, width, most)
    assert shape[0] <= height and shape[1] <= width
    if height * width <= most:
        assert shape == (height, width)
    elif most >= SMALLEST**2:
        assert shape[0] * shape[1] <= max(most, SMALLEST * min(height, width))


def test_weights_rise_smoothly_and_borders_wander() -> None:
    first = spans(1600, tile_shape(1600, 1600, 600_000)[0])
    steps = np.abs(np.diff(first[1].weights))
    assert steps.max() < 1.5 / FADE
    starts = {tuple(span.start for span in spans(1600, len(first[0].weights), t)) for t in range(3)}
    assert len(starts) == 3


def bounded(pixels: int, step_picture: tuple[int, int]) -> MachineSettings:
    """A bound under which a tile of a picture of that size has about so many pixels."""
    ascent = bundled(MachineSettings())
    room = pixels * ascent._footprint.bytes_a_pixel
    whole = step_picture[0] * step_picture[1] * memory_estimate.PICTURE
    return MachineSettings(
        max_memory=f"{int(memory_estimate.STARTED + whole + room) // 1000 + 1}kB"
    )


def bundled(machine: MachineSettings) -> GradientAscent:
    network = models.load("efficientnet-lite0")
    return GradientAscent(
        network.forward, weighted_layers((n, 1.0) for n in LAYERS), machine=machine
    )


def wide(height: int, width: int) -> Image:
    """The cat again and again, mirrored, so that it has no edges."""
    photo = cat(300, 448)
    row = np.concatenate([photo, photo[:, ::-1]], 1)
    both = np.concatenate([row, row[::-1]], 0)
    times = -(-height // both.shape[0]), -(-width // both.shape[1]), 1
    return np.ascontiguousarray(np.tile(both, times)[:height, :width])


@pytest.fixture(scope="module")
def dreams() -> dict[str, Any]:
    """One step of a picture, whole and in tiles, as the gradient over its deviation."""
    size = (SMALLEST + 2 * GRID + 10, 2 * SMALLEST + 5)
    picture, shifts = 0.8 * wide(*size), np.asarray([[7, -12]], np.int32)
    tiled = bundled(bounded(SMALLEST**2, size))
    seen: list[tuple[int, int]] = []
    whole, (loss,) = bundled(MachineSettings(max_memory="64GB")).climb(picture, 1e-3, shifts)
    pieces, (tiled_loss,) = tiled.climb(picture, 1e-3, shifts, on_tile=lambda *at: seen.append(at))
    shape = tile_shape(*size, tiled._footprint.most_pixels(*size))
    return {
        "whole": (whole - picture) / 1e-3,
        "tiled": (pieces - picture) / 1e-3,
        "losses": (loss, tiled_loss),
        "seen": seen,
        "traces": tiled.traces,
        "shift": shifts[0],
        "columns": spans(size[1], shape[1], 0),
        "count": len(list(tiles(size, shape))),
    }


def test_tiled_and_whole_gradients_agree(dreams: dict[str, Any]) -> None:
    whole, tiled = dreams["whole"], dreams["tiled"]
    difference = np.linalg.norm(tiled - whole) / np.linalg.norm(whole)
    assert difference < 0.05
    cosine = (whole * tiled).sum() / np.linalg.norm(whole) / np.linalg.norm(tiled)
    assert cosine > 0.999
    assert dreams["losses"][1] == pytest.approx(dreams["losses"][0], rel=0.2)
    # Away from where any two tiles meet they are the same but for the nearness of the edges.
    inner = np.ones(whole.shape[1], bool)
    for span in dreams["columns"]:
        met = span.places[(span.weights > 0) & (span.weights < 1)] - dreams["shift"][1]
        for column in met % whole.shape[1]:
            inner[max(0, column - FADE) : column + FADE] = False
    assert inner.mean() > 0.3
    apart = np.abs(tiled - whole).mean((0, 2))
    assert apart[inner].mean() < 0.02 * np.abs(whole).mean()


def test_no_line_is_seen_where_tiles_meet(dreams: dict[str, Any]) -> None:
    across = np.abs(np.diff(dreams["tiled"], axis=1)).mean((0, 2))
    reference = np.abs(np.diff(dreams["whole"], axis=1)).mean((0, 2))
    fading = np.zeros(len(across), bool)
    for span in dreams["columns"]:
        where = span.places[(span.weights > 0) & (span.weights < 1)] - dreams["shift"][1]
        fading[where % len(across)] = True
    energy = across / reference
    assert energy[fading].mean() == pytest.approx(energy[~fading].mean(), abs=0.02)


def test_each_tile_is_told_and_one_trace_serves_all(dreams: dict[str, Any]) -> None:
    count = dreams["count"]
    assert count > 1
    assert dreams["seen"] == [(done, count) for done in range(1, count + 1)]
    assert dreams["traces"] == 1


def test_small_pictures_are_never_cut() -> None:
    ascent = bundled(MachineSettings(max_memory="1kB"))
    seen: list[int] = []
    ascent.climb(noise(64, 80), 0.01, still(1), on_tile=lambda done, _: seen.append(done))
    assert seen == []


def test_estimate_of_a_networks_memory_grows_with_its_depth() -> None:
    network = models.load("efficientnet-lite0")
    sizes = [
        GradientAscent(network.forward, layer_mean(layer))._footprint.bytes_a_pixel
        for layer in ("stem", "block2", "block8_expand", "head")
    ]
    assert sizes == sorted(sizes)
    # Half a picture of 32 channels is kept for the way back, at the very least.
    assert sizes[0] > 32 * 4 / 4
    assert sizes[-1] < memory_estimate.AMPLE


@pytest.mark.parametrize("text", ["lots", "-3GB", "0"])
def test_memory_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--max-memory"):
        make_machine(max_memory=text)


def test_bound_is_what_was_asked_for_or_half_of_what_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert memory_estimate.memory_bound(make_machine(max_memory="2GB")) == 2_000_000_000
    bounds = set()
    for free in (9 << 30, 11 << 30):
        monkeypatch.setattr(memory_estimate, "available_memory", lambda free=free: free)
        bounds.add(memory_estimate.memory_bound(make_machine()))
        settled = memory_estimate.with_memory_bound(make_machine())
        assert memory_estimate.memory_bound(settled) in bounds
    # A little more or less that happens to be free must not change a picture.
    assert bounds == {4 << 30}


HUGE = """
import resource
import numpy as np
from dreamvideo.dream import models
from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.objectives import layer_mean
from dreamvideo.settings.machine import MachineSettings
network = models.load("efficientnet-lite0")
ascent = GradientAscent(network.forward, layer_mean("block8_expand"),
                machine=MachineSettings(max_memory="2GB"))
picture = np.random.default_rng(0).uniform(-1, 1, (2160, 3840, 3)).astype(np.float32)
ascent.climb(picture, 0.03, np.asarray([[5, 9]], np.int32))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) * 1024)
"""


@pytest.mark.slow
def test_a_picture_of_4k_keeps_within_its_memory() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HUGE], capture_output=True, text=True, check=True, timeout=900
    )
    assert int(ended.stdout) < 2_000_000_000
