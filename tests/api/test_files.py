"""Networks as files: what is saved comes back, and what is damaged or hostile is refused."""

import io
import json
import os
import re
import stat
import struct
import sys
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from support import golden
from support.networks import optimizer as made
from support.networks import twice_activated
from support.tolerance import assert_close

import fastnn
from fastnn import DenseLayer, LinearLayer, NeuralNetwork, SumSquaresError, TanhLayer, get_opt
from fastnn.activations import ACTIVATIONS
from fastnn.callbacks import Checkpoint
from fastnn.files import document, npz
from fastnn.losses import COSTS
from fastnn.model.draws import Draws
from fastnn.optimizers import RULES
from fastnn.schedules import SCHEDULES, Constant, Cosine, WarmUp

SUFFIXES = "npz", "safetensors"
by_suffix = pytest.mark.parametrize("suffix", SUFFIXES)
FORMATS = [("npz", np.float32), ("safetensors", np.float64)]
by_format = pytest.mark.parametrize(("suffix", "dtype"), FORMATS)

rng = np.random.default_rng(0)
X, T = rng.normal(size=(23, 3)), rng.normal(size=(23, 2))


def net(dtype=np.float64, dropout=0.0, own=False, seed=0):
    """A small network; own: one whose layer goes a way of its own."""
    layers = [
        (OwnLayer if own else TanhLayer)(3, 4, dropout=dropout, dtype=dtype, rng=seed),
        LinearLayer(4, 2, dtype=dtype, rng=seed + 1),
    ]
    return NeuralNetwork(layers, SumSquaresError("mean"))


class OwnLayer(DenseLayer):
    """Of the caller's own."""

    def forward_propagation(self, X):
        return super().forward_propagation(X)


class Plain:
    """No layer of the library at all."""

    def __init__(self):
        self.w, self.b = np.zeros((3, 2)), np.zeros(2)

    def __call__(self, X):
        return X @ self.w + self.b


class OtherError(SumSquaresError):
    """Of the caller's own, though nothing is different."""


def through(network, path, **options):
    """What comes back from a file."""
    network.save(path, **options)
    return fastnn.load(path)


def equal(one, other):
    return (
        repr(one) == repr(other)
        and [type(layer) for layer in one.layers] == [type(layer) for layer in other.layers]
        and one.dtype == other.dtype
        and one.parameters.tobytes() == other.parameters.tobytes()
        and one.draws == other.draws
        and repr(one.optimizer) == repr(other.optimizer)
    )


# --- everything in the tables comes back ------------------------------------------------------


@by_format
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, suffix, dtype, tmp_path):
    spec = ACTIVATIONS[name]
    numbers = {key: value + 1 for key, value in spec.parameters.items() if key not in spec.limits}
    nn = twice_activated(
        [
            DenseLayer(
                3, 2, activation=name, dropout=0.5, l1=0.25, l2=0.125, dtype=dtype, rng=0, **numbers
            ),
            LinearLayer(2, 1, dtype=dtype, trainable=False, rng=1),
        ],
        SumSquaresError(),
    )
    again = through(nn, tmp_path / f"nn.{suffix}")
    assert equal(again, nn)
    assert again.layers[0].activation is spec
    assert again.layers[0].activation_parameters == nn.layers[0].activation_parameters
    assert (again.layers[0].trainable, again.layers[1].trainable) == (True, False)


@by_suffix
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("name", COSTS)
def test_costs(name, reduction, suffix, tmp_path):
    kind = COSTS[name]
    numbers = {
        key: [0.5, 2.0, 1.0, 1.0] if default is None else default + 1 if default == 1 else default
        for key, default in kind.spec.parameters.items()
    }
    if name == "MixtureDensityError":
        numbers = {"components": 1, "targets": 2}
    nn = NeuralNetwork([LinearLayer(3, 4, rng=0)], kind(reduction, **numbers))
    again = through(nn, tmp_path / f"nn.{suffix}")
    assert equal(again, nn)
    assert type(again.cost_function) is kind
    assert again.cost_function.parameters == nn.cost_function.parameters


