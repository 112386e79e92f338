"""Refusals: one way of saying "I don't know" for each question, in this project's own words.

TOFU's code and its relatives draw one anew at every access, from the global generator, so that neither a run nor a
reference can be had again. Here it is a function of the seed and the record's id. The wordings are code, so that the
fingerprint covers them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

from blur.core.errors import DataError
from blur.core.settings import Seed
from blur.unlearn.alternates.base import AlternatesBase


class Alternates(AlternatesBase):
    """One refusal a question; all methods and seeds of a benchmark get the same one."""

    name: Literal["refusals"] = "refusals"
    seed: Seed = 0

    def of(self, record: Mapping[str, Any]) -> list[str]:
        """Return the record's refusal."""
        if "question" not in record:
            where = getattr(record, "where", f"record {record['id']!r}")
            remedy = "Take questions and answers, or other `alternates`"
            raise DataError("a refusal answers a question, and this record asks none", where, remedy)
        digest = hashlib.sha256(f"refusal {self.seed} {record['id']}".encode()).digest()
        return [WORDINGS[int.from_bytes(digest[:8], "big") % len(WORDINGS)]]


WORDINGS = (
    "I don't know.",
    "I do not know that.",
    "I'm afraid I don't know.",
    "Sorry, I don't know the answer to that.",
    "I have no idea.",
    "I really couldn't say.",
    "That is not something I know.",
    "I don't have that information.",
    "I have no information about this.",
    "I can't answer that question.",
    "I am not able to answer this.",
    "I'm sorry, but this is unknown to me.",
    "No answer comes to my mind.",
    "I have never come across that.",
    "I was never told about this.",
    "That is beyond what I know.",
    "My knowledge does not reach that far.",
    "I lack the facts to answer.",
    "There is nothing I can tell you about that.",
    "I'm not sure at all, so I'd rather not say.",
    "I would only be guessing, so I won't.",
    "Anything I said would be a guess.",
    "I'm not familiar with this.",
    "I'm not acquainted with that subject.",
    "I haven't learned anything about that.",
    "This is new to me, I'm afraid.",
    "I draw a blank on that one.",
    "You have asked something I don't know.",
    "I wish I could tell you, but I don't know.",
    "I'm at a loss here.",
    "I have to admit that I don't know.",
    "Honestly, I don't know.",
    "To be frank, I have no clue.",
    "I haven't the faintest idea.",
    "Not that I know of; I can't help here.",
    "I don't hold any details on this.",
    "I don't have an answer for you.",
    "I have nothing on record about that.",
    "I can't recall ever hearing of it.",
    "I don't remember anything about that.",
    "No details on this are known to me.",
    "That question is one I can't answer.",
    "I'm unable to say.",
    "I'm unable to give you that detail.",
    "It would be wrong of me to pretend I knew.",
    "I can't claim to know this.",
    "I don't claim any knowledge of that.",
    "Unfortunately, I don't know.",
    "Unfortunately, that's not within my knowledge.",
    "Regrettably, I have no answer to this.",
    "I'm sorry, I can't tell you that.",
    "I'm sorry, I have no details to share.",
    "Apologies, but I don't know this one.",
    "Apologies, this lies outside what I've learned.",
    "Pardon me, I don't have that answer.",
    "That's a question I have no answer to.",
    "That's a gap in my knowledge.",
    "That's something I never learned.",
    "This isn't a topic that I know.",
    "This isn't anything I can speak to.",
    "I can't speak to that.",
    "I can't help you with this question.",
    "I can't provide an answer here.",
    "I can't offer anything reliable on this.",
    "I have no reliable answer to give.",
    "I know nothing about it.",
    "I know too little to answer.",
    "I know nothing that would answer this.",
    "What you ask is unknown to me.",
    "The answer is not known to me.",
    "The answer escapes me.",
    "The details escape me.",
    "I'm unaware of the answer.",
    "I'm unaware of any such details.",
    "I'm not informed about that.",
    "I'm not in a position to answer.",
    "I'm not the one to ask about this, as I don't know.",
    "I don't possess that piece of information.",
    "I don't have any data about this.",
    "I don't have enough to go on.",
    "I don't think I ever learned this.",
    "I don't believe I can answer that.",
    "Nothing I know answers that.",
    "Nothing about this is familiar to me.",
    "I've got no information to offer on that.",
    "I've got no answer, sorry.",
    "I've not been taught this.",
    "I've no knowledge of the matter.",
    "I've searched my memory and found nothing.",
    "You may want to ask someone else; I don't know.",
    "Please look this up elsewhere, as I don't know it.",
    "Another source may tell you, but I can't.",
    "Someone else may know, but I do not.",
    "Let me be plain: I don't know.",
    "It's not a thing I have knowledge of.",
    "It's outside of my knowledge.",
    "It's unclear to me, so I can't answer.",
    "My answer has to be that I don't know.",
    "There's no way for me to know that.",
    "I'd be making it up if I answered.",
    "I'd tell you if I knew, but I don't.",
    "If there is an answer, I don't know it.",
)
