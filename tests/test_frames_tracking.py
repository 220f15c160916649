"""Frames made ahead of time: the same film, nothing left running, whatever ends it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from synthetic import glide, join, scene
from test_frames_pipeline import HEIGHT, WIDTH, same, stored
from tiny import frames_of, quick_dream

from dreamvideo.cancel import TOKEN, Interrupted
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.media.read import Frame
from dreamvideo.render.frames.pipeline import dream_clip
from dreamvideo.render.frames.tracking import prefetch, start_first, track_frames, work_behind
from dreamvideo.settings import CoherenceSettings


def makers() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("dreamvideo-prefetch")]


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_the_same_items_come_in_the_same_order(count: int) -> None:
    assert list(prefetch(iter(range(7)), count)) == list(range(7))
    assert list(prefetch([], count)) == []
    assert not makers()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_no_more_than_so_many_are_made_ahead(count: int) -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    for number in prefetch(items(), count):
        assert len(made) <= number + 1 + count
    assert len(made) == 10


@pytest.mark.parametrize("count", [0, 1, 3])
def test_what_fails_is_raised_where_it_would_have_come(count: int) -> None:
    def items() -> Iterator[int]:
        yield from (0, 1)
        raise OSError("the file ends here")

    taken = []
    with pytest.raises(OSError, match="the file ends here"):
        for item in prefetch(items(), count):
            taken.append(item)
    assert taken == [0, 1] and not makers()


@pytest.mark.parametrize("end", ["close", "interrupt"])
def test_whatever_ends_it_no_thread_is_left_and_the_source_can_be_closed(end: str) -> None:
    closed = []

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(threading.current_thread())

    source = items()
    stream = prefetch(source, 2)
    assert next(stream) == 0
    if end == "close":
        stream.close()
    else:
        with pytest.raises(KeyboardInterrupt):
            stream.throw(KeyboardInterrupt)
    assert not makers()
    source.close()  # type: ignore[attr-defined]
    assert closed == [threading.main_thread()]


def test_the_first_item_is_made_at_once_and_the_others_when_they_are_asked_for() -> None:
    made: list[int] = []
    began = threading.Event()

    def items() -> Iterator[int]:
        for number in range(3):
            made.append(number)
            began.set()
            yield number

    with start_first(items()) as stream:
        assert began.wait(10) and makers()
        assert next(stream) == 0 and made == [0]
        assert list(stream) == [1, 2]
    assert not makers()
    with start_first(iter(())) as nothing:
        assert list(nothing) == []


def test_what_fails_at_the_first_item_is_raised_where_it_is_taken() -> None:
    def items() -> Iterator[int]:
        raise OSError("no such clip")
        yield 0

    with start_first(items()) as stream, pytest.raises(OSError, match="no such clip"):
        next(stream)
    source = items()
    with start_first(source):
        pass
    assert not makers()


def test_a_stop_ends_what_is_produced_ahead_too() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            TOKEN.check()
            made.append(number)
            yield number

    try:
        with pytest.raises(Interrupted):
            for number in prefetch(items(), 3):
                if number == 2:
                    TOKEN.cancel()
    finally:
        TOKEN.reset()
    assert len(made) <= 6 and not makers()


def test_a_thread_that_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        with pytest.raises(RuntimeError, match="new thread"):
            list(prefetch(iter(range(3)), 1))
    assert not makers()


def finishers() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("dreamvideo-finish")]


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_work_behind_gives_every_result_in_order(threaded: bool, count: int) -> None:
    threads = set()

    def square(number: int) -> int:
        threads.add(threading.current_thread())
        return number**2

    results = list(work_behind(square, range(count), threaded=threaded))
    assert results == [number**2 for number in range(count)]
    assert (threading.current_thread() in threads) == (not threaded and count > 0)
    assert len(threads) <= 1 and not finishers()


def test_an_item_is_produced_while_the_one_before_is_worked_on() -> None:
    produced = [threading.Event() for _ in range(4)]
    worked: list[int] = []

    def items() -> Iterator[int]:
        for number, event in enumerate(produced):
            event.set()
            # No more than one item waits.
            assert len(worked) >= number - 2
            yield number

    def work(number: int) -> bool:
        following = number + 1
        met = number == 0 or following == len(produced) or produced[following].wait(10)
        worked.append(number)
        return met

    assert list(work_behind(work, items())) == [True] * 4


def test_the_first_result_comes_before_the_second_item_is_produced() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(3):
            taken.append(number)
            yield number

    with closing(work_behind(lambda number: number, items())) as results:
        assert next(results) == 0 and taken == [0]
        assert next(results) == 1 and taken == [0, 1, 2]


def test_an_error_of_the_work_is_raised_and_nothing_after_it_is_worked_on() -> None:
    worked: list[int] = []

    def work(number: int) -> int:
        worked.append(number)
        if number == 1:
            raise OSError("the disk is full")
        return number

    results: list[int] = []
    with pytest.raises(OSError, match="the disk is full"):
        for result in work_behind(work, iter(range(5))):
            results.append(result)
    assert results == [0] and worked == [0, 1] and not finishers()


def test_the_last_items_error_is_raised_too() -> None:
    with pytest.raises(ZeroDivisionError):
        list(work_behind(lambda number: 1 // number, [1, 0]))
    assert not finishers()


def test_closed_it_works_on_nothing_more() -> None:
    worked: list[int] = []
    results = work_behind(worked.append, range(5))
    next(results)
    results.close()
    assert worked == [0] and not finishers()


def test_a_stop_lets_the_work_under_way_come_to_its_end() -> None:
    begun, go_on = threading.Event(), threading.Event()
    worked: list[int] = []

    def items() -> Iterator[int]:
        yield from (0, 1)
        assert begun.wait(10)
        threading.Timer(0.05, go_on.set).start()
        raise Interrupted

    def work(number: int) -> int:
        if number == 1:
            begun.set()
            go_on.wait(10)
        worked.append(number)
        return number

    results = work_behind(work, items())
    assert next(results) == 0
    with pytest.raises(Interrupted):
        next(results)
    assert worked == [0, 1] and not finishers()


def test_a_clip_read_ahead_is_the_same_film() -> None:
    dreamer = Dreamer(quick_dream())
    sources = stored(
        join(scene(HEIGHT, WIDTH, glide(3, 2)), scene(HEIGHT, WIDTH, glide(2, 1))).frames
    )
    serial, ahead = (
        list(dream_clip(frames_of(sources), dreamer, CoherenceSettings(), ahead=count))
        for count in (0, 2)
    )
    assert same(serial, ahead)
    assert [f.starts_shot for f in serial] == [f.starts_shot for f in ahead]
    assert [f.frame and f.frame.index for f in ahead] == [0, 1, 2, 3, 4]


def test_a_clip_that_is_given_up_leaves_no_thread() -> None:
    def source() -> Iterator[Frame]:
        yield from frames_of(stored(scene(HEIGHT, WIDTH, glide(6, 2)).frames))

    frames = source()
    with closing(dream_clip(frames, Dreamer(quick_dream()), CoherenceSettings(), ahead=1)) as film:
        next(film)
        assert makers()
    assert not makers()
    frames.close()  # type: ignore[attr-defined]


def test_frames_know_how_they_follow_from_one_another() -> None:
    clip = join(scene(HEIGHT, WIDTH, glide(2, 2)), scene(HEIGHT, WIDTH, glide(1), seed=40))
    a, b, other = stored(clip.frames)
    both_ways, one_way = CoherenceSettings(cadence=2), CoherenceSettings()
    first, moved, again, cut = track_frames(frames_of([a, b, b, other]), None, both_ways)
    assert first.onto is None and cut.onto is None
    assert moved.onto is not None and moved.back is not None and not moved.repeats
    inner = (slice(16, -16), slice(16, -16))
    assert np.median(moved.onto.flow[inner][..., 0]) == pytest.approx(-2, abs=0.2)
    assert np.median(moved.back.flow[inner][..., 0]) == pytest.approx(2, abs=0.2)
    assert again.repeats and again.onto is not None
    (following,) = track_frames(frames_of([b]), a, one_way)
    assert following.onto is not None and (following.onto.flow == moved.onto.flow).all()
    assert following.back is None


def test_motion_found_in_smaller_frames_is_in_pixels_of_the_whole_ones() -> None:
    clip = scene(144, 256, glide(2, 4 - 2j))
    a, b = stored(clip.frames)
    known = clip.flows[1][clip.visible[1]]
    errors = []
    for width in (256, 96):
        (moved,) = track_frames(frames_of([b]), a, CoherenceSettings(flow_width=width))
        assert moved.onto is not None
        found = moved.onto.flow[clip.visible[1]]
        errors.append(float(np.median(np.linalg.norm(found - known, axis=-1))))
    # The motion is 4.5 px; in frames reduced to 96 px it is less exact, but not another one.
    assert errors[0] < errors[1] < 0.5
