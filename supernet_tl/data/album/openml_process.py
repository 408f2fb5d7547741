"""Run as a script in a process of its own: asks OpenML, through its package, for the description of one dataset.

A process of its own, since the package asks without any time-out, makes folders in the home folder when it is imported
(and cannot be imported where that fails), sets up the root logger, and takes its settings from global variables. None
of that reaches the process that starts this one. It imports nothing of supernet_tl, so that the words for a server that
cannot be reached are here, for all that ask one.
"""

import json
import os
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from http.client import IncompleteRead
from typing import Any

HUNG, FAILED, REFUSED = 75, 76, 77
"""Exit codes: no answer in time; an answer that may be another one next time; an answer that will stay."""


def main(dataset_id: int, server: str, cache: str, timeout: float) -> int:
    """Print the description as JSON, or a reason that continues "the server ...", and return the exit code.

    Args:
        dataset_id: of OpenML.
        server: its address; empty for that of the package's configuration.
        cache: a folder for what the package keeps.
        timeout: seconds that the answer may take.
    """
    import requests
    from openml import config, datasets, exceptions

    config.set_root_cache_directory(cache)
    config.set_retry_policy("human", 1)  # whoever starts this process tries again
    if server:
        config.server = server

    def give_up() -> None:
        _say(f"the server {config.server} sent no description for {timeout:g} s")
        os._exit(HUNG)

    alarm = threading.Timer(timeout, give_up)
    alarm.daemon = True
    alarm.start()
    where = f"the server {config.server}"
    try:
        found = datasets.get_dataset(
            dataset_id, download_data=False, download_qualities=False, download_features_meta_data=False
        )
    except exceptions.OpenMLPrivateDatasetError as error:
        return _say(f"{where} says that dataset {dataset_id} is private ({error})", REFUSED)
    except exceptions.OpenMLServerException as error:
        code = REFUSED if error.code not in (None, 107) else FAILED  # 107: its database was too busy
        return _say(f"{where} answered with error {error.code} ({error.message})", code)
    except exceptions.OpenMLServerError as error:
        return _say(f"{where} did not answer with XML ({_first_line(error)})", FAILED)
    except (requests.exceptions.RequestException, OSError) as error:
        return _say(f"{where} could not be reached ({in_words(error)})", FAILED)
    except (LookupError, TypeError, ValueError) as error:  # what the package makes of XML that it did not expect
        return _say(f"{where} answered something else than a description ({type(error).__name__}: {error})", FAILED)
    finally:
        alarm.cancel()
    return _say(json.dumps(_described(found)), 0)


def in_words(error: BaseException) -> str:
    """Why a server could not be asked, by the system's error that one of urllib3 or requests goes back to."""
    for cause in _causes(error):
        match cause:
            case socket.gaierror():
                return "its name cannot be resolved"
            case ssl.SSLError():
                detail = getattr(cause, "verify_message", "") or (cause.reason or "").replace("_", " ").lower()
                return f"no secure connection (TLS): {detail or _first_line(cause)}"
            case ConnectionRefusedError():
                return "it refused the connection"
            case ConnectionError() | IncompleteRead():
                return "it closed the connection"
            case TimeoutError():
                return "it timed out"
            case OSError() if cause.errno and cause.strerror:  # such as: no route to host
                return cause.strerror.lower()
    reason = getattr(error, "reason", error)  # by which retries were used up
    return "it timed out" if "timed out" in str(reason) else _first_line(reason)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those it goes back to: what it was made of rather than what was being handled when it came."""
    seen: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and found not in seen:
        yield found
        seen.append(found)
        made_of = (*found.args, getattr(found, "reason", None), found.__cause__, found.__context__)
        found = next((cause for cause in made_of if isinstance(cause, BaseException)), None)


def _described(found: Any) -> dict[str, Any]:
    return {
        "openml_id": found.dataset_id,
        "name": found.name,
        "licence": found.licence,
        "description": found.description,
        "parquet_url": found._parquet_url,
    }


def _first_line(error: object) -> str:
    return str(error).strip().split("\n", 1)[0][:300]


def _say(text: str, code: int = 0) -> int:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])))
