"""From image files to pixels: decoding, stores, squares of one size."""
