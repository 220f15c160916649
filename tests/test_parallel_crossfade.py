"""Where one part of a shot ends and the next begins, nothing shows.

``pytest -m slow tests/test_parallel_crossfade.py -s`` prints the table; ``DREAMVIDEO_CLIPS`` may
name a folder
of more clips for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from media_clips import make
from numpy.typing import NDArray
from slow_dreamer import without_network
from tiny import contents

from dreamvideo import dream_video, make_look
from dreamvideo.media.pixels import to_float
from dreamvideo.media.probe import probe
from dreamvideo.media.read import ReadOptions, open_source
from dreamvideo.media.stills import load_deep, png_bytes, store_frame
from dreamvideo.media.write import StoredFrame
from dreamvideo.metrics.frame_stats import Mean, measure_warping_error
from dreamvideo.metrics.reference_flow import Correspondence, estimate_correspondence
from dreamvideo.render.job.job import Job, job_folder
from dreamvideo.render.job.segment_store import ahead_path, joined_path
from dreamvideo.render.job.segments import Segment
from dreamvideo.render.options import WARM_UP, RenderOptions
from dreamvideo.render.parallel.crossfade import (
    crossfade,
    encode_ahead,
    fade_weights,
    join_segments,
)
from dreamvideo.render.progress import Progress
from dreamvideo.settings import make_machine

Picture = NDArray[np.float32]
BUNNY = Path(__file__).parents[1] / "samples" / "bunny.mp4"
LOOK = make_look((), {"dream": {"layers": "block1", "steps": 1, "octaves": 1}})
RANDOM = np.random.default_rng(5)


def noise(strength: float = 0.2) -> Picture:
    return np.asarray(RANDOM.normal(0, strength, (90, 160, 3)), np.float32)


def test_a_dream_goes_over_into_another_from_one_end_to_the_other() -> None:
    source = noise(0.3)
    a, b = (np.clip(source + noise(), -1, 1) for _ in range(2))
    assert np.array_equal(crossfade(a, a, source, 0.4), a)
    assert np.allclose(crossfade(a, b, source, 0), a, atol=1e-6)
    assert np.allclose(crossfade(a, b, source, 1), b, atol=1e-6)


def test_half_way_most_of_the_contrast_is_there_and_the_source_is_itself() -> None:
    source = noise(0.2)
    a, b = noise(0.1), noise(0.1)
    half = crossfade(source + a, source + b, source, 0.5) - source
    plain = float(np.sqrt(np.mean(((a + b) / 2) ** 2)))
    full = float(np.sqrt(np.mean(a**2)))
    assert plain < 0.72 * full
    assert 0.8 * full < float(np.sqrt(np.mean(half**2))) < full
    # Where nothing is dreamt, nothing is sharpened.
    assert np.array_equal(crossfade(source, source, source, 0.5), source)


def stored(folder: Path, pictures: list[NDArray[np.uint8]]) -> list[StoredFrame]:
    folder.mkdir(parents=True, exist_ok=True)
    frames = []
    for number, picture in enumerate(pictures):
        path = folder / f"{number:08d}.png"
        store_frame(path, picture)
        frames.append(StoredFrame(path, Fraction(number, 25)))
    return frames


def test_the_way_is_gone_while_the_picture_moves(tmp_path: Path) -> None:
    levels = [0, 10, 20, 20, 20, 40, 50, 60]
    frames = stored(tmp_path, [np.full((8, 8, 3), level, np.uint8) for level in levels])
    gone = fade_weights(frames, Segment(index=1, first=7, count=1, warm_up=5))
    # Of frames 2 to 6, and on to 7: 10, 0, 0, 20, 10 and 10 levels.
    assert gone == pytest.approx([0.2, 0.2, 0.2, 0.6, 0.8], abs=1e-3)
    resting = stored(tmp_path, [np.zeros((8, 8, 3), np.uint8)] * 8)
    gone = fade_weights(resting, Segment(index=1, first=6, count=2, warm_up=3))
    assert gone == pytest.approx([0.25, 0.5, 0.75])


def test_only_frames_that_two_parts_have_dreamt_are_made_anew(tmp_path: Path) -> None:
    shape = (20, 30, 3)
    pictures = [np.full(shape, 100 + n, np.uint8) for n in range(9)]
    frames = stored(tmp_path / "frames", pictures)
    deep, alpha = np.full(shape, 25700, np.uint16), np.full(shape[:2], 9000, np.uint16)
    frames[4].path.write_bytes(png_bytes(deep, alpha))
    (tmp_path / "ahead").mkdir()
    (tmp_path / "joined").mkdir()
    # The second joint's way begins before the first one is passed.
    plan = (
        Segment(index=0, first=0, count=4),
        Segment(index=1, first=4, count=2, warm_up=2),
        Segment(index=2, first=6, count=3, warm_up=3),
    )
    source = np.full(shape, 100, np.uint8)
    for part in plan[1:]:
        for number in range(part.first - part.warm_up, part.first):
            dream = np.full(shape, 200, np.uint8)
            held = dream if number != 4 else np.full(shape, 51400, np.uint16)
            ahead_path(tmp_path, part.index, number).write_bytes(encode_ahead(held, source))
    heard: list[Progress] = []
    made = join_segments(tmp_path, plan, frames, 2, heard.append)
    changed = [n for n in range(9) if made[n].path != frames[n].path]
    assert changed == [2, 3, 4, 5]
    assert [made[n].path for n in changed] == [joined_path(tmp_path, n) for n in changed]
    assert [frame.time for frame in made] == [frame.time for frame in frames]
    assert (heard[-1].done, heard[-1].total) == (4, 4)
    means = [float(load_deep(made[n].path)[0].mean()) for n in (2, 3, 5)]
    assert 100 < means[0] < means[1] < 200
    pixels, kept = load_deep(made[4].path)
    assert pixels.dtype == np.uint16 and kept is not None and (kept == 9000).all()
    assert 25700 < pixels.mean() < 51400


@pytest.fixture
def no_network() -> Iterator[None]:
    with without_network():
        yield


@pytest.fixture(scope="module")
def glide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real scene that the camera passes over: 40 frames."""
    small = ["-vf", "scale=128:72", "-qp", "6", "-an", "-frames:v", "40"]
    return make(tmp_path_factory.mktemp("glide") / "glide.mp4", "-i", str(BUNNY), *small)


