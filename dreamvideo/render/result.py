"""Default arguments and the result that all renders share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dreamvideo.settings import Look, OutputSettings
from dreamvideo.settings.machine import MachineSettings


@dataclass(frozen=True)
class RenderResult:
    """The result of a render.

    Attributes:
        output: The file or folder.
        frames: Number of frames.
        losses: The objective before each step of a still, or at each frame's last step.
        notes: Lines to show to the user.
        kept: Files of intermediate pictures.
        missing: Further frames that a damaged source should have had.
        seconds: Time each frame of a film took; None where it is not known.
    """

    output: Path
    frames: int
    losses: tuple[float, ...]
    notes: tuple[str, ...] = ()
    kept: tuple[Path, ...] = ()
    missing: int = 0
    seconds: tuple[float | None, ...] = ()

    def _repr_png_(self) -> bytes | None:
        """Return the picture, for a notebook to show."""
        from dreamvideo.render.show import make_png

        return make_png(self.output)

    def _repr_html_(self) -> str | None:
        """Return the film, for a notebook to play."""
        from dreamvideo.render.show import make_film_tag

        return make_film_tag(self.output)


DEFAULT_LOOK = Look()
DEFAULT_OUTPUT = OutputSettings()
DEFAULT_MACHINE = MachineSettings()
