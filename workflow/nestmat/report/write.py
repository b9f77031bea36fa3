"""The report of a study: one self-contained HTML file made from its tables and figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nestmat import figures
from nestmat.config.study import Study
from nestmat.files import write_text
from nestmat.labels.text import lower_first
from nestmat.models.keys import RECOMMENDED, ModelKey

if TYPE_CHECKING:
    import pandas as pd


def needs(study: Study) -> dict[str, list[str]]:
    """Files that the report is made from, by name, relative to the study's results."""
    trained = [
        f"models/{ModelKey(name, protocol, model)}"
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
        "strata": [f"strata/{name}.parquet" for name, scale in study.scales.items() if scale.strata],
        "sweeps": [f"sweeps/{name}.parquet" for name, scale in study.scales.items() if scale.sweep],
        "truths": [f"truth/{name}.parquet" for name, scale in study.scales.items() if scale.device_physics],
        "pools": [f"pool/{name}.parquet" for name, scale in study.scales.items() if scale.pool],
        "stacks": [
            f"predictions/{ModelKey(name, protocol, RECOMMENDED)}.json"
            for name, scale in study.scales.items()
            if scale.recommended
            for protocol in scale.runs(RECOMMENDED)
        ],
        "cards": [f"{stem}.json" for stem in trained],
        "weights": [f"{stem}.safetensors" for stem in trained],
        "designs": [path for name in study.search for path in _needs_of_problem(study, name)],
        "figures": [f"figures/{subject}/{kind}.svg" for subject, kind in figures.available(study)],
    }


def _needs_of_problem(study: Study, name: str) -> list[str]:
    given, folder = study.search[name], f"search/{name}"
    found = [f"{folder}/{method}.runs.parquet" for method in given.methods]
    found += [f"{folder}/metrics.parquet"] if given.methods else []
    if given.shortlist:
        found += [f"{folder}/{file}" for file in ("shortlist.parquet", "candidates.csv", "candidates.jsonl")]
    if given.interpolate:
        found += [f"{folder}/interpolation.parquet", f"{folder}/interpolation.measures.parquet"]
    found += [f"{folder}/verified.parquet"] * bool(given.verify and given.verify.file)
    if given.verify and given.verify.calibration:
        found += [f"{folder}/calibration.parquet", f"{folder}/calibration.errors.parquet"]
    return found + [f"{folder}/rounds.parquet"] * bool(given.retrain)


def write_report(
    study: Study,
    results: str | Path,
    output: str | Path,
    *,
    command: str,
    published: Mapping[str, pd.DataFrame] | None = None,
) -> None:
    """Write the report, whole or not at all.

    Args:
        study: The study.
        results: Folder of its results.
        output: HTML file to write.
        command: Command line that makes the results again.
        published: Published numbers by scale, instead of those that the study names.

    Raises:
        InputError: A table or figure of the study is missing, or rows of a data set are unaccounted for.
    """
    # The rules ask `needs` while they are read: what writes the report is loaded only here.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from nestmat.report import design
    from nestmat.report import scale as chapters

    source = chapters.Source(study, Path(results), published)
    environment = Environment(
        loader=PackageLoader("nestmat.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["lower_first"] = lower_first
    html = environment.get_template("report.html").render(
        study=study,
        data=[chapters.data_card(source, name) for name in study.datasets],
        scales=[chapters.scale_chapter(source, name) for name in study.scales],
        problems=[design.design_chapter(source, name) for name in study.search],
        versions=chapters.versions(source),
        command=command,
    )
    write_text(output, html)
