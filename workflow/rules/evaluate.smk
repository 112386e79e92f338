"""Evaluation writes raw measurements; metrics are summed up from them, cheaply, in jobs of their own."""


def metrics_inputs(wildcards):
    """Measurements of the model and of the retrained one, and those taken while it was unlearned."""
    run, task = run_of(wildcards), PLAN.task(wildcards.task)
    inputs = {
        "evaluation": manifest("evaluation", run),
        "measurements": ancient(str(phase_dir("evaluation", SCALE, run.path) / "likelihood.parquet")),
    }
    if task.retrained and task.retrained != run:
        inputs["retrained"] = manifest("evaluation", task.retrained)
    if run in ALL_RUNS[run.task]:
        inputs["model"] = manifest("models", run)
    return inputs


rule evaluate:
    input:
        data="data/{scale}/{task}/manifest.json",
        model="results/{scale}/models/{task}/{method}/{variant}/seed{seed}/manifest.json",
        weights=ancient("results/{scale}/models/{task}/{method}/{variant}/seed{seed}/model.safetensors"),
    output:
        manifest="results/{scale}/evaluation/{task}/{method}/{variant}/seed{seed}/manifest.json",
        likelihood="results/{scale}/evaluation/{task}/{method}/{variant}/seed{seed}/likelihood.parquet",
    params:
        key=parameter("evaluate"),
    log:
        "logs/{scale}/{task}/evaluate.{method}.{variant}.seed{seed}.log",
    conda:
        "../envs/blur.yaml"
    shell:
        "blur evaluate --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --threads {threads}"
        " --planned {params.key:q} 2>&1 | tee {log}"


rule metrics:
    input:
        unpack(metrics_inputs),
    output:
        manifest="results/{scale}/metrics/{task}/{method}/{variant}/seed{seed}/manifest.json",
        metrics="results/{scale}/metrics/{task}/{method}/{variant}/seed{seed}/metrics.json",
    params:
        key=parameter("metrics"),
    log:
        "logs/{scale}/{task}/metrics.{method}.{variant}.seed{seed}.log",
    conda:
        "../envs/blur.yaml"
    shell:
        "blur metrics --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --planned {params.key:q} 2>&1 | tee {log}"
