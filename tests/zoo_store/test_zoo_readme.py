"""The page in an entry's folder tells a person what the entry is."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from zoo_store import Zoo, ZooEntry
from zoo_store.format.readme import readme

EntryMaker = Callable[..., ZooEntry]


def page(zoo: Zoo, entry: ZooEntry) -> str:
    return (zoo.path / zoo.add(entry) / "README.md").read_text(encoding="utf-8")


def test_the_page_tells_what_the_entry_is_its_data_with_licence_and_how_to_use_it(
    zoo: Zoo, make_entry: EntryMaker
) -> None:
    text = page(zoo, make_entry())

    (entry_id,) = zoo
    assert text.startswith("# Digits, space s1\n")
    assert "| search space | s1 |" in text
    assert "- **digits**: licence CC BY 4.0; origin UCI; 1797 images; 10 classes" in text
    assert r"| validation\_accuracy | 0.89 |" in text
    assert f"supernet-tl transfer --target my_images/ --zoo zoo/ --select {entry_id}" in text
    assert f'supernet_tl.load_supernet(zoo_store.Zoo("zoo/"), "{entry_id}")' in text


def test_what_a_card_lacks_is_said_to_be_not_recorded(zoo: Zoo, make_entry: EntryMaker) -> None:
    entry = make_entry()
    text = page(zoo, ZooEntry(state=entry.state, sketch={}, card={"data": [{"name": "x"}], "seed": 0}))

    assert "| search space | not recorded |" in text
    assert "licence not recorded; origin not recorded" in text
    assert "| seed | 0 |" in text


def test_every_source_of_a_mixture_is_listed(zoo: Zoo, make_entry: EntryMaker) -> None:
    data = [{"name": "latin", "licence": "OFL"}, {"name": "greek", "license": "CC0"}]
    text = page(zoo, make_entry(kind="mixture", data=data))

    assert "pretrained on a mixture of datasets" in text
    assert "- **latin**: licence OFL" in text
    assert "- **greek**: licence CC0" in text


def test_a_cards_texts_cannot_become_markup(zoo: Zoo, make_entry: EntryMaker) -> None:
    text = page(zoo, make_entry(name="x\n# Fake <script>alert(1)</script> | `cell` [link](http://a)"))

    assert text.splitlines()[0] == r"# x \# Fake \<script\>alert(1)\</script\> \| \`cell\` \[link\](http://a)"
    assert "\n# Fake" not in text


# Texts of every kind of sign, and of what Markdown and HTML are made of.
HARMFUL = st.text(
    st.one_of(st.characters(), st.sampled_from("\\`*_{}[]<>#|&~$!()-+.:/ \t\n\r\x1b\u202e\u2028\u200b'\"=@")),
    max_size=40,
) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "&lt;b&gt; &#60;b&#62; &amp;",
        "![x](http://x/y.png)",
        "[x](javascript:alert(1))",
        "[x]: http://x",
        "</td></table><h1>",
        "a|b\\|c\\\\|d",
        "~~gone~~ **bold** __bold__ *it* _it_ `code` ``co`de``",
        "$x$ $$x$$ \\(x\\)",
        "```\ncode\n```",
        "# x\n## y\n---\n===\n- a\n1. b\n> c",
        "<!-- hidden",
        "<![CDATA[x]]>",
        "<?php ?>",
        "\x1b[2J\x07\u202egnp.exe",
    ]
)


@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(text=HARMFUL)
def test_whatever_a_cards_texts_hold_the_page_has_the_same_parts_and_shows_the_texts(text: str) -> None:
    # Oracle: markdown-it, a CommonMark parser, with raw HTML and tables as on the pages of the Hub.
    card = {"name": text, "space": text, "classes": [text], "metrics": {text: text}, "data": [{"name": text}]}
    harmless = {"name": "x", "space": "x", "classes": ["x"], "metrics": {"x": "x"}, "data": [{"name": "x"}]}
    if not text.strip():
        return

    assert parts(readme("0" * 64, card)) == parts(readme("0" * 64, harmless))
    assert all(sign.isprintable() or sign == "\n" for sign in readme("0" * 64, card).decode())


@pytest.mark.parametrize("text", ["1 < 2 & 3 > 2", "&lt;b&gt;", "~~x~~", "$x$", "a\\|b", "![x](y)", "<b>", "#x", "*x*"])
def test_the_page_shows_what_a_text_says(text: str) -> None:
    # Oracle: markdown-it's text of the heading.
    tokens = page_parser().parse(readme("0" * 64, {"name": text}).decode())
    heading = tokens[1].children or []
    assert "".join(token.content for token in heading if token.type in ("text", "text_special")) == text
    assert {token.type for token in heading} <= {"text", "text_special"}


def page_parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def parts(page: bytes) -> list[tuple[str, str]]:
    """What a page is made of, without its texts."""
    tokens = page_parser().parse(page.decode())
    inline = [child for token in tokens for child in token.children or [] if child.type not in ("text", "text_special")]
    return [(token.type, token.tag) for token in (*tokens, *inline)]
