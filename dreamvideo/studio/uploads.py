"""Receive uploads into a private folder, under a sanitised form of their name.

Names are not trusted: a file is a picture or a film if our own readers read it as one.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.formatting import format_bytes
from dreamvideo.media.identify import Song, SourceFile, identify_copy, make_safe_name
from dreamvideo.media.paths import describe_os_error


def private_folder() -> Path:
    """Create a folder that other users cannot read."""
    # mkdtemp guarantees mode 0700, whatever the umask.
    return Path(tempfile.mkdtemp(prefix="dreamvideo-studio-"))


async def take(
    chunks: AsyncIterator[bytes], name: str, folder: Path, most: int, *, song: bool = False
) -> SourceFile | Song:
    """Receive an upload into a folder of its own.

    Args:
        chunks: The content.
        name: The name it was uploaded with.
        folder: Where its folder is created.
        most: Largest size in bytes.
        song: Whether it is wanted for its sound, even if it is a film.

    Raises:
        UsageError: It is too large; nothing of it is left.
        MediaError: It is no picture, film or song; nothing of it is left.
    """
    own = Path(tempfile.mkdtemp(dir=folder))
    try:
        path = own / make_safe_name(name)
        taken = 0
        with path.open("wb") as file:
            async for chunk in chunks:
                taken += len(chunk)
                if taken > most:
                    raise UsageError(
                        f"{make_safe_name(name)}: larger than {format_bytes(most)}; --max-upload "
                        "allows more"
                    )
                file.write(chunk)
        return await asyncio.to_thread(identify_copy, path, path.name, is_song=song)
    except OSError as error:
        shutil.rmtree(own, ignore_errors=True)
        raise DreamVideoError(
            f"{make_safe_name(name)}: cannot be kept ({describe_os_error(error)})"
        ) from error
    except BaseException:
        shutil.rmtree(own, ignore_errors=True)
        raise
