"""File extensions of pictures: those that are written and those that are read."""

from __future__ import annotations

# Pictures that can be written.
STILL_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif", ".jxl", ".exr")
# Pictures that are read. The content decides how; the extension only says that it is a picture.
READ_ENDINGS = (
    *STILL_ENDINGS,
    *(".bmp", ".dib", ".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".pfm", ".tga", ".qoi", ".dds"),
    *(".heic", ".heif", ".hif", ".jp2", ".j2k", ".jpx", ".jpf", ".jfif", ".jpe", ".mpo"),
    *(".hdr", ".pic", ".psd", ".dpx", ".ico", ".icns", ".pcx", ".sgi"),
)
