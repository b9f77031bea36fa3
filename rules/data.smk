# Data.
# In: an address with its checksum, the folder NESTMAT_MIRROR, a user's own file, or a generator.
# Out: data/<dataset>.parquet with units, and <dataset>.rejects.parquet with a reason for every row left out.
# Steps: fetch and verify the file, or make its table; read, check and canonicalise its rows.
from nestmat.data.registry import resolve

sources = {name: resolve(entry) for name, entry in STUDY.datasets.items()}


# Compute nodes often reach no other host.
localrules:
    fetch_dataset,


rule fetch_dataset:
    """A file of a data set, from its address or a mirror."""
    input:
        code=code("fetch_dataset"),
    output:
        file="downloads/{dataset}-{checksum}.{ending}",
    log:
        "downloads/{dataset}-{checksum}.{ending}.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(500),
        runtime=grows(60),
    params:
        file=ask(sources, "file_to_download", "dataset", "checksum"),
    message:
        "Fetch {wildcards.dataset}"
    script:
        "../scripts/fetch_dataset.py"


rule generate_dataset:
    """A built-in table."""
    input:
        reads=lookup("dataset == '{dataset}'", within=generator_files, cols="path"),
        code=code("generate_dataset"),
        kind=code_of(DATASET_GENERATORS, lookup(dpath="{dataset}/generator/kind", within=DATASETS)),
        ions=resource("ions.yaml"),
    output:
        table="<results>/data/{dataset}.generated.parquet",
    log:
        "<logs>/generate_dataset/{dataset}.log",
    benchmark:
        "<benchmarks>/generate_dataset/{dataset}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(30),
    params:
        generator=lookup(dpath="{dataset}/generator", within=DATASETS),
    message:
        "Make {wildcards.dataset}"
    script:
        "../scripts/generate_dataset.py"


rule read_dataset:
    """Rows of a data set, read, checked and with canonical formulas."""
    input:
        files=lookup("dataset == '{dataset}'", within=data_files, cols="path"),
        code=code("read_dataset"),
        ions=resource("ions.yaml"),
    output:
        table="<results>/data/{dataset}.parquet",
        rejects="<results>/data/{dataset}.rejects.parquet",
    log:
        "<logs>/read_dataset/{dataset}.log",
    benchmark:
        "<benchmarks>/read_dataset/{dataset}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(30),
    params:
        spec=lookup(dpath="{dataset}", within=DATASETS),
        targets=ask(STUDY, "targets_of_dataset", "dataset"),
    message:
        "Read {wildcards.dataset}"
    script:
        "../scripts/read_dataset.py"
