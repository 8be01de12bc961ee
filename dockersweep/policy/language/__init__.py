"""The policy language: from TOML to a policy, and what is wrong with it and where."""
