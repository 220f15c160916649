"""Dream segments in several processes: find shots, dream, cross-fade the overlaps."""
