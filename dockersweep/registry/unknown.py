"""What it means that an answer is not known."""


class NotKnownError(Exception):
    """Nothing tells whether a registry has something; the message is the reason, for a person and without secrets."""
