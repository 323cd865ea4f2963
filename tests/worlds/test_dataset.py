"""A dataset is whole, hashed, and the same whether it was written in one go or after a kill."""

import hashlib
import json
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from worldloom.core.error import UsageError
from worldloom.core.video import decode_bytes
from worldloom.worlds.dataset import write_dataset
from worldloom.worlds.plan import DatasetPlan
from worldloom.worlds.recaption import recaption

PLAN = DatasetPlan(
    6, seed=40, families=("bounce", "occluder"), shard_takes=2, supersample=1, wordings=2, long=0.0
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "whole"
    write_dataset(PLAN, folder, workers=1, quiet=True)
    return folder


def hashes(folder: Path) -> dict[str, str]:
    return {name: entry["sha256"] for name, entry in json.loads((folder / "shards.json").read_text()).items()}


def test_index_and_shards_agree(dataset: Path) -> None:
    lines = [json.loads(line) for line in (dataset / "index.jsonl").read_text().splitlines()]
    assert [line["key"] for line in lines] == [f"{40 + i:09d}" for i in range(6)]
    for line in lines:
        with tarfile.open(dataset / line["shard"]) as tar:
            names = {member.name for member in tar}
            pixels = f"{line['key']}.{'png' if line['picture'] else 'mp4'}"
            assert {pixels, f"{line['key']}.json"} <= names
            file = tar.extractfile(pixels)
            assert file is not None
            frames = decode_bytes(file.read())
        assert frames.shape == (line["num_frames"], line["height"], line["width"], 3)


def test_hashes_are_those_of_the_files(dataset: Path) -> None:
    for name, expected in hashes(dataset).items():
        assert hashlib.sha256((dataset / name).read_bytes()).hexdigest() == expected


def test_captions_come_in_both_languages_and_all_lengths(dataset: Path) -> None:
    with tarfile.open(dataset / "shard-00000.tar") as tar:
        file = tar.extractfile("000000040.json")
        assert file is not None
        captions = json.load(file)["captions"]
    assert {language: set(captions[language]) for language in captions} == {
        "en": {"short", "medium", "dense"},
        "zh": {"short", "medium", "dense"},
    }
    assert all(len(set(texts)) == 2 for lengths in captions.values() for texts in lengths.values())


def test_a_killed_writer_goes_on_to_the_same_files(dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    program = (
        "import sys; from pathlib import Path; from worldloom.worlds.dataset import write_dataset;"
        "from worldloom.worlds.plan import DatasetPlan\n"
        f"if __name__ == '__main__': write_dataset({PLAN!r}, Path(sys.argv[1]), workers=1, quiet=True)"
    )
    script = tmp_path / "write.py"
    script.write_text(program)
    process = subprocess.Popen([sys.executable, str(script), str(folder)])
    while not list(folder.glob("shards/*.json")):
        assert process.poll() is None, "the writer ended before its first shard"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(2)  # its worker notices between two takes
    write_dataset(PLAN, folder, workers=1, quiet=True)
    assert hashes(folder) == hashes(dataset)
    assert (folder / "index.jsonl").read_bytes() == (dataset / "index.jsonl").read_bytes()
    assert not list(folder.glob(".*part*"))


def test_writing_again_renders_nothing(dataset: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in dataset.glob("*.tar")}
    assert write_dataset(PLAN, dataset, workers=1, quiet=True)["takes"] == 6
    assert {path: path.stat().st_mtime_ns for path in dataset.glob("*.tar")} == before


def test_other_settings_in_the_same_folder_are_refused(dataset: Path) -> None:
    with pytest.raises(UsageError, match="other settings"):
        write_dataset(DatasetPlan(7, seed=40), dataset, workers=1, quiet=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"takes": 0}, "at least 1 take"),
        ({"families": ("nope",)}, "nope"),
        ({"pictures": 1.5}, "share from 0 to 1"),
    ],
)
def test_impossible_plans_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        DatasetPlan(**{"takes": 4, **changes})


def test_recaptioning_changes_words_and_not_pixels(tmp_path: Path) -> None:
    folder = tmp_path / "words"
    write_dataset(
        DatasetPlan(2, seed=40, families=("bounce",), supersample=1, wordings=0, long=0.0),
        folder,
        workers=1,
        quiet=True,
    )
    with tarfile.open(folder / "shard-00000.tar") as tar:
        before = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert recaption(folder, 3, quiet=True)["takes"] == 2
    with tarfile.open(folder / "shard-00000.tar") as tar:
        after = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    for name, content in after.items():
        if name.endswith(".json"):
            assert len(json.loads(content)["captions"]["en"]["dense"]) == 3
            assert json.loads(before[name])["truth"] == json.loads(content)["truth"]
        else:
            assert content == before[name]
    assert (
        hashes(folder)["shard-00000.tar"]
        == hashlib.sha256((folder / "shard-00000.tar").read_bytes()).hexdigest()
    )
