"""Which versions of the stored formats this package reads.

Two numbers are kept, because two things may change apart: the *schema* of a card (what its keys mean) and the *format*
of a manifest (which files there are and what their hashes cover). When either moves, the reader of the old one stays.

How to move one of them:

1. Store a zoo as the last release wrote it, as ``tests/zoo_store/zoo_of_format_N.zip``; a test asks for it.
2. Raise the number here, and let `check_version` accept the old ones too: it is what refuses them.
3. Let the reader take the old form. For a manifest that is `Manifest.from_bytes`, which may build today's value from
   yesterday's keys; for a card it is `StoredEntry`, which must take the digest of the card *as stored* before the card
   is put into today's terms, since the id covers what was stored.
4. Say in ``docs/zoo-format.md`` what changed. Ids stay: what is hashed names versions of its own.
"""

from zoo_store.errors import NewerVersionError, SchemaVersionError
from zoo_store.format.plain_json import shown

CARD_SCHEMA = 1
MANIFEST_FORMAT = 1


def check_version(found: object, *, newest: int, what: str) -> None:
    """Refuse a version that cannot be read.

    Args:
        found: the version as stored; anything that JSON can hold.
        newest: the newest version that is read, which today is also the oldest.
        what: the thing that carries the version, for the message.

    Raises:
        NewerVersionError: naming both versions and the upgrade.
        SchemaVersionError: no release has written that version.
    """
    if isinstance(found, int) and not isinstance(found, bool):
        if found == newest:
            return
        if found > newest:
            raise NewerVersionError(
                f"{what} was written by a newer supernet-tl (schema {found}; this one reads up to {newest}): "
                "upgrade supernet-tl to read it."
            )
    raise SchemaVersionError(
        f"{what} has the unknown schema version {shown(found)}; this supernet-tl reads version {newest}. "
        "No release has written such a version: fetch the entry again from where it came from."
    )
