"""Figures and tables: they read stored results only."""


def figure_inputs(wildcards):
    """Metrics and model manifests of the runs that a figure's filters choose."""
    config = PLAN.task(wildcards.task).benchmark.figures[wildcards.figure]
    runs = [run for run in PLAN.evaluated(wildcards.task) if keys.is_chosen(run, config.runs)]
    unlearned = [run for run in runs if run in ALL_RUNS[wildcards.task]]
    return {
        "metrics": [manifest("metrics", run) for run in runs],
        "models": [manifest("models", run) for run in unlearned],
    }


rule figure:
    input:
        unpack(figure_inputs),
    output:
        pdf="results/{scale}/figures/{task}/{figure}.pdf",
        png=report(
            "results/{scale}/figures/{task}/{figure}.png",
            caption="../report/{figure}.rst",
            category="{task}",
            subcategory="Figures",
            labels={"figure": "{figure}"},
        ),
        csv="results/{scale}/figures/{task}/{figure}.csv",
    params:
        key=parameter("figure"),
    log:
        "logs/{scale}/{task}/figure.{figure}.log",
    conda:
        "../envs/blur.yaml"
    shell:
        "blur figures {wildcards.figure} --scale {wildcards.scale} --task {wildcards.task}"
        " --planned {params.key:q} 2>&1 | tee {log}"


rule table:
    input:
        metrics=lambda wildcards: [manifest("metrics", run) for run in PLAN.evaluated(wildcards.task)],
    output:
        markdown="results/{scale}/figures/{task}/results.md",
        csv=report(
            "results/{scale}/figures/{task}/results.csv",
            caption="../report/results.rst",
            category="{task}",
            subcategory="Tables",
            labels={"table": "results"},
        ),
        latex="results/{scale}/figures/{task}/results.tex",
        summary="results/{scale}/figures/{task}/results.json",
    params:
        key=parameter("table"),
    log:
        "logs/{scale}/{task}/table.log",
    conda:
        "../envs/blur.yaml"
    shell:
        "blur table --scale {wildcards.scale} --task {wildcards.task} --planned {params.key:q} 2>&1 | tee {log}"
