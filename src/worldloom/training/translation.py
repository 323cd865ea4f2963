"""A transformer goes on reading when its text encoder is replaced: the new embeddings are translated into the old ones.

Two encoders that read the same tokens call the same words by other vectors. The linear map from the new vectors to the
old ones that errs least over many captions is folded into the first layer that the transformer reads them with; what the
new ones know besides is left to training.
"""

import torch
from torch import Tensor

from worldloom.dit.model import Transformer
from worldloom.text.encoder import TextEncoder
from worldloom.training.transplant import linear_map


@torch.no_grad()
def translate(
    transformer: Transformer, known: TextEncoder, other: TextEncoder, captions: tuple[Tensor, Tensor]
) -> None:
    """Let a transformer that was trained on embeddings of `known` read those of `other`.

    `captions` are token ids [B, L], the same for both encoders, and their lengths [B]. Padding embeds as zeros before and
    after, so the map has no offset.
    """
    ids, lengths = captions
    words = torch.arange(ids.shape[1]) < lengths[:, None]
    new, old = (encoder(ids, lengths)[words].float() for encoder in (other, known))
    first = transformer.condition_embedder.text_embedder.linear_1
    first.weight.copy_(first.weight @ linear_map(new.T, old.T))
