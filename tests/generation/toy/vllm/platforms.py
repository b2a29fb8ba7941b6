"""A machine with two GPUs."""

import os
from types import SimpleNamespace

GPUS = int(os.environ.get("TOY_GPUS", "2"))
current_platform = SimpleNamespace(device_control_env_var="TOY_DEVICES", device_count=lambda: GPUS)
