"""The cases that come with the software, one file each."""
