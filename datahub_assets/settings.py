"""The one table of settings: environment in, frozen typed values out. No other module reads the environment.

The settings of a dataset are told by its spec; all are read here, and no default lives anywhere else. Proxies are no
settings of ours, nor are certificates: `net.proxies` and `certificates` of `datahub_system` read those variables, and
here is only seen that they can be used.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, TypeVar, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.settings_base import DatasetSettings, env
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import SettingsError
from datahub_assets.setting_values import Account, Home, Networks, Port, Secret, Url, Words
from datahub_assets.settings_faults import explain, refuse_shared
from datahub_system import certificates
from datahub_system.net.proxies import Proxies, UnusableProxy

HUGGING_FACE: Final = "https://huggingface.co"
HUGGING_FACE_COMMITS: Final = 126
"""Commits an hour we make there at most; it allows 128."""
LOCAL_USER: Final = "local"

S = TypeVar("S", bound=DatasetSettings)
OF_DATASETS: Final = tuple(dict.fromkeys(spec.settings for spec in DATASETS.values()))
"""The types of the datasets' settings, in the order of the datasets; datasets of one type share theirs."""


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    if any(name not in DATASETS for name in names):
        raise ValueError(f"must be a list out of {', '.join(DATASETS)}")
    return names


Collected = Annotated[Words, AfterValidator(_known)]
"""Names of datasets; none stands for all."""


