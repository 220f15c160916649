"""A Dask cluster makes the film that one process makes, whatever becomes of its workers."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from dask_farm import Cluster
from media_clips import make, tone
from slow_dreamer import without_network
from tiny import QUICK, Cli, contents

import dreamvideo
from dreamvideo import dream_video, make_look
from dreamvideo.cli.entry import run
from dreamvideo.cluster import DaskExecutor, connection
from dreamvideo.cluster.connection import run_async
from dreamvideo.cluster.discover_workers import uses_gpus
from dreamvideo.cluster.environment import difference, signature
from dreamvideo.errors import DreamVideoError, left
from dreamvideo.guide import read_page
from dreamvideo.media.stills import write_still
from dreamvideo.render.job.job import job_folder
from dreamvideo.render.progress import Progress
from dreamvideo.settings import Look, make_machine

pytestmark = pytest.mark.integration

Frames = dict[str, bytes]
SHOTS = ("testsrc2", "mandelbrot", "smptebars", "rgbtestsrc")
LOOK = make_look((), {"dream": {"layers": "block1", "steps": 1, "octaves": 1}})
# What a frame takes where something is to happen between two of them.
PAUSE = "0.08"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that some workers see nothing of."""
    return tmp_path_factory.mktemp("ours")


@pytest.fixture(scope="module")
def clip(ours: Path) -> Path:
    """Four shots of ten frames, with a tone."""
    inputs = [["-f", "lavfi", "-t", "0.4", "-i", f"{name}=size=64x48:rate=25"] for name in SHOTS]
    joined = ("-filter_complex", f"concat=n={len(SHOTS)}", "-pix_fmt", "yuv420p")
    return make(ours / "shots.mp4", *chain(*inputs), *tone(1.6), *joined)


@pytest.fixture(scope="module", autouse=True)
def no_network() -> Iterator[None]:
    with without_network():
        yield


@pytest.fixture(scope="module")
def whole(clip: Path, no_network: None, ours: Path) -> Frames:
    return by_one(clip, ours / "whole")


def by_one(clip: Path, out: Path, look: Look = LOOK) -> Frames:
    dream_video(clip, out, look, machine=make_machine(workers="1"))
    return contents(out)


