"""What the keys of a study must fit of each other; each function raises ValueError with the dotted key."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from nestmat.config.baselines import Baseline, Recommended
from nestmat.config.datasets import DEVICES, EFFICIENCY, DatasetSpec
from nestmat.config.dft import Dft, StructureSet
from nestmat.config.evaluation import DevicePhysics
from nestmat.config.features import NUMBER_OF_ELEMENTS
from nestmat.config.generative import GeneratorSpec
from nestmat.config.lineage import ancestors, chain, lineage, readers, recommends, serves_stack
from nestmat.config.pool import PoolSearch
from nestmat.config.problems import DesignProblem
from nestmat.config.scales import Scale, ScaleModelSpec
from nestmat.config.splits import Split
from nestmat.models.keys import RECOMMENDED

RESERVED_NAMES = {RECOMMENDED, "baselines"}
"""Names of predictions that are none of a single model or baseline."""
Datasets = Mapping[str, "str | DatasetSpec"]
Scales = Mapping[str, Scale]


class Keys(Protocol):
    """Keys of a study that are checked."""

    @property
    def datasets(self) -> Datasets: ...  # noqa: D102
    @property
    def scales(self) -> Scales: ...  # noqa: D102
    @property
    def generative(self) -> Mapping[str, GeneratorSpec]: ...  # noqa: D102
    @property
    def search(self) -> Mapping[str, DesignProblem]: ...  # noqa: D102
    @property
    def dft(self) -> Dft | None: ...  # noqa: D102


def check_study(study: Keys) -> None:
    """Check that names refer to something, and that settings fit each other.

    Raises:
        ValueError: Names the key.
    """
    for name in study.scales:
        check_scale(name, study.scales, study.datasets)
        check_readers(name, study.scales)
    check_shared_splits(study.scales)
    for name, entry in study.dft.sets.items() if study.dft else ():
        check_structures(f"dft.sets.{name}", entry, study.datasets, study.search)
    for name, generative in study.generative.items():
        check_generative(f"generative.{name}", generative, study.scales)
    for name, problem in study.search.items():
        check_problem(name, problem, study.scales, study.datasets)
        check_methods(name, problem, study.generative)
    check_teachers(study.scales)


def _need(name: str, choices: Collection[str], key: str) -> None:
    if name not in choices:
        raise ValueError(f"{key}: {name!r} is not one of {sorted(choices)}")


def check_scale(name: str, scales: Scales, datasets: Datasets) -> None:
    """Check a scale against the data sets and the scales listed before it."""
    scale, key = scales[name], f"scales.{name}"
    earlier = list(scales)[: list(scales).index(name)]
    _need(scale.dataset, datasets, f"{key}.dataset")
    for parent in scale.parents:
        if parent not in earlier:
            raise ValueError(f"{key}.parents: {parent!r} is not a scale listed before this one")
    if "strict" in scale.splits:
        raise ValueError(f"{key}.splits: The split strict is configured once, at the top of the study")
    blocks = [*scale.features, *scale.parents]
    if reserved := sorted(RESERVED_NAMES & set(scale.competitors)):
        raise ValueError(f"{key}: The name {reserved[0]!r} is one that nestmat uses itself; choose another")
    pairs = ((scale.features, scale.parents), (scale.models, scale.baselines), (blocks, scale.targets))
    if NUMBER_OF_ELEMENTS in blocks:
        raise ValueError(f"{key}.features: {NUMBER_OF_ELEMENTS!r} is built in; choose another name")
    if clash := set().union(*(set(names) & set(further_names) for names, further_names in pairs)):
        raise ValueError(f"{key}: The names {sorted(clash)} are used twice")
    for model_name, model in scale.models.items():
        _check_model(f"{key}.models.{model_name}", model_name, model, scale, scales)
    for baseline_name, baseline in scale.baselines.items():
        _check_baseline(f"{key}.baselines.{baseline_name}", baseline_name, baseline, scale, scales)
    for competitor_name, competitor in scale.competitors.items():
        for protocol in competitor.protocols or []:
            _need(protocol, scale.protocols, f"{key}.{competitor_name}.protocols")
    if scale.baselines and not scale.targets:
        raise ValueError(f"{key}.baselines: The scale has no target to predict")
    if scale.recommended:
        _check_recommended(f"{key}.recommended", scale.recommended, scale)
    for pair in scale.compare:
        for member in pair:
            _need(member, scale.models, f"{key}.compare")
    _check_inputs_are_no_targets(name, scales)
    _check_explained(key, scale)
    if scale.device_physics:
        _check_device_physics(f"{key}.device_physics", scale.device_physics, scale, datasets)
    if scale.pool:
        _check_pool(f"{key}.pool", scale.pool, name, scales)


def _check_inputs_are_no_targets(name: str, scales: Scales) -> None:
    """Check that no target of a scale is an input of a finer one that it reads, which would tell it."""
    scale = scales[name]
    for parent in sorted(ancestors(scales, name)):
        if scale.parent_features == "material" and scales[parent].dataset != scale.dataset:
            # Looked up in another table, where the same name can be another quantity.
            continue
        for block, config in scales[parent].features.items():
            if targets := sorted(set(config.build().copied_columns) & set(scale.targets)):
                raise ValueError(
                    f"scales.{parent}.features.{block}: The column {targets[0]!r} is a target of {name!r}, "
                    f"and the latents of {parent!r} would tell it; take it out, or rename it where it is "
                    "another quantity"
                )


def _check_model(key: str, name: str, model: ScaleModelSpec, scale: Scale, scales: Scales) -> None:
    specification = model.specification
    blocks = [*scale.features, *scale.parents]
    for block in specification.inputs:
        _need(block, blocks, f"{key}.specification.inputs")
    for head in specification.heads:
        _need(head, [*blocks, *scale.targets], f"{key}.specification.heads")
    parents_read = [parent for parent in scale.parents if parent in specification.inputs]
    for parent in parents_read:
        parent_model = specification.parent_model or name
        _need(parent_model, scales[parent].models, f"{key}.specification.parent_model")
        if scales[parent].models[parent_model].specification.joint:
            raise ValueError(f"{key}: {parent_model!r} of {parent!r} is trained jointly; read another model")
    for block in specification.input_options:
        _need(block, specification.inputs, f"{key}.specification")
    if specification.teacher is not None:
        teacher_key = f"{key}.specification.teacher"
        _need(specification.teacher, scale.baselines, teacher_key)
        if missing := sorted(set(scale.runs(name)) - set(scale.runs(specification.teacher))):
            raise ValueError(f"{teacher_key}: {specification.teacher!r} does not run in {missing}")
    if specification.joint and not parents_read:
        raise ValueError(f"{key}.specification.joint: No parent is among the inputs")


def _check_baseline(key: str, name: str, baseline: Baseline, scale: Scale, scales: Scales) -> None:
    for block in baseline.inputs:
        _need(block, [*scale.features, *scale.parents, NUMBER_OF_ELEMENTS], f"{key}.inputs")
    for parent in scale.parents_read(name):
        stacked = [protocol for protocol in scales[parent].protocols if scales[parent].stacked_in(protocol)]
        if missing := sorted(set(scale.runs(name)) - set(stacked)):
            raise ValueError(
                f"{key}.inputs: {parent!r} has no recommended predictor with learned weights in protocol "
                f"{missing[0]}, whose predictions could be read; give it one, or name other `protocols`"
            )
        for member in {name for protocol in stacked for name in scales[parent].stacked_in(protocol)}:
            if member in scales[parent].baselines and scales[parent].parents_read(member):
                raise ValueError(
                    f"{key}.inputs: {member!r} in the stack of {parent!r} reads predictions of a finer scale "
                    "itself, and predictions are passed on once; leave it out of that stack"
                )


def _check_recommended(key: str, recommended: Recommended, scale: Scale) -> None:
    for member in recommended.stack:
        _need(member, scale.competitors, f"{key}.stack")
        heads = scale.models[member].specification.heads if member in scale.models else scale.targets
        if missing := sorted(set(scale.targets) - set(heads)):
            raise ValueError(f"{key}.stack: {member!r} has no head for {missing}")
        if member in scale.models and scale.models[member].specification.joint:
            raise ValueError(
                f"{key}.stack: {member!r} is trained jointly, and the parent that it trains would see the "
                "rows that the weights are learned on; combine other models"
            )
    if not scale.targets or not scale.runs(RECOMMENDED):
        raise ValueError(f"{key}: A stack needs a target, and a protocol in which all of its members run")


def _check_explained(key: str, scale: Scale) -> None:
    for use in (scale.sweep, scale.interpret):
        if use is None:
            continue
        _need(use.model, scale.models, f"{key}.model")
        if scale.models[use.model].specification.joint:
            raise ValueError(f"{key}: {use.model!r} is trained jointly; sweep and interpret another")
        _need(use.protocol, scale.runs(use.model), f"{key}.protocol")
    families = scale.interpret and scale.interpret.families
    if scale.interpret and families and not scale.models[scale.interpret.model].specification.conditional:
        raise ValueError(f"{key}.interpret.families: Only models of the kind semi_supervised have families")


def _check_device_physics(key: str, physics: DevicePhysics, scale: Scale, datasets: Datasets) -> None:
    if physics.model not in scale.models or "strict" not in scale.runs(physics.model):
        raise ValueError(f"{key}.model: {physics.model!r} is not a model of the scale that runs in strict")
    spec = datasets[scale.dataset]
    if not isinstance(spec, DatasetSpec) or not spec.simulates_devices:
        raise ValueError(
            f"{key}: The physics needs a data set with the generator {DEVICES}, whose truth is known; "
            f"{scale.dataset!r} is none"
        )
    if spec.named("gap") is None:
        raise ValueError(f"{key}: The physics needs the column gap of the generator in {scale.dataset!r}")
    if spec.generator and spec.generator.options.get("strain", 0.0) is None:
        raise ValueError(f"{key}: The physics needs devices under strain, which {scale.dataset!r} leaves out")
    target = spec.efficiency_column
    if target not in scale.targets or target not in scale.models[physics.model].specification.heads:
        raise ValueError(f"{key}.model: {physics.model!r} does not predict the simulated column {EFFICIENCY}")


def _check_pool(key: str, pool: PoolSearch, name: str, scales: Scales) -> None:
    scale = scales[name]
    _need(pool.target, scale.targets, f"{key}.target")
    for representation_name, representation in pool.representations.items():
        representation_key = f"{key}.representations.{representation_name}"
        latents = representation.latents
        for block in representation.blocks:
            _need(block, scale.features, f"{representation_key}.blocks")
        if latents is None:
            continue
        _need(latents.scale, [name, *scale.parents], f"{representation_key}.latents.scale")
        source = scales[latents.scale]
        _need(latents.model, source.models, f"{representation_key}.latents.model")
        _need(latents.protocol, source.runs(latents.model), f"{representation_key}.latents.protocol")
        if latents.scale != name and source.models[latents.model].specification.joint:
            raise ValueError(
                f"{representation_key}.latents.model: {latents.model!r} is trained jointly; read another"
            )


def check_readers(name: str, scales: Scales) -> None:
    """Check that all scales on the way to a scale pass on the predictions of an ancestor, or none does."""
    for parent in sorted(ancestors(scales, name)):
        reading = readers(scales, parent, name)
        if len({scales[reader].pass_prediction for reader in reading}) > 1:
            raise ValueError(
                f"scales.{name}: {' and '.join(reading)} read {parent!r} with different pass_prediction; "
                "give them the same"
            )


def check_shared_splits(scales: Scales) -> None:
    """Check that a shared split has the same settings at every scale, and that parents have it too."""
    first: dict[str, tuple[str, Split]] = {}
    for name, scale in scales.items():
        for key, split in scale.splits.items():
            first_scale, first_split = first.setdefault(key, (name, split))
            kinds = split.build(), first_split.build()
            if any(kind.is_shared for kind in kinds) and kinds[0] != kinds[1]:
                raise ValueError(
                    f"scales.{name}.splits.{key}: The split differs from that of {first_scale!r}; a shared "
                    "split has the same settings at every scale"
                )
            if not split.registered.is_shared:
                continue
            for parent in scale.parents:
                if key not in scales[parent].splits:
                    raise ValueError(
                        f"scales.{name}.splits.{key}: The parent {parent!r} lacks this shared split, and "
                        "would have seen the materials that are left out"
                    )


def check_teachers(scales: Scales) -> None:
    """Check that no model with a teacher serves a stack whose weights are learned."""
    for name, scale in scales.items():
        for model, entry in scale.models.items():
            teacher = entry.specification.teacher
            if teacher is None:
                continue
            if any(serves_stack(scales, name, model, protocol) for protocol in scale.runs(model)):
                raise ValueError(
                    f"scales.{name}.models.{model}.specification.teacher: {teacher!r} has seen the labels "
                    "that the weights of a stack are learned on; give the stack equal weights, or keep "
                    "the model out of it"
                )


def check_structures(
    key: str, entry: StructureSet, datasets: Datasets, problems: Mapping[str, DesignProblem]
) -> None:
    """Check a set of structures against the data set or the problem that it comes from."""
    if entry.dataset:
        _need(entry.dataset, datasets, f"{key}.dataset")
    if not entry.candidates:
        return
    problem = problems.get(entry.candidates)
    if problem is None or problem.verify is None:
        raise ValueError(f"{key}.candidates: {entry.candidates!r} is not a problem of search with verify")
    if problem.space.cells != (entry.layer is not None):
        raise ValueError(f"{key}.layer: Candidates of a space of cells need a layer, and no others have one")
    if entry.layer and len(entry.layer.heights) > 1:
        raise ValueError(f"{key}.layer.heights: Candidates are calculated at one height")


def check_generative(key: str, generative: GeneratorSpec, scales: Scales) -> None:
    """Check a generative model against the scale whose rows it is trained on."""
    if generative.scale not in scales:
        raise ValueError(f"{key}.scale: {generative.scale!r} is not one of {list(scales)}")
    scale = scales[generative.scale]
    if generative.condition not in scale.targets:
        raise ValueError(f"{key}.condition: {generative.condition!r} is not one of {scale.targets}")
    if generative.pseudo_labels:
        teacher = generative.pseudo_labels.model
        heads = scale.models[teacher].specification.heads if teacher in scale.models else {}
        if generative.condition not in heads:
            raise ValueError(
                f"{key}.pseudo_labels.model: {teacher!r} is not a model of the scale that predicts "
                f"{generative.condition!r}"
            )
    if generative.space.sites is not None or generative.space.elements is not None:
        raise ValueError(f"{key}.space: The space may have variables alone, which are columns of the data")
    columns = {column for block in scale.features.values() for column in block.build().copied_columns}
    if missing := sorted(set(generative.space.variables) - columns):
        raise ValueError(f"{key}.space: {missing[0]!r} is not a column of a feature block of the scale")


def check_methods(name: str, problem: DesignProblem, generative: Mapping[str, GeneratorSpec]) -> None:
    """Check that generative models which methods take samples of are made for the problem."""
    for method_name, method in problem.methods.items():
        if method.model is None:
            continue
        key = f"search.{name}.methods.{method_name}.model"
        if method.model not in generative:
            raise ValueError(f"{key}: {method.model!r} is not one of {list(generative)}")
        model = generative[method.model]
        if [target.quantity for target in problem.targets] != [f"{model.scale}.{model.condition}"]:
            raise ValueError(f"{key}: {method.model!r} draws materials for its condition alone")
        if model.space != problem.space:
            raise ValueError(f"{key}: {method.model!r} has another space")


def check_problem(name: str, problem: DesignProblem, scales: Scales, datasets: Datasets) -> None:
    """Check a design problem against the scales that predict."""
    key = f"search.{name}"
    if name in scales:
        raise ValueError(f"{key}: The name is that of a scale; choose another")
    if problem.scale not in scales:
        raise ValueError(f"{key}.scale: {problem.scale!r} is not one of {list(scales)}")
    scale = scales[problem.scale]
    if problem.model not in scale.models or "strict" not in scale.runs(problem.model):
        raise ValueError(f"{key}.model: {problem.model!r} is not a model of the scale that runs in strict")
    split = scale.splits.get(problem.protocol)
    if not split or not split.registered.is_shared or problem.protocol not in scale.runs(problem.model):
        raise ValueError(
            f"{key}.protocol: {problem.protocol!r} is not a shared split of scale "
            f"{problem.scale!r} that model {problem.model!r} runs in"
        )
    _check_searched_inputs(key, problem, scales)
    spec = datasets[scale.dataset]
    simulated = isinstance(spec, DatasetSpec) and spec.efficiency_column is not None
    judges = problem.judges.build_all() if problem.judges else {}
    for kind, judge in judges.items():
        if judge.needs_devices and not simulated:
            raise ValueError(f"{key}.judges.{kind}: scale {problem.scale!r} is not one of simulated devices")
    quantities = {
        *(f"{name}.{target}" for name in lineage(scales, problem.scale) for target in scales[name].targets),
        *("tolerance_factor", "octahedral_factor", "tau"),
        *problem.quantities,
    }
    if unknown := sorted(set(_quantities_named(problem)) - quantities):
        raise ValueError(f"{key}: {unknown[0]!r} is not one of {sorted(quantities)}")
    _check_spreads(key, problem, scales)


def _check_searched_inputs(key: str, problem: DesignProblem, scales: Scales) -> None:
    for name, _, model in chain(scales, problem.scale, problem.model, "strict").values():
        for block_name in scales[name].models[model].specification.inputs:
            block = scales[name].features.get(block_name)
            if block and not block.build().differentiable:
                raise ValueError(
                    f"scales.{name}.models.{model}.specification.inputs: {block_name!r} describes whole "
                    f"compositions, which {key} cannot compute from the numbers of its space; let the "
                    "searched model read columns, one_hot, site, site_descriptors, perovskite, elements, "
                    "alloy or monolayer blocks"
                )


def _check_spreads(key: str, problem: DesignProblem, scales: Scales) -> None:
    """Check that standard deviations that a problem asks for are stated, where its model alone predicts."""
    by_part = [
        (f"targets[{k}].sigmas", target.quantity, bool(target.sigmas))
        for k, target in enumerate(problem.targets)
    ]
    for k, bound in enumerate(problem.constraints):
        by_part.append((f"constraints[{k}].sigmas", bound.quantity, bool(bound.sigmas)))
        by_part.append((f"constraints[{k}].of", bound.quantity, bound.of == "std"))
    limits = {
        name: part.detailed_balance for name, part in problem.quantities.items() if part.detailed_balance
    }
    for protocol, recommending in ((problem.protocol, problem.protocol), ("strict", None)):
        if problem.predictor == "recommended" and recommends(scales, problem.scale, recommending):
            continue
        models = chain(scales, problem.scale, problem.model, protocol)
        for place, quantity, is_asked in by_part:
            name, _, column = limits.get(quantity, quantity).partition(".")
            if not is_asked or name not in models:
                continue
            specification = scales[name].models[models[name].model].specification
            if column in specification.heads and not specification.states_spread(column):
                raise ValueError(
                    f"{key}.{place}: The model {models[name].model!r} of scale {name!r} states no standard "
                    f"deviation of {column!r}, as it has one seed; give it two seeds or more, a gaussian_nll "
                    "head, search with recommended predictors, or take the key away"
                )


def _quantities_named(problem: DesignProblem) -> list[str]:
    """Quantities that targets, constraints, quantities, judges and the verification of a problem name."""
    names = [target.quantity for target in problem.targets]
    names += [constraint.quantity for constraint in problem.constraints]
    names += [part.detailed_balance for part in problem.quantities.values() if part.detailed_balance]
    for judge in problem.judges.build_all().values() if problem.judges else ():
        names += judge.quantities
    if verify := problem.verify:
        names += [name for name in (verify.gap, verify.lattice, verify.formation_energy) if name]
    return names