class Settings(BaseModel):
    """Every setting of the product. Build it with `from_env`; it never changes afterwards."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    hf_token: Secret | None = Field(
        None,
        validation_alias=env("HF_TOKEN", "HF_API_TOKEN"),
        description="token that may write to the datasets; unset: the embedded Hub is used",
    )
    hf_username: Account | None = Field(
        None,
        validation_alias=env("HF_USERNAME"),
        description="account or organisation that owns the datasets; unset: the token's own account",
    )
    hf_endpoint: Url | None = Field(
        None,
        validation_alias=env("HF_ENDPOINT"),
        description=f"the Hub; unset: {HUGGING_FACE}, or the embedded Hub when no token is set",
    )
    use_mock_data: bool = Field(
        default=False, validation_alias=env("USE_MOCK_DATA"), description="must stay false: there is no mock data here"
    )
    home: Home = Field(
        Path("data"),
        validation_alias=env("DATAHUB_HOME"),
        description="folder of the cache, Dagster's home, the embedded Hub and the API's snapshots",
    )
    tick_s: int = Field(
        60, ge=1, le=3600, validation_alias=env("DATAHUB_TICK_S"), description="seconds between ticks of a sensor"
    )
    datasets: Collected = Field(
        (),
        validation_alias=env("DATAHUB_DATASETS"),
        description="comma-separated datasets that are collected; all others are served still; unset: all",
    )
    publish_interval_s: int | None = Field(
        None,
        ge=1,
        le=86_400,
        validation_alias=env("DATAHUB_PUBLISH_INTERVAL_S"),
        description="least seconds between two commits to a dataset; unset: 60, and on huggingface.co what each "
        "dataset says of itself",
    )
    commits_per_hour: int | None = Field(
        None,
        ge=1,
        le=100_000,
        validation_alias=env("DATAHUB_COMMITS_PER_HOUR"),
        description=f"commit budget over all datasets; unset: {HUGGING_FACE_COMMITS} on huggingface.co, which allows "
        "128 an hour, and none elsewhere",
    )
    bind_host: str = Field(
        "127.0.0.1", validation_alias=env("DATAHUB_BIND_HOST"), description="address API and embedded Hub listen on"
    )
    allowed_hosts: Words = Field(
        (),
        validation_alias=env("DATAHUB_ALLOWED_HOSTS"),
        description="comma-separated names clients may ask for beside addresses, localhost and this machine's name; "
        "`*.example.com` for all below it, `*` for any",
    )
    api_port: Port = Field(7860, validation_alias=env("DATAHUB_API_PORT"), description="port of the API")
    dagster_host: str = Field(
        "127.0.0.1",
        validation_alias=env("DATAHUB_DAGSTER_HOST"),
        description="address Dagster's UI listens on; on any that other machines reach, it asks for the owner's token",
    )
    dagster_login: bool = Field(
        default=False,
        validation_alias=env("DATAHUB_DAGSTER_LOGIN"),
        description="ask for the owner's token on loopback too: for machines with several users",
    )
    dagster_port: Port = Field(3000, validation_alias=env("DATAHUB_DAGSTER_PORT"), description="port of Dagster's UI")
    localhub_port: Port = Field(
        7870, validation_alias=env("DATAHUB_LOCALHUB_PORT"), description="port of the embedded Hub"
    )
    keep_history_days: int = Field(
        7,
        ge=0,
        le=36_500,
        validation_alias=env("DATAHUB_KEEP_HISTORY_DAYS"),
        description="days for which the embedded Hub keeps every commit of its datasets; of earlier days it keeps the "
        "last, tagged with the day; 0 keeps all",
    )
    allowed_users: Words = Field(
        (),
        validation_alias=env("DATAHUB_ALLOWED_USERS"),
        description="comma-separated Hub accounts that may use the API; unset: any the Hub knows",
    )
    public_url: Url | None = Field(
        None,
        validation_alias=env("DATAHUB_PUBLIC_URL"),
        description="what the API's URLs begin with for its callers, where a proxy in front of it has another name or "
        "serves it under a path, such as https://example.org/hub; unset: what they ask for",
    )
    trusted_proxies: Networks = Field(
        (),
        validation_alias=env("DATAHUB_TRUSTED_PROXIES"),
        description="comma-separated addresses or networks of proxies in front of the API and Dagster, whose "
        "X-Forwarded-For and X-Forwarded-Proto are believed; unset: none",
    )
    webhook_secret: Secret | None = Field(
        None,
        validation_alias=env("DATAHUB_WEBHOOK_SECRET"),
        description="secret of POST /api/hub/webhook; unset: `up` makes one for the embedded Hub",
    )
    poll_s: float = Field(
        5.0,
        gt=0,
        le=3600,
        validation_alias=env("DATAHUB_POLL_S"),
        description="seconds between the API's looks at the Hub's head",
    )
    rate_limit_per_min: int = Field(
        600,
        ge=0,
        validation_alias=env("DATAHUB_RATE_LIMIT_PER_MIN"),
        description="requests a minute per token; 0 switches the limit off",
    )
    sql_timeout_s: float = Field(
        10.0, gt=0, le=600, validation_alias=env("DATAHUB_SQL_TIMEOUT_S"), description="longest SQL query, seconds"
    )
    sql_memory_mb: int = Field(
        512, ge=64, validation_alias=env("DATAHUB_SQL_MEMORY_MB"), description="memory of one SQL query, MiB"
    )
    sql_max_rows: int = Field(
        100_000, ge=1, validation_alias=env("DATAHUB_SQL_MAX_ROWS"), description="most rows of a SQL answer"
    )
    sql_max_bytes: int = Field(
        1 << 26, ge=1024, validation_alias=env("DATAHUB_SQL_MAX_BYTES"), description="largest SQL answer, bytes"
    )
    sql_workers: int = Field(
        2,
        ge=1,
        le=64,
        validation_alias=env("DATAHUB_SQL_WORKERS"),
        description="SQL queries of one caller that run at once; one process more stands by for the others",
    )
    run_launcher: str = Field(
        "warm",
        pattern="^(warm|default)$",
        validation_alias=env("DATAHUB_RUN_LAUNCHER"),
        description="`warm` forks runs from a preloaded process, `default` is Dagster's own launcher",
    )
    of_datasets: Mapping[type[DatasetSettings], DatasetSettings] = Field(
        default_factory=lambda: {kind: kind() for kind in OF_DATASETS}, exclude=True
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read and check all settings; an empty value counts as unset.

        Raises:
            SettingsError: one line per wrong setting: its name, its value (secrets hidden) and what is valid; or a
                line about a proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY name and that cannot be used; or about
                certificates that SSL_CERT_FILE or one of its like name.
        """
        source = os.environ if environ is None else environ
        values = {name: value for name, value in source.items() if value.strip()}
        problems: list[str] = []
        for check in (Proxies.from_env, certificates.check):
            try:
                check(source)
            except (UnusableProxy, certificates.UnusableCertificates) as error:
                problems.append(str(error))
        checked: dict[type[BaseModel], BaseModel] = {}
        for kind in (cls, *OF_DATASETS):
            try:
                checked[kind] = kind.model_validate(values)
            except ValidationError as error:
                problems.extend(explain(error, kind))
        if problems:
            raise SettingsError("\n".join(dict.fromkeys(problems)))  # datasets may share a setting
        own = cast("Settings", checked.pop(cls))
        return own.model_copy(update={"of_datasets": checked})

    @field_validator("use_mock_data", mode="after")
    @classmethod
    def _no_mock_data(cls, value: bool) -> bool:  # noqa: FBT001 - pydantic's signature
        if value:
            raise ValueError("must be false: this system has no mock data, it serves real data only")
        return value

    @property
    def collected(self) -> tuple[DatasetSpec, ...]:
        """The datasets that are collected, in the registry's order."""
        return tuple(spec for name, spec in DATASETS.items() if self.collects(name))

    def collects(self, dataset: str) -> bool:
        """Whether a dataset is collected: all are where none was chosen."""
        return not self.datasets or dataset in self.datasets

    def tick_of(self, spec: DatasetSpec) -> int:
        """Seconds between two ticks of a dataset's chain."""
        return max(self.tick_s, spec.tick_s)

    def of(self, kind: type[S]) -> S:
        """The settings of a dataset, by their type."""
        return cast("S", self.of_datasets[kind])

    @property
    def embedded_hub(self) -> bool:
        """Whether the Hub of this machine stands in for huggingface.co."""
        return self.hf_token is None and self.hf_endpoint is None

    @property
    def hub_drops_history(self) -> bool:
        """Whether the embedded Hub stands in, and drops old history by itself."""
        return self.embedded_hub and self.keep_history_days > 0

    @property
    def hub_endpoint(self) -> str:
        """URL of the Hub that holds the datasets."""
        if self.hf_endpoint is not None:
            return self.hf_endpoint
        return f"http://127.0.0.1:{self.localhub_port}" if self.embedded_hub else HUGGING_FACE

    @property
    def known_namespace(self) -> str | None:
        """Whose the datasets are, None where the Hub has to be asked whom the token belongs to."""
        return self.hf_username or (LOCAL_USER if self.embedded_hub else None)

    @property
    def token_path(self) -> Path:
        """The file with the embedded Hub's owner token, which is the API's own token too."""
        return self.home / "token"

    def owner_token(self) -> str | None:
        """The token that writes to the Hub: `HF_TOKEN`, or that of the embedded Hub once it exists."""
        if self.hf_token is not None:
            return self.hf_token.get_secret_value()
        if self.embedded_hub and self.token_path.is_file():
            return self.token_path.read_text(encoding="ascii").strip() or None
        return None

    @property
    def client_tokens_path(self) -> Path:
        """The file of the API's client tokens."""
        return self.home / "client-tokens.json"

    @property
    def cache_path(self) -> Path:
        """The SQLite cache."""
        return self.home / "cache.sqlite3"

    @property
    def landing_path(self) -> Path:
        """Where source assets land their rows."""
        return self.home / "landing"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance folder."""
        return self.home / "dagster"

    @property
    def localhub_home(self) -> Path:
        """The embedded Hub's folder."""
        return self.home / "hub"

    @property
    def snapshots_path(self) -> Path:
        """Where the API keeps its local copies of commits."""
        return self.home / "snapshots"


refuse_shared(Settings, DATASETS.values())
