from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tiny import contents

from dreamvideo.errors import MediaError
from dreamvideo.media.stills import load_frame
from dreamvideo.render.job import open_job


def test_a_job_keeps_frames_without_loss_in_their_order(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 12, 3)).astype(np.uint8)
    with open_job(tmp_path / "out.mp4") as job:
        for number, pixels in enumerate(pictures):
            job.add(pixels, Fraction(number, 7))
        assert [frame.time for frame in job.frames] == [0, Fraction(1, 7), Fraction(2, 7)]
        for frame, pixels in zip(job.frames, pictures, strict=True):
            assert (load_frame(frame.path) == pixels).all()
            assert tmp_path in frame.path.parents, "on the output's own disk"
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("ending", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_job_that_fails_leaves_nothing(tmp_path: Path, ending: type[BaseException]) -> None:
    with pytest.raises(ending), open_job(tmp_path / "out.mp4") as job:
        job.add(np.zeros((8, 8, 3), np.uint8), Fraction(0))
        assert contents(tmp_path)
        raise ending
    assert contents(tmp_path) == {}


def test_a_job_without_a_place_says_so(tmp_path: Path) -> None:
    with (
        pytest.raises(MediaError, match=r"cannot write beside .*gone/out\.mp4"),
        open_job(tmp_path / "gone" / "out.mp4"),
    ):
        pass
