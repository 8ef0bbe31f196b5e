"""Where Spark jobs run: so far on this machine."""
