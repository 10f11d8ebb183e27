import csv
from pathlib import Path

from molvae.train.history import Epoch, write_log


def epoch(number: int) -> Epoch:
    return Epoch(number, 10 * number, *([1.23456789] * (len(Epoch._fields) - 2)))


def test_log_has_a_row_for_each_epoch(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    for epochs in ([epoch(1)], [epoch(1), epoch(2)]):
        write_log(path, epochs)
        with path.open(newline="") as file:
            header, *rows = csv.reader(file)
        assert header == list(Epoch._fields)
        assert [row[:3] for row in rows] == [[str(e.epoch), str(e.step), "1.23457"] for e in epochs]
