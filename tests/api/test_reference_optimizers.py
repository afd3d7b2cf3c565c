"""References of the update rules by hand: first steps, what differs from the article, signs."""

import math

import numpy as np
import pytest

import fastnn
from fastnn.reference import ReferenceOptimizer
from fastnn.reference.optimizers import DEFAULTS, RULES

G = np.array([0.5, -2.0, 1e-3])
CLOSE = 8 * np.finfo(np.float64).eps

every = pytest.mark.parametrize("name", RULES)


class Driver:
    """A rule with what some of them need beside the gradient."""

    def __init__(self, name, seed=0, **hyper):
        self.optimizer = ReferenceOptimizer.named(name, **hyper)
        self.rng = np.random.default_rng(seed)
        self.needs_noise, self.needs_loss = name.startswith("Santa"), name == "Eve"
        self.rate = self.optimizer.optimizer.schedule(0)

    def step(self, p, g, f=1.0, rate=None):
        p, more = np.asarray(p, np.float64), {}
        if self.needs_noise:
            if not self.optimizer.t:
                self.state["u"] = self.rate**0.5 * self.rng.standard_normal(p.shape)
            more["noise"] = self.rng.standard_normal(p.shape)
        if self.needs_loss:
            more["f"] = f
        return self.optimizer.step(p, g, rate, **more)

    @property
    def state(self):
        return self.optimizer.state

    def run(self, p, gradient, steps, cost=lambda p: 1.0):
        for _ in range(steps):
            p = self.step(p, gradient(p), cost(p))
        return p


def deltas(name, gradients, **hyper):
    """The steps from gradients that are given, where nothing decays."""
    driver, zero = Driver(name, **hyper, weight_decay=0.0), np.zeros(np.shape(gradients[0]))
    return [driver.step(zero, g) for g in gradients]


ROOT = np.sqrt(G**2)
SIGN = np.sign(G)

# the first step from zero state, at the defaults
FIRST = {
    "SGD": -1e-2 * G,
    "MSGD": -1e-3 * G,
    "NAG": -1.9e-3 * G,
    "AdaGrad": -1e-3 * SIGN,
    "RMSprop": -1e-2 * G / np.sqrt(0.01 * G**2 + 1e-8),
    "AdaDelta": -1e-3 * G / np.sqrt(0.05 * G**2 + 1e-6),
    "Adam": -1e-3 * np.sqrt(1e-3) * G / np.sqrt(1e-3 * G**2 + 1e-8),
    "RMSpropGraves": -1e-4 * G / np.sqrt(0.05 * G**2 - 0.0025 * G**2 + 1e-4),
    "SMORMS3": -G * np.minimum(1e-3, 0.25 * G**2 / (0.5 * G**2 + 1e-8))
    / np.sqrt(0.5 * G**2 + 1e-8),
    "AdaMax": -2e-3 * SIGN,
    "Nadam": -2e-3 * G * (0.975 * 0.025 / (1 - 0.975**2) + 1) / np.sqrt(0.999 * G**2 + 1e-8),
    "Eve": -1e-3 * G / (ROOT + 1e-8),
    "AMSGrad": -1e-4 * G / np.sqrt(1e-3 * G**2 + 1e-8),
    "AdaBound": -0.1 * G * np.clip(1e-3 / np.sqrt(1e-3 * G**2), 0.1 - 0.1 / 1.001,
                                   0.1 + 0.1 / (1e-3 + 1e-8)),
    "AdamW": -1e-3 * G / (ROOT + 1e-8),
    "NadamW": -1e-3 * G * (0.09 / 0.19 + 1) / (ROOT + 1e-8),
    "RAdam": -1e-3 * G,
    "Lion": -1e-4 * SIGN,
    "AdaBelief": -1e-3 * G / (np.sqrt(0.81 * G**2 + 1e-13) + 1e-16),
    "Rprop": -1e-2 * SIGN,
}  # fmt: skip
FIRST["AMSBound"] = FIRST["AdaBound"]


@pytest.mark.parametrize("name", FIRST)
def test_first_step(name):
    np.testing.assert_allclose(deltas(name, [G])[0], FIRST[name], rtol=1e-12)


