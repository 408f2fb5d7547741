"""Supernet transfer learning: from a folder of images to a small trained network."""
