"""Paths between alloys through the latents of a semi-supervised model."""

from __future__ import annotations

import numpy as np
import pytest

from nestmat.search.interpolation import interpolate
from nestmat.search.methods.conditional_decoder import ConditionalDecoder
from support.alloy_search import ELEMENTS


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
