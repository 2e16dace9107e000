"""What a person is shown of credentials: where they may come from, and never they themselves."""

from barsync_async.messages import Bar
from barsync_async.testing import create_bar
from barsync_async.venues.options import PUBLIC, Credentials, VenueOptions
from barsync_async.venues.outcomes import Refusal, Rejection, Reply
from barsync_async.venues.secrecy import missing_credentials, without_secrets

WHO = Credentials("a-key-of-some-length", "a-secret-of-some-length")


def test_what_lacks_is_named_with_the_places_it_may_come_from() -> None:
    assert missing_credentials("V", ("key",), PUBLIC) == (
        "V: needs a key, by key_file in the feed's table or BARSYNC_FEEDS__<FEED>__KEY"
        " in the environment"
    )
    half = VenueOptions(credentials=Credentials("key"))
    assert missing_credentials("V", ("key",), half) is None
    assert "a key and a secret" in (missing_credentials("V", ("key", "secret"), half) or "")
    assert missing_credentials("V", ("key", "secret"), VenueOptions(credentials=WHO)) is None


def test_neither_key_nor_secret_is_shown() -> None:
    text = f"no {WHO.key}, no {WHO.secret}!"
    shown = without_secrets(Rejection("malformed", text), WHO)
    assert shown == Rejection("malformed", "no ..., no ...!")
    assert without_secrets(Refusal((), text, final=True), WHO) == Refusal(
        (), "no ..., no ...!", final=True
    )


def test_what_shows_nothing_is_left_alone() -> None:
    bar: Bar = create_bar("SPY_1m", 60_000)
    for item in (bar, Reply(WHO.secret)):
        assert without_secrets(item, WHO) is item
    word = Rejection("malformed", "testing")
    assert without_secrets(word, Credentials("test", "")) == word
