"""What Twisted lacks, or does otherwise than this program needs. It knows nothing of radios."""