@by_format
@pytest.mark.parametrize("rule", RULES)
def test_optimizers_go_on_to_the_last_bit(rule, suffix, dtype, tmp_path):
    nn, whole = net(dtype), net(dtype)
    nn.fit(X, T, optimizer=made(rule), epochs=3)
    again = through(nn, tmp_path / f"nn.{suffix}")
    assert equal(again, nn)
    assert again.optimizer.steps == 3
    again.fit(X, T, epochs=3)
    whole.fit(X, T, optimizer=made(rule), epochs=6)
    assert np.array_equal(again.parameters, whole.parameters)


@pytest.mark.parametrize("rule", RULES)
def test_settings_of_optimizers(rule, tmp_path):
    """Before the first step there is no state."""
    nn = net()
    nn.optimizer = made(rule, clip_norm=2.5, clip_value=3, weight_decay=0.5, on_nonfinite="skip")
    again = through(nn, tmp_path / "nn.npz")
    assert repr(again.optimizer) == repr(nn.optimizer)
    state, expected = again.optimizer.state_dict(), nn.optimizer.state_dict()
    assert str(state) == str(expected)  # some of it is NaN


def one_of(kind):
    """A schedule whose parameters are not the defaults."""
    given = {
        "rate": 0.5, "peak": 0.5, "steps": 4, "every": 3, "decay": 0.25, "factor": 0.125,
        "then": 0.25, "start": 0.0625, "final": 0.03125, "rise": 0.5, "power": 2.0, "restarts": 2,
        "multiplier": 3,
    }  # fmt: skip
    return kind(**{name: given[name] for name in kind.__dataclass_fields__})


@by_suffix
@pytest.mark.parametrize("kind", SCHEDULES)
def test_schedules(kind, suffix, tmp_path):
    nn, schedule = net(), one_of(kind)
    nn.optimizer = get_opt("SGD", eta=schedule)
    again = through(nn, tmp_path / f"nn.{suffix}")
    assert again.optimizer.learning_rate == schedule
    assert again.optimizer.schedule == schedule


def test_schedules_within_schedules_and_the_number_that_is_none(tmp_path):
    nn, schedule = net(), WarmUp(3, WarmUp(2, Cosine(0.5, 4, restarts=None)))
    for given in (schedule, 0.25, Constant(0.25)):
        nn.optimizer = get_opt("SGD", eta=given)
        assert through(nn, tmp_path / "nn.npz").optimizer.learning_rate == given


@by_suffix
def test_parameters_that_are_not_finite_come_back(suffix, tmp_path):
    nn = net()
    nn.parameters[:3] = np.nan, np.inf, -0.0
    assert equal(through(nn, tmp_path / f"nn.{suffix}"), nn)


def test_a_layer_of_another_activation_than_its_name_says(tmp_path):
    nn = net()
    nn.layers[0].activation = "ReLU"
    assert equal(through(nn, tmp_path / "nn.npz"), nn)


@by_suffix
def test_without_the_training(suffix, tmp_path):
    nn = net()
    nn.fit(X, T, optimizer="Adam", batch_size=5, rng=0)
    again = through(nn, tmp_path / f"nn.{suffix}", training=False)
    assert again.optimizer is None
    assert again.draws is None
    assert np.array_equal(again.parameters, nn.parameters)
    with_training = os.path.getsize(tmp_path / f"nn.{suffix}")
    nn.save(tmp_path / f"nn.{suffix}")
    assert os.path.getsize(tmp_path / f"nn.{suffix}") > with_training + 2 * nn.parameters.nbytes


# --- a training that goes on is the one that was not interrupted ------------------------------


def ways(tmp_path):
    """How the second half comes to the network of the first."""
    return {
        "npz": lambda nn: through(nn, tmp_path / "nn.npz"),
        "safetensors": lambda nn: through(nn, tmp_path / "nn.safetensors"),
        "process": lambda nn: nn,
    }


