"""Data: download or generate, normalise, split, check, hash."""


rule data:
    output:
        manifest="data/{scale}/{task}/manifest.json",
    params:
        key=parameter("data"),
    log:
        "logs/{scale}/{task}/data.log",
    conda:
        "../envs/blur.yaml"
    shell:
        "blur data --scale {wildcards.scale} --task {wildcards.task} --planned {params.key:q} 2>&1 | tee {log}"
