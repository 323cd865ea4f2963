from pathlib import Path

from worldloom.core.file import write_json
from worldloom.data.manifest import Manifest, Sample
from worldloom.training.parts import left_out


def manifest(root: Path, *plans: dict[str, object]) -> Manifest:
    samples = []
    for number, plan in enumerate(plans):
        folder = root / str(number)
        folder.mkdir()
        write_json(folder / "dataset.json", plan)
        samples.append(Sample("0", folder, "shard-00000.tar", "bounce", 0, 128, 128, 17, 16.0, False))
    return Manifest(tuple(samples))


def test_a_composition_is_left_out_when_no_folder_can_show_it(tmp_path: Path) -> None:
    both = {"families": ["bounce", "ramp"], "held_out": ["bounce purple", "ramp cyan"]}
    ramps = {"families": ["ramp"], "held_out": []}
    assert left_out(manifest(tmp_path, both, ramps)) == ("bounce purple",)


def test_takes_rendered_without_exclusions_leave_out_nothing(tmp_path: Path) -> None:
    assert left_out(manifest(tmp_path, {"families": ["bounce"]}, {"maker": "someone else"})) == ()
