# Verification by DFT of what a search proposes.
# In: members that were trained on every row; of a space of cells the shortlist. Out: search/<problem>/structures.csv, the
# best materials that fit into a cell of ten atoms, or cells of the shortlist, for a set of dft.sets;
# search/<problem>/verified.parquet, predictions with calculations; search/<problem>/calibration{.errors}.parquet,
# calculations with the data set.
# search/<problem>/rounds.parquet, what half of the calculated candidates teaches about the other half.
# Steps: select_structures; the rules of dft.smk; summarise_candidates; verify_candidates; compare_calibration;
# retrain_on_calculated.

sets_of_problem = lookup("problem == '{problem}'", within=structure_sets, cols="name")


rule select_structures:
    """Structures of a design problem for DFT."""
    input:
        weights=collect("<results>/models/{step.stem}.safetensors", step=deployed),
        features=collect("<results>/features/{step.scale}.parquet", step=deployed),
        folds=collect("<results>/folds/{step.scale}.parquet", step=deployed),
        domains=lookup("use == 'deployed' and problem == '{problem}'", within=domains, cols="path"),
        predictor=lookup(f"use == 'deployed' and {recommended}", within=predictors, cols="path"),
        student=lookup(f"use == 'deployed' and {distilled}", within=predictors, cols="path"),
        shortlist=branch(
            ask(STUDY.search, "space.cells", "problem"),
            then=["<results>/search/{problem}/shortlist.parquet"],
        ),
        code=code("select_structures"),
        ions=resource("ions.yaml"),
    output:
        table="<results>/search/{problem}/structures.parquet",
        csv="<results>/search/{problem}/structures.csv",
    log:
        "<logs>/select_structures/{problem}.log",
    benchmark:
        "<benchmarks>/select_structures/{problem}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(30),
    params:
        study=excerpts.problem_excerpt(STUDY, "select_structures"),
        fold=-1,
    message:
        "Select structures of {wildcards.problem} for DFT"
    script:
        "../scripts/select_structures.py"


rule summarise_candidates:
    """Lattice constants, gaps and energies of calculated candidates."""
    input:
        table="<results>/dft/{set}.parquet",
        known=lookup("name == '{set}' and records != ''", within=structure_sets, cols="records"),
        code=code("summarise_candidates"),
    output:
        compounds="<results>/dft/{set}.compounds.parquet",
        electronic="<results>/dft/{set}.electronic.parquet",
    log:
        "<logs>/summarise_candidates/{set}.log",
    benchmark:
        "<benchmarks>/summarise_candidates/{set}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(15),
    params:
        study=STUDY.study,
    message:
        "Fit equations of state to the candidates of {wildcards.set}"
    script:
        "../scripts/summarise_candidates.py"


rule verify_candidates:
    """Predictions with calculations."""
    input:
        weights=collect("<results>/models/{step.stem}.safetensors", step=deployed),
        features=collect("<results>/features/{step.scale}.parquet", step=deployed),
        folds=collect("<results>/folds/{step.scale}.parquet", step=deployed),
        domains=lookup("use == 'deployed' and problem == '{problem}'", within=domains, cols="path"),
        predictor=lookup(f"use == 'deployed' and {recommended}", within=predictors, cols="path"),
        calculated=branch(
            lookup(dpath="{problem}/verify/file", within=PROBLEMS),
            then=lookup(dpath="{problem}/verify/file", within=PROBLEMS),
            otherwise=branch(
                ask(STUDY.search, "space.cells", "problem"),
                then=collect("<results>/dft/{set}.cells.parquet", set=sets_of_problem),
                otherwise=collect("<results>/dft/{set}.compounds.parquet", set=sets_of_problem),
            ),
        ),
        code=code("verify_candidates"),
        ions=resource("ions.yaml"),
    output:
        verified="<results>/search/{problem}/verified.parquet",
    log:
        "<logs>/verify_candidates/{problem}.log",
    benchmark:
        "<benchmarks>/verify_candidates/{problem}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(30),
    params:
        study=excerpts.problem_excerpt(STUDY, "verify_candidates"),
        fold=-1,
    message:
        "Verify the candidates of {wildcards.problem}"
    script:
        "../scripts/verify_candidates.py"


rule compare_calibration:
    """Calculated cells with the data set."""
    input:
        cells=lookup(dpath="{problem}/verify/calibration", within=PROBLEMS),
        data=collect("<results>/data/{dataset}.parquet", dataset=ask(STUDY, "dataset_of_gap", "problem")),
        code=code("compare_calibration"),
    output:
        calibration="<results>/search/{problem}/calibration.parquet",
        errors="<results>/search/{problem}/calibration.errors.parquet",
    log:
        "<logs>/compare_calibration/{problem}.log",
    benchmark:
        "<benchmarks>/compare_calibration/{problem}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(15),
    params:
        gap=lookup(dpath="{problem}/verify/gap", within=PROBLEMS),
    message:
        "Hold calculated cells against the data set of {wildcards.problem}"
    script:
        "../scripts/compare_calibration.py"


rule retrain_on_calculated:
    """What calculated candidates teach."""
    input:
        weights=collect("<results>/models/{step.stem}.safetensors", step=deployed),
        features=collect("<results>/features/{step.scale}.parquet", step=deployed),
        folds=collect("<results>/folds/{step.scale}.parquet", step=deployed),
        domains=lookup("use == 'deployed' and problem == '{problem}'", within=domains, cols="path"),
        data=collect(
            "<results>/data/{part.dataset}.parquet",
            part=lookup("use == 'problem' and subject == '{problem}' and finest", within=lineages),
        ),
        calculated=lookup(dpath="{problem}/retrain/file", within=PROBLEMS),
        code=code("retrain_on_calculated"),
        ions=resource("ions.yaml"),
    output:
        rounds="<results>/search/{problem}/rounds.parquet",
    log:
        "<logs>/retrain_on_calculated/{problem}.log",
    benchmark:
        "<benchmarks>/retrain_on_calculated/{problem}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(2000),
        runtime=grows(120),
        gpu=1,
    params:
        study=excerpts.problem_excerpt(STUDY, "retrain_on_calculated"),
        fold=-1,
    message:
        "Learn from the calculated candidates of {wildcards.problem}"
    script:
        "../scripts/retrain_on_calculated.py"
