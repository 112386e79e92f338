"""What a launcher asks for, read from its environment."""

from __future__ import annotations

import pytest

from blur.core import launch
from blur.core.errors import ConfigError

LAUNCHED = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}
FSDP = {"ACCELERATE_USE_FSDP": "true"}


@pytest.fixture
def environment(monkeypatch):
    for name in (*LAUNCHED, *FSDP, "FSDP_VERSION", "FSDP_OFFLOAD_PARAMS", "ACCELERATE_MIXED_PRECISION"):
        monkeypatch.delenv(name, raising=False)
    return lambda values: [monkeypatch.setenv(name, value) for name, value in values.items()]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ("single", 1, 0)),
        (FSDP, ("single", 1, 0)),
        ({"WORLD_SIZE": "1", "RANK": "0", **FSDP}, ("single", 1, 0)),
        (LAUNCHED, ("ddp", 2, 1)),
        ({**LAUNCHED, "ACCELERATE_USE_FSDP": "False"}, ("ddp", 2, 1)),
        ({**LAUNCHED, **FSDP, "FSDP_VERSION": "2"}, ("fsdp2", 2, 1)),
    ],
)
def test_the_launch_chooses_the_way(environment, values, expected):
    environment(values)
    assert (launch.way(), launch.size(), launch.rank()) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (FSDP, "FSDP of version 1 is not supported. Add --fsdp_version 2"),
        ({**FSDP, "FSDP_VERSION": "2", "FSDP_OFFLOAD_PARAMS": "true"}, "Leave out --fsdp_offload_params"),
        ({"ACCELERATE_MIXED_PRECISION": "bf16"}, "a launch does not choose the precision 'bf16'"),
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, "DeepSpeed and Megatron-LM are not supported"),
    ],
)
def test_what_there_is_not_is_refused(environment, values, message):
    environment({**LAUNCHED, **values})
    with pytest.raises(ConfigError, match=message):
        launch.way()


def test_a_stage_of_one_process_refuses_several(environment):
    assert launch.shared("alone") == "alone"
    environment(LAUNCHED)
    with pytest.raises(ConfigError, match="this stage runs in one process, but 2 were started"):
        launch.shared(None)
