"""The studio's renders: the very ones of the command line, which goes on with what they leave."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from tiny import Cli, pixels_of

from dreamvideo.cancel import Interrupted
from dreamvideo.errors import UsageError
from dreamvideo.media.identify import Song, SourceFile, identify_file
from dreamvideo.media.stills import store_frame
from dreamvideo.render.job.job import job_folder
from dreamvideo.render.job.lock import lock_job
from dreamvideo.render.progress import Progress, silent
from dreamvideo.settings import look_values
from dreamvideo.studio import jobs
from dreamvideo.studio.earlier_renders import (
    NAME,
    KeptRender,
    KeptRenders,
    is_same,
    read_renders,
    write_renders,
)
from dreamvideo.studio.form_state import SLIDERS, Choice
from dreamvideo.studio.jobs import Jobs
from dreamvideo.studio.render_job import RenderJob
from dreamvideo.studio.render_worker import Broken, Done, Grown, Left, Order, run_order

BY_NAME = {slider.name: slider for slider in SLIDERS}
SONG = Path(__file__).parent.parent / "samples" / "song.ogg"
QUICK = (
    Choice(kind="video", preset="brush")
    .change(BY_NAME["steps"], 2)
    .change(BY_NAME["octaves"], 1)
    .change(BY_NAME["coherence"], 0.5)
)


class FakeChild:
    """A process that does nothing by itself."""

    made: ClassVar[list[FakeChild]] = []

    def __init__(
        self,
        target: Callable[..., None],
        arguments: tuple[Any, ...],
        hear: Callable[[Any], None],
        ended: Callable[[int], None],
    ) -> None:
        self.order, self.hear, self.ended = arguments[0], hear, ended
        self.asked = False
        FakeChild.made.append(self)

    def ask_to_end(self) -> None:
        self.asked = True

    def close(self) -> None:
        self.hear(Left("3 of 8 frames are kept"))
        self.ended(0)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[FakeChild]:
    monkeypatch.setattr(jobs, "ChildProcess", FakeChild)
    monkeypatch.setattr(FakeChild, "made", [])
    return FakeChild.made


@pytest.fixture
def clip(shelf: Path) -> SourceFile:
    return identify_file(shelf / "clip.mp4")


def begun(folder: Path) -> Jobs:
    return Jobs(folder, lambda: None)


def state_of(job: RenderJob) -> str:
    """The state, which changes behind a type checker's back."""
    return job.state


def leave_two_frames(order: Order) -> None:
    """Render it until two frames are dreamt."""

    def stopping(progress: Progress) -> None:
        if progress.stage == "dreaming" and progress.done == 2:
            raise Interrupted(143)

    with pytest.raises(Interrupted):
        run_order(order, stopping)


def leave_frames(output: Path) -> None:
    job_folder(output).mkdir()
    (job_folder(output) / "manifest.json").touch()


def test_a_render_is_the_command_lines(shelf: Path, tmp_path: Path, cli: Cli) -> None:
    source, ours, theirs = shelf / "clip.mp4", tmp_path / "ours.mp4", tmp_path / "theirs.mp4"
    order = Order(QUICK, source, ours, look_values(QUICK.look))
    assert run_order(order, silent).frames == 8
    assert cli(*QUICK.arguments(str(source), str(theirs))).code == 0
    assert all(map(np.array_equal, pixels_of(ours), pixels_of(theirs)))

    def stopping(progress: Progress) -> None:
        if progress.stage == "dreaming" and progress.done == 3:
            raise Interrupted(143)

    broken = tmp_path / "broken.mp4"
    with pytest.raises(Interrupted):
        run_order(replace(order, output=broken), stopping)
    went_on = cli(*QUICK.arguments(str(source), str(broken)))
    assert went_on.code == 0 and "resuming" in went_on.err
    assert all(map(np.array_equal, pixels_of(ours), pixels_of(broken)))


