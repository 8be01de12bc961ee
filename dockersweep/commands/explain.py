"""`dockersweep explain`: why one object is kept or removed, what holds it, and when it would go."""

import shlex

from dockersweep.commands.gather import gather_policy, gather_survey
from dockersweep.commands.options import ExplainOptions
from dockersweep.commands.python_gc import without_collector
from dockersweep.commands.write import terminal_width, write_problems, write_result
from dockersweep.errors import UsageError
from dockersweep.model.explanation import Explanation
from dockersweep.model.inventory import Inventory, ObjectRef
from dockersweep.model.lookup import find_objects
from dockersweep.policy.explaining.explain import explain
from dockersweep.report.headline import warning_sentences
from dockersweep.words.documents import write_document
from dockersweep.words.lists import either


def run(options: ExplainOptions) -> int:
    """Write the explanation of the object that is asked for; return the exit status."""
    policy = gather_policy(options.policy)
    survey = gather_survey(options.engine, policy)
    with without_collector():
        explanation = explain(survey, policy, one_object(survey.inventory, options.object))
    write_result(_text(explanation, options), options.output.path)
    write_problems(warning_sentences(explanation.warnings), options.output)
    return 0


def _text(explanation: Explanation, options: ExplainOptions) -> str:
    if options.output.format == "json":
        return write_document(explanation)
    from dockersweep.report.explanation import explanation_layout
    from dockersweep.report.formats import formatted

    return formatted(explanation_layout(explanation), options.output.format, terminal_width(options.output.path))


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
    like = f"did you mean {either(found.texts)}?" if found.texts else "`dockersweep scan --all` lists what there is."
    gone = f"If it is gone: `dockersweep history --object {shlex.quote(text)}`"
    raise UsageError(f'nothing here is called "{text}", and no id begins so: {like} {gone}')
