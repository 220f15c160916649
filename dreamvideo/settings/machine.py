"""Settings of the machine. Not part of a look, because they must not change the picture much."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from dreamvideo.errors import UsageError
from dreamvideo.parsing import parse_bytes
from dreamvideo.settings.base import Settings, join_lines, validate

Precision = Literal["auto", "float32", "bfloat16", "float16"]


class MachineSettings(Settings):
    """Device, precision, memory, processes and threads of a render."""

    device: Literal["auto", "cpu", "gpu"] = Field(
        default="auto",
        description="Where to compute the gradient; auto: a GPU if there is one. GPUs are "
        "untested: what runs on one was tested on processors, and its speed is unknown.",
    )
    precision: Precision = Field(
        default="auto",
        description="Precision of the gradient. `auto`: the look's own; with --fast, bfloat16 on "
        "processors with AMX or AVX512-BF16 and networks that gain from it; else float32. float16 "
        "is for GPUs. The picture differs slightly.",
    )
    max_memory: Annotated[str | None, AfterValidator(lambda text: validate(parse_bytes, text))] = (
        Field(
            default=None,
            description="Memory that a process may use, for example 6GB; frames that need more "
            "are dreamt in tiles.",
            json_schema_extra={"none": "half of the free memory"},
        )
    )
    workers: str = Field(
        default="auto", description="Number of processes that dream segments of a clip in parallel."
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Processor cores to use, for all processes together.",
        json_schema_extra={"none": "all"},
    )

    @property
    def most_bytes(self) -> int | None:
        """``max_memory`` in bytes."""
        return None if self.max_memory is None else parse_bytes(self.max_memory)


def make_machine(**given: Any) -> MachineSettings:
    """Return the defaults, overridden by what is not None. Raises UsageError, naming the option."""
    try:
        return MachineSettings.model_validate({k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        raise UsageError(join_lines(error, MachineSettings, "--")) from None
