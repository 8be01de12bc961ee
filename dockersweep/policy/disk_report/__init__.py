"""Where the disk went, is it getting worse, what to do about it: from an inventory, a plan and the past to a report."""

from dockersweep.policy.disk_report.making import Past, make_report

__all__ = ["Past", "make_report"]
