"""`nn.MultiheadAttention` written out, so that every weight is a layer whose input a hook can see.

The original keeps q, k and v in one bare parameter and never calls its `out_proj`, so that hooks miss all four.
"""

from __future__ import annotations

import functools
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PARTS = ("q", "k", "v")
ENDS = ("weight", "bias")


class ExplicitAttention(nn.Module):
    """Attention with four linear layers, which takes, returns and saves what the `nn.MultiheadAttention` did.

    Its state_dict has the original's names: `in_proj_weight`, `in_proj_bias`, `out_proj.weight`, `out_proj.bias`.
    """

    in_proj_bias = None  # what PyTorch's encoder layers ask in order not to pass by `forward`
    _qkv_same_embed_dim = True

    q: nn.Linear
    k: nn.Linear
    v: nn.Linear
    out: nn.Linear

    def __init__(self, original: nn.MultiheadAttention) -> None:
        """Copy the weights of an attention whose q, k and v have one width and no extra keys."""
        super().__init__()
        self.embed_dim, self.num_heads, self.head_dim = original.embed_dim, original.num_heads, original.head_dim
        self.batch_first, self.dropout = original.batch_first, original.dropout
        biased = original.in_proj_bias is not None
        like = original.in_proj_weight
        for name in (*PARTS, "out"):
            bias = biased if name != "out" else original.out_proj.bias is not None
            self.add_module(name, nn.Linear(self.embed_dim, self.embed_dim, bias=bias, device=like.device))
        self.register_state_dict_post_hook(_join)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_take_apart)  # type: ignore[no-untyped-call]
        self.load_state_dict(original.state_dict())
        self.train(original.training)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,  # noqa: FBT001, FBT002 - torch's signature
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,  # noqa: FBT001, FBT002 - torch's signature
        is_causal: bool = False,  # noqa: FBT001, FBT002 - torch's signature
    ) -> tuple[Tensor, Tensor | None]:
        """Attend as `nn.MultiheadAttention` does; (N, T, width) where `batch_first`, else (T, N, width)."""
        batched = query.ndim == 3
        inputs = [x if batched else x.unsqueeze(0 if self.batch_first else 1) for x in (query, key, value)]
        q, k, v = (self._split(getattr(self, name)(x)) for name, x in zip(PARTS, inputs, strict=True))
        mask = self._mask(q, k, key_padding_mask, attn_mask, causal=is_causal)
        weights = None
        if need_weights:
            scores = q @ k.transpose(-2, -1) / self.head_dim**0.5
            weights = (scores if mask is None else scores + mask).softmax(-1)
            mixed = F.dropout(weights, self.dropout, training=self.training) @ v
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            share = self.dropout if self.training else 0.0
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=share)
        joined = mixed.transpose(1, 2).flatten(2)  # (N, T, width)
        out: Tensor = self.out(joined if self.batch_first else joined.transpose(0, 1))
        if not batched:
            out = out.squeeze(0 if self.batch_first else 1)
            weights = None if weights is None else weights.squeeze(0)
        return out, weights

    def _split(self, x: Tensor) -> Tensor:
        """Return (N, heads, T, width / heads)."""
        rows = x if self.batch_first else x.transpose(0, 1)
        heads: Tensor = rows.unflatten(2, (self.num_heads, self.head_dim)).transpose(1, 2)
        return heads

    def _mask(
        self, q: Tensor, k: Tensor, padding: Tensor | None, mask: Tensor | None, *, causal: bool
    ) -> Tensor | None:
        """Return what is added to the scores, None for nothing."""
        count = len(q)
        if mask is None and causal:
            ones = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device)
            mask = ones.triu(1)
        parts = []
        if mask is not None:
            added = _additive(mask, q.dtype)
            parts.append(added.unflatten(0, (count, self.num_heads)) if added.ndim == 3 else added)
        if padding is not None:
            parts.append(_additive(padding, q.dtype)[:, None, None, :])
        return functools.reduce(torch.add, parts) if parts else None


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a mask as numbers that are added: minus infinity where a boolean one is true."""
    if mask.dtype != torch.bool:
        return mask.to(dtype)
    return torch.zeros_like(mask, dtype=dtype).masked_fill(mask, -torch.inf)


def can_be_explicit(module: nn.Module) -> TypeGuard[nn.MultiheadAttention]:
    """Tell whether a module is an attention that :class:`ExplicitAttention` can stand in for."""
    return (
        type(module).forward is nn.MultiheadAttention.forward
        and isinstance(module, nn.MultiheadAttention)
        and module._qkv_same_embed_dim
        and module.bias_k is None
        and not module.add_zero_attn
    )


def make_explicit(network: nn.Module) -> nn.Module:
    """Replace every `nn.MultiheadAttention` inside a network, in place; return the network."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if can_be_explicit(child):
                setattr(module, name, ExplicitAttention(child))
    return network


def _join(_module: nn.Module, weights: dict[str, Any], prefix: str, _metadata: object) -> None:
    """Put the four layers' weights together under the original's names, in its order."""
    parts = {end: [weights.pop(f"{prefix}{name}.{end}", None) for name in PARTS] for end in ENDS}
    outs = {end: weights.pop(f"{prefix}out.{end}", None) for end in ENDS}
    weights |= {f"{prefix}in_proj_{end}": torch.cat(found) for end, found in parts.items() if found[0] is not None}
    weights |= {f"{prefix}out_proj.{end}": out for end, out in outs.items() if out is not None}


def _take_apart(_module: nn.Module, weights: dict[str, Any], prefix: str, *_: object) -> None:
    """Give the four layers their parts of what has the original's names."""
    for end in ENDS:
        joined, out = weights.pop(f"{prefix}in_proj_{end}", None), weights.pop(f"{prefix}out_proj.{end}", None)
        if joined is not None:
            weights |= {f"{prefix}{name}.{end}": part for name, part in zip(PARTS, joined.chunk(3), strict=True)}
        if out is not None:
            weights[f"{prefix}out.{end}"] = out
