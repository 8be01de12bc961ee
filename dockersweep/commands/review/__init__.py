"""The review of a plan on a screen: objects are ticked for removal, and the user can untick them (`-i`)."""
