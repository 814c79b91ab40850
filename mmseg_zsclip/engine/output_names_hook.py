"""Tells metrics that write label maps where each photo's belongs."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..datasets.output_names import OutputNames


class OutputNamesHook(Hook):
    """Gives the names of the data set's photos to every metric that writes files by them: a metric
    sees samples alone, and two processes see different ones."""

    def before_val(self, runner: Runner) -> None:
        self._tell(runner.val_loop)

    def before_test(self, runner: Runner) -> None:
        self._tell(runner.test_loop)

    @staticmethod
    def _tell(loop) -> None:
        for metric in loop.evaluator.metrics:
            if isinstance(getattr(metric, 'names', None), OutputNames) and metric.output_dir:
                metric.names = OutputNames(loop.dataloader.dataset)