def test_only_santas_first_step_depends_on_noise():
    assert set(RULES) - set(FIRST) == {"SantaE", "SantaSSS"}
    assert set(DEFAULTS) == set(RULES)


@every
def test_every_rule_goes_down(name):
    """The sign convention: the delta is added. Most of the way, and never up in the end."""
    driver = Driver(name, **({"burnin": 20} if name.startswith("Santa") else {}))
    start = np.array([1.0, -2.0])
    found = driver.run(start, lambda p: 2 * p, 300, lambda p: np.sum(p**2))
    assert np.isfinite(found).all()
    assert np.sum(found**2) < np.sum(start**2)


@every
@pytest.mark.parametrize("placement", ["inside", "outside", "uncorrected"])
def test_zero_gradients_are_zero_steps(name, placement):
    """Also where the rule would divide zero by zero."""
    more = {"eps_placement": placement} if "eps_placement" in DEFAULTS[name] else {}
    driver = Driver(name, **more, weight_decay=0.0, **({"burnin": 0} if "Santa" in name else {}))
    if "Santa" in name:  # which has a momentum from the start
        driver.state["u"], driver.optimizer.t = np.zeros(3), 1
    with np.errstate(all="raise"):
        for _ in range(3):
            np.testing.assert_array_equal(driver.step(np.zeros(3), np.zeros(3)), np.zeros(3))


@every
def test_states_belong_to_the_optimizer(name):
    """What a step returns may be changed without harm, and so may the gradient."""
    one, two = Driver(name), Driver(name)
    p = q = np.array([1.0, -2.0])
    for _ in range(3):
        g = p.copy()
        p = one.step(p, g)
        g[...] = 99.0
        kept = p.copy()
        q = two.step(q, q)
        np.testing.assert_array_equal(kept, q)
        p += 1.0
        q = q + 1.0


@every
def test_rates_are_taken_step_by_step(name):
    driver = Driver(name, weight_decay=0.5)
    p = driver.step(np.ones(3), G, rate=driver.rate)
    if name not in ("Rprop", "SantaE", "SantaSSS", "MSGD", "NAG", "AdaBound", "AMSBound"):
        np.testing.assert_array_equal(driver.step(p, G, rate=0.0), p)


def test_momentum_by_hand():
    """v = mu v − (1 − mu) eta g: a steady gradient ends in steps of −eta g."""
    first, second = deltas("MSGD", [G, G], eta=1.0, mu=0.5)
    np.testing.assert_allclose([first, second], [-0.5 * G, -0.75 * G], rtol=CLOSE)
    assert deltas("MSGD", [G] * 200)[-1] == pytest.approx(-1e-2 * G, rel=1e-8)


def test_nesterov_is_the_form_that_looks_ahead():
    """The same iterates as those of the article, which ask for the gradient at w + mu v."""
    mu, eta, curve = 0.9, 0.05, np.array([1.0, 7.0])
    w, v = np.array([1.0, -1.0]), np.zeros(2)
    optimizer, phi = ReferenceOptimizer.named("NAG", eta=eta, mu=mu), w
    for _ in range(30):
        v = mu * v - (1 - mu) * eta * curve * (w + mu * v)
        w = w + v
        phi = optimizer.step(phi, curve * phi)
        np.testing.assert_allclose(phi, w + mu * v, rtol=1e-12, atol=1e-15)


def test_eps_inside_shortens_steps_of_small_gradients():
    """At gradients of 1e-4 Adam's first step is some thirty times shorter than the paper's."""
    inside, outside = deltas("Adam", [[1e-4]]), deltas("Adam", [[1e-4]], eps_placement="outside")
    assert outside[0] == pytest.approx(-1e-3, rel=1e-3)
    assert outside[0] / inside[0] == pytest.approx(math.sqrt(1001), rel=1e-3)


def test_uncorrected_eps_counts_for_more_in_the_first_steps():
    """Of a gradient of 1 the first v is 1/1000, and its correction as much."""
    (step,) = deltas("Adam", [[1.0]], eps_placement="uncorrected", eps=0.01)
    np.testing.assert_allclose(step, -1e-3 / (1 + 0.01 * math.sqrt(1000)), rtol=CLOSE)


