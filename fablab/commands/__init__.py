"""The commands of `fablab`, a file each."""
