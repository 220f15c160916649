"""``python -m dreamvideo``."""

from dreamvideo.cli import main

main()
