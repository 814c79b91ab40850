"""The contrastive loss of MTA-CLIP, against Eq. 7, 8 and 9 written out."""

import math

import pytest
import torch

from mmseg_zsclip.losses import MaskTextLoss, contrastive_terms, mask_text_similarity


def problem(queries=7, classes=4, contexts=3, images=2, seed=0):
    """m', t' and labels of which about a third is -1, in double precision."""
    rng = torch.Generator().manual_seed(seed)
    masks = torch.randn(images, queries, 6, generator=rng, dtype=torch.double)
    text = torch.randn(images, classes, contexts, 6, generator=rng, dtype=torch.double)
    labels = torch.randint(classes, (images, queries), generator=rng)
    labels[torch.rand(images, queries, generator=rng) < 0.3] = -1
    return masks.requires_grad_(), text.requires_grad_(), labels


def written_out(masks, text, labels, tau, negatives):
    """The sums of Eq. 8 and 9 as they are printed, one pair after another: their mean over N."""
    total = 0.0
    for m, t, wanted in zip(masks.detach(), text.detach(), labels.tolist(), strict=True):
        for i, j in enumerate(wanted):
            if j < 0:
                continue  # y is 0 for every class
            score = [[float(m[i] @ one / tau) for one in row] for row in t]
            k = max(range(len(t[j])), key=lambda k, row=score[j]: row[k])
            negative = [
                score[r][c]
                for r in range(len(t))
                for c in range(len(t[r]))
                if (r, c) != (j, k) and (negatives == 'mix' or r != j)
            ]
            top = math.exp(score[j][k])
            total -= math.log(top / (top + sum(map(math.exp, negative))))
    return total / labels.numel()


@pytest.mark.parametrize('negatives', ['mix', 'separate'])
@pytest.mark.parametrize('classes', [1, 4, 12])
def test_the_loss_is_that_of_the_equations(negatives, classes):
    masks, text, labels = problem(classes=classes)
    loss = MaskTextLoss(tau=0.9, similarity='dot', negatives=negatives)(masks, text, labels)
    assert loss.item() == pytest.approx(written_out(masks, text, labels, 0.9, negatives), abs=1e-12)


def test_with_one_context_both_negatives_are_equation_7():
    masks, text, labels = problem(contexts=1)
    scores = mask_text_similarity(masks, text, 0.5, 'cosine')
    plain = torch.nn.functional.cross_entropy(
        scores[..., 0].flatten(0, 1), labels.flatten(), ignore_index=-1, reduction='none'
    ).view_as(labels)
    for negatives in ('mix', 'separate'):
        torch.testing.assert_close(contrastive_terms(scores, labels, negatives), plain)


@pytest.mark.parametrize(('negatives', 'moved'), [('mix', 3), ('separate', 1)])
def test_other_contexts_of_the_class_are_negatives_of_mixneg_alone(negatives, moved):
    masks, text, labels = problem(queries=1)
    loss = MaskTextLoss(negatives=negatives, similarity='dot', tau=1.0)
    (gradient,) = torch.autograd.grad(loss(masks, text, labels.fill_(2)), text)
    assert (gradient[0, 2] != 0).any(dim=1).sum() == moved
    assert (gradient[0, 0] != 0).any(dim=1).all()


def test_equal_contexts_of_a_class_count_one_positive():
    masks, text, labels = problem(queries=3, contexts=2)
    twice = text[:, :, :1].expand(-1, -1, 2, -1)
    loss = MaskTextLoss(similarity='dot', tau=0.9, negatives='separate')(masks, twice, labels)
    assert loss.item() == pytest.approx(written_out(masks, twice, labels, 0.9, 'separate'))


def test_a_cosine_does_not_depend_on_lengths():
    masks, text, labels = problem()
    loss = MaskTextLoss()
    torch.testing.assert_close(loss(masks, text, labels), loss(3 * masks, 5 * text, labels))


def test_a_batch_is_the_mean_of_its_images():
    masks, text, labels = problem()
    loss = MaskTextLoss()
    alone = [loss(masks[i : i + 1], text[i : i + 1], labels[i : i + 1]) for i in (0, 1)]
    torch.testing.assert_close(loss(masks, text, labels), sum(alone) / 2)


def test_over_matched_masks_the_sum_is_divided_by_fewer():
    masks, text, labels = problem()
    over_all, matched = (
        MaskTextLoss(normaliser=n)(masks, text, labels) for n in ('queries', 'matched')
    )
    torch.testing.assert_close(over_all * labels.numel(), matched * (labels >= 0).sum())


@pytest.mark.parametrize('normaliser', ['queries', 'matched'])
def test_images_without_a_mask_cost_nothing_and_keep_the_graph(normaliser):
    masks, text, labels = problem()
    loss = MaskTextLoss(normaliser=normaliser)(masks, text, labels.fill_(-1))
    loss.backward()
    assert loss.item() == 0
    assert masks.grad.eq(0).all()
    assert text.grad.eq(0).all()


def test_a_learned_tau_trains_and_begins_where_a_fixed_one_stays():
    masks, text, labels = problem()
    fixed, learned = MaskTextLoss(), MaskTextLoss(learned_tau=True)
    torch.testing.assert_close(learned(masks, text, labels), fixed(masks, text, labels))
    learned(masks, text, labels).backward()
    assert learned.log_tau.grad.abs() > 0
    assert not list(fixed.parameters())


def test_half_precision_sums_in_float32():
    masks, text, labels = problem()
    whole = MaskTextLoss()(masks.float(), text.float(), labels)
    with torch.autocast('cpu', torch.bfloat16):
        assert MaskTextLoss()(masks.float(), text.float(), labels) == whole
    assert MaskTextLoss()(masks.bfloat16(), text.bfloat16(), labels).dtype == torch.float32


@pytest.mark.parametrize('tau', [0, -0.07, float('nan')])
def test_a_temperature_that_is_none_is_named(tau):
    with pytest.raises(ValueError, match=f'tau is {tau}; a temperature is above 0'):
        MaskTextLoss(tau=tau)


@pytest.mark.parametrize(
    ('option', 'legal'),
    [
        ('similarity', 'cosine, dot'),
        ('negatives', 'mix, separate'),
        ('normaliser', 'queries, matched'),
    ],
)
def test_an_unknown_name_lists_the_legal_ones(option, legal):
    with pytest.raises(ValueError, match=f"{option} is 'all'; legal values: {legal}"):
        MaskTextLoss(**{option: 'all'})
