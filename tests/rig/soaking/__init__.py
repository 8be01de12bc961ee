"""Long trials of a sweeper that works beside others: see `tests/soak --help`."""