def test_a_render_goes_from_running_to_done(
    fake: list[FakeChild], clip: SourceFile, tmp_path: Path
) -> None:
    all_ = begun(tmp_path)
    job = all_.render(QUICK, clip)
    assert job.state == "running" and "network is being loaded" in job.words(0.0)
    assert job.order.output == tmp_path / "clip-dream.mp4"
    fake[0].hear(Progress("dreaming", "frame", 2, 8))
    assert job.share == 0.25 and job.words(0.0) == "Dreaming: frame 2 of 8"
    second = all_.render(QUICK, clip)
    assert (second.name, second.state, len(fake)) == ("clip-dream-2.mp4", "waiting", 1)
    all_.stop(second)
    job.order.output.write_bytes(bytes(2000))
    fake[0].hear(Done(8, ("sound left out",)))
    fake[0].ended(0)
    assert (job.state, job.line, job.notes) == ("done", "Done: 8 frames, 2 kB", ("sound left out",))
    assert all_.render(QUICK, clip).name == "clip-dream-2.mp4"


def test_the_time_left_is_that_of_this_run(
    fake: list[FakeChild], clip: SourceFile, tmp_path: Path
) -> None:
    job = begun(tmp_path).render(QUICK, clip)
    fake[0].hear(Progress("dreaming", "frame", 40, 100, note="resuming: 40 frames are done"))
    assert job.pace_from is not None and job.seconds_left(1.0) is None
    fake[0].hear(Progress("dreaming", "frame", 50, 100))
    assert job.seconds_left(job.pace_from[0] + 5) == pytest.approx(25)


def test_pause_keeps_and_stop_forgets(
    fake: list[FakeChild], clip: SourceFile, tmp_path: Path
) -> None:
    all_ = begun(tmp_path)
    job = all_.render(QUICK, clip)
    leave_frames(job.order.output)
    all_.pause(job)
    assert state_of(job) == "pausing" and fake[0].asked
    fake[0].close()
    assert (state_of(job), job.line) == ("paused", "Paused: 3 of 8 frames are kept")
    all_.resume(job)
    assert fake[1].order == fake[0].order
    all_.stop(job)
    fake[1].close()
    assert state_of(job) == "stopped" and not job_folder(job.order.output).exists()


def test_what_failed_says_why_and_can_be_tried_again(
    fake: list[FakeChild], clip: SourceFile, tmp_path: Path
) -> None:
    all_ = begun(tmp_path)
    job = all_.render(QUICK, clip)
    fake[0].hear(Broken("the disk is full", "3 of 8 frames are kept"))
    fake[0].ended(0)
    assert (job.state, job.line) == ("failed", "the disk is full; 3 of 8 frames are kept")
    all_.resume(job)
    fake[1].ended(-9)
    assert job.state == "failed" and "killed by signal 9" in job.line


def test_at_the_end_what_can_be_gone_on_with_is_told(
    fake: list[FakeChild], clip: SourceFile, tmp_path: Path, shelf: Path
) -> None:
    all_ = begun(tmp_path)
    own = all_.render(QUICK, clip)
    leave_frames(own.order.output)
    (line,) = all_.close()
    assert line.startswith(
        f"dreamvideo video {shelf}/clip.mp4 --preset brush --steps 2 --octaves 1"
    )
    assert line.endswith(f"-o {tmp_path}/clip-dream.mp4")
    assert job_folder(own.order.output).exists()


