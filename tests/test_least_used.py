"""What is kept stays within the limit, and what was used last stays longest."""

from hypothesis import given
from hypothesis import strategies as st

from ego.least_used import LeastUsed

ACTIONS = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 12), st.booleans()), max_size=30)


@given(ACTIONS, st.integers(0, 20))
def test_it_behaves_like_a_list_in_order_of_use(actions: list[tuple[str, int, bool]], limit: int) -> None:
    kept, expected = LeastUsed[str, int](limit), dict[str, int]()
    for key, size, put in actions:
        if put:
            kept.keep(key, size, size)
            expected.pop(key, None)
            if size <= limit:
                expected[key] = size
            while sum(expected.values()) > limit:
                del expected[next(iter(expected))]
        else:
            assert kept.get(key) == expected.get(key)
            if key in expected:
                expected[key] = expected.pop(key)
        assert (len(kept), kept.held) == (len(expected), sum(expected.values()))
        assert kept.held <= limit


def test_clearing_lets_go_of_everything() -> None:
    kept = LeastUsed[str, int](10)
    kept.keep("a", 1, 5)
    kept.keep("b", 2, 3)
    kept.drop(lambda key: key == "b")
    assert (kept.get("b"), len(kept), kept.held) == (None, 1, 5)
    kept.clear()
    assert (kept.get("a"), len(kept), kept.held) == (None, 0, 0)
