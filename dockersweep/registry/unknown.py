"""The error for an answer that is not known."""


class NotKnownError(Exception):
    """Whether a registry has something is not known. The message is the reason, for a person and without secrets."""
