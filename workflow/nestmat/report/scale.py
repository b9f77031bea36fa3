"""The parts of a report, each from its tables: data cards, results of a scale, model cards, versions."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors
import yaml

from nestmat import figures, tables
from nestmat.config.study import Study
from nestmat.data import published
from nestmat.data.registry import resolve
from nestmat.errors import InputError
from nestmat.evaluation.metrics import RECONSTRUCTION
from nestmat.figures import kind
from nestmat.labels import comparisons as measures
from nestmat.labels.numbers import format_percent, format_spread, format_value
from nestmat.labels.scales import Labels
from nestmat.models.keys import RECOMMENDED, ModelKey
from nestmat.models.specification import specification_from
from nestmat.report import classes as chapters_classes
from nestmat.report.findings import classes as findings_classes
from nestmat.report.findings import latents as findings_latents
from nestmat.report.findings import pool as findings_pool
from nestmat.report.findings import scale as findings

EXAMPLES = 3
"""Rejected rows shown for each reason."""
FLAGGED = 12
"""Flagged labels shown for each data set."""

SECTIONS: dict[str, str] = {
    "results": "Accuracy",
    "nesting": "Does nesting help?",
    "calibration": "Uncertainty",
    "search": "Search in the pool",
    "training": "Training",
    "interpretation": "Interpretation",
}
WITHOUT_PARENTS = {"nesting": "Models compared"}
"""Sections of a scale without parents that have another title."""


@dataclass(frozen=True)
class Source:
    """A study with its results, which every part of the report is read through.

    Attributes:
        study: The study.
        results: Folder of its results.
        given: Published numbers by scale, instead of those that the study names.
    """

    study: Study
    results: Path
    given: Mapping[str, pd.DataFrame] | None

    def path(self, name: str) -> Path:
        """A file of the results; an `InputError` where it is missing."""
        file = self.results / name
        if not file.is_file():
            raise InputError(
                "is missing: the report needs it.", file=file, remedy="run snakemake for the study again."
            )
        return file

    def table(self, name: str) -> pd.DataFrame:
        """A table of the results."""
        return tables.read(self.path(name))

    def labels(self, scale: str) -> Labels:
        """Names and units of a scale."""
        return Labels(self.study, scale, tables.schema(self.path(f"features/{scale}.parquet")))

    def published(self, scale: str) -> pd.DataFrame:
        """Published numbers of a scale; ``model`` is empty for models that the study lacks."""
        if self.given is not None:
            return self.given[scale]
        mine = published.for_scale(self.study, scale)
        config = self.study.scales[scale]
        every = published.load(self.study.published)
        every = every[
            (every["dataset"] == self.study.datasets[config.dataset])
            & every["target"].isin(config.targets)
            & every["asked"].isna()
        ]
        every = every[~every["model"].isin(set(mine["published"]))]
        return pd.concat([mine, every.assign(published=every["model"], model="")], ignore_index=True)


def data_card(source: Source, name: str) -> dict[str, Any]:
    """Data card of a data set."""
    spec = resolve(source.study.datasets[name])
    file = f"data/{name}.parquet"
    facts, frame = tables.provenance(source.path(file)), source.table(file)
    rejects = source.table(f"data/{name}.rejects.parquet")
    read, rejected = int(facts["rows_read"]), rejects["row"].nunique()
    if read != len(frame) + rejected:
        raise InputError(
            f"{read} rows were read, but {len(frame)} are kept and {rejected} rejected.",
            file=source.path(file),
            remedy="delete the file and run again.",
        )
    flagged = frame[frame["flag"] != ""]
    later = [
        (source.labels(scale).title(), _reasons(part))
        for scale, config in source.study.scales.items()
        if config.dataset == name
        for part in [source.table(f"features/{scale}.rejects.parquet")]
        if not part.empty
    ]
    return {
        "name": name,
        "spec": spec,
        "sha256": [part["sha256"] for part in (facts, *facts.get("beside", ())) if part.get("sha256")],
        "read": read,
        "kept": len(frame),
        "rejected": rejected,
        "materials": frame["material"].nunique() if (frame["formula"] != "").any() else None,
        "reasons": _reasons(rejects),
        "later": later,
        "flags": flagged.head(FLAGGED)[["row", "formula", "flag"]].to_dict("records"),
        "flagged": len(flagged),
        "used_by": [source.labels(s).title() for s, c in source.study.scales.items() if c.dataset == name],
    }


def _reasons(rejects: pd.DataFrame) -> list[dict[str, Any]]:
    """Reasons for rejection with their number of rows and some examples, most frequent first."""
    found = [
        {"reason": reason, "rows": len(part), "examples": part.head(EXAMPLES).to_dict("records")}
        for reason, part in rejects.groupby("reason", sort=False)
    ]
    return sorted(found, key=lambda entry: -entry["rows"])


def scale_chapter(source: Source, name: str) -> dict[str, Any]:
    """Everything that the report says of a scale."""
    labels = source.labels(name)
    config = labels.config
    metrics, comparisons = (
        source.table(f"metrics/{name}.parquet"),
        source.table(f"comparisons/{name}.parquet"),
    )
    theirs = source.published(name)
    swept = source.table(f"sweeps/{name}.parquet") if config.sweep else None
    traced = source.table(f"truth/{name}.parquet") if config.device_physics else None
    latent_size = findings.latent_size(swept, labels) if swept is not None else ""
    strata = source.table(f"strata/{name}.parquet") if config.strata else None
    targets = [
        {
            "name": labels.name(target),
            "label": labels.axis(target),
            "unit": labels.unit(target),
            "nesting": findings.nesting(comparisons, labels, target),
            "uncertainty": findings.uncertainty(labels, target),
            "truth": findings.truth(traced, labels, target) if traced is not None else "",
            "latent_size": latent_size,
            "pool": _pool(source, name, target),
            "repeats": _repeats(metrics, labels, target),
            "calibration": _calibration(metrics, labels, target),
            **(_of_class if labels.classes(target) else _of_number)(metrics, theirs, strata, labels, target),
        }
        for target in config.targets
    ]
    drawn = [kind_ for subject, kind_ in figures.available(source.study) if subject == name]
    return {
        "key": name,
        "title": labels.title(),
        "rows": len(tables.read(source.path(f"features/{name}.parquet"), columns=["row_id"])),
        "parents": [Labels(source.study, parent).title() for parent in config.parents],
        "targets": targets,
        "kept": findings.reconstruction(metrics, labels),
        "latent_size": latent_size,
        "reconstruction": _reconstruction(metrics, labels),
        "latents": findings_latents.latents_tables(metrics, labels),
        "protocols": [
            (labels.protocol(p), findings.protocol_in_words(source.study, name, p)) for p in config.protocols
        ],
        "sections": [
            {
                "key": f"{name}-{key}",
                "title": title,
                "kind": key,
                "figures": [figure(source, name, k) for k in drawn if figures.FIGURES[k].section == key],
            }
            for key, title in (SECTIONS | ({} if config.parents else WITHOUT_PARENTS)).items()
            if key == "results" or any(figures.FIGURES[k].section == key for k in drawn)
        ],
        "models": [_model_card(source, name, model) for model in config.models],
        "baselines": [
            {
                "title": labels.model(key),
                "kind": entry.kind.replace("_", " "),
                "inputs": ", ".join(entry.inputs),
                "options": ", ".join(f"{k} = {v}" for k, v in entry.options.items()) or "defaults",
            }
            for key, entry in config.baselines.items()
        ],
        "stack": _stack(source, name),
        "equal": config.recommended is not None and config.recommended.weights == "equal",
        "citations": list(dict.fromkeys(theirs["citation"])),
    }


def _of_number(
    metrics: pd.DataFrame, theirs: pd.DataFrame, strata: pd.DataFrame | None, labels: Labels, target: str
) -> dict[str, Any]:
    """What is said of the errors of a number."""
    protocols = labels.config.protocols
    divided = [] if strata is None else chapters_classes.strata_tables(strata, labels, target)
    return {
        "classes": [],
        "accuracy": findings.accuracy(metrics, theirs, labels, target),
        "optimism": findings.optimism(metrics, labels, target),
        "coverage": findings.coverage(metrics, labels, target),
        "needed": [],
        "disentangled": [],
        "tables": [_metrics_table(metrics, theirs, labels, target, protocol) for protocol in protocols],
        "class_tables": [(table, []) for table in divided],
    }


def _of_class(
    metrics: pd.DataFrame, theirs: pd.DataFrame, strata: pd.DataFrame | None, labels: Labels, target: str
) -> dict[str, Any]:
    """The same of a class."""
    divided = [] if strata is None else chapters_classes.strata_tables(strata, labels, target)
    measured = chapters_classes.metric_tables(metrics, theirs, labels, target)
    return {
        "classes": labels.classes(target),
        "accuracy": findings_classes.accuracy(metrics, theirs, labels, target),
        "optimism": findings_classes.optimism(metrics, labels, target),
        "coverage": findings_classes.calibration(metrics, labels, target),
        "needed": findings_classes.labels_needed(metrics, labels, target),
        "disentangled": findings_latents.disentanglement(metrics, labels, target),
        "tables": [],
        "class_tables": [*measured, *((table, []) for table in divided)],
    }


def _pool(source: Source, scale: str, target: str) -> dict[str, Any] | None:
    """What is said of the search for a target in the pool, and its table; None where there is none."""
    labels = source.labels(scale)
    if labels.config.pool is None or labels.config.pool.target != target:
        return None
    file = f"pool/{scale}.parquet"
    theirs = source.published(scale)
    notes = theirs[theirs["metric"].str.startswith("pool_")].groupby("note", sort=False)["published"]
    searched = findings_pool.Searched(
        source.table(file), tables.provenance(source.path(file)), theirs, labels, labels.config.pool
    )
    return {
        "said": searched.said(),
        "table": searched.table(),
        "trials": labels.config.pool.trials,
        "notes": [(", ".join(dict.fromkeys(models)), note) for note, models in notes if note],
    }


def _metrics_table(
    metrics: pd.DataFrame, theirs: pd.DataFrame, labels: Labels, target: str, protocol: str
) -> dict[str, Any]:
    """Rows of the metrics table of a target and protocol, best validation error first."""
    table = measures.summary(metrics, target=target)
    table = table[(table["repeat"] == 0) & (table["protocol"] == protocol)]
    if table.empty:
        raise InputError(
            f"no metrics of target {target!r} in protocol {protocol!r} of scale {labels.scale!r}.",
            remedy="delete the metrics of the scale and run again.",
        )
    mae, validation = table[table["metric"] == "mae"], table[table["split"] == "validation"]
    train = {row["model"]: row["mean"] for row in mae[mae["split"] == "train"].to_dict("records")}
    over_all = {(row["model"], row["metric"]): row["pooled"] for row in validation.to_dict("records")}
    best_first = mae[mae["split"] == "validation"].sort_values("mean")
    theirs = theirs[
        (theirs["target"] == target)
        & (theirs["protocol"] == protocol)
        & theirs["metric"].isin(findings.PUBLISHED_METRICS)
        & (theirs["split"] == "validation")
        & theirs["latents"].isna()
    ]
    numbers = [
        (
            row["model"],
            row["published"],
            f"{findings.PUBLISHED_METRICS[row['metric']]}{format_spread(row['value'], row['spread'])}",
        )
        for row in theirs.sort_values("value").to_dict("records")
    ]
    rows = [
        {
            "model": labels.model(row["model"]),
            "family": chapters_classes.family(row["model"], labels),
            "mae": format_spread(row["mean"], row["std"], count=row["folds"]),
            "published": "; ".join(text for model, _, text in numbers if model == row["model"]),
            "rmse": format_value(over_all[row["model"], "rmse"]),
            "r2": f"{over_all[row['model'], 'r2']:.3f}".replace("-", "−"),
            "train": format_value(train.get(row["model"], float("nan"))),
        }
        for row in best_first.to_dict("records")
    ]
    blank = dict.fromkeys(("mae", "rmse", "r2", "train"), "")
    rows += [
        {**blank, "model": f"{name} (published only)", "family": "published", "published": text}
        for model, name, text in numbers
        if not model
    ]
    return {
        "protocol": labels.protocol(protocol),
        "folds": int(best_first["folds"].max()),
        "rows": rows,
        "published": not theirs.empty,
        "notes": [
            (", ".join(dict.fromkeys(part["published"])), note)
            for note, part in theirs.groupby("note", sort=False)
            if note
        ],
    }


def _reconstruction(metrics: pd.DataFrame, labels: Labels) -> dict[str, Any] | None:
    """R2 of the blocks that the autoencoders decode: a row a model and protocol, a column a block."""
    table = measures.summary(metrics, metric=RECONSTRUCTION)
    table = table[table["repeat"] == 0]
    if table.empty:
        return None
    blocks = measures.ordered(table["target"], list(labels.config.features))
    found = {(row["model"], row["protocol"], row["target"]): row for row in table.to_dict("records")}
    rows = []
    for model, protocol in dict.fromkeys((model, protocol) for model, protocol, _ in found):
        mine = [found.get((model, protocol, block)) for block in blocks]
        cells = [format_spread(r["mean"], r["std"], count=r["folds"]) if r else "" for r in mine]
        rows.append((labels.model(model), labels.protocol(protocol), cells))
    return {"blocks": blocks, "rows": rows}


def _repeats(metrics: pd.DataFrame, labels: Labels, target: str) -> list[dict[str, Any]]:
    """Error or accuracy of each model with every seed of a split, for protocols that have further seeds."""
    metric = measures.compared_by(bool(labels.classes(target)))[0]
    table = measures.summary(metrics, target=target, metric=metric)
    table = table[table["split"] == "validation"]
    found = []
    for protocol in labels.config.protocols:
        split = labels.study.strict if protocol == "strict" else labels.config.splits[protocol]
        wide = table[table["protocol"] == protocol].pivot(index="model", columns="repeat", values="mean")
        if wide.shape[1] < 2:
            continue
        seeds = [split.seed, *split.repeats]
        wide = wide.sort_values(wide.columns[0], ascending=metric not in measures.SCORES)
        found.append(
            {
                "metric": measures.NAMES[metric],
                "protocol": labels.protocol(protocol),
                "seeds": [seeds[int(r)] for r in wide.columns],
                "rows": [
                    (
                        labels.model(str(m)),
                        [format_value(v) for v in row],
                        format_value(float(row[1:].mean())),
                    )
                    for m, row in zip(wide.index, wide.to_numpy(), strict=True)
                ],
            }
        )
    return found


def _calibration(metrics: pd.DataFrame, labels: Labels, target: str) -> list[list[str]]:
    """Coverage of the headline predictor's intervals, a row a protocol."""
    table = measures.summary(metrics, target=target)
    table = table[
        (table["model"] == kind.headline(labels.study, labels.scale))
        & (table["split"] == "validation")
        & (table["repeat"] == 0)
    ]
    found = {(row["protocol"], row["metric"]): row["pooled"] for row in table.to_dict("records")}
    return [
        [
            labels.protocol(protocol),
            format_percent(found[protocol, "coverage_68"]),
            format_percent(found[protocol, "coverage_95"]),
            format_value(found[protocol, "miscalibration_area"]),
        ]
        for protocol in labels.config.protocols
        if np.isfinite(found.get((protocol, "coverage_68"), np.nan))
    ]


