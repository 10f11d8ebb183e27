"""Words on the command line, and tables of a file, become goals."""

from pathlib import Path

import numpy as np
import pytest

from molvae.adapters.goals import goal, read_goals, target_goals, together
from molvae.errors import ConfigError, UsageError
from molvae.generator import MoleculeGenerator

PHENOL, ETHANOL = "c1ccccc1O", "CCO"


def heaviness(smiles: str) -> float:
    return float(len(smiles))


@pytest.fixture(scope="module")
def generator(labelled_model_file: Path) -> MoleculeGenerator:
    return MoleculeGenerator.load(labelled_model_file)


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("MolLogP", "LogP", [1.39, -0.0]),
        (f"similarity:{PHENOL}", "similarity", [1.0, 0.1]),
        ("smarts:[OX2H]c", "[OX2H]c", [1.0, 0.0]),
        (f"{__name__}:heaviness", "heaviness", [9.0, 3.0]),
        ("awk '{print length($0)}'", "awk", [9.0, 3.0]),
    ],
)
def test_a_goal_is_named_in_a_word(
    generator: MoleculeGenerator, text: str, name: str, values: list[float]
) -> None:
    found = goal(text, generator)
    assert found.name == name
    np.testing.assert_allclose(found.objective([PHENOL, ETHANOL]), values, atol=0.05)


@pytest.mark.parametrize("text", ["predicted:potency", "potency", "POTENCY"])
def test_a_label_is_predicted(generator: MoleculeGenerator, text: str) -> None:
    found = goal(text, generator, minimize=True)
    assert (found.name, found.minimize) == ("predicted_potency", True)
    assert np.isfinite(found.objective([PHENOL])).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("QDE", "'QDE': nothing that can be scored; did you mean 'QED'"),
        ("pIC50", "The labels of this model: potency, activity"),
        ("./no-such-dock.sh", "no such file; name a program by its path"),
        ('"" -a', "nothing that can be scored"),
        ("predicted:pKi", "unknown property 'pKi'"),
        ("predicted:activity", "has the classes"),
        ("similarity:C1CC", "not a molecule"),
        ("smarts:[", "not SMARTS"),
        ("no_such_package.module:function", "must be importable"),
        (f"{__name__}:lightness", "lightness"),
    ],
)
def test_a_word_that_names_nothing_is_refused(
    generator: MoleculeGenerator, text: str, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        goal(text, generator)
    assert message in str(caught.value)


def test_a_script_becomes_a_program_by_what_the_messages_advise(
    generator: MoleculeGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = Path("score.py")
    script.write_text("import sys\nfor line in sys.stdin:\n    print(len(line.strip()))\n")
    with pytest.raises(UsageError, match=r"'\./score\.py': a file .*`chmod \+x \./score\.py`"):
        goal("./score.py", generator)
    script.chmod(0o755)
    with pytest.raises(UsageError, match=r"'score\.py': .* is written \./score\.py\."):
        goal("score.py", generator)
    with pytest.raises(UsageError, match="its first line names what runs it"):
        goal("./score.py", generator).objective([PHENOL])
    script.write_text(f"#!/usr/bin/env python3\n{script.read_text()}")
    for text in ("./score.py", "python3 score.py"):
        found = goal(text, generator)
        assert found.name == "score"
        assert found.objective([PHENOL, ETHANOL]).tolist() == [9.0, 3.0]


def test_a_target_is_one_inside_and_less_outside(generator: MoleculeGenerator) -> None:
    (logp, potency) = target_goals({"LogP": (1.0, 2.0), "potency": (8.0, None)}, generator)
    wanted = logp.desirability(logp.objective([PHENOL, ETHANOL]))
    assert wanted[0] == 1.0 > wanted[1]
    assert potency.desirability(np.array([9.0, 8.0, 7.0]))[:2].tolist() == [1.0, 1.0]


def test_several_goals_have_values_from_zero_to_one(generator: MoleculeGenerator) -> None:
    words = ["QED", "LogP", f"similarity:{PHENOL}", "predicted:potency"]
    both = together([goal(word, generator) for word in words])
    wanted = both.desirabilities(both.measure([PHENOL, ETHANOL]))
    assert ((wanted >= 0.0) & (wanted <= 1.0)).all()
    least = together([goal("LogP", generator, minimize=True), goal("QED", generator)])
    phenol, ethanol = least.desirabilities(least.measure([PHENOL, ETHANOL]))[:, 0]
    assert phenol < ethanol
    with pytest.raises(UsageError, match=r"heaviness: .*Give it a transform"):
        together([goal("QED", generator), goal(f"{__name__}:heaviness", generator)])


FILE = f"""
budget = 300
[[goal]]
score = "QED"
weight = 2
[[goal]]
score = "{__name__}:heaviness"
name = "size"
minimize = true
transform = "reverse_sigmoid"
low = 5
high = 30
"""


def test_a_file_has_goals_with_transforms(generator: MoleculeGenerator, tmp_path: Path) -> None:
    path = tmp_path / "goals.toml"
    path.write_text(FILE)
    goals, rest = read_goals(path, generator)
    assert [each.name for each in goals] == ["QED", "size"]
    assert (goals[0].weight, rest) == (2.0, {"budget": 300})
    score = together(goals).score(np.array([[0.5, 5.0], [0.5, 30.0]]))
    assert score[0] > score[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("goal = 3", r"write \[\[goal\]\] above"),
        ("[[goal]]\nweight = 1", "goal 1: score is missing"),
        ("[[goal]]\nscore = 'QED'\nwieght = 1", "unknown key 'wieght'; did you mean 'weight'"),
        ("[[goal]]\nscore = 'QED'\nminimize = 'yes'", "minimize = 'yes'"),
        ("[[goal]]\nscore = 'QED'\ntransform = 'sigmoid'\nlow = 1", "takes low, high"),
        ("[[goal]]\nscore = 'QED'\n[[goal]]\nscore = 'QDE'", "goal 2: 'QDE'"),
        ("[[goal", "not a TOML file"),
    ],
)
def test_a_bad_file_is_refused_with_the_place(
    generator: MoleculeGenerator, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "goals.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_goals(path, generator)
