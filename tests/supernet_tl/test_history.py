from __future__ import annotations

from pathlib import Path

from supernet_tl.history import EpochRow, best_validation_accuracy, read_csv, time_to_accuracy, write_csv

ROWS = [
    EpochRow("search", 1, 1.5, train_loss=2.25, validation_accuracy=0.5, radius=0.03, num_skip_connections=3),
    EpochRow("search", 2, 3.0, train_loss=1.125, validation_accuracy=0.75, radius=0.3, validation_macro_f1=0.5),
    EpochRow("search", 3, 4.5, train_loss=0.1, validation_accuracy=0.7, radius=0.3, entropy=0.69, stopped="a, then b"),
    EpochRow("finetune", 1, 0.25, learning_rate=0.025),
]


def test_rows_survive_csv(tmp_path: Path) -> None:
    write_csv(tmp_path / "metrics.csv", ROWS)
    assert read_csv(tmp_path / "metrics.csv") == ROWS


def test_a_table_written_before_there_were_entropy_stopping_and_scores_over_classes_is_read(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(
        "stage,epoch,seconds,train_loss,train_accuracy,arch_loss,validation_loss,validation_accuracy,learning_rate,"
        "radius,num_skip_connections\n"
        "search,1,1.5,2.25,,,,0.5,,0.03,3\n"
    )
    assert read_csv(tmp_path / "metrics.csv") == ROWS[:1]


def test_an_accuracy_is_reached_in_the_first_epoch_that_has_it() -> None:
    assert time_to_accuracy(ROWS, 0.6).epochs == time_to_accuracy(ROWS, 0.75).epochs == 2
    assert time_to_accuracy(ROWS, 0.6).seconds == 3.0
    assert time_to_accuracy(ROWS, 0.8).epochs is None
    assert best_validation_accuracy(ROWS) == 0.75
    assert best_validation_accuracy([]) is None
