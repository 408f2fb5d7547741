"""What this machine knows of a repository on the Hugging Face Hub, now or, offline, from when it last asked."""

import errno
import hashlib
import logging
import time
from pathlib import Path

from zoo_store.errors import ZooReadError
from zoo_store.places.hub.connection import HubConnection
from zoo_store.places.hub.listing import Listing, remember, remembered
from zoo_store.places.hub.refusal import HubRefusal, offline_switch

_ASK_AGAIN_SECONDS = 60.0

_log = logging.getLogger("zoo_store")


class HubView:
    """The listing of a repository. It is fetched when the commit is another one, and remembered on the disk.

    Args:
        connection: to the repository.
    """

    def __init__(self, connection: HubConnection) -> None:
        self._connection = connection
        self._seen: Listing | None = None
        self._ask_again_at = 0.0
        self.offline: str | None = None
        """Why the Hub was not asked the last time; None when it was."""

    def now(self) -> Listing | None:
        """What the repository holds; None where there is none. Without the Hub, what it was last seen to hold.

        Raises:
            ZooReadError: the Hub refused or failed; or it cannot be asked, and this machine has not seen it before.
        """
        if self._connection.address.is_commit and (known := self._known()) is not None:
            return known
        switch = offline_switch()
        if switch is not None:
            return self._answer_without(f"{switch} is set")
        if self.offline is not None and time.monotonic() < self._ask_again_at:
            return self._answer_without(self.offline)
        try:
            return self.ask()
        except HubRefusal as refusal:
            if refusal.code != errno.ENETUNREACH:
                raise refusal.of_read("what it holds", self._connection.address) from refusal
            self._ask_again_at = time.monotonic() + _ASK_AGAIN_SECONDS
            return self._answer_without(refusal.reason)

    def ask(self) -> Listing | None:
        """What the Hub says that the repository holds; None where there is none.

        Raises:
            HubRefusal: it does not say so.
        """
        commit = self._connection.latest()
        self.offline = None
        if commit is None:
            return None
        known = self._known()
        if known is None or known.commit != commit:
            known = Listing.of(commit, self._connection.files(commit))
            try:
                remember(known, self._memory)
            except OSError as error:
                _log.warning("could not remember what %s holds: %s", self._connection.address, error)
        self._seen = known
        return known

    def last(self) -> Listing:
        """What the last question saw.

        Raises:
            FileNotFoundError: there is no repository.
        """
        listing = self._seen or self.now()
        if listing is None:
            raise FileNotFoundError(str(self._connection.address))
        return listing

    def _answer_without(self, why: str) -> Listing:
        known = self._known()
        if known is None:
            raise ZooReadError(
                errno.ENETUNREACH,
                f"could not read the zoo {str(self._connection.address)!r}: {why}, and this machine has not seen that "
                "zoo before. Read it once with access to the Hub, or bring a copy of it here (supernet-tl zoo pull).",
            )
        if self.offline != why:
            _log.warning(
                "offline, since %s: the zoo %s is answered from the copies on this machine, as of commit %s, seen on "
                "%s.",
                why,
                self._connection.address,
                known.commit[:12],
                known.asked,
            )
        self.offline = why
        return known

    def _known(self) -> Listing | None:
        if self._seen is None:
            self._seen = remembered(self._memory)
        return self._seen

    @property
    def _memory(self) -> Path:
        revision = self._connection.address.revision or "main"
        return self._connection.folder / "listings" / f"{hashlib.sha256(revision.encode()).hexdigest()[:32]}.json"
