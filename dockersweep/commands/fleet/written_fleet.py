"""What became of a verb on several hosts, and the documents of these, in files: of a thousand they would not fit into
memory."""

import contextlib
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from dockersweep.commands.fleet.host_process import LARGEST_BYTES, document_path
from dockersweep.files import read_named
from dockersweep.model.fleet import Fleet

_NO_DOCUMENT = b'"document":null}'
_NO_HOSTS = b'"hosts":[]}'


class WrittenFleet:
    """What became of a verb on several hosts, and the folder with the documents of these."""

    def __init__(self, fleet: Fleet, folder: str) -> None:
        self.fleet = fleet
        self._folder = folder

    def document_of(self, number: int) -> bytes | None:
        """Return the document of a host, by its place; None for none."""
        path = document_path(self._folder, number)
        with contextlib.suppress(FileNotFoundError):
            return read_named(path, LARGEST_BYTES)
        return None

    def as_json(self) -> Iterator[str]:
        """Yield the document, host by host."""
        head = msgspec.json.encode(replace(self.fleet, hosts=()))
        yield head.removesuffix(_NO_HOSTS).decode() + '"hosts":['
        for number, host in enumerate(self.fleet.hosts):
            text = msgspec.json.encode(host).removesuffix(_NO_DOCUMENT)
            document = self.document_of(number) or b"null"
            yield ("," if number else "") + "\n" + (text + b'"document":' + document.strip() + b"}").decode()
        yield "\n]}\n"
