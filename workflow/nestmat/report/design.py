"""The chapter of a design problem: what is wanted, how the methods did, the candidates, and calculations."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nestmat import figures
from nestmat.data import published
from nestmat.design.metrics import ALL, MODEL, NEW, TRAINING, UNIFORM
from nestmat.design.spaces import design_space
from nestmat.labels import comparisons
from nestmat.labels.numbers import format_count, format_quantity, format_rate, format_spread, format_value
from nestmat.labels.problems import BASELINES, JUDGES, PATHS, DesignLabels, judge
from nestmat.labels.text import humanize_key, lower_first, prettify, with_unit
from nestmat.report import alloys
from nestmat.report.findings import alloys as findings_alloys
from nestmat.report.findings import design as findings
from nestmat.report.findings import interpolation as findings_ways
from nestmat.report.scale import Source, figure
from nestmat.report.tables import Table, rows_of, table

SECTIONS = {
    "methods": "Methods and judges",
    "shortlist": "Candidates to go on with",
    "paths": "From one material to another",
    "verification": "Against calculations",
}

LISTED = 30
"""Candidates of the shortlist that the report prints; the files have all."""


def design_chapter(source: Source, name: str) -> dict[str, Any]:
    """Everything that the report says of a design problem."""
    labels = DesignLabels.of(source.study, name)
    given, folder = labels.problem_config, f"search/{name}"
    count = design_space(given.space).n_materials
    metrics = source.table(f"{folder}/metrics.parquet") if given.methods else None
    shortlist = source.table(f"{folder}/shortlist.parquet") if given.shortlist else None
    drawn = [kind for subject, kind in figures.available(source.study) if subject == name]
    tables: dict[str, list[Table]] = {key: [] for key in SECTIONS}
    found: list[tuple[str, str]] = []
    verdict = ""
    if metrics is not None:
        runs = pd.concat([source.table(f"{folder}/{method}.runs.parquet") for method in given.methods])
        verdict = findings.use_samples(metrics, labels) or findings.verdict(metrics, runs, labels, count)
        found += [("Method", verdict), ("Promises", findings.promises(metrics, labels))]
        tables["methods"] = [
            _hits(metrics, labels),
            _enrichment(metrics, labels),
            _work(metrics, runs, labels),
            _places(metrics, labels),
        ]
        if given.space.elements is not None:
            found += findings_alloys.alloys(metrics, labels)
            tables["methods"][-1:] = alloys.tables(metrics, labels)
        if any(entry.model for entry in given.methods.values()):
            found.append(("Samples", findings.sampled(metrics, labels)))
            tables["methods"].insert(0, _samples(metrics, labels))
    if shortlist is not None:
        found.append(("Candidates", findings.first_of(shortlist, labels)))
        tables["shortlist"] = [_shortlist(shortlist, labels)]
    if given.interpolate:
        points = source.table(f"{folder}/interpolation.parquet")
        measures_of = source.table(f"{folder}/interpolation.measures.parquet")
        found.append(("Between", findings_ways.between(points, labels)))
        tables["paths"] = [_paths(points, measures_of, labels)]
    told, tables["verification"] = verification(source, labels)
    found += told
    if given.retrain:
        rounds = source.table(f"{folder}/rounds.parquet")
        found.append(("Learning", findings.learnt(rounds, labels)))
        tables["verification"].append(_second_round(rounds, labels))
    return {
        "key": name,
        "title": labels.title(),
        "question": given.question,
        "verdict": verdict,
        "found": [(title, text) for title, text in found if text],
        "targets": findings.wanted(labels),
        "bounds": findings.bounds(labels),
        "space": findings.space(labels, count),
        "validity": findings.validity(labels, metrics),
        "predicted_by": (labels.title(given.scale), labels.model(given.model)),
        "files": _files(labels) if shortlist is not None else [],
        "sections": [
            {
                "key": f"{name}-{key}",
                "title": title,
                "kind": key,
                "tables": tables[key],
                "figures": [figure(source, name, k) for k in drawn if figures.FIGURES[k].section == key],
            }
            for key, title in SECTIONS.items()
            if tables[key]
        ],
    }


def verification(source: Source, labels: DesignLabels) -> tuple[list[tuple[str, str]], list[Table]]:
    """What is found in calculations, and their tables; nothing where a problem names none."""
    verify, folder = labels.problem_config.verify, f"search/{labels.problem}"
    found, tables = [], []
    if verify is not None and verify.file is not None:
        calculated = source.table(f"{folder}/verified.parquet")
        found.append(("Verification", findings.verified(calculated, labels)))
        tables.append(_verification(calculated, labels))
    if verify is not None and verify.calibration:
        errors = source.table(f"{folder}/calibration.errors.parquet")
        found.append(("Calibration", findings.calibrated(errors)))
        tables += [_calibration(source.table(f"{folder}/calibration.parquet")), _calibration_errors(errors)]
    return found, tables


def _files(labels: DesignLabels) -> list[tuple[str, str]]:
    folder = f"search/{labels.problem}"
    found = [
        (f"{folder}/candidates.csv", "the list with all predictions, as CSV"),
        (f"{folder}/candidates.jsonl", "the same, a JSON object a line"),
    ]
    if labels.problem_config.space.sites is not None:
        found.append((f"{folder}/cif/", "idealised structures as CIF"))
    return found


def _judges(metrics: pd.DataFrame) -> list[str]:
    """Judges other than the model and all of them together."""
    return comparisons.ordered((j for j in metrics["judge"] if j not in (MODEL, ALL)), list(JUDGES))


def _hits(metrics: pd.DataFrame, labels: DesignLabels) -> Table:
    judges = [MODEL, *_judges(metrics)]
    judges += [ALL] * (len(judges) > 2)
    count = findings.numbers(metrics, "candidates")
    found = {name: findings.rates(metrics, name) for name in judges}
    fresh = findings.rates(metrics, ALL, "hit_new_in_domain")
    own = [
        labels.method(name)
        for name, entry in labels.problem_config.methods.items()
        if entry.predictor != "model"
    ]

    def cells(method: str) -> list[str]:
        each = [found[name][method] for name in judges] + [fresh[method]]
        return [format_count(count[method]), *(format_rate(one, unit="") for one in each)]

    heads = ["Distinct", *(prettify(judge(name)) for name in judges), "New and in the domain"]
    return table(
        "Share of distinct candidates that are hits (%)",
        "Method",
        heads,
        rows_of(labels.methods(metrics["method"]), labels, cells),
        "95 % Wilson intervals in brackets. The searched model's own rate is no evidence. The judges were "
        "trained on materials that the searched members left out"
        + ("; the last column is of all judges together" if ALL in judges else "")
        + f". New: at least {NEW} from every training material."
        + (f" The trees themselves were searched by {', '.join(own)}: no evidence." if own else ""),
    )


def _enrichment(metrics: pd.DataFrame, labels: DesignLabels) -> Table:
    found = findings.rates(metrics)
    plain = [
        name for name, entry in labels.problem_config.methods.items() if entry.kind in ("random", "ranking")
    ]
    against = [name for name in (UNIFORM, TRAINING, *plain) if name in found]

    def cells(method: str) -> list[str]:
        return ["" if o == method else findings.compared_with(found[method], found[o]) for o in against]

    methods = [name for name in labels.methods(metrics["method"]) if name not in BASELINES]
    return table(
        "How many times the hits by all judges of other lists",
        "Method",
        [labels.method(name) for name in against],
        rows_of(methods, labels, cells),
        "Where the other list has no hit, the upper end of its interval is taken.",
    )


def _work(metrics: pd.DataFrame, runs: pd.DataFrame, labels: DesignLabels) -> Table:
    judges = _judges(metrics)
    quantity = labels.problem_config.targets[0].quantity
    unit = labels.unit(quantity)
    evaluations, seconds = (runs.groupby("method")[name].sum() for name in ("evaluations", "seconds"))
    diversity = findings.numbers(metrics, "diversity")
    optimism = [findings.numbers(metrics, f"optimism:{quantity}", name) for name in judges]
    price = [findings.numbers(metrics, "seconds_per_thousand_hits", name) for name in judges]
    volume = {name: found for name in judges if (found := findings.numbers(metrics, "hypervolume", name))}

    def cells(method: str) -> list[str]:
        work = ["", ""]
        if method in seconds.index:
            work = [format_count(float(evaluations[method])), format_value(float(seconds[method]))]
        prices = [format_value(each[method]) if method in each else "" for each in price]
        gaps = [format_value(each[method], sign=True) for each in optimism]
        volumes = [format_value(each[method]) for each in volume.values()]
        return [*work, *prices, format_value(diversity[method]), *gaps, *volumes]

    heads = ["Predictions", "Search (s)"]
    heads += [f"1000 hits by {judge(name)} (s)" for name in judges]
    heads += ["Diversity", *(with_unit(f"Over {judge(name)}", unit) for name in judges)]
    heads += [f"Hypervolume by {judge(name)}" for name in volume]
    return table(
        "Price, diversity, and what the searched model promises too much",
        "Method",
        heads,
        rows_of(labels.methods(metrics["method"]), labels, cells),
        "Predictions and seconds are of all searches of a method, without loading the models. Diversity is "
        f"the mean distance of two candidates, 0 to 1. Over: {lower_first(labels.name(quantity))} by the "
        "searched model less that by the judge, on average."
        + (" Hypervolume: share of what can be had that the front dominates." if volume else ""),
    )


def _places(metrics: pd.DataFrame, labels: DesignLabels) -> Table:
    names = ["in_domain", *findings.windows_of(metrics)]
    unique = findings.numbers(metrics, "unique")
    found = {name: findings.rates(metrics, MODEL, name) for name in names}

    def cells(method: str) -> list[str]:
        return [
            f"{100 * unique[method]:.0f}",
            *(format_rate(found[name][method], unit="") for name in names),
        ]

    heads = ["Distinct of proposed", "In the domain"]
    heads += [prettify(humanize_key(name.removesuffix("_window"))) for name in names[1:]]
    return table(
        "Where the candidates lie (%)",
        "Method",
        heads,
        rows_of(labels.methods(metrics["method"]), labels, cells),
        "In the domain: no less dense in training materials than nineteen of twenty of these are."
        + (" The other columns: share inside the window of a perovskite." if names[1:] else ""),
    )


def _samples(metrics: pd.DataFrame, labels: DesignLabels) -> Table:
    target = labels.problem_config.targets[0]
    by = _judges(metrics)[0]
    inside, kept, hits = (
        findings.rates(metrics, judged_by, name)
        for judged_by, name in ((MODEL, "inside"), (MODEL, "kept"), (ALL, "yield"))
    )
    within = findings.rates(metrics, by)
    off = findings.over_seeds(metrics, f"error:{target.quantity}", by)
    apart = findings.over_seeds(metrics, "pair_distance")

    def cells(method: str) -> list[str]:
        shares = [f"{100 * each[method][0]:.2g}" if method in each else "" for each in (inside, kept)]
        judged = [format_spread(*off[method]), format_rate(within[method], unit="")]
        last = format_rate(hits[method], unit="") if method in hits else ""
        return [*shares, *judged, last, format_spread(*apart[method]) if method in apart else ""]

    scale, _, column = target.quantity.partition(".")
    elsewhere, citations = published.for_samples(labels.study, scale, column, target.value or 0.0)

    def told(row: dict[Any, Any], metric: str) -> str:
        if pd.isna(row.get(metric)):
            return ""
        return f"{100 * row[metric]:.2g}" if metric in ("inside", "yield") else format_value(row[metric])

    reported = [
        (
            "published",
            [
                f"{row['model']} (published)",
                *(told(row, "inside"), "", told(row, "error"), ""),
                *(told(row, "yield"), told(row, "pair_distance")),
            ],
        )
        for row in elsewhere.reset_index().to_dict("records")
    ]
    tolerance = format_quantity(target.tolerance, labels.unit(target.quantity))
    heads = [
        "Inside the space (%)",
        "Kept (%)",
        with_unit("Off", labels.unit(target.quantity)),
        f"Within {tolerance} (%)",
        "Yield (%)",
        "Distance of two",
    ]
    return table(
        f"What was asked for and what the {judge(by)} says",
        "Method",
        heads,
        [*rows_of(labels.methods(metrics["method"]), labels, cells), *reported],
        "Inside and kept: of the samples that were drawn. Off: mean distance of the judged value from the "
        "one asked for; yield: share of the samples that are kept and hits by all judges; distance of two "
        "candidates: mean Euclidean, where every interval is −1 to 1. ± one standard deviation over the "
        "seeds; in brackets 95 % Wilson intervals of all of them."
        + "".join(f" Published, by another judge on other splits: {citation}." for citation in citations),
    )


def _paths(points: pd.DataFrame, found: pd.DataFrame, labels: DesignLabels) -> Table:
    """A row a way: how straight it is, what it needs, and the least that is said on it."""
    number = found[found["quantity"] == ""].set_index(["path", "measure"])["value"]
    worst = findings_ways.worst(points, labels)

    def cells(path: str) -> list[str]:
        return [
            *(f"{50 * number[path, name]:.0f}" for name in ("largest_step", "end_error")),
            f"{100 * number[path, 'allowed']:.0f}",
            *(format_value(worst[path, name]) for name in findings_ways.sayings(points, labels)),
        ]

    given, quantity = labels.problem_config.interpolate, labels.problem_config.targets[0].quantity
    assert given is not None
    heads = ["Largest step (at%)", "Ends off (at%)", "In the space (%)"]
    heads += [prettify(judge(name)) for name in findings_ways.sayings(points, labels)]
    return table(
        f"Ways from {' to '.join(given.between)}",
        "Way",
        heads,
        [("", [PATHS[path], *cells(path)]) for path in PATHS if path in set(points["path"])],
        f"Last columns: the {findings_ways.least(labels)} {lower_first(labels.name(quantity))} along the "
        "way. Ends off: how far what is decoded at the ends is from the two materials, in shares of the "
        "atoms of a site, as the largest step. In the space: share of the materials on the way that keep its "
        "rules, which mixing need not.",
    )


def _shortlist(rows: pd.DataFrame, labels: DesignLabels) -> Table:
    given = labels.problem_config
    free = [name for name, part in given.space.variables.items() if part.value is None]
    levels = {name: part.levels for name, part in given.space.variables.items() if part.levels}
    limits = [name for name, quantity in given.quantities.items() if quantity.detailed_balance]
    quantities = [*findings.asked(labels), *(name for name in limits if name not in findings.asked(labels))]
    heads = [
        ("", "n"),
        ("Formula", ""),
        *((labels.axis(name), "" if name in levels else "n") for name in [*free, *quantities]),
    ]
    shown = rows.head(LISTED)
    lines = [
        (
            "",
            [
                str(row["rank"]),
                row["formula"],
                *(_choice(row, name, levels.get(name)) for name in free),
                *(findings.predicted(row, quantity) for quantity in quantities),
                format_value(row["novelty"]),
                row["flags"],
            ],
        )
        for row in shown.to_dict("records")
    ]
    return {
        "caption": f"The {len(shown)} best candidates of {labels.method(rows['method'].iloc[0])}",
        "head": [*heads, ("Distance to the training data", "n"), ("Warnings", "words")],
        "rows": lines,
        "note": (
            "Predicted by the members that were trained on every material; ± one predicted standard "
            "deviation. A place near the top is a prediction, not a finding."
        ),
    }


def _choice(row: dict[Any, Any], name: str, levels: list[str] | None) -> str:
    """Value of a variable, or the level that was chosen."""
    if levels is None:
        return format_value(row[name])
    return next(level for level in levels if row[f"{name}={level}"] == 1)


def _second_round(rounds: pd.DataFrame, labels: DesignLabels) -> Table:
    rows = [
        ("", [with_unit(labels.name(quantity), unit), str(count), format_value(before), format_value(after)])
        for quantity, unit, before, after, count in findings.second_round(rounds, labels)
    ]
    return table(
        "Learning from the calculated candidates",
        "Mean absolute error",
        ["Rows", "First round", "Second round"],
        rows,
        "The first round saw no calculated candidate, the second the other half of them.",
    )


def _verification(rows: pd.DataFrame, labels: DesignLabels) -> Table:
    aimed = bool(rows["wanted"].notna().any())

    def cells(row: dict[Any, Any]) -> list[str]:
        told = [format_value(row["wanted"])] if aimed else []
        told += [format_spread(row["mean"], row["std"]), format_value(row["calculated"])]
        return [*told, format_value(row["mean"] - row["calculated"], sign=True)]

    lines = []
    for quantity, part in rows.groupby("quantity", sort=False):
        name = labels.axis(str(quantity), characters=200)
        for row in part.to_dict("records"):
            mark = " (trained on)" if row["trained_on"] else ""
            lines.append(("published" if mark else "", [f"{row['formula']}{mark}", name, *cells(row)]))
        error, inside, count = comparisons.against(part)
        within = f"{inside} of {count} within 2 σ"
        gap = [""] if aimed else []
        lines.append(("recommended", ["Mean absolute error", name, *gap, within, "", format_value(error)]))
    heads = [("Formula", ""), ("Quantity", ""), *([("Wanted", "n")] if aimed else [])]
    heads += [("Predicted", "n"), ("DFT", "n"), ("Error", "n")]
    verify = labels.problem_config.verify
    note = ""
    if aimed:
        far = (rows["calculated"] - rows["wanted"]).abs().mean()
        note = f"Calculated values are {format_value(far)} from what is wanted on average."
    if verify is not None and verify.offset:
        note = f"{note} {format_value(verify.offset, sign=True)} eV is added to every calculated gap.".strip()
    return {"caption": "Predictions and calculations", "head": heads, "rows": lines, "note": note}


def _calibration(rows: pd.DataFrame) -> Table:
    """A row a calculated row of the data set, a column a height."""
    heights = sorted(rows.loc[~rows["relaxed"], "height"].unique())
    relaxed = bool(rows["relaxed"].any())
    lines = []
    for number, part in rows.groupby("row"):
        gaps = part[~part["relaxed"]].set_index("height")["calculated"].reindex(heights)
        cells = [format_value(part["published"].iloc[0]), *(format_value(gap) for gap in gaps)]
        free = part.loc[part["relaxed"], "calculated"]
        cells += [format_value(free.iloc[0]) if len(free) else "–"] * relaxed
        lines.append(("", [str(number), part["half"].iloc[0], *cells]))
    heads = [("Row", ""), ("Half", ""), ("Published", "n"), *((f"{height:g} c", "n") for height in heights)]
    return {
        "caption": "Rows of the data set, calculated again: gaps in eV",
        "head": [*heads, *([("Relaxed", "n")] if relaxed else [])],
        "rows": lines,
        "note": (
            "With X at fixed heights above and below M in units of c, and with relaxed positions; rows of "
            "the data set are counted from 0."
        ),
    }


def _calibration_errors(errors: pd.DataFrame) -> Table:
    lines = []
    for row in errors.to_dict("records"):
        height = "" if pd.isna(row["height"]) else f"{row['height']:.4f}"
        told = [format_value(row["offset"], sign=True), row["half"], str(row["rows"])]
        numbers = [
            format_value(row["mae"]),
            format_value(row["bias"], sign=True),
            format_value(row["largest"]),
        ]
        mark = "recommended" if row["offset"] and row["half"] == "tested" else ""
        lines.append((mark, [row["variant"].capitalize(), height, *told, *numbers]))
    heads = ["Height, c", "Offset, eV", "Half", "Rows", "MAE, eV", "Bias, eV", "Largest, eV"]
    return table("Errors of the calculations on these rows", "Positions", heads, lines)
