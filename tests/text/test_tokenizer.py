import hashlib
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from tests.text.conftest import COLOURS, OBJECTS, captions
from worldloom.core.error import Failure, UsageError
from worldloom.text.tokenizer import BYTES, Tokenizer, train_tokenizer

ODD_PROMPTS = [
    "A Red BALL rolls, then it's gone!",
    "一个红色的球，从斜坡上滚下来。",
    "红球ball和blue球 mixed混合",
    "饕餮 café 🐉 Привет ＡＢ３ “quoted” ‘s",
    "typed </s> and <pad> and <unk> and <0x41>",
    "12.5 fps at 1280x720, 50%",
    "push-in (slowly) a_b  \t x\u200by",
    "",
    "   ",
    "▁ ▁▁a",
]


def test_ids_follow_t5(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    vocab = [
        piece for piece, _ in json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    ]
    assert vocab[:3] == ["<pad>", "</s>", "<unk>"]
    assert tuple(vocab[3:259]) == BYTES
    assert len(vocab) == len(set(vocab)) == tokenizer.vocab_size <= 4096
    assert (tokenizer.pad_id, tokenizer.end_id) == (0, 1)
    assert all(row[-1] == 1 and 1 not in row[:-1] for row in tokenizer.encode(ODD_PROMPTS))


def test_transformers_reads_the_folder_to_the_same_ids(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert theirs.is_fast
    assert (theirs.pad_token_id, theirs.eos_token_id, theirs.unk_token_id) == (0, 1, 2)
    assert theirs.model_max_length == 512
    prompts = ODD_PROMPTS + captions()
    # Ours cleans first, as pipelines do for theirs; these prompts hold no entities.
    assert theirs(prompts).input_ids == tokenizer.encode(prompts)
    padded = theirs(prompts, padding="longest", return_tensors="pt")
    ids, lengths = tokenizer.pad(tokenizer.encode(prompts))
    assert torch.equal(padded.input_ids, ids) and torch.equal(padded.attention_mask.sum(1), lengths)


def test_loads_what_it_saved(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    assert again.encode(ODD_PROMPTS) == tokenizer.encode(ODD_PROMPTS)
    assert again.vocabulary == tokenizer.vocabulary


def test_a_folder_without_vocabulary_knows_no_unknown_words(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    (tmp_path / "vocabulary.json").unlink()
    assert Tokenizer.load(tmp_path).unknown_words("a zeppelin") == []


def test_training_is_deterministic_across_processes_and_orders(tokenizer: Tokenizer, tmp_path: Path) -> None:
    script = (
        "import sys; from tests.text.conftest import captions; from worldloom.text.tokenizer import train_tokenizer;"
        "train_tokenizer(reversed(captions())).save(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "theirs")], check=True)
    tokenizer.save(tmp_path / "ours")
    for name in ("tokenizer.json", "vocabulary.json", "tokenizer_config.json"):
        ours, theirs = (
            hashlib.sha256((tmp_path / who / name).read_bytes()).digest() for who in ("ours", "theirs")
        )
        assert ours == theirs, name


def test_everything_is_spelled_without_unknown_and_reads_back(tokenizer: Tokenizer) -> None:
    for prompt in ODD_PROMPTS:
        assert 2 not in tokenizer.encode(prompt)[0], prompt
    for text in ("饕餮", "café", "привет", "🐉", "a red ball rolls"):
        assert tokenizer.decode(tokenizer.encode(text)[0]) == text


def test_case_and_width_do_not_matter(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("A Red Ball, １２") == tokenizer.encode("a red ball, 12")
    assert tokenizer.encode("红球，蓝球") == tokenizer.encode("红球,蓝球")


def test_caption_words_are_one_piece_wherever_they_stand(tokenizer: Tokenizer) -> None:
    for colour, thing in itertools.product(COLOURS, OBJECTS):
        assert tokenizer.pieces(f"{colour} {thing}") == [f"▁{colour}", f"▁{thing}"]
    assert tokenizer.pieces("slowly-ball (red)") == ["▁slowly", "-", "▁ball", "(", "▁red", ")"]
    assert tokenizer.pieces("红色的球,红色") == ["红色", "的", "球", ",", "红色"]


def test_no_chinese_piece_welds_a_colour_to_an_object(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    vocab = [
        piece for piece, _ in json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    ]
    assert not [piece for piece in vocab for 色 in COLOURS.values() if 色 in piece and piece != 色]


def test_everyday_words_outside_the_captions_are_few_pieces(tokenizer: Tokenizer) -> None:
    words = ["elephant", "guitar", "umbrella", "mountain", "dinosaur", "robot", "chocolate", "castle"]
    assert sum(len(tokenizer.pieces(word)) for word in words) <= 1.5 * len(words)
    assert tokenizer.pieces("大象和恐龙") == ["大象", "和", "恐龙"]


def test_a_long_prompt_is_cut_and_still_ends(tokenizer: Tokenizer) -> None:
    (ids,) = tokenizer.encode("ball " * 1000)
    assert len(ids) == 512 and ids[-1] == 1 and 1 not in ids[:-1]


def test_padding(tokenizer: Tokenizer) -> None:
    rows = tokenizer.encode(["a red ball", "ball", ""])
    ids, lengths = tokenizer.pad(rows, length=6)
    assert ids.dtype == lengths.dtype == torch.int64
    assert ids.shape == (3, 6) and lengths.tolist() == [4, 2, 1]
    assert ids[2].tolist() == [1, 0, 0, 0, 0, 0]
    assert tokenizer.pad(rows)[0].shape == (3, 4)
    assert tokenizer.pad([])[0].shape == (0, 0)
    with pytest.raises(UsageError, match="has 4 tokens; at most 3"):
        tokenizer.pad(rows, length=3)


def test_vocabulary_size_is_kept_to() -> None:
    assert train_tokenizer(captions(), vocab_size=2200).vocab_size == 2200


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no tokenizer\.json"):
        Tokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": ')
    with pytest.raises(Failure, match="is not a tokenizer file"):
        Tokenizer.load(tmp_path)
    with pytest.raises(UsageError, match="0 texts"):
        train_tokenizer([])


def test_import_brings_neither_torch_nor_transformers() -> None:
    script = "import sys, worldloom.text.tokenizer; print(*{'torch', 'transformers'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
        == "\n"
    )
