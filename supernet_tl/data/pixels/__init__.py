"""From image files to pixels: stores, decoding, squares of one size."""
