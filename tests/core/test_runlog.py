"""The run's diary survives kills and tells one story after a resume."""

import json
import math

import pytest

from worldloom.core.runlog import RunLog, read_log


def write(folder, steps, **settings):
    with RunLog(folder, tensorboard=False, **settings) as log:
        for step in steps:
            log.scalar("loss", 1 / (step + 1), step)


def test_scalars_and_events_come_back_in_order(tmp_path):
    with RunLog(tmp_path, tensorboard=False) as log:
        log.scalar("loss/train", 0.5, 1)
        log.event({"kind": "sample", "step": 1, "prompt": "红球", "sizes": (1, 2)})
    first, second = read_log(tmp_path)
    assert (first["name"], first["value"], first["step"]) == ("loss/train", 0.5, 1)
    assert (second["prompt"], second["sizes"]) == ("红球", [1, 2])
    assert first["time"] <= second["time"]


def test_every_line_is_on_disk_at_once(tmp_path):
    log = RunLog(tmp_path, tensorboard=False)
    log.scalar("loss", 1.0, 0)
    assert len(read_log(tmp_path)) == 1  # as after kill -9, before close
    log.close()


def test_numbers_that_json_lacks_are_readable(tmp_path):
    with RunLog(tmp_path, tensorboard=False) as log:
        log.scalar("loss", math.nan, 0)
        log.event({"range": [math.inf, -math.inf]})
    records = read_log(tmp_path)
    assert math.isnan(float(records[0]["value"]))
    assert [float(value) for value in records[1]["range"]] == [math.inf, -math.inf]
    for line in (tmp_path / "log.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_resume_drops_what_the_killed_attempt_did_past_its_checkpoint(tmp_path):
    write(tmp_path, range(10))
    write(tmp_path, range(6, 12), keep_until=5)
    assert [record["step"] for record in read_log(tmp_path)] == list(range(12))


def test_half_a_line_is_dropped(tmp_path):
    write(tmp_path, range(3))
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"time": 1, "na')
    write(tmp_path, [3])
    assert [record["step"] for record in read_log(tmp_path)] == [0, 1, 2, 3]


def test_tensorboard_gets_the_scalars(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with RunLog(tmp_path) as log:
        for step in range(3):
            log.scalar("loss", step / 4, step)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(point.step, point.value) for point in events.Scalars("loss")] == [(0, 0.0), (1, 0.25), (2, 0.5)]
