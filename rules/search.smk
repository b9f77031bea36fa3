# Inverse design.
# In: trained members of a chain. Out: candidates of each method and seed; all of them judged by models that never saw
# what the searched members saw, and by the physics; rates with intervals.
# generative/<protocol>/<model>, generative models, where methods sample from them.
# The candidates to go on with, by the recommended predictors or by members that were trained on every row.
# Ways from one material to another, where a problem names two.
# For the target `screen`: every material of a space.
# Steps: train_generative; search_candidates, a job a method; judge_candidates; distil_predictor; select_candidates; interpolate_materials.
# screen_chunk; merge_screen.


searches = tables.searches(STUDY)
searched = lookup("use == 'searched' and subject == '{problem}'", within=chains)
deployed = lookup("use == 'deployed' and subject == '{problem}'", within=chains)
used = lookup("use == '{use}' and subject == '{problem}'", within=chains)
teaching = "use == 'teaching' and subject == '{generative}' and protocol == '{protocol}'"
recommended = "problem == '{problem}' and not distilled"
distilled = "problem == '{problem}' and distilled"
judging_data = collect(
    "<results>/data/{part.dataset}.parquet",
    part=lookup("use == 'problem' and subject == '{problem}' and predicts", within=lineages),
)


wildcard_constraints:
    problem="|".join(PROBLEMS),
    method="|".join(searches["method"].unique()) or "none",
    chunk="[0-9]+",
    generative="|".join(STUDY.generative) or "none",
    use="searched|deployed",


rule train_generative:
    """A generative model of the materials of a space."""
    input:
        weights=collect(
            "<results>/models/{step.stem}.safetensors",
            step=lookup(f"{teaching} and stem != ''", within=chains),
        ),
        features=collect("<results>/features/{step.scale}.parquet", step=lookup(teaching, within=chains)),
        folds=collect("<results>/folds/{step.scale}.parquet", step=lookup(teaching, within=chains)),
        code=code("train_generative"),
        kind=code_of(GENERATORS, lookup(dpath="{generative}/kind", within=SETTINGS["generative"])),
        ions=resource("ions.yaml"),
    output:
        weights="<results>/generative/{protocol}/{generative}.safetensors",
        history="<results>/generative/{protocol}/{generative}.history.parquet",
    log:
        "<logs>/train_generative/{protocol}.{generative}.log",
    benchmark:
        "<benchmarks>/train_generative/{protocol}.{generative}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(120),
        gpu=1,
    params:
        study=excerpts.generative_excerpt(STUDY),
        scales=lookup(teaching, within=chains, cols="scale"),
    message:
        "Train the generative model {wildcards.generative}, protocol {wildcards.protocol}"
    script:
        "../scripts/train_generative.py"


rule search_candidates:
    """Candidates of a design problem by one method."""
    input:
        weights=collect("<results>/models/{step.stem}.safetensors", step=searched),
        features=collect("<results>/features/{step.scale}.parquet", step=searched),
        folds=collect("<results>/folds/{step.scale}.parquet", step=searched),
        domains=lookup("use == 'searched' and problem == '{problem}'", within=domains, cols="path"),
        predictor=lookup(f"use == 'searched' and {recommended}", within=predictors, cols="path"),
        student=lookup(f"use == 'searched' and {distilled}", within=predictors, cols="path"),
        data=judging_data,
        generative=collect(
            "<results>/generative/{search.protocol}/{search.generative}.safetensors",
            search=lookup(
                "problem == '{problem}' and method == '{method}' and generative != ''", within=searches
            ),
        ),
        code=code("search_candidates"),
        kind=code_of(METHODS, lookup(dpath="{problem}/methods/{method}/kind", within=PROBLEMS)),
        judge=code_of(JUDGES, ask(STUDY.search, "searched_judges", "problem", "method")),
        ions=resource("ions.yaml"),
    output:
        candidates="<results>/search/{problem}/{method}.parquet",
        runs="<results>/search/{problem}/{method}.runs.parquet",
    log:
        "<logs>/search_candidates/{problem}.{method}.log",
    benchmark:
        "<benchmarks>/search_candidates/{problem}.{method}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(60),
        gpu=1,
    params:
        study=excerpts.problem_excerpt(STUDY, "search_candidates"),
        fold=0,
    message:
        "Search {wildcards.problem} by {wildcards.method}"
    script:
        "../scripts/search_candidates.py"


