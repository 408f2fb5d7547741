"""Decoded images of one size, kept on the disk by content and mapped into memory."""
