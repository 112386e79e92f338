import json

import pytest

from blur.core.errors import DataError
from blur.data.records import Record, read_lines, read_records, to_jsonl, validate_records, write_records

GOOD = {"id": "a", "question": "Who?", "answer": "Me."}


def write(path, *lines):
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return path


def fault(path, kind="qa", **options):
    with pytest.raises(DataError) as caught:
        read_records(path, kind, **options)
    return caught.value


def test_round_trip_keeps_fields_order_and_characters(tmp_path):
    records = [{"id": "é", "question": "Ł?\u2028", "answer": "x", "perturbed_answer": ["y"], "group": "g"}]
    write_records(tmp_path / "a.jsonl", records)
    assert read_records(tmp_path / "a.jsonl", "qa") == records
    assert list(read_lines(tmp_path / "a.jsonl")[0]) == list(records[0])
    assert "é" in (tmp_path / "a.jsonl").read_text(encoding="utf-8")


def test_blank_lines_and_a_missing_final_newline_are_fine_and_lines_are_counted_in_the_file(tmp_path):
    path = write(tmp_path / "a.json", GOOD, b"", {**GOOD, "id": "b"})
    assert [record.where for record in read_lines(path)] == [f"{path}, line 1", f"{path}, line 3"]


def test_empty_file_has_no_records(tmp_path):
    assert read_records(write(tmp_path / "a.json"), "qa") == []


@pytest.mark.parametrize(
    ("line", "what", "remedy"),
    [
        (
            b'{"id": "b", "question"',
            "malformed JSON at column 23 (Expecting ':' delimiter)",
            "one complete JSON object",
        ),
        (b'{"a": 1} {"b": 2}', "malformed JSON at column 10 (Extra data)", "one complete JSON object per line"),
        (b"[1]", "a JSON list, not an object", "one complete JSON object per line"),
        (b'{"question": "caf\xe9"}', "not UTF-8 (byte 18)", "iconv"),
        ({"id": "b", "question": "Who?"}, 'field "answer" is missing from a qa record (it has id, question)', "Add"),
        ({**GOOD, "id": "b", "answer": 3}, '"answer" is a int, not a string', 'Make "answer" a string'),
        ({**GOOD, "id": "b", "answer": None}, '"answer" is a NoneType, not a string', 'Make "answer" a string'),
        ({**GOOD, "id": "b", "question": " \t"}, '"question" is empty', 'Fill in "question" or remove the record'),
        ({**GOOD, "id": ""}, '"id" is empty', 'Fill in "id"'),
        ({**GOOD, "id": "b", "perturbed_answer": "x"}, '"perturbed_answer" is a str, not a list', "a list of strings"),
        ({**GOOD, "id": "b", "perturbed_answer": []}, '"perturbed_answer" is an empty list', "Fill in"),
        ({**GOOD, "id": "b", "perturbed_answer": ["x", ""]}, '"perturbed_answer[1]" is empty', "Fill in"),
        ({**GOOD, "id": "b", "perturbed_answer": [1]}, '"perturbed_answer[0]" is a int, not a string', "Make"),
        (GOOD, 'id "a" is also that of {path}, line 1', "Give each record its own id"),
    ],
)
def test_faults_name_file_line_and_remedy(tmp_path, line, what, remedy):
    path = write(tmp_path / "set.jsonl", GOOD, line)
    error = fault(path)
    assert error.where == f"{path}, line 2"
    assert error.what == what.format(path=path)
    assert remedy in error.remedy


def test_missing_file_and_folder(tmp_path):
    assert fault(tmp_path / "no.json").what == "file not found"
    assert fault(tmp_path / "no.json").where == str(tmp_path / "no.json")
    assert "cannot be read" in fault(tmp_path).what


@pytest.mark.parametrize(
    ("kind", "good", "field"),
    [
        ("text", {"id": "a", "text": "T"}, "text"),
        ("completion", {"id": "a", "prompt": "P", "gt": "G"}, "gt"),
        ("choice", {"id": "a", "question": "Q", "choices": ["x", "y"], "answer": 1}, "choices"),
    ],
)
def test_other_kinds(tmp_path, kind, good, field):
    assert read_records(write(tmp_path / "good", good), kind) == [good]
    bad = {key: value for key, value in good.items() if key != field}
    assert f'field "{field}" is missing from a {kind} record' in fault(write(tmp_path / "bad", bad), kind).what


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (2, '"answer" is 2, but there are 2 choices'),
        (-1, "is -1, but"),
        (True, "a bool"),
        ("1", "a str, not an integer"),
    ],
)
def test_choice_answer_is_an_index(tmp_path, answer, what):
    record = {"id": "a", "question": "Q", "choices": ["x", "y"], "answer": answer}
    assert what in fault(write(tmp_path / "c", record), "choice").what


def test_required_fields_beyond_the_kind(tmp_path):
    error = fault(write(tmp_path / "a", GOOD), require=["perturbed_answer"])
    assert error.what.startswith('field "perturbed_answer" is missing')
    assert error.remedy == 'Add "perturbed_answer"'


def test_records_without_ids_are_accepted_as_in_tofu():
    records = [Record({"question": "a", "answer": "b"}, "here")] * 2
    assert validate_records(records, "qa") == records


def test_nan_is_never_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_jsonl([{"id": "a", "value": float("nan")}])
