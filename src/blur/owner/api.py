"""``blur.forget`` and ``blur.audit``: what the owner's two commands do, on models in memory."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from blur.core.progress import Progress
from blur.owner import audit as auditing
from blur.owner import forget as forgetting
from blur.owner.auditing import write_report
from blur.owner.budget import Budget, parse_budget
from blur.owner.evidence.settings import DEFAULT, AuditSettings
from blur.owner.forget import ForgetSettings, Forgotten
from blur.owner.models import OwnModel, in_memory, open_model
from blur.owner.report import Report
from blur.owner.texts import Columns, Source, read_texts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    Model = PreTrainedModel | str


def forget(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    forget: Source,
    keep: Source | None = None,
    *,
    unseen: Source | None = None,
    base: Model | None = None,
    columns: Columns | None = None,
    budget: str | int | None = None,
    seed: int = 0,
    work: Path | str | None = None,
) -> Forgotten:
    """Make a model forget texts, in place, as ``blur forget`` does.

    Args:
        model: any causal LM of transformers, on the device where it is to be trained. Where the outcome is ``lost``, it
            is left as it was.
        forget: a file, a folder, a dataset's name, or rows such as ``{"question": ..., "answer": ...}`` or
            ``{"text": ...}``.
        keep: texts that the model may go on knowing; without them its own words stand in.
        unseen: texts like those to forget that it was never trained on.
        base: the model before it was trained on the texts, in memory or by name: it says how surprising they should be.
        columns: by set, a column's name by what it means, where its name does not tell it.
        budget: a time, as ``"10m"``, or a number of updates.
        work: a folder for resume state, which holds what was made of the texts: the same call goes on from there. By
            default one that is removed at the end.

    Returns:
        The outcome (``reached``, ``not reached``, ``lost``, ``nothing to forget``), the model, what was done in numbers
        (``facts``) and in words (``told``), none of them with a text.

    Raises:
        BlurError: texts or models are at fault.
    """
    texts = read_texts(forget, keep, unseen, columns)
    chosen = Budget(updates=budget) if isinstance(budget, int) else parse_budget(budget)
    own, before = in_memory(model, tokenizer), _own(base, tokenizer, model)
    settings, progress = ForgetSettings(chosen, seed), Progress("forget")
    with TemporaryDirectory() as folder:
        place = Path(work or folder)
        return forgetting.forget(own, texts, base=before, settings=settings, work=place, progress=progress)


def audit(
    before: Model,
    after: Model,
    tokenizer: PreTrainedTokenizerBase,
    forget: Source,
    keep: Source | None = None,
    *,
    unseen: Source | None = None,
    base: Model | None = None,
    reference: Model | None = None,
    columns: Columns | None = None,
    seed: int = 0,
    settings: AuditSettings = DEFAULT,
    out: Path | str | None = None,
) -> Report:
    """Tell whether a model forgot texts, as ``blur audit`` does.

    Args:
        before, after: the model that was to forget, before and after, in memory or by name. ``forget`` changes a model
            in place: give ``before`` as a copy or by its folder.
        forget, keep, unseen, columns: as for ``forget``.
        base: the model before it was trained on the texts.
        reference: a model that was trained without them, which is the best to compare with.
        settings: how much is looked at, and by which rules.
        out: a folder to write ``report.html`` and ``report.json`` to.

    Returns:
        The report: ``verdict``, ``headline``, a finding for each question with its number, interval and evidence.

    Raises:
        BlurError: texts or models are at fault.
    """
    texts = read_texts(forget, keep, unseen, columns)
    like = before if not isinstance(before, str) else after
    models = [_own(one, tokenizer, like) for one in (before, after, base, reference)]
    assert models[0] is not None
    assert models[1] is not None
    chosen = settings.model_copy(update={"seed": seed})
    report = auditing.audit(
        models[0],
        models[1],
        texts,
        base=models[2],
        reference=models[3],
        settings=chosen,
        progress=Progress("audit"),
    )
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)
        write_report(Path(out), report)
    return report


def _own(model: Model | None, tokenizer: PreTrainedTokenizerBase, beside: Model) -> OwnModel | None:
    """Return a model as the owner's commands take it; one that is opened by its name goes where ``beside`` is."""
    if model is None or not isinstance(model, str):
        return model if model is None else in_memory(model, tokenizer)
    return open_model(model, device=None if isinstance(beside, str) else str(beside.device))
