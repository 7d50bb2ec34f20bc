"""Vision transformer (Dosovitskiy et al., 2020) with explicit q, k, v and output layers.

torch.nn.MultiheadAttention fuses q, k and v and bypasses its own submodules in eval mode, so that hooks and per-layer
projections would miss them; four plain linear layers do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zspag_core.models.base import Classifier, ModelConfig, Stream, Writer

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class ViTConfig(ModelConfig):
    """Sizes of a vision transformer.

    Attributes:
        patch_size: side of a patch in pixels; divides image_size.
        width: width of a token.
        depth: number of encoder blocks.
        heads: attention heads; divides width.
        hidden: width of the hidden layer of each MLP.
        dropout: share of activations dropped while training.
        norm_epsilon: term added to the variance in LayerNorm.
    """

    patch_size: int = 4
    width: int = 128
    depth: int = 6
    heads: int = 2
    hidden: int = 256
    dropout: float = 0.0
    norm_epsilon: float = 1e-6


class Attention(nn.Module):
    """Multi-head self-attention as four linear layers."""

    def __init__(self, width: int, heads: int) -> None:
        """Build q, k, v and output projections of (width, width)."""
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (N, T, width) to (N, T, width)."""
        q, k, v = (layer(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        mixed = F.scaled_dot_product_attention(q, k, v)  # (N, heads, T, width / heads)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class EncoderBlock(nn.Module):
    """Pre-norm attention and MLP, each with a residual connection."""

    def __init__(self, config: ViTConfig) -> None:
        """Build one encoder block."""
        super().__init__()
        self.norm_1 = nn.LayerNorm(config.width, eps=config.norm_epsilon)
        self.attention = Attention(config.width, config.heads)
        self.norm_2 = nn.LayerNorm(config.width, eps=config.norm_epsilon)
        self.up = nn.Linear(config.width, config.hidden)
        self.down = nn.Linear(config.hidden, config.width)
        self.dropout = config.dropout

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (N, T, width) to (N, T, width)."""
        x = x + F.dropout(self.attention(self.norm_1(x)), self.dropout, training=self.training)
        y = self.down(F.gelu(self.up(self.norm_2(x))))
        return x + F.dropout(y, self.dropout, training=self.training)


class ViT(Classifier):
    """Patch embedding, class token, encoder blocks, linear head on the class token."""

    architecture = "vit"

    def __init__(self, config: ViTConfig) -> None:
        """Build the network that the config describes."""
        super().__init__(config)
        if config.image_size % config.patch_size or config.width % config.heads:
            raise ValueError(
                f"expected a patch size that divides {config.image_size} and heads that divide {config.width}, "
                f"got {config.patch_size} and {config.heads}"
            )
        self.side = config.image_size // config.patch_size
        self.patches = nn.Conv2d(config.channels, config.width, config.patch_size, stride=config.patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.positions = nn.Parameter(torch.randn(1, self.side**2 + 1, config.width) * 0.02)
        self.blocks = nn.ModuleList([EncoderBlock(config) for _ in range(config.depth)])
        self.norm = nn.LayerNorm(config.width, eps=config.norm_epsilon)
        self.head = nn.Linear(config.width, config.num_classes)

    def embed(self, images: Tensor) -> Tensor:
        """Return the class token after the last norm, (N, width)."""
        x = self.patches(self.normalise(images)).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1) + self.positions
        for block in self.blocks:
            x = block(x)
        features: Tensor = self.norm(x)[:, 0]
        return features

    @property
    def writers(self) -> tuple[Writer, ...]:
        """The second layer of the last block's MLP."""
        return (Writer(cast("EncoderBlock", self.blocks[-1]).down),)

    @property
    def stream(self) -> Stream:
        """The tokens that the last MLP adds to, and the last norm."""
        return Stream(cast("EncoderBlock", self.blocks[-1]).norm_2, self.norm)

    @property
    def cam_layers(self) -> dict[str, nn.Module]:
        """The input of every block's attention."""
        return {f"block {index}": block.get_submodule("norm_1") for index, block in enumerate(self.blocks, start=1)}

    @property
    def cam_reshape(self) -> Callable[[Tensor], Tensor]:
        """Drop the class token and lay the patches out as a map (N, width, side, side)."""
        return lambda tokens: tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, self.side, self.side)
