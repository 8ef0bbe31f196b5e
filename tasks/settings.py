"""Typed settings, read from the environment once, at the edge of a flow or of the console."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

CHECKOUT = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """What the environment says, each name with the prefix `REPRISE_`.

    home: folder of everything that the local stack writes; nothing is written outside it.
    """

    model_config = SettingsConfigDict(env_prefix="REPRISE_", frozen=True)

    home: Path = CHECKOUT / ".reprise"
