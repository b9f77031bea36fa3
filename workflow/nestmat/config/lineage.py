"""Which scales a scale reads, and the models and protocols that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nestmat.config.scales import Scale
from nestmat.errors import InputError
from nestmat.models.keys import ModelKey


def ancestors(scales: Mapping[str, Scale], scale: str) -> set[str]:
    """Scales whose latents a scale reads, directly or through others.

    Args:
        scales: Scales of the study by name, finer before coarser.
        scale: Name of a scale.
    """
    parents = scales[scale].parents
    return set(parents).union(*(ancestors(scales, parent) for parent in parents))


def lineage(scales: Mapping[str, Scale], scale: str) -> list[str]:
    """A scale and its ancestors, in the order of the study: parents first."""
    return [name for name in scales if name == scale or name in ancestors(scales, scale)]


def readers(scales: Mapping[str, Scale], parent: str, child: str) -> list[str]:
    """Scales on the way from a parent to a child that read the parent's latents; the child may be one."""
    return [name for name in lineage(scales, child) if parent in scales[name].parents]


def takes_prediction(scales: Mapping[str, Scale], parent: str, child: str) -> bool:
    """Whether a parent's predictions accompany its latents where they are made for the rows of a child.

    The scales that read the parent decide that: the child, or a scale on the way to it.
    """
    return any(scales[reader].pass_prediction for reader in readers(scales, parent, child))


def parent_model(scales: Mapping[str, Scale], scale: str, model: str) -> str:
    """Name of the parents' model that a model of a scale reads."""
    return scales[scale].models[model].specification.parent_model or model


def joint_parents(scales: Mapping[str, Scale], scale: str, model: str) -> dict[str, dict[str, Any]]:
    """Specifications of the parents that a model of a scale is trained together with, by scale."""
    specification = scales[scale].models[model].specification
    parents = [name for name in scales[scale].parents if specification.joint and name in specification.inputs]
    key = parent_model(scales, scale, model)
    return {name: scales[name].models[key].specification.as_dict() for name in parents}


def parent_protocol(scales: Mapping[str, Scale], parent: str, protocol: str) -> str:
    """Protocol of the parent's members that a child reads in ``protocol``.

    A parent without the protocol passes on its members trained on every row, which the strict run holds.
    """
    return protocol if protocol in scales[parent].protocols else "strict"


def chain(scales: Mapping[str, Scale], scale: str, model: str, protocol: str) -> dict[str, ModelKey]:
    """The models that a prediction needs, by scale, parents first.

    Parents that were trained jointly with a child are in the child's own files.

    Raises:
        InputError: A scale is read along two paths, by different models.
    """
    keys: dict[str, ModelKey] = {}

    def add(scale_name: str, model_name: str, protocol_name: str) -> None:
        specification = scales[scale_name].models[model_name].specification
        for parent in scales[scale_name].parents:
            if parent in specification.inputs and not specification.joint:
                add(
                    parent,
                    parent_model(scales, scale_name, model_name),
                    parent_protocol(scales, parent, protocol_name),
                )
        key = ModelKey(scale_name, protocol_name, model_name)
        if keys.setdefault(scale_name, key) != key:
            raise InputError(
                f"{scale} reads {scale_name} along two paths, by different models: {keys[scale_name]} and "
                f"{key}.",
                remedy="let both paths read the same model of that scale.",
            )

    add(scale, model, protocol)
    return keys


def serves_stack(scales: Mapping[str, Scale], scale: str, model: str, protocol: str) -> bool:
    """Whether a model serves a stack whose weights are learned in a protocol.

    It does as a member of the stack of its own scale, and where models of coarser scales that serve one read
    its latents: their members of a pair of folds read parents that left out both folds.
    """
    if model in scales[scale].stacked_in(protocol):
        return True
    for child, config in scales.items():
        for name, entry in config.models.items() if scale in config.parents else ():
            reads = scale in entry.specification.inputs and not entry.specification.joint
            reads &= parent_model(scales, child, name) == model and protocol in config.runs(name)
            if reads and serves_stack(scales, child, name, protocol):
                return True
    return False


def recommends(scales: Mapping[str, Scale], scale: str, protocol: str | None = None) -> bool:
    """Whether a scale and its ancestors recommend a predictor wherever they have targets.

    Args:
        scales: Scales of the study by name.
        scale: Name of the scale.
        protocol: Protocol of members that left out the first fold; by default the predictor in use is meant.
    """
    predicting = [scales[name] for name in lineage(scales, scale) if scales[name].targets]
    if protocol is None:
        return all(config.recommended for config in predicting)
    return all(config.recommends_half(protocol) for config in predicting)


def predictor_files(scales: Mapping[str, Scale], scale: str, protocol: str | None = None) -> list[str]:
    """Files below the results that the recommended predictors of a scale and its ancestors are read from.

    The features of the scales come first.

    Args:
        scales: Scales of the study by name.
        scale: Name of the scale.
        protocol: Protocol of the members; by default that of the predictor in use of each scale.
    """
    names = lineage(scales, scale)
    files = [f"features/{name}.parquet" for name in names]
    for name in (name for name in names if scales[name].targets):
        config, of_scale = scales[name], protocol or scales[name].predictor_protocol
        if config.recommended:
            stack = f"predictions/{name}/{of_scale}/recommended"
            files += [f"{stack}.json", f"{stack}.domain.parquet"]
        files += [f"models/{name}/{of_scale}/baselines.zip"] * bool(config.kept_baselines(of_scale))
        for model in (member for member in config.predictor if member in config.models):
            keys = chain(scales, name, model, of_scale).values()
            files += [f"models/{key}.{ending}" for key in keys for ending in ("safetensors", "json")]
    return list(dict.fromkeys(files))


def trained_on_labels(scales: Mapping[str, Scale], scale: str, representation: str) -> bool:
    """Whether a model that describes the rows of a pool was trained on the labels that are sought there.

    Args:
        scales: Scales of the study by name.
        scale: Scale with a search in its pool.
        representation: Name of one of its representations.
    """
    pool = scales[scale].pool
    latents = pool.representations[representation].latents if pool else None
    if pool is None or latents is None:
        return False
    heads = {
        (scales[key.scale].dataset, head)
        for key in chain(scales, latents.scale, latents.model, latents.protocol).values()
        for head in scales[key.scale].models[key.model].specification.heads
    }
    return (scales[scale].dataset, pool.target) in heads


def prediction_readers(scales: Mapping[str, Scale], parent: str, protocol: str) -> list[str]:
    """Scales with a baseline that reads the predictions of a parent in a protocol."""
    return [
        child
        for child, config in scales.items()
        if any(
            parent in config.parents_read(name) and protocol in config.runs(name) for name in config.baselines
        )
    ]
