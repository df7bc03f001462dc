"""Laws of published architectures: python bench/zoo.py [--of torchvision transformers timm] [--seconds S] [NAME ...].

Each is built from its configuration with random weights, small where that is a matter of numbers, read by
``clexact.torch.laws``, and checked numerically by autograd in float64. One row each: parameters, operations, seconds,
laws, independent numbers, the share of the parameters that laws touch, the largest residual; or why it cannot be read.
Each runs in a process of its own, within so many seconds. Libraries that are not installed are left out. Exit status 1
if a law is contradicted.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from clexact.torch import check, laws

IMAGE, TOKENS, CLASSES = 64, 6, 10
LARGEST = 10**8  # parameters of a network that is checked by autograd
TRANSFORMERS = {  # class of a configuration: class of a model, and how the example is given
    "BertConfig": ("BertForSequenceClassification", "tokens"),
    "DistilBertConfig": ("DistilBertForSequenceClassification", "tokens"),
    "RobertaConfig": ("RobertaForSequenceClassification", "tokens"),
    "ElectraConfig": ("ElectraForSequenceClassification", "tokens"),
    "AlbertConfig": ("AlbertForSequenceClassification", "tokens"),
    "GPT2Config": ("GPT2LMHeadModel", "decoder"),
    "GPTNeoConfig": ("GPTNeoForCausalLM", "decoder"),
    "GPTNeoXConfig": ("GPTNeoXForCausalLM", "decoder"),
    "OPTConfig": ("OPTForCausalLM", "decoder"),
    "BloomConfig": ("BloomForCausalLM", "decoder"),
    "LlamaConfig": ("LlamaForCausalLM", "decoder"),
    "MistralConfig": ("MistralForCausalLM", "decoder"),
    "Qwen2Config": ("Qwen2ForCausalLM", "decoder"),
    "Qwen3Config": ("Qwen3ForCausalLM", "decoder"),
    "GemmaConfig": ("GemmaForCausalLM", "decoder"),
    "PhiConfig": ("PhiForCausalLM", "decoder"),
    "FalconConfig": ("FalconForCausalLM", "decoder"),
    "OlmoConfig": ("OlmoForCausalLM", "decoder"),
    "Olmo2Config": ("Olmo2ForCausalLM", "decoder"),
    "CohereConfig": ("CohereForCausalLM", "decoder"),
    "StableLmConfig": ("StableLmForCausalLM", "decoder"),
    "MixtralConfig": ("MixtralForCausalLM", "decoder"),
    "MambaConfig": ("MambaForCausalLM", "decoder"),
    "ViTConfig": ("ViTForImageClassification", "image"),
    "DeiTConfig": ("DeiTForImageClassification", "image"),
    "BeitConfig": ("BeitForImageClassification", "image"),
    "SwinConfig": ("SwinForImageClassification", "image"),
    "ConvNextConfig": ("ConvNextForImageClassification", "image"),
    "ResNetConfig": ("ResNetForImageClassification", "image"),
    "MobileNetV2Config": ("MobileNetV2ForImageClassification", "image"),
}
SMALL = {
    "hidden_size": 32, "n_embd": 32, "d_model": 32, "dim": 32, "embed_dim": 32, "embedding_size": 32,
    "num_hidden_layers": 2, "n_layer": 2, "num_layers": 2, "n_layers": 2, "num_attention_heads": 4, "n_head": 4,
    "n_heads": 4, "num_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48, "hidden_dim": 48, "ffn_dim": 48,
    "vocab_size": 60, "max_position_embeddings": 32, "n_positions": 32, "image_size": 32, "patch_size": 8,
    "num_labels": CLASSES, "head_dim": 8, "word_embed_proj_dim": 32, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2, "sep_token_id": 2,
}  # fmt: skip

Made = tuple[nn.Module, Any]


def torchvision_networks() -> Iterator[tuple[str, Callable[[], Made]]]:
    """The classifiers of torchvision."""
    models = importlib.import_module("torchvision.models")

    def make(name: str) -> Made:
        size = 224 if "vit" in name or "maxvit" in name else 96 if "inception" in name else IMAGE
        options = {"image_size": 224} if "vit_" in name and "max" not in name else {}
        network = models.get_model(name, weights=None, num_classes=CLASSES, **options)
        return network.eval(), torch.randn(1, 3, size, size)

    for name in models.list_models(module=models):
        yield name, lambda name=name: make(name)


def timm_networks() -> Iterator[tuple[str, Callable[[], Made]]]:
    """One network of each module of timm."""
    timm = importlib.import_module("timm")

    def make(name: str) -> Made:
        network = timm.create_model(name, pretrained=False, num_classes=CLASSES)
        return network.eval(), torch.randn(1, *network.default_cfg["input_size"])

    for module in timm.list_modules():
        names = timm.list_models(module=module)
        if names:
            yield names[0], lambda name=names[0]: make(name)


def transformers_networks() -> Iterator[tuple[str, Callable[[], Made]]]:
    """Small networks of the configurations above."""
    library = importlib.import_module("transformers")

    def make(config: str) -> Made:
        name, kind = TRANSFORMERS[config]
        known = getattr(library, config)()
        settings = {key: value for key, value in SMALL.items() if hasattr(known, key)}
        settings |= {"use_cache": False} if kind == "decoder" else {}
        network = getattr(library, name)(getattr(library, config)(**settings)).eval()
        if kind == "image":
            return network, torch.randn(1, 3, *2 * (getattr(network.config, "image_size", IMAGE),))
        tokens = torch.randint(3, 60, (1, TOKENS))
        return network, {"input_ids": tokens} | ({"use_cache": False} if kind == "decoder" else {})

    for config in TRANSFORMERS:
        yield config.removesuffix("Config"), lambda config=config: make(config)


LIBRARIES = {
    "torchvision": torchvision_networks,
    "transformers": transformers_networks,
    "timm": timm_networks,
}


def row(make: Callable[[], Made]) -> str:
    """What is found of one network."""
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    network, example = make()
    sizes = {name: p.numel() for name, p in network.named_parameters()}
    start = time.perf_counter()
    found = laws(network, example, certify=False)
    seconds = time.perf_counter() - start
    touched = {name for law in found for name in law.parameters}
    share = sum(sizes[name] for name in touched) / sum(sizes.values())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    line = f"{sum(sizes.values()):12,}{seconds:8.1f}{memory:8}{len(found):6}{found.count:10,}{share:8.0%}"
    if found.disputed:
        return f"{line}  CONTRADICTED: {found.disputed[0][0].formula}: {found.disputed[0][1]}"
    if not len(found):
        return f"{line}  {found.uncovered[0].name}: {found.uncovered[0].reason}" if found.uncovered else line
    if sum(sizes.values()) > LARGEST:
        return f"{line}  not checked"
    return f"{line}{max(check(network, example, found).values()):12.1e}"


def told(library: str, name: str, results: Any) -> None:
    """A row, or the error, for another process."""
    try:
        results.put(row(dict(LIBRARIES[library]())[name]))
    except Exception as error:  # whatever a library raises
        results.put(f"  {type(error).__name__}: {str(error).splitlines()[0][:150] if str(error) else ''}")


def within(library: str, name: str, seconds: float) -> str:
    """A row, from a process of its own."""
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=told, args=(library, name, results))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        return f"  not done in {seconds:.0f} s"
    return str(results.get()) if process.exitcode == 0 else f"  ended with status {process.exitcode}"


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="networks; default: all")
    parser.add_argument("--of", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--seconds", type=float, default=120)
    arguments = parser.parse_args()
    print(f"{'':34}{'parameters':>12}{'s':>8}{'MiB':>8}{'laws':>6}{'numbers':>10}{'share':>8}{'residual':>12}")
    wrong = False
    for library in arguments.of:
        try:
            networks = [name for name, _ in LIBRARIES[library]()]
        except ImportError:
            print(f"{library} is not installed")
            continue
        for name in networks:
            if not arguments.names or name in arguments.names:
                found = within(library, name, arguments.seconds)
                wrong |= "CONTRADICTED" in found
                print(f"{name:34}{found}", flush=True)
    sys.exit(wrong)


if __name__ == "__main__":
    main()
