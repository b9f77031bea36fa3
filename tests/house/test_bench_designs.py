"""The parts of the benchmark of designs, on numbers that can be followed."""

import numpy as np
import pandas as pd
import pytest
import yaml
from bench.bench_designs import RADII, Pooled, Run, made_up_hardness, search_pool
from bench.promises import over_seeds, print_rates, rates, table_of_rates
from scipy.stats import norm

from nestmat.config.loading import load_study

ALLOYS = ["AlCoCrFeNi", "CoCrFeNiTi", "CoCrFeMnNi", "AlCoCrFe", "CrMoNbTiV", "AlNiTi"] * 2


def shares(**atoms: float) -> np.ndarray:
    return np.array([[atoms.get(element, 0.0) for element in RADII]])


def test_hardness_rises_with_what_hardens_until_the_alloy_is_brittle():
    base, pair, overloaded = (
        made_up_hardness(shares(Al=al, Ni=0.3, Fe=0.7 - al - ti, Ti=ti))[0]
        for al, ti in ((0.0, 0.0), (0.2, 0.0), (0.3, 0.3))
    )
    assert base + 100 < pair
    assert overloaded < pair
    assert made_up_hardness(shares(Cu=1.0)) == 80.0


@pytest.fixture
def pool():
    mean = np.array([1.0, 3.0, 2.0, 5.0, 4.0])
    domain = np.array(["inside", "inside", "edge", "outside", "inside"], dtype=object)
    return Pooled(mean, np.array([0.1, 2.5, 0.1, 0.1, 0.2]), mean - 0.5, domain)


def test_a_pool_is_ranked_by_the_worse_side_of_the_interval_and_outside_last(pool):
    frame = search_pool(pool, enough=2.0, predictor="recommended", seed=0, proposals=5)
    ranking = frame[frame["method"] == "ranking"]
    # What misses the target comes last, inside the domain or not.
    assert ranking["mean"].tolist() == [4.0, 2.0, 3.0, 5.0, 1.0]
    assert ranking["hit"].tolist() == [1.0, 0.0, 1.0, 1.0, 0.0]
    promised = norm.sf((2.0 - ranking["mean"]) / ranking["std"])
    np.testing.assert_allclose(ranking["promised"], promised, atol=1e-12)


def test_the_model_alone_ranks_a_pool_by_its_means(pool):
    frame = search_pool(pool, enough=2.0, predictor="model", seed=0, proposals=3)
    assert frame.loc[frame["method"] == "ranking", "mean"].tolist() == [5.0, 4.0, 3.0]
    assert set(frame["method"]) == {"ranking", "random", "uniform"}


def proposals(method: str, hits: list[float], promised: float, seed: int = 0) -> pd.DataFrame:
    frame = pd.DataFrame({"hit": hits, "promised": promised, "mean": 1.0, "std": 1.0, "true": np.nan})
    return frame.assign(
        method=method, seed=seed, problem="halides", predictor="recommended", ranked=False, domain="inside"
    )


def test_rates_count_hits_coverage_and_verdicts():
    frame = proposals("genetic", [1.0, 0.0, 1.0, 0.0], 0.8)
    frame["true"], frame["domain"] = [1.5, 2.5, 4.0, np.nan], ["inside", "inside", "edge", "outside"]
    counted = rates(frame)
    assert (counted["n"], counted["promised"], counted["judged"]) == (4, 0.8, 0.5)
    assert (counted["within_68"], counted["within_95"]) == (1 / 3, 2 / 3)
    assert [counted[verdict] for verdict in ("inside", "edge", "outside")] == [0.5, 0.25, 0.25]
    assert np.isnan(rates(proposals("genetic", [1.0], 0.8))["within_95"])


def test_a_search_stands_beside_random_draws_of_its_own_seed():
    parts = [proposals("genetic", [1.0, 1.0], 0.9, seed) for seed in (0, 1)]
    parts += [proposals("random", [1.0, 0.0], 0.5, 0), proposals("random", [0.0, 0.0], 0.5, 1)]
    parts += [proposals("uniform", [0.0, 0.0], 0.1, seed) for seed in (0, 1)]
    table = table_of_rates(pd.concat(parts)).set_index(["method", "seed"])
    assert table.loc["genetic", "random"].tolist() == [0.5, 0.0]
    assert table.loc["genetic", "draws"].tolist() == [0.0, 0.0]


def test_intervals_over_seeds_hold_the_mean_and_vanish_without_scatter():
    same = pd.concat([proposals("genetic", [1.0] * 20, 0.8, seed) for seed in (0, 1)])
    halved = pd.concat([proposals("random", [1.0, 0.0] * 10, 0.8, seed) for seed in (0, 1)])
    measures = over_seeds(same, halved)
    assert measures["kept"] == pytest.approx((1.25, 1.25, 1.25))
    mean, low, high = measures["gain"]
    assert mean == 2.0
    assert 1.2 < low < 2.0 < high < 4.0


def test_what_a_search_misses_is_marked(capsys):
    parts = [proposals("genetic", [1.0, 0.0, 0.0, 0.0], 0.9), proposals("random", [0.0, 1.0], 0.2)]
    print_rates(pd.concat([*parts, proposals("uniform", [0.0], 0.0)]))
    [genetic] = [line for line in capsys.readouterr().out.splitlines() if "genetic | 0.90 (" in line]
    cells = genetic.split(" | ")
    assert [cell.endswith("*") for cell in cells[3:-1]] == [False, False, True]
    assert cells[-1].endswith("* |")


def test_the_study_of_a_table_is_that_of_new_with_a_search(tmp_path):
    frame = pd.DataFrame({"formula": ALLOYS, "hardness": np.arange(len(ALLOYS)) * 10.5})
    search = {
        "space": {"elements": {"species": ["Al", "Co", "Cr", "Fe", "Ni"], "grid": 10}},
        "targets": [{"quantity": "materials.hardness", "goal": "maximise", "enough": 100}],
        "methods": {"random": {"kind": "random"}},
        "judges": {"trees": {"features": {"alloy": {"alloy": True}}}},
    }
    run = Run(tmp_path / "alloys_3", seed=3, cores=1)
    run.write(frame, "hardness:HV", search=search)
    study = load_study(run.study)
    assert {name: problem.predictor for name, problem in study.search.items()} == {
        "recommended": "recommended",
        "model": "model",
    }
    assert study.scales["materials"].models["nestmat"].specification.inputs == ("fractions", "alloy")
    assert yaml.safe_load(run.study.read_text())["strict"]["seed"] == 3
