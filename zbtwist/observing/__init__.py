"""Who watches: the event log, the frames in words, the trace file."""
