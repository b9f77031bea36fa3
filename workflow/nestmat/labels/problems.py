"""Names for people of what the tables of a design problem hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nestmat.config.problems import DesignProblem
from nestmat.config.study import Study
from nestmat.data.quantities import quantity_columns, variable_columns
from nestmat.design.judges.registry import JUDGES
from nestmat.labels import comparisons
from nestmat.labels.scales import Labels
from nestmat.labels.text import humanize_key, prettify

BASELINES = {"uniform": "Uniform sample", "training": "Best of the training data"}
"""Reference lists that are judged as the methods are, last in every table and figure."""
PATHS = {"line": "Line in the latents", "slerp": "Slerp of the latents", "mixing": "Mixing"}
"""Paths between two materials, as tables and figures name them."""
_SEARCHED, _TOGETHER = {"model": "searched model"}, {"all": "all judges"}


@dataclass(frozen=True)
class DesignLabels(Labels):
    """Names of a design problem's methods, judges and quantities; ``scale`` is its coarsest scale.

    Attributes:
        problem: Name of the problem.
    """

    problem: str = ""

    @classmethod
    def of(cls, study: Study, problem: str) -> DesignLabels:
        """Names of a problem of a study."""
        columns = {**variable_columns(study, problem), **quantity_columns(study, problem)}
        return cls(study, study.search[problem].scale, columns, problem)

    @property
    def problem_config(self) -> DesignProblem:
        """Configuration of the problem."""
        return self.study.search[self.problem]

    def title(self, scale: str | None = None) -> str:
        """Name of the problem, or of a scale."""
        return super().title(scale) if scale else self.problem_config.title

    def name(self, column: str) -> str:
        """Name of a quantity or a variable; with its scale where two scales have one of this name."""
        text, scale = self._plain(column), column.partition(".")[0]
        alike = [name for name in self.columns if self._plain(name) == text]
        return f"{text}, {self.title(scale)}" if scale in self.study.scales and len(alike) > 1 else text

    def _plain(self, column: str) -> str:
        if classes := self.classes(column):
            return f"Probability of {classes[1]}"
        text = super().name(column)
        return prettify(column.rpartition(".")[2]) if text == column else text

    def method(self, name: str) -> str:
        """Name of a method, or of a reference list."""
        entry = self.problem_config.methods.get(name)
        return BASELINES.get(name) or (entry.title if entry else "") or prettify(name)

    def methods(self, names: Iterable[Any]) -> list[str]:
        """The distinct methods in the order of the configuration, reference lists last."""
        ordered = comparisons.ordered(names, list(self.problem_config.methods))
        return [name for name in ordered if name not in BASELINES] + [b for b in BASELINES if b in ordered]


def judge_name(name: str) -> str:
    """Name inside a sentence of a judge, of the searched model or of all judges together.

    Example:
        >>> judge_name("trees"), judge_name("model")
        ('trees', 'searched model')
    """
    if name in _SEARCHED or name in _TOGETHER:
        return (_SEARCHED | _TOGETHER)[name]
    return JUDGES[name].title if name in JUDGES else humanize_key(name)


def order_judges(names: Iterable[str]) -> list[str]:
    """Judges in the order of tables and figures: the searched model first, all of them together last.

    Example:
        >>> order_judges(["physics", "all", "trees"])
        ['trees', 'physics', 'all']
    """
    return comparisons.ordered(names, [*_SEARCHED, *JUDGES, *_TOGETHER])
