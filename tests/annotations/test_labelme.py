import json

import pytest

from mmseg_zsclip.annotations.labelme import labelme_json
from mmseg_zsclip.annotations.polygons import regions

from .conftest import drawn, known


@pytest.mark.parametrize('how', ['pillow', 'round'])
def test_shapes_drawn_in_their_order_give_the_labels_again(labels, classes, how):
    """labelme itself draws by Pillow."""
    content = json.loads(
        json.dumps(labelme_json(regions(labels, 4), labels.shape, classes, '../photos/a.jpg'))
    )
    shapes = [(classes.index(shape['label']), shape['points']) for shape in content['shapes']]
    assert (drawn(shapes, labels.shape, how) == known(labels)).all()


def test_the_fields_are_those_that_labelme_asks_for(labels, classes):
    content = labelme_json(regions(labels, 4), labels.shape, classes, '../photos/a.jpg')
    assert (content['imageHeight'], content['imageWidth']) == labels.shape
    assert content['imagePath'] == '../photos/a.jpg'
    assert content['imageData'] is None
    assert {'version', 'flags'} < set(content)
    for shape in content['shapes']:
        assert {'label', 'points', 'group_id', 'shape_type', 'flags'} <= set(shape)
        assert shape['shape_type'] == 'polygon'
        assert len(shape['points']) >= 3
