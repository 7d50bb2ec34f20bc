"""Rewrite the layers that write a network's features, so that they carry only what tells the remaining classes apart.

The head reads of the features nothing but the differences of its rows: for R remaining classes, at most R - 1
directions. Whatever else is in the features serves a probe, not the answer. The layers that write them are therefore
fitted anew, in closed form, to the remaining logits as the network computes them, and everything else is left out; then
a forgotten class can only be found as far as the remaining logits give it away. The images that this is fitted to are
those that zero-shot unlearning has: forget samples and proxies, also shifted and mirrored.

Features must be a mean over places of ReLU(a + b + ...), each summand written by a convolution or linear layer (with
BatchNorm or without): a common base is added, so large that no ReLU cuts anything off, and the new features are linear
in what enters these layers. Later blocks of a ResNet that hand such features on, and add to them, add nothing any more.

Or they are the class token of LayerNorm(stream + a), as a transformer has them: the norm takes out any gain, so a is
written so loud that float32 rounds the stream away, on a base that the norm leaves alone. What the stream told the head
goes on through a few hidden units of the last MLP, in pairs: act(x) - act(-x) = x.
"""

from zspag_core.narrowing.narrow import Narrowed, check_narrow, narrow

__all__ = ["Narrowed", "check_narrow", "narrow"]