@cache
def correspondence(clip: Path, size: tuple[int, int], number: int) -> Correspondence:
    """What moved where from the frame before to this one."""
    with open_source(clip, ReadOptions(size=size)) as source:
        before, now = islice((to_float(frame.pixels) for frame in source), number - 1, number + 1)
    return estimate_correspondence(now, before)


def error(film: Path, clip: Path, numbers: Iterable[int]) -> float:
    """Warping error of these frames of a film, each beside the one before it."""
    frames = sorted(film.glob("*.png"))
    total = Mean()
    for number in numbers:
        now, before = (to_float(load_deep(frames[n])[0]) for n in (number, number - 1))
        size = (now.shape[1], now.shape[0])
        total += measure_warping_error(now, before, correspondence(clip, size, number))
    return total.value


@pytest.mark.integration
@pytest.mark.usefixtures("no_network")
def test_a_joint_is_as_still_as_the_film_around_it(glide: Path, tmp_path: Path) -> None:
    films = {}
    for warm_up in (0, 16):
        films[warm_up] = tmp_path / str(warm_up)
        options = RenderOptions(segment_length=20, warm_up=warm_up)
        dream_video(glide, films[warm_up], LOOK, options=options)
    whole = tmp_path / "whole"
    dream_video(glide, whole, LOOK)
    inside = error(whole, glide, range(4, 21))
    assert error(films[16], glide, range(4, 21)) < 1.2 * inside
    at_the_joint = error(whole, glide, [20])
    assert error(films[16], glide, [20]) < 1.5 * at_the_joint
    assert error(films[0], glide, [20]) > 2 * at_the_joint


