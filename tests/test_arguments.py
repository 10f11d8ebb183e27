"""What notebooks hand to Python functions: columns with holes, numbers of numpy, one for many."""

import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from molvae.config import DataConfig, GenerateConfig, TrainConfig, check
from molvae.data.prepare import prepare
from molvae.dataset import MoleculeDataset
from molvae.errors import MolvaeError, UsageError
from molvae.evaluate.report import evaluate
from molvae.generation.results import to_frame
from molvae.generation.search import Search
from molvae.generator import MoleculeGenerator
from molvae.presets import Preset
from molvae.train.trainer import Trainer
from tests import tiny

ASPIRIN, CAFFEINE = "CC(=O)Oc1ccccc1C(=O)O", "Cn1c(=O)c2c(ncn2C)n(C)c1=O"
CORE = "c1ccc([*:1])cc1"
BRIEF = GenerateConfig(max_tries=1)
FEW = Search(tries=2)
Generator = MoleculeGenerator
Call = Callable[[MoleculeGenerator, Any], object]

OF_MOLECULES: dict[str, Call] = {
    "encode": lambda g, given: g.encode(given).tolist(),
    "standardize": lambda g, given: g.standardize(given),
    "predict": lambda g, given: g.predict(given),
    "score": lambda g, given: g.score(given, codes=1),
    "reconstruct": lambda g, given: g.reconstruct(given),
    "augment": lambda g, given: g.augment(given, 1, config=BRIEF, tries=8, seed=1).molecules,
    "generated": lambda _, given: evaluate(given, fcd=False),
    "reference": lambda _, given: evaluate([ASPIRIN], reference=given, fcd=False),
    "training": lambda _, given: evaluate([ASPIRIN], training=given, fcd=False),
    "exclude": lambda g, given: g.generate(1, config=BRIEF, seed=1, exclude=given).molecules,
}
ONE_BY_ONE = [method for method in OF_MOLECULES if method != "generated"]
LISTS: dict[str, Callable[[], Any]] = {
    "a column with an index of its own": lambda: pd.Series([ASPIRIN, CAFFEINE], index=[5, 9]),
    "a column of text": lambda: pd.Series([ASPIRIN, CAFFEINE], dtype="string"),
    "a column of classes": lambda: pd.Series([ASPIRIN, CAFFEINE], dtype="category"),
    "an index": lambda: pd.Index([ASPIRIN, CAFFEINE]),
    "an array of strings": lambda: np.array([ASPIRIN, CAFFEINE]),
    "an array of objects": lambda: np.array([ASPIRIN, CAFFEINE], dtype=object),
    "a tuple": lambda: (ASPIRIN, CAFFEINE),
    "a generator": lambda: (smiles for smiles in (ASPIRIN, CAFFEINE)),
}
NO_LISTS = [ASPIRIN, np.str_(ASPIRIN), ASPIRIN.encode(), None, math.nan, 3, Path("a.smi")]
NO_LISTS += [np.array(ASPIRIN), pd.DataFrame({"SMILES": [ASPIRIN]})]
MISSING = [None, math.nan, np.float32("nan"), pd.NA, pd.NaT]


@pytest.fixture(scope="module")
def generator(tiny_model_file: Path) -> MoleculeGenerator:
    return MoleculeGenerator.load(str(tiny_model_file))


@pytest.mark.parametrize("method", OF_MOLECULES)
def test_every_kind_of_list_is_read_as_a_list(generator: Generator, method: str) -> None:
    expected = OF_MOLECULES[method](generator, [ASPIRIN, CAFFEINE])
    for kind, given in LISTS.items():
        assert OF_MOLECULES[method](generator, given()) == expected, kind


@pytest.mark.parametrize("method", OF_MOLECULES)
def test_what_is_no_list_is_refused_with_an_example(generator: Generator, method: str) -> None:
    wanted = rf"{method}\(.*: give a list of SMILES, such as \['CCO'\] or table\['SMILES'\]"
    for given in NO_LISTS:
        if given is not None or method in ("encode", "augment", "generated", "exclude"):
            with pytest.raises(UsageError, match=f"(?s){wanted}"):
                OF_MOLECULES[method](generator, given)


@pytest.mark.parametrize("method", ONE_BY_ONE)
def test_a_missing_cell_is_named_with_its_place(generator: Generator, method: str) -> None:
    for missing in MISSING:
        with pytest.raises(UsageError, match=rf"{method}: molecule 1 is .*dropna\(\)"):
            OF_MOLECULES[method](generator, [ASPIRIN, missing, CAFFEINE])


