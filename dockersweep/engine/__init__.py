"""The only package that talks to engines: finds one, scans it, and carries out plans."""
