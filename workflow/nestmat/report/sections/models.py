"""Model cards: the recommended predictor, every autoencoder as it was trained, and the baselines."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nestmat import seals
from nestmat.config.study import Study
from nestmat.models.keys import RECOMMENDED, ModelKey, predicted_quantities
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    from nestmat.labels.scales import Labels
    from nestmat.report.source import Source


@SECTIONS.register("models")
class ModelCards(Section):
    """Cards of the models of every scale."""

    part, title, collected, appendix = "scales", "Model cards", True, True

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Cards and weights of every model, and weights of the stack."""
        scale = study.scales[name]
        keys = [ModelKey(name, protocol, model) for model in scale.models for protocol in scale.runs(model)]
        stacks = [
            f"predictions/{ModelKey(name, protocol, RECOMMENDED)}.json"
            for protocol in (scale.runs(RECOMMENDED) if scale.recommended else [])
        ]
        weights = [f"models/{key}.{ending}" for key in keys for ending in ("json", "safetensors")]
        metrics = [f"metrics/{name}.parquet"] if stacks else []
        return [f"features/{name}.parquet", *weights, *stacks, *metrics]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Every model of the scale."""
        labels = source.labels(name)
        config = labels.config
        return {
            "title": labels.title(),
            "targets": config.targets,
            "models": [model_card(source, labels, model) for model in config.models],
            "baselines": [
                {"label": labels.model(key), "config": entry} for key, entry in config.baselines.items()
            ],
            "stack": stack_weights(source, labels),
            "equal_weights": config.recommended is not None and config.recommended.weights == "equal",
        }


def model_card(source: Source, labels: Labels, model: str) -> dict[str, Any]:
    """What a model is, how large, and how it was trained, in each of its protocols.

    Args:
        source: The study and its results.
        labels: Names of the scale.
        model: Name of the model.
    """
    from nestmat.models.specification import specification_from

    runs, cards, parameters = [], [], 0
    for protocol in labels.config.runs(model):
        stem = f"models/{ModelKey(labels.scale, protocol, model)}"
        cards.append(seals.read_json(source.path(f"{stem}.json")))
        members, parameters = network_size(source.path(f"{stem}.safetensors"))
        runs.append({"protocol": labels.protocol(protocol), "members": members})
    specification, columns = cards[0]["specification"], cards[0]["columns"]
    widths = {block: len(names) for block, names in columns.items()}
    network = specification_from(specification)
    return {
        "label": labels.model(model),
        "specification": specification,
        "widths": widths,
        "kind": network.kind,
        "summary": network.summary,
        "encoder_inputs": network.encoder_width(widths),
        "latent_layer": network.latent_layer,
        "parameters": parameters,
        "runs": runs,
    }


def network_size(weights: Path) -> tuple[int, int]:
    """Members, and parameters of one member, from the header of a file of weights."""
    import safetensors

    seals.verify(weights)
    with safetensors.safe_open(weights, framework="numpy") as file:
        names = [name for name in file.keys() if not name.startswith("scaler.")]  # noqa: SIM118
        shapes = [file.get_slice(name).get_shape() for name in names]
    return shapes[0][0], sum(prod(shape[1:]) for shape in shapes)


def stack_weights(source: Source, labels: Labels) -> list[dict[str, Any]]:
    """Mean weights of the recommended predictor over the folds of each protocol, and errors of its members.

    Args:
        source: The study and its results.
        labels: Names of the scale.
    """
    import pandas as pd

    recommended = labels.config.recommended
    if recommended is None:
        return []
    rows = []
    for protocol in labels.config.runs(RECOMMENDED):
        file = source.path(f"predictions/{ModelKey(labels.scale, protocol, RECOMMENDED)}.json")
        combinations = seals.read_json(file)["combinations"]
        for target in labels.config.targets:
            # All probabilities of a target have the same weights.
            quantity = predicted_quantities(target, labels.classes(target))[0]
            of_target = [c for c in combinations if c["target"] == quantity and c["fold"] >= 0]
            weights, inner_errors = (
                pd.DataFrame([combination[key] for combination in of_target])
                for key in ("weights", "inner_error")
            )
            rows.append(
                {
                    "protocol": labels.protocol(protocol),
                    "target": labels.name(target),
                    "folds": len(of_target),
                    "weights": [
                        {
                            "label": labels.model(model),
                            "mean": weights[model].mean(),
                            "std": weights[model].std(ddof=0),
                        }
                        for model in recommended.stack
                    ],
                    "errors": [
                        {
                            "label": labels.model(RECOMMENDED if model == "stack" else model),
                            "inner": inner_errors[model].mean(),
                            "outer": validation_error(source, labels, protocol, target, model),
                        }
                        for model in map(str, inner_errors)
                    ],
                }
            )
    return rows


def validation_error(source: Source, labels: Labels, protocol: str, target: str, member: str) -> float:
    """Error of a member of a stack, or of the ``stack``, on validation rows: of a class the log loss."""
    summary = source.summary(labels.scale)
    model = RECOMMENDED if member == "stack" else member
    rows = summary[
        (summary["protocol"] == protocol)
        & (summary["model"] == model)
        & (summary["target"] == target)
        & (summary["split"] == "validation")
        & summary["metric"].isin(["mae", "log_loss"])
    ]
    return float(rows["mean"].iloc[0])
