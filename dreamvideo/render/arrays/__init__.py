"""Pictures and films as NumPy arrays, in and out: the same renders without files."""
