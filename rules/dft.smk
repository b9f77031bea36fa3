# DFT, for the target `dft` alone: needs an interpreter with GPAW, which STUDY.dft.python names.
# In: built-in sets of structures, or a user's own table; cells of a table or of a data set, for layers.
# Out: dft/<set>.parquet, one row a calculation; dft/{records,calculations,compounds,electronic}.parquet of all sets;
# dft/<set>.rejects.parquet with a reason for every row of a user's table left out.
# dft/<set>.cells.parquet, one row a layer.
# Steps: check the interpreter; list the structures; calculate them in parts, each calculation kept in dft/journal as
# soon as it ends; collect; fit equations of state.

DFT = SETTINGS["dft"]
reference_sets = lookup("problem == '' and not layer", within=structure_sets, cols="name")


wildcard_constraints:
    set="|".join(DFT["sets"]),
    part="[0-9]+",


rule check_dft:
    """The interpreter with GPAW."""
    input:
        code=code("check_dft"),
    output:
        json="<results>/dft/gpaw.json",
        interpreter="<results>/dft/interpreter.txt",
    log:
        "<logs>/check_dft.log",
    benchmark:
        "<benchmarks>/check_dft.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        python=STUDY.dft.python,
    message:
        "Look for GPAW"
    script:
        "../scripts/check_dft.py"


rule list_structures:
    """Structures of a set."""
    input:
        file=lookup("name == '{set}' and path != ''", within=structure_sets, cols="path"),
        calculations=collect(
            "<results>/dft/{other}.parquet", other=lookup(dpath="sets/{set}/after", within=DFT)
        ),
        code=code("list_structures"),
        ions=resource("ions.yaml"),
    output:
        structures="<results>/dft/{set}.jsonl",
        rejects="<results>/dft/{set}.rejects.parquet",
    log:
        "<logs>/list_structures/{set}.log",
    benchmark:
        "<benchmarks>/list_structures/{set}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(15),
    params:
        spec=lookup(dpath="sets/{set}", within=DFT),
    message:
        "List the structures of {wildcards.set}"
    script:
        "../scripts/list_structures.py"


rule run_dft:
    """Calculations of a part of a set with GPAW."""
    input:
        structures="<results>/dft/{set}.jsonl",
        interpreter="<results>/dft/interpreter.txt",
        program=program("scripts/run_dft.py"),
        code=code("run_dft"),
    output:
        records="<results>/dft/parts/{set}/{part}.jsonl",
    log:
        "<logs>/run_dft/{set}.{part}.log",
    benchmark:
        "<benchmarks>/run_dft/{set}.{part}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1500),
        runtime=grows(1440),
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
    """Calculations of a set."""
    input:
        parts=expand("<results>/dft/parts/{{set}}/{part}.jsonl", part=range(STUDY.dft.parts)),
        code=code("collect_dft"),
    output:
        table="<results>/dft/{set}.parquet",
    log:
        "<logs>/collect_dft/{set}.log",
    benchmark:
        "<benchmarks>/collect_dft/{set}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(15),
    message:
        "Collect the calculations of {wildcards.set}"
    script:
        "../scripts/collect_dft.py"


rule summarise_cells:
    """Cells of a set with their results."""
    input:
        table="<results>/dft/{set}.parquet",
        file=lookup("name == '{set}' and path != ''", within=structure_sets, cols="path"),
        code=code("summarise_cells"),
    output:
        cells="<results>/dft/{set}.cells.parquet",
    log:
        "<logs>/summarise_cells/{set}.log",
    benchmark:
        "<benchmarks>/summarise_cells/{set}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(15),
    params:
        study=STUDY.study,
        spec=lookup(dpath="sets/{set}", within=DFT),
    message:
        "Put cells and results of {wildcards.set} together"
    script:
        "../scripts/summarise_cells.py"


rule summarise_dft:
    """Lattice constants, gaps and energies of all sets."""
    input:
        tables=expand("<results>/dft/{set}.parquet", set=reference_sets),
        code=code("summarise_dft"),
    output:
        records="<results>/dft/records.parquet",
        calculations="<results>/dft/calculations.parquet",
        compounds="<results>/dft/compounds.parquet",
        electronic="<results>/dft/electronic.parquet",
    log:
        "<logs>/summarise_dft.log",
    benchmark:
        "<benchmarks>/summarise_dft.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(15),
    params:
        study=STUDY.study,
        sets=reference_sets,
    message:
        "Fit equations of state"
    script:
        "../scripts/summarise_dft.py"
