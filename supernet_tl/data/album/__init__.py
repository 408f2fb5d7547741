"""Meta-Album: a table of its sets, and their images from OpenML."""
