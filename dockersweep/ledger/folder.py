"""Where the ledger file is."""

from collections.abc import Mapping
from pathlib import Path

FILE_NAME = "ledger.sqlite3"
_LOCKS = "locks"


def state_folder(environment: Mapping[str, str], user_id: int) -> Path:
    """Return the folder for what must be remembered between runs; it need not exist."""
    if environment.get("DOCKERSWEEP_STATE_DIR"):
        return Path(environment["DOCKERSWEEP_STATE_DIR"])
    if user_id == 0:
        return Path("/var/lib/dockersweep")
    if environment.get("XDG_STATE_HOME"):
        return Path(environment["XDG_STATE_HOME"]) / "dockersweep"
    return Path(environment.get("HOME") or "/nonexistent") / ".local" / "state" / "dockersweep"


def run_lock_file(folder: Path, identity: str) -> Path:
    """Return the file that a run locks which removes on the engine of this identity, beside the ledger in a folder."""
    return folder / _LOCKS / _short(identity)


def watch_lock_file(folder: Path, identity: str) -> Path:
    """Return the file that a watcher of that engine locks, there too."""
    return folder / _LOCKS / f"{_short(identity)}.watch"


def _short(identity: str) -> str:
    # It loads all of OpenSSL.
    from hashlib import sha256

    return sha256(identity.encode()).hexdigest()[:16]
