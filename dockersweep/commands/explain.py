"""`dockersweep explain`: what holds one object, which rules speak of it, and when it would go."""

import argparse
import sys

from dockersweep.commands.gather import gather_picture, gather_policy
from dockersweep.commands.write import terminal_width, write_result
from dockersweep.errors import UsageError
from dockersweep.model.documents import write_document
from dockersweep.model.explanation import Explanation
from dockersweep.model.inventory import Inventory
from dockersweep.model.plan import ObjectRef
from dockersweep.policy.explain import explain
from dockersweep.policy.file.problems import either
from dockersweep.policy.lookup import find_objects
from dockersweep.report.headline import warning_lines


def run(arguments: argparse.Namespace) -> int:
    """Write the explanation of the object that is asked for; return the exit status."""
    policy = gather_policy(arguments)
    picture = gather_picture(arguments)
    explanation = explain(picture.inventory, policy, picture.now, one_object(picture.inventory, arguments.object))
    write_result(_text(explanation, arguments), arguments.output)
    if arguments.format == "csv":
        sys.stderr.write(warning_lines(explanation.warnings, None))
    return 0


def _text(explanation: Explanation, arguments: argparse.Namespace) -> str:
    if arguments.format == "json":
        return write_document(explanation)
    if arguments.format == "csv":
        from dockersweep.report.explanation_csv import explanation_csv

        return explanation_csv(explanation)
    from dockersweep.report.explanation_text import explanation_markdown, explanation_text

    if arguments.format == "markdown":
        return explanation_markdown(explanation)
    return explanation_text(explanation, terminal_width(arguments.output))


def one_object(inventory: Inventory, text: str) -> ObjectRef:
    """Return the object that a text means; raises UsageError, which says what it could be, where that is not clear."""
    if not text:
        raise UsageError("the name of the object is empty: write a name, a tag, the beginning of an id, or KIND:NAME")
    found = find_objects(inventory, text)
    if len(found.matches) == 1:
        return found.matches[0]
    if found.matches:
        more = len(found.matches) - len(found.texts)
        others = f" and {more} more" if more else ""
        raise UsageError(f'"{text}" can mean {either(found.texts)}{others}: write one of these')
    like = f"did you mean {either(found.texts)}" if found.texts else "`dockersweep scan --all` lists what there is"
    raise UsageError(f'nothing here is called "{text}", and no id begins so: {like}{"?" if found.texts else ""}')
