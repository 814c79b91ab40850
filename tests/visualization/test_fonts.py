"""Names of any language are written, or the class is called by its number."""

import numpy as np
import pytest

from mmseg_zsclip.visualization.fonts import font_for, legible
from mmseg_zsclip.visualization.overlays import Shown, legend
from mmseg_zsclip.visualization.paint import named_regions


@pytest.mark.parametrize('name', ['straße', 'naïve café', 'łąka', 'небо', 'ουρανός'])
def test_letters_that_pillows_font_lacks_are_of_another_one(name):
    assert font_for('sky', 15).getname()[0] != font_for(name, 15).getname()[0]
    assert legible(name, 3) == name


def test_a_name_that_no_font_has_is_the_number_of_its_class():
    names = ['sky', '\U0010fffe', '\U0010fffd']  # of no alphabet
    labels = np.repeat([[0, 1, 2]], 30, 0).repeat(10, 1)
    found = [name for name, _ in named_regions(labels, names, names[2:])]
    assert found == ['sky', 'class 1', 'class 2*']
    shown = Shown(names, [[9, 9, 9]] * 3, ())
    same = Shown(['sky', 'class 1', 'class 2'], [[9, 9, 9]] * 3, ())
    pictures = [np.asarray(legend([0, 1, 2], '', one, 480)) for one in (shown, same)]
    assert (pictures[0] == pictures[1]).all()
