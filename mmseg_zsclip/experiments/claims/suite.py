"""What a suite of claims is: runs, and inequalities between their scores. Data, nothing is run."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

METRICS = (
    'mIoU',
    'mIoU(S)',
    'mIoU(U)',
    'hIoU',
    'pAcc',
    'pAcc(S)',
    'pAcc(U)',
    'mAcc',
    'mAcc(S)',
    'mAcc(U)',
    'AP50',
    'AP50(base)',
    'AP50(novel)',
    'PQ',
    'PQ(th)',
    'PQ(st)',
)
FOLDER = Path(__file__).with_name('suites')


@dataclass(frozen=True)
class Run:
    """A config with overrides, and whether it is trained before it is tested.

    Args:
        name: how claims call it; no blanks.
        config: a shipped config's name, or a path.
        options: overrides, as `--cfg-options` takes them.
        trains: False tests the model as its initialisation leaves it; such a run has no seeds.
        steps: training steps in place of the config's own; its schedule shrinks or stretches.
        tta: test-time augmentation of the config.
        amp: mixed precision, training and test; bfloat16 on a CPU.
        weights: CLIP weights of every tower, as `--weights` takes them.
        says: what it is, in words.
    """

    name: str
    config: str
    options: Mapping = field(default_factory=dict)
    trains: bool = False
    steps: int | None = None
    tta: bool = False
    amp: bool = False
    weights: str | None = None
    says: str = ''


@dataclass(frozen=True)
class Claim:
    """`better` > `factor` x each of `than` + `margin`, in one metric.

    A side is a run's name, or two of them with an operator between blanks: 'a - b' is a gain,
    'a / b' a ratio.

    Args:
        says: the claim as a sentence.
        source: paper and table.
        metric: one of `METRICS`, percent.
        better: the side that should be higher.
        than: the sides that it should be higher than; several make it 'the highest of'.
        paper: the paper's number of every side, where it gives one. Quoted, not measured here.
        factor, margin: see above; the margin in points of the metric.
        note: what a reader of our numbers should know.
    """

    says: str
    source: str
    metric: str
    better: str
    than: Sequence[str]
    paper: Mapping[str, float] = field(default_factory=dict)
    factor: float = 1.0
    margin: float = 0.0
    note: str = ''

    @property
    def sides(self) -> tuple[str, ...]:
        return self.better, *self.than

    @property
    def inequality(self) -> str:
        left = f'{self.factor:g} x ' if self.factor != 1 else ''
        right = f' + {self.margin:g}' if self.margin else ''
        rivals = self.than[0] if len(self.than) == 1 else f'each of {", ".join(self.than)}'
        return f'{self.metric}: {self.better} > {left}{rivals}{right}'


@dataclass(frozen=True)
class Suite:
    """Runs and claims of one paper.

    Args:
        name: as `--suite` takes it. title: heading of its tables.
        runs, claims: see `Run` and `Claim`.
        quick_steps: training steps under `--quick`, for the runs that train.
        quick_options: overrides of every run under `--quick`, for example fewer test scenes; those
            of `train_*` are for the runs that train.
        about: what a reader should know before the tables: data of the paper, words of its claims.

    Raises:
        ValueError: two runs of one name, a claim about a run that is not there, an unknown
            metric, or numbers of the paper that contradict the claim.
    """

    name: str
    title: str
    runs: Sequence[Run]
    claims: Sequence[Claim]
    quick_steps: int | None = None
    quick_options: Mapping = field(default_factory=dict)
    about: str = ''

    def __post_init__(self) -> None:
        names = [run.name for run in self.runs]
        doubles = sorted({name for name in names if names.count(name) > 1})
        if doubles or any(' ' in name for name in names):
            raise ValueError(
                f'suite {self.name!r}: run names must differ and hold no blank; '
                f'twice: {doubles or "none"}, all: {names}. Rename one.'
            )
        for claim in self.claims:
            self._check(claim, names)

    def _check(self, claim: Claim, names: list[str]) -> None:
        where = f'suite {self.name!r}, claim {claim.says!r}'
        if claim.metric not in METRICS:
            raise ValueError(f'{where}: metric {claim.metric!r}; legal: {", ".join(METRICS)}.')
        if isinstance(claim.than, str) or not claim.than:
            raise ValueError(
                f'{where}: `than` is {claim.than!r}; give a tuple of at least one side.'
            )
        for side in claim.sides:
            unknown = sorted(set(side_runs(side)) - set(names))
            if unknown:
                raise ValueError(
                    f'{where}: side {side!r} names {unknown}, which are no runs of '
                    f'the suite; legal: {", ".join(names)}.'
                )
        stray = sorted(set(claim.paper) - set(claim.sides))
        if stray:
            raise ValueError(
                f'{where}: numbers of the paper for {stray}, which are no sides of '
                f'the claim; legal: {", ".join(claim.sides)}.'
            )
        if claim.better not in claim.paper:
            return
        for side in claim.than:
            if side in claim.paper and not (
                claim.paper[claim.better] > claim.factor * claim.paper[side] + claim.margin
            ):
                raise ValueError(
                    f"{where}: the paper's own numbers ({claim.paper[claim.better]} for "
                    f'{claim.better!r}, {claim.paper[side]} for {side!r}) do not fulfil '
                    f'{claim.inequality!r}. Correct the numbers, the factor or the margin.'
                )

    def run(self, name: str) -> Run:
        return next(run for run in self.runs if run.name == name)


def split_side(side: str) -> tuple[str, str | None, str | None]:
    """'a' -> ('a', None, None); 'a - b' -> ('a', '-', 'b').

    Raises:
        ValueError: anything else.
    """
    words = side.split()
    if len(words) == 1:
        return words[0], None, None
    if len(words) != 3 or words[1] not in ('-', '/'):
        raise ValueError(f"side {side!r}: legal are a run's name, 'a - b' and 'a / b'.")
    return words[0], words[1], words[2]


def side_runs(side: str) -> tuple[str, ...]:
    """The runs that a side names."""
    first, _, second = split_side(side)
    return (first,) if second is None else (first, second)


def shipped_suites() -> list[str]:
    """Names of the suites in the package."""
    return sorted(path.stem for path in FOLDER.glob('*.py') if not path.stem.startswith('_'))


def load_suite(name: str) -> Suite:
    """The `SUITE` of a shipped suite, or of a Python file of one's own.

    Raises:
        ValueError: no such suite, or a file that defines none.
    """
    path = Path(name) if name.endswith('.py') else FOLDER / f'{name}.py'
    if not path.is_file():
        raise ValueError(
            f'there is no suite {name!r}; shipped: {", ".join(shipped_suites())}. Or '
            'give the path of a .py file that defines SUITE.'
        )
    spec = importlib.util.spec_from_file_location(f'mmseg_zsclip_suite_{path.stem}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    suite = getattr(module, 'SUITE', None)
    if not isinstance(suite, Suite):
        raise ValueError(  # noqa: TRY004  it is the file that is wrong
            f'{path} defines no SUITE = Suite(...); see {FOLDER} for examples.'
        )
    return suite
