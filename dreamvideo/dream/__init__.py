"""Networks and gradient ascent; imports TensorFlow, and only on first use."""
