"""The review of a plan on a screen: what is ticked goes, and a person can untick it (`-i`)."""
