# Figures and the report.
# In: the tables of all stages. Out: figures/<scale or problem>.<kind>.svg, and report.html, one self-contained file.

FIGURE_FILES = PLAN.figure_files()

# One rule a scale or design problem, so that one process draws all its figures and yet each is a file with its own place in
# `snakemake --report`.
for subject, kinds in PLAN.figures().items():

    rule:
        name:
            f"draw_figures_{subject}"
        input:
            tables=PLAN.figure_inputs(subject),
            published=PLAN.published_files(),
            code=code("draw_figures"),
        output:
            **{
                kind: report(
                    f"{RESULTS}/figures/{subject}.{kind}.svg",
                    caption=f"../workflow/report/{kind}.rst",
                    category=PLAN.title(subject),
                    labels={"figure": kind.replace("_", " ")},
                )
                for kind in kinds
            },
        log:
            f"{RESULTS}/logs/draw_figures/{subject}.log",
        benchmark:
            f"{RESULTS}/benchmarks/draw_figures/{subject}.tsv"
        conda:
            "../environment.yml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        params:
            study=config,
            subject=subject,
        message:
            "Draw the figures of a scale or a design problem"
        script:
            "../scripts/draw_figures.py"


rule write_report:
    input:
        tables=PLAN.report_inputs(),
        figures=FIGURE_FILES,
        published=PLAN.published_files(),
        code=code("write_report"),
    output:
        report=f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/write_report.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_report.tsv"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        study=config,
        command=COMMAND,
    message:
        "Write the report of {STUDY.study}"
    script:
        "../scripts/write_report.py"
