"""The decoder-only transformers of localbatch in PyTorch, by their formulas.

Llama (Touvron et al. 2023): RMSNorm, rotary positions that turn value j of a head together with
value j + half, query heads that share keys and values in groups, SwiGLU; names of Hugging Face.
GPT (Radford et al. 2019): LayerNorm, learned positions, GELU; names of nanoGPT. Modules stand in
the order in which localbatch lists tensors.
"""

import dataclasses
import functools
import math

import torch
from torch import nn
from torch.nn import functional

EPSILON = 1e-5
ROTARY_BASE = 10000


@dataclasses.dataclass(frozen=True)
class Sizes:
    kind: str  # llama or gpt
    layers: int
    width: int
    heads: int
    hidden: int
    vocabulary: int
    length: int
    key_value_heads: int = 0  # 0: as many as heads
    tied: bool = True
    bias: bool = False
    gelu: str = "none"  # or tanh, the approximation


# What 'localbatch bench' calls by these names (lib/bench/networks.cpp).
BENCH = {
    "gpt_4x128": Sizes("gpt", 4, 128, 4, 512, 65, 64),
    "gpt_6x384": Sizes("gpt", 6, 384, 6, 1536, 65, 256),
    "llama_4x128": Sizes("llama", 4, 128, 4, 352, 256, 256, key_value_heads=2),
    "llama_6x256": Sizes("llama", 6, 256, 4, 704, 256, 256, key_value_heads=2),
    "stories15m": Sizes("llama", 6, 288, 6, 768, 32000, 256),
}


@functools.lru_cache
def future(length):
    """Of each token, those that it must not see."""
    return torch.ones(length, length, dtype=torch.bool).triu(1)


@functools.lru_cache
def rotations(length, half, dtype):
    """Cosines and sines of [token, pair]; computed in double."""
    frequency = ROTARY_BASE ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.arange(length, dtype=torch.float64)[:, None] * frequency
    return angle.cos().to(dtype), angle.sin().to(dtype)


def attention(q, k, v):
    """Causal. Queries [batch, heads, token, feature], keys and values with fewer heads: query head
    j reads head floor(j groups / heads), so that the heads of a group lie side by side."""
    batch, heads, length, size = q.shape
    groups = k.shape[1]
    scores = q.reshape(batch, groups, -1, size) @ k.transpose(2, 3) / math.sqrt(size)
    scores = scores.view(batch, groups, -1, length, length)
    weights = scores.masked_fill(future(length), -math.inf).softmax(-1)
    return (weights.flatten(2, 3) @ v).view(batch, heads, length, size)


def heads_of(x, heads):
    """[batch, token, heads x feature] to [batch, head, token, feature]."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def turned(x):
    """x by its rotary positions, in f32 or better."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    cos, sin = rotations(x.shape[2], x.shape[3] // 2, dtype)
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON) * self.weight


class LayerNorm(nn.Module):
    def __init__(self, width, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x):
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, EPSILON)


class LlamaAttention(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.heads, self.groups = sizes.heads, sizes.key_value_heads or sizes.heads
        features = sizes.width // sizes.heads * self.groups
        self.q_proj = nn.Linear(sizes.width, sizes.width, bias=False)
        self.k_proj = nn.Linear(sizes.width, features, bias=False)
        self.v_proj = nn.Linear(sizes.width, features, bias=False)
        self.o_proj = nn.Linear(sizes.width, sizes.width, bias=False)

    def forward(self, x):
        q, k = heads_of(self.q_proj(x), self.heads), heads_of(self.k_proj(x), self.groups)
        v = heads_of(self.v_proj(x), self.groups)
        return self.o_proj(attention(turned(q), turned(k), v).transpose(1, 2).flatten(2))


class LlamaFeedForward(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.gate_proj = nn.Linear(sizes.width, sizes.hidden, bias=False)
        self.up_proj = nn.Linear(sizes.width, sizes.hidden, bias=False)
        self.down_proj = nn.Linear(sizes.hidden, sizes.width, bias=False)

    def forward(self, x):
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class LlamaBlock(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.input_layernorm = RmsNorm(sizes.width)
        self.self_attn = LlamaAttention(sizes)
        self.post_attention_layernorm = RmsNorm(sizes.width)
        self.mlp = LlamaFeedForward(sizes)

    def forward(self, stream):
        stream = stream + self.self_attn(self.input_layernorm(stream))
        return stream + self.mlp(self.post_attention_layernorm(stream))


class Llama(nn.Module):
    """Logits [sequence, token, vocabulary] of tokens [sequence, token]."""

    def __init__(self, sizes):
        super().__init__()
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(sizes.vocabulary, sizes.width)
        self.model.layers = nn.ModuleList(LlamaBlock(sizes) for _ in range(sizes.layers))
        self.model.norm = RmsNorm(sizes.width)
        self.lm_head = nn.Linear(sizes.width, sizes.vocabulary, bias=False)
        if sizes.tied:
            self.lm_head.weight = self.model.embed_tokens.weight

    def forward(self, tokens):
        stream = self.model.embed_tokens(tokens)
        for block in self.model.layers:
            stream = block(stream)
        return self.lm_head(self.model.norm(stream))


class GptAttention(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.heads = sizes.heads
        self.c_attn = nn.Linear(sizes.width, 3 * sizes.width, bias=sizes.bias)
        self.c_proj = nn.Linear(sizes.width, sizes.width, bias=sizes.bias)

    def forward(self, x):
        q, k, v = (heads_of(part, self.heads) for part in self.c_attn(x).chunk(3, -1))
        return self.c_proj(attention(q, k, v).transpose(1, 2).flatten(2))


class GptFeedForward(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.gelu = sizes.gelu
        self.c_fc = nn.Linear(sizes.width, sizes.hidden, bias=sizes.bias)
        self.c_proj = nn.Linear(sizes.hidden, sizes.width, bias=sizes.bias)

    def forward(self, x):
        return self.c_proj(functional.gelu(self.c_fc(x), approximate=self.gelu))


class GptBlock(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.ln_1 = LayerNorm(sizes.width, sizes.bias)
        self.attn = GptAttention(sizes)
        self.ln_2 = LayerNorm(sizes.width, sizes.bias)
        self.mlp = GptFeedForward(sizes)

    def forward(self, stream):
        stream = stream + self.attn(self.ln_1(stream))
        return stream + self.mlp(self.ln_2(stream))


class Gpt(nn.Module):
    """Logits [sequence, token, vocabulary] of tokens [sequence, token]."""

    def __init__(self, sizes):
        super().__init__()
        self.transformer = nn.Module()
        self.transformer.wte = nn.Embedding(sizes.vocabulary, sizes.width)
        self.transformer.wpe = nn.Embedding(sizes.length, sizes.width)
        self.transformer.h = nn.ModuleList(GptBlock(sizes) for _ in range(sizes.layers))
        self.transformer.ln_f = LayerNorm(sizes.width, sizes.bias)
        self.lm_head = nn.Linear(sizes.width, sizes.vocabulary, bias=False)
        if sizes.tied:
            self.lm_head.weight = self.transformer.wte.weight

    def forward(self, tokens):
        stream = self.transformer.wte(tokens) + self.transformer.wpe.weight[: tokens.shape[1]]
        for block in self.transformer.h:
            stream = block(stream)
        return self.lm_head(self.transformer.ln_f(stream))


def make_decoder(sizes):
    return {"llama": Llama, "gpt": Gpt}[sizes.kind](sizes)
