"""Proposals of the ground truth and of files."""

import json

import cv2
import numpy as np
import pytest
import torch

from mmseg_zsclip.masks import class_maps
from mmseg_zsclip.models.given_proposals import FileProposals, TrueProposals

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


@pytest.mark.parametrize(('content', 'what'), [(b'', 'is empty'), (b'no picture', 'cannot be')])
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
    for content in ('', '[]', '{"images": []}'):
        path.write_text(content)
        with pytest.raises(ValueError, match='broken.json is no COCO json of masks'):
            FileProposals(path)
    with pytest.raises(
        ValueError, match=r'masks\.json, image a photo\.jpg: the segmentation cannot'
    ):
        FileProposals(coco(dict(segmentation=dict(size=[12, 16]))))(IMAGES, [META], TEXT)


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
