"""Chains that predict many rows against the same chains as functions that are differentiable."""

from __future__ import annotations

import pytest
import torch

from nestmat.scales.chain import Chain


def check_agreement(function: Chain, features: dict[str, torch.Tensor], tolerance: float) -> None:
    compiled, expected = function(features), function.differentiable(features)
    alone = function.targets(features)
    for scale, output in expected.items():
        close = {"rtol": tolerance, "atol": tolerance, "equal_nan": True}
        torch.testing.assert_close(compiled[scale].latents, output.latents, **close)
        assert compiled[scale].targets.keys() == output.targets.keys()
        for name, pair in output.targets.items():
            torch.testing.assert_close(compiled[scale].targets[name], pair, **close)
            torch.testing.assert_close(alone[scale][name], compiled[scale].targets[name], rtol=0, atol=0)


@pytest.fixture(scope="module")
def function(chain):
    """Three scales, the second of which passes its prediction on."""
    return Chain({name: chain / f"{name}.safetensors" for name in ("fine", "middle", "coarse")})


def features_of(function, rows, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return {
        scale: torch.randn(rows, len(columns), generator=generator, dtype=dtype)
        for scale, columns in function.columns.items()
    }


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("rows", [1, 300])
def test_a_chain_without_gradients_agrees(function, rows, dtype):
    check_agreement(function, features_of(function, rows, dtype), 2e-5)


def test_rows_that_finer_scales_cannot_tell_apart_agree(function):
    features = features_of(function, 120)
    features["fine"] = features["fine"][:10].repeat_interleave(12, dim=0)
    features["middle"] = features["middle"][:40].repeat_interleave(3, dim=0)
    check_agreement(function, features, 2e-5)
    # Rows of the coarse scale repeat too, but not where those of the others do.
    features["coarse"] = features["coarse"][:30].repeat_interleave(4, dim=0)
    check_agreement(function, features, 2e-5)


def test_no_rows_give_no_predictions(function):
    outputs = function(features_of(function, 0))
    assert [len(mean) for output in outputs.values() for mean, _ in output.targets.values()] == [0, 0, 0]


def test_features_far_from_zero_keep_their_digits(function):
    """Float64 features are scaled before they become float32."""
    features = features_of(function, 50)
    shifted = Chain({name: link.path for name, link in function._links.items()})
    for link in shifted._links.values():
        link.trained.scalers["descriptors"].mean[:] += 1e6
    blocks = {scale: values.clone() for scale, values in features.items()}
    for scale, values in blocks.items():
        values[:, [name.startswith("d") for name in function.columns[scale]]] += 1e6
    check_agreement(shifted, blocks, 2e-5)


def test_a_chain_stops_after_the_scale_that_is_encoded(function):
    features = features_of(function, 20)
    middle = {name: values for name, values in features.items() if name != "coarse"}
    torch.testing.assert_close(function.encode("middle", middle), function(features)["middle"].latents)
