"""The parts of `all`. Each phase is a target of its own: DVC's stages call them one by one.

`fetch` is what a cluster's login node does, where the nodes that compute have no internet.
"""


rule fetch:
    input:
        fetched_files(),


rule all_data:
    input:
        files("data"),


rule all_models:
    input:
        files("base", "train", "derive", "unlearn"),


rule all_evaluation:
    input:
        files("evaluate"),


rule all_metrics:
    input:
        files("metrics"),


rule all_attacks:
    input:
        files("attack", "attack_metrics"),
