from __future__ import annotations

import numpy as np
import pytest

from dreamvideo.gallery.contact_sheet import PAPER, Pixels, make_contact_sheet


def plain(height: int, width: int, level: int) -> Pixels:
    # Red, as no label is.
    return np.tile(np.array([level, 0, 0], np.uint8), (height, width, 1))


def test_every_picture_is_there_whole_in_rows() -> None:
    pictures = [plain(40, 60, 100 + 10 * n) for n in range(5)]
    sheet = make_contact_sheet([(f"n {n}", picture) for n, picture in enumerate(pictures)], 3)
    places = []
    for picture in pictures:
        found = np.argwhere((sheet == picture[0, 0]).all(2))
        assert len(found) >= 40 * 60
        places.append(found.min(0).tolist())
    tops, lefts = zip(*places, strict=True)
    assert len(set(tops[:3])) == 1 and len(set(tops[3:])) == 1 and tops[3] > tops[0] + 40
    assert lefts[0] == lefts[3] < lefts[1] == lefts[4] < lefts[2]


@pytest.mark.parametrize("width", [16, 60, 320])
def test_labels_stand_below_and_stay_within(width: int) -> None:
    short = make_contact_sheet([("", plain(20, width, 128))])
    for label in (
        "a",
        "block11_expand#12, at 3.4 s, and very much longer than any label",
        "Ünïcode\n",
    ):
        sheet = make_contact_sheet([(label, plain(20, width, 128))])
        assert sheet.shape == short.shape
        changed = np.argwhere((sheet != short).any(2))
        assert len(changed) > 0
        gap = np.argwhere((sheet == [128, 0, 0]).all(2)).min(0)
        assert changed[:, 0].min() >= gap[0] + 20
        assert changed[:, 1].min() >= gap[1] and changed[:, 1].max() < gap[1] + width


def test_pictures_of_other_sizes_are_centred() -> None:
    sheet = make_contact_sheet([("", plain(40, 60, 200)), ("", plain(20, 30, 100))], 2)
    large, small = (np.argwhere((sheet == [level, 0, 0]).all(2)) for level in (200, 100))
    assert (small.min(0) - large.min(0)).tolist()[0] == 10
    assert len(small) == 20 * 30


def test_without_columns_it_is_about_square() -> None:
    height, width = make_contact_sheet([("", plain(40, 80, 200))] * 18).shape[:2]
    assert 0.5 < height / width < 2
    assert make_contact_sheet([("", plain(40, 80, 200))])[0, 0].tolist() == [PAPER] * 3
