"""What a number was measured with, told by the files themselves."""
from shutil import copy

from mmseg_zsclip.provenance import clip_files, clip_meta, weights_path


def test_published_tags_and_random_weights_have_no_digest():
    assert clip_files(dict(backbone=dict(arch='ViT-B-16', weights='openai'),
                           parts=[dict(text=dict(arch='RN50', weights=None))])) == [
        dict(weights=None, arch='RN50', file=None, sha256=None, trained_by=None),
        dict(weights='openai', arch='ViT-B-16', file=None, sha256=None, trained_by=None)]


def test_a_file_says_itself_what_trained_it(tmp_path):
    found = {}
    for weights in ('toy', 'toy-dense'):
        copy(weights_path('ViT-T-8', weights), tmp_path / 'renamed.pt')
        (item,) = clip_files(dict(arch='ViT-T-8', weights=str(tmp_path / 'renamed.pt')))
        found[weights] = item['trained_by']
    assert found['toy'].startswith('the contrastive loss alone, on image-level captions, 990 steps')
    assert found['toy-dense'].startswith('the contrastive loss and a patch term, ')
    (tmp_path / 'renamed.pt').write_bytes(b'of another layout')
    assert clip_meta(tmp_path / 'renamed.pt') == {}
