"""What the renders share: what they are called with by default, and what they give back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dreamvideo.settings import Look, OutputSettings
from dreamvideo.settings.machine import MachineSettings


@dataclass(frozen=True)
class RenderResult:
    """What a render made: the file (or folder), its frames, and lines the user should hear.

    ``losses`` are the objective before each step of a still, or at each frame's last step.
    ``kept`` are the files of intermediate pictures, ``missing`` the frames that a damaged source
    should have had besides. ``seconds`` is what each frame of a film took, None where it is not
    known.
    """

    output: Path
    frames: int
    losses: tuple[float, ...]
    notes: tuple[str, ...] = ()
    kept: tuple[Path, ...] = ()
    missing: int = 0
    seconds: tuple[float | None, ...] = ()


DEFAULT_LOOK = Look()
DEFAULT_OUTPUT = OutputSettings()
DEFAULT_MACHINE = MachineSettings()
