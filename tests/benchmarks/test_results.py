from __future__ import annotations

from benchmarks import results


def test_the_page_of_results_is_what_the_kept_outcomes_and_the_reading_give() -> None:
    # Oracle: the page in the repository; so no number in it is typed by hand.
    assert results.page() == results.PAGE.read_text(encoding="utf-8")
