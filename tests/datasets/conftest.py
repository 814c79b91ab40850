import os
from pathlib import Path

import pytest


@pytest.fixture(scope='session')
def shared():
    """The folder of the development data: ZSCLIP_SHARED, or `shared` beside the repository."""
    default = Path(__file__).parents[3] / 'shared'
    folder = Path(os.environ.get('ZSCLIP_SHARED', default))
    if not (folder / 'data').is_dir():
        pytest.skip(f'no data folder in {folder}: set ZSCLIP_SHARED')
    return folder
