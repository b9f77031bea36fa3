"""A study's configuration: pydantic models, their JSON schema, and errors that name file and key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import Field, ValidationError, model_validator

from nestmat.config.base import Families, FeatureBlock, Name, Part
from nestmat.config.generative import GenerativeModel
from nestmat.config.pool import PoolSearch
from nestmat.config.problems import DesignProblem
from nestmat.errors import InputError
from nestmat.models.specification import Model

DEVICES = "perovskite_devices"
"""The generator whose tables are simulated devices."""
EFFICIENCY = "pce"
"""Column of those tables that the simulator gives."""
DFT_TABLES = ("records", "calculations", "compounds", "electronic")
"""What is told of all compounds: calculations as made and as read, perovskites, strained perovskites."""


REGRESSORS = frozenset(
    ("ridge", "lasso", "nusvr", "random_forest", "extra_trees", "xgboost", "gaussian_process", "mean")
)
"""Kinds of baselines that predict numbers."""
CLASSIFIERS = frozenset(
    (
        *("logistic", "svm", "random_forest", "extra_trees", "xgboost", "hist_gradient_boosting"),
        *("gaussian_process", "mlp", "stump", "mean"),
    )
)
"""Kinds of baselines that predict the probability of a class."""
NUMBER_OF_ELEMENTS = "number_of_elements"
"""Built-in column of every scale with formulas: how many elements the material has."""


class ColumnSpec(Part):
    """A column that is read from a data file."""

    kind: Literal["number", "category", "text"] = Field("number", description="What the cells hold.")
    unit: str = Field(
        "", description="Unit as printed on an axis, for example `eV`; empty for a pure number."
    )
    description: str = Field("", description="One line for the reader of tables and reports.")
    header: str | None = Field(
        None, description="Header in the file where it differs from the column's name."
    )
    sentinels: list[float] = Field(
        [], description="Numbers that stand for a missing value, for example -999."
    )
    missing: Literal["reject", "keep", "level"] = Field(
        "reject",
        description=(
            "A row without this value is rejected with a reason, or kept with NaN; level makes `not stated` "
            "a level of a category."
        ),
    )
    label: bool = Field(
        False,
        description=(
            "A measured or computed result. Rows that agree in everything but their labels are duplicates; "
            "the targets of a study are labels in any case."
        ),
    )
    uncertainty: float | None = Field(
        None,
        gt=0,
        description=(
            "Known standard uncertainty of the values, in their unit: shown beside the errors of the models."
        ),
    )

    classes: list[str] | None = Field(
        None,
        min_length=2,
        max_length=2,
        description=(
            "The column holds the number of a class, 0 or 1; these are the names of the two. As a target it "
            "is classified: predicted is the probability of class 1."
        ),
    )

    @model_validator(mode="after")
    def _fits_kind(self) -> ColumnSpec:
        if self.missing == "level" and self.kind != "category":
            raise ValueError("missing: level goes with kind: category")
        if self.uncertainty is not None and self.kind != "number":
            raise ValueError("uncertainty goes with kind: number")
        if self.classes is not None:
            if self.kind != "number" or self.unit or self.uncertainty is not None:
                raise ValueError("classes goes with kind: number, without unit and uncertainty")
            if len(set(self.classes)) < len(self.classes):
                raise ValueError("classes: have different names")
        return self


class Suspicion(Part):
    """A label that is flagged in the report and kept."""

    row: int = Field(gt=0, description="Line of a CSV file, row of any other table, counted from 1.")
    column: str = Field(description="Column of the label.")
    reason: str = Field(description="Why it is suspected.")


class DataFile(Part):
    """A file of rows: an address with its checksum, or your own file."""

    url: str | None = Field(
        None, description="Address of the file at a fixed version; Parquet if it ends in `.parquet`, or CSV."
    )
    mirror: str | None = Field(
        None, description="Path of the file inside the folder named by NESTMAT_MIRROR."
    )
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="Checksum of the file.")
    file: str | None = Field(
        None, description="Your own file, CSV or `.parquet`, relative to the working directory."
    )
    names: list[str] | None = Field(
        None,
        min_length=1,
        description="Headers of a CSV file that has no header line, from its first column to its last.",
    )
    comment: str | None = Field(
        None,
        min_length=1,
        description="What lines of a CSV file that are no rows begin with, for example `#`.",
    )

    @model_validator(mode="after")
    def _readable(self) -> DataFile:
        if self.url and not self.sha256:
            raise ValueError("a url needs the sha256 of the file")
        if self.names and len(set(self.names)) < len(self.names):
            raise ValueError("names: each is given to one column only")
        if self.names and self.ending == "parquet":
            raise ValueError("names goes with a CSV file: the columns of a Parquet file have names")
        if self.comment and self.ending == "parquet":
            raise ValueError("comment goes with a CSV file")
        return self

    @property
    def ending(self) -> str:
        """Ending by which the file is read: parquet or csv."""
        path = urlsplit(self.url).path if self.url else self.file or ""
        return "parquet" if path.lower().endswith(".parquet") else "csv"

    def download(self, name: str) -> str:
        """Where the file at the address is kept, relative to the working directory.

        Args:
            name: Key of the data set.
        """
        return f"downloads/{name}-{(self.sha256 or '')[:12]}.{self.ending}"


class DatasetSpec(DataFile):
    """A table of materials: where it comes from, what its columns are."""

    title: str = Field(description="Name of the data set for people.")
    description: str = Field("", description="What the rows are.")
    doi: str | None = Field(None, description="DOI of the publication.")
    citation: str | None = Field(None, description="Citation as text.")
    licence: str | None = Field(None, description="Licence of the data; null when none is stated.")
    beside: list[DataFile] = Field(
        [], description="Further files with other columns of the same rows, in the same order."
    )
    generator: str | None = Field(None, description="Built-in generator of rows.")
    options: dict[str, Any] = Field({}, description="Arguments of the generator.")
    formula: str | None = Field(None, description="Column that holds the chemical formula.")
    formula_template: str | None = Field(
        None,
        description="Formula made of other columns, for example `{Cation}Pb{X}3`, where none is written.",
    )
    elements: list[str] | None = Field(
        None,
        min_length=1,
        description="Elements that a material may hold; a row with another is rejected. All by default.",
    )
    columns: dict[str, ColumnSpec] = Field(description="The columns to read; all others are left out.")
    duplicates: Literal["keep", "flag", "reject_conflicting", "reject", "first"] = Field(
        "flag",
        description=(
            "Rows of the same inputs: keep, keep and flag, or reject those with different labels; reject "
            "leaves out repetitions with the same labels too, all but the first; first leaves out all but "
            "the first of those with formulas written alike, whatever their labels, and flags others."
        ),
    )
    suspicious: list[Suspicion] = Field([], description="Labels to flag; they are kept.")

    @model_validator(mode="after")
    def _one_source(self) -> DatasetSpec:
        if sum(source is not None for source in (self.url, self.file, self.generator)) != 1:
            raise ValueError("give exactly one of url, file, generator")
        if self.options and not self.generator:
            raise ValueError("options goes with generator, and with no other source")
        if self.generator and (self.names or self.comment or self.beside):
            raise ValueError("names, comment and beside go with a file")
        if any((part.url is None) == (part.file is None) for part in self.beside):
            raise ValueError("beside: give exactly one of url, file")
        return self

    @model_validator(mode="after")
    def _names(self) -> DatasetSpec:
        if self.formula and self.formula_template:
            raise ValueError("give formula or formula_template, not both")
        if self.elements and not (self.formula or self.formula_template):
            raise ValueError("elements goes with formula or formula_template")
        if taken := sorted({"row_id", "row", "formula", "material", "flag"} & set(self.columns)):
            raise ValueError(
                f"columns {taken} have names that nestmat uses itself: choose another name and give the "
                "file's as header"
            )
        return self

    @property
    def files(self) -> list[DataFile]:
        """The file, then those beside it."""
        return [self, *self.beside]

    def named(self, header: str) -> str | None:
        """Name of the column that has a header in the file, or that a generator makes under this name."""
        found = (name for name, column in self.columns.items() if (column.header or name) == header)
        return next(found, None)


class Split(Part):
    """How rows are divided into training and validation folds."""

    kind: Literal["stratified", "kfold", "grouped", "leave_one_out", "shared", "holdout"] = Field(
        description=(
            "stratified: StratifiedKFold on quantile bins of the target; kfold: KFold on rows; "
            "grouped: whole groups; leave_one_out: one fold a level of a column; shared: whole materials, in "
            "the same folds at every scale that has a split of this name, as in strict; holdout: one fold "
            "of test rows, while some of the other rows may hide their labels."
        )
    )
    folds: int | None = Field(
        None,
        gt=1,
        description="Number of folds; leave_one_out takes it from the levels, and a holdout has one.",
    )
    seed: int = Field(0, description="Seed of the split.")
    repeats: list[int] = Field([], description="Further seeds, reported as repeats; choose nothing on them.")
    quantiles: int = Field(10, gt=1, description="stratified: number of quantile bins of the first target.")
    column: str | None = Field(None, description="leave_one_out: the column whose levels are left out.")
    test: float | None = Field(
        None, gt=0, lt=1, description="holdout: share of the rows that validate (train_test_split)."
    )
    hidden: float = Field(
        0.0, ge=0, lt=1, description="holdout: share of the other rows that train without their label."
    )
    unused: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="holdout: share of the hidden rows that take no part, as a publication chose on them.",
    )
    labelled: float | None = Field(
        None,
        gt=0,
        le=1,
        description=(
            "holdout: share of the labelled and hidden rows, without the unused ones, that train with their "
            "label; by default what `hidden` leaves."
        ),
    )
    apart: Literal["material", "elements"] | None = Field(
        None,
        description=(
            "holdout: no test row has the material, or the set of elements, of any other row; test rows are "
            "drawn at random by default."
        ),
    )
    published: bool = Field(
        False, description="The split of a publication: labelled so in every table and figure."
    )

    @model_validator(mode="after")
    def _complete(self) -> Split:
        if (self.kind == "leave_one_out") != (self.column is not None):
            raise ValueError("column goes with kind leave_one_out, and with no other")
        holdout = self.kind == "holdout"
        if (self.kind == "leave_one_out" or holdout) == (self.folds is not None):
            raise ValueError(
                "folds is needed, except for kind leave_one_out, which counts the levels, and holdout"
            )
        if holdout != (self.test is not None):
            raise ValueError("test goes with kind holdout, which needs it, and with no other")
        if not holdout and (self.hidden or self.unused or self.labelled or self.apart):
            raise ValueError("hidden, unused, labelled and apart go with kind holdout")
        if self.unused and not self.hidden:
            raise ValueError("unused is a share of the hidden rows: give hidden")
        if self.kind == "leave_one_out" and self.repeats:
            raise ValueError("leave_one_out is the same with every seed: leave repeats out")
        return self


class Strict(Part):
    """The split shared along the chain: a material validated in fold k trains no scale in fold k."""

    folds: int = Field(5, gt=1, description="Number of folds, the same for every scale.")
    seed: int = Field(0, description="Seed of the assignment of groups to folds.")
    repeats: list[int] = Field([], description="Further seeds.")


class _Competitor(Part):
    title: str = Field("", description="Name in tables and figures; the key by default.")
    protocols: list[str] | None = Field(
        None, description="Protocols it runs in; all of the scale by default."
    )
    published: str | None = Field(None, description="Name of the model in the published numbers.")


class ScaleModel(_Competitor):
    """A model of a scale with the protocols it is trained in."""

    specification: Model = Field(description="Inputs, encoder, heads, penalties and training.")


class Baseline(_Competitor):
    """A model without latents to compare with."""

    kind: Literal[
        "ridge",
        "lasso",
        "nusvr",
        "random_forest",
        "extra_trees",
        "xgboost",
        "gaussian_process",
        "mean",
        "logistic",
        "svm",
        "hist_gradient_boosting",
        "mlp",
        "stump",
    ] = Field(
        description=(
            "Estimator. ridge, lasso and nusvr predict numbers alone; logistic, svm, hist_gradient_boosting, "
            "mlp (an ensemble) and stump (one threshold on one input) predict classes alone; of a class, "
            "mean is its share in the training rows."
        )
    )
    inputs: list[str] = Field(
        description="Feature blocks it reads; `number_of_elements` is one that every formula has."
    )
    options: dict[str, Any] = Field(
        {}, description="Arguments of the estimator that differ from its defaults here."
    )


class Recommended(Part):
    """The predictor that `nestmat predict` uses: models and baselines that are combined."""

    stack: list[str] = Field(min_length=1, description="Models and baselines of the scale that are combined.")
    weights: Literal["learned", "equal"] = Field(
        "learned",
        description=(
            "learned: convex weights that lessen the error (of a class the Brier score) of predictions held "
            "out inside the training rows; equal: the plain mean, a vote, which needs no inner folds."
        ),
    )
    inner_folds: int = Field(
        5, gt=1, description="learned: folds inside the training rows that the weights are learned on."
    )


class Sweep(Part):
    """Latent sizes to try for one model."""

    model: str = Field(description="Model of the scale whose latent size is varied.")
    latents: list[int] = Field(min_length=2, description="Latent sizes.")
    protocol: str = Field("strict", description="Protocol of the sweep; its first repeat is used.")
    epochs: int | None = Field(None, gt=0, description="Epochs, where they differ from the model's.")
    truth: int | None = Field(
        None, gt=0, description="Dimensions that the inputs are known to fill, for synthetic data."
    )


class Interpretation(Part):
    """Which model of a scale is explained, and with how much effort."""

    model: str = Field(description="Model whose latents and predictions are explained.")
    protocol: str = Field("strict", description="Protocol whose members are used.")
    permutations: int = Field(999, ge=99, description="Permutations for each p-value.")
    groups: dict[str, list[str]] = Field(
        {},
        description="Groups of input columns for exact Shapley values where there are more than 12 inputs.",
    )
    background: int = Field(
        64, gt=0, description="Training rows that stand for a missing input in Shapley values."
    )
    families: Families | None = Field(
        None, description="Alloys whose latents are shown, for a semi-supervised model."
    )


class Stratum(Part):
    """Rows that are measured by themselves too: those with a column between two values."""

    title: str = Field("", description="Name in tables and figures; the key by default.")
    column: str = Field(
        NUMBER_OF_ELEMENTS,
        description="A number column of the scale's features, or `number_of_elements`, which formulas have.",
    )
    low: float | None = Field(None, description="Smallest value; no limit by default.")
    high: float | None = Field(None, description="Largest value; no limit by default.")

    @model_validator(mode="after")
    def _limits(self) -> Stratum:
        if self.low is None and self.high is None:
            raise ValueError("give low, high or both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low is above high")
        return self


class Truth(Part):
    """Hold a model of simulated devices against the simulator, for compounds that no scale trained on.

    For a scale whose data set has the generator `perovskite_devices`.
    """

    model: str = Field(description="Model of the scale, which runs in the strict protocol.")
    points: int = Field(25, gt=1, description="Devices along each variable.")
    compounds: int = Field(
        5, gt=0, description="Compounds followed along the variables, spread over the gap."
    )


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
        False, description="Pass the parents' predictions and spreads beside the latents."
    )
    features: dict[Name, FeatureBlock] = Field(description="Feature blocks by name.")
    targets: list[str] = Field([], description="Columns to predict.")
    group: list[str] = Field(
        [],
        description="Columns which, with the material, form a group of the split kind `grouped`.",
    )
    splits: dict[Name, Split] = Field({}, description="Further protocols beside strict.")
    models: dict[Name, ScaleModel] = Field(description="Autoencoders of the scale.")
    baselines: dict[Name, Baseline] = Field({}, description="Models to compare with.")
    recommended: Recommended | None = Field(None, description="The predictor in use.")
    compare: list[tuple[str, str]] = Field(
        [], description="Pairs (nested, single-scale) whose difference is reported with an interval."
    )
    strata: dict[Name, Stratum] = Field(
        {}, description="Parts of the rows whose errors are told beside those of all."
    )
    sweep: Sweep | None = Field(None, description="Latent-size sweep.")
    interpret: Interpretation | None = Field(None, description="Interpretation.")
    truth: Truth | None = Field(
        None, description="The physics beside the predictions, for simulated devices."
    )
    pool: PoolSearch | None = Field(None, description="Search for the best row, its label unseen.")

    @property
    def competitors(self) -> dict[str, ScaleModel | Baseline]:
        """Models, then baselines, by name."""
        return {**self.models, **self.baselines}

    @property
    def protocols(self) -> list[str]:
        """Protocols of the scale, strict first."""
        return ["strict", *self.splits]

    def runs(self, name: str) -> list[str]:
        """Protocols that a model or baseline of the scale runs in."""
        if name == "recommended":
            members = self.recommended.stack if self.recommended else []
            return [p for p in self.protocols if all(p in self.runs(m) for m in members)]
        entry = self.competitors[name]
        return [p for p in self.protocols if entry.protocols is None or p in entry.protocols]


class Layer(Part):
    """One MX2 layer in each cell of a table: columns a, b, c (Å) and alpha, beta, gamma (degrees)."""

    metal: str = Field("Mo", description="Element M.")
    chalcogen: str = Field("S", description="Element X.")
    heights: list[float] = Field(
        min_length=1,
        description=(
            "Height of X above and below M, in units of c; of several, each cell is calculated at each."
        ),
    )
    relax: bool = Field(False, description="Whether the positions are relaxed in the cell.")
    columns: list[str] = Field(
        [], description="Further numbers of the table to keep, such as variables that it was designed with."
    )

    @model_validator(mode="after")
    def _heights(self) -> Layer:
        if not all(0 < height < 0.5 for height in self.heights):
            raise ValueError("heights: lie between 0 and 0.5")
        if len(set(self.heights)) < len(self.heights):
            raise ValueError("heights: are not all different")
        return self


class StructureSet(Part):
    """Structures to calculate; exactly one of `set`, `file`, `candidates` and `dataset`."""

    set: Literal["ternaries", "binaries", "convergence", "alloys"] | None = Field(
        None, description="Built-in set, as the reference set of cubic halide perovskites is made of."
    )
    file: str | None = Field(
        None,
        description=(
            "Your own CSV file, relative to the working directory: a column `formula` and, where known, "
            "`lattice`, the lattice constant in angstrom that the search starts from. With `layer` the six "
            "numbers of a cell."
        ),
    )
    candidates: Name | None = Field(
        None, description="The best materials of this problem of `search`, for the target `verify`."
    )
    dataset: Name | None = Field(None, description="layer: cells of this data set of the study.")
    rows: list[int] = Field(
        [], description="layer: rows of `file` or `dataset`, counted from 0; all by default."
    )
    layer: Layer | None = Field(None, description="Calculate a layer in given cells, not compounds.")
    after: list[Name] = Field(
        [], description="Sets listed before this one, whose calculations the built-in set is made from."
    )
    options: dict[str, Any] = Field(
        {},
        description=(
            "Arguments of the built-in set; for your own table changes to the settings: `cutoff`, `kpoints`, "
            "`probes`, `strains` and others that docs/dft.md lists."
        ),
    )

    @model_validator(mode="after")
    def _one_source(self) -> StructureSet:
        sources = (self.set, self.file, self.candidates, self.dataset)
        if sum(source is not None for source in sources) != 1:
            raise ValueError("give exactly one of set, file, candidates, dataset")
        if self.dataset is not None and self.layer is None:
            raise ValueError("dataset goes with layer")
        if self.layer is not None and self.set is not None:
            raise ValueError("layer goes with file, candidates or dataset")
        if self.rows and (self.layer is None or self.candidates is not None):
            raise ValueError("rows goes with layer, and with file or dataset")
        if self.set is None and self.after:
            raise ValueError("after goes with a built-in set, with nothing else")
        if self.set in ("convergence", "alloys") and not self.after:
            raise ValueError(
                f"set {self.set!r} is made from calculations: name the set of the ternaries in after"
            )
        return self


class Dft(Part):
    """Calculations with GPAW, which the target `dft` runs."""

    python: str = Field(
        "python3",
        description=(
            "Interpreter that has GPAW, best an absolute path such as `/usr/bin/python3`; a bare name is not "
            "looked for in the virtual environment of nestmat."
        ),
    )
    parts: int = Field(16, ge=1, description="Jobs that a set is divided into.")
    sets: dict[Name, StructureSet] = Field(min_length=1, description="Sets of structures by name.")

    @model_validator(mode="after")
    def _references(self) -> Dft:
        seen: list[str] = []
        for name, entry in self.sets.items():
            if name in DFT_TABLES:
                raise ValueError(f"sets.{name}: has the name of a table of results; choose another")
            for other in entry.after:
                if other not in seen:
                    raise ValueError(f"sets.{name}.after: {other!r} is not a set listed before this one")
            seen.append(name)
        return self


class Study(Part):
    """One question: data sets, scales, protocols and what to show."""

    study: Name = Field(description="Name of the study and of its folder under results/.")
    title: str = Field(description="Headline of the report.")
    question: str = Field(description="The question that the study answers, in a paragraph.")
    tracking: str = Field(
        "sqlite", description="MLflow: `sqlite` (the store in mlflow/), `off`, or a tracking URI."
    )
    published: list[str] = Field(
        [], description="Files of resources/published/ to show beside the measured values."
    )
    datasets: dict[Name, str | DatasetSpec] = Field(
        description="Data sets: a name of resources/datasets.yaml, or a whole entry."
    )
    strict: Strict = Field(Strict(), description="The leak-free protocol, shared along the chain.")
    scales: dict[Name, Scale] = Field(description="Scales, finer before coarser.")
    generative: dict[Name, GenerativeModel] = Field(
        {}, description="Generative models by name, for methods of the kind generative."
    )
    search: dict[Name, DesignProblem] = Field({}, description="Problems of inverse design by name.")
    dft: Dft | None = Field(None, description="Calculations with GPAW, for the target `dft`.")

    @model_validator(mode="after")
    def _references(self) -> Study:
        seen: list[str] = []
        for name, scale in self.scales.items():
            _check_scale(name, scale, self.datasets, seen, self.scales)
            if scale.truth:
                self._check_truth(name, scale.truth)
            if scale.pool:
                _check_pool(name, scale.pool, self.scales)
            seen.append(name)
            learned = scale.recommended is not None and scale.recommended.weights == "learned"
            for protocol in scale.runs("recommended") if learned else []:
                folds = scale.splits.get(protocol, self.strict).folds
                if folds is not None and folds < 3:
                    raise ValueError(
                        f"scales.{name}.recommended: protocol {protocol!r} has {folds} folds, and 3 or more "
                        "are needed to learn the weights of the stack"
                    )
            for parent in sorted(self.ancestors(name)):
                readers = self._readers(parent, name)
                if len({self.scales[reader].pass_prediction for reader in readers}) > 1:
                    raise ValueError(
                        f"scales.{name}: {' and '.join(readers)} read {parent!r} with different "
                        "pass_prediction: give them the same"
                    )
        self._check_shared()
        for name, entry in self.dft.sets.items() if self.dft else ():
            self._check_structures(f"dft.sets.{name}", entry)
        for name, generative in self.generative.items():
            self._check_generative(name, generative)
        for name, problem in self.search.items():
            self._check_problem(name, problem)
            self._check_methods(name, problem)
        for name, scale in self.scales.items():
            for model in scale.models:
                for protocol in scale.runs(model):
                    if len(counts := self._inner_folds(name, model, protocol)) > 1:
                        raise ValueError(
                            f"scales.{name}.models.{model}: the stacks that it serves have {sorted(counts)} "
                            "inner folds: give all of them the same inner_folds"
                        )
                    semi = scale.models[model].specification.semi_supervised
                    if counts and semi and semi.teacher:
                        raise ValueError(
                            f"scales.{name}.models.{model}.specification.semi_supervised.teacher: "
                            f"{semi.teacher!r} has seen the labels that the weights of a stack are learned "
                            "on; give the stack equal weights, or keep the model out of it"
                        )
        return self

    def _check_structures(self, key: str, entry: StructureSet) -> None:
        if entry.dataset and entry.dataset not in self.datasets:
            raise ValueError(f"{key}.dataset: {entry.dataset!r} is not one of {sorted(self.datasets)}")
        if not entry.candidates:
            return
        problem = self.search.get(entry.candidates)
        if problem is None or problem.verify is None:
            raise ValueError(f"{key}.candidates: {entry.candidates!r} is not a problem of search with verify")
        if problem.space.cells != (entry.layer is not None):
            raise ValueError(f"{key}.layer: goes with candidates of a space of cells, and with no other")
        if entry.layer and len(entry.layer.heights) > 1:
            raise ValueError(f"{key}.layer.heights: candidates are calculated at one")

    def _check_shared(self) -> None:
        first: dict[str, tuple[str, Split]] = {}
        for name, scale in self.scales.items():
            for key, split in scale.splits.items():
                other, same = first.setdefault(key, (name, split))
                if "shared" in (split.kind, same.kind) and split != same:
                    raise ValueError(
                        f"scales.{name}.splits.{key}: differs from that of scale {other!r}; a shared split "
                        "has the same settings at every scale"
                    )
                if split.kind == "shared":
                    for parent in scale.parents:
                        if key not in self.scales[parent].splits:
                            raise ValueError(
                                f"scales.{name}.splits.{key}: its parent {parent!r} lacks this shared split, "
                                "and would have seen the materials that are left out"
                            )

    def _check_generative(self, name: str, given: GenerativeModel) -> None:
        key = f"generative.{name}"
        if given.scale not in self.scales:
            raise ValueError(f"{key}.scale: {given.scale!r} is not one of {list(self.scales)}")
        scale = self.scales[given.scale]
        if given.condition not in scale.targets:
            raise ValueError(f"{key}.condition: {given.condition!r} is not one of {scale.targets}")
        if given.teaching:
            teacher = scale.models.get(given.teaching.model)
            if teacher is None or given.condition not in teacher.specification.heads:
                raise ValueError(
                    f"{key}.teaching.model: {given.teaching.model!r} is not a model of the scale that "
                    f"predicts {given.condition!r}"
                )
        if given.space.sites is not None or given.space.elements is not None:
            raise ValueError(f"{key}.space: has to be of variables alone, which are columns of the data set")
        columns = {column for block in scale.features.values() for column in block.columns or []}
        if lacking := sorted(set(given.space.variables) - columns):
            raise ValueError(f"{key}.space: {lacking[0]!r} is not a column of a feature block of the scale")

    def _check_methods(self, name: str, problem: DesignProblem) -> None:
        for key, method in problem.methods.items():
            if method.model is None:
                continue
            here = f"search.{name}.methods.{key}.model"
            if method.model not in self.generative:
                raise ValueError(f"{here}: {method.model!r} is not one of {list(self.generative)}")
            model = self.generative[method.model]
            if [t.quantity for t in problem.targets] != [f"{model.scale}.{model.condition}"]:
                raise ValueError(f"{here}: {method.model!r} can be asked for its condition alone")
            if model.space != problem.space:
                raise ValueError(f"{here}: {method.model!r} has another space")

    def _check_problem(self, name: str, problem: DesignProblem) -> None:
        key = f"search.{name}"
        if name in self.scales:
            raise ValueError(f"{key}: is the name of a scale; choose another")
        if problem.scale not in self.scales:
            raise ValueError(f"{key}.scale: {problem.scale!r} is not one of {list(self.scales)}")
        scale = self.scales[problem.scale]
        if problem.model not in scale.models or "strict" not in scale.runs(problem.model):
            raise ValueError(
                f"{key}.model: {problem.model!r} is not a model of the scale that runs in strict"
            )
        split = scale.splits.get(problem.protocol)
        if not split or split.kind != "shared" or problem.protocol not in scale.runs(problem.model):
            raise ValueError(
                f"{key}.protocol: {problem.protocol!r} is not a split of kind shared of scale "
                f"{problem.scale!r} that model {problem.model!r} runs in"
            )
        for stem in self.chain(problem.scale, problem.model, "strict").values():
            one, _, model = stem.split("/")
            for block in self.scales[one].models[model].specification.inputs:
                given = self.scales[one].features.get(block)
                if given and (given.composition or given.matminer):
                    raise ValueError(
                        f"scales.{one}.models.{model}.specification.inputs: {block!r} describes whole "
                        f"compositions, which {key} cannot compute from the numbers of its space; let the "
                        "searched model read columns, one_hot, site, site_descriptors, perovskite, elements, "
                        "alloy or monolayer blocks"
                    )
        known = {
            *(
                f"{one}.{target}"
                for one in self.lineage(problem.scale)
                for target in self.scales[one].targets
            ),
            *("tolerance_factor", "octahedral_factor", "tau"),
            *problem.quantities,
        }
        wanted = [part.quantity for part in problem.targets]
        wanted += [part.quantity for part in problem.constraints]
        wanted += [q.detailed_balance for q in problem.quantities.values() if q.detailed_balance]
        if problem.judges and problem.judges.physics:
            wanted.append(problem.judges.physics.gap)
            if self.simulated(problem.scale) is None:
                raise ValueError(
                    f"{key}.judges.physics: scale {problem.scale!r} is not one of simulated devices"
                )
        if problem.verify:
            about = (problem.verify.gap, problem.verify.lattice, problem.verify.formation_energy)
            wanted += [quantity for quantity in about if quantity]
        if unknown := sorted(set(wanted) - known):
            raise ValueError(f"{key}: {unknown[0]!r} is not one of {sorted(known)}")

    def _check_truth(self, name: str, truth: Truth) -> None:
        scale, key = self.scales[name], f"scales.{name}.truth"
        if truth.model not in scale.models or "strict" not in scale.runs(truth.model):
            raise ValueError(f"{key}.model: {truth.model!r} is not a model of the scale that runs in strict")
        spec = self.datasets[scale.dataset]
        if not isinstance(spec, DatasetSpec) or spec.generator != DEVICES:
            raise ValueError(
                f"{key}: needs a data set with the generator {DEVICES}, whose truth is known; "
                f"{scale.dataset!r} is none"
            )
        if spec.named("gap") is None:
            raise ValueError(f"{key}: needs the generated column gap in the data set {scale.dataset!r}")
        if "strain" in spec.options and spec.options["strain"] is None:
            raise ValueError(f"{key}: follows devices over strain, which {scale.dataset!r} leaves out")
        target = self.simulated(name)
        if target not in scale.targets or target not in scale.models[truth.model].specification.heads:
            raise ValueError(
                f"{key}.model: {truth.model!r} does not predict the simulated column {EFFICIENCY}"
            )

    def saw_labels(self, scale: str, representation: str) -> bool:
        """Whether a model that describes the rows of a pool was trained on the labels that are sought there.

        Args:
            scale: Scale with a search in its pool.
            representation: Name of one of its representations.
        """
        pool = self.scales[scale].pool
        latents = pool.representations[representation].latents if pool else None
        if pool is None or latents is None:
            return False
        models = self.chain(latents.scale, latents.model, latents.protocol).values()
        heads = {
            (self.scales[name].dataset, head)
            for name, _, model in (stem.split("/") for stem in models)
            for head in self.scales[name].models[model].specification.heads
        }
        return (self.scales[scale].dataset, pool.target) in heads

    def simulated(self, scale: str) -> str | None:
        """Column of a scale's data set that is the simulated efficiency; None where nothing is simulated."""
        spec = self.datasets[self.scales[scale].dataset]
        if not isinstance(spec, DatasetSpec) or spec.generator != DEVICES:
            return None
        return spec.named(EFFICIENCY)

    def ancestors(self, scale: str) -> set[str]:
        """Scales whose latents a scale reads, directly or through others."""
        parents = self.scales[scale].parents
        return set(parents).union(*(self.ancestors(parent) for parent in parents))

    def lineage(self, scale: str) -> list[str]:
        """A scale and its ancestors, in the order of the study: parents first."""
        return [name for name in self.scales if name == scale or name in self.ancestors(scale)]

    def takes_prediction(self, parent: str, child: str) -> bool:
        """Whether a parent's predictions go beside its latents where they are made for the rows of a child.

        That is asked by the scale that reads them: the child, or one between the two.
        """
        return any(self.scales[s].pass_prediction for s in self._readers(parent, child))

    def _readers(self, parent: str, child: str) -> list[str]:
        return [name for name in self.lineage(child) if parent in self.scales[name].parents]

    def chain(self, scale: str, model: str, protocol: str) -> dict[str, str]:
        """The models that a prediction needs, ``<scale>/<protocol>/<model>`` by scale, parents first.

        Parents that were trained jointly with a child are in the child's own files.

        Raises:
            InputError: A scale is read along two ways, by different models.
        """
        found: dict[str, str] = {}

        def add(name: str, wanted: str, where: str) -> None:
            specification = self.scales[name].models[wanted].specification
            for parent in self.scales[name].parents:
                if parent in specification.inputs and not specification.joint:
                    add(parent, self.parent_model(name, wanted), self.parent_protocol(parent, where))
            mine = f"{name}/{where}/{wanted}"
            if found.setdefault(name, mine) != mine:
                raise InputError(
                    f"{scale} reads {name} along two ways, by different models: {found[name]} and {mine}.",
                    remedy="let both ways read the same model of that scale.",
                )

        add(scale, model, protocol)
        return found

    def inner_folds(self, scale: str, model: str, protocol: str) -> int:
        """Inner folds that a model is trained on, 0 for none.

        Those of its own scale's stack, if it is a member, or of the stack of a coarser scale whose models
        read its latents: members of an inner fold read parents that have not seen its materials either.
        """
        return max(self._inner_folds(scale, model, protocol), default=0)

    def _inner_folds(self, scale: str, model: str, protocol: str) -> set[int]:
        recommended = self.scales[scale].recommended
        found: set[int] = set()
        learned = recommended is not None and recommended.weights == "learned"
        stack = recommended.stack if recommended and learned else []
        if recommended and model in stack and protocol in self.scales[scale].runs("recommended"):
            found.add(recommended.inner_folds)
        for child, config in self.scales.items():
            for name, entry in config.models.items() if scale in config.parents else ():
                reads = scale in entry.specification.inputs and not entry.specification.joint
                if reads and self.parent_model(child, name) == model and protocol in config.runs(name):
                    found |= self._inner_folds(child, name, protocol)
        return found

    def parent_model(self, scale: str, model: str) -> str:
        """Name of the parents' model that a model of a scale reads."""
        return self.scales[scale].models[model].specification.parent_model or model

    def parent_protocol(self, parent: str, protocol: str) -> str:
        """Protocol of the parent's members that a child reads in ``protocol``.

        A parent that does not know the protocol gives its members trained on every row, which the strict
        run holds.
        """
        return protocol if protocol in self.scales[parent].protocols else "strict"