rule judge_candidates:
    """Candidates of all methods by judges that the search never saw."""
    input:
        weights=collect("<results>/models/{step.stem}.safetensors", step=searched),
        features=collect("<results>/features/{step.scale}.parquet", step=searched),
        folds=collect("<results>/folds/{step.scale}.parquet", step=searched),
        domains=lookup("use == 'searched' and problem == '{problem}'", within=domains, cols="path"),
        predictor=lookup(f"use == 'searched' and {recommended}", within=predictors, cols="path"),
        student=lookup(f"use == 'searched' and {distilled}", within=predictors, cols="path"),
        data=judging_data,
        candidates=collect(
            "<results>/search/{{problem}}/{method}.parquet",
            method=lookup("problem == '{problem}'", within=searches, cols="method"),
        ),
        runs=collect(
            "<results>/search/{{problem}}/{method}.runs.parquet",
            method=lookup("problem == '{problem}'", within=searches, cols="method"),
        ),
        code=code("judge_candidates"),
        kinds=code_of(JUDGES, ask(STUDY.search, "judge_kinds", "problem")),
        ions=resource("ions.yaml"),
    output:
        judged="<results>/search/{problem}/judged.parquet",
        metrics="<results>/search/{problem}/metrics.parquet",
    log:
        "<logs>/judge_candidates/{problem}.log",
    benchmark:
        "<benchmarks>/judge_candidates/{problem}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(4000),
        runtime=grows(60),
    params:
        study=excerpts.problem_excerpt(STUDY, "judge_candidates"),
        fold=0,
    message:
        "Judge the candidates of {wildcards.problem}"
    script:
        "../scripts/judge_candidates.py"


rule distil_predictor:
    """A network that stands for the recommended predictors in the space of a design problem."""
    input:
        weights=collect("<results>/models/{step.stem}.safetensors", step=used),
        features=collect("<results>/features/{step.scale}.parquet", step=used),
        folds=collect("<results>/folds/{step.scale}.parquet", step=used),
        domains=lookup("use == '{use}' and problem == '{problem}'", within=domains, cols="path"),
        predictor=lookup(f"use == '{{use}}' and {recommended}", within=predictors, cols="path"),
        code=code("distil_predictor"),
        ions=resource("ions.yaml"),
    output:
        student="<results>/search/{problem}/{use}.predictor.safetensors",
        fidelity="<results>/search/{problem}/{use}.predictor.parquet",
    log:
        "<logs>/distil_predictor/{problem}.{use}.log",
    benchmark:
        "<benchmarks>/distil_predictor/{problem}.{use}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(3000),
        runtime=grows(60),
    params:
        study=excerpts.problem_excerpt(STUDY, "distil_predictor"),
        fold=lookup(dpath="{use}", within={"searched": 0, "deployed": -1}),
    message:
        "Distil the recommended predictors of {wildcards.problem}, {wildcards.use}"
    script:
        "../scripts/distil_predictor.py"


