"""Checkpoint folders of other families: their real classes, built tiny with random weights."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.guiders import ClassifierFreeGuidance
from diffusers.pipelines.pipeline_loading_utils import _fetch_class_library_tuple
from tokenizers import pre_tokenizers

from worldloom.core.file import write_json

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
HIDDEN = 16  # width of the text encoders
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for c in m['content'] %}{{ c['text'] }}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def save(folder: Path, pipeline: str, **parts: Any) -> Path:
    """Write a folder as diffusers does, without building the pipeline, which may ask for more than its parts."""
    index: dict[str, Any] = {"_class_name": pipeline, "_diffusers_version": diffusers.__version__}
    for name, part in parts.items():
        part.save_pretrained(folder / name)
        index[name] = list(_fetch_class_library_tuple(part))
    optional = (
        inspect.signature(getattr(diffusers, pipeline).__init__).parameters.keys() - parts.keys() - {"self"}
    )
    write_json(folder / "model_index.json", index | {name: [None, None] for name in optional})
    return folder


def t5() -> dict[str, Any]:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    config = transformers.T5Config(vocab_size=200, d_model=HIDDEN, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    # T5's tokenizer adds a hundred names of its own to the pieces.
    return {
        "tokenizer": transformers.T5Tokenizer(vocab=pieces),
        "text_encoder": transformers.T5EncoderModel(config),
    }


def ltx(pipeline: str = "LTXPipeline") -> dict[str, Any]:
    vae = diffusers.AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        timestep_conditioning=True,
    )
    transformer = diffusers.LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        num_attention_heads=4,
        attention_head_dim=8,
        cross_attention_dim=32,
        num_layers=1,
        caption_channels=HIDDEN,
    )
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    return {"vae": vae, "transformer": transformer, "scheduler": scheduler, **t5()}


def ltx_2() -> dict[str, Any]:
    vocab = {letter: index for index, letter in enumerate(["<pad>", "<eos>", "<bos>", "<unk>", "▁", *BYTES])}
    text = {
        "vocab_size": 300,
        "hidden_size": HIDDEN,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
    }
    vision = {
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "image_size": 28,
        "patch_size": 14,
    }
    gemma = transformers.Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
    audio_vae = diffusers.AutoencoderKLLTX2Audio(
        base_channels=4,
        ch_mult=(1,),
        num_res_blocks=1,
        resolution=32,
        latent_channels=2,
        mel_bins=8,
    )
    return {
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(),
        "vae": diffusers.AutoencoderKLLTX2Video(
            latent_channels=4,
            block_out_channels=(8, 16, 32, 64),
            decoder_block_out_channels=(8, 16, 32),
            layers_per_block=(1, 1, 1, 1, 1),
            decoder_layers_per_block=(1, 1, 1, 1),
            spatial_compression_ratio=32,
            temporal_compression_ratio=8,
        ),
        "audio_vae": audio_vae,
        "text_encoder": transformers.Gemma3ForConditionalGeneration(gemma),
        "tokenizer": transformers.GemmaTokenizer(vocab=vocab, merges=[]),
        "connectors": diffusers.pipelines.ltx2.LTX2TextConnectors(
            caption_channels=HIDDEN,
            text_proj_in_factor=3,
            video_connector_num_attention_heads=2,
            video_connector_attention_head_dim=8,
            video_connector_num_layers=1,
            video_connector_num_learnable_registers=None,
            audio_connector_num_attention_heads=2,
            audio_connector_attention_head_dim=8,
            audio_connector_num_layers=1,
            audio_connector_num_learnable_registers=None,
            connector_rope_base_seq_len=32,
        ),
        "transformer": diffusers.LTX2VideoTransformer3DModel(
            in_channels=4,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=8,
            cross_attention_dim=16,
            audio_in_channels=4,
            audio_out_channels=4,
            audio_num_attention_heads=2,
            audio_attention_head_dim=4,
            audio_cross_attention_dim=8,
            num_layers=2,
            caption_channels=HIDDEN,
        ),
        "vocoder": diffusers.pipelines.ltx2.LTX2Vocoder(
            in_channels=audio_vae.config.output_channels * audio_vae.config.mel_bins,
            hidden_channels=8,
            upsample_kernel_sizes=[4, 4],
            upsample_factors=[2, 2],
            resnet_kernel_sizes=[3],
            resnet_dilations=[[1, 3, 5]],
        ),
    }


def qwen_tokenizer() -> Any:
    vocab = {letter: index for index, letter in enumerate(BYTES)}
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    return transformers.Qwen2Tokenizer(
        vocab=vocab | {name: len(vocab) + i for i, name in enumerate(special)}, merges=[], chat_template=CHAT
    )


QWEN_TEXT = {
    "vocab_size": 300,
    "hidden_size": HIDDEN,
    "intermediate_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "rope_parameters": {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 1e6},
}


def hunyuan_1_5(picture: bool = False) -> dict[str, Any]:
    glyphs = transformers.T5Config(vocab_size=400, d_model=32, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    siglip = transformers.SiglipVisionConfig(
        hidden_size=12,
        intermediate_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
    )
    seeing = {
        "image_encoder": transformers.SiglipVisionModel(siglip),
        "feature_extractor": transformers.SiglipImageProcessor(size={"height": 32, "width": 32}),
    }
    return {
        "transformer": diffusers.HunyuanVideo15Transformer3DModel(
            in_channels=9,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=8,
            num_layers=1,
            num_refiner_layers=1,
            mlp_ratio=2.0,
            text_embed_dim=HIDDEN,
            text_embed_2_dim=32,
            image_embed_dim=12,
            rope_axes_dim=(2, 2, 4),
            task_type="i2v" if picture else "t2v",
        ),
        "vae": diffusers.AutoencoderKLHunyuanVideo15(
            latent_channels=4,
            block_out_channels=(16, 16, 16, 16, 16),
            layers_per_block=1,
            downsample_match_channel=False,
            upsample_match_channel=False,
        ),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
        "text_encoder": transformers.Qwen2_5_VLTextModel(transformers.Qwen2_5_VLTextConfig(**QWEN_TEXT)),
        "tokenizer": qwen_tokenizer(),
        "text_encoder_2": transformers.T5EncoderModel(glyphs),
        "tokenizer_2": transformers.ByT5Tokenizer(),
        "guider": ClassifierFreeGuidance(guidance_scale=6.0),
        **(seeing if picture else {}),
    }


def cogvideox(picture: bool = False, patch_size_t: int | None = None) -> dict[str, Any]:
    return {
        "transformer": diffusers.CogVideoXTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=16,
            in_channels=8 if picture else 4,
            out_channels=4,
            time_embed_dim=2,
            text_embed_dim=HIDDEN,
            num_layers=1,
            sample_width=8,
            sample_height=8,
            sample_frames=9,
            patch_size_t=patch_size_t,
            use_rotary_positional_embeddings=patch_size_t is not None,
        ),
        "vae": diffusers.AutoencoderKLCogVideoX(
            block_out_channels=(8, 8, 8, 8), latent_channels=4, layers_per_block=1, norm_num_groups=2
        ),
        "scheduler": diffusers.CogVideoXDDIMScheduler(),
        **t5(),
    }


def mochi() -> dict[str, Any]:
    return {
        "transformer": diffusers.MochiTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=8,
            num_layers=1,
            pooled_projection_dim=16,
            text_embed_dim=HIDDEN,
            time_embed_dim=4,
        ),
        "vae": diffusers.AutoencoderKLMochi(
            encoder_block_out_channels=(32, 32, 32, 32),
            decoder_block_out_channels=(32, 32, 32, 32),
            layers_per_block=(1, 1, 1, 1, 1),
        ),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(),
        **t5(),
    }


def cosmos_transformer(in_channels: int, out_channels: int, **more: Any) -> Any:
    return diffusers.CosmosTransformer3DModel(
        in_channels=in_channels,
        out_channels=out_channels,
        num_attention_heads=2,
        attention_head_dim=16,
        num_layers=1,
        mlp_ratio=2,
        adaln_lora_dim=4,
        max_size=(4, 32, 32),
        concat_padding_mask=False,  # with it the model would need torchvision
        **{"text_embed_dim": HIDDEN, **more},
    )


def cosmos_1(picture: bool = False) -> dict[str, Any]:
    return {
        "transformer": cosmos_transformer(5 if picture else 4, 4),
        "vae": diffusers.AutoencoderKLCosmos(
            latent_channels=4,
            encoder_block_out_channels=(8, 8, 8, 8),
            decode_block_out_channels=(8, 8, 8, 8),
            attention_resolutions=(8,),
            resolution=64,
            num_layers=1,
            latents_mean=None,
            latents_std=None,
        ),
        "scheduler": diffusers.EDMEulerScheduler(
            sigma_min=0.002,
            sigma_max=80,
            sigma_data=0.5,
            prediction_type="epsilon",
            final_sigmas_type="sigma_min",
        ),
        **t5(),
    }


def wan_vae() -> Any:
    return diffusers.AutoencoderKLWan(
        base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )


def cosmos_2() -> dict[str, Any]:
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(use_karras_sigmas=True)
    return {"transformer": cosmos_transformer(17, 16), "vae": wan_vae(), "scheduler": scheduler, **t5()}


def cosmos_2_5() -> dict[str, Any]:
    vision = {"depth": 1, "hidden_size": 8, "intermediate_size": 8, "num_heads": 1, "out_hidden_size": HIDDEN}
    config = transformers.Qwen2_5_VLConfig(text_config=QWEN_TEXT, vision_config=vision)
    width = QWEN_TEXT["num_hidden_layers"] * HIDDEN
    return {
        "text_encoder": transformers.Qwen2_5_VLForConditionalGeneration(config),
        "tokenizer": qwen_tokenizer(),
        "transformer": cosmos_transformer(
            17,
            16,
            text_embed_dim=HIDDEN,
            use_crossattn_projection=True,
            crossattn_proj_in_channels=width,
            encoder_hidden_states_channels=HIDDEN,
        ),
        "vae": wan_vae(),
        "scheduler": diffusers.UniPCMultistepScheduler(
            use_flow_sigmas=True, prediction_type="flow_prediction", use_karras_sigmas=False
        ),
    }


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "LTXPipeline": ltx,
    "LTXConditionPipeline": ltx,
    "LTX2Pipeline": ltx_2,
    "HunyuanVideo15Pipeline": hunyuan_1_5,
    "HunyuanVideo15ImageToVideoPipeline": lambda: hunyuan_1_5(picture=True),
    "CogVideoXPipeline": cogvideox,
    "CogVideoXImageToVideoPipeline": lambda: cogvideox(picture=True, patch_size_t=2),
    "MochiPipeline": mochi,
    "CosmosTextToWorldPipeline": cosmos_1,
    "CosmosVideoToWorldPipeline": lambda: cosmos_1(picture=True),
    "Cosmos2VideoToWorldPipeline": cosmos_2,
    "Cosmos2_5_PredictBasePipeline": cosmos_2_5,
}


def folder(root: Path, pipeline: str) -> Path:
    """Return the tiny checkpoint folder of a pipeline below `root`, made when it is first asked for."""
    path = root / pipeline
    if not path.exists():
        with torch.random.fork_rng():
            torch.manual_seed(4)
            save(path, pipeline, **PARTS[pipeline]())
    return path
