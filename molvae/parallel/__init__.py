"""Work that fans out over molecules: worker processes and executors."""
