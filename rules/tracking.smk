# Tracking.
# In: the files of a study. Out: run_config.yaml, the record of the run; tracking.json, the MLflow runs that the files
# were copied into. The files are the truth: nothing else reads the MLflow store.


rule write_run_config:
    input:
        tables=PLAN.tables(),
        code=code("write_run_config"),
    output:
        run_config=f"{RESULTS}/run_config.yaml",
    log:
        f"{RESULTS}/logs/write_run_config.log",
    conda:
        "../environment.yml"
    params:
        study=config,
    message:
        "Record configuration, versions and checksums"
    script:
        "../scripts/write_run_config.py"


rule init_tracking:
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
    input:
        # Not ancient(): with an outdated ancient input Snakemake 9.27 runs that input's rule and nothing else.
        store="mlflow/store.json",
        metrics=expand(f"{RESULTS}/metrics/{{scale}}.parquet", scale=STUDY.scales),
        cards=PLAN.model_files("json"),
        histories=PLAN.model_files("history.parquet"),
        code=code("track_runs"),
    output:
        json=f"{RESULTS}/tracking.json",
    log:
        f"{RESULTS}/logs/track_runs.log",
    conda:
        "../environment.yml"
    params:
        study=STUDY.study,
        uri=STUDY.tracking,
    message:
        "Copy the runs of {STUDY.study} into MLflow"
    script:
        "../scripts/track_runs.py"
