"""A file that takes the place of another one when it is complete."""

import os
import stat
from pathlib import Path

import pytest

from stellantis_hal.cli.replaced_file import replaced_file


@pytest.mark.parametrize("is_there", [False, True])
def test_a_file_is_replaced_at_the_end(tmp_path: Path, is_there: bool) -> None:
    file = tmp_path / "a.csv"
    if is_there:
        file.write_text("old")
        file.chmod(0o640)
    with replaced_file(file) as new:
        new.write_text("new")
        assert file.exists() is is_there
    assert (file.read_text(), list(tmp_path.iterdir())) == ("new", [file])
    assert stat.S_IMODE(file.stat().st_mode) == (0o640 if is_there else 0o600)


def test_a_file_stays_where_the_block_raises(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("old")
    with pytest.raises(IsADirectoryError), replaced_file(file) as new:
        (new.parent if new.write_text("half") else new).write_text("fails")
    assert (file.read_text(), list(tmp_path.iterdir())) == ("old", [file])


def test_a_link_leads_to_the_file_that_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a.csv")
    with replaced_file(tmp_path / "link") as new:
        new.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a.csv").read_text() == "new"


def test_what_is_no_regular_file_is_written_itself() -> None:
    with replaced_file(Path(os.devnull)) as new:
        assert new == Path(os.devnull)


def test_a_missing_folder_is_named_by_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as failure, replaced_file(tmp_path / "missing" / "a.csv"):
        pass
    assert failure.value.filename == str(tmp_path / "missing" / "a.csv")
