"""When a watcher sweeps."""