def figure(source: Source, subject: str, kind_: str) -> dict[str, str]:
    """A figure of a scale or a design problem, as the page holds it."""
    about = figures.FIGURES[kind_]
    name = f"figures/{subject}/{kind_}.svg"
    return {
        "title": about.title,
        "caption": about.caption,
        "file": name,
        "alt": f"{about.title}: {figures.title(source.study, subject)}",
        "data": base64.b64encode(source.path(name).read_bytes()).decode(),
    }


def _model_card(source: Source, scale: str, model: str) -> dict[str, Any]:
    """What a model is, how large, and how it was trained, in each of its protocols."""
    labels = source.labels(scale)
    runs, cards = [], []
    for protocol in labels.config.runs(model):
        stem = f"models/{ModelKey(scale, protocol, model)}"
        cards.append(json.loads(source.path(f"{stem}.json").read_text(encoding="utf-8")))
        members, parameters = _size(source.path(f"{stem}.safetensors"))
        benchmark = source.results / f"benchmarks/train_scale/{scale}.{protocol}.{model}.tsv"
        runs.append((labels.protocol(protocol), members, _seconds(benchmark)))
    card = cards[0]
    specification, widths = card["specification"], {k: len(v) for k, v in card["columns"].items()}
    encoder, training = specification["encoder"], specification["training"]
    network = specification_from(specification)
    inputs = network.encoder_width(widths)
    layers = [str(inputs), *(f"{n} {encoder['activation']}" for n in encoder["hidden"])]
    return {
        "title": labels.model(model),
        "key": model,
        "inputs": ", ".join(f"{block} ({widths[block]})" for block in specification["inputs"]),
        "encoder": " → ".join([*layers, f"{encoder['latents']} latents, {network.latent_layer}"]),
        "kind": network.kind.replace("_", " ").capitalize(),
        "summary": network.summary,
        "heads": [_head(name, head) for name, head in specification["heads"].items()],
        "penalties": ", ".join(
            f"{k.replace('_', ' ')} × {v:g}" for k, v in specification["penalties"].items()
        ),
        "training": _training(training),
        "parameters": parameters,
        "seeds": training["seeds"],
        "runs": runs,
        "leak": training["scale_on"] == "all",
    }


