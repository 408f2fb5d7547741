"""What a library says is told without the secrets in it."""

import pytest

from zoo_store import Zoo, ZooReadError
from zoo_store.places.redaction import redacted, secrets_in
from zoo_store.places.remote.remote_files import reason_of


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('no answer from "http://u:hush@127.0.0.1:1/lab"', 'no answer from "http://***@127.0.0.1:1/lab"'),
        ("at https://hush@host: refused", "at https://***@host: refused"),
        ("GET https://host/a?sig=hush&x=1 failed", "GET https://host/a?*** failed"),
        ("Illegal header value b'Bearer hf_Hush0\\n'", "Illegal header value b'Bearer ***\\n'"),
        ("token hf_AbcDef012345 is not valid", "token hf_*** is not valid"),
        ("the bucket a:b@c of s3://lab/zoo", "the bucket a:b@c of s3://lab/zoo"),
    ],
)
def test_users_and_queries_of_urls_and_tokens_are_hidden(said: str, told: str) -> None:
    # Oracle: RFC 3986 for the parts of URLs, RFC 6750 for bearer tokens.
    assert redacted(said) == reason_of(OSError(said)) == told


def test_texts_of_storage_options_are_hidden_at_any_depth() -> None:
    options = {
        "key": "AKIA0",
        "secret": "AKIA0/hush",
        "client_kwargs": {"tokens": ["a-token"], "endpoint_url": "http://host"},
        "anon": False,
        "acl": "any",
    }
    secrets = set(secrets_in(options))

    assert secrets == {"AKIA0", "AKIA0/hush", "a-token"}
    assert redacted("AKIA0/hush or a-token of AKIA0, for many", secrets) == "*** or *** of ***, for many"


def test_a_secret_of_the_options_is_not_in_the_message_that_repeats_what_a_library_said() -> None:
    # botocore repeats the endpoint that cannot be one.
    options = {"key": "any", "secret": "hush-hush", "endpoint_url": "hush-hush is no URL"}
    with pytest.raises(ZooReadError, match=r"Invalid endpoint: \*\*\*") as refusal:
        list(Zoo("s3://lab/zoo", storage_options=options))
    assert "hush" not in str(refusal.value)


def test_an_endpoint_that_has_a_password_is_told_without_it() -> None:
    options = {"key": "any", "secret": "any", "endpoint_url": "http://u:hush@no host"}
    with pytest.raises(ZooReadError, match=r"Invalid endpoint: http://\*\*\*@no host") as refusal:
        list(Zoo("s3://lab/zoo", storage_options=options))
    assert "hush" not in str(refusal.value)
