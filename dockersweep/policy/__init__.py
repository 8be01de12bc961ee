"""Decides. Pure functions of an inventory, a policy and an instant: no engine, no files, no clock, no printing."""