def _head(name: str, head: Mapping[str, Any]) -> str:
    layers = [f"{n} {head['activation']}" for n in head["hidden"]]
    end = "" if head["output_activation"] == "identity" else f" ({head['output_activation']})"
    path = f" through {' → '.join(layers)}" if layers else ""
    return f"{name}{end}{path}: {head['loss'].replace('_', ' ')} × {head['weight']:g}"


def _training(training: Mapping[str, Any]) -> str:
    batch = f"batches of {training['batch_size']}" if training["batch_size"] else "full batch"
    stop = "early stopping" if training["stop"] == "early" else "last epoch"
    decay = f", weight decay {training['weight_decay']:g}" if training["weight_decay"] else ""
    rate = f"Adam {training['learning_rate']:g} ({training['schedule']})"
    return f"{training['epochs']} epochs, {batch}, {rate}{decay}, {stop}"


def _size(weights: Path) -> tuple[int, int]:
    """Members, and parameters of one member, from the header of a weights file."""
    with safetensors.safe_open(weights, framework="numpy") as file:
        shapes = [file.get_slice(k).get_shape() for k in file.keys() if not k.startswith("scaler.")]  # noqa: SIM118
    return shapes[0][0], sum(prod(shape[1:]) for shape in shapes)


def _seconds(benchmark: Path) -> float | None:
    """Wall time that Snakemake measured; None where the job's benchmark was not kept."""
    if not benchmark.is_file():
        return None
    with benchmark.open(encoding="utf-8", newline="") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["s"])


