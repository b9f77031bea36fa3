"""Keys of a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, GetJsonSchemaHandler, ValidationError, ValidationInfo, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from nestmat.config import lineage
from nestmat.config.base import Name, Part
from nestmat.config.checks import check_study
from nestmat.config.datasets import DatasetSpec
from nestmat.config.dft import Dft
from nestmat.config.generative import GeneratorSpec
from nestmat.config.kinds import message_of, options_are_checked
from nestmat.config.parts import BUILT_IN_PARTS, PARTS, StudyPart, part_from, part_keys
from nestmat.config.problems import DesignProblem
from nestmat.config.scales import Scale
from nestmat.config.splits import Strict
from nestmat.models.keys import ModelKey


class Study(Part):
    """One question: data sets, scales, protocols and what to show."""

    study: Name = Field(description="Name of the study and of its folder under results/.")
    title: str = Field(description="Headline of the report.")
    question: str = Field(description="The question that the study answers, in a paragraph.")
    tracking: str = Field(
        "sqlite", description="MLflow: `sqlite` (the store in mlflow/), `off`, or a tracking URI."
    )
    plugins: list[str] = Field(
        [],
        description=(
            "Python files that add kinds, such as a search method or a baseline; relative to the working "
            "directory. docs/extending.md shows one of each."
        ),
    )
    published: list[str] = Field(
        [], description="Files of resources/published/ to show with the measured values."
    )
    datasets: dict[Name, str | DatasetSpec] = Field(
        {}, description="Data sets: a name of resources/datasets.yaml, or a whole entry."
    )
    strict: Strict = Field(Strict(), description="The leak-free protocol, shared along the chain.")
    scales: dict[Name, Scale] = Field({}, description="Scales, finer before coarser.")
    generative: dict[Name, GeneratorSpec] = Field(
        {}, description="Generative models by name, for methods of the kind generative."
    )
    search: dict[Name, DesignProblem] = Field({}, description="Problems of inverse design by name.")
    dft: Dft | None = Field(None, description="Calculations with GPAW, for the target `dft`.")

    parts: dict[Name, dict[str, Any]] = Field(
        {}, description="Parts that plug-ins add; each is written as a key of its own at the top of a study."
    )

    @model_validator(mode="before")
    @classmethod
    def _gather_parts(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        added = {key: values[key] for key in values if key in PARTS}
        own_keys = {key: values[key] for key in values if key not in PARTS}
        return {**own_keys, "parts": {**own_keys.get("parts", {}), **added}} if added else own_keys

    @model_validator(mode="after")
    def _check_parts(self) -> Study:
        for key, values in self.parts.items():
            try:
                part_from(key, values)
            except ValidationError as error:
                fault = error.errors()[0]
                path = ".".join(map(str, [key, *fault["loc"]]))
                raise ValueError(f"{path}: {message_of(fault)}") from error
        if not self.part_keys:
            raise ValueError("A study has at least one part: scales, search, dft, or one that a plug-in adds")
        return self

    @property
    def part_keys(self) -> list[str]:
        """Keys of the parts that the study has: those of the library, then those of plug-ins."""
        return [*(key for key in BUILT_IN_PARTS if getattr(self, key)), *self.parts]

    @property
    def added_parts(self) -> dict[str, StudyPart]:
        """Parts that plug-ins add, by key."""
        return {key: part_from(key, values) for key, values in self.parts.items()}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core))
        properties = {key: value for key, value in schema["properties"].items() if key != "parts"}
        keys = {key: part_keys(key).model_json_schema() for key in PARTS}
        return {**schema, "properties": {**properties, **keys}}

    @model_validator(mode="after")
    def _references(self, info: ValidationInfo) -> Study:
        if options_are_checked(info):
            check_study(self)
        return self

    def efficiency_column(self, scale: str) -> str | None:
        """Column of a scale's data set that is the simulated efficiency; None where nothing is simulated."""
        spec = self.datasets[self.scales[scale].dataset]
        return spec.efficiency_column if isinstance(spec, DatasetSpec) else None

    def category_columns(self, scale: str) -> list[str]:
        """Columns of categories that protocols or groups of a scale need."""
        return sorted({*self.scales[scale].category_columns, *self.strict.build().columns})

    @property
    def split_kinds(self) -> set[str]:
        """Kinds of all protocols."""
        return {
            self.strict.split.kind,
            *(split.kind for scale in self.scales.values() for split in scale.splits.values()),
        }

    def targets_of_dataset(self, dataset: str) -> list[str]:
        """Columns of a data set that some scale predicts."""
        scales = [scale for scale in self.scales.values() if scale.dataset == dataset]
        return sorted({target for scale in scales for target in scale.targets})

    def dataset_of_gap(self, problem: str) -> list[str]:
        """Data set of the gap that calculations of a design problem are compared with; none elsewhere."""
        verify = self.search[problem].verify
        return [self.scales[verify.gap.partition(".")[0]].dataset] if verify and verify.gap else []

    def lineage_features(self, scale: str) -> dict[str, dict[str, Any]]:
        """Feature blocks of a scale and its ancestors as plain values, parents first."""
        return {name: self.scales[name].feature_settings for name in self.lineage(scale)}

    def trained_on_labels(self, scale: str, representation: str) -> bool:
        """Whether a model that describes the rows of a pool was trained on the labels sought there."""
        return lineage.trained_on_labels(self.scales, scale, representation)

    def ancestors(self, scale: str) -> set[str]:
        """Scales whose latents a scale reads, directly or through others."""
        return lineage.ancestors(self.scales, scale)

    def lineage(self, scale: str) -> list[str]:
        """A scale and its ancestors, in the order of the study: parents first."""
        return lineage.lineage(self.scales, scale)

    def takes_prediction(self, parent: str, child: str) -> bool:
        """Whether a parent's predictions accompany its latents where they are made for rows of a child."""
        return lineage.takes_prediction(self.scales, parent, child)

    def chain(self, scale: str, model: str, protocol: str) -> dict[str, ModelKey]:
        """The models that a prediction needs, ``<scale>/<protocol>/<model>`` by scale, parents first.

        Raises:
            InputError: A scale is read along two paths, by different models.
        """
        return lineage.chain(self.scales, scale, model, protocol)

    def searches_recommended(self, problem: str, protocol: str | None = None) -> bool:
        """Whether a design problem is searched with the recommended predictors.

        Args:
            problem: Name of the problem.
            protocol: Protocol of the searched members; by default that of the predictor in use.
        """
        config = self.search[problem]
        return config.predictor == "recommended" and lineage.recommends(self.scales, config.scale, protocol)

    def serves_stack(self, scale: str, model: str, protocol: str) -> bool:
        """Whether a model serves a stack whose weights are learned; see `lineage.serves_stack`."""
        return lineage.serves_stack(self.scales, scale, model, protocol)

    def parent_model(self, scale: str, model: str) -> str:
        """Name of the parents' model that a model of a scale reads."""
        return lineage.parent_model(self.scales, scale, model)

    def joint_parents(self, scale: str, model: str) -> dict[str, dict[str, Any]]:
        """Specifications of the parents that a model of a scale is trained together with, by scale."""
        return lineage.joint_parents(self.scales, scale, model)

    def parent_protocol(self, parent: str, protocol: str) -> str:
        """Protocol of the parent's members that a child reads in ``protocol``."""
        return lineage.parent_protocol(self.scales, parent, protocol)
