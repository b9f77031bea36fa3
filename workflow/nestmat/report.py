"""The report of a study: one self-contained HTML file made from its tables and figures."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import pandas as pd
import safetensors
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from nestmat import figures, findings, published, tables
from nestmat.config import Study
from nestmat.data.registry import resolve
from nestmat.errors import InputError
from nestmat.figures import kind, measures
from nestmat.figures.style import Labels
from nestmat.files import write_text

EXAMPLES = 3
"""Rejected rows shown for each reason."""
FLAGGED = 12
"""Flagged labels shown for each data set."""

SECTIONS: dict[str, str] = {
    "results": "Accuracy",
    "nesting": "Does nesting help?",
    "calibration": "Uncertainty",
    "training": "Training",
    "interpretation": "Interpretation",
}


def needs(study: Study) -> dict[str, list[str]]:
    """Files that the report is made from, by name, relative to the study's results."""
    trained = [
        f"models/{name}/{protocol}/{model}"
        for name, scale in study.scales.items()
        for model in scale.models
        for protocol in scale.runs(model)
    ]
    return {
        "run_config": ["run_config.yaml"],
        "data": [f"data/{name}.parquet" for name in study.datasets],
        "data_rejects": [f"data/{name}.rejects.parquet" for name in study.datasets],
        "features": [f"features/{name}.parquet" for name in study.scales],
        "features_rejects": [f"features/{name}.rejects.parquet" for name in study.scales],
        "metrics": [f"metrics/{name}.parquet" for name in study.scales],
        "comparisons": [f"comparisons/{name}.parquet" for name in study.scales],
        "stacks": [
            f"predictions/{name}/{protocol}/recommended.json"
            for name, scale in study.scales.items()
            if scale.recommended
            for protocol in scale.runs("recommended")
        ],
        "cards": [f"{stem}.json" for stem in trained],
        "weights": [f"{stem}.safetensors" for stem in trained],
        "figures": [f"figures/{scale}.{kind}.svg" for scale, kind in figures.available(study)],
    }


@dataclass(frozen=True)
class _Source:
    """A study with its results: every part of the report is read through this."""

    study: Study
    results: Path
    given: Mapping[str, pd.DataFrame] | None

    def path(self, name: str) -> Path:
        file = self.results / name
        if not file.is_file():
            raise InputError(
                "is missing: the report needs it.", file=file, remedy="run snakemake for the study again."
            )
        return file

    def table(self, name: str) -> pd.DataFrame:
        return tables.read(self.path(name))

    def labels(self, scale: str) -> Labels:
        return Labels(self.study, scale, tables.schema(self.path(f"features/{scale}.parquet")))

    def published(self, scale: str) -> pd.DataFrame:
        """Published numbers of a scale, those of models that the study lacks too; ``model`` is empty for them."""
        if self.given is not None:
            return self.given[scale]
        mine = published.for_scale(self.study, scale)
        config = self.study.scales[scale]
        every = published.load(self.study.published)
        every = every[
            (every["dataset"] == self.study.datasets[config.dataset]) & every["target"].isin(config.targets)
        ]
        every = every[~every["model"].isin(set(mine["published"]))]
        return pd.concat([mine, every.assign(published=every["model"], model="")], ignore_index=True)


