"""The ids of layers: each is the digest of what lies below it and of its own contents (OCI image specification)."""

import hashlib
from collections.abc import Iterable


def chain_on(below: str | None, diff_id: str) -> str:
    """Return the chain id of a layer with that diff id, whose parent is `below`, or which has none."""
    return f"sha256:{hashlib.sha256(f'{below} {diff_id}'.encode()).hexdigest()}" if below else diff_id


def chain_id(diff_ids: Iterable[str]) -> str | None:
    """Return the id of the top layer of an image with these diff ids, the lowest first; None where there are none."""
    chain: str | None = None
    for diff_id in diff_ids:
        chain = chain_on(chain, diff_id)
    return chain
