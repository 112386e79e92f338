"""Evaluation writes raw measurements; metrics are summed up from them, cheaply, in jobs of their own."""


rule evaluate:
    input:
        inputs("evaluate"),  # data, model
    output:
        manifest="results/{scale}/evaluation/{task}/{method}/{variant}/seed{seed}/manifest.json",
        likelihood="results/{scale}/evaluation/{task}/{method}/{variant}/seed{seed}/likelihood.parquet",
    log:
        "logs/{scale}/{task}/evaluate.{method}.{variant}.seed{seed}.log",
    conda:
        "../envs/blur.yaml"
    resources:
        **asked("evaluate"),
    params:
        key=parameter("evaluate"),
    shell:
        "blur evaluate --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --threads {threads}"
        " 2>&1 | tee {log}"


rule metrics:
    input:
        inputs("metrics"),  # the model's and the retrained one's measurements, and those of each epoch
    output:
        manifest="results/{scale}/metrics/{task}/{method}/{variant}/seed{seed}/manifest.json",
        metrics="results/{scale}/metrics/{task}/{method}/{variant}/seed{seed}/metrics.json",
    log:
        "logs/{scale}/{task}/metrics.{method}.{variant}.seed{seed}.log",
    localrule: True
    conda:
        "../envs/blur.yaml"
    params:
        key=parameter("metrics"),
    shell:
        "blur metrics --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} 2>&1 | tee {log}"
