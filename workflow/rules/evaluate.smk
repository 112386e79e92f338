"""Evaluation writes raw measurements; metrics are summed up from them, cheaply, in jobs of their own."""


rule evaluate:
    input:
        data="data/{scale}/{task}/manifest.json",
        model="results/{scale}/models/{task}/{method}/{variant}/seed{seed}/manifest.json",
        weights=ancient("results/{scale}/models/{task}/{method}/{variant}/seed{seed}/model.safetensors"),
    output:
        manifest="results/{scale}/evaluation/{task}/{method}/{variant}/seed{seed}/manifest.json",
        likelihood="results/{scale}/evaluation/{task}/{method}/{variant}/seed{seed}/likelihood.parquet",
    log:
        "logs/{scale}/{task}/evaluate.{method}.{variant}.seed{seed}.log",
    conda:
        "../envs/blur.yaml"
    resources:
        **NEEDS.of("evaluate"),
    params:
        key=parameter("evaluate"),
    shell:
        "blur evaluate --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --threads {threads}"
        " 2>&1 | tee {log}"


rule metrics:
    input:
        unpack(metrics_inputs),
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
