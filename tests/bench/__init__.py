"""How fast dockersweep is beside the tools that people have: see `tests/bench/run --help`."""
