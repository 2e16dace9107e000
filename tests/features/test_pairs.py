"""Which sources are compared with which."""

from itertools import pairwise

import pytest

from barsync_async.features.pairs import chosen_pairs, default_pairs, pair_name, pairs_with
from barsync_async.units import SourceId


def ids(*names: str) -> list[SourceId]:
    return [SourceId(name) for name in names]


def test_a_pair_is_named_after_both_of_its_sources() -> None:
    assert pair_name((SourceId("QQQ_1m"), SourceId("SPY_1m"))) == "QQQ_1m|SPY_1m"


def test_by_default_every_source_of_the_shortest_timeframe_is_compared_with_every_other() -> None:
    pairs = default_pairs(ids("SPY_1m", "QQQ_5m", "IWM_1m", "SPY_5m", "DIA_1m"))
    assert pairs == (("DIA_1m", "IWM_1m"), ("DIA_1m", "SPY_1m"), ("IWM_1m", "SPY_1m"))


def test_one_source_makes_no_pair() -> None:
    assert default_pairs(ids("SPY_1m", "QQQ_5m")) == ()


def test_five_hundred_sources_are_the_most_that_are_all_compared() -> None:
    sources = [SourceId(f"S{index:03}_1m") for index in range(501)]
    pairs = default_pairs(sources[:500])
    assert len(set(pairs)) == 124_750
    assert all(earlier < later for earlier, later in pairwise(pairs))
    with pytest.raises(
        ValueError, match=r"501 sources make 125,250 pairs, more than 125,000: name"
    ):
        default_pairs(sources)


def test_a_benchmark_is_compared_with_every_other_source_of_its_timeframe() -> None:
    sources = ids("SPY_1m", "QQQ_5m", "TSLA_1m", "IWM_1m")
    assert pairs_with(SourceId("SPY_1m"), sources) == (("IWM_1m", "SPY_1m"), ("TSLA_1m", "SPY_1m"))
    with pytest.raises(ValueError, match="benchmark = 'DIA_1m': expected one of IWM_1m"):
        pairs_with(SourceId("DIA_1m"), sources)


def test_a_chosen_pair_is_sorted_and_keeps_its_place() -> None:
    sources = ids("SPY_1m", "QQQ_1m", "SPY_5m")
    chosen = chosen_pairs(sources, [ids("SPY_5m", "SPY_1m"), ids("SPY_1m", "QQQ_1m")])
    assert chosen == (("SPY_1m", "SPY_5m"), ("QQQ_1m", "SPY_1m"))


@pytest.mark.parametrize(
    "pair", [["SPY_1m"], ["SPY_1m", "SPY_1m"], ["SPY_1m", "IWM_1m"], ["QQQ_1m", "SPY_1m", "A_1m"]]
)
def test_what_is_not_two_of_the_sources_is_refused(pair: list[str]) -> None:
    with pytest.raises(ValueError, match=r"expected two different ones of QQQ_1m SPY_1m") as error:
        chosen_pairs(ids("SPY_1m", "QQQ_1m"), [ids(*pair)])
    assert repr(pair) in str(error.value)


def test_a_pair_that_stands_twice_is_refused_in_whatever_order() -> None:
    pairs = [ids("SPY_1m", "QQQ_1m"), ids("QQQ_1m", "SPY_1m")]
    with pytest.raises(ValueError, match=r"the pair QQQ_1m\|SPY_1m stands twice"):
        chosen_pairs(ids("SPY_1m", "QQQ_1m"), pairs)
