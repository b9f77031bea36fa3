"""Interpretation of one trained scale: from weights and tables to associations, attributions and maps."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.interpretation.association import (
    METHODS,
    adjusted,
    false_discovery_rates,
    mean_correlation,
    permutation_p_values,
)
from nestmat.interpretation.attribution import (
    MAX_PLAYERS,
    Function,
    permutation_importance,
    sampled_shapley_values,
    shapley_values,
)
from nestmat.interpretation.embedding import pca_map, umap_map
from nestmat.interpretation.members import Explained, MemberNetwork, latents_by_member, players
from nestmat.tables import Column
from nestmat.training.scale_data import ScaleData
from nestmat.training.scaling import needed_blocks

log = logging.getLogger(__name__)

# Evaluations of the network that the Shapley values of a scale may take, some 15 s on one core: fewer rows
# are explained where all would take more.
EVALUATIONS = 40_000_000
# Draws of a background row for each row, in permutation importance.
REPEATS = 20
# Random orders of the inputs, and rows of a fold, where Shapley values are sampled.
ORDERS = 50
SAMPLED_ROWS = 400

CORRELATIONS: tables.Schema = {
    "latent": Column("string", role="key", description="latent of the reference member"),
    "other": Column("string", role="key", description="descriptor, target or other latent"),
    "kind": Column("string", description="descriptor, target or latent"),
    "method": Column("string", description="pearson, spearman or distance"),
    "value": Column("float64", description="correlation on rows left out of training, mean over the seeds"),
    "adjusted": Column("float64", description="|value| above the standard error 1/sqrt(n-3), scaled to 0..1"),
    "p": Column("float64", description="permutation test"),
    "q": Column("float64", description="false-discovery rate over all pairs of the kind and method"),
    "stability": Column(
        "float64", description="mean |r| of the latent with its matches in the other members"
    ),
}
SHAPLEY: tables.Schema = {
    "function": Column("string", role="key", description="target:<name>, latent:<name> or head:<target>"),
    "input": Column("string", role="key", description="input or group of inputs; of a head, a latent"),
    "mean_abs": Column("float64", description="mean absolute attribution over the rows explained"),
    "std": Column("float64", description="standard deviation over the members"),
    "method": Column("string", description="exact (Shapley values) or permutation (mean absolute change)"),
    "unit": Column("string", description="unit of the function, of mean_abs and of std"),
}
ATTRIBUTIONS: tables.Schema = {
    "target": Column("string", role="key", description="a target that is a class"),
    "row_id": Column("int64", role="key"),
    "input": Column("string", role="key", description="input or group of inputs"),
    "value": Column(
        "float64", description="Shapley value of the probability of class 1, mean over the seeds"
    ),
    "level": Column(
        "float64", description="share of the rows that have less of this input; NaN of several columns"
    ),
}
EMBEDDING: tables.Schema = {
    "row_id": Column("int64", role="key"),
    "method": Column("string", role="key", description="pca or umap"),
    "x": Column("float64"),
    "y": Column("float64"),
    "target": Column("string", role="key", description="empty for a scale without targets"),
    "value": Column("float64", description="measured value of the target"),
    "unit": Column("string", description="unit of the target"),
}


def _association_sets(explained: Explained) -> Iterator[tuple[np.ndarray, list[str], list[str]]]:
    """What latents are compared with: values (1 or seeds, rows, columns), names and kinds of the columns."""
    data = explained.data
    used = needed_blocks(explained.trained.specification, data.columns)
    descriptors = {
        label: data.x[name][:, i]
        for name in used
        if name not in data.parents
        for i, label in enumerate(data.columns[name])
    }
    shared = {**descriptors, **data.y}
    kinds = ["descriptor"] * len(descriptors) + ["target"] * len(data.y)
    if shared:
        yield np.stack(list(shared.values()), axis=1)[None, explained.covered], list(shared), kinds
    for name, (columns, alignment) in explained.parents.items():
        values = alignment.apply(data.block(name, *explained.keys)[..., columns])
        labels = [explained.labels(name)[i] for i in columns]
        yield explained.left_out(values), labels, ["descriptor"] * len(columns)


def correlation_table(explained: Explained, permutations: int, seed: int) -> pd.DataFrame:
    """Association of the latents with descriptors, targets and each other, `CORRELATIONS`.

    Each row is encoded by the members that did not train on it, so that no correlation with a target comes
    from having seen it.

    Args:
        explained: Members and rows.
        permutations: Permutations for each p-value.
        seed: Their seed.
    """
    latents = explained.left_out(explained.alignment.apply(explained.latents))
    names = explained.latent_names
    parts = []
    for others, labels, kinds in [
        *_association_sets(explained),
        (latents, names, ["latent"] * len(names)),
    ]:
        # Of two latents, one order says it all.
        once = np.triu(np.ones((len(names), len(labels)), dtype=bool), 1) | (np.array(kinds) != "latent")
        i, j = np.nonzero(once)
        for method in METHODS:
            value = mean_correlation(latents, others, method)
            p = permutation_p_values(latents, others, method, permutations, seed)
            parts.append(
                pd.DataFrame(
                    {
                        "latent": np.array(names)[i],
                        "other": np.array(labels)[j],
                        "kind": np.array(kinds)[j],
                        "method": method,
                        "value": value[i, j],
                        "adjusted": adjusted(value, latents.shape[1])[i, j],
                        "p": p[i, j],
                        "stability": explained.alignment.stability[i],
                    }
                )
            )
    frame = pd.concat(parts, ignore_index=True)
    frame["q"] = frame.groupby(["kind", "method"])["p"].transform(
        lambda family: false_discovery_rates(family.to_numpy())
    )
    return frame


def _drawn_rows(
    train: np.ndarray, players: int, members: int, background: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a fold to explain, and training rows that stand for a missing input.

    Args:
        train: Training rows of the fold, (n,).
        players: Number of inputs or groups.
        members: Members of the fold.
        background: Background rows wanted.
        seed: Seed of both draws.
    """
    rng = np.random.default_rng(seed)
    inside, outside = np.flatnonzero(train), np.flatnonzero(~train)
    base = rng.choice(inside, min(background, len(inside)), replace=False)
    count = len(outside)
    if players <= MAX_PLAYERS:
        # Rows that all folds may explain together; each fold gives its share.
        most = EVALUATIONS // (2**players * len(base) * members)
        count = min(count, max(2, most * count // len(train)))
    return np.sort(rng.choice(outside, count, replace=False)), np.sort(base)


def _attributions(
    explained: Explained,
    values: np.ndarray,
    groups: Mapping[str, list[int]],
    order: np.ndarray,
    function: Callable[[MemberNetwork], Function],
    background: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute attributions of every member, and of the mean over the seeds.

    Args:
        explained: Members and rows.
        values: Inputs of the function for each member, (m, n, width).
        groups: Players, as columns of the reference member.
        order: Those columns in each member, (m, width).
        function: What is explained of a member.
        background: Background rows a fold.
        seed: Seed of the draws.

    Returns:
        (m, players, outputs), and (players, outputs).
    """
    own, together = [], []
    folds = explained.members["fold"].to_numpy()
    for fold in np.unique(folds).tolist():
        members = np.flatnonzero(folds == fold)
        rows, base = _drawn_rows(
            explained.train[members[0]], len(groups), len(members), background, seed + fold
        )
        signed = []
        for m in members.tolist():
            explain = function(explained.network(m))
            mine = {name: order[m, columns].tolist() for name, columns in groups.items()}
            if len(groups) <= MAX_PLAYERS:
                found = shapley_values(explain, values[m, rows], values[m, base], mine)
            else:
                # A mean over the rows stands for all of them; it is positive already.
                found = permutation_importance(
                    explain, values[m, rows], values[m, base], mine, repeats=REPEATS, seed=seed + fold
                )[0][None]
            signed.append(found)
            own.append(np.abs(found).mean(axis=0))
        together.append(np.abs(np.mean(signed, axis=0)))
    log.info("%d inputs explained at %d rows", len(groups), sum(len(part) for part in together))
    return np.stack(own), np.concatenate(together).mean(axis=0)


def shapley_table(
    explained: Explained, groups: Mapping[str, Sequence[str]], background: int, seed: int
) -> pd.DataFrame:
    """What inputs contribute to targets and latents, and latents to targets, `SHAPLEY`.

    Rows left out of a fold are explained, with background rows that trained in it. Targets are means over
    the seeds of the fold; latents and heads are of single members, averaged after the absolute value.

    Args:
        explained: Members and rows.
        groups: Named groups of input columns or of whole blocks.
        background: Background rows a fold.
        seed: Seed of all draws.
    """
    units = [explained.trained.units[name] for name in explained.targets]
    latents, inputs = explained.latent_names, explained.trained.specification.inputs
    whole = players({name: explained.labels(name) for name in inputs}, explained.data.kinds, groups)
    members, ensemble = _attributions(
        explained, explained.inputs(), whole, explained.input_order(), lambda n: n.forward, background, seed
    )
    mean = np.concatenate([members.mean(axis=0)[:, : len(latents)], ensemble[:, len(latents) :]], axis=1)
    functions = [f"latent:{z}" for z in latents] + [f"target:{name}" for name in explained.targets]
    parts = [_shapley_frame(functions, [""] * len(latents) + units, list(whole), mean, members)]
    if explained.targets:
        single = {name: [i] for i, name in enumerate(latents)}
        members, _ = _attributions(
            explained,
            explained.latents.astype(np.float32),
            single,
            explained.alignment.order,
            lambda n: n.head,
            background,
            seed,
        )
        functions = [f"head:{name}" for name in explained.targets]
        parts.append(_shapley_frame(functions, units, latents, members.mean(axis=0), members))
    return pd.concat(parts, ignore_index=True)


def attribution_table(
    explained: Explained, groups: Mapping[str, Sequence[str]], background: int, seed: int
) -> pd.DataFrame:
    """Shapley values of the probabilities of classes at single rows left out of a fold, `ATTRIBUTIONS`.

    Args:
        explained: Members and rows.
        groups: Named groups of input columns or of whole blocks.
        background: Background rows a fold.
        seed: Seed of all draws.
    """
    targets = [name for name in explained.targets if name in explained.data.classes]
    empty = pd.DataFrame(columns=list(ATTRIBUTIONS))
    if not targets:
        return empty
    inputs, order = explained.inputs(), explained.input_order()
    names = explained.trained.specification.inputs
    whole = players({name: explained.labels(name) for name in names}, explained.data.kinds, groups)
    outputs = [len(explained.latent_names) + explained.targets.index(name) for name in targets]
    parts, folds = [], explained.members["fold"].to_numpy()
    for fold in np.unique(folds).tolist():
        members = np.flatnonzero(folds == fold)
        rows, base = _drawn_rows(
            explained.train[members[0]], len(whole), len(members), background, seed + fold
        )
        rows = np.sort(np.random.default_rng(seed + fold).permutation(rows)[:SAMPLED_ROWS])
        found = []
        for m in members.tolist():
            mine = {name: order[m, columns].tolist() for name, columns in whole.items()}
            given = explained.network(m).forward, inputs[m, rows], inputs[m, base], mine
            if len(whole) <= MAX_PLAYERS:
                found.append(shapley_values(*given)[..., outputs])
            else:
                found.append(sampled_shapley_values(*given, orders=ORDERS, seed=seed + fold)[..., outputs])
        mean, first = np.mean(found, axis=0), members[0]
        for p, (name, columns) in enumerate(whole.items()):
            level = np.full(len(rows), np.nan)
            if len(columns) == 1:
                every = np.sort(inputs[first, :, order[first, columns[0]]])
                level = np.searchsorted(every, inputs[first, rows, order[first, columns[0]]]) / len(every)
            for t, target in enumerate(targets):
                about = {"target": target, "input": name, "level": level, "value": mean[:, p, t]}
                parts.append(pd.DataFrame({"row_id": explained.data.row_id[rows], **about}))
    return pd.concat(parts, ignore_index=True)[list(ATTRIBUTIONS)]


def _shapley_frame(
    functions: list[str], units: list[str], inputs: list[str], mean: np.ndarray, members: np.ndarray
) -> pd.DataFrame:
    spread = members.std(axis=0, ddof=1) if len(members) > 1 else np.full_like(mean, np.nan)
    return pd.DataFrame(
        {
            "function": np.repeat(functions, len(inputs)),
            "input": np.tile(inputs, len(functions)),
            "mean_abs": mean.T.ravel(),
            "std": spread.T.ravel(),
            "method": "exact" if len(inputs) <= MAX_PLAYERS else "permutation",
            "unit": np.repeat(units, len(inputs)),
        }
    )


def interpret_scale(
    weights: str | Path,
    features: str | Path,
    latents: str | Path,
    correlations: str | Path,
    shapley: str | Path,
    *,
    attributions: str | Path | None = None,
    card: str | Path | None = None,
    parents: Mapping[str, str | Path] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    permutations: int = 999,
    background: int = 64,
    seed: int = 0,
) -> None:
    """Interpret the members of the first repeat of one trained model, and write what is found.

    Args:
        weights: Weights of the model.
        features: Features of the scale.
        latents: Latents of the model.
        correlations: Output, `CORRELATIONS`.
        shapley: Output, `SHAPLEY`.
        attributions: Output, `ATTRIBUTIONS`; none by default.
        card: Card of the model; beside the weights by default.
        parents: Propagated latents of each parent scale for the rows of this one.
        groups: Named groups of input columns or of whole blocks; more than 12 inputs or groups are explained
            by permutation importance.
        permutations: Permutations for each p-value.
        background: Training rows a fold that stand for a missing input.
        seed: Seed of all draws.

    Raises:
        InputError: A file is missing or does not fit the others, or a group is not made of inputs.
    """
    explained = Explained.read(weights, card, features, latents, parents or {})
    trained = explained.trained
    reference = explained.members.iloc[explained.alignment.reference]
    provenance = {
        "scale": trained.scale,
        "protocol": trained.protocol,
        "model": trained.model,
        "rows": int(explained.covered.sum()),
        "members": len(explained.members),
        "reference": {key: int(reference[key]) for key in ("repeat", "fold", "seed")},
        "seed": seed,
    }
    found = correlation_table(explained, permutations, seed)
    tables.write(correlations, found, CORRELATIONS, {**provenance, "permutations": permutations})
    attributed = shapley_table(explained, groups or {}, background, seed)
    tables.write(shapley, attributed, SHAPLEY, {**provenance, "background": background})
    if attributions is not None:
        single = attribution_table(explained, groups or {}, background, seed)
        tables.write(attributions, single, ATTRIBUTIONS, {**provenance, "background": background})


def embed_latents(latents: str | Path, features: str | Path, embedding: str | Path, *, seed: int = 0) -> None:
    """Map the latents of one member to the plane, by PCA and UMAP, and write the maps.

    The member is the first that trained on every row, or else the first of all.

    Args:
        latents: Latents of the model.
        features: Features of the scale, for the targets.
        embedding: Output, `EMBEDDING`: one row for each row, method and target.
        seed: Seed of UMAP.

    Raises:
        InputError: A file is missing or does not fit the other.
    """
    frame, data = tables.read(latents), ScaleData.read(features)
    first = frame.sort_values(["fold", "repeat", "seed"], kind="stable").iloc[0]
    member = {key: int(first[key]) for key in ("member", "repeat", "fold", "seed")}
    values, _ = latents_by_member(frame, np.array([member["member"]]), data.row_id, latents)
    components, share = pca_map(values[0])
    targets = data.y or {"": np.full(len(data), np.nan)}
    maps = {"pca": components, "umap": umap_map(values[0], seed)}
    parts = [
        pd.DataFrame(
            {
                "row_id": data.row_id,
                "method": method,
                "x": xy[:, 0],
                "y": xy[:, 1],
                "target": target,
                "value": value,
                "unit": data.units.get(target, ""),
            }
        )
        for method, xy in maps.items()
        for target, value in targets.items()
    ]
    facts = {
        **tables.provenance(latents),
        "member": member,
        "explained_variance": share.tolist(),
        "seed": seed,
    }
    tables.write(embedding, pd.concat(parts, ignore_index=True), EMBEDDING, facts)
