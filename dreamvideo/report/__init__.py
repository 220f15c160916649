"""What a film came to, as one page: players beside each other, curves, stills, recipe."""
