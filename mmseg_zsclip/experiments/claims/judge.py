"""Whether a claim holds in our numbers, and by how much more than their noise.

The noise of a difference has two parts, and is the half width of a 95 % interval:

- Seeds. Runs of the same seed are paired; with n seeds the part is t(97.5 %, n - 1) times the
  standard deviation of the paired differences over sqrt(n): 4.30 at three seeds.
- Scenes. All runs of a claim are tested on the same scenes; those are drawn again with replacement
  `RESAMPLES` times, for all runs alike, and the part is 1.96 times the standard deviation of the
  difference (the mean over the seeds).

The two are added as independent errors are. Runs without training have the second part alone, and
so have trained runs of one seed: then the number of seeds is printed beside the verdict.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...evaluation.areas import ImageAreas
from ...evaluation.matches import InstanceMatches
from ...evaluation.panoptic_quality import PanopticCounts
from .suite import Claim, side_runs, split_side

Kept = ImageAreas | InstanceMatches | PanopticCounts  # what a metric keeps of every image
RESAMPLES = 1000
NORMAL_95 = 1.96
HOLDS, FAILS, NOISE, MISSING = 'holds', 'does not hold', 'within noise', 'not measured'


class Measured:
    """One run's scores: a seed each, or a single one of a run without training."""

    def __init__(self, kept: Mapping[int, Sequence[Kept]], trained: bool) -> None:
        """`kept`: by seed, of each metric that keeps anything."""
        self.kept = dict(kept)
        self.trained = trained
        self._draws = {}

    def of(self, metric: str, seeds: Sequence[int]) -> list[Kept | None]:
        """Of each seed what the metric is computed from; None where it is not defined."""
        if not self.trained:
            seeds = list(self.kept)[:1] * len(seeds)
        return [
            next((one for one in self.kept[seed] if metric in one.scores), None) for seed in seeds
        ]

    def values(self, metric: str, seeds: Sequence[int]) -> np.ndarray:
        """(seeds,) in percent; NaN where the metric is not defined."""
        return np.array(
            [kept.scores[metric] if kept else np.nan for kept in self.of(metric, seeds)]
        )

    def draws(self, metric: str, seeds: Sequence[int]) -> np.ndarray:
        """(seeds, RESAMPLES), percent: the metric on resampled scenes."""
        return np.array([self._draws_of(kept, metric) for kept in self.of(metric, seeds)])

    def _draws_of(self, kept: Kept | None, metric: str) -> list[float]:
        if kept is None:
            return [np.nan] * RESAMPLES
        if id(kept) not in self._draws:
            self._draws[id(kept)] = kept.resampled_scores(RESAMPLES)
        return [scores.get(metric, np.nan) for scores in self._draws[id(kept)]]


@dataclass(frozen=True)
class Comparison:
    """The better side against one rival: means and standard deviations over seeds (NaN at one
    seed), the difference that the claim wants above 0, its noise and the verdict; percent."""

    rival: str
    better_mean: float
    better_std: float
    rival_mean: float
    rival_std: float
    difference: float
    noise: float
    verdict: str


@dataclass(frozen=True)
class Judgement:
    """A claim's verdict. `reason` says why there is none; `seeds` are those compared, empty where
    no run was trained."""

    claim: Claim
    verdict: str
    comparisons: tuple[Comparison, ...] = ()
    seeds: tuple[int, ...] = ()
    reason: str = ''

    @property
    def closest(self) -> Comparison | None:
        """The comparison with the strongest rival."""
        return min(self.comparisons, key=lambda c: c.difference, default=None)


def judge(claim: Claim, measured: Mapping[str, Measured]) -> Judgement:
    """The verdict on one claim.

    'holds' where the difference to every rival is above its noise, 'does not hold' where one is
    below minus its noise, else 'within noise'; 'not measured' where a run is missing.
    """
    names = sorted({name for side in claim.sides for name in side_runs(side)})
    missing = [name for name in names if name not in measured or not measured[name].kept]
    if missing:
        return Judgement(claim, MISSING, reason=f'no result of {", ".join(missing)}')
    runs = [measured[name] for name in names]
    seeds = common_seeds(runs)
    if not seeds:
        return Judgement(claim, MISSING, reason=f'no seed that all of {", ".join(names)} have')
    one, *rest = (kept for run in runs for kept in run.of(claim.metric, seeds))
    if any(kept is None for kept in (one, *rest)):
        return Judgement(claim, MISSING, reason=f'{claim.metric} is not defined in its runs')
    if not all(one.same_images(other) for other in rest):
        return Judgement(
            claim, MISSING, reason='its runs were tested on different scenes or classes'
        )
    comparisons = tuple(compare(claim, rival, measured, seeds) for rival in claim.than)
    if any(math.isnan(c.difference) for c in comparisons):
        return Judgement(claim, MISSING, reason=f'{claim.metric} is not defined in its runs')
    verdicts = {c.verdict for c in comparisons}
    verdict = next((v for v in (FAILS, NOISE) if v in verdicts), HOLDS)
    trained = any(run.trained for run in runs)
    return Judgement(claim, verdict, comparisons, tuple(seeds) if trained else ())


def common_seeds(runs: Sequence[Measured]) -> list[int]:
    """Seeds that all trained runs have; [0] where none is trained."""
    seeds = [set(run.kept) for run in runs if run.trained]
    return sorted(set.intersection(*seeds)) if seeds else [0]


def compare(
    claim: Claim, rival: str, measured: Mapping[str, Measured], seeds: Sequence[int]
) -> Comparison:
    """The claim's better side against one rival."""

    def side(name: str, kind: str) -> np.ndarray:
        first, operator, second = split_side(name)
        values = getattr(measured[first], kind)(claim.metric, seeds)
        if operator is None:
            return values
        others = getattr(measured[second], kind)(claim.metric, seeds)
        if operator == '-':
            return values - others
        with np.errstate(divide='ignore', invalid='ignore'):
            ratios = values / others
        return np.where(np.isfinite(ratios), ratios, np.nan)

    better, other = side(claim.better, 'values'), side(rival, 'values')
    differences = better - claim.factor * other - claim.margin
    draws = side(claim.better, 'draws') - claim.factor * side(rival, 'draws')
    difference = float(differences.mean())
    noise = math.hypot(seed_noise(differences), scene_noise(draws))
    return Comparison(
        rival,
        float(better.mean()),
        seed_std(better),
        float(other.mean()),
        seed_std(other),
        difference,
        noise,
        verdict(difference, noise),
    )


def verdict(difference: float, noise: float) -> str:
    """Never 'holds' for a difference that is not above its noise."""
    if difference > noise:
        return HOLDS
    return FAILS if difference < -noise else NOISE


def seed_noise(differences: np.ndarray) -> float:
    """Half width of the t interval of the mean of paired differences (seeds,); 0 at one seed."""
    count = len(differences)
    if count < 2:
        return 0.0
    from scipy.stats import t  # slow to import

    return float(t.ppf(0.975, count - 1) * differences.std(ddof=1) / math.sqrt(count))


def scene_noise(draws: np.ndarray) -> float:
    """1.96 standard deviations over the resamples of the mean over seeds; draws (seeds, n).

    A draw without any pixel of a group has no score and is left out; where most are, nothing is
    known and the noise is infinite.
    """
    means = draws.mean(0)
    known = means[~np.isnan(means)]
    if len(known) * 2 < len(means):
        return math.inf
    return float(NORMAL_95 * known.std(ddof=1))


def seed_std(values: np.ndarray) -> float:
    """Standard deviation over seeds; NaN at one."""
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan
