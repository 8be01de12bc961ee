"""The disk report: disk usage, its trend and findings, from an inventory, a plan and earlier scans."""

from dockersweep.policy.disk_report.report import Past, make_report

__all__ = ["Past", "make_report"]
