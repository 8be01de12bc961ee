"""The nouns: what was seen, what is to be done, what was done. Frozen, typed, and without behaviour of their own."""
