"""Files and folders: atomic writing, locks, the cache, downloads."""
