"""The commands of SLURM that submitit calls, for a job of one arm on this machine; linked to their names on the PATH.

submitit queues several arms as an array of jobs, whose names end in _0 and so on; one arm is a job without.
What it knows of a job lies in the folder FAKE_SLURM: its process, its exit code, its state, how often it was queued.
"""

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ["FAKE_SLURM"])
JOB = "7"
ENVIRONMENT = {
    **{"SLURM_JOB_ID": JOB, "SLURM_NTASKS": "1"},
    **{"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_JOB_NUM_NODES": "1"},
    **{"SLURM_JOB_NODELIST": "localhost", "SLURM_JOB_NAME": "arm"},
}


def sbatch(*arguments: str) -> None:
    """Queue a job script."""
    command = [sys.executable, __file__, "work", arguments[-1]]
    subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"Submitted batch job {JOB}")


def work(script: str) -> None:
    """Run a job, again as long as it has itself queued again, and note how it ended."""
    for count in range(5):
        again = {"SLURM_RESTART_COUNT": str(count)} if count else {}
        code = subprocess.run(["bash", script], env=os.environ | ENVIRONMENT | again).returncode
        (FOLDER / "queued").write_text(str(count + 1))
        if not (FOLDER / "requeue").exists():
            break
        (FOLDER / "requeue").unlink()
    (FOLDER / "state").write_text("COMPLETED" if code == 0 else "FAILED")
    (FOLDER / "code").write_text(str(code))


def srun(*arguments: str) -> None:
    """Run a step in the place of this process."""
    start = next(place for place, word in enumerate(arguments) if Path(word).name.startswith("python"))
    (FOLDER / "process").write_text(str(os.getpid()))
    log = os.open(FOLDER / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.execv(arguments[start], arguments[start:])


def scontrol(*arguments: str) -> None:
    """Queue a job again, or name the hosts of a list."""
    if arguments[0] == "requeue":
        (FOLDER / "requeue").touch()
    else:
        print("localhost")


def sacct(*_: str) -> None:
    """Print the job's state."""
    state = (FOLDER / "state").read_text() if (FOLDER / "state").exists() else "RUNNING"
    print(f"JobID|State|NodeList\n{JOB}|{state}|localhost")


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    globals()[name](*rest)
