"""What docker's completion of `docker sweep` asks for: an answer as cobra's `__complete` gives it."""

import argparse
from collections.abc import Sequence

from dockersweep.commands.completion import names_in_time
from dockersweep.engine.api.endpoint import TlsFlags
from dockersweep.report.completion_words import Offer, offer_at

FILES, NO_FILES = 0, 4
"""cobra's ShellCompDirectiveDefault, with which the shell completes files, and ShellCompDirectiveNoFileComp."""


def answer(parser: argparse.ArgumentParser, words: Sequence[str], with_meanings: bool) -> str:
    """Return what the last of the words could be: a line each, with what it means behind a tab if that is wanted, and a
    last line with what the shell is to do. Names of objects are asked of the engine that the words before name."""
    offer = offer_at(parser, words)
    lines = [f"{word}\t{meaning}" if meaning and with_meanings else word for word, meaning in offer.words]
    if offer.value == "name":
        lines += [name for name in _names(offer) if name.startswith(words[-1])]
    directive = FILES if offer.value == "file" else NO_FILES
    return "".join(f"{line}\n" for line in (*lines, f":{directive}"))


def _names(offer: Offer) -> list[str]:
    given = offer.flags.get
    flags = {"ca": given("tlscacert"), "cert": given("tlscert"), "key": given("tlskey")}
    tls = TlsFlags(verify="tlsverify" in offer.flags, **flags)
    return names_in_time(given("host"), given("context"), None if tls == TlsFlags() else tls)
