"""Names that every place gives to what it holds beside its groups."""

NOTES = "aliases"
QUARANTINE = "quarantine"
