"""Attention written out gives what torch's own gives, keeps its names, and shows its weights."""

import copy

import pytest
import torch
from torch import nn

from zspag_core.models.foreign.attention import ExplicitAttention, can_be_explicit, make_explicit

WIDTH, HEADS = 12, 3


def _attention(**options):
    torch.manual_seed(0)
    made = nn.MultiheadAttention(WIDTH, HEADS, **options).eval()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.3)
    return made


def _tokens(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("need_weights", [True, False])
def test_outputs_are_those_of_torch(batch_first, bias, need_weights):
    original = _attention(batch_first=batch_first, bias=bias)
    query, key = _tokens(5, 4, WIDTH), _tokens(*((5, 6) if batch_first else (6, 4)), WIDTH)
    ours, weights = ExplicitAttention(original)(query, key, key, need_weights=need_weights)
    theirs, expected = original(query, key, key, need_weights=need_weights)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert (weights is None) == (expected is None)
    if expected is not None:
        torch.testing.assert_close(weights, expected, rtol=1e-5, atol=1e-6)


def test_masks_are_honoured():
    original = _attention(batch_first=True)
    explicit, x = ExplicitAttention(original), _tokens(2, 5, WIDTH)
    padding = torch.tensor([[False, False, True, False, False], [False, False, False, True, True]])
    forbidden = torch.ones(5, 5, dtype=torch.bool).triu(1)
    per_head = torch.zeros(2 * HEADS, 5, 5).masked_fill(forbidden, -torch.inf)
    for asked in (
        {"key_padding_mask": padding},
        {"attn_mask": forbidden},
        {"attn_mask": per_head},
        {"attn_mask": forbidden, "is_causal": True},
    ):
        for need_weights in (True, False):
            ours = explicit(x, x, x, need_weights=need_weights, **asked)[0]
            theirs = original(x, x, x, need_weights=need_weights, **asked)[0]
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_heads_weights_may_stay_apart_and_a_single_sequence_has_no_batch():
    original, x = _attention(batch_first=True), _tokens(5, WIDTH)
    ours, weights = ExplicitAttention(original)(x, x, x, average_attn_weights=False)
    theirs, expected = original(x, x, x, average_attn_weights=False)
    assert weights.shape == expected.shape
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_state_dicts_go_both_ways():
    original = _attention(batch_first=True)
    explicit = copy.deepcopy(ExplicitAttention(original))
    saved = explicit.state_dict()
    assert list(saved) == list(original.state_dict())
    assert all(torch.equal(saved[name], value) for name, value in original.state_dict().items())
    other = _attention(batch_first=True)
    with torch.no_grad():
        other.in_proj_weight.add_(1)
    explicit.load_state_dict(other.state_dict(), strict=True)
    assert torch.equal(explicit.q.weight, other.in_proj_weight[:WIDTH])
    other.load_state_dict(saved, strict=True)
    assert torch.equal(other.in_proj_weight, original.in_proj_weight)


def test_torch_s_own_encoder_sends_its_tokens_through_the_four_layers():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(WIDTH, 2, 24, batch_first=True).eval()
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    x = _tokens(2, 4, WIDTH)
    with torch.inference_mode():
        expected = encoder(x)
        make_explicit(encoder)
        seen = []
        for module in encoder.modules():
            if isinstance(module, ExplicitAttention):
                module.q.register_forward_hook(lambda *_: seen.append("q"))
                module.out.register_forward_hook(lambda *_: seen.append("out"))
        torch.testing.assert_close(encoder(x), expected, rtol=1e-4, atol=1e-5)
    assert seen == ["q", "out"] * 2


@pytest.mark.parametrize("options", [{"kdim": 7, "vdim": 7}, {"add_bias_kv": True}, {"add_zero_attn": True}])
def test_what_cannot_be_written_out_stays(options):
    network = nn.Sequential(nn.MultiheadAttention(WIDTH, HEADS, **options))
    assert not can_be_explicit(network[0])
    assert isinstance(make_explicit(network)[0], nn.MultiheadAttention)
