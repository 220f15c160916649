"""Make the pictures of the README, the guide and the studio: ``python -m dreamvideo.pictures``."""
