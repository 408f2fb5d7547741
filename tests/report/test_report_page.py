"""The page of one run, read as a browser reads it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import darts
from supernet_tl.files import read_json, write_json
from supernet_tl.report import build_report

if TYPE_CHECKING:
    from tests.report.conftest import Page, RunWriter

PageReader = Callable[[Path], "Page"]
Maker = Callable[..., dict[str, Any]]


def test_the_page_is_written_into_the_run_folder(transfer_run: Path) -> None:
    assert build_report(transfer_run) == transfer_run / "report.html"
    assert (transfer_run / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_page_needs_nothing_but_itself(compared_page: "Page") -> None:
    page = compared_page
    references = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "data", "action", "srcset")
    ]
    assert references  # the sample images at least
    assert all(reference.startswith(("#", "data:")) for reference in references)
    assert not [tag for tag, _ in page.elements if tag in ("script", "link", "iframe", "object", "embed")]
    assert "@import" not in page.source
    assert "url(http" not in page.source


def test_the_title_says_the_outcome_in_words(transfer_page: "Page", scratch_page: "Page") -> None:
    # oracle: the accuracies of the fixture, 0.914 and 0.844, in percent with one decimal
    assert transfer_page.text("h1") == ["digits: started from mnist5k, 91.4 % on test images never seen"]
    assert scratch_page.text("h1") == ["digits: searched from scratch, 84.4 % on test images never seen"]


def test_a_source_drawn_at_random_is_called_so(tmp_path: Path, read_page: PageReader, make_run: "RunWriter") -> None:
    page = read_page(build_report(make_run(tmp_path / "run", select="random")))
    assert page.text("h1")[0].startswith("digits: started from mnist5k, drawn at random,")
    assert "The source was drawn at random, as a baseline" in page.body


def test_a_tie_of_probes_is_not_called_the_best(tmp_path: Path, read_page: PageReader, make_run: "RunWriter") -> None:
    run = make_run(tmp_path / "run", select="probe")
    ranking = read_json(run / "ranking.json")
    chosen = ranking["chosen"]
    probes = [
        {"entry": chosen, "name": "mnist5k", "accuracy": 0.5},
        {"entry": None, "name": "scratch", "accuracy": 0.5},
    ]
    write_json(run / "ranking.json", {**ranking, "chosen": chosen, "probes": probes})
    assert "started from mnist5k, as good in its probe as scratch," in read_page(build_report(run)).text("h1")[0]
    probes[1]["accuracy"] = 0.4
    write_json(run / "ranking.json", {**ranking, "chosen": chosen, "probes": probes})
    assert "started from mnist5k, the best of those probed," in read_page(build_report(run)).text("h1")[0]


def test_a_baseline_or_a_selector_of_another_package_is_named(
    tmp_path: Path, read_page: PageReader, make_run: "RunWriter"
) -> None:
    body = read_page(build_report(make_run(tmp_path / "run", select="largest"))).body
    assert "Chosen by largest; the distances are shown for comparison." in body
    by_hand = read_page(build_report(make_run(tmp_path / "other", select="mnist5k"))).body
    assert "The source was named by hand (mnist5k)" in by_hand


def test_every_result_of_the_summary_is_on_the_page(transfer_page: "Page", transfer_run: Path) -> None:
    # oracle: the fixture's numbers, written out by hand
    page = transfer_page
    numbers = dict(zip(page.text("dt"), page.text("dd", css="value"), strict=False))
    assert numbers["Final network, test"] == "91.4 %"
    assert numbers["Final network, validation"] == "91.1 %"
    assert numbers["Supernet, test"] == "88.1 %"
    assert numbers["Supernet, validation"] == "87.2 %"
    assert numbers["Parameters"] == "26,834"
    assert numbers["MACs for one image"] == "1.23 M"
    assert numbers["Wall time of the stages"] == "14.3 s"  # 3.0 search + 9.9 fine-tuning + 1.4 selection
    assert numbers["Search epochs to 85 %"] == "4"
    skips = read_json(transfer_run / "summary.json")["num_skip_connections"]
    assert f"{skips} are skip connections" in page.body
    assert "best 87.2 % after 6" in page.body
    for written in ("60,354", "2.5 M", "3.0 s", "9.9 s", "1.4 s", "408", "90.2 %", "1,797", "torch 2.6.0"):
        assert written in page.body


def test_every_setting_and_split_size_is_on_the_page(transfer_run: Path, transfer_page: "Page") -> None:
    page = transfer_page
    summary = read_json(transfer_run / "summary.json")
    settings = page.text("code")
    assert set(summary["recipe"]) <= set(settings)
    for name, size in summary["target"]["splits"].items():
        assert f"{name} {size}" in page.body


def test_the_fate_of_the_warm_start_tensors_is_told(transfer_page: "Page", scratch_page: "Page") -> None:
    warm = transfer_page.body
    assert "Warm start: 408 tensors copied" in warm
    assert "classifier.weight, classifier.bias" in warm
    assert "old.weight" in warm
    assert "tensors copied" not in scratch_page.body


def test_skipped_images_and_dropped_classes_are_counted(
    tmp_path: Path, read_page: PageReader, make_run: "RunWriter", make_card: Maker
) -> None:
    target = {"skipped": 30, "dropped_classes": ["lone", "rare"]}
    summary_target = {
        **make_card(**target),
        "class_names": ["a"],
        "num_skipped_images": 30,
        "skipped_images": [{"path": f"<b>/{number}.png", "reason": "cut off"} for number in range(30)],
        "ignored_files": 12,
        "first_ignored_files": ["notes.txt"],
        "notes": ["test/ holds 4 images without classes & is left out"],
    }
    run = make_run(tmp_path / "run", target=target, changes={"target": summary_target})
    body = read_page(build_report(run)).body
    assert "30 (unreadable)" in body
    assert "lone, rare (fewer than four images)" in body
    assert "<b>/19.png: cut off" in body
    assert "<b>/20.png: cut off" not in body
    assert "and 10 more, in summary.json" in body
    assert "12 files were not used (notes.txt, …)" in body
    assert "test/ holds 4 images without classes & is left out" in body


def test_runs_of_older_versions_told_of_skipped_images_in_text(
    tmp_path: Path, read_page: PageReader, make_run: "RunWriter", make_card: Maker
) -> None:
    target = {**make_card(skipped=1), "class_names": ["a"], "skipped_images": ["x.png: cut off"], "ignored_files": 1}
    body = read_page(build_report(make_run(tmp_path / "run", changes={"target": target}))).body
    assert "x.png: cut off" in body
    assert "1 file was not used. Fingerprint" in body


def test_origin_and_licence_stand_under_the_images_of_both_sides(transfer_page: "Page") -> None:
    page = transfer_page
    assert page.text("h3")[:2] == ["Target: digits", "Chosen source: mnist5k"]
    for name in ("digits", "mnist5k"):
        assert f"where {name} comes from. Licence: CC BY 4.0." in page.body
    labels = [sheet["aria-label"] for sheet in page.attributes("div", css="sheet")]
    assert labels == ["24 sample images of digits", "24 sample images of mnist5k"]
    assert len(page.attributes("img")) == 48


def test_every_source_of_a_mixture_is_named_with_its_licence(
    tmp_path: Path, read_page: PageReader, make_run: "RunWriter"
) -> None:
    page = read_page(build_report(make_run(tmp_path / "run", source="mnist5k+faces", select="mixture")))
    assert "mnist5k. where mnist5k comes from." in page.body
    assert "faces. where faces comes from." in page.body


def test_a_run_without_pictures_says_so(tmp_path: Path, read_page: PageReader, make_run: "RunWriter") -> None:
    run = make_run(tmp_path / "run", samples=False)
    (run / "mixing_weights.safetensors").unlink()
    page = read_page(build_report(run))
    assert page.body.count("The run keeps no sample images of it.") == 2
    assert "keeps no mixing weights" in page.body


def test_names_from_data_cannot_become_markup(
    tmp_path: Path, read_page: PageReader, make_run: "RunWriter", make_scratch_run: "RunWriter"
) -> None:
    hostile = '<script>alert("1")</script>'
    source = "<img src=x onerror=alert(2)>"
    class_names = (hostile, "$\\frac{1}{2}$", "猫")
    run = make_run(tmp_path / "run", source=source, target={"name": hostile}, class_names=class_names)
    scratch = make_scratch_run(tmp_path / "scratch", target={"name": hostile})
    page = read_page(build_report(run, {"<b>scratch</b>": scratch}))
    assert not page.attributes("script")
    assert not page.attributes("b")
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.attributes("img"))
    for text in (*class_names, source, "<b>scratch</b>"):
        assert text in page.body


def test_a_hundred_long_class_names_are_folded_away(
    tmp_path: Path, read_page: PageReader, make_run: "RunWriter"
) -> None:
    names = [f"class {index} with a rather long name" for index in range(100)]
    page = read_page(build_report(make_run(tmp_path / "run", class_names=names)))
    assert "… and 80 more" in page.body
    assert "All 100 classes" in page.text("summary")
    assert names[99] in page.body


def test_without_a_comparison_the_page_says_how_to_get_one(
    tmp_path: Path, read_page: PageReader, make_run: "RunWriter", scratch_page: "Page"
) -> None:
    run = make_run(tmp_path / "run", recipe={"seed": 3, "max_search_images": 200})
    (commands,) = read_page(build_report(run)).text("pre")
    assert commands == (
        "supernet-tl search --target TARGET --epochs 6 --finetune-epochs 4 --channels 8 --num-cells 4 --image-size 16 "
        "--seed 3 --output scratch/ supernet-tl report RUN --compare scratch/"
    )
    assert "this run's other settings too: max_search_images 200" in read_page(build_report(run)).body
    (commands,) = scratch_page.text("pre")
    assert commands.startswith("supernet-tl transfer --target TARGET --zoo ZOO")
    assert "--compare warm/" in commands


def test_with_a_comparison_the_page_gives_no_such_advice(compared_page: "Page") -> None:
    assert compared_page.text("pre") == []


def test_all_runs_are_in_the_legend_and_in_each_plot(compared_page: "Page") -> None:
    page = compared_page
    legend = [text for text in page.text("li") if text.startswith(("warm", "from"))]
    assert legend == ["warm start (mnist5k)", "from scratch"]
    assert page.text("figcaption") == [
        "Search: supernet over epochs",
        "Search: supernet over time",
        "Training the final network",
    ]
    descriptions = [plot["aria-label"] for plot in page.attributes("svg", css="plot")]
    assert "warm start (mnist5k) ends at 87.2\u202f%; from scratch ends at 50.6\u202f%." in descriptions[0]
    for colour in ("var(--run-warm)", "var(--run-scratch)"):
        assert page.source.count(f"stroke: {colour}") >= 3


def test_a_compared_run_of_the_same_name_is_told_from_this_one(
    transfer_run: Path, tmp_path: Path, read_page: PageReader, make_run: "RunWriter"
) -> None:
    other = make_run(tmp_path / "other", recipe={"seed": 1})
    page = read_page(build_report(transfer_run, {"warm start (mnist5k)": other}))
    assert page.text("th", css="run")[:2] == ["warm start (mnist5k) (this run)", "warm start (mnist5k)"]


def test_relative_improvement_is_given_for_supernet_and_final_network(compared_page: "Page") -> None:
    # oracle: (0.914 - 0.844) / 0.844 = 0.08294 and (0.881 - 0.5) / 0.5 = 0.762
    page = compared_page
    lead = page.text("p", css="lead")[0]
    assert "+8.3 % for the final network, +76.2 % for the supernet" in lead
    assert page.rows("relative improvement over scratch (test)") == [["+8.3 %", "baseline"], ["+76.2 %", "baseline"]]


def test_scratchs_best_is_compared_in_epochs(compared_page: "Page") -> None:
    # oracle: scratch is best in its last epoch, 0.506; the transfer first has as much in its second, 0.602
    lead = compared_page.text("p", css="lead")[0]
    assert "50.6 % after 6 epochs, was reached here after 2 epochs" in lead


def test_another_seed_is_no_baseline_and_the_page_says_why(
    transfer_run: Path, tmp_path: Path, read_page: PageReader, make_scratch_run: "RunWriter"
) -> None:
    scratch = make_scratch_run(tmp_path / "scratch", recipe={"seed": 7})
    page = read_page(build_report(transfer_run, {"from scratch": scratch}))
    assert "No run from scratch was given for seed 0" in page.body
    assert page.text("p", css="lead") == []
    assert "+8.3" not in page.body


def test_settings_that_make_a_comparison_unfair_are_shown(
    transfer_run: Path, tmp_path: Path, read_page: PageReader, make_scratch_run: "RunWriter"
) -> None:
    scratch = make_scratch_run(tmp_path / "scratch", recipe={"batch_size": 32, "embedder": "tf_efficientnet_lite0"})
    page = read_page(build_report(transfer_run, {"from scratch": scratch}))
    assert "These runs differ in more than their start" in page.body
    assert page.text("p", css="lead")[0].startswith("A search from scratch with other settings")
    cells = page.text("th", scope="row")
    assert "batch_size" in cells
    assert "embedder" not in cells  # it only chooses a source


def test_time_to_accuracy_lists_epochs_and_seconds(compared_page: "Page") -> None:
    # oracle: half a second an epoch from mnist5k, 0.6 s from scratch; the fixture's accuracies read by eye
    assert compared_page.rows("50 %") == [["2", "1.0 s", "6", "3.6 s"]]
    assert compared_page.rows("85 %") == [["4", "2.0 s", "not in 6", "—"]]
    assert compared_page.rows("90 %") == [["not in 6", "—", "not in 6", "—"]]
    assert compared_page.rows("the best from scratch (50.6 %)") == [["2", "1.0 s", "6", "3.6 s"]]


def test_the_ranking_is_nearest_first_with_the_chosen_source_marked(
    tmp_path: Path, read_page: PageReader, make_run: "RunWriter", make_ranked: Maker
) -> None:
    ranking = [make_ranked("near", 100.0), make_ranked("middle", 400.0, chosen=True), make_ranked("far", 900.0)]
    page = read_page(build_report(make_run(tmp_path / "run", source="middle", select="middle", ranking=ranking)))
    (table,) = page.text("table", css="ranking")
    assert table.index("near") < table.index("middle") < table.index("far")
    assert page.text("tr", css="chosen")[0].startswith("middle chosen")
    assert len(page.attributes("tr", css="chosen")) == 1


def test_the_ranking_states_its_unit_rows_draws_and_exclusions(
    tmp_path: Path, read_page: PageReader, make_run: "RunWriter"
) -> None:
    excluded = [{"entry": "cd" * 32, "reason": "its space is 's2', not 's1'"}]
    body = read_page(build_report(make_run(tmp_path / "run", excluded=excluded))).body
    assert "OTDD in embedding units, nearest first; 200 rows of the target against as many of each source" in body
    assert "mean of 3 seeded draws of rows" in body
    assert "cdcdcdcdcdcd: its space is 's2', not 's1'" in body


def test_a_search_from_scratch_has_no_ranking(scratch_page: "Page") -> None:
    page = scratch_page
    assert not page.attributes("table", css="ranking")
    assert "Why this source" not in page.body


@pytest.mark.parametrize("space", ["s1", "s5", "darts"])
def test_the_drawn_cells_have_the_edges_of_the_genotype(
    tmp_path: Path, space: str, read_page: PageReader, make_run: "RunWriter"
) -> None:
    run = make_run(tmp_path / "run", recipe={"space": space})
    # oracle: the genotype in the run's summary, read by darts
    genotype = darts.Genotype.from_dict(read_json(run / "summary.json")["genotype"])
    drawn = {
        (op["data-primitive"], int(op["data-source"]), int(op["data-target"]))
        for op in read_page(build_report(run)).attributes("g", css="op")
    }
    assert drawn == {*genotype.edges(reduction=False), *genotype.edges(reduction=True)}


def test_heat_maps_name_each_edges_own_primitives(transfer_page: "Page") -> None:
    page = transfer_page
    heads = [text for text in page.text("th", scope="row") if "→" in text]
    assert len(heads) == 2 * darts.S1.num_edges
    assert heads[0].endswith("0→2")
    assert {"skip_connect", "dil_conv_3x3"} <= set(page.text("span"))
    assert len(page.attributes("td", css="kept")) == 16  # two edges for each of four nodes, in both cells


def test_heat_maps_of_a_uniform_space_name_primitives_once(
    tmp_path: Path, read_page: PageReader, make_run: "RunWriter"
) -> None:
    page = read_page(build_report(make_run(tmp_path / "run", recipe={"space": "darts"})))
    heads = page.text("th", css="primitive")
    assert heads == 2 * [name.replace("_", " ") for name in darts.SPACES["darts"].normal[0]]


def test_tables_have_scoped_headers_and_pictures_have_words(compared_page: "Page") -> None:
    page = compared_page
    assert all("scope" in head for head in page.attributes("th"))
    assert all("alt" in image for image in page.attributes("img"))
    assert all("aria-label" in svg or svg.get("aria-hidden") == "true" for svg in page.attributes("svg"))


def test_no_two_elements_share_an_id(compared_page: "Page") -> None:
    page = compared_page
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_same_run_gives_the_same_page(transfer_run: Path, scratch_run: Path) -> None:
    first = build_report(transfer_run, {"from scratch": scratch_run}).read_bytes()
    assert build_report(transfer_run, {"from scratch": scratch_run}).read_bytes() == first


def test_an_old_page_stays_when_a_new_one_cannot_be_written(
    transfer_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = build_report(transfer_run)
    before = page.read_bytes()

    def fails(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.replace", fails)
    with pytest.raises(OSError, match="no space left"):
        build_report(transfer_run)
    assert page.read_bytes() == before
    assert not list(transfer_run.glob(".report.html*"))
