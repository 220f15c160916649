"""What users should know of the files that a look names: a guide's colours, a network's layers."""

from __future__ import annotations

from dreamvideo.dream.mixture import read_mixture
from dreamvideo.dream.models import list_notes
from dreamvideo.render.job.manifest import list_look_files
from dreamvideo.render.photo import collect_picture_notes
from dreamvideo.settings import Look
from dreamvideo.settings.derive import derive_dream


def collect_look_notes(look: Look) -> list[str]:
    """Return notes on the pictures and the networks that a look names."""
    pictures = collect_picture_notes(*list_look_files(look).values())
    dreams = [look.dream, *(derive_dream(region, look.dream) for region in look.regions)]
    notes = [
        note
        for dream in dreams
        for name in read_mixture(dream.model).names
        for note in list_notes(name, dream)
    ]
    return [*pictures, *dict.fromkeys(notes)]
