"""Proposals of the ground truth and of files."""

import json

import cv2
import numpy as np
import pytest
import torch

from mmseg_zsclip.masks import class_maps
from mmseg_zsclip.models.given_proposals import (
    FileProposals,
    SplitMergedProposals,
    TrueProposals,
    decode_segmentation,
)

META = dict(img_path='photos/a photo.jpg', ori_shape=(12, 16), padding_size=(0, 0, 0, 8))
IMAGES = torch.zeros(1, 3, 32, 32)  # the photo twice as large, 24 x 32, and padding below
MASKS = np.zeros((2, 12, 16), np.uint8)
MASKS[0, 2:6, 3:9], MASKS[1, 8:] = 255, 1
TEXT = torch.zeros(5, 4)


def rle(mask):
    """COCO's uncompressed code: runs of 0 and 1 down the columns, 0 first."""
    flat = mask.T.reshape(-1) > 0
    ends = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *ends, flat.size]).tolist()
    return dict(size=list(mask.shape), counts=[0, *runs] if flat[0] else runs)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / 'a photo'
    place.mkdir()
    for i, mask in enumerate(MASKS):
        cv2.imwrite(str(place / f'{i}.png'), mask)
    return tmp_path


@pytest.fixture
def coco(tmp_path):
    """Writes a json of one photo with these annotations, and gives its path."""

    def write(*annotations):
        path = tmp_path / 'masks.json'
        path.write_text(
            json.dumps(
                dict(
                    images=[dict(id=7, file_name='a photo.jpg')],
                    annotations=[dict(image_id=7, **one) for one in annotations],
                )
            )
        )
        return path

    return write


def test_every_class_of_the_truth_is_a_proposal():
    labels = torch.full((32, 32), 255)
    labels[:4], labels[4:8], labels[8:10] = 3, 0, -1
    masks, classes = class_maps(labels, 255)
    assert classes.tolist() == [0, 3]
    assert masks.sum(dim=(1, 2)).tolist() == [128, 128]
    one, none = TrueProposals()(
        torch.zeros(2, 3, 32, 32), [META] * 2, TEXT, [labels, torch.full((32, 32), 255)]
    )
    assert torch.equal(one.masks, masks.float())
    assert one.object_scores.tolist() == [1, 1]
    assert none.masks.shape == (0, 32, 32)


def test_things_of_one_class_are_masks_of_their_own():
    labels = torch.tensor([[0, 0, 0, 2], [2, 2, 255, -1]])
    instances = torch.tensor([[1, 1, 2, 0], [0, 3, 4, 5]])
    masks, classes = class_maps(labels, 255, instances)
    assert classes.tolist() == [0, 0, 2, 2]
    assert masks.flatten(1).sum(dim=1).tolist() == [2, 1, 2, 1]


def some_labels():
    torch.manual_seed(0)
    labels = torch.randint(0, 6, (4, 4)).repeat_interleave(8, 0).repeat_interleave(8, 1)
    labels[:3] = 255
    return labels


def split_merged(labels, meta=META, **options):
    (one,) = SplitMergedProposals(**options)(IMAGES, [meta], TEXT, [labels])
    return one.masks


def test_the_truth_as_it_is_where_nothing_is_split_or_merged():
    labels = some_labels()
    truth = class_maps(labels, 255)[0].float()
    masks = split_merged(labels, split=0.0, merged=0.0)
    assert sorted(masks.flatten(1).tolist()) == sorted(truth.flatten(1).tolist())


@pytest.mark.parametrize('count', [None, 1, 2, 7, 100])
def test_split_and_merged_truth_covers_every_labelled_pixel_once(count):
    labels = some_labels()
    masks = split_merged(labels, count=count)
    assert torch.equal(masks.sum(dim=0), (labels != 255).float())
    assert masks.flatten(1).any(dim=1).all()
    assert count is None or len(masks) == count


