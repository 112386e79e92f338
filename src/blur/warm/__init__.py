"""Warm jobs: where Snakemake runs jobs on its own machine, a process that has imported everything forks one for each.

Importing torch and transformers takes a job longer than most of its work. The Snakefile says by ``BLUR_WARM`` where the
warm process of its run is to be (``offer``); the first job's ``blur`` starts it (``client``), and it forks a child for
that job and for each further one (``server``). A child is a job like any other: the same command, folder, environment,
output, signals, exit status and bytes. Where anything is not as it would be in a process of the job's own
(``identity``), the job gets one, and a word on standard error says why. Jobs of a cluster, and commands that a person
types, always do.
"""
