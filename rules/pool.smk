# Search in the pool of a scale's labelled rows.
# In: features and labels, latents of models. Out: pool/<scale>.parquet, how many labels each search saw until it found
# the best row, and pool/<scale>.order.parquet, which labels these were.


rule search_pool:
    input:
        features=f"{RESULTS}/features/{{scale}}.parquet",
        data=PLAN.table_of_scale,
        latents=PLAN.pool_latents,
        code=code("search_pool"),
    output:
        pool=f"{RESULTS}/pool/{{scale}}.parquet",
        order=f"{RESULTS}/pool/{{scale}}.order.parquet",
    log:
        f"{RESULTS}/logs/search_pool/{{scale}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/search_pool/{{scale}}.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        read=PLAN.pool_read,
        settings=PLAN.pool,
    message:
        "Search the pool of {wildcards.scale}"
    script:
        "../scripts/search_pool.py"
