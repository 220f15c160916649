"""The straight line from source frames to dreamt frames."""
