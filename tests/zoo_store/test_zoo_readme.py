"""The page in an entry's folder tells a person what the entry is."""

from collections.abc import Callable

from zoo_store import Zoo, ZooEntry

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
