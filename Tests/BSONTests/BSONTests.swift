// Tests of BSON.
