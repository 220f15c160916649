"""What a render runs on: no part of a look, since it must not change the picture much."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from dreamvideo.errors import UsageError
from dreamvideo.settings.base import Settings, join_lines, validate
from dreamvideo.settings.output import parse_bytes


class MachineSettings(Settings):
    """Device, precision, memory, processes and threads of a render."""

    device: Literal["auto", "cpu", "gpu"] = Field(
        default="auto", description="Where the gradient is computed; auto: a GPU if there is one."
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32",
        description="Of the gradient. bfloat16 is faster on processors, float16 on GPUs made for "
        "it; slightly another picture.",
    )
    max_memory: Annotated[str | None, AfterValidator(lambda text: validate(parse_bytes, text))] = (
        Field(
            default=None,
            description="Memory that a process may take, as 6GB: what needs more is dreamt in "
            "tiles.",
            json_schema_extra={"none": "half of what is free"},
        )
    )
    workers: str = Field(
        default="auto", description="Processes that dream parts of a clip side by side."
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Processor cores to compute on, by all processes together.",
        json_schema_extra={"none": "all"},
    )

    @property
    def most_bytes(self) -> int | None:
        """``max_memory`` in bytes."""
        return None if self.max_memory is None else parse_bytes(self.max_memory)


def make_machine(**given: Any) -> MachineSettings:
    """The defaults, with what is given and not None. Raises UsageError naming the option."""
    try:
        return MachineSettings.model_validate({k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        raise UsageError(join_lines(error, MachineSettings, "--")) from None
