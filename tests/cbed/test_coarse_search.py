"""Searches on functions whose minimum is known, and what stops them."""

import numpy as np
import pytest

from jaxscatter.cbed.coarse_search import METHODS, Stopped, Trace, attempt, search
from jaxscatter.errors import ModelError


def bowl(minimum, trace=None, weights=(1.0,)):
    def cost(x):
        value = float(np.sum(np.array(weights) * (x - np.array(minimum)) ** 2))
        if trace is not None:
            trace(value, np.array(x))
        return value

    return cost


def test_one_number_is_found_within_a_thousandth_of_its_bounds():
    trace = Trace("energy", 20)
    search(bowl([201.37], trace), [200.0], [(195.0, 205.0)])
    assert trace.best[0] == pytest.approx(201.37, abs=0.01)
    assert len(trace.costs) < 30 and trace.least == min(trace.costs)


@pytest.mark.parametrize("method", METHODS)
def test_several_numbers_are_found_on_scales_of_their_own(method):
    trace = Trace("cell", 20)
    cost = bowl([0.3, 201.0], trace, (1.0, 1e-2))
    search(cost, [1.9, 204.0], [(0.0, 2.0), (195.0, 205.0)], method)
    np.testing.assert_allclose(trace.best, (0.3, 201.0), atol=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_bounds_hold(method):
    seen = []

    def cost(x):
        seen.append(np.array(x))
        return float(-np.sum(x))

    search(cost, [0.5, 5.0], [(0.0, 1.0), (4.0, 6.0)], method)
    assert np.all(np.min(seen, axis=0) >= (0, 4))
    assert np.all(np.max(seen, axis=0) <= (1, 6))
    np.testing.assert_allclose(np.max(seen, axis=0), (1, 6), atol=0.02)


def test_the_start_counts_even_where_the_search_goes_astray():
    trace = Trace("B", 20)

    def narrow(x):
        value = 0.0 if abs(x[0] - 0.123) < 1e-9 else 1.0
        trace(value, np.array(x))
        return value

    search(narrow, [0.123], [(0.0, 2.0)])
    assert trace.best[0] == pytest.approx(0.123) and trace.least == 0


def test_stops_keep_the_best_or_go_on_where_there_is_none():
    events = []

    def answer(event):
        events.append(event)
        return event.step < 2

    trace = Trace("B", 5, answer)
    assert attempt(lambda: search(bowl([1.0], trace), [0.5], [(0.0, 2.0)]), trace)
    assert len(trace.costs) == 2 and trace.best is not None
    assert events[0].phase == "B" and events[0].total == 5

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(stop, Trace("B", 5))
    assert attempt(stop, trace)
    with pytest.raises(Stopped):
        trace(0.5, None)


def test_only_known_methods_are_taken():
    with pytest.raises(ModelError, match="method is 'anneal'"):
        search(bowl([0.0]), [0.0], [(-1.0, 1.0)], "anneal")
