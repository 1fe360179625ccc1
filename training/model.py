"""The Qwen3 architecture in plain torch, small enough to train on two cores."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

CONTEXT = 512
ROPE_BASE = 10_000.0
EPSILON = 1e-6


@dataclass(frozen=True)
class Shape:
    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    inner: int

    @property
    def head(self) -> int:
        return self.width // self.heads


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.q = nn.Linear(shape.width, shape.heads * shape.head, bias=False)
        self.k = nn.Linear(shape.width, shape.kv_heads * shape.head, bias=False)
        self.v = nn.Linear(shape.width, shape.kv_heads * shape.head, bias=False)
        self.o = nn.Linear(shape.heads * shape.head, shape.width, bias=False)
        self.q_norm = nn.RMSNorm(shape.head, eps=EPSILON)
        self.k_norm = nn.RMSNorm(shape.head, eps=EPSILON)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        rows, length, _ = x.shape
        s = self.shape
        q = self.q_norm(self.q(x).view(rows, length, s.heads, s.head)).transpose(1, 2)
        k = self.k_norm(self.k(x).view(rows, length, s.kv_heads, s.head)).transpose(1, 2)
        v = self.v(x).view(rows, length, s.kv_heads, s.head).transpose(1, 2)
        q, k = _rotated(q, cos, sin).to(v.dtype), _rotated(k, cos, sin).to(v.dtype)
        # Plain products: on CPU their backward is several times faster than the fused attention's,
        # and the query heads of one key head lie behind each other.
        q = q.reshape(rows * s.kv_heads, -1, s.head)
        k = k.reshape(rows * s.kv_heads, length, s.head)
        v = v.reshape(rows * s.kv_heads, length, s.head)
        mask = torch.full((length, length), float("-inf")).triu(1)
        mask = mask.repeat(s.heads // s.kv_heads, 1).to(v.dtype)
        scores = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=s.head**-0.5)
        mixed = (scores.softmax(-1).to(v.dtype) @ v).view(rows, s.heads, length, s.head)
        out: torch.Tensor = self.o(mixed.transpose(1, 2).reshape(rows, length, -1))
        return out


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attn_norm = nn.RMSNorm(shape.width, eps=EPSILON)
        self.attn = Attention(shape)
        self.ffn_norm = nn.RMSNorm(shape.width, eps=EPSILON)
        self.gate = nn.Linear(shape.width, shape.inner, bias=False)
        self.up = nn.Linear(shape.width, shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, shape.width, bias=False)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.attn_norm(x), cos, sin)
        y = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Qwen3(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, eps=EPSILON)
        steps = torch.arange(0, shape.head, 2).float() / shape.head
        angles = torch.arange(CONTEXT).float()[:, None] / ROPE_BASE**steps
        self.register_buffer("cos", torch.cat([angles.cos()] * 2, -1), persistent=False)
        self.register_buffer("sin", torch.cat([angles.sin()] * 2, -1), persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                scale = 0.3 if name.endswith(("o.weight", "down.weight")) else 0.7
                spread = 0.02 if "embed" in name else scale / weight.shape[1] ** 0.5
                nn.init.normal_(weight, std=spread)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Hidden states after the last norm; `logits` turns the wanted ones into logits."""
        x = self.embed(ids)
        cos, sin = self.cos[: ids.shape[1]], self.sin[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, cos, sin)
        out: torch.Tensor = self.norm(x)
        return out

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden @ self.embed.weight.T.to(hidden.dtype)


def _rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat((-right, left), -1) * sin
