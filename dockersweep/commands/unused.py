"""The objects that a scan shows, of its survey."""

from dockersweep.policy.judging.selection import Selection, selected
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.judging.use import describe_use, reclaim_of_unused
from dockersweep.report.scan import Shown, SortKey, all_kinds

EVERYTHING = Selection(kinds=(), filters=())


def shown_of(
    survey: Survey,
    selection: Selection = EVERYTHING,
    sort: SortKey = "size",
    with_used: bool = False,
    with_owners: bool = False,
    most: int | None = None,
) -> Shown:
    """Return what to show of a scan; `with_owners` adds the compose project of each object, the others are as in
    `Shown`."""
    chosen = selected(survey, selection)
    uses = describe_use(survey, with_owners=with_owners)
    shown = [use for use in uses if use.ref in chosen]
    return Shown(
        inventory=survey.inventory,
        uses=shown,
        freed=reclaim_of_unused(survey, [use.ref for use in shown if not use.in_use]).of_kinds,
        kinds=all_kinds(selection.kinds),
        sort=sort,
        with_used=with_used,
        most=most,
    )
