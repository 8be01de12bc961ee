"""Sentences for people: the one place that turns values into words."""
