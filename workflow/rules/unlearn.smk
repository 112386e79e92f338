"""Unlearning, and what is derived from other models for a method to read."""


rule derive:
    input:
        inputs("derive"),  # model; data where it reads any
    output:
        manifest="results/{scale}/derived/{derived}/{request}/{task}/{method}/{variant}/seed{seed}/manifest.json",
    log:
        "logs/{scale}/{task}/derive.{derived}.{request}.{method}.{variant}.seed{seed}.log",
    priority: 90
    conda:
        "../envs/blur.yaml"
    resources:
        **asked("derive"),
    params:
        key=parameter("derive"),
    shell:
        "blur derive {wildcards.derived} --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --request {wildcards.request}"
        " --threads {threads} --gpus {resources.gpu} 2>&1 | tee {log}"


rule unlearn:
    input:
        inputs("unlearn"),  # data, the model to start from, what is derived for the method
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
        **asked("unlearn"),
    params:
        key=parameter("unlearn"),
    shell:
        "blur unlearn --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --threads {threads} --gpus {resources.gpu}"
        " 2>&1 | tee {log}"
