"""Chain ids of layers: the digest of the layers below and the layer's own contents (OCI image specification)."""

import hashlib
from collections.abc import Iterable


def chain_on(below: str | None, diff_id: str) -> str:
    """Return the chain id of a layer with this diff id on the parent chain `below` (None for none)."""
    return f"sha256:{hashlib.sha256(f'{below} {diff_id}'.encode()).hexdigest()}" if below else diff_id


def chain_id(diff_ids: Iterable[str]) -> str | None:
    """Return the chain id of the top layer of an image with these diff ids, the lowest first; None if there are
    none."""
    chain: str | None = None
    for diff_id in diff_ids:
        chain = chain_on(chain, diff_id)
    return chain
