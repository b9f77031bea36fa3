# Data.
# In: an address with its checksum, the folder NESTMAT_MIRROR, a user's own file, or a generator.
# Out: data/<dataset>.parquet with units, and <dataset>.rejects.parquet with a reason for every row left out.
# Steps: fetch and verify the file, or make its table; read, check and canonicalise its rows.


rule fetch_dataset:
    input:
        code=code("fetch_dataset"),
    output:
        file="downloads/{dataset}-{checksum}.{ending}",
    log:
        "downloads/{dataset}-{checksum}.{ending}.log",
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=60,
    params:
        file=PLAN.data_file,
    message:
        "Fetch {wildcards.dataset}"
    script:
        "../scripts/fetch_dataset.py"


rule generate_dataset:
    input:
        reads=PLAN.generated_from,
        code=code("generate_dataset"),
        ions=resource("ions.yaml"),
    output:
        table=f"{RESULTS}/data/{{dataset}}.generated.parquet",
    log:
        f"{RESULTS}/logs/generate_dataset/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/generate_dataset/{{dataset}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        generator=PLAN.generator,
    message:
        "Make {wildcards.dataset}"
    script:
        "../scripts/generate_dataset.py"


rule read_dataset:
    input:
        files=PLAN.raw_files,
        code=code("read_dataset"),
        ions=resource("ions.yaml"),
    output:
        table=f"{RESULTS}/data/{{dataset}}.parquet",
        rejects=f"{RESULTS}/data/{{dataset}}.rejects.parquet",
    log:
        f"{RESULTS}/logs/read_dataset/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/read_dataset/{{dataset}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        spec=PLAN.dataset_spec,
        targets=PLAN.targets_of_dataset,
    message:
        "Read {wildcards.dataset}"
    script:
        "../scripts/read_dataset.py"
