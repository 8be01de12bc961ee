"""Problems of the values in the notify table of a policy file, where each value is valid by itself."""

from collections.abc import Iterator

from dockersweep.model.policyfile import NotifyTable
from dockersweep.policy.language.problems import KeyProblem
from dockersweep.units import parse_age

LONGEST_SECONDS = 3600


def notify_problems(notify: NotifyTable, is_whole: bool) -> Iterator[KeyProblem]:
    """Yield what makes a notification impossible, or says something twice. `is_whole` tells whether the table has no
    other problem. No text of the file is repeated: it may hold a password."""
    if is_whole and notify.command is None and notify.urls is None:
        yield KeyProblem(("notify",), "[notify] tells nobody: write command or urls, or leave it out")
    if notify.command and not notify.command[0].startswith("/"):
        text = "notify.command must begin with the absolute path of a program: no shell looks for it"
        yield KeyProblem(("notify", "command", 0), text, at="value")
    for key in ("urls", "on"):
        written = getattr(notify, key)
        if isinstance(written, list) and len(set(written)) < len(written):
            yield KeyProblem(("notify", key), f"notify.{key} has a value twice: once is enough", at="value")
    if parse_age(notify.timeout).seconds > LONGEST_SECONDS:
        yield KeyProblem(("notify", "timeout"), "notify.timeout is too long for a run to wait: at most 1h", at="value")