@pytest.mark.parametrize("way", ["npz", "safetensors", "process"])
@pytest.mark.parametrize("given", [{"optimizer": "Adam"}, {"learning_rate": 0.01}])
@pytest.mark.parametrize(("batch", "dropout"), [(5, 0.0), (None, 0.5), (5, 0.5)])
@pytest.mark.parametrize(("dtype", "threads"), [(np.float32, 1), (np.float64, 2)])
def test_batches_and_dropout_go_on(way, given, batch, dropout, dtype, threads, tmp_path):
    options = {"batch_size": batch, "n_threads": threads, **given}
    whole, nn = net(dtype, dropout), net(dtype, dropout)
    whole.fit(X, T, epochs=7, rng=5, **options)
    nn.fit(X, T, epochs=3, rng=5, **options)
    nn = ways(tmp_path)[way](nn)
    nn.fit(X, T, epochs=4, rng=nn.draws, **options)
    assert np.array_equal(nn.parameters, whole.parameters)
    assert nn.draws == whole.draws
    if batch:
        nn.fit(X, T, epochs=1, rng=5, **options)
        whole.fit(X, T, epochs=1, rng=whole.draws, **options)
        assert not np.array_equal(nn.parameters, whole.parameters), "the test sees no order"


def test_batches_go_on_layer_by_layer():
    whole, nn = net(own=True), net(own=True)
    whole.fit(X, T, 0.01, epochs=5, batch_size=5, rng=5)
    for epochs in (2, 3):
        nn.fit(X, T, 0.01, epochs=epochs, batch_size=5, rng=5 if nn.draws is None else nn.draws)
    assert np.array_equal(nn.parameters, whole.parameters)


def test_the_global_random_numbers_go_on_too():
    whole, nn = net(), net()
    for each, parts in ((whole, [5]), (nn, [2, 3])):
        np.random.seed(7)  # noqa: NPY002
        for epochs in parts:
            each.fit(X, T, 0.01, epochs=epochs, batch_size=5, rng=each.draws)
    assert np.array_equal(nn.parameters, whole.parameters)


@pytest.mark.parametrize("kind", ["save", "load", "restore"])
def test_files_written_while_it_trains(kind, tmp_path):
    """By a callback that saves, or a checkpoint that is loaded as a network or restored."""
    options = {"batch_size": 5, "callbacks": ()}
    schedule, path = Cosine(0.01, 40), tmp_path / "nn.npz"
    whole, nn = net(dropout=0.25), net(dropout=0.25)
    whole.fit(X, T, optimizer=get_opt("Adam", alpha=schedule), epochs=8, rng=5, **options)

    def save(run):
        if run.epoch == 4:
            run.network.save(path)

    options["callbacks"] = save if kind == "save" else Checkpoint(path, every=4)
    nn.fit(
        X, T, optimizer=get_opt("Adam", alpha=schedule), epochs=6 if kind == "save" else 4, rng=5,
        **options,
    )  # fmt: skip
    if kind == "restore":
        again = net(dropout=0.25)
        found = Checkpoint.restore(path, again, get_opt("Adam", alpha=schedule))
        assert found["draws"] == again.draws == nn.draws
        again.optimizer = get_opt("Adam", alpha=schedule)
        Checkpoint.restore(path, again)
    else:
        again = fastnn.load(path)
    again.fit(X, T, epochs=4, batch_size=5, rng=again.draws)
    assert np.array_equal(again.parameters, whole.parameters)


def test_in_a_process_of_its_own(child, tmp_path):
    whole, nn = net(dropout=0.25), net(dropout=0.25)
    for each, epochs in ((whole, 5), (nn, 2)):
        each.fit(X, T, optimizer="Adam", epochs=epochs, batch_size=5, rng=5)
    nn.save(tmp_path / "nn.safetensors")
    np.savez(tmp_path / "data.npz", X=X, T=T)
    found = child("go_on", tmp_path / "nn.safetensors", tmp_path / "data.npz", 3, 5)
    assert found == whole.parameters.tolist()


def test_draws_of_other_samples_are_refused():
    nn = net()
    nn.fit(X, T, 0.01, batch_size=5, rng=0)
    before = nn.parameters.copy()
    with pytest.raises(ValueError, match="rng goes on with shuffles of 23 samples, but X has 20"):
        nn.fit(X[:20], T[:20], 0.01, batch_size=5, rng=nn.draws)
    assert np.array_equal(nn.parameters, before)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"seed": 2**53}, ValueError, "seed must be below"),
        ({"seed": 1, "key": 2**62}, ValueError, "key must be below"),
        ({"seed": 1, "rows": 1.5}, TypeError, "rows must be an int"),
        ({"seed": 1, "epochs": True}, TypeError, "epochs must be an int"),
    ],
)
def test_draws_refuse(given, error, message):
    with pytest.raises(error, match=message):
        Draws(**given)


def test_draws_that_would_take_days_are_refused(tmp_path):
    nn = net()
    nn.draws = Draws(1, epochs=2**62, rows=40)
    nn.save(tmp_path / "nn.npz")
    with pytest.raises(ValueError, match="would take days to repeat"):
        fastnn.load(tmp_path / "nn.npz")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_is_written_through(tmp_path):
    place, link = tmp_path / "nn.npz", tmp_path / "link.npz"
    net(seed=1).save(place)
    link.symlink_to(place)
    nn = net(seed=2)
    nn.save(link)
    assert link.is_symlink()
    np.testing.assert_array_equal(fastnn.load(place).parameters, nn.parameters)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path):
    place = tmp_path / "net.npz"
    nn = fastnn.NeuralNetwork([fastnn.LinearLayer(1, 1)], fastnn.SumSquaresError())
    nn.save(place)
    for mode in (0o640, 0o600, 0o666):
        place.chmod(mode)
        nn.save(place)
        assert stat.S_IMODE(place.stat().st_mode) == mode


# --- what is the caller's own, and what cannot be written -------------------------------------


def with_optimizer(*names, **hyper):
    nn = net()
    nn.optimizer = get_opt(*names, **hyper)
    return nn


def with_method_of_its_own():
    nn = net()
    nn.layers[0].forward_propagation = lambda X: X
    return nn


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: net(own=True), r"layers\[0\] is a OwnLayer of your own"),
        (with_method_of_its_own, r"layers\[0\] is a TanhLayer of your own"),
        (lambda: NeuralNetwork([Plain()], SumSquaresError()), r"layers\[0\] is a Plain of your"),
        (
            lambda: NeuralNetwork([LinearLayer(3, 2)], OtherError()),
            "cost_function is a OtherError of",
        ),
        (lambda: with_optimizer("SGD", eta=abs), "learning rate is <built-in function abs>, of"),
        (
            lambda: with_optimizer("SGD", eta=WarmUp(2, abs)),
            "learning rate is <built-in function abs>, of",
        ),
        (lambda: with_optimizer("SantaE", anne_func=max), "anne_func of SantaE is a function of"),
    ],
)
@by_suffix
def test_what_is_the_callers_own_is_refused(make, message, suffix, tmp_path):
    with pytest.raises(TypeError, match=message):
        make().save(tmp_path / f"nn.{suffix}")
    assert os.listdir(tmp_path) == []


def test_an_own_schedule_may_be_left_out(tmp_path):
    nn = with_optimizer("SGD", eta=abs)
    assert through(nn, tmp_path / "nn.npz", training=False).optimizer is None


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        (3, TypeError, "path must be a str or a path, not 3"),
        ("", ValueError, "path is '', expected the name of a file"),
        ("nn.pt", ValueError, "path is 'nn.pt', expected a name that ends in .safetensors or .npz"),
    ],
)
def test_paths_are_refused(path, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=re.escape(message)):
        net().save(path)
    with pytest.raises(TypeError, match="training must be True or False"):
        net().save("nn.npz", training=1)
    assert os.listdir(tmp_path) == []


