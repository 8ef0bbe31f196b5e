"""Random numbers that depend on nothing but the seed and a name, and the array types of the generator."""

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Days = npt.NDArray[Any]  # datetime64: the type checker does not follow their arithmetic
Strings = npt.NDArray[np.object_]


def stream(seed: int, name: str, index: int = 0) -> np.random.Generator:
    """A generator of its own for each purpose and block, so that no draw depends on the order of the others."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), index])


def weighted(rng: np.random.Generator, weights: Floats, size: int) -> Ints:
    """`size` indices into `weights`, each with chance proportional to its weight."""
    bounds = np.cumsum(weights)
    return np.asarray(np.searchsorted(bounds, rng.random(size) * bounds[-1], side="right"), dtype=np.int64)


def logistic(x: Floats) -> Floats:
    """The chance whose logit is x."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)), dtype=np.float64)
