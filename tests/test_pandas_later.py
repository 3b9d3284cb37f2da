"""pandas stays out of a process until somebody wants it, and is whole then."""

import subprocess
import sys

import pytest

pytest.importorskip("pandas")
WAYS = {
    "a list": "pa.array([1]); pa.table({'a': ['b']})",
    "to_pandas": "assert list(pa.table({'a': [1]}).to_pandas()['a']) == [1]",
    "own functions": "pandas_later.as_installed(); import pandas; assert pa.array(pandas.Series([1, None])).null_count",
    "twice": "pandas_later.as_installed(); prepare_process(); pandas_later.as_installed(); pa.array([1])",
}


@pytest.mark.parametrize("way", WAYS)
def test_pandas_is_imported_when_it_is_wanted_and_not_before(way: str) -> None:
    code = f"""import sys, pyarrow as pa
from pipeline.engine.process import prepare_process
from stages import pandas_later
prepare_process()
pa.array(["a"])
assert "pandas" not in sys.modules
{WAYS[way]}
assert ("pandas" in sys.modules) == {way != "a list"}
import pandas  # whoever asks for it by name gets it"""
    subprocess.run([sys.executable, "-c", code], check=True)