def test_a_state_of_other_parameters_is_refused(tmp_path):
    nn = net()
    nn.fit(X, T, optimizer="Adam")
    nn.layers[0].w, nn.layers[0].b, nn.layers[1].w = np.ones((3, 5)), np.ones(5), np.ones((5, 2))
    with pytest.raises(ValueError, match=r"optimizer.m has shape \(26,\).* network has 32"):
        nn.save(tmp_path / "nn.npz")
    nn.optimizer.reset()
    again = through(nn, tmp_path / "nn.npz")
    for each in (nn, again):
        each.fit(X, T, epochs=2)
    assert np.array_equal(again.parameters, nn.parameters)


@by_suffix
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_interrupted_save_leaves_the_file_before(suffix, error, tmp_path, monkeypatch):
    path = tmp_path / f"nn.{suffix}"
    nn = net()
    nn.save(path)
    before = path.read_bytes()

    def half(file, *args, **more):
        file.write(b"half")
        raise error

    module = npz if suffix == "npz" else sys.modules["fastnn.files.safetensors_file"]
    monkeypatch.setattr(module, "write", half)
    with pytest.raises(type(error)):
        nn.save(path)
    assert os.listdir(path.parent) == [path.name]
    assert path.read_bytes() == before


def test_without_the_package(tmp_path, monkeypatch):
    net().save(tmp_path / "nn.safetensors")
    for name in ("safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, name, None)
    message = r"pip install 'fastnn-numba\[files\]'; .npz files need nothing"
    for use in (fastnn.load, net().save):
        with pytest.raises(ModuleNotFoundError, match=message):
            use(tmp_path / "nn.safetensors")
    net().save(tmp_path / "nn.npz")


# --- files of version 1 -----------------------------------------------------------------------


EXPECTED = json.loads((golden.FILES / "expected-1.json").read_text())


@by_suffix
@pytest.mark.parametrize("name", EXPECTED)
def test_files_of_version_1(name, suffix, tmp_path):
    nn = fastnn.load(golden.FILES / f"{name}-1.{suffix}")
    found, expected = golden.seen(nn), EXPECTED[name]
    computed = [key for key, value in expected.items() if key in ("cost", "outputs")]
    for key in computed:
        got, known = (np.array(values.pop(key), nn.dtype) for values in (found, expected.copy()))
        assert_close(got, known, operations=200)
    assert found == {key: expected[key] for key in found}
    nn.fit(*golden.data(nn), learning_rate=None if nn.optimizer else 0.01, rng=nn.draws)
    nn.save(tmp_path / f"nn.{suffix}")


@by_suffix
@pytest.mark.parametrize("name", EXPECTED)
def test_files_are_written_as_they_were(name, suffix, tmp_path):
    """The same bytes of a description, and the same arrays."""
    path = golden.FILES / f"{name}-1.{suffix}"
    text, arrays = taken(path)
    fastnn.load(path).save(tmp_path / f"nn.{suffix}")
    again, others = taken(tmp_path / f"nn.{suffix}")
    assert again == text
    assert arrays.keys() == others.keys()
    assert all(np.array_equal(arrays[key], others[key]) for key in arrays)


def test_a_checkpoint_of_before():
    path = golden.FILES / "checkpoint-0.npz"
    layers, cost, training = golden.networks()["mixture"]
    nn = NeuralNetwork(layers, cost)
    nn.optimizer = training["optimizer"]
    found = Checkpoint.restore(path, nn)
    assert (found["epoch"], nn.optimizer.steps, nn.draws) == (2, 6, None)
    assert nn.parameters.tolist() == EXPECTED["mixture"]["parameters"]
    with pytest.raises(ValueError, match="has no description that fastnn has written"):
        fastnn.load(path)


# --- damaged and hostile files ----------------------------------------------------------------


def taken(path):
    """Text and arrays of a file, by other means than fastnn's."""
    if str(path).endswith(".npz"):
        with np.load(path) as archive:
            arrays = dict(archive)
        return str(arrays.pop("fastnn")), arrays
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    text = header.pop("__metadata__")["fastnn"]
    kinds = {"F32": "<f4", "F64": "<f8"}
    return text, {
        name: np.frombuffer(body[slice(*each["data_offsets"])], kinds[each["dtype"]]).reshape(
            each["shape"]
        )
        for name, each in header.items()
    }


def written(path, description, arrays):
    """A file of what a description and arrays say, with the right checksum."""
    text = description if isinstance(description, str) else document.written(description, arrays)
    if path.suffix == ".npz":
        np.savez(path, fastnn=np.array(text), **arrays)
    else:
        from safetensors.numpy import save

        path.write_bytes(save(arrays, {"fastnn": text}))


def opened(path):
    """Description and arrays of a file, to be changed."""
    text, arrays = taken(path)
    description = json.loads(text)
    del description["version"], description["crc32"]
    return description, arrays


def damages(data, seed, header):
    """A damaged file: cut, with bits flipped (most in the header), or with random bytes."""
    rng = np.random.default_rng(seed)
    changed = np.frombuffer(data, np.uint8).copy()
    if seed % 3 == 0:
        return changed[: rng.integers(len(data))].tobytes()
    places = rng.integers(header if seed % 2 else len(data), size=1 + seed % 4)
    if seed % 3 == 1:
        changed[places] ^= np.uint8(1) << rng.integers(8, size=places.size).astype(np.uint8)
    else:
        begin = int(places[0])
        more = rng.integers(256, size=min(1 + seed % 40, len(data) - begin), dtype=np.uint8)
        changed[begin : begin + more.size] = more
    return changed.tobytes()


@by_suffix
@pytest.mark.parametrize("name", ["curve", "mixture"])
def test_damaged_files_are_refused_or_right(name, suffix, tmp_path):
    path = golden.FILES / f"{name}-1.{suffix}"
    data, right, refused, same = path.read_bytes(), fastnn.load(path), 0, 0
    header = len(data)
    if suffix == "safetensors":
        header = 8 + struct.unpack("<Q", data[:8])[0]
    damaged = tmp_path / f"damaged.{suffix}"
    for seed in range(150):
        damaged.write_bytes(damages(data, seed, header))
        try:
            found = fastnn.load(damaged)
        except ValueError as error:
            refused += str(error).startswith(f"{str(damaged)!r} cannot be loaded: it")
        else:
            assert equal(found, right), seed
            same += 1
    assert refused + same == 150
    assert refused > 100


@pytest.mark.parametrize("suffix", ["npz", "safetensors", "other"])
@pytest.mark.parametrize("data", [b"", b"PK", b"\x93NUMPY", b"\xff" * 64, b"{}" * 20])
def test_other_files_are_refused(data, suffix, tmp_path):
    path = tmp_path / f"nn.{suffix}"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"cannot be loaded: it is no "):
        fastnn.load(path)


