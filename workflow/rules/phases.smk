"""The parts of `all`. Each phase is a target of its own: DVC's stages call them one by one.

`fetch` is what a cluster's login node does, where the nodes that compute have no internet.
"""


rule fetch:
    input:
        of_all_tasks(fetched_files),


rule all_data:
    input:
        of_all_tasks(data_files),


rule all_models:
    input:
        of_all_tasks(model_files),


rule all_evaluation:
    input:
        of_all_tasks(evaluation_files),


rule all_metrics:
    input:
        of_all_tasks(metrics_files),


rule all_attacks:
    input:
        of_all_tasks(attack_files),
