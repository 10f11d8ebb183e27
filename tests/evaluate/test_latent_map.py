"""Codes on their principal components, and the picture of them."""

from xml.etree import ElementTree

import numpy as np
import pytest

from molvae.errors import InputError, printable
from molvae.evaluate.latent_map import MANY, draw, project

CODES = np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
CODES[:, 3] *= 5.0
CODES[:, 5] *= 3.0


def test_the_components_are_the_directions_of_most_variance() -> None:
    coordinates, shares = project(CODES + 10.0)
    total = CODES.var(axis=0).sum()
    assert shares[0] == pytest.approx(CODES[:, 3].var() / total, rel=0.05)
    assert shares[1] == pytest.approx(CODES[:, 5].var() / total, rel=0.05)
    assert np.abs(np.corrcoef(coordinates[:, 0], CODES[:, 3])[0, 1]) > 0.97
    assert np.abs(np.corrcoef(coordinates[:, 1], CODES[:, 5])[0, 1]) > 0.97
    assert coordinates.mean(axis=0) == pytest.approx([0.0, 0.0], abs=1e-5)


def test_a_map_keeps_its_sides_whatever_the_order_of_the_molecules() -> None:
    order = np.random.default_rng(1).permutation(len(CODES))
    there, back = project(CODES).coordinates, project(CODES[order]).coordinates
    assert np.allclose(back, there[order], atol=1e-4)


def test_a_latent_space_of_one_dimension_is_a_line() -> None:
    coordinates, shares = project(CODES[:, :1])
    assert shares == pytest.approx((1.0, 0.0))
    assert coordinates[:, 1].tolist() == [0.0] * len(CODES)


def test_too_few_or_equal_codes_have_no_map() -> None:
    with pytest.raises(InputError, match="at least 3"):
        project(CODES[:2])
    with pytest.raises(InputError, match="the same code"):
        project(np.ones((5, 8), dtype=np.float32))


def test_the_same_codes_make_the_same_picture_and_many_dots_are_one_image() -> None:
    pytest.importorskip("matplotlib")
    few = project(CODES)
    values = CODES[:, 0].astype(float)
    first, again = (draw(few, values, label="LogP", title="drugs", format="svg") for _ in range(2))
    assert first == again
    assert b"LogP" in first
    assert b"<image" not in first.partition(b"principal component")[0]
    many = project(np.tile(CODES, (MANY // len(CODES) + 1, 1)))
    drawn = draw(many, title="drugs", format="svg")
    assert b"<image" in drawn
    assert len(drawn) < 1_000_000
    assert draw(few, np.ones(200), label="", title="", format="png").startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["\x1b[31m\x00", "a\nb", "\u202e\ud800", "$x^$", "<&>"])
def test_names_from_strangers_stay_words_in_a_picture(name: str) -> None:
    pytest.importorskip("matplotlib")
    content = draw(project(CODES), list(CODES[:, 0]), label=name, title=name, format="svg")
    words = ["".join(each.itertext()) for each in ElementTree.fromstring(content).iter()]
    assert words.count(printable(name)) >= 2
