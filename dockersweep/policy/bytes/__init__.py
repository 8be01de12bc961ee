"""Sizes, and which bytes removals free."""
