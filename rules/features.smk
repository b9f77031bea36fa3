# Features.
# In: data/<dataset>.parquet. Out: features/<scale>.parquet, in blocks, with units; for a scale with parents also the
# parents' blocks for its rows, features/<parent>__<child>.parquet.
from nestmat.plan.jobs import feature_memory, feature_threads

featurization_threads = {name: feature_threads(scale) for name, scale in STUDY.scales.items()}


rule featurize_materials:
    """Inputs of a scale in blocks, and its targets."""
    input:
        table=collect("<results>/data/{dataset}.parquet", dataset=dataset_of_scale),
        code=code("featurize_materials"),
        kinds=code_of(BLOCKS, ask(STUDY.scales, "block_kinds", "scale")),
        ions=resource("ions.yaml"),
    output:
        features="<results>/features/{scale}.parquet",
        rejects="<results>/features/{scale}.rejects.parquet",
    log:
        "<logs>/featurize_materials/{scale}.log",
    benchmark:
        "<benchmarks>/featurize_materials/{scale}.tsv"
    conda:
        "../environment.yml"
    threads: lookup(dpath="{scale}", within=featurization_threads)
    resources:
        mem_mb=feature_memory,
        runtime=grows(60),
    params:
        features=lookup(dpath="{scale}/features", within=SCALES),
        targets=lookup(dpath="{scale}/targets", within=SCALES),
        group=lookup(dpath="{scale}/group", within=SCALES),
        categories=ask(STUDY, "category_columns", "scale"),
    message:
        "Featurize the materials of {wildcards.scale}"
    script:
        "../scripts/featurize_materials.py"


rule featurize_for_parent:
    """Inputs that a parent scale reads, for the rows of its child."""
    input:
        table=collect(
            "<results>/data/{dataset}.parquet", dataset=lookup(dpath="{child}/dataset", within=SCALES)
        ),
        parent="<results>/features/{parent}.parquet",
        code=code("featurize_for_parent"),
        kinds=code_of(BLOCKS, ask(STUDY.scales, "block_kinds", "parent")),
        ions=resource("ions.yaml"),
    output:
        features="<results>/features/{parent}__{child}.parquet",
        rejects="<results>/features/{parent}__{child}.rejects.parquet",
    log:
        "<logs>/featurize_for_parent/{parent}__{child}.log",
    benchmark:
        "<benchmarks>/featurize_for_parent/{parent}__{child}.tsv"
    conda:
        "../environment.yml"
    threads: lookup(dpath="{parent}", within=featurization_threads)
    resources:
        mem_mb=feature_memory,
        runtime=grows(60),
    params:
        features=lookup(dpath="{parent}/features", within=SCALES),
        parent_features=lookup(dpath="{child}/parent_features", within=SCALES),
    message:
        "Featurize the materials of {wildcards.child} as {wildcards.parent} sees them"
    script:
        "../scripts/featurize_for_parent.py"