def _stack(source: Source, scale: str) -> list[dict[str, Any]]:
    """Mean weights of the recommended predictor over the folds of each protocol."""
    labels, recommended = source.labels(scale), source.study.scales[scale].recommended
    if recommended is None:
        return []
    found = []
    for protocol in labels.config.runs(RECOMMENDED):
        file = source.path(f"predictions/{ModelKey(scale, protocol, RECOMMENDED)}.json")
        learned = json.loads(file.read_text(encoding="utf-8"))["combinations"]
        for target in labels.config.targets:
            mine = [c for c in learned if c["target"] == target and c["fold"] >= 0]
            weights = pd.DataFrame([c["weights"] for c in mine])
            found.append(
                {
                    "protocol": labels.protocol(protocol),
                    "target": labels.name(target),
                    "weights": [
                        (
                            labels.model(m),
                            format_spread(weights[m].mean(), weights[m].std(ddof=0), count=len(mine)),
                        )
                        for m in recommended.stack
                    ],
                }
            )
    return found


def versions(source: Source) -> Sequence[tuple[str, str]]:
    """Versions of code and packages, and the machine, from the study's run configuration."""
    environment = yaml.safe_load(source.path("run_config.yaml").read_text(encoding="utf-8"))["environment"]
    names = {
        "nestmat": "nestmat",
        "commit": "Commit",
        "python": "Python",
        "platform": "Machine",
        "cpus": "Processors",
    }
    found = [(title, str(environment[key])) for key, title in names.items() if environment.get(key)]
    return [*found, *environment["packages"].items()]