@pytest.mark.parametrize("missing", MISSING)
def test_a_missing_cell_among_generated_molecules_is_an_invalid_one(missing: object) -> None:
    assert evaluate([ASPIRIN, missing], fcd=False).counts["invalid"] == {"empty": 1}  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("item", "remedy"),
    [
        (ASPIRIN.encode(), "decode"),
        (Chem.MolFromSmiles("CCO"), "MolToSmiles"),
        ([ASPIRIN], "one list"),
        (np.array([ASPIRIN]), "one column"),
        (7, "and not a SMILES string.$"),
    ],
)
def test_what_is_no_smiles_is_named_with_its_remedy(
    generator: Generator, item: object, remedy: str
) -> None:
    for call in OF_MOLECULES.values():
        with pytest.raises(UsageError, match=f"molecule 0 is .*{remedy}"):
            call(generator, [item])


def test_no_molecules_are_refused_where_each_has_a_result(generator: Generator) -> None:
    for method in ("encode", "standardize", "predict", "score", "reconstruct", "augment"):
        with pytest.raises(UsageError, match=r"give a list of SMILES"):
            OF_MOLECULES[method](generator, [])


WHOLE: dict[str, tuple[Call, int]] = {  # the call, and a number that it takes
    "n of generate": (lambda g, n: g.generate(n, config=BRIEF, seed=1).molecules, 2),
    "n of neighbors": (
        lambda g, n: g.neighbors(ASPIRIN, n, config=BRIEF, tries=8, seed=1).molecules, 2,
    ),
    "n of augment": (
        lambda g, n: g.augment([ASPIRIN], n, config=BRIEF, tries=8, seed=1).molecules, 2,
    ),
    "n of interpolate": (lambda g, n: len(g.interpolate(ASPIRIN, CAFFEINE, n, search=FEW)), 2),
    "seed": (lambda g, seed: g.generate(1, config=BRIEF, seed=seed).molecules, 7),
    "batch_size": (lambda g, size: g.generate(1, config=BRIEF, seed=1, batch_size=size)[:], 1),
    "codes": (lambda g, codes: g.score([ASPIRIN], codes=codes), 2),
    "tries": (lambda g, tries: g.sweep(ASPIRIN, "LogP", [1], search=Search(tries=tries)), 2),
    "seed of a search": (
        lambda g, seed: g.sweep(ASPIRIN, "LogP", [1], search=Search(tries=2, seed=seed)), 3,
    ),
    "max_tries": (lambda g, n: g.generate(1, config=GenerateConfig(max_tries=n), seed=1)[:], 1),
    "seed of evaluate": (lambda _, seed: evaluate([ASPIRIN], seed=seed, fcd=False).to_json(), 3),
    "bootstrap": (lambda _, n: evaluate([ASPIRIN], bootstrap=n, fcd=False).to_json(), 3),
    "jobs": (lambda _, jobs: evaluate([ASPIRIN], jobs=jobs, fcd=False).to_json(), 0),
}  # fmt: skip
NO_WHOLE = [2.5, math.nan, math.inf, -1, 10**30, "2", pd.NA, True, np.bool_(True), [2]]


@pytest.mark.parametrize("argument", WHOLE)
def test_whole_numbers_may_be_of_numpy(generator: Generator, argument: str) -> None:
    call, number = WHOLE[argument]
    expected = call(generator, number)
    for kind in (np.int64, np.uint8, np.array):
        assert call(generator, kind(number)) == expected, kind


@pytest.mark.parametrize("argument", WHOLE)
def test_what_is_no_whole_number_is_refused(generator: Generator, argument: str) -> None:
    for number in NO_WHOLE:
        with pytest.raises(UsageError, match=rf"(?s){argument.split()[0]} = .*[:.]"):
            WHOLE[argument][0](generator, number)


REAL: dict[str, Call] = {
    "radius of neighbors": (
        lambda g, x: g.neighbors(ASPIRIN, 1, radius=x, config=BRIEF, tries=8, seed=1)[:]
    ),
    "radius of augment": (
        lambda g, x: g.augment([ASPIRIN], 1, radius=x, config=BRIEF, tries=8, seed=1)[:]
    ),
    "guidance": lambda g, x: g.sweep(ASPIRIN, "LogP", [1], guidance=x, search=FEW),
    "temperature": lambda g, x: g.generate(1, config=replace(BRIEF, temperature=x), seed=1)[:],
    "scale": lambda _, x: evaluate([ASPIRIN], targets={"LogP": 1}, scales={"LogP": x}, fcd=False),
}


