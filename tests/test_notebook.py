"""In notebooks and in help: results that show themselves, progress, and what the package says."""

from __future__ import annotations

import io
import pydoc
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from media_clips import make, picture, tone
from slow_dreamer import without_network

import dreamvideo
from dreamvideo import Progress, RenderResult, dream_frames, show_progress
from dreamvideo.render.progress import format_figures

ROOT = Path(dreamvideo.__file__).parent.parent


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with without_network():
        yield


def result(output: Path) -> RenderResult:
    return RenderResult(output, 1, ())


def shown_picture(made: RenderResult) -> Any:
    return cv2.imdecode(np.frombuffer(made._repr_png_() or b"", np.uint8), -1)


def test_a_picture_shows_itself_as_png(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (20, 1500, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "wide.png"), pixels)
    cv2.imwrite(str(tmp_path / "small.png"), pixels[:, :30])
    assert np.array_equal(shown_picture(result(tmp_path / "small.png")), pixels[:, :30])
    wide = result(tmp_path / "wide.png")
    assert shown_picture(wide).shape == (16, 1200, 3)
    assert wide._repr_html_() is None
    gone = result(tmp_path / "gone.png")
    assert (gone._repr_png_(), gone._repr_html_()) == (None, None)


def test_a_film_plays_itself(tmp_path: Path) -> None:
    source = picture(1, "4", "64x48")
    make(tmp_path / "a.mp4", *source, *tone(1), "-pix_fmt", "yuv420p", "-c:a", "aac")
    make(tmp_path / "a.mkv", *source, "-c:v", "ffv1")
    make(tmp_path / "a.gif", *source)
    films = {name: result(tmp_path / name) for name in ("a.mp4", "a.mkv", "a.gif")}
    shown = {name: film._repr_html_() or "" for name, film in films.items()}
    assert all(film._repr_png_() is None for film in films.values())
    assert shown["a.gif"].startswith('<img src="data:image/gif;base64,')
    for name in ("a.mp4", "a.mkv"):
        assert shown[name].startswith("<video controls")
        assert 'src="data:video/mp4;base64,' in shown[name]
    # What browsers do not play was encoded again, the other is the file itself.
    assert len(shown["a.mp4"]) == pytest.approx(
        (tmp_path / "a.mp4").stat().st_size * 4 / 3, abs=200
    )


def test_the_figures_of_a_bar_say_what_they_are() -> None:
    half = Progress("dreaming", "frame", 12, 132, 1.934)
    assert format_figures(half, 8.0, 0) == "12/132 frames, 1.5 frames/s, 1:20 left, loss 1.934"
    assert format_figures(Progress("dreaming", "step", 3, None), 0.0, 2) == "3 steps"


def test_progress_is_drawn_on_stderr_and_ends_with_its_block() -> None:
    said = io.StringIO()
    frames = [np.zeros((32, 32, 3), np.uint8)] * 2
    with redirect_stderr(said):
        with show_progress() as listen:
            list(dream_frames(frames, on_frame=listen))
            listen(Progress("", "frame", 0, None, note="resumed [4]"))
        with pytest.raises(OSError, match="boom"), show_progress() as listen:
            raise OSError("boom")
    assert "2/2 frames" in said.getvalue() and "resumed [4]" in said.getvalue()


def test_help_and_dir_show_everything_public() -> None:
    assert set(dreamvideo.__all__) <= set(dir(dreamvideo))
    page = pydoc.plain(pydoc.render_doc(dreamvideo))
    assert [name for name in dreamvideo.__all__ if name not in page] == ["__version__"]
    assert dreamvideo.__version__ in page
    for function in ("dream", "dream_frames", "zoom_frames", "make_look", "show_progress"):
        assert f"    {function}(" in page
    told = pydoc.plain(pydoc.render_doc(dreamvideo.dream))
    # Settings are part of the signature, with their own help.
    assert "steps: 'int | None' = None" in told or "steps: int | None = None" in told
    assert "creature_size: Height of the largest forms" in told and "Default: 14." in told


def test_dream_is_the_function_however_the_package_was_imported() -> None:
    code = (
        "import dreamvideo.dream.objectives, dreamvideo\n"
        "from dreamvideo import dream\n"
        "from dreamvideo.dream import models\n"
        "print(dream.__module__, dreamvideo.dream is dream, models.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [
        "dreamvideo.render.arrays.still",
        "True",
        "dreamvideo.dream.models",
    ]


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbclient
    import nbformat

    (tmp_path / "samples").symlink_to(ROOT / "samples")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    book = nbformat.read(ROOT / "samples" / "dreams.ipynb", as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, timeout=600, resources=resources).execute()
    kinds = {
        kind
        for cell in book.cells
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
    }
    assert {"image/png", "text/html"} <= kinds
    texts = "".join(str(cell.get("outputs", "")) for cell in book.cells)
    assert "<video controls" in texts and "frames" in texts
    assert "Traceback" not in texts
