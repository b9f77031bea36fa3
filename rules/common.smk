# What the rules share.
# In: STUDY, the validated configuration. Out: tables of its jobs, in which the rules look up their files; its keys as plain
# values; patterns of the wildcards. ask(STUDY, question, wildcards) is an answer of the study that no table holds.
# code(script) are the library modules that a script depends on, code_of(registry, kinds) those of the kinds that a job
# uses.
from nestmat.data.generator_registry import GENERATORS as DATASET_GENERATORS
from nestmat.data.targets import check_classes, check_weighted_fits
from nestmat.design.judges.registry import JUDGES
from nestmat.evaluation.estimators.registry import BASELINES
from nestmat.evaluation.splits.registry import SPLITS
from nestmat.features.registry import BLOCKS
from nestmat.figures import drawing
from nestmat.models.registry import NETWORKS
from nestmat.plan import excerpts, tables
from nestmat.plan.code import code, code_of, kind_files, program, resource
from nestmat.plan.jobs import ask, grows
from nestmat.search.generators.registry import GENERATORS
from nestmat.search.methods.registry import METHODS

check_classes(STUDY, "the configuration")
check_weighted_fits(STUDY, "the configuration")
SETTINGS = excerpts.settings(STUDY)
DATASETS, SCALES, PROBLEMS = SETTINGS["datasets"], SETTINGS["scales"], SETTINGS["search"]
SPLIT_FILES = kind_files(SPLITS, STUDY.split_kinds)
PUBLISHED = [resource(f"published/{name}.yaml") for name in STUDY.published]

data_files = tables.data_files(STUDY)
generator_files = tables.generator_files(STUDY)
trainings = tables.trainings(STUDY)
predictions = tables.predictions(STUDY)
links = tables.links(STUDY)
prediction_links = tables.prediction_links(STUDY)
chains = tables.chains(STUDY)
domains = tables.domains(STUDY)
predictors = tables.predictors(STUDY)
lineages = tables.lineages(STUDY)
structure_sets = tables.structure_sets(STUDY)
figure_tables = drawing.tables_by_subject(STUDY)
SUBJECTS = list(figure_tables)
dataset_of_scale = lookup(dpath="{scale}/dataset", within=SCALES)


wildcard_constraints:
    dataset="|".join(DATASETS),
    scale="|".join(SCALES),
    parent="|".join(SCALES),
    child="|".join(SCALES),
    protocol="[A-Za-z][A-Za-z0-9_]*",
    model="|".join(trainings["model"].unique()),
    checksum="[0-9a-f]{12}",
    ending="csv|parquet|xlsx|json",
