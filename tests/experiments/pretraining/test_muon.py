import pytest
import torch
from torch import nn

from mmseg_zsclip.experiments.pretraining.muon import Muon, orthogonal


@pytest.mark.skipif(not hasattr(torch.optim, 'Muon'), reason='needs torch 2.9: torch.optim.Muon')
@pytest.mark.parametrize('shape', [(12, 5), (5, 12), (8, 8)])
def test_steps_equal_those_of_torchs_muon(shape):
    torch.manual_seed(0)
    start, gradients = torch.randn(shape), torch.randn(4, *shape)
    ends = []
    for muon in (Muon, torch.optim.Muon):
        parameter = nn.Parameter(start.clone())
        optimizer = muon([parameter], lr=0.01, weight_decay=0.05)
        for gradient in gradients:
            parameter.grad = gradient.clone()
            optimizer.step()
        ends.append(parameter.detach())
        assert torch.equal(gradients[-1], parameter.grad)  # a step leaves the gradient alone
    torch.testing.assert_close(ends[0], ends[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize('shape', [(12, 5), (5, 12), (8, 8)])
def test_an_update_has_singular_values_near_1(shape):
    torch.manual_seed(0)
    update = torch.randn(shape)
    made = orthogonal(update).float()
    assert made.shape == update.shape
    singular = torch.linalg.svdvals(made)
    assert 0.4 < singular.min()
    assert singular.max() < 1.6
    u, _, v = torch.linalg.svd(update, full_matrices=False)
    assert torch.nn.functional.cosine_similarity(made.flatten(), (u @ v).flatten(), 0) > 0.95


def test_its_state_goes_through_a_checkpoint():
    parameter = nn.Parameter(torch.eye(3))
    parameter.grad = torch.ones(3, 3)
    first, second = Muon([parameter]), Muon([parameter])
    first.step()
    second.load_state_dict(first.state_dict())
    assert second.state[parameter]['momentum_buffer'].max() > 0


def test_a_bias_is_refused_by_name_of_its_shape():
    with pytest.raises(ValueError, match=r'matrices alone, got a parameter of shape \(3,\); give'):
        Muon([nn.Parameter(torch.ones(3))])
