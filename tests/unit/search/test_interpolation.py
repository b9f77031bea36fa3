"""Paths between materials."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nestmat.errors import InputError
from nestmat.search.interpolation import interpolate
from nestmat.search.methods.conditional_decoder import ConditionalDecoder
from nestmat.search.methods.latent import LatentSpace
from support.alloy_search import ELEMENTS


def test_paths_between_materials_are_measured(perovskite_space, perovskite_problem):
    a, b = perovskite_space.sample(2, seed=5)
    latents = LatentSpace(perovskite_problem)
    points, measures = interpolate(perovskite_problem, a, b, steps=11)
    assert list(points.columns[:3]) == ["path", "step", "position"]
    assert points.groupby("path").size().to_dict() == {"line": 11, "mixing": 11, "slerp": 11}
    value = measures.set_index(["path", "measure", "quantity"])["value"]
    x = {path: part[list(perovskite_space.columns)].to_numpy() for path, part in points.groupby("path")}
    np.testing.assert_allclose(x["mixing"][[0, -1]], [a, b], atol=1e-12)
    decoded = latents.from_free(torch.from_numpy(latents.to_free(np.stack([a, b])))).detach().numpy()
    for path in ("line", "slerp"):
        np.testing.assert_allclose(x[path][[0, -1], :8], decoded[:, :8], atol=1e-6)
        np.testing.assert_array_equal(x[path][:, 8:], x["mixing"][:, 8:])
        error = latents.site_distance(decoded, np.stack([a, b])).max()
        assert value[path, "end_error", ""] == pytest.approx(error, abs=1e-6)
        assert value[path, "allowed", ""] == 1
    assert value["mixing", "end_error", ""] == 0
    assert value["mixing", "largest_step", ""] == pytest.approx(latents.site_distance(a, b) / 10)
    gap = points.loc[points["path"] == "line", "cell.gap.mean"].to_numpy()
    ends = perovskite_problem.evaluate(np.stack([a, b]))["cell.gap.mean"]
    share = (np.diff(gap) * (ends[1] - ends[0]) > 0).mean()
    assert value["line", "monotonicity", "cell.gap"] == share
    # A level is one or the other, and two halves of the way have one each.
    assert set(np.unique(points["solvent=DMF"])) <= {0.0, 1.0}
    with pytest.raises(InputError, match="no two ends"):
        interpolate(perovskite_problem, a, b, steps=1)


def test_mixing_may_need_more_species_than_a_site_has_room_for(perovskite_space, perovskite_problem):
    a = perovskite_space.sample(1, seed=0)[0]
    a[:8] = [1, 0, 0.5, 0.5, 0, 1, 0, 0]
    b = a.copy()
    b[2:5] = [0, 0.5, 0.5]
    measures = interpolate(perovskite_problem, a, b, steps=5).measures
    allowed = measures[measures["measure"] == "allowed"].set_index("path")["value"]
    assert allowed.to_dict() == {"line": 1.0, "slerp": 1.0, "mixing": 0.4}
    same = interpolate(perovskite_problem, a, a, steps=3).measures
    assert same.loc[same["measure"] == "monotonicity", "value"].isna().all()


def test_a_path_rotates_latents_and_keeps_the_condition(alloy_space, alloy_problem):
    names = ["Al", "Co", "Cr", "Fe", "Hf", "Nb", "Ti", "W"]
    ends = np.zeros((2, len(ELEMENTS)))
    for row, chosen in zip(ends, (names[:4], names[4:]), strict=True):
        row[[ELEMENTS.index(name) for name in chosen]] = 0.25
    points, measures = interpolate(alloy_problem, *ends, steps=9)
    value = measures.set_index(["path", "measure", "quantity"])["value"]
    x = {path: part[ELEMENTS].to_numpy() for path, part in points.groupby("path")}
    decoder = ConditionalDecoder(alloy_problem)
    z = decoder.encode(ends)
    template = np.repeat(ends[:1], 9, axis=0)
    t = np.linspace(0, 1, 9)[:, None]
    straight = decoder.replace_composition(template, decoder.decode((1 - t) * z[0] + t * z[1]))
    np.testing.assert_array_equal(x["line"], straight)
    middle = (z[0] + z[1]) / (2 * np.cos(0.5 * np.arccos(z[0] @ z[1] / np.prod(np.linalg.norm(z, axis=1)))))
    np.testing.assert_array_equal(
        x["slerp"][4], decoder.replace_composition(template[:1], decoder.decode(middle[None]))[0]
    )
    for path in ("line", "slerp"):
        np.testing.assert_array_equal(alloy_space.canonical(x[path]), x[path])
        assert value[path, "allowed", ""] == 1
        off = 2 * decoder.composition.distance(x[path][[0, -1]], ends).max()
        assert value[path, "end_error", ""] == pytest.approx(off)
    # Eight elements at once are more than the space allows.
    assert value["mixing", "allowed", ""] == pytest.approx(2 / 9)
    np.testing.assert_allclose(x["mixing"][4], ends.mean(axis=0))
    assert value["mixing", "largest_step", ""] == pytest.approx(2 / 8)
