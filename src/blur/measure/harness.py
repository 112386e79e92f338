"""Multiple-choice questions through lm-eval, in process, on the model in memory.

lm-eval builds each prompt and scores each option; what it found is kept per question, and the metric is made of that
elsewhere. The questions of its own tasks are fetched with the task's data, so that no job asks the hub for them. The
model's chat template is not applied, as in lm-eval by default. lm-eval is imported here only: importing it takes a
quarter of a second, and its index of tasks, needed for tasks of the library, five.

Reference code: open-unlearning keeps the settings of its lm-eval call where nobody reads them, so that batch size,
limit and few-shot number never reach it (anchors.md 1.6 #9). Here each reaches it or is refused.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from blur.core import hub
from blur.core.errors import ConfigError, DataError
from blur.measure.batching import evaluation_mode
from blur.measure.prompts import Record, Sets, records_in, records_of
from blur.measure.settings import HarnessRequest
from blur.measure.task_file import read_task
from blur.measurements import ChoiceRow

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Tasks = dict[str, Any]  # lm-eval's Task objects by name
SEED = 1234  # lm-eval's default, for tasks that draw their examples at random


def ask(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, sets: Sets, request: HarnessRequest
) -> list[ChoiceRow]:
    """Put a request's questions to ``model``, which is left as it was found.

    Returns:
        One row per question: a set's in file order, a library's task by task.

    Raises:
        ConfigError: an unknown or unfit task, or a setting that it does not follow.
        DataError: data that cannot be had, or a question too long for the model.
    """
    with _quiet():
        tasks = _local_tasks(sets, request) if request.is_local else _library_tasks(sets, request)
        if not tasks:
            return []
        with evaluation_mode(model):
            samples = _evaluate(model, tokenizer, tasks, request)
    rows = [_row(request, tasks[name], name, sample) for name, found in samples.items() for sample in found]
    if request.is_local:
        order = {str(record["id"]): place for place, record in enumerate(records_of(sets, request))}
        rows.sort(key=lambda row: order[row.id])
    return rows


def _evaluate(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, tasks: Tasks, request: HarnessRequest
) -> Mapping[str, list[dict[str, Any]]]:
    """Run lm-eval; return what it logs of each question, by task."""
    import torch
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    class Model(HFLM):
        """Shows no bars, and refuses to cut questions of a set. (Of a library's task, lm-eval cuts the beginning.)"""

        def _loglikelihood_tokens(self, requests: Any, *args: Any, **options: Any) -> Any:
            longest = max(len(context) + len(option) for _, context, option in requests)
            if request.is_local and longest > self.max_length + 1:
                what = f"a question of {longest} tokens exceeds the model's {self.max_length} positions"
                remedy = "Lower `num_fewshot`, shorten the question, or use a model with more positions"
                raise DataError(what, f"measure.harness: {request.name}, set {request.set!r}", remedy)
            return super()._loglikelihood_tokens(requests, disable_tqdm=True)

        def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> Any:
            return super().loglikelihood(requests, disable_tqdm=True)

    lm = Model(
        pretrained=model,
        tokenizer=copy.deepcopy(tokenizer),  # it may get a padding token
        batch_size=request.batch_size,
        softmax_dtype=torch.promote_types(model.dtype, torch.float32),
    )
    limit = None if request.is_local else request.limit
    found = evaluate(lm, {"tasks": tasks, "groups": {}}, limit=limit, bootstrap_iters=0, log_samples=True)
    return found["samples"]


def _local_tasks(sets: Sets, request: HarnessRequest) -> Tasks:
    """Build a task for each topic of the request's set; each takes its examples from the same topic."""
    from datasets import Dataset
    from lm_eval.api.task import ConfigurableTask

    settings = read_task(request.task)
    shots = settings.get("num_fewshot") or 0 if request.num_fewshot is None else request.num_fewshot
    questions = _by_topic(records_of(sets, request))
    shown = _by_topic(records_in(sets, request.examples)) if request.examples and shots else {}
    tasks = {}
    for topic, records in questions.items():
        _check_examples(request, topic, shots, shown.get(topic, []))
        splits = {"test": Dataset.from_list(records)}
        config = {**settings, "num_fewshot": shots, "test_split": "test"}
        if shots:
            splits["examples"] = Dataset.from_list(shown[topic])
            config |= {"fewshot_split": "examples", "fewshot_config": {"sampler": "first_n"}}
        name = f"{request.name}/{topic}" if topic else request.name
        config |= {"task": name, "custom_dataset": lambda splits=splits, **_: splits}
        tasks[name] = ConfigurableTask(config=config)
    return tasks


def _by_topic(records: Any) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        row = {key: record[key] for key in ("id", "question", "choices", "answer")}
        found.setdefault(record.get("topic", ""), []).append({**row, "topic": record.get("topic", "")})
    return found


def _check_examples(request: HarnessRequest, topic: str, shots: int, shown: list[Record]) -> None:
    if len(shown) < shots:
        what = f"{len(shown)} examples of topic {topic!r}, fewer than `num_fewshot: {shots}`"
        where = f"measure.harness: {request.name}, set {request.examples!r}"
        raise DataError(what, where, "Add examples of that topic or lower `num_fewshot`")


def fetch(task: str) -> list[Record]:
    """Fetch the questions of a task of the library, or of all tasks of a group, and the examples shown before them.

    Returns:
        A record per question: the lm-eval task and split that it belongs to, and its row as it was published.

    Raises:
        ConfigError: an unknown or unfit task.
        DataError: the questions can be had neither from the hub nor from its local cache.
    """
    where = f"lm-eval's task {task!r}"
    with _quiet():
        if task not in _manager().all_tasks:
            raise ConfigError("lm-eval has no such task", where, "See `lm-eval ls tasks`")
        try:
            tasks = _manager().load(task)["tasks"]
        except Exception as error:  # the hub's clients raise a dozen unrelated types; each means: no data from there
            remedy = hub.remedy(error, "dataset", "that it reads") or hub.USUAL
            raise DataError(f"its data cannot be had ({hub.reason(error)})", where, remedy) from error
    for name, one in tasks.items():
        if one.OUTPUT_TYPE != "multiple_choice":
            raise ConfigError(f"lm-eval's {name!r} is no multiple-choice task", where, "Name another task")
    for repository in sorted({one.DATASET_PATH for one in tasks.values()}):
        hub.require_whole("dataset", repository)
    return [record for name, one in tasks.items() for record in _rows(name, one)]


def _rows(name: str, task: Any) -> Iterator[Record]:
    """Yield the questions of a task: those that are asked, and those that are shown."""
    asked = task.config.test_split or task.config.validation_split
    for split in dict.fromkeys(filter(None, (asked, task.config.fewshot_split))):
        for place, row in enumerate(task.dataset[split]):
            yield {"id": f"{name}/{split}/{place}", "task": name, "split": split, "row": row}


def _library_tasks(sets: Sets, request: HarnessRequest) -> Tasks:
    """Load a task of lm-eval, or all tasks of a group, with the questions that ``fetch`` found."""
    from datasets import Dataset

    where, rows = f"measure.harness: {request.name}", dict[str, dict[str, list[Any]]]()
    for record in records_in(sets, request.stored):
        rows.setdefault(record["task"], {}).setdefault(record["split"], []).append(record["row"])

    def given(name: str) -> dict[str, Any]:
        splits = {split: Dataset.from_list(found) for split, found in rows[name].items()}
        return {"task": name, "custom_dataset": lambda **_: splits}

    tasks: Tasks = _manager().load({"group": request.stored, "task": [given(name) for name in rows]})["tasks"]
    for name, task in tasks.items():
        own = task.get_config("num_fewshot")
        if own == 0 and request.num_fewshot:
            raise ConfigError(f"lm-eval's {name!r} is zero-shot by definition", where, "Drop `num_fewshot`")
        task.set_config("num_fewshot", own or 0 if request.num_fewshot is None else request.num_fewshot)
        task.set_fewshot_seed(SEED)
    return tasks


@cache
def _manager() -> Any:
    from lm_eval.tasks import TaskManager

    return TaskManager()


def _row(request: HarnessRequest, task: Any, name: str, sample: Mapping[str, Any]) -> ChoiceRow:
    """Keep what lm-eval logged of a question."""
    options, answer = task.doc_to_choice(sample["doc"]), sample["target"]
    if isinstance(answer, str):
        answer = options.index(answer) if answer in options else -1
    if not isinstance(answer, int) or not 0 <= answer < len(options):
        what = f"question {sample['doc_id']} of {name!r} has no single right option ({sample['target']!r})"
        raise DataError(what, f"measure.harness: {request.name}", "Name another task or mend its `doc_to_target`")
    local = request.is_local
    return ChoiceRow(
        request=request.name,
        id=str(sample["doc"]["id"]) if local else f"{name}/{sample['doc_id']}",
        subject=sample["doc"]["topic"] if local else name,
        prompt=sample["arguments"][0][0],
        options=options,
        logprob=[float(score) for score, _ in sample["filtered_resps"]],
        answer=answer,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence lm-eval's log and the bar of its request building, which has no switch."""
    import lm_eval.api.task as task_module

    logger = logging.getLogger("lm_eval")
    level, bar = logger.level, task_module.tqdm
    logger.setLevel(logging.ERROR)
    task_module.tqdm = lambda items, **_: items
    try:
        yield
    finally:
        logger.setLevel(level)
        task_module.tqdm = bar
