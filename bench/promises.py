"""What searches promise of their proposals, and what is judged of them: rates, intervals and tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.design.metrics import UNIFORM
from nestmat.domains.verdicts import VERDICTS
from nestmat.scales.predictions import NORMAL_95
from nestmat.search.candidate_table import PROMISED

RANDOM = "random"
"""The best of as many random draws as other methods have predicted, by the same predictor."""
KEPT, PROMISE, GAIN, GAIN_OF_RANKED = 0.5, 0.1, 1.5, 1.0
"""What a search should reach: judged over promised, promised, and judged over that of random draws, in a
space that cannot be ranked and in one that can."""
DRAWS = 1000
"""Draws of seeds, and of the proposals of each, that an interval is taken from."""
RATES = ("promised", "judged", "random", "draws", "within_68", "within_95", *VERDICTS)


def rates(proposals: pd.DataFrame) -> dict[str, float]:
    """What is promised of some proposals, and what is true of them.

    Args:
        proposals: A row each, with the columns ``promised``, ``hit``, ``mean``, ``std``, ``true`` and
            ``domain``.

    Returns:
        Their number ``n``; the rates ``promised`` and ``judged``; the shares of true values within one
        standard deviation and within 1.96, ``within_68`` and ``within_95``, NaN where none is stated; and
        the share of each verdict of the domain.
    """
    measured = proposals[proposals["true"].notna()]
    deviations = (measured["true"] - measured["mean"]).abs() / measured["std"]
    return {
        "n": len(proposals),
        "promised": proposals[PROMISED].mean(),
        "judged": proposals["hit"].mean(),
        "within_68": (deviations <= 1).mean(),
        "within_95": (deviations <= NORMAL_95).mean(),
        **{verdict: (proposals["domain"] == verdict).mean() for verdict in VERDICTS},
    }


def table_of_rates(proposals: pd.DataFrame) -> pd.DataFrame:
    """`rates` by problem, predictor, method and seed, with those of random draws.

    Args:
        proposals: Proposals of all searches, with the columns ``problem``, ``ranked``, ``predictor``,
            ``method`` and ``seed``.

    Returns:
        A row each. Judged rates of the same problem, predictor and seed stand beside: ``random``, of the best
        of as many random draws, and ``draws``, of random draws alone.
    """
    keys = ["problem", "ranked", "predictor", "seed"]
    parts = proposals.groupby([*keys, "method"], sort=False)
    table = pd.DataFrame(
        [{**dict(zip([*keys, "method"], key, strict=True)), **rates(part)} for key, part in parts]
    )
    for name, method in (("random", RANDOM), ("draws", UNIFORM)):
        plain = table.loc[table["method"] == method, [*keys, "judged"]].rename(columns={"judged": name})
        table = table.merge(plain, on=keys, how="left", validate="many_to_one")
    return table


def over_seeds(proposals: pd.DataFrame, random: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """Mean over seeds of what a method reaches, with 95 % intervals by the bootstrap.

    Seeds are drawn with repetition, and proposals in each.

    Args:
        proposals: Proposals of the method in all seeds.
        random: Those of the best of random draws.

    Returns:
        Mean, lower and upper end of ``promised``, ``judged``, ``kept``, judged over promised, and ``gain``,
        judged over the judged rate of ``random``.
    """
    generator = np.random.default_rng(0)
    seeds = [
        (
            part[[PROMISED, "hit"]].to_numpy(np.float64),
            random.loc[random["seed"] == seed, ["hit"]].to_numpy(np.float64),
        )
        for seed, part in proposals.groupby("seed")
    ]

    def drawn(part: NDArray[np.float64]) -> NDArray[np.float64]:
        return part[generator.integers(len(part), size=len(part))].mean(axis=0)

    means = [np.mean([np.hstack([part.mean(axis=0) for part in parts]) for parts in seeds], axis=0)]
    for _ in range(DRAWS):
        chosen = generator.integers(len(seeds), size=len(seeds))
        means.append(np.mean([np.hstack([drawn(part) for part in seeds[k]]) for k in chosen], axis=0))
    promised, judged, of_random = np.transpose(means)
    with np.errstate(divide="ignore", invalid="ignore"):
        measures = {
            "promised": promised,
            "judged": judged,
            "kept": judged / promised,
            "gain": judged / of_random,
        }
    return {
        name: (float(values[0]), *map(float, np.nanquantile(values[1:], [0.025, 0.975], method="nearest")))
        for name, values in measures.items()
    }


def print_rates(proposals: pd.DataFrame) -> None:
    """Print the rates of each search, and what methods reach over the seeds with what they should reach."""
    table = table_of_rates(proposals)
    print_row("problem", "predictor", "method", "seed", "n", *RATES)
    print_row(*["---"] * (5 + len(RATES)))
    for row in table.to_dict("records"):
        shares = ["" if np.isnan(row[name]) else f"{row[name]:.3f}" for name in RATES]
        print_row(row["problem"], row["predictor"], row["method"], row["seed"], row["n"], *shares)
    print("\nMeans over seeds with 95 % intervals; kept is judged over promised. A search should promise")
    print(f"{PROMISE}, keep {KEPT} of that, and gain {GAIN} over the best of as many random draws, or")
    print(f"{GAIN_OF_RANKED} in a space that can be ranked; * where it does not.")
    print_row("problem", "predictor", "method", "promised", "judged", "kept", "gain")
    print_row(*["---"] * 7)
    names = ["problem", "ranked", "predictor", "method"]
    for (problem, ranked, predictor, method), part in proposals.groupby(names, sort=False):
        if method == UNIFORM:
            continue
        of_predictor = proposals[(proposals["problem"] == problem) & (proposals["predictor"] == predictor)]
        measures = over_seeds(part, of_predictor[of_predictor["method"] == RANDOM])
        gain = 0.0 if method == RANDOM else GAIN_OF_RANKED if ranked else GAIN
        bars = {"promised": PROMISE, "judged": 0.0, "kept": KEPT, "gain": gain}
        cells = [
            f"{mean:.2f} ({low:.2f} to {high:.2f}){'' if mean >= bars[name] else ' *'}"
            for name, (mean, low, high) in measures.items()
        ]
        print_row(problem, predictor, method, *cells)


def print_row(*cells: object) -> None:
    """Print a row of a table in Markdown."""
    print(f"| {' | '.join(map(str, cells))} |")
