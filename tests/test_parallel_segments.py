from __future__ import annotations

from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_clips import make, picture

from dreamvideo import make_look
from dreamvideo.errors import UsageError
from dreamvideo.render.job.segments import Segment, divide_shots
from dreamvideo.render.options import RenderOptions
from dreamvideo.render.parallel import shots as scanning
from dreamvideo.render.parallel.shots import ClipScan, plan_segments, scan_clip
from dreamvideo.render.planning import worker_count
from dreamvideo.render.planning.worker_count import longest_queue
from dreamvideo.render.progress import silent
from dreamvideo.render.source import ClipRange, ClipRequest, open_clip_range
from dreamvideo.settings import Look, make_output
from dreamvideo.settings.machine import MachineSettings

SHOTS = ("testsrc2", "mandelbrot", "smptebars")

FRAMES = 500
CUTS = st.sets(st.integers(1, FRAMES - 1), max_size=30).map(sorted)


@given(CUTS, st.none() | st.integers(1, 600), st.integers(0, 50))
def test_a_plan_covers_every_frame_once_and_in_order(
    cuts: list[int], longest: int | None, warm_up: int
) -> None:
    made = divide_shots(cuts, FRAMES, longest, warm_up)
    assert [segment.index for segment in made] == list(range(len(made)))
    numbers = [n for s in made for n in range(s.first, s.first + (s.count or 0))]
    assert numbers == list(range(FRAMES))


@given(CUTS, st.none() | st.integers(1, 600), st.integers(0, 50))
def test_a_plan_keeps_to_shots_and_warms_up_within_them(
    cuts: list[int], longest: int | None, warm_up: int
) -> None:
    made = divide_shots(cuts, FRAMES, longest, warm_up)
    begins = {0, *cuts}
    assert begins <= {segment.first for segment in made}
    for segment in made:
        shot = max(begin for begin in begins if begin <= segment.first)
        assert segment.warm_up == min(warm_up, segment.first - shot)
        if longest is not None:
            assert segment.count is not None and segment.count <= longest


@given(CUTS)
def test_without_a_length_shots_are_whole(cuts: list[int]) -> None:
    made = divide_shots(cuts, FRAMES)
    assert [segment.count for segment in made] == [b - a for a, b in pairwise([0, *cuts, FRAMES])]
    assert not any(segment.warm_up for segment in made)


def test_a_long_shot_is_divided_evenly() -> None:
    assert divide_shots([100], 110, 40, 12) == (
        Segment(index=0, first=0, count=33),
        Segment(index=1, first=33, count=33, warm_up=12),
        Segment(index=2, first=66, count=34, warm_up=12),
        Segment(index=3, first=100, count=10),
    )


CODED = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "20", "-x264-params", "open-gop=1"]


def scanned(clip: Path, threads: int, **request: Any) -> ClipScan:
    look = make_look((), {"camera": {"zoom": "1.3"}})
    read = open_clip_range(ClipRequest(clip, **request), make_output())
    return scan_clip(read, look, threads, silent)


@pytest.mark.sample(2)
@pytest.mark.parametrize("name", ["a.mp4", "b.mkv", "c.ts", "d.gif"])
@pytest.mark.parametrize("request_", [{}, {"start": "0.7", "end": "3.3"}, {"fps": "10"}])
def test_a_clip_read_in_stretches_is_the_clip_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, request_: dict[str, str]
) -> None:
    shots = [["-f", "lavfi", "-t", "1.3", "-i", f"{s}=size=64x48:rate=25"] for s in SHOTS]
    join = ["-filter_complex", f"concat=n={len(SHOTS)}"]
    coded = [] if name.endswith("gif") else CODED
    clip = make(tmp_path / name, *chain(*shots), *join, *coded)
    at_once = scanned(clip, 5, **request_)
    assert len(at_once.cuts) == 2 and at_once.sound
    asked: list[int] = []
    side_by_side = scanning.scan_in_parallel

    def noted(read: ClipRange, look: Look, bounds: list[Fraction], told: Any) -> Any:
        asked.append(len(bounds))
        return side_by_side(read, look, bounds, told)

    monkeypatch.setattr(scanning, "scan_in_parallel", noted)
    monkeypatch.setattr(scanning, "MIN_CHUNK_SECONDS", 0.5)
    assert scanned(clip, 5, **request_) == at_once
    assert asked == ([5] if name in ("a.mp4", "b.mkv") and "fps" not in request_ else [])


@pytest.mark.integration
def test_a_damaged_clip_is_read_at_once_and_opened_at_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make(tmp_path / "clip.mkv", *picture(4), *CODED)
    data = bytearray(clip.read_bytes())
    for place in range(len(data) // 3, len(data) // 2, 300):
        data[place : place + 40] = bytes(40)
    clip.write_bytes(data)
    at_once = scanned(clip, 4)
    assert not at_once.sound
    monkeypatch.setattr(scanning, "MIN_CHUNK_SECONDS", 0.5)
    again = scanned(clip, 4)
    assert again.missing == at_once.missing
    # Which of its complaints ffmpeg's threads make last is left to them.
    assert [note.split(" (")[0] for note in again.notes] == [
        note.split(" (")[0] for note in at_once.notes
    ]
    read = open_clip_range(ClipRequest(clip), make_output())
    segments, _ = plan_segments(read, make_look(()), RenderOptions(segment_length=20), 2, 4, silent)
    assert len(segments) > 3 and not any(segment.opening for segment in segments)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=30), st.integers(1, 16))
def test_the_longest_queue_is_no_shorter_than_an_even_share(lengths: list[int], count: int) -> None:
    longest = longest_queue(lengths, count)
    assert max(*lengths, sum(lengths) / count) <= longest <= sum(lengths)


@pytest.mark.parametrize(
    ("lengths", "workers"),
    [([50, 50], 2), ([90, 10], 1), ([100], 1), ([40, 30, 30], 2), ([25] * 4, 4)],
)
def test_auto_starts_as_many_as_pay(lengths: list[int], workers: int) -> None:
    most = max(2, workers)
    assert worker_count.choose_worker_count(most, MachineSettings(), lengths) == workers
    assert worker_count.choose_worker_count(2, MachineSettings(workers="2"), lengths) == min(
        2, len(lengths)
    )


def test_several_processes_pay_where_there_are_cores_and_work_for_them() -> None:
    # A second a frame; nothing of what a process costs can be made up for in a moment.
    assert worker_count.estimate_speedup(1, 1.0, 640 * 360, 2, 2) < 1
    assert worker_count.estimate_speedup(1000, 1.0, 640 * 360, 1, 1) < 1
    paid = [worker_count.estimate_speedup(1000, 1.0, 640 * 360, n, n) for n in (2, 4, 8, 16)]
    assert 1.3 < paid[0] < 1.5 and paid == sorted(paid)
    # A network that is as fast as its clip is read gains nothing by it.
    assert (
        worker_count.estimate_speedup(
            100_000, 640 * 360 * worker_count.SCAN_SECONDS, 640 * 360, 8, 8
        )
        < 1
    )


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "", "1000", "\u0662"])
def test_a_number_of_workers_is_a_number(text: str) -> None:
    with pytest.raises(UsageError, match="--workers"):
        worker_count.find_max_workers(MachineSettings(workers=text), None, None)  # type: ignore[arg-type]
