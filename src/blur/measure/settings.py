"""The typed form of ``measure`` in a benchmark's configuration file."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from pydantic import Field, model_validator

from blur.core.hashing import sha256_json
from blur.core.settings import Count, Flag, NonNegative, Seed, SetName, Strict, Whole
from blur.measure.task_file import read_task

LikelihoodField = Literal["answer", "paraphrased_answer", "perturbed_answer", "text", "gt"]
GENERATED, EXPECTED = "generated", "expected"  # what `fluency` scores, in the place of a record's field
STORED = "lm_eval_"  # what the names of such sets begin with
HARNESS = "blur.measure.harness"  # found by its name: only who asks for multiple-choice questions depends on it


class Request(Strict):
    """What is measured of one set; of its first ``limit`` records, where given."""

    set: SetName
    limit: Count | None = None


class LikelihoodRequest(Request):
    """Token log-probabilities of these fields of each record, given its question or prompt."""

    fields: tuple[LikelihoodField, ...] = Field(("answer",), min_length=1)


class GenerationRequest(Request):
    """An answer to each question, or a continuation of each prompt of completion records; greedy by default."""

    max_new_tokens: Count = 64
    examples: SetName | None = Field(
        None, description="set of questions and answers shown before each question, all of it"
    )
    temperature: NonNegative = Field(0.0, le=100, description="of sampling; 0: always the likeliest token")
    seed: Seed = Field(0, description="of sampling")
    trailing_space: Flag = Field(False, description="end the prompt in a space, as MUSE's code does; off: cut it")


class FluencyRequest(Strict):
    """Answers to a set, which `generation` asks for too, scored by the model before unlearning (metric ``fluency``)."""

    set: SetName
    references: SetName = Field(description="set whose true answers are scored beside them")


class HarnessRequest(Strict):
    """Multiple-choice questions put by lm-eval: a task of the library, or a local YAML with a set's records."""

    name: str = Field(description="what metrics call it")
    task: str = Field(description="lm-eval's name of a task or group, or the path of a task's YAML")
    set: SetName | None = Field(None, description="choice records, for a local YAML")
    examples: SetName | None = Field(None, description="choice records, by topic, for few-shot prompts of a local YAML")
    num_fewshot: Whole | None = Field(None, description="by default what the task says")
    limit: Count | None = Field(None, description="first records of the set; of each task of the library")
    batch_size: Count = Field(16, description="questions' options at a time; speed and memory only")

    @property
    def is_local(self) -> bool:
        """Whether the task is a YAML of this project."""
        return self.task.endswith((".yaml", ".yml"))

    @property
    def stored(self) -> str:
        """The set of the task's data that holds the questions of a task of the library."""
        return f"{STORED}{self.task}"

    @model_validator(mode="after")
    def _local_tasks_have_data(self) -> HarnessRequest:
        if self.is_local != (self.set is not None):
            raise ValueError("`set` goes with the path of a task's YAML; a task of the library brings its own data")
        if self.examples is not None and not self.is_local:
            raise ValueError("`examples` goes with the path of a task's YAML; a task of the library brings its own")
        if self.is_local and self.num_fewshot and self.examples is None:
            raise ValueError(f"`num_fewshot: {self.num_fewshot}` needs `examples`, the set to take them from")
        return self


