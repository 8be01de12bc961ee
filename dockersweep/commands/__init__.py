"""One file per verb: it gathers, calls the other packages, and writes. No logic of its own."""
