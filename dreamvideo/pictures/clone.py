"""A clone of the repository: its samples, the places of its pictures, its documented commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from dreamvideo.cli.entry import run
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.gallery.contact_sheet import Pixels, make_contact_sheet
from dreamvideo.imaging import shrink_to_width
from dreamvideo.media.paths import replace_atomically

SAMPLES = ("bunny.mp4", "chelsea.jpg", "coffee.jpg")
QUALITY = 62
# Width of a sheet: no wider than a page shows.
SHEET_WIDTH = 1320


@dataclass
class Clone:
    """A clone, the folder that its pictures are written to, and one for intermediate files."""

    root: Path
    output: Path
    scratch: Path
    _films: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = [name for name in SAMPLES if not self.sample(name).is_file()]
        if missing:
            raise UsageError(
                f"{self.root}: there is no samples/{missing[0]}; name a clone of dreamvideo "
                "with --root"
            )

    def sample(self, name: str) -> Path:
        """Return the path of a sample."""
        return self.root / "samples" / name

    def place(self, name: str) -> Path:
        """Return where a picture belongs and create its folder; ``name`` is as in the clone."""
        path = self.output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def dream(self, *words: str | Path) -> None:
        """Run a command of dreamvideo; ``samples/...`` means the clone's.

        Raises DreamVideoError, after the command's own line, if it fails.
        """
        given = [str(word) for word in words]
        found = [str(self.root / word) if word.startswith("samples/") else word for word in given]
        if run([*found, "-q", "-y", "--no-config"]) != 0:
            raise DreamVideoError(f"this command failed: {shlex.join(['dreamvideo', *given])}")

    def dream_as_promised(self, name: str) -> None:
        """Make a picture with the documented command for it, the one that ends in its name."""
        ending = re.escape(Path(name).name)
        lines = set(re.findall(rf"^dreamvideo (.* -o {ending})$", self.pages(), re.MULTILINE))
        if len(lines) != 1:
            raise DreamVideoError(
                f"README and guide have {len(lines)} commands that end in "
                f"'-o {Path(name).name}': exactly one should make the picture"
            )
        self.dream(*shlex.split(lines.pop())[:-1], self.place(name))

    def pages(self) -> str:
        """Return the text of the README and all pages of the guide."""
        paths = [self.root / "README.md", *sorted(self.root.glob("dreamvideo/guide/*.md"))]
        return "\n".join(path.read_text("utf-8") for path in paths)

    def film(self, name: str, *words: str | Path) -> Path:
        """Return the film that a command makes, made only once."""
        if name not in self._films:
            path = self.scratch / name
            self.dream(*words, "-o", path)
            self._films[name] = path
        return self._films[name]

    def bunny(self) -> Path:
        """Return the sample clip, dreamt as in the README's first command."""
        return self.film("bunny-dream.mp4", "video", "samples/bunny.mp4")

    def save(self, name: str, pixels: Pixels, quality: int = QUALITY) -> None:
        """Write a small JPEG, for viewing in a page.

        Args:
            name: Its path in the clone.
            pixels: H x W x 3 RGB.
            quality: Of the JPEG.
        """
        options = [
            *(cv2.IMWRITE_JPEG_QUALITY, quality),
            *(cv2.IMWRITE_JPEG_OPTIMIZE, 1),
            *(cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        ]
        done, data = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), options)
        if not done:
            raise DreamVideoError(f"{name}: {pixels.shape} pixels do not encode as JPEG")
        with replace_atomically(self.place(name)) as part:
            part.write_bytes(data.tobytes())

    def save_sheet(
        self, name: str, tiles: list[tuple[str, Pixels]], columns: int, quality: int = QUALITY
    ) -> None:
        """Write labelled pictures as a contact sheet.

        Args:
            name: Its path in the clone.
            tiles: (label, picture) in order.
            columns: Pictures per row.
            quality: Of the JPEG.
        """
        self.save(name, shrink_to_width(make_contact_sheet(tiles, columns), SHEET_WIDTH), quality)
