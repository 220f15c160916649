"""Open a folder in the file manager of the user's desktop, if this machine has one."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import typer

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def can_open_folders() -> bool:
    """Return whether there is a desktop: not over SSH, in a container or on a server."""
    if "SSH_CONNECTION" in os.environ:
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return any(map(os.environ.get, _DISPLAYS)) and shutil.which("xdg-open") is not None


def open_folder(folder: Path) -> None:
    """Open a folder."""
    typer.launch(str(folder.absolute()))
