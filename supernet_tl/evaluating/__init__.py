"""Leave-one-out evaluation: a matrix of independent jobs, their outcomes, and what the paper's tables make of them."""
