// The restic v2 format.