def _check_scale(
    name: str, scale: Scale, datasets: Mapping, seen: list[str], scales: Mapping[str, Scale]
) -> None:
    def need(thing: str, known: Any, key: str) -> None:
        if thing not in known:
            raise ValueError(f"scales.{name}.{key}: {thing!r} is not one of {sorted(known)}")

    need(scale.dataset, datasets, "dataset")
    for parent in scale.parents:
        if parent not in seen:
            raise ValueError(f"scales.{name}.parents: {parent!r} is not a scale listed before this one")
    if "strict" in scale.splits:
        raise ValueError(f"scales.{name}.splits: strict is configured once, at the top of the study")
    blocks = [*scale.features, *scale.parents]
    pairs = ((scale.features, scale.parents), (scale.models, scale.baselines), (blocks, scale.targets))
    if NUMBER_OF_ELEMENTS in blocks:
        raise ValueError(f"scales.{name}.features: {NUMBER_OF_ELEMENTS!r} is built in; choose another name")
    if clash := set().union(*(set(one) & set(other) for one, other in pairs)):
        raise ValueError(f"scales.{name}: {sorted(clash)} name two things")
    for key, model in scale.models.items():
        for block in model.specification.inputs:
            need(block, blocks, f"models.{key}.specification.inputs")
        for head in model.specification.heads:
            need(head, [*blocks, *scale.targets], f"models.{key}.specification.heads")
        read = [parent for parent in scale.parents if parent in model.specification.inputs]
        for parent in read:
            wanted = model.specification.parent_model or key
            need(wanted, scales[parent].models, f"models.{key}.specification.parent_model")
            if scales[parent].models[wanted].specification.joint:
                raise ValueError(
                    f"scales.{name}.models.{key}: reads {wanted!r} of {parent!r}, which is trained jointly; "
                    "read another model"
                )
        if semi := model.specification.semi_supervised:
            for block in (semi.composition, *semi.classifier):
                need(block, model.specification.inputs, f"models.{key}.specification.semi_supervised")
            if semi.teacher:
                here = f"models.{key}.specification.semi_supervised.teacher"
                need(semi.teacher, scale.baselines, here)
                if lacking := sorted(set(scale.runs(key)) - set(scale.runs(semi.teacher))):
                    raise ValueError(f"scales.{name}.{here}: {semi.teacher!r} does not run in {lacking}")
            if model.specification.joint:
                raise ValueError(
                    f"scales.{name}.models.{key}.specification.joint: a semi-supervised model is not trained "
                    "jointly with a parent"
                )
        if model.specification.joint and not read:
            raise ValueError(f"scales.{name}.models.{key}.specification.joint: no parent is among the inputs")
    for key, baseline in scale.baselines.items():
        for block in baseline.inputs:
            need(block, [*scale.features, NUMBER_OF_ELEMENTS], f"baselines.{key}.inputs")
    for key, entry in scale.competitors.items():
        for protocol in entry.protocols or []:
            need(protocol, scale.protocols, f"{key}.protocols")
    if scale.baselines and not scale.targets:
        raise ValueError(f"scales.{name}.baselines: the scale has no target to predict")
    if scale.recommended:
        for member in scale.recommended.stack:
            need(member, scale.competitors, "recommended.stack")
            heads = scale.models[member].specification.heads if member in scale.models else scale.targets
            if lacking := sorted(set(scale.targets) - set(heads)):
                raise ValueError(f"scales.{name}.recommended.stack: {member!r} has no head for {lacking}")
            if member in scale.models and scale.models[member].specification.joint:
                raise ValueError(
                    f"scales.{name}.recommended.stack: {member!r} is trained jointly, and the parent that it "
                    "trains would see the rows that the weights are learned on; combine other models"
                )
        if not scale.targets or not scale.runs("recommended"):
            raise ValueError(
                f"scales.{name}.recommended: needs a target, and a protocol that all of the stack run in"
            )
    for pair in scale.compare:
        for member in pair:
            need(member, scale.models, "compare")
    for use in (scale.sweep, scale.interpret):
        if use is None:
            continue
        need(use.model, scale.models, "model")
        if scale.models[use.model].specification.joint:
            raise ValueError(f"scales.{name}: {use.model!r} is trained jointly; sweep and interpret another")
        need(use.protocol, scale.runs(use.model), "protocol")
    shown = scale.interpret and scale.interpret.families
    if scale.interpret and shown and not scale.models[scale.interpret.model].specification.semi_supervised:
        raise ValueError(f"scales.{name}.interpret.families: goes with a semi-supervised model")


