"""Zoos on the stand-in of the Hub, as the tests open them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from huggingface_hub import constants

from tests.zoo_store.places.hub_server import OWNER_TOKEN, HubServer
from zoo_store import Zoo
from zoo_store.places.hub.address import HubAddress
from zoo_store.places.hub.repository import HubRepository


@contextmanager
def hub_server(monkeypatch: pytest.MonkeyPatch, *, lfs: bool = True) -> Iterator[HubServer]:
    """A running stand-in; the client can reach nothing else, and knows no token of this machine."""
    ask = socket.getaddrinfo

    def ask_for_loopback_only(host: Any, *args: Any, **kwargs: Any) -> Any:
        assert host in ("127.0.0.1", "localhost"), f"a test asked for {host}"
        return ask(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", ask_for_loopback_only)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with HubServer(lfs=lfs).running() as hub:
        yield hub
    assert hub.leaked_tokens == []


def open_zoo(hub: HubServer, address: str = "hf://me/zoo", **options: Any) -> Zoo:
    """A zoo of the owner's; ``options`` replace or join the storage options."""
    return Zoo(address, storage_options={"endpoint": hub.endpoint, "token": OWNER_TOKEN, "timeout": 2.0} | options)


def open_repository(hub: HubServer, address: str = "hf://me/zoo") -> HubRepository:
    """The place alone, without a page."""
    return HubRepository(HubAddress.parse(address), token=OWNER_TOKEN, endpoint=hub.endpoint, timeout=2.0)


def move_to_another_machine(monkeypatch: pytest.MonkeyPatch, folder: Any) -> None:
    """From now on zoos keep their copies elsewhere."""
    monkeypatch.setenv("SUPERNET_TL_CACHE", str(folder))
