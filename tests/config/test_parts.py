"""What all jobs share: verbs, changes and folders."""

import pathlib

import pytest

from jaxscatter.config import parts, xpcs_job
from jaxscatter.config.parts import Change, Fit, Sample
from jaxscatter.errors import ConfigError


@pytest.mark.parametrize(
    ("fit", "sample", "said"),
    [
        (None, None, "nothing to do"),
        (Fit("simplex"), None, "fit.method: 'simplex' is not known"),
        (Fit(starts=0), None, "fit.starts: 0; expected at least 1"),
        (Fit(seed=-1), None, "fit.seed: -1"),
        (None, Sample("hmc"), "sample.method: 'hmc' is not known"),
        (None, Sample(chains=0), "sample.chains: 0"),
        (None, Sample(draws=3), "sample.draws: 3; expected at least 4"),
        (None, Sample(target_accept=1.0), "sample.target_accept: 1.0; expected"),
    ],
)
def test_verbs_that_cannot_run_are_named(fit, sample, said):
    with pytest.raises(ConfigError) as caught:
        parts.check_verbs(fit, sample)
    assert said in str(caught.value)


def test_changes_hold_only_what_is_changed():
    table = parts.changes(
        {
            "a": 1.0,
            "b": Change(bounds=(0.0, 2.0), fixed=True),
            "c": Change(prior=["normal", 0.0, 1.0]),
        }
    )
    assert table["a"] == {"value": 1.0}
    assert table["b"] == {"bounds": (0.0, 2.0), "fixed": True}
    assert [*table["c"]] == ["prior"]


def test_folders_and_sources_are_named_for_the_job():
    job = xpcs_job.Job(xpcs_job.Data("a.h5"))
    assert job.folder == pathlib.Path("job_results")
    assert job.source == "xpcs: a.h5"
    job.file = pathlib.Path("there/mine.yaml")
    assert job.folder == pathlib.Path("there/mine_results")
    assert job.name == str(job.file)