@pytest.fixture(scope="module")
def farm(ours: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A worker that sees our folder and one that sees nothing of it."""
    with Cluster(tmp_path_factory.mktemp("farm")) as cluster:
        cluster.worker()
        cluster.worker(SWIRLING_BLIND=str(ours))
        cluster.wait_for(2)
        yield cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """One that may be damaged."""
    with Cluster(tmp_path) as started:
        yield started


def test_workers_that_share_a_folder_and_that_do_not_make_one_film(
    clip: Path, farm: Cluster, ours: Path, whole: Frames
) -> None:
    heard: list[Progress] = []
    out = ours / "frames"
    made = dream_video(
        clip, out, LOOK, executor=DaskExecutor(farm.address), on_progress=heard.append
    )
    assert made.frames == 40
    assert contents(out) == whole
    assert sorted(farm.dreamt) == list(range(40))
    assert not job_folder(out).exists()
    dreaming = [p for p in heard if p.stage == "dreaming"]
    assert (dreaming[-1].done, dreaming[-1].total) == (40, 40)
    assert dreaming[-1].detail.startswith("4/4 segments")
    assert {"2 workers"} <= {p.detail.partition(", ")[2] for p in dreaming}


def test_what_a_look_reads_is_shipped_too(clip: Path, farm: Cluster, ours: Path) -> None:
    half = np.zeros((48, 64, 3), np.uint8)
    half[:, 20:] = 255
    write_still(ours / "half.png", half)
    write_still(ours / "red.png", np.full((8, 8, 3), (200, 40, 30), np.uint8))
    (ours / "deep.toml").write_text('[dream]\nsteps = 3\nguide = "red.png"\n', "utf-8")
    changes: dict[str, Any] = {
        "dream": {"layers": "block1", "steps": 1, "octaves": 1, "strength": "audio:loud"},
        "mask": {"mask": "half.png"},
        "colour": {"match_colour": "red.png"},
        "coherence": {"passes": 2},
        "regions": [{"look": "deep.toml", "mask": "left 0.5"}],
    }
    look = make_look((), changes)
    with pytest.MonkeyPatch.context() as patch:
        # Names that mean nothing where the workers are.
        patch.chdir(ours)
        one = by_one(clip, Path("one"), look)
        before = len(farm.dreamt)
        dream_video(clip, "many", look, executor=DaskExecutor(str(farm.scheduler_file)))
        assert contents(Path("many")) == one
    assert len(farm.dreamt) - before == 40


def test_workers_that_are_not_as_we_are_that_come_and_that_are_lost(
    clip: Path, cluster: Cluster, ours: Path, whole: Frames
) -> None:
    out = ours / "versions"
    with pytest.raises(DreamVideoError, match=r"has had no workers for 0\.1 seconds"):
        dream_video(clip, out, LOOK, executor=DaskExecutor(cluster.address, patience=0.1))
    cluster.worker(SWIRLING_NUMPY="1.0")
    message = r"worker w1 \(tcp://.*\) is not used: numpy is 1\.0 there and .* here"
    with pytest.raises(DreamVideoError, match=message):
        dream_video(clip, out, LOOK, executor=DaskExecutor(cluster.address))
    assert not job_folder(out).exists()
    # One that comes meanwhile is as good as one that was there, and one that is lost is replaced.
    cluster.worker(SWIRLING_BLIND=str(ours))
    notes: list[str] = []

    def listen(progress: Progress) -> None:
        notes.extend([progress.note] if progress.note else [])
        if progress.done >= 4 and progress.stage == "dreaming" and len(cluster.workers) == 2:
            cluster.workers[1].kill()
            cluster.worker(SWIRLING_BLIND=str(ours))

    cluster.wait_for(2)
    # Every chunk brings its state.
    executor = DaskExecutor(cluster.address, chunk_frames=2, state_seconds=0)
    dream_video(clip, out, LOOK, executor=executor, on_progress=listen)
    assert contents(out) == whole
    assert any("w1" in note and "numpy" in note for note in notes)
    assert any("no worker is left" in note for note in notes)
    # What arrived is not dreamt again; what was dreamt meanwhile is.
    assert [cluster.dreamt.count(number) for number in range(4)] == [1] * 4
    assert [cluster.dreamt.count(number) for number in range(10, 40)] == [1] * 30

    def end(progress: Progress) -> None:
        if progress.stage == "dreaming":
            cluster.workers[2].kill()

    out = ours / "lost"
    with pytest.raises(DreamVideoError, match="no worker has been left for 2 seconds") as lost:
        executor = DaskExecutor(cluster.address, patience=2, chunk_frames=2)
        dream_video(clip, out, LOOK, executor=executor, on_progress=end)
    assert "of 40 frames are kept" in left(lost.value)
    wait_for_rest(cluster)


def test_a_worker_under_a_nanny_with_two_threads_dreams_on_gpus_side_by_side(
    clip: Path, cluster: Cluster, ours: Path, whole: Frames
) -> None:
    plain = cluster.worker()
    cluster.worker("--nanny", "--nthreads", "2", "--resources", "GPU=2", SWIRLING_BLIND=str(ours))
    cluster.wait_for(2)
    heard: list[Progress] = []
    out = ours / "nanny"
    dream_video(clip, out, LOOK, executor=DaskExecutor(cluster.address), on_progress=heard.append)
    assert contents(out) == whole
    assert sorted(cluster.dreamt) == list(range(40))
    assert "2 workers" in {p.detail.partition(", ")[2] for p in heard if p.stage == "dreaming"}
    # Where there are GPUs, the others are not used.
    assert not list((cluster.folder / "w1").rglob("dream-*"))
    assert "dream-" not in (cluster.folder / "1.log").read_text("utf-8")
    assert plain.poll() is None
    wait_for_rest(cluster)


def test_a_segment_goes_on_when_its_process_is_killed_and_fails_the_third_time(
    clip: Path, cluster: Cluster, ours: Path, whole: Frames
) -> None:
    cluster.worker(SWIRLING_BLIND=str(ours), SWIRLING_PAUSE=PAUSE)
    cluster.wait_for(1)
    kills = 1

    def kill(progress: Progress) -> None:
        nonlocal kills
        if progress.stage == "dreaming" and progress.detail.startswith("1/4") and kills:
            kills -= 1
            for process in cluster.dreaming:
                os.kill(process, signal.SIGKILL)

    out = ours / "crashed"
    executor = DaskExecutor(cluster.address, chunk_frames=2)
    dream_video(clip, out, LOOK, executor=executor, on_progress=kill)
    assert kills == 0 and contents(out) == whole
    kills = 1000
    message = r"frames \d+ to \d+: the process that dreamt them ended 3 times \(killed, or crashed"
    with pytest.raises(DreamVideoError, match=message) as failed:
        dream_video(clip, ours / "crashes", LOOK, executor=executor, on_progress=kill)
    assert "of 40 frames are kept" in left(failed.value)
    wait_for_rest(cluster)


def test_a_lost_scheduler_leaves_a_job_and_nobody_at_work(
    clip: Path, cluster: Cluster, ours: Path
) -> None:
    cluster.worker(SWIRLING_BLIND=str(ours))
    cluster.wait_for(1)

    def end(progress: Progress) -> None:
        if progress.stage == "dreaming":
            cluster.scheduler.kill()

    out = ours / "alone"
    executor = DaskExecutor(cluster.address, chunk_frames=2)
    with pytest.raises(DreamVideoError, match="the scheduler is gone") as lost:
        dream_video(clip, out, LOOK, executor=executor, on_progress=end)
    assert "of 40 frames are kept" in left(lost.value)
    wait_for_rest(cluster)


def start_command(clip: Path, out: Path, farm: Cluster) -> subprocess.Popen[str]:
    """The command, when its first frame is there."""
    words = ["video", clip, "-o", out, *QUICK, "--cluster", farm.address]
    command = [sys.executable, "-m", "dreamvideo", *map(str, words)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("dreaming: "):
            break
    return process


def wait_for_rest(farm: Cluster) -> None:
    """Nobody dreams any more."""
    until = time.monotonic() + 60
    while farm.dreaming and time.monotonic() < until:
        time.sleep(0.1)
    assert not farm.dreaming


def wait_until_left(farm: Cluster) -> None:
    """Nobody dreams any more, and no worker keeps anything of a render."""
    wait_for_rest(farm)
    until = time.monotonic() + 20
    while farm.staged and time.monotonic() < until:
        time.sleep(0.1)
    assert not farm.staged


def test_a_render_whose_command_was_killed_is_gone_on_with_here(
    clip: Path, farm: Cluster, ours: Path, whole: Frames
) -> None:
    out = ours / "killed"
    process = start_command(clip, out, farm)
    assert farm.staged
    process.kill()
    process.communicate()
    wait_until_left(farm)
    notes: list[str] = []

    def listen(progress: Progress) -> None:
        notes.extend([progress.note] if progress.note else [])

    dream_video(clip, out, LOOK, machine=make_machine(workers="1"), on_progress=listen)
    assert contents(out) == whole
    assert notes and notes[0].startswith(f"resuming {out}: ")


def test_ctrl_c_leaves_a_job_and_nobody_at_work(
    clip: Path, farm: Cluster, ours: Path, whole: Frames
) -> None:
    out = ours / "stopped"
    process = start_command(clip, out, farm)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate()
    wait_until_left(farm)
    assert process.returncode == 130
    last = said.splitlines()[-1]
    assert "stopped before the end" in last and "of 40 frames are kept, resume with: " in last
    assert f"--cluster {farm.address}" in last
    before = len(farm.dreamt)
    dream_video(clip, out, LOOK, executor=DaskExecutor(farm.address))
    assert contents(out) == whole
    assert len(farm.dreamt) - before < 40


def test_what_is_no_cluster_is_told_in_one_line(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.setattr(connection, "ANSWER", 0.5)
    out = tmp_path / "out.mp4"
    for cluster, code, words in (
        ("tcp://127.0.0.1:9", 1, "no scheduler answers there"),
        ("127.0.0.1:9", 1, "no scheduler answers there"),
        (str(tmp_path / "none.json"), 2, "give a scheduler's address"),
        (str(clip), 1, "no scheduler answers there"),
    ):
        ended = cli("video", clip, "-o", out, *QUICK, "--cluster", cluster)
        assert (ended.code, len(ended.err.splitlines())) == (code, 1), ended.err
        assert words in ended.err
    monkeypatch.setitem(sys.modules, "distributed", None)
    ended = cli("video", clip, "-o", out, *QUICK, "--cluster", "tcp://127.0.0.1:9")
    assert (ended.code, 'pip install -e ".[cluster]"' in ended.err) == (2, True)
    assert contents(tmp_path) == {}


def test_a_dry_run_asks_no_cluster(cli: Cli, clip: Path, tmp_path: Path) -> None:
    words = ("-o", tmp_path / "out.mp4", "--dry-run", "--cluster", "tcp://127.0.0.1:9")
    ended = cli("video", clip, *QUICK, *words)
    assert ended.code == 0, ended.err
    assert (
        ended.out.startswith("segment 1: ") and "tcp://127.0.0.1:9 was not contacted" in ended.out
    )


def test_only_gpus_are_used_where_there_are_any() -> None:
    plain: dict[str, Any] = {"resources": {}}
    gpu: dict[str, Any] = {"resources": {"GPU": 1}}
    assert uses_gpus("gpu", {"a": plain})
    assert uses_gpus("auto", {"a": plain, "b": gpu})
    assert not uses_gpus("auto", {"a": plain})
    assert not uses_gpus("cpu", {"a": gpu})


def test_what_differs_is_named_first_to_last() -> None:
    assert difference({"a": "1", "b": "2"}, {"b": "2", "a": "1"}) == ""
    assert difference({"a": "1", "b": "2"}, {"b": "3", "a": "1"}) == "b is 3 there and 2 here"
    assert difference({"a": "1"}, {}) == "a is none there and 1 here"
    assert difference(signature(), signature()) == ""


def test_asynchronous_work_ends_in_order_when_a_signal_comes() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            seen.append("ended")

    with pytest.raises(KeyboardInterrupt):
        run_async(work())
    assert seen == ["ended"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_asynchronous_work_can_be_run_where_a_loop_runs() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    async def notebook() -> str:
        return run_async(work())

    assert asyncio.run(notebook()) == "done"


def guide_blocks(language: str) -> list[str]:
    text = read_page("clusters")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_guides_cluster_runs_on_loopback(
    clip: Path, farm: Cluster, ours: Path, whole: Frames
) -> None:
    (block,) = [block for block in guide_blocks("sh") if "dask scheduler" in block]
    lines = [shlex.split(line) for line in block.splitlines() if not line.startswith("#")]
    scheduler, worker, render = lines
    assert scheduler == ["dask", "scheduler"]
    assert worker[:3] == ["dask", "worker", "tcp://scheduler:8786"]
    farm.worker(*worker[3:])
    farm.wait_for(3)
    assert render[4:] == ["dream.mp4", "--cluster", worker[2]]
    given = {"FILM.mp4": clip, "dream.mp4": ours / "guide", worker[2]: farm.address}
    words = [str(given.get(word, word)) for word in render]
    assert run([*words[1:], *QUICK]) == 0
    assert contents(ours / "guide") == whole


def test_the_guides_script_for_a_site_runs_on_loopback(
    clip: Path, farm: Cluster, ours: Path, whole: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = [block for block in guide_blocks("py") if "SLURMCluster" in block]

    class Site:
        """What stands for the site: a cluster that is there."""

        scheduler_address = farm.address

        def __init__(self, *, cores: int, memory: str, processes: int, walltime: str) -> None:
            """With these words for its job script."""

        def scale(self, *, jobs: int) -> None:
            """Its workers have come already."""

    def quick(film: str, output: str, **how: Any) -> None:
        assert film == "FILM.mp4"
        dream_video(clip, ours / output, LOOK, **how)

    monkeypatch.setitem(sys.modules, "dask_jobqueue", SimpleNamespace(SLURMCluster=Site))
    monkeypatch.setattr(dreamvideo, "dream_video", quick, raising=False)
    monkeypatch.chdir(ours)
    exec(
        compile(block.replace("dream.mp4", "site"), "clusters.md", "exec"), {"__name__": "__main__"}
    )
    assert contents(ours / "site") == whole
