"""What verbs share that are given several hosts."""
