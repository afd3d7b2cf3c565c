"""Predictions of memory maps, lazy arrays and blocks, in bounded memory, and in other processes."""

import os
import pickle
import sys
import tracemalloc
import warnings

import joblib
import numpy as np
import pytest
from support.networks import network
from support.tolerance import assert_close

import fastnn
from fastnn import prediction

SIZES, ROWS = (20, 8, 3), 40_000
CHAIN = sum(SIZES) + 16
PIECE = 1 << 19  # bytes: some ten pieces


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(prediction, "_PIECE", PIECE)


def net(dtype=np.float32, **more):
    return network(SIZES, ["tanh", "identity"], "SumSquaresError", dtype, **more)


X = np.random.default_rng(0).uniform(-1, 1, (ROWS, 20))


def expected(nn):
    return nn.predict(X.astype(nn.dtype))


def as_map(folder, dtype, **options):
    path = folder / "X.npy"
    np.save(path, X.astype(dtype))
    return np.load(path, mmap_mode=options.get("mode", "r"))


def result_map(folder, dtype=np.float32):
    return np.lib.format.open_memmap(folder / "y.npy", "w+", dtype, (ROWS, 3))


@pytest.mark.parametrize("given", ["f4", "f8", ">f4", "f2", "i2"])
def test_maps_of_any_dtype(given, tmp_path):
    nn = net()
    x, out = as_map(tmp_path, given), result_map(tmp_path)
    whole = nn.predict(np.array(x).astype(np.float32))
    assert nn.predict(x, out=out) is out
    assert_close(np.array(out), whole, operations=CHAIN)
    assert_close(nn.predict(x), whole, operations=CHAIN)
    assert_close(np.load(tmp_path / "y.npy"), whole, operations=CHAIN)


def test_layouts_and_layers_of_ones_own():
    nn = net()
    wide = np.zeros((ROWS, 40))
    wide[:, ::2] = X
    for given in (X, np.asfortranarray(X), wide[:, ::2], X[::-1]):
        whole = expected(nn)[::-1] if given[0, 0] == X[-1, 0] else expected(nn)
        assert_close(nn.predict(given), whole, operations=CHAIN)

    class Own(fastnn.DenseLayer):
        def forward_propagation(self, x):
            return super().forward_propagation(x)

    for layer in nn.layers:
        layer.__class__ = Own
    assert_close(nn.predict(X), expected(nn), operations=CHAIN)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_memory_is_bounded(mode, tmp_path):
    nn = net()
    x, out = as_map(tmp_path, "f8", mode=mode), result_map(tmp_path)
    if mode == "c":
        x[1] = x[0]  # which no file has
    whole = nn.predict(np.array(x, np.float32))
    tracemalloc.start()
    nn.predict(x, out=out)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2 * PIECE < x.nbytes / 4
    assert_close(np.array(out), whole, operations=CHAIN)
    if mode == "c":
        assert (x[1] == x[0]).all()


