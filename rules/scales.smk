# Scales.
# In: features/<scale>.parquet. Out: folds, trained members, their predictions and latents; latents of a finer scale for
# the rows of a coarser one; latent-size sweeps.
# Steps: assign_folds once for the whole chain; train_scale; propagate_latents; train_scale of the child.


rule assign_folds:
    input:
        features=expand(f"{RESULTS}/features/{{scale}}.parquet", scale=STUDY.scales),
        code=code("assign_folds"),
    output:
        folds=expand(f"{RESULTS}/folds/{{scale}}.parquet", scale=STUDY.scales),
    log:
        f"{RESULTS}/logs/assign_folds.log",
    benchmark:
        f"{RESULTS}/benchmarks/assign_folds.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        scales=list(STUDY.scales),
        split=PLAN.split_parameters,
    message:
        "Assign folds, shared along the chain"
    script:
        "../scripts/assign_folds.py"


rule train_scale:
    input:
        features=f"{RESULTS}/features/{{scale}}.parquet",
        folds=f"{RESULTS}/folds/{{scale}}.parquet",
        parents=PLAN.propagated,
        joint=PLAN.joint_files,
        teacher=PLAN.teacher,
        code=code("train_scale"),
    output:
        weights=f"{RESULTS}/models/{{scale}}/{{protocol}}/{{model}}.safetensors",
        card=f"{RESULTS}/models/{{scale}}/{{protocol}}/{{model}}.json",
        history=f"{RESULTS}/models/{{scale}}/{{protocol}}/{{model}}.history.parquet",
        predictions=f"{RESULTS}/predictions/{{scale}}/{{protocol}}/{{model}}.parquet",
        latents=f"{RESULTS}/latents/{{scale}}/{{protocol}}/{{model}}.parquet",
    log:
        f"{RESULTS}/logs/train_scale/{{scale}}.{{protocol}}.{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_scale/{{scale}}.{{protocol}}.{{model}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
        gpu=1,
    params:
        specification=PLAN.specification,
        inner_folds=PLAN.inner_folds,
        parents=PLAN.parents,
        joint=PLAN.joint,
    message:
        "Train {wildcards.model} at scale {wildcards.scale}, protocol {wildcards.protocol}"
    script:
        "../scripts/train_scale.py"


rule propagate_latents:
    input:
        weights=f"{RESULTS}/models/{{parent}}/{{protocol}}/{{model}}.safetensors",
        card=f"{RESULTS}/models/{{parent}}/{{protocol}}/{{model}}.json",
        features=f"{RESULTS}/features/{{parent}}__{{child}}.parquet",
        parents=PLAN.propagated_to_parent,
        code=code("propagate_latents"),
    output:
        latents=f"{RESULTS}/propagated/{{parent}}__{{child}}/{{protocol}}/{{model}}.parquet",
    log:
        f"{RESULTS}/logs/propagate_latents/{{parent}}__{{child}}.{{protocol}}.{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/propagate_latents/{{parent}}__{{child}}.{{protocol}}.{{model}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        parents=PLAN.parents_of_parent,
        pass_prediction=PLAN.pass_prediction,
    message:
        "Propagate the latents of {wildcards.parent} to {wildcards.child}"
    script:
        "../scripts/propagate_latents.py"


rule sweep_latents:
    input:
        features=f"{RESULTS}/features/{{scale}}.parquet",
        folds=f"{RESULTS}/folds/{{scale}}.parquet",
        parents=PLAN.swept_propagated,
        code=code("sweep_latents"),
    output:
        sweep=f"{RESULTS}/sweeps/{{scale}}.parquet",
    log:
        f"{RESULTS}/logs/sweep_latents/{{scale}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sweep_latents/{{scale}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
        gpu=1,
    params:
        sweep=PLAN.sweep,
        parents=PLAN.swept_parents,
    message:
        "Sweep the latent size at scale {wildcards.scale}"
    script:
        "../scripts/sweep_latents.py"
