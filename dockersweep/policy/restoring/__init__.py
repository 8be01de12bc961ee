"""Removed objects -> the steps that make them again."""