def test_as_many_are_split_and_merged_as_asked():
    labels = some_labels()
    classes = len(labels.unique()) - 1
    parts = split_merged(labels, split=1.0, merged=0.0)
    assert len(parts) == 2 * classes
    assert all(len(labels[part > 0].unique()) == 1 for part in parts)
    groups = split_merged(labels, split=0.0, merged=1.0)
    assert len(groups) == classes - round(classes / 2)
    assert sum(len(labels[part > 0].unique()) > 1 for part in groups) == classes // 2


def test_a_photo_is_split_the_same_way_each_time_and_others_in_others():
    labels = some_labels()
    masks = split_merged(labels)
    torch.manual_seed(7)
    other = {**META, 'img_path': 'other.jpg'}
    batch = SplitMergedProposals()(IMAGES.expand(2, -1, -1, -1), [other, META], TEXT, [labels] * 2)
    assert torch.equal(batch[1].masks, masks)
    for changed in (batch[0].masks, split_merged(labels, seed=1)):
        assert changed.shape != masks.shape or not torch.equal(changed, masks)


def test_pixels_are_never_split_and_no_label_is_no_proposal():
    labels = torch.full((32, 32), 255)
    assert split_merged(labels, count=5).shape == (0, 32, 32)
    labels[3, 3:6] = 1
    masks = split_merged(labels, count=5)
    assert masks.flatten(1).sum(dim=1).tolist() == [1, 1, 1]


@pytest.mark.parametrize('options', [dict(split=-0.1), dict(merged=1.5), dict(count=0)])
def test_a_share_or_count_that_is_none_is_named(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f'{name} is {value}; legal: '):
        SplitMergedProposals(**options)


def test_a_folder_and_a_json_give_the_same_proposals(folder, coco):
    (ours,) = FileProposals(folder)(IMAGES, [META], TEXT)
    path = coco(dict(segmentation=rle(MASKS[0]), score=0.8), dict(segmentation=rle(MASKS[1])))
    (theirs,) = FileProposals(path)(IMAGES, [META], TEXT)
    assert torch.equal(ours.masks, theirs.masks)
    assert ours.object_scores.tolist() == [1, 1]
    assert theirs.object_scores.tolist() == pytest.approx([0.8, 1])
    inside = ours.masks > 0.5
    assert torch.equal(inside[:, 0:24:2, ::2], torch.from_numpy(MASKS > 0))
    assert not inside[:, 24:].any()


def test_polygons_are_masks_too(coco):
    path = coco(dict(segmentation=[[3, 2, 9, 2, 9, 6, 3, 6]]))
    (one,) = FileProposals(path)(IMAGES, [META], TEXT)
    assert torch.equal(one.masks[0, 0:24:2, ::2] > 0.5, torch.from_numpy(MASKS[0] > 0))


def test_a_photo_may_have_no_proposal(folder, coco):
    for path in (folder / 'a photo').glob('*.png'):
        path.unlink()
    for source in (folder, coco()):
        (one,) = FileProposals(source)(IMAGES, [META], TEXT)
        assert one.masks.shape == (0, 32, 32)


@pytest.mark.parametrize(
    'change',
    [
        lambda mask: (mask > 0).astype(np.uint16),
        lambda mask: mask.astype(np.uint16) * 257,
        lambda mask: np.stack([mask > 0, mask * 0, mask * 0], axis=2).astype(np.uint8),
    ],
)
def test_what_is_not_0_is_inside_however_dark_it_is(folder, change):
    (expected,) = FileProposals(folder)(IMAGES, [META], TEXT)
    for i, mask in enumerate(MASKS):
        cv2.imwrite(str(folder / 'a photo' / f'{i}.png'), change(mask))
    (one,) = FileProposals(folder)(IMAGES, [META], TEXT)
    assert torch.equal(one.masks, expected.masks)


RGBA = cv2.imencode('.png', np.zeros((12, 16, 4), np.uint8))[1].tobytes()


