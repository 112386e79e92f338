"""The typed form of ``measure`` in a benchmark's configuration file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

LikelihoodField = Literal["answer", "paraphrased_answer", "perturbed_answer", "text"]


class Request(BaseModel):
    """What is measured of one set; of its first ``limit`` records, where given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    set: str
    limit: int | None = Field(None, ge=1)


class LikelihoodRequest(Request):
    """Token log-probabilities of these fields of each record, given its question."""

    fields: tuple[LikelihoodField, ...] = Field(("answer",), min_length=1)


class GenerationRequest(Request):
    """A greedy answer to each question."""

    max_new_tokens: int = Field(64, ge=1)


class MeasureSettings(BaseModel):
    """All raw measurements of a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    likelihood: tuple[LikelihoodRequest, ...] = ()
    generation: tuple[GenerationRequest, ...] = ()
    gradnorm: tuple[Request, ...] = ()
    max_batch_tokens: int = Field(2048, ge=1, description="tokens of a batch, padding included; speed and memory only")

    @model_validator(mode="after")
    def _no_set_twice(self) -> MeasureSettings:
        fields = [f"{field} of {request.set}" for request in self.likelihood for field in request.fields]
        for kind, asked in (
            ("likelihood", fields),
            ("generation", [request.set for request in self.generation]),
            ("gradnorm", [request.set for request in self.gradnorm]),
        ):
            if len(set(asked)) < len(asked):
                twice = next(item for item in asked if asked.count(item) > 1)
                raise ValueError(f"`{kind}` asks for {twice} twice; one measurement serves all metrics")
        return self

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of all sets that are read, sorted."""
        return tuple(sorted({request.set for request in (*self.likelihood, *self.generation, *self.gradnorm)}))
