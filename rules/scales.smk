# Scales.
# In: features/<scale>.parquet. Out: folds, trained members, their predictions and latents; latents of a finer scale for
# the rows of a coarser one; latent-size sweeps.
# What the rows that train cover: domains/<scale>/<protocol>.parquet.
# Steps: assign_folds once for the whole chain; describe_domain; train_scale; propagate_latents; train_scale of the child.

from dataclasses import asdict

from nestmat.plan.training import training_uses

joint_files = tables.joint_files(STUDY)
uses_of_rows = {
    scale: {protocol: asdict(use) for protocol, use in by_protocol.items()}
    for scale, by_protocol in training_uses(STUDY).items()
}


rule assign_folds:
    """Training and validation folds of every scale, shared along the chain."""
    input:
        features=expand("<results>/features/{scale}.parquet", scale=SCALES),
        code=code("assign_folds"),
        kinds=SPLIT_FILES,
    output:
        folds=expand("<results>/folds/{scale}.parquet", scale=SCALES),
    log:
        "<logs>/assign_folds.log",
    benchmark:
        "<benchmarks>/assign_folds.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(15),
    params:
        strict=SETTINGS["strict"],
        splits={name: scale["splits"] for name, scale in SCALES.items()},
        targets={name: scale["targets"] for name, scale in SCALES.items()},
        uses=uses_of_rows,
    message:
        "Assign folds, shared along the chain"
    script:
        "../scripts/assign_folds.py"


rule describe_domain:
    """The domain of a scale: what the rows that train it cover."""
    input:
        features="<results>/features/{scale}.parquet",
        folds="<results>/folds/{scale}.parquet",
        code=code("describe_domain"),
        kinds=code_of(BLOCKS, ask(STUDY.scales, "block_kinds", "scale")),
        ions=resource("ions.yaml"),
    output:
        domain="<results>/domains/{scale}/{protocol}.parquet",
    log:
        "<logs>/describe_domain/{scale}.{protocol}.log",
    benchmark:
        "<benchmarks>/describe_domain/{scale}.{protocol}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(15),
    params:
        blocks=lookup(dpath="{scale}/features", within=SCALES),
    message:
        "Describe the domain of {wildcards.scale}, protocol {wildcards.protocol}"
    script:
        "../scripts/describe_domain.py"


rule train_scale:
    """A model of a scale: all folds and seeds in one job."""
    input:
        features="<results>/features/{scale}.parquet",
        folds="<results>/folds/{scale}.parquet",
        parents=collect(
            "<results>/propagated/{link.parent}__{{scale}}/{link.parent_protocol}/{link.parent_model}.parquet",
            link=lookup(
                "scale == '{scale}' and protocol == '{protocol}' and model == '{model}'", within=links
            ),
        ),
        joint=lookup("scale == '{scale}' and model == '{model}'", within=joint_files, cols="path"),
        teacher=branch(
            lookup(
                "scale == '{scale}' and protocol == '{protocol}' and model == '{model}' and taught",
                within=trainings,
            ),
            then=["<results>/predictions/{scale}/{protocol}/baselines.parquet"],
        ),
        code=code("train_scale"),
        kind=code_of(NETWORKS, lookup(dpath="{scale}/models/{model}/specification/kind", within=SCALES)),
    output:
        weights="<results>/models/{scale}/{protocol}/{model}.safetensors",
        card="<results>/models/{scale}/{protocol}/{model}.json",
        history="<results>/models/{scale}/{protocol}/{model}.history.parquet",
        predictions="<results>/predictions/{scale}/{protocol}/{model}.parquet",
        latents="<results>/latents/{scale}/{protocol}/{model}.parquet",
    log:
        "<logs>/train_scale/{scale}.{protocol}.{model}.log",
    benchmark:
        "<benchmarks>/train_scale/{scale}.{protocol}.{model}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(240),
        gpu=1,
    params:
        specification=lookup(dpath="{scale}/models/{model}/specification", within=SCALES),
        stacked=ask(STUDY, "serves_stack", "scale", "model", "protocol"),
        parents=lookup(
            "scale == '{scale}' and protocol == '{protocol}' and model == '{model}'",
            within=links,
            cols="parent",
        ),
        joint=ask(STUDY, "joint_parents", "scale", "model"),
    message:
        "Train {wildcards.model} at scale {wildcards.scale}, protocol {wildcards.protocol}"
    script:
        "../scripts/train_scale.py"


rule propagate_latents:
    """Latents of a parent for the rows of its child."""
    input:
        weights="<results>/models/{parent}/{protocol}/{model}.safetensors",
        card="<results>/models/{parent}/{protocol}/{model}.json",
        features="<results>/features/{parent}__{child}.parquet",
        parents=collect(
            "<results>/propagated/{link.parent}__{{child}}/{link.parent_protocol}/{link.parent_model}.parquet",
            link=lookup(
                "scale == '{parent}' and protocol == '{protocol}' and model == '{model}'", within=links
            ),
        ),
        code=code("propagate_latents"),
    output:
        latents="<results>/propagated/{parent}__{child}/{protocol}/{model}.parquet",
    log:
        "<logs>/propagate_latents/{parent}__{child}.{protocol}.{model}.log",
    benchmark:
        "<benchmarks>/propagate_latents/{parent}__{child}.{protocol}.{model}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(30),
    params:
        parents=lookup(
            "scale == '{parent}' and protocol == '{protocol}' and model == '{model}'",
            within=links,
            cols="parent",
        ),
        pass_prediction=ask(STUDY, "takes_prediction", "parent", "child"),
    message:
        "Propagate the latents of {wildcards.parent} to {wildcards.child}"
    script:
        "../scripts/propagate_latents.py"


rule sweep_latents:
    """Errors of a model by latent size."""
    input:
        features="<results>/features/{scale}.parquet",
        folds="<results>/folds/{scale}.parquet",
        parents=collect(
            "<results>/propagated/{link.parent}__{{scale}}/{link.parent_protocol}/{link.parent_model}.parquet",
            link=lookup("scale == '{scale}' and swept", within=links),
        ),
        code=code("sweep_latents"),
        kind=code_of(
            NETWORKS,
            lookup(
                dpath="{scale}/models/{model}/specification/kind",
                within=SCALES,
                model=lookup(dpath="{scale}/sweep/model", within=SCALES),
            ),
        ),
    output:
        sweep="<results>/sweeps/{scale}.parquet",
    log:
        "<logs>/sweep_latents/{scale}.log",
    benchmark:
        "<benchmarks>/sweep_latents/{scale}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(240),
        gpu=1,
    params:
        sweep=lookup(dpath="{scale}/sweep", within=SCALES),
        specification=lookup(
            dpath="{scale}/models/{model}/specification",
            within=SCALES,
            model=lookup(dpath="{scale}/sweep/model", within=SCALES),
        ),
        parents=lookup("scale == '{scale}' and swept", within=links, cols="parent"),
    message:
        "Sweep the latent size at scale {wildcards.scale}"
    script:
        "../scripts/sweep_latents.py"
