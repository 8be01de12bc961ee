"""What `sweep` and `apply` share: permission, locks, rounds and records."""
