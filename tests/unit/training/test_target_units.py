"""What heads learn of targets: logarithms, and the logarithm of the mean of counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nestmat.errors import InputError
from nestmat.models.keys import ModelKey
from nestmat.models.specification import Head, Training
from nestmat.training.checkpoints import Trained, head_units
from nestmat.training.chunks import train_members
from nestmat.training.scaling import fit_scalers, scaled_labels
from support.member_rows import members, model, scale

COUNTS = Head(loss="poisson")
LOGARITHM = Head(loss="gaussian_nll", transform="log", hidden=(8,))


def trained(head: Head, y: np.ndarray, epochs: int = 150, **changes):
    data = replace(scale(), y={"gap": y}, **changes)
    part = members(data, seeds=2)
    specification = model(Training(epochs=epochs, learning_rate=0.03, schedule="cosine"), heads={"gap": head})
    flat, scalers, _ = train_members(specification, data, part, device="cpu")
    fitted = Trained.of(data, part, flat, scalers, specification, ModelKey("s", "p", "m"))
    return data, part, fitted.predict_rows(data, part)[1]["gap"]


def test_counts_are_predicted_by_their_mean_with_its_spread():
    rng = np.random.default_rng(0)
    x = scale().x["descriptors"][:, 0]
    y = rng.poisson(np.exp(0.8 * (x - 5) + 4)).astype(float)
    _, part, (mean, std) = trained(COUNTS, y, epochs=300)
    assert (mean > 0).all()
    np.testing.assert_allclose(std, np.sqrt(mean), rtol=1e-6)
    for member, rows in enumerate(part.train):
        # At the optimum the sum of the means is that of the counts: the score of a bias is zero.
        assert mean[member, rows].sum() == pytest.approx(y[rows].sum(), rel=0.03)
        assert np.corrcoef(mean[member], y)[0, 1] > 0.8


def test_scaled_counts_have_the_likelihood_of_counts_but_for_a_factor_and_a_constant():
    from scipy.stats import poisson as peer

    data = replace(scale(), y={"gap": np.random.default_rng(1).poisson(30, len(scale())).astype(float)})
    part, specification = members(data, seeds=1), model(heads={"gap": COUNTS})
    scaler = fit_scalers(specification, data, part)["gap"]
    labels = np.broadcast_to(data.labels("gap"), (len(part), len(data), 1))
    target = torch.from_numpy(scaled_labels("gap", COUNTS, labels, scaler)).swapaxes(1, 2)
    weight = torch.full((len(part), len(data)), 1 / len(data), dtype=torch.float64)
    from nestmat.models.losses import poisson

    def loss(rate):
        output = torch.full_like(target, float(np.log(rate))) - torch.from_numpy(scaler.mean)[:, :, None]
        return poisson(output, target, weight).numpy() * np.exp(scaler.mean[:, 0])

    def exact(rate):
        return -peer(rate).logpmf(data.y["gap"]).mean()

    np.testing.assert_allclose(loss(40.0) - loss(25.0), exact(40.0) - exact(25.0), rtol=1e-9)


def test_a_logarithm_is_learned_and_its_median_predicted():
    x = scale().x["descriptors"][:, 0]
    y = 1e-6 * np.exp(3 * (x - 5))
    _, part, (mean, std) = trained(LOGARITHM, y)
    assert (mean > 0).all()
    assert (std > 0).all()
    rows = part.train[0]
    assert np.abs(np.log(mean[0, rows] / y[rows])).mean() < 0.5
    uncertain = trained(LOGARITHM, y, epochs=2, uncertainties={"gap": 0.1 * y})[2][0]
    plain = trained(LOGARITHM, y, epochs=2)[2][0]
    # A relative uncertainty is the same for all logarithms, and weighs nothing.
    np.testing.assert_allclose(uncertain, plain, rtol=1e-4)


def test_units_of_logarithms_are_those_of_their_definition():
    learned, spread = torch.tensor([0.0, 2.0]), torch.tensor([0.1, torch.nan])
    mean, std = head_units(LOGARITHM, learned, spread)
    torch.testing.assert_close(mean, learned.exp())
    assert std[0].item() == pytest.approx((np.exp(0.1) - np.exp(-0.1)) / 2, rel=1e-5)
    assert std[1].isnan()
    assert head_units(Head(), learned, spread)[0] is learned


@pytest.mark.parametrize(
    ("head", "value", "message"),
    [(LOGARITHM, 0.0, "not positive, and has no logarithm"), (COUNTS, -1.0, "negative, and counts nothing")],
)
def test_values_that_a_head_cannot_learn_are_an_error(head, value, message):
    y = np.ones(len(scale()))
    y[3] = value
    with pytest.raises(InputError, match=message):
        trained(head, y, epochs=1)
