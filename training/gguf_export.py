"""Writes the trained weights as the GGUF files that ship, and lists them in MODELS.json.

python training/gguf_export.py /tmp/models
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import gguf
import numpy as np
import torch
from model import CONTEXT, EPSILON, ROPE_BASE, Shape
from vocab import CONTROLS, END, PAD, Vocabulary, byte_symbols

# A system message, then a user message; the same string the training used.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

_QUANTS = {
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    "q4_0": (gguf.GGMLQuantizationType.Q4_0, gguf.LlamaFileType.MOSTLY_Q4_0),
}
_BLOCK = {
    "attn_norm": "attn_norm",
    "attn.q": "attn_q",
    "attn.k": "attn_k",
    "attn.v": "attn_v",
    "attn.o": "attn_output",
    "attn.q_norm": "attn_q_norm",
    "attn.k_norm": "attn_k_norm",
    "ffn_norm": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}


# name in the portfolio -> trained weights, quantisation
SHIPPED = {
    "small": ("small", "f16"),
    "large": ("large", "f16"),
    "large-q4": ("large", "q4_0"),
    "specialist": ("specialist", "f16"),
}
FOLDER = Path(__file__).parents[1] / "src/pointsman/embedded/models"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="the folder that train.py wrote")
    source = parser.parse_args().weights
    card_file = FOLDER / "MODELS.json"
    card = json.loads(card_file.read_text()) if card_file.exists() else {"models": {}}
    for name, (trained, quant) in SHIPPED.items():
        target = FOLDER / f"{trained}-{quant.removesuffix('_0')}.gguf"
        parameters = export(source / f"{trained}.pt", target, quant)
        data = target.read_bytes()
        card["models"].setdefault(name, {}).update(
            file=target.name,
            sha256=hashlib.sha256(data).hexdigest(),
            bytes=len(data),
            architecture="qwen3",
            parameters=parameters,
            quant=quant,
            context=CONTEXT,
        )
        print(f"{target.name}: {len(data):,} bytes, {parameters:,} parameters")
    card_file.write_text(json.dumps(card, indent=2) + "\n")


def export(source: Path, target: Path, quant: str) -> int:
    """Writes the file and returns the number of parameters."""
    saved = torch.load(source, weights_only=True)
    shape, weights = Shape(**saved["shape"]), saved["weights"]
    kind, file_type = _QUANTS[quant]
    writer = gguf.GGUFWriter(target, "qwen3")
    writer.add_name(f"pointsman-{source.stem}")
    writer.add_license("apache-2.0")
    writer.add_file_type(file_type)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(EPSILON)
    _add_vocabulary(writer)
    for name, tensor in weights.items():
        array = tensor.float().numpy()
        if array.ndim == 1:  # norms stay F32
            writer.add_tensor(_tensor_name(name), array)
            continue
        # The tied embedding is also the output: four bits are too few for it.
        rich = name == "embed.weight" and quant == "q4_0"
        used = gguf.GGMLQuantizationType.Q8_0 if rich else kind
        if used == gguf.GGMLQuantizationType.F16:
            writer.add_tensor(_tensor_name(name), array.astype(np.float16))
        else:
            writer.add_tensor(_tensor_name(name), gguf.quantize(array, used), raw_dtype=used)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sum(tensor.numel() for tensor in weights.values())


def _tensor_name(name: str) -> str:
    if name == "embed.weight":
        return "token_embd.weight"
    if name == "norm.weight":
        return "output_norm.weight"
    _, number, rest = name.split(".", 2)
    return f"blk.{number}.{_BLOCK[rest.removesuffix('.weight')]}.weight"


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    vocabulary, symbols = Vocabulary(), byte_symbols()
    unused = [f"<|unused{place}|>" for place in range(vocabulary.unused)]
    kinds = [
        *[gguf.TokenType.CONTROL] * len(CONTROLS),
        *[gguf.TokenType.USER_DEFINED] * len(vocabulary.fixed),
        *[gguf.TokenType.NORMAL] * len(symbols),
        *[gguf.TokenType.UNUSED] * len(unused),
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([*CONTROLS, *vocabulary.fixed, *symbols, *unused])
    writer.add_token_types(kinds)
    # The engine wants a merges list; this one joins two bytes that no text holds.
    writer.add_token_merges([f"{symbols[0]} {symbols[1]}"])
    writer.add_eos_token_id(END)
    writer.add_pad_token_id(PAD)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


if __name__ == "__main__":
    main()
