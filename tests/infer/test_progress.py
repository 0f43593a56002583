"""Events, the printed bar, and stopping."""

from jaxscatter.infer import Event, fit
from jaxscatter.infer.progress import Reporter


def test_a_callback_receives_events_and_only_false_stops():
    events, answers = [], iter([None, True, False])

    def callback(event):
        events.append(event)
        return next(answers)

    reporter = Reporter(callback)
    assert reporter.active
    assert [reporter("fit", i, 3, 0.5, "note") for i in range(3)] == [True, True, False]
    first = events[0]
    assert isinstance(first, Event) and first.elapsed >= 0
    assert (first.phase, first.step, first.total, first.value) == ("fit", 0, 3, 0.5)
    assert first.message == "note"


def test_a_silent_reporter_goes_on(capfd):
    reporter = Reporter(False)
    assert not reporter.active and reporter("fit", 1, 2, 0.0)
    reporter.close()
    assert capfd.readouterr() == ("", "")


def test_the_bar_is_printed_to_stderr_only(capfd, cases):
    fit(cases.decay(), progress=True, warn=False)
    out, err = capfd.readouterr()
    assert out == "" and "fit" in err
    reporter = Reporter(True)
    for phase in ("one", "two"):
        for step in (1, 2):
            assert reporter(phase, step, 2, 1.5)
    reporter.close()
    out, err = capfd.readouterr()
    assert out == "" and "one: 100%" in err and "two: 100%" in err
