"""Before a render: what a frame costs, what a time budget allows, how many workers pay."""
