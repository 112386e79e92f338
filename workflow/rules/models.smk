"""Models before unlearning: the base, the target that knows everything, the model retrained without the forget set."""


rule base:
    input:
        inputs("base"),  # data
    output:
        manifest="results/{scale}/models/{task}/base/default/seed0/manifest.json",
        weights="results/{scale}/models/{task}/base/default/seed0/model.safetensors",
    log:
        "logs/{scale}/{task}/base.log",
    conda:
        "../envs/blur.yaml"
    resources:
        **asked("base"),
    params:
        key=parameter("base"),
    shell:
        "blur base --scale {wildcards.scale} --task {wildcards.task} --threads {threads} 2>&1 | tee {log}"


rule train:
    input:
        inputs("train"),  # data, base model; nothing for a model that is fetched
    output:
        manifest="results/{scale}/models/{task}/{role}/default/seed{seed}/manifest.json",
        weights="results/{scale}/models/{task}/{role}/default/seed{seed}/model.safetensors",
    log:
        "logs/{scale}/{task}/{role}.seed{seed}.log",
    priority: 100
    conda:
        "../envs/blur.yaml"
    resources:
        **asked("train"),
    params:
        key=parameter("train"),
    shell:
        "blur train --scale {wildcards.scale} --task {wildcards.task} --role {wildcards.role} --seed {wildcards.seed}"
        " --threads {threads} --gpus {resources.gpu} 2>&1 | tee {log}"
