import pickle
from collections import OrderedDict
from pathlib import Path

import pytest

from tts.text.en.tables import read_pickled


def test_a_table_of_plain_values_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table.pickle"
    path.write_bytes(pickle.dumps({"cat": [["K", "AE1", "T"]]}))
    assert read_pickled(path) == {"cat": [["K", "AE1", "T"]]}


def test_a_table_that_asks_for_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.pickle"
    path.write_bytes(pickle.dumps(OrderedDict(cat=1)))
    with pytest.raises(ValueError, match=r"asks for collections\.OrderedDict"):
        read_pickled(path)


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps([1])])
def test_what_is_no_table_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table.pickle"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"table\.pickle: "):
        read_pickled(path)
