import pytest

from imtools.evaluation import verdict


@pytest.fixture
def summary():
    rows = {
        "prior_mean": {"rms": [0.4, 0.4, 0.8]},
        "histogram_regression": {"rms": [0.02, 0.04, 0.1]},
        "network": {"rms": [0.01, 0.05, 0.1]},
        "published_cnn": {"rms": [0.1, 0.2, 0.4]},
    }
    return {
        "quoted_log_l": [4.0, 6.0, 6.5], "n_maps": 128, "n_catalogues": 8,
        "subsets": {"all": rows},
    }  # fmt: skip


def test_verdict_compares_the_network_with_each_baseline(summary):
    text = verdict(summary)
    assert "128 maps of 8 catalogues" in text
    assert "0.5 to 1.2 times that of the histogram regression" in text
    assert "1.25 times, at log10 L = 6." in text


def test_verdict_leaves_out_where_no_map_has_a_source(summary):
    summary["subsets"]["all"]["histogram_regression"]["rms"][2] = 0.0
    text = verdict(summary)
    assert "inf" not in text
    assert "1.25 times, at log10 L = 6." in text
    summary["subsets"]["all"]["histogram_regression"]["rms"] = [0.0, 0.0, 0.0]
    assert "histogram regression" not in verdict(summary)


def test_verdict_leaves_the_brightest_sources_out_against_the_published_network(summary):
    assert "4 to 10 times smaller" in verdict(summary)  # not 4 at 6.5, where it is left out
    del summary["subsets"]["all"]["published_cnn"]
    assert "published" not in verdict(summary)


def test_verdict_says_whether_the_network_memorised(summary):
    assert "Memorised?" not in verdict(summary)
    one = {"state": "failed", "verdict": "It says nothing.", "numbers": {}}
    two = {"state": "passed", "verdict": "It follows.", "numbers": {}}
    summary["memorisation"] = {"network": {"blank": one, "swapped": two}}
    assert "Memorised? It reads the map: 1 of 2 tests are passed" in verdict(summary)
    assert "It says nothing." in verdict(summary)
    assert "It follows." not in verdict(summary)
    summary["memorisation"]["network"]["swapped"]["state"] = "failed"
    assert "Memorised? It has memorised: 0 of 2" in verdict(summary)
