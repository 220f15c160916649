"""The page's sound: a song that is dropped in for zooms and films, and clicks on its beat."""

from __future__ import annotations

from nicegui import ui

from dreamvideo.errors import UsageError
from dreamvideo.settings import make_output
from dreamvideo.studio import widgets as html
from dreamvideo.studio.panels import Panel
from dreamvideo.studio.session import Studio

_UNUSED = "A still has no sound: a zoom or a film has"


class MusicPanel(Panel):
    """The song of a zoom or a film, in place of the clip's own sound."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        with html.section("Sound", "music"):
            with html.box("label", "drop small", for_="upload-sound") as self.drop:
                html.words("span", "Drop a song, or choose one", "drop-words")
                chosen = html.box("input", id="upload-sound", type="file", accept="audio/*,video/*")
                html.change(chosen, data_upload=True, aria_label="Song for the film")
            self.name = html.words("p", "", "song-name", id="song")
            with html.box("div", "actions") as self.actions:
                title = "A click at every beat, to hear whether the tempo is right"
                self.click = html.toggle("Click on the beat", self._click, title)
                self.tempo = html.box("label", "field")
                html.button("Remove", lambda: studio.play(None), aria_label="Remove the song")
            self.line = html.words("p", "", "line")
        self._shown: float | None = 0.0

    def refresh(self) -> None:
        """Show the song."""
        choice, song = self.studio.choice, self.studio.choice.song
        self.name.text = "" if song is None else f"{song.name}: {float(song.length):.1f} s"
        html.show(self.drop, song is None)
        html.show(self.actions, song is not None)
        html.press(self.click, choice.click)
        if choice.bpm != self._shown:
            self._shown = choice.bpm
            self.tempo.clear()
            with self.tempo:
                heard = {"id": "bpm", "placeholder": "as heard", "inputmode": "decimal"}
                shown = f"{choice.bpm:g}" if choice.bpm else ""
                html.text_field("Beats a minute", shown, self._set_tempo, **heard)
        self.line.text = _UNUSED if song is not None and choice.kind == "image" else ""

    def _click(self) -> None:
        choice = self.studio.choice
        self.studio.play(choice.song, click=not choice.click, bpm=choice.bpm)

    def _set_tempo(self, text: str) -> None:
        choice = self.studio.choice
        try:
            bpm = make_output(bpm=text.strip() or None).bpm
        except UsageError:
            ui.notify("Beats a minute: a number from 20 to 400", type="warning")
            self._shown = 0.0
            self.refresh()
            return
        # What was typed stays, and the focus where it is.
        self._shown = bpm
        self.studio.play(choice.song, click=choice.click, bpm=bpm)
