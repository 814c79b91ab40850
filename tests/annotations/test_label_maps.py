import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.annotations.label_maps import write_label_map
from mmseg_zsclip.datasets.base import distinct_colours
from mmseg_zsclip.datasets.label_files import LabelReader


@pytest.mark.parametrize('count', [1, 4, 254, 255, 300])
def test_the_values_are_the_classes_as_training_reads_them(tmp_path, count):
    labels = np.arange(320).reshape(16, 20) % count
    labels[0, 0] = -1
    write_label_map(labels, tmp_path / 'a.png', distinct_colours(count))
    read = LabelReader(count)(tmp_path / 'a.png')
    none = 255 if count < 255 else 65535
    assert read[0, 0] == none
    assert (read.flat[1:] == labels.flat[1:]).all()


def test_a_viewer_shows_the_palette(tmp_path, labels, palette):
    write_label_map(labels, tmp_path / 'a.png', palette)
    shown = np.asarray(Image.open(tmp_path / 'a.png').convert('RGB'))
    inside = (labels >= 0) & (labels < 4)
    assert (shown[inside] == np.array(palette)[labels[inside]]).all()
    assert (shown[~inside] == 255).all()