def test_rmsprop_outside():
    first, second = deltas("RMSprop", [G, -G], eps_placement="outside", eps=0.5, rho=0.75)
    np.testing.assert_allclose(first, -1e-2 * G / (ROOT / 2 + 0.5), rtol=CLOSE)
    np.testing.assert_allclose(second, 1e-2 * G / (ROOT * math.sqrt(7 / 16) + 0.5), rtol=CLOSE)


def test_adadelta_needs_no_learning_rate_but_obeys_one():
    one, half = (deltas("AdaDelta", [G, G], learning_rate=rate) for rate in (1.0, 0.5))
    np.testing.assert_allclose(half, 0.5 * np.array(one), rtol=CLOSE)


def test_graves_has_the_papers_momentum():
    plain, moved = (deltas("RMSpropGraves", [G, G], momentum=m) for m in (0.0, 0.9))
    np.testing.assert_allclose(moved[1], plain[1] + 0.9 * plain[0], rtol=CLOSE)


def test_smorms3_by_hand():
    driver = Driver("SMORMS3", eta=10.0, eps=0.0)
    first, second = driver.step([0.0], [2.0]), driver.step([0.0], [1.0])
    # r = 1/2: m = 1, v = 2, zeta = 1/2, s = 1 + 1/2; then r = 2/5: m = 1, v = 8/5, zeta = 5/8
    assert first == pytest.approx(-2 * 0.5 / math.sqrt(2))
    assert second == pytest.approx(-0.625 / math.sqrt(1.6))
    assert driver.state["s"] == pytest.approx(1 + (1 - 0.625) * 1.5)


def test_adamax_remembers_the_largest():
    first, second = deltas("AdaMax", [[4.0], [1.0]], beta1=0.5, beta2=0.75)
    assert first == pytest.approx(-2e-3)
    assert second == pytest.approx(-2e-3 / 0.75 * 1.5 / 3.0)


def test_nadam_outside_is_nadamw_without_decay():
    g = np.random.default_rng(0).standard_normal((5, 3))
    numbers = {"mu": 0.9, "nu": 0.999, "alpha": 1e-3}
    np.testing.assert_array_equal(
        deltas("Nadam", g, **numbers, eps_placement="outside"), deltas("NadamW", g)
    )


def test_eve_follows_version_three_of_its_paper():
    """d = |f − f'| / (min − f*), where the article has |f − f*| above."""
    driver = Driver("Eve", beta3=0.5, c=3.0)
    driver.step([0.0], [1.0], f=4.0)
    assert driver.state["d"] == 1.0
    for f, expected in ((3.0, 1 / 3), (6.0, 1.0), (6.0, 1 / 3), (0.5, 3.0), (0.5, 1 / 3)):
        before = driver.state["d"]
        driver.step([0.0], [1.0], f=f)
        assert driver.state["d"] == pytest.approx((before + expected) / 2)
        assert driver.state["f"] == f
    adam = deltas("Adam", [[1.0]] * 2, eps_placement="outside")[1]
    eve = Driver("Eve", beta3=0.0, c=10.0, fstar=1.0)
    eve.step([0.0], [1.0], f=2.0)
    assert eve.step([0.0], [1.0], f=5.0) == pytest.approx(adam / 3)


def test_eve_needs_the_loss():
    optimizer = ReferenceOptimizer.named("Eve")
    optimizer.step([0.0], [1.0])
    with pytest.raises(ValueError, match="needs the loss f"):
        optimizer.step([0.0], [1.0])
    assert np.isfinite(Driver("Eve").run(np.ones(1), lambda p: 0 * p, 3, lambda p: 0.0)).all()


def santa(name, steps, seed=0, **hyper):
    """What Santa's steps are made of: the states after each, u first."""
    driver, p, found = Driver(name, seed, **hyper), np.zeros(2), []
    for g in steps:
        p = driver.step(p, g)
        found.append({"p": p, **driver.state})
    return found