def _check_pool(name: str, pool: PoolSearch, scales: Mapping[str, Scale]) -> None:
    def need(thing: str, known: Any, key: str) -> None:
        if thing not in known:
            raise ValueError(f"scales.{name}.pool.{key}: {thing!r} is not one of {sorted(known)}")

    scale = scales[name]
    need(pool.target, scale.targets, "target")
    for key, representation in pool.representations.items():
        here, latents = f"representations.{key}", representation.latents
        for block in representation.blocks:
            need(block, scale.features, f"{here}.blocks")
        if latents is None:
            continue
        need(latents.scale, [name, *scale.parents], f"{here}.latents.scale")
        theirs = scales[latents.scale]
        need(latents.model, theirs.models, f"{here}.latents.model")
        need(latents.protocol, theirs.runs(latents.model), f"{here}.latents.protocol")
        if latents.scale != name and theirs.models[latents.model].specification.joint:
            raise ValueError(
                f"scales.{name}.pool.{here}.latents.model: {latents.model!r} is trained jointly; read another"
            )


def _explain(error: ValidationError) -> list[str]:
    found = []
    for fault in error.errors():
        # Of the two forms of a data set, a name or an entry, an entry is only held against the second.
        if fault["loc"][::2] == ("datasets", "str") and isinstance(fault["input"], dict):
            continue
        key = ".".join(str(part) for part in fault["loc"] if "DatasetSpec" not in str(part)) or "(top level)"
        hint = (
            "; is it misspelt?" if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument") else ""
        )
        found.append(f"{key}: {fault['msg']}{hint}")
    return found


def study_from(data: Mapping[str, Any], file: str | Path | None = None) -> Study:
    """Validate a configuration.

    Raises:
        InputError: Naming the file and every faulty key.
    """
    try:
        return Study.model_validate(dict(data))
    except ValidationError as error:
        faults = "\n  ".join(_explain(error))
        raise InputError(
            f"is not a valid study:\n  {faults}\n",
            file=file,
            remedy="see docs/configuration.md for the keys and their meaning.",
        ) from error


def load_yaml(path: str | Path) -> Any:
    """Parse a YAML file.

    Raises:
        InputError: The file is missing, empty or not YAML.
    """
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("does not exist.", file=path, remedy="check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"is not YAML: {error}", file=path, remedy="mend the line named.") from error
    if data is None:
        raise InputError("is empty.", file=path, remedy="start from `nestmat new`.")
    return data


def load_study(path: str | Path) -> Study:
    """Read and validate a study file.

    Raises:
        InputError: Naming the file and every faulty key.
    """
    data = load_yaml(path)
    if not isinstance(data, dict):
        raise InputError("is not a mapping of keys to values.", file=path, remedy="start from `nestmat new`.")
    return study_from(data, file=path)


def json_schema() -> str:
    """The JSON schema of a study, as `workflow/schemas/study.schema.json` holds it."""
    return json.dumps(Study.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
