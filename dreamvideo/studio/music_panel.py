"""The page's sound: a song that is dropped in for zooms and films, and clicks on its beat."""

from __future__ import annotations

from dreamvideo.studio.panels import Panel
from dreamvideo.studio.session import Studio
from dreamvideo.studio.widgets import box, button, change, press, section, show, toggle, words

_UNUSED = "A still has no sound: a zoom or a film has"


class MusicPanel(Panel):
    """The song of a zoom or a film, in place of the clip's own sound."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        with section("Sound", "music"):
            with box("label", "drop small", for_="upload-sound") as self.drop:
                words("span", "Drop a song, or choose one", "drop-words")
                label, kinds = "Song for the film", "audio/*,video/*"
                chosen = box("input", id="upload-sound", type="file", accept=kinds)
                change(chosen, data_upload=True, aria_label=label)
            self.name = words("p", "", "song-name", id="song")
            with box("div", "actions") as self.actions:
                title = "A click at every beat, to hear whether the tempo is right"
                self.click = toggle("Click on the beat", self._click, title)
                button("Remove", lambda: studio.play(None), aria_label="Remove the song")
            self.line = words("p", "", "line")

    def refresh(self) -> None:
        """Show the song."""
        choice = self.studio.choice
        song = choice.song
        self.name.text = "" if song is None else f"{song.name}: {float(song.length):.1f} s"
        show(self.drop, song is None)
        show(self.actions, song is not None)
        press(self.click, choice.click)
        self.line.text = _UNUSED if song is not None and choice.kind == "image" else ""

    def _click(self) -> None:
        choice = self.studio.choice
        self.studio.play(choice.song, click=not choice.click)
