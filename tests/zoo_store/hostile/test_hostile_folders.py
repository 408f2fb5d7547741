"""Folders made to do harm: nothing outside of them is read, nothing in them is opened that is no regular file."""

import os
import resource
import shutil
import socket
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest

import zoo_store
from tests.zoo_store.hostile.intruder import put, refused
from zoo_store import Problem, Zoo, ZooEntry, ZooReadError, ZooWriteError

EntryMaker = Callable[..., ZooEntry]
FILES = ["README.md", "card.json", "manifest.json", "sketch.safetensors", "supernet.safetensors"]


def a_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    with chdir(path.parent), socket.socket(socket.AF_UNIX) as end:  # such a name may only be short
        end.bind(path.name)


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "card.json").write_bytes(b"{}")


SPECIAL: dict[Callable[[Path], None], str] = {
    a_link: "is a symbolic link; expected a regular file",
    a_link_to_nothing: "is a symbolic link; expected a regular file",
    a_link_to_itself: "is a symbolic link; expected a regular file",
    a_pipe: "is not a regular file",
    a_socket: "is not a regular file",
    a_folder: "is not a regular file",
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("make", SPECIAL)
def test_what_is_no_regular_file_is_not_opened(
    zoo: Zoo, entry_id: str, file: str, make: Callable[[Path], None]
) -> None:
    (zoo.path / entry_id / file).unlink()
    make(zoo.path / entry_id / file)
    open_before = len(os.listdir("/proc/self/fd"))
    refused(zoo, entry_id, file, SPECIAL[make])
    assert len(os.listdir("/proc/self/fd")) == open_before


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser may make devices")
def test_a_device_is_not_opened(zoo: Zoo, entry_id: str) -> None:
    path = zoo.path / entry_id / "card.json"
    path.unlink()
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # endless zeros
    except PermissionError:
        pytest.skip("this system allows no devices")
    refused(zoo, entry_id, "card.json", "is not a regular file")


@pytest.mark.parametrize(
    "name",
    ["weights.pkl", "CARD.JSON", "card.json ", "card.json.", "a\\card.json", "C:\\x", "cARD.json", "manifest.json~"],
)
def test_a_file_of_another_name_does_not_belong_there(zoo: Zoo, entry_id: str, name: str) -> None:
    (zoo.path / entry_id / name).write_bytes(b"cos\nsystem\n")
    with pytest.raises(zoo_store.CorruptEntryError, match="does not belong there; an entry has exactly"):
        zoo.get(entry_id)
    assert [problem.file for problem in zoo.verify()] == [name]


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nzoo entry", "\u202egpj.exe", os.fsdecode(b"\xff")])
def test_a_name_that_would_steer_a_terminal_is_told_in_signs_that_do_not(zoo: Zoo, entry_id: str, name: str) -> None:
    (zoo.path / entry_id / name).touch()
    (problem,) = zoo.verify()
    assert str(problem).isprintable()
    assert ascii(name) in str(problem)


def test_a_folder_within_an_entry_does_not_belong_there(zoo: Zoo, entry_id: str) -> None:
    shutil.copytree(zoo.path / entry_id, zoo.path / entry_id / "copy")
    with pytest.raises(zoo_store.CorruptEntryError, match="copy does not belong there; an entry has exactly"):
        zoo.get(entry_id)


def test_an_entry_that_is_a_link_is_not_followed_and_its_removal_spares_what_it_points_to(
    zoo: Zoo, entry_id: str, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (zoo.path / entry_id).rename(outside)
    (zoo.path / entry_id).symlink_to(outside)
    refused(zoo, entry_id, "the folder", "is a file or a symbolic link; expected a folder of its own")

    zoo.remove(entry_id)
    assert len(zoo) == 0
    assert len(os.listdir(outside)) == 5


@pytest.mark.parametrize("name", ["quarantine", "aliases"])
def test_nothing_is_moved_or_read_through_a_link_in_the_place_of_a_folder_of_the_zoo(
    zoo: Zoo, entry_id: str, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (zoo.path / name).symlink_to(outside)
    if name == "quarantine":
        with pytest.raises(ZooWriteError, match=rf"could not set {entry_id} aside .*quarantine is a symbolic link"):
            zoo.quarantine(entry_id)
    else:
        (outside / "mine.json").write_bytes(b"{}")
        assert zoo.aliases() == {}
        assert zoo.verify() == [Problem(None, "aliases", "is a symbolic link; expected a folder")]
        with pytest.raises(ZooReadError, match=r"could not read aliases/mine.json .*aliases is a symbolic link"):
            zoo.resolve("mine")
        with pytest.raises(ZooWriteError, match=r"could not write the aliases .*aliases is a symbolic link"):
            zoo.set_alias("mine", entry_id)
    assert sorted(os.listdir(outside)) == ([] if name == "quarantine" else ["mine.json"])
    assert entry_id in zoo


def test_names_that_look_like_ids_but_are_none_are_ignored(zoo: Zoo, entry_id: str) -> None:
    for name in (entry_id.upper(), entry_id[:-1], f"{entry_id}0", f"{entry_id}\n", f".{entry_id}", "..."):
        shutil.copytree(zoo.path / entry_id, zoo.path / name)
    assert list(zoo) == [entry_id]
    assert zoo.verify() == []


def test_a_file_for_which_there_is_no_memory_is_told_and_not_called_damaged(zoo: Zoo, entry_id: str) -> None:
    # A file without blocks on the disk takes none, however large it is. Oracle: the system's limit on memory.
    folder, size = zoo.path / entry_id, 1 << 36
    put(folder, "supernet.safetensors", b"")
    manifest = (folder / "manifest.json").read_text().replace('"size": 0', f'"size": {size}')
    (folder / "manifest.json").write_text(manifest)
    os.truncate(folder / "supernet.safetensors", size)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size, hard))
    try:
        (problem,) = zoo.verify()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert f"there is no memory for its {size} bytes" in str(problem)
    assert not problem.damaged
