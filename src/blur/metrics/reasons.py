"""Why a metric is not defined, in the words that ``metrics.json`` holds and reports look for."""

NO_MODEL = "task has no"  # such model
NO_RECORDS = "the task has no records of set"
