# Evaluation.
# In: predictions of models. Out: predictions and fits of the baselines, predictions of the recommended stack, metrics, the comparison of
# nested with single-scale models, errors by domain, simulated devices with their physics, interpretation and maps of the latents, what
# the latents of semi-supervised models keep.
from nestmat.data.targets import class_targets

targets_with_classes = {scale: class_targets(STUDY, scale) for scale in SCALES}
interpreted = lookup("scale == '{scale}' and interpreted", within=trainings)
explained = lookup("use == 'interpreted' and subject == '{scale}'", within=chains)
simulated = lookup("use == 'simulated' and subject == '{scale}'", within=chains)
lineage = lookup("use == 'scale' and subject == '{scale}'", within=lineages)
mapped = [
    run
    for run in trainings.itertuples()
    if run.interpreted and f"embeddings/{run.scale}.parquet" in figure_tables.get(run.scale, ())
]


rule compare_baselines:
    """Predictions of the baselines of a scale, also for coarser scales, and the fits that predict new rows."""
    input:
        features="<results>/features/{scale}.parquet",
        folds="<results>/folds/{scale}.parquet",
        parents=collect(
            "<results>/propagated/{link.parent}__{{scale}}/{{protocol}}.parquet",
            link=lookup("child == '{scale}' and protocol == '{protocol}'", within=prediction_links),
        ),
        children=collect(
            "<results>/features/{{scale}}__{link.child}.parquet",
            link=lookup("parent == '{scale}' and protocol == '{protocol}'", within=prediction_links),
        ),
        code=code("compare_baselines"),
        kinds=code_of(BASELINES, ask(STUDY.scales, "baseline_kinds_in", "scale", "protocol")),
    output:
        predictions="<results>/predictions/{scale}/{protocol}/baselines.parquet",
        fits="<results>/models/{scale}/{protocol}/baselines.zip",
        of_children="<results>/propagated/{scale}/{protocol}.baselines.parquet",
    log:
        "<logs>/compare_baselines/{scale}.{protocol}.log",
    benchmark:
        "<benchmarks>/compare_baselines/{scale}.{protocol}.tsv"
    conda:
        "../environment.yml"
    resources:
        # A Gaussian process of 8000 rows holds a few matrices of half a GB.
        mem_mb=grows(4000),
        runtime=grows(240),
    params:
        baselines=ask(STUDY.scales, "baselines_in", "scale", "protocol"),
        stacked=ask(STUDY.scales, "stacked_in", "scale", "protocol"),
        kept=ask(STUDY.scales, "kept_baselines", "scale", "protocol"),
        kept_fold=ask(STUDY.scales, "kept_fold", "scale", "protocol"),
        parents=lookup(
            "child == '{scale}' and protocol == '{protocol}'", within=prediction_links, cols="parent"
        ),
        children=lookup(
            "parent == '{scale}' and protocol == '{protocol}'", within=prediction_links, cols="child"
        ),
    message:
        "Fit the baselines of {wildcards.scale}, protocol {wildcards.protocol}"
    script:
        "../scripts/compare_baselines.py"


rule recommend_predictor:
    """Predictions of the recommended stack of a scale."""
    input:
        predictions=collect(
            "<results>/predictions/{{scale}}/{{protocol}}/{part}.parquet",
            part=ask(STUDY.scales, "stacked_predictions", "scale"),
        ),
        features="<results>/features/{scale}.parquet",
        folds="<results>/folds/{scale}.parquet",
        code=code("recommend_predictor"),
        kinds=code_of(BLOCKS, ask(STUDY.scales, "block_kinds", "scale")),
        ions=resource("ions.yaml"),
    output:
        predictions="<results>/predictions/{scale}/{protocol}/recommended.parquet",
        weights="<results>/predictions/{scale}/{protocol}/recommended.json",
        domain="<results>/predictions/{scale}/{protocol}/recommended.domain.parquet",
    log:
        "<logs>/recommend_predictor/{scale}.{protocol}.log",
    benchmark:
        "<benchmarks>/recommend_predictor/{scale}.{protocol}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(30),
    params:
        recommended=lookup(dpath="{scale}/recommended", within=SCALES),
        blocks=ask(STUDY.scales, "stacked_features", "scale"),
        classes=lookup(dpath="{scale}", within=targets_with_classes),
        fold=ask(STUDY.scales, "kept_fold", "scale", "protocol"),
    message:
        "Stack the recommended predictor of {wildcards.scale}, protocol {wildcards.protocol}"
    script:
        "../scripts/recommend_predictor.py"


rule propagate_predictions:
    """Predictions of the recommended stack of a parent for the rows of its child."""
    input:
        stack="<results>/predictions/{parent}/{protocol}/recommended.json",
        features="<results>/features/{parent}__{child}.parquet",
        baselines="<results>/propagated/{parent}/{protocol}.baselines.parquet",
        weights=collect(
            "<results>/models/{{parent}}/{{protocol}}/{model}.safetensors",
            model=ask(STUDY.scales, "stacked_models", "parent"),
        ),
        cards=collect(
            "<results>/models/{{parent}}/{{protocol}}/{model}.json",
            model=ask(STUDY.scales, "stacked_models", "parent"),
        ),
        parents=collect(
            "<results>/propagated/{link.parent}__{{child}}/{link.parent_protocol}/{link.parent_model}.parquet",
            link=lookup("scale == '{parent}' and protocol == '{protocol}' and stacked", within=links),
        ),
        code=code("propagate_predictions"),
    output:
        predictions="<results>/propagated/{parent}__{child}/{protocol}.parquet",
    log:
        "<logs>/propagate_predictions/{parent}__{child}.{protocol}.log",
    benchmark:
        "<benchmarks>/propagate_predictions/{parent}__{child}.{protocol}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(30),
    params:
        models=ask(STUDY.scales, "stacked_models", "parent"),
        readers=lookup(
            "scale == '{parent}' and protocol == '{protocol}' and stacked", within=links, cols="model"
        ),
        parents=lookup(
            "scale == '{parent}' and protocol == '{protocol}' and stacked", within=links, cols="parent"
        ),
    message:
        "Pass the predictions of {wildcards.parent} to {wildcards.child}"
    script:
        "../scripts/propagate_predictions.py"


rule measure_latents:
    """What the latents of a semi-supervised model keep."""
    input:
        weights="<results>/models/{scale}/{protocol}/{model}.safetensors",
        card="<results>/models/{scale}/{protocol}/{model}.json",
        latents="<results>/latents/{scale}/{protocol}/{model}.parquet",
        features="<results>/features/{scale}.parquet",
        code=code("measure_latents"),
    output:
        metrics="<results>/disentanglement/{scale}/{protocol}/{model}.parquet",
        errors="<results>/disentanglement/{scale}/{protocol}/{model}.errors.parquet",
    log:
        "<logs>/measure_latents/{scale}.{protocol}.{model}.log",
    benchmark:
        "<benchmarks>/measure_latents/{scale}.{protocol}.{model}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(30),
    message:
        "Measure the latents of {wildcards.model} at scale {wildcards.scale}, protocol {wildcards.protocol}"
    script:
        "../scripts/measure_latents.py"


rule evaluate_scale:
    """Errors and calibration of a scale, nested against single-scale models."""
    input:
        predictions=collect(
            "<results>/predictions/{{scale}}/{file.protocol}/{file.name}.parquet",
            file=lookup("scale == '{scale}'", within=predictions),
        ),
        cards=collect(
            "<results>/models/{{scale}}/{training.protocol}/{training.model}.json",
            training=lookup("scale == '{scale}'", within=trainings),
        ),
        latents=collect(
            "<results>/disentanglement/{{scale}}/{training.protocol}/{training.model}.parquet",
            training=lookup("scale == '{scale}' and probed", within=trainings),
        ),
        features="<results>/features/{scale}.parquet",
        code=code("evaluate_scale"),
    output:
        metrics="<results>/metrics/{scale}.parquet",
        comparisons="<results>/comparisons/{scale}.parquet",
        calibration="<results>/calibration/{scale}.parquet",
        strata="<results>/strata/{scale}.parquet",
    log:
        "<logs>/evaluate_scale/{scale}.log",
    benchmark:
        "<benchmarks>/evaluate_scale/{scale}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(30),
    params:
        compare=lookup(dpath="{scale}/compare", within=SCALES),
        strata=lookup(dpath="{scale}/strata", within=SCALES),
        left_out=ask(STUDY.scales, "columns_left_out", "scale"),
    message:
        "Evaluate scale {wildcards.scale}"
    script:
        "../scripts/evaluate_scale.py"


rule measure_domains:
    """Errors inside, at the edge and outside of the domain of the rows that trained."""
    input:
        training=collect("<results>/features/{step.scale}.parquet", step=lineage),
        rows=collect("<results>/features/{step.rows}.parquet", step=lineage),
        folds=collect("<results>/folds/{step.scale}.parquet", step=lineage),
        predictions=collect(
            "<results>/predictions/{{scale}}/{file.protocol}/{file.name}.parquet",
            file=lookup("scale == '{scale}' and protocol == 'strict'", within=predictions),
        ),
        code=code("measure_domains"),
        kinds=code_of(BLOCKS, ask(STUDY.scales, "block_kinds", "scale")),
        ions=resource("ions.yaml"),
    output:
        errors="<results>/domains/{scale}.parquet",
    log:
        "<logs>/measure_domains/{scale}.log",
    benchmark:
        "<benchmarks>/measure_domains/{scale}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(30),
    params:
        blocks=ask(STUDY, "lineage_features", "scale"),
    message:
        "Measure the domains of {wildcards.scale}"
    script:
        "../scripts/measure_domains.py"


rule compare_with_device_physics:
    """Simulated devices with their predictions."""
    input:
        weights=collect("<results>/models/{step.stem}.safetensors", step=simulated),
        cards=collect("<results>/models/{step.stem}.json", step=simulated),
        features=collect("<results>/features/{step.scale}.parquet", step=lineage),
        data=collect("<results>/data/{dataset}.parquet", dataset=dataset_of_scale),
        predictions=collect(
            "<results>/predictions/{{scale}}/strict/{model}.parquet",
            model=lookup(dpath="{scale}/device_physics/model", within=SCALES),
        ),
        calculations=lookup(
            "dataset == '{dataset}'", within=generator_files, cols="path", dataset=dataset_of_scale
        ),
        code=code("compare_with_device_physics"),
    output:
        comparison="<results>/truth/{scale}.parquet",
    log:
        "<logs>/compare_with_device_physics/{scale}.log",
    benchmark:
        "<benchmarks>/compare_with_device_physics/{scale}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(30),
    params:
        models=lookup("use == 'simulated' and subject == '{scale}'", within=chains, cols="scale"),
        device_physics=lookup(dpath="{scale}/device_physics", within=SCALES),
        blocks=ask(STUDY, "lineage_features", "scale"),
        dataset=lookup(dpath="{dataset}", within=DATASETS, dataset=dataset_of_scale),
    message:
        "Compare scale {wildcards.scale} with device physics"
    script:
        "../scripts/compare_with_device_physics.py"


rule interpret_scale:
    """Correlations and Shapley values of the model that is explained."""
    input:
        weights=collect("<results>/models/{{scale}}/{use.protocol}/{use.model}.safetensors", use=interpreted),
        card=collect("<results>/models/{{scale}}/{use.protocol}/{use.model}.json", use=interpreted),
        latents=collect("<results>/latents/{{scale}}/{use.protocol}/{use.model}.parquet", use=interpreted),
        features="<results>/features/{scale}.parquet",
        parents=collect(
            "<results>/propagated/{link.parent}__{{scale}}/{link.parent_protocol}/{link.parent_model}.parquet",
            link=lookup("scale == '{scale}' and interpreted", within=links),
        ),
        code=code("interpret_scale"),
    output:
        correlations="<results>/interpretation/{scale}.correlations.parquet",
        shapley="<results>/interpretation/{scale}.shapley.parquet",
        attributions="<results>/interpretation/{scale}.attributions.parquet",
    log:
        "<logs>/interpret_scale/{scale}.log",
    benchmark:
        "<benchmarks>/interpret_scale/{scale}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(60),
    params:
        parents=lookup("scale == '{scale}' and interpreted", within=links, cols="parent"),
        interpret=lookup(dpath="{scale}/interpret", within=SCALES),
    message:
        "Interpret scale {wildcards.scale}"
    script:
        "../scripts/interpret_scale.py"


rule encode_families:
    """Latents of families of alloys."""
    input:
        weights=collect("<results>/models/{step.stem}.safetensors", step=explained),
        cards=collect("<results>/models/{step.stem}.json", step=explained),
        features=collect("<results>/features/{step.scale}.parquet", step=explained),
        code=code("encode_families"),
    output:
        families="<results>/interpretation/{scale}.families.parquet",
    log:
        "<logs>/encode_families/{scale}.log",
    benchmark:
        "<benchmarks>/encode_families/{scale}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),
    params:
        scales=lookup("use == 'interpreted' and subject == '{scale}'", within=chains, cols="scale"),
        blocks=ask(STUDY, "lineage_features", "scale"),
        interpret=lookup(dpath="{scale}/interpret", within=SCALES),
    message:
        "Encode families of alloys at scale {wildcards.scale}"
    script:
        "../scripts/encode_families.py"


rule embed_latents:
    """Latents of every scale in two dimensions."""
    input:
        latents=expand("<results>/latents/{run.scale}/{run.protocol}/{run.model}.parquet", run=mapped),
        features=expand("<results>/features/{run.scale}.parquet", run=mapped),
        code=code("embed_latents"),
    output:
        embeddings=expand("<results>/embeddings/{run.scale}.parquet", run=mapped),
    log:
        "<logs>/embed_latents.log",
    benchmark:
        "<benchmarks>/embed_latents.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(30),
    message:
        "Map the latents of every scale to the plane"
    script:
        "../scripts/embed_latents.py"