@pytest.mark.parametrize("argument", REAL)
def test_real_numbers_may_be_of_numpy_and_are_finite(generator: Generator, argument: str) -> None:
    expected = REAL[argument](generator, 0.5)
    for kind in (np.float32, np.float64, np.array):
        assert REAL[argument](generator, kind(0.5)) == expected, kind
    for number in (math.nan, math.inf, -1.0, "0.5", [0.5], np.array([0.5])):
        with pytest.raises(UsageError, match=rf"{argument.split()[0]}.* = "):
            REAL[argument](generator, number)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (np.float32(2), "2"),
        (np.int64(2), "2"),
        (np.array(2.0), "2"),
        (Decimal("2.5"), "2.5"),
        ([1, 3], "1..3"),
        (np.array([1.0, 3.0]), "1..3"),
        (pd.Series([1, 3], index=[4, 7]), "1..3"),
        ((None, 3), "..3"),
        ([1, None], "1.."),
    ],
)
def test_targets_are_numbers_and_pairs_of_any_kind(
    generator: Generator, wanted: Any, text: str
) -> None:
    assert str(generator.request({"LogP": wanted})) == f"LogP={text}"
    (asked,) = evaluate([ASPIRIN], targets={"LogP": [wanted]}, fcd=False).values["control"].values()
    assert asked["asked"] == 1


NO_TARGETS = ["2", "1..3", b"2", 10**400, 1j, (1, 2, 3), (), {1: 3}, ("1", "3"), (math.nan, 3)]


@pytest.mark.parametrize("wanted", [*NO_TARGETS, (pd.NA, 3), (None, None), slice(1, 3)])
def test_what_is_no_target_is_refused_with_an_example(generator: Generator, wanted: Any) -> None:
    with pytest.raises(UsageError, match=r"target LogP = .*\(1.0, 3.0\)"):
        generator.request({"LogP": wanted})
    with pytest.raises(UsageError, match=r"molecule 0: target LogP = .*\(1.0, 3.0\)"):
        evaluate([ASPIRIN], targets={"LogP": [wanted]}, fcd=False)


@pytest.mark.parametrize("wanted", MISSING)
def test_a_missing_target_is_left_out_by_hand_or_by_evaluate(
    generator: Generator, wanted: Any
) -> None:
    with pytest.raises(UsageError, match="Leave LogP out to leave it free"):
        generator.request({"LogP": wanted})
    found = evaluate([ASPIRIN, CAFFEINE], targets={"LogP": [1.0, wanted]}, fcd=False)
    assert found.values["control"]["LogP"]["asked"] == 1


def test_a_row_of_a_table_is_a_set_of_targets_and_its_rows_are_several(
    generator: Generator,
) -> None:
    table = pd.DataFrame({"LogP": [1.0, 2.0], "QED": [0.5, 0.8]})
    assert str(generator.request(table.iloc[1])) == "LogP=2, QED=0.8"
    found = generator.generate(2, table.to_dict("records"), config=replace(BRIEF, tier="raw"))
    assert [each.targets["LogP"][0] for each in found] == [1.0, 2.0]
    one = generator.generate(2, table.iloc[0], config=replace(BRIEF, tier="raw"))
    assert {each.targets["QED"][0] for each in one} == {0.5}


BY_NAME: dict[str, Call] = {
    "generate": lambda g, given: g.generate(1, given, config=BRIEF),
    "feasibility": lambda g, given: g.feasibility(given),
    "is_ood": lambda g, given: g.is_ood(given),
    "neighbors": lambda g, given: g.neighbors(ASPIRIN, 1, targets=given),
    "decode": lambda g, given: g.decode(np.zeros((1, 8)), given),
    "evaluate": lambda _, given: evaluate([ASPIRIN], targets=given),
    "scales": lambda _, given: evaluate([ASPIRIN], targets={"LogP": 1}, scales=given),
}
NO_NAMES = ["LogP=2", 3, {1: 2}, {None: 2}, pd.DataFrame({"LogP": [1.0]}), ["LogP=2"], np.ones(2)]


