"""A sweep with an archive on real engines, and what `restore` gives back of it."""

from __future__ import annotations

