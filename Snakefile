# nestmat: from tables of materials, over one autoencoder a scale, to a report.
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

from nestmat.config.dft import DFT_TABLES
from nestmat.config.loading import study_from
from nestmat.plan.command import library_prefix, repeat_command
from nestmat.plan.parts import added_results, predictor_results, rule_files
from nestmat.processes import end_with_run, name_run

# Jobs end with the run, also where it is killed.
if workflow.is_main_process:
    name_run()
else:
    end_with_run()

# Scripts find the library also in an environment that it is not installed in, as --sdm conda makes one.
# What a user's PYTHONPATH holds stays behind it: an interpreter with GPAW may need it.
shell.prefix(library_prefix(workflow.basedir))

CHOSEN = list(workflow.configfiles)

if "study" not in config:

    configfile: "config.yaml"


STUDY = study_from(config, "the configuration", check_options=workflow.is_main_process)
RESULTS = f"results/{STUDY.study}"
COMMAND = repeat_command(workflow.main_snakefile, CHOSEN, Path.cwd())


pathvars:
    results=RESULTS,
    logs="<results>/logs",
    benchmarks="<results>/benchmarks",


include: "rules/common.smk"


report: "workflow/report/workflow.rst"


localrules:
    all,
    figures,
    metrics,
    init_tracking,
    track_runs,
    write_run_config,


rule all:
    """The report of the study, its predictor, the record of the run, and the runs in MLflow."""
    default_target: True
    input:
        report="<results>/report.html",
        run_config="<results>/run_config.yaml",
        predictor=[f"<results>/{file}" for file in predictor_results(STUDY)],
        parts=added_results(STUDY),
        tracking=branch(STUDY.tracking == "off", then=[], otherwise="<results>/tracking.json"),


rule figures:
    """Every figure of the study."""
    input:
        figures=expand("<results>/figures/{subject}", subject=SUBJECTS),


rule metrics:
    """Errors and calibration of every scale."""
    input:
        metrics=expand("<results>/metrics/{scale}.parquet", scale=SCALES),


if STUDY.search:

    localrules:
        screen,

    rule screen:
        """Every material of the spaces that are screened."""
        input:
            tables=expand(
                "<results>/search/{problem}/screened.parquet",
                problem=[name for name, problem in PROBLEMS.items() if problem["screen"]],
            ),


if STUDY.dft:

    localrules:
        dft,
        verify,

    rule dft:
        """Calculations with GPAW of every set of compounds and layers."""
        input:
            tables=branch(
                lookup("problem == '' and not layer", within=structure_sets),
                then=expand("<results>/dft/{table}.parquet", table=DFT_TABLES),
            ),
            cells=collect(
                "<results>/dft/{set}.cells.parquet",
                set=lookup("problem == '' and layer", within=structure_sets, cols="name"),
            ),

    rule verify:
        """Calculations with GPAW of the candidates of design problems."""
        input:
            cells=collect(
                "<results>/dft/{set}.cells.parquet",
                set=lookup("problem != '' and layer", within=structure_sets, cols="name"),
            ),
            tables=collect(
                "<results>/dft/{set}.{table}.parquet",
                set=lookup("problem != '' and not layer", within=structure_sets, cols="name"),
                table=["compounds", "electronic"],
            ),


for file in rule_files(STUDY, f"{workflow.basedir}/rules"):

    include: file


include: "rules/figures.smk"
include: "rules/tracking.smk"
