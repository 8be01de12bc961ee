"""The API of one engine: its endpoint, each call, and the answers as our own types."""
