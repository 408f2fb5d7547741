"""Where the starter zoo lies, and the word that people write for it."""

from pathlib import Path

STARTER = "starter"
"""Names the starter zoo wherever a zoo is asked for; a folder of that name is ``./starter``."""

STARTER_PATH = Path(__file__).parent / "zoo"
"""Its folder inside the installed package, which may be read-only."""
