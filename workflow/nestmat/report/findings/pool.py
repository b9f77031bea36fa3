"""What the search in a pool found, in sentences and a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nestmat.config.pool import PoolSearch
from nestmat.evaluation.pool import Cost, cost, random_share, searches_of, way_in_words
from nestmat.labels.numbers import NO_BREAK, format_percent, format_value
from nestmat.labels.scales import Labels
from nestmat.labels.text import humanize_key, lower_first


@dataclass(frozen=True)
class Searched:
    """Searches in the pool of a scale.

    Attributes:
        searches: One row a search, `nestmat.search.pool.trials.POOL`.
        facts: Its provenance.
        published: Published numbers of the scale.
        labels: Names and units.
        config: What was asked for.
    """

    searches: pd.DataFrame
    facts: Mapping[str, Any]
    published: pd.DataFrame
    labels: Labels
    config: PoolSearch

    @property
    def first(self) -> str:
        """The representation that the others are compared with."""
        return next(iter(self.config.representations))

    @property
    def _ways(self) -> list[tuple[str, int]]:
        return [("published", 1)] * self.config.as_published + [("sound", self.config.batches[0])]

    def said(self) -> list[tuple[str, str]]:
        """Headings and texts: what is sought, what it cost, and whether latents or a model saved labels."""
        return [
            ("Search in the pool", self._sought()),
            *((f"Part of the pool seen, {way_in_words(*way)}", self._costs(*way)) for way in self._ways),
            *self._latents(),
            (f"{self._name(self.first)}, {way_in_words(*self._ways[-1])}", self._against_no_model()),
        ]

    def _name(self, representation: str) -> str:
        return self.labels.representation(representation)

    def _sought(self) -> str:
        target, best = self.facts["target"], self.facts["best"]
        what = "highest" if self.facts["goal"] == "maximise" else "lowest"
        chance = percentage(random_share(self.searches, self.facts)) + self._beside("random")
        return (
            f"Of {self.facts['rows']} rows the {what} {lower_first(self.labels.name(target))} is "
            f"{format_value(best[0][target], self.labels.unit(target))}: "
            f"{'; '.join(_row_in_words(row, target) for row in best)}. In random order {chance} of the rows "
            f"are seen until it is found, {self.searches['start'].iloc[0]} start rows included."
        )

    def _costs(self, way: str, batch: int) -> str:
        costs = [
            f"{self._name(name)} {mean_share(searches_of(self.searches, name, way, batch))}"
            + (self._beside(name) if way == "published" else "")
            for name in self.config.representations
        ]
        return f"{'; '.join(costs)}."

    def _beside(self, name: str) -> str:
        theirs = self._published(name, "pool_mean")
        return f" (published {theirs[0]:.1f}{NO_BREAK}%)" if theirs else ""

    def _published(self, name: str, *metrics: str) -> list[float]:
        known = self.published.set_index(["metric", "model"])["value"].to_dict()
        return [known[metric, name] for metric in metrics if (metric, name) in known]

    def _latents(self) -> Iterator[tuple[str, str]]:
        """Each representation against the first, those whose models saw the labels apart from the others."""
        _, *others = self.config.representations
        for saw, which in ((False, "that saw no label"), (True, "trained on the labels that are sought")):
            names = [name for name in others if self._saw(name) == saw]
            if names:
                heading = f"Descriptions {which}, against {lower_first(self._name(self.first))}"
                yield heading, " ".join(self._savings(names, *way) for way in self._ways)

    def _saw(self, name: str) -> bool:
        return self.labels.study.trained_on_labels(self.labels.scale, name)

    def _savings(self, names: list[str], way: str, batch: int) -> str:
        reference = searches_of(self.searches, self.first, way, batch)
        costs = [
            f"{self._name(name)} {saving(cost(searches_of(self.searches, name, way, batch), reference))}"
            for name in names
        ]
        words = way_in_words(way, batch)
        return f"{words[:1].upper()}{words[1:]}: {'; '.join(costs)}."

    def _against_no_model(self) -> str:
        trials = searches_of(self.searches, self.first, *self._ways[-1])
        chance = cost(trials, random_share(self.searches, self.facts))
        ranked = cost(trials, searches_of(self.searches, self.first, "ranking"))
        return (
            f"Against random order {saving(chance)}; against one ranking by a process of the start rows "
            f"{saving(ranked)}."
        )

    def table(self) -> list[tuple[str, bool, list[dict[str, str]]]]:
        """For each description: its name, whether its model saw the labels, and a row a way of searching."""
        keys = self.searches[["representation", "way", "batch"]].drop_duplicates()
        return [
            (
                self._name(name),
                name != "random" and self._saw(name),
                [self._row(name, way, batch) for _, way, batch in part.itertuples(index=False)],
            )
            for name in [*self.config.representations, "random"]
            for part in [keys[keys["representation"] == name]]
        ]

    def _row(self, name: str, way: str, batch: int) -> dict[str, str]:
        trials, reference = (searches_of(self.searches, n, way, batch) for n in (name, self.first))
        mine, share = cost(trials), 100 * trials["share"]
        compared = name not in ("random", self.first)
        beside = self._published(name, "pool_mean", "pool_median") if way in ("published", "random") else []
        members = [f"{100 * member:.1f}" for member in mine.members]
        return {
            "way": way_in_words(way, batch),
            "mean": f"{'' if trials['found'].all() else '≥ '}{share.mean():.1f}",
            "interval": f"{100 * mine.low:.1f}–{100 * mine.high:.1f}",
            "published": " / ".join(f"{number:.1f}" for number in beside),
            "median": f"{share.median():.1f}",
            "sd": f"{share.std():.1f}",
            "members": ", ".join(members) if len(members) > 1 else "",
            "found": format_percent(trials["found"].mean()),
            "against": points(cost(trials, reference)) if compared else "",
        }


def _row_in_words(row: Mapping[str, Any], target: str) -> str:
    classes = [
        f"{humanize_key(name)} {level}" for name, level in row.items() if name not in ("formula", target)
    ]
    return ", ".join(filter(None, [row["formula"], *classes]))


def percentage(share: float) -> str:
    """A share in percent with one decimal."""
    return f"{100 * share:.1f}{NO_BREAK}%"


def mean_share(trials: pd.DataFrame) -> str:
    """Mean share of a pool that searches saw; ``at least`` where some did not find what they sought."""
    text = percentage(trials["share"].mean())
    return text if trials["found"].all() else f"at least {text}"


def points(difference: Cost) -> str:
    """A difference of shares in percentage points, with its interval over start rows."""
    numbers = (difference.mean, difference.low, difference.high)
    mean, low, high = (f"{100 * number:+.1f}".replace("-", "−") for number in numbers)
    return f"{mean} ({low} to {high})"


def saving(difference: Cost) -> str:
    """The same in words, with what it shows."""
    if difference.low <= 0 <= difference.high:
        shown = "no difference is shown"
    elif not difference.agree:
        shown = "trained members disagree"
    else:
        who = "each member " if len(difference.members) > 1 else ""
        shown = who + ("saves labels" if difference.mean < 0 else "costs labels")
    return f"{points(difference).replace(' ', ' points ', 1)}: {shown}"
