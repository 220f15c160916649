"""Report of a film as one page: players side by side, curves, stills and recipe."""
