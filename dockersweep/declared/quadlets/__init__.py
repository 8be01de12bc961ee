"""Quadlets: units of Podman, as podman-systemd.unit(5) has them."""
