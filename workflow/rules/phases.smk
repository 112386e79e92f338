"""What `all` is made of. Each phase is a target of its own: DVC's stages call them one by one."""


rule all:
    default_target: True
    input:
        figures=[f"results/{SCALE}/figures/{t}/{f}.png" for t in PLAN.tasks for f in PLAN.task(t).benchmark.figures],
        tables=[f"results/{SCALE}/figures/{t}/results.md" for t in PLAN.tasks],


rule all_data:
    input:
        [f"data/{SCALE}/{task}/manifest.json" for task in PLAN.tasks],


rule all_models:
    input:
        [manifest("models", run) for task in PLAN.tasks for run in PLAN.evaluated(task)],


rule all_evaluation:
    input:
        [manifest("evaluation", run) for task in PLAN.tasks for run in PLAN.evaluated(task)],


rule all_metrics:
    input:
        [manifest("metrics", run) for task in PLAN.tasks for run in PLAN.evaluated(task)],
