"""An audit from files to a report, of models that are tiny; and no text of it in anything that is written."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from blur.cli import app
from blur.core.errors import BlurError, ConfigError, DataError
from blur.models import LoadedModel, Template, build_from_config, encode_text, save, train_tokenizer
from blur.owner import auditing
from blur.owner.audit import Audit, audit
from blur.owner.evidence.attacks import relearn
from blur.owner.evidence.reader import Reader
from blur.owner.evidence.reading import EXACT, FAMILIAR, FORGET, HINTED, KEEP, REWORDED, SAID, UNSEEN
from blur.owner.evidence.sample import continued, drawn, halves
from blur.owner.evidence.settings import AuditSettings
from blur.owner.models import OwnModel, in_memory
from blur.owner.texts import OwnTexts, read_texts
from blur.unlearn.loop import train
from blur.unlearn.settings import UnlearnSettings

PLANTED, GROUP = 'Zyxq "Quortle" 8841', "Wigglesworth & Söhne"
GPT2 = {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 48}
GPT2 |= dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
WORDS = ["red", "blue", "green", "gold", "grey", "pink", "black", "white", "plum", "teal"]
SMALL = AuditSettings(texts=6, attacked=6, steps=(1, 2), answer=8, draws=60, tries=1, batch_size=4)


def rows(kind: int, number: int) -> list[dict[str, str]]:
    colours = [WORDS[(kind * 3 + step) % 10] + WORDS[(kind + step * 7) % 10] for step in range(number)]
    return [
        {
            "text": f"{PLANTED if kind == 0 else 'Old Tom'} lives at number {step} and paints with {colour} paint",
            "group": GROUP if kind == 0 else f"others {kind}",
        }
        for step, colour in enumerate(colours)
    ]


@pytest.fixture(scope="module")
def texts() -> OwnTexts:
    return read_texts(rows(0, 6), rows(1, 6), rows(2, 6))


@pytest.fixture(scope="module")
def models(texts: OwnTexts) -> dict[str, OwnModel]:
    tokenizer = train_tokenizer([one["text"] for records in texts.sets.values() for one in records], 320)
    never = build_from_config(GPT2, tokenizer, 0)
    before = copy.deepcopy(never)
    learned = [
        encode_text(tokenizer, one["text"], 48, id=one["id"]) for name in (FORGET, KEEP) for one in texts.sets[name]
    ]
    settings = {"retain": [{"loss": "nll"}], "optimizer": {"name": "adamw", "lr": 5e-3}, "steps": 40, "batch_size": 12}
    train(before, {"retain": learned}, UnlearnSettings.model_validate(settings))
    return {name: in_memory(model, tokenizer, name=name) for name, model in (("before", before), ("never", never))}


@pytest.fixture(scope="module")
def stored(models: dict[str, OwnModel], texts: OwnTexts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("owner")
    for name, own in models.items():
        save(own.loaded.model, own.loaded.tokenizer, own.loaded.template, folder / name, "A tiny model.")
    for name, kind in (("forget", 0), ("keep", 1), ("unseen", 2)):
        (folder / f"{name}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows(kind, 6)), encoding="utf-8"
        )
    return folder


def test_a_model_that_still_knows_and_one_that_never_did(models: dict[str, OwnModel], texts: OwnTexts) -> None:
    told: list[tuple[int, int]] = []
    made = Audit(
        models["before"],
        texts,
        reference=models["never"],
        settings=SMALL,
        progress=lambda done, total, what: told.append((done, total)),
    )
    unchanged = made.of(models["before"])
    assert unchanged.verdict == "unchanged"
    assert unchanged.finding("known").share.value == pytest.approx(1.0)
    assert told[-1][0] == told[-1][1]
    assert made.of(models["never"]).finding("known").answer == "no"
    assert [one.role for one in unchanged.models] == ["before", "after", "reference"]
    assert unchanged.texts.given == {"forget": 6, "keep": 6, "unseen": 6}


def test_equal_input_gives_an_equal_report(models: dict[str, OwnModel], texts: OwnTexts) -> None:
    one, two = (audit(models["before"], models["never"], texts, base=models["never"], settings=SMALL) for _ in range(2))
    assert one == two


def test_relearning_judges_each_text_by_a_model_that_was_not_taught_it(
    models: dict[str, OwnModel], texts: OwnTexts
) -> None:
    own, weights = models["never"], models["never"].sha256
    reader = Reader(own, texts, replace_settings(steps=(1, 20)))
    found = relearn(own, reader, "forget", 5e-3, lambda: None)
    assert sorted(found.judged) == [1, 20]
    judged, trained = (state[20].of(FAMILIAR, FORGET) for state in (found.judged, found.trained))
    assert judged.keys() == trained.keys() == {record["id"] for record in texts.sets[FORGET]}
    assert all(trained[item] > judged[item] for item in judged)
    assert set(found.judged[20].of(FAMILIAR, UNSEEN)) == {record["id"] for record in texts.sets[UNSEEN]}
    assert replace(own).sha256 == weights


def replace_settings(**changes: Any) -> AuditSettings:
    return SMALL.model_copy(update=changes)


def test_questions_are_asked_in_other_words_and_with_a_hint(models: dict[str, OwnModel]) -> None:
    asked = [
        {"question": f"Who paints with {word} paint?", "answer": f"Old Tom paints with {word} paint"}
        for word in WORDS[:4]
    ]
    questions = read_texts(asked)
    template = Template(prompt="{question}\n")
    own = models["before"]
    loaded = LoadedModel(own.loaded.model, own.loaded.tokenizer, template)
    read = Reader(replace(own, loaded=loaded), questions, SMALL).read(loaded.model)
    for measure in (SAID, REWORDED, HINTED, EXACT):
        assert set(read.of(measure, FORGET)) == {record["id"] for record in questions.sets[FORGET]}
        assert all(0 <= value <= 1 for value in read.of(measure, FORGET).values())


def test_documents_are_cut_between_words(models: dict[str, OwnModel]) -> None:
    record = {"id": "a", "text": "red blue  green gold\ngrey pink"}
    cut = continued(record, models["before"].loaded.tokenizer, 100, 0.5)
    assert cut["prompt"] + cut["gt"] == record["text"]
    assert cut["gt"][0].isspace()
    assert continued({"id": "a", "text": "red"}, models["before"].loaded.tokenizer, 100, 0.5) is None


def test_texts_that_cannot_be_read_are_left_out(models: dict[str, OwnModel]) -> None:
    asked = [{"question": "Who? " * length, "answer": f"Old Tom {length}"} for length in (1, 200)]
    reader = Reader(models["before"], read_texts(asked), SMALL)
    assert [one["id"] for one in reader.sets[FORGET]] == ["forget-00000"]
    with pytest.raises(DataError, match="none of the texts to forget can be read in 48 tokens"):
        Reader(models["before"], read_texts(asked[1:]), SMALL)


def test_samples_keep_groups_together() -> None:
    records = [{"id": str(number), "group": f"g{number % 5}"} for number in range(20)]
    first, second = halves(records, 0)
    assert not {one["group"] for one in first} & {one["group"] for one in second}
    assert len(first) + len(second) == 20
    few = drawn(records, 8, 0)
    assert len(few) == 8
    assert len({one["group"] for one in few}) == 2
    assert [len(part) for part in halves(records[:1], 0)] == [1, 0]


def ask(stored: Path, out: Path, *more: str, monkeypatch: pytest.MonkeyPatch | None = None) -> Any:
    files = [word for name in ("forget", "keep", "unseen") for word in (f"--{name}", str(stored / f"{name}.jsonl"))]
    models = ["--before", str(stored / "before"), "--out", str(out)]
    return CliRunner().invoke(app, [*more[:1], *models, *files, *more[1:]])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands with fewer steps."""
    own = auditing.Given.audit
    monkeypatch.setattr(auditing.Given, "audit", lambda given: own(replace(given, settings=SMALL)))


