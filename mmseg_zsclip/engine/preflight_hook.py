"""A few seconds on a sample of the data, before a run begins."""

from collections.abc import Iterator

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..datasets.preflight import check_dataset
from ..registry import HOOKS


def parts(dataset) -> Iterator:
    """The data sets that a joined or wrapped one is made of."""
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    if inner == [None]:
        yield dataset
    else:
        for one in inner:
            yield from parts(one)


@HOOKS.register_module()
class PreflightHook(Hook):
    """Looks at a sample of each data set when a training (its validation included) or a test
    begins, in the first process, and says in the log what it looked at. Generated data sets and
    those on other machines are passed over. `default_hooks.preflight=None` leaves it out.

    Args:
        files: photos of each data set, evenly spread.

    Raises:
        ValueError: damaged photos, label maps of other sizes or values: see
            `datasets.preflight.check_dataset`.
    """

    def __init__(self, files: int = 16) -> None:
        self.files = files

    def look(self, runner: Runner, loop, where: str) -> None:
        dataset = getattr(getattr(loop, 'dataloader', None), 'dataset', None)
        if dataset is None or not is_main_process():
            return
        for one in parts(dataset):
            if not hasattr(one, 'get_data_info') or not len(one):
                continue
            if '://' in str(one.get_data_info(0).get('img_path', '://')):
                continue
            try:
                report = check_dataset(one, self.files)
            except ValueError as error:
                raise ValueError(f'{where} data: {error}') from error
            runner.logger.info(f'preflight, {where} data: {report}')

    def before_train(self, runner: Runner) -> None:
        self.look(runner, runner.train_loop, 'training')
        self.look(runner, runner.val_loop, 'validation')

    def before_test(self, runner: Runner) -> None:
        self.look(runner, runner.test_loop, 'test')
