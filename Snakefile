# nestmat: from tables of materials, over one autoencoder a scale, to a report.
from snakemake.utils import min_version

min_version("9.27")

from nestmat.config.loading import study_from

# Scripts find the library also in an environment that it is not installed in, as --sdm conda makes one.
# What a user's PYTHONPATH holds stays behind it: an interpreter with GPAW may need it.
shell.prefix("export PYTHONPATH='{workflow.basedir}/workflow'\"${{PYTHONPATH:+:$PYTHONPATH}}\"; ")

CHOSEN = " ".join(f"--configfile {file}" for file in workflow.configfiles)

if "study" not in config:

    configfile: "config.yaml"


STUDY = study_from(config, file="the configuration")
RESULTS = f"results/{STUDY.study}"
COMMAND = f"snakemake --cores all {CHOSEN}".strip()


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/features.smk"
include: "rules/scales.smk"
include: "rules/evaluation.smk"
include: "rules/pool.smk"


if STUDY.search:

    include: "rules/search.smk"
    include: "rules/verification.smk"

    localrules:
        screen,


include: "rules/figures.smk"
include: "rules/tracking.smk"


if STUDY.dft:

    include: "rules/dft.smk"


report: "workflow/report/workflow.rst"


localrules:
    all,
    figures,
    metrics,
    init_tracking,
    track_runs,
    write_run_config,


rule all:
    default_target: True
    input:
        report=f"{RESULTS}/report.html",
        run_config=f"{RESULTS}/run_config.yaml",
        tracking=branch(STUDY.tracking == "off", then=[], otherwise=f"{RESULTS}/tracking.json"),


rule figures:
    input:
        figures=FIGURE_FILES,


rule metrics:
    input:
        metrics=expand(f"{RESULTS}/metrics/{{scale}}.parquet", scale=STUDY.scales),


if STUDY.search:

    rule screen:
        input:
            tables=PLAN.screened(),


if STUDY.dft:

    localrules:
        dft,
        verify,

    rule dft:
        input:
            tables=PLAN.summaries(),

    rule verify:
        input:
            tables=PLAN.calculated_candidates(),
