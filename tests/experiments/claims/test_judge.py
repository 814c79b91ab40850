import math

import numpy as np
import pytest

from mmseg_zsclip.evaluation.matches import InstanceMatches
from mmseg_zsclip.experiments.claims.judge import (
    FAILS,
    HOLDS,
    MISSING,
    NOISE,
    Measured,
    judge,
    scene_noise,
    seed_noise,
)
from mmseg_zsclip.experiments.claims.suite import Claim


def claim(**kwargs):
    return Claim(**{**dict(says='', source='', metric='mIoU', better='a', than=['b']), **kwargs})


def test_a_difference_far_above_its_noise_holds(run_of):
    out = judge(claim(), dict(a=run_of([0.80, 0.81, 0.82]), b=run_of([0.50, 0.52, 0.51])))
    assert out.verdict == HOLDS
    assert out.seeds == (0, 1, 2)
    assert out.closest.difference > out.closest.noise > 0


def test_the_opposite_does_not_hold(run_of):
    runs = dict(a=run_of([0.50, 0.52, 0.51]), b=run_of([0.80, 0.81, 0.82]))
    assert judge(claim(), runs).verdict == FAILS


def test_holds_is_never_said_of_a_difference_between_noisy_seeds(run_of):
    runs = dict(a=run_of([0.50, 0.80, 0.65]), b=run_of([0.55, 0.50, 0.60]))
    out = judge(claim(), runs)
    assert out.closest.difference > 5  # a clear gain of the means, and yet
    assert out.verdict == NOISE


def test_seeds_are_paired(run_of):
    """Both vary by 15 points from seed to seed, but together."""
    runs = dict(a=run_of([0.55, 0.70, 0.85]), b=run_of([0.50, 0.65, 0.80]))
    assert judge(claim(), runs).verdict == HOLDS


def test_seed_noise_is_the_t_interval():
    assert seed_noise(np.array([1.0, 2.0, 3.0])) == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)
    assert seed_noise(np.array([1.0])) == 0


def test_runs_without_training_have_the_noise_of_their_scenes(run_of):
    """One image in ten decides: the difference could be another set of scenes'."""
    steady, shaky = run_of(0.60), run_of(0.62, wobble=0.2, seed=3)
    out = judge(claim(), dict(a=shaky, b=steady))
    assert out.seeds == ()
    assert 0 < abs(out.closest.difference) < out.closest.noise
    assert out.verdict == NOISE
    assert judge(claim(), dict(a=run_of(0.9), b=steady)).verdict == HOLDS


def test_scenes_are_paired(run_of):
    """The same hard scenes for both, a little better on each of them."""
    runs = dict(a=run_of(0.62, wobble=0.1), b=run_of(0.60, wobble=0.1))
    assert judge(claim(), runs).verdict == HOLDS
    assert judge(claim(), runs | dict(a=run_of(0.62, wobble=0.1, seed=9))).verdict == NOISE


def test_the_scenes_noise_remains_when_seeds_agree_by_luck(run_of):
    runs = dict(a=run_of([0.62] * 3, wobble=0.2, seed=3), b=run_of([0.60] * 3))
    assert judge(claim(), runs).verdict == NOISE


def test_one_seed_is_judged_by_scenes_and_says_so(run_of):
    out = judge(claim(), dict(a=run_of([0.9]), b=run_of([0.5])))
    assert (out.verdict, out.seeds) == (HOLDS, (0,))
    assert math.isnan(out.closest.better_std)


def test_equal_runs_are_within_noise(run_of):
    assert judge(claim(), dict(a=run_of(0.6), b=run_of(0.6))).verdict == NOISE


def test_factor_and_margin_move_the_bar(run_of):
    runs = dict(a=run_of(0.9), b=run_of(0.5))  # IoU 81.8 and 33.3
    assert judge(claim(factor=2.4), runs).verdict == HOLDS
    assert judge(claim(factor=2.5), runs).verdict == FAILS
    assert judge(claim(margin=48), runs).verdict == HOLDS
    assert judge(claim(margin=49), runs).verdict == FAILS


