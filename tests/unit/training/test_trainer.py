"""The batched trainer against ordinary training with torch."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from nestmat import progress
from nestmat.errors import InputError
from nestmat.models.autoencoder.network import Autoencoder
from nestmat.models.specification import Encoder, Head, Training
from nestmat.training.batches import pack
from nestmat.training.chunks import train_members
from nestmat.training.members import hold_out
from nestmat.training.scaling import fit_scalers
from nestmat.training.trainer import Adam, Trainer
from support.member_rows import ROWS, members, model, scale


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_equals_torch(decay):
    torch.manual_seed(0)
    ours, theirs = torch.randn(3, 7), None
    theirs = torch.nn.Parameter(ours.clone())
    peer = torch.optim.AdamW([theirs], lr=0.05, weight_decay=decay)
    adam = Adam(ours, 0.05, decay)
    for step in range(40):
        gradient = torch.sin(theirs.detach() * (step + 1))
        theirs.grad = gradient
        peer.step()
        adam.step(ours, gradient)
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-4, atol=1e-6)


def test_batched_members_equal_ordinary_training_of_each():
    data = scale()
    specification = model(penalties={"l1": 0.001})
    found = members(data, seeds=1)
    flat, scalers, _ = train_members(specification, data, found)
    for member in (0, 2):
        network = Autoencoder(specification, data.shapes, found.keys()[[member]].tolist())
        weight = {k: torch.nn.Parameter(v[0].clone()) for k, v in network.weights.items()}
        optimiser = torch.optim.Adam(weight.values(), lr=0.01)
        rows = found.train[member]
        scaled = {
            name: torch.tensor(scalers[name].transform(values)[member][rows], dtype=torch.float32)
            for name, values in {**data.x, "gap": data.y["gap"][:, None]}.items()
        }
        for _ in range(specification.training.epochs):
            x = torch.cat([scaled["descriptors"], scaled["A"]], dim=1)

            def linear(name, x, weight=weight):
                return x @ weight[f"{name}.weight"].T + weight[f"{name}.bias"][:, 0]

            z = torch.tanh(linear("encoder.1.latents", torch.nn.functional.silu(linear("encoder.0", x))))
            gap = linear("heads0.1.gap", torch.nn.functional.silu(linear("heads0.0", z)))
            blocks = linear("heads1.0", z)
            loss = torch.nn.functional.l1_loss(gap, scaled["gap"])
            loss = loss + torch.nn.functional.l1_loss(blocks[:, :3], scaled["descriptors"])
            loss = loss + torch.nn.functional.cross_entropy(blocks[:, 3:], scaled["A"])
            loss = loss + 0.001 * sum(value.abs().sum() for value in weight.values())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        alone = torch.cat([value.detach().flatten() for value in weight.values()])
        torch.testing.assert_close(flat[member], alone, rtol=1e-3, atol=1e-4)


def test_early_stopping_keeps_the_best_weights_and_frees_stopped_members():
    data = scale()
    rng = np.random.default_rng(0)
    data = replace(data, y={"gap": rng.normal(size=ROWS)})  # nothing to learn: members soon overfit
    training = Training(epochs=400, learning_rate=0.03, stop="early", patience=15, holdout=0.3)
    specification = model(training, encoder=Encoder(latents=4, hidden=(16,)))
    found = members(data, seeds=3)
    scalers = fit_scalers(specification, data, found)
    held = hold_out(found.train, data.group, 0.3, found.keys())

    def rows(chosen):
        return pack(specification, data, found, scalers, chosen, torch.device("cpu"))

    network = Autoencoder(specification, data.shapes, found.keys().tolist())
    keys = torch.zeros(len(found), dtype=torch.int32)
    trainer = Trainer(network, training, keys, rows(found.train & ~held), rows(held), None)
    scores = []
    judge = trainer._judge

    def spy(holdout, epoch):
        score = np.full(len(found), np.inf)
        with torch.no_grad():
            score[trainer.alive.numpy()] = trainer.model.loss(holdout.full_batch())["gap"].numpy()
        scores.append(score)
        judge(holdout, epoch)

    trainer._judge = spy
    curves = trainer.fit()
    scores = np.array(scores)
    assert (curves.stopped < 400).all()
    assert len(set(curves.stopped)) > 1
    final = network.loss(rows(held).full_batch())["gap"].numpy()
    for member in range(len(found)):
        until = scores[: curves.stopped[member], member]
        assert final[member] == pytest.approx(until.min(), rel=1e-5)
        assert curves.stopped[member] - 1 - until.argmin() == training.patience
    history = curves.frame(np.arange(len(found)))
    assert (history.groupby("member")["epoch"].max().to_numpy() <= curves.stopped).all()
    assert set(history["split"]) == {"train", "holdout"}


def test_learning_curves_fall_and_are_thinned():
    data = scale()
    _, _, history = train_members(model(Training(epochs=250, learning_rate=0.01)), data, members(data))
    total = history.query("term == 'total' and split == 'train'").groupby("epoch")["loss"].mean()
    assert len(total) == 100
    assert total.iloc[-1] < 0.7 * total.iloc[0]
    assert {"gap", "descriptors", "A", "total"} == set(history["term"])
    whole = history.query("split == 'validation'")["member"]
    assert set(whole) == set(np.flatnonzero(members(data).fold >= 0))


def test_divergence_is_a_clear_error():
    data = scale()
    specification = model(Training(epochs=40, learning_rate=1e12), heads={"gap": Head(loss="mse")})
    specification = replace(specification, encoder=Encoder(latents=2, latent_activation="identity"))
    with pytest.raises(InputError, match="lower the learning rate"):
        train_members(specification, data, members(data))


def test_progress_goes_to_the_log_without_a_terminal(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    clock = iter(np.arange(0.0, 100.0, 4.0))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.reporting("gap", 80, "member epochs") as report:
        for epoch in range(1, 11):
            report(8 * epoch, lambda: "loss 0.25")
    assert 3 <= len(caplog.records) <= 4
    assert caplog.messages[0] == "gap: 24 of 80 member epochs, 2/s, loss 0.25, about 28 s left"
