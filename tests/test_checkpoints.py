import pytest
import torch

import mmseg_zsclip  # noqa: F401  puts the reader in mmengine's table
from mmseg_zsclip.checkpoints import CheckpointError, read_checkpoint

from .test_compat import make_runner


def hostile_text(canary):
    return f"open({str(canary)!r}, 'w').write('ran')\nmodel = dict(type='x')\n"


def test_the_config_text_of_a_checkpoint_is_never_executed(tmp_path):
    make_runner(tmp_path, 2, resume=False).train()
    saved = torch.load(tmp_path / 'iter_2.pth', weights_only=False)  # this test's own file
    for key in ('config', 'cfg'):
        saved['meta'][key] = hostile_text(tmp_path / 'canary')
    saved['message_hub']['runtime_info']['cfg'] = hostile_text(tmp_path / 'canary')
    torch.save(saved, tmp_path / 'iter_2.pth')
    again = make_runner(tmp_path, 4, resume=True)
    again.train()
    assert again.iter == 4
    from mmengine.config import ConfigDict
    from mmengine.infer import BaseInferencer

    with pytest.raises(ValueError, match='Cannot find the config'):
        BaseInferencer._init_model(object(), ConfigDict(), str(tmp_path / 'iter_2.pth'))
    assert not (tmp_path / 'canary').exists()


class Loud:
    def __reduce__(self):
        return (print, ('ran',))


def write(path, kind):
    if isinstance(kind, bytes):
        path.write_bytes(kind)
    else:
        torch.save(kind, path)


@pytest.mark.parametrize(
    'kind',
    [
        b'',
        b'\x89PNG\r\n\x1a\n',
        b'some text',
        b'<!doctype html><html>',
        b'\x1f\x8b\x08\x00',
        b'version https://git-lfs.github.com/spec/v1\n',
        b'\x80\x02',
        torch.zeros(2),
        [1],
        3,
        {'a': 1},
        {'state_dict': 4},
        {'state_dict': {}},
        {'meta': 'x', 'state_dict': {'a': torch.zeros(1)}},
        {'a': torch.tensor([1.0, float('nan')])},
        {'state_dict': {'a': torch.zeros(1)}, 'x': Loud()},
        {'visual.conv1.weight': torch.zeros(1), 'logit_scale': torch.zeros(())},
    ],
    ids=lambda kind: str(kind)[:20],
)
def test_another_file_as_checkpoint_is_one_line_that_names_it(kind, tmp_path, capsys):
    from mmengine.runner.checkpoint import _load_checkpoint

    write(tmp_path / 'a.pth', kind)
    with pytest.raises(CheckpointError, match='a.pth') as found:
        _load_checkpoint(str(tmp_path / 'a.pth'))
    assert '\n' not in str(found.value)
    assert 'weights_only=False' not in str(found.value)
    assert 'ran' not in capsys.readouterr().out


@pytest.mark.parametrize('url', ['http://127.0.0.1:1/x.pth', 's3://a/b.pth', 'pavi://x'])
def test_sources_without_a_digest_or_with_their_own_reader_are_refused(url):
    from mmengine.runner.checkpoint import _load_checkpoint

    with pytest.raises(CheckpointError, match='refused|is not read'):
        _load_checkpoint(url)


def test_a_state_dict_loads_and_says_what_it_lacks(tmp_path):
    torch.save({'a': torch.ones(2)}, tmp_path / 'a.pth')
    content = read_checkpoint(tmp_path / 'a.pth')
    assert content['a'].tolist() == [1, 1]
    with pytest.raises(CheckpointError, match="a.pth has no 'meta'.*not resumed"):
        content['meta']


def test_what_was_read_can_be_saved_and_read_again(tmp_path):
    torch.save(
        dict(state_dict=dict(a=torch.ones(2)), meta=dict(iter=3, seed=1)), tmp_path / 'a.pth'
    )
    once = read_checkpoint(tmp_path / 'a.pth')
    torch.save(once, tmp_path / 'b.pth')
    again = torch.load(tmp_path / 'b.pth', weights_only=True)
    assert again['meta'] == dict(iter=3, seed=1)
    assert torch.equal(read_checkpoint(tmp_path / 'b.pth')['state_dict']['a'], torch.ones(2))
