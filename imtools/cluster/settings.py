"""Settings of a cluster, from a YAML file or by name: safe defaults, checked before any use."""

from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from imtools.run_folder import read_yaml

WORD = r"^[\w.,:+-]*$"  # stands in a job script as it is, so it may hold no blank, quote or newline
MEMORY = r"^\d+(\.\d+)? ?[kMGT]i?B$"
WALLTIME = r"^(\d+-)?\d{1,3}(:\d\d){1,2}$"


class ClusterSettings(BaseModel):
    """How workers are asked for, and how one talks to them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    n_workers: int = Field(0, description="workers asked for; 0 is what the work says", ge=0)
    patience: float = Field(
        30.0, description="seconds that a scheduler or a first worker may take", gt=0
    )
    workers_per_job: int = Field(1, description="workers in each SLURM job", ge=1)
    cores: int = Field(1, description="cores of each SLURM job", ge=1)
    memory: str = Field("4GB", description="memory of each SLURM job", pattern=MEMORY)
    walltime: str = Field("04:00:00", description="time limit of a SLURM job", pattern=WALLTIME)
    queue: str = Field("", description="partition", pattern=WORD)
    account: str = Field("", description="whom the time is charged to", pattern=WORD)
    interface: str = Field("", description="network of scheduler and workers", pattern=WORD)
    directives: list[str] = Field([], description="further options of sbatch")
    prologue: list[str] = Field([], description="shell lines before a worker starts")
    log_directory: str = Field("", description="for the output of jobs; else data/cluster/logs")
    tls: bool = Field(True, description="encrypt, and let nobody else in; of SLURM")
    tls_ca_file: str = Field("", description="certificate that both sides trust")
    tls_cert: str = Field("", description="own certificate; without, made for each call")
    tls_key: str = Field("", description="its key")

    @field_validator("directives", "prologue")
    @classmethod
    def _check_lines(cls, lines):
        if any("\n" in line for line in lines):
            msg = "expected one line each; make it several"
            raise ValueError(msg)
        return lines

    @classmethod
    def of(cls, values, *, caller="cluster"):
        """Return the settings in `values` (a dict), others at default; errors are one line.

        Raises
        ------
        ValueError
            If a name is unknown (the nearest is named), or a value has the wrong type or range.
        """
        for name in values:
            if name not in cls.model_fields:
                near = get_close_matches(str(name), cls.model_fields, n=1)
                known = f"expected among {', '.join(cls.model_fields)}"
                hint = f"did you mean {near[0]!r}?" if near else known
                msg = f"{caller}: unknown setting {name!r}; {hint}"
                raise ValueError(msg)
        try:
            return cls(**values)
        except ValidationError as error:
            said = [
                f"{e['loc'][0]} is {e['input']!r}, "
                + e["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
                for e in error.errors()
            ]
            msg = f"{caller}: {'; '.join(said)}"
            raise ValueError(msg) from None

    def tls_files(self):
        """Return the three files of one's own TLS credentials by name, or None if there are none.

        Raises
        ------
        ValueError
            If some of them are given and others not.
        FileNotFoundError
            If one is not there.
        """
        files = {name: getattr(self, name) for name in ("tls_ca_file", "tls_cert", "tls_key")}
        if not any(files.values()):
            return None
        for name, path in files.items():
            if not path:
                msg = f"cluster: {name} is missing, expected beside the other two; add its path"
                raise ValueError(msg)
            if not Path(path).is_file():
                msg = f"cluster: {name} is {path}, which is no file; check the path"
                raise FileNotFoundError(msg)
        return files


def read_settings(path):
    """Read the settings of a cluster from a YAML file of ``name: value`` lines.

    Parameters
    ----------
    path : path-like
        The file; what it leaves out keeps its default.

    Returns
    -------
    ClusterSettings

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no YAML, a name is unknown, or a value has the wrong type or range.
    """
    return ClusterSettings.of(read_yaml(path, "cluster"), caller=f"cluster: {Path(path).name}")
