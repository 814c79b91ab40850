import zipfile

import pytest
import torch

from mmseg_zsclip.clip.tensor_files import ScriptState, UnreadableFile, inside, read_content


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
        self.plain, self.tied = torch.ones(2), self.layers[0]
        self.register_buffer('extra', torch.zeros(1), persistent=False)

    def forward(self, x):
        return self.layers(x) + self.extra


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('make', [torch.jit.script, lambda m: torch.jit.trace(m, torch.ones(1, 2))])
def test_torchscript_read_as_data_equals_torchs_own_loader(make, tmp_path, monkeypatch):
    path = tmp_path / 'a.pt'
    make(Net().eval()).save(str(path))
    theirs = torch.jit.load(str(path)).state_dict()
    monkeypatch.setattr(torch.jit, 'load', None)
    ours = read_content(path)
    assert isinstance(ours, ScriptState)
    assert ours.state.keys() == theirs.keys()
    assert all(torch.equal(ours.state[key], value) for key, value in theirs.items())


def test_a_small_archive_that_inflates_to_much_is_refused_unread(tmp_path):
    path = tmp_path / 'a.pt'
    torch.save({'w': torch.zeros(2_000_000)}, path)
    with (
        zipfile.ZipFile(path) as whole,
        zipfile.ZipFile(tmp_path / 'b.pt', 'w', zipfile.ZIP_DEFLATED) as small,
    ):
        for name in whole.namelist():
            small.writestr(name, whole.read(name))
    with pytest.raises(UnreadableFile, match='is compressed, which torch.save never does'):
        read_content(tmp_path / 'b.pt')


@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_an_entry_twice_is_refused(tmp_path):
    torch.save({'w': torch.zeros(2)}, tmp_path / 'a.pt')
    with zipfile.ZipFile(tmp_path / 'a.pt', 'a') as archive:
        archive.writestr('a/data.pkl', b'other')
    with pytest.raises(UnreadableFile, match='twice'):
        read_content(tmp_path / 'a.pt')


@pytest.mark.parametrize('zipped', [True, False])
def test_damage_anywhere_is_an_error_that_names_the_file(zipped, tmp_path):
    path = tmp_path / 'a.pth'
    torch.save({'w': torch.arange(50.0)}, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 37):
        path.write_bytes(whole[:cut])
        with pytest.raises(UnreadableFile, match='a.pth'):
            read_content(path)


def test_a_shard_outside_of_its_folder_is_refused(tmp_path):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'link').symlink_to('/etc/hostname')
    for name in ('../x', '/etc/passwd', 'link'):
        with pytest.raises(UnreadableFile, match='lies outside'):
            inside(tmp_path / 'in', name)
