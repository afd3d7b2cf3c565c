"""Noise and decay from the evidence, and error bars of predictions."""

import pickle

import numpy as np
import pytest
from support.least_squares import LeastSquares

import fastnn
from fastnn.optimizers import LevenbergMarquardt

RNG = np.random.default_rng(3)
X = np.linspace(-1, 1, 80)[:, np.newaxis]
T = np.c_[np.sin(3 * X), np.cos(2 * X)] + 0.1 * RNG.standard_normal((80, 2))
NEW = np.linspace(-2, 2, 300)[:, np.newaxis]


def network(dtype="float64", seed=1):
    layers = [
        fastnn.TanhLayer(1, 4, dtype=dtype, rng=seed),
        fastnn.LinearLayer(4, 2, dtype=dtype, rng=seed + 1),
    ]
    return fastnn.NeuralNetwork(layers, fastnn.MeanSquaredError())


def fit(nn, x=X, t=T, epochs=200, **more):
    return nn.fit(x, t, optimizer=LevenbergMarquardt(bayesian=True), epochs=epochs, **more)


def test_the_evidence_is_that_of_a_dense_computation():
    nn = network()
    history = fit(nn)
    found, reference = nn.posterior, LeastSquares(nn, X, T)
    expected = reference.evidence(nn.parameters, found.alpha, found.beta)
    log_evidence, gamma, alpha, beta = expected
    assert found.log_evidence == pytest.approx(log_evidence, rel=1e-9)
    assert found.gamma == pytest.approx(gamma, rel=1e-9)
    assert found.alpha == pytest.approx(alpha, rel=1e-4)  # a fixed point of the estimates
    assert found.beta == pytest.approx(beta, rel=1e-4)
    assert 1 / np.sqrt(found.beta) == pytest.approx(0.1, rel=0.15)
    assert history.cost[-1] == pytest.approx(nn.cost(X, T), rel=1e-6)
    mean, std = nn.predict(NEW, return_std=True)
    there = reference.deviations(nn.parameters, found.alpha, found.beta, NEW)
    np.testing.assert_array_equal(mean, nn.predict(NEW))
    np.testing.assert_allclose(std, there, rtol=1e-7)
    assert std[0, 0] > 2 * std[150, 0]  # far from the data


def test_a_linear_model_has_the_exact_answer():
    """Bishop's equations 3.53, 3.54 and 3.59 hold for it as they are."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((50, 3))
    t = x @ [[1.0], [-2.0], [0.5]] + 0.3 * rng.standard_normal((50, 1))
    nn = fastnn.NeuralNetwork([fastnn.LinearLayer(3, 1, rng=1)], fastnn.SumSquaresError())
    fit(nn, x, t)
    found, phi = nn.posterior, np.c_[x, np.ones(50)]
    A = found.alpha * np.eye(4) + found.beta * phi.T @ phi
    mean = found.beta * np.linalg.solve(A, phi.T @ t)[:, 0]
    np.testing.assert_allclose(nn.parameters, mean, rtol=1e-6)
    std = np.sqrt(1 / found.beta + np.einsum("ip,pq,iq->i", phi, np.linalg.inv(A), phi))
    np.testing.assert_allclose(nn.predict(x, return_std=True)[1][:, 0], std, rtol=1e-10)
    covariance = np.eye(50) / found.beta + phi @ phi.T / found.alpha
    exact = -0.5 * (np.linalg.slogdet(2 * np.pi * covariance)[1])
    exact -= 0.5 * float((t.T @ np.linalg.solve(covariance, t)).item())
    assert found.log_evidence == pytest.approx(exact, rel=1e-8)


def test_unneeded_parameters_are_not_determined():
    few, many = network(), network()
    wide = fastnn.NeuralNetwork(
        [fastnn.TanhLayer(1, 20, rng=1), fastnn.LinearLayer(20, 2, rng=2)], fastnn.SumSquaresError()
    )
    fit(few), fit(many), fit(wide)
    assert few.posterior.gamma <= 18
    assert wide.posterior.gamma < 40 < wide.parameters.size
    assert "of 82 parameters" in repr(wide.posterior)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_shapes_and_dtypes(dtype):
    nn = network(dtype)
    fit(nn, epochs=20)
    out = np.empty((300, 2), dtype)
    mean, std = nn.predict(NEW.astype(dtype), out, return_std=True)
    assert mean is out
    assert std.dtype == dtype
    assert std.shape == (300, 2)
    one = nn.predict([0.5], return_std=True)
    assert one[0].shape == one[1].shape == (2,)
    assert nn.predict(np.empty((0, 1)), return_std=True)[1].shape == (0, 2)
    with pytest.raises(ValueError, match="X has shape"):
        nn.predict(np.zeros((3, 2)), return_std=True)
    with pytest.raises(TypeError, match="return_std must be True or False"):
        nn.predict(NEW, return_std=1)


def test_it_belongs_to_the_parameters():
    nn = network()
    with pytest.raises(ValueError, match="return_std needs a network that was trained with"):
        nn.predict(NEW, return_std=True)
    fit(nn, epochs=20)
    expected = nn.predict(NEW, return_std=True)[1]
    twin = pickle.loads(pickle.dumps(nn))
    np.testing.assert_array_equal(twin.predict(NEW, return_std=True)[1], expected)
    nn.parameters[0] += 1.0
    with pytest.raises(ValueError, match="parameters have changed since the posterior"):
        nn.predict(NEW, return_std=True)
    twin.layers[0].trainable = False
    with pytest.raises(ValueError, match="layers are not those"):
        twin.predict(NEW, return_std=True)


def test_frozen_layers_are_known():
    nn = network()
    nn.layers[0].trainable = False
    fit(nn)
    assert len(nn.posterior._root) == 10
    found = nn.predict(NEW, return_std=True)[1]
    there = LeastSquares(nn, X, T)
    expected = there.deviations(nn.parameters, nn.posterior.alpha, nn.posterior.beta, NEW)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_data_without_noise():
    nn = network()
    history = fit(nn, t=np.zeros_like(T), epochs=500)
    assert np.all(np.isfinite(history.cost))
    assert np.isfinite(nn.posterior.log_evidence)
    assert np.all(np.isfinite(nn.predict(NEW, return_std=True)[1]))


def test_nothing_to_learn_and_validation_data():
    nn = network()
    nn.parameters[...] = 0.0
    history = fit(nn, t=np.zeros_like(T), epochs=3)
    assert len(history) == 0
    assert np.all(nn.predict(NEW, return_std=True)[1] < 1e-20)
    fit(nn := network(), epochs=30, validation_data=(X, -T))  # which ends nothing
    assert nn.predict(NEW, return_std=True)[1].shape == (300, 2)


@pytest.mark.parametrize("seed", range(6))
def test_it_does_not_take_everything_for_noise(seed):
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, 41)[:, np.newaxis]
    layers = [fastnn.TanhLayer(1, 8, rng=rng), fastnn.LinearLayer(8, 1, rng=rng)]
    nn = fastnn.NeuralNetwork(layers, fastnn.SumSquaresError())
    fit(nn, x, np.sin(np.pi * x) + 0.1 * rng.standard_normal(x.shape))
    assert 0.07 < 1 / np.sqrt(nn.posterior.beta) < 0.15
    assert 4 < nn.posterior.gamma < 12
