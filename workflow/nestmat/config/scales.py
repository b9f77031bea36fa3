"""Scales of a study: data, features, targets, models and parents."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from nestmat.config.base import Name, Pair, Part
from nestmat.config.baselines import Baseline, Recommended
from nestmat.config.competitors import Competitor
from nestmat.config.evaluation import DevicePhysics, LatentSweep, Stratum
from nestmat.config.features import FeatureBlock
from nestmat.config.interpretation import Interpretation
from nestmat.config.networks import SpecificationPart
from nestmat.config.pool import PoolSearch
from nestmat.config.splits import Split
from nestmat.models.keys import RECOMMENDED


class ScaleModelSpec(Competitor):
    """A model of a scale with the protocols it is trained in."""

    specification: SpecificationPart = Field(description="Inputs, encoder, heads, penalties and training.")


class Scale(Part):
    """One physical scale: data, features, targets, models, parents."""

    title: str = Field("", description="Name for people; the key by default.")
    dataset: Name = Field(description="Data set of the scale.")
    parents: list[Name] = Field([], description="Finer scales whose latents this one reads.")
    parent_features: Literal["computed", "material"] = Field(
        "computed",
        description=(
            "How the rows of this scale get the inputs of its parents: computed from this scale's data set, "
            "or looked up by material in the parents' tables."
        ),
    )
    pass_prediction: bool = Field(
        False, description="Pass the parents' predictions and spreads with the latents."
    )
    features: dict[Name, FeatureBlock] = Field(description="Feature blocks by name.")
    targets: list[str] = Field([], description="Columns to predict.")
    group: list[str] = Field(
        [],
        description="Columns which, with the material, form a group of the split kind `grouped`.",
    )
    splits: dict[Name, Split] = Field({}, description="Further protocols besides strict.")
    models: dict[Name, ScaleModelSpec] = Field(description="Autoencoders of the scale.")
    baselines: dict[Name, Baseline] = Field({}, description="Models to compare with.")
    recommended: Recommended | None = Field(None, description="The predictor in use.")
    compare: list[Pair[str]] = Field(
        [], description="Pairs (nested, single-scale) whose difference is reported with an interval."
    )
    strata: dict[Name, Stratum] = Field(
        {}, description="Parts of the rows whose errors are reported besides those of all."
    )
    sweep: LatentSweep | None = Field(None, description="Latent-size sweep.")
    interpret: Interpretation | None = Field(None, description="Interpretation.")
    device_physics: DevicePhysics | None = Field(
        None, description="Comparison of the predictions with the physics, for simulated devices."
    )
    pool: PoolSearch | None = Field(None, description="Search for the best row, its label unseen.")

    @property
    def competitors(self) -> dict[str, ScaleModelSpec | Baseline]:
        """Models, then baselines, by name."""
        return {**self.models, **self.baselines}

    @property
    def protocols(self) -> list[str]:
        """Protocols of the scale, strict first."""
        return ["strict", *self.splits]

    def runs(self, name: str) -> list[str]:
        """Protocols that a model or baseline of the scale runs in."""
        if name == RECOMMENDED:
            members = self.recommended.stack if self.recommended else []
            return [p for p in self.protocols if all(p in self.runs(m) for m in members)]
        entry = self.competitors[name]
        return [p for p in self.protocols if entry.protocols is None or p in entry.protocols]

    @property
    def predictor(self) -> list[str]:
        """Members of the predictor of new rows: the stack, or the first model where none is recommended."""
        return self.recommended.stack if self.recommended else [next(iter(self.models))]

    @property
    def predictor_protocol(self) -> str:
        """Protocol whose members that are trained on every row predict new rows: strict if they run in it."""
        return self.runs(RECOMMENDED if self.recommended else self.predictor[0])[0]

    def kept_baselines(self, protocol: str) -> list[str]:
        """Baselines whose fits a protocol keeps for a predictor of new rows; see `kept_fold`."""
        kept = [name for name in self.predictor if name in self.baselines]
        return kept if protocol == self.predictor_protocol or self.recommends_half(protocol) else []

    def recommends_half(self, protocol: str) -> bool:
        """Whether the recommended stack of a shared split has members that left out its first fold.

        They are searched, and judged by what learns on that fold. The predictor in use, which learns on every
        row, is of another protocol.
        """
        split = self.splits.get(protocol)
        if self.recommended is None or split is None or not split.build().is_shared:
            return False
        return protocol in self.runs(RECOMMENDED) and protocol != self.predictor_protocol

    def kept_fold(self, protocol: str) -> int:
        """Fold that the fits of `kept_baselines` left out.

        The predictor in use is fitted on every row, -1; in another protocol a search uses what left out the
        first fold.
        """
        return -1 if protocol == self.predictor_protocol else 0

    @property
    def feature_settings(self) -> dict[str, dict[str, Any]]:
        """Feature blocks as plain values, by name: the kind with what the study states after it."""
        return {name: block.model_dump(exclude_none=True) for name, block in self.features.items()}

    @property
    def block_kinds(self) -> list[str]:
        """Kinds of the feature blocks."""
        return [kind for block in self.features.values() for kind in block.arguments]

    @property
    def columns_left_out(self) -> dict[str, str]:
        """Column whose levels are left out, by protocol that leaves out whole levels."""
        kinds = {name: split.build() for name, split in self.splits.items()}
        return {name: kind.fold_column for name, kind in kinds.items() if kind.leaves_levels_out}

    @property
    def category_columns(self) -> list[str]:
        """Columns of categories that splits or groups need."""
        return sorted(
            {*self.group, *(name for split in self.splits.values() for name in split.build().columns)}
        )

    def baselines_in(self, protocol: str) -> dict[str, dict[str, Any]]:
        """Baselines that run in a protocol, as plain values."""
        running = {name: entry for name, entry in self.baselines.items() if protocol in self.runs(name)}
        return {
            name: {"kind": b.kind, "inputs": b.inputs, "transform": b.transform, **b.options}
            for name, b in running.items()
        }

    def baseline_kinds_in(self, protocol: str) -> list[str]:
        """Kinds of the baselines that run in a protocol."""
        return [entry["kind"] for entry in self.baselines_in(protocol).values()]

    def predictions_in(self, protocol: str) -> list[str]:
        """Files of predictions in a protocol: of each model, of all baselines, of the recommended stack."""
        names = [name for name in self.models if protocol in self.runs(name)]
        names += ["baselines"] * any(protocol in self.runs(name) for name in self.baselines)
        return names + [RECOMMENDED] * (self.recommended is not None and protocol in self.runs(RECOMMENDED))

    @property
    def stacked_predictions(self) -> list[str]:
        """Files of predictions that the recommended stack combines."""
        stack = self.recommended.stack if self.recommended else []
        names = [name for name in stack if name in self.models]
        return names + ["baselines"] * any(name in self.baselines for name in stack)

    @property
    def stacked_models(self) -> list[str]:
        """Models in the recommended stack."""
        return [name for name in self.models if self.recommended and name in self.recommended.stack]

    @property
    def stacked_features(self) -> dict[str, dict[str, Any]]:
        """Feature blocks of the scale that members of the recommended stack read, as plain values."""
        names: set[str] = set()
        for member in self.recommended.stack if self.recommended else ():
            is_model = member in self.models
            names.update(
                self.models[member].specification.inputs if is_model else self.baselines[member].inputs
            )
        return {name: settings for name, settings in self.feature_settings.items() if name in names}

    def parents_read(self, baseline: str) -> list[str]:
        """Finer scales whose predictions a baseline reads."""
        return [name for name in self.baselines[baseline].inputs if name in self.parents]

    def stacked_in(self, protocol: str) -> list[str]:
        """Members of the stack whose weights are learned in a protocol; none elsewhere."""
        stack = self.recommended
        if stack is None or stack.weights != "learned" or protocol not in self.runs(RECOMMENDED):
            return []
        return stack.stack
