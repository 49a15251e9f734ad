"""What webhooks carry, and where they may go."""

import pytest

from harness.errors import SelectionError
from runner.core.webhook import checked_url, is_public, signature


def test_a_delivery_is_signed_as_standard_webhooks_says() -> None:
    # the example of https://github.com/standard-webhooks/standard-webhooks/blob/main/spec
    told = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111"])
def test_the_worlds_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0"),
        *(
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "fe80::1%eth0",
            "fc00::1",
            "ff02::1",
        ),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::"),
    ],
)
def test_addresses_of_private_networks_and_ways_to_them_are_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("", "host/path", "file:///etc/passwd", "ftp://host/", "https://", "https://host:0/"),
        *("https://user:secret@host/", "https://host/a b", "https://host/\r\nX: y", "http://[::1/"),
        "https://host/" + "a" * 3000,
    ],
)
def test_what_is_no_address_of_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(SelectionError, match="no address that a webhook goes to"):
        checked_url(url)
