"""Published numbers with their citation: shown with measured ones, never mixed with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nestmat.config.kinds import message_of
from nestmat.config.study import Study
from nestmat.config.yaml_files import load_yaml
from nestmat.errors import InputError
from nestmat.paths import RESOURCES

PUBLISHED = RESOURCES / "published"
COLUMNS = [
    "dataset",
    "target",
    "model",
    "protocol",
    "split",
    "metric",
    "value",
    "spread",
    "unit",
    "latents",
    "condition_value",
    "citation",
    "source",
    "note",
]


_Kind = TypeVar("_Kind", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Origin(_Strict):
    dataset: str = Field(description="Key of the data set in resources/datasets.yaml.")
    target: str = Field(description="Column that is predicted.")
    model: str = Field(description="Name of the model, as `published` of a model or baseline names it.")
    protocol: str = Field(description="Split that the number holds for, by the name that a study gives it.")
    metric: Literal[
        "mae",
        "rmse",
        "r2",
        "accuracy",
        "roc_auc",
        "f1",
        "log_loss",
        "brier",
        "pool_mean",
        "pool_median",
        "inside",
        "error",
        "yield",
        "pair_distance",
    ] = Field(
        "mae",
        description=(
            "What the number measures; pool_mean and pool_median: share of a pool seen until its best row is "
            "found, over trials; the last four of generated materials, as `nestmat.design.metrics`."
        ),
    )
    unit: str = Field("", description="Unit of the number.")
    citation: str = Field(description="Key of `citations`.")
    source: str = Field(description="Where in the publication: figure, table, or file and commit.")
    note: str = Field("", description="What a reader must know to compare.")


class Value(_Origin):
    """One number: mean and standard deviation over the folds, validation and training."""

    value: float = Field(description="Mean over the validation folds.")
    spread: float | None = Field(None, description="Standard deviation over the folds.")
    train: float | None = Field(None, description="Mean over the training rows of the folds.")
    train_spread: float | None = Field(None, description="Its standard deviation over the folds.")
    latents: int | None = Field(None, description="Number of latents, where it is varied.")
    condition_value: float | None = Field(
        None, description="Value that generated materials are conditioned on."
    )


class Sweep(_Origin):
    """Numbers against the number of latents; all lists are of one length."""

    latents: list[int] = Field(description="Numbers of latents.")
    value: list[float] = Field(description="Mean over the validation folds.")
    spread: list[float] = Field(description="Standard deviation over the folds.")
    train: list[float] = Field(description="Mean over the training rows of the folds.")
    train_spread: list[float] = Field(description="Its standard deviation over the folds.")

    @model_validator(mode="after")
    def _lengths(self) -> Sweep:
        lists = (self.value, self.spread, self.train, self.train_spread)
        if any(len(numbers) != len(self.latents) for numbers in lists):
            raise ValueError(
                "Each of value, spread, train and train_spread needs one number for each of latents"
            )
        return self


class Publication(_Strict):
    """A file of resources/published/."""

    citations: dict[str, str] = Field(description="Citations by key.")
    values: list[Value] = Field(description="Single numbers.")
    sweeps: list[Sweep] = Field([], description="Numbers against the number of latents.")

    @model_validator(mode="after")
    def _cited(self) -> Publication:
        for entry in [*self.values, *self.sweeps]:
            if entry.citation not in self.citations:
                raise ValueError(f"{entry.citation!r} is not one of the citations")
        return self


def read(path: str | Path, kind: type[_Kind]) -> _Kind:
    """A file of published numbers, validated.

    Args:
        path: YAML file.
        kind: What the file holds.

    Raises:
        InputError: The file is missing or faulty; names file and key.
    """
    try:
        return kind.model_validate(load_yaml(path))
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise InputError(
            f"{message_of(fault)}.", file=path, key=key, remedy="compare the entry with its neighbours."
        ) from error


def load(names: Iterable[str], folder: str | Path = PUBLISHED) -> pd.DataFrame:
    """Published numbers as a tidy frame.

    Args:
        names: Files of the folder, without ``.yaml``.
        folder: Where they are.

    Returns:
        One row a number, with the columns `COLUMNS`: ``split`` is train or validation, ``spread`` the
        standard deviation over folds (NaN where none is stated), ``latents`` the latent size in a sweep and
        NaN elsewhere, ``condition_value`` what generated materials are conditioned on, ``citation`` the
        text. Single numbers come before sweeps.

    Raises:
        InputError: A file is missing or faulty; names file and key.
    """
    rows: list[dict] = []
    for name in names:
        publication = read(Path(folder) / f"{name}.yaml", Publication)
        for value in publication.values:
            rows += _rows(value.model_dump(), publication.citations)
        for sweep in publication.sweeps:
            columns = ("latents", "value", "spread", "train", "train_spread")
            common = sweep.model_dump(exclude=set(columns))
            for numbers in zip(*(getattr(sweep, column) for column in columns), strict=True):
                rows += _rows(common | dict(zip(columns, numbers, strict=True)), publication.citations)
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype({"value": float, "spread": float, "latents": float, "condition_value": float})


def _rows(entry: dict, citations: Mapping[str, str]) -> list[dict]:
    train = {"value": entry.pop("train"), "spread": entry.pop("train_spread")}
    entry["citation"] = citations[entry["citation"]]
    rows = [entry | {"split": "validation"}]
    return rows if train["value"] is None else [*rows, entry | train | {"split": "train"}]


def for_samples(study: Study, scale: str, target: str, value: float) -> tuple[pd.DataFrame, list[str]]:
    """Published numbers of materials that were generated to have a value, by model and metric.

    Args:
        study: The study.
        scale: Scale of the target.
        target: Column that was conditioned on.
        value: Its value.

    Returns:
        One row a model, one column a metric; and the citations.
    """
    frame = load(study.published)
    samples = frame[
        (frame["dataset"] == study.datasets[study.scales[scale].dataset])
        & (frame["target"] == target)
        & (frame["condition_value"] == value)
    ]
    citations = samples["citation"].unique().tolist()
    return samples.pivot(index="model", columns="metric", values="value"), citations


def for_scale(study: Study, scale: str, folder: str | Path = PUBLISHED) -> pd.DataFrame:
    """Published numbers of a scale's data set and targets, under the study's own names.

    Args:
        study: The study.
        scale: Name of the scale.
        folder: Where the files are.

    Returns:
        The rows of `load` for the models and baselines, and in a pool for the representations, that name a
        published counterpart, ``model`` replaced by their key in the study and ``published`` holding the
        original name. The random order in a pool is its own counterpart.
    """
    frame, config = load(study.published, folder), study.scales[scale]
    of_dataset = frame["dataset"] == study.datasets[config.dataset]
    numbers = frame[of_dataset & frame["target"].isin(config.targets)]
    pooled = numbers["metric"].str.startswith("pool_")
    representations = config.pool.representations if config.pool else {}
    names = [(key, entry.published, ~pooled) for key, entry in config.competitors.items()]
    names += [(key, entry.published, pooled) for key, entry in representations.items()]
    names += [("random", "random", pooled)] * (config.pool is not None)
    renamed = [
        numbers[(numbers["model"] == published) & rows].assign(model=key, published=published)
        for key, published, rows in names
        if published
    ]
    return pd.concat([numbers.iloc[:0].assign(published=""), *renamed], ignore_index=True)
