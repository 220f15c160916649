"""Format a film's report as a table for people."""

from __future__ import annotations

from dreamvideo.metrics.film_report import Drift, FilmReport
from dreamvideo.metrics.frame_stats import BANDS


def make_rows(report: FilmReport) -> list[tuple[str, str]]:
    """Return (name, value) of every metric, in reading order."""
    found = [
        ("frames", f"{report.frames} at {report.width} x {report.height}"),
        ("scene cuts at frames", ", ".join(map(str, report.cuts)) or "none"),
    ]
    for name, errors in (
        ("warping error", report.flicker),
        ("warping error, 8 frames apart", report.flicker_8),
        ("warping error, 24 frames apart", report.flicker_24),
    ):
        if errors is not None:
            found.append(
                (name, f"{errors.film:.3g}, {errors.ratio:.3g} x the source's {errors.source:.3g}")
            )
    found += [
        ("strength", f"{report.strength:.3g}"),
        ("contrast of the detail", f"{report.contrast:.3g}"),
        ("large-scale deviation", f"{report.tint:.3g}"),
        ("sharpness", f"{report.sharpness:.3g}"),
        (
            "trail behind moving things",
            "none seen" if report.trail is None else f"{report.trail:.3g}",
        ),
    ]
    drifts = report.drift
    for name in ("strength", "contrast", "brightness", "saturation", "clipped"):
        drift: Drift = getattr(drifts, name)
        found.append((f"{name}, first to last quarter", f"{drift.first:.3g} to {drift.last:.3g}"))
    return found + _compare_rows(report)


def _compare_rows(report: FilmReport) -> list[tuple[str, str]]:
    seen = report.independent
    if seen is None:
        return []
    flicker = f"{seen.flicker:.3g}" if seen.flicker is not None else f"not given: {seen.reason}"
    found = [
        ("against independent frames", f"{seen.pairs} pairs of frames"),
        ("flicker X", flicker),
        ("warping error", f"{seen.error_ratio:.3g} of {seen.error_independent:.3g}"),
    ]
    for name in ("strength", "contrast", "contrast_last", "tint", "sharpness", "ghosting"):
        value = getattr(seen, name)
        if value is not None:
            found.append((f"{name.replace('_last', ', last quarter')} ratio", f"{value:.3g}"))
    for name, ratios in (("luma", seen.luma), ("chroma", seen.chroma)):
        bands = (f"{_format_number(r)} {band}" for r, band in zip(ratios, BANDS, strict=True))
        found.append((f"{name} ratios, at 480 wide", ", ".join(bands)))
    found.append(
        (
            "saturation added, ratio",
            f"{_format_number(seen.saturation)}, first to last quarter "
            f"{_format_number(seen.saturation_first)} to {_format_number(seen.saturation_last)}",
        )
    )
    if seen.brightness_drift is not None:
        found.append(("brightness drift against it", f"{seen.brightness_drift:+.3g}"))
    for frame in seen.frames:
        luma, chroma = (
            " ".join(map(_format_number, ratios)) for ratios in (frame.luma, frame.chroma)
        )
        found.append(
            (
                f"frame {frame.index}, ratios",
                f"luma {luma}, chroma {chroma}, saturation {_format_number(frame.saturation)}, "
                f"brightness {frame.brightness:+.3f}",
            )
        )
    return found + [("objection", objection) for objection in seen.objections]


def _format_number(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"
