"""Batched training of all folds against the same network in a loop over folds.

Two networks, on random numbers of the published shapes (the time of a step does not depend on the values):
- `full_batch`: AE1 of NestedAE's follow-up, 358 rows, 10 folds, 15 -> 25 -> 11 tanh, five heads of 25 units,
  L1 on all parameters, Adam, full batch, 3000 epochs.
- `mini_batch`: AE1 of the paper, 494 rows, 5 folds, 15 -> 12 tanh, 100 ReLU units with dropout to the gap,
  linear decoder, L1 on the encoder, batches of 10 rows, 1500 epochs.

The loop is an ordinary `torch.nn` program, one fold after the other. Both run in one process with the same
threads, by turns, and the fastest round of each counts: other work on the machine slows single rounds.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch import nn

from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.specification import Encoder, Head, Specification, Training
from nestmat.training.chunks import train_members
from nestmat.training.members import Members
from nestmat.training.scale_data import ScaleData

SITES = {"A": 5, "B": 6, "X": 3}


def full_batch(epochs: int) -> Specification:
    """AE1 of the follow-up."""
    hidden = {"hidden": (25,), "activation": "relu"}
    return AutoencoderSpecification(
        inputs=("descriptors",),
        encoder=Encoder(latents=11, hidden=(25,), activation="identity"),
        heads={
            "gap": Head(**hidden, output_activation="relu", standardise=False),
            **{site: Head(**hidden, loss="cross_entropy") for site in SITES},
            "descriptors": Head(**hidden),
        },
        penalties={"l1": 0.001},
        training=Training(epochs=epochs, learning_rate=0.01),
    )


def mini_batch(epochs: int) -> Specification:
    """AE1 of the paper."""
    return AutoencoderSpecification(
        inputs=("descriptors",),
        encoder=Encoder(latents=12),
        heads={
            "gap": Head(
                hidden=(100,), activation="relu", output_activation="relu", dropout=0.1, standardise=False
            ),
            "descriptors": Head(),
        },
        penalties={"l1_encoder": 0.01},
        training=Training(epochs=epochs, batch_size=10, learning_rate=0.001),
    )


def random_scale(rows: int, folds: int, seed: int = 0) -> tuple[ScaleData, Members]:
    """Rows of the published shapes, with one member a fold."""
    rng = np.random.default_rng(seed)
    x = {"descriptors": rng.normal(size=(rows, 15))}
    x |= {site: rng.dirichlet(np.ones(width), size=rows) for site, width in SITES.items()}
    names = np.arange(rows).astype(str)
    data = ScaleData(
        row_id=np.arange(rows),
        material=names,
        group=names,
        x=x,
        kinds={name: "simplex" if name in SITES else "continuous" for name in x},
        columns={name: [f"{name}:{i}" for i in range(value.shape[1])] for name, value in x.items()},
        y={"gap": rng.uniform(0.5, 5.0, size=rows)},
        units={"gap": "eV"},
    )
    fold = np.arange(folds)
    left_out = rng.permutation(rows)[None] % folds == fold[:, None]
    zeros = np.zeros(folds, dtype=np.int64)
    return data, Members(zeros, fold, zeros - 1, zeros, ~left_out, left_out, np.zeros_like(left_out))


class LoopNetwork(nn.Module):
    """The network of one fold as one would write it in plain torch."""

    def __init__(self, specification: Specification, widths: dict[str, int]):
        super().__init__()
        activations = {"identity": nn.Identity, "relu": nn.ReLU, "tanh": nn.Tanh}

        def stack(inputs: int, part: Encoder | Head, output: int, last: str) -> nn.Sequential:
            layers: list[nn.Module] = []
            for width in part.hidden:
                layers += [nn.Linear(inputs, width), activations[part.activation]()]
                layers += [nn.Dropout(part.dropout)] if part.dropout else []
                inputs = width
            return nn.Sequential(*layers, nn.Linear(inputs, output), activations[last]())

        encoder = specification.encoder
        self.encoder = stack(widths["descriptors"], encoder, encoder.latents, encoder.latent_activation)
        self.heads = nn.ModuleDict(
            {
                name: stack(encoder.latents, head, widths[name], head.output_activation)
                for name, head in specification.heads.items()
            }
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_normal_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Outputs by head, of standardised descriptors (n, 15)."""
        z = self.encoder(x)
        return {name: head(z) for name, head in self.heads.items()}


def train_loop(specification: Specification, data: ScaleData, members: Members) -> None:
    """Train one fold after the other."""
    training, penalties = specification.training, specification.penalties
    losses = {
        name: nn.CrossEntropyLoss() if head.loss == "cross_entropy" else nn.L1Loss()
        for name, head in specification.heads.items()
    }
    for rows in members.train:
        arrays = {**data.x, "gap": data.y["gap"][:, None]}
        chosen = {name: torch.tensor(value[rows], dtype=torch.float32) for name, value in arrays.items()}
        x = chosen["descriptors"]
        chosen["descriptors"] = x = (x - x.mean(0)) / x.std(0, correction=0)
        network = LoopNetwork(specification, {name: value.shape[1] for name, value in chosen.items()})
        penalised = {"l1": network.parameters, "l1_encoder": network.encoder.parameters}
        optimiser = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
        size = training.batch_size or len(x)
        for _ in range(training.epochs):
            order = torch.randperm(len(x)) if size < len(x) else None
            for start in range(0, len(x), size):
                index = None if order is None else order[start : start + size]
                batch = chosen if index is None else {name: value[index] for name, value in chosen.items()}
                outputs = network(batch["descriptors"])
                loss = sum(losses[name](outputs[name], batch[name]) for name in outputs)
                for name, weight in penalties.items():
                    loss = loss + weight * sum(p.abs().sum() for p in penalised[name]())
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()


def compare(specification: Specification, rows: int, folds: int, rounds: int) -> tuple[float, float]:
    """Seconds of the loop and of the batch, each the fastest of some rounds."""
    data, members = random_scale(rows, folds)
    loop, batched = [], []
    for _ in range(rounds):
        begun = time.perf_counter()
        train_loop(specification, data, members)
        middle = time.perf_counter()
        train_members(specification, data, members, device="cpu")
        loop.append(middle - begun)
        batched.append(time.perf_counter() - middle)
    return min(loop), min(batched)


def main() -> None:
    """Print the seconds of both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, default=1000, help="of the full batch; published: 3000")
    parser.add_argument("--mini-epochs", type=int, default=60, help="of the mini-batches; published: 1500")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cases = (
        ("full_batch", full_batch(options.epochs), 358, 10),
        ("mini_batch", mini_batch(options.mini_epochs), 494, 5),
    )
    for name, specification, rows, folds in cases:
        loop, batched = compare(specification, rows, folds, options.rounds)
        epochs = specification.training.epochs
        print(f"{name}: {rows} rows, {folds} folds, {epochs} epochs, {options.threads} threads")
        print(f"  loop {loop:.2f} s, batched {batched:.2f} s: {loop / batched:.1f} times faster", flush=True)


if __name__ == "__main__":
    main()
