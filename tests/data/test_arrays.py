import json

import pytest

from blur.core.errors import DataError
from blur.data.arrays import read_array

GOOD = {"id": "a", "question": "Who?", "answer": "Me."}


def write(path, *lines):
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def test_an_array_has_objects_and_texts_and_json_lines_may_have_its_name(tmp_path):
    path = write(tmp_path / "a.json", [GOOD, "a text"])
    assert read_array(path) == [GOOD, {"text": "a text"}]
    assert [record.where for record in read_array(path)] == [f"{path}, item 1", f"{path}, item 2"]
    assert read_array(write(path, GOOD, GOOD)) == [GOOD, GOOD]
    assert read_array(write(path, [])) == read_array(write(path)) == []


@pytest.mark.parametrize(
    ("content", "what", "place"),
    [
        (b"[{]", "malformed JSON", "{path}"),
        (b'["caf\xe9"]', "not UTF-8", "{path}"),
        (b'["a", 3]', "a JSON int", "{path}, item 2"),
        (None, "file not found", "{path}"),
    ],
)
def test_faults_of_an_array_name_file_and_item(tmp_path, content, what, place):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_array(path)
    assert caught.value.what.startswith(what)
    assert caught.value.where == place.format(path=path)
