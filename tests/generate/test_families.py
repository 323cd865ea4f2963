"""The table of other families: how a folder is told, and what is refused from the table alone."""

from pathlib import Path

import pytest

from worldloom.core.error import UsageError
from worldloom.core.file import write_json
from worldloom.generate import families
from worldloom.generate.families import FAMILIES, family_of
from worldloom.generate.size import Size

HUNYUAN = "HunyuanVideo15Pipeline"


def folder(path: Path, pipeline: str, **transformer: object) -> Path:
    (path / "transformer").mkdir(parents=True)
    write_json(path / "model_index.json", {"_class_name": pipeline})
    write_json(path / "transformer" / "config.json", transformer)
    return path


@pytest.mark.parametrize("row", FAMILIES, ids=lambda row: f"{row.name} {row.from_words or row.from_picture}")
def test_every_row_is_sound(row: families.Family, tmp_path: Path) -> None:
    assert row.check_size(row.size) == row.size
    assert row.whole_count(row.num_frames) == row.num_frames
    assert row.whole_count(row.longest) == row.longest
    for name in {row.from_words, row.from_picture} - {None}:
        marks = dict([row.mark] if row.mark else [])
        assert family_of(folder(tmp_path / name, name, **marks)) is row


@pytest.mark.parametrize(
    ("pipeline", "transformer", "name", "size"),
    [
        ("CogVideoXPipeline", {"patch_size_t": None}, "CogVideoX", "720x480"),
        ("CogVideoXPipeline", {"patch_size_t": 2}, "CogVideoX 1.5", "1360x768"),
        (HUNYUAN, {"target_size": 640}, "HunyuanVideo 1.5", "848x480"),
        (HUNYUAN, {"target_size": 960}, "HunyuanVideo 1.5", "1280x720"),
    ],
)
def test_versions_are_told_apart(
    pipeline: str, transformer: dict[str, object], name: str, size: str, tmp_path: Path
) -> None:
    family = family_of(folder(tmp_path / "model", pipeline, **transformer))
    assert family is not None and (family.name, str(family.size)) == (name, size)


def test_our_own_and_no_folders_are_nobody_elses(tmp_path: Path) -> None:
    assert family_of(folder(tmp_path / "wan", "WanImageToVideoPipeline")) is None
    assert family_of(tmp_path) is None
    assert family_of("tiny") is None


def test_a_stranger_is_named_with_those_that_run(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"holds a StableDiffusionPipeline, .* Wan, LTX-Video, LTX-2, Hunyuan"
    ):
        family_of(folder(tmp_path / "model", "StableDiffusionPipeline"))


def test_sizes_are_whole_patches() -> None:
    with pytest.raises(UsageError, match="multiples of 32; nearest: 704x480"):
        families.LTX.check_size(Size(704, 481))
    with pytest.raises(UsageError, match="nearest: 32x32"):
        families.LTX.check_size(Size(1, 1))


@pytest.mark.parametrize(("needed", "painted"), [(1, 1), (2, 7), (7, 7), (8, 13), (163, 163)])
def test_counts_are_rounded_up(needed: int, painted: int) -> None:
    assert families.MOCHI.whole_count(needed) == painted


def test_too_many_frames_are_refused() -> None:
    with pytest.raises(UsageError, match=r"Mochi 1 paints at most 163 frames .*5\.4 s at 30 .* not 164"):
        families.MOCHI.whole_count(164)


def test_what_a_pipeline_begins_with() -> None:
    assert families.LTX.pipeline_for(has_picture=True) == "LTXImageToVideoPipeline"
    assert families.LTX.pipeline_for(has_picture=False) == "LTXPipeline"
    with pytest.raises(UsageError, match=r"Mochi 1 takes no first picture: it generates from words$"):
        families.MOCHI.pipeline_for(has_picture=True)
    with pytest.raises(
        UsageError, match=r"Cosmos Predict2 needs a first picture .* from words and a first picture$"
    ):
        families.COSMOS_2.pipeline_for(has_picture=False)
