// Tests of ObjectStorage.
