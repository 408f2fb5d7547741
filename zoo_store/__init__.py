"""A zoo of pretrained supernets that can be trusted: immutable, verifiable entries."""
