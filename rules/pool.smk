# Search in the pool of a scale's labelled rows.
# In: features and labels, latents of models. Out: pool/<scale>.parquet, how many labels each search saw until it found
# the best row, and pool/<scale>.order.parquet, which labels these were.

representations = tables.representations(STUDY)


rule search_pool:
    """Labels seen until the best row of a scale was found."""
    input:
        features="<results>/features/{scale}.parquet",
        data=collect("<results>/data/{dataset}.parquet", dataset=dataset_of_scale),
        latents=lookup("scale == '{scale}'", within=representations, cols="path"),
        code=code("search_pool"),
    output:
        pool="<results>/pool/{scale}.parquet",
        order="<results>/pool/{scale}.order.parquet",
    log:
        "<logs>/search_pool/{scale}.log",
    benchmark:
        "<benchmarks>/search_pool/{scale}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=grows(4000),
        runtime=grows(120),
    params:
        read=lookup("scale == '{scale}'", within=representations, cols="name"),
        settings=lookup(dpath="{scale}/pool", within=SCALES),
    message:
        "Search the pool of {wildcards.scale}"
    script:
        "../scripts/search_pool.py"
