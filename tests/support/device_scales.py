"""Results of the scales of the study of devices: predictions are the truth plus noise of a known size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

from nestmat import seals, tables
from nestmat.config.study import Study
from nestmat.evaluation.domain_errors import DOMAIN_ERRORS
from nestmat.evaluation.evaluate import Evaluation, evaluate_scale
from nestmat.interpretation.correlations import CORRELATIONS
from nestmat.interpretation.embed import EMBEDDING
from nestmat.interpretation.shapley import SHAPLEY
from nestmat.scales.sweep import SWEEP
from nestmat.tables import Column
from support.device_study import ETL, WHOLE

NOISE = {
    "gap": {"nestmat": 0.12, "nestedae": 0.15, "ridge": 0.24, "xgboost": 0.13, "recommended": 0.11},
    "efficiency": {"nestmat": 2.5, "single_scale": 2.6, "ridge": 3.2, "xgboost": 2.6, "recommended": 2.4},
}


def schema_of(frame: pd.DataFrame, columns: dict, role: str = "") -> dict[str, Column]:
    kinds = {"i": "int64", "f": "float64", "O": "string", "b": "bool"}
    found = {}
    for name, values in frame.items():
        spec = columns.get(name)
        found[name] = Column(
            kinds[values.dtype.kind],
            unit=spec.unit if spec else "",
            description=spec.description if spec else "",
            role=role if spec else "",
        )
    return found


def _folds(frame: pd.DataFrame, plan: dict[str, tuple[int, int]], rng: np.random.Generator) -> pd.DataFrame:
    parts = []
    for protocol, (repeats, folds) in plan.items():
        for repeat in range(repeats):
            fold = rng.permutation(np.arange(len(frame)) % folds)
            parts.append(
                frame[["row_id", "material"]].assign(protocol=protocol, repeat=repeat, fold=fold, **WHOLE)
            )
    return pd.concat(parts, ignore_index=True)


def _predictions(
    scale: str, model: str, target: str, folds: pd.DataFrame, true: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    parts = []
    mae = NOISE[scale][model]
    for repeat, rows in folds.groupby("repeat"):
        for fold in sorted(rows["fold"].unique()):
            for seed in (-1, 0, 1):
                part = rows[["protocol", "row_id"]].copy()
                part["split"] = np.where(rows["fold"] == fold, "validation", "train")
                noise = np.where(part["split"] == "train", 0.6, 1) * mae * 1.25
                part["true"] = true
                part["mean"] = true + rng.normal(0, 1, len(part)) * noise
                part["std"] = mae * (1.0 if model not in ("ridge",) else np.nan)
                parts.append(
                    part.assign(repeat=repeat, fold=fold, inner=-1, seed=seed, model=model, target=target)
                )
    return pd.concat(parts, ignore_index=True)


def write_scale(root: Path, config: Study, scale: str, frame: pd.DataFrame, rng: np.random.Generator) -> None:
    about = config.scales[scale]
    target = about.targets[0]
    spec = config.datasets[about.dataset]
    facts = {
        "dataset": about.dataset,
        "title": spec.title,
        "citation": spec.citation,
        "doi": spec.doi,
        "licence": spec.licence,
        "sha256": spec.sha256,
        "rows_read": len(frame) + 3,
    }
    tables.write(root / f"data/{about.dataset}.parquet", frame, schema_of(frame, spec.columns), facts)
    rejects = pd.DataFrame(
        {
            "row": [200, 201, 202],
            "column": ["Formula", "Formula", target],
            "value": ["Qq<3>Pb", "MAXx3", "nan"],
            "reason": ["the formula does not parse", "the formula does not parse", "missing value"],
        }
    )
    tables.write(root / f"data/{about.dataset}.rejects.parquet", rejects, tables.REJECTS, facts)
    tables.write(root / f"features/{scale}.rejects.parquet", rejects.iloc[:0], tables.REJECTS)
    _write_features(root, config, scale, frame)
    counts = {"strict": (1, 5)}
    for name, split in ((name, entry.build()) for name, entry in about.splits.items()):
        counts[name] = (len(split.all_seeds), split.fold_count or len(ETL))
    folds = _folds(frame, counts, rng)
    tables.write(root / f"folds/{scale}.parquet", folds, tables.FOLDS)
    files = []
    for protocol in about.protocols:
        base = []
        for model in [name for name in NOISE[scale] if protocol in about.runs(name)]:
            rows = pd.concat(
                _predictions(scale, model, target, part, frame[target].to_numpy(), rng)
                for _, part in folds[folds["protocol"] == protocol].groupby("repeat")
            )
            if model in about.baselines:
                base.append(rows)
                continue
            files.append(root / f"predictions/{scale}/{protocol}/{model}.parquet")
            tables.write(files[-1], rows, tables.PREDICTIONS)
            if model == "recommended":
                _write_stack(root, config, scale, protocol)
            else:
                _write_model(root, config, scale, protocol, model, rng)
        if base:
            files.append(root / f"predictions/{scale}/{protocol}/baselines.parquet")
            tables.write(files[-1], pd.concat(base), tables.PREDICTIONS)
    # Its models are not trained, so that their cards do not say what they give back.
    evaluate_scale(
        Evaluation(scale, root / f"features/{scale}.parquet", files, compare=about.compare),
        {name: root / f"{name}/{scale}.parquet" for name in ("metrics", "comparisons", "calibration")},
    )
    _write_domain_errors(root, scale, target, spec.columns[target].unit)
    _write_interpretation(root, config, scale, frame, rng)


def _write_domain_errors(root: Path, scale: str, target: str, unit: str) -> None:
    """Errors that are three times as large outside of the domain, where half of the intervals hold."""
    values = {
        "inside": {"rows": 100, "materials": 40, "mae": 0.11, "coverage_68": 0.7, "coverage_95": 0.94},
        "outside": {"rows": 20, "materials": 9, "mae": 0.33, "coverage_68": 0.31, "coverage_95": 0.52},
    }
    keys = {"scale": scale, "protocol": "strict", "model": "recommended", "target": target, "repeat": 0}
    errors = pd.DataFrame(
        {**keys, "domain": verdict, "metric": metric, "value": float(value), "unit": unit * (metric == "mae")}
        for verdict, metrics in values.items()
        for metric, value in metrics.items()
    )
    tables.write(root / f"domains/{scale}.parquet", errors, DOMAIN_ERRORS)


def _write_features(root: Path, config: Study, scale: str, frame: pd.DataFrame) -> None:
    about = config.scales[scale]
    columns = config.datasets[about.dataset].columns
    features = frame[["row_id", "formula", "material"]].assign(group=frame["material"])
    schema = schema_of(features, {})
    for name, config_of_block in about.features.items():
        block = config_of_block.build()
        values = (
            frame[block.copied_columns]
            if block.copied_columns
            else pd.get_dummies(frame[block.category_columns], prefix_sep="=", dtype=float)
        )
        for column in values:
            features[column] = values[column]
            unit = columns[column].unit if column in columns else ""
            schema[column] = Column("float64", unit=unit, role="feature", block=name)
    for target in about.targets:
        features[target] = frame[target]
        spec = columns[target]
        schema[target] = Column(
            "float64",
            unit=spec.unit,
            role="target",
            description=spec.description,
            uncertainty=spec.uncertainty,
        )
    blocks = {name: [c for c, about in schema.items() if about.block == name] for name in about.features}
    facts = {"blocks": {name: {"kind": "continuous", "columns": given} for name, given in blocks.items()}}
    tables.write(root / f"features/{scale}.parquet", features, schema, facts)


def _write_model(
    root: Path, config: Study, scale: str, protocol: str, model: str, rng: np.random.Generator
) -> None:
    stem = root / f"models/{scale}/{protocol}/{model}"
    epoch = np.arange(0, 300, 3)
    parts = []
    for member in range(4):
        for split, floor in (("train", 0.1), ("validation", 0.2)):
            loss = floor + np.exp(-epoch / 60) * rng.uniform(0.8, 1.2) + 0.01 * rng.random(len(epoch))
            parts.append(
                pd.DataFrame(
                    {"member": member, "epoch": epoch, "split": split, "term": "total", "loss": loss}
                )
            )
    tables.write(stem.with_suffix(".history.parquet"), pd.concat(parts), tables.HISTORY)
    specification = config.scales[scale].models[model].specification
    about = config.scales[scale]
    widths = {name: block.build().copied_columns or list("abc") for name, block in about.features.items()}
    widths |= {parent: ["z0", "z1", "z2", "z3"] for parent in about.parents}
    card = {
        "scale": scale,
        "model": model,
        "protocol": protocol,
        "columns": widths,
        "specification": specification.as_dict(),
        "facts": {"torch": "2.13.0"},
    }
    seals.write_json(stem.with_suffix(".json"), card)
    weights = {"encoder.0.weight": np.zeros((12, 3, 32), np.float32), "scaler.gap.mean": np.zeros((12, 4))}
    save_file(weights, stem.with_suffix(".safetensors"), {seals.KEY: seals.BLANK})
    seals.seal(stem.with_suffix(".safetensors"))


def _write_stack(root: Path, config: Study, scale: str, protocol: str) -> None:
    recommended = config.scales[scale].recommended
    assert recommended is not None
    combinations = [
        {
            "target": config.scales[scale].targets[0],
            "repeat": 0,
            "fold": fold,
            "weights": dict(zip(recommended.stack, (0.4 + 0.01 * fold, 0.6 - 0.01 * fold), strict=True)),
            "inner_error": dict(zip([*recommended.stack, "stack"], (0.3, 0.25, 0.2), strict=True)),
        }
        for fold in range(-1, 5)
    ]
    content = {"protocol": protocol, "stack": recommended.stack, "combinations": combinations}
    file = root / f"predictions/{scale}/{protocol}/recommended.json"
    seals.write_json(file, content)


def _write_interpretation(
    root: Path, config: Study, scale: str, frame: pd.DataFrame, rng: np.random.Generator
) -> None:
    about = config.scales[scale]
    target = about.targets[0]
    latents = [f"z{i}" for i in range(about.models["nestmat"].specification.encoder.latents)]
    blocks = [block.build() for block in about.features.values()]
    inputs = [name for block in blocks for name in block.copied_columns]
    categories = [name for block in blocks for name in block.category_columns]
    inputs += [f"{name}={level}" for name in categories for level in sorted(frame[name].unique())]
    rows = []
    for place, latent in enumerate(latents):
        others = [("descriptor", v) for v in inputs] + [("target", target)]
        for group, other in [*others, *(("latent", v) for v in latents[place + 1 :])]:
            value = float(np.tanh(rng.normal()))
            strength = max(0.0, (abs(value) - 0.1) / 0.9)
            p = 0.001 if abs(value) > 0.3 else 0.4
            rows.append((latent, other, group, "pearson", value, strength, p, p, 0.9))
    folder = root / "interpretation"
    tables.write(
        folder / f"{scale}.correlations.parquet", pd.DataFrame(rows, columns=list(CORRELATIONS)), CORRELATIONS
    )
    unit = config.datasets[about.dataset].columns[target].unit
    functions = [(f"latent:{z}", "", inputs) for z in latents]
    functions += [(f"target:{target}", unit, inputs), (f"head:{target}", unit, latents)]
    shapley = pd.concat(
        pd.DataFrame(
            {
                "function": function,
                "input": names,
                "mean_abs": rng.exponential(0.3, len(names)),
                "std": 0.05,
                "method": "exact",
                "unit": unit_,
            }
        )
        for function, unit_, names in functions
    )
    tables.write(folder / f"{scale}.shapley.parquet", shapley, SHAPLEY)
    maps = pd.concat(
        pd.DataFrame(
            {
                "row_id": frame["row_id"],
                "method": method,
                "x": rng.normal(size=len(frame)),
                "y": frame[target] + rng.normal(size=len(frame)),
                "target": target,
                "value": frame[target],
                "unit": unit,
            }
        )
        for method in ("pca", "tsne")
    )
    tables.write(root / f"embeddings/{scale}.parquet", maps, EMBEDDING)
    if about.sweep:
        sweep = pd.DataFrame(
            [
                {
                    "latents": n,
                    "target": name,
                    "repeat": 0,
                    "fold": fold,
                    "metric": metric,
                    "value": 0.15 + 0.04 / n + 0.02 * rng.normal(),
                    "unit": given,
                }
                for name, metric, given in ((target, "mae", unit), ("descriptors", "loss", ""))
                for n in about.sweep.latents
                for fold in range(10)
            ]
        )
        tables.write(root / f"sweeps/{scale}.parquet", sweep, SWEEP)
