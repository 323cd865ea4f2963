"""The autoencoder's figures: a perfect copy scores high, a blur loses the small ball."""

from pathlib import Path

import numpy as np
import pytest

from worldloom.core.error import UsageError
from worldloom.evaluate.command import evaluate
from worldloom.evaluate.reconstruction import (
    IN_ONE_PASS,
    Tally,
    evaluate_reconstruction,
    moving_pixels,
    small_ball_contrasts,
)
from worldloom.vae.autoencoder import Autoencoder
from worldloom.vae.presets import debug
from worldloom.worlds.render import render_take
from worldloom.worlds.take import Take


@pytest.fixture(scope="module")
def take() -> Take:
    return render_take("bounce", 2, width=48, height=48, num_frames=9, supersample=2, masks=True, wordings=0)


def test_psnr_is_that_of_the_mean_squared_error() -> None:
    tally = Tally()
    assert tally.psnr is None
    tally.add(np.full((4, 3), 0.1))
    assert tally.psnr == pytest.approx(20.0)
    tally.add(np.zeros((4, 3)))
    assert tally.psnr == pytest.approx(20 + 10 * np.log10(2))


def test_moving_pixels_are_inside_masks_and_not_in_the_first_frame(take: Take) -> None:
    moving = moving_pixels(take)
    assert take.masks is not None
    assert moving[1:].any() and not moving[0].any()
    assert not (moving & (take.masks == 0)).any()


def test_a_copy_keeps_small_balls_and_a_flat_picture_loses_them(take: Take) -> None:
    assert small_ball_contrasts(take, take.frames) == pytest.approx(
        [1.0] * len(small_ball_contrasts(take, take.frames))
    )
    assert small_ball_contrasts(take, take.frames), "this take has a ball 6 to 10 pixels wide"
    flat = np.broadcast_to(take.frames.mean((1, 2), keepdims=True).astype(np.uint8), take.frames.shape)
    assert all(abs(contrast) < 0.05 for contrast in small_ball_contrasts(take, np.ascontiguousarray(flat)))


def test_every_family_gets_a_row_and_all_of_them_one() -> None:
    rows = evaluate_reconstruction(Autoencoder(debug()).eval(), 2, quiet=True)
    assert set(rows) == {"basketball", "billiards", "all"}
    assert rows["all"]["takes"] == 2
    assert 0 < rows["all"]["psnr"] < 30  # random weights paint noise


def test_passes_that_are_several_are_told_beside_one(monkeypatch: pytest.MonkeyPatch) -> None:
    vae = Autoencoder(debug()).eval()
    monkeypatch.setattr(vae, "encode", lambda video: video)
    monkeypatch.setattr(
        vae, "decode", lambda latents: latents / 2
    )  # half is lost in a pass, a quarter in two
    plain, rows = (evaluate_reconstruction(vae, 1, passes, quiet=True) for passes in (1, 2))
    assert set(rows) - set(plain) == {IN_ONE_PASS}
    assert rows[IN_ONE_PASS] == plain["all"]
    assert rows["all"]["psnr"] - plain["all"]["psnr"] == pytest.approx(20 * np.log10(2), abs=0.1)


def test_the_suite_reads_a_folder_and_writes_a_report(tmp_path: Path) -> None:
    Autoencoder(debug()).save(tmp_path / "model" / "vae")
    result, text = evaluate(
        "autoencoder", str(tmp_path / "model"), output=tmp_path / "out", takes=1, quiet=True
    )
    assert result["lines"][0]["what"] == "all: PSNR" and result["lines"][0]["model"]["count"] == 1
    assert result["lines"][0]["met"] is False and "PSNR of moving objects" in text
    assert (tmp_path / "out" / "autoencoder.json").is_file()
    with pytest.raises(UsageError, match="exists already"):
        evaluate("autoencoder", str(tmp_path / "model"), output=tmp_path / "out", takes=1, quiet=True)
