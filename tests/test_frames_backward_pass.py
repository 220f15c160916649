"""The second pass steadies a film, keeps its dream and crosses no cut."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic import glide, join, scene, still
from test_frames_pipeline import boiling, stored
from tiny import QUICK, RATE, Cli, dreamt, frames_of, pixels_of, quick_dream

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.media.read import Frame
from dreamvideo.media.stills import store_frame
from dreamvideo.media.write import StoredFrame
from dreamvideo.render.frames.backward_pass import run_backward_pass
from dreamvideo.render.frames.frame_plan import FramePlan
from dreamvideo.render.frames.pipeline import DreamedFrame, dream_clip
from dreamvideo.settings import CoherenceSettings

Pictures = list[NDArray[np.float32]]


@pytest.fixture(scope="module")
def dreamer() -> Dreamer:
    return Dreamer(quick_dream("block3_expand", steps=6))


def kept(folder: Path, pictures: list[NDArray[np.uint8]]) -> list[StoredFrame]:
    folder.mkdir(exist_ok=True)
    frames = [StoredFrame(folder / f"{n}.png", n / RATE) for n in range(len(pictures))]
    for frame, pixels in zip(frames, pictures, strict=True):
        store_frame(frame.path, pixels)
    return frames


def second(sources: Pictures, films: list[DreamedFrame], folder: Path) -> list[NDArray[np.uint8]]:
    dreams = kept(folder / "dreams", [film.pixels for film in films])
    read = kept(folder / "sources", [frame.pixels for frame in frames_of(sources)])
    starts = [film.starts_shot for film in films]
    passed = run_backward_pass(dreams, read, starts, CoherenceSettings())
    return [pixels for _, pixels in passed][::-1]


def test_it_steadies_the_dream_and_keeps_its_contrast(dreamer: Dreamer, tmp_path: Path) -> None:
    clip = scene(72, 96, glide(8, 2))
    sources = stored(clip.frames)
    films = dreamt(sources, dreamer)
    steady = [
        DreamedFrame(f.index, f.time, partial(np.asarray, p), f.loss, f.starts_shot)
        for f, p in zip(films, second(sources, films, tmp_path), strict=True)
    ]
    assert boiling(steady, sources, clip.flows) < 0.85 * boiling(films, sources, clip.flows)
    before, after = (
        np.mean([np.abs(f.pixels / 127.5 - 1 - s).mean() for f, s in zip(fs, sources, strict=True)])
        for fs in (films, steady)
    )
    assert after > 0.9 * before


def test_the_last_frame_stays_and_a_cut_is_not_crossed(dreamer: Dreamer, tmp_path: Path) -> None:
    one, two = scene(72, 96, glide(3, 2)), scene(72, 96, still(3), seed=9)
    sources = stored(join(one, two).frames)
    films = dreamt(sources, dreamer)
    assert [film.starts_shot for film in films] == [True, False, False, True, False, False]
    together = second(sources, films, tmp_path)
    assert (together[-1] == films[-1].pixels).all()
    alone = second(sources[:3], films[:3], tmp_path)
    for a, b in zip(alone, together, strict=False):
        assert (a == b).all()


def test_where_nothing_is_dreamt_nothing_is_brought_back(dreamer: Dreamer, tmp_path: Path) -> None:
    """A mask that moves, and a dream that begins late: what they leave bare stays bare."""
    sources = stored(scene(72, 96, glide(4, 2)).frames)
    masks = np.zeros((4, 72, 96), np.float32)
    for index in (1, 2, 3):
        masks[index, :, 10 * index : 10 * index + 40] = 1

    def direct(frame: Frame, *_: object) -> FramePlan:
        return FramePlan(CoherenceSettings(), masks[frame.index])

    frames = frames_of(sources)
    films = list(dream_clip(frames, dreamer, CoherenceSettings(), direct=direct))
    steady = second(sources, films, tmp_path)
    for pixels, frame, mask in zip(steady, frames, masks, strict=True):
        assert (pixels[mask == 0] == frame.pixels[mask == 0]).all()
        assert mask.max() == 0 or (pixels != frame.pixels).any()


def test_two_passes_from_the_command_line(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    clip = str(shelf / "clip.mp4")
    assert cli("video", clip, "-o", str(once), *QUICK).code == 0
    ended = cli("video", clip, "-o", str(twice), *QUICK, "--passes", "2")
    assert ended.code == 0 and "second pass: 8/8" in ended.err
    first, other = pixels_of(once), pixels_of(twice)
    assert len(first) == len(other) == 8
    assert (first[-1] == other[-1]).all() and not (first[0] == other[0]).all()
