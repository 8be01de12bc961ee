"""What a plan warns of before anything goes into the archive."""

from dockersweep.model.inventory import ScanWarning
from dockersweep.model.plan import Plan
from dockersweep.policy.judging.survey import Survey
from dockersweep.units import format_size

ABOUT = "archive"


def archive_warnings(survey: Survey, plan: Plan) -> tuple[ScanWarning, ...]:
    """Return warnings if what a plan archives cannot go into the archive, finds no room there, or is soon lost."""
    facts, share = survey.archive, plan.archive
    if facts is None or share is None:
        return ()
    if facts.problem is not None:
        text = f"nothing can go into it, so nothing is removed that needs it: {facts.problem}"
        return (ScanWarning(about=ABOUT, text=text),)
    in_memory = f"{facts.folder} is in memory: what goes there is lost when the machine is restarted"
    lost = (ScanWarning(about=ABOUT, text=in_memory),) if facts.is_in_memory else ()
    most, room = share.takes.high_bytes, facts.room_bytes
    if room is None:
        return lost
    without = sum(removal.recovery is not None and removal.recovery.may_fit for removal in plan.removals)
    if without:
        may = "1 object may not fit, and is" if without == 1 else f"{without} objects may not fit, and are"
        text = f"it has room for {format_size(room)}: {may} then removed without it"
    elif most is not None and most <= room:
        return lost
    else:
        takes = "what goes there is of unknown size" if most is None else f"up to {format_size(most)} go there"
        text = f"{takes}, and it has room for {format_size(room)}: what does not fit is kept"
    # Without any room, what needs it stays from now on, or is lost.
    return (*lost, ScanWarning(about=ABOUT, text=text, is_problem=not room))
