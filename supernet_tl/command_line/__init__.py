"""The command line: arguments, verbs, and how they show what came of them."""
