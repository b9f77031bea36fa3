# Tracking.
# In: the files of a study. Out: run_config.yaml, the record of the run; tracking.json, the MLflow runs that the files
# were copied into. The files are the truth: nothing else reads the MLflow store.


rule write_run_config:
    """Configuration, versions and checksums of the run."""
    input:
        tables=expand("<results>/data/{dataset}.parquet", dataset=DATASETS),
        plugins=STUDY.plugins,
        code=code("write_run_config"),
    output:
        run_config="<results>/run_config.yaml",
    log:
        "<logs>/write_run_config.log",
    conda:
        "../environment.yml"
    params:
        study=config,
    message:
        "Record configuration, versions and checksums"
    script:
        "../scripts/write_run_config.py"


rule init_tracking:
    """The MLflow store."""
    input:
        code=code("init_tracking"),
    output:
        json="mlflow/store.json",
    log:
        "mlflow/init_tracking.log",
    conda:
        "../environment.yml"
    params:
        uri=STUDY.tracking,
    message:
        "Open the MLflow store"
    script:
        "../scripts/init_tracking.py"


rule track_runs:
    """The runs of the study in MLflow."""
    input:
        parts=added_results(STUDY),
        # Not ancient(): with an outdated ancient input Snakemake 9.27 runs that input's rule and nothing else.
        store="mlflow/store.json",
        metrics=expand("<results>/metrics/{scale}.parquet", scale=SCALES),
        cards=expand(
            "<results>/models/{run.scale}/{run.protocol}/{run.model}.json", run=list(trainings.itertuples())
        ),
        histories=expand(
            "<results>/models/{run.scale}/{run.protocol}/{run.model}.history.parquet",
            run=list(trainings.itertuples()),
        ),
        code=code("track_runs"),
    output:
        json="<results>/tracking.json",
    log:
        "<logs>/track_runs.log",
    conda:
        "../environment.yml"
    params:
        study=STUDY.study,
        uri=STUDY.tracking,
        parts=STUDY.parts,
    message:
        "Copy the runs of {STUDY.study} into MLflow"
    script:
        "../scripts/track_runs.py"