@pytest.mark.parametrize(
    ('content', 'what'),
    [
        (b'', 'is empty'),
        (b'no picture', 'cannot be'),
        (RGBA[: len(RGBA) // 2], 'cannot be'),
        (RGBA, 'has an alpha channel'),
    ],
)
def test_an_empty_or_unreadable_mask_is_named(folder, content, what):
    path = folder / 'a photo' / '1.png'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf'mask file .*1\.png {what}'):
        FileProposals(folder)(IMAGES, [META], TEXT)


def test_a_mask_of_another_size_than_its_photo_is_named(folder):
    with pytest.raises(ValueError, match=r'a photo\.jpg is 12 x 16 pixels, the photo 24 x 32'):
        FileProposals(folder)(IMAGES, [{**META, 'ori_shape': (24, 32)}], TEXT)


def test_a_photo_that_nobody_made_masks_for_is_named(folder, coco):
    for source in (folder, coco()):
        with pytest.raises(FileNotFoundError, match='no masks of .*other.jpg'):
            FileProposals(source)(IMAGES, [{**META, 'img_path': 'other.jpg'}], TEXT)


def test_a_missing_or_broken_file_is_named(tmp_path, coco):
    with pytest.raises(FileNotFoundError, match='nowhere does not exist. Legal: a folder'):
        FileProposals(tmp_path / 'nowhere')
    path = tmp_path / 'broken.json'
    for content in ('', '[]', '{"images": []}', '{"images": [], "annotations": [[1]]}'):
        path.write_text(content)
        with pytest.raises(ValueError, match='broken.json is no COCO json of masks'):
            FileProposals(path)


def test_a_compressed_code_is_decoded_as_pycocotools_does():
    from pycocotools import mask as coco

    rng = np.random.default_rng(0)
    for share in (0.0, 0.02, 0.5, 1.0):
        mask = rng.random((37, 53)) < share
        code = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        text = {**code, 'counts': code['counts'].decode()}
        for one in (code, text, rle(mask)):
            assert np.array_equal(decode_segmentation(one, (37, 53), 'here'), mask)


@pytest.mark.parametrize(
    ('segmentation', 'what'),
    [
        (dict(size=[12, 16]), "KeyError: 'counts'"),
        (dict(size=[12, 16], counts=[5, 5]), 'runs are 10 pixels long, its size is 12 x 16'),
        (dict(size=[12, 16], counts=[5, -5, 192]), 'runs are 192 pixels'),
        (dict(size=[12, 16], counts='0<'), 'runs are 12 pixels long'),
        (None, 'it is None'),
        ([], r'it is \[\]'),
        ([[1, 2]], 'needs three points'),
        ([[1, float('nan'), 3, 4, 5, 6]], 'needs three points'),
        ([[1, 1e12, 3, 4, 5, 6]], 'needs three points'),
    ],
)
def test_a_segmentation_that_is_none_is_named(coco, segmentation, what):
    """pycocotools takes memory for pixels, or never comes back."""
    source = FileProposals(coco(dict(segmentation=segmentation)))
    with pytest.raises(
        ValueError, match=rf'masks\.json, image a photo\.jpg: the segmentation cannot .*{what}'
    ):
        source(IMAGES, [META], TEXT)


@pytest.mark.parametrize('change', [dict(image_id=8), dict(score=float('nan'))])
def test_an_annotation_of_no_image_or_with_no_score_is_named(coco, change):
    path = coco(dict(segmentation=rle(MASKS[0])))
    content = json.loads(path.read_text())
    content['annotations'][0].update(change)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'masks\.json is no COCO json .* has image_id [78]'):
        FileProposals(path)


def test_two_photos_of_one_id_do_not_share_their_masks(tmp_path):
    images = [dict(id=7, file_name=f'{name}.jpg') for name in 'ab']
    (tmp_path / 'ids.json').write_text(json.dumps(dict(images=images, annotations=[])))
    with pytest.raises(ValueError, match='lists 1 ids of photos twice, the first 7'):
        FileProposals(tmp_path / 'ids.json')


def test_two_photos_of_one_name_do_not_share_their_masks(tmp_path):
    names = ['train/1.jpg', 'val/1.jpg']
    (tmp_path / 'twins.json').write_text(
        json.dumps(
            dict(
                images=[dict(id=i, file_name=name) for i, name in enumerate(names)], annotations=[]
            )
        )
    )
    with pytest.raises(ValueError, match=r"twins\.json lists 1 names of photos twice, .* '1'"):
        FileProposals(tmp_path / 'twins.json')