@pytest.mark.integration
@pytest.mark.usefixtures("no_network")
def test_two_workers_join_as_one_does_and_go_on_where_frames_ahead_are_lost(
    glide: Path, tmp_path: Path
) -> None:
    options = RenderOptions(segment_length=16, warm_up=8, keep_job=True)
    films = {count: tmp_path / count for count in ("1", "2")}
    for count, film in films.items():
        dream_video(glide, film, LOOK, machine=make_machine(workers=count), options=options)
    assert contents(films["1"]) == contents(films["2"])
    folder = job_folder(films["1"])
    job = Job.at(folder)
    second = job.manifest.segments[1]
    assert [segment.warm_up for segment in job.manifest.segments] == [0, 8, 8]
    ahead_path(folder, 1, second.first - 3).write_bytes(b"")
    before = contents(films["1"])
    heard: list[Progress] = []
    dream_video(
        glide,
        films["1"],
        LOOK,
        machine=make_machine(workers="1"),
        options=options,
        overwrite=True,
        on_progress=heard.append,
    )
    assert contents(films["1"]) == before
    assert sum(p.stage == "dreaming" and not p.note for p in heard) == second.count


@pytest.mark.sample(1)
@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("count", ["1", "3"])
def test_frames_that_need_no_others_are_divided_anywhere(
    glide: Path, tmp_path: Path, count: str
) -> None:
    look = LOOK.model_copy(update={"coherence": LOOK.coherence.model_copy(update={"coherence": 0})})
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    dream_video(glide, whole, look, machine=make_machine(workers="1"))
    options = RenderOptions(segment_length=7 if count == "1" else None)
    plans: list[tuple[Segment, ...]] = []

    def listen(progress: Progress) -> None:
        if progress.stage == "dreaming" and not plans:
            plans.append(Job.at(job_folder(parts)).manifest.segments)

    machine = make_machine(workers=count)
    dream_video(glide, parts, look, machine=machine, options=options, on_progress=listen)
    assert contents(parts) == contents(whole)
    lengths = [segment.count or 0 for segment in plans[0]]
    assert len(lengths) == (6 if count == "1" else 3) and max(lengths) - min(lengths) <= 1
    assert not any(segment.warm_up for segment in plans[0])
    assert all(segment.opening for segment in plans[0][1:])


def clips() -> list[Path]:
    """The sample, and what else is to be tried."""
    folder = os.environ.get("DREAMVIDEO_CLIPS")
    more = sorted(Path(folder).glob("*.mp4")) if folder else []
    return [BUNNY, *more]


@pytest.mark.slow
@pytest.mark.parametrize("clip", clips(), ids=lambda path: path.stem)
def test_real_clips_are_as_still_across_joints_as_inside_a_part(clip: Path, tmp_path: Path) -> None:
    """The table: over the frames in which the film goes over, and at the worst of them."""
    info = probe(clip)
    width = min(320, info.width)
    size = f"{width}x{round(width * info.height / info.width / 2) * 2}"
    whole = tmp_path / "whole"
    dream_video(clip, whole, size=size, end="110f")
    ratios: dict[int, float] = {}
    parts: tuple[Segment, ...] = ()
    for warm_up in (WARM_UP, 24, 12, 8, 4, 0):
        film = tmp_path / str(warm_up)
        options = RenderOptions(segment_length=42, warm_up=warm_up, keep_job=True)
        dream_video(clip, film, size=size, end="110f", options=options)
        parts = parts or Job.at(job_folder(film)).manifest.segments
        # Of a shot's first frames, both parts have the same.
        joints = [part.first for part in parts if part.warm_up == WARM_UP]
        assert joints, "no shot of it is long enough"
        pairs = [n for first in joints for n in range(first - warm_up, first + 1)]
        each = [error(film, clip, [n]) / error(whole, clip, [n]) for n in pairs]
        ratios[warm_up] = error(film, clip, pairs) / error(whole, clip, pairs)
        print(
            f"{clip.stem:20} warm-up {warm_up:2}: {len(joints)} joints, error across / inside "
            f"{ratios[warm_up]:.3f}, worst pair {max(each):.2f}"
        )
    assert ratios[WARM_UP] < 1.10 < ratios[0]
