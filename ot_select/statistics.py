"""What a table of accuracies says about transfer: pure functions of numbers."""

from math import isfinite

from ot_select.errors import OptionError


def relative_improvement(accuracy: float, scratch_accuracy: float) -> float:
    """Relative improvement of a transfer over training from scratch.

    Args:
        accuracy: of the transfer, a fraction in [0, 1].
        scratch_accuracy: of the same target and seed from scratch, a fraction in (0, 1].

    Returns:
        (accuracy - scratch_accuracy) / scratch_accuracy, a fraction; 0.1 means a tenth better.

    Raises:
        OptionError: an accuracy is no fraction, or the one from scratch is 0.
    """
    for name, value in (("accuracy", accuracy), ("scratch_accuracy", scratch_accuracy)):
        if not isfinite(value) or not 0 <= value <= 1:
            raise OptionError(f"{name} is {value!r}, but a fraction in [0, 1] is needed. Divide a percentage by 100.")
    if scratch_accuracy == 0:
        raise OptionError(
            "scratch_accuracy is 0, and nothing can be measured relative to 0. "
            "Compare the accuracies themselves, or train the baseline longer."
        )
    return (accuracy - scratch_accuracy) / scratch_accuracy