@pytest.mark.parametrize("name", ["SantaE", "SantaSSS"])
def test_santa_explores_then_refines(name):
    gradients = np.random.default_rng(1).standard_normal((12, 2))
    one, other = (santa(name, gradients, seed, burnin=7) for seed in (1, 2))
    assert not np.array_equal(one[3]["alpha"], one[4]["alpha"])
    for k in range(6, 12):  # t = 7 is the first of the deterministic stage
        np.testing.assert_array_equal(one[k]["alpha"], one[5]["alpha"])
    assert not np.array_equal(one[-1]["p"], other[-1]["p"])
    np.testing.assert_array_equal(one[-1]["p"], santa(name, gradients, 1, burnin=7)[-1]["p"])


def test_santa_e_refines_by_hand():
    g, eta = np.array([3.0, -1.0]), 1e-2
    u = 0.1 * np.random.default_rng(5).standard_normal(2)
    found = santa("SantaE", [g], 5, burnin=1, N=2, sigma=0.75, lambda_=0.0)[0]
    gamma = np.abs(g / 4) ** -0.5
    expected = (1 - 5 * 0.1) * u - eta * gamma * g
    np.testing.assert_allclose(found["u"], expected, rtol=1e-13)
    np.testing.assert_allclose(found["p"], gamma * expected, rtol=1e-13)


def test_santa_sss_moves_by_both_half_steps():
    found = santa("SantaSSS", [G[:2]], 5)[0]
    u = 0.1 * np.random.default_rng(5).standard_normal(2)
    np.testing.assert_allclose(found["p"], found["g"] * (u + found["u"]) / 2, rtol=1e-13)


def test_santa_anneals_by_a_function_of_ones_own():
    plain = santa("SantaE", [G[:2]] * 5, 3)
    own = santa("SantaE", [G[:2]] * 5, 3, anne_func=lambda t, n: t**n)
    np.testing.assert_array_equal(plain[-1]["p"], own[-1]["p"])
    other = santa("SantaE", [G[:2]] * 5, 3, anne_func=lambda t, n: (t + 1) ** n)
    assert not np.array_equal(plain[-1]["p"], other[-1]["p"])


def test_amsgrad_never_forgets_a_large_gradient():
    adam = deltas("Adam", [[10.0]] + [[1e-2]] * 5000)[-1]
    ams, outside = (
        deltas("AMSGrad", [[10.0]] + [[1e-2]] * 5000, eps_placement=place)[-1]
        for place in ("inside", "outside")
    )
    vhat = 1e-3 * 100
    assert adam < 2 * outside < 0
    assert outside == pytest.approx(-1e-3 * 1e-2 / math.sqrt(vhat / (1 - 0.999**5001)), rel=1e-4)
    assert ams == pytest.approx(-1e-3 / math.sqrt(5001) * 1e-2 / math.sqrt(vhat), rel=1e-4)


@pytest.mark.parametrize("name", ["AdaBound", "AMSBound"])
@pytest.mark.parametrize("variant", ["paper", "authors"])
def test_bounds_close_in_on_eta(name, variant):
    """In the end a step of eta times the mean gradient, in the paper's form over sqrt(t)."""
    t = 200_000
    driver = Driver(name, variant=variant)
    driver.step(np.zeros(3), G)
    driver.optimizer.t = t - 1
    driver.state.update(m=G, v=np.array([1e-12, 1.0, 1e12]), vhat=np.array([1e-12, 1.0, 1e12]))
    found = driver.step(np.zeros(3), G)
    expected = -0.1 * G / (math.sqrt(t) if variant == "paper" else 1.0)
    np.testing.assert_allclose(found, expected, rtol=0.01)


def test_adabound_of_the_authors_by_hand():
    """alpha √(1 − β2) / (1 − β1) / (√v + eps), within eta (1 ± …), times m."""
    size = 1e-3 * math.sqrt(1e-3) / 0.1 / (math.sqrt(1e-3) * 2.0 + 1e-8)
    found = deltas("AdaBound", [[2.0]], variant="authors")[0]
    assert 0.1 * (1 - 1 / 1.001) < size < 0.1 * 1001
    assert found == pytest.approx(-size * 0.2)


def test_decoupled_decay():
    p = np.array([1.0, -1.0])
    found = ReferenceOptimizer.named("AdamW", alpha=0.1, weight_decay=0.5).step(p, np.zeros(2))
    np.testing.assert_allclose(found, 0.95 * p, rtol=CLOSE)
    assert ReferenceOptimizer.named("Lion").optimizer.weight_decay == 0.0


