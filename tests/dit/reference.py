"""A transformer of this repository and diffusers' own, with the same random weights."""

import torch
from diffusers import WanTransformer3DModel
from torch import Tensor

from worldloom.core.config import to_dict
from worldloom.dit.config import TransformerConfig
from worldloom.dit.layout import to_diffusers
from worldloom.dit.model import Transformer

SMALL = TransformerConfig(
    hidden_size=96, num_heads=4, depth=2, ffn_size=130, text_size=32, freq_size=32, text_length=20
)


def diffusers_model(config: TransformerConfig) -> WanTransformer3DModel:
    fields = to_diffusers(to_dict(config))
    for name in ("_class_name", "text_length", "action_size"):
        fields.pop(name, None)
    return WanTransformer3DModel(**fields)


def random_pair(config: TransformerConfig, seed: int = 0) -> tuple[Transformer, WanTransformer3DModel]:
    """Both models in evaluation mode; every parameter is random, norms and biases too."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        reference = diffusers_model(config).eval().requires_grad_(False)
        for name, parameter in reference.named_parameters():
            norm_weight = "norm" in name and name.endswith("weight")
            torch.nn.init.normal_(parameter, mean=1.0 if norm_weight else 0.0, std=0.2)
    ours = Transformer(config).eval().requires_grad_(False)
    ours.load_state_dict(reference.state_dict())
    return ours, reference


def relative_difference(actual: Tensor, expected: Tensor) -> float:
    """Largest absolute difference over the scale of what is expected."""
    assert actual.shape == expected.shape
    return ((actual - expected).abs().max() / expected.abs().max()).item()