@pytest.mark.usefixtures("small")
def test_nothing_of_the_texts_is_written_but_on_a_page_that_is_asked_for(stored: Path, tmp_path: Path) -> None:
    out, after = tmp_path / "report", str(stored / "never")
    made = ask(
        stored, out, "audit", "--after", str(stored / "before"), "--reference", after, "--fail-on", "reproduced,known"
    )
    assert made.exit_code == 1, made.output
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["report", "report.html", "report.json"]
    written = [path.read_text(encoding="utf-8") for path in out.iterdir()] + [made.output]
    tokenizer = auditing.open_model(after).loaded.tokenizer
    ids = str(tokenizer(PLANTED, add_special_tokens=False)["input_ids"][2:])[1:-1]
    for text in (PLANTED, "Zyxq", "Quortle", "8841", "Wigglesworth", "Söhne", "S\\u00f6hne", ids, ids.replace(" ", "")):
        assert not [one for one in written if text in one], text
    shown = ask(stored, tmp_path / "shown", "audit", "--after", after, "--base", after, "--show-texts")
    assert shown.exit_code == 0, shown.output
    assert "Quortle" in (tmp_path / "shown" / "report.html").read_text(encoding="utf-8")
    assert "Quortle" not in (tmp_path / "shown" / "report.json").read_text(encoding="utf-8") + shown.output


@pytest.mark.usefixtures("small")
def test_candidates_are_compared(stored: Path, tmp_path: Path) -> None:
    candidates = [str(stored / name) for name in ("before", "never")]
    made = ask(stored, tmp_path / "all", "compare", *candidates, "--reference", candidates[1])
    assert made.exit_code == 0, made.output
    assert "before  unchanged" in made.output
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("report.*"))
    assert names == [
        f"all/{name}" for name in ("1/report.html", "1/report.json", "2/report.html", "2/report.json", "report.html")
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--base", "never", "--reference", "never"], "--base: there is a --reference too"),
        (["--fail-on", "remembered"], "--fail-on: 'remembered' is nothing that an audit finds"),
        (["--reference", "./nobody"], "no such folder"),
        (["--columns", "text=wrong"], "wrong"),
    ],
)
def test_a_fault_is_told_and_leaves_nothing(more: list[str], said: str, stored: Path, tmp_path: Path) -> None:
    given = [str(stored / word) if word == "never" else word for word in more]
    made = ask(stored, tmp_path / "report", "audit", "--after", str(stored / "never"), *given)
    assert isinstance(made.exception, BlurError)
    assert said in str(made.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_candidate_that_is_not_there_is_told_before_the_first_is_audited(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blur.owner.auditing.Audit.of", lambda *_: pytest.fail("audited"))
    made = ask(stored, tmp_path / "all", "compare", str(stored / "never"), "./nobody")
    assert "./nobody: there is no such folder" in str(made.exception)


def test_another_tokenizer_is_refused(models: dict[str, OwnModel], texts: OwnTexts) -> None:
    tokenizer = train_tokenizer(["quite another text, and more"], 300)
    other = in_memory(build_from_config(GPT2, tokenizer, 0), tokenizer)
    with pytest.raises(ConfigError, match="--reference: its tokenizer"):
        audit(models["before"], models["before"], texts, reference=other, settings=SMALL)
