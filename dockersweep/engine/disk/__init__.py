"""Reads what an engine on this machine keeps on its disk: which parts there are, what they need, and their blocks.

Nothing here is ever written to, and nothing but metadata is opened; of everything else only sizes are asked for.
"""
