# Verification by DFT of what a search proposes.
# In: members that were trained on every row; of a space of cells the shortlist. Out: search/<problem>/structures.csv, the
# best materials that fit into a cell of ten atoms, or cells of the shortlist, for a set of dft.sets;
# search/<problem>/verified.parquet, predictions beside calculations; search/<problem>/calibration{.errors}.parquet,
# calculations beside the data set.
# search/<problem>/rounds.parquet, what half of the calculated candidates teaches about the other half.
# Steps: select_structures; the rules of dft.smk; summarise_candidates; verify_candidates; compare_calibration;
# second_round.


rule select_structures:
    input:
        members=PLAN.deployed_files,
        shortlist=PLAN.selected_from,
        code=code("select_structures"),
        ions=resource("ions.yaml"),
    output:
        table=f"{RESULTS}/search/{{problem}}/structures.parquet",
        csv=f"{RESULTS}/search/{{problem}}/structures.csv",
    log:
        f"{RESULTS}/logs/select_structures/{{problem}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/select_structures/{{problem}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        study=PLAN.selecting_study,
        members=PLAN.deployed,
    message:
        "Select structures of {wildcards.problem} for DFT"
    script:
        "../scripts/select_structures.py"


rule summarise_candidates:
    input:
        table=f"{RESULTS}/dft/{{set}}.parquet",
        known=PLAN.known_records,
        code=code("summarise_candidates"),
    output:
        compounds=f"{RESULTS}/dft/{{set}}.compounds.parquet",
        electronic=f"{RESULTS}/dft/{{set}}.electronic.parquet",
    log:
        f"{RESULTS}/logs/summarise_candidates/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarise_candidates/{{set}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        study=STUDY.study,
    message:
        "Fit equations of state to the candidates of {wildcards.set}"
    script:
        "../scripts/summarise_candidates.py"


rule verify_candidates:
    input:
        members=PLAN.deployed_files,
        calculated=PLAN.verified_compounds,
        code=code("verify_candidates"),
        ions=resource("ions.yaml"),
    output:
        verified=f"{RESULTS}/search/{{problem}}/verified.parquet",
    log:
        f"{RESULTS}/logs/verify_candidates/{{problem}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/verify_candidates/{{problem}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        study=PLAN.selecting_study,
        members=PLAN.deployed,
    message:
        "Verify the candidates of {wildcards.problem}"
    script:
        "../scripts/verify_candidates.py"


rule compare_calibration:
    input:
        files=PLAN.calibration_files,
        code=code("compare_calibration"),
    output:
        calibration=f"{RESULTS}/search/{{problem}}/calibration.parquet",
        errors=f"{RESULTS}/search/{{problem}}/calibration.errors.parquet",
    log:
        f"{RESULTS}/logs/compare_calibration/{{problem}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_calibration/{{problem}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        gap=PLAN.calibrated_column,
    message:
        "Hold calculated cells against the data set of {wildcards.problem}"
    script:
        "../scripts/compare_calibration.py"


rule second_round:
    input:
        members=PLAN.deployed_files,
        files=PLAN.second_round_files,
        code=code("second_round"),
        ions=resource("ions.yaml"),
    output:
        rounds=f"{RESULTS}/search/{{problem}}/rounds.parquet",
    log:
        f"{RESULTS}/logs/second_round/{{problem}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/second_round/{{problem}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
        gpu=1,
    params:
        study=PLAN.second_round_study,
        members=PLAN.deployed,
    message:
        "Learn from the calculated candidates of {wildcards.problem}"
    script:
        "../scripts/second_round.py"
