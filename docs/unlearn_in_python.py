"""Unlearning from Python, on handwritten digits (about a minute, no download).

    PYTHONPATH=. python docs/unlearn_in_python.py     # in a clone; where it is installed, without PYTHONPATH

A network of your own learns ten digits; then it forgets the 3s, with nothing but the network and images of 3s.
"""

# %% A classifier, as anybody may have one: a torch module that takes normalised images, and its training data.
from itertools import pairwise

import torch
from torch import nn

import zspag_core as zspag

MEAN, STD = 0.3, 0.35


class Reader(nn.Module):
    """Three convolutions and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        widths, layers = (3, 16, 32, 64), []
        for inside, out in pairwise(widths):
            layers += [nn.Conv2d(inside, out, 3, padding=1, stride=2), nn.BatchNorm2d(out), nn.ReLU()]
        self.features, self.classifier = nn.Sequential(*layers), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean(dim=(2, 3)))


def normalised(images: torch.Tensor) -> torch.Tensor:
    return (images / 255 - MEAN) / STD


digits = zspag.load_dataset("digits", image_size=32)
torch.manual_seed(0)
model = Reader()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for _ in range(12):
    for batch in torch.randperm(len(digits.train)).split(64):
        optimizer.zero_grad()
        logits = model(normalised(digits.train.images[batch]))
        nn.functional.cross_entropy(logits, digits.train.labels[batch]).backward()
        optimizer.step()
model.eval()

# %% Unlearning. The images are those of the class to forget, as bytes or as floats in [0, 1].
threes = digits.train.of_classes([3])
preprocess = {"mean": MEAN, "std": STD}
result = zspag.unlearn(model, threes.images, threes.labels, forget=[3], preprocess=preprocess)
print(type(result.model).__name__, *result.notes, sep="\n")

# %% What it came to: with images to test on, the two networks can be compared.
with torch.no_grad():
    for name, network in (("before", model), ("after", result.model)):
        right = network(normalised(digits.test.images)).argmax(1) == digits.test.labels
        threes_of_test = digits.test.labels == 3
        print(
            f"{name}: {100 * right[~threes_of_test].float().mean():.1f} % of the other digits read right, "
            f"{100 * right[threes_of_test].float().mean():.1f} % of the 3s"
        )
print("of the images to forget, read right:", result.record["estimates"]["forget_accuracy"])

# %% The same network, in its own class: it is saved and loaded as it always was.
torch.save(result.model.state_dict(), "reader_without_3.pt")
Reader().load_state_dict(torch.load("reader_without_3.pt", weights_only=True))