class MeasureSettings(Strict):
    """All raw measurements of a model."""

    likelihood: tuple[LikelihoodRequest, ...] = ()
    generation: tuple[GenerationRequest, ...] = ()
    gradnorm: tuple[Request, ...] = ()
    harness: tuple[HarnessRequest, ...] = ()
    fluency: tuple[FluencyRequest, ...] = ()
    max_batch_tokens: Count = Field(2048, description="tokens of a batch, padding included; speed and memory only")
    max_cache_tokens: Count = Field(
        16384, description="tokens that the key-value cache of a generation holds; speed and memory only"
    )

    @model_validator(mode="after")
    def _nothing_twice(self) -> MeasureSettings:
        for kind, asked in (
            ("likelihood", [f"{field} of {request.set}" for request in self.likelihood for field in request.fields]),
            ("generation", [request.set for request in self.generation]),
            ("gradnorm", [request.set for request in self.gradnorm]),
            ("harness", [request.name for request in self.harness]),
            ("fluency", [request.set for request in self.fluency]),
        ):
            if len(set(asked)) < len(asked):
                twice = next(item for item in asked if asked.count(item) > 1)
                raise ValueError(f"`{kind}` asks for {twice} twice; one measurement serves all metrics")
        return self

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of all sets that are read, sorted."""
        named: set[str | None] = {request.set for request in (*self.likelihood, *self.generation, *self.gradnorm)}
        named |= {request.examples for request in self.generation}
        named |= {request.references for request in self.fluency}
        named |= {name for request in self.harness for name in (request.set, request.examples)}
        return tuple(sorted(name for name in named if name is not None))

    @property
    def library(self) -> tuple[str, ...]:
        """Names of the library's tasks and groups that are asked, sorted."""
        return tuple(sorted({request.task for request in self.harness if not request.is_local}))

    @property
    def read(self) -> tuple[str, ...]:
        """Names of all that is read of the task's data: sets, and the stored questions of the library's tasks."""
        return (*self.sets, *(f"{STORED}{task}" for task in self.library))

    @property
    def modules(self) -> list[str]:
        """Modules of these settings and of what they ask for, for the code fingerprint: nobody imports them."""
        return [type(self).__module__, *([HARNESS] if self.harness else [])]

    @property
    def measured(self) -> frozenset[str]:
        """Names of all that something is measured of: sets, and harness requests."""
        sets = (request.set for request in (*self.likelihood, *self.generation, *self.gradnorm))
        return frozenset((*sets, *(request.name for request in self.harness)))

    def only(
        self,
        likelihoods: Collection[tuple[str, str]] = (),
        generations: Collection[str] = (),
        gradnorm: Collection[str] = (),
        choices: Collection[str] = (),
    ) -> MeasureSettings:
        """Return a part of the measurements.

        Args:
            likelihoods: pairs of set and field.
            generations: sets.
            gradnorm: sets.
            choices: names of harness requests.

        Raises:
            ValueError: one of them is not measured.
        """
        there = {
            *(f"{field} of {one.set}" for one in self.likelihood for field in one.fields),
            *(f"generations of {one.set}" for one in self.generation),
            *(f"gradient norms of {one.set}" for one in self.gradnorm),
            *(f"harness request {one.name}" for one in self.harness),
            *(f"{GENERATED} of {one.set}" for one in self.fluency),
            *(f"{EXPECTED} of {one.references}" for one in self.fluency),
        }
        asked = {
            *(f"{field} of {name}" for name, field in likelihoods),
            *(f"generations of {name}" for name in generations),
            *(f"gradient norms of {name}" for name in gradnorm),
            *(f"harness request {name}" for name in choices),
        }
        if asked - there:
            raise ValueError(f"the benchmark does not measure {', '.join(sorted(asked - there))}")
        scored = [
            one.model_copy(update={"fields": tuple(field for field in one.fields if (one.set, field) in likelihoods)})
            for one in self.likelihood
        ]
        return self.model_copy(
            update={
                "likelihood": tuple(one for one in scored if one.fields),
                "generation": tuple(one for one in self.generation if one.set in generations),
                "gradnorm": tuple(one for one in self.gradnorm if one.set in gradnorm),
                "harness": tuple(one for one in self.harness if one.name in choices),
                "fluency": tuple(one for one in self.fluency if (one.set, GENERATED) in likelihoods),
            }
        )

    def empty(self, empty_sets: Iterable[str]) -> list[str]:
        """Return the names of harness requests whose set is among ``empty_sets``: they measure nothing either."""
        empty = frozenset(empty_sets)
        return [request.name for request in self.harness if request.set in empty]

    def task_files(self) -> dict[str, str]:
        """Return the hash of each local task YAML's content by path, for keys; ``ConfigError`` where one is unfit."""
        paths = sorted({request.task for request in self.harness if request.is_local})
        return {path: sha256_json(read_task(path)) for path in paths}
