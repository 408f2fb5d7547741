from __future__ import annotations

from supernet_tl.markdown import escape, grid


def test_text_stands_for_itself_in_markdown() -> None:
    assert escape("a_b|c*d\n<e>") == "a\\_b\\|c\\*d \\<e\\>"


def test_a_table_has_texts_to_the_left_and_numbers_to_the_right() -> None:
    assert grid(("a|b", "n"), [("x", "1")]) == "| a\\|b | n |\n| --- | ---: |\n| x | 1 |"
    assert "| --- | --- |" in grid(("a", "b"), [], of_numbers=False)
