"""Models before unlearning: the base, the target that knows everything, the model retrained without the forget set."""


def train_inputs(wildcards):
    """Data and base model; nothing for a model that is fetched by name."""
    run, task = run_of(wildcards), PLAN.task(wildcards.task)
    if getattr(task.config, run.method).kind == "hub":
        return {}
    base = Run(run.task, "base")
    return {
        "data": f"data/{SCALE}/{run.task}/manifest.json",
        "base": manifest("models", base),
        "weights": ancient(weights(base)),
    }


rule base:
    input:
        data="data/{scale}/{task}/manifest.json",
    output:
        manifest="results/{scale}/models/{task}/base/default/seed0/manifest.json",
        weights="results/{scale}/models/{task}/base/default/seed0/model.safetensors",
    params:
        key=parameter("base"),
    log:
        "logs/{scale}/{task}/base.log",
    conda:
        "../envs/blur.yaml"
    shell:
        "blur base --scale {wildcards.scale} --task {wildcards.task} --planned {params.key:q} 2>&1 | tee {log}"


rule train:
    input:
        unpack(train_inputs),
    output:
        manifest="results/{scale}/models/{task}/{role}/default/seed{seed}/manifest.json",
        weights="results/{scale}/models/{task}/{role}/default/seed{seed}/model.safetensors",
    params:
        key=parameter("train"),
    priority: 100
    log:
        "logs/{scale}/{task}/{role}.seed{seed}.log",
    conda:
        "../envs/blur.yaml"
    shell:
        "blur train --scale {wildcards.scale} --task {wildcards.task} --role {wildcards.role} --seed {wildcards.seed}"
        " --threads {threads} --planned {params.key:q} 2>&1 | tee {log}"