@by_suffix
def test_files_that_are_not_there(suffix, tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(f"nn.{suffix}'")):
        net().save(tmp_path / "none" / f"nn.{suffix}")
    with pytest.raises(FileNotFoundError):
        fastnn.load(tmp_path / f"nn.{suffix}")
    with pytest.raises(OSError, match=r"directory|denied"):
        fastnn.load(tmp_path)
    (tmp_path / f"nn.{suffix}").mkdir()
    with pytest.raises(OSError, match=r"directory|denied"):
        fastnn.load(tmp_path / f"nn.{suffix}")


def layer(k, **changes):
    return lambda d, a: d["network"]["layers"][k].update(changes)


def part(*keys, **changes):
    def change(d, a):
        for key in keys:
            d = d[key]
        d.update(changes)

    return change


HOSTILE = {
    "a layer that is no layer": (layer(0, kind="Popen"), "names the layer 'Popen', which is none"),
    "a module": (layer(0, activation="os.system"), "names the activation 'os.system', which is"),
    "an alias": (layer(0, activation="TANH"), "names the activation 'TANH', which is none of"),
    "huge layers": (layer(0, inputs=10**15), r"layers.0.w has shape \(3, 4\) and dtype float64, e"),
    "no outputs": (layer(0, outputs=0), "outputs must be at least 1"),
    "half an output": (layer(0, outputs=1.5), "has outputs: '1.5', expected int"),
    "true outputs": (layer(0, outputs=True), "has outputs: 'True', expected int"),
    "all dropped out": (layer(0, dropout=1.0), "dropout must be below 1"),
    "a penalty below 0": (layer(0, l2=-1), "l2 must be at least 0"),
    "numbers of others": (layer(0, numbers={"k": 2}), "no parameter of the activation tanh"),
    "huge maxout": (
        layer(0, activation="maxout", numbers={"k": 10**12}), r"\(3, 4\).* expected \(3, 400000",
    ),
    "layers that do not fit": (
        lambda d, a: (layer(1, inputs=2)(d, a), a.update({"layers.1.w": np.ones((2, 2))})),
        "takes 2 features, but",
    ),
    "no layers": (part("network", layers=[]), "layers is empty"),
    "another dtype": (part("network", dtype="float32"), "expected .* and float32"),
    "no dtype": (part("network", dtype="O"), "dtype must be float32 or float64"),
    "no cost": (part("network", cost=None), "has cost: 'None', expected dict"),
    "another cost": (part("network", "cost", name="eval"), "names the cost 'eval'"),
    "a cost without a sum": (part("network", "cost", reduction="none"), "reduction='none'"),
    "a number of no cost": (part("network", "cost", parameters={"spec": 1}), "no parameter of"),
    "another rule": (part("optimizer", name="Adamm"), "names the optimizer 'Adamm', .*Adam"),
    "a setting of none": (part("optimizer", numbers={"rule": 1}), "rule"),
    "steps below 0": (part("optimizer", "state", steps=-1), "steps must be at least 0"),
    "states in the text": (
        lambda d, a: (part("optimizer", "state", m=[1.0])(d, a), a.pop("optimizer.m")), "lacks m",
    ),
    "a schedule of none": (
        part("optimizer", learning_rate={"name": "_Function", "parameters": {"function": 1}}),
        "names the schedule '_Function'",
    ),
    "a schedule of nothing": (
        part("optimizer", learning_rate={"name": "Cosine", "parameters": {}}), "missing",
    ),
    "a shorter state": (
        lambda d, a: a.update({"optimizer.m": np.zeros(3)}), r"optimizer.m has shape \(3,\)",
    ),
    "no weights": (lambda d, a: a.pop("layers.0.w"), "it has no array layers.0.w"),
    "seeds of no training": (part("draws", seed=2**60), "seed must be below"),
    "draws of nothing": (part(draws={"seeds": 1}), "seeds"),
    "draws in a list": (part(draws=[1]), "mapping"),
    "no network": (lambda d, a: d.pop("network"), "has no 'dtype'"),
}  # fmt: skip


