"""Turns inventories, plans and outcomes into text; prints nothing itself."""
