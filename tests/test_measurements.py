"""Raw measurements: round trips through Parquet, order, look-ups that fail with what there is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from blur.core.errors import ArtifactError, DataError
from blur.measurements import (
    ChoiceRow,
    GenerationRow,
    GradnormRow,
    LikelihoodRow,
    Measurements,
    join_epochs,
    read_epochs,
    write_epochs,
)


def likelihood(
    item: str, logprob: list[float], set: str = "forget", field: str = "answer", index: int = 0
) -> LikelihoodRow:
    size = len(logprob)
    flags = [place % 2 == 0 for place in range(size)]
    return LikelihoodRow(set, item, field, index, f"text {item}", logprob, flags, [-2.0] * size, [0.5] * size, True)


ROWS = [
    likelihood("10", [-0.5, -1.25]),
    likelihood("2", [-0.125]),
    likelihood("10", [-3.0], field="perturbed_answer", index=0),
    likelihood("10", [-4.0, -5.0, -6.0], field="perturbed_answer", index=1),
    likelihood("empty", []),
]
GENERATIONS = [GenerationRow("forget", "10", "Q? A:", "yes, é", "no\n", 3, True)]
CHOICES = [
    ChoiceRow("craft", "q2", "bees", "Q:", ["A", "é"], [-1 / 3, float("-inf")], 0),
    ChoiceRow("craft", "q1", "", "Q:", ["A", "B", "C"], [-0.5, -0.5, float("nan")], 2),
]
GRADNORMS = [GradnormRow("forget", "10", 1 / 3), GradnormRow("forget", "2", float("inf"))]


def test_round_trip_keeps_order_values_and_types(tmp_path: Path) -> None:
    Measurements(ROWS, GENERATIONS, GRADNORMS, CHOICES).write(tmp_path)
    read = Measurements.read(tmp_path)
    answers = read.likelihood("forget", "answer")
    assert [score.id for score in answers] == ["10", "2", "empty"]
    np.testing.assert_array_equal(answers[0].logprob, np.array([-0.5, -1.25]))
    assert answers[0].logprob.dtype == np.float64
    assert answers[0].argmax.dtype == np.bool_
    assert answers[0].argmax.tolist() == [True, False]
    assert (answers[0].text, answers[0].has_eos) == ("text 10", True)
    assert answers[2].logprob.shape == (0,)
    assert [score.index for score in read.likelihood("forget", "perturbed_answer")] == [0, 1]
    assert read.generations("forget") == GENERATIONS
    assert read.gradnorm("forget") == {"10": 1 / 3, "2": float("inf")}
    assert [row.id for row in read.choices("craft")] == ["q2", "q1"]
    assert read.choices("craft")[0] == CHOICES[0]
    assert str(read.choices("craft")[1].logprob) == "[-0.5, -0.5, nan]"


def test_numpy_rows_and_non_finite_values_survive(tmp_path: Path) -> None:
    values = np.array([-np.inf, np.nan, -0.1], dtype=np.float32)
    row = LikelihoodRow("s", "1", "text", 0, "", values, np.array([True, False, True]), values, values, False)
    Measurements([row]).write(tmp_path)
    score = Measurements.read(tmp_path).likelihood("s", "text")[0]
    np.testing.assert_array_equal(score.logprob, values.astype(np.float64))
    assert score.argmax.tolist() == [True, False, True]


def test_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        files = Measurements(ROWS, GENERATIONS, GRADNORMS, CHOICES).write(tmp_path / name)
    assert files == ["likelihood.parquet", "generations.parquet", "gradnorm.parquet", "choices.parquet"]
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_empty_tables_round_trip(tmp_path: Path) -> None:
    Measurements().write(tmp_path)
    with pytest.raises(ArtifactError, match="there is: nothing"):
        Measurements.read(tmp_path).likelihood("forget", "answer")


def test_missing_set_or_field_lists_what_there_is(tmp_path: Path) -> None:
    Measurements(ROWS, GENERATIONS, GRADNORMS).write(tmp_path)
    read = Measurements.read(tmp_path)
    with pytest.raises(ArtifactError, match=r"'holdout'.*there is: forget/answer, forget/perturbed_answer") as error:
        read.likelihood("holdout", "answer")
    assert str(tmp_path) in str(error.value)
    with pytest.raises(ArtifactError, match="there is: forget"):
        read.generations("retain")
    with pytest.raises(ArtifactError, match="there is: forget"):
        read.gradnorm("retain")
    with pytest.raises(ArtifactError, match="request 'mmlu'; there is: nothing"):
        read.choices("mmlu")


def test_missing_file_and_missing_column_name_the_file(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    with pytest.raises(ArtifactError, match=r"likelihood\.parquet"):
        Measurements.read(tmp_path)
    Measurements(ROWS, GENERATIONS, GRADNORMS).write(tmp_path)
    path = tmp_path / "likelihood.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["vocab_var"]), path)
    with pytest.raises(ArtifactError, match=r"likelihood\.parquet: columns vocab_var are missing"):
        Measurements.read(tmp_path)


def test_an_id_scored_twice_is_an_error() -> None:
    with pytest.raises(DataError, match=r"id 10 .*scored twice"):
        Measurements([ROWS[0], ROWS[0]]).likelihood("forget", "answer")
    with pytest.raises(DataError, match="id 10 occurs twice"):
        Measurements((), GENERATIONS * 2).generations("forget")
    with pytest.raises(DataError, match="request craft: id q2 occurs twice"):
        Measurements(choices=CHOICES * 2).choices("craft")


def test_lists_of_unequal_length_are_an_error() -> None:
    row = LikelihoodRow("s", "7", "answer", 0, "", [-1.0, -2.0], [True], [0.0, 0.0], [1.0, 1.0], False)
    with pytest.raises(DataError, match=r"id 7.*unequal length"):
        Measurements([row]).likelihood("s", "answer")


def test_epochs_round_trip_in_rising_order_with_every_kind_of_measurement(tmp_path: Path) -> None:
    later = Measurements([likelihood("a", [-2.0])], choices=CHOICES)
    first = Measurements([likelihood("a", [-0.5]), likelihood("b", [-1.0])], GENERATIONS, GRADNORMS)
    files = write_epochs(tmp_path, {10: later, 0: first, 9: Measurements((), GENERATIONS)})
    assert sorted(files) == sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.parquet"))
    epochs = read_epochs(tmp_path)
    assert list(epochs) == [0, 9, 10]
    assert [score.id for score in epochs[0].likelihood("forget", "answer")] == ["a", "b"]
    assert epochs[10].likelihood("forget", "answer")[0].logprob.tolist() == [-2.0]
    assert epochs[0].generations("forget") == epochs[9].generations("forget") == GENERATIONS
    assert epochs[0].gradnorm("forget") == {"10": 1 / 3, "2": float("inf")}
    assert epochs[10].choices("craft")[0] == CHOICES[0]
    with pytest.raises(ArtifactError, match="epoch 9: no likelihood"):
        epochs[9].likelihood("forget", "text")


def test_parts_joined_are_what_is_written_at_once(tmp_path: Path) -> None:
    epochs = {0: Measurements(ROWS, GENERATIONS, GRADNORMS), 9: Measurements((), GENERATIONS), 10: Measurements(ROWS)}
    for epoch, measured in epochs.items():
        write_epochs(tmp_path / str(epoch), {epoch: measured})
    files = join_epochs([tmp_path / str(epoch) for epoch in epochs], tmp_path / "joined")
    assert files == write_epochs(tmp_path / "once", epochs)
    for name in files:
        assert (tmp_path / "joined" / name).read_bytes() == (tmp_path / "once" / name).read_bytes()
    assert join_epochs([], tmp_path / "none") == files
    assert read_epochs(tmp_path / "none") == {}


def test_an_epoch_table_that_is_missing_is_named(tmp_path: Path) -> None:
    write_epochs(tmp_path, {0: Measurements(ROWS)})
    (tmp_path / "generations.parquet").unlink()
    with pytest.raises(ArtifactError, match=r"/generations\.parquet: no such table"):
        read_epochs(tmp_path)


def test_import_brings_neither_torch_nor_pandas() -> None:
    code = "import sys, blur.measurements; sys.exit(any(name in sys.modules for name in ('torch', 'pandas', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_reading_brings_no_pandas(tmp_path: Path) -> None:
    Measurements(ROWS, GENERATIONS, GRADNORMS).write(tmp_path)
    code = (
        "import sys\nfrom blur.measurements import Measurements\n"
        f"Measurements.read({str(tmp_path)!r})\nsys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
