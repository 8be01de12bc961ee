"""The entry of `docker sweep`: docker's client runs it as its plugin, by the name docker-sweep.

Every `docker --help` runs it for its metadata, so that is answered before anything else is imported. These are the
calls of docker 20.10, 26.1 and 28.5:

- `docker-cli-plugin-metadata`: return the metadata;
- `__complete sweep WORD ...`: complete the last word. docker's own flags are left out, and 20.10 does not call it.
  Debian's script for bash calls `__completeNoDesc WORD ...` itself;
- for everything else the words of docker's command line: `-H URL sweep plan`, `help sweep`, `--help sweep`.

docker's client makes 255 of the status of a plugin that a signal has ended.
"""

import sys

from dockersweep import __version__

# Importing the module typing takes longer than everything else in a call for the metadata.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dockersweep.parser.docker_flags import DockerCall

PROGRAM = "docker sweep"
VERB = "sweep"
"""The default verb, and the name of the plugin."""
METADATA = (
    f'{{"SchemaVersion":"0.1.0","Vendor":"dockersweep","Version":"{__version__}",'
    '"ShortDescription":"See what is no longer needed and why, remove just that"}\n'
)


def main() -> int:
    """Answer docker, or run a command line that it passes on; returns the exit status."""
    words = sys.argv[1:]
    if words == ["docker-cli-plugin-metadata"]:
        sys.stdout.write(METADATA)
        return 0
    import _signal  # type: ignore[import-not-found]

    # As in `__main__`, from here on Ctrl-C shows nobody what is imported.
    is_heeded = _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler
    if is_heeded:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    from dockersweep import cli

    if is_heeded:
        _signal.signal(_signal.SIGINT, cli.end_at_start)
    if words[:2] == ["__complete", VERB]:
        return _complete(words[2:], with_meanings=True)
    if words[:1] == ["__completeNoDesc"]:
        return _complete(words[1:], with_meanings=False)
    return cli.main(words, PROGRAM, _read)


def _read(words: "Sequence[str]") -> list[str]:
    """Return docker's command line as one of dockersweep, and set the environment accordingly; raises UsageError if it
    is invalid."""
    import os

    from dockersweep.parser.docker_flags import read_docker_call

    call = read_docker_call(words)
    own_words = _words_of(call)
    os.environ |= call.environment
    address = os.environ.pop("DOCKER_CLI_PLUGIN_SOCKET", None)
    if address:
        from dockersweep.docker_cancel import end_with_docker

        end_with_docker(address)
    return own_words


def _words_of(call: "DockerCall") -> list[str]:
    from dockersweep.errors import UsageError
    from dockersweep.parser import with_verb

    words, asks = list(call.rest), call.asks
    if words[:1] == ["help"]:
        del words[0]
        asks = "--help"
    if words[:1] != [VERB]:
        raise UsageError("docker-sweep is run by docker: type `docker sweep`, or `dockersweep`")
    del words[0]
    if asks == "--version":
        return [asks]
    if asks:
        return [*words[:1], asks]
    if words[:1] and words[0] in ("-h", "--help", "help", "--version", "version"):
        return words
    return [*call.flags, *with_verb(words, VERB)]


def _complete(words: "Sequence[str]", with_meanings: bool) -> int:
    from dockersweep.commands.docker_completion import answer
    from dockersweep.parser import build_parser, with_verb

    line = [*_flags_left_out(), *with_verb(words, VERB)]
    sys.stdout.write(answer(build_parser(line, PROGRAM), line, with_meanings))
    return 0


def _flags_left_out() -> "Sequence[str]":
    """Return our flags for those before `sweep` on the line that is completed. docker does not pass them on, but its
    process has them; where that cannot be read, as on macOS, there are none."""
    import os

    from dockersweep.errors import UsageError
    from dockersweep.parser.docker_flags import read_docker_call

    try:
        with open(f"/proc/{os.getppid()}/cmdline", encoding="utf-8", errors="surrogateescape") as file:
            words = file.read().split("\0")[1:-1]
        if words[:1] not in (["__complete"], ["__completeNoDesc"]):
            return ()
        call = read_docker_call(words[1:])
    except (OSError, UsageError):
        return ()
    os.environ |= call.environment
    return call.flags
