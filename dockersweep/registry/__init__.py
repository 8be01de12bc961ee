"""Asks registries whether they still have an image: HTTP in, answers out.

Used only if the policy has `[registries]`. Sends only HEAD and GET of manifests, and the logins that these need. Doubt
(an error, a time-out, an odd answer) means "not known", never "no".
"""
