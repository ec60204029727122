"""Images in, batches out: data sets as arrays, published splits, augmentation, seeded batches."""
