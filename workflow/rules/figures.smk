"""Figures and tables: they read stored results only. Each figure is a rule of its own."""

for FIGURE in FIGURES:

    rule:
        name:
            f"figure_{FIGURE}"
        input:
            inputs("figures", figure=FIGURE),  # metrics, models and attacks of the runs that it shows
        output:
            manifest=f"results/{{scale}}/drawn/{{task}}/{FIGURE}/manifest.json",
            pdf=f"results/{{scale}}/figures/{{task}}/{FIGURE}.pdf",
            png=report(
                f"results/{{scale}}/figures/{{task}}/{FIGURE}.png",
                caption=f"../report/{FIGURE}.rst",
                category="{task}",
                subcategory="Figures",
                labels={"figure": FIGURE},
            ),
            csv=f"results/{{scale}}/figures/{{task}}/{FIGURE}.csv",
        log:
            f"logs/{{scale}}/{{task}}/figure.{FIGURE}.log",
        localrule: True
        conda:
            "../envs/blur.yaml"
        params:
            key=parameter("figures", figure=FIGURE),
        shell:
            "blur figures $(basename {output.csv} .csv) --scale {wildcards.scale} --task {wildcards.task} 2>&1 | tee {log}"


rule table:
    input:
        inputs("table"),  # metrics of every model, data
    output:
        manifest="results/{scale}/drawn/{task}/results/manifest.json",
        markdown="results/{scale}/figures/{task}/results.md",
        csv=report(
            "results/{scale}/figures/{task}/results.csv",
            caption="../report/results.rst",
            category="{task}",
            subcategory="Tables",
            labels={"table": "results"},
        ),
        latex="results/{scale}/figures/{task}/results.tex",
        summary="results/{scale}/summary/{task}.json",
    log:
        "logs/{scale}/{task}/table.log",
    localrule: True
    conda:
        "../envs/blur.yaml"
    params:
        key=parameter("table"),
    shell:
        "blur table --scale {wildcards.scale} --task {wildcards.task} 2>&1 | tee {log}"


rule robustness:
    input:
        inputs("robustness"),  # what came back in every attack, metrics from before
    output:
        manifest="results/{scale}/drawn/{task}/robustness/manifest.json",
        markdown="results/{scale}/figures/{task}/robustness.md",
        csv=report(
            "results/{scale}/figures/{task}/robustness.csv",
            caption="../report/robustness.rst",
            category="{task}",
            subcategory="Tables",
            labels={"table": "robustness"},
        ),
    log:
        "logs/{scale}/{task}/robustness.log",
    localrule: True
    conda:
        "../envs/blur.yaml"
    params:
        key=parameter("robustness"),
    shell:
        "blur robustness --scale {wildcards.scale} --task {wildcards.task} 2>&1 | tee {log}"
