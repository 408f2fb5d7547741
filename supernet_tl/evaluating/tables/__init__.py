"""From a leave-one-out evaluation's plan and outcomes to its numbers: pure functions of plain values."""
