"""What `watch` is made of."""
