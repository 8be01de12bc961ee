"""A policy file: its text, its shape, what is wrong with it and where, and what it means; `policyfile` is the door."""