rule select_candidates:
    """The shortlist of a design problem."""
    input:
        weights=collect("<results>/models/{step.stem}.safetensors", step=deployed),
        features=collect("<results>/features/{step.scale}.parquet", step=deployed),
        folds=collect("<results>/folds/{step.scale}.parquet", step=deployed),
        domains=lookup("use == 'deployed' and problem == '{problem}'", within=domains, cols="path"),
        predictor=lookup(f"use == 'deployed' and {recommended}", within=predictors, cols="path"),
        student=lookup(f"use == 'deployed' and {distilled}", within=predictors, cols="path"),
        generative=collect(
            "<results>/generative/strict/{search.generative}.safetensors",
            search=lookup("problem == '{problem}' and deployed and generative != ''", within=searches),
        ),
        code=code("select_candidates"),
        kind=code_of(
            METHODS,
            lookup(
                dpath="{problem}/methods/{method}/kind",
                within=PROBLEMS,
                method=lookup(dpath="{problem}/shortlist/method", within=PROBLEMS),
            ),
        ),
        ions=resource("ions.yaml"),
    output:
        shortlist="<results>/search/{problem}/shortlist.parquet",
        csv="<results>/search/{problem}/candidates.csv",
        jsonl="<results>/search/{problem}/candidates.jsonl",
        cif=directory("<results>/search/{problem}/cif"),
    log:
        "<logs>/select_candidates/{problem}.log",
    benchmark:
        "<benchmarks>/select_candidates/{problem}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(60),
    params:
        study=excerpts.problem_excerpt(STUDY, "select_candidates"),
        fold=-1,
    message:
        "Select the candidates of {wildcards.problem}"
    script:
        "../scripts/select_candidates.py"


rule interpolate_materials:
    """Paths from one material to another."""
    input:
        weights=collect("<results>/models/{step.stem}.safetensors", step=searched),
        features=collect("<results>/features/{step.scale}.parquet", step=searched),
        folds=collect("<results>/folds/{step.scale}.parquet", step=searched),
        domains=lookup("use == 'searched' and problem == '{problem}'", within=domains, cols="path"),
        predictor=lookup(f"use == 'searched' and {recommended}", within=predictors, cols="path"),
        data=judging_data,
        code=code("interpolate_materials"),
        ions=resource("ions.yaml"),
    output:
        points="<results>/search/{problem}/interpolation.parquet",
        measures="<results>/search/{problem}/interpolation.measures.parquet",
    log:
        "<logs>/interpolate_materials/{problem}.log",
    benchmark:
        "<benchmarks>/interpolate_materials/{problem}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(30),
    params:
        study=excerpts.problem_excerpt(STUDY, "interpolate_materials"),
        fold=0,
    message:
        "Go from one material of {wildcards.problem} to another"
    script:
        "../scripts/interpolate_materials.py"


rule screen_chunk:
    """Materials of one part of a space."""
    input:
        weights=collect("<results>/models/{step.stem}.safetensors", step=deployed),
        features=collect("<results>/features/{step.scale}.parquet", step=deployed),
        folds=collect("<results>/folds/{step.scale}.parquet", step=deployed),
        domains=lookup("use == 'deployed' and problem == '{problem}'", within=domains, cols="path"),
        student=lookup(f"use == 'deployed' and {distilled}", within=predictors, cols="path"),
        code=code("screen_chunk"),
        ions=resource("ions.yaml"),
    output:
        table="<results>/search/{problem}/screen/{chunk}.parquet",
    log:
        "<logs>/screen_chunk/{problem}.{chunk}.log",
    benchmark:
        "<benchmarks>/screen_chunk/{problem}.{chunk}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1500),
        runtime=grows(120),
        gpu=1,
    params:
        study=excerpts.problem_excerpt(STUDY, "screen_chunk"),
        fold=-1,
    message:
        "Screen chunk {wildcards.chunk} of {wildcards.problem}"
    script:
        "../scripts/screen_chunk.py"


# Chunks hold what is kept, so this takes seconds whatever the size of the space.
localrules:
    merge_screen,


rule merge_screen:
    """Materials of a whole space."""
    input:
        chunks=collect(
            "<results>/search/{{problem}}/screen/{chunk}.parquet",
            chunk=ask(STUDY.search, "screen_chunks", "problem"),
        ),
        code=code("merge_screen"),
    output:
        screened="<results>/search/{problem}/screened.parquet",
    log:
        "<logs>/merge_screen/{problem}.log",
    benchmark:
        "<benchmarks>/merge_screen/{problem}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1500),
        runtime=grows(15),
    message:
        "Put the chunks of {wildcards.problem} together"
    script:
        "../scripts/merge_screen.py"
