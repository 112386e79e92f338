"""Data: download or generate, normalise, split, check, hash."""


rule data:
    output:
        manifest="data/{scale}/{task}/manifest.json",
    log:
        "logs/{scale}/{task}/data.log",
    localrule: True
    conda:
        "../envs/blur.yaml"
    params:
        key=parameter("data"),
    shell:
        "blur data --scale {wildcards.scale} --task {wildcards.task} 2>&1 | tee {log}"
