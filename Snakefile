"""Table of contents: `snakemake all` makes everything that the chosen scale asks for."""

from snakemake.utils import min_version

from blur.graph import Running

min_version("9.27")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/unlearn.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/attacks.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/phases.smk"


rule all:
    default_target: True
    input:
        files(*STAGES),


onstart:
    Running(config).begin(workflow)


onsuccess:
    Running(config).end()


onerror:
    Running(config).end()
