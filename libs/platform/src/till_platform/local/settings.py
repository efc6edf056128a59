from pathlib import Path

import platformdirs
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LocalSettings(BaseSettings):
    """Where the embedded stack finds what it runs on; all of it has a sensible default."""

    model_config = SettingsConfigDict(env_prefix="TILL_", frozen=True, extra="ignore")

    jar_cache: Path = Field(default_factory=lambda: platformdirs.user_cache_path("tillstream") / "jars")
    java_home: Path | None = Field(default=None, validation_alias="JAVA_HOME")
