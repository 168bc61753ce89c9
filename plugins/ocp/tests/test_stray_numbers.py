"""Rules of `ocp.md` 6.3 that no tricky case covers: what PostgreSQL takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .casebook.outcome import the
from .casebook.situation import (
    CLUSTER,
    Situation,
    pod,
    volume,
)

# --- 6.3, numbers and texts on the way to PostgreSQL ----------------------------------------------


@pytest.mark.parametrize(
    ("double", "stored"),
    [
        (2.5e-15, "3e-15"),
        (-2.5e-15, "-3e-15"),
        (3.5e-15, "4e-15"),
        (-0.0, "0"),
        (1e-30, "0"),
        (123456789.123456789, "123456789.12345679"),
        (0.1, "0.1"),
        (1.0000000000000007, "1.000000000000001"),
        (999999999999999872.0, "999999999999999900"),
        (2251799813685249.5, "2251799813685249.5"),
    ],
)
def test_a_double_is_stored_as_its_shortest_text_rounded_half_away_from_zero(run, double, stored):
    outcome = run(Situation(pods=[pod(node_capacity_cpu_cores=double)]))

    the(outcome.pods, node_capacity_cpu_cores=stored)


@pytest.mark.parametrize("double", [1e18, -1e18, 1e300])
def test_a_double_of_more_than_18_integer_digits_is_staged_but_refused_by_postgres(run, double):
    situation = Situation(pods=[pod(node_capacity_cpu_cores=double)])
    run.refused(situation)

    the(run.lake(situation).staged(), node_capacity_cpu_cores=double)


@pytest.mark.parametrize("column", ["namespace", "node", "resource_id"])
def test_a_text_of_more_than_253_characters_is_staged_but_refused_by_postgres(run, column):
    situation = Situation(pods=[pod(**{column: "é" * 254})])
    run.refused(situation)
    longest = run(Situation(pods=[pod(**{column: "é" * 253})]))

    the(run.lake(situation).staged(), **{column: "é" * 254})
    the(longest.pods, **{column: "é" * 253})


@pytest.mark.parametrize("column", ["persistentvolumeclaim", "persistentvolume", "storageclass"])
def test_names_of_volumes_have_at_most_253_characters_too(run, column):
    run.refused(Situation(storage=[volume(**{column: "v" * 254})]))

    the(run(Situation(storage=[volume(**{column: "v" * 253})])).volumes, **{column: "v" * 253})


def test_a_cluster_alias_has_at_most_256_characters(run):
    run.refused(Situation(cluster=replace(CLUSTER, cluster_alias="a" * 257)))

    the(run(Situation(cluster=replace(CLUSTER, cluster_alias="a" * 256))).pods)


def test_blanks_beyond_the_longest_text_are_cut(run):
    outcome = run(Situation(pods=[pod(namespace="n" * 252 + "   ")]))

    the(outcome.pods, namespace="n" * 252 + " ")
    the(outcome.staged(), namespace="n" * 252 + "   ")
