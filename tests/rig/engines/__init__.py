"""Real container engines for tests: started for the purpose, side by side, leaving nothing behind.

This package stands alone: it never imports dockersweep, so that it can judge it. Start with `engine.Engine`
and `kinds.KINDS`; `litter.Litter` fills an engine with things to clean up.
"""
