"""What `swarm` does on a manager, and on its nodes."""
