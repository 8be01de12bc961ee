"""One file per verb: gathers, calls the wings, writes. No logic of its own."""
