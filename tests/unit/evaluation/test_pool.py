"""Costs of searches in a pool: closed form, paired differences, published values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nestmat import tables
from nestmat.evaluation import pool as pools
from support.pool_searches import search, table
from support.report_text import section_text

torch.set_num_threads(1)


def test_the_random_order_costs_what_the_closed_form_says(device_results, tmp_path):
    pool = search(device_results, tmp_path, trials=2000, picks=1, batches=[1])
    facts = tables.provenance(tmp_path / "pool.parquet")
    random = pools.select_trials(pool, "random", "random")["share"]
    assert pools.random_share(pool, facts) == pytest.approx(random.mean(), abs=4 * random.std() / 2000**0.5)


def test_differences_are_paired_by_trial():
    random = np.random.default_rng(0)
    base = random.uniform(0.1, 0.5, 60)
    less, mixed = base - 0.05 + random.normal(0, 0.02, 60), base + np.tile([0.04, -0.06], 30)
    searches = table(first=base, less=less, mixed=mixed)
    reference = pools.select_trials(searches, "first", "sound")
    cost = pools.cost(pools.select_trials(searches, "less", "sound").iloc[::-1], reference)
    assert cost.mean == pytest.approx((less - base).mean())
    assert cost.low < -0.05 < cost.high < -0.03
    assert section_text("search", {}, "saving", cost).endswith("each member saves labels")
    cost = pools.cost(pools.select_trials(searches, "mixed", "sound"), reference)
    assert cost.members == pytest.approx((0.04, -0.06))
    assert not cost.agree
    cost = pools.cost(reference, reference)
    assert (cost.mean, cost.low, cost.high) == (0, 0, 0)
    assert section_text("search", {}, "saving", cost).endswith("no difference is shown")
