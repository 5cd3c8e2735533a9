"""Work on other processes and machines through dask: connected, checked, done again when lost."""

from imtools.cluster.connecting import connect
from imtools.cluster.doing import do_all, stopping
from imtools.cluster.settings import ClusterSettings, read_settings
from imtools.cluster.slurm import job_script

__all__ = ["ClusterSettings", "connect", "do_all", "job_script", "read_settings", "stopping"]
