"""Configuration: typed files, their merging into the settings of each stage, and the plan of all jobs."""
