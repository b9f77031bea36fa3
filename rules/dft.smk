# DFT, for the target `dft` alone: needs an interpreter with GPAW, which STUDY.dft.python names.
# In: built-in sets of structures, or a user's own table; cells of a table or of a data set, for layers.
# Out: dft/<set>.parquet, one row a calculation; dft/{records,calculations,compounds,electronic}.parquet of all sets;
# dft/<set>.rejects.parquet with a reason for every row of a user's table left out.
# dft/<set>.cells.parquet, one row a layer.
# Steps: check the interpreter; list the structures; calculate them in parts, each calculation kept in dft/journal as
# soon as it ends; collect; fit equations of state.


wildcard_constraints:
    set="|".join(STUDY.dft.sets),
    part="[0-9]+",


rule check_dft:
    input:
        code=code("check_dft"),
    output:
        json=f"{RESULTS}/dft/gpaw.json",
        interpreter=f"{RESULTS}/dft/interpreter.txt",
    log:
        f"{RESULTS}/logs/check_dft.log",
    benchmark:
        f"{RESULTS}/benchmarks/check_dft.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        python=STUDY.dft.python,
    message:
        "Look for GPAW"
    script:
        "../scripts/check_dft.py"


rule list_structures:
    input:
        file=PLAN.structure_file,
        calculations=PLAN.calculations_before,
        code=code("list_structures"),
        ions=resource("ions.yaml"),
    output:
        structures=f"{RESULTS}/dft/{{set}}.jsonl",
        rejects=f"{RESULTS}/dft/{{set}}.rejects.parquet",
    log:
        f"{RESULTS}/logs/list_structures/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/list_structures/{{set}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        spec=PLAN.structure_set,
    message:
        "List the structures of {wildcards.set}"
    script:
        "../scripts/list_structures.py"


rule run_dft:
    input:
        structures=f"{RESULTS}/dft/{{set}}.jsonl",
        interpreter=f"{RESULTS}/dft/interpreter.txt",
        program=program("scripts/run_dft.py"),
        code=code("run_dft"),
    output:
        records=f"{RESULTS}/dft/parts/{{set}}/{{part}}.jsonl",
    log:
        f"{RESULTS}/logs/run_dft/{{set}}.{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/run_dft/{{set}}.{{part}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=1440,
    params:
        parts=STUDY.dft.parts,
        # No output: a job that is killed finds its calculations here when it starts again.
        journal=f"{RESULTS}/dft/journal/{{set}}/{{part}}.jsonl",
    message:
        "Calculate part {wildcards.part} of {wildcards.set} with GPAW"
    shell:
        "python=$(cat {input.interpreter:q}); "
        'OMP_NUM_THREADS={threads} "$python" {input.program:q} --structures {input.structures:q}'
        " --journal {params.journal:q} --output {output.records:q} --part {wildcards.part} --parts {params.parts}"
        ' &> {log:q} || {{ echo "The calculations stopped. To look for GPAW: nestmat dft check --python $python"'
        " | tee -a {log:q} >&2; exit 1; }}"


rule collect_dft:
    input:
        parts=PLAN.calculated_parts,
        code=code("collect_dft"),
    output:
        table=f"{RESULTS}/dft/{{set}}.parquet",
    log:
        f"{RESULTS}/logs/collect_dft/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/collect_dft/{{set}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    message:
        "Collect the calculations of {wildcards.set}"
    script:
        "../scripts/collect_dft.py"


rule summarise_cells:
    input:
        table=f"{RESULTS}/dft/{{set}}.parquet",
        file=PLAN.structure_file,
        code=code("summarise_cells"),
    output:
        cells=f"{RESULTS}/dft/{{set}}.cells.parquet",
    log:
        f"{RESULTS}/logs/summarise_cells/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarise_cells/{{set}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        study=STUDY.study,
        spec=PLAN.structure_set,
    message:
        "Put cells and results of {wildcards.set} together"
    script:
        "../scripts/summarise_cells.py"


rule summarise_dft:
    input:
        tables=PLAN.calculated_sets(),
        code=code("summarise_dft"),
    output:
        records=f"{RESULTS}/dft/records.parquet",
        calculations=f"{RESULTS}/dft/calculations.parquet",
        compounds=f"{RESULTS}/dft/compounds.parquet",
        electronic=f"{RESULTS}/dft/electronic.parquet",
    log:
        f"{RESULTS}/logs/summarise_dft.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarise_dft.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        study=STUDY.study,
        sets=PLAN.reference_sets(),
    message:
        "Fit equations of state"
    script:
        "../scripts/summarise_dft.py"
