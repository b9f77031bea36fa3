"""What the search in a pool cost, and what descriptions of the rows saved against the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from nestmat.config.pool import PoolSearch
from nestmat.evaluation.pool import Cost, acquisition_label, cost, random_share, select_trials
from nestmat.labels.scales import Labels
from nestmat.labels.text import humanize_key


class Strategy(NamedTuple):
    """A strategy of the search.

    Attributes:
        kind: As in the table of searches.
        batch: Rows that are labelled at once.
    """

    kind: str
    batch: int

    @property
    def words(self) -> str:
        """Name of the strategy inside a sentence."""
        return acquisition_label(*self)


@dataclass(frozen=True)
class PoolFindings:
    """Searches in the pool of a scale.

    Attributes:
        searches: One row a search, `nestmat.search.pool.trials.POOL`.
        provenance: Its provenance.
        published: Published numbers of the scale.
        labels: Names and units.
        config: Configuration of the search.
    """

    searches: pd.DataFrame
    provenance: Mapping[str, Any]
    published: pd.DataFrame
    labels: Labels
    config: PoolSearch

    @property
    def first(self) -> str:
        """The representation that the others are compared with."""
        return next(iter(self.config.representations))

    @property
    def strategies(self) -> list[Strategy]:
        """The strategies that are compared: as published, if the study has it, and the sound one."""
        return [Strategy("published", 1)] * self.config.as_published + [
            Strategy("sound", self.config.batches[0])
        ]

    def label(self, representation: str) -> str:
        """Name of a representation."""
        return self.labels.representation(representation)

    def best_row(self) -> dict[str, Any]:
        """What is sought: the best value, the rows that have it, and of how many."""
        target, best = self.provenance["target"], self.provenance["best"]
        return {
            "rows": self.provenance["rows"],
            "maximise": self.provenance["goal"] == "maximise",
            "quantity": self.labels.name(target),
            "value": best[0][target],
            "unit": self.labels.unit(target),
            "materials": [
                {
                    "formula": row["formula"],
                    "levels": [
                        (humanize_key(name), level)
                        for name, level in row.items()
                        if name not in ("formula", target)
                    ],
                }
                for row in best
            ],
        }

    def random_order(self) -> dict[str, Any]:
        """Share of the pool that is seen in random order, and start rows that every search has."""
        return {
            "share": random_share(self.searches, self.provenance),
            "published": next(iter(self._published("random", "pool_mean")), None),
            "start": self.searches["start"].iloc[0],
        }

    def mean_shares(self, strategy: Strategy) -> list[dict[str, Any]]:
        """Mean share of the pool that is seen with each representation."""
        shares = []
        for name in self.config.representations:
            trials = self._trials(name, strategy)
            published = self._published(name, "pool_mean") if strategy.kind == "published" else []
            shares.append(
                {
                    "label": self.label(name),
                    "share": trials["share"].mean(),
                    "all_found": trials["found"].all(),
                    "published": next(iter(published), None),
                }
            )
        return shares

    def savings(self) -> list[dict[str, Any]]:
        """Each representation less the first, those whose models were trained on the labels by themselves."""
        _, *compared = self.config.representations
        groups = []
        for trained in (False, True):
            names = [name for name in compared if self._trained_on_labels(name) == trained]
            if names:
                by_way = [
                    (strategy.words, [(self.label(name), self._less_first(name, strategy)) for name in names])
                    for strategy in self.strategies
                ]
                groups.append({"trained_on_labels": trained, "ways": by_way})
        return groups

    def against_random(self) -> Cost:
        """The first representation less random order."""
        return cost(
            self._trials(self.first, self.strategies[-1]), random_share(self.searches, self.provenance)
        )

    def against_ranking(self) -> Cost:
        """The first representation less one ranking by a process of the start rows."""
        return cost(
            self._trials(self.first, self.strategies[-1]), select_trials(self.searches, self.first, "ranking")
        )

    def table(self) -> list[dict[str, Any]]:
        """For each representation and the random order a row a way of searching."""
        keys = self.searches[["representation", "way", "batch"]].drop_duplicates()
        return [
            {
                "label": self.label(name),
                "trained_on_labels": name != "random" and self._trained_on_labels(name),
                "rows": [
                    self._row(name, Strategy(kind, batch))
                    for _, kind, batch in keys[keys["representation"] == name].itertuples(index=False)
                ],
            }
            for name in [*self.config.representations, "random"]
        ]

    def _row(self, name: str, strategy: Strategy) -> dict[str, Any]:
        trials = self._trials(name, strategy)
        has_published = strategy.kind in ("published", "random")
        return {
            "strategy": strategy.words,
            "cost": cost(trials),
            "share": trials["share"],
            "all_found": trials["found"].all(),
            "found": trials["found"].mean(),
            "published": self._published(name, "pool_mean", "pool_median") if has_published else [],
            "less_first": None if name in ("random", self.first) else self._less_first(name, strategy),
        }

    def _less_first(self, name: str, strategy: Strategy) -> Cost:
        return cost(self._trials(name, strategy), self._trials(self.first, strategy))

    def _trials(self, name: str, strategy: Strategy) -> pd.DataFrame:
        return select_trials(self.searches, name, *strategy)

    def _trained_on_labels(self, name: str) -> bool:
        return self.labels.study.trained_on_labels(self.labels.scale, name)

    def _published(self, name: str, *metrics: str) -> list[float]:
        values = self.published.set_index(["metric", "model"])["value"].to_dict()
        return [values[metric, name] for metric in metrics if (metric, name) in values]