def test_radam_begins_without_adaptation():
    g = [[0.5]] * 7
    found = np.ravel(deltas("RAdam", g))
    np.testing.assert_allclose(found[:5], -1e-3 * 0.5, rtol=1e-12)
    assert abs(found[5]) < 0.1e-3
    late = np.ravel(deltas("RAdam", [[0.5]] * 20_000))[-1]
    assert late == pytest.approx(-1e-3, rel=1e-3)


def test_lion_interpolates_before_it_remembers():
    found = np.ravel(deltas("Lion", [[1.0], [-0.05], [-0.2]]))
    # m = 0.01, then 0.9 · 0.01 − 0.1 · 0.05 > 0; m = 0.0094, then 0.9 · 0.0094 − 0.02 < 0
    np.testing.assert_allclose(found, [-1e-4, -1e-4, 1e-4], rtol=CLOSE)


def test_adabelief_believes_in_steady_gradients():
    """The deviation from the mean goes to zero, and the step grows."""
    steady = np.ravel(deltas("AdaBelief", [[0.5]] * 50))
    adam = np.ravel(deltas("Adam", [[0.5]] * 50, eps_placement="outside"))
    assert steady[-1] < 2 * adam[-1] < 0


def test_rprop_by_hand():
    found = np.ravel(deltas("Rprop", [[1.0], [3.0], [-1.0], [-1.0], [-0.1]]))
    # grows, changes its sign and rests, goes on with the half, grows
    np.testing.assert_allclose(found, [-0.01, -0.012, 0.0, 0.006, 0.0072], rtol=CLOSE)
    bounded = np.ravel(deltas("Rprop", [[1.0]] * 9, step_max=0.015))
    np.testing.assert_allclose(bounded[-1], -0.015)


def test_clips_come_before_the_rule():
    found = ReferenceOptimizer.named("SGD", eta=1.0, clip_norm=1.0, clip_value=0.7)
    np.testing.assert_allclose(found.step(np.zeros(2), [3.0, 4.0]), [-0.6, -0.7], rtol=CLOSE)


def test_defaults_are_those_of_the_library():
    for name, spec in fastnn.optimizers.RULES.items():
        own = {
            **spec.defaults,
            **({"weight_decay": spec.weight_decay} if spec.weight_decay else {}),
        }
        assert own == DEFAULTS[name], name
        assert spec.rate == next(iter(DEFAULTS[name]))


def printed_sss(gradients, noise, u, eta=1e-2, N=16.0, burnin=100):
    """Algorithm 1 of the paper as it is printed, with both its half steps; the parameters."""
    theta, v, before, alpha, found = np.zeros(2), 0.0, 0.0, 5 * np.sqrt(eta), []
    for t, (f, zeta) in enumerate(zip(gradients, noise, strict=True), 1):
        beta = np.sqrt(t)
        v = 0.95 * v + 0.05 / N**2 * f * f
        g = 1 / np.sqrt(1e-8 + np.sqrt(v))
        theta = theta + g * u / 2
        last = u
        if t < burnin:
            alpha = alpha + (u * u - eta / beta) / 2
            u = np.exp(-alpha / 2) * u
            u = u - g * f * eta + np.sqrt(2 * before * eta / beta) * zeta
            u = u + eta / beta * (1 - before / g) / last
            u = np.exp(-alpha / 2) * u
            alpha = alpha + (u * u - eta / beta) / 2
        else:
            u = np.exp(-alpha / 2) * (np.exp(-alpha / 2) * u - g * f * eta)
        theta, before = theta + g * u / 2, g
        found.append(theta)
    return found


def test_santa_sss_is_the_printed_algorithm():
    gradients = np.random.default_rng(3).standard_normal((20, 2))
    rng = np.random.default_rng(8)
    start, noise = 0.1 * rng.standard_normal(2), rng.standard_normal((20, 2))
    expected = printed_sss(gradients, noise, start, burnin=15)
    found = [step["p"] for step in santa("SantaSSS", gradients, 8, burnin=15)]
    np.testing.assert_allclose(found, expected, rtol=1e-11)
