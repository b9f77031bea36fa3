"""A small network that stands for a slow predictor in a design space, differentiable and fast.

A recommended predictor may hold forests and Gaussian processes, which take up to a millisecond a material and
have no gradient. The network learns from random materials of the space what the predictor says of them, mean
and standard deviation (knowledge distillation, Hinton, Vinyals & Dean, arXiv 1503.02531). Materials that were
held out show how well; candidates are predicted by the predictor itself in the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from nestmat import seals
from nestmat.errors import InputError
from nestmat.files import replacing
from nestmat.models.layers import Layout, Output, Perceptrons
from nestmat.search.problem import Quantities
from nestmat.training.trainer import Adam

Features = Callable[[Tensor], Tensor]
"""Features (n, features) of materials (n, columns), differentiable."""

HIDDEN = (128, 128)
EPOCHS, BATCH, RATE = 150, 256, 4e-3
HELD_OUT = 0.1
"""Share of the materials that the network does not learn from."""
SMALLEST = 1e-9
"""What counts as no spread: a share of the largest number of a feature, or of the spread of a quantity."""


@dataclass(frozen=True)
class Fidelity:
    """How well the network stands for the predictor, on materials that it did not learn from.

    Attributes:
        r2: Coefficient of determination of the means.
        error: Mean absolute difference of the means, in the unit of the quantity.
        std: Mean standard deviation that the predictor states, in that unit; NaN where it states none.
        std_error: Mean absolute difference of the standard deviations over their mean; NaN where there are
            none.
    """

    r2: float
    error: float
    std: float
    std_error: float


class DistilledPredictor:
    """Mean and standard deviation of quantities, by one network.

    Args:
        quantities: Quantities by name, whether a standard deviation is stated of each.
        features: What the network reads of a material.
        scaling: Mean and standard deviation of the features, (2, features); constant ones are not read.
        units: Mean and standard deviation of what is predicted: the means of all quantities, then the
            logarithms of standard deviations, (2, outputs).
    """

    def __init__(self, quantities: Mapping[str, bool], features: Features, scaling: Tensor, units: Tensor):
        self.quantities, self.features = dict(quantities), features
        self.scaling, self.units = scaling.double(), units.double()
        self._varying = torch.nonzero(self.scaling[1])[:, 0]
        self.layout = Layout("lecun")
        outputs = {"outputs": Output(self.units.shape[1], output_gain=0.5)}
        self.network = Perceptrons(
            self.layout, "student", len(self._varying), HIDDEN, outputs, "silu", bias_range=1.0
        )
        self.flat = self.layout.initial([0])
        self.fidelity: dict[str, Fidelity] = {}

    def __call__(self, x: Tensor) -> Quantities:
        """Mean and standard deviation (n,) of each quantity of materials (n, columns)."""
        mean, std = self.units.to(x)
        values = self._outputs(self.inputs(x), self.flat.to(x)) * std + mean
        stated = iter(values[:, len(self.quantities) :].unbind(dim=1))
        means = values[:, : len(self.quantities)].unbind(dim=1)
        return {
            name: (mean, next(stated).exp() if has_std else torch.full_like(mean, torch.nan))
            for (name, has_std), mean in zip(self.quantities.items(), means, strict=True)
        }

    def inputs(self, x: Tensor) -> Tensor:
        """What the network reads, (n, inputs), of materials (n, columns)."""
        mean, std = self.scaling[:, self._varying].to(x)
        return (self.features(x)[:, self._varying.to(x.device)] - mean) / std

    def _outputs(self, inputs: Tensor, flat: Tensor) -> Tensor:
        """Scaled outputs, (n, outputs)."""
        outputs = self.network(inputs.T[None], self.layout.views(flat), None)["outputs"]
        return outputs[0].T

    def save(self, path: str | Path) -> None:
        """Write scaling and weights, with the quantities and their fidelity as JSON beside them."""
        facts = {
            "quantities": self.quantities,
            "fidelity": {name: vars(value) for name, value in self.fidelity.items()},
            seals.KEY: seals.BLANK,
        }
        tensors = {"scaling": self.scaling, "units": self.units, "weights": self.flat}
        with replacing(path) as temporary:
            # One entry only: safetensors writes several in an order that changes from run to run.
            save_file(tensors, temporary, {"facts": json.dumps(facts)})
            seals.seal(temporary)

    @classmethod
    def load(cls, path: str | Path, features: Features) -> DistilledPredictor:
        """Read what `save` wrote; ``features`` are those that it was trained with.

        Raises:
            InputError: The file is missing or damaged.
        """
        seals.verify(path)
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in ("scaling", "units", "weights")}
            facts = json.loads(file.metadata()["facts"])
        student = cls(facts["quantities"], features, tensors["scaling"], tensors["units"])
        student.flat = tensors["weights"]
        student.fidelity = {name: Fidelity(**values) for name, values in facts["fidelity"].items()}
        return student


def distil(
    x: NDArray[np.float64],
    predicted: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    features: Features,
    seed: int = 0,
) -> DistilledPredictor:
    """Train a network to predict what a predictor states.

    Args:
        x: Random materials of the space, (n, columns).
        predicted: Mean and standard deviation, (n,) each, by quantity.
        features: What the network reads of a material.
        seed: Seed of the batches; the first materials are held out.

    Raises:
        InputError: The predictor states no number for a material.
    """
    has_std = {name: bool(np.isfinite(std).all()) for name, (_, std) in predicted.items()}
    columns = [mean for mean, _ in predicted.values()]
    # Standard deviations are learned as logarithms.
    columns += [
        np.log(np.maximum(std, SMALLEST * (np.ptp(mean) or std.max() or 1.0)))
        for name, (mean, std) in predicted.items()
        if has_std[name]
    ]
    if not np.isfinite(columns).all():
        raise InputError(
            "The predictor states no number for a material of the design space.",
            key="search.predictor",
            remedy="search with `predictor: model`.",
        )
    targets, materials = torch.from_numpy(np.column_stack(columns)), torch.from_numpy(x)
    held_out = max(2, int(HELD_OUT * len(x)))
    read = features(materials)
    scaling = torch.stack([read.mean(0), read.std(0)])
    units = torch.stack([targets.mean(0), targets.std(0)])
    units[1] = torch.where(units[1] > SMALLEST * targets.abs().amax(0), units[1], 1.0)
    scaling[1] = torch.where(scaling[1] > SMALLEST * read.abs().amax(0), scaling[1], 0.0)
    student = DistilledPredictor(has_std, features, scaling, units)
    scaled = ((targets - units[0]) / units[1]).float()
    _train(student, student.inputs(materials)[held_out:].float(), scaled[held_out:], seed)
    student.fidelity = _fidelity(student, materials[:held_out], predicted)
    return student


def _train(student: DistilledPredictor, inputs: Tensor, targets: Tensor, seed: int) -> None:
    """Adam on the mean absolute difference, with a step size that falls along a cosine."""
    random = torch.Generator().manual_seed(seed)
    flat = student.flat.requires_grad_()
    adam, batches = Adam(flat, RATE), -(-len(inputs) // BATCH)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(inputs), generator=random)
        for number, rows in enumerate(order.split(BATCH)):
            share = (epoch + number / batches) / EPOCHS
            adam.rate = RATE * 0.5 * (1 + float(np.cos(np.pi * share)))
            loss = (student._outputs(inputs[rows], flat) - targets[rows]).abs().mean()
            (gradient,) = torch.autograd.grad(loss, flat)
            adam.step(flat, gradient)
    student.flat = flat.detach()


@torch.no_grad()
def _fidelity(
    student: DistilledPredictor,
    x: Tensor,
    predicted: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> dict[str, Fidelity]:
    """Fidelity by quantity on the first materials, those of ``x``."""
    fidelity = {}
    for name, (mean, std) in student(x).items():
        true_mean, true_std = (values[: len(x)] for values in predicted[name])
        difference = mean.numpy() - true_mean
        spread = float(np.square(true_mean - true_mean.mean()).sum())
        fidelity[name] = Fidelity(
            1.0 - float(np.square(difference).sum()) / spread if spread else float("nan"),
            float(np.abs(difference).mean()),
            float(true_std.mean()),
            float(np.abs(std.numpy() - true_std).mean() / true_std.mean()) if true_std.any() else 0.0,
        )
    return fidelity
