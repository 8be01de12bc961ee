"""What the docker command puts before the name of a plugin: its own flags, in every spelling that it takes.

docker 20.10, 26.1 and 28.5 pass their command line on as it was typed. Its flags are read by pflag: `-Hx`, `-H=x`,
`-H x`, `--host=x`, `--host x`, `-DHx`, `--tls`, `--tls=0`.
"""

from collections import deque
from collections.abc import Iterator, Sequence

from msgspec import Struct

from dockersweep.errors import UsageError

_LONG_NAMES = {"H": "host", "c": "context", "D": "debug", "l": "log-level", "h": "help", "v": "version"}
_SAME_AS_OURS = ("context", "host", "tlscacert", "tlscert", "tlskey")
_WITH_VALUE = (*_SAME_AS_OURS, "config", "log-level")
_SWITCHES = ("debug", "help", "tls", "tlsverify", "version")
DOCKER_FLAGS = (*_WITH_VALUE, *_SWITCHES)
"""All that docker's client takes before a command."""
_ON = ("1", "t", "T", "TRUE", "true", "True")
_OFF = ("0", "f", "F", "FALSE", "false", "False")


class DockerCall(Struct, frozen=True):
    """A command line of docker, in our words."""

    flags: tuple[str, ...]
    """Our flags that mean what docker's mean."""
    environment: dict[str, str]
    """Variables for what we have no flag for; "" for one that counts no longer."""
    asks: str | None
    """"--help" or "--version" where docker was asked for that; else None."""
    rest: tuple[str, ...]
    """What stands behind docker's own flags: the name of the plugin first."""


def read_docker_call(words: Sequence[str]) -> DockerCall:
    """Return what docker was called with.

    Raises UsageError where a flag is not understood: it could mean another engine.
    """
    rest = deque(words)
    flags: list[str] = []
    environment: dict[str, str] = {}
    asks = None
    for name, value in _flags(rest):
        if name in _SAME_AS_OURS:
            flags += [f"--{name}", value]
        elif name == "config":
            environment["DOCKER_CONFIG"] = value
        elif name == "tls":
            environment["DOCKER_TLS"] = _switch(name, value)
        elif name == "tlsverify" and _switch(name, value):
            flags.append("--tlsverify")
        elif name == "tlsverify":
            # To docker this is TLS too, whatever the certificate.
            environment |= {"DOCKER_TLS": "1", "DOCKER_TLS_VERIFY": ""}
        elif name in ("help", "version"):
            asks = f"--{name}"
    return DockerCall(tuple(flags), environment, asks, tuple(rest))


def _flags(rest: deque[str]) -> Iterator[tuple[str, str]]:
    """Take the flags away from the words, and yield each: its long name and its value, "true" of a switch without."""
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.popleft()
        if word == "--":
            return
        if word.startswith("--"):
            name, has_value, value = word[2:].partition("=")
            yield name, value if has_value and _is_known(name, word) else _value_behind(name, word, rest)
        else:
            yield from _short_flags(word, rest)


def _short_flags(word: str, rest: deque[str]) -> Iterator[tuple[str, str]]:
    """Yield the flags of a word like -DHx: switches, then one that may have a value."""
    letters = word[1:]
    while letters:
        name, letters = _LONG_NAMES.get(letters[0], ""), letters[1:]
        if letters and _is_known(name, word) and (name in _WITH_VALUE or letters[0] == "="):
            yield name, letters.removeprefix("=")
            return
        yield name, _value_behind(name, word, rest)


def _value_behind(name: str, word: str, rest: deque[str]) -> str:
    if not _is_known(name, word) or name in _SWITCHES:
        return "true"
    if not rest:
        raise UsageError(f"docker was given {word} without a value")
    return rest.popleft()


def _is_known(name: str, word: str) -> bool:
    """Return True; raises UsageError where docker has grown a flag that is not known here."""
    if name in DOCKER_FLAGS:
        return True
    raise UsageError(
        f'docker was given "{word}", which dockersweep does not know and which could name another engine: leave it '
        "out, or update dockersweep"
    )


def _switch(name: str, value: str) -> str:
    """Return "1" for on, "" for off."""
    if value not in (*_ON, *_OFF):
        raise UsageError(f'docker was given --{name}="{value}": write true or false')
    return "1" if value in _ON else ""
