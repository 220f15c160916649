"""Masks and colours: where to dream and how to grade it. Pure functions of pixels, no network."""
