import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from ot_select import EmbedderIdentity
from ot_select.embedding.cache import EmbeddingCache, image_keys

IDENTITY = EmbedderIdentity("net", "0" * 64, 32, 6)


def kept(folder: Path, num_rows: int = 40) -> tuple[list[bytes], torch.Tensor]:
    """A cache with rows in it, in a folder of its own; their keys and features."""
    keys = [bytes([row] * 32) for row in range(num_rows)]
    features = torch.arange(num_rows * 6, dtype=torch.float32).reshape(num_rows, 6)
    cache = EmbeddingCache(folder, IDENTITY)
    cache.add(keys, features)
    cache.flush()
    return keys, features


def test_features_are_found_by_their_keys_and_no_others(tmp_path: Path) -> None:
    keys, features = kept(tmp_path)
    found = EmbeddingCache(tmp_path, IDENTITY).find([keys[3], b"?" * 32, keys[0]])
    assert set(found) == {keys[3], keys[0]}
    assert torch.equal(found[keys[3]], features[3])
    other = EmbedderIdentity("net", "0" * 64, 33, 6)
    assert EmbeddingCache(tmp_path, other).find(keys) == {}


def test_more_keys_than_a_query_may_have_are_found(tmp_path: Path) -> None:
    keys = [number.to_bytes(32, "big") for number in range(1203)]
    cache = EmbeddingCache(tmp_path, IDENTITY)
    cache.add(keys, torch.rand(1203, 6, generator=torch.Generator().manual_seed(0)))
    cache.flush()
    assert set(EmbeddingCache(tmp_path, IDENTITY).find(keys)) == set(keys)


def test_a_key_is_of_one_image_and_its_shape() -> None:
    images = torch.randint(0, 256, (3, 3, 4, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    keys = image_keys(images)
    assert len(set(keys)) == 3
    assert image_keys(images[1:2]) == [keys[1]]
    assert image_keys(images.contiguous(memory_format=torch.channels_last)) == keys
    assert set(image_keys(images.reshape(3, 3, 6, 4))).isdisjoint(keys)


def test_a_thousand_images_take_little_more_than_their_features(tmp_path: Path) -> None:
    identity = EmbedderIdentity("net", "0" * 64, 32, 512)
    cache = EmbeddingCache(tmp_path, identity)
    cache.add([number.to_bytes(32, "big") for number in range(1000)], torch.zeros(1000, 512))
    cache.flush()
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size < 1.2 * 1000 * 512 * 4


def _flip(content: bytes) -> bytes:
    """A byte of the last row's features is another."""
    place = content.index(torch.arange(234.0, 240.0).numpy().tobytes())
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte of a row": _flip,
    "cut short": lambda content: content[:-5000],
    "cut to a stump": lambda content: content[:50],
    "emptied": lambda content: b"",
    "another file": lambda content: b"not a database at all" * 1000,
    "a torn page": lambda content: content[:16384] + bytes(16384) + content[32768:],
    "nothing but zeros": lambda content: bytes(len(content)),
    "a format of the future": lambda content: content[:47] + b"\x09" + content[48:],  # SQLite's own: 1 to 4
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_counts_as_absent_and_can_be_written_again(damage: str, tmp_path: Path) -> None:
    keys, features = kept(tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    found = EmbeddingCache(tmp_path, IDENTITY).find(keys)
    assert len(found) < len(keys)
    for key, row in found.items():
        assert torch.equal(row, features[keys.index(key)])
    kept(tmp_path)
    again = EmbeddingCache(tmp_path, IDENTITY).find(keys)
    assert torch.equal(torch.stack([again[key] for key in keys]), features)


def test_a_damaged_file_is_replaced_by_a_writer_that_did_not_read_it(tmp_path: Path) -> None:
    kept(tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"not a database at all" * 1000)
    keys, _ = kept(tmp_path)
    assert len(EmbeddingCache(tmp_path, IDENTITY).find(keys)) == len(keys)


def test_a_file_with_a_table_of_other_columns_is_replaced(tmp_path: Path) -> None:
    keys, _ = kept(tmp_path)
    (file,) = tmp_path.iterdir()
    with sqlite3.connect(file) as connection:
        connection.execute("ALTER TABLE features DROP COLUMN sha256")
    connection.close()
    assert EmbeddingCache(tmp_path, IDENTITY).find(keys) == {}
    kept(tmp_path)
    assert len(EmbeddingCache(tmp_path, IDENTITY).find(keys)) == len(keys)


def test_a_file_that_another_process_is_about_to_fill_is_left_alone(tmp_path: Path) -> None:
    kept(tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"")
    assert EmbeddingCache(tmp_path, IDENTITY).find([b"?" * 32]) == {}
    assert file.exists()


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """A folder that cannot be searched, by a user who is not root, to whom every folder is open."""
    user = os.geteuid()
    folder.chmod(0)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)


def test_a_folder_that_cannot_be_searched_costs_a_warning_and_no_features(tmp_path: Path) -> None:
    keys, features = kept(tmp_path)
    cache = EmbeddingCache(tmp_path, IDENTITY)
    with closed(tmp_path):
        assert cache.find(keys) == {}
        cache.add(keys, features)
        with pytest.warns(UserWarning, match=r"could not be kept in .* Set SUPERNET_TL_CACHE to a folder"):
            cache.flush()
    assert set(EmbeddingCache(tmp_path, IDENTITY).find(keys)) == set(keys)


def test_one_damaged_row_costs_only_itself(tmp_path: Path) -> None:
    keys, _ = kept(tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(_flip(file.read_bytes()))
    assert len(EmbeddingCache(tmp_path, IDENTITY).find(keys)) == len(keys) - 1


def test_values_of_other_types_or_lengths_count_as_absent(tmp_path: Path) -> None:
    keys, _ = kept(tmp_path)
    (file,) = tmp_path.iterdir()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE features SET value = 'text' WHERE image = ?", [keys[0]])
        connection.execute("UPDATE features SET value = NULL WHERE image = ?", [keys[1]])
        connection.execute("UPDATE features SET sha256 = 3 WHERE image = ?", [keys[2]])
        connection.execute("UPDATE features SET value = substr(value, 5) WHERE image = ?", [keys[3]])
        connection.execute("UPDATE features SET value = CAST(x'ff' AS TEXT) WHERE image = ?", [keys[4]])  # no UTF-8
    connection.close()
    assert set(EmbeddingCache(tmp_path, IDENTITY).find(keys)) == set(keys[5:])


def test_rows_are_held_back_and_written_together(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, IDENTITY)
    cache.add([b"a" * 32], torch.ones(1, 6))
    assert not list(tmp_path.iterdir())
    cache.flush()
    assert set(cache.find([b"a" * 32])) == {b"a" * 32}
