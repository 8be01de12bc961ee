"""Quadlets: Podman's units, see podman-systemd.unit(5)."""
