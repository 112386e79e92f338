"""Unlearning, and the data that methods derive from other models before it."""


rule reference_sums:
    input:
        data="data/{scale}/{task}/manifest.json",
        model="results/{scale}/models/{task}/{method}/{variant}/seed{seed}/manifest.json",
        weights=ancient("results/{scale}/models/{task}/{method}/{variant}/seed{seed}/model.safetensors"),
    output:
        manifest="results/{scale}/derived/reference_sums/{request}/{task}/{method}/{variant}/seed{seed}/manifest.json",
    log:
        "logs/{scale}/{task}/reference_sums.{request}.{method}.{variant}.seed{seed}.log",
    priority: 90
    conda:
        "../envs/blur.yaml"
    resources:
        **NEEDS.of("evaluate"),
    params:
        key=parameter("reference_sums"),
    shell:
        "blur derive reference-sums --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --threads {threads}"
        " --request {wildcards.request}"
        " 2>&1 | tee {log}"


rule matched_lambda:
    input:
        model="results/{scale}/models/{task}/{method}/{variant}/seed{seed}/manifest.json",
    output:
        manifest="results/{scale}/derived/matched_lambda/{task}/{method}/{variant}/seed{seed}/manifest.json",
    log:
        "logs/{scale}/{task}/matched_lambda.{method}.{variant}.seed{seed}.log",
    localrule: True
    conda:
        "../envs/blur.yaml"
    params:
        key=parameter("matched_lambda"),
    shell:
        "blur derive matched-lambda --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} 2>&1 | tee {log}"


rule unlearn:
    input:
        unpack(unlearn_inputs),
    output:
        manifest="results/{scale}/models/{task}/{method}/{variant}/seed{seed}/manifest.json",
        epochs="results/{scale}/epochs/{task}/{method}/{variant}/seed{seed}/manifest.json",
        weights="results/{scale}/models/{task}/{method}/{variant}/seed{seed}/model.safetensors",
    log:
        "logs/{scale}/{task}/unlearn.{method}.{variant}.seed{seed}.log",
    wildcard_constraints:
        method=PATTERNS["method"],
    conda:
        "../envs/blur.yaml"
    resources:
        **NEEDS.of("unlearn"),
    params:
        key=parameter("unlearn"),
    shell:
        "blur unlearn --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --threads {threads} --gpus {resources.gpu}"
        " 2>&1 | tee {log}"