def test_the_highest_must_beat_each_rival(run_of):
    runs = dict(a=run_of(0.7), b=run_of(0.5), c=run_of(0.6), d=run_of(0.8), e=run_of(0.7))
    assert judge(claim(than=['b', 'c']), runs).verdict == HOLDS
    assert judge(claim(than=['b', 'c']), runs).closest.rival == 'c'
    assert judge(claim(than=['b', 'e']), runs).verdict == NOISE
    assert judge(claim(than=['b', 'd', 'e']), runs).verdict == FAILS


def test_gains_and_ratios_are_sides(run_of):
    runs = dict(a=run_of(0.8), b=run_of(0.6), c=run_of(0.4), d=run_of(0.0))
    assert judge(claim(better='a - b', than=['b - c']), runs).verdict == HOLDS
    assert judge(claim(better='b / a', than=['c / b']), runs).verdict == HOLDS
    undefined = judge(claim(better='b / d', than=['c / b']), runs)
    assert undefined.verdict == MISSING
    assert 'not defined' in undefined.reason


def test_a_trained_run_meets_one_without_training_at_every_seed(run_of):
    out = judge(claim(), dict(a=run_of([0.8, 0.82]), b=run_of(0.5)))
    assert (out.verdict, out.seeds) == (HOLDS, (0, 1))


def test_what_was_not_measured_is_no_verdict(run_of):
    assert judge(claim(), dict(a=run_of(0.5))).reason == 'no result of b'
    seeds = dict(a=run_of([0.5, 0.6]), b=run_of([0.5, 0.6]))
    del seeds['a'].kept[0], seeds['b'].kept[1]
    assert judge(claim(), seeds).reason == 'no seed that all of a, b have'
    other = dict(a=run_of(0.5), b=run_of(0.4, images=30))
    assert judge(claim(), other).reason == 'its runs were tested on different scenes or classes'


def found(share, classes=('car', 'owl'), images=40):
    """One instance of each class in every image, this share of the images with it found, and a
    false one of a lower score in each."""
    count = images * len(classes)
    image, label = np.divmod(np.arange(count), len(classes))
    hit = image < share * images
    return InstanceMatches(
        np.tile(image, 2),
        np.tile(label, 2),
        np.repeat([0.9, 0.5], count),
        np.concatenate([hit, np.zeros_like(hit)]),
        np.ones((images, len(classes)), dtype=np.int64),
        np.array(classes),
        np.array([name == 'owl' for name in classes]),
    )


def test_a_claim_is_of_any_metric_that_keeps_what_it_counts(run_of):
    """The runs' areas say the opposite, and are not asked."""
    runs = {
        name: Measured({0: [*run_of(share).kept[0], found(1 - share)]}, False)
        for name, share in dict(a=0.3, b=0.8).items()
    }
    for metric in ('AP50', 'AP50(base)', 'AP50(novel)'):
        out = judge(claim(metric=metric), runs)
        assert out.verdict == HOLDS
        assert out.closest.noise > 0
    assert judge(claim(), runs).verdict == FAILS
    assert 'not defined' in judge(claim(metric='PQ'), runs).reason


def test_classes_of_one_group_alone_meet_all_of_them():
    """A constrained number beside a generalized one."""
    runs = dict(
        a=Measured({0: [found(0.9, classes=('owl',))]}, False),
        b=Measured({0: [found(0.2)]}, False),
    )
    assert judge(claim(metric='AP50(novel)'), runs).verdict == HOLDS
    assert 'not defined' in judge(claim(metric='AP50(base)'), runs).reason


def test_draws_without_a_score_are_left_out():
    draws = np.array([[1.0, np.nan, 3.0, 2.0]])
    assert scene_noise(draws) == pytest.approx(1.96)
    assert scene_noise(np.full((1, 4), np.nan)) == math.inf
