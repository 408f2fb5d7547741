"""The manifest of files that somebody found: whoever wrote them, they make the entry or they do not."""

from collections.abc import Mapping

from zoo_store.errors import CorruptEntryError
from zoo_store.format.card import checked_card
from zoo_store.format.identity import Content, card_digest
from zoo_store.format.manifest import CARD_FILE, LISTED_FILES, SKETCH_FILE, SUPERNET_FILE, FileRecord, Manifest
from zoo_store.format.migrations import CARD_SCHEMA, check_version
from zoo_store.format.plain_json import parse
from zoo_store.problem import Problem


def sealed(entry_id: str, files: Mapping[str, bytes]) -> bytes:
    """The manifest of an entry that consists of these very bytes.

    Args:
        entry_id: a full id.
        files: the bytes of `LISTED_FILES`, as untrusted as they come. The README may be any.

    Raises:
        CorruptEntryError: they do not make the entry of this id.
    """
    from zoo_store.format.tensors import decode, tensors_digest

    try:
        if set(files) != set(LISTED_FILES):
            raise ValueError(f"found {sorted(files)}; expected {sorted(LISTED_FILES)}")
        card = parse(files[CARD_FILE])
        if not isinstance(card, dict):
            raise ValueError(f"{CARD_FILE} is not a JSON object")
        check_version(card.get("schema_version"), newest=CARD_SCHEMA, what=CARD_FILE)
        checked_card(card)
        content = Content(
            card=card_digest(card),
            sketch=tensors_digest(decode(files[SKETCH_FILE], "sketch")),
            state=tensors_digest(decode(files[SUPERNET_FILE], "state")),
        )
        if content.entry_id != entry_id:
            raise ValueError(f"their id is {content.entry_id}")
        manifest = Manifest(content, {name: FileRecord.of(files[name]) for name in LISTED_FILES}).to_bytes()
        Manifest.from_bytes(manifest, entry_id)  # which also refuses files that are too large
    except ValueError as error:
        raise CorruptEntryError(
            Problem(entry_id, ".", f"holds files of something else: {error}".rstrip("."))
        ) from error
    return manifest
