"""What generators that train have in common: a checkpoint of stage 1."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader

from .text_source import first_difference


class TrainedGenerator(BaseModule):
    """A generator that stage 1 trained; see `given_proposals` for what a generator is.

    Args:
        checkpoint: of stage 1, in which the generator is called `generator`.

    Raises:
        ValueError: by `init_weights`, a checkpoint that is not of this generator.
    """

    needs_labels = False

    def __init__(self, checkpoint: str | None = None, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.checkpoint = checkpoint

    def init_weights(self) -> None:
        """Reads the checkpoint, if there is one; else the parts begin as mmdet's do."""
        if self.checkpoint is None:
            super().init_weights()
            return
        content = CheckpointLoader.load_checkpoint(self.checkpoint, map_location='cpu')
        saved = {
            key.removeprefix('generator.'): value
            for key, value in content.get('state_dict', content).items()
            if key.startswith('generator.')
        }
        ours = self.state_dict()
        shapes = [key for key in ours if key in saved and saved[key].shape != ours[key].shape]
        missing, unexpected = ours.keys() - saved.keys(), saved.keys() - ours.keys()
        if missing or unexpected or shapes:
            raise ValueError(
                f'{self.checkpoint} is not of this generator: {len(missing)} tensors missing '
                f'({sorted(missing)[:3]}), {len(unexpected)} unexpected '
                f'({sorted(unexpected)[:3]}), '
                f'{len(shapes)} of another shape ({shapes[:3]}). Train stage 1 with the same '
                '`generator`.'
            )
        self.load_state_dict(saved)
        self.trained_on = (content.get('meta', {}).get('dataset_meta') or {}).get('classes')

    def check_classes(self, names: Sequence[str]) -> None:
        """That stage 1 was trained on these classes: others may be the unseen ones.

        Raises:
            ValueError: it was trained on others.
        """
        theirs = getattr(self, 'trained_on', None)
        if theirs is not None and list(theirs) != list(names):
            there, here = first_difference(list(theirs), list(names))
            raise ValueError(
                f'{self.checkpoint} was trained on {len(theirs)} classes, the vocabulary has '
                f'{len(names)}; first difference {there} and {here}. Classes unseen '
                "here may have been seen there. Train stage 1 with this config's `classes`."
            )
