"""Attacks: ways to bring back what was forgotten. One job for each model and kind of attack."""


rule attack:
    input:
        inputs("attack"),  # data, model, and the target where the attack reads it
    output:
        manifest="results/{scale}/attacks/{task}/{method}/{variant}/seed{seed}/{attack}/manifest.json",
        likelihood="results/{scale}/attacks/{task}/{method}/{variant}/seed{seed}/{attack}/likelihood.parquet",
    log:
        "logs/{scale}/{task}/attack.{attack}.{method}.{variant}.seed{seed}.log",
    conda:
        "../envs/blur.yaml"
    resources:
        **asked("attack"),
    params:
        key=parameter("attack"),
    shell:
        "blur attack --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --attack {wildcards.attack} --threads {threads}"
        " 2>&1 | tee {log}"


rule attack_metrics:
    input:
        inputs("attack_metrics"),  # the attack's and the retrained model's measurements, data
    output:
        manifest="results/{scale}/attack_metrics/{task}/{method}/{variant}/seed{seed}/{attack}/manifest.json",
        metrics="results/{scale}/attack_metrics/{task}/{method}/{variant}/seed{seed}/{attack}/attack.json",
    log:
        "logs/{scale}/{task}/attack_metrics.{attack}.{method}.{variant}.seed{seed}.log",
    localrule: True
    conda:
        "../envs/blur.yaml"
    params:
        key=parameter("attack_metrics"),
    shell:
        "blur attack-metrics --scale {wildcards.scale} --task {wildcards.task} --method {wildcards.method}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --attack {wildcards.attack} 2>&1 | tee {log}"
