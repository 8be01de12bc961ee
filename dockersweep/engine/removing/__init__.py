"""Carrying out a plan, one object after the other."""