def write_report(
    study: Study,
    results: str | Path,
    output: str | Path,
    *,
    command: str,
    published_numbers: Mapping[str, pd.DataFrame] | None = None,
) -> None:
    """Write the report, whole or not at all.

    Args:
        study: The study.
        results: Folder of its results.
        output: HTML file to write.
        command: Command line that makes the results again.
        published_numbers: Published numbers by scale, instead of those that the study names.

    Raises:
        InputError: A table or figure of the study is missing, or rows of a data set are unaccounted for.
    """
    source = _Source(study, Path(results), published_numbers)
    scales = [_scale(source, name) for name in study.scales]
    environment = Environment(
        loader=PackageLoader("nestmat"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("report.html").render(
        study=study,
        data=[_data(source, name) for name in study.datasets],
        scales=scales,
        versions=_versions(source),
        command=command,
    )
    write_text(output, html)


def _data(source: _Source, name: str) -> dict[str, Any]:
    """Data card of a data set."""
    spec = resolve(source.study.datasets[name])
    file = f"data/{name}.parquet"
    facts, frame = tables.provenance(source.path(file)), source.table(file)
    rejects = source.table(f"data/{name}.rejects.parquet")
    read, rejected = int(facts["rows_read"]), rejects["row"].nunique()
    if read != len(frame) + rejected:
        raise InputError(
            f"{read} rows were read, but {len(frame)} are kept and {rejected} rejected: some are unaccounted for.",
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
        "sha256": facts.get("sha256"),
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


def _scale(source: _Source, name: str) -> dict[str, Any]:
    """Everything that the report says of a scale."""
    labels = source.labels(name)
    config = labels.config
    metrics, comparisons = (
        source.table(f"metrics/{name}.parquet"),
        source.table(f"comparisons/{name}.parquet"),
    )
    theirs = source.published(name)
    targets = [
        {
            "name": labels.name(target),
            "column": target,
            "unit": labels.unit(target),
            "accuracy": findings.accuracy(metrics, theirs, labels, target),
            "optimism": findings.optimism(metrics, labels, target),
            "nesting": findings.nesting(comparisons, labels, target),
            "coverage": findings.coverage(metrics, labels, target),
            "tables": [
                _metrics_table(metrics, theirs, labels, target, protocol) for protocol in config.protocols
            ],
            "repeats": _repeats(metrics, labels, target),
            "calibration": _calibration(metrics, labels, target),
        }
        for target in config.targets
    ]
    drawn = [kind_ for scale, kind_ in figures.available(source.study) if scale == name]
    return {
        "key": name,
        "title": labels.title(),
        "rows": len(tables.read(source.path(f"features/{name}.parquet"), columns=["row_id"])),
        "parents": [Labels(source.study, parent).title() for parent in config.parents],
        "targets": targets,
        "protocols": [
            (labels.protocol(p), findings.protocol_in_words(source.study, name, p)) for p in config.protocols
        ],
        "sections": [
            {
                "key": f"{name}-{key}",
                "title": title,
                "kind": key,
                "figures": [_figure(source, name, k) for k in drawn if figures.FIGURES[k].section == key],
            }
            for key, title in SECTIONS.items()
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
        "citations": list(dict.fromkeys(theirs["citation"])),
    }


def _metrics_table(
    metrics: pd.DataFrame, theirs: pd.DataFrame, labels: Labels, target: str, protocol: str
) -> dict[str, Any]:
    """Rows of the metrics table of a target and protocol, best validation error first."""
    folds = measures.over_folds(metrics)
    folds = folds[(folds["target"] == target) & (folds["protocol"] == protocol)]
    if folds.empty:
        raise InputError(
            f"no metrics of target {target!r} in protocol {protocol!r} of scale {labels.scale!r}.",
            remedy="delete the metrics of the scale and run again.",
        )
    validation = folds[folds["split"] == "validation"].pivot(index="model", columns="metric")
    train = folds[(folds["split"] == "train") & (folds["metric"] == "mae")].set_index("model")["mean"]
    over_all = measures.pooled(metrics)
    over_all = over_all[
        (over_all["target"] == target)
        & (over_all["protocol"] == protocol)
        & (over_all["split"] == "validation")
    ].pivot(index="model", columns="metric", values="value")
    theirs = theirs[
        (theirs["target"] == target)
        & (theirs["protocol"] == protocol)
        & (theirs["metric"] == "mae")
        & (theirs["split"] == "validation")
        & theirs["latents"].isna()
    ]
    rows = []
    for model, mae in validation["mean"]["mae"].sort_values().items():
        sd, count = validation.loc[model, ("sd", "mae")], validation.loc[model, ("folds", "mae")]
        given = theirs[theirs["model"] == model]
        rows.append(
            {
                "model": labels.model(str(model)),
                "family": "recommended"
                if model == "recommended"
                else "autoencoder"
                if model in labels.config.models
                else "baseline",
                "mae": findings.spread(mae, sd, folds=int(count)),
                "published": "; ".join(
                    findings.spread(v, s) for v, s in zip(given["value"], given["spread"], strict=True)
                ),
                "rmse": findings.value(over_all.loc[model, "rmse"]),
                "r2": f"{over_all.loc[model, 'r2']:.3f}".replace("-", "−"),
                "train": findings.value(train.get(model, float("nan"))),
            }
        )
    for entry in theirs[theirs["model"] == ""].sort_values("value").itertuples():
        rows.append(
            {
                "model": f"{entry.published} (published only)",
                "family": "published",
                "mae": "",
                "published": findings.spread(entry.value, entry.spread),
                "rmse": "",
                "r2": "",
                "train": "",
            }
        )
    return {
        "protocol": labels.protocol(protocol),
        "folds": int(folds["folds"].max()),
        "rows": rows,
        "published": not theirs.empty,
        "notes": [
            (", ".join(dict.fromkeys(part["published"])), note)
            for note, part in theirs.groupby("note", sort=False)
            if note
        ],
    }


def _repeats(metrics: pd.DataFrame, labels: Labels, target: str) -> list[dict[str, Any]]:
    """MAE of each model with every seed of a split, for the protocols that have further seeds."""
    table = measures.by_repeat(metrics)
    table = table[(table["metric"] == "mae") & (table["split"] == "validation") & (table["target"] == target)]
    found = []
    for protocol in labels.config.protocols:
        split = labels.study.strict if protocol == "strict" else labels.config.splits[protocol]
        wide = table[table["protocol"] == protocol].pivot(index="model", columns="repeat", values="mean")
        if wide.shape[1] < 2:
            continue
        seeds = [split.seed, *split.repeats]
        wide = wide.sort_values(wide.columns[0])
        found.append(
            {
                "protocol": labels.protocol(protocol),
                "seeds": [seeds[int(r)] for r in wide.columns],
                "rows": [
                    (
                        labels.model(str(m)),
                        [findings.value(v) for v in row],
                        findings.value(float(row[1:].mean())),
                    )
                    for m, row in zip(wide.index, wide.to_numpy(), strict=True)
                ],
            }
        )
    return found


def _calibration(metrics: pd.DataFrame, labels: Labels, target: str) -> list[list[str]]:
    """Coverage of the headline predictor's intervals, a row a protocol."""
    table = measures.pooled(metrics)
    table = table[
        (table["model"] == kind.headline(labels.study, labels.scale))
        & (table["target"] == target)
        & (table["split"] == "validation")
    ].pivot(index="protocol", columns="metric", values="value")
    if "coverage_68" not in table:
        return []
    rows = []
    for protocol in measures.ordered(table.index, labels.config.protocols):
        row = table.loc[protocol]
        area = findings.value(row["miscalibration_area"]) if "miscalibration_area" in row else "–"
        rows.append(
            [
                labels.protocol(protocol),
                findings.percent(row["coverage_68"]),
                findings.percent(row["coverage_95"]),
                area,
            ]
        )
    return rows


def _figure(source: _Source, scale: str, kind_: str) -> dict[str, str]:
    about = figures.FIGURES[kind_]
    name = f"figures/{scale}.{kind_}.svg"
    return {
        "title": about.title,
        "caption": about.caption,
        "file": name,
        "alt": f"{about.title}: {source.labels(scale).title()}",
        "data": base64.b64encode(source.path(name).read_bytes()).decode(),
    }


def _model_card(source: _Source, scale: str, model: str) -> dict[str, Any]:
    """What a model is, how large, and how it was trained, in each of its protocols."""
    labels = source.labels(scale)
    runs, cards = [], []
    for protocol in labels.config.runs(model):
        stem = f"models/{scale}/{protocol}/{model}"
        cards.append(json.loads(source.path(f"{stem}.json").read_text(encoding="utf-8")))
        members, parameters = _size(source.path(f"{stem}.safetensors"))
        benchmark = source.results / f"benchmarks/train_scale/{scale}.{protocol}.{model}.tsv"
        runs.append((labels.protocol(protocol), members, _seconds(benchmark)))
    card = cards[0]
    specification, widths = card["specification"], {k: len(v) for k, v in card["columns"].items()}
    encoder, training = specification["encoder"], specification["training"]
    inputs = sum(widths[block] for block in specification["inputs"])
    layers = [str(inputs), *(f"{n} {encoder['activation']}" for n in encoder["hidden"])]
    return {
        "title": labels.model(model),
        "key": model,
        "inputs": ", ".join(f"{block} ({widths[block]})" for block in specification["inputs"]),
        "encoder": " → ".join([*layers, f"{encoder['latents']} latents, {encoder['latent_activation']}"]),
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


def _stack(source: _Source, scale: str) -> list[dict[str, Any]]:
    """Mean weights of the recommended predictor over the folds of each protocol."""
    labels, recommended = source.labels(scale), source.study.scales[scale].recommended
    if recommended is None:
        return []
    found = []
    for protocol in labels.config.runs("recommended"):
        file = source.path(f"predictions/{scale}/{protocol}/recommended.json")
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
                            findings.spread(weights[m].mean(), weights[m].std(ddof=0), folds=len(mine)),
                        )
                        for m in recommended.stack
                    ],
                }
            )
    return found


def _versions(source: _Source) -> Sequence[tuple[str, str]]:
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
