"""The units of work, one folder per capability; what they share stands in the single files beside the folders."""
