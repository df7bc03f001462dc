"""One vocabulary for losses, in Python, PyTorch and training."""

import pytest
import torch
from torch import nn

import clexact
from clexact.support.losses import SAME, check_loss, loss_kind
from clexact.torch import laws
from clexact.training.loss import CROSS_ENTROPY
from clexact.training.risk import Risk

NET = clexact.models.linear([3, 2, 2])


@pytest.mark.parametrize("word", [*SAME, "cross-entropy", nn.MSELoss(), nn.CrossEntropyLoss(label_smoothing=0.1)])
def test_all_names_of_a_loss_count_alike(word):
    """Each name is one of two kinds, whose counts differ: a vector of logits is not seen."""
    kind = loss_kind(word)
    assert kind == check_loss(word)
    count = clexact.certify(clexact.gradient_flow(NET, word))
    assert (count.lower, count.upper) == ((5, 5) if kind == "cross_entropy" else (3, 3))
    assert count.description.endswith("cross-entropy loss") == (kind == "cross_entropy")


@pytest.mark.parametrize("word", ["hinge", nn.HingeEmbeddingLoss(), None, 3, nn.Linear(2, 2)])
def test_other_losses_are_refused_with_the_names_expected(word):
    """All names are listed."""
    with pytest.raises(ValueError, match=r"'full' \('mse', 'squared'\), 'cross_entropy' .* or a matrix, not "):
        clexact.gradient_flow(NET, word)


def test_classes_of_torchs_loss_are_its_second_axis():
    """Where others stand behind it, the classes meant are not the last axis: refused, not read otherwise."""
    net = clexact.Model({"U": (2, 3)}, {"X": (2, 3, 4)}, lambda U, X: U @ X)
    assert net.program.shape == (2, 2, 4)
    clexact.gradient_flow(net, "cross_entropy")
    with pytest.raises(ValueError, match=r"second axis, and an output of shape \(2, 2, 4\) has others behind it"):
        clexact.gradient_flow(net, nn.CrossEntropyLoss())


def test_modules_take_the_same_names():
    """Losses of torch.nn beside their names."""
    net, x = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)), torch.ones(4, 3)
    found = {word: list(map(str, laws(net, x, loss=word, certify=False))) for word in ("cross_entropy", "mse")}
    assert found["cross_entropy"] != found["mse"]
    for same, words in {"cross_entropy": [nn.CrossEntropyLoss(), "ce"], "mse": ["full", nn.MSELoss(), None]}.items():
        for word in words:
            assert list(map(str, laws(net, x, loss=word, certify=False))) == found[same]
    with pytest.raises(ValueError, match="or None, not 'hinge'"):
        laws(net, x, loss="hinge")


def test_training_takes_names_of_losses_with_a_value():
    """ "full" is a span of gradients and no loss that is trained."""
    risk = Risk(clexact.models.linear([1, 1]), ([[1]], [[3]]), "mse")
    assert float(risk(risk.start([1]))) == 2.0
    assert Risk(clexact.models.linear([2, 1]), ([[1]], [[0, 1]]), "cross-entropy").loss is CROSS_ENTROPY
    with pytest.raises(ValueError, match="not 'full'"):
        Risk(clexact.models.linear([1, 1]), ([[1]], [[3]]), "full")
