# Evaluation.
# In: predictions of models. Out: predictions of the baselines and of the recommended stack, metrics, the comparison of
# nested with single-scale models, simulated devices beside their physics, interpretation and maps of the latents, what
# the latents of semi-supervised models keep.


rule compare_baselines:
    input:
        features=f"{RESULTS}/features/{{scale}}.parquet",
        folds=f"{RESULTS}/folds/{{scale}}.parquet",
        code=code("compare_baselines"),
    output:
        predictions=f"{RESULTS}/predictions/{{scale}}/{{protocol}}/baselines.parquet",
    log:
        f"{RESULTS}/logs/compare_baselines/{{scale}}.{{protocol}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_baselines/{{scale}}.{{protocol}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        baselines=PLAN.baselines,
        stacked=PLAN.stacked_baselines,
        inner_folds=PLAN.stack_inner_folds,
    message:
        "Fit the baselines of {wildcards.scale}, protocol {wildcards.protocol}"
    script:
        "../scripts/compare_baselines.py"


rule recommend_predictor:
    input:
        predictions=PLAN.stack_predictions,
        code=code("recommend_predictor"),
    output:
        predictions=f"{RESULTS}/predictions/{{scale}}/{{protocol}}/recommended.parquet",
        weights=f"{RESULTS}/predictions/{{scale}}/{{protocol}}/recommended.json",
    log:
        f"{RESULTS}/logs/recommend_predictor/{{scale}}.{{protocol}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/recommend_predictor/{{scale}}.{{protocol}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        stack=PLAN.stack,
        learn=PLAN.stack_weights,
        classes=PLAN.class_targets,
    message:
        "Stack the recommended predictor of {wildcards.scale}, protocol {wildcards.protocol}"
    script:
        "../scripts/recommend_predictor.py"


rule measure_latents:
    input:
        weights=f"{RESULTS}/models/{{scale}}/{{protocol}}/{{model}}.safetensors",
        card=f"{RESULTS}/models/{{scale}}/{{protocol}}/{{model}}.json",
        latents=f"{RESULTS}/latents/{{scale}}/{{protocol}}/{{model}}.parquet",
        features=f"{RESULTS}/features/{{scale}}.parquet",
        code=code("measure_latents"),
    output:
        metrics=f"{RESULTS}/disentanglement/{{scale}}/{{protocol}}/{{model}}.parquet",
        errors=f"{RESULTS}/disentanglement/{{scale}}/{{protocol}}/{{model}}.errors.parquet",
    log:
        f"{RESULTS}/logs/measure_latents/{{scale}}.{{protocol}}.{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_latents/{{scale}}.{{protocol}}.{{model}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    message:
        "Measure the latents of {wildcards.model} at scale {wildcards.scale}, protocol {wildcards.protocol}"
    script:
        "../scripts/measure_latents.py"


rule evaluate_scale:
    input:
        predictions=PLAN.predictions,
        cards=PLAN.cards,
        latents=PLAN.latent_metrics,
        features=f"{RESULTS}/features/{{scale}}.parquet",
        code=code("evaluate_scale"),
    output:
        metrics=f"{RESULTS}/metrics/{{scale}}.parquet",
        comparisons=f"{RESULTS}/comparisons/{{scale}}.parquet",
        calibration=f"{RESULTS}/calibration/{{scale}}.parquet",
        strata=f"{RESULTS}/strata/{{scale}}.parquet",
    log:
        f"{RESULTS}/logs/evaluate_scale/{{scale}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_scale/{{scale}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        compare=PLAN.compare,
        left_out=PLAN.left_out,
        within=PLAN.strata,
    message:
        "Evaluate scale {wildcards.scale}"
    script:
        "../scripts/evaluate_scale.py"


rule trace_truth:
    input:
        weights=PLAN.traced_weights,
        cards=PLAN.traced_cards,
        features=PLAN.traced_features,
        data=PLAN.table_of_scale,
        predictions=PLAN.traced_predictions,
        calculations=PLAN.simulated_from,
        code=code("trace_truth"),
    output:
        truth=f"{RESULTS}/truth/{{scale}}.parquet",
    log:
        f"{RESULTS}/logs/trace_truth/{{scale}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/trace_truth/{{scale}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        models=PLAN.traced_models,
        truth=PLAN.truth,
    message:
        "Hold scale {wildcards.scale} against the physics"
    script:
        "../scripts/trace_truth.py"


rule interpret_scale:
    input:
        weights=PLAN.interpreted_weights,
        card=PLAN.interpreted_card,
        latents=PLAN.interpreted_latents,
        features=f"{RESULTS}/features/{{scale}}.parquet",
        parents=PLAN.interpreted_propagated,
        code=code("interpret_scale"),
    output:
        correlations=f"{RESULTS}/interpretation/{{scale}}.correlations.parquet",
        shapley=f"{RESULTS}/interpretation/{{scale}}.shapley.parquet",
        attributions=f"{RESULTS}/interpretation/{{scale}}.attributions.parquet",
    log:
        f"{RESULTS}/logs/interpret_scale/{{scale}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/interpret_scale/{{scale}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        parents=PLAN.interpreted_parents,
        interpret=PLAN.interpretation,
    message:
        "Interpret scale {wildcards.scale}"
    script:
        "../scripts/interpret_scale.py"


rule encode_families:
    input:
        weights=PLAN.family_weights,
        cards=PLAN.family_cards,
        features=PLAN.family_features,
        code=code("encode_families"),
    output:
        families=f"{RESULTS}/interpretation/{{scale}}.families.parquet",
    log:
        f"{RESULTS}/logs/encode_families/{{scale}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/encode_families/{{scale}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        blocks=PLAN.family_blocks,
        interpret=PLAN.interpretation,
    message:
        "Encode families of alloys at scale {wildcards.scale}"
    script:
        "../scripts/encode_families.py"


rule embed_latents:
    input:
        latents=PLAN.interpreted_latents,
        features=f"{RESULTS}/features/{{scale}}.parquet",
        code=code("embed_latents"),
    output:
        embedding=f"{RESULTS}/embeddings/{{scale}}.parquet",
    log:
        f"{RESULTS}/logs/embed_latents/{{scale}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed_latents/{{scale}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    message:
        "Map the latents of {wildcards.scale} to the plane"
    script:
        "../scripts/embed_latents.py"