def test_the_end_keeps_what_was_dropped_in_and_a_restart_goes_on(
    clip: SourceFile, tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, folder = tmp_path / "private", tmp_path / "films"
    private.mkdir()
    folder.mkdir()
    shutil.copyfile(shelf / "clip.mp4", private / "clip.mp4")
    dropped = identify_file(private / "clip.mp4", "clip.mp4", is_private=True)
    before = begun(folder)
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "ChildProcess", FakeChild)
        job = before.render(QUICK, dropped)

        def stopping(progress: Progress) -> None:
            if progress.stage == "dreaming" and progress.done == 3:
                raise Interrupted(143)

        with pytest.raises(Interrupted):
            run_order(job.order, stopping)
        (line,) = before.close()
    assert shlex.split(line)[:3] == ["dreamvideo", "video", str(folder / "clip.mp4")]
    assert shlex.split(line)[-2:] == ["-o", str(folder / "clip-dream.mp4")]
    assert (folder / "clip.mp4").read_bytes() == (shelf / "clip.mp4").read_bytes()
    shutil.rmtree(private)

    # Another session lists it, and goes on: from the list, or for the same clip and settings.
    (folder / "cat-zoom-2.gif").write_bytes(bytes(3000))
    after = begun(folder)
    after.find_earlier()
    assert [(each.name, each.state, each.line) for each in after.all] == [
        ("clip-dream.mp4", "waiting", "Unfinished: 3 of 8 frames are kept"),
        ("cat-zoom-2.gif", "done", "Done: 3 kB"),
    ]
    listed = after.all[0]
    after.remove(listed)
    assert after.all[0] is listed
    assert after.choose_output(QUICK, clip) == folder / "clip-dream.mp4"
    other = replace(QUICK, end=0.1)
    assert after.choose_output(other, clip) == folder / "clip-dream-2.mp4"
    told: list[Progress] = []
    assert run_order(listed.order, told.append).frames == 8
    assert any("3 of 8 frames are done" in each.note for each in told)
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "ChildProcess", FakeChild)
        assert after.render(replace(QUICK, fps="12"), clip) not in (listed, None)
    after.pause(listed)
    after.remove(listed)
    assert [each.name for each in after.all][1:] == ["cat-zoom-2.gif"]


def test_the_same_render_is_resumed_and_another_process_is_left_alone(
    fake: list[FakeChild], clip: SourceFile, tmp_path: Path
) -> None:
    order = Order(QUICK, clip.path, tmp_path / "clip-dream.mp4", look_values(QUICK.look))
    leave_two_frames(order)
    all_ = begun(tmp_path)
    all_.find_earlier()
    (listed,) = all_.all
    with lock_job(job_folder(order.output) / "lock"):
        with pytest.raises(UsageError, match="is being rendered by process"):
            all_.stop(listed)
        assert job_folder(order.output).exists()
    assert all_.render(QUICK, clip) is listed and all_.all == [listed]
    assert fake[0].order == order and listed.command.startswith("dreamvideo video ")


def test_a_film_of_another_tempo_is_another_film(clip: SourceFile, tmp_path: Path) -> None:
    song = Song(SONG, "song.ogg", Fraction(4))
    changes = {**QUICK.changes, "dream.strength": "1 - beat % 1"}
    choice = replace(QUICK, song=song, bpm=120.0, changes=changes)
    order = Order(choice, clip.path, tmp_path / "a.mp4", look_values(choice.look))
    leave_two_frames(order)
    tempos = (120.0, 128.0, None)
    same = [is_same(order.output, replace(choice, bpm=bpm), clip.path) for bpm in tempos]
    assert same == [True, False, False]


def names(listed: list[RenderJob]) -> list[str]:
    return [f"{job.name} {job.state}" for job in listed]


def test_a_queue_is_rendered_in_the_order_that_was_chosen(
    fake: list[FakeChild], clip: SourceFile, tmp_path: Path
) -> None:
    all_ = begun(tmp_path)
    first, _, third = (all_.render(replace(QUICK, name="cat"), clip) for _ in range(3))
    assert names(all_.listed) == ["cat.mp4 running", "cat-2.mp4 waiting", "cat-3.mp4 waiting"]
    all_.move(third, -1)
    all_.move(third, -1)
    assert names(all_.listed) == ["cat.mp4 running", "cat-3.mp4 waiting", "cat-2.mp4 waiting"]
    # A pause lets the next one begin; what is resumed goes to the end.
    all_.pause(first)
    fake[0].close()
    assert names(all_.listed)[0] == "cat-3.mp4 running" and state_of(first) == "paused"
    all_.resume(first)
    assert names(all_.listed)[1:] == ["cat-2.mp4 waiting", "cat.mp4 waiting"]
    # A failed one does not hold up the others, and is retried in its turn.
    fake[1].hear(Broken("the disk is full", ""))
    fake[1].ended(0)
    assert names(all_.listed) == ["cat-2.mp4 running", "cat.mp4 waiting", "cat-3.mp4 failed"]
    all_.pause(first)
    assert state_of(first) == "paused" and all_.queue == []
    all_.resume(third)
    fake[2].hear(Done(8, ()))
    fake[2].ended(0)
    assert fake[3].order is third.order and state_of(third) == "running"


