"""Trained members in files: weights and scalers as safetensors, everything else as JSON."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors
import torch
from safetensors.torch import save_file

import nestmat
from nestmat import seals
from nestmat.errors import InputError
from nestmat.files import replacing
from nestmat.models.base import Network
from nestmat.models.keys import ModelKey
from nestmat.models.specification import Head, Shapes, Specification, specification_from
from nestmat.training.members import Members
from nestmat.training.scale_data import ScaleData
from nestmat.training.scaling import Scaler, Scalers

# Activations of this many numbers at a time when members are applied to rows.
_NUMBERS = 4_000_000


@dataclass(frozen=True)
class Trained:
    """Trained members of one scale with all that is needed to apply them.

    Attributes:
        scale: Name of the scale.
        model: Name of the model.
        protocol: Protocol of its folds.
        specification: What the model is made of.
        flat: Parameters, (members, parameters).
        scalers: Scaler of each block and target.
        members: Member, repeat, fold, inner and seed, one row a member.
        columns: Columns of each block, parents included.
        kinds: continuous, categorical or simplex, by block.
        targets: Targets of the scale.
        parents: Names of the blocks that are latents of parent scales.
        units: Unit of each column and target.
        source: Provenance of the features.
        facts: Versions, threads, rows and anything else worth keeping.
        joint: Parents that were trained together with these members, member by member.
        classes: Names of the classes of each target that has some: its prediction is the probability of the
            second of two, or that of each.
    """

    scale: str
    model: str
    protocol: str
    specification: Specification
    flat: torch.Tensor
    scalers: Scalers
    members: pd.DataFrame
    columns: dict[str, list[str]]
    kinds: dict[str, str]
    targets: list[str]
    parents: list[str]
    units: dict[str, str]
    source: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    joint: dict[str, Trained] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        data: ScaleData,
        members: Members,
        flat: torch.Tensor,
        scalers: Scalers,
        specification: Specification,
        key: ModelKey,
        joint: Mapping[str, Trained] | None = None,
    ) -> Trained:
        """Put trained parameters together with what is needed to apply them."""
        return cls(
            **key.provenance,
            specification=specification,
            flat=flat,
            scalers=scalers,
            members=members.frame(),
            columns=data.columns,
            kinds=data.kinds,
            targets=list(data.y),
            parents=list(data.parents),
            units=data.units,
            source=data.source,
            facts={"rows": len(data), "seeds": members.keys().tolist()},
            joint=dict(joint or {}),
            classes=data.classes,
        )

    @property
    def key(self) -> ModelKey:
        """Scale, protocol and name of the model."""
        return ModelKey(self.scale, self.protocol, self.model)

    @property
    def shapes(self) -> Shapes:
        """Widths and names that the model is built from."""
        widths = {name: len(names) for name, names in self.columns.items()}
        return Shapes(widths, self.kinds, self.targets, self.classes)

    @property
    def inputs(self) -> dict[str, list[str]]:
        """Columns of the feature blocks that the encoder reads, parents left out."""
        blocks = self.specification.inputs
        return {name: self.columns[name] for name in blocks if name not in self.parents}

    def network(self, index: np.ndarray) -> Network:
        """The network of some members."""
        network = self.specification.network(self.shapes, [])
        network.flat = self.flat[torch.from_numpy(np.asarray(index))]
        return network

    def forward(
        self, blocks: Mapping[str, torch.Tensor], index: np.ndarray
    ) -> tuple[torch.Tensor, dict[str, tuple[torch.Tensor, torch.Tensor]]]:
        """Latents and predictions of some members, differentiable in the inputs.

        Inputs are scaled in their own precision, and all is computed on their device; the networks are
        float32.

        Args:
            blocks: Unscaled inputs of one precision: (n, width), or (members, n, width) where they differ
                between members.
            index: The members, (members,).

        Returns:
            Latents (members, n, latents), float32, and for each quantity of a target its mean and standard
            deviation in physical units, (members, n) each, in the precision of the inputs; the standard
            deviation is NaN where the model states none.
        """
        network, scaled = self.network(index), []
        for name in self.specification.inputs:
            # Rows along the last axis, as the network wants them.
            block = blocks[name].transpose(-1, -2).contiguous()
            mean, std = (part.transpose(1, 2).to(block) for part in self.scalers[name][index].tensors())
            scaled.append(((block - mean) / std).float())
        network.flat = network.flat.to(scaled[0].device)
        z, _ = network.encode(torch.cat(scaled, dim=1).transpose(1, 2))
        return z, self.restore(network.predict(z), index, block)

    def restore(
        self, scaled: Mapping[str, tuple[torch.Tensor, torch.Tensor]], index: np.ndarray, like: torch.Tensor
    ) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """Predictions of some members in physical units, not below the floors of the heads.

        Args:
            scaled: Mean and standard deviation of each scaled quantity, (members, n) each.
            index: The members, (members,).
            like: A tensor of the precision and on the device of what is returned.
        """
        predicted, target_of = {}, self.shapes.target_of
        for quantity, (value, spread) in scaled.items():
            name = target_of[quantity]
            # Of several quantities of a target all pass unscaled.
            mean, std = (part[:, :, 0].to(like) for part in self.scalers[name][index].tensors())
            head = self.specification.heads[name]
            prediction, deviation = head_units(head, value.to(like) * std + mean, spread.to(like) * std)
            if (floor := head.floor) is not None:
                # In value alone: without a slope below the floor no search would leave it.
                prediction = torch.where(
                    prediction < floor, floor + (prediction - prediction.detach()), prediction
                )
            predicted[quantity] = (prediction, deviation)
        return predicted

    def decode(self, z: torch.Tensor, index: np.ndarray) -> dict[str, torch.Tensor]:
        """Blocks that latents of some members stand for, differentiable in the latents.

        Args:
            z: (members, n, latents).
            index: The members, (members,).

        Returns:
            For each block that a head decodes its unscaled columns, (members, n, width), float64.
        """
        decoded = {}
        for name, value in self.network(index).decode(z.float()).items():
            mean, std = self.scalers[name][index].tensors()
            decoded[name] = value.double() * std + mean
        return decoded

    @torch.no_grad()
    def apply(
        self, blocks: Mapping[str, np.ndarray], index: np.ndarray
    ) -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
        """As `forward`, with arrays, some members at a time to bound the memory."""
        latents, predictions_by_chunk = [], []
        rows = next(iter(blocks.values())).shape[-2]
        width = sum(len(names) for names in self.inputs.values()) * self.specification.pieces
        width += 4 * _widest(self.specification)
        chunk_size = max(1, _NUMBERS // max(1, rows * width))
        for start in range(0, len(index), chunk_size):
            place = np.arange(start, min(start + chunk_size, len(index)))
            inputs = {
                name: torch.from_numpy(
                    blocks[name] if blocks[name].ndim == 2 else blocks[name][place]
                ).double()
                for name in self.specification.inputs
            }
            z, predicted = self.forward(inputs, index[place])
            latents.append(z.numpy())
            predictions_by_chunk.append(
                {name: (mean.numpy(), std.numpy()) for name, (mean, std) in predicted.items()}
            )
        predictions = {
            name: (
                np.concatenate([p[name][0] for p in predictions_by_chunk]),
                np.concatenate([p[name][1] for p in predictions_by_chunk]),
            )
            for name in predictions_by_chunk[0]
        }
        return np.concatenate(latents), predictions

    def predict_rows(
        self, data: ScaleData, members: Members
    ) -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
        """Latents and predictions of every member on every row of its scale; shapes as in `apply`."""
        keys = (members.repeat, members.fold, members.inner, members.seed)
        blocks = {name: data.block(name, *keys) for name in self.specification.inputs}
        return self.apply(blocks, np.arange(len(members)))

    @torch.no_grad()
    def reconstruction(
        self, data: ScaleData, members: Members, z: np.ndarray
    ) -> dict[str, list[float | None]]:
        """How much of each block comes back from the latents of rows that a member left out.

        Args:
            data: Rows of the scale.
            members: The members.
            z: Their latents, (members, n, latents).

        Returns:
            For each feature block that a head decodes, by member: R2, which is
            1 - sum (x - x')^2 / sum (x - mean x)^2 over validation rows and scaled columns; None for a member
            without validation rows, for one with an inner fold, and where the block does not vary.
        """
        scores: dict[str, list[float | None]] = {
            name: [None] * len(members) for name in self.specification.heads if name in data.x
        }
        for i in np.flatnonzero((members.inner == -1) & members.validation.any(axis=1)) if scores else ():
            rows, index = members.validation[i], np.array([i])
            decoded = self.network(index).decode(torch.from_numpy(z[index][:, rows]))
            for name in scores:
                true = self.scalers[name][index].transform(data.x[name][rows])
                variation = np.square(true - true.mean(axis=1, keepdims=True)).sum()
                residual = np.square(true - decoded[name].double().numpy()).sum()
                scores[name][i] = float(1 - residual / variation) if variation > 0 else None
        return scores

    def _tensors(self) -> dict[str, torch.Tensor]:
        layout = self.specification.network(self.shapes, []).layout
        tensors = {name: view.contiguous() for name, view in layout.views(self.flat).items()}
        for name, scaler in self.scalers.items():
            tensors[f"scaler.{name}.mean"] = torch.from_numpy(np.ascontiguousarray(scaler.mean))
            tensors[f"scaler.{name}.std"] = torch.from_numpy(np.ascontiguousarray(scaler.std))
        for parent, trained in self.joint.items():
            tensors |= {f"{parent}/{name}": value for name, value in trained._tensors().items()}
        return tensors

    def _card(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in _CARD},
            "specification": self.specification.as_dict(),
            "members": self.members.to_dict(orient="list"),
            "facts": {**versions(), **self.facts},
            "joint": {parent: trained._card() for parent, trained in self.joint.items()},
        }

    def save(self, weights: str | Path, card: str | Path) -> None:
        """Write the weights (safetensors) and the card (JSON), whole or not at all."""
        with replacing(weights) as aside:
            # One entry only: safetensors writes several in an order that changes from run to run.
            save_file(self._tensors(), aside, metadata={seals.KEY: seals.BLANK})
            seals.seal(aside)
        seals.write_json(card, self._card())

    @classmethod
    def load(cls, weights: str | Path, card: str | Path | None = None) -> Trained:
        """Read what `save` wrote.

        Args:
            weights: The safetensors file.
            card: The JSON file; by default that of the same name as the weights.

        Raises:
            InputError: A file is missing or damaged, or the two do not belong together.
        """
        card = Path(weights).with_suffix(".json") if card is None else Path(card)
        remedy = "delete both files and train again."
        content = seals.read_json(card)
        seals.verify(weights)
        try:
            with safetensors.safe_open(weights, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return cls._from(content, tensors)
        except safetensors.SafetensorError as error:
            raise InputError(f"The model is not readable: {error}.", file=weights, remedy=remedy) from error
        except KeyError as error:
            raise InputError(
                f"The weights and {card} do not agree on {error}.", file=weights, remedy=remedy
            ) from error

    @classmethod
    def _from(cls, content: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Trained:
        specification, joint = specification_from(content["specification"]), content["joint"]
        scalers = {
            name.removeprefix("scaler.").removesuffix(".mean"): Scaler(
                tensors[name].numpy(), tensors[name.removesuffix("mean") + "std"].numpy()
            )
            for name in tensors
            if name.startswith("scaler.") and name.endswith(".mean")
        }
        widths = {name: len(names) for name, names in content["columns"].items()}
        shapes = Shapes(widths, content["kinds"], content["targets"], content["classes"])
        layout = specification.network(shapes, []).layout
        return cls(
            **{name: content[name] for name in _CARD},
            specification=specification,
            flat=layout.gather(tensors),
            scalers=scalers,
            members=pd.DataFrame(content["members"]).astype("int32"),
            facts=content["facts"],
            joint={parent: cls._from(card, _under(parent, tensors)) for parent, card in joint.items()},
        )


def head_units(head: Head, learned: torch.Tensor, spread: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions in the unit of the target, of what a head learned of it, shaped alike.

    Of logarithms the prediction is the median, and the standard deviation half of what lies between one of
    the logarithm on either side. Of counts it is the mean, and that of a Poisson distribution of this mean.

    Args:
        head: The head.
        learned: Mean of what it learned, unscaled.
        spread: Its standard deviation; NaN where none is stated.
    """
    if not head.is_logarithmic:
        return learned, spread
    prediction = learned.exp()
    if head.fit.counts:
        return prediction, prediction.sqrt()
    return prediction, prediction * spread.sinh()


def _under(parent: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    prefix = f"{parent}/"
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


_CARD = ("scale", "model", "protocol", "columns", "kinds", "targets", "parents", "units", "source", "classes")


def _widest(specification: Specification) -> int:
    heads = [sum(head.hidden[:1]) for head in specification.heads.values()]
    return max([specification.encoder.latents, *specification.encoder.hidden, sum(heads)])


def versions() -> dict[str, Any]:
    """Versions and settings that a CPU run depends on to be bit-identical."""
    return {
        "nestmat": nestmat.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }
