# Inverse design.
# In: trained members of a chain. Out: candidates of each method and seed; all of them judged by models that never saw
# what the searched members saw, and by the physics; rates with intervals.
# generative/<protocol>/<model>, generative models, where methods sample from them.
# The candidates to go on with, by members that were trained on every row.
# Ways from one material to another, where a problem names two.
# For the target `screen`: every material of a space.
# Steps: train_generative; search_candidates, a job a method; judge_candidates; select_candidates; interpolate_materials.
# screen_chunk; merge_screen.


wildcard_constraints:
    problem="|".join(STUDY.search),
    method="|".join(sorted({method for problem in STUDY.search.values() for method in problem.methods})),
    chunk="[0-9]+",
    generative="|".join(STUDY.generative) or "none",


rule train_generative:
    input:
        weights=PLAN.teaching_weights,
        features=PLAN.generative_features,
        folds=PLAN.generative_folds,
        code=code("train_generative"),
        ions=resource("ions.yaml"),
    output:
        weights=f"{RESULTS}/generative/{{protocol}}/{{generative}}.safetensors",
        history=f"{RESULTS}/generative/{{protocol}}/{{generative}}.history.parquet",
    log:
        f"{RESULTS}/logs/train_generative/{{protocol}}.{{generative}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_generative/{{protocol}}.{{generative}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
        gpu=1,
    params:
        study=PLAN.generative_study,
        members=PLAN.generative_members,
    message:
        "Train the generative model {wildcards.generative}, protocol {wildcards.protocol}"
    script:
        "../scripts/train_generative.py"


rule search_candidates:
    input:
        members=PLAN.searched_files,
        data=PLAN.judging_data,
        generative=PLAN.searched_generative,
        code=code("search_candidates"),
        ions=resource("ions.yaml"),
    output:
        candidates=f"{RESULTS}/search/{{problem}}/{{method}}.parquet",
        runs=f"{RESULTS}/search/{{problem}}/{{method}}.runs.parquet",
    log:
        f"{RESULTS}/logs/search_candidates/{{problem}}.{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/search_candidates/{{problem}}.{{method}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=1,
    params:
        study=PLAN.search_study,
        members=PLAN.searched,
    message:
        "Search {wildcards.problem} by {wildcards.method}"
    script:
        "../scripts/search_candidates.py"


rule judge_candidates:
    input:
        members=PLAN.searched_files,
        data=PLAN.judging_data,
        candidates=PLAN.candidates,
        runs=PLAN.runs_of_search,
        code=code("judge_candidates"),
        ions=resource("ions.yaml"),
    output:
        judged=f"{RESULTS}/search/{{problem}}/judged.parquet",
        metrics=f"{RESULTS}/search/{{problem}}/metrics.parquet",
    log:
        f"{RESULTS}/logs/judge_candidates/{{problem}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/judge_candidates/{{problem}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        study=PLAN.judging_study,
        members=PLAN.searched,
    message:
        "Judge the candidates of {wildcards.problem}"
    script:
        "../scripts/judge_candidates.py"


rule select_candidates:
    input:
        members=PLAN.deployed_files,
        generative=PLAN.deployed_generative,
        code=code("select_candidates"),
        ions=resource("ions.yaml"),
    output:
        shortlist=f"{RESULTS}/search/{{problem}}/shortlist.parquet",
        csv=f"{RESULTS}/search/{{problem}}/candidates.csv",
        jsonl=f"{RESULTS}/search/{{problem}}/candidates.jsonl",
        cif=directory(f"{RESULTS}/search/{{problem}}/cif"),
    log:
        f"{RESULTS}/logs/select_candidates/{{problem}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/select_candidates/{{problem}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        study=PLAN.selecting_study,
        members=PLAN.deployed,
    message:
        "Select the candidates of {wildcards.problem}"
    script:
        "../scripts/select_candidates.py"


rule interpolate_materials:
    input:
        members=PLAN.searched_files,
        data=PLAN.judging_data,
        code=code("interpolate_materials"),
        ions=resource("ions.yaml"),
    output:
        points=f"{RESULTS}/search/{{problem}}/interpolation.parquet",
        measures=f"{RESULTS}/search/{{problem}}/interpolation.measures.parquet",
    log:
        f"{RESULTS}/logs/interpolate_materials/{{problem}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/interpolate_materials/{{problem}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        study=PLAN.interpolating_study,
        members=PLAN.searched,
    message:
        "Go from one material of {wildcards.problem} to another"
    script:
        "../scripts/interpolate_materials.py"


rule screen_chunk:
    input:
        members=PLAN.deployed_files,
        code=code("screen_chunk"),
        ions=resource("ions.yaml"),
    output:
        table=f"{RESULTS}/search/{{problem}}/screen/{{chunk}}.parquet",
    log:
        f"{RESULTS}/logs/screen_chunk/{{problem}}.{{chunk}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/screen_chunk/{{problem}}.{{chunk}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=120,
        gpu=1,
    params:
        study=PLAN.screening_study,
        members=PLAN.deployed,
    message:
        "Screen chunk {wildcards.chunk} of {wildcards.problem}"
    script:
        "../scripts/screen_chunk.py"


rule merge_screen:
    input:
        chunks=PLAN.screened_chunks,
        code=code("merge_screen"),
    output:
        screened=f"{RESULTS}/search/{{problem}}/screened.parquet",
    log:
        f"{RESULTS}/logs/merge_screen/{{problem}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/merge_screen/{{problem}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=15,
    message:
        "Put the chunks of {wildcards.problem} together"
    script:
        "../scripts/merge_screen.py"
