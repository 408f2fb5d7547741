"""The table of Meta-Album, held against a second transcription."""

from __future__ import annotations

from collections import Counter

import pytest

from supernet_tl.data.album.table import VERSIONS, album_sets, album_versions

# Oracle: rows copied by hand, apart from the table, from the info files of Meta-Album's site: tag, domain, name; the
# classes and images of each version; the three numbers of OpenML.
ROWS = [
    ("BRD", "Large Animals", "Birds", (20, 800), (315, 12600), (315, 49054), (44241, 44285, 44320)),
    ("PLK", "Small Animals", "Plankton", (20, 800), (86, 3440), (102, 473273), (44238, 44282, 44317)),
    ("DOG", "Large Animals", "Dogs", (20, 800), (120, 4800), (120, 20480), (44313, 44298, 44331)),
    ("RSD", "Remote Sensing", "RSD", (20, 800), (38, 1520), (43, 43825), (44277, 44307, 44341)),
    ("PRT", "Microscopy", "Subcellular Human Protein", (20, 800), (21, 840), (21, 15050), (44278, 44308, 44342)),
    ("PLT_NET", "Plants", "PlantNet", (20, 800), (25, 1000), (25, 120688), (44249, 44293, 44327)),
    ("ACT_40", "Human Actions", "Stanford 40 Actions", (20, 800), (39, 1560), (40, 3389), (44247, 44291, 44325)),
    ("BTS", "Vehicles", "Boats", (20, 800), (26, 1040), (26, 138367), (44279, 44309, 44343)),
    ("MED_LF", "Plant Diseases", "Medicinal Leaf", (20, 800), (25, 1000), (26, 1596), (44314, 44299, 44332)),
    ("TEX_ALOT", "Manufacturing", "Textures-ALOT", (20, 800), (250, 10000), (250, 25000), (44274, 44304, 44337)),
]
# Oracle: the 27 tags in the order of the paper's table 1.
PAPER27 = """BCT PLK FLW SPT BRD PLT_VIL TEX CRS RESISC ACT_40 INS_2 PLT_NET TEX_DTD APL PNU DOG MED_LF RSICB
             ACT_410 FNG PLT_DOC TEX_ALOT AWA INS RSD PRT BTS""".split()


def test_thirty_sets_of_ten_domains_have_87_datasets_of_openml_each_with_its_own_number() -> None:
    assert len(album_sets()) == 30
    assert Counter(album_set.number for album_set in album_sets()) == {0: 10, 1: 10, 2: 10}
    assert set(Counter(album_set.domain for album_set in album_sets()).values()) == {3}
    assert set(Counter(album_set.domain_code for album_set in album_sets()).values()) == {3}
    ids = [version.openml_id for version in album_versions()]
    assert len(ids) == len(set(ids)) == 87
    assert {44311, 44339}.isdisjoint(ids)


def test_the_paper_uses_all_sets_but_those_of_characters() -> None:
    assert {album_set.tag for album_set in album_sets() if album_set.in_paper27} == set(PAPER27)
    assert len(PAPER27) == 27


def test_sets_of_characters_have_no_extended_and_may_not_be_mirrored() -> None:
    for album_set in album_sets():
        of_characters = album_set.domain_code == "OCR"
        assert album_set.mirror_safe is not of_characters
        assert [version.version for version in album_set.versions] == list(VERSIONS[: 2 if of_characters else 3])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_rows_agree_with_a_second_transcription(row: tuple[object, ...]) -> None:
    tag, domain, name, *numbers, ids = row
    album_set = next(known for known in album_sets() if known.tag == tag)
    assert (album_set.domain, album_set.name) == (domain, name)
    assert [(v.num_classes, v.num_images) for v in album_set.versions] == numbers
    assert tuple(version.openml_id for version in album_set.versions) == ids


def test_numbers_on_which_the_sources_disagree_are_not_known() -> None:
    unknown = {(v.name, v.num_classes, v.num_images) for v in album_versions() if v.num_images is None}
    # Oracle: PNU has 19 classes in all, so Micro cannot have 20; INS Mini has 4110 images, or 4160.
    assert unknown == {("PNU/Micro", None, None), ("INS/Mini", 104, None)}


def test_mini_has_forty_images_a_class_and_micro_twenty_classes_of_forty() -> None:
    # Oracle: Meta-Album's own definition of its versions.
    for version in album_versions():
        if version.version != "Extended" and version.num_images is not None and version.num_classes is not None:
            assert version.num_images == 40 * version.num_classes
            assert version.version == "Mini" or version.num_classes == 20


def test_every_set_says_under_which_licence_it_may_be_used() -> None:
    assert all(album_set.licence for album_set in album_sets())
    assert {s.tag: s.licence for s in album_sets()}["CRS"] == "ImageNet License"


def test_a_version_knows_how_users_openml_and_archives_call_it() -> None:
    version = next(version for version in album_versions() if version.openml_id == 44296)
    assert (version.name, version.folder) == ("MD_5_BIS/Mini", "MD_5_BIS_Mini")
    assert version.openml_name == "Meta_Album_MD_5_BIS_Mini"
    assert version.album_set.tag == "MD_5_BIS"
