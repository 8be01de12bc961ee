"""`dockersweep explain`: why an object is kept or removed, what holds it, and when it would be removed; or the same for
each object of a compose project, of a repository, or with a shared name."""

import shlex
from typing import TYPE_CHECKING

from dockersweep.commands.gather import gather_policy, gather_survey
from dockersweep.commands.options import ExplainOptions
from dockersweep.commands.python_gc import without_collector
from dockersweep.commands.write import terminal_width, write_problems, write_result
from dockersweep.errors import UnknownObjectError, UsageError
from dockersweep.model.explanation import Explanation, Group, GroupExplanation
from dockersweep.model.inventory import Inventory, ObjectRef
from dockersweep.model.lookup import find_objects
from dockersweep.policy.explaining.explain import explain
from dockersweep.report.headline import warning_sentences
from dockersweep.words.documents import write_document
from dockersweep.words.lists import either

if TYPE_CHECKING:
    from dockersweep.report.layout import Layout


def run(options: ExplainOptions) -> int:
    """Write the explanation of what is asked for; return the exit status."""
    policy = gather_policy(options.policy)
    survey = gather_survey(options.engine, policy)
    with without_collector():
        what = meant_by(survey.inventory, options.object)
        if isinstance(what, ObjectRef):
            explanation: Explanation | GroupExplanation = explain(survey, policy, what)
        else:
            from dockersweep.policy.explaining.groups import explain_group

            explanation = explain_group(survey, policy, what)
    write_result(_text(explanation, options), options.output.path)
    write_problems(warning_sentences(explanation.warnings), options.output)
    return 0


def _text(explanation: Explanation | GroupExplanation, options: ExplainOptions) -> str:
    if options.output.format == "json":
        return write_document(explanation)
    from dockersweep.report.formats import formatted

    return formatted(_layout(explanation), options.output.format, terminal_width(options.output.path))


def _layout(explanation: Explanation | GroupExplanation) -> "Layout":
    if isinstance(explanation, Explanation):
        from dockersweep.report.explanation import explanation_layout

        return explanation_layout(explanation)
    from dockersweep.report.group import group_layout

    return group_layout(explanation)


def meant_by(inventory: Inventory, text: str) -> ObjectRef | Group:
    """Return the object or the group of objects that a text means.

    The full name of one object comes first, then the name of a compose project or a repository. Raises UsageError for
    an ambiguous or unknown text, saying what it could mean.
    """
    if not text:
        raise UsageError("the name of the object is empty: write a name, a tag, the beginning of an id, or KIND:NAME")
    named = find_objects(inventory, text)
    is_one = len(named.matches) == 1
    if is_one and named.are_called_so:
        return named.matches[0]
    # Imported late: most objects are asked for by their own name.
    from dockersweep.policy.explaining.groups import PREFIXES, find_groups

    groups = find_groups(inventory, text)
    if named.are_called_so:
        return Group(grouped_by="name", name=text, refs=named.matches)
    if len(groups) == 1:
        return groups[0]
    if groups:
        texts = [f"{group.grouped_by}:{group.name}" for group in groups]
        raise UsageError(f'"{text}" can mean {either(texts)}: write one of these')
    if is_one:
        return named.matches[0]
    if named.matches:
        more = len(named.matches) - len(named.texts)
        others = f" and {more} more" if more else ""
        raise UsageError(f'"{text}" can mean {either(named.texts)}{others}: write one of these')
    if text.startswith(tuple(f"{by}:" for by in PREFIXES)):
        raise UnknownObjectError(_no_group(inventory, text))
    like = f"did you mean {either(named.texts)}?" if named.texts else "`dockersweep scan --all` lists what there is."
    gone = _way_back(text) or f"If it is gone: `dockersweep history --object {shlex.quote(text)}`"
    raise UnknownObjectError(f'nothing here is called "{text}", and no id begins so: {like} {gone}')


def _way_back(text: str) -> str | None:
    """Return how what a text names is taken back, if the ledger tells that a run removed it."""
    # Imported late: it is for what is not there.
    import os

    from dockersweep.errors import DockersweepError
    from dockersweep.ledger import state_folder
    from dockersweep.ledger.reading import read_object
    from dockersweep.words.restoring import restore_command

    try:
        removals = read_object(state_folder(os.environ, os.geteuid()), text, None).removals
    except DockersweepError:
        return None
    removal = next((removal for removal in removals if removal.way_back is not None), None)
    return None if removal is None else f"Run {removal.run} removed it: `{restore_command(removal)}` takes it back"


def _no_group(inventory: Inventory, text: str) -> str:
    """Return the error for an unknown compose project or repository, with similar names. It does not mention `history`,
    which finds objects only."""
    from difflib import get_close_matches

    from dockersweep.policy.explaining.groups import group_names

    by, _, name = text.partition(":")
    known = group_names(inventory, "project" if by == "project" else "repository")
    near = [f"{by}:{match}" for match in get_close_matches(name, known)]
    what, flags = (
        ("nothing here belongs to a compose project", "--verbose")
        if by == "project"
        else ("no image here is of a repository", "--kind image")
    )
    like = f"did you mean {either(near)}?" if near else f"`dockersweep scan --all {flags}` lists what there is"
    return f'{what} called "{name}": {like}'