@pytest.mark.parametrize("method", BY_NAME)
def test_values_without_names_are_refused(generator: Generator, method: str) -> None:
    for given in NO_NAMES:
        with pytest.raises(UsageError, match=r"(?s)targets|scales"):
            BY_NAME[method](generator, given)


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ("abc", "no array of numbers"),
        ([[1.0], [1.0, 2.0]], "no array of numbers"),
        (np.full((1, 8), "a"), "no array of numbers"),
        (np.zeros((1, 8), complex), "no array of numbers"),
        (None, "shape"),
        (np.full((1, 8), 1e300), "not finite"),
    ],
)
def test_what_is_no_code_is_refused(generator: Generator, codes: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        generator.decode(codes)


def test_codes_may_be_a_table_or_lists(generator: Generator) -> None:
    zeros = np.zeros((2, 8))
    assert generator.decode(zeros.tolist()) == generator.decode(pd.DataFrame(zeros))


CALLS: dict[str, Call] = {
    "values of a sweep": lambda g, _: g.sweep(ASPIRIN, "LogP", 2.0),  # type: ignore[arg-type]
    "ranges in a sweep": lambda g, _: g.sweep(ASPIRIN, "LogP", [(1, 2)]),  # type: ignore[list-item]
    "name of a sweep": lambda g, _: g.sweep(ASPIRIN, ["LogP"], [1]),  # type: ignore[arg-type]
    "path": lambda g, _: g.interpolate(ASPIRIN, CAFFEINE, 3, path=None),  # type: ignore[arg-type]
    "settings by name": lambda g, _: g.generate(1, config={"tier": "raw"}),  # type: ignore[arg-type]
    "class of settings": lambda g, _: g.neighbors(ASPIRIN, 1, config=GenerateConfig),  # type: ignore[arg-type]
    "settings of augment": lambda g, _: g.augment([ASPIRIN], 1, config={"radius": 1}),  # type: ignore[arg-type]
    "core of decorate": lambda g, _: g.decorate([CORE, math.nan], 1),  # type: ignore[list-item]
    "no core": lambda g, _: g.decorate(None, 1),  # type: ignore[arg-type]
    "number of decorate": lambda g, _: g.decorate(CORE, None),  # type: ignore[arg-type]
    "fragment of link": lambda g, _: g.link([CORE], CORE, 1),  # type: ignore[arg-type]
    "core of generate": lambda g, _: g.generate(1, keep=math.nan),  # type: ignore[arg-type]
    "core of neighbors": lambda g, _: g.neighbors(ASPIRIN, 1, keep=[CORE]),  # type: ignore[arg-type]
    "one filter": lambda g, _: g.generate(1, config=GenerateConfig(filters="PAINS")),  # type: ignore[arg-type]
    "model": lambda _, __: MoleculeGenerator.load(None),  # type: ignore[arg-type]
    "device": lambda _, path: MoleculeGenerator.load(path, device="gpu"),
    "to_frame": lambda _, __: to_frame(None),  # type: ignore[arg-type]
    "one suite": lambda _, __: evaluate([ASPIRIN], suite=None),  # type: ignore[arg-type]
    "tables": lambda _, __: prepare(None, DataConfig(), jobs=0),  # type: ignore[arg-type]
    "no tables": lambda _, __: prepare([], DataConfig(), jobs=0),
    "settings of prepare": lambda _, path: prepare(path, None, jobs=0),  # type: ignore[arg-type]
    "fraction": lambda _, path: prepare(path, DataConfig(validation=math.nan), jobs=0),
    "labels": lambda _, path: prepare(path, DataConfig(labels="y"), jobs=0),  # type: ignore[arg-type]
    "format": lambda _, path: prepare(path, DataConfig(), jobs=0, format="xyz"),
    "rejects": lambda _, path: prepare(path, DataConfig(), jobs=0, rejects=3),  # type: ignore[arg-type]
    "dataset": lambda _, path: MoleculeDataset.load(None),  # type: ignore[arg-type]
    "path for a dataset": lambda _, path: Trainer(path, path, Preset(tiny.MODEL, tiny.TRAIN)),
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_other_arguments_are_refused_in_words(
    generator: Generator, tiny_model_file: Path, call: str
) -> None:
    with pytest.raises(MolvaeError) as caught:
        CALLS[call](generator, tiny_model_file)
    assert len(str(caught.value)) > 20


def test_settings_of_numpy_become_those_of_python(drug_dataset: MoleculeDataset) -> None:
    config = check(
        DataConfig(
            min_count=np.int64(3),  # type: ignore[arg-type]
            validation=np.float64(0.25),
            stereo=np.bool_(True),  # type: ignore[arg-type]
            properties=np.array(["MW"]),  # type: ignore[arg-type]
        )
    )
    assert config == DataConfig(min_count=3, validation=0.25, stereo=True, properties=("MW",))
    assert [type(value) for value in (config.min_count, config.stereo)] == [int, bool]
    settings = Preset(tiny.MODEL, replace(tiny.TRAIN, epochs=np.int64(2)))  # type: ignore[arg-type]
    assert type(Trainer(drug_dataset, Path("never-made"), settings).config.epochs) is int
    for wrong in (math.nan, -1, "1"):
        odd = Preset(tiny.MODEL, TrainConfig(learning_rate=wrong))  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="learning_rate = "):
            Trainer(drug_dataset, Path("never-made"), odd)


def test_one_table_may_be_given_as_text(tmp_path: Path) -> None:
    table = tmp_path / "few.csv"
    table.write_text("smiles\n" + "".join(f"{'C' * n}O\n" for n in range(1, 30)), encoding="utf-8")
    config = DataConfig(properties=("MW",), min_count=1, validation=0.2)
    one, same = (prepare(given, config, jobs=0).dataset for given in (str(table), [table]))
    assert one.fingerprint == same.fingerprint
