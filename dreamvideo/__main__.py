"""Run the command line: ``python -m dreamvideo``."""

from dreamvideo.cli import main

main()
