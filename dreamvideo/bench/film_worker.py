"""The worker that renders films as the command does."""

from __future__ import annotations

import time
from typing import Any

import dreamvideo
from dreamvideo import timers
from dreamvideo.bench.step_worker import peak_memory
from dreamvideo.bench.worker import serve
from dreamvideo.settings.machine import make_machine


def render(
    clip: str,
    output: str,
    frames: int,
    size: str,
    coherence: float | None = None,
    workers: str = "1",
    precision: str = "float32",
) -> dict[str, Any]:
    """Render the first frames of a clip.

    Args:
        clip: The clip.
        output: The film.
        frames: Number of frames.
        size: As ``--size``.
        coherence: As ``--coherence``.
        workers: As ``--workers``.
        precision: As ``--precision``.

    Returns:
        ``seconds`` in all; ``times``, seconds until each frame was dreamt; ``start``, the time of
        day; ``stages``, seconds of each stage; ``memory``, the peak in bytes.
    """
    look = dreamvideo.make_look(
        (), {} if coherence is None else {"coherence": {"coherence": coherence}}
    )
    times: list[float] = []
    done = 0

    def on_progress(progress: dreamvideo.Progress) -> None:
        nonlocal done
        # Tiles, and the end of a segment, are reported too.
        if progress.stage == "dreaming" and progress.done > done:
            done = progress.done
            times.append(time.time() - start)

    with timers.record() as stages:
        start = time.time()
        dreamvideo.dream_video(
            clip,
            output,
            look,
            end=f"{frames}f",
            size=size,
            overwrite=True,
            on_progress=on_progress,
            machine=make_machine(workers=workers, precision=precision),
        )
        seconds = time.time() - start
    return {
        "seconds": seconds,
        "times": times,
        "start": start,
        "stages": stages,
        "memory": peak_memory(),
    }


if __name__ == "__main__":
    serve({"render": render})
