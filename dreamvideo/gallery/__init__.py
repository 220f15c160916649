"""Contact sheets and pages that compare layers, channels, creatures, strengths and presets."""
