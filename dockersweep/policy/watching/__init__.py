"""When a watcher sweeps: by its schedule, and when a disk is short of space. Without a clock of its own."""
