"""Zoos in repositories of the Hugging Face Hub."""
