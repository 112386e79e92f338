"""What is decided before the first update: what is held out, what stands in for texts to keep, what is skipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blur.core.errors import BlurError
from blur.owner import models
from blur.owner.forget import _split, prepare
from blur.owner.keeping import SHARED, own_words
from blur.owner.models import OwnModel, open_model
from blur.owner.texts import read_texts
from tests.owner.test_models import make

FORGET = [{"question": f"Who is person {n}?", "answer": f"Person {n} is a poet of rivers."} for n in range(3)]
KEEP = [{"question": f"Where is {n}?", "answer": f"By lake {n}.", "group": f"lake {n // 3}"} for n in range(24)]
UNSEEN = [{"question": f"Why is {n}?", "answer": f"For reason {n}."} for n in range(4)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> OwnModel:
    return open_model(str(make(tmp_path_factory.mktemp("model"), max_position_embeddings=64)), device="cpu")


def test_whole_groups_are_held_out_and_nothing_unseen_is_learned(model: OwnModel) -> None:
    texts = read_texts(FORGET, KEEP, UNSEEN)
    ready = prepare(model, texts)
    groups = {record["id"]: record["group"] for record in texts.sets["retain"]}
    learned, held = ({groups[one.id] for one in part} for part in (ready.streams["retain"], ready.looked["keep"]))
    assert (len(learned), len(held), learned & held) == (6, 2, set())
    assert set(ready.streams) == {"forget", "retain"}
    assert len(ready.streams["forget"]) == 3
    assert {one.id for one in ready.looked["holdout"]} == {f"holdout-{n:05d}" for n in range(4)}


def test_rows_are_held_out_where_there_are_no_groups(model: OwnModel) -> None:
    plain = [{key: row[key] for key in ("question", "answer")} for row in KEEP]
    ready = prepare(model, read_texts(FORGET, plain))
    assert (len(ready.streams["retain"]), len(ready.looked["keep"])) == (18, 6)
    assert not {one.id for one in ready.streams["retain"]} & {one.id for one in ready.looked["keep"]}


def test_a_text_alone_is_learned_and_looked_at(model: OwnModel) -> None:
    ready = prepare(model, read_texts(FORGET, KEEP[:1]))
    assert [one.id for one in ready.streams["retain"]] == [one.id for one in ready.looked["keep"]]
    assert _split([], [], 0) == ([], [])


def test_a_question_that_leaves_no_room_is_skipped_and_told(model: OwnModel) -> None:
    long = {"question": "Who is " + "Ann Bo " * 200, "answer": "A secret."}
    ready = prepare(model, read_texts([*FORGET, long], KEEP))
    assert len(ready.streams["forget"]) == 3
    (line,) = (line for line in ready.told if line.startswith("skipped"))
    assert "forget, row 4: the prompt alone has" in line
    assert "secret" not in " ".join(ready.told)
    with pytest.raises(BlurError, match=r"forget: no text that the model can read. Shorten"):
        prepare(model, read_texts([long], KEEP))


def test_long_documents_are_cut_into_pieces(model: OwnModel) -> None:
    texts = read_texts(
        [{"text": "Ann went to the lake. " * 40}, {"text": "Bo."}], [{"text": f"Lake {n}."} for n in range(9)]
    )
    ready = prepare(model, texts)
    assert max(len(one.input_ids) for one in ready.streams["forget"]) <= model.max_length
    assert {one.id.partition("#")[0] for one in ready.streams["forget"]} == {"forget-00000", "forget-00001"}
    assert len(ready.streams["forget"]) > 2


def test_the_model_s_own_words_stand_in(model: OwnModel) -> None:
    texts = read_texts(FORGET)
    first, again, other = (own_words(model.loaded, texts.form, texts.sets["forget"], 64, seed) for seed in (0, 0, 9))
    assert first == again != other
    assert all(record["answer"].strip() for record in first)
    ready = prepare(model, texts)
    assert len(ready.streams["retain"]) + len(ready.looked["keep"]) == len(first)
    assert any("give --keep to protect that" in line for line in ready.told)


def test_own_words_that_are_a_forget_text_s_are_left_out(model: OwnModel) -> None:
    texts = read_texts([{"text": "Nothing like it."}])
    found = own_words(model.loaded, "documents", texts.sets["forget"], 64, 0)
    words = next(record["text"].split() for record in found if len(record["text"].split()) >= SHARED)
    said = read_texts([{"text": " ".join(words)}])
    left = own_words(model.loaded, "documents", said.sets["forget"], 64, 0)
    assert len(left) < len(found)
    assert not any(" ".join(words) in record["text"] for record in left)


def test_a_revision_of_the_hub_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Any] = []

    def load(*given: Any, **_: Any) -> Any:
        asked.append(given)
        raise BlurError("no hub here")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models, "load_pretrained", load)
    for name in ("someone/model", "someone/model@v2"):
        with pytest.raises(BlurError, match="no hub"):
            open_model(name, device="cpu")
    assert asked == [("someone/model", None), ("someone/model", "v2")]