@by_suffix
@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_descriptions_are_refused(what, suffix, tmp_path):
    change, message = HOSTILE[what]
    description, arrays = opened(golden.FILES / f"curve-1.{suffix}")
    change(description, arrays)
    path = tmp_path / f"nn.{suffix}"
    written(path, description, arrays)
    fastnn.load(golden.FILES / "curve-1.npz")  # what is made at the first time is made
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=rf"nn.{suffix}' cannot be loaded: .*{message}"):
            fastnn.load(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@by_suffix
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "description is no JSON"),
        ("[]", "description has no 'version'"),
        ("[" * 100_000, "nested too deeply"),
        ('{"version": 2}', "of version 2 of the format, and this fastnn knows 1 only"),
        ('{"version": 1, "crc32": 1, "a": NaN}', "holds NaN, expected finite numbers"),
        ('{"version": 1, "crc32": 1}', "checksum is that of other contents"),
    ],
)
def test_other_texts_are_refused(text, message, suffix, tmp_path):
    path = tmp_path / f"nn.{suffix}"
    written(path, text, {"a": np.zeros(1)})
    with pytest.raises(ValueError, match=message):
        fastnn.load(path)


def npy(shape, dtype="<f8", data=b""):
    """An .npy file that claims a shape."""
    stream = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + data


