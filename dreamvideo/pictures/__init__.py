"""The pictures of the README and of the studio, made anew: ``python -m dreamvideo.pictures``."""
