"""``train``: teach the bundled network pictures of one's own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamvideo.cli.app import Debug, Overwrite, Quiet, app, note, say
from dreamvideo.cli.common import Output, machine_options
from dreamvideo.formatting import format_count
from dreamvideo.settings.machine import MachineSettings
from dreamvideo.settings.training import TrainingSettings, make_training


def _setting(name: str) -> Any:
    field = TrainingSettings.model_fields[name]
    return typer.Option(f"--{name}", help=field.description, show_default=str(field.default))


@app.command()
@machine_options("threads")
def train(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder of pictures, about twenty; or of folders, each of which is a class."
        ),
    ],
    *,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            help="A folder of pictures that the network is to respond to less.",
            show_default="the package's own",
        ),
    ] = None,
    epochs: Annotated[int | None, _setting("epochs")] = None,
    minutes: Annotated[float | None, _setting("minutes")] = None,
    strength: Annotated[float | None, _setting("strength")] = None,
    blend: Annotated[float | None, _setting("blend")] = None,
    seed: Annotated[int | None, _setting("seed")] = None,
    output: Output = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
    machine: MachineSettings,
) -> None:
    """Teach the bundled network to dream your own pictures: the result is a file for --model.

    An interrupted training goes on where it was if the same command is given again.
    """
    from dreamvideo.cli.display import progress_display
    from dreamvideo.render.training.train import train as teach

    wanted = make_training(
        epochs=epochs, minutes=minutes, strength=strength, blend=blend, seed=seed
    )
    with progress_display(quiet) as listen:
        made = teach(
            folder,
            output,
            wanted,
            against=against,
            threads=machine.threads,
            overwrite=overwrite,
            on_progress=listen,
        )
    say(
        quiet,
        f"{made.output}: {made.pictures} pictures of {', '.join(made.classes)}, "
        f"{format_count(made.epochs, 'epoch')}, the best was {made.best}: "
        f"{made.found:.0%} of the test crops are recognised",
        f"dream it with: --model {shlex.quote(str(made.output))}",
    )
    note(quiet, made.notes)
