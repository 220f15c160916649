"""Endings of picture files: those that are written and those that are read."""

from __future__ import annotations

# Pictures that can be written.
STILL_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif")
# Pictures that are read; a file is known by its content, its ending says only that it is one.
READ_ENDINGS = (
    *STILL_ENDINGS,
    *(".bmp", ".dib", ".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".pfm", ".tga", ".qoi", ".dds"),
    *(".heic", ".heif", ".hif", ".jxl", ".jp2", ".j2k", ".jpx", ".jpf", ".jfif", ".jpe", ".mpo"),
    *(".exr", ".hdr", ".pic", ".psd", ".dpx", ".ico", ".icns", ".pcx", ".sgi"),
)
