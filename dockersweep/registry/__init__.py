"""Asks registries whether they still have an image: HTTP in, answers out.

Only what the policy asks for with `[registries]` comes here. Nothing but HEAD and GET of manifests, and what it takes
to be let in for those, is sent; what is in doubt (an error, a time-out, an odd answer) is "not known", never "no".
"""
