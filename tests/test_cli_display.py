from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from tiny import QUICK, Cli

from dreamvideo.cli import display
from dreamvideo.cli.display import PlainLines, format_line, progress_display
from dreamvideo.formatting import format_clock, format_pace
from dreamvideo.render.progress import Progress

COLOUR = re.compile(r"\x1b\[[0-9;]*\b(3[0-7]|38|9[0-7]|4[0-7])\b[0-9;]*m")


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """A pseudo-terminal in place of stderr; the callable closes it and says what it showed."""
    ours, theirs = os.openpty()
    seen: list[bytes] = []

    def listen() -> None:
        try:
            while data := os.read(ours, 4096):
                seen.append(data)
        except OSError:
            pass  # the other side is closed

    listener = Thread(target=listen)
    listener.start()
    stream = os.fdopen(theirs, "w")

    def shown() -> str:
        stream.close()
        listener.join()
        return b"".join(seen).decode()

    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", stream)
        patch.setenv("TERM", "xterm-256color")
        yield shown
    stream.close()
    listener.join()
    os.close(ours)


@pytest.mark.sample(1)
@pytest.mark.parametrize("command", ["image", "video", "zoom"])
def test_quiet_says_nothing(cli: Cli, shelf: Path, tmp_path: Path, command: str) -> None:
    source = shelf / ("clip.mp4" if command == "video" else "photo.png")
    out = tmp_path / ("out.png" if command == "image" else "out.mp4")
    short = ["--seconds", "0.1"] if command == "zoom" else []
    done = cli(command, source, "-o", out, "-q", *short, *QUICK)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert out.stat().st_size > 0


def test_piped_progress_is_plain_lines(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    done = cli("video", shelf / "clip.mp4", "-o", tmp_path / "out.mp4", *QUICK)
    lines = done.err.splitlines()
    assert re.fullmatch(r"dreaming: 1/8 frames, loss -?[\d.]+", lines[0])
    assert any(re.fullmatch(r"dreaming: 8/8 frames, [\d.e+]+ frames/s, .*", line) for line in lines)
    assert re.fullmatch(r"encoding: 8/8 frames, [\d.e+]+ frames/s", lines[-1])
    assert "\x1b" not in done.err + done.out


def test_the_loss_is_shown_as_it_climbs(
    cli: Cli, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "SECONDS_BETWEEN_LINES", 0)
    out = tmp_path / "out.png"
    done = cli("image", shelf / "photo.png", "-o", out, *QUICK, "--steps", "6", "--jitter", "0")
    losses = [float(loss) for loss in re.findall(r"loss (-?[\d.e+-]+)", done.err)]
    assert len(losses) == 6
    assert losses[-1] > losses[0]


def test_a_terminal_gets_a_live_bar(
    shelf: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    with terminal(monkeypatch) as shown:
        assert cli("video", shelf / "clip.mp4", "-o", tmp_path / "out.mp4", *QUICK).code == 0
        screen = shown()
    assert "\x1b[" in screen and COLOUR.search(screen)
    assert "8/8" in screen and "frames/s" in screen and "loss" in screen and "encoding" in screen
    assert "left" in screen


def test_no_color_is_honoured(
    shelf: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with terminal(monkeypatch) as shown:
        assert cli("video", shelf / "clip.mp4", "-o", tmp_path / "out.mp4", *QUICK).code == 0
        screen = shown()
    assert "8/8" in screen
    assert not COLOUR.search(screen)


def test_an_error_after_a_live_bar_stands_on_its_own_line(
    shelf: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal(monkeypatch) as shown:
        assert cli("video", shelf / "clip.mp4", "-o", "out.mp4", "--layers", "nope").code == 2
        screen = shown()
    last = screen.rstrip().splitlines()[-1]
    assert re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", last).startswith("dreamvideo: efficientnet-lite0")


def test_a_quiet_terminal_stays_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as shown:
        with progress_display(quiet=True) as listen:
            listen(Progress("dreaming", "frame", 1, 2))
        assert shown() == ""


@pytest.mark.parametrize(
    ("progress", "elapsed", "text"),
    [
        (Progress("dreaming", "frame", 1, 9, 1.25), 0, "dreaming: 1/9 frames, loss 1.25"),
        (Progress("dreaming", "frame", 3, 9), 4, "dreaming: 3/9 frames, 0.5 frames/s, 0:12 left"),
        (Progress("dreaming", "step", 5, None), 2, "dreaming: 5 steps, 2 steps/s"),
        (Progress("encoding", "frame", 9, 9), 4, "encoding: 9/9 frames, 2 frames/s"),
    ],
)
def test_a_plain_line(progress: Progress, elapsed: float, text: str) -> None:
    assert format_line(progress, elapsed) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (-1, "0:00"), (61.6, "1:02"), (3723, "1:02:03")]
)
def test_clock(seconds: float, text: str) -> None:
    assert format_clock(seconds) == text


def test_plain_lines_do_not_flood(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(1000))
    monkeypatch.setattr("time.monotonic", lambda: next(now) / 10)
    listen = PlainLines()
    for done in range(1, 201):
        listen(Progress("dreaming", "frame", done, 200))
    counts = [int(n) for n in re.findall(r"dreaming: (\d+)/200", capsys.readouterr().err)]
    assert counts == [1, 51, 101, 151, 200]


def lines_of(screen: str) -> list[str]:
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen)
    return [line.rstrip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_figures_of_the_bar_say_what_they_are(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    now = iter(range(100_000))
    monkeypatch.setattr("rich.progress.monotonic", lambda: next(now) / 10, raising=False)
    with terminal(monkeypatch) as shown:
        with progress_display(quiet=False) as listen:
            for done in range(1, 131):
                listen(Progress("dreaming", "frame", done, 132, 2.25))
        lines = lines_of(shown())
    assert all(len(line) <= columns for line in lines)
    last = lines[-1]
    assert last.startswith("dreaming") and "130/132 frames" in last
    assert ("loss 2.25" in last) == (columns > 100)
    if columns < 76:
        return
    assert re.search(r"\d frames/s  \d+:\d\d passed", last)
    # No time is left standing for another, and no figure is a power.
    assert len(re.findall(r"\d+:\d\d", last)) == len(re.findall(r"\d+:\d\d (?:passed|left)", last))
    assert not re.search(r"\de[+-]\d", last)


@pytest.mark.parametrize(
    ("pace", "text"), [(0.0314159, "0.0314"), (2.5, "2.5"), (99.4, "99.4"), (2110.4, "2110")]
)
def test_pace(pace: float, text: str) -> None:
    assert format_pace(pace) == text