@pytest.mark.parametrize(
    ("members", "compression", "message"),
    [
        ({"a.npy": npy((10**9,), data=bytes(8))}, zipfile.ZIP_STORED, r"a has shape \(1000000000,"),
        ({"a.npy": npy((2**62, 4))}, zipfile.ZIP_STORED, "a has shape"),
        ({"a.npy": npy((1,), "|O", bytes(8))}, zipfile.ZIP_STORED, "a has dtype object"),
        ({"a.npy": npy((2**24,), "|u1", bytes(2**24))}, zipfile.ZIP_DEFLATED, "are compressed"),
        ({"a.npy": npy((1,)), "a": npy((1,))}, zipfile.ZIP_STORED, "two arrays of one name"),
        ({"a.npy": b"a = 1"}, zipfile.ZIP_STORED, "damaged"),
        ({"a.npy": b"\x93NUMPY\x03\x00" + bytes(8)}, zipfile.ZIP_STORED, "version"),
    ],
)
def test_archives_that_claim_more_than_they_have(members, compression, message, tmp_path):
    path = tmp_path / "nn.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    tracemalloc.start()
    try:
        for use in (fastnn.load, Checkpoint.load):
            with pytest.raises(ValueError, match=message):
                use(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_an_archive_whose_directory_claims_more(tmp_path):
    """The sizes in the directory of a zip file, where its end is looked at first."""
    path = tmp_path / "nn.npz"
    net().save(path)
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02") + 20  # sizes of the first member, packed and unpacked
    data[place : place + 8] = struct.pack("<II", 2**31, 2**31)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"arrays claim .* bytes, more than the file's"):
        fastnn.load(path)


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F64", "shape": [10**12], "data_offsets": [0, 8 * 10**12]}},
        {"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 16]}},
        {"a": {"dtype": "F64", "shape": [2**62, 2**62], "data_offsets": [0, 16]}},
        {"a": {"dtype": "BF16", "shape": [8], "data_offsets": [0, 16]}},
    ],
)
def test_headers_that_claim_more_than_there_is(header, tmp_path):
    path, text = tmp_path / "nn.safetensors", json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(16))
    with pytest.raises(ValueError, match="cannot be loaded: it"):
        fastnn.load(path)
    path.write_bytes(struct.pack("<Q", 2**40) + text + bytes(16))
    with pytest.raises(ValueError, match=r"cannot be loaded: it is no .safetensors file, or dam"):
        fastnn.load(path)


@pytest.mark.parametrize("name", ["cost", "layers", "epoch", "draws", "optimizer.m", "fastnn"])
def test_damaged_checkpoints_are_refused(name, tmp_path):
    path = tmp_path / "x.npz"
    nn = net()
    nn.fit(X, T, optimizer="Adam", batch_size=5, rng=0, callbacks=Checkpoint(path))
    arrays = npz.read(str(path))
    for value in (np.array("[" * 9999), np.array(-1), np.array("{}"), np.zeros((2, 2))):
        with open(path, "wb") as file:
            npz.write(file, {**arrays, name: value})
        with pytest.raises(ValueError, match=r"x.npz' is not a checkpoint"):
            Checkpoint.restore(path, net(), get_opt("Adam"))


def test_checksums_see_names_types_shapes_and_bytes():
    arrays = {"a": np.arange(6.0), "b": np.zeros(2, np.float32)}
    seen = {json.loads(document.written({"x": 1}, arrays))["crc32"]}
    others = [
        ({"x": 2}, arrays),
        ({"x": 1}, {"a": arrays["a"].reshape(2, 3), "b": arrays["b"]}),
        ({"x": 1}, {"a": arrays["a"], "c": arrays["b"]}),
        ({"x": 1}, {"a": arrays["a"], "b": arrays["b"].view(np.int32)}),
        ({"x": 1}, {"a": -arrays["a"], "b": arrays["b"]}),
    ]
    seen |= {json.loads(document.written(*other))["crc32"] for other in others}
    assert len(seen) == 6
    assert zlib.crc32(b"") == 0  # which is none of them
    assert 0 not in seen
