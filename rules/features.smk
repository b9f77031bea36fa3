# Features.
# In: data/<dataset>.parquet. Out: features/<scale>.parquet, in blocks, with units; for a scale with parents also the
# parents' blocks for its rows, features/<parent>__<child>.parquet.


rule featurize_materials:
    input:
        table=PLAN.table_of_scale,
        code=code("featurize_materials"),
        ions=resource("ions.yaml"),
    output:
        features=f"{RESULTS}/features/{{scale}}.parquet",
        rejects=f"{RESULTS}/features/{{scale}}.rejects.parquet",
    log:
        f"{RESULTS}/logs/featurize_materials/{{scale}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/featurize_materials/{{scale}}.tsv"
    conda:
        "../environment.yml"
    threads: PLAN.feature_threads
    resources:
        mem_mb=PLAN.feature_memory,
        runtime=60,
    params:
        spec=PLAN.feature_parameters,
    message:
        "Featurize the materials of {wildcards.scale}"
    script:
        "../scripts/featurize_materials.py"


rule featurize_for_parent:
    input:
        table=PLAN.table_of_child,
        parent=f"{RESULTS}/features/{{parent}}.parquet",
        code=code("featurize_for_parent"),
        ions=resource("ions.yaml"),
    output:
        features=f"{RESULTS}/features/{{parent}}__{{child}}.parquet",
        rejects=f"{RESULTS}/features/{{parent}}__{{child}}.rejects.parquet",
    log:
        f"{RESULTS}/logs/featurize_for_parent/{{parent}}__{{child}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/featurize_for_parent/{{parent}}__{{child}}.tsv"
    conda:
        "../environment.yml"
    threads: PLAN.feature_threads
    resources:
        mem_mb=PLAN.feature_memory,
        runtime=60,
    params:
        spec=PLAN.parent_feature_parameters,
        look_up=PLAN.look_up,
    message:
        "Featurize the materials of {wildcards.child} as {wildcards.parent} sees them"
    script:
        "../scripts/featurize_for_parent.py"
