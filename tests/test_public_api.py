"""What `import plait` promises."""

import inspect
import pkgutil
import re
from importlib.metadata import version

import pytest

import plait


def test_names_are_few_and_sorted() -> None:
    assert list(plait.__all__) == sorted(plait.__all__)
    assert len(set(plait.__all__)) == len(plait.__all__) <= 12


@pytest.mark.parametrize("name", plait.__all__)
def test_every_name_loads_and_says_what_it_is(name: str) -> None:
    value = getattr(plait, name)
    assert name in dir(plait)
    assert inspect.getdoc(value)


@pytest.mark.parametrize("name", plait.__all__)
def test_every_argument_of_a_public_callable_is_documented(name: str) -> None:
    value = getattr(plait, name)
    if inspect.isroutine(value) or name == "Classifier":
        text = inspect.getdoc(value) or ""
        missing = [a for a in inspect.signature(value).parameters if not re.search(rf"\b{a}\b", text)]
        assert not missing


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Clasifier"):
        plait.Clasifier  # noqa: B018
    assert not hasattr(plait, "__wrapped__")


def test_the_version_is_that_of_the_distribution() -> None:
    assert plait.__version__ == version("plait")


def test_every_module_lists_what_it_offers() -> None:
    for found in pkgutil.walk_packages(plait.__path__, "plait."):
        if not found.ispkg:
            module = __import__(found.name, fromlist=["__all__"])
            assert module.__doc__, found.name
            assert all(hasattr(module, name) for name in module.__all__), found.name
