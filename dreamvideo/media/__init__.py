"""Read files into frames and write frames to files."""
