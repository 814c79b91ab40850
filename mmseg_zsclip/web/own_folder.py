"""One folder for all that the page writes."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

FOLDERS = ('TMPDIR', 'GRADIO_TEMP_DIR', 'MPLCONFIGDIR')
SETTINGS = dict(GRADIO_ANALYTICS_ENABLED='False', GRADIO_RUN_HISTORY='False')


@contextmanager
def own_folder() -> Iterator[str]:
    """A folder that takes all that this process, Gradio and matplotlib write, and is removed. To be
    entered before they are imported."""
    names = (*FOLDERS, *SETTINGS)
    before = tempfile.tempdir, {name: os.environ.get(name) for name in names}
    with tempfile.TemporaryDirectory(prefix='zsclip_demo_', ignore_cleanup_errors=True) as folder:
        os.environ.update(SETTINGS, **dict.fromkeys(FOLDERS, folder))
        tempfile.tempdir = folder
        try:
            yield folder
        finally:
            tempfile.tempdir = before[0]
            for name, value in before[1].items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
