"""Teach the bundled network pictures of one's own, in epochs that can be resumed."""
