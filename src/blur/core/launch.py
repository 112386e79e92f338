"""Several processes of one job, as ``accelerate launch`` or ``torchrun`` starts them. torch is imported only to join.

How many there are, and whether each holds the whole model (``ddp``) or a part of it (``fsdp2``), is a property of the
launch: it is read from the launcher's environment, never from settings, and changes no result.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal, TypeVar

from blur.core.errors import ConfigError

Way = Literal["single", "ddp", "fsdp2"]
T = TypeVar("T")

# The others wait while the first process waits for a lock, measures or saves. A dead process is the launcher's to see.
_PATIENCE = timedelta(hours=12)
_START = "Start with `accelerate launch --num_processes N` and `--multi_gpu`, or `--use_fsdp --fsdp_version 2`"


def size() -> int:
    """Return the number of processes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return this process's number; the first one, 0, does all the writing."""
    return int(os.environ.get("RANK", "0")) if size() > 1 else 0


def way() -> Way:
    """Return how the processes share the work.

    Raises:
        ConfigError: the launcher asks for a way that there is none of here, or for another precision.
    """
    if size() == 1:
        return "single"
    precision = os.environ.get("ACCELERATE_MIXED_PRECISION", "no").lower()
    if precision != "no":
        remedy = "Leave out --mixed_precision: the model's `dtype` and the settings' `master_weights` choose it"
        raise ConfigError(f"a launch does not choose the precision {precision!r}", "accelerate launch", remedy)
    if _asked("ACCELERATE_USE_DEEPSPEED") or _asked("ACCELERATE_USE_MEGATRON_LM"):
        raise ConfigError("DeepSpeed and Megatron-LM are not supported", "accelerate launch", _START)
    if not _asked("ACCELERATE_USE_FSDP"):
        return "ddp"
    if os.environ.get("FSDP_VERSION", "1") != "2":
        raise ConfigError("FSDP of version 1 is not supported", "accelerate launch", "Add --fsdp_version 2")
    if _asked("FSDP_OFFLOAD_PARAMS"):
        raise ConfigError("parameters are not offloaded", "accelerate launch", "Leave out --fsdp_offload_params")
    return "fsdp2"


def spread(gpus: int, arguments: Sequence[str]) -> None:
    """Start the command anew as one process per GPU, sharded; nothing happens for one GPU, or inside such a process.

    Args:
        gpus: those that the job was given.
        arguments: of the ``blur`` command.
    """
    if gpus < 2 or "WORLD_SIZE" in os.environ:
        return
    options = ("--num_processes", str(gpus), "--main_process_port", "0", "--use_fsdp", "--fsdp_version", "2")
    command = (sys.executable, "-m", "accelerate.commands.launch", *options, "-m", "blur.cli", *arguments)
    os.execv(command[0], command)


def _asked(name: str) -> bool:
    return os.environ.get(name, "false").lower() in ("true", "1", "yes")


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Be one of the launched processes for the block's duration: gloo on a CPU, nccl on GPUs, one GPU each.

    A process that fails leaves without waiting; the launcher then ends the others.

    Args:
        device: ``cpu`` or ``cuda``, which means this process's GPU inside the block.
    """
    if way() == "single":
        yield
        return
    import torch
    import torch.distributed as dist

    if device.startswith("cuda"):
        own = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(own)
        dist.init_process_group("nccl", timeout=_PATIENCE, device_id=own)
    else:
        dist.init_process_group("gloo", timeout=_PATIENCE)
    yield
    dist.barrier()
    dist.destroy_process_group()


def shared(value: T) -> T:
    """Return the first process's ``value``.

    Raises:
        ConfigError: there are several processes, and they have not joined: the stage is one for a single process.
    """
    if size() == 1:
        return value
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        what = f"this stage runs in one process, but {size()} were started"
        raise ConfigError(what, "accelerate launch", "Type `blur ...` without a launcher in front")
    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]
