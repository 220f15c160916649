"""Before a render: cost of a frame, quality for a time budget, number of workers."""
