"""The policy language: from TOML to a policy, or to its problems and their places."""
