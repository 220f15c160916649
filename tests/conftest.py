"""Fixtures that several test files share."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import browse, chromium
from compiled_once import compiled_once
from media_clips import make, tone
from synthetic import glide, scene
from tiny import Cli, Ended

from dreamvideo.cli.entry import run
from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.stills import store_frame, write_still

__all__ = ["browse", "chromium", "compiled_once"]
# No default of whoever runs the tests may change what they see, in this process or in others.
OWN = ("DREAMVIDEO_CLIPS", "DREAMVIDEO_CORPUS_SEEDS", "DREAMVIDEO_CORPUS_LOG")
for name in [name for name in os.environ if name.startswith("DREAMVIDEO_") and name not in OWN]:
    del os.environ[name]
os.environ["DREAMVIDEO_CONFIG"] = ""
# Whatever uses these fixtures starts a browser or times programs.
LONG_FIXTURES = {"browse", "chromium", "measured"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as integration tests those of a long fixture, and what ``sample`` leaves out."""
    sampled: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if LONG_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.integration)
        if item.get_closest_marker("sample"):
            sampled[item.nodeid.split("[")[0]].append(item)
    for same in sampled.values():
        marker = same[0].get_closest_marker("sample")
        assert marker is not None
        count = marker.args[0]
        kept = {round(n * (len(same) - 1) / max(1, count - 1)) for n in range(count)}
        for number, item in enumerate(same):
            if number not in kept:
                item.add_marker(pytest.mark.integration)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each file to one worker, so that a network is compiled once for the file."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs that no test changes: a moving texture of eight frames in every form."""
    folder = tmp_path_factory.mktemp("shelf")
    shots = folder / "shots"
    shots.mkdir()
    for number, frame in enumerate(scene(48, 64, glide(8, 1.5 + 0.5j)).frames):
        store_frame(shots / f"{number:04d}.png", to_bytes(frame))
    pictures = ["-framerate", "25", "-i", str(shots / "%04d.png")]
    make(folder / "clip.mp4", *pictures, *tone(0.32), "-pix_fmt", "yuv420p", "-c:a", "aac")
    make(folder / "clip.gif", *pictures)
    make(folder / "tone.mp3", *tone(0.5))
    write_still(folder / "photo.png", to_bytes(scene(48, 64, glide(1), seed=5).frames[0]))
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a film\n" * 50)
    return folder


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """Run the command line in this process; what C++ code writes to stderr counts as well."""
    monkeypatch.setenv("COLUMNS", "240")

    def call(*arguments: object) -> Ended:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return Ended(code, said.out, said.err)

    yield call


@pytest.fixture
def own_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of defaults, empty at first."""
    path = tmp_path / "config.toml"
    path.write_text("")
    monkeypatch.setenv("DREAMVIDEO_CONFIG", str(path))
    return path
