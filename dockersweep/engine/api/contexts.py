"""Docker's contexts, as docker keeps them: a folder each, named by the SHA-256 of its name (docker/cli,
cli/context/store/metadatastore.go)."""

import os
from pathlib import Path

import msgspec

from dockersweep.errors import UsageError
from dockersweep.files import read_configuration, what_is_wrong
from dockersweep.words.lists import naturally

_LARGEST_BYTES = 16_000_000


class DockerEndpoint(msgspec.Struct, rename="pascal"):
    """The engine of a context."""

    host: str = ""
    """Its URL; empty where the context has none."""
    skip_tls_verify: bool = msgspec.field(default=False, name="SkipTLSVerify")


class _Meta(msgspec.Struct, rename="pascal"):
    name: str = ""
    endpoints: dict[str, DockerEndpoint] = msgspec.field(default_factory=dict)


def folder_of(name: str) -> str:
    """Return the name of the folders of a context."""
    # Imported late: it loads all of OpenSSL.
    import hashlib

    return hashlib.sha256(name.encode()).hexdigest()


def read_endpoint(name: str, config_dir: Path) -> DockerEndpoint | None:
    """Return the engine of a context of docker's configuration; None where it has none, as one for Kubernetes alone.

    Raises FileNotFoundError or NotADirectoryError where there is no such context, and UsageError where it cannot be
    read.
    """
    meta = _folder(config_dir) / folder_of(name) / "meta.json"
    try:
        return _read(meta).endpoints.get("docker")
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f'context "{name}" cannot be read from {meta}: {_why(error)}') from None


def contexts_with_engine(config_dir: Path) -> list[str]:
    """Return the names of docker's contexts that have an engine, in natural order; docker's own "default" is none of
    them. Raises UsageError where one cannot be read: its host would be left out silently."""
    folder = _folder(config_dir)
    try:
        metas = [folder / name / "meta.json" for name in os.listdir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UsageError(f"docker's contexts cannot be read: {what_is_wrong(error)}") from None
    names = []
    for meta in metas:
        try:
            context = _read(meta)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UsageError(f"the context in {meta} cannot be read: {_why(error)}; name the others") from None
        if "docker" in context.endpoints and context.endpoints["docker"].host:
            names.append(context.name)
    return naturally(names)


def _folder(config_dir: Path) -> Path:
    return config_dir / "contexts" / "meta"


def _read(meta: Path) -> _Meta:
    return msgspec.json.decode(read_configuration(meta, _LARGEST_BYTES), type=_Meta)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
