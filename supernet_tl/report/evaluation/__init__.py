"""The page of a leave-one-out evaluation."""

from supernet_tl.report.evaluation.page import write_evaluation_page

__all__ = ["write_evaluation_page"]
