"""Published architectures, built from their configurations with random weights, small where sizes may be chosen.

Each function gives the networks of a library: {name: function of a network and an example input}.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

TOKENS, CLASSES, WORDS = 6, 10, 60

Made = tuple[nn.Module, Any]
Networks = dict[str, Callable[[], Made]]


def image(size: int = 32, count: int = 1) -> torch.Tensor:
    """Images for an example."""
    return torch.randn(count, 3, size, size)


# -- torchvision ------------------------------------------------------------------------------------------------------


def torchvision_networks() -> Networks:
    """Classifiers, segmentation and video networks, with few layers and channels where the classes let one choose."""
    m = importlib.import_module("torchvision.models")
    video = importlib.import_module("torchvision.models.video")
    block, bottleneck = m.resnet.BasicBlock, m.resnet.Bottleneck
    stage = partial(m.efficientnet.MBConvConfig, kernel=3)

    def convnext() -> nn.Module:
        setting = m.convnext.CNBlockConfig
        return m.ConvNeXt([setting(8, 16, 2), setting(16, None, 2)], num_classes=CLASSES)

    def efficientnet() -> nn.Module:
        stages = [
            stage(1, stride=1, input_channels=8, out_channels=8, num_layers=1),
            stage(4, stride=2, input_channels=8, out_channels=16, num_layers=2),
        ]
        return m.EfficientNet(stages, dropout=0.2, num_classes=CLASSES, last_channel=32)

    def efficientnet_v2() -> nn.Module:
        fused = m.efficientnet.FusedMBConvConfig
        stages = [
            fused(1, 3, 1, 8, 8, 1),
            fused(4, 3, 2, 8, 16, 2),
            stage(4, stride=2, input_channels=16, out_channels=16, num_layers=2),
        ]
        return m.EfficientNet(stages, dropout=0.2, num_classes=CLASSES, last_channel=32)

    def regnet(ratio: float | None) -> nn.Module:
        sizes = m.regnet.BlockParams.from_init_params(depth=6, w_0=8, w_a=4.0, w_m=2.0, group_width=4, se_ratio=ratio)
        return m.RegNet(sizes, num_classes=CLASSES, stem_width=8)

    def mobilenet_v3() -> nn.Module:
        setting = m.mobilenetv3.InvertedResidualConfig
        stages = [setting(16, 3, 16, 16, True, "RE", 2, 1, 0.5), setting(16, 3, 32, 24, False, "HS", 2, 1, 0.5)]
        return m.MobileNetV3(stages, 32, num_classes=CLASSES)

    def swin(kind: Any) -> nn.Module:
        more = {
            "block": m.swin_transformer.SwinTransformerBlockV2,
            "downsample_layer": m.swin_transformer.PatchMergingV2,
        }
        return m.SwinTransformer([4, 4], 16, [2, 2], [2, 4], [4, 4], num_classes=CLASSES, **(more if kind else {}))

    def vgg(normalised: bool) -> nn.Module:
        layers = m.vgg.make_layers([8, "M", 16, "M", 16, 16, "M"], batch_norm=normalised)
        network = m.VGG(layers)
        network.classifier = nn.Sequential(nn.Linear(784, 24), nn.ReLU(), nn.Dropout(), nn.Linear(24, CLASSES))
        return network

    made: dict[str, tuple[Callable[[], nn.Module], Any]] = {
        "AlexNet": (partial(m.AlexNet, num_classes=CLASSES), image(64)),
        "ConvNeXt": (convnext, image()),
        "DenseNet": (partial(m.DenseNet, 8, (2, 2), 16, 2, num_classes=CLASSES), image()),
        "EfficientNet": (efficientnet, image()),
        "EfficientNetV2": (efficientnet_v2, image()),
        "GoogLeNet": (partial(m.GoogLeNet, num_classes=CLASSES, aux_logits=False, init_weights=False), image(64)),
        "Inception3": (partial(m.Inception3, num_classes=CLASSES, aux_logits=False, init_weights=False), image(96)),
        "MNASNet": (partial(m.MNASNet, 0.1, num_classes=CLASSES), image()),
        "MaxVit": (partial(m.MaxVit, (32, 32), 16, 4, [16, 16], [1, 1], 8, 0.0, num_classes=CLASSES), image()),
        "MobileNetV2": (partial(m.MobileNetV2, CLASSES, 0.25), image()),
        "MobileNetV3": (mobilenet_v3, image()),
        "RegNetX": (partial(regnet, None), image()),
        "RegNetY": (partial(regnet, 0.25), image()),
        "ResNet of basic blocks": (partial(m.ResNet, block, [1, 1, 1, 1], num_classes=CLASSES), image()),
        "ResNet-18": (partial(m.resnet18, num_classes=CLASSES), image()),
        "ResNet of bottlenecks": (partial(m.ResNet, bottleneck, [1, 1, 1, 1], num_classes=CLASSES), image()),
        "ResNeXt": (partial(m.ResNet, bottleneck, [1, 1, 1, 1], CLASSES, groups=8, width_per_group=4), image()),
        "Wide ResNet": (partial(m.ResNet, bottleneck, [1, 1, 1, 1], CLASSES, width_per_group=128), image()),
        "ShuffleNetV2": (partial(m.ShuffleNetV2, [2, 2, 2], [8, 16, 32, 64, 64], CLASSES), image()),
        "SqueezeNet 1.0": (partial(m.SqueezeNet, "1_0", CLASSES), image(64)),
        "SqueezeNet 1.1": (partial(m.SqueezeNet, "1_1", CLASSES), image(64)),
        "Swin": (partial(swin, False), image()),
        "SwinV2": (partial(swin, True), image()),
        "VGG": (partial(vgg, False), image()),
        "VGG with BatchNorm": (partial(vgg, True), image()),
        "ViT": (partial(m.VisionTransformer, 32, 8, 2, 4, 32, 48, num_classes=CLASSES), image()),
        "R3D": (
            partial(
                video.VideoResNet,
                video.resnet.BasicBlock,
                [video.resnet.Conv3DSimple] * 4,
                [1, 1, 1, 1],
                video.resnet.BasicStem,
                CLASSES,
            ),
            torch.randn(1, 3, 4, 16, 16),
        ),
        "R(2+1)D": (
            partial(
                video.VideoResNet,
                video.resnet.BasicBlock,
                [video.resnet.Conv2Plus1D] * 4,
                [1, 1, 1, 1],
                video.resnet.R2Plus1dStem,
                CLASSES,
            ),
            torch.randn(1, 3, 4, 16, 16),
        ),
        "LR-ASPP": (
            partial(m.segmentation.lraspp_mobilenet_v3_large, weights=None, weights_backbone=None, num_classes=CLASSES),
            image(),
        ),
    }
    return {name: partial(lambda make, example: (make().eval(), example), *given) for name, given in made.items()}


# -- timm -------------------------------------------------------------------------------------------------------------

TINY = """test_vit test_vit2 test_vit3 test_vit4 test_convnext test_convnext2 test_convnext3 test_mambaout test_maxvit
    test_coatnet test_nfnet test_vit_relpos test_byobnet test_efficientnet test_efficientnet_gn test_efficientnet_ln
    test_efficientnet_evos test_resnet"""
TRANSFORMER = {"depth": 2, "embed_dim": 32, "num_heads": 4}
STAGES = {"depths": (1, 1, 1, 1), "dims": (8, 8, 16, 16)}
TIMM: dict[str, dict[str, Any]] = {name: {} for name in TINY.split()} | {
    "beit_base_patch16_224": TRANSFORMER | {"img_size": 32},
    "cait_xxs24_224": TRANSFORMER | {"img_size": 32},
    "convit_tiny": TRANSFORMER | {"img_size": 32, "local_up_to_layer": 1},
    "deit_tiny_distilled_patch16_224": TRANSFORMER | {"img_size": 32},
    "deit3_small_patch16_224": TRANSFORMER | {"img_size": 32},
    "eva02_tiny_patch14_224": TRANSFORMER | {"img_size": 28},
    "xcit_nano_12_p16_224": TRANSFORMER | {"img_size": 32},
    "inception_next_atto": STAGES,
    "edgenext_xx_small": STAGES,
    "pvt_v2_b0": {"depths": (1, 1, 1, 1)},
    "fasternet_t0": {"embed_dim": 8, "depths": (1, 1, 1, 1)},
    "starnet_s050": {"depths": (1, 1, 1, 1)},
    "swiftformer_xs": {"layers": (1, 1, 1, 1), "embed_dims": (8, 8, 16, 16)},
    "resnet10t": {},
    "seresnet18": {},
    "ecaresnet26t": {"layers": (1, 1, 1, 1)},
    "skresnet18": {"layers": (1, 1, 1, 1)},
    "resnetblur18": {},
    "resnest14d": {},
    "resnetv2_18": {},
    "legacy_seresnet18": {},
    "res2net50_48w_2s": {"layers": (1, 1, 1, 1)},
    "mobilenetv3_small_050": {},
    "lcnet_035": {},
    "tinynet_e": {},
    "ghostnet_050": {},
    "repghostnet_050": {},
    "rexnet_100": {"width_mult": 0.25},
    "mnasnet_small": {},
    "dla46_c": {},
    "ese_vovnet19b_slim_dw": {},
    "repvgg_a0": {},
    "darknet17": {},
    "vit_tiny_r_s16_p8_224": {"depth": 2, "img_size": 32},
}


def timm_networks() -> Networks:
    """The networks for tests of timm, and others with few layers and channels where they let one choose."""
    timm = importlib.import_module("timm")

    def make(name: str, options: dict[str, Any]) -> Made:
        network = timm.create_model(name, pretrained=False, num_classes=CLASSES, **options).eval()
        fixed = any(part in name for part in ("test_maxvit", "test_coatnet", "test_vit"))
        size = network.default_cfg["input_size"][1] if fixed else options.get("img_size", 32)
        return network, image(size, 2 if name.startswith("xcit") else 1)  # as for Levit, below

    return {name: partial(make, name, options) for name, options in TIMM.items()} | _timm_classes()


def _timm_classes() -> Networks:
    """Networks of which the functions by name let one choose no sizes."""
    mixer, metaformer = (importlib.import_module(f"timm.models.{name}") for name in ("mlp_mixer", "metaformer"))
    convmixer, layers = importlib.import_module("timm.models.convmixer"), importlib.import_module("timm.layers")
    sizes = {"num_classes": CLASSES, "img_size": 32, "patch_size": 8, "num_blocks": 2, "embed_dim": 32}
    stages = STAGES | {"num_classes": CLASSES}
    convolution, attention = metaformer.SepConv, metaformer.Attention
    made: dict[str, Callable[[], nn.Module]] = {
        "MlpMixer": partial(mixer.MlpMixer, **sizes),
        "ResMLP": partial(mixer.MlpMixer, **sizes, mlp_ratio=4, block_layer=mixer.ResBlock, norm_layer=mixer.Affine),
        "gMLP": partial(
            mixer.MlpMixer, **sizes, mlp_ratio=6, block_layer=mixer.SpatialGatingBlock, mlp_layer=layers.GatedMlp
        ),
        "ConvMixer": partial(convmixer.ConvMixer, 16, 2, num_classes=CLASSES),
        "PoolFormer": partial(metaformer.MetaFormer, **stages),
        "ConvFormer": partial(metaformer.MetaFormer, **stages, token_mixers=convolution),
        "CAFormer": partial(  # heads are of 32 entries
            metaformer.MetaFormer,
            **stages | {"dims": (8, 8, 32, 32)},
            token_mixers=[convolution] * 2 + [attention] * 2,
            norm_layers=[metaformer.LayerNorm2dNoBias] * 2 + [metaformer.LayerNormNoBias] * 2,
        ),
    }
    return {name: partial(lambda make: (make().eval(), image()), given) for name, given in made.items()}


# -- transformers -----------------------------------------------------------------------------------------------------

SMALL = {
    "hidden_size": 32,
    "n_embd": 32,
    "d_model": 32,
    "dim": 32,
    "embed_dim": 32,
    "embedding_size": 32,
    "num_hidden_layers": 2,
    "n_layer": 2,
    "num_layers": 2,
    "n_layers": 2,
    "num_attention_heads": 4,
    "n_head": 4,
    "n_heads": 4,
    "num_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "hidden_dim": 48,
    "ffn_dim": 48,
    "vocab_size": WORDS,
    "max_position_embeddings": 32,
    "n_positions": 32,
    "image_size": 32,
    "patch_size": 8,
    "num_labels": CLASSES,
    "head_dim": 8,
    "word_embed_proj_dim": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "sep_token_id": 2,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "d_kv": 8,
    "d_ff": 48,
    "num_decoder_layers": 2,
    "decoder_start_token_id": 1,
    "num_local_experts": 4,
    "num_experts": 4,
    "moe_intermediate_size": 24,
    "shared_expert_intermediate_size": 24,
    "rotary_dim": 4,
    "n_inner": 48,
    "d_embed": 32,
    "d_inner": 48,
    "attention_head_size": 8,
    "num_experts_per_tok": 2,
    "max_source_positions": 16,
    "max_target_positions": 16,
    "num_mel_bins": 8,
    "kv_lora_rank": 8,
    "q_lora_rank": 8,
}
OWN: dict[str, dict[str, Any]] = {  # settings of one configuration
    "GPTNeo": {"attention_types": [[["global", "local"], 1]]},
    "Swin": {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 2, "patch_size": 4},
    "Swinv2": {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4, "patch_size": 4},
    "ConvNext": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2, "patch_size": 4},
    "ConvNextV2": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2, "patch_size": 4},
    "ResNet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]},
    "RegNet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "groups_width": 4},
    "Bit": {"embedding_size": 32, "hidden_sizes": [32, 64], "depths": [1, 1], "num_groups": 8},
    "MobileNetV1": {"depth_multiplier": 0.25},
    "MobileNetV2": {"depth_multiplier": 0.25},
    "MobileViT": {"hidden_sizes": [16, 16, 16], "neck_hidden_sizes": [8, 8, 8, 8, 8, 8, 16], "patch_size": 2},
    "Segformer": {"hidden_sizes": [8, 16, 16, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4]},
    "PoolFormer": {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "patch_size": 7},
    "FocalNet": {
        "embed_dim": 8,
        "hidden_sizes": [8, 16],
        "depths": [1, 1],
        "focal_levels": [1, 1],
        "focal_windows": [3, 3],
        "patch_size": 4,
    },
    "Pvt": {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 2]},
    "PvtV2": {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 2]},
    "Cvt": {"embed_dim": [8, 16, 16], "depth": [1, 1, 1], "num_heads": [1, 2, 2], "patch_sizes": [7, 3, 3]},
    "Levit": {
        "hidden_sizes": [16, 24, 32],
        "num_attention_heads": [2, 2, 2],
        "depths": [1, 1, 1],
        "key_dim": [8, 8, 8],
        "image_size": 64,
        "patch_size": 16,
    },
    "SwiftFormer": {"depths": [1, 1, 1, 1], "embed_dims": [8, 8, 16, 16]},
    "Dinov2": {"mlp_ratio": 2},
    "Hiera": {"image_size": [64, 64], "embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 4, 8]},
    "Funnel": {"block_sizes": [1, 1], "d_head": 8},
    "MobileBert": {"true_hidden_size": 16, "intra_bottleneck_size": 16},
    "BigBird": {"attention_type": "original_full"},
    "Longformer": {"attention_window": 4},
    "LED": {"attention_window": 4},
    "Deberta": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "DebertaV2": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "XLNet": {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48},
    "Gemma2": {"sliding_window": 8},
    "Gemma3Text": {"sliding_window": 8},
    "Cohere2": {"sliding_window": 8},
    "Mpt": {"n_layers": 2, "n_heads": 4},
    "Mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 1, "state_size": 8},
    "Mamba": {"state_size": 4},
    "FalconMamba": {"state_size": 4},
    "RecurrentGemma": {"block_types": ["recurrent", "attention"], "lru_width": 32, "attention_window_size": 8},
    "GPTBigCode": {"n_inner": 48},
    "Rwkv": {"context_length": 16, "attention_hidden_size": 32},
    "Whisper": {"max_source_positions": 8},
    "Wav2Vec2": {
        "conv_dim": (8, 8),
        "conv_kernel": (5, 3),
        "conv_stride": (3, 2),
        "num_feat_extract_layers": 2,
        "num_conv_pos_embeddings": 4,
        "num_conv_pos_embedding_groups": 2,
    },
    "ProphetNet": {
        "num_encoder_layers": 2,
        "num_encoder_attention_heads": 4,
        "num_decoder_attention_heads": 4,
        "ngram": 2,
    },
    "Xmod": {"default_language": "en_XX"},
    "DeepseekV3": {
        "qk_nope_head_dim": 4,
        "qk_rope_head_dim": 4,
        "v_head_dim": 8,
        "head_dim": 4,
        "first_k_dense_replace": 1,
        "n_routed_experts": 4,
        "n_group": 1,
        "topk_group": 1,
    },
    "T5": {"feed_forward_proj": "relu"},
    "UMT5": {"feed_forward_proj": "gated-gelu"},
    "SwitchTransformers": {"num_sparse_encoder_layers": 1, "num_sparse_decoder_layers": 1},
}
OWN["Hubert"] = OWN["WavLM"] = OWN["Wav2Vec2"]
FORMS = {
    "ForSequenceClassification": """Bert DistilBert Roberta Electra Albert Deberta DebertaV2 MPNet Camembert XLMRoberta
        XLNet Funnel SqueezeBert MobileBert ConvBert RemBert Ernie BigBird Longformer FNet MegatronBert RoFormer Yoso
        Nystromformer Luke ModernBert Xmod IBert Data2VecText XLM Flaubert Canine""",
    "ForCausalLM": """GPT2 GPTNeo GPTNeoX GPTJ OPT Bloom Llama Mistral Qwen2 Qwen3 Qwen2Moe Gemma Gemma2 Gemma3Text Phi
        Phi3 Falcon Olmo Olmo2 Cohere Cohere2 StableLm Mixtral Mamba Mamba2 FalconMamba Rwkv Persimmon Starcoder2
        CodeGen GPTBigCode Mpt XGLM Granite GraniteMoe Glm Glm4 Helium Nemotron SmolLM3 Exaone4 Ernie4_5
        DiffLlama JetMoe RecurrentGemma CTRL BioGpt OpenAIGPT Arcee BitNet SeedOss Olmoe Qwen3Moe Lfm2
        DeepseekV3 GptOss Apertus""",
    "ForImageClassification": """ViT DeiT Beit Swin Swinv2 ConvNext ConvNextV2 ResNet RegNet Bit MobileNetV1 MobileNetV2
        MobileViT Segformer PoolFormer FocalNet Pvt PvtV2 Cvt Levit SwiftFormer Dinov2 Hiera ViTMSN IJepa
        Data2VecVision""",
    "ForSeq2SeqLM": """T5 MT5 UMT5 Bart MBart Pegasus Marian Blenderbot ProphetNet LED M2M100 SwitchTransformers
        BigBirdPegasus PLBart""",
    "ForAudio": "Wav2Vec2 Hubert WavLM Whisper",
}


def transformers_networks() -> Networks:
    """Small networks of these configurations."""
    return {name: partial(_transformer, name, form) for form, names in FORMS.items() for name in names.split()}


def _transformer(name: str, form: str) -> Made:
    library = importlib.import_module("transformers")
    configuration = getattr(library, f"{name}Config")
    settings = _settings(configuration) | OWN.get(name, {})
    settings |= {"use_cache": False} if form in ("ForCausalLM", "ForSeq2SeqLM") else {}
    config = configuration(**settings)
    config._experts_implementation = "eager"
    tokens, uncached = torch.randint(3, WORDS, (1, TOKENS)), {"use_cache": False}
    if form == "ForAudio":
        network = getattr(library, f"{name}ForCTC" if name != "Whisper" else "WhisperForConditionalGeneration")(config)
        sound = {"input_features": torch.randn(1, 8, 16), "decoder_input_ids": tokens} | uncached
        return network.eval(), sound if name == "Whisper" else torch.randn(1, 60)
    if form == "ForImageClassification":
        size = getattr(config, "image_size", 32)
        network = getattr(library, f"{name}{form}")(config)
        count = 2 if name == "Levit" else 1  # PyTorch's BatchNorm gives a wrong gradient for one image there
        return network.eval(), image(size if isinstance(size, int) else size[0], count)
    network = getattr(library, f"AutoModel{form}").from_config(config).eval()
    match form:
        case "ForCausalLM":
            return network, {"input_ids": tokens} | ({} if name in NO_CACHE else uncached)
        case "ForSeq2SeqLM":
            return network, {"input_ids": tokens, "decoder_input_ids": tokens} | uncached
    return network, {"input_ids": tokens}


NO_CACHE = {"OpenAIGPT"}


def _settings(configuration: Any) -> dict[str, Any]:
    """Those of SMALL that a configuration takes, where it has numbers for them."""
    known = configuration()
    taken = inspect.signature(configuration).parameters
    fixed = {key for key in SMALL if isinstance(getattr(configuration, key, None), property)}
    return {
        key: value
        for key, value in SMALL.items()
        if key not in fixed
        and (key in taken or hasattr(known, key))
        and isinstance(getattr(known, key, 0), (int, type(None)))
    }


# -- peft -------------------------------------------------------------------------------------------------------------

ADAPTERS: dict[str, dict[str, Any]] = {
    "LoraConfig": {"r": 2},
    "LoraConfig with use_dora": {"r": 2, "use_dora": True},
    "LoraConfig with use_rslora": {"r": 2, "use_rslora": True},
    "AdaLoraConfig": {"init_r": 3, "target_r": 2, "total_step": 10},
    "LoHaConfig": {"r": 2},
    "LoKrConfig": {"r": 2},
    "OFTConfig": {"oft_block_size": 4},
    "BOFTConfig": {"boft_block_size": 4},
    "VeraConfig": {"r": 2},
    "HRAConfig": {"r": 2},
    "FourierFTConfig": {"n_frequency": 5},
    "RandLoraConfig": {"r": 2},
    "MissConfig": {"r": 2},
    "ShiraConfig": {"r": 2},
    "LNTuningConfig": {"target_modules": ["input_layernorm"]},
    "IA3Config": {"feedforward_modules": []},
    "PromptTuningConfig": {"num_virtual_tokens": 3},
    "PrefixTuningConfig": {"num_virtual_tokens": 3},
    "PromptEncoderConfig": {"num_virtual_tokens": 3},
    "RoadConfig": {"group_size": 4},
    "C3AConfig": {"block_size": 4},
    "DeloraConfig": {"r": 2},
    "GraloraConfig": {"r": 2},
}


def peft_networks() -> Networks:
    """A small Llama with an adapter of each kind, which alone is trained."""
    return {f"Llama, {name}": partial(_adapted, name.split()[0], options) for name, options in ADAPTERS.items()}


def _adapted(name: str, options: Mapping[str, Any]) -> Made:
    peft = importlib.import_module("peft")
    network, example = _transformer("Llama", "ForCausalLM")
    kind = getattr(peft, name)
    given = dict(options) | {"task_type": "CAUSAL_LM"}
    if "target_modules" in inspect.signature(kind).parameters:
        given.setdefault("target_modules", ["q_proj", "v_proj"])
    return peft.get_peft_model(network, kind(**given)).eval(), example


LIBRARIES: dict[str, Callable[[], Networks]] = {
    "torchvision": torchvision_networks,
    "transformers": transformers_networks,
    "timm": timm_networks,
    "peft": peft_networks,
}
