"""The typed form of ``config/planner.yaml``: GPUs, shapes of named models, sizes of published data, assumptions."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field

from blur.config.load import read_yaml, suggest, validate
from blur.config.plan import Plan
from blur.core.errors import ConfigError
from blur.core.settings import BelowOne, Count, Json, NonNegative, Positive, Share, Strict, Whole
from blur.core.shipped import CONFIG, find

FILE = "planner.yaml"


class Gpu(Strict):
    """A kind of GPU. FLOP/s are dense (without sparsity), of matrix products."""

    title: str
    memory_gib: Positive = Field(description="as the driver reports it, GiB")
    bf16_tflops: Positive
    fp32_tflops: Positive
    bandwidth_gbs: Positive = Field(description="memory bandwidth, 10^9 bytes a second")
    source: str


class KnownArchitecture(Strict):
    """A transformers configuration's fields that decide shapes."""

    fields: dict[str, Json]
    source: str


class SetSize(Strict):
    """Size of one set: records, and tokens of a record with its template."""

    records: Whole
    tokens: Positive = Field(description="mean of a record: prompt and answer")
    scored: Share = Field(1.0, description="share of them that is scored")
    longest: Count | None = Field(None, description="tokens of the longest record; by default max_length")


class DataSize(Strict):
    """Sizes of a published benchmark's sets."""

    sets: dict[str, SetSize]
    source: str


class Assumptions(Strict):
    """What no configuration says."""

    training_mfu: Share = Field(description="model FLOP/s over peak FLOP/s while training")
    forward_mfu: Share = Field(description="the same of forward passes alone")
    bandwidth_share: Share = Field(description="of memory bandwidth reached while decoding")
    decode_step_seconds: Positive = Field(description="least time of one decoding step, launches included")
    startup_seconds: NonNegative = Field(description="of a GPU job: imports, CUDA, queue excluded")
    disk_gbs: Positive = Field(description="of reading and writing weights, 10^9 bytes a second")
    reserved_gib: NonNegative = Field(description="CUDA context and libraries on each GPU")
    fragmentation: BelowOne = Field(description="share of a GPU's memory that the caching allocator loses")
    characters_per_token: Positive = Field(description="of English text, where data are not published")
    source: str


class Catalogue(Strict):
    """All of the file, and where it was read."""

    path: str
    gpus: dict[str, Gpu]
    architectures: dict[str, KnownArchitecture]
    data: dict[str, DataSize]
    harness: dict[str, SetSize] = Field(description="lm-eval's own tasks, by name")
    assumptions: Assumptions

    def gpu(self, name: str) -> Gpu:
        """Return a kind of GPU.

        Raises:
            ConfigError: no such GPU; the nearest name is given.
        """
        if name not in self.gpus:
            raise ConfigError(f"no GPU {name!r}", self.path, suggest(name, self.gpus))
        return self.gpus[name]

    def usable(self, gpu: Gpu) -> float:
        """Return the bytes of a GPU that tensors can have."""
        share = 1 - self.assumptions.fragmentation
        return (gpu.memory_gib * share - self.assumptions.reserved_gib) * 2**30


def load_catalogue(folder: Path | str = CONFIG) -> Catalogue:
    """Read ``planner.yaml`` of a configuration folder."""
    path = find(Path(folder) / FILE)
    return validate(Catalogue, (str(path), {**read_yaml(path), "path": str(path)}))


@cache
def catalogue_of(plan: Plan) -> Catalogue:
    """Return ``planner.yaml`` of a plan, read once."""
    return load_catalogue(plan.folder)
