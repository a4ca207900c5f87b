// Raw views over BSON bytes: walk, slice, validate, extended JSON.
