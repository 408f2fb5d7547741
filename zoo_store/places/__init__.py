"""Where entries lie: a local folder, an object store, a repository of the Hugging Face Hub."""
