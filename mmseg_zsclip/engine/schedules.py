"""Schedules of a run that goes on: the config's, at the step that was reached."""

import copy
import warnings

from mmengine.optim.scheduler import ReduceOnPlateauParamScheduler

# What a schedule counts; the rest of its state is its definition.
COUNTERS = {
    'last_step',
    '_global_step',
    '_last_value',
    'verbose',
    'best',
    'num_bad_epochs',
    'cooldown_counter',
    'last_epoch',
}


def flat_schedulers(schedulers) -> list:
    """All of them; MMEngine keeps a list, or a dictionary of lists by optimizer."""
    lists = schedulers.values() if isinstance(schedulers, dict) else [schedulers or []]
    return [one for some in lists for one in some]


class Schedules:
    """The schedules as the config defines them, before a checkpoint takes their place.

    MMEngine loads a scheduler's whole state, its end included, so that a longer run would keep the
    old end and train at the last rate of all.
    """

    def __init__(self, runner) -> None:
        self.states = [
            copy.copy(one.state_dict()) for one in flat_schedulers(runner.param_schedulers)
        ]
        self.initial = (
            [
                {key: value for key, value in group.items() if key.startswith('initial_')}
                for group in runner.optim_wrapper.param_groups
            ]
            if self.states
            else []
        )

    def differ(self, saved) -> bool:
        """Whether the checkpoint's schedulers are defined in another way than the config's."""
        saved = flat_schedulers(saved)
        return len(saved) != len(self.states) or any(
            _definition(one) != _definition(other)
            for one, other in zip(saved, self.states, strict=True)
        )

    def replay(self, runner) -> None:
        """Builds the schedulers anew and takes them step by step from the initial values to the
        current iteration: most are defined by the value before, and multiply each other."""
        for group, initial in zip(runner.optim_wrapper.param_groups, self.initial, strict=True):
            group.update(initial)
            for key, value in initial.items():
                group[key.removeprefix('initial_')] = value
        plateaus = [
            one.state_dict()
            for one in flat_schedulers(runner.param_schedulers)
            if isinstance(one, ReduceOnPlateauParamScheduler)
        ]
        with warnings.catch_warnings():
            # of steps without the optimizer's: those were taken before the run was cut off
            warnings.simplefilter('ignore', UserWarning)
            runner.param_schedulers = runner.build_param_scheduler(
                copy.deepcopy(runner.cfg.param_scheduler)
            )
            every = flat_schedulers(runner.param_schedulers)
            for one in every:
                if isinstance(one, ReduceOnPlateauParamScheduler) and plateaus:
                    one.load_state_dict(plateaus.pop(0))  # it follows the metrics, not the steps
            stepped = [
                one
                for one in every
                if not one.by_epoch and not isinstance(one, ReduceOnPlateauParamScheduler)
            ]
            for _ in range(runner.iter):
                for one in stepped:
                    one.step()


def _definition(state: dict) -> dict:
    return {key: value for key, value in state.items() if key not in COUNTERS}
