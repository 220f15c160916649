"""Pixels and network: the only room that imports TensorFlow, and only when a dream begins."""
