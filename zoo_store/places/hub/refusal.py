"""What keeps the Hugging Face Hub from answering, in sentences."""

import errno
from collections.abc import Iterator

from zoo_store.environment import OFFLINE_SWITCH, is_offline
from zoo_store.errors import ZooReadError, ZooWriteError
from zoo_store.places.hub.address import HubAddress
from zoo_store.places.redaction import redacted

_LOGIN = "log in with `hf auth login`, or set HF_TOKEN"


class HubRefusal(Exception):
    """The Hub refused, failed, or was not reached.

    Args:
        code: an ``errno`` code; `errno.ENETUNREACH` where the Hub was not reached.
        reason: what was found, as a clause.
        remedy: what to do, as the beginning of a sentence.
        status: of the HTTP answer, where there was one.
    """

    def __init__(self, code: int, reason: str, remedy: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.remedy = remedy
        self.status = status

    def of_read(self, what: str, address: HubAddress) -> ZooReadError:
        """The error of a reader who asked for ``what``."""
        return ZooReadError(
            self.code,
            f"could not read {what} in the zoo {str(address)!r}: {self.reason}. {self.remedy}, then try again.",
        )

    def of_write(self, action: str, address: HubAddress) -> ZooWriteError:
        """The error of a writer who wanted to ``action``."""
        return ZooWriteError(
            self.code,
            f"could not {action} in the zoo {str(address)!r}: {self.reason}. The entries that it holds are untouched. "
            f"{self.remedy}, then try again.",
        )


def offline_switch() -> str | None:
    """The environment variable that forbids asking the Hub; None where none is set."""
    from huggingface_hub import constants

    if is_offline():
        return OFFLINE_SWITCH
    return "HF_HUB_OFFLINE" if constants.HF_HUB_OFFLINE else None


def client_errors() -> tuple[type[Exception], ...]:
    """What the Hub's client raises.

    The base of its own errors is the root of those of the HTTP library, whichever one its version is built on.
    """
    from huggingface_hub.errors import HfHubHTTPError

    roots = [base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception)]
    return (*roots, OSError, RuntimeError, ValueError, KeyError)


def refusal_of(error: Exception, address: HubAddress) -> HubRefusal:
    """The sentence for one of `client_errors`."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, HfHubHTTPError):
            return _of_answer(cause, address)
    wrapped = isinstance(error, RuntimeError | LocalEntryNotFoundError) and len(causes) > 1
    root = causes[1] if wrapped else error
    if isinstance(root, ValueError | KeyError | RuntimeError) or not isinstance(root, client_errors()):
        return HubRefusal(
            errno.EIO,
            f"what answered did not do so as the Hub does ({_first_line(root)})",
            "Check the endpoint (HF_ENDPOINT) and upgrade huggingface_hub",
        )
    if isinstance(root, OSError) and not isinstance(root, ConnectionError | TimeoutError | LocalEntryNotFoundError):
        return HubRefusal(root.errno or errno.EIO, _first_line(root), "See to the cause")
    return HubRefusal(
        errno.ENETUNREACH, f"the Hugging Face Hub cannot be reached ({_first_line(root)})", "Check the network"
    )


def _of_answer(error: Exception, address: HubAddress) -> HubRefusal:
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RevisionNotFoundError

    assert isinstance(error, HfHubHTTPError)
    status = error.response.status_code
    said = f"the Hub answered {status}" + (f" ({error.server_message.splitlines()[0]})" if error.server_message else "")
    if isinstance(error, GatedRepoError):
        return HubRefusal(
            errno.EACCES, f"{said}: the repository is gated", f"Ask for access on its page, then {_LOGIN}", status
        )
    if isinstance(error, RevisionNotFoundError):
        return HubRefusal(
            errno.ENOENT,
            f"{said}: the repository has no branch, tag or commit {address.revision or 'main'!r}",
            "Correct what stands behind the @",
            status,
        )
    if status == 401:
        return HubRefusal(
            errno.EACCES,
            f"{said}: whoever gives no valid token is shown no private repository, nor whether there is one",
            f"Check the address; if the repository is private, or to write, {_LOGIN}",
            status,
        )
    if status == 403:
        return HubRefusal(
            errno.EACCES, f"{said}: the token has no right to do this", f"With a token that has it, {_LOGIN}", status
        )
    if status == 404:
        return HubRefusal(errno.ENOENT, said, f"Check the address; if the repository is private, {_LOGIN}", status)
    if status == 429:
        return HubRefusal(errno.EBUSY, f"{said}: too many requests", "Wait some minutes", status)
    if status >= 500:
        return HubRefusal(errno.EIO, f"{said}: it has a fault of its own", "Wait until it has recovered", status)
    return HubRefusal(errno.EIO, said, "See to the cause", status)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it comes from; the client wraps some of its own."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {redacted((str(error).splitlines() or [''])[0])[:200]}"