def resident(path):
    """Bytes of a file's maps that are in this process's memory."""
    total, ours = 0, False
    with open("/proc/self/smaps") as file:
        for line in file:
            if "-" in line.split()[0] and ":" not in line.split()[0]:
                ours = line.rstrip().endswith(str(path))
            elif ours and line.startswith("Rss:"):
                total += int(line.split()[1]) * 1024
    return total


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_page_of_a_map_stays(tmp_path):
    """But for what the system maps around a page that is read, 2 MB with huge pages."""
    nn, rows, most = net(), 400_000, 1 << 23
    np.save(tmp_path / "X.npy", np.zeros((rows, 20), np.float32))
    x = np.load(tmp_path / "X.npy", mmap_mode="r")
    out = np.lib.format.open_memmap(tmp_path / "y.npy", "w+", np.float32, (rows, 3))
    assert x.sum() == 0.0
    assert resident(tmp_path / "X.npy") >= x.nbytes > 3 * most
    nn.predict(x, out=out)
    assert resident(tmp_path / "X.npy") < most
    assert resident(tmp_path / "y.npy") < out.nbytes
    assert x.sum() == 0.0
    nn.fit(
        [(x[: rows // 2], x[: rows // 2, :3]), (x[rows // 2 :], x[rows // 2 :, :3])],
        learning_rate=0.0,
    )
    assert resident(tmp_path / "X.npy") < most


def test_an_out_that_overlaps_is_written_at_last():
    nn = network((20, 20), ["tanh"], "SumSquaresError", np.float32)
    both = np.zeros((ROWS + 1000, 20), np.float32)
    both[:ROWS] = X
    whole = nn.predict(X.astype(np.float32))
    nn.predict(both[:ROWS], out=both[1000:])
    assert_close(both[1000:], whole, operations=40)


def test_wrong_outs_and_samples_change_nothing(tmp_path):
    nn, x, out = net(), as_map(tmp_path, "f8"), result_map(tmp_path)
    for wrong, error in [
        (out[1:], ValueError),
        (out.astype("f8"), TypeError),
        (np.load(tmp_path / "y.npy", mmap_mode="r"), ValueError),
    ]:
        with pytest.raises(error, match=r"^out "):
            nn.predict(x, out=wrong)
    with pytest.raises(ValueError, match=r"X has shape \(1, 19\)|X has shape \(40000, 19\)"):
        nn.predict(x[:, 1:], out=out)
    assert not out.any()


# --------------------------------------------------------------------------------- lazy, zarr


def test_dask_stays_lazy():
    array = pytest.importorskip("dask.array")
    nn, computed = net(), []

    def look(block):
        computed.append(len(block))
        return block

    x = array.from_array(X, chunks=(9000, 7)).map_blocks(look, dtype=X.dtype, meta=X[:0])
    y = nn.predict(x)
    assert not computed
    assert (y.shape, y.dtype, y.chunks) == ((ROWS, 3), np.float32, (x.chunks[0], (3,)))
    assert type(y._meta) is np.ndarray
    assert (y._meta.ndim, y._meta.size, y._meta.dtype) == (2, 0, np.float32)
    whole = expected(nn)
    nn.parameters[:] = 0.0  # the predictions are of the network as it was
    assert_close(y.compute(), whole, operations=CHAIN)
    assert_close(y[9000:9010].sum().compute(), whole[9000:9010].sum(), operations=CHAIN + 30)
    assert_close(nn.predict(x[0]).compute(), nn.predict(X[0]), operations=CHAIN)


def test_a_graph_has_the_parameters_once():
    array = pytest.importorskip("dask.array")
    nn = network((20, 300, 3), ["tanh", "identity"], "SumSquaresError", np.float32)
    sizes = {
        chunks: len(pickle.dumps(dict(nn.predict(array.zeros((ROWS, 20), chunks=chunks)).dask)))
        for chunks in ((20_000, 20), (500, 20))
    }
    few, many = sizes.values()
    assert few < 2 * nn.parameters.nbytes
    assert many - few < 78 * nn.parameters.nbytes / 8  # of 78 tasks more


def test_dask_of_unknown_sizes_and_into_an_array(tmp_path):
    array = pytest.importorskip("dask.array")
    nn, x = net(), array.from_array(X, chunks=(9000, 20))
    few = nn.predict(x[x[:, 0] > 0])
    assert_close(few.compute(), expected(nn)[X[:, 0] > 0], operations=CHAIN)
    out = result_map(tmp_path)
    assert nn.predict(x, out=out) is out
    assert_close(np.array(out), expected(nn), operations=CHAIN)


def test_what_dask_cannot_predict_is_refused_at_once():
    array = pytest.importorskip("dask.array")
    nn, x = net(), array.from_array(X, chunks=(9000, 20))
    with pytest.raises(ValueError, match=r"X has shape \(1, 19\)"):
        nn.predict(x[:, 1:])
    with pytest.raises(ValueError, match=r"X has shape \(1, 40000, 20\)"):
        nn.predict(x[None])
    with pytest.raises(TypeError, match="X must hold real numbers, not complex128"):
        nn.predict(x * 1j)


def test_zarr_is_read_in_pieces():
    zarr = pytest.importorskip("zarr")
    nn, x = net(), zarr.array(X, chunks=(3000, 20))
    assert_close(nn.predict(x), expected(nn), operations=CHAIN)


def test_blocks_give_a_generator():
    nn, asked = net(), []

    def blocks():
        for k in range(0, ROWS, 10_000):
            asked.append(k)
            yield X[k : k + 10_000]

    for given in (blocks, blocks()):
        asked.clear()
        found = nn.predict(given)
        first = next(found)
        assert asked == [0]
        assert_close(np.concatenate([first, *found]), expected(nn), operations=CHAIN)
    with pytest.raises(TypeError, match="out is given, but X is blocks"):
        nn.predict(blocks, out=np.empty((ROWS, 3), np.float32))


# ---------------------------------------------------------------------------- other processes


def test_a_predictor_is_small_and_stays_as_it_was():
    nn = network((20, 300, 3), ["tanh", "identity"], "SumSquaresError", np.float32)
    nn.fit(X[:10], np.zeros((10, 3)), optimizer="Adam", learning_rate=0.001)
    predictor, before = nn.predictor(), nn.predict(X[:100])
    data = pickle.dumps(predictor)
    assert nn.parameters.nbytes < len(data) < nn.parameters.nbytes + 2000
    nn.parameters[:] = 0.0
    np.testing.assert_array_equal(predictor(X[:100]), before)
    one, other = pickle.loads(data), pickle.loads(data)
    np.testing.assert_array_equal(one(X[:100]), before)
    assert one._network is other._network
    for _ in range(3):  # few are kept
        pickle.loads(pickle.dumps(nn.predictor()))
    assert pickle.loads(data)._network is not one._network
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(one))(X[:100]), before)
    out = np.empty((100, 3), np.float32)
    assert one(X[:100], out=out) is out


def _task(predictor, x):
    return os.getpid(), id(predictor._network), predictor(x)


@pytest.mark.sweep
def test_joblib_makes_a_network_once_a_process():
    predictor, job = net().predictor(), joblib.delayed(_task)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of loky
        found = joblib.Parallel(2)(job(predictor, X[k : k + 100]) for k in range(0, 1000, 100))
    assert len({pid for pid, *_ in found}) == len({made[:2] for made in found})
    np.testing.assert_array_equal(
        np.concatenate([y for *_, y in found]),
        np.concatenate([predictor(X[k : k + 100]) for k in range(0, 1000, 100)]),
    )
