from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny import contents

from dreamvideo.errors import MediaError, UsageError, left
from dreamvideo.media.stills import load_frame
from dreamvideo.render.job.job import job_folder, open_job
from dreamvideo.render.job.lock import LockedError, lock_job
from dreamvideo.render.job.manifest import Manifest, make_manifest
from dreamvideo.render.job.segment_store import SegmentStore
from dreamvideo.settings import Look, OutputSettings

PIXELS = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def asked() -> Manifest:
    return make_manifest("video", Look(), OutputSettings(), {}, {})


def add(part: SegmentStore, pixels: NDArray[np.uint8] = PIXELS, *, starts: bool = False) -> None:
    part.add(pixels, Fraction(len(part.records), 7), Fraction(1, 7), starts=starts)


def test_a_job_keeps_frames_without_loss_in_their_order(tmp_path: Path, asked: Manifest) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 12, 3)).astype(np.uint8)
    with open_job(tmp_path / "out.mp4", asked) as job:
        part = job.segment_stores()[0]
        for pixels in pictures:
            add(part, pixels)
        assert [frame.time for frame in job.frames] == [0, Fraction(1, 7), Fraction(2, 7)]
        for frame, pixels in zip(job.frames, pictures, strict=True):
            assert (load_frame(frame.path) == pixels).all()
            assert tmp_path in frame.path.parents, "on the output's own disk"
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("ending", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_job_that_fails_stays_and_is_said_to(
    tmp_path: Path, asked: Manifest, ending: type[BaseException]
) -> None:
    out = tmp_path / "out.mp4"
    with pytest.raises(ending) as failed, open_job(out, asked) as job:
        add(job.segment_stores()[0])
        raise ending
    assert left(failed.value) == "1 frames are kept"
    with open_job(out, asked) as job:
        assert job.done == 1
    assert contents(tmp_path) == {}


def test_a_job_without_frames_or_that_cannot_be_gone_on_with_leaves_nothing(
    tmp_path: Path, asked: Manifest
) -> None:
    for resumable, frames in ((True, 0), (False, 1)):
        with (
            pytest.raises(KeyboardInterrupt) as failed,
            open_job(tmp_path / "out.mp4", asked, resumable=resumable) as job,
        ):
            for _ in range(frames):
                add(job.segment_stores()[0])
            raise KeyboardInterrupt
        assert contents(tmp_path) == {}
        assert not left(failed.value)


def test_a_job_without_a_place_says_so(tmp_path: Path, asked: Manifest) -> None:
    with (
        pytest.raises(MediaError, match=r"cannot write next to .*gone/out\.mp4"),
        open_job(tmp_path / "gone" / "out.mp4", asked),
    ):
        pass


@pytest.mark.parametrize(
    ("output", "folder"),
    [
        ("film.mp4", "film.mp4.dreamjob"),
        ("frames", "frames.dreamjob"),
        ("frames/%04d.png", "frames.dreamjob"),
    ],
)
def test_a_job_lies_beside_its_output(tmp_path: Path, output: str, folder: str) -> None:
    assert job_folder(tmp_path / output) == tmp_path / folder


def test_a_lock_has_one_holder_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    with lock_job(path):
        for patience in (0, 0.1):
            with pytest.raises(LockedError, match=r"^\d+$"), lock_job(path, patience):
                pass
    with lock_job(path):
        pass


def kept_of(folder: Path) -> tuple[int, list[int]]:
    """How many frames a part goes on from, and what its checkpoint held."""
    kept, arrays = SegmentStore(folder, 0).resume()
    return kept, [] if arrays is None else arrays["state"].tolist()


@pytest.fixture
def part(tmp_path: Path) -> SegmentStore:
    """Six frames; the fourth begins a shot; the state after the second and the third was kept."""
    for name in ("frames", "parts"):
        (tmp_path / name).mkdir()
    part = SegmentStore(tmp_path, 0)
    part.resume()
    for number in range(1, 7):
        add(part, starts=number in (1, 4))
        if number in (2, 3):
            part.checkpoint({"state": np.array([number])}, number, now=True)
    return part


def test_a_part_goes_on_where_least_is_lost(part: SegmentStore, tmp_path: Path) -> None:
    part.checkpoint({"state": np.array([5])}, 5, now=True)
    assert kept_of(tmp_path) == (5, [5])
    assert len(SegmentStore(tmp_path, 0).records) == 5, "what came after is forgotten"


def test_a_shot_begins_anew_from_its_source(part: SegmentStore, tmp_path: Path) -> None:
    assert kept_of(tmp_path) == (3, [3])
    add(part)
    part.path(2).write_bytes(b"damaged")
    assert kept_of(tmp_path) == (2, [2])


def test_a_later_shot_needs_no_checkpoint(part: SegmentStore, tmp_path: Path) -> None:
    for path in (tmp_path / "parts").glob("*.npz"):
        path.unlink()
    assert kept_of(tmp_path) == (3, [])


def test_a_record_is_read_as_it_was_written(part: SegmentStore, tmp_path: Path) -> None:
    part.finish(("a note",), 2)
    again = SegmentStore(tmp_path, 0)
    # repr, since a loss that is not a number equals nothing.
    assert repr(again.records) == repr(part.records)
    assert again.ending == part.ending
    assert again.resume() == (6, None)


def test_a_line_that_is_not_whole_is_no_line(part: SegmentStore, tmp_path: Path) -> None:
    log = tmp_path / "parts" / "0000.log"
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    for length in range(len(whole) - len(lines[-1]), len(whole)):
        log.write_bytes(whole[:length])
        assert len(SegmentStore(tmp_path, 0).records) == 5
    log.write_bytes(whole)
    assert len(SegmentStore(tmp_path, 0).records) == 6


def test_what_differs_is_named(tmp_path: Path, asked: Manifest) -> None:
    with pytest.raises(KeyboardInterrupt), open_job(tmp_path / "out.mp4", asked) as job:
        add(job.segment_stores()[0])
        raise KeyboardInterrupt
    newer = asked.model_copy(update={"versions": {**asked.versions, "tensorflow": "9.9"}})
    with (
        pytest.raises(UsageError, match=r"tensorflow was \d.* and is 9\.9; --restart discards it"),
        open_job(tmp_path / "out.mp4", newer),
    ):
        pass
    with open_job(tmp_path / "out.mp4", newer, restart=True) as job:
        assert job.done == 0
