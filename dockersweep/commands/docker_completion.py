"""Answers docker's completion of `docker sweep` in the format of cobra's `__complete`."""

import argparse
from collections.abc import Sequence

from dockersweep.commands.completion import names_in_time
from dockersweep.model.engine_address import TlsFlags
from dockersweep.report.completion_words import Offer, offer_at

FILES, NO_FILES = 0, 4
"""cobra's ShellCompDirectiveDefault, with which the shell completes files, and ShellCompDirectiveNoFileComp."""


def answer(parser: argparse.ArgumentParser, words: Sequence[str], with_meanings: bool) -> str:
    """Return the completions of the last word, one per line, with the meaning after a tab if wanted; the last line is a
    directive for the shell. Names of objects are read from the engine that the words name."""
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
