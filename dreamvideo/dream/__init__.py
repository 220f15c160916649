"""Networks and gradient ascent: the only package that imports TensorFlow, and only on first use."""
