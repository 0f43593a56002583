import json

import pytest

from jaxscatter.errors import ConfigError
from jaxscatter.qens.config import Config


def test_defaults_are_the_documented_ones():
    assert Config().to_dict() == {
        "files_to_fit": [],
        "primary_file": "",
        "resolution_file": None,
        "frozen_temp_threshold": 270,
        "q_min": 0.30,
        "q_max": 2.50,
        "energy_window": 1.25,
        "n_q_bins": 12,
        "n_walkers": 32,
        "n_warmup": 500,
        "n_keep": 2000,
        "thin": 5,
        "n_map_starts": 30,
        "random_seed": 42,
        "save_dir": "qens_results",
    }


def test_json_round_trip_is_identical(tmp_path):
    cfg = Config(
        files_to_fit=["a.nxspe", "b.nxspe"],
        primary_file="a.nxspe",
        resolution_file="b.nxspe",
        q_min=0.1 + 0.2,
        q_max=1.8,
        n_q_bins=7,
    )
    path = tmp_path / "cfg.json"
    cfg.to_json(path)
    again = Config.from_json(path)
    assert again == cfg
    text = path.read_text()
    again.to_json(path)
    assert path.read_text() == text
    assert text.startswith('{\n  "files_to_fit": [\n    "a.nxspe",')
    assert [p.name for p in tmp_path.iterdir()] == ["cfg.json"]


def test_configs_share_no_list():
    one = Config()
    one.files_to_fit.append("a")
    one.to_dict()["files_to_fit"].append("b")
    assert (one.files_to_fit, Config().files_to_fit) == (["a"], [])


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"q_min": 2.0, "q_max": 2.0}, "q_min=2.0, q_max=2.0"),
        ({"q_min": -0.1}, "q_min=-0.1"),
        ({"q_max": float("nan")}, "q_max=nan"),
        ({"energy_window": 0.0}, "energy_window=0.0"),
        ({"energy_window": -1.0}, "energy_window=-1.0"),
        ({"n_walkers": 2}, "n_walkers=2"),
        ({"n_walkers": 7}, "n_walkers=7: expected an even number"),
        ({"n_q_bins": 1}, "n_q_bins=1"),
        ({"thin": 0}, "thin=0"),
        ({"n_warmup": -1}, "n_warmup=-1"),
        ({"n_keep": 0}, "n_keep=0"),
        ({"n_map_starts": 0}, "n_map_starts=0"),
        ({"random_seed": -1}, "random_seed=-1"),
    ],
)
def test_bad_settings_are_named_with_their_value(settings, names):
    with pytest.raises(ValueError, match=names):
        Config(**settings)


def test_unknown_key_names_the_nearest_known_one(tmp_path):
    path = tmp_path / "cfg.json"
    path.write_text(json.dumps({"n_qbins": 3}))
    with pytest.raises(ConfigError, match=r"unknown key 'n_qbins'.*'n_q_bins'"):
        Config.from_json(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected JSON"),
        ("[1]", "expected a JSON object"),
        ('{"n_q_bins": 2.5}', "n_q_bins=2.5"),
        ('{"n_q_bins": "many"}', "n_q_bins='many'"),
        ('{"q_min": null}', "q_min=None"),
        ('{"thin": true}', "thin=True"),
        ('{"files_to_fit": "a.nxspe"}', "expected a list"),
        ('{"files_to_fit": 3}', "files_to_fit=3"),
        ('{"save_dir": 3}', "save_dir=3"),
    ],
)
def test_bad_json_is_a_config_error_with_its_path(tmp_path, text, message):
    path = tmp_path / "cfg.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        Config.from_json(path)
    assert str(path) in str(caught.value)


def test_missing_json_is_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        Config.from_json(tmp_path / "none.json")
