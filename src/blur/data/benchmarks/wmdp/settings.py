"""Where WMDP's texts and questions come from, and which of its topics are forgotten."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from blur.core.settings import Count, Flag, Seed, Strict, Whole
from blur.data.settings import Folder, Repository

Topic = Literal["bio", "cyber"]


class _Published(Strict):
    min_characters: Whole = Field(
        50, description="texts must have more; the authors' value (rmu/utils.py), whose max_len is read nowhere"
    )
    neighbours: Flag = Field(
        False, description="read the large corpora of harmless neighbours too, which a training of the target uses"
    )


class HubSource(_Published):
    """WMDP as the Center for AI Safety publishes it; of the forget corpora, bio's is gated."""

    kind: Literal["hub"]
    corpora: Repository = Repository(repo="cais/wmdp-corpora")
    bio_forget: Repository = Field(Repository(repo="cais/wmdp-bio-forget-corpus"), description="gated")
    questions: Repository = Repository(repo="cais/wmdp")
    mmlu: Repository = Repository(repo="cais/mmlu")
    wikitext: Repository = Field(Repository(repo="Salesforce/wikitext"), description="its test split is the retain set")


class LocalSource(_Published, Folder):
    """The files as shipped, in a folder: ``cyber-forget-corpus.jsonl``, ``bio_questions.json``, ``wiki.test.raw``."""


class WorldSource(Strict):
    """Fictitious crafts, harmless sister crafts and general subjects, made by ``blur.data.benchmarks.wmdp.world``."""

    kind: Literal["world"]
    seed: Seed = 0
    num_procedures: Count = Field(
        20, ge=4, le=20, multiple_of=4, description="of each craft and sister; four facts about each"
    )
    num_subjects: Count = Field(8, le=8, description="general subjects")
    num_entities: Count = Field(
        20, ge=8, le=20, multiple_of=4, description="of each subject, two facts about each; half of them are asked"
    )
    documents_per_entity: Count = Field(
        6, ge=5, description="each tells all facts; six hold each fact in six phrasings"
    )
    questions_per_fact: Count = Field(
        2, le=4, description="phrasings in which a practised fact is asked, in each of three forms"
    )
