"""Models whose blocks stream from disk give the bits of loaded ones, and hold two blocks only while they work."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests import tiny
from worldloom.core.checkpoint import save_tensors
from worldloom.core.error import Failure, UsageError
from worldloom.core.weights import Weights
from worldloom.dit.model import Transformer
from worldloom.nn.placing import check_offload
from worldloom.nn.streamed import StreamedBlocks
from worldloom.text.encoder import TextEncoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.shared_checkpoint(tmp_path_factory)


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
@torch.inference_mode()
def test_streamed_models_give_the_same_bits(folder: Path, dtype: torch.dtype | None) -> None:
    ids, lengths = tiny.tokenizer().pad(tiny.tokenizer().encode(list(tiny.CAPTIONS)))
    latents, t = torch.randn(4, 4, 3, 4, 4), torch.rand(4)
    results = []
    for offload in ("none", "disk"):
        encoder = TextEncoder.load(folder / "text_encoder", dtype=dtype, offload=offload)
        transformer = Transformer.load(folder / "transformer", dtype=dtype, offload=offload)
        context = transformer.prepare_text(encoder(ids, lengths), lengths)
        results.append(transformer(latents, t, context))
    assert results[0].std() > 0
    assert torch.equal(*results)


def blocks_in(path: Path, depth: int) -> StreamedBlocks:
    """A row of linear layers whose weights are their numbers."""
    tensors: dict[str, Tensor] = {}
    for number in range(depth):
        tensors[f"row.{number}.weight"] = torch.full((3, 3), float(number))
        tensors[f"row.{number}.bias"] = torch.full((3,), float(number))
    save_tensors(path, tensors)
    with torch.device("meta"):
        skeleton = nn.Linear(3, 3)
    dtypes = {"weight": torch.float32, "bias": torch.float64}
    return StreamedBlocks(skeleton, Weights(path), "row", depth, dtypes, torch.device("cpu"))


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_blocks_come_in_order_and_share_two_places(tmp_path: Path, depth: int) -> None:
    row = blocks_in(tmp_path / "row.safetensors", depth)
    places = set()
    for _ in range(2):
        for number, block in enumerate(row):
            assert (block.weight == number).all() and (block.bias == number).all()
            assert block.bias.dtype == torch.float64
            places.add(block.weight.data_ptr())
    assert len(row) == depth and len(places) <= 4  # two in each pass


def test_a_file_cut_off_while_it_streams_is_named(tmp_path: Path) -> None:
    row = blocks_in(tmp_path / "row.safetensors", 5)
    with open(tmp_path / "row.safetensors", "r+b") as file:
        file.truncate(file.seek(0, 2) - 8)
    with pytest.raises(Failure, match=r"row\.safetensors is damaged or cut off: it ends at byte"):
        list(row)


def test_half_a_model_is_not_saved(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="load it with offload none"):
        Transformer.load(folder / "transformer", offload="disk").save(tmp_path)


def test_offload_is_checked() -> None:
    with pytest.raises(UsageError, match="choose one of none, cpu, disk"):
        check_offload("tape", torch.device("cpu"))
    with pytest.raises(UsageError, match="offload cpu is for a GPU"):
        check_offload("cpu", torch.device("cpu"))