def test_a_queue_that_is_held_begins_nothing_and_a_restart_finds_it(
    fake: list[FakeChild], clip: SourceFile, tmp_path: Path
) -> None:
    all_ = begun(tmp_path)
    first, second = all_.render(QUICK, clip), all_.render(replace(QUICK, name="b"), clip)
    gone = all_.render(replace(QUICK, name="gone"), clip)
    all_.hold()
    fake[0].close()
    assert names(all_.listed) == [
        "clip-dream.mp4 waiting",
        "b.mp4 waiting",
        "gone.mp4 waiting",
    ]
    assert first.words(0.0) == "Waiting. 3 of 8 frames are kept" and len(fake) == 1
    all_.stop(gone)
    fake.clear()

    after = begun(tmp_path)
    after.find_earlier()
    assert names(after.listed) == ["clip-dream.mp4 waiting", "b.mp4 waiting"]
    assert [job.order for job in after.queue] == [first.order, second.order]
    assert [job.command for job in after.queue] == [first.command, second.command]
    assert after.held and not fake
    after.hold(yes=False)
    assert names(after.listed) == ["clip-dream.mp4 running", "b.mp4 waiting"]
    (started,) = fake
    first.order.output.write_bytes(bytes(1000))
    started.hear(Done(8, ("a note",)))
    started.ended(0)
    assert names(after.listed) == ["b.mp4 running", "clip-dream.mp4 done"]
    assert after.listed[1].notes == ("a note",)

    # What is taken off the list stays off it, and only a file that is asked for is deleted.
    fake[1].hear(Broken("the disk is full", ""))
    fake[1].ended(0)
    after.remove(after.listed[0])
    assert first.order.output.exists()
    again = begun(tmp_path)
    again.find_earlier()
    assert names(again.listed) == ["b.mp4 failed"]
    again.remove(again.listed[0], delete=True)
    assert first.order.output.exists()
    first.order.output.unlink()
    again.find_earlier()
    assert again.all == []


def test_a_finished_file_is_deleted_only_if_that_is_asked_for(
    fake: list[FakeChild], clip: SourceFile, tmp_path: Path
) -> None:
    all_ = begun(tmp_path)
    jobs_ = [all_.render(replace(QUICK, name="same"), clip) for _ in range(2)]
    for child, job in zip((0, 1), jobs_, strict=True):
        job.order.output.write_bytes(bytes(10))
        fake[child].hear(Done(8, ()))
        fake[child].ended(0)
    all_.remove(jobs_[0], delete=True)
    all_.remove(jobs_[1])
    assert sorted(path.name for path in tmp_path.glob("*.mp4")) == ["same-2.mp4"]


@pytest.mark.usefixtures("fake")
def test_a_list_that_is_damaged_or_lies_harms_nothing(clip: SourceFile, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / NAME).write_bytes(b"{")
    assert read_renders(folder) == KeptRenders()
    outside = tmp_path / "clip.mp4"
    outside.write_bytes(bytes(10))
    order = Order(Choice("video"), clip.path, outside, {})
    write_renders(folder, KeptRenders((KeptRender(order, "", "done"),)))
    after = begun(folder)
    after.find_earlier()
    assert after.all == [] and outside.exists()
    after.render(QUICK, clip)
    assert [each.order.output.name for each in read_renders(folder).renders] == ["clip-dream.mp4"]


def test_the_newest_frame_of_a_render_is_seen(
    fake: list[FakeChild], clip: SourceFile, tmp_path: Path
) -> None:
    job = begun(tmp_path).render(QUICK, clip)
    assert job.read_live() == b""
    frames = job_folder(job.order.output) / "frames"
    frames.mkdir(parents=True)
    for number, value in ((2, 200), (1, 40)):
        store_frame(frames / f"{number:08d}.frame", np.full((32, 48, 3), value, np.uint8))
        os.utime(frames / f"{number:08d}.frame", (number, number))
    live = cv2.imdecode(np.frombuffer(job.read_live(), np.uint8), cv2.IMREAD_COLOR)
    assert live is not None and live.shape == (32, 48, 3)
    assert abs(float(live.mean()) - 200) < 2
    fake[0].hear(Grown(b"a still so far"))
    assert job.read_live() == b"a still so far"
