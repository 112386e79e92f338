"""Unlearning, and the data that methods derive from other models before it."""


def unlearn_inputs(wildcards):
    """Data, target, and the derived data that the run's axes ask for."""
    run, task = run_of(wildcards), PLAN.task(wildcards.task)
    inputs = {
        "data": f"data/{SCALE}/{run.task}/manifest.json",
        "target": manifest("models", task.target),
        "weights": ancient(weights(task.target)),
    }
    for name, source in keys.derived_inputs(PLAN, run).items():
        inputs[name] = str(phase_dir("derived", SCALE, f"{name}/{source.path}") / "manifest.json")
    return inputs


rule reference_sums:
    input:
        data="data/{scale}/{task}/manifest.json",
        model="results/{scale}/models/{task}/{method}/{variant}/seed{seed}/manifest.json",
        weights=ancient("results/{scale}/models/{task}/{method}/{variant}/seed{seed}/model.safetensors"),
    output:
        manifest="results/{scale}/derived/reference_sums/{task}/{method}/{variant}/seed{seed}/manifest.json",
    params:
        key=parameter("reference_sums"),
    priority: 90
    log:
        "logs/{scale}/{task}/reference_sums.{method}.{variant}.seed{seed}.log",
    conda:
        "../envs/blur.yaml"
    shell:
        "blur derive reference-sums --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --threads {threads}"
        " --planned {params.key:q} 2>&1 | tee {log}"


rule matched_lambda:
    input:
        model="results/{scale}/models/{task}/{method}/{variant}/seed{seed}/manifest.json",
    output:
        manifest="results/{scale}/derived/matched_lambda/{task}/{method}/{variant}/seed{seed}/manifest.json",
    params:
        key=parameter("matched_lambda"),
    log:
        "logs/{scale}/{task}/matched_lambda.{method}.{variant}.seed{seed}.log",
    conda:
        "../envs/blur.yaml"
    shell:
        "blur derive matched-lambda --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --planned {params.key:q} 2>&1 | tee {log}"


rule unlearn:
    input:
        unpack(unlearn_inputs),
    output:
        manifest="results/{scale}/models/{task}/{method}/{variant}/seed{seed}/manifest.json",
        weights="results/{scale}/models/{task}/{method}/{variant}/seed{seed}/model.safetensors",
    params:
        key=parameter("unlearn"),
    log:
        "logs/{scale}/{task}/unlearn.{method}.{variant}.seed{seed}.log",
    conda:
        "../envs/blur.yaml"
    shell:
        "blur unlearn --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --threads {threads}"
        " --planned {params.key:q} 2>&1 | tee {log}"


ruleorder: train > unlearn


ruleorder: base > unlearn
