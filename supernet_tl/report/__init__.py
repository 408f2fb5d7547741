"""Reports of runs for people: self-contained HTML pages."""

from supernet_tl.report.errors import ReportError
from supernet_tl.report.overview_page import TargetGroup, build_overview
from supernet_tl.report.run_page import build_report

__all__ = ["ReportError", "TargetGroup", "build_overview", "build_report"]
