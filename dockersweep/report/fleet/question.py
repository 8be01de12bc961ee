"""The question before the plans of several hosts are carried out."""

from collections import Counter
from collections.abc import Sequence

from dockersweep.model.fleet import FleetHost
from dockersweep.model.inventory import KINDS
from dockersweep.model.plan import NOTHING
from dockersweep.model.recovery import How
from dockersweep.report.headline import kind_counts
from dockersweep.report.layout import Column, Section
from dockersweep.words.amounts import amount_words, plural
from dockersweep.words.lists import both
from dockersweep.words.recovery import counted_words

_COLUMNS = (Column("HOST", shortens=True), Column("CANNOT BE RECOVERED", wraps=True))


def lost_section(hosts: Sequence[FleetHost]) -> Section:
    """Return what cannot be recovered, host by host; an empty section for nothing."""
    rows = [(host.name, host.sums.lost) for host in hosts if host.sums.lost is not None]
    return Section("Cannot be recovered" if rows else None, columns=_COLUMNS, rows=rows, header=False, indent=2)


def ways_back_words(hosts: Sequence[FleetHost]) -> str:
    """Return how many of what is removed on all hosts can be taken back in which way; empty where nothing tells."""
    counts: Counter[How] = Counter()
    for host in hosts:
        counts.update(host.sums.ways_back)
    return counted_words(counts)


def fleet_question(hosts: Sequence[FleetHost]) -> str:
    """Return the question: "3 go to the archive; 1 cannot be recovered. Remove 3 containers and 1 volume on 2 hosts
    (freeing 1.20 GB)?"; the hosts are those that something is removed on."""
    counts = {kind: sum(host.sums.freed[kind].objects for host in hosts if kind in host.sums.freed) for kind in KINDS}
    frees = NOTHING
    for host in hosts:
        frees += host.sums.total or NOTHING
    what = both(kind_counts(counts)) or "tags of images that stay"
    ways_back = ways_back_words(hosts)
    recovery = f"{ways_back}. " if ways_back else ""
    return f"{recovery}Remove {what} on {plural(len(hosts), 'host')} (freeing {amount_words(frees)})?"
