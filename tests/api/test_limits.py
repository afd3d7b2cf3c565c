"""What all tables have in common: limits in words, hints, sources, pickles."""

import copy
import dataclasses
import pickle

import pytest

from fastnn import get_act, get_init, get_opt, losses
from fastnn.activations import ACTIVATIONS
from fastnn.initializers import INITIALIZERS
from fastnn.optimizers import RULES

SPECS = [ACTIVATIONS["Swish"], losses.Huber.spec, RULES["Adam"]]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("limit", ["above 0", "from 0 to 1", "at least 1", "other than 0"])
def test_all_tables_know_the_same_limits(spec, limit):
    name = "beta2" if spec.name == "Adam" else next(iter(spec.parameters))
    found = dataclasses.replace(spec, limits={name: limit})
    value = 2.0 if limit == "from 0 to 1" else 0.0
    with pytest.raises(ValueError, match=f"{name} must be {limit}, but is "):
        found.checked({name: value})


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_an_entry_with_an_unknown_limit_is_refused(spec):
    with pytest.raises(ValueError, match=f"limits of '{spec.name}': x is 'huge', .*'above 0'"):
        dataclasses.replace(spec, limits={"x": "huge"})


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: get_opt("Adam", lr=0.1), "; lr: learning_rate"),
        (lambda: get_opt("Adam", betas=(0.9, 0.99)), "; betas: beta1, beta2"),
        (lambda: get_opt("Adam", epsilon=1e-8), "; epsilon: eps"),
        (lambda: get_opt("SGD", wd=1e-8), "; wd: weight_decay"),
        (lambda: get_opt("MSGD", momentum=0.9), "; momentum: mu"),
        (lambda: get_opt("Adam", bta1=0.9), "; bta1: beta1"),
        (lambda: get_act("ELU", alhpa=0.9), "; alhpa: alpha"),
        (lambda: losses.Huber(dleta=0.9), "; dleta: delta"),
        (lambda: get_init("normal", sdt=0.9), "; sdt: std"),
    ],
)  # fmt: skip
def test_a_wrong_keyword_names_what_may_have_been_meant(call, hint):
    with pytest.raises(TypeError, match=hint + r"\?"):
        call()


EVERY = [*ACTIVATIONS.values(), *losses.LOSSES.values(), *RULES.values()]


@pytest.mark.parametrize("spec", EVERY, ids=lambda spec: spec.name)
def test_every_entry_names_its_source(spec):
    assert len(spec.reference) > 10


@pytest.mark.parametrize("spec", [*EVERY, *INITIALIZERS.values()], ids=lambda spec: spec.name)
def test_copies_and_pickles_are_the_entry_itself(spec):
    assert pickle.loads(pickle.dumps(spec)) is copy.copy(spec) is copy.deepcopy(spec) is spec
