"""Feature tables from compositions and from the columns of a data set."""
