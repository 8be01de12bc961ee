"""What `watch` does: one loop, the events of the engine, and sweeps as processes of their own."""
